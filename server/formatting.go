package server

import (
	"context"
	"strings"

	"github.com/layerwise/layerwise/analysis/format"
	"github.com/layerwise/layerwise/analysis/source"
	"go.lsp.dev/protocol"
)

// layout is how a document is to be formatted: what the editor says and the settings.
func (snap *snapshot) layout(o protocol.FormattingOptions) format.Options {
	out := format.Options{
		KeepKeywords: !snap.settings.FormatKeywords, KeepContinuations: !snap.settings.FormatContinuations,
		KeepTrailing: o.TrimTrailingWhitespace != nil && !*o.TrimTrailingWhitespace,
		FinalNewline: isTrue(o.InsertFinalNewline), TrimFinalNewlines: isTrue(o.TrimFinalNewlines),
	}
	if o.InsertSpaces {
		out.Indent = strings.Repeat(" ", int(max(1, min(o.TabSize, 16))))
	}
	return out
}

// formatting answers textDocument/formatting.
func formatting(_ context.Context, snap *snapshot, p *protocol.DocumentFormattingParams) ([]protocol.TextEdit, error) {
	return snap.can.encoding.edits(snap.file.Text, format.Edits(snap.file, snap.layout(p.Options))), nil
}

// rangeFormatting answers textDocument/rangeFormatting.
func rangeFormatting(
	_ context.Context,
	snap *snapshot,
	p *protocol.DocumentRangeFormattingParams,
) ([]protocol.TextEdit, error) {
	return snap.formatRanges(p.Options, p.Range), nil
}

// rangesFormatting answers textDocument/rangesFormatting.
func rangesFormatting(
	_ context.Context,
	snap *snapshot,
	p *protocol.DocumentRangesFormattingParams,
) ([]protocol.TextEdit, error) {
	return snap.formatRanges(p.Options, p.Ranges...), nil
}

func (snap *snapshot) formatRanges(o protocol.FormattingOptions, ranges ...protocol.Range) []protocol.TextEdit {
	edits := []protocol.TextEdit{}
	done := map[source.Edit]bool{}
	for _, r := range ranges {
		last := r.End.Line
		if r.End.Character == 0 && last > r.Start.Line {
			last-- // nothing of that line is selected
		}
		for _, e := range format.Lines(snap.file, snap.layout(o), int(r.Start.Line), int(last)) {
			if !done[e] {
				done[e] = true
				edits = append(edits, snap.can.encoding.edits(snap.file.Text, []source.Edit{e})...)
			}
		}
	}
	return edits
}

// onTypeFormatting answers textDocument/onTypeFormatting: behind a line's escape character the next line is indented,
// and so is the new line behind a continued one.
func onTypeFormatting(
	_ context.Context,
	snap *snapshot,
	p *protocol.DocumentOnTypeFormattingParams,
) ([]protocol.TextEdit, error) {
	edits := []protocol.TextEdit{}
	layout, line := snap.layout(p.Options), int(p.Position.Line)
	var out []source.Edit
	switch {
	case p.Ch == "\n":
		out = format.NewLine(snap.file, layout, line)
	case p.Ch == string(snap.file.Escape):
		layout.KeepKeywords, layout.KeepTrailing, layout.KeepContinuations = true, true, false
		out = format.Lines(snap.file, layout, line+1, line+1)
	}
	return append(edits, snap.can.encoding.edits(snap.file.Text, out)...), nil
}
