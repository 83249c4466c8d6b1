package rules

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// LineEndings finds line ends that BuildKit or a shell stumbles over.
var LineEndings = &Rule{
	ID:       "line-endings",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "Line ends are not those of Unix where that matters",
		What: "Finds `RUN` here-documents whose lines end with CR LF, and files whose lines end with CR only. The " +
			"fix writes LF.",
		Why: "A shell takes the CR for a part of the last word: `set -e` fails with `illegal option -`. BuildKit " +
			"knows no line end but LF, so that a file with CR only is one line. " +
			"In a repository, `* text eol=lf` in .gitattributes keeps it so.",
		Example: "FROM alpine\nRUN <<EOF\r\nset -e\r\napk add curl\r\nEOF\n",
		Instead: "FROM alpine\nRUN <<EOF\r\nset -e\napk add curl\nEOF\n",
	},
	check: func(p *pass) {
		if onlyCR(p.file()) {
			text := p.Text.String()
			fix := analysis.Fix{Title: "End lines with LF", Preferred: true}
			for i := range len(text) {
				if text[i] == '\r' {
					fix.Edits = append(fix.Edits, source.Edit{Span: source.Between(i, i+1), NewText: "\n"})
				}
			}
			p.found(nil, p.file().Instructions[0].Keyword.Span, []analysis.Fix{fix},
				"the lines end with CR only: BuildKit reads the whole file as one line")
			return
		}
		if !strings.Contains(p.Text.String(), "\r\n") {
			return
		}
		for in := range p.every("RUN") {
			for _, doc := range in.Heredocs {
				p.checkHeredocEnds(in, doc)
			}
		}
	},
}

// onlyCR reports whether lines end as they did on old Macs.
func onlyCR(file *dockerfile.File) bool {
	text := file.Text.String()
	return len(file.Instructions) > 0 && !strings.Contains(text, "\n") &&
		strings.Contains(strings.TrimRight(text, "\r"), "\r")
}

// shellHeredoc matches a command that has a shell read its here-document.
var shellHeredoc = regexp.MustCompile(
	`^<<-?\S+$|^<<-?\S+\s+(/bin/|/usr/bin/)?(ba|da|a|z|k)?sh\b|^(/bin/|/usr/bin/)?(ba|da|a|z|k)?sh\b.*<<`,
)

func (p *pass) checkHeredocEnds(in *dockerfile.Instruction, doc dockerfile.Heredoc) {
	fix := analysis.Fix{Title: "End the lines of the here-document with LF", Preferred: true}
	text := p.Text.String()
	for i := doc.Body.Start; i+1 < doc.Body.End; i++ {
		if text[i] == '\r' && text[i+1] == '\n' {
			fix.Edits = append(fix.Edits, source.Edit{Span: source.Between(i, i+1)})
		}
	}
	if len(fix.Edits) == 0 || !shellHeredoc.MatchString(strings.TrimSpace(p.Text.Slice(in.ArgsSpan))) {
		return // another program may not mind
	}
	p.found(nil, doc.Start, []analysis.Fix{fix},
		"the lines of this here-document end with CR LF: the shell takes the CR for a part of the last word")
}
