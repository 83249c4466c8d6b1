package server

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"github.com/layerwise/layerwise/cachemodel/workspace"
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
			out = append(out, inline{in, of[0], dockerfile.Parse(source.Part(in.Text, in.First), nil)})
		}
	}
	return out
}

// snapshotOfInline is a Dockerfile within a build file with its build; nil if that is not found.
func (b *buildText) snapshotOfInline(ctx context.Context, in *inline) *snapshot {
	b.s.mu.Lock()
	found := b.d.inlines[in.entry.ID]
	b.s.mu.Unlock()
	if found == nil { // it was opened just now
		if found, _ = b.entryBuild(ctx, in.entry, in.file, nil); found == nil {
			return nil
		}
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.s.snapshotLocked(&document{uri: b.uri, version: b.version, text: b.text}, in.file, found)
}

// loadInlines finds the builds of the Dockerfiles within a build file, anew if they may have changed, and has what they
// depend on watched. It is not ok where none is or was there, or the text has been edited meanwhile.
func (b *buildText) loadInlines(ctx context.Context) (inlines []inline, ok bool) {
	inlines = b.inlines()
	b.s.mu.Lock()
	known, stale := b.d.inlines, b.d.stale.Context
	b.d.stale.Context = false
	b.s.mu.Unlock()
	builds := map[string]*build{}
	var all workspace.Places
	watch := func(places workspace.Places) bool {
		all.Contexts = append(all.Contexts, places.Contexts...)
		all.BuildFiles = append(all.BuildFiles, places.BuildFiles...)
		all.Git = append(all.Git, places.Git...)
		return b.s.watchPlaces(b.d, []string{filepath.Dir(b.path)}, all)
	}
	for _, in := range inlines {
		found := known[in.entry.ID]
		if found == nil || stale {
			found, _ = b.entryBuild(ctx, in.entry, in.file, watch)
		}
		if found != nil {
			builds[in.entry.ID] = found
		}
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if ctx.Err() != nil || b.d.text != b.text {
		b.d.stale.Context = b.d.stale.Context || stale
		return nil, false
	}
	ok = len(b.d.inlines)+len(builds) > 0
	b.d.inlines = builds
	return inlines, ok
}

// cacheStatus is that of all Dockerfiles within a build file, whose lines are numbered as there. A line that does not
// stand there as it is, because of a variable, has no mark.
func (b *buildText) cacheStatus(ctx context.Context, inlines []inline) *cacheStatus {
	whole := &cacheStatus{URI: b.uri, Version: &b.version, State: "ready", Notes: []string{}}
	for i := range inlines {
		in := &inlines[i]
		snap := b.snapshotOfInline(ctx, in)
		if snap == nil {
			continue
		}
		there := func(line int) bool {
			_, ok := in.Offset(in.file.Text.LineStart(line - 1))
			return ok
		}
		part := snap.cacheStatus()
		if whole.BaselineLabel == "" {
			whole.Engine, whole.Target, whole.Build, whole.Context = part.Engine, part.Target, part.Build, part.Context
			whole.Baseline, whole.BaselineLabel = part.Baseline, part.BaselineLabel
		}
		for _, note := range part.Notes {
			if !slices.Contains(whole.Notes, note) {
				whole.Notes = append(whole.Notes, note)
			}
		}
		for _, step := range part.Steps {
			if there(step.Line) && there(step.EndLine) {
				whole.Steps = append(whole.Steps, step)
			}
		}
		for _, hint := range part.Hints {
			if there(hint.Line) {
				whole.Hints = append(whole.Hints, hint)
			}
		}
		for _, stage := range part.Stages {
			if there(stage.Line) && there(stage.EndLine) {
				whole.Stages = append(whole.Stages, stage)
			}
		}
	}
	whole.Summary = cachemodel.Summarize(whole.Steps)
	return whole
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
