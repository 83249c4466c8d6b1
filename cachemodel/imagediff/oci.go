package imagediff

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// ReadOCI reads the images of an OCI layout in a tar archive, as `--output type=oci,dest=FILE` writes it: one for each
// platform, without attestations. The error names the part that is missing or malformed.
func ReadOCI(file string) ([]Image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	images, err := readOCI(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return images, nil
}

func readOCI(f io.ReadSeeker) ([]Image, error) {
	a, err := index(f)
	if err != nil {
		return nil, err
	}
	var top ocispecs.Index
	if err := a.decode("index.json", &top); err != nil {
		return nil, err
	}
	var images []Image
	var walk func(list []ocispecs.Descriptor, depth int) error
	walk = func(list []ocispecs.Descriptor, depth int) error {
		for _, d := range list {
			name := blobName(d)
			if strings.HasSuffix(d.MediaType, "index.v1+json") ||
				strings.HasSuffix(d.MediaType, "manifest.list.v2+json") {
				var nested ocispecs.Index
				if depth > 4 {
					return errors.New("the indexes are nested too deeply")
				}
				if err := a.decode(name, &nested); err != nil {
					return err
				}
				if err := walk(nested.Manifests, depth+1); err != nil {
					return err
				}
				continue
			}
			if d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" {
				continue
			}
			image, err := a.image(name)
			if err != nil {
				return err
			}
			images = append(images, *image)
		}
		return nil
	}
	if err := walk(top.Manifests, 0); err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, errors.New("there is no image in the archive")
	}
	return images, nil
}

// archive is a tar archive whose files can be read in any order.
type archive struct {
	f     io.ReadSeeker
	files map[string]section
}

type section struct{ offset, size int64 }

func index(f io.ReadSeeker) (*archive, error) {
	a := &archive{f, map[string]section{}}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		at, err := f.Seek(0, io.SeekCurrent) // a tar.Reader reads headers only, never ahead
		if err != nil {
			return nil, err
		}
		a.files[path.Clean(h.Name)] = section{at, h.Size}
	}
}

func (a *archive) open(name string) (io.Reader, error) {
	s, ok := a.files[name]
	if !ok {
		return nil, fmt.Errorf("%s is not in the archive", name)
	}
	if _, err := a.f.Seek(s.offset, io.SeekStart); err != nil {
		return nil, err
	}
	return io.LimitReader(a.f, s.size), nil
}

