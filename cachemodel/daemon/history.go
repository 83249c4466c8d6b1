package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/record"
	controlapi "github.com/moby/buildkit/api/services/control"
)

// Query says of what the last build is wanted.
type Query struct {
	Dockerfile string // absolute path
	ContextDir string // absolute path
	Target     string // of several targets that were built this one is preferred; likewise the platform
	Platform   string
	Contexts   map[string]string // the folders of named contexts, for builds of which is not known where those were
	CacheDir   string            // see disk.Options
	Hurry      bool              // do not wait until a build that has just ended tells where its files came from
	// ContextAt is the build context as somebody saw it at a time, nil if nobody did. Without it only the files' stamps tell.
	ContextAt func(time.Time) *buildcontext.Tree
}

// maxLook is how many builds are looked at: BuildKit keeps all of the last two days.
const maxLook = 200

// LastBuild is the last successful build of a Dockerfile, nil if there is none.
//
// A record of another project's files is never taken. buildx notes the absolute paths of a build's Dockerfile and context:
// these must be the query's. Of a build by buildctl its command line is known, and must agree. Where it has relative paths,
// and of any other build, nothing tells where the files came from. Such a build counts only if there is no other, and if it
// is of a Dockerfile of this name and very text, or, if the file has been edited since, of the text that is most like it and
// has half of its lines; and nothing is taken to be known of its build context.
func (d *Daemon) LastBuild(ctx context.Context, q Query) (*record.Record, error) {
	found, from, err := d.lastBuild(ctx, q)
	if wait := untilTraced(from); wait > 0 && !q.Hurry {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		found, from, err = d.lastBuild(ctx, q)
	}
	if err != nil || found == nil {
		return nil, err
	}
	if found.Context, err = d.contextAt(ctx, q, from); err != nil {
		return nil, err
	}
	for name, named := range found.Contexts {
		if named.Tree, err = d.folderAt(ctx, q, from, from.named[name], named.Dir, nil); err != nil {
			return nil, err
		}
		if named.Dir == "" {
			named.Dir = q.Contexts[name]
		}
		found.Contexts[name] = named
	}
	return found, nil
}

// lastBuild finds the build and makes all of its record but the contexts.
func (d *Daemon) lastBuild(ctx context.Context, q Query) (found *record.Record, from *build, err error) {
	empty := false
	err = d.ask(ctx, func(ctx context.Context, c *conn) error {
		own, err := d.own(ctx, c, q)
		if err != nil {
			return err
		}
		if from = choose(own, q); from != nil {
			usage, err := c.control.DiskUsage(ctx, &controlapi.DiskUsageRequest{})
			switch {
			case err != nil: // it takes long in a large cache
				usage = &controlapi.DiskUsageResponse{}
			case pruned(from, usage.Record):
				empty = true
				return nil
			}
			found = from.record(q, d)
			found.Costs = c.costs(ctx, from, own, usage.Record)
		}
		return ctx.Err()
	})
	if empty {
		return nil, nil, ErrPruned
	}
	return found, from, err
}

// own are the builds that are or may be of the wanted Dockerfile, the last first.
func (d *Daemon) own(ctx context.Context, c *conn, q Query) ([]*build, error) {
	builds, err := c.history(ctx)
	if err != nil {
		return nil, err
	}
	var own []*build
	for _, r := range builds[:min(maxLook, len(builds))] {
		if b := d.match(ctx, c, r, q); b != nil {
			own = append(own, b)
		}
	}
	return own, nil
}

// traced is after which time a build's record has the trace that tells buildctl's command line
// (solver/llbsolver/history.go).
const traced = 3500 * time.Millisecond

// untilTraced is how long to wait for a build to tell where its files came from.
func untilTraced(b *build) time.Duration {
	if b == nil || !b.assumed || b.Trace != nil {
		return 0
	}
	return min(traced, traced-time.Since(b.CompletedAt.AsTime()))
}

func sortByEnd(builds []*controlapi.BuildHistoryRecord) {
	slices.SortStableFunc(builds, func(a, b *controlapi.BuildHistoryRecord) int {
		return b.CompletedAt.AsTime().Compare(a.CompletedAt.AsTime())
	})
}

