package server

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// renamesFiles asks the client to be asked before it renames files and folders.
func renamesFiles() *protocol.FileOperationOptions {
	scheme := "file"
	return &protocol.FileOperationOptions{WillRename: protocol.FileOperationRegistrationOptions{
		Filters: []protocol.FileOperationFilter{
			{Scheme: &scheme, Pattern: protocol.FileOperationPattern{Glob: "**"}},
		},
	}}
}

// moving is the files and folders that get other paths, and what that changes.
type moving struct {
	s     *session
	moves []fileMove
	edits []renamed
	left  []string
}

type fileMove struct {
	old, now string
	dir      bool
}

// now is the path that a path is going to have.
func (m *moving) now(path string) string {
	for _, move := range m.moves {
		if path == move.old {
			return move.now
		}
		if rel, ok := within(move.old, path); ok {
			return filepath.Join(move.now, rel)
		}
	}
	return path
}

// openText is a Dockerfile that is open, with the version that edits are of.
type openText struct {
	file    *dockerfile.File
	version int32
}

// willRenameFiles answers workspace/willRenameFiles: the edits of Dockerfiles, of ignore files and of Compose and bake
// files that name what is renamed. What is left as it is is shown to the person.
func willRenameFiles(s *session, p *protocol.RenameFilesParams) (func(context.Context) (any, error), error) {
	m := &moving{s: s}
	for _, f := range p.Files {
		before, after := uri.URI(f.OldURI), uri.URI(f.NewURI)
		if !isFile(before) || !isFile(after) || before == after {
			continue
		}
		move := fileMove{old: filepath.FromSlash(before.FsPath()), now: filepath.FromSlash(after.FsPath())}
		m.moves = append(m.moves, move)
	}
	s.mu.Lock()
	open := map[string]openText{}
	for _, d := range s.documents {
		if d.current != nil && d.path != "" && !d.lost {
			open[d.path] = openText{d.current.file, d.version}
		}
	}
	folders := slices.Clone(s.folders)
	s.mu.Unlock()
	return func(ctx context.Context) (any, error) {
		for i := range m.moves {
			info, err := os.Stat(m.moves[i].old)
			m.moves[i].dir = err == nil && info.IsDir()
		}
		files, err := s.workspaceFiles(ctx, folders)
		if err != nil || len(m.moves) == 0 {
			return nil, err
		}
		for _, f := range files {
			if _, ok := open[f.path]; !ok {
				open[f.path] = openText{file: f.file, version: -1}
			}
		}
		for _, path := range slices.Sorted(maps.Keys(open)) {
			m.dockerfile(ctx, path, open[path])
		}
		m.ignoreFiles(folders)
		for _, folder := range folders {
			if folder.URI.IsFile() {
				m.buildFiles(ctx, filepath.FromSlash(folder.URI.FsPath()))
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return m.answer(), nil
	}, nil
}

// dockerfile changes the sources of a Dockerfile, if it is built with one context.
func (m *moving) dockerfile(ctx context.Context, path string, text openText) {
	m.s.mu.Lock()
	own, root := m.s.settingsOfLocked(uri.File(path))
	m.s.mu.Unlock()
	ignore := path + ".dockerignore"
	if m.now(path) == path && !m.mentioned(text.file.Text.String(), root) && !fileExists(ignore) {
		return
	}
	b := m.s.workspaceOf(root).Reader(path).Resolve(
		ctx,
		workspace.Question{Choices: choicesOf(own, root, path), File: text.file},
	)
	if b == nil || b.Context.Dir == "" {
		return
	}
	contexts := []string{b.Context.Dir}
	for _, c := range b.Choices {
		for _, e := range append([]buildfiles.Entry{c.Entry}, c.Same...) {
			if own.Context == "" && !e.Remote && !slices.Contains(contexts, e.Context) {
				contexts = append(contexts, e.Context)
			}
		}
	}
	edits, left := m.sources(text.file, contexts[0])
	for _, other := range contexts[1:] {
		if others, _ := m.sources(text.file, other); !slices.Equal(edits, others) {
			m.leave(path, 0, "it is built with several contexts")
			return
		}
	}
	for _, l := range left {
		m.leave(path, l.Line, l.Why)
	}
	var version *int32
	if text.version >= 0 {
		version = &text.version
	}
	m.change(renamed{uri: uri.File(path), version: version, text: text.file.Text, edits: edits})
	if m.now(path) != path && m.now(ignore) == ignore && fileExists(ignore) {
		m.leave(ignore, 0, "it belongs to "+filepath.Base(path)+": rename it too")
	}
	m.ignored(ignore, contexts[0])
}

// mentioned reports whether a text has a part of the old paths in it, or a pattern: finding a build costs time.
func (m *moving) mentioned(text, root string) bool {
	return strings.ContainsAny(text, "*?[") || slices.ContainsFunc(m.moves, func(move fileMove) bool {
		rel, ok := within(root, move.old)
		return ok && slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), func(part string) bool {
			return strings.Contains(text, part)
		})
	})
}

