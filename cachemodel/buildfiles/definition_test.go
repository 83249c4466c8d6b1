package buildfiles

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"golang.org/x/tools/txtar"
)

// TestDefinition holds what is known of an entry's build at an earlier time to testdata/definition/*.txtar. The comment
// of a case is a line of prose and "entry: ID", perhaps "env: A=1 B=2"; files below then/ are those of the revision,
// files below now/ those of today, and files below head/ those that are kept since. want has the settings and what of
// them is not known.
func TestDefinition(t *testing.T) {
	files, err := filepath.Glob("testdata/definition/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no cases")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var id string
			var env []string
			for line := range strings.Lines(string(a.Comment)) {
				if rest, ok := strings.CutPrefix(line, "entry: "); ok {
					id = strings.TrimSpace(rest)
				}
				if rest, ok := strings.CutPrefix(line, "env: "); ok {
					env = strings.Fields(rest)
				}
			}
			trees := map[string]map[string]string{"then": {}, "now": {}, "head": {}}
			for _, f := range a.Files {
				if tree, path, ok := strings.Cut(f.Name, "/"); ok {
					trees[tree]["/p/"+path] = string(f.Data)
				}
			}
			got := describeDefinition(t, trees, id, env)
			a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
			a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(got)})
			golden.File(t, file, string(txtar.Format(a)))
		})
	}
}

func reader(tree map[string]string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if text, ok := tree[filepath.ToSlash(path)]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
}

// entryNow finds an entry in the files of now.
func entryNow(t *testing.T, now map[string]string, id string, env []string) (*Entry, Options) {
	t.Helper()
	o := Options{Dir: "/p", Here: true, Env: env, Read: reader(now)}
	read := ReadCompose
	if strings.HasPrefix(id, "bake:") {
		read = ReadBake
	}
	p, err := read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Entries, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		t.Fatalf("there is no %s", id)
	}
	return &p.Entries[i], o
}

func definitionOf(
	t *testing.T, trees map[string]map[string]string, id string, env []string,
) (baseline.Options, cachemodel.UnknownParts) {
	t.Helper()
	e, o := entryNow(t, trees["now"], id, env)
	d := e.At(t.Context(), Revision{Name: "HEAD~1", Read: reader(trees["then"]), Added: func(path string) bool {
		_, ok := trees["head"][filepath.ToSlash(path)]
		return ok
	}}, o)
	return d.Fill(baseline.Options{})
}

func describeDefinition(t *testing.T, trees map[string]map[string]string, id string, env []string) string {
	o, u := definitionOf(t, trees, id, env)
	var b bytes.Buffer
	line := func(name, value, reason string) {
		if value == "" && reason == "" {
			return
		}
		fmt.Fprintf(&b, "%s: %s", name, value)
		if reason != "" {
			fmt.Fprintf(&b, " (not known: %s)", reason)
		}
		b.WriteString("\n")
	}
	line("dockerfile", "", u.Dockerfile)
	line("context", o.ContextDir, u.Context)
	line("target", o.Target, u.Target)
	line("platform", o.Platform, u.Platform)
	line("args", "", u.AllArgs)
	args := maps.Clone(o.Args)
	for name := range u.Args {
		args[name] += ""
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		value := args[name]
		if strings.HasSuffix(value, " (then)") {
			value = "another each time"
		}
		line("arg "+name, value, u.Args[name])
	}
	line("contexts", "", u.AllContexts)
	contexts := maps.Clone(o.Contexts)
	maps.Copy(contexts, o.Images)
	for name := range u.Contexts {
		contexts[name] += ""
	}
	for _, name := range slices.Sorted(maps.Keys(contexts)) {
		line("context "+name, contexts[name], u.Contexts[name])
	}
	line("run", "", u.Run)
	return b.String()
}

