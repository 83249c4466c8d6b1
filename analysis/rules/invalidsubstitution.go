package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// InvalidSubstitution finds quotes and variables that BuildKit cannot read.
var InvalidSubstitution = &Rule{
	ID:       "invalid-substitution",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A quote or a variable is not closed, or a variable is malformed",
		What: "Finds words with a quote that has no partner, `${` without `}`, and substitutions such as " +
			"`${A:=x}` that BuildKit does not know.",
		Why:     "The build stops when it comes to the instruction. BuildKit then names the word, but not the place.",
		Example: "FROM alpine\nENV GREETING=\"hello\n",
		Instead: "FROM alpine\nENV GREETING=\"hello\"\n",
	},
	check: checkInvalidSubstitution,
}

func checkInvalidSubstitution(p *pass) {
	lex := shell.NewLex(rune(p.Escape))
	for _, name := range []string{"ADD", "ARG", "COPY", "ENV", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER",
		"VOLUME", "WORKDIR"} {
		for _, in := range p.of(name) {
			if inQuotes(in) || p.badFlag(in, lex) {
				continue
			}
			if in.Node == nil || in.Command == nil && in.From == nil || !suspicious(p.Text.Slice(in.ArgsSpan), in) {
				continue
			}
			message := ""
			expand := func(word string) (string, error) {
				expanded, _, err := lex.ProcessWord(word, dockerfile.EverySet{})
				if err != nil && message == "" {
					message = dockerfile.SubstitutionError(err.Error())
				}
				return expanded, err
			}
			value, err := dockerfile.Typed(in.Node) // of our own, since Expand changes it
			switch c := value.(type) {
			case *instructions.ArgCommand:
				for _, arg := range c.Args {
					if arg.Value != nil {
						_, _ = expand(*arg.Value)
					}
				}
			case *instructions.Stage:
				_, _ = expand(c.BaseName)
			case *instructions.ExposeCommand:
				for _, port := range c.Ports {
					_, _ = expand(port)
				}
			case instructions.SupportsSingleWordExpansion:
				_ = c.Expand(expand)
			}
			if err != nil || message == "" {
				continue
			}
			word := p.badWord(in, lex)
			key := in.Meant == "ARG" || in.Meant == "ENV" || in.Meant == "LABEL"
			p.reportSubstitution(word, message, lex, key)
		}
	}
}

// reportSubstitution reports a word that cannot be read, and offers what it lacks; key says that it may be a pair.
func (p *pass) reportSubstitution(word dockerfile.Word, message string, lex *shell.Lex, key bool) {
	finding := analysis.Finding{Span: word.Span, Message: message}
	if meant := closed(word.Text); meant != "" && p.Text.Slice(word.Span) == word.Text {
		_, _, err := lex.ProcessWord(meant, dockerfile.EverySet{})
		if err == nil && (key || !strings.Contains(meant, "=")) {
			finding.Fixes = replace(word.Span, meant, true)
		}
	}
	if in := p.file().InstructionAt(word.Span.Start); in != nil && len(finding.Fixes) == 0 {
		finding.Fixes = p.withVariables(in, word)
	}
	if in := p.file().InstructionAt(word.Span.Start); in != nil && (in.Meant == "COPY" || in.Meant == "ADD") {
		if m := quotedPath.FindStringSubmatch(p.Text.Slice(in.ArgsSpan)); m != nil {
			finding.Span = in.ArgsSpan
			finding.Fixes = replace(in.ArgsSpan, fmt.Sprintf("[%q, %q]", m[1], m[2]), true)
			finding.Message = "a path with a blank needs an array: " + in.Meant +
				" divides the words at blanks, in quotes, too"
		}
	}
	if in := p.file().InstructionAt(word.Span.Start); in != nil && (in.Meant == "EXPOSE" || in.Meant == "VOLUME") {
		if m := quotedWords.FindStringSubmatch(p.Text.Slice(in.ArgsSpan)); m != nil {
			finding.Span = in.ArgsSpan
			finding.Message = in.Meant + " divides the words at blanks, in quotes, too"
			finding.Fixes = replace(in.ArgsSpan, m[1], true)
		}
	}
	p.report(nil, finding)
}

// oddBraces match a variable in braces whose name is none.
var oddBraces = regexp.MustCompile(`\$\{[^A-Za-z0-9_*@#$!-]|\$\{[A-Za-z0-9_]+[ \t{$-]`)

// quotedWords are several words in one pair of quotes.
var quotedWords = regexp.MustCompile(`^["']([^"'\\$]* [^"'\\$]*)["']$`)

// quotedPath is a path with blanks in quotes and the destination.
var quotedPath = regexp.MustCompile(`^"([^"\\$]* [^"\\$]*)"[ \t]+"?([^"\\$ ]+)"?$`)

