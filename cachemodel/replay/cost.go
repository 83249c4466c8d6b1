package replay

import (
	"math"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/tools"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// Costs says how long an instruction takes.
type Costs struct {
	// Recorded gives what a real build took for an instruction, in seconds; it may be nil. Where it does not know, the
	// Weights count.
	Recorded func(*dockerfile.Instruction) (seconds float64, known bool)
}

// Work is a kind of command, or of what else a build does.
type Work = tools.Work

// The kinds of what is no RUN.
const (
	Base      Work = "base image"
	Copy      Work = "copy"
	Directory Work = "directory"
)

// Weight is what one execution of a kind of command is taken to cost where nothing is recorded.
type Weight struct {
	Work    Work    `json:"work"`
	Seconds float64 `json:"seconds"`
	Of      string  `json:"of"` // what counts, for people
}

// Weights are taken from what such commands typically take in a middling project. A RUN with several kinds of commands
// costs the sum of their weights, each once, of which Kepts say what is left with a cache mount.
var Weights = []Weight{
	{
		tools.Compile,
		60,
		"RUN that compiles or bundles: go build, npm run build, mvn package, cargo build, make, assets:precompile, ...",
	},
	{
		tools.Dependencies,
		40,
		"RUN that installs a project's dependencies: npm ci, pip install, bundle install, go mod download, ...",
	},
	{tools.Test, 30, "RUN that tests: go test, npm test, pytest, ..."},
	{tools.Packages, 25, "RUN that installs system packages: apt-get install, apk add, dnf install, ..."},
	{Base, 10, "FROM with another image: it is pulled"},
	{tools.Global, 8, "RUN that installs tools by name: npm install -g pnpm, pip install poetry, ..."},
	{tools.Download, 8, "RUN with curl, wget or git clone; ADD of a URL"},
	{tools.Other, 1, "any other RUN"},
	{Copy, 0.2, "COPY and ADD, and 0.02 more for each MB that is read of the build context"},
	{Directory, 0.1, "WORKDIR"},
}

const secondsPerByte = 0.02 / (1 << 20)

func weight(w Work) float64 {
	return Weights[slices.IndexFunc(Weights, func(x Weight) bool { return x.Work == w })].Seconds
}

// Seconds is the cost of one execution of an instruction, without what it reads of the build context.
func (c Costs) Seconds(in *dockerfile.Instruction) float64 {
	s, _ := c.of(in, cachemodel.Operation{})
	return s
}

// of gives the cost of one execution, and whether it is a recorded one.
func (c Costs) of(in *dockerfile.Instruction, op cachemodel.Operation) (seconds float64, recorded bool) {
	if c.Recorded != nil {
		if s, ok := c.Recorded(in); ok {
			return s, true
		}
	}
	switch in.Meant {
	case "FROM":
		return weight(Base), false
	case "WORKDIR":
		return weight(Directory), false
	case "COPY", "ADD":
		add, ok := in.Command.(*instructions.AddCommand)
		if ok && slices.ContainsFunc(add.SourcePaths, dockerfile.IsFetched) {
			return weight(tools.Download), false
		}
		return millis(weight(Copy) + float64(op.Bytes)*secondsPerByte), false
	case "RUN":
		return millis(weightOf(in, cacheMounts(in))), false
	}
	return 0, false
}

// weightOf is the weight of a RUN with cache mounts at these directories.
func weightOf(in *dockerfile.Instruction, mounts []string) (sum float64) {
	left := map[Work]float64{}
	for _, args := range commandsOf(in) {
		if w := workOf(args); w != tools.Other {
			left[w] = max(left[w], shareLeft(args, w, mounts))
		}
	}
	for _, w := range WorkOf(in) {
		if w == tools.Other {
			return weight(w)
		}
		sum += weight(w) * left[w]
	}
	return sum
}

// Kept is the share of a weight that is left where a cache mount keeps what a tool made or fetched before.
type Kept struct {
	Tool  string
	Share float64
	dirs  *regexp.Regexp // where such a mount is
	works []Work
}

// Kepts are measured: go build commit after commit (24 and 5 % of the processor time in two projects), npm ci with all
// packages in its cache (44 to 115 % of the time in eight); yarn is taken to gain as npm does.
var Kepts = []Kept{
	{"go", 0.25, regexp.MustCompile(`(^|/)(\.?cache|go-?build|\.?go-?cache)/?$`), []Work{tools.Compile, tools.Test}},
	{"npm", 0.75, regexp.MustCompile(`(^|/)(\.npm|_cacache|npm)/?$`), []Work{tools.Dependencies}},
	{"yarn", 0.75, regexp.MustCompile(`(^|/)\.?yarn(/v\d+|/cache|-cache)?/?$`), []Work{tools.Dependencies}},
}

// shareLeft is the share of a command's weight that is left with cache mounts.
func shareLeft(args []string, w Work, mounts []string) float64 {
	for _, k := range Kepts {
		if !slices.Contains(k.works, w) ||
			!slices.ContainsFunc(args, func(a string) bool { return path.Base(a) == k.Tool }) {
			continue
		}
		if slices.ContainsFunc(
			mounts,
			func(dir string) bool { return k.dirs.MatchString(dir) && !strings.Contains(dir, "/mod/") },
		) {
			return k.Share
		}
	}
	return 1
}

// cacheMounts are the directories of a RUN's cache mounts.
func cacheMounts(in *dockerfile.Instruction) (dirs []string) {
	for _, m := range in.Mounts() {
		if target, ok := m.Get("target"); ok && m.Type() == "cache" {
			dirs = append(dirs, target.Text)
		}
	}
	return dirs
}

func millis(seconds float64) float64 { return math.Round(seconds*1000) / 1000 }

// WorkOf gives the kinds of commands of a RUN, each once; tools.Other only where there is no other.
func WorkOf(in *dockerfile.Instruction) []Work {
	var found []Work
	for _, args := range commandsOf(in) {
		if w := workOf(args); w != tools.Other && !slices.Contains(found, w) {
			found = append(found, w)
		}
	}
	if len(found) == 0 {
		return []Work{tools.Other}
	}
	return found
}

// commandsOf gives the simple commands of a RUN, as words that are "" where they are not literal.
func commandsOf(in *dockerfile.Instruction) (all [][]string) {
	run, ok := in.Command.(*instructions.RunCommand)
	if !ok {
		return nil
	}
	if !run.PrependShell {
		return [][]string{run.CmdLine}
	}
	all = shellCommands(strings.Join(run.CmdLine, " "))
	for _, file := range run.Files {
		all = append(all, shellCommands(file.Data)...)
	}
	return all
}

func shellCommands(script string) (all [][]string) {
	// What the parser makes of the part before an error counts.
	file, _ := (&shellscript.Script{Text: script}).Parse()
	if file == nil {
		return nil
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		var args []string
		for _, word := range call.Args {
			args = append(args, literal(word))
		}
		all = append(all, args)
		return true
	})
	return all
}

