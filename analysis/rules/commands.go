package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"mvdan.cc/sh/v3/syntax"
)

// command is one simple command of a shell script: its words without the variables that are set in front of it. A word
// that is not literal is as it is written.
type command struct {
	words []string
	at    []int // where each word starts in the script's text
	end   int   // where the last one ends
}

func commandsOf(file *syntax.File, text string) []command {
	var list []command
	syntax.Walk(file, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		var c command
		for _, arg := range call.Args {
			from, to := int(arg.Pos().Offset()), int(arg.End().Offset())
			word := arg.Lit()
			if word == "" {
				word = text[min(from, len(text)):min(to, len(text))]
			}
			if len(c.words) == 0 && slices.Contains([]string{"sudo", "time", "exec", "command"}, word) {
				continue
			}
			c.words, c.at, c.end = append(c.words, word), append(c.at, from), to
		}
		if len(c.words) > 0 {
			c.words[0] = path.Base(c.words[0])
			list = append(list, c)
		}
		return true
	})
	return list
}

// span returns where the words from and up to to, exclusive, stand in the file.
func (c command) span(file *dockerfile.File, in *dockerfile.Instruction, from, to int) source.Span {
	start := shellSpan(file, in, c.at[from])
	return source.Span{Start: start.Start, End: max(start.Start, shellSpan(file, in, c.at[to-1]).End)}
}

// verb is the index of the first word behind the program that is no flag, 0 if there is none.
func (c command) verb() int {
	for i, word := range c.words {
		if i > 0 && !strings.HasPrefix(word, "-") {
			return i
		}
	}
	return 0
}

// manager is a program that downloads packages.
type manager struct {
	name      string // for people
	programs  []string
	verbs     []string // that download
	manifests []string // that a verb alone reads in the working directory; none if it only takes names of packages
	// caches are where root's downloads are kept, for a cache mount. They must hold nothing that the image needs: with
	// installs, nothing but what was downloaded once more is lost.
	caches []string
}

// managers are in order: the first whose program and verb are those of a command counts.
var managers = []*manager{
	{
		name:     "apt",
		programs: []string{"apt-get", "apt"},
		verbs:    []string{"install", "upgrade", "dist-upgrade"},
		caches:   []string{"/var/cache/apt"},
	},
	{name: "apk", programs: []string{"apk"}, verbs: []string{"add"}, caches: []string{"/var/cache/apk"}},
	{
		name:     "system",
		programs: []string{"yum", "dnf", "microdnf", "tdnf", "zypper"},
		verbs:    []string{"install", "in", "groupinstall"},
	},
	{
		name:      "npm",
		programs:  []string{"npm"},
		verbs:     []string{"ci", "install", "i"},
		manifests: []string{"package.json", "package-lock.json"},
		caches:    []string{"/root/.npm"},
	},
	{
		name:      "yarn",
		programs:  []string{"yarn"},
		verbs:     []string{"install", ""},
		manifests: []string{"package.json", "yarn.lock"},
		caches:    []string{"/usr/local/share/.cache/yarn"},
	},
	{
		name:      "pnpm",
		programs:  []string{"pnpm"},
		verbs:     []string{"install", "i", "fetch"},
		manifests: []string{"package.json", "pnpm-lock.yaml"},
		caches:    []string{"/root/.local/share/pnpm/store"},
	},
	{name: "pip", programs: []string{"pip", "pip3"}, verbs: []string{"install"}, caches: []string{"/root/.cache/pip"}},
	{
		name:      "uv",
		programs:  []string{"uv"},
		verbs:     []string{"sync"},
		manifests: []string{"pyproject.toml", "uv.lock"},
		caches:    []string{"/root/.cache/uv"},
	},
	{
		name:      "Poetry",
		programs:  []string{"poetry"},
		verbs:     []string{"install"},
		manifests: []string{"pyproject.toml", "poetry.lock"},
		caches:    []string{"/root/.cache/pypoetry/cache", "/root/.cache/pypoetry/artifacts"},
	},
	{
		name:      "Pipenv",
		programs:  []string{"pipenv"},
		verbs:     []string{"install", "sync"},
		manifests: []string{"Pipfile", "Pipfile.lock"},
		caches:    []string{"/root/.cache/pipenv"},
	},
	{
		name:      "Bundler",
		programs:  []string{"bundle"},
		verbs:     []string{"install", ""},
		manifests: []string{"Gemfile", "Gemfile.lock"},
		caches:    []string{"/usr/local/bundle/cache"},
	},
	{
		name:      "Composer",
		programs:  []string{"composer"},
		verbs:     []string{"install"},
		manifests: []string{"composer.json", "composer.lock"},
		caches:    []string{"/root/.composer/cache"},
	},
	// What these download is needed by the steps below, or is part of what they build. It is only theirs to keep apart.
	{name: "Go", programs: []string{"go"}, verbs: []string{"mod"}, manifests: []string{"go.mod", "go.sum"}},
	{
		name:      "Cargo",
		programs:  []string{"cargo"},
		verbs:     []string{"fetch"},
		manifests: []string{"Cargo.toml", "Cargo.lock"},
	},
	{name: ".NET", programs: []string{"dotnet"}, verbs: []string{"restore"}, manifests: []string{"*.csproj"}},
	{
		name:      "Maven",
		programs:  []string{"mvn", "mvnw"},
		verbs:     []string{"dependency:go-offline", "dependency:resolve"},
		manifests: []string{"pom.xml"},
	},
}

