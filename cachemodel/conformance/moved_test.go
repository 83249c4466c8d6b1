package conformance

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// A Docker engine builds upon the image that it has by a name: what that sets, and whether the name stands for another
// image than before, is asked of its image store.
func TestEngineImages(t *testing.T) {
	e := engineKinds()[0].run(t)
	cache := t.TempDir()
	command, dir := buildCommand(t, t.TempDir()), filepath.Join(t.TempDir(), "p")
	writeAll(t, dir, map[string]string{
		"a.txt": "a", "b.txt": "b", "Dockerfile": "FROM tag\nCOPY b.txt /b\nRUN true\n",
	})
	tag := func(image string) {
		t.Helper()
		if err := e.Call(t.Context(), http.MethodPost, "/images/"+image+"/tag?repo=tag&tag=latest", nil); err != nil {
			t.Fatal(err)
		}
	}
	predict := func() map[int]cachemodel.Step {
		t.Helper()
		cmd := exec.Command(command, "predict", "--format", "json")
		cmd.Dir, cmd.Env = dir, append(slices.Clone(e.Env), "XDG_CACHE_HOME="+cache)
		out, err := cmd.Output()
		var report workspace.Report
		if err == nil {
			err = json.Unmarshal(out, &report)
		}
		if err != nil {
			t.Fatal(err)
		}
		steps := map[int]cachemodel.Step{}
		for _, s := range report.Steps {
			steps[s.Line] = s
		}
		return steps
	}
	build := func() int {
		t.Helper()
		did, err := engineBuilder{e}.buildDir(t.Context(), dir, "Dockerfile", nil)
		if err != nil {
			t.Fatal(err)
		}
		return did[3].Executed
	}
	tag("base")
	build()
	if s := predict()[3]; s.Status != cachemodel.Cached || len(s.Assuming) > 1 {
		t.Errorf("it is the same: %+v", s)
	}
	if build() > 0 {
		t.Error("it ran")
	}
	for _, other := range []string{"base2", "base3"} { // with the same layers and variables; with another variable
		tag(other)
		if s := predict()[3]; s.Status == cachemodel.Cached || s.Certain != (other == "base3") {
			t.Errorf("it is %s: %+v", other, s)
		}
		if build() == 0 {
			t.Error("it did not run")
		}
	}
	tag("base")
	if s := predict()[3]; s.Status != cachemodel.Cached {
		t.Errorf("it is what was built upon before: %+v", s)
	}
	if build() > 0 {
		t.Error("it ran")
	}
	tag("triggers")
	if s := predict()[1]; s.Status != cachemodel.Rebuilt {
		t.Errorf("the image's triggers are not seen: %+v", s)
	}
	// The first record of a build upon it has the files that its triggers copy.
	tools := t.TempDir()
	cache = t.TempDir() // nobody has read them yet
	script := "#!/bin/sh\nexec " + e.Builder[0] + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(tools, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command, "build", "--", "docker", "build", "--network", "host", ".")
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(e.Env), "XDG_CACHE_HOME="+cache, "PATH="+tools+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if s := predict()[1]; s.Status != cachemodel.Cached {
		t.Errorf("of what the triggers copy nothing changed: %+v %+v", s, s.Cause)
	}
	writeAll(t, dir, map[string]string{"a.txt": "other"})
	if s := predict()[1]; s.Status != cachemodel.Rebuilt || !s.Certain {
		t.Errorf("what the triggers copy has changed: %+v", s)
	}
}
