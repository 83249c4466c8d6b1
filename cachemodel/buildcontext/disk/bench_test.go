package disk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// project makes a directory of so many files of about 2 kB, 25 in a directory, and as many again in an ignored one.
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
	write(
		b,
		dir,
		map[string]string{".dockerignore": ".git\nnode_modules\n**/*.log\n!keep.log\n", "Dockerfile": "FROM scratch\n"},
	)
	return dir
}

var sizes = []int{1_000, 10_000, 100_000}

var all = buildcontext.Query{Path: "/", FollowLinks: true}

func gitStatus(b *testing.B, dir string) {
	b.Helper()
	cmd := exec.Command("git", "-C", dir, "--no-optional-locks", "status", "--porcelain")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git status: %v\n%s", err, out)
	}
}

// perOp says how many times as long as other one round takes.
func perOp(b *testing.B, other func(), unit string) {
	b.Helper()
	const rounds = 3
	start := time.Now()
	for range rounds {
		other()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(float64(time.Since(start))/rounds), unit)
}

// BenchmarkScan reads a directory and digests all of it: cold without any content id known, warm with those of an
// earlier run, beside git status of the same files.
func BenchmarkScan(b *testing.B) {
	for _, files := range sizes {
		dir := project(b, files)
		for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "gc.auto=0", "-c",
			"maintenance.auto=false", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x"}} {
			if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
				b.Skipf("git %s: %v\n%s", args, err, out)
			}
		}
		opts := Options{CacheDir: b.TempDir()}
		scan := func(opts Options) *Dir {
			d, err := Open(b.Context(), dir, filepath.Join(dir, "Dockerfile"), opts)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := d.Tree().Digest(all); err != nil {
				b.Fatal(err)
			}
			return d
		}
		time.Sleep(200 * time.Millisecond) // too young files are not remembered
		if err := scan(opts).Save(); err != nil {
			b.Fatal(err)
		}
		status := func() { gitStatus(b, dir) }
		b.Run(fmt.Sprintf("cold/%d", files), func(b *testing.B) {
			for b.Loop() {
				scan(Options{})
			}
			perOp(b, status, "git-status/op")
		})
		b.Run(fmt.Sprintf("warm/%d", files), func(b *testing.B) {
			for b.Loop() {
				scan(opts)
			}
			perOp(b, status, "git-status/op")
		})
	}
}

// BenchmarkUpdate is one saved file, and one keystroke in an unsaved one, till the digest of everything is there.
func BenchmarkUpdate(b *testing.B) {
	for _, files := range sizes {
		dir := project(b, files)
		d := open(b, dir)
		digest(b, d.Tree(), "/")
		name := "pkg000/dir003/file77.go"
		b.Run(fmt.Sprintf("save/%d", files), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if err := os.WriteFile(filepath.Join(dir, name), fmt.Append(nil, i), 0o644); err != nil {
					b.Fatal(err)
				}
				tree, changed := d.Update([]string{name})
				if !changed {
					b.Fatal("not seen")
				}
				digest(b, tree, "/")
			}
		})
		b.Run(fmt.Sprintf("type/%d", files), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				digest(b, d.Tree().WithContent(name, fmt.Append(nil, i)), "/")
			}
		})
		b.Run(fmt.Sprintf("exclude/%d", files), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				tree := d.Tree().WithContent(name, fmt.Append(nil, i))
				if _, err := tree.Digest(buildcontext.Query{Path: "/", Exclude: []string{"**/*.md"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("wildcard/%d", files), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				tree := d.Tree().WithContent(name, fmt.Append(nil, i))
				if _, err := tree.Digest(buildcontext.Query{Path: "/*.json", Wildcard: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
