package conformance

import (
	"archive/tar"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// RewriteCase is a Dockerfile that rewrites may be offered for, with its context. Its FROMs that name no stage all get
// one image: busybox with stand-ins for package managers (testdata/rewrites/tools) that read the manifests the real
// ones read, and write what depends on them.
type RewriteCase struct {
	File       string // that holds it, "" of a generated one
	Name       string
	Prose      string // what is tricky about it
	Dockerfile string
	// the context; a name that ends in "@" is a symlink to its content, one in "*" is executable
	Files map[string]string
}

// app is a program in some language, as its author would build it.
type app struct {
	image     string
	files     map[string]string
	manifests []string // COPY arguments that bring the manifests and nothing else
	installs  []string
	builds    []string
	artefact  string
}

var apps = []app{
	{"node:22", map[string]string{
		"package.json": "{\n  \"name\": \"shop\",\n  \"scripts\": {\n    \"build\": \"true\"\n  }\n" +
			"}\n", "package-lock.json": "{\"lockfileVersion\": 3, \"packages\": {\"\": {\"name\": \"shop\"}, " +
			"\"node_modules/a\": {\"resolved\": \"https://registry.npmjs.org/a-1.tgz\", \"integrity\": " +
			"\"sha512-a\"}}}\n",
		"src/index.js": "index\n", "src/lib/util.js": "util\n", "public/index.html": "<p>\n", "README.md": "readme\n",
	}, []string{"package.json package-lock.json " +
		"./", "package*.json " +
		"./"}, []string{"npm ci", "npm install", "npm ci --omit=dev"}, []string{"npm run build"}, "dist"},
	{"node:22-alpine", map[string]string{
		"package.json": "{\n  \"name\": \"site\",\n  \"scripts\": {\n    \"build\": \"true\"\n  }\n" +
			"}\n", "yarn.lock": "# yarn lockfile v1\n\na@1:\n  resolved \"https://registry.yarnpkg.com/a-1.tgz#1\"\n " +
			" integrity sha512-a\n", "src/index.js": "index\n", "assets/logo.svg": "<svg/>\n",
	}, []string{"package.json yarn.lock " +
		"./"}, []string{"yarn install --frozen-lockfile", "yarn"}, []string{"yarn build"}, "dist"},
	{"python:3.12-slim", map[string]string{
		"requirements.txt": "flask\n", "app/main.py": "main\n", "app/util.py": "util\n", "tests/test_main.py": "test\n",
	}, []string{"requirements.txt " +
		".", "requirements.txt " +
		"./"}, []string{"pip install -r " +
		"requirements.txt", "pip install --no-cache-dir -r " +
		"requirements.txt"}, []string{"cat app/*.py > /app.bundle", "true"}, "app"},
	{"golang:1.24", map[string]string{
		"go.mod": "module example.com/x\n\ngo 1.24\n", "go.sum": "sum\n", "main.go": "package main\n",
		"internal/a/a.go": "package a\n",
	}, []string{"go.mod go.sum " +
		"./", "go.* ./"}, []string{"go mod download"}, []string{"go build -o /out/app " +
		".", "CGO_ENABLED=0 go build -o bin/app " +
		"./...", "CGO_ENABLED=0 GOOS=linux go build -ldflags=\"-s -w\" -o /out/app ."}, "main.go"},
	{"rust:1", map[string]string{
		"Cargo.toml": "[package]\nname = \"x\"\n", "Cargo.lock": "lock\n", "src/main.rs": "fn main() {}\n",
	}, []string{"Cargo.toml Cargo.lock ./"}, []string{"cargo fetch"}, []string{"cargo build --release"}, "src"},
	{"ruby:3.3", map[string]string{
		"Gemfile": "gem \"rails\"\n", "Gemfile.lock": "lock\n", "app/models/a.rb": "class A\n",
		"config/app.yml": "a: 1\n",
	}, []string{"Gemfile Gemfile.lock " +
		"./", "Gemfile* ./"}, []string{"bundle install", "bundle install --jobs " +
		"4"}, []string{"cat config/app.yml > /config"}, "app"},
	{"php:8-cli", map[string]string{
		"composer.json": "{\n  \"name\": \"a/b\"\n" +
			"}\n", "composer.lock": "lock\n", "src/a.php": "<?php\n", "public/index.php": "<?php\n",
	}, []string{"composer.json composer.lock " +
		"./"}, []string{"composer install", "composer install --no-scripts " +
		"--no-autoloader"}, []string{"composer dump-autoload", "true"}, "src"},
	{"maven:3", map[string]string{
		"pom.xml": "<project/>\n", "src/main/java/A.java": "class A {}\n",
	}, []string{"pom.xml ./"}, []string{"mvn -B dependency:go-offline"}, []string{"mvn -B package"}, "src"},
	{"oven/bun:1", map[string]string{
		"package.json": "{\n  \"name\": \"edge\"\n" +
			"}\n", "bun.lock": "{}\n", "src/index.ts": "index\n", "public/a.css": "a\n",
	}, []string{"package.json bun.lock " +
		"./"}, []string{"bun install --frozen-lockfile"}, []string{"cat src/*.ts > /bundle"}, "src"},
	{"ghcr.io/astral-sh/uv:python3.12", map[string]string{
		"pyproject.toml": "[project]\nname = " +
			"\"x\"\n", "uv.lock": "version = 1\n", "app/main.py": "main\n", "tests/a.py": "a\n",
	}, []string{"pyproject.toml uv.lock " +
		"./"}, []string{"uv sync --frozen " +
		"--no-install-project", "uv sync --locked"}, []string{"cat app/*.py > /bundle"}, "app"},
	{"mcr.microsoft.com/dotnet/sdk:8.0", map[string]string{
		"shop.sln": "Project(\"{F}\") = \"Web\", \"src\\Web\\Web.csproj\", " +
			"\"{1}\"\n", "src/Web/Web.csproj": "<Project><ProjectReference Include=\"..\\Core\\Core.csproj\" " +
			"/></Project>\n",
		"src/Core/Core.csproj": "<Project/>\n", "src/Web/Program.cs": "class P {}\n", "src/Core/A.cs": "class A {}\n",
	}, []string{"--parents shop.sln src/*/*.csproj " +
		"./"}, []string{"dotnet restore shop.sln", "dotnet restore"}, []string{"dotnet publish -o /out"}, "src"},
	{"gradle:8", map[string]string{
		"build.gradle": "plugins { id 'java' " +
			"}\n", "settings.gradle": "rootProject.name = " +
			"'x'\n", "gradle/libs.versions.toml": "[versions]\n", "src/main/java/A.java": "class A {}\n",
	}, []string{"build.gradle settings.gradle " +
		"./"}, []string{"gradle dependencies --no-daemon"}, []string{"gradle build"}, "src"},
	{"elixir:1.17", map[string]string{
		"mix.exs": "defmodule X\n", "mix.lock": "%{}\n", "config/config.exs": "import Config\n",
		"lib/x.ex": "defmodule X.A\n",
	}, []string{"mix.exs mix.lock " +
		"./"}, []string{"mix deps.get", "mix local.hex --force && mix deps.get --only " +
		"prod"}, []string{"mix compile"}, "lib"},
}

// rewriteGenerator makes one RewriteCase.
type rewriteGenerator struct {
	r       *rand.Rand
	app     app
	staged  bool // the stage is likely to be given a cache mount
	files   map[string]string
	traps   []string
	text    strings.Builder
	workdir string
}

func (g *rewriteGenerator) pick(list []string) string { return list[g.r.IntN(len(list))] }

func (g *rewriteGenerator) chance(percent int) bool { return g.r.IntN(100) < percent }

// trap decides whether the case has a trap, and notes it.
func (g *rewriteGenerator) trap(percent int, name string) bool {
	if !g.chance(percent) {
		return false
	}
	g.traps = append(g.traps, name)
	return true
}

func (g *rewriteGenerator) line(format string, args ...any) {
	fmt.Fprintf(&g.text, format+"\n", args...)
}

// GenerateRewriteCase makes a Dockerfile that builds, in an order that its author might have found good enough, with
// one or more traps for who reorders it.
func GenerateRewriteCase(seed uint64) RewriteCase {
	g := &rewriteGenerator{r: rand.New(rand.NewPCG(seed, 7)), files: map[string]string{}}
	g.app = apps[g.r.IntN(len(apps))]
	g.staged = g.chance(25)
	if g.staged {
		g.app = apps[[]int{0, 1, 3}[g.r.IntN(3)]]
	}
	maps.Copy(g.files, g.app.files)
	g.from()
	g.head()
	g.enterWorkdir()
	g.contextTraps()
	g.build()
	g.afterBuild()
	if g.staged || g.chance(50) {
		g.secondStage()
	}
	return RewriteCase{
		Name: fmt.Sprintf("generated-%d", seed), Prose: strings.Join(g.traps, ", "),
		Dockerfile: g.text.String(), Files: g.files,
	}
}

func (g *rewriteGenerator) from() {
	if g.trap(15, "global ARG in FROM") {
		g.line("ARG TAG=%s", strings.SplitN(g.app.image, ":", 2)[1])
		g.line("FROM %s:${TAG} AS build", strings.SplitN(g.app.image, ":", 2)[0])
	} else {
		g.line("FROM %s AS build", g.app.image)
	}
}

// head writes what an author writes before the application comes in, in any order.
func (g *rewriteGenerator) head() {
	var head []string
	if g.chance(60) {
		head = append(
			head,
			g.pick(
				[]string{
					"ENV NODE_ENV=production",
					"ENV RAILS_ENV=production PIP_NO_CACHE_DIR=1",
					"ENV GOFLAGS=-trimpath\nENV API_URL=/api",
				},
			),
		)
	}
	if g.trap(30, "ARG that changes with each build") {
		head = append(
			head,
			g.pick(
				[]string{
					"ARG GIT_SHA=none\nENV GIT_SHA=$GIT_SHA",
					"ARG VERSION=dev",
					"ARG BUILD_DATE=today\nLABEL date=$BUILD_DATE",
					"ARG GIT_SHA=none\nRUN echo $GIT_SHA > /etc/revision",
				},
			),
		)
	}
	if g.chance(50) {
		head = append(
			head,
			g.pick(
				[]string{
					"RUN apt-get update && apt-get install -y curl git",
					"RUN apt-get update \\\n && apt-get install -y --no-install-recommends \\\n    # the database\n  " +
						"  libpq-dev \\\n && rm -rf /var/lib/apt/lists/*",
					"RUN apk add --no-cache git",
					"RUN mkdir -p /data && chmod 777 /data",
				},
			),
		)
	}
	if g.trap(20, "a label or port early") {
		head = append(head, g.pick([]string{"LABEL maintainer=us", "EXPOSE 8080", "STOPSIGNAL SIGINT", "VOLUME /data"}))
	}
	if g.trap(15, "another shell") {
		head = append(head, `SHELL ["/bin/sh", "-eu", "-c"]`)
	}
	g.r.Shuffle(len(head), func(i, j int) { head[i], head[j] = head[j], head[i] })
	for i, h := range head {
		if g.chance(20) {
			g.line("# Needed by step %d.", i)
		}
		g.line("%s", h)
	}
}

func (g *rewriteGenerator) enterWorkdir() {
	g.workdir = g.pick([]string{"/app", "/src", "/usr/src/app"})
	if g.trap(15, "relative WORKDIR") {
		g.line("WORKDIR /srv\nWORKDIR web")
		g.workdir = "/srv/web"
	} else {
		g.line("WORKDIR %s", g.workdir)
	}
	if g.trap(15, "USER before install") {
		g.line(
			"RUN mkdir -p %s /home/app /out && chown -R 1000:1000 %s /home/app /out /usr /go /data 2>/dev/null || true",
			g.workdir,
			g.workdir,
		)
		g.line("ENV HOME=/home/app")
		g.line(
			"RUN mkdir -p /usr/lib/python3 /usr/local/bundle /go && chmod -R 777 /usr/lib/python3 /usr/local/bundle " +
				"/go",
		)
	}
}

// contextTraps are those within the context.
func (g *rewriteGenerator) contextTraps() {
	if g.trap(15, "a script that reads what was copied") {
		g.files["scripts/setup.sh"] = "cat " + g.app.artefact + "* 2>/dev/null > /setup.out; cat config.txt >> " +
			"/setup.out; true\n"
		g.files["config.txt"] = "config\n"
	}
	g.manifestTraps()
	if g.trap(15, "a variable that steers the installation") {
		g.files["extra/constraints.txt"] = "flask==1\n"
		g.line(
			"ENV PIP_CONSTRAINT=%[1]s/extra/constraints.txt NPM_CONFIG_CAFILE=%[1]s/extra/constraints.txt "+
				"GOMODCACHE=%[1]s/extra BUNDLE_GEMFILE=%[1]s/extra/constraints.txt",
			g.workdir,
		)
	}
	if _, gem := g.app.files["Gemfile"]; gem && g.trap(20, "gems in the project") {
		g.files["vendor/cache/own.gem"] = "gem\n"
	}
	if g.trap(15, "an archive that ADD unpacks") {
		g.files["static.tar"] = tarOf(sorted(g.app.files)[0], "from the archive\n")
		g.line("ADD static.tar %s/", g.workdir)
	}
	if g.trap(10, "a symlink in the context") {
		g.files["current@"] = g.app.artefact
	}
	if g.trap(15, "an ignore file") {
		g.files[".dockerignore"] = "README.md\ntests\n"
	}
}

// manifestTraps are those within the files that say what is installed.
func (g *rewriteGenerator) manifestTraps() {
	if _, node := g.app.files["package.json"]; node && g.trap(25, "a lifecycle script that reads sources") {
		g.files["package.json"] = "{\n  \"scripts\": {\n    \"postinstall\": \"cat src/index.js > /postinstall.out " +
			"2>/dev/null; true\"\n  }\n}\n"
	}
	if _, py := g.app.files["requirements.txt"]; py && g.trap(25, "requirements that include others") {
		g.files["requirements.txt"] = "-r requirements/base.txt\nflask\n"
		g.files["requirements/base.txt"] = "django\n"
	}
	if _, goMod := g.app.files["go.mod"]; goMod && g.trap(25, "a replaced module in the context") {
		g.files["go.mod"] = "module example.com/x\n\ngo 1.24\nreplace example.com/y => ./internal\n"
	}
	if _, gem := g.app.files["Gemfile"]; gem && g.trap(25, "a gem by path") {
		g.files["Gemfile"] = "gem \"own\", path: \"app\"\n"
	}
	if _, php := g.app.files["composer.json"]; php && g.trap(25, "an autoloader that lists the sources") {
		g.files["composer.json"] = "{\n  \"autoload\": {\"classmap\": [\"src/\"]}\n}\n"
	}
	if _, node := g.app.files["package.json"]; node && g.trap(20, "settings that name a certificate") {
		g.files[".npmrc"] = "cafile=" + g.app.artefact + ".pem\n"
		g.files[g.app.artefact+".pem"] = "certificate\n"
	}
	if _, py := g.app.files["requirements.txt"]; py && g.trap(20, "an archive beside the requirements") {
		g.files["requirements.txt"] = "own-1.0-py3-none-any.whl\n"
		g.files["own-1.0-py3-none-any.whl"] = "wheel\n"
	}
}

// setup runs the script that reads what was copied, if there is one.
func (g *rewriteGenerator) setup() {
	if _, ok := g.files["scripts/setup.sh"]; ok {
		g.line("RUN sh scripts/setup.sh")
	}
}

// build brings the application in, installs what it needs and builds it.
func (g *rewriteGenerator) build() {
	install, build := g.pick(g.app.installs), g.pick(g.app.builds)
	if g.staged && !strings.HasPrefix(build, "npm") && !strings.HasPrefix(build, "yarn") {
		build = g.app.builds[len(g.app.builds)-1]
	}
	if g.chance(20) {
		install = "set -e; \\\n    " + install + "; \\\n    true"
	}
	switch g.r.IntN(6) {
	case 0, 1: // everything first
		g.line("COPY . .")
		g.line("RUN %s", install)
		g.setup()
		g.line("RUN %s", build)
	case 2: // ... to the absolute path, install and build in one
		g.line("COPY . %s", g.workdir)
		g.setup()
		g.line("RUN %s && %s", g.pick(g.app.installs), build)
	case 3: // the manifests apart, but something volatile above
		g.line("ARG COMMIT=none")
		g.line("ENV COMMIT=${COMMIT}")
		g.line("COPY %s", g.pick(g.app.manifests))
		if _, steered := g.files["extra/constraints.txt"]; steered { // without it pip fails
			g.line("COPY extra ./extra/")
		}
		g.line("RUN %s", install)
		g.line("COPY . .")
		g.setup()
		g.line("RUN %s", build)
	case 4: // manifests and then everything, with tools in between
		g.line("COPY . .")
		g.line("RUN apt-get update && apt-get install -y build-essential")
		g.line("RUN %s", install)
		g.setup()
		g.line("RUN %s", build)
	case 5: // two COPYs and an install that needs the first only
		g.line("COPY . ./")
		g.line("COPY --link %s /opt/extra/", sorted(g.app.files)[0])
		g.line("RUN %s", install)
		g.line("RUN %s", build)
		g.setup()
	}
}

// afterBuild writes what comes below in the same stage.
func (g *rewriteGenerator) afterBuild() {
	if g.trap(15, "a later step overwrites an earlier one") {
		g.line("RUN echo changed > %s/overwritten && cp %s/overwritten /etc/overwritten", g.workdir, g.workdir)
		g.line("COPY %s /etc/overwritten", sorted(g.app.files)[0])
	}
	if g.trap(20, "an ENV that a RUN below uses") {
		g.line("ENV GREETING=hello")
		g.line("RUN echo $GREETING ${NODE_ENV:-} > /greeting")
		g.line("ENV GREETING=bye")
	}
	if g.trap(15, "a heredoc") {
		g.line("RUN <<EOF\nset -e\necho from a heredoc > /heredoc\nls > /listing\nEOF")
	}
	if g.trap(10, "a user for what follows") {
		g.line("RUN mkdir -p /own && chown 1000:1000 /own")
		g.line("USER 1000:1000")
		g.line("RUN id -u > /own/id")
		g.line("COPY --chown=1000:1000 %s /own/", sorted(g.app.files)[0])
	}
}

// secondStage writes one that takes what was built.
func (g *rewriteGenerator) secondStage() {
	g.line("\nFROM debian:12-slim")
	copies := []string{
		fmt.Sprintf("COPY --from=build %s/%s /app/%s", g.workdir, g.app.artefact, g.app.artefact),
		"COPY --from=build /etc/passwd /etc/passwd.build",
		fmt.Sprintf("COPY %s /app/", sorted(g.app.files)[0]),
	}
	if g.trap(30, "links that overlap") {
		copies = append(copies, fmt.Sprintf("COPY --link %s /app/over", sorted(g.app.files)[0]),
			fmt.Sprintf("COPY --link --from=build %s/%s /app/over", g.workdir, sorted(g.app.files)[1]))
	}
	if g.trap(10, "what a cache holds is copied") {
		copies = append(copies, "COPY --from=build /root /home-of-build")
	}
	if g.trap(25, "a RUN on what was copied") {
		copies = append(
			copies,
			"RUN ls -R /app > /listing 2>/dev/null || true; find / -xdev -name app > /found || true",
		)
	}
	if g.chance(40) {
		copies = append(
			copies,
			"RUN apt-get update && apt-get install -y ca-certificates",
			"ENV MODE=prod",
			"ENV PORT=80\nENV HOST=0.0.0.0",
		)
	}
	g.r.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
	for _, l := range copies {
		g.line("%s", l)
	}
	g.line("CMD [\"/app\"]")
}

// tarOf is an archive of one file.
func tarOf(name, text string) string {
	var b strings.Builder
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a name that no archive can have
	}
	return b.String()
}

// sorted are the names of files that no ignore file leaves out.
func sorted(files map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return name == "README.md" })
}
