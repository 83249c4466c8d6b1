package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// IgnoredDirective finds comments that are meant to be parser directives.
var IgnoredDirective = &Rule{
	ID:       "ignored-directive",
	Severity: analysis.Warning,
	FileOnly: true,
	Doc: Doc{
		Summary: "A comment looks like a parser directive, but is not read as one",
		What: "Finds misspelt directives at the head of the file (`# sytnax=...`), `# syntax=` and `# escape=` " +
			"further down, `# syntax=` with an image that is close to `docker/dockerfile`, and misspelt names of " +
			"rules in `# check=`.",
		Why: "Directives count only in the first lines, before any other comment, empty line or instruction. " +
			"Elsewhere, or misspelt, they are comments, and without effect. " +
			"Where lines are continued by the character of an `# escape=` that does not count, the build stops.",
		Example: "# sytnax=docker/dockerfile:1\nFROM alpine\n",
		Instead: "# syntax=docker/dockerfile:1\nFROM alpine\n",
	},
	check: checkIgnoredDirective,
}

var likeDirective = regexp.MustCompile(`^#\s*([A-Za-z]+)\s*=\s*(\S+)\s*$`)

func checkIgnoredDirective(p *pass) {
	for _, d := range p.file().Directives {
		switch d.Name.Text {
		case "syntax":
			p.checkSyntaxImage(d.Value)
		case "check":
			p.checkNames(d.Value)
		}
	}
	first := p.Text.Len()
	if len(p.file().Instructions) > 0 {
		first = p.file().Instructions[0].Span.Start
	}
	// the line, counted from 0, on which a directive would count, if those above were right
	head := p.file().BehindDirectives()
	for _, comment := range p.file().Comments {
		if comment.Span.Start > first {
			break
		}
		if p.checkLikeDirective(comment.Span, head) {
			head++
		}
	}
	p.checkComments()
}

// directiveNames are the parser directives.
var directiveNames = []string{"syntax", "escape", "check"}

// checkLikeDirective looks at a comment that may be meant to be a directive. It reports whether it would be one on the
// line head, so that the next line is where another may stand.
func (p *pass) checkLikeDirective(comment source.Span, head int) bool {
	text := p.Text.Slice(comment)
	line := p.Text.LineAt(comment.Start)
	if line == head && p.checkWithoutEquals(comment) {
		return true
	}
	m := likeDirective.FindStringSubmatchIndex(text)
	if m == nil {
		return false
	}
	span := comment.Part(m[2], m[3])
	name, value := strings.ToLower(text[m[2]:m[3]]), text[m[4]:m[5]]
	if name == "syntax" && strings.HasPrefix(p.Text.String(), "#!") {
		return false // BuildKit looks for the frontend behind such a line, too
	}
	known := slices.Contains(directiveNames, name)
	switch {
	case line == head && !known && clearly(name, directiveNames):
		finding := analysis.Finding{Span: span, Message: fmt.Sprintf("unknown parser directive: %s", name)}
		p.reportIgnored(misspelt(finding, name, "", directiveNames, true))
		return true
	case line == head && head > p.file().BehindDirectives() && known:
		return true // right once what is above is
	case line > p.file().BehindDirectives() && meantForFile(name, value):
		if finding := p.misplaced(comment, span, name, value); name == "escape" {
			p.reportIgnored(finding)
		} else {
			p.report(nil, finding)
		}
	}
	return false
}

// reportIgnored reports a directive that is not read: as an error if it, or the one that it keeps from being read, is
// an escape character that lines are continued by.
func (p *pass) reportIgnored(finding analysis.Finding) {
	if p.stopsForEscape() {
		finding.Severity = analysis.Error
		p.rest().escapeTold = true
	}
	p.report(nil, finding)
}

// stopsForEscape reports whether the build stops at a line that is continued by an escape character that is not the
// file's but that of a comment.
func (p *pass) stopsForEscape() bool {
	if escape := p.ignoredEscape(); escape == 0 || escape == p.Escape {
		return false
	}
	for i, in := range p.file().Instructions {
		unknown := func(problem dockerfile.Problem) bool { return problem.Kind == dockerfile.UnknownInstruction }
		if i > 0 && slices.ContainsFunc(in.Problems, unknown) && p.otherEscape(p.file().Instructions[i-1]) {
			return true
		}
	}
	return false
}

