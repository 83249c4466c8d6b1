package server

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"go.lsp.dev/protocol"
)

// progress shows in the editor that something takes long; for what does not it shows nothing.
type progress struct {
	ctx       context.Context // of the work: ends when the person has had enough of it
	message   atomic.Pointer[string]
	stop      context.CancelFunc
	cancelled atomic.Bool // by the person
}

// The times after which progress is shown at all, and brought up to date.
const (
	progressAfter = 400 * time.Millisecond
	progressEvery = 250 * time.Millisecond
)

// longWork begins work of the given title, which uses the progress's context; the caller must call done.
func (s *session) longWork(ctx context.Context, title string) *progress {
	ctx, stop := context.WithCancel(ctx)
	p := &progress{ctx: ctx, stop: stop}
	if s.can.progress {
		s.background("showing progress", func(context.Context) { p.show(ctx, s, title) })
	}
	return p
}

// report says how far the work is.
func (p *progress) report(message string) {
	message = titleText(message)
	p.message.Store(&message)
}

func (p *progress) done() { p.stop() }

func (p *progress) show(ctx context.Context, s *session, title string) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(progressAfter):
	}
	token := s.offerCancel(p)
	defer s.forgetCancel(token)
	if s.client.WorkDoneProgressCreate(ctx, &protocol.WorkDoneProgressCreateParams{Token: token}) != nil {
		return
	}
	send := func(value any) {
		if raw, err := protocol.Marshal(value); err == nil {
			_ = s.client.Progress(s.ctx, &protocol.ProgressParams{Token: token, Value: raw})
		}
	}
	cancellable := true
	send(
		&protocol.WorkDoneProgressBegin{
			Kind:        "begin",
			Title:       titleText(title),
			Message:     p.message.Load(),
			Cancellable: &cancellable,
		},
	)
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

// offerCancel gives p a token by which the client may say that the person has had enough.
func (s *session) offerCancel(p *progress) protocol.String {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progressCount++
	token := protocol.String("layerwise/" + strconv.Itoa(s.progressCount))
	s.progresses[token] = p
	return token
}

func (s *session) forgetCancel(token protocol.String) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.progresses, token)
}

// cancelProgress takes window/workDoneProgress/cancel.
func cancelProgress(s *session, params *protocol.WorkDoneProgressCancelParams) {
	token, _ := params.Token.(protocol.String)
	s.mu.Lock()
	p := s.progresses[token]
	s.mu.Unlock()
	if p != nil {
		p.cancelled.Store(true)
		p.stop()
	}
}
