package cachemodel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Plan is a build's steps with their cache keys. It is immutable.
type Plan struct {
	build    Build
	steps    []*step   // one per instruction, in file order
	vertices []*vertex // inputs before those who read them
	err      error
}

// Err says why the build as a whole cannot be planned, as when there is no stage of the target's name. The steps are
// then all Unknown.
func (p *Plan) Err() error { return p.err }

// stepKind says what an instruction is to the build.
type stepKind int

const (
	configStep  stepKind = iota // changes the image's configuration or the state of later steps
	layerStep                   // makes vertices
	skippedStep                 // in a stage that the target does not need
	unknownStep                 // cannot be read
)

// step is one instruction of the plan, with the state in which it is carried out.
type step struct {
	in       *dockerfile.Instruction
	kind     stepKind
	vertices []*vertex
	linked   bool // COPY --link: the last vertex only merges
	problem  string

	// What it was carried out with, to find out what changed:
	env              *envNode
	cwd, user, shell placed
	epoch            placed
	platform         string
}

// placed is a value with the 1-based line that set it, 0 where none did.
type placed struct {
	value
	line int
}

// state is what a stage hands on from one instruction to the next.
type state struct {
	root     *vertex // the file system; nil is empty
	env      environ
	imageEnv []*envNode // the image's own variables, in the order in which they were first set
	cwd      placed
	user     placed
	shell    placed // the words joined by NUL; "" is the default
	platform string
}

type stagePlan struct {
	stage      *dockerfile.Stage
	base       *stagePlan
	baseName   string
	baseErr    error
	platform   string // of --platform, "" if there is none
	commands   []command
	sources    []*stagePlan
	state      state
	reachable  bool
	dispatched bool
	replaced   bool // a named context stands in for the whole stage
}

// command is an instruction as it is carried out in a stage: its own, or an ONBUILD trigger of its base.
type command struct {
	in   *dockerfile.Instruction
	step *step
}

type planner struct {
	Build
	x        expander
	global   environ
	stages   []*stagePlan
	byName   map[string]*stagePlan
	interned map[string]*vertex
	plan     *Plan
	epoch    placed
	hostname string
	cacheNS  string
}

// NewPlan works out the plan of a build. It never fails: what cannot be read is planned as what it most likely means.
func NewPlan(b Build) *Plan {
	p := &planner{
		Build:    b,
		x:        newExpander(b.File.Escape),
		byName:   map[string]*stagePlan{},
		interned: map[string]*vertex{},
		plan:     &Plan{build: b, steps: make([]*step, len(b.File.Instructions))},
	}
	steps := make([]step, len(b.File.Instructions))
	of := make(map[*dockerfile.Instruction]*step, len(steps))
	for i, in := range b.File.Instructions {
		steps[i] = step{in: in, kind: skippedStep}
		p.plan.steps[i] = &steps[i]
		of[in] = &steps[i]
	}
	target, err := p.resolve(of)
	if err != nil {
		p.plan.err = err
		for _, s := range p.plan.steps {
			s.kind = unknownStep
		}
		return p.plan
	}
	p.reach(target)
	if b.Settings.Engine == Classic {
		p.classic(target)
		return p.plan
	}
	for _, st := range p.stages {
		if st.reachable && !st.replaced {
			p.dispatch(st)
		}
	}
	return p.plan
}

