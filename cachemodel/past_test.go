package cachemodel_test

import (
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
)

// What the cache may hold beside what is left of the known builds is not certain to be made again; the rest is.
func TestUnseenResults(t *testing.T) {
	const text = "FROM a\nWORKDIR /src\nCOPY --from=b /f ./g\nRUN make all\n"
	plan := func() *cachemodel.Plan {
		return cachemodel.NewPlan(cachemodel.Build{File: dockerfile.Parse(source.New(text), nil)})
	}
	tests := []struct {
		about   string
		unseen  cachemodel.Unseen
		certain [3]bool // of lines 2 to 4
	}{
		{"there is nothing", cachemodel.Unseen{}, [3]bool{true, true, true}},
		{"nobody knows", cachemodel.Unseen{Anything: true}, [3]bool{false, false, false}},
		{"the command", cachemodel.Unseen{Commands: []string{"/bin/sh -c make all"}}, [3]bool{true, true, false}},
		{"another command", cachemodel.Unseen{Commands: []string{"/bin/sh -c make"}}, [3]bool{true, true, true}},
		{"a copy to the place", cachemodel.Unseen{Files: []string{"/src/g"}}, [3]bool{true, false, true}},
		{"a copy to a relative place", cachemodel.Unseen{Files: []string{"./g"}}, [3]bool{true, false, true}},
		{"a copy to somewhere", cachemodel.Unseen{Files: []string{"$X"}}, [3]bool{true, false, true}},
		{"a copy into the directory", cachemodel.Unseen{Files: []string{"."}}, [3]bool{true, false, true}},
		{"a copy to elsewhere", cachemodel.Unseen{Files: []string{"/g", "/src/gg", "h"}}, [3]bool{true, true, true}},
		{"the directory", cachemodel.Unseen{Directories: []string{"src/"}}, [3]bool{false, true, true}},
		{"another directory", cachemodel.Unseen{Directories: []string{"/srv"}}, [3]bool{true, true, true}},
		{"something else", cachemodel.Unseen{Other: true}, [3]bool{false, true, true}},
	}
	for _, test := range tests {
		test.unseen.Reason = "Why."
		for i, s := range cachemodel.Hold(nil).WithUnseen(test.unseen).Compare(plan())[1:] {
			if s.Status != cachemodel.Rebuilt || s.Certain != test.certain[i] {
				t.Errorf("%s: line %d is %s, certain %v", test.about, s.Line, s.Status, s.Certain)
			}
			if !s.Certain && s.Cause.Detail != "Why." {
				t.Errorf("%s: line %d: %+v", test.about, s.Line, s.Cause)
			}
		}
	}
}

// Of several builds with one key, what one of them has is there for all.
func TestOneResultIsEnough(t *testing.T) {
	plan := cachemodel.NewPlan(cachemodel.Build{File: dockerfile.Parse(source.New("FROM a\nRUN b\n"), nil)})
	word := func(p cachemodel.Presence) cachemodel.Past {
		return cachemodel.Past{Plan: plan, Results: map[int]cachemodel.Result{2: {Presence: p, Reason: "Why."}}}
	}
	tests := []struct {
		older, newer cachemodel.Presence
		want         cachemodel.Status
		certain      bool
	}{
		{cachemodel.There, cachemodel.Perhaps, cachemodel.Cached, true},
		{cachemodel.There, cachemodel.Gone, cachemodel.Cached, true},
		{cachemodel.Perhaps, cachemodel.There, cachemodel.Cached, true},
		{cachemodel.Gone, cachemodel.There, cachemodel.Cached, true},
		{cachemodel.Gone, cachemodel.Perhaps, cachemodel.Rebuilt, false},
		{cachemodel.Perhaps, cachemodel.Gone, cachemodel.Rebuilt, true},
	}
	for _, test := range tests {
		s := cachemodel.Compare([]cachemodel.Past{word(test.older), word(test.newer)}, plan)[1]
		if s.Status != test.want || s.Certain != test.certain {
			t.Errorf("%v, then %v: %s, certain %v", test.older, test.newer, s.Status, s.Certain)
		}
	}
}
