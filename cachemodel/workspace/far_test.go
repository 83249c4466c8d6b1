package workspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
)

// What a Compose file names far from the project is not read: nothing of it is promised, and it is said why. What is
// chosen is read wherever it is.
func TestFarContexts(t *testing.T) {
	const text = "FROM a\nCOPY f /\nCOPY --from=lib f /\n"
	for _, test := range []struct {
		why, context, lib string // in Compose's words; PARENT is the folder of the project's folder
		choose            bool
		far               []string
	}{
		{"both in the project", ".", "./lib", false, nil},
		{"next to the project", "../other", "../other/lib", false, nil},
		{"the folder above the project", "..", "PARENT", false, []string{"build context", "named context lib"}},
		{"above that", "../..", "PARENT/..", false, []string{"build context", "named context lib"}},
		{"folders of the system", "/usr", "/proc/self/root", false, []string{"build context", "named context lib"}},
		{"a link that leads out", "up", "./up", false, []string{"build context", "named context lib"}},
		{"a folder of the system, but it is chosen", "/usr/lib", "./lib", true, nil},
	} {
		t.Run(test.why, func(t *testing.T) {
			w := open(t, "-- Dockerfile --\n"+text+"-- f --\n1\n-- lib/f --\n1\n")
			project, parent := filepath.Join(w.Folder, "project"), w.Folder
			if err := errors.Join(os.Mkdir(project, 0o755), os.MkdirAll(filepath.Join(parent, "other/lib"), 0o755),
				os.Rename(filepath.Join(parent, ".git"), filepath.Join(project, ".git")),
				os.Rename(filepath.Join(parent, "Dockerfile"), filepath.Join(project, "Dockerfile")),
				os.Rename(filepath.Join(parent, "lib"), filepath.Join(project, "lib")),
				os.WriteFile(filepath.Join(project, "f"), []byte("1"), 0o644),
				os.WriteFile(filepath.Join(parent, "other/f"), []byte("1"), 0o644),
				os.WriteFile(filepath.Join(parent, "other/lib/f"), []byte("1"), 0o644)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/", filepath.Join(project, "up")); err != nil {
				t.Skip("NO LINKS HERE: ", err)
			}
			compose := fmt.Sprintf("services:\n  web:\n    build:\n      context: %s\n"+
				"      dockerfile: PARENT/project/Dockerfile\n"+
				"      additional_contexts: {lib: %s}\n", test.context, test.lib)
			compose = strings.ReplaceAll(compose, "PARENT", parent)
			if err := os.WriteFile(filepath.Join(project, "compose.yaml"), []byte(compose), 0o644); err != nil {
				t.Fatal(err)
			}
			w.Folder = project
			choices := Choices{Baseline: "opened"}
			if test.choose {
				choices.ContextDir = parent
			}
			file := parse(text)
			b := w.Reader(filepath.Join(project, "Dockerfile")).Load(t.Context(),
				Question{Choices: choices, File: file, Opened: file})
			var far []string
			said := fmt.Sprint(b.Problems)
			for _, what := range []string{"build context", "named context lib"} {
				if strings.Contains(said, "the "+what+" ") || strings.Contains(said, "the "+what+":") {
					far = append(far, what)
				}
			}
			t.Log(said)
			if fmt.Sprint(far) != fmt.Sprint(test.far) {
				t.Errorf("far are %q, want %q", far, test.far)
			}
			for i, what := range []string{"build context", "named context lib"} {
				step := b.Judge(file, nil).Steps[1+i]
				if kept := step.Status == cachemodel.Cached; kept == strings.Contains(fmt.Sprint(test.far), what) {
					t.Errorf("the %s: line %d is %s", what, step.Line, step.Status)
				}
			}
		})
	}
}
