package server

import (
	"cmp"
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// snapshot is one version of a Dockerfile with one build: immutable, so that answers need no lock, and every answer
// about one version says the same. What costs time is computed when it is first asked for, once.
type snapshot struct {
	uri      uri.URI
	version  int32
	file     *dockerfile.File
	build    *build            // nil while it is being looked for
	engine   cachemodel.Engine // of the settings; the build's follows when it is found anew
	settings settings          // those in force now
	can      abilities
	patience time.Duration // of who asks; 0 is what the request has

	untrusted bool // nothing is run for the folder
	asOpened  bool // nobody has typed yet

	names     func() *navigate.Index
	tokenList func() []outline.Token
	tokens    func() []uint32 // as the protocol wants them
	history   *tokenHistory
	images    func() []string // that other Dockerfiles use
	tags      func(image string) (tags []string, all bool)
	published func(ctx context.Context, ref string) *describe.Published
	variables func() *scope.Variables
	findings  func() []analysis.Finding
	safeFixes *lazily[safeFixes] // all that are safe without asking
	marks     func() *marks      // build must be there
	orders    *orders
	searchNow func() // begins the search for orders
	later     func(ctx context.Context) (*snapshot, error)
}

// marks are the verdicts on a Dockerfile's instructions.
type marks struct {
	steps   []cachemodel.Step
	plan    *cachemodel.Plan
	summary cachemodel.Summary
	problem string                   // why the build as a whole cannot be planned
	byLine  map[int]*cachemodel.Step // by the instruction's first line, 1-based
}

// snapshotLocked makes the snapshot of d with file and build b.
func (s *session) snapshotLocked(d *document, file *dockerfile.File, b *build) *snapshot {
	overlays := s.overlaysLocked(b)
	own, _ := s.settingsOfLocked(d.uri)
	snap := &snapshot{
		uri:      d.uri,
		version:  d.version,
		file:     file,
		build:    b,
		engine:   cmp.Or(cachemodel.Engine(own.Engine), cachemodel.BuildKit),
		settings: own,
		can:      s.can,
		patience: s.patience,

		untrusted: s.untrusted, asOpened: file == d.opened,
	}
	if own.Engine == "" && b != nil {
		snap.engine = b.Settings.Engine // that of the build on record
	}
	snap.names = sync.OnceValue(func() *navigate.Index { return navigate.New(file) })
	snap.history = &d.tokens
	snap.tokenList = sync.OnceValue(func() []outline.Token { return outline.Tokens(file, snap.names()) })
	snap.tokens = sync.OnceValue(func() []uint32 { return snap.encodeTokens(snap.tokenList()) })
	options, _ := d.config.Rules.With(own.Rules) // what is wrong was said when it was read
	options.Memory, options.Classic = d.memory, snap.engine == cachemodel.Classic
	if own.ShellCheck {
		options.ShellCheck = d.remarks.of
	}
	snap.findings = sync.OnceValue(func() []analysis.Finding { return findingsOf(file, b, options) })
	snap.safeFixes = newLazily(func() safeFixes {
		d.fixing.Lock() // one at a time, and none for a text that is over
		defer d.fixing.Unlock()
		options := options // what finds mistakes reads them at the same time
		options.Over = func() bool {
			now := s.snapshotOf(d.uri)
			return now == nil || now.file != file
		}
		return safeFixesOf(file, b, options)
	}, func(find func()) { s.background("looking for fixes", func(context.Context) { find() }) })
	if old := d.current; old != nil && old.file == file && old.engine == snap.engine && old.build.sameOrders(b) {
		snap.orders = old.orders
	} else {
		engine := snap.engine
		snap.orders = newOrders(d.context(), func(ctx context.Context) reorder.Offers {
			if b != nil { // an edit ends the search, not the reading of the history
				b.History(d.context(), workspace.HistoryBuilds, nil)
			}
			ctx, cancel := context.WithTimeout(ctx, searchLimit)
			defer cancel()
			return rewritesOf(ctx, file, engine, b, s.store)
		})
	}
	search := snap.orders.search
	snap.searchNow = func() { s.background("searching for better orders", func(context.Context) { search() }) }
	snap.images = func() []string { return s.imagesBeside(d) }
	snap.tags = func(image string) ([]string, bool) { return s.tagsOf(image, own.Registry == "on") }
	snap.published = func(ctx context.Context, ref string) *describe.Published {
		platform := own.Platform
		if b != nil {
			platform = b.Settings.Platform
		}
		return s.published(ctx, ref, platform)
	}
	snap.variables = sync.OnceValue(func() *scope.Variables {
		variables := scope.New(file)
		if b != nil {
			variables.Args = b.Settings.Args
		}
		return variables
	})
	snap.marks = sync.OnceValue(func() *marks {
		judged := b.Judge(file, overlays)
		steps := judged.Steps
		m := &marks{
			steps:   steps,
			plan:    judged.Plan,
			summary: judged.Summary,
			byLine:  make(map[int]*cachemodel.Step, len(steps)),
		}
		if judged.Problem != nil {
			m.problem = sentence(judged.Problem.Error())
		}
		for i := range steps {
			m.byLine[steps[i].Line] = &steps[i]
		}
		return m
	})
	snap.later = func(ctx context.Context) (*snapshot, error) { return s.whenLoaded(ctx, d, snap) }
	return snap
}

// snapshotOf returns the newest snapshot of a document, nil if it is not open or no Dockerfile.
func (s *session) snapshotOf(u uri.URI) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.documents[u]; d != nil {
		return d.current
	}
	return nil
}

