package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// NoShell finds what only a shell would replace, where no shell runs.
var NoShell = &Rule{
	ID:       "no-shell",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A variable or command is to be replaced by a shell, but no shell runs here",
		What: "Finds variables in `CMD`, `ENTRYPOINT`, `HEALTHCHECK CMD` and `RUN` in exec form whose program is not " +
			"a shell, several words in one string or several strings behind `sh -c`, `~` in an array, `$@` in a shell " +
			"form, which gets no arguments, " +
			"command substitution (`$(date)`, `` `date` ``) in other instructions than `RUN`, the variables of " +
			"Windows' cmd (`%NAME%`), and `ENV A=A` where `A` is an `ARG`.",
		Why: "An exec form starts the program as it is written, and no instruction but `RUN` runs a command while " +
			"building: the program or the image gets the text `$PORT` or `$(date)` itself. " +
			"Use the shell form or `sh -c`, or compute the value outside and hand it in by `--build-arg`.",
		Example: "FROM alpine\nCMD [\"serve\", \"--port=$PORT\"]\n",
		Instead: "FROM alpine\nCMD [\"sh\", \"-c\", \"exec serve --port=$PORT\"]\n",
	},
	of: []string{"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN",
		"STOPSIGNAL", "USER", "VOLUME", "WORKDIR"},
	each: checkNoShell,
}

var (
	shellVariable = regexp.MustCompile(`\$(\{[A-Za-z_][A-Za-z0-9_]*[^}]*\}|[A-Za-z_][A-Za-z0-9_]*|\([^)]+\))`)
	substitution  = regexp.MustCompile("^[\"]?(\\$\\([^()]+\\)|`[^`]+`)[\"]?$")
	inBackquotes  = regexp.MustCompile("`[^`]+`")
	inText        = regexp.MustCompile(`\$\([^()]*\)`)
	shells        = strings.Fields(
		"sh bash ash dash zsh ksh fish busybox cmd cmd.exe powershell powershell.exe pwsh pwsh.exe",
	)
	// programs that may replace variables by themselves, or be given them by a shell
	shellPrograms = slices.Concat(shells, strings.Fields(
		"env awk gawk perl make envsubst expect tclsh php ruby node jq nginx supervisord",
	))
)

func checkNoShell(p *pass, in *dockerfile.Instruction) {
	switch in.Meant {
	case "CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN":
		if in.JSON && !p.checkOperators(in) && !p.checkShellWords(in) {
			p.checkExecForm(in)
		}
		if !in.JSON {
			p.checkArguments(in)
			p.checkMakeVariable(in)
		}
	default:
		p.checkSubstitution(in)
	}
	switch in.Meant {
	case "ADD", "COPY", "CMD", "ENTRYPOINT", "ENV", "LABEL", "RUN", "USER", "WORKDIR":
		p.checkPercent(in)
	}
	switch in.Meant {
	case "ADD", "COPY", "ENV", "LABEL", "USER", "VOLUME", "WORKDIR":
		p.checkBracedNames(in)
	}
	if in.Meant == "ENV" {
		p.checkOwnName(in)
	}
}

// bracedName matches names in braces, or in brackets behind a "$", as templates and other shells have them.
var bracedName = regexp.MustCompile(`(?:^|[^${\w])` +
	`(\{{1,2}[ \t]*([A-Z_][A-Z0-9_]*)[ \t]*\}{1,2}|\$\[([A-Za-z_][A-Za-z0-9_]*)\])(?:[^}]|$)`)

// checkBracedNames looks for variables of the file in braces without a "$", which BuildKit takes as they are written.
func (p *pass) checkBracedNames(in *dockerfile.Instruction) {
	text := p.Text.Slice(in.ArgsSpan)
	m := bracedName.FindStringSubmatchIndex(text)
	if m == nil || in.JSON || in.Command == nil || len(in.Heredocs) > 0 {
		return
	}
	word := dockerfile.Word{Text: text[m[2]:m[3]]}
	word.Span = in.ArgsSpan.Part(m[2], m[3])
	if fixes := p.withVariables(in, word); fixes != nil {
		fixes[0].Preferred = false
		p.found(in, word.Span, fixes, "%s is not replaced: %s takes it as it is written", word.Text, in.Meant)
	}
}

