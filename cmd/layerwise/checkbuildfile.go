package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// isBuildFile says by its name whether a file is a Compose or bake file.
func isBuildFile(path string) bool { return buildfiles.IsCompose(path) || buildfiles.IsBake(path) }

// checkBuildFile checks the build sections of a Compose or bake file.
func checkBuildFile(ctx context.Context, path string, on func(rule string) bool) (checkedFile, error) {
	content, err := textfile.Read(path)
	if err != nil {
		return checkedFile{}, fmt.Errorf("%s: %w", path, err)
	}
	at, err := filepath.Abs(path)
	if err != nil {
		return checkedFile{}, err
	}
	checked := checkedFile{path: path, text: source.New(string(content))}
	sections, err := buildfiles.Sections(at, []byte(checked.text.String()))
	if err != nil || len(sections) == 0 {
		return checked, nil // it is the business of Compose and bake to say what is wrong with the rest
	}
	entries, err := buildfiles.Around(ctx, at, buildfiles.Options{Env: os.Environ()})
	if err != nil {
		return checked, nil
	}
	for _, f := range buildcheck.Check(sections, entries, buildcheck.Files{}) {
		if !on(f.Rule) {
			continue
		}
		for i := range f.Fixes {
			f.Fixes[i].Preferred = false // --fix changes Dockerfiles only
		}
		checked.findings = append(checked.findings, f)
	}
	return checked, nil
}

// splitRules takes the names of rules about build files out of names.
func splitRules(names []string) (dockerfile, build []string) {
	for _, name := range names {
		id := ""
		for _, r := range buildcheck.All {
			if strings.EqualFold(r.ID, name) {
				id = r.ID
			}
		}
		if id != "" {
			build = append(build, id)
		} else {
			dockerfile = append(dockerfile, name)
		}
	}
	return dockerfile, build
}

// codeOf is what a finding is called, and the address of the page about it.
func codeOf(f analysis.Finding) (code, page string) {
	if rule := buildcheck.Find(f.Rule); rule != nil {
		return rule.ID, rule.URL()
	}
	return rules.Code(f)
}
