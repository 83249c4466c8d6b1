package reorder

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/source"
	"golang.org/x/tools/txtar"
)

func parse(text string) *dockerfile.File { return dockerfile.Parse(source.New(text), nil) }

// rewritten returns text with all rewrites, and their titles.
func rewritten(t *testing.T, text string) (string, []string) {
	t.Helper()
	var edits []source.Edit
	var titles []string
	for _, r := range Suggest(parse(text), Classic) {
		edits = append(edits, r.Edits...)
		titles = append(titles, r.Title)
		if r.Explanation == "" || r.Grade != Proved || len(r.Edits) == 0 {
			t.Errorf("incomplete rewrite %+v", r)
		}
	}
	after, err := source.Apply(text, edits)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return after, titles
}

const (
	noteBefore = `FROM diamol/node

ENV TARGET="blog.sixeyed.com"
ENV METHOD="HEAD"
ENV INTERVAL="3000"

WORKDIR /web-ping
COPY app.js .

CMD ["node", "/web-ping/app.js"]
`
	noteAfter = `FROM diamol/node

CMD ["node", "/web-ping/app.js"]

ENV TARGET="blog.sixeyed.com" \
    METHOD="HEAD" \
    INTERVAL="3000"

WORKDIR /web-ping
COPY app.js .

`
)

// The example that the project began with comes out byte for byte, whatever its line ends are.
func TestNote(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"as it is":     func(s string) string { return s },
		"no last line": func(s string) string { return strings.TrimSuffix(s, "\n") },
		"CRLF":         func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"CRLF, no last": func(s string) string {
			return strings.TrimSuffix(strings.ReplaceAll(s, "\n", "\r\n"),
				"\r\n")
		},
		"mark": func(s string) string { return "\ufeff" + s },
		"lower case": func(s string) string {
			for _, word := range []string{"FROM", "ENV", "CMD", "COPY", "WORKDIR"} {
				s = strings.ReplaceAll(s, word+" ", strings.ToLower(word)+" ")
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, titles := rewritten(t, change(noteBefore))
			if diff := cmp.Diff(change(noteAfter), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if want := []string{"Raise CMD, join 3 ENVs (classic builder)"}; !slices.Equal(titles, want) {
				t.Errorf("titles %q", titles)
			}
		})
	}
}

func TestBuildKitGainsNothing(t *testing.T) {
	file := parse(noteBefore)
	if got := Suggest(file, BuildKit); got != nil {
		t.Errorf("%+v", got)
	}
	const want = "No other order is known that keeps the image and rebuilds noticeably less. layerwise reorder " +
		"--explain says why, step by step."
	if got := NothingGained(file, BuildKit); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Each archive in testdata is one case: its comment says what it shows; Dockerfile is the input, after the golden
// result; titles are those of the rewrites. Nothing is offered where after is equal to the input.
func TestCases(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(t *testing.T, a *txtar.Archive) []txtar.File {
		input := string(a.Files[0].Data)
		checkInvariants(t, input)
		after, titles := rewritten(t, input)
		return []txtar.File{
			a.Files[0],
			{Name: "after", Data: []byte(after)},
			{Name: "titles", Data: []byte(strings.Join(titles, "\n") + "\n")},
		}
	})
}

// checkInvariants checks what must hold for every file: after the rewrites it reads without errors, each stage builds
// the same image from the same instructions, no comment is lost, and there is nothing more to offer.
func checkInvariants(t *testing.T, text string) (rewrites int) {
	t.Helper()
	before := parse(text)
	rewrites = len(Suggest(before, Classic))
	if rewrites == 0 {
		return 0
	}
	result, _ := rewritten(t, text)
	after := parse(result)
	if broken(after) {
		t.Fatalf("the result has errors: %+v\n%s", after.Problems, result)
	}
	if len(after.Stages) != len(before.Stages) {
		t.Fatalf("%d stages became %d", len(before.Stages), len(after.Stages))
	}
	for i := range before.Stages {
		if diff := cmp.Diff(build(before, before.Stages[i]), build(after, after.Stages[i])); diff != "" {
			t.Fatalf("stage %d builds another image (-before +after):\n%s\nfrom:\n%s\nto:\n%s", i, diff, text, result)
		}
	}
	if diff := cmp.Diff(others(before), others(after)); diff != "" {
		t.Fatalf("other instructions (-before +after):\n%s\nfrom:\n%s\nto:\n%s", diff, text, result)
	}
	if diff := cmp.Diff(comments(before), comments(after)); diff != "" {
		t.Fatalf("other comments (-before +after):\n%s\nfrom:\n%s\nto:\n%s", diff, text, result)
	}
	if strings.HasSuffix(text, "\n") != strings.HasSuffix(result, "\n") && !strings.HasSuffix(result, "\n") {
		t.Fatalf("the final newline is lost:\n%s", result)
	}
	if strings.Count(text, "\n") == strings.Count(text, "\r\n") &&
		strings.Count(result, "\n") != strings.Count(result, "\r\n") {
		t.Fatalf("a carriage return is lost: %q", result)
	}
	if again := Suggest(after, Classic); len(again) > 0 {
		t.Fatalf("a second time it offers %q:\n%s\nafter:\n%s", again[0].Title, text, result)
	}
	return rewrites
}

