package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// LostEffect finds RUNs that change nothing but their own shell.
var LostEffect = &Rule{
	ID:       "lost-effect",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "What the command sets is lost at the end of its RUN",
		What: "Finds `RUN` with nothing but `cd`, `export`, `source`, `alias`, `umask` or `set`, and with a program in the " +
			"background; also `CGO_ENABLED=0 && go build`, whose variable only the shell gets, and a server such as " +
			"`npm start` as the last command, for which the build waits. Where an instruction does what is meant, " +
			"a fix writes it.",
		Why: "Each `RUN` has a shell of its own: its working directory, variables, functions and processes end with it, and " +
			"the steps below do not see them.",
		Example: "FROM alpine\nRUN cd /app\n",
		Instead: "FROM alpine\nWORKDIR /app\n",
	},
	check: checkLostEffect,
}

// ownEffects are commands that change only the shell that runs them.
var ownEffects = map[string]bool{
	"cd": true, "export": true, "source": true, ".": true, "alias": true, "umask": true, "set": true, "unset": true,
	"ulimit": true, "shopt": true, "pushd": true,
}

func checkLostEffect(p *pass) {
	for in := range p.every("RUN") {
		run := p.shellRun(in)
		if run == nil || len(in.Flags) == 0 && p.checkLostVariable(in) || p.checkUnusedPrefix(in) {
			continue
		}
		if len(run.commands) == 0 || len(in.Heredocs) > 0 || len(in.Flags) > 0 {
			continue
		}
		text, _ := in.Logical()
		if trimmed := strings.TrimRight(text, " \t"); strings.HasSuffix(trimmed, " &") && len(run.commands) == 1 &&
			!strings.ContainsAny(trimmed[:len(trimmed)-1], "|&;()") {
			p.found(in, run.commands[0].span(p, in, 0, 1), nil,
				"what runs in the background ends with this RUN: the image keeps files, not processes")
			continue
		}
		if strings.ContainsAny(text, "|<>(){}`") || p.checkStarted(in, run.commands) || p.checkServes(in, run) {
			continue
		}
		all := true
		for _, c := range run.commands {
			runs := len(c.words) > 2 && (c.words[0] == "." || c.words[0] == "source") // a script with arguments
			all = all && (ownEffects[c.words[0]] && !runs || losesEffect(c)) && p.commandWithin(in, c) < 0
		}
		if first := run.commands[0]; all {
			p.found(in, first.span(p, in, 0, 1), p.kept(in, run.commands),
				"what %s sets is lost at the end of this RUN", first.words[0])
		}
	}
}

// checkLostVariable looks for a RUN that only sets variables.
func (p *pass) checkLostVariable(in *dockerfile.Instruction) bool {
	text := strings.TrimSpace(p.Text.Slice(in.ArgsSpan))
	if m := exportOnly.FindStringSubmatch(text); m != nil {
		finding := analysis.Finding{
			Span:    in.ArgsSpan.Part(0, len("export")),
			Message: "what export sets is lost at the end of this RUN",
		}
		if !strings.ContainsAny(m[1], "`;&") && !strings.Contains(m[1], "$(") {
			finding.Fixes = p.written(in, "ENV", m[1])
		}
		p.report(in, finding)
		return true
	}
	if !setOnly.MatchString(text) {
		return false
	}
	p.found(in, in.ArgsSpan, p.written(in, "ENV", text), "the variable is lost at the end of this RUN")
	return true
}

// checkStarted looks for a shell or a service that the last command of several starts.
func (p *pass) checkStarted(in *dockerfile.Instruction, commands []command) bool {
	last := commands[len(commands)-1]
	if len(commands) == 1 || !losesEffect(last) || last.words[0] != "su" && last.words[0] != "systemctl" {
		return false
	}
	p.found(in, last.span(p, in, 0, len(last.words)), nil, "what %s starts does not outlive this RUN", last.words[0])
	return true
}

// serves matches command lines of servers, which run until somebody stops them.
var serves = regexp.MustCompile(`^(?:(?:npm|yarn|pnpm) (?:run )?(?:start|dev|serve)$|flask run\b|php artisan serve\b|` +
	`uvicorn [\w.]+:\w|gunicorn (?:.* )?[\w.]+:\w+$|rails (?:s|server)\b|node (?:server|app)\.js$|` +
	`python3? manage\.py runserver\b|nginx -g .daemon off;)`)

