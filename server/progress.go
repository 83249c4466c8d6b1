package server

import (
	"context"
	"sync/atomic"
	"time"

	"go.lsp.dev/protocol"
)

// progress shows in the editor that something takes long; for what does not it shows nothing.
type progress struct {
	message atomic.Pointer[string]
	stop    context.CancelFunc
}

// The times after which progress is shown at all, and brought up to date.
const (
	progressAfter = 400 * time.Millisecond
	progressEvery = 250 * time.Millisecond
)

// longWork begins work of the given title; the caller must call done.
func (s *session) longWork(ctx context.Context, title string) *progress {
	ctx, stop := context.WithCancel(ctx)
	p := &progress{stop: stop}
	if s.can.progress {
		s.background("showing progress", func(context.Context) { p.show(ctx, s, title) })
	}
	return p
}

// report says how far the work is.
func (p *progress) report(message string) { p.message.Store(&message) }

func (p *progress) done() { p.stop() }

func (p *progress) show(ctx context.Context, s *session, title string) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(progressAfter):
	}
	token := protocol.String("layerwise/" + time.Now().Format("150405.000000"))
	if s.client.WorkDoneProgressCreate(ctx, &protocol.WorkDoneProgressCreateParams{Token: token}) != nil {
		return
	}
	send := func(value any) {
		if raw, err := protocol.Marshal(value); err == nil {
			_ = s.client.Progress(s.ctx, &protocol.ProgressParams{Token: token, Value: raw})
		}
	}
	send(&protocol.WorkDoneProgressBegin{Kind: "begin", Title: title, Message: p.message.Load()})
	defer send(&protocol.WorkDoneProgressEnd{Kind: "end"})
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(progressEvery):
			send(&protocol.WorkDoneProgressReport{Kind: "report", Message: p.message.Load()})
		}
	}
}
