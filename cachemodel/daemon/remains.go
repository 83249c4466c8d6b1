package daemon

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	controlapi "github.com/moby/buildkit/api/services/control"
)

// remains is what a daemon's cache holds of results.
type remains struct{ records []*controlapi.UsageRecord }

// regular is the type of records that are results (client.UsageRecordTypeRegular). The last step's is mutable until
// something stands on it.
const regular = "regular"

// remains asks what is left; nil if there is no answer.
func (c *conn) remains(ctx context.Context) *remains {
	usage, err := c.control.DiskUsage(ctx, &controlapi.DiskUsageRequest{})
	if err != nil {
		return nil
	}
	left := &remains{}
	for _, u := range usage.Record {
		pulled := strings.HasPrefix(u.Description, "pulled from ")
		if u.CreatedAt != nil && !pulled && (u.RecordType == regular || u.RecordType == "") {
			left.records = append(left.records, u)
		}
	}
	return left
}

// oldest is when the oldest result was made; zero if there is none.
func (l *remains) oldest() (at time.Time) {
	for _, u := range l.records {
		if made := u.CreatedAt.AsTime(); at.IsZero() || made.Before(at) {
			at = made
		}
	}
	return at
}

// slack is how far the clocks of the solver and of the snapshots may differ.
const slack = 50 * time.Millisecond

// of are the results that a step may have made between two times, by the step's name and, if that is known, the
// command that it runs. BuildKit names a result after what made it: that of a RUN after its mount and arguments, that
// of any other step after the step (solver/llbsolver/ops).
func (l *remains) of(name, command string, from, to time.Time) (found []*controlapi.UsageRecord) {
	for _, u := range l.records {
		at := u.CreatedAt.AsTime()
		if at.Before(from.Add(-slack)) || at.After(to.Add(slack)) {
			continue
		}
		exec, isExec := strings.CutPrefix(u.Description, "mount / from exec ")
		if bare(u.Description) == bare(name) || isExec && isRun(name) && (command == "" || command == exec) {
			found = append(found, u)
		}
	}
	return found
}

// bare is a step's name without the stage and the number, which differ between Dockerfiles: "[build 2/5] RUN make".
func bare(name string) string {
	if after, ok := strings.CutPrefix(name, "["); ok {
		if _, after, ok = strings.Cut(after, "] "); ok {
			return after
		}
	}
	return name
}

// isRun reports whether a step's name is that of a RUN.
func isRun(name string) bool { return strings.HasPrefix(bare(name), "RUN ") }

// run is one real execution of a step.
type run struct {
	name       string
	command    string // "" if it runs none, or that is not known
	seconds    float64
	from, to   time.Time
	failed     bool
	source     bool  // it only read something
	compressed int64 // bytes of its layers, if they were exported
}

// left reports whether what the run made is in the cache.
func (r *run) left(l *remains) bool { return len(l.of(r.name, r.command, r.from, r.to)) > 0 }

// onDisk is what the run left on the disk; nil if that is not sure.
func (r *run) onDisk(l *remains) *controlapi.UsageRecord {
	if found := l.of(r.name, r.command, r.from, r.to); len(found) == 1 && found[0].Size >= 0 {
		return found[0]
	}
	return nil
}

// runs are the real executions of steps in builds.
type runs struct {
	in    map[*build]map[string]*run // by the digest of the vertex
	byKey map[string][]*run          // by what is done, the last first
}

func (c *conn) runs(ctx context.Context, builds []*build) *runs {
	out := &runs{in: map[*build]map[string]*run{}, byKey: map[string][]*run{}}
	for _, b := range builds { // the last first
		ran, ignoreFile, err := c.readStatus(ctx, b.Ref)
		if err != nil {
			continue
		}
		b.ignoreFile = ignoreFile
		out.in[b] = ran
		if b.provenance == nil {
			continue
		}
		keys := b.keys()
		for digest, step := range b.BuildDefinition.InternalParameters.BuildConfig.DigestMapping {
			if r := ran[digest]; r != nil {
				if o := b.operation(step); o != nil {
					r.command = o.command()
				}
				for _, l := range b.addedBy(step) {
					r.compressed += l.Size
				}
				out.byKey[keys[step]] = append(out.byKey[keys[step]], r)
			}
		}
	}
	return out
}

