package cachemodel

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// Builder is a builder that keeps what its builds leave in the cache, and forgets nothing. The zero value has built
// nothing; it must not be used by several goroutines at once.
type Builder struct {
	// SameRemotes takes what a URL or git reference leads to for the same each time, as the tag of an image is.
	SameRemotes bool

	held *Held
}

// Build gives the verdict on each instruction of next, as Compare does for all builds so far, and adds next to them.
func (b *Builder) Build(next *Plan) []Step {
	if b.held == nil {
		b.held = Hold(nil)
		b.held.cache.sameRemotes = b.SameRemotes
	}
	steps := b.held.Compare(next)
	past := Past{Plan: next}
	b.held.found = append(b.held.found, b.held.cache.build(&past))
	b.held.pasts = append(b.held.pasts, past)
	return steps
}

// Operation is what one instruction does of its own, whatever it stands on.
type Operation struct {
	Runs bool // it makes something that the cache can hold
	// Key identifies what is done and the files that are read of the build context: with equal keys, on equal grounds,
	// an instruction is in the cache. It is "" where nothing runs.
	Key   string
	Bytes int64 // of the files that it reads of the build context, as far as their sizes are known
	Err   error // why a file that it reads is not there or cannot be read: a build would fail
	// Missing are the sources that are not there, where others are.
	Missing []string
	Link    bool  // it stands on nothing: COPY --link
	On      []int // the instructions, by index, whose results it reads: the last step above it, those it copies from
}

// Operations gives each instruction's operation, in file order.
func (p *Plan) Operations() []Operation {
	ops := make([]Operation, len(p.steps))
	for i, s := range p.steps {
		if s.kind != layerStep && len(s.vertices) == 0 {
			continue
		}
		op := &ops[i]
		op.Runs, op.Link = s.kind == layerStep, s.linked
		w, there := &keyWriter{}, false
		for _, v := range s.vertices {
			w.key(v.key)
			for _, in := range v.inputs {
				w.str(in.selector, in.digest)
				if in.from != nil && len(in.from.owners) > 0 {
					if from := in.from.owners[0].index; from != i && !slices.Contains(op.On, from) {
						op.On = append(op.On, from)
					}
				}
				if in.dir == nil {
					continue
				}
				if op.Err == nil {
					op.Err = in.dir.err
				}
				if in.dir.tree != nil {
					op.Bytes += in.dir.tree.Bytes(in.dir.queries)
					there = op.addMissing(in.dir) || there
				}
			}
		}
		if !there {
			op.Missing = nil
		}
		op.Key = w.done().strict
	}
	return ops
}

// addMissing adds what is not there, and reports whether anything is.
func (op *Operation) addMissing(r *reading) (there bool) {
	for _, q := range r.queries {
		if _, err := r.tree.Digest(q); errors.Is(err, buildcontext.ErrNotFound) {
			op.Missing = append(op.Missing, strings.TrimPrefix(q.Path, "/"))
		} else if err == nil {
			there = true
		}
	}
	return there
}

// Files lists the files that instruction i, by index, reads of the build context and of named ones that are known, by
// path, and says why if something that it reads is not there or cannot be read. It lists none where an instruction
// reads none.
func (p *Plan) Files(i int) (map[string]*buildcontext.Node, error) {
	files := map[string]*buildcontext.Node{}
	var err error
	for _, v := range p.steps[i].vertices {
		for _, in := range v.inputs {
			if in.dir == nil {
				continue
			}
			err = errors.Join(err, in.dir.err)
			if in.dir.tree != nil {
				maps.Copy(files, in.dir.tree.Files(in.dir.queries))
			}
		}
	}
	return files, err
}

// Len is the number of instructions.
func (p *Plan) Len() int { return len(p.steps) }

// Counterparts gives for each instruction of next, in file order, the index of the instruction of base that it most
// likely was, -1 if it is new.
func Counterparts(base, next *Plan) []int {
	mates, _ := align(base, next)
	out := make([]int, len(mates))
	for i, mate := range mates {
		out[i] = -1
		if mate != nil {
			out[i] = mate.index
		}
	}
	return out
}
