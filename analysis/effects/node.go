package effects

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	npmOptions = "--no-audit --audit=false --audit --no-fund --fund=false --fund --omit=dev --omit=optional " +
		"--omit=peer --include=dev --include=optional --only=production --only=prod --only=dev --production " +
		"--production=false --production=true --dev " +
		"--legacy-peer-deps --legacy-peer-deps=true --force -f --no-optional --optional=false --ignore-scripts " +
		"--ignore-scripts=true --unsafe-perm --unsafe-perm=true --foreground-scripts --loglevel= --silent -s " +
		"--allow-git=none --allow-git=root --quiet -q --verbose --no-progress --progress=false " +
		"--no-update-notifier --no-bin-links --strict-peer-deps --prefer-offline --prefer-online --registry= " +
		"--fetch-timeout= --fetch-retries= --fetch-retry-mintimeout= --fetch-retry-maxtimeout= " +
		"--network-timeout= --maxsockets= --cache= --prefix= -C= --no-save -g --global -E --save-exact " +
		"--no-package-lock --package-lock=false -w= --workspace= --workspaces --include-workspace-root"
	yarnOptions = "--frozen-lockfile --frozen-lockfile=true --pure-lockfile --immutable --no-immutable --production " +
		"--production=true --production=false --prod --non-interactive --no-progress --silent -s --ignore-scripts " +
		"--ignore-optional --ignore-engines --ignore-platform --no-bin-links " +
		"--network-timeout= --network-concurrency= --prefer-offline --registry= --cache-folder= --cwd= --mutex= " +
		"--verbose --force --check-files --inline-builds --no-emoji --no-default-rc --no-node-version-check --json"
	pnpmOptions = "--frozen-lockfile --frozen-lockfile=true --no-frozen-lockfile --prefer-frozen-lockfile --prod -P " +
		"--production --dev -D --no-optional --ignore-scripts --ignore-scripts=true --prefer-offline --offline " +
		"--reporter= --loglevel= --silent -s --shamefully-hoist --force --strict-peer-dependencies " +
		"--no-strict-peer-dependencies --registry= --network-concurrency= --child-concurrency= --dir= -C= --global " +
		"-g --filter= -F= -r --recursive --config.confirmModulesPurge=false --no-verify-store-integrity " +
		"--unsafe-perm --store-dir="
	bunOptions = "--frozen-lockfile --production -p --no-save --ignore-scripts --no-progress --silent --verbose " +
		"--no-summary --no-verify --force -f --no-cache --cwd= --omit=dev --omit=optional --omit=peer --registry="
)

