package cachemodel

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/util/system"
)

// transfer is a COPY or ADD with all that makes its operation (dockerfile2llb.copyConfig).
type transfer struct {
	instructions.SourcesAndDest
	from     *vertex // the stage or image to copy from
	scratch  bool    // --from names an empty stage
	add      bool
	chown    string
	chmod    string
	link     bool
	parents  bool
	exclude  []string
	unpack   *bool
	keepGit  *bool
	checksum string
	content  string // see Build.Contents
}

func (p *planner) copy(st *stagePlan, c command, cmd *instructions.CopyCommand, uncertain string) error {
	t := transfer{
		SourcesAndDest: cmd.SourcesAndDest,
		chown:          cmd.Chown, chmod: cmd.Chmod, link: cmd.Link, parents: cmd.Parents, exclude: cmd.ExcludePatterns,
	}
	if cmd.From != "" {
		root, err := p.sourceRoot(c.sources[0], st)
		if err != nil {
			return err
		}
		t.from, t.scratch = root, root == nil
		if content, known := p.Contents[c.in.Line]; known {
			t.content = content
		}
	}
	return p.transfer(&st.state, c, t, uncertain)
}

func (p *planner) add(st *stagePlan, c command, cmd *instructions.AddCommand, uncertain string) error {
	return p.transfer(&st.state, c, transfer{
		SourcesAndDest: cmd.SourcesAndDest, add: true,
		chown: cmd.Chown, chmod: cmd.Chmod, link: cmd.Link, exclude: cmd.ExcludePatterns,
		unpack: cmd.Unpack, keepGit: cmd.KeepGitDir, checksum: cmd.Checksum,
	}, uncertain)
}

var errOfItself = errors.New("a stage cannot copy from itself")

// sourceRoot is the file system of what --from or from= names; it is nil for an empty one.
func (p *planner) sourceRoot(src, user *stagePlan) (*vertex, error) {
	switch {
	case src == nil:
		return nil, errors.New("--from names no stage or image")
	case src == user:
		return nil, errOfItself
	case src.stage == nil && src.baseName == scratch:
		return nil, nil
	case src.stage == nil:
		if built := p.made(src.baseName, value{}); built != nil && built.fails != "" {
			return nil, errors.New(built.fails)
		} else if built != nil {
			return built.state.root, nil
		}
		return p.source(src.baseName, p.platform), nil
	case !src.dispatched:
		return nil, errors.New("the stage that it copies from must stand above")
	}
	return src.state.root, nil
}

// transfer plans the file operation: one action for each source (dockerfile2llb.dispatchCopy, FileOp.CacheMap).
func (p *planner) transfer(s *state, c command, t transfer, uncertain string) error {
	linked := t.link && t.chmod == ""
	root := s.root
	if linked {
		root = nil
	}
	asWritten := p.asWritten(s, c, uncertain)
	dest, err := copyDest(s, asWritten.word(t.DestPath, asWritten.dest))
	if err != nil {
		return err
	}
	w := p.key.reset().str("copy").val(value{opaque: uncertain}).part(dest)
	w.part(asWritten.word(ownerText(t.chown), asWritten.chown)).part(asWritten.word(modeKey(t.chmod), asWritten.chmod))
	w.list(t.exclude)
	op := fileOp{key: w, inputs: rootInput(root)}
	if p.exact {
		op.exact = &exactTransfer{transfer: t, dest: dest}
	}
	vague := false // it is not known which files are read
	for i, src := range t.SourcePaths {
		kind := dockerfile.KindOfSource(src)
		word := value{}
		if asWritten.sources != nil {
			word = asWritten.word("", asWritten.sources[i])
			vague = vague || word.opaque != ""
		}
		op.word = word.opaque
		switch {
		case kind != dockerfile.PathSource && !t.add:
			return errors.New("COPY cannot copy from a URL: use ADD")
		case kind == dockerfile.GitSource:
			v, digest, err := p.git(src, t)
			if err != nil {
				return err
			}
			op.copy(input{from: v, digest: digest}, true, buildcontext.Query{Path: "/"}, false, false)
		case kind == dockerfile.URLSource:
			v, name, digest := p.http(src, t.checksum)
			op.copy(
				input{from: v, digest: digest},
				true,
				buildcontext.Query{Path: "/" + name},
				false,
				t.unpack != nil && *t.unpack,
			)
		default:
			unpack := t.add
			if t.unpack != nil {
				unpack = *t.unpack
			}
			op.copy(input{from: t.from, digest: t.content}, !t.scratch, sourceQuery(src, t), true, unpack)
		}
	}
	for _, file := range t.SourceContents {
		in := input{from: p.heredocFile(file.Path, 0o644, file.Data), digest: fileDigest(0o644, file.Data)}
		if uncertain != "" {
			in.digest = anyFile + in.digest // the text may be another one
		}
		op.copy(in, true, buildcontext.Query{Path: path.Join("/", file.Path)}, false, false)
	}
	for at, queries := range op.queries {
		if len(queries) == 0 || at == 0 && root != nil {
			continue // a source that is the destination's own root is compared by definition only
		}
		in := &op.inputs[at]
		in.content, in.selector = true, selectorText(queries)
		if in.from == nil || in.from.kind == localVertex {
			p.readDirectory(in, dedupeQueries(queries), vague)
		} else if !vague {
			in.readMade(dedupeQueries(queries))
		}
	}
	made := vertex{
		kind: copyVertex, key: op.key.done(), inputs: op.inputs, ignoreCache: p.ignoreCache,
		op: op.exact.operation(t.chown, root != nil, len(op.inputs)),
	}
	if dest.opaque == "" {
		made.gist = dest.text
		made.writes = t.writes(dest.text, root != nil && len(op.queries) > 0 && len(op.queries[0]) > 0)
	}
	v := p.vertex(made)
	c.step.add(v)
	if linked && s.root != nil { // llb.Merge leaves out an empty base
		v = p.vertex(
			vertex{
				kind:        mergeVertex,
				key:         (&keyWriter{}).str("merge").done(),
				inputs:      []input{{from: s.root}, {from: v}},
				ignoreCache: p.ignoreCache,
				op:          remotecache.Merge,
			},
		)
		c.step.add(v)
		c.step.linked = true
	}
	s.root = v
	return nil
}

