package rules

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"mvdan.cc/sh/v3/syntax"
)

// ShellSyntax finds shell commands that a shell cannot read.
var ShellSyntax = &Rule{
	ID:       "shell-syntax",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A shell command is malformed",
		What: "Finds `RUN` commands with a quote, parenthesis, `if` or loop that is not closed, and other mistakes " +
			"that a shell stops at. " +
			"Commands are read as Bash reads them; where sh runs them, and is known to be dash or BusyBox's by " +
			"`SHELL` or by the image, what only Bash has is found as well: `source`, `[[`, `{a,b}`, arrays " +
			"and others. " +
			"Those for shells of another kind (by `SHELL`, or in Windows images) are left alone.",
		Why:     "The build gets that far, and then fails.",
		Example: "FROM alpine\nRUN if [ -f /a ]; then echo a\n",
		Instead: "FROM alpine\nRUN if [ -f /a ]; then echo a; fi\n",
	},
	check: checkShellSyntax,
}

// shellRun is what the shell reads of a RUN.
type shellRun struct {
	mistake  *shellMistake // nil if it is well formed
	commands []command     // none if it is malformed
	bashisms []bashism     // what other shells than Bash may stop at
	// Those of the commands that download packages, and those that compile with what they download.
	installs, compiles []download
	background         []background // commands that the next one does not wait for
	starts             bool         // whether any command runs in the background
	pipe               int          // where the first pipe is in the script, -1 if there is none
	tidy               bool         // what keepsNothing says
	versions           []version    // that the shell takes for redirections
}

// background is a command with a single "&" behind it and another command behind that.
type background struct {
	from int // where it starts in the script
	at   int // where the "&" is
}

// backgroundsOf returns the commands that run in the background, unless something waits for them.
func backgroundsOf(file *syntax.File, commands []command) (list []background) {
	if slices.ContainsFunc(commands, func(c command) bool { return c.words[0] == "wait" }) {
		return nil
	}
	for i, stmt := range file.Stmts {
		if stmt.Background && i < len(file.Stmts)-1 {
			list = append(list, background{int(stmt.Pos().Offset()), int(stmt.Semicolon.Offset())})
		}
	}
	return list
}

// startsBackground reports whether a command of a script, however deep in it, runs in the background.
func startsBackground(file *syntax.File) (found bool) {
	syntax.Walk(file, func(node syntax.Node) bool {
		stmt, ok := node.(*syntax.Stmt)
		found = found || ok && stmt.Background
		return !found
	})
	return found
}

// shellMistake is the first mistake in a command, at an offset of the command's text.
type shellMistake struct {
	at      int
	message string
}

// readRuns gives the RUNs that a shell reads which reads as Bash does.
func (p *pass) readRuns() map[*dockerfile.Instruction]*shellRun {
	known := cmp.Or(p.opts().Memory, &Memory{})
	known.mu.Lock()
	defer known.mu.Unlock()
	cut := p.cutRuns()
	runs := make(map[*dockerfile.Instruction]*shellRun, len(p.of("RUN")))
	seen := make(map[*parser.Node]*shellRun, len(p.of("RUN")))
	for in := range p.every("RUN") {
		text, ok := shellText(p.file(), in)
		if !ok || cut[in] || inQuotes(in) || !p.forUnixShell(in) {
			continue
		}
		run, ok := known.seen[in.Node]
		if !ok {
			run = parseShell(text)
		}
		seen[in.Node], runs[in] = run, run
	}
	known.seen = seen
	return runs
}

// shellRun is what the shell reads of a RUN, nil if no shell that reads as Bash does reads it. It is one of the facts
// of an instruction.
func (p *pass) shellRun(in *dockerfile.Instruction) *shellRun { return p.runs[in] }

