package baseline

import (
	"maps"
	"slices"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// The newest build that read an image tells its configuration, or nobody does.
func TestConfigs(t *testing.T) {
	of := func(platform, context, digest, env string) *Contents {
		image := cachemodel.Image{Digest: digest, DigestOnly: env == "", Env: []string{env}}
		return &Contents{Record: &record.Record{
			Settings:      cachemodel.Settings{Platform: platform},
			ContextImages: map[string]string{"base": context},
			Images:        map[string]cachemodel.Image{"base": image},
		}}
	}
	for prose, c := range map[string]struct {
		builds []*Contents // the newest first
		want   string
		here   *cachemodel.Image // that the builder has now
	}{
		"one build":                            {[]*Contents{of("", "x", "1", "A=1")}, "A=1", nil},
		"the newest counts":                    {[]*Contents{of("", "x", "2", "A=2"), of("", "x", "1", "A=1")}, "A=2", nil},
		"of the newest it is not known":        {[]*Contents{of("", "x", "2", ""), of("", "x", "1", "A=1")}, "", nil},
		"for another platform":                 {[]*Contents{of("linux/arm64", "x", "1", "A=1")}, "", nil},
		"the named context was another image":  {[]*Contents{of("", "y", "1", "A=1")}, "", nil},
		"of a build that is not on record":     {[]*Contents{{}}, "", nil},
		"another build is newer and is not it": {[]*Contents{{}, of("", "x", "1", "A=1")}, "A=1", nil},
		"the newest has it for other platforms": {
			[]*Contents{of("linux/arm64", "x", "2", "A=2"), of("", "x", "1", "A=1")}, "", nil,
		},
		"the builder has it and nobody built":       {nil, "A=3", &cachemodel.Image{Digest: "3", Env: []string{"A=3"}}},
		"the builder has another one by now":        {[]*Contents{of("", "x", "1", "A=1")}, "A=3", &cachemodel.Image{Digest: "3", Env: []string{"A=3"}}},
		"the builder has the one that was built on": {[]*Contents{of("", "x", "3", "A=3")}, "A=3", &cachemodel.Image{Digest: "3", Env: []string{"A=3"}}},
		"of that one the build does not tell":       {[]*Contents{of("", "x", "3", "")}, "", &cachemodel.Image{Digest: "3", Env: []string{"A=3"}}},
		"the builder does not say which one":        {[]*Contents{of("", "x", "1", "")}, "", &cachemodel.Image{Env: []string{"A=3"}}},
	} {
		b := Baseline{Builds: c.builds}
		if c.here != nil {
			b.Here = map[string]cachemodel.Image{"base": *c.here}
		}
		known := b.Configs("", map[string]string{"base": "x"})
		got := ""
		for _, image := range known {
			if image.Digest != "" {
				t.Errorf("%s: the digest %s is kept", prose, image.Digest)
			}
			got = image.Env[0]
		}
		if got != c.want {
			t.Errorf("%s: %q (%v) instead of %q", prose, got, slices.Collect(maps.Keys(known)), c.want)
		}
	}
}
