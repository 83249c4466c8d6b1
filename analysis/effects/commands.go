package effects

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Command is what is known of some commands of one name.
type Command struct {
	Names string // separated by blanks
	Reads string // the files of the project that they read, for people
	Fact  string // what is assumed of them, a sentence
	// effect adds what a call does, and reports whether that is known.
	effect func(s *state, e *Effects, c Call) bool
}

// Commands are all that is known of commands. A call that none of them knows reads and writes everything.
var Commands = []Command{
	{"apt-get apt aptitude", "", "apt reads and writes the system's directories only, and takes no notice of the application's variables", system("update install upgrade dist-upgrade full-upgrade remove purge autoremove clean autoclean build-dep satisfy")},
	{"apk", "", "apk reads and writes the system's directories only, and takes no notice of the application's variables", system("add del update upgrade fix cache")},
	{"dnf yum microdnf tdnf", "", "dnf and yum read and write the system's directories only, and take no notice of the application's variables", system("install update upgrade remove erase clean makecache groupinstall module autoremove reinstall swap")},
	{"zypper pacman xbps-install", "", "zypper and pacman read and write the system's directories only, and take no notice of the application's variables", system("*")},
	{"locale-gen update-ca-certificates ldconfig update-alternatives dpkg-reconfigure apt-mark add-apt-repository apt-key a2enmod a2dismod a2ensite update-locale localedef fc-cache", "", "the system's tools read and write the system's directories only", system("*")},
	{"docker-php-ext-install docker-php-ext-configure docker-php-ext-enable install-php-extensions pecl phpenmod", "", "PHP's installers of extensions read and write the system's directories only", system("*")},
	{"npm", "package.json package-lock.json npm-shrinkwrap.json .npmrc", "npm installs from package.json, its lock file and .npmrc; install scripts of packages do not read the project's own files", npm},
	{"yarn", "package.json yarn.lock .npmrc .yarnrc .yarnrc.yml .yarn", "yarn installs from package.json, yarn.lock and its settings; install scripts of packages do not read the project's own files", yarn},
	{"pnpm", "package.json pnpm-lock.yaml .npmrc", "pnpm installs from package.json, pnpm-lock.yaml and .npmrc; install scripts of packages do not read the project's own files", pnpm},
	{"bun", "package.json bun.lock bun.lockb bunfig.toml", "bun installs from package.json, its lock file and bunfig.toml; install scripts of packages do not read the project's own files", bun},
	{"corepack", "", "corepack enable writes the system's directories only", corepack},
	{"pip pip2 pip3", "requirements files", "pip installs from the requirements files alone", pip},
	{"uv", "pyproject.toml uv.lock", "uv installs from pyproject.toml, uv.lock or the requirements files alone, where the project itself is left out", uv},
	{"poetry", "pyproject.toml poetry.lock poetry.toml", "poetry installs from pyproject.toml and poetry.lock alone, where the project itself is left out", poetry},
	{"pipenv", "Pipfile Pipfile.lock", "pipenv installs from Pipfile and Pipfile.lock alone", pipenv},
	{"conda mamba micromamba", "environment.yml", "conda installs from the environment file alone", conda},
	{"go", "go.mod go.sum", "go mod download reads go.mod and go.sum alone", goTool},
	{"cargo", ".cargo rust-toolchain.toml", "cargo install of a named crate does not read the project's sources", cargo},
	{"rustup", "", "rustup writes its own directories only", rustup},
	{"bundle", "Gemfile Gemfile.lock .ruby-version", "bundle install reads Gemfile and Gemfile.lock alone", bundle},
	{"gem", "", "gem install of named gems does not read the project's files", gem},
	{"composer", "composer.json composer.lock auth.json", "composer install reads composer.json and composer.lock alone, where it runs no scripts and scans no classes", composer},
	{"mvn", "pom.xml .mvn", "Maven's dependency goals read pom.xml and .mvn alone", mvn},
	{"dotnet", "*.csproj global.json nuget.config", "dotnet restore reads the project file and the settings of NuGet alone", dotnet},
	{"mix", "mix.exs mix.lock config", "mix deps.get reads mix.exs, mix.lock and config alone", mix},
	{"cabal stack opam", "", "the update of the package index does not read the project's files", index},
	{"helm", "", "helm repo writes the home directory only", helm},
	{"curl", "", "curl writes the files that it is told to", curl},
	{"wget", "", "wget writes the files that it is told to", wget},
	{"git", "", "git clone writes the directory that it clones into", git},
	{"mkdir", "", "mkdir makes the directories that it names, and nothing else", mkdir},
	{"chown chmod chgrp touch rm rmdir", "", "chown, chmod, touch and rm change the files that they name, and nothing else", change},
	{"cp mv install", "", "cp and mv read and write the files that they name, and nothing else", cp},
	{"ln", "", "ln makes the link that it names, and nothing else", ln},
	{"sed", "", "sed changes the files that it names, and nothing else", sed},
	{"cat ls grep test [ head tail wc sort stat file", "", "commands such as cat and test read the files that they name, and nothing else", look},
	{"useradd adduser groupadd addgroup usermod groupmod passwd chpasswd deluser userdel delgroup groupdel", "", "the tools for users and groups write /etc, /home and /var only", users},
	{"echo printf true : set exit sleep date uname id whoami which type arch nproc export unset false umask", "", "commands such as echo read and write no files", nothing},
}

