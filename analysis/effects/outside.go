package effects

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// outside is what earlier steps have put outside of the project and that may lead a tool back into it: settings,
// links, and programs.
type outside struct {
	named    []string        // paths that settings or commands of earlier steps name
	settings string          // why the settings of tools are not known, "" if they are
	programs map[string]bool // names of programs that were copied into the system's directories
	helper   string          // one of them that a tool may run, "" if there is none
	relative []string        // paths that settings of the system name from the working directory
	into     []string        // directories of the image that a directory of the context was copied into
	homes    bool            // the home directories of users may be any
	linked   bool            // there are links in what was copied
	sudo     bool            // sudo may find other programs
	preload  bool            // a library may be loaded into each program
	brought  []string        // directories of the context that were copied, and may hold links
	stamped  []string        // variables that name the build, in the settings of tools
}

// leadsBack says what of an earlier step may lead a tool into what was copied, "" if nothing does.
func (s *state) leadsBack() string {
	if s.outside.settings != "" {
		return s.outside.settings
	}
	for _, name := range s.outside.relative {
		if s.cwd != "" && s.there(path.Join(s.cwd, name)) {
			return "settings that an earlier step brings name " + name + " of the working directory"
		}
	}
	for _, name := range s.outside.named {
		if slices.ContainsFunc(s.copied, func(place string) bool {
			return Overlap(place, name) || strings.HasPrefix(place, tree(name))
		}) || slices.ContainsFunc(s.outside.into, func(dir string) bool { return strings.HasPrefix(tree(name), dir) }) {
			return "an earlier step names " + name + ", which is copied"
		}
	}
	return ""
}

// names adds the paths that a text names, but for those of the system.
func (o *outside) names(text string) {
	for _, m := range pathIn.FindAllStringSubmatch(text, -1) {
		name := path.Clean(m[1])
		if !slices.ContainsFunc(systemDirs, func(dir string) bool { return strings.HasPrefix(tree(name), dir) }) {
			o.named = append(o.named, name)
		}
	}
}

// steers takes in what changes each program that is run, or is run by sudo.
func (o *outside) steers(file, text string) {
	o.preload = o.preload || strings.Contains(file, "ld.so.preload")
	o.sudo = o.sudo || strings.Contains(file, "/sudoers") && sudoSetting.MatchString(text)
}

// sudoSetting finds the settings of sudo by which a program, or its variables, may be others.
var sudoSetting = regexp.MustCompile(`secure_path|env_|setenv|exempt_group`)

// pathIn finds absolute paths; those of a URL are none.
var pathIn = regexp.MustCompile(`(?:^|[^A-Za-z0-9/.}_~-])(/[A-Za-z0-9._+@-]+(?:/[A-Za-z0-9._+@-]+)*)`)

var (
	// settingsFile are names of files in which a tool of the table keeps its settings.
	settingsFile = regexp.MustCompile(
		`(?i)(^|[/\s"'])(\.?npmrc|\.?yarnrc(\.yml)?|\.?gitconfig|[._]?curlrc|\.?wgetrc|\.?gemrc|\.?condarc|` +
			`\.?bunfig\.toml|pip\.conf|\.?pydistutils\.cfg|settings\.xml|nuget\.config|\.?mavenrc|php\.ini|` +
			`\.cargo/config(\.toml)?|cargo/config(\.toml)?|composer/(config|auth|composer)\.json|\.bundle/config|` +
			`php/[a-z0-9./]*conf\.d/[^/\s"']+\.ini|` +
			`bundle/config|pnpm/rc|go/env|go\.env|git/config|uv/uv\.toml|pypoetry/config\.toml)($|["'\s;)])`,
	)
	// webAddress are addresses in the network, which are no paths.
	webAddress = regexp.MustCompile(`(https?|ssh|git)://[^\s"'<>]*|git@[^\s"'<>]*|(^|[\s"'])//[^\s"'<>]*`)
	// relativePath finds words that may be paths from the working directory.
	relativePath = regexp.MustCompile(`(?:^|[\s=:"'>(,\[])(?:\./)?([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)`)
	// appSettings are files that steer nothing that a build runs.
	appSettings = regexp.MustCompile(
		`/etc/(apache2|nginx|httpd|supervisor|supervisord\.conf|cron|sudoers|motd|profile)|/etc/[a-z-]*cron|` +
			`\.(bashrc|profile|bash_profile|zshrc|vimrc)\b`,
	)
)

