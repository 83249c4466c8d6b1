package effects

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/tools"
)

// unknown stands in words for a part whose value is not known.
const unknown = "\x00"

func unknownIn(text string) bool { return strings.Contains(text, unknown) }

// Command is what is known of some commands of one name.
type Command struct {
	Names string // separated by blanks
	Fact  string // what is assumed of them, a sentence
	// effect adds what a call does, and reports whether that is known.
	effect func(s *state, e *Effects, c Call) bool
	// builtin says that the shell does it, without a look at files.
	builtin bool
}

// commands are all that is known of commands. A call that none of them knows reads and writes everything.
var commands = []Command{
	{
		Names:  "apt-get apt",
		Fact:   "apt reads and writes the system's directories only, and nothing of the project steers it",
		effect: apt,
	},
	{
		Names:  "apk",
		Fact:   "apk reads and writes the system's directories only, and nothing of the project steers it",
		effect: apk,
	},
	{
		Names:  "dnf yum microdnf",
		Fact:   "dnf and yum read and write the system's directories only, and nothing of the project steers them",
		effect: dnf,
	},
	{
		Names: "apt-mark locale-gen update-ca-certificates a2enmod a2dismod docker-php-ext-install " +
			"docker-php-ext-enable docker-php-ext-configure pecl",
		Fact:   "the system's tools read and write the system's directories only",
		effect: systemTool,
	},
	{
		Names: "npm",
		Fact: "npm installs from package.json, its lock file and .npmrc; install scripts of packages do not read " +
			"the project's own files",
		effect: npm,
	},
	{
		Names: "yarn",
		Fact: "yarn installs from package.json, yarn.lock and its settings; install scripts of packages do not " +
			"read the project's own files",
		effect: yarn,
	},
	{
		Names: "pnpm",
		Fact: "pnpm installs from package.json, pnpm-lock.yaml and its settings; install scripts of packages do " +
			"not read the project's own files",
		effect: pnpm,
	},
	{
		Names: "bun",
		Fact: "bun installs from package.json, its lock file and its settings; install scripts of packages do not " +
			"read the project's own files",
		effect: bun,
	},
	{Names: "corepack", Fact: "corepack writes the system's directories only", effect: corepack},
	{Names: "pip pip2 pip3", Fact: "pip installs from the requirements files alone", effect: pip},
	{
		Names:  "python python2 python3",
		Fact:   "python -m finds no module of pip's in the working directory",
		effect: python,
	},
	{
		Names: "uv",
		Fact: "uv installs from pyproject.toml, uv.lock or the requirements files alone, where the project itself " +
			"is left out",
		effect: uv,
	},
	{
		Names:  "poetry",
		Fact:   "poetry installs from pyproject.toml and poetry.lock alone, where the project itself is left out",
		effect: poetry,
	},
	{Names: "pipenv", Fact: "pipenv installs from Pipfile and Pipfile.lock alone", effect: pipenv},
	{Names: "conda mamba micromamba", Fact: "conda installs from the environment file alone", effect: conda},
	{
		Names:  "go",
		Fact:   "go mod download reads go.mod and go.sum alone, and leaves a go.sum that fits go.mod as it is",
		effect: goTool,
	},
	{
		Names:  "cargo",
		Fact:   "cargo install of a named crate, and cargo chef cook, do not read the project's sources",
		effect: cargo,
	},
	{
		Names:  "rustup",
		Fact:   "rustup reads rust-toolchain.toml alone and writes its own directories only",
		effect: rustup,
	},
	{Names: "bundle", Fact: "bundle install reads Gemfile and Gemfile.lock alone", effect: bundle},
	{Names: "gem", Fact: "gem install of named gems does not read the project's files", effect: gem},
	{
		Names: "composer",
		Fact: "composer install reads composer.json, composer.lock, auth.json and symfony.lock alone, where it " +
			"runs no scripts and scans no classes",
		effect: composer,
	},
	{Names: "mvn", Fact: "Maven's dependency goals read pom.xml alone", effect: mvn},
	{
		Names: "dotnet",
		Fact: "dotnet restore reads the project files, what they refer to, and the settings of NuGet and MSBuild " +
			"alone",
		effect: dotnet,
	},
	{Names: "curl", Fact: "curl writes the files that it is told to", effect: curl},
	{Names: "wget", Fact: "wget writes the files that it is told to", effect: wget},
	{Names: "git", Fact: "git clone writes the directory that it clones into", effect: git},
	{Names: "tar unzip", Fact: "tar and unzip write below the directory that they unpack into", effect: unpack},
	{Names: "mkdir", Fact: "mkdir makes the directories that it names, and nothing else", effect: mkdir},
	{
		Names:  "chown chmod chgrp touch rm rmdir",
		Fact:   "chown, chmod, touch and rm change the files that they name, and nothing else",
		effect: change,
	},
	{Names: "cp mv install", Fact: "cp and mv read and write the files that they name, and nothing else", effect: cp},
	{Names: "ln", Fact: "ln makes the link that it names, and nothing else", effect: ln},
	{Names: "sed", Fact: "sed changes the files that it names, and nothing else", effect: sed},
	{
		Names:  "cat ls grep head tail wc sort stat file",
		Fact:   "commands such as cat and test read the files that they name, and nothing else",
		effect: look,
	},
	{
		Names:   "test [",
		Fact:    "commands such as cat and test read the files that they name, and nothing else",
		effect:  test,
		builtin: true,
	},
	{
		Names:  "useradd adduser groupadd addgroup",
		Fact:   "the tools for users and groups write /etc, /home and /var only",
		effect: users,
	},
	{Names: "id whoami", Fact: "commands such as echo read and write no files", effect: identity},
	{
		Names:   "echo printf true : set exit export unset false",
		Fact:    "commands such as echo read and write no files",
		effect:  nothing,
		builtin: true,
	},
	{Names: "sleep uname arch nproc", Fact: "commands such as echo read and write no files", effect: nothing},
}

