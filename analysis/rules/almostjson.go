package rules

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// AlmostJSON finds arguments that are meant to be a JSON array but are none.
var AlmostJSON = &Rule{
	ID:       "almost-json",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "An array is not valid JSON, so it is read as something else",
		What: "Finds arguments that begin like an array, but have single or typographic quotes, lack a quote, " +
			"comma or bracket, or have one too many. Fixes fix what can be fixed in one way only.",
		Why: "BuildKit takes such arguments for a shell command, or for file names. The container then fails to " +
			"start with an error that says little.",
		Example: "FROM alpine\nCMD ['top', '-b']\n",
		Instead: "FROM alpine\nCMD [\"top\", \"-b\"]\n",
	},
	of:   []string{"ADD", "CMD", "COPY", "ENTRYPOINT", "HEALTHCHECK", "RUN", "SHELL", "VOLUME", "USER", "WORKDIR"},
	each: checkAlmostJSON,
}

func checkAlmostJSON(p *pass, in *dockerfile.Instruction) {
	if in.Meant == "USER" || in.Meant == "WORKDIR" {
		p.checkNameInArray(in)
		return
	}
	if p.checkQuotedCommand(in) || p.cutArray(in) || p.commentBehind(in) {
		return
	}
	args, ok := almostJSON(in)
	if !ok {
		return
	}
	if _, inner := p.innerInstruction(in); inner {
		return // InnerInstruction says what is wrong
	}
	finding := analysis.Finding{
		Span:    place(in, args),
		Message: fmt.Sprintf("no valid JSON, so that %s does not read it as an array", in.Meant),
		Fixes:   meantJSON(in, args),
	}
	if in.Meant == "SHELL" {
		finding.Severity = analysis.Error // it takes nothing else
	}
	p.report(in, finding)
}

// checkNameInArray looks for a user or a directory that is written as an array.
func (p *pass) checkNameInArray(in *dockerfile.Instruction) {
	text := strings.TrimSpace(p.Text.Slice(in.ArgsSpan))
	if bare := strings.Trim(text, `[]"' `); strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") && bare != "" {
		p.found(in, in.ArgsSpan, replace(in.ArgsSpan, bare, !strings.ContainsAny(bare, `,"'$`)),
			"%s takes no array: the brackets and quotes belong to the name", in.Meant)
	}
}

// quotedWhole is a command line that is one text in quotes.
var quotedWhole = regexp.MustCompile(`^(?:"([A-Za-z][A-Za-z0-9_.-]*(?: [^"\\$]*)+)"|'([A-Za-z][A-Za-z0-9_.-]*(?: [^'\\]*)+)')$`)

// quotedCommand reports whether the shell takes a whole command line for the name of a program.
func quotedCommand(p *pass, in *dockerfile.Instruction) bool {
	return !in.JSON && len(in.Heredocs) == 0 && quotedWhole.MatchString(p.Text.Slice(commandSpan(in)))
}

// commandSpan is where the command of an instruction stands: the arguments, without the CMD of a HEALTHCHECK.
func commandSpan(in *dockerfile.Instruction) source.Span {
	span := in.ArgsSpan
	if in.Meant == "HEALTHCHECK" && len(in.Args) > 1 && in.Args[0].Text == "CMD" {
		span.Start = in.Args[1].Span.Start
	}
	return span
}

// checkQuotedCommand looks for a command line in quotes, which the shell takes for the name of a program.
func (p *pass) checkQuotedCommand(in *dockerfile.Instruction) bool {
	if in.Meant != "CMD" && in.Meant != "ENTRYPOINT" && in.Meant != "RUN" && in.Meant != "HEALTHCHECK" ||
		!quotedCommand(p, in) {
		return false
	}
	span := commandSpan(in)
	text := p.Text.Slice(span)
	p.found(in, span, change("Remove the quotes", span, text[1:len(text)-1], true),
		"the shell takes %s for the name of one program", text)
	return true
}

var behindArray = regexp.MustCompile(`^(\[[^\[\]]*\])[ \t]+(#.*)$`)

