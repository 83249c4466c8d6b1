package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// PointlessCommand finds commands that do nothing for an image.
var PointlessCommand = &Rule{
	ID:           "pointless-command",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3001"},
	Doc: Doc{
		Summary: "A command does nothing for the image",
		What: "Finds `RUN` with `ssh`, `vim`, `ps`, `top`, `free`, `kill`, `mount`, `ifconfig` and `shutdown`, but for " +
			"`kill` where a command runs in the background, `ssh` with a mount of that type, and `vim` with `-c` or `+`.",
		Why:     "They show or change what runs, or wait for somebody. An image keeps only files.",
		Example: "FROM alpine\nRUN ps aux\n",
		Instead: "FROM alpine\nRUN true\n",
	},
	check: func(p *pass) {
		pointless := strings.Fields("ssh vim ps top free kill mount ifconfig shutdown")
		p.eachCommand(func(in *dockerfile.Instruction, c command) {
			if slices.Contains(pointless, c.words[0]) && !p.hasAPoint(in, c) {
				p.report(in, analysis.Finding{
					Span:    c.span(p, in, 0, 1),
					Message: fmt.Sprintf("%s does nothing for the image, which keeps only files", c.words[0]),
				})
			}
		})
	},
}

// hasAPoint reports whether one of these commands does something for the image: it ends what runs only for a while,
// takes a key for a host, or installs what an editor needs.
func (p *pass) hasAPoint(in *dockerfile.Instruction, c command) bool {
	switch c.words[0] {
	case "kill":
		return backgroundSign.MatchString(p.Text.Slice(in.ArgsSpan))
	case "ssh":
		return slices.ContainsFunc(in.Mounts(), func(m dockerfile.Mount) bool { return m.Type() == "ssh" })
	case "vim":
		return slices.ContainsFunc(c.words[1:], func(word string) bool {
			return word == "-c" || strings.HasPrefix(word, "+")
		})
	}
	return false
}

// backgroundSign matches an "&" with which a command runs in the background.
var backgroundSign = regexp.MustCompile(`(?:^|[^&<>])&(?:[^&>]|$)`)

// DistributionUpgrade finds upgrades of the whole distribution.
var DistributionUpgrade = &Rule{
	ID:           "distribution-upgrade",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3005", "DL3035"},
	Doc: Doc{
		Summary: "The distribution of the base image is upgraded",
		What:    "Finds `apt-get dist-upgrade`, `apt full-upgrade` and `zypper dist-upgrade`.",
		Why: "The image becomes another release than its base image's tag says, and each upgraded file is in it " +
			"twice. Take a newer base image.",
		Example: "FROM debian:12\nRUN apt-get update && apt-get dist-upgrade -y\n",
		Instead: "FROM debian:13\nRUN apt-get update\n",
	},
	check: func(p *pass) {
		verbs := map[string][]string{
			"apt-get": {"dist-upgrade"}, "apt": {"dist-upgrade", "full-upgrade"}, "zypper": {"dist-upgrade", "dup"},
		}
		p.eachCommand(func(in *dockerfile.Instruction, c command) {
			if v := c.verb(); v > 0 && slices.Contains(verbs[c.words[0]], c.words[v]) {
				p.report(in, analysis.Finding{
					Span: c.span(p, in, 0, v+1), Message: "take a newer base image instead of upgrading this one",
				})
			}
		})
	},
}

// LargeLastlog finds users with numbers so high that a file of many gigabytes is made for them.
var LargeLastlog = &Rule{
	ID:       "large-lastlog",
	Severity: analysis.Warning,
	Hadolint: []string{"DL3046"},
	Doc: Doc{
		Summary: "useradd makes a huge file for a user with a high number",
		What:    "Finds `useradd` with a user number of six or more digits, without `--no-log-init`. The fix adds it.",
		Why: "useradd writes the user's place in `/var/log/lastlog` and `faillog`, files with holes. A layer has no " +
			"holes: the image grows by up to gigabytes.",
		Example: "FROM debian\nRUN useradd -u 1000700001 app\n",
		Instead: "FROM debian\nRUN useradd --no-log-init -u 1000700001 app\n",
	},
	check: func(p *pass) {
		p.eachCommand(func(in *dockerfile.Instruction, c command) {
			if c.words[0] != "useradd" || slices.ContainsFunc(c.words, func(word string) bool {
				return word == "--no-log-init" || len(word) > 1 && word[0] == '-' && word[1] != '-' &&
					strings.Contains(word, "l")
			}) {
				return
			}
			for i, word := range c.words {
				number, is := strings.CutPrefix(word, "--uid=")
				if is = is || (word == "-u" || word == "--uid") && i+1 < len(c.words); is && number == word {
					number = c.words[i+1]
				}
				if !is || len(number) < 6 || strings.Trim(number, "0123456789") != "" {
					continue
				}
				name := c.span(p, in, 0, 1)
				p.report(in, analysis.Finding{
					Span:    c.span(p, in, i, i+1),
					Message: fmt.Sprintf("for user %s useradd makes a file of up to gigabytes: --no-log-init is missing", number),
					Fixes: []analysis.Fix{{
						Title: "Add --no-log-init", Preferred: true,
						Edits: []source.Edit{{
							Span: source.Span{Start: name.End, End: name.End}, NewText: " --no-log-init",
						}},
					}},
				})
			}
		})
	},
}

