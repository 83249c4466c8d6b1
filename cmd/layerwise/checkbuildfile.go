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

// file checks a build file by the configuration that holds for it.
func (c *buildFileCheck) file(ctx context.Context, path string) (checkedFile, error) {
	checked, err := c.all(ctx, path)
	if err != nil {
		return checked, err
	}
	options, err := c.options.configured(path)
	if err != nil {
		return checked, err
	}
	checked.findings = options.Apply(checked.findings)
	return checked, nil
}

// all checks the build sections of a Compose or bake file, or the builds of a CI file.
func (c *buildFileCheck) all(ctx context.Context, path string) (checkedFile, error) {
	content, err := textfile.Read(path)
	if err != nil {
		return checkedFile{}, fmt.Errorf("%s: %w", path, err)
	}
	at, err := filepath.Abs(path)
	if err != nil {
		return checkedFile{}, err
	}
	checked := checkedFile{path: path, text: source.New(string(content))}
	if root, ok := pipeline.RootOf(at); ok {
		builds := c.options.workspace.Pipelines(ctx, root)
		checked.findings = buildcheck.CI(at, checked.text, builds, buildcheck.Files{})
		return checked, nil
	}
	sections, err := buildfiles.Sections(at, []byte(checked.text.String()))
	if err != nil || len(sections) == 0 {
		return checked, nil // it is the business of Compose and bake to say what is wrong with the rest
	}
	entries, err := buildfiles.Around(ctx, at, buildfiles.Options{Env: os.Environ()})
	if err != nil {
		return checked, nil
	}
	for _, f := range buildcheck.Check(sections, entries, buildcheck.Files{}) {
		for i := range f.Fixes {
			f.Fixes[i].Preferred = false // --fix changes Dockerfiles only
		}
		checked.findings = append(checked.findings, f)
	}
	return checked, nil
}
