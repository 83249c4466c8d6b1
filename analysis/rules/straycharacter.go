package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// StrayCharacter finds commas, semicolons and braces that other languages put between words.
var StrayCharacter = &Rule{
	ID:       "stray-character",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A comma, semicolon or brace becomes part of a name or value",
		What: "Finds a comma between the arguments of an instruction or between packages, a semicolon at the end of " +
			"a line, braces with a list of files, `:=` or `==` for `=`, an equals sign or a colon in front of the " +
			"arguments, and a `WORKDIR` of several words. Fixes remove it, or write the list out.",
		Why: "Blanks separate arguments in a Dockerfile. `ENV A=1, B=2` makes A `1,`, and `COPY a, b /c/` looks for " +
			"a file `a,`.",
		Example: "FROM alpine\nENV A=1, B=2\n",
		Instead: "FROM alpine\nENV A=1 B=2\n",
	},
	of: []string{"ADD", "ARG", "COPY", "ENV", "LABEL", "USER", "VOLUME", "WORKDIR", "CMD", "ENTRYPOINT", "EXPOSE",
		"RUN"},
	each: checkStrayCharacter,
}

var (
	inBraces = regexp.MustCompile(`^([^{}$?\[\]]*)\{([^{}$ ,]+(?:,[^{}$ ,]+)+)\}([^{}$?\[\]]*)$`)
	numbers  = regexp.MustCompile(`^([^{}$*?\[\]]*)\{([0-9])\.\.([0-9])\}([^{}$*?\[\]]*)$`)
	oddName  = regexp.MustCompile(`^(?:"([A-Za-z_]\w*)"|` +
		`'([A-Za-z_]\w*)'|\$\{?([A-Za-z_]\w*)\}?|([A-Za-z_]\w*),)(=.*)?$`)
	plainFile = regexp.MustCompile(`^[\w./-]+\.[a-z]+;$`)
	filesList = regexp.MustCompile(`^[\w./-]+\.[a-z]+(?:,[\w./-]+\.[a-z]+)+$`)
	pathsList = regexp.MustCompile(`^/[^,\s]+(,/[^,\s]+)+$`)
)

func checkStrayCharacter(p *pass, in *dockerfile.Instruction) {
	switch in.Meant {
	case "CMD", "ENTRYPOINT", "EXPOSE":
		p.checkFirst(in)
		return
	case "RUN":
		for _, d := range p.shellRun(in).downloads() {
			p.checkPackages(in, d.command, d.last, d.shown())
		}
		for _, c := range p.commands(in) {
			if strings.HasPrefix(c.words[0], "docker-php-ext-") {
				p.checkPackages(in, c, 1, c.words[0])
			}
		}
		return
	}
	if in.JSON || in.Command == nil || len(in.Args) == 0 || isUnknown(in) || in.Stage < 0 && in.Meant != "ARG" {
		return
	}
	if _, ok := almostJSON(in); ok {
		return // AlmostJSON says what is wrong
	}
	if _, ok := p.innerInstruction(in); ok || p.checkFirst(in) || p.checkDirectory(in) {
		return
	}
	if in.Meant == "USER" && p.checkUser(in) || (in.Meant == "ARG" || in.Meant == "ENV") && p.checkOddNames(in) {
		return
	}
	if p.checkCommaList(in) {
		return
	}
	for i := range in.Args {
		if strings.HasPrefix(in.Args[i].Text, "#") {
			break // the rule trailing-comment is about all that follows
		}
		p.checkStray(in, i)
	}
}

