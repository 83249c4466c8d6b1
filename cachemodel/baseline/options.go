package baseline

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Options are the choices of the next build, as far as they are made.
type Options struct {
	ContextDir string            // absolute path
	Contexts   map[string]string // folders of named contexts; nil if nothing is said
	Images     map[string]string // named contexts that are no folders, see cachemodel.Build.ContextImages; nil likewise
	Target     string
	Args       map[string]string // nil if nothing is said
	Platform   string
	Engine     cachemodel.Engine
	// NoCache and NoCacheFilter are as in cachemodel.Settings.
	NoCache       bool
	NoCacheFilter []string
	Run           cachemodel.RunSettings // what every RUN is run with
	Whole         bool                   // a build file says all: what it leaves out is not as in the last build
}

// Match says which record fits these choices best.
func (o Options) Match() record.Match {
	return record.Match{Target: o.Target, Platform: o.Platform, Engine: o.Engine, ContextDir: o.ContextDir}
}

// From fills in what is not said from a recorded build, so that the next build is taken to be like that one, and names
// what that was, for people: "target app, network mode host, V=1".
func (o Options) From(r *record.Record, store *record.Store) (Options, string) {
	var taken []string
	take := func(name string, to *string, value string) {
		if *to == "" && value != "" {
			*to = value
			taken = append(taken, name+" "+value)
		}
	}
	if o.ContextDir == "" {
		o.ContextDir = r.ContextDir
	}
	if o.Contexts == nil && o.Images == nil {
		o.Images = r.ContextImages
		for _, name := range slices.Sorted(maps.Keys(r.ContextImages)) {
			taken = append(taken, "context "+name)
		}
		for _, name := range slices.Sorted(maps.Keys(r.Contexts)) {
			if o.Contexts == nil {
				o.Contexts = map[string]string{}
			}
			o.Contexts[name] = r.Contexts[name].Dir // "" where it is not known
			taken = append(taken, "context "+name)
		}
	}
	if o.Engine == "" {
		o.Engine = r.Settings.Engine
	}
	if o.Whole {
		return o, strings.Join(taken, ", ")
	}
	take("target", &o.Target, r.Settings.Target)
	take("platform", &o.Platform, r.Settings.Platform)
	if reflect.DeepEqual(o.Run, cachemodel.RunSettings{}) {
		o.Run = r.Settings.RunSettings
		taken = append(taken, o.Run.Words()...)
	}
	if o.Args == nil {
		o.Args = store.Settings(r, nil).Args
		secrets := cachemodel.Secrets(o.Args) // a builder's history has their values
		for _, name := range slices.Sorted(maps.Keys(o.Args)) {
			if _, hidden := r.Secrets[name]; hidden || secrets[name] != "" {
				taken = append(taken, name)
			} else {
				taken = append(taken, fmt.Sprintf("%s=%s", name, o.Args[name]))
			}
		}
	}
	return o, strings.Join(taken, ", ")
}

// Settings are the settings of the build that has these options.
func (o Options) Settings() cachemodel.Settings {
	return cachemodel.Settings{
		Engine:        cmp.Or(o.Engine, cachemodel.BuildKit),
		Target:        o.Target,
		Args:          o.Args,
		Platform:      o.Platform,
		NoCache:       o.NoCache,
		NoCacheFilter: o.NoCacheFilter,
		RunSettings:   o.Run,
	}
}

// Stored returns the build in the store that spec asks for: the last one of the Dockerfile that matches, if it asks
// for no other. It returns nil if there is none, or if spec is about something else. The notes say for people what
// could not be read.
func Stored(store *record.Store, spec Spec, dockerfile string, match record.Match) (*record.Record, []string) {
	if dockerfile == "" || spec.Kind != Auto && spec.Kind != Recorded {
		return nil, nil
	}
	if spec.Arg != "" {
		r, err := store.Get(spec.Arg)
		if err != nil {
			return nil, []string{err.Error()}
		}
		return r, nil
	}
	last, problems := store.Latest(dockerfile, match)
	var notes []string
	for _, problem := range problems {
		notes = append(notes, problem.Error())
	}
	return last, notes
}