// checkOwnName looks for a variable whose value is its own name, where an ARG of that name has another one.
func (p *pass) checkOwnName(in *dockerfile.Instruction) {
	for _, word := range in.Args {
		name, value, ok := strings.Cut(word.Text, "=")
		if !ok || name != value || !plainName.MatchString(name) || p.Text.Slice(word.Span) != word.Text ||
			!p.defines(in, name) {
			continue
		}
		at := source.Between(word.Span.End-len(value), word.Span.End)
		p.found(in, at, replace(at, "$"+name, true), "%s is not replaced: only $%[1]s is the value of the ARG", name)
	}
}

// checkShellWords looks for a command whose words are several strings behind sh -c, which takes the first only.
func (p *pass) checkShellWords(in *dockerfile.Instruction) bool {
	words := in.Args
	if in.Meant == "HEALTHCHECK" && len(words) > 0 {
		words = words[1:]
	}
	if len(words) < 4 || unquoted(words[1].Text) != "-c" ||
		!slices.Contains(unixShells, path.Base(unquoted(words[0].Text))) {
		return false
	}
	var list []string
	for _, word := range words[2:] {
		text := unquoted(word.Text)
		if !shellFree.MatchString(text) || strings.HasPrefix(text, "-") && len(list) == 0 || text == "--" {
			return false
		}
		list = append(list, text)
	}
	name := path.Base(unquoted(words[0].Text))
	span := source.Between(words[2].Span.Start, words[len(words)-1].Span.End)
	p.found(in, source.Between(words[3].Span.Start, span.End), replace(span, `"`+strings.Join(list, " ")+`"`, true),
		"%s -c runs %s only: what follows it is not a part of the command", name, list[0])
	return true
}

var allArguments = regexp.MustCompile(`(?:^|[ \t])("\$[@*]"|\$[@*])`)

// checkArguments looks for the arguments of a command line in a shell form, which has none.
func (p *pass) checkArguments(in *dockerfile.Instruction) {
	if in.Meant != "CMD" && in.Meant != "ENTRYPOINT" {
		return
	}
	text := p.Text.Slice(in.ArgsSpan)
	m := allArguments.FindStringSubmatchIndex(text)
	if m == nil || strings.Contains(text, "set --") ||
		strings.ContainsAny(text[:m[2]], "'{(") || len(p.of("SHELL")) > 0 {
		return
	}
	shown := text[m[2]:m[3]]
	p.found(in, in.ArgsSpan.Part(m[2], m[3]), nil, "%s is empty: the shell form of %s gets no arguments", shown,
		in.Meant)
}

var makeVariable = regexp.MustCompile(`\$\(([A-Z_][A-Z0-9_]*)\)`)

// checkMakeVariable looks for a variable as a makefile has it, of which a shell runs the name.
func (p *pass) checkMakeVariable(in *dockerfile.Instruction) bool {
	m := makeVariable.FindStringSubmatchIndex(p.Text.Slice(in.ArgsSpan))
	if m == nil || len(in.Heredocs) > 0 {
		return false
	}
	span := in.ArgsSpan.Part(m[0], m[1])
	name := p.Text.Slice(in.ArgsSpan.Part(m[2], m[3]))
	if name != "PATH" && !p.defines(in, name) {
		return false
	}
	message := "the shell runs %s as a command: the variable is ${%[1]s}"
	if in.Meant == "ARG" || in.Meant == "ENV" || in.Meant == "LABEL" {
		message = "$(%s) is not replaced: the variable is ${%[1]s}"
	}
	p.found(in, span, replace(span, "${"+name+"}", true), message, name)
	return true
}

var percentName = regexp.MustCompile(`(?:^|[\s=:"/])%([A-Z][A-Z0-9_]+)%`)