// resolve reads the global scope, finds each stage's base and commands, and returns the target, nil if there is none.
func (p *planner) resolve(of map[*dockerfile.Instruction]*step) (*stagePlan, error) {
	f := p.File
	last := len(f.Stages) - 1
	for last >= 0 && f.Stages[last].From.From == nil {
		last-- // a FROM that is still being typed is no target yet
	}
	targetName := p.Settings.Target
	if targetName == "" && last >= 0 {
		targetName = f.Stages[last].Name
	}
	for _, arg := range builtinArgs(p.Settings, targetName) {
		p.global.set(arg.key, arg.val, arg.origin)
	}
	for _, in := range f.Instructions {
		if in.Stage >= 0 {
			break
		}
		p.metaArg(in, of[in])
	}
	if v, ok := p.Settings.Args["SOURCE_DATE_EPOCH"]; ok {
		p.epoch.value = plain(v)
	} else if n := p.global.index["SOURCE_DATE_EPOCH"]; n != nil {
		p.epoch = placed{n.val, n.origin.line}
	}
	p.hostname = p.Settings.Args["BUILDKIT_SANDBOX_HOSTNAME"]
	p.cacheNS = p.Settings.Args["BUILDKIT_CACHE_MOUNT_NS"]

	for _, stage := range f.Stages {
		p.addStage(stage, of)
	}
	for _, st := range p.stages {
		p.addSources(st)
	}
	if p.Settings.Target != "" {
		// by name only (dispatchContext.resolveTarget); the classic builder takes an index too
		if st := p.byName[strings.ToLower(p.Settings.Target)]; st != nil {
			return st, nil
		}
		if i, err := strconv.Atoi(p.Settings.Target); err == nil && p.Settings.Engine == Classic && i >= 0 && i < len(p.stages) {
			return p.stages[i], nil
		}
		return nil, fmt.Errorf("there is no stage %q to build; %s", p.Settings.Target, p.stageNames())
	}
	if last < 0 {
		return nil, nil
	}
	return p.stages[last], nil
}

func (p *planner) stageNames() string {
	var names []string
	for _, st := range p.stages {
		if st.stage.Name != "" {
			names = append(names, st.stage.Name)
		}
	}
	if len(names) == 0 {
		return "no stage of the file has a name"
	}
	return "the stages are " + strings.Join(names, ", ")
}

// metaArg carries out one instruction above the first FROM (dockerfile2llb.buildMetaArgs).
func (p *planner) metaArg(in *dockerfile.Instruction, s *step) {
	arg, ok := in.Command.(*instructions.ArgCommand)
	if !ok {
		s.kind = unknownStep
		return
	}
	s.kind = configStep
	for _, kv := range arg.Args {
		from := origin{line: in.Line, arg: true}
		if v, ok := p.Settings.Args[kv.Key]; ok {
			p.global.set(kv.Key, plain(v), from)
		} else if kv.Value != nil {
			if v, err := p.x.word(*kv.Value, &p.global); err == nil {
				p.global.set(kv.Key, v, from)
			}
		}
	}
}

func (p *planner) addStage(stage *dockerfile.Stage, of map[*dockerfile.Instruction]*step) {
	st := &stagePlan{stage: stage}
	p.stages = append(p.stages, st)
	if from := stage.From.From; from != nil {
		name, err := p.x.word(from.BaseName, &p.global)
		st.baseName, st.baseErr = name.text, err
		if from.Platform != "" {
			if v, err := p.x.word(from.Platform, &p.global); err == nil {
				st.platform = normalPlatform(v.text)
			}
		}
		if stage.Name != "" && p.Contexts[stage.Name] != nil {
			st.replaced = true
		} else {
			st.base = p.byName[st.baseName]
		}
	}
	if stage.Name != "" {
		p.byName[stage.Name] = st
	}
	from := of[stage.From]
	for _, trigger := range p.triggers(st) {
		st.commands = append(st.commands, command{trigger, from})
	}
	for _, in := range stage.Instructions {
		if in != stage.From {
			st.commands = append(st.commands, command{in, of[in]})
		}
	}
}

// triggers are the ONBUILD instructions of the stage's base, which run at its FROM (dockerfile2llb.initOnBuildTriggers).
func (p *planner) triggers(st *stagePlan) []*dockerfile.Instruction {
	var out []*dockerfile.Instruction
	if st.base != nil {
		for _, in := range st.base.stage.Instructions {
			if in.Trigger != nil {
				out = append(out, in.Trigger)
			}
		}
		return out
	}
	if image, ok := p.image(st.baseName); ok {
		for _, text := range image.OnBuild {
			out = append(out, dockerfile.Parse(source.New(text), nil).Instructions...)
		}
	}
	return out
}

