package main

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/replay"
	g "maragu.dev/gomponents"
	"maragu.dev/gomponents/html"
)

//go:embed replay.css
var replayStyle string

// printReplayPage writes one page that needs no network, no script and no other file. It is made of Go's functions: a
// page of html/template makes the program 4.8 MB larger (docs/size.md).
func printReplayPage(w io.Writer, r *replayReport) error {
	builds := r.Actual.Builds
	n, last := count(len(builds), "build"), builds[len(builds)-1]
	from, to := builds[0].Time.Format("2 Jan 2006"), last.Time.Format("2 Jan 2006")
	err := html.Doctype(html.HTML(html.Lang("en"),
		html.Head(
			html.Meta(html.Charset("utf-8")),
			html.Meta(html.Name("viewport"), html.Content("width=device-width, initial-scale=1")),
			html.TitleEl(g.Text(printable(r.File)+": the last "+n)),
			html.StyleEl(g.Raw(replayStyle)),
		),
		html.Body(html.Main(
			html.H1(g.Text("What the builds of "),
				html.Code(html.Style("font-size:.92em"), g.Text(printable(r.File))), g.Text(" rebuilt")),
			soft(html.P, n+", "+from, g.If(to != from, g.Text(" to "+to)), g.Text(" · "+string(r.Engine)),
				g.If(r.Target != "", g.Text(" · target "+printable(r.Target)))),
			pageTotals(r),
			soft(html.P, pageUnit(r)),
			g.Map(pageSentences(r), func(s string) g.Node { return html.P(backquoted(s)) }),
			heatMaps(r),
			html.H2(g.Text("How this was worked out")),
			html.P(g.Text("The builds were not run: their verdicts are those of layerwise's model of the build cache, "+
				"from git's objects, for a builder that keeps everything that it has built. A step that a build "+
				"perhaps executes counts as executed, and what is behind a URL or an image's tag as unchanged.")),
			g.If(len(r.Notes) > 0, html.Ul(g.Map(r.Notes, func(s string) g.Node { return html.Li(g.Text(printable(s))) }))),
			html.P(g.Text("Where no recorded build tells how long a step takes, these weights count, in seconds:")),
			html.Table(html.Class("weights"), g.Map(r.Weights, func(w replay.Weight) g.Node {
				return html.Tr(html.Td(g.Textf("%v", w.Seconds)), html.Td(g.Text(string(w.Work))), soft(html.Td, w.Of))
			})),
		)),
	)).Render(w)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w)
	return err
}

// soft is text that stands back.
func soft(element func(...g.Node) g.Node, text string, more ...g.Node) g.Node {
	return element(html.Class("soft"), g.Text(text), g.Group(more))
}

// backquoted is a sentence with an instruction between backquotes.
func backquoted(sentence string) g.Node {
	before, rest, ok := strings.Cut(sentence, "`")
	end := strings.LastIndex(rest, "`") // the instruction may have some of its own
	if !ok || end < 0 {
		return g.Text(sentence)
	}
	return g.Group{g.Text(before), html.Code(g.Text(rest[:end])), g.Text(rest[end+1:])}
}

func pageTotals(r *replayReport) g.Node {
	most := max(r.Actual.Uncached, r.Today.Uncached, 1)
	total := func(label, colour string, seconds float64, note string) g.Node {
		bar := fmt.Sprintf("width:%v%%;background:var(--%s)", round(share(seconds, most)), colour)
		return html.Div(html.Class("total"), html.Span(g.Text(label)),
			html.Div(html.Class("bar"), html.I(html.Style(bar))),
			html.Span(html.B(g.Text(duration(seconds))), g.Text(" "), soft(html.Span, note)))
	}
	totals := g.Group{
		total("Without a cache", "line", r.Today.Uncached, ""),
		total("What happened", "happened", r.Actual.Seconds, ""),
		total("The file as it is now", "before", r.Today.Seconds, ""),
	}
	if r.Proposed != nil {
		note := fmt.Sprintf("%.0f %% less", savedBy(r))
		totals = append(totals, total("In the proposed order", "after", r.Proposed.Seconds, note))
	}
	return html.Div(html.Class("totals"), totals)
}

// pageUnit says what the times are.
func pageUnit(r *replayReport) string {
	if recorded, all := recordedSteps(r.Today); recorded > 0 {
		return fmt.Sprintf("The times are recorded ones for %d of %d steps, and weights by the kind of command, "+
			"listed below, for the others.", recorded, all)
	}
	return "The times are weights by the kind of command, listed below, not measurements; layerwise build records " +
		"real ones."
}

