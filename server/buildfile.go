package server

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// buildOptionsNow is how build files are read: with the texts as they are in the editor.
func (s *session) buildOptionsNow() buildfiles.Options {
	return buildfiles.Options{Env: os.Environ(), Read: s.readText}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// mayBeBuildFile says by its name whether a file may say how images are built.
func mayBeBuildFile(path string) bool {
	return buildfiles.IsCompose(path) || buildfiles.IsBake(path) || filepath.Base(path) == ".env"
}

// buildFileChangedLocked has the Dockerfiles judged anew whose settings may hang on a file.
func (s *session) buildFileChangedLocked(path string) {
	for _, d := range s.documents {
		if d.dockerfile && (mayBeBuildFile(path) || d.build != nil && slices.Contains(d.build.BuildFiles, path)) {
			d.stale.Builds = true
			d.wake(d.reload)
		}
	}
}

// selectBuildCommand chooses whose settings a Dockerfile is judged by: [uri, id], where id is an entry's, "none" or
// "context:" with a folder, relative to the Dockerfile's; "auto" forgets the choice, and "" asks.
const selectBuildCommand = "layerwise.selectBuild"

func selectBuild(ctx context.Context, s *session, u uri.URI, id string) error {
	d, snap, err := s.openDockerfile(ctx, u)
	if err != nil {
		return err
	}
	if id == "" {
		items := buildItems(snap.build)
		var titles []string
		for _, item := range items {
			titles = append(titles, item.Label)
		}
		i, err := s.ask(ctx, "Which build is "+filepath.Base(d.path)+" judged for?", titles)
		if err != nil || i < 0 {
			return err
		}
		id = items[i].ID
	}
	if dir, ok := strings.CutPrefix(id, workspace.ContextChoice); ok && !filepath.IsAbs(dir) {
		id = workspace.ContextChoice + filepath.Join(filepath.Dir(d.path), dir)
	}
	if id == automatic {
		id = ""
	}
	if err := s.choose(d, workspace.BuildChoice, id); err != nil {
		s.show(protocol.MessageTypeWarning, sentence(err.Error()))
	}
	return nil
}

const automatic = "auto"

// mostFolders is how many folders are offered as the build context.
const mostFolders = 4

// buildsMethod is the request, beside the standard, for clients that let people choose in their own way.
const buildsMethod = "layerwise/builds"

// buildsParams and buildsResult are described in docs/protocol.md.
type buildsParams struct {
	TextDocument protocol.TextDocumentIdentifier `json:"textDocument"`
}

type buildsResult struct {
	Current string      `json:"current"`
	Items   []buildItem `json:"items"`
}

type buildItem struct {
	ID     string `json:"id"`
	Label  string `json:"label"`
	Detail string `json:"detail"`
}

func buildsOf(ctx context.Context, s *session, p *buildsParams) (*buildsResult, error) {
	_, snap, err := s.openDockerfile(ctx, p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	result := &buildsResult{Current: workspace.NoBuild, Items: buildItems(snap.build)}
	if e := snap.build.Entry; e != nil {
		result.Current = e.ID
	} else if context := snap.build.Context; context.From.Kind == workspace.Chosen {
		result.Current = workspace.ContextChoice + context.Dir
	}
	return result, nil
}

func buildItems(b *build) []buildItem {
	items := []buildItem{}
	for _, c := range b.Choices {
		for _, e := range append([]buildfiles.Entry{c.Entry}, c.Same...) {
			detail := filepath.Base(e.File)
			if e.File == "" {
				detail = filepath.Base(e.Files[0])
			}
			if e.Target != "" {
				detail += ", target " + e.Target
			}
			items = append(items, buildItem{ID: e.ID, Label: upper(e.Title()), Detail: detail})
		}
	}
	folders := b.Folders()
	for _, dir := range folders[:min(len(folders), mostFolders)] {
		items = append(items, buildItem{
			ID: workspace.ContextChoice + dir, Label: "Build context " + filepath.Base(dir), Detail: dir,
		})
	}
	return append(
		items,
		buildItem{ID: automatic, Label: "Automatic", Detail: "the first service or target that builds it"},
		buildItem{ID: workspace.NoBuild, Label: "None: only the settings", Detail: "look into no Compose or bake file"},
	)
}
