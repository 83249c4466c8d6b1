package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"golang.org/x/term"
)

// marks are what stands in the gutter for each verdict.
var marks = map[cachemodel.Status]string{
	cachemodel.Cached:  "✓",
	cachemodel.Rebuilt: "↻",
	cachemodel.Config:  "·",
	cachemodel.Skipped: "–",
	cachemodel.Fails:   "✗",
	cachemodel.Unknown: "?",
}

// printPrediction shows the Dockerfile with a mark at each instruction and the cause at the end of its line.
func printPrediction(w io.Writer, prediction *prediction) error {
	r, text := prediction.report, prediction.text
	p := colour(w)
	width := terminalWidth(w)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", p.paint(p.bold, headOf(prediction)))
	digits := len(fmt.Sprint(text.LineCount()))
	codeWidth := 0
	for _, s := range r.Steps {
		for line := s.Line; line <= s.EndLine; line++ {
			codeWidth = max(codeWidth, utf8.RuneCountInString(lineText(text, line)))
		}
	}
	codeWidth = min(codeWidth, max(30, width/2))
	last := 0
	for _, s := range r.Steps {
		if last > 0 && s.Line > last+1 {
			b.WriteByte('\n')
		}
		last = s.EndLine
		for line := s.Line; line <= s.EndLine; line++ {
			mark, note := " ", ""
			if line == s.Line {
				mark, note = marks[s.Status], stepNote(s)
			}
			code := truncate(lineText(text, line), codeWidth)
			out := fmt.Sprintf("%s %*d  %s", mark, digits, line, code)
			if note != "" {
				out += strings.Repeat(" ", codeWidth-utf8.RuneCountInString(code)+2)
				out = p.paint(statusColour(p, s), out) + p.paint(p.dim, printable(note))
			} else {
				out = p.paint(statusColour(p, s), out)
			}
			b.WriteString(out + "\n")
		}
	}
	fmt.Fprintf(&b, "\n%s\n", predictionSummary(r))
	_, err := io.WriteString(w, b.String())
	return err
}

// headOf says which build is judged, and what it is compared with.
func headOf(p *prediction) string {
	parts := []string{p.report.File, string(p.report.Engine)}
	b := p.build
	if b.Context.Dir != filepath.Dir(b.Dockerfile) {
		parts = append(parts, b.ContextText())
	}
	parts = append(parts, "compared with "+b.Compared.Label)
	if b.Remembered {
		parts[len(parts)-1] += " (as chosen before)"
	}
	if b.Entry != nil {
		parts = append(parts, "settings of the "+b.EntryText())
	}
	return printable(strings.Join(parts, " · "))
}

// terminalWidth is the number of columns of the terminal that w is, else a width that suits a log.
func terminalWidth(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 40 {
			return width
		}
	}
	return 120
}

func lineText(text *source.Text, line int) string {
	return printable(strings.ReplaceAll(strings.TrimRight(text.Slice(text.Line(line-1)), " \t"), "\t", " "))
}

func truncate(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

func statusColour(p palette, s cachemodel.Step) string {
	switch s.Status {
	case cachemodel.Cached:
		return p.green
	case cachemodel.Rebuilt:
		return p.blue
	case cachemodel.Fails, cachemodel.Unknown:
		return p.yellow
	}
	return p.dim
}

func stepNote(s cachemodel.Step) string {
	var parts []string
	if s.Cause != nil {
		parts = append(parts, s.Cause.Detail)
	}
	if s.Detail != "" {
		parts = append(parts, s.Detail)
	}
	note := strings.Join(parts, "; ")
	if cost := costText(cachemodel.Cost{Seconds: s.Seconds, Bytes: s.Bytes, Shared: s.Shared}); cost != "" {
		if note != "" {
			note += " "
		}
		note += "(" + cost + ")"
	}
	if s.Status == cachemodel.Rebuilt && !s.Certain {
		note = "perhaps: " + note
	}
	return note
}

// predictionSummary counts the steps that a build has, as in "5 of 7 steps cached · rebuilds from line 9".
func predictionSummary(r *workspace.Report) string {
	line := fmt.Sprintf("%d of %d steps cached", r.Summary.Cached, r.Summary.Cached+r.Summary.Rebuilt)
	for _, s := range r.Steps {
		if s.Status == cachemodel.Fails {
			line += fmt.Sprintf(" · the build fails at line %d", s.Line)
			break
		}
		if s.Status == cachemodel.Rebuilt {
			line += fmt.Sprintf(" · rebuilds from line %d", s.Line)
			break
		}
	}
	if took := cachemodel.RebuildTime(r.Steps); took != "" {
		line += ", " + took
	}
	if r.Summary.Unknown > 0 {
		line += fmt.Sprintf(" · %d cannot be read", r.Summary.Unknown)
	}
	return line
}
