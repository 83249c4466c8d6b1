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

// UnterminatedHeredoc finds a here-document whose closing delimiter is missing.
var UnterminatedHeredoc = &Rule{
	ID:       "unterminated-heredoc",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A here-document is not closed",
		What:    "Finds a here-document (`<<EOF`) whose closing delimiter never comes on a line of its own.",
		Why: "Everything up to the end of the file becomes part of the here-document: the instructions below are not " +
			"instructions any more, and the build fails. With `<<EOF` the delimiter must stand at the very start of " +
			"its " +
			"line; only `<<-EOF` allows tabs before it, and neither allows spaces.",
		Example: "FROM alpine\nRUN <<EOF\napk add curl\nCMD [\"curl\", \"--version\"]\n",
		Instead: "FROM alpine\nRUN <<EOF\napk add curl\nEOF\nCMD [\"curl\", \"--version\"]\n",
	},
	check: checkUnterminatedHeredoc,
}

func checkUnterminatedHeredoc(p *pass) {
	for _, h := range p.halfQuotedHeredocs() {
		span := source.Between(h.word, h.end)
		if h.nowhere {
			for _, in := range p.file().Instructions { // BuildKit stops at the first line that is not an instruction
				if in.Span.Start > h.end && isUnknown(in) {
					span = in.Keyword.Span
					break
				}
			}
			p.found(nil, span, nil, "%s takes no here-document: only RUN, COPY and ADD do", h.in.Meant)
			continue
		}
		if meant := h.quote; h.angles {
			message := p.Text.Slice(span) + " does not begin a heredoc: << does"
			if meant == "<<-" {
				message = "this does not begin a heredoc: no blank stands behind <<-"
			}
			p.report(nil, analysis.Finding{Span: span, Message: message, Fixes: replace(span, meant, true)})
			continue
		}
		p.found(nil, source.Between(h.word, max(h.end, h.word+2)),
			change("Add the missing quote", source.At(h.end), h.quote, true),
			"this does not begin a heredoc: a quote of its delimiter is missing")
	}
	const most = 20 // for which a line that is meant to end them is looked for, in all lines below
	for i, problem := range p.problems(dockerfile.UnterminatedHeredoc) {
		finding := p.fromProblem(problem)
		if in := p.file().InstructionAt(problem.Span.Start); in != nil && i < most {
			for _, doc := range in.Heredocs {
				if doc.Start == problem.Span {
					p.closeHeredoc(&finding, in, doc)
				}
			}
		}
		p.report(nil, finding)
	}
}

// halfQuoted is the word of a here-document whose delimiter has a quote on one side only.
type halfQuoted struct {
	in        *dockerfile.Instruction
	word, end int // where the word starts, and where the quote is missing
	quote     string
	last      int  // the line of the delimiter, from 0
	angles    bool // it has one < too few or too many, or a blank behind <<-, from word to end
	nowhere   bool // its instruction takes none
}

var openDelimiter = regexp.MustCompile(
	`(?:^|\s)<<-?[ \t]*(?:(["'])([A-Za-z_][A-Za-z0-9_]*)(?:\s|$)|([A-Za-z_][A-Za-z0-9_]*)(["'])(?:\s|$))`,
)

// anyDelimiter is the word of a here-document at the end of a line.
var anyDelimiter = regexp.MustCompile(`(?:^|[\s=])<<-?["']?([A-Za-z_][A-Za-z0-9_]*)["']?$`)

// otherDelimiter is the word of a here-document with one < too few or too many, or with a blank behind <<-.
var otherDelimiter = regexp.MustCompile(`(?:^|\s)(<|<<<|<<-[ \t]+)[ \t]*["']?([A-Z_][A-Z0-9_]*)["']?(?:\s|$)`)

