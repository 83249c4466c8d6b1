package cachemodel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

const typedFile = `ARG VERSION=1
FROM base:$VERSION AS build
WORKDIR /src
ENV MODE=release
COPY a.txt ./
RUN make \
    all
COPY src ./src
RUN make install

FROM build AS test
RUN make test

FROM base
USER app
COPY --from=build /out /out
RUN check
CMD ["/out/app"]
`

var typedContext = map[string]testFile{"a.txt": {data: "a", mode: 0o644}, "src/x.go": {data: "x", mode: 0o644}}

func planText(text string, files map[string]testFile) *Plan {
	return NewPlan(Build{File: dockerfile.Parse(source.New(text), nil), Context: tree(files)})
}

// What is typed into a file, one character after the other, changes the mark of each other line once at most.
func TestTyping(t *testing.T) {
	lines := strings.SplitAfter(typedFile, "\n")
	typed := []string{
		"RUN apt-get update && apt-get install -y " +
			"curl", "COPY a.txt /b/", "COPY --from=test /x /y", "COPY --link --chown=1:1 a.txt /c",
		"ADD https://example.com/x.tgz " +
			"/x/", "ENV PORT=80", `ENV NAME="a b" OTHER=c`, "ARG TOKEN", "ARG LEVEL=3", "WORKDIR /app", "USER root",
		`SHELL ["/bin/bash", "-c"]`, `CMD ["sh"]`, "ENTRYPOINT x", "LABEL a=b", "EXPOSE 80", "VOLUME /v",
		"STOPSIGNAL 9", "HEALTHCHECK NONE",
		"ONBUILD RUN " +
			"x", "MAINTAINER me", "# a comment", "FROM other AS " +
			"more", "FROM --platform=linux/arm64 other AS x", "RUN --mount=type=cache,target=/c x",
		"RUN <<EOF\necho\nEOF", "COPY <<f /f\nx\nf",
	}
	base := planText(typedFile, typedContext)
	for _, text := range typed {
		for at := 1; at < len(lines); at++ {
			if strings.HasSuffix(lines[at-1], "\\\n") {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", text, at), func(t *testing.T) {
				above, below := strings.Join(lines[:at], ""), strings.Join(lines[at:], "")
				flips := newFlips(t, strings.Count(above, "\n"), len(lines))
				for n := range len(text) + 1 {
					flips.see(above+text[:n]+"\n"+below, base, strings.Count(text[:n], "\n")+1)
				}
			})
		}
	}
}

// What is deleted and typed anew at a line's end changes the mark of each other line once away from what it was, and
// once back.
func TestRetyping(t *testing.T) {
	base := planText(typedFile, typedContext)
	lines := strings.SplitAfter(typedFile, "\n")
	for at, line := range lines {
		if at == 0 || len(line) < 2 || strings.HasSuffix(line, "\\\n") || strings.HasPrefix(line, " ") ||
			strings.HasPrefix(line, "FROM") {
			continue // without the FROM of a stage, what names the stage means something else
		}
		t.Run(line, func(t *testing.T) {
			above, below := strings.Join(lines[:at], ""), strings.Join(lines[at+1:], "")
			text := strings.TrimSuffix(line, "\n")
			flips := newFlips(t, at, len(lines))
			for n := len(text); n >= 0; n-- {
				flips.see(above+text[:n]+"\n"+below, base, 1)
			}
		})
	}
}

// flips watches the marks of the lines around the one that is typed.
type flips struct {
	t     *testing.T
	at    int // number of lines above
	count int // lines of the file that do not change
	last  map[int]Status
	seen  map[int][]string
}

func newFlips(t *testing.T, at, count int) *flips {
	return &flips{t: t, at: at, count: count, last: map[int]Status{}, seen: map[int][]string{}}
}

// see judges the text, in which the typed line takes up that many lines.
func (f *flips) see(text string, base *Plan, height int) {
	f.t.Helper()
	for _, s := range Compare(Pasts(base), planText(text, typedContext)) {
		line := s.Line
		switch {
		case line > f.at && line <= f.at+height:
			continue // the typed one itself
		case line > f.at:
			line -= height
		}
		if f.last[line] == s.Status {
			continue
		}
		f.last[line] = s.Status
		f.seen[line] = append(f.seen[line], fmt.Sprintf("%s at\n%s", s.Status, text))
		if len(f.seen[line]) > 2 {
			f.t.Errorf("line %d changes its mark again: %s", line, strings.Join(f.seen[line], "\n"))
			f.seen[line] = nil
		}
	}
}
