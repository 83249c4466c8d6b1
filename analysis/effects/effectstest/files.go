// Package effectstest has a build context for tests.
package effectstest

import (
	"path"
	"slices"
	"strings"
)

// Files is a build context in memory: the names of its files, with their contents. It implements effects.Context. What
// it does not have is nowhere, so that nothing but its files ever comes into a build.
type Files map[string]string

// List gives the names in a directory; those of directories end with a slash.
func (f Files) List(dir string) (names []string) {
	above := strings.TrimPrefix(path.Clean(dir)+"/", "./")
	for name := range f {
		if rest, ok := strings.CutPrefix(name, above); ok {
			first, _, deeper := strings.Cut(rest, "/")
			if deeper {
				first += "/"
			}
			names = append(names, first)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Read gives the content of a file.
func (f Files) Read(file string) ([]byte, bool) {
	text, ok := f[file]
	return []byte(text), ok
}

// Excluded is true of everything: no other file is in any build context.
func (Files) Excluded(string) bool { return true }

// Keeps is false: there is no ignore file.
func (Files) Keeps(string) bool { return false }
