package buildcontext

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes a tree of lines: "dir/", "file=contents", "link -> target", each with permissions after "@" if not usual.
func tree(t testing.TB, text string) *Tree {
	t.Helper()
	root := NewNode("", Meta{Type: Dir}, nil)
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		line, perm, hasPerm := strings.Cut(line, "@")
		line = strings.TrimSpace(line)
		name, content, isFile := strings.Cut(line, "=")
		m := Meta{Type: File, Mode: 0o644, Size: int64(len(content))}
		if link, target, ok := strings.Cut(line, " -> "); ok {
			name, m = link, Meta{Type: Symlink, Mode: 0o777, Link: target}
		} else if !isFile {
			name, m = strings.TrimSuffix(line, "/"), Meta{Type: Dir, Mode: 0o755}
		}
		if hasPerm {
			if _, err := fmt.Sscanf(strings.TrimSpace(perm), "%o", &m.Mode); err != nil {
				t.Fatal(err)
			}
		}
		n := NewNode(path.Base(name), m, nil)
		if m.Type == File {
			n.SetContent(HashContent([]byte(content)))
		}
		if root = root.with(strings.Split(name, "/"), n); root == nil {
			t.Fatalf("%s: something is in the way", name)
		}
	}
	return NewTree(root, nil, nil, nil)
}

// Which differences BuildKit's content hash sees.
func TestDigestEquality(t *testing.T) {
	all := Query{Path: "/", FollowLinks: true}
	tests := []struct {
		about string
		a, b  string
		query Query
		same  bool
	}{
		{"contents count", "f=1", "f=2", Query{Path: "/f"}, false},
		{"permissions count", "f=1", "f=1 @600", Query{Path: "/f"}, false},
		{"a name within a directory counts", "f=1", "g=1", all, false},
		{"an empty directory counts", "f=1", "f=1\n d/", all, false},
		{"permissions of a directory count", "d/\n d/f=1", "d/ @700\n d/f=1", Query{Path: "/d"}, false},
		{"a file elsewhere does not count", "d/f=1", "d/f=1\n e=2", Query{Path: "/d"}, true},
		{
			"a link in a directory is not followed",
			"d/l -> ../f\n f=1",
			"d/l -> ../f\n f=2",
			Query{Path: "/d", FollowLinks: true},
			true,
		},
		{"the target of a link in a directory counts", "d/l -> f", "d/l -> g", Query{Path: "/d"}, false},
		{
			"a link as the source is followed",
			"l -> f\n f=1",
			"l -> f\n f=2",
			Query{Path: "/l", FollowLinks: true},
			false,
		},
		{"a link above the source is followed even so", "l -> d\n d/f=1", "l -> d\n d/f=2", Query{Path: "/l/f"}, false},
		{
			"another way to the same contents is the same",
			"l -> f\n f=1",
			"l -> g\n g=1",
			Query{Path: "/l", FollowLinks: true},
			true,
		},
		{
			"a link that leads out of the context stays in it",
			"l -> ../../f\n f=1",
			"l -> f\n f=1",
			Query{Path: "/l", FollowLinks: true},
			true,
		},
		{
			"a wildcard takes what matches only",
			"a.go=1\n b.txt=1",
			"a.go=1\n b.txt=2\n c.txt=",
			Query{Path: "/*.go", Wildcard: true},
			true,
		},
		{"a new match counts", "a.go=1", "a.go=1\n b.go=1", Query{Path: "/*.go", Wildcard: true}, false},
		{"a wildcard takes directories whole", "da/x/y=1", "da/x/y=2", Query{Path: "/d*", Wildcard: true}, false},
		{"no match is no match", "a=1", "b=1", Query{Path: "/*.go", Wildcard: true}, true},
		{
			"excluded files do not count",
			"d/a=1\n d/b.md=1",
			"d/a=1\n d/b.md=2",
			Query{Path: "/d", Exclude: []string{"*.md"}},
			true,
		},
		{"included files do", "a=1\n b=1", "a=1\n b=2", Query{Path: "/", Include: []string{"b"}}, false},
		{"others do not", "a=1\n b=1", "a=2\n b=1", Query{Path: "/", Include: []string{"b"}}, true},
		{"setuid counts", "f=1 @755", "f=1 @4755", Query{Path: "/f"}, false},
		{"permissions of the context itself do not", "f=1", "f=1", all, true},
	}
	for _, tt := range tests {
		a, errA := tree(t, tt.a).Digest(tt.query)
		b, errB := tree(t, tt.b).Digest(tt.query)
		if errA != nil || errB != nil {
			t.Errorf("%s: errors %v, %v", tt.about, errA, errB)
		} else if (a == b) != tt.same {
			t.Errorf("%s: same = %v, want %v", tt.about, a == b, tt.same)
		}
	}
}

