package rules

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// lostLines returns the unknown instructions that rather are lost continuations, each with the instruction that they
// belong to.
func (p *pass) lostLines() map[*dockerfile.Instruction]*dockerfile.Instruction {
	lost := map[*dockerfile.Instruction]*dockerfile.Instruction{}
	var head *dockerfile.Instruction
	for i, in := range p.file().Instructions {
		if head != nil {
			for _, problem := range in.Problems {
				if problem.Kind == dockerfile.UnknownInstruction && problem.Span.Start == in.Keyword.Span.Start &&
					p.continues(head, p.file().Instructions[i-1], in, problem) {
					lost[in] = head
				}
			}
		}
		if lost[in] == nil {
			if head = in; isUnknown(in) {
				head = nil
			}
		}
	}
	return lost
}

// isUnknown reports whether an instruction's own keyword is none.
func isUnknown(in *dockerfile.Instruction) bool {
	for _, problem := range in.Problems {
		if problem.Kind == dockerfile.UnknownInstruction && problem.Span.Start == in.Keyword.Span.Start {
			return true
		}
	}
	return false
}

// continues reports whether in rather is a lost continuation of head, whose last line is above's, than an instruction.
func (p *pass) continues(head, above, in *dockerfile.Instruction, problem dockerfile.Problem) bool {
	if len(head.Heredocs) > 0 || len(above.Heredocs) > 0 {
		return false // what has a heredoc cannot be continued
	}
	for line := p.Text.LineAt(above.Span.End) + 1; line < p.Text.LineAt(in.Span.Start); line++ {
		if !strings.HasPrefix(strings.TrimSpace(p.Text.Slice(p.Text.Line(line))), "#") {
			return false
		}
	}
	if why, _ := p.spoiltEscape(above); why != "" {
		return true
	}
	word := p.Text.Slice(problem.Span)
	if p.standsAlone(in, word) || p.otherEscape(above) {
		return false
	}
	deeper := p.indent(in) > p.indent(head)
	switch head.Meant {
	case "RUN":
		if is, decided := p.continuesRun(head, above, in, word, len(problem.Suggestions) == 0); decided {
			return is
		}
	case "ENV", "LABEL", "ARG":
		return pair.MatchString(word) && (deeper || head.EndLine > head.Line)
	case "EXPOSE":
		return portWord.MatchString(word)
	case "ADD", "COPY", "VOLUME":
		alone := head.Meant != "VOLUME" && len(head.Args) == 1 && len(in.Args) == 0 // a destination, and there is none
		if (deeper || alone) && len(problem.Suggestions) == 0 && strings.ContainsAny(word, "/.*") {
			return true
		}
	}
	return p.opensArray(head) && strings.ContainsAny(word[:1], `"']`)
}

// continuesRun is continues for a RUN, if that can be decided. strange says that the word is like no instruction.
func (p *pass) continuesRun(head, above, in *dockerfile.Instruction, word string, strange bool) (is, decided bool) {
	deeper, open := p.indent(in) > p.indent(head), endsInOperator(p.file(), above)
	switch {
	case p.ended(head, above, in) && isCommand(strings.ToLower(word)) && !startsWithOperator(word):
		return false, true // rather, RUN is missing
	case !deeper && len(in.Args) == 0 && assignment.MatchString(word) && !open:
		return false, true // rather, ENV is missing
	case open || startsWithOperator(word) || isCommand(word) || shellCommands[word]:
		return true, true
	case strange:
		return deeper || word == strings.ToLower(word) ||
			strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) }), true
	}
	return false, false
}

// standsAlone reports whether an unknown word clearly begins a line of its own.
func (p *pass) standsAlone(in *dockerfile.Instruction, word string) bool {
	keyword, _ := assigned(word)
	if bare := strings.Trim(word, openingQuotes); bare != word && keywords[bare] {
		return true
	}
	return keyword != "" || otherInstructions[word] != "" || strings.HasPrefix(word, "//") ||
		keywordBehind(word) != "" || pastedLine.MatchString(p.Text.Slice(p.Text.Line(in.Line-1)))
}

var (
	pair     = regexp.MustCompile(`^["']?[A-Za-z_][A-Za-z0-9_.-]*["']?=`)
	portWord = regexp.MustCompile(`^[0-9]+(-[0-9]+)?(/[a-z]+)?$`)
)

