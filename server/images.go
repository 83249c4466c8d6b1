package server

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// lookAgain is how long what is known of the workspace's other Dockerfiles is good enough for completion.
const lookAgain = 10 * time.Second

// imagesBeside returns the images that other Dockerfiles are built on. Of those that are not open it
// is what was known last; the workspace is looked through in the background.
func (s *session) imagesBeside(d *document) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var images []string
	add := func(file *dockerfile.File) {
		for _, stage := range file.Stages {
			if ref := stage.Base.Text; ref != "" && !strings.Contains(ref, "$") {
				stages := slices.ContainsFunc(file.Stages, func(o *dockerfile.Stage) bool { return o.Name == ref })
				if !stages {
					images = append(images, ref)
				}
			}
		}
	}
	for _, o := range s.documents {
		if o != d && o.current != nil {
			add(o.current.file)
		}
	}
	for _, f := range s.workspace {
		if f.path != d.path {
			add(f.file)
		}
	}
	if time.Since(s.looked) > lookAgain {
		s.looked = time.Now()
		folders := slices.Clone(s.folders)
		s.backgroundLocked("looking for Dockerfiles", func(ctx context.Context) { _, _ = s.workspaceFiles(ctx, folders) })
	}
	slices.Sort(images)
	return slices.Compact(images)
}
