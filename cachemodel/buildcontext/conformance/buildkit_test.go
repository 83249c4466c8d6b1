//go:build linux

package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	gofs "io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/moby/buildkit/cache"
	"github.com/moby/buildkit/cache/contenthash"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/snapshot"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"
)

// transferred is a context as BuildKit's daemon has it: sent by the client's code, received by the daemon's.
type transferred struct {
	cc      contenthash.CacheContext
	entries []string // "path mode", in the order of the walk
}

// client is the sending side as client/solve.go and session/filesync set it up.
func client(dir, ignoreFile string) (fsutil.FS, error) {
	local, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	reset, err := fsutil.NewFilterFS(local, &fsutil.FilterOpt{Map: func(_ string, st *fstypes.Stat) fsutil.MapResult {
		st.Uid, st.Gid = 0, 0
		return fsutil.MapResultKeep
	}})
	if err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(strings.NewReader(ignoreFile))
	if err != nil {
		return nil, err
	}
	return fsutil.NewFilterFS(reset, &fsutil.FilterOpt{ExcludePatterns: patterns})
}

// walk lists what the client sends, in order.
func walk(ctx context.Context, dir, ignoreFile string) (entries []string, err error) {
	sent, err := client(dir, ignoreFile)
	if err != nil {
		return nil, err
	}
	err = sent.Walk(ctx, "/", func(path string, d gofs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			entries = append(entries, fmt.Sprintf("%s %o", path, os.FileMode(info.Sys().(*fstypes.Stat).Mode)))
		}
		return err
	})
	return entries, err
}

var refs atomic.Int64

// transfer sends dir to a fresh daemon's store at dest.
func transfer(ctx context.Context, dir, dest, ignoreFile string) (*transferred, error) {
	t := &transferred{}
	cc, err := contenthash.GetCacheContext(ctx, &metadata{id: fmt.Sprint("ref", refs.Add(1))})
	if err != nil {
		return nil, err
	}
	t.cc = cc
	return t, t.receive(ctx, dir, dest, ignoreFile)
}

// receive sends dir to the store, which may hold an earlier context.
func (t *transferred) receive(ctx context.Context, dir, dest, ignoreFile string) (err error) {
	if t.entries, err = walk(ctx, dir, ignoreFile); err != nil {
		return err
	}
	sent, err := client(dir, ignoreFile)
	if err != nil {
		return err
	}
	eg, ctx := errgroup.WithContext(ctx)
	a, b := pipe(ctx)
	eg.Go(func() error {
		defer close(a.out)
		return fsutil.Send(ctx, a, sent, nil)
	})
	eg.Go(func() error {
		return fsutil.Receive(
			ctx,
			b,
			dest,
			fsutil.ReceiveOpt{NotifyHashed: t.cc.HandleChange, ContentHasher: contenthash.NewFromStat},
		)
	})
	return eg.Wait()
}

func (t *transferred) digest(ctx context.Context, q buildcontext.Query) (string, error) {
	sum, err := t.cc.Checksum(ctx, noMount{}, q.Path, contenthash.ChecksumOpts{
		Wildcard: q.Wildcard, FollowLinks: q.FollowLinks,
		IncludePatterns: q.Include, ExcludePatterns: q.Exclude, RequiredPaths: q.Required,
	}, nil)
	return string(sum), err
}

// metadata is as much of a cache record as the content hash uses.
type metadata struct {
	cache.RefMetadata
	id string
}

func (m *metadata) ID() string                         { return m.id }
func (m *metadata) GetExternal(string) ([]byte, error) { return nil, errors.New("none") }
func (m *metadata) SetExternal(string, []byte) error   { return nil }

// noMount is the snapshot that the content hash need not look at: it heard of every file.
type noMount struct{}

func (noMount) Mount(context.Context, bool, session.Group) (snapshot.Mountable, error) {
	return nil, errors.New("the content hash wants to see the snapshot")
}

// end is one end of a connection.
type end struct {
	ctx context.Context
	in  <-chan []byte
	out chan []byte
}

func pipe(ctx context.Context) (*end, *end) {
	x, y := make(chan []byte, 64), make(chan []byte, 64)
	return &end{ctx, x, y}, &end{ctx, y, x}
}

func (e *end) Context() context.Context { return e.ctx }

func (e *end) SendMsg(m any) error {
	data, err := m.(*fstypes.Packet).MarshalVT()
	if err != nil {
		return err
	}
	select {
	case e.out <- data:
		return nil
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

func (e *end) RecvMsg(m any) error {
	select {
	case data, ok := <-e.in:
		if !ok {
			return io.EOF
		}
		p := m.(*fstypes.Packet)
		*p = fstypes.Packet{}
		return p.UnmarshalVT(data)
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}
