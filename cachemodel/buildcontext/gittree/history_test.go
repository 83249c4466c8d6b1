package gittree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// Each revision of a history is the tree that Load gives for that commit alone, conversions, links, permissions and
// ignored files included.
func TestHistoryLikeLoad(t *testing.T) {
	for _, autocrlf := range []string{"false", "true"} {
		for _, dir := range []string{"", "app"} {
			r := newRepo(t)
			r.git("config", "core.autocrlf", autocrlf)
			r.write(filepath.Join(dir, "Dockerfile"), "FROM scratch\n", 0o644)
			r.write(filepath.Join(dir, "a/b/c.txt"), "1\n2\n", 0o644)
			r.write(filepath.Join(dir, "a/run.sh"), "x\n", 0o755)
			r.write(filepath.Join(dir, "z\t\"name"), "x\n", 0o644)
			if err := os.Symlink("a/b", filepath.Join(r.dir, dir, "link")); err != nil {
				t.Skip("no symlinks here")
			}
			r.commit()
			r.write(".gitattributes", "*.txt text eol=crlf\n*.id ident\n", 0o644)
			r.write(filepath.Join(dir, "a/v.id"), "$Id$\n", 0o644)
			r.commit()
			r.write(filepath.Join(dir, "a/b/c.txt"), "1\n2\n3\n", 0o755)
			r.write(filepath.Join(dir, "a/.gitattributes"), "*.txt -text\n", 0o644)
			r.commit()
			r.write(filepath.Join(dir, ".dockerignore"), ".git*\na\n!a/b\n", 0o644)
			r.commit()
			r.write(filepath.Join(dir, "Dockerfile.dockerignore"), "**/.git*\nlink\n", 0o644)
			os.Remove(filepath.Join(r.dir, dir, "a/run.sh"))
			r.commit()
			at := filepath.Join(r.dir, dir)
			h, err := loadHistory(
				t.Context(),
				HistoryRequest{ContextDir: at, Dockerfile: filepath.Join(at, "Dockerfile"), Limit: 100},
				nil,
			)
			if err != nil {
				t.Fatal(err)
			}
			if len(h.Revisions) < 4 {
				t.Fatalf("%d revisions", len(h.Revisions))
			}
			for _, rev := range h.Revisions {
				one, err := Load(t.Context(), at, rev.ID, filepath.Join(at, "Dockerfile"), nil)
				if err != nil {
					t.Fatal(err)
				}
				q := buildcontext.Query{Path: "/"}
				want, err := one.Digest(q)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := rev.Context.Digest(q); got != want || err != nil {
					t.Errorf(
						"autocrlf %s, folder %q, commit %.7s: %v; differs in %v",
						autocrlf,
						dir,
						rev.ID,
						err,
						buildcontext.Diff(one, rev.Context, []buildcontext.Query{q}),
					)
				}
				if string(rev.Text) != "FROM scratch\n" {
					t.Errorf("the Dockerfile is %q", rev.Text)
				}
			}
		}
	}
}

