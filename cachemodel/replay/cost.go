package replay

import (
	"math"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
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

// Work is a kind of command.
type Work string

// The kinds of commands.
const (
	Packages     Work = "system packages"
	Dependencies Work = "dependencies"
	Compile      Work = "compile"
	Test         Work = "test"
	Download     Work = "download"
	Other        Work = "other"
	Base         Work = "base image"
	Copy         Work = "copy"
	Directory    Work = "directory"
)

// Weight is what one execution of a kind of command is taken to cost where nothing is recorded.
type Weight struct {
	Work    Work    `json:"work"`
	Seconds float64 `json:"seconds"`
	Of      string  `json:"of"` // what counts, for people
}

// Weights are taken from what such commands typically take in a middling project. A RUN with several kinds of commands costs
// the sum of their weights, each once, of which Kepts say what is left with a cache mount.
var Weights = []Weight{
	{Compile, 60, "RUN that compiles or bundles: go build, npm run build, mvn package, cargo build, make, assets:precompile, ..."},
	{Dependencies, 40, "RUN that installs a project's dependencies: npm ci, pip install, bundle install, go mod download, ..."},
	{Test, 30, "RUN that tests: go test, npm test, pytest, ..."},
	{Packages, 25, "RUN that installs system packages: apt-get install, apk add, dnf install, ..."},
	{Base, 10, "FROM with another image: it is pulled"},
	{Download, 8, "RUN with curl, wget or git clone; ADD of a URL"},
	{Other, 1, "any other RUN"},
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
		if add, ok := in.Command.(*instructions.AddCommand); ok && slices.ContainsFunc(add.SourcePaths, remote) {
			return weight(Download), false
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
		if w := workOf(args); w != Other {
			left[w] = max(left[w], shareLeft(args, w, mounts))
		}
	}
	for _, w := range WorkOf(in) {
		if w == Other {
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

// Kepts are measured: go build commit after commit (24 and 5 % of the processor time in two projects), npm ci with all packages in its
// cache (44 to 115 % of the time in eight); yarn is taken to gain as npm does.
var Kepts = []Kept{
	{"go", 0.25, regexp.MustCompile(`(^|/)(\.?cache|go-?build|\.?go-?cache)/?$`), []Work{Compile, Test}},
	{"npm", 0.75, regexp.MustCompile(`(^|/)(\.npm|_cacache|npm)/?$`), []Work{Dependencies}},
	{"yarn", 0.75, regexp.MustCompile(`(^|/)\.?yarn(/v\d+|/cache|-cache)?/?$`), []Work{Dependencies}},
}

// shareLeft is the share of a command's weight that is left with cache mounts.
func shareLeft(args []string, w Work, mounts []string) float64 {
	for _, k := range Kepts {
		if !slices.Contains(k.works, w) || !slices.ContainsFunc(args, func(a string) bool { return path.Base(a) == k.Tool }) {
			continue
		}
		if slices.ContainsFunc(mounts, func(dir string) bool { return k.dirs.MatchString(dir) && !strings.Contains(dir, "/mod/") }) {
			return k.Share
		}
	}
	return 1
}

// cacheMounts are the directories of a RUN's cache mounts.
func cacheMounts(in *dockerfile.Instruction) (dirs []string) {
	for _, f := range in.Flags {
		if !isCacheMount(f) {
			continue
		}
		for _, part := range strings.Split(f.Value.Text, ",") {
			if key, value, _ := strings.Cut(part, "="); key == "target" || key == "dst" || key == "destination" {
				dirs = append(dirs, value)
			}
		}
	}
	return dirs
}

func isCacheMount(f dockerfile.Flag) bool {
	return f.Name.Text == "mount" && slices.Contains(strings.Split(f.Value.Text, ","), "type=cache")
}

func millis(seconds float64) float64 { return math.Round(seconds*1000) / 1000 }

func remote(src string) bool {
	return strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://") || strings.HasPrefix(src, "git@") || strings.HasSuffix(src, ".git")
}

// WorkOf gives the kinds of commands of a RUN, each once; Other only where there is no other.
func WorkOf(in *dockerfile.Instruction) []Work {
	var found []Work
	for _, args := range commandsOf(in) {
		if w := workOf(args); w != Other && !slices.Contains(found, w) {
			found = append(found, w)
		}
	}
	if len(found) == 0 {
		return []Work{Other}
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
	file, _ := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.RecoverErrors(10)).Parse(strings.NewReader(script), "")
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

// wrappers run the command that follows them.
var wrappers = []string{"sudo", "env", "time", "exec", "command", "nice", "npx", "bunx", "pnpx", "xvfb-run", "eatmydata", "retry", "corepack", "xargs", "nohup"}

// works is what commands do, by their name and the word that follows; "*" is any. The first that fits counts.
var works = []struct {
	work  Work
	names string // separated by blanks
	words string
}{
	{Packages, "apt-get apt aptitude apk yum dnf microdnf tdnf zypper pacman apt-fast install_packages xbps-install emerge brew", "*"},
	{Test, "npm yarn pnpm bun go cargo mvn mvnw gradle gradlew dotnet mix make swift composer", "test check vet lint"},
	{Test, "pytest tox nox phpunit rspec jest vitest mocha eslint golangci-lint flake8 ruff mypy pylint rubocop phpstan", "*"},
	{Compile, "go", "build install generate"},
	{Dependencies, "go", "mod get"},
	{Compile, "cargo", "build install rustc chef"},
	{Dependencies, "cargo", "fetch vendor"},
	{Compile, "mvn mvnw gradle gradlew", "package install compile verify deploy build assemble jar bootJar shadowJar installDist distTar clean"},
	{Dependencies, "mvn mvnw gradle gradlew", "*"},
	{Compile, "dotnet msbuild", "build publish pack"},
	{Dependencies, "dotnet nuget", "restore install"},
	{Compile, "mix rebar3 sbt lein", "compile release assemble assets.deploy phx.digest uberjar stage dist package do"},
	{Dependencies, "mix rebar3 sbt lein", "deps.get deps.compile deps update get-deps local.hex"},
	{Dependencies, "npm yarn pnpm bun", "install ci i add fetch workspaces"},
	{Compile, "npm yarn pnpm bun turbo nx lerna", "run build exec compile run-script bundle dist production"},
	{Compile, "tsc webpack vite next nuxt ng gulp grunt rollup esbuild parcel hugo jekyll gatsby astro", "*"},
	{Dependencies, "pip pip3 pipx uv poetry pipenv pdm conda mamba micromamba easy_install", "install sync add pip create env update i venv"},
	{Compile, "dart flutter", "compile build"},
	{Dependencies, "swift", "package"},
	{Dependencies, "deno pixi shards carton conan vcpkg clojure clj", "*"},
	{Dependencies, "bundle bundler gem composer bower cpanm cpan luarocks cabal stack opam pecl docker-php-ext-install install-php-extensions pear R Rscript pub flutter dart hex", "*"},
	{Compile, "rails rake", "assets:precompile"},
	{Compile, "make cmake ninja meson gcc g++ cc c++ clang clang++ javac rustc swift configure autoreconf ant bazel bazelisk zig", "*"},
	{Compile, "python python3", "setup.py"},
	{Download, "curl wget aria2c svn", "*"},
	{Download, "git", "clone fetch pull submodule"},
}

// workOf says what a simple command does.
func workOf(args []string) Work {
	for len(args) > 0 {
		name := path.Base(args[0])
		switch {
		case slices.Contains(wrappers, name) || strings.Contains(args[0], "="):
			args = skipFlags(args[1:])
			continue
		case len(args) > 2 && slices.Contains([]string{"bundle", "poetry", "pipenv", "pdm", "uv", "yarn", "pnpm", "bunx"}, name) && (args[1] == "exec" || args[1] == "run" && name != "yarn" && name != "pnpm"):
			args = skipFlags(args[2:])
			continue
		case (name == "sh" || name == "bash") && len(args) > 2 && strings.HasPrefix(args[1], "-") && strings.HasSuffix(args[1], "c"):
			for _, inner := range shellCommands(args[2]) {
				if w := workOf(inner); w != Other {
					return w
				}
			}
			return Other
		case (name == "python" || name == "python3") && len(args) > 2 && args[1] == "-m":
			args = args[2:]
			continue
		case (name == "bin" || strings.HasSuffix(args[0], "bin/rails") || strings.HasSuffix(args[0], "bin/rake")) && len(args) > 1:
			name = "rails"
		}
		return workOfTool(name, args[1:])
	}
	return Other
}

// workOfTool goes by the first word that says something: options may have values, and a build tool's goals come in any order.
func workOfTool(name string, args []string) Work {
	for _, arg := range append(args[:len(args):len(args)], "*") {
		for _, w := range works {
			words := strings.Fields(w.words)
			// Scripts are named build:prod or build-docker.
			if slices.Contains(strings.Fields(w.names), name) && (slices.Contains(words, arg) || slices.Contains(words, arg[:max(0, strings.IndexAny(arg+":", ":-_"))])) {
				return w.work
			}
		}
	}
	if name == "yarn" && (len(args) == 0 || strings.HasPrefix(args[0], "-")) {
		return Dependencies // yarn alone installs
	}
	return Other
}

// skipFlags leaves out the options before the first other word.
func skipFlags(args []string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	return args
}

// RecordedCosts are the costs that are known of the build of a file, by the first lines of its instructions. An instruction of
// the same text in another version of the file takes as long.
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
	for _, f := range in.Flags {
		if isCacheMount(f) {
			text = strings.Replace(text, " --mount="+f.Value.Text+" ", " ", 1)
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