// WgetProgress finds wget that fills the log of the build.
var WgetProgress = &Rule{
	ID:           "wget-progress",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3047"},
	Doc: Doc{
		Summary: "wget fills the log of the build with its progress",
		What:    "Finds `wget` without `--progress`, `--quiet` or `--no-verbose`. The fix adds `--progress=dot:giga`.",
		Why:     "Without a terminal wget writes a line for each 50 KB. BusyBox's wget has no such flag.",
		Example: "FROM debian\nRUN wget https://example.com/a\n",
		Instead: "FROM debian\nRUN wget --progress=dot:giga https://example.com/a\n",
	},
	check: func(p *pass) {
		p.eachCommand(func(in *dockerfile.Instruction, c command) {
			if c.words[0] != "wget" || len(c.words) < 2 || slices.ContainsFunc(c.words[1:], func(word string) bool {
				return word == "-nv" || word == "-o" || word == "-a" || strings.HasPrefix(word, "--progress") ||
					word == "--quiet" || word == "--no-verbose" || strings.HasPrefix(word, "--output-file") ||
					strings.HasPrefix(word, "--append-output") || word == "--version" || word == "--help" ||
					len(word) > 1 && word[0] == '-' && word[1] != '-' && strings.Contains(word, "q")
			}) {
				return
			}
			name := c.span(p, in, 0, 1)
			finding := analysis.Finding{Span: name, Message: "wget writes its progress to the log of the build"}
			if image, known := p.imageOf(in); known && !strings.Contains(image, "alpine") && image != "busybox" {
				at := source.Span{Start: name.End, End: name.End}
				finding.Fixes = []analysis.Fix{{
					Title: "Add --progress=dot:giga",
					Edits: []source.Edit{{Span: at, NewText: " --progress=dot:giga"}},
				}}
			}
			p.report(in, finding)
		})
	},
}

// WgetAndCurl finds stages that use both of two programs which do the same.
var WgetAndCurl = &Rule{
	ID:           "wget-and-curl",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL4001"},
	Doc: Doc{
		Summary: "A stage uses both wget and curl",
		What:    "Finds the first `wget` of a stage that also runs `curl`, or the other way round.",
		Why:     "One of them is enough, and the image is smaller without the other.",
		Example: "FROM debian\nRUN wget https://example.com/a\nRUN curl -O https://example.com/b\n",
		Instead: "FROM debian\nRUN curl -O https://example.com/a\nRUN curl -O https://example.com/b\n",
	},
	check: func(p *pass) {
		first := map[int]string{} // by stage; "" when it is told
		p.eachCommand(func(in *dockerfile.Instruction, c command) {
			name, above := c.words[0], first[in.Stage]
			if name != "wget" && name != "curl" {
				return
			}
			if _, seen := first[in.Stage]; !seen {
				first[in.Stage] = name
			} else if above != "" && above != name {
				first[in.Stage] = ""
				p.report(in, analysis.Finding{
					Span: c.span(p, in, 0, 1), Message: fmt.Sprintf("the stage uses %s above: one of both is enough", above),
				})
			}
		})
	},
}

// LinkedShell finds a link in the place of /bin/sh.
var LinkedShell = &Rule{
	ID:           "linked-shell",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL4005"},
	Doc: Doc{
		Summary: "/bin/sh is made a link to another shell",
		What:    "Finds `ln` whose last argument is `/bin/sh`.",
		Why: "Scripts of packages expect the distribution's own `/bin/sh`. `SHELL` says which shell the instructions " +
			"below use, and changes nothing else.",
		Example: "FROM debian\nRUN ln -sf /bin/bash /bin/sh\n",
		Instead: "FROM debian\nSHELL [\"/bin/bash\", \"-c\"]\n",
	},
	check: func(p *pass) {
		p.eachCommand(func(in *dockerfile.Instruction, c command) {
			if last := len(c.words) - 1; c.words[0] == "ln" && last > 1 && c.words[last] == "/bin/sh" {
				p.report(in, analysis.Finding{
					Span: c.span(p, in, last, last+1), Message: "SHELL says which shell is used, without another /bin/sh",
				})
			}
		})
	},
}
