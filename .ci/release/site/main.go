// Command site makes the documents of the repository into a site of static pages, with no service and no network:
//
//	cd .ci/release && go run ./site -out ../../.cache/site -playground ../../.cache/playground/index.html
//
// A page links to its neighbours as files, so that the site works from a folder and from any web server. Without
// -playground no page links to the playground.
package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

//go:embed page.html.tmpl style.css search.js
var assets embed.FS

func main() {
	log.SetFlags(0)
	log.SetPrefix("site: ")
	root := flag.String("root", "../..", "the repository")
	out := flag.String("out", "", "the folder to write to")
	playground := flag.String("playground", "", "the page that docs/playground makes")
	flag.Parse()
	if *out == "" {
		log.Fatal("say with -out where to write")
	}
	pages, err := build(*root, *out, *playground)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("%d pages in %s", pages, *out)
}

// site is what is made.
type site struct {
	root, out  string
	pages      map[string]string // the path of each page by that of its document
	playground bool
	markdown   goldmark.Markdown
	page       *template.Template
}

// found is what the search knows of a page.
type found struct {
	Title string `json:"title"`
	URL   string `json:"url"`
	Text  string `json:"text"`
}

// build makes the site, and says how many pages it has.
func build(root, out, playground string) (int, error) {
	s := &site{root: root, out: out, pages: map[string]string{}, playground: playground != ""}
	s.markdown = goldmark.New(
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(html.WithXHTML()),
	)
	var err error
	if s.page, err = template.ParseFS(assets, "page.html.tmpl"); err != nil {
		return 0, err
	}
	list := exec.Command("git", "ls-files", "*.md")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		return 0, err
	}
	documents := strings.Fields(string(names))
	for _, name := range documents {
		if strings.HasPrefix(name, "docs/") || strings.HasPrefix(name, "editors/") && path.Base(name) == "README.md" ||
			!strings.Contains(name, "/") {
			s.pages[name] = pageOf(name)
		}
	}
	var index []found
	for _, name := range documents {
		if s.pages[name] == "" {
			continue
		}
		entry, err := s.write(name)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		index = append(index, entry)
	}
	data, err := json.Marshal(index)
	if err != nil {
		return 0, err
	}
	script, err := assets.ReadFile("search.js")
	if err != nil {
		return 0, err
	}
	style, err := assets.ReadFile("style.css")
	if err != nil {
		return 0, err
	}
	files := map[string][]byte{
		"search.js": append(fmt.Appendf(nil, "const pages = %s;\n", data), script...), "style.css": style,
	}
	if s.playground {
		if files["playground.html"], err = os.ReadFile(playground); err != nil {
			return 0, err
		}
	}
	for name, content := range files {
		if err := s.save(name, content); err != nil {
			return 0, err
		}
	}
	return len(index), nil
}

// pageOf is the path of the page that a document becomes.
func pageOf(name string) string {
	if base, ok := strings.CutSuffix(name, "README.md"); ok {
		return base + "index.html"
	}
	return strings.TrimSuffix(name, ".md") + ".html"
}

func (s *site) save(name string, content []byte) error {
	file := filepath.Join(s.out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

// write makes one page.
func (s *site) write(name string) (found, error) {
	source, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(name)))
	if err != nil {
		return found{}, err
	}
	tree := s.markdown.Parser().Parse(text.NewReader(source))
	title, example := "", ""
	err = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		var err error
		switch n := n.(type) {
		case *ast.Heading:
			if title == "" {
				title = string(n.Lines().Value(source))
			}
		case *ast.FencedCodeBlock:
			if example == "" && string(n.Language(source)) == "dockerfile" {
				example = string(n.Lines().Value(source))
			}
		case *ast.Link:
			n.Destination, err = s.target(name, string(n.Destination))
		case *ast.Image:
			n.Destination, err = s.target(name, string(n.Destination))
		}
		return ast.WalkContinue, err
	})
	if err != nil {
		return found{}, err
	}
	var body, page bytes.Buffer
	if err := s.markdown.Renderer().Render(&body, source, tree); err != nil {
		return found{}, err
	}
	up := strings.Repeat("../", strings.Count(s.pages[name], "/"))
	about := struct {
		Title, Root, Source string
		Body                template.HTML
		Playground          bool
		Example             template.URL
	}{title, up, "https://github.com/layerwise/layerwise/blob/main/" + name, template.HTML(body.String()), s.playground, ""}
	if s.playground && strings.HasPrefix(name, "docs/rules/") && example != "" {
		state := map[string]any{
			"before":     map[string]any{"dockerfile": example, "files": map[string]string{}},
			"dockerfile": example, "files": map[string]string{}, "engine": "buildkit",
		}
		data, err := json.Marshal(state)
		if err != nil {
			return found{}, err
		}
		about.Example = template.URL(up + "playground.html#" + url.PathEscape(string(data)))
	}
	if err := s.page.Execute(&page, about); err != nil {
		return found{}, err
	}
	plain := tag.ReplaceAllString(body.String(), " ")
	return found{title, s.pages[name], strings.Join(strings.Fields(plain), " ")}, s.save(s.pages[name], page.Bytes())
}

var tag = regexp.MustCompile(`<[^>]*>`)

// target is where a link of a document leads on the site: another page, a file that is copied, or the repository.
func (s *site) target(from, link string) ([]byte, error) {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "" || u.Path == "" {
		return []byte(link), nil
	}
	to := path.Join(path.Dir(from), u.Path)
	for _, document := range []string{to, path.Join(to, "README.md")} {
		if page := s.pages[document]; page != "" {
			rel, err := filepath.Rel(path.Dir(s.pages[from]), page)
			if u.Fragment != "" {
				rel += "#" + u.Fragment
			}
			return []byte(filepath.ToSlash(rel)), err
		}
	}
	switch path.Ext(to) {
	case ".png", ".svg", ".webp":
		data, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(to)))
		if err != nil {
			return nil, err
		}
		return []byte(link), s.save(to, data)
	}
	return []byte("https://github.com/layerwise/layerwise/blob/main/" + to), nil
}
