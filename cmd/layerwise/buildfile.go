package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// targets are the stages that the project's build files build of a Dockerfile.
func targets(ctx context.Context, path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	w := here()
	projects, _ := buildfiles.Find(ctx, w.Root(filepath.Dir(path)), path, buildfiles.Options{Env: w.Env})
	return buildfiles.Targets(buildfiles.Choices(projects, path))
}

// relative shortens a path for people.
func relative(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}
