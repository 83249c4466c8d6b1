package navigate

import (
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
	"mvdan.cc/sh/v3/syntax"
)

// certainty says whether commands have set a variable for themselves by a point of the script.
type certainty int

const (
	unset   certainty = iota
	perhaps           // on some ways through the script
	surely
)

// walker walks through a script in the order in which it runs, as far as that shows, and finds the variables.
type walker struct {
	v      *variables
	in     *dockerfile.Instruction
	script *shellscript.Script
	set    map[string]certainty
	log    []setting // what was in set before each change
	locals map[string]*Symbol
	firsts map[string]*Occurrence
}

// shell finds the variables in the script of an instruction. It reports false if the script cannot be read.
func (v *variables) shell(in *dockerfile.Instruction, script *shellscript.Script) bool {
	file, err := script.Parse()
	if file == nil || err != nil {
		return false
	}
	w := &walker{
		v:      v,
		in:     in,
		script: script,
		set:    map[string]certainty{},
		locals: map[string]*Symbol{},
		firsts: map[string]*Occurrence{},
	}
	w.statements(file.Stmts)
	return true
}

func (w *walker) statements(list []*syntax.Stmt) {
	for _, s := range list {
		w.statement(s)
	}
}

// setting is what set said of a variable before a change.
type setting struct {
	name   string
	before certainty
}

// note changes what is known of a variable.
func (w *walker) note(name string, how certainty) {
	if before := w.set[name]; before != how {
		w.log = append(w.log, setting{name, before})
		w.set[name] = how
	}
}

// apart walks through commands that run in a process of their own: what they set is gone behind them.
func (w *walker) apart(list []*syntax.Stmt) {
	mark := len(w.log)
	w.statements(list)
	for _, s := range slices.Backward(w.log[mark:]) {
		w.set[s.name] = s.before
	}
	w.log = w.log[:mark]
}

// maybe walks through commands that may not run.
func (w *walker) maybe(walk func()) {
	mark := len(w.log)
	walk()
	seen := map[string]bool{}
	for _, s := range w.log[mark:len(w.log):len(w.log)] {
		if !seen[s.name] && w.set[s.name] != s.before {
			w.note(s.name, perhaps)
		}
		seen[s.name] = true
	}
}

func (w *walker) statement(s *syntax.Stmt) {
	if s == nil {
		return
	}
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		for _, a := range c.Assigns {
			w.assign(a, len(c.Args) == 0)
		}
		w.words(c.Args)
		w.call(c)
	case *syntax.DeclClause:
		for _, a := range c.Args {
			w.assign(a, !a.Naked)
		}
	case *syntax.BinaryCmd:
		switch c.Op {
		case syntax.Pipe, syntax.PipeAll:
			w.apart([]*syntax.Stmt{c.X})
			w.apart([]*syntax.Stmt{c.Y})
		case syntax.OrStmt:
			w.statement(c.X)
			w.maybe(func() { w.statement(c.Y) })
		default:
			w.statement(c.X)
			w.statement(c.Y)
		}
	case *syntax.Subshell:
		w.apart(c.Stmts)
	case *syntax.Block:
		w.statements(c.Stmts)
	case *syntax.IfClause:
		w.statements(c.Cond)
		w.maybe(func() { w.statements(c.Then) })
		for other := c.Else; other != nil; other = other.Else {
			w.maybe(func() { w.statements(other.Cond); w.statements(other.Then) })
		}
	case *syntax.WhileClause:
		w.statements(c.Cond)
		w.maybe(func() { w.statements(c.Do) })
	case *syntax.ForClause:
		if loop, ok := c.Loop.(*syntax.WordIter); ok {
			w.words(loop.Items)
			w.sets(loop.Name, surely)
		} else {
			w.expressions(c.Loop)
		}
		w.maybe(func() { w.statements(c.Do) })
	case *syntax.CaseClause:
		w.expressions(c.Word)
		for _, item := range c.Items {
			w.words(item.Patterns)
			w.maybe(func() { w.statements(item.Stmts) })
		}
	case *syntax.FuncDecl:
		w.maybe(func() { w.statement(c.Body) })
	case *syntax.TimeClause:
		w.statement(c.Stmt)
	case *syntax.CoprocClause:
		w.apart([]*syntax.Stmt{c.Stmt})
	case nil:
	default:
		w.expressions(c)
	}
	for _, r := range s.Redirs {
		if r.Word != nil {
			w.expressions(r.Word)
		}
		if r.Hdoc != nil {
			w.expressions(r.Hdoc)
		}
	}
}