// systemDirs are what system packages read and write. A directory of one's own in /usr/src is none of them.
var systemDirs = []string{
	"/etc/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/libx32/", "/usr/libexec/", "/usr/share/", "/usr/include/", "/usr/local/", "/usr/games/",
	"/usr/src/php/", "/usr/src/linux/", "/usr/src/php.tar.xz", "/var/backups/", "/var/cache/", "/var/lib/", "/var/local/", "/var/log/", "/var/mail/", "/var/opt/", "/var/spool/",
	"/run/", "/tmp/", "/boot/", "/root/", "/dev/",
}

// homeNames are what package managers of languages keep in a home directory.
var homeNames = strings.Fields(".npm/ .cache/ .config/ .local/ .yarn/ .yarnrc .yarnrc.yml .npmrc .pnpm-store/ .cargo/ .rustup/ .m2/ .gradle/ .nuget/ .dotnet/ .bundle/ .gem/ .gemrc .composer/ .mix/ .hex/ .conda/ .condarc .ivy2/ .sbt/ .bun/ " +
	".node-gyp/ .gitconfig .pki/ .wget-hsts .pip/ .pydistutils.cfg .netrc .ssh/ go/")

// systemVariables are what packages of the system take notice of.
var systemVariables = []string{
	"PATH", "HOME", "USER", "SHELL", "TERM", "TZ", "TMPDIR", "LANG*", "LC_*", "LD_*", "*_PROXY", "DEBIAN*", "DEBCONF*", "DEB_*", "APT_*", "DPKG_*", "UCF_*", "NEEDRESTART*", "APK_*", "RPM_*",
	"YUM_*", "DNF_*", "ZYPP_*", "PYTHON*", "PERL*", "RUBY*", "JAVA*", "JDK*", "PHP*", "NODE*", "GCC*", "CC", "CXX", "*FLAGS", "CURL_*", "SSL_*", "XDG_*", "DISPLAY", "ACCEPT_EULA", "*EULA*", "ROOT", "INITRD", "PKG_*", "LOCPATH",
}

func (e *Effects) system(write bool) {
	e.Reads = append(e.Reads, systemDirs...)
	if write {
		e.Writes = append(e.Writes, systemDirs...)
	}
}

// words are the arguments that are no options.
func (c Call) words() (words []string) {
	for _, a := range c.Args[1:] {
		if !strings.HasPrefix(a, "-") {
			words = append(words, a)
		}
	}
	return words
}

// has reports whether one of the options is given, with or without a value.
func (c Call) has(options ...string) bool {
	return slices.ContainsFunc(c.Args[1:], func(a string) bool {
		name, _, _ := strings.Cut(a, "=")
		return slices.Contains(options, name)
	})
}

func system(subcommands string) func(*state, *Effects, Call) bool {
	return func(s *state, e *Effects, c Call) bool {
		if c.Dynamic || c.has("--root", "-R", "--installroot", "-p", "--rootdir", "--download-only", "-d") && c.Args[0] != "apt-get" {
			return false
		}
		words := c.words()
		if subcommands != "*" && (len(words) == 0 || !slices.Contains(strings.Fields(subcommands), words[0])) {
			return false
		}
		for _, a := range c.Args[1:] {
			if strings.HasPrefix(a, "/") || strings.HasPrefix(a, "./") || strings.HasPrefix(a, "../") || a == "." || strings.ContainsAny(a, "*") && strings.Contains(a, "/") ||
				strings.HasSuffix(a, ".deb") || strings.HasSuffix(a, ".rpm") || strings.HasSuffix(a, ".apk") || strings.HasPrefix(a, "Dir") {
				return false
			}
		}
		e.system(true)
		for _, dir := range []string{"/opt/", "/var/www/", "/srv/"} {
			e.Reads, e.Writes = append(e.Reads, dir), append(e.Writes, dir)
		}
		for _, v := range systemVariables {
			e.Reads = append(e.Reads, "env:"+v)
		}
		return true
	}
}

// project adds what a package manager of a language does in the project's directory: it reads these files, if they are
// there, and writes those. It fails where the directory is not known.
func (e *Effects) project(s *state, c Call, reads, writes []string) bool {
	if c.Dynamic || c.cwd == "" || c.cwd == "/" {
		return false
	}
	e.Reads = append(e.Reads, "cwd", "env:?", c.cwd)
	e.Directory = c.cwd
	for _, r := range reads {
		e.Reads = append(e.Reads, path.Join(c.cwd, r)+slashOf(r))
	}
	for _, w := range writes {
		e.Writes = append(e.Writes, path.Join(c.cwd, w)+slashOf(w))
	}
	e.installs(s)
	return true
}

// installs adds what every such package manager may touch outside of the project.
func (e *Effects) installs(s *state) {
	e.system(true)
	e.Reads = append(e.Reads, "env:?")
	for _, dir := range s.paths {
		if path.IsAbs(dir) && path.Base(dir) == "bin" {
			e.Writes = append(e.Writes, tree(path.Dir(path.Clean(dir))))
		}
	}
	e.Writes = append(e.Writes, "/go/", "/venv/", "/opt/venv/", "/opt/conda/", "/opt/bitnami/")
	homes := []string{"/home/" + s.user}
	if parts := strings.Split(s.cwd, "/"); len(parts) > 2 && parts[1] == "home" {
		homes = append(homes, "/home/"+parts[2])
	}
	for _, home := range homes {
		for _, name := range homeNames {
			e.Reads, e.Writes = append(e.Reads, path.Join(home, name)+slashOf(name)), append(e.Writes, path.Join(home, name)+slashOf(name))
		}
	}
}

