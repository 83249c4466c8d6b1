package server

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/server/registry"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// session is the state of one connection. The messages' handlers change it in wire order; work in the background may
// change what mu guards.
type session struct {
	ctx     context.Context // ends with the connection
	rpc     jsonrpc2.Conn
	client  protocol.Client
	log     *zap.Logger
	version string
	// cacheDir keeps digests of files between runs; "" keeps none.
	cacheDir    string
	store       *record.Store // of the builds that were made
	findBuilder func(string) (Builder, error)
	untrusted   bool // nothing of the folders may steer a program; written by initialize, before anything else runs
	maxFolders  int
	patience    time.Duration                          // see Options
	outlive     func(ctx context.Context, process int) // see Options
	token       string                                 // likewise
	admitted    func()                                 // likewise
	tags        *registry.Tags
	images      *registry.Images

	state   atomic.Int32 // lifecycle
	exit    chan struct{}
	end     func()      // closes exit
	verbose atomic.Bool // $/setTrace
	can     abilities   // written by initialize, before anything else runs
	// registrations are the features that the client registers per kind of document; written by initialize.
	registrations []protocol.Registration
	settled       chan struct{}
	settling      sync.Once
	refresh       chan struct{}
	decided       chan struct{} // closed when the last decision was made; only the reading goroutine has it

	mu            sync.Mutex
	closed        bool
	work          sync.WaitGroup
	folders       []protocol.WorkspaceFolder
	settings      scopedSettings
	documents     map[uri.URI]*document
	requests      map[jsonrpc2.ID]context.CancelFunc // those that are being answered
	progresses    map[protocol.String]*progress      // those that are shown
	progressCount int
	watcher       *watcher
	looked        time.Time                 // when the workspace was last looked through
	workspace     map[string]*workspaceFile // by path, as they were when symbols were last asked for
	told          map[string]bool           // messages shown once
	builders      map[string]Builder        // by the setting layerwise.buildkit; nil if there is none
}

func newSession(ctx context.Context, rpc jsonrpc2.Conn, options Options) *session {
	exit := make(chan struct{})
	return &session{
		ctx: ctx, rpc: rpc, client: protocol.ClientDispatcher(rpc), log: options.Log, version: options.Version,
		cacheDir: options.CacheDir, store: record.NewStore(options.CacheDir), findBuilder: options.Builder,
		builders: map[string]Builder{},
		tags:     registry.New(tagsDir(options.CacheDir)), images: registry.NewImages(),
		maxFolders: cmp.Or(options.MaxFolders, maxFolders()), patience: options.Patience,
		exit: exit, end: sync.OnceFunc(func() { close(exit) }), outlive: options.Outlive, token: options.Token,
		admitted: options.Admitted,
		settled:  make(chan struct{}), refresh: make(chan struct{}, 1),
		settings:  scopedSettings{global: defaultSettings()},
		documents: map[uri.URI]*document{}, requests: map[jsonrpc2.ID]context.CancelFunc{},
		progresses: map[protocol.String]*progress{}, told: map[string]bool{},
	}
}

// background runs work beside the connection; work must end when its context does. A panic costs that piece of work
// only.
func (s *session) background(what string, work func(ctx context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backgroundLocked(what, work)
}

func (s *session) backgroundLocked(what string, work func(ctx context.Context)) {
	if s.closed {
		return
	}
	s.work.Go(func() {
		defer s.rescue(what)
		work(s.ctx)
	})
}

// patienceAtEnd is how long work that was told to end is waited for: longer than it takes on a machine that is busy.
const patienceAtEnd = 5 * time.Second

// close waits for the work in the background, whose context has been cancelled; but not for long, for a file system
// that hangs must not keep the process.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patienceAtEnd):
		s.log.Warn("work in the background did not end in time")
	}
}

// rescue turns a panic in the background into a log line.
func (s *session) rescue(what string) {
	if v := recover(); v != nil {
		s.log.Error("panic", zap.String("in", what), zap.Any("value", v), zap.ByteString("stack", debug.Stack()))
		s.tell(protocol.MessageTypeError, fmt.Sprintf("internal error in %s: %v", what, v))
	}
}

// tell writes a line for people to the client's log and to ours.
func (s *session) tell(level protocol.MessageType, message string) {
	message = titleText(message)
	s.log.Info(message)
	_ = s.client.LogMessage(s.ctx, &protocol.LogMessageParams{Type: level, Message: message})
}

// mostTold bounds the messages that are remembered: if there are more, one may be shown twice.
const mostTold = 200

// show puts a message before the person's eyes, once per session.
func (s *session) show(level protocol.MessageType, message string) {
	message = titleText(message)
	s.mu.Lock()
	told := s.told[message]
	if len(s.told) >= mostTold {
		clear(s.told)
	}
	s.told[message] = true
	s.mu.Unlock()
	if !told {
		s.log.Warn(message)
		_ = s.client.ShowMessage(s.ctx, &protocol.ShowMessageParams{Type: level, Message: message})
	}
}

// trace logs a message that was handled; to the client too if it asked for that with $/setTrace.
func (s *session) trace(method string, request bool, took time.Duration, err error) {
	if entry := s.log.Check(zap.DebugLevel, "handled"); entry != nil {
		entry.Write(
			zap.String("method", method),
			zap.Bool("request", request),
			zap.Duration("took", took),
			zap.Error(err),
		)
	}
	if err != nil && !request {
		s.log.Warn("notification dropped", zap.String("method", method), zap.Error(err))
	}
	if s.verbose.Load() {
		_ = s.client.LogTrace(
			s.ctx,
			&protocol.LogTraceParams{Message: fmt.Sprintf("%s took %s", method, took.Round(time.Microsecond))},
		)
	}
}
