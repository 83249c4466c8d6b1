package effects

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// shellVariables are variables by which a shell, or any program, is made to do something else.
var shellVariables = strings.Fields(
	"BASH_ENV ENV BASHOPTS SHELLOPTS POSIXLY_CORRECT IFS CDPATH GLOBIGNORE PROMPT_COMMAND PS4 GCONV_PATH LOCPATH " +
		"HOSTALIASES",
)

func steersShell(name string) bool {
	return slices.Contains(shellVariables, name) || strings.HasPrefix(name, "LD_") ||
		strings.HasPrefix(name, "BASH_FUNC_") ||
		strings.HasPrefix(name, "MALLOC_")
}

// toolVariables find variables that a tool of the table may take notice of.
var toolVariables = anyOf(
	`npm_.* node.* yarn.* pnpm.* bun_.* corepack.* nvm_.* fnm_.* volta_.* n_prefix mise_.* asdf_.* electron_.* ` +
		`puppeteer_.* playwright_.* cypress_.* prisma_.* sentrycli_.* husky.* prefix destdir pip.* python.* ` +
		`virtual_env uv_.* poetry_.* conda.* mamba.* workon_home setuptools.* distutils.* go[0-9a-z]* cgo_.* cmake_.* ` +
		`gyp_.* cpath classpath .*include_path cargo.* rust.* bundle.* gem_.* ruby.* rbenv.* pyenv.* composer.* php.* ` +
		`maven.* mvn.* m2.* java.* _java.* jdk.* dotnet.* nuget.* msbuild.* restore.* git_.* curl_.* .*wgetrc netrc ` +
		`ssl_.* requests_.* xdg_.* tmp temp tmpdir home shell editor visual pager .*flags cc cxx make.* apt_.* apk_.* ` +
		`dpkg_.* deb.* ucf_.* needrestart.* dnf_.* yum_.* rpm_.* tar_.* unzip.* zip.* gzip.* xz_.* zstd_.* bzip.* ` +
		`manpath infopath tcllibpath texinputs emacsloadpath ` +
		`perl.* pkg_.* openssl_.* gio_.* gi_.* gtk_.* gdk_.* terminfo.* texmf.* tzdir gcc_.* gnupghome ipe_.* pear_.* ` +
		`.*_(config|config_file|configfile|rcfile|opts|options)`,
)

// directoryVariables are others by whose names a directory may be meant.
var directoryVariables = anyOf(`.*_(path|dir|home)`)

// plainValues are values of variables that steer tools by which these only have more memory, say less, or take no
// notice of git.
var plainValues = map[string]*regexp.Regexp{
	"NODE_OPTIONS": regexp.MustCompile(
		`^(\s*--(max[-_](old|semi)[-_]space[-_]size=\d+|openssl-legacy-provider|no-warnings|no-deprecation|` +
			`enable-source-maps|dns-result-order=[a-z0-9]+|no-network-family-autoselection))+\s*$`,
	),
	"GOFLAGS": regexp.MustCompile(
		`^(\s*-(mod=(mod|readonly)|buildvcs=(false|auto)|trimpath|v|p=\d+|modcacherw))+\s*$`,
	),
	"MAVEN_OPTS": regexp.MustCompile(
		`^(\s*-(Xm[xs]\d+[kmgKMG]?|XX:(\+Use[A-Za-z]+GC|(Max|Initial|Min)[A-Za-z]+=\d+[kmgKMG]?)))+\s*$`,
	),
}

