package cachemodel

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// noValueError says that a build argument has no value where one is needed.
type noValueError struct{ text string }

func (e *noValueError) Error() string { return e.text }

// baseError says why name, which the word of a FROM comes to, is the name of no image or stage; nil if it is one.
func (p *planner) baseError(word, name string) error {
	if p.byName[name] != nil {
		return nil
	}
	if strings.Contains(name, tooLong) {
		return errors.New("the base image's name is too long")
	}
	_, err := reference.ParseNormalizedNamed(name)
	if name != "" && err == nil || name == scratch {
		return nil
	}
	for _, arg := range variables(word) {
		if n := p.global.index[arg]; n != nil && n.val.text != "" {
			continue
		}
		text := fmt.Sprintf("the build argument %s has no value, so FROM names %q, which is not an image", arg, name)
		if choices := p.choices(word); len(choices) > 0 {
			text += "; the stages of that form are " + strings.Join(choices, ", ")
		}
		return &noValueError{text}
	}
	if name == "" {
		return errors.New("the base image's name is blank")
	}
	return fmt.Errorf("%q is not the name of an image: %w", name, err)
}

// choices are the stages above that a FROM with variables may have meant.
func (p *planner) choices(word string) []string {
	pattern, err := regexp.Compile("(?i)^" + variable.ReplaceAllString(regexp.QuoteMeta(word), ".+") + "$")
	if err != nil {
		return nil
	}
	var names []string
	for _, st := range p.stages {
		if st.stage.Name != "" && pattern.MatchString(st.stage.Name) {
			names = append(names, st.stage.Name)
		}
	}
	return names
}

// variable is a variable in a word that went through regexp.QuoteMeta.
var variable = regexp.MustCompile(`\\\$(\\\{.*?\\\}|\w+)`)

// beingTyped reports whether a word may become the keyword of an instruction.
func beingTyped(word string) bool {
	word = strings.ToUpper(word)
	return slices.ContainsFunc(dockerfile.Keywords(), func(k string) bool { return strings.HasPrefix(k, word) })
}

// rejection is why BuildKit cannot read an instruction, "" if it can.
func rejection(in *dockerfile.Instruction) string {
	for _, problem := range in.Problems {
		if !problem.Warning {
			return problem.Message
		}
	}
	return ""
}

// onlyMounts reports whether BuildKit minds nothing but a mount, which it reads when it carries the instruction out.
func onlyMounts(in *dockerfile.Instruction) bool {
	if in.Meant != "RUN" || len(in.Flags) == 0 || in.Node == nil || !strings.EqualFold(in.Keyword.Text, in.Meant) {
		return false
	}
	_, err := dockerfile.Typed(in.Node)
	return err == nil
}

// findFailures finds the steps at which the build fails, and what stands on them.
func (p *Plan) findFailures() {
	p.failing = make([]*step, len(p.vertices))
	if p.err == nil {
		firstFailure(p.steps)
	}
	for _, s := range slices.Concat(p.contextSteps, p.steps) {
		for _, v := range s.vertices {
			_, missing := missingCause(v)
			if p.failing[v.index] == nil && (missing || v.kind == brokenVertex) {
				p.failing[v.index] = s
			}
		}
	}
	for i, v := range p.vertices {
		for _, in := range v.inputs {
			if in.from != nil && p.failing[in.from.index] != nil {
				p.failing[i] = p.failing[in.from.index] // the first one
				break
			}
		}
	}
}

// failsAt is the step at which the build fails before it gets to s, nil if there is none.
func (p *Plan) failsAt(s *step) *step {
	for _, v := range s.vertices {
		if at := p.failing[v.index]; at != nil && at != s {
			return at
		}
	}
	return nil
}

// failure is the cause of a step at which the build fails.
func (s *step) failure() (Cause, bool) {
	if s.kind == failedStep {
		c := Cause{Kind: Invalid, Line: s.in.Line, Detail: s.problem}
		if s.missing {
			c.Kind = MissingArgument
		}
		if c.Detail == "" {
			c.Detail = "BuildKit cannot read this line"
		}
		return c, true
	}
	for _, v := range s.vertices {
		if c, missing := missingCause(v); missing {
			c.Line = s.in.Line
			return c, true
		}
	}
	return Cause{}, false
}
