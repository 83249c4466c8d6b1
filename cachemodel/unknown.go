package cachemodel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// UnknownParts are the parts of a build that nobody knows, each with the reason, a sentence such as ".env is not in the
// repository". Where the reason is "", the part is known. Of a part that is not known Build holds what is most likely:
// that of the other build which it is compared with. What depends on it is never certainly cached, and never certainly
// rebuilt.
type UnknownParts struct {
	Dockerfile  string            // what it said
	Target      string            // which stage was built
	Platform    string            // for which platform
	Args        map[string]string // by name: whether the build argument was given, and its value
	AllArgs     string            // which build arguments were given, and their values
	Context     string            // what the build context held
	Contexts    map[string]string // by name: whether there was such a named context, and what it held
	AllContexts string            // which named contexts there were
	Run         string            // the settings that every RUN gets: see RunSettings
}

// arg returns why the value of a build argument is not known, "" if it is.
func (u *UnknownParts) arg(name string) string { return cmp.Or(u.Args[name], u.AllArgs) }

// anyArg returns why the value of some build argument is not known, "" if all are.
func (u *UnknownParts) anyArg() string {
	if names := slices.Sorted(maps.Keys(u.Args)); len(names) > 0 {
		return u.Args[names[0]]
	}
	return u.AllArgs
}

// steps returns why it is not known which steps the build had, "" if that is known. A named context may stand in for a
// stage.
func (u *UnknownParts) steps(file *dockerfile.File) string {
	reason := cmp.Or(u.Dockerfile, u.Target)
	for _, stage := range file.Stages {
		if stage.Name != "" {
			reason = cmp.Or(reason, u.context(stage.Name))
		}
	}
	return reason
}

// run returns why it is not known what every RUN is run with, "" if it is.
func (u *UnknownParts) run() string {
	return cmp.Or(u.Run, u.arg(hostnameArg), u.arg(cacheNamespaceArg))
}

// guess is a value of which nobody knows whether it is right: it is equal to none of another plan.
func (p *planner) guess(what string, v value) value {
	v.opaque = fmt.Sprintf("%s%p\x00%s", unknownMark, p.plan, what)
	return v
}

// context returns why it is not known what a named context is, "" if it is.
func (u *UnknownParts) context(name string) string {
	why, _ := ofContext(u.Contexts, name)
	return cmp.Or(why, u.AllContexts)
}

// argument is the value of a build argument: that of the command line, or v where it is not given.
func (p *planner) argument(name string, v value) value {
	if given, ok := p.args[name]; ok {
		v = plain(given)
	}
	if p.Unknown.arg(name) != "" {
		v = p.guess("arg\x00"+name, v)
	}
	return v
}
