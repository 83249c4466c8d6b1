package cachemodel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/util/system"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Plan is a build's steps with their cache keys. It is immutable; its methods and Compare may be called from several
// goroutines.
type Plan struct {
	build    Build
	steps    []*step    // one per instruction, in file order
	vertices []*vertex  // inputs before those who read them
	images   []*vertex  // the file systems of the images that are built, one for each platform; without empty ones
	target   []command  // that make the image, see imageCommands
	doubtful bool       // whether all of these are steps of the build hangs on a base image of unknown configuration
	assuming [][]string // by vertex.index
	failing  []*step    // by vertex.index: at which step the build fails before it gets there, or there
	unsure   string     // why it is not known which steps the build has, "" if that is known
	err      error
	// contextSteps are those of the builds of named contexts, which are no instructions of the file.
	contextSteps []*step

	once        sync.Once
	own         *Held // what a build of this plan leaves, once it is asked for
	onceSources sync.Once
	sources     map[string]bool // of its instructions, once they are asked for
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
	failedStep                  // the build fails at it, whatever is in the cache
)

// step is one instruction of the plan, with the state in which it is carried out.
type step struct {
	in       *dockerfile.Instruction
	index    int // in the file's steps
	kind     stepKind
	vertices []*vertex
	room     [1]*vertex // most steps have one
	linked   bool       // COPY --link: the last vertex only merges
	problem  string     // why the build fails at it
	context  string     // the named context whose build it is part of, "" if it is one of the file's own
	missing  bool       // since a build argument has no value

	// What it was carried out with, to find out what changed:
	env              *envNode
	cwd, user, shell *placed
	epoch            *placed
	platform         value
	stage            *stagePlan
	sources          []*stagePlan // see command
}

// reject says that BuildKit rejects the instruction in, or what it leads to.
func (s *step) reject(in *dockerfile.Instruction, err error) {
	s.kind = failedStep
	if problem := rejection(in); problem != "" {
		s.problem = problem
	} else if err != nil {
		s.problem = err.Error()
		s.missing = errors.As(err, new(*noValueError))
	}
}

// placed is a value with the 1-based line that set it, 0 where none did.
type placed struct {
	value
	line int
}

var unset = &placed{}

// state is what a stage hands on from one instruction to the next.
type state struct {
	root     *vertex // the file system; nil is empty
	env      environ
	imageEnv []*envNode // the image's own variables, in the order in which they were first set
	base     string     // names the variables of an image of unknown configuration
	cwd      *placed
	user     *placed
	shell    *placed // see shellText
	platform value
}

// os is the operating system that the stage is built for.
func (s *state) os() string {
	os, _, _ := strings.Cut(s.platform.text, "/")
	os, _, _ = strings.Cut(os, "(") // "windows(10.0.17763)"
	return os
}

// stagePlan is a stage, or an image that a command names in --from: BuildKit makes a nameless stage of that.
type stagePlan struct {
	stage      *dockerfile.Stage // nil for such an image
	from       *step
	base       *stagePlan
	baseName   string
	baseErr    error
	guessed    bool  // nobody knows what image or stage it is
	platform   value // of --platform, "" if there is none
	commands   []command
	state      state
	reachable  bool
	dispatched bool
	replaced   bool          // a named context stands in for the whole stage
	unread     int           // the first line that cannot be read and may be a FROM, 0 if there is none
	built      *contextBuild // of the base; nil if no other build makes it
}

// command is an instruction as it is carried out in a stage: its own, or an ONBUILD trigger of its base.
type command struct {
	in   *dockerfile.Instruction
	step *step // a trigger's is the FROM
	line int   // of step
	// sources are what COPY's --from, or each mount of a RUN in order, names. nil is what BuildKit rejects.
	sources []*stagePlan
}

