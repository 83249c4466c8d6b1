package rules

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

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
		What: "Finds lines such as `EVN METHOD=HEAD`. Where an instruction is likely meant, a fix changes the word " +
			"to it; in front of a shell command it puts `RUN`, in front of a variable `ENV`. " +
			"Where the line rather belongs to the instruction above, that one's last line has lost its escape " +
			"character, or has something behind it, and a fix puts that right.",
		Why:     "The build stops at a word that it does not know.",
		Example: "FROM alpine\nEVN METHOD=HEAD\nRUN apk add curl &&\n    curl --version\n",
		Instead: "FROM alpine\nENV METHOD=HEAD\nRUN apk add curl && \\\n    curl --version\n",
	},
	each:  meantInstructions,
	check: checkUnknownInstruction,
}

// meantInstructions says of each such word in an instruction what may be meant.
func meantInstructions(p *pass, in *dockerfile.Instruction) {
	for _, problem := range in.Problems {
		if problem.Kind != dockerfile.UnknownInstruction {
			continue
		}
		about := in
		if in.Trigger != nil && problem.Span.Start >= in.Trigger.Span.Start {
			about = in.Trigger
		}
		p.report(nil, p.unknownWord(about, problem))
	}
}

func checkUnknownInstruction(p *pass) {
	if len(p.problems(dockerfile.UnknownInstruction)) == 0 {
		return
	}
	leftovers := p.patchLines()
	lost := p.lostLines()
	told := -1 // the last of the lines that a finding above is about
	pasted := map[string]*analysis.Finding{}
	var order []*analysis.Finding
	for i, in := range p.file().Instructions {
		if i <= told {
			continue
		}
		drafts := p.rest().drafts[in]
		for _, problem := range in.Problems {
			if problem.Kind != dockerfile.UnknownInstruction {
				continue
			}
			problem = p.weighed(problem)
			draft := drafts[0]
			drafts = drafts[1:]
			switch {
			case i > 0 && p.rest().escapeTold && p.otherEscape(p.file().Instructions[i-1]):
				// IgnoredDirective says what is wrong
			case p.inOpenHeredoc(in): // UnterminatedHeredoc says so
			case leftovers[in]: // PatchRemnant says what they are
			case p.pasted(in, func(kind string, finding analysis.Finding) {
				first := pasted[kind]
				if first == nil {
					pasted[kind] = &finding
					order = append(order, &finding)
				} else {
					first.Fixes[0].Edits = append(first.Fixes[0].Edits, finding.Fixes[0].Edits...)
					first.Fixes[0].Title = allOf(first.Fixes[0].Title)
				}
			}):
			case p.reportCompose(in):
				told = p.lastOfCompose(i)
			case lost[in] != nil:
				finding := p.lostEscape(lost[in], p.file().Instructions[i-1], in, problem)
				if fix, more := p.lostBelow(i, lost); more > 0 {
					told = i + more
					finding.Fixes = []analysis.Fix{fix}
				}
				if head := lost[in]; p.goesOnBelow(head) { // where BuildKit stops
					finding.Span = head.Args[0].Span
					finding.Message = fmt.Sprintf(
						"%s requires at least two arguments: missing %s at the end of line %d?",
						head.Meant, p.escapeName(), head.EndLine,
					)
				} else if head.Meant == "SHELL" && p.opensArray(head) { // where it stops as well
					finding.Span = head.ArgsSpan
					finding.Message = fmt.Sprintf("SHELL requires an array: missing %s at the end of line %d?",
						p.escapeName(), head.EndLine)
				}
				p.report(nil, finding)
			default:
				draft.Severity = severityOf(problem)
				p.report(nil, draft)
			}
		}
	}
	for _, finding := range order {
		p.report(nil, *finding)
	}
}

// allOf is the title of a fix for one line as that of one for all lines of its kind.
func allOf(title string) string {
	if strings.HasSuffix(title, alike) {
		return title
	}
	return title + alike
}

const alike = ", and in the other lines like it"

// composeKey matches a line of a Compose file.
var composeKey = regexp.MustCompile(`^\s*(?:services|image|build|ports|environment|volumes|command|version|container_name|restart|` +
	`networks|depends_on|env_file|working_dir|healthcheck|deploy|secrets|configs):(?:\s|$)`)

// lineOf is the first line of an instruction.
func (p *pass) lineOf(in *dockerfile.Instruction) string {
	return p.Text.Slice(p.Text.Line(in.Line - 1))
}

