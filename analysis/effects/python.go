package effects

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// standard are the modules of Python's standard library, and others that it imports by itself. "python -m pip" would take one of the
// working directory in place of it.
var standard = strings.Fields("abc aifc argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall " +
	"concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch " +
	"fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http imaplib imp importlib inspect io ipaddress itertools json keyword linecache locale logging lzma mailbox marshal " +
	"math mimetypes mmap modulefinder multiprocessing netrc ntpath numbers opcode operator optparse os pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc " +
	"queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtplib socket socketserver sqlite3 ssl stat statistics string stringprep struct subprocess symtable " +
	"sys sysconfig syslog tarfile tempfile termios textwrap this threading time timeit token tokenize tomllib trace traceback tracemalloc tty types typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser wsgiref " +
	"xml xmlrpc zipapp zipfile zipimport zlib zoneinfo pip setuptools wheel pkg_resources sitecustomize usercustomize virtualenv")

// shadows reports whether a directory may hold a module that Python would take for one of its own.
func (s *state) shadows(dir string) bool {
	return slices.ContainsFunc(s.names(dir), func(name string) bool {
		return slices.Contains(standard, strings.TrimSuffix(strings.TrimSuffix(name, ".py"), ".pyc"))
	})
}

// python runs one of its modules.
func python(s *state, e *Effects, c Call) bool {
	if len(c.Args) < 3 || c.Args[1] != "-m" || c.cwd == "" || s.shadows(c.cwd) {
		return false
	}
	e.Reads = append(e.Reads, "cwd")
	inner := c
	inner.Args = c.Args[2:]
	switch c.Args[2] {
	case "pip":
		return pip(s, e, inner)
	case "venv", "virtualenv":
		return virtualenv(s, e, inner)
	}
	return false
}

func virtualenv(s *state, e *Effects, c Call) bool {
	words := c.words("-p --python --prompt --seeder")
	if c.Dynamic || len(words) != 1 {
		return false
	}
	e.installs(s)
	return e.writes(c, words[0])
}

// pipOptions are options of pip that are followed by a value and name no file.
var pipOptions = strings.Fields("-i --index-url --extra-index-url --trusted-host --timeout --retries --default-timeout --progress-bar --cache-dir --upgrade-strategy --only-binary --no-binary --platform --python-version --implementation --abi --root-user-action --use-feature --use-deprecated --exists-action")

