package buildcontext

import "time"

// Journal is what somebody who looked at a context again and again has seen of it. The zero value has seen nothing.
type Journal struct{ looks []look }

type look struct {
	began, ended time.Time
	whole        bool // else only at what was told to have changed
	tree         *Tree
}

// maxLooks bounds a journal. Trees share what is the same in them.
const maxLooks = 64

// Add notes a look at the context.
func (j *Journal) Add(began, ended time.Time, whole bool, tree *Tree) {
	l := look{began, ended, whole, tree}
	n := len(j.looks)
	if n > 1 && whole && j.looks[n-1].whole && j.looks[n-1].tree == tree && j.looks[n-2].tree == tree {
		j.looks[n-1] = l // of looks that saw the same, the first and the last tell all
		return
	}
	if n == maxLooks {
		j.looks = append(j.looks[:0:0], j.looks[1:]...)
	}
	j.looks = append(j.looks, l)
}

// At is the context as it was at a time, nil if nobody looked both before and after. What was the same before and after
// is known; of anything else it is not known what it held (ErrUnknown).
func (j *Journal) At(when time.Time) *Tree {
	var before *Tree
	for _, l := range j.looks {
		switch {
		case !l.ended.After(when):
			before = l.tree
		case before == nil:
			return nil
		case l.whole && !l.began.Before(when):
			tree, _ := Settled(before, l.tree)
			if tree.failure != nil {
				return tree
			}
			return NewTree(trusted(tree.root), tree.ignore, unchanged{tree.hasher}, nil)
		}
	}
	return nil
}

// trusted leaves out contents that were read too soon after a change, or too late.
func trusted(n *Node) *Node {
	if n.meta.Type == File && n.meta.Err == nil && n.Doubted() {
		return unknownNode(n)
	}
	var children []*Node
	for i, c := range n.children {
		if t := trusted(c); t != c {
			if children == nil {
				children = append(children, n.children...)
			}
			children[i] = t
		}
	}
	if children == nil {
		return n
	}
	return NewNode(n.name, n.meta, children)
}
