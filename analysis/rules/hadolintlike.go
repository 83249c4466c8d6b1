package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// AddForFiles finds ADD of files that COPY copies as well.
var AddForFiles = &Rule{
	ID:           "add-for-files",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3020"},
	Doc: Doc{
		Summary: "ADD copies plain files",
		What:    "Finds `ADD` whose sources are neither archives nor addresses. The fix writes `COPY`.",
		Why:     "`ADD` unpacks archives and fetches addresses: a reader has to look which of it is meant.",
		Example: "FROM alpine\nADD app.sh /usr/local/bin/\n",
		Instead: "FROM alpine\nCOPY app.sh /usr/local/bin/\n",
	},
	check: func(p *pass) {
		for in := range p.every("ADD") {
			c, ok := in.Command.(*instructions.AddCommand)
			if !ok || c.Checksum != "" || len(in.Args) < 2 ||
				slices.ContainsFunc(in.Args[:len(in.Args)-1], func(w dockerfile.Word) bool {
					text := unquoted(w.Text)
					return dockerfile.IsFetched(text) || strings.ContainsAny(text, "$*?") || archive(text)
				}) {
				continue
			}
			finding := analysis.Finding{Span: in.Keyword.Span, Message: "COPY does the same, and nothing else"}
			if !slices.ContainsFunc(in.Flags, func(f dockerfile.Flag) bool {
				return !slices.Contains([]string{"chown", "chmod", "link", "exclude"}, f.Name.Text)
			}) {
				finding.Fixes = replace(in.Keyword.Span, matching("COPY", in.Keyword.Text), true)
			}
			p.report(in, finding)
		}
	},
}

// archive reports whether the name of a file is one that ADD may unpack.
func archive(name string) bool {
	for _, ext := range strings.Fields(".tar .tgz .tbz .tbz2 .txz .tzst .gz .bz2 .xz .zst .lzma .lz .Z") {
		if strings.HasSuffix(name, ext) {
			return true
		}
	}
	return false
}

// MissingPipefail finds pipes in which only the last command can fail.
var MissingPipefail = &Rule{
	ID:           "missing-pipefail",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL4006"},
	Doc: Doc{
		Summary: "Only the last command of a pipe can fail the step",
		What:    "Finds `RUN a | b` where neither `SHELL` nor `set` gives the option `pipefail`.",
		Why: "`curl address | tar x` succeeds although curl fails. sh of Debian knows the option since version 13 " +
			"only: the shell has to be Bash, or BusyBox's.",
		Example: "FROM buildpack-deps\nRUN curl -s https://example.com/a.tar | tar x\n",
		Instead: "FROM buildpack-deps\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\n" +
			"RUN curl -s https://example.com/a.tar | tar x\n",
	},
	check: func(p *pass) {
		for in := range p.every("RUN") {
			run := p.shellRun(in)
			if run == nil || run.pipe < 0 {
				continue
			}
			text, _ := in.Logical()
			for _, doc := range in.Heredocs {
				text += p.Text.Slice(doc.Body)
			}
			if shell := p.shellAbove(in); shell != nil {
				text += p.Text.Slice(shell.ArgsSpan)
			}
			if strings.Contains(text, "pipefail") {
				continue
			}
			p.found(in, p.shellSpan(in, run.pipe), nil,
				"the step goes on if what stands before this | fails: pipefail is not set")
		}
	},
}