// Revisions have the directories in common that did not change.
func TestHistoryShares(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM scratch\n", 0o644)
	r.write("same/a", "1", 0o644)
	r.commit()
	r.write("other/a", "1", 0o644)
	r.commit()
	h, err := loadHistory(
		t.Context(),
		HistoryRequest{ContextDir: r.dir, Dockerfile: filepath.Join(r.dir, "Dockerfile"), Limit: 2},
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := h.Revisions[0].Context.Lookup("same")
	b, _ := h.Revisions[1].Context.Lookup("same")
	if a == nil || a != b {
		t.Errorf("the folder is %p and %p", a, b)
	}
	if n := b.Child("a"); n.Meta().Size != 1 {
		t.Errorf("the size is %d", n.Meta().Size)
	}
}

// What a history lacks is said.
func TestHistoryNotes(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM scratch\nCOPY sub /\n", 0o644)
	r.commit()
	sub := r.git("rev-parse", "HEAD")
	r.git("update-index", "--add", "--cacheinfo", "160000,"+sub+",sub")
	r.git("commit", "-qm", "submodule")
	pinned := r.git("rev-parse", "HEAD")
	r.git("update-index", "--add", "--cacheinfo", "160000,"+pinned+",sub")
	r.git("commit", "-qm", "submodule moved")
	load := func(dir string, limit int) *History {
		t.Helper()
		h, err := loadHistory(
			t.Context(),
			HistoryRequest{ContextDir: dir, Dockerfile: filepath.Join(dir, "Dockerfile"), Limit: limit},
			nil,
		)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := load(r.dir, 5)
	if notes := strings.Join(h.Notes, "\n"); !strings.Contains(notes, "sub is a submodule") || len(h.Revisions) != 3 {
		t.Errorf("%d revisions; %s", len(h.Revisions), notes)
	}
	q := buildcontext.Query{Path: "/sub"}
	a, _ := h.Revisions[1].Context.Digest(q)
	if b, _ := h.Revisions[2].Context.Digest(q); a == b || a == "" {
		t.Errorf("the submodule names another commit, its digest is %q and %q", a, b)
	}

	shallow := filepath.Join(t.TempDir(), "shallow")
	r.git("clone", "-q", "--depth", "2", "file://"+r.dir, shallow)
	if notes := strings.Join(load(shallow, 5).Notes, "\n"); !strings.Contains(notes, "shallow clone") {
		t.Errorf("a shallow clone: %s", notes)
	}
	if notes := strings.Join(load(shallow, 2).Notes, "\n"); strings.Contains(notes, "shallow clone") {
		t.Errorf("as many commits as were wanted, but: %s", notes)
	}
}

// A rename is followed, also to a Dockerfile outside of the context.
func TestHistoryRenames(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM scratch\nCOPY a /\nLABEL a=b\n", 0o644)
	r.write("app/a", "1", 0o644)
	r.commit()
	os.MkdirAll(filepath.Join(r.dir, "docker"), 0o755)
	r.git("mv", "Dockerfile", "docker/app.Dockerfile")
	r.git("commit", "-qm", "renamed")
	r.write("app/a", "2", 0o644)
	r.commit()
	h, err := loadHistory(
		t.Context(),
		HistoryRequest{
			ContextDir: filepath.Join(r.dir, "app"),
			Dockerfile: filepath.Join(r.dir, "docker/app.Dockerfile"),
			Limit:      9,
		},
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rev := range h.Revisions {
		got = append(got, rev.Dockerfile)
	}
	if want := "[Dockerfile docker/app.Dockerfile docker/app.Dockerfile]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// Whatever bytes a tree object has, reading it does not panic, and what is read is what git would have written.
func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 a\x00aaaaaaaaaaaaaaaaaaaa40000 b\x00bbbbbbbbbbbbbbbbbbbb"))
	f.Add([]byte("160000 sub\x00aaaaaaaaaaaaaaaaaaa"))
	f.Add([]byte("100644 a/b\x00aaaaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseTree(data, 20)
		if err != nil {
			return
		}
		size := 0
		for _, e := range entries {
			size += len(e.mode) + 1 + len(e.path) + 1 + 20
			if !local(e.path) || strings.Contains(e.path, "/") || len(e.id) != 40 {
				t.Errorf("%+v", e)
			}
		}
		if size > len(data) { // names that no checkout writes are left out
			t.Errorf("%d bytes of %d were read", size, len(data))
		}
	})
}

// A name that git does not find is an error of its own, as is an object that is too long; the next object can be read
// all the same, also after a call that was given up.
func TestObjectsMissing(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM scratch\n", 0o644)
	r.commit()
	o, err := Open(t.Context(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	id := r.git("rev-parse", "HEAD:Dockerfile")
	if _, _, err := o.object(t.Context(), strings.Repeat("0", 39)+"1", 100); !errors.Is(err, ErrMissingObject) {
		t.Errorf("got %v", err)
	}
	if _, _, err := o.object(t.Context(), id, 5); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, _, err := o.object(ended, id, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got, data, err := o.object(t.Context(), id, 100); err != nil || string(data) != "FROM scratch\n" || got != id {
		t.Errorf("%q %q %v", got, data, err)
	}
}
