package server

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/replay"
	"go.lsp.dev/protocol"
)

// world is everything besides the open texts that a Dockerfile's marks depend on: immutable, made in the background,
// replaced as a whole.
type world struct {
	settings      settings
	build         cachemodel.Settings
	dir           string                        // the build context's folder as the user names it; "" if there is none
	root          string                        // dir with links resolved
	context       *buildcontext.Tree            // nil if there is none, or it was not read
	contexts      map[string]*buildcontext.Tree // the named ones
	contextDirs   map[string]string
	contextRoots  map[string]string     // contextDirs with links resolved
	contextImages map[string]string     // the named ones that are no folders
	entry         *buildfiles.Entry     // the service or target whose settings are taken, nil if there is none
	choices       []buildfiles.Choice   // that there are
	buildFiles    []string              // say so
	choice        string                // which baseline is asked for
	written       map[*document]string  // of the files that are open: what they held when the context was read
	ignoreFiles   []string              // may say what is left out of the context
	git           []string              // change when HEAD does
	commits       *replay.History       // of the context; nil if there are too few
	sent          func() *rules.Context // of the context, if there is one
	base
}

// A reordering is judged by this many commits. With fewer than leastHistory they say less than the prior does.
const (
	historyBuilds = 100
	leastHistory  = 10
)

// noBaseline is the kind of a baseline that does not exist.
const noBaseline = string(baseline.None)

// staleness is what has changed since the world was loaded.
type staleness struct {
	context  bool     // anything in it
	paths    []string // these of its files
	baseline bool
	builds   bool // how the image is built
}

