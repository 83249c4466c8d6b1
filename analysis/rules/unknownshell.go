package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// UnknownShell finds SHELLs that cannot run a command.
var UnknownShell = &Rule{
	ID:       "unknown-shell",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "SHELL cannot run a command",
		What: "Finds `SHELL` with a shell whose name is misspelt, Unix shells without `-c` as the last option, and options " +
			"that are one string with their value.",
		Why:     "Every `RUN` below fails: the shell does not exist, or takes the command for the name of a script.",
		Example: "FROM alpine\nSHELL [\"/bin/bash\"]\nRUN echo hello\n",
		Instead: "FROM alpine\nSHELL [\"/bin/bash\", \"-c\"]\nRUN echo hello\n",
	},
	check: checkUnknownShell,
}

// unixShells are shells that take a command behind "-c".
var unixShells = []string{"bash", "sh", "ash", "dash", "zsh", "ksh", "fish", "mksh"}

// otherShells are commands seen in SHELL that do not.
var otherShells = []string{
	"powershell", "powershell.exe", "pwsh", "pwsh.exe", "cmd", "cmd.exe", "python", "python3", "perl", "ruby", "node",
	"busybox", "env", "conda", "nu",
}

// optionNext matches flags of which the last one is -o, which takes the next word.
var optionNext = regexp.MustCompile(`^-[abd-z]*o$`)

func checkUnknownShell(p *pass) {
	for in := range p.every("SHELL") {
		c, ok := in.Command.(*instructions.ShellCommand)
		if !ok || in.Stage < 0 || len(c.Shell) == 0 || len(in.Args) != len(c.Shell) {
			continue
		}
		name := path.Base(c.Shell[0])
		last := c.Shell[len(c.Shell)-1]
		first := in.Args[0]
		switch {
		case len(c.Shell) == 1 && strings.Contains(c.Shell[0], " "):
			words := strings.Fields(c.Shell[0])
			finding := analysis.Finding{
				Span: first.Span,
				Message: fmt.Sprintf(
					"%s is taken for the name of one program: each word is a string of its own",
					first.Text,
				),
			}
			if !strings.ContainsAny(c.Shell[0], "\"'\\:") {
				finding.Fixes = replace(first.Span, `"`+strings.Join(words, `", "`)+`"`, true)
			}
			p.report(in, finding)
		case slices.Contains(unixShells, name) && p.checkShellOptions(in, c.Shell):
		case slices.Contains(unixShells, name) && len(c.Shell) > 2 && c.Shell[1] == "-c" &&
			strings.HasPrefix(c.Shell[2], "-"):
			rest := source.Between(in.Args[2].Span.Start, in.Args[len(in.Args)-1].Span.End)
			at := source.Between(in.Args[1].Span.Start, rest.End)
			oneLine := !strings.Contains(p.Text.Slice(rest), "\n")
			p.found(in, in.Args[1].Span, change("Move -c to the end", at, p.Text.Slice(rest)+`, "-c"`, oneLine),
				"-c takes the next string for the command: it must be the last one")
		case slices.Contains(unixShells, name):
			option := len(c.Shell) > 2 && optionNext.MatchString(c.Shell[len(c.Shell)-2]) &&
				!slices.Contains(c.Shell, "-c")
			if len(c.Shell) > 1 && !option &&
				(!strings.HasPrefix(last, "-") || strings.HasPrefix(last, "--") || strings.Contains(last, "c")) {
				continue // "-o pipefail" behind "-c" is wrong, too, but who knows what an option takes
			}
			end := in.Args[len(in.Args)-1].Span.End
			p.found(in, in.Args[len(in.Args)-1].Span, change(`Add "-c"`, source.At(end), `, "-c"`, true),
				"%s takes the command for the name of a script: -c is missing", name)
		case p.foreignShell(in, name):
			p.found(in, first.Span, nil,
				"%s is for Windows or PowerShell: the image has none, and nothing here installs it", name)
		case slices.Contains(otherShells, strings.ToLower(name)) ||
			!strings.HasSuffix(strings.TrimSuffix(p.Text.Slice(first.Span), `"`), name):
		default:
			span := source.Between(first.Span.End-1-len(name), first.Span.End-1)
			finding := misspelt(
				analysis.Finding{Span: span, Message: fmt.Sprintf("unknown shell: %s", name)},
				name,
				"",
				slices.Concat(unixShells, otherShells),
				false,
			)
			if len(finding.Fixes) > 0 {
				p.report(in, finding)
			}
		}
	}
}

// linuxOnly matches images of which there is none for Windows.
var linuxOnly = regexp.MustCompile(`^(?:ubuntu|debian|alpine|fedora|rockylinux|almalinux|node|nginx)(?::|$)|` +
	`[:-](?:alpine|slim)`)

// foreignShell reports whether a shell is one of Windows or PowerShell, which an official image for Linux lacks.
func (p *pass) foreignShell(in *dockerfile.Instruction, name string) bool {
	image, known := p.imageOf(in)
	_, windows := images.ForWindows(strings.ToLower(strings.TrimSuffix(name, ".exe")))
	return known && windows && linuxOnly.MatchString(image) && p.Escape == '\\' && p.mentions(name) == 1
}

// shellOptions are what people set by -o.
var shellOptions = []string{"pipefail", "errexit", "nounset", "xtrace", "allexport", "noglob", "verbose"}

// checkShellOptions looks for an option and its value in one string, as "-o pipefail", and for a c that lacks its dash.
func (p *pass) checkShellOptions(in *dockerfile.Instruction, shell []string) bool {
	for i, option := range shell[1:] {
		finding := analysis.Finding{Span: in.Args[i+1].Span}
		switch words := strings.Fields(option); {
		case len(words) > 1 && strings.HasPrefix(option, "-") && !strings.ContainsAny(option, "\"'\\;&|"):
			finding.Message = in.Args[i+1].Text + " is one argument: each word is a string of its own"
			finding.Fixes = replace(finding.Span, `"`+strings.Join(words, `", "`)+`"`, true)
		case optionNext.MatchString(shell[i]) && spell.Meant(option, shellOptions) != "":
			meant := spell.Meant(option, shellOptions)
			finding.Message = fmt.Sprintf("shells have no option %s (did you mean %s?)", option, meant)
			finding.Fixes = replace(finding.Span, `"`+meant+`"`, false)
		case option == "c" && i == len(shell)-2:
			finding.Message = path.Base(shell[0]) + " takes c for the name of a script: -c is meant"
			finding.Fixes = replace(finding.Span, `"-c"`, true)
		default:
			continue
		}
		p.report(in, finding)
		return true
	}
	return false
}
