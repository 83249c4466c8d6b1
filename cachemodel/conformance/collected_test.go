package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
)

// The builder's own garbage collection removes results by its policy, a second after its start. What is promised
// afterwards holds in the next build.
func TestGarbageCollection(t *testing.T) {
	if what := daemon.Missing(); what != "" {
		t.Skip("NOT COMPARED WITH A REAL BUILDKIT: " + what)
	}
	for _, test := range []struct{ about, policy string }{
		{"what was sent and is not used for a while", "filters = [\"type==source.local\"]\nkeepDuration = 1"},
		{"all that is not used for a while", "all = true\nkeepDuration = 1"},
		{"what is above a size", "all = true\nmaxUsedSpace = %d"},
	} {
		t.Run(test.about, func(t *testing.T) {
			ctx := context.Background()
			r, err := NewReal(ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.Close)
			p, o := newSequence(t, r.images, false, r.daemon), &outcome{}
			now := firstState()
			p.become(t, now)
			p.settle(t)
			p.build(t)
			now.files["a.txt"] = "other"
			p.become(t, now)
			p.settle(t)
			p.build(t)
			before, bytes := r.results(t)
			policy := "[[worker.oci.gcpolicy]]\n" + strings.Replace(test.policy, "%d", fmt.Sprint(bytes-20_000), 1)
			config := filepath.Join(t.TempDir(), "buildkitd.toml")
			if err := os.WriteFile(config, []byte(policy), 0o644); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1200 * time.Millisecond)
			if err := r.daemon.Restart(ctx, "--oci-worker-gc=true", "--config", config); err != nil {
				t.Fatal(err)
			}
			left := before
			for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
				time.Sleep(500 * time.Millisecond)
				now, _ := r.results(t)
				if now == left && now < before {
					break
				}
				left = now
			}
			t.Logf("%d of %d results are left", left, before)
			if left == before {
				t.Fatal("nothing was collected")
			}
			if err := r.daemon.Restart(ctx); err != nil { // which collects nothing more
				t.Fatal(err)
			}
			for _, edited := range []string{"", "package.txt"} {
				if edited != "" {
					now.files[edited] = "new"
					p.become(t, now)
				}
				p.settle(t)
				_, steps := p.predict(t)
				ran, failed := p.build(t)
				o.check(t, "after "+test.about, steps, ran, failed)
			}
			t.Log(o)
			if o.rebuilt+o.cached == 0 {
				t.Error("nothing was promised: this tests nothing")
			}
		})
	}
}

// results is how many results the daemon's cache has, and their bytes.
func (r *Real) results(t *testing.T) (n int, bytes int64) {
	t.Helper()
	usage, err := r.daemon.Client.DiskUsage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range usage {
		bytes += u.Size
	}
	return len(usage), bytes
}
