package server

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
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
		return jsonrpc2.NewError(
			jsonrpc2.InvalidRequest,
			"the document is in no file, so its builds cannot be remembered",
		)
	}
	b := snap.build
	s.mu.Lock()
	overlays := s.overlaysLocked(b)
	s.mu.Unlock()
	built := b.Next(snap.file, overlays)
	if err := cachemodel.NewPlan(built).Err(); err != nil { // reads what its steps read
		return err
	}
	r := &record.Record{
		When: time.Now(), Source: record.Marked, Tool: "marked as built", Dockerfile: d.path,
		Text:       snap.file.Text.String(),
		ContextDir: b.Context.Dir, Context: built.Context, Settings: built.Settings, ContextImages: b.Images,
		Contexts: map[string]record.NamedContext{},
	}
	for name, named := range b.Contexts {
		r.Contexts[name] = record.NamedContext{Dir: named.Dir, Tree: named.Tree}
	}
	if _, err := s.store.Put(r); err != nil {
		err = errors.New(sentence(err.Error()))
		s.show(protocol.MessageTypeError, err.Error())
		return err
	}
	choice := s.store.Choice(d.path, workspace.BaselineChoice)
	if spec, err := baseline.ParseSpec(cmp.Or(choice, b.settings.Baseline)); err == nil && spec.Kind != baseline.Auto &&
		spec != (baseline.Spec{Kind: baseline.Recorded}) {
		choice = string(baseline.Recorded) // else nobody would see it
	}
	return s.choose(d, workspace.BaselineChoice, choice)
}
