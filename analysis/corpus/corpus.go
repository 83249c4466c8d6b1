// Package corpus gives tests texts to work on: real Dockerfiles, which lie beside the checkout where the project is
// developed and are not part of it, and ways to damage a text. Only tests may import it.
package corpus

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Find is the path of a file or folder of the corpus, by its name there; not ok if there is none.
func Find(t testing.TB, name string) (path string, ok bool) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for !isRoot(dir) {
		if dir == filepath.Dir(dir) {
			t.Fatal("the module's go.mod is not above this folder")
		}
		dir = filepath.Dir(dir)
	}
	path = filepath.Join(filepath.Dir(dir), "shared", "corpus", name)
	_, err = os.Stat(path)
	return path, err == nil
}

// Path is Find, but skips the test loudly if there is none.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, ok := Find(t, name)
	if !ok {
		t.Skipf("MISSING: ../shared/corpus/%s beside the checkout; nothing was checked", name)
	}
	return path
}

// isRoot reports whether a folder is the root of the product's module: the tests have modules of their own below it.
func isRoot(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && bytes.HasPrefix(text, []byte("module github.com/layerwise/layerwise\n"))
}

// Dockerfiles are real ones, by name and in its order. It skips the test loudly if there are none.
func Dockerfiles(t testing.TB) iter.Seq2[string, string] {
	t.Helper()
	dir := Path(t, "dockerfiles")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(name, text string) bool) {
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if !yield(e.Name(), string(text)) {
				return
			}
		}
	}
}

// Refusal is BuildKit's first error about the text of a Dockerfile, nil if it takes it.
func Refusal(text string) error {
	result, err := parser.Parse(strings.NewReader(text))
	if err == nil {
		_, _, err = instructions.Parse(result.AST, linter.New(&linter.Config{}))
	}
	return err
}

// Damage returns a text, which must not be empty, with one thing wrong that happens while people type, merge and paste.
func Damage(random *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	i, at := random.IntN(len(lines)), random.IntN(len(text))
	switch random.IntN(9) {
	case 0: // a line lost
		return strings.Join(slices.Delete(lines, i, i+1), "")
	case 1: // a line twice
		return strings.Join(slices.Insert(lines, i, lines[i]), "")
	case 2: // two lines in the other order
		j := min(i+1, len(lines)-1)
		lines[i], lines[j] = lines[j], lines[i]
		return strings.Join(lines, "")
	case 3: // a byte lost
		return text[:at] + text[at+1:]
	case 4: // a byte twice
		return text[:at] + text[at:at+1] + text[at:]
	case 5: // cut off
		return text[:at]
	case 6: // a line's escape character lost
		lines[i] = strings.Replace(lines[i], "\\\n", "\n", 1)
		return strings.Join(lines, "")
	case 7: // an empty line
		lines[i] = "\n" + lines[i]
		return strings.Join(lines, "")
	}
	pieces := []string{"&&", " \\", "\"", "'", "`", "$", "${", "#", "=", "[", " --link", "<<EOF", "\n", ";", "\\\n"}
	return text[:at] + pieces[random.IntN(len(pieces))] + text[at:]
}
