package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
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

// renaming is a stage or an ARG of a Dockerfile that gets another name.
type renaming struct {
	*navigate.Rename
	path string // of the Dockerfile
	file *dockerfile.File
	to   string
}

// arg reports whether it is a build argument.
func (r *renaming) arg() bool { return r.Symbol.Kind == navigate.Variable }

// beyond reports whether other files may know the name: what the Dockerfile still has by the old one is left alone.
func (r *renaming) beyond() bool {
	after, err := source.Apply(r.file.Text.String(), r.Edits)
	if err != nil || r.path == "" {
		return false
	}
	then, name := dockerfile.Parse(source.New(after), nil), r.Symbol.Name
	if r.arg() {
		return slices.Contains(buildcheck.Args(r.file), name) && !slices.Contains(buildcheck.Args(then), name)
	}
	return r.Symbol.Kind == navigate.Stage && then.Stage(name, dockerfile.ByTarget, 0) < 0
}

// renamedIn finds what a renaming changes in the Compose, bake and CI files that build the Dockerfile: the targets that
// name a stage and the arguments that set an ARG. left says which builds of CI files have the old name still.
func (s *session) renamedIn(ctx context.Context, r *renaming) (out []renamed, left []string) {
	if !r.beyond() {
		return nil, nil
	}
	s.mu.Lock()
	_, folder := s.settingsOfLocked(uri.File(r.path))
	s.mu.Unlock()
	root, options := s.workspaceOf(folder).Root(filepath.Dir(r.path)), s.buildOptionsNow()
	projects, _ := buildfiles.Find(ctx, root, r.path, options) // what cannot be read is not changed
	var seen []string                                          // a file may be read both as one of Compose and of bake
	for _, p := range projects {
		for _, path := range p.Files {
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
			entries, err := buildfiles.Around(ctx, path, options)
			if err != nil {
				continue
			}
			edits := buildcheck.Renamed(sections, entries, r.path, r.Symbol.Name, r.to, r.arg())
			if len(edits) > 0 {
				out = append(out, renamed{uri: at, version: version, text: source.New(string(content)), edits: edits})
			}
		}
	}
	return s.renamedInCI(ctx, r, root, out)
}

// renamedInCI adds the edits in CI files, and looks whether the builds that these describe have the new name then.
func (s *session) renamedInCI(ctx context.Context, r *renaming, root string, out []renamed) ([]renamed, []string) {
	find := func(read func(string) ([]byte, error)) []pipeline.Build {
		builds, _ := pipeline.Find(ctx, pipeline.Options{Root: root, Read: read}) // the CI itself says what is wrong
		return builds
	}
	name := r.Symbol.Name
	builds := find(s.readText)
	var seen []string
	for _, b := range buildcheck.Names(builds, r.path, name, r.arg()) {
		if slices.Contains(seen, b.File) {
			continue
		}
		seen = append(seen, b.File)
		content, at, version, err := s.versionedText(b.File)
		if err != nil {
			continue
		}
		f := renamed{uri: at, version: version, text: source.New(string(content))}
		f.edits = buildcheck.RenamedInCI(b.File, f.text, builds, r.path, name, r.to, r.arg())
		if len(f.edits) > 0 {
			out = append(out, f)
		}
	}
	still := find(func(path string) ([]byte, error) {
		for i := range out {
			if f := &out[i]; filepath.FromSlash(f.uri.FsPath()) == path {
				after, err := source.Apply(f.text.String(), f.edits)
				return []byte(after), err
			}
		}
		return s.readText(path)
	})
	var left []string
	for _, b := range buildcheck.Names(still, r.path, name, r.arg()) {
		place := fmt.Sprintf("Not changed: %s, line %d, still has %s.", b.Place(root), b.Line, name)
		if !slices.Contains(left, place) {
			left = append(left, place)
		}
	}
	return out, left
}

