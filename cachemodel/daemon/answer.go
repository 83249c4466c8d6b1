package daemon

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	sourcetext "github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/record"
	controlapi "github.com/moby/buildkit/api/services/control"
)

// maxOthers is how many builds of other Dockerfiles are told of.
const maxOthers = 6

// Ask asks the daemon for the builds that it remembers of a Dockerfile, those that failed too, for builds of others
// whose steps may be the same, and for what is left of them in its cache. Where it does not answer, the error says
// why, and the answer still says which builder it is.
func (d *Daemon) Ask(ctx context.Context, q Query) (*baseline.Answer, error) {
	if d = d.of(q); q.Engine == cachemodel.Classic { // its cache cannot be asked for
		return &baseline.Answer{Builder: d.identity(""), Name: d.String()}, nil
	}
	var found *found
	err := d.ask(ctx, func(ctx context.Context, c *conn) (err error) {
		found, err = d.look(ctx, c, q)
		return err
	})
	if err != nil {
		answer := &baseline.Answer{Builder: d.identity(""), Name: d.String(), Silent: d.String() + " cannot be asked"}
		if late(err) {
			answer.Silent, answer.Unknown = d.String()+" did not answer in time", true
		}
		if foreign := d.hasNoBuildKit(); foreign != "" { // something else builds there
			answer.Silent, answer.Unknown = foreign, true
		}
		return answer, err
	}
	answer := &baseline.Answer{
		Builder: d.identity(
			found.id,
		), Name: d.String(), Complete: found.complete, Emptied: found.emptied, Oldest: found.oldest,
		Unseen: found.unseen,
	}
	folders := &folders{d: d, q: q, own: found.own, read: map[string]*buildcontext.Tree{}}
	for _, b := range found.own {
		c, err := d.contents(ctx, q, b, found, folders)
		if err != nil {
			return nil, err
		}
		answer.Builds = append(answer.Builds, c)
	}
	for _, b := range found.others {
		c, err := d.contents(ctx, q, b, found, folders)
		if err != nil {
			return nil, err
		}
		answer.Others = append(answer.Others, c.OtherDockerfile())
	}
	return answer, nil
}

// hasNoBuildKit says that an engine has none, as the beginning of a sentence; "" if it has, or nobody knows.
func (d *Daemon) hasNoBuildKit() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.foreign
}

// Identity is what identifies the daemon as far as that is known without asking it.
func (d *Daemon) Identity() record.Builder { return d.identity("") }

// identity is what identifies the daemon, with its own id, which is "" if it did not tell.
func (d *Daemon) identity(id string) record.Builder {
	e := d.endpoint
	b := record.Builder{Name: e.Name, Address: e.Address, ID: id}
	if b.Node = e.Container; b.Node == "" && !e.Engine {
		b.Node = e.Node
	}
	return b
}

// of is the builder that makes the builds of a Dockerfile: where docker build and docker buildx build use two, the one
// that made the last.
func (d *Daemon) of(q Query) *Daemon {
	if d.other == nil {
		return d
	}
	if last, ok := LastNoted(d.places, q.Dockerfile); ok && last.Builder == d.other.endpoint.Name {
		return d.other
	}
	return d
}

// found is what a daemon tells of its builds.
type found struct {
	id          string
	own, others []*build // the last first
	complete    bool     // see baseline.Answer
	emptied     string
	oldest      time.Time
	unseen      cachemodel.Unseen
}

// look asks for all that an answer needs but the files of the builds.
func (d *Daemon) look(ctx context.Context, c *conn, q Query) (*found, error) {
	usage := make(chan *remains, 1)
	go func() { usage <- c.remains(ctx) }() // it takes long in a large cache
	f := &found{}
	if workers, err := c.control.ListWorkers(ctx, &controlapi.ListWorkersRequest{}); err == nil &&
		len(workers.Record) > 0 {
		f.id = workers.Record[0].ID
	}
	all, err := c.history(ctx)
	if err != nil {
		return nil, err
	}
	f.own, f.others = d.divide(ctx, c, all, q)
	left := <-usage
	runs := c.runs(ctx, slices.Concat(f.own, f.others))
	f.judge(left, runs, all, d.String())
	known := configs{}
	for _, b := range slices.Concat(f.own, f.others) {
		known.read(ctx, c, b)
		b.configs = known
		if f.emptied == "" {
			b.results, b.perhaps = b.remaining(runs, left, d.String())
		}
		b.costs, b.hits = b.spent(runs, left), b.taken(runs.in[b])
	}
	return f, ctx.Err()
}

// divide finds the builds that are of the wanted Dockerfile, and others that may have steps in common with it.
func (d *Daemon) divide(
	ctx context.Context,
	c *conn,
	all []*controlapi.BuildHistoryRecord,
	q Query,
) (own, others []*build) {
	var matched []*build
	certain, foreign := 0, 0
	for _, r := range all[:min(maxLook, len(all))] {
		if certain >= baseline.MaxPasts {
			break
		}
		where, known := buildxPlace(d.places, r.Ref)
		if known && foreign >= maxOthers && !samePath(where.dockerfile, q.Dockerfile) {
			continue // reading it takes time
		}
		b := d.match(ctx, c, r, q)
		if b == nil {
			continue
		}
		matched = append(matched, b)
		if b.likeness == sure {
			certain++
		} else if b.shared > 1 {
			foreign++
		}
	}
	likeness := 0.0
	for _, b := range matched {
		likeness = max(likeness, b.likeness)
	}
	for _, b := range matched {
		switch {
		case likeness >= half && b.likeness == likeness:
			own = append(own, b)
		case b.shared > 1:
			b.assumed = true // nothing is taken to be known of its files
			others = append(others, b)
		}
	}
	return own[:min(baseline.MaxPasts, len(own))], others[:min(maxOthers, len(others))]
}

