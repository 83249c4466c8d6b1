package cachemodel

import (
	"runtime"
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

// targetPlatform is that of --platform, of several the first, or the builder's own where it is empty or cannot be read.
func targetPlatform(s Settings) ocispecs.Platform {
	if first, _, _ := strings.Cut(s.Platform, ","); first != "" {
		if p, err := platforms.Parse(first); err == nil {
			return platforms.Normalize(p)
		}
	}
	return buildPlatform()
}

// builtinArgs are the arguments that every build has in its global scope (dockerfile2llb/platform.go, defaultArgs).
// targetStage is the name of the stage to build, "" for an unnamed one.
func builtinArgs(s Settings, targetStage string) []envNode {
	build, target := buildPlatform(), targetPlatform(s)
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
		args[i].origin = origin{arg: true}
		if v, ok := s.Args[args[i].key]; ok {
			args[i].val = plain(v)
		}
	}
	return args
}
