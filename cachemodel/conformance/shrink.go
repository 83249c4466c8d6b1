package conformance

import (
	"maps"
	"slices"
	"strings"
)

// Shrink makes a failing case smaller while fails says that it still fails: fewer builds, instructions, edits, files,
// arguments and settings.
func Shrink(sketches []Sketch, fails func([]Sketch) bool) []Sketch {
	s := &shrinker{best: sketches, tries: 600, fails: fails}
	for again := true; again; {
		again = s.builds()
		again = s.instructions() || again
		again = s.edits() || again
		again = s.files() || again
		again = s.settings() || again
		again = s.words() || again
	}
	return s.best
}

// shrinker holds the smallest case so far. Its methods report whether they made it smaller.
type shrinker struct {
	best  []Sketch
	tries int // that are left
	fails func([]Sketch) bool
}

// try makes a change to a copy, and keeps it if it is smaller and still fails.
func (s *shrinker) try(change func(c []Sketch) []Sketch) bool {
	c := make([]Sketch, len(s.best))
	for i := range s.best {
		c[i] = s.best[i].Clone()
	}
	c = change(c)
	if len(c) < 2 || size(c) >= size(s.best) || s.tries == 0 {
		return false
	}
	if s.tries--; !s.fails(c) {
		return false
	}
	s.best = c
	return true
}

// each makes a change to every build.
func (s *shrinker) each(change func(c *Sketch)) bool {
	return s.try(func(c []Sketch) []Sketch {
		for i := range c {
			change(&c[i])
		}
		return c
	})
}

// builds leaves out whole builds.
func (s *shrinker) builds() (smaller bool) {
	for i := len(s.best) - 1; i >= 0; i-- {
		if i < len(s.best) && s.try(func(c []Sketch) []Sketch { return slices.Delete(c, i, i+1) }) {
			smaller = true
		}
	}
	return smaller
}

// instructions leaves out an instruction in all builds.
func (s *shrinker) instructions() (smaller bool) {
	for _, id := range instIDs(s.best) {
		smaller = s.try(func(c []Sketch) []Sketch { return dropInst(c, id, -1) }) || smaller
	}
	return smaller
}

// edits takes back one edit.
func (s *shrinker) edits() (smaller bool) {
	for i := len(s.best) - 1; i > 0; i-- {
		for _, id := range instIDs(s.best) {
			smaller = s.try(func(c []Sketch) []Sketch { return dropInst(c, id, i) }) || smaller
			smaller = s.try(func(c []Sketch) []Sketch { return revertInst(c, id, i) }) || smaller
		}
		smaller = s.try(func(c []Sketch) []Sketch { c[i].Insts = c[i-1].Insts; return c }) || smaller
		smaller = s.try(func(c []Sketch) []Sketch { c[i].Args = c[i-1].Args; return c }) || smaller
		smaller = s.try(func(c []Sketch) []Sketch {
			to, from := &c[i], c[i-1]
			to.Target, to.Platform, to.NoCache = from.Target, from.Platform, from.NoCache
			to.CRLF, to.Escape = from.CRLF, from.Escape
			return c
		}) || smaller
	}
	return smaller
}

// files leaves out a file in all builds, or makes it the first build's in all.
func (s *shrinker) files() (smaller bool) {
	for _, p := range keysOf(s.best, func(c Sketch) map[string]File { return c.Files }) {
		if s.each(func(c *Sketch) { delete(c.Files, p) }) {
			smaller = true
			continue
		}
		smaller = s.try(func(c []Sketch) []Sketch {
			for i := range c {
				if f, ok := c[0].Files[p]; ok {
					c[i].Files[p] = f
				} else {
					delete(c[i].Files, p)
				}
			}
			return c
		}) || smaller
	}
	return smaller
}

