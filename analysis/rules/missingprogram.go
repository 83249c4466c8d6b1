package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// MissingProgram finds programs that the base image does not have.
var MissingProgram = &Rule{
	ID:       "missing-program",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "The base image does not have a program, and nothing installs it",
		What: "Finds `apt-get` on Alpine, `apk` on Debian or Ubuntu, and the like, `sudo` on official images, " +
			"`bash`, `useradd`, `curl`, `wget` and `git` on small ones, programs of Windows and commands of " +
			"PowerShell on Linux, and package managers of Linux on Windows, in `RUN`, `CMD`, `ENTRYPOINT` and " +
			"`HEALTHCHECK`, and `RUN` in an empty `scratch`. Nothing is said where the file names the program " +
			"anywhere else, where a step above may install something of that kind, or where the command is asked for " +
			"first.",
		Why: "The step fails with `not found`, and a health check never succeeds. Other images of the same name may " +
			"have the program: `node:22` has `curl`, `node:22-alpine` has not.",
		Example: "FROM alpine\nRUN apt-get update\n",
		Instead: "FROM debian\nRUN apt-get update\n",
	},
	of:   callers,
	each: checkMissingProgram,
}

var callers = []string{"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"}

// asksFirst matches commands that look whether a program is there, or run only under a condition.
var asksFirst = regexp.MustCompile(`\b(?:command -v|which|type|hash|if|case|elif)\b|\|\|`)

// lack is a program that the image of a stage does not have.
type lack struct {
	stage int
	name  string
}

func checkMissingProgram(p *pass, in *dockerfile.Instruction) {
	image, known := p.imageOf(in)
	if in.Command == nil || !known || image == "" {
		return
	}
	if image == "scratch" {
		p.checkNothing(in)
		return
	}
	p.called(in, func(name string, span func() source.Span) {
		if !images.Lacks(image, name) {
			return
		}
		told, lacks := p.rest().lacks, lack{in.Stage, name}
		if told[lacks] || p.mentions(name) > p.timesCalled(name) || asksFirst.MatchString(p.Text.Slice(in.ArgsSpan)) {
			return
		}
		at := span()
		_, windows := images.ForWindows(name)
		manager := tools.LineOf(name) != nil && name != "git" || name == "sudo" || windows
		if !manager && p.installsAbove(in, at.Start) {
			return
		}
		fixes := p.instead(in, name, at)
		told[lacks] = len(fixes) == 0 // one of a stage's is enough, where no fix goes with it
		message := fmt.Sprintf("%s has no %s, and nothing here installs it", image, name)
		if windows {
			message = fmt.Sprintf("%s has no %s, which is for Windows or PowerShell", image, name)
		}
		p.report(in, analysis.Finding{Span: at, Message: message, Fixes: fixes})
	})
}

// checkNothing looks for a RUN in a stage of scratch that has no file yet.
func (p *pass) checkNothing(in *dockerfile.Instruction) {
	if in.Meant != "RUN" || p.outer != nil || strings.Contains(p.Text.Slice(in.Span), "--mount") {
		return
	}
	stage := p.file().Stages[in.Stage]
	for _, above := range stage.Instructions {
		switch {
		case above.Meant == "COPY", above.Meant == "ADD", above.Meant == "RUN" && above != in:
			return // and one finding is enough
		case above == in && strings.EqualFold(stage.Base.Text, "scratch"):
			p.found(in, in.Keyword.Span, nil, "scratch has no program that could run, and nothing above copies one")
			return
		}
	}
}

// called gives the programs that an instruction calls.
func (p *pass) called(in *dockerfile.Instruction, f func(name string, at func() source.Span)) {
	for _, c := range p.commands(in) {
		if c.sudo >= 0 {
			f("sudo", func() source.Span { return p.shellSpan(in, c.sudo) })
		}
		f(c.words[0], func() source.Span { return c.span(p, in, 0, 1) })
	}
	if image, _ := p.imageOf(in); in.Meant == "RUN" && (p.shellRun(in) != nil || !images.Windows(image)) {
		return
	}
	for _, word := range in.Args {
		if in.Meant == "HEALTHCHECK" && word.Text == "CMD" {
			continue
		}
		f(path.Base(unquoted(word.Text)), func() source.Span { return word.Span })
		break
	}
}

// timesCalled is how often the file calls a program.
func (p *pass) timesCalled(name string) int {
	w := p.rest()
	if w.calls == nil {
		w.calls = map[string]int{}
		count := func(in *dockerfile.Instruction) {
			if in != nil && slices.Contains(callers, in.Meant) {
				p.called(in, func(name string, _ func() source.Span) { w.calls[name]++ })
			}
		}
		for _, in := range w.file.Instructions {
			count(in)
			count(in.Trigger)
		}
	}
	return w.calls[name]
}

