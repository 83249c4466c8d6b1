package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// MissingOperator finds shell commands that are read as one, or as another one, for want of an operator or a blank.
var MissingOperator = &Rule{
	ID:       "missing-operator",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "An operator or a blank is missing between words of a shell command",
		What: "Finds a command that begins a line, but belongs to the arguments of the command above, since no `&&` " +
			"ends that line, and `apt-get update apt-get install`; packages of two lines that are read as one name, since no blank stands before the " +
			"backslash; `[-f x]` without blanks; and `&& \\ command` in one line.",
		Why:     "The shell reads other commands than were meant, and the step fails or does less.",
		Example: "FROM debian\nRUN apt-get update \\\n    apt-get install -y curl\n",
		Instead: "FROM debian\nRUN apt-get update && \\\n    apt-get install -y curl\n",
	},
	of:   []string{"RUN", "HEALTHCHECK", "ARG", "ENV", "LABEL", "ADD", "COPY", "EXPOSE", "VOLUME"},
	each: checkMissingOperator,
}

func checkMissingOperator(p *pass, in *dockerfile.Instruction) {
	switch in.Meant {
	case "RUN", "HEALTHCHECK":
		p.checkOperator(in)
		p.checkPipedExit(in)
	case "ARG", "ENV", "LABEL":
		p.checkGluedPair(in)
	default:
		p.checkGluedWords(in)
	}
}

func (p *pass) checkOperator(in *dockerfile.Instruction) {
	run := p.shellRun(in)
	if run == nil {
		return
	}
	if _, ok := almostJSON(in); ok {
		return // AlmostJSON says what is wrong
	}
	for _, c := range run.commands {
		if !p.checkTest(in, c) && !p.checkEscapedBlank(in, c) && !p.checkAssignment(in, c) {
			p.checkSwallowedCommand(in, c)
		}
	}
	for _, d := range run.downloads() {
		p.checkGluedPackages(in, d)
	}
	if run.mistake != nil {
		p.checkGluedTest(in)
	}
}

var pipedExit = regexp.MustCompile(`[^|]([ \t]\|[ \t]*)exit\b`)

// checkPipedExit looks for a pipe to exit, which makes the command fail whatever the first one does.
func (p *pass) checkPipedExit(in *dockerfile.Instruction) {
	m := pipedExit.FindStringSubmatchIndex(p.Text.Slice(in.ArgsSpan))
	if m == nil || in.JSON || len(in.Heredocs) > 0 {
		return
	}
	at := in.ArgsSpan.Part(m[2]+1, m[2]+2)
	p.found(in, at, replace(at, "||", true), "exit is run whatever the first command does: || runs it if that fails")
}

// brokenAt returns where in a word a line ends that goes on in the first column of the next one, -1 if none does.
func (p *pass) brokenAt(word source.Span) int {
	text := p.Text.Slice(word)
	i := strings.IndexByte(text, p.Escape)
	if i <= 0 {
		return -1
	}
	rest := strings.TrimLeft(text[i+1:], " \t\r")
	if !strings.HasPrefix(rest, "\n") || len(rest) < 2 || strings.IndexByte(" \t#\r\n", rest[1]) >= 0 {
		return -1
	}
	return word.Start + i
}

// checkGluedWords looks for a path, or a port, that goes on in the first column of the next line.
func (p *pass) checkGluedWords(in *dockerfile.Instruction) {
	if in.Line == in.EndLine || in.JSON || in.Command == nil {
		return
	}
	if _, ok := p.swallows(in); ok {
		return // SwallowedInstruction says what is wrong
	}
	for _, word := range in.Args {
		at := p.brokenAt(word.Span)
		if at < 0 || strings.ContainsAny(word.Text, "\"'$") || strings.Contains(word.Text, "://") {
			continue
		}
		if in.Meant == "EXPOSE" && parsePort(word.Text, word.Span, false).problem != nil {
			continue // InvalidPort says what is wrong
		}
		first := source.Between(word.Span.Start, at)
		rest := p.Text.Slice(source.Between(at, in.Span.End))
		next := rest[strings.IndexByte(rest, '\n')+1:]
		if last := p.Text.Slice(first); in.Meant == "VOLUME" && next[0] != '/' ||
			next[0] != '/' && strings.ContainsRune("/-_.", rune(last[len(last)-1])) {
			continue // it rather is one long path
		}
		p.reportGlued(in, first, word.Text)
	}
}

