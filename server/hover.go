package server

import (
	"context"

	"go.lsp.dev/protocol"
)

// hover answers textDocument/hover: why the instruction under the cursor is cached or rebuilt.
func hover(ctx context.Context, snap *snapshot, p *protocol.HoverParams) (*protocol.Hover, error) {
	if snap == nil {
		return nil, nil
	}
	snap, err := snap.marked(ctx, false)
	if err != nil {
		return nil, err
	}
	in := snap.file.InstructionAt(snap.can.encoding.offset(snap.file.Text, p.Position))
	if in == nil {
		return nil, nil
	}
	step := snap.marks().byLine[in.Line]
	if step == nil {
		return nil, nil
	}
	kind := protocol.MarkupKindPlainText
	if snap.can.markdown {
		kind = protocol.MarkupKindMarkdown
	}
	at := snap.can.encoding.rangeOf(snap.file.Text, in.Span)
	return &protocol.Hover{
		Contents: &protocol.MarkupContent{Kind: kind, Value: explain(snap, step, snap.can.markdown)},
		Range:    &at,
	}, nil
}
