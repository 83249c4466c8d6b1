package workspace

import (
	"os/exec"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// What git holds of a build context that Dockerfiles share is read once; one with an ignore file of its own has
// another. A workspace whose files may change keeps nothing open.
func TestSharedRevisions(t *testing.T) {
	w := open(t, "-- a/Dockerfile --\nFROM a\nCOPY src /\n-- b/Dockerfile --\nFROM a\nCOPY src /\n-- src/x --\n"+
		"-- c/Dockerfile --\nFROM a\nCOPY src /\n-- c/Dockerfile.dockerignore --\nx\n"+
		"-- d/Dockerfile --\nFROM a\nCOPY src /\n-- d/Dockerfile.dockerignore --\ny\n")
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", w.Folder}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	fixed := &Workspace{Store: w.Store, Folder: w.Folder, Fixed: true}
	defer fixed.Close()
	held := func(w *Workspace, folder string) *buildcontext.Tree {
		b := ask(t, w, folder+"/Dockerfile", Choices{})
		if b.Compared.Context == nil {
			t.Fatalf("%s: compared with %q, problems %v", folder, b.Compared.Label, b.Problems)
		}
		return b.Compared.Context
	}
	if held(fixed, "a") != held(fixed, "b") {
		t.Error("a context that a and b share was read from git twice")
	}
	if a, c, d := held(fixed, "a"), held(fixed, "c"), held(fixed, "d"); a == c || c == d {
		t.Error("contexts with different ignore files are taken for one")
	}
	if first := held(w, "a"); first == held(w, "a") {
		t.Error("what may have changed was not read again")
	}
}
