package cachemodel

import (
	"archive/tar"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/docker/go-units"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// operation gives the own key of a vertex as BuildKit computes it, "" where that is not known. It is asked only where
// the vertex's key hangs on nothing that is not known. A plan that nobody asks for these keys has none.
type operation func() remotecache.Digest

// Exact are the plan's vertices with the keys that BuildKit computes for them, as an exported cache has them. read
// gives the contents of the context's files. What is not known has no key: what stands on a base image of which the
// digest or the configuration is not known, what is behind a URL, and of a stage's files the contents.
func (p *Plan) Exact(read buildcontext.Contents) []remotecache.Vertex {
	p = newPlan(p.build, true, false, nil)
	out := make([]remotecache.Vertex, len(p.vertices))
	for i, v := range p.vertices {
		if v.op != nil && !v.key.open {
			out[i].Digest = v.op()
		}
		for n := range v.inputs {
			out[i].Inputs = append(out[i].Inputs, v.exactInput(n, read))
		}
	}
	return out
}

// BaseImage is an image that a build starts from, copies from or mounts.
type BaseImage struct {
	Reference string // as Build.Images has it
	Platform  string
}

// BaseImages are the images of which the plan tells which ones they are, each once for each platform.
func (p *Plan) BaseImages() (out []BaseImage) {
	for _, v := range p.vertices {
		if v.kind != imageVertex || v.image.elsewhere || v.image.loose {
			continue
		}
		if image := (BaseImage{v.image.name, v.image.platform}); !slices.Contains(out, image) {
			out = append(out, image)
		}
	}
	return out
}

// exactInput is the n-th input of a vertex.
func (v *vertex) exactInput(n int, read buildcontext.Contents) remotecache.Input {
	in := &v.inputs[n]
	out := remotecache.Input{From: remotecache.None}
	if in.from != nil {
		out.From = in.from.index
	}
	paths := strings.Split(in.selector, "\x00")
	switch {
	case v.kind == execVertex && in.selector == "":
		paths = []string{"/"}
	case in.selector == "":
		return out
	case v.kind == copyVertex: // for historical reasons
		slices.Reverse(paths)
	}
	out.Selector = remotecache.Selector(paths)
	if !in.content {
		return out
	}
	out.Reads = true
	if in.dir != nil && in.dir.tree != nil {
		out.Content = exactContent(in.dir, read)
	} else if in.from != nil && in.from.file != nil && v.kind == copyVertex {
		out.Content = remotecache.Content([]remotecache.Digest{in.from.file()})
	}
	return out
}

// exactContent is the digest of what is read of a directory, "" if it is not known.
func exactContent(r *reading, read buildcontext.Contents) remotecache.Digest {
	digests := make([]remotecache.Digest, len(r.queries))
	for i, q := range r.queries {
		d, err := r.tree.Exact(q, read)
		if err != nil {
			return ""
		}
		digests[i] = remotecache.Digest(d)
	}
	return remotecache.Content(digests)
}

// exactPlatform is a platform in the parts that BuildKit hashes.
func exactPlatform(text string) (remotecache.Platform, bool) {
	p, err := platforms.Parse(text)
	if err != nil {
		return remotecache.Platform{}, false
	}
	p = platforms.Normalize(p)
	return remotecache.Platform{OS: p.OS, Arch: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}, true
}

// exactImage is the operation of a base image.
func (p *planner) exactImage(ref *imageRef) operation {
	if !p.exact {
		return nil
	}
	return func() remotecache.Digest {
		p, ok := exactPlatform(ref.platform)
		if !ok || ref.digest == "" {
			return ""
		}
		return remotecache.Image(remotecache.Digest(ref.digest), p)
	}
}

// exactRun is the operation of a RUN with its mounts in order, of which inputs[i] is the input of the i-th, and with
// none for the root if that is empty.
func (p *planner) exactRun(s *state, cmd *instructions.RunCommand, args []string, mounts []mount, inputs []int,
	secrets secrets, flags bool,
) operation {
	if !p.exact || flags && len(instructions.GetDevices(cmd)) > 0 { // see devices
		return nil
	}
	words, env, cwd, user, platform := args, s.env.head, s.cwd.text, s.user.text, s.platform.text
	if cmd.PrependShell {
		words = append(slices.Clone(s.shellWords()), strings.Join(args, " "))
	}
	settings, hostArgs, stubs, root := p.Settings, p.args, removesStubs(p.dialect), s.root != nil
	return func() remotecache.Digest {
		target, ok := exactPlatform(platform)
		meta := remotecache.Meta{Args: words, Cwd: cwd, User: user, RemoveMountStubsRecursive: stubs}
		hasSocket := false
		for _, n := range env.list() {
			hasSocket = hasSocket || n.key == "SSH_AUTH_SOCK"
			ok = ok && !strings.Contains(n.val.text, tooLong)
			meta.Env = append(meta.Env, n.key+"="+n.val.text)
		}
		if secrets.socket != "" && !hasSocket {
			meta.Env = append(meta.Env, "SSH_AUTH_SOCK="+secrets.socket)
		}
		run := settings.normal(hostArgs)
		meta.Hostname, meta.CgroupParent = run.Hostname, run.CgroupParent
		for _, host := range run.ExtraHosts {
			meta.ExtraHosts = append(meta.ExtraHosts, remotecache.Host{Host: host})
		}
		for _, text := range run.Ulimits {
			limit, err := units.ParseUlimit(text)
			if err != nil {
				return ""
			}
			meta.Ulimit = append(meta.Ulimit, remotecache.Ulimit{Name: limit.Name, Soft: limit.Soft, Hard: limit.Hard})
		}
		if !ok || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, tooLong) }) {
			return ""
		}
		e := remotecache.Exec{Meta: meta, Mounts: exactMounts(mounts, inputs, root, run.ShmSize)}
		e.Network, e.Security = exactFlags(cmd, run.Network, flags)
		exactSecrets(&e, secrets)
		return e.Digest(target)
	}
}