func literal(word *syntax.Word) string {
	var b strings.Builder
	for _, part := range word.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			b.WriteString(part.Value)
		case *syntax.SglQuoted:
			b.WriteString(part.Value)
		case *syntax.DblQuoted:
			for _, in := range part.Parts {
				if lit, ok := in.(*syntax.Lit); ok {
					b.WriteString(lit.Value)
				}
			}
		}
	}
	return b.String()
}

// wrapper is a program that runs the command that follows it, some behind so many words of its own.
type wrapper struct {
	own    int
	valued string // its options whose values are words of their own, separated by blanks
}

var wrappers = map[string]wrapper{
	"sudo": {valued: "-u -g"}, "env": {valued: "-u -C"}, "time": {}, "exec": {valued: "-a"}, "command": {},
	"nice": {valued: "-n"}, "ionice": {valued: "-c -n"}, "npx": {valued: "-p --package"}, "bunx": {}, "pnpx": {},
	"xvfb-run": {valued: "-s -n"}, "eatmydata": {}, "retry": {valued: "-t -d -s -m"}, "corepack": {},
	"xargs": {valued: "-n -P -I -a -L -d"}, "nohup": {}, "dotenv": {valued: "-e -f"}, "cross-env": {},
	"stdbuf": {valued: "-o -e -i"}, "fakeroot": {}, "unbuffer": {}, "chronic": {}, "dbus-run-session": {},
	"dumb-init": {}, "tini": {valued: "-p"}, "catatonit": {}, "setpriv": {}, "xx-verify": {},
	"timeout": {own: 1, valued: "-k -s --kill-after --signal"}, "su-exec": {own: 1}, "gosu": {own: 1},
	"runuser": {valued: "-u --user"}, "chroot": {own: 1},
}

// behind gives the words of a wrapper behind its options and its own words.
func (w wrapper) behind(args []string) []string {
	valued := strings.Fields(w.valued)
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		n := 1
		if slices.Contains(valued, args[0]) {
			n = 2
		}
		args = args[min(n, len(args)):]
	}
	return args[min(w.own, len(args)):]
}

// workOf says what a simple command does.
func workOf(args []string) Work {
	for len(args) > 0 {
		name := path.Base(args[0])
		wrapping, wraps := wrappers[name]
		switch {
		case name == "corepack" && len(args) > 1 && (args[1] == "enable" || args[1] == "prepare"):
			return tools.Other
		case wraps || strings.Contains(args[0], "="):
			args = wrapping.behind(args[1:])
			continue
		case name == "su" && slices.Contains(args, "-c") && slices.Index(args, "-c")+1 < len(args):
			return workOfShell(args[slices.Index(args, "-c")+1])
		case name == "eval":
			return workOfShell(strings.Join(args[1:], " "))
		case runsInProject(name, args):
			args = skipFlags(args[2:])
			continue
		case (name == "sh" || name == "bash") && len(args) > 2 && strings.HasPrefix(args[1], "-") &&
			strings.HasSuffix(args[1], "c"):
			return workOfShell(args[2])
		case (name == "sh" || name == "bash") && len(args) > 1 && strings.HasSuffix(args[1], ".sh"):
			args = args[1:]
			continue
		case strings.HasPrefix(name, "python") && len(args) > 2 && args[1] == "-m":
			if args = args[2:]; args[0] == "build" {
				return tools.Compile
			}
			continue
		case (name == "bin" || strings.HasSuffix(args[0], "bin/rails") || strings.HasSuffix(args[0], "bin/rake")) &&
			len(args) > 1:
			name = "rails"
		}
		return workOfTool(name, args[1:])
	}
	return tools.Other
}

