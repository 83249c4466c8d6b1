package baseline

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Of the other machine's folders nothing is taken over; builds of another Dockerfile are in the same cache.
func TestElsewhere(t *testing.T) {
	build := func(dockerfile string) *Contents {
		return &Contents{File: parse([]byte("FROM scratch\n")), Context: buildcontext.Unknown(),
			Checkout: Checkout{Commit: "c0ffee", Context: "."},
			Record: &record.Record{Dockerfile: dockerfile, ContextDir: "/runner/work",
				Contexts: map[string]record.NamedContext{"lib": {Dir: "/runner/lib"}}}}
	}
	made := []*Contents{build("/runner/work/Dockerfile"), build(`D:\a\web\Dockerfile.dev`), build(`D:\a\Dockerfile`)}
	r := Request{Dockerfile: "/home/me/web/Dockerfile", ContextDir: t.TempDir()} // in no repository
	answer, err := Elsewhere{made, "the builder of CI"}.History(Options{})(t.Context(), r)
	if err != nil || len(answer.Builds) != 2 || len(answer.Others) != 1 || !answer.Others[0].Other() {
		t.Fatalf("%+v, %v", answer, err)
	}
	for _, c := range answer.Builds {
		if lib := c.Record.Contexts["lib"]; c.Record.ContextDir != "" || lib.Dir != "" || lib.Tree == nil {
			t.Errorf("%+v", c.Record)
		}
		if len(c.Record.Notes) != 0 {
			t.Errorf("the commit is not there, but: %q", c.Record.Notes)
		}
	}
	if made[0].Record.ContextDir == "" {
		t.Error("the build itself was changed")
	}
}

// Files are those of the commit only where the build context was the same folder, and a build is this Dockerfile's only
// where that was in the same one.
func TestElsewhereInRepository(t *testing.T) {
	top := t.TempDir()
	for _, folder := range []string{"web", "api"} {
		if err := os.Mkdir(filepath.Join(top, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, folder, "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", top}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	r := Request{Dockerfile: filepath.Join(top, "web", "Dockerfile"), ContextDir: filepath.Join(top, "web")}
	for _, c := range []struct {
		about         string
		at            Checkout
		others, known bool
	}{
		{"the same build", Checkout{"HEAD", "web", "web"}, false, true},
		{"built with the whole repository", Checkout{"HEAD", ".", "web"}, false, false},
		{"another Dockerfile of that name", Checkout{"HEAD", "api", "api"}, true, false},
		{"a commit alone", Checkout{Commit: "HEAD"}, false, false},
		{"files that were not committed", Checkout{Context: "web", Folder: "web"}, false, false},
	} {
		made := &Contents{
			File: parse([]byte("FROM scratch\n")), Context: buildcontext.Unknown(), Checkout: c.at,
			Record: &record.Record{Dockerfile: "Dockerfile", Context: buildcontext.Unknown()},
		}
		answer, err := Elsewhere{[]*Contents{made}, "CI"}.History(Options{})(t.Context(), r)
		if err != nil || len(answer.Others) == 1 != c.others || len(answer.Builds) == 1 == c.others {
			t.Errorf("%s: %+v, %v", c.about, answer, err)
		} else if !c.others && (answer.Builds[0].Context != made.Context) != c.known {
			t.Errorf("%s: whether the files are known is not %v", c.about, c.known)
		}
	}
}
