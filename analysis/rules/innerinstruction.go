package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// InnerInstruction finds an instruction within the arguments of another one.
var InnerInstruction = &Rule{
	ID:       "inner-instruction",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "An instruction stands within the arguments of another one",
		What: "Finds an instruction that is written twice (`RUN RUN make`), behind another one (`RUN COPY a /b`), or " +
			"on the same line behind `&&` or `;` (`COPY a /b && RUN make`), and shell commands behind `&&`, and other " +
			"operators of the shell (`||`, `2>/dev/null`), in instructions that no shell reads. Fixes remove the word, or begin a new line.",
		Why: "One line is one instruction. The rest is read as file names, as a value, or as a command that the " +
			"shell does not know.",
		Example: "FROM alpine\nRUN apk update && RUN apk add curl\n",
		Instead: "FROM alpine\nRUN apk update && apk add curl\n",
	},
	each: func(p *pass, in *dockerfile.Instruction) {
		if finding, ok := p.innerInstruction(in); ok {
			p.report(in, finding)
		}
	},
}

// inner is what innerInstruction says.
type inner struct {
	finding analysis.Finding
	ok      bool
	beyond  bool // it hangs on more than the instruction
}

// innerInstruction says what is wrong with an instruction that has another one in its arguments. Several rules ask, so
// that one mistake is one finding.
func (p *pass) innerInstruction(in *dockerfile.Instruction) (analysis.Finding, bool) {
	found, known := p.inner[in]
	if !known {
		before := p.sight.beyond
		p.sight.beyond = false
		found.finding, found.ok = p.findInner(in)
		found.beyond, p.sight.beyond = p.sight.beyond, before
		if p.inner == nil {
			p.inner = map[*dockerfile.Instruction]inner{}
		}
		p.inner[in] = found
	}
	p.sight.beyond = p.sight.beyond || found.beyond
	return found.finding, found.ok
}

func (p *pass) findInner(in *dockerfile.Instruction) (finding analysis.Finding, ok bool) {
	if len(in.Heredocs) > 0 && in.Meant == "RUN" {
		return p.innerCommand(in)
	}
	if in.Meant == "HEALTHCHECK" && in.JSON {
		return p.composeTest(in)
	}
	if in.JSON || len(in.Heredocs) > 0 || len(in.Args) < 2 || isUnknown(in) || p.spoilt(in) {
		return finding, false
	}
	if _, ok := p.swallows(in); ok {
		return finding, false // SwallowedInstruction says what is wrong
	}
	if finding, ok = p.firstWord(in); ok {
		return p.weighty(in, finding), true
	}
	switch in.Meant {
	case "RUN":
		finding, ok = p.innerCommand(in)
	case "CMD", "ENTRYPOINT":
		finding, ok = p.behindArray(in)
	case "HEALTHCHECK":
		word := in.Args[1]
		if in.Args[0].Text == "CMD" && (word.Text == "RUN" || word.Text == "CMD") && len(in.Args) > 2 {
			finding.Span = word.Span
			finding.Message = word.Text + " stands within HEALTHCHECK: the shell looks for a program of that name"
			finding.Fixes = p.removed(source.Between(word.Span.Start, in.Args[2].Span.Start))
			return finding, true
		}
	case "ONBUILD", "SHELL", "MAINTAINER":
	default:
		finding, ok = p.behindOperator(in)
	}
	return p.weighty(in, finding), ok
}

// weighty makes a finding an error where BuildKit refuses the instruction.
func (p *pass) weighty(in *dockerfile.Instruction, finding analysis.Finding) analysis.Finding {
	if in.Command == nil && in.From == nil || in.Meant == "EXPOSE" {
		finding.Severity = analysis.Error
	}
	return finding
}

// composeTest looks for the CMD or CMD-SHELL with which the test of a Compose file begins, in an array of HEALTHCHECK.
func (p *pass) composeTest(in *dockerfile.Instruction) (finding analysis.Finding, ok bool) {
	if len(in.Args) < 3 || in.Args[0].Text != "CMD" {
		return finding, false
	}
	first, next := in.Args[1], in.Args[2]
	word := unquoted(first.Text)
	if word != "CMD" && word != "CMD-SHELL" {
		return finding, false
	}
	finding.Span = first.Span
	finding.Message = fmt.Sprintf("%s is taken for the name of a program: only Compose has it in the array", word)
	text := unquoted(next.Text)
	switch array := commandSpan(in); {
	case word == "CMD":
		cut := source.Between(first.Span.Start, next.Span.Start)
		finding.Fixes = change("Remove "+word, cut, "", true)
	case len(in.Args) == 3 && !strings.ContainsAny(text, "\\\"\n"):
		array.Start += strings.IndexByte(p.Text.Slice(array), '[')
		finding.Fixes = replace(array, text, false)
	}
	return finding, true
}

// shellVerbs are a shell's words for what an instruction does.
var shellVerbs = map[string][]string{
	"WORKDIR": {"cd", "mkdir", "chdir"}, "ENV": {"export", "set", "setenv"}, "ARG": {"export", "set"},
}

