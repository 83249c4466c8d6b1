package reorder

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/patternmatcher"
	"golang.org/x/tools/txtar"
)

// files is a build context in memory: file names with their contents.
type files map[string]string

func (f files) List(dir string) (names []string) {
	dir = path.Clean(dir)
	for name := range f {
		rest := name
		if dir != "." {
			var ok bool
			if rest, ok = strings.CutPrefix(name, dir+"/"); !ok {
				continue
			}
		}
		first, _, deeper := strings.Cut(rest, "/")
		if deeper {
			first += "/"
		}
		if !slices.Contains(names, first) {
			names = append(names, first)
		}
	}
	slices.Sort(names)
	return names
}

func (f files) Read(file string) ([]byte, bool) {
	text, ok := f[file]
	return []byte(text), ok
}

// Excluded goes by the ignore file. In a case without one, what it does not have is nowhere.
func (f files) Excluded(name string) bool {
	ignore, ok := f[".dockerignore"]
	if !ok {
		return true
	}
	if f.Keeps(name) {
		return false
	}
	excluded, err := patternmatcher.MatchesOrParentMatches(name, strings.Fields(ignore))
	return err == nil && excluded
}

func (f files) Keeps(dir string) bool {
	return slices.ContainsFunc(
		strings.Fields(f[".dockerignore"]),
		func(p string) bool { return effects.Keeps(p, dir) },
	)
}

// seconds are weights for tests.
func seconds(in *dockerfile.Instruction) float64 {
	text := in.Node.Original
	for _, doc := range in.Node.Heredocs {
		text += "\n" + doc.Content
	}
	if in.Meant != "RUN" {
		return 0.2
	}
	compiled, fetched := 60.0, 30.0
	if kept := cacheMount.FindString(text); kept != "" {
		text = cacheMount.ReplaceAllString(text, " ")
		if strings.Contains(kept, "go-build") {
			compiled = 15
		} else {
			fetched = 20
		}
	}
	sum := 1.0
	if strings.Contains(text, "build") {
		sum += compiled
	}
	if strings.Contains(text, "install") || strings.Contains(text, "npm ci") || text == "RUN yarn" ||
		strings.HasPrefix(text, "RUN yarn &&") ||
		strings.Contains(text, "download") ||
		strings.Contains(text, "restore") {
		sum += fetched
	}
	return sum
}

var cacheMount = regexp.MustCompile(` --mount=type=cache\S* `)

func (f files) model() Model { return Model{Context: f, Seconds: seconds} }

// Each archive in testdata/best is one case: its comment says what it shows; Dockerfile is the input, the other files
// are the context; after is the golden result and offer what is said of it, both empty where nothing is offered.
func TestBestCases(t *testing.T) {
	golden.Archives(t, "testdata/best/*.txtar", func(t *testing.T, a *txtar.Archive) []txtar.File {
		given := slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "after" || f.Name == "offer" })
		context, input := files{}, ""
		for _, f := range given {
			if f.Name == "Dockerfile" {
				input = string(f.Data)
			} else {
				context[f.Name] = string(f.Data)
			}
		}
		after, offers := bestOf(t, input, context.model())
		var said strings.Builder
		for _, o := range offers {
			said.WriteString(string(o.Grade) + ": " + o.Title + "\n" + o.Explanation + "\n")
		}
		if len(offers) > 0 {
			given = append(given, txtar.File{Name: "after", Data: []byte(after)})
		}
		return append(given, txtar.File{Name: "offer", Data: []byte(said.String())})
	})
}

// bestOf carries out what is offered and checks what must hold of every offer.
func bestOf(t *testing.T, text string, model Model) (string, []Rewrite) {
	t.Helper()
	file := parse(text)
	offers := Search(context.Background(), file, model).Rewrites
	if len(offers) == 0 {
		return text, nil
	}
	var edits []source.Edit
	for _, o := range offers {
		if o.Title == "" || o.Explanation == "" || o.Grade != Proved && o.Grade != Likely || o.After >= o.Before {
			t.Errorf("incomplete offer %+v", o)
		}
		edits = append(edits, o.Edits...)
	}
	after, err := source.Apply(text, edits)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	result := parse(after)
	if broken(result) || len(result.Stages) != len(file.Stages) {
		t.Fatalf("the result has errors: %+v\n%s\nfrom:\n%s", result.Problems, after, text)
	}
	if diff := cmp.Diff(kinds(file), kinds(result)); diff != "" {
		t.Fatalf("an instruction is lost (-before +after):\n%s\nfrom:\n%s\nto:\n%s", diff, text, after)
	}
	if diff := cmp.Diff(comments(file), comments(result)); diff != "" {
		t.Fatalf("other comments (-before +after):\n%s\nfrom:\n%s\nto:\n%s", diff, text, after)
	}
	if strings.Count(text, "\n") == strings.Count(text, "\r\n") &&
		strings.Count(after, "\n") != strings.Count(after, "\r\n") {
		t.Fatalf("a carriage return is lost: %q", after)
	}
	if again := Search(context.Background(), result, model).Rewrites; len(again) > 0 && !again[0].mounts {
		t.Errorf("a second time it offers %q:\n%s\nafter:\n%s", again[0].Title, text, after)
	}
	return after, offers
}

// kinds returns the text of all instructions but COPY and RUN, which may be split, sorted.
func kinds(file *dockerfile.File) (list []string) {
	for _, in := range file.Instructions {
		if in.Meant != "COPY" && in.Meant != "RUN" {
			list = append(list, file.Text.Slice(in.Span))
		}
	}
	slices.Sort(list)
	return list
}