func pip(s *state, e *Effects, c Call) bool {
	words := c.words("")
	if len(words) == 3 && words[0] == "config" && words[1] == "set" || len(words) == 4 && words[0] == "config" && words[1] == "set" {
		e.installs(s)
		return !c.Dynamic && s.sets(c, words[2:])
	}
	if len(words) == 2 && words[0] == "cache" && words[1] == "purge" {
		e.installs(s)
		return true
	}
	if c.Dynamic || len(words) == 0 || words[0] != "install" || c.has("-t", "--target", "--prefix", "--root", "-e", "--editable", "--src", "-f", "--find-links", "--log", "--report", "--group", "--cert", "--client-cert", "--python", "--requirements-from-script", "--build") {
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

// isArchive reports whether a name is one of an archive, which a package manager looks for among the files.
func isArchive(name string) bool {
	name, _, _ = strings.Cut(name, "[")
	return slices.ContainsFunc([]string{".whl", ".zip", ".gz", ".tar", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".tlz", ".lzma", ".lz", ".egg"}, func(ending string) bool {
		return strings.HasSuffix(strings.ToLower(strings.TrimSpace(name)), ending)
	})
}

// isRequirement reports whether a word of pip's names a package of an index or of the network.
func isRequirement(word string) bool {
	if strings.HasPrefix(word, "git+http") || strings.HasPrefix(word, "http") {
		return !strings.Contains(word, " file:")
	}
	return requirementName.MatchString(word) && !isArchive(word) && !strings.Contains(word, "file:") && !strings.Contains(word, "@ .") && !strings.Contains(word, "@ /")
}

// requirements gives the files that pip's arguments name, and those that they include. It fails if one of them is not at hand
// or names a part of the project.
func (s *state) requirements(c Call, args []string) (files []string, ok bool) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		name, value, has := strings.Cut(a, "=")
		switch {
		case name == "-r" || name == "--requirement" || name == "-c" || name == "--constraint" || strings.HasPrefix(a, "-r") && len(a) > 2 && a[2] != '-' || strings.HasPrefix(a, "-c") && len(a) > 2 && a[2] != '-':
			if name == "-r" || name == "-c" || !has && strings.HasPrefix(a, "--") {
				if i++; i == len(args) {
					return nil, false
				}
				value = args[i]
			} else if !strings.HasPrefix(a, "--") {
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
		case slices.Contains(pipOptions, name):
			if !has {
				if i++; i < len(args) {
					value = args[i]
				}
			}
			if strings.HasPrefix(value, "file:") || (name == "-i" || strings.HasSuffix(name, "index-url")) && !strings.Contains(value, "://") {
				return nil, false
			}
		case strings.HasPrefix(a, "-"):
		case !isRequirement(a):
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
	for line := range strings.Lines(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\\\n", " ")) {
		if n := strings.Index(" "+line, " #"); n >= 0 {
			line = line[:n]
		}
		line = strings.TrimSpace(line)
		if n := strings.Index(line, " --"); n >= 0 && line[0] != '-' { // --hash and others of one requirement
			if strings.Contains(line[n:], "--config-setting") || strings.Contains(line[n:], "--global-option") {
				return nil, false
			}
			line = strings.TrimSpace(line[:n])
		}
		fields := strings.Fields(strings.ReplaceAll(line, "=", " "))
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "-r") || strings.HasPrefix(line, "-c") || strings.HasPrefix(line, "--requirement") || strings.HasPrefix(line, "--constraint"):
			name := strings.TrimSpace(strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "--requirement"), "--constraint"), "-r"), "-c"), " ="))
			if len(fields) > 2 || name == "" || strings.Contains(name, "$") || strings.Contains(name, "://") {
				return nil, false
			}
			at := name
			if !path.IsAbs(name) {
				at = path.Join(path.Dir(file), name)
			}
			more, ok := s.requirementsFile(at, depth+1)
			if !ok {
				return nil, false
			}
			files = append(files, more...)
		case strings.HasPrefix(line, "-i ") || strings.HasPrefix(line, "--index-url") || strings.HasPrefix(line, "--extra-index-url"):
			if !strings.Contains(line, "http") {
				return nil, false
			}
		case strings.HasPrefix(line, "--trusted-host") || strings.HasPrefix(line, "--no-binary") || strings.HasPrefix(line, "--only-binary") || strings.HasPrefix(line, "--prefer-binary") || line == "--pre" || strings.HasPrefix(line, "--use-feature") || line == "--require-hashes":
		case strings.HasPrefix(line, "-f http") || strings.HasPrefix(line, "--find-links http") || strings.HasPrefix(line, "--find-links=http"):
		case !isRequirement(line): // other options are none: an editable one goes into src of the working directory
			return nil, false
		}
	}
	return files, true
}

