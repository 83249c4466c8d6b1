package buildfiles

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// TestNamed holds named contexts and volatile arguments to never promise what is not known.
func TestNamed(t *testing.T) {
	tests := []struct {
		name, dockerfile string
		earlier, now     Entry
		want             string // a letter per instruction: c, r, u for rebuilt but not certain, - for the others
	}{
		{
			"an image that is the same",
			"FROM base\nRUN x",
			with("base", "docker-image://alpine:3.20"),
			with("base", "docker-image://alpine:3.20"),
			"cc",
		},
		{
			"an image that is another",
			"FROM base\nRUN x",
			with("base", "docker-image://alpine:3.19"),
			with("base", "docker-image://alpine:3.20"),
			"uu",
		},
		{
			"an image in place of another",
			"FROM debian:12\nRUN x",
			with("debian:12", "docker-image://a"),
			with("debian:12", "docker-image://b"),
			"uu",
		},
		{
			"an image in place of a stage",
			"FROM x AS base\nRUN x\nFROM base\nRUN y",
			with("base", "docker-image://a"),
			with("base", "docker-image://b"),
			"---u",
		},
		{
			"an image of a layout with its digest",
			"FROM base\nRUN x",
			with("base", "oci-layout://images@sha256:"+strings.Repeat("a", 64)),
			with("base", "oci-layout://elsewhere@sha256:"+strings.Repeat("a", 64)),
			"cc",
		},
		{
			"an image of a layout with another digest",
			"FROM base\nRUN x",
			with("base", "oci-layout://images@sha256:"+strings.Repeat("a", 64)),
			with("base", "oci-layout://images@sha256:"+strings.Repeat("b", 64)),
			"rr",
		},
		{
			"an image of a layout by its tag",
			"FROM base\nRUN x",
			with("base", "oci-layout://images:v1"),
			with("base", "oci-layout://images:v1"),
			"uu",
		},
		{
			"what another target gives",
			"FROM base\nRUN x",
			with("base", "target:base"),
			with("base", "target:base"),
			"uu",
		},
		{
			"a file of what another service gives",
			"FROM alpine\nCOPY --from=base /x /\nRUN y\n",
			with("base", "service:base"),
			with("base", "service:base"),
			"cuu",
		},
		{
			"a repository",
			"FROM alpine\nCOPY --from=repo /x /\n",
			with("repo", "https://example.com/r.git"),
			with("repo", "https://example.com/r.git"),
			"cu",
		},
		{"a directory", "FROM alpine\nCOPY --from=dir /x /\n", with("dir", "DIR/a"), with("dir", "DIR/a"), "cc"},
		{
			"a directory with another file",
			"FROM alpine\nCOPY --from=dir /x /\n",
			with("dir", "DIR/a"),
			with("dir", "DIR/b"),
			"cr",
		},
		{
			"a directory that is not there",
			"FROM alpine\nCOPY --from=dir /x /\n",
			with("dir", "DIR/none"),
			with("dir", "DIR/none"),
			"cu",
		},
		{
			"an argument that is another each time",
			"FROM alpine\nARG NOW\nRUN x\n",
			Entry{Args: map[string]string{"NOW": "1"}, Volatile: []string{"NOW"}},
			Entry{Args: map[string]string{"NOW": "1"}, Volatile: []string{"NOW"}},
			"c-r",
		},
		{
			"a stage without cache",
			"FROM alpine AS a\nRUN x\nFROM a\nRUN y\n",
			Entry{},
			Entry{NoCacheFilter: []string{"A"}},
			"cr-r",
		},
		{
			"another stage without cache",
			"FROM alpine AS a\nRUN x\nFROM a AS b\nRUN y\n",
			Entry{},
			Entry{NoCacheFilter: []string{"b"}},
			"cc-r",
		},
	}
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "x"), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := dockerfile.Parse(source.New(tt.dockerfile), nil)
			build := func(e Entry, earlier bool) *cachemodel.Plan {
				for k, v := range e.Contexts {
					e.Contexts[k] = strings.ReplaceAll(v, "DIR", dir)
				}
				o := e.Fill(baseline.Options{})
				b := cachemodel.Build{
					File:          file,
					Context:       buildcontext.Unknown(),
					Settings:      o.Settings(),
					ContextImages: o.Images,
					Contexts:      map[string]*buildcontext.Tree{},
				}
				if earlier {
					then, _ := (&Definition{Entry: e}).Fill(baseline.Options{})
					b.Settings, b.ContextImages = then.Settings(), then.Images
					b.Settings.NoCacheFilter = nil
				}
				for name, dir := range o.Contexts {
					var err error
					if b.Contexts[name], err = disk.Scan(t.Context(), dir, "", disk.Options{}); err != nil {
						b.Contexts[name] = buildcontext.Unknown()
					}
				}
				return cachemodel.NewPlan(b)
			}
			steps := cachemodel.Compare(cachemodel.Pasts(build(tt.earlier, true)), build(tt.now, false))
			got := ""
			for _, s := range steps {
				switch {
				case s.Status == cachemodel.Cached:
					got += "c"
				case s.Status == cachemodel.Rebuilt && !s.Certain:
					got += "u"
				case s.Status == cachemodel.Rebuilt:
					got += "r"
				default:
					got += "-"
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
				for _, s := range steps {
					t.Logf("%+v %+v", s, s.Cause)
				}
			}
		})
	}
}

