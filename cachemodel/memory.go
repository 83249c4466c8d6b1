package cachemodel

import (
	"reflect"
	"slices"
	"sync"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Memory is what planning keeps from one version of a Dockerfile to the next, so that a key costs what follows from it.
// What is equal in both versions is one value: settings that are made alike have one address, and so an operation is the
// same if its instruction is and the addresses of what it is carried out with are. Nothing has to say what changed, and
// nothing goes stale: what is looked up is all that it hangs on. The zero value is ready for use.
type Memory struct {
	mu   sync.Mutex
	last *known
}

// known is what was worked out in one version, by all that it hangs on. It is not changed once that is planned.
type known struct {
	under
	settings Settings
	nodes    map[envNode]*envNode
	placed   map[placed]*placed
	words    map[wordIn]value
	ops      map[opIn]op
}

// under is what all of it hangs on.
type under struct {
	unknown string // why nobody knows what the build context holds
	escape  byte
	dialect dockerfile.Dialect
	runWith value
	epoch   placed
}

// wordIn is a word in an environment.
type wordIn struct {
	env  *envNode
	text string
}

// opIn is an instruction with all that its operation hangs on, but for what it stands on.
type opIn struct {
	node             *parser.Node
	env              *envNode
	cwd, user, shell *placed
	platform         value
	rooted           bool // it stands on something
	ignoreCache      bool
}

// op is what an instruction comes to: a vertex, without what that stands on, and the directory that follows.
type op struct {
	vertex *vertex
	cwd    value
}

// recall is what is known while a version is planned: of the version before, and so far of this one.
type recall struct{ before, now *known }

// Plan is NewPlan for one version after the other. m may be nil, and keeps nothing then.
func (m *Memory) Plan(b Build) *Plan { return newPlan(b, false, false, m) }

// begin begins to plan a version.
func (m *Memory) begin(u under, settings Settings) *recall {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.last
	if before == nil || before.under != u || !reflect.DeepEqual(before.settings, settings) {
		before = &known{}
	}
	return &recall{before, &known{
		under: u, settings: settings,
		nodes: make(map[envNode]*envNode, len(before.nodes)), placed: make(map[placed]*placed, len(before.placed)),
		words: make(map[wordIn]value, len(before.words)), ops: make(map[opIn]op, len(before.ops)),
	}}
}

// keep keeps what is known of a version that is planned.
func (m *Memory) keep(r *recall) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = r.now
	r.before = &known{} // the plan, which lives on, does not keep it
}

// look finds what is known in either version, and keeps it.
func look[K comparable, V any](before, now map[K]V, key K) (V, bool) {
	v, ok := now[key]
	if !ok {
		if v, ok = before[key]; ok {
			now[key] = v
		}
	}
	return v, ok
}

// one returns the one address of a value.
func one[T comparable](before, now map[T]*T, v T) *T {
	at, ok := look(before, now, v)
	if !ok {
		at = &v
		now[v] = at
	}
	return at
}

// node is the one setting that is made upon a parent.
func (r *recall) node(n envNode) *envNode {
	if r == nil {
		return &n
	}
	return one(r.before.nodes, r.now.nodes, n)
}

// place is a value with the line that set it.
func (r *recall) place(v value, line int) *placed {
	if r == nil {
		return &placed{v, line}
	}
	return one(r.before.placed, r.now.placed, placed{v, line})
}

// opIn is what the operation of an instruction hangs on; ok if it hangs on nothing else.
func (r *recall) opIn(c command, s *state, ignoreCache bool) (key opIn, ok bool) {
	switch c.in.Command.(type) {
	case *instructions.RunCommand, *instructions.CopyCommand, *instructions.AddCommand, *instructions.WorkdirCommand:
	default:
		return opIn{}, false
	}
	if r == nil || c.in != c.step.in || len(c.sources) > 0 || strange(c.in) {
		return opIn{}, false
	}
	return opIn{c.in.Node, s.env.head, s.cwd, s.user, s.shell, s.platform, s.root != nil, ignoreCache}, true
}

// again carries out an instruction whose operation is known.
func (p *planner) again(c command, s *state, key opIn) bool {
	op, ok := look(p.recall.before.ops, p.recall.now.ops, key)
	if !ok {
		return false
	}
	v := *op.vertex
	v.inputs = slices.Clone(v.inputs)
	for i := range v.inputs {
		if in := &v.inputs[i]; in.dir != nil && in.dir.tree != p.Context { // an editor has changed a file of it
			in.digest = ""
			p.readDirectory(in, in.dir.queries, in.dir.vague)
		}
	}
	if key.rooted {
		v.inputs[0].from = s.root
	}
	p.stack(s, c, v)
	switch v.kind {
	case execVertex:
		c.step.platform = s.platform
	case mkdirVertex:
		s.cwd = p.recall.place(op.cwd, c.line)
	}
	return true
}

// learn keeps the operation of an instruction that was carried out, if it reads nothing but what it stands on and the
// build context.
func (r *recall) learn(c command, s *state, key opIn) {
	if len(c.step.vertices) != 1 || c.step.linked {
		return
	}
	v := *c.step.vertices[0]
	v.inputs = slices.Clone(v.inputs)
	if key.rooted {
		v.inputs[0].from = nil
	}
	if !slices.ContainsFunc(v.inputs, func(in input) bool { return in.from != nil }) {
		r.now.ops[key] = op{&v, s.cwd.value}
	}
}