type planner struct {
	Build
	exact    bool // the operations are kept for Plan.Exact
	whole    bool // all stages are planned
	x        expander
	args     map[string]string // --build-arg
	global   environ
	stages   []*stagePlan
	byName   map[string]*stagePlan
	sources  []*stagePlan // the stages, and behind them the images that commands name: what an index in --from counts
	interned map[vertexID]*vertex
	key      keyWriter // reused for the keys of steps
	identity keyWriter // reused by vertex
	plan     *Plan
	contexts map[string]*contextBuild // by name and platform, see made
	depth    int                      // of named contexts that are built for each other
	steps    []*step                  // of the plan, as they are for this platform
	epoch    *placed
	// ignoreCache is whether the stage that is being dispatched uses no cache.
	ignoreCache bool
	target      ocispecs.Platform
	platform    value // of every image for which the file names none
	dialect     dockerfile.Dialect
	runWith     value // what every RUN is run with: see RunSettings
	cacheNS     string
	memory      *Memory // nil if nothing is kept for the next version of the file
	recall      *recall // likewise
}

// NewPlan works out the plan of a build. It never fails: what cannot be read is planned as what it most likely means.
func NewPlan(b Build) *Plan { return newPlan(b, false, false, nil) }

// newPlan is NewPlan; exact says that Plan.Exact asks, so that the operations are kept; whole that all stages are
// planned, whatever the target; memory may be nil.
func newPlan(b Build, exact, whole bool, memory *Memory) *Plan {
	plan := &Plan{build: b, unsure: b.Unknown.steps(b.File)}
	interned := make(map[vertexID]*vertex, len(b.File.Instructions))
	wanted := targetPlatforms(b.Settings)
	for i, platform := range wanted {
		p := plan.planner(b, exact, platform, interned)
		p.whole = whole
		if len(wanted) == 1 {
			p.memory = memory
		}
		p.all()
		if i == 0 {
			plan.steps = p.steps
			continue
		}
		for i, s := range p.steps { // equal vertices are one, whatever the platform
			plan.steps[i].merge(s)
		}
	}
	for i, s := range plan.steps {
		for _, v := range s.vertices {
			if v.owners == nil {
				v.owners = plan.steps[i : i+1 : i+1]
			} else {
				v.owners = append(v.owners, s)
			}
		}
	}
	plan.doubtful = plan.doubtful || plan.unsure != ""
	plan.findFailures()
	plan.findAssumptions()
	return plan
}

// planner begins to plan b, which is the plan's build or that of a named context, for one platform.
func (plan *Plan) planner(b Build, exact bool, platform ocispecs.Platform, interned map[vertexID]*vertex) *planner {
	p := &planner{
		Build:    b,
		exact:    exact,
		x:        newExpander(b.File.Escape),
		args:     b.Settings.Args,
		epoch:    unset,
		byName:   map[string]*stagePlan{},
		interned: interned,
		plan:     plan,
		contexts: map[string]*contextBuild{},
		steps:    make([]*step, len(b.File.Instructions)),
		target:   platform,
		dialect:  b.dialect(),
		platform: plain(platforms.FormatAll(platform)),
	}
	steps := make([]step, len(b.File.Instructions))
	for i, in := range b.File.Instructions {
		steps[i] = step{in: in, index: i, kind: skippedStep, cwd: unset, user: unset, shell: unset, epoch: unset}
		p.steps[i] = &steps[i]
	}
	return p
}

// merge adds what a step is for another platform.
func (s *step) merge(other *step) {
	if s.kind == skippedStep && other.kind != skippedStep || other.kind == failedStep ||
		s.kind == configStep && other.kind == layerStep {
		s.kind, s.problem, s.missing = other.kind, other.problem, other.missing
	}
	for _, v := range other.vertices {
		if !slices.Contains(s.vertices, v) {
			s.vertices = append(s.vertices, v)
		}
	}
	s.linked = s.linked || other.linked
	if s.stage == nil {
		s.env, s.cwd, s.user, s.shell, s.epoch = other.env, other.cwd, other.user, other.shell, other.epoch
		s.platform, s.stage, s.sources = other.platform, other.stage, other.sources
	}
}

