package effects

import (
	"path"
	"slices"
	"strings"
)

// index is a list of what is read or written, in which one can look things up.
type index struct {
	exact  map[string]bool // files and directories, without "/" behind; other names
	trees  map[string]bool // those of them that stand for all that is in them
	above  map[string]bool // the directories above all of them
	env    []string        // variables, also patterns of such
	places int             // how many files and directories there are
	names  []string        // all of them, in the form in which they are looked up
}

// indexes are those of an instruction's effects.
type indexes struct{ reads, writes, named index }

func newIndex(list []string) index {
	x := index{exact: make(map[string]bool, len(list)), trees: map[string]bool{}, above: map[string]bool{}}
	for _, name := range list {
		if !strings.HasPrefix(name, "/") {
			if v, ok := strings.CutPrefix(name, "env:"); ok {
				x.env = append(x.env, v)
			} else {
				x.exact[name] = true
			}
			x.names = append(x.names, name)
			continue
		}
		name = canonical(name)
		x.names = append(x.names, name)
		bare := strings.TrimSuffix(name, "/")
		x.places++
		x.exact[bare] = true
		if bare != name {
			x.trees[bare] = true
		}
		for bare != "" && !x.above[parent(bare)] {
			bare = parent(bare)
			x.above[bare] = true
		}
	}
	return x
}

// parent gives the directory above a path, "" for that of the root's entries.
func parent(p string) string { return p[:max(0, strings.LastIndexByte(p, '/'))] }

// has reports whether a name shares anything with what is in the index.
func (x *index) has(name string) bool {
	if v, ok := strings.CutPrefix(name, "env:"); ok {
		return slices.ContainsFunc(x.env, func(o string) bool { return v == o || matches(v, o) || matches(o, v) })
	}
	if !strings.HasPrefix(name, "/") {
		return x.exact[name]
	}
	if x.places == 0 {
		return false
	}
	return x.holds(canonical(name))
}

// holds is has for a path in the form in which it is looked up.
func (x *index) holds(name string) bool {
	bare := strings.TrimSuffix(name, "/")
	if x.exact[bare] || bare != name && x.above[bare] {
		return true
	}
	for bare != "" {
		if bare = parent(bare); x.trees[bare] {
			return true
		}
	}
	return false
}

func (x *index) any(names []string) bool { return slices.ContainsFunc(names, x.has) }

// meets reports whether two indexes share anything.
func (x *index) meets(o *index) bool {
	if len(x.names) < len(o.names) {
		x, o = o, x
	}
	return slices.ContainsFunc(o.names, func(name string) bool {
		if strings.HasPrefix(name, "/") {
			return x.places > 0 && x.holds(name)
		}
		return x.has(name)
	})
}

// of gives the indexes of the effects, made once.
func (e *Effects) of() *indexes {
	if e.cache == nil {
		e.cache = &indexes{newIndex(e.Reads), newIndex(e.Writes), newIndex(e.Named)}
	}
	return e.cache
}

// Shared gives the first thing that one of two instructions writes and the other one reads or writes, so that they
// cannot change places; "" if there is none.
func Shared(a, b *Effects) string {
	x, y := a.of(), b.of()
	for _, pair := range []struct {
		names []string
		in    *index
	}{{a.Writes, &y.reads}, {b.Writes, &x.reads}, {a.Writes, &y.writes}} {
		if at := slices.IndexFunc(pair.names, pair.in.has); at >= 0 {
			return pair.names[at]
		}
	}
	return ""
}

// lockReaders are commands that read a lock file, or what was made of it, by more of their verbs than those that run
// scripts of the project.
var lockReaders = map[string][]string{
	"npm":  strings.Fields("run run-script test start exec t tst"),
	"yarn": strings.Fields("run test start build"),
	"pnpm": strings.Fields("run test start build exec"),
	"bun":  strings.Fields("run test x"),
}

// LooksAt reports whether an instruction may read a lock file that a step above has written anew in another form.
func (e *Effects) LooksAt(lock string) bool {
	if e.Calls == nil {
		return e.Opaque
	}
	for _, c := range e.Calls {
		name, args := path.Base(c.Args[0]), slices.DeleteFunc(slices.Clone(c.Args[1:]), func(a string) bool {
			return strings.HasPrefix(a, "-")
		})
		plain, reads := lockReaders[name]
		switch {
		case strings.Contains(strings.Join(c.Args, " "), path.Base(lock)),
			!c.Does.Opaque && clash([]string{lock}, c.Does.Reads),
			slices.Contains([]string{"bundle", "cargo", "go", "composer", "poetry", "uv", "pipenv"}, name),
			reads && (len(args) == 0 || !slices.Contains(plain, strings.Split(args[0], ":")[0])):
			return true
		}
	}
	return false
}

// WithWrites gives the effects with other writes.
func (e Effects) WithWrites(writes []string) Effects {
	e.Writes, e.cache = writes, nil
	return e
}

// Overlap reports whether two names of what is read or written share anything.
func Overlap(a, b string) bool {
	if !strings.HasPrefix(a, "/") || !strings.HasPrefix(b, "/") {
		x := newIndex([]string{a})
		return x.has(b)
	}
	a, b = canonical(a), canonical(b)
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") ||
		strings.HasSuffix(a, "/") && strings.HasPrefix(b, a) ||
		strings.HasSuffix(b, "/") && strings.HasPrefix(a, b)
}

func clash(writes, others []string) bool {
	if len(writes) == 0 || len(others) == 0 {
		return false
	}
	if len(writes) > len(others) {
		writes, others = others, writes
	}
	if len(writes) == 1 {
		return slices.ContainsFunc(others, func(o string) bool { return Overlap(writes[0], o) })
	}
	x := newIndex(writes)
	return x.any(others)
}

func matches(pattern, name string) bool {
	switch {
	case pattern == "*":
		return true
	case pattern == "?":
		return !Stamp(name)
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(strings.ToUpper(name), strings.TrimSuffix(pattern, "*"))
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(strings.ToUpper(name), strings.TrimPrefix(pattern, "*"))
	}
	return false
}

// Nested reports whether one of two directories lies in the other, or is it.
func Nested(a, b string) bool {
	a, b = tree(path.Clean("/"+a)), tree(path.Clean("/"+b))
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}
