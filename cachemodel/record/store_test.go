package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

var everything = []buildcontext.Query{{Path: "/"}}

// scan makes a tree of files as the disk has them, with all contents read.
func scan(t *testing.T, files map[string]string) (*buildcontext.Tree, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text),
			0o644)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := disk.Scan(context.Background(), dir, filepath.Join(dir, "Dockerfile"), disk.Options{})
	if err == nil {
		err = tree.Prepare(context.Background(), everything, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tree, dir
}

func sample(t *testing.T) *Record {
	_, dir := scan(t, map[string]string{
		"Dockerfile": "FROM alpine\nCOPY . " +
			".\n", ".dockerignore": "/#odd\n!keep\nlog/**\n", "src/a.txt": "a", "src/empty": "", "log/x": "x",
	})
	if err := os.Symlink("src/a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	tree, err := disk.Scan(context.Background(), dir, filepath.Join(dir, "Dockerfile"), disk.Options{})
	if err == nil {
		err = tree.Prepare(context.Background(), everything, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	seconds, bytes := 1.25, int64(4096)
	return &Record{
		When: time.Unix(
			1_700_000_000,
			5,
		).UTC(), Source: Built, Tool: "docker build", Name: "compose:web", Tags: []string{"app:1"},
		Builder: Builder{Name: "b", Address: "unix:///b.sock", Node: "b0", ID: "id"}, Ref: "ref",
		Dockerfile: filepath.Join(
			dir,
			"Dockerfile",
		), Text: "FROM alpine\nCOPY . .\r\n\xff", ContextDir: dir, Context: tree,
		Contexts: map[string]NamedContext{"assets": {Dir: dir, Tree: tree}, "gone": {Dir: "/gone"}},
		Settings: cachemodel.Settings{
			Engine:   cachemodel.BuildKit,
			Target:   "app",
			Args:     map[string]string{"V": "1"},
			Platform: "linux/arm64",
		},
		Images: map[string]cachemodel.Image{"docker.io/library/alpine:latest": {Digest: "sha256:1"}},
		Costs:  map[int]cachemodel.Cost{2: {Seconds: &seconds, Bytes: &bytes}},
		Notes:  []string{"A note."},
	}
}

// What is put comes back the same, digests included.
func TestRoundTrip(t *testing.T) {
	s, want := NewStore(t.TempDir()), sample(t)
	id, err := s.Put(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(id[:5])
	if err != nil {
		t.Fatal(err)
	}
	if got.Context == nil || got.Contexts["assets"].Tree == nil {
		t.Fatal("no trees")
	}
	for _, tree := range []*buildcontext.Tree{got.Context, got.Contexts["assets"].Tree} {
		a, errA := want.Context.Digest(everything[0])
		b, errB := tree.Digest(everything[0])
		if a != b || errA != nil || errB != nil {
			t.Errorf("digest %s (%v), want %s (%v)", b, errB, a, errA)
		}
		if fmt.Sprint(tree.Ignore().Patterns()) != "[#odd !keep log/**]" {
			t.Errorf("patterns %q", tree.Ignore().Patterns())
		}
	}
	if _, err := got.Contexts["gone"].Tree.Digest(everything[0]); !errors.Is(err, buildcontext.ErrUnknown) {
		t.Errorf("an unknown tree gives %v", err)
	}
	a, b := *want, *got
	a.ID, a.Context, b.Context, a.Contexts, b.Contexts = id, nil, nil, nil, nil
	x, _ := encode(&a)
	y, _ := encode(&b)
	if !bytes.Equal(x, y) {
		t.Errorf("got %s\nwant %s", y, x)
	}
}

// A file whose contents were not read when the build was recorded stays unknown, and spoils only what includes it.
func TestUnreadFile(t *testing.T) {
	_, dir := scan(t, map[string]string{"a": "a", "b": "b"})
	tree, err := disk.Scan(context.Background(), dir, "", disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Prepare(context.Background(), []buildcontext.Query{{Path: "/a"}}, nil); err != nil {
		t.Fatal(err)
	}
	s := NewStore(t.TempDir())
	id, err := s.Put(&Record{Dockerfile: filepath.Join(dir, "Dockerfile"), Context: tree})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := s.Get(id)
	if _, err := r.Context.Digest(buildcontext.Query{Path: "/a"}); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/b", "/"} {
		if _, err := r.Context.Digest(buildcontext.Query{Path: path}); !errors.Is(err, buildcontext.ErrUnknown) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestLatest(t *testing.T) {
	s := NewStore(t.TempDir())
	put := func(file, target, name string, at int64) string {
		t.Helper()
		id, err := s.Put(
			&Record{
				Dockerfile: file,
				Name:       name,
				When:       time.Unix(at, 0),
				Settings:   cachemodel.Settings{Target: target},
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	put("/w/Dockerfile", "app", "", 10)
	app := put("/w/Dockerfile", "app", "compose:web", 20)
	test := put("/w/Dockerfile", "test", "", 30)
	put("/w/other/Dockerfile", "app", "", 40)
	for _, c := range []struct {
		why   string
		file  string
		match Match
		want  string
	}{
		{"the newest of the file", "/w/Dockerfile", Match{}, test},
		{"the newest of that target", "/w/Dockerfile", Match{Target: "app"}, app},
		{"of that service", "/w/Dockerfile", Match{Name: "compose:web"}, app},
		{"where none matches the newest", "/w/./Dockerfile", Match{Target: "none"}, test},
		{"none of another file", "/w/x/Dockerfile", Match{}, ""},
	} {
		r, problems := s.Latest(c.file, c.match)
		got := ""
		if r != nil {
			got = r.ID
		}
		if got != c.want || len(problems) > 0 {
			t.Errorf("%s: got %q, want %q; %v", c.why, got, c.want, problems)
		}
	}
	if err := s.Forget(test); err != nil {
		t.Fatal(err)
	}
	if r, _ := s.Latest("/w/Dockerfile", Match{}); r.ID != app {
		t.Errorf("forgotten, but found")
	}
	if _, err := s.Get(test); !errors.Is(err, ErrNoRecord) {
		t.Error(err)
	}
	if n, err := s.ForgetAll("/w/Dockerfile"); n != 2 || err != nil {
		t.Error(n, err)
	}
	if all, _ := s.List(""); len(all) != 1 {
		t.Errorf("%d left", len(all))
	}
}

func TestLimits(t *testing.T) {
	s := NewStore(t.TempDir())
	s.limits = Limits{PerDockerfile: 3, Records: 5, Bytes: 1 << 20}
	for i := range 12 {
		if _, err := s.Put(&Record{Dockerfile: fmt.Sprintf("/w/%d", i%2), When: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := s.List("")
	if len(all) != 5 || all[0].When.Unix() != 11 || all[4].When.Unix() != 7 {
		t.Errorf("%d records", len(all))
	}
	s.limits.Bytes = 3 * 500
	if _, err := s.Put(&Record{Dockerfile: "/w/big", Text: strings.Repeat("x", 400)}); err == nil {
		if all, _ = s.List(""); len(all) >= 5 {
			t.Errorf("%d records though they are too big", len(all))
		}
	} else if !strings.Contains(err.Error(), "too many files") {
		t.Error(err)
	}
}

// Whatever happens to a file, the others are found, the reason is told once, and nothing panics.
func TestDamage(t *testing.T) {
	s := NewStore(t.TempDir())
	r := sample(t)
	rng := rand.New(rand.NewPCG(1, 2))
	good, err := s.Put(r)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		r.When = r.When.Add(time.Second)
		id, err := s.Put(r)
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.find(id)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.dir, e.file)
		data, _ := os.ReadFile(path)
		switch rng.IntN(3) {
		case 0:
			data = data[:rng.IntN(len(data))]
		case 1:
			data[rng.IntN(len(data))] ^= byte(1 + rng.IntN(255))
		case 2:
			data = append(data, 0)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, problems := s.Latest(r.Dockerfile, Match{})
		if got == nil || got.ID != good {
			t.Fatalf("a damaged record hides the good one, or is taken for good: %v", got)
		}
		if len(problems) != 1 ||
			!strings.Contains(problems[0].Error(), id+" is damaged and is passed over; it is now ") {
			t.Fatalf("the message is %q", problems)
		}
		if _, again := s.Latest(r.Dockerfile, Match{}); len(again) > 0 {
			t.Fatalf("told of twice: %v", again)
		}
	}
	if list, _ := os.ReadDir(s.dir); len(list) > maxAside+5 {
		t.Errorf("%d files are left of damaged records", len(list))
	}
}

// The decoder takes any bytes whose checksum happens to be right.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &reader{rest: data}
		tree := r.tree()
		_, _ = tree.Digest(everything[0])
	})
}

// A record of a later version is left alone.
func TestNewerVersion(t *testing.T) {
	s := NewStore(t.TempDir())
	id, err := s.Put(&Record{Dockerfile: "/w/Dockerfile"})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := s.find(id)
	path := filepath.Join(s.dir, e.file)
	data, _ := os.ReadFile(path)
	data = bytes.Replace(data, []byte(magic), []byte(magicStem+"2\n"), 1)
	if err := os.WriteFile(path, resum(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := s.Latest("/w/Dockerfile", Match{}); len(problems) != 1 || !errors.Is(problems[0], errNewer) {
		t.Error(problems)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// A full disk gives a clear message and leaves nothing behind.
func TestFullDisk(t *testing.T) {
	s := NewStore(t.TempDir())
	if _, err := s.Put(&Record{Dockerfile: "/w/Dockerfile"}); err != nil {
		t.Fatal(err)
	}
	s.write = func(f *os.File, data []byte) error {
		_, _ = f.Write(data[:len(data)/2])
		return &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	_, err := s.Put(&Record{Dockerfile: "/w/Dockerfile"})
	if err == nil || !strings.HasPrefix(err.Error(), "the build is not recorded: no space is left for ") {
		t.Errorf("the message is %v", err)
	}
	if all, problems := s.List(""); len(all) != 1 || len(problems) > 0 {
		t.Error(len(all), problems)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*"+temporary)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Servers read and builds write all at once: nobody sees anything that is not whole.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	r := sample(t)
	r.Settings.Args = map[string]string{"TOKEN": "a secret"}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := NewStore(dir)
			for range 25 {
				own := *r
				own.When = time.Now()
				if _, err := s.Put(&own); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			s := NewStore(dir)
			for range 100 {
				found, problems := s.Latest(r.Dockerfile, Match{})
				if len(problems) > 0 {
					t.Error(problems)
				}
				if found != nil && s.Settings(found, r.Settings.Args).Args["TOKEN"] != "a secret" {
					t.Error("the processes have different keys")
				}
			}
		})
	}
	wg.Wait()
	if all, _ := NewStore(dir).List(""); len(all) != DefaultLimits.PerDockerfile {
		t.Errorf("%d records", len(all))
	}
}

// Whether two builders are the same one.
func TestSameBuilder(t *testing.T) {
	tests := []struct {
		about string
		a, b  Builder
		want  bool
	}{
		{"nobody knows", Builder{}, Builder{}, false},
		{"only their names are known", Builder{Name: "b"}, Builder{Name: "b"}, false},
		{"one address", Builder{Address: "unix:///a"}, Builder{Name: "b", Address: "unix:///a"}, true},
		{"another address", Builder{Address: "unix:///a"}, Builder{Address: "unix:///b"}, false},
		{
			"another container of one engine",
			Builder{Address: "unix:///a", Node: "x"},
			Builder{Address: "unix:///a", Node: "y"},
			false,
		},
		{"one id", Builder{Address: "unix:///a", ID: "1"}, Builder{Address: "tcp://a", ID: "1"}, true},
		{
			"another daemon at the address",
			Builder{Address: "unix:///a", ID: "1"},
			Builder{Address: "unix:///a", ID: "2"},
			false,
		},
		{
			"a daemon that could not be asked",
			Builder{Address: "unix:///a", ID: "1"},
			Builder{Address: "unix:///a"},
			true,
		},
	}
	for _, test := range tests {
		if got := test.a.Is(test.b); got != test.want || test.b.Is(test.a) != test.want {
			t.Errorf("%s: %v", test.about, got)
		}
	}
}
