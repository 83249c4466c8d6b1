package cachestore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/layerwise/layerwise/cachemodel/remotecache"
)

const zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// folder writes an image layout: FIRST, SECOND, ... in a blob stand for the digests of the blobs before it, and the
// last blob is what the tag names.
func folder(t *testing.T, index string, blobs ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, blob := range append(blobs, index) {
		for n, digest := range names {
			blob = strings.ReplaceAll(blob, []string{"FIRST", "SECOND", "THIRD"}[n], digest)
		}
		digest := string(remotecache.Sum([]byte(blob)))
		at := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
		if i == len(blobs) {
			at = filepath.Join(dir, "index.json")
		}
		if err := os.WriteFile(at, []byte(blob), 0o644); err != nil {
			t.Fatal(err)
		}
		names = append(names, digest)
	}
	return dir
}

func indexOf(digest string) string {
	return `{"manifests":[{"digest":"` + digest + `","annotations":{"org.opencontainers.image.ref.name":"latest"}}]}`
}

// What a folder holds is read as BuildKit reads it, and whatever it holds, it is an answer.
func TestReadLocal(t *testing.T) {
	const config = `{"layers":[{"blob":"` + zeros + `","parent":-1}],"records":[{"digest":"x","layers":[{"layer":0}]}]}`
	const manifest = `{"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"FIRST"},"layers":[]}`
	inline := base64.StdEncoding.EncodeToString([]byte(`[{"digest":"x"},{"digest":"y","layers":[{"layer":0}]}]`))
	for _, test := range []struct {
		name    string
		index   string
		blobs   []string
		attr    map[string]string // beside src
		records int
		err     error
		message string
	}{
		{"as type=local writes it", indexOf("SECOND"), []string{config, manifest}, nil, 1, nil, ""},
		{"an index, as older versions write it", indexOf("SECOND"), []string{config,
			`{"manifests":[{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"FIRST"}]}`}, nil, 1, nil, ""},
		{"by its digest", `{}`, []string{config, manifest}, map[string]string{"digest": zeros}, 0, ErrNone, "no such"},
		{"an image with an inline cache", indexOf("SECOND"), []string{
			`{"rootfs":{"diff_ids":["a"]},"moby.buildkit.cache.v0":"` + inline + `"}`,
			`{"config":{"digest":"FIRST"},"layers":[{"digest":"` + zeros + `"}]}`}, nil, 2, nil, ""},
		{"an image without", indexOf("SECOND"), []string{`{"rootfs":{"diff_ids":["a"]}}`,
			`{"config":{"digest":"FIRST"},"layers":[{"digest":"` + zeros + `"}]}`}, nil, 0, ErrNone, "without an inline"},
		{"another tag", indexOf("SECOND"), []string{config, manifest}, map[string]string{"tag": "v"}, 0, ErrNone,
			`"v"`},
		{"a manifest that is not there", indexOf(zeros), nil, nil, 0, ErrNone, "no such file"},
		{"a digest that leads elsewhere", indexOf("sha256:../../index.json"), nil, nil, 0, ErrRefused,
			"is not a digest"},
		{"no JSON", "{", nil, nil, 0, ErrNone, "cannot be read"},
		{"a manifest that is none", indexOf("FIRST"), []string{"[]"}, nil, 0, ErrRefused, "manifest cannot be read"},
		{"a configuration that BuildKit finds too large", indexOf("SECOND"), []string{config,
			strings.Replace(manifest, `"FIRST"`, `"FIRST","size":2000000`, 1)}, nil, 0, ErrRefused, "2000000 bytes"},
		{"a configuration that is not there", indexOf("SECOND"), []string{config,
			strings.Replace(manifest, "FIRST", zeros, 1)}, nil, 0, ErrNone, "no such file"},
	} {
		attr := map[string]string{"src": folder(t, test.index, test.blobs...)}
		for key, value := range test.attr {
			attr[key] = value
		}
		c, err := Read(context.Background(), Source{Type: "local", Attr: attr})
		switch {
		case test.message == "" && (err != nil || c.Len() != test.records):
			t.Errorf("%s: got %+v, %v, want %d records", test.name, c, err, test.records)
		case test.message != "" && (!errors.Is(err, test.err) || !strings.Contains(err.Error(), test.message)):
			t.Errorf("%s: got %v, want %v with %q", test.name, err, test.err, test.message)
		}
		if test.name == "as type=local writes it" && c.HasResult(0) {
			t.Error("a step has a result of which the layer is not in the folder")
		}
	}
}

// An index that leads to itself, and to ever more indexes, ends.
func TestReadCircle(t *testing.T) {
	child := `{"mediaType":"` + ociIndex + `","manifests":[`
	for i := range 2 * maxManifests {
		child += fmt.Sprintf(`{"digest":"sha256:%064d"},`, i)
	}
	from := endless{child + `{"digest":"` + zeros + `"}]}`}
	if _, err := read(context.Background(), from, []byte(from.text)); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// endless has the same text under each digest.
type endless struct{ text string }

func (e endless) manifest(context.Context, remotecache.Digest) ([]byte, error) {
	return []byte(e.text), nil
}
func (e endless) blob(context.Context, remotecache.Digest) ([]byte, error) {
	return []byte(e.text), nil
}
func (e endless) has(remotecache.Digest) bool { return true }

// A registry is asked once for each image, and what it does not have is told from what it does not answer.
func TestRegistry(t *testing.T) {
	asked, deny := 0, false
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; deny {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := strings.TrimPrefix(server.URL, "http://")
	image, err := mutate.Config(empty.Image, v1.Config{Env: []string{"A=1"}, User: "app"})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/image:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	ctx, images := context.Background(), &Images{}
	found, err := images.Find(ctx, ref.Name(), "linux/amd64")
	if err != nil || found.User != "app" || len(found.Env) != 1 || found.Digest == "" || found.DigestOnly {
		t.Errorf("got %+v, %v", found, err)
	}
	before := asked
	if _, err := images.Find(ctx, ref.Name(), "linux/amd64"); err != nil || asked != before {
		t.Errorf("%d more requests, %v", asked-before, err)
	}
	for _, test := range []struct {
		ref  string
		deny bool
		none bool // there certainly is no such cache
	}{
		{host + "/image:2", false, true}, {host + "/image:1", false, true}, {host + "/image:1", true, false},
	} {
		deny = test.deny
		_, err := Read(ctx, Source{Type: "registry", Attr: map[string]string{"ref": test.ref}})
		if err == nil || errors.Is(err, ErrNone) != test.none {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// An answer without an end is cut.
func TestBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for text := []byte(strings.Repeat("x", 1<<16)); ; {
			if _, err := w.Write(text); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	resp, err := (&http.Client{Transport: bounded{http.DefaultTransport}}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != maxBlob || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