// firstWord looks for an instruction's name, or a shell's word for the same, as the first argument.
func (p *pass) firstWord(in *dockerfile.Instruction) (finding analysis.Finding, ok bool) {
	first, word := in.Args[0], in.Args[0].Text
	if p.Text.Slice(first.Span) != word {
		return finding, false
	}
	command := in.Meant == "RUN" || in.Meant == "CMD" || in.Meant == "ENTRYPOINT"
	own := word == in.Meant && (in.Meant != "COPY" && in.Meant != "ADD" || len(in.Args) > 2)
	verb := slices.Contains(shellVerbs[in.Meant], word) &&
		(in.Meant != "ENV" && in.Meant != "ARG" || strings.Contains(in.Args[1].Text, "="))
	pairs := in.Meant == "ARG" || in.Meant == "ENV" || in.Meant == "LABEL"
	other := pairs && (word == "ARG" || word == "ENV" || word == "LABEL") && len(in.Args) == 2 &&
		assignment.MatchString(in.Args[1].Text)
	switch {
	case own, verb, other, command && keywords[word]:
	default:
		return finding, false
	}
	finding.Span = first.Span
	finding.Message = fmt.Sprintf("%s stands within %s, which reads it as an argument", word, in.Meant)
	if command {
		finding.Message = fmt.Sprintf("%s stands within %s: the shell looks for a program of that name", word, in.Meant)
	}
	removed := source.Between(first.Span.Start, in.Args[1].Span.Start)
	if command && keywords[word] && word != "RUN" && len(in.Flags) == 0 {
		removed = source.Between(in.Keyword.Span.Start, first.Span.Start)
		word = in.Keyword.Text
	}
	finding.Fixes = change("Remove "+word, removed, "", own)
	return finding, true
}

// innerCommand looks for instructions among the commands of a RUN.
func (p *pass) innerCommand(in *dockerfile.Instruction) (finding analysis.Finding, ok bool) {
	run := p.shellRun(in)
	if run == nil {
		return finding, false
	}
	for _, c := range run.commands {
		word := c.words[0]
		if finding, ok = p.behindCommand(in, c); ok {
			return finding, true
		}
		if !keywords[word] || len(c.words) < 2 {
			continue
		}
		span := c.span(p, in, 0, 1)
		if p.Text.Slice(span) != word {
			continue
		}
		finding.Span = span
		finding.Message = fmt.Sprintf("%s stands within RUN: the shell looks for a program of that name", word)
		if word == "RUN" {
			next := source.Between(span.Start, c.span(p, in, 1, 2).Start)
			finding.Fixes = change("Remove RUN", next, "", true)
		} else if len(in.Heredocs) == 0 {
			before := p.Text.Slice(source.Between(in.ArgsSpan.Start, span.Start))
			if at := operatorBefore.FindStringIndex(before); at != nil {
				finding.Fixes = p.newLine(in.ArgsSpan.Start+at[0], span.Start, "")
			}
		}
		return finding, true
	}
	return finding, false
}

// ownLine are instructions, with what hardly is an argument of a command behind their names.
var ownLine = map[string]*regexp.Regexp{
	"RUN": regexp.MustCompile(`^[a-z./]`), "COPY": regexp.MustCompile(`^\S+[ \t]+\S`),
	"CMD": regexp.MustCompile(`^\[`), "ENTRYPOINT": regexp.MustCompile(`^\[`), "WORKDIR": regexp.MustCompile(`^/`),
	"EXPOSE": regexp.MustCompile(`^[0-9]`),
}

// behindCommand looks for an instruction behind the arguments of a command, on the same line.
func (p *pass) behindCommand(in *dockerfile.Instruction, c command) (finding analysis.Finding, ok bool) {
	if slices.Contains(runsOthers, c.words[0]) || c.words[0] == "grep" || len(in.Heredocs) > 0 {
		return finding, false
	}
	for i := 1; i < len(c.words)-1; i++ {
		follows := ownLine[c.words[i]]
		if follows == nil {
			continue
		}
		before, at := c.span(p, in, i-1, i), c.span(p, in, i, i+1)
		if follows.MatchString(p.Text.Slice(c.span(p, in, i+1, len(c.words)))) &&
			p.Text.Slice(at) == c.words[i] && p.sameLine(before.End, at.Start) {
			finding.Span, finding.Message = at, c.words[i]+" needs a line of its own"
			finding.Fixes = p.newLine(before.End, at.Start, "")
			return finding, true
		}
	}
	return finding, false
}

var (
	operatorBefore = regexp.MustCompile(`\s*(&&|;)[\s\\]*$`)
	operatorWithin = regexp.MustCompile(`\s*(?:\s&&|;)\s+`)
	behindList     = regexp.MustCompile(`^\[[^\[\]]*\](\s*)([A-Z]+)\s`)
)