// commentBehind looks for a comment behind an array, which makes it the command of a shell.
func (p *pass) commentBehind(in *dockerfile.Instruction) bool {
	text := p.Text.Slice(in.ArgsSpan)
	m := behindArray.FindStringSubmatchIndex(text)
	if m == nil || in.Line != in.EndLine || !json.Valid([]byte(text[m[2]:m[3]])) {
		return false
	}
	fixes := change("Move the comment above", source.At(in.Span.Start), text[m[4]:m[5]]+p.newline, true,
		source.Edit{Span: in.ArgsSpan.Part(m[3], len(text))})
	p.found(in, in.ArgsSpan.Part(m[4], len(text)), fixes, "with a comment behind it, %s does not read the array as one",
		in.Meant)
	return true
}

// place is where the arguments that are almost an array stand.
func place(in *dockerfile.Instruction, args string) source.Span {
	_, at := in.Logical()
	whole, _ := in.Logical()
	return at(strings.Index(whole, args), strings.Index(whole, args)+len(args))
}

// almostJSON returns the arguments of an instruction if they look like an array, but are none.
func almostJSON(in *dockerfile.Instruction) (string, bool) {
	if in.JSON || in.Node == nil || in.ArgsSpan.Len() < 2 || len(in.Heredocs) > 0 {
		return "", false
	}
	args, _ := in.Logical()
	if in.Meant == "HEALTHCHECK" {
		command, _ := strings.CutPrefix(args, "CMD")
		args = strings.TrimLeft(command, " \t")
	}
	args = strings.TrimRight(args, " \t")
	if in.Meant == "CMD" || in.Meant == "ENTRYPOINT" || in.Meant == "HEALTHCHECK" {
		if bracketless.MatchString(args) || wordsInBrackets.MatchString(args) {
			return args, true
		}
	}
	opening, width := utf8.DecodeRuneInString(args)
	if len(args) < 2 || args[0] != '[' && wideMarks[opening] != "[" {
		return "", false
	}
	inner := strings.TrimLeft(args[width:], " \t")
	like := strings.IndexAny(inner, "\"'`\u201c\u2018\u00ab\uff02") == 0
	list := strings.HasSuffix(args, "]") && strings.Contains(args, ",")
	switch in.Meant {
	case "RUN": // "[" is a command, too
		like = like && (inner == args[width:] || strings.Contains(args, ",") || stringsInBrackets.MatchString(args)) ||
			commandInBrackets(args)
	case "CMD", "ENTRYPOINT", "HEALTHCHECK":
		like = like && (inner == args[width:] || strings.ContainsAny(args, ",;") || quotedStrings.MatchString(args))
		like = like || list
	case "ADD", "COPY":
		like = like || list
	case "VOLUME":
		like = like || strings.HasSuffix(args, "]")
	}
	return args, like && !json.Valid([]byte(args)) // valid JSON that is no list of strings is an error of its own
}

// commandInBrackets reports whether a command that needs none stands in brackets, which a shell takes for a test.
func commandInBrackets(args string) bool {
	inner := strings.TrimSuffix(strings.TrimPrefix(args, "["), "]")
	first := inner[:strings.IndexAny(inner+" ", " ,")]
	return commandWords[first] && !strings.Contains(inner, "]") && len(args) == len(inner)+2
}

// meantJSON returns the fix that makes args an array of strings, if one of the usual mistakes is all that it has beside
// its quotes.
func meantJSON(in *dockerfile.Instruction, args string) []analysis.Fix {
	quoted, at, edits := asciiQuotes(args)
	for _, fix := range []func(string) []textEdit{
		func(string) []textEdit { return nil },
		brackets,
		behindBracket,
		semicolons,
		doubleCommas,
		openQuotes,
		splitWords,
		missingCommas,
		func(s string) []textEdit { return removeMatch(trailingComma, s) },
		func(s string) []textEdit { return []textEdit{{len(s), len(s), "]"}} },
		func(s string) []textEdit {
			if !strings.HasSuffix(s, "]") {
				return []textEdit{{len(s), len(s), `"]`}}
			}
			return []textEdit{{len(s) - 1, len(s) - 1, `"`}}
		},
		bareWords,
		func(s string) []textEdit { return removeMatch(leadingComma, s) },
		windowsPaths,
	} {
		more := fix(quoted)
		var list []string
		if json.Unmarshal([]byte(applyAll(quoted, more)), &list) != nil || len(list) == 0 || len(edits)+len(more) == 0 {
			continue
		}
		whole, logical := in.Logical()
		shift := max(strings.Index(whole, args), 0)
		place := func(from, to int) source.Span { return logical(shift+from, shift+to) }
		fix := analysis.Fix{Title: "Change to a JSON array", Preferred: true}
		for _, e := range edits {
			fix.Edits = append(fix.Edits, source.Edit{Span: place(e.from, e.to), NewText: e.text})
		}
		for _, e := range more {
			fix.Edits = append(fix.Edits, source.Edit{Span: place(at[e.from], at[e.to]), NewText: e.text})
		}
		slices.SortStableFunc(fix.Edits, func(a, b source.Edit) int { return a.Span.Start - b.Span.Start })
		return []analysis.Fix{fix}
	}
	return nil
}

