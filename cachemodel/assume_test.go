package cachemodel

import (
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Each cached step says what it rests on that nobody can know.
func TestAssuming(t *testing.T) {
	const same, onbuild = "base:latest is still the same image", "base:latest has no ONBUILD instructions"
	const frontend = "docker/dockerfile:1 makes the same of this file as the frontend of the earlier build"
	known := map[string]Image{"docker.io/library/base:latest": {Digest: "sha256:1"}}
	digest := map[string]Image{"docker.io/library/base:latest": {Digest: "sha256:1", DigestOnly: true}}
	config := map[string]Image{"docker.io/library/base:latest": {User: "app"}}
	for _, test := range []struct {
		name, text string
		images     map[string]Image
		engine     Engine
		last       []string // of the last step
	}{
		{"a tag may move", "FROM base\nRUN a\nRUN b\n", nil, BuildKit, []string{same, onbuild}},
		{"the base alone", "FROM base\n", nil, BuildKit, []string{same, onbuild}},
		{"the classic builder too", "FROM base\nLABEL a=b\n", nil, Classic, []string{same, onbuild}},
		{"a known image", "FROM base\nRUN a\n", known, BuildKit, nil},
		{"only its digest", "FROM base\nRUN a\n", digest, BuildKit, []string{onbuild}},
		{"only its configuration", "FROM base\nRUN a\n", config, BuildKit, []string{same}},
		{"nothing below", "FROM scratch\nCOPY --from=base /a /a\n", nil, BuildKit, []string{same}},
		{"another stage's " +
			"base", "FROM base AS one\nRUN a\nFROM scratch\nCOPY --from=one /a " +
			"/a\n", nil, BuildKit, []string{same, onbuild}},
		{"a frontend that " +
			"moves", "# syntax=docker/dockerfile:1\nFROM base\nRUN a\n", known, BuildKit, []string{frontend}},
		{"a frontend that does not", "# syntax=docker/dockerfile:1.7\nFROM base\nRUN a\n", known, BuildKit, nil},
		{"no frontend", "# syntax=docker/dockerfile:1\nFROM base\nRUN a\n", known, Classic, nil},
	} {
		build := Build{
			File:     dockerfile.Parse(source.New(test.text), nil),
			Images:   test.images,
			Settings: Settings{Engine: test.engine},
		}
		steps := Compare(Pasts(NewPlan(build)), NewPlan(build))
		last := steps[len(steps)-1]
		if got, want := strings.Join(last.Assuming, "; "), strings.Join(test.last, "; "); last.Status != Cached ||
			got != want {
			t.Errorf("%s: %s, assuming %q, want %q", test.name, last.Status, got, want)
		}
	}
}
