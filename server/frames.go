package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.lsp.dev/jsonrpc2"
	"go.uber.org/zap"
)

// The bounds on a message, in bytes: in general, before a client has shown that it may use the server, and of a
// header line.
const (
	maxMessage      = 1 << 28
	maxIntroduction = 1 << 22
	maxHeaderLine   = 1 << 12
)

// maxKept is the largest buffer that is kept for the next message.
const maxKept = 1 << 20

// errHTTP says that the other end is no client of the protocol: a web page that posts to the port, or a port scanner.
var errHTTP = errors.New("the other end speaks HTTP")

// frames is the base protocol's framing: a header with Content-Length, a blank line, the JSON. The library's own stream
// gives up at the first malformed header or body; this one answers or logs it and reads on, because to the person at
// the editor one bad message must not cost the session.
type frames struct {
	conn io.ReadWriteCloser
	in   *bufio.Reader
	body []byte
	log  *zap.Logger
	// limit is how long a message may be.
	limit func() int

	writing sync.Mutex
	out     []byte
}

func newFrames(conn io.ReadWriteCloser, log *zap.Logger) *frames {
	return &frames{conn: conn, in: bufio.NewReaderSize(conn, 1<<16), log: log, limit: func() int { return maxMessage }}
}

// ReadFrame returns the next well-formed message. The slice is valid until the next read.
func (f *frames) ReadFrame(ctx context.Context) ([]byte, int64, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		length, err := f.readHeader()
		if err != nil {
			return nil, 0, err
		}
		body, err := f.readBody(length)
		if err != nil {
			return nil, 0, errors.Join(io.ErrUnexpectedEOF, err)
		}
		if !utf8.Valid(body) { // answers repeat parts of it
			body = bytes.ToValidUTF8(body, []byte("\ufffd"))
		}
		if complaint := malformed(body); complaint != nil {
			f.log.Warn("malformed message", zap.Error(complaint), zap.Int("bytes", length))
			if _, err := f.Write(ctx, jsonrpc2.NewResponse(jsonrpc2.ID{}, nil, complaint)); err != nil {
				return nil, 0, err
			}
			continue
		}
		return body, int64(length), nil
	}
}

// readBody reads a message's body. Memory is taken as the bytes arrive: a length that is only announced costs nothing.
func (f *frames) readBody(length int) ([]byte, error) {
	if cap(f.body) > maxKept {
		f.body = nil
	}
	body := f.body[:0]
	for len(body) < length {
		n := min(length-len(body), max(cap(body)-len(body), len(body), 1<<16))
		body = slices.Grow(body, n)[:len(body)+n]
		if _, err := io.ReadFull(f.in, body[len(body)-n:]); err != nil {
			return nil, err
		}
	}
	f.body = body
	return body, nil
}

// malformed returns the error to answer to a body that is no message, or nil. A batch is none: no client of the
// protocol sends one.
func malformed(body []byte) *jsonrpc2.Error {
	if _, err := jsonrpc2.DecodeMessage(body); err == nil {
		return nil
	}
	if !json.Valid(body) {
		return jsonrpc2.NewError(jsonrpc2.ParseError, "the message is not valid JSON")
	}
	return jsonrpc2.NewError(
		jsonrpc2.InvalidRequest,
		"the message is not a JSON-RPC 2.0 request, notification or response",
	)
}

// readHeader returns the announced length of the next body. Lines that make no sense are skipped until one announces a
// length, so that reading finds its way back after garbage.
func (f *frames) readHeader() (int, error) {
	const field = "content-length:"
	length := -1
	complained := false // once: there may be lines without an end
	complain := func(line string) {
		if !complained {
			f.log.Warn("malformed header line", zap.String("line", clip(line, 80)))
		}
		complained = true
	}
	for {
		line, err := f.readLine()
		if err != nil {
			return 0, err
		}
		if httpLine.MatchString(line) {
			return 0, errHTTP
		}
		if line == "" {
			if length > 0 {
				return length, nil
			}
			continue
		}
		at := strings.LastIndex(strings.ToLower(line), field)
		if at < 0 {
			if !strings.HasPrefix(strings.ToLower(line), "content-type:") {
				complain(line)
			}
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(line[at+len(field):]))
		if err != nil || n <= 0 || n > f.limit() {
			complain(line)
			continue
		}
		length = n
	}
}

// httpLine is the first line of a request or of an answer in HTTP.
var httpLine = regexp.MustCompile(`^[A-Z]+ \S+ HTTP/[0-9]|^HTTP/[0-9]`)

// readLine reads a header line without its end. Of one that is too long the middle is left out: its start shows who
// speaks, and its end may be the header that follows a body of which nobody knew how long it is.
func (f *frames) readLine() (string, error) {
	var line []byte
	for {
		part, err := f.in.ReadSlice('\n')
		line = append(line, part...)
		if n := len(line); n > maxHeaderLine {
			line = append(line[:maxHeaderLine/2], line[n-maxHeaderLine/2:]...)
		}
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}

// Read decodes the next message.
func (f *frames) Read(ctx context.Context) (jsonrpc2.Message, int64, error) {
	body, n, err := f.ReadFrame(ctx)
	if err != nil {
		return nil, n, err
	}
	m, err := jsonrpc2.DecodeMessage(body)
	return m, n, err
}

// Write frames one message.
func (f *frames) Write(_ context.Context, m jsonrpc2.Message) (int64, error) {
	return f.write(func(dst []byte) []byte { return jsonrpc2.AppendMessage(dst, m) })
}

// WriteFrame frames a body that is encoded already.
func (f *frames) WriteFrame(_ context.Context, body []byte) (int64, error) {
	return f.write(func(dst []byte) []byte { return append(dst, body...) })
}

// write puts header and body into one write call, so that messages of several goroutines never mix.
func (f *frames) write(body func([]byte) []byte) (int64, error) {
	const room = len("Content-Length: 4294967296\r\n\r\n")
	f.writing.Lock()
	defer f.writing.Unlock()
	f.out = body(append(f.out[:0], make([]byte, room)...))
	header := "Content-Length: " + strconv.Itoa(len(f.out)-room) + "\r\n\r\n"
	message := f.out[room-len(header):]
	copy(message, header)
	n, err := f.conn.Write(message)
	if cap(f.out) > maxKept {
		f.out = nil // one huge message must not hold its memory for good
	}
	return int64(n), err
}

// Close closes the connection.
func (f *frames) Close() error { return f.conn.Close() }

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
