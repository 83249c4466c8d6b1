package navigate

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// variables are the definitions of a file. A scope is a stage, -1 for the ARGs above the first FROM, or -2 for what
// must not stand there but does.
type variables struct {
	x       *Index
	defined map[scoped][]*definition
	stages  map[string][]int     // those that define a name, in order
	above   map[view]*definition // what each name stands for at the end of a scope, as far as that was asked
	root    map[scoped]scoped    // joins the scopes in which a name is one variable
	symbols map[scoped]*Symbol
	outside map[scoped]*Symbol
	shells  func(*dockerfile.Instruction) shellscript.Language
	// by scope, the names of variables that shell commands set for themselves
	foreign map[int]map[string]bool
	unsure  map[*Symbol]*dockerfile.Instruction // a RUN that perhaps sets it, and reads it then
}

// scoped is a variable's name in a scope.
type scoped struct {
	name  string
	scope int
}

// view is a name in a scope as it is seen from one that is built on it.
type view struct {
	scoped
	trigger, runtime bool
}

// definition is one ENV or ARG of one name.
type definition struct {
	word    dockerfile.Word // the name
	in      *dockerfile.Instruction
	from    int  // the offset from which on it counts
	env     bool // an ENV
	trigger bool // an ONBUILD's: it counts in stages that are built on this one, and for triggers behind it
	value   string
	valued  bool
	is      *Occurrence
}

// predefined are the variables that BuildKit knows above the first FROM, and in a stage once an ARG names them: see
// defaultArgs and BuildPlatformArgs in its dockerfile2llb.
var predefined = []string{
	"BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT", "BUILDOSVERSION",
	"TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "TARGETOSVERSION", "TARGETSTAGE",
}

// Predefined reports whether BuildKit gives a build argument of this name a meaning of its own.
func Predefined(name string) bool {
	return slices.Contains(predefined, name) || dockerfile.IsProxyArg(name) ||
		strings.HasPrefix(name, "BUILDKIT_") ||
		name == "SOURCE_DATE_EPOCH"
}

// newVariables reads the definitions, and from them which stage is built on which.
func newVariables(x *Index) *variables {
	v := &variables{
		x: x, defined: map[scoped][]*definition{}, stages: map[string][]int{}, above: map[view]*definition{},
		root: map[scoped]scoped{}, symbols: map[scoped]*Symbol{}, outside: map[scoped]*Symbol{},
		foreign: map[int]map[string]bool{}, unsure: map[*Symbol]*dockerfile.Instruction{},
	}
	for _, in := range x.File.Instructions {
		v.define(in)
	}
	for i, stage := range x.File.Stages {
		name := stage.Base.Text
		if strings.Contains(name, "$") {
			name = v.expand(name, stage.From.Span.Start)
		}
		x.Bases = append(x.Bases, x.File.Stage(name, dockerfile.ByFrom, i))
	}
	x.lineage = scope.NewLineage(x.Bases)
	v.shells = shellscript.Languages(x.File, x.Bases)
	return v
}

// define takes an instruction's definitions down.
func (v *variables) define(in *dockerfile.Instruction) {
	is := inner(in)
	if is.Meant != "ARG" && is.Meant != "ENV" {
		return
	}
	args := is.Args
	old := is.Meant == "ENV" && len(args) > 0 && !strings.Contains(args[0].Text, "=") // name, space, value
	if old {
		args = args[:1]
	}
	for _, word := range args {
		name, value, valued := strings.Cut(word.Text, "=")
		if !isName(name) {
			continue
		}
		word = v.x.first(is, word, len(name))
		d := &definition{
			word:    word,
			in:      in,
			from:    in.Span.End,
			env:     is.Meant == "ENV",
			trigger: in.Trigger != nil,
			value:   value,
			valued:  valued || old,
		}
		if !d.env && !d.trigger {
			d.from = word.Span.End // the next word can use it
		}
		key := scoped{name, scopeOf(in)}
		if key.scope >= 0 && len(v.defined[key]) == 0 {
			v.stages[name] = append(v.stages[name], key.scope)
		}
		v.defined[key] = append(v.defined[key], d)
	}
}

// scopeOf returns the scope of what an instruction defines.
func scopeOf(in *dockerfile.Instruction) int {
	if in.Stage < 0 && in.Meant != "ARG" {
		return -2
	}
	return in.Stage
}

// expand returns a word that stands above a FROM with its variables replaced by their defaults, "" if it cannot be
// known.
func (v *variables) expand(word string, offset int) string {
	left := 64 << 10
	return v.expandTo(&left, word, offset, 0)
}