// The name of what is selected does not count: a file or directory that moved is the same.
func TestDigestIsNameless(t *testing.T) {
	tr := tree(t, "f=1\n g=1\n d/x=1\n e/x=1")
	for _, pair := range [][2]string{{"/f", "/g"}, {"/f", "/d/x"}, {"/d", "/e"}} {
		a, errA := tr.Digest(Query{Path: pair[0]})
		b, errB := tr.Digest(Query{Path: pair[1]})
		if errA != nil || errB != nil || a != b {
			t.Errorf("%q differ", pair)
		}
	}
}

func TestDigestErrors(t *testing.T) {
	unreadable := NewNode("", Meta{Type: Dir}, []*Node{
		NewNode("d", Meta{Type: Dir, Mode: 0o755, Err: errors.New("permission denied")}, nil),
		NewNode("f", Meta{Type: File, Mode: 0o644}, nil),
	})
	tests := []struct {
		about string
		tree  *Tree
		query Query
		want  string
		is    error
	}{
		{"a source that is not there", tree(t, "a=1"), Query{Path: "/b"}, "b: not found", ErrNotFound},
		{"a link to nowhere", tree(t, "l -> none"), Query{Path: "/l", FollowLinks: true}, "l: not found", ErrNotFound},
		{
			"a link to nowhere that matches",
			tree(t, "l -> none"),
			Query{Path: "/l*", Wildcard: true, FollowLinks: true},
			"l: not found",
			ErrNotFound,
		},
		{
			"links in a circle",
			tree(t, "a -> b\n b -> a"),
			Query{Path: "/a", FollowLinks: true},
			"a: too many symlinks",
			ErrTooManyLinks,
		},
		{
			"a required path",
			tree(t, "a=1"),
			Query{Path: "/", Include: []string{"b"}, Required: []string{"/b"}},
			"b: not found",
			ErrNotFound,
		},
		{
			"a directory that cannot be read",
			NewTree(unreadable, nil, nil, nil),
			Query{Path: "/d"},
			"d: permission denied",
			nil,
		},
		{"a directory above it", NewTree(unreadable, nil, nil, nil), Query{Path: "/"}, "d: permission denied", nil},
		{"something in it", NewTree(unreadable, nil, nil, nil), Query{Path: "/d/x"}, "d: permission denied", nil},
		{"a file without contents", NewTree(unreadable, nil, nil, nil), Query{Path: "/f"}, "f: contents not read", nil},
		{
			"a pattern that is none",
			tree(t, "a=1"),
			Query{Path: "/[", Wildcard: true},
			"/[: syntax error in pattern",
			path.ErrBadPattern,
		},
		{
			"a tree that failed",
			NewTree(unreadable, nil, nil, ErrIgnoreFile),
			Query{Path: "/"},
			"invalid ignore file",
			ErrIgnoreFile,
		},
	}
	for _, tt := range tests {
		_, err := tt.tree.Digest(tt.query)
		if err == nil || err.Error() != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: error %v, want %s", tt.about, err, tt.want)
		}
	}
}

// counter is a hasher that counts.
type counter struct {
	calls atomic.Int64
	fail  string
}

func (c *counter) Hash(_ context.Context, p string, _ *Node) (ContentID, error) {
	c.calls.Add(1)
	if p == c.fail {
		return ContentID{}, errors.New("gone")
	}
	return HashContent([]byte(p)), nil
}

func wide(files int) *Node {
	var dirs []*Node
	for i := range files / 100 {
		var children []*Node
		for j := range 100 {
			children = append(children, NewNode(fmt.Sprintf("f%03d", j), Meta{Type: File, Mode: 0o644}, nil))
		}
		dirs = append(dirs, NewNode(fmt.Sprintf("d%05d", i), Meta{Type: Dir, Mode: 0o755}, children))
	}
	return NewNode("", Meta{Type: Dir}, dirs)
}

// Each file is read once, whoever asks, and after a change only what changed is read and only the directories above it
// are digested again.
func TestDigestOnce(t *testing.T) {
	c := &counter{}
	a := NewTree(wide(1000), nil, c, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { a.Digest(Query{Path: "/"}) })
		wg.Go(func() { a.Prepare(t.Context(), []Query{{Path: "/"}}, nil) })
	}
	wg.Wait()
	before := c.calls.Load()
	if before != 1000 {
		t.Fatalf("%d files were read of 1000", before)
	}
	a.Digest(Query{Path: "/", FollowLinks: true})
	a.Digest(Query{Path: "/d*", Wildcard: true})
	b := a.WithContent("d00003/f001", []byte("new"))
	was, _ := a.Digest(Query{Path: "/"})
	is, _ := b.Digest(Query{Path: "/"})
	if was == is {
		t.Error("the new contents do not count")
	}
	if n := c.calls.Load() - before; n != 0 {
		t.Errorf("%d files were read again", n)
	}
	if a.Root().Child("d00004") != b.Root().Child("d00004") {
		t.Error("an unchanged directory is not shared")
	}
}

