package invocation

import (
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
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
	opts, locals := map[string]string{}, map[string]string{}
	c.sourceDateEpoch(b.Settings.Args)
	for _, opt := range p.all("opt") {
		k, v, ok := strings.Cut(opt, "=")
		if arg, isArg := strings.CutPrefix(k, "build-arg:"); isArg && arg != "" {
			if !ok {
				if v, ok = c.env[arg]; !ok {
					continue
				}
			}
			b.Settings.Args[arg] = v
			continue
		}
		if !ok {
			return nil, notRecordable("an --opt is not NAME=VALUE")
		}
		opts[k] = v
	}
	for _, local := range p.all("local") {
		k, v, ok := strings.Cut(local, "=")
		if !ok {
			return nil, notRecordable("a --local is not NAME=DIRECTORY")
		}
		locals[k] = v
	}
	switch frontend := p.last("frontend"); {
	case frontend == "":
		return nil, notRecordable("it builds an LLB definition, no Dockerfile")
	case frontend == "gateway.v0" && strings.Contains(opts["source"], "docker/dockerfile"):
	case frontend != "dockerfile.v0":
		return nil, notRecordable("its frontend %s is not that of Dockerfiles", frontend)
	}
	// An option may name a remote context; a local one always has this name (dockerui.initContext).
	const context = "context"
	if where := opts[option(opts["contextkey"], context)]; isRemote(where) {
		return nil, notRecordable("its context is remote (%s)", shown(where))
	}
	fileName := option(opts["dockerfilekey"], "dockerfile")
	contextDir, ok := locals[context]
	if !ok {
		return nil, notRecordable("it has no --local %s=DIRECTORY", context)
	}
	if b.ContextDir, err = c.local(contextDir); err != nil {
		return nil, err
	}
	fileDir, ok := locals[fileName]
	if !ok {
		return nil, notRecordable("it has no --local %s=DIRECTORY", fileName)
	}
	b.Dockerfile = withLowerCase(join(c.abs(fileDir), option(opts["filename"], "Dockerfile")))
	b.Settings.Target = opts["target"]
	b.Settings.Platform = opts["platform"]
	if stages, ok := opts["no-cache"]; ok && stages == "" {
		b.Settings.NoCache = true
	} else if ok {
		b.Settings.NoCacheFilter = strings.Split(stages, ",")
	}
	b.Settings.RunSettings = FrontendSettings(opts)
	b.Settings.Entitlements = p.all("allow")
	for k, v := range opts {
		name, ok := strings.CutPrefix(k, "context:")
		if !ok {
			continue
		}
		if local, ok := strings.CutPrefix(v, "local:"); ok {
			dir, ok := locals[local]
			if !ok {
				return nil, notRecordable("it has no --local %s=DIRECTORY", local)
			}
			c.namedContext(&b, name, dir)
			continue
		}
		c.namedContext(&b, name, v)
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
