package server

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// builds are the services and targets that build a Dockerfile, and the one whose settings count.
type builds struct {
	projects []*buildfiles.Project
	choices  []buildfiles.Choice
	entry    *buildfiles.Entry // nil if there is none, or none is wanted
	files    []string          // that say so
	notes    []string
}

// buildChoice is under what the choice is remembered; noBuild is the choice to look into no build file.
const (
	buildChoice = "build"
	noBuild     = "none"
)

// buildOptionsNow is how build files are read: with the texts as they are in the editor.
func (s *session) buildOptionsNow() buildfiles.Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := map[string]string{}
	for _, d := range s.documents {
		if d.path != "" && !d.dockerfile {
			open[d.path] = d.text.String()
		}
	}
	return buildfiles.Options{Env: os.Environ(), Read: func(path string) ([]byte, error) {
		if text, ok := open[path]; ok {
			return []byte(text), nil
		}
		return os.ReadFile(path)
	}}
}

// readBuilds looks for the services and targets that build d. A project that cannot be read now, because somebody types in
// its file, is as it was before.
func (s *session) readBuilds(ctx context.Context, d *document, root string, before builds) builds {
	var b builds
	if d.path == "" {
		return b
	}
	var problems []error
	b.projects, problems = buildfiles.Find(ctx, cmp.Or(root, filepath.Dir(d.path)), d.path, s.buildOptionsNow())
	if len(problems) > 0 {
		for _, old := range before.projects {
			same := func(p *buildfiles.Project) bool { return p.Kind == old.Kind && p.Dir == old.Dir }
			if !slices.ContainsFunc(b.projects, same) && len(old.Files) > 0 && fileExists(old.Files[0]) {
				b.projects = append(b.projects, old)
			}
		}
	}
	for _, problem := range problems {
		b.notes = append(b.notes, sentence(strings.TrimSuffix(problem.Error(), ".")))
	}
	for _, p := range b.projects {
		b.files = append(b.files, p.Files...)
	}
	b.choices = buildfiles.Choices(b.projects, d.path)
	chosen := s.store.Choice(d.path, buildChoice)
	if chosen == noBuild || len(b.choices) == 0 {
		return b
	}
	b.entry = &b.choices[0].Entry
	for i := range b.choices {
		if e := b.choices[i].Of(chosen); e != nil {
			b.entry = e
		}
	}
	if len(b.choices) > 1 && chosen == "" {
		b.notes = append(b.notes, fmt.Sprintf("%d builds use this Dockerfile; the settings are those of the %s until another one is chosen (layerwise.selectBuild).", len(b.choices), b.entry.Title()))
	}
	return b
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// same says whether two readings come to the same settings.
func (b *builds) same(other *builds) bool { return reflect.DeepEqual(b.entry, other.entry) }

// mayBeBuildFile says by its name whether a file may say how images are built.
func mayBeBuildFile(path string) bool {
	return buildfiles.IsCompose(path) || buildfiles.IsBake(path) || filepath.Base(path) == ".env"
}

// buildFileChangedLocked has the Dockerfiles judged anew whose settings may hang on a file.
func (s *session) buildFileChangedLocked(path string) {
	for _, d := range s.documents {
		if d.dockerfile && (mayBeBuildFile(path) || d.world != nil && slices.Contains(d.world.buildFiles, path)) {
			d.stale.builds = true
			d.wake(d.reload)
		}
	}
}

// selectBuildCommand chooses whose settings a Dockerfile is judged by: [uri, id], where id is an entry's or "none"; "auto"
// forgets the choice, and "" asks.
const selectBuildCommand = "layerwise.selectBuild"

func selectBuild(ctx context.Context, s *session, u uri.URI, id string) error {
	d, snap, err := s.openDockerfile(ctx, u)
	if err != nil {
		return err
	}
	if id == "" {
		items := buildItems(snap.world)
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
	if id == automatic {
		id = ""
	}
	if err := s.choose(d, buildChoice, id); err != nil {
		s.show(protocol.MessageTypeWarning, sentence(err.Error()))
	}
	return nil
}

const automatic = "auto"

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
	result := &buildsResult{Current: noBuild, Items: buildItems(snap.world)}
	if e := snap.world.entry; e != nil {
		result.Current = e.ID
	}
	return result, nil
}

func buildItems(w *world) []buildItem {
	items := []buildItem{}
	for _, c := range w.choices {
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
	return append(items, buildItem{ID: automatic, Label: "Automatic", Detail: "the first service or target that builds it"},
		buildItem{ID: noBuild, Label: "None: only the settings", Detail: "look into no Compose or bake file"})
}
