package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
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
	var found []*remotecache.Config
	var labels, notes []string
	for _, c := range pipeline.Caches(list) {
		read, err := cachestore.Read(ctx, cachestore.Source{Type: c.Type, Attr: c.Attr})
		switch {
		case errors.Is(err, cachestore.ErrNone) || errors.Is(err, cachestore.ErrRefused):
			notes = append(notes, fmt.Sprintf("%s is not imported: %v", c.Text, err))
		case err != nil:
			return nil, fmt.Errorf("--cache-from %s: %w", c.Text, err)
		default:
			found, labels = append(found, read), append(labels, c.Text)
		}
	}
	images := &cachestore.Images{}
	return func(j *judged, q *workspace.Question) error {
		if j.notes = append(j.notes, notes...); len(found) == 0 {
			q.Choices.Cache = cachemodel.NoCacheImport
			return nil
		}
		q.CacheFrom = &workspace.CacheFrom{
			Cache: remotecache.Join(found), Label: strings.Join(labels, " and "), Image: images.Find,
		}
		return nil
	}, nil
}

// cacheFromText says what is not known of a cache that was read, "" if nothing is.
func cacheFromText(r *workspace.Report) string {
	if r.CacheFrom == nil || r.CacheFrom.Matched {
		return ""
	}
	return fmt.Sprintf("What a builder reuses of %s is not known: %s.", r.CacheFrom.Cache, r.CacheFrom.Reason)
}

// ciText says which build of the CI a prediction is about, and what it imports.
func ciText(b *workspace.CIBuild) string {
	cache := "cache " + b.Imported.Mode
	if b.Imported.Mode == "" {
		cache = "cache not known"
	}
	return fmt.Sprintf("In CI (%s, for a %s): %s: %s.", b.At, strings.ReplaceAll(b.Event, "_", " "), cache,
		b.Imported.Reason)
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
