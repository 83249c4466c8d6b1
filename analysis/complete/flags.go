package complete

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/layerwise/layerwise/analysis/tools"
)

// repeated are the flags that may be given several times.
var repeated = []string{"mount", "exclude", "device"}

// flagNames offers the flags that are not given yet, for a word of one or two dashes or none.
func (c *cursor) flagNames(in *reference.Instruction) {
	var items []Item
	given := slices.Clone(c.flags)
	if span, ok := c.span(c.word, ""); ok { // those behind the cursor count too
		for _, word := range strings.Fields(c.rest(span.End)) {
			if !strings.HasPrefix(word, "--") {
				break
			}
			given = append(given, word)
		}
	}
	for i, word := range given {
		given[i], _, _ = strings.Cut(strings.TrimPrefix(word, "--"), "=")
	}
	for _, f := range in.Flags {
		if slices.Contains(given, f.Name) && !slices.Contains(repeated, f.Name) {
			continue
		}
		it := Item{Kind: Flag, Label: "--" + f.Name, Detail: f.Summary, Doc: "flag/" + in.Name + "/" + f.Name}
		bare := f.Closed && len(f.Values) > 0 && f.Values[0].Name == "true"
		if !bare {
			it.Label += "="
			it.More = true
			if span, ok := c.span(c.word, "="); ok && c.following(span.End) == "=" {
				it.Text = "--" + f.Name // its value stands already
			} else if c.world.TabStops {
				it.Text, it.TabStops = "--"+f.Name+"="+c.valueStop(in, &f), true
			}
		}
		items = append(items, it)
	}
	c.offer(c.word, "=", true, items)
}

// following returns the byte at an offset, "" at the end.
func (c *cursor) following(offset int) string {
	text := c.file.Text.String()
	if offset >= len(text) {
		return ""
	}
	return text[offset : offset+1]
}

// valueStop is the tab stop for a flag's value.
func (c *cursor) valueStop(in *reference.Instruction, f *reference.Entry) string {
	switch {
	case f.Name == "from":
		return choice("1", labels(c.stages()), f.Value)
	case f.Name == "mount":
		return "type=" + choice("1", labels(entries(Value, "", reference.MountType.Values)), "") + ",target=${2:path}"
	case f.Name == "device":
		return "name=${1:vendor/class}"
	case f.Name == "checksum":
		return "sha256:${1:digest}"
	case f.Closed || f.Name == "platform":
		return choice("1", labels(entries(Value, "", f.Values)), f.Value)
	}
	return "${1:" + escape(f.Value) + "}"
}

func labels(items []Item) []string {
	var out []string
	for _, it := range items {
		out = append(out, it.Label)
	}
	return out
}

// flagValue offers values of the flag that the cursor is in.
func (c *cursor) flagValue(in *reference.Instruction) {
	name, typed, _ := strings.Cut(c.word[2:], "=")
	f := in.Flag(name)
	if f == nil { // misspelt, perhaps
		var names []string
		for _, f := range in.Flags {
			names = append(names, f.Name)
		}
		if name = spell.Meant(name, names); name == "" {
			return
		}
		f = in.Flag(name)
	}
	switch name {
	case "from":
		c.imageOrStage(typed)
	case "chown":
		c.users(typed)
	case "exclude":
		c.contextPaths(typed, "", false)
	case "mount":
		c.mount(typed)
	case "device":
		c.pairs(typed, "flag/RUN/device", []reference.Entry{
			{Name: "name", Value: "vendor/class", Summary: f.Values[0].Summary},
			{
				Name:    "required",
				Summary: f.Values[1].Summary,
				Value:   "true",
				Values:  reference.MountOf("ssh").Key("required").Values,
				Closed:  true,
			},
		}, nil)
	default:
		c.offer(typed, "", f.Closed, entries(Value, "flag/"+in.Name+"/"+name, f.Values))
	}
}

