package daemon

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	controlapi "github.com/moby/buildkit/api/services/control"
)

// costs are what the steps of a build took, by line: how long they ran and what they left on the daemon's disk. What was
// taken from the cache ran in an older build, which knows.
func (c *conn) costs(ctx context.Context, b *build, own []*build, usage []*controlapi.UsageRecord) map[int]cachemodel.Cost {
	ran := map[string]*run{} // the last real run of each step, by its key
	missing := b.steps()
	for _, old := range own {
		if len(missing) == 0 {
			break
		}
		s, err := c.readStatus(ctx, old.Ref)
		if err != nil {
			continue
		}
		keys := old.keys()
		for digest, step := range old.BuildDefinition.InternalParameters.BuildConfig.DigestMapping {
			if r := s[digest]; r != nil && missing[keys[step]] {
				ran[keys[step]] = r
				for _, l := range old.addedBy(step) {
					r.compressed += l.Size
				}
				delete(missing, keys[step])
			}
		}
	}
	out := map[int]cachemodel.Cost{}
	keys := b.keys()
	for i := range b.BuildDefinition.InternalParameters.BuildConfig.Definition {
		o := &b.BuildDefinition.InternalParameters.BuildConfig.Definition[i]
		line, ok := b.line(o.ID)
		r := ran[keys[o.ID]]
		if _, isSource := o.source(); !ok || isSource || r == nil {
			continue
		}
		cost := out[line]
		cost.Seconds = sum(cost.Seconds, r.seconds)
		if u := r.onDisk(usage); u != nil {
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

// steps are the keys of the steps that stand on a line.
func (p *provenance) steps() map[string]bool {
	keys := p.keys()
	out := map[string]bool{}
	for i := range p.BuildDefinition.InternalParameters.BuildConfig.Definition {
		o := &p.BuildDefinition.InternalParameters.BuildConfig.Definition[i]
		if _, ok := p.line(o.ID); ok {
			if _, isSource := o.source(); !isSource {
				out[keys[o.ID]] = true
			}
		}
	}
	return out
}

// addedBy are the layers that a step adds in the images that were exported.
func (p *provenance) addedBy(step string) []layer {
	for _, o := range p.BuildDefinition.InternalParameters.BuildConfig.Definition {
		if o.ID == step {
			return p.added(o)
		}
	}
	return nil
}

// run is one real execution of a step.
type run struct {
	name       string
	seconds    float64
	from, to   time.Time
	compressed int64 // bytes of its layers, if they were exported
}

// onDisk finds what the run left in the daemon's cache: a snapshot that was made at that time and bears its name
// (solver/llbsolver/ops: that of a command names its mount and arguments, that of any other step the step). It is nil if that
// is not sure. An engine says of a snapshot whether its images share it.
func (r *run) onDisk(records []*controlapi.UsageRecord) (found *controlapi.UsageRecord) {
	const slack = 50 * time.Millisecond
	for _, u := range records {
		if u.CreatedAt == nil || u.Size < 0 || u.Mutable {
			continue
		}
		at := u.CreatedAt.AsTime()
		if at.Before(r.from.Add(-slack)) || at.After(r.to.Add(slack)) {
			continue
		}
		if u.Description == r.name || strings.HasPrefix(u.Description, "mount / from exec ") && isRun(r.name) {
			if found != nil {
				return nil
			}
			found = u
		}
	}
	return found
}

// isRun reports whether a step's name is that of a RUN, as in "[build 2/5] RUN make".
func isRun(name string) bool {
	_, after, ok := strings.Cut(name, "] ")
	return ok && strings.HasPrefix(after, "RUN ")
}

// readStatus has the daemon replay a build's progress, and gives the vertices that really ran, by their digest. A vertex
// may run in several intervals: they are added up.
func (c *conn) readStatus(ctx context.Context, ref string) (map[string]*run, error) {
	stream, err := c.control.Status(ctx, &controlapi.StatusRequest{Ref: ref})
	if err != nil {
		return nil, err
	}
	out := map[string]*run{}
	cached := map[string]bool{}
	intervals := map[string]map[time.Time]time.Time{}
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, v := range part.Vertexes {
			cached[v.Digest] = cached[v.Digest] || v.Cached
			if v.Started == nil || v.Completed == nil {
				continue
			}
			if out[v.Digest] == nil {
				out[v.Digest] = &run{name: v.Name}
				intervals[v.Digest] = map[time.Time]time.Time{}
			}
			intervals[v.Digest][v.Started.AsTime()] = v.Completed.AsTime()
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
	return out, nil
}

// ErrPruned is the error about a build of which nothing is left in the daemon's cache.
var ErrPruned = errors.New("the builder's cache has been emptied since the last build of this Dockerfile")

// pruned reports whether nothing is left of what a build made or used. A cache of which a part is gone is not told apart.
func pruned(b *build, usage []*controlapi.UsageRecord) bool {
	steps := len(b.steps()) > 0
	for _, u := range usage {
		if !u.Mutable && u.CreatedAt != nil && !u.CreatedAt.AsTime().After(b.CompletedAt.AsTime()) {
			return false
		}
	}
	return steps
}
