package server

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/describe"
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
		s.backgroundLocked(
			"looking for Dockerfiles",
			func(ctx context.Context) { _, _ = s.workspaceFiles(ctx, folders) },
		)
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// tagsOf returns the tags of an image that are known now, and whether no more will be known soon. Those that are not
// known, or for long, are asked for in the background, if the user allows that.
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

// published asks a registry for an image and waits as long as ctx lets it; what comes later is there for the next time.
// The platform is that of the build, "" for the builder's own.
func (s *session) published(ctx context.Context, ref, platform string) *describe.Published {
	if platform, _, _ = strings.Cut(platform, ","); platform == "" {
		platform = "linux/" + runtime.GOARCH
	}
	answer, ask := s.images.Find(ref, platform)
	if ask {
		s.background("asking for an image", func(ctx context.Context) { s.images.Ask(ctx, answer) })
	}
	select {
	case <-answer.Done():
	case <-ctx.Done():
		return &describe.Published{Problem: "it has not answered yet"}
	}
	if answer.Err != nil {
		return &describe.Published{Problem: oneLine(answer.Err.Error())}
	}
	i := answer.Image
	return &describe.Published{
		Digest:    i.Digest,
		Created:   i.Created,
		Now:       time.Now(),
		Size:      i.Size,
		Platform:  i.Platform,
		Platforms: i.Platforms,
	}
}

// oneLine is the first line of an error, without a stop at its end.
func oneLine(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	return strings.TrimRight(line, ". ")
}

// tagsDir is where tags are kept, "" if nothing is.
func tagsDir(cacheDir string) string {
	if cacheDir == "" {
		return ""
	}
	return filepath.Join(cacheDir, "tags")
}
