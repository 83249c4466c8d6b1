package gittree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// link makes a symbolic link.
func (r repo) link(target, name string) {
	r.Helper()
	p := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		r.Fatal(err)
	}
	os.Remove(p)
	if err := os.Symlink(target, p); err != nil {
		r.Skip("NO SYMBOLIC LINKS HERE")
	}
}

// A file is read through the links that the revision has, not those of now; a link that leads out of the repository
// says so.
func TestReadFileThroughLinks(t *testing.T) {
	r := newRepo(t)
	r.write("docker/Dockerfile.debian", "FROM debian\n", 0o644)
	r.write("docker/Dockerfile.alpine", "FROM alpine\n", 0o644)
	r.link("docker/Dockerfile.debian", "Dockerfile")
	r.link("../docker/./Dockerfile.alpine", "app/Dockerfile")
	r.link("app/Dockerfile", "twice")
	r.link("docker", "folder")
	r.link("../..", "app/deep/up")
	r.link("loop", "loop")
	r.link("../outside", "leaves")
	r.link("/etc/hostname", "absolute")
	r.link("docker/none", "dangling")
	r.link("docker/Dockerfile.debian/x", "through-a-file")
	r.commit()
	r.link("docker/Dockerfile.alpine", "Dockerfile") // since then
	tests := []struct {
		name, want string
		err        error
	}{
		{"Dockerfile", "FROM debian\n", nil},
		{"app/Dockerfile", "FROM alpine\n", nil},
		{"twice", "FROM alpine\n", nil},
		{"folder/Dockerfile.alpine", "FROM alpine\n", nil},
		{"app/deep/up/docker/Dockerfile.alpine", "FROM alpine\n", nil},
		{"loop", "", ErrNotInRevision},
		{"leaves", "", ErrLinkOutside},
		{"absolute", "", ErrLinkOutside},
		{"dangling", "", ErrNotInRevision},
		{"through-a-file", "", ErrNotInRevision},
		{"folder", "", ErrNotInRevision},
	}
	for _, tt := range tests {
		text, err := ReadFile(t.Context(), filepath.Join(r.dir, tt.name), "HEAD")
		if string(text) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tt.name, text, err, tt.want, tt.err)
		}
	}
}

// A context whose folder is a link is the folder that the link named in the revision, and so is its ignore file.
func TestLoadThroughLinks(t *testing.T) {
	r := newRepo(t)
	r.write("one/a", "1", 0o644)
	r.write("two/b", "2", 0o644)
	r.write("ignore", "b\n", 0o644)
	r.link("one", "context")
	r.link("../ignore", "two/.dockerignore")
	r.commit()
	r.link("two", "context")
	for _, tt := range []struct{ dir, has, lacks string }{{"context", "a", "b"}, {"two", ".dockerignore", "b"}} {
		dir := filepath.Join(r.dir, tt.dir)
		tree, err := Load(t.Context(), dir, "HEAD", filepath.Join(dir, "Dockerfile"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tree.Lookup(tt.has); !ok {
			t.Errorf("%s lacks %s", tt.dir, tt.has)
		}
		if _, ok := tree.Lookup(tt.lacks); ok {
			t.Errorf("%s has %s", tt.dir, tt.lacks)
		}
	}
	outside := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(r.dir, "one"), outside); err != nil {
		t.Fatal(err)
	}
	if tree, err := Load(t.Context(), outside, "HEAD", filepath.Join(outside, "Dockerfile"), nil); err != nil {
		t.Errorf("a link from outside: %v", err)
	} else if _, ok := tree.Lookup("a"); !ok {
		t.Error("a link from outside lacks a")
	}
	r.link("/etc/hostname", "two/.dockerignore")
	r.commit()
	tree, err := Load(t.Context(), filepath.Join(r.dir, "two"), "HEAD", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Digest(everything[0]); !errors.Is(err, buildcontext.ErrUnknown) {
		t.Errorf("an ignore file that is a link to outside: %v", err)
	}
}

// The history of a Dockerfile that is a link has the texts of the file that it names, and the commits that change that.
func TestHistoryThroughLink(t *testing.T) {
	r := newRepo(t)
	r.write("docker/Dockerfile.debian", "FROM debian:1\n", 0o644)
	r.link("../docker/Dockerfile.debian", "app/Dockerfile")
	r.commit()
	r.write("docker/Dockerfile.debian", "FROM debian:2\n", 0o644)
	r.commit()
	r.write("unrelated", "", 0o644)
	r.commit()
	app := filepath.Join(r.dir, "app")
	h, err := loadHistory(
		t.Context(),
		HistoryRequest{ContextDir: app, Dockerfile: filepath.Join(app, "Dockerfile"), Limit: 9},
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, rev := range h.Revisions {
		texts = append(texts, rev.Dockerfile+": "+strings.TrimSpace(string(rev.Text)))
	}
	want := "app/Dockerfile: FROM debian:1, app/Dockerfile: FROM debian:2"
	if got := strings.Join(texts, ", "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
