package conformance

import (
	"maps"
	"slices"
	"strings"
)

// Shrink makes a failing case smaller while fails says that it still fails: fewer builds, instructions, edits, files,
// arguments and settings.
func Shrink(sketches []Sketch, fails func([]Sketch) bool) []Sketch {
	best, tries := sketches, 600
	try := func(change func(s []Sketch) []Sketch) bool {
		c := make([]Sketch, len(best))
		for i := range best {
			c[i] = best[i].Clone()
		}
		c = change(c)
		if len(c) < 2 || size(c) >= size(best) || tries == 0 {
			return false
		}
		if tries--; !fails(c) {
			return false
		}
		best = c
		return true
	}
	for again := true; again; {
		again = false
		for i := len(best) - 1; i >= 0; i-- { // whole builds
			if i < len(best) && try(func(s []Sketch) []Sketch { return slices.Delete(s, i, i+1) }) {
				again = true
			}
		}
		for _, id := range instIDs(best) { // an instruction in all builds
			again = try(func(s []Sketch) []Sketch { return dropInst(s, id, -1) }) || again
		}
		for i := len(best) - 1; i > 0; i-- { // one edit
			for _, id := range instIDs(best) {
				again = try(func(s []Sketch) []Sketch { return dropInst(s, id, i) }) || again
				again = try(func(s []Sketch) []Sketch { return revertInst(s, id, i) }) || again
			}
			again = try(func(s []Sketch) []Sketch { s[i].Insts = s[i-1].Insts; return s }) || again
			again = try(func(s []Sketch) []Sketch { s[i].Args = s[i-1].Args; return s }) || again
			again = try(func(s []Sketch) []Sketch {
				s[i].Target, s[i].Platform, s[i].NoCache, s[i].CRLF, s[i].Escape = s[i-1].Target, s[i-1].Platform,
					s[i-1].NoCache, s[i-1].CRLF, s[i-1].Escape
				return s
			}) || again
		}
		for _, p := range keysOf(best, func(s Sketch) map[string]File { return s.Files }) {
			if !try(func(s []Sketch) []Sketch {
				for i := range s {
					delete(s[i].Files, p)
				}
				return s
			}) {
				again = try(func(s []Sketch) []Sketch {
					for i := range s {
						if f, ok := s[0].Files[p]; ok {
							s[i].Files[p] = f
						} else {
							delete(s[i].Files, p)
						}
					}
					return s
				}) || again
			} else {
				again = true
			}
		}
		for _, k := range keysOf(best, func(s Sketch) map[string]string { return s.Args }) {
			again = try(func(s []Sketch) []Sketch {
				for i := range s {
					delete(s[i].Args, k)
				}
				return s
			}) || again
		}
		again = try(func(s []Sketch) []Sketch {
			for i := range s {
				s[i].Extra = nil
			}
			return s
		}) || again
		again = try(func(s []Sketch) []Sketch {
			for i := range s {
				s[i].Target, s[i].Platform, s[i].NoCache, s[i].CRLF, s[i].Escape, s[i].Name = "", "", false, false,
					false, "Dockerfile"
			}
			return s
		}) || again
		for _, id := range instIDs(best) { // flags and words of an instruction
			for _, word := range wordsOf(best, id) {
				again = try(func(s []Sketch) []Sketch { return dropWord(s, id, word) }) || again
			}
		}
	}
	return best
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
