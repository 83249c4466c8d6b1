package workspace

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/replay"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// An order is judged by this many commits. With fewer than leastHistory they say less than what is known in general.
const (
	HistoryBuilds = 100
	leastHistory  = 10
)

// histories keeps the last history that was read. Its method may be called from several goroutines.
type histories struct {
	mu      sync.Mutex
	history *replay.History
	key     historyKey
	read    bool
}

type historyKey struct {
	contextDir, head string
	commits          int
}

// of gives the history of a context up to a commit, nil if it is too short to say anything.
func (h *histories) of(
	ctx context.Context,
	dockerfile string,
	key historyKey,
	compared *Compared,
	progress func(done, total int),
) *replay.History {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.read && h.key == key {
		return h.history
	}
	if compared.rest != nil { // else git was not read
		defer compared.rest()
	}
	loaded, err := replay.Load(
		ctx,
		replay.Request{Dockerfile: dockerfile, ContextDir: key.contextDir, Commits: key.commits, Look: compared.look},
		progress,
	)
	if ctx.Err() != nil {
		return nil
	}
	h.history, h.key, h.read = nil, key, true
	if err == nil && loaded.Builds() >= leastHistory {
		h.history = loaded
	}
	return h.history
}

// Orders are the changes of file that make its builds reuse more. It reads the history of the context the first time,
// and searches each time that it is called.
func (b *Build) Orders(ctx context.Context, file *dockerfile.File) reorder.Offers {
	if b.Settings.Engine == cachemodel.Classic {
		return reorder.Offers{Rewrites: reorder.Suggest(file, reorder.Classic)}
	}
	return reorder.Search(ctx, file, b.Model(file, b.History(ctx, HistoryBuilds, nil)))
}

// History is what the builds of so many of the last commits were; nil where there are too few, or no repository.
// progress, which may be nil, is told how many commits have been read.
func (b *Build) History(ctx context.Context, commits int, progress func(done, total int)) *replay.History {
	if b.history == nil || b.Dockerfile == "" || commits == 0 {
		return nil
	}
	return b.history(ctx, commits, progress)
}

// SameOrders reports whether the same orders are better for two builds of a Dockerfile: what they depend on is the
// same.
func (b *Build) SameOrders(other *Build) bool {
	root := func(t *buildcontext.Tree) *buildcontext.Node {
		if t == nil {
			return nil
		}
		return t.Root()
	}
	return root(b.Context.Tree) == root(other.Context.Tree) && b.Compared.head == other.Compared.head &&
		reflect.DeepEqual(b.Settings, other.Settings) &&
		slices.Equal(buildfiles.Targets(b.Choices), buildfiles.Targets(other.Choices))
}

// Model is what a search for orders of file wants to know of the build; history may be nil, then what is known in
// general stands in for it.
func (b *Build) Model(file *dockerfile.File, history *replay.History) reorder.Model {
	costs := b.Costs()
	m := reorder.Model{
		Seconds: costs.Seconds,
		Targets: append([]string{b.Settings.Target}, buildfiles.Targets(b.Choices)...),
	}
	if b.Context.Tree != nil {
		m.Context = files{b.Context.Tree, b.Context.Dir}
	}
	if history != nil {
		history = history.Buildable(file, b.Settings)
		m.Builds = history.Builds()
		m.Changes = func(sources, exclude []string) []uint64 { return history.Changes(sources, exclude) }
	}
	return m
}

// maxManifest is how long a file of the context may be, in bytes, to be read as a manifest: lock files are long.
const maxManifest = 16 << 20

// files is a build context whose files are read from its folder when they are needed. It is an effects.Context.
type files struct {
	tree *buildcontext.Tree
	root string
}

// List gives the names in a directory of the context.
func (f files) List(dir string) []string {
	node, ok := f.tree.Lookup(dir)
	if !ok || node.Type() != buildcontext.Dir {
		return nil
	}
	names := make([]string, 0, len(node.Children()))
	for _, child := range node.Children() {
		name := child.Name()
		switch child.Type() {
		case buildcontext.Dir:
			name += "/"
		case buildcontext.File:
		default:
			name += "@"
		}
		names = append(names, name)
	}
	return names
}

