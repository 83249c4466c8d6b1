package buildcontext

import "time"

// Journal is what somebody who looked at a context again and again has seen of it. The zero value has seen nothing.
type Journal struct {
	looks  []look
	builds map[string]*Tree // what each build was sent, by its reference
}

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

// maxBuilds bounds what a journal keeps of builds.
const maxBuilds = 256

// Sent is the context as it was when a build began. What was found out once stays known whatever changes afterwards.
// stamps is asked where nobody looked both before and after: it is the context as far as stamps tell now.
func (j *Journal) Sent(build string, began time.Time, stamps func() (*Tree, error)) (*Tree, error) {
	if tree := j.builds[build]; tree != nil {
		return tree, nil
	}
	tree := j.at(began)
	if tree == nil {
		var err error
		if tree, err = stamps(); err != nil || j.before(began) {
			return tree, err // after the next look it may be known better
		}
	}
	if j.builds == nil || len(j.builds) == maxBuilds {
		j.builds = map[string]*Tree{}
	}
	j.builds[build] = tree
	return tree, nil
}

// before reports whether somebody looked before a time.
func (j *Journal) before(when time.Time) bool {
	return len(j.looks) > 0 && !j.looks[0].ended.After(when)
}

// at is the context as it was at a time, nil if nobody looked both before and after. What was the same before and after
// is known; of anything else it is not known what it held (ErrUnknown).
func (j *Journal) at(when time.Time) *Tree {
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
			return NewTree(trusted(tree.root, when), tree.ignore, unchanged{tree.hasher}, nil)
		}
	}
	return nil
}

// trusted leaves out contents that were read too soon after a change, or too late, and those of files that may have
// changed again after a time without another stamp.
func trusted(n *Node, when time.Time) *Node {
	stamp := n.meta.Stamp
	if n.meta.Type == File && n.meta.Err == nil && (n.Doubted() || stamp.ChangeTime != 0 && ChangedSince(stamp, when)) {
		return unknownNode(n)
	}
	var children []*Node
	for i, c := range n.children {
		if t := trusted(c, when); t != c {
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
