package buildcontext

import (
	"errors"
	"testing"
	"time"
)

// What a journal knows of a time: the looks are at 10, 20 and 30 seconds and take one second each; a build began in
// between.
func TestJournal(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }
	one := tree(t, "a=1\nb=1")
	edited := NewTree(
		NewNode("", one.root.meta, []*Node{one.root.Child("a"), tree(t, "b=2").root.Child("b")}),
		nil,
		nil,
		nil,
	)
	tests := []struct {
		about       string
		second      *Tree
		whole       bool
		when        float64
		none        bool
		unknown, is string
	}{
		{"before the first look nothing is known", one, true, 5, true, "", ""},
		{"during it neither", one, true, 10.5, true, "", ""},
		{"what was the same before and after is known", one, true, 15, false, "", "a"},
		{"what was not is unknown", edited, true, 15, false, "b", "a"},
		{"during a look nothing is sure but what the next one sees too", edited, true, 20.5, false, "b", "a"},
		{"a look at a part does not tell of the rest", edited, false, 15, false, "b", "a"},
		{"after it, the next one does", edited, false, 25, false, "", "b"},
		{"after the last look nothing is known", one, true, 35, true, "", ""},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			var j Journal
			j.Add(at(10), at(11), true, one)
			j.Add(at(20), at(21), test.whole, test.second)
			j.Add(at(30), at(31), true, test.second)
			got := j.At(at(test.when))
			if (got == nil) != test.none {
				t.Fatalf("known: %v", got != nil)
			}
			if test.unknown != "" {
				if _, err := got.Digest(Query{Path: "/" + test.unknown}); !errors.Is(err, ErrUnknown) {
					t.Errorf("%s: %v", test.unknown, err)
				}
			}
			if test.is != "" {
				if _, err := got.Digest(Query{Path: "/" + test.is}); err != nil {
					t.Errorf("%s: %v", test.is, err)
				}
			}
		})
	}
	t.Run("contents that were read too late are not known", func(t *testing.T) {
		late := tree(t, "a=1\nb=1")
		late.root.Child("a").Doubt()
		var j Journal
		j.Add(at(10), at(11), true, late)
		j.Add(at(20), at(21), true, late)
		if _, err := j.At(at(15)).Digest(Query{Path: "/a"}); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
	t.Run("a journal is bounded, and remembers the first and last of equal looks", func(t *testing.T) {
		var j Journal
		for i := range 1000 {
			j.Add(at(float64(10*i)), at(float64(10*i+1)), true, one)
		}
		if len(j.looks) != 2 || j.At(at(5000)) == nil {
			t.Errorf("%d looks", len(j.looks))
		}
		for i := range 1000 {
			j.Add(at(float64(10000+10*i)), at(float64(10000+10*i+1)), true, []*Tree{one, edited}[i%2])
		}
		if len(j.looks) != maxLooks {
			t.Errorf("%d looks", len(j.looks))
		}
	})
}
