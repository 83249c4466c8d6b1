package rules

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// InvalidInstruction finds instructions whose arguments or flag values BuildKit rejects.
var InvalidInstruction = &Rule{
	ID:       "invalid-instruction",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "An instruction's arguments are not valid",
		What: "Finds instructions that BuildKit refuses because of their arguments or of a flag's value: too few " +
			"or too many of them, or one of the wrong form.",
		Why: "The build stops at such an instruction. BuildKit reports only the first one in a file; this rule " +
			"reports each.",
		Example: "FROM alpine\nCOPY app.sh\nENV GREETING\n",
		Instead: "FROM alpine\nCOPY app.sh /usr/local/bin/\nENV GREETING=hello\n",
	},
	check: func(p *pass) {
		for _, problem := range p.problems(dockerfile.InvalidInstruction) {
			in := p.file().InstructionAt(problem.Span.Start)
			if in != nil && !in.JSON && in.ArgsSpan.Contains(problem.Span.Start) && isMisplacedFlag(p.file(), in) {
				continue // MisplacedFlag says what is wrong
			}
			if in != nil && (trailingComment(in) >= 0 || p.fromHasPath(in) || p.goesOnBelow(in)) {
				continue // TrailingComment does, InvalidImage or UnknownInstruction
			}
			if in != nil && (p.spoilt(in) || in.Trigger != nil && p.spoilt(in.Trigger)) {
				continue // LookalikeCharacter does
			}
			if in != nil {
				if at, ok := p.swallows(in); ok && problem.Span.End > at {
					continue // SwallowedInstruction does
				}
			}
			if in != nil {
				if _, ok := p.innerInstruction(in); ok {
					continue // InnerInstruction does
				}
			}
			if in != nil && in.Meant == "SHELL" {
				if _, ok := almostJSON(in); ok {
					continue // AlmostJSON does
				}
			}
			if done, ok := p.colonMount(in, problem); ok {
				if done != nil {
					p.report(nil, *done)
				}
				continue
			}
			finding := p.fromProblem(problem)
			if in != nil && in.Meant == "HEALTHCHECK" {
				if meant := composeCheck(p.Text.Slice(in.ArgsSpan)); meant != "" {
					finding.Message = "HEALTHCHECK takes CMD and a command, not what Compose has for it"
					finding.Fixes = replace(in.ArgsSpan, meant, true)
				}
			}
			if span, meant := p.durationApart(in); meant != "" {
				finding.Span, finding.Message = span, "a blank divides the number from its unit"
				finding.Fixes = replace(span, meant, true)
			}
			if in != nil && in.Meant == "FROM" && len(in.Args) == 3 && in.Args[0].Text == "docker" {
				words := source.Between(in.Args[0].Span.Start, in.Args[2].Span.Start)
				finding.Fixes = change("Remove "+strings.TrimSpace(p.Text.Slice(words)), words, "", false)
			}
			if in != nil && len(finding.Fixes) == 0 {
				finding.Fixes = p.respaced(in)
			}
			if in != nil && (len(finding.Fixes) == 0 || !finding.Fixes[0].Preferred || in.Meant == "FROM") {
				finding.Fixes = firstOf(p.likelyFix(in, problem), finding.Fixes)
			}
			if in != nil && len(in.Args) == 0 && (in.Meant == "HEALTHCHECK" || in.Meant == "ONBUILD") {
				p.joinBelow(&finding, in)
			}
			p.report(nil, finding)
		}
	},
}

// goesOnBelow reports whether the line below a copy with one path is to belong to it.
func (p *pass) goesOnBelow(in *dockerfile.Instruction) bool {
	if in.Meant != "COPY" && in.Meant != "ADD" || len(in.Args) != 1 ||
		len(p.problems(dockerfile.UnknownInstruction)) == 0 {
		return false
	}
	i := slices.Index(p.file().Instructions, in) + 1
	return i > 0 && i < len(p.file().Instructions) && p.lostLines()[p.file().Instructions[i]] == in
}

// from is the flag --from of an instruction, nil if there is none.
func (p *pass) from(in *dockerfile.Instruction) *dockerfile.Flag {
	i := slices.IndexFunc(in.Flags, func(f dockerfile.Flag) bool { return f.Name.Text == "from" })
	if i < 0 {
		return nil
	}
	return &in.Flags[i]
}

