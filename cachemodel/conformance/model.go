package conformance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// ErrPanic is wrapped by errors about the model's panics.
var ErrPanic = errors.New("the model panics")

// Model asks the model about builds that share a cache.
type Model struct {
	// Images are what is known of base images.
	Images map[string]cachemodel.Image
	// Dir, if it is not "", is where each context is written to be read back from the disk, as the product does;
	// otherwise contexts stay in memory.
	Dir string
	// Daemon is set if the builder keeps the context that it was sent, as a daemon does: it does not notice when
	// nothing but the permissions of a directory change.
	Daemon bool

	plans []*cachemodel.Plan
	sent  map[string]*buildcontext.Tree
}

// stoodOn reports whether the daemon may have let go of what it was sent.
func (m *Model) stoodOn() bool {
	return slices.ContainsFunc(m.plans, (*cachemodel.Plan).StandsOnContext)
}

// Predict gives the verdicts on b, for a cache that holds the builds of the earlier calls.
func (m *Model) Predict(ctx context.Context, b Build) (steps []cachemodel.Step, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
		}
	}()
	tree, err := m.context(ctx, b)
	if err != nil {
		return nil, err
	}
	trees := map[string]*buildcontext.Tree{"": tree}
	if b.Extra != nil {
		trees["extra"] = treeOf(b.Locals()["extra"], "")
	}
	if m.Daemon {
		for name, t := range trees {
			if m.sent[name] != nil {
				trees[name] = buildcontext.Resent(m.sent[name], t, !m.stoodOn())
			}
		}
		m.sent = trees
	}
	named := maps.Clone(trees)
	delete(named, "")
	p := cachemodel.NewPlan(cachemodel.Build{
		File:     dockerfile.Parse(source.New(b.Dockerfile), nil),
		Context:  trees[""],
		Contexts: named,
		Settings: cachemodel.Settings{
			Target:      b.Target,
			Args:        b.Args,
			Platform:    b.Platform,
			NoCache:     b.NoCache,
			RunSettings: b.Run,
		},
		Images: m.Images,
	})
	steps = cachemodel.Compare(cachemodel.Pasts(m.plans...), p)
	m.plans = append(m.plans, p)
	return steps, nil
}

func (m *Model) context(ctx context.Context, b Build) (*buildcontext.Tree, error) {
	if m.Dir == "" {
		return b.tree(), nil
	}
	root, err := os.MkdirTemp(m.Dir, "context")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	if err := b.Write(root); err != nil {
		return nil, err
	}
	tree, err := disk.Scan(ctx, root, filepath.Join(root, filepath.FromSlash(b.Name)), disk.Options{})
	if err != nil {
		return nil, err
	}
	// The directory goes away: have everything read that may be asked for.
	return tree, tree.Prepare(ctx, []buildcontext.Query{{Path: "/"}}, nil)
}

// tree is the context without the disk.
func (b Build) tree() *buildcontext.Tree { return treeOf(b.Context(), b.Name) }

func treeOf(all map[string]File, dockerfile string) *buildcontext.Tree {
	ignore := &buildcontext.Ignore{}
	var failure error
	for _, name := range buildcontext.IgnoreFileNames(dockerfile) {
		if f, ok := all[name]; ok {
			if ignore, failure = buildcontext.ParseIgnore(name, []byte(f.Data)); failure != nil {
				ignore = &buildcontext.Ignore{}
			}
			break
		}
	}
	fsys := newMemFS(all)
	var children func(dir string, above buildcontext.IgnoreState) []*buildcontext.Node
	children = func(dir string, above buildcontext.IgnoreState) []*buildcontext.Node {
		var nodes []*buildcontext.Node
		for _, p := range fsys.children[dir] {
			f := all[p]
			ignored, enter, state := ignore.Match(p, above)
			meta := buildcontext.Meta{Mode: uint32(f.Mode.Perm())}
			var below []*buildcontext.Node
			switch {
			case f.Mode.IsDir():
				meta.Type = buildcontext.Dir
				if !ignored || enter {
					below = children(p, state)
				}
				if ignored && len(below) == 0 {
					continue
				}
			case ignored:
				continue
			case f.Mode&fs.ModeSymlink != 0:
				meta.Type, meta.Link = buildcontext.Symlink, f.Link
			default:
				meta.Type, meta.Size = buildcontext.File, int64(len(f.Data))
			}
			n := buildcontext.NewNode(path.Base(p), meta, below)
			if meta.Type == buildcontext.File {
				n.SetContent(buildcontext.HashContent([]byte(f.Data)))
			}
			nodes = append(nodes, n)
		}
		return nodes
	}
	root := buildcontext.NewNode(
		"",
		buildcontext.Meta{Type: buildcontext.Dir, Mode: 0o755},
		children(".", buildcontext.IgnoreState{}),
	)
	return buildcontext.NewTree(root, ignore, nil, failure)
}

// Write makes the context's files below root.
func (b Build) Write(root string) error {
	all := b.Context()
	for _, p := range slices.Sorted(maps.Keys(all)) {
		f, at := all[p], filepath.Join(root, filepath.FromSlash(p))
		var err error
		switch {
		case f.Mode.IsDir():
			err = os.Mkdir(at, 0o755)
		case f.Mode&fs.ModeSymlink != 0:
			err = os.Symlink(f.Link, at)
		default:
			err = os.WriteFile(at, []byte(f.Data), 0o644)
		}
		if err != nil {
			return err
		}
		if f.Mode&fs.ModeSymlink == 0 {
			if err := os.Chmod(at, f.Mode.Perm()); err != nil {
				return err
			}
			if err := os.Chtimes(at, f.ModTime(), f.ModTime()); err != nil {
				return err
			}
		}
	}
	return nil
}
