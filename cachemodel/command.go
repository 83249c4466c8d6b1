package cachemodel

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/util/system"
)

// command carries out one instruction (dockerfile2llb.dispatch).
func (p *planner) command(st *stagePlan, c command) {
	s := &st.state
	step := c.step
	step.env, step.cwd, step.user, step.shell, step.epoch = s.env.head, s.cwd, s.user, s.shell, p.epoch
	step.stage, step.sources = st, c.sources
	if c.in == step.in { // a trigger counts to the FROM, which stays what it is
		step.kind = configStep
	}
	key, certain := p.recall.opIn(c, s, p.ignoreCache)
	if certain && p.again(c, s, key) {
		return
	}
	cmd, uncertain, err := p.expand(c.in, &s.env)
	if strange(c.in) {
		uncertain += p.guess("flag", value{}).opaque
	}
	if err == nil && cmd != nil {
		err = p.carryOut(st, c, cmd, uncertain)
	}
	switch {
	case errors.Is(err, errOfItself) && st.unread != 0: // it is another stage once that line can be read
		step.add(p.vertex(vertex{
			kind: copyVertex, key: (&keyWriter{}).str("of itself", argsText(c.in)).done(), inputs: rootInput(s.root),
		}))
		s.root = step.vertices[0]
	case err != nil || cmd == nil:
		p.unreadable(s, c, err)
	case certain:
		p.recall.learn(c, s, key)
	}
}

func (p *planner) carryOut(st *stagePlan, c command, cmd instructions.Command, uncertain string) error {
	s := &st.state
	switch cmd := cmd.(type) {
	case *instructions.EnvCommand:
		return p.env(s, cmd, c.line)
	case *instructions.ArgCommand:
		return p.arg(s, cmd, c.line)
	case *instructions.UserCommand:
		s.user = p.recall.place(value{cmd.User, uncertain}, c.line)
	case *instructions.ShellCommand:
		s.shell = p.recall.place(plain(shellText(cmd.Shell)), c.line)
	case *instructions.WorkdirCommand:
		return p.workdir(s, c, value{cmd.Path, uncertain})
	case *instructions.RunCommand:
		return p.run(st, c, cmd, uncertain)
	case *instructions.CopyCommand:
		return p.copy(st, c, cmd, uncertain)
	case *instructions.AddCommand:
		return p.add(st, c, cmd, uncertain)
	}
	return nil
}

// unreadable plans an instruction that BuildKit would reject as what it most likely means: a step that is new, a
// variable of which nothing is known yet, or a setting that has no effect yet.
func (p *planner) unreadable(s *state, c command, err error) {
	c.step.reject(c.in, err)
	args := argsText(c.in)
	switch c.in.Meant {
	case "":
		c.step.stage.unread = cmp.Or(c.step.stage.unread, c.line)
		if !beingTyped(c.in.Keyword.Text) { // it may be any instruction
			s.root = p.broken(c.in, rootInput(s.root))
			c.step.vertices = append(c.step.vertices, s.root)
		}
	case "WORKDIR":
		if args == "" {
			return // it may become "WORKDIR /"
		}
		fallthrough
	case "RUN", "COPY", "ADD":
		s.root = p.broken(c.in, rootInput(s.root))
		c.step.vertices = append(c.step.vertices, s.root)
	case "ARG":
		if !strings.Contains(args, "=") {
			return // without a value it has no effect
		}
		fallthrough
	case "ENV":
		s.env.set(brokenVar, plain(""), origin{line: c.line, arg: c.in.Meant == "ARG"})
	}
}

// brokenVar stands for the variables of an ENV or ARG that cannot be read.
const brokenVar = "\x00broken"

