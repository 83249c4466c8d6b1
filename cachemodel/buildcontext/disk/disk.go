// Package disk reads a directory as a build context and keeps it up to date: it leaves out what BuildKit's client would
// not send, reads contents only when a digest needs them, and remembers their ids between runs.
//
// It must not know Dockerfile syntax, cache keys or editors; who watches for changes calls Update.
package disk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Options are the choices of a Dir; the zero value is usable.
type Options struct {
	// CacheDir is where content ids are kept between runs: a directory of the user's own, made if it is not there.
	// "" keeps nothing.
	CacheDir string
	// Progress is told now and then how many entries a scan has come to. It may be called from several goroutines.
	Progress func(entries int)
	// Ignore takes the place of the directory's ignore file, unless it is nil.
	Ignore *buildcontext.Ignore
	// Dated gives directories their stamps too, which buildcontext.AsOf needs. Without them a directory is the same as
	// long as what is in it is.
	Dated bool
}

// Dir is a directory as a build context. Its methods may be called from several goroutines.
type Dir struct {
	root       string // absolute, links resolved
	dockerfile string // relative to root, slash-separated; "" if it is not below root
	outside    string // the Dockerfile's absolute path if it is not below root
	opts       Options
	maxEntries int64

	mu      sync.Mutex // held while the tree is brought up to date
	tree    *buildcontext.Tree
	invalid error // what is wrong with the ignore file

	hashed atomic.Int64 // files that were read
	saved  atomic.Int64 // ... when they were saved last, and one more
}

// What may be wrong with a context; Open's errors wrap these.
var (
	ErrNotDirectory    = errors.New("is not a directory")
	ErrWholeFileSystem = errors.New("is the whole file system")
	ErrTooManyFiles    = errors.New("has too many files")
)

// maxEntries is how many entries a context may have; a node of each is kept. No builder is sent as many.
const maxEntries = 5_000_000

// Open prepares a directory as a build context and scans it. The Dockerfile need not exist and may lie elsewhere; it
// says which ignore file counts. The error is only about the directory itself, or ctx's; see Tree.Problems for the
// rest.
func Open(ctx context.Context, root, dockerfile string, opts Options) (*Dir, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("build context %s: %w", root, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return nil, fmt.Errorf("build context %s: %w", root, err)
	}
	if info, err := os.Stat(real); err != nil {
		return nil, fmt.Errorf("build context %s: %w", root, err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("build context %s: %w", root, ErrNotDirectory)
	}
	if filepath.Dir(real) == real {
		return nil, fmt.Errorf("build context %s: %w: it is not read", root, ErrWholeFileSystem)
	}
	d := &Dir{root: real, opts: opts, maxEntries: maxEntries}
	if dockerfile != "" {
		d.dockerfile, d.outside = locate(abs, real, dockerfile)
	}
	if _, err := d.Rescan(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// locate finds the Dockerfile's path within the context, or else where it is.
func locate(abs, real, dockerfile string) (inside, outside string) {
	file, err := filepath.Abs(dockerfile)
	if err != nil {
		return "", ""
	}
	for _, root := range []string{abs, real} {
		if rel, err := filepath.Rel(root, file); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), ""
		}
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		if rel, err := filepath.Rel(real, filepath.Join(dir, filepath.Base(file))); err == nil &&
			filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), ""
		}
	}
	return "", file
}

// Scan reads a directory once.
func Scan(ctx context.Context, root, dockerfile string, opts Options) (*buildcontext.Tree, error) {
	d, err := Open(ctx, root, dockerfile, opts)
	if err != nil {
		return nil, err
	}
	return d.Tree(), nil
}

// StampOf is the stamp of one file, folder or link, which is not followed.
func StampOf(name string) (stamp buildcontext.Stamp, link bool, err error) {
	info, err := os.Lstat(name)
	if err != nil {
		return stamp, false, err
	}
	return stampOf(info), info.Mode()&os.ModeSymlink != 0, nil
}

// Root is the directory's absolute path, links resolved.
func (d *Dir) Root() string { return d.root }

// Tree is the context as it was last seen.
func (d *Dir) Tree() *buildcontext.Tree {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tree
}

// IgnoreFiles gives the absolute paths of the files that say what is ignored, if they exist, in order of precedence.
func (d *Dir) IgnoreFiles() []string {
	var out []string
	if d.outside != "" {
		out = append(out, d.outside+".dockerignore")
	}
	for _, name := range buildcontext.IgnoreFileNames(d.dockerfile) {
		out = append(out, filepath.Join(d.root, filepath.FromSlash(name)))
	}
	return out
}

// Rescan looks at the whole directory anew; what is unchanged keeps its nodes, and the tree itself if all is. The error
// is ctx's, and the tree stays what it was.
func (d *Dir) Rescan(ctx context.Context) (*buildcontext.Tree, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rescan(ctx)
}

