package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// MisplacedFlag finds words that look like flags but are read as arguments.
var MisplacedFlag = &Rule{
	ID:       "misplaced-flag",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A word looks like a flag, but is read as an argument",
		What: "Finds flags with one dash (`-from=x`), with the long dash of a word processor (`—from=x`), without " +
			"any (`from=x`), and flags of `COPY` and `ADD` that stand behind an argument. Fixes write two dashes, or " +
			"move the flag to its place. Where BuildKit stops at it, it is an error.",
		Why: "BuildKit takes flags only right behind the instruction and with two dashes. It reads anything else " +
			"as an argument, such as the name of a file to copy.",
		Example: "FROM alpine AS build\nFROM alpine\nCOPY -from=build /a /a\n",
		Instead: "FROM alpine AS build\nFROM alpine\nCOPY --from=build /a /a\n",
	},
	check: checkMisplacedFlag,
}

func checkMisplacedFlag(p *pass) {
	for in := range p.every("ADD", "COPY", "FROM", "HEALTHCHECK", "RUN") {
		if in.Meant == "RUN" && !in.JSON {
			p.mountBehind(in)
		}
		if in.JSON && in.Meant != "HEALTHCHECK" || p.valueBehind(in) {
			continue
		}
		if in.Meant == "HEALTHCHECK" && len(in.Args) > 0 && in.Args[0].Text == "NONE" {
			continue // which takes nothing
		}
		for i := range in.Args {
			if in.Meant == "HEALTHCHECK" && !in.JSON && i == 1 && p.flagOfCheck(in) {
				break
			}
			finding, ok := misplacedFlag(p.file(), in, i)
			if ok {
				p.report(in, finding)
			} else if in.Meant == "HEALTHCHECK" && i == 0 {
				continue
			} else if in.Meant != "COPY" && in.Meant != "ADD" {
				break // from here on there are only arguments, and a command may have any
			}
		}
	}
}

// isMisplacedFlag reports whether the rule has something to say of the instruction's first argument.
func isMisplacedFlag(file *dockerfile.File, in *dockerfile.Instruction) bool {
	if len(in.Args) == 0 || len(dockerfile.FlagNames(in.Meant)) == 0 {
		return false
	}
	_, ok := misplacedFlag(file, in, 0)
	return ok
}

// misplacedFlag looks at one argument. All those before it are known to be misplaced flags, or paths of COPY and ADD.
func misplacedFlag(file *dockerfile.File, in *dockerfile.Instruction, i int) (analysis.Finding, bool) {
	word := in.Args[i]
	bare := strings.TrimLeft(word.Text, "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212")
	dashes := word.Text[:len(word.Text)-len(bare)]
	name, value, has := strings.Cut(bare, "=")
	if apart := apartValue(in, i, name); apart != "" && !has {
		value, has, word.Span.End = apart, true, in.Args[i+1].Span.End
		word.Text = file.Text.Slice(word.Span)
	}
	if !has && dashes == "" {
		return analysis.Finding{}, false
	}
	if finding, ok := flagOfCp(file, in, i); ok {
		return finding, true
	}
	flags := dockerfile.FlagNames(in.Meant)
	alone := !has && slices.Contains(flags, name) &&
		slices.Contains([]string{"link", "parents", "keep-git-dir", "unpack"}, name)
	if !has && !alone || name == "" || has && value == "" || file.Text.Slice(word.Span) != word.Text {
		return analysis.Finding{}, false
	}
	meant := name
	if !slices.Contains(flags, name) {
		if meant = spell.Meant(name, flags); meant == "" || dashes == "" {
			return analysis.Finding{}, false
		}
	}
	isFlag := func(before dockerfile.Word) bool { return strings.Contains(before.Text, "=") }
	if dashes == "" && (i > 0 && !slices.ContainsFunc(in.Args[:i], isFlag) ||
		in.Meant == "RUN" && !(meant == "mount" && strings.HasPrefix(value, "type="))) {
		return analysis.Finding{}, false // "RUN network=x" sets a variable of the shell
	}
	finding := analysis.Finding{
		Span:    word.Span,
		Message: fmt.Sprintf("%s is read as an argument: flags begin with two dashes", word.Text),
	}
	flag := "--" + meant
	if has {
		flag += "=" + value
	}
	if i == 0 {
		finding.Fixes = replace(withDashes(file, word.Span), flag, true)
	} else {
		if dashes == "--" {
			finding.Message = fmt.Sprintf("%s is read as an argument: flags stand before the arguments", word.Text)
		}
		before := in.Args[i-1].Span.End
		if strings.Trim(file.Text.Slice(source.Between(before, word.Span.Start)), " \t") == "" {
			finding.Fixes = change("Move it before the arguments", source.At(in.Args[0].Span.Start), flag+" ",
				dashes == "--", source.Edit{Span: source.Between(before, word.Span.End)})
		}
	}
	if in.Command == nil && in.From == nil {
		finding.Severity = analysis.Error
	}
	return finding, true
}

