package server

import (
	"context"
	"reflect"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
)

// publishLoop sends what follows from each new snapshot of d. A snapshot that an edit has overtaken is dropped at the
// next step: its successor's token is in the channel already.
func (s *session) publishLoop(d *document) {
	select {
	case <-d.read: // the configuration: what is off is never shown
	case <-d.ctx.Done():
		return
	}
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-d.publish:
		}
		s.publish(d.ctx, d)
	}
}

func (s *session) publish(ctx context.Context, d *document) {
	defer s.rescue("publishing " + string(d.uri))
	snap := s.snapshotOf(d.uri)
	overtaken := func() bool { return ctx.Err() != nil || s.snapshotOf(d.uri) != snap }
	if snap == nil || overtaken() {
		return
	}
	if s.can.cacheStatus && snap.build != nil {
		s.background("judging", func(context.Context) { snap.marks() }) // beside looking for mistakes
	}
	if !s.can.pullDiagnostics {
		items := snap.diagnostics()
		if overtaken() {
			return
		}
		found := &protocol.PublishDiagnosticsParams{
			URI: snap.uri, Version: protocol.NewOptional(snap.version), Diagnostics: items,
		}
		// Those of a new text are another's, even if they are the same: an editor moves what it shows.
		if !reflect.DeepEqual(d.diagnosed, found) {
			_ = s.client.PublishDiagnostics(ctx, found)
			d.diagnosed = found
		}
	}
	if s.can.cacheStatus {
		status := snap.cacheStatus()
		if overtaken() {
			return
		}
		s.sendStatus(ctx, status)
	}
	d.wake(d.search)
	s.mu.Lock()
	d.published = snap
	s.mu.Unlock()
}

func (s *session) sendStatus(ctx context.Context, status *cacheStatus) {
	text, err := status.encode()
	if err == nil {
		err = s.rpc.Notify(ctx, cacheStatusMethod, text)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("the marks were not sent", zap.Error(err))
	}
}

// retract clears what was published of a document that has been closed.
func (s *session) retract(d *document) {
	if !s.can.pullDiagnostics {
		_ = s.client.PublishDiagnostics(
			s.ctx,
			&protocol.PublishDiagnosticsParams{URI: d.uri, Diagnostics: []protocol.Diagnostic{}},
		)
	}
	if s.can.cacheStatus && (d.dockerfile || len(d.inlines) > 0) {
		s.sendStatus(s.ctx, &cacheStatus{URI: d.uri, State: "ready", Notes: []string{}})
	}
}

// refreshLoop asks the client to fetch hints, lenses and pulled diagnostics anew, one request at a time however many
// changes there were.
func (s *session) refreshLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.refresh:
		}
		// A client that refuses goes on showing what it has until the next edit.
		if s.can.refreshHints {
			_ = s.client.InlayHintRefresh(ctx)
		}
		if s.can.refreshLenses {
			_ = s.client.CodeLensRefresh(ctx)
		}
		if s.can.refreshDiagnostics {
			_ = s.client.DiagnosticRefresh(ctx)
		}
	}
}

// refreshSoon wakes refreshLoop.
func (s *session) refreshSoon() {
	select {
	case s.refresh <- struct{}{}:
	default:
	}
}
