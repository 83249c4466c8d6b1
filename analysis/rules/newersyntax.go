package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// NewerSyntax finds what the frontend that the file names cannot read.
var NewerSyntax = &Rule{
	ID:       "newer-syntax",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "The version of Dockerfile syntax that the file names does not have this yet",
		What: "Compares flags and heredocs with the version in `# syntax=docker/dockerfile:...`, and with the " +
			"classic builder where `layerwise.engine` names it. " +
			"The versions are those of the [Dockerfile reference](https://docs.docker.com/reference/dockerfile/).",
		Why: "`# syntax=` chooses the program that reads the file, and an old one stops the build at a flag that " +
			"it does not know.",
		Example: "# syntax=docker/dockerfile:1.4\nFROM alpine\nCOPY --parents src/*.c /src/\n",
		Instead: "# syntax=docker/dockerfile:1.20\nFROM alpine\nCOPY --parents src/*.c /src/\n",
	},
	check: checkNewerSyntax,
}

// since is the version that brought something: the first of docker/dockerfile and, where it was there before, of its
// labs channel.
type since struct{ minor, labs int }

// flagsSince is when flags came, by instruction and flag: https://docs.docker.com/reference/dockerfile/ of 2026-11, and
// for the labs channel the release notes of docker/dockerfile. Flags that are not listed are older than BuildKit.
var flagsSince = map[string]map[string]since{
	"ADD": {
		"keep-git-dir": {
			minor: 1,
			labs:  1,
		}, "checksum": {minor: 6, labs: 5}, "chmod": {minor: 2, labs: 2}, "link": {minor: 4, labs: 4},
		"unpack":  {minor: 17, labs: 17},
		"exclude": {minor: 19, labs: 7},
	},
	"COPY": {
		"chmod":   {minor: 2, labs: 2},
		"link":    {minor: 4, labs: 4},
		"parents": {minor: 20, labs: 7},
		"exclude": {minor: 19, labs: 7},
	},
	"RUN": {
		"mount":    {minor: 2, labs: 0},
		"network":  {minor: 3, labs: 1},
		"security": {minor: 20, labs: 1},
		"device":   {minor: 27, labs: 14},
	},
}

var heredocsSince = since{minor: 4, labs: 3}

func checkNewerSyntax(p *pass) {
	d := p.file().Dialect()
	if !p.opts().Classic && (d.Major < 0 || d.Minor < 0) {
		return // the newest, or not known
	}
	type lack struct {
		span    source.Span
		what    string
		version since
	}
	var lacks []lack
	newest := 0
	missing := func(span source.Span, what string, s since) {
		least := s.minor
		if d.Labs {
			least = s.labs
		}
		if p.opts().Classic || d.Before(1, least) {
			lacks = append(lacks, lack{span, what, s})
			newest = max(newest, s.minor)
		}
	}
	for in := range p.every("ADD", "COPY", "RUN") {
		for _, flag := range in.Flags {
			if s, ok := flagsSince[in.Meant][flag.Name.Text]; ok {
				missing(source.Between(flag.Span.Start, flag.Name.Span.End), "--"+flag.Name.Text, s)
			}
		}
		if len(in.Heredocs) > 0 {
			missing(in.Heredocs[0].Start, "A heredoc", heredocsSince)
		}
	}
	for _, l := range lacks {
		if p.opts().Classic {
			p.found(nil, l.span, nil, "%s needs BuildKit; the classic builder does not know it", l.what)
			continue
		}
		finding := analysis.Finding{
			Span: l.span,
			Message: fmt.Sprintf(
				"%s needs docker/dockerfile 1.%d or later, but # syntax names %d.%d",
				l.what,
				l.version.minor,
				d.Major,
				d.Minor,
			),
		}
		if raised := raisedSyntax(d, newest); raised != "" {
			finding.Fixes = change("Raise # syntax to "+raised, d.Span, raised, true)
		}
		p.report(nil, finding)
	}
}

// lacks reports whether what reads the file does not know the instruction's flag yet.
func (p *pass) lacks(instruction, flag string) bool {
	s, d := flagsSince[instruction][flag], p.file().Dialect()
	return p.opts().Classic || !d.Labs && d.Before(1, s.minor) || d.Labs && d.Before(1, s.labs)
}

// raisedSyntax is the reference of the dialect with another version, "" if it cannot be told.
func raisedSyntax(d dockerfile.Dialect, minor int) string {
	colon := strings.LastIndexByte(d.Reference, ':')
	if d.Pinned || d.Span.Len() == 0 || colon < 0 {
		return ""
	}
	return fmt.Sprintf("%s:1.%d", d.Reference[:colon], minor)
}
