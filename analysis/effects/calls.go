package effects

import (
	"maps"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// calls gives all simple commands of a script. It is nil where there may be others, or where the shell does what is not
// followed.
func (s *state) calls(file *syntax.File) []Call {
	l := &lister{reader: reader{state: s, cwd: s.cwd, local: map[string]string{}}, follows: true}
	syntax.Walk(file, l.forget)
	syntax.Walk(file, l.visit)
	if !l.follows || l.branches && l.moves {
		return nil
	}
	return l.calls
}

// lister lists the commands of a script.
type lister struct {
	reader
	calls    []Call
	follows  bool // nothing was met that is not followed
	branches bool // a command may not run, or more than once
	moves    bool // the working directory changes
}

// forget takes the value of each variable that the script sets for unknown.
func (l *lister) forget(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.CallExpr:
		for _, a := range n.Assigns {
			if len(n.Args) == 0 {
				l.local[a.Name.Value] = unknown
			}
		}
		if len(n.Args) > 0 && slices.Contains([]string{"unset", "read", "getopts"}, literal(n.Args[0])) {
			for _, w := range n.Args[1:] {
				l.local[literal(w)] = unknown
			}
		}
	case *syntax.WordIter:
		l.local[n.Name.Value] = unknown
	case *syntax.ParamExp:
		if n.Exp != nil && n.Param != nil { // it may assign
			l.local[n.Param.Value] = unknown
		}
	}
	return true
}

func (l *lister) visit(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.FuncDecl, *syntax.ProcSubst, *syntax.CoprocClause, *syntax.DeclClause, *syntax.Subshell,
		*syntax.ArithmCmd, *syntax.LetClause, *syntax.CStyleLoop:
		l.follows = false
		return false
	case *syntax.IfClause, *syntax.WhileClause, *syntax.ForClause, *syntax.CaseClause:
		l.branches = true
	case *syntax.BinaryCmd:
		l.branches = l.branches || n.Op == syntax.OrStmt
	case *syntax.Stmt:
		if n.Background || n.Coprocess || n.Disown {
			l.follows = false
		}
	case *syntax.Redirect:
		if n.Word == nil || n.Hdoc != nil || n.Op == syntax.DplOut || n.Op == syntax.DplIn || n.Op == syntax.WordHdoc {
			break
		}
		var e Effects
		to, _ := l.words(n.Word)
		p, ok := l.path(&e, to)
		if unknownIn(to) || !ok {
			l.follows = false
			break
		}
		l.calls = append(l.calls, Call{Args: []string{n.Op.String(), p}, Does: Effects{Reads: []string{p},
			Writes: []string{p}}})
	case *syntax.CallExpr:
		if len(n.Args) > 0 {
			l.call(n)
		}
	}
	return true
}

func (l *lister) call(n *syntax.CallExpr) {
	var c Call
	var seen Effects
	for _, w := range n.Args {
		text, loose := l.words(w)
		switch {
		case loose:
			c.Loose = true
		case !quoted(w) && len(w.Parts) > 0 && strings.ContainsAny(text, " \t\n") && !unknownIn(text):
			if _, single := w.Parts[0].(*syntax.ParamExp); single && len(w.Parts) == 1 {
				c.Args = append(c.Args, strings.Fields(text)...)
				continue
			}
		}
		c.Dynamic = c.Dynamic || unknownIn(text)
		c.Args = append(c.Args, text)
		if globs(w) {
			l.glob(&seen, w)
		}
	}
	if len(c.Args) == 0 { // a variable of blanks
		l.follows = false
		return
	}
	if c.Args[0] == "cd" {
		l.moves = true
		if len(c.Args) != 2 || c.Dynamic || strings.HasPrefix(c.Args[1], "~") || c.Args[1] == "-" {
			l.follows = false
			return
		}
		dir := c.Args[1]
		if !path.IsAbs(dir) {
			if l.cwd == "" {
				l.follows = false
				return
			}
			dir = path.Join(l.cwd, dir)
		}
		l.cwd = path.Clean(dir)
		return
	}
	assigned := maps.Clone(l.local)
	for _, a := range n.Assigns {
		value := unknown
		switch {
		case a.Value == nil && a.Array == nil && !a.Append:
			value = ""
		case a.Value != nil && !a.Append:
			value, _ = l.words(a.Value)
		}
		assigned[a.Name.Value] = value
	}
	saved := l.state.cwd
	l.state.cwd = l.cwd
	c = l.known(c, assigned)
	l.state.cwd = saved
	c.Does.Reads = append(c.Does.Reads, seen.Reads...)
	l.calls = append(l.calls, c)
}

// known adds to a call what is known of it.
func (s *state) known(c Call, assigned map[string]string) Call {
	c.cwd = s.cwd
	c.vars = s.variables(assigned)
	c.Does = s.call(Call{Args: slices.Clone(c.Args), Dynamic: c.Dynamic || c.Loose, Loose: c.Loose}, assigned)
	c.Cache, c.Tool = cacheOf(s, c)
	return c
}

// words gives a word with unknown for each part of it that is not known. loose says that such a part stands outside of
// quotes, so that it may be no word, or several.
func (r *reader) words(w *syntax.Word) (text string, loose bool) {
	var b strings.Builder
	var add func(parts []syntax.WordPart, quoted bool)
	add = func(parts []syntax.WordPart, quoted bool) {
		for _, p := range parts {
			if double, ok := p.(*syntax.DblQuoted); ok {
				add(double.Parts, true)
				continue
			}
			value, ok := r.word(&syntax.Word{Parts: []syntax.WordPart{p}})
			if !ok {
				value = unknown
				loose = loose || !quoted
			}
			b.WriteString(value)
		}
	}
	add(w.Parts, false)
	return b.String(), loose
}

// Touches reports whether a command may look into a directory, or for it. Package managers are taken to leave alone
// what is not theirs.
func (c *Call) Touches(dir string) bool {
	for _, a := range c.Args {
		for _, word := range strings.FieldsFunc(a, func(r rune) bool { return strings.ContainsRune("=:,\"' ", r) }) {
			if strings.HasPrefix(word, "~") || path.IsAbs(word) && Nested(upToGlob(path.Clean(word)), dir) ||
				strings.Contains(word, "..") && Nested(path.Join(c.cwd, word), dir) {
				return true
			}
		}
	}
	if c.Does.Opaque && c.Tool != "?" {
		return false // what is not known of it is not where it looks
	}
	return !c.Does.manager && (clash([]string{tree(dir)}, c.Does.Reads) || clash([]string{tree(dir)}, c.Does.Writes))
}
