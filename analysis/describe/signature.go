package describe

import (
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	words "github.com/layerwise/layerwise/analysis/reference"
)

// Signature is one form of an instruction.
type Signature struct {
	Label      string
	Text       string // what the instruction does
	Parameters []Parameter
	Active     int // index of the parameter that the cursor is in, -1 if it is in none
}

// Parameter is one place in a signature that is filled in.
type Parameter struct {
	Start, End int // bytes of the label
	Text       string
}

// Signatures returns the forms of the instruction, or of its flag, that fit what stands at an offset. The first one
// fits best.
func Signatures(file *dockerfile.File, offset int) []Signature {
	if entry, _, value := directiveAt(file, offset); entry != nil {
		if offset < value {
			return nil
		}
		form := entry.Syntax[0]
		return []Signature{
			{
				Label:      form,
				Text:       entry.Summary + ".",
				Parameters: []Parameter{{Start: strings.IndexByte(form, '=') + 1, End: len(form), Text: entry.Text}},
			},
		}
	}
	in := file.InstructionAt(offset)
	if in == nil || offset < in.Span.Start {
		return nil
	}
	for _, c := range in.Comments {
		if c.Span.Contains(offset) {
			return nil
		}
	}
	for _, doc := range in.Heredocs {
		if offset >= doc.Body.Start {
			return nil
		}
	}
	before, outer := in.Before(offset), in
	if in.Meant == "ONBUILD" && in.Trigger != nil && offset > in.Trigger.Keyword.Span.End {
		_, before, _ = cutBlank(before)
		before = strings.TrimLeft(before, blank)
		in = in.Trigger
	}
	entry := words.InstructionOf(in.Meant)
	_, typed, whole := cutBlank(before)
	if entry == nil || !whole {
		return nil
	}
	rest := strings.TrimPrefix(outer.Before(outer.Span.End), outer.Before(offset))
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return call{entry, typed, typed + rest}.signatures()
}

const blank = " \t\v\f\r"

