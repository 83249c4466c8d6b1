package cachemodel

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// transfer is a COPY or ADD with all that makes its operation (dockerfile2llb.copyConfig).
type transfer struct {
	instructions.SourcesAndDest
	in       *dockerfile.Instruction
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
}

func (p *planner) copy(st *stagePlan, step *step, in *dockerfile.Instruction, cmd *instructions.CopyCommand, uncertain string) {
	t := transfer{
		SourcesAndDest: cmd.SourcesAndDest, in: in,
		chown: cmd.Chown, chmod: cmd.Chmod, link: cmd.Link, parents: cmd.Parents, exclude: cmd.ExcludePatterns,
	}
	if cmd.From != "" {
		root, ok := p.sourceRoot(cmd.From, p.stageByNameOrIndex(cmd.From), st)
		if !ok {
			p.unreadable(&st.state, step, in)
			return
		}
		t.from, t.scratch = root, root == nil
	}
	p.transfer(&st.state, step, t, uncertain)
}

func (p *planner) add(st *stagePlan, step *step, in *dockerfile.Instruction, cmd *instructions.AddCommand, uncertain string) {
	p.transfer(&st.state, step, transfer{
		SourcesAndDest: cmd.SourcesAndDest, in: in, add: true,
		chown: cmd.Chown, chmod: cmd.Chmod, link: cmd.Link, exclude: cmd.ExcludePatterns,
		unpack: cmd.Unpack, keepGit: cmd.KeepGitDir, checksum: cmd.Checksum,
	}, uncertain)
}

// sourceRoot finds what --from or from= names: the file system of a stage that stands above, or an image. It reports
// false for a stage that is not there yet.
func (p *planner) sourceRoot(name string, stage *stagePlan, user *stagePlan) (*vertex, bool) {
	if stage != nil {
		if stage.replaced {
			return p.source(stage.stage.Name, user.state.platform), true
		}
		return stage.state.root, stage.dispatched && stage != user
	}
	if _, err := strconv.Atoi(name); err == nil && p.Contexts[name] == nil {
		return nil, false
	}
	if name == "scratch" {
		return nil, true
	}
	return p.source(name, p.platform()), true
}

// transfer plans the file operation: one action for each source (dockerfile2llb.dispatchCopy, FileOp.CacheMap).
func (p *planner) transfer(s *state, step *step, t transfer, uncertain string) {
	linked := t.link && t.chmod == ""
	root := s.root
	if linked {
		root = nil
	}
	dest := copyDest(s.cwd.value, t.DestPath)
	w := (&keyWriter{}).str("copy").val(value{opaque: uncertain})
	inputs := rootInput(root)
	selectors := map[int][]buildcontext.Query{}
	action := func(src *vertex, context bool, q buildcontext.Query, digest string, flags ...string) {
		at := -1
		if src != nil || context {
			at = slices.IndexFunc(inputs, func(in input) bool { return in.from == src })
			if at < 0 {
				at = len(inputs)
				inputs = append(inputs, input{from: src, content: true, digest: digest})
			}
			selectors[at] = append(selectors[at], q)
		}
		base := q.Path
		if at >= 0 {
			base = path.Base(q.Path) // only the last part of the source is in the key
		}
		w.num(at).str(base).val(dest).str(ownerText(t.chown), modeKey(t.chmod)).list(q.Include).list(q.Exclude).list(q.Required).list(flags)
	}

	for _, src := range t.SourcePaths {
		switch {
		case t.add && isGit(src):
			v, digest := p.git(src, t)
			action(v, false, buildcontext.Query{Path: "/"}, digest, "remote")
		case t.add && isURL(src):
			v, name, digest := p.http(src, t.checksum)
			action(v, false, buildcontext.Query{Path: "/" + name}, digest, "remote", strconv.FormatBool(t.unpack != nil && *t.unpack))
		default:
			unpack := t.add
			if t.unpack != nil {
				unpack = *t.unpack
			}
			q := sourceQuery(src, t)
			action(t.from, t.from == nil && !t.scratch, q, "", "local", strconv.FormatBool(unpack))
		}
	}
	for _, content := range t.SourceContents {
		action(p.heredocFile(content.Path, 0o644, content.Data), false, buildcontext.Query{Path: path.Join("/", content.Path)}, fileDigest(0o644, content.Data), "heredoc")
	}
	for at, queries := range selectors {
		if at == 0 && root != nil {
			inputs[at].content = false // a source that is the destination's own root is compared by definition only
			continue
		}
		inputs[at].selector = selectorText(queries)
		if inputs[at].from == nil {
			p.readContext(&inputs[at], dedupeQueries(queries))
		}
	}
	v := p.vertex(vertex{kind: copyVertex, key: w.sum(), inputs: inputs, ignoreCache: p.Settings.NoCache})
	step.add(v)
	if linked && s.root != nil {
		merge := p.vertex(vertex{kind: mergeVertex, key: (&keyWriter{}).str("merge").sum(), inputs: []input{{from: s.root}, {from: v}}, ignoreCache: p.Settings.NoCache})
		step.add(merge)
		step.linked = true
		v = merge
	}
	s.root = v
}

