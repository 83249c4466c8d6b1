package dockerfile

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/source"
	"go.yaml.in/yaml/v3"
)

var names = map[string]bool{
	"Dockerfile": true, "dockerfile": true, "Dockerfile.dev": true, "web.Dockerfile": true, "Containerfile": true,
	"CONTAINERFILE.prod": true,
	"a.containerfile":    true, "DOCKERFILE": true, "Dockerfile.a.b": true, ".dockerfile": true,
	"Dockerfile.3.12":   true,
	"Dockerfile.x86_64": true,
	"Dockerfile-dev":    true, "Dockerfile_prod": true, "api-Dockerfile": true, "api_dockerfile": true,
	"api.Dockerfile.dev": true, "Dockerfile-3.12-alpine": true,
	"Dockerfile.dockerignore": false, "web.Dockerfile.dockerignore": false, "Dockerfile.md": false,
	".dockerignore": false,
	"dockerfile.ex": false, "dockerfile.go": false, "Dockerfile.js": false, "dockerfile.sh": false,
	"Dockerfile.json": false, "Dockerfile.lock": false,
	"Dockerfile.png": false, "Dockerfile.patch": false, "Dockerfile.orig": false, "Dockerfile.bak": false,
	"Dockerfile~": false, "Dockerfile.dev~": false,
	"dockerfile_test.go": false, "api-dockerfile.yaml": false, "parse-dockerfile.ts": false, "Dockerfile.rej": false,
	".Dockerfile.swp": false,
	"Dockerfile.j2":   false, "Dockerfile.JINJA2": false, "Dockerfile.tmpl": false, "web.Dockerfile.erb": false,
	"Dockerfile.in": false,
	"Dockerfiles":   false, "MyDockerfile": false, "docker-compose.yaml": false, "": false, "Dockerfile.go.tmpl": false,
}

func TestIsName(t *testing.T) {
	for name, want := range names {
		if got := IsName(name); got != want {
			t.Errorf("IsName(%q) = %v", name, got)
		}
	}
}

// The hooks of pre-commit take the same files: this writes them (-update) or compares them.
func TestHooksTakeTheSameNames(t *testing.T) {
	var b strings.Builder
	b.WriteString(
		"# Hooks for https://pre-commit.com; docs/guide.md says how to use them. Written by go test " +
			"./analysis/dockerfile -update.\n",
	)
	for _, way := range []struct{ suffix, about, language, program string }{
		{"", "", "golang", "layerwise"},
		{"-system", ", with the layerwise on the PATH", "system", "layerwise"},
		{"-docker", ", with the image of layerwise", "docker_image", "ghcr.io/layerwise/layerwise:latest"},
	} {
		for _, hook := range [][3]string{
			{"check", "check", "Find problems in Dockerfiles"},
			{"fix", "check --fix", "Fix what can be fixed safely in Dockerfiles"},
			{"format", "format --write", "Format Dockerfiles without changing a cache key"},
		} {
			files, exclude := "*dockerfiles", "*others"
			if hook[0]+way.suffix == "check" {
				files, exclude = "&dockerfiles '(?i)"+FileRegexp+"'", "&others \"(?i)"+wrapped(NotFileRegexp)+"\""
			}
			fmt.Fprintf(&b, "- id: layerwise-%s%s\n  name: layerwise %s\n  description: %s%s\n  entry: %s %s\n"+
				"  language: %s\n  files: %s\n  exclude: %s\n",
				hook[0], way.suffix, hook[1], hook[2], way.about, way.program, hook[1], way.language, files, exclude)
		}
	}
	var hooks []struct{ ID, Files, Exclude string }
	if err := yaml.Unmarshal([]byte(b.String()), &hooks); err != nil {
		t.Fatal(err)
	}
	for _, hook := range hooks {
		files, exclude := regexp.MustCompile(hook.Files), regexp.MustCompile(hook.Exclude)
		for name, want := range names {
			if got := files.MatchString("a/b/"+name) && !exclude.MatchString("a/b/"+name); got != want {
				t.Errorf("%s takes %s: %v", hook.ID, name, got)
			}
		}
	}
	golden.File(t, filepath.Join("..", "..", ".pre-commit-hooks.yaml"), b.String())
}

