package conformance

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moby/buildkit/cache"
	"github.com/moby/buildkit/cache/contenthash"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/llbsolver"
	"github.com/moby/buildkit/solver/llbsolver/ops"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/worker"
	digest "github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// Outputs says how the made-up results of steps compare when a step runs again. What a later stage copies from an
// earlier one hangs on it: no static model can know it, so a model's promises must hold for every choice.
type Outputs int

// The choices.
const (
	Mixed     Outputs = iota // drawn from the seed: depends on the inputs, on the operation, on chance or on nothing
	Different                // never the same twice
	Same                     // always the same
	known                    // of what is no matter of choice, see copied
)

// InProcess is BuildKit's frontend, solver, cache manager, cache maps and content hash of one empty builder, with the
// execution of steps replaced by a made-up result.
type InProcess struct {
	solver  *solver.Solver
	outputs Outputs
	seed    uint64

	mu       sync.Mutex
	locals   map[string]map[string]File
	executed map[digest.Digest]bool
	computed map[digest.Digest]bool          // vertices that read what is no matter of choice, see copied
	keys     map[digest.Digest]digest.Digest // of operations, by vertex
	seen     map[digest.Digest]string        // what kind of key each of the operations and contexts is
	equal    map[string]equality             // see equate
	builds   int
}

var ids atomic.Uint64 // of results; they name entries in BuildKit's process-wide store of content hashes

// NewInProcess makes a builder with an empty cache.
func NewInProcess(outputs Outputs, seed uint64) *InProcess {
	o := &InProcess{outputs: outputs, seed: seed, equal: map[string]equality{}, seen: map[digest.Digest]string{}}
	o.solver = solver.NewSolver(solver.SolverOpt{ResolveOpFunc: o.resolve, DefaultCache: solver.NewCacheManager(
		context.Background(),
		"conformance",
		solver.NewInMemoryCacheStorage(),
		cloning{solver.NewInMemoryResultStorage()},
	)})
	return o
}

// cloning hands out a reference of its own with every load; BuildKit's in-memory storage hands out the same each time.
type cloning struct{ solver.CacheResultStorage }

func (c cloning) Load(ctx context.Context, res solver.CacheResult) (solver.Result, error) {
	r, err := c.CacheResultStorage.Load(ctx, res)
	if err != nil {
		return nil, err
	}
	return r.Clone(), nil
}

// Close releases the builder.
func (o *InProcess) Close() { o.solver.Close() }

// Build runs a build and says what it executed.
func (o *InProcess) Build(ctx context.Context, b Build) (Truth, error) {
	def, _, err := Convert(ctx, b)
	if err != nil {
		return nil, err
	}
	return o.Solve(ctx, b, def)
}

// Solve is Build for a build that has been converted.
func (o *InProcess) Solve(ctx context.Context, b Build, def *pb.Definition) (Truth, error) {
	lines, err := locate(def)
	if err != nil {
		return nil, err
	}
	if len(def.GetDef()) == 0 {
		return Truth{}, nil // FROM scratch and nothing else
	}
	edge, err := llbsolver.Load(ctx, def, nil, llbsolver.NormalizeRuntimePlatforms())
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	o.locals, o.executed, o.computed = b.Locals(), map[digest.Digest]bool{}, map[digest.Digest]bool{}
	o.keys = map[digest.Digest]digest.Digest{}
	o.builds++
	id := fmt.Sprint("build", o.builds)
	o.mu.Unlock()
	job, err := o.solver.NewJob(id)
	if err != nil {
		return nil, err
	}
	defer func() {
		job.Discard()
		job.CloseProgress()
	}()
	if _, err := job.Build(ctx, edge); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t := truth(lines, o.executed)
	keys, computed := map[int][]string{}, map[int]bool{}
	for dgst, at := range lines {
		for _, l := range at {
			keys[l] = append(keys[l], o.keys[dgst].String())
			if o.computed[dgst] {
				computed[l] = true
			}
		}
	}
	for l, lt := range t {
		slices.Sort(keys[l])
		lt.Keys, lt.Computed = strings.Join(keys[l], " "), computed[l]
		t[l] = lt
	}
	return t, nil
}

func (o *InProcess) resolve(v solver.Vertex, _ solver.Builder) (solver.Op, error) {
	op, ok := v.Sys().(*pb.Op)
	if !ok {
		return nil, fmt.Errorf("unexpected vertex %T", v.Sys())
	}
	f := &fakeOp{oracle: o, vertex: v, op: op}
	var err error
	switch kind := op.Op.(type) {
	case *pb.Op_Source:
	case *pb.Op_Exec:
		f.real, err = ops.NewExecOp(v, kind, op.Platform, nil, nil, nil, nil, nil, nil, false)
	case *pb.Op_File:
		f.real, err = ops.NewFileOp(v, kind, nil, nil, nil)
	case *pb.Op_Merge:
		f.real, err = ops.NewMergeOp(v, kind, nil)
	default:
		err = fmt.Errorf("unexpected operation %T", kind)
	}
	return f, err
}