// others returns the text of all instructions but ENV and LABEL, sorted: those are compared by what they set.
func others(file *dockerfile.File) []string {
	var list []string
	for _, in := range file.Instructions {
		if in.Meant != "ENV" && in.Meant != "LABEL" {
			list = append(list, file.Text.Slice(in.Span))
		}
	}
	slices.Sort(list)
	return list
}

func comments(file *dockerfile.File) []string {
	var list []string
	for _, c := range file.Comments {
		list = append(list, file.Text.Slice(c.Span))
	}
	for _, in := range file.Instructions {
		for _, c := range in.Comments {
			list = append(list, file.Text.Slice(c.Span))
		}
	}
	slices.Sort(list)
	return list
}

// Random files of instructions that are likely to get in each other's way.
func TestRandomFiles(t *testing.T) {
	parts := []string{
		"ENV A=1", "ENV B=$A", "ENV A=2 C=3", "ENV D four five", "ENV E=\"x y\" \\\n    " +
			"F='$A'", "ENV G=${B:-$C}", "ENV \\\n  H=1", "ENV I=a\\ b",
		"ENV J=1 \\\n# inside\n  " +
			"K=2", "ENV L \"quoted\"", "\tENV M=1", "ENV\tN=1", "ENV O=open\\", "ENV P=\"open", "ENV A $A",
		"ENV Q=1   ", "ENV A1=x\\\\", "ENV A2=x\\\\  ", "ENV #R=1", "ENV S a \\\n# in\nb", "ENV T=1 \\\n# last",
		"ENV U=1 \\", "ENV V=1 \\\n\n  W=2", "ENV $A=1",
		"CMD [\"a\"]", "CMD a b", "ENTRYPOINT [\"e\"]", "ENTRYPOINT e " +
			"f", "LABEL a=1", "LABEL a=2 b=\"$A\"", "LABEL c=3 \\\n      " +
			"d=4", "LABEL e five " +
			"six", "LABEL f=\"$A " +
			"$B\"", "LABEL \"g\"=7", "LABEL h=open\\", "LABEL a.b=c", "label i='j'", "EXPOSE 80",
		"EXPOSE $A",
		"STOPSIGNAL SIGINT", "HEALTHCHECK CMD curl " +
			"x", "HEALTHCHECK " +
			"NONE", "SHELL [\"/bin/bash\", \"-c\"]", "USER u", "WORKDIR /w", "WORKDIR x$A", "VOLUME /v",
		"RUN make", "RUN <<X\nCMD x\n" +
			"X", "COPY a b", "COPY $A /b", "ADD c d", "ONBUILD CMD " +
			"x", "ARG A=0", "ARG Z", "MAINTAINER me", "FROM other AS x", "COPY <<Y /y\nhi\nY",
	}
	gaps := []string{"\n", "\n", "\n", "\n\n", "\n\n\n", "\n# note\n", "\n\n# note\n", "\n# apart\n\n", "   \n"}
	offered := 0
	for seed := range int64(3000) {
		random := rand.New(rand.NewSource(seed))
		var b strings.Builder
		b.WriteString("FROM base")
		for range random.Intn(12) {
			b.WriteString(gaps[random.Intn(len(gaps))] + parts[random.Intn(len(parts))])
		}
		if random.Intn(2) == 0 {
			b.WriteString("\n")
		}
		text := b.String()
		if random.Intn(4) == 0 {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { offered += checkInvariants(t, text) }) {
			t.Fatalf("%q", text)
		}
	}
	if offered < 300 {
		t.Errorf("only %d rewrites were offered: the files are too dull", offered)
	}
}

// The same for real files, where they are at hand.
func TestCorpus(t *testing.T) {
	offered := 0
	for name, text := range corpus.Dockerfiles(t) {
		t.Run(name, func(t *testing.T) { offered += checkInvariants(t, text) })
	}
	t.Logf("%d rewrites", offered)
}

func FuzzSuggest(f *testing.F) {
	f.Add(noteBefore)
	f.Add("# escape=`\nFROM a\nCOPY b c\n# note\nLABEL x=1 `\n  y=2\nENV A b c\nENV D=e\nEXPOSE 80")
	f.Fuzz(func(t *testing.T, text string) { checkInvariants(t, text) })
}

// A file that is not read to its end gets no order, as what is not read may need what would move; nor one of very many
// instructions.
func TestTooLarge(t *testing.T) {
	text := "FROM a\nCOPY . /x\nEXPOSE 80\n"
	for _, test := range []struct {
		behind string
		some   bool
	}{
		{"", true}, {strings.Repeat("#\n", dockerfile.MostBytes), false},
		{strings.Repeat("RUN a\n", maxInstructions-3), true}, {strings.Repeat("RUN a\n", maxInstructions-2), false},
	} {
		file := dockerfile.Parse(source.New(text+test.behind), nil)
		if found := Suggest(file, Classic); len(found) > 0 != test.some {
			t.Errorf("too large: %v: %d rewrites", file.TooLarge(), len(found))
		}
	}
}
