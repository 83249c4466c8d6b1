package effects

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/tools"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// Call is one simple command with its arguments.
type Call struct {
	Args    []string // without quotes, the command's name first
	Dynamic bool     // an argument has a value that is not known
	Loose   bool     // such an argument stands without quotes, so that it may be none or several
	Does    Effects  // of it alone
	Cache   *Cache   // what it fills and nothing needs, if that is known
	Tool    string   // whose cache it uses; "" if it needs no cache, and "?" if it may use any
	cwd     string
	vars    map[string]string // the variables that it sees, with their values; unknown is one that is not known
}

func (s *state) run(e *Effects, in *dockerfile.Instruction, c *instructions.RunCommand) {
	e.Reads = append(e.Reads, "user")
	defer func() {
		if e.Opaque {
			s.linked = true
		}
	}()
	mounts, ok := s.mount(e, in, c)
	defer s.unmount(e, mounts)
	if !ok {
		e.opaque()
		return
	}
	if !c.PrependShell {
		s.leaves(strings.Join(c.CmdLine, " "), nil, scriptsDeep)
		s.scriptsOf(c.CmdLine, scriptsDeep)
		if len(c.CmdLine) > 0 {
			e.Calls = []Call{s.known(Call{Args: c.CmdLine}, nil)}
		}
		e.Merge(s.call(Call{Args: c.CmdLine}, nil))
		return
	}
	e.Reads = append(e.Reads, "shell")
	script, file := s.script(e, c)
	if file == nil {
		whole := strings.Join(c.CmdLine, " ")
		for _, doc := range c.Files {
			whole += "\n" + doc.Data
		}
		s.leaves(whole, nil, scriptsDeep)
		s.scriptsOf(strings.Fields(whole), scriptsDeep)
	} else {
		s.leaves(script, file, scriptsDeep)
	}
	if file == nil || s.steersShell(s.variables(nil)) {
		e.opaque()
		return
	}
	before := *s
	e.Calls = s.calls(file)
	s.linked, s.links, s.homes, s.hooked, s.corepack = before.linked, before.links, before.homes, before.hooked,
		before.corepack
	r := &reader{
		state:  s,
		cwd:    s.cwd,
		script: script,
		local:  map[string]string{},
		stops:  len(s.shell) > 1 && exitsOnError(s.shell[1:]),
	}
	var parts []Part
	for i, stmt := range file.Stmts {
		parts = append(parts, r.statement(stmt, i == len(file.Stmts)-1)...)
	}
	for _, p := range parts {
		s.hooks(&p.Effects, script)
		e.Merge(p.Effects)
	}
	if !mounts.any {
		e.Script, e.Parts = script, parts
	}
	for _, p := range parts {
		if e.Directory == "" {
			e.Directory = p.Directory
		}
	}
}

// script gives what the shell of a RUN gets. It is nil where that is no shell of the known sort, or goes to another
// program.
func (s *state) script(e *Effects, c *instructions.RunCommand) (text string, file *syntax.File) {
	text = strings.Join(c.CmdLine, " ")
	switch {
	case len(c.Files) > 1 || len(c.Files) == 1 && (strings.HasPrefix(c.Files[0].Data, "#!") ||
		strings.TrimSpace(text) != "<<"+c.Files[0].Name):
		return "", nil
	case len(c.Files) == 1:
		text = c.Files[0].Data
	}
	if s.shell != nil {
		if !plainShell(s.shell) {
			return "", nil
		}
		e.Reads = append(e.Reads, path.Join("/bin", s.shell[0]), path.Join("/usr/bin", path.Base(s.shell[0])))
	}
	file, err := shellscript.ParseStrict(text)
	if err != nil {
		return "", nil
	}
	return text, file
}

// plainShell reports whether a SHELL is one of the system's, that reads no file when it starts.
func plainShell(shell []string) bool {
	if !slices.Contains(
		strings.Fields("sh bash ash dash /bin/sh /bin/bash /bin/ash /bin/dash /usr/bin/sh /usr/bin/bash"),
		shell[0],
	) {
		return false
	}
	return !slices.ContainsFunc(shell[1:], func(word string) bool {
		return !shellOption.MatchString(word) &&
			!slices.Contains([]string{"pipefail", "errexit", "nounset", "xtrace"}, word)
	})
}

