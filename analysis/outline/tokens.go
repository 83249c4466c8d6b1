package outline

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
	"mvdan.cc/sh/v3/syntax"
)

// TokenType says what a piece of text is. The names are those of the Language Server Protocol's semantic tokens.
type TokenType int

// The types of tokens.
const (
	NoToken   TokenType = iota
	Keyword             // an instruction, AS, a directive's kind of sub-command, a word of the shell's grammar
	Comment             // also the "#" of a directive
	Parameter           // a flag's name; an argument of an instruction; an option of a command
	// a flag's value; a directive's name; an image's tag and digest; a member of an object in PowerShell
	Property
	Stage // a stage's name: "namespace"
	Image // also a type of PowerShell's: "class"
	Macro // an escape character at a line's end; a heredoc's delimiter
	String
	Var      // "variable"
	Operator // "=", "<<", "&&", a variable's modifier
	Command  // a shell command's name: "function"
	Number
)

// TokenTypes are the protocol's names of the types from Keyword on.
var TokenTypes = []string{
	"keyword", "comment", "parameter", "property", "namespace", "class", "macro", "string", "variable", "operator",
	"function", "number",
}

// The modifiers of tokens, as bits.
const (
	Declaration = 1 << iota
	Deprecated
)

// TokenModifiers are the protocol's names of the modifiers, from the lowest bit on.
var TokenModifiers = []string{"declaration", "deprecated"}

// Token is a piece of text of one type, within one line.
type Token struct {
	Span      source.Span
	Type      TokenType
	Modifiers int
}

// Tokens returns what the pieces of a file are, in order; they do not overlap.
func Tokens(file *dockerfile.File, names *navigate.Index) []Token {
	p := &painter{
		file:  file,
		names: names,
		text:  file.Text.String(),
		coats: make([]int32, file.Text.Len()),
		used:  []Token{{}},
	}
	p.languages = shellscript.Languages(file, names.Bases)
	for _, c := range file.Comments {
		p.paint(c.Span, Comment, 0)
	}
	for _, d := range file.Directives {
		p.paint(source.Span{Start: d.Span.Start, End: d.Name.Span.Start}, Comment, 0)
		p.paint(d.Name.Span, Property, 0)
		p.operator(source.Span{Start: d.Name.Span.End, End: d.Value.Span.Start}, "=")
		p.paint(d.Value.Span, Parameter, 0)
	}
	for _, in := range file.Instructions {
		p.instruction(in, in)
	}
	return p.tokens()
}

// painter lays types over the text, one coat over the other; the last counts.
type painter struct {
	file  *dockerfile.File
	names *navigate.Index
	text  string
	coats []int32 // for each byte an index into used
	used  []Token // the spans are not kept
	// languages tells how the shell of an instruction reads commands.
	languages func(*dockerfile.Instruction) shellscript.Language
}

func (p *painter) paint(span source.Span, t TokenType, modifiers int) {
	if span.Start < 0 || span.End > len(p.coats) || span.Start >= span.End {
		return
	}
	p.used = append(p.used, Token{Type: t, Modifiers: modifiers})
	for i := span.Start; i < span.End; i++ {
		p.coats[i] = int32(len(p.used) - 1)
	}
}

// operator paints a string where it stands within a span.
func (p *painter) operator(span source.Span, op string) {
	if span.Start > span.End {
		return
	}
	if n := strings.Index(p.text[span.Start:span.End], op); n >= 0 {
		p.paint(source.Span{Start: span.Start + n, End: span.Start + n + len(op)}, Operator, 0)
	}
}

// instruction paints an instruction, or the trigger of whole.
func (p *painter) instruction(in, whole *dockerfile.Instruction) {
	modifiers := 0
	if in.Meant == "MAINTAINER" {
		modifiers = Deprecated
	}
	p.paint(in.Keyword.Span, Keyword, modifiers)
	for _, f := range in.Flags {
		p.flag(f)
	}
	if in.Meant == "RUN" {
		p.mounts(in)
	}
	for _, a := range in.Args {
		p.argument(in, a)
	}
	if in.Meant == "ONBUILD" && in.Trigger != nil {
		p.instruction(in.Trigger, whole)
		return
	}
	p.ofInstruction(in)
	read := p.script(in, whole)
	for _, v := range dockerfile.Variables(in) {
		if v.By == dockerfile.Frontend || v.By == dockerfile.Shell && !read {
			p.variable(v)
		}
	}
	p.stagesAndHeredocs(in)
	p.continuations(in)
	for _, c := range in.Comments {
		p.paint(c.Span, Comment, 0)
	}
}

