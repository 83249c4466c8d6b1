//go:build linux

package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

const benchIgnore = ".git\nnode_modules\n**/*.log\n!keep.log\n"

func project(b *testing.B, files int) string {
	b.Helper()
	dir := b.TempDir()
	text := make([]byte, 2000)
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprintf("pkg%03d/dir%03d", i/2500, i/25))
		if i%25 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		copy(text, fmt.Sprintf("file %d\n", i))
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("file%d.go", i)), text, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte(benchIgnore), 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkScan reads a context and digests all of it, cold and with what an earlier run left, beside the walk of
// BuildKit's client over the same files, which reads no contents.
func BenchmarkScan(b *testing.B) {
	for _, files := range []int{1_000, 10_000, 100_000} {
		dir := project(b, files)
		opts := disk.Options{CacheDir: b.TempDir()}
		scan := func(opts disk.Options) *disk.Dir {
			d, err := disk.Open(context.Background(), dir, "", opts)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := d.Tree().Digest(buildcontext.Query{Path: "/"}); err != nil {
				b.Fatal(err)
			}
			return d
		}
		time.Sleep(200 * time.Millisecond) // too young files are not remembered
		if err := scan(opts).Save(); err != nil {
			b.Fatal(err)
		}
		for name, opts := range map[string]disk.Options{"cold": {}, "warm": opts} {
			b.Run(fmt.Sprintf("%s/%d", name, files), func(b *testing.B) {
				var theirs time.Duration
				for b.Loop() {
					scan(opts)
					b.StopTimer()
					start := time.Now()
					if _, err := walk(context.Background(), dir, benchIgnore); err != nil {
						b.Fatal(err)
					}
					theirs += time.Since(start)
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed())/float64(theirs), "buildkit-walk/op")
			})
		}
	}
}