// renameEdit is what a renaming changes altogether. What else has the old name is said in a change annotation, if the
// client shows those, and what a build then misses in a message too.
func (s *session) renameEdit(
	ctx context.Context, r *renaming, at uri.URI, version *int32,
) *protocol.WorkspaceEdit {
	edit := &protocol.WorkspaceEdit{}
	files, left := s.renamedIn(ctx, r)
	own := renamed{uri: at, version: version, text: r.file.Text, edits: r.Edits}
	own.add(edit, &s.can)
	for i := range files {
		files[i].add(edit, &s.can)
	}
	beyond := slices.Concat(r.Beyond, left)
	if len(files) > 0 {
		beyond = append(beyond, changedToo(files))
	}
	if len(beyond) > 0 {
		s.can.annotate(edit, "Rename "+r.Symbol.Name+" to "+r.to, strings.Join(beyond, " "), false)
	}
	if len(left) > 0 {
		s.show(protocol.MessageTypeInfo, strings.Join(left, " "))
	}
	return edit
}

// renameFrom finds what a place in a build file names that can be renamed there: the stage of a target, the ARG of an
// argument; nil where that is nothing.
func (b *buildText) renameFrom(p protocol.Position) (v buildfiles.Value, path string, offset int) {
	at := b.s.can.encoding.offset(b.text, p)
	for i := range b.sections {
		section := &b.sections[i]
		for _, v := range section.Values {
			name, isArg := strings.CutPrefix(v.Key, "args.")
			span := v.Span
			if isArg {
				span = v.KeySpan
			}
			if span.Start > at || at > span.End || !isArg && (v.Key != "target" || !v.Literal) {
				continue
			}
			for _, e := range buildcheck.Of(section, b.entries) {
				file, err := b.dockerfileOf(e)
				if err != nil || e.Dockerfile == "" || e.Inline != "" {
					continue
				}
				declared := buildcheck.Declaration(file, name)
				if n := file.Stage(v.Text, dockerfile.ByTarget, 0); !isArg && n >= 0 {
					declared = file.Stages[n].NameWord.Span
				}
				if declared != (source.Span{}) {
					v.Span = span
					return v, e.Dockerfile, declared.Start
				}
			}
		}
	}
	return buildfiles.Value{}, "", 0
}

func buildFilePrepareRename(
	_ context.Context, b *buildText, p *protocol.PrepareRenameParams,
) (protocol.PrepareRenameResult, error) {
	v, path, _ := b.renameFrom(p.Position)
	if path == "" {
		return nil, nil
	}
	return &protocol.PrepareRenamePlaceholder{
		Range: b.s.can.encoding.rangeOf(b.text, v.Span), Placeholder: b.text.Slice(v.Span),
	}, nil
}

// buildFileRename renames in the Dockerfile what a build file names, and wherever that is named.
func buildFileRename(
	ctx context.Context, b *buildText, p *protocol.RenameParams,
) (*protocol.WorkspaceEdit, error) {
	_, path, offset := b.renameFrom(p.Position)
	if path == "" {
		return nil, refused(errors.New("nothing of a Dockerfile is named here"))
	}
	file, err := b.dockerfileAt(path)
	if err != nil {
		return nil, refused(err)
	}
	r, err := navigate.New(file).Rename(offset, p.NewName)
	if err != nil {
		return nil, refused(err)
	}
	at, version := uri.File(path), (*int32)(nil)
	if snap := b.s.snapshotAt(path); snap != nil {
		if snap.file != file {
			return nil, protocol.ErrContentModified
		}
		at, version = snap.uri, &snap.version
	}
	return b.s.renameEdit(ctx, &renaming{Rename: r, path: path, file: file, to: p.NewName}, at, version), nil
}

// add adds the edits to those of a Dockerfile.
func (f *renamed) add(edit *protocol.WorkspaceEdit, can *abilities) {
	changes := can.encoding.edits(f.text, f.edits)
	if !can.documentChanges {
		if edit.Changes == nil {
			edit.Changes = map[uri.URI][]protocol.TextEdit{}
		}
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