type packageJSON struct {
	Name                 string            `json:"name"`
	Version              string            `json:"version"`
	Scripts              map[string]string `json:"scripts"`
	Workspaces           any               `json:"workspaces"`
	Config               any               `json:"config"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	PeerDependencies     map[string]string `json:"peerDependencies"`
	Overrides            any               `json:"overrides"`
	Resolutions          any               `json:"resolutions"`
	PNPM                 map[string]any    `json:"pnpm"`
	Patched              any               `json:"patchedDependencies"`
	Plugins              any               `json:"installConfig"`
	PackageManager       string            `json:"packageManager"`
	Trusted              any               `json:"trustedDependencies"`
	Meta                 map[string]any    `json:"dependenciesMeta"`
	GypFile              any               `json:"gypfile"`
	Bin                  any               `json:"bin"`
}

// plainFields reports whether no field of a JSON object is there twice in other cases: Go's reader would take one for
// the other.
func plainFields(text string) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		return false
	}
	seen := map[string]bool{}
	for name := range fields {
		lower := strings.ToLower(name)
		if seen[lower] || name != lower && slices.Contains(packageFields, lower) {
			return false
		}
		seen[lower] = true
	}
	return true
}

// packageFields are the fields of packageJSON that have no capital letters.
var packageFields = strings.Fields("scripts workspaces dependencies overrides resolutions pnpm gypfile bin")

// pnpmFields are the fields of "pnpm" in package.json that name no file.
var pnpmFields = strings.Fields(
	"overrides packageExtensions peerDependencyRules neverBuiltDependencies onlyBuiltDependencies " +
		"ignoredBuiltDependencies allowedDeprecatedVersions allowNonAppliedPatches supportedArchitectures " +
		"ignoredOptionalDependencies updateConfig auditConfig requiredScripts strictDepBuilds executionEnv",
)

// lifecycle are the scripts of a project that an installation of its packages runs.
var lifecycle = []string{
	"preinstall",
	"install",
	"postinstall",
	"prepublish",
	"preprepare",
	"prepare",
	"postprepare",
	"dependencies",
	"pnpm:devPreinstall",
}

var (
	husky      = regexp.MustCompile(`^husky( install)?( \|\| true)?$`)
	huskyPlain = regexp.MustCompile(`^[\^~]?([5-9]|\d\d)\b`) // has no install script of its own
)

var onlyAllow = regexp.MustCompile(`^(npx (-y |--yes )?)?only-allow (npm|pnpm|yarn|bun)$`)

// nodePackage reads package.json, and refuses one whose installation may read more of the project. Where the file is
// not at hand the installation may read anything. workspace says that the package manager takes its workspaces in.
func nodePackage(s *state, e *Effects, c Call, l line, workspace bool) (*packageJSON, bool) {
	text, ok := c.file(s, "package.json")
	var p packageJSON
	switch {
	case !ok:
		return nil, s.no("package.json is not copied above, or may have been changed since")
	case json.Unmarshal([]byte(text), &p) != nil || !plainFields(text):
		return nil, s.no("package.json cannot be read")
	case p.Workspaces != nil && !workspace:
		return nil, s.no("package.json has workspaces")
	case !plainNPMRC(s, c):
		return nil, s.no(".npmrc has settings that may name files")
	}
	workspace = workspace && (p.Workspaces != nil || c.Args[0] == "pnpm")
	e.Reads = append(e.Reads, "env:BUILD_ID", "env:BUILD_NUMBER") // by them it knows CI, where a lock file is frozen
	scripts := !l.has("--ignore-scripts", "--ignore-scripts=true")
	for key := range p.PNPM {
		if !slices.Contains(pnpmFields, key) {
			return nil, s.no("package.json has pnpm." + key + ", which may name files")
		}
	}
	if p.Patched != nil || p.Plugins != nil ||
		!e.cacheOption(l) {
		return nil, false
	}
	if lock := manifests(c.Args[0], "install").Manifests[1]; scripts && !c.exists(s, lock) &&
		(workspace || len(p.Dependencies)+len(p.DevDependencies)+len(p.OptionalDependencies) > 0) {
		return nil, s.no("without " + lock + " it is not known which packages come, and what their install scripts read")
	}
	if scripts {
		if !p.plainScripts(s, e, c) {
			return nil, false
		}
		modules, none := c.above(s, "node_modules")
		if !none {
			return nil, s.no("install scripts find packages in a node_modules directory above")
		}
		e.Reads = append(e.Reads, modules...)
	}
	if p.namesFiles(workspace) || workspace && !notInjected(p.Meta) {
		return nil, s.no("package.json names a file or directory of the project")
	}
	above, none := c.above(
		s,
		"pnpm-workspace.yaml",
		".yarnrc.yml",
		".yarnrc",
		"yarn.lock",
		".npmrc",
		"lerna.json",
	)
	e.Reads = append(e.Reads, above...)
	if !none {
		s.no("a project above the working directory may have this one as a part")
	}
	return &p, none && s.packagesAbove(e, c)
}

// versionName is the name of a file in place of which the install script of cypress would download that version.
var versionName = regexp.MustCompile(`^\d+\.\d+\.\d+`)

// plainScripts reports whether no script that runs with the installation may read more of the project.
func (p *packageJSON) plainScripts(s *state, e *Effects, c Call) bool {
	if !mayBuild(p.Trusted) || !mayBuild(p.PNPM["onlyBuiltDependencies"]) || p.PNPM["neverBuiltDependencies"] != nil ||
		!builtPlain(p.Meta) {
		return s.no("package.json lets a package run scripts that nobody has looked at")
	}
	for _, name := range lifecycle {
		switch script, has := p.Scripts[name]; {
		case !has || onlyAllow.MatchString(strings.TrimSpace(script)):
		case (name == "prepare" || name == "postinstall") && husky.MatchString(strings.TrimSpace(script)) &&
			!c.exists(s, ".git"): // without which it does nothing
			git := path.Join(c.cwd, ".git") + "/"
			e.Reads, e.Perhaps = append(e.Reads, git), append(e.Perhaps, git)
		default:
			return s.no(fmt.Sprintf("package.json has a script %q, which runs with it", name))
		}
	}
	if c.exists(s, "binding.gyp") || p.GypFile != nil {
		return s.no("binding.gyp is built")
	}
	for _, list := range []map[string]string{p.Dependencies, p.DevDependencies, p.OptionalDependencies} {
		for name, version := range list {
			name = aliased(name, version)
			if readsProject(name, version) {
				return s.no("the install script of " + name + " may read the project")
			}
			if name == "cypress" && (p.Config != nil || slices.ContainsFunc(s.names(c.cwd), versionName.MatchString)) {
				return s.no("cypress takes a file that package.json names in its config, or one named like its version")
			}
		}
	}
	return true
}

// cacheOption adds where a cache is that an option names. It fails if that may be within the project.
func (e *Effects) cacheOption(l line) bool {
	for _, name := range []string{"--cache", "--cache-folder", "--store-dir"} {
		for _, dir := range l.values[name] {
			if !plainDir.MatchString(dir) {
				return false
			}
			e.Reads, e.Writes = append(e.Reads, tree(path.Clean(dir))), append(e.Writes, tree(path.Clean(dir)))
		}
	}
	for _, url := range l.values["--registry"] {
		if !strings.HasPrefix(url, "http") {
			return false
		}
	}
	return true
}

// projectReaders are packages that read files of the project when they are installed, or may run its programs.
var projectReaders = strings.Fields(
	"prisma @prisma/client @prisma/engines msw lefthook @evilmartians/lefthook " +
		"@evilmartians/lefthook-installer @arkweit/lefthook lefthook-bin " +
		"puppeteer simple-git-hooks pre-commit pre-push ghooks git-hooks yorkie nx @nrwl/workspace @nrwl/cli " +
		"@angular/cli playwright playwright-chromium playwright-firefox playwright-webkit " +
		"@playwright/browser-chromium electron node-pre-gyp-github snyk postinstall-postinstall " +
		"nativescript @nativescript/core cordova react-native-builder-bob " +
		"zenstack @zenstackhq/runtime contentlayer edgedb @medusajs/medusa ngx-build-plus @ionic/cli " +
		"opencollective-postinstall @nestjs/microservices-cli workerd-config relay-compiler graphql-cli " +
		"apollo-cli meteor-node-stubs detox appcenter-cli expo-yarn-workspaces " +
		"patch-package-postinstall lerna-postinstall bower install-peers npm-force-resolutions hooks-installer " +
		"@sveltejs/kit @vercel/speed-insights git-commit-msg-linter @commitlint/install validate-commit-msg " +
		"vue-cli-plugin-electron-builder " +
		"electron-builder electron-rebuild @electron/rebuild semantic-ui fomantic-ui npm-merge-driver-install " +
		"puppeteer-chromium-resolver @prisma/cli @redwoodjs/core appium nativescript-dev-webpack " +
		"nativescript-dev-typescript @nativescript/webpack",
)

// readsProject reports whether this version of a package is one of them.
func readsProject(name, version string) bool {
	return slices.Contains(projectReaders, name) || name == "husky" && !huskyPlain.MatchString(version)
}

// aliased gives the name of the package that a dependency stands for: "npm:puppeteer@22" is puppeteer under any name.
func aliased(name, version string) string {
	other, is := strings.CutPrefix(version, "npm:")
	if at := strings.LastIndexByte(other, '@'); is && at > 0 {
		return other[:at]
	}
	return name
}

// ownInstallers are packages with an install script of which it is known that it reads nothing of the project: they
// compile or download a binary of their own, or say thanks. That of @sentry/cli reads .env when it is asked for its
// version, which changes nothing; that of @firebase/util reads the file that FIREBASE_WEBAPP_CONFIG names, and such a
// variable keeps an installation where it is.
var ownInstallers = strings.Fields(
	"esbuild sharp bcrypt fsevents core-js core-js-pure @swc/core better-sqlite3 sqlite3 canvas node-sass " +
		"sass-embedded argon2 bufferutil utf-8-validate cpu-features ssh2 protobufjs es5-ext @parcel/watcher " +
		"unrs-resolver @tailwindcss/oxide lmdb msgpackr-extract " +
		"node-pty keytar re2 zeromq leveldown classic-level farmhash iltorb dtrace-provider microtime snappy libpq " +
		"dd-trace @datadog/native-appsec @datadog/native-metrics @datadog/pprof isolated-vm tree-sitter " +
		"@nestjs/core vue-demi styled-components nodemon deasync node-expat usb serialport " +
		"@serialport/bindings-cpp " +
		"ref-napi ffi-napi rocksdb sodium-native secp256k1 keccak bigint-buffer blake-hash bcrypto " +
		"@apollo/protobufjs @mongodb-js/zstd mongodb-client-encryption kerberos heapdump v8-profiler-next grpc " +
		"integer weak-napi @vscode/ripgrep onnxruntime-node @tensorflow/tfjs-node hiredis unix-dgram " +
		"pngquant-bin gifsicle mozjpeg " +
		"optipng-bin jpegtran-bin cwebp-bin ejs highlight.js @scarf/scarf dprint aws-crt duckdb oracledb ibm_db " +
		"couchbase tiny-secp256k1 @ffmpeg-installer/ffmpeg ffmpeg-static @ffprobe-installer/ffprobe node-libcurl " +
		"pg-native ttypescript fibers nan preact less @biomejs/biome @fortawesome/fontawesome-free " +
		"cypress nuxt @sentry/cli @firebase/util",
)

// mayBuild reports whether the packages of a setting that lets packages run their install scripts are all known to read
// nothing of the project: the setting is a list of names, or a map of those with true or false.
func mayBuild(setting any) bool {
	known := func(name any) bool { text, ok := name.(string); return ok && slices.Contains(ownInstallers, text) }
	switch v := setting.(type) {
	case nil:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(name any) bool { return !known(name) })
	case map[string]any:
		for name, value := range v {
			if value != false && !known(name) {
				return false
			}
		}
		return true
	}
	return false
}

// builtPlain reports whether dependenciesMeta lets no package run scripts of which nothing is known.
func builtPlain(meta map[string]any) bool {
	for name, value := range meta {
		settings, ok := value.(map[string]any)
		if !ok || settings["built"] != nil && settings["built"] != false && !slices.Contains(ownInstallers, name) {
			return false
		}
	}
	return true
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
var plainKeys = anyOf(
	`registry @[^:]+:registry //[^\s]*:(_authToken|_auth|_password|username|email|always-auth) _auth _authToken ` +
		`email always-auth save save-exact save-prefix save-dev engine-strict legacy-peer-deps fund audit audit-level ` +
		`loglevel progress color unicode strict-ssl strict-peer-dep(endencie)?s auto-install-peers shamefully-hoist ` +
		`hoist hoist-pattern public-hoist-pattern node-linker fetch-retries fetch-retry-[a-z]+ fetch-timeout ` +
		`maxsockets network-concurrency child-concurrency network-timeout update-notifier prefer-online ` +
		`prefer-frozen-lockfile prefer-dedupe resolution-mode dedupe-peer-dependents dedupe-direct-deps omit include ` +
		`production unsafe-perm side-effects-cache package-manager-strict minimum-release-age min-release-age ` +
		`link-workspace-packages prefer-workspace-packages save-workspace-protocol ` +
		`install-strategy foreground-scripts sign-git-tag tag-version-prefix message force timeout`,
)