// settles takes in the content of a file of settings: a path in it may lead anywhere.
func (o *outside) settles(file, text string) {
	if appSettings.MatchString(file) {
		return
	}
	var lines []string
	for line := range strings.Lines(webAddress.ReplaceAllString(text, " ")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") &&
			!strings.HasPrefix(line, ";") {
			lines = append(lines, line)
		}
	}
	o.names(strings.Join(lines, "\n"))
	o.stamped = append(o.stamped, stampsIn(text)...)
	if !settingsFile.MatchString(file) {
		for _, m := range relativePath.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
			o.relative = append(o.relative, m[1])
		}
		return // others have paths of the system's: those that are not are named now
	}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		switch {
		case phpSettings.MatchString(file) && filesOfPHP.MatchString(line),
			strings.HasSuffix(file, "npmrc") && !plainKeys.MatchString(strings.TrimSpace(key)),
			strings.HasSuffix(file, "pip.conf") && value != "" && !plainPipKey.MatchString(strings.TrimSpace(key)),
			!phpSettings.MatchString(file) && pathLike.MatchString(line):
			o.settings = file + ", which an earlier step brings, has settings that may name files of the project"
		}
	}
}

var (
	plainPipKey = regexp.MustCompile(
		`^(index-url|extra-index-url|trusted-host|timeout|retries|no-cache-dir|disable-pip-version-check|` +
			`root-user-action|break-system-packages|progress-bar|prefer-binary|no-color|no-input)$`,
	)
	phpSettings = regexp.MustCompile(`\.ini$`)
	filesOfPHP  = regexp.MustCompile(
		`(?i)auto_(prepend|append)_file\s*=\s*\S|preload\s*=\s*\S|include_path|extension\s*=.*/`,
	)
	// pathLike finds what may be a path: a word with a slash, or one that begins with a dot. The marks of XML are none.
	pathLike = regexp.MustCompile(
		`(^|[\s=:"'>(,\[])(\.{1,2}/|~|\$\{?[a-zA-Z]|[A-Za-z0-9_.-]+/[A-Za-z0-9_.])|file:`,
	)
)

// home reports whether a directory may be one in which tools look for their settings.
func (s *state) settingsAt(dir string) bool {
	home, known := s.home()
	return known && (dir == home || strings.HasPrefix(dir, home+"/.")) ||
		slices.ContainsFunc(s.homes, func(h string) bool { return dir == h || strings.HasPrefix(dir, h+"/.") }) ||
		slices.Contains([]string{s.env["VIRTUAL_ENV"], s.env["CARGO_HOME"], s.env["COMPOSER_HOME"]}, dir) ||
		settingsDir.MatchString(dir+"/")
}

var settingsDir = regexp.MustCompile(
	`^/(etc|usr/local/etc|usr/etc|usr/local/cargo|usr/local/bundle|opt/conda|usr/share/maven/conf|` +
		`usr/local/lib|usr/lib|usr/local/go|usr/local/share|usr/share/dotnet)/|` +
		`^/(root|home/[^/]+)/(\.[^/]+/.*)?$|^/$`,
)

var (
	// settingsTree are directories with settings of many tools.
	settingsTree = regexp.MustCompile(`^/$|^/(etc|root|home|home/[^/]+|usr|usr/local|usr/local/etc)$|/\.(config|m2|nuget)$`)
	// moduleOfPython are files that each Python runs when it starts.
	moduleOfPython = regexp.MustCompile(`/(site|user)customize\.py$|/(site|dist)-packages/[^/]+\.pth$`)
)

// copiesSettings takes in what a COPY or ADD puts outside of the project.
func (s *state) copiesSettings(e *Effects, c instructions.SourcesAndDest, from string, above int) {
	for _, doc := range c.SourceContents {
		for _, at := range e.Writes {
			s.noteLoaded(at)
			s.outside.steers(at, doc.Data)
			if s.settingsAt(path.Dir(at)) {
				s.outside.settles(at, doc.Data)
			}
			s.outside.program(at)
		}
	}
	if e.Copies == nil { // from another stage, or something that is not known
		if from != "" {
			s.linked = true
			s.fromStage(e, c, from, above)
		}
		home, _ := s.home()
		for _, at := range e.Writes {
			at = "/" + strings.Trim(at, "/")
			if settingsFile.MatchString(at) && s.settingsAt(path.Dir(at)) || settingsTree.MatchString(at) ||
				at == home && home != "" || moduleOfPython.MatchString(at) {
				s.outside.settings = "what an earlier step puts at " + at + " is not known"
			}
		}
		return
	}
	for _, to := range e.Trees {
		if to != "/" {
			s.outside.into = append(s.outside.into, tree(to))
		}
	}
	for name, to := range e.Copies {
		if strings.HasSuffix(name, "@") {
			s.linked = true
		}
		if strings.HasSuffix(name, "/") {
			s.outside.brought = append(s.outside.brought, strings.TrimSuffix(name, "/"))
		}
		s.copiesInto(strings.TrimSuffix(name, "/"), strings.TrimSuffix(to, "/"), strings.HasSuffix(to, "/"), 0)
	}
}

