// Package reference is the Dockerfile language as data: every instruction, flag, mount, directive and predefined
// variable with what an editor shows about it, in words of our own.
//
// It is plain tables. It must not know any particular Dockerfile, nor how its texts are shown. Texts are Markdown.
package reference

import (
	"cmp"
	"slices"
	"strings"
)

// page is the reference that the entries' links lead to.
const page = "https://docs.docker.com/reference/dockerfile/"

// Entry is one word of the language.
type Entry struct {
	Name    string
	Aliases []string // other names for the same
	Summary string   // one line, without a full stop
	Text    string   // a paragraph, perhaps several
	Syntax  []string // the forms in which it is written
	Example string   // lines of a Dockerfile
	Since   string   // the first version of the Dockerfile frontend that has it, "" if all in use do
	Anchor  string   // of the part of the reference about it; "" is that of what it belongs to

	Value  string  // what stands behind "=": "" if nothing has to
	Values []Entry // those that are known: all there are, where Closed
	Closed bool
}

// URL is the address of Docker's own documentation of the entry, "" if it has none of its own.
func (e *Entry) URL() string {
	if e.Anchor == "" || strings.HasPrefix(e.Anchor, "https:") {
		return e.Anchor
	}
	return page + "#" + e.Anchor
}

// is reports whether name is the entry's name, or one of its aliases.
func (e *Entry) is(name string) bool {
	return strings.EqualFold(e.Name, name) ||
		slices.ContainsFunc(e.Aliases, func(a string) bool { return strings.EqualFold(a, name) })
}

// Instruction is one instruction.
type Instruction struct {
	Entry
	// Words says what the words of Syntax stand for, each without the punctuation around it.
	Words map[string]string
	// Snippets are ways to begin the instruction, with tab stops such as "${1:source}".
	Snippets []string
	Flags    []Entry
}

// Flag returns the instruction's flag of that name, without "--", or nil.
func (i *Instruction) Flag(name string) *Entry { return Find(i.Flags, name) }

// Mount is one type of RUN --mount.
type Mount struct {
	Entry
	Keys []Entry // those it takes, without "type"
}

// Key returns the mount's key of that name or alias, or nil.
func (m *Mount) Key(name string) *Entry { return Find(m.Keys, name) }

// Find returns the entry of that name or alias, in whatever case, or nil.
func Find(entries []Entry, name string) *Entry {
	for i := range entries {
		if entries[i].is(name) {
			return &entries[i]
		}
	}
	return nil
}

// InstructionOf returns the instruction of that name, in whatever case, or nil.
func InstructionOf(name string) *Instruction {
	for i := range Instructions {
		if Instructions[i].is(name) {
			return &Instructions[i]
		}
	}
	return nil
}

// MountOf returns the mount of that type, or nil. Without one it is a bind mount.
func MountOf(kind string) *Mount {
	for i := range Mounts {
		if Mounts[i].is(cmp.Or(kind, "bind")) {
			return &Mounts[i]
		}
	}
	return nil
}

// Parameters returns the places in one form of a Syntax that are filled in, as byte ranges in order: the words behind
// the first, with the brackets of an exec form, but without commas and what binds parts together.
func Parameters(syntax string) [][2]int {
	var params [][2]int
	at := strings.IndexByte(syntax, ' ')
	if strings.HasPrefix(syntax, "--") {
		at = strings.IndexByte(syntax, '=')
	}
	for at >= 0 && at < len(syntax) {
		at++
		end := at
		for end < len(syntax) && !strings.ContainsRune(" ,=:@", rune(syntax[end])) {
			end++
		}
		if end > at {
			params = append(params, [2]int{at, end})
		}
		at = end
	}
	return params
}

// values makes entries of a name and a summary each.
func values(pairs ...string) []Entry {
	var entries []Entry
	for i := 0; i+1 < len(pairs); i += 2 {
		entries = append(entries, Entry{Name: pairs[i], Summary: pairs[i+1]})
	}
	return entries
}