// prebuilt takes in the settings of prebuild-install, which install scripts run where a lock file has it: it looks for
// them in all directories above its package. It fails if there are any.
func prebuilt(s *state, e *Effects, c Call, lock string, scripts bool) bool {
	const name = ".prebuild-installrc"
	if !scripts || !strings.Contains(lock, "prebuild-install") {
		return true
	}
	above, none := c.above(s, name)
	if c.exists(s, name) || !none {
		return s.no(name + " may name files of the project")
	}
	e.Reads = append(e.Reads, above...)
	e.configured(s, c.cwd, []string{name})
	return true
}

// plainNPMRC reports whether an .npmrc of the project names no other file, such as a certificate, and turns nothing on
// that does.
func plainNPMRC(s *state, c Call) bool {
	text, ok := c.file(s, ".npmrc")
	if !ok {
		return !c.exists(s, ".npmrc")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, _, _ := strings.Cut(line, "=")
		if line != "" && line[0] != '#' && line[0] != ';' &&
			(!plainKeys.MatchString(strings.TrimSuffix(strings.TrimSpace(key), "[]")) ||
				strings.HasPrefix(key, "node-linker") && strings.Contains(line, "pnp")) {
			return false
		}
	}
	return true
}

// npmLock is what counts of a package-lock.json.
type npmLock struct {
	Version  int                       `json:"lockfileVersion"`
	Packages map[string]npmLockPackage `json:"packages"`
}

