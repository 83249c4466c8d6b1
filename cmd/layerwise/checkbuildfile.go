package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// isBuildFile says by its name whether a file is a Compose or bake file, or one of a CI.
func isBuildFile(path string) bool {
	_, ci := pipeline.RootOf(path)
	return ci || buildfiles.IsCompose(path) || buildfiles.IsBake(path)
}

// buildFileCheck checks build files.
type buildFileCheck struct{ options *checkOptions }

// file checks the build sections of a Compose or bake file, and the Dockerfiles within it, or the builds of a CI file, by
// the configuration that holds for it.
func (c *buildFileCheck) file(ctx context.Context, path string) (checkedFile, error) {
	content, err := textfile.Read(path)
	if err != nil {
		return checkedFile{}, fmt.Errorf("%s: %w", path, err)
	}
	at, err := filepath.Abs(path)
	if err != nil {
		return checkedFile{}, err
	}
	options, err := c.options.configured(path)
	if err != nil {
		return checkedFile{}, err
	}
	checked := checkedFile{path: path, text: source.New(string(content))}
	if root, ok := pipeline.RootOf(at); ok {
		builds := c.options.workspace.Pipelines(ctx, root)
		checked.findings = options.Apply(buildcheck.CI(at, checked.text, builds, buildcheck.Files{}))
		return checked, nil
	}
	sections, err := buildfiles.Sections(at, content)
	if err != nil || len(sections) == 0 {
		return checked, nil // it is the business of Compose and bake to say what is wrong with the rest
	}
	entries, err := buildfiles.Around(ctx, at, buildfiles.Options{Env: os.Environ()})
	if err != nil {
		return checked, nil
	}
	found := buildcheck.Check(sections, entries, buildcheck.Files{})
	for i := range found {
		for j := range found[i].Fixes {
			found[i].Fixes[j].Preferred = false // --fix changes Dockerfiles only
		}
	}
	checked.findings = append(options.Apply(found), buildcheck.Inline(content, sections, entries, options)...)
	return checked, nil
}
