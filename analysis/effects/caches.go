package effects

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Cache is a directory in which a tool keeps what it can make or fetch again. What the tool does is the same whether
// the directory is full, empty or old, as it looks everything up in it by a digest of what it was made from or of what
// it is.
type Cache struct {
	Tool   string // whose it is
	Name   string // for people
	Dir    string
	Holds  string // as in "go build compiles"
	Found  string // "compiled before"
	Locked bool   // two builds at a time must not use it
	Fact   string // what is assumed of it, a sentence
}

// cacheOf gives the cache that a command fills, if it is such a one and in a known place, and the tool whose cache it
// uses: "" if it is known to use none, and "?" if it may use any.
func cacheOf(s *state, c Call) (*Cache, string) {
	if c.Loose || c.Args[0] == "" {
		return nil, "?"
	}
	switch name := path.Base(c.Args[0]); {
	case c.Args[0] == "go" || c.Args[0] == "/usr/local/go/bin/go":
		return goCache(s, c)
	case name == "npm":
		return npmCache(s, c)
	case name == "yarn" || name == "yarnpkg":
		return yarnCache(s, c)
	case !c.Does.Opaque,
		slices.Contains(bystanders, name),
		name == "git" && len(c.Args) > 1 && slices.Contains([]string{"describe", "rev-parse", "log", "rev-list", "tag",
			"status"}, c.Args[1]):
		return nil, ""
	}
	return nil, "?"
}

// bystanders are commands that the table may not know and that read no package manager's cache, but by its name.
var bystanders = strings.Fields(
	"date strip upx ldd readelf sha256sum md5sum hostname mkdir chown chmod chgrp touch rm rmdir cp mv install ln " +
		"cat ls grep head tail wc sort stat file sed tar unzip useradd adduser groupadd addgroup",
)

// value gives the value of a variable that a command sees. ok is false if it is set to what is not known.
func (c Call) value(name string) (value string, ok bool) {
	value = c.vars[name]
	return value, !strings.Contains(value, unknown)
}

// below gives a directory in that of a variable, or in the other one where it is not set.
func (c Call) below(name, otherwise, rest string) (string, bool) {
	dir, ok := c.value(name)
	if dir == "" {
		dir = otherwise
	}
	if !ok || dir == "" {
		return "", false
	}
	return path.Join(dir, rest), ok && plainDir.MatchString(dir)
}

// goFlags are flags of go that are followed by a value.
var goFlags = strings.Fields(
	"-o -p -ldflags -gcflags -asmflags -tags -mod -buildmode -buildvcs -C -pkgdir -run -count -timeout -coverprofile " +
		"-installsuffix -pgo -covermode -coverpkg -v",
)

// goCache is the cache of go build, by the digests of all that a package is compiled from. What C compilers and the
// libraries of the system are is not among that: so CGO_ENABLED must be 0.
func goCache(s *state, c Call) (*Cache, string) {
	words := slices.DeleteFunc(slices.Clone(c.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "-") })
	if len(words) == 0 {
		return nil, "?"
	}
	switch words[0] {
	case "mod", "version", "list", "fmt", "help", "doc", "work", "get":
		return nil, ""
	case "env":
		if !c.has("-w", "-u") {
			return nil, ""
		}
		return nil, "go"
	case "clean":
		return nil, "go"
	case "test":
		if !slices.Contains(c.Args, "-count=1") {
			return nil, "go" // what a test did may be taken for done
		}
	case "build", "install", "vet":
	default:
		return nil, "?" // it runs programs
	}
	flags, ok := c.value("GOFLAGS")
	cgo := c.vars["CGO_ENABLED"]
	if !ok || cgo != "0" || c.vars["GOCACHEPROG"] != "" || strings.Contains(flags, "toolexec") ||
		slices.Contains(strings.Fields(flags), "-a") ||
		c.has("-a", "-toolexec", "-race", "-msan", "-asan", "-n") {
		return nil, "go"
	}
	for i, a := range c.Args {
		if strings.HasPrefix(a, unknown) && !slices.Contains(goFlags, c.Args[i-1]) {
			return nil, "go"
		}
	}
	if text, ok := c.file(s, "go.mod"); ok && !plainModule(text) || !ok && c.exists(s, "go.mod") {
		return nil, "go"
	}
	dir, ok := c.below("GOCACHE", "-", "")
	if _, set := c.vars["GOCACHE"]; !set {
		home, known := c.below("HOME", "/root", ".cache")
		dir, ok = c.below("XDG_CACHE_HOME", home, "go-build")
		ok = ok && known
	}
	if !ok || c.cwd == "/" || Nested(c.cwd, dir) {
		return nil, "go"
	}
	return &Cache{
		Tool:  "go",
		Dir:   dir,
		Name:  "Go's build cache",
		Holds: "go build compiles",
		Found: "compiled before",
		Fact: "go build does the same with its build cache full, empty or old, where no C is compiled and a file " +
			"that changes gets another time or size",
	}, "go"
}