// textEdit replaces text[from:to].
type textEdit struct {
	from, to int
	text     string
}

func applyAll(text string, edits []textEdit) string {
	for _, e := range slices.Backward(edits) {
		text = text[:e.from] + e.text + text[e.to:]
	}
	return text
}

var (
	singleQuoted  = regexp.MustCompile(`[\[,][ \t]*('[^'"]*')[ \t]*`)
	missingComma  = regexp.MustCompile(`"[ \t]+"`)
	trailingComma = regexp.MustCompile(`[ \t]*,[ \t]*\]$`)
	leadingComma  = regexp.MustCompile(`^\[[ \t]*(,[ \t]*)`)
	bareWord      = regexp.MustCompile(`[\[,][ \t]*([A-Za-z0-9_./:=-]+)[ \t]*`)
)

// bracketless are strings with commas between them in other brackets than those of an array, or in none.
var (
	bracketless     = regexp.MustCompile(`^[({]?[ \t]*"[^"]*"(?:[ \t]*,[ \t]*"[^"]*")+[ \t]*[)}\]]?$`)
	wordsInBrackets = regexp.MustCompile(`^\[[A-Za-z0-9_./-]+(?: [A-Za-z0-9_./=:-]+)*\]$`)
	// two strings of which the first is no operator, which a test of the shell cannot read
	stringsInBrackets = regexp.MustCompile(`^\[ "[^"$!-][^"$]*"(?: "[^"$]*")+ \]$`)
	quotedStrings     = regexp.MustCompile(`^\[(?:[ \t]*"[^"]*")+[ \t]*\]$`)
	behindEnd         = regexp.MustCompile(`\]([ \t]*[;,.&)\]]+)$`)
	semicolon         = regexp.MustCompile(`"[ \t]*([;.])[ \t]*"`)
	doubleComma       = regexp.MustCompile(`,([ \t]*,)`)
	openQuoteString   = regexp.MustCompile(`[\[,][ \t]*()[A-Za-z0-9_./:=-]+"[ \t]*[,\]]|[\[,][ \t]*"[A-Za-z0-9_./:=-]+()[ \t]*[,\]]`)
	plainWords        = regexp.MustCompile(`[^\[\] ]+`)
)

// brackets puts the brackets of an array around strings.
func brackets(s string) (edits []textEdit) {
	if !bracketless.MatchString(s) {
		return nil
	}
	if s[0] == '"' {
		edits = append(edits, textEdit{0, 0, "["})
	} else {
		edits = append(edits, textEdit{0, 1, "["})
	}
	if last := len(s) - 1; s[last] == '"' {
		return append(edits, textEdit{len(s), len(s), "]"})
	} else if s[last] != ']' {
		return append(edits, textEdit{last, len(s), "]"})
	}
	return edits
}

// behindBracket removes what stands behind an array.
func behindBracket(s string) []textEdit { return removeMatch(behindEnd, s) }

// semicolons puts commas in the place of semicolons.
func semicolons(s string) (edits []textEdit) {
	for _, m := range semicolon.FindAllStringSubmatchIndex(s, -1) {
		edits = append(edits, textEdit{m[2], m[3], ","})
	}
	return edits
}

