package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Result is what the builds of a history executed.
type Result struct {
	Builds []Build `json:"builds"` // oldest first
	Steps  []Step  `json:"steps"`  // one per instruction of the file, in file order
	// Seconds is what all builds cost: the sum over what they executed. A builder runs stages side by side, so that the
	// clock may say less.
	Seconds float64 `json:"seconds"`
	// Uncached is what they would cost with an empty cache each.
	Uncached float64 `json:"uncached"`
}

// Build is one of the builds.
type Build struct {
	Commit  string     `json:"commit"`
	Subject string     `json:"subject"`
	Time    time.Time  `json:"time"`
	Seconds float64    `json:"seconds"`
	Rebuilt []Executed `json:"rebuilt"`           // what it executed, in the order of its file
	Absent  []int      `json:"absent,omitempty"`  // the steps, by index, that its file does not have
	NoBuild string     `json:"noBuild,omitempty"` // why there was none
}

// Executed is an instruction that a build executed.
type Executed struct {
	Step    int              `json:"step"`           // index into Result.Steps, -1 if the file has the instruction no more
	Text    string           `json:"text,omitempty"` // of an instruction that the file has no more
	Certain bool             `json:"certain"`
	Seconds float64          `json:"seconds"`
	Cause   cachemodel.Cause `json:"cause"` // its lines are those of the file of that commit
}

// Step is one instruction with what became of it.
type Step struct {
	Line        int          `json:"line"` // 1-based
	EndLine     int          `json:"endLine"`
	Stage       string       `json:"stage"`
	Instruction string       `json:"instruction"`
	Text        string       `json:"text"`
	Runs        bool         `json:"runs"`             // a step of the build; the others are never executed
	Builds      int          `json:"builds"`           // those that had it
	Rebuilt     int          `json:"rebuilt"`          // those that executed it
	First       int          `json:"first"`            // those in which it was rebuilt by itself, not because of a step above
	Weight      float64      `json:"weight"`           // seconds of one execution
	Recorded    bool         `json:"recorded"`         // Weight was recorded, else it is one of Weights
	Seconds     float64      `json:"seconds"`          // of all executions
	Causes      []CauseCount `json:"causes,omitempty"` // the commonest first
	Files       []FileCount  `json:"files,omitempty"`  // that made it rebuild, the commonest first; at most maxFiles
}

// CauseCount is how often a step was rebuilt for a reason.
type CauseCount struct {
	Kind  cachemodel.CauseKind `json:"kind"`
	Line  int                  `json:"line"` // that it comes from, in the file as it is now; 0 if it is not in it
	Count int                  `json:"count"`
}

// FileCount is how often a file of the context made a step rebuild.
type FileCount struct {
	Path  string `json:"path"`
	Count int    `json:"count"`
}

const (
	maxFiles = 5  // of a step
	maxPaths = 20 // of a cause
)

// Actual replays what happened: each commit's own Dockerfile. Its steps are those of the newest commit that has one;
// instructions of older versions count to those that they became. The builder keeps everything that it has built. The
// error is ctx's.
func Actual(ctx context.Context, h *History, s cachemodel.Settings, costs Costs) (*Result, error) {
	if !slices.ContainsFunc(h.Commits, func(c Commit) bool { return c.File != nil }) {
		return &Result{}, nil
	}
	return replay(ctx, h, func(c *Commit) *dockerfile.File { return c.File }, s, costs)
}

// Fixed replays one file over the history of its context. Its Dockerfile's own changes do not count. The error is
// ctx's.
func Fixed(
	ctx context.Context,
	h *History,
	file *dockerfile.File,
	s cachemodel.Settings,
	costs Costs,
) (*Result, error) {
	return replay(ctx, h, func(*Commit) *dockerfile.File { return file }, s, costs)
}

// replayed is one build that was planned.
type replayed struct {
	plan  *cachemodel.Plan
	steps []cachemodel.Step
	cost  []float64
	build *Build
}

func replay(
	ctx context.Context,
	h *History,
	fileOf func(*Commit) *dockerfile.File,
	s cachemodel.Settings,
	costs Costs,
) (*Result, error) {
	r := &Result{Builds: []Build{}}
	if h.Builds() > 0 {
		r.Builds = make([]Build, 0, h.Builds())
	}
	builder := cachemodel.Builder{SameRemotes: true}
	var all []replayed
	recorded := map[int]bool{}
	var newest []cachemodel.Operation
	for i := range h.Commits {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := &h.Commits[i]
		if i > 0 {
			r.Builds = append(r.Builds, Build{Commit: c.ID, Subject: c.Subject, Time: c.Time, Rebuilt: []Executed{}})
		}
		done := replayed{}
		if file := fileOf(c); file == nil || c.Context == nil {
			if i > 0 {
				r.Builds[len(r.Builds)-1].NoBuild = cmp.Or(
					map[bool]string{true: "the commit has no such Dockerfile"}[file == nil],
					"the commit has no such build context",
				)
			}
			continue
		} else {
			done.plan = cachemodel.NewPlan(cachemodel.Build{
				File: file, Context: c.Context, Settings: stamped(file, s, c.ID), Contents: derived(file, c.Context),
			})
			if err := done.plan.Err(); err != nil {
				if i > 0 {
					r.Builds[len(r.Builds)-1].NoBuild = err.Error()
				}
				continue
			}
			ops := done.plan.Operations()
			done.cost = make([]float64, len(ops))
			for k, op := range ops {
				if op.Runs {
					done.cost[k], recorded[k] = costs.of(file.Instructions[k], op)
				}
			}
			newest = ops
		}
		done.steps = builder.Build(done.plan)
		if i > 0 {
			done.build = &r.Builds[len(r.Builds)-1]
		}
		all = append(all, done)
	}
	r.addSteps(all, newest, recorded)
	return r, nil
}

