package reorder

import (
	"context"
	"strings"
	"testing"
)

// Where a cache mount may stand at all: a file of three stages, of which one line is another one.
func TestMountsWhere(t *testing.T) {
	const text = "# syntax=docker/dockerfile:1\nFROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 " +
		"go build -o /app .\n\nFROM build AS more\nRUN mkdir /x\n\nFROM scratch\nCOPY --from=more /app /app\n"
	for _, test := range []struct {
		prose, old, new string
		want            bool
	}{
		{"as it is", "", "", true},
		{"no directive", "# syntax=docker/dockerfile:1\n", "", true},
		{"a frontend without mounts", "dockerfile:1", "dockerfile:1.1.7", false},
		{"an experimental one of old", "dockerfile:1", "dockerfile:1.1-experimental", false},
		{"the first with mounts", "dockerfile:1", "dockerfile:1.2", true},
		{"one of two digits", "dockerfile:1", "dockerfile:1.10", true},
		{"another frontend", "docker/dockerfile:1", "example.com/other:1", false},
		{"the image with its registry", "golang:1.24", "docker.io/library/golang:1.24-alpine@sha256:0123", true},
		{"the image from a mirror", "golang:1.24", "mirror.example.com/docker/library/golang:${TAG}", true},
		{"another's image of that name", "golang:1.24", "example.com/golang:1.24", false},
		{"Windows", "golang:1.24", "golang:1.24-nanoserver-ltsc2022", false},
		{"a variable for the image", "golang:1.24", "${BASE}", false},
		{"a mount that is there", "RUN CGO", "RUN --mount=type=cache,target=/root/.cache CGO", false},
		{"another mount", "RUN CGO", "RUN --mount=type=cache,target=/go/pkg/mod CGO", true},
		{"the context in a mount", "RUN CGO", "RUN --mount=target=. CGO", true},
		{"a mount around it", "RUN CGO", "RUN --mount=type=tmpfs,target=/root CGO", false},
		{"no network", "RUN CGO", "RUN --network=none CGO", false},
		{"root by number", "WORKDIR", "USER 0\nWORKDIR", true},
		{"a user of unknown name", "WORKDIR", "USER $U\nWORKDIR", false},
		{"triggers below", "RUN mkdir /x", "ONBUILD RUN ls /root/.cache", false},
		{"the file's last stage is the " +
			"one", "\nFROM build AS more\nRUN mkdir /x\n\nFROM scratch\nCOPY --from=more /app /app\n", "", false},
		{"a stage that is taken from by its number", "--from=more", "--from=1", true},
		{"a mount takes it, with its keys in " +
			"capitals", "RUN mkdir /x", "RUN --mount=type=bind,FROM=build,SOURCE=/root,target=/y cp -r /y/.cache " +
			"/x", false},
		{"something else is taken", "/app /app", "/root/.bashrc /app", true},
		{"the directory itself is taken", "/app /app", "/root/.cache/go-build/00 /app", false},
		{"a variable says what is taken", "/app /app", "$DIR /app", false},
	} {
		changed := strings.Replace(text, test.old, test.new, 1)
		if test.old != "" && changed == text {
			t.Fatalf("%s: nothing is replaced", test.prose)
		}
		got := false
		for _, r := range Search(context.Background(), parse(changed), project.model()).Rewrites {
			got = got || strings.Contains(r.Title, "cache mount")
		}
		if got != test.want {
			t.Errorf("%s: %v\n%s", test.prose, got, changed)
		}
	}
}