// systemDirs are what system packages read and write. A directory of one's own in /usr/src is none of them.
var systemDirs = []string{
	"/etc/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/libx32/", "/usr/libexec/",
	"/usr/share/", "/usr/include/", "/usr/local/", "/usr/games/",
	"/usr/src/php/", "/usr/src/linux/", "/usr/src/php.tar.xz", "/var/backups/", "/var/cache/", "/var/lib/",
	"/var/local/", "/var/log/", "/var/mail/", "/var/opt/", "/var/spool/",
	"/run/", "/tmp/", "/boot/", "/root/", "/dev/",
}

// homeNames are what package managers of languages keep in a home directory.
var homeNames = strings.Fields(
	".npm/ .cache/ .config/ .local/ .yarn/ .yarnrc .yarnrc.yml .npmrc .pnpm-store/ .cargo/ .rustup/ .m2/ .gradle/ " +
		".nuget/ .dotnet/ .bundle/ .gem/ .gemrc .composer/ .condarc .bun/ .bunfig.toml " +
		".node-gyp/ .gitconfig .pki/ .wget-hsts .pip/ .pydistutils.cfg .netrc .ssh/ go/",
)

func (e *Effects) system(write bool) {
	e.manager = true
	e.Reads = append(e.Reads, systemDirs...)
	if write {
		e.Writes = append(e.Writes, systemDirs...)
	}
}

// above gives the paths at which files of these names would stand in the directories above the working directory. It
// fails if there are any, or if the directory is not known: a tool that looks for them upwards would find them.
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

// has reports whether one of the options is given, with or without a value.
func (c Call) has(options ...string) bool {
	return slices.ContainsFunc(c.Args[1:], func(a string) bool {
		name, _, _ := strings.Cut(a, "=")
		return slices.Contains(options, name)
	})
}

// manifests gives what the table of tools says that a command reads and writes in the project's directory.
func manifests(tool, verb string) *tools.Verb { return tools.Of(tool).Named(verb) }

