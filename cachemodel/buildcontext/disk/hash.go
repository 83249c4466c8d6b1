package disk

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// ErrChanging is the error about a file that is being written to.
var ErrChanging = errors.New("changes while it is read")

// ErrNotRegular is the error about a file that has become something else since the directory was scanned.
var ErrNotRegular = errors.New("is not a regular file any more")

// hasher reads files below a directory.
type hasher struct {
	root   string
	hashed *atomic.Int64 // how many were read
}

// maxFile bounds what is read of one file: half a minute. A sparse file costs whoever makes it nothing.
const maxFile = 32 << 30

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Hash implements buildcontext.Hasher. A file that changed after the scan is taken as it is now: the change will be
// told of by itself.
func (h hasher) Hash(ctx context.Context, rel string, n *buildcontext.Node) (buildcontext.ContentID, error) {
	abs := filepath.Join(h.root, filepath.FromSlash(rel))
	defer h.hashed.Add(1)
	for range 3 {
		id, stamp, err := hashFile(ctx, abs)
		if errors.Is(err, ErrChanging) {
			continue
		}
		if err != nil {
			return id, reason(err)
		}
		if was := n.Meta().Stamp; stamp != was || racy(stamp, time.Now()) {
			n.Doubt()
		}
		return id, nil
	}
	return buildcontext.ContentID{}, ErrChanging
}

func hashFile(ctx context.Context, abs string) (id buildcontext.ContentID, stamp buildcontext.Stamp, err error) {
	f, err := os.OpenFile(abs, os.O_RDONLY|textfile.NonBlocking, 0) // a pipe must not block that took its place
	if err != nil {
		return id, stamp, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return id, stamp, err
	}
	if !before.Mode().IsRegular() {
		return id, stamp, ErrNotRegular
	}
	if before.Size() > maxFile {
		return id, stamp, fmt.Errorf("%w: more than %d GiB are not read", buildcontext.ErrUnknown, maxFile>>30)
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", before.Size())
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	// Some files of /proc and /sys tell no size, have no end or wait for more. Closing ends the reading of a long one.
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	size, err := io.CopyBuffer(struct{ io.Writer }{sum}, io.LimitReader(f, before.Size()+1), buf[:])
	if ctx.Err() != nil {
		return id, stamp, ctx.Err()
	}
	if err != nil {
		return id, stamp, err
	}
	after, err := f.Stat()
	if err != nil {
		return id, stamp, err
	}
	stamp = stampOf(after)
	if size != before.Size() || stampOf(before) != stamp {
		return id, stamp, ErrChanging
	}
	return buildcontext.ContentID(sum.Sum(nil)), stamp, nil
}

// racy says whether a file read now may be changed once more without its stamp telling: as git does it, a file that is
// younger than the clock of its file system is coarse is not trusted.
func racy(s buildcontext.Stamp, now time.Time) bool {
	changed := max(s.ModTime, s.ChangeTime)
	tick := 100 * time.Millisecond // several ticks of the kernel's clock
	if s.ModTime%int64(time.Second) == 0 && (s.ChangeTime == 0 || s.ChangeTime%int64(time.Second) == 0) {
		tick = 2 * time.Second // FAT
	}
	return changed > now.Add(-tick).UnixNano()
}