type npmLockPackage struct {
	Resolved         string `json:"resolved"`
	Integrity        string `json:"integrity"`
	Link             bool   `json:"link"`
	HasInstallScript bool   `json:"hasInstallScript"`
	Name             string `json:"name"`
	Version          string `json:"version"`
}

// refused says what of a lock file names a file of the project, or is a package with an install script that may read
// one, "" if nothing does. members are the directories of the workspace's packages.
func (l *npmLock) refused(scripts bool, members []string) string {
	for _, at := range slices.Sorted(maps.Keys(l.Packages)) {
		p := l.Packages[at]
		if at == "" || slices.Contains(members, at) || p.Link && slices.Contains(members, p.Resolved) {
			continue
		}
		at = inMember(at, members)
		if p.Link || !strings.HasPrefix(at, "node_modules/") || namesFiles(p.Resolved) || namesFiles(p.Version) {
			return "package-lock.json has " + at + ", which is of the project"
		}
		if scripts && fromGit.MatchString(p.Resolved) {
			return at + " comes from git, and its own scripts make a package of it, which may read the project"
		}
		name := p.Name
		if name == "" {
			name = at[strings.LastIndex("/"+at, "node_modules/")+len("node_modules/")-1:]
		}
		if scripts && (readsProject(name, p.Version) || p.HasInstallScript && !slices.Contains(ownInstallers, name)) {
			return "the install script of " + name + " may read the project"
		}
	}
	return ""
}

// fromGit finds addresses of packages that come from git. Their scripts, such as prepare, run when they are installed,
// and no lock file says whether they have any.
var fromGit = regexp.MustCompile(
	`^(git[+:@]|ssh:|github:|gitlab:|bitbucket:|gist:)|\.git(#|$)|#commit=|//codeload\.github\.com/`,
)

// inMember gives a place in a lock file from the directory of the workspace's package that it lies in.
func inMember(at string, members []string) string {
	for _, dir := range members {
		if rest, ok := strings.CutPrefix(at, dir+"/"); ok && strings.HasPrefix(rest, "node_modules/") {
			return rest
		}
	}
	return at
}

func npm(s *state, e *Effects, c Call) bool {
	l, ok := c.line(npmOptions)
	if !ok || c.Dynamic || len(l.words) == 0 {
		return false
	}
	c, ok = c.at(l, "--prefix", "-C")
	switch {
	case !ok:
		return false
	case l.only("cache", "clean"):
		return e.installs(s, c)
	case l.has("-g", "--global"):
		if l.has("--prefix", "-C") || !slices.Contains([]string{"install", "i", "add", "update"}, l.words[0]) ||
			len(l.words) < 2 ||
			slices.ContainsFunc(l.words[1:], notRegistry) {
			return false
		}
		return e.installs(s, c) // the project's settings are not read
	case len(l.words) != 1 || !slices.Contains([]string{"ci", "clean-install", "install-clean", "install", "i"},
		l.words[0]):
		return false
	case c.exists(s, "npm-shrinkwrap.json"):
		return false
	}
	p, ok := nodePackage(s, e, c, l, true)
	if !ok {
		return false
	}
	members, ok := s.membersOf(e, c, l, p)
	if !ok {
		return false
	}
	text, locked := c.file(s, "package-lock.json")
	var lock npmLock
	if c.exists(s, "package-lock.json") {
		if !locked || json.Unmarshal([]byte(text), &lock) != nil || lock.Version < 2 {
			return s.no("package-lock.json cannot be read, or is of an old version")
		}
		if why := lock.refused(!l.has("--ignore-scripts", "--ignore-scripts=true"), members); why != "" {
			return s.no(why)
		}
	}
	if !prebuilt(s, e, c, text, !l.has("--ignore-scripts", "--ignore-scripts=true")) {
		return false
	}
	verb := manifests("npm", l.words[0])
	switch {
	case !locked && len(verb.Locks) == 0:
		return s.no("there is no package-lock.json")
	case len(verb.Locks) > 0 && c.exists(s, "yarn.lock"):
		return s.no("npm install goes by yarn.lock, too, and keeps it up to date")
	}
	if !l.has("--no-package-lock", "--package-lock=false") {
		e.locks(c, verb.Locks)
	}
	more, writes := ofMembers(members)
	own := *verb
	own.Writes = slices.Concat(verb.Writes, writes)
	return e.project(s, c, &own, more...)
}

