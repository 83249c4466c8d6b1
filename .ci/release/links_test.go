package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inlineCode  = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	linkTarget  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingLine = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	asLink      = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
)

// anchors are the places in a page that a link can name, as GitHub makes them of headings.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range headingLine.FindAllStringSubmatch(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, ""), -1) {
		heading := asLink.ReplaceAllString(m[1], "$1")
		name := strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
		found[name] = true
	}
	return found
}

// brokenLinks are the links of a page to files and headings of the repository that are not there.
func brokenLinks(root, page, text string) (broken []string) {
	for _, m := range linkTarget.FindAllStringSubmatch(inlineCode.ReplaceAllString(text, ""), -1) {
		to, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(to, ":") {
			continue // elsewhere
		}
		target := page
		if to != "" {
			target = path.Join(path.Dir(page), to)
		}
		file := filepath.Join(root, filepath.FromSlash(target))
		info, err := os.Stat(file)
		if err != nil {
			broken = append(broken, m[1])
			continue
		}
		if anchor == "" || info.IsDir() || path.Ext(target) != ".md" {
			continue
		}
		other, err := os.ReadFile(file)
		if err != nil || !anchors(string(other))[anchor] {
			broken = append(broken, m[1])
		}
	}
	return broken
}

// Every link in a document to a file or a heading of the repository leads there.
func TestLinks(t *testing.T) {
	list := must(t, "../..", "git", "ls-files", "*.md", "llms.txt")
	pages := 0
	for _, page := range strings.Fields(list) {
		if strings.Contains(page, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", page))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, link := range brokenLinks("../..", page, string(text)) {
			t.Errorf("%s: %s leads nowhere", page, link)
		}
	}
	if pages < 50 {
		t.Errorf("only %d pages were looked at", pages)
	}
}

// What a broken link is.
func TestBrokenLinks(t *testing.T) {
	root := t.TempDir()
	other := "# A [title](x), `code`\n```\n# no heading\n```\n"
	if err := os.WriteFile(filepath.Join(root, "other.md"), []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "page.md"), []byte("## Here\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"[a](other.md)": "", "[a](other.md#a-title-code)": "", "[a](#here)": "", "[a](https://example.com/x)": "",
		"`[a](none.md)`": "", "```\n[a](none.md)\n```": "",
		"[a](none.md)": "none.md", "[a](#there)": "#there", "[a](other.md#no-heading)": "other.md#no-heading",
		"![a](b.png)": "b.png",
	} {
		if got := strings.Join(brokenLinks(root, "page.md", "## Here\n"+text), " "); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