// TestNothingIsTakenFromNow changes each part of a build by each route: the earlier build's is the one of then, or not
// known.
func TestNothingIsTakenFromNow(t *testing.T) {
	const compose = "services:\n  web:\n    build: {context: \"%s\", dockerfile: \"%s\", target: \"%s\", args: {A: " +
		"\"%s\"}," +
		" additional_contexts: {c: \"%s\"}, platforms: [\"%s\"]}\n"
	const bake = "target \"web\" {\n context = \"%s\"\n dockerfile = \"%s\"\n target = \"%s\"\n args = { A = \"%s\" " +
		"}\n" +
		" contexts = { c = \"%s\" }\n platforms = [\"%s\"]\n}\n"
	plain := []any{"x", "x", "x", "x", "x", "linux/amd64"}
	reasons := []func(u cachemodel.UnknownParts) string{
		func(u cachemodel.UnknownParts) string { return u.Context },
		func(u cachemodel.UnknownParts) string { return u.Dockerfile },
		func(u cachemodel.UnknownParts) string { return u.Target },
		func(u cachemodel.UnknownParts) string { return u.Args["A"] + u.AllArgs },
		func(u cachemodel.UnknownParts) string { return u.Contexts["c"] + u.AllContexts },
		func(u cachemodel.UnknownParts) string { return u.Platform },
	}
	for i, part := range []string{"context", "dockerfile", "target", "argument", "named context", "platform"} {
		value := "y"
		if i == 5 {
			value = "linux/arm64"
		}
		with := func(value string) []any {
			out := slices.Clone(plain)
			out[i] = value
			return out
		}
		add := func(files map[string]string, name, text string) map[string]string {
			out := maps.Clone(files)
			out["/p/"+name] = text
			return out
		}
		composed := map[string]string{"/p/compose.yaml": fmt.Sprintf(compose, plain...)}
		baked := map[string]string{"/p/docker-bake.hcl": fmt.Sprintf(bake, plain...)}
		composeOther, bakeOther := fmt.Sprintf(compose, with(value)...), fmt.Sprintf(bake, with(value)...)
		composeVar := map[string]string{"/p/compose.yaml": fmt.Sprintf(compose, with("${V:-"+plain[i].(string)+"}")...)}
		bakeVar := map[string]string{
			"/p/docker-bake.hcl": "variable \"V\" { default = \"" + plain[i].(string) + "\" }\n" +
				fmt.Sprintf(bake, with("${V}")...),
		}
		routes := []struct {
			name, id  string
			then, now map[string]string
			env       []string
			known     bool // the value is, and is that of then
		}{
			{"a tracked file", "compose:web", composed, map[string]string{"/p/compose.yaml": composeOther}, nil, true},
			{"a tracked bake file", "bake:web", baked, map[string]string{"/p/docker-bake.hcl": bakeOther}, nil, true},
			{
				"an override that is not kept",
				"compose:web",
				composed,
				add(composed, "compose.override.yaml", composeOther),
				nil,
				false,
			},
			{
				"a bake override that is not kept",
				"bake:web",
				baked,
				add(baked, "docker-bake.override.hcl", bakeOther),
				nil,
				false,
			},
			{
				"a JSON override that is not kept",
				"bake:web",
				baked,
				add(baked, "docker-bake.override.json", "{}"),
				nil,
				false,
			},
			{
				"a file that is not kept",
				"compose:web",
				nil,
				map[string]string{"/p/compose.yaml": composeOther},
				nil,
				false,
			},
			{
				"a bake file that is not kept",
				"bake:web",
				nil,
				map[string]string{"/p/docker-bake.hcl": bakeOther},
				nil,
				false,
			},
			{
				"a .env that is not kept",
				"compose:web",
				composeVar,
				add(composeVar, ".env", "V="+value+"\n"),
				nil,
				false,
			},
			{
				"a .env that says something else now",
				"compose:web",
				composeVar,
				add(composeVar, ".env", "W=1\n"),
				nil,
				false,
			},
			{"the environment", "compose:web", composeVar, composeVar, []string{"V=" + value}, false},
			{"the environment, of a bake file", "bake:web", bakeVar, bakeVar, []string{"V=" + value}, false},
			{"no variable", "compose:web", composeVar, composeVar, nil, false},
			{
				"another service",
				"compose:new",
				composed,
				map[string]string{"/p/compose.yaml": strings.Replace(composeOther, "web", "new", 1)},
				nil,
				false,
			},
			{
				"another target",
				"bake:new",
				baked,
				map[string]string{"/p/docker-bake.hcl": strings.Replace(bakeOther, "web", "new", 1)},
				nil,
				false,
			},
			{"another file", "bake:web", composed, add(composed, "docker-bake.hcl", bakeOther), nil, false},
			{"COMPOSE_FILE", "compose:web", composed, composed, []string{"COMPOSE_FILE=compose.yaml"}, false},
		}
		for _, r := range routes {
			t.Run(part+" by "+r.name, func(t *testing.T) {
				e, o := entryNow(t, r.now, r.id, r.env)
				d := e.At(
					t.Context(),
					Revision{Name: "HEAD", Read: reader(r.then), Added: func(string) bool { return false }},
					o,
				)
				then, u := d.Fill(baseline.Options{})
				switch reason := reasons[i](u); {
				case reason != "" && r.known:
					t.Errorf("it is not known: %s", reason)
				case reason == "" && !r.known:
					t.Errorf("it is taken for known: %+v", then)
				case r.known:
					got := []string{
						filepath.Base(then.ContextDir), filepath.Base(d.Entry.Dockerfile), then.Target, then.Args["A"],
						filepath.Base(then.Contexts["c"]), then.Platform,
					}[i]
					if got != plain[i] {
						t.Errorf("it is %s, not %s", got, plain[i])
					}
				}
			})
		}
	}
}
