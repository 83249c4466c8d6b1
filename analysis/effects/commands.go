package effects

import (
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
	{"apt-get apt aptitude", "", "apt reads and writes the system's directories only, in /tmp files of its own alone, and takes no notice of the application's variables", system("update install upgrade dist-upgrade full-upgrade remove purge autoremove clean autoclean build-dep satisfy")},
	{"apk", "", "apk reads and writes the system's directories only, and takes no notice of the application's variables", system("add del update upgrade fix cache")},
	{"dnf yum microdnf tdnf", "", "dnf and yum read and write the system's directories only, in /tmp files of their own alone, and take no notice of the application's variables", system("install update upgrade remove erase clean makecache groupinstall module autoremove reinstall swap")},
	{"zypper pacman xbps-install emerge", "", "zypper, pacman and their like read and write the system's directories only, in /tmp files of their own alone, and take no notice of the application's variables", system("*")},
	{"locale-gen update-ca-certificates ldconfig update-alternatives dpkg-reconfigure apt-mark add-apt-repository apt-key a2enmod a2dismod a2ensite update-locale localedef fc-cache", "", "the system's tools read and write the system's directories only, in /tmp files of their own alone", system("*")},
	{"docker-php-ext-install docker-php-ext-configure docker-php-ext-enable install-php-extensions pecl phpenmod", "", "PHP's installers of extensions read and write the system's directories only, in /tmp files of their own alone", system("*")},
	{"npm", "package.json package-lock.json npm-shrinkwrap.json .npmrc", "npm installs from package.json, its lock file and .npmrc; install scripts of packages do not read the project's own files", npm},
	{"yarn", "package.json yarn.lock .npmrc .yarnrc .yarnrc.yml .yarn", "yarn installs from package.json, yarn.lock and its settings; install scripts of packages do not read the project's own files", yarn},
	{"pnpm", "package.json pnpm-lock.yaml .npmrc", "pnpm installs from package.json, pnpm-lock.yaml and .npmrc; install scripts of packages do not read the project's own files", pnpm},
	{"bun", "package.json bun.lock bun.lockb bunfig.toml", "bun installs from package.json, its lock file and bunfig.toml; install scripts of packages do not read the project's own files", bun},
	{"corepack", "", "corepack writes the system's directories only", corepack},
	{"deno", "deno.json deno.lock", "deno install reads deno.json and deno.lock alone", deno},
	{"bower", "bower.json", "bower installs from bower.json alone", bower},
	{"pip pip2 pip3", "requirements files", "pip installs from the requirements files alone", pip},
	{"python python2 python3", "", "python -m finds no module of pip's in the working directory", python},
	{"virtualenv", "", "virtualenv writes the directory that it names", virtualenv},
	{"uv", "pyproject.toml uv.lock", "uv installs from pyproject.toml, uv.lock or the requirements files alone, where the project itself is left out", uv},
	{"poetry", "pyproject.toml poetry.lock poetry.toml", "poetry installs from pyproject.toml and poetry.lock alone, where the project itself is left out", poetry},
	{"pdm", "pyproject.toml pdm.lock", "pdm installs from pyproject.toml and pdm.lock alone, where the project itself is left out", pdm},
	{"pipenv", "Pipfile Pipfile.lock", "pipenv installs from Pipfile and Pipfile.lock alone", pipenv},
	{"pipx", "", "pipx installs named packages into directories of its own", pipx},
	{"conda mamba micromamba", "environment.yml", "conda installs from the environment file alone", conda},
	{"pixi", "pixi.toml pixi.lock", "pixi installs from pixi.toml and pixi.lock alone", pixi},
	{"go", "go.mod go.sum", "go mod download reads go.mod and go.sum alone, and leaves a go.sum that fits go.mod as it is", goTool},
	{"cargo", ".cargo rust-toolchain.toml recipe.json", "cargo install of a named crate, and cargo chef cook, do not read the project's sources", cargo},
	{"rustup", "rust-toolchain.toml", "rustup reads rust-toolchain.toml alone and writes its own directories only", rustup},
	{"bundle", "Gemfile Gemfile.lock .ruby-version", "bundle install reads Gemfile and Gemfile.lock alone", bundle},
	{"gem", "", "gem install of named gems does not read the project's files", gem},
	{"composer", "composer.json composer.lock auth.json symfony.lock", "composer install reads composer.json, composer.lock, auth.json and symfony.lock alone, where it runs no scripts and scans no classes", composer},
	{"mvn", "pom.xml .mvn", "Maven's dependency goals read pom.xml and .mvn alone", mvn},
	{"gradle", "build.gradle settings.gradle gradle.properties gradle", "gradle dependencies reads the build's scripts and settings alone", gradle},
	{"sbt", "build.sbt project", "sbt update reads the build's definition alone", sbt},
	{"lein", "project.clj", "lein deps reads project.clj alone", lein},
	{"clojure clj", "deps.edn", "clojure -P reads deps.edn alone", clojure},
	{"dotnet", "*.csproj *.sln global.json nuget.config Directory.Build.props Directory.Packages.props", "dotnet restore reads the project files, what they refer to, and the settings of NuGet and MSBuild alone", dotnet},
	{"mix", "mix.exs mix.lock config", "mix deps.get reads mix.exs, mix.lock and config alone", mix},
	{"rebar3", "rebar.config rebar.lock", "rebar3 get-deps reads rebar.config and rebar.lock alone", rebar},
	{"dart flutter", "pubspec.yaml pubspec.lock", "pub get reads pubspec.yaml and pubspec.lock alone", pub},
	{"swift", "Package.swift Package.resolved", "swift package resolve reads Package.swift and Package.resolved alone", swift},
	{"luarocks", "", "luarocks install of a named rock does not read the project's files", luarocks},
	{"cpan cpanm", "", "cpanm installs named modules without reading the project's files", cpan},
	{"carton", "cpanfile cpanfile.snapshot", "carton install --deployment reads cpanfile and cpanfile.snapshot alone", carton},
	{"cabal stack", "*.cabal cabal.project stack.yaml", "cabal and stack build the dependencies from the definitions of project and package alone", haskell},
	{"opam", "", "opam install of named packages does not read the project's sources", opam},
	{"conan", "conanfile.txt", "conan installs from conanfile.txt alone", conan},
	{"vcpkg", "vcpkg.json vcpkg-configuration.json", "vcpkg installs from its manifest alone", vcpkg},
	{"shards", "shard.yml shard.lock", "shards install reads shard.yml and shard.lock alone", shards},
	{"helm", "", "helm repo writes the home directory only", helm},
	{"curl", "", "curl writes the files that it is told to", curl},
	{"wget", "", "wget writes the files that it is told to", wget},
	{"git", "", "git clone writes the directory that it clones into", git},
	{"tar unzip", "", "tar and unzip write below the directory that they unpack into", unpack},
	{"mkdir", "", "mkdir makes the directories that it names, and nothing else", mkdir},
	{"chown chmod chgrp touch rm rmdir", "", "chown, chmod, touch and rm change the files that they name, and nothing else", change},
	{"cp mv install", "", "cp and mv read and write the files that they name, and nothing else", cp},
	{"ln", "", "ln makes the link that it names, and nothing else", ln},
	{"sed", "", "sed changes the files that it names, and nothing else", sed},
	{"cat ls grep head tail wc sort stat file", "", "commands such as cat and test read the files that they name, and nothing else", look},
	{"test [", "", "commands such as cat and test read the files that they name, and nothing else", test},
	{"useradd adduser groupadd addgroup usermod groupmod passwd chpasswd deluser userdel delgroup groupdel", "", "the tools for users and groups write /etc, /home and /var only", users},
	{"echo printf true : set exit sleep uname id whoami which type arch nproc export unset false umask", "", "commands such as echo read and write no files", nothing},
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
	e.manager = true
	e.Reads = append(e.Reads, systemDirs...)
	if write {
		e.Writes = append(e.Writes, systemDirs...)
	}
}

