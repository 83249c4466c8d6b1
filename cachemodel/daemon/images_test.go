package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
)

// An engine has two images upon one base. What real ones answer is compared in cachemodel/conformance.
func TestImage(t *testing.T) {
	answers := map[string]string{
		"/images/json":   `[{"Id":"sha256:aaa"},{"Id":"sha256:bbb"},{"Id":"sha256:0123456789abcdef"},{"Id":"sha256:gone"}]`,
		"/images/a/json": `{"Id":"sha256:aaa","RepoTags":["a:latest"],"RootFS":{"Layers":["1","2","3"]}}`,
		"/images/a/history": `[{"CreatedBy":"RUN c","Size":5},{"CreatedBy":"WORKDIR /","Size":0},{"CreatedBy":"ENV a=1"},
			{"CreatedBy":"/bin/sh -c #(nop) COPY b /","Size":3},{"CreatedBy":"/bin/sh -c #(nop)  CMD x"},{"CreatedBy":"bazel"}]`,
		"/images/sha256:bbb/json":              `{"Id":"sha256:bbb","RepoTags":["<none>:<none>","b:1"],"RootFS":{"Layers":["1","2"]}}`,
		"/images/sha256:0123456789abcdef/json": `{"Id":"sha256:0123456789abcdef","RootFS":{"Layers":["1","3"]}}`,
	}
	socket := filepath.Join(t.TempDir(), "e.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip("no sockets here: ", err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer, ok := answers[r.URL.Path]; ok {
			_, _ = w.Write([]byte(answer))
			return
		}
		w.WriteHeader(http.StatusNotFound)
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	p := Places{Engine: "unix://" + filepath.ToSlash(socket), Getenv: func(string) string { return "" }, Home: t.TempDir()}
	d, err := EngineOf("", p)
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	image, err := d.Image(context.Background(), []string{"docker.io/library/absent:1", "a"})
	if err != nil {
		t.Fatal(err)
	}
	if image.ID != "sha256:aaa" || len(image.History) != 6 || image.History[0].CreatedBy != "bazel" {
		t.Errorf("%+v", image)
	}
	want := map[int][]string{0: {"b:1", "0123456789ab"}, 2: {"b:1"}, 5: {}}
	for i, h := range image.History {
		if slices.Compare(h.SharedWith, want[i]) != 0 || (h.SharedWith == nil) != (want[i] == nil) {
			t.Errorf("%d %s: %#v, want %#v", i, h.CreatedBy, h.SharedWith, want[i])
		}
	}
	if _, err := d.Image(context.Background(), []string{"absent"}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	for _, name := range []string{"", "../../containers", "a?b", "A b"} {
		if _, err := d.Image(context.Background(), []string{name}); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%q is asked for: %v", name, err)
		}
	}
	if off, err := EngineOf(Off, p); off != nil || err != nil {
		t.Error(off, err)
	}
	p.Engine = "unix:///nowhere/at/all.sock"
	if none, err := EngineOf("", p); none != nil || err != nil {
		t.Error(none, err)
	}
}