// reportCompose reports a line of a Compose file.
func (p *pass) reportCompose(in *dockerfile.Instruction) bool {
	if line := p.lineOf(in); !strings.Contains(line, ":") || !composeKey.MatchString(line) {
		return false
	}
	message := in.Keyword.Text + " is not an instruction: it belongs in a Compose file"
	finding := analysis.Finding{Span: in.Keyword.Span, Message: message}
	key := strings.ToUpper(strings.TrimSuffix(in.Keyword.Text, ":"))
	if other := otherInstructions[key]; other == "CMD" || other == "WORKDIR" {
		if args := p.Text.Slice(in.ArgsSpan); args != "" && !strings.ContainsAny(args[:1], "|>-") {
			finding.Fixes = replace(in.Keyword.Span, p.inCase(other), false)
		}
	}
	p.report(nil, finding)
	return true
}

// lastOfCompose is the index of the last line that was pasted from a Compose file with the one of index i.
func (p *pass) lastOfCompose(i int) int {
	all := p.file().Instructions
	for ; i+1 < len(all); i++ {
		if in := all[i+1]; !isUnknown(in) || p.indent(in) == 0 && !composeKey.MatchString(p.lineOf(in)) {
			break
		}
	}
	return i
}

// unknownWord says what may be meant by a word in an instruction's place.
func (p *pass) unknownWord(in *dockerfile.Instruction, problem dockerfile.Problem) analysis.Finding {
	word := p.Text.Slice(problem.Span)
	if in.Meant != "" && in.Keyword.Span.End < problem.Span.End && in.Keyword.Span.Start == problem.Span.Start {
		finding := p.spaceMissing(in, problem)
		finding.Severity = severityOf(problem)
		return finding
	}
	if len(problem.Suggestions) == 0 {
		if keyword := gluedKeyword(word); keyword != "" {
			problem.Suggestions = []string{keyword + " " + word[len(keyword):]}
		}
	}
	if isCommand(word) {
		problem.Suggestions = nil
	}
	finding := p.fromProblem(problem)
	if fixes, hint := p.respelt(in, problem); hint != "" {
		finding.Fixes = nil
		return withFirst(finding, fixes, word, hint)
	}
	return p.otherWord(in, problem, finding)
}

// otherWord adds to a finding what is meant by a word of a shell or of another tool.
func (p *pass) otherWord(
	in *dockerfile.Instruction,
	problem dockerfile.Problem,
	finding analysis.Finding,
) analysis.Finding {
	word, args := p.Text.Slice(problem.Span), in.ArgsSpan.Len()
	put := func(keyword string, sure bool, hint string) {
		finding = withFirst(finding, insert(problem.Span.Start, p.inCase(keyword)+" ", sure), word, hint)
	}
	instead := func(keyword, hint string) {
		finding = withFirst(finding, replace(problem.Span, p.inCase(keyword), false), word, hint)
	}
	const needsRun = "a command of the shell needs RUN before it"
	other := otherInstructions[strings.ToUpper(word)]
	if other == "WORKDIR" && strings.HasPrefix(p.Text.Slice(in.ArgsSpan), "[") {
		other = "CMD" // which takes an array
	}
	switch {
	case other != "" && (word != strings.ToLower(word) || args > 0 && !isCommand(word)):
		instead(other, "did you mean "+other+"?")
	case strings.Contains(word, "=") && assignment.MatchString(word):
		put("ENV", true, "did you mean ENV "+word+"?")
	case word == "cd" && len(in.Args) == 1:
		put("RUN", false, "did you mean WORKDIR?")
		instead("WORKDIR", "did you mean WORKDIR?")
	case word == "export" && len(in.Args) > 0 && strings.Contains(in.Args[0].Text, "="):
		put("RUN", false, "did you mean ENV?")
		instead("ENV", "did you mean ENV?")
	case word == "cp" && len(in.Args) > 1 && !strings.HasPrefix(in.Args[0].Text, "-"):
		put("RUN", false, "did you mean COPY?")
		instead("COPY", "did you mean COPY?")
	case isCommand(word) && (args > 0 || len(problem.Suggestions) == 0):
		put("RUN", true, needsRun)
	case isCommand(strings.ToLower(word)) && args > 0 && len(problem.Suggestions) == 0 && word != "INSTALL":
		lower := strings.ToLower(word)
		meant := change("Change to RUN "+lower, problem.Span, matching("RUN", word)+" "+lower, false)
		finding = withFirst(finding, meant, word, needsRun)
	case strings.EqualFold(word, "DOCKER-VERSION"):
		finding.Message = "DOCKER-VERSION is not an instruction: Docker never looked at it"
		finding.Fixes = change("Remove this line", p.lines(in), "", true)
	}
	return finding
}

