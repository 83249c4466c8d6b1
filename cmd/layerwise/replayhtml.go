package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/replay"
)

//go:embed replay.html.tmpl
var replayTemplate string

// replayPage is what the page shows; it needs no network, no script and no other file.
type replayPage struct {
	*replayReport
	Builds, From, To, Unit string
	Totals                 []pageTotal
	Sentences              []string
	Maps                   []heatMap
}

type pageTotal struct {
	Label, Colour, Seconds, Note string
	Percent                      float64
}

// heatMap is a picture with a column for each build and a row for each step.
type heatMap struct {
	Title, About, First, Last string
	Dockerfile                string
	Width, Cell               float64 // pixels
	NoBuild, Gaps             bool
	Rows                      []heatRow
	Costs                     []costBar
	Files                     []fileNote
}

type heatRow struct {
	StageName, Text, Label, Rebuilt, Share string
	Line                                   int
	Percent                                float64
	Kept                                   []heatSpan // where it was part of the build
	Cells                                  []heatCell
}

type heatSpan struct{ X, Width float64 }

type heatCell struct {
	Class, Tip string
	X          float64
}

type costBar struct {
	X, Y, Height float64
	Tip          string
}

type fileNote struct{ Path, Note string }

func printReplayPage(w io.Writer, r *replayReport) error {
	t, err := template.New("replay").Funcs(template.FuncMap{"backquoted": backquoted}).Parse(replayTemplate)
	if err != nil {
		return err
	}
	return t.Execute(w, newReplayPage(r))
}

// quoting is a sentence with an instruction between backquotes.
type quoting struct{ Before, Code, After string }

func backquoted(sentence string) quoting {
	before, rest, ok := strings.Cut(sentence, "`")
	end := strings.LastIndex(rest, "`") // the instruction may have some of its own
	if !ok || end < 0 {
		return quoting{Before: sentence}
	}
	return quoting{before, rest[:end], rest[end+1:]}
}

func newReplayPage(r *replayReport) *replayPage {
	builds := r.Actual.Builds
	p := &replayPage{
		replayReport: r, Builds: count(len(builds), "build"),
		From: builds[0].Time.Format("2 Jan 2006"), To: builds[len(builds)-1].Time.Format("2 Jan 2006"),
	}
	most := max(r.Actual.Uncached, r.Today.Uncached, 1)
	total := func(label, colour string, seconds float64, note string) {
		p.Totals = append(p.Totals, pageTotal{label, colour, duration(seconds), note, round(share(seconds, most))})
	}
	total("Without a cache", "line", r.Today.Uncached, "")
	total("What happened", "happened", r.Actual.Seconds, "")
	total("The file as it is now", "before", r.Today.Seconds, "")
	if r.Proposed != nil {
		total("In the proposed order", "after", r.Proposed.Seconds, fmt.Sprintf("%.0f %% less", savedBy(r)))
	}
	p.Unit = "The times are weights by the kind of command, listed below, not measurements; layerwise build records " +
		"real ones."
	if recorded, all := recordedSteps(r.Today); recorded > 0 {
		p.Unit = fmt.Sprintf(
			"The times are recorded ones for %d of %d steps, and weights by the kind of command, listed below, for "+
				"the others.",
			recorded,
			all,
		)
	}
	if r.Proposed != nil {
		for _, rewrite := range r.Proposed.Rewrites {
			p.Sentences = append(p.Sentences, fmt.Sprintf("%s (%s).", rewrite.Title, rewrite.Grade))
		}
		p.Sentences = append(p.Sentences, gains(r)...)
	}
	scale := 0.0 // one for all pictures, so that they can be compared
	for _, result := range []*replay.Result{r.Actual, r.Today, proposed(r)} {
		if result != nil {
			for _, b := range result.Builds {
				scale = max(scale, b.Seconds)
			}
		}
	}
	const hint = " Point at a cell to read which commit it is, and why it rebuilt."
	if sameSteps(r) && len(r.Actual.Builds) == len(r.Today.Builds) && r.Actual.Seconds == r.Today.Seconds {
		p.Maps = append(
			p.Maps,
			newHeatMap(
				"What each build rebuilt",
				"Each column is the build of one commit, the newest on the right."+hint,
				r.Today,
				scale,
			),
		)
	} else {
		p.Maps = append(p.Maps,
			newHeatMap("What happened", "Each column is the build of one commit with its own Dockerfile, the newest "+
				"on the right. The lines are those of the newest commit."+hint, r.Actual, scale),
			newHeatMap("The file as it is "+
				"now", "The same commits, with the Dockerfile as it is now at each of them.", r.Today, scale))
	}
	if r.Proposed != nil {
		m := newHeatMap(
			"In the proposed order",
			"The same commits, with the Dockerfile that layerwise reorder proposes.",
			r.Proposed.Result,
			scale,
		)
		m.Dockerfile = r.Proposed.Text
		p.Maps = append(p.Maps, m)
	}
	return p
}