// read reads the file for one platform, and finds the stage to build, nil if it has none.
func (p *planner) read() (target *stagePlan, err error) {
	if p.Unknown.Platform != "" {
		p.platform = p.guess("platform", p.platform)
	}
	p.readGlobal()
	p.readStages()
	target, err = p.targetStage()
	switch {
	case p.File.TooLarge():
		err, p.plan.doubtful = errTooLarge, true
	case p.Settings.Engine == Podman:
		err, p.plan.doubtful = errPodman, true
	case p.dialect.Foreign && p.Settings.Engine != Classic:
		err, p.plan.doubtful = foreign(p.dialect), true
	}
	if err == nil && p.inherited() > maxInherited {
		err, p.plan.doubtful = errTooMuchInherited, true
	}
	return target, err
}

// all plans the build for one platform.
func (p *planner) all() {
	target, err := p.read()
	if err != nil {
		p.plan.err = err
		for _, s := range p.steps {
			s.reject(s.in, err)
		}
		return
	}
	p.plan.target = imageCommands(target)
	if p.Settings.Engine == Classic {
		p.classic(target)
		return
	}
	if p.memory != nil {
		p.recall = p.memory.begin(under{
			unknown: p.Unknown.Context, escape: p.File.Escape, dialect: p.dialect, runWith: p.runWith, epoch: *p.epoch,
		}, p.Settings)
		defer p.memory.keep(p.recall)
	}
	p.dispatchAll(target)
	if target != nil && target.state.root != nil {
		p.plan.images = append(p.plan.images, target.state.root)
	}
}

// dispatchAll carries out the stages that the target needs.
func (p *planner) dispatchAll(target *stagePlan) {
	p.reach(target)
	if p.whole || p.plan.unsure != "" { // any stage may have been built
		for _, st := range p.stages {
			p.reach(st)
		}
	}
	for _, st := range p.stages {
		if st.reachable && st.replaced {
			p.replace(st)
		}
	}
	for _, st := range p.stages {
		if st.reachable && !st.replaced {
			p.dispatch(st)
		}
	}
}

var errPodman = errors.New(
	"the cache of Podman and Buildah is not modelled: what the next build takes from it is not known",
)

// maxInherited bounds how many variables stages may take over from the stages they stand on, all together: that grows
// with the square of a file of stages on stages.
const maxInherited = 100_000

var errTooLarge = fmt.Errorf("a Dockerfile of more than %s is not planned: what the next build takes from the cache "+
	"is not known", dockerfile.Largest)

var errTooMuchInherited = errors.New("too many stages with too many variables stand on each other to be planned")

// inherited counts the variables that stages take over from those they stand on.
func (p *planner) inherited() (sum int) {
	sets := map[*stagePlan]int{}
	for _, st := range p.stages {
		n := sets[st.base]
		sum += n
		for _, c := range st.commands {
			if c.in.Meant == "ENV" || c.in.Meant == "ARG" {
				n += len(c.in.Args)
			}
		}
		sets[st] = n
	}
	return sum
}

// readGlobal reads what stands above the first FROM, and what --build-arg says of the whole build.
func (p *planner) readGlobal() {
	name := p.Settings.Target
	if last := len(p.File.Stages) - 1; name == "" && last >= 0 {
		name = p.File.Stages[last].Name
	}
	for _, arg := range p.builtinArgs(name) {
		p.global.set(arg.key, arg.val, arg.origin)
	}
	for _, s := range p.steps {
		if s.in.Stage >= 0 {
			break
		}
		p.metaArg(s.in, s)
	}
	p.cacheNS = p.args[cacheNamespaceArg]
	p.runWith = p.runSettings()
	p.sourceDateEpoch()
}

