package gittree

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// BenchmarkLoad reads HEAD with nothing changed and digests it, without and with attributes, beside git status.
func BenchmarkLoad(b *testing.B) {
	for _, files := range []int{1_000, 10_000, 100_000} {
		for _, attributes := range []string{"", "* text=auto\n"} {
			b.Run(fmt.Sprintf("%d/attributes=%t", files, attributes != ""), func(b *testing.B) {
				r := newRepo(b)
				r.git("config", "gc.auto", "0")
				r.git("config", "maintenance.auto", "false")
				if attributes != "" {
					r.write(".gitattributes", attributes, 0o644)
				}
				for i := range files {
					r.write(fmt.Sprintf("pkg%03d/dir%03d/file%d.go", i/2500, i/25, i), fmt.Sprint(i), 0o644)
				}
				r.commit()
				worktree, err := disk.Scan(b.Context(), r.dir, "", disk.Options{})
				if err != nil {
					b.Fatal(err)
				}
				var status time.Duration
				for b.Loop() {
					tree, err := Load(b.Context(), r.dir, "HEAD", filepath.Join(r.dir, "Dockerfile"), worktree)
					if err != nil {
						b.Fatal(err)
					}
					sum(b, tree)
					b.StopTimer()
					start := time.Now()
					r.git("status", "--porcelain")
					status += time.Since(start)
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed())/float64(status), "git-status/op")
			})
		}
	}
}
