package cachemodel

import (
	"slices"
	"strconv"
	"strings"
)

// LinkedAnew is the Detail of a COPY --link whose files the cache has, but not upon this base.
const LinkedAnew = "it is only linked anew; nothing is copied"

// Compare gives the verdict on each instruction of next, in file order, for a cache that holds what is left of the
// results of all pasts, the oldest first. With none, everything that runs is rebuilt. Causes are found by comparing
// with that past which is most similar to next.
func Compare(pasts []Past, next *Plan) []Step {
	if len(pasts) == 1 && pasts[0].plain() {
		return pasts[0].Plan.held().Compare(next)
	}
	return Hold(pasts).Compare(next)
}

// Compare gives the verdict on each instruction of next, in file order: see the function Compare.
func (h *Held) Compare(next *Plan) []Step {
	why := newExplainer(h, next)
	steps := make([]Step, len(next.steps))
	for i, s := range next.steps {
		steps[i] = Step{
			Line:        s.in.Line,
			EndLine:     s.in.EndLine,
			Stage:       stageName(next, s),
			Instruction: s.instruction(),
			Text:        s.text(),
			Certain:     true,
		}
		judge(&steps[i], s, why)
	}
	bases := make([]*Plan, len(h.pasts))
	for i := range h.pasts {
		bases[i] = h.pasts[i].Plan
	}
	fillCosts(steps, bases, next, why)
	hideSecrets(steps, bases, next)
	return steps
}

func judge(out *Step, s *step, why *explainer) {
	if why.next.err != nil {
		out.Status, out.Detail = Unknown, s.problem
		return
	}
	if cause, ok := s.failure(); ok {
		out.Status, out.Cause = Fails, &cause
		return
	}
	switch s.kind {
	case skippedStep:
		out.Status = Skipped
		return
	case configStep:
		out.Status = Config
		return
	}
	if why.next.unsure == "" && !slices.ContainsFunc(s.vertices, func(v *vertex) bool { return !why.cached(v) }) {
		out.Status = Cached
		out.Assuming = why.assumptions(s)
		if image := s.assumedImage(); image != nil {
			out.Detail = "assuming that " + familiar(image.name) + " is still the same image"
		}
		return
	}
	out.Status = Rebuilt
	cause := why.explain(s)
	out.Cause = &cause
	broken := why.next.failsAt(s) != nil || why.spoiled[s] != nil
	out.Certain = !broken && slices.ContainsFunc(s.vertices, why.certain)
	switch {
	case s.linked && why.sure.hit(s.vertices[0]):
		out.Detail = LinkedAnew
	case out.Certain:
	case broken:
	case cause.Kind != NotInCache && why.leftBefore(s):
		out.Detail = why.unseen.Reason
	case strange(s.in):
		out.Detail = "if it does the same as before, this step is still cached"
	case strings.HasPrefix(cause.Detail, notKnown):
		out.Detail = "if it was the same, this step is still cached"
	case cause.Kind == SettingChanged:
		out.Detail = "if that makes the same of it, this step is still cached"
	case cause.Kind == NotInCache:
		out.Detail = "if the result is there, this step is cached"
	case cause.Kind == StageRebuilt:
		out.Detail = "if it gives the same files, this step is still cached"
	case cause.Kind == RemoteSource:
		out.Detail = "as in the last build, unless what is behind the address changed"
	case cause.Kind == ContextChanged:
		out.Detail = "if it is the same, this step is still cached"
	case cause.Kind == BaseChanged:
		out.Detail = "if that is the same image, this step is still cached"
	case cause.Kind == Follows: // upon one whose detail says it
	case s.readsUnknown():
		out.Detail = "if it reads the same files as before, this step is still cached"
	default:
		out.Detail = "if it comes to the same with what the base image sets, this step is still cached"
	}
}

// assumedImage is the image that a FROM is of, or that a step copies or mounts from, if only its reference is known.
func (s *step) assumedImage() *imageRef {
	for _, v := range s.vertices {
		if v.kind == imageVertex && v.image.digest == "" {
			return v.image
		}
		for _, in := range v.inputs {
			if from := in.from; in.content && from != nil && from.kind == imageVertex && from.image.digest == "" {
				return from.image
			}
		}
	}
	return nil
}

// readsUnknown reports whether the step copies or mounts what only a build can tell.
func (s *step) readsUnknown() bool {
	return slices.ContainsFunc(s.vertices, func(v *vertex) bool {
		return slices.ContainsFunc(v.inputs, func(in input) bool {
			return in.content && in.from != nil && in.from.kind != localVertex && in.from.kind != mkfileVertex
		})
	})
}

func stageName(p *Plan, s *step) string {
	if s.in.Stage < 0 {
		return ""
	}
	if name := p.build.File.Stages[s.in.Stage].Name; name != "" {
		return name
	}
	return strconv.Itoa(s.in.Stage)
}

func (s *step) instruction() string {
	if s.in.Meant != "" {
		return s.in.Meant
	}
	return strings.ToUpper(s.in.Keyword.Text)
}

// text is the instruction on one line, as it is written.
func (s *step) text() string {
	text := s.in.Before(s.in.Span.End)
	if !strings.ContainsAny(text, "\t\r\n\v\f") && !strings.Contains(text, "  ") {
		return strings.TrimSpace(text) // as most are
	}
	return strings.Join(strings.Fields(text), " ")
}

// familiar is the short form of a reference, as people write it.
func familiar(name string) string {
	name = strings.TrimPrefix(name, "docker.io/")
	return strings.TrimPrefix(name, "library/")
}

// Summarize counts steps. The seconds are those of the rebuilt steps, where all of them are known.
func Summarize(steps []Step) Summary {
	var sum Summary
	seconds, known := 0.0, true
	for _, s := range steps {
		switch s.Status {
		case Cached:
			sum.Cached++
		case Rebuilt:
			sum.Rebuilt++
			if s.Seconds == nil {
				known = false
			} else {
				seconds += *s.Seconds
			}
		case Config:
			sum.Config++
		case Skipped:
			sum.Skipped++
		case Unknown:
			sum.Unknown++
		case Fails:
			sum.Fails++
		}
	}
	if sum.Rebuilt > 0 && known {
		sum.Seconds = &seconds
	}
	return sum
}
