package complete

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/rules"
)

// directive offers parser directives, and their values, for a comment's text behind the "#" in front of the cursor.
// Elsewhere than at the head of the file only check is known, above an instruction.
func (c *cursor) directive(text string) {
	line := c.file.Text.LineAt(c.offset)
	head := line <= c.file.BehindDirectives()
	name, value, given := strings.Cut(strings.TrimLeft(text, blank), "=")
	if !given {
		if !head {
			// Above an instruction check may stand; most comments there are prose, so it is offered only once it is
			// begun.
			if name != "" {
				c.offer(
					name,
					"=",
					false,
					[]Item{
						{
							Kind:   Key,
							Label:  "check=skip=",
							Filter: "check",
							Detail: "Leave out checks for the instruction below",
							Doc:    "directive/check",
							More:   true,
						},
					},
				)
			}
			return
		}
		var items []Item
		for _, d := range reference.Directives {
			if slices.ContainsFunc(
				c.file.Directives,
				func(o dockerfile.Directive) bool { return o.Name.Text == d.Name && !o.Span.Contains(c.offset) },
			) {
				continue
			}
			it := Item{Kind: Key, Label: d.Name + "=" + d.Value, Detail: d.Summary, Doc: "directive/" + d.Name}
			if span, ok := c.span(name, "="); ok && c.following(span.End) == "=" {
				it.Text, it.Filter = d.Name, d.Name
			} else if c.world.TabStops {
				it.Text, it.TabStops = d.Name+"=${1:"+escape(d.Value)+"}", true
				if d.Name == "check" {
					it.Text = "check=skip=${1:all}"
				}
			}
			items = append(items, it)
		}
		c.offer(name, "=", true, items)
		return
	}
	name, value = strings.ToLower(strings.TrimRight(name, blank)), strings.TrimLeft(value, blank)
	d := reference.Find(reference.Directives, name)
	switch {
	case d == nil || !head && name != "check":
	case name == "check":
		c.checks(value)
	default:
		c.offer(value, "", false, entries(Value, "directive/"+name, d.Values))
	}
}

// checks offers options of the check directive, and names of checks.
func (c *cursor) checks(value string) {
	option := strings.TrimLeft(value[strings.LastIndexByte(value, ';')+1:], blank)
	key, names, given := strings.Cut(option, "=")
	if !given {
		c.offer(option, ";", true, []Item{
			{Kind: Key, Label: "skip=", Detail: "checks to leave out", Doc: "directive/check", More: true},
			{Kind: Key, Label: "error=true", Detail: "findings make the build fail", Doc: "directive/check"},
			{
				Kind:   Key,
				Label:  "experimental=",
				Detail: "checks that are still tried out",
				Doc:    "directive/check",
				More:   true,
			},
		})
		return
	}
	var items []Item
	switch key {
	case "error":
		c.offer(names, ";", false, []Item{{Kind: Value, Label: "true"}, {Kind: Value, Label: "false"}})
		return
	case "skip", "experimental":
		items = append(items, Item{Kind: Value, Label: "all", Detail: "all checks"})
	default:
		return
	}
	whole := strings.Split(names, ",")
	typed := strings.TrimLeft(whole[len(whole)-1], blank)
	for _, buildkit := range []bool{true, false} {
		for _, r := range rules.All {
			if (r.BuildKit != "") == buildkit && r.Experimental == (key == "experimental") &&
				!slices.Contains(whole[:len(whole)-1], r.ID) {
				items = append(items, Item{Kind: Check, Label: r.ID, Detail: r.Doc.Summary, Doc: "check/" + r.ID})
			}
		}
		if key == "skip" && buildkit {
			items = append(
				items,
				Item{Kind: Check, Label: "InvalidBaseImagePlatform", Detail: "The base image is for another platform"},
			)
		}
	}
	c.offer(typed, ",;", true, items)
}
