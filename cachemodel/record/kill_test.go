//go:build unix

package record

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
)

// putForever is set for the child process that TestKill kills.
const putForever = "LAYERWISE_TEST_PUT_FOREVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(putForever); dir != "" {
		s := NewStore(dir)
		r := &Record{
			Dockerfile: "/w/Dockerfile", Text: strings.Repeat("RUN true\n", 100_000),
			Settings: cachemodel.Settings{Args: map[string]string{"TOKEN": "a secret"}},
		}
		for {
			r.When = time.Now()
			id, err := s.Put(r)
			if err != nil {
				os.Stderr.WriteString(err.Error())
				os.Exit(1)
			}
			os.Stdout.WriteString(id + "\n") // complete from here on
		}
	}
	os.Exit(m.Run())
}

// A process that is killed at any moment while it stores records loses none that was complete, and leaves nothing
// behind that could be taken for one.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	s := NewStore(dir)
	rng := rand.New(rand.NewPCG(3, 4))
	kills, stored := 0, 0
	// A slow machine, or the race detector, needs longer until anything is stored.
	for enough := false; !enough && kills < 200; kills++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), putForever+"="+dir)
		var out, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.IntN(60_000+3_000*kills)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatalf("the child failed: %s", stderr.String())
		}
		records, problems := s.List("")
		if len(problems) > 0 {
			t.Fatalf("after kill %d: %v", kills, problems)
		}
		if ids := strings.Fields(out.String()); len(ids) > 0 {
			stored += len(ids)
			last := ids[len(ids)-1]
			if r, err := s.Get(last); err != nil || !r.When.Equal(records[0].When) && records[1].ID != last {
				t.Fatalf("after kill %d: the record %s, which was complete, is not the last one: %v", kills, last, err)
			}
		}
		for _, r := range records {
			if s.Settings(r, map[string]string{"TOKEN": "a secret"}).Args["TOKEN"] != "a secret" {
				t.Fatalf("after kill %d: the key is another one", kills)
			}
		}
		enough = kills >= 20 && stored >= 3
	}
	if stored == 0 {
		t.Errorf("%d kills and no records: this tests nothing", kills)
	}
	// What the killed processes were writing goes away by itself.
	old := time.Now().Add(-2 * time.Hour)
	left, _ := filepath.Glob(filepath.Join(s.dir, "*"+temporary))
	for _, name := range left {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(&Record{Dockerfile: "/w/Dockerfile"}); err != nil {
		t.Fatal(err)
	}
	if still, _ := filepath.Glob(filepath.Join(s.dir, "*"+temporary)); len(still) > 0 {
		t.Errorf("of %d unfinished files %d are left", len(left), len(still))
	}
	t.Logf("%d kills, %d records stored, %d unfinished files", kills, stored, len(left))
}

// On a disk that is really full.
func TestFullTmpfs(t *testing.T) {
	dir := t.TempDir()
	if err := mountTmpfs(dir); err != nil {
		t.Skipf("SKIPPED: no tmpfs can be mounted: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	s := NewStore(dir)
	r := &Record{Dockerfile: "/w/Dockerfile", Text: strings.Repeat("x", 40_000)}
	stored := 0
	for range 200 {
		r.When = time.Now()
		_, err := s.Put(r)
		if err == nil {
			stored++
			r.Dockerfile += "x" // so that none is forgotten
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) && !strings.Contains(err.Error(), "no space is left for "+s.dir) {
			t.Fatalf("the message is %v", err)
		}
		records, problems := s.List("")
		if len(records) != stored || stored == 0 || len(problems) > 0 {
			t.Fatalf("%d of %d records are there: %v", len(records), stored, problems)
		}
		return
	}
	t.Error("the disk was never full")
}
