//go:build linux

package conformance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// item is one entry of a generated context.
type item struct {
	kind string // "dir", "file", "link", "hard", "fifo", "socket"
	text string // contents or target
	mode os.FileMode
}

// layout is a generated context, by path. Parents are directories.
type layout map[string]item

// attribute marks a generated file or directory with an extended attribute.
const attribute = os.ModeIrregular

var (
	names = []string{"a", "b", "c", "a.txt", "b.txt", "ab", "a-b", "a b", "src", "é", "x*", "[y]", ".h"}
	texts = []string{"", "x", "y", "xy", strings.Repeat("long ", 20000)}
	modes = []os.FileMode{
		0o644,
		0o644,
		0o755,
		0o600,
		0o664,
		0o755 | os.ModeSetuid,
		0o777 | os.ModeSticky,
		0o644 | attribute,
	}
	dirs   = []os.FileMode{0o755, 0o755, 0o700, 0o775 | os.ModeSetgid, 0o755 | attribute}
	ignore = []string{
		"a",
		"*.txt",
		"**/*.txt",
		"!a.txt",
		"!**/b.txt",
		"src",
		"!src/a",
		"src/*",
		"!src/b.txt",
		"/b",
		"b/",
		"*",
		"!c",
		"a/b",
		"!a/b/c",
		"[ab]",
		"a?b",
		"**",
		"!src",
		"# a",
		" a ",
		"!a/",
		"a/**",
		"!a/*",
		"./c",
		"..",
		"**/c",
		"c/**/a",
		"*/*",
		"!*/a",
	}
)

func pickOf[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (l layout) paths() []string { return slices.Sorted(maps.Keys(l)) }

func (l layout) ofKind(kinds ...string) (out []string) {
	for _, p := range l.paths() {
		if slices.Contains(kinds, l[p].kind) {
			out = append(out, p)
		}
	}
	return out
}

// random makes a context of some entries.
func random(r *rand.Rand) layout {
	l := layout{}
	for range 3 + r.IntN(14) {
		l.add(r)
	}
	return l
}

func (l layout) add(r *rand.Rand) {
	in := pickOf(r, append(l.ofKind("dir"), "", "", ""))
	p := path.Join(in, pickOf(r, names))
	if _, taken := l[p]; taken || strings.Count(p, "/") > 4 {
		return
	}
	switch n := r.IntN(20); {
	case n < 7:
		l[p] = item{"dir", "", pickOf(r, dirs)}
	case n < 14:
		l[p] = item{"file", pickOf(r, texts), pickOf(r, modes)}
	case n < 18:
		l[p] = item{"link", l.target(r), 0}
	case n < 19:
		if files := l.ofKind("file"); len(files) > 0 {
			l[p] = item{"hard", pickOf(r, files), 0}
		}
	default:
		l[p] = item{pickOf(r, []string{"fifo", "socket"}), "", pickOf(r, modes)}
	}
}

// target makes a link's target: absolute, relative, upwards, missing, to itself.
func (l layout) target(r *rand.Rand) string {
	to := pickOf(r, append(l.paths(), "none", ".", "a", "src/a"))
	switch r.IntN(6) {
	case 0:
		return "/" + to
	case 1:
		return "../" + to
	case 2:
		return "../../../" + to
	case 3:
		return "/" + to + "/../" + pickOf(r, names)
	}
	return pickOf(r, []string{to, path.Base(to), "/"})
}

// edit changes one thing.
func (l layout) edit(r *rand.Rand) {
	if len(l) == 0 {
		l.add(r)
		return
	}
	p := pickOf(r, l.paths())
	it := l[p]
	switch r.IntN(7) {
	case 0:
		l.add(r)
	case 1:
		l.remove(p)
	case 2, 3:
		switch it.kind {
		case "file":
			it.text = pickOf(r, texts)
		case "link":
			it.text = l.target(r)
		}
		l[p] = it
	case 4:
		if it.kind == "dir" {
			it.mode = pickOf(r, dirs)
		} else if it.mode != 0 {
			it.mode = pickOf(r, modes)
		}
		l[p] = it
	case 5: // another type
		l.remove(p)
		l[p] = item{pickOf(r, []string{"file", "dir", "fifo"}), "", 0o755}
	case 6: // another name
		to := path.Join(path.Dir(p), pickOf(r, names))
		if _, taken := l[to]; taken || strings.HasPrefix(to, p+"/") {
			return
		}
		for _, q := range l.paths() {
			if q == p || strings.HasPrefix(q, p+"/") {
				l[to+q[len(p):]] = l[q]
				delete(l, q)
			}
		}
	}
}

func (l layout) remove(p string) {
	for _, q := range l.paths() {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(l, q)
		}
	}
}

