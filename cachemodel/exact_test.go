package cachemodel

import (
	"io"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// What nobody knows has no key: an image without a digest, a RUN that has the variables of an image of unknown
// configuration, a file with other contents than when it was looked at. That the others are BuildKit's is for the
// conformance module to say.
func TestExactIsNotGuessed(t *testing.T) {
	const text = "FROM node:22\nCOPY a.txt /app/\nRUN make\n"
	pinned := map[string]Image{"docker.io/library/node:22": {Digest: "sha256:1", Env: []string{"PATH=/bin"}}}
	digestOnly := map[string]Image{"docker.io/library/node:22": {Digest: "sha256:1", DigestOnly: true}}
	for _, test := range []struct {
		name              string
		images            map[string]Image
		contents          string
		image, run, files bool // whether the keys of FROM and RUN, and the digest of the file, are known
	}{
		{"nothing is known of the image", nil, "a", false, false, true},
		{"the image's digest, but not its variables", digestOnly, "a", true, false, true},
		{"all is known", pinned, "a", true, true, true},
		{"the file has changed since", pinned, "other", true, true, false},
	} {
		p := NewPlan(Build{
			File: dockerfile.Parse(source.New(text), nil), Images: test.images,
			Context:  tree(map[string]testFile{"a.txt": {data: "a", mode: 0o644}}),
			Settings: Settings{Platform: "linux/amd64"},
		})
		v := p.Exact(func(string, *buildcontext.Node) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(test.contents)), nil
		})
		if len(v) != 3 || (v[0].Digest != "") != test.image || v[1].Digest == "" || (v[2].Digest != "") != test.run ||
			(v[1].Inputs[1].Content != "") != test.files {
			t.Errorf("%s: got %+v", test.name, v)
		}
	}
}
