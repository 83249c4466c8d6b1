package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// BackgroundInstall finds "&" in the place of "&&".
var BackgroundInstall = &Rule{
	ID:       "background-install",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A single & lets an installation, or the container's program, run in the background",
		What: "Finds a single `&` between commands of which the first installs something, where nothing waits for " +
			"it, and at the end of a `CMD` or `ENTRYPOINT`.",
		Why: "The next command starts before the first has ended, and the step succeeds although the first fails. " +
			"A container ends with the shell that has started its program in the background.",
		Example: "FROM debian\nRUN apt-get install -y curl & curl --version\n",
		Instead: "FROM debian\nRUN apt-get install -y curl && curl --version\n",
	},
	of: []string{"CMD", "ENTRYPOINT", "RUN"},
	each: func(p *pass, in *dockerfile.Instruction) {
		if in.Meant != "RUN" {
			p.checkEnds(in)
		} else if run := p.shellRun(in); run != nil {
			for _, b := range run.background {
				p.checkBackground(in, run, b)
			}
		}
	},
}

// checkEnds looks for a container's program that is started in the background, so that the container ends at once.
func (p *pass) checkEnds(in *dockerfile.Instruction) {
	text := strings.TrimRight(p.Text.Slice(in.ArgsSpan), " \t")
	if in.JSON || !strings.HasSuffix(text, " &") || !p.unixImage(in) {
		return
	}
	span := source.Span{Start: in.ArgsSpan.Start + len(text) - 1, End: in.ArgsSpan.Start + len(text)}
	p.report(in, analysis.Finding{
		Span: span, Message: "the container ends at once: & starts its program in the background",
		Fixes: []analysis.Fix{{
			Title: "Remove &",
			Edits: []source.Edit{{Span: source.Span{Start: span.Start - 1, End: span.End}}}, Preferred: true,
		}},
	})
}

// checkBackground looks at a command that is started in the background while the next one begins.
func (p *pass) checkBackground(in *dockerfile.Instruction, run *shellRun, b background) {
	updates := slices.ContainsFunc(run.commands, func(c command) bool {
		return b.from <= c.at[0] && c.at[0] < b.at && len(c.words) > 1 && c.words[1] == "update" &&
			tools.Commands(c.words[0]) != nil
	})
	if !updates && !slices.ContainsFunc(
		append(slices.Clone(run.installs), run.compiles...),
		func(d download) bool { return b.from <= d.at[0] && d.at[0] < b.at },
	) {
		return
	}
	span := p.shellSpan(in, b.at)
	span.End = span.Start + 1
	if p.Text.Slice(span) != "&" {
		return
	}
	p.report(in, analysis.Finding{
		Span: span,
		Message: "a single & runs the command on the left in the background: the next one does not wait for it, and " +
			"its failure goes unnoticed",
		Fixes: []analysis.Fix{
			{Title: "Change to &&", Edits: []source.Edit{{Span: span, NewText: "&&"}}, Preferred: true},
		},
	})
}
