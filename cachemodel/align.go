package cachemodel

import "strings"

// align pairs each step of next with the step of base that it most likely was, so that a cause can say what changed:
// stage by stage, equal instructions in order first, then what lies between two pairs by its instruction.
func align(base, next *Plan) map[*step]*step {
	mates := map[*step]*step{}
	old := byStage(base)
	for i, group := range byStage(next) {
		match := -1
		for j, candidate := range old {
			if candidate.name == group.name && (group.name != "" || candidate.index == group.index) {
				match = j
				break
			}
			if match < 0 && candidate.index == i {
				match = j // a renamed stage
			}
		}
		if match >= 0 {
			alignSteps(old[match].steps, group.steps, mates)
		}
	}
	return mates
}

type stageSteps struct {
	index int // -1 above the first FROM
	name  string
	steps []*step
}

func byStage(p *Plan) []stageSteps {
	var out []stageSteps
	for _, s := range p.steps {
		if n := len(out); n == 0 || out[n-1].index != s.in.Stage {
			name := ""
			if s.in.Stage >= 0 {
				name = p.build.File.Stages[s.in.Stage].Name
			}
			out = append(out, stageSteps{index: s.in.Stage, name: name})
		}
		out[len(out)-1].steps = append(out[len(out)-1].steps, s)
	}
	return out
}

func alignSteps(old, next []*step, mates map[*step]*step) {
	for len(old) > 0 && len(next) > 0 && old[0].source() == next[0].source() {
		mates[next[0]] = old[0]
		old, next = old[1:], next[1:]
	}
	for len(old) > 0 && len(next) > 0 && old[len(old)-1].source() == next[len(next)-1].source() {
		mates[next[len(next)-1]] = old[len(old)-1]
		old, next = old[:len(old)-1], next[:len(next)-1]
	}
	// Of what is left, take equal instructions as long as they keep their order.
	at := map[string][]int{}
	for i, s := range old {
		at[s.source()] = append(at[s.source()], i)
	}
	from, done := 0, 0
	for i, s := range next {
		for _, j := range at[s.source()] {
			if j >= from {
				alignGap(old[from:j], next[done:i], mates)
				mates[s] = old[j]
				from, done = j+1, i+1
				break
			}
		}
	}
	alignGap(old[from:], next[done:], mates)
}

// alignGap pairs edited instructions: the first with the first of its kind, in order.
func alignGap(old, next []*step, mates map[*step]*step) {
	from := 0
	for _, s := range next {
		for j := from; j < len(old); j++ {
			if old[j].instruction() == s.instruction() {
				mates[s] = old[j]
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
