package invocation

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerwise/layerwise/cachemodel"
)

func TestAmbient(t *testing.T) {
	const config = `{"proxies": {
		"default": {"httpProxy": "http://a", "allProxy": "http://all"},
		"tcp://other:2376": {"httpsProxy": "http://b", "noProxy": "localhost"}
	}}`
	tests := []struct {
		about string
		env   []string
		want  Ambient
	}{
		{"nothing but the settings", nil, Ambient{Args: map[string]string{"HTTP_PROXY": "http://a"}}},
		{
			"the proxies of another engine",
			[]string{"DOCKER_HOST=tcp://other:2376"},
			Ambient{Args: map[string]string{"HTTPS_PROXY": "http://b", "NO_PROXY": "localhost"}},
		},
		{
			"the classic builder is sent each proxy twice, and no time",
			[]string{"DOCKER_BUILDKIT=0", "SOURCE_DATE_EPOCH=1"},
			Ambient{Engine: cachemodel.Classic, Args: map[string]string{
				"HTTP_PROXY": "http://a", "http_proxy": "http://a", "ALL_PROXY": "http://all", "all_proxy": "http://all",
			}},
		},
		{
			"a time, a platform, BuildKit by name",
			[]string{"DOCKER_BUILDKIT=1", "SOURCE_DATE_EPOCH=1", "DOCKER_DEFAULT_PLATFORM=linux/arm64"},
			Ambient{Engine: cachemodel.BuildKit, Platform: "linux/arm64", Args: map[string]string{
				"HTTP_PROXY": "http://a", "SOURCE_DATE_EPOCH": "1",
			}},
		},
		{"what is no truth value says nothing", []string{"DOCKER_BUILDKIT=maybe", "DOCKER_CONFIG=/nowhere"}, Ambient{
			Args: map[string]string{},
		}},
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			got := AmbientOf(append([]string{"HOME=" + home}, test.env...))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for name := range got.Args {
				if !IsAmbient(name) {
					t.Errorf("%s is not known to come by itself", name)
				}
			}
		})
	}
}
