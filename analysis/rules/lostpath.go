package rules

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
)

// LostPath finds ENV PATH with a value that programs are not found by.
var LostPath = &Rule{
	ID:       "lost-path",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "PATH loses directories in which programs are",
		What: "Finds `ENV PATH=...` that has neither the former `$PATH` nor a directory such as `/usr/bin`, or a " +
			"`~`, which nothing replaces there, or semicolons, which separate nothing on Linux, or that is set to the " +
			"text `$PATH` itself, by single quotes, or lacks a colon in front of or behind `$PATH`.",
		Why:     "`sh` and every other program of the image are not found any more, by `RUN` and in the container.",
		Example: "FROM alpine\nENV PATH=/app/bin\n",
		Instead: "FROM alpine\nENV PATH=/app/bin:$PATH\n",
	},
	check: checkLostPath,
}

var pathValue = regexp.MustCompile(`^PATH=(?:"([^"']*)"|([^"']*))$`)

func checkLostPath(p *pass) {
	for in := range p.every("ENV") {
		if in.Command == nil || in.Stage < 0 {
			continue
		}
		if image, known := p.imageOf(in); !known || image == "scratch" || images.Windows(image) || p.Escape != '\\' {
			continue
		}
		for i, word := range in.Args {
			value, span := "", word.Span
			if i < 2 && p.checkLiteralPath(in, word) {
				continue
			}
			if m := pathValue.FindStringSubmatch(word.Text); m != nil && p.Text.Slice(span) == word.Text {
				value, span.Start = m[1]+m[2], span.Start+len("PATH=")
			} else if i == 1 && in.Args[0].Text == "PATH" && len(in.Args) == 2 && p.Text.Slice(span) == word.Text {
				value = word.Text
			}
			if value != "" {
				p.checkPathValue(in, span, value)
			}
		}
	}
}

var (
	literalPath = regexp.MustCompile(`^(?:PATH=)?(?:'[^'"]*\$(?:PATH\b|\{PATH\})[^'"]*'|[^'"\s]*\\\$(?:PATH\b|\{PATH\})[^'"\s]*)$`)
	gluedPath   = regexp.MustCompile(`\$(?:PATH|\{PATH\})()/|[^=:$"']()\$(?:PATH(?:[^A-Za-z0-9_]|$)|\{PATH\})`)
)

// checkLiteralPath looks for a PATH that is set to the text $PATH itself, or in which $PATH and a directory are one
// word.
func (p *pass) checkLiteralPath(in *dockerfile.Instruction, word dockerfile.Word) bool {
	if p.Text.Slice(word.Span) != word.Text ||
		!strings.HasPrefix(word.Text, "PATH=") && (in.Args[0].Text != "PATH" || len(in.Args) != 2) {
		return false
	}
	if literalPath.MatchString(word.Text) {
		meant := strings.ReplaceAll(strings.ReplaceAll(word.Text, `\$`, "$"), "'", `"`)
		p.found(in, word.Span, replace(word.Span, meant, true),
			"$PATH is not replaced here: PATH becomes this text, and no program is found")
		return true
	}
	m := gluedPath.FindStringSubmatchIndex(word.Text)
	if m == nil || strings.ContainsAny(word.Text, `\;`) {
		return false
	}
	at := word.Span.Start + max(m[2], m[4])
	p.found(in, word.Span, change("Insert a colon", source.At(at), ":", true),
		"a colon is missing: $PATH and what it touches are read as one directory")
	return true
}

func (p *pass) checkPathValue(in *dockerfile.Instruction, span source.Span, value string) {
	switch {
	case strings.HasPrefix(value, "~/") || strings.Contains(value, ":~/"):
		finding := analysis.Finding{Span: span, Message: "~ is not replaced in PATH: no program is found there"}
		if home := p.home(in); home != "" {
			text := strings.ReplaceAll(p.Text.Slice(span), "~/", home+"/")
			finding.Fixes = replace(span, text, false)
		}
		p.report(in, finding)
	case strings.Contains(value, ";") && strings.Contains(value, "/"):
		text := strings.ReplaceAll(p.Text.Slice(span), ";", ":")
		p.found(in, span, replace(span, text, true), "colons separate the directories of PATH, not semicolons")
	case value == "PATH" || strings.HasPrefix(value, "PATH:") || strings.HasSuffix(value, ":PATH"):
		text := p.Text.Slice(span)
		at := span.Start + strings.Index(text, "PATH")
		p.found(in, source.Between(at, at+len("PATH")), change("Change to $PATH", source.At(at), "$", true),
			"PATH is taken for a directory: $PATH is meant")
	case !strings.Contains(value, "$") && strings.HasPrefix(value, "/") && !strings.Contains(value, "/bin:") &&
		!strings.HasSuffix(value, "/usr/bin") && value != "/bin":
		end := span.End
		if strings.HasSuffix(p.Text.Slice(span), `"`) {
			end--
		}
		p.found(in, span, change("Add $PATH", source.At(end), ":$PATH", false),
			"this leaves out the directories that PATH had: not even sh is found any more")
	}
}
