package server

import (
	"context"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"go.lsp.dev/protocol"
)

// This file answers within the Dockerfiles that stand in build files: as in a Dockerfile, at the places there.

// inline is a Dockerfile within a build file.
type inline struct {
	buildfiles.Inline
	entry *buildfiles.Entry
	file  *dockerfile.File
}

// inlines are those of a build file that have places of their own in it.
func (b *buildText) inlines() (out []inline) {
	for i := range b.sections {
		of := buildcheck.Of(&b.sections[i], b.entries)
		if len(of) == 0 || of[0].Inline == "" {
			continue
		}
		if in, ok := b.sections[i].Inline([]byte(b.text.String()), of[0].Inline); ok {
			out = append(out, inline{in, of[0], dockerfile.Parse(source.New(in.Text), nil)})
		}
	}
	return out
}

// snapshotOfInline is a Dockerfile within a build file with its build; nil if that is not found.
func (b *buildText) snapshotOfInline(ctx context.Context, in *inline) *snapshot {
	found, _ := b.s.entryBuild(ctx, in.entry, in.file)
	if found == nil {
		return nil
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.s.snapshotLocked(&document{uri: b.uri, version: b.version, text: b.text}, in.file, found)
}

func buildFileHover(ctx context.Context, b *buildText, p *protocol.HoverParams) (*protocol.Hover, error) {
	at := b.s.can.encoding.offset(b.text, p.Position)
	for _, in := range b.inlines() {
		offset, ok := in.Within(at)
		if !ok {
			continue
		}
		snap := b.snapshotOfInline(ctx, &in)
		if snap == nil {
			return nil, ctx.Err()
		}
		there := *p
		there.Position = snap.can.encoding.position(in.file.Text, offset)
		answer, err := hover(ctx, snap, &there)
		if answer == nil || err != nil {
			return nil, err
		}
		word := snap.can.encoding.span(in.file.Text, *answer.Range)
		answer.Range = nil
		if span, ok := buildcheck.SpanOf(in.Inline, word); ok {
			place := b.s.can.encoding.rangeOf(b.text, span)
			answer.Range = &place
		}
		return answer, nil
	}
	return nil, nil
}

func buildFileHints(ctx context.Context, b *buildText, p *protocol.InlayHintParams) ([]protocol.InlayHint, error) {
	hints := []protocol.InlayHint{}
	wanted := b.s.can.encoding.span(b.text, p.Range)
	for _, in := range b.inlines() {
		snap := b.snapshotOfInline(ctx, &in)
		if snap == nil {
			continue
		}
		all := snap.can.encoding.rangeOf(in.file.Text, source.Span{End: len(in.Text)})
		found, err := inlayHint(ctx, snap, &protocol.InlayHintParams{Range: all})
		if err != nil {
			return nil, err
		}
		for _, hint := range found {
			at, ok := in.Offset(snap.can.encoding.offset(in.file.Text, hint.Position))
			if ok && wanted.Start <= at && at <= wanted.End {
				hint.Position = b.s.can.encoding.position(b.text, at)
				hints = append(hints, hint)
			}
		}
	}
	return hints, ctx.Err()
}