// registryPackage is a package by its name, perhaps with a version or a tag.
var registryPackage = regexp.MustCompile(
	`^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*(@[~^=<>]*[A-Za-z0-9][A-Za-z0-9.+-]*)?$`,
)

func notRegistry(word string) bool {
	name := aliased(word, "npm:"+word)
	return !registryPackage.MatchString(word) || isArchive(name) || readsProject(name, "")
}

// pinned are the manifests that Corepack writes: it notes the version of a package manager in package.json, if none
// stands there.
func (s *state) pinned(e *Effects, c Call, p *packageJSON) {
	if s.corepack && p.PackageManager == "" && s.env["COREPACK_ENABLE_AUTO_PIN"] != "0" {
		e.Writes = append(e.Writes, path.Join(c.cwd, "package.json"))
	}
}

// ownVersion reports whether yarn or pnpm, which install something for all, go by nothing of the project: by the
// settings in the working directory, or by the version that package.json names.
func (s *state) ownVersion(e *Effects, c Call) bool {
	names := strings.Fields(".yarnrc .yarnrc.yml .npmrc package.json pnpm-workspace.yaml .corepack.env .tool-versions")
	above, none := c.above(s, names...)
	if c.exists(s, names...) || c.cwd != "/" && !none {
		return s.no("it may go by settings of the project, or by the version that package.json names")
	}
	e.Reads = append(e.Reads, above...)
	for _, name := range names {
		e.Reads = append(e.Reads, path.Join(c.cwd, name))
	}
	return c.cwd != ""
}

// fromShell reports whether yarn or pnpm, which an option sends to another directory, go by nothing of the shell's own.
func (s *state) fromShell(e *Effects, shell, c Call) bool {
	return shell.cwd == c.cwd || s.ownVersion(e, shell)
}

// yarnKeys are the settings of yarn 2 and later that name no file.
var yarnKeys = strings.Fields(
	"nodeLinker enableGlobalCache enableTelemetry enableScripts enableImmutableInstalls enableProgressBars " +
		"enableColors enableHyperlinks enableInlineBuilds enableMessageNames enableTimers enableStrictSsl " +
		"enableNetwork enableMirror enableHardenedMode " +
		"compressionLevel npmRegistryServer npmScopes npmRegistries npmAlwaysAuth npmAuthToken nmHoistingLimits " +
		"nmMode checksumBehavior logFilters defaultSemverRangePrefix httpTimeout httpRetry networkConcurrency " +
		"packageExtensions preferInteractive supportedArchitectures " +
		"npmMinimalAgeGate npmPreapprovedPackages pnpMode pnpFallbackMode preferReuse progressBarStyle " +
		"telemetryInterval",
)

// yarnPlugins are the plugins of yarn's own that do nothing when it installs what a lock file says.
var yarnPlugins = regexp.MustCompile(
	`^\.yarn/plugins/@yarnpkg/plugin-(interactive-tools|workspace-tools|typescript|version)\.cjs$`,
)

var yarnRelease = regexp.MustCompile(`^\.yarn/releases/[A-Za-z0-9.@_-]+$`)

// yarnPrograms reads the settings of yarn: it gives the programs of the project that they name, yarn itself and its own
// plugins. It fails if they name anything else, or if anything else is in the directory of yarn.
func yarnPrograms(s *state, c Call) (programs []string, linker string, ok bool) {
	text, ok := c.file(s, ".yarnrc.yml")
	if !ok {
		return nil, "", !c.exists(s, ".yarnrc.yml", ".yarn")
	}
	var settings map[string]any
	if yaml.Unmarshal([]byte(text), &settings) != nil {
		return nil, "", false
	}
	linker, _ = settings["nodeLinker"].(string)
	for key, value := range settings {
		switch name, _ := value.(string); {
		case key == "yarnPath" && yarnRelease.MatchString(name):
			programs = append(programs, name)
		case key == "plugins":
			list, _ := value.([]any)
			for _, p := range list {
				plugin, _ := p.(map[string]any)
				at, _ := plugin["path"].(string)
				if !yarnPlugins.MatchString(at) {
					return nil, "", false
				}
				programs = append(programs, at)
			}
		case !slices.Contains(yarnKeys, key) || namesFiles(value) || key == "enableScripts" && value == true:
			return nil, "", false
		}
	}
	for _, program := range programs {
		if !c.exists(s, program) {
			return nil, "", false
		}
	}
	for _, name := range s.names(path.Join(c.cwd, ".yarn")) {
		if !slices.Contains([]string{"releases", "plugins", "sdks", "versions"}, name) { // packages, or patches of them
			return nil, "", false
		}
	}
	return programs, linker, len(programs) > 0 || !c.exists(s, ".yarn")
}

