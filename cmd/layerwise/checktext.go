package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
)

// printCheckText writes the findings for people, each with the line it is about and carets below the place.
func printCheckText(w io.Writer, report checkReport) error {
	p := colour(w)
	var b bytes.Buffer
	fixable, fixed := 0, 0
	for _, f := range report.files {
		for _, fix := range f.fixed {
			if report.quiet {
				break
			}
			fmt.Fprintf(&b, "%s:%d: %s: %s [%s]\n", printablePath(f.path), fix.Line, p.paint(p.green, "fixed"),
				printable(fix.Title), fix.Rule)
		}
		for _, left := range f.left {
			if report.quiet {
				break
			}
			fmt.Fprintf(&b, "%s:%d: %s: %s: %s [%s]\n", printablePath(f.path), left.Line, p.paint(p.yellow, "not fixed"),
				printable(left.Title), printable(left.Why), left.Rule)
		}
		if f.kept != "" {
			fmt.Fprintf(&b, "%s: %s: %s\n", printablePath(f.path), p.paint(p.yellow, "not fixed"), printable(f.kept))
		}
		fixed += len(f.fixed)
		for _, finding := range f.findings {
			at := positionOf(f.text, finding.Span.Start)
			code, _ := rules.Code(finding)
			fmt.Fprintf(
				&b,
				"%s:%d:%d: %s: %s %s\n",
				p.paint(p.bold, printablePath(f.path)),
				at.Line,
				at.Column,
				p.paint(
					severityColour(p, finding.Severity),
					finding.Severity.String(),
				),
				printable(finding.Message),
				p.paint(p.dim, "["+code+"]"),
			)
			writeExcerpt(&b, p, f.text, finding.Span, severityColour(p, finding.Severity))
			for _, fix := range finding.Fixes {
				fmt.Fprintf(&b, "      %s %s\n", p.paint(p.dim, "fix:"), printable(fix.Title))
			}
			if slices.ContainsFunc(finding.Fixes, func(f analysis.Fix) bool { return f.Preferred }) {
				fixable++
			}
		}
	}
	if len(report.files) > 0 && !report.quiet {
		fmt.Fprintln(&b, summaryLine(report, fixed, fixable))
	}
	_, err := b.WriteTo(w)
	return err
}

func summaryLine(report checkReport, fixed, fixable int) string {
	var parts []string
	for severity := analysis.Error; severity <= analysis.Hint; severity++ {
		name := severity.String()
		if severity == analysis.Information {
			name = "remark"
		}
		if n := report.count(severity); n > 0 {
			parts = append(parts, plural(n, name))
		}
	}
	line := "no findings"
	if len(parts) > 0 {
		line = strings.Join(parts, ", ")
	}
	line += " in " + plural(len(report.files), "file")
	if fixed > 0 {
		line += fmt.Sprintf("; %d fixed", fixed)
	}
	if fixable > 0 {
		line += fmt.Sprintf("; %d can be fixed with --fix", fixable)
	}
	return line
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func severityColour(p palette, severity analysis.Severity) string {
	switch severity {
	case analysis.Error:
		return p.red
	case analysis.Warning:
		return p.yellow
	}
	return p.blue
}

// writeExcerpt writes the first line that span touches with carets below. Of a long line it shows what is around span.
func writeExcerpt(b *bytes.Buffer, p palette, text *source.Text, span source.Span, caretColour string) {
	const before, width = 60, 120 // characters
	number := text.LineAt(span.Start)
	line := text.Line(number)
	start := min(span.Start, line.End)
	head := []rune(text.Slice(source.Span{Start: line.Start, End: start}))
	rest := []rune(text.Slice(source.Span{Start: start, End: line.End}))
	marked := max(
		1,
		utf8.RuneCountInString(text.Slice(source.Span{Start: start, End: max(start, min(span.End, line.End))})),
	)
	ellipsis := ""
	if len(head)+len(rest) > width && len(head) > before {
		head = head[len(head)-before:]
		ellipsis = "…"
	}
	tail := ""
	if len(rest) > width-len(head) {
		rest = rest[:max(1, width-len(head))]
		tail = "…"
	}
	shown := printable(ellipsis + string(head))
	// A tab above a caret takes a tab below, so that both stand in the same place.
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, shown)
	fmt.Fprintf(b, "%4d %s %s%s\n", number+1, p.paint(p.dim, "|"), shown, printable(string(rest))+tail)
	fmt.Fprintf(
		b,
		"     %s %s%s\n",
		p.paint(p.dim, "|"),
		pad,
		p.paint(caretColour, strings.Repeat("^", min(marked, max(1, len(rest))))),
	)
}
