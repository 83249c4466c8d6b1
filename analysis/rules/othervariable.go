package rules

import (
	"regexp"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// otherVariable is a variable as makefiles, templates and cmd.exe write it.
var otherVariable = regexp.MustCompile(`\$\(([A-Za-z_][A-Za-z0-9_]*)\)|\$\[([A-Za-z_][A-Za-z0-9_]*)\]|` +
	`\$?\{{1,2}[ \t]*\$?([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}{1,2}|%([A-Za-z_][A-Za-z0-9_]*)%|@([A-Za-z_][A-Za-z0-9_]*)@|` +
	`\$([A-Za-z_][A-Za-z0-9_]*)\}`)

// asVariables returns a text of an instruction with the variables that are written as other tools write them in
// BuildKit's way, "" if none of them is defined.
func (p *pass) asVariables(in *dockerfile.Instruction, text string) string {
	found := false
	meant := otherVariable.ReplaceAllStringFunc(text, func(typed string) string {
		name := ""
		for _, group := range otherVariable.FindStringSubmatch(typed)[1:] {
			name += group
		}
		if !p.defines(in, name) {
			return typed
		}
		found = found || typed != "${"+name+"}"
		return "${" + name + "}"
	})
	if !found {
		return ""
	}
	return meant
}

// defines reports whether an instruction can use a variable of the file.
func (p *pass) defines(in *dockerfile.Instruction, name string) bool {
	stage := in.Stage
	if in.Meant == "FROM" {
		if predefined(name) {
			return true
		}
		stage = -1
	}
	_, ok := p.variables().Lookup(stage, in.Span.Start, name)
	return ok
}

// withVariables returns the fix of a finding about a word whose variables are written in another way, nil if they are
// not.
func (p *pass) withVariables(in *dockerfile.Instruction, word dockerfile.Word) []analysis.Fix {
	if p.Text.Slice(word.Span) != word.Text {
		return nil
	}
	if meant := p.asVariables(in, word.Text); meant != "" {
		return replace(word.Span, meant, true)
	}
	return nil
}
