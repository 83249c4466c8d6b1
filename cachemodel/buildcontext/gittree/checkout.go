package gittree

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// conversion is what a checkout makes of a blob.
type conversion int

const (
	identical conversion = iota // the file holds the blob
	internal                    // line endings, $Id$ or encoding: git does it by itself
	driver                      // a program that the user configured makes the contents
	unknown                     // an encoding that git is not let loose on
)

// maxConverted is how long a file may be that git converts, in bytes: it does so in memory.
const maxConverted = 64 << 20

// checkout knows what a checkout of a commit would write. The attributes of the commit itself count: git finds them in
// a working tree that holds nothing else.
type checkout struct {
	repo     *Repository
	prefix   string   // of the entries' paths
	convert  program  // runs in that working tree, without filter drivers
	settings []string // -c arguments for it
	temp     string
}

func (c *checkout) close() {
	if c.temp != "" {
		os.RemoveAll(c.temp)
	}
}

// checkout finds out which of the files are converted and notes it in them; among are the attribute files that lie
// beside and below them. All paths begin with prefix.
func (r *Repository) checkout(ctx context.Context, commit, prefix string, files, among []*entry) (*checkout, error) {
	c := &checkout{repo: r, prefix: prefix}
	if len(files) == 0 {
		return c, nil
	}
	config, err := r.config(ctx)
	if err != nil {
		return nil, err
	}
	others, err := r.otherAttributes(config)
	if err != nil {
		return nil, err
	}
	dir := strings.TrimSuffix(prefix, "/")
	if len(files) == 1 {
		dir = path.Dir(prefix + files[0].path)
	}
	attributes, err := r.attributesAbove(ctx, commit, dir)
	if err != nil {
		return nil, err
	}
	for _, e := range among {
		at := prefix + e.path
		if !slices.ContainsFunc(attributes, func(f *entry) bool { return f.path == at }) {
			attributes = append(attributes, &entry{mode: e.mode, kind: e.kind, id: e.id, path: at})
		}
	}
	if len(attributes) == 0 && config["core.autocrlf"] != "true" && !others {
		return c, nil
	}
	if c.temp, err = os.MkdirTemp(r.temp, "tree-"); err != nil {
		return nil, err
	}
	if err := c.attributes(ctx, attributes, files, config); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// config reads the settings that decide about conversions, names in lower case as git gives them.
func (r *Repository) config(ctx context.Context) (map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settings != nil {
		return r.settings, nil
	}
	config := map[string]string{}
	r.remotes = nil
	err := r.asking.records(ctx, nil, 0, func(kv []byte, cut bool) error {
		k, v, ok := strings.Cut(string(kv), "\n")
		if !ok {
			v = "true"
		}
		switch {
		case cut && strings.HasPrefix(k, "filter."):
			v = "true" // there is one, whatever it is
		case cut:
			return nil
		case k == "core.autocrlf" && slices.Contains([]string{"yes", "on", "1"}, strings.ToLower(v)):
			v = "true"
		}
		if strings.HasPrefix(k, "remote.") && strings.HasSuffix(k, ".url") && !cut {
			r.remotes = append(r.remotes, v)
		}
		if slices.Contains(copiedSettings, k) || strings.HasPrefix(k, "filter.") {
			config[k] = v
		}
		return nil
	}, "config", "-z", "--list")
	if err == nil {
		r.settings = config
	}
	return config, err
}

// Remotes are the addresses of the repositories that this one is fetched from.
func (r *Repository) Remotes(ctx context.Context) ([]string, error) {
	if _, err := r.config(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.remotes, nil
}

// copiedSettings are what of a repository's configuration counts for conversions, besides the filters, which are not
// run.
var copiedSettings = []string{"core.autocrlf", "core.eol", "core.attributesfile", "core.ignorecase"}

// otherAttributes says whether there are attributes besides those of the commit, and brings those of the repository to
// where git looks for them.
func (r *Repository) otherAttributes(config map[string]string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := textfile.Read(filepath.Join(r.common, "info", "attributes"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	there := err == nil
	if there {
		info := filepath.Join(r.temp, "git", "info")
		if err := os.MkdirAll(info, 0o700); err != nil {
			return false, err
		}
		if err := os.WriteFile(filepath.Join(info, "attributes"), text, 0o600); err != nil {
			return false, err
		}
	}
	files := []string{"/etc/gitattributes"}
	home, _ := os.UserHomeDir()
	if file, ok := config["core.attributesfile"]; ok {
		if rest, ok := strings.CutPrefix(file, "~/"); ok {
			file = filepath.Join(home, filepath.FromSlash(rest))
		}
		files = append(files, file)
	} else {
		config := cmp.Or(os.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config"))
		files = append(files, filepath.Join(config, "git", "attributes"))
	}
	for _, file := range files {
		if err := regularOrAbsent(file, maxFile); err != nil {
			return false, err
		}
		if _, err := os.Stat(file); err == nil {
			there = true
		}
	}
	return there, nil
}

const attributesName = ".gitattributes"

// isAttributes says whether git reads an entry of this name as attributes: it does not follow links.
func (e *entry) isAttributes() bool {
	return e.kind == "blob" && e.mode != symlinkMode &&
		(e.path == attributesName || strings.HasSuffix(e.path, "/"+attributesName))
}

// attributesAmong selects the attribute files.
func attributesAmong(entries []*entry) (found []*entry) {
	for _, e := range entries {
		if e.isAttributes() {
			found = append(found, e)
		}
	}
	return found
}

// attributesAbove lists a commit's attribute files in a directory and those above it, by their paths in the repository.
func (r *Repository) attributesAbove(ctx context.Context, commit, dir string) ([]*entry, error) {
	var found []*entry
	at, above := commit, ""
	rest := strings.Split(dir, "/")
	if dir == "" || dir == "." {
		rest = nil
	}
	for {
		entries, _, err := r.tree(ctx, at)
		if err != nil {
			return nil, err
		}
		next := ""
		for _, e := range entries {
			if e.isAttributes() {
				found = append(found, &entry{mode: e.mode, kind: e.kind, id: e.id, path: above + e.path})
			}
			if len(rest) > 0 && e.path == rest[0] && e.kind == "tree" {
				next = e.id
			}
		}
		if next == "" {
			return found, nil
		}
		at, above, rest = next, above+rest[0]+"/", rest[1:]
	}
}

// attributeNames are the attributes that decide about conversions.
var attributeNames = []string{"text", "crlf", "eol", "ident", "filter", "working-tree-encoding"}

// attributes notes what becomes of each file, by gitattributes(5).
func (c *checkout) attributes(ctx context.Context, attributes, files []*entry, config map[string]string) error {
	c.convert = c.repo.reading
	c.convert.dir = c.temp
	c.convert.env = append(
		slices.Clone(c.convert.env),
		"GIT_WORK_TREE="+c.temp,
		"GIT_INDEX_FILE="+filepath.Join(c.temp, "no index"),
	)
	for _, name := range copiedSettings {
		if value, ok := config[name]; ok {
			c.settings = append(c.settings, "-c", name+"="+value)
		}
	}
	drivers := map[string]bool{}
	for k, v := range config {
		for _, part := range []string{".smudge", ".process"} {
			if name, ok := strings.CutSuffix(strings.TrimPrefix(k, "filter."), part); ok && v != "" {
				drivers[name] = true
			}
		}
	}
	if err := c.write(ctx, attributes); err != nil {
		return err
	}
	var in bytes.Buffer
	for _, e := range files {
		in.WriteString(c.prefix + e.path + "\x00")
	}
	// Three records for each attribute of each file: the path, the attribute, its value.
	n, attr := 0, map[string]string{}
	name := ""
	err := c.convert.records(ctx, &in, 0, func(field []byte, _ bool) error {
		if n >= 3*len(attributeNames)*len(files) {
			return errors.New("git check-attr: unexpected output")
		}
		e := files[n/(3*len(attributeNames))]
		switch n++; n % 3 {
		case 1:
			if string(field) != c.prefix+e.path {
				return fmt.Errorf("git check-attr: unexpected output about %s", e.path)
			}
		case 2:
			name = string(field)
		case 0:
			if value := string(field); value != "unspecified" {
				attr[name] = value
			}
			if n%(3*len(attributeNames)) == 0 {
				e.convert = conversionOf(attr, config, drivers)
				clear(attr)
			}
		}
		return nil
	}, c.args("check-attr", "-z", "--stdin", attributeNames...)...)
	if err == nil && n != 3*len(attributeNames)*len(files) {
		err = errors.New("git check-attr: unexpected output")
	}
	return err
}

func (c *checkout) args(command string, first, second string, more ...string) []string {
	return append(append(slices.Clone(c.settings), command, first, second), more...)
}

// write writes attribute files into the working tree.
func (c *checkout) write(ctx context.Context, attributes []*entry) error {
	root, err := os.OpenRoot(c.temp) // a name in a tree can be anything
	if err != nil {
		return err
	}
	defer root.Close()
	var failed error
	err = c.repo.blobs(ctx, attributes, textfile.Limit, func(e *entry, text []byte) {
		if failed == nil && local(e.path) {
			if failed = root.MkdirAll(path.Dir(e.path), 0o700); failed == nil {
				failed = root.WriteFile(e.path, text, 0o600)
			}
		}
	})
	for _, e := range attributes {
		if failed == nil && e.absent != nil {
			failed = fmt.Errorf("%s: %w", e.path, e.absent)
		}
	}
	return cmp.Or(err, failed)
}

// encodings are those that git is let convert to: a name is handed to the C library, which looks for it in files.
var encodings = regexp.MustCompile(
	`(?i)^(utf-?(8|16|32)(le|be)?(-bom)?|iso-?8859-[0-9]{1,2}|latin[1-9]|(windows-|cp)[0-9]{3,4}|` +
		`shift[-_]?jis|euc-?(jp|kr|cn)|gb2312|gbk|gb18030|big5|koi8-[ru])$`,
)

func conversionOf(attr, config map[string]string, drivers map[string]bool) conversion {
	if drivers[attr["filter"]] {
		return driver
	}
	if encoding := attr["working-tree-encoding"]; encoding != "" && encoding != "unset" {
		if !encodings.MatchString(encoding) {
			return unknown
		}
		return internal
	}
	if attr["ident"] == "set" {
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

// read gives the contents of files as a checkout has them, but for drivers, to yield, which must not keep them. In
// files that are missing or too long, before they are converted or after, that is noted.
func (c *checkout) read(ctx context.Context, files []*entry, limit int64, yield func(*entry, []byte)) error {
	var plain, converted []*entry
	for _, e := range files {
		if e.convert == internal && !strings.ContainsAny(e.path, "\n") {
			converted = append(converted, e)
		} else {
			plain = append(plain, e)
		}
	}
	if err := c.repo.blobs(ctx, plain, limit, yield); err != nil || len(converted) == 0 {
		return err
	}
	sizes, err := c.repo.sizes(ctx, converted)
	if err != nil {
		return err
	}
	converted = slices.DeleteFunc(converted, func(e *entry) bool {
		size, there := sizes[e.id]
		switch {
		case !there:
			e.absent = ErrMissingObject
		case size > limit:
			e.absent = ErrTooLarge
		}
		return e.absent != nil
	})
	if len(converted) == 0 {
		return nil
	}
	// With --filters the size that git prints is the blob's, not that of what follows: a mark ends each instead.
	mark := "\n" + rand.Text() + "\n"
	var in bytes.Buffer
	for _, e := range converted {
		fmt.Fprintf(&in, "%s %s\n", e.id, c.prefix+e.path)
	}
	p, err := c.convert.start(ctx, &in, c.args("cat-file", "--filters", "--batch="+strings.TrimSpace(mark))...)
	if err != nil {
		return err
	}
	return p.finish(split(p.out, []byte(mark), 16*limit, converted, yield))
}

// split reads contents, each between two marks. The first has no line end before it, the last content one after it.
func split(from io.Reader, mark []byte, limit int64, files []*entry, yield func(*entry, []byte)) error {
	buf := []byte{'\n'}
	at := -1 // of the file that is being read
	searched, ended := 0, false
	chunk := make([]byte, 64<<10)
	for {
		if i := bytes.Index(buf[searched:], mark); i >= 0 {
			end := searched + i
			if at >= 0 {
				yield(files[at], buf[:end])
			} else if end != 0 {
				return errors.New("git cat-file: unexpected output")
			}
			if at++; at >= len(files) {
				return errors.New("git cat-file: unexpected output")
			}
			buf, searched = buf[:copy(buf, buf[end+len(mark):])], 0
			continue
		}
		searched = max(0, len(buf)-len(mark)+1)
		if ended {
			break
		}
		if int64(len(buf)) > limit {
			return fmt.Errorf("%s %w", files[max(0, at)].path, ErrTooLarge)
		}
		n, err := from.Read(chunk)
		buf = append(buf, chunk[:n]...)
		if ended = errors.Is(err, io.EOF); err != nil && !ended {
			return err
		}
	}
	if at != len(files)-1 || len(buf) == 0 {
		return io.ErrUnexpectedEOF
	}
	yield(files[at], buf[:len(buf)-1])
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

// maxPointer is how long a pointer of git-lfs may be; git-lfs takes no longer one.
const maxPointer = 1024

// filtered finds out which files of drivers the working tree has unchanged.
func (c *checkout) filtered(
	ctx context.Context,
	dir string,
	files []*entry,
	worktree *buildcontext.Tree,
) (*filtered, error) {
	f := &filtered{
		worktree: worktree,
		dir:      dir,
		blob:     map[string]string{},
		clean:    map[string]bool{},
		pointer:  map[string]lfs{},
	}
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
	if name, ok := c.repo.realName(dir); ok {
		if err := c.repo.unchanged(ctx, prefixOf(name), f); err != nil {
			return nil, err
		}
	}
	err := c.repo.blobs(ctx, drivers, maxPointer, func(e *entry, text []byte) {
		var p lfs
		for line := range strings.SplitSeq(string(text), "\n") {
			if sum, ok := strings.CutPrefix(line, "oid sha256:"); ok {
				p.sha256 = sum
			}
			fmt.Sscanf(line, "size %d", &p.size)
		}
		if strings.HasPrefix(string(text), "version https://git-lfs") && p.sha256 != "" {
			f.pointer[e.path] = p
		}
	})
	return f, err
}

// Hash implements buildcontext.Hasher.
func (f *filtered) Hash(ctx context.Context, name string, _ *buildcontext.Node) (buildcontext.ContentID, error) {
	id, ok := f.blob[name]
	if !ok {
		return buildcontext.ContentID{}, fs.ErrNotExist
	}
	n, there := f.worktree.Lookup(name)
	there = there && n.Type() == buildcontext.File
	pointer, isPointer := f.pointer[name]
	switch {
	case there && f.clean[name], there && isPointer && f.holds(ctx, name, n, pointer):
		return f.worktree.ContentOf(name)
	case isPointer:
		return (&entry{id: id}).filteredContents(), nil // the file has others
	}
	return buildcontext.ContentID{}, buildcontext.ErrUnknown
}

// filteredContents stands for what a filter makes of a file.
func (e *entry) filteredContents() buildcontext.ContentID {
	return buildcontext.HashContent([]byte("contents that a filter makes of " + e.id))
}

// holds says whether a file has the contents that a pointer names.
func (f *filtered) holds(ctx context.Context, name string, n *buildcontext.Node, p lfs) bool {
	if p.size != n.Meta().Size {
		return false
	}
	file, err := os.OpenFile(filepath.Join(f.dir, filepath.FromSlash(name)), os.O_RDONLY|textfile.NonBlocking, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != p.size {
		return false
	}
	defer context.AfterFunc(ctx, func() { file.Close() })()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(file, p.size)); err != nil {
		return false
	}
	return hex.EncodeToString(h.Sum(nil)) == p.sha256
}
