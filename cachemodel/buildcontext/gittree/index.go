package gittree

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// unchanged notes which files of filter drivers the working tree has as they were checked out: the index has the same
// blob, and the file the size and times that git found then. Git itself would run the filter where the times differ;
// here it is not known then whether the contents do. prefix leads to the context in the working tree.
func (r *Repository) unchanged(ctx context.Context, prefix string, f *filtered) error {
	index := filepath.Join(r.gitDir, "index")
	if err := regularOrAbsent(index, maxList); err != nil {
		return err
	}
	info, err := os.Stat(index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	reading := r.reading
	reading.env = append(reading.env[:len(reading.env):len(reading.env)], "GIT_INDEX_FILE="+index)
	var last indexEntry
	note := func() {
		name, ok := strings.CutPrefix(last.path, prefix)
		n, there := f.worktree.Lookup(name)
		if ok && there && last.id == f.blob[name] && last.matches(n) && last.modTime < info.ModTime().UnixNano() {
			f.clean[name] = true
		}
	}
	err = reading.records(ctx, nil, 0, func(record []byte, _ bool) error {
		head := last.debug(string(record)) // of the entry before
		if last.path != "" {
			note()
		}
		last = indexEntry{}
		info, path, ok := bytes.Cut([]byte(head), []byte{'\t'})
		if f := strings.Fields(string(info)); ok && len(f) == 3 && f[2] == "0" {
			last.id, last.path = f[1], string(path)
		}
		return nil
	}, "ls-files", "-z", "--stage", "--debug")
	if err != nil && ctx.Err() == nil { // a format that is not known here: nothing is known to be unchanged
		clear(f.clean)
		return nil
	}
	return err
}

// indexEntry is what the index has of a file.
type indexEntry struct {
	path, id            string
	modTime, changeTime int64 // nanoseconds
	inode, size         uint32
	read                int // how many of these were told
}

// debug reads what git ls-files --debug says of an entry, and gives what comes after it.
func (e *indexEntry) debug(text string) (rest string) {
	for strings.HasPrefix(text, "  ") {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		for part := range strings.SplitSeq(strings.TrimSpace(line), "\t") {
			name, value, _ := strings.Cut(part, ": ")
			seconds, nanos, _ := strings.Cut(value, ":")
			number, err := strconv.ParseInt(seconds, 10, 64)
			if err != nil {
				continue
			}
			fraction, _ := strconv.ParseInt(nanos, 10, 64)
			e.read++
			switch name {
			case "ctime":
				e.changeTime = number*1e9 + fraction
			case "mtime":
				e.modTime = number*1e9 + fraction
			case "ino":
				e.inode = uint32(number)
			case "size":
				e.size = uint32(number)
			default:
				e.read--
			}
		}
	}
	return text
}

// matches says whether a file of the working tree has the size and times that the index knows.
func (e *indexEntry) matches(n *buildcontext.Node) bool {
	m := n.Meta()
	return e.read == 4 && m.Type == buildcontext.File && m.Stamp.ModTime != 0 &&
		e.modTime == m.Stamp.ModTime && e.size == uint32(m.Size) &&
		(m.Stamp.ChangeTime == 0 || e.changeTime == m.Stamp.ChangeTime) &&
		(m.Stamp.Inode == 0 || e.inode == uint32(m.Stamp.Inode))
}
