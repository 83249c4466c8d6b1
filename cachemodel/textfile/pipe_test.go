//go:build unix

package textfile

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe to which nobody writes does not block: without O_NONBLOCK this test would never end.
func TestReadPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Read(pipe); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
}