// yarnLocked are the lines of a yarn.lock that name packages and where they are from.
var yarnLocked = regexp.MustCompile(`(?m)^("?)([^"#\s][^\n]*):\s*$|^  (?:resolved|resolution:?) "?([^"\n]+)"?`)

// plainYarnLock reports whether a lock file of yarn names no file of the project, and no package that reads one when it
// is installed. members are the directories of the workspace's packages.
func plainYarnLock(lock string, scripts bool, members []string) bool {
	for _, m := range yarnLocked.FindAllStringSubmatch(lock, -1) {
		for _, entry := range strings.Split(strings.ReplaceAll(m[2], `"`, ""), ", ") {
			name, rest, _ := strings.Cut(strings.TrimPrefix(entry, "@"), "@")
			if strings.HasPrefix(entry, "@") {
				name = "@" + name
			}
			member := len(members) > 0 && (plainMemberVersion.MatchString(rest) ||
				slices.Contains(members, strings.TrimPrefix(rest, "workspace:")))
			if namesFiles(rest) && !strings.Contains(rest, "builtin<") && !strings.HasSuffix(rest, "workspace:.") &&
				!member ||
				scripts && readsProject(aliased(name, rest), strings.TrimPrefix(rest, "npm:")) {
				return false
			}
		}
		if strings.HasPrefix(m[3], "file:") || strings.HasPrefix(m[3], ".") || scripts && fromGit.MatchString(m[3]) {
			return false
		}
	}
	return true
}

// yarnVersion finds the versions of Yarn of which it is known what they write for node_modules.
var yarnVersion = regexp.MustCompile(`(^|/)yarn[@-][34]\.`)

// yarnWrites are the files that Yarn makes in the project (seen with 1.22, 3.8 and 4.5). A later version than 1 fails
// on a frozen lock file of version 1.
func yarnWrites(l line, p *packageJSON, lock, linker string, programs []string) []string {
	verb := manifests("yarn", "install")
	switch {
	case strings.Contains(lock, "# yarn lockfile v1\n") && linker == "" &&
		(strings.HasPrefix(p.PackageManager, "yarn@1.") ||
			l.has("--frozen-lockfile", "--frozen-lockfile=true", "--pure-lockfile")):
		return []string{"node_modules/"}
	case linker == "node-modules" &&
		(yarnVersion.MatchString(p.PackageManager) || slices.ContainsFunc(programs, yarnVersion.MatchString)):
		return []string{"node_modules/", ".yarn/cache/", ".yarn/install-state.gz"}
	case len(programs) == 0:
		return append(slices.Clone(verb.Writes), ".yarn/")
	}
	return append(slices.Clone(verb.Writes), ".yarn/cache/", ".yarn/unplugged/", ".yarn/install-state.gz",
		".yarn/build-state.yml", ".yarn/ci-cache/")
}

func yarn(s *state, e *Effects, c Call) bool {
	l, ok := c.line(yarnOptions)
	if !ok || c.Dynamic {
		return false
	}
	shell := c
	c, ok = c.at(l, "--cwd")
	switch {
	case !ok || !s.fromShell(e, shell, c):
		return false
	case l.only("cache", "clean"):
		return e.installs(s, c)
	case len(l.words) > 2 && l.words[0] == "global" && l.words[1] == "add":
		return !slices.ContainsFunc(l.words[2:], notRegistry) && s.ownVersion(e, c) && e.installs(s, c)
	case !l.only() && !l.only("install"):
		return false
	}
	p, ok := nodePackage(s, e, c, l, true)
	if !ok ||
		c.exists(
			s,
			".pnp.cjs",
			".yarnrc",
			".yarnclean",
			".env.yarn",
			".corepack.env",
			".pnp.loader.mjs",
			"package-lock.json",
		) ||
		s.corepack && c.exists(s, ".tool-versions") {
		return false
	}
	programs, linker, ok := yarnPrograms(s, c)
	if !ok {
		return false
	}
	members, ok := s.membersOf(e, c, l, p)
	if !ok {
		return false
	}
	if c.exists(s, ".yarnrc.yml") && p.Bin != nil {
		return s.no("yarn 2 and later link the programs of package.json, where the files are there")
	}
	verb := *manifests("yarn", "install")
	more, writes := ofMembers(members)
	s.pinned(e, c, p)
	lock, locked := c.file(s, "yarn.lock")
	verb.Writes = yarnWrites(l, p, lock, linker, programs)
	if c.exists(s, "yarn.lock") && !locked || !plainYarnLock(lock, !l.has("--ignore-scripts"), members) {
		return s.no("yarn.lock has a package of the project, or one whose install script may read it")
	}
	if !prebuilt(s, e, c, lock, !l.has("--ignore-scripts")) {
		return false
	}
	if !locked || !l.has("--frozen-lockfile", "--frozen-lockfile=true", "--immutable", "--pure-lockfile") {
		e.locks(c, verb.Locks)
	}
	verb.Writes = append(verb.Writes, writes...)
	return e.project(s, c, &verb, append(programs, more...)...)
}

