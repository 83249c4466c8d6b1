package dockerfile

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/source"
)

// Expander says who replaces a variable by its value.
type Expander int

// The expanders of variables.
const (
	Frontend Expander = iota // BuildKit, while it reads the Dockerfile
	Shell                    // the shell that runs the command, in the build or in the container
	Nobody                   // it stays as it stands there: exec forms, COPY --from and the like
)

// Variable is one use of a variable: "$V", "${V}" or "${V:-word}".
type Variable struct {
	Span source.Span
	Name Word
	// what stands between name and word: "", ":-", "-", ":+", "+", ":?", "?", "#", "##", "%", "%%", "/" or "//"
	Modifier string
	// the default, alternative, message or pattern, empty behind the name if there is none; variables in it follow in
	// the list on their own
	Word Word
	By   Expander
	// only ARGs above the first FROM and the platform arguments are known here: FROM and those ARGs themselves
	Global bool
}

// frontendFlags are the flags whose values BuildKit expands: the Expand methods in its instructions package, and FROM's
// platform.
var frontendFlags = map[string][]string{
	"ADD":  {"chown", "chmod", "checksum"},
	"COPY": {"chown", "chmod"},
	"FROM": {"platform"},
	"RUN":  {"mount"},
}

// Variables returns the uses of variables in an instruction, those of an ONBUILD's trigger as if it stood alone, in
// order of position, but those in heredoc bodies last. Which words BuildKit expands is told by the Expand methods of
// its instructions package and by dispatch in its dockerfile2llb: ARG's values but not its names, COPY's --chown but
// not its --from. An unfinished "${V" counts; of what the shell expands only names of variables do, not "$1" or "$(x)".
func Variables(in *Instruction) []Variable {
	if in.Trigger != nil {
		return Variables(in.Trigger)
	}
	line, header := in.logicalLine(), &in.spelt.header
	l := &lexer{line: line, escape: in.spelt.escape, global: in.Meant == "FROM" || in.Meant == "ARG" && in.Stage < 0}
	for i, f := range header.flags {
		l.by = Nobody
		for _, name := range frontendFlags[in.Meant] {
			if in.Flags[i].Name.Text == name {
				l.by = Frontend
			}
		}
		l.flag(f)
	}

	from, to := header.args[0], header.args[1]
	l.by = Frontend
	switch in.Meant {
	case "ADD", "COPY", "EXPOSE", "VOLUME":
		if in.JSON {
			l.json(from, to)
			break
		}
		for _, w := range plainWords(line.text, from, to) {
			l.plain(w[0], w[1])
		}
	case "FROM":
		for _, w := range plainWords(line.text, from, to) {
			l.plain(w[0], w[1])
			l.by = Nobody // the stage's name
		}
	case "ARG":
		for _, w := range quotedWords(line.text, from, to, l.escape) {
			if n := strings.IndexByte(line.text[w[0]:w[1]], '='); n >= 0 {
				l.plain(w[0]+n+1, w[1])
			}
		}
	case "ENV", "LABEL":
		words := quotedWords(line.text, from, to, l.escape)
		if len(words) > 0 && !strings.Contains(line.text[words[0][0]:words[0][1]], "=") {
			words = [][2]int{{from, to}} // the old form: name, space, value
		}
		for _, w := range words {
			l.plain(w[0], w[1])
		}
	case "STOPSIGNAL", "USER", "WORKDIR":
		l.plain(from, to)
	case "CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN", "SHELL":
		if l.by = Shell; in.JSON {
			l.by = Nobody
			l.json(from, to)
			break
		}
		l.escape = '\\' // the shell's, whatever the file's
		l.plain(from, to)
	}

	if in.Node == nil {
		return l.found
	}
	for i, doc := range in.Heredocs {
		if i == len(in.Node.Heredocs) {
			break
		}
		l.escape = '\\' // always, in heredocs
		switch {
		case in.Meant == "RUN" && (doc.Expand || in.ArgsSpan.Start == doc.Start.Start):
			l.by, l.literal = Shell, false // "RUN <<'EOF'" hands the body to the shell as its script
		case in.Meant != "RUN" && doc.Expand:
			l.by, l.literal = Frontend, true
		default:
			continue
		}
		l.text, l.at = in.Node.Heredocs[i].Content, nil
		l.line, l.base = &logical{text: l.text, base: doc.Body.Start, pieces: []piece{{}}}, 0
		l.scan(0, 0)
	}
	return l.found
}

// lexer finds variables as BuildKit's shell.Lex does.
type lexer struct {
	line    *logical
	escape  byte
	by      Expander
	global  bool
	literal bool // quotes mean nothing

	text  string // what is looked through
	base  int    // where it lies in line
	at    []int  // of each of its bytes, where it lies in line, if not in one piece
	found []Variable
}

func (l *lexer) plain(from, to int) {
	l.text, l.base, l.at = l.line.text[from:to], from, nil
	l.scan(0, 0)
}

// flag looks through a flag's value, whose quotes and escapes BuildKit has removed by the time it expands it.
func (l *lexer) flag(f [2]int) {
	value := f[1]
	if n := strings.IndexByte(l.line.text[f[0]:f[1]], '='); n >= 0 {
		value = f[0] + n + 1
	}
	l.text, l.at = unquote(l.line.text, value, f[1], l.escape)
	l.scan(0, 0)
}