// words are the arguments that are neither options nor values of these options.
func (c Call) words(takes string) (words []string) {
	options := strings.Fields(takes)
	for i := 1; i < len(c.Args); i++ {
		switch a := c.Args[i]; {
		case slices.Contains(options, a):
			i++
		case !strings.HasPrefix(a, "-"):
			words = append(words, a)
		}
	}
	return words
}

// in is the call with the directory that one of these options names as the working directory, and without the option.
func (c Call) in(options ...string) (Call, bool) {
	args := slices.Clone(c.Args)
	for i := 1; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		if !slices.Contains(options, name) {
			continue
		}
		end := i + 1
		if !has {
			if end++; end > len(args) {
				return c, false
			}
			value = args[i+1]
		}
		switch {
		case value == "" || strings.Contains(value, "\x00"):
			return c, false
		case path.IsAbs(value):
			c.cwd = path.Clean(value)
		case c.cwd == "":
			return c, false
		default:
			c.cwd = path.Join(c.cwd, value)
		}
		args = slices.Delete(args, i, end)
		i--
	}
	c.Args = args
	return c, true
}

// above gives the paths at which files of these names would stand in the directories above the working directory. It fails if there
// are any, or if the directory is not known: a tool that looks for them upwards would find them.
func (c Call) above(s *state, names ...string) (paths []string, none bool) {
	if c.cwd == "" {
		return nil, false
	}
	for dir := c.cwd; dir != "/"; {
		dir = path.Dir(dir)
		for _, name := range names {
			at := path.Join(dir, name)
			if s.there(at) {
				return nil, false
			}
			paths = append(paths, at)
		}
	}
	return paths, true
}