// writes is the path at or below which files are written, "" if others may be too: an archive may hold links, and the
// name of an owner is looked up in the file system. ofItself says that it copies from what it writes to.
func (t transfer) writes(dest string, ofItself bool) string {
	if t.add || ofItself || !numericOwner(ownerText(t.chown)) {
		return ""
	}
	return path.Clean(dest)
}

// fileOp collects the actions of a COPY or ADD.
type fileOp struct {
	key     *keyWriter
	inputs  []input
	queries [][]buildcontext.Query // what is read of each input
	exact   *exactTransfer         // nil unless Plan.Exact asks
	word    string                 // names the source that is being added, if that is not wholly known
}

// copy adds one action; in is nothing if from is false. local sources may be patterns and directories.
func (op *fileOp) copy(in input, from bool, q buildcontext.Query, local, unpack bool) {
	at, base := -1, q.Path
	if from {
		at = slices.IndexFunc(op.inputs, func(known input) bool { return known.from == in.from })
		if at < 0 {
			at = len(op.inputs)
			op.inputs = append(op.inputs, in)
		}
		for len(op.queries) <= at {
			op.queries = append(op.queries, nil)
		}
		op.queries[at] = append(op.queries[at], q)
		base = path.Base(q.Path) // only the last part of the source is in the key
	}
	op.exact.add(q, at, local, unpack)
	op.key.num(at).part(value{base, op.word}).flag(local).flag(unpack).list(q.Include).list(q.Required)
}

// copyDest is the absolute destination. A slash, or slash and dot, at its end is kept
// (dockerfile2llb.pathRelativeToWorkingDir, llb.normalizePath).
func copyDest(s *state, written value) (value, error) {
	os := s.os()
	dest, err := system.CheckSystemDriveAndRemoveDriveLetter(written.text, os, true)
	if err != nil {
		return value{}, err
	}
	if dest == "." || dest == "" {
		dest = "./"
	}
	end := ""
	clean := path.Clean(dest)
	switch {
	case strings.HasSuffix(dest, "/") && clean != "/":
		end = "/"
	case strings.HasSuffix(dest, "/."):
		end = "/."
	}
	if path.IsAbs(clean) && written.opaque == "" {
		return plain(joinEnd(clean, end)), nil
	}
	v := plain(joinEnd(path.Join("/", s.cwd.text, dest), end))
	if path.IsAbs(clean) {
		v.text = joinEnd(clean, end)
	}
	written.text = dest
	if s.cwd.opaque != "" || written.opaque != "" {
		v = below("dest", v.text, s.cwd.value, written, end)
	}
	return v, nil
}

func joinEnd(dir, end string) string {
	if dir == "/" {
		return dir + strings.TrimPrefix(end, "/")
	}
	return dir + end
}

// sourceQuery reads a local source. With --parents the part behind "/./" becomes a pattern.
func sourceQuery(src string, t transfer) buildcontext.Query {
	q := buildcontext.Query{FollowLinks: true, Exclude: t.exclude}
	if t.parents {
		parent, pattern, ok := strings.Cut(src, "/./")
		if !ok {
			parent, pattern = "/", src
		}
		pattern = path.Join("/", pattern)
		q.Include = []string{strings.TrimPrefix(pattern, "/")}
		if !hasWildcard(parent) && !hasWildcard(pattern) {
			q.Required = []string{path.Join("/", parent, pattern)}
		}
		src = parent
	}
	q.Path = path.Join("/", src)
	q.Wildcard = hasWildcard(q.Path)
	return q
}

