package daemon

import (
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
	Contexts   map[string]string // the folders of named contexts
	CacheDir   string            // see disk.Options
	// ContextAt is the build context as somebody saw it at a time, nil if nobody did. Without it only the files' stamps tell.
	ContextAt func(time.Time) *buildcontext.Tree
}

// maxLook is how many builds are looked at: BuildKit keeps all of the last two days.
const maxLook = 200

// LastBuild is the last successful build of a Dockerfile, nil if there is none.
//
// A record of another project is never taken. buildx notes the absolute paths of a build's Dockerfile and context: these
// must be the query's. Of a build by buildctl its command line may be known, and must agree. Of others, nothing tells
// where they came from: the Dockerfile must have the query's name and, unless it has changed since, its very text; if it
// has changed, half of its lines. That the context was the query's is then assumed, and the record's notes say so.
func (d *Daemon) LastBuild(ctx context.Context, q Query) (*record.Record, error) {
	var found *record.Record
	var from *build
	err := d.ask(ctx, func(ctx context.Context, c *conn) error {
		builds, err := c.history(ctx)
		if err != nil {
			return err
		}
		var own []*build
		for _, r := range builds[:min(maxLook, len(builds))] {
			if b := d.match(ctx, c, r, q); b != nil {
				own = append(own, b)
			}
		}
		if len(own) == 0 {
			return ctx.Err()
		}
		b := own[0]
		if i := slices.IndexFunc(own, func(b *build) bool { return b.wanted(q) }); i >= 0 {
			b = own[i]
		}
		found, from = b.record(q, d), b
		found.Costs = c.costs(ctx, b, own)
		return nil
	})
	if err != nil || found == nil {
		return nil, err
	}
	if found.Context, err = d.contextAt(ctx, q, from, q.ContextDir); err != nil {
		return nil, err
	}
	for name := range found.Contexts {
		named := record.NamedContext{Dir: q.Contexts[name]}
		if named.Tree, err = d.contextAt(ctx, q, from, named.Dir); err != nil {
			return nil, err
		}
		found.Contexts[name] = named
	}
	return found, nil
}

func sortByEnd(builds []*controlapi.BuildHistoryRecord) {
	slices.SortStableFunc(builds, func(a, b *controlapi.BuildHistoryRecord) int {
		return b.CompletedAt.AsTime().Compare(a.CompletedAt.AsTime())
	})
}

// build is a record of the history that is the wanted Dockerfile's.
type build struct {
	*controlapi.BuildHistoryRecord
	*provenance
	text    string
	assumed bool // nothing tells where its files came from
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
	b := &build{BuildHistoryRecord: r, provenance: p, text: text}
	if known {
		return b
	}
	if filepath.Base(name) != filepath.Base(q.Dockerfile) || !likely(q.Dockerfile, text, r.CreatedAt.AsTime()) {
		return nil
	}
	if where, ok := c.buildctlPlace(ctx, r); ok {
		if !mayBe(where.context, q.ContextDir) || !mayBe(where.dockerfile, filepath.Dir(q.Dockerfile)) && !mayBe(where.dockerfile, q.ContextDir) {
			return nil
		}
		b.assumed = !filepath.IsAbs(where.context)
		return b
	}
	b.assumed = true
	return b
}

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

// likely reports whether the Dockerfile may have had this text at a time.
func likely(dockerfile, text string, when time.Time) bool {
	now, err := os.ReadFile(dockerfile)
	if err != nil {
		return false
	}
	if string(now) == text {
		return true
	}
	if info, err := os.Stat(dockerfile); err != nil || info.ModTime().Before(when) {
		return false
	}
	return similar(string(now), text)
}

// similar reports whether two Dockerfiles have at least half of their lines in common.
func similar(a, b string) bool {
	lines := func(text string) map[string]bool {
		out := map[string]bool{}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				out[line] = true
			}
		}
		return out
	}
	x, y := lines(a), lines(b)
	common := 0
	for line := range x {
		if y[line] {
			common++
		}
	}
	return 2*common >= max(len(x), len(y)) && common > 0
}

// buildctlPlace is what the command line of buildctl says, which is part of the trace of a build
// (cmd/buildctl/common.AttachAppContext): its paths may be relative.
func (c *conn) buildctlPlace(ctx context.Context, r *controlapi.BuildHistoryRecord) (place, bool) {
	if r.Trace == nil {
		return place{}, false
	}
	data, err := c.blob(ctx, r.Trace.Digest)
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
			if a.Key == "command" && ok {
				return localDirs(words)
			}
		}
	}
}

func localDirs(words []any) (place, bool) {
	var p place
	for i, w := range words {
		s, _ := w.(string)
		value, ok := strings.CutPrefix(s, "--local=")
		if s == "--local" && i+1 < len(words) {
			value, ok = words[i+1].(string)
		}
		if !ok {
			continue
		}
		if dir, is := strings.CutPrefix(value, "context="); is {
			p.context = dir
		}
		if dir, is := strings.CutPrefix(value, "dockerfile="); is {
			p.dockerfile = dir
		}
	}
	return p, p.context != "" && p.dockerfile != ""
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
		r.Notes = append(r.Notes, fmt.Sprintf("the build of %s in the history of %s does not tell its folder; it is taken to be this one",
			r.When.Local().Format(time.DateTime), d))
	}
	return r
}

// namedContext notes a --build-context. Where a local one was is not known.
func (b *build) namedContext(r *record.Record, name, value string) {
	name, _, _ = strings.Cut(name, "::")
	switch {
	case strings.HasPrefix(value, "local:"):
		r.Contexts[name] = record.NamedContext{}
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

// contextAt is a build context as it was when the build began, nil if it sent none.
func (d *Daemon) contextAt(ctx context.Context, q Query, b *build, dir string) (*buildcontext.Tree, error) {
	began := d.began(b)
	if q.ContextAt != nil && dir == q.ContextDir {
		if tree := q.ContextAt(began); tree != nil {
			return tree, nil
		}
	}
	if dir == "" || ledElsewhere(dir, began) {
		return buildcontext.Unknown(), nil
	}
	options := disk.Options{CacheDir: q.CacheDir, Dated: true}
	texts := map[string]string{}
	if dir == q.ContextDir {
		if patterns, ok := b.excludes(); ok {
			ignore, err := buildcontext.NewIgnore("", patterns)
			if err != nil {
				return buildcontext.Unknown(), nil
			}
			options.Ignore = ignore
		}
		if rel, err := filepath.Rel(dir, q.Dockerfile); err == nil && filepath.IsLocal(rel) {
			texts[filepath.ToSlash(rel)] = b.text
		}
	}
	tree, err := disk.Scan(ctx, dir, q.Dockerfile, options)
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
