package effects

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/layerwise/layerwise/analysis/tools"
	"go.yaml.in/yaml/v3"
)

// standard are the modules of Python's standard library, and others that it imports by itself. "python -m pip" would
// take one of the working directory in place of it.
var standard = strings.Fields(
	"abc aifc argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins bz2 " +
		"cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall " +
		"concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime " +
		"dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl " +
		"filecmp fileinput fnmatch " +
		"fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac " +
		"html http imaplib imp importlib inspect io ipaddress itertools json keyword linecache locale logging " +
		"lzma mailbox marshal " +
		"math mimetypes mmap modulefinder multiprocessing netrc ntpath numbers opcode operator optparse os pathlib " +
		"pdb pickle pickletools pipes pkgutil platform plistlib poplib posixpath pprint profile pstats pty pwd " +
		"py_compile pyclbr pydoc " +
		"queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve " +
		"shlex shutil signal site smtplib socket socketserver sqlite3 ssl stat statistics string stringprep " +
		"struct subprocess symtable " +
		"sys sysconfig syslog tarfile tempfile termios textwrap this threading time timeit token tokenize tomllib " +
		"trace traceback tracemalloc tty types typing unicodedata unittest urllib uu uuid venv warnings wave " +
		"weakref webbrowser wsgiref " +
		"annotationlib antigravity compression dummy_threading formatter idlelib lib2to3 macpath nis nturl2path " +
		"ossaudiodev parser smtpd sndhdr spwd sre_compile sre_constants sre_parse symbol symtable tkinter turtle " +
		"xdrlib _pyrepl __future__ _distutils_hack " +
		"xml xmlrpc zipapp zipfile zipimport zlib zoneinfo pip setuptools wheel pkg_resources sitecustomize " +
		"usercustomize virtualenv keyring truststore certifi socks OpenSSL cryptography brotli simplejson colorama " +
		"charset_normalizer chardet idna requests urllib3 packaging platformdirs rich tomli distlib",
)

// metadata are names by which packages count as installed in a directory that Python searches.
var metadata = regexp.MustCompile(`\.(egg-info|dist-info|egg-link|egg)$`)