// remaining finds which of a build's results are no longer in the cache, by line; perhaps is the reason why nothing is
// certain, if that is so.
func (b *build) remaining(all *runs, left *remains, name string) (results map[int]cachemodel.Result, perhaps string) {
	ran, asked := all.in[b]
	if left == nil || !asked {
		return nil, fmt.Sprintf("%s did not say in time what is left in its cache.", name)
	}
	gone := cachemodel.Result{
		Presence: cachemodel.Gone,
		Reason:   fmt.Sprintf("%s has removed the result from its cache.", name),
	}
	if b.provenance == nil { // it failed
		missing, kept := 0, 0
		for _, r := range ran {
			switch {
			case r.failed || r.source:
			case r.left(left):
				kept++
			default:
				missing++
			}
		}
		if missing > 0 {
			return nil, fmt.Sprintf("%s has removed %d of %d results of this build, which failed, from its cache.",
				name, missing, missing+kept)
		}
		return nil, ""
	}
	results = map[int]cachemodel.Result{}
	keys := b.keys()
	for digest, step := range b.BuildDefinition.InternalParameters.BuildConfig.DigestMapping {
		o := b.operation(step)
		line, ok := b.line(step)
		if o == nil || !ok || o.isSource() || o.isMerge() {
			continue
		}
		if r := ran[digest]; r != nil {
			if !r.left(left) {
				results[line] = gone
			}
			continue
		}
		if r := b.before(keys[step], all, left); r.Presence != cachemodel.There {
			if r.Presence == cachemodel.Gone {
				r = gone
			}
			if results[line].Presence != cachemodel.Gone {
				results[line] = r
			}
		}
	}
	return results, ""
}

// before is what is known of a result that the build took from the cache: which of the earlier runs of the step made it
// is not told.
func (b *build) before(key string, all *runs, left *remains) cachemodel.Result {
	kept, missing := 0, 0
	for _, r := range all.byKey[key] {
		switch {
		case r.from.After(b.CompletedAt.AsTime()):
		case r.left(left):
			kept++
		default:
			missing++
		}
	}
	switch {
	case missing == 0: // or it ran in a build that is not remembered
		return cachemodel.Result{}
	case kept == 0:
		return cachemodel.Result{Presence: cachemodel.Gone}
	}
	return cachemodel.Result{
		Presence: cachemodel.Perhaps,
		Reason:   "Some of the results of this step were removed from the cache.",
	}
}

// spent is what the steps of a build took, by line: how long they ran and what they left on the daemon's disk. What was
// taken from the cache ran in an older build, which knows.
func (b *build) spent(all *runs, left *remains) map[int]cachemodel.Cost {
	out := map[int]cachemodel.Cost{}
	if b.provenance == nil {
		return out
	}
	keys := b.keys()
	for i := range b.BuildDefinition.InternalParameters.BuildConfig.Definition {
		o := &b.BuildDefinition.InternalParameters.BuildConfig.Definition[i]
		line, ok := b.line(o.ID)
		ran := all.byKey[keys[o.ID]]
		if !ok || o.isSource() || len(ran) == 0 {
			continue
		}
		r := ran[0]
		cost := out[line]
		cost.Seconds = sum(cost.Seconds, r.seconds)
		var u *controlapi.UsageRecord
		if left != nil {
			u = r.onDisk(left)
		}
		if u != nil {
			cost.Bytes, cost.Shared = sum(cost.Bytes, u.Size), u.Shared
		} else if r.compressed > 0 {
			cost.Bytes = sum(cost.Bytes, r.compressed)
		}
		out[line] = cost
	}
	return out
}

func sum[N int64 | float64](old *N, more N) *N {
	if old != nil {
		more += *old
	}
	return &more
}

// addedBy are the layers that a step adds in the images that were exported.
func (p *provenance) addedBy(step string) []layer {
	if o := p.operation(step); o != nil {
		return p.added(*o)
	}
	return nil
}

// readStatus has the daemon replay a build's progress, and gives the vertices that really ran, by their digest. A
// vertex may run in several intervals: they are added up. ignoreFile is how many bytes were sent of an ignore file.
func (c *conn) readStatus(ctx context.Context, ref string) (out map[string]*run, ignoreFile int64, err error) {
	stream, err := c.control.Status(ctx, &controlapi.StatusRequest{Ref: ref})
	if err != nil {
		return nil, 0, err
	}
	out = map[string]*run{}
	loads := map[string]bool{} // the vertices that load an ignore file
	cached := map[string]bool{}
	intervals := map[string]map[time.Time]time.Time{}
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		for _, v := range part.Vertexes {
			loads[v.Digest] = v.Name == "[internal] load .dockerignore"
			cached[v.Digest] = cached[v.Digest] || v.Cached
			if v.Started == nil || v.Completed == nil {
				continue
			}
			if out[v.Digest] == nil {
				out[v.Digest] = &run{name: v.Name, source: len(v.Inputs) == 0}
				intervals[v.Digest] = map[time.Time]time.Time{}
			}
			out[v.Digest].failed = out[v.Digest].failed || v.Error != ""
			intervals[v.Digest][v.Started.AsTime()] = v.Completed.AsTime()
		}
		for _, s := range part.Statuses {
			if loads[s.Vertex] {
				ignoreFile = max(ignoreFile, s.Current)
			}
		}
	}
	for digest, r := range out {
		if cached[digest] {
			delete(out, digest)
			continue
		}
		for from, to := range intervals[digest] {
			r.seconds += to.Sub(from).Seconds()
			if r.from.IsZero() || from.Before(r.from) {
				r.from = from
			}
			if to.After(r.to) {
				r.to = to
			}
		}
	}
	return out, ignoreFile, nil
}
