package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/moby/buildkit/client"
)

var exportsFlag = flag.Int("exports", 8,
	"cases for daemons that import a cache, of each mode: -exports 200 is the long run")

// TestExports builds a case, exports its cache, and builds the next of the case on a daemon that has nothing but that.
func TestExports(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	real := startReal(t)
	for _, mode := range []cachemodel.CacheMode{cachemodel.NoCacheImport, cachemodel.MinCache, cachemodel.MaxCache} {
		t.Run(string(mode), func(t *testing.T) { testExports(ctx, t, real, mode, false) })
	}
}

// TestImports is TestExports for predictions that read the cache.
func TestImports(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	real := startReal(t)
	for _, mode := range []cachemodel.CacheMode{cachemodel.MinCache, cachemodel.MaxCache} {
		t.Run(string(mode), func(t *testing.T) { testExports(ctx, t, real, mode, true) })
	}
}

func testExports(ctx context.Context, t *testing.T, real *Real, mode cachemodel.CacheMode, read bool) {
	report := newReport(t)
	hits := &hitCount{}
	for n := range *exportsFlag {
		seed := *seedFlag + 7_000_000 + uint64(n)
		sketches, names := NewGenerator(seed, Limits{Real: true}).Case()
		report.add(seed, sketches, names, func(s []Sketch, tally *Tally) ([]string, error) {
			return runExport(ctx, real, render(s), mode, read, tally, hits)
		})
	}
	report.finish()
	t.Logf("of %d steps that the fresh daemons took from the cache %d were promised, and %d hang on the bytes that a "+
		"stage gives which is built again; %d caches were not matched", hits.real, hits.promised, hits.bytes, hits.unmatched)
	for _, missed := range hits.missed {
		t.Logf("not all hits are promised:\n%s", missed)
	}
}

// hitCount counts the steps that were taken from the cache, and those of them that were promised. bytes are those that
// were not where a stage was built again and gave the same bytes, which only the build can tell; missed are the builds
// with others.
type hitCount struct {
	real, promised, bytes, unmatched int
	missed                           []string
}

// count compares the steps that were predicted with what a fresh daemon did.
func (h *hitCount) count(steps []cachemodel.Step, did Truth, first, next Build) {
	var table strings.Builder
	missed, sameBytes := 0, false
	for _, s := range steps {
		lt, ok := did[s.Line]
		if hit := ok && lt.Executed == 0 && !lt.Unsure; hit {
			h.real++
			if s.Status == cachemodel.Cached {
				h.promised++
			} else {
				missed++
				sameBytes = sameBytes || !s.Certain && s.Cause != nil && s.Cause.Kind == cachemodel.StageRebuilt
			}
		}
		fmt.Fprintf(&table, "%d: %s, here %d ran", s.Line, s.Status, lt.Executed)
		if s.Cause != nil {
			fmt.Fprintf(&table, ": %s: %s", s.Cause.Kind, s.Cause.Detail)
		}
		table.WriteByte('\n')
	}
	switch {
	case sameBytes:
		h.bytes += missed
	case missed > 0:
		h.missed = append(h.missed, fmt.Sprintf("%s\nafter\n%s\nthen\n%s", &table, first.Dockerfile, next.Dockerfile))
	}
}

// runExport builds the first of the builds on one daemon, and the next, for each of the others, on one that imports its
// cache.
func runExport(
	ctx context.Context, real *Real, builds []Build, mode cachemodel.CacheMode, read bool, tally *Tally,
	hits *hitCount,
) (wrong []string, err error) {
	dir, err := writeCache(ctx, real, builds[0], mode)
	if err != nil {
		return nil, err
	}
	for i, b := range builds[1:] {
		did, err := importing(ctx, real, b, dir)
		if err != nil {
			return wrong, fmt.Errorf("build %d: %w", i+1, err)
		}
		images := map[string]cachemodel.Image{}
		different := NewInProcess(Different, 1)
		for _, one := range []Build{builds[0], b} {
			def, known, err := Convert(ctx, one)
			if err != nil {
				return wrong, err
			}
			maps.Copy(images, known)
			most, err := different.Solve(ctx, one, def)
			if err != nil {
				return wrong, err
			}
			for l, lt := range did {
				lt.Keys = most[l].Keys
				did[l] = lt
			}
		}
		different.Close()
		model := &Model{Images: images, Exported: mode}
		if read {
			c, err := readConfig(dir)
			if err != nil {
				return wrong, err
			}
			known, err := real.known()
			if err != nil {
				return wrong, err
			}
			model.Images, model.Exported = known, cachemodel.MaxCache
			model.Imported = &cachemodel.Import{Cache: c, Contents: contentsOf(builds...)}
		}
		if _, err := model.Predict(ctx, builds[0]); err != nil {
			return wrong, err
		}
		steps, err := model.Predict(ctx, b)
		if errors.Is(err, cachemodel.ErrNotMatched) {
			hits.unmatched++
			continue
		}
		if errors.Is(err, ErrPanic) {
			return append(wrong, err.Error()), nil
		}
		if err != nil {
			return wrong, err
		}
		tally.Builds++
		hits.count(steps, did, builds[0], b)
		for _, w := range Check(steps, did, did.Twin, tally) {
			wrong = append(wrong, fmt.Sprintf("build %d: %s", i+1, w))
		}
	}
	return wrong, nil
}

// writeCache builds on a fresh daemon and exports its cache into the folder that it returns, which the caller's test
// removes with real's.
func writeCache(ctx context.Context, real *Real, b Build, mode cachemodel.CacheMode) (string, error) {
	if mode == cachemodel.NoCacheImport {
		return "", nil
	}
	fresh, err := real.Fresh(ctx)
	if err != nil {
		return "", err
	}
	defer fresh.Close()
	dir, err := real.daemon.TempDir()
	if err != nil {
		return "", err
	}
	export := client.CacheOptionsEntry{Type: "local", Attrs: map[string]string{"dest": dir, "mode": string(mode)}}
	_, err = fresh.BuildWith(ctx, b, client.SolveOpt{CacheExports: []client.CacheOptionsEntry{export}})
	return dir, err
}

// importing builds on a fresh daemon that imports the cache in dir, nothing if that is "".
func importing(ctx context.Context, real *Real, b Build, dir string) (Truth, error) {
	fresh, err := real.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	defer fresh.Close()
	var with client.SolveOpt
	if dir != "" {
		with.CacheImports = []client.CacheOptionsEntry{{Type: "local", Attrs: map[string]string{"src": dir}}}
	}
	return fresh.BuildWith(ctx, b, with)
}
