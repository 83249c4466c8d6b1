package invocation

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/golden"
)

// TestCommands holds Parse to testdata/commands.txt: a line of prose, the command (with variables of the environment in
// front), and what it builds or why it cannot be recorded.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"Dockerfile", "dev.Dockerfile", "app/Dockerfile", "app/build/Dockerfile.prod", "lower/dockerfile",
		"both/Dockerfile", "both/Containerfile",
		"pod/Containerfile", "with space/Dockerfile", "in/Containerfile.in", "ignored/Dockerfile",
		"ignored/.containerignore", "assets/x",
		"github.com/a/b.git/Dockerfile",
	} {
		write(t, filepath.Join(dir, name), "FROM scratch\n")
	}
	write(t, filepath.Join(dir, "proj/compose.yaml"), `services:
  web:
    build:
      context: ../app
      dockerfile: build/Dockerfile.prod
      target: prod
      args: {V: "1", T: "${TAG:-none}"}
      additional_contexts: {assets: ../assets, base: docker-image://alpine:3}
      platforms: [linux/arm64]
      tags: [web:1]
  worker:
    build: ../lower
    profiles: [jobs]
  inline:
    build: {context: ., dockerfile_inline: "FROM scratch"}
  remote:
    build: https://github.com/a/b.git
  ready:
    image: redis
`)
	write(t, filepath.Join(dir, "proj/docker-bake.hcl"), `
variable "TAG" { default = "dev" }
group "default" { targets = ["app"] }
target "app" {
  context = "app"
  args = { TAG = TAG }
  tags = ["app:${TAG}"]
}
target "run" {
  context = "app"
  network = "none"
  shm-size = "64m"
  ulimits = ["nofile=2", "core=0", "nofile=1024:2048"]
  extra-hosts = { b = "1.2.3.4", a = "::1" }
  entitlements = ["network.host"]
}
target "tests" {
  inherits = ["app"]
  target = "tests"
  no-cache = true
}
`)
	write(t, filepath.Join(dir, "far/docker-compose.yml"), `services:
  api:
    build: {context: ../app, args: {V: "${V:-none}", FAR: "${FAR:-none}", W: }, additional_contexts: {base: "service:common"}}
    platform: ${PLATFORM:-}
  common: {build: ../lower, profiles: [all]}
  run:
    build:
      context: ../lower
      network: host
      shm_size: 128m
      ulimits: {nproc: 65535, nofile: {soft: 1, hard: 2}}
      extra_hosts: ["b:1.2.3.4", "a=::1"]
    profiles: [run]
`)
	write(t, filepath.Join(dir, "far/.env"), "FAR=env\nCOMPOSE_PROFILES=all\n")
	write(t, filepath.Join(dir, "far/away/.env"), "V=away\nFAR=away\n")
	write(t, filepath.Join(dir, "far/other.env"), "V=other\nPLATFORM=linux/arm64\n")
	write(t, filepath.Join(dir, "args.conf"), "# versions\nA=1\n\nB=2\nHOME_ARG\n")
	const path = "testdata/commands.txt"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		lines := strings.Split(block, "\n")
		if len(lines) < 2 || !strings.HasPrefix(lines[0], "# ") || !strings.HasPrefix(lines[1], "$ ") {
			t.Fatalf("this is no case:\n%s", block)
		}
		env, args := words(strings.TrimPrefix(lines[1], "$ "))
		in := dir
		if len(env) > 0 && strings.HasPrefix(env[0], "PWD=") {
			in = filepath.Join(dir, env[0][len("PWD="):])
		}
		got := describe(Command{Args: args, Env: env, Dir: in}, dir)
		fmt.Fprintf(&out, "%s\n%s\n%s\n\n", lines[0], lines[1], got)
	}
	golden.File(t, path, string(bytes.TrimSuffix(out.Bytes(), []byte("\n"))))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// words splits a command line at blanks, with double quotes as in a shell, and takes the variables off its front.
func words(line string) (env, args []string) {
	quoted, word, any := false, "", false
	add := func() {
		name, _, ok := strings.Cut(word, "=")
		switch {
		case !any:
		case ok && len(args) == 0 && !strings.ContainsAny(name, "-/"):
			env = append(env, word)
		default:
			args = append(args, word)
		}
		word, any = "", false
	}
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			add()
		default:
			word, any = word+string(r), true
		}
	}
	add()
	return env, args
}

func describe(c Command, dir string) string {
	builds, err := Parse(c)
	if err != nil {
		return strings.ReplaceAll(err.Error(), dir, "$WORK")
	}
	var lines []string
	for _, b := range builds {
		if b.Problem != nil {
			lines = append(lines, b.Tool+": "+b.Name+": "+strings.ReplaceAll(b.Problem.Error(), dir, "$WORK"))
			continue
		}
		line := b.Tool + ": " + rel(
			dir,
			b.Dockerfile,
		) + " in " + rel(
			dir,
			b.ContextDir,
		) + " with " + string(
			b.Settings.Engine,
		)
		add := func(name, value string) {
			if value != "" {
				line += fmt.Sprintf(" %s=%q", name, value)
			}
		}
		add("name", b.Name)
		add("target", b.Settings.Target)
		for _, k := range slices.Sorted(maps.Keys(b.Settings.Args)) {
			line += fmt.Sprintf(" %s=%q", k, b.Settings.Args[k])
		}
		add("platform", b.Settings.Platform)
		if b.Settings.NoCache {
			line += " no-cache"
		}
		add("no-cache-filter", strings.Join(b.Settings.NoCacheFilter, " "))
		run := b.Settings.RunSettings
		add("network", run.Network)
		if run.ShmSize != 0 {
			add("shm-size", fmt.Sprint(run.ShmSize))
		}
		add("ulimits", strings.Join(run.Ulimits, " "))
		add("hosts", strings.Join(run.ExtraHosts, " "))
		add("hostname", run.Hostname)
		add("cgroup-parent", run.CgroupParent)
		add("allow", strings.Join(run.Entitlements, " "))
		for _, k := range slices.Sorted(maps.Keys(b.Contexts)) {
			add("context:"+k, rel(dir, b.Contexts[k]))
		}
		for _, k := range slices.Sorted(maps.Keys(b.Images)) {
			line += fmt.Sprintf(" image:%s=%q", k, b.Images[k])
		}
		add("tags", strings.Join(b.Tags, " "))
		add("builder", b.Builder)
		add("address", b.Address)
		add("notes", strings.Join(b.Notes, " "))
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func rel(dir, path string) string {
	r, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(r)
}

// Whatever the words are, Parse gives builds with absolute paths or an error.
func FuzzParse(f *testing.F) {
	f.Add("docker\x00build\x00-f\x00-\x00.")
	f.Add("buildctl\x00build\x00--opt\x00build-arg:\x00--local\x00=")
	f.Add("podman\x00build\x00--pull\x00-f=a,b")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, line string) {
		builds, err := Parse(Command{Args: strings.Split(line, "\x00"), Dir: dir})
		for _, b := range builds {
			if err == nil && (!filepath.IsAbs(b.Dockerfile) || !filepath.IsAbs(b.ContextDir)) {
				t.Fatalf("%q: relative paths in %+v", line, b)
			}
		}
	})
}
