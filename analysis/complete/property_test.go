package complete_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/complete"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
)

var most = flag.Int("files", 12, "how many files of the corpus are tried")

// Wherever the cursor stands, the items are edits of one place on one line, the cursor's; none puts more than a word
// there. An instruction that is accepted is one, in the place where it was accepted.
func TestEverywhere(t *testing.T) {
	texts := []string{
		"", "\n", "\ufeffFROM a\r\nRUN --mount=type=cache,target=/x \\\r\n # c\r\n  echo $A ${B:-${C}} \\\r\n" +
			"\r\n", "# escape=`\nFROM a\nCOPY --from=a `\n x `\n y\nRUN <<EOF cat <<\"X\"\n$A\nEOF\n$B\nX\n",
		"ONBUILD COPY [\"a\", \"b\"]\nFROM\nFROM a AS b\nHEALTHCHECK --interval=3s CMD x\nEVN A=$\nCMD[\"x\"]\nUSER " +
			"a:b\nSHELL [\"x\"", "# syntax=a\n#check=skip=A;error\n", "COPY <<A <<B /x\nq\nA\nr",
		"FROMFROM a\nCOPY x y\nWORKDIR x\nCMD [\"a\", \"b\"]\n",
	}
	paths, _ := filepath.Glob("../../../shared/corpus/dockerfiles/*")
	for n, path := range paths {
		if content, err := os.ReadFile(path); err == nil && n < *most && len(content) < 4000 {
			texts = append(texts, string(content))
		}
	}
	world := worldOf()
	world.TabStops = true
	for _, text := range texts {
		file := dockerfile.Parse(source.New(text), nil)
		variables := scope.New(file)
		for offset := 0; offset <= len(text); offset++ {
			if offset < len(text) && !utf8.RuneStart(text[offset]) {
				complete.At(file, variables, offset, world)
				continue
			}
			for i, it := range complete.At(file, variables, offset, world).Items {
				if !it.Span.Contains(offset) || it.Span.Start < 0 || it.Span.End > len(text) {
					t.Fatalf("%q at %d: %q takes the place of %v", text, offset, it.Label, it.Span)
				}
				if was := file.Text.Slice(it.Span); strings.Contains(was, "\n") || strings.HasSuffix(was, "\r") {
					t.Fatalf("%q at %d: %q takes the place of %q", text, offset, it.Label, was)
				}
				if it.Text == "" || it.Label == "" || strings.Contains(it.Text, "\n") && !it.TabStops {
					t.Fatalf("%q at %d: item %+v", text, offset, it)
				}
				if it.Doc != "" && describe.Key(it.Doc) == "" {
					t.Fatalf("%q at %d: nothing is known of %s", text, offset, it.Doc)
				}
				if it.Kind == complete.Keyword && i < 3 && instructionPlace(file, it.Span.Start) {
					accepted(t, text, it)
				}
			}
		}
	}
}

// instructionPlace reports whether a line's first word starts at offset.
func instructionPlace(file *dockerfile.File, offset int) bool {
	in := file.InstructionAt(offset)
	return in == nil || in.Span.Start == offset
}

func accepted(t *testing.T, text string, it complete.Item) {
	t.Helper()
	done := text[:it.Span.Start] + plain(it) + text[it.Span.End:]
	file := dockerfile.Parse(source.New(done), nil)
	in := file.InstructionAt(it.Span.Start)
	if in == nil || in.Span.Start != it.Span.Start || in.Meant != strings.ToUpper(it.Text) {
		t.Fatalf("%q: %q at %d gives %q", text, it.Text, it.Span.Start, done)
	}
}

// A valid file is typed letter by letter; wherever the keyword of an instruction is half typed, it is offered.
func TestPrefixes(t *testing.T) {
	tried := 0
	n := 0
	for name, text := range corpus.Dockerfiles(t) {
		if n++; n > *most || len(text) > 4000 {
			continue
		}
		whole := dockerfile.Parse(source.New(text), nil)
		for _, in := range whole.Instructions {
			word := in.Keyword
			if in.Meant != strings.ToUpper(word.Text) || in.Stage < 0 && in.Meant != "ARG" {
				continue
			}
			for offset := word.Span.Start + 1; offset <= word.Span.End; offset++ {
				typed := dockerfile.Parse(source.New(text[:offset]), nil)
				found := false
				for _, it := range complete.At(typed, scope.New(typed), offset, complete.World{}).Items {
					found = found ||
						strings.EqualFold(it.Text, in.Meant) &&
							it.Span == source.Span{Start: word.Span.Start, End: offset}
				}
				if !found {
					t.Errorf("%s: %s is not offered for %q", name, in.Meant, text[word.Span.Start:offset])
				}
				tried++
			}
		}
	}
	t.Logf("%d prefixes", tried)
}

func FuzzAt(f *testing.F) {
	f.Add("FROM a\nCOPY --from=b ${A:-x} /x\n", 20)
	f.Add("# escape=`\nFROM a\nRUN --mount=type=cache,target=/x <<EOF\n$A\nEOF\n", 30)
	world := worldOf()
	world.TabStops = true
	f.Fuzz(func(t *testing.T, text string, offset int) {
		file := dockerfile.Parse(source.New(text), nil)
		for _, it := range complete.At(file, scope.New(file), offset, world).Items {
			if _, err := source.Apply(text, []source.Edit{{Span: it.Span, NewText: it.Text}}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A file whose stages all copy from all stages above is read once, however many ways lead from one to another.
func TestMadeIsBounded(t *testing.T) {
	var b strings.Builder
	for stage := range 60 {
		fmt.Fprintf(&b, "FROM a AS s%d\nWORKDIR /w%d\n", stage, stage)
		for from := range stage {
			fmt.Fprintf(&b, "COPY --from=s%d / /\n", from)
		}
	}
	text := b.String() + "FROM a\nCOPY --from=s59 /"
	if items := at(text, len(text), complete.World{}).Items; len(items) == 0 {
		t.Error("no items")
	}
}
