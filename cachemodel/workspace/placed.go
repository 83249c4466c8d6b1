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

// placedFor finds where such files say that the build context of a Dockerfile is: nowhere, where CI files say several
// things. It also returns the files that were read, or would be if they were there.
func (w *Workspace) placedFor(ctx context.Context, dockerfile string) (p placed, files []string) {
	dir := filepath.Dir(dockerfile)
	root := w.Root(dir)
	files = pipeline.Files(root)
	for _, b := range w.pipelines(ctx, root) {
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
		if at := w.devcontainer(file, dockerfile); p.dir == "" && at != "" {
			p = placed{at, relative(file)}
		}
	}
	return p, files
}

// pipelines are the builds of the CI files of a repository.
func (w *Workspace) pipelines(ctx context.Context, root string) []pipeline.Build {
	if !w.Fixed {
		found, _ := pipeline.Find(ctx, pipeline.Options{Root: root, Read: w.Read})
		return found
	}
	w.read.mu.Lock()
	defer w.read.mu.Unlock()
	found, ok := w.read.pipelines[root]
	if !ok {
		found, _ = pipeline.Find(ctx, pipeline.Options{Root: root, Read: w.Read}) // `layerwise ci` says what is wrong there
		if ctx.Err() == nil {
			if w.read.pipelines == nil {
				w.read.pipelines = map[string][]pipeline.Build{}
			}
			w.read.pipelines[root] = found
		}
	}
	return found
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
