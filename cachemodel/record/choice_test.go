package record

import (
	"os"
	"path/filepath"
	"testing"
)

func TestChoices(t *testing.T) {
	dir := t.TempDir()
	s, other := NewStore(dir), NewStore(dir)
	const file = "/w/Dockerfile"
	if got := s.Choice(file, "baseline"); got != "" {
		t.Errorf("nothing was chosen, but %q", got)
	}
	for _, c := range [][2]string{{"baseline", "git:main"}, {"build", "compose:web"}, {"baseline", "opened"}} {
		if err := s.Choose(file, c[0], c[1]); err != nil {
			t.Fatal(err)
		}
	}
	if a, b, c := other.Choice(file, "baseline"), other.Choice(file, "build"), other.Choice("/w/x/Dockerfile",
		"build"); a != "opened" ||
		b != "compose:web" ||
		c != "" {
		t.Errorf("got %q, %q, %q", a, b, c)
	}
	if err := s.Choose(file, "baseline", ""); err != nil || s.Choice(file, "baseline") != "" ||
		s.Choice(file, "build") == "" {
		t.Errorf("forgetting one choice: %v", err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, choices, "*"))
	if err := os.WriteFile(files[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.Choice(file, "build"); got != "" {
		t.Errorf("a damaged file gives %q", got)
	}
	if err := NewStore("").Choose(file, "build", "x"); err == nil {
		t.Error("there is no place to remember it")
	}
}
