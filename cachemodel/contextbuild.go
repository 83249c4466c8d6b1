package cachemodel

import (
	"fmt"
	"slices"

	"github.com/containerd/platforms"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxContextBuilds is how deep the builds of named contexts may stand on each other.
const maxContextBuilds = 20

// contextBuild is the build that makes a named context, planned together with the build that uses it: what the tools
// hand over is the definition of its result, so that the keys of both hang together (buildx build.waitContextDeps,
// dockerui.Client.NamedContext with "input:").
type contextBuild struct {
	name    string
	state   state
	onBuild []*dockerfile.Instruction // for what stands on it
	fails   string                    // why it cannot be built, "" if it can
}

// made plans the build that makes a named context; nil if no build is known that does. Then the context is one of which
// only a build can tell what it holds, see Build.ContextImages.
func (p *planner) made(name string, platform value) *contextBuild {
	name = contextName(name)
	b := p.ContextBuilds[name]
	if b == nil || p.Settings.Engine == Classic || p.depth == maxContextBuilds || p.Unknown.context(name) != "" ||
		p.Unknown.Platform != "" || platform.unknown() || b.Unknown.steps(b.File) != "" || b.Unknown.Platform != "" {
		return nil
	}
	wanted := p.target
	if parsed, err := platforms.Parse(platform.text); platform.text != "" && err == nil {
		wanted = parsed
	}
	key := name + "\x00" + platforms.FormatAll(wanted)
	if known, ok := p.contexts[key]; ok {
		return known
	}
	built := p.plan.contextBuild(p, b, name, wanted)
	p.contexts[key] = built
	return built
}

// contextBuild plans b for one platform: the wanted one, or the only one that it is built for.
func (plan *Plan) contextBuild(user *planner, b *Build, name string, wanted ocispecs.Platform) *contextBuild {
	all := targetPlatforms(b.Settings)
	at := slices.IndexFunc(all, func(p ocispecs.Platform) bool {
		return platforms.FormatAll(p) == platforms.FormatAll(wanted)
	})
	switch {
	case at >= 0:
		wanted = all[at]
	case len(all) > 1:
		return nil
	default:
		wanted = all[0]
	}
	p := plan.planner(*b, user.exact, wanted, user.interned)
	p.depth = user.depth + 1
	target, err := p.read()
	if err != nil || target == nil {
		return nil
	}
	p.dispatchAll(target)
	if target.state.root == nil { // an image without files
		return nil
	}
	for _, s := range p.steps {
		s.context = name
	}
	plan.contextSteps = append(plan.contextSteps, p.steps...)
	out := &contextBuild{name: name, state: target.state}
	for _, c := range target.commands {
		if c.in.Meant == "ONBUILD" && c.step.in == c.in {
			out.onBuild = append(out.onBuild, onBuild(c.in)...)
		}
	}
	if s := firstFailure(p.steps); s != nil {
		cause, _ := s.failure()
		out.fails = fmt.Sprintf("the named context %s cannot be built: line %d of its Dockerfile: %s", name, s.in.Line,
			cause.Detail)
	}
	target.state.root.result = true
	return out
}

// begin starts a stage that stands on the result: with the configuration of its image, but without its build arguments.
func (c *contextBuild) begin(p *planner) state {
	s := c.state
	s.env, s.imageEnv = environ{}, slices.Clone(c.state.imageEnv)
	p.readd(&s)
	for n := s.env.head; n != nil; n = n.parent {
		n.origin = origin{} // lines are those of another file
	}
	s.cwd, s.user, s.shell = &placed{value: s.cwd.value}, &placed{value: s.user.value}, &placed{value: s.shell.value}
	return s
}

// firstFailure is the first of the steps of a whole build at which it fails, nil if it does not.
func firstFailure(steps []*step) *step {
	for _, s := range steps {
		if rejection(s.in) != "" && s.kind != failedStep && !(s.kind == skippedStep && onlyMounts(s.in)) {
			s.reject(s.in, nil) // also if the target does not need it: BuildKit reads the whole file
		}
	}
	i := slices.IndexFunc(steps, func(s *step) bool { _, fails := s.failure(); return fails })
	if i < 0 {
		return nil
	}
	return steps[i]
}

// contextBuildCause explains a step by the build of a named context that it reads; not ok if in is of none.
func (e *explainer) contextBuildCause(s *step, in *input) (Cause, bool) {
	first := e.contextOwners()[in.from]
	if first == nil {
		return Cause{}, false
	}
	c := Cause{Kind: StageRebuilt, Line: s.in.Line}
	elsewhere := func(id int) bool { return e.hope.cache.records[id].vertex.image.isElsewhere() }
	if slices.ContainsFunc(e.hope.ids[in.from.index], elsewhere) {
		c.Detail = notKnown + "what the named context " + first.context + " was"
		return c, true
	}
	verb := "may be"
	for v := in.from; ; v = v.inputs[0].from {
		owner := e.contextOwners()[v]
		if owner == nil || e.sure.hit(v) {
			break
		}
		first = owner
		if !e.hope.hit(v) {
			verb = "is"
		}
		if len(v.inputs) == 0 || v.inputs[0].from == nil {
			break
		}
	}
	c.Detail = fmt.Sprintf("the named context %s %s rebuilt from line %d of its Dockerfile on", first.context, verb,
		first.in.Line)
	return c, true
}

// contextOwners are the steps of the vertices that builds of named contexts make.
func (e *explainer) contextOwners() map[*vertex]*step {
	if e.contexts == nil {
		e.contexts = map[*vertex]*step{}
		for _, s := range e.next.contextSteps {
			for _, v := range s.vertices {
				if e.contexts[v] == nil {
					e.contexts[v] = s
				}
			}
		}
	}
	return e.contexts
}

// tryElsewhere finds what a named context's build gives as what an earlier build took from such a context of which
// nothing was known, and the other way round: it may be the same.
func (l *lookup) tryElsewhere(v *vertex) {
	switch {
	case v.result:
		for _, id := range l.cache.images {
			if l.cache.records[id].vertex.image.elsewhere {
				l.room = append(l.room, id)
			}
		}
	case v.kind == imageVertex && v.image.elsewhere:
		l.room = append(l.room, l.cache.results...)
	}
}
