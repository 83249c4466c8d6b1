package complete_test

import (
	"bufio"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/complete"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

var placesFile = flag.String("places", "testdata/places.tsv", "the table of places that TestPlaces tries")

// TestPlaces tries places of real files: each line is typed up to a place, and what its author wrote there has to be
// among the first three items in 95 of 100. In comments, strings and heredocs no word is offered.
func TestPlaces(t *testing.T) {
	dockerfiles := corpus.Path(t, "dockerfiles")
	table, err := os.Open(*placesFile)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	tried, found := 0, 0
	for rows := bufio.NewScanner(table); rows.Scan(); {
		row := strings.Split(rows.Text(), "\t")
		if len(row) != 4 {
			continue // a title
		}
		line, _ := strconv.Atoi(row[1])
		content, err := os.ReadFile(filepath.Join(dockerfiles, row[0]+".Dockerfile"))
		if err != nil {
			t.Fatal(err)
		}
		world := worldOfFile(string(content))
		lines := strings.Split(string(content), "\n")
		typed, right := row[2], row[3]
		if n, err := strconv.Atoi(typed); err == nil {
			typed = lines[line-1][:n]
		}
		if from, n, ok := strings.Cut(right, "+"); ok {
			start, _ := strconv.Atoi(from)
			length, _ := strconv.Atoi(n)
			right = lines[line-1][start : start+length]
		}
		before := strings.Join(append(lines[:line-1:line-1], typed), "\n")
		text := strings.Join(append([]string{before}, lines[line:]...), "\n")
		items := at(text, len(before), world).Items
		if right == "-" {
			if len(items) > 0 {
				t.Errorf("%s:%d: %q offers %q", row[0], line, typed, items[0].Label)
			}
			continue
		}
		tried++
		if slices.ContainsFunc(items[:min(len(items), 3)], func(it complete.Item) bool { return same(it, right) }) {
			found++
			continue
		}
		var labels []string
		for _, it := range items[:min(len(items), 5)] {
			labels = append(labels, it.Label)
		}
		t.Logf("%s:%d: %q wants %q, offers %q", row[0], line, typed, right, labels)
	}
	t.Logf("%d of %d", found, tried)
	if found*100 < tried*95 || tried < 100 {
		t.Errorf("the right item is among the first three in %d of %d", found, tried)
	}
}

// same reports whether an item is the right one, or another way to write it.
func same(it complete.Item, right string) bool {
	plain := func(s string) string {
		s = strings.TrimSuffix(strings.TrimPrefix(s, "./"), "/")
		if s == "." {
			s = ""
		}
		return strings.ToLower(strings.NewReplacer("$", "", "{", "", "}", "", "=", "").Replace(s))
	}
	if it.Kind == complete.Variable || it.Kind == complete.Key { // what it is set to is free
		it.Label, _, _ = strings.Cut(it.Label, "=")
	}
	if it.Kind == complete.Folder && strings.HasSuffix(it.Label, "/") && len(it.Label) > 2 &&
		strings.HasPrefix(strings.TrimPrefix(right, "./"), it.Label) {
		return true // what is in it is offered next
	}
	return plain(it.Label) == plain(right) || strings.HasPrefix(it.Label, right+":")
}

// worldOfFile is a build context with what the COPYs of a file name, and what else usually lies there.
func worldOfFile(text string) complete.World {
	tree := map[string][]complete.Entry{}
	add := func(path string, dir bool) {
		for parent := ""; path != ""; {
			first, rest, more := strings.Cut(path, "/")
			entry := complete.Entry{Name: first, Dir: more || dir, Size: 100}
			if !slices.ContainsFunc(tree[parent], func(e complete.Entry) bool { return e.Name == first }) {
				tree[parent] = append(tree[parent], entry)
			}
			parent, path = strings.TrimPrefix(parent+"/"+first, "/"), rest
		}
	}
	for _, name := range []string{".dockerignore", ".editorconfig", ".gitignore", "Dockerfile", "LICENSE", "Makefile",
		"README.md", "SECURITY.md", "package.json", "compose.yaml"} {
		add(name, false)
	}
	for _, name := range []string{".git", ".github/workflows", "docs", "scripts", "src", "test"} {
		add(name, true)
	}
	for _, in := range dockerfile.Parse(source.New(text), nil).Instructions {
		if in.Meant != "COPY" && in.Meant != "ADD" || strings.Contains(text[in.Span.Start:in.Span.End], "--from=") {
			continue
		}
		for _, arg := range in.Args[:max(0, len(in.Args)-1)] {
			name := strings.Trim(arg.Text, `[]",`)
			if name = strings.TrimPrefix(strings.TrimPrefix(name, "."), "/"); !strings.ContainsAny(name, "*?$ <") {
				add(strings.TrimSuffix(name, "/"), !strings.Contains(filepath.Base(name), "."))
			}
		}
	}
	for _, entries := range tree {
		slices.SortFunc(entries, func(a, b complete.Entry) int { return strings.Compare(a.Name, b.Name) })
	}
	return complete.World{Context: func(dir string) []complete.Entry { return tree[dir] }, TabStops: true}
}
