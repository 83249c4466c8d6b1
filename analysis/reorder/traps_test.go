package reorder

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"golang.org/x/tools/txtar"
)

// trap is a Dockerfile with its build context.
type trap struct {
	name string
	text string
	files
}

// model weighs each RUN so that it would be worth moving.
func (t trap) model() Model {
	m := t.files.model()
	m.Seconds = func(in *dockerfile.Instruction) float64 {
		if in.Meant == "RUN" {
			return max(10, seconds(in))
		}
		return seconds(in)
	}
	return m
}

// readTraps reads projects, each: === name, then its files as an archive.
func readTraps(t *testing.T, file string) (list []trap) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range regexp.MustCompile(`(?m)^=== `).Split(string(text), -1)[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		one := trap{name: name, files: files{}}
		for _, f := range txtar.Parse([]byte(rest)).Files {
			if f.Name == "Dockerfile" {
				one.text = string(f.Data)
			}
			one.files[f.Name] = string(bytes.TrimSuffix(f.Data, []byte("\n")))
		}
		list = append(list, one)
	}
	return list
}

// Of projects in which a reordering looks safe and is not, none is offered one. Those in testdata/traps are our own;
// others are in the shared corpus.
func TestTraps(t *testing.T) {
	paths, _ := filepath.Glob("testdata/traps/*.txt")
	if others, ok := corpus.Find(t, "reorder-traps.txt"); ok {
		paths = append(paths, others)
	} else {
		t.Log("MISSING: ../shared/corpus/reorder-traps.txt beside the checkout; only our own were tried")
	}
	for _, file := range paths {
		for _, trap := range readTraps(t, file) {
			t.Run(trap.name[:min(len(trap.name), 40)], func(t *testing.T) {
				offers := Search(context.Background(), parse(trap.text), trap.model())
				for _, o := range append(offers.Rewrites, offers.Ignoring...) {
					t.Errorf("%s\n%s: %s\n%s", trap.name, o.Grade, o.Title, strings.Join(o.Facts, "\n"))
				}
			})
		}
	}
}

// The same projects without what makes them traps are offered an order, so that TestTraps is no empty promise:
// testdata/chances.golden has it.
func TestChances(t *testing.T) {
	var got strings.Builder
	for _, chance := range readTraps(t, "testdata/chances.txt") {
		offers := Search(context.Background(), parse(chance.text), chance.model()).Rewrites
		if len(offers) == 0 {
			t.Errorf("%s: nothing is offered\n%s", chance.name, chance.text)
			continue
		}
		fmt.Fprintf(
			&got,
			"=== %s\n%s: %s\n%s",
			chance.name,
			offers[0].Grade,
			offers[0].Title,
			apply(parse(chance.text), offers[0].Edits).Text.String(),
		)
		if len(offers[0].Ignore) > 0 {
			t.Errorf("%s: it wants %q ignored, which is", chance.name, offers[0].Ignore)
		}
		chance.files[".dockerignore"] = ""
		open := Search(context.Background(), parse(chance.text), chance.model())
		for _, o := range append(open.Rewrites, open.Ignoring...) {
			fmt.Fprintf(&got, "without an ignore file: %s, with %q\n", o.Title, o.Ignore)
		}
	}
	golden.File(t, "testdata/chances.golden", got.String())
}