// call takes note of commands that set variables by their names.
func (w *walker) call(c *syntax.CallExpr) {
	if len(c.Args) < 2 {
		return
	}
	switch c.Args[0].Lit() {
	case "read":
		for _, arg := range c.Args[1:] {
			if len(arg.Parts) == 1 {
				if lit, ok := arg.Parts[0].(*syntax.Lit); ok && isName(lit.Value) {
					w.sets(lit, surely)
				}
			}
		}
	case "unset":
		for _, arg := range c.Args[1:] {
			if lit, ok := arg.Parts[0].(*syntax.Lit); ok && len(arg.Parts) == 1 && isName(lit.Value) {
				w.reads(lit)
				w.note(lit.Value, surely) // what follows does not see ours
			}
		}
	}
}

// assign walks through an assignment; lasting says that it counts for what follows.
func (w *walker) assign(a *syntax.Assign, lasting bool) {
	if a.Index != nil {
		w.expressions(a.Index)
	}
	if a.Value != nil {
		w.expressions(a.Value)
	}
	if a.Array != nil {
		for _, e := range a.Array.Elems {
			if e.Value != nil {
				w.expressions(e.Value)
			}
		}
	}
	switch {
	case a.Name == nil:
	case a.Naked, a.Append && w.set[a.Name.Value] == unset:
		w.reads(a.Name)
	case lasting:
		w.sets(a.Name, surely)
	default:
		w.temporary(a.Name)
	}
}

func (w *walker) words(list []*syntax.Word) {
	for _, word := range list {
		w.expressions(word)
	}
}

// expressions finds the variables in anything that is no statement.
func (w *walker) expressions(n syntax.Node) {
	if n == nil {
		return
	}
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			w.apart(n.Stmts)
			return false
		case *syntax.ProcSubst:
			w.apart(n.Stmts)
			return false
		case *syntax.ParamExp:
			if n.Param != nil && isName(n.Param.Value) {
				w.reads(n.Param)
			}
		case *syntax.ArithmExp:
			w.arithmetic(n.X)
		case *syntax.ArithmCmd:
			w.arithmetic(n.X)
		}
		return true
	})
}

// arithmetic finds the variables that stand in arithmetic without a "$".
func (w *walker) arithmetic(n syntax.ArithmExpr) {
	if n == nil {
		return
	}
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Word:
			if len(n.Parts) == 1 {
				if lit, ok := n.Parts[0].(*syntax.Lit); ok && isName(lit.Value) {
					w.reads(lit)
				}
			}
			return false
		}
		return true
	})
}

func (w *walker) place(lit *syntax.Lit) (source.Span, bool) {
	if !lit.Pos().IsValid() || lit.Pos().IsRecovered() {
		return source.Span{}, false
	}
	from, to := int(lit.Pos().Offset()), int(lit.End().Offset())
	return w.script.Place(from, to), to <= len(w.script.Text) && w.script.Text[from:to] == lit.Value
}

// reads notes the use of a variable.
func (w *walker) reads(lit *syntax.Lit) {
	span, ok := w.place(lit)
	if !ok {
		return
	}
	known := w.v.lookup(scopeOf(w.in), w.in.Span.Start, lit.Value, w.in.Trigger != nil, w.script.Runtime) != nil
	if w.set[lit.Value] == surely || w.set[lit.Value] == perhaps && !known {
		if local := w.locals[lit.Value]; local != nil {
			w.v.x.add(local, w.in, span, Read).Definition = w.firsts[lit.Value]
		}
		return
	}
	s := w.v.use(w.in, span, lit.Value, scopeOf(w.in), w.script.Runtime)
	if s != nil && w.set[lit.Value] == perhaps && w.v.unsure[s] == nil {
		w.v.unsure[s] = w.in
	}
}

// sets notes that the script sets a variable.
func (w *walker) sets(lit *syntax.Lit, how certainty) {
	w.note(lit.Value, how)
	w.temporary(lit)
}

// temporary notes an assignment that counts for one command, or longer.
func (w *walker) temporary(lit *syntax.Lit) {
	name := lit.Value
	foreign := w.v.foreign[w.in.Stage]
	if foreign == nil {
		foreign = map[string]bool{}
		w.v.foreign[w.in.Stage] = foreign
	}
	foreign[name] = true
	span, ok := w.place(lit)
	if !ok || !isName(name) {
		return
	}
	local := w.locals[name]
	if local == nil {
		local = &Symbol{Kind: Local, Name: name, in: w.in}
		w.locals[name] = local
		w.v.x.Symbols = append(w.v.x.Symbols, local)
	}
	o := w.v.x.add(local, w.in, span, Write)
	if w.firsts[name] == nil {
		w.firsts[name] = o
	}
	o.Definition = w.firsts[name]
}
