// Package reorder finds rewrites of a Dockerfile that leave the image as it is and let more of the next builds come
// from the cache.
//
// It offers only what it can prove from the text alone: that the image's configuration and files stay the same, and
// that steps are saved. The package is pure. It must not know the build context, the cache of a machine or a protocol.
package reorder

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Engine is the builder that a rewrite is meant for.
type Engine string

// The engines. To the classic builder every instruction is a step with a cache entry of its own; to BuildKit only
// those are that make or change files, and ENV, CMD and the like only fill in the image's configuration.
const (
	BuildKit Engine = "buildkit"
	Classic  Engine = "classic"
)

// Grade says how sure it is that a rewrite leaves the image as it is.
type Grade string

// Proved means that the image is the same whatever the context and the base image are.
const Proved Grade = "proved"

// Rewrite is one change to one stage.
type Rewrite struct {
	Title       string // imperative, as an editor's menu shows it
	Explanation string // what is gained, why it is safe and what it costs; one sentence or more per line
	Grade       Grade
	Stage       int         // index into File.Stages
	Span        source.Span // of the stage
	Edits       []source.Edit
}

// Suggest returns the rewrites of file that gain something with the engine, at most one per stage, in order. Their
// edits do not overlap, so all can be applied together; after that Suggest returns none. A file with errors gets none.
func Suggest(file *dockerfile.File, engine Engine) []Rewrite {
	if engine != Classic || broken(file) {
		return nil
	}
	var rewrites []Rewrite
	for i := range file.Stages {
		if r, ok := rewriteStage(file, i); ok {
			rewrites = append(rewrites, r)
		}
	}
	return rewrites
}

// NothingGained says why Suggest returns nothing for file.
func NothingGained(file *dockerfile.File, engine Engine) string {
	switch {
	case broken(file):
		return "The file has errors: mend them first (layerwise check lists them)."
	case engine == Classic:
		return "Nothing to gain from raising or joining what only configures the image: none of it stands below a COPY or ADD that it could be raised over, and no two ENVs can be joined."
	}
	var steps, config []string
	for _, in := range file.Instructions {
		list := &config
		switch in.Meant {
		case "FROM", "ARG":
			continue
		case "RUN", "COPY", "ADD", "WORKDIR":
			list = &steps
		}
		if !slices.Contains(*list, in.Meant) {
			*list = append(*list, in.Meant)
		}
	}
	if len(config) == 0 {
		return "Nothing to gain under BuildKit from raising or joining what only configures the image: there is nothing of the sort."
	}
	return fmt.Sprintf("Nothing to gain under BuildKit from raising or joining %s: %s the image's configuration, which is no step of the build. Its steps here are %s.",
		enumerate(config), onlySet(config), enumerate(append([]string{"FROM"}, steps...)))
}

func onlySet(words []string) string {
	if len(words) == 1 {
		return words[0] + " only sets"
	}
	return enumerate(words) + " only set"
}

func enumerate(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func broken(file *dockerfile.File) bool {
	return slices.ContainsFunc(file.Problems, func(p dockerfile.Problem) bool { return !p.Warning })
}

// rewriteStage raises and then joins: what is raised from between two ENVs lets them be joined.
func rewriteStage(file *dockerfile.File, stage int) (Rewrite, bool) {
	raised := raise(file, stage)
	edits := raised.edits
	between := file
	if len(edits) > 0 {
		between = apply(file, edits)
	}
	if between == nil || len(between.Stages) != len(file.Stages) {
		return Rewrite{}, false
	}
	joined := join(between, stage)
	if len(edits) == 0 && len(joined.edits) == 0 {
		return Rewrite{}, false
	}
	for _, e := range joined.edits {
		edits = append(edits, source.Edit{Span: mapBack(e.Span, raised.edits), NewText: e.NewText})
	}
	slices.SortStableFunc(edits, byStart)
	// The two kinds of edits touch different lines, but what their words mean together is for the parser to say.
	if after := apply(file, edits); after == nil || broken(after) || len(after.Instructions) != len(file.Instructions)-joined.saved {
		return Rewrite{}, false
	}
	title := strings.Join(append(raised.titles, joined.titles...), ", ")
	explanation := slices.Concat(raised.reasons, joined.reasons,
		[]string{"The first build after this change runs everything below it once more."})
	return Rewrite{
		Title:       strings.ToUpper(title[:1]) + title[1:] + " (classic builder)",
		Explanation: strings.Join(explanation, "\n"),
		Grade:       Proved,
		Stage:       stage,
		Span:        file.Stages[stage].Span,
		Edits:       edits,
	}, true
}

// change is what one kind of rewrite does to one stage.
type change struct {
	edits   []source.Edit
	titles  []string
	reasons []string
	saved   int // instructions that are gone
}

func apply(file *dockerfile.File, edits []source.Edit) *dockerfile.File {
	text, err := source.Apply(file.Text.String(), edits)
	if err != nil {
		return nil
	}
	return dockerfile.Parse(source.New(text), file)
}

func byStart(a, b source.Edit) int { return a.Span.Start - b.Span.Start }

// mapBack returns the span, within the text before the edits, of a span of the text after them that touches no
// inserted text.
func mapBack(span source.Span, edits []source.Edit) source.Span {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, byStart)
	delta := 0
	for _, e := range edits {
		grown := len(e.NewText) - e.Span.Len()
		if span.Start < e.Span.Start+delta+len(e.NewText) {
			break
		}
		delta += grown
	}
	return span.Shift(-delta)
}