// addSources finds the stages that a stage's commands read.
func (p *planner) addSources(st *stagePlan) {
	for _, c := range st.commands {
		switch cmd := c.in.Command.(type) {
		case *instructions.CopyCommand:
			if src := p.stageByNameOrIndex(cmd.From); src != nil {
				st.sources = append(st.sources, src)
			}
		case *instructions.RunCommand:
			for _, m := range instructions.GetMounts(cmd) {
				if src := p.byName[strings.ToLower(m.From)]; m.From != "" && src != nil {
					st.sources = append(st.sources, src)
				}
			}
		}
	}
}

func (p *planner) stageByNameOrIndex(from string) *stagePlan {
	if from == "" {
		return nil
	}
	if i, err := strconv.Atoi(from); err == nil {
		if i >= 0 && i < len(p.stages) {
			return p.stages[i]
		}
		return nil
	}
	return p.byName[strings.ToLower(from)]
}

// reach marks the stages that target needs.
func (p *planner) reach(target *stagePlan) {
	if target == nil || target.reachable {
		return
	}
	target.reachable = true
	p.reach(target.base)
	if target.replaced {
		return
	}
	for _, src := range target.sources {
		p.reach(src)
	}
}

// dispatch carries out a stage's instructions in order.
func (p *planner) dispatch(st *stagePlan) {
	p.begin(st)
	st.dispatched = true
	for _, c := range st.commands {
		p.command(st, c)
	}
}