// fakeOp has the cache map of the real operation and makes up its result.
type fakeOp struct {
	oracle *InProcess
	vertex solver.Vertex
	op     *pb.Op
	real   solver.Op // nil for sources
}

func (f *fakeOp) isContext() bool {
	return strings.HasPrefix(f.op.GetSource().GetIdentifier(), "local://")
}

// CacheMap is the real one. Only the content digests of made-up results are made up as well.
func (f *fakeOp) CacheMap(ctx context.Context, jc solver.JobContext, index int) (*solver.CacheMap, bool, error) {
	if f.real == nil {
		key := digest.FromString(fmt.Sprint(f.op.GetSource().Identifier, f.op.GetSource().Attrs, f.op.Platform))
		if f.isContext() { // never a match by definition: solver/llbsolver/ops/source.go
			key = digest.Digest("random:" + digest.FromString(fmt.Sprint(ids.Add(1))).Encoded())
		}
		return &solver.CacheMap{Digest: key}, true, nil
	}
	cm, done, err := f.real.CacheMap(ctx, jc, index)
	if err != nil {
		return nil, false, err
	}
	f.oracle.mu.Lock()
	f.oracle.keys[f.vertex.Digest()] = cm.Digest
	f.oracle.seen[cm.Digest] = fmt.Sprintf("%T", f.op.Op)
	f.oracle.mu.Unlock()
	for i := range cm.Deps {
		cm.Deps[i].PreprocessFunc = nil
		real := cm.Deps[i].ComputeDigestFunc
		if real == nil {
			continue
		}
		selected := f.selected(i)
		cm.Deps[i].ComputeDigestFunc = func(ctx context.Context, res solver.Result, g session.Group) (digest.Digest,
			error) {
			made, ok := res.Sys().(*worker.WorkerRef).ImmutableRef.(*madeRef)
			if ok && made.outputs == known {
				f.oracle.mu.Lock()
				f.oracle.computed[f.vertex.Digest()] = true
				f.oracle.mu.Unlock()
			}
			if ok {
				return f.oracle.equate(fmt.Sprint(cm.Digest, i), made.digest(selected), made.outputs == Same), nil
			}
			d, err := real(ctx, res, g)
			if err != nil {
				return "", err
			}
			f.oracle.mu.Lock()
			f.oracle.seen[d] = "content"
			f.oracle.mu.Unlock()
			return f.oracle.equate(fmt.Sprint(cm.Digest, i), d, false), nil
		}
	}
	return cm, done, nil
}