// hasWildcard is llbsolver/ops.containsWildcards.
func hasWildcard(name string) bool {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '*', '?', '[':
			return true
		case '\\':
			i++
		}
	}
	return false
}

// selectorText identifies which paths an input is read at (FileOp.CacheMap: only the paths, sorted).
func selectorText(queries []buildcontext.Query) string {
	paths := make([]string, len(queries))
	for i, q := range queries {
		paths[i] = q.Path
	}
	slices.Sort(paths)
	return strings.Join(paths, "\x00")
}

// dedupeQueries drops plain paths that lie within another (llbsolver/ops.dedupeSelectors).
func dedupeQueries(queries []buildcontext.Query) []buildcontext.Query {
	var paths []string
	var out []buildcontext.Query
	for _, q := range queries {
		if q.Wildcard || len(q.Include)+len(q.Exclude)+len(q.Required) > 0 {
			out = append(out, q)
		} else {
			paths = append(paths, q.Path)
		}
	}
	for _, path := range dedupePaths(paths) {
		out = append(out, buildcontext.Query{Path: path, FollowLinks: true})
	}
	slices.SortStableFunc(out, func(a, b buildcontext.Query) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// readDirectory gives an input the digest of what is read of the build context or a named one, if that is known. Where
// the base image's configuration says which files that are, it is vague: it is certainly the same if all files are.
func (p *planner) readDirectory(in *input, queries []buildcontext.Query, vague bool) {
	if vague {
		queries = []buildcontext.Query{{Path: "/"}}
	}
	in.dir = &reading{tree: p.Context, queries: queries, vague: vague}
	if in.from != nil {
		in.dir.tree = in.from.tree
	} else if in.dir.unknown = p.Unknown.Context; in.dir.unknown != "" {
		return
	}
	if in.dir.tree == nil {
		in.digest = "context:none" // nothing is known of it on either side: only the Dockerfile is compared
		return
	}
	kind := "context:"
	if vague {
		kind = anyFile
	}
	var digest strings.Builder
	digest.WriteString(kind)
	for _, q := range queries {
		d, err := in.dir.tree.Digest(q)
		if errors.Is(err, buildcontext.ErrUnknown) {
			return
		}
		if err != nil && vague {
			return
		}
		if err != nil {
			in.dir.err = err
			return
		}
		digest.WriteString(d)
	}
	in.digest = digest.String()
}

// anyFile begins the digest of a whole directory of which it is not known what is read.
const anyFile = "any:"

// words are those of a COPY or ADD as they are written, if the base image's configuration is part of what they come to.
type words struct {
	p                  *planner
	env                *environ
	uncertain          bool
	sources            []string
	dest, chown, chmod string
}

func (p *planner) asWritten(s *state, c command, uncertain string) *words {
	w := &words{p: p, env: &s.env, uncertain: uncertain != ""}
	if uncertain == "" {
		return w
	}
	switch cmd := c.in.Command.(type) {
	case *instructions.CopyCommand:
		w.sources, w.dest, w.chown, w.chmod = cmd.SourcePaths, cmd.DestPath, cmd.Chown, cmd.Chmod
	case *instructions.AddCommand:
		w.sources, w.dest, w.chown, w.chmod = cmd.SourcePaths, cmd.DestPath, cmd.Chown, cmd.Chmod
	}
	return w
}

// word is the value of what a word comes to.
func (w *words) word(text, written string) value {
	if !w.uncertain {
		return plain(text)
	}
	v, _ := w.p.x.word(written, w.env)
	return value{text, v.opaque}
}

// heredocFile is the file that a heredoc's body makes.
func (p *planner) heredocFile(name string, mode int, data string) *vertex {
	key := (&keyWriter{}).str("mkfile", path.Join("/", name)).num(mode).str(data).done()
	return p.vertex(vertex{
		kind: mkfileVertex, key: key, op: p.exactMkfile(name, mode, data), file: p.exactFile(mode, data),
	})
}

func fileDigest(mode int, data string) string {
	sum := (&keyWriter{}).num(mode).str(data).sum()
	return "file:" + sum.strict
}

func ownerText(chown string) string {
	return owner(plain(chown)).text
}

// modeKey reads --chmod: an octal number, however it is written, or a symbolic mode.
func modeKey(chmod string) string {
	if chmod == "" {
		return ""
	}
	if n, err := strconv.ParseUint(chmod, 8, 32); err == nil {
		return strconv.FormatUint(n, 8)
	}
	return chmod
}
