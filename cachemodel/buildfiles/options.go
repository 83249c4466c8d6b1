package buildfiles

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/go-units"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
)

// Settings are the entry's choices.
func (e *Entry) Settings() cachemodel.Settings {
	return cachemodel.Settings{
		Target: e.Target, Args: maps.Clone(e.Args), Platform: strings.Join(e.Platforms, ","), NoCache: e.NoCache,
		NoCacheFilter: e.NoCacheFilter,
		RunSettings:   e.Run,
	}
}

// Fill adds the entry's choices to those that were made explicitly, which go before.
func (e *Entry) Fill(o baseline.Options) baseline.Options {
	s := e.Settings()
	if o.ContextDir == "" && !e.Remote {
		o.ContextDir = e.Context
	}
	if o.Target == "" {
		o.Target = s.Target
	}
	if o.Platform == "" {
		o.Platform = s.Platform
	}
	args := s.Args
	if args == nil {
		args = map[string]string{}
	}
	maps.Copy(args, o.Args)
	o.Args = args
	o.NoCache, o.NoCacheFilter = o.NoCache || s.NoCache, s.NoCacheFilter
	if reflect.DeepEqual(o.Run, cachemodel.RunSettings{}) {
		o.Run = e.Run
	}
	dirs, images := map[string]string{}, map[string]string{}
	for name, value := range e.Contexts {
		name = ContextName(name)
		if image, ok := ContextImage(name, value); ok {
			images[name] = image
		} else {
			dirs[name] = value
		}
	}
	for name, dir := range o.Contexts {
		delete(images, name)
		dirs[name] = dir
	}
	o.Contexts, o.Images, o.Whole = dirs, images, true
	return o
}

// ContextName is the form of a named context's name that BuildKit compares (dockerui.Client.NamedContext).
func ContextName(name string) string {
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		return strings.TrimSuffix(reference.FamiliarString(named), ":latest")
	}
	return name
}

// Ulimits writes limits as BuildKit gets them: each name once, by name.
func Ulimits(list []string) []string {
	byName := map[string]string{}
	for _, limit := range list {
		name, _, _ := strings.Cut(limit, "=")
		byName[name] = limit
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out
}

// Bytes reads a size such as "64m", as Docker does; 0 if it is none.
func Bytes(size string) int64 {
	n, err := units.RAMInBytes(size)
	if err != nil {
		return 0
	}
	return n
}
