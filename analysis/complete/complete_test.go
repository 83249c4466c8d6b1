package complete_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/complete"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
	"golang.org/x/tools/txtar"
)

// Each archive in testdata holds cases: a Dockerfile with the cursor at "‸", and what is offered there: the items'
// labels and details, and the text once the first is accepted. {CR} is a carriage return; a file that begins with "tab
// stops" has an editor that knows them.
func TestComplete(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(t *testing.T, a *txtar.Archive) []txtar.File {
		return golden.Behind(a.Files, "offers", func(f txtar.File) string { return offers(t, f) })
	})
}

func offers(t *testing.T, f txtar.File) string {
	text := strings.ReplaceAll(strings.TrimSuffix(string(f.Data), "\n"), "{CR}", "\r")
	offset := strings.Index(text, "‸")
	if offset < 0 {
		t.Fatalf("%s: no cursor", f.Name)
	}
	text = text[:offset] + text[offset+len("‸"):]
	world := worldOf()
	world.TabStops = strings.HasPrefix(f.Name, "tab stops")
	list := at(text, offset, world)
	var b strings.Builder
	for i, it := range list.Items {
		if i == 12 {
			fmt.Fprintf(&b, "and %d more\n", len(list.Items)-i)
			break
		}
		fmt.Fprintf(&b, "%s  | %s\n", it.Label, it.Detail)
	}
	if list.Partial {
		b.WriteString("(partial)\n")
	}
	if len(list.Items) > 0 {
		it := list.Items[0]
		done, err := source.Apply(text, []source.Edit{{Span: it.Span, NewText: it.Text}})
		if err != nil {
			t.Fatal(err)
		}
		before := text[:it.Span.Start]
		line := strings.Count(before, "\n")
		fmt.Fprintf(&b, "=> %s\n", strings.ReplaceAll(strings.Split(done, "\n")[line], "\r", "{CR}"))
	}
	return b.String()
}

func at(text string, offset int, world complete.World) complete.List {
	file := dockerfile.Parse(source.New(text), nil)
	return complete.At(file, scope.New(file), offset, world)
}

func worldOf() complete.World {
	tree := map[string][]complete.Entry{
		"": {
			{Name: "main.go", Size: 1200},
			{Name: "src", Dir: true},
			{Name: "package.json", Size: 12},
			{Name: "a b", Size: 1},
			{Name: "src2", Dir: true},
			{Name: "[id].ts", Size: 1}, {Name: "README.md", Size: 1}, {Name: "run.js", Size: 1},
		},
		"src": {{Name: "x.go", Size: 3_000_000}, {Name: "sub", Dir: true}}, "src2": {{Name: "y.go", Size: 1}},
	}
	return complete.World{
		Context: func(dir string) []complete.Entry { return tree[dir] },
		Images:  func() []string { return []string{"python:3.12-slim", "registry.example.com/team/app:1"} },
		Tags: func(image string) ([]string, bool) {
			if image == "alpine" {
				return []string{"3.21", "3.20", "latest"}, true
			}
			return nil, image != "waiting"
		},
	}
}

var stops = regexp.MustCompile(`\$\{\d+[:|]([^},|]*)[^}]*\}|\$\d`)

// plain is an item's text as it is written when the tab stops are passed over.
func plain(it complete.Item) string {
	if !it.TabStops {
		return it.Text
	}
	return strings.NewReplacer(`\$`, "$", `\}`, "}", `\\`, `\`).Replace(stops.ReplaceAllString(it.Text, "$1"))
}
