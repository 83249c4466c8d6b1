package server

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// Bounds of looking for Dockerfiles in the workspace.
const (
	maxEntries        = 50_000
	maxDockerfiles    = 500
	maxDockerfileSize = 1 << 20
)

// workspaceFile is a Dockerfile of the workspace that is not open.
type workspaceFile struct {
	path     string
	size     int64
	modified time.Time
	file     *dockerfile.File
}

// workspaceSymbol answers workspace/symbol: the stages of all Dockerfiles in the workspace folders, and of those that
// are open, whose names hold the query's letters in order.
func workspaceSymbol(s *session, p *protocol.WorkspaceSymbolParams) (func(context.Context) (any, error), error) {
	s.mu.Lock()
	var open []*snapshot
	opened := map[string]bool{}
	for _, d := range s.documents {
		if d.current != nil {
			open = append(open, d.current)
			opened[d.path] = true
		}
	}
	folders := slices.Clone(s.folders)
	s.mu.Unlock()
	query := strings.ToLower(p.Query)
	return func(ctx context.Context) (any, error) {
		symbols := protocol.SymbolInformationSlice{}
		add := func(u uri.URI, file *dockerfile.File) {
			for _, symbol := range outline.Symbols(file) {
				if symbol.Kind != outline.StageSymbol || !inOrder(strings.ToLower(symbol.Name), query) {
					continue
				}
				info := protocol.SymbolInformation{
					Location: protocol.Location{URI: u, Range: s.can.encoding.rangeOf(file.Text, symbol.Span)},
				}
				info.Name, info.Kind = symbol.Name, protocol.SymbolKindClass
				container := filepath.Base(u.Path())
				info.ContainerName = &container
				symbols = append(symbols, info)
			}
		}
		slices.SortFunc(open, func(a, b *snapshot) int { return strings.Compare(string(a.uri), string(b.uri)) })
		for _, snap := range open {
			add(snap.uri, snap.file)
		}
		files, err := s.workspaceFiles(ctx, folders)
		for _, f := range files {
			if !opened[f.path] {
				add(uri.File(f.path), f.file)
			}
		}
		return symbols, err
	}, nil
}

// inOrder reports whether the letters of part stand in s in this order.
func inOrder(s, part string) bool {
	for _, c := range part {
		n := strings.IndexRune(s, c)
		if n < 0 {
			return false
		}
		s = s[n+len(string(c)):]
	}
	return true
}

// workspaceFiles returns the Dockerfiles on disk in the workspace folders. It remembers them, and parses again only
// those that changed.
func (s *session) workspaceFiles(ctx context.Context, folders []protocol.WorkspaceFolder) ([]*workspaceFile, error) {
	s.mu.Lock()
	known := s.workspace
	s.mu.Unlock()
	next := map[string]*workspaceFile{}
	var files []*workspaceFile
	entries := 0
	for _, folder := range folders {
		if !folder.URI.IsFile() {
			continue
		}
		err := filepath.WalkDir(
			filepath.FromSlash(folder.URI.FsPath()),
			func(path string, entry fs.DirEntry, err error) error {
				if entries++; entries > maxEntries || len(files) == maxDockerfiles {
					return filepath.SkipAll
				}
				switch {
				case ctx.Err() != nil:
					return ctx.Err()
				case err != nil: // what cannot be read holds nothing for us
					if entry != nil && entry.IsDir() {
						return fs.SkipDir
					}
					return nil
				case entry.IsDir():
					if entry.Name() == ".git" || textfile.Installed(path) {
						return fs.SkipDir
					}
					return nil
				case next[path] != nil || !isDockerfile(uri.File(path), "") || !entry.Type().IsRegular():
					return nil
				}
				info, err := entry.Info()
				if err != nil || info.Size() > maxDockerfileSize {
					return nil
				}
				f := known[path]
				if f == nil || f.size != info.Size() || !f.modified.Equal(info.ModTime()) {
					content, err := textfile.ReadUpTo(path, maxDockerfileSize)
					if err != nil {
						return nil
					}
					f = &workspaceFile{
						path,
						info.Size(),
						info.ModTime(),
						dockerfile.Parse(source.New(string(content)), nil),
					}
				}
				next[path] = f
				files = append(files, f)
				return nil
			},
		)
		if err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.workspace = next
	s.mu.Unlock()
	return files, nil
}