// checkPercent looks for variables as cmd.exe writes them, where another shell or BuildKit reads them.
func (p *pass) checkPercent(in *dockerfile.Instruction) {
	text := p.Text.Slice(in.ArgsSpan)
	if !strings.Contains(text, "%") || in.JSON || len(in.Heredocs) > 0 || p.Escape != '\\' {
		return
	}
	m := percentName.FindStringSubmatchIndex(text)
	if m == nil || !p.unixImage(in) {
		return
	}
	name := text[m[2]:m[3]]
	_, defined := p.variables().Lookup(in.Stage, in.Span.Start, name)
	if shell := in.Meant == "RUN" || in.Meant == "CMD" || in.Meant == "ENTRYPOINT"; shell && !defined &&
		name != "PATH" && name != "HOME" {
		return
	}
	span := in.ArgsSpan.Part(m[2]-1, m[3]+1)
	finding := analysis.Finding{
		Span: span, Message: fmt.Sprintf("%%%s%% is not replaced: only cmd.exe of Windows reads that", name),
	}
	if defined || name == "PATH" || name == "HOME" {
		finding.Fixes = replace(span, "${"+name+"}", false)
	}
	p.report(in, finding)
}

// checkExecForm looks for variables in an array whose program does not replace any.
func (p *pass) checkExecForm(in *dockerfile.Instruction) {
	words := in.Args
	if in.Meant == "HEALTHCHECK" && len(words) > 0 {
		words = words[1:]
	}
	var list []string
	first := -1
	for i, word := range words {
		text := unquoted(word.Text)
		if slices.Contains(shellPrograms, strings.ToLower(path.Base(text))) || strings.Contains(text, "/env") {
			return // it, or what it runs, replaces them
		}
		if i > 0 && in.Meant == "ENTRYPOINT" && (text == "$@" || text == "$*") {
			at := source.Between(words[i-1].Span.End, word.Span.End)
			p.found(in, word.Span, change("Remove "+word.Text, at, "", true),
				"%s is not replaced: what CMD has stands behind the words of ENTRYPOINT anyway", word.Text)
			return
		}
		if first < 0 && shellVariable.MatchString(text) {
			first = i
		}
		list = append(list, text)
	}
	if first < 0 {
		return
	}
	m := shellVariable.FindStringIndex(words[first].Text)
	span := words[first].Span
	if p.Text.Slice(span) == words[first].Text && m != nil {
		span = span.Part(m[0], m[1])
	}
	finding := analysis.Finding{
		Span:    span,
		Message: fmt.Sprintf("%s is not replaced: %s in exec form runs without a shell", p.Text.Slice(span), in.Meant),
	}
	if script, ok := shellScript(list); ok && in.Meant != "RUN" {
		whole := source.Between(words[0].Span.Start, words[len(words)-1].Span.End)
		finding.Fixes = change(`Run it by sh -c`, whole, `"sh", "-c", "exec `+script+`"`, false)
	}
	p.report(in, finding)
}

// shellScript is a command line that starts the program with the words, inside of a JSON string; not ok where quoting
// it is not plain.
func shellScript(words []string) (string, bool) {
	list := make([]string, len(words))
	for i, word := range words {
		switch {
		case strings.ContainsAny(word, "\"\\`'") || word == "":
			return "", false
		case shellFree.MatchString(shellVariable.ReplaceAllString(word, "x")):
			list[i] = word
		case strings.Contains(word, "$"):
			list[i] = `\"` + word + `\"`
		default:
			list[i] = "'" + word + "'"
		}
	}
	return strings.Join(list, " "), true
}

