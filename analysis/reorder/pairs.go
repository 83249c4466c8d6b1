package reorder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/effects"
)

// pairs remembers of the instructions of a stage which may change places. Of those that do the same, such as many
// installations of packages, it is worked out once.
type pairs struct {
	kinds []int // by index of the instruction
	known map[[2]int]relation
}

// relation says whether two instructions may change places, and what that rests on.
type relation struct {
	facts []string
	free  bool
}

func newPairs(all []effects.Effects) *pairs {
	p := &pairs{kinds: make([]int, len(all)), known: map[[2]int]relation{}}
	kinds := map[string]int{}
	for i := range all {
		name := kindOf(&all[i])
		if name == "" {
			name = fmt.Sprint(i)
		}
		kind, has := kinds[name]
		if !has {
			kind = len(kinds)
			kinds[name] = kind
		}
		p.kinds[i] = kind
	}
	return p
}

// kindOf is equal for effects that are equal, "" for those of which there is hardly a second one.
func kindOf(e *effects.Effects) string {
	if e.Copies != nil || e.Trees != nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprint(&b, "=", e.Opaque, e.Linked)
	for _, list := range [][]string{e.Reads, e.Writes, e.Named, e.Facts} {
		b.WriteString("\x01" + strings.Join(list, "\x02"))
	}
	for _, dir := range slices.Sorted(maps.Keys(e.Makes)) {
		b.WriteString("\x01" + dir + "\x02" + e.Makes[dir])
	}
	return b.String()
}

// of gives the relation of two entries that are instructions as the file has them.
func (p *pairs) of(x, y *entry, find func() ([]string, bool)) relation {
	pair := [2]int{p.kinds[x.of], p.kinds[y.of]}
	found, known := p.known[pair]
	if !known {
		found.facts, found.free = find()
		p.known[pair] = found
	}
	return found
}