var (
	gluedEquals = regexp.MustCompile(`^("[^"=]*"|[^"'=\s!<>-][^"'=\s!<>]*)(==?)("[^"=]*"|[^"'=\s]+)$`)
	plainName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	setDollar   = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*)=`)
)

// checkAssignment looks for a variable that is set with blanks around the sign, or with a "$", for a comparison without
// them, which is always true, and for the "$" of a prompt.
func (p *pass) checkAssignment(in *dockerfile.Instruction, c command) bool {
	first := c.span(p, in, 0, 1)
	finding := analysis.Finding{Span: first}
	switch raw := p.Text.Slice(first); {
	case raw == "$" && len(c.words) > 1:
		finding.Message = "$ is taken for the name of a program: it belongs to the prompt of a terminal"
		finding.Fixes = p.removed(source.Between(first.Start, c.span(p, in, 1, 2).Start))
	case setDollar.MatchString(raw):
		finding.Message = "the shell puts the value in the place of the name: a variable is set without $"
		finding.Fixes = change("Remove $", first.Part(0, 1), "", false)
	case len(c.words) >= 3 && c.words[1] == "=" && plainName.MatchString(raw) &&
		(len(c.words) == 3 || raw == strings.ToUpper(raw)):
		sign, value := c.span(p, in, 1, 2), c.span(p, in, 2, 3)
		finding.Message = fmt.Sprintf("%s is taken for a command: a variable is set without blanks around =", raw)
		finding.Fixes = change("Remove the blanks", source.Between(first.End, sign.Start), "", false,
			source.Edit{Span: source.Between(sign.End, value.Start)})
	case (raw == "[" || raw == "[[") && len(c.words) == 3 || raw == "test" && len(c.words) == 2:
		span := c.span(p, in, 1, 2)
		m := gluedEquals.FindStringSubmatch(p.Text.Slice(span))
		if m == nil || raw == "[[" && m[2] == "==" {
			return false
		}
		finding.Span, finding.Message = span, "this is one text, and so always true: blanks are missing around "+m[2]
		finding.Fixes = replace(span, m[1]+" "+m[2]+" "+m[3], true)
	default:
		return false
	}
	p.report(in, finding)
	return true
}

// runsOthers are programs whose arguments are a command, or any text.
var runsOthers = strings.Fields("xargs env time nice nohup sudo gosu su-exec setpriv chroot timeout watch bash sh " +
	"ash dash zsh eval exec command echo printf which type hash alias trap find parallel ssh docker podman man test [ [[ " +
	"busybox cross-env dotenv tini dumb-init dpkg-divert update-alternatives apt-mark git supervisorctl runuser su " +
	"install_packages strace stdbuf unbuffer xvfb-run flock")

// lightCommands are commands of every image that take paths and flags.
var lightCommands = strings.Fields("chmod chown mkdir rm cp mv cd ln touch tar curl wget")

// checkSwallowedCommand looks for a command at the beginning of a line that is an argument of the one above.
func (p *pass) checkSwallowedCommand(in *dockerfile.Instruction, c command) {
	i := p.commandWithin(in, c)
	if i < 0 {
		return
	}
	before, at := c.span(p, in, i-1, i), c.span(p, in, i, i+1)
	where := "stands in front of it"
	if !p.sameLine(before.End, at.Start) {
		where = "ends the line above"
	}
	finding := analysis.Finding{
		Span:    at,
		Message: fmt.Sprintf("%s is read as an argument of %s: no && %s", c.words[i], c.words[0], where),
		Fixes:   insert(before.End, " &&", false),
	}
	if p.Text.Slice(before) == c.words[i-1] && strings.HasSuffix(c.words[i-1], ",") {
		finding.Fixes = replace(source.Between(before.End-1, before.End), " &&", false)
	}
	if c.words[i-1] == "and" {
		finding.Fixes = replace(before, "&&", false)
	}
	p.report(in, finding)
}

// behindDownload are commands that often follow others in one line.
var behindDownload = map[string][]string{"curl": {"tar"}, "wget": {"tar", "unzip"}, "mkdir": {"cd"}}

// followsOften reports whether a word of a command rather is one that often follows it.
func followsOften(c command, i int) bool {
	return i > 1 && slices.Contains(behindDownload[c.words[0]], c.words[i]) && !strings.HasPrefix(c.words[i-1], "-")
}

// ownCommands are tools whose names are no packages that are installed together with one of their commands' names.
var ownCommands = append([]string{"npm", "yarn", "pnpm"}, systemPackages...)

// commandWithin is the word of a command with which another command begins, -1 if none does.
func (p *pass) commandWithin(in *dockerfile.Instruction, c command) int {
	if slices.Contains(runsOthers, c.words[0]) {
		return -1
	}
	if c.words[0] == "cd" && len(c.words) > 2 && !strings.HasPrefix(c.words[1], "-") && c.words[2] != "||" {
		return 2 // it takes one directory
	}
	for i := 1; i < len(c.words); i++ {
		word, next := c.words[i], ""
		before, at := c.span(p, in, i-1, i), c.span(p, in, i, i+1)
		again := i > 1 && word == c.words[0] && slices.Contains(ownCommands, word)
		behind := followsOften(c, i)
		if !again && !behind && p.sameLine(before.End, at.Start) || p.Text.Slice(at) != word {
			continue
		}
		if i+1 < len(c.words) && p.sameLine(at.Start, c.span(p, in, i+1, i+2).Start) {
			next = c.words[i+1]
		}
		light := next != "" && (behind || slices.Contains(lightCommands, word) &&
			(strings.IndexAny(next, "-/+") == 0 || word == "chmod"))
		built := word == "make" && (slices.Contains(configures, c.words[0]) || c.words[0] == "make" && next != "")
		if !light && !built && (next == "" || !slices.Contains(tools.Commands(word), next)) {
			continue
		}
		if strings.HasPrefix(c.words[i-1], "-") && tools.Commands(word) == nil && !built {
			continue // it may be the value of a flag
		}
		return i
	}
	return -1
}

// sameLine reports whether no line ends between two places.
func (p *pass) sameLine(from, to int) bool {
	return from >= to || !strings.Contains(p.Text.Slice(source.Between(from, to)), "\n")
}

// configures are commands that make stands behind.
var configures = strings.Fields("configure config autogen.sh bootstrap bootstrap.sh cmake autoreconf")

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+._-]*$`)