// copiesInto takes in one file or directory that is copied, if it comes to stand where settings or programs are.
func (s *state) copiesInto(name, to string, dir bool, depth int) {
	if dir {
		into := func(place string) bool { return strings.HasPrefix(place, to+"/") || strings.HasPrefix(to, place) }
		if depth > 6 || !s.settingsAt(to) &&
			!slices.ContainsFunc(slices.Concat(searched, []string{"/etc", "/root", "/home", "/usr/local"}), into) {
			return
		}
		for _, child := range s.context.List(name) {
			if strings.HasSuffix(child, "@") {
				s.linked = true
			}
			s.copiesInto(path.Join(name, child), path.Join(to, child), strings.HasSuffix(child, "/"), depth+1)
		}
		return
	}
	s.outside.program(to)
	s.noteLoaded(to)
	if moduleOfPython.MatchString(to) {
		s.outside.settings = "each Python runs " + to + ", which an earlier step brings"
	}
	if !s.settingsAt(path.Dir(to)) {
		return
	}
	content, ok := s.context.Read(name)
	s.outside.steers(to, string(content))
	switch {
	case ok && len(content) < 1<<16:
		s.outside.settles(to, string(content))
	case settingsFile.MatchString(to):
		s.outside.settings = to + ", which an earlier step brings, is not known"
	}
}

// helpers are programs that tools of the table run.
var helpers = strings.Fields(
	"node python python3 ruby perl php sh bash dash env git gcc cc g++ c++ make cmake ld ar ranlib pkg-config gpg gpgv " +
		"ldconfig dpkg rpm tar gzip xz bzip2 unzip ssh java rustc cargo npm npx yarn pnpm corepack bun pip pip3 uv go " +
		"policy-rc.d invoke-rc.d update-rc.d systemctl service deb-systemd-helper deb-systemd-invoke start-stop-daemon " +
		"adduser useradd addgroup groupadd fc-cache update-ca-certificates mandb py3compile debconf ucf " +
		"run-parts dpkg-trigger dpkg-divert dpkg-query glib-compile-schemas update-mime-database install-info " +
		"curl wget mvn dotnet gem bundle composer apt-get apk update-alternatives install cp mv ln sed awk which",
)

// hasLinks reports whether what was copied from the build context has links in it.
func (s *state) hasLinks() bool {
	budget := 20_000
	var look func(dir string) bool
	look = func(dir string) bool {
		for _, name := range s.context.List(dir) {
			if budget--; budget < 0 || strings.HasSuffix(name, "@") ||
				strings.HasSuffix(name, "/") && look(path.Join(dir, name)) {
				return true
			}
		}
		return false
	}
	brought := s.outside.brought
	s.outside.brought = nil
	s.outside.linked = s.outside.linked || slices.ContainsFunc(brought, look)
	return s.outside.linked
}

// through adds what links of the stage lead to that lie in what a command reads or writes.
func (s *state) through(e *Effects) {
	for _, l := range s.links {
		for _, list := range []*[]string{&e.Reads, &e.Writes} {
			if slices.ContainsFunc(*list, func(p string) bool {
				return strings.HasSuffix(p, "/") && p != "/" && strings.HasPrefix(l.from, p)
			}) {
				*list = append(*list, tree(l.to))
			}
		}
	}
}

// placers are commands whose effects say all of the paths that they name.
var placers = strings.Fields(
	"mkdir chown chmod chgrp touch rm rmdir cd test [ [[ cp mv install useradd adduser groupadd addgroup ls find cat " +
		"tar unzip curl wget git python python2 python3 virtualenv true : set pip pip3 uv poetry pipenv conda npm " +
		"yarn pnpm bun corepack go cargo rustup bundle gem composer mvn dotnet apt-get apt apk dnf yum export",
)

