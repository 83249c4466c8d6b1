package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// openProject writes a workspace and opens an editor in it.
func openProject(t *testing.T, files map[string]string) (*lsptest.Editor, string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
	e.Initialize(map[string]any{}, painter, root)
	return e, root
}

// awaitMarks waits for marks of a Dockerfile for which matches holds.
func awaitMarks(e *lsptest.Editor, uri string, matches func(marks string) bool) {
	e.Await("layerwise/cacheStatus", func(params json.RawMessage) bool {
		var p struct {
			URI, State string
			Steps      []struct{ Text, Status string }
		}
		if json.Unmarshal(params, &p) != nil || p.URI != uri || p.State != "ready" {
			return false
		}
		marks := ""
		for _, s := range p.Steps {
			marks += s.Text + "=" + s.Status + " "
		}
		return matches(marks)
	})
}

// TestBuildChoice takes a Dockerfile's settings from Compose and bake files, from unsaved text too, and lets people
// choose.
func TestBuildChoice(t *testing.T) {
	e, root := openProject(t, map[string]string{
		"app/Dockerfile": "FROM alpine AS dev\nARG V\nCOPY app/a.txt /\nRUN dev\nFROM dev AS prod\nRUN prod\n",
		"app/a.txt":      "a",
		"compose.yaml": "services:\n  web:\n    build:\n      context: .\n      dockerfile: app/Dockerfile\n      " +
			"target: dev\n      args: {V: '1'}\n",
		"docker-bake.hcl": "target \"all\" {\n  dockerfile = \"app/Dockerfile\"\n  no-cache = true\n}\n",
	})
	dockerfile, compose := lsptest.URI(
		filepath.Join(root, "app", "Dockerfile"),
	), lsptest.URI(
		filepath.Join(root, "compose.yaml"),
	)
	text, _ := os.ReadFile(filepath.Join(root, "app", "Dockerfile"))
	e.OpenFile(dockerfile, "dockerfile", string(text))
	awaitMarks(e, dockerfile, func(marks string) bool {
		return strings.Contains(marks, "COPY app/a.txt /=cached") && strings.Contains(marks, "RUN dev=cached") &&
			strings.Contains(marks, "RUN prod=skipped")
	})

	lenses := func() string {
		var out []struct {
			Command struct{ Title, Command string }
		}
		e.MustCall("textDocument/codeLens", lsptest.Document(dockerfile), &out)
		titles := ""
		for _, l := range out {
			if l.Command.Command == "layerwise.selectBuild" {
				titles += l.Command.Title
			}
		}
		return titles
	}
	if got := lenses(); got != "compose service web" {
		t.Errorf("the lens says %q", got)
	}
	var builds struct {
		Current string
		Items   []struct{ ID, Label, Detail string }
	}
	e.MustCall("layerwise/builds", lsptest.Document(dockerfile), &builds)
	ids := ""
	for _, item := range builds.Items {
		ids += item.ID + " "
	}
	if builds.Current != "compose:web" || ids != "compose:web bake:all context:"+
		filepath.Join(root, "app")+" context:"+root+" auto none " {
		t.Errorf("builds: %+v", builds)
	}

	// An argument in the unsaved Compose file, then text that is half typed: the last good one counts.
	content, _ := os.ReadFile(filepath.Join(root, "compose.yaml"))
	e.OpenFile(compose, "dockercompose", string(content))
	e.Replace(compose, 2, strings.Replace(string(content), "'1'", "'2'", 1))
	awaitMarks(e, dockerfile, func(marks string) bool {
		return strings.Contains(marks, "COPY app/a.txt /=cached") && strings.Contains(marks, "RUN dev=rebuilt")
	})
	e.Replace(compose, 3, strings.Replace(string(content), "target: dev", "target: [", 1))
	e.Replace(compose, 4, strings.Replace(string(content), "target: dev", "target: prod", 1))
	awaitMarks(e, dockerfile, func(marks string) bool {
		return strings.Contains(marks, "RUN prod=") && !strings.Contains(marks, "RUN prod=skipped")
	})

	// Another choice, by its name and by asking.
	e.MustCall(
		"workspace/executeCommand",
		map[string]any{"command": "layerwise.selectBuild", "arguments": []string{dockerfile, "none"}},
		nil,
	)
	awaitMarks(e, dockerfile, func(marks string) bool { // the context is guessed: where app/a.txt is
		return strings.Contains(marks, "COPY app/a.txt /=cached") && strings.Contains(marks, "RUN prod=cached")
	})
	e.Answer("window/showMessageRequest", func(params json.RawMessage) any {
		var p struct{ Actions []struct{ Title string } }
		json.Unmarshal(params, &p)
		return map[string]any{"title": p.Actions[1].Title}
	})
	e.MustCall(
		"workspace/executeCommand",
		map[string]any{"command": "layerwise.selectBuild", "arguments": []string{dockerfile}},
		nil,
	)
	awaitMarks(e, dockerfile, func(marks string) bool { return strings.Contains(marks, "RUN prod=rebuilt") })
	if got := lenses(); got != "bake target all" {
		t.Errorf("the lens says %q", got)
	}

	// Another build context, relative to the Dockerfile's folder.
	choose := func(id string) {
		params := map[string]any{"command": "layerwise.selectBuild", "arguments": []string{dockerfile, id}}
		e.MustCall("workspace/executeCommand", params, nil)
	}
	choose("context:.")
	awaitMarks(e, dockerfile, func(marks string) bool { return strings.Contains(marks, "COPY app/a.txt /=fails") })
	e.MustCall("layerwise/builds", lsptest.Document(dockerfile), &builds)
	if want := "context:" + filepath.Join(root, "app"); builds.Current != want {
		t.Errorf("the choice is %s, want %s", builds.Current, want)
	}
	choose("context:..")
	awaitMarks(e, dockerfile, func(marks string) bool { return strings.Contains(marks, "COPY app/a.txt /=cached") })
}

