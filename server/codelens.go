package server

import (
	"context"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
)

// codeLens answers textDocument/codeLens: a summary above each stage, which lets the person choose what to compare
// with.
func codeLens(ctx context.Context, snap *snapshot, _ *protocol.CodeLensParams) ([]protocol.CodeLens, error) {
	lenses := []protocol.CodeLens{}
	if snap == nil {
		return lenses, nil
	}
	snap, err := snap.marked(ctx, snap.can.refreshLenses)
	if err != nil || snap.build == nil || !snap.build.settings.CodeLens {
		return lenses, err
	}
	for _, stage := range snap.file.Stages {
		title := ""
		if stage.From != nil {
			title = lensTitle(snap, stage, len(lenses) == 0)
		}
		if title == "" {
			continue
		}
		at := snap.can.encoding.rangeOf(
			snap.file.Text,
			source.Span{Start: stage.From.Span.Start, End: stage.From.Keyword.Span.End},
		)
		command := protocol.Command{
			Title:     title,
			Command:   selectBaselineCommand,
			Arguments: []protocol.LSPAny{jsonText(string(snap.uri))},
		}
		if notes := strings.Join(snap.notes(), "\n"); notes != "" {
			command.Tooltip = &notes
		}
		lenses = append(lenses, protocol.CodeLens{Range: at, Command: command})
	}
	if lens := buildLens(snap); lens != nil {
		lenses = append(lenses, *lens)
	}
	return lenses, nil
}

// buildLens says above the first stage whose settings are taken, if there is anything to choose.
func buildLens(snap *snapshot) *protocol.CodeLens {
	if len(snap.file.Stages) == 0 || snap.file.Stages[0].From == nil || len(snap.build.Choices) == 0 {
		return nil
	}
	title := "no service's or target's settings"
	if e := snap.build.Entry; e != nil {
		title = e.Title()
	}
	first := snap.file.Stages[0].From
	at := snap.can.encoding.rangeOf(snap.file.Text, source.Span{Start: first.Span.Start, End: first.Keyword.Span.End})
	return &protocol.CodeLens{
		Range: at,
		Command: protocol.Command{
			Title:     title,
			Command:   selectBuildCommand,
			Arguments: []protocol.LSPAny{jsonText(string(snap.uri))},
		},
	}
}

// lensTitle is a lens's text: the summary of the stage, and in the first lens what is compared with, for all. A client
// that writes the summaries itself gets only the latter: editors ask for lenses late, and an older summary would stand
// above newer marks.
func lensTitle(snap *snapshot, stage *dockerfile.Stage, first bool) string {
	b := snap.build
	switch {
	case b.Compared.Baseline.Kind == noBaseline:
		return onlyFirst("no earlier build to compare with", first)
	case snap.can.writesTexts:
		return onlyFirst("Compared with "+b.Compared.Label+assumedMark(b), first)
	}
	summary := stageSummary(snap, stage, first)
	if first && summary != "" && snap.marks().problem == "" {
		summary += " · vs " + b.Compared.Label + assumedMark(b)
	}
	return summary
}

// stageSummary is as in "5 of 7 cached · rebuilds from line 9 · about 48 s". It is "" where nothing is to be said of
// a stage that is only its FROM; what is wrong with the whole build is said of the first stage only.
func stageSummary(snap *snapshot, stage *dockerfile.Stage, first bool) string {
	m := snap.marks()
	if m.problem != "" {
		return onlyFirst(m.problem, first)
	}
	skipped := 0
	var steps []cachemodel.Step
	for _, in := range stage.Instructions {
		step := m.byLine[in.Line]
		if step == nil {
			continue
		}
		steps = append(steps, *step)
		if step.Status == cachemodel.Skipped {
			skipped++
		}
	}
	switch summary := workspace.SumUp(steps); {
	case summary == "" && skipped > 0:
		return "not part of the target " + strings.TrimSpace(snap.build.Settings.Target)
	case summary == "" && len(stage.Instructions) == 1, len(steps) == 1 && steps[0].Status == cachemodel.Cached:
		return ""
	case summary == "":
		return "makes no layers"
	default:
		return summary
	}
}

// onlyFirst is a text that says the same of all stages, for the first lens.
func onlyFirst(text string, first bool) string {
	if first {
		return text
	}
	return ""
}

// assumedMark says that nobody knows whether the builder has what is compared with.
func assumedMark(b *build) string {
	if b.Compared.Baseline.Assumed == "" {
		return ""
	}
	return " (if built here)"
}