func npmCache(s *state, c Call) (*Cache, string) {
	l, known := c.line(npmOptions)
	at, ok := c.at(l, "--prefix", "-C")
	switch {
	case onlyVersion(c):
		return nil, ""
	case !ok || !known || len(l.words) == 0:
		if words := c.words(""); runsPlain(s, c, words, 0) {
			return nil, ""
		}
		return nil, "?"
	case c.Does.Opaque:
		if runsPlain(s, at, l.words, 0) {
			return nil, ""
		}
		return nil, "?"
	case c.Does.Directory == "" || l.has("-g", "--global", "--prefer-offline", "--cache", "--no-package-lock",
		"--package-lock=false") || at.offline(s):
		return nil, "npm"
	case len(c.Does.Locks) > 0 || !at.npmLocked(s):
		return nil, "npm"
	}
	for name := range c.vars {
		if strings.EqualFold(name, "npm_config_cache") && name != "npm_config_cache" {
			return nil, "npm"
		}
	}
	home, known := c.below("HOME", "/root", ".npm")
	dir, ok := c.below("npm_config_cache", home, "_cacache")
	if !ok || !known || Nested(at.cwd, dir) {
		return nil, "npm"
	}
	return &Cache{
		Tool:  "npm",
		Name:  "npm's packages",
		Dir:   dir,
		Holds: "npm downloads",
		Found: "downloaded before",
		Fact:  "npm takes a package from its cache only where it has the digest that package-lock.json gives",
	}, "npm"
}

func onlyVersion(c Call) bool {
	return len(c.Args) == 2 && slices.Contains([]string{"-v", "--version"}, c.Args[1])
}

// offline reports whether settings may make a package manager of Node.js rest on its cache, or move it.
func (c Call) offline(s *state) bool {
	for _, name := range []string{".npmrc", ".yarnrc", ".yarnrc.yml"} {
		if text, ok := c.file(s, name); strings.Contains(text, "offline") || strings.Contains(text, "cache") ||
			!ok && c.exists(s, name) {
			return true
		}
	}
	for name := range c.vars {
		if strings.Contains(strings.ToUpper(name), "OFFLINE") || strings.EqualFold(name, "npm_config_userconfig") ||
			strings.EqualFold(name, "npm_config_globalconfig") {
			return true
		}
	}
	return false
}

// npmLocked reports whether the lock file gives a digest of all that is fetched.
func (c Call) npmLocked(s *state) bool {
	text, ok := c.file(s, "package-lock.json")
	var lock npmLock
	if !ok || c.exists(s, "npm-shrinkwrap.json") || json.Unmarshal([]byte(text), &lock) != nil || lock.Version < 2 {
		return false
	}
	for name, p := range lock.Packages {
		if name != "" && p.Integrity == "" || p.Resolved != "" && !strings.HasPrefix(p.Resolved, "https://") {
			return false
		}
	}
	return true
}

