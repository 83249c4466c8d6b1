package baseline

import (
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Of the other machine's folders nothing is taken over; builds of another Dockerfile are in the same cache.
func TestElsewhere(t *testing.T) {
	build := func(dockerfile string) *Contents {
		return &Contents{File: parse([]byte("FROM scratch\n")), Context: buildcontext.Unknown(), Revision: "c0ffee",
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
