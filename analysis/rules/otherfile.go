package rules

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// OtherFile finds files that are not Dockerfiles.
var OtherFile = &Rule{
	ID:       "other-file",
	Severity: analysis.Error,
	FileOnly: true,
	Doc: Doc{
		Summary: "The file is something else than a Dockerfile",
		What: "Finds shell scripts, PowerShell scripts, other scripts that begin with `#!`, diffs, JSON, HTML and XML " +
			"in a file that has the name of a Dockerfile. Nothing else is said about the file.",
		Why:     "The build stops at the first line.",
		Example: "#!/bin/sh\nset -e\nmake install\n",
		Instead: "FROM alpine\nRUN make install\n",
	},
	check: func(p *pass) {
		if kind := otherKind(p.file()); kind != "" {
			span, message := p.file().Instructions[0].Span, "this is "+kind+", not a Dockerfile"
			p.report(nil, analysis.Finding{Span: span, Message: message})
		}
	},
}

var (
	shebang  = regexp.MustCompile(`^#!\s*\S*?(?:/env\s+(?:-\S+\s+)*)?([a-z]+)[0-9.]*(?:\s|$)`)
	cmdlet   = regexp.MustCompile(`^(?:\$[A-Za-z_]+(?::[A-Za-z_]+)?\s*=|[A-Z][a-z]+-[A-Z][A-Za-z]+(?:\s|$)|param\s*\()`)
	terminal = regexp.MustCompile(`^(?:\$ [a-z]|docker )`)
)

// otherKind says what a file is that surely is not a Dockerfile; "" if it may be one.
func otherKind(file *dockerfile.File) string {
	if len(file.Instructions) == 0 || !isUnknown(file.Instructions[0]) {
		return ""
	}
	text := file.Text.String()
	first := strings.TrimLeft(strings.TrimPrefix(text, "\ufeff"), " \t\r\n")
	lower := strings.ToLower(first[:min(len(first), 20)])
	if isDiffLine(first) && strings.Contains(text, "\n@@ ") {
		return "a diff"
	}
	commands, powerShell := 0, false
	for _, in := range file.Instructions {
		line := file.Text.Slice(in.Span)
		if in.From != nil {
			return ""
		}
		if isUnknown(in) && (isCommand(in.Keyword.Text) || terminal.MatchString(line)) {
			commands++
		}
		powerShell = powerShell || cmdlet.MatchString(line)
	}
	kind, all := "", commands == len(file.Instructions) && commands > 1
	switch m := shebang.FindStringSubmatch(first); {
	case m != nil && strings.HasSuffix(m[1], "sh"), m == nil && all:
		kind = "a shell script"
	case m != nil:
		kind = "a script for " + m[1]
	case powerShell:
		kind = "a PowerShell script"
	case first[0] == '{':
		kind = "JSON"
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"):
		kind = "HTML"
	case strings.HasPrefix(first, "<?xml"):
		kind = "XML"
	}
	return kind
}
