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
	if strings.HasPrefix(message, "unknown type ") {
		p.Suggestions = []string{"CMD", "NONE"}
	}
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
	case strings.HasPrefix(message, "chaining ONBUILD"), strings.HasSuffix(message, "isn't allowed as an ONBUILD trigger"):
		return in.Args[0].Span
	}
	return from(0)
}
