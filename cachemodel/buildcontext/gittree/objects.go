package gittree

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// Bounds on what is read of one object, in bytes. Of trees there are few that have a megabyte.
const (
	maxTree = 256 << 20
	maxLink = 64 << 10
	maxBlob = 256 << 20
)

// objects reads objects one by one from a git process that stays. After an error it is of no more use.
type objects struct {
	p    *process
	in   io.WriteCloser
	pipe *io.PipeReader
}

// startObjects starts the process; it ends with close.
func (r *Repository) startObjects() (*objects, error) {
	pipe, in := io.Pipe()
	p, err := r.reading.start(context.Background(), pipe, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	p.silence.Stop()
	return &objects{p, in, pipe}, nil
}

func (o *objects) close() {
	o.in.Close()
	o.p.cancel(errClosed) // it only reads: nothing is lost
	o.pipe.CloseWithError(errClosed)
	_ = o.p.finish(nil)
}

var errClosed = errors.New("closed")

// each asks for objects by their names, and calls yield with each answer's index, id and contents, which it must not
// keep. Of one that is missing the id is "", of one that is longer than limit the contents are nil.
func (r *Repository) each(
	ctx context.Context,
	count int,
	name func(int) string,
	limit int64,
	yield func(i int, id string, content []byte) error,
) error {
	if count == 0 {
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.objects == nil {
		var err error
		if r.objects, err = r.startObjects(); err != nil {
			return err
		}
	}
	o := r.objects
	stop := context.AfterFunc(ctx, func() { o.p.cancel(context.Cause(ctx)) })
	defer stop()
	o.p.silence.Reset(o.p.limit)
	go func() { // git answers while it is asked, and stops if nobody listens
		w := bufio.NewWriterSize(o.in, 32<<10)
		for i := range count {
			if _, err := w.WriteString(name(i) + "\n"); err != nil {
				return
			}
		}
		w.Flush()
	}()
	var buf []byte
	read := func() error {
		for i := range count {
			id, content, err := o.answer(&buf, limit)
			if err != nil {
				return err
			}
			if err := yield(i, id, content); err != nil {
				return err
			}
		}
		return nil
	}
	err := read()
	o.p.silence.Stop()
	if err == nil && ctx.Err() == nil {
		return nil
	}
	r.objects = nil
	o.pipe.CloseWithError(errClosed)
	if err == nil {
		err = ctx.Err()
	}
	if finished := o.p.finish(err); finished != nil {
		err = finished
	}
	return err
}

// answer reads what git says of one object.
func (o *objects) answer(buf *[]byte, limit int64) (id string, content []byte, err error) {
	line, err := o.p.out.ReadSlice('\n')
	if err != nil {
		return "", nil, err
	}
	f := strings.Fields(string(line))
	if n := len(f); n >= 2 && (f[n-1] == "missing" || f[n-1] == "ambiguous") {
		return "", nil, nil
	}
	if len(f) != 3 {
		return "", nil, fmt.Errorf("git cat-file: unexpected output %.80q", line)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 {
		return "", nil, fmt.Errorf("git cat-file: unexpected output %.80q", line)
	}
	if size > limit {
		if size > 1<<30 {
			return "", nil, fmt.Errorf("git object %.12s %w", f[0], ErrTooLarge)
		}
		_, err := io.CopyN(io.Discard, o.p.out, size+1)
		return f[0], nil, err
	}
	if int64(cap(*buf)) <= size {
		*buf = make([]byte, size+1+size/4)
	}
	content = (*buf)[:size+1]
	if _, err := io.ReadFull(o.p.out, content); err != nil {
		return "", nil, err
	}
	return f[0], content[:size:size], nil
}

// object gives one object and its id. The error wraps ErrMissingObject or ErrTooLarge.
func (r *Repository) object(ctx context.Context, name string, limit int64) (id string, data []byte, err error) {
	err = r.each(ctx, 1, func(int) string { return name }, limit, func(_ int, found string, content []byte) error {
		switch id = found; {
		case found == "":
			return nil
		case content != nil:
			data = content // the buffer is of this call alone
		}
		return nil
	})
	switch {
	case err != nil:
		return "", nil, err
	case id == "":
		return "", nil, ErrMissingObject
	case data == nil:
		return "", nil, fmt.Errorf("git object %.12s %w", id, ErrTooLarge)
	}
	return id, data, nil
}

// Blob gives a file's contents by their id, if the repository has them as a checkout does. It may be as long as a file
// of a context that is read is.
func (r *Repository) Blob(ctx context.Context, id buildcontext.ContentID) (io.ReadCloser, error) {
	_, content, err := r.object(ctx, hex.EncodeToString(id[:]), maxBlob)
	return io.NopCloser(bytes.NewReader(content)), err
}

// blobs reads files. Of those that are missing or longer than limit it notes that in them.
func (r *Repository) blobs(ctx context.Context, files []*entry, limit int64, yield func(*entry, []byte)) error {
	return r.each(
		ctx,
		len(files),
		func(i int) string { return files[i].id },
		limit,
		func(i int, id string, content []byte) error {
			switch {
			case id == "":
				files[i].absent = ErrMissingObject
			case content == nil:
				files[i].absent = ErrTooLarge
			default:
				yield(files[i], content)
			}
			return nil
		},
	)
}

// tree reads a directory by its id, or by that of a commit.
func (r *Repository) tree(ctx context.Context, id string) ([]*entry, string, error) {
	id, data, err := r.object(ctx, id+"^{tree}", maxTree)
	if err != nil {
		return nil, "", err
	}
	entries, err := parseTree(data, r.objectIDs/2)
	if err != nil {
		return nil, "", fmt.Errorf("git tree %.12s: %w", id, err)
	}
	return entries, id, nil
}

// parseTree reads a tree object: for each entry its mode in octal, a space, the name, NUL and the id. Names that no
// checkout writes are left out.
func parseTree(data []byte, idSize int) ([]*entry, error) {
	var entries []*entry
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, spaced := bytes.Cut(head, []byte{' '})
		if !ok || !spaced || len(name) == 0 || bytes.IndexByte(name, '/') >= 0 || len(rest) < idSize {
			return nil, errors.New("not a tree")
		}
		e := &entry{mode: string(mode), kind: "blob", id: hex.EncodeToString(rest[:idSize]), path: string(name)}
		switch e.mode {
		case "40000":
			e.kind = "tree"
		case "160000":
			e.kind = "commit"
		}
		if local(e.path) && e.path != "." {
			entries = append(entries, e)
		}
		data = rest[idSize:]
	}
	return entries, nil
}

// finder finds paths below a tree.
type finder struct {
	tree func(id string) ([]*entry, error)
	link func(*entry) (string, error) // what a symbolic link holds
}

// maxLinks is how many links are followed, as by Linux.
const maxLinks = 40

// find gives what is at a clean path below a tree, with its path there, links followed; nil if there is nothing. The
// error wraps ErrLinkOutside if a link leads out of the tree.
func (f finder) find(root, name string) (*entry, error) {
	links := 0
	at := &entry{mode: "40000", kind: "tree", id: root, path: "."}
	above := []*entry{}
	rest := strings.Split(name, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch {
		case part == "" || part == ".":
			continue
		case at.kind != "tree":
			return nil, nil
		case part == "..":
			if len(above) == 0 {
				return nil, fmt.Errorf("%s: %w", name, ErrLinkOutside)
			}
			at, above = above[len(above)-1], above[:len(above)-1]
			continue
		}
		e, err := f.child(at, part)
		if e == nil || err != nil {
			return nil, err
		}
		if e.mode != symlinkMode {
			at, above = e, append(above, at)
			continue
		}
		target, err := f.link(e)
		if err != nil {
			return nil, err
		}
		if links++; links > maxLinks {
			return nil, nil // as good as not there
		}
		if path.IsAbs(target) || len(target) > 1 && target[1] == ':' {
			return nil, fmt.Errorf("%s: %w", name, ErrLinkOutside)
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

func (f finder) child(dir *entry, name string) (*entry, error) {
	entries, err := f.tree(dir.id)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.path == name {
			return &entry{mode: e.mode, kind: e.kind, id: e.id, path: path.Join(dir.path, name)}, nil
		}
	}
	return nil, nil
}

// lookup finds a path in a commit, links followed. The error wraps ErrNotInRevision or ErrLinkOutside.
func (r *Repository) lookup(ctx context.Context, commit, name string) (*entry, error) {
	f := finder{
		tree: func(id string) ([]*entry, error) {
			entries, _, err := r.tree(ctx, id)
			return entries, err
		},
		link: func(e *entry) (string, error) {
			_, text, err := r.object(ctx, e.id, maxLink)
			return string(text), err
		},
	}
	e, err := f.find(commit, name)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, fmt.Errorf("%s: %w %.12s", name, ErrNotInRevision, commit)
	}
	if e.id == commit {
		if _, e.id, err = r.tree(ctx, commit); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// sizes gives the sizes of files by their ids, in bytes; those of objects that are missing are left out.
func (r *Repository) sizes(ctx context.Context, files []*entry) (map[string]int64, error) {
	if len(files) == 0 {
		return nil, ctx.Err()
	}
	var in bytes.Buffer
	for _, e := range files {
		in.WriteString(e.id + "\n")
	}
	sizes := make(map[string]int64, len(files))
	err := r.reading.records(ctx, &in, '\n', func(line []byte, _ bool) error {
		id, size, _ := strings.Cut(string(line), " ")
		if n, err := strconv.ParseInt(size, 10, 64); err == nil {
			sizes[id] = n
		}
		return nil
	}, "cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer")
	return sizes, err
}
