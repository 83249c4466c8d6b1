package server

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// document is one text that the client has open. Texts other than Dockerfiles matter too: unsaved, they are part of
// the build context. What follows stop is guarded by session.mu.
type document struct {
	uri        uri.URI
	path       string // "" unless the document is a file
	dockerfile bool
	buildfile  bool // Compose or bake

	publish chan struct{}   // holds a token while a snapshot waits to be published
	scripts chan struct{}   // holds a token while there may be scripts that ShellCheck has not seen
	search  chan struct{}   // holds a token while there may be better orders that were not searched for
	read    chan struct{}   // closed when the file and the configuration around it were read
	reload  chan struct{}   // holds a token while the build waits to be looked for anew
	loaded  chan struct{}   // closed with the first build
	ctx     context.Context // ends when the document is closed
	stop    context.CancelFunc

	version int32
	text    *source.Text
	lost    bool   // an edit could not be read: what text holds is not what the editor shows
	written string // the text that is known to be the file's
	opened  *dockerfile.File
	build   *build                  // nil until it is found
	current *snapshot               // nil unless dockerfile
	reading reading                 // of a buildfile, when it was last well
	inlines map[string]*build       // of a buildfile, those of the Dockerfiles in it by the entry's ID
	lenses  map[lensKey]*lensReader // of a buildfile
	stale   workspace.Changed       // what the next load must read anew
	// files that changed during a load and are no part of the build before it; nil between loads
	missed []string

	published *snapshot                          // whose marks the client has
	diagnosed *protocol.PublishDiagnosticsParams // what it has of diagnostics; only publish looks at it

	fixing  sync.Mutex // held while all fixes of a version are worked out
	tokens  tokenHistory
	memory  *rules.Memory // of what was found in the version before
	remarks shellRemarks
	config  workspace.Config // of rules
}

// mostDocuments is how many documents may be open for a further Dockerfile to be analysed.
const mostDocuments = 1000

// wake puts the token into one of the document's channels.
func (d *document) wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// isDockerfile goes by the language, else by the name. To many editors Dockerfile.dockerignore is a Dockerfile.
func isDockerfile(u uri.URI, language protocol.LanguageKind) bool {
	if strings.HasSuffix(u.Path(), ".dockerignore") {
		return false
	}
	switch strings.ToLower(string(language)) {
	case "dockerfile", "containerfile":
		return true
	case "", "plaintext", "text":
	default:
		return false
	}
	return dockerfile.IsName(path.Base(u.Path()))
}

// isFile reports whether u is the address of a file. One without a scheme, which the library takes for one, is not:
// it may be anything.
func isFile(u uri.URI) bool {
	return u.IsFile() && strings.HasPrefix(strings.ToLower(string(u)), "file:/")
}

func didOpen(s *session, p *protocol.DidOpenTextDocumentParams) {
	item := p.TextDocument
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.documents[item.URI]; old != nil {
		old.stop() // opened twice: the client's last word counts
	}
	d := &document{
		uri: item.URI, dockerfile: isDockerfile(item.URI, item.LanguageID), version: item.Version,
		text:    source.New(item.Text),
		publish: make(chan struct{}, 1), scripts: make(chan struct{}, 1), search: make(chan struct{}, 1),
		read: make(chan struct{}), reload: make(chan struct{}, 1), loaded: make(chan struct{}),
		stale: workspace.Changed{Context: true, Baseline: true}, memory: &rules.Memory{},
	}
	// no name is the root's
	if path := filepath.FromSlash(item.URI.FsPath()); isFile(item.URI) && filepath.Dir(path) != path {
		d.path = path
	}
	d.ctx, d.stop = context.WithCancel(s.ctx)
	s.documents[item.URI] = d
	if d.dockerfile && len(s.documents) > mostDocuments {
		d.dockerfile = false
		s.backgroundLocked("showing a message", func(context.Context) {
			s.show(
				protocol.MessageTypeWarning,
				fmt.Sprintf("More than %d documents are open: Layerwise leaves out the last ones.", mostDocuments),
			)
		})
	}
	s.backgroundLocked("reading a file that was opened", func(context.Context) { s.readOpened(d, item.Text) })
	s.overlayLocked(d.path)
	if !d.dockerfile && isBuildFile(item.URI, item.LanguageID) {
		d.buildfile = true
		s.backgroundLocked("publishing", func(context.Context) { s.publishBuildLoop(d) })
	}
	s.wakeBuildFilesLocked(!d.dockerfile)
	if !d.dockerfile {
		return
	}
	d.opened = dockerfile.Parse(s.analysedLocked(d), nil)
	d.current = s.snapshotLocked(d, d.opened, nil)
	s.backgroundLocked("publishing", func(context.Context) { s.publishLoop(d) })
	s.backgroundLocked("searching for better orders", func(context.Context) { s.ordersLoop(d) })
	s.backgroundLocked("asking ShellCheck", func(context.Context) { s.shellCheckLoop(d.ctx, d) })
	d.wake(d.scripts)
	s.backgroundLocked("reading the build context", func(context.Context) { s.loadLoop(d) })
	d.wake(d.publish)
}