func proposed(r *replayReport) *replay.Result {
	if r.Proposed == nil {
		return nil
	}
	return r.Proposed.Result
}

// sameSteps reports whether the newest commit has the file as it is now.
func sameSteps(r *replayReport) bool {
	if len(r.Actual.Steps) != len(r.Today.Steps) {
		return false
	}
	for i, s := range r.Today.Steps {
		if s.Text != r.Actual.Steps[i].Text {
			return false
		}
	}
	return true
}

// newHeatMap draws the builds of one history; the costliest build of any has the height of scale, in seconds.
func newHeatMap(title, about string, r *replay.Result, scale float64) heatMap {
	m := heatMap{Title: title, About: about}
	if len(r.Builds) == 0 {
		return m
	}
	pitch := min(max(680/float64(len(r.Builds)), 3), 28)
	m.Cell, m.Width = round(pitch-min(1, pitch/6)), round(pitch*float64(len(r.Builds)))
	m.First = r.Builds[0].Time.Format("Jan 2006")
	if len(r.Builds) > 20 {
		m.Last = r.Builds[len(r.Builds)-1].Time.Format("Jan 2006")
	}
	cells, kept := make([][]heatCell, len(r.Steps)), make([][]heatSpan, len(r.Steps))
	for i, b := range r.Builds {
		x := round(pitch * float64(i))
		about := fmt.Sprintf("%.7s, %s: %s", b.Commit, b.Time.Format("2 Jan 2006"), printable(b.Subject))
		tip := about + "\n" + duration(b.Seconds)
		if b.NoBuild != "" {
			m.NoBuild = true
			tip = about + "\nnot built: " + b.NoBuild
			for k := range cells {
				cells[k] = append(cells[k], heatCell{Class: "n", X: x, Tip: tip})
			}
		}
		for k := range kept {
			switch n := len(kept[k]); {
			case b.NoBuild != "":
			case slices.Contains(b.Absent, k):
				m.Gaps = true
			case n > 0 && round(kept[k][n-1].X+kept[k][n-1].Width) >= x:
				kept[k][n-1].Width = round(x + pitch - kept[k][n-1].X)
			default:
				kept[k] = append(kept[k], heatSpan{x, round(pitch)})
			}
		}
		for _, e := range b.Rebuilt {
			if e.Step < 0 {
				tip += "\nalso ran: " + e.Text
				continue
			}
			class := "s"
			if e.Cause.Kind == cachemodel.Follows || e.Cause.Kind == cachemodel.StageRebuilt {
				class = "f"
			}
			cells[e.Step] = append(cells[e.Step], heatCell{Class: class, X: x, Tip: about + "\n" + ran(e)})
		}
		height := 0.0
		if scale > 0 {
			height = round(40 * b.Seconds / scale)
		}
		m.Costs = append(m.Costs, costBar{X: x, Y: 40 - height, Height: height, Tip: tip})
	}
	stage := ""
	for k, s := range r.Steps {
		if !s.Runs {
			continue
		}
		row := heatRow{
			Line: s.Line, Text: printable(s.Text), Kept: kept[k], Cells: cells[k],
			Rebuilt: fmt.Sprintf("%d of %d", s.Rebuilt, s.Builds), Percent: round(share(s.Seconds, r.Seconds)),
			Share: fmt.Sprintf("%.0f %%", share(s.Seconds, r.Seconds)),
		}
		row.Label = "rebuilt in " + row.Rebuilt + " builds"
		if s.Stage != stage {
			stage, row.StageName = s.Stage, s.Stage
		}
		m.Rows = append(m.Rows, row)
		for _, f := range s.Files {
			m.Files = append(m.Files, fileNote{f.Path, fmt.Sprintf("%d× line %d", f.Count, s.Line)})
		}
	}
	return m
}

// ran says why a step was executed, and what that took.
func ran(e replay.Executed) string {
	took := duration(e.Seconds)
	if !e.Certain {
		took = "perhaps " + took
	}
	return fmt.Sprintf("%s (%s)", e.Cause.Detail, took)
}

// duration is seconds as people read them.
func duration(seconds float64) string {
	switch {
	case seconds < 10:
		return amount(seconds) + " s"
	case seconds < 600:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 6000:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

func round(x float64) float64 { return float64(int(x*10+0.5)) / 10 }