// begin sets the state that a stage starts with, and plans its FROM.
func (p *planner) begin(st *stagePlan) {
	from := p.stepOf(st.stage.From)
	from.kind = configStep
	s := &st.state
	switch {
	case st.stage.From.From == nil || st.baseErr != nil:
		from.kind = unknownStep
		s.root = p.broken(st.stage.From)
		p.unknownConfig(s, st.stage.From.Node.Original)
	case st.base != nil:
		*s = st.base.state
		s.env = st.base.state.env.clone()
		s.imageEnv = slices.Clone(st.base.state.imageEnv)
		p.readd(s)
	case strings.EqualFold(st.baseName, "scratch"):
		s.platform = p.platform()
		p.knownConfig(s, Image{WorkingDir: "/", Env: []string{"PATH=" + defaultPath}})
	default:
		s.platform = st.platform
		if s.platform == "" {
			s.platform = p.platform()
		}
		if st.platform != "" {
			from.platform = st.platform
		}
		s.root = p.source(st.baseName, s.platform)
		from.kind = layerStep
		from.vertices = append(from.vertices, s.root)
		if image, ok := p.image(st.baseName); ok {
			p.knownConfig(s, image)
		} else if p.Contexts[contextName(st.baseName)] != nil {
			p.knownConfig(s, Image{WorkingDir: "/"})
		} else {
			p.unknownConfig(s, s.root.id)
		}
	}
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// knownConfig starts a stage from an image's configuration (dispatchContext.dispatchStages).
func (p *planner) knownConfig(s *state, image Image) {
	hasPath := false
	for _, kv := range image.Env {
		k, v, _ := strings.Cut(kv, "=")
		p.imageVar(s, k, plain(v), origin{})
		hasPath = hasPath || k == "PATH"
	}
	if !hasPath {
		p.imageVar(s, "PATH", plain(defaultPath), origin{})
	}
	s.cwd.value = plain("/")
	if image.WorkingDir != "" {
		s.cwd.value = plain(image.WorkingDir)
	}
	s.user.value = plain(image.User)
	s.shell.value = plain(strings.Join(image.Shell, "\x00"))
}

// unknownConfig starts a stage from an image of which nothing is known but what identifies it.
func (p *planner) unknownConfig(s *state, id string) {
	p.imageVar(s, baseVars, value{opaque: baseVars + id}, origin{})
	s.cwd.value = value{text: "/", opaque: "\x00cwd\x00" + id}
	s.user.value = value{opaque: "\x00user\x00" + id}
	s.shell.value = value{opaque: "\x00shell\x00" + id}
}

// imageVar sets a variable of the image, as ENV does: in place in the image's own list, last in the stage's.
func (p *planner) imageVar(s *state, key string, val value, from origin) {
	s.env.set(key, val, from)
	for i, n := range s.imageEnv {
		if n.key == key {
			s.imageEnv[i] = s.env.head
			return
		}
	}
	s.imageEnv = append(s.imageEnv, s.env.head)
}

// readd sets the image's variables once more, as BuildKit does at a FROM that names a stage: an ENV so wins over an
// ARG of the same name, and the order is the image's.
func (p *planner) readd(s *state) {
	for i, n := range s.imageEnv {
		val := n.val
		if n.key == baseVars && len(s.imageEnv) > 1 {
			// Variables of ours may stand among those of the image in an order that is not known.
			var names []string
			for _, m := range s.imageEnv[1:] {
				names = append(names, m.key)
			}
			val.opaque += "\x00" + strings.Join(names, "\x00")
		}
		s.env.set(n.key, val, n.origin)
		s.imageEnv[i] = s.env.head
	}
}

func (p *planner) stepOf(in *dockerfile.Instruction) *step {
	i, _ := slices.BinarySearchFunc(p.plan.steps, in.Span.Start, func(s *step, at int) int { return s.in.Span.Start - at })
	return p.plan.steps[i]
}

// vertex returns the vertex of that identity, making it if it is new: equal operations on equal inputs are one vertex,
// as they are in LLB. identity must hold all that key and inputs leave out.
func (p *planner) vertex(v vertex, identity ...string) *vertex {
	w := (&keyWriter{}).num(int(v.kind)).key(v.key).flag(v.ignoreCache).list(identity)
	for _, in := range v.inputs {
		if in.from != nil {
			w.str(in.from.id)
		}
		w.str(in.selector)
	}
	sum := w.sum()
	v.id = string(sum.strict[:])
	if known := p.interned[v.id]; known != nil {
		return known
	}
	p.interned[v.id] = &v
	p.plan.vertices = append(p.plan.vertices, &v)
	return &v
}

func (p *planner) broken(in *dockerfile.Instruction) *vertex {
	text := ""
	if in.Node != nil {
		text = in.Node.Original
	}
	key := (&keyWriter{}).str("broken", text).sum()
	return p.vertex(vertex{kind: brokenVertex, key: key})
}

// source is the vertex of an image or of a named context.
func (p *planner) source(name, platform string) *vertex {
	if tree := p.Contexts[contextName(name)]; tree != nil {
		key := (&keyWriter{}).str("local", contextName(name)).sum()
		return p.vertex(vertex{kind: localVertex, key: key})
	}
	ref := &imageRef{name: normalReference(name), platform: platform}
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		if d, ok := named.(reference.Digested); ok {
			ref.digest = d.Digest().String()
		}
	}
	if image, ok := p.image(name); ok && image.Digest != "" {
		ref.digest = image.Digest
	}
	w := (&keyWriter{}).str("image", platform)
	if ref.digest != "" {
		w.str("digest", ref.digest) // the name is then not in the key
	} else {
		w.str("name", ref.name)
	}
	return p.vertex(vertex{kind: imageVertex, key: w.sum(), image: ref}, ref.name)
}

// image looks an image up among those that are known.
func (p *planner) image(name string) (Image, bool) {
	if image, ok := p.Images[normalReference(name)]; ok {
		return image, true
	}
	image, ok := p.Images[contextName(name)]
	return image, ok
}

// normalReference writes a reference out in full: "alpine" is "docker.io/library/alpine:latest".
func normalReference(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.TagNameOnly(named).String()
}

// contextName is the name under which a named context replaces an image (dockerui.Client.NamedContext).
func contextName(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return strings.TrimSuffix(reference.FamiliarString(named), ":latest")
}

// platform is that of every image for which the file names none.
func (p *planner) platform() string { return platforms.FormatAll(targetPlatform(p.Settings)) }

func normalPlatform(s string) string {
	p, err := platforms.Parse(s)
	if err != nil {
		return s
	}
	return platforms.FormatAll(platforms.Normalize(p))
}