// ofInstruction paints what an instruction has that others have not.
func (p *painter) ofInstruction(in *dockerfile.Instruction) {
	switch in.Meant {
	case "ARG", "ENV":
		p.definitions(in)
	case "FROM":
		p.from(in)
	case "HEALTHCHECK":
		if len(in.Args) > 0 && !strings.HasPrefix(in.Args[0].Text, "[") {
			p.paint(in.Args[0].Span, Keyword, 0)
		}
	case "LABEL":
		for _, a := range in.Args {
			if n := strings.IndexByte(a.Text, '='); n > 0 && a.Text[0] != '"' && a.Text[0] != '\'' {
				p.operator(a.Span, "=")
			}
		}
	}
}

// script paints the heredocs of an instruction, and what a shell reads in it. read reports whether that is known.
func (p *painter) script(in, whole *dockerfile.Instruction) (read bool) {
	script, language := shellscript.Read(p.file, in, p.languages(whole))
	if language == shellscript.Unknown {
		script = nil
	}
	p.heredocs(in, script)
	if script == nil {
		return false
	}
	if language != shellscript.Bash {
		p.pieces(script, language)
		return true
	}
	parsed, err := script.Parse()
	if err != nil || parsed == nil {
		return false
	}
	shellPainter{p, script}.whole(parsed)
	return true
}

// stagesAndHeredocs paints the names of stages and heredocs.
func (p *painter) stagesAndHeredocs(in *dockerfile.Instruction) {
	for _, o := range p.occurrences(in.Span) {
		switch {
		case o.Symbol.Kind == navigate.Heredoc:
			p.paint(o.Span, Macro, 0)
		case o.Symbol.Kind == navigate.Stage && o.Access == navigate.Write:
			p.paint(o.Span, Stage, Declaration)
		case o.Symbol.Kind == navigate.Stage:
			p.paint(o.Span, Stage, 0)
		}
	}
}

// occurrences returns what is named within a span.
func (p *painter) occurrences(span source.Span) []*navigate.Occurrence {
	list := p.names.Occurrences
	from, to := 0, len(list)
	for from < to {
		if middle := (from + to) / 2; list[middle].Span.Start < span.Start {
			from = middle + 1
		} else {
			to = middle
		}
	}
	for to = from; to < len(list) && list[to].Span.Start < span.End; to++ {
	}
	return list[from:to]
}

func (p *painter) flag(f dockerfile.Flag) {
	p.paint(source.Span{Start: f.Span.Start, End: f.Name.Span.End}, Parameter, 0)
	if !f.HasValue {
		return
	}
	p.operator(source.Span{Start: f.Name.Span.End, End: f.Span.End}, "=")
	p.paint(f.Value.Span, Property, 0)
}

// mounts paints the keys and values in the flags that mount something.
func (p *painter) mounts(in *dockerfile.Instruction) {
	for _, m := range in.Mounts() {
		p.paint(in.Flags[m.Flag].Value.Span, NoToken, 0)
		for _, field := range m.Fields {
			p.paint(field.Key.Span, Parameter, 0)
			if field.HasValue {
				p.paint(source.Span{Start: field.Key.Span.End, End: field.Value.Span.Start}, Operator, 0)
				p.paint(field.Value.Span, Property, 0)
			}
		}
	}
}

// argument paints an argument, and the strings in it.
func (p *painter) argument(in *dockerfile.Instruction, a dockerfile.Word) {
	p.paint(a.Span, Parameter, 0)
	if in.JSON {
		p.paint(a.Span, String, 0)
		return
	}
	switch in.Meant {
	case "ADD", "COPY", "EXPOSE", "FROM", "VOLUME": // quotes mean nothing there
		return
	}
	for i := a.Span.Start; i < a.Span.End; i++ {
		switch c := p.text[i]; c {
		case p.file.Escape:
			i++
		case '"', '\'':
			end := i + 1
			for end < a.Span.End && p.text[end] != c {
				if p.text[end] == p.file.Escape && c == '"' {
					end++
				}
				end++
			}
			p.paint(source.Span{Start: i, End: min(end+1, a.Span.End)}, String, 0)
			i = end
		}
	}
}