// settings leaves out arguments, the named context and all other settings.
func (s *shrinker) settings() (smaller bool) {
	for _, k := range keysOf(s.best, func(c Sketch) map[string]string { return c.Args }) {
		smaller = s.each(func(c *Sketch) { delete(c.Args, k) }) || smaller
	}
	smaller = s.each(func(c *Sketch) { c.Extra = nil }) || smaller
	return s.each(func(c *Sketch) {
		c.Target, c.Platform, c.NoCache, c.CRLF, c.Escape, c.Name = "", "", false, false, false, "Dockerfile"
	}) || smaller
}

// words leaves out flags of an instruction.
func (s *shrinker) words() (smaller bool) {
	for _, id := range instIDs(s.best) {
		for _, word := range wordsOf(s.best, id) {
			smaller = s.try(func(c []Sketch) []Sketch { return dropWord(c, id, word) }) || smaller
		}
	}
	return smaller
}

// size is what shrinking makes smaller: the builds, and what differs from one to the next.
func size(sketches []Sketch) int {
	n := 0
	for i, s := range sketches {
		prev := sketches[max(i-1, 0)]
		n += 20 + len(s.Target) + len(s.Platform) + 10*len(s.Files) + 10*len(s.Extra) + 10*len(s.Args)
		for _, set := range []bool{s.NoCache, s.CRLF, s.Escape, s.Name != "Dockerfile", s.Target != prev.Target,
			s.Platform != prev.Platform, s.NoCache != prev.NoCache, s.CRLF != prev.CRLF, s.Escape != prev.Escape} {
			if set {
				n += 5
			}
		}
		for _, in := range s.Insts {
			n += 2 + len(in.Text)
			if !slices.Contains(prev.Insts, in) {
				n += 5
			}
		}
		for _, in := range prev.Insts {
			if !slices.Contains(s.Insts, in) {
				n += 3 + len(in.Text)
			}
		}
		for p, f := range s.Files {
			n += len(f.Data) / 8
			if prev.Files[p] != f {
				n += 20
			}
		}
		for p := range prev.Files {
			if _, ok := s.Files[p]; !ok {
				n += 20
			}
		}
		for k, v := range s.Args {
			if prev.Args[k] != v {
				n += 5
			}
		}
		for k := range prev.Args {
			if _, ok := s.Args[k]; !ok {
				n += 5
			}
		}
	}
	return n
}

func instIDs(sketches []Sketch) []int {
	var ids []int
	for _, s := range sketches {
		for _, in := range s.Insts {
			if !slices.Contains(ids, in.ID) {
				ids = append(ids, in.ID)
			}
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids
}

// dropInst removes an instruction from one build, or from all if only is negative.
func dropInst(s []Sketch, id, only int) []Sketch {
	for i := range s {
		if only < 0 || only == i {
			s[i].Insts = slices.DeleteFunc(s[i].Insts, func(in Inst) bool { return in.ID == id })
		}
	}
	return s
}

// revertInst gives an instruction the text that it has one build earlier.
func revertInst(s []Sketch, id, i int) []Sketch {
	for _, old := range s[i-1].Insts {
		if old.ID != id {
			continue
		}
		for j := range s[i].Insts {
			if s[i].Insts[j].ID == id {
				s[i].Insts[j].Text = old.Text
			}
		}
	}
	return s
}

// wordsOf are the flags of an instruction.
func wordsOf(sketches []Sketch, id int) []string {
	var words []string
	for _, s := range sketches {
		for _, in := range s.Insts {
			if in.ID != id {
				continue
			}
			for _, w := range strings.Fields(in.Text) {
				if strings.HasPrefix(w, "--") && !slices.Contains(words, w) {
					words = append(words, w)
				}
			}
		}
	}
	return words
}

func dropWord(s []Sketch, id int, word string) []Sketch {
	for i := range s {
		for j, in := range s[i].Insts {
			if in.ID == id {
				s[i].Insts[j].Text = strings.Replace(in.Text, " "+word, "", 1)
			}
		}
	}
	return s
}

func keysOf[V any](sketches []Sketch, of func(Sketch) map[string]V) []string {
	all := map[string]bool{}
	for _, s := range sketches {
		for k := range of(s) {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
