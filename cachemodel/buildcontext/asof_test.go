package buildcontext

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What is known of a context at an earlier time. "new" names what has changed since; everything else is older.
func TestAsOf(t *testing.T) {
	const now = "a=1\nb=2\nlink -> a\ndir/x=3\ndir/sub/y=4\nDockerfile=FROM new"
	when := time.Unix(1000, 1)
	tests := []struct {
		about   string
		new     string // paths, "." is the context itself
		query   Query
		unknown bool
	}{
		{"a file that is older is the same", "", Query{Path: "/a"}, false},
		{"a file that changed is not known", "a", Query{Path: "/a"}, true},
		{"another one is", "a", Query{Path: "/b"}, false},
		{"a directory with a changed file is not known", "dir/x", Query{Path: "/dir"}, true},
		{"nor is the whole context", "dir/x", Query{Path: "/"}, true},
		{"an unchanged file beside it is known", "dir/x", Query{Path: "/dir/sub/y"}, false},
		{"something may have been removed from a directory that changed", "dir", Query{Path: "/dir"}, true},
		{"a file that is older was in it nevertheless", "dir", Query{Path: "/dir/x"}, false},
		{"a file that is not there now may have been then", "dir", Query{Path: "/dir/gone"}, true},
		{"or not, if nothing says so", "", Query{Path: "/dir/gone"}, false},
		{
			"a directory that changed in one that did may have been moved there",
			"dir dir/sub",
			Query{Path: "/dir/sub/y"},
			true,
		},
		{"as may one in the context's own folder", ". dir", Query{Path: "/dir/x"}, true},
		{"one that did not change was not", ". dir/x", Query{Path: "/dir/sub/y"}, false},
		{"from the context itself something may have been removed", ".", Query{Path: "/"}, true},
		{"which a pattern would have matched", ".", Query{Path: "/*.txt", Wildcard: true}, true},
		{"but a file in it is known", ".", Query{Path: "/a", FollowLinks: true}, false},
		{"a link that changed may have led elsewhere", "link", Query{Path: "/link", FollowLinks: true}, true},
		{"what a link leads to may have changed", "a", Query{Path: "/link", FollowLinks: true}, true},
		{"an old link to an old file is known", "b", Query{Path: "/link", FollowLinks: true}, false},
		{"a file that is new may have been a directory", "a", Query{Path: "/a/z"}, true},
		{
			"a pattern that leaves the changed file out reads the list of names only",
			"dir/x",
			Query{Path: "/dir", Exclude: []string{"x"}},
			false,
		},
		{"known text is known", "Dockerfile", Query{Path: "/Dockerfile"}, false},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			changed := strings.Fields(test.new)
			var stamp func(rel string, n *Node) *Node
			stamp = func(rel string, n *Node) *Node {
				meta := n.Meta()
				meta.Stamp.ChangeTime = when.UnixNano() - int64(time.Minute) - 2
				for _, c := range changed {
					if c == rel || c == "." && rel == "" {
						meta.Stamp.ChangeTime = when.UnixNano()
					}
				}
				var children []*Node
				for _, c := range n.Children() {
					children = append(children, stamp(strings.TrimPrefix(rel+"/"+c.Name(), "/"), c))
				}
				m := NewNode(n.Name(), meta, children)
				if id, ok := n.Content(); ok {
					m.SetContent(id)
				}
				return m
			}
			tree := NewTree(stamp("", tree(t, now).Root()), nil, nil, nil)
			was := AsOf(tree, when, map[string]string{"Dockerfile": "FROM old"})
			got, err := was.Digest(test.query)
			if errors.Is(err, ErrUnknown) != test.unknown {
				t.Fatalf("digest %q, error %v; unknown should be %v", got, err, test.unknown)
			}
			is, errNow := tree.Digest(test.query)
			if same := is == got; !test.unknown && errNow == nil && same == (test.query.Path == "/Dockerfile") {
				t.Errorf("the same as now: %v", same)
			}
		})
	}
	t.Run("without change times nothing is known", func(t *testing.T) {
		if _, err := AsOf(tree(t, now), when, nil).Digest(Query{Path: "/a"}); !errors.Is(err, ErrUnknown) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("any other may be ten milliseconds behind the change", func(t *testing.T) {
		for before, want := range map[time.Duration]bool{9 * time.Millisecond: true, 11 * time.Millisecond: false} {
			if got := ChangedSince(Stamp{ChangeTime: when.Add(-before).UnixNano()}, when); got != want {
				t.Errorf("%s before: %v", before, got)
			}
		}
	})
	t.Run("a stamp of whole seconds may be two seconds off", func(t *testing.T) {
		for seconds, want := range map[int64]bool{998: false, 999: true, 1001: true} {
			if got := ChangedSince(Stamp{ChangeTime: seconds * 1e9}, when); got != want {
				t.Errorf("%d s: %v", seconds, got)
			}
		}
	})
}
