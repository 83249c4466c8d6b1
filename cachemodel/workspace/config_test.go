package workspace

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/record"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The nearest configuration counts, and none above the repository.
func TestFindConfig(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, ".layerwise.yaml"), "rules:\n  no-stage: hint\n")
	write(t, filepath.Join(root, "repository", ".git", "HEAD"), "")
	write(t, filepath.Join(root, "repository", "near", ".layerwise.yaml"), "rules:\n  no-stage: off\n  no-stag: off\n")
	write(t, filepath.Join(root, "repository", "near", "deep", "x"), "")
	write(t, filepath.Join(root, "elsewhere", "x"), "")

	near := FindConfig(filepath.Join(root, "repository", "near", "deep"))
	if diff := cmp.Diff([]string{"no-stage"}, near.Rules.Off); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"line 3: there is no rule no-stag (did you mean " +
		"no-stage?)"}, near.Problems); diff != "" {
		t.Error(diff)
	}
	deep := filepath.Join(root, "repository", "near", "deep")
	want := []string{
		filepath.Join(
			deep,
			".layerwise.yaml",
		), filepath.Join(deep, ".hadolint.yaml"), filepath.Join(deep, ".hadolint.yml"),
		filepath.Join(root, "repository", "near", ".layerwise.yaml"),
	}
	if diff := cmp.Diff(want, near.Looked); diff != "" || near.Path != want[3] {
		t.Error(diff, near.Path)
	}
	if none := FindConfig(filepath.Join(root, "repository")); none.Path != "" || len(none.Looked) != 3 {
		t.Errorf("looked above the repository: %+v", none)
	}
	if above := FindConfig(filepath.Join(root, "elsewhere")); above.Rules.Severity["no-stage"] != analysis.Hint {
		t.Errorf("%+v", above)
	}
}

// What is sent is listed two folders deep, as the ignore file leaves it, whether the build context was read or not.
func TestRuleOptions(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{".git/HEAD", "web/node_modules/a", "web/b.js", "secret/key", "node_modules/c"} {
		write(t, filepath.Join(root, path), "x")
	}
	path := filepath.Join(root, "Dockerfile")
	write(t, path, "FROM x\n")
	write(t, filepath.Join(root, ".dockerignore"), "secret\n")
	w := &Workspace{Store: record.NewStore(""), Folder: root}
	q := Question{File: parse("FROM x\n"), Uncompared: true}
	for _, b := range []*Build{w.Reader(path).Resolve(t.Context(), q), w.Reader(path).Load(t.Context(), q)} {
		o := b.RuleOptions(rules.Options{}, nil)
		if o.Ignore == nil || !o.Ignore.Ignores("secret/key") {
			t.Fatal("the ignore file is not known")
		}
		want := []string{
			".dockerignore",
			".git/",
			"Dockerfile",
			"node_modules/",
			"web/",
			"web/b.js",
			"web/node_modules/",
		}
		if diff := cmp.Diff(want, o.Context.Sent); diff != "" {
			t.Error(diff)
		}
	}
	write(t, filepath.Join(root, ".dockerignore"), "[\n")
	if o := w.Reader(path).Resolve(t.Context(), q).RuleOptions(rules.Options{}, nil); o.Context != nil {
		t.Error("of a malformed ignore file it is known what it leaves out")
	}
}
