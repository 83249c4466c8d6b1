package rules

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// bashism is a piece of a command that some shells stop at, or read as something else, though Bash reads it.
type bashism struct {
	at    int
	what  string
	meant string // what all shells read in place of the word there, "" if it is not that easy
}

// bashisms are what the shells called sh lack: dash, as in Debian, and BusyBox's, as in Alpine, which has some of Bash.
var bashisms = map[string][]string{
	"dash": {
		"arrays", "here-strings", "process substitution", "loops with (( ))", "the word function", "|&", "&>", "source",
		"[[", "== in [ ]", "braces", "replacements in ${ }", "parts of a variable", "changes of case", "pushd",
		"popd", "shopt", "declare",
	},
	"ash": {
		"arrays", "here-strings", "loops with (( ))", "braces", "changes of case", "pushd", "popd", "shopt", "declare",
	},
}

// bashismsOf returns the pieces of a command that not all shells read.
func bashismsOf(file *syntax.File) (list []bashism) {
	add := func(pos syntax.Pos, what string) { list = append(list, bashism{at: int(pos.Offset()), what: what}) }
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
			switch n.Op {
			case syntax.WordHdoc:
				add(n.OpPos, "here-strings")
			case syntax.RdrAll, syntax.AppAll:
				add(n.OpPos, "&>")
			}
		case *syntax.BinaryCmd:
			if n.Op == syntax.PipeAll {
				add(n.OpPos, "|&")
			}
		case *syntax.TestClause:
			add(n.Left, "[[")
		case *syntax.DeclClause:
			if n.Variant.Value == "declare" {
				add(n.Variant.ValuePos, "declare")
			}
		case *syntax.ParamExp:
			switch {
			case n.Repl != nil:
				add(n.Dollar, "replacements in ${ }")
			case n.Slice != nil:
				add(n.Dollar, "parts of a variable")
			case n.Exp != nil && strings.ContainsAny(n.Exp.Op.String(), "^,"):
				add(n.Dollar, "changes of case")
			}
		case *syntax.CallExpr:
			list = append(list, bashismsOfCall(n)...)
		}
		return true
	})
	return list
}

// listOrRange matches a list or a range in braces.
var listOrRange = regexp.MustCompile(`\{[^{}\s,]*(?:,[^{}\s,]*)+\}|\{[0-9]+\.\.[0-9]+\}`)

// bashismsOfCall returns those of the words of one command.
func bashismsOfCall(call *syntax.CallExpr) (list []bashism) {
	if len(call.Args) == 0 {
		return nil
	}
	name := call.Args[0].Lit()
	add := func(word *syntax.Word, what, meant string) {
		list = append(list, bashism{int(word.Pos().Offset()), what, meant})
	}
	switch name {
	case "source":
		meant := "."
		if script := call.Args[min(1, len(call.Args)-1)].Lit(); script != "" && !strings.Contains(script, "/") {
			meant = "" // it is looked for in the directories of PATH, not in the working directory
		}
		add(call.Args[0], name, meant)
	case "pushd", "popd", "shopt":
		add(call.Args[0], name, "")
	}
	for _, word := range call.Args[1:] {
		text := word.Lit()
		switch {
		case text == "==" && (name == "[" || name == "test"):
			add(word, "== in [ ]", "=")
		case slices.Contains(lightCommands, name) || slices.Contains(systemPackages, name):
			if listOrRange.MatchString(text) {
				add(word, "braces", "")
			}
		}
	}
	return list
}

// foreign returns what the shell of a RUN does not have in a command that Bash would read, none if it is not known
// which shell that is.
func (p *pass) foreign(in *dockerfile.Instruction, run *shellRun) (list []bashism) {
	if run == nil || len(run.bashisms) == 0 {
		return nil
	}
	known := bashisms[p.dialect(in)]
	for _, b := range run.bashisms {
		if b.what == "source" && len(run.commands) == 1 {
			continue // LostEffect says what is wrong
		}
		if slices.Contains(known, b.what) {
			list = append(list, b)
		}
	}
	return list
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
	if !known || p.says("bash /bin/sh") || p.says("reconfigure dash") {
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

// foreignFinding is about the pieces of a command that the shell does not have, though Bash does.
func (p *pass) foreignFinding(in *dockerfile.Instruction, list []bashism) analysis.Finding {
	dialect := p.dialect(in)
	finding := analysis.Finding{
		Span:    p.shellSpan(in, list[0].at),
		Message: fmt.Sprintf("%s, which runs this, has no %s: Bash has", dialect, list[0].what),
	}
	var edits []source.Edit
	for _, b := range list {
		if b.meant != "" {
			edits = append(edits, source.Edit{Span: p.shellSpan(in, b.at), NewText: b.meant})
		}
	}
	switch {
	case len(edits) == len(list):
		finding.Fixes = []analysis.Fix{{Title: "Write what each shell reads", Edits: edits, Preferred: true}}
	case dialect == "dash" && p.outer == nil:
		line := p.Text.LineStart(in.Line - 1)
		indent := p.Text.Slice(source.Between(line, in.Span.Start))
		finding.Fixes = change("Use Bash from here on", source.At(line),
			indent+matching("SHELL", in.Keyword.Text)+` ["/bin/bash", "-c"]`+p.newline, false)
	}
	return finding
}