func (p *painter) definitions(in *dockerfile.Instruction) {
	for _, o := range p.occurrences(in.Span) {
		if o.Access == navigate.Write {
			p.paint(o.Span, Var, Declaration)
			if o.Span.End < len(p.text) && p.text[o.Span.End] == '=' {
				p.paint(source.Span{Start: o.Span.End, End: o.Span.End + 1}, Operator, 0)
			}
		}
	}
}

func (p *painter) from(in *dockerfile.Instruction) {
	if len(in.Args) == 0 {
		return
	}
	base := in.Args[0]
	p.paint(base.Span, Image, 0)
	if p.file.Text.Slice(base.Span) == base.Text {
		name, _, _ := strings.Cut(base.Text, "@")
		if digest := len(name); digest < len(base.Text) {
			p.paint(source.Span{Start: base.Span.Start + digest, End: base.Span.End}, Property, 0)
			p.paint(source.Span{Start: base.Span.Start + digest, End: base.Span.Start + digest + 1}, NoToken, 0)
		}
		if tag := strings.LastIndexByte(name, ':'); tag > strings.LastIndexByte(name, '/') &&
			!strings.Contains(name, "${") {
			p.paint(source.Span{Start: base.Span.Start + tag, End: base.Span.Start + len(name)}, Property, 0)
			p.paint(source.Span{Start: base.Span.Start + tag, End: base.Span.Start + tag + 1}, NoToken, 0)
		}
	}
	if len(in.Args) > 1 && strings.EqualFold(in.Args[1].Text, "as") {
		p.paint(in.Args[1].Span, Keyword, 0)
		if len(in.Args) > 2 {
			p.paint(in.Args[2].Span, Stage, Declaration)
		}
	}
}

// variable paints a use of a variable: the word of a default keeps what it is.
func (p *painter) variable(v dockerfile.Variable) {
	if v.Modifier == "" {
		p.paint(v.Span, Var, 0)
		return
	}
	p.paint(source.Span{Start: v.Span.Start, End: v.Name.Span.End}, Var, 0)
	p.paint(source.Span{Start: v.Name.Span.End, End: v.Name.Span.End + len(v.Modifier)}, Operator, 0)
	if end := v.Span.End; end > v.Word.Span.End && p.text[end-1] == '}' {
		p.paint(source.Span{Start: end - 1, End: end}, Var, 0)
	}
}

// heredocs paints the bodies as strings; those that a shell reads are painted over.
func (p *painter) heredocs(in *dockerfile.Instruction, script *shellscript.Script) {
	for _, doc := range in.Heredocs {
		p.paint(doc.Start, Operator, 0)
		p.paint(doc.NameSpan, Macro, 0)
		if script == nil || len(in.Heredocs) > 1 || in.ArgsSpan.Start != doc.Start.Start {
			p.paint(doc.Body, String, 0)
		}
		p.paint(doc.Terminator, Macro, 0)
	}
}

// continuations paints the escape characters at the ends of lines.
func (p *painter) continuations(in *dockerfile.Instruction) {
	end := in.Span.End
	if len(in.Heredocs) > 0 {
		end = in.Heredocs[0].Body.Start
	}
	last := p.file.Text.LineAt(end)
	if len(in.Heredocs) > 0 {
		last--
	}
	for line := p.file.Text.LineAt(in.Span.Start); line <= last; line++ { // the file may end behind a continuation
		span := p.file.Text.Line(line)
		text := strings.TrimRight(p.text[min(max(span.Start, in.Span.Start), span.End):span.End], " \t\r")
		if n := len(text); n > 0 && text[n-1] == p.file.Escape && (n < 2 || text[n-2] != p.file.Escape) &&
			strings.TrimLeft(text, " \t")[0] != '#' {
			at := max(span.Start, in.Span.Start) + n - 1
			p.paint(source.Span{Start: at, End: at + 1}, Macro, 0)
		}
	}
}

// shellPainter paints what a shell reads.
type shellPainter struct {
	*painter
	read *shellscript.Script
}

