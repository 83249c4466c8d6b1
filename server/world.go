package server

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"go.lsp.dev/protocol"
)

// world is everything besides the open texts that a Dockerfile's marks depend on: immutable, made in the background,
// replaced as a whole.
type world struct {
	settings    settings
	build       cachemodel.Settings
	dir         string                // the build context's folder as the user names it; "" if there is none
	root        string                // dir with links resolved
	context     *buildcontext.Tree    // nil if there is none
	written     map[*document]string  // of the files that are open: what they held when the context was read
	ignoreFiles []string              // may say what is left out of the context
	git         []string              // change when HEAD does
	sent        func() *rules.Context // of the context, if there is one
	base
}

// noBaseline is the kind of a baseline that does not exist.
const noBaseline = string(baseline.None)

// staleness is what has changed since the world was loaded.
type staleness struct {
	context  bool     // anything in it
	paths    []string // these of its files
	baseline bool
}

// loader keeps one document's world up to date. Only its own goroutine uses it.
type loader struct {
	s        *session
	d        *document
	settings settings
	folder   string // of the context, as the user names it
	dir      *disk.Dir
	atOpen   *buildcontext.Tree // the context as it was first seen
	head     string             // the commit that HEAD was when the base was found
	git      []string           // the files that change when HEAD does
	amiss    []string           // what is wrong with the context
	base     base
	loaded   bool
}

const (
	patience = 2 * time.Second       // with the client's settings, before the defaults are gone by
	quiet    = 40 * time.Millisecond // after a change, since they come in swarms

	// A context that cannot be watched is looked at anew this often, but at most for one part in pollShare of the time.
	pollEvery = 10 * time.Second
	pollShare = 20
)

// loadLoop loads d's world, and again whenever something has made it stale. It is the only place that reads build
// contexts and baselines: typing never waits for them.
func (s *session) loadLoop(d *document) {
	ctx := d.ctx
	select {
	case <-s.settled:
	case <-time.After(patience):
	case <-ctx.Done():
		return
	}
	l := &loader{s: s, d: d}
	defer s.unwatch(d)
	for {
		began := time.Now()
		l.load(ctx)
		var poll <-chan time.Time
		if s.unwatched(d) != "" {
			poll = time.After(max(pollEvery, pollShare*time.Since(began)))
		}
		select {
		case <-ctx.Done():
			return
		case <-d.reload:
		case <-poll:
			s.mu.Lock()
			d.stale.context = true
			s.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(quiet):
		}
	}
}

// load brings the world up to date and puts it in force.
func (l *loader) load(ctx context.Context) {
	s, d := l.s, l.d
	defer s.rescue("reading the build context")

	s.mu.Lock()
	stale := d.stale
	d.stale = staleness{}
	own, root := s.settingsOfLocked(d.uri)
	opened, written := d.opened, s.writtenLocked()
	s.mu.Unlock()
	changed := !l.loaded || !reflect.DeepEqual(own, l.settings)
	if !changed && !stale.context && len(stale.paths) == 0 && !stale.baseline {
		return
	}
	l.settings = own

	progress := s.longWork(ctx, "Reading the build context of "+filepath.Base(d.path))
	defer progress.done()
	l.readContext(ctx, contextFolder(own, root, d.path), stale, progress)
	next := &world{settings: own, dir: l.folder, build: buildSettings(own), written: written}
	if l.dir != nil {
		next.context, next.root = l.dir.Tree(), l.dir.Root()
		next.ignoreFiles = l.dir.IgnoreFiles()
	}
	if changed || stale.baseline && l.headMoved(ctx) {
		l.findBase(ctx, root, opened, next)
	}
	next.base, next.git = l.base, l.git
	if next.context != nil && next.base.context != nil && next.build.Engine != cachemodel.Classic {
		next.context = buildcontext.Resent(next.base.context, next.context)
	}
	if tree := next.context; tree != nil {
		name, _ := within(next.dir, l.d.path)
		next.sent = sync.OnceValue(func() *rules.Context { return sent(tree, filepath.ToSlash(name)) })
	}
	next.notes = append(append([]string(nil), l.amiss...), l.base.notes...)
	if ctx.Err() != nil {
		return
	}
	l.install(next)
	if l.dir != nil {
		if err := l.dir.Save(); err != nil {
			s.log.Sugar().Infof("the digests of %s are not kept: %v", l.folder, err)
		}
	}
}

// headMoved reports whether HEAD may be another commit than the one compared with. Git's files change more often than
// that: with every git status, for one.
func (l *loader) headMoved(ctx context.Context) bool {
	head, err := gittree.Head(ctx, filepath.Dir(l.d.path))
	moved := err != nil || head != l.head || l.settings.Baseline != "auto" && l.settings.Baseline != "git"
	l.head = head
	return moved
}

