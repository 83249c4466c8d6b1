package server

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// renamed are the edits in one build file.
type renamed struct {
	uri     uri.URI
	version *int32 // nil if it is not open
	text    *source.Text
	edits   []source.Edit
}

// renamedIn finds what a renaming in a Dockerfile changes in the Compose and bake files that build it: the targets that
// name a stage and the arguments that set an ARG. What the Dockerfile still has by the old name is left alone.
func (s *session) renamedIn(ctx context.Context, snap *snapshot, r *navigate.Rename, to string) (out []renamed) {
	if snap.build == nil || snap.build.Dockerfile == "" || len(snap.build.BuildFiles) == 0 {
		return nil
	}
	after, err := source.Apply(snap.file.Text.String(), r.Edits)
	if err != nil {
		return nil
	}
	then := dockerfile.Parse(source.New(after), snap.file)
	name, arg := r.Symbol.Name, r.Symbol.Kind == navigate.Variable
	switch {
	case arg && (!slices.Contains(buildcheck.Args(snap.file), name) || slices.Contains(buildcheck.Args(then), name)):
		return nil
	case !arg && (r.Symbol.Kind != navigate.Stage || then.Stage(name, dockerfile.ByTarget, 0) >= 0):
		return nil
	}
	var seen []string // a file may be read both as one of Compose and of bake
	for _, path := range snap.build.BuildFiles {
		if slices.Contains(seen, path) {
			continue
		}
		seen = append(seen, path)
		content, at, version, err := s.versionedText(path)
		if err != nil {
			continue
		}
		sections, err := buildfiles.Sections(path, content)
		if err != nil || len(sections) == 0 {
			continue
		}
		entries, err := buildfiles.Around(ctx, path, s.buildOptionsNow())
		if err != nil {
			continue
		}
		edits := buildcheck.Renamed(sections, entries, snap.build.Dockerfile, name, to, arg)
		if len(edits) == 0 {
			continue
		}
		out = append(out, renamed{uri: at, version: version, text: source.New(string(content)), edits: edits})
	}
	return out
}

// add adds the edits to those of a Dockerfile.
func (f *renamed) add(edit *protocol.WorkspaceEdit, can *abilities) {
	changes := can.encoding.edits(f.text, f.edits)
	if !can.documentChanges {
		edit.Changes[f.uri] = changes
		return
	}
	change := &protocol.TextDocumentEdit{TextDocument: protocol.OptionalVersionedTextDocumentIdentifier{
		TextDocumentIdentifier: protocol.TextDocumentIdentifier{URI: f.uri}, Version: f.version,
	}}
	for i := range changes {
		change.Edits = append(change.Edits, &changes[i])
	}
	edit.DocumentChanges = append(edit.DocumentChanges, change)
}

// changedToo says which build files a renaming changes.
func changedToo(files []renamed) string {
	var names []string
	for i := range files {
		names = append(names, filepath.Base(files[i].uri.FsPath()))
	}
	return fmt.Sprintf("Changed too: %s.", strings.Join(names, ", "))
}