// file reads a file of the project by way of the build context: the COPYs above say where it comes from.
func (c Call) file(s *state, name string) (string, bool) {
	content, ok := s.source(path.Join(c.cwd, name))
	return string(content), ok
}

// exists reports whether the project has the file, as far as the build context tells.
func (c Call) exists(s *state, name string) bool {
	return s.there(path.Join(c.cwd, name))
}

type packageJSON struct {
	Scripts              map[string]string `json:"scripts"`
	Workspaces           any               `json:"workspaces"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	PNPM                 map[string]any    `json:"pnpm"`
	Patched              any               `json:"patchedDependencies"`
	Bundled              any               `json:"bundleDependencies"`
}

func (p *packageJSON) all() []map[string]string {
	return []map[string]string{p.Dependencies, p.DevDependencies, p.OptionalDependencies}
}

// nodePackage reads package.json, and refuses one whose installation may read more of the project. Where the file is not at
// hand the installation may read anything.
func nodePackage(s *state, c Call) (*packageJSON, bool) {
	text, ok := c.file(s, "package.json")
	var p packageJSON
	if !ok || json.Unmarshal([]byte(text), &p) != nil || p.Workspaces != nil || p.PNPM["patchedDependencies"] != nil || p.Patched != nil {
		return nil, false
	}
	if !c.has("--ignore-scripts") {
		for _, name := range []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare", "dependencies"} {
			script, has := p.Scripts[name]
			if !has || name == "prepare" && (script == "husky" || script == "husky install" || script == "husky || true") && !c.exists(s, ".git") {
				continue
			}
			return nil, false
		}
		if c.exists(s, "binding.gyp") {
			return nil, false
		}
	}
	for _, list := range p.all() {
		for _, version := range list {
			if strings.HasPrefix(version, ".") || strings.HasPrefix(version, "/") || strings.HasPrefix(version, "~/") || slices.ContainsFunc([]string{"file:", "link:", "portal:", "workspace:", "patch:", "exec:", "catalog:"}, func(p string) bool { return strings.Contains(version, p) }) {
				return nil, false
			}
		}
	}
	return &p, true
}

func onlyOptions(words []string, subcommand string) bool {
	return len(words) == 0 && subcommand == "" || len(words) == 1 && words[0] == subcommand
}

func elsewhere(c Call) bool {
	return c.has("--prefix", "-C", "--cwd", "--dir", "--workspace", "-w", "--workspaces", "-ws", "--filter", "-F", "--modules-folder", "--global-dir", "--lockfile-dir", "--store", "--package-lock-only", "--recursive", "-r", "--userconfig")
}

func npm(s *state, e *Effects, c Call) bool {
	words := c.words()
	if len(words) == 0 || c.Dynamic {
		return false
	}
	if (c.has("-g", "--global", "--location")) && (words[0] == "install" || words[0] == "i") && len(words) > 1 && !elsewhere(c) {
		if slices.ContainsFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, ".") || strings.HasPrefix(w, "/") }) {
			return false
		}
		return e.project(s, c, []string{"package.json", ".npmrc"}, nil)
	}
	if elsewhere(c) || c.has("-g", "--global") {
		return false
	}
	switch {
	case words[0] == "cache" && len(words) == 2, words[0] == "config" && len(words) > 1 && words[1] == "set":
		return e.project(s, c, []string{".npmrc", "package.json"}, nil)
	case len(words) != 1 || !slices.Contains([]string{"ci", "install", "i", "clean-install"}, words[0]):
		return false
	}
	p, ok := nodePackage(s, c)
	if !ok {
		return false
	}
	writes := []string{"node_modules/"}
	lock, locked := c.file(s, "package-lock.json")
	if strings.Contains(lock, `"link": true`) || strings.Contains(lock, `"file:`) {
		return false
	}
	if shrink, ok := c.file(s, "npm-shrinkwrap.json"); ok && (strings.Contains(shrink, `"link": true`) || strings.Contains(shrink, `"file:`) || words[0] != "ci") {
		return false
	}
	if words[0] == "install" || words[0] == "i" {
		if !locked || !npmInSync(lock, p) {
			writes = append(writes, "package-lock.json")
		} else {
			e.Facts = append(e.Facts, "npm install leaves a package-lock.json that fits package.json as it is")
		}
	}
	return e.project(s, c, []string{"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"}, writes)
}

// npmInSync reports whether a lock file, of a version that npm does not convert, was made for this package.json.
func npmInSync(lock string, p *packageJSON) bool {
	var l struct {
		Version  int                    `json:"lockfileVersion"`
		Packages map[string]packageJSON `json:"packages"`
	}
	if json.Unmarshal([]byte(lock), &l) != nil || l.Version < 2 {
		return false
	}
	root, ok := l.Packages[""]
	if !ok {
		return false
	}
	for i, list := range p.all() {
		locked := root.all()[i]
		if len(list) != len(locked) {
			return false
		}
		for name, version := range list {
			if locked[name] != version {
				return false
			}
		}
	}
	return true
}

