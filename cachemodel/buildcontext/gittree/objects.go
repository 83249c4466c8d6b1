package gittree

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// objects reads objects one by one from a git process that stays.
type objects struct {
	ctx context.Context
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	msg bytes.Buffer
}

func openObjects(ctx context.Context, g git) (*objects, error) {
	o := &objects{ctx: ctx, cmd: g.command(ctx, "cat-file", "--batch")}
	o.cmd.Stderr = &o.msg
	in, err := o.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := o.cmd.Start(); err != nil {
		return nil, explain(ctx, err, "", "cat-file")
	}
	o.in, o.out = in, bufio.NewReaderSize(out, 64<<10)
	return o, nil
}

func (o *objects) close() {
	o.in.Close()
	o.cmd.Wait()
}

// read gives an object and its id. The error is ErrMissingObject if it is not there.
func (o *objects) read(name string) (id string, data []byte, err error) {
	if _, err := io.WriteString(o.in, name+"\n"); err != nil {
		return "", nil, explain(o.ctx, err, "", "cat-file")
	}
	line, err := o.out.ReadString('\n')
	if err != nil {
		return "", nil, explain(o.ctx, err, "", "cat-file")
	}
	f := strings.Fields(line)
	if len(f) == 2 && f[1] == "missing" {
		return "", nil, ErrMissingObject
	}
	if len(f) != 3 {
		return "", nil, fmt.Errorf("git cat-file: unexpected output %.80q", line)
	}
	size, err := strconv.Atoi(f[2])
	if err != nil {
		return "", nil, fmt.Errorf("git cat-file: unexpected output %.80q", line)
	}
	data = make([]byte, size+1)
	if _, err := io.ReadFull(o.out, data); err != nil {
		return "", nil, explain(o.ctx, err, "", "cat-file")
	}
	return f[0], data[:size], nil
}

// parseTree reads a tree object: for each entry its mode in octal, a space, the name, NUL and the id.
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
		entries = append(entries, e)
		data = rest[idSize:]
	}
	return entries, nil
}

// sizes gives the sizes of files by their ids, in bytes; those of objects that are missing are left out.
func (r *repository) sizes(ctx context.Context, files []*entry) (map[string]int64, error) {
	var in bytes.Buffer
	for _, e := range files {
		in.WriteString(e.id + "\n")
	}
	out, err := r.output(ctx, &in, "cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer")
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(files))
	for line := range strings.Lines(string(out)) {
		id, size, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(size, 10, 64); err == nil {
			sizes[id] = n
		}
	}
	return sizes, nil
}
