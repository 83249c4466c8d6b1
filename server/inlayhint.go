package server

import (
	"context"

	"go.lsp.dev/protocol"
)

// inlayHint answers textDocument/inlayHint: a mark at the end of each instruction's last line.
func inlayHint(ctx context.Context, snap *snapshot, p *protocol.InlayHintParams) ([]protocol.InlayHint, error) {
	hints := []protocol.InlayHint{}
	snap, err := snap.marked(ctx, snap.can.refreshHints)
	if err != nil || snap.build == nil || !snap.build.settings.InlayHints ||
		snap.build.Compared.Baseline.Kind == noBaseline {
		return hints, err
	}
	m := snap.marks()
	yes := true
	for _, in := range snap.file.Instructions {
		if in.EndLine <= int(p.Range.Start.Line) || in.EndLine > int(p.Range.End.Line)+1 {
			continue
		}
		step := m.byLine[in.Line]
		if step == nil {
			continue
		}
		text := label(step)
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