// expandTo is expand, as long as no more bytes and variables are read than are left.
func (v *variables) expandTo(left *int, word string, offset, depth int) string {
	env := &globals{v, left, offset, depth}
	if depth > 8 {
		return ""
	}
	result, err := shell.NewLex(rune(v.x.File.Escape)).ProcessWordWithMatches(word, env)
	if err != nil || *left < 0 {
		return ""
	}
	return result.Result
}

// Image returns what the FROM of a stage takes, its variables replaced by their defaults; "" if that cannot be known.
func (x *Index) Image(stage int) string {
	st := x.File.Stages[stage]
	if !strings.Contains(st.Base.Text, "$") {
		return st.Base.Text
	}
	return x.variables.expand(st.Base.Text, st.From.Span.Start)
}

// globals is the environment above the first FROM.
type globals struct {
	v             *variables
	left          *int // bytes and variables that may still be read
	offset, depth int
}

func (g *globals) Get(name string) (string, bool) {
	if *g.left--; *g.left < 0 {
		return "", false
	}
	list := g.v.defined[scoped{name, -1}]
	for _, d := range slices.Backward(list) {
		if d.from <= g.offset && d.valued {
			value := g.v.expandTo(g.left, d.value, d.word.Span.Start, g.depth+1)
			*g.left -= len(value)
			return value, true
		}
	}
	switch name {
	case "TARGETOS", "BUILDOS":
		return "linux", true // a guess
	case "TARGETARCH", "BUILDARCH":
		return "amd64", true
	}
	return "", false
}

func (g *globals) Keys() []string { return nil }

// lookup returns the definition that gives name its value at an offset of a stage, or above the first FROM for scope
// -1. Once there is an ENV, no ARG of the name counts any more. The container sees neither ARGs nor an order.
func (v *variables) lookup(scope, offset int, name string, trigger, runtime bool) *definition {
	list := v.defined[scoped{name, scope}]
	if !runtime && !trigger { // what stands further down does not count
		list = list[:sort.Search(len(list), func(i int) bool { return list[i].from > offset })]
	}
	var arg *definition
	for _, d := range slices.Backward(list) {
		switch {
		case d.trigger && !trigger, !d.env && (runtime || trigger && !d.trigger):
		case d.from > offset && !(runtime || trigger && !d.trigger):
		case d.env:
			return d
		case arg == nil:
			arg = d
		}
	}
	switch {
	case scope == -2:
		return cmp.Or(v.lookup(-1, offset, name, trigger, runtime), arg)
	case scope < 0:
		return arg
	}
	above := v.inherited(scope, name, trigger, runtime)
	if above != nil && above.env {
		return above
	}
	return cmp.Or(arg, above)
}

// inherited returns what a name stands for in what a stage is built on: lookup at the end of that.
func (v *variables) inherited(stage int, name string, trigger, runtime bool) *definition {
	key := view{scoped{name, v.x.lineage.Nearest(v.stages[name], stage)}, trigger, runtime}
	if key.scope < 0 {
		return nil
	}
	if d, ok := v.above[key]; ok {
		return d
	}
	var found *definition
	for _, d := range slices.Backward(v.defined[key.scoped]) {
		switch {
		case !d.env && (runtime || trigger && !d.trigger):
		case d.env:
			v.above[key] = d
			return d
		case found == nil:
			found = d
		}
	}
	if above := v.inherited(key.scope, name, trigger, runtime); found == nil || above != nil && above.env {
		found = above
	}
	v.above[key] = found
	return found
}

// find returns the scope whose variable this is.
func (v *variables) find(s scoped) scoped {
	for {
		next, ok := v.root[s]
		if !ok {
			return s
		}
		s = next
	}
}

func (v *variables) join(a, b scoped) {
	if a, b = v.find(a), v.find(b); a != b {
		v.root[a] = b
	}
}

// resolve makes the symbols of the variables and finds their uses.
func (v *variables) resolve() {
	for key, list := range v.defined {
		if key.scope < 0 {
			continue
		}
		if _, global := v.defined[scoped{key.name, -1}]; global &&
			slices.ContainsFunc(list, func(d *definition) bool { return !d.env }) {
			v.join(key, scoped{key.name, -1}) // --build-arg and the default count for both
		}
		if base := v.x.lineage.Nearest(v.stages[key.name], key.scope); base >= 0 {
			v.join(key, scoped{key.name, base}) // the same name in the same environment
		}
	}
	for _, in := range v.x.File.Instructions {
		switch inner(in).Meant {
		case "ARG", "ENV":
			v.definitions(in)
		}
		v.uses(in)
	}
}

