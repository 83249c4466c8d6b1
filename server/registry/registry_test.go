package registry_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	local "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/layerwise/layerwise/server/registry"
)

// serve starts a registry with an image of these tags; with a password it asks for "user" and that. It counts the
// requests.
func serve(t *testing.T, password string, tags ...string) (image string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	handler := local.New(local.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if _, given, _ := r.BasicAuth(); given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	image = strings.TrimPrefix(server.URL, "http://") + "/team/app"
	for _, tag := range tags {
		ref, err := name.NewTag(image + ":" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, empty.Image, remote.WithAuth(&authn.Basic{Username: "user",
			Password: password})); err != nil {
			t.Fatal(err)
		}
	}
	return image, requests
}

// config makes a Docker configuration with a password for the image's registry.
func config(t *testing.T, image, password string) {
	t.Helper()
	dir := t.TempDir()
	host, _, _ := strings.Cut(image, "/")
	text := fmt.Sprintf(
		`{"auths": {%q: {"auth": %q}}}`,
		host,
		base64.StdEncoding.EncodeToString([]byte("user:"+password)),
	)
	if password == "" {
		text = "{}"
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
}

// Tags are asked for once, then known, also by the next process; the newest come first.
func TestTags(t *testing.T) {
	for _, password := range []string{"", "secret"} {
		image, requests := serve(t, password, "1.9", "1.10", "latest", "1.10-slim", "edge")
		config(t, image, password)
		dir := t.TempDir()
		tags := registry.New(dir)
		known, ask := tags.Known(image)
		if len(known) > 0 || !ask {
			t.Fatalf("at first %v, ask %t", known, ask)
		}
		if _, again := tags.Known(image); again || !tags.Pending(image) {
			t.Error("two are told to ask")
		}
		if err := tags.Ask(t.Context(), image); err != nil {
			t.Fatal(err)
		}
		want := []string{"latest", "1.10", "1.10-slim", "1.9", "edge"}
		asked := requests.Load()
		for _, of := range []*registry.Tags{tags, registry.New(dir)} {
			if known, ask = of.Known(image); !slices.Equal(known, want) || ask {
				t.Errorf("then %v, ask %t", known, ask)
			}
		}
		if requests.Load() != asked {
			t.Error("what is known was asked for again")
		}
	}
}

// Without credentials, and where nobody answers, there is an error that names the image, and no second try at once.
func TestFailure(t *testing.T) {
	image, _ := serve(t, "secret", "1")
	config(t, image, "")
	for _, image := range []string{image, "127.0.0.1:1/app"} {
		tags := registry.New(t.TempDir())
		tags.Known(image)
		err := tags.Ask(t.Context(), image)
		if err == nil || !strings.Contains(err.Error(), image) {
			t.Errorf("error %v", err)
		}
		if _, ask := tags.Known(image); ask || tags.Pending(image) {
			t.Error("it is asked again at once")
		}
	}
	if known, ask := registry.New("").Known("No Image"); known != nil || ask {
		t.Error("what is no image is asked for")
	}
}

func TestNewer(t *testing.T) {
	want := []string{
		"latest",
		"v23",
		"22",
		"22-alpine",
		"22.9",
		"22.9.1",
		"22.9.1-slim",
		"22.8",
		"3.20",
		"3.3",
		"alpine",
		"slim",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, registry.Newer)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
