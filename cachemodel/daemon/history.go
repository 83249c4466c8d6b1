package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/invocation"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	controlapi "github.com/moby/buildkit/api/services/control"
)

// Query says of which Dockerfile builds are wanted.
//
// A record of another project's files is never taken for one of this Dockerfile. buildx notes the absolute paths of a
// build's Dockerfile and context: the former must be the query's. Of a build by buildctl its command line is known,
// some seconds after its end, and must agree. Where it has relative paths, and of any other build, nothing tells
// where the files came from. Such builds count only if there are no others, and if they are of a Dockerfile of this
// name and very text, or, if the file has been edited since, of the text that is most like it and has half of its
// lines; and nothing is taken to be known of their build contexts.
type Query struct {
	Dockerfile string            // absolute path
	ContextDir string            // absolute path
	Engine     cachemodel.Engine // "" is BuildKit
	Target     string            // of several targets that were built this one is preferred; likewise the platform
	Platform   string
	Contexts   map[string]string // folders of named contexts, for builds of which is not known where those were
	CacheDir   string            // see disk.Options
	// Journal is what was seen of the build context; nil if nobody looked. Without it only the files' stamps tell.
	Journal *buildcontext.Journal
}

// maxLook is how many builds are looked at: BuildKit keeps all of the last two days.
const maxLook = 200

func sortByEnd(builds []*controlapi.BuildHistoryRecord) {
	slices.SortStableFunc(builds, func(a, b *controlapi.BuildHistoryRecord) int {
		return b.CompletedAt.AsTime().Compare(a.CompletedAt.AsTime())
	})
}

// build is a build of the history.
type build struct {
	*controlapi.BuildHistoryRecord
	*provenance                   // nil if it failed
	text        string            // of the Dockerfile
	contextDir  string            // "" if it is not known
	failedAt    int               // the line at which it failed; 0 if it did not
	locals      map[string]string // absolute folders that were sent, as far as the build tells, by their names
	named       map[string]string // the names under which the named contexts were sent
	assumed     bool              // nothing tells where its files came from
	likeness    float64           // of the text to the file's; sure if it is one of that file
	shared      int               // how many different lines both have

	ignoreFile int64                     // bytes that were sent of an ignore file
	results    map[int]cachemodel.Result // see cachemodel.Past
	perhaps    string
	configs    configs // of the images that it read
	costs      map[int]cachemodel.Cost
	hits       map[int]bool // see record.Record
}

// read reads a build of a Dockerfile, and what that was called; nil if it is of something else.
func (c *conn) read(ctx context.Context, r *controlapi.BuildHistoryRecord, wanted string) (b *build, name string) {
	b = &build{BuildHistoryRecord: r, named: map[string]string{}}
	if r.Error != nil {
		f, ok := c.failure(ctx, r)
		if !ok {
			return nil, ""
		}
		b.text, b.failedAt = f.text, f.line
		return b, f.filename
	}
	all, err := c.provenances(ctx, r)
	if err != nil {
		return nil, ""
	}
	b.provenance = platform(all, wanted)
	if b.BuildDefinition.ExternalParameters.ConfigSource.URI != "" {
		return nil, "" // its context was a repository
	}
	var ok bool
	if name, b.text, ok = b.dockerfile(); !ok {
		return nil, ""
	}
	return b, name
}