// readOpened reads what an open document's file holds, and the configuration around a Dockerfile. A file system may be
// slow: no message waits for that.
func (s *session) readOpened(d *document, text string) {
	defer close(d.read)
	if d.path == "" {
		return
	}
	written := writtenText(d.path, text)
	if d.dockerfile {
		s.readConfig(d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.written == "" { // else it was saved since
		d.written = written
	}
	if s.documents[d.uri] == d {
		s.overlayLocked(d.path)
	}
}

// readConfig reads the configuration of rules that holds for d.
func (s *session) readConfig(d *document) {
	config := workspace.FindConfig(filepath.Dir(d.path))
	for _, problem := range config.Problems {
		s.show(protocol.MessageTypeWarning, config.Path+": "+problem)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.documents[d.uri] != d || reflect.DeepEqual(config, d.config) {
		return
	}
	d.config = config
	d.current = s.snapshotLocked(d, d.current.file, d.build)
	d.wake(d.publish)
	s.refreshSoon()
}

// context is that of the document; one that is not open has none.
func (d *document) context() context.Context {
	if d.ctx == nil {
		return context.Background()
	}
	return d.ctx
}

func didChange(s *session, p *protocol.DidChangeTextDocumentParams) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.documents[p.TextDocument.URI]
	if d == nil {
		s.log.Warn("change of a document that is not open")
		return
	}
	text, whole := s.can.encoding.changed(d.text, p.ContentChanges)
	d.text, d.lost = text, d.lost && !whole
	d.version = p.TextDocument.Version
	s.changedLocked(d)
}

// changedLocked does what a new text of d asks for.
func (s *session) changedLocked(d *document) {
	s.overlayLocked(d.path)
	s.wakeBuildFilesLocked(!d.dockerfile)
	if !d.dockerfile {
		s.buildFileChangedLocked(d.path)
		return
	}
	d.current = s.snapshotLocked(d, dockerfile.Parse(s.analysedLocked(d), d.current.file), d.build)
	d.wake(d.publish)
	d.wake(d.scripts)
	d.wake(d.search)
}

// analysedLocked is the text of d that is analysed: none where it is too long, or is not what the editor shows.
func (s *session) analysedLocked(d *document) *source.Text {
	problem := ""
	switch {
	case d.lost:
		problem = "an edit of %s could not be read, so what it holds now is not known: close it and open it again"
	case d.text.Len() > textfile.Limit:
		problem = "%s is too long to be a Dockerfile, and is not analysed"
	default:
		return d.text
	}
	name := path.Base(d.uri.Path())
	s.backgroundLocked("showing a message", func(context.Context) {
		s.show(protocol.MessageTypeWarning, fmt.Sprintf(problem, name))
	})
	return source.New("")
}

// lose notes that an edit of a document could not be read. Nothing is said of it until its whole text comes again.
func (s *session) lose(u uri.URI) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.documents[u]; d != nil {
		d.lost = true
		d.text = source.New(d.text.String() + "\x00") // as a part of a build context it is not what its file holds
		s.changedLocked(d)
	}
}

// changed is the text after changes that were made one after the other, and whether one of them is the whole text.
// Those of many cursors come from the end of a text to its start, and are carried out at once: each makes a new text.
func (e encoding) changed(
	t *source.Text, changes []protocol.TextDocumentContentChangeEvent,
) (text *source.Text, whole bool) {
	var edits []source.Edit // of t, each in lines above the one before
	carryOut := func() {
		if content, err := source.Apply(t.String(), edits); err == nil && len(edits) > 0 {
			t, edits = source.New(content), nil
		}
	}
	for _, change := range changes {
		switch change := change.(type) {
		case *protocol.TextDocumentContentChangeWholeDocument:
			t, edits, whole = source.New(change.Text), nil, true
		case *protocol.TextDocumentContentChangePartial:
			last := int(max(change.Range.Start.Line, change.Range.End.Line))
			if n := len(edits); n > 0 && last >= t.LineAt(edits[n-1].Span.Start) {
				carryOut()
			}
			edits = append(edits, source.Edit{Span: e.span(t, change.Range), NewText: change.Text})
		}
	}
	carryOut()
	return t, whole
}

// writtenText returns text if the file on disk holds just that, but for a byte order mark, which editors do not show as
// text; else it returns "". An editor may open a document with changes that were never saved.
func writtenText(path, text string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > int64(len(text)+len(bom)) {
		return ""
	}
	content, err := textfile.ReadUpTo(path, int64(len(text)+len(bom)))
	if err != nil || strings.TrimPrefix(string(content), bom) != strings.TrimPrefix(text, bom) {
		return ""
	}
	return text
}

const bom = "\ufeff"

func didSave(s *session, p *protocol.DidSaveTextDocumentParams) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.documents[p.TextDocument.URI]
	if d == nil || d.path == "" {
		return
	}
	d.written = d.text.String()
	if d.dockerfile {
		// The person asks for attention: look again whether there is a context, or a repository by now.
		d.stale.Baseline = true
		d.stale.Context = d.stale.Context || d.build != nil && d.build.Context.Tree == nil ||
			s.watcher != nil && s.watcher.limited[d] != ""
		d.wake(d.reload)
	}
	s.fileChangedLocked(d.path)
}

func didClose(s *session, p *protocol.DidCloseTextDocumentParams) {
	s.mu.Lock()
	d := s.documents[p.TextDocument.URI]
	delete(s.documents, p.TextDocument.URI)
	if d != nil {
		d.stop()
		s.overlayLocked(d.path)
	}
	s.mu.Unlock()
	if d != nil && (d.dockerfile || d.buildfile) {
		s.retract(d)
	}
}
