package tools

import "strings"

func words(s string) []string {
	if s == "" {
		return []string{""}
	}
	return strings.Fields(s)
}

// work is a verb of which only the kind is known.
func work(kind Work, list string) Verb { return Verb{Words: words(list), Work: kind} }

// installs is a verb that installs what manifests name.
func installs(list, manifests, config, writes, locks string) Verb {
	return Verb{
		Words:     strings.Split(list, " "),
		Work:      Dependencies,
		Downloads: true,
		Named:     true,
		Manifests: strings.Fields(manifests),
		Config:    strings.Fields(config),
		Writes:    strings.Fields(writes),
		Locks:     strings.Fields(locks),
	}
}

func packages(list string) Verb { return Verb{Words: words(list), Work: Packages, Downloads: true} }

const (
	scripts   = "run run-script build exec compile bundle dist production"
	testWords = "test check vet lint t"
)

// table has the tools. Where an installation could not be made safe, the row says only what kind of work it is.
var table = []Tool{
	{
		Name:     "apt",
		Programs: words("apt-get apt aptitude apt-fast"),
		Source:   "apt-get(8), apt.conf(5) of Debian 12",
		Versions: "1.8 to 3.0",
		Verbs: []Verb{
			packages("install upgrade dist-upgrade full-upgrade build-dep satisfy"),
			work(Packages, "*"),
		},
		Caches: []Cache{{Dir: "/var/cache/apt", Locked: true}},
	},
	{Name: "apk", Programs: words("apk"), Source: "apk(8) of Alpine 3.20", Versions: "2.10 to 2.14",
		Verbs: []Verb{
			packages("add upgrade"),
			work(Packages, "*"),
		}, Caches: []Cache{{Dir: "/var/cache/apk", Locked: true}}, NoKeep: "--no-cache"},
	{Name: "dnf", Programs: words("yum dnf microdnf tdnf"), Source: "dnf(8) of Fedora 40", Versions: "dnf 4",
		Verbs: []Verb{packages("install groupinstall update upgrade"), work(Packages, "*")}},
	{
		Name:     "zypper",
		Programs: words("zypper pacman xbps-install emerge brew install_packages"),
		Verbs:    []Verb{packages("install in"), work(Packages, "*")},
	},
	{
		Name:     "npm",
		Programs: words("npm"),
		Source:   "docs.npmjs.com: npm ci, npm install, npmrc, scripts",
		Versions: "7 to 11",
		Verbs: []Verb{
			installs(
				"ci clean-install ic install-clean",
				"package.json package-lock.json",
				"npm-shrinkwrap.json .npmrc",
				"node_modules/",
				"",
			),
			installs(
				"install i add",
				"package.json package-lock.json",
				"npm-shrinkwrap.json .npmrc yarn.lock",
				"node_modules/",
				"package-lock.json npm-shrinkwrap.json yarn.lock",
			),
			work(Test, testWords), work(Compile, scripts),
		},
		Caches: []Cache{{Dir: "/root/.npm"}, {Dir: "/root/.npm/_cacache", Safe: true}},
	},
	{
		Name:     "yarn",
		Programs: words("yarn yarnpkg"),
		Source:   "classic.yarnpkg.com/docs, yarnpkg.com/configuration/yarnrc",
		Versions: "1.22, 3 and 4",
		Verbs: []Verb{
			installs(
				" install",
				"package.json yarn.lock",
				".npmrc .yarnrc .yarnrc.yml .yarnclean .env.yarn .corepack.env",
				"node_modules/ .pnp.cjs .pnp.loader.mjs",
				"yarn.lock",
			),
			installs("add workspaces", "package.json yarn.lock", "", "node_modules/", "yarn.lock package.json"),
			work(Test, testWords), work(Compile, scripts),
		},
		Caches: []Cache{{Dir: "/usr/local/share/.cache/yarn", Locked: true, Safe: true}},
	},
	{Name: "pnpm", Programs: words("pnpm pnpx"), Source: "pnpm.io: install, fetch, settings", Versions: "8 to 10",
		Verbs: []Verb{
			installs(
				"fetch",
				"pnpm-lock.yaml",
				"package.json .npmrc pnpm-workspace.yaml .pnpmfile.cjs .pnpmfile.mjs .corepack.env",
				"node_modules/ .pnpm-store/",
				"",
			),
			installs(
				"install i",
				"package.json pnpm-lock.yaml",
				".npmrc pnpm-workspace.yaml .pnpmfile.cjs .pnpmfile.mjs .corepack.env",
				"node_modules/ .pnpm-store/",
				"pnpm-lock.yaml",
			),
			installs("add", "package.json pnpm-lock.yaml", "", "node_modules/", "package.json pnpm-lock.yaml"),
			work(Test, testWords), work(Compile, scripts),
		}, Caches: []Cache{{Dir: "/root/.local/share/pnpm/store"}}},
	{Name: "bun", Programs: words("bun bunx"), Source: "bun.com/docs/pm/cli/install", Versions: "1.1 to 1.3",
		Verbs: []Verb{
			installs(
				"install i ci",
				"package.json bun.lock",
				"bun.lockb bunfig.toml .npmrc .env .env.local .env.production .env.development .env.test "+
					".env.production.local .env.development.local",
				"node_modules/",
				"bun.lock bun.lockb",
			),
			installs("add", "package.json", "", "node_modules/", "package.json bun.lock"),
			work(Test, testWords), work(Compile, scripts),
		}},
	{
		Name:     "corepack",
		Programs: words("corepack"),
		Source:   "github.com/nodejs/corepack README",
		Versions: "0.24 to 0.34",
		Verbs:    []Verb{work(Light, "enable prepare use install")},
	},
	{
		Name: "JavaScript bundlers",
		Programs: words(
			"turbo nx lerna tsc webpack vite next nuxt ng gulp grunt rollup esbuild parcel hugo jekyll gatsby astro",
		),
		Verbs: []Verb{work(Light, "prune"), work(Test, testWords), work(Compile, "*")},
	},
	{
		Name:     "pip",
		Programs: words("pip pip2 pip3"),
		Source:   "pip.pypa.io: pip install, requirements file format, configuration",
		Versions: "20 to 25",
		Verbs: []Verb{
			{Words: words("install wheel download"), Work: Dependencies, Downloads: true, Config: words("setup.cfg")},
		},
		Caches: []Cache{{Dir: "/root/.cache/pip"}},
		NoKeep: "--no-cache-dir",
	},
	{
		Name:     "uv",
		Programs: words("uv"),
		Source:   "docs.astral.sh/uv: sync, settings, environment",
		Versions: "0.4 to 0.9",
		Verbs: []Verb{
			installs("sync", "pyproject.toml uv.lock", "uv.toml .python-version .python-versions", ".venv/", ""),
			installs(
				"pip",
				"",
				"uv.toml pyproject.toml .python-version",
				".venv/",
				"",
			), work(Light, "venv python"), work(Dependencies, "add lock tool"),
		},
		Caches: []Cache{{Dir: "/root/.cache/uv"}},
		NoKeep: "--no-cache",
	},
	{
		Name:     "Poetry",
		Programs: words("poetry"),
		Source:   "python-poetry.org/docs: install, configuration",
		Versions: "1.2 to 2.2",
		Verbs: []Verb{
			installs("install sync", "pyproject.toml poetry.lock", "poetry.toml .python-version", ".venv/", ""),
			work(Light, "config"),
			work(Dependencies, "add export lock"),
		},
		Caches: []Cache{
			{Dir: "/root/.cache/pypoetry/cache"},
			{Dir: "/root/.cache/pypoetry/artifacts"},
		},
		NoKeep: "--no-cache",
	},
	{Name: "Pipenv", Programs: words("pipenv"), Source: "pipenv.pypa.io", Versions: "2022 to 2025",
		Verbs: []Verb{
			installs("install sync", "Pipfile Pipfile.lock", ".env .venv", ".venv/", "Pipfile.lock"),
			work(Dependencies, "requirements lock"),
		}, Caches: []Cache{{Dir: "/root/.cache/pipenv"}}},
	{Name: "Python's other installers", Programs: words("pipx pdm conda mamba micromamba easy_install pixi"),
		Verbs: []Verb{
			installs(
				"install sync create env update",
				"environment.yml environment.yaml pdm.lock pixi.toml pixi.lock",
				"",
				"",
				"",
			),
			work(Light, "config clean ensurepath"),
		}},
	{Name: "Go", Programs: words("go xx-go"), Source: "go.dev/ref/mod, go help", Versions: "1.18 to 1.26",
		Verbs: []Verb{
			installs("mod get", "go.mod go.sum", "go.work go.work.sum", "", "go.sum"),
			work(Test, testWords), work(Compile, "build install generate run"), work(Light, "env clean version"),
		}, Caches: []Cache{{Dir: "/root/.cache/go-build"}, {Dir: "/go/pkg/mod", Needed: true}}},
	{
		Name:     "Cargo",
		Programs: words("cargo xx-cargo"),
		Source:   "doc.rust-lang.org/cargo, cargo-chef README",
		Versions: "1.60 to 1.90",
		Verbs: []Verb{
			{
				Words: words("chef-prepare"),
				Work:  Light,
			}, {Words: words("chef-cook"), Work: Compile, Downloads: true, Manifests: words("recipe.json"),
				Config: words("rust-toolchain rust-toolchain.toml")},
			installs("fetch vendor", "Cargo.toml Cargo.lock", "rust-toolchain rust-toolchain.toml", "", ""),
			work(Test, testWords), work(Compile, "build install binstall rustc chef b"),
		},
		Caches: []Cache{{Dir: "/usr/local/cargo/registry", Needed: true}},
	},
	{
		Name:     "rustup",
		Programs: words("rustup"),
		Source:   "rust-lang.github.io/rustup",
		Versions: "1.24 to 1.28",
		Verbs:    []Verb{work(Download, "*")},
	},
	{
		Name:     "Bundler",
		Programs: words("bundle bundler"),
		Source:   "bundler.io: bundle install, bundle config, Gemfile",
		Versions: "2.1 to 2.7",
		Verbs: []Verb{
			installs(
				" install",
				"Gemfile Gemfile.lock",
				".ruby-version .bundle/config",
				".bundle/ vendor/bundle/ vendor/cache/",
				"Gemfile.lock",
			),
			work(Light, "config clean"),
		},
		Caches: []Cache{{Dir: "/usr/local/bundle/cache"}},
	},
	{
		Name:     "gem",
		Programs: words("gem"),
		Source:   "guides.rubygems.org",
		Versions: "3",
		Verbs:    []Verb{work(Global, "install update")},
	},
	{
		Name:     "Composer",
		Programs: words("composer"),
		Source:   "getcomposer.org/doc: 03-cli, 04-schema, 06-config",
		Versions: "2.2 to 2.8",
		Verbs: []Verb{
			installs("install", "composer.json composer.lock", "auth.json symfony.lock", "vendor/", ""),
			work(
				Dependencies,
				"update require create-project",
			), work(Light, "dump-autoload dumpautoload config clear-cache"), work(Test, testWords),
		},
		Caches: []Cache{{Dir: "/root/.composer/cache"}},
		NoKeep: "--no-cache",
	},
	{
		Name:     "PHP's extensions",
		Programs: words("docker-php-ext-install docker-php-ext-configure install-php-extensions pecl pear"),
		Verbs:    []Verb{packages("*")},
	},
	{
		Name:     "Maven",
		Programs: words("mvn mvnw"),
		Source:   "maven.apache.org: POM, dependency plugin, configuration",
		Versions: "3.6 to 3.9",
		Verbs: []Verb{
			installs(
				"dependency:go-offline dependency:resolve dependency:resolve-plugins",
				"pom.xml",
				".mvn/maven.config",
				"",
				"",
			),
			work(
				Compile,
				"package install compile verify deploy clean",
			), work(Test, testWords), work(Dependencies, "*"),
		},
		Caches: []Cache{{Dir: "/root/.m2/repository", Needed: true}},
	},
	{Name: "Gradle", Programs: words("gradle gradlew"),
		Verbs: []Verb{
			work(Compile, "build assemble jar bootJar shadowJar installDist distTar clean"), work(Test, testWords),
			installs(
				"dependencies resolveDependencies",
				"build.gradle build.gradle.kts settings.gradle settings.gradle.kts gradle.properties",
				"",
				"",
				"",
			), work(Dependencies, "*"),
		}, Caches: []Cache{{Dir: "/root/.gradle/caches", Needed: true}, {Dir: "/root/.gradle/wrapper", Needed: true}}},
	{
		Name:     ".NET",
		Programs: words("dotnet msbuild nuget"),
		Source:   "learn.microsoft.com: dotnet restore, MSBuild reference, nuget.config",
		Versions: "6 to 9",
		Verbs: []Verb{
			installs("restore", "*.csproj *.fsproj *.vbproj *.sln *.slnx",
				"[Nn]u[Gg]et.[Cc]onfig global.json Directory.*.* MSBuild.rsp *proj.user",
				"obj/", "packages.lock.json"),
			work(Compile, "build publish pack"), work(Test, testWords), work(Global, "tool install workload"),
		},
		Caches: []Cache{{Dir: "/root/.nuget/packages", Needed: true}},
	},
	{Name: "Elixir and Erlang", Programs: words("mix rebar3"),
		Verbs: []Verb{
			work(Compile, "compile release assets.deploy phx.digest do deps.compile"),
			work(Light, "local.hex local.rebar"),
			installs("deps.get deps get-deps", "mix.exs mix.lock rebar.config rebar.lock", "", "deps/ _build/", ""),
		}},
	{Name: "JVM builders", Programs: words("sbt lein clojure clj ant bazel bazelisk"),
		Verbs: []Verb{
			installs("update deps -P", "build.sbt project.clj deps.edn", "", "", ""),
			work(Compile, "compile assemble uberjar stage dist package do"),
			work(Compile, "*"),
		}},
	{
		Name:     "Dart",
		Programs: words("dart flutter"),
		Verbs:    []Verb{work(Compile, "compile build"), installs("pub", "pubspec.yaml pubspec.lock", "", "", "")},
	},
	{
		Name:     "Swift",
		Programs: words("swift"),
		Verbs: []Verb{
			work(Test, "test"),
			installs("package", "Package.swift Package.resolved", "", "", ""),
			work(Compile, "*"),
		},
	},
	{
		Name:     "Haskell",
		Programs: words("cabal stack"),
		Verbs: []Verb{
			installs(
				"*",
				"*.cabal cabal.project cabal.project.freeze stack.yaml stack.yaml.lock package.yaml",
				"",
				"",
				"",
			),
		},
	},
	{
		Name:     "other package managers",
		Programs: words("bower deno shards carton conan vcpkg cpanm cpan luarocks opam R Rscript pub hex"),
		Verbs: []Verb{
			installs(
				"*",
				"bower.json deno.json deno.jsonc deno.lock shard.yml shard.lock cpanfile cpanfile.snapshot "+
					"conanfile.txt vcpkg.json vcpkg-configuration.json",
				"",
				"",
				"",
			),
		},
	},
	{Name: "Rails", Programs: words("rails rake"), Verbs: []Verb{work(Compile, "assets:precompile")}},
	{
		Name: "test runners",
		Programs: words(
			"pytest tox nox phpunit rspec jest vitest mocha eslint golangci-lint flake8 ruff mypy pylint rubocop " +
				"phpstan",
		),
		Verbs: []Verb{work(Test, "*")},
	},
	{
		Name: "compilers",
		Programs: words(
			"make cmake ninja meson gcc g++ cc c++ clang clang++ xx-clang javac rustc configure autoreconf zig just " +
				"task pyinstaller mage mkdocs sphinx-build earthly nix nix-build nimble crystal elm wasm-pack trunk " +
				"tinygo moon",
		),
		Verbs: []Verb{work(Test, testWords), work(Compile, "*")},
	},
	{Name: "Python", Programs: words("python python2 python3"), Verbs: []Verb{work(Compile, "setup.py")}},
	{Name: "downloads", Programs: words("curl wget aria2c svn"), Verbs: []Verb{work(Download, "*")}},
	{Name: "git", Programs: words("git"), Verbs: []Verb{work(Download, "clone fetch pull submodule")}},
}
