// Package complete says what may be written at one place of a Dockerfile, also of one that is half typed.
//
// It is pure: what it knows of the build context, of other files' images and of registries comes in through World. It
// must not know any protocol.
package complete

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// Kind is what sort of thing an item is.
type Kind int

// The kinds of items.
const (
	Keyword Kind = iota
	Snippet
	Flag
	Key // of a mount, a device or a directive
	Value
	Variable
	File
	Folder
	Stage
	Image
	Tag
	Check
	User
)

// Item is one thing that may be written.
type Item struct {
	Kind   Kind
	Label  string
	Detail string      // what tells it from others, in few words
	Span   source.Span // what it takes the place of: the word at the cursor, on one line
	Text   string      // what is written there
	// Whole says that Text goes with all of Span: what stands behind the cursor must not be kept beside it.
	Whole  bool
	Filter string // what the person typed so far stands for, where that is not Label
	// TabStops says that Text has tab stops, "${1:word}" or "${1|this,that|}", with "$", "}" and "\" of its own
	// escaped.
	TabStops bool
	// Doc names what Describe tells about it, "" if there is nothing.
	Doc string
	// More says that there is more to choose behind it: a directory's contents, a flag's value.
	More bool
}

// List is what may be written at one place, the likeliest first.
type List struct {
	Items []Item
	// Partial says that another letter may bring items that are not in the list.
	Partial bool
}

// Entry is one file or directory of the build context.
type Entry struct {
	Name string
	Dir  bool
	Size int64 // bytes, of a file
}

// World is what completion knows besides the file. Its functions may be nil, and must answer at once.
type World struct {
	// Context lists a directory of the build context, "" for all of it, without what the ignore file leaves out.
	Context func(dir string) []Entry
	// Images are the references of images that other files use.
	Images func() []string
	// Tags are the tags of an image that are known now, the newest first. It reports false if more may be known later.
	Tags func(image string) (tags []string, all bool)
	// TabStops says that the editor takes items with tab stops.
	TabStops bool
}

// most is how many items of one sort a list has at most; the rest needs another letter.
const most = 200

// At returns what may be written at an offset of the file. variables are the file's.
func At(file *dockerfile.File, variables *scope.Variables, offset int, world World) List {
	c := &cursor{
		file:      file,
		variables: variables,
		world:     world,
		offset:    max(0, min(offset, file.Text.Len())),
		stage:     -1,
	}
	c.complete()
	for i := range c.list.Items {
		c.list.Items[i].Detail = strings.ReplaceAll(c.list.Items[i].Detail, "`", "")
	}
	return c.list
}

// cursor is the place at which something is to be written, and what has been found so far.
type cursor struct {
	file      *dockerfile.File
	variables *scope.Variables
	world     World
	offset    int

	in      *dockerfile.Instruction
	stage   int
	keyword string   // of the instruction, or of an ONBUILD's, as it is meant
	flags   []string // whole ones in front, with their "--"
	args    []string // whole words in front, without the flags
	word    string   // what stands of the word that the cursor is in or behind, in front of it
	text    string   // the arguments in front of the cursor as they are

	list List
}

const blank = " \t\v\f\r"

func (c *cursor) complete() {
	line := c.file.Text.Line(c.file.Text.LineAt(c.offset))
	before := c.file.Text.Slice(source.Span{Start: line.Start, End: min(c.offset, line.End)})
	c.in = c.instruction()
	if c.in == nil || c.offset < c.in.Span.Start {
		if start := strings.TrimLeft(strings.TrimPrefix(before, "\ufeff"), blank); strings.HasPrefix(start, "#") {
			c.directive(start[1:])
		} else {
			c.keywords(strings.TrimLeft(start, blank), false)
		}
		return
	}
	c.stage = c.in.Stage
	for _, comment := range c.in.Comments {
		if comment.Span.Contains(c.offset) {
			return
		}
	}
	for i, doc := range c.in.Heredocs {
		// The end of the body is where the delimiter's line starts.
		if doc.Body.Start <= c.offset && (c.offset < doc.Body.End || doc.Terminator.Len() == 0) {
			c.heredoc(i)
			return
		}
		if c.offset >= doc.Body.End && (i+1 == len(c.in.Heredocs) || c.offset < c.in.Heredocs[i+1].Body.Start) {
			return
		}
	}

	text := strings.TrimPrefix(c.in.Before(c.offset), "\ufeff")
	if lead := strings.TrimLeft(before, blank); lead == "" && line.Start > c.in.Span.Start {
		text += before // the blanks of a line that is yet to be written
	}
	keyword, rest, whole := cut(text)
	if !whole {
		if c.offset > c.in.Keyword.Span.End {
			return // a blank is missing behind the keyword
		}
		c.keywords(keyword, false)
		return
	}
	c.keyword = c.in.Meant
	if c.keyword == "ONBUILD" {
		if keyword, rest, whole = cut(strings.TrimLeft(rest, blank)); !whole {
			c.keywords(keyword, true)
			return
		}
		if c.in.Trigger == nil {
			return
		}
		c.keyword = c.in.Trigger.Meant
	}
	instruction := reference.InstructionOf(c.keyword)
	if instruction == nil {
		return
	}
	c.split(rest)
	if !c.variable() {
		c.argument(instruction)
	}
}