// definitions adds the occurrences of the names that an instruction defines.
func (v *variables) definitions(in *dockerfile.Instruction) {
	for _, word := range inner(in).Args {
		name, _, _ := strings.Cut(word.Text, "=")
		list := v.defined[scoped{name, scopeOf(in)}]
		for _, d := range list[sort.Search(len(list),
			func(i int) bool { return list[i].word.Span.Start >= word.Span.Start }):] {
			if d.in != in || d.word.Span.Start != word.Span.Start {
				break
			}
			d.is = v.x.add(v.symbol(scoped{name, scopeOf(in)}), in, d.word.Span, Write)
			d.is.Definition = d.is
			if global := v.lookup(-1, in.Span.Start, name, false, false); !d.env && !d.valued && in.Stage >= 0 &&
				global != nil {
				d.is.Definition = global.is
			}
		}
	}
}

// symbol returns the symbol of a variable that is defined.
func (v *variables) symbol(key scoped) *Symbol {
	root := v.find(key)
	s := v.symbols[root]
	if s == nil {
		s = &Symbol{Kind: Variable, Name: key.name}
		v.symbols[root] = s
		v.x.Symbols = append(v.x.Symbols, s)
	}
	if !slices.Contains(s.scopes, key.scope) {
		s.scopes = append(s.scopes, key.scope)
	}
	return s
}

// use adds the use of a variable.
func (v *variables) use(in *dockerfile.Instruction, span source.Span, name string, scope int, runtime bool) *Symbol {
	if d := v.lookup(scope, in.Span.Start, name, in.Trigger != nil, runtime); d != nil && d.is != nil {
		v.x.add(d.is.Symbol, in, span, Read).Definition = d.is
		return d.is.Symbol
	}
	if within := v.within(in, span, name); within != nil {
		v.x.add(within.is.Symbol, in, span, Read).Definition = within.is
		return within.is.Symbol
	}
	key := scoped{name, scope}
	if Predefined(name) {
		key.scope = -1
	}
	s := v.outside[key]
	if s == nil {
		s = &Symbol{Kind: Outside, Name: name}
		v.outside[key] = s
		v.x.Symbols = append(v.x.Symbols, s)
	}
	v.x.add(s, in, span, Read)
	return s
}

// within returns the ARG of the same instruction that a use behind it means.
func (v *variables) within(in *dockerfile.Instruction, span source.Span, name string) *definition {
	for _, d := range slices.Backward(v.defined[scoped{name, scopeOf(in)}]) {
		if d.in == in && !d.env && d.word.Span.End < span.Start && d.is != nil {
			return d
		}
	}
	return nil
}

// uses finds the variables that an instruction uses.
func (v *variables) uses(in *dockerfile.Instruction) {
	is := inner(in)
	script, language := shellscript.Read(v.x.File, in, v.shells(in))
	read := false
	switch {
	case script == nil || language == shellscript.Unknown:
	case language == shellscript.Bash:
		read = v.shell(in, script)
	default:
		v.windows(in, script, language)
		read = true
	}
	for _, use := range dockerfile.Variables(in) {
		scope := in.Stage
		if use.Global {
			scope = -1
		} else if scope < 0 {
			scope = -2
		}
		runtime := is.Meant == "CMD" || is.Meant == "ENTRYPOINT" || is.Meant == "HEALTHCHECK"
		switch {
		case use.By == dockerfile.Shell && read:
		case use.By == dockerfile.Nobody && !shellArgument(is, use.Span):
		case !isName(use.Name.Text):
		default:
			v.use(in, use.Name.Span, use.Name.Text, scope, runtime)
		}
	}
}

// shellArgument reports whether a place lies in a script that an exec form hands to a shell: ["sh", "-c", "..."].
func shellArgument(in *dockerfile.Instruction, at source.Span) bool {
	if !in.JSON || len(in.Args) < 3 {
		return false
	}
	args := in.Args
	if in.Meant == "HEALTHCHECK" {
		args = args[1:]
	}
	unquoted := func(i int) string { return strings.Trim(args[i].Text, `"`) }
	return len(args) > 2 && shellscript.LanguageOf(unquoted(0)) == shellscript.Bash &&
		strings.HasPrefix(unquoted(1), "-") &&
		strings.HasSuffix(unquoted(1), "c") &&
		args[2].Span.Start < at.Start &&
		at.End < args[2].Span.End
}
