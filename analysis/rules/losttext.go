package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// LostText finds text that a continued line loses, or ends too early.
var LostText = &Rule{
	ID:       "lost-text",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A value or a continued line loses text, or ends too early",
		What: "Finds lines that begin with `#` within a quoted text that goes on over several lines, such as " +
			"`#!/bin/sh`, and a value that is to begin on the line below `NAME=\\`, behind blanks. A `#` with a blank " +
			"behind it is meant as a comment, in a list of packages or in PowerShell, unless `echo` or `printf` " +
			"writes it. Finds quotes within a quoted value, too.",
		Why: "`A=\"say \"hi\"\"` makes A `say hi`. BuildKit takes out every line of a continued instruction that " +
			"begins with `#`, also within quotes. " +
			"Blanks end a value: `ARG A=\\` with `  b` below it makes A empty, and declares b.",
		Example: "FROM alpine\nARG GREETING=\\\n  hello\nRUN echo $GREETING\n",
		Instead: "FROM alpine\nARG GREETING=hello\nRUN echo $GREETING\n",
	},
	of:   []string{"ARG", "CMD", "ENTRYPOINT", "ENV", "HEALTHCHECK", "LABEL", "RUN"},
	each: checkLostText,
}

func checkLostText(p *pass, in *dockerfile.Instruction) {
	if in.Meant == "ARG" {
		p.checkValueApart(in)
	}
	if (in.Meant == "ARG" || in.Meant == "ENV" || in.Meant == "LABEL") && in.Command != nil {
		p.checkInnerQuotes(in)
	}
	if in.Line == in.EndLine {
		return
	}
	run := p.shellRun(in)
	for _, comment := range in.Comments {
		if run != nil && run.mistake != nil {
			break // ShellSyntax says what is wrong
		}
		before := in.Before(comment.Span.Start)
		if isProse(p.Text.Slice(comment.Span)) && !(in.Meant == "RUN" && writesText.MatchString(before)) {
			continue
		}
		if openQuote(before, p.Escape) != 0 {
			p.found(in, comment.Span, nil,
				"this line is left out: BuildKit takes it for a comment, though it is within quotes")
			break
		}
	}
	if in.Meant == "ARG" || in.Meant == "ENV" {
		p.checkValueBelow(in)
	}
}

// quotedInner matches a pair whose value is in quotes, which may hold others.
var quotedInner = regexp.MustCompile(`^([A-Za-z_"][\w.-]*"?=)"([^\\$]*)"$`)

// escapedInner is a pair with a backslash before the quotes that stand in its quoted value, as in A="say "hi"" and
// A="{"b": 1}". It is "" where there are none, or where they may be meant to end and begin quoted parts.
func (p *pass) escapedInner(pair string) string {
	m := quotedInner.FindStringSubmatch(pair)
	if m == nil || !strings.Contains(m[2], `"`) {
		return ""
	}
	inner, first, last := m[2], strings.Index(m[2], `"`), strings.LastIndex(m[2], `"`)
	object := strings.IndexAny(inner, "{[") == 0 && strings.ContainsAny(inner[len(inner)-1:], "}]")
	words := first > 0 && inner[first-1] == ' ' && first < last && (last == len(inner)-1 || inner[last+1] == ' ')
	switch {
	case object && !strings.Contains(inner, "'"):
		return m[1] + "'" + inner + "'"
	case object, words:
		return m[1] + `"` + strings.ReplaceAll(inner, `"`, string(p.Escape)+`"`) + `"`
	}
	return ""
}

// checkInnerQuotes looks for quotes within a quoted value, which BuildKit takes out with the outer ones.
func (p *pass) checkInnerQuotes(in *dockerfile.Instruction) {
	for _, word := range in.Args {
		if meant := p.escapedInner(word.Text); meant != "" && p.Text.Slice(word.Span) == word.Text {
			p.found(in, word.Span, replace(word.Span, meant, true),
				"the value loses its inner quotes: they end and begin quoted parts")
		}
	}
}

// writesText matches commands that write text as it is.
var writesText = regexp.MustCompile(`\b(?:echo|printf)\b`)

// isProse reports whether a comment is written as people write one: with a blank behind the "#".
func isProse(comment string) bool {
	rest, _ := strings.CutPrefix(strings.TrimLeft(comment, " \t"), "#")
	return rest == "" || strings.ContainsAny(rest[:1], " \t\r\n")
}

// openQuote returns the quote that is open at the end of a shell's text, 0 if none is.
func openQuote(text string, escape byte) byte {
	open := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == escape && open != '\'' || c == '\\' && open != '\'':
			i++
		case open == 0 && c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return 0 // a comment of the shell's: the rest is
		case open == 0 && (c == '"' || c == '\''):
			open = c
		case c == open:
			open = 0
		}
	}
	return open
}

// checkValueApart looks for an ARG whose value stands behind a blank: BuildKit takes it for the name of another one.
func (p *pass) checkValueApart(in *dockerfile.Instruction) {
	text := p.Text.Slice(in.ArgsSpan)
	if m := noEquals.FindStringSubmatchIndex(text); m != nil {
		gap := in.ArgsSpan.Part(m[2], m[3])
		p.found(in, in.ArgsSpan, change("Change it to =", gap, "=", false),
			"ARG gives no default without =: this declares other names")
	}
	if m := valueApart.FindStringSubmatchIndex(text); m != nil && len(in.Args) == 2 {
		gap := in.ArgsSpan.Part(m[2], m[3])
		p.found(in, in.Args[0].Span, change("Remove the blank", gap, "", false),
			"%s is empty: a blank stands between it and %s, which is taken for another argument",
			strings.TrimSuffix(in.Args[0].Text, "="), in.Args[1].Text)
	}
}

// noEquals matches a name and a default that no name can be, without an equals sign.
var noEquals = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*([ \t]+|:-)(?:[0-9][A-Za-z0-9_.-]*|true|false|latest)$`)

var valueApart = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=([ \t]+)[^\s=]+[ \t]*$`)

// checkValueBelow looks for "NAME=" at the end of a line whose value stands on the next, behind blanks.
func (p *pass) checkValueBelow(in *dockerfile.Instruction) {
	if in.Meant == "ENV" && in.Command == nil {
		return // an error says so
	}
	for i, word := range in.Args[:max(len(in.Args)-1, 0)] {
		next := in.Args[i+1]
		if !strings.HasSuffix(word.Text, "=") || strings.Count(word.Text, "=") != 1 || strings.Contains(next.Text,
			"=") ||
			p.sameLine(word.Span.End, next.Span.Start) ||
			!strings.HasSuffix(p.Text.Slice(word.Span), "=") {
			continue
		}
		between := source.Between(word.Span.End, next.Span.Start)
		finding := analysis.Finding{
			Span: word.Span,
			Message: fmt.Sprintf(
				"%s is empty: blanks stand between it and %s",
				strings.TrimSuffix(word.Text, "="),
				next.Text,
			),
		}
		if strings.Trim(p.Text.Slice(between), " \t\r\n"+string(p.Escape)) == "" {
			finding.Fixes = change("Join the lines", between, "", true)
		}
		p.report(in, finding)
	}
}
