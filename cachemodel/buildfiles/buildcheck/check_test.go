package buildcheck

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// project writes files into a directory and reads the sections and entries of one of them.
func project(t *testing.T, name, text string) (string, []buildfiles.Section, []buildfiles.Entry) {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{
		name: text, "Dockerfile": "FROM x AS build\nARG VERSION\nFROM build AS prod\nFROM x\nONBUILD ARG LATE\n",
		"app/dev.Dockerfile": "FROM x\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sections, err := buildfiles.Sections(filepath.Join(dir, name), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	read := buildfiles.ReadCompose
	if strings.HasSuffix(name, ".hcl") {
		read = buildfiles.ReadBake
	}
	p, err := read(t.Context(), buildfiles.Options{Dir: dir, Here: true})
	if err != nil {
		t.Fatal(err)
	}
	return dir, sections, p.Entries
}

// TestCheck holds what is found to a table: the build section, and the rule, what it is about and what the first fix
// writes.
func TestCheck(t *testing.T) {
	tests := []struct{ about, build, want string }{
		{"nothing", "{context: ., target: prod, args: {VERSION: 1, LATE: 1, HTTP_PROXY: x, BUILDKIT_SYNTAX: x}}", ""},
		{"a stage in another case", "{context: ., target: PROD}", ""},
		{"a misspelt stage", "{context: ., target: prdo}", `UnknownBuildTarget "prdo" -> "prod"`},
		{"a stage by its number", "{context: ., target: \"1\"}", `UnknownBuildTarget "1" -> "prod"`},
		{"a stage without a name by its number", "{context: ., target: \"2\"}", `UnknownBuildTarget "2"`},
		{"a number that no stage has", "{context: ., target: \"7\"}", `UnknownBuildTarget "7"`},
		{"a stage by a variable", "{context: ., target: \"${T:-none}\"}", ""},
		{"a misspelt argument", "{context: ., args: {VERSOIN: 1}}", `UndeclaredBuildArg "VERSOIN" -> "VERSION"`},
		{
			"a misspelt argument of a list",
			"{context: ., args: [VERSOIN=1]}",
			`UndeclaredBuildArg "VERSOIN" -> "VERSION"`,
		},
		{
			"a misspelt Dockerfile",
			"{context: app, dockerfile: dve.Dockerfile}",
			`MissingDockerfile "dve.Dockerfile" -> "dev.Dockerfile"`,
		},
		{"a Dockerfile that is not there", "app", `MissingDockerfile "web"`},
		{"a directory in place of the Dockerfile", "{context: ., dockerfile: app}", `MissingDockerfile "app"`},
		{"a context that is not there", "./nowhere", `MissingBuildContext "./nowhere"`},
		{"a context that is a file", "{context: Dockerfile}", `MissingBuildContext "Dockerfile"`},
		{
			"a Dockerfile within the file",
			"{context: ., target: b, dockerfile_inline: \"FROM x AS a\\nARG A\"}",
			`UnknownBuildTarget "b"`,
		},
		{"a remote context", "https://github.com/a/b.git", ""},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			text := "services:\n  web:\n    build: " + tt.build + "\n"
			_, sections, entries := project(t, "compose.yaml", text)
			var got []string
			for _, f := range Check(sections, entries, Files{}) {
				line := fmt.Sprintf("%s %q", f.Rule, text[f.Span.Start:f.Span.End])
				if len(f.Fixes) > 0 {
					line += fmt.Sprintf(" -> %q", f.Fixes[0].Edits[0].NewText)
				}
				if rule := rules.ByID(f.Rule); rule == nil || rule.Severity != f.Severity {
					t.Errorf("%s has another severity than its rule", f.Rule)
				}
				got = append(got, line)
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("found %s, want %s", strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

// TestAbsent holds how serious it is that something is not there: paths of a file that has to be named may be relative
// to another directory than its own.
func TestAbsent(t *testing.T) {
	const text = "services:\n  web:\n    build: ./nowhere\n"
	for name, want := range map[string]analysis.Severity{
		"compose.yaml": analysis.Error, "docker-compose.yml": analysis.Error,
		"compose.dev.yaml": analysis.Information, "docker-compose-ci.yml": analysis.Information,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		sections, err := buildfiles.Sections(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		entries, err := buildfiles.Around(t.Context(), filepath.Join(dir, name), buildfiles.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := Check(sections, entries, Files{})
		if len(found) != 1 || found[0].Severity != want {
			t.Errorf("%s: %+v, want severity %d", name, found, want)
		}
	}
}

// TestRenamed renames a stage and an argument in Compose and bake files.
func TestRenamed(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{
			"compose.yaml",
			"services:\n  web:\n    build: {context: ., target: Prod, args: {prod: 1, VERSION: \"prod\"}}\n  other:\n" +
				"    build: {context: app, target: prod}\n",
			"services:\n  web:\n    build: {context: ., target: last, args: {prod: 1, V: \"prod\"}}\n  other:\n    " +
				"build: {context: app, target: prod}\n",
		},
		{
			"docker-bake.hcl",
			"target \"web\" {\n  target = \"prod\"\n  args = { VERSION = \"VERSION\", \"OTHER\" = 1 }\n}\n",
			"target \"web\" {\n  target = \"last\"\n  args = { V = \"VERSION\", \"OTHER\" = 1 }\n}\n",
		},
	}
	for _, tt := range tests {
		dir, sections, entries := project(t, tt.name, tt.text)
		edits := Renamed(sections, entries, filepath.Join(dir, "Dockerfile"), "prod", "last", false)
		edits = append(edits, Renamed(sections, entries, filepath.Join(dir, "Dockerfile"), "VERSION", "V", true)...)
		slices.SortFunc(edits, func(a, b source.Edit) int { return b.Span.Start - a.Span.Start })
		got := tt.text
		for _, e := range edits {
			got = got[:e.Span.Start] + e.NewText + got[e.Span.End:]
		}
		if got != tt.want {
			t.Errorf("%s is now\n%s", tt.name, got)
		}
	}
}

// TestMoved moves files and folders that Compose and bake files name.
func TestMoved(t *testing.T) {
	const compose = "services:\n  web:\n    build: {context: ./app, dockerfile: dev.Dockerfile}\n  other:\n" +
		"    build: .\n  third:\n    build:\n      context: \"app\"\n      dockerfile: '../Dockerfile'\n"
	const bake = "target \"web\" {\n  context = \"app\"\n  dockerfile = \"dev.Dockerfile\"\n}\n" +
		"target \"other\" {\n  dockerfile = \"./Dockerfile\"\n}\n"
	of := func(text string, changes ...string) string { return strings.NewReplacer(changes...).Replace(text) }
	tests := []struct{ about, name, text, old, now, want, left string }{
		{"a Dockerfile", "compose.yaml", compose, "app/dev.Dockerfile", "app/x/new.Dockerfile",
			of(compose, "dev.Dockerfile", "x/new.Dockerfile"), ""},
		{"a Dockerfile that a service has by default, and another by its name", "compose.yaml", compose,
			"Dockerfile", "docker/web.Dockerfile", of(compose, "../Dockerfile", "../docker/web.Dockerfile"),
			"4: other has no dockerfile to change"},
		{"a context", "compose.yaml", compose, "app", "web/app",
			of(compose, "./app", "./web/app", `"app"`, `"web/app"`, "../Dockerfile", "../../Dockerfile"), ""},
		{"a context to a name that needs quotes", "compose.yaml", compose, "app", "my app", compose,
			"3: the new name needs quotes; 8: the new name needs quotes"},
		{"the Compose file itself", "compose.yaml", compose, "compose.yaml", "deploy/compose.yaml",
			of(compose, "./app", "../app", `"app"`, `"../app"`, "build: .", "build: .."), ""},
		{"all of it", "compose.yaml", compose, ".", "x", compose, ""},
		{"something else", "compose.yaml", compose, "app/a.js", "app/b.js", compose, ""},
		{"a bake target's Dockerfile", "docker-bake.hcl", bake, "app/dev.Dockerfile", "Dockerfile.dev",
			of(bake, "dev.Dockerfile", "../Dockerfile.dev"), ""},
		{"another's", "docker-bake.hcl", bake, "Dockerfile", "x.Dockerfile",
			of(bake, "./Dockerfile", "./x.Dockerfile"), ""},
		{"a bake target's context", "docker-bake.hcl", bake, "app", "web", of(bake, `"app"`, `"web"`), ""},
		{"a variable", "docker-bake.hcl",
			"variable \"D\" {\n  default = \"app\"\n}\ntarget \"web\" {\n  context = D\n}\n",
			"app", "web", "variable \"D\" {\n  default = \"app\"\n}\ntarget \"web\" {\n  context = D\n}\n",
			"5: its context may be named by a variable"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			dir, sections, entries := project(t, tt.name, tt.text)
			old, moved := filepath.Join(dir, tt.old), filepath.Join(dir, tt.now)
			edits, left := Moved(filepath.Join(dir, tt.name), source.New(tt.text), sections, entries,
				func(path string) string {
					if path == old {
						return moved
					}
					if rest, ok := strings.CutPrefix(path, old+string(filepath.Separator)); ok {
						return filepath.Join(moved, rest)
					}
					return path
				})
			got, err := source.Apply(tt.text, edits)
			if err != nil || got != tt.want {
				t.Errorf("it is then, with %v\n%s\nwant\n%s", err, got, tt.want)
			}
			var lines []string
			for _, l := range left {
				lines = append(lines, fmt.Sprintf("%d: %s", l.Line, l.Why))
			}
			if got := strings.Join(lines, "; "); got != tt.left {
				t.Errorf("left: %q, want %q", got, tt.left)
			}
		})
	}
}