// at paints what stands at a position.
func (p shellPainter) at(pos syntax.Pos, length int, t TokenType) {
	if pos.IsValid() && !pos.IsRecovered() {
		p.paint(p.read.Place(int(pos.Offset()), int(pos.Offset())+length), t, 0)
	}
}

func (p shellPainter) node(n syntax.Node, t TokenType) { p.paint(p.read.Span(n), t, 0) }

// reserved paints the one of the words that stands at a position.
func (p shellPainter) reserved(pos syntax.Pos, words ...string) {
	for _, w := range words {
		if pos.IsValid() && strings.HasPrefix(p.read.Text[min(int(pos.Offset()), len(p.read.Text)):], w) {
			p.at(pos, len(w), Keyword)
		}
	}
}

// whole paints a whole script.
func (p shellPainter) whole(file *syntax.File) {
	p.paint(p.read.Place(0, len(p.read.Text)), NoToken, 0) // what was taken for arguments
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Comment:
			p.node(n, Comment)
		case *syntax.Stmt:
			p.statement(n)
		case *syntax.CallExpr:
			p.call(n)
		case *syntax.Assign:
			p.assignment(n)
		case *syntax.DeclClause:
			p.node(n.Variant, Keyword)
		case *syntax.BinaryCmd:
			p.at(n.OpPos, len(n.Op.String()), Operator)
		case *syntax.Redirect:
			p.redirection(n)
		case *syntax.IfClause:
			p.reserved(n.Position, "if", "elif", "else")
			p.reserved(n.ThenPos, "then")
			p.reserved(n.FiPos, "fi")
		case *syntax.WhileClause:
			p.reserved(n.WhilePos, "while", "until")
			p.reserved(n.DoPos, "do")
			p.reserved(n.DonePos, "done")
		case *syntax.ForClause:
			p.forClause(n)
		case *syntax.CaseClause:
			p.caseClause(n)
		case *syntax.FuncDecl:
			p.paint(p.read.Span(n.Name), Command, Declaration)
			p.at(n.Name.End(), len("()"), Operator)
		case *syntax.Subshell:
			p.at(n.Lparen, 1, Operator)
			p.at(n.Rparen, 1, Operator)
		case *syntax.Block:
			p.at(n.Lbrace, 1, Operator)
			p.at(n.Rbrace, 1, Operator)
		case *syntax.TestClause:
			p.at(n.Left, 2, Operator)
			p.at(n.Right, 2, Operator)
		case *syntax.BinaryTest:
			p.at(n.OpPos, len(n.Op.String()), Operator)
		case *syntax.UnaryTest:
			p.at(n.OpPos, len(n.Op.String()), Operator)
		case *syntax.SglQuoted, *syntax.DblQuoted:
			p.node(n, String)
		case *syntax.CmdSubst:
			p.substitution(n)
		case *syntax.ArithmExp:
			p.node(n, Number)
		case *syntax.ParamExp:
			p.parameter(n)
		}
		return true
	})
}

func (p shellPainter) statement(n *syntax.Stmt) {
	if n.Semicolon.IsValid() {
		p.at(n.Semicolon, 1, Operator)
	}
	if n.Negated {
		p.at(n.Position, 1, Operator)
	}
}

// word paints an option. Any other word of a shell is plain text, but for what else stands in it.
func (p shellPainter) word(w *syntax.Word) {
	t := NoToken
	if first, ok := w.Parts[0].(*syntax.Lit); ok && isOption(first.Value) {
		t = Parameter
	}
	p.node(w, t)
}

// isOption reports whether a word of a shell is one that a command takes for an option: not a lone "-" or "--".
func isOption(word string) bool { return len(word) > 1 && word[0] == '-' && word != "--" }

func (p shellPainter) call(n *syntax.CallExpr) {
	for i, w := range n.Args {
		if p.word(w); i == 0 {
			p.node(w, Command)
		}
	}
}

func (p shellPainter) assignment(n *syntax.Assign) {
	if n.Name != nil {
		p.paint(p.read.Span(n.Name), Var, Declaration)
		if n.Value != nil || n.Array != nil {
			p.at(n.Name.End(), 1, Operator)
		}
	}
	if n.Value != nil {
		p.node(n.Value, NoToken)
	}
}