// newLine is the fix that ends an instruction and begins the next one.
func (p *pass) newLine(from, to int, keyword string) []analysis.Fix {
	return change("Begin a new line", source.Between(from, to), p.newline+keyword, false)
}

// behindArray looks for an instruction behind an array.
func (p *pass) behindArray(in *dockerfile.Instruction) (finding analysis.Finding, ok bool) {
	m := behindList.FindStringSubmatchIndex(p.Text.Slice(in.ArgsSpan))
	if m == nil || !keywords[p.Text.Slice(in.ArgsSpan)[m[4]:m[5]]] {
		return finding, false
	}
	finding.Span = in.ArgsSpan.Part(m[4], m[5])
	finding.Message = fmt.Sprintf("%s needs a line of its own", p.Text.Slice(finding.Span))
	finding.Fixes = p.newLine(in.ArgsSpan.Start+m[2], finding.Span.Start, "")
	return finding, true
}

// behindOperator looks for an operator of the shell's, and an instruction or a command behind it.
func (p *pass) behindOperator(in *dockerfile.Instruction) (finding analysis.Finding, ok bool) {
	text := p.Text.Slice(in.ArgsSpan)
	if copies := in.Meant == "COPY" || in.Meant == "ADD"; copies || in.Meant == "FROM" || in.Meant == "WORKDIR" ||
		in.Meant == "USER" || in.Meant == "EXPOSE" || in.Meant == "STOPSIGNAL" {
		for i, word := range in.Args[1:] {
			if keywords[word.Text] && i < len(in.Args)-2 && (i > 0 || !copies) && p.Text.Slice(word.Span) == word.Text {
				finding.Span, finding.Message = word.Span, word.Text+" needs a line of its own"
				from := in.Args[i].Span.End
				if operator := strings.TrimRight(in.Args[i].Text, ";&"); operator == "" && i > 0 {
					from = in.Args[i-1].Span.End
				} else {
					from -= len(in.Args[i].Text) - len(operator)
				}
				finding.Fixes = p.newLine(from, word.Span.Start, "")
				return finding, true
			}
		}
	}
	if finding, ok = p.otherOperator(in); ok {
		return finding, true
	}
	m := operatorWithin.FindStringIndex(text)
	if m == nil || m[0] == 0 || strings.ContainsAny(text[:m[0]], "\"'\n") {
		return finding, false
	}
	rest := strings.Fields(text[m[1]:])
	if len(rest) == 0 {
		return finding, false
	}
	from, to := in.ArgsSpan.Start+m[0], in.ArgsSpan.Start+m[1]
	finding.Span = source.Between(from, to)
	operator := strings.TrimSpace(text[m[0]:m[1]])
	finding.Message = fmt.Sprintf("no shell reads %s: %s and what follows belongs to its arguments", in.Meant, operator)
	switch assigns := in.Meant == "ENV" || in.Meant == "ARG" || in.Meant == "LABEL"; {
	case keywords[rest[0]]:
		finding.Fixes = p.newLine(from, to, "")
	case assigns && assignment.MatchString(rest[0]):
		finding.Fixes = change("Remove "+operator, finding.Span, " ", true)
	case isCommand(rest[0]):
		finding.Fixes = p.newLine(from, to, p.inCase("RUN")+" ")
	case operator == ";":
		return analysis.Finding{}, false
	}
	return finding, true
}

// redirection matches what redirects the output of a command.
var redirection = regexp.MustCompile(`^(?:[12&]?>{1,2}|<)(?:&[12]|/\S*)?$`)

// otherOperator looks for an operator of the shell's that stands as a word of its own among the arguments.
func (p *pass) otherOperator(in *dockerfile.Instruction) (finding analysis.Finding, ok bool) {
	if freeText(in) || in.Meant == "FROM" || in.Meant == "STOPSIGNAL" || trailingComment(in) >= 0 {
		return finding, false
	}
	last := len(in.Args) - 1
	for i, word := range in.Args {
		if i == 0 || p.Text.Slice(word.Span) != word.Text {
			continue
		}
		from := in.Args[i-1].Span.End
		switch {
		case word.Text == "||" && i < last, word.Text == "&" && i == last && in.Meant != "EXPOSE":
			finding.Fixes = p.removed(source.Between(from, in.Args[last].Span.End))
		case word.Text == "|" && i < last:
		case redirection.MatchString(word.Text) && len(word.Text) > 1:
			end := word.Span.End
			if strings.HasSuffix(word.Text, ">") && i < last {
				end = in.Args[i+1].Span.End
			}
			finding.Fixes = p.removed(source.Between(from, end))
		default:
			continue
		}
		finding.Span = word.Span
		finding.Message = fmt.Sprintf("no shell reads %s: %s is one of its arguments", in.Meant, word.Text)
		return finding, true
	}
	return finding, false
}

// removed is the fix that removes some words.
func (p *pass) removed(span source.Span) []analysis.Fix {
	title := "Remove " + strings.TrimSpace(p.Text.Slice(span))
	return change(title, span, "", false)
}
