package cachemodel

import (
	"slices"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// A history is a Dockerfile's if it ends with an entry for each of its instructions.
func TestHistoryLines(t *testing.T) {
	const base = "/bin/sh -c #(nop) ADD file:1 in / "
	for prose, c := range map[string]struct {
		engine  Engine
		file    string
		target  string
		history []string
		want    []int // nil if it is another Dockerfile's
	}{
		"what BuildKit writes": {"", "FROM a\nENV A=1\nRUN make  \\\n  all\nCOPY $A /\n", "", []string{
			base, "ENV A=1", "RUN |1 V=1 /bin/sh -c make    all # buildkit", "COPY 1 / # buildkit"}, []int{0, 2, 3, 5}},
		"what the classic builder writes": {Classic, "FROM a\nRUN make\nCMD x\nONBUILD RUN y\n", "", []string{
			base, "|1 V=1 /bin/sh -c make", `/bin/sh -c #(nop)  CMD ["/bin/sh" "-c" "x"]`,
			"/bin/sh -c #(nop)  ONBUILD RUN y"}, []int{0, 2, 3, 4}},
		"BuildKit leaves ONBUILD out": {"", "FROM a\nONBUILD RUN y\nCMD x\n", "", []string{base, `CMD ["x"]`}, []int{0, 3}},
		"a stage upon a stage": {"", "FROM a AS x\nUSER 1\nFROM b\nUSER 2\nFROM x\nUSER 3\n", "", []string{
			base, "USER 1", "USER 3"}, []int{0, 2, 6}},
		"another target":          {"", "FROM a AS x\nUSER 1\nFROM x\nRUN y\n", "x", []string{base, "USER 1"}, []int{0, 2}},
		"triggers of a stage":     {"", "FROM a AS x\nONBUILD USER 1\nFROM x\nUSER 2\n", "", []string{base, "USER 1", "USER 2"}, []int{0, 3, 4}},
		"another command":         {"", "FROM a\nRUN make\n", "", []string{base, "RUN /bin/sh -c cmake # buildkit"}, nil},
		"a new instruction":       {"", "FROM a\nUSER 1\nRUN make\n", "", []string{base, "RUN /bin/sh -c make # buildkit"}, nil},
		"a shorter history":       {"", "FROM a\nUSER 1\nUSER 2\n", "", []string{"USER 2"}, nil},
		"another kind":            {"", "FROM a\nUSER 1\n", "", []string{base, "WORKDIR /1"}, nil},
		"a Dockerfile of FROM":    {"", "FROM a\n", "", []string{base}, nil},
		"one that cannot be read": {"", "FROM a\nRUN \nCOPY\n", "", []string{base, "RUN x", "COPY x /"}, nil},
	} {
		var history []HistoryEntry
		for _, by := range c.history {
			history = append(history, HistoryEntry{CreatedBy: by})
		}
		plan := NewPlan(Build{
			File: dockerfile.Parse(source.New(c.file), nil), Settings: Settings{Engine: c.engine, Target: c.target},
		})
		lines, ok := plan.HistoryLines(history)
		if ok != (c.want != nil) || ok && !slices.Equal(lines, c.want) {
			t.Errorf("%s: %v %v, want %v", prose, lines, ok, c.want)
		}
	}
}
