package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/cachestore"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/pflag"
)

// cacheOf reads --cache and --cache-from.
func cacheOf(ctx context.Context, o predictOptions) (adjustment, error) {
	name, compared := o.cache, o.baseline
	if len(o.cacheFrom) > 0 {
		if name != "" {
			return nil, fmt.Errorf("--cache-from and --cache %s exclude each other", name)
		}
		return cacheFrom(ctx, o.cacheFrom)
	}
	if name == "auto" {
		if compared != "" && compared != "auto" {
			return nil, fmt.Errorf("--cache auto and --baseline %s exclude each other", compared)
		}
		return func(_ *judged, q *workspace.Question) error {
			q.Choices.CI = true
			return nil
		}, nil
	}
	mode, err := cachemodel.ParseCacheMode(name)
	if err != nil {
		return nil, fmt.Errorf("--cache: %w, or auto", err)
	}
	return func(_ *judged, q *workspace.Question) error {
		q.Choices.Cache = mode
		return nil
	}, nil
}

// maxCachesFrom bounds how many caches are read.
const maxCachesFrom = 20

// cacheFrom reads the caches that a fresh builder imports.
func cacheFrom(ctx context.Context, list []string) (adjustment, error) {
	if len(list) > maxCachesFrom {
		return nil, fmt.Errorf("--cache-from is given more than %d times", maxCachesFrom)
	}
	read, err := (&cacheReader{}).read(ctx, pipeline.Caches(list))
	if err != nil {
		return nil, fmt.Errorf("--cache-from %w", err)
	}
	return read.adjust, nil
}

// cacheReader reads caches, each once.
type cacheReader struct {
	images cachestore.Images
	found  map[string]*remotecache.Config // by text
	failed map[string]error
}

// readCaches are what a fresh builder imports.
type readCaches struct {
	from  *workspace.CacheFrom // nil if none of them is there
	notes []string             // why one is not imported
}

// adjust asks what a builder has that imports them.
func (r *readCaches) adjust(j *judged, q *workspace.Question) error {
	j.notes = append(j.notes, r.notes...)
	q.Choices.CacheUnknown = ""
	if q.CacheFrom = r.from; r.from == nil {
		q.Choices.Cache = cachemodel.NoCacheImport
	}
	return nil
}

// read reads caches that a builder imports together. It fails where it is not known what is there.
func (r *cacheReader) read(ctx context.Context, list []pipeline.Cache) (*readCaches, error) {
	var found []*remotecache.Config
	var labels []string
	out := &readCaches{}
	for _, c := range list {
		read, err := r.one(ctx, c)
		switch {
		case errors.Is(err, cachestore.ErrNone) || errors.Is(err, cachestore.ErrRefused):
			out.notes = append(out.notes, fmt.Sprintf("%s is not imported: %v", c.Text, err))
		case err != nil:
			return nil, fmt.Errorf("%s: %w", c.Text, err)
		default:
			found, labels = append(found, read), append(labels, c.Text)
		}
	}
	if len(found) > 0 {
		out.from = &workspace.CacheFrom{
			Cache: remotecache.Join(found), Label: strings.Join(labels, " and "), Image: r.images.Find,
		}
	}
	return out, nil
}

func (r *cacheReader) one(ctx context.Context, c pipeline.Cache) (*remotecache.Config, error) {
	if found, ok := r.found[c.Text]; ok {
		return found, r.failed[c.Text]
	}
	if r.found == nil {
		r.found, r.failed = map[string]*remotecache.Config{}, map[string]error{}
	}
	found, err := cachestore.Read(ctx, cachestore.Source{Type: c.Type, Attr: c.Attr})
	r.found[c.Text], r.failed[c.Text] = found, err
	return found, err
}

