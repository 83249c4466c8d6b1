package cachemodel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// Variables that double with each line cost neither memory nor the plan's exactness.
func TestExpansionIsBounded(t *testing.T) {
	doubling := func(first string, more string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "FROM base\nENV A0=%s\n", first)
		for i := range 60 {
			fmt.Fprintf(&b, "ENV A%d=$A%d$A%d%s\n", i+1, i, i, more)
		}
		b.WriteString("RUN x\nCOPY f $A60\nWORKDIR /w/$A60\n")
		return b.String()
	}
	deep := func(first string) string {
		return "FROM base\nWORKDIR /" + first + "\n" + strings.Repeat("WORKDIR "+strings.Repeat("d", 100)+"\n", 500) + "RUN x\n"
	}
	wide := "FROM base\nENV A=" + strings.Repeat("x", 3000) + "\nENV B=" + strings.Repeat("$A", 30_000) + "\nRUN x\n"
	for _, test := range []struct{ name, a, b, want string }{
		{"the same", doubling("abcdefgh", ""), doubling("abcdefgh", ""), "cached"},
		{"another value at the bottom", doubling("abcdefgh", ""), doubling("abcdefgi", ""), "rebuilt"},
		{"with a modifier", doubling("abcdefgh", "${A0:-x}"), doubling("abcdefgh", "${A0:-x}"), "cached"},
		{"many in one word", wide, wide, "cached"},
		{"a deep working directory", deep("a"), deep("a"), "cached"},
		{"another one at its top", deep("a"), deep("b"), "rebuilt"},
		{"the length through a pattern", doubling("abcdefgh", "") + "ENV L=${A60//?/x}\nRUN l\n",
			doubling("abcdefghi", "") + "ENV L=${A60//?/x}\nRUN l\n", "rebuilt"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		files := map[string]testFile{"f": {data: "f", mode: 0o644}}
		steps := Compare(Pasts(planText(test.a, files)), planText(test.b, files))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%s: %d MiB were taken", test.name, n>>20)
		}
		for _, s := range steps {
			if s.Instruction == "RUN" && string(s.Status) != test.want {
				t.Errorf("%s: line %d is %s, want %s", test.name, s.Line, s.Status, test.want)
			}
		}
	}
}

// What stages take over from stages is bounded: a plan of very many is refused, and says so, and nothing is certain.
func TestInheritedVariablesAreBounded(t *testing.T) {
	text := func(stages int) string {
		var b strings.Builder
		b.WriteString("FROM base AS s0\n")
		for i := range stages {
			fmt.Fprintf(&b, "FROM s%d AS s%d\nARG A%d=b\nRUN echo $A%d\n", i, i+1, i, i)
		}
		return b.String()
	}
	if err := planText(text(200), nil).Err(); err != nil {
		t.Errorf("200 stages: %v", err)
	}
	plan := planText(text(5000), nil)
	if plan.Err() == nil {
		t.Error("5,000 stages are planned")
	}
	for _, s := range Compare(Pasts(plan), plan) {
		if s.Status == Cached || s.Status == Rebuilt && s.Certain {
			t.Fatalf("line %d is %s, certain: %v", s.Line, s.Status, s.Certain)
		}
	}
	if plan := planText(strings.Repeat("FROM a\nRUN a\n", dockerfile.MostInstructions/2), nil); plan.Err() != nil {
		t.Errorf("stages that stand on images: %v", plan.Err())
	}
}

// Of a Dockerfile that is too large nothing is promised, nor of one that is compared with one.
func TestTooLargeIsNotKnown(t *testing.T) {
	least := "FROM a\nRUN b\n"
	large := planText(least+strings.Repeat("RUN b\n", dockerfile.MostInstructions), nil)
	long := planText(least+strings.Repeat("#", dockerfile.MostBytes), nil)
	small := planText(least, nil)
	for _, next := range []*Plan{large, long, small} {
		for _, past := range []*Plan{large, long, small} {
			if past == small && next == small {
				continue
			}
			for _, s := range Compare(Pasts(past), next) {
				if s.Status == Cached || s.Status == Rebuilt && s.Certain {
					t.Fatalf("line %d is %s, certain: %v", s.Line, s.Status, s.Certain)
				}
			}
		}
	}
}

// Paths that lie within others are dropped, in a time that grows with their number only.
func TestDedupePaths(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b", "/", "/", "-", ".", "ab", "\x01"}
	for range 5000 {
		var paths, want []string
		for range rnd.IntN(6) {
			path := ""
			for range rnd.IntN(6) {
				path += pieces[rnd.IntN(len(pieces))]
			}
			paths = append(paths, path)
		}
		for _, p := range paths {
			if !slices.ContainsFunc(paths, func(q string) bool {
				return p != q && strings.HasPrefix(p, strings.TrimSuffix(q, "/")+"/")
			}) {
				want = append(want, p)
			}
		}
		slices.Sort(want)
		if got := dedupePaths(paths); !slices.Equal(got, slices.Compact(want)) {
			t.Fatalf("%q: %q, want %q", paths, got, slices.Compact(want))
		}
	}
}