func (a *archive) decode(name string, into any) error {
	r, err := a.open(name)
	if err != nil {
		return err
	}
	if err := json.NewDecoder(r).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func blobName(d ocispecs.Descriptor) string {
	algorithm, hash, _ := strings.Cut(string(d.Digest), ":")
	return "blobs/" + algorithm + "/" + hash
}

func (a *archive) image(name string) (*Image, error) {
	var manifest ocispecs.Manifest
	if err := a.decode(name, &manifest); err != nil {
		return nil, err
	}
	config := map[string]any{}
	if err := a.decode(blobName(manifest.Config), &config); err != nil {
		return nil, err
	}
	t := tree{files: map[string]Entry{}}
	for i, layer := range manifest.Layers {
		r, err := a.open(blobName(layer))
		if err != nil {
			return nil, err
		}
		if err := t.applyLayer(i, layer.MediaType, r); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	text := func(key string) string { s, _ := config[key].(string); return s }
	platform := text("os") + "/" + text("architecture")
	if v := text("variant"); v != "" {
		platform += "/" + v
	}
	return &Image{Platform: platform, Files: t.finish(), Config: compared(config)}, nil
}

// compared leaves out of a configuration what is not compared.
func compared(config map[string]any) map[string]any {
	for _, key := range []string{"created", "history", "rootfs"} {
		delete(config, key)
	}
	for key := range config {
		if strings.HasPrefix(key, "moby.buildkit.") {
			delete(config, key)
		}
	}
	inner, _ := config["config"].(map[string]any)
	if list, ok := inner["Env"].([]any); ok {
		env := map[string]any{}
		for _, item := range list {
			s, _ := item.(string)
			name, value, _ := strings.Cut(s, "=")
			env[name] = value
		}
		inner["Env"] = env
	}
	return config
}

// tree is the file system of an image while its layers are applied.
type tree struct {
	files map[string]Entry
	next  int // the identity of the next file
}

func (t *tree) applyLayer(n int, mediaType string, r io.Reader) error {
	switch {
	case strings.HasSuffix(mediaType, "gzip"):
		z, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		defer z.Close()
		r = z
	case strings.HasSuffix(mediaType, "zstd"):
		z, err := zstd.NewReader(r)
		if err != nil {
			return err
		}
		defer z.Close()
		r = z
	}
	layer := tar.NewReader(r)
	for {
		h, err := layer.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.apply(n, h, layer); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

const whiteout = ".wh." // https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts

func (t *tree) apply(n int, h *tar.Header, content io.Reader) error {
	name := path.Clean(strings.TrimPrefix(h.Name, "/"))
	dir, base := path.Split(name)
	if base == whiteout+whiteout+".opq" {
		t.remove(path.Clean(dir), n, true)
		return nil
	}
	if hidden, ok := strings.CutPrefix(base, whiteout); ok {
		t.remove(path.Join(dir, hidden), n, false)
		return nil
	}
	e := Entry{Mode: h.Mode & 0o7777, UID: h.Uid, GID: h.Gid, layer: n}
	for key, value := range h.PAXRecords {
		if attribute, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			if e.Xattrs == nil {
				e.Xattrs = map[string]string{}
			}
			e.Xattrs[attribute] = value
		}
	}
	t.next++
	e.content = t.next
	switch h.Typeflag {
	case tar.TypeReg:
		e.Kind = "file"
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			return err
		}
		e.Digest = hex.EncodeToString(sum.Sum(nil))
	case tar.TypeLink:
		target := path.Clean(strings.TrimPrefix(h.Linkname, "/"))
		first, ok := t.files[target]
		if !ok {
			return fmt.Errorf("is a hard link to %s, which is not there", target)
		}
		e = first
		e.layer = n
	case tar.TypeSymlink:
		e.Kind, e.Target, e.Mode = "symlink", h.Linkname, 0
	case tar.TypeDir:
		e.Kind = "directory"
	case tar.TypeFifo:
		e.Kind = "fifo"
	case tar.TypeChar, tar.TypeBlock:
		e.Kind = "character device"
		if h.Typeflag == tar.TypeBlock {
			e.Kind = "block device"
		}
		e.Device = fmt.Sprintf("%d:%d", h.Devmajor, h.Devminor)
	default:
		return fmt.Errorf("has the unknown type %q", h.Typeflag)
	}
	if old, ok := t.files[name]; ok && old.Kind == "directory" && e.Kind != "directory" {
		t.remove(name, n+1, false) // with its content
	}
	t.files[name] = e
	return nil
}

// remove takes away what layers before n have put at name: with keepSelf only what lies beneath it.
func (t *tree) remove(name string, n int, keepSelf bool) {
	if e, ok := t.files[name]; ok && !keepSelf && e.layer < n {
		delete(t.files, name)
	} else if !ok && !keepSelf {
		return
	}
	prefix := name + "/"
	for p, e := range t.files {
		if e.layer < n && (name == "." && p != "." || strings.HasPrefix(p, prefix)) {
			delete(t.files, p)
		}
	}
}

// finish names the hard links of each file.
func (t *tree) finish() map[string]Entry {
	names := map[int][]string{}
	for name, e := range t.files {
		names[e.content] = append(names[e.content], "/"+name)
	}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		e := t.files[name]
		others := slices.DeleteFunc(
			slices.Clone(names[e.content]),
			func(other string) bool { return other == "/"+name },
		)
		slices.Sort(others)
		e.Links = strings.Join(others, " ")
		e.layer, e.content = 0, 0
		t.files[name] = e
	}
	return t.files
}