// plainVariables are those among them that name no file and steer nothing but what is told to the user, how long it
// takes, or what the manifests say already: any value will do.
var plainVariables = anyOf(
	`node_env node_version nodejs_version yarn_version npm_version pnpm_version bun_version python_version ` +
		`python_pip_version python_setuptools_version python_get_pip_.* pip_version poetry_version pipenv_version ` +
		`uv_version golang_version go_version ruby_version ruby_major rust_version php_version composer_version ` +
		`java_version maven_version dotnet_version bundler_version gem_version npm_token node_auth_token ` +
		`npm_auth_token npm_config_loglevel npm_config_fund npm_config_audit npm_config_update_notifier ` +
		`npm_config_progress npm_config_color npm_config_yes npm_config_legacy_peer_deps npm_config_engine_strict ` +
		`npm_config_strict_ssl npm_config_maxsockets npm_config_fetch_.* npm_config_production npm_config_omit ` +
		`npm_config_include npm_config_save_exact npm_config_(target_)?(arch|platform|libc) ` +
		`yarn_enable_telemetry yarn_enable_progress_bars yarn_enable_colors ` +
		`yarn_enable_hyperlinks yarn_enable_inline_builds yarn_enable_message_names yarn_enable_timers ` +
		`yarn_(http|network)_.* corepack_enable_download_prompt corepack_enable_strict corepack_default_to_latest ` +
		`corepack_enable_auto_pin corepack_integrity_keys husky husky_skip_install ` +
		`puppeteer_skip_(chromium_)?download playwright_skip_browser_download cypress_install_binary ` +
		`electron_skip_binary_download sentrycli_skip_download prisma_skip_postinstall_generate ` +
		`prisma_hide_update_message pythonunbuffered ` +
		`pythondontwritebytecode pythonfaulthandler pythonhashseed pythonioencoding pythonutf8 pythonoptimize ` +
		`pip_no_cache_dir pip_disable_pip_version_check pip_default_timeout pip_timeout pip_root_user_action ` +
		`pip_no_input pip_no_color pip_break_system_packages pip_prefer_binary pip_retries pip_progress_bar ` +
		`pip_no_python_version_warning uv_compile_bytecode uv_link_mode uv_python_downloads uv_system_python ` +
		`uv_no_cache uv_no_dev uv_frozen uv_http_timeout uv_concurrent_.* uv_no_progress uv_python_preference ` +
		`uv_managed_python poetry_no_interaction poetry_virtualenvs_create poetry_virtualenvs_in_project ` +
		`poetry_installer_.* poetry_requests_timeout pipenv_(nospin|hide_emojis|verbosity|yes) goos goarch goarm ` +
		`goamd64 goarm64 cgo_enabled go111module gosumdb goprivate gonosumdb gonoproxy goinsecure gotoolchain ` +
		`gomaxprocs gogc gomemlimit godebug goexperiment cargo_net_.* cargo_term_.* cargo_incremental rust_backtrace ` +
		`rust_log bundle_without bundle_with bundle_deployment bundle_frozen bundle_jobs bundle_retry ` +
		`bundle_force_ruby_platform bundle_silence_root_warning rubygems_version composer_allow_superuser ` +
		`composer_no_interaction composer_memory_limit composer_process_timeout composer_root_version ` +
		`composer_no_audit composer_no_dev composer_max_parallel_http ` +
		`php_(ini_dir|sha256|url|asc_url|cflags|cppflags|ldflags|extra_.*) dotnet_cli_telemetry_optout dotnet_nologo ` +
		`dotnet_enablediagnostics dotnet_running_in_container dotnet_use_polling_file_watcher ` +
		`dotnet_system_globalization_invariant dotnet_skip_first_time_experience dotnet_generate_aspnet_certificate ` +
		`dotnet_multilevel_lookup dotnet_tieredpgo dotnet_gcserver nuget_xmldoc_mode debian_frontend ` +
		`debconf_noninteractive_seen git_commit git_sha git_sha1 git_hash git_ref git_rev git_revision git_branch ` +
		`git_tag git_describe git_commit_sha git_commit_hash git_terminal_prompt make_version`,
)

// placeVariables are those that name a directory, which is then read and written.
var placeVariables = anyOf(
	`home tmpdir xdg_(cache|config|data)_home gopath gocache gomodcache gobin goroot cargo_home rustup_home ` +
		`pip_cache_dir uv_cache_dir uv_project_environment uv_tool_dir uv_tool_bin_dir uv_python_install_dir ` +
		`poetry_home poetry_cache_dir virtual_env workon_home pnpm_home npm_config_cache yarn_cache_folder ` +
		`yarn_global_folder corepack_home bundle_path bundle_app_config gem_home composer_home composer_cache_dir ` +
		`nuget_packages m2_home maven_home java_home dotnet_root dotnet_cli_home playwright_browsers_path ` +
		`puppeteer_cache_dir cypress_cache_folder nvm_dir pythonpath pipx_home pipx_bin_dir ssl_cert_dir ssl_cert_file`,
)

// urlVariables are those that name an address in the network.
var urlVariables = anyOf(
	`pip_(index_url|extra_index_url|trusted_host) uv_(index_url|extra_index_url|default_index) ` +
		`npm_config_registry yarn_npm_registry_server goproxy .*_proxy`,
)

// plainBase is what an installation rests on where the base image is no official one.
const plainBase = "no variable, setting or link of the base image leads a tool into the project"

