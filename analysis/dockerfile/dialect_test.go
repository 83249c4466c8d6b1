package dockerfile

import (
	"testing"

	"github.com/layerwise/layerwise/analysis/source"
)

func TestDialect(t *testing.T) {
	for _, test := range []struct {
		text, reference string
		foreign, labs   bool
		major, minor    int
	}{
		{"FROM a\n", "", false, false, -1, -1},
		{"# syntax=docker/dockerfile:1\nFROM a\n", "docker/dockerfile:1", false, false, 1, -1},
		{"# syntax = docker/dockerfile:1.4\nFROM a\n", "docker/dockerfile:1.4", false, false, 1, 4},
		{"#syntax=docker.io/docker/dockerfile:1.7.1-labs\nFROM " +
			"a\n", "docker.io/docker/dockerfile:1.7.1-labs", false, true, 1, 7},
		{"# syntax=docker/dockerfile:1-labs\nFROM a\n", "docker/dockerfile:1-labs", false, true, 1, -1},
		{"# syntax=docker/dockerfile:labs\nFROM a\n", "docker/dockerfile:labs", false, true, -1, -1},
		{"# syntax=docker/dockerfile\nFROM a\n", "docker/dockerfile", false, false, -1, -1},
		{"# syntax=docker/dockerfile:latest\nFROM a\n", "docker/dockerfile:latest", false, false, -1, -1},
		{"# syntax=docker/dockerfile:experimental\nFROM a\n", "docker/dockerfile:experimental", false, true, -1, -1},
		{"# syntax=docker/dockerfile-upstream:master\nFROM " +
			"a\n", "docker/dockerfile-upstream:master", false, true, -1, -1},
		{"# syntax=localhost:5000/docker/dockerfile:1.2@sha256:abc\nFROM " +
			"a\n", "localhost:5000/docker/dockerfile:1.2@sha256:abc", false, false, 1, 2},
		{"# syntax=devthefuture/dockerfile-x\nINCLUDE a\n", "devthefuture/dockerfile-x", true, false, -1, -1},
		{"#!/usr/bin/env docker\n# syntax=r2d4/mockerfile\nFROM a\n", "r2d4/mockerfile", true, false, -1, -1},
		{"// syntax=r2d4/mockerfile\n", "r2d4/mockerfile", true, false, -1, -1},
		{"# a comment\n# syntax=r2d4/mockerfile\nFROM a\n", "", false, false, -1, -1},
	} {
		d := Parse(source.New(test.text), nil).Dialect()
		if d.Reference != test.reference || d.Foreign != test.foreign || d.Labs != test.labs || d.Major != test.major ||
			d.Minor != test.minor {
			t.Errorf("%q: %+v", test.text, d)
		}
	}
	old := Dialect{Major: 1, Minor: 4}
	if !old.Before(1, 5) || old.Before(1, 4) || old.Before(1, 3) || (Dialect{Major: 1, Minor: -1}).Before(1, 20) ||
		(Dialect{Major: -1, Minor: -1}).Before(1, 20) {
		t.Error("Before")
	}
}
