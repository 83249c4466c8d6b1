package buildcheck

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
)

// ciFindings are the rules that find something in a workflow of a project with several Dockerfiles.
func ciFindings(t *testing.T, workflow string) []string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"Dockerfile": "FROM a AS build\nARG COMMIT\nRUN --mount=type=cache,target=/c npm ci\n" +
			"FROM a\nCOPY --from=build /x /\n",
		"one.Dockerfile":           "FROM a\nARG COMMIT\nRUN echo $COMMIT\nARG V\n",
		"unused.Dockerfile":        "FROM a AS unused\nRUN --mount=type=cache,target=/c x\nFROM a\nRUN y\n",
		"web/Dockerfile":           "FROM a\n",
		"api/Dockerfile":           "FROM a\n",
		".github/workflows/ci.yml": workflow,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	builds, problems := pipeline.Find(t.Context(), pipeline.Options{Root: root})
	if len(builds) == 0 || len(problems) > 0 {
		t.Fatalf("no builds in\n%s%v", workflow, problems)
	}
	for _, b := range builds {
		if b.Problem != "" {
			t.Fatalf("%s in\n%s", b.Problem, workflow)
		}
	}
	text := source.New(workflow)
	var out []string
	for _, f := range CI(filepath.Join(root, ".github", "workflows", "ci.yml"), text, builds, Files{}) {
		if rule := rules.ByID(f.Rule); rule == nil || rule.Severity != f.Severity {
			t.Errorf("%s has another severity than its rule", f.Rule)
		}
		if got := text.Slice(f.Span); !strings.HasPrefix(got, "uses:") && !strings.HasPrefix(got, "run:") &&
			!strings.HasPrefix(got, "{uses:") {
			t.Errorf("%s marks %q", f.Rule, got)
		}
		out = append(out, f.Rule)
	}
	return out
}

// TestCIExamples holds the examples of each rule about CI to it: the first is found, the second is not.
func TestCIExamples(t *testing.T) {
	for _, rule := range []*rules.Rule{rules.EmptyCacheMount, rules.MinModeCache, rules.NoCacheFrom, rules.SharedCache,
		rules.VaryingBuildArg} {
		if !slices.Contains(ciFindings(t, rule.Doc.Example), rule.ID) {
			t.Errorf("%s does not find its example", rule.ID)
		}
		if strings.HasPrefix(rule.Doc.Instead, "#") { // another Dockerfile
			continue
		}
		if slices.Contains(ciFindings(t, rule.Doc.Instead), rule.ID) {
			t.Errorf("%s finds what its page says to use instead", rule.ID)
		}
	}
}

// TestCI finds what is wrong with the caches of one step, and nothing else.
func TestCI(t *testing.T) {
	for _, test := range []struct{ about, job, with, want string }{
		{"nothing is said of a machine of its own", "runs-on: self-hosted", "context: .", ""},
		{"all is well", "runs-on: ubuntu-latest",
			"{file: one.Dockerfile, cache-from: type=gha, cache-to: type=gha}", ""},
		{"one stage with an inline cache", "",
			"{file: one.Dockerfile, cache-from: a, cache-to: type=inline, tags: a, push: true}",
			""},
		{"several stages with an inline cache", "", "{cache-from: a, cache-to: type=inline, tags: a, push: true}",
			"MinModeCache"},
		{"an inline cache that is not pushed", "", "{cache-from: a, cache-to: type=inline, tags: a}", ""},
		{"one of two is max", "",
			"{cache-from: type=gha, cache-to: \"type=inline\\ntype=gha,mode=max\", tags: a, push: true}", ""},
		{"a stage that the image does not need", "runs-on: ubuntu-latest",
			"{file: unused.Dockerfile, cache-from: type=gha, cache-to: type=gha}", ""},
		{"... unless it is the target", "runs-on: ubuntu-latest",
			"{file: unused.Dockerfile, target: unused, cache-from: type=gha, cache-to: type=gha}", "EmptyCacheMount"},
		{"an argument that is used", "", "{file: one.Dockerfile, build-args: \"COMMIT=${{ github.sha }}\"}", ""},
		{"an argument below all commands", "", "{file: one.Dockerfile, build-args: \"V=${{ github.run_id }}\"}", ""},
		{"an argument that is the same each time", "", "{build-args: \"COMMIT=1\"}", ""},
		{"an argument that only the CI knows", "", "{build-args: \"COMMIT=${{ vars.COMMIT }}\"}", ""},
		{"no-cache", "runs-on: ubuntu-latest", "{file: one.Dockerfile, no-cache: true}", ""},
		{"another place for each commit", "strategy: {matrix: {app: [web, api]}}",
			"{context: \"${{ matrix.app }}\", cache-from: a, cache-to: \"type=registry,ref=a:${{ github.sha }}\"}", ""},
	} {
		if !strings.HasPrefix(test.with, "{") {
			test.with = "{" + test.with + "}"
		}
		got := ciFindings(t, "jobs:\n  build:\n    "+test.job+"\n    steps:\n"+
			"      - {uses: docker/build-push-action@v6, with: "+test.with+"}\n")
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.about, got, test.want)
		}
	}
}