// mount offers what may follow in the value of a --mount.
func (c *cursor) mount(typed string) {
	kind := "bind"
	var stage, from dockerfile.Word
	in := c.in
	if in.Trigger != nil {
		in = in.Trigger
	}
	for _, m := range in.Mounts() {
		if in.Flags[m.Flag].Span.Contains(c.offset) {
			kind = m.Type()
			stage, _ = m.Get("from")
			from, _ = m.Get("source")
		}
	}
	m := reference.MountOf(kind)
	if m == nil {
		m = reference.MountOf("bind")
	}
	keys := append([]reference.Entry{reference.MountType}, m.Keys...)
	c.pairs(typed, "mount/"+m.Name, keys, func(key, value string) bool {
		switch key {
		case "from":
			c.imageOrStage(value)
		case "source", "src":
			if m.Name == "bind" && stage.Text == "" {
				c.contextPaths(value, ",", true)
			}
		case "target", "dst", "destination":
			l := likely{kind: Folder}
			if m.Name == "cache" {
				c.caches(&l)
				for _, e := range reference.Find(keys, key).Values {
					l.add(e.Name, e.Summary)
				}
			} else {
				if _, cwd := c.made(c.stage); from.Text != "" && !strings.ContainsAny(from.Text, "$") {
					l.add(from.Text, "as the source")
					l.add(resolved(cwd, from.Text), "as the source, in the WORKDIR")
				}
				c.workdirsOf(&l, c.stage, "")
				l.add(".", "the WORKDIR")
				l.words("/src /context", "")
			}
			c.offer(value, ",", false, l.items)
		case "id":
			c.mountIDs(m.Name, value)
		default:
			return false
		}
		return true
	})
}

// caches adds where the programs that the instruction names keep what they fetched, then what other instructions
// mount, then where programs that the file names do.
func (c *cursor) caches(l *likely) {
	ofPrograms := func(text string) {
		for word := range strings.FieldsSeq(text) {
			if tool := tools.Of(word); tool != nil {
				for _, cache := range tool.Caches {
					l.add(cache.Dir, tool.Name)
				}
			}
		}
	}
	ofPrograms(c.file.Text.Slice(c.in.Span))
	defer ofPrograms(c.file.Text.String())
	for _, in := range c.file.Instructions {
		for _, m := range in.Mounts() {
			if target, ok := m.Get("target"); ok && in != c.in && m.Type() == "cache" {
				l.add(target.Text, fmt.Sprintf("line %d", in.Line))
			}
		}
	}
}

// wholeFlag returns the value of the flag that the cursor is in, to its end: what is typed and what stands behind.
func (c *cursor) wholeFlag(typed string) string {
	if span, ok := c.span(typed, ""); ok {
		return c.file.Text.Slice(span)
	}
	return typed
}

// pairs offers keys, and values of keys, of a list such as "type=bind,target=/x". special offers the values of keys
// that are not in a table, and reports whether it did.
func (c *cursor) pairs(typed, doc string, keys []reference.Entry, special func(key, value string) bool) {
	whole := c.wholeFlag(typed)
	part := typed[strings.LastIndexByte(typed, ',')+1:]
	if name, value, ok := strings.Cut(part, "="); ok {
		key := reference.Find(keys, name)
		if key == nil || special != nil && special(key.Name, value) {
			return
		}
		c.offer(value, ",", true, entries(Value, valueDoc(doc, key), key.Values))
		return
	}
	var given []string
	for p := range strings.SplitSeq(whole, ",") {
		name, _, _ := strings.Cut(p, "=")
		if key := reference.Find(keys, name); key != nil {
			given = append(given, key.Name)
		}
	}
	// The part that is being typed may be a whole key already.
	current := part
	if span, ok := c.span(part, ",="); ok {
		current = c.file.Text.Slice(span)
	}
	if key := reference.Find(keys, current); key != nil &&
		strings.Count(","+strings.Join(given, ",")+",", ","+key.Name+",") == 1 {
		given = slices.DeleteFunc(given, func(g string) bool { return g == key.Name })
	}
	var items []Item
	for _, key := range keys {
		if slices.Contains(given, key.Name) {
			continue
		}
		it := Item{Kind: Key, Label: key.Name, Detail: key.Summary, Doc: path(doc, key.Name)}
		if key.Value != "" {
			it.Label += "="
			it.More = true
			if span, ok := c.span(part, ",="); ok && c.following(span.End) == "=" {
				it.Text = key.Name
			}
		}
		items = append(items, it)
	}
	c.offer(part, ",=", true, items)
}

func valueDoc(doc string, key *reference.Entry) string {
	if key.Name == "type" {
		return "mount"
	}
	return doc + "/" + key.Name
}