// withFirst puts a fix in front of those of a finding about a word; of the others none is preferred.
func withFirst(finding analysis.Finding, first []analysis.Fix, word, hint string) analysis.Finding {
	finding.Message = "unknown instruction: " + word + " (" + hint + ")"
	finding.Fixes = firstOf(first, finding.Fixes)
	return finding
}

// inCase is an instruction in the case in which the file's are written.
func (p *pass) inCase(keyword string) string {
	if p.all.lowerCase {
		return strings.ToLower(keyword)
	}
	return keyword
}

// respelt returns what fixes a line whose instruction is right but for what stands in it or between: WORK DIR,
// WORKDIR=/x, [ENTRYPOINT "/x"], // for a comment; and what it says, "" if there is nothing.
func (p *pass) respelt(in *dockerfile.Instruction, problem dockerfile.Problem) (fixes []analysis.Fix, hint string) {
	word := p.Text.Slice(problem.Span)
	if keywordBehind(word) != "" {
		name, args := word[1:], in.ArgsSpan
		if !strings.HasSuffix(strings.TrimRight(p.Text.Slice(args), " \t"), "]") {
			return nil, ""
		}
		fixes = change("Change to "+name+" [...]", problem.Span, name, false)
		fixes[0].Edits = append(fixes[0].Edits, source.Edit{Span: source.At(args.Start), NewText: "["})
		return fixes, "the bracket belongs behind " + name
	}
	bare := strings.TrimRight(strings.TrimLeft(word, openingQuotes+"/*"), openingQuotes+"*")
	if bare != word && keywords[bare] && !strings.HasPrefix(word, bare) {
		fixes = replace(problem.Span, bare, true)
		line := strings.TrimRight(p.Text.Slice(in.Span), " \t")
		if end := strings.TrimRight(line, ",;"); word[0] != '/' && strings.HasSuffix(word, bare) {
			_, width := utf8.DecodeLastRuneInString(end)
			cut := len(end) - width
			if cut > len(word) && strings.ContainsAny(end[cut:], openingQuotes+"\u201d\u2019") {
				fixes[0].Edits = append(fixes[0].Edits, source.Edit{Span: in.Span.Part(cut, len(line))})
				fixes[0].Title = "Remove the quotes"
			}
		}
		return fixes, "did you mean " + bare + "?"
	}
	if strings.HasPrefix(word, "//") {
		return change("Change // to #", problem.Span.Part(0, 2), "#", true), "a comment begins with #"
	}
	if keyword, rest := assigned(word); keyword != "" {
		return replace(problem.Span, strings.TrimRight(keyword+" "+rest, " "), true), "a space follows " + keyword
	}
	if len(in.Args) == 0 || strings.ToUpper(word) != word || p.Text.Slice(in.Args[0].Span) != in.Args[0].Text {
		return nil, ""
	}
	next := in.Args[0]
	span := source.Between(problem.Span.Start, next.Span.End)
	if other := otherInstructions[word+"_"+next.Text]; other != "" {
		return replace(span, other, false), "did you mean " + other + "?"
	}
	if joined := word + next.Text; keywords[joined] {
		return replace(span, joined, true), joined + " is one word"
	}
	return nil, ""
}

// openingQuotes are characters that people put in front of a line which they quote.
const openingQuotes = "\"'`\u201c\u2018"

// inQuotes reports whether a line as a whole is quoted, so that UnknownInstruction says what is wrong with its end.
func inQuotes(in *dockerfile.Instruction) bool {
	return in.Keyword.Text != "" && strings.ContainsAny(in.Keyword.Text[:1], openingQuotes[:3]) ||
		strings.HasPrefix(in.Keyword.Text, "\u201c") || strings.HasPrefix(in.Keyword.Text, "\u2018")
}

// keywordBehind returns the instruction behind an opening bracket, as in [ENTRYPOINT "/x"].
func keywordBehind(word string) string {
	if name, ok := strings.CutPrefix(word, "["); ok && keywords[strings.ToUpper(name)] {
		return strings.ToUpper(name)
	}
	return ""
}