// project is a context that has something for everybody.
var project = files{
	"package.json":      `{"dependencies":{"b":"1"}}`,
	"package-lock.json": `{"lockfileVersion":3,"packages":{"":{"dependencies":{"b":"1"}}}}`, "yarn.lock": "b@1:",
	"pnpm-lock.yaml":   "",
	"requirements.txt": "flask", "requirements-dev.txt": "pytest", "setup.py": "", "Pipfile": "", "Pipfile.lock": "{}",
	"pyproject.toml": "", "poetry.lock": "",
	"go.mod": "module x", "go.sum": "", "Cargo.toml": "", "Cargo.lock": "", "Gemfile": "gem 'rails'",
	"Gemfile.lock": "x86_64-linux", "composer.json": "{}", "composer.lock": "{}",
	"pom.xml": "<project/>", "mix.exs": "", "mix.lock": "", "config/config.exs": "", "app.csproj": "<Project/>",
	"src/main.c": "", "lib/a.rb": "", "Makefile": "", "Dockerfile": "",
	"web/package.json": `{}`, "web/yarn.lock": "", "web/src/index.ts": "", "docker/entrypoint.sh": "",
	"cmd/main.go": "",
}

// The invariants hold for real files, with a context and without.
func TestBestOfCorpus(t *testing.T) {
	count := map[string]int{}
	for name, text := range corpus.Dockerfiles(t) {
		t.Run(name, func(t *testing.T) {
			_, offers := bestOf(t, text, project.model())
			_, blind := bestOf(t, text, Model{Seconds: seconds})
			for _, o := range offers {
				count["with a context, "+string(o.Grade)]++
				if testing.Verbose() {
					t.Logf("%s: %s", o.Grade, o.Title)
				}
			}
			for _, o := range blind {
				count["without, "+string(o.Grade)]++
			}
		})
	}
	t.Log(count)
}

// Beside what authors did: what is offered for the file as it was before. Orders that an author left for the sake of
// correctness (neg) are never made again.
func TestAuthors(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(corpus.Path(t, "reorders"), "*.before"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no reorderings: %v", err)
	}
	for _, p := range paths {
		name := strings.TrimSuffix(filepath.Base(p), ".before")
		before, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(strings.TrimSuffix(p, ".before") + ".after")
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "neg") {
			ours, _ := bestOf(t, string(after), project.model())
			if slices.Equal(order(ours), order(string(before))) {
				t.Errorf("%s: the order that was wrong is made again", name)
			}
			for _, moved := range authorsMoves[name] {
				if i, j := strings.Index(ours, moved[0]), strings.Index(ours, moved[1]); i < 0 || j < 0 || i > j {
					t.Errorf("%s: %q must stay above %q:\n%s", name, moved[0], moved[1], ours)
				}
			}
		}
		ours, offers := bestOf(t, string(before), project.model())
		verdict := "nothing"
		switch {
		case slices.Equal(order(ours), order(string(after))):
			verdict = "same"
		case len(offers) > 0:
			verdict = "other"
		}
		t.Logf("%-8s %s", name, verdict)
		for _, o := range offers {
			t.Logf("         %s: %s", o.Grade, o.Title)
		}
	}
}

// authorsMoves are what must stay above what, after a correction.
var authorsMoves = map[string][][2]string{
	"neg03": {{"FROM $BASE_IMAGE AS release\nWORKDIR /app", "FROM release AS rootless\nUSER node"}},
	"neg07": {{"COPY --link --from=docker-engine / /usr/bin/", "COPY --link --from=runc /usr/bin/runc /usr/bin/"}},
	"neg08": {{"WORKDIR /\nCOPY entrypoint.sh .", "COPY . /app\nWORKDIR /app"}},
}

// order is the instructions of a text in order.
func order(text string) (list []string) {
	for _, in := range parse(text).Instructions {
		list = append(list, strings.Join(strings.Fields(in.Node.Original), " "))
	}
	return list
}

// A file with the instructions of many, in any order and half written, never makes it panic or lose anything.
func FuzzBest(f *testing.F) {
	f.Add("FROM node\nWORKDIR /app\nCOPY . .\nRUN npm ci && npm run build\nCOPY --from=0 /a /b\n")
	f.Add(
		"FROM node AS x\nWORKDIR /app\nCOPY . .\nRUN set -eux \\\n # a\n && apt-get update; apt-get install x; \\\n " +
			"# b\n npm ci \\\n && npm run build\nFROM x\n",
	)
	f.Add(
		"FROM node AS x\nWORKDIR /app\nCOPY . .\nRUN <<-EOF\n\tset -e # a\n\tnpm ci; # b\n\n\tnpm run build\n\tEOF\n" +
			"FROM x\n",
	)
	f.Add("# escape=`\r\nFROM a\r\nCOPY . /x\r\nRUN pip install -r /x/requirements.txt `\r\n && make")
	f.Add(
		"FROM golang AS b\nENV X=' '\nCOPY . .\nRUN $X; [] \nRUN []\nRUN CGO_ENABLED=0 go build -o \"$Y\" && cd /x " +
			"&& $(go) > a\nRUN --mount=target=. go vet\nFROM scratch\nCOPY --from=b /a /a\n",
	)
	f.Fuzz(func(t *testing.T, text string) {
		for _, model := range []Model{project.model(), {Seconds: seconds}} {
			file := parse(text)
			for _, o := range Search(context.Background(), file, model).Rewrites {
				after := apply(file, o.Edits)
				if after == nil || broken(after) {
					t.Fatalf("%q spoils %q", o.Title, text)
				}
			}
		}
	})
}