// shellOption are options of a shell by which it reads no file.
var shellOption = regexp.MustCompile(`^-[ceuxo]+$`)

// Merge takes over what a command does.
func (e *Effects) Merge(o Effects) {
	e.Reads = append(e.Reads, o.Reads...)
	e.Writes = append(e.Writes, o.Writes...)
	e.Named = append(e.Named, o.Named...)
	e.Locks = append(e.Locks, o.Locks...)
	e.Perhaps = append(e.Perhaps, o.Perhaps...)
	e.Entered = append(e.Entered, o.Entered...)
	for dir, how := range o.Makes {
		if e.Makes == nil {
			e.Makes = map[string]string{}
		}
		e.Makes[dir] = how
	}
	for _, f := range o.Facts {
		if !slices.Contains(e.Facts, f) {
			e.Facts = append(e.Facts, f)
		}
	}
	if o.Opaque {
		e.opaque()
		if e.Why == "" {
			e.Why = o.Why
		}
	}
}

// reader goes through a shell script.
type reader struct {
	*state
	script   string
	cwd      string
	local    map[string]string // variables that the script sets, with their values
	begun    bool              // a command was read, beside those that begin the script: see Part.Options
	stops    bool              // the shell ends when a command fails ("set -e")
	stateful bool              // a later command may depend on the shell's state that an earlier one changed
}

// statement gives the parts of a statement: several only if they are joined by "&&". last says that the script ends
// with it.
func (r *reader) statement(stmt *syntax.Stmt, last bool) []Part {
	if b, ok := stmt.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.AndStmt && !stmt.Negated && !stmt.Background &&
		len(stmt.Redirs) == 0 {
		parts := append(r.statement(b.X, last), r.statement(b.Y, last)...)
		if !last { // the shell goes on where the first of them fails, whatever its options
			for i := range parts {
				parts[i].Divides = false
			}
		}
		return parts
	}
	part := Part{Start: int(stmt.Pos().Offset()), End: int(stmt.End().Offset())}
	call, simple := stmt.Cmd.(*syntax.CallExpr)
	simple = simple && len(call.Args) > 0 && !stmt.Negated && !stmt.Background && !stmt.Coprocess && !stmt.Disown
	if simple && stmt.Semicolon.IsValid() {
		part.End = len(strings.TrimRight(r.script[:stmt.Semicolon.Offset()], " \t\r\n"))
	}
	if simple && !r.begun && len(stmt.Redirs) == 0 && r.options(call) {
		part.Options = true
		return []Part{part}
	}
	part.Effects = r.command(stmt)
	if !r.begun && simple && literal(call.Args[0]) == "cd" && len(stmt.Redirs) == 0 && !part.Opaque {
		part.Options, r.stateful = true, false
		return []Part{part}
	}
	r.begun = true
	switch {
	case r.stateful:
	case r.stops: // within an "&&", "if" and the like the option does not hold
		part.Divides = simple
	default:
		part.Divides = last
	}
	return []Part{part}
}

// options reads a "set" of options, and no more.
func (r *reader) options(call *syntax.CallExpr) bool {
	if literal(call.Args[0]) != "set" || len(call.Assigns) > 0 {
		return false
	}
	var words []string
	for _, w := range call.Args[1:] {
		words = append(words, literal(w))
	}
	for i, w := range words {
		if !optionWord.MatchString(w) && (i == 0 || !takesName.MatchString(words[i-1]) || !optionName.MatchString(w)) {
			return false
		}
	}
	r.stops = r.stops || exitsOnError(words)
	return true
}

var (
	optionWord = regexp.MustCompile(`^-[abcefhmuvxBCEHPTo]+$`)
	takesName  = regexp.MustCompile(`^-[a-zA-Z]*o$`)
	optionName = regexp.MustCompile(`^[a-z]+$`)
)

// exitsOnError reports whether options of the shell have it end when a command fails.
func exitsOnError(words []string) bool {
	for i, w := range words {
		if optionWord.MatchString(w) && strings.Contains(w, "e") ||
			w == "errexit" && i > 0 && takesName.MatchString(words[i-1]) {
			return true
		}
	}
	return false
}

