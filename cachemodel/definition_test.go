package cachemodel

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// definedText has a step for each thing that a part of a build's definition can change.
const definedText = `FROM base AS first
WORKDIR rel
COPY a.txt /a
ARG V
RUN echo "$V"
FROM extra AS second
RUN second
FROM image AS third
RUN third
FROM scratch
COPY --from=folder /f /f
COPY --from=first /a /a
COPY --from=second /s /s
COPY --from=third /t /t
RUN last
COPY --from=made /m /m
`

// definedBuild has nothing that is shared with another of its kind.
func definedBuild() Build {
	return Build{
		File:          dockerfile.Parse(source.New(definedText), nil),
		Context:       tree(map[string]testFile{"a.txt": {data: "a"}}),
		Settings:      Settings{Args: map[string]string{"V": "1"}},
		Contexts:      map[string]*buildcontext.Tree{"folder": tree(map[string]testFile{"f": {data: "f"}})},
		ContextImages: map[string]string{"extra": "extra:1"},
		ContextBuilds: map[string]*Build{"made": {File: dockerfile.Parse(source.New("FROM base\nRUN make\n"), nil)}},
		Images: map[string]Image{"docker.io/library/base:latest": {
			Digest: "sha256:1", User: "u", WorkingDir: "/w", Env: []string{"A=1"}, Shell: []string{"/bin/sh", "-c"},
		}},
	}
}

// image changes the known base image.
func image(b *Build, change func(*Image)) {
	const name = "docker.io/library/base:latest"
	i := b.Images[name]
	change(&i)
	b.Images = map[string]Image{name: i}
}

// noLines is of parts that no step depends on.
var noLines = []int(nil)

// The parts of a build's definition, each with a change of it and the lines that depend on it.
var (
	everyRun     = []int{5, 7, 9, 15}
	firstStage   = []int{2, 3, 5}
	onBase       = []int{2, 3, 5}
	definedParts = map[string]struct {
		change func(*Build)
		lines  []int
	}{
		"File": {func(b *Build) {
			text := strings.Replace(definedText, "RUN second", "RUN other", 1)
			b.File = dockerfile.Parse(source.New(text), nil)
		}, []int{7}},
		"Context": {func(b *Build) {
			b.Context = tree(map[string]testFile{"a.txt": {data: "b"}})
		}, []int{3, 5}},
		"Settings.Engine":        {func(b *Build) { b.Settings.Engine = Classic }, everyRun},
		"Settings.Target":        {func(b *Build) { b.Settings.Target = "second" }, []int{15}},
		"Settings.Args":          {func(b *Build) { b.Settings.Args = map[string]string{"V": "2"} }, []int{5}},
		"Settings.Platform":      {func(b *Build) { b.Settings.Platform = "linux/s390x" }, everyRun},
		"Settings.NoCache":       {func(b *Build) { b.Settings.NoCache = true }, everyRun},
		"Settings.NoCacheFilter": {func(b *Build) { b.Settings.NoCacheFilter = []string{"first"} }, []int{5}},
		"Settings.Syntax":        {func(b *Build) { b.Settings.Syntax = "docker/dockerfile:1.1" }, everyRun},
		"Settings.Network":       {func(b *Build) { b.Settings.Network = "host" }, everyRun},
		"Settings.ShmSize":       {func(b *Build) { b.Settings.ShmSize = 1 << 20 }, everyRun},
		"Settings.Ulimits":       {func(b *Build) { b.Settings.Ulimits = []string{"nofile=1:2"} }, everyRun},
		"Settings.ExtraHosts":    {func(b *Build) { b.Settings.ExtraHosts = []string{"h:1.2.3.4"} }, everyRun},
		"Settings.Hostname":      {func(b *Build) { b.Settings.Hostname = "h" }, everyRun},
		"Settings.CgroupParent":  {func(b *Build) { b.Settings.CgroupParent = "/c" }, everyRun},
		"Settings.Entitlements":  {func(b *Build) { b.Settings.Entitlements = []string{"network.host"} }, noLines},
		"Contexts": {func(b *Build) {
			b.Contexts = map[string]*buildcontext.Tree{"folder": otherFolder()}
		}, []int{11}},
		"ContextImages": {func(b *Build) { b.ContextImages = map[string]string{"extra": "extra:2"} }, []int{7}},
		"ContextBuilds": {func(b *Build) {
			b.ContextBuilds = map[string]*Build{"made": {File: dockerfile.Parse(source.New("FROM base\nRUN other\n"), nil)}}
		}, []int{16}},
		"Images.Digest":     {func(b *Build) { image(b, func(i *Image) { i.Digest = "sha256:2" }) }, onBase},
		"Images.DigestOnly": {func(b *Build) { image(b, func(i *Image) { i.DigestOnly = true }) }, []int{2, 3, 5}},
		"Images.Env":        {func(b *Build) { image(b, func(i *Image) { i.Env = []string{"A=2"} }) }, []int{5}},
		"Images.WorkingDir": {func(b *Build) { image(b, func(i *Image) { i.WorkingDir = "/x" }) }, firstStage},
		"Images.User":       {func(b *Build) { image(b, func(i *Image) { i.User = "x" }) }, []int{5}},
		"Images.Shell": {func(b *Build) {
			image(b, func(i *Image) { i.Shell = []string{"/bin/bash", "-c"} })
		}, []int{5}},
		"Images.OnBuild": {func(b *Build) {
			image(b, func(i *Image) { i.OnBuild = []string{"RUN it"} })
		}, firstStage},
		"Unknown.Dockerfile":  {func(b *Build) { b.Unknown.Dockerfile = "why" }, everyRun},
		"Unknown.Target":      {func(b *Build) { b.Unknown.Target = "why" }, everyRun},
		"Unknown.Platform":    {func(b *Build) { b.Unknown.Platform = "why" }, everyRun},
		"Unknown.Args":        {func(b *Build) { b.Unknown.Args = map[string]string{"V": "why"} }, []int{5}},
		"Unknown.AllArgs":     {func(b *Build) { b.Unknown.AllArgs = "why" }, []int{5}},
		"Unknown.Context":     {func(b *Build) { b.Unknown.Context = "why" }, []int{3, 5}},
		"Unknown.Contexts":    {func(b *Build) { b.Unknown.Contexts = map[string]string{"folder": "why"} }, []int{11}},
		"Unknown.AllContexts": {func(b *Build) { b.Unknown.AllContexts = "why" }, everyRun},
		"Unknown.Run":         {func(b *Build) { b.Unknown.Run = "why" }, everyRun},
		"Contents":            {func(b *Build) { b.Contents = map[int]string{12: "x"} }, noLines}, // the stage tells
		"Costs":               {func(b *Build) { b.Costs = map[int]Cost{5: {Shared: true}} }, noLines},
	}
)

