// Package workspace answers one question for the terminal, the editor and the build files alike: which build is this,
// what is it compared with, and what follows from that.
//
//	w := &workspace.Workspace{Store: store, CacheDir: cacheDir, Env: os.Environ(), Folder: folder}
//	build := w.Reader(path).Load(ctx, workspace.Question{File: file})
//	marks := build.Judge(file, nil)
//
// A Reader finds the build of one Dockerfile: its context, the Compose service or bake target that makes it, its
// settings, each with where it comes from, and what the builder has (cachemodel/baseline). What it gives is immutable.
// A Reader that is asked again reads only what has changed; the command line asks once.
//
// The package must not know flags, terminals, editors or protocols. It reads files, runs git by way of gittree, and
// asks the builder that it is given.
package workspace

import (
	"cmp"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Workspace is what the builds of one user have in common. It is not changed once it is in use.
type Workspace struct {
	Store    *record.Store
	CacheDir string   // where digests of files are kept; "" keeps none
	Env      []string // KEY=VALUE, of the process that would build
	// Folder is the current directory or the editor's workspace folder: what is outside of a repository is looked for
	// up to there.
	Folder string
	// Read reads a file that people write; nil is textfile.Read. An editor gives its open texts.
	Read func(path string) ([]byte, error)
	// Fixed says that files do not change while the Workspace is used, so that what several builds share is read once,
	// and repositories stay open until Close.
	Fixed bool
	// Untrusted says that nothing of the folder may steer another program: git is not run and no builder is asked.
	Untrusted bool

	read shared
}

// shared is what several builds of a Fixed workspace share.
type shared struct {
	mu        sync.Mutex
	dirs      map[string][]string         // those with build files, by root
	projects  map[string]projects         // by root, and by what else is read
	pipelines map[string][]pipeline.Build // by root
	contexts  recent[*disk.Dir]
	unread    recent[unreadContext]
	look      gittree.Look
}

// look is what git is read with for one build. It rests from then on that rest was called.
func (w *Workspace) look() (look *gittree.Look, rest func()) {
	if w.Fixed {
		return &w.read.look, func() {}
	}
	look = &gittree.Look{}
	return look, look.Rest
}

// Close ends what a Fixed workspace keeps open.
func (w *Workspace) Close() { w.read.look.Close() }

// contextKey names a build context: ignoreOf is the Dockerfile that has an ignore file of its own, "" for all others.
type contextKey struct{ folder, ignoreOf string }

func keyOfContext(folder, dockerfile string) contextKey {
	if exists(dockerfile + ".dockerignore") {
		return contextKey{folder, dockerfile}
	}
	return contextKey{folder, ""}
}

// recent is what was found of the last build contexts: each may have a node for every file of a project.
type recent[T any] struct {
	keys   []contextKey
	values []T
}

const mostRecent = 4

// of gives what was found of a build context, and finds it where nobody has.
func (r *recent[T]) of(mu *sync.Mutex, key contextKey, find func() (T, error)) (T, error) {
	mu.Lock()
	defer mu.Unlock()
	if i := slices.Index(r.keys, key); i >= 0 {
		return r.values[i], nil
	}
	value, err := find()
	if err == nil {
		r.keys, r.values = append(r.keys, key), append(r.values, value)
		over := max(0, len(r.keys)-mostRecent)
		r.keys, r.values = slices.Delete(r.keys, 0, over), slices.Delete(r.values, 0, over)
	}
	return value, err
}

// directory reads a build context. The Dockerfiles of a project mostly share one.
func (w *Workspace) directory(
	ctx context.Context, folder, dockerfile string, progress func(entries int),
) (*disk.Dir, error) {
	open := func() (*disk.Dir, error) {
		return disk.Open(ctx, folder, dockerfile, disk.Options{CacheDir: w.CacheDir, Progress: progress})
	}
	if !w.Fixed {
		return open()
	}
	return w.read.contexts.of(&w.read.mu, keyOfContext(folder, dockerfile), open)
}

// unreadContext is what rules want to know of a build context that is not read.
type unreadContext struct {
	ignore *buildcontext.Ignore
	sent   []string
}

// list lists a build context that is not read; likewise.
func (w *Workspace) list(folder, dockerfile string) (unreadContext, error) {
	list := func() (c unreadContext, err error) {
		if c.ignore, err = readIgnore(folder, dockerfile); err == nil {
			c.sent = sent(func(inner string) []string { return listed(folder, inner, c.ignore) })
		}
		return c, err
	}
	if !w.Fixed {
		return list()
	}
	return w.read.unread.of(&w.read.mu, keyOfContext(folder, dockerfile), list)
}

type projects struct {
	found    []*buildfiles.Project
	problems []error
}

// projectsOf reads the build files of the project that a Dockerfile is part of, the nearest first.
func (w *Workspace) projectsOf(ctx context.Context, dockerfile string) ([]*buildfiles.Project, []error) {
	dir := filepath.Dir(dockerfile)
	root := w.Root(dir)
	if !w.Fixed {
		return buildfiles.Find(ctx, root, dockerfile, w.buildFileOptions())
	}
	dirs := once(ctx, &w.read.mu, &w.read.dirs, root, func() []string { return buildfiles.Directories(ctx, root, root) })
	apart := slices.DeleteFunc(buildfiles.Above(root, dir), func(d string) bool { return slices.Contains(dirs, d) })
	key := strings.Join(append(slices.Clone(apart), root), "\x00") // mostly nothing is apart: all of a root share that
	all := once(ctx, &w.read.mu, &w.read.projects, key, func() (all projects) {
		all.found, all.problems = buildfiles.In(ctx, slices.Concat(apart, dirs), w.buildFileOptions())
		return all
	})
	found := slices.Clone(all.found)
	slices.SortStableFunc(
		found,
		func(a, b *buildfiles.Project) int { return cmp.Compare(above(a.Dir, dir), above(b.Dir, dir)) },
	)
	return found, all.problems
}

// once gives what was found for a root, and finds it where nobody has; what is found as ctx ends does not count.
func once[T any](ctx context.Context, mu *sync.Mutex, found *map[string]T, root string, find func() T) T {
	mu.Lock()
	defer mu.Unlock()
	if all, ok := (*found)[root]; ok {
		return all
	}
	all := find()
	if ctx.Err() == nil {
		if *found == nil {
			*found = map[string]T{}
		}
		(*found)[root] = all
	}
	return all
}

// above says how far a folder is above another, or that it is not.
func above(folder, dir string) int {
	rel, err := filepath.Rel(folder, dir)
	switch {
	case err != nil || !filepath.IsLocal(rel):
		return math.MaxInt
	case rel == ".":
		return 0
	}
	return 1 + strings.Count(rel, string(filepath.Separator))
}

// Builder is something that builds and remembers what it built.
type Builder interface {
	// History finds the last build that has these options. It may take some seconds.
	History(baseline.Options) baseline.History
}

func (w *Workspace) buildFileOptions() buildfiles.Options {
	read := w.Read
	if read == nil {
		read = textfile.Read
	}
	return buildfiles.Options{Env: w.Env, Read: read}
}

// Root is the folder up to which, and below which, the files of a Dockerfile's project are looked for: the
// repository's, else Folder if the Dockerfile is in it, else the Dockerfile's own.
func (w *Workspace) Root(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	if rel, err := filepath.Rel(w.Folder, dir); w.Folder != "" && err == nil && filepath.IsLocal(rel) {
		return w.Folder
	}
	return dir
}

// Choices say which build is meant. What is left out is found; what is said goes before everything else.
type Choices struct {
	baseline.Options        // of the next build
	Build            string // the Compose service or bake target, by its ID; NoBuild; "" is the one that counts
	Baseline         string // what is compared with, see baseline.ParseSpec; "" is what was chosen before, else Default
	Default          string // baseline; "" is "auto"
	BaselineFile     string // see baseline.Request
	// BaselineArgs are the build arguments that the baseline had; nil if nothing is said.
	BaselineArgs map[string]string
	// BaselineTarget is the stage up to which the baseline was built; nil if nothing is said: it is that of the next
	// build.
	BaselineTarget *string
	// Cache, unless it is "", says that a fresh builder builds next, which imports what the baseline's build exported.
	Cache cachemodel.CacheMode
	// CI says that the build is the one that the CI makes of the Dockerfile, as its files describe it.
	CI bool
	// CacheUnknown says why it is not known what a fresh builder imports, "" if that is known.
	CacheUnknown string
	// UnknownArgs are the build arguments whose values nobody knows, of this build and the baseline's, by name, each
	// with the reason.
	UnknownArgs map[string]string
}

// NoBuild is the choice to look into no build file.
const NoBuild = "none"

// ContextChoice and a folder behind it is the choice to build with that folder as the context, as docker build does.
const ContextChoice = "context:"

// The kinds of choices that are remembered for a Dockerfile, see record.Store.Choose.
const (
	BuildChoice    = "build"
	BaselineChoice = "baseline"
)

// Question is what a Reader is asked.
type Question struct {
	Choices Choices
	File    *dockerfile.File // the text as it is now
	Opened  *dockerfile.File // the text as it was opened; nil on the command line
	Builder Builder          // whose history is read; nil if there is none
	// CacheFrom is what a fresh builder imports, unless it is nil. A Reader must not be asked with another one.
	CacheFrom *CacheFrom
	// Quick does not ask the builder, which may take long. The build is then not Complete.
	Quick bool
	// Partial does not wait for the contents of very large files: nothing is certain of what reads these, and the build
	// is then not Complete.
	Partial bool
	// Uncompared does not look for what the build is compared with: only the build is asked for. Unread does not even
	// read its contexts.
	Uncompared, Unread bool
	// Changed is what may have changed since the Reader was last asked.
	Changed Changed
	// Watch is told, before they are read, where the files of the build are. It reports whether any of these places are
	// new to it: they are then read again, so that nothing happens unseen. nil watches nothing.
	Watch func(Places) (added bool)
	// Reading ends with ctx, or when the person does not want the build context to be read to its end: then Stopped
	// says so. Both may be nil.
	Reading context.Context
	Stopped func() bool
	// Progress is told how many files and folders of a new build context were seen; nil if nobody wants to know. It may
	// be called from several goroutines.
	Progress func(entries int)
}

// Changed is what may have changed; the zero value is nothing.
type Changed struct {
	Context  bool     // anything in the build context
	Paths    []string // these of its files
	Baseline bool     // git's HEAD, the records, what was chosen, the builder's history
	Builds   bool     // the build files, and where the sources of the Dockerfile are
}

// Any reports whether anything may have changed.
func (c *Changed) Any() bool { return c.Context || len(c.Paths) > 0 || c.Baseline || c.Builds }

// Places are where the files of a build are.
type Places struct {
	Contexts   []ContextDir // the build context and the named ones
	BuildFiles []string
	Git        []string // these files change when HEAD does
}

// ContextDir is the folder of a context, links resolved, with what is in it.
type ContextDir struct {
	Root string
	Tree *buildcontext.Tree
}

// Origin is where a part of a build comes from.
type Origin struct {
	Kind OriginKind
	Name string // for people, where the kind does not say it: "compose service web", "the build of Nov 24 14:02"
}

// OriginKind is a kind of Origin.
type OriginKind string

// The kinds, in the order in which they go before each other.
const (
	Chosen    OriginKind = "chosen"  // by a flag or a setting
	BuildFile OriginKind = "build"   // a Compose or bake file
	Recorded  OriginKind = "record"  // the last build
	Placed    OriginKind = "placed"  // a CI file or a devcontainer.json
	Guessed   OriginKind = "guessed" // from the sources that the Dockerfile names
)

// String says it for people.
func (o Origin) String() string { return cmp.Or(o.Name, string(o.Kind)) }

// Reader finds the build of one Dockerfile, given by its absolute path; "" is a text that is in no file.
func (w *Workspace) Reader(dockerfile string) *Reader {
	return &Reader{w: w, path: dockerfile, history: &histories{}}
}