func pageSentences(r *replayReport) []string {
	if r.Proposed == nil {
		return nil
	}
	var sentences []string
	for _, rewrite := range r.Proposed.Rewrites {
		sentences = append(sentences, fmt.Sprintf("%s (%s).", printable(rewrite.Title), rewrite.Grade))
	}
	return append(sentences, gains(r)...)
}

// heatMaps draws what happened, what the file as it is now rebuilds, and what the proposed order does, in one scale, so
// that they can be compared.
func heatMaps(r *replayReport) g.Node {
	scale := 0.0
	for _, result := range []*replay.Result{r.Actual, r.Today, proposed(r)} {
		if result != nil {
			for _, b := range result.Builds {
				scale = max(scale, b.Seconds)
			}
		}
	}
	const hint = " Point at a cell to read which commit it is, and why it rebuilt."
	var maps g.Group
	if sameSteps(r) && len(r.Actual.Builds) == len(r.Today.Builds) && r.Actual.Seconds == r.Today.Seconds {
		maps = append(maps, heatMap("What each build rebuilt",
			"Each column is the build of one commit, the newest on the right."+hint, r.Today, scale))
	} else {
		maps = append(maps,
			heatMap("What happened", "Each column is the build of one commit with its own Dockerfile, the newest on "+
				"the right. The lines are those of the newest commit."+hint, r.Actual, scale),
			heatMap("The file as it is now", "The same commits, with the Dockerfile as it is now at each of them.",
				r.Today, scale))
	}
	if r.Proposed != nil {
		maps = append(maps,
			heatMap("In the proposed order", "The same commits, with the Dockerfile that layerwise reorder proposes.",
				r.Proposed.Result, scale),
			html.Details(html.Summary(g.Text("The proposed Dockerfile")), html.Pre(html.Code(g.Text(printableLines(r.Proposed.Text))))))
	}
	return maps
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

// heatMap is a picture with a column for each build and a row for each step; the costliest build of any history has
// the height of scale, in seconds.
func heatMap(title, about string, r *replay.Result, scale float64) g.Node {
	heading := g.Group{html.H2(g.Text(title)), soft(html.P, about)}
	if len(r.Builds) == 0 {
		return heading
	}
	c := newColumns(r, scale)
	table := html.Div(html.Class("heat"), html.Table(c.head(), c.rows(r), c.foot()))
	return append(heading, c.legend(), table, changedFiles(r))
}

// columns are the builds of one history, drawn.
type columns struct {
	first, last   string
	width, cell   float64 // pixels
	noBuild, gaps bool
	cells         [][]g.Node // by step
	kept          [][]span   // by step: where it was part of the build
	costs         []g.Node
}

type span struct{ x, width float64 } // pixels

func newColumns(r *replay.Result, scale float64) *columns {
	pitch := min(max(680/float64(len(r.Builds)), 3), 28)
	c := &columns{
		first: r.Builds[0].Time.Format("Jan 2006"),
		width: round(pitch * float64(len(r.Builds))), cell: round(pitch - min(1, pitch/6)),
		cells: make([][]g.Node, len(r.Steps)), kept: make([][]span, len(r.Steps)),
	}
	if len(r.Builds) > 20 {
		c.last = r.Builds[len(r.Builds)-1].Time.Format("Jan 2006")
	}
	for i, b := range r.Builds {
		x := round(pitch * float64(i))
		c.keep(b, x, pitch)
		about := fmt.Sprintf("%.7s, %s: %s", b.Commit, b.Time.Format("2 Jan 2006"), printable(b.Subject))
		tip := about + "\n" + duration(b.Seconds)
		if b.NoBuild != "" {
			c.noBuild = true
			tip = about + "\nnot built: " + b.NoBuild
			for k := range c.cells {
				c.cells[k] = append(c.cells[k], rect("n", x, 0, c.cell, 16, tip))
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
			c.cells[e.Step] = append(c.cells[e.Step], rect(class, x, 0, c.cell, 16, about+"\n"+ran(e)))
		}
		height := 0.0
		if scale > 0 {
			height = round(40 * b.Seconds / scale)
		}
		c.costs = append(c.costs, rect("c", x, 40-height, c.cell, height, ""), rect("hit", x, 0, c.cell, 40, tip))
	}
	return c
}

// keep notes which steps a build at x had, and joins neighbours.
func (c *columns) keep(b replay.Build, x, pitch float64) {
	for k := range c.kept {
		switch n := len(c.kept[k]); {
		case b.NoBuild != "":
		case slices.Contains(b.Absent, k):
			c.gaps = true
		case n > 0 && round(c.kept[k][n-1].x+c.kept[k][n-1].width) >= x:
			c.kept[k][n-1].width = round(x + pitch - c.kept[k][n-1].x)
		default:
			c.kept[k] = append(c.kept[k], span{x, round(pitch)})
		}
	}
}

// rect is a rectangle in a picture, in pixels, with what is said where one points at it.
func rect(class string, x, y, width, height float64, tip string) g.Node {
	return g.El("rect", html.Class(class), g.Attr("x", pixels(x)), g.Attr("y", pixels(y)), html.Width(pixels(width)),
		html.Height(pixels(height)), g.If(class == "k", g.Attr("rx", "2")), g.If(tip != "", g.El("title", g.Text(tip))))
}

func pixels(x float64) string { return fmt.Sprint(x) }

func (c *columns) picture(height, label string, in []g.Node) g.Node {
	return html.SVG(html.Width(pixels(c.width)), html.Height(height), html.Role("img"), html.Aria("label", label),
		g.Group(in))
}

func (c *columns) legend() g.Node {
	entry := func(style, text string) g.Node { return html.Span(html.I(html.Style(style)), g.Text(text)) }
	return html.Div(html.Class("legend"),
		entry("background:var(--itself)", "rebuilt by its own change"),
		entry("background:var(--follows)", "rebuilt because of a step above"),
		entry("background:var(--kept)", "from the cache"),
		g.If(c.gaps, entry("border:1px solid var(--line)", "not in the file")),
		g.If(c.noBuild, entry("border:1px solid var(--soft)", "not built")))
}

func (c *columns) head() g.Node {
	return html.THead(html.Tr(html.Th(html.Class("what"), g.Text("Instruction")),
		html.Th(html.Class("num"), g.Text("Rebuilt")), html.Th(g.Text("Cost")),
		html.Th(html.Div(html.Class("span"), html.Style("width:"+pixels(c.width)+"px"),
			html.Span(g.Text(c.first)), g.If(c.last != "", html.Span(g.Text(c.last)))))))
}

func (c *columns) rows(r *replay.Result) g.Node {
	rows, stage := g.Group{}, ""
	for k, s := range r.Steps {
		if !s.Runs {
			continue
		}
		if s.Stage != stage {
			stage = s.Stage
			rows = append(rows, html.Tr(html.Class("stage"), html.Td(html.Class("what"), g.Text("stage "+printable(stage))),
				html.Td(), html.Td(), html.Td()))
		}
		var drawn []g.Node
		for _, kept := range c.kept[k] {
			drawn = append(drawn, rect("k", kept.x, 0, kept.width, 16, ""))
		}
		text, part := printable(s.Text), share(s.Seconds, r.Seconds)
		rebuilt := fmt.Sprintf("%d of %d", s.Rebuilt, s.Builds)
		rows = append(rows, html.Tr(
			html.Td(html.Class("what"), html.Title(text), html.Span(g.Text(fmt.Sprint(s.Line))),
				html.Code(g.Text(text))),
			html.Td(html.Class("num"), g.Text(rebuilt)),
			html.Td(html.Span(html.Class("share"), html.I(html.Style(fmt.Sprintf("width:%v%%", round(part))))),
				g.Textf("%.0f %%", part)),
			html.Td(c.picture("16", "rebuilt in "+rebuilt+" builds", append(drawn, c.cells[k]...))),
		))
	}
	return html.TBody(rows)
}

func (c *columns) foot() g.Node {
	return html.TFoot(html.Tr(html.Td(html.Class("what"), g.Text("Cost of each build")), html.Td(), html.Td(),
		html.Td(c.picture("40", "cost of each build", c.costs))))
}

// changedFiles lists the files that rebuilt the most.
func changedFiles(r *replay.Result) g.Node {
	var items g.Group
	for _, s := range r.Steps {
		for _, f := range s.Files {
			if s.Runs {
				items = append(items, html.Li(html.Code(g.Text(printable(f.Path))), g.Text(" "),
					soft(html.Span, fmt.Sprintf("%d× line %d", f.Count, s.Line))))
			}
		}
	}
	return g.If(len(items) > 0, html.Details(html.Summary(g.Text("Files that rebuilt the most")), html.Ul(items)))
}

// ran says why a step was executed, and what that took.
func ran(e replay.Executed) string {
	took := duration(e.Seconds)
	if !e.Certain {
		took = "perhaps " + took
	}
	return fmt.Sprintf("%s (%s)", printable(e.Cause.Detail), took)
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
