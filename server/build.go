package server

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// build is everything besides the open texts that a Dockerfile's marks depend on: immutable, found in the background,
// replaced as a whole.
type build struct {
	*workspace.Build
	settings settings
	notes    []string             // sentences
	written  map[*document]string // of the files that are open: what they held when the context was read
}

// sameOrders reports whether the same orders are better for two builds.
func (b *build) sameOrders(other *build) bool {
	if b == nil || other == nil {
		return b == other
	}
	return b.SameOrders(other.Build)
}

// noBaseline is the kind of a baseline that does not exist.
const noBaseline = string(baseline.None)

// loader keeps one document's build up to date. Only its own goroutine uses it.
type loader struct {
	s        *session
	d        *document
	reader   *workspace.Reader
	root     string // the workspace folder
	settings settings
	loaded   bool
	whole    bool // the whole context has been read
}

const (
	settingsWait = 2 * time.Second       // with the client's settings, before the defaults are taken
	quiet        = 40 * time.Millisecond // after a change, since they come in swarms

	// A context that cannot be watched is looked at anew this often, but at most for one part in pollShare of the time.
	pollEvery = 10 * time.Second
	pollShare = 20
	// ... and what its Dockerfile names, if that is no more than so many files and folders, this often.
	pollNamed = time.Second
	mostNamed = 1000
)

// loadLoop finds d's build, and again whenever something may have changed it. It is the only place that reads build
// contexts and baselines: typing never waits for them.
func (s *session) loadLoop(d *document) {
	ctx := d.ctx
	select {
	case <-s.settled:
	case <-time.After(settingsWait):
	case <-ctx.Done():
		return
	}
	select {
	case <-d.read:
	case <-ctx.Done():
		return
	}
	l := &loader{s: s, d: d}
	defer s.unwatch(d)
	if d.path != "" {
		s.watchFolders(d, s.storeFolders()) // before any record is read, so that none comes unseen
	}
	looked, next := true, time.Time{} // at the whole context, and when that is due if it is not watched
	for {
		began := time.Now()
		l.load(ctx)
		var poll <-chan time.Time
		if s.unwatched(d) != "" {
			if looked {
				next = time.Now().Add(max(pollEvery, pollShare*time.Since(began)))
			}
			poll = time.After(min(pollNamed, time.Until(next)))
		}
		looked = false
		select {
		case <-ctx.Done():
			return
		case <-d.reload:
		case <-poll:
			looked = !time.Now().Before(next)
			s.mu.Lock()
			if looked {
				d.stale.Context = true
			} else if d.build != nil {
				d.stale.Paths = append(d.stale.Paths, d.build.Sources(d.current.file, mostNamed)...)
			}
			s.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(quiet):
		}
	}
}

// workspaceOf is the workspace of the documents of a folder, with the texts as they are in the editor.
func (s *session) workspaceOf(folder string) *workspace.Workspace {
	return &workspace.Workspace{
		Store: s.store, CacheDir: s.cacheDir, Env: os.Environ(), Folder: folder, Read: s.readText,
		Untrusted: s.untrusted,
	}
}

// readText reads a file as it is in the editor; a Dockerfile never says how others are built.
func (s *session) readText(path string) ([]byte, error) {
	text, _, _, err := s.versionedText(path)
	return text, err
}

// versionedText is readText with the address of the text and its version, nil for one that is not open.
func (s *session) versionedText(path string) (text []byte, at uri.URI, version *int32, err error) {
	s.mu.Lock()
	for _, d := range s.documents {
		if d.path == path && !d.dockerfile {
			defer s.mu.Unlock()
			version := d.version
			return []byte(d.text.String()), d.uri, &version, nil
		}
	}
	s.mu.Unlock()
	text, err = textfile.Read(path)
	return text, uri.File(path), nil, err
}

// choicesOf are those that the settings make; folders are relative to the workspace folder.
func choicesOf(own settings, root, path string) workspace.Choices {
	c := workspace.Choices{Default: own.Baseline}
	c.Target, c.Platform, c.Engine = own.Target, own.Platform, cachemodel.Engine(own.Engine)
	if len(own.BuildArgs) > 0 {
		c.Args = own.BuildArgs
	}
	dir := own.Context
	if rel, err := filepath.Rel(root, path); err == nil {
		dir = cmp.Or(own.Contexts[filepath.ToSlash(rel)], dir)
	}
	switch {
	case dir == "":
	case filepath.IsAbs(dir):
		c.ContextDir = filepath.Clean(dir)
	case root != "":
		c.ContextDir = filepath.Join(root, dir)
	case path != "":
		c.ContextDir = filepath.Join(filepath.Dir(path), dir)
	}
	return c
}

