package daemon

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/connhelper"
)

// connect opens a connection that speaks BuildKit's protocol. A Docker engine hands it over to its BuildKit
// (moby/daemon/server/router/grpc), or to the standard streams of a program in the builder's container, as buildx does
// (buildx/driver/docker-container). Where an address is ssh, the user's ssh is run, as the Docker client does.
func (d *Daemon) connect(ctx context.Context, _ string) (net.Conn, error) {
	c, err := d.endpoint.open(ctx)
	if err != nil || !d.endpoint.Engine && d.endpoint.Container == "" {
		return c, err
	}
	// The context is that of dialling: the connection outlives it.
	stop := context.AfterFunc(ctx, func() { c.Close() })
	var upgraded net.Conn
	if d.endpoint.Engine {
		upgraded, err = upgrade(c, "/grpc", "h2c", nil)
		err = d.withoutBuildKit(err)
	} else {
		upgraded, err = d.exec(ctx, c)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return upgraded, nil
}

// withoutBuildKit keeps in mind why an engine has no BuildKit, if it answered so.
func (d *Daemon) withoutBuildKit(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foreign = ""
	var refused refusalError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &refused):
	case strings.HasPrefix(refused.server, "Libpod"):
		d.foreign = d.String() + " is Podman, whose cache is not modelled"
		return errors.New(d.foreign)
	case errors.Is(err, ErrNotFound):
		d.foreign = d.String() + " has no BuildKit (Docker 18.09 or newer is needed)"
	}
	return fmt.Errorf("the Docker engine has no BuildKit: %w", err)
}

// open opens a connection to the address.
func (e *Endpoint) open(ctx context.Context) (net.Conn, error) {
	u, err := url.Parse(e.Address)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "unix":
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.FromSlash(u.Path))
	case "npipe":
		return dialPipe(ctx, filepath.FromSlash(u.Path))
	case "ssh":
		helper, err := connhelper.GetConnectionHelper(e.Address)
		if err != nil {
			return nil, err
		}
		// The program lives as long as its context.
		return helper.Dialer(context.WithoutCancel(ctx), "", "")
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	config, err := e.tlsConfig(u.Hostname())
	if err != nil || config == nil {
		return c, err
	}
	secure := tls.Client(c, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// tlsConfig is nil if the connection is not encrypted.
func (e *Endpoint) tlsConfig(host string) (*tls.Config, error) {
	t := e.TLS
	if !t.On {
		return nil, nil
	}
	config := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.SkipVerify}
	if config.ServerName == "" {
		config.ServerName = host
	}
	if config.NextProtos = []string{"h2"}; e.Engine || e.Container != "" {
		config.NextProtos = []string{"http/1.1"}
	}
	if t.CACert != "" {
		pem, err := os.ReadFile(t.CACert)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", t.CACert)
		}
	}
	if t.Cert != "" && t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// upgrade asks an engine to hand a connection over.
func upgrade(c net.Conn, path, protocol string, body any) (net.Conn, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		text = nil
	}
	request, err := http.NewRequest(http.MethodPost, "http://docker"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", protocol)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if err := request.Write(c); err != nil {
		return nil, err
	}
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		defer response.Body.Close()
		return nil, refusal(response)
	}
	return buffered{c, r}, nil
}

// buffered is a connection of which something was read ahead.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

// ErrNotFound is wrapped by the error about something that an engine does not have.
var ErrNotFound = errors.New("not found")

// refusalError is an engine's answer that it does not do something.
type refusalError struct {
	error
	server string // what calls itself the engine
}

func (e refusalError) Unwrap() error { return e.error }

// refusal is the error of an engine's answer.
func refusal(r *http.Response) error { return refusalError{refusedBecause(r), r.Header.Get("Server")} }

func refusedBecause(r *http.Response) error {
	var said struct{ Message string }
	text, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = r.Status
	}
	if r.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %s", ErrNotFound, said.Message)
	}
	return errors.New(said.Message)
}

// exec connects with BuildKit in the endpoint's container, by the program that BuildKit has there for this.
func (d *Daemon) exec(ctx context.Context, c net.Conn) (net.Conn, error) {
	var created struct{ ID string }
	path := "/containers/" + url.PathEscape(d.endpoint.Container) + "/exec"
	engine := d.client()
	defer engine.CloseIdleConnections()
	err := call(ctx, engine, http.MethodPost, path, map[string]any{
		"AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Cmd": []string{"buildctl", "dial-stdio"},
	}, &created)
	if err != nil {
		return nil, err
	}
	path = "/exec/" + url.PathEscape(created.ID) + "/start"
	raw, err := upgrade(c, path, "tcp", map[string]any{"Detach": false, "Tty": false})
	if err != nil {
		return nil, err
	}
	return &streams{Conn: raw}, nil
}

// client speaks to an engine's API.
func (d *Daemon) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.endpoint.open(ctx) },
	}}
}

func get(ctx context.Context, engine *http.Client, path string, v any) error {
	return call(ctx, engine, http.MethodGet, path, nil, v)
}

// call asks an engine's API, and decodes its answer into v.
func call(ctx context.Context, engine *http.Client, method, path string, body, v any) error {
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		text = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, text)
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := engine.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return refusal(response)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxMessage)).Decode(v)
}

// streams is a connection to a program whose output comes in frames: the number of the stream, three zeros, the length
// (moby/api/pkg/stdcopy).
type streams struct {
	net.Conn
	left   int
	stream byte
}

// standardOutput is the number of the stream that is read; others are messages for people.
const standardOutput = 1

func (s *streams) Read(p []byte) (int, error) {
	for s.left == 0 || s.stream != standardOutput {
		if _, err := io.CopyN(io.Discard, s.Conn, int64(s.left)); err != nil {
			return 0, err
		}
		var head [8]byte
		if _, err := io.ReadFull(s.Conn, head[:]); err != nil {
			return 0, err
		}
		s.stream, s.left = head[0], int(binary.BigEndian.Uint32(head[4:]))
	}
	n, err := s.Conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}
