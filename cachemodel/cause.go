package cachemodel

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
)

// explainer finds the first reason why a step is rebuilt.
type explainer struct {
	base, next *Plan // base is nil if there is no baseline
	past       *Past // of base
	unseen     *Unseen
	runs       []bool   // by vertex.index: those that are certainly executed
	spared     []bool   // by vertex.index: those that are certainly not, though their results are not there
	frontends  []string // see Held.frontends
	sure, hope *lookup
	mates      []*step        // see align
	moved      map[*step]bool // steps that have another place among their mates
	spare      map[string]int // of base's steps without a mate, how many there are of each source; see isSpare
	causes     map[*step]Cause
	broken     []*step                     // see unread; nil until they are asked for
	spoiled    map[*step]*step             // steps whose cause is a line that cannot be read
	firsts     map[*vertex]int             // see first
	settings   map[[2]*envNode]settingDiff // see firstDiff
	contexts   map[*vertex]*step           // see contextOwners
	// Of a fresh builder that imports a cache: which keys next has there, and what was found by the pasts alone.
	imported *imported
	exact    []remotecache.Vertex
	rule     *lookup
	doubt    bool // the plans are not certain to have the very steps of the builds
}

// newExplainer looks next up. Only if something of it is missing there is more to do.
func newExplainer(h *Held, next *Plan) *explainer {
	c := h.cache
	e := &explainer{next: next, sure: c.lookup(next, pessimist), frontends: h.frontends(next), imported: h.imported,
		mates: make([]*step, len(next.steps))}
	if e.imported != nil {
		e.rule = e.sure
		e.exact, e.sure, e.hope = e.imported.lookups(next)
	}
	if next.unsure == "" && !slices.ContainsFunc(next.vertices, func(v *vertex) bool { return !e.sure.hit(v) }) {
		return e
	}
	if e.hope == nil {
		e.hope = c.lookup(next, optimist)
	}
	e.spared = e.sure.spared(next, e.hope)
	e.unseen = &h.unseen
	e.runs = e.hope.runs(next, e.unseen)
	e.doubt = next.doubtful || slices.ContainsFunc(h.pasts, func(p Past) bool { return p.Plan.doubtful })
	e.spoiled, e.causes = map[*step]*step{}, map[*step]Cause{}
	e.firsts, e.settings = map[*vertex]int{}, map[[2]*envNode]settingDiff{}
	if e.past = h.mostSimilar(next, e.sure); e.past != nil {
		e.base = e.past.Plan
		e.mates, e.moved = align(e.base, next)
	}
	return e
}

// certain reports whether a vertex is executed in any case.
func (e *explainer) certain(v *vertex) bool {
	return e.next.unsure == "" && (v.ignoreCache || !e.doubt && e.runs[v.index])
}

// explain returns the cause of a step that is rebuilt. That of one that is rebuilt for certain is certain itself.
func (e *explainer) explain(s *step) Cause {
	if c, ok := e.causes[s]; ok {
		return c
	}
	c := e.find(s)
	if at := e.spoiledBy(s, c); at != nil {
		e.spoiled[s] = at
		c = e.failsCause(s, at)
	}
	if c.Line == 0 {
		c.Line = s.in.Line
	}
	e.causes[s] = c
	return c
}

