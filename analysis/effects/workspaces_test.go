package effects

import (
	"strings"
	"testing"
)

// Which directories the patterns of a workspace name. The last one never came to an end.
func TestIsMember(t *testing.T) {
	for _, tt := range []struct {
		patterns, dir string
		want          bool
	}{
		{"packages/*", "packages/a", true},
		{"packages/*", "packages/a/b", false},
		{"packages/**", "packages/a/b", true},
		{"packages/* !packages/a", "packages/a", false},
		{"!packages/a packages/*", "packages/a", true},
		{"./apps/web/", "apps/web", true},
		{strings.Repeat("**/", 1000) + "z", "a/b/c/d/e/f", false},
	} {
		if got := isMember(strings.Fields(tt.patterns), tt.dir); got != tt.want {
			t.Errorf("%.40s names %s: %t, want %t", tt.patterns, tt.dir, got, tt.want)
		}
	}
}