// shadows reports whether a directory may hold a module that Python would take for one of its own, or a package that
// counts as installed.
func (s *state) shadows(dir string) bool {
	return slices.ContainsFunc(s.names(dir), func(name string) bool {
		module, ending, _ := strings.Cut(name, ".")
		if metadata.MatchString(name) {
			return true
		}
		return slices.Contains(standard, module) || strings.HasPrefix(module, "_") && ending != "" &&
			!slices.Contains([]string{"__init__", "__main__", "_version"}, module)
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
	case "venv":
		l, ok := inner.line("--upgrade-deps --system-site-packages --copies --symlinks --clear --without-pip")
		return ok && !c.Dynamic && len(l.words) == 1 && e.installs(s, c) && e.writes(s, c, l.words[0])
	}
	return false
}

// pipOptions are options of pip that name no file.
const pipOptions = "--no-cache-dir --no-cache -U --upgrade -q --quiet -qq -v --user --pre --no-deps --prefer-binary " +
	"--require-hashes --break-system-packages --ignore-installed -I --force-reinstall --disable-pip-version-check " +
	"--no-input --no-color --no-warn-script-location --no-compile --compile " +
	"--isolated --no-python-version-warning --use-pep517 -i= --index-url= --extra-index-url= --trusted-host= " +
	"--timeout= --retries= --default-timeout= --progress-bar= --cache-dir= --upgrade-strategy= --only-binary= " +
	"--no-binary= --root-user-action= --use-deprecated= --use-feature= " +
	"-r= --requirement= -c= --constraint="

// uvPipOptions are those of uv pip.
const uvPipOptions = "--system --no-cache -n --no-cache-dir --no-deps -U --upgrade --prerelease= --index-strategy= " +
	"--compile-bytecode --strict --quiet -q --link-mode= --python-version= --index-url= -i= --extra-index-url= " +
	"--default-index= --index= --require-hashes --break-system-packages -r= --requirement= -c= --constraint="

func pip(s *state, e *Effects, c Call) bool {
	if len(c.Args) < 2 || c.Args[1] != "wheel" {
		return pipInstall(s, e, c, pipOptions)
	}
	const options = pipOptions + " -w= --wheel-dir="
	l, ok := c.line(options)
	to, given := l.last("-w", "--wheel-dir")
	if !ok || !given || !plainDir.MatchString(to) {
		return s.no("where it puts the wheels is not known")
	}
	return e.writes(s, c, to) && pipInstall(s, e, c, options)
}

func pipInstall(s *state, e *Effects, c Call, options string) bool {
	l, ok := c.line(options)
	if !ok || c.Dynamic || len(l.words) == 0 {
		return false
	}
	if l.only("cache", "purge") {
		return e.installs(s, c)
	}
	if l.words[0] != "install" && l.words[0] != "wheel" ||
		slices.ContainsFunc(l.words[1:], func(w string) bool { return !isRequirement(w) }) {
		return false
	}
	for _, name := range []string{"-i", "--index-url", "--extra-index-url", "--default-index", "--index"} {
		if slices.ContainsFunc(
			l.values[name],
			func(v string) bool { return !strings.HasPrefix(v, "http://") && !strings.HasPrefix(v, "https://") },
		) {
			return false
		}
	}
	for _, dir := range l.values["--cache-dir"] {
		if !plainDir.MatchString(dir) {
			return false
		}
		e.Reads, e.Writes = append(e.Reads, tree(dir)), append(e.Writes, tree(dir))
	}
	for _, name := range []string{"-r", "--requirement", "-c", "--constraint"} {
		for _, file := range l.values[name] {
			at := file
			if !path.IsAbs(at) {
				if c.cwd == "" {
					return false
				}
				e.Reads = append(e.Reads, "cwd")
				at = path.Join(c.cwd, file)
			}
			files, ok := s.requirementsFile(at, 0)
			if !ok {
				return false
			}
			if e.Directory == "" {
				e.Directory = path.Dir(files[0])
			}
			e.Reads = append(e.Reads, files...)
		}
	}
	// The Python or the environment that pip is part of has settings, too.
	for _, dir := range slices.Concat(searched, s.paths) {
		at := path.Join(path.Dir(dir), "pip.conf")
		if s.there(at) {
			return s.no(at + ", which an earlier step brings, may name files of the project")
		}
		e.Reads = append(e.Reads, at)
	}
	if c.cwd != "" { // old versions read distutils' settings
		e.configured(s, c.cwd, manifests("pip", "install").Config)
	}
	return e.installs(s, c)
}

// requirementName is a package with its extras, the versions of it that may be taken, and when it is.
var requirementName = regexp.MustCompile(
	`^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?[ \t]*` +
		`(\(?` + requirementVersion + `([ \t]*,[ \t]*` + requirementVersion + `)*,?\)?|@[^$]*)?[ \t]*(;[^/\\$]*)?$`,
)

const requirementVersion = `(===?|[<>!~]=|[<>])[ \t]*[A-Za-z0-9.*+!_-]+`

// isArchive reports whether a name is one of an archive, which a package manager looks for among the files.
func isArchive(name string) bool {
	name, _, _ = strings.Cut(name, "[")
	return slices.ContainsFunc(
		[]string{".whl", ".zip", ".gz", ".tar", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".tlz", ".lzma", ".lz", ".egg"},
		func(ending string) bool {
			return strings.HasSuffix(strings.ToLower(strings.TrimSpace(name)), ending)
		},
	)
}

// webURL is an address of a package in the network.
var webURL = regexp.MustCompile(`^(https?|git\+https?|git\+ssh)://[^$]*$`)

// isRequirement reports whether a word of pip's names a package of an index or of the network.
func isRequirement(word string) bool {
	if webURL.MatchString(word) {
		return !strings.Contains(word, " file:")
	}
	_, at, direct := strings.Cut(word, "@")
	return requirementName.MatchString(word) && !isArchive(word) && !strings.Contains(word, "file:") &&
		(!direct || webURL.MatchString(strings.TrimSpace(at)))
}

// requirementsFile gives a requirements file and those that it includes. It fails if one of them is not at hand or
// names a part of the project.
func (s *state) requirementsFile(file string, depth int) (files []string, ok bool) {
	if depth > 8 {
		return nil, false
	}
	text, ok := s.source(file)
	if !ok || strangeRequirements(string(text)) {
		return nil, false
	}
	files = append(files, file)
	for line := range strings.Lines(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\\\n", " ")) {
		line, ok := requirementsLine(line)
		if !ok {
			return nil, false
		}
		switch {
		case line == "" || line[0] == '#':
		case includedFile.MatchString(line):
			name := includedFile.FindStringSubmatch(line)[1]
			at := name
			if !path.IsAbs(name) {
				at = path.Join(path.Dir(file), name)
			}
			more, ok := s.requirementsFile(at, depth+1)
			if !ok {
				return nil, false
			}
			files = append(files, more...)
		case strings.HasPrefix(line, "-i ") || strings.HasPrefix(line, "--index-url") || strings.HasPrefix(line,
			"--extra-index-url"):
			if !webOption.MatchString(line) {
				return nil, false
			}
		case plainOption.MatchString(line) || webOption.MatchString(line):
		case !isRequirement(line): // other options are none: an editable one goes into src of the working directory
			return nil, false
		}
	}
	return files, true
}

// strangeRequirements reports whether pip may divide a requirements file into other lines than are seen: it does so
// wherever Python ends a line, in the encoding that a comment names, and a comment does not go on in the next line.
func strangeRequirements(text string) bool {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	return !utf8.ValidString(text) || otherEncoding.MatchString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp))
	}) || strings.Contains(plainContinuation.ReplaceAllString(text, "$1 "), `\`)
}

var (
	// otherEncoding is a comment by which a file may be in another encoding than UTF-8.
	otherEncoding = regexp.MustCompile(`(?i)^([^\n]*\n)?#[^\n]*coding[:=]`)
	// plainContinuation is a line without a comment, after a word of which it goes on in the next line.
	plainContinuation = regexp.MustCompile(`(?m)^([^#\\\n]*[ \t])\\$`)
	// includedFile is a line with -r or -c that names one file at hand.
	includedFile = regexp.MustCompile(`^(?:-[rc][ \t]*|--(?:requirement|constraint)(?:[ \t]+|=))([A-Za-z0-9._/@+-]+)$`)
)