// doubleCommas removes the second of two commas.
func doubleCommas(s string) (edits []textEdit) {
	for _, m := range doubleComma.FindAllStringSubmatchIndex(s, -1) {
		edits = append(edits, textEdit{m[2], m[3], ""})
	}
	return edits
}

// openQuotes adds the quote that a string lacks at one of its ends.
func openQuotes(s string) (edits []textEdit) {
	for _, m := range openQuoteString.FindAllStringSubmatchIndex(s, -1) {
		at := max(m[2], m[4])
		edits = append(edits, textEdit{at, at, `"`})
	}
	return edits
}

// splitWords makes strings of words that stand in brackets.
func splitWords(s string) (edits []textEdit) {
	if !wordsInBrackets.MatchString(s) {
		return nil
	}
	for i, m := range plainWords.FindAllStringIndex(s, -1) {
		if i > 0 {
			edits[len(edits)-1].text = `",`
		}
		edits = append(edits, textEdit{m[0], m[0], `"`}, textEdit{m[1], m[1], `"`})
	}
	return edits
}

// wideMarks are what marks of other scripts are meant as in an array.
var wideMarks = map[rune]string{
	'\uff0c': ",", '\u3001': ",", '\u3010': "[", '\u3011': "]", '\uff3b': "[", '\uff3d': "]", '\u00ab': `"`,
	'\u00bb': `"`, '\uff02': `"`,
}

// asciiQuotes returns args with double quotes for typographic and single ones; of each byte, and of the end, where it
// lies in args; and the edits to args.
func asciiQuotes(args string) (quoted string, at []int, edits []textEdit) {
	ascii, open := strings.ContainsAny(args, `"'`), false
	for i, r := range args {
		open = open != (r == '"')
		if meant := wideMarks[r]; meant != "" && !open {
			edits = append(edits, textEdit{i, i + utf8.RuneLen(r), meant})
		} else if '\u201c' <= r && r <= '\u201f' || !ascii && quote(r) {
			edits = append(edits, textEdit{i, i + utf8.RuneLen(r), `"`})
		}
	}
	plain := args
	if len(edits) == 0 && !strings.Contains(args, `"`) {
		for i, r := range args {
			if r == '\'' || r == '`' || '\u2018' <= r && r <= '\u201b' {
				edits = append(edits, textEdit{i, i + utf8.RuneLen(r), `"`})
			}
		}
	} else {
		for _, m := range singleQuoted.FindAllStringSubmatchIndex(args, -1) {
			edits = append(edits, textEdit{m[2], m[2] + 1, `"`}, textEdit{m[3] - 1, m[3], `"`})
		}
	}
	slices.SortFunc(edits, func(a, b textEdit) int { return a.from - b.from })
	var b strings.Builder
	next := 0
	for i := 0; i < len(plain); {
		if next < len(edits) && edits[next].from == i {
			b.WriteString(edits[next].text)
			at = append(at, i)
			i = edits[next].to
			next++
			continue
		}
		b.WriteByte(plain[i])
		at = append(at, i)
		i++
	}
	return b.String(), append(at, len(args)), edits
}

func missingCommas(s string) (edits []textEdit) {
	for _, m := range missingComma.FindAllStringIndex(s, -1) {
		edits = append(edits, textEdit{m[0] + 1, m[0] + 1, ","})
	}
	return edits
}

func removeMatch(pattern *regexp.Regexp, s string) []textEdit {
	m := pattern.FindStringSubmatchIndex(s)
	switch {
	case m == nil:
		return nil
	case len(m) > 2:
		return []textEdit{{m[2], m[3], ""}}
	}
	return []textEdit{{m[0], m[1] - 1, ""}}
}

func bareWords(s string) (edits []textEdit) {
	for _, m := range bareWord.FindAllStringSubmatchIndex(s, -1) {
		edits = append(edits, textEdit{m[2], m[2], `"`}, textEdit{m[3], m[3], `"`})
	}
	return edits
}

// windowsPaths doubles the backslashes of paths.
func windowsPaths(s string) (edits []textEdit) {
	if strings.Contains(s, `\\`) {
		return nil
	}
	for i := range len(s) {
		if s[i] == '\\' {
			edits = append(edits, textEdit{i, i, `\`})
		}
	}
	return edits
}