// apartValue is the value of a flag behind the paths that stands behind a blank, as in COPY /a /b --from build.
func apartValue(in *dockerfile.Instruction, i int, name string) string {
	if i == 0 || i != len(in.Args)-2 || name != "from" && name != "chown" && name != "chmod" ||
		!strings.HasPrefix(in.Args[i].Text, "--") || !plainValue.MatchString(in.Args[i+1].Text) {
		return ""
	}
	return in.Args[i+1].Text
}

// withDashes is where an argument stands, with dashes in front of it that end the flags.
func withDashes(file *dockerfile.File, span source.Span) source.Span {
	if before := strings.TrimRight(file.Text.String()[:span.Start], " \t"); strings.HasSuffix(before, " --") {
		span.Start = len(before) - len("--")
	}
	return span
}

// flagsOfCp matches flags of the command cp.
var flagsOfCp = regexp.MustCompile(`^-[rRafpvLn]{1,3}$`)

// flagOfCp looks for a flag of the command cp as the first argument of COPY or ADD.
func flagOfCp(file *dockerfile.File, in *dockerfile.Instruction, i int) (analysis.Finding, bool) {
	word := in.Args[i]
	if i > 0 || len(in.Args) < 3 || in.Meant != "COPY" && in.Meant != "ADD" || !flagsOfCp.MatchString(word.Text) ||
		file.Text.Slice(word.Span) != word.Text {
		return analysis.Finding{}, false
	}
	rest := source.Between(word.Span.Start, in.Args[1].Span.Start)
	return analysis.Finding{
		Span:    word.Span,
		Message: fmt.Sprintf("%s is a flag of cp: %s takes it for a file", word.Text, in.Meant),
		Fixes:   change("Remove "+word.Text, rest, "", true),
	}, true
}

var flagsOfCheck = regexp.MustCompile(`^--(interval|timeout|start-period|start-interval|retries)=\S+$`)

// flagOfCheck reports a flag of HEALTHCHECK's that stands behind CMD, where it begins the command.
func (p *pass) flagOfCheck(in *dockerfile.Instruction) bool {
	if in.Args[0].Text != "CMD" {
		return false
	}
	from, to := 1, 1 // the flags
	isFlag := func(i int) bool {
		return flagsOfCheck.MatchString(in.Args[i].Text) && p.Text.Slice(in.Args[i].Span) == in.Args[i].Text
	}
	for to < len(in.Args) && isFlag(to) {
		to++
	}
	message := " begins the command: flags stand before CMD"
	if to == 1 { // else at the end
		message = " is an argument of the command: flags stand before CMD"
		from, to = len(in.Args), len(in.Args)
		for from > 2 && isFlag(from-1) {
			from--
		}
	}
	if from == to || in.Line != in.EndLine {
		return false
	}
	moved := source.Between(in.Args[from].Span.Start, in.Args[to-1].Span.End)
	fixes := change("Move it before CMD", source.At(in.Args[0].Span.Start), p.Text.Slice(moved)+" ", true,
		source.Edit{Span: source.Between(in.Args[from-1].Span.End, moved.End)})
	p.found(in, moved, fixes, "%s%s", p.Text.Slice(moved), message)
	return true
}

