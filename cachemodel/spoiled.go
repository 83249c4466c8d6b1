package cachemodel

import (
	"slices"
	"strings"
)

// spoiledBy finds the line that BuildKit refuses to which a step's cause goes back: what is said of the step is then so
// only because that line is taken for none. It returns nil if there is no such line, or if the step was edited itself.
func (e *explainer) spoiledBy(s *step, c Cause) *step {
	if e.base == nil || e.next.failsAt(s) != nil || s.kind == failedStep || !e.unedited(s) {
		return nil
	}
	for _, at := range slices.Backward(e.unread()) {
		above := at.in.Stage == s.in.Stage && at.in.Line < s.in.Line
		if above && (e.gaveWhat(at, c.Kind) || mayBeFrom(at) && e.isMoved(s)) || e.isOfStage(s, at) {
			return at
		}
	}
	return nil
}

// unedited reports whether the baseline has the very instruction.
func (e *explainer) unedited(s *step) bool {
	if mate := e.mates[s.index]; mate != nil {
		return mate.source() == s.source()
	}
	return e.isSpare(s.source())
}

// unread are the lines that BuildKit refuses and that were other ones in the baseline.
func (e *explainer) unread() []*step {
	if e.broken == nil {
		e.broken = []*step{}
		for _, s := range e.next.steps {
			if s.kind == failedStep && !e.base.has(s) {
				e.broken = append(e.broken, s)
			}
		}
	}
	return e.broken
}

// gaveWhat reports whether the line, when it could be read, gave what a cause of that kind is about.
func (e *explainer) gaveWhat(at *step, kind CauseKind) bool {
	was := e.mates[at.index]
	if was == nil {
		return false
	}
	of := map[CauseKind][]string{
		InstructionChanged: {"RUN", "COPY", "ADD", "WORKDIR"},
		EnvChanged:         {"ENV"},
		ArgChanged:         {"ARG"},
		UserChanged:        {"USER"},
		WorkdirChanged:     {"WORKDIR"},
		ShellChanged:       {"SHELL"},
	}
	return slices.Contains(of[kind], was.instruction())
}

// mayBeFrom reports whether a stage may begin at the line once it can be read.
func mayBeFrom(at *step) bool {
	return at.in.Meant == "" || at.in.Meant == "FROM" && !begins(at.in)
}

// isMoved reports whether the baseline has the instruction in another place.
func (e *explainer) isMoved(s *step) bool { return e.mates[s.index] == nil || e.moved[s] }

// isOfStage reports whether a step names the stage that a FROM began in the baseline, which cannot be read now, so that
// the name seems to be that of an image.
func (e *explainer) isOfStage(s, from *step) bool {
	was := e.mates[from.index]
	if was == nil || was.instruction() != "FROM" {
		return false
	}
	name := strings.ToLower(e.base.build.File.Stages[was.in.Stage].Name)
	named := func(v *vertex) bool {
		return v != nil && v.image != nil && strings.TrimSuffix(familiar(v.image.name), ":latest") == name
	}
	return name != "" && slices.ContainsFunc(s.vertices, func(v *vertex) bool {
		return named(v) || slices.ContainsFunc(v.inputs, func(in input) bool { return named(in.from) })
	})
}
