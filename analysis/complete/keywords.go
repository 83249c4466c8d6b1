package complete

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/reference"
)

// keywords offers instructions for a word at a line's start; or behind ONBUILD.
func (c *cursor) keywords(typed string, trigger bool) {
	start := c.offset - len(typed)
	first := true // no FROM stands above
	for _, stage := range c.file.Stages {
		first = first && stage.From.Span.Start >= start
	}
	lower := c.lowerCase()
	span, _ := c.span(typed, "")
	arguments := strings.Trim(c.rest(span.End), blank) != ""
	var items, snippets []Item // the snippets behind all keywords
	add := func(in *reference.Instruction) {
		doc := "instruction/" + in.Name
		items = append(items, Item{Kind: Keyword, Label: cased(in.Name, lower), Detail: in.Summary, Doc: doc})
		// Where arguments stand already the keyword is all that is wanted; and before a letter is typed each
		// instruction is there once.
		if !c.world.TabStops || arguments || typed == "" {
			return
		}
		for _, body := range in.Snippets {
			body = cased(in.Name, lower) + body[len(in.Name):]
			snippets = append(
				snippets,
				Item{
					Kind:     Snippet,
					Label:    withoutStops(body),
					Detail:   in.Summary,
					Text:     body,
					TabStops: true,
					Doc:      doc,
				},
			)
		}
	}
	for _, in := range usualFirst(c.ranks(start)) {
		switch top := in.Name == "FROM" || in.Name == "ARG"; {
		case trigger && (in.Name == "ONBUILD" || in.Name == "FROM" || in.Name == "MAINTAINER"):
		case first && !trigger && !top:
		default:
			add(in)
		}
	}
	c.offer(typed, "", true, append(items, snippets...))
}

// usual are the instructions that are written most, in order.
var usual = []string{"RUN", "COPY", "ENV", "WORKDIR", "FROM", "ARG", "CMD", "ENTRYPOINT", "EXPOSE", "USER"}

// usualFirst returns the instructions with the named ones in front.
func usualFirst(named []string) []*reference.Instruction {
	var list []*reference.Instruction
	for i := range reference.Instructions {
		list = append(list, &reference.Instructions[i])
	}
	rank := func(in *reference.Instruction) int {
		if n := slices.Index(named, in.Name); n >= 0 {
			return n
		}
		return len(named)
	}
	slices.SortStableFunc(list, func(a, b *reference.Instruction) int { return rank(a) - rank(b) })
	return list
}

// lowerCase reports whether most of the file's other instructions are written in lower case.
func (c *cursor) lowerCase() bool {
	lower := 0
	for _, in := range c.file.Instructions {
		switch word := in.Keyword.Text; {
		case in == c.in || in.Meant == "":
		case word == strings.ToLower(word):
			lower++
		default:
			lower--
		}
	}
	return lower > 0
}

func cased(word string, lower bool) string {
	if lower {
		return strings.ToLower(word)
	}
	return word
}

var tabStop = regexp.MustCompile(`\$\{\d+[:|]([^},|]*)[^}]*\}|\$\d`)

// withoutStops is a text with tab stops as it is shown.
func withoutStops(text string) string { return tabStop.ReplaceAllString(text, "$1") }
