package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// CopyWithoutLink finds copies from other stages that --link would make independent of the steps above them.
var CopyWithoutLink = &Rule{
	ID:       "copy-without-link",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "With --link, a copy would not depend on the steps above it",
		What: "Finds `COPY --from` below a `RUN` that installs packages, where `--link` gives the same image for " +
			"certain: into a directory that is not a link in any usual image, " +
			"that no step above names, in a stage without `USER`.",
		Why: "When a step above runs again, or the base image is a new one, the files are copied once more. A " +
			"linked copy is a layer of its own, which is put on top of the others as it is.",
		Example: "FROM alpine AS build\nRUN make\nFROM alpine\nRUN apk add curl\nCOPY --from=build /out/app " +
			"/usr/local/bin/app\n",
		Instead: "FROM alpine AS build\nRUN make\nFROM alpine\nRUN apk add curl\nCOPY --link --from=build /out/app " +
			"/usr/local/bin/app\n",
	},
	check: checkCopyWithoutLink,
}

// linkable are folders that no usual base image has as a link, or owned by somebody else than root.
var linkable = []string{"/usr/local/bin", "/usr/local/lib", "/usr/local/share", "/usr/share", "/opt"}

func checkCopyWithoutLink(p *pass) {
	if p.lacks("COPY", "link") {
		return
	}
	type state struct {
		installs bool   // a step above is costly
		text     string // of the RUNs and WORKDIRs above that may be about one of the folders
		unsafe   bool
	}
	walk(p, state{}, func(s state, in *dockerfile.Instruction) state {
		switch c := in.Command.(type) {
		case *instructions.RunCommand:
			if text := p.Text.Slice(in.Span); strings.Contains(text, "/opt") || strings.Contains(text, "/usr") {
				s.text += text
			}
			run := p.shellRun(in)
			s.unsafe = s.unsafe || run == nil || slices.ContainsFunc(run.commands,
				func(c command) bool { return c.words[0] == "ln" })
			s.installs = s.installs || len(run.downloads()) > 0
		case *instructions.WorkdirCommand:
			s.text += c.Path
		case *instructions.UserCommand, *instructions.AddCommand:
			s.unsafe = true
		case *instructions.CopyCommand:
			if !s.installs || s.unsafe || !copiesPlainly(in, c) || !intoOwnFolder(c.DestPath, s.text) {
				return s
			}
			p.found(in, in.Keyword.Span, change("Add --link", source.At(in.Flags[0].Span.Start), "--link ", false),
				"this is copied again whenever a step above runs again: with --link it would not be")
		}
		return s
	})
}

// copiesPlainly reports whether a copy from another stage has nothing about it that --link may change, nor --link
// itself.
func copiesPlainly(in *dockerfile.Instruction, c *instructions.CopyCommand) bool {
	if c.From == "" || c.Link || c.Chmod != "" || c.Parents || len(in.Args) < 2 || in.JSON {
		return false
	}
	if c.Chown != "" && (named(c.Chown) || strings.Contains(c.Chown, "$")) {
		return false
	}
	if slices.ContainsFunc(c.SourcePaths, func(src string) bool { return strings.HasSuffix(src, "/") }) {
		return false // into a folder that may hold links
	}
	thoughtOf := slices.ContainsFunc(in.Flags, func(f dockerfile.Flag) bool { return f.Name.Text == "link" })
	return !thoughtOf
}

// intoOwnFolder reports whether a destination is in one of the linkable folders, in a part that no step above names.
func intoOwnFolder(dest, above string) bool {
	i := slices.IndexFunc(linkable, func(dir string) bool { return strings.HasPrefix(dest, dir+"/") })
	if i < 0 || strings.ContainsAny(dest, "$'\"\\") || path.Clean(dest) != strings.TrimSuffix(dest, "/") {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(dest, linkable[i]+"/"), "/")
	if first != "" && strings.Contains(above, linkable[i]+"/"+first) {
		return false
	}
	return !strings.Contains(above, "chown") || !strings.Contains(above, linkable[i])
}