func cutBlank(s string) (word, rest string, found bool) {
	i := strings.IndexAny(s, blank)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// call is an instruction's arguments, up to the cursor and all of them.
type call struct {
	in         *words.Instruction
	typed, all string
}

func (c call) signatures() []Signature {
	// The flags come first.
	for {
		c.typed, c.all = trimBoth(c.typed, c.all)
		if !strings.HasPrefix(c.all, "--") {
			break
		}
		flag, more, whole := cutBlank(c.typed)
		if !whole {
			return c.flag(flag)
		}
		_, c.all, _ = cutBlank(c.all)
		c.typed = more
	}
	if strings.HasPrefix(c.typed, "[") {
		return c.forms(func(form string) bool { return strings.Contains(form, "[ ") }, c.element)
	}
	plain := func(form string) bool {
		return c.typed == "" && strings.HasPrefix(c.all, "[") || c.all == "" || !strings.Contains(form, "[ ")
	}
	given, at := strings.Fields(c.all), len(strings.Fields(c.typed))
	if c.typed != "" && !strings.ContainsAny(c.typed[len(c.typed)-1:], blank) {
		at--
	}
	word, typed := "", "" // that the cursor is in: all of it, and what stands in front
	if at < len(given) {
		word = given[at]
	}
	if fields := strings.Fields(c.typed); at < len(fields) {
		typed = fields[at]
	}
	switch c.in.Name {
	case "COPY", "ADD":
		return c.copies(plain, given, at)
	case "ENV", "LABEL":
		return c.pairs(given, at, typed)
	case "ARG":
		return c.forms(func(form string) bool {
			return word == "" || !strings.Contains(word, "=") || strings.Contains(form, "=")
		}, func(string, []string) int {
			return strings.Count(typed, "=")
		})
	case "FROM":
		return c.from(given, at, typed)
	case "USER":
		return c.forms(
			func(form string) bool { return !strings.Contains(word, ":") || strings.Contains(form, ":") },
			func(string, []string) int {
				return min(1, strings.Count(typed, ":"))
			},
		)
	case "HEALTHCHECK":
		return c.healthcheck(given, at)
	}
	return c.forms(plain, func(form string, params []string) int {
		first := 0
		if len(params) > 0 && params[0] == "[flags]" {
			first = 1
		}
		return min(first+at, len(params)-1)
	})
}

// copies returns the forms of COPY and ADD.
func (c call) copies(fits func(form string) bool, given []string, at int) []Signature {
	return c.forms(fits, func(form string, params []string) int {
		if strings.Contains(form, "[ ") || at == 0 {
			return 1
		}
		if at >= len(given)-1 {
			return 3
		}
		return 2
	})
}

// healthcheck returns the forms of HEALTHCHECK, of which NONE has no more words.
func (c call) healthcheck(given []string, at int) []Signature {
	none := len(given) > 0 && strings.HasPrefix("NONE", strings.ToUpper(given[0]))
	if none && at > 0 {
		return nil
	}
	fits := func(form string) bool { return len(given) == 0 || strings.Contains(form, "NONE") == none }
	return c.forms(fits, func(form string, params []string) int {
		if len(params) == 1 {
			return 0
		}
		return min(at+1, 2)
	})
}

// trimBoth takes blanks off the front of both, as far as they stand in front of the cursor.
func trimBoth(typed, all string) (string, string) {
	trimmed := strings.TrimLeft(typed, blank)
	return trimmed, strings.TrimLeft(all, blank)
}

// forms returns the instruction's forms that fit, each with its active parameter.
func (c call) forms(fits func(form string) bool, active func(form string, params []string) int) []Signature {
	var out []Signature
	for _, form := range c.in.Syntax {
		if !fits(form) {
			continue
		}
		s := Signature{Label: form, Text: c.in.Summary + "."}
		var names []string
		for _, p := range words.Parameters(form) {
			name := form[p[0]:p[1]]
			names = append(names, name)
			s.Parameters = append(s.Parameters, Parameter{p[0], p[1], c.in.Words[name]})
		}
		s.Active = active(form, names)
		out = append(out, s)
	}
	return out
}

// flag returns the signature of the flag that the cursor is in, or the forms that have flags.
func (c call) flag(typed string) []Signature {
	name, _, value := strings.Cut(strings.TrimLeft(typed, "-"), "=")
	f := c.in.Flag(name)
	if f == nil || !value {
		return c.forms(
			func(form string) bool { return strings.Contains(form, "[flags]") },
			func(string, []string) int { return 0 },
		)
	}
	s := Signature{Label: f.Syntax[0], Text: f.Summary + "."}
	for _, p := range words.Parameters(s.Label) {
		s.Parameters = append(s.Parameters, Parameter{p[0], p[1], f.Text})
	}
	if len(s.Parameters) == 0 {
		s.Active = -1
		return []Signature{s}
	}
	// A value of several parts goes on at what parts them.
	_, given, _ := strings.Cut(typed, "=")
	s.Active = min(strings.Count(given, ":")+2*strings.Count(given, ","), len(s.Parameters)-1)
	if name == "mount" || name == "device" {
		s.Active = min(
			2*strings.Count(given, ",")+strings.Count(given[strings.LastIndexByte(given, ',')+1:], "="),
			len(s.Parameters)-1,
		)
	}
	return []Signature{s}
}

// element returns the active parameter of a JSON form: its brackets are parameters too.
func (c call) element(_ string, params []string) int {
	open := 0
	for params[open] != "[" {
		open++
	}
	last := len(params) - 2 // in front of "]"
	n, total, closed := elements(
		c.typed,
	), elements(
		strings.TrimRight(c.all, blank+","),
	), strings.HasSuffix(
		strings.TrimRight(c.typed, blank),
		"]",
	)
	switch {
	case closed:
		return len(params) - 1
	case c.in.Name != "COPY" && c.in.Name != "ADD" || n == 0:
		return min(open+1+n, last)
	case n >= total:
		return last
	}
	return open + 2
}

// elements counts the commas of a JSON array, outside of its strings.
func elements(s string) (n int) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			n++
		}
	}
	return n
}

func (c call) pairs(given []string, at int, typed string) []Signature {
	old := len(given) > 0 && !strings.Contains(given[0], "=")
	several := max(len(given), at+1) > 1
	return c.forms(func(form string) bool {
		pair, second := strings.Contains(form, "="), strings.Contains(form, "key2")
		switch {
		case len(given) == 0:
			return true
		case old && several:
			return !pair
		case old:
			return true
		}
		return pair && (!several || second)
	}, func(form string, _ []string) int {
		if !strings.Contains(form, "=") {
			return min(at, 1)
		}
		value := min(1, strings.Count(typed, "="))
		if at > 0 {
			return 2 + value
		}
		return value
	})
}

func (c call) from(given []string, at int, typed string) []Signature {
	kind := "" // what parts the image's name from the rest
	if len(given) > 0 {
		switch image := given[0][strings.LastIndexByte(given[0], '/')+1:]; {
		case strings.Contains(image, "@"):
			kind = "@"
		case strings.Contains(image, ":"):
			kind = ":"
		}
	}
	named := at > 0 || len(given) > 1
	return c.forms(func(form string) bool {
		switch {
		case len(given) == 0:
			return true
		case named && !strings.Contains(form, " AS "):
			return false
		case kind == "" && !named:
			return true
		case kind == "":
			return !strings.ContainsAny(form, ":@")
		}
		return strings.Contains(form, kind)
	}, func(form string, params []string) int {
		of := 0 // parameters of the image
		if strings.ContainsAny(form, ":@") {
			of = 1
		}
		switch {
		case at > 0:
			return min(of+at, len(params)-1)
		case kind != "" && strings.Contains(typed[strings.LastIndexByte(typed, '/')+1:], kind):
			return 1
		}
		return 0
	})
}