func with(name, value string) Entry { return Entry{Contexts: map[string]string{name: value}} }

func TestChoices(t *testing.T) {
	web := Entry{
		ID:         "compose:web",
		Kind:       Compose,
		Name:       "web",
		Label:      "web",
		Dockerfile: "/p/Dockerfile",
		Context:    "/p",
	}
	worker, debug, other, base := web, web, web, web
	worker.ID, worker.Name = "compose:worker", "worker"
	debug.ID, debug.Target, debug.Profiles = "compose:debug", "debug", []string{"dev"}
	other.ID, other.Dockerfile = "compose:other", "/p/other/Dockerfile"
	base.ID, base.Kind, base.Inherited = "bake:_base", Bake, true
	got := ""
	for _, c := range Choices([]*Project{{Kind: Compose, Entries: []Entry{debug, other, web, worker}}, {Kind: Bake,
		Entries: []Entry{base}}}, "/p/Dockerfile") {
		got += c.ID
		for _, s := range c.Same {
			got += "=" + s.ID
		}
		got += " "
	}
	if want := "compose:web=compose:worker compose:debug "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestFind looks for the projects around a Dockerfile.
func TestFind(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"compose.yaml":                "services:\n  app:\n    build: app\n",
		"app/Dockerfile":              "FROM x\n",
		"deploy/docker-compose.yml":   "services:\n  deployed:\n    build: ../app\n",
		"app/docker-bake.hcl":         "target \"baked\" { target = \"x\" }\n",
		"broken/compose.yaml":         "services: [\n",
		"node_modules/x/compose.yaml": "services:\n  never:\n    build: ../../app\n",
		"a/b/c/d/e/f/g/docker-compose.yaml": "services:\n  deep:\n    build: {context: ../../../../../../../app, " +
			"target: deep}\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	projects, problems := Find(t.Context(), root, filepath.Join(root, "app", "Dockerfile"), Options{})
	got := ""
	for _, c := range Choices(projects, filepath.Join(root, "app", "Dockerfile")) {
		got += c.ID + " "
		for _, s := range c.Same {
			got += "(" + s.ID + ") "
		}
	}
	if want := "bake:baked compose:app (compose:deployed) compose:deep "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), filepath.Join("broken", "compose.yaml")+":") {
		t.Errorf("problems: %v", problems)
	}
}

