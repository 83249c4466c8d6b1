package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Which daemon is asked. Files are those of the Docker client's folder, by path.
func TestFind(t *testing.T) {
	remote := `{"Name":"r","Driver":"remote","Nodes":[{"Endpoint":"tcp://build:1234","DriverOpts":{"cacert":"ca.pem","cert":"c.pem","key":"k.pem","servername":"s"}}]}`
	tests := []struct {
		about   string
		setting string
		env     string // KEY=VALUE ...
		files   map[string]string
		want    string // the address, "" for none
		engine  bool
		err     string
	}{
		{about: "nothing is configured: nothing is dialled"},
		{about: "the setting comes first", setting: "unix:///s.sock", env: "BUILDKIT_HOST=unix:///e.sock", want: "unix:///s.sock"},
		{about: "a path is a socket", setting: "/run/b.sock", want: "unix:///run/b.sock"},
		{about: "off is off", setting: "off", env: "BUILDKIT_HOST=unix:///e.sock"},
		{about: "the setting cannot be used", setting: "docker-container://b", err: `"docker-container://b" of the setting cannot be asked`},
		{about: "an address without a host", setting: "tcp://", err: "cannot be asked"},
		{about: "buildctl's variable", env: "BUILDKIT_HOST=tcp://h:1", want: "tcp://h:1"},
		{about: "buildx's current builder", files: map[string]string{
			"buildx/current": `{"Key":"unix:///var/run/docker.sock","Name":"r","Global":false}`, "buildx/instances/r": remote}, want: "tcp://build:1234"},
		{about: "buildx's global builder", files: map[string]string{
			"buildx/current": `{"Key":"tcp://other","Name":"r","Global":true}`, "buildx/instances/r": remote}, want: "tcp://build:1234"},
		{about: "the builder of another engine is not current", files: map[string]string{
			"buildx/current": `{"Key":"tcp://other","Name":"r","Global":false}`, "buildx/instances/r": remote}, want: "unix:///var/run/docker.sock", engine: true},
		{about: "BUILDX_BUILDER names one", env: "BUILDX_BUILDER=r", files: map[string]string{"buildx/instances/r": remote}, want: "tcp://build:1234"},
		{about: "a builder in a container", files: map[string]string{"buildx/current": `{"Key":"unix:///var/run/docker.sock","Name":"c"}`,
			"buildx/instances/c": `{"Driver":"docker-container","Nodes":[{"Endpoint":"default"}]}`}, err: `the driver "docker-container"`},
		{about: "the default builder is the engine's", files: map[string]string{"buildx/current": `{"Key":"unix:///var/run/docker.sock","Name":""}`},
			want: "unix:///var/run/docker.sock", engine: true},
		{about: "DOCKER_HOST", env: "DOCKER_HOST=tcp://engine:2375", files: map[string]string{"buildx/current": `{}`}, want: "tcp://engine:2375", engine: true},
		{about: "a docker context", files: map[string]string{"buildx/current": `{}`, "config.json": `{"currentContext":"desktop-linux"}`,
			"contexts/meta/fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e/meta.json": `{"Endpoints":{"docker":{"Host":"unix:///desktop.sock"}}}`},
			want: "unix:///desktop.sock", engine: true},
		{about: "an engine over SSH", env: "DOCKER_HOST=ssh://engine", files: map[string]string{"buildx/current": `{}`}, err: `"ssh://engine"`},
		{about: "files that are not JSON", files: map[string]string{"buildx/current": `{`, "config.json": "x"}},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			home := t.TempDir()
			for name, text := range test.files {
				name = filepath.Join(home, ".docker", name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			env := map[string]string{}
			for _, kv := range strings.Fields(test.env) {
				k, v, _ := strings.Cut(kv, "=")
				env[k] = v
			}
			got, err := Find(test.setting, Places{Getenv: func(k string) string { return env[k] }, Home: home})
			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				return
			case err != nil:
				t.Fatal(err)
			case (got == nil) != (test.want == ""):
				t.Fatalf("found %v, want %q", got, test.want)
			}
			if got != nil && (got.Address != test.want || got.Engine != test.engine) {
				t.Errorf("found %+v", got)
			}
			if test.want == "tcp://build:1234" && got.TLS != (TLS{"ca.pem", "c.pem", "k.pem", "s"}) {
				t.Errorf("TLS %+v", got.TLS)
			}
		})
	}
}
