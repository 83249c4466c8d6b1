package disk

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// record is what is kept of a file between runs. One with extended attributes is not kept.
type record struct {
	size  int64
	mode  uint32
	stamp buildcontext.Stamp
	id    buildcontext.ContentID
	exact string // see buildcontext.Tree.Exact, "" if nobody has asked for it
}

func (r record) matches(m buildcontext.Meta) bool {
	return m.Type == buildcontext.File && r.size == m.Size && r.mode == m.Mode && r.stamp == m.Stamp
}

const (
	storeMagic = "layerwise content ids 2\n"
	maxStore   = 512 << 20 // bytes of one file; a context of a million files takes some 100 MiB
	maxStores  = 64        // files: as many contexts are remembered
)

// cacheFile is where the content ids of the directory are kept, "" if nowhere.
func (d *Dir) cacheFile() string {
	if d.opts.CacheDir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(d.root))
	return filepath.Join(d.opts.CacheDir, hex.EncodeToString(sum[:16])+".ids")
}

// load reads what save wrote. A file that is not there, not whole or not of this root is as good as empty.
func load(file, root string) map[string]record {
	if file == "" {
		return nil
	}
	data, err := textfile.ReadUpTo(file, maxStore)
	if err != nil || len(data) < sha256.Size {
		return nil
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	body, ok := bytes.CutPrefix(body, []byte(storeMagic))
	if got := sha256.Sum256(body); !ok || !bytes.Equal(got[:], sum) {
		return nil
	}
	r := reader{body}
	if r.text() != root {
		return nil
	}
	known := make(map[string]record, len(body)/100)
	for len(r.rest) > 0 {
		path := r.text()
		rec := record{
			size: r.int(),
			mode: uint32(r.int()),
			stamp: buildcontext.Stamp{
				ModTime:    r.int(),
				ChangeTime: r.int(),
				Inode:      uint64(r.int()),
				Device:     uint64(r.int()),
			},
		}
		copy(rec.id[:], r.bytes(len(rec.id)))
		rec.exact = r.text()
		known[path] = rec
	}
	return known
}

// save writes the digests that a later run may trust.
func save(file, root string, tree *buildcontext.Node, now time.Time) error {
	body := appendText(nil, root)
	var visit func(p string, n *buildcontext.Node)
	visit = func(p string, n *buildcontext.Node) {
		for _, c := range n.Children() {
			rel := c.Name()
			if p != "" {
				rel = p + "/" + rel
			}
			m := c.Meta()
			id, known := c.Content()
			switch {
			case m.Type == buildcontext.Dir:
				visit(rel, c)
			case m.Type == buildcontext.File && known && m.Stamp.ModTime != 0 && len(m.Xattrs) == 0 && !c.Doubted():
				body = appendText(body, rel)
				for _, v := range []int64{
					m.Size, int64(m.Mode), m.Stamp.ModTime, m.Stamp.ChangeTime, int64(m.Stamp.Inode),
					int64(m.Stamp.Device),
				} {
					body = binary.AppendVarint(body, v)
				}
				body = appendText(append(body, id[:]...), c.KnownExact())
			}
		}
	}
	visit("", tree)
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // of no effect after the rename
	sum := sha256.Sum256(body)
	for _, part := range [][]byte{[]byte(storeMagic), body, sum[:]} {
		if _, err := tmp.Write(part); err != nil {
			tmp.Close()
			return err
		}
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	forget(dir, now)
	return nil
}

// forget removes the files of the contexts that were saved longest ago, and what a crash left.
func forget(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var stores []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		switch filepath.Ext(e.Name()) {
		case ".ids":
			stores = append(stores, info)
		case ".tmp":
			if now.Sub(info.ModTime()) > time.Hour {
				os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
	slices.SortFunc(
		stores,
		func(a, b fs.FileInfo) int { return cmp.Compare(b.ModTime().UnixNano(), a.ModTime().UnixNano()) },
	)
	for _, info := range stores[min(maxStores, len(stores)):] {
		os.Remove(filepath.Join(dir, info.Name()))
	}
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader takes values from a body whose checksum is right.
type reader struct{ rest []byte }

func (r *reader) bytes(n int) []byte {
	n = min(n, len(r.rest))
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string {
	n, size := binary.Uvarint(r.rest)
	r.bytes(max(0, size))
	return string(r.bytes(int(min(n, uint64(len(r.rest))))))
}

func (r *reader) int() int64 {
	v, size := binary.Varint(r.rest)
	r.bytes(max(0, size))
	if size <= 0 {
		r.rest = nil
	}
	return v
}