// exactFlags are the network mode and the security mode of a RUN.
func exactFlags(cmd *instructions.RunCommand, network string, flags bool) (int, int) {
	security := 0
	if flags {
		if flag := instructions.GetNetwork(cmd); flag != instructions.NetworkDefault {
			network = string(flag)
		}
		if instructions.GetSecurity(cmd) == instructions.SecurityInsecure {
			security = remotecache.SecurityInsecure
		}
	}
	modes := map[string]int{"host": remotecache.NetworkHost, "none": remotecache.NetworkNone}
	return modes[network], security
}

// exactMounts are the mounts of a RUN but for secrets and sockets, the root first.
func exactMounts(mounts []mount, inputs []int, root bool, shm int64) []remotecache.Mount {
	out := make([]remotecache.Mount, 0, len(mounts)+2)
	first := remotecache.Mount{Dest: "/"}
	if !root {
		first.Input = remotecache.None
	}
	out = append(out, first)
	for i, m := range mounts {
		made := remotecache.Mount{
			Input: int64(inputs[i]), Dest: m.target, Output: remotecache.None, Readonly: m.readonly,
		}
		switch m.kind {
		case "cache":
			made.Type, made.Cache = remotecache.CacheMount, &remotecache.CacheDir{ID: cacheMountKey(m)}
		case "tmpfs":
			made.Type, made.Tmpfs = remotecache.TmpfsMount, &remotecache.Tmpfs{Size: m.size}
		}
		out = append(out, made)
	}
	if shm > 0 {
		out = append(out, remotecache.Mount{Input: remotecache.None, Dest: "/dev/shm", Output: remotecache.None,
			Type: remotecache.TmpfsMount, Tmpfs: &remotecache.Tmpfs{Size: shm}})
		slices.SortStableFunc(out, func(a, b remotecache.Mount) int { return strings.Compare(a.Dest, b.Dest) })
	}
	return out
}

// exactSecrets adds the secrets and sockets, by their names.
func exactSecrets(e *remotecache.Exec, s secrets) {
	for at := range slices.Chunk(s.envs, 3) {
		e.Secrets = append(e.Secrets, remotecache.SecretEnv{ID: at[0], Name: at[1], Optional: at[2] == "false"})
	}
	read := func(at []string) (string, *remotecache.Secret) {
		made := &remotecache.Secret{ID: at[0], Optional: at[2] == "false"}
		fmt.Sscanf(at[3], "%d:%d:%o", &made.UID, &made.GID, &made.Mode)
		return at[1], made
	}
	for at := range slices.Chunk(s.files, 4) {
		dest, made := read(at)
		e.Mounts = append(e.Mounts, remotecache.Mount{Input: remotecache.None, Dest: dest,
			Type: remotecache.SecretMount, Secret: made})
	}
	for at := range slices.Chunk(s.sockets, 4) {
		dest, made := read(at)
		e.Mounts = append(e.Mounts, remotecache.Mount{Input: remotecache.None, Dest: dest,
			Type: remotecache.SSHMount, SSH: made})
	}
}