// A file that cannot be read spoils what includes it, and nothing else.
func TestDigestOfUnreadableFile(t *testing.T) {
	tr := NewTree(wide(200), nil, &counter{fail: "d00001/f007"}, nil)
	var pe *PathError
	if _, err := tr.Digest(Query{Path: "/"}); !errors.As(err, &pe) || pe.Path != "d00001/f007" {
		t.Errorf("error %v", err)
	}
	if _, err := tr.Digest(Query{Path: "/d00000"}); err != nil {
		t.Errorf("another directory: %v", err)
	}
}

func TestPrepareIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &counter{}
	tr := NewTree(wide(1000), nil, c, nil)
	if err := tr.Prepare(ctx, []Query{{Path: "/"}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := c.calls.Load(); n != 0 {
		t.Errorf("%d files were read", n)
	}
	last := 0
	if err := tr.Prepare(t.Context(), []Query{{Path: "/"}}, func(done, total int) {
		last = max(last,
			done*1000/total)
	}); err != nil ||
		last != 1000 {
		t.Errorf("error %v, progress %d", err, last)
	}
}

// An editor's text stands in for a file's.
func TestWithContent(t *testing.T) {
	base := "f=1 @600\n d/g=1\n l -> d/g\n out -> ../../none/x\n dir -> d"
	tests := []struct {
		about, name string
		want        string // "" is no change
	}{
		{"a file keeps its permissions", "f", "f=new @600\n d/g=1\n l -> d/g\n out -> ../../none/x\n dir -> d"},
		{"a new file gets 0644", "n", base + "\n n=new"},
		{"a new file in a new directory", "x/y/n", base + "\n x/\n x/y/\n x/y/n=new"},
		{"a link is followed", "l", "f=1 @600\n d/g=new\n l -> d/g\n out -> ../../none/x\n dir -> d"},
		{"a link to a directory too", "dir/g", "f=1 @600\n d/g=new\n l -> d/g\n out -> ../../none/x\n dir -> d"},
		{"a directory is not replaced", "d", ""},
		{"below a file there is nothing", "f/x", ""},
		{"the context itself", ".", ""},
		{"an ignored file", "secret", ""},
	}
	for _, tt := range tests {
		tr := tree(t, base)
		var err error
		if tr.ignore, err = ParseIgnore("", []byte("secret")); err != nil {
			t.Fatal(err)
		}
		got := tr.WithContent(tt.name, []byte("new"))
		if tt.want == "" {
			if got != tr {
				t.Errorf("%s: the tree changed: %v", tt.about, Diff(tr, got, []Query{{Path: "/"}}))
			}
			continue
		}
		if d := Diff(tree(t, tt.want), got, []Query{{Path: "/"}}); len(d) != 0 {
			t.Errorf("%s: differs from what is wanted: %v", tt.about, d)
		}
	}
}

// many are more files than Diff lists of a directory.
func many(dir string) (text string) {
	for i := range maxListed + 1 {
		text += fmt.Sprintf("\n %s/%d=1", dir, i)
	}
	return text
}

func TestDiff(t *testing.T) {
	all := []Query{{Path: "/", FollowLinks: true}}
	tests := []struct {
		about   string
		a, b    string
		queries []Query
		want    string
	}{
		{"nothing", "a=1", "a=1", all, ""},
		{"one of each", "d/a=1\n d/b=1\n d/c=1\n d/e=1\n d/l -> x", "d/a=2\n d/b=1 @755\n d/c/\n d/f=1\n d/l -> y", all,
			"d/a modified, d/b mode, d/c type, d/e removed, d/f added, d/l modified"},
		{"the files of a directory that came", "a=1", "a=1\n d/e/f=1\n d/g=1", all, "d/e/f added, d/g added"},
		{
			"the files of a directory that came among others",
			"d/a=1",
			"d/a=1\n d/e/f=1\n d/e/g/h=1",
			all,
			"d/e/f added, d/e/g/h added",
		},
		{"an empty directory that came", "a=1", "a=1\n d/", all, "d added"},
		{"a directory of many files that came", "a=1", "a=1" + many("d"), all, "d added"},
		{
			"a directory of many files that went, seen through a pattern",
			"a=1" + many("d/e"),
			"a=1",
			[]Query{{Path: "/", Exclude: []string{"z"}}},
			"d removed",
		},
		{
			"a file that a link leads to too, among others",
			"a=1\n b=1\n l -> a\n z=1",
			"a=1\n b=2\n l -> a\n z=1",
			[]Query{{Path: "/", FollowLinks: true, Exclude: []string{"z"}}},
			"b modified",
		},
		{"the files of a directory that went", "a=1\n d/e/f=1", "a=1", all, "d/e/f removed"},
		{"permissions of a directory", "d/a=1", "d/ @700\n d/a=1", all, "d mode"},
		{
			"only what a query selects",
			"a.go=1\n b.md=1",
			"a.go=2\n b.md=2",
			[]Query{{Path: "/*.go", Wildcard: true}},
			"a.go modified",
		},
		{
			"not what is excluded",
			"d/a=1\n d/b.md=1",
			"d/a=2\n d/b.md=2",
			[]Query{{Path: "/d", Exclude: []string{"*.md"}}},
			"d/a modified",
		},
		{
			"a directory that came, seen through a pattern",
			"a=1",
			"a=1\n d/x=1\n d/y=1",
			[]Query{{Path: "/", Exclude: []string{"z", "d/y"}}},
			"d/x added",
		},
		{
			"the link that leads elsewhere",
			"l -> a\n a=1\n b=2",
			"l -> b\n a=1\n b=2",
			[]Query{{Path: "/l", FollowLinks: true}},
			"l modified",
		},
		{
			"what the link leads to",
			"l -> a\n a=1",
			"l -> a\n a=2",
			[]Query{{Path: "/l", FollowLinks: true}},
			"a modified",
		},
		{"a source that went", "a=1\n b=1", "b=1", []Query{{Path: "/a"}}, "a removed"},
		{
			"two queries",
			"a=1\n b=1\n c=1",
			"a=2\n b=2\n c=2",
			[]Query{{Path: "/b"}, {Path: "/a"}, {Path: "/a"}},
			"a modified, b modified",
		},
		{
			"in the order of a walk",
			"a/x=1\n a.txt=1\n b=1",
			"a/x=2\n a.txt=2\n b=2",
			all,
			"a/x modified, a.txt modified, b modified",
		},
	}
	for _, tt := range tests {
		var got []string
		for _, c := range Diff(tree(t, tt.a), tree(t, tt.b), tt.queries) {
			got = append(got, fmt.Sprint(c.Path, " ", c.Kind))
		}
		if d := cmp.Diff(tt.want, strings.Join(got, ", ")); d != "" {
			t.Errorf("%s: %s", tt.about, d)
		}
	}
	if got := Diff(nil, tree(t, "a=1"), all); len(got) != 1 || got[0] != (Change{"a", Added}) {
		t.Errorf("without baseline: %v", got)
	}
}

// What a daemon does not notice when it is sent the context again.
func TestResent(t *testing.T) {
	base := tree(t, "d/ @755\n d/e/ @755\n d/f=1\n x=1")
	next := tree(t, "d/ @700\n d/e/ @700\n d/f=1 @600\n x/ @700")
	want := tree(t, "d/ @755\n d/e/ @755\n d/f=1 @600\n x/ @700")
	if d := Diff(want, Resent(base, next, true), []Query{{Path: "/"}}); len(d) != 0 {
		t.Errorf("differs: %v", d)
	}
	if Resent(next, next, true) != next {
		t.Error("a new tree without need")
	}
}

func TestIgnore(t *testing.T) {
	tests := []struct {
		about, text string
		path        string
		ignored     bool
	}{
		{"a name at the top", "node_modules", "node_modules/x/y", true},
		{"is not one further below", "node_modules", "a/node_modules/x", false},
		{"unless it says so", "**/node_modules", "a/node_modules/x", true},
		{"a leading slash means nothing", "/a", "a", true},
		{"nor does a trailing one", "a/", "a/b", true},
		{"an exception", "*\n!a", "a/b/c", false},
		{"the last pattern wins", "*\n!a\na/b", "a/b", true},
		{"an exception within an ignored directory", "d\n!d/keep", "d/keep", false},
		{"others in it stay ignored", "d\n!d/keep", "d/other", true},
		{"comments", "#a\na", "#a", false},
		{"blanks are trimmed, byte order mark and line ends too", "\ufeff a \r\n", "a", true},
		{"nothing", "", "a", false},
	}
	for _, tt := range tests {
		ig, err := ParseIgnore(".dockerignore", []byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := ig.Ignores(tt.path); got != tt.ignored {
			t.Errorf("%s: Ignores(%q) = %v", tt.about, tt.path, got)
		}
	}
	ig, err := ParseIgnore(".dockerignore", []byte("a\n!a/b\na\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, emptied := ig.Emptied("a/b", 3); ig.Ignores("a/b") || !emptied {
		t.Error("a pattern repeated after its exception does not empty the file")
	}
	for _, text := range []string{"!", "[", "a\n!b\n[c"} {
		if _, err := ParseIgnore(".dockerignore", []byte(text)); !errors.Is(err, ErrIgnoreFile) ||
			!strings.Contains(err.Error(), ".dockerignore") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