// checkSubstitution looks for commands that are to be replaced by their output.
func (p *pass) checkSubstitution(in *dockerfile.Instruction) {
	if text := p.Text.Slice(in.ArgsSpan); !strings.Contains(text, "$(") && !strings.Contains(text, "`") ||
		in.Command == nil && in.From == nil {
		return
	}
	if (in.Meant == "FROM" || in.Meant == "EXPOSE") && p.asVariables(in, p.Text.Slice(in.ArgsSpan)) != "" {
		return // InvalidImage and InvalidPort say so
	}
	for _, word := range in.Args {
		text, span := word.Text, word.Span
		switch in.Meant {
		case "ARG", "ENV", "LABEL": // in a longer text it may be meant for who reads it
			key, value, _ := strings.Cut(text, "=")
			if len(in.Args) == 2 && in.Meant != "ARG" && !strings.Contains(in.Args[0].Text, "=") {
				key, value = "", text
			} else {
				key += "="
			}
			if !substitution.MatchString(value) && p.checkMakeVariable(in) {
				return
			}
			if !substitution.MatchString(value) || p.Escape == '`' && !strings.Contains(value, "$(") {
				continue
			}
			if p.Text.Slice(span) == text {
				span.Start += len(key)
			}
		case "STOPSIGNAL", "FROM", "EXPOSE", "USER":
			if !strings.Contains(text, "$(") {
				continue
			}
		default:
			m := inText.FindStringIndex(p.Text.Slice(in.ArgsSpan))
			if m == nil && p.Escape != '`' {
				m = inBackquotes.FindStringIndex(p.Text.Slice(in.ArgsSpan))
			}
			if m == nil {
				continue
			}
			span = in.ArgsSpan.Part(m[0], m[1])
		}
		shown := strings.Trim(p.Text.Slice(span), `"`)
		finding := analysis.Finding{
			Span:    span,
			Message: fmt.Sprintf("%s is not run: %s takes it as it is written", shown, in.Meant),
		}
		if name, ok := strings.CutPrefix(strings.TrimSuffix(shown, ")"), "$("); ok {
			if shown != p.Text.Slice(span) { // in quotes
				span.Start, span.End = span.Start+1, span.End-1
			}
			if _, defined := p.variables().Lookup(in.Stage, in.Span.Start, name); defined {
				finding.Fixes = replace(span, "$"+name, false) // as in a makefile
				if next := p.Text.String()[span.End:]; next != "" && assignment.MatchString("_"+next[:1]+"=") {
					finding.Fixes = replace(span, "${"+name+"}", false)
				}
			}
		}
		p.report(in, finding)
		return
	}
}

var shellOperators = []string{"&&", "||", "|", ">", ">>", "<", ";", "&", "2>&1", "2>", "&>"}

