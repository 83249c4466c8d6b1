package baseline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Options are the choices of the next build, as far as they are made.
type Options struct {
	ContextDir string            // absolute path
	Contexts   map[string]string // folders of named contexts; nil if nothing is said
	Target     string
	Args       map[string]string // nil if nothing is said
	Platform   string
	Engine     cachemodel.Engine
}

// Match says which record fits these choices best.
func (o Options) Match() record.Match {
	return record.Match{Target: o.Target, Platform: o.Platform, Engine: o.Engine, ContextDir: o.ContextDir}
}

// From fills in what is not said from a recorded build, so that the next build is taken to be like that one, and names
// what that was, for people: "target app, V=1".
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
	if o.Contexts == nil {
		for _, name := range slices.Sorted(maps.Keys(r.Contexts)) {
			if o.Contexts == nil {
				o.Contexts = map[string]string{}
			}
			o.Contexts[name] = r.Contexts[name].Dir
			taken = append(taken, "context "+name)
		}
	}
	take("target", &o.Target, r.Settings.Target)
	take("platform", &o.Platform, r.Settings.Platform)
	if o.Engine == "" {
		o.Engine = r.Settings.Engine
	}
	if o.Args == nil {
		o.Args = store.Settings(r, nil).Args
		for _, name := range slices.Sorted(maps.Keys(o.Args)) {
			if _, hidden := r.Secrets[name]; hidden {
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
	return cachemodel.Settings{Engine: cmp.Or(o.Engine, cachemodel.BuildKit), Target: o.Target, Args: o.Args, Platform: o.Platform}
}

// History finds the last successful build of a Dockerfile, given by its absolute path, in a builder's own history. It
// returns nil where there is none.
type History func(ctx context.Context, dockerfile string, match record.Match) (*record.Record, error)

// Last returns the last build of a Dockerfile that is on record, in the store or in a builder's history, which may be nil.
// It returns nil if there is none. The notes say for people what could not be read.
func Last(ctx context.Context, store *record.Store, history History, dockerfile string, match record.Match) (*record.Record, []string) {
	if dockerfile == "" {
		return nil, nil
	}
	var notes []string
	last, problems := store.Latest(dockerfile, match)
	for _, problem := range problems {
		notes = append(notes, problem.Error())
	}
	if history == nil {
		return last, notes
	}
	found, err := history(ctx, dockerfile, match)
	if err != nil {
		notes = append(notes, err.Error())
	}
	if found != nil && (last == nil || found.When.After(last.When)) {
		last = found
	}
	return last, notes
}
