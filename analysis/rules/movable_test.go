package rules

import (
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects/effectstest"
	"github.com/layerwise/layerwise/analysis/reorder"
)

// project is the build context of all tests, for the question what may be moved.
type project struct{ effectstest.Files }

// plainProject has the manifests of some package managers, of which none names another file.
var plainProject = project{effectstest.Files{
	"package.json":      `{"name":"x"}`,
	"package-lock.json": `{"lockfileVersion":3,"packages":{"":{}}}`,
	"Gemfile":           "source 'https://rubygems.org'\n",
	"Gemfile.lock":      "GEM\n",
	"req/prod.txt":      "flask\n",
	"src/main":          "",
}}

func (p project) movable(file *dockerfile.File, in *dockerfile.Instruction) func(*dockerfile.Instruction) bool {
	return reorder.Model{Context: p}.Movable(file, in)
}