// compilers are programs that download and compile. A cache mount is for those RUNs only that are not preceded by one
// that downloads to where the mount would be, and so hide it.
var compilers = []*manager{
	{
		name:     "Go",
		programs: []string{"go"},
		verbs:    []string{"build", "install", "test"},
		caches:   []string{"/root/.cache/go-build", "/go/pkg/mod"},
	},
	{
		name:     "Cargo",
		programs: []string{"cargo"},
		verbs:    []string{"build", "install", "test"},
		caches:   []string{"/usr/local/cargo/registry"},
	},
	{
		name:     "Maven",
		programs: []string{"mvn", "mvnw"},
		verbs:    []string{"package", "install", "verify"},
		caches:   []string{"/root/.m2/repository"},
	},
	{
		name:     "Gradle",
		programs: []string{"gradle", "gradlew"},
		verbs:    []string{"build", "assemble", "bootJar", "shadowJar"},
		caches:   []string{"/root/.gradle/caches", "/root/.gradle/wrapper"},
	},
	{
		name:     ".NET",
		programs: []string{"dotnet"},
		verbs:    []string{"build", "publish"},
		caches:   []string{"/root/.nuget/packages"},
	},
}

// download is a command that downloads packages.
type download struct {
	*manager
	command
	last     int  // the word behind program, flags and verb: the first argument
	manifest bool // it reads manifests of the working directory, rather than names of packages
}

// shown is the command as people call it: "npm ci".
func (d download) shown() string {
	if v := d.verb(); v > 0 && d.last > v {
		return d.words[0] + " " + d.words[v]
	}
	return d.words[0]
}

// downloads are the commands of a RUN that download packages, by the table managers.
func (r *shellRun) downloads() []download {
	if r == nil {
		return nil
	}
	return r.installs
}

func (r *shellRun) find(table []*manager) []download {
	var list []download
	for _, c := range r.commands {
		if len(c.words) > 3 && strings.HasPrefix(c.words[0], "python") && c.words[1] == "-m" {
			c.words, c.at = c.words[2:], c.at[2:]
		}
		for _, m := range table {
			if d, ok := m.reads(c); ok {
				list = append(list, d)
				break
			}
		}
	}
	return list
}

func (m *manager) reads(c command) (download, bool) {
	if !slices.Contains(m.programs, c.words[0]) {
		return download{}, false
	}
	d := download{manager: m, command: c, last: 1}
	if v := c.verb(); v > 0 && slices.Contains(m.verbs, c.words[v]) {
		d.last = v + 1
	} else if v > 0 || !slices.Contains(m.verbs, "") || slices.ContainsFunc(c.words,
		func(w string) bool { return w == "-v" || w == "--version" || w == "--help" }) {
		return download{}, false
	}
	if m.name == "Go" && c.words[d.last-1] == "mod" {
		if len(c.words) <= d.last || c.words[d.last] != "download" {
			return download{}, false
		}
		d.last++
	}
	args, global := 0, false
	for _, word := range c.words[d.last:] {
		switch {
		case word == "-g" || word == "--global" || word == "--location=global":
			global = true
		case m.name == "pip" && (word == "-r" || strings.HasPrefix(word, "--requirement")):
			d.manifest = true
		case !strings.HasPrefix(word, "-"):
			args++
		}
	}
	if len(m.manifests) > 0 {
		d.manifest = !global && (args == 0 || m.name == ".NET" || m.name == "Go" || hasValueFlags(c.words[d.last:]))
	}
	return d, true
}

// hasValueFlags reports whether every word that is no flag stands behind a flag, which may take it as its value.
func hasValueFlags(words []string) bool {
	for i, word := range words {
		if !strings.HasPrefix(word, "-") &&
			(i == 0 || !strings.HasPrefix(words[i-1], "-") || strings.Contains(words[i-1], "=") ||
				!strings.HasPrefix(words[i-1], "--")) {
			return false
		}
	}
	return true
}

// onlyNames reports whether a system package manager is given nothing but names: no files, and nothing of a variable.
func (d download) onlyNames() bool {
	for _, word := range d.words[d.last:] {
		if strings.ContainsAny(word, "/$*`") {
			return false
		}
	}
	return len(d.manifests) == 0 && d.name != "pip" && len(d.words) > d.last
}

// contextCopy returns the sources that an instruction copies of the build context, and whether the whole of it is among
// them.
func contextCopy(in *dockerfile.Instruction) (sources []dockerfile.Word, whole *dockerfile.Word) {
	if in.Meant != "COPY" && in.Meant != "ADD" {
		return nil, nil
	}
	sources = contextSources(in)
	for i, word := range sources {
		text := word.Text
		if in.JSON {
			text = strings.Trim(text, `"`)
		}
		if clean := path.Clean(text); clean == "." || clean == "/" || clean == "*" {
			return sources, &sources[i]
		}
	}
	return sources, nil
}
