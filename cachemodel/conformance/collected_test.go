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
	"github.com/moby/buildkit/client"
)

// collections are policies of a builder's own garbage collection, %d stands for bytes. A Docker engine has its own
// words for them, and no duration without a filter.
var collections = []struct{ about, buildkitd, engine string }{
	{"what was sent and is not used for a while", "filters = [\"type==source.local\"]\nkeepDuration = 1",
		`"filter": ["type=source.local", "unused-for=1s"]`},
	{"all that is not used for a while", "all = true\nkeepDuration = 1", `"all": true, "filter": ["unused-for=1s"]`},
	{"what is above a size", "all = true\nmaxUsedSpace = %d", `"all": true, "maxUsedSpace": "%d"`},
}

// collect has the builder collect its garbage, which it does a second after its start, and says how many of its results
// are left.
func (p *sequence) collect(t *testing.T, n int) (left, before int) {
	t.Helper()
	ctx, d := context.Background(), p.daemons[0]
	before, bytes := results(t, d)
	name, option, config := "buildkitd.toml", []string{"--oci-worker-gc=true", "--config"},
		"[[worker.oci.gcpolicy]]\n"+collections[n].buildkitd
	if p.engine {
		name, option, config = "daemon.json", []string{"--config-file"},
			`{"builder": {"gc": {"enabled": true, "policy": [{`+collections[n].engine+`}]}}}`
	}
	name = filepath.Join(t.TempDir(), name)
	config = strings.Replace(config, "%d", fmt.Sprint(max(1, bytes-20_000)), 1)
	if err := os.WriteFile(name, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	if err := d.Restart(ctx, append(option, name)...); err != nil {
		t.Fatal(err)
	}
	left = before
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		time.Sleep(500 * time.Millisecond)
		now, _ := results(t, d)
		if now == left && now < before {
			break
		}
		left = now
	}
	if err := d.Restart(ctx); err != nil { // which collects nothing more
		t.Fatal(err)
	}
	return left, before
}

// The builder's own garbage collection removes results by its policy. What is promised afterwards holds in the next
// build.
func TestGarbageCollection(t *testing.T) {
	for _, kind := range []string{"buildkitd", "engine"} {
		t.Run(kind, func(t *testing.T) {
			daemons, images := sequenceDaemons(t, kind)
			for n, policy := range collections {
				t.Run(policy.about, func(t *testing.T) {
					p, o := newSequence(t, images, kind == "engine", daemons...), &outcome{}
					p.prune(t, client.PruneAll)
					now := firstState()
					p.become(t, now)
					p.settle(t)
					p.build(t)
					now.files["a.txt"] = "other"
					p.become(t, now)
					p.settle(t)
					p.build(t)
					left, before := p.collect(t, n)
					t.Logf("%d of %d results are left", left, before)
					if left == before {
						t.Fatal("nothing was collected")
					}
					for _, edited := range []string{"", "package.txt"} {
						if edited != "" {
							now.files[edited] = "new"
							p.become(t, now)
						}
						p.settle(t)
						_, steps := p.predict(t)
						ran, failed := p.build(t)
						o.check(t, "after "+policy.about, steps, ran, failed)
					}
					t.Log(o)
					if o.rebuilt+o.cached == 0 {
						t.Error("nothing was promised: this tests nothing")
					}
				})
			}
		})
	}
}

// results is how many results the daemon's cache has, and their bytes.
func results(t *testing.T, d *daemon.Daemon) (n int, bytes int64) {
	t.Helper()
	usage, err := d.Client.DiskUsage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range usage {
		bytes += u.Size
	}
	return len(usage), bytes
}
