// Package cachemodel knows the build cache: from a Dockerfile, its build context and the build's settings it makes the
// plan of a build, each step with its cache key, and by comparing plans says which steps the next build will reuse.
//
// The package is pure. It must not know editors, protocols, processes or the network; it reads no files itself:
// contexts come in as buildcontext.Tree. The rules are those of BuildKit's solver and Dockerfile frontend
// (moby/buildkit, frontend/dockerfile/dockerfile2llb and solver/llbsolver/ops) and of moby's classic builder.
package cachemodel

import (
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// Engine is the builder whose cache is modelled.
type Engine string

// The engines.
const (
	BuildKit Engine = "buildkit"
	Classic  Engine = "classic"
)

// Settings are the choices of one build besides its files.
type Settings struct {
	Engine   Engine
	Target   string            // stage name or index; "" is the last stage
	Args     map[string]string // --build-arg
	Platform string            // --platform, "" is the builder's own
	NoCache  bool
}

// Build is everything that a build's cache keys depend on.
type Build struct {
	File     *dockerfile.File
	Context  *buildcontext.Tree // nil if there is none
	Settings Settings
}

// Plan is a build's steps with their cache keys. It is immutable.
type Plan struct{}

// NewPlan works out the plan of a build. It never fails: what cannot be read is planned as what it most likely means.
func NewPlan(b Build) *Plan { return &Plan{} }

// Compare gives the verdict on each instruction of next, in file order, for a cache that holds the steps of all bases.
func Compare(bases []*Plan, next *Plan) []Step { return nil }

// Summarize counts steps.
func Summarize(steps []Step) Summary { return Summary{} }