// fromHasPath reports whether InvalidImage is about a --from that holds the source as well.
func (p *pass) fromHasPath(in *dockerfile.Instruction) bool {
	flag := p.from(in)
	if flag == nil || in.Meant != "COPY" {
		return false
	}
	_, path := p.pathInFrom(in, unquoted(flag.Value.Text))
	_, err := reference.ParseNormalizedNamed(unquoted(flag.Value.Text))
	return path != "" && err != nil
}

var colonMounts = regexp.MustCompile(`^type:[a-z]+(?:,[a-z]+[:=][^:=,]+)*$`)

// colonMount reports whether a problem is of a mount with colons for equals signs; its first one has the finding.
func (p *pass) colonMount(in *dockerfile.Instruction, problem dockerfile.Problem) (finding *analysis.Finding, ok bool) {
	if in == nil || in.Meant != "RUN" {
		return nil, false
	}
	for _, flag := range in.Flags {
		value := flag.Value
		if !value.Span.Contains(problem.Span.Start) || !colonMounts.MatchString(value.Text) ||
			p.Text.Slice(value.Span) != value.Text {
			continue
		}
		if problem.Span.Start > value.Span.Start {
			return nil, true
		}
		return &analysis.Finding{
			Span: value.Span, Message: "an equals sign separates a key of a mount from its value, not a colon",
			Fixes: replace(value.Span, strings.ReplaceAll(value.Text, ":", "="), true),
		}, true
	}
	return nil, false
}

var timeUnit = regexp.MustCompile(`^(?i)(ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)$`)

// durationApart returns a duration of a health check whose unit stands behind a blank, and what is meant.
func (p *pass) durationApart(in *dockerfile.Instruction) (span source.Span, meant string) {
	if in == nil || in.Meant != "HEALTHCHECK" || len(in.Flags) == 0 || len(in.Args) == 0 ||
		!timeUnit.MatchString(in.Args[0].Text) {
		return span, ""
	}
	value := in.Flags[len(in.Flags)-1].Value
	if value.Text == "" || strings.Trim(value.Text, "0123456789.") != "" {
		return span, ""
	}
	unit := strings.ToLower(in.Args[0].Text)
	if strings.HasPrefix(unit, "ms") || strings.HasPrefix(unit, "mil") {
		unit = "ms"
	} else {
		unit = unit[:1]
	}
	return source.Between(value.Span.Start, in.Args[0].Span.End), value.Text + unit
}

var composeTest = regexp.MustCompile(`^(?:[Tt]est[ \t]*[:=]?[ \t]*)?(?:(CMD[ \t].*)|\[[ \t]*"(CMD|CMD-SHELL|NONE)"(?:[ \t]*,[ \t]*(.+))?\])$`)

// composeCheck returns the arguments that HEALTHCHECK has for a test as Compose writes it, or "".
func composeCheck(args string) string {
	m := composeTest.FindStringSubmatch(strings.TrimSpace(args))
	switch {
	case m == nil || m[1] == args:
		return ""
	case m[1] != "":
		return m[1]
	case m[2] == "NONE":
		return "NONE"
	case m[2] == "CMD" && m[3] != "":
		return "CMD [" + m[3] + "]"
	case m[3] != "":
		var command string
		if json.Unmarshal([]byte(strings.TrimSpace(m[3])), &command) == nil {
			return "CMD " + command
		}
	}
	return ""
}