// copyDest is the absolute destination. A slash, or slash and dot, at its end is kept (system.NormalizePath,
// llb.normalizePath).
func copyDest(cwd value, dest string) value {
	if dest == "." || dest == "" {
		dest = "./"
	}
	v := value{text: path.Clean(dest)}
	if !path.IsAbs(v.text) {
		v.opaque = cwd.opaque
		v.text = path.Join("/", cwd.text, dest)
	}
	end := ""
	if strings.HasSuffix(dest, "/") && !strings.HasSuffix(v.text, "/") {
		end = "/"
	} else if strings.HasSuffix(dest, "/.") {
		end = "/."
		if v.text == "/" {
			end = "."
		}
	}
	v.text += end
	if v.opaque != "" {
		v.opaque += "\x00dest\x00" + path.Clean(dest) + end
	}
	return v
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

// readContext gives an input the digest of what is read of the build context.
func (p *planner) readContext(in *input, queries []buildcontext.Query) {
	in.tree, in.queries = p.Context, queries
	if p.Context == nil {
		in.digest = "no context" // nothing is known of it on either side: only the Dockerfile is compared
		return
	}
	w := &keyWriter{}
	for _, q := range queries {
		d, err := p.Context.Digest(q)
		if err != nil {
			in.err = err
			return
		}
		w.str(d)
	}
	sum := w.sum()
	in.digest = "context:" + string(sum.strict[:])
}

// heredocFile is the file that a heredoc's body makes.
func (p *planner) heredocFile(name string, mode int, data string) *vertex {
	key := (&keyWriter{}).str("mkfile", path.Join("/", name)).num(mode).str(data).sum()
	return p.vertex(vertex{kind: mkfileVertex, key: key})
}

func fileDigest(mode int, data string) string {
	sum := (&keyWriter{}).num(mode).str(data).sum()
	return "file:" + string(sum.strict[:])
}

func ownerText(chown string) string {
	return owner(plain(chown)).text
}

// modeKey reads --chmod: an octal number, however it is written, or a symbolic mode.
func modeKey(chmod string) string {
	if n, err := strconv.ParseUint(chmod, 8, 32); err == nil {
		return strconv.FormatUint(n, 8)
	}
	return chmod
}

func isURL(src string) bool {
	return strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://")
}

// isGit reports whether a source of ADD is a git repository (dfgitutil.ParseGitRef).
func isGit(src string) bool {
	if isURL(src) {
		u, err := url.Parse(src)
		return err == nil && strings.HasSuffix(u.Path, ".git")
	}
	if strings.HasPrefix(src, "git://") || strings.HasPrefix(src, "ssh://") {
		return true
	}
	user, rest, ok := strings.Cut(src, "@")
	host, _, colon := strings.Cut(rest, ":")
	return ok && colon && user != "" && !strings.ContainsAny(user, "/:") && host != "" && !strings.Contains(host, "/")
}

// http is the vertex of a URL, with the name of its file. Its content is known only by a checksum.
func (p *planner) http(src, checksum string) (v *vertex, name, digest string) {
	name = "__unnamed__"
	if u, err := url.Parse(src); err == nil {
		if base := path.Base(u.Path); base != "." && base != "/" {
			name = base
		}
	}
	if checksum != "" {
		digest = "http:" + checksum
	}
	key := (&keyWriter{}).str("http", src, name, checksum).sum()
	return p.vertex(vertex{kind: remoteVertex, key: key}), name, digest
}

// git is the vertex of a git repository. Its content is known only by a commit's full name.
func (p *planner) git(src string, t transfer) (v *vertex, digest string) {
	remote, fragment, _ := strings.Cut(src, "#")
	ref, subdir, _ := strings.Cut(fragment, ":")
	commit := t.checksum
	if u, err := url.Parse(remote); err == nil && u.RawQuery != "" {
		q := u.Query()
		for _, name := range []string{"commit", "checksum"} {
			if q.Has(name) {
				commit = q.Get(name)
			}
		}
		for _, name := range []string{"ref", "tag", "branch"} {
			if q.Has(name) {
				ref = q.Get(name)
			}
		}
	}
	if commit == "" {
		commit = ref
	}
	keep := t.keepGit != nil && *t.keepGit
	if isCommit(commit) {
		// With the repository itself kept, its remote and ref are part of what is copied.
		digest = "git:" + commit + "\x00" + subdir
		if u, err := url.Parse(remote); err == nil {
			digest += "\x00" + u.RawQuery
		}
		if keep {
			digest += "\x00" + src
		}
	}
	key := (&keyWriter{}).str("git", src, t.checksum).flag(keep).sum()
	return p.vertex(vertex{kind: remoteVertex, key: key}), digest
}

func isCommit(ref string) bool {
	if len(ref) != 40 && len(ref) != 64 {
		return false
	}
	return strings.Trim(ref, "0123456789abcdef") == ""
}
