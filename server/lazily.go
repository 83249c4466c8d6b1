package server

import (
	"context"
	"sync"
	"time"
)

// lazily is a value that may take long to find. It is found once, in the background, when it is first asked for.
type lazily[T any] struct {
	once  sync.Once
	find  func() T
	run   func(func()) // in the background
	done  chan struct{}
	value T // when done
}

func newLazily[T any](find func() T, run func(func())) *lazily[T] {
	return &lazily[T]{find: find, run: run, done: make(chan struct{})}
}

// within waits so long for the value, and reports false if it is not there by then.
func (l *lazily[T]) within(ctx context.Context, patience time.Duration) (value T, ok bool) {
	l.once.Do(func() {
		l.run(func() {
			defer close(l.done)
			l.value = l.find()
		})
	})
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-l.done:
		return l.value, true
	case <-ctx.Done():
		return value, false
	}
}