// sourceDateEpoch finds the time that WORKDIR's directories are stamped with, and lets the stages see it as BuildKit
// writes it (dockerfile2llb.resolveSourceDateEpochValue, setBuildArgValue).
func (p *planner) sourceDateEpoch() {
	const key = epochArg
	text, given := p.args[key]
	line := 0
	global := p.global.index[key]
	if p.Unknown.arg(key) != "" {
		p.epoch = &placed{p.argument(key, plain(text)), 0}
		return
	}
	if !given {
		if global == nil || global.val.text == "" {
			return
		}
		text, line = global.val.text, global.origin.line
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		text = strconv.FormatInt(n, 10)
	} else if text == "context" {
		text = "" // a directory has no time of its own
	}
	p.epoch = &placed{plain(text), line}
	p.args = maps.Clone(p.args)
	delete(p.args, key)
	if given && text != "" {
		p.args[key] = text
	}
	if global != nil {
		global.val = plain(text)
		if text == "" {
			delete(p.global.index, key)
		}
	}
}

// readStages finds each stage's base and commands, and what those copy from.
func (p *planner) readStages() {
	rest := p.steps
	for len(rest) > 0 && rest[0].in.Stage < 0 {
		rest = rest[1:]
	}
	for _, stage := range p.File.Stages {
		steps := rest[:len(stage.Instructions)] // the FROM first
		rest = rest[len(steps):]
		if len(p.stages) > 0 && !begins(stage.From) {
			steps[0].reject(stage.From, nil)
		} else {
			p.addStage(stage, steps[0])
		}
		st := p.stages[len(p.stages)-1]
		if st.stage != stage {
			st.unread = cmp.Or(st.unread, stage.From.Line)
		}
		for _, s := range steps[1:] {
			st.commands = append(st.commands, command{in: s.in, step: s, line: s.in.Line})
		}
	}
	p.sources = slices.Clone(p.stages)
	for _, st := range p.stages {
		for i := range st.commands {
			p.addSources(&st.commands[i])
		}
	}
}

// begins reports whether a FROM begins a stage. One that is still being typed and says nothing of its base does not:
// until then all goes on as before.
func begins(from *dockerfile.Instruction) bool {
	return from.From != nil && !strings.HasPrefix(from.From.BaseName, "-") ||
		from.From == nil && len(from.Args) > 0 && !strings.HasPrefix(from.Args[0].Text, "-")
}

// targetStage is the stage to build, nil if the file has none. BuildKit takes a name only
// (dispatchContext.resolveTarget), the classic builder an index too.
func (p *planner) targetStage() (*stagePlan, error) {
	if p.Settings.Target == "" {
		if len(p.stages) == 0 {
			return nil, nil
		}
		return p.stages[len(p.stages)-1], nil
	}
	if st := p.byName[strings.ToLower(p.Settings.Target)]; st != nil {
		return st, nil
	}
	if i, err := strconv.Atoi(p.Settings.Target); err == nil && p.Settings.Engine == Classic && i >= 0 &&
		i < len(p.stages) {
		return p.stages[i], nil
	}
	return nil, fmt.Errorf("there is no stage %q to build; %s", p.Settings.Target, p.stageNames())
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
		s.reject(in, errors.New("only ARG may stand above the first FROM"))
		return
	}
	for _, kv := range arg.Args {
		from := origin{line: in.Line, arg: true}
		if _, given := p.args[kv.Key]; given || p.Unknown.arg(kv.Key) != "" {
			p.global.set(kv.Key, p.argument(kv.Key, value{}), from)
		} else if kv.Value != nil {
			v, err := p.x.word(*kv.Value, &p.global)
			if err != nil {
				s.reject(in, err)
				return
			}
			p.global.set(kv.Key, v, from)
		}
	}
	s.kind = configStep
}

