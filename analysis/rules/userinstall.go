package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// UserInstall finds package managers of the system below a USER who may not install.
var UserInstall = &Rule{
	ID:       "user-install",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "The system's package manager runs as a user who may not install",
		What: "Finds `apt-get install`, `apk add`, `dnf install` and the like, without `sudo`, below a `USER` of the " +
			"same stage that is not root.",
		Why: "Only root may write where packages are kept: the step fails with _Permission denied_. Install above " +
			"`USER`, or put `USER root` in between.",
		Example: "FROM debian\nUSER www-data\nRUN apt-get update && apt-get install -y curl\n",
		Instead: "FROM debian\nRUN apt-get update && apt-get install -y curl\nUSER www-data\n",
	},
	check: checkUserInstall,
}

func checkUserInstall(p *pass) {
	var user *dockerfile.Instruction
	for _, in := range p.file().Instructions {
		switch {
		case in.Meant == "FROM":
			user = nil
		case in.Meant == "USER":
			if user = in; len(in.Args) != 1 || mayBeRoot(in.Args[0].Text) {
				user = nil
			}
		case in.Meant == "RUN" && user != nil:
			if run := p.shellRun(in); run != nil {
				p.checkInstalls(in, run.commands, user.Args[0].Text)
			}
		}
	}
}

// mayBeRoot reports whether a user is root, or somebody who is not known.
func mayBeRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return isRoot(name) || strings.Trim(name, "0") == "" || strings.ContainsAny(name, "$\"'`\\%")
}

// elsewhere reports whether an option of a package manager has it install into another directory, as --installroot.
func elsewhere(word string) bool {
	return strings.HasPrefix(word, "-") && strings.Contains(word, "root")
}

// checkInstalls looks for the first command that installs packages for all.
func (p *pass) checkInstalls(in *dockerfile.Instruction, commands []command, user string) {
	for _, c := range commands {
		tool := tools.Of(c.words[0])
		if tool == nil || c.sudo >= 0 || slices.ContainsFunc(c.words, elsewhere) {
			continue
		}
		verb := tool.Verb(c.words[1:])
		if verb == nil || verb.Work != tools.Packages || !verb.Downloads || c.words[0] == "brew" {
			continue
		}
		line, end := p.Text.LineStart(in.Line-1), in.Span.End
		keyword := matching("USER", in.Keyword.Text)
		finding := analysis.Finding{
			Span:    c.span(p, in, 0, 1),
			Message: fmt.Sprintf("%s is run by the user %s, who may not install packages", c.words[0], user),
		}
		if len(in.Heredocs) == 0 && p.outer == nil {
			margin := p.Text.Slice(source.Between(line, in.Span.Start))
			finding.Fixes = change("Install as root", source.At(line), margin+keyword+" root"+p.newline, false,
				source.Edit{Span: source.At(end), NewText: p.newline + margin + keyword + " " + user})
		}
		p.report(in, finding)
		return
	}
}
