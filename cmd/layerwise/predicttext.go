package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// markOf is what stands in the gutter for a verdict.
func markOf(s cachemodel.Step) string {
	switch s.Status {
	case cachemodel.Config:
		return "·"
	case cachemodel.Skipped:
		return "–"
	}
	return s.Sign()
}

// textOptions say how much of a prediction is shown.
type textOptions struct {
	stage            string // only this one; "" is all
	summary, verbose bool   // only the answer; each line
}

func (o *textOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.stage, "stage", "", "show only this stage, by its name or number")
	f.BoolVar(&o.summary, "summary", false, "show only the answer and the first causes")
	f.BoolVar(
		&o.verbose,
		"verbose",
		false,
		"show each line; else long instructions are shown by their first line, and equal ones together",
	)
}

// A run of so many equal rows is shown as one; a listing that is longer than one screen has its first causes on top.
const (
	leastFold   = 4
	shortRows   = 20
	firstCauses = 3
)

// printPrediction shows the answer, then the Dockerfile with a mark at each instruction and the cause at the end of its
// line.
func printPrediction(w io.Writer, prediction *prediction, o textOptions) error {
	r := prediction.report
	rows := rowsOf(prediction, o)
	if len(rows) == 0 && o.stage != "" {
		return fmt.Errorf("there is no stage %q to show; %s", o.stage, stagesOf(r.Steps))
	}
	p := colour(w)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", p.paint(p.bold, headOf(prediction)), p.paint(p.dim, placeOf(prediction)))
	if prediction.err != nil {
		fmt.Fprintf(&b, "nothing can be told: %s\n", printable(prediction.err.Error()))
	} else {
		fmt.Fprintf(&b, "%s\n", predictionSummary(r))
	}
	if p := prediction.ci; p != nil {
		fmt.Fprintf(&b, "%s\n", printable(ciText(p, r.CacheFrom)))
	}
	for _, text := range []string{cacheFromText(r), maxCacheText(r)} {
		if text != "" {
			fmt.Fprintln(&b, printable(text))
		}
	}
	if assumed := assumedBy(r.Steps); len(assumed) > 0 {
		fmt.Fprintf(&b, "%s\n", p.paint(p.dim, printable("Assuming that "+strings.Join(assumed, "; ")+".")))
	}
	if r.Baseline.Kind == string(baseline.None) && r.CacheFrom == nil {
		fmt.Fprintln(
			&b,
			"There is nothing to compare with yet: run the build as `layerwise build -- docker build ...`, or commit "+
				"the files.",
		)
	}
	if o.summary || len(rows) > shortRows {
		for _, line := range causesOf(r) {
			fmt.Fprintf(&b, "  %s\n", printable(line))
		}
	}
	if !o.summary {
		b.WriteByte('\n')
		writeRows(&b, w, p, rows, len(fmt.Sprint(prediction.text.EndLine())))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// maxCacheText says what a cache exported with mode=max would save, "" if it is no more.
func maxCacheText(r *workspace.Report) string {
	max := r.WithMaxCache
	if max == nil || max.Cached <= r.Summary.Cached {
		return ""
	}
	with := "With mode=max for the exported cache"
	if r.Baseline.Cache == cachemodel.NoCacheImport {
		with = "With a cache that is exported with mode=max and imported"
	}
	return fmt.Sprintf("%s, %d of %d steps would be cached%s.", with, max.Cached, max.Cached+max.Rebuilt,
		secondsLess(r.Summary.Seconds, max.Seconds))
}

// secondsLess says how much less time is rebuilt, where both times are known.
func secondsLess(now, then *float64) string {
	if now == nil {
		return ""
	}
	less := *now
	if then != nil {
		less -= *then
	}
	if text := costText(cachemodel.Cost{Seconds: &less}); text != "" {
		return " (" + text + " less)"
	}
	return ""
}

// row is a line of what is shown.
type row struct {
	step        cachemodel.Step // of the first instruction
	first, last int             // line
	code, note  string
	count       int // of instructions that are shown together; 0 is a line within an instruction
	gap         bool
}

// stagesOf says which stages the steps are of.
func stagesOf(steps []cachemodel.Step) string {
	var names []string
	for _, s := range steps {
		if s.Stage != "" && !slices.Contains(names, s.Stage) {
			names = append(names, s.Stage)
		}
	}
	return "the stages are " + strings.Join(names, ", ")
}

// rowsOf are the rows for the instructions, in file order.
func rowsOf(prediction *prediction, o textOptions) []row {
	text := prediction.text
	var rows []row
	last := 0
	for _, s := range prediction.report.Steps {
		if o.stage != "" && !strings.EqualFold(s.Stage, o.stage) {
			continue
		}
		gap := last > 0 && s.Line > last+1
		last = s.EndLine
		note := stepNote(s)
		one := row{
			step:  s,
			first: s.Line,
			last:  s.EndLine,
			code:  lineText(text, s.Line),
			note:  note,
			count: 1,
			gap:   gap,
		}
		if !o.verbose {
			if s.EndLine > s.Line {
				one.code = firstWords(text, s) + " …"
			}
			rows = append(rows, one)
			continue
		}
		one.last = s.Line
		rows = append(rows, one)
		for line := s.Line + 1; line <= s.EndLine; line++ {
			rows = append(rows, row{step: s, first: line, last: line, code: lineText(text, line)})
		}
	}
	if o.verbose {
		return rows
	}
	return folded(rows)
}

// firstWords is an instruction's first line; where that has its name and flags only, the next ones too.
func firstWords(text *source.Text, s cachemodel.Step) string {
	code := ""
	for line := s.Line; line <= s.EndLine; line++ {
		code = strings.TrimSpace(code + " " + strings.TrimRight(strings.TrimSpace(lineText(text, line)), "\\` "))
		words := strings.Fields(code)
		says := slices.ContainsFunc(words[min(1, len(words)):], func(word string) bool {
			return !strings.HasPrefix(word, "--")
		})
		if says {
			break
		}
	}
	return code
}

// folded shows runs of instructions together of which the same is said.
func folded(rows []row) (out []row) {
	for i := 0; i < len(rows); {
		n := 1
		for i+n < len(rows) && rows[i+n].step.Stage == rows[i].step.Stage && rows[i+n].note == rows[i].note &&
			markOf(rows[i+n].step) == markOf(rows[i].step) {
			n++
		}
		if n < leastFold {
			out = append(out, rows[i:i+n]...)
		} else {
			one := rows[i]
			one.last, one.count, one.code = rows[i+n-1].last, n, fmt.Sprintf("%s … (%d instructions)",
				one.step.Instruction, n)
			out = append(out, one)
		}
		i += n
	}
	return out
}

// writeRows writes rows as a table. On a terminal notes are wrapped.
func writeRows(b *strings.Builder, w io.Writer, p palette, rows []row, digits int) {
	width := terminalWidth(w)
	lineWidth, codeWidth := digits, 0
	for _, r := range rows {
		lineWidth = max(lineWidth, len(r.lines()))
		codeWidth = max(codeWidth, utf8.RuneCountInString(r.code))
	}
	codeWidth = min(codeWidth, max(30, width/2))
	for _, r := range rows {
		if r.gap {
			b.WriteByte('\n')
		}
		mark := " "
		if r.count > 0 {
			mark = markOf(r.step)
		}
		code := truncate(r.code, codeWidth)
		out := fmt.Sprintf("%s %*s  %s", mark, lineWidth, r.lines(), code)
		if r.note == "" {
			b.WriteString(p.paint(statusColour(p, r.step), out) + "\n")
			continue
		}
		out += strings.Repeat(" ", codeWidth-utf8.RuneCountInString(code)+2)
		indent := lineWidth + codeWidth + 6
		for i, line := range wrapped(printable(r.note), width-indent, w) {
			if i > 0 {
				out = strings.Repeat(" ", indent)
			}
			b.WriteString(p.paint(statusColour(p, r.step), out) + p.paint(p.dim, line) + "\n")
		}
	}
}

func (r row) lines() string {
	if r.count > 1 {
		return fmt.Sprintf("%d-%d", r.first, r.last)
	}
	return fmt.Sprint(r.first)
}

// wrapped divides a note into lines that fit a terminal; elsewhere it is one line.
func wrapped(note string, width int, w io.Writer) []string {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || utf8.RuneCountInString(note) <= width {
		return []string{note}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(note) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > max(width, 20) {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// assumedBy is what the marks rest on and no instruction's note says, each once.
func assumedBy(steps []cachemodel.Step) (out []string) {
	said := map[string]bool{}
	for _, s := range steps {
		said[strings.TrimPrefix(s.Detail, "assuming that ")] = true
	}
	for _, s := range steps {
		for _, a := range s.Assuming {
			if a = strings.TrimPrefix(strings.TrimSuffix(a, "."), "assuming that "); !said[a] {
				said[a] = true
				out = append(out, a)
			}
		}
	}
	return out
}

// causesOf are the first reasons why the build runs anything.
func causesOf(r *workspace.Report) (lines []string) {
	said := map[string]bool{}
	for _, s := range r.Steps {
		own := s.Cause != nil && s.Cause.Kind != cachemodel.Follows && s.Cause.Kind != cachemodel.StageRebuilt &&
			s.Cause.Kind != cachemodel.NoBaseline
		if !own || s.Status != cachemodel.Rebuilt && s.Status != cachemodel.Fails {
			continue
		}
		if s.Cause.Kind == cachemodel.NotInCache { // the same for all steps of a stage
			if said[s.Cause.Detail] {
				continue
			}
			said[s.Cause.Detail] = true
		}
		if len(lines) == firstCauses {
			return append(lines, "and more")
		}
		lines = append(lines, fmt.Sprintf("%s line %d %s: %s", markOf(s), s.Line, truncate(s.Text, 50), stepNote(s)))
	}
	return lines
}

// headOf says which build is judged, and what it is compared with.
func headOf(p *prediction) string {
	parts := []string{p.report.File, string(p.report.Engine), "compared with " + p.build.Compared.Label}
	if p.build.Inline {
		parts[0] = "the Dockerfile within " + parts[0]
	}
	if p.build.Remembered {
		parts[len(parts)-1] += " (as chosen before)"
	}
	if p.build.Entry != nil {
		parts = append(parts, "settings of the "+p.build.EntryText())
	}
	return printable(strings.Join(parts, " · "))
}

// placeOf says where the build context is and why there, and what is assumed.
func placeOf(p *prediction) string {
	parts := []string{p.build.ContextText()}
	if target := p.build.Settings.Target; target != "" {
		parts = append(parts, "target "+target)
	}
	if assumed := p.build.Compared.Baseline.Assumed; assumed != "" {
		parts = append(parts, "if "+assumed)
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
		if !s.Certain {
			return p.yellow
		}
		return p.blue
	case cachemodel.Unknown:
		return p.yellow
	case cachemodel.Fails:
		return p.red
	}
	return p.dim
}

func stepNote(s cachemodel.Step) string {
	var parts []string
	if s.Cause != nil && s.Cause.Kind != cachemodel.NoBaseline { // which the head says
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
		note = "maybe: " + note
	}
	return note
}

// predictionSummary counts the steps that a build has, as in "5 of 7 steps cached · rebuilds from line 9".
func predictionSummary(r *workspace.Report) string {
	cached, rebuilt := r.Summary.Cached, r.Summary.Rebuilt
	parts := []string{fmt.Sprintf("%d of %d steps cached", cached, cached+rebuilt)}
	parts = append(parts, workspace.Begins(r.Steps)...)
	maybe := 0
	for _, s := range r.Steps {
		if s.Status == cachemodel.Rebuilt && !s.Certain {
			maybe++
		}
	}
	if maybe > 0 {
		parts = append(parts, fmt.Sprintf("%d run, %d may run", rebuilt-maybe, maybe))
	}
	if took := cachemodel.RebuildTime(r.Steps); took != "" {
		parts = append(parts, took)
	}
	if r.Summary.Unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d cannot be read", r.Summary.Unknown))
	}
	return strings.Join(parts, " · ")
}