// opensArray reports whether the arguments begin a JSON array that does not end.
func (p *pass) opensArray(in *dockerfile.Instruction) bool {
	args := p.Text.Slice(in.ArgsSpan)
	return strings.HasPrefix(args, "[") && !strings.HasSuffix(strings.TrimRight(args, " \t"), "]") &&
		!json.Valid([]byte(args))
}

// indent is how far from its line's start an instruction begins, a tab counting as one.
func (p *pass) indent(in *dockerfile.Instruction) int {
	return in.Span.Start - p.Text.LineStart(p.Text.LineAt(in.Span.Start))
}

// spoiltEscape says why the escape character at the end of an instruction's last line does not continue the line, "" if
// there is none, and what fixes it.
func (p *pass) spoiltEscape(in *dockerfile.Instruction) (why string, fixes []analysis.Fix) {
	last := p.Text.Line(p.Text.LineAt(in.Span.End))
	last.Start = max(last.Start, in.Span.Start)
	text, escape, name := p.Text.Slice(last), string(p.Escape), p.escapeName()
	trimmed := strings.TrimRightFunc(text, func(r rune) bool { return unicode.IsSpace(r) || invisible(r) })
	plain := strings.TrimRight(text, " \t\r")
	end := last.Part(max(0, len(plain)-1), len(plain))
	switch {
	case strings.HasSuffix(trimmed, escape) && len(plain) > len(trimmed):
		odd, _ := utf8.DecodeLastRuneInString(plain)
		return fmt.Sprintf("%s stands behind the %s", characterName(odd), name),
			change("Remove what stands behind the "+name, last.Part(len(trimmed), len(text)), "", true)
	case strings.HasSuffix(plain, escape+escape):
		two := map[byte]string{'\\': "two backslashes", '`': "two backticks"}[p.Escape]
		return two + " do not continue it", change("Remove the second "+name, end, "", true)
	case otherEnd.MatchString(plain) && p.Escape == '\\' && (in.Meant == "RUN" || in.Meant == "ENV" ||
		in.Meant == "LABEL"):
		return plain[len(plain)-1:] + " is not a backslash", change("Change it to a backslash", end, escape, true)
	}
	if m := behindEscape.FindStringSubmatchIndex(text); m != nil && text[m[2]:m[3]] == escape && balanced(text[:m[2]]) {
		return fmt.Sprintf("a comment stands behind the %s", name), change("Move the comment to a line of its own",
			last.Part(m[3], m[4]), p.newline+p.margin(in), true)
	}
	return "", nil
}

// otherEnd is a character at a line's end that continues it in other shells, or that looks like one that does.
var otherEnd = regexp.MustCompile("[ \t](?:[/^]|`)$")

// behindEscape finds a comment behind an escape character: "\ # why".
var behindEscape = regexp.MustCompile("([\\\\`])[ \t]+(#[^\"'`]*)$")

// balanced reports whether no quote is open at the end of the text.
func balanced(text string) bool {
	return strings.Count(text, `"`)%2 == 0 && strings.Count(text, "'")%2 == 0
}

// margin is the white space before an instruction's last line, or what is usual for the first one to be followed by.
func (p *pass) margin(in *dockerfile.Instruction) string {
	if line := p.Text.Line(p.Text.LineAt(in.Span.End)); line.Start > in.Span.Start {
		text := p.Text.Slice(line)
		return text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	}
	return "    "
}

func (p *pass) escapeName() string {
	if p.Escape == '`' {
		return "backtick"
	}
	return "backslash"
}

