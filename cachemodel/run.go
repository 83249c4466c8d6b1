package cachemodel

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
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
	open     bool   // the target is below a working directory that is not known
}

// forks reports whether the mount is a directory that was sent, with what the command writes upon it.
func (m mount) forks() bool {
	return m.kind == "bind" && !m.readonly && (m.context || m.source != nil && m.source.kind == localVertex)
}

// run carries out RUN (dockerfile2llb.dispatchRun, client/llb ExecOp.Marshal, llbsolver ExecOp.CacheMap).
func (p *planner) run(st *stagePlan, c command, cmd *instructions.RunCommand, uncertain string) error {
	s := &st.state
	c.step.platform = s.platform
	args, script := runArgs(cmd, s.os())
	var mounts []mount
	var secrets secrets
	if len(c.in.Flags) > 0 {
		var err error
		if mounts, err = p.mounts(st, c, cmd, uncertain != ""); err != nil {
			return err
		}
		secrets = readSecrets(cmd)
	}
	if script != nil {
		mount := mount{
			target:   "/dev/pipes/",
			source:   p.heredocFile(cmd.Files[0].Name, 0o755, *script),
			readonly: true,
			kind:     "bind",
			digest:   fileDigest(0o755, *script),
		}
		mounts = slices.Insert(mounts, 0, mount)
	}

	w := p.key.reset().str("exec").val(s.platform)
	commandLine(w, s, cmd.PrependShell, args)
	env := runEnv(s, secrets)
	w.environment(env.sum).part(s.cwd.value).part(s.user.value).val(p.runWith).val(value{opaque: uncertain})
	w.flag(removesStubs(p.dialect))
	w.loose = w.loose || uncertain != "" // its mounts may be any
	p.runFlags(w, c, cmd)
	w.list(secrets.envs).list(secrets.files).list(secrets.sockets)

	// Mounts are sorted by target, so that the root file system comes first; equal sources are one input.
	slices.SortStableFunc(mounts, func(a, b mount) int { return strings.Compare(a.target, b.target) })
	inputs := rootInput(s.root)
	byInput := make([][]mount, len(inputs))
	of := make([]int, 0, len(mounts)) // which input each mount is of
	for _, m := range mounts {
		w.loose = w.loose || m.open
		w.str("mount", m.target, m.kind).flag(m.readonly).num(int(m.size))
		if m.kind == "cache" {
			w.str(cacheMountKey(m))
		}
		at := -1
		if m.source != nil || m.context {
			for i := range inputs {
				if m.joins(inputs[i].from, byInput[i]) {
					at = i
					break
				}
			}
			if at < 0 {
				at = len(inputs)
				inputs = append(inputs, input{from: m.source})
				byInput = append(byInput, nil)
			}
			byInput[at] = append(byInput[at], m)
		}
		w.num(at)
		of = append(of, at)
	}
	for i, ms := range byInput {
		if len(ms) > 0 {
			p.mountInput(&inputs[i], ms, i == 0 && s.root != nil, uncertain != "")
		}
	}
	v := vertex{
		kind:        execVertex,
		key:         w.done(),
		gist:        strings.Join(args, " "),
		env:         env,
		inputs:      inputs,
		ignoreCache: p.ignoreCache,
		onContext:   slices.ContainsFunc(mounts, mount.forks),
		devices:     len(c.in.Flags) > 0 && devices(cmd) != value{},
		op:          p.exactRun(s, cmd, args, mounts, of, secrets, len(c.in.Flags) > 0),
	}
	p.stack(s, c, v, mountIdentity(mounts)...)
	return nil
}

// joins reports whether a mount is of an input, of which other mounts are. Of a named context's folder BuildKit has
// each path sent as a source of its own.
func (m *mount) joins(from *vertex, others []mount) bool {
	return from == m.source &&
		(from == nil || from.kind != localVertex || len(others) == 0 || others[0].selector == m.selector)
}