// command gives what one statement does.
func (r *reader) command(stmt *syntax.Stmt) Effects {
	var e Effects
	if stmt.Background || stmt.Coprocess || stmt.Disown {
		e.opaque()
		return e
	}
	if call, ok := stmt.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && literal(call.Args[0]) == "cd" {
		r.stateful = true
		from := r.cwd
		r.cwd = ""
		if len(call.Args) == 2 && len(call.Assigns) == 0 {
			if dir, ok := r.word(call.Args[1]); ok && dir != "-" && !strings.HasPrefix(dir, "~") &&
				(path.IsAbs(dir) || from != "") {
				if !path.IsAbs(dir) {
					dir = path.Join(from, dir)
				}
				r.cwd = r.resolve(path.Clean(dir))
				e.Reads, e.Entered = append(e.Reads, r.cwd), append(e.Entered, r.cwd)
				return e
			}
		}
		e.opaque()
		return e
	}
	if inner, ok := stmt.Cmd.(*syntax.Subshell); ok && !stmt.Negated && len(stmt.Redirs) == 0 {
		return r.subshell(inner)
	}
	r.node(&e, stmt)
	return e
}

// subshell gives what the commands of a subshell do, after which the directory and the variables are as before.
func (r *reader) subshell(shell *syntax.Subshell) (e Effects) {
	cwd, local, stateful, begun := r.cwd, maps.Clone(r.local), r.stateful, r.begun
	for _, stmt := range shell.Stmts {
		for _, part := range r.statement(stmt, false) {
			e.Merge(part.Effects)
			if part.Directory != "" {
				e.Directory = part.Directory
			}
			e.Packages = e.Packages || part.Packages
		}
	}
	r.cwd, r.local, r.stateful, r.begun = cwd, local, stateful, begun
	return e
}

// node adds what all commands beneath a node may do, in whatever order.
func (r *reader) node(e *Effects, node syntax.Node) {
	patterns := map[*syntax.Word]bool{} // of a case
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl, *syntax.ProcSubst, *syntax.CoprocClause, *syntax.DeclClause, *syntax.Subshell,
			*syntax.TestClause:
			e.opaque()
			return false
		case *syntax.Stmt:
			if n.Background || n.Coprocess || n.Disown {
				e.opaque()
			}
		case *syntax.CaseItem:
			for _, p := range n.Patterns {
				patterns[p] = true
			}
		case *syntax.Word:
			if !patterns[n] && globs(n) {
				r.glob(e, n)
			}
		case *syntax.ForClause:
			if iter, ok := n.Loop.(*syntax.WordIter); ok {
				r.local[iter.Name.Value] = unknown
			} else {
				e.opaque()
			}
		case *syntax.ParamExp:
			if n.Param != nil && slices.Contains([]string{"RANDOM", "SRANDOM", "SECONDS", "EPOCHSECONDS",
				"EPOCHREALTIME"}, n.Param.Value) {
				e.opaque() // what it makes is to be made anew with each change above, as it is with "date"
			}
			if n.Param != nil && (n.Param.Value == "PWD" || n.Param.Value == "OLDPWD") {
				e.Reads = append(e.Reads, "cwd")
			}
			if n.Param != nil && len(n.Param.Value) > 0 {
				if _, local := r.local[n.Param.Value]; !local {
					e.Reads = append(e.Reads, "env:"+n.Param.Value)
				}
			}
		case *syntax.Redirect:
			r.redirect(e, n)
		case *syntax.CallExpr:
			r.simple(e, n)
		}
		return true
	})
}

// redirect adds what a redirection reads or writes.
func (r *reader) redirect(e *Effects, n *syntax.Redirect) {
	if n.Word == nil || n.Hdoc != nil {
		r.stateful = r.stateful || n.Hdoc != nil // its text stands behind other commands
		return
	}
	target, ok := r.word(n.Word)
	switch {
	case n.Op == syntax.DplOut || n.Op == syntax.DplIn || n.Op == syntax.Hdoc || n.Op == syntax.DashHdoc ||
		n.Op == syntax.WordHdoc:
	case !ok:
		e.opaque()
	case target == "/dev/null" || target == "/dev/stderr" || target == "/dev/stdout":
	default:
		r.stateful = r.stateful || passing.MatchString(target)
		p, ok := r.path(e, target)
		if !ok || !r.sure(p) {
			e.opaque()
			return
		}
		if real := r.resolve(p); real != p { // by a link
			e.Reads, e.Writes = append(e.Reads, real), append(e.Writes, real)
		}
		if n.Op == syntax.RdrIn {
			e.Reads = append(e.Reads, p)
		} else {
			e.Writes = append(e.Writes, p)
		}
	}
}

