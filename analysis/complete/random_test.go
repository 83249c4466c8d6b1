package complete_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/complete"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

var (
	randomPlaces = flag.Int("random", 0, "how many random places of real files TestRandomPlaces tries")
	randomSeed   = flag.Uint64("randomseed", 1, "which places")
)

// A word of a Dockerfile, or a string of a JSON array. What is in front of it is typed.
var token = regexp.MustCompile(`[^\s"=,\[\]]+`)

// TestRandomPlaces measures how often what the author of a real file wrote is among the first three items, at random
// words outside of shell commands, with what stands behind the word on its line not yet typed. Of a word only the first
// letter is typed, or nothing.
func TestRandomPlaces(t *testing.T) {
	if *randomPlaces == 0 {
		t.Skip("-random=N tries N places")
	}
	paths, _ := filepath.Glob(corpus.Path(t, "dockerfiles") + "/*")
	random := rand.New(rand.NewPCG(*randomSeed, 0))
	tried, found := map[string]int{}, map[string]int{}
	for tried[""] < *randomPlaces {
		content, err := os.ReadFile(paths[random.IntN(len(paths))])
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		file := dockerfile.Parse(source.New(text), nil)
		if len(file.Instructions) == 0 {
			continue
		}
		in := file.Instructions[random.IntN(len(file.Instructions))]
		words := token.FindAllStringIndex(text[in.Span.Start:in.Span.End], -1)
		word := words[random.IntN(len(words))]
		if in.Meant == "RUN" || in.Meant == "SHELL" || in.Span.Len() > 1000 || len(in.Heredocs) > 0 {
			word = words[0]
		}
		start, end := in.Span.Start+word[0], in.Span.Start+word[1]
		line := file.Text.Line(file.Text.LineAt(start))
		if slices.ContainsFunc(in.Comments, func(c dockerfile.Comment) bool { return c.Span.Contains(start) }) {
			continue
		}
		right := text[start:end]
		typed := text[:start] + right[:random.IntN(2)]
		items := at(typed+text[line.End:], len(typed), worldOfFile(text)).Items
		for _, name := range []string{"", in.Meant} {
			tried[name]++
		}
		if slices.ContainsFunc(items[:min(len(items), 3)], func(it complete.Item) bool { return same(it, right) }) {
			found[""]++
			found[in.Meant]++
			continue
		}
		var labels []string
		for _, it := range items[:min(len(items), 5)] {
			labels = append(labels, it.Label)
		}
		t.Logf("%q wants %q, offers %q", typed[line.Start:], right, labels)
	}
	for name, n := range tried {
		t.Logf("%s: %d of %d", strings.ToLower(name), found[name], n)
	}
}
