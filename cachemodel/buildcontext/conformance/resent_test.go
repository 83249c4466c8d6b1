//go:build linux

package conformance

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// A context that is sent to a store that holds an earlier one is hashed as Resent says. What is unchanged keeps its
// time, and what is changed gets another, else BuildKit would not even send it.
func TestResent(t *testing.T) {
	ctx := context.Background()
	digests := newRelation()
	unnoticed := 0
	for i := range *pairs / 5 {
		r := rand.New(rand.NewPCG(*seed, uint64(i)))
		a := random(r)
		// Whether a file that was sent as a hard link is renewed hangs on a race: fsutil reads the copy while it
		// replaces it, and takes no notice of the link once its other name is gone (stat_unix.go).
		maps.DeleteFunc(a, func(_ string, it item) bool { return it.kind == "hard" })
		b := maps.Clone(a)
		for range 1 + r.IntN(3) {
			b.edit(r)
		}
		tmp := t.TempDir()
		dirA, dirB, dest := filepath.Join(tmp, "a"), filepath.Join(tmp, "b"), filepath.Join(tmp, "to")
		for _, d := range []string{dirA, dirB, dest} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		var trees []*buildcontext.Tree
		for dir, l := range map[string]layout{dirA: a, dirB: b} {
			l.write(t, dir)
			for p, it := range l {
				when := time.Unix(int64(crc32.ChecksumIEEE(fmt.Append(nil, it))), 0)
				if it.kind != "link" && it.kind != "hard" {
					if err := os.Chtimes(filepath.Join(dir, p), when, when); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for _, dir := range []string{dirA, dirB} {
			tree, err := disk.Scan(ctx, dir, "", disk.Options{})
			if err != nil {
				t.Fatal(err)
			}
			trees = append(trees, tree)
		}
		store, err := transfer(ctx, dirA, dest, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(store.entries) == 0 {
			continue
		}
		if _, err := store.digest(ctx,
			buildcontext.Query{Path: "/"}); err != nil { // commits the records, as a daemon does
			t.Fatal(err)
		}
		if err := store.receive(ctx, dirB, dest, ""); err != nil {
			t.Fatal(err)
		}
		if len(store.entries) == 0 {
			continue
		}
		next := buildcontext.Resent(trees[0], trees[1], true)
		if next != trees[1] {
			unnoticed++
		}
		for _, q := range b.queries(r) {
			want, errWant := store.digest(ctx, q)
			got, errGot := next.Digest(q)
			if (errWant == nil) != (errGot == nil) {
				t.Fatalf("seed %d, pair %d, %+v: BuildKit %v, we %v", *seed, i, q, errWant, errGot)
			}
			if errWant != nil {
				continue
			}
			if err := digests.add(q, want, got); err != nil {
				t.Fatalf("seed %d, pair %d, %+v: %v\nwas %v\nis  %v", *seed, i, q, err, a, b)
			}
		}
	}
	t.Logf("%d different digests, %d contexts with an unnoticed change", len(digests.theirs), unnoticed)
}
