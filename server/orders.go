package server

import (
	"context"
	"sync"
	"time"

	"github.com/layerwise/layerwise/analysis/reorder"
)

// searchPause is how long nobody must type before better orders are searched for.
const searchPause = 500 * time.Millisecond

// orders is a search for better orders of one version of a Dockerfile in one build. It runs once, beside everything
// else.
type orders struct {
	ctx    context.Context // ends when nobody wants to know any more
	cancel context.CancelFunc
	find   func(context.Context) reorder.Offers
	once   sync.Once
	done   chan struct{}
	found  reorder.Offers // when done
}

func newOrders(ctx context.Context, find func(context.Context) reorder.Offers) *orders {
	o := &orders{find: find, done: make(chan struct{})}
	o.ctx, o.cancel = context.WithCancel(ctx)
	return o
}

// search makes the search, unless it was begun before.
func (o *orders) search() {
	o.once.Do(func() {
		defer close(o.done)
		o.found = o.find(o.ctx)
	})
}

// known is what was found, if the search has ended.
func (o *orders) known() (found reorder.Offers, ended bool) {
	select {
	case <-o.done:
		return o.found, true
	default:
		return reorder.Offers{}, false
	}
}

// orders are the better orders that are known by now. Where a person asked for them, the search is waited for.
func (snap *snapshot) betterOrders(ctx context.Context, asked bool) (found reorder.Offers, ended bool) {
	if asked {
		snap.searchNow()
		select {
		case <-snap.orders.done:
		case <-ctx.Done():
		}
	}
	return snap.orders.known()
}

// ordersLoop searches for better orders whenever d has not changed for a while, and gives up what an edit has
// overtaken.
func (s *session) ordersLoop(d *document) {
	var last *orders
	current := func() *snapshot {
		snap := s.snapshotOf(d.uri)
		if last != nil && (snap == nil || snap.orders != last) {
			last.cancel()
		}
		return snap
	}
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-d.search:
		}
		for resting := false; !resting; {
			current()
			select {
			case <-d.ctx.Done():
				return
			case <-d.search:
			case <-time.After(searchPause):
				resting = true
			}
		}
		if snap := current(); snap != nil && snap.build != nil {
			last = snap.orders
			snap.searchNow()
		}
	}
}
