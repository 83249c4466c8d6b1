package server

import (
	"context"

	"go.lsp.dev/protocol"
)

// builder is the one whose history is read, nil if there is none. When it has built something, what depends on its
// history is looked at again.
func (s *session) builder(setting string) Builder {
	if s.findBuilder == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.builders[setting]; ok {
		return b
	}
	b, err := s.findBuilder(setting)
	if err != nil {
		b = nil
		go s.tell(protocol.MessageTypeInfo, err.Error())
	}
	s.builders[setting] = b
	if b != nil {
		s.backgroundLocked("watching the builder", func(ctx context.Context) { b.Watch(ctx, s.built) })
	}
	return b
}

// built has all build contexts and baselines looked at, because something was built. That nothing changed since before
// the build is what makes the context known that it had.
func (s *session) built() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.documents {
		if d.dockerfile {
			d.stale.Context, d.stale.Baseline = true, true
			d.wake(d.reload)
		}
	}
}