// equate is about a step's input that comes from the context in one build and from a stage in another: if outputs are
// always the same, the stage holds what the context did or will. For each input it gives one digest to whatever is made
// up and to the first content of the context.
func (o *InProcess) equate(input string, d digest.Digest, free bool) digest.Digest {
	if o.outputs != Same {
		return d
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.equal[input]
	if e.digest == "" {
		e.digest = d
	}
	if !free {
		e.content, e.last = cmp.Or(e.content, d), d
	}
	o.equal[input] = e
	if free || d == e.content {
		return e.digest
	}
	return d
}

// equality is of one input: the first content of the context, what all that is made up is taken for, and the content of
// the context in the last build that had one.
type equality struct{ digest, content, last digest.Digest }

// least is what the last of the builds executes if each stage holds what the context holds in that build, where an
// equal step reads it. The builder, whose outputs are always the same, has made these builds: in its own the stages
// hold what the context held at first.
func (o *InProcess) least(ctx context.Context, builds []Build) (t Truth) {
	again := NewInProcess(Same, o.seed)
	defer again.Close()
	for input, e := range o.equal {
		again.equal[input] = equality{digest: cmp.Or(e.last, e.digest), content: e.last}
	}
	for _, b := range builds {
		var err error
		if t, err = again.Build(ctx, b); err != nil {
			panic(err) // it could be built before
		}
	}
	return t
}

// selected says what the operation reads from its i-th input.
func (f *fakeOp) selected(i int) string {
	var s strings.Builder
	for _, a := range f.op.GetFile().GetActions() {
		if c := a.GetCopy(); c != nil && int(a.SecondaryInput) == i {
			fmt.Fprintln(&s, strings.Trim(c.Src, "/"), c.IncludePatterns, c.ExcludePatterns)
		}
	}
	for _, m := range f.op.GetExec().GetMounts() {
		if int(m.Input) == i {
			fmt.Fprintln(&s, strings.Trim(m.Selector, "/"), nil, nil)
		}
	}
	return s.String()
}

// copied gives the layers of what COPY and WORKDIR alone made out of nothing: what they hold is no matter of choice.
func (f *fakeOp) copied(ctx context.Context, cm *solver.CacheMap, inputs []solver.Result) (layers []layer, ok bool,
	err error,
) {
	if f.op.GetFile() == nil && f.op.GetMerge() == nil {
		return nil, false, nil
	}
	own := layer{id: cm.Digest.String()}
	for i, in := range inputs {
		made, isMade := in.Sys().(*worker.WorkerRef).ImmutableRef.(*madeRef)
		if isMade && made.outputs != known {
			return nil, false, nil
		}
		switch {
		case i < len(cm.Deps) && cm.Deps[i].ComputeDigestFunc != nil:
			d, err := cm.Deps[i].ComputeDigestFunc(ctx, in, nil)
			if err != nil {
				return nil, false, err
			}
			own.id += d.String()
		case !isMade:
			return nil, false, nil
		default:
			layers = append(layers, made.layers...)
		}
	}
	for _, a := range f.op.GetFile().GetActions() {
		own.writes = path.Join("/", a.GetCopy().GetDest()+a.GetMkdir().GetPath()+a.GetMkfile().GetPath())
	}
	if f.op.GetFile() != nil {
		layers = append(layers, own)
	}
	return layers, true, nil
}

func (f *fakeOp) Exec(ctx context.Context, jc solver.JobContext, inputs []solver.Result) ([]solver.Result, error) {
	o := f.oracle
	o.mu.Lock()
	o.executed[f.vertex.Digest()] = true
	o.mu.Unlock()
	if f.isContext() {
		ref, err := o.contextRef(ctx, f.op.GetSource())
		if err != nil {
			return nil, err
		}
		return []solver.Result{worker.NewWorkerRefResult(ref, stubWorker{})}, nil
	}
	cm, _, err := f.CacheMap(ctx, jc, 0)
	if err != nil {
		return nil, err
	}
	if layers, ok, err := f.copied(ctx, cm, inputs); ok || err != nil {
		known := &madeRef{outputs: known, name: fmt.Sprint("made", ids.Add(1)), layers: layers}
		return []solver.Result{worker.NewWorkerRefResult(known, stubWorker{})}, err
	}
	made := &madeRef{outputs: o.outputs, seed: o.seed, name: fmt.Sprint("made", ids.Add(1))}
	id := cm.Digest.String()
	for i, in := range inputs {
		if i < len(cm.Deps) && cm.Deps[i].ComputeDigestFunc != nil {
			d, err := cm.Deps[i].ComputeDigestFunc(ctx, in, nil)
			if err != nil {
				return nil, err
			}
			id += d.String()
		} else if below, ok := in.Sys().(*worker.WorkerRef).ImmutableRef.(*madeRef); ok {
			made.layers = append(made.layers, below.layers...)
		}
	}
	if draw(o.seed, "chance", cm.Digest.String())%4 == 0 {
		id += made.name
	}
	made.layers = append(made.layers, layer{id: id})
	outputs := make([]solver.Result, f.outputs())
	for i := range outputs {
		outputs[i] = worker.NewWorkerRefResult(made, stubWorker{})
	}
	return outputs, nil
}

func (f *fakeOp) outputs() int {
	n := 0
	for _, m := range f.op.GetExec().GetMounts() {
		if m.Output != int64(pb.SkipOutput) {
			n++
		}
	}
	return max(n, 1)
}

func (f *fakeOp) Acquire(context.Context) (solver.ReleaseFunc, error) { return func() {}, nil }

// contextRef is the build context as it arrives at the daemon: filtered by the real file transfer, hashed by the
// real content hash.
func (o *InProcess) contextRef(ctx context.Context, src *pb.SourceOp) (cache.ImmutableRef, error) {
	o.mu.Lock()
	files := newMemFS(o.locals[strings.TrimPrefix(src.Identifier, "local://")])
	o.mu.Unlock()
	opt := &fsutil.FilterOpt{}
	for attr, list := range map[string]*[]string{
		pb.AttrIncludePatterns: &opt.IncludePatterns,
		pb.AttrExcludePatterns: &opt.ExcludePatterns,
		pb.AttrFollowPaths:     &opt.FollowPaths,
	} {
		if err := unmarshalList(src.Attrs[attr], list); err != nil {
			return nil, err
		}
	}
	sent, err := fsutil.NewFilterFS(files, opt)
	if err != nil {
		return nil, err
	}
	ref := &contextRef{name: fmt.Sprint("context", ids.Add(1))}
	cc, err := contenthash.GetCacheContext(ctx, ref)
	if err != nil {
		return nil, err
	}
	if err := cc.HandleChange(fsutil.ChangeKindDelete, "none", nil, nil); err != nil { // makes the root known
		return nil, err
	}
	if err := sent.Walk(ctx, "", func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := entry.Info()
		if err != nil {
			return err
		}
		h, err := contenthash.NewFromStat(fi.Sys().(*fstypes.Stat).CloneVT())
		if err != nil {
			return err
		}
		if fi.Mode().IsRegular() {
			if _, err := io.WriteString(h, files.files[p].Data); err != nil {
				return err
			}
		}
		return cc.HandleChange(fsutil.ChangeKindAdd, p, hashedInfo{fi, digest.NewDigest(digest.SHA256, h)}, nil)
	}); err != nil {
		return nil, err
	}
	return ref, contenthash.SetCacheContext(ctx, ref, cc) // kept with ref, for BuildKit's store holds only the last few
}

