package workspace

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
)

// The first marks do not wait for a huge file: of what reads it nothing is certain until it was read.
func TestPartial(t *testing.T) {
	w := open(t, "-- Dockerfile --\nFROM a\nCOPY a /\nCOPY huge /\n-- a --\n1\n")
	huge := filepath.Join(w.Folder, "huge")
	if err := errors.Join(os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 32<<30)); err != nil {
		t.Skip("NO SPARSE FILES HERE: ", err)
	}
	file := parse("FROM a\nCOPY a /\nCOPY huge /\n")
	r := w.Reader(filepath.Join(w.Folder, "Dockerfile"))
	q := Question{Choices: Choices{Baseline: "opened"}, File: file, Opened: file, Partial: true}
	b := r.Load(t.Context(), q)
	if b.Complete {
		t.Error("a build of which a file is not read is complete")
	}
	steps := b.Judge(file, nil).Steps
	if steps[1].Status != cachemodel.Cached {
		t.Errorf("COPY a is %s", steps[1].Status)
	}
	if steps[2].Status != cachemodel.Rebuilt || steps[2].Certain {
		t.Errorf("COPY huge is %s, certain: %v", steps[2].Status, steps[2].Certain)
	}
	if err := os.Truncate(huge, 1<<20); err != nil {
		t.Fatal(err)
	}
	q.Partial, q.Changed = false, Changed{Context: true, Baseline: true}
	if b = r.Load(t.Context(), q); !b.Complete {
		t.Error("the build is not complete when all is read")
	}
	if s := b.Judge(file, nil).Steps[1]; s.Status != cachemodel.Cached {
		t.Errorf("then COPY a is %s", s.Status)
	}
}

// Nor do they wait for a huge file of a named context.
func TestPartialNamedContext(t *testing.T) {
	const text = "FROM a\nCOPY a /\nCOPY --from=lib a /\nCOPY --from=lib huge /\n"
	w := open(t, "-- Dockerfile --\n"+text+"-- a --\n1\n-- lib/a --\n1\n-- compose.yaml --\nservices:\n  web:\n"+
		"    build: {context: ., additional_contexts: {lib: ./lib}}\n-- .dockerignore --\nlib\n")
	huge := filepath.Join(w.Folder, "lib/huge")
	if err := errors.Join(os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 32<<30)); err != nil {
		t.Skip("NO SPARSE FILES HERE: ", err)
	}
	file := parse(text)
	r := w.Reader(filepath.Join(w.Folder, "Dockerfile"))
	q := Question{Choices: Choices{Baseline: "opened"}, File: file, Opened: file, Partial: true}
	b := r.Load(t.Context(), q)
	steps := b.Judge(file, nil).Steps
	if b.Complete || steps[1].Status != cachemodel.Cached || steps[2].Status != cachemodel.Cached {
		t.Errorf("complete: %v, %s, %s", b.Complete, steps[1].Status, steps[2].Status)
	}
	if steps[3].Status != cachemodel.Rebuilt || steps[3].Certain {
		t.Errorf("COPY huge is %s, certain: %v", steps[3].Status, steps[3].Certain)
	}
	if err := os.Truncate(huge, 1<<20); err != nil {
		t.Fatal(err)
	}
	q.Partial, q.Changed = false, Changed{Context: true, Baseline: true}
	if b = r.Load(t.Context(), q); !b.Complete || b.Judge(file, nil).Steps[2].Status != cachemodel.Cached {
		t.Errorf("when all is read: complete: %v, %+v", b.Complete, b.Judge(file, nil).Steps[2])
	}
}
