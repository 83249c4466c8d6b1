package workspace

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
)

// A Reader that is asked for what CI has follows the CI's files, as in an editor.
func TestCIIsFollowed(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("CI'S BUILDS ARE NOT COMPARED: there is no git")
	}
	const workflow = "on: [push, pull_request]\njobs:\n  app:\n    steps:\n" +
		"      - {uses: docker/build-push-action@v6, with: {context: ., cache-from: type=gha, cache-to: type=gha}}\n"
	w := open(t, "-- Dockerfile --\nFROM a AS build\nRUN b\nCOPY c /\nFROM a\nCOPY --from=build /c /\n-- c --\n1\n"+
		"-- .github/workflows/ci.yml --\n"+workflow)
	ci := filepath.Join(w.Folder, ".github", "workflows", "ci.yml")
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = w.Folder
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	if err := os.Remove(filepath.Join(w.Folder, ".git")); err != nil {
		t.Fatal(err)
	}
	git("init", "-q", "-b", "main")
	git("add", ".")
	git("commit", "-qm", "one")
	git("checkout", "-qb", "feature")
	git("commit", "-q", "--allow-empty", "-m", "two")
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(w.Folder, "c"), "2\n")
	dockerfile := filepath.Join(w.Folder, "Dockerfile")
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	file, r := parse(string(text)), w.Reader(dockerfile)
	statuses := func(c Choices, changed Changed) (*Build, string) {
		b := r.Load(t.Context(), Question{Choices: c, File: file, Changed: changed})
		var out []string
		for _, s := range b.Judge(file, nil).Steps {
			one := string(s.Status)
			if s.Status == cachemodel.Rebuilt && !s.Certain {
				one = "maybe"
			}
			out = append(out, one)
		}
		return b, strings.Join(out, " ")
	}
	auto := Choices{Baseline: "ci:auto"}
	for _, test := range []struct {
		about, text  string
		want, reason string
	}{
		{"min is what main exported", workflow, "cached rebuilt rebuilt cached maybe", "with mode=min"},
		{"no cache is imported", strings.Replace(workflow, "cache-from: type=gha, ", "", 1),
			"cached rebuilt rebuilt cached rebuilt", "no cache-from"},
		{"max, which is not yet on main", strings.Replace(workflow, "to: type=gha", "to: 'type=gha,mode=max'", 1),
			"cached rebuilt rebuilt cached maybe", "with mode=min"},
		{"not known", strings.Replace(workflow, "from: type=gha", "from: '${{ vars.CACHE }}'", 1),
			"cached maybe maybe cached maybe", "not known"},
	} {
		put(ci, test.text)
		b, got := statuses(auto, Changed{Builds: true})
		if got != test.want || b.CI == nil || !strings.Contains(b.CI.Imported.Reason, test.reason) {
			t.Errorf("%s: %s, want %s; %+v", test.about, got, test.want, b.CI)
		}
		if b.Asked != "ci:auto" || !slices.Contains(b.BuildFiles, ci) {
			t.Errorf("%s: asked for %s; the workflow is not followed: %v", test.about, b.Asked, b.BuildFiles)
		}
	}
	put(ci, "on: push\n")
	if b, got := statuses(auto, Changed{Builds: true}); len(b.Problems) == 0 ||
		got != "cached maybe maybe cached maybe" {
		t.Errorf("no build is found: %s, %v", got, b.Problems)
	}
	if b, got := statuses(Choices{Baseline: "git"}, Changed{}); got != "cached cached rebuilt cached maybe" || b.CI != nil {
		t.Errorf("afterwards, compared with git: %s", got)
	}
}

// Each event asks for the same files, and a file of a revision is dear to read: it is read once, also where it is not
// there.
func TestCIFilesAreReadOnce(t *testing.T) {
	asked := 0
	read := onlyOnce(func(path string) ([]byte, error) {
		asked++
		return []byte(path), os.ErrNotExist
	})
	for range 2 {
		if text, err := read("a"); string(text) != "a" || err == nil {
			t.Errorf("got %q, %v", text, err)
		}
	}
	if asked != 1 {
		t.Errorf("it was read %d times", asked)
	}
}

// A push may build a Dockerfile several times. What a pull request builds too is judged as it does that.
func TestCIBuilds(t *testing.T) {
	c := &CI{
		pull: []pipeline.Build{{Dockerfile: "/a", Job: "request"}},
		push: []pipeline.Build{{Dockerfile: "/a", Job: "a"}, {Dockerfile: "/b", Job: "b1"}, {Dockerfile: "/b", Job: "b2"}},
	}
	var jobs []string
	for _, b := range c.Builds() {
		jobs = append(jobs, b.Job)
	}
	if got := strings.Join(jobs, " "); got != "request b1 b2" {
		t.Errorf("the builds are %s", got)
	}
}
