package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Builds that stand on each other in all ways are found up to a number, which those of earlier texts of the build file
// do not use up.
func TestBasesAreBounded(t *testing.T) {
	compose := func(round int) string {
		const services = 20
		var b strings.Builder
		b.WriteString("services:\n")
		for i := range services {
			fmt.Fprintf(&b, "  s%d-%d:\n    build:\n      context: .\n      additional_contexts:\n", i, round)
			for j := 1; j <= 4; j++ {
				fmt.Fprintf(&b, "        c%d: service:s%d-%d\n", j, (i+j)%services, round)
			}
		}
		return strings.ReplaceAll(b.String(), fmt.Sprintf("  s0-%d:", round), "  web:")
	}
	const text = "FROM a\nCOPY --from=c1 f /\n"
	w := open(t, "-- Dockerfile --\n"+text+"-- f --\n1\n")
	r, file := w.Reader(filepath.Join(w.Folder, "Dockerfile")), parse(text)
	for round := range 5 {
		if err := os.WriteFile(filepath.Join(w.Folder, "compose.yaml"), []byte(compose(round)), 0o600); err != nil {
			t.Fatal(err)
		}
		b := r.Load(t.Context(), Question{
			Choices: Choices{Build: "compose:web", Baseline: "opened"}, File: file, Opened: file,
			Changed: Changed{Context: true, Baseline: true, Builds: true},
		})
		if b.Bases["c1"] == nil {
			t.Errorf("round %d: the base is not found: %v", round, b.Problems)
		}
		if n := r.basesBelow(); n == 0 || n > mostBasesInAll {
			t.Errorf("round %d: %d bases", round, n)
		}
	}
}
