package conformance

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// `layerwise why` says of builds with docker build what the engine did, from its history and from what docker buildx
// history export writes of it.
func TestWhyOnEngine(t *testing.T) {
	e := engineKinds()[0].run(t)
	command := buildCommand(t, t.TempDir())
	dir := filepath.Join(t.TempDir(), "p")
	bundle := filepath.Join(t.TempDir(), "all.dockerbuild")
	text, files, args := whyText, map[string]string{"a.txt": "a", "package.txt": "p", "lib": ""}, map[string]string{}
	text = strings.ReplaceAll(text, "lib/*", "lib")
	run := func(env []string, command string, args ...string) []byte {
		t.Helper()
		var stderr strings.Builder
		cmd := exec.Command(command, args...)
		cmd.Dir, cmd.Env, cmd.Stderr = dir, env, &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", command, args, err, stderr.String())
		}
		return out
	}
	right := 0
	build := func() (Truth, *workspace.Why) {
		t.Helper()
		files["Dockerfile"] = text
		writeAll(t, dir, files)
		options := []string{}
		for k, v := range args {
			options = append(options, "--build-arg", k+"="+v)
		}
		did, err := engineBuilder{e}.buildDir(t.Context(), dir, "Dockerfile", options)
		if err != nil {
			t.Fatal(err)
		}
		why := new(workspace.Why)
		out := run(append(slices.Clone(e.Env), "XDG_CACHE_HOME="+dir+"/cache"), command, "why", "--format", "json")
		if err := json.Unmarshal(out, why); err != nil {
			t.Fatal(err)
		}
		return did, why
	}
	agree := func(name string, did Truth, why *workspace.Why) {
		t.Helper()
		if why.Broken > 0 || why.Unknown > 0 {
			t.Errorf("%s: %d broken, %d unknown", name, why.Broken, why.Unknown)
		}
		for _, s := range why.Steps {
			lt, ok := did[s.Line]
			if ok && lt.Vertices > 0 && s.Instruction != "FROM" && (s.Hit == nil || *s.Hit != (lt.Executed == 0)) {
				t.Errorf("%s: line %d %s ran %d times: %+v", name, s.Line, s.Text, lt.Executed, s)
			}
		}
	}
	did, why := build()
	agree("the first build", did, why)
	for _, edit := range whyEdits {
		if strings.HasPrefix(edit.name, "a file in") || strings.HasPrefix(edit.name, "a new file") {
			continue // lib is a file here
		}
		text = strings.Replace(text, edit.old, edit.new, 1)
		maps.Copy(files, edit.files)
		maps.Copy(args, edit.args)
		did, why = build()
		agree(edit.name, did, why)
		if first := firstRun(why); first == nil && edit.line == 0 || first != nil && first.Line == edit.line &&
			first.Cause != nil && first.Cause.Kind == edit.kind {
			right++
		} else {
			t.Errorf("%s: %+v", edit.name, first)
		}
		run(e.Env, e.Builder[0], "history", "export", "--output", bundle, "--all")
		exported := new(workspace.Why)
		if err := json.Unmarshal(run(nil, command, "why", bundle, "--format", "json"), exported); err != nil {
			t.Fatal(err)
		}
		agree(edit.name+", exported", did, exported)
		first, same := firstRun(why), firstRun(exported)
		if edit.kind != cachemodel.ContextChanged && first != nil && first.Cause.Detail != same.Cause.Detail {
			t.Errorf("%s, exported: %+v, not %+v", edit.name, same.Cause, first.Cause)
		}
	}
	t.Logf("the cause is what was edited in %d of %d", right, len(whyEdits)-2)
}

// firstRun is the first step that ran, nil if none did.
func firstRun(why *workspace.Why) *workspace.WhyStep {
	i := slices.IndexFunc(why.Steps, func(s workspace.WhyStep) bool { return s.Hit != nil && !*s.Hit })
	if i < 0 {
		return nil
	}
	return &why.Steps[i]
}

// `layerwise predict --baseline FILE.dockerbuild` compares with the builds of the file, whose files are those of the
// commits that they name: in another clone and without the engine it says what the engine then does.
func TestBundleAsBaseline(t *testing.T) {
	e := engineKinds()[0].run(t)
	command := buildCommand(t, t.TempDir())
	dir, clone := filepath.Join(t.TempDir(), "p"), filepath.Join(t.TempDir(), "clone")
	bundle := filepath.Join(t.TempDir(), "ci.dockerbuild")
	text := strings.ReplaceAll(whyText, "lib/*", "lib")
	files := map[string]string{".dockerignore": ".git\nDockerfile\n", "Dockerfile": text, "a.txt": "a",
		"package.txt": "p", "lib": ""}
	writeAll(t, dir, files)
	git(t, dir, "init", "-q", ".")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-qm", "one")
	if _, err := (engineBuilder{e}).buildDir(t.Context(), dir, "Dockerfile", nil); err != nil {
		t.Fatal(err)
	}
	export := exec.Command(e.Builder[0], "history", "export", "--output", bundle, "--all")
	export.Env = e.Env
	if out, err := export.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	git(t, dir, "clone", "-q", dir, clone)
	for _, edit := range []struct {
		name, file, text string
		promised         int
	}{
		{"nothing", "a.txt", "a", 8},
		{"a file", "a.txt", "other", 3},
		{"a command", "Dockerfile", strings.Replace(text, "echo last", "echo first", 1), 7},
		{"a variable", "Dockerfile", strings.Replace(text, "MODE=one", "MODE=two", 1), 5},
	} {
		writeAll(t, clone, files)
		writeAll(t, clone, map[string]string{edit.file: edit.text})
		predict := exec.Command(command, "predict", "--baseline", bundle, "--format", "json")
		predict.Dir, predict.Env = clone, append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir())
		out, err := predict.Output()
		var report workspace.Report
		if err := errors.Join(err, json.Unmarshal(out, &report)); err != nil {
			t.Fatalf("%s: %v\n%s", edit.name, err, out)
		}
		did, err := (engineBuilder{e}).buildDir(t.Context(), clone, "Dockerfile", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, promised := holds(t, edit.name, report.Steps, did); promised != edit.promised {
			t.Errorf("%s: %d steps are promised, want %d:\n%s", edit.name, promised, edit.promised, out)
		}
		const want = "the builder of ci.dockerbuild builds next, still has what it built, and built what was committed"
		if got := report.Baseline.Assumed; got != want {
			t.Errorf("%s: if %q, want %q", edit.name, got, want)
		}
	}
}