// expandedFlags are those in whose values BuildKit expands variables; those of RUN --mount are read with the mount.
var expandedFlags = []string{"platform", "chown", "chmod", "checksum"}

// badFlag reports a flag whose value cannot be read, and whether there is one.
func (p *pass) badFlag(in *dockerfile.Instruction, lex *shell.Lex) bool {
	for _, flag := range in.Flags {
		if !strings.Contains(flag.Value.Text, "$") || !slices.Contains(expandedFlags, flag.Name.Text) {
			continue
		}
		if _, _, err := lex.ProcessWord(unquoted(flag.Value.Text), dockerfile.EverySet{}); err != nil {
			p.reportSubstitution(flag.Value, dockerfile.SubstitutionError(err.Error()), lex, false)
			return true
		}
	}
	return false
}

// badWord returns the word of the arguments that cannot be read, or all of them.
func (p *pass) badWord(in *dockerfile.Instruction, lex *shell.Lex) dockerfile.Word {
	for _, word := range in.Args {
		text := word.Text
		if in.Meant == "ARG" {
			_, text, _ = strings.Cut(text, "=")
		}
		if _, _, err := lex.ProcessWord(text, dockerfile.EverySet{}); err != nil && !in.JSON {
			return word
		}
	}
	if len(in.Args) == 1 {
		return in.Args[0]
	}
	return dockerfile.Word{Span: in.ArgsSpan}
}

// suspicious reports whether text may have something that cannot be read, without much work.
func suspicious(text string, in *dockerfile.Instruction) bool {
	switch in.Meant {
	case "ADD", "COPY", "EXPOSE", "FROM", "VOLUME": // whose words end at blanks, in quotes, too
		if !in.JSON && strings.ContainsRune(text, '"') {
			return true
		}
	default:
		if i := strings.IndexByte(text, '"'); i > 0 && strings.IndexByte(" \t=\n", text[i-1]) < 0 {
			return true // a quote within a word: the old form of ENV and LABEL ends the name at a blank nevertheless
		}
	}
	if strings.Contains(text, "${") {
		return strings.Count(text, "{") != strings.Count(text, "}") || strings.ContainsAny(text, ":/%#^,@=+?") ||
			oddBraces.MatchString(text)
	}
	if text != "" && (text[0] == '"' || strings.Contains(text, ` "`)) {
		return true // the quote may be around name and value, which are read apart
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsSpace(r) }) {
		return true // words end there, but not the name in the old form of ENV and LABEL
	}
	return strings.ContainsRune(text, '\'') || strings.Count(text, `"`)%2 != 0 ||
		strings.ContainsRune(text, '"') && strings.ContainsAny(text, "\\`")
}

var (
	quotedPair   = regexp.MustCompile(`^(["'])([A-Za-z_][A-Za-z0-9_.-]*=)([^"']*)(["'])$`)
	openQuoted   = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_.-]*=)?(["'])[^"'\\]*$`)
	openInQuotes = regexp.MustCompile(`^((?:[A-Za-z_][A-Za-z0-9_.-]*=)?"[^"{}]*\$\{[A-Za-z_][A-Za-z0-9_]*)"$`)
	closedOnly   = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]*=)([^"'\\=]+)(["'])$`)
	apostrophe   = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]*=)([^"'\\$=]*\w'\w[^"'\\$=]*)$`)
	openDefault  = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_.-]*=)?\$\{[A-Za-z_][A-Za-z0-9_]*:?[-+][A-Za-z0-9_./:-]*$`)
	openVariable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(/|$)`)
	onlyColon    = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*):([A-Za-z0-9])`)
)

// closed returns a word with what it lacks: a closing quote or brace, or the dash in front of a default. It is "" where
// it lacks something else.
func closed(word string) string {
	if m := quotedPair.FindStringSubmatch(word); m != nil && m[1] == m[4] {
		return m[2] + m[1] + m[3] + m[4]
	}
	if m := openQuoted.FindStringSubmatch(word); m != nil {
		return word + m[1]
	}
	if m := openInQuotes.FindStringSubmatch(word); m != nil {
		return m[1] + "}" + `"`
	}
	if m := closedOnly.FindStringSubmatch(word); m != nil {
		return m[1] + m[3] + m[2] + m[3]
	}
	if m := apostrophe.FindStringSubmatch(word); m != nil {
		return m[1] + `"` + m[2] + `"`
	}
	if openDefault.MatchString(word) {
		return word + "}"
	}
	if openVariable.MatchString(word) {
		return openVariable.ReplaceAllString(word, "$${$1}$2")
	}
	if onlyColon.MatchString(word) {
		return onlyColon.ReplaceAllString(word, "$${$1:-$2")
	}
	return ""
}
