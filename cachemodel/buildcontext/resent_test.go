package buildcontext

import (
	"errors"
	"testing"
)

// A file whose extended attributes alone changed is not sent again; one that changed otherwise too is.
func TestResentXattrs(t *testing.T) {
	stamp := Stamp{ModTime: 5, ChangeTime: 6, Inode: 7, Device: 8}
	capability := []Xattr{{Name: "security.capability", Value: "x"}}
	base := Meta{Type: File, Mode: 0o755, Size: 1, Stamp: stamp}
	tests := []struct {
		why    string
		change func(*Meta)
		keeps  bool // the builder has what it was sent before
	}{
		{"setcap", func(m *Meta) { m.Xattrs, m.Stamp.ChangeTime = capability, 9 }, true},
		{"setcap and chmod", func(m *Meta) { m.Xattrs, m.Mode = capability, 0o700 }, false},
		{"setcap and touch", func(m *Meta) { m.Xattrs, m.Stamp.ModTime = capability, 9 }, false},
		{"setcap and another size", func(m *Meta) { m.Xattrs, m.Size = capability, 2 }, false},
		{"no time is known, as in a commit", func(m *Meta) { m.Xattrs, m.Stamp = capability, Stamp{} }, false},
		{"nothing but the time of change", func(m *Meta) { m.Stamp.ChangeTime = 9 }, true},
	}
	tree := func(m Meta) *Tree {
		file := NewNode("a", m, nil)
		file.SetContent(HashContent([]byte("1")))
		return NewTree(
			NewNode("", Meta{Type: Dir}, []*Node{NewNode("d", Meta{Type: Dir}, []*Node{file})}),
			nil,
			nil,
			nil,
		)
	}
	for _, tt := range tests {
		next := base
		tt.change(&next)
		want, _ := tree(base).Digest(Query{Path: "/"})
		got, err := Resent(tree(base), tree(next), true).Digest(Query{Path: "/"})
		if err != nil || (got == want) != tt.keeps {
			t.Errorf("%s: the same digest %t, want %t (%v)", tt.why, got == want, tt.keeps, err)
		}
		_, err = Resent(tree(base), tree(next), false).Digest(Query{Path: "/"})
		if errors.Is(err, ErrUnknown) != (tt.keeps && len(next.Xattrs) > 0) {
			t.Errorf("%s, perhaps not held any more: %v", tt.why, err)
		}
	}
}
