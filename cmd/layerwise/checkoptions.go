package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// checkOptions finds what there is beside and above Dockerfiles that says how to check them. It complains about each
// configuration once.
type checkOptions struct {
	workspace *workspace.Workspace
	configs   map[string]workspace.Config // by folder
	told      map[string]bool             // configurations that were complained about
	failures  []error
}

// of returns the options for a Dockerfile with this text.
func (c *checkOptions) of(ctx context.Context, name string, file *dockerfile.File) rules.Options {
	path, err := filepath.Abs(name)
	if err != nil {
		return rules.Options{}
	}
	folder := filepath.Dir(path)
	config, ok := c.configs[folder]
	if !ok {
		config = workspace.FindConfig(folder)
		c.configs[folder] = config
	}
	if !c.told[config.Path] {
		c.told[config.Path] = true
		for _, problem := range config.Problems {
			c.failures = append(c.failures, fmt.Errorf("%s: %s", shown(config.Path), problem))
		}
	}
	opts := config.Rules
	opts.Shell = &rules.Shell{}
	if build := c.workspace.Reader(path).Resolve(ctx, workspace.Question{File: file}); build != nil {
		opts = build.RuleOptions(opts, file)
	}
	return opts
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
