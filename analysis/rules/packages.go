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

// UnpinnedPackage finds packages that are installed in whatever version is the newest.
var UnpinnedPackage = &Rule{
	ID:           "unpinned-package",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3008", "DL3013", "DL3016", "DL3018", "DL3028", "DL3033", "DL3037", "DL3041", "DL3062"},
	Doc: Doc{
		Summary: "A package is installed without its version",
		What: "Finds packages that are named without a version in `apt-get install`, `apk add`, `dnf`, `yum` and " +
			"`zypper install`, `pip`, `npm`, `gem` and `go install`. Variables may hold one, and files are left alone.",
		Why: "The image gets the version that is the newest on the day of the build. But distributions remove old " +
			"versions, and a build that names them then fails: the rule is off by default.",
		Example: "FROM alpine\nRUN apk add curl\n",
		Instead: "FROM alpine\nRUN apk add curl=8.14.1-r2\n",
	},
	of: []string{"RUN"},
	each: ofInstalls(func(p *pass, in *dockerfile.Instruction, c command, at int) {
		if first := unpinned(c, at); first > 0 {
			p.found(in, c.span(p, in, first, first+1), nil, "%s installs the newest %s: no version is named",
				c.words[0], c.words[first])
		}
	}),
}

// KeptPackageCache finds package managers that leave what they downloaded in the image.
var KeptPackageCache = &Rule{
	ID:           "kept-package-cache",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3009", "DL3019", "DL3032", "DL3036", "DL3040", "DL3042", "DL3060"},
	Doc: Doc{
		Summary: "What a package manager downloaded stays in the image",
		What: "Finds installations without a cache mount whose step does not remove the lists or packages that were " +
			"downloaded. With a cache mount they are not in the image, and are there for the next build.",
		Why:     "Each download is in the image twice: packed in the cache, and installed.",
		Example: "FROM alpine\nRUN apk add curl\n",
		Instead: "FROM alpine\nRUN apk add --no-cache curl\n",
	},
	of:   []string{"RUN"},
	each: ofInstalls(checkKeptPackageCache),
}

// RecommendedPackages finds apt-get that also installs what packages recommend.
var RecommendedPackages = &Rule{
	ID:           "recommended-packages",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3015"},
	Doc: Doc{
		Summary: "apt-get also installs the packages that others recommend",
		What:    "Finds `apt-get install` without `--no-install-recommends`. The fix adds it.",
		Why:     "The image grows by packages that nothing needs. Some programs miss them, though: test the image.",
		Example: "FROM debian\nRUN apt-get update && apt-get install -y curl\n",
		Instead: "FROM debian\nRUN apt-get update && apt-get install -y --no-install-recommends curl\n",
	},
	of: []string{"RUN"},
	each: ofInstalls(func(p *pass, in *dockerfile.Instruction, c command, at int) {
		if c.words[0] != "apt-get" && c.words[0] != "apt" || slices.ContainsFunc(c.words, func(w string) bool {
			return w == "--no-install-recommends" || strings.Contains(strings.ToLower(w), "install-recommends")
		}) {
			return
		}
		first := slices.IndexFunc(c.words[at:], func(w string) bool { return !strings.HasPrefix(w, "-") })
		if first < 0 {
			return
		}
		if p.says(`install-recommends "`) || p.says("install-recommends=") {
			return // it is configured for all
		}
		before := c.span(p, in, at+first, at+first+1)
		before.End = before.Start
		p.found(in, c.span(p, in, 0, at),
			change("Add --no-install-recommends", before, "--no-install-recommends ", false),
			"packages that others only recommend are installed, too")
	}),
}

// AptCommand finds apt, which is for people, in a script.
var AptCommand = &Rule{
	ID:           "apt-command",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3027"},
	Doc: Doc{
		Summary: "apt stands in a script",
		What:    "Finds `apt install` and the like. The fix writes `apt-get`.",
		Why:     "What apt prints and takes may change from one version to the next; that of apt-get stays.",
		Example: "FROM debian\nRUN apt update && apt-get install -y curl\n",
		Instead: "FROM debian\nRUN apt-get update && apt-get install -y curl\n",
	},
	of:   []string{"RUN"},
	each: ofCommands((*pass).checkApt),
}

