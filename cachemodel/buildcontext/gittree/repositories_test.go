package gittree

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

var repositoriesFlag = flag.String("repositories", "", "git repositories, separated by commas, for TestRepositories")

// The tree of a commit is that of git archive in real repositories too, but for what only an archive does, which is
// turned off: leaving out files (export-ignore) and filling in others (export-subst).
func TestRepositories(t *testing.T) {
	if *repositoriesFlag == "" {
		t.Skip("NO REAL REPOSITORIES: name some with -args -repositories DIR,DIR")
	}
	for from := range strings.SplitSeq(*repositoriesFlag, ",") {
		t.Run(filepath.Base(strings.TrimSuffix(from, "/repo")), func(t *testing.T) {
			r := newRepo(t)
			r.git("clone", "-q", "--no-hardlinks", from, "clone")
			r.dir = filepath.Join(r.dir, "clone")
			if _, err := os.Stat(filepath.Join(r.dir, ".dockerignore")); err == nil { // everything is compared
				r.git("rm", "-q", ".dockerignore")
				r.git("-c", "user.email=a@example.com", "-c", "user.name=A", "commit", "-qm", "x")
			}
			r.write(".git/info/attributes", "* -export-ignore -export-subst\n", 0o644)
			tree, err := Load(t.Context(), r.dir, "HEAD", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			archive := scan(t, r.archive("HEAD"))
			var count func(n *buildcontext.Node) int
			count = func(n *buildcontext.Node) int {
				sum := 1
				for _, c := range n.Children() {
					sum += count(c)
				}
				return sum
			}
			d := diff(archive, tree)
			for _, c := range d {
				t.Errorf("%s %s", c.Path, c.Kind)
			}
			t.Logf("%d entries, %d differences", count(tree.Root()), len(d))
		})
	}
}