// inCI reads the caches that a build of the CI imports. It is nil where they are not read, which is noted in the build.
func (r *cacheReader) inCI(ctx context.Context, b *workspace.CIBuild) *readCaches {
	if len(b.From) == 0 || b.Options.NoCache || b.Keeper != "" {
		return nil
	}
	list := slices.Clone(b.From)
	for i := range list {
		c := &list[i]
		if c.Type != "local" && c.Type != "registry" && c.Type != "inline" || !c.Known() {
			b.Imported.Reason += fmt.Sprintf("; %s cannot be read here", c.Text)
			return nil
		}
		if dir := c.Attr["src"]; c.Type == "local" && dir != "" && !filepath.IsAbs(dir) {
			c.Attr = maps.Clone(c.Attr)
			c.Attr["src"] = filepath.Join(b.Root, dir)
		}
	}
	read, err := r.read(ctx, list[:min(len(list), maxCachesFrom)])
	if err != nil {
		b.Imported.Reason += fmt.Sprintf("; it was not read: %v", err)
		return nil
	}
	if read.from == nil {
		b.Imported = pipeline.Imported{Mode: string(cachemodel.NoCacheImport), Reason: strings.Join(read.notes, "; ")}
	}
	return read
}

// cacheFromText says what is not known of a cache that was read, "" if nothing is.
func cacheFromText(r *workspace.Report) string {
	if r.CacheFrom == nil || r.CacheFrom.Matched {
		return ""
	}
	return fmt.Sprintf("What a builder reuses of %s is not known: %s.", r.CacheFrom.Cache, r.CacheFrom.Reason)
}

// ciText says which build of the CI a prediction is about, and what it imports.
func ciText(b *workspace.CIBuild, from *workspace.ReportedCacheFrom) string {
	event := strings.ReplaceAll(b.Event, "_", " ")
	if from != nil {
		return fmt.Sprintf("In CI (%s, for a %s): %s was read: it has %s.", b.At, event, from.Cache,
			plural(from.Records, "record"))
	}
	cache := "cache " + b.Imported.Mode
	if b.Imported.Mode == "" {
		cache = "cache not known"
	}
	return fmt.Sprintf("In CI (%s, for a %s): %s: %s.", b.At, event, cache, b.Imported.Reason)
}

// gateFlags say when a prediction gives exit code 1.
type gateFlags struct {
	failOn     []string
	maxSeconds float64
	given      func(flag string) bool
}

func (g *gateFlags) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&g.failOn, "fail-on", nil,
		"exit with 1 if an instruction that this regular expression matches is certainly rebuilt")
	f.Float64Var(&g.maxSeconds, "max-seconds", 0, `exit with 1 if what is certainly rebuilt takes longer, by the times of
recorded builds`)
	g.given = f.Changed
}

// gates are these flags, read.
type gates struct {
	patterns   []*regexp.Regexp
	maxSeconds float64
	limited    bool
}

func (g *gateFlags) compile() (gates, error) {
	out := gates{maxSeconds: g.maxSeconds, limited: g.given != nil && g.given("max-seconds")}
	for _, pattern := range g.failOn {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return out, fmt.Errorf("--fail-on: %w", err)
		}
		out.patterns = append(out.patterns, re)
	}
	return out, nil
}

// check says with an exit code of 1 what of the predictions is not wanted, and with 2 that this is not known.
func (g gates) check(list []*prediction) error {
	var broken []error
	seconds, unknown := 0.0, ""
	for _, p := range list {
		if p.report == nil {
			continue
		}
		for _, s := range p.report.Steps {
			if s.Status != cachemodel.Rebuilt || !s.Certain {
				continue
			}
			at := fmt.Sprintf("%s:%d: %s", printable(p.report.File), s.Line, printable(truncate(s.Text, 80)))
			for _, re := range g.patterns {
				if re.MatchString(s.Text) {
					broken = append(broken, fmt.Errorf("%s is rebuilt, which --fail-on %s forbids", at, re))
				}
			}
			if s.Seconds != nil {
				seconds += *s.Seconds
			} else if unknown == "" {
				unknown = at
			}
		}
	}
	if g.limited && seconds > g.maxSeconds {
		broken = append(broken, fmt.Errorf("what is rebuilt takes about %s, more than --max-seconds %g",
			cachemodel.DurationText(seconds), g.maxSeconds))
	} else if g.limited && unknown != "" && len(broken) == 0 {
		return exitError{2, fmt.Errorf("--max-seconds: how long it takes is on no record: %s", unknown)}
	}
	if len(broken) > 0 {
		return exitError{1, errors.Join(broken...)}
	}
	return nil
}
