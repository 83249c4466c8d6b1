package workspace

import (
	"fmt"
	"maps"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/invocation"
)

// ambient is what the next build takes from the environment: nothing, if the CI makes it.
func (r *Reader) ambient(spec baseline.Spec) invocation.Ambient {
	if spec.Cache != "" || spec.Configured {
		return invocation.Ambient{}
	}
	return invocation.AmbientOf(r.w.Env)
}

// engineOf is the builder's kind by the environment, where nothing else is said. Bake is always BuildKit.
func engineOf(a invocation.Ambient, c Choices) cachemodel.Engine {
	if c.Engine != "" || strings.HasPrefix(c.Build, string(buildfiles.Bake)+":") {
		return c.Engine
	}
	return a.Engine
}

// withAmbient adds to options the build arguments that the Docker client will send by itself. given are the options
// before those of the last build were taken over, whose arguments are last. What the last build had of such arguments
// may have come from the environment too, or from its command line: where the environment does not say the same now,
// it is not known what the next build has, and unknown says so, by name.
func withAmbient(
	a invocation.Ambient, options, given baseline.Options, last map[string]string,
) (_ baseline.Options, unknown map[string]string) {
	args := maps.Clone(options.Args)
	unknown = map[string]string{}
	for name, value := range a.Args {
		if _, said := given.Args[name]; said {
			continue
		}
		if was := last[name]; given.Args == nil && was != "" && was != value {
			unknown[name] = fmt.Sprintf("the last build had another %s than the environment of layerwise", name)
		}
		if args == nil {
			args = map[string]string{}
		}
		args[name] = value
	}
	for name, value := range args {
		_, said := given.Args[name]
		if _, sent := a.Args[name]; said || sent || value == "" || !invocation.IsAmbient(name) {
			continue
		}
		unknown[name] = fmt.Sprintf("the last build had %s, which the environment of layerwise does not have", name)
	}
	options.Args = args
	return options, unknown
}

// ambientThen gives an earlier build, whose environment nobody knows, the build arguments that the Docker client sends
// now. SOURCE_DATE_EPOCH is not taken to have been the same: it is often the time of a commit.
func ambientThen(a invocation.Ambient, next *Build, c Choices, earlier *cachemodel.Build) {
	for name, value := range a.Args {
		if _, said := c.Args[name]; said || next.Settings.Args[name] != value {
			continue
		}
		earlier.Settings.Args = maps.Clone(earlier.Settings.Args)
		if earlier.Settings.Args == nil {
			earlier.Settings.Args = map[string]string{}
		}
		earlier.Settings.Args[name] = value
		if name != invocation.EpochArg {
			continue
		}
		unknown := map[string]string{name: "it comes from the environment, and that of the build is not known"}
		maps.Copy(unknown, earlier.Unknown.Args)
		earlier.Unknown.Args = unknown
	}
}