// match reads a build that may be one of the wanted Dockerfile; nil if it is of something else.
func (d *Daemon) match(ctx context.Context, c *conn, r *controlapi.BuildHistoryRecord, q Query) *build {
	b, name := c.read(ctx, r, q.Platform)
	if b == nil {
		return nil
	}
	b.compare(q, name)
	where, known := buildxPlace(d.places, r.Ref)
	if known {
		b.contextDir = where.context
		if samePath(where.dockerfile, q.Dockerfile) {
			b.likeness = sure
		} else {
			b.likeness = 0
		}
		return b
	}
	if where, ok := c.buildctlPlace(ctx, b); ok {
		mayFile := mayBe(where.dockerfile, filepath.Dir(q.Dockerfile)) || mayBe(where.dockerfile, q.ContextDir)
		switch {
		case !mayBe(where.context, q.ContextDir) || !mayFile || filepath.Base(name) != filepath.Base(q.Dockerfile):
			b.likeness = 0
			return b
		case filepath.IsAbs(where.context) && filepath.IsAbs(where.dockerfile):
			b.contextDir, b.likeness = q.ContextDir, sure
			return b
		}
	}
	b.contextDir, b.assumed = q.ContextDir, true
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

// mayBe reports whether a path as it was given on a command line, perhaps relative to an unknown folder, may be this
// one.
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

// compare says how like the build's text is to the Dockerfile: 1 if it is the same, 0 if it cannot be an earlier one.
func (b *build) compare(q Query, name string) {
	now, err := textfile.Read(q.Dockerfile)
	if err != nil {
		return
	}
	x, y := lines(string(now)), lines(b.text)
	for line := range x {
		if y[line] {
			b.shared++
		}
	}
	if filepath.Base(name) != filepath.Base(q.Dockerfile) {
		return
	}
	if string(now) == b.text {
		b.likeness = 1
		return
	}
	stamp, _, err := disk.StampOf(q.Dockerfile)
	if err != nil || stamp.ModTime < b.CompletedAt.AsTime().UnixNano() {
		return
	}
	b.likeness = 0.99 * float64(b.shared) / float64(max(len(x), len(y), 1))
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
	if b.provenance == nil {
		maps.Copy(out, b.FrontendAttrs)
		return out
	}
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

// record is what the build tells, without the context and the costs. tool is who remembers it.
func (b *build) record(q Query, tool string) *record.Record {
	r := &record.Record{
		When: b.CompletedAt.AsTime(), Source: record.History, Tool: tool,
		Ref: b.Ref, Dockerfile: q.Dockerfile, Text: b.text, ContextDir: cmp.Or(b.contextDir, q.ContextDir),
		Settings: cachemodel.Settings{Engine: cachemodel.BuildKit, Args: map[string]string{}},
		Contexts: map[string]record.NamedContext{}, Images: map[string]cachemodel.Image{},
		Image: b.Result.GetResults()[0].GetDigest(),
	}
	for _, e := range b.Exporters {
		if name := e.Attrs["name"]; name != "" {
			r.Tags = append(r.Tags, strings.Split(name, ",")...)
		}
	}
	r.Settings.RunSettings = invocation.FrontendSettings(b.options())
	for key, value := range b.options() {
		switch {
		case strings.HasPrefix(key, "build-arg:"):
			r.Settings.Args[strings.TrimPrefix(key, "build-arg:")] = value
		case key == "no-cache" && value == "":
			r.NoCache = true
		case key == "no-cache":
			r.NoCacheFilter = strings.Split(value, ",")
		case key == "target":
			r.Settings.Target = value
		case key == "platform":
			r.Settings.Platform = value
		case strings.HasPrefix(key, "context:"):
			b.namedContext(r, strings.TrimPrefix(key, "context:"), value)
		}
	}
	for _, s := range b.sources() {
		if ref, digest, ok := s.image(); ok && strings.HasPrefix(s.Identifier, "docker-image://") {
			if named, err := reference.ParseNormalizedNamed(ref); err == nil {
				ref = reference.TagNameOnly(named).String()
			}
			if known, ok := r.Images[ref]; !ok || known.Digest == digest {
				r.Images[ref] = b.configs.of(digest)
			}
		}
	}
	if b.assumed {
		r.Notes = append(
			r.Notes,
			fmt.Sprintf(
				"the build of %s in the history of %s does not tell its folder, so it is not known what its files held",
				r.When.Local().Format(time.DateTime),
				tool,
			),
		)
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
			for _, s := range b.sources() {
				if at, d, ok := s.image(); ok && sameImage(at, ref) {
					digest = d
				}
			}
		}
		if digest != "" {
			r.Images[name] = b.configs.of(digest)
		}
	}
}

func sameImage(a, b string) bool {
	x, errX := reference.ParseNormalizedNamed(a)
	y, errY := reference.ParseNormalizedNamed(b)
	return errX == nil && errY == nil && reference.TagNameOnly(x).String() == reference.TagNameOnly(y).String()
}

// began is when the build began, by this machine's clock as far as that is known: nothing of the context was read
// before.
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

// at is a folder, sent under a name, as it was when the build began. texts are the contents that are known.
func (f *folders) at(
	ctx context.Context,
	b *build,
	local, dir string,
	texts map[string]string,
) (*buildcontext.Tree, error) {
	began := f.d.began(b)
	patterns, sent := b.excludes(local)
	if b.provenance == nil && local == mainContext {
		patterns, sent = f.excludes(ctx, b, dir)
	}
	if !sent || b.assumed || dir == "" || ledElsewhere(dir, began) {
		return buildcontext.Unknown(), nil
	}
	key := strings.Join(append([]string{dir}, patterns...), "\x00")
	tree, read := f.read[key]
	if !read {
		ignore, err := buildcontext.NewIgnore("", patterns)
		if err == nil {
			tree, err = disk.Scan(ctx, dir, "", disk.Options{CacheDir: f.q.CacheDir, Dated: true, Ignore: ignore})
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			tree = nil
		}
		f.read[key] = tree
	}
	if tree == nil {
		return buildcontext.Unknown(), nil
	}
	return buildcontext.AsOf(tree, began, texts), nil
}

// excludes are the patterns of the ignore file when a build began that failed: BuildKit does not tell. They are those
// of now, if the file has not changed since, and if the build before or after had the same.
func (f *folders) excludes(ctx context.Context, b *build, dir string) (patterns []string, known bool) {
	now, err := disk.Open(ctx, dir, f.q.Dockerfile, disk.Options{CacheDir: f.q.CacheDir})
	if err != nil {
		return nil, false
	}
	began, there := f.d.began(b), false
	for _, file := range now.IgnoreFiles() {
		stamp, _, err := disk.StampOf(file)
		if err == nil && buildcontext.ChangedSince(stamp, began) {
			return nil, false
		}
		there = there || err == nil
	}
	patterns = now.Tree().Ignore().Patterns()
	if !there && 0 < b.ignoreFile && b.ignoreFile <= nothingSent {
		return nil, true
	}
	i := slices.IndexFunc(f.own, func(other *build) bool { return other.provenance != nil && !other.assumed })
	if i >= 0 {
		if others, sent := f.own[i].excludes(mainContext); sent {
			return patterns, slices.Equal(patterns, others)
		}
	}
	if there {
		return patterns, true
	}
	stamp, _, err := disk.StampOf(dir) // an ignore file may have been deleted
	return patterns, err == nil && !buildcontext.ChangedSince(stamp, began)
}

// nothingSent is how many bytes are sent where there is no ignore file: the packet that ends the transfer.
const nothingSent = 2

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