// steered takes in the variables that a tool sees: the places that they name are read and written. It fails where one
// may steer the tool in a way that is not known.
func (s *state) steered(e *Effects, c Call) bool {
	if why := s.leadsBack(); why != "" {
		return s.no(why)
	}
	if s.official == "" && !slices.Contains(e.Facts, plainBase) {
		e.Facts = append(e.Facts, plainBase)
	}
	for name, value := range c.vars {
		switch s.variableKind(name) {
		case urlVariable:
			if !unknownIn(value) &&
				(strings.HasPrefix(value, "/") || strings.HasPrefix(value, ".") || strings.Contains(value, "file:")) {
				return false
			}
		case placeVariable, directoryVariable:
			if unknownIn(value) || value == "" {
				return s.no("the variable " + name + " may steer it")
			}
			for _, dir := range strings.Split(value, ":") {
				switch {
				case dir == "":
				case s.variableKind(name) == directoryVariable && s.copiedTo(tree(dir)): // settings, perhaps
					return s.no("the variable " + name + " may steer it")
				case !plainDir.MatchString(dir):
					return s.no("the variable " + name + " may steer it")
				case name == "PYTHONPATH" && s.shadows(path.Clean(dir)):
					return false
				case name != "PYTHONPATH":
					e.Reads, e.Writes = append(e.Reads, tree(path.Clean(dir))), append(e.Writes, tree(path.Clean(dir)))
				}
			}
		case toolVariable:
			if plain := plainValues[name]; plain == nil || !plain.MatchString(value) {
				return s.no("the variable " + name + " may steer it")
			}
		case otherVariable:
			if s.namesFile(c, value) && !appVariables.MatchString(name) {
				return s.no("the variable " + name + " names a file of the project")
			}
		}
	}
	return true
}

// appVariables are those of programs that run in the container.
var appVariables = anyOf(
	`flask_.* django_.* app_.* main.* entry.* uvicorn_.* gunicorn_.* path .*_(app|module|script|entrypoint|entry) ` +
		`static.* media.* uploads?.* logs? data templates? public assets?`,
)

// namesFile reports whether the value of a variable is the path of a file or directory that was copied: not of all.
func (s *state) namesFile(c Call, value string) bool {
	if words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" :;,=", r) }); len(words) > 1 {
		return slices.ContainsFunc(words, func(w string) bool { return s.namesFile(c, w) })
	}
	if !plainPath.MatchString(value) || !strings.ContainsAny(value, "/.") || !path.IsAbs(value) && c.cwd == "" {
		return false
	}
	if !path.IsAbs(value) {
		value = path.Join(c.cwd, value)
	}
	found, ok := s.origin(value)
	if !ok {
		found, ok = s.origins[tree(value)]
	}
	from := path.Clean(found.from)
	return ok && s.context != nil && slices.ContainsFunc(s.context.List(path.Dir(from)), func(name string) bool {
		return strings.TrimSuffix(name, "/") == path.Base(from)
	})
}

var plainPath = regexp.MustCompile(`^[A-Za-z0-9._/@+-]+$`)

// no notes what is not known of the command at hand.
func (s *state) no(why string) bool {
	if s.why == "" {
		s.why = why
	}
	return false
}

// variableKind is what a variable may be to the tools of the table.
type variableKind int

const (
	otherVariable variableKind = iota + 1 // no tool takes notice of it, or it steers nothing that counts
	urlVariable
	placeVariable
	directoryVariable
	toolVariable
)

func (s *state) variableKind(name string) variableKind {
	if kind := s.kinds[name]; kind != 0 {
		return kind
	}
	kind := otherVariable
	switch {
	case plainVariables.MatchString(name) || name == "PATH":
	case strings.HasSuffix(strings.ToUpper(name), "_VERSION") && !versionManagers.MatchString(name):
	case urlVariables.MatchString(name):
		kind = urlVariable
	case placeVariables.MatchString(name):
		kind = placeVariable
	case toolVariables.MatchString(name):
		kind = toolVariable
	case directoryVariables.MatchString(name):
		kind = directoryVariable
	}
	s.kinds[name] = kind
	return kind
}

// steersShell reports whether a variable is set by which a shell does more than its script says.
func (*state) steersShell(vars map[string]string) bool {
	for name, value := range vars {
		if value != "" && steersShell(name) {
			return true
		}
	}
	return false
}

// searched are the directories in which images have their programs.
var searched = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// versionManagers find directories with programs that stand in for others, as files of the project say.
var versionManagers = regexp.MustCompile(
	`(?i)(asdf|mise|rtx|nvm|pyenv|rbenv|nodenv|goenv|phpenv|jenv|sdkman|volta|fnm|shims|rvm|chruby|proto|nodebrew)`,
)