// half is the least likeness of a text that may be an earlier one of the file.
const half = 0.5

// judge finds what is known of the cache as a whole.
func (f *found) judge(left *remains, all *runs, history []*controlapi.BuildHistoryRecord, name string) {
	f.unseen = left.unseen(all, history, name)
	if left == nil {
		return
	}
	f.oldest = left.oldest()
	f.complete = f.unseen.Reason == ""
	if f.oldest.IsZero() {
		f.emptied = fmt.Sprintf("The cache of %s has been emptied since.", name)
	}
}

// contents are a build's Dockerfile and files, and what is left of it.
func (d *Daemon) contents(
	ctx context.Context,
	q Query,
	b *build,
	f *found,
	folders *folders,
) (*baseline.Contents, error) {
	r := b.record(q, d.String())
	r.Builder, r.Costs, r.Hits = d.identity(f.id), b.costs, b.hits
	var err error
	if r.Context, err = folders.context(ctx, b, r.ContextDir); err != nil {
		return nil, err
	}
	for name, named := range r.Contexts {
		if named.Tree, err = folders.at(ctx, b, b.named[name], named.Dir, nil); err != nil {
			return nil, err
		}
		if named.Dir == "" {
			named.Dir = q.Contexts[name]
		}
		r.Contexts[name] = named
	}
	c := &baseline.Contents{
		File: dockerfile.Parse(
			sourcetext.New(b.text),
			nil,
		), Context: r.Context, Record: r, FailedAt: b.failedAt, Results: b.results, Perhaps: b.perhaps,
	}
	if f.emptied != "" {
		c.Gone(f.emptied)
	}
	return c, nil
}

// folders are the folders of builds as they were when these began. What several builds read is scanned once.
type folders struct {
	d    *Daemon
	q    Query
	own  []*build                      // of the Dockerfile, the last first
	read map[string]*buildcontext.Tree // by folder and what is left out of it; nil if it cannot be read
}

// context is the build context as it was when the build began.
func (f *folders) context(ctx context.Context, b *build, dir string) (*buildcontext.Tree, error) {
	stamps := func() (*buildcontext.Tree, error) {
		texts := map[string]string{}
		if rel, err := filepath.Rel(dir, f.q.Dockerfile); err == nil && filepath.IsLocal(rel) {
			texts[filepath.ToSlash(rel)] = b.text
		}
		return f.at(ctx, b, mainContext, dir, texts)
	}
	if f.q.Journal == nil || !samePath(dir, f.q.ContextDir) || b.assumed {
		return stamps()
	}
	return f.q.Journal.Sent(b.Ref, f.d.began(b), stamps)
}

// History asks for baseline.Request.Ask; the options say which of several builds is wanted.
func (d *Daemon) History(o baseline.Options) baseline.History {
	return func(ctx context.Context, r baseline.Request) (*baseline.Answer, error) {
		return d.Ask(ctx, Query{
			Dockerfile: r.Dockerfile, ContextDir: r.ContextDir, CacheDir: r.CacheDir, Engine: o.Engine,
			Target: o.Target, Platform: o.Platform, Contexts: o.Contexts, Journal: r.Journal,
		})
	}
}

// Configured gives the daemon that is configured, see Find; nil if there is none.
func Configured(setting string) (*Daemon, error) {
	places := UserPlaces()
	e, err := Find(setting, places)
	if err != nil || e == nil {
		return nil, err
	}
	return New(*e, places), nil
}

// Of gives the daemon that a command builds with: the one at an address, where the command gives that; the builder
// that it names; for docker build the engine's own, else buildx's current one. It is nil if there is none, and for
// tools that build with something else.
func Of(tool, builder, address string) (*Daemon, error) {
	places := UserPlaces()
	if builder != "" && address == "" {
		getenv := places.Getenv
		places.Getenv = func(name string) string {
			switch name {
			case "BUILDX_BUILDER":
				return builder
			case "BUILDKIT_HOST":
				return ""
			}
			return getenv(name)
		}
	}
	if strings.HasPrefix(tool, "podman") || strings.HasPrefix(tool, "buildah") {
		return nil, nil
	}
	e, err := Find(address, places)
	if err != nil || e == nil {
		return nil, err
	}
	if e.Other != nil && builder == "" && (tool == "docker build" || tool == "docker image build") {
		e = e.Other
	}
	e.Other = nil
	return New(*e, places), nil
}

// Made is the build that the daemon made of a Dockerfile since a time; nil if there is none. Of its files nothing is
// told.
func (d *Daemon) Made(ctx context.Context, q Query, since time.Time) (*record.Record, error) {
	d = d.of(q)
	var made *record.Record
	err := d.ask(ctx, func(ctx context.Context, c *conn) error {
		f, err := d.look(ctx, c, q)
		if err != nil {
			return err
		}
		made = &record.Record{Builder: d.identity(f.id)}
		i := slices.IndexFunc(f.own, func(b *build) bool {
			return b.failedAt == 0 && b.wanted(q) && !b.CompletedAt.AsTime().Before(since)
		})
		if i >= 0 {
			made = f.own[i].record(q, d.String())
			made.Builder, made.Costs, made.Hits = d.identity(f.id), f.own[i].costs, f.own[i].hits
		}
		return nil
	})
	return made, err
}

// platform is the provenance of the wanted platform, else of the first.
func platform(all map[string]*provenance, wanted string) *provenance {
	if p := all[wanted]; p != nil {
		return p
	}
	return all[slices.Sorted(maps.Keys(all))[0]]
}
