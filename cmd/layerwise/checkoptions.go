package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// checkOptions finds what there is beside and above Dockerfiles that says how to check them. It keeps configurations,
// so that each is read, and complained about, once.
type checkOptions struct {
	configs  map[string]rules.Options // by folder
	failures []error
}

// of returns the options for a Dockerfile.
func (c *checkOptions) of(dockerfile string) rules.Options {
	folder, err := filepath.Abs(filepath.Dir(dockerfile))
	if err != nil {
		return rules.Options{}
	}
	opts := c.config(folder)
	opts.Shell = &rules.Shell{}
	for _, name := range buildcontext.IgnoreFileNames(filepath.Base(dockerfile)) {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			continue
		}
		if ignore, err := buildcontext.ParseIgnore(name, text); err == nil {
			opts.Ignore = ignore
		}
		break
	}
	return opts
}

// config returns what the nearest configuration says, in the folder or above it, up to the folder of a Git repository.
func (c *checkOptions) config(folder string) rules.Options {
	if opts, ok := c.configs[folder]; ok {
		return opts
	}
	path := filepath.Join(folder, rules.ConfigName)
	text, err := os.ReadFile(path)
	var opts rules.Options
	switch above := filepath.Dir(folder); {
	case err == nil:
		if opts, err = rules.ParseConfig(text); err != nil {
			for problem := range strings.SplitSeq(err.Error(), "\n") {
				c.failures = append(c.failures, fmt.Errorf("%s: %s", shown(path), problem))
			}
		}
	case !errors.Is(err, fs.ErrNotExist):
		c.failures = append(c.failures, err)
	case above != folder && !exists(filepath.Join(folder, ".git")):
		opts = c.config(above)
	}
	c.configs[folder] = opts
	return opts
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
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
