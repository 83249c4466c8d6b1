package remotecache

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// cache is one of a build "FROM image; COPY a /; RUN make", as BuildKit writes it: the RUN's layer is on the COPY's.
func cache(layersOfCopy string) string {
	image, files, run := Sum([]byte("image")), Sum([]byte("copy")), Sum([]byte("run"))
	return fmt.Sprintf(`{"layers":[{"blob":"sha256:base","parent":-1},{"blob":"sha256:copy"},
		{"blob":"sha256:run","parent":1}],
		"records":[{"digest":%q},{"digest":%q},
		{"digest":%q,%s"inputs":[[{"link":0}],[{"link":1}]]},
		{"digest":%q,"layers":[{"layer":2}],"inputs":[[{"selector":"sel","link":2}]]}]}`,
		record(image, 0), record(Sum([]byte("content")), None), record(files, 0), layersOfCopy, record(run, 0))
}

func vertices(content string) []Vertex {
	return []Vertex{
		{Digest: Sum([]byte("image"))},
		{Digest: Sum([]byte("copy")), Inputs: []Input{
			{From: 0}, {From: None, Selector: "path", Content: Sum([]byte(content))}}},
		{Digest: Sum([]byte("run")), Inputs: []Input{{From: 1, Selector: "sel"}}},
	}
}

func TestMatch(t *testing.T) {
	all := []string{"sha256:base", "sha256:copy", "sha256:run"}
	withLayer := `"layers":[{"layer":1}],`
	for _, test := range []struct {
		name     string
		text     string
		blobs    []string
		vertices []Vertex
		want     string // by vertex: whether it is found, and with a result
	}{
		{"all is there but a base image's own layers", cache(withLayer), all, vertices("content"),
			"[found found+result found+result]"},
		{"mode=min: the key of the COPY without its layer", cache(""), all, vertices("content"),
			"[found found found+result]"},
		{"another content: nothing stands on it", cache(withLayer), all, vertices("other"), "[found - -]"},
		{"a layer below is not in the manifest", cache(withLayer), []string{"sha256:base", "sha256:run"},
			vertices("content"), "[found found found]"},
		{"a key that is not known is never found", cache(withLayer), all,
			append([]Vertex{{}}, vertices("content")[1:]...), "[- - -]"},
		{"another path of the input", cache(withLayer), all,
			append(vertices("content")[:2],
				Vertex{Digest: Sum([]byte("run")), Inputs: []Input{{From: 1, Selector: "x"}}}),
			"[found found+result -]"},
	} {
		c, err := Parse([]byte(test.text), func(blob Digest) bool { return slices.Contains(test.blobs, string(blob)) })
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var got []string
		for _, m := range c.Match(test.vertices) {
			text := "-"
			if len(m.Records) > 0 {
				text = "found"
			}
			if m.Result {
				text += "+result"
			}
			got = append(got, text)
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: got %v, want %s", test.name, got, test.want)
		}
	}
}

// What cannot be a cache that BuildKit imports is an error, and never ends in a loop or a crash.
func TestParse(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no JSON", "no", "cannot be read"},
		{"larger than BuildKit imports", strings.Repeat(" ", MaxConfig+1), "larger than"},
		{"a link to nothing", `{"records":[{"digest":"x","inputs":[[{"link":7}]]}]}`, "not there"},
		{"an input without links", `{"records":[{"digest":"x","inputs":[[]]}]}`, "without a link"},
		{"layers that stand on each other", `{"layers":[{"blob":"a","parent":1},{"blob":"b"}]}`, "circle"},
		{"a layer on itself", `{"layers":[{"blob":"a"}]}`, "circle"},
		{"a layer on one that is not there", `{"layers":[{"blob":"a","parent":7}]}`, "not there"},
		{"a result that is not there", `{"records":[{"digest":"x","layers":[{"layer":-5}]}]}`, "not there"},
		{"a chain of what is not there", `{"records":[{"digest":"x","chains":[{"layers":[3]}]}]}`, "not there"},
		{"records that are linked in a circle",
			`{"records":[{"digest":"x","inputs":[[{"link":1}]]},{"digest":"y","inputs":[[{"link":0}]]}]}`, "circle"},
	} {
		_, err := Parse([]byte(test.text), func(Digest) bool { return true })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", test.name, err, test.want)
		}
	}
}

