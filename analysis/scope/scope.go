// Package scope knows which variables each place of a Dockerfile sees, and what they stand for.
//
// A stage sees its own ARGs and ENVs above, and those of the stages it is built on; FROM sees the ARGs above the first
// FROM only. The package must not know a protocol, or what base images set.
package scope

import (
	"slices"
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Variables are the definitions of a file, by stage. Those of stage -1 are the ARGs above the first FROM.
type Variables struct {
	Global map[string][]Definition   // by name, each in order of place
	Stages []map[string][]Definition // likewise, of each stage
	// build arguments that are given: they count instead of an ARG's default; New leaves them nil
	Args  map[string]string
	Bases []int // the stage that each stage is built on, -1 for an image

	file    *dockerfile.File
	lineage *Lineage
	stages  map[string][]int // those that define a name, in order
	global  []string         // the names of Global, in order
	names   [][]Definition   // by stage, the first definition of each name, in order
	named   [][]string       // the names of those
}

// Definition is one ENV or ARG of one name.
type Definition struct {
	In    *dockerfile.Instruction // the ENV or ARG
	From  int                     // the offset from which on it counts
	Value string                  // variables in it unexpanded
	Known bool                    // whether there is a value
}

// PlatformDefaults are example values of the arguments that FROM knows without a declaration. A stage knows them once
// it has declared them.
var PlatformDefaults = map[string]string{
	"BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDOSVERSION": "", "BUILDARCH": "amd64", "BUILDVARIANT": "",
	"TARGETPLATFORM": "linux/amd64", "TARGETOS": "linux", "TARGETOSVERSION": "", "TARGETARCH": "amd64",
	"TARGETVARIANT": "", "TARGETSTAGE": "default",
}

// New reads the definitions of a file.
func New(file *dockerfile.File) *Variables {
	v := &Variables{
		file: file, Global: map[string][]Definition{}, stages: map[string][]int{},
		Stages: make([]map[string][]Definition, len(file.Stages)),
		names:  make([][]Definition, len(file.Stages)), named: make([][]string, len(file.Stages)),
	}
	for i := range v.Stages {
		v.Stages[i] = map[string][]Definition{}
	}
	for _, in := range file.Instructions {
		if in.Meant == "ARG" || in.Meant == "ENV" {
			v.define(in)
		}
	}
	for i, stage := range file.Stages {
		name := stage.Base.Text
		if strings.Contains(name, "$") {
			name, _ = v.Expand(-1, stage.From.Span.Start, name)
		}
		v.Bases = append(v.Bases, file.Stage(name, dockerfile.ByFrom, i))
	}
	v.lineage = NewLineage(v.Bases)
	return v
}

func (v *Variables) define(in *dockerfile.Instruction) {
	defined := v.Global
	if in.Stage >= 0 {
		defined = v.Stages[in.Stage]
	}
	add := func(name string, d Definition) {
		if stage := in.Stage; stage < 0 && len(defined[name]) == 0 {
			v.global = append(v.global, name)
		} else if len(defined[name]) == 0 {
			v.stages[name] = append(v.stages[name], stage)
			v.names[stage], v.named[stage] = append(v.names[stage], d), append(v.named[stage], name)
		}
		defined[name] = append(defined[name], d)
	}
	switch c := in.Command.(type) {
	case *instructions.EnvCommand:
		for _, e := range c.Env {
			add(e.Key, Definition{In: in, From: in.Span.End, Value: e.Value, Known: true})
		}
	case *instructions.ArgCommand:
		for i, a := range c.Args {
			d := Definition{In: in, From: in.Args[min(i, len(in.Args)-1)].Span.End}
			if a.Value != nil {
				d.Value, d.Known = *a.Value, true
			}
			add(a.Key, d)
		}
	default: // rejected, and perhaps half typed: the names are better than nothing
		for _, w := range in.Args {
			name, _, _ := strings.Cut(w.Text, "=")
			add(name, Definition{In: in, From: in.Span.End})
		}
	}
}

// Lookup returns what the name stands for at the offset in the stage, or above the first FROM for stage -1.
func (v *Variables) Lookup(stage, offset int, name string) (Definition, bool) {
	if stage < 0 {
		return before(v.Global[name], offset)
	}
	if d, ok := before(v.Stages[stage][name], offset); ok {
		return d, true
	}
	if stage = v.lineage.Nearest(v.stages[name], stage); stage < 0 {
		return Definition{}, false
	}
	list := v.Stages[stage][name]
	return list[len(list)-1], true
}

func before(list []Definition, offset int) (Definition, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].From > offset })
	if i == 0 {
		return Definition{}, false
	}
	return list[i-1], true
}

