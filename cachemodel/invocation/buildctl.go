package invocation

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// The flags of buildctl and of its build (moby/buildkit cmd/buildctl/main.go, build.go).
var (
	buildctlFlags = flags{
		values: "addr log-format tlsservername tlscacert tlscert tlskey tlsdir timeout",
		bools:  "debug wait help/h version/v",
	}
	buildctlBuildFlags = flags{
		values: `output/o progress trace local oci-layout frontend opt export-cache import-cache secret allow ssh metadata-file source-policy-file
			ref-file registry-auth-tlscontext debug-json-cache-metrics`,
		bools: "no-cache proxy-network help/h",
	}
)

// buildctl reads `buildctl ...`.
func buildctl(c *command) ([]Build, error) {
	c.args = twoDashes(c.args, buildctlFlags)
	global, err := c.parse(true, buildctlFlags)
	if err != nil {
		return nil, err
	}
	if word := c.enter(global); word != "build" && word != "b" {
		return nil, c.noBuild()
	}
	c.args = twoDashes(c.args, buildctlBuildFlags)
	p, err := c.parse(false, buildctlBuildFlags)
	if err != nil {
		return nil, err
	}
	b := Build{Tool: c.name, Address: global.last("addr")}
	if b.Address == "" {
		b.Address = c.env["BUILDKIT_HOST"]
	}
	b.Builder = b.Address
	b.Settings = cachemodel.Settings{Engine: cachemodel.BuildKit, Args: map[string]string{}, NoCache: p.is("no-cache")}
	c.sourceDateEpoch(b.Settings.Args)
	opts, err := c.buildctlOptions(p, b.Settings.Args)
	if err != nil {
		return nil, err
	}
	locals, err := buildctlLocals(p)
	if err != nil {
		return nil, err
	}
	if err := checkFrontend(p.last("frontend"), opts["source"]); err != nil {
		return nil, err
	}
	if err := c.buildctlPlaces(&b, opts, locals); err != nil {
		return nil, err
	}
	b.Settings.Target = opts["target"]
	b.Settings.Platform = opts["platform"]
	if stages, ok := opts["no-cache"]; ok && stages == "" {
		b.Settings.NoCache = true
	} else if ok {
		b.Settings.NoCacheFilter = strings.Split(stages, ",")
	}
	b.Settings.RunSettings = FrontendSettings(opts)
	b.Settings.Entitlements = p.all("allow")
	if err := c.buildctlContexts(&b, opts, locals); err != nil {
		return nil, err
	}
	for _, out := range p.all("output") {
		for part := range strings.SplitSeq(out, ",") {
			if name, ok := strings.CutPrefix(part, "name="); ok {
				b.Tags = append(b.Tags, name)
			}
		}
	}
	return []Build{b}, nil
}

// buildctlOptions reads --opt. Build arguments are put into args, all others are returned.
func (c *command) buildctlOptions(p parsed, args map[string]string) (map[string]string, error) {
	opts := map[string]string{}
	for _, opt := range p.all("opt") {
		k, v, ok := strings.Cut(opt, "=")
		if arg, isArg := strings.CutPrefix(k, "build-arg:"); isArg && arg != "" {
			if !ok {
				if v, ok = c.env[arg]; !ok {
					continue
				}
			}
			args[arg] = v
			continue
		}
		if !ok {
			return nil, fmt.Errorf("an --opt is not NAME=VALUE")
		}
		opts[k] = v
	}
	return opts, nil
}

// buildctlLocals reads --local: folders by their names.
func buildctlLocals(p parsed) (map[string]string, error) {
	locals := map[string]string{}
	for _, local := range p.all("local") {
		k, v, ok := strings.Cut(local, "=")
		if !ok {
			return nil, fmt.Errorf("a --local is not NAME=DIRECTORY")
		}
		locals[k] = v
	}
	return locals, nil
}

// checkFrontend returns an error if a frontend is not that of Dockerfiles. source is the image of a gateway.
func checkFrontend(frontend, source string) error {
	switch {
	case frontend == "":
		return fmt.Errorf("it builds an LLB definition, no Dockerfile")
	case frontend == "gateway.v0" && strings.Contains(source, "docker/dockerfile"):
	case frontend != "dockerfile.v0":
		return fmt.Errorf("its frontend %s is not that of Dockerfiles", frontend)
	}
	return nil
}

// buildctlPlaces sets where the context and the Dockerfile of a build are.
func (c *command) buildctlPlaces(b *Build, opts, locals map[string]string) error {
	// An option may name a remote context; a local one always has this name (dockerui.initContext).
	const context = "context"
	if where := opts[option(opts["contextkey"], context)]; buildfiles.IsRemote(where) {
		return fmt.Errorf("its context is remote (%s)", shown(where))
	}
	contextDir, ok := locals[context]
	if !ok {
		return fmt.Errorf("it has no --local %s=DIRECTORY", context)
	}
	var err error
	if b.ContextDir, err = c.local(contextDir); err != nil {
		return err
	}
	fileName := option(opts["dockerfilekey"], "dockerfile")
	fileDir, ok := locals[fileName]
	if !ok {
		return fmt.Errorf("it has no --local %s=DIRECTORY", fileName)
	}
	b.Dockerfile = withLowerCase(join(c.abs(fileDir), option(opts["filename"], "Dockerfile")))
	return nil
}

// buildctlContexts adds the named contexts of a build.
func (c *command) buildctlContexts(b *Build, opts, locals map[string]string) error {
	for k, v := range opts {
		name, ok := strings.CutPrefix(k, "context:")
		if !ok {
			continue
		}
		if local, ok := strings.CutPrefix(v, "local:"); ok {
			dir, ok := locals[local]
			if !ok {
				return fmt.Errorf("it has no --local %s=DIRECTORY", local)
			}
			c.namedContext(b, name, dir)
			continue
		}
		c.namedContext(b, name, v)
	}
	return nil
}

// FrontendSettings are the options of the Dockerfile frontend about what every RUN is run with
// (frontend/dockerui.NewClient).
func FrontendSettings(opts map[string]string) cachemodel.RunSettings {
	list := func(name string) []string {
		if opts[name] == "" {
			return nil
		}
		return strings.Split(opts[name], ",")
	}
	run := cachemodel.RunSettings{
		Network: opts["force-network-mode"], Hostname: opts["hostname"], CgroupParent: opts["cgroup-parent"],
		ExtraHosts: list("add-hosts"), Ulimits: list("ulimit"),
	}
	run.ShmSize, _ = strconv.ParseInt(opts["shm-size"], 10, 64)
	return run
}

func option(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// twoDashes writes long flags with two dashes, since buildctl's take one as well.
func twoDashes(args []string, known flags) []string {
	names := map[string]bool{}
	for _, name := range strings.Fields(known.values + " " + known.bools) {
		name, _, _ = strings.Cut(name, "/")
		names[name] = true
	}
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if long, ok := strings.CutPrefix(arg, "-"); ok {
			if name, _, _ := strings.Cut(long, "="); len(name) > 1 && names[name] {
				out[i] = "-" + arg
			}
		}
	}
	return out
}
