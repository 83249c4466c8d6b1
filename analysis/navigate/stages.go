package navigate

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// stages finds the stages and what names them.
func (x *Index) stages() {
	for i, stage := range x.File.Stages {
		s := &Symbol{Kind: Stage, Name: stage.Name, Stage: i}
		x.Symbols = append(x.Symbols, s)
	}
	images := map[string]*Symbol{}
	image := func(in *dockerfile.Instruction, span source.Span, name string) {
		s := images[name]
		if s == nil {
			s = &Symbol{Kind: Image, Name: name}
			images[name] = s
			x.Symbols = append(x.Symbols, s)
		}
		x.add(s, in, span, Read)
	}
	for i, stage := range x.File.Stages {
		s, base := x.Symbols[i], x.Bases[i]
		if base >= 0 {
			target := x.Symbols[base]
			if span, ok := x.word(stage.Base); ok && stage.Base.Text == target.Name {
				x.add(target, stage.From, span, Read).Definition = x.definitionOf(target)
			}
		} else if span, ok := x.word(stage.Base); ok && !strings.Contains(stage.Base.Text, "$") &&
			stage.Base.Text != "scratch" {
			image(stage.From, span, stage.Base.Text)
		}
		if pattern := x.pattern(stage); pattern != nil {
			for j, other := range x.File.Stages[:i] {
				if other.Name != "" && pattern.MatchString(other.Name) {
					x.indirect[j] = append(x.indirect[j], stage.From)
				}
			}
		}
		if stage.Name != "" {
			if span, ok := x.word(stage.NameWord); ok {
				def := x.add(s, stage.From, span, Write)
				def.Definition = def
			}
		}
	}
	for _, ref := range x.File.StageReferences() {
		span, ok := x.word(ref.Word)
		switch {
		case ref.Use == dockerfile.ByFrom || !ok:
		case ref.Stage >= 0:
			target := x.Symbols[ref.Stage]
			o := x.add(target, ref.In, span, Read)
			o.Definition, o.Fixed = x.definitionOf(target), lower(ref.Word.Text) != target.Name
		case !ref.Variable:
			image(ref.In, span, ref.Word.Text)
		}
	}
}

// pattern returns what the names match that a FROM may stand for which has variables in it, whatever their values; nil
// if it has none.
func (x *Index) pattern(stage *dockerfile.Stage) *regexp.Regexp {
	word := stage.Base
	if !strings.Contains(word.Text, "$") {
		return nil
	}
	var expression strings.Builder
	expression.WriteString("^")
	text, at := x.File.Text, word.Span.Start
	for _, v := range dockerfile.Variables(stage.From) {
		if v.Span.Start < at || v.Span.End > word.Span.End {
			continue // within another's default, or not in the base
		}
		expression.WriteString(regexp.QuoteMeta(text.Slice(source.Span{Start: at, End: v.Span.Start})) + ".*")
		at = v.Span.End
	}
	expression.WriteString(regexp.QuoteMeta(text.Slice(source.Span{Start: at, End: word.Span.End})) + "$")
	pattern, err := regexp.Compile(expression.String())
	if err != nil {
		return nil
	}
	return pattern
}

// definitionOf returns where a stage is named; where it has no name, a place is made up: its base.
func (x *Index) definitionOf(s *Symbol) *Occurrence {
	stage := x.File.Stages[s.Stage]
	span := stage.NameWord.Span
	if stage.Name == "" {
		if span = stage.Base.Span; span.Len() == 0 {
			span = stage.From.Keyword.Span
		}
	}
	return &Occurrence{Span: span, Access: Write, Symbol: s, In: stage.From, Fixed: stage.Name == ""}
}

// User is one thing that needs a stage.
type User struct {
	Stage int // that needs it
	Uses  []*Occurrence
}

// Users returns the stages that a stage is used by, in order: those built on it, copying from it or mounting it. A
// stage built on it through a variable counts, with its FROM.
func (x *Index) Users(stage int) []User {
	return x.edges(func(from, to int) (int, bool) { return from, to == stage })
}

// Needs returns the stages that a stage uses, likewise.
func (x *Index) Needs(stage int) []User {
	return x.edges(func(from, to int) (int, bool) { return to, from == stage })
}

func (x *Index) edges(choose func(from, to int) (int, bool)) []User {
	byStage := map[int][]*Occurrence{}
	for i := range x.File.Stages {
		for _, o := range x.Symbols[i].Uses {
			if o.Access == Read && o.In.Stage >= 0 {
				if other, ok := choose(o.In.Stage, i); ok {
					byStage[other] = append(byStage[other], o)
				}
			}
		}
		for _, from := range x.indirect[i] {
			if other, ok := choose(from.Stage, i); ok {
				byStage[other] = append(
					byStage[other],
					&Occurrence{Span: x.File.Stages[from.Stage].Base.Span, Symbol: x.Symbols[i], In: from, Fixed: true},
				)
			}
		}
	}
	var users []User
	for i := range x.File.Stages {
		if uses := byStage[i]; uses != nil {
			users = append(users, User{i, uses})
		}
	}
	return users
}