// simple adds what a simple command may do.
func (r *reader) simple(e *Effects, n *syntax.CallExpr) {
	assigned := maps.Clone(r.local)
	for _, a := range n.Assigns {
		value := unknown
		if a.Value == nil && a.Array == nil && !a.Append {
			value = ""
		} else if a.Value != nil && !a.Append {
			if v, ok := r.word(a.Value); ok {
				value = v
			}
		}
		if len(n.Args) > 0 {
			assigned[a.Name.Value] = value // for this command only
			continue
		}
		r.local[a.Name.Value] = value
		r.stateful = true
	}
	if len(n.Args) == 0 {
		return
	}
	c := Call{}
	for _, w := range n.Args {
		text, ok := r.word(w)
		if !ok {
			text, c.Dynamic = unknown, true
			c.Loose = c.Loose || !quoted(w)
		}
		if !quoted(w) {
			c.Args = append(c.Args, splitKeeping(text)...)
		} else {
			c.Args = append(c.Args, text)
		}
	}
	if len(c.Args) > 0 {
		if c.Args[0] == "cd" {
			e.opaque()
		}
		if slices.Contains(stateful, c.Args[0]) {
			r.stateful = true
		}
		saved := r.state.cwd
		r.state.cwd = r.cwd
		o := r.state.call(c, assigned)
		r.state.cwd = saved
		if o.Directory != "" {
			e.Directory = o.Directory
		}
		e.Packages = e.Packages || o.Packages
		e.Merge(o)
	}
}

// stateful are known commands that change the shell, or end it.
var stateful = strings.Fields("set export unset exit exec")

// passing are files that one RUN does not leave to the next one.
var passing = regexp.MustCompile(`^/(dev|proc|sys)/`)

// extra is a package of pip's with extras, which looks like a pattern of the shell.
var extra = regexp.MustCompile(`^[A-Za-z0-9._-]+\[[A-Za-z0-9,_-]+\]([=<>~!].*)?$`)

// globs reports whether the shell looks for the files that a word means.
func globs(w *syntax.Word) bool {
	if w.Lit() == "[" || extra.MatchString(w.Lit()) {
		return false
	}
	return slices.ContainsFunc(w.Parts, func(p syntax.WordPart) bool {
		lit, ok := p.(*syntax.Lit)
		_, extended := p.(*syntax.ExtGlob)
		return extended || ok && strings.ContainsAny(lit.Value, "*?[")
	})
}

// glob reads the directory in which the shell looks.
func (r *reader) glob(e *Effects, w *syntax.Word) {
	text, ok := r.word(w)
	if !ok {
		e.Reads = append(e.Reads, "/")
		return
	}
	p, ok := r.path(e, text)
	if !ok {
		p = "/"
	}
	e.Reads = append(e.Reads, tree(p))
}

func splitKeeping(text string) []string {
	if fields := strings.Fields(text); len(fields) > 0 {
		return fields
	}
	return nil
}

func quoted(w *syntax.Word) bool {
	if len(w.Parts) != 1 {
		return false
	}
	_, single := w.Parts[0].(*syntax.SglQuoted)
	_, double := w.Parts[0].(*syntax.DblQuoted)
	return single || double
}

// literal gives a word without variables and the like, else "".
func literal(w *syntax.Word) string { return w.Lit() }