type hashedInfo struct {
	fs.FileInfo
	dgst digest.Digest
}

func (h hashedInfo) Digest() digest.Digest { return h.dgst }

// contextRef is a snapshot of which only the content hashes exist.
type contextRef struct {
	cache.ImmutableRef
	name   string
	mu     sync.Mutex
	hashes []byte
}

func (r *contextRef) ID() string                                 { return r.name }
func (r *contextRef) Clone() cache.ImmutableRef                  { return r }
func (r *contextRef) Release(context.Context) error              { return nil }
func (r *contextRef) GetEqualMutable() (cache.RefMetadata, bool) { return nil, false }

func (r *contextRef) GetExternal(string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hashes == nil {
		return nil, errors.New("none yet")
	}
	return r.hashes, nil
}

func (r *contextRef) SetExternal(_ string, hashes []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hashes = hashes
	return nil
}

// layer is what one step of a chain made.
type layer struct {
	id     string
	writes string // where, if that is known
}

// madeRef is a step's made-up result: one made-up layer for each step of the chain.
type madeRef struct {
	cache.ImmutableRef
	outputs Outputs
	seed    uint64
	name    string
	layers  []layer
}

func (r *madeRef) ID() string                    { return r.name }
func (r *madeRef) Clone() cache.ImmutableRef     { return r }
func (r *madeRef) Release(context.Context) error { return nil }

// digest is the made-up content of what is selected: some layers do not touch it, some always write the same.
func (r *madeRef) digest(selected string) digest.Digest {
	switch r.outputs {
	case Same:
		return digest.FromString("the same") // also at another path
	case Different:
		return digest.FromString(selected + r.name)
	case known:
		ids := []string{selected}
		for _, l := range r.layers {
			if l.touches(selected) {
				ids = append(ids, l.id)
			}
		}
		return digest.FromString(strings.Join(ids, "\n"))
	}
	var s strings.Builder
	s.WriteString(selected)
	for i, l := range r.layers {
		switch draw(r.seed, "layer", fmt.Sprint(i), selected) % 3 {
		case 0: // not touched
		case 1:
			fmt.Fprintln(&s, i, "the same")
		default:
			fmt.Fprintln(&s, i, l.id)
		}
	}
	return digest.FromString(s.String())
}

// touches reports whether a layer may hold something of what is selected, see fakeOp.selected.
func (l layer) touches(selected string) bool {
	below := func(p, dir string) bool { return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") }
	for line := range strings.Lines(selected) {
		src, _, _ := strings.Cut(line, " [")
		src, _, _ = strings.Cut(src, " <nil>")
		if i := strings.IndexAny(src, "*?["); i >= 0 {
			src = path.Dir(src[:i] + "x")
		}
		if src = path.Join("/", src); below(src, l.writes) || below(l.writes, src) {
			return true
		}
	}
	return false
}

func draw(seed uint64, what ...string) uint64 {
	h := fnv.New64a()
	binary.Write(h, binary.LittleEndian, seed)
	for _, w := range what {
		io.WriteString(h, w+"\x00")
	}
	x := h.Sum64() // FNV's low bits are poor
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

type stubWorker struct{ worker.Worker }

func (stubWorker) ID() string { return "worker" }

func unmarshalList(attr string, list *[]string) error {
	if attr == "" {
		return nil
	}
	return json.Unmarshal([]byte(attr), list)
}
