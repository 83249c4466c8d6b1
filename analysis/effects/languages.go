package effects

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/tools"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// goModule is a package of another module, in a version.
var goModule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,}(/[A-Za-z0-9._~-]+)+@[A-Za-z0-9.+-]+$`)

func goTool(s *state, e *Effects, c Call) bool {
	l, ok := c.line("-x -v -C= -w -u -ldflags= -tags= -trimpath -modcache -cache -testcache -fuzzcache")
	if !ok || c.Dynamic || len(l.words) == 0 {
		return false
	}
	c, ok = c.at(l, "-C")
	switch {
	case !ok:
		return false
	case l.words[0] == "clean" || l.words[0] == "env" || l.words[0] == "install" && !s.ownGo(c):
		above, none := c.above(s, "go.mod", "go.work")
		if c.cwd == "" || !none || c.exists(s, "go.mod", "go.work") {
			return s.no("Go itself may be of the version that go.mod names")
		}
		e.Reads = append(e.Reads, above...)
		e.Reads = append(e.Reads, "cwd", path.Join(c.cwd, "go.mod"), path.Join(c.cwd, "go.work"))
	}
	switch {
	case l.only("clean") && l.has("-cache", "-modcache", "-testcache", "-fuzzcache"):
		return e.installs(s, c)
	case l.words[0] == "env" && l.has("-w") && !slices.ContainsFunc(l.words[1:], func(w string) bool {
		return !regexp.MustCompile(`^(GOPROXY|GOSUMDB|GOPRIVATE|GONOSUMDB|GONOPROXY|CGO_ENABLED|GO111MODULE|GOTOOLCHAIN)=[A-Za-z0-9.:/,*|-]*$`).MatchString(w) || strings.Contains(w, "file:")
	}):
		return e.installs(s, c)
	case l.words[0] == "install" && len(l.words) > 1: // a command of another module, in its version
		return !slices.ContainsFunc(l.words[1:], func(w string) bool { return !goModule.MatchString(w) }) &&
			e.installs(s, c)
	case !l.only("mod", "download") || l.has("-ldflags", "-tags", "-w", "-u"):
		return false
	}
	text, ok := c.file(s, "go.mod")
	above, none := c.above(s, "go.work")
	sums, hasSums := c.file(s, "go.sum")
	if !ok || !none || !hasSums || c.exists(s, "go.work") || !plainModule(text) {
		return false
	}
	if !settledModule(text, sums) {
		return s.no("go.mod is of a version before 1.17, or go.sum lacks what it names, so that they may be changed")
	}
	e.Reads = append(e.Reads, above...)
	return e.project(s, c, manifests("go", "mod"))
}

// ownGo reports whether Go is of the version that is there, whatever a go.mod says: official images say so.
func (s *state) ownGo(c Call) bool {
	toolchain, set := c.vars["GOTOOLCHAIN"]
	return toolchain == "local" || !set && s.official == "golang"
}

// plainModule reports whether a go.mod names no directory of the project.
func plainModule(text string) bool {
	mod, err := modfile.Parse("go.mod", []byte(text), nil)
	return err == nil &&
		!slices.ContainsFunc(
			mod.Replace,
			func(r *modfile.Replace) bool { return modfile.IsDirectoryPath(r.New.Path) || r.New.Version == "" },
		)
}

// settledModule reports whether Go has nothing to write in go.mod or go.sum: that has all that go.mod names, which is
// all there is since 1.17, in versions as Go itself writes them.
func settledModule(text, sums string) bool {
	mod, err := modfile.Parse("go.mod", []byte(text), nil)
	if err != nil || mod.Go == nil || semver.Compare("v"+mod.Go.Version, "v1.17") < 0 {
		return false
	}
	has := map[string]bool{}
	for line := range strings.Lines(sums) {
		if fields := strings.Fields(line); len(fields) == 3 {
			has[fields[0]+" "+fields[1]] = true
		}
	}
	replaced := map[module.Version]module.Version{}
	for _, r := range mod.Replace {
		replaced[r.Old] = r.New
	}
	return !slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool {
		m, written := r.Mod, strings.Contains(text, r.Mod.Path+" "+r.Mod.Version)
		for _, old := range []module.Version{m, {Path: m.Path}} {
			if other, ok := replaced[old]; ok {
				m, written = other, written && strings.Contains(text, other.Path+" "+other.Version)
				break
			}
		}
		return !written || !has[m.Path+" "+m.Version] || !has[m.Path+" "+m.Version+"/go.mod"]
	})
}

var crate = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*(@[A-Za-z0-9.+-]+)?$`)

