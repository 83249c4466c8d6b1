package rules

import (
	"path"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// ShellCheck hands on what ShellCheck finds in shell commands.
var ShellCheck = &Rule{
	ID:       "shellcheck",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "ShellCheck has something to say of a shell command",
		What: "Runs [ShellCheck](https://www.shellcheck.net), if it is installed, on the commands of `RUN`, as " +
			"written for the shell that `SHELL` names. Its codes, such as SC2086, are shown with their pages. " +
			"Its errors and warnings are warnings, its notes and remarks about style hints. Skipped or off are all " +
			"of them at once; " +
			"a comment `# shellcheck disable=SC2086` in a heredoc counts as in a script.",
		Why:     "It knows hundreds of ways in which a shell does something else than was meant.",
		Example: "FROM alpine\nRUN touch $FILES\n",
		Instead: "FROM alpine\nRUN touch \"$FILES\"\n",
	},
	check: checkShellCheck,
}

// ShellScript is what a shell reads of an instruction, for ShellCheck: plain data, which may be a key.
type ShellScript struct {
	Shell string // "sh", "bash", "dash" or "ksh"
	Text  string
}

// ShellRemark is one thing that ShellCheck has found.
type ShellRemark struct {
	From, To int    // offsets in the script's text
	Code     string // "SC2086"
	Severity analysis.Severity
	Message  string
	Edits    []source.Edit // its fix, if it has one; spans count in the script's text
}

// shellCheckPages is where ShellCheck's pages about its codes are.
const shellCheckPages = "https://www.shellcheck.net/wiki/"

// ShellScripts returns the scripts of the file that ShellCheck can read, each once.
func ShellScripts(file *dockerfile.File) []ShellScript {
	var list []ShellScript
	seen := map[ShellScript]bool{}
	newPass(file, Options{}).eachShellScript(func(_ *dockerfile.Instruction, s ShellScript, _ *shellscript.Script) {
		if !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	})
	return list
}

func (p *pass) eachShellScript(f func(in *dockerfile.Instruction, s ShellScript, script *shellscript.Script)) {
	if len(p.of("RUN")) == 0 || p.file().TooLarge() {
		return
	}
	reads := shellscript.Reader(p.file(), p.variables().Bases)
	cut := p.cutRuns()
	for _, in := range p.of("RUN") {
		if in.Stage < 0 || len(in.Problems) > 0 || cut[in] || !reads(in) {
			continue
		}
		if script := shellscript.Of(p.file(), in); script != nil {
			f(in, ShellScript{p.shellOf(in), script.Text}, script)
		}
	}
}

// shellOf is the shell of a RUN in ShellCheck's terms.
func (p *pass) shellOf(in *dockerfile.Instruction) string {
	if shell := p.shellAbove(in); shell != nil {
		c, ok := shell.Command.(*instructions.ShellCommand)
		if !ok || len(c.Shell) == 0 {
			return "sh"
		}
		switch name := path.Base(c.Shell[0]); name {
		case "bash", "dash", "ksh":
			return name
		case "zsh":
			return "bash"
		}
	}
	if p.dialect(in) == "bash" {
		return "bash" // as sh, it reads nearly all of its own language
	}
	return "sh"
}

func checkShellCheck(p *pass) {
	if p.opts().ShellCheck == nil {
		return
	}
	p.eachShellScript(func(in *dockerfile.Instruction, s ShellScript, script *shellscript.Script) {
		for _, remark := range p.opts().ShellCheck(s) {
			if lookalikeCodes[remark.Code] && len(p.lookalikes(in)) > 0 {
				continue // LookalikeCharacter says so
			}
			if p.noise(in, s, remark) {
				continue
			}
			if strings.HasPrefix(remark.Code, "SC30") && p.foreign(in, p.shellRun(in)) != nil {
				continue // ShellSyntax says so
			}
			finding := analysis.Finding{
				Span:     script.Place(remark.From, remark.To),
				Severity: remark.Severity,
				Message:  remark.Message,
				Code:     remark.Code,
			}
			if edits, ok := placed(p.file(), s, script, remark.Edits); ok {
				finding.Fixes = []analysis.Fix{{Title: "Apply ShellCheck's fix for " + remark.Code, Edits: edits}}
			}
			p.report(in, finding)
		}
	})
}

// lists matches names of variables that hold a list of words, which quotes would make one word.
var lists = regexp.MustCompile(
	`(?i)(packages?|pkgs?|deps|dependencies|opts|options|args|arguments|flags|params|modules|extensions|libs|list|plugins|features|targets)$|[a-z]S$|[A-Z]S$`,
)

// noise reports whether a remark is one that is wrong in nearly all Dockerfiles.
func (p *pass) noise(in *dockerfile.Instruction, s ShellScript, remark ShellRemark) bool {
	if remark.From < 0 || remark.To > len(s.Text) || remark.From > remark.To {
		return false
	}
	text := s.Text[remark.From:remark.To]
	switch remark.Code {
	case "SC1010": // "mix do a, b": do is no keyword there
		return strings.Contains(s.Text, "mix do ")
	case "SC2086": // quotes around a list of packages or options break the command
		name := strings.Trim(text, "${}\"")
		if at := strings.IndexAny(name, ":-+#%/"); at > 0 {
			name = name[:at]
		}
		// What ARG and ENV set is in the author's hand: it has no blanks, or is meant to be several words.
		_, set := p.variables().Lookup(in.Stage, in.Span.Start, name)
		return set || predefined(name) || lists.MatchString(name) && name != "FILES"
	}
	return false
}

// lookalikeCodes are what ShellCheck calls characters that pass for others.
var lookalikeCodes = map[string]bool{"SC1018": true, "SC1110": true, "SC1111": true, "SC1112": true}

// placed are edits of a script as edits of the file; false if there are none, or what they change is not the same text
// there.
func placed(
	file *dockerfile.File,
	s ShellScript,
	script *shellscript.Script,
	edits []source.Edit,
) ([]source.Edit, bool) {
	var list []source.Edit
	for _, e := range edits {
		if e.Span.Start > e.Span.End || e.Span.End > len(s.Text) || strings.Contains(e.NewText, "\n") {
			return nil, false
		}
		span := script.Place(e.Span.Start, e.Span.End)
		if e.Span.Start == e.Span.End {
			// An insertion goes to the byte before it, lest it lands behind a continuation.
			if e.Span.Start > 0 {
				before := script.Place(e.Span.Start-1, e.Span.Start)
				span = source.At(before.End)
			}
		} else if file.Text.Slice(span) != s.Text[e.Span.Start:e.Span.End] {
			return nil, false
		}
		list = append(list, source.Edit{Span: span, NewText: e.NewText})
	}
	return list, len(list) > 0
}

// ShellCheckPage is the address of the page about a code of ShellCheck.
func ShellCheckPage(code string) string { return shellCheckPages + code }
