package play

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/layerwise/layerwise/cachemodel"
)

func TestAsk(t *testing.T) {
	files := map[string]string{"a.txt": "1", "src/b.txt": "2", "notes.md": "n", ".dockerignore": "*.md\n"}
	text := "FROM alpine\nCOPY a.txt /\nRUN one\nCOPY src /src\nRUN two\n"
	edited := func(name, content string) map[string]string {
		all := map[string]string{name: content}
		for k, v := range files {
			if _, ok := all[k]; !ok {
				all[k] = v
			}
		}
		return all
	}
	for _, test := range []struct {
		why    string
		before Version
		after  Version
		engine cachemodel.Engine
		want   string // a letter for each step: cached, rebuilt, rebuilt perhaps (?)
	}{
		{"nothing was built yet", Version{}, Version{text, files}, "", "rrrrr"},
		{"nothing changed", Version{text, files}, Version{text, files}, "", "ccccc"},
		{"a file in a folder changed", Version{text, files}, Version{text, edited("src/b.txt", "3")}, "", "cccrr"},
		{"a file that is ignored changed", Version{text, files}, Version{text, edited("notes.md", "m")}, "", "ccccc"},
	} {
		a := Ask(Request{Before: test.before, After: test.after, Engine: test.engine})
		got := ""
		for _, s := range a.Steps {
			letter := string(s.Status[0])
			if s.Status == cachemodel.Rebuilt && !s.Certain {
				letter = "?"
			}
			got += letter
		}
		if got != test.want {
			t.Errorf("%s: %s, not %s (%s)", test.why, got, test.want, a.Error)
		}
	}
}

// A fresh builder, as in CI, has what it imports: with mode=min the keys of all steps, but only layers of the image.
func TestCache(t *testing.T) {
	text := "FROM golang AS build\nCOPY go.mod .\nRUN go mod download\nCOPY main.go .\nRUN go build\n" +
		"FROM debian\nRUN useradd app\nCOPY --from=build /app /\n"
	before := map[string]string{"go.mod": "1", "main.go": "1"}
	after := map[string]string{"go.mod": "1", "main.go": "2"}
	for mode, want := range map[cachemodel.CacheMode]string{
		"": "cccrr cc", cachemodel.MaxCache: "cccrr cc",
		cachemodel.MinCache: "crrrr cc", cachemodel.InlineCache: "crrrr cc", cachemodel.NoCacheImport: "crrrr cr",
	} {
		a := Ask(Request{Before: Version{text, before}, After: Version{text, after}, Cache: mode})
		got := ""
		for i, s := range a.Steps[:7] {
			if i == 5 {
				got += " "
			}
			got += string(s.Status[0])
		}
		if got != want {
			t.Errorf("%q: %s, not %s", mode, got, want)
		}
	}
	if answer := AnswerJSON(`{"cache": "all"}`); !strings.Contains(answer, "use none, min, max or inline") {
		t.Error(answer)
	}
}

// Places are counted as JavaScript counts: a fix that is applied there gives what it says.
func TestPlaces(t *testing.T) {
	text := "FROM alpine\n# 🐋 é\nEVN A=1\n"
	a := Ask(Request{After: Version{Dockerfile: text}})
	if len(a.Findings) == 0 || len(a.Findings[0].Fixes) == 0 {
		t.Fatalf("no fix for EVN: %+v", a.Findings)
	}
	u := utf16.Encode([]rune(text))
	e := a.Findings[0].Fixes[0].Edits[0]
	got := string(utf16.Decode(u[:e.From])) + e.Text + string(utf16.Decode(u[e.To:]))
	if want := strings.Replace(text, "EVN", "ENV", 1); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// A better order is offered where the build context says that it keeps the image.
func TestOrders(t *testing.T) {
	v := Version{"FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"node\", \".\"]\n", map[string]string{
		"package.json": `{"name": "x"}`, "package-lock.json": `{"lockfileVersion": 3, "packages": {"": {"name": "x"}}}`,
		"index.js": "", ".dockerignore": "node_modules\n",
	}}
	a := Ask(Request{Before: v, After: v, Orders: true})
	if len(a.Orders) != 1 || !strings.Contains(a.Orders[0].Text, "COPY package") {
		t.Errorf("orders: %+v", a.Orders)
	}
}

// Whatever is asked, there is an answer in JSON.
func FuzzAnswer(f *testing.F) {
	f.Add("FROM a\nCOPY . .\n", "../x", "y")
	f.Add("\xff🐋FROM", "a/b", "\x00")
	f.Fuzz(func(t *testing.T, text, path, content string) {
		request, _ := json.Marshal(Request{
			Before: Version{
				text,
				map[string]string{path: content},
			}, After: Version{text, map[string]string{path: content + "x"}},
		})
		var a Answer
		if err := json.Unmarshal([]byte(AnswerJSON(string(request))), &a); err != nil {
			t.Error(err)
		}
	})
}

// A key in 200 lines of packages to install: what the page waits for.
func BenchmarkAsk(b *testing.B) {
	var text strings.Builder
	text.WriteString("FROM node:22 AS build\nWORKDIR /app\n")
	for i := range 99 {
		fmt.Fprintf(&text, "RUN apt-get update && apt-get install -y curl%d\nENV A%d=b%d C%d=$A%d\n", i, i, i, i, i)
	}
	before := Version{Dockerfile: text.String()}
	for b.Loop() {
		Ask(Request{Before: before, After: Version{Dockerfile: text.String() + "RUN x\n"}})
	}
}
