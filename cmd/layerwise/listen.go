package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/layerwise/layerwise/server"
)

// tokenVariable is the environment variable that holds the token that clients must send.
const tokenVariable = "LAYERWISE_TOKEN"

// listening is where a server listens, and what a client must say to be let in.
type listening struct {
	net.Listener
	token string // "" where the operating system decides who may connect
	note  string // for people
}

// listenOn opens the address of --listen: "unix:PATH", which the file's owner alone may use, or "HOST:PORT". A port
// of this machine is open to every program and every web page on it, so a client must send a token. Other machines
// reach it only if anybody says so.
func listenOn(address string, anybody bool) (*listening, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		listener, err := listenUnix(path)
		if err != nil {
			return nil, err
		}
		return &listening{Listener: listener, note: "listening on unix:" + path}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "" && !anybody {
		host = "localhost"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	at, ok := listener.Addr().(*net.TCPAddr)
	if !anybody && (!ok || !at.IP.IsLoopback()) {
		listener.Close()
		return nil, errors.New("other machines could connect to this address; give --listen-any too if they may, " +
			"or listen on localhost or unix:PATH")
	}
	l := &listening{
		Listener: listener,
		token:    os.Getenv(tokenVariable),
		note:     "listening on " + listener.Addr().String(),
	}
	if l.token == "" {
		l.token = rand.Text()
		l.note += "\nlayerwise: clients must send the initialization option \"token\": \"" + l.token + "\""
	}
	return l, nil
}

// listenUnix opens a Unix socket that only its owner may use. It is made in a private folder and then moved, so that
// nobody can connect before its permissions are set.
func listenUnix(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s exists and is not a socket", path)
		}
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, fmt.Errorf("another program listens on %s", path)
		}
		if err := os.Remove(path); err != nil { // left by a server that did not end well
			return nil, err
		}
	}
	private, err := os.MkdirTemp(filepath.Dir(path), ".layerwise-") // its mode is 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		listener.Close()
		return nil, err
	}
	return &unixListener{listener, path}, nil
}

// unixListener removes its socket before it is closed.
type unixListener struct {
	*net.UnixListener
	path string
}

func (l *unixListener) Close() error { return errors.Join(os.Remove(l.path), l.UnixListener.Close()) }

// The bounds on connections: how many there may be, and how long a client may take to say what it is.
const (
	mostClients  = 100
	introduction = 30 * time.Second
)

// serveClients serves each connection until ctx is cancelled, and closes the listener.
func serveClients(ctx context.Context, listener *listening, options server.Options) error {
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	var clients sync.WaitGroup
	defer clients.Wait()
	places := make(chan struct{}, mostClients)
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case places <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		clients.Go(func() {
			defer func() { conn.Close(); <-places }()
			own := options
			own.Token = listener.token
			own.Admitted = func() { _ = conn.SetReadDeadline(time.Time{}) }
			_ = conn.SetReadDeadline(time.Now().Add(introduction))
			server.Serve(ctx, conn, own)
		})
	}
}
