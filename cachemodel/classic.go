package cachemodel

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// classic plans a build by moby's classic builder (daemon/builder/dockerfile): every instruction is a step whose key is
// its parent image and a comment that spells the instruction out, so that a changed line always takes those below it
// along. All stages up to the target are built, in order.
func (p *planner) classic(target *stagePlan) {
	if p.Unknown.Context == "" {
		p.Unknown.Context = p.ignoresOtherwise()
	}
	for _, st := range p.stages {
		p.classicStage(st)
		if st == target {
			return
		}
	}
}

// ignoresOtherwise says why the classic builder's context may be another one than BuildKit's, "" if it is not.
func (p *planner) ignoresOtherwise() string {
	if p.Context == nil {
		return ""
	}
	switch ignore := p.Context.Ignore(); {
	case ignore.Name() != "" && ignore.Name() != ".dockerignore":
		return "the classic builder does not read " + ignore.Name() + ", which was taken into account"
	case ignore.ExceptsAnywhere():
		return "the classic builder does not find what an exception with a wildcard names in a folder that is ignored"
	}
	return ""
}

func (p *planner) classicStage(st *stagePlan) {
	p.begin(st)
	st.dispatched = true
	from := st.from
	if st.base == nil && st.state.root == nil && from.kind == configStep {
		st.state.root = p.vertex(vertex{kind: classicStep, key: (&keyWriter{}).str("scratch").done()})
		from.add(st.state.root)
	}
	// Build arguments do not reach the stages that are based on this one, as they do under BuildKit.
	st.state.env = environ{}
	for _, n := range st.state.imageEnv {
		st.state.env.set(n.key, n.val, n.origin)
	}
	for _, c := range st.commands {
		p.classicCommand(st, c)
	}
}

func (p *planner) classicCommand(st *stagePlan, c command) {
	s := &st.state
	step := c.step
	step.env, step.cwd, step.user, step.shell = s.env.head, s.cwd, s.user, s.shell
	cmd, uncertain, err := p.expandAll(c, &s.env)
	if err == nil && cmd != nil {
		err = p.classicCarryOut(st, c, cmd, uncertain)
	}
	if err != nil || cmd == nil {
		p.unreadable(s, c, err)
	}
}

func (p *planner) classicCarryOut(st *stagePlan, c command, cmd instructions.Command, uncertain string) error {
	s := &st.state
	w := p.key.reset().str("classic", strings.ToUpper(cmd.Name())).val(value{opaque: uncertain})
	w.loose = w.loose || uncertain != ""
	inputs := rootInput(s.root)
	switch cmd := cmd.(type) {
	case *instructions.EnvCommand:
		for _, kv := range cmd.Env {
			w.str(kv.Key, kv.Value)
		}
		if err := p.env(s, c.in.Command.(*instructions.EnvCommand), c.line); err != nil {
			return err
		}
	case *instructions.ArgCommand:
		if err := p.classicArg(w, s, cmd, c.line); err != nil {
			return err
		}
	case *instructions.LabelCommand:
		for _, kv := range cmd.Labels {
			w.str(kv.Key, kv.Value)
		}
	case *instructions.UserCommand:
		w.str(cmd.User)
		s.user = &placed{value{cmd.User, uncertain}, c.line}
	case *instructions.WorkdirCommand:
		wd, err := within(s.cwd.value, value{cmd.Path, uncertain}, s.os())
		if err != nil {
			return err
		}
		s.cwd = &placed{wd, c.line}
		w.part(wd) // an absolute path stays as it is written (dispatchWorkdir, normalizeWorkdir)
	case *instructions.ShellCommand:
		w.list(cmd.Shell)
		s.shell = &placed{plain(shellText(cmd.Shell)), c.line}
	case *instructions.RunCommand:
		args, _ := runArgs(cmd, s.os())
		commandLine(w, s, cmd.PrependShell, args)
		p.classicArgs(w, s.env.head)
	case *instructions.CmdCommand:
		commandLine(w, s, cmd.PrependShell, cmd.CmdLine)
	case *instructions.EntrypointCommand:
		commandLine(w, s, cmd.PrependShell, cmd.CmdLine)
	case *instructions.ExposeCommand:
		if err := p.classicPorts(w, &s.env, cmd.Ports); err != nil {
			return err
		}
	case *instructions.VolumeCommand:
		w.list(cmd.Volumes)
	case *instructions.StopSignalCommand:
		w.str(cmd.Signal)
	case *instructions.HealthCheckCommand:
		w.str(fmt.Sprintf("%+v", *cmd.Health))
	case *instructions.OnbuildCommand:
		w.str(cmd.Expression)
	case *instructions.MaintainerCommand:
		w.str(cmd.Maintainer)
	case *instructions.CopyCommand:
		t := transfer{SourcesAndDest: cmd.SourcesAndDest, chown: cmd.Chown}
		if cmd.From != "" {
			root, err := p.sourceRoot(c.sources[0], st)
			if err != nil {
				return err
			}
			t.from, t.scratch = root, root == nil
		}
		if err := p.classicTransfer(w, s, t, &inputs, p.asWritten(s, c, uncertain)); err != nil {
			return err
		}
	case *instructions.AddCommand:
		t := transfer{SourcesAndDest: cmd.SourcesAndDest, add: true, chown: cmd.Chown, checksum: cmd.Checksum}
		if err := p.classicTransfer(w, s, t, &inputs, p.asWritten(s, c, uncertain)); err != nil {
			return err
		}
	}
	s.root = p.vertex(vertex{kind: classicStep, key: w.done(), inputs: inputs, ignoreCache: p.Settings.NoCache})
	c.step.add(s.root)
	return nil
}