// assigned returns the instruction in capitals that has an equals sign or colon behind it, and what follows.
func assigned(word string) (keyword, rest string) {
	at := strings.IndexAny(word, "=:")
	if at < 0 || !keywords[word[:at]] {
		return "", ""
	}
	return word[:at], word[at+1:]
}

// inLowerCase reports whether a file's instructions are written in lower case.
func inLowerCase(file *dockerfile.File) bool {
	for _, in := range file.Instructions {
		if len(in.Problems) == 0 {
			return in.Keyword.Text == strings.ToLower(in.Keyword.Text)
		}
	}
	return false
}

// spaceMissing is about an instruction whose arguments follow without a blank, or with something that only looks like
// one.
func (p *pass) spaceMissing(in *dockerfile.Instruction, problem dockerfile.Problem) analysis.Finding {
	word, keyword := p.Text.Slice(problem.Span), in.Keyword.Text
	rest := word[len(keyword):]
	odd, width := utf8.DecodeRuneInString(rest)
	if unicode.IsSpace(odd) {
		at := source.Between(in.Keyword.Span.End, in.Keyword.Span.End+width)
		return analysis.Finding{
			Span: problem.Span,
			Message: fmt.Sprintf(
				"%s stands behind %s in the place of a space, so that this is not an instruction",
				characterName(odd),
				keyword,
			),
			Fixes: change("Change it to a space", at, " ", true),
		}
	}
	title := "Insert a space behind " + keyword
	if problem.Span.End >= in.ArgsSpan.End {
		title = "Change to " + keyword + " " + rest
	}
	return analysis.Finding{
		Span:    problem.Span,
		Message: fmt.Sprintf("unknown instruction: %s (a space is missing behind %s)", word, keyword),
		Fixes:   change(title, problem.Span, keyword+" "+rest, true),
	}
}

// gluedKeyword returns "FROM" for "FROMalpine", and "" where no instruction in capitals begins the word.
func gluedKeyword(word string) string {
	for _, keyword := range dockerfile.Keywords() {
		if rest, ok := strings.CutPrefix(word, keyword); ok && rest != "" && (rest[0] < 'A' || rest[0] > 'Z') {
			return keyword
		}
	}
	return ""
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// otherInstructions are words that other tools have for the same, and what they are here.
var otherInstructions = map[string]string{
	"COMMAND": "CMD", "ENVIRONMENT": "ENV", "ENVVAR": "ENV", "SETENV": "ENV", "PORT": "EXPOSE", "PORTS": "EXPOSE",
	"PUBLISH": "EXPOSE", "CWD": "WORKDIR", "CHDIR": "WORKDIR", "WORKINGDIR": "WORKDIR", "WORKING_DIR": "WORKDIR",
	"DIR": "WORKDIR", "EXEC": "RUN", "EXECUTE": "RUN", "IMAGE": "FROM", "BASE": "FROM", "SET": "ENV", "EXPORT": "ENV",
	"VAR": "ENV", "VARIABLE": "ENV", "CD": "WORKDIR", "CP": "COPY", "MOUNT": "VOLUME", "ARGUMENT": "ARG",
	"BUILDARG": "ARG", "PARAM": "ARG", "START": "CMD", "LAUNCH": "CMD", "EXPOSE_PORT": "EXPOSE", "METADATA": "LABEL",
	"AUTHOR": "MAINTAINER", "LISTEN": "EXPOSE", "ENTRY": "ENTRYPOINT", "SHEL": "SHELL", "USERNAME": "USER",
	"SIGNAL": "STOPSIGNAL", "WORKDIRECTORY": "WORKDIR", "WORKING_DIRECTORY": "WORKDIR", "ENV_VAR": "ENV", "VARS": "ENV",
	"RUNCMD": "RUN", "STARTUP": "CMD", "EXTENDS": "FROM",
}

// isCommand reports whether a word clearly is a command of the shell.
func isCommand(word string) bool {
	return commandWords[word] || strings.HasPrefix(word, "./") || strings.HasPrefix(word, "/") && len(word) > 1
}

var commandWords = func() map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(`
		[ add-apt-repository addgroup adduser apk apt apt-get awk bash bundle bunzip2 bzip2 cargo cat cd chgrp chmod chown cmake command composer conda corepack cp curl
		dnf dotnet dpkg echo easy_install eval exec export find for gem gcc git go gpg gradle grep groupadd gunzip gzip if install java jq ldconfig ln locale-gen ls make
		microdnf mkdir mv mvn node npm npx pacman patch perl php pip pip3 pipenv pnpm poetry printf python python2 python3 rm rpm rustup sed set sh sleep source ssh-keygen sudo
		systemctl tar tee test touch tr unset unzip update-ca-certificates update-rc.d useradd usermod uv wget which while xargs yarn yum zypper`) {
		words[word] = true
	}
	return words
}()