func yarn(s *state, e *Effects, c Call) bool {
	words := c.words()
	if elsewhere(c) || !onlyOptions(words, "") && !onlyOptions(words, "install") || c.Dynamic {
		return false
	}
	for i, w := range c.Args { // options with a value of their own
		if i > 0 && (w == "--network-timeout" || w == "--mutex" || w == "--registry" || w == "--cache-folder") {
			return false
		}
	}
	p, ok := nodePackage(s, c)
	if !ok || c.exists(s, ".yarn") || c.exists(s, ".pnp.cjs") || c.exists(s, ".yarnrc") {
		return false
	}
	writes := []string{"node_modules/", ".yarn/", ".pnp.cjs", ".pnp.loader.mjs"}
	lock, locked := c.file(s, "yarn.lock")
	if strings.Contains(lock, "file:") || strings.Contains(lock, "link:") || strings.Contains(lock, "portal:") || strings.Contains(lock, "patch:") || strings.Contains(lock, "workspace:packages") {
		return false
	}
	if !c.has("--frozen-lockfile", "--immutable", "--pure-lockfile") {
		for _, list := range p.all() {
			for name, version := range list {
				if !strings.Contains(lock, name+"@"+version) && !strings.Contains(lock, name+"@npm:"+version) {
					locked = false
				}
			}
		}
		if !locked {
			writes = append(writes, "yarn.lock")
		} else {
			e.Facts = append(e.Facts, "yarn leaves a yarn.lock that fits package.json as it is")
		}
	}
	return e.project(s, c, []string{"package.json", "yarn.lock", ".npmrc", ".yarnrc", ".yarnrc.yml"}, writes)
}

func pnpm(s *state, e *Effects, c Call) bool {
	words := c.words()
	if elsewhere(c) || !onlyOptions(words, "install") && !onlyOptions(words, "i") || c.Dynamic {
		return false
	}
	if _, ok := nodePackage(s, c); !ok || c.exists(s, "pnpm-workspace.yaml") || c.exists(s, ".pnpmfile.cjs") || c.exists(s, ".pnpmfile.mjs") {
		return false
	}
	lock, locked := c.file(s, "pnpm-lock.yaml")
	if strings.Contains(lock, "file:") || strings.Contains(lock, "link:") || locked && !c.has("--frozen-lockfile") {
		return false
	}
	return e.project(s, c, []string{"package.json", "pnpm-lock.yaml", ".npmrc"}, []string{"node_modules/", "pnpm-lock.yaml.new", ".pnpm-store/"})
}

func bun(s *state, e *Effects, c Call) bool {
	words := c.words()
	if elsewhere(c) || !onlyOptions(words, "install") && !onlyOptions(words, "i") || c.Dynamic {
		return false
	}
	if _, ok := nodePackage(s, c); !ok || !c.has("--frozen-lockfile") && (c.exists(s, "bun.lock") || c.exists(s, "bun.lockb")) {
		return false
	}
	return e.project(s, c, []string{"package.json", "bun.lock", "bun.lockb", "bunfig.toml", ".npmrc"}, []string{"node_modules/"})
}

func corepack(s *state, e *Effects, c Call) bool {
	if len(c.words()) == 0 || c.words()[0] != "enable" || c.Dynamic {
		return false
	}
	e.installs(s)
	return true
}

func pip(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || words[0] != "install" || c.has("-t", "--target", "--prefix", "--root", "-e", "--editable", "--src", "-f", "--find-links", "--log", "--report") {
		return false
	}
	reads, ok := s.requirements(c, c.Args[2:])
	if !ok {
		return false
	}
	e.Reads = append(e.Reads, reads...)
	e.installs(s)
	if len(reads) > 0 {
		e.Directory = path.Dir(reads[0])
	}
	if slices.ContainsFunc(c.Args, func(a string) bool {
		return !path.IsAbs(a) && (strings.HasSuffix(a, ".txt") || strings.HasSuffix(a, ".in"))
	}) {
		e.Reads = append(e.Reads, "cwd")
	}
	return true
}

