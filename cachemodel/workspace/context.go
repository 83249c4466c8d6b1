package workspace

import (
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// contextOf says where the build context is and why: as it is chosen, as the service or target has it, as it was for
// the last build, as a CI file or a devcontainer.json has it, else the guess. "" is a text that is in no file.
func (r *Reader) contextOf(
	c Choices,
	entry *buildfiles.Entry,
	last *record.Record,
	file *dockerfile.File,
) (dir string, from Origin, missing []Missing) {
	switch {
	case c.ContextDir != "":
		return c.ContextDir, Origin{Kind: Chosen}, nil
	case entry != nil && !entry.Remote:
		return entry.Context, Origin{BuildFile, entry.Title()}, nil
	case last != nil && last.ContextDir != "":
		return last.ContextDir, Origin{Recorded, last.Label()}, nil
	case r.path == "":
		return "", Origin{Kind: Guessed}, nil
	}
	own := filepath.Dir(r.path)
	candidates := upTo(r.w.Root(own), own)
	if p := r.builds.placed; p.dir != "" {
		candidates = append([]string{p.dir}, candidates...)
	}
	dir, missing = guess(sourcesOf(file), copiesAll(file), candidates)
	if p := r.builds.placed; dir == p.dir {
		return dir, Origin{Placed, p.by}, missing
	}
	return dir, Origin{Kind: Guessed}, missing
}

// Missing is a source that a Dockerfile names and that no candidate for its build context has.
type Missing struct {
	Line   int // of the instruction, from 1
	Source string
	// the nearest other folder, of those from the Dockerfile's up to the root, that has it; "" if none has
	In string
}

// literal is a source of COPY or ADD that says where a file is.
type literal struct {
	line int
	path string // relative to the context, cleaned; of a wildcard the folder before it
	// pattern says that path was cut off a wildcard: a build does not fail where it is not there, but it tells where
	// the context is.
	pattern bool
	folder  bool // written with a slash at the end
}

// sourcesOf lists what a file takes from its build context by a name that holds no variable.
func sourcesOf(file *dockerfile.File) (out []literal) {
	if file == nil {
		return nil
	}
	for _, in := range file.Instructions {
		sources := copied(in)
		for _, m := range in.Mounts() {
			if m.Parsed != nil && m.Parsed.Type == instructions.MountTypeBind && m.Parsed.From == "" {
				sources = append(sources, m.Parsed.Source)
			}
		}
		for _, src := range sources {
			if strings.ContainsAny(src, "$\\\"'") || strings.Contains(src, "://") || strings.HasPrefix(src, "git@") {
				continue
			}
			l := literal{line: in.Line, path: path.Clean("/" + filepath.ToSlash(src))[1:]}
			l.folder = strings.HasSuffix(src, "/")
			if at := strings.IndexAny(l.path, "*?["); at >= 0 {
				l.path, l.pattern = strings.TrimSuffix(l.path[:strings.LastIndexByte(l.path[:at], '/')+1], "/"), true
			}
			if l.path != "" && l.path != "." {
				out = append(out, l)
			}
		}
	}
	return out
}

// Sources are the files and folders of the build context that a Dockerfile names, but for those that hold too much: of
// all together fewer files are taken than most.
func (b *Build) Sources(file *dockerfile.File, most int) (paths []string) {
	if b.Context.Tree == nil {
		return nil
	}
	for _, l := range sourcesOf(file) {
		left := most - 1 // one that is not there may come
		if node, ok := b.Context.Tree.Lookup(l.path); ok {
			left = node.Fewer(most)
		}
		if left > 0 {
			most = left
			paths = append(paths, filepath.Join(b.Context.Root, filepath.FromSlash(l.path)))
		}
	}
	return paths
}

// copied are the sources of a COPY or ADD that are not of a stage or an image.
func copied(in *dockerfile.Instruction) []string {
	switch c := in.Command.(type) {
	case *instructions.CopyCommand:
		if c.From == "" {
			return c.SourcePaths
		}
	case *instructions.AddCommand:
		return c.SourcePaths
	}
	return nil
}

// copiesAll reports whether a COPY or ADD takes the whole build context.
func copiesAll(file *dockerfile.File) bool {
	isAll := func(source string) bool { return path.Clean("/"+filepath.ToSlash(source)) == "/" }
	return file != nil && slices.ContainsFunc(file.Instructions, func(in *dockerfile.Instruction) bool {
		return slices.ContainsFunc(copied(in), isAll)
	})
}

// bare reports whether a folder has nothing but Dockerfiles: nobody builds such a context to copy it. It is asked at
// each key, so only as many names are read as tell.
func bare(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, err := f.Readdirnames(maxDockerfiles)
	if err != nil && !errors.Is(err, io.EOF) || len(names) == maxDockerfiles {
		return false
	}
	return !slices.ContainsFunc(names, func(name string) bool { return !dockerfile.IsName(name) })
}

// maxDockerfiles is how many files a folder has at least that counts as more than its Dockerfiles.
const maxDockerfiles = 64

// guess finds the candidate that has the most of the sources, the first of several; all says that the whole context is
// one of them.
func guess(sources []literal, all bool, candidates []string) (string, []Missing) {
	absent := func(dir string) (out []literal) {
		for _, l := range sources {
			if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(l.path))); err != nil {
				out = append(out, l)
			}
		}
		if all && bare(dir) {
			out = append(out, literal{pattern: true})
		}
		return out
	}
	best, fewest := candidates[0], absent(candidates[0])
	for _, d := range candidates[1:] {
		if len(fewest) == 0 {
			break
		}
		if a := absent(d); len(a) < len(fewest) {
			best, fewest = d, a
		}
	}
	var missing []Missing
	for _, l := range fewest {
		if l.pattern {
			continue
		}
		m := Missing{Line: l.line, Source: l.path}
		at := slices.IndexFunc(
			candidates,
			func(d string) bool { return exists(filepath.Join(d, filepath.FromSlash(l.path))) },
		)
		if at >= 0 {
			m.In = candidates[at]
		}
		missing = append(missing, m)
	}
	return best, missing
}

// Folders are those that the build context may be, the nearest to the Dockerfile first.
func (b *Build) Folders() []string { return upTo(b.root, filepath.Dir(b.Dockerfile)) }

// upTo are the folders from dir up to root, if that is above.
func upTo(root, dir string) []string {
	candidates := []string{dir}
	if rel, err := filepath.Rel(root, dir); err == nil && filepath.IsLocal(rel) {
		for d := dir; d != root && filepath.Dir(d) != filepath.Dir(filepath.Dir(d)); {
			d = filepath.Dir(d)
			candidates = append(candidates, d)
		}
	}
	return candidates
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