func uv(s *state, e *Effects, c Call) bool {
	c, ok := c.in("--project", "--directory")
	words := c.words("--group --no-group --only-group --extra --python -p --index --default-index --index-url --extra-index-url --index-strategy --no-install-package --link-mode --resolution --prerelease --cache-dir")
	switch {
	case !ok || c.Dynamic || len(words) == 0 || c.has("--package", "--all-packages", "--config-file", "--find-links", "-f", "--cache-dir", "--script"):
		return false
	case words[0] == "pip" && len(words) > 1 && words[1] == "install":
		inner := c
		inner.Args = c.Args[slices.Index(c.Args, "pip"):]
		if c.has("--override", "--overrides", "--build-constraint", "--build-constraints", "--excludes") {
			return false
		}
		for _, name := range []string{"pyproject.toml", "uv.toml"} { // uv's own settings
			if !c.exists(s, name) {
				continue
			}
			if text, ok := c.file(s, name); !ok || localPath.MatchString(text) || strings.Contains(text, "workspace") {
				return false
			}
		}
		above, ok := c.above(s, "pyproject.toml", "uv.toml")
		if !ok || !pip(s, e, inner) {
			return false
		}
		for _, name := range []string{"pyproject.toml", "uv.toml", ".python-version"} {
			e.Reads = append(e.Reads, path.Join(c.cwd, name))
		}
		e.Reads = append(e.Reads, above...)
		e.Writes = append(e.Writes, path.Join(c.cwd, ".venv")+"/")
		return true
	case words[0] == "venv" && len(words) <= 2:
		if len(words) == 2 {
			return e.project(s, c, []string{"pyproject.toml", ".python-version", "uv.toml"}, nil) && e.writes(c, words[1])
		}
		return e.project(s, c, []string{"pyproject.toml", ".python-version", "uv.toml"}, []string{".venv/"})
	case words[0] == "python" && len(words) > 2 && words[1] == "install", words[0] == "tool" && len(words) == 3 && words[1] == "install" && isRequirement(words[2]):
		return e.project(s, c, []string{"pyproject.toml", ".python-version", "uv.toml"}, nil)
	case !onlyOptions(words, "sync") || !c.has("--frozen", "--locked"):
		return false
	}
	text, ok := c.file(s, "pyproject.toml")
	if !c.has("--no-install-project", "--no-install-workspace") && (strings.Contains(text, "[build-system]") || packaged.MatchString(text)) {
		return false // the project itself is built
	}
	lock, locked := c.file(s, "uv.lock")
	settings, _ := c.file(s, "uv.toml")
	if !ok || !locked || strings.Contains(text, "workspace") || localPath.MatchString(text) || localPath.MatchString(settings) || strings.Contains(lock, "editable = \"..") || strings.Contains(lock, "directory = \"") || strings.Contains(lock, "{ path = ") || c.has("--locked") && dynamic.MatchString(text) {
		return false
	}
	above, ok := c.above(s, "pyproject.toml", "uv.toml")
	e.Reads = append(e.Reads, above...)
	return ok && e.project(s, c, []string{"pyproject.toml", "uv.lock", "uv.toml", ".python-version", ".venv/"}, []string{".venv/"})
}

var packaged = regexp.MustCompile(`(?m)^package\s*=\s*true`)

// dynamic finds a project whose version or dependencies are read from other files.
var dynamic = regexp.MustCompile(`(?m)^\s*dynamic\s*=`)

// localPath finds dependencies on other directories in pyproject.toml and Pipfile.
var localPath = regexp.MustCompile(`(?m)(\bpath\s*=|file:|@ \.|editable\s*=\s*true|find-links|["']\.{1,2}/)`)

func poetry(s *state, e *Effects, c Call) bool {
	c, ok := c.in("-C", "--directory")
	words := c.words("--only --without --with -E --extras")
	if !ok || c.Dynamic || len(words) == 0 || c.has("-P", "--project") {
		return false
	}
	if words[0] == "config" && !c.has("--local") {
		e.Reads = append(e.Reads, "cwd", "env:?")
		e.installs(s)
		return c.cwd != "" && len(words) == 3 && s.sets(c, words[2:])
	}
	if len(words) != 1 || words[0] != "install" && words[0] != "sync" || c.exists(s, "poetry.toml") && !c.plain(s, "poetry.toml") {
		return false
	}
	text, ok := c.file(s, "pyproject.toml")
	if !ok || !c.exists(s, "poetry.lock") || localPath.MatchString(text) || !c.has("--no-root") && !packageMode.MatchString(text) {
		return false
	}
	return e.project(s, c, []string{"pyproject.toml", "poetry.lock", "poetry.toml", ".venv/"}, []string{".venv/"})
}

var packageMode = regexp.MustCompile(`(?m)^package-mode\s*=\s*false`)

func pdm(s *state, e *Effects, c Call) bool {
	c, ok := c.in("-p", "--project")
	words := c.words("-G --group --without -L --lockfile")
	if !ok || c.Dynamic || !onlyOptions(words, "install") && !onlyOptions(words, "sync") || c.has("-L", "--lockfile", "-c", "--config", "--venv", "--skip", "-k") || !c.has("--no-self") && !strings.Contains(strings.Join(c.Args, " "), "--no-self") {
		return false
	}
	text, ok := c.file(s, "pyproject.toml")
	lock, locked := c.file(s, "pdm.lock")
	if !ok || !locked || localPath.MatchString(text) || localPath.MatchString(lock) || words[0] == "install" && !c.has("--check", "--frozen-lockfile", "--no-lock") || strings.Contains(text, "[tool.pdm.scripts") || c.exists(s, "pdm.toml") {
		return false
	}
	return e.project(s, c, []string{"pyproject.toml", "pdm.lock", "pdm.toml", ".pdm-python", ".venv/"}, []string{".venv/", ".pdm-python", ".pdm-build/", "__pypackages__/"})
}

