//go:build unix

package textfile

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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

// A file of the kernel's that seems to be a regular one, and waits for what the kernel has to say, is not waited for.
func TestReadKernelLog(t *testing.T) {
	const log = "/proc/kmsg"
	if f, err := Open(log); err != nil {
		t.Skip(err) // only root may, and not in every container
	} else {
		f.Close()
	}
	read := make(chan error)
	go func() { _, err := Read(log); read <- err }()
	select {
	case err := <-read:
		t.Log(err)
	case <-time.After(20 * time.Second):
		t.Error("it is waited for")
	}
}
