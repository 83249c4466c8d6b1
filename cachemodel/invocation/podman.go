package invocation

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// The flags of podman itself (containers/podman cmd/podman/root.go); most may stand behind the subcommand too.
var podmanFlags = flags{
	values: `ssh connection/c url host/H config context identity tls-cert tls-key tls-ca tls-details out module
		cgroup-manager cpu-profile memory-profile conmon network-config-dir default-mounts-file events-backend
		hooks-dir cdi-spec-dir max-workers namespace network-cmd-path network-backend root registries-conf
		runroot imagestore pull-option runtime storage-driver tmpdir volumepath storage-opt log-level
		runtime-flag`,
	bools: "noout remote/r transient-store trace help debug/D syslog version/v",
}

// The flags of a build with buildah (containers/buildah pkg/cli/common.go, containers/podman
// cmd/podman/common/build.go).
var buildahFlags = flags{
	values: `arch annotation authfile hooks-dir build-arg build-arg-file build-context cache-from cache-to cache-ttl
		cert-dir cpp-flag creds cw compression-format compression-level env from ignorefile file/f format
		iidfile iidfile-raw jobs label layer-label logfile loglevel rusage-logfile manifest metadata-file os
		os-feature os-version runtime-flag mount sbom sbom-scanner-image sbom-scanner-command
		sbom-merge-strategy sbom-output sbom-image-output sbom-purl-output sbom-image-purl-output secret sign-by
		signature-policy source-policy-file source-date-epoch ssh tag/t output/o target timestamp variant
		unsetenv unsetlabel unsetannotation add-host blob-cache cap-add cap-drop cdi-config-dir cgroup-parent
		cpu-period cpu-quota cpu-shares/c cpuset-cpus cpuset-mems decryption-key device dns-search dns
		dns-option isolation memory/m memory-swap retry retry-delay platform security-opt shm-size ulimit
		volume/v group-add userns userns-uid-map userns-gid-map userns-uid-map-user userns-gid-map-group
		cgroupns ipc network net pid uts progress`,
	bools: `all-platforms compress compat-volumes inherit-labels inherit-annotations created-annotation
		force-compression disable-compression/D disable-content-trust logsplit log-rusage no-cache no-hostname
		no-hosts pull-always pull-never quiet/q omit-history identity-label rm skip-unused-stages
		rewrite-timestamp squash squash-all stdin tls-verify http-proxy force-rm layers save-stages stage-labels
		load`,
}

// optionalFlags take a value only behind an equals sign.
var optionalFlags = []string{"pull"}

// podman reads `podman ...`.
func podman(c *command) ([]Build, error) {
	global, err := c.parse(true, podmanFlags)
	if err != nil {
		return nil, err
	}
	switch c.enter(global) {
	case "build":
		return c.buildahBuild(true)
	case "image", "buildx", "builder":
		next, err := c.parse(true, buildxFlags)
		if err != nil {
			return nil, err
		}
		if c.enter(next) == "build" {
			return c.buildahBuild(true)
		}
	}
	return nil, c.noBuild()
}

// buildah reads `buildah ...`.
func buildah(c *command) ([]Build, error) {
	global, err := c.parse(true, podmanFlags)
	if err != nil {
		return nil, err
	}
	switch c.enter(global) {
	case "build", "build-using-dockerfile", "bud":
		return c.buildahBuild(false)
	}
	return nil, c.noBuild()
}

