package cachemodel

import (
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// made is what a step reads of a file system that COPY and WORKDIR alone made, out of nothing. It needs no build to be
// known: the same operations on the same files give the same files.
type made struct {
	queries []buildcontext.Query
	ops     []*vertex // those that may have written some of it, in their order
}

// maxMade is how many operations may have made a file system that is looked at.
const maxMade = 200

// madeDigest is the sort of a made's digest: another one may stand for the same files.
const madeDigest = "made:"

// madeOf is what queries select of a file system, nil if it is not known how that was made.
func madeOf(root *vertex, queries []buildcontext.Query) *made {
	ops := root.makers()
	if ops == nil {
		return nil
	}
	anywhere := slices.ContainsFunc(ops, func(op *vertex) bool { return op.writes == "" || op.links() })
	m := &made{queries: queries}
	for _, op := range ops {
		if anywhere || slices.ContainsFunc(queries, func(q buildcontext.Query) bool {
			return overlap(fixedPath(q), op.writes)
		}) {
			m.ops = append(m.ops, op)
		}
	}
	return m
}

// readMade gives an input the digest of what is read of a stage, where that is known and no record tells more.
func (in *input) readMade(queries []buildcontext.Query) {
	if in.digest != "" || in.from == nil {
		return
	}
	if in.made = madeOf(in.from, queries); in.made != nil {
		in.digest = in.made.digest()
	}
}

// numericOwner reports whether an owner needs no look at the users of an image.
func numericOwner(owner string) bool { return strings.Trim(owner, "0123456789:") == "" }

// makers lists the operations that made a file system; nil if there are others than COPY, ADD and WORKDIR, or if it is
// not known what they do.
func (v *vertex) makers() []*vertex {
	var ops []*vertex
	for v != nil {
		op, below := v, (*vertex)(nil)
		switch {
		case v.kind == mergeVertex:
			op, below = v.inputs[1].from, v.inputs[0].from
		case v.kind != copyVertex && v.kind != mkdirVertex:
			return nil
		case v.standsOnRoot():
			below = v.inputs[0].from
		}
		if len(ops) == maxMade || op.key.loose || op.doubtful ||
			slices.ContainsFunc(op.read(), func(in input) bool { return in.digest == "" }) {
			return nil
		}
		ops, v = append(ops, op), below
	}
	slices.Reverse(ops)
	return ops
}

// standsOnRoot reports whether a file operation's first input is what it writes to.
func (v *vertex) standsOnRoot() bool {
	return len(v.inputs) > 0 && v.inputs[0].from != nil && !v.inputs[0].content
}

// read are the inputs that a file operation copies from.
func (v *vertex) read() []input {
	if v.standsOnRoot() {
		return v.inputs[1:]
	}
	return v.inputs
}

// links reports whether a file operation may write a link, through which others then write elsewhere.
func (v *vertex) links() bool {
	return slices.ContainsFunc(v.read(), func(in input) bool {
		return (in.from == nil || in.from.kind != mkfileVertex) &&
			(in.dir == nil || in.dir.tree == nil || in.dir.tree.HasLinks(in.dir.queries))
	})
}

// digest is equal for two only if the files are.
func (m *made) digest() string {
	w := &keyWriter{}
	for _, q := range m.queries {
		w.str(q.Path).flag(q.Wildcard).flag(q.FollowLinks).list(q.Include).list(q.Exclude).list(q.Required)
	}
	for _, op := range m.ops {
		w.str(op.dialect).key(op.key)
		for _, in := range op.read() {
			w.str(in.digest)
		}
	}
	return madeDigest + w.sum().strict
}

// differs reports whether the files are certainly other ones than old's: a file has other contents, and nothing writes
// over it.
func (m *made) differs(old *made) bool {
	if m == nil || old == nil || !reflect.DeepEqual(m.queries, old.queries) ||
		!slices.EqualFunc(m.ops, old.ops, func(a, b *vertex) bool { return a.key.is(b.key) }) {
		return false
	}
	for i, op := range m.ops {
		if op.writes != "" && m.includes(op.writes) && op.changed(old.ops[i]) &&
			!slices.ContainsFunc(m.ops[i+1:], func(later *vertex) bool {
				return later.kind == copyVertex && (later.writes == "" || overlap(op.writes, later.writes))
			}) {
			return true
		}
	}
	return false
}

// includes reports whether all that is at or below a path is read.
func (m *made) includes(p string) bool {
	return slices.ContainsFunc(m.queries, func(q buildcontext.Query) bool {
		return !q.Wildcard && len(q.Include)+len(q.Exclude)+len(q.Required) == 0 && atOrBelow(p, path.Clean(q.Path))
	})
}

// changed reports whether a COPY certainly writes other contents to some file than an equal one did.
func (v *vertex) changed(old *vertex) bool {
	now, was := v.read(), old.read()
	if v.kind != copyVertex || len(now) != 1 || len(was) != 1 {
		return false
	}
	a, b := &now[0], &was[0]
	if a.from != nil && a.from.kind == mkfileVertex {
		return b.from != nil && b.from.kind == mkfileVertex && decisive(a.digest) && decisive(b.digest) &&
			a.digest != b.digest
	}
	if a.dir == nil || b.dir == nil || a.dir.tree == nil || b.dir.tree == nil || len(a.dir.queries) != 1 ||
		!reflect.DeepEqual(a.dir.queries, b.dir.queries) {
		return false // two sources may write to the same place
	}
	before := b.dir.tree.Files(b.dir.queries)
	for name, n := range a.dir.tree.Files(a.dir.queries) {
		o := before[name]
		if o == nil || n.Type() != buildcontext.File || o.Type() != buildcontext.File {
			continue
		}
		is, known := n.Content()
		if did, too := o.Content(); known && too && is != did {
			return true
		}
	}
	return false
}

// fixedPath is the path above the first wildcard of a query.
func fixedPath(q buildcontext.Query) string {
	p := q.Path
	if q.Wildcard {
		if i := strings.IndexAny(p, `*?[\`); i >= 0 {
			p = p[:i]
			p = p[:strings.LastIndexByte(p, '/')+1]
		}
	}
	return path.Clean("/" + p)
}

// overlap reports whether one of two clean paths is at or below the other.
func overlap(a, b string) bool { return atOrBelow(a, b) || atOrBelow(b, a) }

// atOrBelow reports whether a clean path is at or below another one.
func atOrBelow(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