// workspaceKeys are the settings of pnpm that name no file, as pnpm-workspace.yaml has them.
var workspaceKeys = strings.Fields(
	"minimumReleaseAge minimumReleaseAgeExclude trustPolicy trustPolicyExclude trustPolicyIgnoreAfter allowBuilds " +
		"onlyBuiltDependencies ignoredBuiltDependencies neverBuiltDependencies strictDepBuilds blockExoticSubdeps " +
		"nodeLinker shamefullyHoist hoist hoistPattern " +
		"publicHoistPattern autoInstallPeers strictPeerDependencies dedupePeerDependents dedupeDirectDeps " +
		"peerDependencyRules resolutionMode engineStrict savePrefix saveExact preferFrozenLockfile " +
		"packageManagerStrict networkConcurrency fetchRetries fetchTimeout catalog catalogs catalogMode " +
		"linkWorkspacePackages preferWorkspacePackages saveWorkspaceProtocol",
)

// leavesWorkspace finds the versions of pnpm that leave pnpm-workspace.yaml as it is. Later ones add to it which
// packages want to run scripts, and a COPY below would undo that.
var leavesWorkspace = regexp.MustCompile(`^pnpm@(9|10)\.`)

// pnpmWorkspace gives the patterns that pnpm-workspace.yaml has. It fails if the file has other settings that may name
// files.
func pnpmWorkspace(s *state, c Call) (patterns []string, ok bool) {
	text, ok := c.file(s, "pnpm-workspace.yaml")
	if !ok {
		return nil, !c.exists(s, "pnpm-workspace.yaml")
	}
	var settings map[string]any
	if yaml.Unmarshal([]byte(text), &settings) != nil {
		return nil, false
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) { // the reason is the same each time
		value := settings[key]
		if key == "packages" {
			if patterns, ok = texts(value); !ok {
				return nil, false
			}
			continue
		}
		if !slices.Contains(workspaceKeys, key) || namesFiles(value) || key == "neverBuiltDependencies" ||
			key == "nodeLinker" && value == "pnp" ||
			(key == "onlyBuiltDependencies" || key == "allowBuilds") && !mayBuild(value) {
			return nil, s.no("pnpm-workspace.yaml has " + key + ", which may name files or let packages run scripts")
		}
	}
	return slices.DeleteFunc(patterns, func(p string) bool { return p == "." }), true
}

// plainPnpmLock reports whether a lock file of pnpm names no file of the project, and no package that reads one when it
// is installed. members are the directories of the workspace's packages.
func plainPnpmLock(text string, scripts bool, members []string) bool {
	var lock struct {
		Importers map[string]pnpmImporter `yaml:"importers"`
		Packages  map[string]struct {
			Resolution    map[string]any `yaml:"resolution"`
			RequiresBuild bool           `yaml:"requiresBuild"`
		} `yaml:"packages"`
		Patched any `yaml:"patchedDependencies"`
		Hash    any `yaml:"pnpmfileChecksum"`
	}
	if yaml.Unmarshal([]byte(text), &lock) != nil || lock.Patched != nil || lock.Hash != nil ||
		len(members) == 0 && len(lock.Importers) > 1 || strings.Contains(text, "\n---") {
		return false // since 11, a document of pnpm's own packages may stand above that of the project's
	}
	for dir, importer := range lock.Importers {
		if !importer.plain(dir, members) {
			return false
		}
	}
	for key, p := range lock.Packages {
		key = strings.TrimPrefix(key, "/")
		name, version, _ := strings.Cut(strings.TrimPrefix(key, "@"), "@")
		if strings.HasPrefix(key, "@") {
			name = "@" + name
		}
		if p.Resolution["directory"] != nil || strings.Contains(key, "file:") || strings.Contains(key, "link:") ||
			scripts && (readsProject(name, version) || p.RequiresBuild && !slices.Contains(ownInstallers, name)) {
			return false
		}
		for _, from := range []string{"tarball", "repo"} {
			if url, ok := p.Resolution[from].(string); ok && (webAddress.ReplaceAllString(url, "") != "" ||
				scripts && (from == "repo" || fromGit.MatchString(url))) {
				return false
			}
		}
	}
	return (len(members) > 0 || !linkProtocol.MatchString(text)) && !fileProtocol.MatchString(text)
}

// Each lock file of pnpm has excludeLinksFromLockfile:, which is none.
var fileProtocol, linkProtocol = regexp.MustCompile(`\bfile:`), regexp.MustCompile(`\blink:`)

// pnpmImporter is what a lock file of pnpm says of one package of the workspace.
type pnpmImporter struct {
	Dependencies map[string]any `yaml:"dependencies"`
	Dev          map[string]any `yaml:"devDependencies"`
	Optional     map[string]any `yaml:"optionalDependencies"`
}

// plain reports whether it is a package of the workspace that links to no other directory than those of the others.
func (i *pnpmImporter) plain(dir string, members []string) bool {
	if dir != "." && !slices.Contains(members, dir) {
		return false
	}
	for _, list := range []map[string]any{i.Dependencies, i.Dev, i.Optional} {
		for _, value := range list {
			entry, _ := value.(map[string]any)
			version, _ := entry["version"].(string)
			if to, link := strings.CutPrefix(version, "link:"); link && !slices.Contains(members, path.Join(dir, to)) {
				return false
			}
		}
	}
	return true
}

// plainFilter names packages of a workspace, perhaps with those that they depend on. Others go by what git says.
var plainFilter = regexp.MustCompile(`^(\.\.\.\^?)?!?(@[a-z0-9._-]+/)?[a-z0-9._*-]+(\^?\.\.\.)?$`)

