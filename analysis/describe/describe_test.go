package describe_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
	"golang.org/x/tools/txtar"
)

var most = flag.Int("files", 25, "how many files of the corpus are tried")

// Each archive in testdata holds cases: a Dockerfile with the cursor at "‸", and what is said there. Of what is said
// about a word of the language only the title counts: package reference has the text.
func TestDescribe(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(t *testing.T, a *txtar.Archive) []txtar.File {
		say := hover
		if strings.HasSuffix(t.Name(), "signatures") {
			say = signature
		}
		return golden.Behind(a.Files, "says", func(f txtar.File) string { return say(t, f) })
	})
}

func parse(t *testing.T, f txtar.File) (*dockerfile.File, int) {
	t.Helper()
	text := strings.ReplaceAll(strings.TrimSuffix(string(f.Data), "\n"), "{CR}", "\r")
	offset := strings.Index(text, "‸")
	if offset < 0 {
		t.Fatalf("%s: no cursor", f.Name)
	}
	return dockerfile.Parse(source.New(strings.Replace(text, "‸", "", 1)), nil), offset
}

func hover(t *testing.T, f txtar.File) string {
	file, offset := parse(t, f)
	variables := scope.New(file)
	variables.Args = map[string]string{"GIVEN": "from outside", "MY_TOKEN": "hunter2"}
	span, text := describe.At(file, variables, offset, world)
	for part, rest, found := "", text, true; found; {
		part, rest, found = strings.Cut(rest, "\n\n---\n\n")
		if strings.Contains(part, "\n[Dockerfile reference]") || strings.Contains(part, " [Dockerfile reference]") {
			text = strings.Replace(text, part, strings.Split(part, "\n")[0]+" (...)", 1)
		}
	}
	return fmt.Sprintf("%q\n%s\n", file.Text.Slice(span), text)
}

var world = describe.World{
	Copied: func(i int) *describe.Copied {
		switch i {
		case 1:
			return &describe.Copied{
				Files:   []describe.File{{Path: "src/a.go", Size: 1200}, {Path: "src/b.bin", Size: 4_500_000}},
				Ignored: []string{"src/x.log"},
			}
		case 2:
			return &describe.Copied{Problem: "no/such: not found."}
		}
		return nil
	},
	Published: func(ref string) *describe.Published {
		now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
		switch ref {
		case "example.com/made":
			return &describe.Published{
				Digest:    "sha256:12",
				Created:   now.AddDate(0, 0, -42),
				Now:       now,
				Size:      29_100_000,
				Platform:  "linux/amd64",
				Platforms: []string{"linux/amd64", "linux/arm64"},
			}
		case "example.com/dated":
			return &describe.Published{Digest: "sha256:12", Created: time.Unix(0, 0), Now: now}
		case "example.com/gone":
			return &describe.Published{Problem: "it did not answer within 10s"}
		}
		return nil
	},
}

func signature(t *testing.T, f txtar.File) string {
	file, offset := parse(t, f)
	var b strings.Builder
	for _, s := range describe.Signatures(file, offset) {
		label := s.Label
		if s.Active >= 0 {
			p := s.Parameters[s.Active]
			label = label[:p.Start] + "‹" + label[p.Start:p.End] + "›" + label[p.End:]
		}
		b.WriteString(label + "\n")
	}
	return b.String()
}

// Wherever one points, nothing breaks, the span is where one points, and the active parameter is one.
func TestEverywhere(t *testing.T) {
	texts := []string{
		"", "#escape=", "\ufeffFROM a\r\nRUN --mount=type=cache,target=/x \\\r\n # c\r\n  echo $A ${B:-${C}} \\\r\n" +
			"\r\n", "ADD -", "ADD --", "COPY --from=\nRUN --mount=\nRUN --mount=type=,=\nFROM --platform= a AS\n" +
			"HEALTHCHECK --interval= N",
		"ONBUILD COPY [\"a\", \"b\"]\nFROM\nFROM a AS b\nENV A\nENV =\nARG\nARG =\nUSER a:b\nSHELL " +
			"[\"x\"", "# syntax=a\n" +
			"#check=skip=A;error\n", "FROM a\nCOPY <<A <<B /x\nq\nA\n" +
			"r", "FROM @\nFROM a@sha256:x\nFROM :\nFROM A B C D",
	}
	paths, _ := filepath.Glob("../../../shared/corpus/dockerfiles/*")
	for n, path := range paths {
		if content, err := os.ReadFile(path); err == nil && n < *most && len(content) < 6000 {
			texts = append(texts, string(content))
		}
	}
	for _, text := range texts {
		file := dockerfile.Parse(source.New(text), nil)
		variables := scope.New(file)
		for offset := 0; offset <= len(text); offset++ {
			everywhere(t, file, variables, offset)
		}
	}
}

func everywhere(t *testing.T, file *dockerfile.File, variables *scope.Variables, offset int) {
	t.Helper()
	span, _ := describe.At(file, variables, offset, describe.World{})
	if !span.Contains(offset) || span.End > file.Text.Len() {
		t.Fatalf("%q at %d: span %v", file.Text, offset, span)
	}
	for _, s := range describe.Signatures(file, offset) {
		if s.Active >= len(s.Parameters) {
			t.Fatalf("%q at %d: parameter %d of %s", file.Text, offset, s.Active, s.Label)
		}
	}
}

func FuzzAt(f *testing.F) {
	f.Add("FROM a\nCOPY --from=b ${A:-x} /x\n", 20)
	f.Add("# escape=`\nFROM a\nRUN --mount=type=cache,target=/x <<EOF\n$A\nEOF\n", 30)
	f.Fuzz(func(t *testing.T, text string, offset int) {
		file := dockerfile.Parse(source.New(text), nil)
		if offset >= 0 && offset <= len(text) {
			everywhere(t, file, scope.New(file), offset)
		}
	})
}

// A flag may be half there, with the cursor anywhere in it.
func TestSignaturesWithinAFlag(t *testing.T) {
	const text = "FROM a\nCOPY --from=b a b\n"
	for at := strings.Index(text, "COPY"); at < len(text); at++ {
		for _, file := range []string{text, text[:at]} {
			if len(describe.Signatures(dockerfile.Parse(source.New(file), nil), min(at, len(file)))) == 0 &&
				at > len("FROM a\nCOPY") &&
				file == text {
				t.Errorf("nothing at %d", at)
			}
		}
	}
}
