package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Every byte of a command in real files is found where it stands in the file.
func TestShellPlacesInRealFiles(t *testing.T) {
	commands, mistakes := 0, 0
	for name, text := range corpus.Dockerfiles(t) {
		file := dockerfile.Parse(source.New(text), nil)
		p := newPass(file, Options{})
		for _, in := range file.Instructions {
			command, ok := "", false
			if in.Meant == "RUN" {
				command, ok = shellText(file, in)
			}
			if !ok {
				continue
			}
			commands++
			for at := 0; at < len(command); at += 1 + len(command)/50 {
				if span := p.shellSpan(in, at); text[span.Start] != command[at] {
					t.Errorf("%s:%d: %q is at %q", name, in.Line, command[at:], file.Text.Slice(span))
					break
				}
			}
		}
		mistakes += count(checkText(text), ShellSyntax.ID)
	}
	t.Logf("%d commands, %d of them with a mistake", commands, mistakes)
	if mistakes > 0 {
		t.Error("commands that have been built many times are taken for mistakes")
	}
}

// A Memory that has seen the file before an edit finds what a new one finds, and does not parse again what it knows.
func TestMemory(t *testing.T) {
	const text = "FROM alpine\nRUN if true\nRUN true\nRUN (a\n"
	before := dockerfile.Parse(source.New(text), nil)
	memory := &Memory{}
	Check(before, Options{Memory: memory})
	known := memory.seen[before.Instructions[3].Node]
	for _, edited := range []string{"FROM alpine\n\nRUN if true\nRUN true\nRUN " +
		"(a\n", "FROM alpine\nRUN if true; fi\nRUN (a\n", "FROM alpine\n"} {
		after := dockerfile.Parse(source.New(edited), before)
		got := Check(after, Options{Memory: memory})
		if diff := cmp.Diff(Check(after, Options{}), got); diff != "" {
			t.Errorf("%q (-new +remembering):\n%s", edited, diff)
		}
		if last := after.Instructions[len(after.Instructions)-1]; last.Meant == "RUN" &&
			(known == nil || memory.seen[last.Node] != known) {
			t.Errorf("%q: parsed again", edited)
		}
		if len(memory.seen) > len(after.Instructions) {
			t.Errorf("%q: remembers what is gone", edited)
		}
		Check(before, Options{Memory: memory})
		known = memory.seen[before.Instructions[3].Node]
	}
}
