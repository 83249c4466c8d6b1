package main

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
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
		{
			"the core knows no protocol, no logger, no network",
			"analysis",
			[]string{"go.lsp.dev", "go.uber.org/zap", "net/http"},
		},
		{
			"the core knows no protocol, no logger, no network",
			"cachemodel",
			[]string{"go.lsp.dev", "go.uber.org/zap", "net/http"},
		},
		{
			"the core is given a daemon's answers as plain records",
			"cachemodel",
			[]string{module + "cachemodel/daemon", "google.golang.org/grpc"},
		},
		{
			"the document core does not know the cache",
			"analysis/dockerfile",
			[]string{module + "cachemodel", module + "server"},
		},
		{
			"the cache model knows nothing of rules and rewrites",
			"cachemodel",
			[]string{module + "analysis/rules", module + "analysis/reorder", module + "server"},
		},
		{"the heavy parts of BuildKit stay in the test modules", "cmd", []string{
			"github.com/moby/buildkit/client", "github.com/moby/buildkit/solver",
			"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb",
		}},
		{"the server does not know the command line", "server", []string{module + "cmd", "github.com/spf13/cobra"}},
	}
	// Packages that may reach what is forbidden, with the reason.
	edges := map[string]string{
		"cachemodel/daemon -> " +
			"net/http": "a Docker engine hands its BuildKit over by HTTP; gRPC brings the rest",
		"cachemodel/cachestore -> net/http":                    "caches in registries, if the user names one",
		"cachemodel/daemon -> google.golang.org/grpc":          "BuildKit's protocol",
		"cachemodel/daemon -> " + module + "cachemodel/daemon": "itself",
		"cmd/layerwise -> github.com/moby/buildkit/solver/pb":  "messages of BuildKit's protocol, no solver",

		// The floor on which the terminal and the editor stand joins the model with what follows from it.
		"cachemodel/workspace -> " + module + "analysis/rules":   "findings",
		"cachemodel/workspace -> " + module + "analysis/reorder": "orders",

		"cachemodel/buildfiles/buildcheck -> " + module + "analysis/rules": "what its rules are called",

		"cachemodel/workspace/shellcheck -> " + module + "analysis/rules": "findings",
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
					if below(dep, not) && edges[name+" -> "+dep] == "" && edges[name+" -> "+not] == "" {
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

// TestNothingIsOpened checks that no package of the core opens a connection itself, and that analysis runs no program.
// BuildKit's git references and the libraries that read Docker's files bring "net" and "os/exec" along, so what is
// reached does not tell.
func TestNothingIsOpened(t *testing.T) {
	format := `{{.ImportPath}} {{join .Imports " "}}`
	out, err := exec.Command(
		"go",
		"list",
		"-f",
		format,
		module+"analysis/...",
		module+"cachemodel/...",
	).CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if fields[0] != module+"cachemodel/daemon" && slices.Contains(fields[1:], "net") {
			t.Errorf("%s imports net", fields[0])
		}
		if below(fields[0], module+"analysis") && slices.Contains(fields[1:], "os/exec") {
			t.Errorf("%s imports os/exec", fields[0])
		}
	}
}

func below(pkg, parent string) bool { return pkg == parent || strings.HasPrefix(pkg, parent+"/") }

// dependencies gives for each package of the module all that it imports, directly or not; tests do not count.
func dependencies(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command(
		"go",
		"list",
		"-deps",
		"-f",
		`{{.ImportPath}} {{join .Deps " "}}`,
		module+"...",
	).CombinedOutput()
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

// TestServerIsForServe holds the command line to the floor that it shares with the server: nothing but serve knows the
// server.
func TestServerIsForServe(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources", err)
	}
	found := false
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range file.Imports {
			if !strings.HasPrefix(imported.Path.Value, `"`+module+"server") {
				continue
			}
			if strings.HasPrefix(source, "serve") || source == "listen.go" {
				found = true
				continue
			}
			t.Errorf("%s imports %s: that is for serve", source, imported.Path.Value)
		}
	}
	if !found {
		t.Error("serve does not import the server: is this test out of date?")
	}
	for pkg, imports := range dependencies(t) {
		if name := strings.TrimPrefix(pkg, module); slices.Contains(imports, module+"server") &&
			name != "cmd/layerwise" &&
			!below(name, "server") {
			t.Errorf("%s imports the server", name)
		}
	}
}
