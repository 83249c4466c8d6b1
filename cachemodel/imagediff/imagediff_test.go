package imagediff

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entry writes one entry of a layer in a word or two: "app/ 755", "app/x=content 644 5:6", "l->target", "h=>app/x".
func entry(t *testing.T, w *tar.Writer, text string) {
	t.Helper()
	fields := strings.Fields(text)
	h := &tar.Header{Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	name, content := fields[0], ""
	switch {
	case strings.Contains(name, "=>"):
		name, h.Linkname, _ = strings.Cut(name, "=>")
		h.Typeflag = tar.TypeLink
	case strings.Contains(name, "->"):
		name, h.Linkname, _ = strings.Cut(name, "->")
		h.Typeflag = tar.TypeSymlink
	case strings.HasSuffix(name, "/"):
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
	default:
		name, content, _ = strings.Cut(name, "=")
	}
	h.Name, h.Size = name, int64(len(content))
	for _, f := range fields[1:] {
		if key, value, ok := strings.Cut(f, "="); ok {
			h.PAXRecords = map[string]string{"SCHILY.xattr." + key: value}
		} else if strings.Contains(f, ":") {
			scan(t, f, "%d:%d", &h.Uid, &h.Gid)
		} else {
			scan(t, f, "%o", &h.Mode)
		}
	}
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
}

func scan(t *testing.T, text, format string, into ...any) {
	t.Helper()
	if _, err := fmt.Sscanf(text, format, into...); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
}

// layout writes an OCI archive of one image: its layers, bottom first, entries separated by semicolons.
func layout(t *testing.T, config string, layers ...string) string {
	t.Helper()
	blobs := map[string][]byte{}
	add := func(mediaType string, data []byte) string {
		sum := fmt.Sprintf("%x", sha256.Sum256(data))
		blobs["blobs/sha256/"+sum] = data
		return fmt.Sprintf(`{"mediaType":%q,"digest":"sha256:%s","size":%d}`, mediaType, sum, len(data))
	}
	var descriptors []string
	for _, layer := range layers {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for e := range strings.SplitSeq(layer, ";") {
			entry(t, w, strings.TrimSpace(e))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		descriptors = append(descriptors, add("application/vnd.oci.image.layer.v1.tar+gzip", b.Bytes()))
	}
	inner := `{"os":"linux","architecture":"amd64","created":"2020-01-01T00:00:00Z","history":[{}],"rootfs":{},"config":` + config + `}`
	manifest := add(
		"application/vnd.oci.image.manifest.v1+json",
		fmt.Appendf(
			nil,
			`{"config":%s,"layers":[%s]}`,
			add("application/vnd.oci.image.config.v1+json", []byte(inner)),
			strings.Join(descriptors, ","),
		),
	)
	blobs["index.json"] = fmt.Appendf(nil, `{"manifests":[%s]}`, manifest)

	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range blobs {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644,
			Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCompare(t *testing.T) {
	type image struct {
		config string
		layers []string
	}
	plain := func(layers ...string) image { return image{`{}`, layers} }
	tests := []struct {
		prose string
		a, b  image
		want  string
	}{
		{"the same files in other layers", plain("a/ ; a/x=1", "b=2"), plain("b=2", "a/ ; a/x=1"), ""},
		{"a file that a later layer overwrites with what the other image has", plain("x=1", "x=2"), plain("x=2"), ""},
		{"another content", plain("x=1"), plain("x=2"), "/x: the content differs"},
		{"a file more", plain("x=1"), plain("x=1", "y=1"), "/y: file only in the second"},
		{"a file that was removed", plain("d/ ; d/x=1", "d/.wh.x="), plain("d/"), ""},
		{
			"a directory that was removed, with what is in it",
			plain("d/ ; d/e/ ; d/e/x=1", ".wh.d="),
			plain("y=1", ".wh.y="),
			"",
		},
		{
			"a directory that was emptied and filled again in one layer",
			plain("d/ ; d/x=1", "d/ ; d/.wh..wh..opq= ; d/y=2"),
			plain("d/ ; d/y=2"),
			"",
		},
		{"a directory that a file has replaced", plain("d/ ; d/x=1", "d=1"), plain("d=1"), ""},
		{"a mode", plain("x=1 755"), plain("x=1"), "/x: mode 755 in the first, 644 in the second"},
		{"the setuid bit", plain("x=1 4755"), plain("x=1 755"), "/x: mode 4755 in the first, 755 in the second"},
		{"an owner", plain("x=1 5:6"), plain("x=1"), "/x: owner 5:6 in the first, 0:0 in the second"},
		{"a directory's owner", plain("d/ 5:5"), plain("d/"), "/d: owner 5:5 in the first, 0:0 in the second"},
		{"where a link points to", plain("l->a"), plain("l->b"), "/l: link to a in the first, b in the second"},
		{
			"a link in place of a file",
			plain("l->a"),
			plain("l=a 0"),
			"/l: symlink in the first, file in the second\n/l: link to a in the first, nothing in the second",
		},
		{
			"a hard link and a copy",
			plain("x=1; y=>x"),
			plain("x=1; y=1"),
			"/x: hard links /y in the first, none in the second\n/y: hard links /x in the first, none in the second",
		},
		{"a hard link that was broken by writing", plain("x=1; y=>x", "y=1"), plain("x=1; y=1"), ""},
		{
			"an extended attribute",
			plain("x=1 user.a=1"),
			plain("x=1"),
			"/x: extended attributes map[user.a:1] in the first, map[] in the second",
		},
		{
			"variables in another order",
			image{`{"Env":["A=1","B=2"]}`, []string{"x=1"}},
			image{`{"Env":["B=2","A=1"]}`, []string{"x=1"}},
			"",
		},
		{
			"a variable's value",
			image{`{"Env":["A=1"]}`, []string{"x=1"}},
			image{`{"Env":["A=2"]}`, []string{"x=1"}},
			`config.config.Env.A: "1" in the first, "2" in the second`,
		},
		{
			"a user that one of them does not set",
			image{`{"User":"app"}`, []string{"x=1"}},
			plain("x=1"),
			`config.config.User: "app" in the first, nothing in the second`,
		},
		{
			"a command, as a list",
			image{`{"Cmd":["a","b"]}`, []string{"x=1"}},
			image{`{"Cmd":["b","a"]}`, []string{"x=1"}},
			`config.config.Cmd: ["a","b"] in the first, ["b","a"] in the second`,
		},
	}
	for _, test := range tests {
		t.Run(test.prose, func(t *testing.T) {
			read := func(i image) []Image {
				images, err := ReadOCI(layout(t, i.config, i.layers...))
				if err != nil {
					t.Fatal(err)
				}
				return images
			}
			var got []string
			for _, d := range Compare(read(test.a), read(test.b)) {
				got = append(got, d.String())
			}
			if strings.Join(got, "\n") != test.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), test.want)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	good, err := os.ReadFile(layout(t, `{}`, "x=1"))
	if err != nil {
		t.Fatal(err)
	}
	empty, _ := json.Marshal(map[string]any{"manifests": []any{}})
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "index.json", Size: int64(len(empty)), Typeflag: tar.TypeReg})
	_, _ = w.Write(empty)
	_ = w.Close()
	tests := []struct {
		prose string
		data  []byte
		want  string
	}{
		{"nothing", nil, "index.json is not in the archive"},
		{"no archive", []byte(strings.Repeat("no archive ", 100)), "header"},
		{"an archive that ends early", good[:len(good)-3000], ""},
		{"no image", b.Bytes(), "there is no image"},
	}
	for _, test := range tests {
		t.Run(test.prose, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image.tar")
			if err := os.WriteFile(file, test.data, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadOCI(file); err == nil || !strings.Contains(err.Error(), test.want) ||
				!strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want an error with the file and %q", err, test.want)
			}
		})
	}
}
