package rules

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// LookalikeCharacter finds characters that pass for a space or a quote, but are none.
var LookalikeCharacter = &Rule{
	ID:       "lookalike-character",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A character looks like a space, quote or hyphen, but is none",
		What: "Finds no-break spaces and the like, characters that cannot be seen, typographic quotes, and dashes in " +
			"front of flags, outside of quotes and comments. The fix writes what they look like. " +
			"Where BuildKit stops because of them it is an error.",
		Why: "They come from web pages and word processors. BuildKit and shells take them for letters: two words " +
			"are one, and a quote does not quote.",
		Example: "FROM alpine\nENV GREETING=\u201chello world\u201d\n",
		Instead: "FROM alpine\nENV GREETING=\"hello world\"\n",
	},
	check: checkLookalikeCharacter,
}

func checkLookalikeCharacter(p *pass) {
	for in := range p.every(dockerfile.Keywords()...) {
		found := p.lookalikes(in)
		if len(found) == 0 || inQuotes(in) {
			continue
		}
		finding := analysis.Finding{Span: found[0].span}
		what := "not a space"
		if quote(found[0].char) {
			what = "not a quote"
		} else if dash(found[0].char) {
			what = "not a hyphen: no flag begins with it"
		} else if invisible(found[0].char) {
			what = "and cannot be seen"
		}
		finding.Message = fmt.Sprintf("this is %s, %s", characterName(found[0].char), what)
		fix := analysis.Fix{
			Title:     "Change it to what it looks like",
			Preferred: in.Meant != "RUN" && in.Meant != "CMD" && in.Meant != "ENTRYPOINT" || !quote(found[0].char),
		}
		if len(found) > 1 {
			finding.Message += fmt.Sprintf("; %d more in this instruction", len(found)-1)
			fix.Title = "Change them to what they look like"
		}
		if invisible(found[0].char) {
			fix.Title = "Remove it"
		}
		for _, l := range found {
			if in.Meant == "FROM" && quote(l.char) {
				l.meant = "" // an image has no quotes
			}
			fix.Edits = append(fix.Edits, source.Edit{Span: l.span, NewText: l.meant})
		}
		finding.Fixes = []analysis.Fix{fix}
		if p.spoils(in, found) {
			finding.Severity = analysis.Error
		}
		p.report(in, finding)
	}
}

// lookalike is one character that is taken for another one.
type lookalike struct {
	span  source.Span
	char  rune
	meant string
}

// spoils reports whether BuildKit refuses an instruction because of its lookalikes.
func (p *pass) spoils(in *dockerfile.Instruction, found []lookalike) bool {
	return in.Command == nil && in.From == nil || found[0].span.Start < in.ArgsSpan.Start || in.Meant == "FROM"
}

// spoilt reports whether LookalikeCharacter says what is wrong with an instruction.
func (p *pass) spoilt(in *dockerfile.Instruction) bool {
	found := p.lookalikes(in)
	return len(found) > 0 && p.spoils(in, found)
}

// lookalikes returns the lookalikes of an instruction, those in quotes, heredocs and free text left out.
func (p *pass) lookalikes(in *dockerfile.Instruction) (found []lookalike) {
	if in.JSON || in.Meant == "MAINTAINER" || in.Meant == "ONBUILD" || freeText(in) ||
		isASCII(p.Text.Slice(source.Between(in.Keyword.Span.End, in.ArgsSpan.End))) {
		return nil
	}
	flags := source.Between(in.Keyword.Span.End, in.ArgsSpan.Start)
	if text := p.Text.Slice(flags); !strings.ContainsAny(text, "\"'\n") {
		for i, r := range text {
			if i > 0 && (oddSpace(r) || invisible(r)) {
				at := flags.Part(i, i+utf8.RuneLen(r))
				found = append(found, lookalike{at, r, meantBy(r)})
			}
		}
	}
	text, place := in.Logical()
	if strings.HasPrefix(text, "[") { // AlmostJSON looks at arrays
		return found
	}
	var quotes []lookalike
	var open rune
	for i := 0; i < len(text); {
		r, width := utf8.DecodeRuneInString(text[i:])
		at := place(i, i+width)
		switch {
		case open == 0 && (r == '"' || r == '\''), open != 0 && r == open:
			if open = r - open; open != r {
				open = 0
			}
		case r == rune(p.Escape) && open != '\'':
			_, next := utf8.DecodeRuneInString(text[i+width:])
			width += next
		case open != 0:
		case oddSpace(r), invisible(r):
			if !splitsWords(in, r) {
				found = append(found, lookalike{at, r, meantBy(r)})
			}
		case dash(r):
			if meant := meantDash(in, text, i); meant != "" {
				found = append(found, lookalike{at, r, meant})
			}
		case quote(r):
			quotes = append(quotes, lookalike{at, r, meantBy(r)})
		}
		i += width
	}
	if len(quotes)%2 == 0 && opensWord(text, quotes, in, place) {
		found = append(found, quotes...)
	}
	return found
}