// editors write what their words say, and only to where these say.
var editors = strings.Fields("echo printf sed tee")

var systemPlace = regexp.MustCompile(`(^|[^A-Za-z0-9._-])(/(etc|usr|root|home|var|opt|lib)/|~|\$\{?HOME)`)

// leaves takes in what the commands of a RUN may leave outside of the project.
func (s *state) leaves(script string, file *syntax.File, depth int) {
	if file == nil {
		s.outside.steers(script, script)
		s.outside.names(s.valued(script))
		if settingsFile.MatchString(script) {
			s.outside.settings = "an earlier step changes settings of tools"
		}
		return
	}
	for _, stmt := range file.Stmts {
		s.leavesOf(script, stmt, depth)
	}
}

// leavesOf does so for a statement: each command that is joined to others by && and the like by itself.
func (s *state) leavesOf(script string, stmt *syntax.Stmt, depth int) {
	if b, ok := stmt.Cmd.(*syntax.BinaryCmd); ok && (b.Op == syntax.AndStmt || b.Op == syntax.OrStmt) &&
		len(stmt.Redirs) == 0 {
		s.leavesOf(script, b.X, depth)
		s.leavesOf(script, b.Y, depth)
		return
	}
	text := s.valued(script[stmt.Pos().Offset():min(stmt.End().Offset(), uint(len(script)))])
	plain, piped := true, false
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.BinaryCmd:
			piped = piped || n.Op == syntax.Pipe || n.Op == syntax.PipeAll
		case *syntax.Redirect:
			if n.Hdoc != nil {
				text += "\n" + s.valued(script[n.Hdoc.Pos().Offset():min(n.Hdoc.End().Offset(), uint(len(script)))])
			} else if n.Word != nil && n.Op != syntax.DplOut && !strings.HasPrefix(literal(n.Word), "/dev/") {
				plain = false
			}
		case *syntax.CallExpr:
			if len(n.Args) == 0 {
				break
			}
			var words []string
			for _, w := range n.Args {
				words = append(words, s.valued(wordText(script, w)))
			}
			name := path.Base(words[0])
			s.scriptsOf(words, depth)
			s.outside.homes = s.outside.homes || placesHomes(name, words, text)
			if !slices.Contains(placers, name) && (!slices.Contains(editors, name) || systemPlace.MatchString(text)) {
				plain = false
			}
			if s.configures(name, words[1:]) {
				s.outside.settings = "an earlier step sets settings of " + name
			}
			s.outside.places(name, words)
		}
		return true
	})
	s.outside.steers(text, text)
	if plain && !piped || appSettings.MatchString(text) {
		return
	}
	if settingsFile.MatchString(text) {
		s.outside.settles(strings.Trim(settingsFile.FindString(text), "\"' \t\n;)"), settingsText(text))
	}
	s.outside.names(text)
}

// places notes what a command that copies, moves or links leaves at its last word.
func (o *outside) places(name string, words []string) {
	at := words[len(words)-1]
	if slices.Contains([]string{"cp", "mv", "install", "ln"}, name) && settingsFile.MatchString(at) && path.IsAbs(at) {
		o.settings = "an earlier step writes " + at
	}
	if name == "ln" && !slices.ContainsFunc(systemDirs, func(dir string) bool {
		return len(words) > 2 && strings.HasPrefix(words[len(words)-2], dir)
	}) {
		o.program(at)
	}
}

// placesHomes reports whether a command may change where the home directories of users are.
func placesHomes(name string, words []string, text string) bool {
	if options, makes := userOptions[name]; makes {
		_, ok := (Call{Args: slices.Concat([]string{name}, words[1:])}).line(options)
		return !ok
	}
	return name == "usermod" || homeSettings.MatchString(text) &&
		!slices.Contains([]string{"cat", "chmod", "chown", "chgrp", "grep", "ls", "test", "["}, name)
}

var homeSettings = regexp.MustCompile(`/etc/(default(/useradd)?|adduser\.conf|login\.defs|passwd)\b`)

// settingsText is what a command that writes settings may write: its words without quotes, each a line.
func settingsText(text string) string {
	text = settingsFile.ReplaceAllString(text, " ")
	lines := slices.DeleteFunc(
		strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\"'\n", r) }),
		func(l string) bool { return !strings.ContainsAny(l, "=:") },
	)
	return strings.Join(lines, "\n")
}

