package pipeline

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/golden"
	"golang.org/x/tools/txtar"
)

// TestFind reads the CI files of each case in testdata for a push to main and for a pull request, and compares the
// builds, and what the pull request's import of the push's.
func TestFind(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			want := -1
			for i, file := range archive.Files {
				if file.Name == "found" {
					want = i
					continue
				}
				write(t, filepath.Join(root, file.Name), string(file.Data))
			}
			if want < 0 {
				t.Fatal("there is no file named found")
			}
			got := listing(t, root)
			if golden.Updating() {
				archive.Files[want].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(archive.Files[want].Data) {
				t.Errorf("found:\n%s\nwant:\n%s", got, archive.Files[want].Data)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing shows what is found below root.
func listing(t *testing.T, root string) string {
	var out strings.Builder
	o := Options{Root: root, Event: Event{Name: "push", Branch: "main"}, Own: []string{"me/app"}}
	o.At = func(ref, path string) ([]byte, error) { // "@ref" in the case has the files of a revision
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return nil, err
		}
		return os.ReadFile(filepath.Join(root, "@"+ref, rel))
	}
	before, problems := Find(t.Context(), o)
	o.Event = Event{Name: "pull_request", Base: "main"}
	now, more := Find(t.Context(), o)
	for _, problem := range append(problems, more...) {
		fmt.Fprintf(&out, "problem: %v\n", problem)
	}
	fmt.Fprintln(&out, "push:")
	for i := range before {
		out.WriteString(shown(&before[i], root))
	}
	fmt.Fprintln(&out, "pull request:")
	for i := range now {
		b := &now[i]
		out.WriteString(shown(b, root))
		if b.Problem == "" {
			cache := b.Imports(Earlier{Push: before, Pull: now, Root: root, Branch: "main"})
			fmt.Fprintf(&out, "    cache %s: %s\n", map[bool]string{true: "not known"}[cache.Mode == ""]+cache.Mode,
				cache.Reason)
		}
	}
	return strings.ReplaceAll(out.String(), root, "ROOT")
}

func shown(b *Build, root string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "  %s:%d %s: %s", b.Place(root), b.Line, b.Step, b.Tool)
	o := &b.Options
	for _, field := range [][2]string{
		{"is", b.Name}, {"file", b.Dockerfile}, {"context", o.ContextDir}, {"target", o.Target},
		{"platform", o.Platform}, {"if", b.If}, {"problem", b.Problem},
	} {
		if field[1] != "" {
			fmt.Fprintf(&out, " %s=%s", field[0], field[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Args)) {
		fmt.Fprintf(&out, " %s=%s", name, o.Args[name])
	}
	if len(b.Varying) > 0 {
		fmt.Fprintf(&out, " varying=%v", b.Varying)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Contexts)) {
		fmt.Fprintf(&out, " context:%s=%s", name, o.Contexts[name])
	}
	out.WriteByte('\n')
	return out.String()
}

// FuzzFind holds reading to its bounds, whatever the files hold.
func FuzzFind(f *testing.F) {
	cases, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range cases {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yml") {
				f.Add(string(file.Data))
			}
		}
	}
	f.Add("on: push\njobs:\n  a: &a\n    steps: &s\n    - run: docker build .\n    - *s\n")
	f.Add("x: &x\n  <<: *x\non: {push: *x}\njobs: *x\n")
	f.Fuzz(func(t *testing.T, text string) {
		read := func(path string) ([]byte, error) {
			if strings.HasSuffix(path, ".yml") {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		}
		o := Options{Root: t.TempDir(), Event: Event{Name: "push", Branch: "main"}, Read: read}
		fd := &finder{Options: o, ctx: t.Context(), count: map[string]int{}}
		fd.workflow(filepath.Join(o.Root, "a.yml"))
		fd.gitlab(filepath.Join(o.Root, ".gitlab-ci.yml"))
		if len(fd.builds) > maxBuilds {
			t.Errorf("%d builds", len(fd.builds))
		}
		for i := range fd.builds {
			fd.builds[i].Imports(Earlier{Push: fd.builds, Root: o.Root, Branch: "main"})
		}
	})
}

// TestExpressions evaluates expressions as GitHub's runner does; "?" is what is not known.
func TestExpressions(t *testing.T) {
	known := values{"github.event_name": "push", "matrix.app": "web", "env.empty": "", "github.ref": "refs/heads/main"}
	for _, test := range []struct{ expression, want string }{
		{"matrix.app", "web"},
		{"Matrix.App", "web"},
		{"secrets.TOKEN", "?"},
		{"github.event_name == 'push'", "true"},
		{"github.event_name != 'PUSH'", "false"},
		{"github.event_name == 'push' && 'type=gha,mode=max' || ''", "type=gha,mode=max"},
		{"github.event_name == 'x' && 'type=gha' || ''", ""},
		{"env.empty || 'prod'", "prod"},
		{"secrets.TOKEN || 'prod'", "?"},
		{"secrets.TOKEN && github.event_name == 'x'", "false"},
		{"secrets.TOKEN || github.event_name == 'push'", "true"},
		{"!(github.event_name == 'push')", "false"},
		{"always() && !cancelled()", "true"},
		{"startsWith(github.ref, 'refs/heads/')", "true"},
		{"contains(github.ref, 'v1') || endsWith(github.ref, 'x')", "false"},
		{"format('type={0},scope={1}', 'gha', matrix.app)", "type=gha,scope=web"},
		{"fromJSON(matrix.app)", "?"},
		{"matrix['app']", "?"},
		{"'it''s'", "it's"},
		{"(", "?"},
		{"", "?"},
		{"matrix.app matrix.app", "?"},
	} {
		got := "?"
		if r := known.evaluate(test.expression); r.known {
			got = r.text
		}
		if got != test.want {
			t.Errorf("%s is %q, want %q", test.expression, got, test.want)
		}
	}
}

// TestMatches compares branch filters with what GitHub's documentation says of them.
func TestMatches(t *testing.T) {
	for _, test := range []struct {
		patterns string
		branch   string
		want     bool
	}{
		{"main", "main", true},
		{"main", "maintenance", false},
		{"*", "main", true},
		{"*", "feature/a", false},
		{"**", "feature/a", true},
		{"releases/** !releases/**-alpha", "releases/1", true},
		{"releases/** !releases/**-alpha", "releases/1-alpha", false},
		{"v[12]", "v1", false}, // a set of characters is not read, and what is not read does not run
	} {
		if got := matches(strings.Fields(test.patterns), test.branch); got != test.want {
			t.Errorf("%s for %s: %v", test.patterns, test.branch, got)
		}
	}
}