// UntrustedRegistry finds images of other registries than those that a configuration trusts.
var UntrustedRegistry = &Rule{
	ID:           "untrusted-registry",
	Severity:     analysis.Error,
	OffByDefault: true,
	Hadolint:     []string{"DL3026"},
	Doc: Doc{
		Summary: "An image is of a registry that is not trusted",
		What: "Finds `FROM` and `COPY --from` with an image of a registry that `trustedRegistries` of " +
			"`.layerwise.yaml` does not list. A name may have `*` in it. Without a list, only Docker Hub is trusted.",
		Why:     "What a base image holds runs in every build and container.",
		Example: "FROM registry.example.com/alpine\nRUN true\n",
		Instead: "FROM docker.io/library/alpine\nRUN true\n",
	},
	check: func(p *pass) {
		stages := p.stageNames()
		for _, ref := range p.stageReferences() {
			name := ref.word.Text
			if strings.ContainsAny(name, "$\"'") || name == "scratch" ||
				slices.Contains(stages, strings.ToLower(name)) || strings.Trim(name, "0123456789") == "" {
				continue
			}
			named, err := reference.ParseNormalizedNamed(name)
			if err != nil || p.trusts(reference.Domain(named)) {
				continue
			}
			p.found(ref.in, ref.word.Span, nil, "%s is not a trusted registry", reference.Domain(named))
		}
	},
}

// trusts reports whether a registry is trusted.
func (p *pass) trusts(registry string) bool {
	if len(p.opts().TrustedRegistries) == 0 {
		return registry == "docker.io"
	}
	return slices.ContainsFunc(p.opts().TrustedRegistries, func(pattern string) bool {
		ok, err := path.Match(pattern, registry)
		return pattern == registry || err == nil && ok
	})
}

// MissingHealthcheck finds images without a HEALTHCHECK.
var MissingHealthcheck = &Rule{
	ID:           "missing-healthcheck",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3057"},
	Doc: Doc{
		Summary: "The image has no HEALTHCHECK",
		What:    "Finds a last stage that has no `HEALTHCHECK`, nor has a stage that it is built on.",
		Why:     "Docker cannot tell that the program hangs. Kubernetes has probes of its own and ignores it.",
		Example: "FROM alpine\nCMD [\"serve\"]\n",
		Instead: "FROM alpine\nHEALTHCHECK CMD [\"serve\", \"--ping\"]\nCMD [\"serve\"]\n",
	},
	check: func(p *pass) {
		if len(p.file().Stages) == 0 {
			return
		}
		last := len(p.file().Stages) - 1
		for stage := last; stage >= 0; stage = p.variables().Bases[stage] {
			for _, in := range p.file().Stages[stage].Instructions {
				if in.Meant == "HEALTHCHECK" {
					return
				}
			}
		}
		if from := p.file().Stages[last].From; from != nil && len(from.Args) > 0 {
			p.found(from, from.Args[0].Span, nil, "this stage has no HEALTHCHECK")
		}
	},
}

// RelativeDestination finds files that are copied to the working directory of the base image.
var RelativeDestination = &Rule{
	ID:           "relative-destination",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3045"},
	Doc: Doc{
		Summary: "Files are copied to whatever directory the base image works in",
		What:    "Finds `COPY` and `ADD` to a relative path in a stage without `WORKDIR`.",
		Why:     "The files lie elsewhere as soon as the base image changes its working directory.",
		Example: "FROM alpine\nCOPY app.sh .\n",
		Instead: "FROM alpine\nWORKDIR /app\nCOPY app.sh .\n",
	},
	check: func(p *pass) {
		walk(p, false, func(set bool, in *dockerfile.Instruction) bool {
			switch in.Meant {
			case "WORKDIR":
				return true
			case "COPY", "ADD":
				if in.Command == nil || set || len(in.Args) < 2 {
					break
				}
				dest := in.Args[len(in.Args)-1]
				text := unquoted(dest.Text)
				if !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "$") && !strings.Contains(text, ":") &&
					in.Stage >= 0 && p.file().Stages[in.Stage].Base.Text != "scratch" &&
					!images.Windows(p.file().Stages[in.Stage].Base.Text) {
					message := fmt.Sprintf("no WORKDIR is above: %s lies where the base image works", text)
					p.report(in, analysis.Finding{Span: dest.Span, Message: message})
				}
			}
			return set
		})
	},
}
