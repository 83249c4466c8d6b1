package gittree

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// conversion is what a checkout makes of a blob.
type conversion int

const (
	identical conversion = iota // the file holds the blob
	internal                    // line endings, $Id$ or encoding: git does it by itself
	driver                      // a program that the user configured makes the contents
)

// checkout knows what a checkout of a commit would write. The attributes of the commit itself count: git finds them in a
// working tree that holds nothing else.
type checkout struct {
	repo    *repository
	prefix  string // of the entries' paths
	convert git    // runs in that working tree, without filter drivers
	temp    string
}

func (c *checkout) close() {
	if c.temp != "" {
		os.RemoveAll(c.temp)
	}
}

// checkout finds out which of the files are converted and notes it in them; all are the entries that they are among.
func (r *repository) checkout(ctx context.Context, commit, prefix string, files, all []*entry) (*checkout, error) {
	c := &checkout{repo: r, prefix: prefix}
	config, err := r.config(ctx)
	if err != nil || len(files) == 0 {
		return c, err
	}
	attributes, err := r.attributeFiles(ctx, commit, prefix, files, all)
	if err != nil {
		return nil, err
	}
	if len(attributes) == 0 && config["core.autocrlf"] != "true" && !r.hasAttributes(config) {
		return c, nil
	}
	if c.temp, err = os.MkdirTemp("", "layerwise-git-"); err != nil {
		return nil, err
	}
	if err := c.attributes(ctx, attributes, files, config); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// config reads the settings that decide about conversions, names in lower case as git gives them.
func (r *repository) config(ctx context.Context) (map[string]string, error) {
	out, err := r.output(ctx, nil, "config", "-z", "--list")
	if err != nil {
		return nil, err
	}
	config := map[string]string{}
	for kv := range strings.SplitSeq(string(out), "\x00") {
		k, v, ok := strings.Cut(kv, "\n")
		if !ok {
			v = "true"
		}
		if k == "core.autocrlf" || k == "core.eol" || k == "core.attributesfile" || strings.HasPrefix(k, "filter.") {
			if k == "core.autocrlf" && slices.Contains([]string{"yes", "on", "1"}, strings.ToLower(v)) {
				v = "true"
			}
			config[k] = v
		}
	}
	return config, nil
}

// hasAttributes says whether there are attributes besides those of the commit.
func (r *repository) hasAttributes(config map[string]string) bool {
	exists := func(file string) bool {
		_, err := os.Stat(file)
		return err == nil
	}
	xdg := os.Getenv("XDG_CONFIG_HOME")
	if home, err := os.UserHomeDir(); xdg == "" && err == nil {
		xdg = filepath.Join(home, ".config")
	}
	return config["core.attributesfile"] != "" || exists(filepath.Join(xdg, "git", "attributes")) ||
		exists("/etc/gitattributes") || exists(filepath.Join(r.common, "info", "attributes"))
}

// attributeFiles lists the commit's .gitattributes that may speak of the files, by their paths in the repository.
func (r *repository) attributeFiles(ctx context.Context, commit, prefix string, files, all []*entry) ([]*entry, error) {
	const name = attributesName
	var found []*entry
	for _, e := range all {
		if e.kind == "blob" && strings.HasSuffix("/"+e.path, "/"+name) {
			found = append(found, &entry{mode: e.mode, kind: e.kind, id: e.id, path: prefix + e.path})
		}
	}
	below := prefix
	if len(all) == 1 { // a single file is listed without its neighbours
		below += files[0].path
	}
	above := []string{name}
	for i := strings.LastIndexByte(below, '/'); i >= 0; i = strings.LastIndexByte(below[:i], '/') {
		above = append(above, below[:i+1]+name)
	}
	more, err := r.list(ctx, commit, "", above...)
	for _, e := range more {
		if e.kind == "blob" && !slices.ContainsFunc(found, func(f *entry) bool { return f.path == e.path }) {
			found = append(found, e)
		}
	}
	return found, err
}

// attributeNames are the attributes that decide about conversions.
var attributeNames = []string{"text", "crlf", "eol", "ident", "filter", "working-tree-encoding"}

// attributes notes what becomes of each file, by gitattributes(5).
func (c *checkout) attributes(ctx context.Context, attributes, files []*entry, config map[string]string) error {
	c.convert = git{
		dir: c.temp,
		env: []string{"GIT_DIR=" + c.repo.gitDir, "GIT_WORK_TREE=" + c.temp, "GIT_INDEX_FILE=" + filepath.Join(c.temp, "no index")},
		cfg: c.repo.cfg,
	}
	drivers := map[string]bool{}
	for k, v := range config {
		for _, part := range []string{".smudge", ".process"} {
			if name, ok := strings.CutSuffix(strings.TrimPrefix(k, "filter."), part); ok && v != "" {
				drivers[name] = true
			}
		}
	}
	for name := range drivers {
		for _, part := range []string{"smudge=", "process=", "clean=", "required=false"} {
			c.convert.cfg = append(c.convert.cfg, "-c", "filter."+name+"."+part)
		}
	}
	var failed error
	err := c.repo.batch(ctx, attributes, func(e *entry, text []byte) {
		file := filepath.Join(c.temp, filepath.FromSlash(e.path))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			failed = err
		} else if err := os.WriteFile(file, text, 0o600); err != nil {
			failed = err
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	var in bytes.Buffer
	for _, e := range files {
		in.WriteString(c.prefix + e.path + "\x00")
	}
	out, err := c.convert.output(ctx, &in, append([]string{"check-attr", "-z", "--stdin"}, attributeNames...)...)
	if err != nil {
		return err
	}
	fields := strings.Split(string(out), "\x00")
	for _, e := range files {
		attr := map[string]string{}
		for range attributeNames { // a path may come several times
			if len(fields) < 3 || fields[0] != c.prefix+e.path {
				break
			}
			if fields[2] != "unspecified" {
				attr[fields[1]] = fields[2]
			}
			fields = fields[3:]
		}
		e.convert = conversionOf(attr, config, drivers)
	}
	return nil
}

func conversionOf(attr, config map[string]string, drivers map[string]bool) conversion {
	if drivers[attr["filter"]] {
		return driver
	}
	if attr["ident"] == "set" || attr["working-tree-encoding"] != "" && attr["working-tree-encoding"] != "unset" {
		return internal
	}
	text, given := attr["text"]
	if !given {
		text, given = attr["crlf"]
	}
	native := "lf"
	if runtime.GOOS == "windows" {
		native = "crlf"
	}
	eol := attr["eol"]
	switch {
	case text == "unset":
		return identical
	case eol != "":
	case !given && config["core.autocrlf"] != "true":
		return identical
	case config["core.autocrlf"] == "true":
		eol = "crlf"
	case config["core.autocrlf"] == "input":
		eol = "lf"
	case config["core.eol"] == "lf" || config["core.eol"] == "crlf":
		eol = config["core.eol"]
	default:
		eol = native
	}
	if eol == "crlf" {
		return internal
	}
	return identical
}

// read gives the contents of files as a checkout has them, but for drivers, to yield, which must not keep them. Objects
// that are missing are left out.
func (c *checkout) read(ctx context.Context, files []*entry, yield func(*entry, []byte)) error {
	var plain, converted []*entry
	for _, e := range files {
		if e.convert == internal && !strings.ContainsAny(e.path, "\n") {
			converted = append(converted, e)
		} else {
			plain = append(plain, e)
		}
	}
	if err := c.repo.batch(ctx, plain, yield); err != nil {
		return err
	}
	if len(converted) == 0 {
		return nil
	}
	// With --filters the size that git prints is the blob's, not that of what follows: a mark ends each instead.
	mark := "\n" + rand.Text() + "\n"
	var in bytes.Buffer
	for _, e := range converted {
		fmt.Fprintf(&in, "%s %s\n", e.id, c.prefix+e.path)
	}
	out, err := c.convert.output(ctx, &in, "cat-file", "--filters", "--batch="+strings.TrimSpace(mark))
	if err != nil {
		return err
	}
	rest := append([]byte{'\n'}, out...)
	for i, e := range converted {
		missing := "\n" + e.id + " missing\n"
		if bytes.HasPrefix(rest, []byte(missing)) {
			rest = rest[len(missing)-1:]
			continue
		}
		var ok bool
		if rest, ok = bytes.CutPrefix(rest, []byte(mark)); !ok {
			return fmt.Errorf("git cat-file: unexpected output about %s", e.path)
		}
		end := len(rest) - 1
		if i+1 < len(converted) {
			for _, next := range []string{mark, "\n" + converted[i+1].id + " missing\n"} {
				if at := bytes.Index(rest[:end+1], []byte(next)); at >= 0 {
					end = at
				}
			}
		}
		yield(e, rest[:end])
		rest = rest[end:]
	}
	return nil
}

// batch reads blobs.
func (r *repository) batch(ctx context.Context, files []*entry, yield func(*entry, []byte)) error {
	if len(files) == 0 {
		return nil
	}
	var in bytes.Buffer
	for _, e := range files {
		in.WriteString(e.id + "\n")
	}
	cmd := r.command(ctx, "cat-file", "--batch", "--buffer")
	var msg bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &msg
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return explain(ctx, err, "", "cat-file")
	}
	out := bufio.NewReaderSize(pipe, 64<<10)
	var buf []byte
	parse := func() error {
		for _, e := range files {
			line, err := out.ReadString('\n')
			if err != nil {
				return err
			}
			if strings.HasSuffix(line, " missing\n") {
				continue
			}
			var id, kind string
			var size int
			if _, err := fmt.Sscanf(line, "%s %s %d", &id, &kind, &size); err != nil || id != e.id {
				return fmt.Errorf("unexpected output %.80q", line)
			}
			buf = slices.Grow(buf[:0], size+1)[:size+1]
			if _, err := io.ReadFull(out, buf); err != nil {
				return err
			}
			yield(e, buf[:size])
		}
		return nil
	}
	errParse := parse()
	if errParse != nil {
		cmd.Process.Kill()
	}
	if err := cmd.Wait(); err != nil && errParse == nil {
		errParse = err
	}
	if errParse != nil {
		return explain(ctx, errParse, msg.String(), "cat-file")
	}
	return nil
}

// filtered are the files whose contents only a filter driver can make. They are asked for when a digest needs them.
type filtered struct {
	worktree *buildcontext.Tree
	dir      string            // the context's directory
	blob     map[string]string // by path: the blob's id
	clean    map[string]bool   // those that are as they were checked out
	pointer  map[string]lfs
}

// lfs is what a pointer of git-lfs says of the contents.
type lfs struct {
	sha256 string
	size   int64
}

// filtered finds out which files of drivers the working tree has unchanged.
func (c *checkout) filtered(ctx context.Context, files []*entry, worktree *buildcontext.Tree) (*filtered, error) {
	f := &filtered{worktree: worktree, dir: c.repo.dir, blob: map[string]string{}, clean: map[string]bool{}, pointer: map[string]lfs{}}
	var drivers []*entry
	for _, e := range files {
		if e.convert == driver {
			f.blob[e.path] = e.id
			drivers = append(drivers, e)
		}
	}
	if len(drivers) == 0 {
		return f, nil
	}
	// What the index has with this blob, and what of it has another time or size than when it was checked out. Of a file
	// that was changed in the same tick as the index git compares contents; without filters, so that it comes out changed.
	quiet := git{dir: c.repo.dir, cfg: c.convert.cfg}
	out, err := quiet.output(ctx, nil, "ls-files", "-z", "--stage", "--", ".")
	if err != nil {
		return nil, err
	}
	for line := range strings.SplitSeq(string(out), "\x00") {
		info, name, _ := strings.Cut(line, "\t")
		if id, ok := f.blob[name]; ok && strings.Contains(info, id) {
			f.clean[name] = true
		}
	}
	out, err = quiet.output(ctx, nil, "diff-files", "-z", "--name-only", "--relative", "--", ".")
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		delete(f.clean, name)
	}
	err = c.repo.batch(ctx, drivers, func(e *entry, text []byte) {
		var p lfs
		for line := range strings.SplitSeq(string(text[:min(1024, len(text))]), "\n") {
			if sum, ok := strings.CutPrefix(line, "oid sha256:"); ok {
				p.sha256 = sum
			}
			fmt.Sscanf(line, "size %d", &p.size)
		}
		if strings.HasPrefix(string(text[:min(1024, len(text))]), "version https://git-lfs") && p.sha256 != "" {
			f.pointer[e.path] = p
		}
	})
	return f, err
}

// Hash implements buildcontext.Hasher.
func (f *filtered) Hash(name string, _ *buildcontext.Node) (buildcontext.ContentID, error) {
	if n, ok := f.worktree.Lookup(name); ok && n.Type() == buildcontext.File {
		if f.clean[name] || f.sameAsPointer(name, n) {
			return f.worktree.ContentOf(name)
		}
	}
	id, ok := f.blob[name]
	if !ok {
		return buildcontext.ContentID{}, fs.ErrNotExist
	}
	return (&entry{id: id}).filteredContents(), nil
}

// filteredContents stands for what a filter makes of a file.
func (e *entry) filteredContents() buildcontext.ContentID {
	return buildcontext.HashContent([]byte("contents that a filter makes of " + e.id))
}

func (f *filtered) sameAsPointer(name string, n *buildcontext.Node) bool {
	p, ok := f.pointer[name]
	if !ok || p.size != n.Meta().Size {
		return false
	}
	file, err := os.Open(filepath.Join(f.dir, filepath.FromSlash(name)))
	if err != nil {
		return false
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return false
	}
	return hex.EncodeToString(h.Sum(nil)) == p.sha256
}
