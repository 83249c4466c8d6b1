// Package textfile reads the files that people write beside a Dockerfile: configuration, ignore files, Compose and bake
// files, environment files. A folder can hold anything under such a name: a device without an end, a named pipe that
// nobody writes to, a link to either. So a file is opened without blocking, must be a regular file and has a limit.
//
//	text, err := textfile.Read(".dockerignore")
//
// It must not know what the files are for.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Limit is how long a file may be, in bytes. The longest Compose files of public repositories are below 300 KB.
const Limit = 4 << 20

// Errors that say why a file is not read. They are wrapped in an *fs.PathError.
var (
	ErrNotRegular = errors.New("is not a regular file")
	ErrTooLong    = errors.New("is too long")
)

// Read returns the content of the regular file that path names, links followed. Its errors are *fs.PathError.
func Read(path string) ([]byte, error) { return ReadUpTo(path, Limit) }

// Open opens the regular file that path names, links followed. Its errors are *fs.PathError.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|NonBlocking, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%s %w", kindOf(info.Mode()), ErrNotRegular)}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	_ = f.SetReadDeadline(time.Now().Add(time.Second)) // some of the kernel's files seem regular, and wait: /proc/kmsg
	return f, nil
}

// ReadUpTo is Read with another limit, in bytes.
func ReadUpTo(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, tooLong(path, limit)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1)) // its size may be told wrongly, as in /proc, or grow
	if err == nil && int64(len(text)) > limit {
		return nil, tooLong(path, limit)
	}
	return text, err
}

func tooLong(path string, limit int64) error {
	return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: the limit is %d KB", ErrTooLong, limit>>10)}
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
