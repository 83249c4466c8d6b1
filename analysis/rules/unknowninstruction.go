package rules

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// UnknownInstruction finds words in an instruction's place that are no instruction.
var UnknownInstruction = &Rule{
	ID:       "unknown-instruction",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A line begins with a word that is not an instruction",
		What: "Finds lines such as `EVN METHOD=HEAD`. Where an instruction is likely meant, a fix changes the word to it. " +
			"Where the word rather is a command that belongs to the RUN above, the line above has lost the escape character at its end, and a fix puts it back.",
		Why:     "The build stops at a word that it does not know.",
		Example: "FROM alpine\nEVN METHOD=HEAD\nRUN apk add curl &&\n    curl --version\n",
		Instead: "FROM alpine\nENV METHOD=HEAD\nRUN apk add curl && \\\n    curl --version\n",
	},
	check: checkUnknownInstruction,
}

func checkUnknownInstruction(p *pass) {
	if len(p.problems[dockerfile.UnknownInstruction]) == 0 {
		return
	}
	file := p.File
	inRun := false // the instruction above is a RUN, or was its continuation before a line lost its escape character
	for i, in := range file.Instructions {
		lost := false
		for _, problem := range in.Problems {
			if problem.Kind != dockerfile.UnknownInstruction {
				continue
			}
			lost = inRun && problem.Span.Start == in.Keyword.Span.Start && continues(file, file.Instructions[i-1], in, problem)
			if lost {
				p.report(nil, lostEscape(file, file.Instructions[i-1], problem))
			} else {
				if word := file.Text.Slice(problem.Span); len(problem.Suggestions) == 0 && spaceMissing(word) != "" {
					problem.Suggestions = []string{spaceMissing(word)}
				}
				p.report(nil, fromProblem(file, problem))
			}
		}
		inRun = lost || strings.EqualFold(in.Keyword.Text, "RUN")
	}
}

// spaceMissing returns "FROM alpine" for "FROMalpine", and "" where no instruction in capitals begins the word.
func spaceMissing(word string) string {
	for _, keyword := range dockerfile.Keywords() {
		if rest, ok := strings.CutPrefix(word, keyword); ok && rest != "" && (rest[0] < 'A' || rest[0] > 'Z') {
			return keyword + " " + rest
		}
	}
	return ""
}

// continues reports whether in rather is a lost continuation of run, the instruction above it, than an instruction.
func continues(file *dockerfile.File, run, in *dockerfile.Instruction, p dockerfile.Problem) bool {
	if len(run.Heredocs) > 0 {
		return false // a RUN with a heredoc cannot be continued
	}
	for line := file.Text.LineAt(run.Span.End) + 1; line < file.Text.LineAt(in.Span.Start); line++ {
		if !strings.HasPrefix(strings.TrimSpace(file.Text.Slice(file.Text.Line(line))), "#") {
			return false
		}
	}
	word := file.Text.Slice(p.Span)
	switch {
	case endsInOperator(file, run) || startsWithOperator(word) || shellCommands[word]:
		return true
	case len(p.Suggestions) == 0:
		return word == strings.ToLower(word) || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) })
	}
	return strings.Contains(p.Suggestions[0], " -") // "add-apt-repository" rather than "add -apt-repository"
}

func lostEscape(file *dockerfile.File, run *dockerfile.Instruction, p dockerfile.Problem) analysis.Finding {
	name := "backslash"
	if file.Escape == '`' {
		name = "backtick"
	}
	end := run.Span.Start + len(strings.TrimRight(file.Text.Slice(run.Span), " \t"))
	edit := source.Edit{Span: source.Span{Start: end, End: run.Span.End}, NewText: " " + string(file.Escape)}
	line := file.Text.LineAt(end) + 1
	word := file.Text.Slice(p.Span)
	fixes := []analysis.Fix{{
		Title: fmt.Sprintf("Add the missing %s at the end of line %d", name, line),
		Edits: []source.Edit{edit},
		// Where no operator says that the command goes on, the line might as well lack a RUN.
		Preferred: endsInOperator(file, run) || startsWithOperator(word),
	}}
	for _, change := range changeTo(file, p) {
		change.Preferred = false
		fixes = append(fixes, change)
	}
	return analysis.Finding{
		Span:    p.Span,
		Message: fmt.Sprintf("%s is not an instruction: missing %s at the end of line %d?", word, name, line),
		Fixes:   fixes,
	}
}

// endsInOperator reports whether the shell waits for more behind the instruction. A semicolon may also end a command.
func endsInOperator(file *dockerfile.File, in *dockerfile.Instruction) bool {
	text := strings.TrimRight(file.Text.Slice(in.Span), " \t")
	for _, op := range []string{"&&", "||", "|"} {
		if strings.HasSuffix(text, op) {
			return true
		}
	}
	return false
}

func startsWithOperator(word string) bool {
	return strings.ContainsAny(word[:min(1, len(word))], "&|;-<>")
}

// shellCommands are commands so close to an instruction's name that they would pass for its misspelling.
var shellCommands = map[string]bool{
	"apk": true, "apt": true, "cat": true, "cd": true, "cp": true, "export": true, "go": true, "ln": true, "mv": true,
	"pip": true, "rm": true, "rpm": true, "sed": true, "tar": true, "unset": true, "useradd": true, "yum": true,
}