// lostEscape is about a line that belongs to head, since the line above it, above's last, has no escape character that
// counts.
func (p *pass) lostEscape(head, above, in *dockerfile.Instruction, problem dockerfile.Problem) analysis.Finding {
	name := p.escapeName()
	end := above.Span.Start + len(strings.TrimRight(p.Text.Slice(above.Span), " \t"))
	line := p.Text.LineAt(end) + 1
	word := p.Text.Slice(problem.Span)
	finding := analysis.Finding{
		Span:    problem.Span,
		Message: fmt.Sprintf("%s is not an instruction: missing %s at the end of line %d?", word, name, line),
	}
	if why, fixes := p.spoiltEscape(above); why != "" {
		finding.Message = fmt.Sprintf("%s is not an instruction: line %d does not go on here, as %s", word, line, why)
		finding.Fixes = fixes
		return finding
	}
	add := func(text string, preferred bool) {
		what := "Add the missing " + name
		if op := strings.Trim(text, " "+string(p.Escape)); op != "" {
			what = "Add " + op + " and the missing " + name
		}
		finding.Fixes = append(finding.Fixes, change(fmt.Sprintf("%s at the end of line %d", what, line),
			source.Between(end, above.Span.End), text, preferred)...)
	}
	escape := " " + string(p.Escape)
	indented := p.indent(in) > p.indent(head)
	switch {
	case head.Meant != "RUN", endsInOperator(p.file(), above), startsWithOperator(word), head.ArgsSpan.Len() == 0,
		p.inList(above, in), wantsMore.MatchString(p.lastLine(above)):
		add(escape, true)
	case p.Escape == '\\' && (shellReserved[word] || isCommand(word)) && p.inBlock(above):
		sure := indented || shellReserved[word]
		if last := p.lastLine(above); blockWord.MatchString(last) || endsCommand(p.file(), above) {
			add(escape, sure)
		} else {
			add(";"+escape, sure) // what the line's end is to the shell, which goes when the line is continued
		}
	case !isCommand(word), endsCommand(p.file(), above):
		// Where nothing else says that the command goes on, the line might as well lack a RUN.
		add(escape, indented)
	default:
		add(escape, false)
		add(" &&"+escape, false)
	}
	if head.Meant == "RUN" && isCommand(word) && !finding.Fixes[0].Preferred {
		run := matching("RUN", head.Keyword.Text) + " "
		finding.Fixes = append(finding.Fixes, change("Insert RUN", source.At(problem.Span.Start), run, false)...)
	}
	if len(problem.Suggestions) > 0 && !isCommand(word) {
		for _, change := range p.changeTo(problem) {
			change.Preferred = false
			finding.Fixes = append(finding.Fixes, change)
		}
	}
	return finding
}

// otherEscape reports whether an instruction's last line ends with the escape character that a comment names, which is
// meant to be a directive: IgnoredDirective says so.
func (p *pass) otherEscape(above *dockerfile.Instruction) bool {
	comment := p.ignoredEscape()
	return comment != 0 && comment != p.Escape &&
		strings.HasSuffix(strings.TrimRight(p.Text.Slice(above.Span), " \t\r"), string(comment))
}

// ignoredEscape returns the escape character of a comment above the first instruction that is meant to be a directive,
// 0 if there is none.
func (p *pass) ignoredEscape() byte {
	for _, comment := range p.file().Comments {
		if len(p.file().Instructions) > 0 && comment.Span.Start > p.file().Instructions[0].Span.Start {
			break
		}
		text := p.Text.Slice(comment.Span)
		if m := likeDirective.FindStringSubmatch(text); m != nil && len(m[2]) == 1 {
			name := strings.ToLower(m[1])
			if name == "escape" || spell.Meant(name, directiveNames) == "escape" {
				return m[2][0]
			}
		}
		if m := withoutEquals.FindStringSubmatch(text); m != nil && strings.EqualFold(m[1], "escape") && len(m[3]) == 1 {
			return m[3][0]
		}
	}
	return 0
}

// ended reports whether a RUN of one line is complete, and what stands below it is not indented: as a command of its
// own.
func (p *pass) ended(head, above, in *dockerfile.Instruction) bool {
	line := p.lastLine(above)
	return head == above && head.Line == head.EndLine && p.indent(in) <= p.indent(head) && !endsCommand(p.file(),
		above) &&
		!wantsMore.MatchString(line) && !p.inBlock(above) && balanced(line) &&
		!strings.HasSuffix(line, "{") &&
		!strings.HasSuffix(line, "(")
}

// inBlock reports whether the shell is within "if", a loop or the like at the end of an instruction.
func (p *pass) inBlock(above *dockerfile.Instruction) bool {
	return blockOpen.MatchString(p.chainText(above))
}

// lastLine is an instruction's last line, without the white space around it.
func (p *pass) lastLine(in *dockerfile.Instruction) string {
	return strings.TrimSpace(p.Text.Slice(p.Text.Line(p.Text.LineAt(in.Span.End))))
}

// shellReserved are words that only a shell knows.
var shellReserved = map[string]bool{
	"fi": true, "done": true, "esac": true, "then": true, "else": true, "elif": true, "do": true, "}": true,
}

// wantsMore matches commands that ask for arguments: "apt-get install -y".
var wantsMore = regexp.MustCompile(`[ \t](install|add|-[-A-Za-z=]+)$`)

var (
	blockOpen = regexp.MustCompile(`(^|[ \t;&|])(if|for|while|until|case)[ \t]`)
	blockWord = regexp.MustCompile(`(^|[ \t;])(then|do|else|in|\{|\()$`)
)

