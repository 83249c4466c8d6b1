package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const shopDockerfile = `FROM node:22-alpine
WORKDIR /app
EVN NODE_ENV=production
COPY . .
RUN npm ci
`

const shopLock = `{"name": "shop", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "shop"}}}`

// inShop makes a repository with one commit, in which a source file was changed since, the current folder.
func inShop(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, ".cache"))
	t.Setenv("BUILDKIT_HOST", "")
	for name, text := range map[string]string{
		"Dockerfile": shopDockerfile, "package.json": `{"name": "shop"}`, "package-lock.json": shopLock, "src/main.js": "1\n",
		".dockerignore": ".git\n.cache\nnode_modules\nDockerfile\n.dockerignore\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "-A"},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit", "-qm", "a"},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	if err := os.WriteFile("src/main.js", []byte("2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// agent connects the SDK's own client.
func agent(t *testing.T, write, build bool) *mcp.ClientSession {
	t.Helper()
	ours, theirs := mcp.NewInMemoryTransports()
	server, err := newMCPServer(write, build).Connect(t.Context(), ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Wait() })
	return client
}

// call calls a tool and gives its answer.
func call(t *testing.T, s *mcp.ClientSession, tool string, args map[string]any) (text string, isError bool) {
	t.Helper()
	r, err := s.CallTool(context.Background(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return r.Content[0].(*mcp.TextContent).Text, r.IsError
}

// An agent asks each tool, and no file changes by it.
func TestMCPReads(t *testing.T) {
	inShop(t)
	s := agent(t, false, false)
	answer := func(tool string, args map[string]any, into any) string {
		t.Helper()
		text, isError := call(t, s, tool, args)
		if isError {
			t.Fatalf("%s: %s", tool, text)
		}
		if into != nil {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatalf("%s: %v\n%s", tool, err, text)
			}
		}
		return text
	}
	var report workspace.Report
	answer("predict", map[string]any{"baseline": "git"}, &report)
	if step := report.Steps[3]; step.Instruction != "COPY" || step.Status != "rebuilt" || step.Cause == nil ||
		!slices.Equal(step.Cause.Paths, []string{"src/main.js"}) {
		t.Errorf("predict: %+v", step)
	}
	for name, args := range map[string]map[string]any{
		"a folder": {"paths": []string{"."}}, "a file": {"paths": []string{"Dockerfile"}},
		"a text": {"text": shopDockerfile}, "nothing": nil,
	} {
		var checked jsonCheck
		answer("check", args, &checked)
		if !slices.ContainsFunc(checked.Files, func(f jsonFile) bool {
			return slices.ContainsFunc(f.Findings, func(f jsonFinding) bool { return f.Rule == "unknown-instruction" })
		}) {
			t.Errorf("check of %s: %+v", name, checked)
		}
	}
	if diff := answer("fix", map[string]any{"file": "Dockerfile"}, nil); !strings.Contains(diff, "\n+ENV NODE_ENV=") {
		t.Errorf("fix: %s", diff)
	}
	good := []byte(strings.Replace(shopDockerfile, "EVN", "ENV", 1))
	if err := os.WriteFile("good.Dockerfile", good, 0o644); err != nil {
		t.Fatal(err)
	}
	var order jsonReordering
	answer("reorder", map[string]any{"file": "good.Dockerfile"}, &order)
	if len(order.Rewrites) == 0 || order.Written || !strings.Contains(order.Diff, "+COPY package") {
		t.Errorf("reorder: %+v", order)
	}
	if text := answer("explain", map[string]any{"rule": "DL3006"}, nil); text == "" {
		t.Error("explain says nothing")
	}
	if text := answer("explain", nil, nil); !strings.Contains(text, "missing-source") {
		t.Errorf("explain lists: %s", text)
	}
	var files contextListing
	answer("context_files", map[string]any{"limit": 2}, &files)
	if len(files.Files) != 2 || files.More != 2 || files.Dir != "." {
		t.Errorf("context_files: %+v", files)
	}
	answer("context_files", map[string]any{"below": "src"}, &files)
	if len(files.Files) != 1 || files.Files[0] != (contextFile{"src/main.js", 2}) {
		t.Errorf("context_files: %+v", files)
	}
	if now, err := os.ReadFile("Dockerfile"); err != nil || string(now) != shopDockerfile {
		t.Errorf("the Dockerfile has changed: %v\n%s", err, now)
	}
}

// What an agent gets wrong is an answer that says so: the server goes on.
func TestMCPErrors(t *testing.T) {
	inShop(t)
	s := agent(t, true, true)
	for _, test := range []struct {
		tool string
		args map[string]any
		says string
	}{
		{"predict", map[string]any{"file": "none"}, "none"},
		{"predict", map[string]any{"file": "--write"}, "--write: no such file"},
		{"predict", map[string]any{"baseline": "yesterday"}, "yesterday"},
		{"fix", map[string]any{"file": "src"}, "directory"},
		{"explain", map[string]any{"rule": "no-such-rule"}, "no-such-rule"},
		{"context_files", map[string]any{"below": "../.."}, ""},
		{"context_files", map[string]any{"below": "lib"}, "not in the build context"},
		{"predict", map[string]any{"target": 1}, "target"},
	} {
		text, isError := call(t, s, test.tool, test.args)
		if isError != (test.says != "") || !strings.Contains(text, test.says) {
			t.Errorf("%s %v: %v, %s", test.tool, test.args, isError, text)
		}
	}
}

// Tools that write or build are there only where they are allowed, and none of the others says that it changes a thing.
func TestMCPTools(t *testing.T) {
	inShop(t)
	for _, test := range []struct {
		write, build bool
		also         []string
	}{
		{false, false, nil},
		{true, false, []string{"apply_fixes", "apply_reordering"}},
		{true, true, []string{"apply_fixes", "apply_reordering", "verify_reordering"}},
	} {
		s := agent(t, test.write, test.build)
		tools, err := s.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var changing []string
		for _, tool := range tools.Tools {
			if !tool.Annotations.ReadOnlyHint {
				changing = append(changing, tool.Name)
			}
		}
		slices.Sort(changing)
		if !slices.Equal(changing, test.also) {
			t.Errorf("%v: %v", test, changing)
		}
	}
	s := agent(t, true, false)
	if text, isError := call(t, s, "apply_fixes", map[string]any{"file": "Dockerfile"}); isError {
		t.Fatal(text)
	}
	fixed := strings.Replace(shopDockerfile, "EVN", "ENV", 1)
	if now, err := os.ReadFile("Dockerfile"); err != nil || string(now) != fixed {
		t.Errorf("%v\n%s", err, now)
	}
	text, isError := call(t, s, "apply_reordering", nil)
	now, err := os.ReadFile("Dockerfile")
	if err != nil || string(now) != fixed || !isError || !strings.Contains(text, "likely") {
		t.Errorf("a likely order was written: %v, %s", err, text)
	}
}

// The command speaks the protocol over its standard input and output, and ends with its client.
func TestMCPCommand(t *testing.T) {
	inShop(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "layerwise")
	if err := os.Symlink(self, program); err != nil {
		t.Skip(err)
	}
	s, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(),
		&mcp.CommandTransport{Command: exec.Command(program, "mcp")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if about := s.InitializeResult(); about.ServerInfo.Name != "layerwise" || about.Instructions == "" {
		t.Errorf("%+v", about)
	}
	if text, isError := call(t, s, "predict", nil); isError || !strings.Contains(text, `"steps"`) {
		t.Error(text)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
