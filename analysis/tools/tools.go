// Package tools is the one table of the programs that builds run: what their commands do, which files of a project they
// read and write, and where they keep what they fetched.
//
// Each row says where what stands in it is from, and for which versions that was looked up. What is not in a row is not
// known: who asks must then take everything for possible. The package is data and look-ups; it must not know
// Dockerfiles or shells.
package tools

import (
	"path"
	"slices"
	"strings"
)

// Work is a kind of command.
type Work string

// The kinds of commands.
const (
	Packages     Work = "system packages"
	Dependencies Work = "dependencies"
	Global       Work = "named packages"
	Compile      Work = "compile"
	Test         Work = "test"
	Download     Work = "download"
	Light        Work = "light"
	Other        Work = "other"
)

// Tool is a program, or several of one kind.
type Tool struct {
	Name     string   // for people
	Programs []string // without their directories
	Source   string   // where what stands here is from
	Versions string   // for which it was looked up
	Verbs    []Verb   // the first that fits counts
	Caches   []Cache
	NoKeep   string // the option by which it keeps nothing
}

// Verb is a command of a tool.
type Verb struct {
	Words     []string // any of them; "" stands for no word, "*" for any
	Work      Work
	Downloads bool
	// Manifests are the files that it reads in its working directory, whether it is told to or not. Without the first
	// one it fails.
	Manifests []string
	// Config are other files that it reads there if they are there, as patterns of COPY's that match nothing else.
	Config []string
	// Writes are what it makes or changes there; directories end with "/".
	Writes []string
	// Locks are files that it may write anew in another form, though nothing in them changes.
	Locks []string
	// Named says that with names of packages as arguments it reads none of that.
	Named bool
}

// Cache is a directory in which root keeps what a tool fetched or made.
type Cache struct {
	Dir string
	// Safe says that the tool does the same with this directory full, empty or old, so that a cache mount changes no
	// image.
	Safe   bool
	Locked bool // two builds at a time must not use it
	Needed bool // what later steps need lies in it: with a mount it is not in the image
}

// Of gives the tool that a program belongs to, nil if it is in no row.
func Of(program string) *Tool {
	program = path.Base(program)
	for i := range table {
		if slices.Contains(table[i].Programs, program) {
			return &table[i]
		}
	}
	return nil
}

// Verb gives what a tool does with these arguments: by the first that says anything, since options may have values, and
// a build tool's goals come in any order. It is nil where that is not known.
func (t *Tool) Verb(args []string) *Verb {
	for _, arg := range append(args[:len(args):len(args)], "*") {
		for i := range t.Verbs {
			v := &t.Verbs[i]
			// Scripts are named build:prod or build-docker.
			if slices.Contains(v.Words, arg) ||
				arg != "*" && slices.Contains(v.Words, arg[:max(0, strings.IndexAny(arg+":", ":-_"))]) {
				return v
			}
		}
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		for i := range t.Verbs {
			if slices.Contains(t.Verbs[i].Words, "") {
				return &t.Verbs[i]
			}
		}
	}
	return nil
}

// Named gives a verb by its name, nil if there is none.
func (t *Tool) Named(word string) *Verb {
	for i := range t.Verbs {
		if slices.Contains(t.Verbs[i].Words, word) {
			return &t.Verbs[i]
		}
	}
	return nil
}

// IsManifest reports whether a file of this name belongs to what package managers read: it changes much less often than
// sources do.
func IsManifest(name string) bool {
	return ManifestOf(name) != nil
}

// ManifestOf gives the tool that reads a file of this name, nil if none does.
func ManifestOf(name string) *Tool {
	first := len(table)
	if i, ok := manifests.names[name]; ok {
		first = i
	}
	for _, p := range manifests.patterns {
		if p.tool >= first {
			break
		}
		if ok, _ := path.Match(p.pattern, name); ok {
			first = p.tool
		}
	}
	if first == len(table) {
		return nil
	}
	return &table[first]
}

// manifests says for the names of files which tool, by its index in the table, is the first to read them.
var manifests = manifestIndex()

type manifestNames struct {
	names    map[string]int
	patterns []manifestPattern // by the tool
}

type manifestPattern struct {
	pattern string
	tool    int
}

func manifestIndex() manifestNames {
	index := manifestNames{names: map[string]int{}}
	for i := range table {
		for _, v := range table[i].Verbs {
			for _, name := range slices.Concat(v.Manifests, v.Config, v.Locks) {
				if strings.ContainsAny(name, `*?[\`) {
					index.patterns = append(index.patterns, manifestPattern{name, i})
				} else if _, ok := index.names[name]; !ok {
					index.names[name] = i
				}
			}
		}
	}
	return index
}
