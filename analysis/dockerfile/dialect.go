package dockerfile

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Dialect is which program reads the file: the frontend that "# syntax=" names, or the builder's own.
type Dialect struct {
	// Reference is the image that "# syntax=" names, "" if there is none: the builder's own frontend reads the file
	// then.
	Reference string
	Span      source.Span // of Reference; empty where the file has no such directive of the usual form
	// Foreign says that Reference is no image of docker/dockerfile, so that nobody here knows the file's language.
	Foreign bool
	// Major and Minor are the version that Reference names, each -1 where it names none and the tag may move.
	Major, Minor int
	// Labs says that the frontend has what is not released yet: the channels labs, experimental and upstream.
	Labs bool
	// Pinned says that Reference has a digest.
	Pinned bool
}

var frontendTag = regexp.MustCompile(`^(?:v?([0-9]+)(?:\.([0-9]+))?(?:\.[0-9]+)?)?-?([a-z].*)?$`)

// Dialect returns which program reads the file.
func (f *File) Dialect() Dialect {
	d := Dialect{Major: -1, Minor: -1}
	for _, directive := range f.Directives {
		if directive.Name.Text == "syntax" {
			d.Reference, _, _ = strings.Cut(directive.Value.Text, " ")
			d.Span = source.Span{Start: directive.Value.Span.Start, End: directive.Value.Span.Start + len(d.Reference)}
			break
		}
	}
	if text := f.Text.String(); d.Reference == "" && mayName(text) {
		d.Reference, _, _, _ = parser.DetectSyntax([]byte(text)) // behind "#!", as "// syntax=", as JSON
	}
	if d.Reference == "" {
		return d
	}
	name, digest, pinned := strings.Cut(d.Reference, "@")
	d.Pinned = pinned && digest != ""
	tag := ""
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name, tag = name[:colon], name[colon+1:]
	}
	repository := "/" + name
	switch {
	case strings.HasSuffix(repository, "/docker/dockerfile"):
	case strings.HasSuffix(repository, "/docker/dockerfile-upstream"):
		d.Labs = true
	default:
		d.Foreign = true
		return d
	}
	m := frontendTag.FindStringSubmatch(tag)
	if m == nil {
		return d
	}
	if number, err := strconv.Atoi(m[1]); err == nil {
		d.Major = number
		if number, err := strconv.Atoi(m[2]); err == nil {
			d.Minor = number
		}
	}
	d.Labs = d.Labs || m[3] != "" && m[3] != "latest"
	return d
}

// mayName reports whether a text may name its frontend in another way than by the usual directive.
func mayName(text string) bool {
	text = strings.TrimPrefix(text, byteOrderMark)
	return strings.HasPrefix(text, "#!") || strings.HasPrefix(text, "//") || strings.HasPrefix(text, "{")
}

// Before reports whether the dialect's version is known to be older than the given one. A tag that moves, such as "1",
// is taken for the newest.
func (d Dialect) Before(major, minor int) bool {
	return !d.Foreign && d.Major >= 0 && (d.Major < major || d.Major == major && d.Minor >= 0 && d.Minor < minor)
}