func (e *explainer) find(s *step) Cause {
	if c, ok := s.failure(); ok {
		return c
	}
	if at := e.next.failsAt(s); at != nil {
		return e.failsCause(s, at)
	}
	v := e.deciding(s)
	if c, ok := e.plainCause(s, v); ok {
		return c
	}
	certain := e.certain(v)
	mate := e.mates[s.index]
	if mate == nil || mate.kind == skippedStep {
		return Cause{Kind: InstructionChanged, Detail: e.newDetail(s, mate)}
	}
	edited := s.source() != mate.source()
	old := counterpart(s, v, mate)
	if old == nil && !edited { // such as a COPY --link that has something to be linked with now
		old = &vertex{key: v.key}
	}
	if c, ok := deviceCause(s, mate); ok && !certain {
		return c
	}
	if old == nil || !v.key.is(old.key) && edited {
		return Cause{Kind: InstructionChanged, Detail: editDetail(s, mate)}
	}
	if c, ok := e.dialectCause(v, old); ok {
		return c
	}
	if strange(s.in) && !certain {
		return Cause{
			Kind:   InstructionChanged,
			Detail: notKnown + "what one of its flags does: it is newer than this program",
		}
	}
	if c, ok := e.comparedCause(s, v, old, mate, certain); ok {
		return c
	}
	switch {
	case e.moved[s]:
		return Cause{Kind: InstructionChanged, Detail: "this instruction was moved here"}
	case edited:
		return Cause{Kind: InstructionChanged, Detail: editDetail(s, mate)}
	case s.instruction() == "FROM":
		return e.triggerCause()
	}
	return e.placeCause(s, v, old, mate)
}

// comparedCause is what differs in what a step reads and in what it is carried out with, where its own text tells
// nothing.
func (e *explainer) comparedCause(s *step, v, old *vertex, mate *step, certain bool) (Cause, bool) {
	if other := e.perhaps(v, old); other != nil {
		if c, ok := e.contextCause(s, v, other, mate); ok && c.unknown() {
			return c, true
		}
	}
	if c, ok := e.contextCause(s, v, old, mate); ok {
		return c, true
	}
	if !v.key.is(old.key) || heredocDiffers(v, old) {
		if c, ok := e.stateCause(s, v, mate); ok && !(certain && c.unknown()) {
			return c, true
		}
	}
	if c, ok := e.failureCause(v, old, mate); ok {
		return c, true
	}
	if c, ok := e.inputCause(s, v, old); ok && (c.Kind != Follows || !e.moved[s]) {
		return c, true
	}
	return Cause{}, false
}

// plainCause is the cause of a step that does not hang on how its operation and what that reads compare with earlier
// ones.
func (e *explainer) plainCause(s *step, v *vertex) (Cause, bool) {
	alone := e.base == nil && e.imported != nil // the cache tells by itself
	switch {
	case e.next.unsure != "":
		return Cause{Kind: NotInCache, Detail: notKnown + "which steps this build has: " + e.next.unsure}, true
	case alone:
	case e.base == nil && e.leftBefore(s):
		return Cause{Kind: NotInCache, Detail: e.unseen.Reason}, true
	case e.base == nil:
		return Cause{Kind: NoBaseline, Detail: "there is nothing to compare with"}, true
	case e.base.err != nil:
		return Cause{Kind: NoBaseline, Detail: "of the build that is compared with: " + e.base.err.Error()}, true
	}
	switch {
	case v.ignoreCache:
		return Cause{Kind: NoCache, Detail: "the cache is turned off for this build"}, true
	case e.absent(v) != "":
		return Cause{Kind: NotInCache, Detail: e.absent(v)}, true
	}
	if c, ok := e.importCause(v); ok {
		return c, true
	}
	if alone {
		return e.aloneCause(s, v), true
	}
	switch {
	case v.kind == imageVertex:
		return e.imageCause(s, v), true
	case v.kind == localVertex:
		return Cause{Kind: BaseChanged, Detail: "a base that is a directory is never found in the cache"}, true
	}
	return Cause{}, false
}

// failsCause explains a step before which the build fails.
func (e *explainer) failsCause(s, at *step) Cause {
	if at.context != "" {
		detail := fmt.Sprintf("the build of the named context %s fails at line %d of its Dockerfile", at.context,
			at.in.Line)
		return Cause{Kind: StageRebuilt, Line: s.in.Line, Detail: detail}
	}
	c := Cause{Kind: Follows, Line: at.in.Line, Detail: fmt.Sprintf("the build fails at line %d above", at.in.Line)}
	if at.in.Stage != s.in.Stage {
		c.Kind, c.Detail = StageRebuilt, fmt.Sprintf(
			"the build fails at line %d of stage %s",
			at.in.Line,
			stageName(e.next, at),
		)
	} else if rejection(at.in) != "" {
		c.Detail = fmt.Sprintf("line %d above cannot be read", at.in.Line)
	}
	return c
}