func otherFolder() *buildcontext.Tree { return tree(map[string]testFile{"f": {data: "other"}}) }

// parts are the fields of a definition by their paths; those of structs of ours are taken apart.
func parts(t reflect.Type, path string) (out []string) {
	if t.Kind() == reflect.Map && t.Elem() == reflect.TypeFor[Image]() {
		t = t.Elem()
	}
	ours := t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Build]().PkgPath()
	if !ours {
		return []string{path}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		at := strings.TrimPrefix(path+"."+f.Name, ".")
		if f.Anonymous {
			at = path
		}
		out = append(out, parts(f.Type, at)...)
	}
	return out
}

// Whatever part of a build's definition differs between the last build and the next, on either side, or is not known,
// nothing that depends on it is promised to be cached. A new part must be added to the table.
func TestEveryPartCounts(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(definedParts)), slices.Sorted(slices.Values(parts(
		reflect.TypeFor[Build](), ""))); !slices.Equal(got, want) {
		t.Fatalf("the table has\n%q, a build has\n%q", got, want)
	}
	cached := func(past, next Build) map[int]bool {
		out := map[int]bool{}
		for _, s := range Compare(Pasts(NewPlan(past)), NewPlan(next)) {
			out[s.Line] = s.Status == Cached
		}
		return out
	}
	same := cached(definedBuild(), definedBuild())
	for _, line := range slices.Concat(everyRun, firstStage, []int{11, 12, 16}) {
		if !same[line] {
			t.Fatalf("line %d is not cached though nothing differs", line)
		}
	}
	for part, p := range definedParts {
		for _, side := range []string{"next", "past"} {
			past, next := definedBuild(), definedBuild()
			if side == "next" {
				p.change(&next)
			} else if p.change(&past); strings.HasPrefix(part, "Settings.NoCache") {
				continue // what such a build made is in the cache
			}
			got, lines := cached(past, next), p.lines
			if side == "past" && part == "Settings.Target" {
				lines = []int{2, 3, 5, 9, 15} // never built
			}
			for _, line := range lines {
				if got[line] {
					t.Errorf("%s of the %s: line %d is promised to be cached", part, side, line)
				}
			}
			if p.lines == nil && !maps.Equal(got, same) {
				t.Errorf("%s of the %s: %v", part, side, got)
			}
		}
	}
}

// Whatever is said of a past build that takes from what is left of it, nothing is promised that it takes away.
func TestEveryPartOfAPastCounts(t *testing.T) {
	changes := map[string]struct {
		change func(*Past)
		lines  []int
	}{
		"Plan":     {func(p *Past) { b := definedBuild(); b.Settings.Network = "host"; p.Plan = NewPlan(b) }, everyRun},
		"FailedAt": {func(p *Past) { p.FailedAt = 5 }, []int{5}},
		"Results": {func(p *Past) {
			p.Results = map[int]Result{5: {Gone, "Why."}, 7: {Perhaps, "Why."}, 9: {KeyOnly, "Why."}}
		}, []int{5, 7}},
		"Perhaps":  {func(p *Past) { p.Perhaps = "Why." }, everyRun},
		"Moved":    {func(p *Past) { p.Moved = []string{"docker.io/library/image:latest"} }, []int{9}},
		"Exported": {func(p *Past) { p.Exported = NoCacheImport }, everyRun},
	}
	if n := reflect.TypeFor[Past]().NumField(); n != len(changes) {
		t.Fatalf("a past has %d parts, the table %d", n, len(changes))
	}
	for part, c := range changes {
		past := Past{Plan: NewPlan(definedBuild())}
		c.change(&past)
		for _, s := range Compare([]Past{past}, NewPlan(definedBuild())) {
			if slices.Contains(c.lines, s.Line) && s.Status == Cached {
				t.Errorf("%s: line %d is promised to be cached", part, s.Line)
			}
		}
	}
}