// snapshotAt is that of the Dockerfile at a path, nil if it is not open.
func (s *session) snapshotAt(path string) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.documents {
		if d.dockerfile && d.path == path {
			return d.current
		}
	}
	return nil
}

// marked returns the snapshot if it has a build. Else a client that can be told to ask again gets nil at once; for any
// other the build is waited for.
func (snap *snapshot) marked(ctx context.Context, canRefresh bool) (*snapshot, error) {
	if snap.build != nil || canRefresh {
		return snap, nil
	}
	return snap.later(ctx)
}

// whenLoaded waits for d's first build and returns the same version of the text with it.
func (s *session) whenLoaded(ctx context.Context, d *document, old *snapshot) (*snapshot, error) {
	select {
	case <-d.loaded:
	case <-d.ctx.Done():
		return nil, protocol.ErrContentModified // the document has been closed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := d.current; now.version == old.version {
		return now, nil
	}
	snap := s.snapshotLocked(d, old.file, d.build)
	snap.version = old.version
	return snap, nil
}

// overlaysLocked returns the open texts that differ from the files as b knows them. Texts that equal their files do not
// count: editors leave out what they do not show, such as a byte order mark.
func (s *session) overlaysLocked(b *build) []workspace.Overlay {
	if b == nil || b.Context.Tree == nil {
		return nil
	}
	var out []workspace.Overlay
	for _, d := range s.documents {
		written, known := b.written[d]
		if !known {
			written = d.written // opened since
		}
		if rel, ok := within(b.Context.Dir, d.path); ok && d.text.String() != written {
			out = append(out, workspace.Overlay{Path: filepath.ToSlash(rel), Text: d.text.String()})
		}
	}
	return out
}

// writtenLocked returns what the open documents' files hold by now, by the client's word.
func (s *session) writtenLocked() map[*document]string {
	written := make(map[*document]string, len(s.documents))
	for _, d := range s.documents {
		select {
		case <-d.read:
			written[d] = d.written
		default: // it was opened just now
		}
	}
	return written
}

// overlayLocked gives the other Dockerfiles whose context holds path a new snapshot, because the open text of path has
// changed.
func (s *session) overlayLocked(path string) {
	if path == "" {
		return
	}
	for _, d := range s.documents {
		if d.dockerfile && d.path != path && d.build != nil && d.build.Context.Tree != nil {
			if _, ok := within(d.build.Context.Dir, path); ok {
				d.current = s.snapshotLocked(d, d.current.file, d.build)
				d.wake(d.publish)
				s.refreshSoon()
			}
		}
	}
}

// within returns path relative to dir if it lies beneath it.
func within(dir, path string) (string, bool) {
	if dir == "" || path == "" {
		return "", false
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == "." || rel == ".." || len(rel) > 2 && rel[:3] == ".."+string(filepath.Separator) {
		return "", false
	}
	return rel, true
}