// searches notes what an ENV says of PATH.
func (s *state) searches(value string) {
	for _, dir := range strings.Split(strings.Trim(value, `"'`), ":") {
		if dir == "$PATH" || dir == "${PATH}" {
			continue
		}
		full, ok := s.expand(dir)
		if !ok || !path.IsAbs(full) || versionManagers.MatchString(full) {
			s.pathUnsure = true
			continue
		}
		s.paths = append(s.paths, path.Clean(full))
	}
}

// looksUp adds where a program is looked for: a file that comes to stand there takes its place. It fails where that is
// not known.
func (s *state) looksUp(e *Effects, name string, whole bool) bool {
	if s.pathUnsure {
		return s.no("PATH may name any directory, or one of a manager of versions")
	}
	for _, dir := range slices.Concat(searched, s.paths) {
		e.Reads = append(e.Reads, path.Join(dir, name))
	}
	if s.outside.programs[name] {
		return s.no(name + " is a program that an earlier step brings")
	}
	if whole { // it runs others
		if s.outside.helper != "" {
			return s.no("it may run " + s.outside.helper + ", which an earlier step brings")
		}
		for _, dir := range s.paths {
			if len(s.names(dir)) > 0 {
				return s.no("PATH has " + dir + ", which holds programs of the project")
			}
			if !slices.Contains(searched, dir) {
				e.Reads = append(e.Reads, tree(dir))
			}
		}
	}
	return true
}

// home gives the home directory of the user, if it is known.
func (s *state) home() (dir string, known bool) {
	if home, set := s.env["HOME"]; set {
		return path.Clean(home), path.IsAbs(home)
	}
	switch {
	case s.vague["HOME"]:
		return "", false
	case len(s.homes) > 0 && s.user != "root" && s.user != "0" && s.user != "?":
		return "", false
	case s.user == "root" || s.user == "0" || s.user == "0:0" || s.user == "?" && s.official != "":
		return "/root", true
	case s.user == "node" && s.official == "node":
		return "/home/node", true
	}
	return "", false
}

// atHome adds files of the home directory that a tool reads. Where that is not known, it may be any directory that was
// copied: then none of these files may be in one.
func (s *state) atHome(e *Effects, names ...string) bool {
	if home, known := s.home(); known {
		for _, name := range names {
			e.Reads = append(e.Reads, path.Join(home, name)+slashOf(name))
		}
		return true
	}
	if s.outside.homes {
		return s.no("an earlier step may give users any directory as their home")
	}
	for _, dir := range slices.Concat(s.into, s.homes) {
		for _, name := range names {
			at := path.Join(dir, name)
			if s.there(at) && !slices.Contains(e.Reads, at) {
				return s.no("the home directory is not known, and " + at + " may be in it")
			}
			e.Reads = append(e.Reads, at+slashOf(name))
		}
	}
	for _, dir := range append([]string{"/root", "/home/" + s.user}, s.homes...) {
		for _, name := range names {
			e.Reads = append(e.Reads, path.Join(dir, name)+slashOf(name))
		}
	}
	return true
}

// link is a symbolic link that the stage has made.
type link struct{ from, to string }

// resolve follows the links that the stage has made.
func (s *state) resolve(p string) string {
	for range 8 {
		moved := false
		for _, l := range s.links {
			if rest, ok := strings.CutPrefix(p, l.from); ok && (rest == "" || rest[0] == '/') {
				p = path.Join(l.to, rest) + slashOf(p)
				moved = true
			}
		}
		if !moved {
			break
		}
	}
	return p
}

// ownPlaces are directories that no image has as links into what a project copies.
var ownPlaces = []string{"/etc/", "/usr/", "/var/lib/", "/var/cache/", "/var/log/", "/tmp/", "/root/", "/dev/", "/run/"}

// sure reports whether a path may be taken for what it says: that no link leads from it to somewhere else. A command
// that is not known may have made links, as may an image of which nothing is known.
func (s *state) sure(p string) bool {
	if slices.ContainsFunc(ownPlaces, func(dir string) bool { return strings.HasPrefix(tree(p), dir) }) {
		return true
	}
	return s.official != "" && !s.linked && !s.hasLinks()
}

// variables are all that a command sees, with unknown for a value that is not known. local are those of its script.
func (s *state) variables(local map[string]string) map[string]string {
	all := maps.Clone(s.env)
	for name := range s.vague {
		all[name] = unknown
	}
	maps.Copy(all, local)
	return all
}
