package server

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"go.lsp.dev/protocol"
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

// tagsOf returns the tags of an image that are known now, and whether no more will be known soon. Those that are not known, or for
// long, are asked for in the background, if the user allows that.
func (s *session) tagsOf(image string, allowed bool) (tags []string, all bool) {
	if !allowed {
		return nil, true
	}
	tags, ask := s.tags.Known(image)
	if ask {
		s.background("asking for tags", func(ctx context.Context) {
			if err := s.tags.Ask(ctx, image); err != nil && ctx.Err() == nil {
				s.tell(protocol.MessageTypeLog, err.Error())
			}
		})
	}
	return tags, !s.tags.Pending(image)
}

// tagsDir is where tags are kept, "" if nothing is.
func tagsDir(cacheDir string) string {
	if cacheDir == "" {
		return ""
	}
	return filepath.Join(cacheDir, "tags")
}
