package dockerfile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

var lineTooLong = fmt.Sprintf("line greater than the %d bytes that BuildKit reads", maxLine)

// problem adds a problem and returns it to be completed.
func (in *Instruction) problem(kind ProblemKind, span source.Span, message string) *Problem {
	in.Problems = append(in.Problems, Problem{Kind: kind, Span: span, Message: message})
	return &in.Problems[len(in.Problems)-1]
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Span.Start - b.Span.Start })
}

var guess = regexp.MustCompile(` \(did you mean .*\?\)$`)

// reason returns BuildKit's error without its guess, which is picked in random order, in lower case.
func reason(err error) string {
	if located := (*parser.LocationError)(nil); errors.As(err, &located) {
		err = located.Unwrap()
	}
	message := guess.ReplaceAllString(err.Error(), "")
	// A capital that begins a name stays: "ENV must have two arguments".
	first, n := utf8.DecodeRuneInString(message)
	if second, _ := utf8.DecodeRuneInString(message[n:]); unicode.IsUpper(first) && unicode.IsLower(second) {
		message = string(unicode.ToLower(first)) + message[n:]
	}
	return message
}

// reject adds the problem that BuildKit has with the arguments, at those that it is about.
func (in *Instruction) reject(err error) {
	message := reason(err)
	p := in.problem(InvalidInstruction, in.fault(message), message)
	switch {
	case strings.HasPrefix(message, "unknown type "):
		p.Suggestions, p.Sure = healthcheckType(in.Args)
	case strings.HasPrefix(message, "FROM requires"):
		in.suggestFrom(p)
	case strings.HasPrefix(message, "invalid name for build stage"):
		if name := stageName(in.Args[len(in.Args)-1].Text); name != "" {
			p.Suggestions = []string{name}
		}
	}
}

// healthcheckType returns what may stand in the place of a HEALTHCHECK's first argument that is neither CMD nor NONE.
func healthcheckType(args []Word) (suggestions []string, sure bool) {
	word := args[0].Text
	if glued(word) == "CMD" {
		return []string{"CMD " + word[len("CMD"):]}, true
	}
	if meant := spell.Meant(word, []string{"CMD", "NONE"}); meant != "" {
		return []string{meant}, true
	}
	for _, known := range []string{"CMD", "NONE"} {
		if strings.HasPrefix(known, strings.ToUpper(word)) && len(args) == 1 {
			return []string{known}, true // half typed
		}
	}
	switch strings.ToUpper(word) {
	case "OFF", "DISABLE", "DISABLED", "FALSE", "NO":
		return []string{"NONE"}, len(args) == 1
	case "RUN", "EXEC", "SHELL", "COMMAND", "TEST", "ENTRYPOINT":
		if word == strings.ToUpper(word) {
			return []string{"CMD"}, true
		}
	}
	if meant := spell.Suggest(word, []string{"CMD", "NONE"}); len(meant) > 0 && word == strings.ToUpper(word) {
		return meant, false
	}
	return []string{"CMD " + word}, word == strings.ToLower(word) // it is the command
}

var (
	tag       = regexp.MustCompile(`^(v?[0-9][A-Za-z0-9_.-]*|latest)$`)
	stageWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)
)

// suggestFrom adds what a FROM with a wrong number of words most likely is to be.
func (in *Instruction) suggestFrom(p *Problem) {
	args := in.Args
	if last := len(in.Flags) - 1; last >= 0 && !in.Flags[last].HasValue && in.valueApart("platform") {
		in.joinValue(p, &in.Flags[last], "platform")
		return
	}
	as := matchCase("AS", in.Keyword.Text)
	if n := len(args); n == 2 || n == 4 && strings.EqualFold(args[2].Text, "as") {
		if tag.MatchString(args[1].Text) && !strings.ContainsAny(args[0].Text, ":@") {
			p.Span = source.Span{Start: args[0].Span.Start, End: args[1].Span.End}
			p.Suggestions, p.Sure = []string{args[0].Text + ":" + args[1].Text}, true
			return
		}
	}
	switch n := len(args); {
	case n == 2:
		word := args[1].Text
		if rest, ok := strings.CutPrefix(word, "AS"); ok && rest != "" && stageWord.MatchString(rest) {
			p.Suggestions, p.Sure = []string{as + " " + rest}, rest == strings.ToLower(rest)
		} else if stageWord.MatchString(word) && !strings.EqualFold(word, "as") {
			p.Suggestions, p.Sure = []string{as + " " + word}, true
		}
	case n == 3 && args[1].Text[0] != '#':
		word := strings.ToLower(args[1].Text)
		p.Suggestions, p.Sure = []string{
			as,
		}, len(word) <= 3 && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") == "" &&
			strings.ContainsAny(word, "as")
	case n == 4 && strings.EqualFold(args[2].Text, "as"), // AS AS build, AS build AS build
		n == 5 && strings.EqualFold(args[3].Text, "as") && args[2].Text == args[4].Text:
		p.Span.Start = args[1].Span.Start
		p.Suggestions, p.Sure = []string{args[1].Text + " " + args[n-1].Text}, true
	case n > 3 && strings.EqualFold(args[1].Text, "as"):
		words := make([]string, 0, n-2)
		for _, w := range args[2:] {
			words = append(words, w.Text)
		}
		if name := strings.Join(words, "-"); stageWord.MatchString(name) {
			p.Span.Start = args[2].Span.Start
			p.Suggestions = []string{name}
		}
	}
}

var notInStageName = regexp.MustCompile(`[^a-z0-9_.-]+`)

// stageName returns a name that is allowed for one that is not, or "".
func stageName(word string) string {
	name := strings.Trim(notInStageName.ReplaceAllString(strings.ToLower(word), "-"), "-_.")
	if name != "" && '0' <= name[0] && name[0] <= '9' {
		name = "stage-" + name
	}
	if !stageWord.MatchString(name) {
		return ""
	}
	return name
}

// fault returns the place that an error of BuildKit about the arguments is about.
func (in *Instruction) fault(message string) source.Span {
	if len(in.Args) == 0 {
		return in.Keyword.Span
	}
	n := len(in.Args)
	from := func(i int) source.Span {
		return source.Span{Start: in.Args[min(i, n-1)].Span.Start, End: in.Args[n-1].Span.End}
	}
	switch {
	case strings.HasPrefix(message, "syntax error - can't find = in "):
		// The first word without "=": those before it were read.
		for _, w := range in.Args {
			if !strings.Contains(w.Text, "=") {
				return w.Span
			}
		}
	case strings.HasSuffix(message, "names can not be blank"):
		for _, w := range in.Args {
			if strings.HasPrefix(w.Text, "=") {
				return w.Span
			}
		}
	case strings.HasSuffix(message, "as a destination"):
		return in.Args[n-1].Span
	case strings.HasPrefix(message, "FROM requires"):
		if n == 3 {
			return in.Args[1].Span // not AS
		}
		if n > 3 && strings.EqualFold(in.Args[1].Text, "as") {
			return from(3)
		}
		return from(1)
	case strings.HasPrefix(message, "invalid name for build stage"):
		return in.Args[n-1].Span
	case strings.HasPrefix(message, "HEALTHCHECK NONE"):
		return from(1)
	case strings.HasPrefix(message, "unknown type "), strings.HasPrefix(message, "missing command after HEALTHCHECK"):
		return in.Args[0].Span
	case strings.HasPrefix(message, "chaining ONBUILD"),
		strings.HasSuffix(message, "isn't allowed as an ONBUILD trigger"):
		return in.Args[0].Span
	}
	return from(0)
}