// cached reports whether the build certainly does not execute v.
func (e *explainer) cached(v *vertex) bool {
	return e.sure.hit(v) || e.spared != nil && e.spared[v.index]
}

// notKnown begins what is said of a part of a build that nobody knows.
const notKnown = "it is not known "

// unknown reports whether the cause is that nobody knows something.
func (c *Cause) unknown() bool { return strings.HasPrefix(c.Detail, notKnown) }

// absent says why the result of a vertex is not in the cache, or perhaps not, though its key is; "" if that is not so.
func (e *explainer) absent(v *vertex) string {
	for _, id := range e.sure.ids[v.index] {
		if result := e.sure.cache.records[id].result; result.Presence != There {
			return result.Reason
		}
	}
	return ""
}

// leftBefore reports whether a result of a step that the known builds did not make may be there all the same.
func (e *explainer) leftBefore(s *step) bool {
	return slices.ContainsFunc(
		s.vertices,
		func(v *vertex) bool { return !v.ignoreCache && !e.hope.hit(v) && e.unseen.mayHold(v) },
	)
}

// failureCause explains a step at which the build that is compared with failed.
func (e *explainer) failureCause(v, old *vertex, mate *step) (Cause, bool) {
	at := e.past.FailedAt
	if at == 0 || !v.key.is(old.key) || at < mate.in.Line || at > mate.in.EndLine {
		return Cause{}, false
	}
	return Cause{Kind: NotInCache, Detail: "the last build failed here, so there is no result of it"}, true
}

// heredocDiffers reports whether a heredoc of the instruction has another body.
func heredocDiffers(v, old *vertex) bool {
	for i := range min(len(v.inputs), len(old.inputs)) {
		if from := v.inputs[i].from; from != nil && from.kind == mkfileVertex &&
			v.inputs[i].digest != old.inputs[i].digest {
			return true
		}
	}
	return false
}

// deciding is the vertex of the step that decides: the first that is certainly executed, else the first that may be.
// Of COPY --link that is the copy or, if only what it is linked with changed, the merge.
func (e *explainer) deciding(s *step) *vertex {
	if i := slices.IndexFunc(s.vertices, e.certain); i >= 0 {
		return s.vertices[i]
	}
	for _, v := range s.vertices {
		if !e.cached(v) {
			return v
		}
	}
	return s.vertices[0]
}

// counterpart is the vertex of mate that does what v does in s.
func counterpart(s *step, v *vertex, mate *step) *vertex {
	i := slices.Index(s.vertices, v)
	if i < len(mate.vertices) && mate.vertices[i].kind == v.kind {
		return mate.vertices[i]
	}
	return nil
}

func (e *explainer) imageCause(s *step, v *vertex) Cause {
	c := Cause{Kind: BaseChanged, Line: s.in.Line}
	mate := e.mates[s.index]
	switch {
	case !e.certain(v) &&
		(v.image.loose || mate != nil && len(mate.vertices) > 0 && mate.vertices[0].image.isLoose()):
		c.Detail = notKnown + "which image it was: " + e.imageReason(v.image)
	case v.image.elsewhere:
		c.Detail = fmt.Sprintf("what the named context %s holds is told by its own build", v.image.name)
	case mate == nil || len(mate.vertices) == 0 || mate.vertices[0].image == nil:
		c.Detail = "the base image is new"
	case mate.vertices[0].image.platform != v.image.platform:
		c.Detail = fmt.Sprintf("the platform is now %s", v.image.platform)
	case mate.vertices[0].image.name != v.image.name:
		c.Detail = fmt.Sprintf("the base image is now %s", familiar(v.image.name))
	default:
		c.Detail = "the base image has another digest"
	}
	return c
}

