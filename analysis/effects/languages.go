package effects

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

var replaced = regexp.MustCompile(`=>\s*\.{0,2}/`)

func goTool(s *state, e *Effects, c Call) bool {
	c, ok := c.in("-C")
	words := c.words("")
	if !ok || c.Dynamic || len(words) == 0 || c.has("-modfile", "-overlay", "-modcacherw", "-o") {
		return false
	}
	switch {
	case words[0] == "env" && c.has("-w"):
		e.installs(s)
		return s.sets(c, words[1:])
	case words[0] == "clean" && c.has("-cache", "-modcache", "-testcache", "-fuzzcache") && len(words) == 1:
		e.installs(s)
		return true
	case words[0] == "install" && len(words) > 1: // a command of another module, in its version
		if slices.ContainsFunc(words[1:], func(w string) bool { return !strings.Contains(w, "@") || strings.HasPrefix(w, ".") }) {
			return false
		}
		e.installs(s)
		return true
	case len(words) != 2 || words[0] != "mod" || words[1] != "download":
		return false
	}
	text, ok := c.file(s, "go.mod")
	above, none := c.above(s, "go.work")
	if !ok || !none || !c.exists(s, "go.sum") || c.exists(s, "go.work") || replaced.MatchString(text) {
		return false
	}
	e.Reads = append(e.Reads, above...)
	return e.project(s, c, []string{"go.mod", "go.sum", "go.work"}, nil)
}

// cargo installs commands of other packages. What fetches the project's own dependencies wants its sources to be there.
func cargo(s *state, e *Effects, c Call) bool {
	words := c.words("--version --vers --git --branch --tag --rev --features -F --bin --target --profile -j --jobs --index --registry --recipe-path --package -p")
	if c.Dynamic || len(words) < 2 || c.has("--config", "-Z", "--manifest-path") {
		return false
	}
	reads := []string{".cargo/", "rust-toolchain", "rust-toolchain.toml"}
	above, ok := c.above(s, ".cargo", "rust-toolchain", "rust-toolchain.toml")
	if !ok || c.exists(s, ".cargo") {
		return false
	}
	e.Reads = append(e.Reads, above...)
	switch {
	case words[0] == "install" || words[0] == "binstall":
		if c.has("--path", "--root", "--target-dir") || slices.ContainsFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, ".") || strings.HasPrefix(w, "/") }) {
			return false
		}
		return e.project(s, c, reads, nil)
	case words[0] == "chef" && len(words) == 2 && words[1] == "cook": // of cargo-chef, with what "prepare" wrote
		if c.has("--no-std", "--target-dir", "--workspace-path") {
			return false
		}
		recipe := "recipe.json"
		if at := slices.Index(c.Args, "--recipe-path"); at > 0 && at+1 < len(c.Args) {
			recipe = c.Args[at+1]
		}
		return !path.IsAbs(recipe) && e.project(s, c, append(reads, recipe), []string{"target/", "Cargo.toml", "Cargo.lock", "src/"})
	}
	return false
}

func rustup(s *state, e *Effects, c Call) bool {
	words := c.words("--toolchain --profile --component -c --target -t")
	if c.Dynamic || len(words) < 2 || c.cwd == "" || c.cwd == "/" || slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, "/") }) || words[0] == "toolchain" && len(words) < 3 && words[1] != "install" {
		return false
	}
	if !slices.Contains([]string{"target", "component", "toolchain", "default", "update", "install", "self"}, words[0]) || words[0] == "toolchain" && words[1] == "link" {
		return false
	}
	above, ok := c.above(s, "rust-toolchain", "rust-toolchain.toml")
	e.Reads = append(e.Reads, above...)
	return ok && e.project(s, c, []string{"rust-toolchain", "rust-toolchain.toml"}, nil)
}

// gemfileCode finds what of a Gemfile may read more than itself.
var gemfileCode = regexp.MustCompile("\\b(path|gemspec|eval_gemfile|File|IO|Dir|Pathname|Kernel|require|require_relative|load|instance_eval|eval|__dir__|__FILE__|read|plugin|system|exec|spawn|open|send|public_send|component)\\b|`|%x")

