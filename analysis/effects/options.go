package effects

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// line is a command line that has been read: no more than the options of a table.
type line struct {
	words  []string            // what is no option, nor the value of one
	values map[string][]string // of the options that are given, by their names; "" for one without a value
}

func (l *line) has(options ...string) bool {
	return slices.ContainsFunc(options, func(o string) bool { return l.values[o] != nil })
}

// last gives the value of an option that is given, the last one.
func (l *line) last(options ...string) (value string, given bool) {
	for _, o := range options {
		if list := l.values[o]; len(list) > 0 {
			return list[len(list)-1], true
		}
	}
	return "", false
}

// only reports whether the words are these.
func (l *line) only(words ...string) bool { return slices.Equal(l.words, words) }

// line reads a command line by a table of options, which are separated by blanks:
//
//	-y          a switch; of one letter, several may be written as one
//	--name=     takes a value, behind "=" or as the next word; of one letter, also directly behind it
//	--name[=]   may have a value, behind "=" only
//	--name=no   a switch that may be given just like this
//
// It fails for any other option: what a tool does with it is not known.
func (c Call) line(table string) (l line, ok bool) {
	options := strings.Fields(table)
	known := func(o string) bool { return slices.Contains(options, o) }
	l.values = map[string][]string{}
	for i := 1; i < len(c.Args); i++ {
		a := c.Args[i]
		name, value, joined := strings.Cut(a, "=")
		note := func(value string) { l.values[name] = append(l.values[name], value) }
		switch {
		case a == "-" || !strings.HasPrefix(a, "-"):
			l.words = append(l.words, a)
		case a == "--": // what follows is a word, whatever it looks like
			l.words = append(l.words, c.Args[i+1:]...)
			return l, true
		case known(a) && !joined:
			note("")
		case joined && known(a): // such as --audit=false
			l.values[a] = append(l.values[a], "")
		case joined && (known(name+"=") || known(name+"[=]")):
			note(value)
		case !joined && known(name+"[=]"):
			note("")
		case known(name + "="):
			if i++; i == len(c.Args) {
				return l, false
			}
			note(c.Args[i])
		case strings.HasPrefix(a, "--"):
			return l, false
		default: // letters
			next, ok := c.letters(a, i, known, l.values)
			if !ok {
				return l, false
			}
			i = next
		}
	}
	return l, true
}

// letters reads options of one letter each that are written as one word, the last one perhaps with its value.
func (c Call) letters(a string, i int, known func(string) bool, values map[string][]string) (last int, ok bool) {
	for k := 1; k < len(a); k++ {
		name := "-" + a[k:k+1]
		switch {
		case known(name):
			values[name] = append(values[name], "")
			continue
		case !known(name + "="):
			return i, false
		}
		value := a[k+1:]
		if value == "" {
			if i++; i == len(c.Args) {
				return i, false
			}
			value = c.Args[i]
		}
		values[name] = append(values[name], value)
		return i, true
	}
	return i, true
}

// in gives the call with the directory that one of these options names as its working directory. It fails if that is
// not known.
func (c Call) at(l line, options ...string) (Call, bool) {
	dir, given := l.last(options...)
	switch {
	case !given:
		return c, true
	case dir == "" || unknownIn(dir):
		return c, false
	case path.IsAbs(dir):
		c.cwd = path.Clean(dir)
	case c.cwd == "":
		return c, false
	default:
		c.cwd = path.Join(c.cwd, dir)
	}
	return c, true
}

// anyOf matches any of these patterns, which are separated by blanks, whole and in any case.
func anyOf(patterns string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(` + strings.Join(strings.Fields(patterns), "|") + `)$`)
}