// imageReason is why nobody knows which image it is.
func (e *explainer) imageReason(image *imageRef) string {
	u, w := &e.next.build.Unknown, &e.base.build.Unknown
	return cmp.Or(u.Platform, w.Platform, u.context(image.name), w.context(image.name), e.argReason())
}

func (e *explainer) newDetail(s, mate *step) string {
	switch {
	case mate != nil:
		return "the baseline's build had no need of this instruction"
	case e.isSpare(s.source()):
		return "this instruction was moved here"
	}
	return "this instruction is new"
}

// isSpare reports whether the baseline has such an instruction that is gone from its place.
func (e *explainer) isSpare(source string) bool {
	if e.spare == nil {
		e.spare = map[string]int{}
		for _, s := range e.base.steps {
			e.spare[s.source()]++
		}
		for _, mate := range e.mates {
			if mate != nil {
				e.spare[mate.source()]--
			}
		}
	}
	return e.spare[source] > 0
}

// has reports whether the plan has the very instruction of a step.
func (p *Plan) has(s *step) bool {
	p.onceSources.Do(func() {
		p.sources = make(map[string]bool, len(p.steps))
		for _, s := range p.steps {
			p.sources[s.source()] = true
		}
	})
	return p.sources[s.source()]
}

func editDetail(s, mate *step) string {
	old, now := mate.source(), s.source()
	if lf := strings.NewReplacer("\r\n", "\n"); old != now && lf.Replace(old) == lf.Replace(now) {
		return "the line ends of a heredoc are part of it"
	}
	if old != now && strings.Join(strings.Fields(old), " ") == strings.Join(strings.Fields(now), " ") {
		switch {
		case len(s.in.Heredocs) > 0:
			return "white space in a heredoc is part of it"
		case s.instruction() == "RUN" && s.in.EndLine > s.in.Line:
			return "re-indenting this continued RUN changes its text"
		}
		return "its white space is part of the command"
	}
	if strings.TrimRight(old, "/.") == strings.TrimRight(now, "/.") {
		return "a slash at the end of the destination counts"
	}
	return "this instruction was edited"
}

// missingCause is the cause of a step that reads what is not there, whatever else changed: a build would fail at it.
func missingCause(v *vertex) (Cause, bool) {
	for i := range v.inputs {
		in := &v.inputs[i]
		err := in.failed()
		if err == nil {
			continue
		}
		c := Cause{Kind: MissingSource, Detail: err.Error()}
		var at *buildcontext.PathError
		if errors.As(err, &at) && errors.Is(err, buildcontext.ErrNotFound) {
			c.Paths = []string{at.Path}
			c.Detail = at.Path + " is not in the build context"
			if in.dir.tree.Ignore().Ignores(at.Path) {
				c.Detail += ": the ignore file excludes it"
			}
		}
		return c, true
	}
	return Cause{}, false
}

// perhaps is what v may be found as in the cache where it is certainly not what it was: what another build left. It is
// nil if that is not so.
func (e *explainer) perhaps(v, old *vertex) *vertex {
	found := e.hope.ids[v.index]
	if len(found) == 0 || e.certain(v) || len(v.inputs) != len(old.inputs) {
		return nil
	}
	for i := range v.inputs {
		now, was := v.inputs[i].digest, old.inputs[i].digest
		if v.inputs[i].dir != nil && now != was && decisive(now) && decisive(was) {
			return e.hope.cache.records[found[0]].vertex
		}
	}
	return nil
}