// withoutEscape leaves out the errors in lines that are continued by an escape character that is not read, which are
// due to that.
func (p *pass) withoutEscape(findings []analysis.Finding) []analysis.Finding {
	return slices.DeleteFunc(findings, func(f analysis.Finding) bool {
		i := slices.Index(p.file().Instructions, p.file().InstructionAt(f.Span.Start))
		return i >= 0 && f.Severity == analysis.Error &&
			(p.otherEscape(p.file().Instructions[i]) || i > 0 && p.otherEscape(p.file().Instructions[i-1]))
	})
}

// checkWithoutEquals reports a directive that has no "=", and whether the comment is one.
func (p *pass) checkWithoutEquals(comment source.Span) bool {
	text := p.Text.Slice(comment)
	m := withoutEquals.FindStringSubmatchIndex(text)
	if m == nil || !isDirectiveValue(text[m[2]:m[3]], text[m[6]:m[7]]) {
		return false
	}
	name := text[m[2]:m[3]]
	p.reportIgnored(analysis.Finding{
		Span:    comment.Part(m[2], m[7]),
		Message: fmt.Sprintf("%s is not read as a parser directive: = is missing behind it", name),
		Fixes:   change("Write = behind "+name, comment.Part(m[4], m[5]), "=", true),
	})
	return true
}

// meantForFile reports whether a directive's value is such that it is meant for the whole file.
func meantForFile(name, value string) bool {
	switch name {
	case "syntax":
		return strings.Contains(value, "/")
	case "escape":
		return len(value) == 1
	case "check":
		return wholeFile.MatchString(value)
	}
	return false
}

// misplaced is about a directive below the head of the file.
func (p *pass) misplaced(comment, span source.Span, name, value string) analysis.Finding {
	finding := analysis.Finding{
		Span:    span,
		Message: fmt.Sprintf("%s is not read as a parser directive: only other directives may stand above it", name),
	}
	if name == "check" {
		finding.Message = "check counts for the instruction below only: " +
			"for the whole file only other directives may stand above it"
	}
	if name == "escape" && !p.continuedBy(value[0]) { // another escape character changes what is below
		return finding
	}
	if slices.ContainsFunc(p.file().Directives, func(d dockerfile.Directive) bool { return d.Name.Text == name }) {
		return finding
	}
	line := p.Text.LineAt(comment.Start)
	finding.Fixes = change("Move it to the head of the file", lineStart(p.file(), p.file().BehindDirectives()),
		p.Text.Slice(comment)+p.newline, name == "escape",
		source.Edit{Span: source.Between(p.Text.LineStart(line), p.Text.LineStart(line+1))})
	return finding
}

// continuedBy reports whether lines are continued by another escape character than the one that counts, and none by
// that.
func (p *pass) continuedBy(escape byte) bool {
	if escape == p.Escape {
		return false
	}
	other := false
	for _, span := range p.Text.Lines() {
		line := strings.TrimRight(p.Text.Slice(span), " \t\r")
		if strings.HasSuffix(line, string(p.Escape)) {
			return false
		}
		other = other || strings.HasSuffix(line, " "+string(escape))
	}
	return other
}

// wholeFile matches options that make sense for a whole file only.
var wholeFile = regexp.MustCompile(`(^|;)(skip=all|error=|experimental=)`)

// withoutEquals is a directive with a blank or a colon in the place of "=".
var withoutEquals = regexp.MustCompile(`^#\s*((?i:syntax|escape|check))(\s*:\s*|\s+)(\S+)\s*$`)