// yarnCache is that of yarn 1, where root keeps it.
func yarnCache(s *state, c Call) (*Cache, string) {
	l, known := c.line(yarnOptions)
	at, ok := c.at(l, "--cwd")
	switch {
	case onlyVersion(c):
		return nil, ""
	case !ok || !known || c.Does.Opaque:
		if runsPlain(s, at, c.words("--cwd"), 0) {
			return nil, ""
		}
		return nil, "?"
	case c.Does.Directory == "" || len(l.words) > 0 && l.words[0] != "install" || !l.has("--frozen-lockfile") ||
		l.has("--prefer-offline", "--cache-folder") || at.offline(s):
		return nil, "yarn"
	}
	lock, ok := at.file(s, "yarn.lock")
	manifest, _ := at.file(s, "package.json")
	if !ok || !strings.Contains(lock, "# yarn lockfile v1") || at.exists(s, ".yarnrc.yml") ||
		yarnTwo.MatchString(manifest) ||
		strings.Contains(lock, "git") && gitResolved.MatchString(lock) ||
		strings.Count(lock, "\n  resolved ") != strings.Count(lock, "\n  integrity ") ||
		c.vars["XDG_CACHE_HOME"] != "" {
		return nil, "yarn"
	}
	dir, ok := c.below("YARN_CACHE_FOLDER", "/usr/local/share/.cache/yarn", "")
	if !ok || Nested(at.cwd, dir) {
		return nil, "yarn"
	}
	return &Cache{
		Tool:   "yarn",
		Name:   "yarn's packages",
		Dir:    dir,
		Holds:  "yarn downloads",
		Found:  "downloaded before",
		Locked: true,
		Fact:   "yarn 1 takes a package from its cache only where it has the digest that yarn.lock gives",
	}, "yarn"
}

var (
	yarnTwo     = regexp.MustCompile(`"packageManager"\s*:\s*"yarn@[2-9]`)
	gitResolved = regexp.MustCompile(`resolved "?(git|ssh)|resolved "?https?://[^"#]*(\.git|codeload\.github)`)
)

// plainScripts are programs that a script of package.json may run without a look into a package manager's cache.
var plainScripts = strings.Fields(
	"tsc vue-tsc vite next nuxt nuxi react-scripts vue-cli-service ng webpack webpack-cli rollup esbuild tsup tsdown " +
		"swc babel parcel astro gatsby svelte-kit remix eslint prettier stylelint jest vitest mocha " +
		"rimraf mkdirp copyfiles echo true cp mv rm mkdir cat sass node-sass postcss tailwindcss",
)

// runsPlain reports whether a call of npm or yarn runs a script of the project of which that is known.
func runsPlain(s *state, c Call, words []string, depth int) bool {
	if len(words) > 0 && (words[0] == "run" || words[0] == "run-script") {
		words = words[1:]
	} else if path.Base(c.Args[0]) == "npm" {
		return false
	}
	text, ok := c.file(s, "package.json")
	var p packageJSON
	if !ok || len(words) != 1 || depth > 3 || json.Unmarshal([]byte(text), &p) != nil || p.Scripts[words[0]] == "" {
		return false
	}
	for _, name := range []string{"pre" + words[0], words[0], "post" + words[0]} {
		script := p.Scripts[name]
		if script == "" {
			continue
		}
		if strings.ContainsAny(script, "|`$();<>\n'\"\\") ||
			strings.Contains(strings.ReplaceAll(script, "&&", ""), "&") {
			return false
		}
		for _, command := range strings.Split(script, "&&") {
			args := slices.DeleteFunc(strings.Fields(command), func(w string) bool { return w == "cross-env" })
			for len(args) > 0 && plainAssign.MatchString(args[0]) {
				args = args[1:]
			}
			switch {
			case len(args) == 0:
				return false
			case args[0] == "npm" || args[0] == "yarn":
				inner := c
				inner.Args = args
				if !runsPlain(s, inner, inner.words(""), depth+1) {
					return false
				}
			case !slices.Contains(plainScripts, args[0]):
				return false
			}
		}
	}
	return true
}

var plainAssign = regexp.MustCompile(
	`^(NODE_ENV|NODE_OPTIONS|CI|GENERATE_SOURCEMAP|[A-Z_]*(ENV|MODE|DEBUG|ANALYZE))=[A-Za-z0-9._=-]*$`,
)

// Name names a call of a tool by its first words.
func (c *Call) Name() string {
	name := path.Base(c.Args[0])
	for _, a := range c.Args[1:] {
		if !strings.HasPrefix(a, "-") {
			return name + " " + a
		}
	}
	return name
}