// chainText is the text from the last RUN up to the end of in.
func (p *pass) chainText(in *dockerfile.Instruction) string {
	start := in.Span.Start
	for _, other := range p.of("RUN") {
		if other.Span.Start <= in.Span.Start {
			start = other.ArgsSpan.Start
		}
	}
	text := p.Text.Slice(source.Between(start, max(start, in.Span.End)))
	for _, closing := range []string{"fi", "done", "esac"} {
		if i := strings.LastIndex(text, "\n"+closing); i >= 0 {
			text = text[i+1:]
		}
	}
	return text
}

// inList reports whether a line rather goes on with a list of words, such as packages, than that it begins a command:
// the line above has one word, which is as far indented.
func (p *pass) inList(above, in *dockerfile.Instruction) bool {
	last := p.Text.Slice(p.Text.Line(p.Text.LineAt(above.Span.End)))
	word := strings.TrimLeft(last, " \t")
	return above.EndLine > above.Line && len(strings.Fields(word)) == 1 && len(last)-len(word) == p.indent(in) &&
		!endsCommand(p.file(), above)
}

// endsCommand reports whether an instruction's text ends with a semicolon or an operator.
func endsCommand(file *dockerfile.File, in *dockerfile.Instruction) bool {
	return endsInOperator(file, in) || strings.HasSuffix(strings.TrimRight(file.Text.Slice(in.Span), " \t"), ";")
}

// endsInOperator reports whether the shell waits for more behind the instruction. A semicolon may also end a command.
func endsInOperator(file *dockerfile.File, in *dockerfile.Instruction) bool {
	text := strings.TrimRight(file.Text.Slice(in.Span), " \t")
	for _, op := range []string{"&&", "||", "|"} {
		if strings.HasSuffix(text, op) {
			return true
		}
	}
	return false
}

func startsWithOperator(word string) bool {
	return strings.ContainsAny(word[:min(1, len(word))], "&|;-<>")
}

// shellCommands are commands so close to an instruction's name that they would pass for its misspelling.
var shellCommands = map[string]bool{"cd": true, "go": true, "unset": true}

// matching returns the keyword in lower case if typed is written so.
func matching(keyword, typed string) string {
	if typed == strings.ToLower(typed) {
		return strings.ToLower(keyword)
	}
	return keyword
}

// cutArray reports whether an instruction opens an array that goes on in lines which are not continued.
func (p *pass) cutArray(in *dockerfile.Instruction) bool {
	if !p.opensArray(in) || len(p.problems(dockerfile.UnknownInstruction)) == 0 {
		return false
	}
	i := slices.Index(p.file().Instructions, in)
	if i < 0 || i+1 == len(p.file().Instructions) {
		return false
	}
	below := p.file().Instructions[i+1]
	return isUnknown(below) && p.lostLines()[below] == in
}

// lostBelow returns the fix that continues all lines which an instruction has lost from the one of index first on, and
// how many of them follow first. There is none where what one of them lacks is not clear.
func (p *pass) lostBelow(
	first int,
	lost map[*dockerfile.Instruction]*dockerfile.Instruction,
) (fix analysis.Fix, more int) {
	head := lost[p.file().Instructions[first]]
	array := p.opensArray(head)
	for i := first; i < len(p.file().Instructions) && lost[p.file().Instructions[i]] == head; i++ {
		above, in := p.file().Instructions[i-1], p.file().Instructions[i]
		if array {
			end := above.Span.Start + len(strings.TrimRight(p.Text.Slice(above.Span), " \t"))
			edit := source.Edit{Span: source.Between(end, above.Span.End), NewText: " " + string(p.Escape)}
			fix.Edits = append(fix.Edits, edit)
			if more = i - first; strings.HasSuffix(strings.TrimRight(p.Text.Slice(in.Span), " \t"), "]") {
				fix.Title, fix.Preferred = "Continue all lines of the array", true
				return fix, more
			}
			continue
		}
		problem := slices.IndexFunc(in.Problems, func(problem dockerfile.Problem) bool {
			return problem.Kind == dockerfile.UnknownInstruction
		})
		one := p.lostEscape(head, above, in, in.Problems[problem]).Fixes[0]
		if !one.Preferred {
			return analysis.Fix{}, 0
		}
		fix.Edits, more = append(fix.Edits, one.Edits...), i-first
	}
	if array || more == 0 {
		return analysis.Fix{}, 0
	}
	fix.Title, fix.Preferred = fmt.Sprintf("Continue all %d lines", more+2), true
	return fix, more
}
