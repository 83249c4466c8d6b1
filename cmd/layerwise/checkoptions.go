package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// checkOptions finds what there is around Dockerfiles and build files that says how to check them.
type checkOptions struct {
	workspace *workspace.Workspace
	builds    workspace.Choices // which build each Dockerfile is checked as
	choose    func(rules.Options) (rules.Options, error)
	configs   map[string]workspace.Config // by folder
	reported  map[string]bool             // configurations whose problems are in failures
	failures  []error
}

func newCheckOptions(how checking) *checkOptions {
	w := here()
	w.Fixed = true
	c := &checkOptions{
		workspace: w, builds: how.builds, choose: how.choose, configs: map[string]workspace.Config{},
		reported: map[string]bool{},
	}
	if c.choose == nil {
		c.choose = func(o rules.Options) (rules.Options, error) { return o, nil }
	}
	return c
}

// configured are the rules' options for a file: those of the configuration that holds for it and of the flags.
func (c *checkOptions) configured(name string) (rules.Options, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return rules.Options{}, err
	}
	folder := filepath.Dir(path)
	config, ok := c.configs[folder]
	if !ok {
		config = workspace.FindConfig(folder)
		c.configs[folder] = config
	}
	if !c.reported[config.Path] {
		c.reported[config.Path] = true
		for _, problem := range config.Problems {
			c.failures = append(c.failures, fmt.Errorf("%s: %s", shown(config.Path), problem))
		}
	}
	return c.choose(config.Rules)
}

// of returns the options for a Dockerfile with this text.
func (c *checkOptions) of(ctx context.Context, name string, file *dockerfile.File) (rules.Options, error) {
	opts, err := c.configured(name)
	if err != nil {
		return opts, err
	}
	build, err := c.build(ctx, name, file)
	if build != nil {
		opts = build.RuleOptions(opts, file)
	}
	return opts, err
}

// build is the one that a Dockerfile is checked as. What is wrong with a build that nobody asked for is not said.
func (c *checkOptions) build(ctx context.Context, name string, file *dockerfile.File) (*workspace.Build, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	build := c.workspace.Reader(path).Resolve(ctx, workspace.Question{File: file, Choices: c.builds})
	if build == nil {
		return nil, interrupted(ctx.Err())
	}
	if c.builds.Build != "" {
		return build, errors.Join(build.Problems...)
	}
	return build, nil
}

// shown is a path as people know it: relative to the current folder if it lies below.
func shown(path string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}
