package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
)

// project is the build context of all tests, for the question what may be moved: file names with their contents.
type project map[string]string

// plainProject has the manifests of some package managers, of which none names another file.
var plainProject = project{
	"package.json":      `{"name":"x"}`,
	"package-lock.json": `{"lockfileVersion":3,"packages":{"":{}}}`,
	"Gemfile":           "source 'https://rubygems.org'\n",
	"Gemfile.lock":      "GEM\n",
	"req/prod.txt":      "flask\n",
	"src/main":          "",
}

func (p project) List(dir string) (names []string) {
	for name := range p {
		rest, ok := strings.CutPrefix(name, strings.TrimPrefix(path.Clean(dir)+"/", "./"))
		if !ok {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		if deeper {
			first += "/"
		}
		names = append(names, first)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p project) Read(file string) ([]byte, bool) {
	text, ok := p[file]
	return []byte(text), ok
}

func (project) Excluded(string) bool { return true }

func (project) Keeps(string) bool { return false }

func (p project) movable(file *dockerfile.File, copying, run *dockerfile.Instruction) bool {
	return reorder.Model{Context: p}.Movable(file, copying, run)
}