// classicPorts writes the ports of an EXPOSE to the key.
func (p *planner) classicPorts(w *keyWriter, env *environ, written []string) error {
	var ports []value
	for _, port := range written {
		v, err := p.x.word(port, env)
		if err != nil {
			return err
		}
		ports = append(ports, v)
	}
	slices.SortFunc(ports, func(a, b value) int { return strings.Compare(a.text, b.text) })
	for _, port := range ports {
		w.val(port)
	}
	return nil
}

// expandAll expands every instruction that takes variables: under this builder the result is part of each step's key.
func (p *planner) expandAll(c command, env *environ) (instructions.Command, string, error) {
	switch c.in.Command.(type) {
	case *instructions.EnvCommand, *instructions.LabelCommand, *instructions.ExposeCommand, *instructions.VolumeCommand,
		*instructions.StopSignalCommand:
		return p.expandFresh(c.in, env)
	}
	return p.expand(c.in, env)
}

// classicArg writes a build argument to the key and makes it known; unlike BuildKit's, it does not hide an ENV of the
// same name.
func (p *planner) classicArg(w *keyWriter, s *state, cmd *instructions.ArgCommand, line int) error {
	for _, kv := range cmd.Args {
		w.str(kv.Key).flag(kv.Value != nil)
		if kv.Value != nil { // the default as it is written: what --build-arg says counts at the next RUN
			v, err := p.x.word(*kv.Value, &s.env)
			if err != nil {
				return err
			}
			w.val(v)
		}
	}
	for _, kv := range cmd.Args {
		if n := s.env.index[kv.Key]; n != nil && !n.origin.arg {
			continue
		}
		one := *cmd
		one.Args = []instructions.KeyValuePairOptional{kv}
		if err := p.arg(s, &one, line); err != nil {
			return err
		}
	}
	return nil
}

// classicArgs adds the build arguments in force to a RUN's key, in order of name. With a proxy that is given and not
// declared, the key has only that there are some (BuildArgs.FilterAllowed, prependEnvOnCmd).
func (p *planner) classicArgs(w *keyWriter, env *envNode) {
	var args []*envNode
	set := map[string]bool{}
	for _, n := range env.list() {
		if n.origin.arg {
			args = append(args, n)
		}
		set[n.key] = true
	}
	proxies := false
	for name := range p.args {
		proxies = proxies || dockerfile.IsProxyArg(name) && !set[name]
	}
	w.flag(len(args) > 0 || proxies)
	slices.SortFunc(args, func(a, b *envNode) int { return strings.Compare(a.key, b.key) })
	for _, n := range args {
		w.str(n.key).val(n.val)
	}
}

// classicTransfer adds COPY's and ADD's destination and owner to the key, and what they read to the inputs. The files'
// names within the source are part of what is hashed.
func (p *planner) classicTransfer(w *keyWriter, s *state, t transfer, inputs *[]input, asWritten *words) error {
	if _, err := copyDest(s, plain(t.DestPath)); err != nil {
		return err
	}
	w.str(t.DestPath, t.chown) // as it is written: "." and "./" differ (Builder.performCopy)
	var queries []buildcontext.Query
	for _, src := range t.SourcePaths {
		if t.add && (strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://")) {
			v, name, digest := p.http(src, t.checksum)
			w.str(name)
			*inputs = append(*inputs, input{from: v, content: true, digest: digest})
			continue
		}
		q := buildcontext.Query{Path: path.Join("/", src), FollowLinks: true}
		q.Wildcard = hasWildcard(q.Path)
		w.str(q.Path)
		queries = append(queries, q)
	}
	for _, content := range t.SourceContents {
		w.str(content.Path, content.Data)
	}
	if len(queries) > 0 && !t.scratch {
		in := input{from: t.from, content: true, selector: selectorText(queries)}
		if t.from == nil {
			vague := slices.ContainsFunc(asWritten.sources, func(src string) bool {
				return asWritten.word("", src).opaque != ""
			})
			p.readDirectory(&in, queries, vague)
			classicDigest(&in)
		}
		*inputs = append(*inputs, in)
	}
	return nil
}

// classicDigest replaces BuildKit's digest of what is read by that of the classic builder, where anything is known.
func classicDigest(in *input) {
	sort, _, known := strings.Cut(in.digest, ":")
	if !known || in.dir.tree == nil {
		return
	}
	in.digest = ""
	if d, err := in.dir.tree.ClassicDigest(in.dir.queries); err == nil {
		in.digest = sort + ":" + d
	}
}
