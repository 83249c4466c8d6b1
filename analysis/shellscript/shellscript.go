// Package shellscript reads the shell commands of a Dockerfile: of RUN, CMD, ENTRYPOINT and HEALTHCHECK in shell form, and scripts in
// heredocs. It must not run anything, and knows no other shells than those that read commands as Bash does.
package shellscript

import (
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// Script is what a shell gets to read.
type Script struct {
	Text string
	// Place returns where in the file a part of Text lies.
	Place func(from, to int) source.Span
	// Runtime says that the script runs when a container does, not while the image is built.
	Runtime bool
}

// Span returns where in the file a node of the parsed script lies.
func (s *Script) Span(n syntax.Node) source.Span {
	return s.Place(int(n.Pos().Offset()), int(n.End().Offset()))
}

// Parse returns the commands of the script. If it is malformed, as while somebody types, it returns an error and as much as can be
// read, perhaps nil.
func (s *Script) Parse() (*syntax.File, error) {
	return syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.KeepComments(true), syntax.RecoverErrors(16)).Parse(strings.NewReader(s.Text), "")
}

// Of returns what the shell reads of an instruction, of an ONBUILD's trigger if it is one; nil if no shell reads it. That the
// shell is one that reads commands as Bash does, Reader tells.
func Of(file *dockerfile.File, in *dockerfile.Instruction) *Script {
	if in.Trigger != nil {
		in = in.Trigger
	}
	text, place := in.Logical()
	s := &Script{Text: text, Place: place, Runtime: in.Meant != "RUN"}
	switch in.Meant {
	case "RUN", "CMD", "ENTRYPOINT":
	case "HEALTHCHECK":
		if len(in.Args) < 2 || !strings.EqualFold(in.Args[0].Text, "CMD") {
			return nil
		}
		skip := len(in.Args[0].Text)
		s.Text, s.Place = text[skip:], func(from, to int) source.Span { return place(from+skip, to+skip) }
	default:
		return nil
	}
	if in.JSON || text == "" || strings.HasPrefix(strings.TrimSpace(s.Text), "[") && in.Node == nil {
		return nil
	}
	if len(in.Heredocs) == 0 {
		return s
	}
	bodies := source.Span{Start: in.Heredocs[0].Body.Start, End: in.Span.End}
	alone := len(in.Heredocs) == 1 && file.Text.Slice(in.ArgsSpan) == file.Text.Slice(in.Heredocs[0].Start)
	if alone {
		bodies = in.Heredocs[0].Body
		s.Text = file.Text.Slice(bodies)
		s.Place = func(from, to int) source.Span {
			return source.Span{Start: min(bodies.Start+from, bodies.End), End: min(bodies.Start+to, bodies.End)}
		}
		if line, _, _ := strings.Cut(s.Text, "\n"); strings.HasPrefix(line, "#!") && !Bourne(interpreter(line)) {
			return nil // for another program
		}
		return s
	}
	// The heredocs are input of the command.
	s.Text = text + "\n" + file.Text.Slice(bodies)
	s.Place = func(from, to int) source.Span {
		if from <= len(text) {
			return place(from, min(to, len(text)))
		}
		shift := bodies.Start - len(text) - 1
		return source.Span{Start: from + shift, End: to + shift}
	}
	return s
}

// interpreter returns the program that a "#!" line names.
func interpreter(line string) string {
	fields := strings.Fields(line[2:])
	if len(fields) > 1 && path.Base(fields[0]) == "env" {
		fields = fields[1:]
	}
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

// Bourne reports whether a program is a shell that reads commands as Bash does, by its name.
func Bourne(program string) bool {
	return slices.Contains([]string{"bash", "sh", "ash", "dash", "ksh", "zsh"}, path.Base(program))
}

// Reader returns a function that reports whether the shell of an instruction reads commands as Bash does, as far as the file
// tells: bases are the stages that the stages are built on, -1 for images.
func Reader(file *dockerfile.File, bases []int) func(in *dockerfile.Instruction) bool {
	if file.Escape != '\\' {
		return func(*dockerfile.Instruction) bool { return false } // only Windows needs that
	}
	shells := map[int][]*dockerfile.Instruction{} // by stage
	for _, in := range file.Instructions {
		if in.Meant == "SHELL" && in.Stage >= 0 {
			shells[in.Stage] = append(shells[in.Stage], in)
		}
	}
	return func(in *dockerfile.Instruction) bool {
		end := in.Span.Start
		for stage := in.Stage; stage >= 0; stage, end = bases[stage], file.Text.Len() {
			for _, shell := range slices.Backward(shells[stage]) {
				if shell.Span.Start >= end {
					continue
				}
				c, ok := shell.Command.(*instructions.ShellCommand)
				return ok && len(c.Shell) > 0 && Bourne(c.Shell[0])
			}
			if bases[stage] < 0 {
				image := strings.ToLower(file.Stages[stage].Base.Text)
				return !slices.ContainsFunc([]string{"windows", "nanoserver", "servercore", "powershell"}, func(word string) bool { return strings.Contains(image, word) })
			}
		}
		return true
	}
}