// write makes the context on disk. A hard link whose file is gone is left out.
func (l layout) write(t testing.TB, dir string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var later []string
	for _, p := range l.paths() {
		it, abs := l[p], filepath.Join(dir, p)
		switch it.kind {
		case "dir":
			check(os.Mkdir(abs, 0o755))
		case "file":
			check(os.WriteFile(abs, []byte(it.text), 0o600))
		case "link":
			check(os.Symlink(it.text, abs))
		case "fifo":
			check(syscall.Mkfifo(abs, 0o600))
		case "socket":
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			check(err)
			check(syscall.Bind(fd, &syscall.SockaddrUnix{Name: abs}))
			check(syscall.Close(fd))
		case "hard":
			later = append(later, p)
		}
		if it.mode != 0 {
			check(os.Chmod(abs, it.mode&^attribute))
		}
		if it.mode&attribute != 0 && it.kind != "fifo" && it.kind != "socket" {
			if err := syscall.Setxattr(abs, "user.test", []byte("x"), 0); err != nil {
				t.Logf("NO EXTENDED ATTRIBUTES HERE, they are not compared: %v", err)
			}
		}
	}
	for _, p := range later {
		if l[l[p].text].kind == "file" {
			check(os.Link(filepath.Join(dir, l[p].text), filepath.Join(dir, p)))
		}
	}
}

// ignoreFile makes an ignore file, often none.
func ignoreFile(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(2) == 0 {
		if r.IntN(3) == 0 { // leave out much, so that exceptions matter
			fmt.Fprintln(&b, pickOf(r, []string{"*", "**", "a", "src", "[a-c]*"}))
			fmt.Fprintln(&b, pickOf(r, []string{"!**/*.txt", "!*/a", "!**/b", "!a/b", "!src/*", "!?/[ab]"}))
		}
		for range 1 + r.IntN(5) {
			fmt.Fprintln(&b, pickOf(r, ignore))
		}
		if r.IntN(4) == 0 { // repeat one after an exception
			fmt.Fprint(&b, "a\n!a/*\na\n")
		}
	}
	return b.String()
}

// queries makes queries about a context: of its paths, with wildcards, patterns, and paths that are not there.
func (l layout) queries(r *rand.Rand) []buildcontext.Query {
	out := []buildcontext.Query{{Path: "/", FollowLinks: true}}
	patterns := append(
		slices.Clone(names),
		"**/*.txt",
		"*.txt",
		"a*",
		"*",
		"**",
		"a/b",
		"a/**",
		"!a",
		"*/*",
		"src",
		"x\\*",
	)
	for range 12 {
		q := buildcontext.Query{FollowLinks: r.IntN(4) > 0}
		elems := strings.Split(pickOf(r, append(l.paths(), "none", "a", "src/a", "a/b/c", ".")), "/")
		if r.IntN(5) == 0 {
			elems = append(elems, pickOf(r, names))
		}
		if r.IntN(3) == 0 {
			q.Wildcard = true
			i := r.IntN(len(elems))
			elems[i] = pickOf(r, []string{"*", "a*", "*.txt", "?", "[a-c]", "*b*", "[^a]", "\\*", "**"})
		}
		q.Path = path.Join("/", path.Join(elems...))
		some := func() (out []string) {
			for range r.IntN(3) {
				out = append(out, pickOf(r, patterns))
			}
			return out
		}
		if r.IntN(3) == 0 {
			q.Include = some()
		}
		if r.IntN(3) == 0 {
			q.Exclude = some()
		}
		if r.IntN(12) == 0 {
			p := "/" + pickOf(r, append(l.paths(), "none"))
			q.Required = []string{p[:len(p)-r.IntN(2)]}
		}
		out = append(out, q)
	}
	return out
}