// A RUN whose one mount is its root has the key of a RUN without mounts, as in older versions of BuildKit.
func TestOneMountIsLeftOut(t *testing.T) {
	e := Exec{Meta: Meta{Args: []string{"x"}, Cwd: "/"}}
	p := Platform{OS: "linux", Arch: "amd64"}
	alone := e.Digest(p)
	e.Mounts = []Mount{{Dest: "/"}}
	if e.Digest(p) != alone {
		t.Error("the root alone is part of the key")
	}
	e.Mounts = append(e.Mounts, Mount{Dest: "/tmp", Type: TmpfsMount})
	if e.Digest(p) == alone {
		t.Error("a second mount is no part of the key")
	}
}

// An image's records stand on its layers, and several caches have what each of them has: a step that is found in one
// is not found upon a step of another.
func TestInlineAndJoined(t *testing.T) {
	image, files, run := Sum([]byte("image")), Sum([]byte("copy")), Sum([]byte("run"))
	const copied = `[{"digest":%q},{"digest":%q,"layers":[{"layer":1}],"inputs":[[{"link":0}],[{"link":2}]]},
		{"digest":%q}]`
	inline, err := ParseInline(fmt.Appendf(nil, copied, record(image, 0), record(files, 0),
		record(Sum([]byte("content")), None)), []Digest{"sha256:base", "sha256:copy"})
	if err != nil {
		t.Fatal(err)
	}
	const runs = `{"records":[{"digest":"x"},{"digest":%q,"inputs":[[{"selector":"sel","link":0}]]}]}`
	alone, err := Parse(fmt.Appendf(nil, runs, record(run, 0)), nil)
	if err != nil {
		t.Fatal(err)
	}
	found := Join([]*Config{alone, inline}).Match(vertices("content"))
	if len(found[0].Records) != 1 || !found[1].Result || len(found[2].Records) != 0 {
		t.Errorf("got %+v: want the image, the COPY with its layers, and no RUN", found)
	}
	if _, err := ParseInline([]byte(`[{"digest":"x","layers":[{"layer":2}]}]`), []Digest{"a"}); err == nil {
		t.Error("a layer that the image does not have is taken")
	}
}

// BenchmarkCache reads the largest cache that BuildKit imports, and looks up a build of all its steps.
func BenchmarkCache(b *testing.B) {
	const steps = 3200
	var layers, records []string
	var build []Vertex
	for i := range steps {
		d := Sum(fmt.Append(nil, i))
		v := Vertex{Digest: d}
		inputs := ""
		if i > 0 {
			inputs = fmt.Sprintf(`,"inputs":[[{"selector":"sha256:%064d","link":%d}]]`, i, i-1)
			v.Inputs = []Input{{From: i - 1, Selector: Digest(fmt.Sprintf("sha256:%064d", i))}}
		}
		layers = append(layers, fmt.Sprintf(`{"blob":%q,"parent":%d}`, d, i-1))
		records = append(records, fmt.Sprintf(`{"digest":%q,"layers":[{"layer":%d}]%s}`, record(d, 0), i, inputs))
		build = append(build, v)
	}
	text := []byte(fmt.Sprintf(`{"layers":[%s],"records":[%s]}`, strings.Join(layers, ","), strings.Join(records, ",")))
	if len(text) > MaxConfig || len(text) < MaxConfig*9/10 {
		b.Fatalf("the cache has %d bytes", len(text))
	}
	for b.Loop() {
		c, err := Parse(text, func(Digest) bool { return true })
		if err != nil {
			b.Fatal(err)
		}
		if m := c.Match(build); !m[steps-1].Result {
			b.Fatal("the last step is not found")
		}
	}
}