// word gives the value of a word, if it is known.
func (r *reader) word(w *syntax.Word) (string, bool) {
	var b strings.Builder
	var parts func(list []syntax.WordPart) bool
	parts = func(list []syntax.WordPart) bool {
		for _, p := range list {
			switch p := p.(type) {
			case *syntax.Lit:
				b.WriteString(strings.ReplaceAll(p.Value, `\`, ""))
			case *syntax.SglQuoted:
				b.WriteString(p.Value)
			case *syntax.DblQuoted:
				if !parts(p.Parts) {
					return false
				}
			case *syntax.ParamExp:
				if p.Param == nil || p.Exp != nil || p.Length || p.Index != nil || p.Slice != nil || p.Repl != nil ||
					p.Excl {
					return false
				}
				v, ok := r.local[p.Param.Value]
				if !ok {
					v, ok = r.env[p.Param.Value]
				}
				if !ok || v == unknown {
					return false
				}
				b.WriteString(v)
			default:
				return false
			}
		}
		return true
	}
	ok := parts(w.Parts)
	return b.String(), ok
}

// path makes a path absolute.
func (s *reader) path(e *Effects, p string) (string, bool) { return absolute(e, s.cwd, p) }

func absolute(e *Effects, cwd, p string) (string, bool) {
	if strings.HasPrefix(p, "~") { // of a user who is not known
		e.Reads, e.Writes = append(e.Reads, "/home/", "env:HOME"), append(e.Writes, "/home/")
		return "/root/", true
	}
	if path.IsAbs(p) {
		return upToGlob(path.Clean(p)), true
	}
	e.Reads = append(e.Reads, "cwd")
	if cwd == "" {
		return "", false
	}
	return upToGlob(path.Join(cwd, p)), true
}

// upToGlob gives the directory in which a pattern is looked up.
func upToGlob(p string) string {
	if n := strings.IndexAny(p, "*?[{"); n >= 0 {
		return tree(path.Dir(p[:n] + "x"))
	}
	return p
}

// versioned is the name of a program of one version of Python.
var versioned = regexp.MustCompile(`^(python|pip)\d[\d.]*$`)

// whyUnknown says why it is not known what a command of the table does, where nothing else says so.
func whyUnknown(c Call) string {
	if tool := tools.Of(c.Args[0]); tool != nil {
		if verb := tool.Verb(c.Args[1:]); verb != nil && (verb.Work == tools.Compile || verb.Work == tools.Test) {
			return "it compiles, tests or runs what the project holds"
		}
	}
	return "an option, a manifest or a setting is not known to be harmless"
}

// call gives the effects of one command. local are the variables that the script has set, and assigned those of this
// command.
func (s *state) call(c Call, local map[string]string) Effects {
	var e Effects
	for len(c.Args) > 0 && (c.Args[0] == "sudo" && !s.outside.sudo || c.Args[0] == "exec" ||
		c.Args[0] == "command" && len(c.Args) > 1 &&
			!strings.HasPrefix(c.Args[1], "-")) {
		c.Args = c.Args[1:]
	}
	if _, set := local["PATH"]; set || len(c.Args) == 0 || c.Args[0] == unknown {
		e.opaque()
		return e
	}
	c.cwd = s.cwd
	name := path.Base(c.Args[0])
	if c.Args[0] != name && !slices.Contains(searched, path.Dir(c.Args[0])) && c.Args[0] != "/usr/local/go/bin/go" {
		e.opaque() // a script, perhaps one that was copied
		e.Why = c.Args[0] + " is a program that may be the project's own"
		return e
	}
	if m := versioned.FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	c.Args = append([]string{name}, c.Args[1:]...)
	c.vars = s.variables(local)
	s.why, s.stamped = "", nil
	why := name + " is not in the table of commands"
	for _, known := range commands {
		if !slices.Contains(strings.Fields(known.Names), name) {
			continue
		}
		if s.steersShell(local) || !known.builtin && (s.outside.preload || !s.looksUp(&e, name, e.manager)) ||
			!known.effect(s, &e, c) ||
			e.manager && !s.looksUp(&e, name, true) {
			why = name + ": " + cmp.Or(s.why, whyUnknown(c))
			break
		}
		if known.Fact != "" {
			e.Facts = append(e.Facts, known.Fact)
		}
		s.through(&e)
		e.Reads = append(e.Reads, slices.Concat(s.stamped, s.outside.stamped)...)
		return e
	}
	e = Effects{Why: why}
	e.opaque()
	return e
}
