package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"go.lsp.dev/protocol"
)

// codeLens answers textDocument/codeLens: a summary above each stage, which lets the person choose what to compare with.
func codeLens(ctx context.Context, snap *snapshot, _ *protocol.CodeLensParams) ([]protocol.CodeLens, error) {
	lenses := []protocol.CodeLens{}
	if snap == nil {
		return lenses, nil
	}
	snap, err := snap.marked(ctx, snap.can.refreshLenses)
	if err != nil || snap.world == nil || !snap.world.settings.CodeLens {
		return lenses, err
	}
	for _, stage := range snap.file.Stages {
		if stage.From == nil {
			continue
		}
		at := snap.can.encoding.rangeOf(snap.file.Text, source.Span{Start: stage.From.Span.Start, End: stage.From.Keyword.Span.End})
		command := protocol.Command{Title: stageSummary(snap, stage), Command: selectBaselineCommand, Arguments: []protocol.LSPAny{jsonText(string(snap.uri))}}
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
	if len(snap.file.Stages) == 0 || snap.file.Stages[0].From == nil || len(snap.world.choices) == 0 {
		return nil
	}
	title := "no service's or target's settings"
	if e := snap.world.entry; e != nil {
		title = e.Title()
	}
	first := snap.file.Stages[0].From
	at := snap.can.encoding.rangeOf(snap.file.Text, source.Span{Start: first.Span.Start, End: first.Keyword.Span.End})
	return &protocol.CodeLens{Range: at, Command: protocol.Command{Title: title, Command: selectBuildCommand, Arguments: []protocol.LSPAny{jsonText(string(snap.uri))}}}
}

// stageSummary is the lens's text, as in "5 of 7 cached · rebuilds from line 9 · about 48 s · vs git HEAD".
func stageSummary(snap *snapshot, stage *dockerfile.Stage) string {
	if snap.world.baseline.Kind == noBaseline {
		return "no earlier build to compare with"
	}
	m := snap.marks()
	if m.problem != "" {
		return m.problem
	}
	cached, rebuilt, skipped, first := 0, 0, 0, 0
	var steps []cachemodel.Step
	for _, in := range stage.Instructions {
		step := m.byLine[in.Line]
		if step == nil {
			continue
		}
		steps = append(steps, *step)
		switch step.Status {
		case cachemodel.Cached:
			cached++
		case cachemodel.Skipped:
			skipped++
		case cachemodel.Rebuilt:
			rebuilt++
			if first == 0 {
				first = step.Line
			}
		}
	}
	var parts []string
	switch {
	case cached+rebuilt == 0 && skipped > 0:
		return "not part of the target " + strings.TrimSpace(snap.world.build.Target)
	case cached+rebuilt == 0:
		return "makes no layers"
	case rebuilt == 0:
		parts = append(parts, fmt.Sprintf("all %d cached", cached))
	case cached == 0:
		parts = append(parts, "nothing cached", fmt.Sprintf("rebuilds from line %d", first))
	default:
		parts = append(parts, fmt.Sprintf("%d of %d cached", cached, cached+rebuilt), fmt.Sprintf("rebuilds from line %d", first))
	}
	if time := cachemodel.RebuildTime(steps); time != "" {
		parts = append(parts, time)
	}
	return strings.Join(append(parts, "vs "+snap.world.label), " · ")
}