// cargo installs commands of other packages. What fetches the project's own dependencies wants its sources to be there.
func cargo(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"--locked --release -q --quiet -v --verbose --force -f --no-default-features --all-features -y --no-confirm " +
			"--offline --no-track --version= --vers= --features= -F= --bin= --target= --profile= -j= --jobs= " +
			"--recipe-path= --package= -p= --git= --tag= --rev=",
	)
	if !ok || c.Dynamic || len(l.words) < 2 || c.cwd == "" || c.cwd == "/" ||
		c.exists(s, ".cargo", "rust-toolchain", "rust-toolchain.toml") {
		return false
	}
	above, none := c.above(s, ".cargo", "rust-toolchain", "rust-toolchain.toml")
	e.Reads = append(e.Reads, above...)
	config := append(slices.Clone(manifests("cargo", "chef-cook").Config), ".cargo/config", ".cargo/config.toml")
	switch {
	case !none:
	case l.words[0] == "install" || l.words[0] == "binstall":
		if slices.ContainsFunc(l.words[1:], func(w string) bool { return !crate.MatchString(w) }) ||
			slices.ContainsFunc(l.values["--git"], func(v string) bool { return !strings.HasPrefix(v, "https://") }) ||
			l.has("--recipe-path") {
			return false
		}
		return e.project(s, c, &tools.Verb{Config: config})
	case l.only("chef", "cook") && !l.has("--git"): // of cargo-chef, with what "prepare" wrote
		recipe := "recipe.json"
		if named, given := l.last("--recipe-path"); given {
			recipe = named
		}
		e.Writes = append(e.Writes, tree(c.cwd)) // in place of the sources it puts empty ones, of each member
		return !path.IsAbs(recipe) && plainName.MatchString(recipe) &&
			e.project(s, c, &tools.Verb{Manifests: []string{recipe}, Config: config})
	}
	return false
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

func rustup(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"-q --quiet -y --no-self-update --toolchain= --profile= --component= -c= --target= -t= --allow-downgrade " +
			"--force",
	)
	if !ok || c.Dynamic || len(l.words) < 2 || c.cwd == "" || c.cwd == "/" ||
		c.exists(s, "rust-toolchain", "rust-toolchain.toml") ||
		slices.ContainsFunc(l.words, func(w string) bool { return !plainName.MatchString(w) }) ||
		!slices.Contains([]string{"target", "component", "toolchain", "default"}, l.words[0]) ||
		l.words[0] != "default" && !slices.Contains([]string{"add", "install"}, l.words[1]) {
		return false
	}
	above, none := c.above(s, "rust-toolchain", "rust-toolchain.toml")
	e.Reads = append(e.Reads, above...)
	return none && e.project(s, c, &tools.Verb{Config: manifests("cargo", "chef-cook").Config})
}

// gemfileLine is a line of a Gemfile of the kind that everybody writes: it names a gem with versions and plain
// settings, a source in the network, the version of Ruby, or begins or ends a group. A Gemfile is a program; what else
// it says is not known.
var gemfileLine = regexp.MustCompile(`^\s*(` + strings.Join([]string{
	`#.*`, ``, `end`,
	`source\s*\(?["']https://[^"'#]+["']\)?(\s+do)?`,
	`ruby\s*\(?(["'][0-9A-Za-z .~><=-]+["'](\s*,\s*["'][0-9A-Za-z .~><=-]+["'])*|file:\s*["']\.ruby-version["'])\)?`,
	`gem\s*\(?\s*["'][A-Za-z0-9_.-]+["'](\s*,\s*` + gemSetting + `)*\s*\)?`,
	`(group|platforms?)\s*\(?\s*:[a-z_0-9]+(\s*,\s*:[a-z_0-9]+)*\s*\)?(\s*,\s*optional:\s*true)?\s+do`,
	`git_source\(:github\)\s*\{\s*\|repo(_name)?\|\s*["']https://github\.com/#\{repo(_name)?\}(\.git)?["']\s*\}`,
}, "|") + `)\s*(#.*)?$`)

const gemSetting = `(["'][0-9A-Za-z .~><=!-]+["']|(require|force_ruby_platform):\s*(false|true|nil|["'][A-Za-z0-9_/.-]+["']|\[[^\]#]*\])|(groups?|platforms?|install_if_not):\s*(:[a-z_0-9]+|\[[:a-z_0-9, ]+\]|%i\[[a-z_0-9 ]+\])|(git|source):\s*["']https://[^"'#]+["']|github:\s*["'][A-Za-z0-9_./-]+["']|(branch|tag|ref|glob):\s*["'][A-Za-z0-9_./-]+["'])`

