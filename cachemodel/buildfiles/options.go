package buildfiles

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
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

// Before gives the settings and the images of named contexts that a build at a git revision had, as the same files of then
// say; those of now where it was not there then. explicit are the choices that were made besides. Arguments that have
// another value each time had another.
func (e *Entry) Before(ctx context.Context, rev string, o Options, explicit baseline.Options) (cachemodel.Settings, map[string]string) {
	then := *e
	if rev != "" {
		o.Dir, o.Files, o.Here = e.Dir, nil, true
		o.Read = func(path string) ([]byte, error) {
			text, err := gittree.ReadFile(ctx, path, rev)
			if errors.Is(err, gittree.ErrNotInRevision) {
				if _, err := gittree.ReadFile(ctx, path, "HEAD"); err == nil {
					return nil, fs.ErrNotExist // it came later
				}
			}
			if err != nil { // not under version control, as .env seldom is: as it is now
				return os.ReadFile(path)
			}
			return text, nil
		}
		read := ReadCompose
		if e.Kind == Bake {
			read = ReadBake
		}
		if p, err := read(ctx, o); err == nil {
			if i := slices.IndexFunc(p.Entries, func(old Entry) bool { return old.ID == e.ID }); i >= 0 {
				then = p.Entries[i]
			}
		}
	}
	filled := then.Fill(explicit)
	s := filled.Settings()
	s.NoCache, s.NoCacheFilter = false, nil
	for _, name := range e.Volatile {
		if _, given := explicit.Args[name]; !given {
			s.Args[name] += " (then)"
		}
	}
	return s, filled.Images
}