var (
	// webOption is a line of a requirements file with an address in the network, and nothing else.
	webOption = regexp.MustCompile(
		`^(-i|--index-url|--extra-index-url|-f|--find-links)[ =]*https?://[^\s$]+$`,
	)
	// plainOption is one with an option that names no file, and nothing else.
	plainOption = regexp.MustCompile(
		`^(--pre|--prefer-binary|--require-hashes|(--trusted-host|--no-binary|--only-binary|--use-feature)[ =]+[^\s$]+)$`,
	)
)

// requirementsLine gives a line of a requirements file without its comment and the options of one requirement. It fails
// if one of these may name a part of the project.
func requirementsLine(line string) (plain string, ok bool) {
	if n := strings.Index(" "+line, " #"); n >= 0 {
		line = line[:n]
	}
	line = strings.TrimSpace(line)
	if n := strings.Index(line, " --"); n >= 0 && line[0] != '-' { // --hash and others of one requirement
		if slices.ContainsFunc(strings.Fields(line[n:]), func(w string) bool { return !strings.HasPrefix(w, "--hash=") }) {
			return "", false
		}
		line = strings.TrimSpace(line[:n])
	}
	return line, true
}

// pyproject is what counts of a pyproject.toml, a Pipfile or uv.toml: all that is not known by name may name files.
type pyproject map[string]any

func (c Call) toml(s *state, name string) (p pyproject, ok bool) {
	text, ok := c.file(s, name)
	if !ok {
		return nil, false
	}
	_, err := toml.Decode(text, &p)
	return p, err == nil
}

// table gives a table within another one; it is nil if there is none.
func (p pyproject) table(names ...string) pyproject {
	for _, name := range names {
		next, _ := p[name].(map[string]any)
		p = next
	}
	return p
}

// localKeys are keys of tables under which files and directories of the project stand.
var localKeys = strings.Fields(
	"path file editable workspace find-links directory develop url-file cache-dir config-settings",
)

// local reports whether anything in a value may be a file or a directory of the project.
func local(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.HasPrefix(v, ".") || strings.HasPrefix(v, "/") || strings.HasPrefix(v, "~/") ||
			strings.Contains(v, "file:") || strings.Contains(v, "@ .") || strings.Contains(v, "@ /") ||
			strings.Contains(v, "{root") || strings.Contains(v, "${") || isArchive(v) && !strings.Contains(v, "://")
	case []any:
		return slices.ContainsFunc(v, local)
	case []map[string]any:
		return slices.ContainsFunc(v, func(m map[string]any) bool { return local(m) })
	case map[string]any:
		for key, inner := range v {
			address, isText := inner.(string)
			if slices.Contains(localKeys, key) || local(inner) ||
				isText && (key == "url" || key == "index-url" || key == "default-index") &&
					!strings.HasPrefix(address, "http") {
				return true
			}
		}
	}
	return false
}

