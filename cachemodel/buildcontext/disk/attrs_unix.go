//go:build linux || darwin

package disk

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// deviceOf gives a device's numbers as BuildKit's client computes them (fsutil/stat_unix.go).
func deviceOf(info fs.FileInfo) (major, minor uint32) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	dev := uint64(st.Rdev)
	return uint32(dev >> 8 & 0xfff), uint32(dev&0xff | dev>>12&0xfff00)
}

// xattrsOf reads the extended attributes of an entry, links not followed.
func xattrsOf(abs string) (map[string]string, error) {
	var small [256]byte
	names := small[:]
	size, err := unix.Llistxattr(abs, names)
	for errors.Is(err, unix.ERANGE) {
		if size, err = unix.Llistxattr(abs, nil); err == nil {
			names = make([]byte, size)
			size, err = unix.Llistxattr(abs, names)
		}
	}
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:size]), "\x00"), "\x00") {
		value := make([]byte, 64)
		n, err := unix.Lgetxattr(abs, name, value)
		for errors.Is(err, unix.ERANGE) {
			if n, err = unix.Lgetxattr(abs, name, nil); err == nil {
				value = make([]byte, n)
				n, err = unix.Lgetxattr(abs, name, value)
			}
		}
		if err == nil {
			out[name] = string(value[:n])
		}
	}
	return out, nil
}
