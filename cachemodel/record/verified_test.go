package record

import (
	"testing"
	"time"
)

// A verified reordering is found by both texts and the manifests, and by nothing less.
func TestVerified(t *testing.T) {
	s := NewStore(t.TempDir())
	want := Verified{
		Before:    TextDigest("a"),
		After:     TextDigest("b"),
		Manifests: "m",
		Builder:   "default",
		Time:      time.Unix(1e9, 0).UTC(),
		Files:     3,
	}
	if err := s.SaveVerified(want); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		prose, before, after, manifests string
		found                           bool
	}{
		{"the same", want.Before, want.After, "m", true},
		{"another file", TextDigest("c"), want.After, "m", false},
		{"another order", want.Before, TextDigest("c"), "m", false},
		{"other manifests", want.Before, want.After, "n", false},
	} {
		got, err := s.Verified(test.before, test.after, test.manifests)
		if err != nil || (got != nil) != test.found || test.found && *got != want {
			t.Errorf("%s: %+v, %v", test.prose, got, err)
		}
	}
	if got, err := NewStore("").Verified(want.Before, want.After, "m"); got != nil || err != nil {
		t.Errorf("no folder: %+v, %v", got, err)
	}
}
