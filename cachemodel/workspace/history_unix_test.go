//go:build unix

package workspace

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Marks and orders ask git once where the repository is, what HEAD stands for and what it is configured to, and leave
// neither a process nor a folder behind.
func TestMarksAndOrdersShareGit(t *testing.T) {
	w := open(t, "-- Dockerfile --\nFROM a\nCOPY . .\nRUN make\n-- a --\n")
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x"}, args...)...)
		cmd.Dir = w.Folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	for i := range leastHistory + 1 {
		if err := os.WriteFile(filepath.Join(w.Folder, "a"), []byte(strconv.Itoa(i)), 0o600); err != nil {
			t.Fatal(err)
		}
		git("add", ".")
		git("commit", "-qm", "x")
	}
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	bin, temp := t.TempDir(), t.TempDir()
	log := filepath.Join(bin, "log")
	script := "#!/bin/sh\necho \"$*\" >>'" + log + "'\nexec '" + real + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("TMPDIR", temp)

	b := ask(t, w, "Dockerfile", Choices{})
	if b.Compared.Baseline.Kind != "git" {
		t.Fatalf("compared with %+v", b.Compared.Baseline)
	}
	for _, commits := range []int{HistoryBuilds, HistoryBuilds / 2} { // the second begins to read again
		if h := b.History(t.Context(), commits, nil); h == nil || h.Builds() != leastHistory {
			t.Errorf("the history is %v", h)
		}
		asked, err := os.ReadFile(log)
		if n := bytes.Count(asked, []byte("\n")); err != nil || n > 7 {
			t.Errorf("%d git processes:\n%s", n, asked)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