// runArgs are the words of the command without the shell. A heredoc with a #! line is a script of its own that is
// mounted and run; another one is the shell's argument.
func runArgs(cmd *instructions.RunCommand, os string) (args []string, script *string) {
	if len(cmd.Files) == 0 || len(cmd.CmdLine) == 0 {
		return cmd.CmdLine, nil
	}
	if parser.MustParseHeredoc(cmd.CmdLine[0]) != nil {
		data := cmd.Files[0].Data
		if cmd.Files[0].Chomp {
			data = parser.ChompHeredocContent(data)
		}
		if os != "windows" && strings.HasPrefix(data, "#!") {
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

// commandLine adds the words of a command to its key. The shell stands in front as if it had been written there
// (dockerfile2llb.withShell).
func commandLine(w *keyWriter, s *state, inShell bool, args []string) {
	if len(args) > 0 && !inShell {
		w.str(args[len(args)-1])
	}
	if !inShell {
		w.part(plain(joined(args...)))
		return
	}
	text := strings.Join(args, " ")
	whole := plain(joined(slices.Concat(s.shellWords(), []string{text})...))
	if s.shell.opaque != "" {
		whole = spell(whole.text, s.shell.value.atoms()+joined(text))
	}
	w.str(text).part(whole)
}

// joined writes words as one string.
func joined(words ...string) string { return string((&keyWriter{}).str(words...).lax) }

// shellWords are the words of the shell that stands in front.
func (s *state) shellWords() []string {
	switch {
	case s.shell.text != "":
		return strings.Split(s.shell.text, "\x00")[1:]
	case s.os() == "windows":
		return windowsShell
	}
	return defaultShell
}

// shellText writes the words of a shell as one string, each behind a NUL; "" is the default shell.
func shellText(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "\x00" + strings.Join(words, "\x00")
}

var (
	defaultShell = []string{"/bin/sh", "-c"}
	windowsShell = []string{"cmd", "/S", "/C"}
)

// runEnv is the environment of a command: with an SSH mount it also has the socket's place.
func runEnv(s *state, secrets secrets) *environment {
	const key = "SSH_AUTH_SOCK"
	if secrets.socket == "" || s.env.index[key] != nil {
		return &environment{s.env.head, s.env.digest()}
	}
	env := s.env.clone()
	env.set(key, plain(secrets.socket), origin{})
	return &environment{env.head, env.digest()}
}

// mounts reads the bind, cache and tmpfs mounts (dockerfile2llb.dispatchRunMounts). vague says that their words hang on
// what the base image sets.
func (p *planner) mounts(st *stagePlan, c command, cmd *instructions.RunCommand, vague bool) ([]mount, error) {
	var out []mount
	for i, m := range instructions.GetMounts(cmd) {
		if m.Type == instructions.MountTypeSecret || m.Type == instructions.MountTypeSSH {
			continue
		}
		mt := mount{kind: string(m.Type), readonly: m.ReadOnly, target: m.Target}
		if !path.IsAbs(path.Clean(m.Target)) {
			mt.target, mt.open = path.Join("/", st.state.cwd.text, m.Target), st.state.cwd.opaque != ""
		}
		if mt.target == "/" && !vague && !mt.open {
			return nil, errors.New("a mount cannot have the root directory as its target")
		}
		if src := path.Join("/", m.Source); src != "/" {
			mt.selector = src
		}
		var err error
		switch {
		case m.Type == instructions.MountTypeTmpfs:
			mt.size, mt.selector = m.SizeLimit, ""
		case m.From == "" && m.Type == instructions.MountTypeBind:
			mt.context = true
		default:
			mt.source, err = p.sourceRoot(c.sources[i], st)
		}
		if err != nil {
			return nil, err
		}
		if m.Type == instructions.MountTypeCache {
			id := m.CacheID
			if id == "" {
				id = path.Clean(m.Target)
			}
			mt.cacheID = p.cacheNS + "/" + id
			mt.sharing = m.CacheSharing
			if mt.selector == "" && (m.UID != nil || m.GID != nil || m.Mode != nil) {
				mt.selector = "/cache"
				mt.source, mt.digest = p.cacheDir(mt.source, m)
			}
		}
		out = append(out, mt)
	}
	return out, nil
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
	key := w.done()
	digest := ""
	if root == nil {
		digest = "cachedir:" + key.strict
	}
	do := remotecache.Mkdir{Path: "/cache", Mode: int32(mode & 0o777), Timestamp: -1}
	op := p.exactMkdir(do, fmt.Sprintf("%d:%d", uid, gid), root != nil)
	return p.vertex(vertex{kind: mkdirVertex, key: key, inputs: rootInput(root), op: op}), digest
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

// secrets are the secret and ssh mounts of a command, as its key has them: their names, never their values.
type secrets struct {
	envs, files, sockets []string
	socket               string // the first socket's path
}

// readSecrets is dockerfile2llb.dispatchSecret and dispatchSSH for all mounts of a command.
func readSecrets(cmd *instructions.RunCommand) secrets {
	var out secrets
	for _, m := range instructions.GetMounts(cmd) {
		switch m.Type {
		case instructions.MountTypeSecret:
			id := m.CacheID
			if m.Source != "" {
				id = m.Source
			}
			if id == "" {
				id = path.Base(m.Target)
			}
			required := strconv.FormatBool(m.Required)
			if m.Env != nil {
				out.envs = append(out.envs, id, *m.Env, required)
			}
			if m.Env == nil || m.Target != "" {
				target := m.Target
				if target == "" {
					target = "/run/secrets/" + path.Base(id)
				}
				out.files = append(out.files, id, target, required, permissions(m, 0o400))
			}
		case instructions.MountTypeSSH:
			target := m.Target
			if target == "" {
				target = fmt.Sprintf("/run/buildkit/ssh_agent.%d", len(out.sockets)/4)
			}
			if out.socket == "" {
				out.socket = target
			}
			out.sockets = append(out.sockets, m.CacheID, target, strconv.FormatBool(m.Required), permissions(m, 0o600))
		}
	}
	return out
}

// permissions are a mount's owner and mode.
func permissions(m *instructions.Mount, mode uint64) string {
	or := func(n *uint64, unset uint64) uint64 {
		if n == nil {
			return unset
		}
		return *n
	}
	return fmt.Sprintf("%d:%d:%o", or(m.UID, 0), or(m.GID, 0), or(m.Mode, mode))
}

// mountInput fills in how the cache compares what several mounts read of one source (ExecOp.getMountDeps). The source
// that is the step's own root file system is compared by content only because it is mounted again.
func (p *planner) mountInput(in *input, mounts []mount, isRoot, vague bool) {
	var paths []string
	if isRoot {
		paths = append(paths, "/")
	}
	for _, m := range mounts {
		paths = append(paths, path.Join("/", m.selector))
	}
	in.selector = strings.Join(paths, "\x00")
	last := mounts[len(mounts)-1]
	// Every mount but the root's either is read-only or keeps no output. Of a directory, only what is used is sent:
	// where the root and a mount use different paths, they are two sources (dockerui.ContextOpt.AsyncLocalOpts).
	in.content = !isRoot || in.from.kind != localVertex ||
		slices.ContainsFunc(mounts, func(m mount) bool { return m.selector == "" })
	if len(mounts) == 1 && !isRoot {
		in.digest = last.digest
	}
	var queries []buildcontext.Query
	for _, path := range dedupePaths(paths) {
		queries = append(queries, buildcontext.Query{Path: path, FollowLinks: true})
	}
	if in.from == nil || in.from.kind == localVertex {
		p.readDirectory(in, queries, vague)
	} else if !vague && !isRoot {
		in.readMade(queries)
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
	sorted := slices.SortedFunc(slices.Values(paths), byFolder)
	var out []string
	for _, p := range sorted {
		if n := len(out); n > 0 && (p == out[n-1] || strings.HasPrefix(p, strings.TrimSuffix(out[n-1], "/")+"/")) {
			continue
		}
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// byFolder compares paths so that what lies within a folder follows it at once.
func byFolder(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}