// checkCommaList looks for several sources with commas behind them, and for a comma that stands alone.
func (p *pass) checkCommaList(in *dockerfile.Instruction) bool {
	if in.Meant != "COPY" && in.Meant != "ADD" || len(in.Args) < 3 {
		return false
	}
	var edits []source.Edit
	for i, word := range in.Args[:len(in.Args)-1] {
		switch last := (source.Between(word.Span.End-1, word.Span.End)); {
		case strings.ContainsAny(word.Text, "\"'\\") || p.Text.Slice(word.Span) != word.Text:
			return false
		case word.Text == "," && i > 0:
			last.Start = in.Args[i-1].Span.End
			edits = append(edits, source.Edit{Span: last})
		case strings.HasSuffix(word.Text, ",") && len(word.Text) > 1:
			edits = append(edits, source.Edit{Span: last})
		}
	}
	if len(edits) == 0 || len(edits) == 1 && edits[0].Span.Len() == 1 {
		return false
	}
	span := source.Between(edits[0].Span.Start, edits[len(edits)-1].Span.End)
	title := "Remove the commas"
	if len(edits) == 1 {
		title = "Remove ,"
	}
	p.found(in, span, []analysis.Fix{{Title: title, Edits: edits, Preferred: true}},
		"%s takes a comma as part of a name: blanks separate arguments", in.Meant)
	return true
}

// checkStray looks at one argument.
func (p *pass) checkStray(in *dockerfile.Instruction, i int) {
	word := in.Args[i]
	if p.Text.Slice(word.Span) != word.Text || len(word.Text) < 2 || strings.ContainsAny(word.Text, "\\\"'") &&
		!strings.HasSuffix(strings.TrimRight(word.Text, ",;"), `"`) {
		return
	}
	last := i == len(in.Args)-1
	assigns := in.Meant == "ARG" || in.Meant == "ENV" || in.Meant == "LABEL"
	comma := strings.HasSuffix(word.Text, ",") && !last
	copies := (in.Meant == "COPY" || in.Meant == "ADD") && !last
	if assigns && p.checkEquals(in, i) {
		return
	}
	switch {
	case assigns && strings.Contains(word.Text, "=") && comma && strings.Contains(in.Args[i+1].Text, "="):
	case !assigns && comma && in.Meant != "USER" && in.Meant != "WORKDIR":
	case copies && plainFile.MatchString(word.Text):
	case copies && filesList.MatchString(word.Text), in.Meant == "VOLUME" && pathsList.MatchString(word.Text):
		p.found(in, word.Span, replace(word.Span, strings.ReplaceAll(word.Text, ",", " "), true),
			"%s is read as one path: blanks separate several", word.Text)
		return
	case last && endsOddly(word.Text, assigns):
	default:
		if copies {
			p.checkBraces(in, word)
		}
		return
	}
	p.reportStray(in, source.Between(word.Span.End-1, word.Span.End), in.Meant)
}

// endsOddly reports whether the last word of an instruction has a semicolon or comma at its end that is no part of it;
// assigns says that it gives a name a value.
func endsOddly(word string, assigns bool) bool {
	if strings.HasSuffix(word, ",") {
		return !assigns && !strings.ContainsAny(word, "$*?[")
	}
	return strings.HasSuffix(word, ";") && strings.Count(word, ";") == 1 &&
		(!assigns || strings.Count(word, "=") == 1 && !strings.ContainsAny(word, "$ "))
}

// checkBraces looks for a list of files that a shell would write out.
func (p *pass) checkBraces(in *dockerfile.Instruction, word dockerfile.Word) {
	var list []string
	if m := inBraces.FindStringSubmatch(word.Text); m != nil {
		for name := range strings.SplitSeq(m[2], ",") {
			list = append(list, m[1]+name+m[3])
		}
	} else if m := numbers.FindStringSubmatch(word.Text); m != nil {
		for digit := m[2][0]; digit <= m[3][0]; digit++ {
			list = append(list, m[1]+string(digit)+m[4])
		}
	}
	if len(list) == 0 {
		return
	}
	p.found(in, word.Span, replace(word.Span, strings.Join(list, " "), false),
		"%s does not expand braces as a shell does", in.Meant)
}

