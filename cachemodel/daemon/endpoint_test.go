package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Which daemon a setting or BUILDKIT_HOST names.
func TestFind(t *testing.T) {
	tests := []struct {
		about   string
		setting string
		env     string // KEY=VALUE ...
		want    string // the address, "" for none
		err     string
	}{
		{about: "the setting comes first",
			setting: "unix:///s.sock", env: "BUILDKIT_HOST=unix:///e.sock", want: "unix:///s.sock"},
		{about: "a path is a socket", setting: "/run/b.sock", want: "unix:///run/b.sock"},
		{about: "a named pipe", setting: "npipe:////./pipe/buildkitd", want: "npipe:////./pipe/buildkitd"},
		{about: "off is off", setting: "off", env: "BUILDKIT_HOST=unix:///e.sock"},
		{about: "a setting, which may be a folder's, runs nothing in a container", setting: "docker-container://b",
			err: `"docker-container://b" of the setting cannot be asked`},
		{about: "nor ssh", setting: "ssh://host", err: `"ssh://host" of the setting cannot be asked`},
		{about: "an address without a host", setting: "tcp://", err: "cannot be asked"},
		{about: "buildctl's variable", env: "BUILDKIT_HOST=tcp://h:1", want: "tcp://h:1"},
		{about: "which may name a container", env: "BUILDKIT_HOST=docker-container://bk DOCKER_HOST=unix:///d.sock",
			want: "unix:///d.sock container=bk"},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			got, err := Find(test.setting, placesOf(t.TempDir(), test.env))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			if got != nil {
				text = got.Address
				if got.Container != "" {
					text += " container=" + got.Container
				}
			}
			if text != test.want {
				t.Errorf("found %q, want %q", text, test.want)
			}
		})
	}
}

// placesOf are those of a user with this environment; the system has no engine.
func placesOf(home, env string) Places {
	vars := map[string]string{}
	for _, kv := range strings.Fields(env) {
		k, v, _ := strings.Cut(kv, "=")
		vars[k] = strings.ReplaceAll(v, "DIR", filepath.Join(home, ".docker"))
	}
	return Places{Getenv: func(k string) string { return vars[k] }, Home: home}
}

// layout writes a layout of Docker's settings into a home folder, and gives the lines of its comment by their first
// word.
func layout(t *testing.T, file, home string) map[string]string {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		name := filepath.Join(home, ".docker", f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		data := f.Data
		if strings.Contains(f.Name, "/defaults/") {
			data = []byte(strings.TrimSpace(string(data)))
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{}
	for line := range strings.Lines(string(archive.Comment)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			said[key] = value
		}
	}
	return said
}

// Which builder the user's environment and files name. buildx itself says the same in cachemodel/conformance.
func TestLayouts(t *testing.T) {
	files, err := filepath.Glob("testdata/layouts/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			home := t.TempDir()
			said := layout(t, file, home)
			places := placesOf(home, said["env"])
			if _, err := os.Stat("/var/run/docker.sock"); err == nil {
				if said["want"] == "none" {
					t.Skip("an engine runs here")
				}
			}
			got, err := Find("", places)
			if want := said["error"]; want != "" {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text := described(got); text != said["want"] {
				t.Errorf("found %s, want %s", text, said["want"])
			}
		})
	}
}

func described(e *Endpoint) string {
	if e == nil {
		return "none"
	}
	kind := "buildkit"
	switch {
	case e.Engine:
		kind = "engine"
	case e.Container != "":
		kind = "container=" + e.Container
	}
	return strings.Join([]string{e.Address, kind, e.Name, e.Node}, " ")
}

// Where docker build and docker buildx build use two builders, both are known.
func TestTwoBuilders(t *testing.T) {
	home := t.TempDir()
	layout(t, "testdata/layouts/container.txtar", home)
	got, err := Find("", placesOf(home, ""))
	if err != nil || got.Other == nil || described(got.Other) != "unix:///var/run/docker.sock engine default default" {
		t.Errorf("%+v, %v", got, err)
	}
}

// How connections are encrypted. Files are those of the Docker client's folder.
func TestTLS(t *testing.T) {
	tests := []struct {
		about, env string
		files      map[string]string
		want       TLS // its files within the folder
	}{
		{about: "not at all", env: "DOCKER_HOST=tcp://h:1"},
		{about: "DOCKER_TLS_VERIFY, with the files of the Docker client's folder",
			env:   "DOCKER_HOST=tcp://h:1 DOCKER_TLS_VERIFY=1",
			files: map[string]string{"ca.pem": "", "cert.pem": "", "key.pem": ""},
			want:  TLS{On: true, CACert: "ca.pem", Cert: "cert.pem", Key: "key.pem"}},
		{about: "never in clear because there are no files",
			env: "DOCKER_HOST=tcp://h:1 DOCKER_TLS_VERIFY=1", want: TLS{On: true}},
		{about: "DOCKER_CERT_PATH", env: "DOCKER_HOST=tcp://h:1 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=DIR/certs",
			files: map[string]string{"certs/ca.pem": ""}, want: TLS{On: true, CACert: "certs/ca.pem"}},
		{about: "DOCKER_TLS trusts anybody", env: "DOCKER_HOST=tcp://h:1 DOCKER_TLS=1",
			want: TLS{On: true, SkipVerify: true}},
		{about: "a context's own files", env: "DOCKER_CONTEXT=remote", files: map[string]string{
			"contexts/meta/" + remoteHash +
				"/meta.json": `{"Name":"remote","Endpoints":{"docker":{"Host":"tcp://h:1"}}}`,
			"contexts/tls/" + remoteHash + "/docker/ca.pem": ""},
			want: TLS{On: true, CACert: "contexts/tls/" + remoteHash + "/docker/ca.pem"}},
		{about: "a context that trusts anybody", env: "DOCKER_CONTEXT=remote", files: map[string]string{
			"contexts/meta/" + remoteHash +
				"/meta.json": `{"Endpoints":{"docker":{"Host":"tcp://h:1","SkipTLSVerify":true}}}`},
			want: TLS{On: true, SkipVerify: true}},
		{about: "buildx's remote driver", env: "BUILDX_BUILDER=r", files: map[string]string{
			"buildx/instances/r": `{"Name":"r","Driver":"remote",
			"Nodes":[{"Endpoint":"tcp://h:1","DriverOpts":{"cacert":"ca.pem","cert":"c.pem","key":"k.pem","servername":"s"}}]}`},
			want: TLS{On: true, CACert: "ca.pem", Cert: "c.pem", Key: "k.pem", ServerName: "s"}},
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
			got, err := Find("", placesOf(home, test.env))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range []*string{&got.TLS.CACert, &got.TLS.Cert, &got.TLS.Key} {
				*file = filepath.ToSlash(
					strings.TrimPrefix(*file, filepath.Join(home, ".docker")+string(filepath.Separator)),
				)
			}
			if got.TLS != test.want {
				t.Errorf("TLS %+v, want %+v", got.TLS, test.want)
			}
		})
	}
}

// remoteHash stands for the context "remote" in the names of its folders.
const remoteHash = "b71199ebd070b36beab7317920c2c2f1d777df8d05e5527d8458fda57cb17a7a"