// halfQuotedHeredocs are here-documents that BuildKit does not see, as a quote of their delimiter is missing, but whose
// delimiter stands on a line below.
func (p *pass) halfQuotedHeredocs() []halfQuoted {
	if p.rest().half != nil {
		return p.rest().half
	}
	p.rest().half = []halfQuoted{}
	for _, in := range p.file().Instructions {
		if len(in.Heredocs) > 0 || isUnknown(in) {
			continue
		}
		text := p.Text.Slice(in.ArgsSpan)
		if !strings.Contains(text, "<") { // nearly all
			continue
		}
		if in.Meant != "RUN" && in.Meant != "COPY" && in.Meant != "ADD" {
			if m := anyDelimiter.FindStringSubmatchIndex(text); m != nil && in.Meant != "ONBUILD" {
				start := in.ArgsSpan.Start + strings.LastIndex(text[:m[2]], "<<")
				p.addHalf(halfQuoted{in: in, word: start, end: in.ArgsSpan.End, nowhere: true}, text[m[2]:m[3]])
			}
			continue
		}
		m := openDelimiter.FindStringSubmatchIndex(text)
		if m == nil {
			if m := otherDelimiter.FindStringSubmatchIndex(text); m != nil {
				h := halfQuoted{in: in, word: in.ArgsSpan.Start + m[2], end: in.ArgsSpan.Start + m[3], quote: "<<"}
				if strings.HasPrefix(text[m[2]:], "<<-") {
					h.quote = "<<-"
				}
				h.angles = true
				p.addHalf(h, text[m[4]:m[5]])
			}
			continue
		}
		h := halfQuoted{in: in, word: in.ArgsSpan.Start + m[0] + strings.Index(text[m[0]:], "<<")}
		name := ""
		if m[2] >= 0 {
			h.quote, name, h.end = text[m[2]:m[3]], text[m[4]:m[5]], in.ArgsSpan.Start+m[5]
		} else {
			h.quote, name, h.end = text[m[8]:m[9]], text[m[6]:m[7]], in.ArgsSpan.Start+m[6]
		}
		p.addHalf(h, name)
	}
	return p.rest().half
}

// addHalf adds a here-document if its delimiter stands on a line below.
func (p *pass) addHalf(h halfQuoted, name string) {
	const far = 500 // lines
	for line := h.in.EndLine; line < min(p.Text.EndLine(), h.in.EndLine+far); line++ {
		if strings.TrimLeft(p.Text.Slice(p.Text.Line(line)), "\t") == name {
			h.last = line
			p.rest().half = append(p.rest().half, h)
			return
		}
	}
}

// inOpenHeredoc reports whether an instruction is a line of a here-document with a quote missing.
func (p *pass) inOpenHeredoc(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(
		p.halfQuotedHeredocs(),
		func(h halfQuoted) bool { return h.in.Span.End < in.Span.Start && in.Line-1 <= h.last },
	)
}

// closeHeredoc says which line is meant to close a heredoc, if one is, and makes it do so.
func (p *pass) closeHeredoc(finding *analysis.Finding, in *dockerfile.Instruction, doc dockerfile.Heredoc) {
	first := p.Text.LineAt(in.ArgsSpan.End) + 1
	for line := first; line < p.Text.EndLine(); line++ {
		span := p.Text.Line(line)
		text := p.Text.Slice(span)
		word := strings.TrimSpace(text)
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		why := "is written otherwise"
		switch {
		case word == doc.Name && strings.TrimRight(text, " \t") != text:
			why = "has a blank behind it"
		case word == doc.Name && indent != "":
			why = "is indented"
		case strings.EqualFold(word, doc.Name) && word != doc.Name:
		case endWords[word] && endWords[doc.Name]:
		case strings.Trim(word, `;,."'`) == doc.Name:
		case strings.HasPrefix(word, doc.Name+" #"):
			why = "has a comment behind it"
		default:
			continue
		}
		finding.Message = fmt.Sprintf("unterminated heredoc: line %d does not end it, as it %s", line+1, why)
		tabs := word == doc.Name && strings.Trim(indent, "\t") == "" && indent != "" && !doc.Chomp &&
			text == indent+word && p.tabbed(first, line)
		if tabs {
			at := doc.NameSpan.Start
			if quote := p.Text.String()[at-1]; quote == '"' || quote == '\'' {
				at--
			}
			finding.Fixes = change("Change << to <<-, which takes away tabs", source.At(at), "-", true)
		}
		plain := change(fmt.Sprintf("Change line %d to %s", line+1, doc.Name), span, doc.Name, !tabs)
		finding.Fixes = append(finding.Fixes, plain...)
		return
	}
	below := p.Text.LineAt(in.Span.End) + 1
	finding.Fixes = change(fmt.Sprintf("Insert %s behind line %d", doc.Name, below), source.At(in.Span.End),
		p.newline+doc.Name, false)
}

// tabbed reports whether the lines from and up to to, exclusive, that are not empty begin with a tab.
func (p *pass) tabbed(from, to int) bool {
	for line := from; line < to; line++ {
		if text := p.Text.Slice(p.Text.Line(line)); text != "" && text[0] != '\t' {
			return false
		}
	}
	return true
}

// endWords are the usual delimiters of here-documents, one of which is written for another.
var endWords = map[string]bool{"EOF": true, "EOT": true, "EOL": true, "END": true, "EOS": true}