// plain reports whether a file of settings names no other file.
func (c Call) plain(s *state, name string) bool {
	text, ok := c.file(s, name)
	return ok && !slices.ContainsFunc([]string{"./", `"/`, "'/", "= /", "file:"}, func(part string) bool { return strings.Contains(text, part) })
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
		words := c.words("")
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
		e.Packages = subcommands != "*"
		other := func(dir string) bool { return dir == "/tmp/" } // what it has not made there itself is nothing to it
		e.Reads, e.Writes = slices.DeleteFunc(e.Reads, other), slices.DeleteFunc(e.Writes, other)
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
	e.system(false)
	for _, dir := range systemDirs {
		if dir != "/etc/" && dir != "/boot/" && dir != "/dev/" {
			e.Writes = append(e.Writes, dir)
		}
	}
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
	if home := s.env["HOME"]; path.IsAbs(home) {
		homes = append(homes, home)
	}
	for _, home := range homes {
		for _, name := range homeNames {
			e.Reads, e.Writes = append(e.Reads, path.Join(home, name)+slashOf(name)), append(e.Writes, path.Join(home, name)+slashOf(name))
		}
	}
}

// steering are the variables by which package managers are told where to read and to write.
var steering = []string{
	"PIP_*", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV", "WORKON_HOME", "UV_*", "POETRY_*", "PIPENV_*", "PDM_*", "PIPX_*", "CONDA_*", "MAMBA_*", "PIXI_*",
	"NPM_CONFIG_*", "NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "YARN_*", "PNPM_*", "BUN_*", "COREPACK_*", "DENO_*",
	"GOFLAGS", "GOPATH", "GOMODCACHE", "GOWORK", "GOPROXY", "GOCACHE", "GOENV", "GOROOT", "GOBIN", "GOTMPDIR", "CARGO_*", "RUSTUP_*", "RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER",
	"BUNDLE_*", "GEM_*", "RUBYOPT", "RUBYLIB", "COMPOSER", "COMPOSER_*", "PHPRC", "PHP_INI_SCAN_DIR", "MAVEN_*", "MVNW_*", "M2_*", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "GRADLE_*", "SBT_*", "COURSIER_*", "LEIN_*", "CLJ_*",
	"NUGET_*", "NUGETPACKAGES", "DOTNET_*", "MSBUILD*", "MIX_EXS", "MIX_DEPS_PATH", "MIX_BUILD_PATH", "MIX_BUILD_ROOT", "MIX_HOME", "MIX_ARCHIVES", "HEX_*", "REBAR_*", "ERL_*", "PUB_CACHE", "FLUTTER_*", "LUA_*", "LUAROCKS_*", "PERL5LIB", "PERL5OPT", "PERL_*", "CABAL_*", "STACK_*",
	"OPAM*", "CONAN_*", "VCPKG_*", "GIT_CONFIG*", "GIT_SSL_*", "GIT_SSH*", "GIT_TEMPLATE_DIR", "GIT_DIR", "SSL_*", "CURL_*", "REQUESTS_*", "WGETRC", "NETRC", "GNUPGHOME", "APT_CONFIG", "XDG_*", "TMPDIR", "LD_*", "BASH_ENV", "*FLAGS",
}