// load brings the build up to date and puts it in force.
func (l *loader) load(ctx context.Context) {
	s, d := l.s, l.d
	defer s.rescue("reading the build context")
	defer func() {
		s.mu.Lock()
		d.missed = nil
		s.mu.Unlock()
	}()

	s.mu.Lock()
	stale := d.stale
	d.stale, d.missed = workspace.Changed{}, []string{}
	own, root := s.settingsOfLocked(d.uri)
	file, written := d.current.file, s.writtenLocked()
	s.mu.Unlock()
	if l.loaded && reflect.DeepEqual(own, l.settings) && !stale.Any() {
		return
	}
	if l.reader == nil || l.root != root {
		l.reader, l.root = s.workspaceOf(root).Reader(d.path), root
	}
	l.settings = own

	progress := s.longWork(ctx, "Reading the build context of "+filepath.Base(d.path))
	defer progress.done()
	q := workspace.Question{
		Choices: choicesOf(
			own,
			root,
			d.path,
		), File: file, Opened: d.opened, Changed: stale, Watch: l.watch, Reading: progress.ctx,
		Stopped:  progress.cancelled.Load,
		Progress: func(n int) { progress.report(fmt.Sprintf("%d files and folders", n)) },
	}
	if builder := s.builder(own.BuildKit); builder != nil {
		q.Builder, q.Quick = builder, !l.loaded
	}
	q.Partial = !l.loaded
	found := l.reader.Load(ctx, q)
	if found == nil {
		return
	}
	if !found.Complete { // the first marks do not wait for the builder, nor for very large files
		s.mu.Lock()
		d.stale.Baseline = true
		s.mu.Unlock()
		d.wake(d.reload)
	}
	l.install(s.buildOf(found, own, written, s.unwatched(d)))
	if found.Complete && !l.whole {
		l.whole = true
		debug.FreeOSMemory() // reading a large context leaves several times as much garbage as it keeps
	}
	if found.Unsaved != nil {
		s.log.Sugar().Infof("%s: %v", d.path, found.Unsaved)
	}
	for _, problem := range found.Problems {
		s.tell(protocol.MessageTypeWarning, sentence(problem.Error()))
	}
	if problem := found.Compared.Problem; problem != nil {
		s.show(protocol.MessageTypeWarning, sentence(problem.Error()))
	}
}

// buildOf adds to a build what the server wants to know with it.
func (s *session) buildOf(found *workspace.Build, own settings, written map[*document]string, unwatched string) *build {
	next := &build{Build: found, settings: own, written: written}
	for _, problem := range found.Problems {
		next.notes = append(next.notes, sentence(problem.Error()))
	}
	for _, note := range found.Notes {
		next.notes = append(next.notes, sentence(note))
	}
	if unwatched != "" && found.Context.Tree != nil {
		next.notes = append(
			next.notes,
			fmt.Sprintf("Not all of the build context is watched (%s): what other programs change in it is "+
				"noticed after a while, or when the Dockerfile is saved.", unwatched),
		)
	}
	return next
}

// install puts a build in force. The marks are computed before, so that nobody who types waits for files to be read.
func (l *loader) install(next *build) {
	s, d := l.s, l.d
	s.mu.Lock()
	candidate := s.snapshotLocked(d, d.current.file, next)
	before := d.current
	s.mu.Unlock()
	fresh := candidate.marks()

	// The client may have seen all of it before.
	old := before.build
	same := old != nil && reflect.DeepEqual(old.settings, next.settings) && old.Compared.Label == next.Compared.Label &&
		reflect.DeepEqual(old.notes, next.notes) && reflect.DeepEqual(before.marks().steps, fresh.steps)

	s.mu.Lock()
	d.build = next
	switch {
	case d.current != before:
		d.current, same = s.snapshotLocked(d, d.current.file, next), false
	case same && d.published == before:
		d.current, d.published = candidate, candidate
	default: // before was perhaps not sent yet, and now never will be
		d.current, same = candidate, false
	}
	missed := d.missed
	d.missed = nil
	for _, path := range missed {
		s.buildChangedLocked(d, path)
	}
	s.mu.Unlock()
	if !l.loaded {
		l.loaded = true
		close(d.loaded)
	}
	if !same {
		d.wake(d.publish)
		s.refreshSoon()
	}
}

// holds reports whether path is part of a build context.
func (b *build) holds(path string) bool {
	if b.Context.Tree == nil {
		return false
	}
	if has(b.Context.Tree, path, b.Context.Dir, b.Context.Root) || slices.Contains(b.Context.IgnoreFiles, path) {
		return true
	}
	for _, named := range b.Contexts {
		if has(named.Tree, path, named.Dir, named.Root) {
			return true
		}
	}
	return false
}

// has reports whether path is part of the context whose folder has these names.
func has(tree *buildcontext.Tree, path string, folders ...string) bool {
	for _, folder := range folders {
		if rel, ok := within(folder, path); ok {
			return !tree.Ignore().Ignores(filepath.ToSlash(rel)) || strings.HasSuffix(rel, ".dockerignore")
		}
	}
	return false
}

// inGit reports whether path is where git writes down which commit HEAD is.
func (b *build) inGit(path string) bool { return slices.Contains(b.Git, path) }
