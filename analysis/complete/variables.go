package complete

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/shellscript"
)

var variableAtEnd = regexp.MustCompile(`\$(\{)?([A-Za-z_][A-Za-z0-9_]*)?(:?[-+?]?|#|##|%|%%|/|//)$`)

// variable offers variables if the cursor is in the name of one, or behind it in braces. It reports whether it is.
func (c *cursor) variable() bool {
	text, escape, literal := c.text, c.file.Escape, false
	switch c.keyword {
	case "RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "SHELL":
		if strings.HasPrefix(text, "[") {
			return false // an exec form: nobody expands it
		}
		escape = '\\'
		if windows := c.windows(); windows != nil {
			return c.windowsVariable(text, windows)
		}
	}
	if len(c.args) == 0 && strings.HasPrefix(c.word, "--") {
		name, _, _ := strings.Cut(c.word[2:], "=")
		if name != "platform" && name != "chown" && name != "chmod" && name != "checksum" && name != "mount" {
			return false
		}
	}
	return c.variableIn(text, escape, literal)
}

// What PowerShell and the command prompt of Windows take for the beginning of a variable of the environment.
var (
	envAtEnd     = regexp.MustCompile(`(?i)(\$\{?)(env:)?([a-z0-9_]*)$`)
	percentAtEnd = regexp.MustCompile(`(?i)(%)()([a-z0-9_]*)$`)
)

// windows returns the beginning of a variable in the shell that reads the instruction, nil if that is none of Windows.
func (c *cursor) windows() *regexp.Regexp {
	switch _, language := shellscript.Read(c.file, c.in, shellscript.Languages(c.file,
		c.variables.Bases)(c.in)); language {
	case shellscript.PowerShell:
		return envAtEnd
	case shellscript.Cmd:
		return percentAtEnd
	}
	return nil
}