// checkOddNames looks for names of an ARG with what does not belong to a name: BuildKit takes it for a part of it. In
// the name of an ENV it puts the value of a variable, which is not meant where the name's own value stands there.
func (p *pass) checkOddNames(in *dockerfile.Instruction) (found bool) {
	for i, word := range in.Args {
		m := oddName.FindStringSubmatch(word.Text)
		if m == nil || p.Text.Slice(word.Span) != word.Text || m[4] != "" && (i == len(in.Args)-1 || m[5] != "") {
			continue
		}
		name, span := m[1]+m[2]+m[3]+m[4], word.Span
		span.End -= len(m[5])
		message := fmt.Sprintf("ARG takes all of %s for the name", p.Text.Slice(span))
		if in.Meant == "ENV" {
			if m[3] == "" || m[3] != "PATH" && !strings.Contains(m[5], "$"+m[3]) && !strings.Contains(m[5], "${"+m[3]) {
				continue
			}
			message = fmt.Sprintf("the value of %s is taken for the name", p.Text.Slice(span))
		}
		found = true
		p.report(in, analysis.Finding{Span: span, Message: message, Fixes: replace(span, name, true)})
	}
	return found
}

// checkFirst looks for an equals sign or a colon in front of the arguments, as in CMD = ["x"].
func (p *pass) checkFirst(in *dockerfile.Instruction) bool {
	if !startsOddly(in) {
		return false
	}
	finding := analysis.Finding{
		Span:    in.Args[0].Span,
		Message: fmt.Sprintf("%s takes %s for an argument: a space is all that follows it", in.Meant, in.Args[0].Text),
		Fixes: change("Remove "+in.Args[0].Text, source.Between(in.Args[0].Span.Start, in.Args[1].Span.Start), "",
			true),
	}
	if in.Meant == "EXPOSE" {
		finding.Severity = analysis.Error
	}
	p.report(in, finding)
	return true
}

// startsOddly reports whether an equals sign or a colon stands in front of the arguments.
func startsOddly(in *dockerfile.Instruction) bool {
	return !in.JSON && len(in.Args) > 1 &&
		(in.Args[0].Text == "=" || in.Args[0].Text == ":" && in.Meant != "ENTRYPOINT")
}

// checkDirectory looks for a WORKDIR of several words, which are one name.
func (p *pass) checkDirectory(in *dockerfile.Instruction) bool {
	text := p.Text.Slice(in.ArgsSpan)
	if in.Meant != "WORKDIR" || !severalWords.MatchString(text) || trailingComment(in) >= 0 {
		return false
	}
	finding := analysis.Finding{
		Span: in.ArgsSpan, Message: fmt.Sprintf("WORKDIR takes all of this for one directory, \"%s\"", text),
	}
	if words := strings.Fields(text); len(words) == 2 && flagsOfMkdir.MatchString(words[0]) {
		finding.Fixes = replace(in.ArgsSpan, words[1], false)
	}
	p.report(in, finding)
	return true
}

var (
	flagsOfMkdir = regexp.MustCompile(`^-{1,2}[a-z]+$`)
	severalWords = regexp.MustCompile(`^[^\s"'\\$()]+([ \t]+[^\s"'\\$()]+)+$`)
	twoEquals    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(=)=(?:[^=]|$)|^[A-Za-z_][A-Za-z0-9_]*(:)=`)
	colonName    = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*):([^=:]*|https?://[^=]+)$`)
)