func bundle(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"--jobs= -j= --retry= --without= --with= --deployment --frozen --no-cache --quiet --no-prune --clean " +
			"--full-index --force --local --global --redownload -V --verbose",
	)
	if !ok || c.Dynamic {
		return false
	}
	if len(l.words) == 4 && l.words[0] == "config" && l.words[1] == "set" && !l.has("--local") {
		return slices.Contains(
			strings.Fields(
				"deployment frozen without with jobs retry force_ruby_platform silence_root_warning clean no-cache",
			),
			l.words[2],
		) &&
			e.installs(s, c)
	}
	if !l.only("install") && !l.only() || l.has("--local", "--global") {
		return false
	}
	text, ok := c.file(s, "Gemfile")
	lock, locked := c.file(s, "Gemfile.lock")
	for i, line := range strings.Split(text, "\n") {
		if !gemfileLine.MatchString(strings.TrimRight(line, "\r")) {
			return s.no(fmt.Sprintf("line %d of Gemfile does more than name a gem", i+1))
		}
	}
	if !ok || !locked || strings.Contains(lock, "PATH\n") || strings.Contains(lock, "PLUGIN SOURCE") ||
		strings.Contains(lock, "file:") ||
		c.exists(s, ".bundle", "vendor/cache", "gems.rb", ".tool-versions") {
		return false
	}
	verb := manifests("bundle", "install")
	if !l.has("--deployment", "--frozen") && s.env["BUNDLE_DEPLOYMENT"] != "1" &&
		s.env["BUNDLE_DEPLOYMENT"] != "true" &&
		s.env["BUNDLE_FROZEN"] != "1" &&
		s.env["BUNDLE_FROZEN"] != "true" {
		e.locks(c, verb.Locks)
	}
	above, none := c.above(s, "Gemfile", "Gemfile.lock", ".bundle", "gems.rb")
	e.Reads = append(e.Reads, above...)
	return none && e.project(s, c, verb, ".bundle/", "vendor/cache/")
}

func gem(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"-v= --version= --no-document --no-doc --no-ri --no-rdoc --conservative -N --silent -q --quiet --force -f " +
			"--system --source= --user-install",
	)
	if !ok || c.Dynamic || len(l.words) == 0 || l.words[0] != "install" && l.words[0] != "update" ||
		len(l.words) < 2 && !l.has("--system") ||
		c.cwd == "" {
		return false
	}
	if slices.ContainsFunc(s.names(c.cwd), func(name string) bool { return strings.HasSuffix(name, ".gem") }) {
		return s.no("gems in the working directory come first")
	}
	for _, name := range l.words[1:] { // a file of that name comes first
		name, _, _ = strings.Cut(name, ":")
		if !plainName.MatchString(name) || strings.HasSuffix(name, ".gem") || c.exists(s, name, name+".gem") {
			return false
		}
		e.Reads = append(e.Reads, "cwd", path.Join(c.cwd, name), path.Join(c.cwd, name+".gem"))
	}
	return !slices.ContainsFunc(
		l.values["--source"],
		func(v string) bool { return !strings.HasPrefix(v, "https://") },
	) &&
		e.installs(s, c)
}

// composerPlugins are the plugins of Composer that read nothing of the project but what is in composer.json and
// symfony.lock.
var composerPlugins = strings.Fields(
	"symfony/runtime phpstan/extension-installer pestphp/pest-plugin " +
		"php-http/discovery composer/package-versions-deprecated " +
		"infection/extension-installer ergebnis/composer-normalize",
)

var (
	// composerKeys are the fields of composer.json that say nothing of files, but for those that are looked at.
	composerKeys = strings.Fields(
		"name description type keywords license authors homepage support require require-dev autoload autoload-dev " +
			"minimum-stability prefer-stable config extra scripts scripts-descriptions scripts-aliases version " +
			"repositories replace provide conflict suggest funding $schema " +
			"abandoned readme time archive bin",
	)
	// composerSettings are those of its "config" that name no file.
	composerSettings = strings.Fields(
		"sort-packages preferred-install allow-plugins platform discard-changes process-timeout audit lock " +
			"platform-check secure-http github-protocols htaccess-protect prepend-autoloader autoloader-suffix " +
			"bump-after-update github-oauth gitlab-token http-basic use-parent-dir",
	)
)

type composerJSON struct {
	Scripts      map[string]any `json:"scripts"`
	Autoload     map[string]any `json:"autoload"`
	Dev          map[string]any `json:"autoload-dev"`
	Config       map[string]any `json:"config"`
	Version      string         `json:"version"`
	Repositories any            `json:"repositories"`
	Extra        map[string]any `json:"extra"`
}

type composerLock struct {
	Packages []composerPackage
	Dev      []composerPackage `json:"packages-dev"`
}

type composerPackage struct {
	Name, Type   string
	Source, Dist struct {
		Type, URL string
		Mirrors   any
	}
	Transport any `json:"transport-options"`
}