var (
	// pastedLine matches an instruction, or a command, behind what a list, a prompt or a builder's output has in front.
	pastedLine = regexp.MustCompile(`^\s*(?:(?:[-*>$•]|\d+[.:)]?|Step \d+/\d+ ?:|(?:=>|#\d+)(?: \[[^\]]*\])?|sudo)\s+["']?[A-Z]{3,}\s|\$ [a-z]|` +
		`(?:/\*|--|<!--|;+|REM|%)\s+\w|` + "```" + `|docker (?:build|run|pull|push|compose)\s|docker-compose\s)`)
	pastedPrefix = regexp.MustCompile(`^\s*((?:[-*>$•]|\d+[.:)]?|Step \d+/\d+ ?:|(?:=>|#\d+)(?: \[[^\]]*\])?|sudo)\s+["']?)([A-Z]{3,})\s`)
	pastedPrompt = regexp.MustCompile(`^\s*(\$ )([a-z][a-z0-9-]*)`)
	foreignNote  = regexp.MustCompile(`^\s*((?:/\*|--|<!--|;+|REM|%)\s+)[^*]*?(\s*(?:\*/|-->))?\s*$`)
)

// pasted reports a line that was pasted from elsewhere: with a list's dash, a prompt or a step's number in front, a
// comment of another language, a fence of Markdown, or a command for the terminal. Lines of one kind have one finding.
func (p *pass) pasted(in *dockerfile.Instruction, report func(kind string, finding analysis.Finding)) bool {
	line := p.Text.Line(in.Line - 1)
	text := p.Text.Slice(line)
	if !pastedLine.MatchString(text) {
		return false
	}
	at := func(from, to int) source.Span { return line.Part(from, to) }
	finding := analysis.Finding{Span: in.Keyword.Span}
	kind := strings.TrimLeft(strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '1'
		}
		return r
	}, strings.Fields(text)[0]), "1")
	if m := pastedPrefix.FindStringSubmatchIndex(text); m != nil && keywords[text[m[4]:m[5]]] {
		finding.Message = fmt.Sprintf("unknown instruction: %s (%s follows)", in.Keyword.Text, text[m[4]:m[5]])
		finding.Fixes = change("Remove "+strings.TrimSpace(text[m[2]:m[3]]), at(m[2], m[3]), "", true)
		end := len(strings.TrimRight(text, " \t"))
		if quote := text[m[3]-1]; (quote == '"' || quote == '\'') && text[end-1] == quote && end > m[5] {
			finding.Fixes[0].Edits = append(finding.Fixes[0].Edits, source.Edit{Span: at(end-1, end)})
		}
	} else if m := pastedPrompt.FindStringSubmatchIndex(text); m != nil && isCommand(text[m[4]:m[5]]) {
		finding.Message = "unknown instruction: $ (a prompt: a command of the shell needs RUN before it)"
		finding.Fixes = replace(at(m[2], m[3]-1), p.inCase("RUN"), true)
	} else if m := foreignNote.FindStringSubmatchIndex(text); m != nil && in.Line == in.EndLine {
		finding.Message = fmt.Sprintf("unknown instruction: %s (a comment begins with #)", in.Keyword.Text)
		edits := []source.Edit{{Span: at(m[2], m[3]), NewText: "# "}}
		if m[4] >= 0 {
			edits = append(edits, source.Edit{Span: at(m[4], m[5])})
		}
		finding.Fixes = []analysis.Fix{{Title: "Change to a comment", Edits: edits, Preferred: true}}
	} else if trimmed := strings.TrimSpace(text); in.Line == in.EndLine &&
		(strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "docker")) {
		if strings.HasPrefix(trimmed, "```") {
			kind = "```"
		}
		finding.Message = fmt.Sprintf("%s does not belong in a Dockerfile", strings.Fields(trimmed)[0])
		finding.Fixes = change("Remove this line", p.lines(in), "", false)
	} else {
		return false
	}
	report(kind, finding)
	return true
}