func pipenv(s *state, e *Effects, c Call) bool {
	words := c.words("--python --pypi-mirror --extra-pip-args --categories")
	if c.Dynamic || !onlyOptions(words, "install") && !onlyOptions(words, "sync") || words[0] == "install" && !c.has("--deploy", "--ignore-pipfile") || c.has("--requirements", "-r", "-e", "--skip-lock") {
		return false
	}
	text, ok := c.file(s, "Pipfile")
	lock, locked := c.file(s, "Pipfile.lock")
	if !ok || !locked || localPath.MatchString(text) || strings.Contains(lock, `"path":`) || strings.Contains(lock, `"editable":`) || strings.Contains(lock, `"file":`) || c.exists(s, ".env") || c.exists(s, ".venv") {
		return false
	}
	return e.project(s, c, []string{"Pipfile", "Pipfile.lock", ".venv/", ".env"}, []string{".venv/"})
}

func pipx(s *state, e *Effects, c Call) bool {
	words := c.words("--python --index-url -i --suffix")
	if c.Dynamic || len(words) < 2 || words[0] != "install" || c.has("--pip-args", "-e", "--editable") || slices.ContainsFunc(words[1:], func(w string) bool { return !isRequirement(w) }) {
		return false
	}
	e.installs(s)
	return true
}

// conda also is pixi's predecessor: both install from a file that names the packages.
func conda(s *state, e *Effects, c Call) bool {
	words := c.words("-n --name -c --channel")
	if c.Dynamic || len(words) == 0 || c.has("-p", "--prefix", "-r", "--root-prefix", "--rc-file") {
		return false
	}
	switch words[0] {
	case "clean":
	case "config":
		if !s.sets(c, words[1:]) {
			return false
		}
	case "install", "update", "create":
		file := ""
		for i, a := range c.Args {
			if name, value, has := strings.Cut(a, "="); name == "-f" || name == "--file" {
				if file = value; !has && i+1 < len(c.Args) {
					file = c.Args[i+1]
				}
			}
		}
		if file != "" {
			return (strings.HasSuffix(file, ".yml") || strings.HasSuffix(file, ".yaml")) && environment(s, e, c, file)
		}
		if slices.ContainsFunc(words[1:], func(w string) bool {
			return strings.ContainsAny(w, "/") && !strings.Contains(w, "::") || isArchive(w) || strings.HasSuffix(w, ".conda")
		}) {
			return false
		}
	case "env":
		at := slices.IndexFunc(c.Args, func(a string) bool { return a == "-f" || a == "--file" })
		name := "environment.yml"
		if at > 0 && at+1 < len(c.Args) {
			name = c.Args[at+1]
		} else if i := slices.IndexFunc(c.Args, func(a string) bool { return strings.HasPrefix(a, "--file=") || strings.HasPrefix(a, "-f=") }); i > 0 {
			_, name, _ = strings.Cut(c.Args[i], "=")
		}
		return environment(s, e, c, name)
	default:
		return false
	}
	e.installs(s)
	return true
}

func environment(s *state, e *Effects, c Call, name string) bool {
	text, ok := c.file(s, name)
	if !ok || strings.Contains(text, "-r ") || strings.Contains(text, "-e ") || strings.Contains(text, "-c ") || strings.Contains(text, "file:") || strings.Contains(text, "- .") || strings.Contains(text, "./") || strings.Contains(text, "- /") ||
		slices.ContainsFunc(strings.Fields(text), isArchive) {
		return false
	}
	return e.project(s, c, []string{name}, nil)
}

func pixi(s *state, e *Effects, c Call) bool {
	words := c.words("-e --environment")
	if c.Dynamic || !onlyOptions(words, "install") || !c.has("--frozen", "--locked") || c.has("--manifest-path") {
		return false
	}
	text, ok := c.file(s, "pixi.toml")
	if lock, locked := c.file(s, "pixi.lock"); !ok || !locked || localPath.MatchString(text) || strings.Contains(text, "activation") || strings.Contains(lock, "- pypi: .") || strings.Contains(lock, "- path:") || c.exists(s, "pyproject.toml") {
		return false
	}
	return e.project(s, c, []string{"pixi.toml", "pixi.lock", ".pixi/", "pyproject.toml"}, []string{".pixi/"})
}
