package workspace

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/layerwise/layerwise/cachemodel/pipeline"
	"github.com/tidwall/jsonc"
)

// placed is a build context that a file of the project names for a Dockerfile, beside Compose and bake files: a GitHub
// workflow, GitLab's CI file or a devcontainer.json.
type placed struct {
	dir string
	by  string // for people: ".github/workflows/ci.yml, job build"
}

// placedFor finds where such files say that the build context of a Dockerfile is: CI files only where all say the same,
// else the nearest devcontainer.json. It also returns the files that were read, or would be if they were there.
func (w *Workspace) placedFor(ctx context.Context, dockerfile string) (p placed, files []string) {
	dir := filepath.Dir(dockerfile)
	root := w.Root(dir)
	files = pipeline.Files(root)
	for _, b := range w.Pipelines(ctx, root) {
		if b.Dockerfile != dockerfile || b.Options.ContextDir == "" {
			continue
		}
		if p.dir != "" && p.dir != b.Options.ContextDir {
			p = placed{}
			break
		}
		p = placed{b.Options.ContextDir, b.Place(root)}
	}
	for _, above := range upTo(root, dir) {
		file := filepath.Join(above, ".devcontainer", "devcontainer.json")
		files = append(files, file)
		at := w.devcontainer(file, dockerfile)
		if p.dir == "" && at != "" && pipeline.Within(root, at) { // else the user's home folder may be read
			p = placed{at, relative(file)}
		}
	}
	return p, files
}

// Pipelines are the builds that the CI files of a repository describe, whatever starts them. What cannot be read is
// left out: the CI itself says what is wrong there.
func (w *Workspace) Pipelines(ctx context.Context, root string) []pipeline.Build {
	find := func() []pipeline.Build {
		found, _ := pipeline.Find(ctx, pipeline.Options{Root: root, Read: w.Read})
		return found
	}
	if !w.Fixed {
		return find()
	}
	return once(ctx, &w.read.mu, &w.read.pipelines, root, find)
}

// devcontainer is the build context that a devcontainer.json names for the Dockerfile; "" if it builds another, or
// none. See https://containers.dev/implementors/json_reference/#image-specific.
func (w *Workspace) devcontainer(file, dockerfile string) string {
	text, err := w.buildFileOptions().Read(file)
	if err != nil {
		return ""
	}
	var said struct {
		Dockerfile, Context string // as they were first named, beside "build"
		Build               struct{ Dockerfile, Context string }
	}
	if json.Unmarshal(jsonc.ToJSON(text), &said) != nil {
		return ""
	}
	if said.Build.Dockerfile == "" {
		said.Build.Dockerfile, said.Build.Context = said.Dockerfile, said.Context
	}
	dir := filepath.Dir(file)
	if said.Build.Dockerfile == "" || filepath.Join(dir, filepath.FromSlash(said.Build.Dockerfile)) != dockerfile {
		return ""
	}
	return filepath.Join(dir, filepath.FromSlash(said.Build.Context))
}