var requirementName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?\s*([=<>!~;@].*)?$`)

// requirements gives the files that pip's arguments name, and those that they include. It fails if one of them is not at hand
// or names a part of the project.
func (s *state) requirements(c Call, args []string) (files []string, ok bool) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		name, value, has := strings.Cut(a, "=")
		switch {
		case name == "-r" || name == "--requirement" || name == "-c" || name == "--constraint" || strings.HasPrefix(a, "-r") && len(a) > 2 && a[2] != '-':
			if name == "-r" || name == "-c" || !has && strings.HasPrefix(a, "--") {
				if i++; i == len(args) {
					return nil, false
				}
				value = args[i]
			} else if !has {
				value = a[2:]
			}
			at := value
			if !path.IsAbs(value) {
				if c.cwd == "" {
					return nil, false
				}
				at = path.Join(c.cwd, value)
			}
			more, ok := s.requirementsFile(at, 0)
			if !ok {
				return nil, false
			}
			files = append(files, more...)
		case name == "-i" || name == "--index-url" || name == "--extra-index-url" || name == "--trusted-host" || name == "--timeout" || name == "--retries" || name == "--default-timeout" || name == "--progress-bar" || name == "--cache-dir" || name == "--upgrade-strategy" || name == "--only-binary" || name == "--no-binary" || name == "--platform" || name == "--group":
			if name == "--group" {
				return nil, false
			}
			if !has {
				i++
			}
		case strings.HasPrefix(a, "-"):
		case !requirementName.MatchString(a) && !strings.HasPrefix(a, "git+http") && !strings.HasPrefix(a, "http"), strings.HasSuffix(a, ".whl") && !strings.HasPrefix(a, "http"), strings.HasSuffix(a, ".gz") && !strings.HasPrefix(a, "http"):
			return nil, false
		case strings.Contains(a, "@ file:"):
			return nil, false
		}
	}
	return files, true
}

func (s *state) requirementsFile(file string, depth int) (files []string, ok bool) {
	if depth > 8 {
		return nil, false
	}
	text, ok := s.source(file)
	if !ok {
		return nil, false
	}
	files = append(files, file)
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if n := strings.Index(" "+line, " #"); n >= 0 {
			line = line[:n]
		}
		line = strings.TrimSpace(line)
		if n := strings.Index(line, " --hash"); n >= 0 {
			line = strings.TrimSpace(line[:n])
		}
		fields := strings.Fields(strings.ReplaceAll(line, "=", " "))
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "-r") || strings.HasPrefix(line, "-c") || strings.HasPrefix(line, "--requirement") || strings.HasPrefix(line, "--constraint"):
			name := strings.TrimSpace(strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "--requirement"), "--constraint"), "-r"), "-c"), " ="))
			if len(fields) > 2 || name == "" || strings.Contains(name, "$") {
				return nil, false
			}
			more, ok := s.requirementsFile(path.Join(path.Dir(file), name), depth+1)
			if !ok {
				return nil, false
			}
			files = append(files, more...)
		case strings.HasPrefix(line, "-i") || strings.HasPrefix(line, "--index-url") || strings.HasPrefix(line, "--extra-index-url") || strings.HasPrefix(line, "--trusted-host") || strings.HasPrefix(line, "--no-binary") || strings.HasPrefix(line, "--only-binary") || strings.HasPrefix(line, "--prefer-binary") || line == "--pre":
		case strings.HasPrefix(line, "-e git+http") || strings.HasPrefix(line, "-f http") || strings.HasPrefix(line, "--find-links http"):
			if strings.HasPrefix(line, "-e") {
				return nil, false // into src of the working directory
			}
		case strings.HasPrefix(line, "-"), strings.Contains(line, "file:"):
			return nil, false
		case !requirementName.MatchString(line) && !strings.HasPrefix(line, "git+http") && !strings.HasPrefix(line, "http"):
			return nil, false
		}
	}
	return files, true
}

func uv(s *state, e *Effects, c Call) bool {
	words := c.words()
	switch {
	case c.Dynamic || len(words) == 0 || c.has("--project", "--directory", "--package", "--all-packages"):
		return false
	case words[0] == "pip" && len(words) > 1 && words[1] == "install":
		inner := c
		inner.Args = append([]string{"pip"}, c.Args[2:]...)
		return pip(s, e, inner)
	case words[0] == "venv" && len(words) == 1:
		return e.project(s, c, []string{"pyproject.toml", ".python-version"}, []string{".venv/"})
	case !onlyOptions(words, "sync") || !c.has("--no-install-project", "--no-install-workspace") || !c.has("--frozen", "--locked"):
		return false
	}
	text, ok := c.file(s, "pyproject.toml")
	lock, locked := c.file(s, "uv.lock")
	if !ok || !locked || strings.Contains(text, "workspace") || localPath.MatchString(text) || strings.Contains(lock, "editable = \"..") || strings.Contains(lock, "directory = \"") {
		return false
	}
	return e.project(s, c, []string{"pyproject.toml", "uv.lock", "uv.toml", ".python-version", ".venv/"}, []string{".venv/"})
}

// localPath finds dependencies on other directories in pyproject.toml and Pipfile.
var localPath = regexp.MustCompile(`(?m)(\bpath\s*=|file:|@ \.|editable\s*=\s*true)`)

func poetry(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || c.has("-C", "--directory", "-P", "--project") {
		return false
	}
	if words[0] == "config" && !c.has("--local") {
		e.Reads = append(e.Reads, "cwd", "env:?")
		e.installs(s)
		return c.cwd != "" && len(words) == 3
	}
	if words[0] != "install" && words[0] != "sync" {
		return false
	}
	for i, a := range c.Args { // the values of options
		if i > 1 && !strings.HasPrefix(a, "-") && !slices.Contains([]string{"--only", "--without", "--with", "-E", "--extras"}, c.Args[i-1]) {
			return false
		}
	}
	text, ok := c.file(s, "pyproject.toml")
	if !ok || !c.exists(s, "poetry.lock") || localPath.MatchString(text) || !c.has("--no-root") && !regexp.MustCompile(`package-mode\s*=\s*false`).MatchString(text) && !strings.Contains(strings.Join(c.Args, " "), "--only main --no-root") {
		return false
	}
	return e.project(s, c, []string{"pyproject.toml", "poetry.lock", "poetry.toml", ".venv/"}, []string{".venv/"})
}

func pipenv(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || !onlyOptions(words, "install") && !onlyOptions(words, "sync") || words[0] == "install" && !c.has("--deploy", "--ignore-pipfile") || c.has("--requirements", "-r", "-e", "--skip-lock") {
		return false
	}
	text, ok := c.file(s, "Pipfile")
	lock, locked := c.file(s, "Pipfile.lock")
	if !ok || !locked || localPath.MatchString(text) || strings.Contains(lock, `"path":`) || strings.Contains(lock, `"editable":`) || strings.Contains(lock, `"file":`) {
		return false
	}
	return e.project(s, c, []string{"Pipfile", "Pipfile.lock", ".venv/", ".env"}, []string{".venv/"})
}

func conda(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || c.has("-p", "--prefix") {
		return false
	}
	switch words[0] {
	case "clean", "config":
	case "install", "update":
		if c.has("--file", "-f") || slices.ContainsFunc(words, func(w string) bool {
			return strings.ContainsAny(w, "/") && !strings.Contains(w, "::") || strings.HasSuffix(w, ".bz2")
		}) {
			return false
		}
	case "env":
		at := slices.IndexFunc(c.Args, func(a string) bool { return a == "-f" || a == "--file" })
		name := "environment.yml"
		if at > 0 && at+1 < len(c.Args) {
			name = c.Args[at+1]
		}
		text, ok := c.file(s, name)
		if !ok || path.IsAbs(name) || strings.Contains(text, "-r ") || strings.Contains(text, "-e ") || strings.Contains(text, "file:") || strings.Contains(text, "- .") || strings.Contains(text, "./") {
			return false
		}
		return e.project(s, c, []string{name}, nil)
	default:
		return false
	}
	e.installs(s)
	return true
}

func goTool(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || c.has("-C", "-modfile") {
		return false
	}
	if words[0] == "env" && c.has("-w") {
		e.installs(s)
		return true
	}
	if len(words) != 2 || words[0] != "mod" || words[1] != "download" {
		return false
	}
	text, ok := c.file(s, "go.mod")
	if !ok || !c.exists(s, "go.sum") || c.exists(s, "go.work") || regexp.MustCompile(`=>\s*\.{0,2}/`).MatchString(text) {
		return false
	}
	return e.project(s, c, []string{"go.mod", "go.sum", "go.work", "../go.work"}, nil)
}

func cargo(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) < 2 || words[0] != "install" || c.has("--path", "--root", "--target-dir", "--config") || slices.ContainsFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, ".") || strings.HasPrefix(w, "/") }) {
		return false
	}
	return e.project(s, c, []string{".cargo/", "rust-toolchain", "rust-toolchain.toml"}, nil)
}

func rustup(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) < 3 || !slices.Contains([]string{"target", "component", "toolchain"}, words[0]) || c.cwd == "" || c.cwd == "/" {
		return false
	}
	return e.project(s, c, []string{"rust-toolchain", "rust-toolchain.toml"}, nil)
}

func bundle(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || c.has("--gemfile", "--path", "--binstubs", "--standalone") {
		return false
	}
	if words[0] == "config" {
		return e.project(s, c, []string{".bundle/"}, []string{".bundle/"})
	}
	if words[0] != "install" {
		return false
	}
	text, ok := c.file(s, "Gemfile")
	lock, locked := c.file(s, "Gemfile.lock")
	if !ok || !locked || regexp.MustCompile(`\b(path|gemspec|eval_gemfile|File|IO|Dir|require|require_relative|load|instance_eval|eval|__dir__|__FILE__|read)\b`).MatchString(text) || strings.Contains(lock, "\nPATH\n") || strings.HasPrefix(lock, "PATH\n") {
		return false
	}
	writes := []string{".bundle/", "vendor/bundle/"}
	if !c.has("--deployment", "--frozen") && s.env["BUNDLE_DEPLOYMENT"] == "" && s.env["BUNDLE_FROZEN"] == "" && !strings.Contains(lock, "x86_64-linux") {
		writes = append(writes, "Gemfile.lock")
	} else {
		e.Facts = append(e.Facts, "bundle install leaves a Gemfile.lock that fits the Gemfile as it is")
	}
	return e.project(s, c, []string{"Gemfile", "Gemfile.lock", ".bundle/", ".ruby-version", ".tool-versions"}, writes)
}

func gem(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) < 2 && !c.has("--system") || words[0] != "install" && words[0] != "update" || c.has("-g", "--file", "-l", "--local", "-i", "--install-dir") || slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(w, ".gem") }) {
		return false
	}
	e.installs(s)
	return true
}

func composer(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || !onlyOptions(words, "install") || c.has("-d", "--working-dir") {
		return false
	}
	text, ok := c.file(s, "composer.json")
	var p struct {
		Scripts  map[string]any `json:"scripts"`
		Autoload map[string]any `json:"autoload"`
		Dev      map[string]any `json:"autoload-dev"`
		Config   map[string]any `json:"config"`
	}
	if !ok || !c.exists(s, "composer.lock") || json.Unmarshal([]byte(text), &p) != nil || strings.Contains(text, `"path"`) || strings.Contains(text, `"artifact"`) {
		return false
	}
	if !c.has("--no-scripts") {
		for name := range p.Scripts {
			if strings.HasPrefix(name, "pre-") || strings.HasPrefix(name, "post-") || name == "command" {
				return false
			}
		}
	}
	scans := p.Autoload["classmap"] != nil || p.Dev["classmap"] != nil || p.Autoload["psr-0"] != nil || p.Autoload["files"] != nil || p.Dev["files"] != nil || p.Config["optimize-autoloader"] != nil || p.Config["classmap-authoritative"] != nil || c.has("-o", "--optimize-autoloader", "-a", "--classmap-authoritative", "--apcu-autoloader")
	for _, a := range c.Args { // joined short options
		if regexp.MustCompile(`^-[a-z]*[oa]`).MatchString(a) {
			scans = true
		}
	}
	if scans && !c.has("--no-autoloader") {
		return false
	}
	vendor := "vendor/"
	if p.Config["vendor-dir"] != nil || p.Config["bin-dir"] != nil {
		return false
	}
	return e.project(s, c, []string{"composer.json", "composer.lock", "auth.json"}, []string{vendor})
}

func mvn(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || c.has("-f", "--file", "-pl", "-s", "--settings") {
		return false
	}
	for _, w := range words {
		if w != "dependency:go-offline" && w != "dependency:resolve" && w != "dependency:resolve-plugins" {
			return false
		}
	}
	text, ok := c.file(s, "pom.xml")
	if !ok || strings.Contains(text, "<modules>") || strings.Contains(text, "<module>") || strings.Contains(text, "systemPath") || strings.Contains(text, "<scope>import") && strings.Contains(text, "file:") {
		return false
	}
	return e.project(s, c, []string{"pom.xml", ".mvn/", "../pom.xml"}, nil)
}

func dotnet(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || words[0] != "restore" || len(words) > 2 || c.cwd == "" || c.has("-r", "--runtime", "--packages", "--configfile", "-s", "--source", "-p") && len(words) > 1 {
		return false
	}
	project := ""
	if len(words) == 2 {
		project = words[1]
	} else {
		for _, name := range s.names(c.cwd) {
			if strings.HasSuffix(name, "proj") || strings.HasSuffix(name, ".sln") || strings.HasSuffix(name, ".slnx") {
				if project != "" {
					return false
				}
				project = name
			}
		}
	}
	text, ok := c.file(s, project)
	if !ok || !strings.HasSuffix(project, "proj") || strings.Contains(text, "ProjectReference") || strings.Contains(text, "<Import ") || strings.Contains(text, "Exists(") || strings.Contains(text, "$([") {
		return false
	}
	dir := path.Dir(project)
	reads := []string{project, path.Join(dir, "packages.lock.json")}
	for d := dir; ; d = path.Dir(d) {
		for _, name := range []string{"Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "Directory.Build.rsp", "global.json", "nuget.config", "NuGet.config", "NuGet.Config"} {
			if d != "." && c.exists(s, path.Join(d, name)) || strings.HasPrefix(name, "Directory") && c.exists(s, path.Join(d, name)) {
				return false // they may import anything
			}
			reads = append(reads, path.Join(d, name))
		}
		if d == "." || path.IsAbs(d) {
			break
		}
	}
	return !path.IsAbs(project) && e.project(s, c, reads, []string{path.Join(dir, "obj") + "/"})
}

func mix(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 {
		return false
	}
	switch words[0] {
	case "local.hex", "local.rebar":
		return e.project(s, c, []string{"mix.exs", "mix.lock", "config/"}, []string{"_build/"})
	case "deps.get":
		text, ok := c.file(s, "mix.exs")
		if !ok || !c.exists(s, "mix.lock") || regexp.MustCompile(`\b(path:|File\.|Code\.|in_umbrella|apps_path|System\.cmd|Path\.)`).MatchString(text) {
			return false
		}
		return e.project(s, c, []string{"mix.exs", "mix.lock", "config/"}, []string{"deps/", "_build/"})
	}
	return false
}

func index(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || !onlyOptions(words, "update") {
		return false
	}
	e.installs(s)
	return true
}

func helm(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) == 0 || words[0] != "repo" {
		return false
	}
	e.installs(s)
	return true
}

// writes adds a file that is written.
func (e *Effects) writes(c Call, p string) bool {
	abs, ok := absolute(e, c.cwd, p)
	if !ok || p == "\x00" {
		return false
	}
	e.Writes = append(e.Writes, tree(abs))
	return true
}

func (e *Effects) reads(c Call, p string) bool {
	abs, ok := absolute(e, c.cwd, p)
	if !ok || p == "\x00" {
		return false
	}
	e.Reads = append(e.Reads, tree(abs))
	return true
}

func (e *Effects) fetches() {
	e.system(false)
	e.Reads = append(e.Reads, "env:HOME", "env:CURL_*", "env:SSL_*", "env:*_PROXY", "env:PATH", "env:LD_*")
}

func curl(s *state, e *Effects, c Call) bool {
	e.fetches()
	for i := 1; i < len(c.Args); i++ {
		a := c.Args[i]
		switch {
		case a == "-o" || a == "--output" || strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "o"):
			if i++; i == len(c.Args) || !e.writes(c, c.Args[i]) {
				return false
			}
		case a == "-O" || a == "--remote-name" || strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "O"):
			if !e.writes(c, ".") {
				return false
			}
		case strings.HasPrefix(a, "@"), a == "-T", a == "--upload-file", a == "-K", a == "--config", a == "-c", a == "-b", a == "-d", a == "-F", strings.HasPrefix(a, "--data"), strings.HasPrefix(a, "--output-dir"), a == "--create-dirs", a == "--cert", a == "--cacert", a == "-E", strings.HasPrefix(a, "file:"):
			return false
		}
	}
	return true
}

func wget(s *state, e *Effects, c Call) bool {
	e.fetches()
	to := "."
	for i := 1; i < len(c.Args); i++ {
		a := c.Args[i]
		switch {
		case a == "-O" || a == "-P" || strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "O"):
			if i++; i == len(c.Args) {
				return false
			}
			to = c.Args[i]
		case strings.HasPrefix(a, "-O") || strings.HasPrefix(a, "-P"):
			to = a[2:]
		case a == "-i" || strings.HasPrefix(a, "--input") || strings.HasPrefix(a, "--output") || strings.HasPrefix(a, "--directory") || a == "-r" || strings.HasPrefix(a, "--post") || strings.HasPrefix(a, "--load"):
			return false
		}
	}
	return to == "-" || e.writes(c, to)
}

func git(s *state, e *Effects, c Call) bool {
	words := c.words()
	if len(words) == 0 || c.has("-C", "--git-dir", "--reference") {
		return false
	}
	e.fetches()
	e.Reads = append(e.Reads, "env:GIT_*")
	if words[0] == "config" && c.has("--global", "--system") {
		e.Writes = append(e.Writes, "/root/", "/home/", "/etc/")
		return true
	}
	if words[0] != "clone" {
		return false
	}
	at := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "://") || strings.HasPrefix(w, "git@") })
	if at < 0 || at < len(words)-2 || strings.HasPrefix(words[at], "file:") {
		return false
	}
	if at == len(words)-1 {
		return e.writes(c, strings.TrimSuffix(path.Base(words[at]), ".git"))
	}
	return e.writes(c, words[at+1])
}

func mkdir(s *state, e *Effects, c Call) bool {
	if c.Dynamic {
		return false
	}
	plain := c.has("-p", "--parents", "-pv", "-vp") && !c.has("-m", "--mode")
	for _, w := range c.words() {
		abs, ok := absolute(e, c.cwd, w)
		if !ok || strings.ContainsAny(w, "{*?[") {
			return false
		}
		if plain {
			e.makes(strings.TrimSuffix(abs, "/"), "0755 "+s.owner())
		} else {
			e.Writes = append(e.Writes, tree(abs))
		}
	}
	return true
}

func change(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	words := c.words()
	if c.Args[0] == "chown" || c.Args[0] == "chmod" || c.Args[0] == "chgrp" {
		for i, a := range c.Args { // chmod -x file
			if i > 0 && c.Args[0] == "chmod" && strings.HasPrefix(a, "-") && strings.ContainsAny(a, "wxstugoa") {
				words = append([]string{a}, words...)
			}
		}
		if len(words) < 2 || c.has("--reference") {
			return false
		}
		words = words[1:]
		e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	}
	if c.has("-r", "-d", "--reference") && c.Args[0] == "touch" {
		return false
	}
	for _, w := range words {
		if !e.writes(c, w) {
			return false
		}
	}
	return true
}

func cp(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	words := c.words()
	if c.Dynamic || len(words) < 2 || c.has("-t", "--target-directory", "-o", "-g", "-d") && c.Args[0] == "install" || c.has("-t", "--target-directory") {
		return false
	}
	last := len(words) - 1
	for _, w := range words[:last] {
		if !e.reads(c, w) || c.Args[0] == "mv" && !e.writes(c, w) {
			return false
		}
	}
	e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	return e.writes(c, words[last])
}

func ln(s *state, e *Effects, c Call) bool {
	words := c.words()
	if c.Dynamic || len(words) != 2 {
		return false
	}
	s.linked = true
	target := words[0]
	if !path.IsAbs(target) {
		return false
	}
	return e.reads(c, target) && e.writes(c, target) && e.writes(c, words[1])
}

func sed(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	words := c.words()
	if c.has("-f", "--file", "-n") || len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return regexp.MustCompile(`^\d*[rwRW] |[/|#]\d*w `).MatchString(w) }) {
		return false
	}
	if !c.has("-e", "--expression") {
		words = words[1:]
	}
	for _, w := range words {
		if !e.writes(c, w) {
			return false
		}
	}
	return true
}

