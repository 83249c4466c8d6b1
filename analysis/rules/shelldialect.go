package rules

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// bashism is a piece of a command that some shells stop at, though Bash reads it.
type bashism struct {
	at   int
	what string
}

// bashisms are what the shells called sh stop at: dash, as in Debian, and BusyBox's, as in Alpine, which has some of
// Bash.
var bashisms = map[string][]string{
	"dash": {"arrays", "here-strings", "process substitution", "loops with (( ))", "the word function", "|&"},
	"ash":  {"arrays", "here-strings", "loops with (( ))"},
}

// bashismsOf returns the pieces of a command that not all shells read.
func bashismsOf(file *syntax.File) (list []bashism) {
	add := func(pos syntax.Pos, what string) { list = append(list, bashism{int(pos.Offset()), what}) }
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.ArrayExpr:
			add(n.Lparen, "arrays")
		case *syntax.ProcSubst:
			add(n.OpPos, "process substitution")
		case *syntax.CStyleLoop:
			add(n.Lparen, "loops with (( ))")
		case *syntax.FuncDecl:
			if n.RsrvWord {
				add(n.Position, "the word function")
			}
		case *syntax.Redirect:
			if n.Op == syntax.WordHdoc {
				add(n.OpPos, "here-strings")
			}
		case *syntax.BinaryCmd:
			if n.Op == syntax.PipeAll {
				add(n.OpPos, "|&")
			}
		}
		return true
	})
	return list
}

// foreign returns what the shell of a RUN stops at in a command that Bash would read, nil if nothing or if it is not
// known which shell that is.
func (p *pass) foreign(in *dockerfile.Instruction, run *shellRun) *bashism {
	if len(run.bashisms) == 0 {
		return nil
	}
	known := bashisms[p.dialect(in)]
	for i := range run.bashisms {
		if slices.Contains(known, run.bashisms[i].what) {
			return &run.bashisms[i]
		}
	}
	return nil
}

// dialect returns the shell that runs a RUN: "dash", "ash", "bash", or "" for one that reads more, or that is not
// known.
func (p *pass) dialect(in *dockerfile.Instruction) string {
	if shell := p.shellAbove(in); shell != nil {
		c, ok := shell.Command.(*instructions.ShellCommand)
		if !ok || len(c.Shell) == 0 {
			return ""
		}
		switch name := path.Base(c.Shell[0]); name {
		case "dash", "ash":
			return name
		case "sh":
		default:
			return ""
		}
	}
	image, known := p.imageOf(in)
	if !known {
		return ""
	}
	return images.Shell(image)
}

// shellAbove returns the SHELL that counts for an instruction, nil if there is none.
func (p *pass) shellAbove(in *dockerfile.Instruction) *dockerfile.Instruction {
	if in.Stage < 0 {
		return nil
	}
	w := p.rest()
	if w.shells == nil {
		w.shells = make([][]*dockerfile.Instruction, len(w.file.Stages))
		for _, shell := range p.of("SHELL") {
			if shell.Stage >= 0 {
				w.shells[shell.Stage] = append(w.shells[shell.Stage], shell)
			}
		}
		for stage, base := range p.variables().Bases {
			if base >= 0 && len(w.shells[base]) > 0 {
				w.shells[stage] = slices.Insert(w.shells[stage], 0, w.shells[base][len(w.shells[base])-1])
			}
		}
	}
	shells := w.shells[in.Stage]
	above, _ := slices.BinarySearchFunc(shells, in.Span.Start, func(shell *dockerfile.Instruction, at int) int {
		return cmp.Compare(shell.Span.Start, at)
	})
	if above == 0 {
		return nil
	}
	return shells[above-1]
}

// foreignFinding is about a piece of a command that the shell does not read, though Bash does.
func (p *pass) foreignFinding(in *dockerfile.Instruction, b *bashism) analysis.Finding {
	dialect := p.dialect(in)
	finding := analysis.Finding{
		Span:    p.shellSpan(in, b.at),
		Message: fmt.Sprintf("the shell cannot read this: %s has no %s, which Bash has", dialect, b.what),
	}
	if dialect == "dash" && p.outer == nil {
		line := p.Text.LineStart(in.Line - 1)
		finding.Fixes = []analysis.Fix{{
			Title: "Use Bash from here on",
			Edits: []source.Edit{{
				Span: source.Span{Start: line, End: line},
				NewText: p.Text.Slice(
					source.Span{Start: line, End: in.Span.Start},
				) + matching(
					"SHELL",
					in.Keyword.Text,
				) + ` ["/bin/bash", "-c"]` + p.newline,
			}},
		}}
	}
	return finding
}
