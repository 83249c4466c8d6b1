package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// WorkdirRelativePath finds a first WORKDIR that is relative to the base image.
var WorkdirRelativePath = &Rule{
	ID:       "WorkdirRelativePath",
	Severity: analysis.Information,
	Hadolint: []string{"DL3000"},
	BuildKit: buildKitPage + "workdir-relative-path/",
	Doc: Doc{
		Summary: "A relative WORKDIR depends on the base image",
		What:    "Finds a stage's first `WORKDIR` if its path is relative.",
		Why: "The path then depends on the working directory of the base image, which may change with any new " +
			"version of it.",
		Example: "FROM alpine\nWORKDIR app\n",
		Instead: "FROM alpine\nWORKDIR /app\n",
	},
	check: checkWorkdirRelativePath,
}

func checkWorkdirRelativePath(p *pass) {
	if len(p.of("WORKDIR")) == 0 {
		return
	}
	// whether the stage has a WORKDIR, itself or by the stage that it is built on
	set := make([]bool, len(p.file().Stages))
	stage := -1
	inherit := func(to int) {
		for stage < to {
			if stage++; p.file().Stages[stage].From.From != nil {
				if base := p.variables().Bases[stage]; base >= 0 {
					set[stage] = set[base]
				}
			}
		}
	}
	for _, in := range p.of("WORKDIR") {
		if in.Stage < 0 || in.Command == nil || isUnknown(in) {
			continue
		}
		inherit(in.Stage)
		if set[in.Stage] {
			continue
		}
		set[in.Stage] = true
		path, known := strings.Trim(p.Text.Slice(in.ArgsSpan), `"'`), true
		if strings.Contains(path, "$") {
			path, known = p.variables().Expand(in.Stage, in.Span.Start, path)
		}
		if !known || isAbsolute(p.file(), in.Stage, path) || strings.Contains(path, "$(") ||
			strings.HasPrefix(path, "~") ||
			drivePath.MatchString(path) || strings.HasPrefix(path, "[") || strings.HasPrefix(path, "-") {
			continue
		}
		if _, ok := p.innerInstruction(in); ok {
			continue
		}
		p.found(in, in.ArgsSpan, absolute(p.file(), in),
			"relative workdir %q can have unexpected results if the base image changes", path)
	}
}

// isAbsolute reports whether BuildKit takes a path for absolute. On Windows, which nothing but the path itself tells
// here, a drive does, too.
func isAbsolute(file *dockerfile.File, stage int, path string) bool {
	if strings.HasPrefix(path, "/") {
		return true
	}
	windows := file.Escape == '`' || strings.Contains(strings.ToLower(file.Stages[stage].Base.Text), "windows")
	return strings.HasPrefix(path, `\\`) ||
		len(path) > 1 && path[1] == ':' && (windows || len(path) > 2 && strings.ContainsRune(`\/`, rune(path[2])))
}

// absolute puts a slash before a path. It is not applied unasked: the base image's working directory may not be "/".
func absolute(file *dockerfile.File, in *dockerfile.Instruction) []analysis.Fix {
	at := in.ArgsSpan.Start
	if c := file.Text.String()[at]; c == '"' || c == '\'' {
		at++
	}
	return change("Make it absolute", source.At(at), "/", false)
}