// addStage adds a stage (dispatchContext.buildDispatchStates). Of a FROM that BuildKit rejects, say for a name that is
// still being typed, the base counts.
func (p *planner) addStage(stage *dockerfile.Stage, from *step) {
	st := &stagePlan{stage: stage, from: from, commands: make([]command, 0, len(stage.Instructions))}
	base, platform := stage.Base.Text, ""
	if from := stage.From.From; from != nil {
		base, platform = from.BaseName, from.Platform
	}
	name, err := p.x.word(base, &p.global)
	st.baseName, st.guessed = name.text, name.unknown()
	if err == nil && !st.guessed {
		err = p.baseError(base, name.text)
	}
	st.baseErr = err
	if st.guessed && p.plan.unsure == "" {
		p.plan.unsure = p.Unknown.anyArg()
	}
	if v, err := p.x.word(platform, &p.global); err == nil && (v.text != "" || v.opaque != "") {
		st.platform = value{normalPlatform(v.text), v.opaque}
	}
	_, image := ofContext(p.ContextImages, stage.Name)
	built, _ := ofContext(p.ContextBuilds, stage.Name)
	if stage.Name != "" && (image || built != nil || p.context(stage.Name) != nil) {
		st.replaced = true
	} else if err == nil {
		st.base = p.byName[st.baseName]
	}
	if len(p.ContextBuilds) > 0 && err == nil && !st.replaced && st.base == nil && !st.guessed {
		st.built = p.made(st.baseName, st.platform)
	}
	if stage.Name != "" {
		p.byName[stage.Name] = st
	}
	p.stages = append(p.stages, st)
	for _, trigger := range p.triggers(st) {
		st.commands = append(st.commands, command{in: trigger, step: from, line: stage.From.Line})
	}
}

// triggers are the ONBUILD instructions of the stage's base, which run at its FROM. Each is read as a file of its own:
// the escape directive does not reach it (dockerfile2llb.initOnBuildTriggers).
func (p *planner) triggers(st *stagePlan) []*dockerfile.Instruction {
	var out []*dockerfile.Instruction
	switch {
	case st.base != nil:
		for _, c := range st.base.commands {
			out = append(out, onBuild(c.in)...)
		}
	case st.built != nil:
		out = st.built.onBuild
	default:
		image, _ := p.image(st.baseName)
		for _, text := range image.OnBuild {
			out = append(out, dockerfile.Parse(source.New(text), nil).Instructions...)
		}
	}
	return out
}

// onBuild are the instructions that an ONBUILD holds, none if in is another one.
func onBuild(in *dockerfile.Instruction) []*dockerfile.Instruction {
	onbuild, ok := in.Command.(*instructions.OnbuildCommand)
	if !ok {
		return nil
	}
	return dockerfile.Parse(source.New(onbuild.Expression), nil).Instructions
}

// addSources finds what a command copies or mounts from (dockerfile2llb.toCommand, detectRunMount).
func (p *planner) addSources(c *command) {
	switch cmd := c.in.Command.(type) {
	case *instructions.CopyCommand:
		if cmd.From != "" {
			c.sources = []*stagePlan{p.copySource(cmd.From)}
		}
	case *instructions.RunCommand:
		if len(c.in.Flags) == 0 {
			return
		}
		for _, m := range instructions.GetMounts(cmd) {
			from := m.From
			if from == "" {
				from = scratch
			}
			c.sources = append(c.sources, p.sourceByName(from))
		}
	}
}

// copySource finds what --from names: a stage, counted or by name, or an image. It returns nil for what BuildKit
// rejects.
func (p *planner) copySource(from string) *stagePlan {
	if v, err := p.x.word(from, &environ{}); err != nil || v.text != from {
		return nil // variables are not expanded here
	}
	if i, err := strconv.Atoi(from); err == nil {
		if i < 0 || i >= len(p.sources) {
			return nil
		}
		return p.sources[i]
	}
	return p.sourceByName(from)
}

func (p *planner) sourceByName(name string) *stagePlan {
	if st := p.byName[strings.ToLower(name)]; st != nil {
		return st
	}
	image := &stagePlan{baseName: name}
	p.sources = append(p.sources, image)
	return image
}

// reach marks the stages that target needs.
func (p *planner) reach(target *stagePlan) {
	if target == nil || target.reachable {
		return
	}
	target.reachable = true
	p.reach(target.base)
	for _, c := range target.commands {
		for _, src := range c.sources {
			p.reach(src)
		}
	}
}

