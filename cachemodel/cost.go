package cachemodel

import (
	"fmt"
	"math"
)

// RebuildTime says for people how long the steps that are rebuilt take: "about 48 s", or "48 s and more" where some of
// them are not known; "" where nothing is.
func RebuildTime(steps []Step) string {
	total, known, rebuilt := 0.0, 0, 0
	for _, s := range steps {
		if s.Status != Rebuilt {
			continue
		}
		rebuilt++
		if s.Seconds != nil {
			total += *s.Seconds
			known++
		}
	}
	switch {
	case known == 0:
		return ""
	case known < rebuilt:
		return DurationText(total) + " and more"
	}
	return "about " + DurationText(total)
}

// DurationText says a duration, in seconds, as precisely as one plans by.
func DurationText(s float64) string {
	switch {
	case s < 9.95:
		return fmt.Sprintf("%.1f s", s)
	case s < 119.5:
		return fmt.Sprintf("%.0f s", s)
	}
	return fmt.Sprintf("%.0f min", math.Round(s/60))
}

// ByteText says a size as docker does, in powers of ten: "31 MB".
func ByteText(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	size, i := float64(n), 0
	for size >= 999.5 && i < len(units)-1 {
		size, i = size/1000, i+1
	}
	if size < 9.95 && i > 0 {
		return fmt.Sprintf("%.1f %s", size, units[i])
	}
	return fmt.Sprintf("%.0f %s", size, units[i])
}

// fillCosts gives the steps that run, or would, what they took in the newest of the bases that knows it.
func fillCosts(steps []Step, bases []*Plan, next *Plan, why *explainer) {
	for i := len(bases) - 1; i >= 0; i-- {
		base := bases[i]
		if len(base.build.Costs) == 0 {
			continue
		}
		mates := why.mates
		if base != why.base {
			mates, _ = align(base, next)
		}
		for j, s := range next.steps {
			out := &steps[j]
			if out.Status != Cached && out.Status != Rebuilt {
				continue
			}
			if cost, ok := costOf(base, s, mates[j]); ok {
				if out.Seconds == nil {
					out.Seconds = cost.Seconds
				}
				if out.Bytes == nil {
					out.Bytes, out.Shared = cost.Bytes, cost.Shared
				}
			}
		}
	}
}

// costOf is what a step's mate took. One that was edited is likely to take about as long.
func costOf(base *Plan, s, mate *step) (Cost, bool) {
	if mate == nil || mate.instruction() != s.instruction() {
		return Cost{}, false
	}
	cost, ok := base.build.Costs[mate.in.Line]
	return cost, ok
}

// CarryCosts returns the costs of a build's steps: its own, and for steps whose cost it does not know, because they
// were taken from the cache, those of the same instruction in an earlier build.
func CarryCosts(earlier, build Build) map[int]Cost {
	out := map[int]Cost{}
	for line, cost := range build.Costs {
		out[line] = cost
	}
	if len(earlier.Costs) == 0 {
		return out
	}
	before, now := NewPlan(earlier), NewPlan(build)
	mates, _ := align(before, now)
	for i, s := range now.steps {
		mate := mates[i]
		if mate == nil || mate.source() != s.source() {
			continue
		}
		if old, ok := costOf(before, s, mate); ok {
			cost := out[s.in.Line]
			if cost.Seconds == nil {
				cost.Seconds = old.Seconds
			}
			if cost.Bytes == nil {
				cost.Bytes, cost.Shared = old.Bytes, old.Shared
			}
			out[s.in.Line] = cost
		}
	}
	return out
}
