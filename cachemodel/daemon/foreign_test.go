package daemon

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Where something answers as a Docker engine that has no BuildKit, nothing is known of what is in its cache.
func TestEngineWithoutBuildKit(t *testing.T) {
	tests := []struct {
		about, server string
		status        int
		silent        string
		late          bool
	}{
		{"Podman", "Libpod/4.9.3 (linux)", http.StatusNotFound, " is Podman, whose cache is not modelled", true},
		{"an old engine", "Docker/17.03 (linux)", http.StatusNotFound,
			" has no BuildKit (Docker 18.09 or newer is needed)", true},
		{"an engine that is not ready", "Docker/29.0 (linux)", http.StatusServiceUnavailable, " cannot be asked", false},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Server", test.server)
				w.WriteHeader(test.status)
			}))
			defer engine.Close()
			e := Endpoint{Address: strings.Replace(engine.URL, "http", "tcp", 1), Engine: true, Name: "default"}
			d := New(e, Places{Getenv: func(string) string { return "" }, Home: t.TempDir()})
			for range 2 { // the second time it is not asked again
				answer, err := d.Ask(context.Background(), Query{Dockerfile: "/p/Dockerfile", ContextDir: "/p"})
				if err == nil || answer == nil {
					t.Fatalf("%v, %v", answer, err)
				}
				if want := d.String() + test.silent; answer.Silent != want || answer.Unknown != test.late {
					t.Errorf("%q (%v), want %q (%v)", answer.Silent, answer.Unknown, want, test.late)
				}
			}
		})
	}
}
