package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/layerwise/layerwise/"

// TestArrows holds the packages to the architecture: who may import whom, through however many packages.
func TestArrows(t *testing.T) {
	rules := []struct {
		why  string
		from string   // packages below this
		not  []string // must not reach these
	}{
		{"the core knows no protocol, no logger, no network", "analysis", []string{"go.lsp.dev", "go.uber.org/zap", "net", "net/http"}},
		{"the core knows no protocol, no logger, no network", "cachemodel", []string{"go.lsp.dev", "go.uber.org/zap", "net", "net/http"}},
		{"the core is given a daemon's answers as plain records", "cachemodel", []string{module + "cachemodel/daemon", "google.golang.org/grpc"}},
		{"the document core does not know the cache", "analysis/dockerfile", []string{module + "cachemodel", module + "server"}},
		{"the cache model knows nothing of rules and rewrites", "cachemodel", []string{module + "analysis/rules", module + "analysis/reorder", module + "server"}},
		{"analysis does no I/O", "analysis", []string{"os/exec"}},
		{"the heavy parts of BuildKit stay in the test modules", "cmd", []string{
			"github.com/moby/buildkit/client", "github.com/moby/buildkit/solver", "github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb",
		}},
		{"the server does not know the command line", "server", []string{module + "cmd", "github.com/spf13/cobra"}},
	}
	// Packages that may reach what is forbidden, with the reason.
	edges := map[string]string{
		"cachemodel/daemon -> net":                             "it is what asks the BuildKit daemon that the user configured",
		"cachemodel/daemon -> net/http":                        "a Docker engine hands its BuildKit over by HTTP; gRPC brings the rest",
		"cachemodel/daemon -> google.golang.org/grpc":          "BuildKit's protocol",
		"cachemodel/daemon -> " + module + "cachemodel/daemon": "itself",
		"cmd/layerwise -> github.com/moby/buildkit/solver/pb":  "messages of BuildKit's protocol, no solver",
		"cachemodel/invocation -> net":                         "pflag and BuildKit's git references know addresses; nothing is opened",
		"cachemodel/buildfiles -> net":                         "the libraries that Docker reads its files with know addresses and Docker's settings; nothing is opened",
	}
	deps := dependencies(t)
	for _, rule := range rules {
		seen := false
		for pkg, imports := range deps {
			if !below(pkg, module+rule.from) {
				continue
			}
			seen = true
			for _, dep := range imports {
				for _, not := range rule.not {
					name := strings.TrimPrefix(pkg, module)
					if below(dep, not) && (not != "net" || dep == "net") && edges[name+" -> "+dep] == "" && edges[name+" -> "+not] == "" {
						t.Errorf("%s imports %s: %s", strings.TrimPrefix(pkg, module), dep, rule.why)
					}
				}
			}
		}
		if !seen {
			t.Errorf("no package below %s: is the rule about it out of date?", rule.from)
		}
	}
}

func below(pkg, parent string) bool { return pkg == parent || strings.HasPrefix(pkg, parent+"/") }

// dependencies gives for each package of the module all that it imports, directly or not; tests do not count.
func dependencies(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Deps " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	deps := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.HasPrefix(fields[0], module) {
			deps[fields[0]] = fields[1:]
		}
	}
	return deps
}
