package invocation

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
)

// The flags of nerdctl itself (containerd/nerdctl cmd/nerdctl/main.go), all of which may stand behind the subcommand
// too.
var nerdctlFlags = flags{
	values: `address/a host/H namespace/n snapshotter storage-driver cni-path cni-netconfpath data-root cgroup-manager hosts-dir host-gateway-ip
		bridge-ip cdi-spec-dirs userns-remap global-dns global-dns-opts global-dns-search`,
	bools: "debug debug-full insecure-registry experimental kube-hide-dupe selinux-enabled help/h version/v",
}

// The flags of `nerdctl build` (containerd/nerdctl cmd/nerdctl/builder/builder_build.go).
var nerdctlBuildFlags = flags{
	values: `buildkit-host add-host tag/t file/f target build-arg output/o progress provenance secret allow attest ssh sbom cache-from cache-to
		network platform build-context iidfile label source-policy-file`,
	bools: "no-cache pull quiet/q rm",
}

// nerdctl reads `nerdctl ...`.
func nerdctl(c *command) ([]Build, error) {
	global, err := c.parse(true, nerdctlFlags)
	if err != nil {
		return nil, err
	}
	word := c.enter(global)
	if word == "image" || word == "builder" {
		next, err := c.parse(true, nerdctlFlags)
		if err != nil {
			return nil, err
		}
		word = c.enter(next)
	}
	if word != "build" {
		return nil, c.noBuild()
	}
	p, err := c.parse(false, nerdctlBuildFlags, nerdctlFlags)
	if err != nil {
		return nil, err
	}
	if len(p.rest) < 1 {
		return nil, fmt.Errorf("it names no context")
	}
	b := Build{Tool: c.name, Tags: p.all("tag"), Address: p.last("buildkit-host")}
	if b.Address == "" {
		b.Address = c.env["BUILDKIT_HOST"]
	}
	b.Builder = b.Address
	b.Settings.Engine = cachemodel.BuildKit
	if b.ContextDir, err = c.local(p.rest[0]); err != nil {
		return nil, err
	}
	switch file := p.last("file"); {
	case file == "-":
		return nil, fmt.Errorf("its Dockerfile comes from the standard input")
	case file == "":
		b.Dockerfile = withContainerfile(join(b.ContextDir, "Dockerfile"))
	default:
		b.Dockerfile = withContainerfile(c.abs(file))
	}
	if b.Settings.Args, err = c.buildArgs(p.all("build-arg")); err != nil {
		return nil, err
	}
	c.sourceDateEpoch(b.Settings.Args)
	b.Settings.Target = p.last("target")
	b.Settings.NoCache = p.is("no-cache")
	b.Settings.RunSettings = p.runSettings()
	b.Settings.Platform = strings.Join(p.all("platform"), ",")
	err = c.namedContexts(&b, p.all("build-context"))
	return []Build{b}, err
}

// withContainerfile finds the file itself, or where a Dockerfile is not there a Containerfile
// (buildkitutil.BuildKitFile).
func withContainerfile(path string) string {
	if dir, ok := strings.CutSuffix(path, "Dockerfile"); ok &&
		(dir == "" || strings.HasSuffix(dir, "/") || strings.HasSuffix(dir, `\`)) &&
		!exists(path) &&
		exists(dir+"Containerfile") {
		return dir + "Containerfile"
	}
	return path
}