func look(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	for _, w := range c.words() {
		if !e.reads(c, w) {
			return false
		}
	}
	e.Reads = append(e.Reads, "cwd")
	if c.cwd == "" {
		return false
	}
	e.Reads = append(e.Reads, tree(c.cwd))
	return true
}

func users(s *state, e *Effects, c Call) bool {
	if c.Args[0] == "passwd" || c.Args[0] == "chpasswd" {
		e.Reads = append(e.Reads, "/etc/")
	}
	e.Reads = append(e.Reads, "/etc/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/share/")
	e.Writes = append(e.Writes, "/etc/", "/var/", "/home/", "/run/")
	for _, a := range c.Args[1:] {
		if a == "\x00" {
			continue // an identity
		}
		name, value, has := strings.Cut(a, "=")
		if has && strings.HasPrefix(name, "--") {
			a = value
		}
		if strings.HasPrefix(a, "/") && !strings.HasPrefix(a, "/bin/") && !strings.HasPrefix(a, "/sbin/") && !strings.HasPrefix(a, "/usr/") && !strings.HasPrefix(a, "/dev/") {
			e.Writes = append(e.Writes, tree(path.Clean(a)))
		}
	}
	return !c.Dynamic || !c.has("-d", "-h", "-b", "--home", "--home-dir", "--base-dir")
}

func nothing(s *state, e *Effects, c Call) bool { return true }