// equalsApart matches an equals sign with blanks around it between two words.
var equalsApart = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]*)([ \t]*=[ \t]*)([^\s="'\\` + "`" + `]+)$`)

// respaced returns what makes an instruction right that has blanks around its equals sign, or a SHELL that is no array.
func (p *pass) respaced(in *dockerfile.Instruction) []analysis.Fix {
	text := p.Text.Slice(in.ArgsSpan)
	switch in.Meant {
	case "COPY", "ADD":
		if flag := p.from(in); flag != nil && len(in.Args) == 1 {
			if stage, path := p.pathInFrom(in, unquoted(flag.Value.Text)); path != "" {
				return replace(flag.Value.Span, stage+" "+path, true)
			}
		}
		if m := likeDocker.FindStringIndex(text); m != nil && len(in.Args) == 1 {
			at := source.Span{Start: in.ArgsSpan.Start + strings.Index(text, ":/")}
			at.End = at.Start + 1
			return change("Change : to a space", at, " ", false)
		}
	case "FROM":
		return p.respacedFrom(in)
	case "CMD", "ENTRYPOINT", "RUN":
		if edits := stringsOnly(text); edits != nil {
			fix := analysis.Fix{Title: "Make each a string", Preferred: true}
			for _, e := range edits {
				span := in.ArgsSpan.Part(e.from, e.to)
				fix.Edits = append(fix.Edits, source.Edit{Span: span, NewText: e.text})
			}
			return []analysis.Fix{fix}
		}
	case "ARG", "ENV", "LABEL":
		if m := colonPair.FindStringSubmatchIndex(text); m != nil && in.Meant != "ARG" {
			at := in.ArgsSpan.Part(m[2], m[3])
			return change("Change : to =", at, "=", false)
		}
		if meant := p.asVariables(in, text); meant != "" && !strings.Contains(text, "\n") {
			return replace(in.ArgsSpan, meant, true)
		}
		if fixes := p.withoutBlanks(in, text); fixes != nil {
			return fixes
		}
		if fixes := p.quoteValues(in); fixes != nil {
			return fixes
		}
		if m := quotedPart.FindStringSubmatch(text); m != nil {
			return replace(in.ArgsSpan, m[1]+m[2]+`"`, true)
		}
		if meant := p.escapedInner(strings.TrimRight(text, " \t")); meant != "" && strings.Count(text, "=") == 1 {
			return replace(in.ArgsSpan, meant, true)
		}
		if m := equalsApart.FindStringSubmatchIndex(strings.TrimRight(text, " \t")); m != nil && m[5]-m[4] > 1 {
			at := in.ArgsSpan.Part(m[4], m[5])
			return change("Remove the spaces around =", at, "=", true)
		}
	case "SHELL":
		words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t[](){}\"',", r) })
		if len(words) == 0 || strings.ContainsAny(text, "\n$\\`") {
			return nil
		}
		if len(words) == 1 && slices.Contains(unixShells, path.Base(words[0])) {
			words = append(words, "-c")
		}
		return replace(in.ArgsSpan, `["`+strings.Join(words, `", "`)+`"]`, true)
	}
	return nil
}

// quotedPart matches a pair of whose value only the first part is in quotes.
var quotedPart = regexp.MustCompile(`^([A-Za-z_][\w.-]*="[^"\\$]*)"([ \t]+[^="'\\$\s][^="'\\$\n]*)$`)