// plainVariable finds those among them that say no place.
var plainVariable = regexp.MustCompile(`(?i)_(VERSION|TOKEN|KEY|SECRET|PASSWORD|PASS|USER|USERNAME|AUTH|WITHOUT|WITH|ONLY|JOBS|RETRY|RETRIES|TIMEOUT|LEVEL|LOGLEVEL|ENV|MODE|PRODUCTION|OMIT|DEPLOYMENT|FROZEN|REGISTRY|URL|TELEMETRY(_OPTOUT)?|NO_CACHE_DIR|DISABLE_PIP_VERSION_CHECK|ALLOW_SUPERUSER|NO_INTERACTION|PROCESS_TIMEOUT|MEMORY_LIMIT|ROOT_USER_ACTION|NO_INPUT)$`)

// steered adds the places that variables name of a package manager that takes notice of them. It fails where a value is not known.
func (s *state) steered(e *Effects, c Call) bool {
	for name, value := range c.vars {
		if plainVariable.MatchString(name) || !slices.ContainsFunc(steering, func(pattern string) bool { return strings.EqualFold(pattern, name) || matches(pattern, name) }) {
			continue
		}
		places, ok := s.placesIn(c, value)
		switch {
		case !ok:
			return false
		case strings.EqualFold(name, "PYTHONPATH"): // modules
			if slices.ContainsFunc(places, func(dir string) bool { return s.shadows(strings.TrimSuffix(dir, "/")) }) {
				return false
			}
		default:
			e.Reads, e.Writes = append(e.Reads, places...), append(e.Writes, places...)
		}
	}
	e.Reads, e.Writes = append(e.Reads, s.places...), append(e.Writes, s.places...)
	return true
}

// placesIn gives the files and directories that a value may name. It fails if the value is not known.
func (s *state) placesIn(c Call, value string) (places []string, ok bool) {
	if strings.Contains(value, "\x00") {
		return nil, false
	}
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,;|\"'", r) }) {
		word = strings.ReplaceAll(word, "file://", "")
		if strings.Contains(word, "://") {
			continue
		}
		for _, part := range strings.FieldsFunc(word, func(r rune) bool { return r == ':' || r == '=' }) {
			switch {
			case path.IsAbs(part):
				places = append(places, tree(path.Clean(part)))
			case strings.HasPrefix(part, "~"):
				return nil, false
			case c.cwd == "":
				if strings.ContainsAny(part, "/.") {
					return nil, false
				}
			case strings.HasPrefix(part, ".") || strings.Contains(part, "/") || s.there(path.Join(c.cwd, part)):
				places = append(places, tree(path.Join(c.cwd, part)))
			}
		}
	}
	return places, true
}

// sets notes the places that a command has put into the settings of a package manager, for all that come after it.
func (s *state) sets(c Call, words []string) bool {
	for _, w := range words {
		places, ok := s.placesIn(c, w)
		if !ok {
			return false
		}
		s.places = append(s.places, places...)
	}
	return true
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

func onlyOptions(words []string, subcommand string) bool {
	return len(words) == 0 && subcommand == "" || len(words) == 1 && words[0] == subcommand
}
