package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/replay"
)

// printReplay shows each step with how often it was rebuilt, and what that costs.
func printReplay(w io.Writer, r *replayReport) error {
	p := colour(w)
	width := terminalWidth(w)
	var b strings.Builder
	days := r.Actual.Builds[0].Time.Format("2 Jan 2006")
	if last := r.Actual.Builds[len(r.Actual.Builds)-1].Time.Format("2 Jan 2006"); last != days {
		days += " to " + last
	}
	fmt.Fprintf(
		&b,
		"%s\n\n",
		p.paint(
			p.bold,
			fmt.Sprintf("%s · %s · %s, %s", printablePath(r.File), r.Engine, count(len(r.Actual.Builds), "build"), days),
		),
	)
	actual := map[int]replay.Step{}
	for _, s := range r.Actual.Steps {
		actual[s.Line] = s
	}
	sameFile := sameSteps(r)
	codeWidth := 0
	for _, s := range r.Today.Steps {
		codeWidth = max(codeWidth, utf8.RuneCountInString(s.Text))
	}
	codeWidth = min(codeWidth, max(30, width/2-15))
	head := "rebuilt"
	if sameFile {
		head = " actual    today"
	}
	fmt.Fprintln(&b, p.paint(p.dim, head+"   cost  line"))
	for _, s := range r.Today.Steps {
		if !s.Runs {
			continue
		}
		numbers := fmt.Sprintf("%3d/%-3d", s.Rebuilt, s.Builds)
		if a := actual[s.Line]; sameFile {
			numbers = fmt.Sprintf("%3d/%-3d  %s", a.Rebuilt, a.Builds, numbers)
		}
		code := truncate(printable(s.Text), codeWidth)
		note := replayNote(s)
		line := fmt.Sprintf("%s  %3.0f %%  %4d  %s", numbers, share(s.Seconds, r.Today.Seconds), s.Line, code)
		if note != "" {
			line += strings.Repeat(" ", codeWidth-utf8.RuneCountInString(code)+2)
		}
		colour := p.green
		if s.Rebuilt > 0 {
			colour = p.blue
		}
		b.WriteString(p.paint(colour, line) + p.paint(p.dim, printable(note)) + "\n")
	}
	b.WriteString("\n")
	for _, sentence := range replaySummary(r) {
		b.WriteString(printable(sentence) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * part / whole
}

// replayNote is the commonest cause, or the files that changed the most.
func replayNote(s replay.Step) string {
	if len(s.Causes) == 0 {
		return ""
	}
	switch c := s.Causes[0]; {
	case c.Kind == cachemodel.ContextChanged && len(s.Files) > 0:
		var names []string
		for _, f := range s.Files[:min(3, len(s.Files))] {
			names = append(names, fmt.Sprintf("%s %d×", printable(f.Path), f.Count))
		}
		return strings.Join(names, ", ")
	case c.Kind == cachemodel.Follows && c.Line > 0:
		return fmt.Sprintf("line %d above was rebuilt", c.Line)
	case c.Kind == cachemodel.StageRebuilt && c.Line > 0:
		return fmt.Sprintf("the stage was rebuilt from line %d", c.Line)
	default:
		return causeWords[c.Kind]
	}
}

// causeWords says each kind of cause in a few words.
var causeWords = map[cachemodel.CauseKind]string{
	cachemodel.InstructionChanged: "the instruction was edited",
	cachemodel.ContextChanged:     "files changed",
	cachemodel.EnvChanged:         "an ENV above changed",
	cachemodel.ArgChanged:         "an ARG changed",
	cachemodel.UserChanged:        "the user changed",
	cachemodel.WorkdirChanged:     "the working directory changed",
	cachemodel.ShellChanged:       "the shell changed",
	cachemodel.BaseChanged:        "the base image changed",
	cachemodel.StageRebuilt:       "the stage that it copies from was rebuilt",
	cachemodel.Follows:            "follows a step above",
	cachemodel.RemoteSource:       "a remote source",
	cachemodel.NoCache:            "the cache is turned off",
	cachemodel.NoBaseline:         "it was new",
}

// replaySummary says what all builds cost.
func replaySummary(r *replayReport) (out []string) {
	unit := "weight seconds"
	if recorded, all := recordedSteps(r.Today); recorded == all {
		unit = "seconds"
	} else if recorded > 0 {
		unit = fmt.Sprintf("seconds (recorded for %d of %d steps, weights for the others)", recorded, all)
	}
	none := 0
	for _, b := range r.Actual.Builds {
		if b.NoBuild != "" {
			none++
		}
	}
	line := fmt.Sprintf(
		"What happened: %s %s; without a cache it would have been %s.",
		amount(r.Actual.Seconds),
		unit,
		amount(r.Actual.Uncached),
	)
	if none > 0 {
		line += fmt.Sprintf(" %s had nothing to build.", count(none, "commit"))
	}
	out = append(
		out,
		line,
		fmt.Sprintf(
			"With the file as it is now, over %s: %s.",
			count(len(r.Today.Builds), "build"),
			amount(r.Today.Seconds),
		),
	)
	if r.Proposed != nil {
		out = append(
			out,
			fmt.Sprintf(
				"With the order that layerwise reorder proposes: %s, %.0f %% less.",
				amount(r.Proposed.Seconds),
				savedBy(r),
			),
		)
		for _, rewrite := range r.Proposed.Rewrites {
			out = append(out, fmt.Sprintf("  %s (%s)", rewrite.Title, rewrite.Grade))
		}
		for _, gain := range gains(r) {
			out = append(out, "  "+gain)
		}
	}
	if strings.HasPrefix(unit, "weight") {
		out = append(
			out,
			"The costs are weights by the kind of command (layerwise replay --help), not measurements: layerwise "+
				"build records those.",
		)
	}
	return out
}

// amount is a number of seconds as precise as it is worth.
func amount(seconds float64) string {
	if seconds < 10 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", seconds), ".0")
	}
	return fmt.Sprintf("%.0f", seconds)
}

// gains says of the instructions that save the most how often they are rebuilt, at most three.
func gains(r *replayReport) (out []string) {
	type gain struct {
		text          string
		before, after int
		saved         float64
	}
	before := map[string]replay.Step{}
	for _, s := range r.Today.Steps {
		before[s.Stage+"\n"+s.Text] = s
	}
	var all []gain
	for _, s := range r.Proposed.Steps {
		if old, ok := before[s.Stage+"\n"+s.Text]; ok && s.Rebuilt < old.Rebuilt {
			all = append(all, gain{s.Text, old.Rebuilt, s.Rebuilt, old.Seconds - s.Seconds})
		}
	}
	slices.SortStableFunc(all, func(a, b gain) int { return cmp.Compare(b.saved, a.saved) })
	for _, g := range all[:min(3, len(all))] {
		out = append(
			out,
			fmt.Sprintf(
				"%d of %s would have executed `%s`; today %d.",
				g.after,
				count(len(r.Today.Builds), "build"),
				truncate(printable(g.text), 60),
				g.before,
			),
		)
	}
	return out
}

// savedBy is how much less the proposed order costs than today's, in percent.
func savedBy(r *replayReport) float64 {
	return share(r.Today.Seconds-r.Proposed.Seconds, r.Today.Seconds)
}

func recordedSteps(r *replay.Result) (recorded, all int) {
	for _, s := range r.Steps {
		if s.Runs {
			all++
			if s.Recorded {
				recorded++
			}
		}
	}
	return recorded, all
}