// project adds what a package manager of a language does in the project's directory: it reads these files, and its
// configuration, if they are there, and writes those. It fails where the directory is not known.
func (e *Effects) project(s *state, c Call, v *tools.Verb, more ...string) bool {
	if c.Dynamic || c.cwd == "" || c.cwd == "/" {
		return false
	}
	e.Reads = append(e.Reads, "cwd", "env:?", c.cwd)
	e.Directory, e.Entered = c.cwd, append(e.Entered, c.cwd)
	for _, r := range slices.Concat(v.Manifests, more) {
		e.Reads = append(e.Reads, path.Join(c.cwd, r)+slashOf(r))
		if !strings.HasSuffix(r, "/") && !c.exists(s, r) { // it may be there in another working tree
			e.Perhaps = append(e.Perhaps, path.Join(c.cwd, r))
		}
	}
	e.configured(s, c.cwd, v.Config)
	for _, name := range v.Config {
		at := path.Join(c.cwd, name)
		if slices.ContainsFunc(s.written, func(w written) bool { return slices.Contains(w.writes, at) }) {
			return s.no("an earlier step writes " + name)
		}
	}
	for _, w := range v.Writes {
		e.Writes = append(e.Writes, path.Join(c.cwd, w)+slashOf(w))
	}
	return e.installs(s, c)
}

// configured adds files that a tool reads if they are in a directory: what there is now, and what may be there in
// another working tree.
func (e *Effects) configured(s *state, dir string, patterns []string) {
	names := s.names(dir)
	for _, pattern := range patterns {
		e.Perhaps = append(e.Perhaps, path.Join(dir, pattern))
		if strings.Contains(pattern, "/") {
			e.Reads = append(e.Reads, path.Join(dir, pattern))
			continue
		}
		if !strings.ContainsAny(pattern, "*?[") {
			e.Reads = append(e.Reads, path.Join(dir, pattern))
		}
		for _, name := range names {
			if ok, _ := path.Match(pattern, name); ok {
				e.Reads = append(e.Reads, path.Join(dir, name))
			}
		}
	}
}

// locks adds the lock files that a command may write anew.
func (e *Effects) locks(c Call, names []string) {
	for _, name := range names {
		e.Locks = append(e.Locks, path.Join(c.cwd, name))
	}
}

// installs adds what every such package manager may touch outside of the project. It fails where it is not known what
// steers it.
func (e *Effects) installs(s *state, c Call) bool {
	e.system(false)
	for _, dir := range systemDirs {
		if dir != "/etc/" && dir != "/boot/" && dir != "/dev/" {
			e.Writes = append(e.Writes, dir)
		}
	}
	e.Reads = append(e.Reads, "env:?")
	for _, dir := range s.paths {
		if path.Base(dir) == "bin" && !strings.HasSuffix(dir, "node_modules/.bin") {
			e.Writes = append(e.Writes, tree(path.Dir(dir)))
		}
	}
	e.Writes = append(e.Writes, "/go/", "/venv/", "/opt/venv/", "/opt/conda/", "/opt/bitnami/")
	homes := []string{"/home/" + s.user}
	if parts := strings.Split(s.cwd, "/"); len(parts) > 2 && parts[1] == "home" {
		homes = append(homes, "/home/"+parts[2])
	}
	if home, known := s.home(); known {
		homes = append(homes, home)
	}
	for _, home := range homes {
		for _, name := range homeNames {
			e.Reads, e.Writes = append(
				e.Reads,
				path.Join(home, name)+slashOf(name),
			), append(
				e.Writes,
				path.Join(home, name)+slashOf(name),
			)
		}
	}
	return s.steered(e, c) && s.atHome(e, homeNames...)
}

// file reads a file of the project by way of the build context: the COPYs above say where it comes from.
func (c Call) file(s *state, name string) (string, bool) {
	content, ok := s.source(path.Join(c.cwd, name))
	return string(content), ok
}

// exists reports whether the project has the file, as far as the build context tells.
func (c Call) exists(s *state, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return s.there(path.Join(c.cwd, name)) })
}

var plainDir = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+/?$`)

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