// valued replaces the variables of a text whose values are known.
func (s *state) valued(text string) string {
	if !strings.Contains(text, "$") {
		return text
	}
	return os.Expand(text, func(name string) string {
		if value, ok := s.env[name]; ok {
			return value
		}
		return "${" + name + "}"
	})
}

func wordText(script string, w *syntax.Word) string {
	if text := literal(w); text != "" {
		return text
	}
	return strings.Trim(script[w.Pos().Offset():min(w.End().Offset(), uint(len(script)))], `"'`)
}

// plainSettings are the settings of tools, as their own commands set them, that name no file.
var plainSettings = map[string]*regexp.Regexp{
	"npm":  plainKeys,
	"pnpm": plainKeys,
	"yarn": anyOf(
		`network-timeout network-concurrency registry strict-ssl ` +
			`enable(Telemetry|ProgressBars|GlobalCache|ImmutableInstalls|InlineBuilds|Colors) npmRegistryServer ` +
			`nodeLinker compressionLevel httpTimeout version-[a-z-]+ ignore-engines`,
	),
	"pip": regexp.MustCompile(
		`^(global|install|user|site)\.(index-url|extra-index-url|trusted-host|timeout|retries|no-cache-dir|` +
			`disable-pip-version-check|root-user-action|break-system-packages)$`,
	),
	"go": regexp.MustCompile(
		`^(GOPROXY|GOSUMDB|GOPRIVATE|GONOSUMDB|GONOPROXY|CGO_ENABLED|GO111MODULE|GOTOOLCHAIN|GOOS|GOARCH|GOINSECURE)` +
			`=[^/]*(https?://.*)?$`,
	),
	"git": gitSetting,
	"poetry": anyOf(
		`virtualenvs\.[a-z.-]+ installer\.[a-z-]+ http-basic\.[\w.-]+ repositories\.[\w.-]+ ` +
			`pypi-token\.[\w.-]+ keyring\.enabled`,
	),
	"bundle": anyOf(
		`deployment frozen without with jobs retry force_ruby_platform silence_root_warning clean no-cache ` +
			`no_prune [a-z0-9_.-]+\.(com|org|io|net|dev)`,
	),
	"conda": anyOf(
		`channels channel_priority always_yes auto_activate_base show_channel_urls solver`,
	),
	"dotnet": regexp.MustCompile(`^https://`),
	"composer": regexp.MustCompile(
		`^(github-oauth\.[\w.-]+|http-basic\.[\w.-]+|gitlab-token\.[\w.-]+|process-timeout|secure-http|discard-changes|` +
			`use-github-api|github-protocols|audit\.[\w.-]+|allow-plugins\.[\w./-]+)$`,
	),
}

// settingVerbs are the words by which these commands change settings.
var settingVerbs = map[string][]string{
	"npm":      {"config set", "c set", "set"},
	"pnpm":     {"config set", "c set", "set"},
	"yarn":     {"config set", "set version", "policies set-version", "plugin import"},
	"pip":      {"config set"},
	"go":       {"env -w"},
	"git":      {"config"},
	"poetry":   {"config", "self add"},
	"bundle":   {"config set", "config", "plugin install"},
	"conda":    {"config"},
	"dotnet":   {"nuget add source", "nuget update source", "new nugetconfig"},
	"composer": {"config", "global require", "global config", "global"},
}

// configures reports whether a command changes settings of its own that may name files of the project.
func (s *state) configures(name string, args []string) bool {
	name = strings.TrimSuffix(strings.TrimSuffix(name, "3"), "2")
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool {
		return strings.HasPrefix(a, "-") && a != "-w"
	})
	text := strings.Join(words, " ") + " "
	for _, verb := range settingVerbs[name] {
		rest, ok := strings.CutPrefix(text, verb+" ")
		if !ok {
			continue
		}
		values := strings.Fields(rest)
		if len(values) == 0 {
			return false // it only shows them
		}
		if slices.Contains([]string{"set version", "policies set-version", "plugin import", "self add",
			"plugin install", "global require", "global"}, verb) {
			return true
		}
		key, value, _ := strings.Cut(values[0], "=")
		if name == "go" {
			key = values[0]
		}
		if !plainSettings[name].MatchString(key) {
			return true
		}
		value = strings.Join(append([]string{value}, values[1:]...), " ")
		return pathLike.MatchString(webAddress.ReplaceAllString(value, " ")) || strings.Contains(value, "file:")
	}
	return false
}
