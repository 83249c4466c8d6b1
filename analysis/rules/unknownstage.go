package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
)

// UnknownStage finds references to stages whose names are misspelt.
var UnknownStage = &Rule{
	ID:       "unknown-stage",
	Severity: analysis.Warning,
	Hadolint: []string{"DL3022"},
	Doc: Doc{
		Summary: "A stage's name is misspelt",
		What: "Finds `COPY --from=`, `RUN --mount=from=` and `FROM` with a name that is not a stage, but close to " +
			"one, and that is not a likely image either.",
		Why:     "BuildKit takes a name that is not a stage for an image, and tries to pull it.",
		Example: "FROM alpine AS build\nFROM alpine\nCOPY --from=biuld /a /a\n",
		Instead: "FROM alpine AS build\nFROM alpine\nCOPY --from=build /a /a\n",
	},
	check: checkUnknownStage,
}

func checkUnknownStage(p *pass) {
	var names []string // of the stages above
	above := map[string]bool{}
	stage := 0
	check := func(in *dockerfile.Instruction, word dockerfile.Word) {
		for ; stage < in.Stage; stage++ {
			if name := p.file().Stages[stage].Name; name != "" {
				names, above[name] = append(names, name), true
			}
		}
		name := word.Text
		if stage, tag, ok := strings.Cut(name, ":"); ok && in.Meant != "FROM" && above[strings.ToLower(stage)] &&
			tag == "latest" && !images.Official(stage) {
			p.found(in, word.Span, replace(word.Span, stage, true), "%s is an image: a stage has no tag", name)
			return
		}
		if len(names) == 0 || above[strings.ToLower(name)] || strings.ContainsAny(name, "$/:@.") ||
			images.Official(name) {
			return
		}
		names := p.nearest(name, names)
		if !clearly(name, names) && !(len(name) == 3 && slices.Contains(names, name+"s")) &&
			!slices.Contains(names, strings.TrimSuffix(name, "er")) { // builder, where the stage is build
			return
		}
		if p.invalidName(name) != nil {
			return // InvalidImage says so
		}
		p.report(
			in,
			misspelt(
				analysis.Finding{Span: word.Span, Message: fmt.Sprintf("no stage is named %s", name)},
				name,
				"",
				names,
				true,
			),
		)
	}
	for _, ref := range p.stageReferences() {
		check(ref.in, ref.word)
	}
}

// stageReference is a word that names a stage or an image.
type stageReference struct {
	in   *dockerfile.Instruction
	word dockerfile.Word
}

// stageReferences returns the references of the file in order.
func (p *pass) stageReferences() []stageReference {
	if p.rest().refs != nil {
		return p.rest().refs
	}
	refs := make([]stageReference, 0, len(p.of("FROM"))+len(p.of("COPY")))
	for _, in := range p.file().Instructions {
		switch in.Meant {
		case "FROM":
			if len(in.Args) > 0 {
				refs = append(refs, stageReference{in, in.Args[0]})
			}
		case "COPY":
			for _, flag := range in.Flags {
				if name := unquoted(flag.Value.Text); flag.Name.Text == "from" && name != "" {
					refs = append(refs, stageReference{in, dockerfile.Word{Span: flag.Value.Span, Text: name}})
				}
			}
		case "RUN":
			for _, flag := range in.Flags {
				if flag.Name.Text != "mount" || p.Text.Slice(flag.Value.Span) != flag.Value.Text {
					continue
				}
				at := flag.Value.Span.Start
				for part := range strings.SplitSeq(flag.Value.Text, ",") {
					if key, name, ok := strings.Cut(part, "="); ok && strings.EqualFold(key, "from") && name != "" {
						end := at + len(part)
						refs = append(
							refs,
							stageReference{in, dockerfile.Word{Span: source.Between(end-len(name), end), Text: name}},
						)
					}
					at += len(part) + 1
				}
			}
		}
	}
	p.rest().refs = refs
	return refs
}