// instead is the fix for a program that the image lacks: without sudo, which a build does not need, or by another one
// that does the same.
func (p *pass) instead(in *dockerfile.Instruction, name string, at source.Span) []analysis.Fix {
	if in.Meant != "RUN" {
		return nil
	}
	if name == "sudo" {
		return p.removed(source.Between(at.Start, p.behind(in, at.End)))
	}
	if other, _ := images.ForWindows(name); other != "" && p.Text.Slice(at) == name {
		return replace(at, other, false)
	}
	for _, c := range p.commands(in) {
		if c.words[0] != name || c.span(p, in, 0, 1) != at {
			continue
		}
		span := c.span(p, in, 0, len(c.words))
		if meant := ofBusyBox(c.words); meant != "" && p.Text.Slice(span) == strings.Join(c.words, " ") {
			return replace(span, meant, false)
		}
	}
	return nil
}

// busyBoxFlags are, for flags of useradd, those of BusyBox' adduser; "" if it needs none.
var busyBoxFlags = map[string]string{
	"-m": "", "--create-home": "", "-U": "", "--user-group": "", "-l": "", "--no-log-init": "", "-M": "-H",
	"--no-create-home": "-H", "-r": "-S", "--system": "-S", "-u": "-u ", "--uid": "-u ", "-g": "-G ", "--gid": "-G ",
	"-d": "-h ", "--home-dir": "-h ", "--home": "-h ", "-s": "-s ", "--shell": "-s ", "-c": "-g ", "--comment": "-g ",
}

// ofBusyBox is the command of BusyBox that does what useradd or groupadd does, "" if it is not known.
func ofBusyBox(words []string) string {
	meant, group := "adduser -D", words[0] == "groupadd"
	switch {
	case group:
		meant = "addgroup"
	case words[0] != "useradd":
		return ""
	}
	for i := 1; i < len(words); i++ {
		flag, value, has := strings.Cut(words[i], "=")
		other, known := busyBoxFlags[flag]
		if group && other == "-G " {
			other = "-g "
		} else if !strings.HasPrefix(flag, "-") {
			other, known = words[i], true
		} else if group && other != "-S" {
			return ""
		}
		takes := strings.HasSuffix(other, " ")
		if !has && takes && i+1 < len(words) {
			i++
			value, has = words[i], true
		}
		if !known || has != takes {
			return ""
		}
		if other != "" {
			meant += " " + other + value
		}
	}
	return meant
}

// mentions counts how often the file has a word, or a path that ends with it. Comments are left out.
func (p *pass) mentions(word string) int {
	w := p.rest()
	count, known := w.mentions[word]
	if !known {
		for _, in := range w.file.Instructions {
			text, _ := in.Logical()
			count += timesIn(text, word)
			for _, doc := range in.Heredocs {
				count += timesIn(w.file.Text.Slice(doc.Body), word)
			}
		}
		w.mentions[word] = count
	}
	return count
}

// timesIn counts how often a text has a word, or a path that ends with it.
func timesIn(text, word string) (times int) {
	const between = "\"'`=,;|&(){}[]<>"
	for at := 0; ; at += len(word) {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return times
		}
		at += i
		behind := strings.TrimLeft(text[at+len(word):], "/")
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(behind)
		begins := at == 0 || unicode.IsSpace(before) || strings.ContainsRune(between+"/", before)
		ends := behind == "" || unicode.IsSpace(after) || strings.ContainsRune(between, after)
		if begins && ends {
			times++
		}
	}
}

// mayInstall matches steps after which an image may have other programs.
var mayInstall = regexp.MustCompile(`\b(?:install|add|apt|dnf|yum|curl|wget|tar|cp|mv|ln)\b|\.sh\b|https?:`)

// programDirs matches where programs are copied to.
var programDirs = regexp.MustCompile(`^"?/(?:$|"|usr|s?bin|opt)`)

// installsAbove reports whether something above an offset in an instruction, also in the stages that its stage is built
// on, may install programs.
func (p *pass) installsAbove(in *dockerfile.Instruction, offset int) bool {
	for stage, end := in.Stage, in.Span.Start; stage >= 0; stage, end = p.variables().Bases[stage], p.Text.Len() {
		if slices.ContainsFunc(p.file().Stages[stage].Instructions, func(above *dockerfile.Instruction) bool {
			switch {
			case above.Span.Start >= end:
				return false
			case above.Meant == "RUN":
				return mayInstall.MatchString(p.Text.Slice(above.Span))
			case above.Meant == "COPY" || above.Meant == "ADD":
				to := len(above.Args) - 1
				return to >= 0 && programDirs.MatchString(above.Args[to].Text)
			}
			return false
		}) {
			return true
		}
	}
	own := source.Between(in.ArgsSpan.Start, max(in.ArgsSpan.Start, offset))
	return in.Meant == "RUN" && mayInstall.MatchString(p.Text.Slice(own))
}
