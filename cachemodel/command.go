package cachemodel

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// command carries out one instruction (dockerfile2llb.dispatch).
func (p *planner) command(st *stagePlan, c command) {
	s := &st.state
	step := c.step
	step.env, step.cwd, step.user, step.shell, step.epoch = s.env.head, s.cwd, s.user, s.shell, p.epoch
	if c.in == step.in { // a trigger counts to the FROM, which stays what it is
		step.kind = configStep
	}
	cmd, uncertain, err := p.expand(c.in, &s.env)
	if err != nil || cmd == nil {
		p.unreadable(s, step, c.in)
		return
	}
	switch cmd := cmd.(type) {
	case *instructions.EnvCommand:
		p.env(s, c.in)
	case *instructions.ArgCommand:
		p.arg(s, cmd, c.in.Line)
	case *instructions.UserCommand:
		s.user = placed{value{cmd.User, uncertain}, c.in.Line}
	case *instructions.ShellCommand:
		s.shell = placed{plain(strings.Join(cmd.Shell, "\x00")), c.in.Line}
	case *instructions.WorkdirCommand:
		p.workdir(s, step, value{cmd.Path, uncertain}, c.in.Line)
	case *instructions.RunCommand:
		p.run(st, step, c.in, cmd, uncertain)
	case *instructions.CopyCommand:
		p.copy(st, step, c.in, cmd, uncertain)
	case *instructions.AddCommand:
		p.add(st, step, c.in, cmd, uncertain)
	}
}

// unreadable plans an instruction that BuildKit would reject as what it most likely means: a step that is new, or a
// setting that has no effect yet.
func (p *planner) unreadable(s *state, step *step, in *dockerfile.Instruction) {
	step.kind = unknownStep
	switch in.Meant {
	case "RUN", "COPY", "ADD", "WORKDIR":
		v := p.broken(in)
		v.inputs = rootInput(s.root)
		s.root = v
		step.vertices = append(step.vertices, v)
	}
}

// expand returns the instruction's command with its variables expanded. uncertain is "" or identifies the expressions
// whose values depend on a base image of unknown configuration.
func (p *planner) expand(in *dockerfile.Instruction, env *environ) (cmd instructions.Command, uncertain string, err error) {
	if in.Command == nil {
		return nil, "", nil
	}
	switch in.Command.(type) {
	case *instructions.CopyCommand, *instructions.AddCommand, *instructions.UserCommand, *instructions.WorkdirCommand:
		if !strings.ContainsAny(in.Node.Original, p.x.escape) && len(in.Heredocs) == 0 {
			return in.Command, "", nil
		}
	case *instructions.RunCommand:
		if len(in.Flags) == 0 {
			return in.Command, "", nil
		}
	default:
		return in.Command, "", nil
	}
	return p.expandFresh(in, env)
}

// expandFresh expands a command parsed anew, since expanding writes to it.
func (p *planner) expandFresh(in *dockerfile.Instruction, env *environ) (cmd instructions.Command, uncertain string, err error) {
	cmd, err = instructions.ParseCommand(in.Node)
	if err != nil {
		return nil, "", err
	}
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
func (p *planner) env(s *state, in *dockerfile.Instruction) {
	kvs := in.Command.(*instructions.EnvCommand).Env
	keys := make([]string, len(kvs))
	vals := make([]value, len(kvs))
	for i, kv := range kvs {
		key, err := p.x.word(kv.Key, &s.env)
		if err != nil {
			return
		}
		keys[i] = key.text
		if vals[i], err = p.x.word(kv.Value, &s.env); err != nil {
			return
		}
		if key.opaque != "" {
			vals[i].opaque += "\x00key" + key.opaque
		}
	}
	for i := range kvs {
		p.imageVar(s, keys[i], vals[i], origin{line: in.Line})
	}
}

// arg carries out ARG within a stage (dockerfile2llb.dispatchArg).
func (p *planner) arg(s *state, cmd *instructions.ArgCommand, line int) {
	for _, kv := range cmd.Args {
		var val value
		if v, ok := p.Settings.Args[kv.Key]; ok {
			val = plain(v)
		} else if kv.Value != nil {
			v, err := p.x.word(*kv.Value, &s.env)
			if err != nil {
				return
			}
			val = v
		} else if n := p.global.index[kv.Key]; n != nil {
			val = n.val
			if n.origin.line != 0 {
				line = n.origin.line
			}
		} else {
			continue
		}
		if !nonEnvArgs[kv.Key] {
			s.env.set(kv.Key, val, origin{line: line, arg: true})
		}
	}
}

// workdir carries out WORKDIR: it makes the directory, unless that is the root, and later steps run in it.
func (p *planner) workdir(s *state, step *step, dir value, line int) {
	s.cwd = placed{within(s.cwd.value, dir), line}
	if s.cwd.strict() == "/" {
		return
	}
	w := (&keyWriter{}).str("mkdir").val(cleanPath(s.cwd.value)).val(owner(s.user.value)).val(p.epoch.value)
	v := p.vertex(vertex{kind: mkdirVertex, key: w.sum(), inputs: rootInput(s.root)}, s.platform)
	s.root = v
	step.add(v)
}

func (s *step) add(v *vertex) {
	s.kind = layerStep
	s.vertices = append(s.vertices, v)
}

func rootInput(root *vertex) []input {
	if root == nil {
		return nil
	}
	return []input{{from: root}}
}

// within resolves dir against cwd, as system.NormalizeWorkdir does: an absolute path stays as it is written.
func within(cwd, dir value) value {
	switch {
	case dir.text == "" && dir.opaque == "":
		return cwd
	case dir.opaque == "" && path.IsAbs(dir.text):
		return dir
	}
	v := value{text: dir.text}
	if !path.IsAbs(v.text) {
		v.text = path.Join("/", cwd.text, v.text)
	}
	if cwd.opaque != "" || dir.opaque != "" {
		v.opaque = "\x00join\x00" + cwd.strict() + "\x00" + dir.strict()
	}
	return v
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
		if part == "root" {
			parts[i] = "0"
		} else if id, err := strconv.ParseInt(part, 10, 32); err == nil {
			parts[i] = strconv.FormatInt(id, 10)
		} else {
			parts[i] = "name " + part
		}
	}
	return plain(strings.Join(slices.Clone(parts), ":"))
}