// TestBakeRunAbove finds what bake builds with -f from a folder above its file's, of a repository.
func TestBakeRunAbove(t *testing.T) {
	for _, test := range []struct {
		about string
		files map[string]string
		want  string // the first target's Dockerfile
	}{
		{"its own folder has the Dockerfile", map[string]string{
			"ci/docker-bake.hcl": `target "a" { context = "ci" }`, "ci/ci/Dockerfile": "", "ci/Dockerfile": "",
		}, "ci/ci/Dockerfile"},
		{"the folder above has it", map[string]string{
			"ci/docker-bake.hcl": `target "a" { context = "ci" }`, "ci/Dockerfile": "",
		}, "ci/Dockerfile"},
		{"two above, by the Dockerfile's name", map[string]string{
			"x/ci/docker-bake.hcl": `target "a" { dockerfile = "x/ci/Dockerfile" }`, "x/ci/Dockerfile": "",
		}, "x/ci/Dockerfile"},
		{"not all is there", map[string]string{
			"ci/docker-bake.hcl": `target "a" { context = "ci" }` + "\n" + `target "b" { context = "no" }`,
			"ci/Dockerfile":      "",
		}, "ci/ci/Dockerfile"},
		{"any folder has a Dockerfile", map[string]string{
			"ci/docker-bake.hcl": `target "a" {}`, "Dockerfile": "",
		}, "ci/Dockerfile"},
		{"the folder above is in no repository, perhaps at home", map[string]string{
			"ci/docker-bake.hcl": `target "a" { dockerfile = "ci/Dockerfile" }`, "ci/Dockerfile": "", "ci/.git/HEAD": "",
		}, "ci/ci/Dockerfile"},
	} {
		root := t.TempDir()
		if _, inside := test.files["ci/.git/HEAD"]; !inside {
			test.files[".git/HEAD"] = ""
		}
		for name, text := range test.files {
			path := filepath.Join(root, filepath.FromSlash(name))
			err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
			if err != nil {
				t.Fatal(err)
			}
		}
		projects, problems := Find(t.Context(), root, filepath.Join(root, "Dockerfile"), Options{})
		if len(projects) != 1 || len(problems) > 0 {
			t.Fatalf("%s: %d projects, %v", test.about, len(projects), problems)
		}
		got, _ := filepath.Rel(root, projects[0].Entries[0].Dockerfile)
		if filepath.ToSlash(got) != test.want {
			t.Errorf("%s: %s is built, not %s", test.about, got, test.want)
		}
		then := projects[0].Entries[0].At(t.Context(), Revision{Name: "then", Read: os.ReadFile}, Options{})
		if then.Unknown.Dockerfile != "" || then.Entry.Dockerfile != projects[0].Entries[0].Dockerfile {
			t.Errorf("%s: then, %s was built (%s)", test.about, then.Entry.Dockerfile, then.Unknown.Dockerfile)
		}
	}
}

// TestOnce lists a service that is included once, and finds what an ID stands for.
func TestOnce(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"app/Dockerfile":   "FROM x\n",
		"compose.yaml":     "include: [sub/compose.yaml]\nservices:\n  main: {build: app}\n",
		"sub/compose.yaml": "services:\n  web:\n    build: ../app\n",
		"docker-bake.hcl": "group \"all\" { targets = [\"m\", \"one\"] }\ntarget \"one\" { context = \"app\" }\n" +
			"target \"m\" {\n  name = \"m-${x}\"\n  matrix = { x = [\"a\", \"b\"] }\n  context = \"app\"\n}\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text),
			0o644)); err != nil {
			t.Fatal(err)
		}
	}
	projects, problems := Find(t.Context(), root, filepath.Join(root, "app", "Dockerfile"), Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var all []string
	for _, p := range projects {
		for _, e := range p.Entries {
			if p.Kind == Compose {
				all = append(all, e.Name)
			}
		}
	}
	if got := strings.Join(all, " "); got != "main web" {
		t.Errorf("the services are %s", got)
	}
	for id, want := range map[string]string{
		"bake:all": "m-a m-b one", "bake:m": "m-a m-b", "bake:one": "one", "bake:none": "", "compose:web": "web",
		"compose:all": "",
	} {
		var names []string
		for _, e := range Named(projects, id) {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s stands for %q, not %q", id, got, want)
		}
	}
}
