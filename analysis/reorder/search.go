package reorder

import (
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

// beamWidth is how many sets of placed items are looked at for each number of them. Fewer than that, and the search is exact.
const beamWidth = 300

// mask is a set of items.
type mask [4]uint64

const maxItems = 256

func (m *mask) add(i int)     { m[i/64] |= 1 << (i % 64) }
func (m mask) has(i int) bool { return m[i/64]&(1<<(i%64)) != 0 }

type placed struct {
	cost       int64
	inversions int
	chain      builds
	order      []int
}

func (p *placed) better(o *placed) bool {
	if p.cost != o.cost {
		return p.cost < o.cost
	}
	if p.inversions != o.inversions {
		return p.inversions < o.inversions
	}
	return slices.Compare(p.order, o.order) < 0
}

// search returns the order of the items that costs least, of several the one that is nearest to the original. What a set of
// placed items costs hangs on the set alone, not on its order, so that it is enough to know the best order of each set that
// can stand above the others. It returns nil when ctx ends.
func search(ctx context.Context, items []item, above builds) []int {
	n := len(items)
	if n > maxItems {
		return nil
	}
	layers := make([]map[mask]*placed, n+1)
	add := func(done mask, p *placed) {
		// What costs nothing and never changes goes to its place as soon as all above it is placed.
		for k := len(p.order); k < n && len(p.order) < n; k = len(p.order) {
			low := 0
			for done.has(low) {
				low++
			}
			if !items[low].free() {
				break
			}
			p = p.with(items, low, &done)
		}
		at := len(p.order)
		if layers[at] == nil {
			layers[at] = map[mask]*placed{}
		}
		if old := layers[at][done]; old == nil || p.better(old) {
			layers[at][done] = p
		}
	}
	add(mask{}, &placed{chain: above})
	for at := 0; at < n; at++ {
		if ctx.Err() != nil {
			return nil
		}
		for _, done := range beam(layers[at]) {
			p := layers[at][done]
			for k := range items {
				if done.has(k) || items[k].free() {
					continue
				}
				need, ok := missing(items, k, done)
				if !ok {
					continue
				}
				set, q := done, p
				for _, free := range need {
					q = q.with(items, free, &set)
				}
				add(set, q.with(items, k, &set))
			}
		}
		layers[at] = nil
	}
	for _, p := range layers[n] {
		return p.order
	}
	return nil
}

// beam gives the most promising sets of a layer in a fixed order.
func beam(layer map[mask]*placed) []mask {
	sets := make([]mask, 0, len(layer))
	for set := range layer {
		sets = append(sets, set)
	}
	slices.SortFunc(sets, func(a, b mask) int {
		if layer[a].better(layer[b]) {
			return -1
		}
		return 1
	})
	return sets[:min(len(sets), beamWidth)]
}

func (it *item) free() bool { return it.cost == 0 && it.changed.count() == 0 }

// missing gives the free items that must be placed before k can be; it fails if others must.
func missing(items []item, k int, done mask) (need []int, ok bool) {
	for _, b := range items[k].before {
		if done.has(b) {
			continue
		}
		if !items[b].free() {
			return nil, false
		}
		more, ok := missing(items, b, done)
		if !ok {
			return nil, false
		}
		need = append(need, more...)
		need = append(need, b)
	}
	slices.Sort(need)
	return slices.Compact(need), true
}

// with returns p with one more item placed.
func (p *placed) with(items []item, k int, done *mask) *placed {
	it := &items[k]
	chain := p.chain
	if len(it.changed) > 0 {
		chain = chain.or(it.changed)
	}
	q := &placed{cost: p.cost, inversions: p.inversions, chain: chain, order: append(slices.Clone(p.order), k)}
	if it.link {
		q.cost += it.cost * it.changed.count()
	} else {
		q.cost += it.cost * chain.count()
	}
	for i := range k {
		if !done.has(i) {
			q.inversions++
		}
	}
	done.add(k)
	return q
}