// wrapped is a regular expression as the inside of a quoted YAML text of several lines.
func wrapped(regexp string) string {
	var b strings.Builder
	width := 0
	for _, part := range strings.SplitAfter(strings.ReplaceAll(regexp, `\`, `\\`), "|") {
		if width += len(part); width > 90 {
			b.WriteString("\\\n    ")
			width = len(part)
		}
		b.WriteString(part)
	}
	return b.String()
}

func TestIsDockerfile(t *testing.T) {
	for text, want := range map[string]bool{
		"FROM a\nRUN b\n": true,
		"# syntax=docker/dockerfile:1\nARG A=1\nFROM a:$A\n": true,
		"FRMO a\nRUN b\nCMD c\n":                             true,
		"FROM a\nEVN a=b\nRUN c\nCPOY d e\n":                 true,
		"FROM a\nEVN a=b\n":                                  true,
		"from a\nrun b\n":                                    true,
		"FROM a\nRUN b \\\n  c\n  && d\nCMD e\nUSER f\n":     true, // a lost backslash
		"":                                false,
		"RUN a\nCMD b\n":                  false,
		"#!/bin/sh\nset -e\nexport A=b\n": false,
		"defmodule Livebook.Hubs.Dockerfile do\n  @moduledoc false\n  def a(b) do\n    from = b\n  end\nend\n": false,
		"from flask import Flask\nimport os\napp = Flask(__name__)\nrun(app)\n":                                false,
		"golang.org/x/a v1.0.0 h1:abc=\ngolang.org/x/b v1.0.0 h1:abc=\n":                                       false,
		"{\n  \"a\": 1\n}\n": false,
	} {
		if got := Parse(source.New(text), nil).IsDockerfile(); got != want {
			t.Errorf("IsDockerfile(%q) = %v", text, got)
		}
	}
}

func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"FROM a\n{% if b %}\nRUN c\n{% endif %}\n":                 "{% if b %}",
		"FROM {{ base }}\nRUN c\n":                                 "{{ base }}",
		"FROM a:{{cookiecutter.tag}}\n":                            "a:{{cookiecutter.tag}}",
		"FROM a\n{{- if .B }}\nRUN c\n{{- end }}\n":                "{{- if .B }}",
		"<% if a %>\nFROM a\n<% end %>\n":                          "<% if a %>",
		"FROM a\nRUN b \\\n  {% for c in d %}\n  c \\\n && d\n":    "  {% for c in d %}",
		"FROM a\nRUN docker inspect -f '{{ .Id }}' b\n":            "",
		"FROM a\nCOPY <<EOF /b\n{{ .Id }}\n{% if %}\nEOF\nRUN c\n": "",
		"FROM a\n# {% if %}\nRUN c\n":                              "",
		"ARG A=${templateOption:b}\nFROM a\n":                      "A=${templateOption:b}",
	} {
		file := Parse(source.New(text), nil)
		span, ok := file.Template()
		if got := file.Text.Slice(span); got != want || ok != (want != "") {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestGenerated(t *testing.T) {
	for text, want := range map[string]bool{
		"#\n# NOTE: THIS DOCKERFILE IS GENERATED VIA \"apply-templates.sh\"\n#\n# PLEASE DO NOT EDIT IT DIRECTLY.\n" +
			"#\nFROM a\n": true,
		"# Code generated by x. DO NOT EDIT.\nFROM a\n": true,
		"# This file was autogenerated\nFROM a\n":       true,
		"FROM a\n# do not edit\nRUN b\n":                false,
		"# docs are generated by b\nFROM a\n":           false,
	} {
		if _, got := Parse(source.New(text), nil).Generated(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
