// Package imagediff compares two container images: the files that a container would see and the configuration that it
// would start with. It says whether two builds made the same image although their layers are not the same.
//
// Not compared are times (of files and of the image), the history, how the files are spread over layers, the sizes of
// directories, and the order of environment variables.
//
// The package is pure but for reading the archives that it is given. It must not know builders, Dockerfiles or caches.
package imagediff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Image is what one build made for one platform.
type Image struct {
	Platform string           // "linux/amd64"
	Files    map[string]Entry // by path without leading slash; the root is "."
	// Config is the image's configuration as JSON decodes it, without what is not compared.
	Config map[string]any
}

// Entry is one file of an image.
type Entry struct {
	Kind    string // "file", "directory", "symlink", "fifo", "character device", "block device"
	Mode    int64  // permissions with setuid, setgid and sticky bits
	UID     int
	GID     int
	Digest  string            // of a file's content
	Target  string            // of a symlink
	Device  string            // "major:minor" of a device
	Links   string            // the other names of the same file, in order
	Xattrs  map[string]string // extended attributes
	layer   int
	content int // identifies the file that hard links share
}

// Difference is one thing that two images do not have in common.
type Difference struct {
	Where string // "/app/main.js" or "config.config.Env.PATH"
	// "existence", "kind", "content", "mode", "owner", "target", "device", "hard links", "attributes" or "value"
	What   string
	Detail string // "mode 644 in the first, 755 in the second"
}

func (d Difference) String() string { return d.Where + ": " + d.Detail }

// Compare returns what differs between two builds' images, in the order of paths, files before configuration. Images
// are matched by platform.
func Compare(a, b []Image) []Difference {
	var out []Difference
	of := func(images []Image, platform string) *Image {
		for i := range images {
			if images[i].Platform == platform {
				return &images[i]
			}
		}
		return nil
	}
	for i := range a {
		other := of(b, a[i].Platform)
		if other == nil {
			out = append(out, Difference{a[i].Platform, "existence", "only in the first"})
			continue
		}
		out = append(out, compareFiles(a[i].Files, other.Files)...)
		out = append(out, compareValues("config", a[i].Config, other.Config)...)
	}
	for i := range b {
		if of(a, b[i].Platform) == nil {
			out = append(out, Difference{b[i].Platform, "existence", "only in the second"})
		}
	}
	return out
}

func compareFiles(a, b map[string]Entry) []Difference {
	paths := slices.Sorted(maps.Keys(a))
	for path := range b {
		if _, ok := a[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var out []Difference
	for _, path := range paths {
		where := "/" + strings.TrimPrefix(path, ".")
		x, inA := a[path]
		y, inB := b[path]
		switch {
		case !inB:
			out = append(out, Difference{where, "existence", x.Kind + " only in the first"})
		case !inA:
			out = append(out, Difference{where, "existence", y.Kind + " only in the second"})
		default:
			out = append(out, compareEntries(where, x, y)...)
		}
	}
	return out
}

// compareEntries returns one difference for each property.
func compareEntries(where string, a, b Entry) []Difference {
	var out []Difference
	differ := func(what, prefix string, x, y any) {
		out = append(out, Difference{where, what, fmt.Sprintf("%s%v in the first, %v in the second", prefix, x, y)})
	}
	switch {
	case a.Kind != b.Kind:
		differ("kind", "", a.Kind, b.Kind)
	case a.Digest != b.Digest:
		out = append(out, Difference{where, "content", "the content differs"})
	}
	if a.Mode != b.Mode {
		differ("mode", "mode ", fmt.Sprintf("%o", a.Mode), fmt.Sprintf("%o", b.Mode))
	}
	if a.UID != b.UID || a.GID != b.GID {
		differ("owner", "owner ", fmt.Sprintf("%d:%d", a.UID, a.GID), fmt.Sprintf("%d:%d", b.UID, b.GID))
	}
	if a.Target != b.Target {
		differ("target", "link to ", cmp.Or(a.Target, "nothing"), cmp.Or(b.Target, "nothing"))
	}
	if a.Device != b.Device {
		differ("device", "device ", cmp.Or(a.Device, "none"), cmp.Or(b.Device, "none"))
	}
	if a.Links != b.Links {
		differ("hard links", "hard links ", cmp.Or(a.Links, "none"), cmp.Or(b.Links, "none"))
	}
	if !maps.Equal(a.Xattrs, b.Xattrs) {
		differ("attributes", "extended attributes ", a.Xattrs, b.Xattrs)
	}
	return out
}

func compareValues(where string, a, b any) []Difference {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	x, xIsMap := a.(map[string]any)
	y, yIsMap := b.(map[string]any)
	if !xIsMap || !yIsMap {
		return []Difference{{where, "value", fmt.Sprintf("%s in the first, %s in the second", printed(a), printed(b))}}
	}
	keys := slices.Collect(maps.Keys(x))
	for key := range y {
		if _, ok := x[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var out []Difference
	for _, key := range keys {
		out = append(out, compareValues(where+"."+key, x[key], y[key])...)
	}
	return out
}

func printed(value any) string {
	if value == nil {
		return "nothing"
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
