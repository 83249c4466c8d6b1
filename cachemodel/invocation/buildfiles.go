package invocation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// bake reads what stands behind `docker buildx bake`.
func (c *command) bake(builder string) ([]Build, error) {
	p, err := c.parse(false, bakeFlags, buildxFlags)
	if err != nil {
		return nil, err
	}
	if call := p.last("call"); p.is("print") || p.is("check") || call != "" && call != "build" ||
		p.last("list") != "" ||
		p.is("list-targets") ||
		p.is("list-variables") {
		return nil, fmt.Errorf("%w: it only checks or describes", ErrNoBuild)
	}
	targets := p.rest
	if len(targets) > 0 && buildfiles.IsRemote(targets[0]) ||
		slices.ContainsFunc(p.all("file"), func(f string) bool { return f == "-" || buildfiles.IsRemote(f) }) {
		return nil, fmt.Errorf("its bake file is not a local file")
	}
	vars := map[string]string{}
	for _, kv := range p.all("var") {
		k, v, _ := strings.Cut(kv, "=")
		vars[k] = v
	}
	project, err := buildfiles.ReadBake(context.Background(), buildfiles.Options{
		Dir: c.dir, Files: p.all("file"), Env: c.environ(), Vars: vars, Set: p.all("set"),
		Read: c.read,
	})
	if err != nil {
		return nil, err
	}
	entries, err := project.Select(targets...)
	if err != nil {
		return nil, err
	}
	entries = withBases(entries, project.Entries, "target:")
	return c.entries(entries, c.builder(p, builder), func(s *cachemodel.Settings) {
		if p.given("no-cache") {
			s.NoCache = p.is("no-cache")
		}
	})
}

// compose reads what stands behind `docker compose`.
func compose(c *command) ([]Build, error) {
	global, err := c.parse(true, composeFlags)
	if err != nil {
		return nil, err
	}
	if c.enter(global) != "build" {
		return nil, c.noBuild()
	}
	p, err := c.parse(false, composeBuildFlags, composeFlags)
	if err != nil {
		return nil, err
	}
	if p.is("print") || p.is("check") || p.is("dry-run") || global.is("dry-run") {
		return nil, fmt.Errorf("%w: it only checks or describes", ErrNoBuild)
	}
	options := buildfiles.Options{
		Dir: c.dir, Env: c.environ(), Files: global.all("file"), EnvFiles: global.all("env-file"),
		Project: cmp.Or(global.last("project-directory"), global.last("workdir")), Read: c.read,
	}
	if slices.Contains(options.Files, "-") {
		return nil, fmt.Errorf("its Compose file comes from the standard input")
	}
	project, err := buildfiles.ReadCompose(context.Background(), options)
	if err != nil {
		return nil, err
	}
	entries, err := project.Select(p.rest...)
	if err != nil {
		return nil, err
	}
	if len(p.rest) == 0 {
		profiles := global.all("profile")
		if len(profiles) == 0 {
			for name := range strings.SplitSeq(project.Env["COMPOSE_PROFILES"], ",") {
				profiles = append(profiles, strings.TrimSpace(name))
			}
		}
		entries = withProfiles(project.Entries, profiles)
	}
	entries = withBases(entries, project.Entries, "service:")
	slices.SortFunc(entries, func(a, b buildfiles.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return c.entries(entries, c.builder(p, ""), func(s *cachemodel.Settings) {
		for _, kv := range p.all("build-arg") {
			k, v, ok := strings.Cut(kv, "=")
			if !ok {
				v, ok = project.Env[k]
			}
			if ok {
				s.Args[k] = v
			} else {
				delete(s.Args, k)
			}
		}
		s.NoCache = s.NoCache || p.is("no-cache")
		if c.classic() {
			s.Engine = cachemodel.Classic
		}
	})
}

// withProfiles are the services that are built if none is named.
func withProfiles(all []buildfiles.Entry, profiles []string) []buildfiles.Entry {
	return slices.DeleteFunc(slices.Clone(all), func(e buildfiles.Entry) bool {
		return len(e.Profiles) > 0 && !slices.Contains(profiles, "*") &&
			!slices.ContainsFunc(e.Profiles, func(name string) bool { return slices.Contains(profiles, name) })
	})
}

// withBases adds the services or targets that named contexts of others stand for, which are built too
// (addBuildDependencies of docker/compose, buildx bake.loadLinks).
func withBases(entries, all []buildfiles.Entry, prefix string) []buildfiles.Entry {
	entries = slices.Clone(entries)
	for i := 0; i < len(entries); i++ {
		for _, key := range slices.Sorted(maps.Keys(entries[i].Contexts)) {
			where := entries[i].Contexts[key]
			name, ok := strings.CutPrefix(where, prefix)
			is := func(e buildfiles.Entry) bool { return e.Name == name }
			if at := slices.IndexFunc(all, is); ok && at >= 0 && !slices.ContainsFunc(entries, is) {
				entries = append(entries, all[at])
			}
		}
	}
	return entries
}

// environ is the environment as a list.
func (c *command) environ() []string {
	var out []string
	for k, v := range c.env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// entries are the builds of services or targets, with what the command line says besides.
func (c *command) entries(
	entries []buildfiles.Entry,
	builder string,
	also func(*cachemodel.Settings),
) ([]Build, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: there is nothing to build in these files", ErrNoBuild)
	}
	var builds []Build
	for _, e := range entries {
		b := Build{
			Tool: c.name, Name: e.ID, Dockerfile: withLowerCase(e.Dockerfile), ContextDir: e.Context,
			Settings: e.Settings(), Tags: e.Tags, Builder: builder, CacheFrom: e.CacheFrom, CacheTo: e.CacheTo,
		}
		if b.Settings.Args == nil {
			b.Settings.Args = map[string]string{}
		}
		if b.Settings.Engine == "" {
			b.Settings.Engine = cachemodel.BuildKit
		}
		also(&b.Settings)
		c.sentByItself(b.Settings.Args, b.Settings.Engine == cachemodel.Classic)
		switch {
		case e.Inline != "":
			b.Problem = fmt.Errorf("its Dockerfile stands in the build file")
		case e.Remote:
			b.Problem = fmt.Errorf("its context is remote (%s)", shown(e.Context))
		case e.Dockerfile == "":
			b.Problem = fmt.Errorf("its Dockerfile is not a local file")
		}
		for _, name := range e.Volatile { // the tool works out another value than we did
			b.Settings.Args[name] += " (then)"
			b.Notes = append(b.Notes, fmt.Sprintf("The argument %s has another value at each build.", name))
		}
		for name, where := range e.Contexts {
			c.namedContext(&b, name, where)
		}
		builds = append(builds, b)
	}
	return builds, nil
}