func bundle(s *state, e *Effects, c Call) bool {
	words := c.words("--jobs -j --retry --without --with --local --global")
	if c.Dynamic || len(words) == 0 || c.has("--gemfile", "--path", "--binstubs", "--standalone", "--system", "--local-override", "--target-rbconfig", "--trust-policy") {
		return false
	}
	if words[0] == "config" {
		settings := slices.DeleteFunc(slices.Clone(c.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "-") })
		return !c.exists(s, ".bundle") && s.sets(c, settings[1:]) && e.project(s, c, []string{".bundle/"}, []string{".bundle/"})
	}
	if words[0] == "clean" && len(words) == 1 {
		words[0] = "install"
	}
	if words[0] != "install" || len(words) > 1 && c.has("--local") {
		return false
	}
	text, ok := c.file(s, "Gemfile")
	lock, locked := c.file(s, "Gemfile.lock")
	if !ok || !locked || gemfileCode.MatchString(gemfileText(text)) || strings.Contains(lock, "\nPATH\n") || strings.HasPrefix(lock, "PATH\n") || strings.Contains(lock, "PLUGIN SOURCE") ||
		c.exists(s, ".bundle") || c.exists(s, "vendor/cache") {
		return false
	}
	writes := []string{".bundle/", "vendor/bundle/", "vendor/cache/"}
	if !c.has("--deployment", "--frozen") && s.env["BUNDLE_DEPLOYMENT"] == "" && s.env["BUNDLE_FROZEN"] == "" && !strings.Contains(lock, "x86_64-linux") {
		writes = append(writes, "Gemfile.lock")
	} else {
		e.Facts = append(e.Facts, "bundle install leaves a Gemfile.lock that fits the Gemfile as it is")
	}
	return e.project(s, c, []string{"Gemfile", "Gemfile.lock", ".bundle/", "vendor/cache/", ".ruby-version", ".tool-versions"}, writes)
}

var rubyVersionFile = regexp.MustCompile(`(?m)^\s*ruby\s+(File\.read\(["']\.ruby-version["']\)(\.strip|\.chomp)?|file:\s*["'](\.ruby-version|\.tool-versions)["'])\s*$`)
var rubyComment = regexp.MustCompile(`(?m)^\s*#.*$|\srequire: (false|\[\]|:?["'\w/-]+)|,?\s*\brequire: %w\[[^\]]*\]|, require: \[[^\]]*\]`)

// gemfileText leaves out of a Gemfile what is known to be harmless.
func gemfileText(text string) string {
	return rubyComment.ReplaceAllString(rubyVersionFile.ReplaceAllString(text, ""), "")
}

func gem(s *state, e *Effects, c Call) bool {
	words := c.words("-v --version --source -s --platform")
	if c.Dynamic || len(words) == 0 || len(words) < 2 && !c.has("--system") || words[0] != "install" && words[0] != "update" || c.has("-g", "--file", "-l", "--local", "-i", "--install-dir", "-n", "--bindir", "--build-root", "-P", "--") || slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(w, ".gem") }) {
		return false
	}
	e.installs(s)
	return true
}

// composerPlugins are the plugins of Composer that read nothing of the project but what is in composer.json and symfony.lock.
var composerPlugins = strings.Fields("symfony/runtime phpstan/extension-installer dealerdirect/phpcodesniffer-composer-installer pestphp/pest-plugin php-http/discovery composer/package-versions-deprecated " +
	"infection/extension-installer ergebnis/composer-normalize tbachert/spi dg/composer-cleaner")