// sources are the edits for what a Dockerfile takes from a context.
func (m *moving) sources(file *dockerfile.File, dir string) (edits []source.Edit, left []navigate.Left) {
	for _, move := range m.within(dir) {
		e, l := navigate.Moved(file, move)
		if !touches(e, edits) { // else two of the moves are about one place
			edits, left = append(edits, e...), append(left, l...)
		}
	}
	return edits, left
}

// within are the moves as a build context sees them.
func (m *moving) within(dir string) (out []navigate.Move) {
	for _, move := range m.moves {
		old, ok := within(dir, move.old)
		if !ok {
			continue
		}
		now, _ := within(dir, move.now)
		out = append(out, navigate.Move{Old: filepath.ToSlash(old), New: filepath.ToSlash(now), Dir: move.dir})
	}
	return out
}

// ignoreFiles changes the ignore files of the folders that hold what is moved, up to the workspace folder's.
func (m *moving) ignoreFiles(folders []protocol.WorkspaceFolder) {
	var seen []string
	for _, folder := range folders {
		root := filepath.FromSlash(folder.URI.FsPath())
		for _, move := range m.moves {
			if _, ok := within(root, move.old); !ok || !folder.URI.IsFile() {
				continue
			}
			for dir := filepath.Dir(move.old); ; dir = filepath.Dir(dir) {
				if !slices.Contains(seen, dir) {
					seen = append(seen, dir)
					m.ignored(filepath.Join(dir, ".dockerignore"), dir)
				}
				if dir == root || dir == filepath.Dir(dir) {
					break
				}
			}
		}
	}
}

// ignored changes an ignore file of a context.
func (m *moving) ignored(path, dir string) {
	content, at, version, err := m.s.versionedText(path)
	if err != nil {
		return
	}
	text, moves := string(content), m.within(dir)
	file := renamed{uri: at, version: version, text: source.New(text)}
	for _, move := range moves {
		if edits := navigate.MovedIgnored(text, move); !touches(edits, file.edits) {
			file.edits = append(file.edits, edits...)
		}
	}
	m.change(file)
	after, err := source.Apply(text, file.edits)
	if err != nil {
		return
	}
	before, err := buildcontext.ParseIgnore(path, content)
	then, failed := buildcontext.ParseIgnore(path, []byte(after))
	if err != nil || failed != nil {
		return
	}
	for _, move := range moves {
		switch out := before.Ignores(move.Old); {
		case move.New == "" || out == then.Ignores(move.New):
		case out:
			m.leave(path, 0, "it leaves out "+move.Old+", but not "+move.New)
		default:
			m.leave(path, 0, "it leaves out "+move.New)
		}
	}
}

// buildFiles changes the Compose and bake files of a workspace folder.
func (m *moving) buildFiles(ctx context.Context, root string) {
	var seen []string
	for _, e := range m.s.workspaceOf(root).Entries(ctx, root) {
		for _, path := range e.Files {
			if slices.Contains(seen, path) || ctx.Err() != nil {
				continue
			}
			seen = append(seen, path)
			content, at, version, err := m.s.versionedText(path)
			if err != nil || !buildfiles.IsCompose(path) && !buildfiles.IsBake(path) {
				continue
			}
			sections, err := buildfiles.Sections(path, content)
			if err != nil {
				continue
			}
			entries, err := buildfiles.Around(ctx, path, m.s.buildOptionsNow())
			if err != nil {
				continue
			}
			text := source.New(string(content))
			edits, left := buildcheck.Moved(path, text, sections, entries, m.now)
			for _, l := range left {
				m.leave(path, l.Line, l.Why)
			}
			m.change(renamed{uri: at, version: version, text: text, edits: edits})
		}
	}
}

// change adds the edits of a file, unless there are some already.
func (m *moving) change(file renamed) {
	known := func(other renamed) bool { return other.uri == file.uri }
	if len(file.edits) > 0 && !slices.ContainsFunc(m.edits, known) {
		m.edits = append(m.edits, file)
	}
}

// leave says of a place, a whole file at line 0, why it stays as it is.
func (m *moving) leave(path string, line int, why string) {
	place := filepath.Base(path)
	if line > 0 {
		place = fmt.Sprintf("%s line %d", place, line)
	}
	if said := place + " (" + why + ")"; !slices.Contains(m.left, said) {
		m.left = append(m.left, said)
	}
}

// mostLeft is how many places a message names.
const mostLeft = 5

// answer is the edit, null where nothing changes. It says what is left.
func (m *moving) answer() any {
	if n := len(m.left); n > 0 {
		said := m.left[:min(n, mostLeft)]
		if n > mostLeft {
			said = append(slices.Clone(said), fmt.Sprintf("and %d more", n-mostLeft))
		}
		name := filepath.Base(m.moves[0].old)
		m.s.show(
			protocol.MessageTypeInfo,
			fmt.Sprintf("Look at these after the renaming of %s: %s.", name, strings.Join(said, ", ")),
		)
	}
	if len(m.edits) == 0 {
		return nil
	}
	edit := &protocol.WorkspaceEdit{}
	if !m.s.can.documentChanges {
		edit.Changes = map[uri.URI][]protocol.TextEdit{}
	}
	for i := range m.edits {
		m.edits[i].add(edit, &m.s.can)
	}
	return edit
}