// expand returns the instruction's command with its variables expanded. uncertain is "" or identifies the expressions
// whose values depend on a base image of unknown configuration.
func (p *planner) expand(
	in *dockerfile.Instruction,
	env *environ,
) (cmd instructions.Command, uncertain string, err error) {
	if in.Command == nil {
		return nil, "", nil
	}
	switch cmd := in.Command.(type) {
	case *instructions.CopyCommand:
		if p.mayExpand(in) {
			own := *cmd
			own.SourcePaths, own.SourceContents = slices.Clone(cmd.SourcePaths), slices.Clone(cmd.SourceContents)
			return p.expandInto(&own, env)
		}
	case *instructions.AddCommand:
		if p.mayExpand(in) {
			own := *cmd
			own.SourcePaths, own.SourceContents = slices.Clone(cmd.SourcePaths), slices.Clone(cmd.SourceContents)
			return p.expandInto(&own, env)
		}
	case *instructions.UserCommand:
		if p.mayExpand(in) {
			own := *cmd
			return p.expandInto(&own, env)
		}
	case *instructions.WorkdirCommand:
		if p.mayExpand(in) {
			own := *cmd
			return p.expandInto(&own, env)
		}
	case *instructions.RunCommand: // its mounts are read while they are expanded
		if len(in.Flags) > 0 && !in.MountsRead {
			return p.expandFresh(in, env)
		}
	}
	return in.Command, "", nil
}

// mayExpand reports whether an instruction has words that are changed by expanding them.
func (p *planner) mayExpand(in *dockerfile.Instruction) bool {
	return len(in.Heredocs) > 0 || strings.ContainsAny(in.Node.Original, p.x.escape)
}

// expandFresh expands a command parsed anew, since expanding writes to it.
func (p *planner) expandFresh(
	in *dockerfile.Instruction,
	env *environ,
) (cmd instructions.Command, uncertain string, err error) {
	fresh, err := dockerfile.Typed(in.Node)
	if err != nil {
		return nil, "", err
	}
	cmd, _ = fresh.(instructions.Command)
	return p.expandInto(cmd, env)
}

// expandInto expands a command, which it writes to, and returns it.
func (p *planner) expandInto(
	cmd instructions.Command,
	env *environ,
) (_ instructions.Command, uncertain string, err error) {
	var parts []string
	via := func(expand func(string, *environ) (value, error)) instructions.SingleWordExpander {
		return func(word string) (string, error) {
			v, err := expand(word, env)
			if v.opaque != "" {
				parts = append(parts, v.opaque)
			}
			return v.text, err
		}
	}
	if c, ok := cmd.(instructions.SupportsSingleWordExpansion); ok {
		if err := c.Expand(via(p.x.word)); err != nil {
			return nil, "", err
		}
	}
	if c, ok := cmd.(instructions.SupportsSingleWordExpansionRaw); ok {
		if err := c.ExpandRaw(via(p.x.raw)); err != nil {
			return nil, "", err
		}
	}
	return cmd, strings.Join(parts, "\x00"), nil
}

// env carries out ENV. All values see the environment before it.
func (p *planner) env(s *state, cmd *instructions.EnvCommand, line int) error {
	keys := make([]string, len(cmd.Env))
	vals := make([]value, len(cmd.Env))
	for i, kv := range cmd.Env {
		key, err := p.x.word(kv.Key, &s.env)
		if err != nil {
			return err
		}
		keys[i] = key.text
		if vals[i], err = p.x.word(kv.Value, &s.env); err != nil {
			return err
		}
		if key.opaque != "" {
			vals[i].opaque = vals[i].strict() + "\x00key" + key.opaque
		}
	}
	for i := range keys {
		p.imageVar(s, keys[i], vals[i], origin{line: line})
	}
	return nil
}

// arg carries out ARG within a stage (dockerfile2llb.dispatchArg).
func (p *planner) arg(s *state, cmd *instructions.ArgCommand, line int) error {
	for _, kv := range cmd.Args {
		val, from := value{}, origin{line: line, arg: true}
		if _, given := p.args[kv.Key]; given || p.Unknown.arg(kv.Key) != "" {
			val = p.argument(kv.Key, val)
		} else if kv.Value != nil {
			v, err := p.x.word(*kv.Value, &s.env)
			if err != nil {
				return err
			}
			val = v
		} else if n := p.global.index[kv.Key]; n != nil {
			val = n.val
			if n.origin.line != 0 {
				from.line = n.origin.line
			}
		} else {
			continue
		}
		if !nonEnvArgs[kv.Key] || p.Settings.Engine == Classic {
			s.env.set(kv.Key, val, from)
		}
	}
	return nil
}

