package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// shellFixes are what commands that a shell cannot read most often lack or have too much of: what is in the first group
// is replaced. An empty one at the end of the text stands for the end of the command.
var shellFixes = []struct {
	title   string
	found   *regexp.Regexp
	newText string
}{
	{"Change to &&", regexp.MustCompile(`(&{3,}|&[ \t]+&)`), "&&"},
	{"Change to ||", regexp.MustCompile(`(\|[ \t]+\|)[ \t]*(?:true|exit|echo)\b`), "||"},
	{"Change to >>", regexp.MustCompile(`(>[ \t]+>)`), ">>"},
	{"Change ;; to ;", regexp.MustCompile(`(;[ \t]*;)`), ";"},
	{"Write ; before then", regexp.MustCompile(`\]([ \t]+then[ \t]*;)`), "; then"},
	{"Remove the ;", regexp.MustCompile(`\b(?:then|do|else)([ \t]*;)`), ""},
	{"Remove |", regexp.MustCompile(`\|[ \t]+(\|[ \t]*)`), ""},
	{"Remove &&", regexp.MustCompile(`(?:&&|\|\||;)[ \t]*(?:\\[ \t]*\r?\n[ \t]*)?(&&[ \t]*)`), ""},
	{"Remove &&", regexp.MustCompile(`^[ \t]*((?:&&|\|\||;)[ \t]*)`), ""},
	{"Remove &&", regexp.MustCompile(`([ \t]*(?:&&|\|\||\|))[ \t]*$`), ""},
	{"Insert ; before then", regexp.MustCompile(`[\])](|[ \t])[ \t]*\bthen\b`), "; "},
	{"Insert ; before do", regexp.MustCompile(`(?:for|while)[ \t][^;\n]*[^;\s]([ \t]+)do\b`), "; "},
	{"Insert then", regexp.MustCompile(`\bif[ \t][^;\n]*;()[ \t]*[a-z./$]`), " then"},
	{"Insert do", regexp.MustCompile(`\b(?:for|while)[ \t][^;\n]*;()[ \t]*[a-z./$]`), " do"},
	{"Change to fi", regexp.MustCompile(`\bif[ \t](?s:.*)[;\s](end|endif|done)[ \t]*$`), "fi"},
	{"Change to done", regexp.MustCompile(`\b(?:for|while)[ \t](?s:.*)[;\s](end|endfor|fi)[ \t]*$`), "done"},
	{"Insert ; before fi", regexp.MustCompile(`[^;\s](|[ \t]*(?:\\[ \t]*\r?\n)?)[ \t]+fi\b`), "; "},
	{"Insert ; before done", regexp.MustCompile(`[^;\s](|[ \t]*(?:\\[ \t]*\r?\n)?)[ \t]+done\b`), "; "},
	{"Insert a blank behind {", regexp.MustCompile(`(?:^|[|&;][ \t]*)\{()[a-z]`), " "},
	{"Insert ; before }", regexp.MustCompile(`[^;\s{]()[ \t]+\}`), ";"},
	{"Add the missing fi", regexp.MustCompile(`()[ \t]*$`), "; fi"},
	{"Add the missing done", regexp.MustCompile(`()[ \t]*$`), "; done"},
	{"Add the missing parenthesis", regexp.MustCompile(`()[ \t]*$`), ")"},
	{"Remove the parenthesis", regexp.MustCompile(`(\))[ \t]*$`), ""},
	{"Remove the quote", regexp.MustCompile(`^[^"']*(["'])$`), ""},
	{"Add the missing quote", regexp.MustCompile(`()[ \t]*$`), `"`},
	{"Add the missing quote", regexp.MustCompile(`()[ \t]*$`), `'`},
}

var (
	entity   = regexp.MustCompile(`&(?:amp|lt|gt|quot|#39);`)
	entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'")
)

// repairShell returns the fix after which a shell can read a command, if one of the usual mistakes is all that is wrong
// with it.
func (p *pass) repairShell(in *dockerfile.Instruction) []analysis.Fix {
	const longest = 4000 // bytes of a command for which one is looked for: each try reads it anew
	text := strings.TrimRight(p.Text.Slice(in.ArgsSpan), " \t\r\n")
	if len(in.Heredocs) > 0 || len(text) > longest || len(in.Comments) > 0 {
		return nil
	}
	if fix := (analysis.Fix{Title: "Change HTML's entities to characters", Preferred: true}); entity.MatchString(text) {
		for _, m := range entity.FindAllStringIndex(text, -1) {
			at := in.ArgsSpan.Part(m[0], m[1])
			fix.Edits = append(fix.Edits, source.Edit{Span: at, NewText: entities.Replace(text[m[0]:m[1]])})
		}
		if p.readable(entities.Replace(text)) {
			return []analysis.Fix{fix}
		}
	}
	for _, usual := range shellFixes {
		m := usual.found.FindStringSubmatchIndex(text)
		if m == nil || m[2] == len(text) && strings.HasSuffix(text, string(p.Escape)) {
			continue
		}
		at, newText := in.ArgsSpan.Part(m[2], m[3]), usual.newText
		if strings.Contains(text[m[2]:m[3]], "\n") { // what stands between stays
			at.End = at.Start
			newText = strings.TrimRight(newText, " ")
		} else if newText == "; " && m[2] == m[3] {
			newText = ";"
		} else if newText == `"` && strings.Count(text, `"`)%2 == 0 || newText == "'" && strings.Count(text, "'")%2 == 0 {
			continue
		}
		fixed := text[:m[2]] + newText + text[at.End-in.ArgsSpan.Start:]
		if p.readable(fixed) {
			return change(usual.title, at, newText, m[2] < len(text)-3 && usual.newText != ")")
		}
	}
	return nil
}

// readable reports whether a shell can read the command of a RUN.
func (p *pass) readable(args string) bool {
	directive := ""
	if p.Escape != '\\' {
		directive = "# escape=" + string(p.Escape) + "\n"
	}
	file := dockerfile.Parse(source.New(directive+"FROM scratch\nRUN "+args+"\n"), nil)
	i := slices.IndexFunc(file.Instructions, func(in *dockerfile.Instruction) bool { return in.Meant == "RUN" })
	if i < 0 || len(file.Instructions) != 2 {
		return false
	}
	script, ok := shellText(file, file.Instructions[i])
	return ok && parseShell(script).mistake == nil
}
