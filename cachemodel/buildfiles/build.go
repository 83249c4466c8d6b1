package buildfiles

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// Settings are the entry's choices.
func (e *Entry) Settings() cachemodel.Settings {
	return cachemodel.Settings{
		Target: e.Target, Args: maps.Clone(e.Args), Platform: strings.Join(e.Platforms, ","), NoCache: e.NoCache, NoCacheFilter: e.NoCacheFilter,
	}
}

// Earlier are the choices of an earlier build with the same entry: the cache is no matter of the past, and an argument that
// has another value each time had another.
func (e *Entry) Earlier() cachemodel.Settings {
	s := e.Settings()
	s.NoCache, s.NoCacheFilter = false, nil
	for _, name := range e.Volatile {
		s.Args[name] += " (then)"
	}
	return s
}

// Named are an entry's named contexts, as a build has them.
type Named struct {
	Contexts map[string]*buildcontext.Tree
	Images   map[string]string // see cachemodel.Build.ContextImages
	Dirs     []string          // those of Contexts that are directories
}

// Named reads the named contexts. What only a build can tell, as what another target gives, is unknown.
func (e *Entry) Named(ctx context.Context, options disk.Options) (Named, []error) {
	n := Named{Contexts: map[string]*buildcontext.Tree{}, Images: map[string]string{}}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(e.Contexts)) {
		value := e.Contexts[name]
		// dockerui.Client.NamedContext compares the familiar form.
		key := strings.TrimSuffix(strings.TrimPrefix(name, "docker.io/library/"), ":latest")
		if image, ok := strings.CutPrefix(value, "docker-image://"); ok {
			n.Images[key] = image
			continue
		}
		if isName(value) {
			n.Images[key] = ""
			continue
		}
		tree, err := disk.Scan(ctx, value, "", options)
		if err != nil {
			problems = append(problems, fmt.Errorf("the named context %s: %w", name, err))
			tree = buildcontext.Unknown()
		} else {
			n.Dirs = append(n.Dirs, value)
		}
		n.Contexts[key] = tree
	}
	return n, problems
}