// checkServes looks for a server as the last command of a RUN, which so does not end.
func (p *pass) checkServes(in *dockerfile.Instruction, run *shellRun) bool {
	last := run.commands[len(run.commands)-1]
	if run.starts || !serves.MatchString(strings.Join(last.words, " ")) {
		return false
	}
	finding := analysis.Finding{
		Span:    last.span(p, in, 0, len(last.words)),
		Message: "a RUN waits until this server is stopped: CMD says what a container starts",
	}
	text := strings.TrimSpace(p.Text.Slice(in.ArgsSpan))
	starts := func(other *dockerfile.Instruction) bool { return other.Stage == in.Stage }
	if len(run.commands) == 1 && !strings.Contains(text, "\n") &&
		!slices.ContainsFunc(p.of("CMD"), starts) && !slices.ContainsFunc(p.of("ENTRYPOINT"), starts) {
		finding.Fixes = p.written(in, "CMD", text)
	}
	p.report(in, finding)
	return true
}

// kept returns the fix that writes an instruction for a command.
func (p *pass) kept(in *dockerfile.Instruction, commands []command) []analysis.Fix {
	text := strings.TrimSpace(p.Text.Slice(in.ArgsSpan))
	words := commands[0].words
	if len(commands) != 1 || strings.ContainsAny(text, "\n;&$(~") || words[0] != "cd" || len(words) != 2 || words[1] == "-" {
		return nil
	}
	return p.written(in, "WORKDIR", words[1])
}

// exportOnly matches a command that sets variables of the shell's and its children's, and nothing else.
var exportOnly = regexp.MustCompile(`^export ([A-Za-z_][A-Za-z0-9_]*=(?:"[^"\n]*"|'[^'\n]*'|[^\s"'|&;<>]*))$`)

// written returns the fix that puts another instruction in the place of one.
func (p *pass) written(in *dockerfile.Instruction, keyword, args string) []analysis.Fix {
	keyword = matching(keyword, in.Keyword.Text)
	return replace(source.Between(in.Keyword.Span.Start, in.ArgsSpan.End), keyword+" "+args, false)
}

// setOnly matches variables that are set for no command.
var setOnly = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_./:,${}-]+$`)

// forProgram matches variables that only programs read, set as a command of their own.
var forProgram = regexp.MustCompile(`(?:^|&&[ \t]*|;[ \t]*)(set[ \t]+)?(` +
	`(?:(?:CGO_ENABLED|GO[A-Z]+|DEBIAN_FRONTEND|NODE_ENV|NODE_OPTIONS|` +
	`RAILS_ENV|MIX_ENV|PYTHONPATH|CFLAGS|CXXFLAGS|LDFLAGS|CC|CXX|RUSTFLAGS|MAVEN_OPTS)` +
	`=[^\s&;|$"'()]+[ \t]*)+)(&&[ \t]*|;[ \t]*)[a-z]`)

// checkUnusedPrefix looks for variables with && behind them, which the command that follows does not get.
func (p *pass) checkUnusedPrefix(in *dockerfile.Instruction) bool {
	text := p.Text.Slice(in.ArgsSpan)
	if !strings.Contains(text, "=") || strings.Contains(text, "export") || strings.Contains(text, "set -a") {
		return false
	}
	m := forProgram.FindStringSubmatchIndex(text)
	if m == nil {
		return false
	}
	names := strings.TrimSpace(text[m[4]:m[5]])
	first, _, _ := strings.Cut(names, "=")
	if strings.Contains(text, "$"+first) || strings.Contains(text, "${"+first) || p.sets(first) {
		return false
	}
	operator := in.ArgsSpan.Part(m[6], m[7])
	shown := strings.TrimSpace(p.Text.Slice(operator))
	set := in.ArgsSpan.Part(m[4], m[4]+len(names))
	finding := analysis.Finding{
		Span:    set,
		Message: "no program gets this: with " + shown + " behind it, only the shell itself knows the variable",
		Fixes:   change("Remove "+shown, source.Between(set.End, operator.End), " ", true),
	}
	if m[2] >= 0 {
		set := in.ArgsSpan.Part(m[2], m[2]+len("set"))
		finding.Message = "no program gets this: set gives the shell arguments, and sets no variable"
		finding.Fixes = replace(set, "export", true)
	}
	p.report(in, finding)
	return true
}

// losesEffect reports whether a command changes only its own shell, or starts what ends with the step.
func losesEffect(c command) bool {
	if len(c.words) < 2 {
		return false
	}
	switch c.words[0] {
	case "conda":
		return c.words[1] == "activate"
	case "nvm", "su":
		return len(c.words) == 2 && c.words[0] == "su" && !strings.HasPrefix(c.words[1], "-") || c.words[1] == "use"
	case "service":
		return len(c.words) == 3 && c.words[2] == "start"
	case "systemctl":
		return c.words[1] == "start"
	}
	return false
}