// cutRuns are the instructions whose last lines seem to be instructions that are unknown.
func (p *pass) cutRuns() map[*dockerfile.Instruction]bool {
	if len(p.problems(dockerfile.UnknownInstruction)) == 0 {
		return nil
	}
	cut := map[*dockerfile.Instruction]bool{}
	for i, in := range p.file().Instructions {
		if i > 0 && isUnknown(in) {
			cut[p.file().Instructions[i-1]] = true
		}
	}
	return cut
}

func checkShellSyntax(p *pass) {
	for in := range p.every("RUN") {
		run := p.shellRun(in)
		if run == nil {
			continue
		}
		if run.mistake != nil && gluedTest.MatchString(p.Text.Slice(in.ArgsSpan)) {
			continue // MissingOperator says what is wrong
		}
		if run.mistake != nil {
			p.report(in, analysis.Finding{
				Span: p.shellSpan(in, run.mistake.at), Message: run.mistake.message, Fixes: p.repairShell(in),
			})
		} else if list := p.foreign(in, run); list != nil {
			p.report(in, p.foreignFinding(in, list))
		}
	}
}

// shellText returns what the shell of a RUN gets to read, if that is known.
func shellText(file *dockerfile.File, in *dockerfile.Instruction) (string, bool) {
	c, ok := in.Command.(*instructions.RunCommand)
	if !ok || !c.PrependShell || len(c.CmdLine) != 1 || in.Stage < 0 {
		return "", false
	}
	if len(in.Heredocs) == 0 {
		return c.CmdLine[0], true
	}
	if len(in.Heredocs) != 1 || len(in.Node.Heredocs) != 1 || in.Heredocs[0].Chomp ||
		file.Text.Slice(in.ArgsSpan) != file.Text.Slice(in.Heredocs[0].Start) {
		return "", false // the heredoc is a command's input
	}
	script := in.Node.Heredocs[0].Content
	return script, !strings.HasPrefix(script, "#!") // which is for another program
}

// forUnixShell reports whether the shell of a RUN is one that reads commands as Bash does, as far as can be told.
func (p *pass) forUnixShell(in *dockerfile.Instruction) bool {
	if p.Escape != '\\' {
		return false // only Windows needs that
	}
	if shell := p.shellAbove(in); shell != nil {
		c, ok := shell.Command.(*instructions.ShellCommand)
		return ok && len(c.Shell) > 0 && slices.Contains([]string{"bash", "sh", "ash", "dash"}, path.Base(c.Shell[0]))
	}
	w := p.rest()
	unix, ok := w.unix[in.Stage]
	if !ok {
		unix = p.unixImage(in)
		if w.unix == nil {
			w.unix = map[int]bool{}
		}
		w.unix[in.Stage] = unix
	}
	return unix
}

// unixImage reports whether the image that the stage of in is built on is known, and not one of Windows.
func (p *pass) unixImage(in *dockerfile.Instruction) bool {
	image, known := p.imageOf(in)
	return known && image != "" && !images.Windows(image)
}

// imageOf is the image that the stage of in is built on, in lower case, and whether all of its name is known.
func (p *pass) imageOf(in *dockerfile.Instruction) (image string, known bool) {
	base := p.baseOf(in)
	return strings.ToLower(base.name), base.known
}

func (p *pass) baseOf(in *dockerfile.Instruction) baseImage {
	if in.Stage < 0 {
		return baseImage{}
	}
	w := p.all // it is one of the facts
	if w.bases == nil {
		w.bases = make([]*baseImage, len(w.file.Stages))
	}
	if w.bases[in.Stage] == nil {
		name, known := w.variables().Expand(-1, in.Span.Start, w.variables().Image(in.Stage))
		w.bases[in.Stage] = &baseImage{name, known}
	}
	return *w.bases[in.Stage]
}

// baseImage is the name of an image.
type baseImage struct {
	name  string
	known bool // all of it
}