// exactTransfer collects what exactCopy is made of.
type exactTransfer struct {
	transfer
	dest    value
	actions []remotecache.Action
}

// add adds one source: src is what BuildKit has as its path, at the input that it is read of, -1 for none.
func (x *exactTransfer) add(q buildcontext.Query, at int, local, unpack bool) {
	if x == nil {
		return
	}
	src := q.Path
	if at >= 0 {
		src = path.Base(src)
	}
	do := remotecache.Copy{
		Src: src, Dest: x.dest.text, Mode: -1, Unpack: unpack, CreateDestPath: true, Timestamp: -1,
		FollowSymlink: local, DirCopyContents: local, AllowWildcard: local, AllowEmptyWildcard: local,
		Include: q.Include, Exclude: x.exclude, Required: q.Required,
	}
	if n, err := strconv.ParseUint(x.chmod, 8, 32); err == nil {
		do.Mode = int32(n)
	} else if x.chmod != "" {
		do.Mode, do.ModeStr = 0, x.chmod
	}
	x.actions = append(x.actions, remotecache.Action{Do: do, Secondary: at})
}

// operation is that of the actions with so many inputs, the first of them the root unless that is empty.
func (x *exactTransfer) operation(chown string, root bool, inputs int) operation {
	if x == nil {
		return nil
	}
	return func() remotecache.Digest {
		for i := range x.actions {
			a := &x.actions[i]
			a.Input, a.Output = 0, remotecache.None
			base := 0
			if !root {
				a.Input, base = remotecache.None, remotecache.None
			}
			if i > 0 {
				a.Input = inputs + i - 1
			}
			if i == len(x.actions)-1 {
				a.Output = 0
			}
			do := a.Do.(remotecache.Copy)
			do.Owner = exactOwner(chown, base)
			a.Do = do
		}
		return remotecache.File(x.actions)
	}
}

// exactMkdir is the operation of a WORKDIR, or of the directory that a cache mount starts from.
func (p *planner) exactMkdir(do remotecache.Mkdir, chown string, root bool) operation {
	if !p.exact {
		return nil
	}
	return func() remotecache.Digest {
		base := 0
		if !root {
			base = remotecache.None
		}
		do.Owner = exactOwner(chown, base)
		return remotecache.File([]remotecache.Action{{Do: do, Input: base, Secondary: remotecache.None}})
	}
}

// exactTime is a time in BuildKit's nanoseconds, -1 for none.
func exactTime(epoch string) int64 {
	if epoch == "" {
		return -1
	}
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return -1
	}
	return n * 1e9
}

func (p *planner) exactMkfile(name string, mode int, data string) operation {
	if !p.exact {
		return nil
	}
	return func() remotecache.Digest {
		do := remotecache.Mkfile{Path: path.Join("/", name), Mode: int32(mode), Data: []byte(data), Timestamp: -1}
		return remotecache.File([]remotecache.Action{{Do: do, Input: remotecache.None, Secondary: remotecache.None}})
	}
}

// exactFile is the digest of a file that an operation makes.
func (p *planner) exactFile(mode int, data string) func() remotecache.Digest {
	if !p.exact {
		return nil
	}
	return func() remotecache.Digest {
		head := buildcontext.ExactHeader(buildcontext.Meta{Mode: uint32(mode), Size: int64(len(data))}, tar.TypeReg)
		return remotecache.Sum(append(head, data...))
	}
}

// exactOwner is "user[:group]"; base is the input that has the names.
func exactOwner(chown string, base int) *remotecache.Owner {
	if chown == "" {
		return nil
	}
	id := func(text string) *remotecache.ID {
		out := &remotecache.ID{}
		if n, err := strconv.ParseInt(text, 10, 32); text == "root" || text == "" {
		} else if err == nil {
			out.User.Number = uint32(n)
		} else {
			out.User.Name = &remotecache.Named{Name: text, Input: int64(base)}
		}
		return out
	}
	user, group, _ := strings.Cut(chown, ":")
	owner := &remotecache.Owner{User: id(user)}
	if group != "" {
		owner.Group = id(group)
	}
	return owner
}