// TestBuildFileDocuments checks lenses, diagnostics, fixes and definitions in Compose and bake files, also half typed.
func TestBuildFileDocuments(t *testing.T) {
	e, root := openProject(t, map[string]string{
		"app/Dockerfile": "FROM alpine AS build\nARG VERSION=1\nRUN make\nFROM build AS prod\nRUN run\n",
		"app/x":          "",
	})
	compose, bake := lsptest.URI(
		filepath.Join(root, "compose.yaml"),
	), lsptest.URI(
		filepath.Join(root, "docker-bake.hcl"),
	)
	dockerfile := lsptest.URI(filepath.Join(root, "app", "Dockerfile"))
	type diagnostics struct {
		URI         string
		Diagnostics []struct {
			Code, Message string
			Range         any
		}
	}
	await := func(uri string, want ...string) diagnostics {
		t.Helper()
		var got diagnostics
		e.Await("textDocument/publishDiagnostics", func(params json.RawMessage) bool {
			got = diagnostics{}
			if json.Unmarshal(params, &got) != nil || got.URI != uri || len(got.Diagnostics) != len(want) {
				return false
			}
			for i, d := range got.Diagnostics {
				if d.Code+": "+d.Message != want[i] {
					return false
				}
			}
			return true
		})
		return got
	}
	text := `services:
  web:
    build:
      context: ./app
      target: prdo
      args:
        VERSOIN: "2"
  lost:
    build: ./nowhere
  wrong:
    build:
      context: app
      dockerfile: Dockerfil
`
	e.OpenFile(compose, "dockercompose", text)
	got := await(
		compose,
		`UnknownBuildTarget: Dockerfile has no stage "prdo". Did you mean "prod"?`,
		`UndeclaredBuildArg: Dockerfile does not declare the argument VERSOIN, so it has no effect. Did you mean "VERSION"?`,
		`MissingBuildContext: The build context `+filepath.Join(root, "nowhere")+` is not a directory.`,
		`MissingDockerfile: There is no Dockerfile `+filepath.Join(root, "app", "Dockerfil")+`.`,
	)
	var actions []struct {
		Title string
		Edit  struct {
			Changes map[string][]struct{ NewText string }
		}
	}
	for i, want := range []string{"prod", "VERSION", "", "Dockerfile"} {
		e.MustCall(
			"textDocument/codeAction",
			lsptest.Document(
				compose,
				"range",
				got.Diagnostics[i].Range,
				"context",
				map[string]any{"diagnostics": []any{}},
			),
			&actions,
		)
		fix := ""
		if len(actions) > 0 && len(actions[0].Edit.Changes[compose]) == 1 {
			fix = actions[0].Edit.Changes[compose][0].NewText
		}
		if fix != want {
			t.Errorf("the fix of %s is %q, want %q", got.Diagnostics[i].Code, fix, want)
		}
	}
	var lenses []struct {
		Command struct{ Title, Command string }
	}
	e.MustCall("textDocument/codeLens", lsptest.Document(compose), &lenses)
	if len(lenses) != 1 || lenses[0].Command.Title != "web: no earlier build to compare with" ||
		lenses[0].Command.Command != "layerwise.openDockerfile" {
		t.Errorf("lenses: %+v", lenses)
	}
	var at struct {
		URI   string
		Range struct{ Start struct{ Line int } }
	}
	good := strings.NewReplacer(
		"prdo",
		"prod",
		"VERSOIN",
		"VERSION",
		"Dockerfil\n",
		"Dockerfile\n",
		"./nowhere",
		"./app",
	).Replace(
		text,
	)
	e.Replace(compose, 2, good)
	await(compose)
	for line, want := range map[int]int{4: 3, 6: 1, 3: 0} {
		e.MustCall(
			"textDocument/definition",
			lsptest.Document(compose, "position", map[string]int{"line": line, "character": 10}),
			&at,
		)
		if at.URI != dockerfile || at.Range.Start.Line != want {
			t.Errorf("the definition from line %d is %+v, want line %d of the Dockerfile", line, at, want)
		}
	}

	// Half typed: the lenses stay. What is edited in the Dockerfile and not saved counts.
	e.Replace(compose, 3, strings.Replace(good, "  lost:", "  lost: [", 1))
	e.MustCall("textDocument/codeLens", lsptest.Document(compose), &lenses)
	if len(lenses) != 3 && len(lenses) != 2 {
		t.Errorf("half typed: %+v", lenses)
	}
	e.Replace(compose, 4, good)
	e.OpenFile(dockerfile, "dockerfile", "FROM alpine AS other\nARG VERSION\n")
	await(compose, `UnknownBuildTarget: Dockerfile has no stage "prod".`)

	// A bake file, with a target that only others use.
	e.OpenFile(bake, "hcl", `target "_base" {
  args = { NOTHING = "1" }
}
target "app" {
  inherits = ["_base"]
  context = "app"
  target = "othr"
  args = {
    VERSOIN = "1"
  }
}
`)
	await(
		bake,
		`UnknownBuildTarget: Dockerfile has no stage "othr". Did you mean "other"?`,
		`UndeclaredBuildArg: Dockerfile does not declare the argument VERSOIN, so it has no effect. Did you mean "VERSION"?`,
	)
	for _, half := range []string{"", "target", "target \"app\" " +
		"{", "target \"a", "}}}", "target \"app\" { args = {", "\x00"} {
		e.Replace(bake, 2, half)
		e.Replace(compose, 5, half)
		e.MustCall("textDocument/codeLens", lsptest.Document(bake), nil)
		e.MustCall("textDocument/codeLens", lsptest.Document(compose), nil)
	}
}

