package gittree

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Look keeps the repositories open that one question reads, so that each is found once and everything is read at one
// time. The zero value has none. Its methods may be called from several goroutines.
type Look struct {
	mu   sync.Mutex
	open map[string]*Repository // by the working tree
}

// At is Open, but gives one that is open already. It is closed by Close.
func (l *Look) At(ctx context.Context, dir string) (*Repository, error) {
	real, err := realDir(dir)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := real; ; at = filepath.Dir(at) {
		if r := l.open[at]; r != nil {
			return r, r.wake()
		}
		// Where there is something of that name, Open says whether it is a repository.
		if gitDir, err := gitDirOf(at); gitDir != "" || err != nil || at == filepath.Dir(at) {
			break
		}
	}
	r, err := Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	if l.open == nil {
		l.open = map[string]*Repository{}
	}
	l.open[r.top] = r
	return r, nil
}

// Close closes the repositories. The Look may be used again.
func (l *Look) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.open {
		r.Close()
	}
	l.open = nil
}

// Rest ends the git processes and removes the temporary folders, but what was found of the repositories stays known: At
// gives them as they were. Nothing may be reading.
func (l *Look) Rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.open {
		r.Close()
	}
}

// realDir is the absolute path of a directory, links resolved.
func realDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(abs); err != nil {
		return "", err
	} else if !info.IsDir() {
		return "", &fs.PathError{Op: "open", Path: dir, Err: errors.New("is not a directory")}
	}
	return filepath.EvalSymlinks(abs)
}
