package navigate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/source"
)

func TestMoved(t *testing.T) {
	file := func(old, now string) navigate.Move { return navigate.Move{Old: old, New: now} }
	folder := func(old, now string) navigate.Move { return navigate.Move{Old: old, New: now, Dir: true} }
	tests := []struct {
		about      string
		move       navigate.Move
		line, want string // of the Dockerfile; want is "" where it stays as it is
		left       string
	}{
		{"a file", file("a.js", "b.js"), "COPY a.js /app.js", "COPY b.js /app.js", ""},
		{"a file that keeps its name in the image", file("a.js", "b.js"), "COPY a.js /app/", "COPY b.js /app/",
			"in the image it will be b.js too"},
		{"a file that is moved only", file("a.js", "src/a.js"), "COPY a.js x.js ./", "COPY src/a.js x.js ./", ""},
		{"every way to begin a path", file("a", "b"), "COPY ./a /a .//a /x/", "COPY ./b /b .//b /x/",
			"in the image it will be b too"},
		{"a folder, and what is in it", folder("src", "lib/code"), "ADD src/ src/x/a.js src2 /x/",
			"ADD lib/code/ lib/code/x/a.js src2 /x/", ""},
		{"the literal part before a wildcard", folder("src", "lib"), "COPY src/*.js /x/", "COPY lib/*.js /x/", ""},
		{"a list of strings", file("a b", "b c"), `COPY ["a b", "/x"]`, `COPY ["b c", "/x"]`, ""},
		{"the target has the name too", file("a", "b"), "COPY a a", "COPY b a", ""},
		{"a bind mount", file("go.mod", "x/go.mod"),
			"RUN --mount=type=bind,source=go.mod,target=go.mod go mod download",
			"RUN --mount=type=bind,source=x/go.mod,target=go.mod go mod download", ""},
		{"a bind mount of a stage", file("a", "b"), "RUN --mount=type=bind,from=build,source=a,target=a x", "", ""},
		{"a cache mount", file("a", "b"), "RUN --mount=type=cache,source=a,target=a x", "", ""},
		{"of a stage", file("a", "b"), "COPY --from=build a /x", "", ""},
		{"a heredoc of that name", file("a", "b"), "COPY <<a b\na\n", "", ""},
		{"a URL", file("a", "b"), "ADD https://example.com/a /a", "", ""},
		{"the command names it", file("a", "b"), "RUN cat a", "", ""},
		{"of the contexts of other builds", file("a", "b"), "ONBUILD COPY a /a", "", ""},
		{"only the beginning of a name", file("a", "b"), "COPY ab a.js /x/", "", ""},

		{"the whole context", file("a", "b"), "COPY . .", "", ""},
		{"a folder that holds both", file("src/a", "src/b"), "COPY src /x", "", ""},
		{"a folder that holds the first only", file("src/a", "lib/a"), "COPY src /x", "", "src will no longer hold it"},
		{"a pattern for both", file("a.js", "b.js"), "COPY *.js /x/", "", ""},
		{"a pattern for the first only", file("a.js", "a.ts"), "COPY *.js /x/", "",
			"the pattern *.js no longer matches it"},
		{"a pattern for another folder", folder("pkg/a", "pkg/b"), "COPY pkg/a*/go.mod /x/", "",
			"the pattern pkg/a*/go.mod no longer matches it"},
		{"out of the context", file("a", ""), "COPY a /x", "", "it will be outside of the build context"},
		{"out of the whole context", file("a", ""), "COPY . /x", "", "the build context will no longer hold it"},
		{"a variable", file("src/a", "b"), "COPY $DIR/a /x", "", "it may be named by a variable or an escape"},
		{"a name with a blank", file("a", "b c"), "COPY a /x", "", "the new name needs quotes or escapes"},
		{"a name with a comma", file("a", "b,c"), "RUN --mount=source=a,target=/a x", "",
			"the new name needs quotes or escapes"},
		{"a name like a wildcard", file("a", "[b]"), `COPY ["a", "/x"]`, "", "the new name needs quotes or escapes"},
		{"a name like a flag", file("a", "--b"), "COPY a /x", "", "the new name needs quotes or escapes"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			f := dockerfile.Parse(source.New("FROM x\n"+tt.line+"\n"), nil)
			edits, left := navigate.Moved(f, tt.move)
			got, err := source.Apply(f.Text.String(), edits)
			if err != nil {
				t.Fatal(err)
			}
			want := "FROM x\n" + tt.line + "\n"
			if tt.want != "" {
				want = "FROM x\n" + tt.want + "\n"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			var why []string
			for _, l := range left {
				why = append(why, l.Why)
				if l.Line != 2 {
					t.Errorf("left at line %d", l.Line)
				}
			}
			if got := strings.Join(why, "; "); got != tt.left {
				t.Errorf("left: %q, want %q", got, tt.left)
			}
		})
	}
}

func TestMovedIgnored(t *testing.T) {
	tests := []struct{ about, old, now, text, want string }{
		{"a pattern and an exception", "src/a", "lib/b", "src/a\n!src/a/keep\nsrc\n", "lib/b\n!lib/b/keep\nsrc\n"},
		{"blanks, and what a path begins with", "a", "b", "  /a\n! ./a/x \r\n/a/\r\n", "  /b\n! ./b/x \r\n/b/\r\n"},
		{"a byte order mark, no newline", "a", "b", "\ufeffa", "\ufeffb"},
		{"a comment", "a", "b", "#a\n", "#a\n"},
		{"wildcards are left", "a", "b", "*/a\n**/a\na*\n", "*/a\n**/a\na*\n"},
		{"the literal part before one", "a", "b", "a/*.js\n", "b/*.js\n"},
		{"a name like an exception", "a", "!b", "a\n/a\n", "a\n/!b\n"},
		{"a name like a pattern", "a", "b*", "a\n", "a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			got, err := source.Apply(tt.text, navigate.MovedIgnored(tt.text, navigate.Move{Old: tt.old, New: tt.now}))
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
