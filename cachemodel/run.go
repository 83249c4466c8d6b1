package cachemodel

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// mount is one mount of a RUN as it stands in the exec operation (pb.Mount).
type mount struct {
	target   string
	source   *vertex // nil unless something is mounted
	context  bool    // the build context is mounted
	selector string  // path within the source, "" is all of it
	readonly bool
	kind     string // "bind", "cache" or "tmpfs"
	cacheID  string
	sharing  instructions.ShareMode
	size     int64
	digest   string // of the content, where it is known
}

// run carries out RUN (dockerfile2llb.dispatchRun, client/llb ExecOp.Marshal, llbsolver ExecOp.CacheMap).
func (p *planner) run(st *stagePlan, step *step, in *dockerfile.Instruction, cmd *instructions.RunCommand, uncertain string) {
	s := &st.state
	step.platform = s.platform
	args, script := runArgs(cmd)
	mounts, ok := p.mounts(st, cmd)
	if !ok {
		p.unreadable(s, step, in)
		return
	}
	if script != nil {
		mounts = append(mounts, mount{target: "/dev/pipes/", source: p.heredocFile(cmd.Files[0].Name, 0o755, *script), selector: "", readonly: true, kind: "bind", digest: fileDigest(0o755, *script)})
	}

	w := (&keyWriter{}).str("exec", s.platform)
	if cmd.PrependShell {
		w.val(shellWords(s.shell.value))
	}
	w.list(args)
	w.key(s.env.digest()).val(s.cwd.value).val(s.user.value)
	w.str(p.hostname, string(instructions.GetNetwork(cmd)), string(instructions.GetSecurity(cmd)))
	w.val(value{opaque: uncertain})
	for _, d := range instructions.GetDevices(cmd) {
		w.str("device", d.Name).flag(d.Required)
	}
	p.secrets(w, cmd)

	// Mounts are sorted by target, so that the root file system comes first; equal sources are one input.
	slices.SortStableFunc(mounts, func(a, b mount) int { return strings.Compare(a.target, b.target) })
	inputs := rootInput(s.root)
	byInput := make([][]mount, len(inputs))
	for _, m := range mounts {
		w.str("mount", m.target, m.kind).flag(m.readonly).num(int(m.size))
		if m.kind == "cache" {
			w.str(cacheMountKey(m))
		}
		at := -1
		if m.source != nil || m.context {
			at = slices.IndexFunc(inputs, func(in input) bool { return in.from == m.source })
			if at < 0 {
				at = len(inputs)
				inputs = append(inputs, input{from: m.source})
				byInput = append(byInput, nil)
			}
			byInput[at] = append(byInput[at], m)
		}
		w.num(at)
	}
	for i, ms := range byInput {
		if len(ms) > 0 {
			p.mountInput(&inputs[i], ms, i == 0 && s.root != nil)
		}
	}
	v := p.vertex(vertex{kind: execVertex, key: w.sum(), inputs: inputs, ignoreCache: p.Settings.NoCache}, mountIdentity(mounts)...)
	s.root = v
	step.add(v)
}

// runArgs are the words of the command without the shell. A heredoc with a #! line is a script of its own that is
// mounted and run; another one is the shell's argument.
func runArgs(cmd *instructions.RunCommand) (args []string, script *string) {
	if len(cmd.Files) == 0 {
		if cmd.PrependShell {
			return []string{strings.Join(cmd.CmdLine, " ")}, nil
		}
		return cmd.CmdLine, nil
	}
	if parser.MustParseHeredoc(cmd.CmdLine[0]) != nil {
		data := cmd.Files[0].Data
		if cmd.Files[0].Chomp {
			data = parser.ChompHeredocContent(data)
		}
		if strings.HasPrefix(data, "#!") {
			return []string{path.Join("/dev/pipes/", cmd.Files[0].Name)}, &data
		}
		return []string{data}, nil
	}
	var b strings.Builder
	b.WriteString(cmd.CmdLine[0])
	for _, file := range cmd.Files {
		b.WriteString("\n" + file.Data + file.Name)
	}
	return []string{b.String()}, nil
}

// shellWords spells out the default shell, which is the same as naming it.
func shellWords(shell value) value {
	if shell.text == "" {
		shell.text = "/bin/sh\x00-c"
	}
	return shell
}