// isDirectiveValue reports whether a value is one that the directive may well have, as no text behind a word is.
func isDirectiveValue(name, value string) bool {
	switch strings.ToLower(name) {
	case "syntax":
		return strings.Contains(value, "dockerfile")
	case "escape":
		return value == "`" || value == `\`
	}
	return checkOption.MatchString(value)
}

var checkOption = regexp.MustCompile(`^(skip|error|experimental)=`)

// checkComments looks at the comments above instructions that say which rules are skipped there.
func (p *pass) checkComments() {
	for _, comment := range p.file().Comments {
		text := p.Text.Slice(comment.Span)
		at := checkComment(text)
		if at < 0 {
			continue
		}
		value := strings.TrimRight(text[at:], " \t")
		word := dockerfile.Word{Span: comment.Span.Part(at, at+len(value)), Text: value}
		if key, _, has := strings.Cut(value, "="); has && spell.Meant(key, checkOptions) != "" {
			finding := analysis.Finding{Span: word.Span.Part(0, len(key)), Message: "invalid check option " + key}
			p.report(nil, misspeltWord(finding, key, checkOptions))
		} else if checkOption.MatchString(value) {
			p.checkNames(word)
		}
	}
}

var checkOptions = []string{"skip", "experimental", "error"}

// frontends are the images that read Dockerfiles.
var frontends = []string{"docker/dockerfile", "docker/dockerfile-upstream"}

// frontendName is the repository of a frontend's image, as people write it.
func frontendName(reference string) string {
	name := strings.TrimPrefix(reference, "docker.io/")
	if at := strings.IndexAny(name, ":@"); at >= 0 {
		name = name[:at]
	}
	return name
}

// nearlyDocker reports whether an image most likely is to be that of docker/dockerfile.
func nearlyDocker(reference string) bool {
	name := frontendName(reference)
	switch name {
	case "dockerfile", "dockerfile/docker", "docker/docker", "dockerfile/dockerfile":
		return true
	}
	return !slices.Contains(frontends, name) && clearly(name, frontends)
}

// oddFrontend is Docker's frontend in quotes, with a blank before its tag, or with a v in it.
var oddFrontend = regexp.MustCompile(`^["']?((?:docker\.io/)?docker/dockerfile(?:-upstream)?)[: @]v?([0-9][0-9a-z.-]*|latest|labs)["';]?$`)

// meantFrontend is the image that is meant by one that is written as no image is, "" if that is not clear.
func meantFrontend(text string) string {
	if m := oddFrontend.FindStringSubmatch(text); m != nil && m[1]+":"+m[2] != text {
		return m[1] + ":" + m[2]
	}
	return ""
}

// checkSyntaxImage looks at the image of a frontend, which the build would pull.
func (p *pass) checkSyntaxImage(value dockerfile.Word) {
	if meant := meantFrontend(value.Text); meant != "" {
		p.found(nil, value.Span, replace(value.Span, meant, true),
			"%s is not an image of a frontend (did you mean %s?)", value.Text, meant)
		return
	}
	name := frontendName(value.Text)
	start := value.Span.Start + strings.Index(value.Text, name)
	finding := analysis.Finding{
		Span:    source.Between(start, start+len(name)),
		Message: fmt.Sprintf("unknown frontend image: %s", name),
	}
	switch {
	case slices.Contains(frontends, name):
		tag := strings.TrimPrefix(value.Text[strings.Index(value.Text, name)+len(name):], ":")
		tags := []string{"latest", "labs", "1-labs"}
		if tag != "" && !slices.Contains(tags, tag) && spell.Meant(tag, tags) != "" &&
			strings.Trim(tag, "abcdefghijklmnopqrstuvwxyz") == "" {
			end := value.Span.End
			finding = analysis.Finding{
				Span:    source.Between(end-len(tag), end),
				Message: fmt.Sprintf("unknown tag of %s: %s", name, tag),
			}
			p.report(nil, misspeltWord(finding, tag, tags))
		}
	case clearly(name, frontends):
		p.report(nil, misspelt(finding, name, "", frontends, true))
	case nearlyDocker(value.Text):
		finding.Message += " (did you mean docker/dockerfile?)"
		finding.Fixes = replace(finding.Span, "docker/dockerfile", true)
		p.report(nil, finding)
	}
}

// checkNames looks at the names of rules in the value of a "check" directive. BuildKit does not mind unknown ones.
func (p *pass) checkNames(value dockerfile.Word) {
	var ids []string
	for _, r := range p.rest().rules {
		ids = append(ids, r.ID)
	}
	at := value.Span.Start
	for option := range strings.SplitSeq(value.Text, ";") {
		_, list, _ := strings.Cut(option, "=")
		start := at + len(option) - len(list)
		at += len(option) + 1
		for word := range strings.SplitSeq(list, ",") {
			name := strings.TrimSpace(word)
			span := source.Between(start+strings.Index(word, name), start+strings.Index(word, name)+len(name))
			start += len(word) + 1
			if name == "al" || name == "*" || name == "All" || name == "ALL" {
				p.found(nil, span, replace(span, "all", true), "there is no rule %s (did you mean all?)", name)
			} else if !slices.Contains(ids, name) && clearly(name, ids) {
				p.report(nil, misspelt(analysis.Finding{Span: span, Message: fmt.Sprintf("there is no rule "+
					"%s", name)}, name, "", ids, true))
			}
		}
	}
}