// contextCause finds what changed in the files of the build context that a vertex reads.
func (e *explainer) contextCause(s *step, v, old *vertex, mate *step) (Cause, bool) {
	for i := range v.inputs {
		if i >= len(old.inputs) || old.inputs[i].digest == v.inputs[i].digest && v.inputs[i].digest != "" ||
			e.certain(v) && !(decisive(old.inputs[i].digest) && decisive(v.inputs[i].digest)) {
			continue
		}
		in, was := v.inputs[i].dir, old.inputs[i].dir
		if in == nil || was == nil {
			continue
		}
		same := slices.EqualFunc(
			in.queries,
			was.queries,
			func(a, b buildcontext.Query) bool { return reflect.DeepEqual(a, b) },
		)
		if !same { // a variable is part of what is read
			if c, ok := e.stateCause(s, v, mate); ok && !(e.certain(v) && c.unknown()) {
				return c, true
			}
		}
		c := Cause{Kind: ContextChanged}
		if reason := cmp.Or(in.unknown, was.unknown); reason != "" {
			c.Detail = notKnown + "what the build context held: " + reason
			return c, true
		}
		if in.tree == nil || was.tree == nil {
			c.Detail = "the build context is another one"
			return c, true
		}
		changes := foldGit(buildcontext.Diff(was.tree, in.tree, in.queries))
		if old.inputs[i].digest == "" && len(changes) == 0 {
			c.Detail = notKnown + "what these files held when it was built"
			return c, true
		}
		if len(changes) == 0 {
			c.Detail = "it reads other files"
			if v.kind == classicStep { // links are hashed as what they lead to
				c.Detail = "a link that it reads, or what the link leads to, is another one"
			}
			return c, true
		}
		for _, change := range changes {
			c.Paths = append(c.Paths, change.Path)
		}
		c.Detail = changesDetail(changes)
		if len(changes) == 1 {
			switch name := changes[0].Path; {
			case path.Base(name) == gitDir:
				c.Detail = fmt.Sprintf(
					"`%s` includes %s, which every git command changes: add it to .dockerignore",
					s.text(),
					name,
				)
			case e.isDockerfile(name):
				c.Detail = fmt.Sprintf("`%s` includes the Dockerfile itself: add it to .dockerignore", s.text())
			}
		}
		return c, true
	}
	return Cause{}, false
}

// gitDir is the folder of a git repository.
const gitDir = ".git"

// foldGit takes all changes below a .git folder for one of the folder.
func foldGit(changes []buildcontext.Change) []buildcontext.Change {
	var out []buildcontext.Change
	for _, c := range changes {
		if above, below, ok := strings.Cut("/"+c.Path, "/"+gitDir+"/"); ok && below != "" {
			c = buildcontext.Change{Path: strings.TrimPrefix(above+"/"+gitDir, "/"), Kind: buildcontext.Modified}
		}
		if n := len(out); n > 0 && out[n-1].Path == c.Path {
			continue
		}
		out = append(out, c)
	}
	return out
}

// isDockerfile reports whether a file of the context looks like the Dockerfile.
func (e *explainer) isDockerfile(name string) bool {
	base := strings.ToLower(path.Base(name))
	return strings.HasPrefix(base, "dockerfile") || strings.HasSuffix(base, ".dockerfile") ||
		strings.HasPrefix(base, "containerfile")
}

func changesDetail(changes []buildcontext.Change) string {
	verbs := map[buildcontext.ChangeKind]string{
		buildcontext.Added:    "was added",
		buildcontext.Removed:  "was removed",
		buildcontext.Modified: "was modified",
		buildcontext.Mode:     "has other permissions",
		buildcontext.Type:     "is another kind of file",
		buildcontext.Unsure:   "may have changed: it is not known what it held when it was built",
	}
	switch len(changes) {
	case 0:
		return "the files that it reads changed"
	case 1:
		return changes[0].Path + " " + verbs[changes[0].Kind]
	}
	const shown = 3
	var names []string
	for _, c := range changes[:min(shown, len(changes))] {
		names = append(names, c.Path)
	}
	list := strings.Join(names, ", ")
	if more := len(changes) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%d files changed: %s", len(changes), list)
}

