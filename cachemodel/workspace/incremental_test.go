package workspace

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
)

// edits is how many edits are made: go test ./cachemodel/workspace -run Incremental -timeout 2h -args -edits 1000000
var edits = flag.Int("edits", 4000, "how many random edits TestIncremental makes")

// What is kept from one version of a file to the next changes nothing of what is found and of the verdicts: after each
// of many random edits all is the same as from scratch.
func TestIncremental(t *testing.T) {
	w := open(t, "-- Dockerfile --\nFROM alpine\n-- .dockerignore --\n*.md\n-- a --\n1\n-- src/main.go --\n1\n"+
		"-- package.json --\n{}\n-- requirements.txt --\nflask\n-- app/b.txt --\n1\n")
	first := parse("FROM alpine AS build\nENV A=b\nCOPY . /src\nRUN make\nFROM alpine\nCOPY --from=build /src /a\n")
	b := w.Reader(filepath.Join(w.Folder, "Dockerfile")).Load(t.Context(), Question{
		Choices: Choices{Baseline: "opened"}, File: first, Opened: first,
	})
	options := func() rules.Options {
		o := rules.Options{Memory: &rules.Memory{}}
		for _, r := range rules.All {
			o.On = append(o.On, r.ID)
		}
		return o
	}

	rng := rand.New(rand.NewPCG(16, 2))
	typist := typist{rng: rng}
	made, found, verdicts := *edits, map[string]bool{}, map[cachemodel.Status]int{}
	if testing.Short() {
		made /= 10
	}
	kept, file := options(), (*dockerfile.File)(nil)
	for n := range made {
		text := typist.next()
		file = dockerfile.Parse(source.New(text), file)
		fresh := parse(text)
		scratch := *b
		scratch.memory, scratch.moves = nil, new(moves)
		findings := rules.Check(file, b.RuleOptions(kept, file))
		if diff := cmp.Diff(rules.Check(fresh, scratch.RuleOptions(options(), fresh)), findings); diff != "" {
			t.Fatalf("edit %d: other findings than from scratch:\n%s\n%q\nbefore\n%q", n, diff, text, typist.before)
		}
		for _, f := range findings {
			found[f.Rule] = true
		}
		var unsaved []Overlay
		if n%2 == 0 { // the context holds what is typed
			unsaved = []Overlay{{Path: "Dockerfile", Text: text}}
		}
		want, got := scratch.Judge(fresh, unsaved).Steps, b.Judge(file, unsaved).Steps
		for _, step := range got {
			verdicts[step.Status]++
		}
		if n%40 == 0 { // this text is built
			b.Compared.held = cachemodel.Hold(cachemodel.Pasts(cachemodel.NewPlan(b.Next(fresh, unsaved))))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("edit %d: other verdicts than from scratch:\n%s\n%q\nbefore\n%q", n, diff, text, typist.before)
		}
	}
	t.Logf("%d edits, findings of %d of %d rules, verdicts: %v", made, len(found), len(rules.All), verdicts)
	if len(found) < len(rules.All)*2/3 && !testing.Short() {
		t.Error("the texts are too tame")
	}
}

// What was found of a copy's place while a line below it could not be read holds only until it can.
func TestMovesBelowError(t *testing.T) {
	w := open(t, "-- Dockerfile --\nFROM alpine\n-- a --\n1\n")
	text := "FROM alpine\nCOPY . /app\nRUN apk add --no-cache curl\nFROM alpine\n"
	b := w.Reader(filepath.Join(w.Folder, "Dockerfile")).Load(t.Context(), Question{
		Choices: Choices{Baseline: "opened"}, File: parse(text), Opened: parse(text),
	})
	early := func(text string) bool {
		file := parse(text)
		findings := rules.Check(file, b.RuleOptions(rules.Options{}, file))
		return slices.ContainsFunc(findings, func(f analysis.Finding) bool {
			return f.Rule == rules.EarlyCopy.ID
		})
	}
	if early(text + "RU") {
		t.Error("a file that cannot be built has advice on its order")
	}
	if !early(text + "RUN x\n") {
		t.Error("no advice when the line is complete")
	}
}

// typist writes texts that are made of the examples of all rules, and edits them.
type typist struct {
	rng          *rand.Rand
	text, before string
	earlier      []string
}

func (e *typist) next() string {
	e.before = e.text
	if e.text == "" || len(e.text) > 4000 || e.rng.IntN(60) == 0 {
		e.text, e.earlier = "", nil
		for range 1 + e.rng.IntN(4) {
			e.text += e.example()
		}
		if e.rng.IntN(8) == 0 {
			e.text = strings.ReplaceAll(e.text, "\n", "\r\n")
		}
		return e.text
	}
	at := e.rng.IntN(len(e.text) + 1)
	line := strings.LastIndexByte(e.text[:at], '\n') + 1
	switch e.rng.IntN(12) {
	case 0: // undo
		if n := len(e.earlier); n > 0 {
			e.text = e.earlier[e.rng.IntN(n)]
			return e.text
		}
	case 1: // paste some lines
		e.text = e.text[:line] + e.example() + e.text[line:]
	case 2, 3: // write one
		lines := strings.SplitAfter(e.example(), "\n")
		e.text = e.text[:line] + lines[e.rng.IntN(len(lines))] + e.text[line:]
	case 4: // a comment or directive, above everything or further down
		if e.rng.IntN(2) == 0 {
			line = 0
		}
		comments := []string{
			"# escape=`\n", "# syntax=docker/dockerfile:1.2\n", "# check=skip=all\n", "# check=error=true\n", "#\n", "\n",
			"# hadolint ignore=DL3006,DL3008\n", "# hadolint global ignore=DL3018\n", "# check=skip=UndefinedVar\n",
			"ARG V=1\n", "ONBUILD ", "SHELL [\"bash\", \"-c\"]\n", "FROM nanoserver\n", "FROM debian AS build\n",
		}
		e.text = e.text[:line] + comments[e.rng.IntN(len(comments))] + e.text[line:]
	case 5: // a word elsewhere
		words := strings.Fields(e.text)
		if len(words) > 0 {
			word := words[e.rng.IntN(len(words))]
			e.text = strings.Replace(e.text, word, words[e.rng.IntN(len(words))], 1)
		}
	case 6: // letters
		e.text = e.text[:at] + string("aeRNF $\"'/=-\\&<\n"[e.rng.IntN(16)]) + e.text[at:]
	case 7: // several lines lost
		end := min(len(e.text), line+e.rng.IntN(80))
		e.text = e.text[:line] + e.text[end:]
	case 8: // lines moved
		e.text = e.text[line:] + e.text[:line]
	default:
		e.text = corpus.Damage(e.rng, e.text)
	}
	if e.earlier = append(e.earlier, e.before); len(e.earlier) > 5 {
		e.earlier = e.earlier[1:]
	}
	return e.text
}

// example is one of a rule's.
func (e *typist) example() string {
	r := rules.All[e.rng.IntN(len(rules.All))]
	text := r.Doc.Example
	if e.rng.IntN(3) == 0 {
		text = r.Doc.Instead
	}
	if len(text) > 1000 {
		return "FROM alpine\n"
	}
	return text
}
