package cachemodel

import (
	"strings"
)

// align pairs each step of next with the step of base that it most likely was, so that a cause can say what changed:
// stage by stage, equal instructions in order first, then what lies between two pairs by its instruction, then equal
// ones that were moved. mates are by step.index, nil for what is new.
func align(base, next *Plan) (mates []*step, moved map[*step]bool) {
	mates, moved = make([]*step, len(next.steps)), map[*step]bool{}
	now := byStage(next)
	match := counterparts(byStage(base), now)
	for i, group := range now {
		if match[i] != nil {
			alignSteps(match[i].steps, group.steps, mates, moved)
		}
	}
	return mates, moved
}

// stageSteps are the steps of one stage, its FROM first.
type stageSteps struct {
	index int    // -1 above the first FROM
	name  string // "" for an unnamed stage
	steps []*step
}

// counterparts finds for each stage the one of that name, of several in the same order, or the one in the same place
// that lost its name; nil if there is none.
func counterparts(old, now []*stageSteps) []*stageSteps {
	byIndex, byName, left := map[int]*stageSteps{}, map[string][]*stageSteps{}, map[string]bool{}
	for _, s := range old {
		byIndex[s.index] = s
		byName[s.name] = append(byName[s.name], s)
	}
	delete(byName, "")
	for _, s := range now {
		left[s.name] = s.name != ""
	}
	out, seen := make([]*stageSteps, len(now)), map[string]int{}
	for i, s := range now {
		if same := byName[s.name]; len(same) > 0 {
			out[i] = same[min(seen[s.name], len(same)-1)]
			seen[s.name]++
		} else if candidate := byIndex[s.index]; candidate != nil && !left[candidate.name] {
			out[i] = candidate
		}
	}
	return out
}

// byStage groups a plan's steps. A FROM that names nothing yet begins no stage.
func byStage(p *Plan) []*stageSteps {
	var out []*stageSteps
	for i, s := range p.steps {
		isFrom := s.in.Meant == "FROM" && begins(s.in)
		if len(out) == 0 || isFrom {
			g := &stageSteps{index: -1}
			if len(out) > 0 {
				g.index = out[len(out)-1].index
			}
			if isFrom {
				g.index++
				g.name = p.build.File.Stages[s.in.Stage].Name
			}
			out = append(out, g)
		}
		g := out[len(out)-1]
		g.steps = p.steps[i-len(g.steps) : i+1]
	}
	return out
}

func alignSteps(old, next []*step, mates []*step, moved map[*step]bool) {
	for len(old) > 0 && len(next) > 0 && old[0].source() == next[0].source() {
		mates[next[0].index] = old[0]
		old, next = old[1:], next[1:]
	}
	for len(old) > 0 && len(next) > 0 && old[len(old)-1].source() == next[len(next)-1].source() {
		mates[next[len(next)-1].index] = old[len(old)-1]
		old, next = old[:len(old)-1], next[:len(next)-1]
	}
	if len(next) == 0 {
		return
	}
	i, j := 0, 0
	for _, pair := range common(old, next) {
		alignGap(old[i:pair[0]], next[j:pair[1]], mates)
		mates[next[pair[1]].index] = old[pair[0]]
		i, j = pair[0]+1, pair[1]+1
	}
	alignGap(old[i:], next[j:], mates)
	alignMoved(old, next, mates, moved)
}

// alignMoved pairs what is left over with equal instructions that are left over.
func alignMoved(old, next []*step, mates []*step, moved map[*step]bool) {
	taken := map[*step]bool{}
	for _, s := range next {
		taken[mates[s.index]] = true
	}
	left := map[string][]*step{}
	for _, s := range old {
		if !taken[s] {
			left[s.source()] = append(left[s.source()], s)
		}
	}
	for _, s := range next {
		if same := left[s.source()]; mates[s.index] == nil && len(same) > 0 {
			mates[s.index], moved[s] = same[0], true
			left[s.source()] = same[1:]
		}
	}
}

// maxCells bounds the table of common: beyond it equal instructions are taken as they come.
const maxCells = 250_000

// common returns the indices of equal instructions in order: the longest such list, so that of a reordered file the
// lines count as moved that were.
func common(old, next []*step) [][2]int {
	ids := map[string]int{}
	number := func(steps []*step) []int {
		out := make([]int, len(steps))
		for i, s := range steps {
			id, ok := ids[s.source()]
			if !ok {
				id = len(ids)
				ids[s.source()] = id
			}
			out[i] = id
		}
		return out
	}
	x, y := number(old), number(next)
	if len(x)*len(y) > maxCells {
		return greedy(x, y)
	}
	width := len(y) + 1
	longest := make([]int32, (len(x)+1)*width) // of x[i:] and y[j:]
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				longest[i*width+j] = longest[(i+1)*width+j+1] + 1
			} else {
				longest[i*width+j] = max(longest[(i+1)*width+j], longest[i*width+j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case longest[(i+1)*width+j] >= longest[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// greedy pairs each of y with the first equal one of x behind the pair before it.
func greedy(x, y []int) [][2]int {
	at := map[int][]int{}
	for i, id := range x {
		at[id] = append(at[id], i)
	}
	var pairs [][2]int
	from := 0
	for j, id := range y {
		for _, i := range at[id] {
			if i >= from {
				pairs = append(pairs, [2]int{i, j})
				from = i + 1
				break
			}
		}
	}
	return pairs
}

// alignGap pairs edited instructions: the first with the first of its kind, in order; a single one with a single one.
func alignGap(old, next []*step, mates []*step) {
	if len(old) == 1 && len(next) == 1 {
		mates[next[0].index] = old[0]
		return
	}
	from := 0
	for _, s := range next {
		for j := from; j < len(old); j++ {
			if old[j].instruction() == s.instruction() {
				mates[s.index] = old[j]
				from = j + 1
				break
			}
		}
	}
}

// source is the instruction's text as far as it matters to it, heredocs included.
func (s *step) source() string {
	if s.in.Node == nil {
		return s.in.Keyword.Text
	}
	text := s.in.Node.Original
	if len(s.in.Node.Heredocs) > 0 {
		var b strings.Builder
		b.WriteString(text)
		for _, doc := range s.in.Node.Heredocs {
			b.WriteString("\n" + doc.Content + doc.Name)
		}
		return b.String()
	}
	return text
}