// windowsVariable offers variables as they are written for a shell of Windows, behind their beginning. A "%" at a
// word's end may close one.
func (c *cursor) windowsVariable(text string, beginning *regexp.Regexp) bool {
	m := beginning.FindStringSubmatch(text)
	if m == nil || m[1] == "%" && strings.Count(text, "%")%2 == 0 {
		return false
	}
	front, behind := "$env:", ""
	switch m[1] {
	case "${":
		front, behind = "${env:", "}"
	case "%":
		front, behind = "%", "%"
	}
	span, ok := c.span(m[0], "")
	if !ok {
		return false
	}
	span.End = c.offset
	for strings.ContainsAny(c.following(span.End), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") &&
		c.following(span.End) != "" {
		span.End++
	}
	if behind != "" && c.following(span.End) == behind {
		span.End++
	}
	for _, it := range c.names() {
		begun := m[2] == "" && front[0] == '$' && strings.HasPrefix("env", strings.ToLower(m[3]))
		if !begun && (len(it.Label) < len(m[3]) || !strings.EqualFold(it.Label[:len(m[3])], m[3])) {
			continue
		}
		it.Text = front + it.Label + behind
		it.Label, it.Span, it.Whole = it.Text, span, behind != ""
		c.list.Items = append(c.list.Items, it)
	}
	return true
}

// heredoc offers variables in the body of the instruction's heredoc i.
func (c *cursor) heredoc(i int) {
	in, doc := c.in, c.in.Heredocs[i]
	c.keyword = in.Meant
	if in.Trigger != nil {
		c.keyword = in.Trigger.Meant
	}
	if !doc.Expand && (c.keyword != "RUN" || in.ArgsSpan.Start != doc.Start.Start) {
		return
	}
	body := c.file.Text.String()[doc.Body.Start:c.offset]
	if windows := c.windows(); windows != nil && c.keyword == "RUN" {
		c.windowsVariable(body, windows)
		return
	}
	c.variableIn(body, '\\', true)
}

func (c *cursor) variableIn(text string, escape byte, literal bool) bool {
	m := variableAtEnd.FindStringSubmatchIndex(text)
	if m == nil || !expanded(text, m[0], escape, literal) {
		return false
	}
	braced := m[2] >= 0
	name := ""
	if m[4] >= 0 {
		name = text[m[4]:m[5]]
	}
	modifier := text[m[6]:m[7]]
	if modifier != "" && (!braced || name == "") {
		return false
	}
	known := c.names()
	if modifier == "" {
		c.variableNames(text[m[0]:], name, braced, known)
	}
	if braced && (modifier != "" || slices.ContainsFunc(known, func(it Item) bool { return it.Label == name })) &&
		!strings.ContainsAny(c.following(c.offset), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") {
		var items []Item
		for _, e := range reference.Modifiers {
			items = append(items, Item{Kind: Value, Label: e.Name, Detail: e.Summary})
		}
		c.offerNoRest(modifier, items)
	}
	return true
}

// expanded reports whether the "$" at text[at] stands for a variable: it is not escaped, nor in single quotes.
func expanded(text string, at int, escape byte, literal bool) bool {
	var quote byte
	for i := 0; i < at; i++ {
		switch b := text[i]; {
		case b == escape && quote != '\'':
			if i++; i == at {
				return false
			}
		case literal:
		case quote == 0 && (b == '\'' || b == '"'):
			quote = b
		case b == quote:
			quote = 0
		}
	}
	return quote != '\''
}

// sees returns the offset whose variables the cursor sees: ENV sees none of its own, ARG those in front of the word.
func (c *cursor) sees() int {
	switch {
	case c.in != nil && c.in.Meant == "ENV":
		return c.in.Span.Start
	case c.in != nil && c.in.Meant == "ARG":
		return c.offset - 1
	}
	return c.offset
}

// names returns the variables that are known here.
func (c *cursor) names() []Item {
	var items []Item
	global := c.stage < 0 || c.keyword == "FROM"
	if global {
		for _, name := range c.variables.Globals() {
			if _, ok := c.variables.Lookup(-1, c.sees(), name); ok {
				items = append(items, Item{Kind: Variable, Label: name, Detail: c.value(-1, name)})
			}
		}
	} else {
		for _, name := range c.variables.Names(c.stage, c.sees()) {
			items = append(items, Item{Kind: Variable, Label: name, Detail: c.value(c.stage, name)})
		}
		line := func(it Item) int {
			if d, ok := c.variables.Lookup(c.stage, c.sees(), it.Label); ok {
				return d.In.Line
			}
			return 0
		}
		slices.SortStableFunc(items, func(a, b Item) int { return line(b) - line(a) }) // what was set last is used next
	}
	for i := range reference.PredefinedArgs {
		e := &reference.PredefinedArgs[i]
		if (reference.FromArg(e) && global || reference.ProxyArg(e) && !global) &&
			!slices.ContainsFunc(items, func(it Item) bool { return it.Label == e.Name }) {
			items = append(items, Item{Kind: Variable, Label: e.Name, Detail: e.Summary, Doc: "arg/" + e.Name})
		}
	}
	return items
}

// value says what a variable stands for and where it is set, without giving a secret away.
func (c *cursor) value(stage int, name string) string {
	d, ok := c.variables.Lookup(stage, c.sees(), name)
	if !ok {
		if d, ok = c.variables.Lookup(-1, c.file.Text.Len(), name); !ok {
			return ""
		}
	}
	where := fmt.Sprintf("line %d", d.In.Line)
	value, known := c.variables.Expand(stage, c.sees(), "${"+name+"}")
	switch {
	case !known || value == "" && !d.Known:
		return where
	case describe.Secret(c.variables, name, value, d):
		return where + ", hidden"
	}
	return value + "  (" + where + ")"
}

func (c *cursor) variableNames(typed, name string, braced bool, known []Item) {
	span, ok := c.span(typed, "")
	if !ok {
		return
	}
	// What follows of the name, and the brace, is replaced too; a modifier stays.
	text := c.file.Text.String()
	span.End = c.offset
	for span.End < len(text) && (text[span.End] == '_' || '0' <= text[span.End] && text[span.End] <= '9' ||
		'a' <= text[span.End]|0x20 && text[span.End]|0x20 <= 'z') {
		span.End++
	}
	end := ""
	if braced {
		end = "}"
		if next := c.following(span.End); next == "}" {
			span.End++
		} else if next != "" && strings.Contains(":-+?#%/", next) {
			end = ""
		}
	}
	open := "$"
	if braced {
		open = "${"
	}
	for _, it := range known {
		if len(it.Label) < len(name) || !strings.EqualFold(it.Label[:len(name)], name) {
			continue
		}
		it.Text = open + it.Label + end
		it.Label = it.Text
		it.Span, it.Whole = span, braced
		c.list.Items = append(c.list.Items, it)
	}
}

// offerNoRest offers items for what was typed, and leaves what follows.
func (c *cursor) offerNoRest(typed string, items []Item) {
	before := len(c.list.Items)
	c.offer(typed, "", false, items)
	for i := range c.list.Items[before:] {
		c.list.Items[before+i].Span.End = c.offset
	}
}
