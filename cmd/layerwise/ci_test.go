package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestAction runs the script of action.yml as GitHub does, with its variables, in a clone of a pull request: HEAD is a
// merge commit that has no branch.
func TestAction(t *testing.T) {
	for _, program := range []string{"git", "bash"} {
		if _, err := exec.LookPath(program); err != nil || runtime.GOOS == "windows" {
			t.Skipf("THE ACTION IS NOT RUN: there is no %s", program)
		}
	}
	script, env := actionStep(t)
	home := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Join(home, "tools")
	if err := os.Mkdir(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	// testscript.Main makes the test binary each of its commands, by the name that it is run with.
	if err := os.Symlink(self, filepath.Join(tools, "layerwise")); err != nil {
		t.Fatal(err)
	}
	base := []string{
		"HOME=" + home, "PATH=" + tools + string(os.PathListSeparator) + os.Getenv("PATH"), "TMPDIR=" + home,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@example.com",
	}
	run := func(dir string, extra []string, command ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir, cmd.Env = dir, append(append([]string{}, base...), extra...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	git := func(dir string, args ...string) string {
		t.Helper()
		out, code := run(dir, nil, append([]string{"git"}, args...)...)
		if code != 0 {
			t.Fatalf("git %v: %s", args, out)
		}
		return strings.TrimSpace(out)
	}
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	origin := filepath.Join(home, "origin")
	put(filepath.Join(origin, "Dockerfile"), "FROM alpine\nRUN install things\nCOPY a /\n")
	put(filepath.Join(origin, "a"), "1")
	put(filepath.Join(origin, ".github/workflows/ci.yml"), `on: [push, pull_request]
jobs:
  app:
    steps:
      - {uses: docker/build-push-action@v6, with: {context: ., cache-from: type=gha, cache-to: "type=gha,mode=max"}}
`)
	git(origin, "init", "-q", "-b", "preview")
	git(origin, "add", ".")
	git(origin, "commit", "-qm", "one")
	git(origin, "checkout", "-qb", "feature")
	put(filepath.Join(origin, "a"), "2")
	git(origin, "commit", "-qam", "two")
	git(origin, "checkout", "-q", "--detach", "preview")
	git(origin, "merge", "-q", "--no-ff", "feature", "-m", "merge")
	git(origin, "update-ref", "refs/pull/7/merge", "HEAD")
	git(origin, "checkout", "-q", "preview")

	// checkout does what actions/checkout does.
	checkout := func(name string, depth int) string {
		dir := filepath.Join(home, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		git(dir, "init", "-q")
		git(dir, "remote", "add", "origin", "file://"+origin)
		fetch := []string{"fetch", "-q", "--no-tags", "origin"}
		if depth > 0 {
			fetch = append(fetch, fmt.Sprintf("--depth=%d", depth), "+refs/pull/7/merge:refs/remotes/pull/7/merge")
		} else {
			fetch = append(fetch, "+refs/heads/*:refs/remotes/origin/*", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
		}
		git(dir, fetch...)
		git(dir, "checkout", "-q", "--force", "refs/remotes/pull/7/merge")
		return dir
	}
	variables := func(inputs map[string]string) []string {
		out := []string{
			"GITHUB_ACTIONS=true", "CI=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_BASE_REF=preview",
			"GITHUB_HEAD_REF=feature", "GITHUB_REF=refs/pull/7/merge", "RUNNER_TEMP=" + home,
			"GITHUB_EVENT_PATH=" + filepath.Join(home, "event.json"),
			"GITHUB_ACTION_PATH=" + filepath.Join(home, "nowhere"), "GITHUB_STEP_SUMMARY=" + filepath.Join(home, "summary"),
		}
		for name, value := range env {
			if input, ok := strings.CutPrefix(value, "${{ inputs."); ok {
				value = inputs[strings.TrimSuffix(input, " }}")]
			}
			out = append(out, name+"="+value)
		}
		return out
	}
	whole, shallow, merge := checkout("whole", 0), checkout("shallow", 1), checkout("merge", 2)
	event := filepath.Join(home, "event.json")
	put(event, fmt.Sprintf(`{"pull_request": {"base": {"sha": %q}}}`, git(origin, "rev-parse", "preview")))
	bash := []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script}
	for _, test := range []struct {
		name, dir string
		inputs    map[string]string
		code      int
		want      string
	}{
		{"a pull request", whole, map[string]string{"working-directory": "."}, 0, "2 of 3 steps cached"},
		{"what is copied must not change", whole, map[string]string{"working-directory": ".", "fail-on": "^COPY a"}, 1,
			"Dockerfile:3: COPY a / is rebuilt"},
		{"what is installed did not", whole, map[string]string{"working-directory": ".", "fail-on": "install"}, 0, ""},
		{"an input is no part of the script", whole,
			map[string]string{"working-directory": ".", "fail-on": `"; touch injected; $(touch injected)`}, 0, ""},
		{"without times nothing is said of them", whole, map[string]string{"working-directory": ".", "max-seconds": "5"},
			2, "is on no record"},
		{"the merge and what it merges", merge, map[string]string{"working-directory": "."}, 0, "2 of 3 steps cached"},
		{"without the history", shallow, map[string]string{"working-directory": "."}, 2, "fetch-depth: 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, code := run(test.dir, variables(test.inputs), bash...)
			if code != test.code || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, test.code, test.want, out)
			}
			if _, err := os.Stat(filepath.Join(test.dir, "injected")); err == nil {
				t.Error("the input was run")
			}
		})
	}
	summary, err := os.ReadFile(filepath.Join(home, "summary"))
	if want := "| 3 | `COPY a /` | a was modified |"; err != nil || !strings.Contains(string(summary), want) {
		t.Errorf("the summary lacks %q: %v\n%s", want, err, summary)
	}
}

// actionStep gives the script of action.yml and its variables.
func actionStep(t *testing.T) (script string, env map[string]string) {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]any
		Runs   struct {
			Using string
			Steps []struct {
				Shell, Run string
				Env        map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &action); err != nil {
		t.Fatal(err)
	}
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 1 || action.Runs.Steps[0].Shell != "bash" {
		t.Fatalf("the action has another shape: %+v", action.Runs)
	}
	step := action.Runs.Steps[0]
	if strings.Contains(step.Run, "${{") {
		t.Error("an expression is part of the script")
	}
	for name, value := range step.Env {
		input := strings.TrimSuffix(strings.TrimPrefix(value, "${{ inputs."), " }}")
		if action.Inputs[input] == nil {
			t.Errorf("%s is %s, which is no input", name, value)
		}
	}
	return step.Run, step.Env
}

// TestChangedLines compares with what a person would say that was changed.
func TestChangedLines(t *testing.T) {
	for _, test := range []struct{ name, before, now, want string }{
		{"nothing", "a\nb\n", "a\nb\n", "---"},
		{"a new file", "", "a\nb", "cc"},
		{"a line within", "a\nb\nc", "a\nx\nc", "-c-"},
		{"a line more", "a\nc", "a\nb\nc", "-c-"},
		{"a line less", "a\nb\nc", "a\nc", "--"},
		{"the ends", "a\nb\nc", "x\nb\ny", "c-c"},
		{"the same line again", "a\na", "a\na\na", "--c"},
		{"more than is compared", "x\n" + strings.Repeat("a\n", maxCompared) + "y", "a\nb", "cc"},
	} {
		changed := changedLines(test.before, test.now)
		got := ""
		for line := range strings.Split(test.now, "\n") {
			if changed(line) {
				got += "c"
			} else {
				got += "-"
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
