package effects

import (
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// generator is a command that makes files of nothing but some files of the project, so that what it makes stays the
// same when others change.
type generator struct {
	words []string // of the command, in this order
	makes func(src string) bool
	reads []string // as sources of a COPY; "**/" stands for any directory
}

var generators = []generator{
	{ // turborepo.com/docs/reference/prune: out/json has the pruned manifests, out the lock file
		words: []string{"turbo", "prune"},
		makes: func(src string) bool {
			dir := path.Base(path.Dir(path.Clean(src)))
			return path.Base(src) == "json" || dir == "json" || dir == "out" && slices.Contains(nodeLocks, path.Base(src))
		},
		reads: slices.Concat(nodeLocks, []string{
			"**/package.json", "pnpm-workspace.yaml", ".npmrc", ".yarnrc.yml", "turbo.json", ".gitignore",
		}),
	},
	{ // github.com/LukeMathWalker/cargo-chef: the recipe has the manifests and the lock file
		words: []string{"chef", "prepare"},
		makes: func(src string) bool { return strings.HasSuffix(src, ".json") },
		reads: []string{"**/Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", "**/config.toml"},
	},
}

var nodeLocks = strings.Fields("package-lock.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb")

// Derived gives the files of the build context, as sources of a COPY in which "**/" stands for any directory, that
// alone decide what a COPY takes from a stage. It fails where it is not known that others do not count.
func Derived(file *dockerfile.File, in *dockerfile.Instruction) (sources []string, ok bool) {
	c, isCopy := in.Command.(*instructions.CopyCommand)
	if !isCopy || c.From == "" || len(c.SourcePaths) == 0 || in.Stage < 0 {
		return nil, false
	}
	from := file.Stage(strings.ToLower(c.From), dockerfile.ByFrom, in.Stage)
	if from < 0 {
		return nil, false
	}
	list := file.Stages[from].Instructions
	for _, g := range generators {
		at := slices.IndexFunc(list, func(in *dockerfile.Instruction) bool { return g.runs(in) })
		if at < 0 || slices.ContainsFunc(c.SourcePaths, func(src string) bool { return !g.makes(src) }) {
			continue
		}
		// What runs later in the stage may change what was made.
		last := !slices.ContainsFunc(list[at+1:], func(in *dockerfile.Instruction) bool {
			return slices.Contains([]string{"RUN", "COPY", "ADD"}, in.Meant)
		})
		return g.reads, last
	}
	return nil, false
}

// runs reports whether a RUN has the command as its last one.
func (g *generator) runs(in *dockerfile.Instruction) bool {
	run, ok := in.Command.(*instructions.RunCommand)
	if !ok || len(run.Files) > 0 {
		return false
	}
	words := strings.Fields(strings.Join(run.CmdLine, " "))
	at := slices.Index(words, g.words[0])
	if at < 0 {
		at = slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, g.words[0]+"@") })
	}
	return at >= 0 && at+1 < len(words) && words[at+1] == g.words[1] &&
		!slices.ContainsFunc(words[at:], func(w string) bool { return strings.ContainsAny(w, "&;|") })
}