// checkGluedPackages looks for packages of two lines without a blank between them.
func (p *pass) checkGluedPackages(in *dockerfile.Instruction, d download) {
	for i := d.verb() + 1; i < len(d.words); i++ {
		span := d.span(p, in, i, i+1)
		first, escaped := strings.CutSuffix(p.Text.Slice(span), string(p.Escape))
		second, ok := strings.CutPrefix(d.words[i], first)
		if escaped && ok && len(d.manifests) == 0 && (packageName.MatchString(first) || first == "-y") &&
			packageName.MatchString(second) {
			p.reportGlued(in, source.Between(span.Start, span.End-1), first+second)
		}
	}
}

var gluedPair = regexp.MustCompile(`[A-Za-z0-9_."'/-](\\)[ \t]*\r?\n[A-Za-z_][A-Za-z0-9_.-]*=`)

// checkGluedPair looks for a name with its value that begins a line, but belongs to the value above.
func (p *pass) checkGluedPair(in *dockerfile.Instruction) {
	text := p.Text.Slice(in.ArgsSpan)
	if in.Line == in.EndLine || p.Escape != '\\' || freeText(in) {
		return
	}
	for _, m := range gluedPair.FindAllStringSubmatchIndex(text, -1) {
		if openQuote(text[:m[2]], p.Escape) != 0 {
			continue
		}
		start := in.ArgsSpan.Start + max(strings.LastIndexAny(text[:m[2]], " \t\n")+1, 0)
		end := in.ArgsSpan.Start + m[2]
		p.reportGlued(in, source.Between(start, end), p.Text.Slice(source.Between(start, end))+
			strings.TrimLeft(text[m[3]:m[1]], " \t\r\n")+"...")
	}
}