func (p shellPainter) redirection(n *syntax.Redirect) {
	p.at(n.OpPos, len(n.Op.String()), Operator)
	if n.Word != nil && n.Hdoc == nil {
		p.node(n.Word, NoToken)
	}
}

func (p shellPainter) forClause(n *syntax.ForClause) {
	p.reserved(n.ForPos, "for", "select")
	p.reserved(n.DoPos, "do")
	p.reserved(n.DonePos, "done")
	if loop, ok := n.Loop.(*syntax.WordIter); ok {
		p.paint(p.read.Span(loop.Name), Var, Declaration)
		p.reserved(loop.InPos, "in")
		for _, w := range loop.Items {
			p.node(w, NoToken)
		}
	}
}

func (p shellPainter) caseClause(n *syntax.CaseClause) {
	p.node(n.Word, NoToken)
	p.reserved(n.Case, "case")
	p.reserved(n.In, "in")
	p.reserved(n.Esac, "esac")
	for _, item := range n.Items {
		for _, w := range item.Patterns {
			p.node(w, String)
		}
		if item.OpPos.IsValid() {
			p.at(item.OpPos, len(item.Op.String()), Operator)
		}
	}
}

func (p shellPainter) substitution(n *syntax.CmdSubst) {
	open := 2 // "$("
	if n.Backquotes {
		open = 1
	}
	p.node(n, NoToken)
	p.at(n.Left, open, Operator)
	p.at(n.Right, 1, Operator)
}

// parameter paints a variable of the shell, as variable does.
func (p shellPainter) parameter(n *syntax.ParamExp) {
	if n.Short || n.Param == nil || n.Exp == nil {
		p.node(n, Var)
		return
	}
	from, name, to := int(n.Pos().Offset()), int(n.Param.End().Offset()), int(n.End().Offset())
	p.paint(p.read.Place(from, name), Var, 0)
	p.paint(p.read.Place(name, name+len(n.Exp.Op.String())), Operator, 0)
	p.paint(p.read.Place(to-1, to), Var, 0)
}

// kinds are the types of the pieces of scripts that are not parsed.
var kinds = map[shellscript.Kind]TokenType{
	shellscript.Argument: NoToken, shellscript.Command: Command, shellscript.Keyword: Keyword,
	shellscript.Comment: Comment, shellscript.String: String,
	shellscript.Variable: Var, shellscript.Operator: Operator, shellscript.Number: Number, shellscript.Type: Image,
	shellscript.Member: Property,
}

// cmdOption is an option of a command of cmd, as in "del /q".
var cmdOption = regexp.MustCompile(`^/[A-Za-z?]+(:.*)?$`)

// pieces paints what a shell reads whose language is not parsed.
func (p *painter) pieces(script *shellscript.Script, language shellscript.Language) {
	p.paint(script.Place(0, len(script.Text)), NoToken, 0) // what was taken for arguments
	for _, piece := range shellscript.Pieces(script.Text, language) {
		t, modifiers := kinds[piece.Kind], 0
		if word := script.Text[piece.From:piece.To]; piece.Kind == shellscript.Argument &&
			(isOption(word) || language == shellscript.Cmd && cmdOption.MatchString(word)) {
			t = Parameter
		}
		if piece.Set {
			modifiers = Declaration
		}
		p.paint(script.Place(piece.From, piece.To), t, modifiers)
	}
}

// tokens returns what the coats show, line by line and without the white space at the ends of lines.
func (p *painter) tokens() []Token {
	var out []Token
	blank := func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }
	for _, span := range p.file.Text.Lines() {
		for i := span.Start; i < span.End; {
			coat := p.coats[i]
			start := i
			for i < span.End && p.coats[i] == coat {
				i++
			}
			t := p.used[coat]
			if t.Type == NoToken {
				continue
			}
			t.Span = source.Span{Start: start, End: i}
			for t.Span.Start < t.Span.End && blank(p.text[t.Span.Start]) {
				t.Span.Start++
			}
			for t.Span.End > t.Span.Start && blank(p.text[t.Span.End-1]) {
				t.Span.End--
			}
			if t.Span.Len() > 0 {
				out = append(out, t)
			}
		}
	}
	return out
}
