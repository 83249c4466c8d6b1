package reorder

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
)

// item is what the search puts in order: an instruction, or what a split makes of one.
type item struct {
	before  []int  // the items, all with lower indices, that must stay above
	cost    int64  // of one execution, in milliseconds
	changed builds // when it changes by itself
	lazy    bool   // it changes only what the next RUN does: ARG and ENV
	run     bool
	link    bool // it is executed only when it changes itself
}

// builds is a set of builds by their numbers.
type builds []uint64

func (b builds) count() (n int64) {
	for _, w := range b {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// and gives the builds that are in both; nil stands for all.
func (b builds) and(o builds) builds {
	if o == nil {
		return b
	}
	both := slices.Clone(b[:min(len(b), len(o))])
	for i := range both {
		both[i] &= o[i]
	}
	return both
}

// without gives the builds of b that are not in o.
func (b builds) without(o builds) builds {
	if o == nil {
		return b
	}
	left := slices.Clone(b)
	for i := range min(len(left), len(o)) {
		left[i] &^= o[i]
	}
	return left
}

// countWith is how many builds are in one of both.
func (b builds) countWith(o builds) (n int64) {
	if len(o) > len(b) {
		b, o = o, b
	}
	for i, w := range b {
		if i < len(o) {
			w |= o[i]
		}
		n += int64(bits.OnesCount64(w))
	}
	return n
}

func (b builds) or(o builds) builds {
	if len(o) > len(b) {
		b, o = o, b
	}
	sum := slices.Clone(b)
	for i, w := range o {
		sum[i] |= w
	}
	return sum
}

// costOf is what all builds cost with the items in this order, in milliseconds.
func costOf(items []item, order []int, above builds) (sum int64, executed []int64) {
	executed = make([]int64, len(items))
	chain, pending := above, builds(nil)
	for _, k := range order {
		it := &items[k]
		switch {
		case it.lazy:
			pending = pending.or(it.changed)
			continue
		case it.run:
			chain, pending = chain.or(pending), nil
		}
		if it.link {
			executed[k] = it.changed.count()
		} else {
			executed[k] = chain.or(it.changed).count()
		}
		chain = chain.or(it.changed)
		sum += it.cost * executed[k]
	}
	return sum, executed
}

// How many sets of placed items are looked at for each number of them. Where there are fewer, the search is exact. Of
// many items it must look at fewer sets, so that it ends in a bounded number of steps.
const (
	widest    = 300
	narrowest = 6
	allSteps  = 350_000
)

func beamWidth(items int) int { return min(widest, max(narrowest, allSteps/(items*items+1))) }

// mask is a set of items.
type mask [6]uint64

const maxItems = 384

func (m *mask) add(i int)     { m[i/64] |= 1 << (i % 64) }
func (m mask) has(i int) bool { return m[i/64]&(1<<(i%64)) != 0 }

// holds reports whether all of o are in m.
func (m *mask) holds(o *mask) bool {
	for i := range m {
		if o[i]&^m[i] != 0 {
			return false
		}
	}
	return true
}

// below is how many of the first n items are in m.
func (m *mask) below(n int) (count int) {
	for i := range n / 64 {
		count += bits.OnesCount64(m[i])
	}
	if n%64 != 0 {
		count += bits.OnesCount64(m[n/64] & (1<<(n%64) - 1))
	}
	return count
}

// placed is an order of some items: an item below those of an order that is one shorter.
type placed struct {
	cost       int64
	inversions int
	chain      builds
	builds     int64 // how many the chain has
	above      *placed
	item       int
	size       int
}

// order gives the items from above.
func (p *placed) order() []int {
	order := make([]int, p.size)
	for q := p; q.above != nil; q = q.above {
		order[q.size-1] = q.item
	}
	return order
}

// searching is a search under way.
type searching struct {
	items  []item
	needs  []mask  // of each item, those that must stand above
	free   []bool  // it costs nothing and never changes
	alone  []int64 // what each item costs that runs only when it changes itself
	layers []layer
	spare  []layer // layers that are done, to be filled anew
	placed []int   // what a step places, in this order
}

// search returns the order of the items that costs least, of several the one that is nearest to the original. What a
// set of placed items costs hangs on the set alone, not on its order, so that it is enough to know the best order of
// each set that can stand above the others. When ctx ends it returns the best that it has found so far.
func search(ctx context.Context, items []item, above builds) []int {
	n := len(items)
	if n > maxItems {
		return nil
	}
	s := searching{
		items: items, needs: make([]mask, n), free: make([]bool, n), alone: make([]int64, n),
		layers: make([]layer, n+1),
	}
	for k := range items {
		for _, b := range items[k].before {
			s.needs[k].add(b)
		}
		changes := items[k].changed.count()
		s.free[k], s.alone[k] = items[k].cost == 0 && changes == 0, items[k].cost*changes
	}
	s.step(&layerEntry{placed: &placed{chain: above, builds: above.count()}}, -1)
	width := beamWidth(n)
	for at := 0; at < n; at++ {
		if ctx.Err() != nil {
			if best := s.layers[at].best(1); len(best) > 0 {
				return s.rest(best[0])
			}
			continue // what costs nothing is placed at once, so that there may be none of so many
		}
		for _, e := range s.layers[at].best(width) {
			for k := range items {
				if !s.free[k] && !e.done.has(k) {
					s.step(&e, k)
				}
			}
		}
		clear(s.layers[at].index)
		s.spare = append(s.spare, layer{s.layers[at].index, s.layers[at].entries[:0]})
		s.layers[at] = layer{}
	}
	for _, e := range s.layers[n].entries {
		return e.placed.order()
	}
	return nil
}

// rest gives an order that is not complete with the items that are left below it, as they stand in the file.
func (s *searching) rest(e layerEntry) []int {
	order := e.placed.order()
	for k := range s.items {
		if !e.done.has(k) {
			order = append(order, k)
		}
	}
	return order
}

// layer has the best order for each set of so many items.
type layer struct {
	index   map[mask]int
	entries []layerEntry
}

type layerEntry struct {
	done mask
	*placed
}

// step places an item below those of an order, if it may stand there, together with what costs nothing and must stand
// above it. What costs nothing and never changes is placed as soon as all above it is. -1 places no more than that.
func (s *searching) step(e *layerEntry, k int) {
	s.placed = s.placed[:0]
	cost, inversions, done := e.cost, e.inversions, e.done
	put := func(k int) {
		inversions += k - done.below(k)
		done.add(k)
		s.placed = append(s.placed, k)
	}
	if k >= 0 {
		need, ok := s.missing(k, &e.done)
		if !ok {
			return
		}
		for _, free := range need {
			put(free)
		}
		put(k)
		switch it := &s.items[k]; {
		case it.link:
			cost += s.alone[k]
		case it.cost > 0 && len(it.changed) == 0:
			cost += it.cost * e.builds
		case it.cost > 0:
			cost += it.cost * e.chain.countWith(it.changed)
		}
	}
	for low := 0; ; {
		for low < len(s.items) && done.has(low) {
			low++
		}
		if low == len(s.items) || !s.free[low] {
			break
		}
		put(low)
	}
	s.add(e, k, cost, inversions, done)
}

// add notes an order, unless there is a better one of the same items.
func (s *searching) add(e *layerEntry, k int, cost int64, inversions int, done mask) {
	l := &s.layers[e.size+len(s.placed)]
	if l.index == nil && len(s.spare) > 0 {
		*l, s.spare = s.spare[len(s.spare)-1], s.spare[:len(s.spare)-1]
	}
	if l.index == nil {
		l.index = map[mask]int{}
	}
	at, has := l.index[done]
	if has {
		if o := l.entries[at]; o.cost < cost || o.cost == cost && o.inversions <= inversions {
			return
		}
	}
	q := e.placed
	for _, item := range s.placed {
		q = &placed{above: q, item: item, size: q.size + 1}
	}
	q.cost, q.inversions, q.chain, q.builds = cost, inversions, e.chain, e.builds
	if k >= 0 && len(s.items[k].changed) > 0 {
		q.chain = e.chain.or(s.items[k].changed)
		q.builds = q.chain.count()
	}
	if has {
		l.entries[at].placed = q
		return
	}
	l.index[done] = len(l.entries)
	l.entries = append(l.entries, layerEntry{done, q})
}

// best gives the most promising sets of a layer, in a fixed order.
func (l *layer) best(width int) []layerEntry {
	list := l.entries
	if len(list) > 4*width { // most need not be put in order
		costs := make([]int64, len(list))
		for i, e := range list {
			costs[i] = e.cost
		}
		limit := smallest(costs, width)
		list = slices.DeleteFunc(list, func(e layerEntry) bool { return e.cost > limit })
	}
	slices.SortFunc(list, func(a, b layerEntry) int {
		return cmp.Or(
			cmp.Compare(a.cost, b.cost),
			cmp.Compare(a.inversions, b.inversions),
			slices.Compare(a.done[:], b.done[:]),
		)
	})
	return list[:min(len(list), width)]
}

// smallest gives the value that n of a list, at least, are not above. It changes the order of the list.
func smallest(list []int64, n int) int64 {
	for len(list) > n {
		pivot := list[len(list)/2]
		i, j := 0, len(list)-1
		for i <= j {
			for list[i] < pivot {
				i++
			}
			for list[j] > pivot {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case n <= j+1:
			list = list[:j+1]
		case n > i:
			list, n = list[i:], n-i
		default:
			return pivot
		}
	}
	return slices.Max(list)
}

// missing gives the free items that must be placed before k can be; it fails if others must.
func (s *searching) missing(k int, done *mask) (need []int, ok bool) {
	if done.holds(&s.needs[k]) {
		return nil, true
	}
	for _, b := range s.items[k].before {
		if done.has(b) {
			continue
		}
		if !s.free[b] {
			return nil, false
		}
		more, ok := s.missing(b, done)
		if !ok {
			return nil, false
		}
		need = append(need, more...)
		need = append(need, b)
	}
	slices.Sort(need)
	return slices.Compact(need), true
}