// json looks through the strings of a JSON array.
func (l *lexer) json(from, to int) {
	for _, w := range jsonWords(l.line.text, from, to) {
		raw := l.line.text[w[0]:w[1]]
		var text []byte
		var at []int
		for i := 1; i < len(raw)-1; {
			n := 1
			if raw[i] == '\\' {
				if n = 2; raw[i+1] == 'u' {
					n = min(6, len(raw)-1-i)
				}
			}
			var s string
			if n == 1 {
				s = raw[i : i+1]
			} else if json.Unmarshal([]byte(`"`+raw[i:i+n]+`"`), &s) != nil {
				s = raw[i : i+n]
			}
			for j := range len(s) {
				text, at = append(text, s[j]), append(at, w[0]+min(i+j, i+n-1))
			}
			i += n
		}
		l.text, l.at = string(text), at
		l.scan(0, 0)
	}
}

// place returns the word l.text[from:to].
func (l *lexer) place(from, to int) Word {
	where := func(i int) int {
		switch {
		case l.at == nil:
			return l.base + i
		case i < len(l.at):
			return l.at[i]
		case len(l.at) > 0:
			return l.at[len(l.at)-1] + 1
		}
		return l.base
	}
	if from == to {
		at := l.line.offset(where(from))
		return Word{Span: source.Span{Start: at, End: at}}
	}
	return Word{l.line.span(where(from), where(to-1)+1), l.text[from:to]}
}

// scan looks through l.text from i on up to the stop character, if any, and returns where it is or the text's end.
func (l *lexer) scan(i int, stop byte) int {
	for i < len(l.text) {
		switch c := l.text[i]; {
		case stop != 0 && c == stop:
			return i
		case c == '$':
			i = l.dollar(i)
		case c == '\'' && !l.literal:
			n := strings.IndexByte(l.text[i+1:], '\'')
			if n < 0 {
				return len(l.text)
			}
			i += n + 2
		case c == '"' && !l.literal:
			i = l.doubleQuoted(i + 1)
		case c == l.escape:
			i += 2
		default:
			i++
		}
	}
	return len(l.text)
}

func (l *lexer) doubleQuoted(i int) int {
	for i < len(l.text) {
		switch c := l.text[i]; {
		case c == '"':
			return i + 1
		case c == '$':
			i = l.dollar(i)
		case c == l.escape && i+1 < len(l.text) && (l.text[i+1] == '"' || l.text[i+1] == '$' || l.text[i+
			1] == l.escape):
			i += 2
		default:
			i++
		}
	}
	return i
}

// dollar reads the variable at l.text[start], a '$', and returns where it ends. See processDollar in BuildKit's shell
// package.
func (l *lexer) dollar(start int) int {
	open := start + 1
	braced := open < len(l.text) && l.text[open] == '{'
	if braced {
		open++
	}
	end := open + nameLength(l.text[open:])
	if end == open || l.by == Shell && !isName(l.text[open:end]) {
		return max(end, start+1)
	}
	v := Variable{Name: l.place(open, end), By: l.by, Global: l.global}
	v.Word.Span = source.Span{Start: v.Name.Span.End, End: v.Name.Span.End}
	at := len(l.found)
	l.found = append(l.found, v) // before those in its word
	if braced {
		end = l.modifier(&v, end)
	}
	v.Span = l.place(start, end).Span
	l.found[at] = v
	return end
}

// modifier reads what follows the name in "${name", and returns where the variable ends.
func (l *lexer) modifier(v *Variable, i int) int {
	from := i
	if i < len(l.text) && l.text[i] == ':' {
		i++
	}
	if i == len(l.text) {
		return i
	}
	word := i + 1
	switch c := l.text[i]; c {
	case '}':
		return i + 1
	case '-', '+', '?':
	case '#', '%', '/':
		if word < len(l.text) && l.text[word] == c {
			word++
		}
		if c == '/' {
			i = min(l.scan(word, '/')+1, len(l.text))
		}
	default:
		return i // nothing that BuildKit knows
	}
	end := l.scan(max(word, i), '}')
	v.Modifier, v.Word = l.text[from:word], l.place(word, end)
	return min(end+1, len(l.text))
}

// nameLength returns the length of the variable's name that text begins with: processName in BuildKit's shell package.
func nameLength(text string) int {
	for i, c := range text {
		switch {
		case i == 0 && unicode.IsDigit(c):
			return len(text) - len(strings.TrimLeftFunc(text, unicode.IsDigit))
		case i == 0 && strings.ContainsRune("@*#?-$!", c):
			return utf8.RuneLen(c)
		case !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_':
			return i
		}
	}
	return len(text)
}

// isName reports whether a shell takes name for a variable that has been set by name.
func isName(name string) bool {
	c := name[0]
	return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// EverySet is an environment in which every variable has a value, so that "${A:?}" is content.
type EverySet struct{}

// Get gives a value for every name.
func (EverySet) Get(string) (string, bool) { return "x", true }

// Keys gives none.
func (EverySet) Keys() []string { return nil }

// SubstitutionError says for people what BuildKit's shell.Lex says of a word: where the text ends, its message has the
// character that stands for that.
func SubstitutionError(message string) string {
	return strings.Replace(message, "unsupported modifier (\uFFFD) in substitution", "missing '}'", 1)
}