// A named context's files count like those of the main one: against the file as it was opened, and when another program
// changes them later, in new folders, too. Its own ignore file counts, not the Dockerfile's.
func TestNamedContextsAreWatched(t *testing.T) {
	e, root := openProject(t, map[string]string{
		"app/Dockerfile":              "FROM scratch\nCOPY --from=lib . /lib\nCOPY --from=lib doc /doc\n",
		"app/Dockerfile.dockerignore": "a.txt\n**/b.txt\n",
		"lib/.dockerignore":           "tmp\n",
		"lib/a.txt":                   "a",
		"lib/doc/d.txt":               "d",
		"compose.yaml": "services:\n  web:\n    build:\n      context: app\n      " +
			"additional_contexts: {lib: ./lib}\n",
	})
	uri := lsptest.URI(filepath.Join(root, "app", "Dockerfile"))
	text, _ := os.ReadFile(filepath.Join(root, "app", "Dockerfile"))
	e.OpenFile(uri, "dockerfile", string(text))
	awaitStatus(t, e, "FROM config, COPY cached, COPY cached")
	write(t, filepath.Join(root, "lib", "a.txt"), "other")
	if got := awaitStatus(t, e, "FROM config, COPY rebuilt, COPY "+
		"rebuilt"); got.Steps[1].Cause.Detail != "a.txt was modified" {
		t.Errorf("the cause is %q", got.Steps[1].Cause.Detail)
	}
	write(t, filepath.Join(root, "lib", "a.txt"), "a")
	awaitStatus(t, e, "FROM config, COPY cached, COPY cached")
	if err := os.Mkdir(filepath.Join(root, "lib", "doc", "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, e, "FROM config, COPY rebuilt, COPY rebuilt")
	if err := command(e, "layerwise.markAsBuilt", uri); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, e, "FROM config, COPY cached, COPY cached")
	write(t, filepath.Join(root, "lib", "tmp"), "ignored")
	write(t, filepath.Join(root, "lib", "doc", "new", "b.txt"), "b")
	if got := awaitStatus(t, e, "FROM config, COPY rebuilt, COPY "+
		"rebuilt"); got.Steps[1].Cause.Detail != "doc/new/b.txt was added" {
		t.Errorf("the cause is %q", got.Steps[1].Cause.Detail)
	}
}

// TestInlineDockerfile finds what is wrong in a Dockerfile within a Compose file, at its place there, and judges it.
func TestInlineDockerfile(t *testing.T) {
	text := "services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM alpine\n        RUNN make\n"
	e, root := openProject(t, map[string]string{"compose.yaml": text})
	compose := lsptest.URI(filepath.Join(root, "compose.yaml"))
	e.OpenFile(compose, "dockercompose", text)
	e.Await("textDocument/publishDiagnostics", func(params json.RawMessage) bool {
		var p struct {
			URI         string
			Diagnostics []struct {
				Code  string
				Range struct{ Start struct{ Line, Character int } }
			}
		}
		if json.Unmarshal(params, &p) != nil || p.URI != compose {
			return false
		}
		for _, d := range p.Diagnostics {
			if at := d.Range.Start; d.Code == "unknown-instruction" && at.Line == 5 && at.Character == 8 {
				return true
			}
		}
		return false
	})
	var lenses []struct {
		Command struct{ Title string }
	}
	e.MustCall("textDocument/codeLens", lsptest.Document(compose), &lenses)
	if len(lenses) != 1 || lenses[0].Command.Title != "web: no earlier build to compare with" {
		t.Errorf("lenses: %+v", lenses)
	}
}

// TestInlineStatus paints the marks of Dockerfiles within a Compose file at their lines there: again when a file that
// one copies or the settings change, without any other document open, and none any more when there is no Dockerfile in
// it or it is closed.
func TestInlineStatus(t *testing.T) {
	const compose = "services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM alpine\n        COPY a /\n" +
		"  job:\n    build:\n      dockerfile_inline: |\n        FROM debian\n        RUN two\n        RUN after\n"
	root, repo := repository(t, "compose.yaml", compose)
	write(t, filepath.Join(root, "a"), "1")
	repo("add", "-A")
	repo("commit", "-qm", "a")
	e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
	options := map[string]any{"cacheStatus": true, "writesTexts": true, "layerwise": map[string]any{"buildkit": "off"}}
	e.Initialize(map[string]any{}, options, root)
	uri := lsptest.URI(filepath.Join(root, "compose.yaml"))
	type status struct {
		URI     string
		Version *int
		Steps   []struct {
			Line   int
			Status string
			Cause  *struct{ Line int }
		}
		Hints   []struct{ Text string }
		Stages  []struct{ Text string }
		Summary struct{ Cached, Rebuilt int }
	}
	await := func(what, want string, version int) {
		t.Helper()
		var got string
		e.Await("layerwise/cacheStatus", func(params json.RawMessage) bool {
			var s status
			if err := json.Unmarshal(params, &s); err != nil {
				t.Fatal(err)
			}
			if s.URI != uri || (s.Version == nil) != (version == 0) || version != 0 && *s.Version != version {
				return false
			}
			got = ""
			for _, step := range s.Steps {
				got += fmt.Sprint(step.Line, " ", step.Status)
				if step.Cause != nil {
					got += fmt.Sprint(" by ", step.Cause.Line)
				}
				got += ", "
			}
			for _, stage := range s.Stages {
				got += stage.Text + ", "
			}
			got += fmt.Sprint(len(s.Hints), " hints, ", s.Summary.Cached, " of ", s.Summary.Cached+s.Summary.Rebuilt)
			return got == want
		})
		t.Log(what, got)
	}
	now := strings.Replace(compose, "RUN two", "RUN three", 1)
	e.OpenFile(uri, "dockercompose", now)
	await("a changed RUN",
		"5 cached, 6 cached, 10 cached, 11 rebuilt by 11, 12 rebuilt by 11, "+
			"all 2 cached, 1 of 3 cached · rebuilds from line 11, 5 hints, 3 of 5", 1)
	write(t, filepath.Join(root, "a"), "2")
	await("a changed file",
		"5 cached, 6 rebuilt by 6, 10 cached, 11 rebuilt by 11, 12 rebuilt by 11, "+
			"1 of 2 cached · rebuilds from line 6, 1 of 3 cached · rebuilds from line 11, 5 hints, 2 of 5", 1)
	e.Replace(uri, 2, "# a line more\n"+now)
	await("moved", "6 cached, 7 rebuilt by 7, 11 cached, 12 rebuilt by 12, 13 rebuilt by 12, "+
		"1 of 2 cached · rebuilds from line 7, 1 of 3 cached · rebuilds from line 12, 5 hints, 2 of 5", 2)
	for _, baseline := range []string{"git:HEAD~1", "git:HEAD"} {
		own := map[string]any{"buildkit": "off", "baseline": baseline}
		e.Notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"layerwise": own}})
		e.Await("layerwise/cacheStatus", func(params json.RawMessage) bool {
			var s struct{ BaselineLabel string }
			return json.Unmarshal(params, &s) == nil && s.BaselineLabel == strings.Replace(baseline, ":", " ", 1)
		})
	}
	e.Replace(uri, 3, "services: {web: {image: alpine}}\n")
	await("no Dockerfile in it", "0 hints, 0 of 0", 3)
	e.Replace(uri, 4, now)
	await("and again",
		"5 cached, 6 rebuilt by 6, 10 cached, 11 rebuilt by 11, 12 rebuilt by 11, "+
			"1 of 2 cached · rebuilds from line 6, 1 of 3 cached · rebuilds from line 11, 5 hints, 2 of 5", 4)
	e.Notify("textDocument/didClose", lsptest.Document(uri))
	await("closed", "0 hints, 0 of 0", 0)
}

