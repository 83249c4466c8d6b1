package buildcheck

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// plainPath is what stands in every kind of build file as it is, with and without quotes.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9._/][A-Za-z0-9._/@+-]*$`)

// Moved returns what changes in the build file at path once files and folders have other paths: the values of context
// and dockerfile that lead to them. now gives a path's new one, which is mostly the same. What cannot be changed is
// left.
func Moved(
	path string, text *source.Text, sections []buildfiles.Section, entries []buildfiles.Entry, now func(string) string,
) (edits []source.Edit, left []navigate.Left) {
	keep := func(span source.Span, why string) {
		if l := (navigate.Left{Line: text.LineAt(span.Start) + 1, Why: why}); !slices.Contains(left, l) {
			left = append(left, l)
		}
	}
	for i := range sections {
		section := &sections[i]
		for _, e := range Of(section, entries) {
			if e.Remote || e.Inline != "" && e.Context == "" {
				continue
			}
			for _, key := range []string{"context", "dockerfile"} {
				base, leads := e.Context, e.Dockerfile
				if key == "context" {
					base, leads = e.Dir, e.Context
				}
				v, ok := section.Value(key)
				switch {
				case leads == "":
					continue
				case key == "dockerfile" && !ok && now(leads) != filepath.Join(now(base), filepath.Base(leads)):
					keep(section.NameSpan, fmt.Sprintf("%s has no dockerfile to change", section.Name))
					continue
				case !ok:
					continue
				}
				if filepath.Join(base, v.Text) != leads && key == "context" {
					base = filepath.Dir(path) // of a file that another one includes
				}
				value, why := movedValue(v, base, leads, path, now)
				if why != "" {
					keep(v.KeySpan, why)
				}
				change := source.Edit{Span: v.Span, NewText: value}
				if value != v.Text && !slices.Contains(edits, change) {
					edits = append(edits, change)
				}
			}
		}
	}
	return edits, left
}

// movedValue is a value that leads from a folder to a path, or why it stays as it is.
func movedValue(v buildfiles.Value, base, leads, file string, now func(string) string) (value, why string) {
	then := now(base)
	if base == filepath.Dir(file) {
		then = filepath.Dir(now(file))
	}
	before, err := filepath.Rel(base, leads)
	after, failed := filepath.Rel(then, now(leads))
	absolute := filepath.IsAbs(v.Text)
	switch {
	case err != nil, failed != nil:
		return v.Text, ""
	case absolute && now(leads) == leads, !absolute && before == after:
		return v.Text, ""
	case !v.Literal || filepath.Clean(v.Text) != before && !absolute:
		return v.Text, "its " + v.Key + " may be named by a variable"
	case absolute:
		after = now(leads)
	}
	after = filepath.ToSlash(after)
	if strings.HasPrefix(v.Text, "./") && !strings.HasPrefix(after, "../") {
		after = "./" + after
	}
	if strings.HasSuffix(v.Text, "/") {
		after += "/"
	}
	if !plainPath.MatchString(after) {
		return v.Text, "the new name needs quotes"
	}
	return after, ""
}
