package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// MissingYes finds package managers that ask a question nobody answers.
var MissingYes = &Rule{
	ID:       "missing-yes",
	Severity: analysis.Warning,
	Hadolint: []string{"DL3014", "DL3030", "DL3034", "DL3038"},
	Doc: Doc{
		Summary: "The package manager asks whether it may go on, and nobody answers",
		What: "Finds `install`, `upgrade`, `remove` and the like of `apt-get`, `apt`, `yum`, `dnf`, `microdnf`, `zypper` and " +
			"`conda`, and `pacman -S`, without `-y` or what stands for it, and Alpine's `adduser` without `-D`.",
		Why:     "A build has no terminal: the question is taken for answered with no, and the step fails.",
		Example: "FROM debian\nRUN apt-get update && apt-get install curl\n",
		Instead: "FROM debian\nRUN apt-get update && apt-get install -y curl\n",
	},
	of:   []string{"RUN"},
	each: checkMissingYes,
}

func checkMissingYes(p *pass, in *dockerfile.Instruction) {
	run := p.shellRun(in)
	if run == nil {
		return
	}
	text := p.Text.Slice(in.Span)
	if strings.Contains(text, "yes |") || strings.Contains(text, "yes|") || strings.Contains(text, "assumeyes") ||
		strings.Contains(text, "Assume-Yes") ||
		strings.Contains(text, "apt.conf") {
		return // it is answered in another way
	}
	for _, c := range run.commands {
		tool := tools.LineOf(c.words[0])
		if c.words[0] == "adduser" && run.pipe < 0 {
			p.checkPassword(in, c)
		}
		if tool == nil {
			continue
		}
		at := slices.IndexFunc(c.words, func(word string) bool { return slices.Contains(tool.Asks, word) })
		if at < 1 || c.words[at-1] == "env" || answered(tool, c) || // conda env asks nothing
			!upgrades.MatchString(c.words[at]) &&
				!slices.ContainsFunc(c.words[at+1:], func(word string) bool { return !strings.HasPrefix(word, "-") }) {
			continue
		}
		span := c.span(p, in, at, at+1)
		if p.Text.Slice(span) != c.words[at] || p.configured("assume") {
			continue
		}
		yes := tool.Yes[0]
		fixes := change("Add "+yes, source.At(span.End), " "+yes, true)
		if i := slices.Index(c.words, strings.ToUpper(yes)); i > 0 {
			fixes = replace(c.span(p, in, i, i+1), yes, true)
		}
		p.found(in, c.span(p, in, 0, at+1), fixes,
			"%s %s asks whether it may go on, and nobody answers: %s is missing", c.words[0], c.words[at], yes)
	}
}

var noPassword = regexp.MustCompile(`^(?:-[A-Za-z]*[DS][A-Za-z]*|--(?:disabled|empty)-password|--system)$`)

// checkPassword looks for Alpine's adduser, which asks for a password and fails if it gets none.
func (p *pass) checkPassword(in *dockerfile.Instruction, c command) {
	image, known := p.imageOf(in)
	names := 0
	for _, word := range c.words[1:] {
		if noPassword.MatchString(word) || strings.ContainsAny(word, "$<`") {
			return
		}
		if !strings.HasPrefix(word, "-") {
			names++
		}
	}
	at := c.span(p, in, 0, 1)
	if names == 0 || names == 2 && len(c.words) == 3 || !known || images.Shell(image) != "ash" ||
		p.Text.Slice(at) != "adduser" || asksFirst.MatchString(p.Text.Slice(in.ArgsSpan)) {
		return
	}
	p.found(in, at, insert(at.End, " -D", true), "adduser asks for a password, and nobody answers: -D is missing")
}

// upgrades matches commands that need no package behind them.
var upgrades = regexp.MustCompile(`upgrade$|^-Sy*u`)

// answered reports whether a command says yes to what its tool may ask, or may do so by a variable.
func answered(tool *tools.CommandLine, c command) bool {
	if v := c.verb(); v > 0 && v+1 < len(c.words) &&
		slices.Contains(tool.Yes, tool.Instead[c.words[v]+" "+c.words[v+1]]) {
		return true // MisspeltCommand says how it is written
	}
	return slices.ContainsFunc(c.words, func(word string) bool {
		return slices.Contains(tool.Yes, word) || strings.ContainsAny(word, "$`\u2013\u2014") || word == "-" ||
			// also among others, as in -qy
			slices.Contains(tool.Yes, "-y") && len(word) > 1 && word[0] == '-' && word[1] != '-' &&
				strings.ContainsAny(word, "ysd")
	})
}

// configured reports whether a step writes a configuration with the word, which may answer the question for all.
func (p *pass) configured(word string) bool { return p.says(word+`-yes "`) || p.says(word+"yes=") }