// opensWord reports whether quotes come in pairs, the first of each at the beginning of a word or value, so that they
// are meant to quote.
func opensWord(text string, quotes []lookalike, in *dockerfile.Instruction, place func(from, to int) source.Span) bool {
	if in.Meant == "SHELL" || in.Meant == "" {
		return false
	}
	starts := map[int]bool{}
	for i := range text {
		if i == 0 || strings.IndexByte(" \t=", text[i-1]) >= 0 {
			starts[place(i, i).Start] = true
		}
	}
	for i := 0; i < len(quotes); i += 2 {
		if !starts[quotes[i].span.Start] || meantBy(quotes[i].char) != meantBy(quotes[i+1].char) {
			return false
		}
	}
	return true
}

// splitsWords reports whether BuildKit takes an odd space for what separates words, as it does where quotes count.
func splitsWords(in *dockerfile.Instruction, r rune) bool {
	switch in.Meant {
	case "ARG", "ENV", "HEALTHCHECK", "LABEL":
		return unicode.IsSpace(r)
	}
	return false
}

// freeText reports whether all that follows the first word of an ENV or LABEL is text, as in "LABEL note some words".
func freeText(in *dockerfile.Instruction) bool {
	switch c := in.Command.(type) {
	case *instructions.EnvCommand:
		return len(c.Env) == 1 && c.Env[0].NoDelim
	case *instructions.LabelCommand:
		return len(c.Labels) == 1 && c.Labels[0].NoDelim
	}
	return false
}

func dash(r rune) bool { return '\u2010' <= r && r <= '\u2015' || r == '\u2212' }

// meantDash is what is meant by a dash at an offset of a command, if a flag is to begin with it: word processors make
// one long dash of two hyphens.
func meantDash(in *dockerfile.Instruction, text string, at int) string {
	if in.Meant != "RUN" && in.Meant != "CMD" && in.Meant != "ENTRYPOINT" {
		return ""
	}
	before := strings.TrimRightFunc(text[:at], func(r rune) bool { return dash(r) || r == '-' })
	rest := strings.TrimLeftFunc(text[at:], dash)
	flag := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"))]
	switch several := before != text[:at] || utf8.RuneCountInString(text[at:]) > utf8.RuneCountInString(rest)+1; {
	case flag == "" || before == "" || strings.IndexByte(" \t", before[len(before)-1]) < 0:
		return ""
	case several || len(flag) < 3:
		return "-"
	}
	return "--"
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func oddSpace(r rune) bool { return r >= utf8.RuneSelf && unicode.IsSpace(r) }

func quote(r rune) bool { return '\u2018' <= r && r <= '\u201f' }

// meantBy is the ASCII that a character is taken for, "" for one that takes no room.
func meantBy(r rune) string {
	switch {
	case invisible(r):
		return ""
	case '\u201c' <= r && r <= '\u201f':
		return `"`
	case quote(r):
		return "'"
	}
	return " "
}

// characterNames are what characters are called that cannot be told from others by eye, or be seen.
var characterNames = map[rune]string{
	'\u00a0': "a no-break space", '\u1680': "an ogham space", '\u2007': "a figure space",
	'\u202f': "a narrow no-break space", '\u205f': "a mathematical space", '\u3000': "a full-width " + "space",
	'\u0085': "a next-line character", '\u2028': "a line separator", '\u2029': "a paragraph separator",
	'\u00ad': "a soft hyphen", '\u200b': "a zero-width " + "space", '\u200c': "a zero-width non-joiner",
	'\u200d': "a zero-width joiner", '\u200e': "a left-to-right mark", '\u200f': "a right-to-left mark",
	'\u2060': "a word joiner", '\ufeff': "a byte order mark", '\u201c': "a typographic " + "quote",
	'\u201d': "a typographic quote", '\u201e': "a typographic quote", '\u201f': "a typographic quote",
	'\u2010': "a typographic hyphen", '\u2011': "a no-break hyphen", '\u2013': "an en dash", '\u2014': "an em dash",
	'\u2018': "a typographic " + "quote", '\u2019': "a typographic quote", '\u201a': "a typographic quote",
	'\u201b': "a typographic quote",
}

// characterName is how a message names a character.
func characterName(r rune) string {
	name := characterNames[r]
	switch {
	case name == "" && '\u2000' <= r && r <= '\u200a':
		name = "a typographic space"
	case name == "":
		name = "a character that is not a blank"
	}
	return fmt.Sprintf("%s (U+%04X)", name, r)
}

// invisible reports whether a character takes no room.
func invisible(r rune) bool {
	switch r {
	case '\u00ad', '\u200b', '\u200c', '\u200d', '\u200e', '\u200f', '\u2060', '\ufeff':
		return true
	}
	return false
}
