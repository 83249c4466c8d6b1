package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/layerwise/layerwise/server/registry"
)

var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// imageOf makes an image for a platform with this many layers of 100 random bytes.
func imageOf(t *testing.T, platform string, layers int64) v1.Image {
	t.Helper()
	image, err := random.Image(100, layers)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture, config.Variant, config.Created = p.OS, p.Architecture, p.Variant, v1.Time{
		Time: made,
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

// What is asked for once is known then: of an index the manifest for the platform, of an image alone that; attestations
// are no images.
func TestImages(t *testing.T) {
	base, requests := serve(t, "secret")
	config(t, base, "secret")
	auth := remote.WithAuth(&authn.Basic{Username: "user", Password: "secret"})
	tag := func(s string) name.Tag {
		ref, err := name.NewTag(base + ":" + s)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	amd, arm := imageOf(t, "linux/amd64", 2), imageOf(t, "linux/arm64/v8", 3)
	var index v1.ImageIndex = empty.Index
	for _, add := range []struct {
		image    v1.Image
		platform string
	}{{amd, "linux/amd64"}, {arm, "linux/arm64/v8"}, {imageOf(t, "unknown/unknown", 1), "unknown/unknown"}} {
		p, err := v1.ParsePlatform(add.platform)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(
			index,
			mutate.IndexAddendum{Add: add.image, Descriptor: v1.Descriptor{Platform: p}},
		)
	}
	if err := remote.WriteIndex(tag("many"), index, auth); err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag("one"), arm, auth); err != nil {
		t.Fatal(err)
	}

	images := registry.NewImages()
	for _, test := range []struct {
		tag, platform    string
		want, platforms  string
		layers           v1.Image
		digestOfTheWhole interface{ Digest() (v1.Hash, error) }
	}{
		{"many", "linux/amd64", "linux/amd64", "linux/amd64 linux/arm64/v8", amd, index},
		{"many", "linux/arm64", "linux/arm64/v8", "linux/amd64 linux/arm64/v8", arm, index},
		{"many", "linux/s390x", "linux/amd64", "linux/amd64 linux/arm64/v8", amd, index},
		{"one", "linux/amd64", "linux/arm64/v8", "linux/arm64/v8", arm, arm},
	} {
		a, ask := images.Find(base+":"+test.tag, test.platform)
		if !ask {
			t.Fatalf("%v: not to be asked for", test)
		}
		if _, again := images.Find(base+":"+test.tag, test.platform); again {
			t.Error("two are told to ask")
		}
		images.Ask(t.Context(), a)
		<-a.Done()
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		digest, _ := test.digestOfTheWhole.Digest()
		manifest, _ := test.layers.Manifest()
		size := int64(0)
		for _, l := range manifest.Layers {
			size += l.Size
		}
		got := a.Image
		if got.Digest != digest.String() || got.Size != size || !got.Created.Equal(made) || got.Platform != test.want ||
			strings.Join(got.Platforms, " ") != test.platforms {
			t.Errorf("%s for %s: %+v", test.tag, test.platform, got)
		}
		asked := requests.Load()
		if again, ask := images.Find(base+":"+test.tag, test.platform); again != a || ask || requests.Load() != asked {
			t.Error("what is known is asked for again")
		}
	}
	for _, ref := range []string{base + ":none", "127.0.0.1:1/app", "No Image", ""} {
		a, ask := images.Find(ref, "linux/amd64")
		images.Ask(t.Context(), a)
		<-a.Done()
		if _, again := images.Find(ref, "linux/amd64"); a.Err == nil || !ask || again {
			t.Errorf("%q: error %v, ask %t, again %t", ref, a.Err, ask, again)
		}
	}
}
