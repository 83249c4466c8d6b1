package buildcontext

import (
	"errors"
	"testing"
)

// What the classic builder hashes of a folder, beside BuildKit.
func TestClassicDigest(t *testing.T) {
	file := func(name, text string, meta Meta) *Node {
		n := NewNode(name, meta, nil)
		n.SetContent(HashContent([]byte(text)))
		return n
	}
	folder := func(children ...*Node) *Tree {
		return NewTree(NewNode("", Meta{Type: Dir}, []*Node{
			NewNode("d", Meta{Type: Dir, Mode: 0o755}, children),
			file("a", "a", Meta{Mode: 0o644}),
			file("b", "a", Meta{Mode: 0o644}),
			file("c", "a", Meta{Mode: 0o644, Stamp: Stamp{Inode: 7}}),
		}), nil, nil, nil)
	}
	query := []Query{{Path: "/d"}}
	plain := file("f", "a", Meta{Mode: 0o644})
	digest := func(children ...*Node) string {
		t.Helper()
		d, err := folder(children...).ClassicDigest(query)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	link := func(target string) *Node { return NewNode("f", Meta{Type: Symlink, Link: target}, nil) }
	for _, test := range []struct {
		about string
		a, b  *Node
		same  bool
	}{
		{"nothing changes", plain, file("f", "a", Meta{Mode: 0o644}), true},
		{"the contents", plain, file("f", "b", Meta{Mode: 0o644}), false},
		{"the name", plain, file("g", "a", Meta{Mode: 0o644}), false},
		{"the mode", plain, file("f", "a", Meta{Mode: 0o600}), false},
		{"an extended attribute", plain, file("f", "a", Meta{Mode: 0o644, Xattrs: []Xattr{{"user.x", "1"}}}), true},
		{"a capability", plain, file("f", "a", Meta{Mode: 0o644, Xattrs: []Xattr{{capability, "1"}}}), false},
		{"a link instead of a file", plain, link("../a"), false},
		{"a link to another file", link("../a"), link("../b"), false},
		{"a link in other words", link("../b"), link("../d/../b"), true},
		{"links that lead to nothing", link("/etc/passwd"), link("/etc/group"), true},
	} {
		if same := digest(test.a) == digest(test.b); same != test.same {
			t.Errorf("%s: the same is %v", test.about, same)
		}
	}
	two := folder(file("f", "a", Meta{Mode: 0o644, Stamp: Stamp{Inode: 7}}))
	if _, err := two.ClassicDigest(query); !errors.Is(err, ErrUnknown) {
		t.Errorf("a file with two names: %v", err)
	}
}
