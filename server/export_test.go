package server

import (
	"context"
	"time"
)

// Methods that only tests have: one that waits until it is cancelled, some that panic, and one that answers at once.
func init() {
	type nothing struct{}
	started := func(answer func(context.Context) (any, error)) method {
		return method{
			call:   true,
			beside: true,
			start:  func(*session, []byte) (func(context.Context) (any, error), error) { return answer, nil },
		}
	}
	methods["test/wait"] = started(func(ctx context.Context) (any, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Minute):
			return "not cancelled", nil
		}
	})
	methods["test/quick"] = started(func(context.Context) (any, error) { return "quick", nil })
	methods["test/panicBeside"] = started(func(context.Context) (any, error) { panic("beside") })
	methods["test/panicInline"] = call(func(*session, *nothing) (any, error) { panic("inline") })
	methods["test/panicNotification"] = notification(func(*session, *nothing) { panic("notification") })
	methods["test/longWork"] = notification(func(s *session, _ *nothing) {
		s.background("a test", func(ctx context.Context) {
			p := s.longWork(ctx, "Working long")
			defer p.done()
			p.report("half way")
			select {
			case <-p.ctx.Done():
				s.tell(3, "the work was cancelled")
			case <-time.After(progressAfter + 8*progressEvery):
			}
		})
	})
	methods["test/panicBackground"] = notification(func(s *session, _ *nothing) {
		s.background("a test", func(context.Context) { panic("background") })
	})
}