// TestSharedCache finds images that replace each other's cache; not the variants that one job builds in turn, of which
// the last has what it shares with the others.
func TestSharedCache(t *testing.T) {
	step := func(with string) string {
		return "      - {uses: docker/build-push-action@v6, with: {" + with + ", cache-from: type=gha, " +
			"cache-to: \"type=gha,mode=max\"}}\n"
	}
	for _, test := range []struct {
		about, jobs string
		want        int
	}{
		{"two Dockerfiles of one job", "  a:\n    steps:\n" + step("context: web") + step("context: api"), 2},
		{"two targets of one job", "  a:\n    steps:\n" + step("target: build") + step("context: ."), 0},
		{"two targets of two jobs", "  a:\n    steps:\n" + step("target: build") + "  b:\n    steps:\n" +
			step("context: ."), 2},
		{"the same image in two jobs", "  a:\n    steps:\n" + step("context: .") + "  b:\n    steps:\n" +
			step("context: ."), 0},
	} {
		if got := ciFindings(t, "jobs:\n"+test.jobs); len(got) != test.want {
			t.Errorf("%s: %v, want %d findings", test.about, got, test.want)
		}
	}
}

// Renaming a stage or an ARG reaches the CI files that name it, where the name stands there as it is and no other
// Dockerfile can be meant.
func TestRenamedInCI(t *testing.T) {
	const head = "on: push\njobs:\n  j:\n    runs-on: x\n    steps:\n"
	const action = "      - uses: docker/build-push-action@v6\n        with:\n          context: .\n"
	for _, test := range []struct {
		about, workflow, want string
		arg                   bool
	}{
		{"an action's target, with a comment", head + action + "          target: prod # the last\n",
			head + action + "          target: new # the last\n", false},
		{"in quotes, in other letters", head + action + "          target: \"PROD\"\n",
			head + action + "          target: \"new\"\n", false},
		{"a tag of the same name stays", head + action + "          tags: prod\n          target: prod\n",
			head + action + "          tags: prod\n          target: new\n", false},
		{"a command's flag", head + "      - run: docker build --target prod -t prod .\n",
			head + "      - run: docker build --target new -t prod .\n", false},
		{"a flag on a line of its own",
			head + "      - run: |\n          docker build \\\n            --target=prod \\\n            .\n",
			head + "      - run: |\n          docker build \\\n            --target=new \\\n            .\n", false},
		{"the target of another Dockerfile stays",
			head + action + "          target: prod\n" + action + "          file: web/Dockerfile\n          target: prod\n",
			head + action + "          target: new\n" + action + "          file: web/Dockerfile\n          target: prod\n",
			false},
		{"two Dockerfiles in one step: which is meant is not known",
			head + "      - run: |\n          docker build --target prod .\n          docker build --target prod web\n",
			"", false},
		{"a matrix names it", "on: push\njobs:\n  j:\n    runs-on: x\n    strategy: {matrix: {t: [prod]}}\n    steps:\n" +
			action + "          target: ${{ matrix.t }}\n", "", false},
		{"arguments of an action",
			head + action + "          build-args: |\n            W=1\n            V=prod\n            VV=2\n",
			head + action + "          build-args: |\n            W=1\n            new=prod\n            VV=2\n", true},
		{"one argument", head + action + "          build-args: V=1\n",
			head + action + "          build-args: new=1\n", true},
		{"arguments of a command; its environment stays",
			head + "      - run: V=1 docker build --build-arg V --build-arg \"V=2\" .\n",
			head + "      - run: V=1 docker build --build-arg new --build-arg \"new=2\" .\n", true},
	} {
		root := t.TempDir()
		path := filepath.Join(root, ".github", "workflows", "ci.yml")
		for at, content := range map[string]string{
			path: test.workflow, filepath.Join(root, "Dockerfile"): "FROM a AS prod\nARG V\n",
			filepath.Join(root, "web", "Dockerfile"): "FROM a AS prod\n",
		} {
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		builds, _ := pipeline.Find(t.Context(), pipeline.Options{Root: root})
		name, dockerfile := "prod", filepath.Join(root, "Dockerfile")
		if test.arg {
			name = "V"
		}
		if len(Names(builds, dockerfile, name, test.arg)) == 0 {
			t.Errorf("%s: no build has the name", test.about)
		}
		edits := RenamedInCI(path, source.New(test.workflow), builds, dockerfile, name, "new", test.arg)
		want := test.want
		if want == "" {
			want = test.workflow
		}
		if got, err := source.Apply(test.workflow, edits); got != want || err != nil {
			t.Errorf("%s: %v\n%s", test.about, err, got)
		}
	}
}