func (d *Dir) rescan(ctx context.Context) (*buildcontext.Tree, error) {
	ignore, invalid := d.readIgnore()
	s := newScanner(ctx, d, ignore)
	defer s.stop(nil)
	var old *buildcontext.Node
	if d.tree != nil {
		old = d.tree.Root()
	} else {
		s.known = load(d.cacheFile(), d.root)
	}
	root := s.context(old)
	if err := cmp.Or(context.Cause(s.ctx), ctx.Err()); err != nil {
		return nil, fmt.Errorf("build context %s: %w", d.root, err)
	}
	d.invalid = invalid
	d.replace(root, ignore)
	return d.tree, nil
}

// replace makes a tree of what was found, unless nothing is new.
func (d *Dir) replace(root *buildcontext.Node, ignore *buildcontext.Ignore) {
	if d.tree != nil && d.tree.Root() == root && slices.Equal(ignore.Patterns(), d.tree.Ignore().Patterns()) &&
		d.invalid == nil {
		return
	}
	d.tree = buildcontext.NewTree(root, ignore, hasher{d.root, &d.hashed}, d.invalid)
}

// Update looks again at the named files and directories, absolute or relative to the context, and says whether
// anything is different now. What is not named is taken to be as it was.
func (d *Dir) Update(changed []string) (*buildcontext.Tree, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.tree
	ignoreFiles := d.IgnoreFiles()
	todo := &changes{}
	for _, name := range changed {
		abs := name
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(d.root, name)
		}
		if slices.Contains(ignoreFiles, filepath.Clean(abs)) {
			tree, err := d.rescan(context.Background())
			return tree, err == nil && tree != before
		}
		rel, ok := d.relative(abs)
		if !ok {
			continue
		}
		todo.add(rel)
	}
	ignore := d.tree.Ignore()
	s := newScanner(context.Background(), d, ignore)
	defer s.stop(nil)
	root := s.update(d.tree.Root(), todo)
	if s.ctx.Err() != nil { // more came than can be kept
		d.invalid = fmt.Errorf("%w: the build context %w", buildcontext.ErrUnknown, ErrTooManyFiles)
	}
	d.replace(root, ignore)
	return d.tree, d.tree != before
}

// relative gives a path within the context, slash-separated, "" for the context itself.
func (d *Dir) relative(abs string) (string, bool) {
	rel, err := filepath.Rel(d.root, abs)
	if err != nil || !filepath.IsLocal(rel) {
		dir, errLink := filepath.EvalSymlinks(filepath.Dir(abs))
		if errLink != nil {
			return "", false
		}
		rel, err = filepath.Rel(d.root, filepath.Join(dir, filepath.Base(abs)))
	}
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	if rel == "." {
		return "", true
	}
	return filepath.ToSlash(rel), true
}

const (
	// maxIgnoreFile is how many bytes of ignore file BuildKit's frontend takes (frontend/dockerui/readfile.go).
	maxIgnoreFile = 16 << 20
	// maxPatterns is how many patterns are matched here: each file is matched with each pattern.
	maxPatterns = 20_000
)

func (d *Dir) readIgnore() (*buildcontext.Ignore, error) {
	if d.opts.Ignore != nil {
		return d.opts.Ignore, nil
	}
	none := &buildcontext.Ignore{}
	files := d.IgnoreFiles()
	for i, file := range files {
		name := file
		if rel, ok := d.relative(file); ok {
			name = rel
		}
		text, err := textfile.ReadUpTo(file, maxIgnoreFile)
		if errors.Is(err, textfile.ErrTooLong) {
			return none, fmt.Errorf("%w %s: more than %d bytes", buildcontext.ErrIgnoreFile, name, maxIgnoreFile)
		}
		if err != nil {
			continue // BuildKit too goes on where it cannot read one
		}
		if n := bytes.Count(text, []byte("\n")); n > maxPatterns {
			return none, fmt.Errorf("%w: %s has %d lines, more than %d", buildcontext.ErrUnknown, name, n, maxPatterns)
		}
		if _, err := os.Stat(files[len(files)-1]); len(text) == 0 && i+1 < len(files) && err == nil {
			return none, buildcontext.EmptyIgnoreFile(name)
		}
		ignore, err := buildcontext.ParseIgnore(name, text)
		if err != nil {
			return none, err
		}
		return ignore, nil
	}
	return none, nil
}

// Save keeps the content ids that are known by now for the next run, if there are new ones. Several processes may do
// so: the last one wins.
func (d *Dir) Save() error {
	hashed := d.hashed.Load() + 1
	if d.opts.CacheDir == "" || d.saved.Swap(hashed) == hashed {
		return nil
	}
	return save(d.cacheFile(), d.root, d.Tree().Root(), time.Now())
}
