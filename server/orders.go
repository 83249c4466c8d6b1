package server

import (
	"context"
	"sync"
	"time"

	"github.com/layerwise/layerwise/analysis/reorder"
)

const (
	searchPause = 500 * time.Millisecond  // nobody must type for so long before better orders are searched for
	searchLimit = 1500 * time.Millisecond // then the best order that was found counts

	// So long an answer waits for the search: where orders are asked for by name, where all fixes are (an editor may
	// wait for these before it saves a file), and where a person asks for all there is of a text as it was opened, of
	// which the search has begun already. Nothing else waits for it.
	ordersPatience = 2 * time.Second
	fixesPatience  = 500 * time.Millisecond
	firstPatience  = 100 * time.Millisecond

	// So long it waits for the fixes of a whole file: where all kinds are asked for, as at each move of the cursor, and
	// where the action was chosen. Else fixesPatience. So long it also tries how findings can be skipped.
	leastPatience   = 5 * time.Millisecond
	resolvePatience = time.Minute
)

// orders is a search for better orders of one version of a Dockerfile in one build. It runs once, beside everything
// else.
type orders struct {
	document context.Context // that of the document
	ctx      context.Context // ends when nobody wants to know any more
	cancel   context.CancelFunc
	find     func(context.Context) reorder.Offers
	once     sync.Once
	done     chan struct{}
	found    reorder.Offers // when done
}

func newOrders(document context.Context, find func(context.Context) reorder.Offers) *orders {
	o := &orders{document: document, find: find, done: make(chan struct{})}
	// Not a child of the document's, which would hold those of all versions: most are never searched for.
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// search makes the search, unless it was begun before.
func (o *orders) search() {
	o.once.Do(func() {
		defer close(o.done)
		defer context.AfterFunc(o.document, o.cancel)()
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

// ordersBy waits so long for the search for better orders, which it begins where nobody has, and gives what is known
// then.
func (snap *snapshot) ordersBy(ctx context.Context, patience time.Duration) (found reorder.Offers, ended bool) {
	if patience > 0 {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		snap.searchNow()
		select {
		case <-snap.orders.done:
		case <-ctx.Done():
		}
	}
	return snap.orders.known()
}

// ordersLoop searches for better orders whenever d has not changed for a while, at once where it was only opened, and
// gives up what an edit has overtaken.
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
		snap := current()
		for resting := snap != nil && snap.file == d.opened; !resting; {
			select {
			case <-d.ctx.Done():
				return
			case <-d.search:
				current()
			case <-time.After(searchPause):
				resting = true
			}
		}
		if snap = current(); snap != nil && snap.build != nil {
			last = snap.orders
			snap.searchNow()
		}
	}
}