// buildahBuild reads a build's own flags. layers says whether steps are cached if nothing is said.
func (c *command) buildahBuild(layers bool) ([]Build, error) {
	c.args = withOptional(c.args)
	p, err := c.parse(false, buildahFlags, flags{values: strings.Join(optionalFlags, " ")}, podmanFlags)
	if err != nil {
		return nil, err
	}
	if env, ok := c.env["BUILDAH_LAYERS"]; ok {
		layers = env == "" && layers || isTrue(env)
	}
	if p.given("layers") {
		layers = p.is("layers")
	}
	switch {
	case !layers || p.is("squash") || p.is("squash-all"):
		return nil, fmt.Errorf("it caches no layers")
	case p.given("from"):
		return nil, fmt.Errorf("--from replaces its base image")
	case p.given("ignorefile"):
		return nil, fmt.Errorf("--ignorefile names another ignore file")
	}
	var files []string
	for _, list := range p.all("file") {
		files = append(files, strings.Split(list, ",")...)
	}
	if len(files) > 1 {
		return nil, fmt.Errorf("it has several Dockerfiles")
	}
	b := Build{Tool: c.name, Tags: p.all("tag"), Builder: p.last("connection")}
	b.Settings.Engine = cachemodel.Podman
	if b.ContextDir, err = c.buildahContext(p.rest, files); err != nil {
		return nil, err
	}
	b.Dockerfile = c.buildahDockerfile(b.ContextDir, files)
	if strings.HasSuffix(b.Dockerfile, ".in") {
		return nil, fmt.Errorf("the C preprocessor makes its Dockerfile")
	}
	if exists(join(b.ContextDir, ".containerignore")) {
		return nil, fmt.Errorf("its context has a .containerignore, which is not modelled")
	}
	if b.Settings.Args, err = c.buildahArgs(p); err != nil {
		return nil, err
	}
	b.Settings.Target = p.last("target")
	b.Settings.NoCache = p.is("no-cache")
	b.Settings.Platform = buildahPlatform(p)
	err = c.namedContexts(&b, p.all("build-context"))
	return []Build{b}, err
}

// buildahContext is the folder of a build's context. At most one Dockerfile is given.
func (c *command) buildahContext(contexts, files []string) (string, error) {
	switch {
	case len(contexts) > 1:
		return "", fmt.Errorf("%s takes one context, not %d", c.name, len(contexts))
	case len(files) == 1 && files[0] == "-":
		return "", fmt.Errorf("its Dockerfile comes from the standard input")
	case len(files) == 1 && buildfiles.IsRemote(files[0]):
		return "", fmt.Errorf("its Dockerfile is remote (%s)", shown(files[0]))
	case len(contexts) == 1:
		return c.local(contexts[0])
	case len(files) == 1:
		return filepath.Dir(c.abs(files[0])), nil
	case c.name == "podman build" || c.name == "podman image build":
		return "", fmt.Errorf("it names neither a context nor a Dockerfile")
	}
	return c.dir, nil // buildah's own default
}

// buildahDockerfile is the Dockerfile of a build. At most one is given.
func (c *command) buildahDockerfile(contextDir string, files []string) string {
	if len(files) == 0 {
		if containerfile := join(contextDir, "Containerfile"); exists(containerfile) {
			return containerfile
		}
		return join(contextDir, "Dockerfile")
	}
	file := c.abs(files[0])
	if inContext := join(contextDir, files[0]); !exists(file) && !filepath.IsAbs(files[0]) && exists(inContext) {
		return inContext
	}
	return file
}

// buildahArgs reads --build-arg-file and --build-arg.
func (c *command) buildahArgs(p parsed) (map[string]string, error) {
	args := map[string]string{}
	for _, name := range p.all("build-arg-file") {
		text, err := textfile.Read(c.abs(name))
		if err != nil {
			return nil, fmt.Errorf("--build-arg-file: %v", err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(strings.TrimLeft(line, " \t"), "\r\n")
			k, v, ok := strings.Cut(line, "=")
			if line == "" || line[0] == '#' {
				continue
			}
			if !ok {
				if v, ok = c.env[k]; !ok {
					continue
				}
			}
			args[k] = v
		}
	}
	given, err := c.buildArgs(p.all("build-arg"))
	for _, kv := range p.all("build-arg") {
		k, _, _ := strings.Cut(kv, "=")
		delete(args, k) // also where the environment does not have it
		if v, ok := given[k]; ok {
			args[k] = v
		}
	}
	return args, err
}

// buildahPlatform reads --platform, or --os, --arch and --variant.
func buildahPlatform(p parsed) string {
	if list := p.all("platform"); len(list) > 0 {
		return strings.Join(list, ",")
	}
	os, arch, variant := p.last("os"), p.last("arch"), p.last("variant")
	if arch == "" {
		return ""
	}
	if os == "" {
		os = "linux"
	}
	return strings.TrimSuffix(os+"/"+arch+"/"+variant, "/")
}

// withOptional gives flags whose value is optional one.
func withOptional(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if arg == "--" {
			copy(out[i:], args[i:])
			break
		}
		for _, name := range optionalFlags {
			if arg == "--"+name {
				arg += "=true"
			}
		}
		out[i] = arg
	}
	return out
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") || s == "1" }

func join(dir, name string) string { return filepath.Join(dir, name) }
