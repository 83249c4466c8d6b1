package effects

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

type packageJSON struct {
	Scripts              map[string]string `json:"scripts"`
	Workspaces           any               `json:"workspaces"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	PeerDependencies     map[string]string `json:"peerDependencies"`
	Overrides            any               `json:"overrides"`
	Resolutions          any               `json:"resolutions"`
	PNPM                 map[string]any    `json:"pnpm"`
	Patched              any               `json:"patchedDependencies"`
	PackageManager       string            `json:"packageManager"`
}

func (p *packageJSON) all() []map[string]string {
	return []map[string]string{p.Dependencies, p.DevDependencies, p.OptionalDependencies}
}

// lifecycle are the scripts of a project that an installation of its packages runs.
var lifecycle = []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare", "dependencies", "pnpm:devPreinstall"}

var (
	husky     = regexp.MustCompile(`^husky( install)?( \|\| true)?$`)
	onlyAllow = regexp.MustCompile(`^(npx (-y |--yes )?)?only-allow (npm|pnpm|yarn|bun)$`)
)

// nodePackage reads package.json, and refuses one whose installation may read more of the project. Where the file is not at
// hand the installation may read anything.
func nodePackage(s *state, e *Effects, c Call) (*packageJSON, bool) {
	if !e.caches(c) {
		return nil, false
	}
	text, ok := c.file(s, "package.json")
	var p packageJSON
	if !ok || json.Unmarshal([]byte(text), &p) != nil || p.Workspaces != nil || p.PNPM["patchedDependencies"] != nil || p.Patched != nil || !plainNPMRC(s, c) {
		return nil, false
	}
	if !c.has("--ignore-scripts") {
		for _, name := range lifecycle {
			script, has := p.Scripts[name]
			script = strings.TrimSpace(script)
			switch {
			case !has, onlyAllow.MatchString(script):
			case (name == "prepare" || name == "postinstall") && husky.MatchString(script) && !c.exists(s, ".git"):
			case name == "postinstall" && script == "patch-package" && c.cwd != "":
				e.Reads = append(e.Reads, path.Join(c.cwd, "patches")+"/")
				e.Facts = append(e.Facts, "patch-package reads the directory patches alone")
			default:
				return nil, false
			}
		}
		if c.exists(s, "binding.gyp") {
			return nil, false
		}
	}
	for _, named := range []any{p.Dependencies, p.DevDependencies, p.OptionalDependencies, p.PeerDependencies, p.Overrides, p.Resolutions, p.PNPM} {
		if namesFiles(named) {
			return nil, false
		}
	}
	for dir := c.cwd; dir != "/"; { // a project above, of which this one is a workspace
		dir = path.Dir(dir)
		above := c
		above.cwd = dir
		if text, ok := above.file(s, "package.json"); !ok && above.exists(s, "package.json") || strings.Contains(text, "workspaces") ||
			above.exists(s, "pnpm-workspace.yaml") || above.exists(s, ".yarnrc.yml") || above.exists(s, ".yarnrc") {
			return nil, false
		}
		e.Reads = append(e.Reads, path.Join(dir, "package.json"), path.Join(dir, "pnpm-workspace.yaml"), path.Join(dir, ".yarnrc.yml"))
	}
	return &p, true
}

// namesFiles reports whether a version, or one of many, is a path of the project.
func namesFiles(versions any) bool {
	switch v := versions.(type) {
	case string:
		for _, prefix := range []string{".", "/", "~/"} {
			if strings.HasPrefix(v, prefix) {
				return true
			}
		}
		for _, part := range []string{"file:", "link:", "portal:", "workspace:", "patch:", "exec:", "catalog:", "./"} {
			if strings.Contains(v, part) {
				return true
			}
		}
		return isArchive(v) && !strings.Contains(v, "://")
	case map[string]string:
		for _, version := range v {
			if namesFiles(version) {
				return true
			}
		}
	case map[string]any:
		for _, version := range v {
			if namesFiles(version) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, namesFiles)
	}
	return false
}

// plainKeys are the settings of npm and pnpm, as .npmrc has them, that name no file.
var plainKeys = regexp.MustCompile(`^(registry|@[^:]+:registry|//[^ ]*:(_authToken|_auth|_password|username|email|always-auth)|_auth|_authToken|email|always-auth|save|save-exact|save-prefix|save-dev|engine-strict|legacy-peer-deps|` +
	`fund|audit|audit-level|loglevel|package-lock|lockfile|progress|color|unicode|strict-ssl|strict-peer-dep(endencie)?s|auto-install-peers|shamefully-hoist|hoist|hoist-pattern|public-hoist-pattern|node-linker|ignore-scripts|` +
	`fetch-retries|fetch-retry-[a-z]+|fetch-timeout|maxsockets|network-concurrency|child-concurrency|network-timeout|update-notifier|prefer-offline|prefer-online|prefer-frozen-lockfile|prefer-dedupe|resolution-mode|` +
	`dedupe-peer-dependents|dedupe-direct-deps|link-workspace-packages|prefer-workspace-packages|shared-workspace-lockfile|omit|include|production|unsafe-perm|side-effects-cache|use-node-version|node-version|` +
	`target|disturl|runtime|build-from-source|resolve-peers-from-workspace-root|enable-pre-post-scripts|manage-package-manager-versions|package-manager-strict|minimum-release-age|min-release-age|` +
	`ignore-workspace-root-check|install-strategy|foreground-scripts|sign-git-tag|tag-version-prefix|message|force|timeout|node-gyp-retry)$`)

// plainNPMRC reports whether an .npmrc of the project names no other file, such as a certificate.
func plainNPMRC(s *state, c Call) bool {
	text, ok := c.file(s, ".npmrc")
	if !ok {
		return !c.exists(s, ".npmrc")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, _, _ := strings.Cut(line, "=")
		if line != "" && line[0] != '#' && line[0] != ';' && !plainKeys.MatchString(strings.TrimSuffix(strings.TrimSpace(key), "[]")) {
			return false
		}
	}
	return true
}

func elsewhere(c Call) bool {
	return c.has("--workspace", "-w", "--workspaces", "-ws", "--include-workspace-root", "--filter", "-F", "--modules-folder", "--global-dir", "--lockfile-dir", "--store", "--store-dir", "--virtual-store-dir", "--modules-dir",
		"--package-lock-only", "--lockfile-only", "--recursive", "-r", "--userconfig", "--globalconfig", "--cafile", "--node-options", "--script-shell", "--use-yarnrc", "--link-folder", "--config", "-c", "--backend", "--install-links", "--dry-run", "--mode", "--yarn-offline-mirror")
}

// nodeOptions are options of the package managers of Node.js that are followed by a value.
const nodeOptions = "--loglevel --omit --include --registry --fetch-timeout --fetch-retries --fetch-retry-mintimeout --fetch-retry-maxtimeout --network-timeout --network-concurrency --maxsockets --reporter --mutex --location --child-concurrency --cache --cache-folder --cache-dir"

// caches adds where a cache is that one of these options names. It fails if that may be within the project.
func (e *Effects) caches(c Call) bool {
	for i, a := range c.Args {
		name, value, has := strings.Cut(a, "=")
		if name != "--cache" && name != "--cache-folder" && name != "--cache-dir" {
			continue
		}
		if !has && i+1 < len(c.Args) {
			value = c.Args[i+1]
		}
		if !path.IsAbs(value) {
			return false
		}
		e.Reads, e.Writes = append(e.Reads, tree(path.Clean(value))), append(e.Writes, tree(path.Clean(value)))
	}
	return true
}

func npm(s *state, e *Effects, c Call) bool {
	global := c.has("-g", "--global", "--location")
	c, ok := c.in("--prefix", "-C")
	words := c.words(nodeOptions)
	if !ok || len(words) == 0 || c.Dynamic || elsewhere(c) {
		return false
	}
	switch {
	case words[0] == "cache" && len(words) == 2:
		e.installs(s)
		return true
	case words[0] == "config" && len(words) > 1 && words[1] == "set":
		return s.sets(c, words[2:]) && e.project(s, c, []string{".npmrc", "package.json"}, nil)
	case global:
		if !slices.Contains([]string{"install", "i", "add", "update"}, words[0]) || len(words) < 2 || namesFiles(anyOf(words[1:])) {
			return false
		}
		e.installs(s) // the project's settings are not read
		return true
	case len(words) != 1 || !slices.Contains([]string{"ci", "install", "i", "clean-install"}, words[0]):
		return false
	}
	p, ok := nodePackage(s, e, c)
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

func anyOf(words []string) (list []any) {
	for _, w := range words {
		list = append(list, w)
	}
	return list
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

// inSync reports whether a lock file has each dependency with the version that package.json wants, as the pattern says where
// NAME and VERSION stand for them.
func (p *packageJSON) inSync(lock, pattern string) bool {
	for _, list := range p.all() {
		for name, version := range list {
			wanted := strings.NewReplacer("NAME", regexp.QuoteMeta(name), "VERSION", regexp.QuoteMeta(version)).Replace(pattern)
			if re, err := regexp.Compile(wanted); err != nil || !re.MatchString(lock) {
				return false
			}
		}
	}
	return true
}

// pinned are the manifests that Corepack writes: it notes the version of a package manager in package.json, if none stands there.
func (s *state) pinned(p *packageJSON) []string {
	if s.corepack && p.PackageManager == "" && s.env["COREPACK_ENABLE_AUTO_PIN"] != "0" {
		return []string{"package.json"}
	}
	return nil
}

var (
	lockedFile   = regexp.MustCompile(`(?m)(^|[^\w-])(file|link|portal|exec|patch):|workspace:(\./)?\w`)
	builtinPatch = regexp.MustCompile(`@patch:[^"#\n]*#[a-z~!]*builtin<[^>\n]*>`)
)

// lockNamesFiles reports whether a lock file of yarn or pnpm has a package of the project's own, or a patch; those that yarn brings
// along are none.
func lockNamesFiles(lock string) bool {
	return lockedFile.MatchString(builtinPatch.ReplaceAllString(lock, ""))
}

// yarnKeys are the settings of yarn 2 and later that name no file.
var yarnKeys = regexp.MustCompile(`^(nodeLinker|enable[A-Za-z]+|compressionLevel|npmRegistryServer|npmScopes|npmRegistries|npmAlwaysAuth|npmAuthToken|nmHoistingLimits|nmMode|checksumBehavior|logFilters|defaultSemverRangePrefix|` +
	`httpTimeout|httpRetry|networkConcurrency|packageExtensions|preferInteractive|supportedArchitectures|npmMinimalAgeGate|pnpMode|pnpFallbackMode|preferReuse|progressBarStyle|telemetryInterval):`)

// yarnPlugins are the plugins of yarn's own that do nothing when it installs what a lock file says.
var yarnPlugins = strings.Fields("interactive-tools workspace-tools typescript version")

var (
	yarnPath   = regexp.MustCompile(`^yarnPath: "?(\.yarn/releases/[A-Za-z0-9.@_-]+)"?$`)
	yarnPlugin = regexp.MustCompile(`^ +- path: "?(\.yarn/plugins/@yarnpkg/plugin-([a-z-]+)\.cjs)"?$`)
)

// yarnPrograms reads the settings of yarn: it gives the programs of the project that they name, yarn itself and its own plugins. It
// fails if they name anything else, or if anything else is in the directory of yarn.
func yarnPrograms(s *state, c Call) (programs []string, ok bool) {
	settings, ok := c.file(s, ".yarnrc.yml")
	if !ok {
		return nil, !c.exists(s, ".yarnrc.yml") && !c.exists(s, ".yarn")
	}
	plugins := false
	for line := range strings.Lines(settings) {
		line = strings.TrimRight(line, "\r\n")
		inner := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		switch {
		case strings.TrimLeft(line, " \t#-") == "" || strings.HasPrefix(strings.TrimSpace(line), "#"):
		case inner && plugins:
			if m := yarnPlugin.FindStringSubmatch(line); m != nil && slices.Contains(yarnPlugins, m[2]) {
				programs = append(programs, m[1])
			} else if !strings.HasPrefix(strings.TrimSpace(line), "spec: ") {
				return nil, false
			}
		case inner:
		case line == "plugins:":
			plugins = true
			continue
		case yarnPath.MatchString(line):
			programs = append(programs, yarnPath.FindStringSubmatch(line)[1])
		case !yarnKeys.MatchString(line):
			return nil, false
		}
		plugins = plugins && inner
	}
	for _, program := range programs {
		if !c.exists(s, program) {
			return nil, false
		}
	}
	for _, name := range s.names(path.Join(c.cwd, ".yarn")) {
		switch name {
		case "releases", "plugins", "sdks", "versions":
		default: // packages, or patches of them
			return nil, false
		}
	}
	if len(programs) == 0 && c.exists(s, ".yarn") {
		return nil, false
	}
	return programs, true
}

func yarn(s *state, e *Effects, c Call) bool {
	c, ok := c.in("--cwd")
	words := c.words(nodeOptions)
	switch {
	case !ok || c.Dynamic || elsewhere(c):
		return false
	case len(words) == 2 && words[0] == "cache" && words[1] == "clean":
		e.installs(s)
		return true
	case len(words) == 4 && words[0] == "config" && words[1] == "set":
		return s.sets(c, words[2:]) && e.project(s, c, []string{".yarnrc", ".yarnrc.yml", ".npmrc", "package.json"}, []string{".yarnrc.yml"})
	case len(words) > 2 && words[0] == "global" && words[1] == "add":
		if namesFiles(anyOf(words[2:])) {
			return false
		}
		e.installs(s)
		return true
	case !onlyOptions(words, "") && !onlyOptions(words, "install"):
		return false
	}
	p, ok := nodePackage(s, e, c)
	if !ok || c.exists(s, ".pnp.cjs") || c.exists(s, ".yarnrc") {
		return false
	}
	programs, ok := yarnPrograms(s, c)
	if !ok {
		return false
	}
	writes := append([]string{"node_modules/", ".pnp.cjs", ".pnp.loader.mjs"}, s.pinned(p)...)
	if len(programs) == 0 {
		writes = append(writes, ".yarn/")
	} else {
		writes = append(writes, ".yarn/cache/", ".yarn/unplugged/", ".yarn/install-state.gz", ".yarn/build-state.yml", ".yarn/ci-cache/")
	}
	lock, locked := c.file(s, "yarn.lock")
	if lockNamesFiles(lock) {
		return false
	}
	if !c.has("--frozen-lockfile", "--immutable", "--pure-lockfile") {
		if locked && p.inSync(lock, `NAME@(npm:)?VERSION`) {
			e.Facts = append(e.Facts, "yarn leaves a yarn.lock that fits package.json as it is")
		} else {
			writes = append(writes, "yarn.lock")
		}
	}
	return e.project(s, c, append([]string{"package.json", "yarn.lock", ".npmrc", ".yarnrc", ".yarnrc.yml"}, programs...), writes)
}

func pnpm(s *state, e *Effects, c Call) bool {
	global := c.has("-g", "--global")
	c, ok := c.in("--dir", "-C", "--prefix")
	words := c.words(nodeOptions)
	switch {
	case !ok || c.Dynamic || elsewhere(c) || len(words) == 0:
		return false
	case len(words) == 4 && words[0] == "config" && words[1] == "set":
		return s.sets(c, words[2:]) && e.project(s, c, []string{".npmrc", "package.json", "pnpm-workspace.yaml"}, []string{"pnpm-workspace.yaml"})
	case global:
		if words[0] != "add" || len(words) < 2 || namesFiles(anyOf(words[1:])) {
			return false
		}
		e.installs(s)
		return true
	}
	fetch := onlyOptions(words, "fetch") // reads the lock file alone
	if !onlyOptions(words, "install") && !onlyOptions(words, "i") && !fetch {
		return false
	}
	p, ok := nodePackage(s, e, c)
	if !ok || !plainWorkspace(s, c, p) || c.exists(s, ".pnpmfile.cjs") || c.exists(s, ".pnpmfile.mjs") {
		return false
	}
	writes := append([]string{"node_modules/", ".pnpm-store/"}, s.pinned(p)...)
	lock, locked := c.file(s, "pnpm-lock.yaml")
	switch {
	case lockNamesFiles(lock) || fetch && !locked:
		return false
	case !locked:
		writes = append(writes, "pnpm-lock.yaml")
	case c.has("--frozen-lockfile") || fetch:
	case p.inSync(lock, `(?m)^ +'?NAME'?:\n +specifier: '?VERSION'?$`):
		e.Facts = append(e.Facts, "pnpm leaves a pnpm-lock.yaml that fits package.json as it is")
	default:
		return false
	}
	return e.project(s, c, []string{"package.json", "pnpm-lock.yaml", ".npmrc", "pnpm-workspace.yaml"}, writes)
}

// workspaceKeys are the settings of pnpm that name no file, as pnpm-workspace.yaml has them.
var workspaceKeys = regexp.MustCompile(`^(packages|minimumReleaseAge|minimumReleaseAgeExclude|trustPolicy|trustPolicyExclude|trustPolicyIgnoreAfter|allowBuilds|onlyBuiltDependencies|ignoredBuiltDependencies|neverBuiltDependencies|` +
	`strictDepBuilds|blockExoticSubdeps|nodeLinker|shamefullyHoist|hoist|hoistPattern|publicHoistPattern|autoInstallPeers|strictPeerDependencies|dedupePeerDependents|dedupeDirectDeps|peerDependencyRules|resolutionMode|` +
	`engineStrict|savePrefix|saveExact|preferFrozenLockfile|linkWorkspacePackages|sharedWorkspaceLockfile|managePackageManagerVersions|packageManagerStrict|networkConcurrency|fetchRetries|fetchTimeout):`)

// ownPnpm finds the versions of pnpm that leave pnpm-workspace.yaml as it is; later ones add to it what packages want to run.
var ownPnpm = regexp.MustCompile(`^pnpm@(9|10)\.`)

// plainWorkspace reports whether pnpm-workspace.yaml has settings only, and no other package than this one.
func plainWorkspace(s *state, c Call, p *packageJSON) bool {
	text, ok := c.file(s, "pnpm-workspace.yaml")
	if !ok {
		return !c.exists(s, "pnpm-workspace.yaml")
	}
	if !ownPnpm.MatchString(p.PackageManager) || strings.Contains(text, "file:") || strings.Contains(text, "./") {
		return false
	}
	key := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "" || strings.HasPrefix(strings.TrimSpace(line), "#"):
		case line[0] != ' ' && line[0] != '-':
			if !workspaceKeys.MatchString(line) {
				return false
			}
			key = line
		case strings.HasPrefix(key, "packages:") && strings.Trim(line, ` -"'`) != ".":
			return false
		}
	}
	return !strings.Contains(text, "packages: [")
}

func bun(s *state, e *Effects, c Call) bool {
	c, ok := c.in("--cwd")
	words := c.words(nodeOptions)
	if !ok || elsewhere(c) || !onlyOptions(words, "install") && !onlyOptions(words, "i") && !onlyOptions(words, "ci") || c.Dynamic {
		return false
	}
	p, ok := nodePackage(s, e, c)
	if settings, _ := c.file(s, "bunfig.toml"); !ok || strings.Contains(settings, "./") || strings.Contains(settings, `"/`) || strings.Contains(settings, "'/") || c.exists(s, "bun.lockb") && !c.has("--frozen-lockfile") && words[0] != "ci" {
		return false
	}
	writes := []string{"node_modules/"}
	lock, locked := c.file(s, "bun.lock")
	switch {
	case strings.Contains(lock, "file:") || strings.Contains(lock, "link:"):
		return false
	case c.has("--frozen-lockfile") || words[0] == "ci":
	case locked && p.inSync(lock, `"NAME": "VERSION"`):
		e.Facts = append(e.Facts, "bun leaves a bun.lock that fits package.json as it is")
	default:
		writes = append(writes, "bun.lock")
	}
	return e.project(s, c, []string{"package.json", "bun.lock", "bun.lockb", "bunfig.toml", ".npmrc"}, writes)
}

func corepack(s *state, e *Effects, c Call) bool {
	words := c.words("--install-directory")
	if len(words) == 0 || c.Dynamic || c.has("--install-directory") {
		return false
	}
	switch words[0] {
	case "enable", "prepare":
		if words[0] == "prepare" && len(words) == 1 { // the version that package.json names
			return false
		}
		s.corepack = true
		e.installs(s)
		return true
	}
	return false
}

// deno downloads what its settings and lock file name. The entry points whose imports it may follow are not named then.
func deno(s *state, e *Effects, c Call) bool {
	words := c.words("")
	if c.Dynamic || !onlyOptions(words, "install") && !onlyOptions(words, "ci") || c.has("-g", "--global", "-e", "--entrypoint", "-c", "--config", "--import-map", "--node-modules-dir", "--vendor", "--root", "--lock") ||
		words[0] == "install" && !c.has("--frozen") {
		return false
	}
	name := "deno.json"
	if !c.exists(s, name) {
		name = "deno.jsonc"
	}
	text, ok := c.file(s, name)
	if !ok || !c.exists(s, "deno.lock") || c.exists(s, "package.json") || strings.Contains(text, `"./`) || strings.Contains(text, `"../`) || strings.Contains(text, `"/`) || strings.Contains(text, "workspace") ||
		strings.Contains(text, "importMap") || strings.Contains(text, "file:") || strings.Contains(text, `"links"`) || strings.Contains(text, `"patch"`) {
		return false
	}
	return e.project(s, c, []string{"deno.json", "deno.jsonc", "deno.lock", "package.json", ".npmrc"}, []string{"node_modules/", "vendor/"})
}
