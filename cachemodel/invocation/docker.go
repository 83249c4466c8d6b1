package invocation

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
)

// The flags of docker itself (docker/cli cli/flags/options.go, cmd/docker/docker.go).
var dockerFlags = flags{
	values: "config log-level/l tlscacert tlscert tlskey host/H context/c",
	bools:  "debug/D tls tlsverify version/v help/h",
}

// The flags of buildx itself (docker/buildx commands/root.go), which may stand behind the subcommand too.
var buildxFlags = flags{values: "builder", bools: "debug/D help/h"}

// The flags of `docker build` with either builder (docker/buildx commands/build.go, docker/cli
// cli/command/image/build.go).
var dockerBuildFlags = flags{
	values: `add-host allow annotation build-arg cache-from cache-to cgroup-parent build-context file/f iidfile label network
		no-cache-filter output/o platform policy secret shm-size ssh tag/t target ulimit resource attest sbom provenance call print
		memory/m memory-swap cpu-shares/c cpu-period cpu-quota cpuset-cpus cpuset-mems isolation security-opt progress metadata-file
		root detach-file server-config invoke on`,
	bools: "load push quiet/q check compress squash rm force-rm no-cache pull disable-content-trust detach stream",
}

// The flags of `docker buildx bake` (docker/buildx commands/bake.go).
var bakeFlags = flags{
	values: "file/f sbom provenance policy set var call allow list progress metadata-file",
	bools:  "load push check print list-targets list-variables no-cache pull",
}

// The flags of `docker compose` and of its build (docker/compose cmd/compose/compose.go, build.go).
var (
	composeFlags = flags{
		values: "profile project-name/p file/f insecure-registry env-file project-directory workdir progress ansi " +
			"parallel",
		bools: "compatibility all-resources version/v dry-run no-ansi verbose help/h",
	}
	composeBuildFlags = flags{
		values: "build-arg ssh builder provenance sbom memory/m progress",
		bools: "push quiet/q pull with-dependencies parallel compress force-rm no-cache no-rm print check dry-run " +
			"help/h",
	}
)

// docker reads `docker ...` (docker/cli cmd/docker/builder.go says what is forwarded to buildx).
func docker(c *command) ([]Build, error) {
	global, err := c.parse(true, dockerFlags)
	if err != nil {
		return nil, err
	}
	daemon := global.last("context")
	if host := global.last("host"); host != "" {
		daemon = host
	}
	switch c.enter(global) {
	case "build":
		return c.dockerBuild(daemon, c.classic())
	case "image":
		if next, err := c.parse(true, flags{}); err == nil && c.enter(next) == "build" {
			return c.dockerBuild(daemon, c.classic())
		}
	case "builder":
		next, err := c.parse(true, buildxFlags)
		if err != nil {
			return nil, err
		}
		switch c.enter(next) {
		case "build", "b":
			return c.dockerBuild(daemon, c.classic())
		}
	case "buildx":
		return buildx(c)
	case "bake":
		return c.bake("")
	case "compose":
		return compose(c)
	}
	return nil, c.noBuild()
}

// classic reports whether the environment turns BuildKit off.
func (c *command) classic() bool {
	on, err := strconv.ParseBool(c.env["DOCKER_BUILDKIT"])
	return err == nil && !on
}

// buildx reads what stands behind `docker buildx`.
func buildx(c *command) ([]Build, error) {
	global, err := c.parse(true, buildxFlags, dockerFlags)
	if err != nil {
		return nil, err
	}
	switch c.enter(global) {
	case "build", "b":
		return c.dockerBuild(global.last("builder"), false)
	case "bake", "f":
		return c.bake(global.last("builder"))
	}
	return nil, c.noBuild()
}

// dockerBuild reads a build's own flags.
func (c *command) dockerBuild(builder string, classic bool) ([]Build, error) {
	p, err := c.parse(false, dockerBuildFlags, buildxFlags)
	if err != nil {
		return nil, err
	}
	if call := p.last("call"); p.is("check") || call != "" && call != "build" || p.last("print") != "" {
		return nil, fmt.Errorf("%w: it only checks or describes", ErrNoBuild)
	}
	context, err := p.one(c)
	if err != nil {
		return nil, err
	}
	b := Build{
		Tool: c.name, Tags: p.all("tag"), Builder: c.builder(p, builder),
		CacheFrom: p.all("cache-from"), CacheTo: p.all("cache-to"),
	}
	b.Settings.Engine = cachemodel.BuildKit
	if classic {
		b.Settings.Engine = cachemodel.Classic
	}
	if p.last("file") == "-" {
		return nil, fmt.Errorf("its Dockerfile comes from the standard input")
	}
	if b.ContextDir, err = c.local(context); err != nil {
		return nil, err
	}
	switch file := p.last("file"); {
	case strings.HasPrefix(file, "http://"), strings.HasPrefix(file, "https://"):
		return nil, fmt.Errorf("its Dockerfile is remote (%s)", shown(file))
	case file == "":
		b.Dockerfile = withLowerCase(join(b.ContextDir, "Dockerfile"))
	case classic:
		b.Dockerfile = c.abs(file)
	default:
		b.Dockerfile = withLowerCase(c.abs(file))
	}
	if b.Settings.Args, err = c.buildArgs(p.all("build-arg")); err != nil {
		return nil, err
	}
	c.sentByItself(b.Settings.Args, classic)
	b.Settings.Target = p.last("target")
	b.Settings.NoCache = p.is("no-cache")
	b.Settings.NoCacheFilter = p.list("no-cache-filter")
	b.Settings.Platform = c.platform(p.all("platform"))
	b.Settings.RunSettings = p.runSettings()
	err = c.namedContexts(&b, p.all("build-context"))
	return []Build{b}, err
}

// builder is the builder instance that a build runs on, as far as it is named.
func (c *command) builder(p parsed, outer string) string {
	switch {
	case p.last("builder") != "":
		return p.last("builder")
	case outer != "":
		return outer
	}
	return c.env["BUILDX_BUILDER"]
}

// platform joins the platforms to build for; "local" is the builder's own (buildx util/platformutil.Parse).
func (c *command) platform(list []string) string {
	if len(list) == 0 && c.env["DOCKER_DEFAULT_PLATFORM"] != "" {
		list = []string{c.env["DOCKER_DEFAULT_PLATFORM"]}
	}
	platform := strings.Join(list, ",")
	if strings.EqualFold(platform, "local") {
		return ""
	}
	return platform
}
