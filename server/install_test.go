package server

import (
	"context"
	"slices"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// client is the other end of a connection: it is told of every notification before that is sent.
type client struct {
	jsonrpc2.Conn
	told func(method string)
}

func (c *client) Notify(_ context.Context, method string, _ any) error {
	c.told(method)
	return nil
}

// installing makes a session with one open document, whose build is that of an empty folder.
func installing(t *testing.T, told func(method string)) (*session, *loader, func() *build) {
	s := newSession(t.Context(), &client{told: told}, Options{Log: zap.NewNop()})
	s.can.cacheStatus = true
	d := &document{
		uri:        uri.File("/x/Dockerfile"),
		path:       "/x/Dockerfile",
		dockerfile: true,
		publish:    make(chan struct{}, 1),
		reload:     make(chan struct{}, 1),
		loaded:     make(chan struct{}),
	}
	d.opened = dockerfile.Parse(source.New("FROM scratch\n"), nil)
	d.current = s.snapshotLocked(d, d.opened, nil)
	s.documents[d.uri] = d
	dir := t.TempDir()
	tree, err := disk.Scan(t.Context(), dir, "", disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, &loader{s: s, d: d}, func() *build {
		return &build{Build: &workspace.Build{Context: workspace.Context{Dir: dir, Tree: tree}}}
	}
}

func token(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Marks whose publication is overtaken by a build in which they are the same are published all the same, and only once.
func TestNoMarksAreLost(t *testing.T) {
	sent := 0
	var install func()
	s, l, next := installing(t, func(method string) {
		switch method {
		case protocol.MethodTextDocumentPublishDiagnostics:
			if install != nil {
				install()
				install = nil
			}
		case cacheStatusMethod:
			sent++
		}
	})
	l.install(next())
	install = func() { l.install(next()) }
	for token(l.d.publish) {
		s.publish(t.Context(), l.d)
	}
	if sent != 1 {
		t.Errorf("the marks were sent %d times", sent)
	}
	for range 3 {
		l.install(next())
	}
	if token(l.d.publish) {
		t.Error("marks that the client has would be sent again")
	}
}

// What changes while a build is loaded is judged by the new build, too, in which it may have a part.
func TestChangesDuringALoad(t *testing.T) {
	_, l, next := installing(t, func(string) {})
	first := next()
	l.install(first)
	w := next()
	w.Context.Dir = t.TempDir()
	l.d.missed = []string{} // as load does
	elsewhere, file := t.TempDir()+"/x", w.Context.Dir+"/a"
	l.s.fileChanged(elsewhere)
	l.s.fileChanged(file)
	if token(l.d.reload) {
		t.Fatal("the files are taken to be part of the old build")
	}
	l.install(w)
	if !token(l.d.reload) || !slices.Equal(l.d.stale.Paths, []string{file}) {
		t.Errorf("stale is %+v", l.d.stale)
	}
	l.d.stale = workspace.Changed{}
	l.s.fileChanged(elsewhere)
	l.install(next())
	if token(l.d.reload) {
		t.Error("between loads nothing is kept")
	}
}
