package rules

import (
	"github.com/layerwise/layerwise/analysis/scope"
	"slices"
	"strings"
)

// predefined reports whether FROM knows the argument without a declaration. A stage knows it once it has declared it.
func predefined(name string) bool {
	_, ok := scope.PlatformDefaults[name]
	return ok
}

// The operating systems and architectures that Go, and so BuildKit, knows.
var (
	platformSystems = []string{
		"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "aix",
		"android", "ios", "plan9", "js", "wasip1", "wasi",
	}
	platformArches = []string{
		"amd64", "arm64", "arm", "386", "ppc64le", "ppc64", "s390x", "riscv64", "mips64le", "mips64", "mipsle", "mips",
		"loong64", "wasm", "sparc64", "riscv", "ppc", "s390",
	}
)

// archAliases are other names of architectures: normalizeArch in containerd's platforms package.
var archAliases = map[string]string{
	"i386": "386", "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm",
}

// parsePlatform returns the operating system and the architecture of a platform such as "linux/arm/v7", by their usual
// names. It reports false for what BuildKit does not take for a platform.
func parsePlatform(platform string) (os, arch string, ok bool) {
	parts := strings.Split(strings.ToLower(platform), "/")
	for _, part := range parts {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != "" {
			return "", "", false
		}
	}
	system := func(s string) string {
		if s == "macos" {
			return "darwin"
		}
		return s
	}
	machine := func(s string) string {
		if alias, ok := archAliases[s]; ok {
			return alias
		}
		return s
	}
	switch {
	case len(parts) > 3:
		return "", "", false
	case len(parts) > 1:
		return system(parts[0]), machine(parts[1]), true
	case slices.Contains(platformSystems, system(parts[0])):
		return system(parts[0]), "amd64", true
	case slices.Contains(platformArches, machine(parts[0])):
		return "linux", machine(parts[0]), true
	}
	return "", "", false
}
