package conformance

import (
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
)

// Truth is what a build did, by the line on which an instruction starts.
type Truth map[int]LineTruth

// LineTruth is what became of one instruction's vertices. Those of sources (images, the context) are not among them:
// they always run, if only to ask for their own key.
type LineTruth struct {
	Vertices int
	Executed int
	Keys     string // the own keys of the vertices' operations, where the oracle knows them
	Computed bool   // it reads of a stage that only COPYs made, so that the stage's outputs are no matter of choice
	// Unsure is set where a daemon shows the merge of a COPY --link as cached. In a stage that is both based on and
	// copied from it does so at random, also at the first build in an empty cache: that is no evidence.
	Unsure bool
}

// doubtMerges marks the lines whose merges did not run.
func (t Truth) doubtMerges(merges map[digest.Digest]bool, lines map[digest.Digest][]int,
	executed map[digest.Digest]bool,
) {
	for dgst, is := range merges {
		if !is || executed[dgst] {
			continue
		}
		for _, l := range lines[dgst] {
			lt := t[l]
			lt.Unsure = true
			t[l] = lt
		}
	}
}

// mergesOf finds the merges of a definition.
func mergesOf(def *pb.Definition) (map[digest.Digest]bool, error) {
	merges := map[digest.Digest]bool{}
	for _, dt := range def.GetDef() {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, err
		}
		merges[digest.FromBytes(dt)] = op.GetMerge() != nil
	}
	return merges, nil
}

// locate maps the vertices of a definition to the lines of their instructions.
func locate(def *pb.Definition) (map[digest.Digest][]int, error) {
	lines := map[digest.Digest][]int{}
	if def == nil {
		return lines, nil
	}
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, err
		}
		dgst := digest.FromBytes(dt)
		locs := def.Source.GetLocations()[dgst.String()]
		if op.Op == nil || op.GetSource() != nil || locs == nil {
			continue
		}
		lines[dgst] = append(lines[dgst], firstLines(locs)...)
	}
	return lines, nil
}

// firstLines are the lines that locations begin in.
func firstLines(locs *pb.Locations) (out []int) {
	for _, l := range locs.GetLocations() {
		first := 0
		for _, r := range l.Ranges {
			if n := int(r.Start.Line); first == 0 || n < first {
				first = n
			}
		}
		if first > 0 {
			out = append(out, first)
		}
	}
	return out
}

// truth joins the located vertices with those that ran.
func truth(lines map[digest.Digest][]int, executed map[digest.Digest]bool) Truth {
	t := Truth{}
	for dgst, at := range lines {
		for i, l := range at {
			if i > 0 && at[i-1] == l {
				continue
			}
			lt := t[l]
			lt.Vertices++
			if executed[dgst] {
				lt.Executed++
			}
			t[l] = lt
		}
	}
	return t
}

// Twin tells whether another line with the same operations was executed.
func (t Truth) Twin(line int) bool {
	for l, lt := range t {
		if l != line && lt.Executed > 0 && lt.Keys == t[line].Keys {
			return true
		}
	}
	return false
}
