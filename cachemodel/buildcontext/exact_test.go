package buildcontext

import (
	"io"
	"strings"
	"testing"
)

// Of another tree BuildKit's digest of a file is taken over if all that it is made of is the same.
func TestTakeExact(t *testing.T) {
	file := func(contents string, m Meta) *Tree {
		m.Size = int64(len(contents))
		n := NewNode("a", m, nil)
		n.SetContent(HashContent([]byte(contents)))
		return NewTree(NewNode("", Meta{Type: Dir}, []*Node{NewNode("d", Meta{Type: Dir}, []*Node{n})}), nil, nil, nil)
	}
	with := []Xattr{{"user.a", "1"}}
	from := file("text", Meta{Mode: 0o644, Xattrs: with})
	want, err := from.Exact(Query{Path: "/d/a"}, func(string, *Node) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("text")), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		tree *Tree
		same bool
	}{
		{"the same, touched", file("text", Meta{Mode: 0o644, Xattrs: with, Stamp: Stamp{ModTime: 1}}), true},
		{"other contents", file("next", Meta{Mode: 0o644, Xattrs: with}), false},
		{"other permissions", file("text", Meta{Mode: 0o600, Xattrs: with}), false},
		{"other attributes", file("text", Meta{Mode: 0o644}), false},
	} {
		test.tree.TakeExact(from)
		n, _ := test.tree.Lookup("d/a")
		if got := n.KnownExact(); (got == want) != test.same || !test.same && got != "" {
			t.Errorf("%s: got %q, and the other tree has %q", test.name, got, want)
		}
	}
}