func composer(s *state, e *Effects, c Call) bool {
	c, ok := c.in("-d", "--working-dir")
	words := c.words("--ignore-platform-req --audit-format")
	if !ok || c.Dynamic {
		return false
	}
	switch {
	case len(words) == 1 && (words[0] == "clear-cache" || words[0] == "clearcache" || words[0] == "cc"), len(words) == 1 && words[0] == "self-update":
		e.installs(s)
		return true
	case len(words) > 2 && words[0] == "global" && words[1] == "require":
		e.installs(s)
		return true
	case !onlyOptions(words, "install"):
		return false
	}
	text, ok := c.file(s, "composer.json")
	lockText, locked := c.file(s, "composer.lock")
	type packages []struct{ Name, Type string }
	var p struct {
		Scripts  map[string]any `json:"scripts"`
		Autoload map[string]any `json:"autoload"`
		Dev      map[string]any `json:"autoload-dev"`
		Config   map[string]any `json:"config"`
	}
	var lock struct {
		Packages packages
		Dev      packages `json:"packages-dev"`
	}
	if !ok || !locked || json.Unmarshal([]byte(text), &p) != nil || strings.Contains(text, `"path"`) || strings.Contains(text, `"artifact"`) || strings.Contains(text, "file:") {
		return false
	}
	if !c.has("--no-scripts") {
		for name := range p.Scripts {
			if strings.HasPrefix(name, "pre-") || strings.HasPrefix(name, "post-") || name == "command" {
				return false
			}
		}
	}
	if !c.has("--no-plugins") && json.Unmarshal([]byte(lockText), &lock) == nil {
		for _, found := range slices.Concat(lock.Packages, lock.Dev) {
			if found.Type == "composer-plugin" && !slices.Contains(composerPlugins, found.Name) {
				return false // it may put packages anywhere, and write files of the project
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
	for _, name := range []string{"vendor-dir", "bin-dir", "cache-dir", "home", "data-dir", "cafile", "capath"} {
		if p.Config[name] != nil {
			return false
		}
	}
	return e.project(s, c, []string{"composer.json", "composer.lock", "auth.json", "symfony.lock"}, []string{"vendor/"})
}

func mvn(s *state, e *Effects, c Call) bool {
	words := c.words("-P -D")
	if c.Dynamic || len(words) == 0 || c.has("-f", "--file", "-pl", "--projects", "-s", "--settings", "-gs", "--global-settings", "-t", "--toolchains", "-gt", "--global-toolchains", "-l", "--log-file", "-am", "-amd", "-rf") {
		return false
	}
	for _, w := range words {
		if w != "dependency:go-offline" && w != "dependency:resolve" && w != "dependency:resolve-plugins" && w != "de.qaware.maven:go-offline-maven-plugin:resolve-dependencies" {
			return false
		}
	}
	for _, a := range c.Args {
		if strings.HasPrefix(a, "-D") && strings.Contains(a, "/") {
			return false
		}
	}
	text, ok := c.file(s, "pom.xml")
	settings, _ := c.file(s, ".mvn/maven.config")
	above, none := c.above(s, ".mvn")
	if !ok || !none || strings.Contains(settings, "/") || strings.Contains(settings, ".xml") {
		return false
	}
	for _, part := range []string{"<modules>", "<module>", "systemPath", "file:", "basedir}", "<relativePath>", "<exists>", "<missing>", "<subprojects>"} {
		if strings.Contains(text, part) {
			return false
		}
	}
	e.Reads = append(e.Reads, above...)
	return e.project(s, c, []string{"pom.xml", ".mvn/", "../pom.xml"}, nil)
}

// gradleCode finds what of a build script may read more than the files of the build itself.
var gradleCode = regexp.MustCompile(`(?i)\b(file|files|fileTree|File|Paths|Path|include|includeBuild|apply\s+from|project\(|projectDir|rootDir|rootProject\.file|layout|exec|execute|providers\.(exec|fileContents)|readText|getText|text\b|new\s+File|System\.getenv|load|flatDir|mavenLocal|\.properties|ant\.|git)\b`)

// gradle resolves dependencies: it runs the scripts of the build, which therefore must not look at anything else.
func gradle(s *state, e *Effects, c Call) bool {
	words := c.words("")
	if c.Dynamic || len(words) == 0 || c.has("-p", "--project-dir", "-b", "--build-file", "-c", "--settings-file", "-I", "--init-script", "-g", "--gradle-user-home", "--include-build", "--project-cache-dir", "--write-locks", "-M", "--write-verification-metadata") {
		return false
	}
	for _, w := range words {
		if w != "dependencies" && w != "resolveDependencies" && w != "--version" {
			return false
		}
	}
	found := false
	reads := []string{"build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradle.properties", "gradle/", "gradle.lockfile", "buildscript-gradle.lockfile", "settings-gradle.lockfile", "buildSrc/"}
	for _, name := range reads[:4] {
		text, ok := c.file(s, name)
		if !ok && c.exists(s, name) || gradleCode.MatchString(text) || words[0] == "resolveDependencies" {
			return false
		}
		found = found || ok && strings.HasPrefix(name, "build")
	}
	above, none := c.above(s, "settings.gradle", "settings.gradle.kts")
	if !found || !none || c.exists(s, "buildSrc") {
		return false
	}
	e.Reads = append(e.Reads, above...)
	return e.project(s, c, reads, []string{".gradle/", "build/", ".kotlin/"})
}

// scriptCode finds what of a build's definition, a program too, may read more than itself.
var scriptCode = regexp.MustCompile(`\b(slurp|read-string|load-file|read-eval|file\(|IO\.|Source\.|include|unmanaged|baseDirectory|Process|sys\.process|checkouts|local-repo|:path|uri\(|file:|RootProject|ProjectRef|lazy val|scripted|io/file|sh)\b|#=|"\./|"\.\./|"/|~`)

// sbt update resolves dependencies; it compiles the definition of the build for that.
func sbt(s *state, e *Effects, c Call) bool {
	if words := c.words(""); c.Dynamic || len(words) != 1 || words[0] != "update" {
		return false
	}
	text, ok := c.file(s, "build.sbt")
	if !ok || scriptCode.MatchString(text) || slices.ContainsFunc(s.names(c.cwd), func(n string) bool {
		return strings.HasSuffix(n, ".sbt") && n != "build.sbt" || n == "lib" || n == ".sbtopts" || n == ".jvmopts"
	}) {
		return false
	}
	if slices.ContainsFunc(s.names(path.Join(c.cwd, "project")), func(n string) bool {
		text, ok := c.file(s, path.Join("project", n))
		return n != "build.properties" && n != "plugins.sbt" || !ok || scriptCode.MatchString(text)
	}) {
		return false
	}
	return e.project(s, c, []string{"build.sbt", "project/build.properties", "project/plugins.sbt", ".sbtopts", ".jvmopts", "lib/"}, []string{"target/", "project/project/", "project/target/", ".bsp/"})
}

func lein(s *state, e *Effects, c Call) bool {
	if words := c.words(""); c.Dynamic || !onlyOptions(words, "deps") {
		return false
	}
	text, ok := c.file(s, "project.clj")
	if !ok || scriptCode.MatchString(text) || strings.Contains(text, "parent") || strings.Contains(text, "plugins") || strings.Contains(text, "prep-tasks") || strings.Contains(text, "java-source-paths") || c.exists(s, "profiles.clj") || c.exists(s, "checkouts") {
		return false
	}
	return e.project(s, c, []string{"project.clj", "profiles.clj", "checkouts/"}, []string{"target/", ".lein-failures", ".lein-repl-history", ".lein-deps-sum"})
}

// clojure downloads what deps.edn names ("clojure -P").
func clojure(s *state, e *Effects, c Call) bool {
	if words := c.words(""); c.Dynamic || len(words) != 0 || len(c.Args) != 2 || c.Args[1] != "-P" {
		return false
	}
	text, ok := c.file(s, "deps.edn")
	if !ok || strings.Contains(text, ":local/root") || strings.Contains(text, ":deps/prep-lib") || strings.Contains(text, "file:") {
		return false
	}
	return e.project(s, c, []string{"deps.edn"}, []string{".cpcache/"})
}

// dotnetFiles are what MSBuild and NuGet look for in the project's directory and all above.
var dotnetFiles = []string{"Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "Directory.Solution.props", "Directory.Solution.targets", "Directory.Build.rsp", "MSBuild.rsp", "global.json", "nuget.config", "NuGet.config", "NuGet.Config", "packages.config"}

func dotnet(s *state, e *Effects, c Call) bool {
	words := c.words("-r --runtime -a --arch --os -v --verbosity")
	if len(words) > 3 && words[0] == "tool" && words[1] == "install" && c.has("-g", "--global") || len(words) == 3 && words[0] == "tool" && words[1] == "install" && c.has("-g", "--global", "--tool-path") {
		if c.Dynamic || c.has("--add-source", "--configfile", "--tool-path", "--tool-manifest") {
			return false
		}
		above, ok := c.above(s, "nuget.config", "NuGet.config", "NuGet.Config", "global.json")
		e.Reads = append(e.Reads, above...)
		return ok && e.project(s, c, []string{"nuget.config", "NuGet.config", "NuGet.Config", "global.json"}, nil)
	}
	if c.Dynamic || len(words) == 0 || words[0] != "restore" || len(words) > 2 || c.cwd == "" || c.has("--packages", "--configfile", "-s", "--source", "-p", "--use-lock-file", "--lock-file-path", "--root", "-f", "--force-evaluate") ||
		slices.ContainsFunc(c.Args, func(a string) bool {
			return strings.HasPrefix(a, "/") || strings.HasPrefix(a, "-p:") || strings.HasPrefix(a, "@")
		}) {
		return false
	}
	project := ""
	if len(words) == 2 {
		project = path.Clean(words[1])
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
	if path.IsAbs(project) || strings.HasPrefix(project, "..") {
		return false
	}
	projects, ok := c.projects(s, project, nil)
	if !ok {
		return false
	}
	var reads, writes []string
	dirs := map[string]bool{}
	for _, p := range projects {
		reads = append(reads, p)
		if strings.HasSuffix(p, "proj") {
			dir := path.Dir(p)
			reads = append(reads, path.Join(dir, "packages.lock.json"))
			writes = append(writes, path.Join(dir, "obj")+"/")
			for ; !dirs[dir]; dir = path.Dir(dir) {
				dirs[dir] = true
				for _, name := range dotnetFiles {
					at := path.Join(dir, name)
					if text, ok := c.file(s, at); ok && (strings.HasSuffix(name, ".json") || strings.EqualFold(name, "nuget.config")) {
						if strings.EqualFold(name, "nuget.config") && !plainSources(text) {
							return false
						}
					} else if ok && !plainProject(text) || !ok && c.exists(s, at) {
						return false
					}
					reads = append(reads, at)
				}
			}
		}
	}
	above, none := c.above(s, dotnetFiles...)
	e.Reads = append(e.Reads, above...)
	return none && e.project(s, c, reads, writes)
}

var (
	projectReference = regexp.MustCompile(`<ProjectReference\s[^>]*Include\s*=\s*"([^"]*)"`)
	solutionProject  = regexp.MustCompile(`(?m)^Project\("[^"]*"\)\s*=\s*"[^"]*",\s*"([^"]*)"`)
	slnxProject      = regexp.MustCompile(`<Project\s[^>]*Path\s*=\s*"([^"]*)"`)
	sourceValue      = regexp.MustCompile(`<add\s[^>]*value\s*=\s*"([^"]*)"`)
)

// plainProject reports whether a file of MSBuild looks at no other file but the projects that it refers to.
func plainProject(text string) bool {
	for _, part := range []string{"<Import ", "<Import\n", "Exists(", "$([", "RestorePackagesWithLockFile", "RestoreSources", "RestoreAdditionalProjectSources", "RestorePackagesPath", "BaseIntermediateOutputPath", "MSBuildProjectExtensionsPath", "NuGetLockFilePath", "<Sdk ", "packages.config", "file:", "RestoreConfigFile", "UseArtifactsOutput", "ArtifactsPath"} {
		if strings.Contains(text, part) {
			return false
		}
	}
	return !strings.Contains(text, "*.") || !strings.Contains(text, "ProjectReference Include=\"*")
}

// plainSources reports whether the sources of a nuget.config lie in the network.
func plainSources(text string) bool {
	for _, m := range sourceValue.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "://") && strings.ContainsAny(m[1], `./\`) {
			return false
		}
	}
	return !strings.Contains(text, "file:")
}

// projects gives a project or solution of .NET with the projects that it refers to, as paths below the working directory.
func (c Call) projects(s *state, name string, seen []string) ([]string, bool) {
	if slices.Contains(seen, name) {
		return seen, true
	}
	text, ok := c.file(s, name)
	if !ok || len(seen) > 200 || strings.HasPrefix(name, "..") {
		return nil, false
	}
	seen = append(seen, name)
	dir := path.Dir(name)
	var next [][]string
	switch {
	case strings.HasSuffix(name, ".sln"):
		next = solutionProject.FindAllStringSubmatch(text, -1)
	case strings.HasSuffix(name, ".slnx"):
		next = slnxProject.FindAllStringSubmatch(text, -1)
	case strings.HasSuffix(name, "proj"):
		if !plainProject(text) {
			return nil, false
		}
		if next = projectReference.FindAllStringSubmatch(text, -1); strings.Count(text, "<ProjectReference") != len(next) {
			return nil, false
		}
	default:
		return nil, false
	}
	for _, m := range next {
		at := strings.ReplaceAll(m[1], `\`, "/")
		if strings.HasSuffix(name, ".sln") && !strings.HasSuffix(at, "proj") {
			continue // a folder of the solution
		}
		if strings.ContainsAny(at, "$*?;") || !strings.HasSuffix(at, "proj") {
			return nil, false
		}
		if seen, ok = c.projects(s, path.Join(dir, at), seen); !ok {
			return nil, false
		}
	}
	return seen, true
}

var mixCode = regexp.MustCompile(`\bpath:|_path:|\b(File|Code|Path|Dir|Mix\.Project|import_config)\b|in_umbrella|lockfile:|System\.(cmd|shell)|:file\b|\bread`)

func mix(s *state, e *Effects, c Call) bool {
	words := c.words("--only")
	if c.Dynamic || len(words) == 0 {
		return false
	}
	switch words[0] {
	case "local.hex", "local.rebar":
		if len(words) > 1 {
			return false
		}
		e.installs(s)
		return true
	case "deps.get":
		text, ok := c.file(s, "mix.exs")
		if !ok || len(words) > 1 || !c.exists(s, "mix.lock") || mixCode.MatchString(text) {
			return false
		}
		for _, name := range s.names(path.Join(c.cwd, "config")) { // read when the project is loaded
			if text, ok := c.file(s, path.Join("config", name)); !ok || strings.Contains(strings.ReplaceAll(text, "import_config \"#{config_env()}.exs\"", ""), "File.") || strings.Contains(text, "Path.") || strings.Contains(text, "Code.") || strings.Contains(text, "System.cmd") {
				return false
			}
		}
		return e.project(s, c, []string{"mix.exs", "mix.lock", "config/"}, []string{"deps/", "_build/"})
	}
	return false
}

func rebar(s *state, e *Effects, c Call) bool {
	words := c.words("")
	text, ok := c.file(s, "rebar.config")
	if c.Dynamic || !onlyOptions(words, "get-deps") && !onlyOptions(words, "deps") || !ok || !c.exists(s, "rebar.lock") || c.exists(s, "rebar.config.script") || c.exists(s, "_checkouts") || c.exists(s, "apps") || strings.Contains(text, "plugins") || strings.Contains(text, "hooks") || strings.Contains(text, "file") {
		return false
	}
	return e.project(s, c, []string{"rebar.config", "rebar.lock", "rebar.config.script", "_checkouts/", "apps/"}, []string{"_build/"})
}

// pub is dart and flutter: "pub get" installs what pubspec.yaml names.
func pub(s *state, e *Effects, c Call) bool {
	words := c.words("")
	switch {
	case c.Dynamic || c.has("-C", "--directory"):
		return false
	case len(words) > 2 && words[0] == "pub" && words[1] == "global" && words[2] == "activate" && !c.has("-s", "--source"), len(words) > 0 && words[0] == "precache":
		e.installs(s)
		return true
	case len(words) != 2 || words[0] != "pub" || words[1] != "get":
		return false
	}
	text, ok := c.file(s, "pubspec.yaml")
	if !ok || !c.exists(s, "pubspec.lock") || c.exists(s, "pubspec_overrides.yaml") || regexp.MustCompile(`(?m)^\s+path:|^workspace:|^resolution:`).MatchString(text) || c.Args[0] == "flutter" && (strings.Contains(text, "generate: true") || c.exists(s, "android") || c.exists(s, "ios") || c.exists(s, "linux") || c.exists(s, "macos") || c.exists(s, "windows") || c.exists(s, "web")) {
		return false
	}
	writes := []string{".dart_tool/", ".packages", ".flutter-plugins", ".flutter-plugins-dependencies"}
	if c.has("--enforce-lockfile") {
		e.Facts = append(e.Facts, "pub get leaves pubspec.lock as it is")
	} else {
		e.Facts = append(e.Facts, "pub get leaves a pubspec.lock that fits pubspec.yaml as it is")
	}
	return e.project(s, c, []string{"pubspec.yaml", "pubspec.lock", "pubspec_overrides.yaml"}, writes)
}

// swift resolves the packages that Package.swift names.
func swift(s *state, e *Effects, c Call) bool {
	words := c.words("")
	text, ok := c.file(s, "Package.swift")
	if c.Dynamic || len(words) != 2 || words[0] != "package" || words[1] != "resolve" || c.has("--package-path", "--scratch-path", "--build-path", "--cache-path") ||
		!ok || !c.exists(s, "Package.resolved") || strings.Contains(text, "path:") || strings.Contains(text, "FileManager") || strings.Contains(text, "import Foundation") || c.exists(s, ".swiftpm") {
		return false
	}
	if slices.ContainsFunc(s.names(c.cwd), func(n string) bool { return strings.HasPrefix(n, "Package@swift") }) {
		return false
	}
	writes := []string{".build/", ".swiftpm/"}
	if !c.has("--force-resolved-versions", "--disable-automatic-resolution", "--only-use-versions-from-resolved-file") {
		e.Facts = append(e.Facts, "swift package resolve leaves a Package.resolved that fits Package.swift as it is")
	}
	return e.project(s, c, []string{"Package.swift", "Package.resolved", ".swiftpm/"}, writes)
}

func luarocks(s *state, e *Effects, c Call) bool {
	words := c.words("--server --only-server")
	if c.Dynamic || len(words) < 2 || len(words) > 3 || words[0] != "install" || c.has("--tree", "--local", "--deps-only", "--only-deps", "--lua-dir") || strings.HasSuffix(words[1], ".rockspec") || strings.HasSuffix(words[1], ".rock") || strings.Contains(words[1], "/") {
		return false
	}
	return e.project(s, c, []string{".luarocks/", ".luarocks"}, nil)
}

func cpan(s *state, e *Effects, c Call) bool {
	words := c.words("--mirror -M")
	if c.Dynamic || len(words) == 0 || c.has("-l", "--local-lib", "-L", "--local-lib-contained", "--installdeps", "--cpanfile", "--from", "--self-contained", "--save-dists") || slices.ContainsFunc(words, func(w string) bool {
		return strings.HasPrefix(w, ".") || strings.Contains(w, "/") && !strings.Contains(w, "://") || isArchive(w)
	}) {
		return false
	}
	e.installs(s)
	return true
}

func carton(s *state, e *Effects, c Call) bool {
	words := c.words("")
	text, ok := c.file(s, "cpanfile")
	if c.Dynamic || !onlyOptions(words, "install") || !c.has("--deployment") || c.has("--cpanfile", "--path") || !ok || !c.exists(s, "cpanfile.snapshot") || regexp.MustCompile(`\b(do|require|open|read|eval|use|mirror|dist|url)\b`).MatchString(text) || c.exists(s, "vendor") {
		return false
	}
	return e.project(s, c, []string{"cpanfile", "cpanfile.snapshot", "vendor/"}, []string{"local/"})
}

// haskell is cabal and stack, of which the index of packages and the compiler are known; with the project they read all of its
// packages' definitions.
func haskell(s *state, e *Effects, c Call) bool {
	words := c.words("--resolver --snapshot --compiler")
	switch {
	case c.Dynamic:
		return false
	case onlyOptions(words, "update"):
		above, ok := c.above(s, "cabal.project", "stack.yaml")
		e.Reads = append(e.Reads, above...)
		return ok && e.project(s, c, []string{"cabal.project", "cabal.project.local", "cabal.project.freeze", "stack.yaml"}, nil)
	case c.Args[0] == "cabal" && (onlyOptions(words, "build") || len(words) == 2 && words[0] == "build" && words[1] == "all") && c.has("--only-dependencies", "--dependencies-only", "--only-deps") && len(c.Args) == len(words)+2:
		return packages(s, e, c, "cabal.project", ".cabal", []string{"cabal.project.local", "cabal.project.freeze"}, []string{"dist-newstyle/"})
	case c.Args[0] == "stack" && (onlyOptions(words, "build") || onlyOptions(words, "setup") || onlyOptions(words, "test")) && (words[0] == "setup" || c.has("--only-dependencies", "--dependencies-only")) && !c.has("--stack-yaml", "--work-dir"):
		return packages(s, e, c, "stack.yaml", ".cabal", []string{"stack.yaml.lock"}, []string{".stack-work/"})
	}
	return false
}

// packages is a project of one package, whose definition is read with that of the project.
func packages(s *state, e *Effects, c Call, project, ending string, others, writes []string) bool {
	reads := append([]string{project, "package.yaml"}, others...)
	found := 0
	for _, name := range s.names(c.cwd) {
		if strings.HasSuffix(name, ending) {
			found++
			reads = append(reads, name)
		}
		if name == "Setup.hs" || name == "Setup.lhs" {
			return false
		}
	}
	text, has := c.file(s, project)
	if found != 1 || c.exists(s, "package.yaml") || !has && project == "stack.yaml" || strings.Contains(text, "import:") || strings.Contains(text, "source-repository") || strings.Contains(text, "/") || project == "stack.yaml" && !c.exists(s, "stack.yaml.lock") {
		return false
	}
	definition, ok := c.file(s, reads[len(reads)-1])
	above, none := c.above(s, project)
	e.Reads = append(e.Reads, above...)
	return ok && none && !strings.Contains(definition, "build-type: Custom") && !regexp.MustCompile(`(?im)^\s*build-type:\s*(custom|configure|make)`).MatchString(definition) && e.project(s, c, reads, writes)
}

func opam(s *state, e *Effects, c Call) bool {
	words := c.words("--repo --repositories --compiler --jobs -j")
	if c.Dynamic || len(words) == 0 || c.has("--root", "--switch", "--deps-only", "--locked", "--working-dir") {
		return false
	}
	switch words[0] {
	case "update":
		if len(words) > 1 {
			return false
		}
	case "init":
		if len(words) > 1 {
			return false
		}
	case "install", "depext":
		if len(words) < 2 || slices.ContainsFunc(words[1:], func(w string) bool {
			return strings.ContainsAny(w, "/") || strings.HasPrefix(w, ".") || strings.HasSuffix(w, ".opam")
		}) || c.exists(s, "_opam") {
			return false
		}
	default:
		return false
	}
	return e.project(s, c, []string{"_opam/", ".opamrc"}, []string{"_opam/", ".opam/"})
}

func conan(s *state, e *Effects, c Call) bool {
	words := c.words("-s -o -of --output-folder --build -b -r --remote -pr --profile --settings --options -s:b -s:h -o:h -o:b -if --install-folder")
	switch {
	case c.Dynamic:
		return false
	case len(words) == 2 && words[0] == "profile" && words[1] == "detect":
		e.installs(s)
		return true
	case len(words) != 2 || words[0] != "install" || words[1] != "." || c.has("-pr", "--profile", "-l", "--lockfile", "--lockfile-out", "-if", "--install-folder") || c.exists(s, "conanfile.py") || c.exists(s, "conan.lock"):
		return false
	}
	text, ok := c.file(s, "conanfile.txt")
	if !ok || strings.Contains(text, "[imports]") || strings.Contains(text, "deploy") || strings.Contains(text, "layout") {
		return false
	}
	folder := ""
	for i, a := range c.Args {
		if name, value, has := strings.Cut(a, "="); name == "-of" || name == "--output-folder" {
			if folder = value; !has && i+1 < len(c.Args) {
				folder = c.Args[i+1]
			}
		}
	}
	if folder == "" || folder == "." { // the generators write where the sources are
		return false
	}
	return e.project(s, c, []string{"conanfile.txt", "conanfile.py", "conan.lock"}, []string{"CMakeUserPresets.json"}) && e.writes(c, folder)
}

// vcpkg installs what a manifest names, or the packages of its arguments.
func vcpkg(s *state, e *Effects, c Call) bool {
	words := c.words("--triplet --host-triplet")
	if c.Dynamic || len(words) == 0 || words[0] != "install" || c.has("--overlay-ports", "--overlay-triplets", "--x-manifest-root", "--x-install-root", "--vcpkg-root", "--downloads-root", "--x-buildtrees-root", "--x-packages-root") {
		return false
	}
	text, ok := c.file(s, "vcpkg.json")
	settings, has := c.file(s, "vcpkg-configuration.json")
	if !ok || len(words) > 1 || has && strings.Contains(settings, "overlay") || strings.Contains(settings, "filesystem") || strings.Contains(text, "overlay") {
		return false
	}
	return e.project(s, c, []string{"vcpkg.json", "vcpkg-configuration.json"}, []string{"vcpkg_installed/"})
}

// shards installs what shard.yml of a Crystal project names.
func shards(s *state, e *Effects, c Call) bool {
	words := c.words("--jobs")
	text, ok := c.file(s, "shard.yml")
	if c.Dynamic || !onlyOptions(words, "install") || !c.has("--frozen", "--production") || c.has("--local") || !ok || !c.exists(s, "shard.lock") || strings.Contains(text, "path:") || c.exists(s, "shard.override.yml") {
		return false
	}
	return e.project(s, c, []string{"shard.yml", "shard.lock", "shard.override.yml"}, []string{"lib/", "bin/"})
}

// bower installs what bower.json names.
func bower(s *state, e *Effects, c Call) bool {
	words := c.words("")
	text, ok := c.file(s, "bower.json")
	if c.Dynamic || !onlyOptions(words, "install") || !ok || strings.Contains(text, `"./`) || strings.Contains(text, `"../`) || strings.Contains(text, `"/`) || c.exists(s, ".bowerrc") {
		return false
	}
	return e.project(s, c, []string{"bower.json", ".bowerrc"}, []string{"bower_components/"})
}

func helm(s *state, e *Effects, c Call) bool {
	words := c.words("")
	if c.Dynamic || len(words) < 2 || words[0] != "repo" || c.has("--ca-file", "--cert-file", "--key-file", "--repository-config", "--repository-cache") {
		return false
	}
	e.installs(s)
	return true
}
