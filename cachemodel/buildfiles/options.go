package buildfiles

import (
	"maps"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
)

// Settings are the entry's choices.
func (e *Entry) Settings() cachemodel.Settings {
	return cachemodel.Settings{
		Target: e.Target, Args: maps.Clone(e.Args), Platform: strings.Join(e.Platforms, ","), NoCache: e.NoCache, NoCacheFilter: e.NoCacheFilter,
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
	dirs, images := map[string]string{}, map[string]string{}
	for name, value := range e.Contexts {
		name = ContextName(name)
		if image, ok := strings.CutPrefix(value, "docker-image://"); ok {
			images[name] = image
		} else if isName(value) {
			images[name] = "" // only a build can tell what another target gives
		} else {
			dirs[name] = value
		}
	}
	for name, dir := range o.Contexts {
		delete(images, name)
		dirs[name] = dir
	}
	o.Contexts, o.Images = dirs, images
	return o
}

// ContextName is the form of a named context's name that BuildKit compares (dockerui.Client.NamedContext).
func ContextName(name string) string {
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		return strings.TrimSuffix(reference.FamiliarString(named), ":latest")
	}
	return name
}
