package scope

// Lineage knows which stages are built on which, however many lie between.
type Lineage struct {
	bases []int
	// The stages numbered so that those that are built on one follow it: enter is a stage's number, leave the first
	// behind them.
	enter, leave []int
	root         []int
}

// NewLineage returns the lineage of stages, given the stage that each is built on, an earlier one, or -1 for an image.
func NewLineage(bases []int) *Lineage {
	n := len(bases)
	numbers := make([]int, 4*n)
	l := &Lineage{bases: bases, enter: numbers[:n], leave: numbers[n : 2*n], root: numbers[2*n : 3*n]}
	size, next := numbers[3*n:], make([]int, n)
	for i := n - 1; i >= 0; i-- {
		size[i]++
		if bases[i] >= 0 {
			size[bases[i]] += size[i]
		}
	}
	first := 0
	for i, base := range bases {
		at := &first
		l.root[i] = i
		if base >= 0 {
			at = &next[base]
			l.root[i] = l.root[base]
		}
		l.enter[i], next[i], l.leave[i] = *at, *at+1, *at+size[i]
		*at += size[i]
	}
	return l
}

// Nearest returns the nearest of some stages, in ascending order, that a stage is built on; -1 if it is built on none
// of them.
func (l *Lineage) Nearest(stages []int, stage int) int {
	if l.bases[stage] < 0 {
		return -1
	}
	for i := len(stages) - 1; i >= 0; i-- {
		if l.BuiltOn(stage, stages[i]) {
			return stages[i]
		}
	}
	return -1
}

// BuiltOn reports whether a stage is built on another, directly or not.
func (l *Lineage) BuiltOn(stage, base int) bool {
	return base < stage && l.enter[base] < l.enter[stage] && l.enter[stage] < l.leave[base]
}

// Root returns the first stage of those that a stage is built on, itself if that is an image.
func (l *Lineage) Root(stage int) int { return l.root[stage] }