// stateCause finds which setting above changed the operation v of the step though its own text is the same.
func (e *explainer) stateCause(s *step, v *vertex, mate *step) (Cause, bool) {
	run := s.instruction() == "RUN" || v.kind == execVertex // perhaps of an ONBUILD trigger
	workdir := s.instruction() == "WORKDIR" || v.kind == mkdirVertex
	if run {
		if c, ok := e.envCause(s, mate, nil); ok {
			return c, true
		}
	} else if names := variables(s.source()); len(names) > 0 {
		if c, ok := e.envCause(s, mate, names); ok {
			return c, true
		}
	}
	if s.user.differs(mate.user) && (run || workdir) {
		c := Cause{
			Kind:   UserChanged,
			Line:   s.user.line,
			Detail: "USER above changed, so this command runs as another user",
		}
		if !run {
			c.Detail = "USER above changed, so WORKDIR's directory gets another owner"
		}
		return c, true
	}
	if s.cwd.differs(mate.cwd) {
		return Cause{
			Kind:   WorkdirChanged,
			Line:   s.cwd.line,
			Detail: "WORKDIR above changed, so this step's directory is another one",
		}, true
	}
	if run && s.shell.differs(mate.shell) {
		return Cause{
			Kind:   ShellChanged,
			Line:   s.shell.line,
			Detail: "SHELL above changed, so another program runs this command",
		}, true
	}
	if workdir && (s.epoch.unknown() || mate.epoch.unknown()) {
		return Cause{
			Kind:   ArgChanged,
			Detail: notKnown + "what the build argument " + epochArg + " was: " + e.argReason(),
		}, true
	}
	if workdir && s.epoch.value != mate.epoch.value {
		return Cause{
			Kind:   ArgChanged,
			Line:   s.epoch.line,
			Detail: "SOURCE_DATE_EPOCH changed, which stamps WORKDIR's directory",
		}, true
	}
	if s.platform.unknown() || mate.platform.unknown() {
		reason := cmp.Or(e.next.build.Unknown.Platform, e.base.build.Unknown.Platform, e.argReason())
		detail := notKnown + "for which platform it was built: " + reason
		return Cause{Kind: BaseChanged, Line: e.stageLine(s), Detail: detail}, true
	}
	if s.platform != mate.platform {
		return Cause{Kind: BaseChanged, Line: e.stageLine(s), Detail: "the platform is now " + s.platform.text}, true
	}
	if !run {
		return Cause{}, false
	}
	for _, arg := range []string{hostnameArg, cacheNamespaceArg} {
		if e.next.build.Settings.Args[arg] != e.base.build.Settings.Args[arg] {
			return Cause{Kind: ArgChanged, Detail: "the build argument " + arg + " changed"}, true
		}
	}
	return e.runSettingsCause()
}

// argReason is why some build argument is not known.
func (e *explainer) argReason() string {
	return cmp.Or(e.next.build.Unknown.anyArg(), e.base.build.Unknown.anyArg())
}

// differs reports whether a setting was changed by an instruction, and not by a base image whose configuration is not
// known.
func (p *placed) differs(from *placed) bool {
	if p.line == 0 && from.line == 0 {
		return false
	}
	return p.text != from.text || (p.opaque == "") != (from.opaque == "")
}

func (e *explainer) stageLine(s *step) int {
	if s.in.Stage < 0 {
		return 0
	}
	return e.next.build.File.Stages[s.in.Stage].From.Line
}

