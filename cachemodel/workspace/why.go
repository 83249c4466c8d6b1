package workspace

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Why says of a build that was made what it took from the cache, and why it ran the rest, as
// `layerwise why --format json` gives it.
type Why struct {
	File   string     `json:"file"`
	Build  WhyBuild   `json:"build"`
	Before []WhyBuild `json:"before"` // the builds that it is compared with, the newest first
	Steps  []WhyStep  `json:"steps"`  // one per instruction, in file order
	// Hits and Ran count the steps of which it is known, Unknown the others.
	Hits    int `json:"hits"`
	Ran     int `json:"ran"`
	Unknown int `json:"unknown"`
	Broken  int `json:"broken"` // of which what predict would have said was wrong
	// Seconds are what the steps took that ran, as far as that is known.
	Seconds *float64 `json:"seconds,omitempty"`
	// Text is the Dockerfile as it was built.
	Text string `json:"-"`
}

// WhyBuild is a build that was made.
type WhyBuild struct {
	ID         string    `json:"id"`            // of the record, "" if it is in the builder's history only
	Ref        string    `json:"ref,omitempty"` // in the builder's history
	When       time.Time `json:"when"`
	Tool       string    `json:"tool"`
	Dockerfile string    `json:"dockerfile"`
	Label      string    `json:"-"` // for people
}

// WhyStep is what became of an instruction. The verdict and its cause are those that predict would have given before
// the build.
type WhyStep struct {
	cachemodel.Step
	Hit  *bool `json:"hit,omitempty"`  // it was taken from the cache; absent if that is not known
	Kept *bool `json:"kept,omitempty"` // the verdict was right; absent if it promised nothing or this is not known
}

// Latest names the last build that did not fail.
const Latest = "latest"

// Why explains a build that the builder is known to have made: Latest, or one by its id on record or its reference in
// the builder's history. The build must have been found with the baseline "recorded".
func (b *Build) Why(file, which string, store *record.Store) (*Why, error) {
	at := -1
	for i, c := range b.Compared.made { // the last first
		r := c.Record
		if at < 0 && r != nil && !c.Other() && (which == Latest && c.FailedAt == 0 || which == r.ID && r.ID != "" ||
			r.Ref != "" && (which == r.Ref || strings.HasSuffix(r.Ref, "/"+which))) {
			at = i
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("%q is none of the %d builds of this Dockerfile that are known", which,
			len(b.Compared.made))
	}
	target, earlier := b.Compared.made[at], b.Compared.made[at+1:]
	out := &Why{File: file, Build: whyBuild(target.Record), Before: []WhyBuild{}, Text: target.File.Text.String()}
	for _, c := range earlier {
		out.Before = append(out.Before, whyBuild(c.Record))
	}
	verdicts := b.whyVerdicts(target, earlier, store)
	causes := verdicts
	if own := slices.DeleteFunc(slices.Clone(earlier), (*baseline.Contents).Other); len(own) < len(earlier) {
		causes = b.whyVerdicts(target, own, store)
	}
	for i, s := range verdicts {
		if !s.Certain && causes[i].Status == cachemodel.Rebuilt { // what others made cannot be what was edited here
			s.Cause = causes[i].Cause
		}
		out.add(s, target.Record)
	}
	return out, nil
}

// WhyOf explains the newest of builds that were made elsewhere, by the others.
func WhyOf(made []*baseline.Contents, store *record.Store) (*Why, error) {
	slices.SortStableFunc(made, func(a, b *baseline.Contents) int { return b.Record.When.Compare(a.Record.When) })
	b := &Build{Compared: Compared{made: made}}
	why, err := b.Why("", Latest, store)
	if err == nil {
		why.File = filepath.Base(why.Build.Dockerfile)
	}
	return why, err
}

func whyBuild(r *record.Record) WhyBuild {
	return WhyBuild{ID: r.ID, Ref: r.Ref, When: r.When, Tool: r.Tool, Dockerfile: r.Dockerfile, Label: r.Label()}
}

// whyVerdicts are those that predict would have given before a build. What is gone from the cache since was there then.
func (b *Build) whyVerdicts(target *baseline.Contents, earlier []*baseline.Contents, store *record.Store,
) []cachemodel.Step {
	plain := b.Next(nil, nil)
	build := func(c *baseline.Contents) cachemodel.Build {
		made := c.Build(plain, store)
		made.Images = map[string]cachemodel.Image{}
		for ref, image := range c.Record.Images {
			if knownByAll(ref, target, earlier) {
				made.Images[ref] = image
			}
		}
		return made
	}
	var pasts []cachemodel.Past
	for i := range earlier {
		c := earlier[len(earlier)-1-i]
		pasts = append(pasts, cachemodel.Past{Plan: cachemodel.NewPlan(build(c)), FailedAt: c.FailedAt})
	}
	next := build(target)
	next.Settings.NoCache, next.Settings.NoCacheFilter = target.Record.NoCache, target.Record.NoCacheFilter
	return cachemodel.Compare(pasts, cachemodel.NewPlan(next))
}

// knownByAll reports whether of all builds that may use an image it is known which one it was: a name is not compared
// with a digest.
func knownByAll(ref string, target *baseline.Contents, earlier []*baseline.Contents) bool {
	for _, c := range append([]*baseline.Contents{target}, earlier...) {
		if _, ok := c.Record.Images[ref]; !ok {
			return false
		}
	}
	return true
}

// add notes what became of a step.
func (w *Why) add(s cachemodel.Step, r *record.Record) {
	out := WhyStep{Step: s}
	out.Seconds, out.Bytes, out.Shared = nil, nil, false
	if cost, ok := r.Costs[s.Line]; ok {
		out.Seconds, out.Bytes, out.Shared = cost.Seconds, cost.Bytes, cost.Shared
	}
	hit, known := r.Hits[s.Line]
	judged := s.Status == cachemodel.Cached || s.Status == cachemodel.Rebuilt
	switch {
	case known && judged:
		out.Hit = &hit
		if s.Status == cachemodel.Cached || s.Certain && len(w.Before) > 0 && s.Detail != cachemodel.LinkedAnew {
			kept := hit == (s.Status == cachemodel.Cached)
			if out.Kept = &kept; !kept {
				w.Broken++
			}
		}
		if hit {
			w.Hits++
			break
		}
		if w.Ran++; out.Seconds != nil {
			sum := *out.Seconds
			if w.Seconds != nil {
				sum += *w.Seconds
			}
			w.Seconds = &sum
		}
	case judged && s.Instruction != "FROM": // nothing runs there
		w.Unknown++
	}
	w.Steps = append(w.Steps, out)
}