func notFilter(word string) bool { return !plainFilter.MatchString(word) }

func pnpm(s *state, e *Effects, c Call) bool {
	l, ok := c.line(pnpmOptions)
	if !ok || c.Dynamic || len(l.words) == 0 {
		return false
	}
	shell := c
	if c, ok = c.at(l, "--dir", "-C"); !ok || !s.fromShell(e, shell, c) {
		return false
	}
	if l.has("-g", "--global") {
		return l.words[0] == "add" && len(l.words) > 1 && !slices.ContainsFunc(l.words[1:], notRegistry) &&
			s.ownVersion(e, c) && e.installs(s, c)
	}
	return (l.only("install") || l.only("i") || l.only("fetch")) && pnpmInstall(s, e, c, l)
}

// pnpmInstall is what pnpm install and pnpm fetch do, which reads the lock file alone.
func pnpmInstall(s *state, e *Effects, c Call, l line) bool {
	fetch := l.only("fetch")
	patterns, ok := pnpmWorkspace(s, c)
	parts := l.has("-r", "--recursive") || len(l.values["--filter"])+len(l.values["-F"]) > 0
	if !ok || parts && len(patterns) == 0 || // all directories with a package.json are meant then
		slices.ContainsFunc(slices.Concat(l.values["--filter"], l.values["-F"]), notFilter) {
		return false
	}
	p, ok := nodePackage(s, e, c, l, len(patterns) > 0)
	if !ok || c.exists(s, ".pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js", ".corepack.env") ||
		s.corepack && c.exists(s, ".tool-versions") {
		return false
	}
	if c.exists(s, "pnpm-workspace.yaml") && !fetch && !leavesWorkspace.MatchString(p.PackageManager) {
		return s.no("a version of pnpm that package.json does not name may write to pnpm-workspace.yaml")
	}
	var members []string
	if members, ok = s.members(e, c, l, patterns); !ok {
		return false
	}
	s.pinned(e, c, p)
	if !pnpmLocked(s, e, c, l, members) {
		return false
	}
	for _, dir := range members {
		e.configured(s, path.Join(c.cwd, dir), []string{".npmrc"})
	}
	more, writes := ofMembers(members)
	verb := *manifests("pnpm", l.words[0])
	verb.Writes = slices.Concat(verb.Writes, writes)
	return e.project(s, c, &verb, more...)
}

// pnpmLocked reports whether the lock file is one by which pnpm reads no more of the project.
func pnpmLocked(s *state, e *Effects, c Call, l line, members []string) bool {
	fetch := l.only("fetch")
	lock, locked := c.file(s, "pnpm-lock.yaml")
	scripts := !l.has("--ignore-scripts", "--ignore-scripts=true")
	if c.exists(s, "pnpm-lock.yaml") && !locked || fetch && !locked || !plainPnpmLock(lock, scripts, members) {
		return s.no("pnpm-lock.yaml has a package of the project, or one whose install script may read it")
	}
	if !prebuilt(s, e, c, lock, scripts) {
		return false
	}
	if !fetch && (!locked || !l.has("--frozen-lockfile", "--frozen-lockfile=true")) {
		e.locks(c, manifests("pnpm", "install").Locks)
	}
	return true
}

func bun(s *state, e *Effects, c Call) bool {
	l, ok := c.line(bunOptions)
	if !ok || c.Dynamic || !l.only("install") && !l.only("i") && !l.only("ci") {
		return false
	}
	if c, ok = c.at(l, "--cwd"); !ok {
		return false
	}
	// It reads .env, bunfig.toml, and the lock file of another package manager if it has none.
	if _, ok := nodePackage(s, e, c, l, false); !ok ||
		c.exists(
			s,
			append(manifests("bun", "install").Config, "package-lock.json", "yarn.lock", "pnpm-lock.yaml")...,
		) {
		return false
	}
	lock, locked := c.file(s, "bun.lock")
	if c.exists(s, "bun.lock") && !locked ||
		slices.ContainsFunc([]string{"file:", "link:", "workspace:", "patchedDependencies"}, func(part string) bool {
			return strings.Contains(lock, part)
		}) ||
		slices.ContainsFunc(projectReaders, func(name string) bool {
			return strings.Contains(lock, `"`+name+`"`) || strings.Contains(lock, `"`+name+`@`)
		}) {
		return false
	}
	if !prebuilt(s, e, c, lock, !l.has("--ignore-scripts")) {
		return false
	}
	if !locked || !l.has("--frozen-lockfile") && l.words[0] != "ci" {
		e.locks(c, manifests("bun", "install").Locks)
	}
	return e.project(s, c, manifests("bun", "install"))
}

func corepack(s *state, e *Effects, c Call) bool {
	l, ok := c.line("--activate --all")
	if !ok || c.Dynamic || len(l.words) == 0 || l.words[0] != "enable" && l.words[0] != "prepare" ||
		l.words[0] == "prepare" && len(l.words) == 1 ||
		slices.ContainsFunc(l.words[1:], notRegistry) {
		return false // "prepare" alone takes the version that package.json names
	}
	if l.words[0] == "enable" && slices.Contains(l.words, "npm") {
		s.outside.program("/usr/local/bin/npm") // it takes that version, too
	}
	s.corepack = true
	return e.installs(s, c)
}
