package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// BackgroundInstall finds "&" in the place of "&&".
var BackgroundInstall = &Rule{
	ID:       "background-install",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A single & lets an installation, or the container's program, run in the background",
		What: "Finds a single `&` between commands of which the first installs something, where nothing waits for " +
			"it, and at the end of a `CMD` or `ENTRYPOINT`; also a pipe behind an update of the package lists, and " +
			"`CMD service nginx start`, which returns at once.",
		Why: "The next command starts before the first has ended, and the step succeeds although the first fails. " +
			"A container ends with the shell that has started its program in the background.",
		Example: "FROM debian\nRUN apt-get install -y curl & curl --version\n",
		Instead: "FROM debian\nRUN apt-get install -y curl && curl --version\n",
	},
	of: []string{"CMD", "ENTRYPOINT", "RUN"},
	each: func(p *pass, in *dockerfile.Instruction) {
		if in.Meant != "RUN" {
			p.checkEnds(in)
			p.checkService(in)
		} else if run := p.shellRun(in); run != nil {
			for _, b := range run.background {
				p.checkBackground(in, run, b)
			}
			p.checkPipedUpdate(in, run)
		}
	},
}

// checkPipedUpdate looks for an update of the package lists with a pipe to what installs with them.
func (p *pass) checkPipedUpdate(in *dockerfile.Instruction, run *shellRun) {
	for i := 1; i < len(run.commands); i++ {
		update, next := run.commands[i-1], run.commands[i]
		span := source.Between(update.span(p, in, 0, len(update.words)).End, next.span(p, in, 0, 1).Start)
		if run.pipe < 0 || update.verb() == 0 || update.words[update.verb()] != "update" ||
			!slices.Contains(systemPackages, update.words[0]) || strings.TrimSpace(p.Text.Slice(span)) != "|" {
			continue
		}
		p.found(in, span, change("Change to &&", span, " && ", true),
			"both run at once: the installation does not wait for the package lists")
	}
}

// endsAtOnce matches command lines that start a service and return.
var endsAtOnce = regexp.MustCompile(`^(?:\S*/)?(?:(?:service \S+|init\.d/\S+|apachectl|apache2ctl) (?:re)?start|` +
	`systemctl (?:re)?start \S+|sshd)$`)

// checkService looks for a container's program that starts a service and returns. To an ENTRYPOINT in an array, CMD may
// add what keeps it in the foreground.
func (p *pass) checkService(in *dockerfile.Instruction) {
	words := make([]string, len(in.Args))
	for i, word := range in.Args {
		words[i] = unquoted(word.Text)
	}
	if in.Command == nil || in.Meant == "ENTRYPOINT" && in.JSON || !endsAtOnce.MatchString(strings.Join(words, " ")) {
		return
	}
	p.found(in, source.Between(in.Args[0].Span.Start, in.Args[len(in.Args)-1].Span.End), nil,
		"the container ends at once: this starts a service in the background and returns")
}

// checkEnds looks for a container's program that is started in the background, so that the container ends at once.
func (p *pass) checkEnds(in *dockerfile.Instruction) {
	text := strings.TrimRight(p.Text.Slice(in.ArgsSpan), " \t")
	if in.JSON || !strings.HasSuffix(text, " &") || !p.unixImage(in) {
		return
	}
	span := in.ArgsSpan.Part(len(text)-1, len(text))
	p.found(in, span, change("Remove &", source.Between(span.Start-1, span.End), "", true),
		"the container ends at once: & starts its program in the background")
}

// checkBackground looks at a command that is started in the background while the next one begins.
func (p *pass) checkBackground(in *dockerfile.Instruction, run *shellRun, b background) {
	updates := slices.ContainsFunc(run.commands, func(c command) bool {
		return b.from <= c.at[0] && c.at[0] < b.at && len(c.words) > 1 && c.words[1] == "update" &&
			tools.Commands(c.words[0]) != nil
	})
	if !updates && !slices.ContainsFunc(
		append(slices.Clone(run.installs), run.compiles...),
		func(d download) bool { return b.from <= d.at[0] && d.at[0] < b.at },
	) {
		return
	}
	span := p.shellSpan(in, b.at)
	span.End = span.Start + 1
	if p.Text.Slice(span) != "&" {
		return
	}
	p.found(in, span, replace(span, "&&", true), "a single & runs the command on the left in the background: "+
		"the next one does not wait for it, and its failure goes unnoticed")
}
