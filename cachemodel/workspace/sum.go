package workspace

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
)

// SumUp counts for people which steps the next build takes from the cache and where it begins to run others: "5 of 7 cached ·
// rebuilds from line 9 · about 48 s". It is "" where no step makes a layer.
func SumUp(steps []cachemodel.Step) string {
	cached, rebuilt, first, perhaps := 0, 0, 0, 0
	for _, s := range steps {
		switch {
		case s.Status == cachemodel.Cached:
			cached++
		case s.Status == cachemodel.Rebuilt && s.Certain:
			rebuilt++
			first = least(first, s.Line)
		case s.Status == cachemodel.Rebuilt:
			rebuilt++
			perhaps = least(perhaps, s.Line)
		}
	}
	var parts []string
	switch {
	case cached+rebuilt == 0:
		return ""
	case rebuilt == 0:
		return fmt.Sprintf("all %d cached", cached)
	case cached == 0:
		parts = append(parts, "nothing cached")
	default:
		parts = append(parts, fmt.Sprintf("%d of %d cached", cached, cached+rebuilt))
	}
	switch {
	case first == 0:
		parts = append(parts, fmt.Sprintf("perhaps rebuilds from line %d", perhaps))
	case perhaps > 0 && perhaps < first:
		parts = append(parts, fmt.Sprintf("rebuilds from line %d, perhaps from line %d", first, perhaps))
	default:
		parts = append(parts, fmt.Sprintf("rebuilds from line %d", first))
	}
	if time := cachemodel.RebuildTime(steps); time != "" {
		parts = append(parts, time)
	}
	return strings.Join(parts, " · ")
}

// least is the smaller of two lines, where 0 is none.
func least(a, b int) int {
	if a == 0 || b < a {
		return b
	}
	return a
}
