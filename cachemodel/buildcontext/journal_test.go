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
			got := j.at(at(test.when))
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
		if _, err := j.at(at(15)).Digest(Query{Path: "/a"}); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
	t.Run("nor those of a file that may have changed again after that time without another stamp", func(t *testing.T) {
		for before, want := range map[time.Duration]error{time.Millisecond: ErrUnknown, time.Second: nil} {
			young := tree(t, "a=1\nb=1")
			young.root.Child("a").meta.Stamp.ChangeTime = at(15).Add(-before).UnixNano() + 1
			var j Journal
			j.Add(at(10), at(11), true, young)
			j.Add(at(20), at(21), true, young)
			if _, err := j.at(at(15)).Digest(Query{Path: "/a"}); !errors.Is(err, want) {
				t.Errorf("%s before: %v", before, err)
			}
		}
	})
	t.Run("a journal is bounded, and remembers the first and last of equal looks", func(t *testing.T) {
		var j Journal
		for i := range 1000 {
			j.Add(at(float64(10*i)), at(float64(10*i+1)), true, one)
		}
		if len(j.looks) != 2 || j.at(at(5000)) == nil {
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

// What was found out of a build stays known, as long as it could not be known better later.
func TestJournalSent(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	seen, told := tree(t, "a=1"), tree(t, "a=2")
	asked := 0
	stamps := func() (*Tree, error) { asked++; return told, nil }
	tests := []struct {
		about  string
		looks  []int64
		began  int64
		is     *Tree
		stamps int // how often they are asked when the build is asked for twice
	}{
		{"nobody looked: the stamps tell, and did so once", nil, 5, told, 1},
		{"before the first look likewise", []int64{10}, 5, told, 1},
		{"between two looks these tell", []int64{10, 20}, 15, seen, 0},
		{"after the last look the next one may tell more", []int64{10}, 15, told, 2},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			var j Journal
			asked = 0
			for _, look := range test.looks {
				j.Add(at(look), at(look+1), true, seen)
			}
			for range 2 {
				got, err := j.Sent("ref", at(test.began), stamps)
				if err != nil || got.root.Child("a") != test.is.root.Child("a") {
					t.Errorf("another context, %v", err)
				}
			}
			if asked != test.stamps {
				t.Errorf("the stamps were asked %d times, want %d", asked, test.stamps)
			}
		})
	}
}
