package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/errdefs"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
)

// There is an error among the findings in a Dockerfile of the corpus if, and only if, BuildKit refuses it, and then one
// in the instruction that BuildKit names.
func TestErrorsOfCorpus(t *testing.T) {
	accepted, refused := 0, 0
	for name, text := range corpus.Dockerfiles(t) {
		difference, ok := compareErrors(text)
		if ok {
			accepted++
		} else {
			refused++
		}
		if difference != "" {
			t.Errorf("%s: %s", name, difference)
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}

var recorded = flag.String(
	"recorded",
	"",
	"a file with a Dockerfile in each line, {\"text\": ...}, whose errors are compared too, as docs/agreement.md says",
)

// The same for the texts that others test their validators with, which are not kept here.
func TestErrorsOfRecorded(t *testing.T) {
	if *recorded == "" {
		t.Skip("SKIPPED: needs -args -recorded FILE")
	}
	data, err := os.ReadFile(*recorded)
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for line := range strings.Lines(string(data)) {
		var in struct{ Text string }
		if err := json.Unmarshal([]byte(line), &in); err != nil {
			t.Fatal(err)
		}
		difference, ok := compareErrors(in.Text)
		if ok {
			accepted++
		} else {
			refused++
		}
		if difference != "" {
			t.Logf("%q: %s", in.Text, difference)
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}

// compareErrors says how our errors differ from BuildKit's, "" if they do not, and whether BuildKit accepts the text.
func compareErrors(text string) (difference string, accepted bool) {
	file := dockerfile.Parse(source.New(text), nil)
	var lines []int // in which an instruction with an error begins
	message, foreign, escape := "", false, false
	for _, f := range rules.Check(file, rules.Options{}) {
		foreign = foreign || f.Rule == rules.UnknownFrontend.ID
		if f.Severity == analysis.Error {
			line := file.Text.LineAt(f.Span.Start) + 1
			if in := file.InstructionAt(f.Span.Start); in != nil {
				line = in.Line
			}
			lines, message = append(lines, line), f.Message
			// The lines that such a directive was to continue have no errors of their own.
			escape = escape || f.Rule == rules.IgnoredDirective.ID
		}
	}
	_, _, err := Convert(context.Background(), Build{Name: "Dockerfile", Dockerfile: text})
	if foreign { // BuildKit would run another program, which is not at hand
		if len(lines) > 0 {
			return fmt.Sprintf("errors in lines %v, though another program reads it: %s", lines, message), err == nil
		}
		return "", err == nil
	}
	if err == nil {
		if len(lines) > 0 && !refusedForSomeTarget(text, len(file.Stages)) {
			return fmt.Sprintf("errors in lines %v, though BuildKit accepts it: %s", lines, message), true
		}
		return "", true
	}
	first, last, ok := linesOf(err)
	// BuildKit does not say which line a directive is in, or takes the one above.
	directive := first == 0 || strings.Contains(err.Error(), "parser directive") ||
		strings.Contains(err.Error(), "escape token")
	agree := (!ok || directive) && len(lines) > 0 || escape
	for _, line := range lines {
		agree = agree || first <= line && line <= last
		if in := file.Instructions; !agree {
			// Of a trigger BuildKit names the FROM that runs it.
			agree = slices.ContainsFunc(
				in,
				func(in *dockerfile.Instruction) bool { return in.Line == line && in.Meant == "ONBUILD" },
			) &&
				slices.ContainsFunc(in, func(in *dockerfile.Instruction) bool {
					return in.Line == first &&
						in.Meant == "FROM"
				})
		}
	}
	if !agree && unknowable(err, file, first) {
		return "", false
	}
	if !agree {
		return fmt.Sprintf("BuildKit refuses line %d: %v; ours are in lines %v", first, err, lines), false
	}
	return "", false
}

// linesOf returns the lines of the instruction that an error of BuildKit is about.
func linesOf(err error) (first, last int, ok bool) {
	for _, s := range errdefs.Sources(err) {
		for _, r := range s.Ranges {
			return int(r.Start.Line), max(int(r.End.Line), int(r.Start.Line)), true
		}
	}
	if located := (*parser.LocationError)(nil); errors.As(err, &located) && len(located.Locations) > 0 &&
		len(located.Locations[0]) > 0 {
		r := located.Locations[0]
		return r[0].Start.Line, r[len(r)-1].End.Line, true
	}
	return 0, 0, strings.Contains(err.Error(), "line ")
}

// refusedForSomeTarget reports whether BuildKit refuses to build one of the stages.
func refusedForSomeTarget(text string, stages int) bool {
	for i := range stages {
		if _, _, err := Convert(context.Background(), Build{Name: "Dockerfile", Dockerfile: text,
			Target: fmt.Sprint(i)}); err != nil {
			return true
		}
	}
	return false
}

// unknowable reports whether an error of BuildKit hangs on what the base image sets (here nothing), or on build
// arguments that are not given.
func unknowable(err error, file *dockerfile.File, line int) bool {
	for _, part := range []string{"is not allowed to be " +
		"unset", `invalid mount target "/"`, "invalid field '$", "VOLUME specified can not be an empty string"} {
		if strings.Contains(err.Error(), part) {
			return true
		}
	}
	for _, f := range rules.Check(file, rules.Options{}) {
		if f.Rule == rules.InvalidDefaultArgInFrom.ID && file.Text.LineAt(f.Span.Start)+1 == line {
			return true
		}
	}
	return false
}