func composer(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"--no-dev --dev --no-scripts --no-interaction -n --no-ansi --ansi --no-progress --prefer-dist " +
			"--prefer-source --prefer-install= --no-autoloader --ignore-platform-reqs --ignore-platform-req= " +
			"--no-plugins --no-suggest --no-cache --no-audit --audit -q --quiet -v -vv -vvv --profile -d= " +
			"--working-dir=",
	)
	if !ok || c.Dynamic {
		return false
	}
	c, ok = c.at(l, "-d", "--working-dir")
	switch {
	case !ok:
		return false
	case l.only("clear-cache") || l.only("clearcache") || l.only("self-update"):
		return e.installs(s, c)
	case !l.only("install"):
		return false
	}
	text, ok := c.file(s, "composer.json")
	lockText, locked := c.file(s, "composer.lock")
	var raw map[string]any
	var p composerJSON
	var lock composerLock
	if !ok || !locked || json.Unmarshal([]byte(text), &raw) != nil || json.Unmarshal([]byte(text), &p) != nil ||
		json.Unmarshal([]byte(lockText), &lock) != nil ||
		!plainRepositories(p.Repositories) {
		return false
	}
	if !p.plain(raw) || !l.has("--no-scripts") && slices.ContainsFunc(keys(p.Scripts), composerEvent) ||
		!lock.plain(l.has("--no-plugins")) ||
		!l.has("--no-autoloader") && p.scans() {
		return false
	}
	if p.Version == "" && s.env["COMPOSER_ROOT_VERSION"] == "" { // it asks git for the version, and notes it
		e.Reads = append(e.Reads, path.Join(c.cwd, ".git")+"/")
		e.Perhaps = append(e.Perhaps, path.Join(c.cwd, ".git")+"/")
		if c.exists(s, ".hg", ".svn", "_FOSSIL_", ".fslckout") {
			return s.no("the version comes from what keeps the project's versions")
		}
	}
	return e.project(s, c, manifests("composer", "install"))
}

// plain reports whether a composer.json has only keys and settings that are known. raw is all that is in it.
func (p *composerJSON) plain(raw map[string]any) bool {
	for key := range raw {
		if !slices.Contains(composerKeys, key) {
			return false
		}
	}
	for key, value := range p.Config {
		if !slices.Contains(composerSettings, key) &&
			!(slices.Contains([]string{"optimize-autoloader", "classmap-authoritative", "apcu-autoloader"}, key) &&
				value == false) {
			return false
		}
	}
	runtime, _ := p.Extra["runtime"].(map[string]any) // of symfony/runtime
	return runtime["autoload_template"] == nil && runtime["project_dir"] == nil
}

// plain reports whether all packages of a composer.lock come from the network, and none may write elsewhere.
func (lock *composerLock) plain(noPlugins bool) bool {
	for _, found := range slices.Concat(lock.Packages, lock.Dev) {
		if found.Type == "composer-plugin" && !noPlugins && !slices.Contains(composerPlugins, found.Name) {
			return false // it may put packages anywhere, and write files of the project
		}
		if found.Source.Mirrors != nil || found.Dist.Mirrors != nil || found.Transport != nil {
			return false
		}
		for _, url := range []string{found.Source.URL, found.Dist.URL} {
			if url != "" && !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "git@") ||
				found.Dist.Type == "path" ||
				found.Source.Type == "path" {
				return false
			}
		}
	}
	return true
}

// scans reports whether Composer scans the project for classes.
func (p *composerJSON) scans() bool {
	for _, autoload := range []map[string]any{p.Autoload, p.Dev} {
		if slices.ContainsFunc(
			keys(autoload),
			func(kind string) bool { return kind != "psr-4" && kind != "exclude-from-classmap" && kind != "files" },
		) {
			return true
		}
	}
	return false
}

func keys(m map[string]any) (list []string) {
	for key := range m {
		list = append(list, key)
	}
	return list
}

// composerEvent reports whether Composer runs a script of this name by itself.
func composerEvent(name string) bool {
	return name == "init" || name == "command" || strings.HasPrefix(name, "pre-") || strings.HasPrefix(name, "post-")
}

// plainRepositories reports whether all repositories of a composer.json are in the network.
func plainRepositories(value any) bool {
	var list []any
	switch v := value.(type) {
	case nil:
	case []any:
		list = v
	case map[string]any:
		for _, one := range v {
			list = append(list, one)
		}
	default:
		return false
	}
	for _, one := range list {
		if one == false {
			continue
		}
		r, ok := one.(map[string]any)
		kind, _ := r["type"].(string)
		url, _ := r["url"].(string)
		if r["options"] != nil {
			return false // such as a certificate
		}
		off := len(r) == 1 && r["packagist.org"] == false
		if !ok ||
			!off &&
				(!slices.Contains([]string{"composer", "vcs", "git", "github", "gitlab"}, kind) ||
					!strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "git@")) {
			return false
		}
	}
	return true
}
