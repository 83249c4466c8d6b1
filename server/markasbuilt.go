package server

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/record"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// markAsBuiltCommand records the Dockerfile and its build context as they are now, unsaved texts included, as what was
// built last: [uri].
const markAsBuiltCommand = "layerwise.markAsBuilt"

func markAsBuilt(ctx context.Context, s *session, u uri.URI, _ string) error {
	d, snap, err := s.openDockerfile(ctx, u)
	if err != nil {
		return err
	}
	if d.path == "" {
		return jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the document is in no file, so its builds cannot be remembered")
	}
	w := snap.world
	s.mu.Lock()
	overlays := s.overlaysLocked(w)
	s.mu.Unlock()
	built := cachemodel.Build{File: snap.file, Context: w.overlaid(overlays), Settings: w.build, Contexts: w.contexts, ContextImages: w.contextImages}
	if err := cachemodel.NewPlan(built).Err(); err != nil { // reads what its steps read
		return err
	}
	r := &record.Record{
		When: time.Now(), Source: record.Marked, Tool: "marked as built", Dockerfile: d.path, Text: snap.file.Text.String(),
		ContextDir: w.dir, Context: built.Context, Settings: built.Settings, ContextImages: w.contextImages, Contexts: map[string]record.NamedContext{},
	}
	for name, dir := range w.contextDirs {
		r.Contexts[name] = record.NamedContext{Dir: dir, Tree: w.contexts[name]}
	}
	if _, err := s.store.Put(r); err != nil {
		err = errors.New(sentence(err.Error()))
		s.show(protocol.MessageTypeError, err.Error())
		return err
	}
	choice := s.store.Choice(d.path, baselineChoice)
	if spec, err := baseline.ParseSpec(cmp.Or(choice, w.settings.Baseline)); err == nil && spec.Kind != baseline.Auto && spec != (baseline.Spec{Kind: baseline.Recorded}) {
		choice = string(baseline.Recorded) // else nobody would see it
	}
	return s.choose(d, baselineChoice, choice)
}