// versions are files beside pyproject.toml by which uv and poetry choose a Python.
func (c Call) pythonAbove(s *state, e *Effects) bool {
	above, none := c.above(
		s,
		"pyproject.toml",
		"uv.toml",
		"uv.lock",
		"poetry.toml",
		".python-version",
		".python-versions",
		"Pipfile",
		"setup.cfg",
	)
	e.Reads = append(e.Reads, above...)
	return none
}

const uvOptions = "--frozen --locked --no-dev --no-default-groups --all-extras --all-groups --no-install-project " +
	"--no-install-workspace --no-editable --no-cache -n --compile-bytecode --inexact --quiet -q --no-progress " +
	"--extra= --group= --no-group= --only-group= --link-mode= --no-python-downloads --managed-python " +
	"--no-managed-python --project= --directory="

func uv(s *state, e *Effects, c Call) bool {
	if at := slices.Index(c.Args, "pip"); at == 1 && len(c.Args) > 2 {
		inner := c
		inner.Args = c.Args[at:]
		return uvPip(s, e, c, inner)
	}
	l, ok := c.line(uvOptions)
	if !ok || c.Dynamic {
		return false
	}
	c, ok = c.at(l, "--directory", "--project")
	switch {
	case !ok:
		return false
	case l.only("venv"):
		return c.pythonNamed(s) && c.pythonAbove(s, e) &&
			e.project(
				s,
				c,
				&tools.Verb{
					Config:    manifests("uv", "sync").Config,
					Manifests: []string{"pyproject.toml"},
					Writes:    []string{".venv/"},
				},
			)
	case !l.only("sync") || !l.has("--frozen", "--locked"):
		return false
	}
	p, ok := c.toml(s, "pyproject.toml")
	lock, locked := c.toml(s, "uv.lock")
	settings, _ := c.toml(s, "uv.toml")
	own := p.table("tool", "uv")
	packaged, _ := own["package"].(bool)
	if !ok || !locked || c.exists(s, "uv.toml") && settings == nil || p.table("project") == nil ||
		!l.has("--no-install-project", "--no-install-workspace") && (p.table("build-system") != nil || packaged) ||
		!plainUV(own) ||
		!plainUV(settings) ||
		local(p.table("project")["dependencies"]) ||
		local(p.table("project")["optional-dependencies"]) ||
		local(p["dependency-groups"]) ||
		l.has("--locked") && p.table("project")["dynamic"] != nil ||
		!plainUVLock(lock, !l.has("--no-install-project", "--no-install-workspace")) {
		return false
	}
	return c.pythonNamed(s) && c.pythonAbove(s, e) && e.project(s, c, manifests("uv", "sync"), ".venv/")
}

// pythonNamed reports whether files that name a Python name its version: anything else may be a path.
func (c Call) pythonNamed(s *state) bool {
	for _, name := range []string{".python-version", ".python-versions"} {
		text, ok := c.file(s, name)
		if !ok && c.exists(s, name) || !pythonVersions.MatchString(text) {
			return s.no(name + " may name a directory")
		}
	}
	return true
}

var pythonVersions = regexp.MustCompile(
	`^(([ \t]*(#.*|((cpython|pypy)[@-]?)?\d+(\.\d+){0,2}((a|b|rc)\d+)?t?[ \t]*))?\r?(\n|$))*$`,
)

// uvSettings are settings of uv that name no file; uvAddresses are those that name indexes.
var (
	uvSettings = strings.Fields(
		"package managed default-groups dev-dependencies python-preference python-downloads required- " +
			"version link-mode compile-bytecode prerelease resolution fork-strategy index-strategy keyring- " +
			"provider native-tls offline concurrent-downloads concurrent-builds concurrent-installs exclude- " +
			"newer environments no-binary required-environments conflicts no-build no-binary-package no-build- " +
			"package no-build-isolation preview no-build-isolation-package sources constraint-dependencies " +
			"override-dependencies no-cache reinstall reinstall-package upgrade upgrade-package allow-insecure- " +
			"host no-index no-sources trusted-publishing",
	)
	uvAddresses = strings.Fields("index index-url extra-index-url default-index publish-url check-url")
)