// choose takes the last build of which it is sure that it is the Dockerfile's, of the wanted target if there is one; of
// those that only may be, the one whose text is most like the file's.
func choose(own []*build, q Query) *build {
	likeness := 0.0
	for _, b := range own {
		likeness = max(likeness, b.likeness)
	}
	if likeness < 0.5 {
		return nil
	}
	own = slices.DeleteFunc(slices.Clone(own), func(b *build) bool { return b.likeness < likeness })
	if i := slices.IndexFunc(own, func(b *build) bool { return b.wanted(q) }); i >= 0 {
		return own[i]
	}
	return own[0]
}

// build is a record of the history that is the wanted Dockerfile's.
type build struct {
	*controlapi.BuildHistoryRecord
	*provenance
	text     string
	locals   map[string]string // absolute folders that were sent, as far as the build tells, by the names they were sent under
	named    map[string]string // the names under which the named contexts were sent
	assumed  bool              // nothing tells where its files came from
	likeness float64           // of the text to the file's; above 1 if it is sure to be a build of that
}

// match reads a build if it is one of the wanted Dockerfile.
func (d *Daemon) match(ctx context.Context, c *conn, r *controlapi.BuildHistoryRecord, q Query) *build {
	where, known := buildxPlace(d.places, r.Ref)
	if known && (!samePath(where.context, q.ContextDir) || !samePath(where.dockerfile, q.Dockerfile)) {
		return nil
	}
	all, err := c.provenances(ctx, r)
	if err != nil {
		return nil
	}
	p := all[q.Platform]
	if p == nil {
		p = all[slices.Sorted(maps.Keys(all))[0]]
	}
	if p.BuildDefinition.ExternalParameters.ConfigSource.URI != "" {
		return nil // its context was a repository
	}
	name, text, ok := p.dockerfile()
	if !ok {
		return nil
	}
	b := &build{BuildHistoryRecord: r, provenance: p, text: text, named: map[string]string{}, likeness: sure}
	if known {
		return b
	}
	if filepath.Base(name) != filepath.Base(q.Dockerfile) {
		return nil
	}
	if where, ok := c.buildctlPlace(ctx, b); ok {
		if !mayBe(where.context, q.ContextDir) || !mayBe(where.dockerfile, filepath.Dir(q.Dockerfile)) && !mayBe(where.dockerfile, q.ContextDir) {
			return nil
		}
		if filepath.IsAbs(where.context) && filepath.IsAbs(where.dockerfile) {
			return b
		}
	}
	b.assumed = true
	b.likeness = likeness(q.Dockerfile, text, r.CompletedAt.AsTime())
	return b
}

// sure is the likeness of a build that is known to be of the wanted file.
const sure = 2

func samePath(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := filepath.EvalSymlinks(a)
	y, errY := filepath.EvalSymlinks(b)
	return errX == nil && errY == nil && x == y
}

// mayBe reports whether a path as it was given on a command line, perhaps relative to an unknown folder, may be this one.
func mayBe(given, path string) bool {
	if filepath.IsAbs(given) {
		return samePath(filepath.Clean(given), path)
	}
	given = filepath.ToSlash(filepath.Clean(given))
	for strings.HasPrefix(given, "../") {
		given = given[3:]
	}
	return given == "." || given == ".." || strings.HasSuffix(filepath.ToSlash(path), "/"+given)
}

// likeness says how like a Dockerfile is to a text that was built: 1 if it is the same, 0 if it cannot have had it.
func likeness(dockerfile, text string, built time.Time) float64 {
	now, err := os.ReadFile(dockerfile)
	if err != nil {
		return 0
	}
	if string(now) == text {
		return 1
	}
	if stamp, _, err := disk.StampOf(dockerfile); err != nil || stamp.ModTime < built.UnixNano() {
		return 0
	}
	x, y := lines(string(now)), lines(text)
	common := 0
	for line := range x {
		if y[line] {
			common++
		}
	}
	return 0.99 * float64(common) / float64(max(len(x), len(y), 1))
}

// lines are the different lines of a Dockerfile but comments.
func lines(text string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out[line] = true
		}
	}
	return out
}

