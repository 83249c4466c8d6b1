package images_test

import (
	"testing"

	"github.com/layerwise/layerwise/analysis/images"
)

func TestTable(t *testing.T) {
	for _, i := range images.Images {
		if i.Summary == "" || i.Tags == "" && i.Name != "scratch" || images.Of(i.Name+":tag") == nil {
			t.Errorf("%+v", i)
		}
	}
}

// What is known of a reference: the working directory, the shell, and whether it sets two variables.
func TestKnown(t *testing.T) {
	for _, test := range []struct{ ref, workdir, shell, node, lang string }{
		{"node", "/", "dash", "set", "not set"},
		{"docker.io/library/node:22-slim@sha256:0", "/", "dash", "set", "not set"},
		{"public.ecr.aws/docker/library/node:22", "/", "dash", "set", "not set"},
		{"node:22-alpine", "/", "ash", "set", "not set"},
		{"node:${VERSION:-22}", "/", "dash", "set", "not set"},
		// A version that was made for ONBUILD, or for Windows, may differ in all.
		{"node:6-onbuild", "", "", "?", "?"},
		{"golang:1.24-windowsservercore", "", "", "?", "?"},
		{"golang:1.24-bookworm", "/go", "dash", "not set", "not set"},
		{"Alpine:3.22", "", "ash", "?", "?"},
		{"alpine:3.22", "/", "ash", "not set", "not set"},
		{"scratch", "", "", "not set", "not set"},
		// The port of a registry is no tag.
		{"localhost:5000/node", "", "", "?", "?"},
		{"someone/node:22", "", "", "?", "?"},
		{"someone/python:3-bookworm", "", "dash", "?", "?"},
		{"registry.access.redhat.com/ubi8/ubi-minimal:8.10", "", "bash", "?", "?"},
		{"registry.example.com/base/rockylinux:9", "", "bash", "?", "?"},
		{"", "", "", "?", "?"},
	} {
		said := func(variable string) string {
			switch sets, known := images.Sets(test.ref, variable); {
			case !known:
				return "?"
			case sets:
				return "set"
			}
			return "not set"
		}
		workdir := ""
		if image := images.Known(test.ref); image != nil {
			workdir = image.Workdir
		}
		got := test
		got.workdir, got.shell = workdir, images.Shell(test.ref)
		got.node, got.lang = said("NODE_VERSION"), said("LANG")
		if got != test {
			t.Errorf("%+v", got)
		}
	}
	if !images.Official("debian") || images.Official("someone") {
		t.Error("official")
	}
}

// TestWindows holds which references may name an image for Windows.
func TestWindows(t *testing.T) {
	for ref, want := range map[string]bool{
		"golang:1.24-windowsservercore":                               true,
		"mcr.microsoft.com/windows/nanoserver:ltsc2022":               true,
		"mcr.microsoft.com/powershell":                                true, // for both
		"mcr.microsoft.com/powershell:lts-nanoserver-1809":            true,
		"mcr.microsoft.com/powershell:7.4-ubuntu-22.04":               false,
		"mcr.microsoft.com/powershell:lts-azurelinux-3.0":             false,
		"mcr.microsoft.com/dotnet/sdk:8.0-windowsservercore-ltsc2022": true,
		"ubuntu": false,
	} {
		if got := images.Windows(ref); got != want {
			t.Errorf("%s may be for Windows: %v, want %v", ref, got, want)
		}
	}
}