// plainUV reports whether settings of uv name nothing of the project.
func plainUV(settings pyproject) bool {
	for key, value := range settings {
		switch {
		case slices.Contains(uvAddresses, key):
			if !addresses(value) {
				return false
			}
		case !slices.Contains(uvSettings, key) || local(value):
			return false
		}
	}
	return true
}

// addresses reports whether all indexes are in the network.
func addresses(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.HasPrefix(v, "https://") || strings.HasPrefix(v, "http://")
	case []any:
		return !slices.ContainsFunc(v, func(one any) bool { return !addresses(one) })
	case []map[string]any:
		return !slices.ContainsFunc(v, func(one map[string]any) bool { return !addresses(one) })
	case map[string]any:
		return addresses(v["url"]) && !local(v)
	}
	return false
}

// uvPip is uv pip: inner is the call without uv.
func uvPip(s *state, e *Effects, c, inner Call) bool {
	for _, name := range []string{"pyproject.toml", "uv.toml"} { // uv's own settings
		p, ok := c.toml(s, name)
		if c.exists(s, name) &&
			(!ok || name == "uv.toml" && !plainUV(p) || p.table("tool", "uv") != nil) {
			return false
		}
	}
	if c.cwd == "" || !c.pythonNamed(s) || !c.pythonAbove(s, e) || !pipInstall(s, e, inner, uvPipOptions) {
		return false
	}
	e.configured(s, c.cwd, manifests("uv", "pip").Config)
	e.Writes = append(e.Writes, path.Join(c.cwd, ".venv")+"/")
	return true
}

// plainUVLock reports whether uv.lock has no package in a directory but the project itself, which is built where it is
// editable. whole says that the project is installed, too.
func plainUVLock(lock pyproject, whole bool) bool {
	list, _ := lock["package"].([]map[string]any)
	for _, p := range list {
		source, _ := p["source"].(map[string]any)
		for key, value := range source {
			own := (key == "virtual" || key == "editable" && !whole) && value == "."
			address, _ := value.(string)
			remote := (key == "registry" || key == "url" || key == "git") && strings.HasPrefix(address, "http") ||
				key == "git" && strings.HasPrefix(address, "ssh://")
			if key != "subdirectory" && !own && !remote {
				return false
			}
		}
		if local(p["wheels"]) || local(p["sdist"]) {
			return false
		}
	}
	return true
}

func poetry(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"--no-root --no-interaction -n --no-ansi --no-dev --only= --without= --with= -E= --extras= --all-extras " +
			"--all-groups --sync --no-cache -q --quiet -v -vv -vvv --compile --no-plugins -C= --directory=",
	)
	if !ok || c.Dynamic || len(l.words) == 0 {
		return false
	}
	if c, ok = c.at(l, "-C", "--directory"); !ok || c.exists(s, "poetry.toml") {
		return false
	}
	if l.words[0] == "config" {
		return len(l.words) == 3 &&
			slices.Contains(
				[]string{"virtualenvs.create", "virtualenvs.in-project", "installer.max-workers", "installer.parallel"},
				l.words[1],
			) &&
			c.cwd != "" &&
			e.installs(s, c)
	}
	p, ok := c.toml(s, "pyproject.toml")
	_, locked := c.toml(s, "poetry.lock")
	own := p.table("tool", "poetry")
	mode, given := own["package-mode"].(bool)
	if !l.only("install") && !l.only("sync") || !ok || !locked || !l.has("--no-root") && (!given || mode) ||
		own["requires-plugins"] != nil || hasPlugin(p) ||
		local(own["dependencies"]) ||
		local(own["dev-dependencies"]) ||
		local(own["group"]) ||
		local(own["source"]) ||
		local(own["build-constraints"]) ||
		local(p.table("project")["dependencies"]) ||
		local(p.table("project")["optional-dependencies"]) ||
		local(p["dependency-groups"]) {
		return false
	}
	text, _ := c.file(s, "poetry.lock")
	return plainPoetryLock(text) && c.pythonAbove(s, e) &&
		e.project(s, c, manifests("poetry", "install"), ".venv/")
}

// hasPlugin reports whether a pyproject.toml has settings of a plugin of poetry: some change the file, or read git.
func hasPlugin(p pyproject) bool {
	for name := range p.table("tool") {
		if name != "poetry" && strings.Contains(name, "poetry") {
			return true
		}
	}
	return false
}

