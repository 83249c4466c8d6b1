// Package outline describes how a Dockerfile is built up, for an editor's views of it: a tree of stages, what folds,
// what to select next, what links lead to, and what each piece of text is. The package must not know any protocol; it
// reads nothing but the file.
package outline

import (
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Symbol is an entry of the outline.
type Symbol struct {
	Kind     SymbolKind
	Name     string // of a stage its name, or its image; of an instruction what stands there, cut short; never empty
	Detail   string
	Span     source.Span // all of it
	Select   source.Span // what to show of it; within Span
	Children []Symbol
}

// SymbolKind says what a Symbol is.
type SymbolKind int

// The kinds of symbols.
const (
	StageSymbol SymbolKind = iota
	DirectiveSymbol
	VariableSymbol // an ARG or ENV
	FileSymbol     // a COPY or ADD
	InstructionSymbol
)

// Symbols returns the directives, what stands above the first FROM, and the stages with their instructions.
func Symbols(file *dockerfile.File) []Symbol {
	var out []Symbol
	for _, d := range file.Directives {
		out = append(
			out,
			Symbol{
				Kind:   DirectiveSymbol,
				Name:   d.Name.Text,
				Detail: d.Value.Text,
				Span:   source.Span{Start: d.Name.Span.Start, End: d.Span.End},
				Select: d.Name.Span,
			},
		)
	}
	for _, in := range file.Instructions {
		if in.Stage >= 0 {
			break
		}
		out = append(out, instruction(in))
	}
	for _, stage := range file.Stages {
		s := Symbol{
			Kind:   StageSymbol,
			Name:   stage.Name,
			Detail: "FROM " + stage.Base.Text,
			Span:   stage.Span,
			Select: stage.NameWord.Span,
		}
		if s.Name == "" {
			s.Name, s.Detail = clip("FROM "+stage.Base.Text), ""
			s.Select = stage.From.Keyword.Span
		}
		for _, in := range stage.Instructions[1:] {
			s.Children = append(s.Children, instruction(in))
		}
		out = append(out, s)
	}
	return out
}

func instruction(in *dockerfile.Instruction) Symbol {
	s := Symbol{Kind: InstructionSymbol, Span: in.Span, Select: in.Keyword.Span}
	args, _ := in.Logical()
	s.Name = clip(strings.TrimSpace(in.Keyword.Text + " " + strings.Join(strings.Fields(args), " ")))
	switch in.Meant {
	case "ARG", "ENV":
		s.Kind = VariableSymbol
		var names []string
		for i, word := range in.Args {
			name, _, valued := strings.Cut(word.Text, "=")
			if i > 0 && in.Meant == "ENV" && !valued {
				break
			}
			names = append(names, name)
		}
		if len(names) > 0 {
			s.Name, s.Detail = clip(
				in.Meant+" "+strings.Join(names, " "),
			), clip(
				strings.Join(strings.Fields(args), " "),
			)
		}
	case "COPY", "ADD":
		s.Kind = FileSymbol
	}
	return s
}

// clip shortens a name to what an outline has room for.
func clip(s string) string {
	const room = 72
	if len(s) <= room {
		return s
	}
	cut := room
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