// Names returns all names that are defined at the offset in the stage, sorted.
func (v *Variables) Names(stage, offset int) []string {
	var names []string
	for ; stage >= 0; stage = v.Bases[stage] {
		first := v.names[stage]
		n := sort.Search(len(first), func(i int) bool { return first[i].From > offset })
		names = append(names, v.named[stage][:n]...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Nearest returns names that are defined at the offset in the stage, in no order: so many at most, those that are first
// defined nearest above. In stage -1 they are the ARGs above the first FROM.
func (v *Variables) Nearest(stage, offset, most int) []string {
	names := slices.Clip(v.global[max(0, len(v.global)-most):])
	if stage >= 0 {
		names = nil
	}
	for ; stage >= 0 && len(names) < most; stage = v.Bases[stage] {
		first := v.names[stage]
		n := sort.Search(len(first), func(i int) bool { return first[i].From > offset })
		if of := v.named[stage][max(0, n-(most-len(names))):n:n]; len(names) == 0 {
			names = of // as mostly: no copy is needed
		} else {
			names = append(names, of...)
		}
	}
	return names
}

// Globals returns the names of the ARGs above the first FROM, sorted.
func (v *Variables) Globals() []string { return slices.Sorted(slices.Values(v.global)) }

// Expand returns word, which stands at the offset in the stage, with its variables replaced as in a build with the
// given arguments. It reports false if one of them is not known.
func (v *Variables) Expand(stage, offset int, word string) (string, bool) {
	const (
		deepest = 8        // a chain of definitions that is longer counts as unknown
		most    = 64 << 10 // so do variables that come to more bytes, or to so many other variables
	)
	left := most
	return v.expandTo(&left, deepest, stage, offset, word)
}

func (v *Variables) expandTo(left *int, depth, stage, offset int, word string) (string, bool) {
	if !strings.ContainsAny(word, "$'\"\\`") {
		return word, true
	}
	if depth < 0 {
		return "", false
	}
	env := &environment{v: v, left: left, depth: depth, stage: stage, offset: offset}
	expanded, err := shell.NewLex(rune(v.file.Escape)).ProcessWordWithMatches(word, env)
	return expanded.Result, err == nil && !env.unknown
}

// environment is what a word that is expanded can see.
type environment struct {
	v             *Variables
	left          *int // bytes and variables that may still be read
	depth         int
	stage, offset int
	unknown       bool // a variable was asked for whose value is not known
}

func (e *environment) Get(name string) (string, bool) {
	if *e.left--; *e.left < 0 {
		e.unknown = true
		return "", false
	}
	d, ok := e.v.Lookup(e.stage, e.offset, name)
	if value, predefined := PlatformDefaults[name]; predefined && e.stage < 0 && !ok {
		return value, true
	}
	if given, is := e.v.Args[name]; ok && is && d.In.Meant == "ARG" {
		return given, true
	}
	if ok && !d.Known && e.stage >= 0 {
		if d, ok = e.v.Lookup(-1, e.offset, name); ok { // an ARG without a value takes the global one's
			return e.value(d, -1)
		}
	}
	if ok && d.Known {
		return e.value(d, e.stage)
	}
	e.unknown = e.unknown || e.stage >= 0
	return "", false
}

func (e *environment) value(d Definition, stage int) (string, bool) {
	value, known := e.v.expandTo(e.left, e.depth-1, stage, d.From-1, d.Value)
	if *e.left -= len(value); *e.left < 0 {
		value, known = "", false
	}
	e.unknown = e.unknown || !known
	return value, true
}

func (e *environment) Keys() []string { return nil }

// Image returns the base image that the stage is built on, in the end.
func (v *Variables) Image(stage int) string {
	return v.file.Stages[v.lineage.Root(stage)].Base.Text
}