// stamped gives the settings of the build of a commit: an argument that by custom says which build this is has another
// value at each.
func stamped(file *dockerfile.File, s cachemodel.Settings, commit string) cachemodel.Settings {
	for _, in := range file.Instructions {
		c, ok := in.Command.(*instructions.ArgCommand)
		if !ok {
			continue
		}
		for _, arg := range c.Args {
			if _, given := s.Args[arg.Key]; given || !effects.Stamp(arg.Key) {
				continue
			}
			s.Args = maps.Clone(s.Args)
			if s.Args == nil {
				s.Args = map[string]string{}
			}
			s.Args[arg.Key] = commit
		}
	}
	return s
}

// addSteps counts what the builds did to each instruction of the newest file: rows are followed from the newest build
// to the oldest.
func (r *Result) addSteps(all []replayed, newest []cachemodel.Operation, recorded map[int]bool) {
	if len(all) == 0 {
		return
	}
	last := all[len(all)-1]
	rows := make([]int, len(last.steps))
	r.Steps = make([]Step, len(last.steps))
	causes := make([]map[CauseCount]int, len(last.steps))
	files := make([]map[string]int, len(last.steps))
	for k, st := range last.steps {
		rows[k] = k
		r.Steps[k] = Step{
			Line: st.Line, EndLine: st.EndLine, Stage: st.Stage, Instruction: st.Instruction, Text: st.Text,
			Runs: newest[k].Runs, Weight: last.cost[k], Recorded: recorded[k],
		}
		causes[k], files[k] = map[CauseCount]int{}, map[string]int{}
	}
	for i := len(all) - 1; i >= 0; i-- {
		done := all[i]
		if i < len(all)-1 {
			rows = ancestors(done.plan, all[i+1].plan, rows)
		}
		if done.build == nil {
			continue
		}
		for row := range r.Steps {
			if !slices.Contains(rows, row) {
				done.build.Absent = append(done.build.Absent, row)
			}
		}
		for k, st := range done.steps {
			row := rows[k]
			r.Uncached += done.cost[k]
			// What a build copied that git does not have counts as changed at each commit.
			ran := st.Status == cachemodel.Rebuilt ||
				st.Status == cachemodel.Fails && st.Cause.Kind == cachemodel.MissingSource
			if row >= 0 && (st.Status == cachemodel.Cached || ran) {
				r.Steps[row].Builds++
			}
			if !ran {
				continue
			}
			e := Executed{Step: row, Certain: st.Certain, Seconds: done.cost[k], Cause: *st.Cause}
			if st.Detail == cachemodel.LinkedAnew {
				e.Seconds = 0
			}
			e.Cause.Paths = e.Cause.Paths[:min(len(e.Cause.Paths), maxPaths)]
			if row < 0 {
				e.Text = st.Text
			} else {
				r.Steps[row].count(&e, causes[row], files[row], done, rows, r.Steps, st.Cause.Paths)
			}
			done.build.Rebuilt = append(done.build.Rebuilt, e)
			done.build.Seconds += e.Seconds
			r.Seconds += e.Seconds
		}
	}
	r.Seconds, r.Uncached = millis(r.Seconds), millis(r.Uncached)
	for i := range r.Builds {
		r.Builds[i].Seconds = millis(r.Builds[i].Seconds)
	}
	for k := range r.Steps {
		r.Steps[k].Seconds = millis(r.Steps[k].Seconds)
		for c, n := range causes[k] {
			c.Count = n
			r.Steps[k].Causes = append(r.Steps[k].Causes, c)
		}
		slices.SortFunc(r.Steps[k].Causes, func(a, b CauseCount) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Line, b.Line))
		})
		for name, n := range files[k] {
			r.Steps[k].Files = append(r.Steps[k].Files, FileCount{name, n})
		}
		slices.SortFunc(
			r.Steps[k].Files,
			func(a, b FileCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Path, b.Path)) },
		)
		r.Steps[k].Files = r.Steps[k].Files[:min(len(r.Steps[k].Files), maxFiles)]
	}
}

// ancestors gives the rows of an older build's steps, from those of the next newer one.
func ancestors(older, newer *cachemodel.Plan, rows []int) []int {
	out := slices.Repeat([]int{-1}, older.Len())
	for k, mate := range cachemodel.Counterparts(older, newer) {
		if mate >= 0 {
			out[mate] = rows[k]
		}
	}
	return out
}

// count adds one execution.
func (s *Step) count(
	e *Executed,
	causes map[CauseCount]int,
	files map[string]int,
	in replayed,
	rows []int,
	all []Step,
	paths []string,
) {
	s.Rebuilt++
	s.Seconds += e.Seconds
	if e.Cause.Kind != cachemodel.Follows && e.Cause.Kind != cachemodel.StageRebuilt {
		s.First++
	}
	c := CauseCount{Kind: e.Cause.Kind}
	if k := slices.IndexFunc(in.steps, func(st cachemodel.Step) bool {
		return st.Line <= e.Cause.Line &&
			e.Cause.Line <= st.EndLine
	}); k >= 0 &&
		rows[k] >= 0 {
		c.Line = all[rows[k]].Line
	}
	causes[c]++
	for _, p := range paths {
		files[p]++
	}
}

// String is a summary for logs.
func (r *Result) String() string {
	return fmt.Sprintf("%d builds, %.0f s of %.0f s", len(r.Builds), r.Seconds, r.Uncached)
}