// instruction returns the instruction that the cursor is in; also where the file ends behind a line that is to be
// continued.
func (c *cursor) instruction() *dockerfile.Instruction {
	if in := c.file.InstructionAt(c.offset); in != nil {
		return in
	}
	for i := len(c.file.Instructions) - 1; i >= 0; i-- {
		in := c.file.Instructions[i]
		if in.Span.End > c.offset {
			continue
		}
		between := c.file.Text.Slice(source.Span{Start: in.Span.End, End: c.offset})
		last := strings.TrimRight(c.file.Text.Slice(in.Span), " \t\r\n")
		if i == len(c.file.Instructions)-1 && len(in.Heredocs) == 0 &&
			strings.HasSuffix(last, string(rune(c.file.Escape))) &&
			strings.TrimSpace(between) == "" {
			return in
		}
		break
	}
	return nil
}

// cut parts a text at its first blank.
func cut(text string) (word, rest string, found bool) {
	i := strings.IndexAny(text, blank)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// split divides what stands between the keyword and the cursor.
func (c *cursor) split(rest string) {
	rest = strings.TrimLeft(rest, blank)
	for strings.HasPrefix(rest, "--") {
		flag, more, whole := cut(rest)
		if !whole {
			break
		}
		rest = strings.TrimLeft(more, blank)
		if flag == "--" {
			c.flags = append(c.flags, flag) // no more flags
			break
		}
		c.flags = append(c.flags, flag)
	}
	c.text = rest
	fields := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(blank, r) })
	if n := len(fields); n > 0 && !strings.ContainsAny(rest[len(rest)-1:], blank) {
		c.word = fields[n-1]
		fields = fields[:n-1]
	}
	c.args = fields
}

// flag returns the value of a flag in front of the cursor.
func (c *cursor) flag(name string) (value string, given bool) {
	for _, f := range c.flags {
		n, v, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
		if n == name {
			return v, true
		}
	}
	return "", false
}

// span returns what an item takes the place of: typed, which stands in front of the cursor, and what follows of the
// same word, up to one of the stop characters or a blank. It reports false if typed does not stand there in one piece.
func (c *cursor) span(typed, stop string) (source.Span, bool) {
	start := c.offset - len(typed)
	if start < 0 || c.file.Text.Slice(source.Span{Start: start, End: c.offset}) != typed {
		return source.Span{}, false
	}
	rest := c.rest(c.offset)
	n := strings.IndexAny(rest, blank+stop)
	if n < 0 {
		n = len(rest)
		// The character that continues the line is not part of the word.
		if n > 0 && rest[n-1] == c.file.Escape {
			n--
		}
	}
	return source.Span{Start: start, End: c.offset + n}, true
}

// rest returns what follows an offset on the same line.
func (c *cursor) rest(offset int) string {
	line := c.file.Text.Line(c.file.Text.LineAt(offset))
	return c.file.Text.Slice(source.Span{Start: offset, End: max(offset, line.End)})
}

// offer adds the items whose names begin with what was typed, or else, with fuzzy, hold it or are what it is a
// misspelling of. They take the place of the word, which ends at one of the stop characters.
func (c *cursor) offer(typed, stop string, fuzzy bool, items []Item) {
	span, ok := c.span(typed, stop)
	if !ok {
		return
	}
	name := func(it Item) string {
		if it.Filter != "" {
			return it.Filter
		}
		return it.Label
	}
	var found []Item
	add := func(match func(Item) bool) {
		for _, it := range items {
			if len(found) == most {
				c.list.Partial = true
				return
			}
			if match(it) {
				it.Span = span
				if it.Text == "" {
					it.Text = it.Label
				}
				found = append(found, it)
			}
		}
	}
	add(func(it Item) bool {
		return len(name(it)) >= len(typed) && strings.EqualFold(name(it)[:len(typed)], typed)
	})
	// What stands there already comes first: whoever accepts at once changes nothing.
	for i, it := range found {
		if typed != "" && !strings.HasSuffix(typed, "/") && name(it) == typed {
			copy(found[1:i+1], found[:i])
			found[0] = it
			break
		}
	}
	if len(found) == 0 && fuzzy && typed != "" {
		lower := strings.ToLower(typed)
		add(func(it Item) bool { return len(typed) > 1 && strings.Contains(strings.ToLower(name(it)), lower) })
		if len(found) == 0 {
			var names []string
			for _, it := range items {
				names = append(names, name(it))
			}
			likely := spell.Suggest(typed, names)
			if len(likely) == 0 {
				likely = spell.Begun(typed, names)
			}
			for _, meant := range slices.Compact(likely) {
				add(func(it Item) bool { return name(it) == meant })
			}
		}
		for i := range found {
			found[i].Filter = typed
			c.list.Partial = true // another letter may turn it into something else
		}
	}
	for _, it := range found {
		if !slices.ContainsFunc(c.list.Items, func(o Item) bool { return o.Label == it.Label && o.Span == it.Span }) {
			c.list.Items = append(c.list.Items, it)
		}
	}
}

// entries makes items of entries, each described by the path of names in front and its own.
func entries(kind Kind, doc string, list []reference.Entry) []Item {
	var items []Item
	for _, e := range list {
		items = append(items, Item{Kind: kind, Label: e.Name, Detail: e.Summary, Doc: path(doc, e.Name)})
	}
	return items
}

func path(doc, name string) string {
	if doc == "" {
		return ""
	}
	return doc + "/" + name
}

// escape makes text part of an item with tab stops.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, "$", `\$`, "}", `\}`).Replace(text)
}

// choice is a tab stop with values to choose from, or just a word if there is none.
func choice(n string, values []string, word string) string {
	if len(values) == 0 {
		return "${" + n + ":" + escape(word) + "}"
	}
	var list []string
	for _, v := range values[:min(len(values), 20)] {
		list = append(list, strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`).Replace(v))
	}
	return "${" + n + "|" + strings.Join(list, ",") + "|}"
}