// onlyApt are the commands of apt that apt-get does not have.
var onlyApt = strings.Fields("list search show policy depends rdepends edit-sources full-upgrade showsrc showpkg moo")

func (p *pass) checkApt(in *dockerfile.Instruction, c command) {
	span := c.span(p, in, 0, 1)
	if c.words[0] != "apt" || len(c.words) < 2 || p.Text.Slice(span) != "apt" {
		return
	}
	finding := analysis.Finding{Span: span, Message: "apt is made for a terminal: apt-get is for scripts"}
	if v := c.verb(); v > 0 && slices.Contains(tools.Commands("apt-get"), c.words[v]) &&
		!slices.Contains(onlyApt, c.words[v]) {
		finding.Fixes = replace(span, "apt-get", true)
	}
	p.report(in, finding)
}

// ofInstalls asks about each command that installs packages, as Rule.each; at is the index of the word behind its verb.
func ofInstalls(
	f func(p *pass, in *dockerfile.Instruction, c command, at int),
) func(p *pass, in *dockerfile.Instruction) {
	return ofCommands(func(p *pass, in *dockerfile.Instruction, c command) {
		line := tools.LineOf(c.words[0])
		if line == nil {
			return
		}
		at := slices.IndexFunc(c.words, func(w string) bool { return slices.Contains(line.Installs, w) }) + 1
		if at > 0 && at < len(c.words) {
			f(p, in, c, at)
		}
	})
}

// unpinned is the index of the first package without a version, 0 if there is none. Words behind flags that may have a
// value are not packages.
func unpinned(c command, at int) int {
	line := tools.LineOf(c.words[0])
	manifest := slices.ContainsFunc(c.words, func(w string) bool {
		return w == "-r" || w == "-c" || w == "-v" || strings.HasPrefix(w, "--requirement") ||
			strings.HasPrefix(w, "--constraint") || strings.HasPrefix(w, "--version")
	})
	if manifest {
		return 0
	}
	for i := at; i < len(c.words); i++ {
		word := c.words[i]
		before := c.words[i-1]
		switch {
		case strings.HasPrefix(word, "-"), strings.ContainsAny(word, "$`*\\/.") && c.words[0] != "go",
			i > at && strings.HasPrefix(before, "--") && !strings.Contains(before, "=") && !line.Plain(before),
			before == "-t":
		case c.words[0] == "go" && (strings.HasPrefix(word, ".") || !strings.Contains(word, "/")):
		case line.Signs == "-":
			if !strings.ContainsAny(word, "0123456789@") {
				return i
			}
		case !strings.ContainsAny(word[min(1, len(word)):], line.Signs):
			return i
		}
	}
	return 0
}

func checkKeptPackageCache(p *pass, in *dockerfile.Instruction, c command, _ int) {
	if last := len(p.file().Stages) - 1; in.Stage != last && !slices.Contains(p.variables().Bases, in.Stage) {
		return // the stage only gives files to others
	}
	words := tools.LineOf(c.words[0]).Cleanups
	text, _ := in.Logical()
	for _, doc := range in.Heredocs {
		text += p.Text.Slice(doc.Body)
	}
	if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) ||
		slices.ContainsFunc(in.Mounts(), func(m dockerfile.Mount) bool { return m.Type() == "cache" }) ||
		strings.HasPrefix(c.words[0], "pip") && p.sets("PIP_NO_CACHE_DIR") {
		return
	}
	finding := analysis.Finding{
		Span:    c.span(p, in, 0, 2),
		Message: fmt.Sprintf("what %s downloads stays in the image", c.words[0]),
	}
	if flag := words[0]; strings.HasPrefix(flag, "--") && len(c.words) > 1 {
		at := c.span(p, in, 1, 2)
		finding.Fixes = change("Add "+flag, source.At(at.End), " "+flag, false)
	}
	p.report(in, finding)
}

// sets reports whether an ENV or ARG of the file sets a variable.
func (p *pass) sets(name string) bool {
	for _, in := range slices.Concat(p.of("ENV"), p.of("ARG")) {
		for _, word := range in.Args {
			if word.Text == name || strings.HasPrefix(word.Text, name+"=") {
				return true
			}
		}
	}
	return false
}