var variablePattern = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// variables names the variables that a text uses.
func variables(text string) []string {
	var names []string
	for _, m := range variablePattern.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

func settingName(n *envNode) string {
	if n.key == brokenVar {
		return "a variable that cannot be read yet"
	}
	switch {
	case n.origin.arg:
		return "ARG " + n.key
	case n.origin == origin{}:
		return "the base image's ENV " + n.key
	}
	return "ENV " + n.key
}

func (e *explainer) settingCause(s *step, n, old *envNode) Cause {
	c := Cause{Kind: EnvChanged, Line: n.origin.line}
	switch {
	case n.origin.arg:
		c.Kind = ArgChanged
	case n.origin == origin{}:
		c.Kind, c.Line = BaseChanged, e.stageLine(s)
	}
	if n.val.unknown() || old != nil && old.val.unknown() {
		c.Detail = notKnown + "what " + settingName(n) + " was"
		if reason := e.argReason(); reason != "" {
			c.Detail += ": " + reason
		}
		return c
	}
	verb := "changed"
	if old == nil {
		verb = "is new"
	}
	c.Detail = settingName(n) + " " + verb
	if now, ok := e.next.build.Settings.Args[n.key]; n.origin.arg && ok && e.base.build.Settings.Args[n.key] != now {
		c.Detail = "the build argument " + n.key + " " + verb
	}
	if s.instruction() == "RUN" && !slices.Contains(variables(s.source()), n.key) {
		c.Detail += "; it reaches this RUN though it does not use it"
	}
	return c
}

// inputCause finds which of the vertices that v reads is the reason: first one that is certainly missed, then, unless v
// is certainly executed, a stage or remote source that may have another content, then a base that is only perhaps
// missed.
func (e *explainer) inputCause(s *step, v, old *vertex) (Cause, bool) {
	certain := e.certain(v)
	var stages, rest []*input
	for i := range v.inputs {
		in := &v.inputs[i]
		switch {
		case in.from == nil || e.sure.hit(in.from) || certain && !in.content && !e.certain(in.from):
		case certain && e.hope.forced(in.from):
			return e.sourceCause(s, in)
		case certain && in.content:
			if i < len(old.inputs) && decisive(in.digest) && decisive(old.inputs[i].digest) &&
				in.digest != old.inputs[i].digest {
				return e.sourceCause(s, in)
			}
			if in.from.kind != remoteVertex && e.certain(in.from) {
				stages = append(stages, in)
			}
		case in.content:
			if i >= len(old.inputs) || in.digest == "" || in.digest != old.inputs[i].digest {
				stages = append(stages, in)
			}
		case e.hope.hit(in.from):
			rest = append(rest, in)
		default:
			return e.sourceCause(s, in)
		}
	}
	for _, in := range append(stages, rest...) {
		if c, ok := e.sourceCause(s, in); ok {
			return c, true
		}
	}
	return Cause{}, false
}

// owner is the step of a vertex that s reads, nil if it is nobody's. Where several share it, it is that of the stage
// that s reads from.
func (s *step) owner(v *vertex) *step {
	if v == nil || len(v.owners) == 0 {
		return nil
	}
	for _, stage := range append([]*stagePlan{s.stage}, s.sources...) {
		for ; stage != nil && stage.stage != nil && len(v.owners) > 1; stage = stage.base {
			for _, o := range v.owners {
				if o.in.Stage == stage.stage.Index {
					return o
				}
			}
		}
	}
	return v.owners[0]
}

func (e *explainer) sourceCause(s *step, in *input) (Cause, bool) {
	switch {
	case in.from.kind == remoteVertex && in.digest != "":
		return Cause{Kind: InstructionChanged, Detail: "another version is asked for"}, true
	case in.from.kind == remoteVertex:
		return Cause{Kind: RemoteSource, Detail: "what is behind the address may have changed"}, true
	}
	from := s.owner(in.from)
	if from == nil {
		if c, ok := e.contextBuildCause(s, in); ok {
			return c, true
		}
		if in.from.kind == imageVertex {
			return Cause{
				Kind:   BaseChanged,
				Detail: "the image " + familiar(in.from.image.name) + " may be another one",
			}, true
		}
		for i := range in.from.inputs { // the directory that a cache mount starts from is nobody's
			if below := &in.from.inputs[i]; below.from != nil && !e.sure.hit(below.from) {
				return e.sourceCause(s, below)
			}
		}
		return Cause{}, false
	}
	above := e.explain(from)
	if at := e.spoiled[from]; at != nil {
		e.spoiled[s] = at
		return e.failsCause(s, at), true
	}
	line := from.in.Line
	if !e.hope.hit(in.from) {
		line = e.first(in.from, from)
	} else if above.Kind == Follows {
		line = above.Line
	}
	switch {
	case from.in.Stage != s.in.Stage:
		stage := stageName(e.next, from)
		return Cause{
			Kind:   StageRebuilt,
			Line:   line,
			Detail: fmt.Sprintf("stage %s is rebuilt from line %d on", stage, line),
		}, true
	case in.from.kind == imageVertex:
		return Cause{Kind: BaseChanged, Line: from.in.Line, Detail: above.Detail}, true
	}
	return Cause{Kind: Follows, Line: line, Detail: fmt.Sprintf("line %d above is rebuilt", line)}, true
}

// triggerCause explains a FROM of which an ONBUILD trigger misses.
func (e *explainer) triggerCause() Cause {
	c := Cause{Kind: InstructionChanged, Detail: "an ONBUILD trigger of its base changed, or what it runs with"}
	for _, s := range e.next.steps {
		if mate := e.mates[s.index]; s.instruction() == "ONBUILD" && (mate == nil || mate.source() != s.source()) {
			c.Line = s.in.Line
			break
		}
	}
	return c
}

// first is the line of the first step that is rebuilt in the chain that v, which is of step s, ends, within its stage:
// for certain if v is.
func (e *explainer) first(v *vertex, s *step) int {
	if line, ok := e.firsts[v]; ok {
		return line
	}
	line := s.in.Line
	if len(v.inputs) > 0 && !v.inputs[0].content {
		above := v.inputs[0].from
		if o := s.owner(above); o != nil && o.in.Stage == s.in.Stage && above.kind != imageVertex &&
			!e.hope.hit(above) && (e.certain(above) || !e.certain(v)) {
			line = e.first(above, o)
		}
	}
	e.firsts[v] = line
	return line
}

// placeCause explains a step that is what it was and whose inputs are all cached, but not together: it stands in
// another place.
func (e *explainer) placeCause(s *step, v, old *vertex, mate *step) Cause {
	if v.kind == classicStep && !v.key.is(old.key) {
		return Cause{Kind: ArgChanged, Detail: "a proxy is given as a build argument in one of the two builds only"}
	}
	for _, in := range slices.Concat(v.inputs, old.inputs) {
		if in.from != nil && in.from.image.isLoose() && !e.certain(v) {
			return Cause{
				Kind:   BaseChanged,
				Detail: notKnown + "what " + in.from.image.name + " was: " + e.imageReason(in.from.image),
			}
		}
	}
	if c, ok := e.anyhowCause(s, v); ok {
		return c
	}
	c := Cause{Kind: InstructionChanged, Detail: "it follows upon other steps than before"}
	if len(v.inputs) == 0 || len(old.inputs) == 0 {
		return c
	}
	if from := s.owner(v.inputs[0].from); from != nil && from != s {
		c.Line = from.in.Line
	}
	was := mate.owner(old.inputs[0].from)
	switch {
	case was == nil || was == mate || was.instruction() == "FROM":
	case e.next.has(was):
		c.Detail = fmt.Sprintf("it no longer comes after `%s`", was.text())
	default:
		c.Detail = fmt.Sprintf("`%s` above it was removed", was.text())
	}
	return c
}

// anyhowCause explains a step that is certainly rebuilt upon one that only may be: if that one is rebuilt, this one
// follows; if it is as in an earlier build, that build did not have this step.
func (e *explainer) anyhowCause(s *step, v *vertex) (Cause, bool) {
	if !e.certain(v) {
		return Cause{}, false
	}
	for i := range v.inputs {
		from := v.inputs[i].from
		if from == nil || e.sure.hit(from) {
			continue
		}
		above := s.owner(from)
		if above == nil || above == s {
			continue
		}
		what := fmt.Sprintf("line %d above gives", above.in.Line)
		if above.in.Stage != s.in.Stage {
			what = "stage " + stageName(e.next, above) + " gives"
		}
		detail := "whatever " + what + ", no build so far has run this step after it"
		return Cause{Kind: NotInCache, Detail: detail}, true
	}
	return Cause{}, false
}