// checkOperators looks for a command line of the shell's in an array: in one string, or with the shell's operators or
// own commands as strings.
func (p *pass) checkOperators(in *dockerfile.Instruction) bool {
	words := in.Args
	if in.Meant == "HEALTHCHECK" && len(words) > 0 {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	list := make([]string, len(words))
	for i, word := range words {
		if list[i] = unquoted(word.Text); strings.Contains(list[i], `\`) {
			return false
		}
	}
	first := list[0]
	whole := source.Between(words[0].Span.Start, words[len(words)-1].Span.End)
	finding := analysis.Finding{Span: words[0].Span}
	fields := strings.Fields(first)
	operator := slices.IndexFunc(list, func(word string) bool { return slices.Contains(shellOperators, word) })
	inOne := slices.ContainsFunc(fields, func(word string) bool { return slices.Contains(shellOperators, word) })
	if p.checkShellStrings(in, words, list) {
		return true
	}
	switch shell := slices.Contains(shells, strings.ToLower(path.Base(first))); {
	case shell || first == "":
		return false
	case len(list) == 1 && len(fields) > 1 && (inOne || shellOwn[fields[0]]):
		finding.Message = "no shell reads this: it is taken for the name of one program"
		finding.Fixes = runBySh(whole, first)
	case len(fields) > 1 && !strings.Contains(fields[0], "/") && !strings.Contains(first, "'") && operator < 0:
		finding.Message = words[0].Text + " is taken for the name of one program: each word is a string of its own"
		finding.Fixes = replace(words[0].Span, `"`+strings.Join(fields, `", "`)+`"`, false)
	case operator > 0:
		finding.Span = words[operator].Span
		finding.Message = fmt.Sprintf(
			"%s is handed to %s as an argument: no shell reads an array", list[operator], first)
		finding.Fixes = runBySh(whole, strings.Join(list, " "))
	case first == "cd" || first == "source" || first == "." || first == "export" || first == "exec":
		finding.Message = first + " is a command of the shell: no program has that name"
		if first == "exec" && len(words) > 1 {
			finding.Fixes = p.removed(source.Between(words[0].Span.Start, words[1].Span.Start))
		}
	default:
		return false
	}
	p.report(in, finding)
	return true
}

// optionWithValue is an option with a value behind a blank, and perhaps other options; or several options.
var optionWithValue = regexp.MustCompile(`^(?:--[a-z][a-z-]+|-[A-Za-z]|-jar) [A-Za-z0-9_./:][A-Za-z0-9_./:-]*(?: -[A-Za-z-]+)*$|` +
	`^--?[A-Za-z][\w./:=-]*(?: --?[A-Za-z][\w./:=-]*)+$`)

// checkShellStrings looks for strings of an array that hold more than one argument of a shell, and for ~, which a shell
// would replace.
func (p *pass) checkShellStrings(in *dockerfile.Instruction, words []dockerfile.Word, list []string) bool {
	first, fields := list[0], strings.Fields(list[0])
	home := slices.IndexFunc(list, func(word string) bool { return word == "~" || strings.HasPrefix(word, "~/") })
	option := slices.IndexFunc(list, optionWithValue.MatchString)
	jar := slices.Index(list, "-jar") + 1
	verb := ""
	if len(list) > 1 {
		verb, _, _ = strings.Cut(list[1], " ")
	}
	finding := analysis.Finding{Span: words[0].Span}
	switch {
	case len(list) > 1 && strings.HasPrefix(list[1], "-c ") && slices.Contains(unixShells, path.Base(first)):
		finding.Span = words[1].Span
		finding.Message = words[1].Text + " is one argument: -c and the command are strings of their own"
		meant := `"-c", "` + strings.TrimSpace(list[1][len("-c "):]) + `"`
		finding.Fixes = replace(words[1].Span, meant, false)
	case len(fields) > 1 && slices.Contains(unixShells, path.Base(fields[0])) && fields[1] == "-c":
		finding.Message = words[0].Text + " is taken for the name of one program: each word is a string of its own"
		meant := `"` + fields[0] + `", "-c"`
		if len(fields) > 2 {
			_, command, _ := strings.Cut(first, "-c ")
			meant += `, "` + strings.TrimSpace(command) + `"`
		}
		finding.Fixes = replace(words[0].Span, meant, false)
	case option > 0 && !slices.Contains(shells, strings.ToLower(path.Base(first))) && first != "env":
		finding.Span = words[option].Span
		finding.Message = words[option].Text + " is one argument: an option and its value are strings of their own"
		meant := strings.ReplaceAll(words[option].Text, " ", `", "`)
		finding.Fixes = replace(finding.Span, meant, false)
	case len(fields) == 1 && verb != "" && verb != list[1] && slices.Contains(tools.Commands(first), verb) &&
		!strings.ContainsAny(list[1], "'$"):
		finding.Span = words[1].Span
		finding.Message = words[1].Text + " is one argument: each word is a string of its own"
		finding.Fixes = replace(finding.Span, `"`+strings.Join(strings.Fields(list[1]), `", "`)+`"`, false)
	case jar > 0 && jar < len(list) && path.Base(first) == "java" && strings.Contains(list[jar], "*"):
		finding.Span = words[jar].Span
		finding.Message = "* is not replaced: no shell reads an array"
		finding.Fixes = runBySh(source.Between(words[0].Span.Start, words[len(words)-1].Span.End),
			"exec "+strings.Join(list, " "))
	case home >= 0 && !slices.Contains(shells, strings.ToLower(path.Base(first))):
		finding.Span = words[home].Span
		finding.Message = "~ is not replaced: no shell reads an array"
		if dir := p.home(in); dir != "" {
			meant := `"` + dir + strings.TrimPrefix(list[home], "~") + `"`
			finding.Fixes = replace(finding.Span, meant, false)
		}
	default:
		return false
	}
	p.report(in, finding)
	return true
}

// runBySh is the fix that hands a command line to sh.
func runBySh(at source.Span, line string) []analysis.Fix {
	if strings.Contains(line, `"`) {
		return nil
	}
	return change("Run it by sh -c", at, `"sh", "-c", "`+line+`"`, false)
}
