package rules

import (
	"slices"
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// variables are the definitions of a file, by stage. Those of stage -1 are the ARGs above the first FROM.
type variables struct {
	file   *dockerfile.File
	global map[string][]definition
	stages []map[string][]definition
	bases  []int // the stage that each stage is built on, -1 for an image
}

// definition is one ENV or ARG of one name.
type definition struct {
	from  int // the offset from which on it counts
	value string
	known bool // whether there is a value, variables in it unexpanded
}

// variables returns the definitions of the file.
func (p *pass) variables() *variables {
	if p.vars != nil {
		return p.vars
	}
	v := &variables{file: p.File, global: map[string][]definition{}}
	p.vars = v
	for range p.Stages {
		v.stages = append(v.stages, map[string][]definition{})
	}
	for _, in := range p.of["ARG"] {
		v.define(in)
	}
	for _, in := range p.of["ENV"] {
		v.define(in)
	}
	for _, defined := range append(v.stages, v.global) {
		for _, list := range defined {
			slices.SortFunc(list, func(a, b definition) int { return a.from - b.from })
		}
	}
	byName := map[string]int{}
	for i, stage := range p.Stages {
		v.bases = append(v.bases, -1)
		name := stage.Base.Text
		if strings.Contains(name, "$") {
			name, _ = v.expand(-1, stage.From.Span.Start, name)
		}
		if base, ok := byName[name]; ok {
			v.bases[i] = base
		}
		if stage.Name != "" {
			byName[stage.Name] = i
		}
	}
	return v
}

func (v *variables) define(in *dockerfile.Instruction) {
	defined := v.global
	if in.Stage >= 0 {
		defined = v.stages[in.Stage]
	}
	add := func(name string, d definition) { defined[name] = append(defined[name], d) }
	switch c := in.Command.(type) {
	case *instructions.EnvCommand:
		for _, e := range c.Env {
			add(e.Key, definition{from: in.Span.End, value: e.Value, known: true})
		}
	case *instructions.ArgCommand:
		for i, a := range c.Args {
			d := definition{from: in.Args[min(i, len(in.Args)-1)].Span.End}
			if a.Value != nil {
				d.value, d.known = *a.Value, true
			}
			add(a.Key, d)
		}
	default: // rejected, and perhaps half typed: the names are better than nothing
		for _, w := range in.Args {
			name, _, _ := strings.Cut(w.Text, "=")
			add(name, definition{from: in.Span.End})
		}
	}
}

// lookup returns what the name stands for at the offset in the stage, or above the first FROM for stage -1.
func (v *variables) lookup(stage, offset int, name string) (definition, bool) {
	if stage < 0 {
		return before(v.global[name], offset)
	}
	for {
		if d, ok := before(v.stages[stage][name], offset); ok {
			return d, true
		}
		if stage = v.bases[stage]; stage < 0 {
			return definition{}, false
		}
		offset = min(offset, v.file.Stages[stage].Span.End)
	}
}

func before(list []definition, offset int) (definition, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].from > offset })
	if i == 0 {
		return definition{}, false
	}
	return list[i-1], true
}

// names returns all names that are defined at the offset in the stage, sorted.
func (v *variables) names(stage, offset int) []string {
	var names []string
	for stage >= 0 {
		for name, list := range v.stages[stage] {
			if _, ok := before(list, offset); ok {
				names = append(names, name)
			}
		}
		if stage = v.bases[stage]; stage >= 0 {
			offset = v.file.Stages[stage].Span.End
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// globals returns the names of the ARGs above the first FROM, sorted.
func (v *variables) globals() []string {
	var names []string
	for name := range v.global {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// expand returns word, which stands at the offset in the stage, with its variables replaced as in a build without
// arguments. It reports false if one of them is not known.
func (v *variables) expand(stage, offset int, word string) (string, bool) {
	const deepest = 8 // a chain of definitions that is longer counts as unknown
	return v.expandTo(deepest, stage, offset, word)
}

func (v *variables) expandTo(depth, stage, offset int, word string) (string, bool) {
	env := &environment{v: v, depth: depth, stage: stage, offset: offset}
	expanded, err := shell.NewLex(rune(v.file.Escape)).ProcessWordWithMatches(word, env)
	return expanded.Result, err == nil && !env.unknown
}

// environment is what a word that is expanded can see.
type environment struct {
	v             *variables
	depth         int
	stage, offset int
	unknown       bool // a variable was asked for whose value is not known
}

func (e *environment) Get(name string) (string, bool) {
	d, ok := e.v.lookup(e.stage, e.offset, name)
	if value, predefined := platformDefaults[name]; predefined && e.stage < 0 && !ok {
		return value, true
	}
	if ok && !d.known && e.stage >= 0 {
		if d, ok = e.v.lookup(-1, e.offset, name); ok { // an ARG without a value takes the global one's
			return e.value(d, -1)
		}
	}
	if ok && d.known {
		return e.value(d, e.stage)
	}
	e.unknown = e.unknown || e.stage >= 0
	return "", false
}

func (e *environment) value(d definition, stage int) (string, bool) {
	if !strings.ContainsAny(d.value, "$'\"\\`") {
		return d.value, true
	}
	if e.depth == 0 {
		e.unknown = true
		return "", false
	}
	value, known := e.v.expandTo(e.depth-1, stage, d.from-1, d.value)
	e.unknown = e.unknown || !known
	return value, true
}

func (e *environment) Keys() []string { return nil }
