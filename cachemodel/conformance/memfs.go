package conformance

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// memFS serves a build's context to BuildKit's file transfer from memory.
type memFS struct {
	files    map[string]File
	children map[string][]string
}

var _ fsutil.FS = (*memFS)(nil)

func newMemFS(files map[string]File) *memFS {
	m := &memFS{files: files, children: map[string][]string{}}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		m.children[path.Dir(p)] = append(m.children[path.Dir(p)], p)
	}
	return m
}

// Walk visits target and what lies below it in the order of filepath.WalkDir; the root itself is left out. Like
// fsutil's own file system it takes what fn does not find for a directory to skip.
func (m *memFS) Walk(ctx context.Context, target string, visit fs.WalkDirFunc) error {
	fn := func(p string, entry fs.DirEntry, err error) error {
		err = visit(p, entry, err)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return fs.SkipDir
		}
		return err
	}
	target = path.Join("/", target)[1:]
	if target == "" {
		return m.walkChildren(".", fn)
	}
	if _, ok := m.files[target]; !ok {
		if err := fn(target, nil, &fs.PathError{Op: "lstat", Path: target, Err: fs.ErrNotExist}); err != fs.SkipDir {
			return err
		}
		return nil
	}
	if err := m.walk(target, fn); err != fs.SkipDir {
		return err
	}
	return nil
}

func (m *memFS) walk(p string, fn fs.WalkDirFunc) error {
	f := m.files[p]
	err := fn(p, fs.FileInfoToDirEntry(&fsutil.StatInfo{Stat: f.stat(p)}), nil)
	if f.Mode.IsDir() {
		if err == fs.SkipDir {
			return nil
		}
		if err == nil {
			err = m.walkChildren(p, fn)
		}
	}
	return err
}

func (m *memFS) walkChildren(dir string, fn fs.WalkDirFunc) error {
	for _, c := range m.children[dir] {
		if err := m.walk(c, fn); err == fs.SkipDir {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (f File) stat(p string) *fstypes.Stat {
	st := &fstypes.Stat{Path: p, Mode: uint32(f.Mode), ModTime: f.ModTime().UnixNano(), Linkname: f.Link}
	if f.Mode.IsRegular() {
		st.Size = int64(len(f.Data))
	}
	return st
}

// Open gives a file's content.
func (m *memFS) Open(p string) (io.ReadCloser, error) {
	f, ok := m.files[p]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
	return io.NopCloser(strings.NewReader(f.Data)), nil
}