var (
	spacedPairs = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*=[^\s"'=\\]+(?:[ \t]+(?:\\[ \t]*\r?\n[ \t]*)?[A-Za-z_][A-Za-z0-9_.-]*[ \t]*=[ \t]*[^\s"'=\\]+)+[ \t]*$`)
	spacedSign  = regexp.MustCompile(`[ \t]+=[ \t]*|=[ \t]+`)
	inPairs     = regexp.MustCompile(`[ \t](&&[ \t]|(?:&&[ \t]+)?(?:export|set|ENV|ARG|LABEL)[ \t]+)[A-Za-z_][A-Za-z0-9_.-]*=`)
)

// withoutBlanks returns what makes pairs right that have blanks around an equals sign, or a word of a shell's between
// them.
func (p *pass) withoutBlanks(in *dockerfile.Instruction, text string) []analysis.Fix {
	if m := inPairs.FindStringSubmatchIndex(text); m != nil && !strings.ContainsAny(text[:m[2]], "\"'") {
		return change("Remove "+strings.TrimSpace(text[m[2]:m[3]]), in.ArgsSpan.Part(m[2], m[3]), "", true)
	}
	if !spacedPairs.MatchString(text) {
		return nil
	}
	fix := analysis.Fix{Title: "Remove the spaces around =", Preferred: true}
	for _, m := range spacedSign.FindAllStringIndex(text, -1) {
		fix.Edits = append(fix.Edits, source.Edit{Span: in.ArgsSpan.Part(m[0], m[1]), NewText: "="})
	}
	return []analysis.Fix{fix}
}

// joinBelow adds the fix that makes the next line part of an instruction which has no arguments, if it is meant to be.
func (p *pass) joinBelow(finding *analysis.Finding, in *dockerfile.Instruction) {
	line := p.Text.LineAt(in.Span.End)
	i := slices.Index(p.file().Instructions, in) + 1
	if i == 0 || i == len(p.file().Instructions) || p.Text.LineAt(p.file().Instructions[i].Span.Start) != line+1 ||
		p.indent(p.file().Instructions[i]) <= p.indent(in) {
		return
	}
	if below := p.file().Instructions[i].Meant; in.Meant == "HEALTHCHECK" && below != "CMD" || below == "FROM" ||
		below == "ONBUILD" {
		return
	}
	end := in.Span.Start + len(strings.TrimRight(p.Text.Slice(in.Span), " \t"))
	finding.Message += fmt.Sprintf(": missing %s at the end of line %d?", p.escapeName(), line+1)
	finding.Fixes = change(fmt.Sprintf("Add the missing %s at the end of line %d", p.escapeName(), line+1),
		source.Between(end, in.Span.End), " "+string(p.Escape), true)
}

var (
	likeDocker = regexp.MustCompile(`^[A-Za-z0-9_./-]+:/(?:[A-Za-z0-9_.-][A-Za-z0-9_./-]*)?$`)
	colonPair  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*(:)[^\s:=/"'][^\s:="']*$`)
	bareValue  = regexp.MustCompile(`[\[,][ \t]*(-?[0-9.]+|true|false|null)[ \t]*`)
)

// stringsOnly returns the edits that make an array one of strings: quotes around numbers, one pair of brackets.
func stringsOnly(args string) (edits []textEdit) {
	var list []any
	if json.Unmarshal([]byte(args), &list) != nil {
		return nil
	}
	if len(list) == 1 && strings.HasSuffix(args, "]]") && strings.HasPrefix(args, "[[") {
		edits = []textEdit{{0, 1, ""}, {len(args) - 1, len(args), ""}}
	} else {
		for _, m := range bareValue.FindAllStringSubmatchIndex(args, -1) {
			edits = append(edits, textEdit{m[2], m[2], `"`}, textEdit{m[3], m[3], `"`})
		}
	}
	var words []string
	if json.Unmarshal([]byte(applyAll(args, edits)), &words) != nil {
		return nil
	}
	return edits
}

// variableName matches what most likely is the name of another variable.
var variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*_[A-Z0-9_]+$`)

// quoteValues returns the fix that puts quotes around the values that blanks divide.
func (p *pass) quoteValues(in *dockerfile.Instruction) []analysis.Fix {
	text := p.Text.Slice(in.ArgsSpan)
	if strings.ContainsAny(text, "\"'`&;|\n") || strings.ContainsRune(text, rune(p.Escape)) || len(in.Args) < 2 ||
		!assignment.MatchString(in.Args[0].Text) {
		return nil
	}
	fix := analysis.Fix{Title: "Put the value in quotes", Preferred: true}
	for i := 0; i < len(in.Args); {
		last := i
		for last+1 < len(in.Args) && !strings.Contains(in.Args[last+1].Text, "=") {
			last++
		}
		if name := in.Args[min(i+1, last)]; last == i+2 && in.Meant == "ENV" && variableName.MatchString(name.Text) {
			gap := source.Between(name.Span.End, in.Args[last].Span.Start)
			fix.Title, fix.Edits = "Change the space to =", append(fix.Edits, source.Edit{Span: gap, NewText: "="})
		} else if equals := strings.Index(in.Args[i].Text, "=") + 1; last > i && equals > 0 {
			from, to := in.Args[i].Span.Start+equals, in.Args[last].Span.End
			fix.Edits = append(fix.Edits, source.Edit{Span: source.At(from), NewText: `"`},
				source.Edit{Span: source.At(to), NewText: `"`})
		}
		i = last + 1
	}
	if in.Args[1].Text == "=" || strings.HasPrefix(in.Args[1].Text, "=") || strings.HasSuffix(in.Args[0].Text, "=") ||
		len(fix.Edits) == 0 {
		return nil
	}
	return []analysis.Fix{fix}
}

// respacedFrom returns what makes a FROM right whose tag stands apart, or whose platform stands behind the image.
func (p *pass) respacedFrom(in *dockerfile.Instruction) []analysis.Fix {
	if len(in.Args) < 2 {
		return nil
	}
	image, next := in.Args[0], in.Args[1]
	gap := source.Between(image.Span.End, next.Span.Start)
	if strings.Trim(p.Text.Slice(gap), " \t") != "" {
		return nil
	}
	if name, ok := strings.CutPrefix(strings.ToUpper(next.Text), "AS="); ok && name != "" && len(in.Args) == 2 {
		return replace(next.Span, next.Text[:2]+" "+next.Text[3:], true)
	}
	switch last := in.Args[len(in.Args)-1]; {
	case strings.HasPrefix(last.Text, "--platform="):
		return change("Move it before the image", source.At(image.Span.Start), last.Text+" ", true,
			source.Edit{Span: source.Between(in.Args[len(in.Args)-2].Span.End, last.Span.End)})
	case strings.HasPrefix(next.Text, ":") && len(next.Text) > 1 && !strings.Contains(image.Text, ":"):
		return change("Remove the space before :", gap, "", true)
	}
	return nil
}