// replace puts a named context in a stage's place.
func (p *planner) replace(st *stagePlan) {
	if built := p.made(st.stage.Name, value{}); built != nil {
		st.state, st.dispatched = built.begin(p), true
		if built.fails != "" {
			st.from.reject(st.stage.From, errors.New(built.fails))
		}
		return
	}
	st.state.platform = p.platform
	st.state.root = p.source(st.stage.Name, st.state.platform)
	if image, ok := p.image(st.stage.Name); ok || st.state.root.kind == localVertex {
		p.knownConfig(&st.state, image)
	} else {
		p.unknownConfig(&st.state, st.state.root)
	}
	st.dispatched = true
}

// dispatch carries out a stage's instructions in order.
func (p *planner) dispatch(st *stagePlan) {
	p.ignoreCache = p.Settings.NoCache ||
		st.stage != nil && slices.ContainsFunc(p.Settings.NoCacheFilter, func(name string) bool {
			return strings.EqualFold(name, st.stage.Name)
		})
	p.begin(st)
	st.dispatched = true
	for _, c := range st.commands {
		p.command(st, c)
	}
}

// begin sets the state that a stage starts with, and plans its FROM (dispatchContext.resolveStages, dispatchStages).
func (p *planner) begin(st *stagePlan) {
	from := st.from
	from.kind = configStep
	s := &st.state
	s.env.recall = p.recall
	switch {
	case st.baseErr != nil:
		s.root = p.broken(st.stage.From, nil)
		from.add(s.root)
		s.platform = p.platform
		p.unknownConfig(s, s.root)
	case st.base != nil:
		*s = st.base.state
		s.env = st.base.state.env.clone()
		s.imageEnv = slices.Clone(st.base.state.imageEnv)
		p.readd(s)
	case st.built != nil:
		*s = st.built.begin(p)
	case st.baseName == scratch:
		s.platform = p.platform
		p.knownConfig(s, Image{WorkingDir: "/"})
	default:
		s.platform = st.platform
		if s.platform == (value{}) {
			s.platform = p.platform
		}
		from.platform = s.platform
		if st.guessed {
			s.root = p.guessedImage(st.baseName, s.platform)
		} else {
			s.root = p.source(st.baseName, s.platform)
		}
		from.add(s.root)
		if image, ok := p.image(st.baseName); ok && !image.DigestOnly && !s.root.image.isLoose() {
			if s.root.image != nil {
				s.root.image.configured = true
			}
			p.knownConfig(s, image)
		} else if s.root.kind == localVertex {
			p.knownConfig(s, Image{WorkingDir: "/"})
		} else {
			p.unknownConfig(s, s.root)
		}
	}
	if st.baseErr != nil {
		from.reject(st.stage.From, st.baseErr)
	} else if st.stage.From.From == nil {
		from.reject(st.stage.From, nil)
	} else if st.built != nil && st.built.fails != "" {
		from.reject(from.in, errors.New(st.built.fails))
	}
}

// StandsOnContext reports whether a result stands on a directory that is sent: a RUN may write into a mount of it, or
// it is the base of a stage. BuildKit can then not renew that directory in place (source/local, GetMutable), and the
// next build may be sent all of it anew.
func (p *Plan) StandsOnContext() bool {
	return slices.ContainsFunc(p.vertices, func(v *vertex) bool {
		if v.onContext || len(v.inputs) == 0 || v.inputs[0].from == nil || v.inputs[0].from.kind != localVertex {
			return v.onContext
		}
		return v.kind != copyVertex || !v.inputs[0].content // else it is what a COPY upon nothing takes files from
	})
}

// scratch is the base that is empty (dockerfile2llb.emptyImageName).
const scratch = "scratch"