// mounts reads the bind, cache and tmpfs mounts (dockerfile2llb.dispatchRunMounts). It reports false where BuildKit
// rejects one.
func (p *planner) mounts(st *stagePlan, cmd *instructions.RunCommand) ([]mount, bool) {
	var out []mount
	for _, m := range instructions.GetMounts(cmd) {
		if m.Type == instructions.MountTypeSecret || m.Type == instructions.MountTypeSSH {
			continue
		}
		mt := mount{kind: string(m.Type), readonly: m.ReadOnly, target: m.Target}
		if !path.IsAbs(path.Clean(m.Target)) {
			mt.target = path.Join("/", st.state.cwd.text, m.Target)
		}
		if mt.target == "/" {
			return nil, false
		}
		if m.Type == instructions.MountTypeTmpfs {
			mt.size = m.SizeLimit
			out = append(out, mt)
			continue
		}
		if src := path.Join("/", m.Source); src != "/" {
			mt.selector = src
		}
		switch {
		case m.From != "":
			root, ok := p.sourceRoot(m.From, p.byName[strings.ToLower(m.From)], st)
			if !ok {
				return nil, false
			}
			mt.source = root
		case m.Type == instructions.MountTypeBind:
			mt.context = true
		}
		if m.Type == instructions.MountTypeCache {
			id := m.CacheID
			if id == "" {
				id = path.Clean(m.Target)
			}
			mt.cacheID = p.cacheNS + "/" + id
			mt.sharing = m.CacheSharing
		}
		if mt.selector == "" && (m.UID != nil || m.GID != nil || m.Mode != nil) {
			mt.selector = "/cache"
			mt.source, mt.digest = p.cacheDir(mt.source, m)
		}
		out = append(out, mt)
	}
	return out, true
}

// cacheDir is the directory that a cache mount with an owner or mode starts from.
func (p *planner) cacheDir(root *vertex, m *instructions.Mount) (*vertex, string) {
	mode := uint64(0o755)
	if m.Mode != nil {
		mode = *m.Mode
	}
	var uid, gid uint64
	if m.UID != nil {
		uid = *m.UID
	}
	if m.GID != nil {
		gid = *m.GID
	}
	w := (&keyWriter{}).str("mkdir", "/cache").num(int(mode)).num(int(uid)).num(int(gid))
	sum := w.sum()
	return p.vertex(vertex{kind: mkdirVertex, key: sum, inputs: rootInput(root)}), "cachedir:" + string(sum.strict[:])
}

// cacheMountKey is what a cache mount adds to the key: its id and sharing only where both are the defaults
// (llbsolver/ops.checkShouldClearCacheOpts).
func cacheMountKey(m mount) string {
	shared := m.sharing == "" || m.sharing == instructions.MountSharingShared
	if shared {
		if _, id, ok := strings.Cut(m.cacheID, "/"); m.cacheID == m.target || ok && id == m.target {
			return m.cacheID
		}
	}
	return ""
}

// secrets adds the secret and ssh mounts to the key: their names, never their values.
func (p *planner) secrets(w *keyWriter, cmd *instructions.RunCommand) {
	number := func(n *uint64, unset int) int {
		if n == nil {
			return unset
		}
		return int(*n)
	}
	sockets := 0
	for _, m := range instructions.GetMounts(cmd) {
		owned := m.UID != nil || m.GID != nil || m.Mode != nil
		switch m.Type {
		case instructions.MountTypeSecret:
			id := m.CacheID
			if m.Source != "" {
				id = m.Source
			}
			if id == "" {
				id = path.Base(m.Target)
			}
			target := m.Target
			if m.Env == nil && target == "" {
				target = "/run/secrets/" + path.Base(id)
			}
			w.str("secret", id, target).flag(m.Required)
			if m.Env != nil {
				w.str("env", *m.Env)
			}
			if target != "" && owned {
				w.num(number(m.UID, 0)).num(number(m.GID, 0)).num(number(m.Mode, 0o400))
			}
		case instructions.MountTypeSSH:
			target := m.Target
			if target == "" {
				target = "/run/buildkit/ssh_agent." + strconv.Itoa(sockets)
			}
			sockets++
			w.str("ssh", m.CacheID, target).flag(m.Required)
			if owned {
				w.num(number(m.UID, 0)).num(number(m.GID, 0)).num(number(m.Mode, 0o600))
			}
		}
	}
}

// mountInput fills in how the cache compares what several mounts read of one source (ExecOp.getMountDeps). The source
// that is the step's own root file system is compared by content only because it is mounted again.
func (p *planner) mountInput(in *input, mounts []mount, isRoot bool) {
	var paths []string
	if isRoot {
		paths = append(paths, "/")
	}
	for _, m := range mounts {
		paths = append(paths, path.Join("/", m.selector))
	}
	in.selector = strings.Join(paths, "\x00")
	last := mounts[len(mounts)-1]
	// Every mount but the root's either is read-only or keeps no output.
	in.content = true
	if len(mounts) == 1 && !isRoot {
		in.digest = last.digest
	}
	if in.from == nil {
		paths = dedupePaths(paths)
		var queries []buildcontext.Query
		for _, path := range paths {
			queries = append(queries, buildcontext.Query{Path: path, FollowLinks: true})
		}
		p.readContext(in, queries)
	}
}

func mountIdentity(mounts []mount) []string {
	var out []string
	for _, m := range mounts {
		out = append(out, m.cacheID, string(m.sharing))
	}
	return out
}

// dedupePaths drops paths that lie within another (llbsolver/ops.dedupePaths).
func dedupePaths(paths []string) []string {
	var out []string
	for i, p := range paths {
		covered := false
		for j, q := range paths {
			covered = covered || p != q && strings.HasPrefix(p, strings.TrimSuffix(q, "/")+"/") || p == q && j < i
		}
		if !covered {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}
