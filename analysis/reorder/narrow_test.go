package reorder

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// What the build context need not hold, on a history in which most builds change nothing but the readme.
func TestNarrow(t *testing.T) {
	const text = "FROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/app .\nFROM scratch\n" +
		"COPY --from=build /out/app /app\n"
	project := files{"go.mod": "module x", "main.go": "package main", "README.md": "x", "docs/a.md": "x",
		".github/workflows/ci.yml": "x", "Dockerfile": text}
	for _, test := range []struct {
		prose, text string
		change      files // of the project
		want        string
	}{
		{"prose, settings of services", text, nil, ".github Dockerfile README.md docs"},
		{"an image gets the context", "FROM a\nCOPY . .\nRUN go build\n", nil, ""},
		{"a stage upon it is an image", strings.Replace(text, "scratch", "build", 1), nil, ""},
		{"the whole directory is taken", strings.Replace(text, "/out/app /app", "/src /src", 1), nil, ""},
		{"the readme is taken", text + "COPY --from=build /src/README.md /\n", nil, ".github Dockerfile docs"},
		{"... by way of a variable", text + "ARG X\nCOPY --from=build $X /\n", nil, ""},
		{"files of another kind are taken", text + "COPY --from=build /src/*.yaml /\n", nil,
			".github Dockerfile README.md docs"},
		{"files of a kind are taken", text + "COPY --from=build /src/*.md /\n", nil, ".github Dockerfile docs"},
		{"a part of the directory is taken", text + "COPY --from=build /src/docs/a.md /\n", nil,
			".github Dockerfile README.md"},
		{"a file names the readme", text, files{"main.go": "//go:embed README.md"}, ".github Dockerfile docs"},
		{"... in another case", text, files{"pyproject.toml": `readme = "Readme.md"`}, ".github Dockerfile docs"},
		{"... all of its kind", text, files{"MANIFEST.in": "include *.md"}, ".github Dockerfile docs"},
		{"... among others", text, files{"tailwind.js": "content: ['./**/*.{ts,md}']"}, ".github Dockerfile docs"},
		{"all files are embedded", text, files{"main.go": "//go:embed *"}, ""},
		{"all files are packed", strings.Replace(text, "RUN ", "RUN tar czf /out/src.tgz . && ", 1), nil, ""},
		{"... with another program", strings.Replace(text, "RUN ", "RUN cd / && zip -r /x.zip src && ", 1), nil, ""},
		{"all files are copied", strings.Replace(text, "RUN ", "RUN cp -a . /out/ && ", 1), nil, ""},
		{"... by a pattern", strings.Replace(text, "RUN ", "RUN mkdir /out && cp -r * /out && ", 1), nil, ""},
		{"... by the directory", strings.Replace(text, "RUN ", "RUN mv /src /out && ", 1), nil, ""},
		{"files are listed", strings.Replace(text, "RUN ", "RUN ls -R . > /out/files; ", 1), nil, ""},
		{"some files are copied", strings.Replace(text, "RUN ", "RUN cp go.mod /out/ && ", 1), nil,
			".github Dockerfile README.md docs"},
		{"pages are made of the prose", strings.Replace(text, "RUN ", "RUN mkdocs build && ", 1), nil, ""},
		{"... by a script", text, files{"package.json": `{"devDependencies":{"@11ty/eleventy":"3"}}`}, ".github Dockerfile"},
		{"a package takes its license along", text, files{"LICENSE.md": "x", "AUTHORS.rst": "x"},
			".github Dockerfile README.md docs"},
		{"a file names the directory", text, files{"main.go": `open("./docs/a.md")`}, ".github Dockerfile README.md"},
		{"an address in the network names none", text, files{"main.go": "// https://example.com/docs/a"},
			".github Dockerfile README.md docs"},
		{"the directory has code", text, files{"docs/docs.go": "package docs"}, ".github Dockerfile README.md"},
		{"a command names it", strings.Replace(text, "RUN ", "RUN cat README.md && ", 1), nil, ".github Dockerfile docs"},
		{"git would see that it lacks", text, files{".git/HEAD": "x"}, ""},
		{"an image's command has the context mounted", text + "RUN --mount=type=bind,target=/src cp -r /src /x\n", nil, ""},
		{"Tailwind takes names of classes from all files", text,
			files{"package.json": `{"devDependencies":{"@tailwindcss/vite":"^4.1.0"}}`}, ""},
		{"... by its own program", strings.Replace(text, "RUN ", "RUN tailwindcss -i a.css -o b.css && ", 1), nil, ""},
		{"... by a Makefile", text, files{"Makefile": "css:\n\ttailwindcss -i a.css -o b.css\n"}, ""},
		{"... from those of a package", text,
			files{"web/package.json": `{"devDependencies":{"@tailwindcss/vite":"^4.1.0"}}`},
			".github Dockerfile README.md docs"},
		{"a Makefile has pages made of the prose", text, files{"Makefile": "site:\n\tmkdocs build\n"},
			".github Dockerfile"},
		{"a test reads the Dockerfile, which changes most", text, files{"main_test.go": `os.ReadFile("../Dockerfile")`}, ""},
		{"... settings of a service", text, files{"a.test.js": `readFileSync('.github/workflows/ci.yml')`},
			"Dockerfile README.md docs"},
		{"a Makefile builds the image", text, files{"Makefile": "image:\n\tdocker build -f Dockerfile .\n"},
			".github Dockerfile README.md docs"},
		{"a link", text, files{"README.md@": "x", "README.md": ""}, ".github Dockerfile docs"},
	} {
		all := maps.Clone(project)
		maps.Copy(all, test.change)
		m := all.model()
		m.Context = linked{all}
		m.Builds = 40
		m.Changes = func(sources, exclude []string) []uint64 {
			if slices.Contains(exclude, "Dockerfile") || !slices.ContainsFunc(sources, isContext) {
				return []uint64{0b11110}
			}
			return []uint64{1<<41 - 2}
		}
		n, _ := Narrow(t.Context(), parse(test.text), m)
		if got := strings.Join(n.Lines, " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.prose, got, test.want)
		}
		if said := fmt.Sprintln(n.Only, n.Builds, n.Grade, n.After < n.Before); n.Lines != nil &&
			said != "36 40 likely true\n" {
			t.Errorf("%s: %s", test.prose, said)
		}
	}
}

// linked is a build context in which files whose names end with @ are links.
type linked struct{ files }

func (l linked) List(dir string) []string {
	return slices.DeleteFunc(l.files.List(dir), func(n string) bool {
		_, link := l.files[n+"@"]
		return link
	})
}

// However many files may be left out, what names them is looked for in one walk.
func TestNarrowReadsOnce(t *testing.T) {
	all := files{"README.md": "x", "CHANGES.md": "x", "SECURITY.md": "x", ".github/a.yml": "x", "docs/a.md": "x",
		"Dockerfile": "x", "src/main.go": "package main", "go.mod": "module x"}
	reads := counted{all, map[string]int{}}
	m := all.model()
	m.Context, m.Builds = reads, 40
	m.Changes = func([]string, []string) []uint64 { return []uint64{0b11110} }
	Narrow(t.Context(), parse("FROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/app .\n"+
		"FROM scratch\nCOPY --from=build /out/app /app\n"), m)
	if n := reads.times["src/main.go"]; n != 1 {
		t.Errorf("src/main.go is read %d times, want 1", n)
	}
}

// counted counts how often each file is read.
type counted struct {
	files
	times map[string]int
}

func (c counted) Read(name string) ([]byte, bool) {
	c.times[name]++
	return c.files.Read(name)
}
