package textfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Skip(err)
	}
	sparse := filepath.Join(dir, "sparse")
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 10<<30); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path, text, because string
		err                 error
	}{
		{file, "text\n", "a regular file", nil},
		{link, "text\n", "a link to a regular file", nil},
		{filepath.Join(dir, "missing"), "", "a name that is not there", os.ErrNotExist},
		{dir, "", "a directory", ErrNotRegular},
		{sparse, "", "a file of 10 GB", ErrTooLong},
	}
	if runtime.GOOS == "linux" {
		tests = append(tests, []struct {
			path, text, because string
			err                 error
		}{
			{"/dev/zero", "", "a device without an end", ErrNotRegular},
			{"/proc/self/mem", "", "a file that tells a size of 0 and cannot be read from its start", os.ErrInvalid},
		}...)
	}
	for _, test := range tests {
		text, err := Read(test.path)
		if test.err == os.ErrInvalid { // any error will do
			if err == nil {
				t.Errorf("%s: no error", test.because)
			}
			continue
		}
		if string(text) != test.text || !errors.Is(err, test.err) {
			t.Errorf("%s: %d bytes, %v", test.because, len(text), err)
		}
	}
}

// What grows while it is read is refused at the limit, whatever size it told.
func TestReadUpTo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 1025)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadUpTo(file, 1024); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	if text, err := ReadUpTo(file, 1025); len(text) != 1025 || err != nil {
		t.Error(len(text), err)
	}
}