// workdir carries out WORKDIR: it makes the directory, unless that is the root, and later steps run in it
// (dockerfile2llb.dispatchWorkdir).
func (p *planner) workdir(s *state, c command, dir value) error {
	wd, err := within(s.cwd.value, dir, s.os())
	if err != nil {
		return err
	}
	s.cwd = p.recall.place(wd, c.line)
	if wd.strict() == "/" {
		return nil
	}
	w := p.key.reset().str("mkdir").part(cleanPath(wd)).part(owner(s.user.value)).val(p.epoch.value)
	do := remotecache.Mkdir{
		Path: cleanPath(wd).text, Mode: 0o755, MakeParents: true, Timestamp: exactTime(p.epoch.text),
	}
	v := vertex{
		kind: mkdirVertex, key: w.done(), inputs: rootInput(s.root), doubtful: wd.text == "/",
		op: p.exactMkdir(do, s.user.text, s.root != nil),
	}
	if wd.opaque == "" {
		v.gist = wd.text
		if o := owner(s.user.value); o.opaque == "" && numericOwner(o.text) {
			v.writes = cleanPath(wd).text
		}
	}
	p.stack(s, c, v)
	return nil
}

// stack puts what an instruction makes upon what is there.
func (p *planner) stack(s *state, c command, v vertex, identity ...string) {
	s.root = p.vertex(v, identity...)
	p.plan.doubtful = p.plan.doubtful || s.root.doubtful
	c.step.add(s.root)
}

func (s *step) add(v *vertex) {
	s.kind = layerStep
	if s.vertices == nil {
		s.vertices = s.room[:0]
	}
	s.vertices = append(s.vertices, v)
}

func rootInput(root *vertex) []input {
	if root == nil {
		return nil
	}
	return []input{{from: root}}
}

// within resolves dir against cwd. An absolute path stays as it is written (system.NormalizeWorkdir). One that is too
// long for any system, as many relative ones make it, is kept as its digest.
func within(cwd, dir value, os string) (value, error) {
	var v value
	var err error
	if strings.HasPrefix(cwd.text, "/"+tooLong) && !system.IsAbs(dir.text, os) {
		v = plain("/" + shorten(cwd.text+"/"+dir.text, 0))
	} else {
		var text string
		text, err = system.NormalizeWorkdir(cwd.text, dir.text, os)
		v = plain(system.ToSlash(text, os))
		if len(v.text) > maxValue {
			v.text = "/" + shorten(v.text, 0)
		}
	}
	switch {
	case dir.opaque == "" && (cwd.opaque == "" || system.IsAbs(dir.text, os)):
	case os == "windows":
		v.opaque = opaque("join", cwd.strict(), dir.strict())
	default:
		v = below("join", v.text, cwd, dir, "")
	}
	return v, err
}

// cleanPath is llb.normalizePath of an absolute path.
func cleanPath(v value) value {
	v.text = path.Clean(v.text)
	return v
}

// owner reads "user[:group]" as llb.WithUser does: numbers are ids, and root is 0.
func owner(user value) value {
	if user.opaque != "" {
		user.opaque = "\x00owner" + user.opaque
		return user
	}
	if user.text == "" {
		return user
	}
	parts := strings.SplitN(user.text, ":", 2)
	if len(parts) == 2 && parts[1] == "" {
		parts = parts[:1]
	}
	for i, part := range parts {
		if part == "root" || part == "" {
			parts[i] = "0"
		} else if id, err := strconv.ParseInt(part, 10, 32); err == nil {
			parts[i] = strconv.FormatInt(id, 10)
		} else {
			parts[i] = "name " + part
		}
	}
	return plain(strings.Join(parts, ":"))
}
