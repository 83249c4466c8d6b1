package cachemodel

import (
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// nonEnvArgs are the build arguments that never become environment variables (dockerfile2llb.nonEnvArgs).
var nonEnvArgs = map[string]bool{
	"BUILDKIT_SBOM_SCAN_CONTEXT": true,
	"BUILDKIT_SBOM_SCAN_STAGE":   true,
}

// buildPlatform is the platform that a builder has if nothing is said.
func buildPlatform() ocispecs.Platform {
	return platforms.Normalize(ocispecs.Platform{OS: "linux", Architecture: runtime.GOARCH})
}

// targetPlatforms are those of --platform, or the builder's own where that is empty or cannot be read.
func targetPlatforms(s Settings) []ocispecs.Platform {
	var out []ocispecs.Platform
	for name := range strings.SplitSeq(s.Platform, ",") {
		p, err := platforms.Parse(strings.TrimSpace(name))
		if err != nil {
			p = buildPlatform()
		}
		if p = platforms.Normalize(p); !slices.ContainsFunc(
			out,
			func(q ocispecs.Platform) bool { return reflect.DeepEqual(p, q) },
		) {
			out = append(out, p)
		}
	}
	return out
}

// Build arguments that BuildKit's frontend reads itself.
const (
	hostnameArg       = "BUILDKIT_SANDBOX_HOSTNAME"
	cacheNamespaceArg = "BUILDKIT_CACHE_MOUNT_NS"
	epochArg          = "SOURCE_DATE_EPOCH"
)

// builtinArgs are the arguments that every build has in its global scope (dockerfile2llb/platform.go, defaultArgs).
// targetStage is the name of the stage to build, "" for an unnamed one. The classic builder has none.
func (p *planner) builtinArgs(targetStage string) []envNode {
	if p.Settings.Engine == Classic {
		return nil
	}
	build, target := buildPlatform(), p.target
	if targetStage == "" {
		targetStage = "default"
	}
	args := []envNode{
		{key: "BUILDPLATFORM", val: plain(platforms.Format(build))},
		{key: "BUILDOS", val: plain(build.OS)},
		{key: "BUILDOSVERSION", val: plain(build.OSVersion)},
		{key: "BUILDARCH", val: plain(build.Architecture)},
		{key: "BUILDVARIANT", val: plain(build.Variant)},
		{key: "TARGETPLATFORM", val: plain(platforms.FormatAll(target))},
		{key: "TARGETOS", val: plain(target.OS)},
		{key: "TARGETOSVERSION", val: plain(target.OSVersion)},
		{key: "TARGETARCH", val: plain(target.Architecture)},
		{key: "TARGETVARIANT", val: plain(target.Variant)},
		{key: "TARGETSTAGE", val: plain(targetStage)},
	}
	for i := range args {
		key := args[i].key
		args[i].origin = origin{arg: true}
		if p.Unknown.Platform != "" && strings.HasPrefix(key, "TARGET") ||
			p.Unknown.Target != "" && key == "TARGETSTAGE" {
			args[i].val = p.guess("arg\x00"+key, args[i].val)
		}
		args[i].val = p.argument(key, args[i].val)
	}
	return args
}