// parseShell reads a command.
func parseShell(text string) *shellRun {
	file, err := shellscript.ParseStrict(text)
	var mistake syntax.ParseError
	switch {
	case errors.As(err, &mistake):
		return &shellRun{
			pipe: -1,
			mistake: &shellMistake{
				at:      min(int(mistake.Pos.Offset()), len(text)),
				message: fmt.Sprintf("the shell cannot read this: %s", mistake.Text),
			},
		}
	case err != nil:
		return &shellRun{pipe: -1}
	}
	run := &shellRun{commands: commandsOf(file, text), bashisms: bashismsOf(file)}
	run.installs, run.compiles = run.find()
	run.tidy = run.keepsNothing()
	run.background = backgroundsOf(file, run.commands)
	run.pipe = firstPipe(file)
	run.starts = startsBackground(file)
	run.versions = versionsOf(file, text)
	return run
}

// jump is where a continued line of a RUN goes on: the byte at an offset of what shellText returns stands at a place of
// the file, and those behind it, up to the next jump, behind that.
type jump struct{ offset, at int }

// jumpsOf are the jumps of a RUN without heredocs, the first one at its arguments.
func (p *pass) jumpsOf(in *dockerfile.Instruction) []jump {
	if known := p.jumps[in]; known != nil {
		return known
	}
	text, start := p.Text.Slice(in.ArgsSpan), in.ArgsSpan.Start
	jumps := []jump{{0, start}}
	for at, offset := 0, 0; at < len(text); at, offset = at+1, offset+1 {
		plain := strings.IndexByte(text[at:], p.Escape)
		if plain < 0 {
			break
		}
		at, offset = at+plain, offset+plain
		if to := behindContinuation(text, at, p.Escape); to != at {
			jumps = append(jumps, jump{offset, start + to})
			at = to
		}
	}
	if p.jumps == nil {
		p.jumps = map[*dockerfile.Instruction][]jump{}
	}
	p.jumps[in] = jumps
	return jumps
}

// shellSpan returns the word at an offset of what shellText returned.
func (p *pass) shellSpan(in *dockerfile.Instruction, offset int) source.Span {
	var start int
	if len(in.Heredocs) > 0 {
		start = min(in.Heredocs[0].Body.Start+offset, in.Heredocs[0].Body.End) // carriage returns are the shell's, too
	} else {
		jumps := p.jumpsOf(in)
		last := jumps[sort.Search(len(jumps)-1, func(i int) bool { return jumps[i+1].offset > offset })]
		start = min(last.at+offset-last.offset, in.ArgsSpan.End)
	}
	text := p.Text.Slice(source.Between(start, in.Span.End))
	end := strings.IndexAny(text, " \t\r\n;&|")
	switch end {
	case 0: // an operator
		end = max(len(text)-len(strings.TrimLeft(text, ";&|")), min(1, len(text)))
	case -1:
		end = len(text)
	}
	return source.Between(start, start+end)
}

// behindContinuation returns at, or where a text of several lines goes on if its line is continued there, behind
// comments and empty lines.
func behindContinuation(text string, at int, escape byte) int {
	for at < len(text) && text[at] == escape {
		line, _, _ := strings.Cut(text[at+1:], "\n")
		if strings.Trim(strings.TrimSuffix(line, "\r"), " \t") != "" {
			return at
		}
		for at += 1 + len(line) + 1; at < len(text); at += len(line) + 1 {
			line, _, _ = strings.Cut(text[at:], "\n")
			if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' {
				break // a line of nothing but an escape character goes on as well
			}
		}
		at = min(at, len(text))
	}
	return at
}

// firstPipe is where the first pipe between two commands is, -1 if there is none.
func firstPipe(file *syntax.File) int {
	at := -1
	syntax.Walk(file, func(node syntax.Node) bool {
		if c, ok := node.(*syntax.BinaryCmd); ok && (c.Op == syntax.Pipe || c.Op == syntax.PipeAll) && at < 0 {
			at = int(c.OpPos.Offset())
		}
		return at < 0
	})
	return at
}
