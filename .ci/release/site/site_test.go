package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	reference = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	place     = regexp.MustCompile(`\bid="([^"]*)"`)
)

// Each link of each page leads to a file of the site, and to a place that is there.
func TestSite(t *testing.T) {
	out := t.TempDir()
	playground := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(playground, []byte("<title>Playground</title>"), 0o644); err != nil {
		t.Fatal(err)
	}
	count, err := build("../../..", out, playground)
	if err != nil {
		t.Fatal(err)
	}
	if count < 60 {
		t.Errorf("only %d pages", count)
	}
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	pages := 0
	err = filepath.WalkDir(out, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".html" {
			return err
		}
		pages++
		for _, m := range reference.FindAllStringSubmatch(read(file), -1) {
			u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			target := file
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(file), filepath.FromSlash(u.Path))
			}
			info, err := os.Stat(target)
			if err != nil || info.IsDir() {
				t.Errorf("%s: %s leads nowhere", file, m[1])
				continue
			}
			if u.Fragment == "" || filepath.Base(target) == "playground.html" {
				continue
			}
			found := false
			for _, id := range place.FindAllStringSubmatch(read(target), -1) {
				found = found || id[1] == u.Fragment
			}
			if !found {
				t.Errorf("%s: %s: no such place", file, m[1])
			}
		}
		return nil
	})
	if err != nil || pages != count+1 {
		t.Errorf("%v; %d files for %d pages and the playground", err, pages, count)
	}
	rule := read(filepath.Join(out, "docs", "rules", "unknown-instruction.html"))
	if !strings.Contains(rule, `href="../../playground.html#%7B`) {
		t.Error("the page of a rule does not open its example in the playground")
	}
	if text := read(filepath.Join(out, "search.js")); !strings.Contains(text, `"title":"Guide","url":"docs/guide.html"`) {
		t.Error("the search does not know the guide")
	}
	for _, name := range []string{"index.html", "style.css", "docs/images/layerwise.webp", "editors/index.html"} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
