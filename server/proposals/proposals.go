// Package proposals joins what analysis/reorder needs to find a better order: the build context, the history that
// cachemodel/replay has loaded, and the weights of commands. It must not know protocols or how proposals are shown.
package proposals

import (
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/replay"
)

// MaxManifest is how long a file of the context may be, in bytes, to be read as a manifest: lock files are long.
const MaxManifest = 16 << 20

// Project is a build context whose files are read from a directory when they are needed. It is an effects.Context.
type Project struct {
	Tree *buildcontext.Tree
	Root string // the context's directory
}

// List gives the names in a directory of the context.
func (p Project) List(dir string) []string {
	node, ok := p.Tree.Lookup(dir)
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
func (p Project) Read(file string) ([]byte, bool) {
	node, ok := p.Tree.Lookup(file)
	if !ok || node.Type() != buildcontext.File || node.Meta().Size > MaxManifest {
		return nil, false
	}
	content, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(file)))
	return content, err == nil
}

// Excluded reports whether the ignore file keeps a path and all below it out of every build.
func (p Project) Excluded(path string) bool {
	ignore := p.Tree.Ignore()
	return ignore.Ignores(path) && ignore.Ignores(path+"/anything")
}

// Model is what is known of how a file is built, with targets that are built at other times. tree may be nil, as may history: then a
// prior stands in for it.
func Model(tree *buildcontext.Tree, root string, file *dockerfile.File, history *replay.History, s cachemodel.Settings, targets []string, costs replay.Costs) reorder.Model {
	m := reorder.Model{Seconds: costs.Seconds, Targets: append([]string{s.Target}, targets...)}
	if tree != nil {
		m.Context = Project{tree, root}
	}
	if history != nil {
		history = history.Buildable(file, s)
		m.Builds = history.Builds()
		m.Changes = func(sources, exclude []string) []uint64 { return history.Changes(sources, exclude) }
	}
	return m
}
