package cachemodel

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
)

// exportOf is the cache that a build exports, in which the results of some vertices are.
func exportOf(t *testing.T, vertices []remotecache.Vertex, results func(i int) bool) *remotecache.Config {
	t.Helper()
	var records []string
	contents := len(vertices)
	var more []string
	for i, v := range vertices {
		layers := ""
		if results(i) {
			layers = `"layers":[{"layer":0}],`
		}
		var inputs []string
		for _, in := range v.Inputs {
			link := fmt.Sprintf(`{"selector":%q,"link":%d}`, in.Selector, in.From)
			if in.From == remotecache.None {
				more = append(more, fmt.Sprintf(`{"digest":%q}`, remotecache.Sum([]byte(in.Content+"@-1"))))
				link = fmt.Sprintf(`{"link":%d}`, contents)
				contents++
			}
			inputs = append(inputs, "["+link+"]")
		}
		records = append(records, fmt.Sprintf(`{"digest":%q,%s"inputs":[%s]}`, remotecache.Sum([]byte(v.Digest+"@0")),
			layers, strings.Join(inputs, ",")))
	}
	text := fmt.Sprintf(`{"layers":[{"blob":"sha256:a","parent":-1}],"records":[%s]}`,
		strings.Join(append(records, more...), ","))
	c, err := remotecache.Parse([]byte(text), func(remotecache.Digest) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is in a cache that was read is cached; what is not says what the cache has instead. What nobody knows is
// neither.
func TestImporting(t *testing.T) {
	const text = "FROM node:22\nCOPY a.txt /app/\nRUN make\n"
	const image = "docker.io/library/node:22"
	known := map[string]Image{image: {Digest: "sha256:1", Env: []string{"PATH=/bin"}}}
	plan := func(text string, images map[string]Image, data string, mode uint32) *Plan {
		return NewPlan(Build{
			File: dockerfile.Parse(source.New(text), nil), Images: images,
			Context:  tree(map[string]testFile{"a.txt": {data: data, mode: fs.FileMode(mode)}}),
			Settings: Settings{Platform: "linux/amd64"},
		})
	}
	read := func(_ string, n *buildcontext.Node) (io.ReadCloser, error) {
		for _, text := range []string{"a", "b"} {
			if id, _ := n.Content(); id == buildcontext.HashContent([]byte(text)) {
				return io.NopCloser(strings.NewReader(text)), nil
			}
		}
		return nil, io.EOF
	}
	base := plan(text, known, "a", 0o644)
	all := func(int) bool { return true }
	for _, test := range []struct {
		name    string
		next    *Plan
		results func(int) bool
		want    []string // of each instruction: status, whether it is certain, and a part of the cause
	}{
		{"nothing changed", plan(text, known, "a", 0o644), all, []string{"cached", "cached", "cached"}},
		{"the file changed", plan(text, known, "b", 0o644), all,
			[]string{"cached", "rebuilt true a.txt was modified", "rebuilt true line 2 above"}},
		{"the umask is another one", plan(text, known, "a", 0o664), all,
			[]string{"cached", "rebuilt true a.txt has other permissions", "rebuilt true line 2"}},
		{"the image has moved", plan(text, map[string]Image{image: {Digest: "sha256:2", Env: []string{"PATH=/bin"}}}, "a",
			0o644), all, []string{"rebuilt true another digest", "rebuilt true base image", "rebuilt true line 2"}},
		{"the image's configuration is not known", plan(text, map[string]Image{image: {Digest: "sha256:1",
			DigestOnly: true}}, "a", 0o644), all, []string{"cached", "cached", "rebuilt false"}},
		{"the command was edited", plan("FROM node:22\nCOPY a.txt /app/\nRUN make all\n", known, "a", 0o644), all,
			[]string{"cached", "cached", "rebuilt true edited"}},
		{"the last step has no layers", plan(text, known, "a", 0o644), func(i int) bool { return i < 2 },
			[]string{"cached", "cached", "rebuilt true does not have its layers"}},
		{"a step below one that is there has none", plan(text, known, "a", 0o644), func(i int) bool { return i == 2 },
			[]string{"cached", "cached", "cached"}},
		{"a step below one that runs has none", plan(text+"RUN more\n", known, "a", 0o644),
			func(i int) bool { return i == 1 },
			[]string{"cached", "cached", "rebuilt true does not have its layers", "rebuilt true new"}},
	} {
		c := exportOf(t, base.Exact(read), test.results)
		held, err := Hold(Pasts(base)).Importing(Import{Cache: c, Contents: read}, test.next)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for i, s := range held.Compare(test.next) {
			got := string(s.Status)
			if s.Cause != nil {
				got += fmt.Sprintf(" %v %s", s.Certain, s.Cause.Detail)
			}
			status, cause, _ := strings.Cut(test.want[i], " ")
			certain, cause, _ := strings.Cut(cause, " ")
			if !strings.HasPrefix(got, strings.TrimSpace(status+" "+certain)) || !strings.Contains(got, cause) {
				t.Errorf("%s: line %d: got %q, want %q", test.name, s.Line, got, test.want[i])
			}
		}
	}
}

// The builds that are compared with need not be those of the cache: then what the cache has differently is named, and
// where it has nothing of them nothing is known.
func TestImportingAnother(t *testing.T) {
	images := map[string]Image{"docker.io/library/node:22": {Digest: "sha256:1", Env: []string{"PATH=/bin"}}}
	plan := func(text string, mode uint32) *Plan {
		return NewPlan(Build{
			File: dockerfile.Parse(source.New(text), nil), Images: images,
			Context:  tree(map[string]testFile{"a.txt": {data: "a", mode: fs.FileMode(mode)}}),
			Settings: Settings{Platform: "linux/amd64"},
		})
	}
	read := func(string, *buildcontext.Node) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("a")), nil
	}
	const text = "FROM node:22\nCOPY a.txt /app/\nRUN make\n"
	for _, test := range []struct {
		name, cached string
		mode         uint32
		line         int
		want         string // of the cause at that line
	}{
		{"the cache was made with another umask", text, 0o664, 2, "the cache has a.txt with mode 0644; here it is 0664"},
		{"the cache has another command", "FROM node:22\nCOPY a.txt /app/\nRUN other\n", 0o644, 3, "no such step"},
	} {
		now := plan(text, test.mode)
		c := exportOf(t, plan(test.cached, 0o644).Exact(read), func(int) bool { return true })
		held, err := Hold(Pasts(now)).Importing(Import{Cache: c, Contents: read}, now)
		if err != nil {
			t.Fatal(err)
		}
		s := held.Compare(now)[test.line-1]
		if s.Status != Rebuilt || s.Cause == nil || !strings.Contains(s.Cause.Detail, test.want) {
			t.Errorf("%s: got %+v %+v, want %q", test.name, s, s.Cause, test.want)
		}
	}
	other := exportOf(t, plan("FROM alpine\nRUN x\n", 0o644).Exact(read), func(int) bool { return true })
	if _, err := Hold(nil).Importing(Import{Cache: other, Contents: read}, plan(text, 0o644)); err == nil {
		t.Error("a cache that has nothing of the build is taken to be matched")
	}
}
