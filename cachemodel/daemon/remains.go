package daemon

import (
	"context"
	"fmt"
	"io"
	"slices"
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
// command that it runs.
func (l *remains) of(name, command string, from, to time.Time) (found []*controlapi.UsageRecord) {
	for _, u := range l.records {
		at := u.CreatedAt.AsTime()
		if !at.Before(from.Add(-slack)) && !at.After(to.Add(slack)) && describes(u, name, command) {
			found = append(found, u)
		}
	}
	return found
}

// describes reports whether a result may be that of a step. BuildKit names a result after what made it: that of a RUN
// after its mount and arguments, that of any other step after the step (solver/llbsolver/ops). What was imported from a
// cache elsewhere may have lost its name.
func describes(u *controlapi.UsageRecord, name, command string) bool {
	exec, isExec := strings.CutPrefix(u.Description, execPrefix)
	return bare(u.Description) == bare(name) || isExec && isRun(name) && (command == "" || command == exec) ||
		strings.HasPrefix(u.Description, importedPrefix)
}

// How the results of RUNs, and those that came from a cache elsewhere, are described.
const (
	execPrefix     = "mount / from exec "
	importedPrefix = "imported "
)

// before reports whether there are results that a step may have made before a time.
func (l *remains) before(name, command string, when time.Time) bool {
	return slices.ContainsFunc(l.records, func(u *controlapi.UsageRecord) bool {
		return !u.CreatedAt.AsTime().After(when.Add(slack)) && describes(u, name, command)
	})
}

// unpacked reports whether a result is a layer of an image that a build stood on and the engine had already: such have
// no description. Neither have results of a cache that a build imported, so none may have done that then.
func unpacked(u *controlapi.UsageRecord, history []*controlapi.BuildHistoryRecord) bool {
	at, seen := u.CreatedAt.AsTime(), false
	for _, r := range history {
		if u.Description != "" || at.Before(r.CreatedAt.AsTime()) || at.After(r.CompletedAt.AsTime()) {
			continue
		}
		if r.FrontendAttrs["cache-imports"] != "" {
			return false
		}
		seen = true
	}
	return seen
}

// unseen are the results that none of the builds that were read has made.
func (l *remains) unseen(all *runs, history []*controlapi.BuildHistoryRecord, name string) cachemodel.Unseen {
	if l == nil {
		return cachemodel.Unseen{
			Anything: true, Reason: fmt.Sprintf("%s did not say in time what is in its cache.", name),
		}
	}
	known := map[*controlapi.UsageRecord]bool{}
	for _, ran := range all.in {
		for _, r := range ran.ran {
			for _, u := range l.of(r.name, r.command, r.from, r.to) {
				known[u] = true
			}
		}
	}
	out := cachemodel.Unseen{}
	for _, u := range l.records {
		if known[u] || unpacked(u, history) {
			continue
		}
		out.Reason = fmt.Sprintf("The cache of %s holds a result of such a step, made by another build.", name)
		command, isExec := strings.CutPrefix(u.Description, execPrefix)
		words := strings.Fields(bare(u.Description))
		switch {
		case isExec:
			out.Commands = append(out.Commands, command)
		case strings.HasPrefix(u.Description, importedPrefix) || len(words) == 0:
			out.Anything = true
		case words[0] == "COPY" || words[0] == "ADD":
			out.Files = append(out.Files, words[len(words)-1])
		case words[0] == "WORKDIR":
			out.Directories = append(out.Directories, words[len(words)-1])
		default:
			out.Other = true
		}
	}
	return out
}

// bare is a step's name without the stage and the number, which differ between Dockerfiles, and without saying that it
// is a trigger: "[build 2/5] ONBUILD RUN make".
func bare(name string) string {
	if after, ok := strings.CutPrefix(name, "["); ok {
		if _, after, ok = strings.Cut(after, "] "); ok {
			return strings.TrimPrefix(after, "ONBUILD ")
		}
	}
	return name
}

// isRun reports whether a step's name is that of a RUN.
func isRun(name string) bool { return strings.HasPrefix(bare(name), "RUN ") }

// run is one real execution of a step, or a step that was taken from the cache.
type run struct {
	name       string
	inputs     []string // the digests of the vertices that it stands on and reads
	command    string   // "" if it runs none, or that is not known
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

// progress is what a build's progress tells of its vertices, by digest.
type progress struct {
	ran, cached map[string]*run
	ignoreFile  int64               // bytes that were sent of an ignore file
	inputs      map[string][]string // of all vertices
	errors      map[string]string   // why vertices failed or were cancelled
}

// finished reports whether all that the failed steps stand on was built. That is not so of a COPY of a file that is not
// there: BuildKit looks for the file while the steps above still run, and cancels them.
func (p *progress) finished() bool {
	var look []string
	for digest, why := range p.errors {
		if !strings.Contains(why, "context canceled") {
			look = append(look, p.inputs[digest]...)
		}
	}
	if look == nil { // the build as a whole was cancelled
		for digest := range p.errors {
			look = append(look, p.inputs[digest]...)
		}
	}
	seen := map[string]bool{}
	for len(look) > 0 {
		digest := look[0]
		if look = look[1:]; seen[digest] {
			continue
		}
		seen[digest] = true
		inputs := p.inputs[digest]
		if p.errors[digest] != "" || len(inputs) > 0 && p.ran[digest] == nil && p.cached[digest] == nil {
			return false
		}
		look = append(look, inputs...)
	}
	return true
}

// found are the vertices that were taken from the cache and whose results are there for sure: a result that the build
// made stands on them, which keeps them.
func (p *progress) found(l *remains) map[string]bool {
	byID := make(map[string]*controlapi.UsageRecord, len(l.records))
	for _, u := range l.records {
		byID[u.ID] = u
	}
	there := map[string]bool{}
	for _, r := range p.ran {
		u := r.onDisk(l)
		for u != nil && len(u.Parents) == 1 && len(r.inputs) > 0 {
			digest := r.inputs[0]
			if u, r = byID[u.Parents[0]], p.cached[digest]; u == nil || r == nil || r.source {
				break
			}
			there[digest] = true
		}
	}
	return there
}

// runs are the real executions of steps in builds.
type runs struct {
	in    map[*build]*progress
	byKey map[string][]*run // by what is done, the last first
}

func (c *conn) runs(ctx context.Context, builds []*build) *runs {
	out := &runs{in: map[*build]*progress{}, byKey: map[string][]*run{}}
	for _, b := range builds { // the last first
		next, err := c.status(ctx, b.BuildHistoryRecord)
		if err != nil {
			continue
		}
		p, err := progressOf(next)
		if err != nil {
			continue
		}
		b.ignoreFile = p.ignoreFile
		out.in[b] = p
		if b.provenance == nil {
			continue
		}
		keys := b.keys()
		for digest, step := range b.BuildDefinition.InternalParameters.BuildConfig.DigestMapping {
			o := b.operation(step)
			if r := p.cached[digest]; r != nil && o != nil {
				r.command = o.command()
			}
			if r := p.ran[digest]; r != nil {
				if o != nil {
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
	p := all.in[b]
	if left == nil || p == nil {
		return nil, fmt.Sprintf("%s did not say in time what is left in its cache.", name)
	}
	there := p.found(left)
	if b.provenance == nil { // it failed
		return nil, b.afterFailure(p, there, left, name)
	}
	results = map[int]cachemodel.Result{}
	for digest, step := range b.BuildDefinition.InternalParameters.BuildConfig.DigestMapping {
		o := b.operation(step)
		line, ok := b.line(step)
		if o == nil || !ok || o.isSource() || o.isMerge() || there[digest] {
			continue
		}
		result := cachemodel.Result{
			Presence: cachemodel.Gone,
			Reason:   fmt.Sprintf("%s has removed the result from its cache.", name),
		}
		if r := p.ran[digest]; r != nil {
			if r.left(left) {
				continue
			}
		} else if r := p.cached[digest]; r == nil || left.before(r.name, r.command, b.CompletedAt.AsTime()) {
			result = cachemodel.Result{Presence: cachemodel.Perhaps, Reason: fmt.Sprintf(
				"%s no longer remembers the build that made the result, so it may have removed it.", name)}
		}
		if old, ok := results[line]; !ok || result.Presence > old.Presence {
			results[line] = result
		}
	}
	return results, ""
}

// afterFailure is the reason why it is not known what is left of a build that failed; "" if all is.
func (b *build) afterFailure(p *progress, there map[string]bool, left *remains, name string) string {
	if !p.finished() {
		return fmt.Sprintf("The build failed at line %d before the steps above were done.", b.failedAt)
	}
	missing, kept := 0, len(there)
	for _, r := range p.ran {
		switch {
		case r.failed || r.source:
		case r.left(left):
			kept++
		default:
			missing++
		}
	}
	if missing > 0 {
		return fmt.Sprintf("%s has removed %d of %d results of this build, which failed, from its cache.",
			name, missing, missing+kept)
	}
	for digest, r := range p.cached {
		if !r.source && !there[digest] {
			return fmt.Sprintf("%s no longer remembers who made all results that the build, which failed, took from the "+
				"cache, so it may have removed them.", name)
		}
	}
	return ""
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
		if u != nil { // its size is that of the snapshot and of what was packed of it
			cost.Bytes, cost.Shared = sum(cost.Bytes, max(u.Size-r.compressed, 0)), u.Shared
		} else if r.compressed > 0 {
			cost.Bytes = sum(cost.Bytes, r.compressed)
		}
		out[line] = cost
	}
	return out
}

// taken says by line whether a build took from the cache what an instruction makes; of what was neither run nor taken,
// since nothing needed it, nothing is said.
func (b *build) taken(p *progress) map[int]bool {
	out := map[int]bool{}
	if b.provenance == nil || p == nil {
		return out
	}
	for digest, step := range b.BuildDefinition.InternalParameters.BuildConfig.DigestMapping {
		o := b.operation(step)
		line, ok := b.line(step)
		if o == nil || !ok || o.isSource() || o.isMerge() {
			continue
		}
		if p.ran[digest] != nil {
			out[line] = false
		} else if _, known := out[line]; p.cached[digest] != nil && !known {
			out[line] = true
		}
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

// progressOf reads a build's progress up to io.EOF. A vertex may run in several intervals: they are added up. One that
// was loaded from the cache and runs was loaded in vain: the daemon knew its key, and its layers were gone. What names
// no inputs of a vertex that has some is about its layers, which are fetched or unpacked (util/progress/controller).
func progressOf(next func() (*controlapi.StatusResponse, error)) (*progress, error) {
	out := &progress{
		ran: map[string]*run{}, cached: map[string]*run{}, inputs: map[string][]string{}, errors: map[string]string{},
	}
	loads := map[string]bool{} // the vertices that load an ignore file
	intervals := map[string]map[time.Time]time.Time{}
	for {
		part, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, v := range part.Vertexes {
			if len(v.Inputs) == 0 && len(out.inputs[v.Digest]) > 0 {
				continue
			}
			loads[v.Digest] = v.Name == "[internal] load .dockerignore"
			out.inputs[v.Digest] = v.Inputs
			if v.Cached {
				out.cached[v.Digest] = &run{name: v.Name, inputs: v.Inputs, source: len(v.Inputs) == 0}
				continue
			}
			if v.Error != "" {
				out.errors[v.Digest] = v.Error
			}
			if v.Started == nil || v.Completed == nil {
				continue
			}
			if out.ran[v.Digest] == nil {
				out.ran[v.Digest] = &run{name: v.Name, inputs: v.Inputs, source: len(v.Inputs) == 0}
				intervals[v.Digest] = map[time.Time]time.Time{}
			}
			out.ran[v.Digest].failed = out.ran[v.Digest].failed || v.Error != ""
			intervals[v.Digest][v.Started.AsTime()] = v.Completed.AsTime()
		}
		for _, s := range part.Statuses {
			if loads[s.Vertex] {
				out.ignoreFile = max(out.ignoreFile, s.Current)
			}
		}
	}
	for digest, r := range out.ran {
		if r.source && out.cached[digest] != nil { // it shows the request for its own key (solver/jobs.go, CacheMap)
			delete(out.ran, digest)
			continue
		}
		delete(out.cached, digest)
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