// plainPoetryLock reports whether poetry.lock has no package in a file or directory.
func plainPoetryLock(text string) bool {
	var lock pyproject
	if _, err := toml.Decode(text, &lock); err != nil {
		return false
	}
	list, _ := lock["package"].([]map[string]any)
	for _, p := range list {
		source, _ := p["source"].(map[string]any)
		if source["type"] == "directory" || source["type"] == "file" || local(source["url"]) {
			return false
		}
	}
	return true
}

func pipenv(s *state, e *Effects, c Call) bool {
	l, ok := c.line("--system --deploy --ignore-pipfile --dev -d --clear -v --verbose -q --quiet --pypi-mirror=")
	if !ok || c.Dynamic || !l.only("sync") && (!l.only("install") || !l.has("--deploy", "--ignore-pipfile")) {
		return false
	}
	p, ok := c.toml(s, "Pipfile")
	text, locked := c.file(s, "Pipfile.lock")
	var lock map[string]any
	if !ok || !locked || json.Unmarshal([]byte(text), &lock) != nil || c.exists(s, ".env", ".venv") ||
		p["scripts"] != nil && local(p["scripts"]) ||
		local(p["packages"]) ||
		local(p["dev-packages"]) ||
		local(p["source"]) ||
		local(lock["_meta"]) ||
		local(lock["default"]) ||
		local(lock["develop"]) {
		return false
	}
	return c.pythonAbove(s, e) &&
		e.project(
			s,
			c,
			&tools.Verb{
				Manifests: manifests("pipenv", "install").Manifests,
				Config:    []string{".env"},
				Writes:    []string{".venv/"},
			},
			".venv/",
		)
}

// conda installs what an environment file names, or packages by name.
func conda(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"-y --yes -q --quiet -a --all -n= --name= -c= --channel= -f= --file= --override-channels --prune " +
			"--freeze-installed --no-deps --tarballs --packages --index-cache",
	)
	if !ok || c.Dynamic || len(l.words) == 0 {
		return false
	}
	for _, channel := range slices.Concat(l.values["-c"], l.values["--channel"]) {
		if local(channel) || !plainWord.MatchString(channel) {
			return false
		}
	}
	file, given := l.last("-f", "--file")
	names := l.words[1:]
	switch {
	case l.words[0] == "clean" && !given && len(names) == 0:
		return e.installs(s, c)
	case l.words[0] == "env" && len(names) == 1 && (names[0] == "create" || names[0] == "update"):
		if !given {
			file = "environment.yml"
		}
		return environment(s, e, c, file)
	case !slices.Contains([]string{"install", "update", "create"}, l.words[0]):
		return false
	case given:
		return len(names) == 0 && (strings.HasSuffix(file, ".yml") || strings.HasSuffix(file, ".yaml")) &&
			environment(s, e, c, file)
	}
	return !slices.ContainsFunc(names, func(w string) bool {
		return !condaPackage.MatchString(w) || isArchive(w) || strings.HasSuffix(w, ".conda")
	}) && e.installs(s, c)
}

var (
	plainWord    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	condaPackage = regexp.MustCompile(`^([a-z0-9-]+::)?[A-Za-z0-9_][A-Za-z0-9._-]*([=<>!~]+[A-Za-z0-9.*,=<>!_]+)*$`)
)

// environment reads an environment file: names of packages only.
func environment(s *state, e *Effects, c Call, name string) bool {
	text, ok := c.file(s, name)
	var env struct {
		Name         string            `yaml:"name"`
		Channels     []string          `yaml:"channels"`
		Dependencies []any             `yaml:"dependencies"`
		Variables    map[string]string `yaml:"variables"`
		Prefix       any               `yaml:"prefix"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if !ok || path.IsAbs(name) || decoder.Decode(&env) != nil || env.Prefix != nil || env.Variables != nil ||
		slices.ContainsFunc(env.Channels, func(ch string) bool { return !plainWord.MatchString(ch) }) {
		return false
	}
	for _, d := range env.Dependencies {
		switch d := d.(type) {
		case string:
			if !condaPackage.MatchString(strings.ReplaceAll(d, " ", "")) || isArchive(d) {
				return false
			}
		case map[string]any:
			list, _ := d["pip"].([]any)
			for _, word := range list {
				if name, ok := word.(string); !ok || !isRequirement(name) {
					return false
				}
			}
			if len(d) != 1 || list == nil {
				return false
			}
		default:
			return false
		}
	}
	return e.project(s, c, &tools.Verb{Manifests: []string{name}})
}
