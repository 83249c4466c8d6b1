package rules

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// AlmostJSON finds arguments that are meant to be a JSON array but are none.
var AlmostJSON = &Rule{
	ID:       "almost-json",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "An array is no valid JSON, so it is read as something else",
		What:    "Finds arguments that begin like an array, but have single or typographic quotes, lack a quote, comma or bracket, or have one too many. Fixes mend what can be mended in one way only.",
		Why:     "BuildKit takes such arguments for a shell command, or for file names. The container then fails to start with an error that says little.",
		Example: "FROM alpine\nCMD ['top', '-b']\n",
		Instead: "FROM alpine\nCMD [\"top\", \"-b\"]\n",
	},
	check: checkAlmostJSON,
}

func checkAlmostJSON(p *pass) {
	for in := range p.every("ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME") {
		if args, ok := almostJSON(p.File, in); ok {
			finding := analysis.Finding{
				Span:    in.ArgsSpan,
				Message: fmt.Sprintf("no valid JSON, so that %s does not read it as an array", in.Meant),
				Fixes:   mendJSON(p.File, in, args),
			}
			if in.Meant == "SHELL" {
				finding.Severity = analysis.Error // it takes nothing else
			}
			p.report(in, finding)
		}
	}
}

// almostJSON returns the arguments of an instruction if they look like an array, but are none.
func almostJSON(file *dockerfile.File, in *dockerfile.Instruction) (string, bool) {
	if in.JSON || in.Node == nil || in.ArgsSpan.Len() < 2 || file.Text.String()[in.ArgsSpan.Start] != '[' || len(in.Heredocs) > 0 {
		return "", false
	}
	args := strings.TrimRight(file.Text.Slice(in.ArgsSpan), " \t")
	inner := strings.TrimLeft(args[1:], " \t")
	like := strings.HasPrefix(inner, `"`) || strings.HasPrefix(inner, "'") || strings.HasPrefix(inner, "\u201c")
	list := strings.HasSuffix(args, "]") && strings.Contains(args, ",")
	switch in.Meant {
	case "RUN": // "[" is a command, too
		like = like && (inner == args[1:] || strings.Contains(args, ","))
	case "CMD", "ENTRYPOINT":
		like = like && (inner == args[1:] || strings.Contains(args, ",")) || list
	case "VOLUME":
		like = like || strings.HasSuffix(args, "]")
	}
	return args, like && !json.Valid([]byte(args)) // valid JSON that is no list of strings is an error of its own
}

var (
	missingComma  = regexp.MustCompile(`"[ \t]+"`)
	trailingComma = regexp.MustCompile(`,[ \t]*\]$`)
	bareWords     = regexp.MustCompile(`([\[,][ \t]*)([A-Za-z0-9_./:=-]+)([ \t]*)`)
)

// mendJSON returns the fix that makes args an array of strings, if one of the usual mistakes is all that it has.
func mendJSON(file *dockerfile.File, in *dockerfile.Instruction, args string) []analysis.Fix {
	if strings.ContainsAny(args, "\n") {
		return nil // continued: escape characters and comments are in the way
	}
	quotes := strings.NewReplacer("\u201c", `"`, "\u201d", `"`).Replace(args)
	if !strings.Contains(quotes, `"`) {
		quotes = strings.ReplaceAll(quotes, "'", `"`)
	}
	escaped := quotes // paths of Windows
	if !strings.Contains(quotes, `\\`) {
		escaped = strings.ReplaceAll(quotes, `\`, `\\`)
	}
	for _, mended := range []string{
		quotes,
		missingComma.ReplaceAllString(quotes, `", "`),
		trailingComma.ReplaceAllString(quotes, "]"),
		quotes + "]",
		strings.TrimSuffix(quotes, "]") + `"]`,
		bareWords.ReplaceAllString(quotes, `$1"$2"$3`),
		escaped,
	} {
		var list []string
		if json.Unmarshal([]byte(mended), &list) != nil || len(list) == 0 {
			continue
		}
		return []analysis.Fix{{
			Title:     "Change to a JSON array",
			Edits:     []source.Edit{{Span: source.Span{Start: in.ArgsSpan.Start, End: in.ArgsSpan.Start + len(args)}, NewText: mended}},
			Preferred: mended == quotes,
		}}
	}
	return nil
}
