package cachemodel

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"golang.org/x/tools/txtar"
)

// Every file of the corpus has a plan, and compared with itself nothing of it is rebuilt but what lies behind an
// address. Nor is anything if it is only spelt otherwise.
func TestCorpus(t *testing.T) {
	rebuilt := 0
	for name, text := range corpus.Dockerfiles(t) {
		if dockerfile.Parse(source.New(text), nil).Dialect().Foreign {
			continue // nobody knows how BuildKit reads it
		}
		rejected := corpus.Refusal(text) != nil
		for _, engine := range []Engine{BuildKit, Classic} {
			plan := func(text string) *Plan {
				return NewPlan(Build{File: dockerfile.Parse(source.New(text), nil), Settings: Settings{Engine: engine}})
			}
			base := plan(text)
			if err := base.Err(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, next := range []*Plan{base, plan(text), plan(respell(text))} {
				for _, s := range Compare(Pasts(base), next) {
					switch {
					case rejected, s.Status == Rebuilt && s.Cause.Kind == NotInCache && base.rejected() != nil:
					case s.Status == Unknown,
						s.Status == Fails && s.Cause.Kind != MissingArgument && !strings.HasPrefix(s.Cause.Detail,
							"failed to process"):
						t.Errorf("%s:%d: %s", name, s.Line, verdicts([]Step{s}))
					case s.Status == Rebuilt && (s.Certain || s.Cause.Kind != RemoteSource && s.Cause.Kind != Follows &&
						s.Cause.Kind != StageRebuilt):
						t.Errorf("%s:%d: %s: %s", name, s.Line, s.Text, verdicts([]Step{s}))
					case s.Status == Rebuilt:
						rebuilt++
					}
				}
			}
		}
	}
	t.Logf("%d steps may be rebuilt for what lies behind an address", rebuilt)
}

// respell writes a file in another way that means the same: keywords in lower case, comments and blank lines between.
func respell(text string) string {
	var edits []source.Edit
	for i, in := range dockerfile.Parse(source.New(text), nil).Instructions {
		if start := in.Span.Start; i > 0 && text[start-1] == '\n' {
			edits = append(edits, source.Edit{Span: source.Span{Start: start, End: start}, NewText: "# said anew\n\n"})
		}
		edits = append(edits, source.Edit{Span: in.Keyword.Span, NewText: strings.ToLower(in.Keyword.Text)})
	}
	out, err := source.Apply(text, edits)
	if err != nil {
		panic(err)
	}
	return out
}

// No beginning of a file, which is what an editor holds while it is typed, breaks the model.
func TestPrefixes(t *testing.T) {
	for name, text := range corpus.Dockerfiles(t) {
		base := planText(text, nil)
		step := max(1, len(text)/20)
		for end := 0; end < len(text); end += step {
			next := planText(text[:end], nil)
			check(t, name, Compare(Pasts(base), next), next)
			check(t, name, Compare(Pasts(next), base), base)
		}
	}
}

// check holds what is true of any verdicts.
func check(t *testing.T, name string, steps []Step, p *Plan) {
	t.Helper()
	last := 0
	at := map[int]Step{}
	for _, s := range steps {
		at[s.Line] = s
	}
	for _, s := range steps {
		switch {
		case s.Status == Rebuilt && (s.Cause.Kind == Follows || s.Cause.Kind == StageRebuilt) &&
			!because(s, at[s.Cause.Line]):
			t.Errorf("%s: a step has the cause of another one that has not: %s\n%s", name, verdicts([]Step{s}),
				verdicts([]Step{at[s.Cause.Line]}))
		case s.Line <= last || s.EndLine < s.Line:
			t.Errorf("%s: step of lines %d to %d comes after line %d", name, s.Line, s.EndLine, last)
		case (s.Status == Rebuilt || s.Status == Fails) != (s.Cause != nil):
			t.Errorf("%s:%d: %s, cause %v", name, s.Line, s.Status, s.Cause)
		case s.Cause != nil && (s.Cause.Line < 1 || s.Cause.Line > p.build.File.Text.EndLine() ||
			s.Cause.Detail == "" || strings.Contains(s.Cause.Detail, "\n")):
			t.Errorf("%s:%d: cause %+v", name, s.Line, *s.Cause)
		case s.Status == Rebuilt && s.Certain && s.Cause.unknown():
			t.Errorf("%s: a certain step has the cause that something is not known: %s", name, verdicts([]Step{s}))
		case s.Status != Rebuilt && !s.Certain:
			t.Errorf("%s:%d: %s is not certain", name, s.Line, s.Status)
		}
		last = s.EndLine
	}
}

// because reports whether a step may be rebuilt since above is: for certain only if above is for certain.
func because(s, above Step) bool {
	return above.Status == Fails || above.Status == Rebuilt && (above.Certain || !s.Certain)
}

// Causes hold together whatever builds of all the cases the cache holds, pruned, failed or half known.
func TestCausesOfAnyPasts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var pool []*testBuild
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parseCases(t, archive) {
			pool = append(append(pool, c.a, c.b), c.later...)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	// A few cases stand together in one file about the same thing, so that neighbours share steps.
	near := func(i int) *testBuild { return pool[(i+r.IntN(25)+len(pool))%len(pool)] }
	rebuilt, certain := 0, 0
	for trial := range 1500 {
		i := r.IntN(len(pool))
		var pasts []Past
		for range 1 + r.IntN(4) {
			b := near(i)
			past := b.past
			past.Plan = b.plan()
			pasts = append(pasts, past)
		}
		next := near(i).plan()
		steps := Compare(pasts, next)
		check(t, fmt.Sprint("trial ", trial), steps, next)
		for _, s := range steps {
			if s.Status == Rebuilt && (s.Cause.Kind == Follows || s.Cause.Kind == StageRebuilt) {
				rebuilt++
				if s.Certain {
					certain++
				}
			}
		}
	}
	if certain < 50 || rebuilt-certain < 50 {
		t.Errorf("only %d of %d steps follow certainly: this tests nothing", certain, rebuilt)
	}
}

// Any text has a plan, and compared with itself nothing of it is rebuilt for a reason of its own.
func FuzzCompare(f *testing.F) {
	f.Add(typedFile, "FROM base\nRUN x", uint8(0))
	f.Add(
		"FROM a AS b\nONBUILD COPY --from=c . .\nFROM b AS c\nARG X=$Y\nENV Z=${X:-z}",
		"FROM scratch\nRUN --mount=type=ssh <<A\n#!x\nA",
		uint8(3),
	)
	f.Add(
		"FROM $X\nCOPY --link --parents <<E a*/./b /\nE\nADD https://a/b.git#c:d g@h:i /",
		"ARG X=a\nFROM $X\nWORKDIR $Y",
		uint8(7),
	)
	f.Fuzz(func(t *testing.T, a, b string, settings uint8) {
		s := Settings{NoCache: settings&1 != 0}
		if settings&2 != 0 {
			s.Engine = Classic
		}
		if settings&4 != 0 {
			s.Args = map[string]string{"X": "y", "SOURCE_DATE_EPOCH": "context"}
		}
		plan := func(text string) *Plan {
			return NewPlan(
				Build{File: dockerfile.Parse(source.New(text), nil), Settings: s, Context: tree(typedContext)},
			)
		}
		x, y := plan(a), plan(b)
		check(t, "itself", Compare(Pasts(x), x), x)
		check(t, "another", Compare(Pasts(x), y), y)
		check(t, "both", Compare(Pasts(y, x), y), y)
		check(t, "nothing", Compare(nil, y), y)
		if s.NoCache {
			return
		}
		for _, step := range Compare(Pasts(x), plan(a)) {
			if c := step.Cause; c != nil && c.Kind != RemoteSource && c.Kind != Follows && c.Kind != StageRebuilt &&
				c.Kind != ContextChanged {
				t.Errorf("compared with itself: %s", verdicts([]Step{step}))
			}
		}
	})
}
