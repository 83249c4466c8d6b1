package dockerfile

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Mount is one --mount of a RUN, divided as BuildKit divides it (parseMount in its instructions package): fields
// between commas, keys without regard to case. A half-typed one counts as far as it goes.
type Mount struct {
	Flag   int // its index in Instruction.Flags
	Fields []MountField
	// Parsed is what BuildKit makes of the mount, after a misspelt type or key has been replaced by what it means. It
	// is nil where BuildKit rejects the mount or where a variable in it decides: then nothing may be taken for
	// granted that is not in Fields.
	Parsed *instructions.Mount
}

// MountField is one part of a --mount: a key, with a value where there is a "=".
type MountField struct {
	Span     source.Span
	Key      Word // its Text is lower case
	Value    Word // without quotes and escapes; variables in it are not expanded
	HasValue bool
}

// Names of the fields of a mount that have several.
var mountAliases = map[string]string{
	"src":         "source",
	"dst":         "target",
	"destination": "target",
	"ro":          "readonly",
	"rw":          "readwrite",
}

// Name is the field's key; of a key that has several names it is the longest usual one: "source", "target",
// "readonly" or "readwrite".
func (f *MountField) Name() string {
	if name := mountAliases[f.Key.Text]; name != "" {
		return name
	}
	return f.Key.Text
}

// Get returns the value that a mount gives to a name such as "type", "from", "source", "target" or "id", whichever of
// its names is written. The last one counts, as in BuildKit.
func (m *Mount) Get(name string) (value Word, ok bool) {
	for _, f := range slices.Backward(m.Fields) {
		if f.HasValue && f.Name() == name {
			return f.Value, true
		}
	}
	return Word{}, false
}

// Type is the mount's type in lower case, "bind" if none is given. It is as written where BuildKit knows no such
// type, and "" if it hangs on a variable.
func (m *Mount) Type() string {
	if m.Parsed != nil {
		return string(m.Parsed.Type)
	}
	switch kind, ok := m.Get("type"); {
	case !ok:
		return string(instructions.MountTypeBind)
	case strings.Contains(kind.Text, "$"):
		return ""
	default:
		return strings.ToLower(kind.Text)
	}
}

// Mounts returns the mounts of a RUN, those of an ONBUILD's trigger as if it stood alone, in the order of its flags.
// What BuildKit makes of them is shared and must not be changed.
func (in *Instruction) Mounts() []Mount {
	if in.Trigger != nil {
		return in.Trigger.Mounts()
	}
	if in.Meant != "RUN" || len(in.Flags) == 0 {
		return nil
	}
	in.spelt.once.Do(func() {
		at := *in
		at.base = 0
		in.spelt.mounts = at.readMounts()
	})
	mounts := slices.Clone(in.spelt.mounts)
	for i := range mounts {
		fields := slices.Clone(mounts[i].Fields)
		for j := range fields {
			f := &fields[j]
			f.Span, f.Key, f.Value = f.Span.Shift(in.base), f.Key.moved(in.base), f.Value.moved(in.base)
		}
		mounts[i].Fields = fields
	}
	return mounts
}

func (in *Instruction) readMounts() []Mount {
	var mounts []Mount
	var read []*instructions.Mount
	if in.MountsRead {
		read = instructions.GetMounts(in.Command.(*instructions.RunCommand))
	}
	for i := range in.Flags {
		meant := in.meantFlag(i)
		if !strings.HasPrefix(meant, "--mount=") {
			continue
		}
		m := Mount{Flag: i, Fields: in.mountFields(i)}
		if in.MountsRead {
			m.Parsed = read[len(mounts)]
		} else {
			m.Parsed = parseMount(meant, in.spelt.escape)
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// meantFlag returns a flag without quotes and escapes, as BuildKit has it once a misspelling is put right.
func (in *Instruction) meantFlag(i int) string {
	if in.Node != nil && len(in.Node.Flags) == len(in.Flags) {
		return in.Node.Flags[i]
	}
	f := in.spelt.header.flags[i]
	text, _ := unquote(in.spelt.line.text, f[0], f[1], in.spelt.escape)
	return text
}

// mountFields divides the value of the flag i.
func (in *Instruction) mountFields(i int) []MountField {
	line, f := in.logicalLine(), in.spelt.header.flags[i]
	equals := strings.IndexByte(line.text[f[0]:f[1]], '=')
	if equals < 0 {
		return nil
	}
	text, at := unquote(line.text, f[0]+equals+1, f[1], in.spelt.escape)
	at = append(at, f[1])
	place := func(from, to int) source.Span {
		if from == to {
			return line.span(at[from], at[from])
		}
		return line.span(at[from], at[to-1]+1)
	}
	var fields []MountField
	for _, part := range csvFields(text, at) {
		text, at = part.text, part.at
		key, value, has := strings.Cut(text, "=")
		field := MountField{
			Span:     place(0, len(text)),
			Key:      Word{place(0, len(key)), strings.ToLower(key)},
			HasValue: has,
		}
		from := len(text) - len(value)
		if !has {
			from = len(text)
		}
		field.Value = Word{place(from, len(text)), text[from:]}
		fields = append(fields, field)
	}
	return fields
}

// csvField is a field of a list, and where each of its bytes lies; at has one more, where the field ends.
type csvField struct {
	text string
	at   []int
}

// csvFields divides a list at its commas as BuildKit does (csvvalue.Fields): a field in double quotes may hold
// commas, and two quotes there are one. It reads on where BuildKit gives up.
func csvFields(text string, at []int) []csvField {
	var fields []csvField
	for i := 0; ; i++ {
		var b strings.Builder
		var places []int
		quoted := i < len(text) && text[i] == '"'
		if quoted {
			i++
		}
		for ; i < len(text); i++ {
			if !quoted && text[i] == ',' {
				break
			}
			if quoted && text[i] == '"' {
				if i+1 == len(text) || text[i+1] != '"' {
					quoted = false
					continue
				}
				i++
			}
			b.WriteByte(text[i])
			places = append(places, at[i])
		}
		fields = append(fields, csvField{b.String(), append(places, at[min(i, len(text))])})
		if i >= len(text) {
			return fields
		}
	}
}

// unquote returns line[from:to], a flag or the end of one, without quotes and escapes as BuildKit reads it
// (extractBuilderFlags in its parser), and where in line each of its bytes lies.
func unquote(line string, from, to int, escape byte) (text string, at []int) {
	var b strings.Builder
	var quote byte
	for i := from; i < to; i++ {
		c := line[i]
		switch {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
			continue
		case quote != 0 && c == quote:
			quote = 0
			continue
		case c == escape:
			if i++; i == to {
				continue
			}
			c = line[i]
		}
		b.WriteByte(c)
		at = append(at, i)
	}
	return b.String(), at
}

// parseMount has BuildKit read a --mount, nil if it rejects it or if a variable is in it.
func parseMount(flag string, escape byte) *instructions.Mount {
	if strings.Contains(flag, "$") {
		return nil
	}
	node := &parser.Node{Value: "RUN", Original: "RUN true", Flags: []string{flag}, Next: &parser.Node{Value: "true"}}
	value, err := Typed(node)
	run, ok := value.(*instructions.RunCommand)
	if err != nil || !ok {
		return nil
	}
	lex := shell.NewLex(rune(escape))
	if run.Expand(func(word string) (string, error) {
		word, _, err := lex.ProcessWord(word, noEnv{})
		return word, err
	}) != nil {
		return nil
	}
	return instructions.GetMounts(run)[0]
}
