package rules

import (
	"slices"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// The shell that a RUN is read by, in ShellCheck's terms.
func TestShellScripts(t *testing.T) {
	for _, test := range []struct{ about, text, want string }{
		{"an image that is not known", "FROM registry.example.com/base\nRUN true\n", "sh"},
		{"dash is called sh", "FROM debian\nRUN true\n", "sh"},
		{"in images of this family sh is Bash", "FROM docker.io/rockylinux:9\nRUN mkdir {a,b}\n", "bash"},
		{"with a registry's path", "FROM registry.access.redhat.com/ubi9/ubi:9.4\nRUN true\n", "bash"},
		{"also in a stage upon it", "FROM fedora AS a\nFROM a\nRUN true\n", "bash"},
		{"sh that is named is the image's", "FROM fedora\nSHELL [\"/bin/sh\", \"-c\"]\nRUN true\n", "bash"},
		{"a SHELL goes before it", "FROM fedora\nSHELL [\"/bin/dash\", \"-c\"]\nRUN true\n", "dash"},
		{"and counts in stages upon it", "FROM debian AS a\nSHELL [\"/bin/bash\", \"-c\"]\nFROM a\nRUN true\n", "bash"},
	} {
		var got []string
		for _, s := range ShellScripts(dockerfile.Parse(source.New(test.text), nil)) {
			got = append(got, s.Shell)
		}
		if !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s: got %v, want %s", test.about, got, test.want)
		}
	}
}

// What ARG and ENV set is in the author's hand: no quotes are asked for.
func TestQuotesOfVariables(t *testing.T) {
	for text, want := range map[string]bool{
		"FROM alpine\nRUN touch $FILES\n":                                true,
		"FROM alpine\nARG FILES=a\nRUN touch $FILES\n":                   false,
		"FROM alpine AS a\nENV FILES=a\nFROM a\nRUN touch $FILES\n":      false,
		"FROM alpine AS a\nENV FILES=a\nFROM alpine\nRUN touch $FILES\n": true,
		"FROM alpine\nRUN touch $FILES\nARG FILES=a\n":                   true,
	} {
		said := slices.ContainsFunc(checkText(text), func(f analysis.Finding) bool { return f.Code == "SC2086" })
		if said != want {
			t.Errorf("%q: SC2086 %v, want %v", text, said, want)
		}
	}
}