// mainContext is the name under which the build context is sent (dockerui.initContext).
const mainContext = "context"

// buildctlPlace is what the command line of buildctl says, which is part of the trace of a build
// (cmd/buildctl/common.AttachAppContext): its paths may be relative. The absolute ones are kept in b.
func (c *conn) buildctlPlace(ctx context.Context, b *build) (place, bool) {
	if b.Trace == nil {
		return place{}, false
	}
	data, err := c.blob(ctx, b.Trace.Digest)
	if err != nil {
		return place{}, false
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	for {
		var span struct {
			Attributes []struct {
				Key   string
				Value struct{ Value any }
			}
		}
		if err := dec.Decode(&span); err != nil {
			return place{}, false
		}
		for _, a := range span.Attributes {
			words, ok := a.Value.Value.([]any)
			if a.Key != "command" || !ok {
				continue
			}
			given := localDirs(words)
			b.locals = maps.Clone(given)
			maps.DeleteFunc(b.locals, func(_, dir string) bool { return !filepath.IsAbs(dir) })
			p := place{given[mainContext], given[cmp.Or(b.options()["dockerfilekey"], "dockerfile")]}
			return p, p.context != "" && p.dockerfile != ""
		}
	}
}

// localDirs are the folders that a command line of buildctl sends, by name.
func localDirs(words []any) map[string]string {
	given := map[string]string{}
	for i, w := range words {
		s, _ := w.(string)
		value, ok := strings.CutPrefix(strings.TrimPrefix(s, "-"), "-local=")
		if (s == "--local" || s == "-local") && i+1 < len(words) {
			value, ok = words[i+1].(string)
		}
		if name, dir, is := strings.Cut(value, "="); ok && is {
			given[name] = dir
		}
	}
	return given
}

// options are what the Dockerfile frontend was asked for.
func (b *build) options() map[string]string {
	out := map[string]string{}
	for r := &b.BuildDefinition.ExternalParameters.Request; r != nil; {
		maps.Copy(out, r.Args)
		if r.Root == nil {
			break
		}
		r = r.Root.Request
	}
	maps.Copy(out, b.FrontendAttrs)
	return out
}

// wanted reports whether the build was one of the target and platform that are asked for.
func (b *build) wanted(q Query) bool {
	o := b.options()
	return strings.EqualFold(o["target"], q.Target) && (q.Platform == "" || normal(o["platform"]) == normal(q.Platform))
}

func normal(platform string) string {
	if p, err := platforms.Parse(platform); err == nil {
		return platforms.FormatAll(platforms.Normalize(p))
	}
	return platform
}

// record is what the build tells, without the context and the costs.
func (b *build) record(q Query, d *Daemon) *record.Record {
	r := &record.Record{
		When: b.CompletedAt.AsTime(), Source: record.History, Tool: d.String(),
		Dockerfile: q.Dockerfile, Text: b.text, ContextDir: q.ContextDir,
		Settings: cachemodel.Settings{Engine: cachemodel.BuildKit, Args: map[string]string{}},
		Contexts: map[string]record.NamedContext{}, Images: map[string]cachemodel.Image{},
	}
	if name := b.ExporterResponse["image.name"]; name != "" {
		r.Tags = strings.Split(name, ",")
	}
	for key, value := range b.options() {
		switch {
		case strings.HasPrefix(key, "build-arg:"):
			r.Settings.Args[strings.TrimPrefix(key, "build-arg:")] = value
		case key == "target":
			r.Settings.Target = value
		case key == "platform":
			r.Settings.Platform = value
		case strings.HasPrefix(key, "context:"):
			b.namedContext(r, strings.TrimPrefix(key, "context:"), value)
		}
	}
	for i := range b.BuildDefinition.InternalParameters.BuildConfig.Definition {
		s, ok := b.BuildDefinition.InternalParameters.BuildConfig.Definition[i].source()
		if !ok {
			continue
		}
		if ref, digest, ok := s.image(); ok && strings.HasPrefix(s.Identifier, "docker-image://") {
			if named, err := reference.ParseNormalizedNamed(ref); err == nil {
				ref = reference.TagNameOnly(named).String()
			}
			if known, ok := r.Images[ref]; !ok || known.Digest == digest {
				r.Images[ref] = cachemodel.Image{Digest: digest, DigestOnly: true}
			}
		}
	}
	if b.assumed {
		r.Notes = append(r.Notes, fmt.Sprintf("the build of %s in the history of %s does not tell its folder, so it is not known what its files held",
			r.When.Local().Format(time.DateTime), d))
	}
	return r
}

// namedContext notes a --build-context. Where a local one was only buildctl tells.
func (b *build) namedContext(r *record.Record, name, value string) {
	name, _, _ = strings.Cut(name, "::")
	switch {
	case strings.HasPrefix(value, "local:"):
		b.named[name] = strings.TrimPrefix(value, "local:")
		r.Contexts[name] = record.NamedContext{Dir: b.locals[b.named[name]]}
	case strings.HasPrefix(value, "docker-image://"), strings.HasPrefix(value, "oci-layout://"):
		ref, digest, _ := source{Identifier: value}.image()
		if digest == "" {
			for i := range b.BuildDefinition.InternalParameters.BuildConfig.Definition {
				s, _ := b.BuildDefinition.InternalParameters.BuildConfig.Definition[i].source()
				if at, d, ok := s.image(); ok && sameImage(at, ref) {
					digest = d
				}
			}
		}
		if digest != "" {
			r.Images[name] = cachemodel.Image{Digest: digest, DigestOnly: true}
		}
	}
}

func sameImage(a, b string) bool {
	x, errX := reference.ParseNormalizedNamed(a)
	y, errY := reference.ParseNormalizedNamed(b)
	return errX == nil && errY == nil && reference.TagNameOnly(x).String() == reference.TagNameOnly(y).String()
}

// began is when the build began, by this machine's clock as far as that is known: nothing of the context was read before.
func (d *Daemon) began(b *build) time.Time {
	began := b.CreatedAt.AsTime()
	if strings.HasPrefix(d.endpoint.Address, "unix:") {
		return began
	}
	if noted, ok := buildxNoted(d.places, b.Ref); ok && noted.Before(began) {
		return noted
	}
	return began.Add(-otherClock)
}

// otherClock is how far the clock of another machine is taken to be off at most.
const otherClock = time.Minute

// contextAt is the build context as it was when the build began.
func (d *Daemon) contextAt(ctx context.Context, q Query, b *build) (*buildcontext.Tree, error) {
	if q.ContextAt != nil {
		if tree := q.ContextAt(d.began(b)); tree != nil {
			return tree, nil
		}
	}
	texts := map[string]string{}
	if rel, err := filepath.Rel(q.ContextDir, q.Dockerfile); err == nil && filepath.IsLocal(rel) {
		texts[filepath.ToSlash(rel)] = b.text
	}
	return d.folderAt(ctx, q, b, mainContext, q.ContextDir, texts)
}

// folderAt is a folder, sent under a name, as it was when the build began. texts are the contents that are known.
func (d *Daemon) folderAt(ctx context.Context, q Query, b *build, local, dir string, texts map[string]string) (*buildcontext.Tree, error) {
	began := d.began(b)
	patterns, sent := b.excludes(local)
	if !sent || b.assumed || dir == "" || ledElsewhere(dir, began) {
		return buildcontext.Unknown(), nil
	}
	ignore, err := buildcontext.NewIgnore("", patterns)
	if err != nil {
		return buildcontext.Unknown(), nil
	}
	tree, err := disk.Scan(ctx, dir, "", disk.Options{CacheDir: q.CacheDir, Dated: true, Ignore: ignore})
	if err != nil {
		return buildcontext.Unknown(), ctx.Err()
	}
	return buildcontext.AsOf(tree, began, texts), nil
}

// ledElsewhere reports whether a link in the path of a folder may have changed since.
func ledElsewhere(dir string, when time.Time) bool {
	for at := dir; ; at = filepath.Dir(at) {
		stamp, link, err := disk.StampOf(at)
		if err != nil || link && buildcontext.ChangedSince(stamp, when) {
			return true
		}
		if filepath.Dir(at) == at {
			return false
		}
	}
}