// TestInlineMarks shows the marks of Dockerfiles within Compose and bake files and what their words mean, where they
// stand: a changed line is rebuilt, what is above it is cached.
func TestInlineMarks(t *testing.T) {
	const compose = "services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM alpine\n" +
		"        RUN echo $$HOME\n        RUN two\n"
	const bake = "target \"app\" {\n  dockerfile-inline = <<EOT\nFROM alpine\nRUN one\nRUN two\nEOT\n}\n"
	for name, test := range map[string]struct {
		language, text, now string
		want                []string // line, character and label of each hint
		line, character     int      // of a RUN
	}{
		"compose.yaml": {"dockercompose", compose, strings.Replace(compose, "RUN two", "RUN three", 1),
			[]string{"4 19 cached", "5 23 cached", "6 17 rebuilt"}, 6, 8},
		"docker-bake.hcl": {"dockerbake", bake, strings.Replace(bake, "RUN two", "RUN three", 1),
			[]string{"2 11 cached", "3 7 cached", "4 9 rebuilt"}, 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root, _ := repository(t, name, test.text)
			e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
			e.Initialize(map[string]any{}, map[string]any{"layerwise": map[string]any{"buildkit": "off"}}, root)
			uri := lsptest.URI(filepath.Join(root, name))
			e.OpenFile(uri, test.language, test.now)
			type place struct {
				Line      int `json:"line"`
				Character int `json:"character"`
			}
			var hints []struct {
				Position place
				Label    string
			}
			all := map[string]any{"start": place{0, 0}, "end": place{100, 0}}
			e.MustCall("textDocument/inlayHint", lsptest.Document(uri, "range", all), &hints)
			var got []string
			for _, h := range hints {
				word := strings.Fields(strings.Trim(h.Label, "✓↻ "))[0]
				got = append(got, fmt.Sprint(h.Position.Line, " ", h.Position.Character, " ", strings.Trim(word, ":")))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("hints %q, want %q", got, test.want)
			}
			var hover struct {
				Contents struct{ Value string }
				Range    struct{ Start place }
			}
			at := place{test.line, test.character}
			e.MustCall("textDocument/hover", lsptest.Document(uri, "position", at), &hover)
			if !strings.Contains(hover.Contents.Value, "rebuilt") || hover.Range.Start != at {
				t.Errorf("hover: %+v", hover)
			}
			var nothing any
			e.MustCall("textDocument/hover", lsptest.Document(uri, "position", place{0, 3}), &nothing)
			if nothing != nil {
				t.Errorf("outside of the Dockerfile: %v", nothing)
			}
		})
	}
}