// runsInProject reports whether a package manager runs the command behind its first two words.
func runsInProject(name string, args []string) bool {
	managers := []string{"bundle", "poetry", "pipenv", "pdm", "uv", "yarn", "pnpm", "bunx"}
	return len(args) > 2 && slices.Contains(managers, name) &&
		(args[1] == "exec" || args[1] == "run" && name != "yarn" && name != "pnpm")
}

// workOfShell says what a text for a shell does: the first of its commands counts that does any work.
func workOfShell(text string) Work {
	for _, inner := range shellCommands(text) {
		if w := workOf(inner); w != tools.Other {
			return w
		}
	}
	return tools.Other
}

// builders are names of scripts that compile, by custom.
var builders = regexp.MustCompile(`^(build|compile|make|bundle)([._-].*)?$`)

func workOfTool(name string, args []string) Work {
	tool := tools.Of(name)
	if tool == nil {
		if builders.MatchString(name) {
			return tools.Compile
		}
		return tools.Other
	}
	if name == "cargo" && len(args) > 1 && args[0] == "chef" {
		args = append([]string{"chef-" + args[1]}, args[2:]...)
	}
	verb := tool.Verb(args)
	switch {
	case verb == nil || verb.Work == tools.Light:
		return tools.Other
	case verb.Work == tools.Dependencies && (namesTools(name, args)):
		return tools.Global
	}
	return verb.Work
}

// namesTools reports whether an installation is one of tools by their names, rather than of what the project needs.
func namesTools(name string, args []string) bool {
	switch name {
	case "npm", "pnpm", "bun":
		return slices.ContainsFunc(args, func(a string) bool {
			return a == "-g" || a == "--global" || a == "--location=global"
		})
	case "yarn":
		return len(args) > 0 && args[0] == "global"
	case "pip", "pip2", "pip3":
		words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
		return len(words) > 1 && !slices.ContainsFunc(words[1:], func(w string) bool {
			name := strings.FieldsFunc(w, func(r rune) bool { return strings.ContainsRune("=<>~![", r) })
			return len(name) == 0 || !slices.Contains(pythonTools, name[0])
		})
	case "pipx":
		return true
	case "uv":
		return len(args) > 1 && args[0] == "tool"
	}
	return false
}

// pythonTools are packages of Python's that are tools.
var pythonTools = strings.Fields(
	"pip poetry uv pipenv pdm setuptools wheel virtualenv gunicorn uvicorn build tox nox hatch flit twine " +
		"cython pre-commit pip-tools awscli supervisor",
)

// skipFlags leaves out the options before the first other word.
func skipFlags(args []string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	return args
}

// RecordedCosts are the costs that are known of the build of a file, by the first lines of its instructions. An
// instruction of the same text in another version of the file takes as long.
func RecordedCosts(of *dockerfile.File, known map[int]cachemodel.Cost) Costs {
	seconds := map[string]float64{}
	for _, in := range of.Instructions {
		if cost := known[in.Line]; cost.Seconds != nil {
			seconds[textOf(in)] = *cost.Seconds
		}
	}
	if len(seconds) == 0 {
		return Costs{}
	}
	return Costs{Recorded: func(in *dockerfile.Instruction) (float64, bool) {
		s, ok := seconds[textOf(in)]
		if mounts := cacheMounts(in); !ok && len(mounts) > 0 { // it was recorded without them
			s, ok = seconds[withoutCacheMounts(in)]
			s = millis(s * weightOf(in, mounts) / weightOf(in, nil))
		}
		return s, ok
	}}
}

// withoutCacheMounts is the text of an instruction without its cache mounts.
func withoutCacheMounts(in *dockerfile.Instruction) string {
	text := textOf(in)
	for _, m := range in.Mounts() {
		if m.Type() == "cache" {
			text = strings.Replace(text, " --mount="+in.Flags[m.Flag].Value.Text+" ", " ", 1)
		}
	}
	return text
}

func textOf(in *dockerfile.Instruction) string {
	if in.Node == nil {
		return ""
	}
	text := strings.Join(strings.Fields(in.Node.Original), " ")
	for _, doc := range in.Node.Heredocs {
		text += "\n" + doc.Content
	}
	return text
}
