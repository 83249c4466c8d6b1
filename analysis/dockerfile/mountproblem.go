package dockerfile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// The words of RUN --mount that BuildKit knows: parseMount in its instructions package.
var (
	mountTypes    = []string{"bind", "cache", "tmpfs", "secret", "ssh"}
	mountSharings = []string{"shared", "private", "locked"}
	mountKeys     = []string{
		"type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "id",
		"sharing", "required",
		"size", "mode", "uid", "gid", "env",
	}
)

var quoted = regexp.MustCompile(`'([^']+)'|"([^"]+)"|: (\S+)$|invalid value (\S+) for`)

// checkMount returns what BuildKit will say of a --mount once it has expanded the variables in it. Their values are not
// known here: nothing is said where one of them may be right. It also returns the part at fault, if that can be told,
// and what may stand there.
func checkMount(node *parser.Node, flag string, escape byte) (message, part string, known []string) {
	keys := variableKeys(flag)
	types := mountTypes[:1] // any
	if slices.Contains(keys, "type") {
		types = mountTypes
	}
	for _, kind := range types {
		m := readMount(node, flag, escape, keys, kind)
		if m == "" {
			return "", "", nil
		}
		if message == "" {
			message = m
		}
	}
	if m := quoted.FindStringSubmatch(message); m != nil {
		part = m[1] + m[2] + m[3] + m[4]
	}
	switch {
	case strings.HasPrefix(message, "unsupported mount type"):
		known = mountTypes
	case strings.HasPrefix(message, "unsupported sharing value"):
		known = mountSharings
	case strings.HasPrefix(message, "unexpected key") && strings.Contains(message, "' in '"):
		known = mountKeys
	}
	return message, part, known
}

// readMount returns BuildKit's error about a --mount, "" if there is none. In the fields with variables, whose keys are
// given in their order, it finds something that is right there; in the type it finds kind.
func readMount(node *parser.Node, flag string, escape byte, keys []string, kind string) string {
	one := *node
	one.Flags = []string{flag}
	value, err := Typed(&one)
	run, ok := value.(*instructions.RunCommand)
	if err != nil || !ok {
		return ""
	}
	lex := shell.NewLex(rune(escape))
	next := 0
	err = run.Expand(func(word string) (string, error) {
		if !strings.Contains(word, "$") {
			word, _, err := lex.ProcessWord(word, noEnv{})
			return word, err
		}
		key := keys[min(next, len(keys)-1)]
		next++
		if _, _, err := lex.ProcessWord(word, EverySet{}); err != nil {
			return "", err
		}
		if key == "type" {
			return kind, nil
		}
		return anyMountValue[key], nil
	})
	if err == nil {
		return ""
	}
	return SubstitutionError(reason(err))
}

// variableKeys are the keys of the fields of a --mount in whose values variables stand.
func variableKeys(flag string) (keys []string) {
	if !strings.Contains(flag, "$") {
		return nil
	}
	_, text, _ := strings.Cut(flag, "=")
	for _, field := range csvFields(text, make([]int, len(text)+1)) {
		if key, value, _ := strings.Cut(field.text, "="); strings.Contains(value, "$") {
			keys = append(keys, strings.ToLower(key))
		}
	}
	return keys
}

// anyMountValue are values that are right for the keys of a --mount.
var anyMountValue = map[string]string{
	"from": "x", "source": "x", "src": "x", "target": "/x", "dst": "/x", "destination": "/x", "readonly": "true",
	"ro": "true", "readwrite": "true", "rw": "true", "id": "x", "sharing": "shared", "required": "true", "size": "1",
	"mode": "0700", "uid": "0", "gid": "0", "env": "x",
}

// rejectMount checks the RUN's flag i, a --mount, whose text without quotes is given; last says that no other flag
// follows. It returns the flag as it is meant, and whether it is clear what that is. Each mistake in it is reported, as
// far as one can be read behind another.
func (in *Instruction) rejectMount(node *parser.Node, i int, flag string, last bool) (meant string, ok bool) {
	const most = 8 // mistakes in one mount
	meant, ok = flag, true
	value := in.Flags[i].Value.Text
	at := in.spelt.header.flags[i][1] - len(value) // where it lies in the instruction's text
	from := 0                                      // what lies before it in value was read
	for range most {
		message, part, known := checkMount(node, meant, in.spelt.escape)
		if message == "" {
			break
		}
		p := in.problem(InvalidInstruction, in.Flags[i].Value.Span, message)
		n := strings.Index(value[from:], part)
		if n < 0 || part == "" {
			if part == "" && last && strings.HasSuffix(value, ",") && len(in.Args) > 0 &&
				strings.Contains(in.Args[0].Text, "=") {
				p.Span = source.Span{Start: in.Flags[i].Value.Span.End - 1, End: in.Args[0].Span.End}
				p.Message = "a space ends the flag: what stands behind it is read as the command"
				p.Suggestions, p.Sure = []string{"," + in.Args[0].Text}, true
			}
			return meant, false
		}
		n += from
		p.Span = in.logicalLine().span(at+n, at+n+len(part))
		word := meantMount(message, part)
		if word != "" {
			p.Suggestions, p.Sure = []string{word}, true
		} else {
			p.Suggestions = spell.Suggest(part, known)
			word = spell.Meant(part, known)
		}
		if len(p.Suggestions) == 0 && len(known) > 0 && !strings.HasPrefix(message, "unexpected key") {
			p.Message += " (one of " + strings.Join(known, ", ") + ")"
		}
		if word == "" {
			return meant, false
		}
		// The text of the next mistake is looked for behind this one, in what is written.
		if from = n + len(part); !strings.Contains(meant, part) {
			return meant, false
		}
		meant = strings.Replace(meant, part, word, 1)
	}
	return meant, ok
}

var mountOptions = []string{"readonly", "readwrite", "required"} // that need no value

// meantMount returns what certainly is meant by the part of a --mount that an error is about, or "".
func meantMount(message, part string) string {
	lower := strings.ToLower(part)
	switch {
	case strings.HasPrefix(message, "unsupported mount type"):
		// type=cache;target=/x
		if name, rest, ok := strings.Cut(part, ";"); ok && slices.Contains(mountTypes, strings.ToLower(name)) {
			return name + "," + strings.ReplaceAll(rest, ";", ",")
		}
	case strings.HasPrefix(message, "invalid value for "): // of a boolean
		switch lower {
		case "yes", "on", "y", "ture", "treu", "tru", "ro", "rw", "readonly":
			return "true"
		case "no", "off", "n", "fasle", "flase", "fals":
			return "false"
		}
	case strings.HasPrefix(message, "unexpected key"):
		return otherMountKeys[lower]
	case strings.HasSuffix(message, "must be a key=value pair"):
		if slices.Contains(mountTypes, lower) {
			return "type=" + part
		}
		if name, rest, ok := strings.Cut(part, ":"); ok && rest != "" {
			if key := spell.Meant(name, mountKeys); key != "" {
				name = key
			}
			if slices.Contains(mountKeys, strings.ToLower(name)) {
				return name + "=" + rest
			}
		}
		return spell.Meant(part, mountOptions)
	}
	return ""
}

// otherMountKeys are keys that other tools have for the same, and what they are here.
var otherMountKeys = map[string]string{
	"path": "target", "dir": "target", "dest": "target", "destiny": "target", "to": "target", "mountpoint": "target",
	"name": "id", "kind": "type",
}
