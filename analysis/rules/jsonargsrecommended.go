package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// JSONArgsRecommended finds CMD and ENTRYPOINT in shell form.
var JSONArgsRecommended = &Rule{
	ID:       "JSONArgsRecommended",
	Severity: analysis.Information,
	Hadolint: []string{"DL3025"},
	BuildKit: buildKitPage + "json-args-recommended/",
	Doc: Doc{
		Summary: "CMD or ENTRYPOINT is in shell form",
		What: "Finds `CMD` and `ENTRYPOINT` that are not a JSON array, unless the stage says by `SHELL` that it " +
			"means to use a shell. Where the words need no shell a fix makes them an array.",
		Why: "The command then runs below a shell, which may not hand on signals: the container takes ten " +
			"seconds to stop and the program cannot end in order.",
		Example: "FROM alpine\nCMD top -b\n",
		Instead: "FROM alpine\nCMD [\"top\", \"-b\"]\n",
	},
	check: checkJSONArgsRecommended,
}

func checkJSONArgsRecommended(p *pass) {
	for _, name := range []string{"CMD", "ENTRYPOINT"} {
		for _, in := range p.of(name) {
			shellForm := false
			switch c := in.Command.(type) {
			case *instructions.CmdCommand:
				shellForm = c.PrependShell
			case *instructions.EntrypointCommand:
				shellForm = c.PrependShell
			}
			if !shellForm || in.Stage < 0 || p.hasShell(in) || isUnknown(in) {
				continue
			}
			if _, ok := almostJSON(in); ok || quotedCommand(p, in) || p.cutArray(in) {
				continue // AlmostJSON says what is wrong
			}
			if _, ok := p.innerInstruction(in); ok || startsOddly(in) ||
				strings.HasPrefix(p.Text.Slice(in.ArgsSpan), "<<") {
				continue // InnerInstruction, StrayCharacter or UnterminatedHeredoc does
			}
			span := in.ArgsSpan
			if len(in.Args) == 0 {
				span = in.Keyword.Span
			}
			p.found(in, span, p.appending(in, execForm(p.file(), in)),
				"JSON arguments recommended for %s to prevent unintended behavior related to OS signals", name)
		}
	}
}

// appending says in the fixes of an ENTRYPOINT that they bring a CMD into effect, if the stage has one.
func (p *pass) appending(in *dockerfile.Instruction, fixes []analysis.Fix) []analysis.Fix {
	if in.Meant == "ENTRYPOINT" &&
		slices.ContainsFunc(p.of("CMD"), func(cmd *dockerfile.Instruction) bool { return cmd.Stage == in.Stage }) {
		for i := range fixes {
			fixes[i].Title += "; the stage's CMD then becomes its arguments"
		}
	}
	return fixes
}

// hasShell reports whether a SHELL counts where in stands.
func (p *pass) hasShell(in *dockerfile.Instruction) bool {
	if len(p.of("SHELL")) == 0 {
		return false
	}
	for stage, end := in.Stage, in.Span.Start; stage >= 0; stage, end = p.variables().Bases[stage], p.Text.Len() {
		for _, shell := range p.of("SHELL") {
			if shell.Stage == stage && shell.Span.Start < end {
				return true
			}
		}
	}
	return false
}

// shellFree is a word that means itself to every shell.
var shellFree = regexp.MustCompile(`^[A-Za-z0-9_./:=@,+-]+$`)

// shellOwn are words that a shell takes for itself; they cannot begin a command that runs without one.
var shellOwn = map[string]bool{
	".": true, ":": true, "alias": true, "bg": true, "case": true, "cd": true, "command": true, "declare": true,
	"eval": true, "exit": true, "export": true, "fg": true, "for": true, "function": true, "if": true, "local": true,
	"read": true, "readonly": true, "return": true, "set": true, "shift": true, "source": true, "time": true,
	"trap": true, "type": true, "ulimit": true, "umask": true, "unset": true, "until": true, "wait": true,
	"while": true,
}

// execForm returns the fix that makes the words a JSON array, if they need no shell. It is not applied unasked, since a
// process that no shell runs can behave differently.
func execForm(file *dockerfile.File, in *dockerfile.Instruction) []analysis.Fix {
	words := in.Args
	var edits []source.Edit
	if len(words) > 1 && words[0].Text == "exec" {
		edits = []source.Edit{{Span: source.Between(words[0].Span.Start, words[1].Span.Start)}}
		words = words[1:]
	}
	if len(words) == 0 || strings.Contains(words[0].Text, "=") || shellOwn[words[0].Text] ||
		strings.HasPrefix(words[0].Text, "-") ||
		len(in.Heredocs) > 0 {
		return nil
	}
	for i, w := range words {
		before, after := `"`, `", `
		if i == 0 {
			before = `["`
		}
		if i == len(words)-1 {
			after = `"]`
		} else if text := file.Text.String(); text[w.Span.End] == ' ' || text[w.Span.End] == '\t' {
			after = `",`
		}
		if !shellFree.MatchString(w.Text) || file.Text.Slice(w.Span) != w.Text {
			return nil
		}
		edits = append(edits,
			source.Edit{Span: source.At(w.Span.Start), NewText: before},
			source.Edit{Span: source.At(w.Span.End), NewText: after})
	}
	return []analysis.Fix{{Title: "Change to a JSON array", Edits: edits}}
}
