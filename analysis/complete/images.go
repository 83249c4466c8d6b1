package complete

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis/images"
)

// imageOrStage offers stages and images; tags behind an image's colon.
func (c *cursor) imageOrStage(typed string) {
	if strings.ContainsAny(typed, "@$") {
		return
	}
	stop := ""
	if c.keyword == "RUN" {
		stop = ","
	}
	if colon := strings.LastIndexByte(typed, ':'); colon > strings.LastIndexByte(typed, '/') {
		c.tags(typed[:colon], typed[colon+1:], stop)
		return
	}
	items := c.stages()
	seen := map[string]bool{"": true}
	for _, it := range items {
		seen[it.Label] = true
	}
	add := func(ref, detail string) {
		if !seen[ref] {
			seen[ref] = true
			items = append(items, Item{Kind: Image, Label: ref, Detail: detail})
		}
	}
	for _, stage := range c.file.Stages {
		if ref := stage.Base.Text; stage.From != c.in && c.variables.Bases[stage.Index] < 0 &&
			!strings.Contains(ref, "$") {
			add(ref, fmt.Sprintf("image of line %d", stage.From.Line))
		}
	}
	for _, ref := range c.elsewhere() {
		add(ref, "used in another file")
	}
	c.projects(add)
	windows := c.file.Escape == '`' || ofWindows.MatchString(c.file.Text.String())
	for _, first := range []bool{true, false} {
		for _, e := range images.Images {
			if (images.Windows(e.Name) == windows) == first && (c.keyword == "FROM" || e.Name != "scratch") {
				add(e.Name, e.Summary)
			}
		}
	}
	c.offer(typed, stop, true, items)
}

// ofWindows finds what only Dockerfiles for Windows have.
var ofWindows = regexp.MustCompile(`(?im)^(shell|cmd|run)[ [\t"]+powershell\b|\bC:[\\/]`)

// elsewhere returns the images of other files.
func (c *cursor) elsewhere() []string {
	if c.world.Images == nil {
		return nil
	}
	return c.world.Images()
}

// tags offers an image's tags: those that the files use, and those that the registry has.
func (c *cursor) tags(image, typed, stop string) {
	var items []Item
	seen := map[string]bool{"": true}
	add := func(tag, detail string) {
		if !seen[tag] {
			seen[tag] = true
			items = append(items, Item{Kind: Tag, Label: tag, Detail: detail})
		}
	}
	used := func(ref, detail string) {
		ref, _, _ = strings.Cut(ref, "@")
		if tag, ok := strings.CutPrefix(ref, image+":"); ok && !strings.Contains(tag, "$") {
			add(tag, detail)
		}
	}
	for _, stage := range c.file.Stages {
		if stage.From != c.in {
			used(stage.Base.Text, fmt.Sprintf("line %d", stage.From.Line))
		}
	}
	for _, ref := range c.elsewhere() {
		used(ref, "used in another file")
	}
	listed := false // by the registry
	if c.world.Tags != nil {
		tags, all := c.world.Tags(image)
		c.list.Partial = c.list.Partial || !all
		listed = len(tags) > 0
		for _, tag := range tags {
			add(tag, "")
		}
	}
	if known := images.Of(image); known != nil && !listed {
		for tag := range strings.FieldsSeq(known.Tags) {
			add(tag, "in use in "+images.TagsDate)
		}
	}
	c.offer(typed, stop+"@", false, items)
}