// knownConfig starts a stage from an image's configuration (dispatchContext.dispatchStages).
func (p *planner) knownConfig(s *state, image Image) {
	hasPath := false
	for _, kv := range image.Env {
		k, v, _ := strings.Cut(kv, "=")
		p.imageVar(s, k, plain(v), origin{})
		hasPath = hasPath || k == "PATH"
	}
	if os := s.os(); !hasPath && os != "windows" {
		p.imageVar(s, "PATH", plain(system.DefaultPathEnv(os)), origin{})
	}
	dir := image.WorkingDir
	if dir == "" {
		dir = "/"
	}
	s.cwd = p.recall.place(plain(dir), 0)
	s.user = p.recall.place(plain(image.User), 0)
	s.shell = p.recall.place(plain(shellText(image.Shell)), 0)
}

// unknownConfig starts a stage from an image of which nothing is known but its key, and what is true of all images of
// that name.
func (p *planner) unknownConfig(s *state, root *vertex) {
	id, name, user := brief(root.key), "", "\x00user\x00"
	if r := root.image; r != nil && !r.elsewhere && !r.loose {
		name = r.name
		if known := images.Known(name); known != nil && known.Root {
			user = rootUser
		}
	}
	s.base = baseVars + id
	place := func(key string, val value) {
		s.env.put(envNode{key: key, val: val, placed: true})
		s.imageEnv = append(s.imageEnv, s.env.head)
	}
	place(baseVars, value{name, s.base})
	if os := s.os(); os != "windows" { // every image sets it, or BuildKit does
		place("PATH", value{text: system.DefaultPathEnv(os), opaque: "\x00path\x00" + id})
	}
	s.cwd = p.recall.place(value{text: "/", opaque: "\x00cwd\x00" + id}, 0)
	s.user = p.recall.place(value{opaque: user + id}, 0)
	s.shell = p.recall.place(value{opaque: "\x00shell\x00" + id}, 0)
}

// imageVar sets a variable of the image, as ENV does: in place in the image's own list, last in the stage's.
func (p *planner) imageVar(s *state, key string, val value, from origin) {
	_, again := s.env.index[key]
	s.env.set(key, val, from)
	if again {
		if i := slices.IndexFunc(s.imageEnv, func(n *envNode) bool { return n.key == key }); i >= 0 {
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
		if n.key == baseVars {
			// Variables of ours may stand among those of the image in an order that is not known.
			names := []string{"again", s.base}
			for _, m := range s.imageEnv[1:] {
				if m.origin != (origin{}) {
					names = append(names, m.key)
				}
			}
			if len(names) > 2 {
				val.opaque = opaque(names...)
			}
		}
		s.env.put(envNode{key: n.key, val: val, origin: n.origin, placed: s.imageEnv[0].key == baseVars})
		s.imageEnv[i] = s.env.head
	}
}

// vertex returns the vertex of that identity, making it if it is new: equal operations on equal inputs are one vertex,
// as they are in LLB. identity must hold all that key and inputs leave out.
func (p *planner) vertex(v vertex, identity ...string) *vertex {
	id := vertexID{kind: v.kind, key: v.key.strict, ignoreCache: v.ignoreCache}
	inputs := v.inputs
	if len(inputs) > 0 && inputs[0].selector == "" {
		id.root, inputs = inputs[0].from, inputs[1:]
	}
	if len(inputs)+len(identity) > 0 {
		w := p.identity.reset().list(identity)
		for i := range inputs {
			at := -1
			if from := inputs[i].from; from != nil {
				at = from.index
			}
			w.num(at).str(inputs[i].selector)
		}
		id.rest = string(w.lax)
	}
	if known := p.interned[id]; known != nil {
		return known
	}
	made := v
	if p.Settings.Engine != Classic {
		made.dialect = sameFrontend(p.dialect)
	}
	made.index = len(p.plan.vertices)
	p.interned[id] = &made
	p.plan.vertices = append(p.plan.vertices, &made)
	return &made
}

// vertexID identifies a vertex within its plan, as the digest of its LLB does.
type vertexID struct {
	kind        vertexKind
	key         string
	ignoreCache bool
	root        *vertex // the first input, if all of it is read
	rest        string  // the other inputs, and what key leaves out
}

// broken is the vertex of an instruction that cannot be read. It is known by its text: where the baseline is broken in
// the same way, all below it stays as it was.
func (p *planner) broken(in *dockerfile.Instruction, inputs []input) *vertex {
	text := argsText(in)
	if in.From != nil { // whatever the stage is called
		text = in.From.BaseName
	}
	key := (&keyWriter{}).str("broken", in.Meant, text).done()
	return p.vertex(vertex{kind: brokenVertex, key: key, inputs: inputs}, strconv.Itoa(in.Line))
}

// argsText is what stands behind the keyword and its flags.
func argsText(in *dockerfile.Instruction) string {
	var words []string
	for _, w := range in.Args {
		words = append(words, w.Text)
	}
	return strings.Join(words, " ")
}

// source is the vertex of an image or of a named context.
func (p *planner) source(name string, platform value) *vertex {
	if p.Unknown.context(name) != "" {
		return p.guessedImage(name, platform)
	}
	if tree := p.context(name); tree != nil {
		key := (&keyWriter{}).str("local", contextName(name)).done()
		return p.vertex(vertex{kind: localVertex, key: key, tree: tree})
	}
	image, replaced := ofContext(p.ContextImages, name)
	if replaced && image == "" {
		// Never the same as in another plan, and never certainly another one; nor is what its configuration sets.
		key := (&keyWriter{}).str("built elsewhere").val(p.guess(name, plain(name))).val(platform).done()
		ref := &imageRef{name: name, platform: platform.text, elsewhere: true, loose: platform.unknown()}
		return p.vertex(vertex{kind: imageVertex, key: key, image: ref}, name)
	}
	if replaced {
		name = image
	}
	ref := &imageRef{name: name, platform: platform.text, loose: platform.unknown()}
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		ref.name = reference.TagNameOnly(named).String()
		if d, ok := named.(reference.Digested); ok {
			ref.digest = d.Digest().String()
		}
	}
	if image, ok := p.image(name); ok && image.Digest != "" {
		ref.digest = image.Digest
	}
	w := (&keyWriter{}).str("image").val(platform)
	if ref.digest != "" {
		w.str("digest", ref.digest) // the name is then not in the key
	} else {
		w.str("name", ref.name)
	}
	return p.vertex(vertex{kind: imageVertex, key: w.done(), image: ref, op: p.exactImage(ref)}, ref.name)
}

