package rules

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/source"
)

// SplitPackageUpdate finds apt-get update in another RUN than the installation.
var SplitPackageUpdate = &Rule{
	ID:       "split-package-update",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "apt-get update and apt-get install are two steps",
		What: "Finds a `RUN` that fetches the package lists and another one below that installs with them. If the " +
			"one does nothing else, a fix joins them.",
		Why: "The cache keeps the lists while the list of packages is edited. The installation then asks for " +
			"versions that the mirrors may no longer have, and fails or installs old ones.",
		Example: "FROM debian\nRUN apt-get update\nRUN apt-get install -y curl\n",
		Instead: "FROM debian\nRUN apt-get update && apt-get install -y curl\n",
	},
	check: checkSplitPackageUpdate,
}

func checkSplitPackageUpdate(p *pass) {
	type state struct {
		in     *dockerfile.Instruction
		update command
	}
	installs := map[*dockerfile.Instruction][]*dockerfile.Instruction{}
	updates := map[*dockerfile.Instruction]command{}
	var order []*dockerfile.Instruction
	walk(p, state{}, func(s state, in *dockerfile.Instruction) state {
		run := p.shellRun(in)
		if run == nil {
			return s
		}
		update, installed := -1, false
		for i, c := range run.commands {
			if v := c.verb(); v > 0 && (c.words[0] == "apt-get" || c.words[0] == "apt") {
				if c.words[v] == "update" {
					update = i
				}
				installed = installed || c.words[v] == "install"
			}
		}
		switch {
		case update >= 0 && !installed:
			return state{in, run.commands[update]}
		case update >= 0:
			return state{}
		case installed && s.in != nil:
			if len(installs[s.in]) == 0 {
				order = append(order, s.in)
			}
			installs[s.in] = append(installs[s.in], in)
			updates[s.in] = s.update
		}
		return s
	})
	for _, in := range order {
		if !p.nothingBetween(in, installs[in][0]) {
			continue
		}
		update := updates[in]
		finding := analysis.Finding{
			Span: update.span(p, in, 0, update.verb()+1),
			Message: fmt.Sprintf(
				"the package lists stay as they are in the cache when the installation in line %d is changed: update "+
					"them in the same RUN",
				installs[in][0].Line,
			),
		}
		// With several stages or RUNs below it, the others would be left without lists.
		if to := installs[in][0]; len(installs[in]) == 1 && to.Stage == in.Stage && p.alone(in) &&
			len(to.Heredocs) == 0 &&
			!to.JSON {
			finding.Fixes = change(fmt.Sprintf("Move it into the RUN of line %d", to.Line), p.lines(in), "", false,
				source.Edit{Span: source.At(to.ArgsSpan.Start), NewText: p.Text.Slice(in.ArgsSpan) + " && "})
		}
		p.report(in, finding)
	}
}

// nothingBetween reports whether package lists may be updated in the RUN that installs with them as well: nothing
// between the two changes what apt goes by.
func (p *pass) nothingBetween(update, install *dockerfile.Instruction) bool {
	if update.Stage != install.Stage {
		return false
	}
	stage := p.file().Stages[update.Stage]
	var bases []*dockerfile.Stage
	for at := stage.Index; at >= 0; {
		if at = p.file().Stage(p.file().Stages[at].Base.Text, dockerfile.ByFrom, at); at >= 0 {
			bases = append([]*dockerfile.Stage{p.file().Stages[at]}, bases...)
		}
	}
	all := effects.Stage(p.file(), stage, bases, nil)
	from, to := slices.Index(stage.Instructions, update), slices.Index(stage.Instructions, install)
	for k := from + 1; k < to; k++ {
		switch in := stage.Instructions[k]; in.Meant {
		case "ENV", "ARG":
			if steersApt.MatchString(p.Text.Slice(in.Span)) {
				return false
			}
		case "RUN", "COPY", "ADD":
			if all[k].Opaque || slices.ContainsFunc(all[k].Writes, func(written string) bool {
				return slices.ContainsFunc(all[from].Reads, func(read string) bool {
					return effects.Overlap(written, read)
				})
			}) {
				return false
			}
		case "USER", "SHELL":
			return false
		}
	}
	return true
}

// steersApt finds variables that steer apt.
var steersApt = regexp.MustCompile(`(?i)\b(APT_|DPKG_|PATH\b|[a-z]+_proxy|LD_|HOME\b)`)

// alone reports whether a RUN is one command on one line, without flags.
func (p *pass) alone(in *dockerfile.Instruction) bool {
	run := p.shellRun(in)
	return run != nil && len(run.commands) == 1 && len(in.Flags) == 0 && len(in.Heredocs) == 0 &&
		in.Line == in.EndLine &&
		run.commands[0].at[0] == 0 &&
		run.commands[0].end >= in.ArgsSpan.Len()
}