// valueBehind looks for a flag whose value, or what follows its colon, stands behind a blank, a flag without a value
// that has one, and a stage that is named without its flag.
func (p *pass) valueBehind(in *dockerfile.Instruction) bool {
	if in.Meant != "COPY" && in.Meant != "ADD" || len(in.Args) < 3 || in.Command == nil {
		return false
	}
	first := in.Args[0]
	if len(in.Flags) == 0 {
		return p.stageWithoutFlag(in)
	}
	flag := in.Flags[len(in.Flags)-1]
	name, value := flag.Name.Text, flag.Value.Text
	gap := source.Between(flag.Span.End, first.Span.Start)
	finding := analysis.Finding{Span: source.Between(flag.Span.Start, first.Span.End)}
	switch {
	case strings.Trim(p.Text.Slice(gap), " \t") != "":
		return false
	case flag.HasValue && (value == "" && (name == "from" || name == "chown" || name == "chmod") ||
		name == "chown" && strings.HasSuffix(value, ":")) && plainValue.MatchString(first.Text):
		finding.Message = fmt.Sprintf("a blank ends --%s: %s is taken for a file", name, first.Text)
		finding.Fixes = change("Remove the blank", gap, "", true)
	case !flag.HasValue && (name == "link" || name == "parents") && (first.Text == "true" || first.Text == "false"):
		finding.Message = fmt.Sprintf("%s is taken for a file: --%s needs no value", first.Text, name)
		gap.End = first.Span.End
		if first.Text == "false" {
			gap = source.Between(flag.Span.Start, in.Args[1].Span.Start)
		}
		finding.Fixes = p.removed(gap)
	default:
		return false
	}
	p.report(in, finding)
	return true
}

var plainValue = regexp.MustCompile(`^[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)?$`)

// stageWithoutFlag looks for COPY build /a /b, where build is a stage.
func (p *pass) stageWithoutFlag(in *dockerfile.Instruction) bool {
	words := in.Args
	from := strings.TrimSuffix(words[0].Text, ":") == "from"
	if from {
		words = words[1:]
	}
	name := strings.ToLower(words[0].Text)
	if in.Meant != "COPY" || len(words) != 3 || in.JSON || !strings.HasPrefix(words[1].Text, "/") ||
		!slices.Contains(p.stageNames(), name) {
		return false
	}
	if c := p.opts().Context; c != nil && (slices.Contains(c.Sent, name) || slices.Contains(c.Sent, name+"/")) {
		return false
	}
	span := source.Between(in.Args[0].Span.Start, words[0].Span.End)
	p.found(in, span, replace(span, "--from="+words[0].Text, false),
		"%s is taken for a file: files of a stage need --from", words[0].Text)
	return true
}

var typedMount = regexp.MustCompile(`^--mount=type=(?:bind|cache|secret|ssh|tmpfs)\b`)

// mountBehind looks for a mount behind the command of a RUN, which gets it as an argument.
func (p *pass) mountBehind(in *dockerfile.Instruction) {
	for i, word := range in.Args {
		if i == 0 || !strings.HasPrefix(word.Text, "--") || !typedMount.MatchString(word.Text) ||
			p.Text.Slice(word.Span) != word.Text {
			continue
		}
		text := strings.ToLower(p.Text.Slice(in.ArgsSpan))
		if strings.Contains(text, "docker") || strings.Contains(text, "podman") || strings.Contains(text, "build") {
			return
		}
		fixes := change("Move it before the command", source.At(in.Args[0].Span.Start), word.Text+" ", true,
			source.Edit{Span: source.Between(in.Args[i-1].Span.End, word.Span.End)})
		p.found(in, word.Span, fixes, "the command gets --mount as an argument: flags stand before the command")
		return
	}
}