func (p *pass) reportGlued(in *dockerfile.Instruction, span source.Span, read string) {
	p.found(in, span, change("Insert a blank", source.At(span.End), " ", true),
		"this and the next line are read as one word, %s: a blank is missing", read)
}

var gluedBracket = regexp.MustCompile(`^(\[\[?)[-!"$A-Za-z0-9/]`)

// checkTest looks for a bracket of a test that has no blank behind or before it.
func (p *pass) checkTest(in *dockerfile.Instruction, c command) bool {
	span := c.span(p, in, 0, 1)
	raw := p.Text.Slice(span)
	last := len(c.words) - 1
	var edits []source.Edit
	insert := func(at int) {
		edits = append(edits, source.Edit{Span: source.At(at), NewText: " "})
	}
	m := gluedBracket.FindStringSubmatch(raw)
	if m == nil && raw != "[" {
		return false
	}
	if m != nil {
		insert(span.Start + len(m[1]))
	}
	if end := c.span(p, in, last, last+1); last > 0 && c.words[last] != "]" && c.words[last] != "]]" &&
		strings.HasSuffix(p.Text.Slice(end), "]") {
		at := end.End - len("]")
		if strings.HasSuffix(p.Text.Slice(end), "]]") && m != nil && m[1] == "[[" {
			at--
		}
		insert(at)
	}
	if len(edits) == 0 {
		return false
	}
	message := raw + " is taken for the name of a program: a blank is missing behind the bracket"
	if m == nil {
		message = "the test has no end: a blank is missing before ]"
	}
	p.report(in, analysis.Finding{
		Span: span, Message: message,
		Fixes: []analysis.Fix{{Title: "Insert the blank", Edits: edits, Preferred: true}},
	})
	return true
}

var gluedTest = regexp.MustCompile(`(?:^|[\s;&|])(?:if|elif|while|until)()\[`)

// checkGluedTest looks for a keyword of the shell's that touches the bracket behind it.
func (p *pass) checkGluedTest(in *dockerfile.Instruction) {
	m := gluedTest.FindStringSubmatchIndex(p.Text.Slice(in.ArgsSpan))
	if m == nil {
		return
	}
	at := in.ArgsSpan.Start + m[2]
	p.found(in, source.Between(at, at+1), change("Insert the blank", source.At(at), " ", true),
		"a blank is missing before the bracket")
}

// checkEscapedBlank looks for a backslash that was the end of a line before its lines were joined.
func (p *pass) checkEscapedBlank(in *dockerfile.Instruction, c command) bool {
	span := c.span(p, in, 0, 1)
	text := p.Text.Slice(source.Between(span.Start, in.Span.End))
	if p.Escape != '\\' || !strings.HasPrefix(text, `\ `) {
		return false
	}
	span.End = p.behind(in, span.Start+1)
	p.found(in, span.Part(0, 1), change("Remove the backslash", span, "", true),
		"the blank behind this backslash belongs to the name of the command")
	return true
}
