package workspace

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
)

// SumUp counts for people which steps the next build takes from the cache and where it begins to run others: "5 of 7
// cached · rebuilds from line 9 · about 48 s". It is "" where no step makes a layer.
func SumUp(steps []cachemodel.Step) string {
	sum := cachemodel.Summarize(steps)
	all := sum.Cached + sum.Rebuilt
	var parts []string
	switch {
	case all+sum.Fails == 0:
		return ""
	case sum.Cached == 1 && all+sum.Fails == 1:
		return "cached"
	case sum.Cached == all && sum.Fails == 0:
		return fmt.Sprintf("all %d cached", sum.Cached)
	case sum.Cached == 0:
		parts = append(parts, "nothing cached")
	default:
		parts = append(parts, fmt.Sprintf("%d of %d cached", sum.Cached, all))
	}
	parts = append(parts, Begins(steps)...)
	if time := cachemodel.RebuildTime(steps); time != "" {
		parts = append(parts, time)
	}
	return strings.Join(parts, " · ")
}

// Begins says for people at which line a build begins to run steps, and at which it fails.
func Begins(steps []cachemodel.Step) (parts []string) {
	first, perhaps, fails := 0, 0, 0
	for _, s := range steps {
		switch {
		case s.Status == cachemodel.Fails:
			fails = least(fails, s.Line)
		case s.Status == cachemodel.Rebuilt && s.Certain:
			first = least(first, s.Line)
		case s.Status == cachemodel.Rebuilt:
			perhaps = least(perhaps, s.Line)
		}
	}
	if fails > 0 {
		parts = append(parts, fmt.Sprintf("the build fails at line %d", fails))
	}
	switch {
	case first > 0 && perhaps > 0 && perhaps < first:
		parts = append(parts, fmt.Sprintf("rebuilds from line %d, maybe from line %d", first, perhaps))
	case first > 0:
		parts = append(parts, fmt.Sprintf("rebuilds from line %d", first))
	case perhaps > 0:
		parts = append(parts, fmt.Sprintf("maybe rebuilds from line %d", perhaps))
	}
	return parts
}

// least is the smaller of two lines, where 0 is none.
func least(a, b int) int {
	if a == 0 || b < a {
		return b
	}
	return a
}