// loader keeps one document's world up to date. Only its own goroutine uses it.
type loader struct {
	s           *session
	d           *document
	settings    settings
	folder      string // of the context, as the user names it
	dir         *disk.Dir
	refused     string                        // a folder that is not read: the person would not have it, or it is the whole file system
	named       map[string]*disk.Dir          // the named contexts
	seen        buildcontext.Journal          // of dir
	atOpen      *buildcontext.Tree            // the context as it was first seen
	namedAtOpen map[string]*buildcontext.Tree // likewise the named ones, by their folders
	head        string                        // the commit that HEAD was when the base was found
	git         []string                      // the files that change when HEAD does
	amiss       []string                      // what is wrong with the context
	base        base
	record      *record.Record // the last build on record, if the base may be that
	newest      string         // record in the store, by its id, when the base was found
	choice      string         // which baseline is asked for
	recordNotes []string       // what is wrong with the records
	builds      builds
	entryAtOpen *buildfiles.Entry // as it was when the file was opened
	loaded      bool
	commits     *replay.History // of the context, up to the commit commitsOf
	commitsOf   string
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
	if d.path != "" {
		s.watchFolders(d, s.storeFolder()) // before any record is read, so that none comes unseen
	}
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
	defer func() {
		s.mu.Lock()
		d.missed = nil
		s.mu.Unlock()
	}()

	s.mu.Lock()
	stale := d.stale
	d.stale, d.missed = staleness{}, []string{}
	own, root := s.settingsOfLocked(d.uri)
	opened, written := d.opened, s.writtenLocked()
	s.mu.Unlock()
	changed := !l.loaded || !reflect.DeepEqual(own, l.settings)
	if !changed && !stale.context && len(stale.paths) == 0 && !stale.baseline && !stale.builds {
		return
	}
	l.settings = own

	progress := s.longWork(ctx, "Reading the build context of "+filepath.Base(d.path))
	defer progress.done()
	choice := cmp.Or(s.store.Choice(d.path, baselineChoice), own.Baseline)
	spec, invalid := baseSpec(choice, cmp.Or(root, filepath.Dir(d.path)), d.path)
	if invalid != nil {
		s.log.Sugar().Warnf("the baseline that was chosen for %s: %v", d.path, invalid)
		choice, spec = "auto", baseline.Spec{Kind: baseline.Auto}
	}
	rebuilt := false
	if changed || stale.builds || stale.context {
		found := s.readBuilds(ctx, d, root, l.builds)
		rebuilt = !found.same(&l.builds)
		l.builds = found
		if !l.loaded {
			l.entryAtOpen = found.entry
		}
	}
	again := changed || rebuilt || choice != l.choice || stale.baseline && l.baseMoved(ctx, choice, spec)
	l.choice = choice
	explicit := buildOptions(own, root, d.path)
	options := explicit
	if e := l.builds.entry; e != nil && options.Engine != cachemodel.Classic {
		options = e.Fill(options)
	}
	if again {
		l.newest = s.store.Newest(d.path)
		l.record, l.recordNotes = baseline.Stored(s.store, spec, d.path, options.Match())
	}
	l.readContext(progress.ctx, contextFolder(options, l.record, d.path), stale, progress)
	request := baseline.Request{
		Spec: spec, Dockerfile: d.path, ContextDir: l.folder, CacheDir: s.cacheDir,
		Opened: &baseline.Contents{File: opened, Context: l.atOpen, Contexts: map[string]*buildcontext.Tree{}},
	}
	next := &world{entry: l.builds.entry, choices: l.builds.choices, buildFiles: l.builds.files, settings: own, dir: l.folder, choice: choice, written: written}
	if l.dir != nil {
		next.context, next.root = l.dir.Tree(), l.dir.Root()
		next.ignoreFiles = l.dir.IgnoreFiles()
		request.Context = next.context
	}
	if again {
		builder := s.builder(own.BuildKit)
		if builder != nil && l.loaded {
			request.History = builder.History(options)
			request.ContextAt = l.seen.At
		} else if builder != nil {
			// The first marks do not wait for it.
			s.mu.Lock()
			d.stale.baseline = true
			s.mu.Unlock()
			d.wake(d.reload)
		}
		var notes []string
		l.record, notes = baseline.Last(ctx, request, l.record)
		l.recordNotes = append(l.recordNotes, notes...)
	}
	taken := ""
	if request.Record = l.record; l.record != nil {
		options, taken = options.From(l.record, s.store)
	}
	next.contextDirs, next.contextImages = options.Contexts, options.Images
	next.build = options.Settings()
	next.contexts = l.readContexts(ctx, options.Contexts)
	next.contextRoots = map[string]string{}
	for name, dir := range l.named {
		next.contextRoots[name] = dir.Root()
	}
	request.Contexts = map[string]record.NamedContext{}
	for name, folder := range options.Contexts {
		request.Contexts[name] = record.NamedContext{Dir: folder, Tree: next.contexts[name]}
		request.Opened.Contexts[name] = l.namedAtOpen[folder]
	}
	if again {
		l.findBase(ctx, request, next, explicit)
	}
	next.base, next.git, next.commits = l.base, l.git, l.commits
	if next.context != nil && next.base.context != nil && next.build.Engine != cachemodel.Classic {
		next.context = buildcontext.Resent(next.base.context, next.context)
	}
	if tree := next.context; tree != nil {
		name, _ := within(next.dir, l.d.path)
		next.sent = sync.OnceValue(func() *rules.Context { return sent(tree, filepath.ToSlash(name)) })
	}
	next.notes = slices.Concat(l.amiss, l.base.notes, l.builds.notes)
	if taken != "" {
		next.notes = append(next.notes, fmt.Sprintf("Settings as in %s: %s.", l.record.Label(), taken))
	}
	for _, note := range l.recordNotes {
		next.notes = append(next.notes, sentence(strings.TrimSuffix(note, ".")))
	}
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

// baseMoved reports whether the base may be another one than was found. Git's files change more often than HEAD does: with
// every git status, for one.
func (l *loader) baseMoved(ctx context.Context, choice string, spec baseline.Spec) bool {
	head, err := gittree.Head(ctx, filepath.Dir(l.d.path))
	moved := err != nil || head != l.head || choice != "auto" && choice != "git"
	l.head = head
	if moved || spec.Kind != baseline.Auto {
		return true
	}
	return l.newest != l.s.store.Newest(l.d.path) || l.s.builder(l.settings.BuildKit) != nil
}

func (l *loader) findBase(ctx context.Context, r baseline.Request, w *world, explicit baseline.Options) {
	dir := filepath.Dir(l.d.path)
	if l.d.path != "" {
		// Watch first, so that nothing happens unseen after it was read.
		l.git, _ = gittree.WatchPaths(ctx, dir) // no repository, no head
		if l.dir != nil {
			l.watch()
		}
		l.head, _ = gittree.Head(ctx, dir)
		if l.commitsOf != l.head {
			l.commits, l.commitsOf = nil, l.head
			h, err := replay.Load(ctx, replay.Request{Dockerfile: l.d.path, ContextDir: l.folder, Commits: historyBuilds}, nil)
			if err == nil && h.Builds() >= leastHistory {
				l.commits = h
			}
		}
	}
	var err error
	l.base, err = findBase(ctx, r, cachemodel.Build{Context: w.overlaid(nil), Contexts: w.contexts, ContextImages: w.contextImages, Settings: w.build}, l.s.store, func(found baseline.Baseline, base *cachemodel.Build) {
		e, rev := w.entry, ""
		switch {
		case e == nil || base.Settings.Engine == cachemodel.Classic:
			return
		case found.Kind == string(baseline.Git):
			rev = found.Ref
		case found.Kind == string(baseline.Opened) && l.entryAtOpen != nil && l.entryAtOpen.ID == e.ID:
			e = l.entryAtOpen
		}
		engine := base.Settings.Engine
		base.Settings, base.ContextImages = e.Before(ctx, rev, buildfiles.Options{Env: os.Environ()}, explicit)
		base.Settings.Engine = engine
	})
	if err != nil && ctx.Err() == nil {
		note := fmt.Sprintf("The baseline %q (setting layerwise.baseline) is not there: %v.", l.choice, err)
		l.base.notes = append(l.base.notes, note)
		l.s.show(protocol.MessageTypeWarning, note)
	}
}

// readContexts reads the folders of named contexts. They are looked at anew whenever something else is.
func (l *loader) readContexts(ctx context.Context, folders map[string]string) map[string]*buildcontext.Tree {
	l.named = map[string]*disk.Dir{}
	if l.namedAtOpen == nil {
		l.namedAtOpen = map[string]*buildcontext.Tree{}
	}
	trees := map[string]*buildcontext.Tree{}
	for name, folder := range folders {
		trees[name] = buildcontext.Unknown()
		if folder == "" {
			continue // nobody knows where it was when it was built
		}
		dir, err := disk.Open(ctx, folder, "", disk.Options{CacheDir: l.s.cacheDir})
		if err == nil {
			l.named[name] = dir
			trees[name] = dir.Tree()
		} else if ctx.Err() == nil {
			l.amiss = append(l.amiss, sentence(fmt.Sprintf("the named context %s: %v", name, err)))
		}
	}
	if l.dir != nil && len(l.named) > 0 && l.watch() { // something may have happened unseen
		for name, dir := range l.named {
			if tree, err := dir.Rescan(ctx); err == nil {
				trees[name] = tree
			}
		}
	}
	for name, folder := range folders {
		if l.namedAtOpen[folder] == nil {
			l.namedAtOpen[folder] = trees[name]
		}
	}
	return trees
}

// readContext brings the context's tree up to date.
func (l *loader) readContext(ctx context.Context, folder string, stale staleness, progress *progress) {
	if folder == "" {
		l.folder, l.dir, l.atOpen = "", nil, nil
		l.amiss = []string{"The document is not saved in a folder yet, so there is no build context."}
		return
	}
	if filepath.Dir(folder) == folder {
		l.folder, l.dir, l.atOpen, l.refused = "", nil, nil, folder
		l.amiss = []string{"The build context would be the whole file system, so it is not read: set another with the setting context."}
		return
	}
	if l.refused == folder && !stale.context {
		return
	}
	l.refused = ""
	var err error
	began, whole := time.Now(), true
	switch {
	case l.dir == nil || l.folder != folder:
		l.folder, l.atOpen, l.seen = folder, nil, buildcontext.Journal{}
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
		whole = false
		if _, changed := l.dir.Update(stale.paths); changed && l.watch() {
			_, err = l.dir.Rescan(ctx) // new folders, perhaps with files in them by now
		}
	default:
		whole = false
	}
	if err == nil {
		l.seen.Add(began, time.Now(), whole, l.dir.Tree())
	}
	l.amiss = nil
	if err != nil && progress.cancelled.Load() {
		l.dir, l.refused = nil, folder
		l.amiss = []string{"The build context was not read to its end, as you wished: save the Dockerfile to have it read."}
		return
	}
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

	// The client may have seen all of it before.
	old := before.world
	same := old != nil && reflect.DeepEqual(old.settings, next.settings) && old.label == next.label &&
		reflect.DeepEqual(old.notes, next.notes) && reflect.DeepEqual(before.marks().steps, fresh.steps)

	s.mu.Lock()
	d.world = next
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
		s.worldChangedLocked(d, path)
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
func (w *world) holds(path string) bool {
	if w.context == nil {
		return false
	}
	if has(w.context, path, w.dir, w.root) || slices.Contains(w.ignoreFiles, path) {
		return true
	}
	for name, tree := range w.contexts {
		if has(tree, path, w.contextDirs[name], w.contextRoots[name]) {
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
func (w *world) inGit(path string) bool { return slices.Contains(w.git, path) }

// buildOptions are what the settings say of the next build; folders are relative to the workspace folder.
func buildOptions(own settings, root, path string) baseline.Options {
	o := baseline.Options{Target: own.Target, Platform: own.Platform, Engine: cachemodel.Engine(own.Engine)}
	if len(own.BuildArgs) > 0 {
		o.Args = own.BuildArgs
	}
	switch {
	case own.Context == "":
	case filepath.IsAbs(own.Context):
		o.ContextDir = filepath.Clean(own.Context)
	case root != "":
		o.ContextDir = filepath.Join(root, own.Context)
	case path != "":
		o.ContextDir = filepath.Join(filepath.Dir(path), own.Context)
	}
	return o
}

// contextFolder is where the build context is: as the options say, else as it was for the last build, else the Dockerfile's
// own folder; "" for a document that is no file.
func contextFolder(o baseline.Options, last *record.Record, path string) string {
	switch {
	case o.ContextDir != "":
		return o.ContextDir
	case last != nil && last.ContextDir != "":
		return last.ContextDir
	case path == "":
		return ""
	}
	return filepath.Dir(path)
}
