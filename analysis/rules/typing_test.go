package rules

import (
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

var samples = flag.Int("n", 20, "real files that the tests of typing and fixing try")

// someFiles picks real files, not just the first ones.
func someFiles(t *testing.T) map[string]string {
	all := maps.Collect(corpus.Dockerfiles(t))
	names := slices.Sorted(maps.Keys(all))
	rand.New(rand.NewPCG(5, 5)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	some := map[string]string{}
	for _, name := range names[:min(*samples, len(names))] {
		some[name] = all[name]
	}
	return some
}

// Five mistakes are five findings, whatever their order, and all of them are fixed at once.
func TestFiveMistakes(t *testing.T) {
	lines := []string{
		"EVN A=1",
		"COPY --chwon=1 a b",
		"RUN --mount=type=chache,target=/c true",
		"EXPOSE 80/tpc",
		"STOPSIGNAL SIGTREM",
	}
	wants := []string{
		"ENV A=1",
		"COPY --chown=1 a b",
		"RUN --mount=type=cache,target=/c true",
		"EXPOSE 80/tcp",
		"STOPSIGNAL SIGTERM",
	}
	for shift := range lines {
		text, want := "FROM alpine\n", "FROM alpine\n"
		for i := range lines {
			text += lines[(i+shift)%len(lines)] + "\n"
			want += wants[(i+shift)%len(lines)] + "\n"
		}
		findings := checkText(text)
		if len(findings) != 5 {
			t.Errorf("%d findings in\n%s%v", len(findings), text, findings)
			continue
		}
		var edits []source.Edit
		for i, f := range findings {
			if line := strings.Count(text[:f.Span.Start], "\n"); line != i+1 || len(f.Fixes) == 0 {
				t.Errorf("finding %d is in line %d, with %d fixes", i, line+1, len(f.Fixes))
				continue
			}
			edits = append(edits, f.Fixes[0].Edits...)
		}
		if got := applied(t, text, edits); got != want {
			t.Errorf("fixed:\n%s", got)
		}
	}
}

// While characters are deleted one by one from the ends of lines of real files, as with a held backspace, no finding
// comes up in an instruction that has nothing to do with it.
func TestDeletingCharacters(t *testing.T) {
	tried := 0
	for name, text := range someFiles(t) {
		random := rand.New(rand.NewPCG(uint64(len(text)), 1))
		before := dockerfile.Parse(source.New(text), nil)
		known := byInstruction(before, checkText(text))
		for range 3 {
			line := before.Text.Line(random.IntN(before.Text.EndLine()))
			if line.Len() > 200 {
				continue
			}
			for cut := line.End - 1; cut >= line.Start; cut-- {
				edited := text[:cut] + text[line.End:]
				tried++
				after := dockerfile.Parse(source.New(edited), nil)
				for key := range byInstruction(after, checkText(edited)) {
					if !known[key] && !related(before, after, line.Start, cut, key) {
						t.Errorf(
							"%s: with the line %q deleted up to %q, this comes up elsewhere: %s in %q",
							name,
							before.Text.Slice(line),
							text[line.Start:cut],
							key.rule,
							key.text,
						)
						cut = -1
						break
					}
				}
			}
		}
	}
	t.Logf("%d texts", tried)
}

// found is a finding in terms that hold in another version of the file.
type found struct {
	rule string
	text string // of the instruction
}

func byInstruction(file *dockerfile.File, findings []analysis.Finding) map[found]bool {
	set := map[found]bool{}
	for _, f := range findings {
		if in := file.InstructionAt(f.Span.Start); in != nil {
			set[found{f.Rule, file.Text.Slice(in.Span)}] = true
		}
	}
	return set
}

// related reports whether the instruction of a new finding has to do with the edit: it is the edited one; it was not
// there before, as it has taken lines from the edited one or given it some; or it depends on what the edited one
// defines. A FROM and a SHELL everything below depends on, any other instruction those that have a word in common with
// it.
func related(before, after *dockerfile.File, lineStart, at int, key found) bool {
	old, now := before.InstructionAt(lineStart), after.InstructionAt(at)
	if old == nil || now == nil || key.text == after.Text.Slice(now.Span) {
		return true // without one, a comment or an empty line became something else
	}
	if !slices.ContainsFunc(
		before.Instructions,
		func(in *dockerfile.Instruction) bool { return before.Text.Slice(in.Span) == key.text },
	) {
		return true
	}
	for _, in := range []*dockerfile.Instruction{old, now} {
		if in.Meant == "FROM" || in.Meant == "SHELL" {
			return true
		}
	}
	notPartOfName := func(r rune) bool { return r > 127 || !isNameByte(byte(r)) }
	for _, word := range strings.FieldsFunc(before.Text.Slice(old.Span), notPartOfName) {
		if len(word) > 1 && word != old.Keyword.Text && mentionsName(key.text, word) {
			return true
		}
	}
	return false
}

// Each fix of each finding, in real files and in such with a letter dropped, doubled or swapped: the file reparses,
// there are fewer findings of that sort, and no more errors unless one was fixed, which may have hidden others. Fixing
// all comes to an end, and once more changes nothing.
func TestFixesOfMutatedFiles(t *testing.T) {
	fixes := map[string]int{}
	for name, text := range someFiles(t) {
		random := rand.New(rand.NewPCG(uint64(len(text)), 2))
		for round := range 3 {
			i := random.IntN(len(text))
			end := min(i+2, len(text))
			mutated := []string{text[:i] + text[i+1:], text[:i+1] + text[i:], text[:i] + text[i+1:end] + text[i:i+1] +
				text[end:]}[random.IntN(3)]
			before := checkText(mutated)
			for _, f := range before {
				for _, fix := range f.Fixes {
					if fixes[f.Rule]++; fixes[f.Rule] > *samples {
						break
					}
					after := checkText(applied(t, mutated, fix.Edits))
					if count(after, f.Rule) >= count(before, f.Rule) ||
						countErrors(after) > countErrors(before) && f.Severity != analysis.Error {
						t.Errorf(
							"%s, byte %d changed: %s: %q does not help, or makes an error",
							name,
							i,
							f.Message,
							fix.Title,
						)
					}
				}
			}
			if round == 0 && strings.Count(text, "\n") < 100 {
				fixed := allFixed(mutated)
				if again := allFixed(fixed); again != fixed {
					t.Errorf("%s, byte %d changed: fixing a second time changes the file again", name, i)
				}
			}
		}
	}
	t.Logf("%v", fixes)
}
