package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis"
)

// InvalidStageReference finds references to stages that cannot work.
var InvalidStageReference = &Rule{
	ID:       "invalid-stage-reference",
	Severity: analysis.Error,
	Hadolint: []string{"DL3023"},
	Doc: Doc{
		Summary: "A reference to a stage cannot work",
		What: "Finds `COPY --from=` and `RUN --mount=from=` with the stage itself or one further down, with a " +
			"number that no stage has, `COPY --from=` with a variable, and names of stages that no image can have, " +
			"such as `build.`.",
		Why: "The build stops there: files can be taken from stages above only. For a variable image write `FROM " +
			"$IMAGE AS name` and copy from that.",
		Example: "FROM alpine\nCOPY --from=build /a /a\nFROM alpine AS build\n",
		Instead: "FROM alpine AS build\nFROM alpine\nCOPY --from=build /a /a\n",
	},
	check: checkInvalidStageReference,
}

// checkStageNames looks for names that no image can have, as BuildKit looks for a named context by each.
func (p *pass) checkStageNames() {
	for _, stage := range p.file().Stages {
		if stage.From.From == nil || stage.Name == "" { // what cannot be read has an error of its own
			continue
		}
		if p.invalidName(stage.Name) == nil {
			continue
		}
		finding := analysis.Finding{
			Span:    stage.NameWord.Span,
			Message: fmt.Sprintf("invalid context name %s: invalid reference format", stage.Name),
		}
		if meant := strings.TrimRight(stage.NameWord.Text, "._-"); p.Text.Slice(finding.Span) == stage.NameWord.Text {
			if _, err := reference.ParseNormalizedNamed(strings.ToLower(meant)); err == nil {
				finding.Fixes = replace(finding.Span, meant, true)
			}
		}
		p.report(nil, finding)
	}
}

func checkInvalidStageReference(p *pass) {
	if p.lostStage() {
		return
	}
	p.checkStageNames()
	last := map[string]int{} // of stages with the same name
	for i, stage := range p.file().Stages {
		if stage.Name != "" {
			last[stage.Name] = i
		}
	}
	images := 0 // BuildKit numbers images that are copied from behind the stages
	for _, ref := range p.stageReferences() {
		name := ref.word.Text
		if ref.in.Meant == "FROM" || ref.in.Stage < 0 || ref.in.Command == nil {
			continue
		}
		finding := analysis.Finding{Span: ref.word.Span}
		stage, ok := last[strings.ToLower(name)]
		number, err := -1, strconv.ErrSyntax
		if '0' <= name[0] && name[0] <= '9' || name[0] == '-' || name[0] == '+' {
			number, err = strconv.Atoi(name)
		}
		switch {
		case ok && stage == ref.in.Stage:
			finding.Message = fmt.Sprintf("the stage cannot take files from itself (%s)", name)
		case ok && stage > ref.in.Stage:
			finding.Message = fmt.Sprintf(
				"stage %s needs to be defined before it is used; it begins in line %d",
				name,
				p.file().Stages[stage].From.Line,
			)
		case ok:
			continue
		case ref.in.Meant == "RUN":
			images++
			continue
		case strings.Contains(name, "$"):
			finding.Message = "variable expansion is not supported for --from, define a new stage with FROM using " +
				"ARG from global scope as a workaround"
		case err != nil:
			images++
			continue
		case number < 0 || number >= len(p.file().Stages)+images:
			finding.Message = fmt.Sprintf("invalid stage index %d", number)
		case number == ref.in.Stage:
			finding.Message = "the stage cannot take files from itself"
		case number > ref.in.Stage && number < len(p.file().Stages):
			finding.Message = fmt.Sprintf(
				"stage %d needs to be defined before it is used; it begins in line %d",
				number,
				p.file().Stages[number].From.Line,
			)
		default:
			continue
		}
		if bare := strings.Trim(name, "${}"); bare != name && last[strings.ToLower(bare)] < ref.in.Stage {
			if _, ok := last[strings.ToLower(bare)]; ok {
				finding.Fixes = replace(ref.word.Span, bare, true)
			}
		}
		p.report(nil, finding)
	}
}