// guessedImage is the vertex of an image of which nobody knows which one it is.
func (p *planner) guessedImage(name string, platform value) *vertex {
	key := (&keyWriter{}).str("image").val(p.guess("image", plain(name))).val(platform).done()
	ref := &imageRef{name: name, platform: platform.text, loose: true}
	return p.vertex(vertex{kind: imageVertex, key: key, image: ref}, name)
}

// image looks an image up among those that are known.
func (p *planner) image(name string) (Image, bool) {
	if len(p.Images) == 0 {
		return Image{}, false
	}
	if image, ok := ofContext(p.ContextImages, name); ok {
		if image == "" {
			return Image{}, false
		}
		if known, ok := ofContext(p.Images, name); ok {
			return known, true
		}
		name = image
	}
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		if image, ok := p.Images[reference.TagNameOnly(named).String()]; ok {
			return image, true
		}
	}
	image, ok := ofContext(p.Images, name)
	return image, ok
}

// context is the named context that is a directory and stands in for an image or stage of that name, nil if there is
// none.
func (p *planner) context(name string) *buildcontext.Tree {
	tree, _ := ofContext(p.Contexts, name)
	return tree
}

// ofContext looks up what is known of a named context.
func ofContext[T any](known map[string]T, name string) (of T, ok bool) {
	if len(known) > 0 { // else the name need not be read
		of, ok = known[contextName(name)]
	}
	return of, ok
}

// contextName is the name under which a named context replaces an image (dockerui.Client.NamedContext).
func contextName(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return strings.TrimSuffix(reference.FamiliarString(named), ":latest")
}

func normalPlatform(s string) string {
	p, err := platforms.Parse(s)
	if err != nil {
		return s
	}
	return platforms.FormatAll(platforms.Normalize(p))
}