func (l *loader) findBase(ctx context.Context, root string, opened *dockerfile.File, w *world) {
	dir := filepath.Dir(l.d.path)
	if l.d.path != "" {
		l.head, _ = gittree.Head(ctx, dir) // no repository, no head
		l.git, _ = gittree.WatchPaths(ctx, dir)
	}
	var err error
	l.base, err = findBase(ctx, l.settings.Baseline, cmp.Or(root, dir), baseline.Request{
		Dockerfile: l.d.path, ContextDir: w.dir, Context: w.context, CacheDir: l.s.cacheDir,
		Opened: &baseline.Contents{File: opened, Context: l.atOpen},
	}, w.build)
	if err != nil && ctx.Err() == nil {
		note := fmt.Sprintf("The baseline %q (setting layerwise.baseline) is not there: %v.", l.settings.Baseline, err)
		l.base.notes = append(l.base.notes, note)
		l.s.show(protocol.MessageTypeWarning, note)
	}
	if l.dir != nil {
		l.watch()
	}
}

// readContext brings the context's tree up to date.
func (l *loader) readContext(ctx context.Context, folder string, stale staleness, progress *progress) {
	if folder == "" {
		l.folder, l.dir, l.atOpen = "", nil, nil
		l.amiss = []string{"The document is not saved in a folder yet, so there is no build context."}
		return
	}
	var err error
	switch {
	case l.dir == nil || l.folder != folder:
		l.folder, l.atOpen = folder, nil
		l.dir, err = disk.Open(ctx, folder, l.d.path, disk.Options{CacheDir: l.s.cacheDir, Progress: func(n int) {
			progress.report(fmt.Sprintf("%d files and folders", n))
		}})
		if err == nil {
			// Watch first and look again then, so that nothing happens unseen in between.
			if l.watch() {
				_, err = l.dir.Rescan(ctx)
			}
		}
	case stale.context:
		_, err = l.dir.Rescan(ctx)
		l.watch()
	case len(stale.paths) > 0:
		if _, changed := l.dir.Update(stale.paths); changed && l.watch() {
			_, err = l.dir.Rescan(ctx) // new folders, perhaps with files in them by now
		}
	}
	l.amiss = nil
	if err != nil {
		if ctx.Err() == nil {
			l.dir = nil
			l.amiss = append(l.amiss, sentence(err.Error()))
			l.s.tell(protocol.MessageTypeWarning, err.Error())
		}
		return
	}
	if l.atOpen == nil {
		l.atOpen = l.dir.Tree()
	}
	if problems := l.dir.Tree().Problems(); len(problems) > 0 {
		l.amiss = append(l.amiss, fmt.Sprintf("%s in the build context cannot be read: %v.", count(len(problems), "entry", "entries"), problems[0]))
	}
	if why := l.s.unwatched(l.d); why != "" {
		l.amiss = append(l.amiss, fmt.Sprintf("Not all of the build context is watched (%s): what other programs change in it is noticed after a while, or when the Dockerfile is saved.", why))
	}
}

// install puts a world in force. The marks are computed before, so that nobody who types waits for files to be read.
func (l *loader) install(next *world) {
	s, d := l.s, l.d
	s.mu.Lock()
	candidate := s.snapshotLocked(d, d.current.file, next)
	before := d.current
	s.mu.Unlock()
	fresh := candidate.marks()

	s.mu.Lock()
	d.world = next
	if d.current == before {
		d.current = candidate
	} else {
		d.current = s.snapshotLocked(d, d.current.file, next)
	}
	s.mu.Unlock()
	if !l.loaded {
		l.loaded = true
		close(d.loaded)
	} else if old := before.world; old != nil && reflect.DeepEqual(old.settings, next.settings) && old.label == next.label &&
		reflect.DeepEqual(old.notes, next.notes) && reflect.DeepEqual(before.marks().steps, fresh.steps) {
		return // nothing that anybody could see
	}
	d.wake(d.publish)
	s.refreshSoon()
}

// holds reports whether path is part of the build context.
func (w *world) holds(path string) bool {
	if w.context == nil {
		return false
	}
	for _, root := range []string{w.dir, w.root} {
		if rel, ok := within(root, path); ok {
			return !w.context.Ignore().Ignores(filepath.ToSlash(rel)) || strings.HasSuffix(rel, ".dockerignore")
		}
	}
	return slices.Contains(w.ignoreFiles, path)
}

// inGit reports whether path is where git writes down which commit HEAD is.
func (w *world) inGit(path string) bool { return slices.Contains(w.git, path) }

// contextFolder is where the build context is: as the settings say, relative to the workspace folder, else the
// Dockerfile's own folder; "" for a document that is no file.
func contextFolder(own settings, root, path string) string {
	switch {
	case own.Context == "" && path == "":
		return ""
	case own.Context == "":
		return filepath.Dir(path)
	case filepath.IsAbs(own.Context):
		return filepath.Clean(own.Context)
	case root != "":
		return filepath.Join(root, own.Context)
	case path != "":
		return filepath.Join(filepath.Dir(path), own.Context)
	}
	return ""
}

func buildSettings(own settings) cachemodel.Settings {
	return cachemodel.Settings{Engine: cachemodel.Engine(own.Engine), Target: own.Target, Args: own.BuildArgs, Platform: own.Platform}
}