// Read gives the content of a file of the context, as it is on the disk now.
func (f files) Read(file string) ([]byte, bool) {
	node, ok := f.tree.Lookup(file)
	if !ok || node.Type() != buildcontext.File || node.Meta().Size > maxManifest {
		return nil, false
	}
	content, err := textfile.ReadUpTo(filepath.Join(f.root, filepath.FromSlash(file)), maxManifest)
	return content, err == nil
}

// Excluded reports whether the ignore file keeps a path and all below it out of every build.
func (f files) Excluded(path string) bool {
	ignore := f.tree.Ignore()
	return !f.Keeps(path) && ignore.Ignores(path) && ignore.Ignores(path+"/anything")
}

// Keeps reports whether a line of the ignore file keeps a part of a directory.
func (f files) Keeps(dir string) bool {
	return slices.ContainsFunc(f.tree.Ignore().Patterns(), func(p string) bool { return effects.Keeps(p, dir) })
}

// moves remembers which RUNs may be moved, so that typing neither reads manifests nor looks at the stages above again
// and again. Its methods may be called from several goroutines.
type moves struct {
	mu      sync.Mutex
	answers map[moveKey]map[int]bool // by the RUN's place in the stage
	files   map[string][]byte        // nil for what cannot be read
}

// moveKey is what the answers about a copy hang on, see moveText, with the copy's place.
type moveKey struct {
	text           string
	stage, copying int
}

// mostMoves is for how many copies answers are kept.
const mostMoves = 50

// movable is the model's Movable, which is asked only for what is not known yet.
func (m *moves) movable(
	model reorder.Model, file *dockerfile.File, copying *dockerfile.Instruction,
) func(*dockerfile.Instruction) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[string][]byte{}
	}
	model.Context = readOnce{model.Context, m.files}
	work := model.Movable(file, copying)
	if work == nil {
		return nil
	}
	stage := file.Stages[copying.Stage]
	key := moveKey{moveText(file, stage), stage.Index, slices.Index(stage.Instructions, copying)}
	answers, known := m.answers[key]
	if !known {
		if len(m.answers) >= mostMoves || m.answers == nil {
			m.answers = map[moveKey]map[int]bool{}
		}
		answers = map[int]bool{}
		m.answers[key] = answers
	}
	return func(run *dockerfile.Instruction) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		at := slices.Index(stage.Instructions, run)
		answer, known := answers[at]
		if !known {
			answer = work(run)
			answers[at] = answer
		}
		return answer
	}
}

// moveText is the text that the places of a stage's instructions hang on: its own, what stands above all stages, what
// other stages build on and take from others, and all above it if it takes of them.
func moveText(file *dockerfile.File, stage *dockerfile.Stage) string {
	takes := func(in *dockerfile.Instruction) bool { return len(in.Flags) > 0 || in.Trigger != nil }
	related := slices.ContainsFunc(stage.Instructions, takes) ||
		file.Stage(strings.ToLower(stage.Base.Text), dockerfile.ByCopy, stage.Index) >= 0 // or by its number
	b := new(strings.Builder)
	b.WriteByte(file.Escape)
	for _, in := range file.Instructions {
		if in.Stage < 0 || in.Stage == stage.Index || in.Meant == "FROM" || takes(in) ||
			related && in.Stage < stage.Index {
			b.WriteString(file.Text.Slice(in.Span) + "\n")
		}
	}
	return b.String()
}

// readOnce is a context whose files are read once.
type readOnce struct {
	effects.Context
	files map[string][]byte
}

// Read gives the content of a file of the context.
func (r readOnce) Read(file string) ([]byte, bool) {
	content, known := r.files[file]
	if !known {
		content, _ = r.Context.Read(file)
		r.files[file] = content
	}
	return content, content != nil
}
