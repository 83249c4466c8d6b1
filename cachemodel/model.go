// Package cachemodel knows the build cache: from a Dockerfile, its build context and the build's settings it makes the
// plan of a build, each step with its cache key, and by comparing plans says which steps the next build will reuse.
//
// The package is pure. It must not know editors, protocols, processes or the network; it reads no files itself:
// contexts come in as buildcontext.Tree. The rules are those of BuildKit's solver and Dockerfile frontend
// (moby/buildkit, frontend/dockerfile/dockerfile2llb and solver/llbsolver/ops) and of moby's classic builder.
//
// The way through it: NewPlan turns a Build into a graph of vertices (plan.go, and one file for each family of
// instructions); Compare looks the vertices up in a cache that holds the baseline's (cache.go), turns hits and misses
// into verdicts (verdict.go) and finds the first reason of each miss (cause.go).
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
	// Podman stands for Podman and Buildah, whose cache is not modelled: nothing is known of their builds.
	Podman Engine = "podman"
)

// Settings are the choices of one build besides its files.
type Settings struct {
	Engine Engine            // "" is BuildKit
	Target string            // a stage's name; "" is the last stage
	Args   map[string]string // --build-arg
	// Platform is --platform, of several with commas between; "" is the builder's own, taken to be linux on this
	// machine's architecture.
	Platform string
	NoCache  bool
	// NoCacheFilter are the stages that use no cache (--no-cache-filter).
	NoCacheFilter []string
	// Syntax is the frontend of the build argument or frontend option that stands above the file's "# syntax="
	// (BUILDKIT_SYNTAX), "" if there is none.
	Syntax string
	RunSettings
}

// RunSettings are what every RUN of a build is run with. All of it is part of a RUN's key.
type RunSettings struct {
	Network      string   // --network: "host", "none" or "default", which is the same as ""
	ShmSize      int64    // --shm-size, in bytes
	Ulimits      []string // --ulimit: "nofile=1024:2048"
	ExtraHosts   []string // --add-host: "name:address", or "name=address"
	Hostname     string   // of the sandbox (frontend option hostname, BUILDKIT_SANDBOX_HOSTNAME)
	CgroupParent string   // --cgroup-parent
	Entitlements []string // --allow: no part of a key, but without one a RUN that asks for it fails
}

// Image is what is known of a base image. Without it, an image is identified by its reference, and whatever depends
// on its configuration (its environment, user, working directory, shell and triggers) by where it comes from.
type Image struct {
	Digest     string // of the manifest; "" if only the configuration is known
	DigestOnly bool   // nothing of the configuration is known
	Env        []string
	WorkingDir string
	User       string
	Shell      []string
	OnBuild    []string
}

// Build is everything that a build's cache keys depend on.
type Build struct {
	File     *dockerfile.File
	Context  *buildcontext.Tree // nil if there is none
	Settings Settings
	// Contexts are the named contexts (--build-context) that are local directories.
	Contexts map[string]*buildcontext.Tree
	// ContextImages are the named contexts that are images (docker-image://), as references, and those of which only a
	// build can tell what they hold (target:, a URL), as "".
	ContextImages map[string]string
	// ContextBuilds are the builds of named contexts, as far as they are known. They go before ContextImages.
	ContextBuilds map[string]*Build
	// Images are the base images that are known, by their reference as BuildKit normalises it
	// ("docker.io/library/alpine:3.20") or, for a named context, by its name.
	Images map[string]Image
	// Unknown are the parts of the build that nobody knows.
	Unknown UnknownParts
	// Contents identify the files that COPYs take from stages, by the first line of the instruction, where that is
	// known: with equal ones a COPY is in the cache though the stage was rebuilt.
	Contents map[int]string
	// Costs are what the steps of this build took, by the first line of the instruction, as far as that is known.
	Costs map[int]Cost
}

// Cost is what a step takes.
type Cost struct {
	Seconds *float64 `json:"seconds,omitempty"` // of running it; nil if that is not known
	Bytes   *int64   `json:"bytes,omitempty"`   // that its layer adds; nil if that is not known
	Shared  bool     `json:"shared,omitempty"`  // images that the engine keeps are known to have that layer too
}
