package server

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel/baseline"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.uber.org/zap"
)

// Options are what a server is started with.
type Options struct {
	Version string
	Log     *zap.Logger // never writes to the connection; nil logs nothing
	// CacheDir is a folder in which the digests of files are kept between runs; "" keeps none.
	CacheDir string
	// Builder finds the builder whose own history is read, by the setting layerwise.buildkit; nil if there is none.
	// The error says why one that is configured cannot be asked. A nil func asks none.
	Builder func(setting string) (Builder, error)
	// MaxFolders bounds the folders that a session watches; 0 is what the system bears.
	MaxFolders int
	// Patience is how long an answer that a person waits for may wait before it tells what is known; 0 is three seconds
	// for a hover (for the build context and a registry), two for the orders that are asked for by name, less
	// for other code actions.
	Patience time.Duration
	// Token is what a client must send as the initialization option "token", "" if anybody is let in who can connect.
	Token string
	// Admitted is called when a client has been let in. It may be nil.
	Admitted func()
	// Outlive waits until a process has ended, or ctx has: then the server ends with the client whose process
	// initialize names. It is nil where the client may be on another machine.
	Outlive func(ctx context.Context, process int)
}

// hoverPatience is the time that a person bears to wait for a hover.
const hoverPatience = 3 * time.Second

// Builder is something that builds and remembers what it built.
type Builder interface {
	// History finds the last build that has these options. It may take some seconds.
	History(baseline.Options) baseline.History
	// Watch calls changed whenever a build has ended, until ctx is cancelled.
	Watch(ctx context.Context, changed func())
}

// Serve speaks the Language Server Protocol on conn until the client exits or hangs up, or ctx is cancelled. It returns
// the exit code the protocol asks for: 0 if the client had asked for shutdown before, else 1.
func Serve(ctx context.Context, conn io.ReadWriteCloser, options Options) int {
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	frames := newFrames(conn, options.Log)
	rpc := jsonrpc2.NewConn(frames, jsonrpc2.WithCodec(codec{}))
	s := newSession(ctx, rpc, options)
	if s.token != "" {
		frames.limit = func() int {
			if s.state.Load() == beforeInitialize {
				return maxIntroduction
			}
			return maxMessage
		}
	}
	rpc.Go(ctx, s.handle)

	select {
	case <-s.exit:
	case <-rpc.Done():
		if err := rpc.Err(); err != nil && !errors.Is(err, io.EOF) {
			s.log.Warn("connection lost", zap.Error(err))
		}
	case <-ctx.Done():
	}
	code := 1
	if s.state.Load() == afterShutdown {
		code = 0
	}
	cancel()
	s.close()
	// The library's Close waits for its reader, which on a terminal or a pipe may never wake up again; nobody waits
	// here.
	_ = conn.Close()
	go rpc.Close()
	return code
}

// codec lets jsonrpc2 marshal parameters and results as the protocol package does.
type codec struct{}

func (codec) Marshal(v any) ([]byte, error) {
	if raw, ok := v.(jsonrpc2.RawMessage); ok {
		return raw, nil
	}
	var room []byte
	if p, ok := v.(*protocol.PublishDiagnosticsParams); ok {
		room = make([]byte, 0, 400*len(p.Diagnostics)+200) // else it is copied each time it grows
	}
	return protocol.AppendMarshal(room, v)
}

func (codec) Unmarshal(data []byte, v any) error { return protocol.Unmarshal(data, v) }

// handle answers one message; no failure in it ends the connection. Notifications and the inline part of requests run
// in wire order on the reading goroutine, so a request sees exactly the edits that were sent before it; the rest of a
// request runs beside what follows.
func (s *session) handle(ctx context.Context, req *jsonrpc2.Request) (result any, err error) {
	name, began := strings.Clone(req.Method()), time.Now()
	defer func() {
		if v := recover(); v != nil {
			s.log.Error(
				"panic",
				zap.String("method", name),
				zap.Any("value", v),
				zap.ByteString("stack", debug.Stack()),
			)
			result, err = nil, jsonrpc2.Errorf(jsonrpc2.InternalError, "internal error in %s: %v", name, v)
		}
		err = answerError(err)
		s.trace(name, req.IsCall(), time.Since(began), err)
		if !req.IsCall() {
			err = nil // the library would end the connection
		}
	}()

	m, known := methods[name]
	if err := s.gate(name); err != nil {
		return nil, err
	}
	if !known || m.call != req.IsCall() {
		if req.IsCall() {
			return nil, jsonrpc2.Errorf(jsonrpc2.MethodNotFound, "%s is not supported", name)
		}
		return nil, nil // an unknown notification may be ignored, "$/" or not
	}
	jobCtx := s.ctx
	if m.beside {
		job, done, err := s.cancellable(req.ID())
		if err != nil {
			return nil, err // before it starts: what others wait for would never be done
		}
		defer done()
		jobCtx = job
	}
	finish, err := m.start(s, req.Params())
	if err != nil || finish == nil {
		return nil, err
	}
	if m.beside {
		jsonrpc2.Async(ctx)
	}
	return finish(jobCtx)
}

// mostRequests is how many requests are answered at once. A client that reads no answers has them wait, each with its
// answer.
const mostRequests = 500

// cancellable returns a context that $/cancelRequest ends. It descends from the session's: the library's request
// contexts are pooled, and its CancelHandler derives one that may outlive the request by an instant, which crashes
// the process.
func (s *session) cancellable(id jsonrpc2.ID) (context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= mostRequests {
		return nil, nil, jsonrpc2.Errorf(
			jsonrpc2.Code(protocol.LSPErrorCodesServerCancelled), "%d requests wait for their answers", mostRequests)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.requests[id] = cancel
	return ctx, func() {
		cancel()
		s.mu.Lock()
		delete(s.requests, id)
		s.mu.Unlock()
	}, nil
}

func cancelRequest(s *session, p *protocol.CancelParams) {
	var id jsonrpc2.ID
	switch v := p.ID.(type) {
	case protocol.Integer:
		id = jsonrpc2.NewNumberID(int64(v))
	case protocol.String:
		id = jsonrpc2.NewStringID(string(v))
	}
	s.mu.Lock()
	cancel := s.requests[id]
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// answerError gives err the code that the protocol has for it.
func answerError(err error) error {
	var coded *jsonrpc2.Error
	switch {
	case err == nil, errors.As(err, &coded):
		return err
	case errors.Is(err, context.Canceled):
		return protocol.ErrRequestCancelled
	}
	return jsonrpc2.NewError(jsonrpc2.InternalError, err.Error())
}