// checkEquals looks for more than one equals sign, or a colon, between a name and its value.
func (p *pass) checkEquals(in *dockerfile.Instruction, i int) bool {
	word := in.Args[i]
	if m := colonName.FindStringSubmatchIndex(word.Text); m != nil && in.Meant == "ARG" {
		span := word.Span.Part(m[3], m[3]+1)
		finding := analysis.Finding{
			Span: span, Message: fmt.Sprintf("ARG takes %s for the name: = separates it from the default", word.Text),
		}
		if value := word.Text[m[4]:]; value == "" && len(in.Args) == 2 && i == 0 {
			span.End = in.Args[1].Span.Start
			finding.Fixes = change("Change : to =", span, "=", false)
		} else if value != "" {
			finding.Fixes = change("Change : to =", span, "=", false)
		}
		p.report(in, finding)
		return true
	}
	m := twoEquals.FindStringSubmatchIndex(word.Text)
	if m == nil || in.Meant == "LABEL" || len(in.Args) > 1 && !strings.Contains(in.Args[0].Text, "=") {
		return false
	}
	name, value, _ := strings.Cut(word.Text, "==")
	if value != "" && value[0] <= '9' && p.behindWord(name) {
		return false // it is "==1.0", for pip
	}
	at := max(m[2], m[4])
	span := word.Span.Part(at, at+1)
	message := "the value begins with =: one separates it from the name"
	if m[4] >= 0 {
		message = fmt.Sprintf("the colon belongs to the name: = separates it from the value in %s", in.Meant)
	}
	p.report(in, analysis.Finding{
		Span: span, Message: message,
		Fixes: change("Remove "+p.Text.Slice(span), span, "", true),
	})
	return true
}

// behindWord reports whether a variable stands directly behind a word anywhere in the file.
func (p *pass) behindWord(name string) bool {
	text := p.rest().file.Text.String()
	for _, use := range []string{"$" + name, "${" + name} {
		for from := strings.Index(text, use); from > 0; {
			before := strings.TrimRight(text[max(0, from-2):from], `"'`)
			if before != "" && !strings.Contains(" \t\n=", before[len(before)-1:]) {
				return true
			}
			next := strings.Index(text[from+1:], use)
			if next < 0 {
				break
			}
			from += 1 + next
		}
	}
	return false
}

// checkPackages looks for commas between the packages that a command installs.
func (p *pass) checkPackages(in *dockerfile.Instruction, c command, from int, shown string) {
	for i := from; i < len(c.words)-1; i++ {
		if span := c.span(p, in, i, i+1); plainPackage(c.words[i]) && c.words[i] == p.Text.Slice(span) {
			p.reportStray(in, source.Between(span.End-1, span.End), shown)
		}
	}
}

// plainPackage reports whether a word is the name of a package with a comma behind it.
func plainPackage(word string) bool {
	return strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-+._") == ","
}

func (p *pass) reportStray(in *dockerfile.Instruction, span source.Span, by string) {
	p.found(in, span, change("Remove "+p.Text.Slice(span), span, "", true),
		"%s takes %s as part of the word: blanks separate arguments", by, p.Text.Slice(span))
}

var userWords = regexp.MustCompile(`^(?:(?:-u|su)[ \t]+([A-Za-z0-9_-]+)|([A-Za-z0-9_-]+)(?:,[ \t]*|[ \t]+)([A-Za-z0-9_-]+)|` +
	`(?:uid|user)[=:][ \t]*([A-Za-z0-9_-]+)|[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]*){2,}|([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+)|([0-9]+)\.([0-9]+))$`)

// checkUser looks for a USER of two words, which BuildKit takes for one name.
func (p *pass) checkUser(in *dockerfile.Instruction) bool {
	m := userWords.FindStringSubmatch(p.Text.Slice(in.ArgsSpan))
	if m == nil {
		return false
	}
	meant := m[1] + m[4]
	if user, group := m[2]+m[5]+m[7], m[3]+m[6]+m[8]; user != "" {
		meant = user + ":" + group
	}
	finding := analysis.Finding{
		Span: in.ArgsSpan, Message: "USER takes all of this for one name: it is a user, or user:group",
	}
	switch {
	case isCommand(m[2]):
		finding.Fixes = p.written(in, "RUN", p.Text.Slice(in.ArgsSpan))
	case meant != "":
		finding.Fixes = replace(in.ArgsSpan, meant, false)
	}
	p.report(in, finding)
	return true
}
