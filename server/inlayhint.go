package server

import (
	"context"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel"
	"go.lsp.dev/protocol"
)

// inlayHint answers textDocument/inlayHint: a mark at the end of each instruction's last line.
func inlayHint(ctx context.Context, snap *snapshot, p *protocol.InlayHintParams) ([]protocol.InlayHint, error) {
	hints := []protocol.InlayHint{}
	snap, err := snap.marked(ctx, snap.can.refreshHints)
	if err != nil || snap.build == nil {
		return hints, err
	}
	yes := true
	for _, in := range snap.file.Instructions {
		if in.EndLine <= int(p.Range.Start.Line) || in.EndLine > int(p.Range.End.Line)+1 {
			continue
		}
		step, text := snap.hint(in)
		if text == "" {
			continue
		}
		hints = append(hints, protocol.InlayHint{
			Position:    snap.can.encoding.position(snap.file.Text, in.Span.End),
			Label:       protocol.String(text),
			Tooltip:     &protocol.MarkupContent{Kind: protocol.MarkupKindMarkdown, Value: explain(snap, step, true)},
			PaddingLeft: &yes,
		})
	}
	return hints, nil
}

// hint is what stands at an instruction's end, "" for nothing: the settings may want none.
func (snap *snapshot) hint(in *dockerfile.Instruction) (*cachemodel.Step, string) {
	if !snap.build.settings.InlayHints || snap.build.Compared.Baseline.Kind == noBaseline {
		return nil, ""
	}
	step := snap.marks().byLine[in.Line]
	if step == nil {
		return nil, ""
	}
	return step, label(step)
}
