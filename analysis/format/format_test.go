package format_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/format"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
)

func parse(text string) *dockerfile.File { return dockerfile.Parse(source.New(text), nil) }

func formatted(t testing.TB, text string, o format.Options) string {
	t.Helper()
	out, err := source.Apply(text, format.Edits(parse(text), o))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFormat(t *testing.T) {
	plain := format.Options{Indent: "    "}
	for _, c := range []struct {
		why, text, want string
		o               format.Options
	}{
		{"keywords are upper " +
			"case", "from a as b\n  run x\nhealthcheck cmd curl\nonbuild run " +
			"y\n", "FROM a AS b\nRUN x\nHEALTHCHECK CMD curl\nONBUILD run y\n", plain},
		{"... unless they are to be kept", "from a as b\n", "from a as b\n", format.Options{KeepKeywords: true}},
		{"one blank behind the keyword", "FROM   a\nRUN\t x  y\n", "FROM a\nRUN x  y\n", plain},
		{"words are indented " +
			"evenly", "FROM a\nENV A=1 \\\n  B=2 \\\n# why\n\t\tC=3\nCOPY a \\\n b \\\n" +
			"c/\n", "FROM a\nENV A=1 \\\n    B=2 \\\n    # why\n    C=3\nCOPY a \\\n    b \\\n    c/\n", plain},
		{"a shell command is left alone, its flags are " +
			"not", "FROM a\nRUN --mount=type=cache,target=/x \\\n --network=none \\\n  a \\\n   " +
			"b\n", "FROM a\nRUN --mount=type=cache,target=/x \\\n    --network=none \\\n    a \\\n   b\n", plain},
		{"exec forms are lists of " +
			"words", "FROM a\nCMD [ \\\n\"a\", \\\n  \"b\" \\\n  " +
			"]\n", "FROM a\nCMD [ \\\n    \"a\", \\\n    \"b\" \\\n]\n", plain},
		{"a word on two lines stays " +
			"one", "FROM a\nEXPOSE 80\\\n80\nENV A=\"x \\\n " +
			"y\"\n", "FROM a\nEXPOSE 80\\\n80\nENV A=\"x \\\n y\"\n", plain},
		{"an old ENV's value is left alone", "FROM a\nENV A b \\\n   c\n", "FROM a\nENV A b \\\n   c\n", plain},
		{"blanks at line ends go, in heredocs " +
			"not", "FROM a  \nRUN x \\  \n  y  \n# c \nCOPY <<E /x  \nz  \n" +
			"E\n", "FROM a\nRUN x \\\n  y\n# c\nCOPY <<E /x\nz  \nE\n", plain},
		{"... unless they are to be kept", "FROM a  \n", "FROM a  \n", format.Options{KeepTrailing: true}},
		{"empty lines collapse", "FROM a\n\n\n \nRUN x\n\n\n\n", "FROM a\n\nRUN x\n\n", plain},
		{"empty lines within an instruction go", "FROM a\nRUN x \\\n\n  y\n", "FROM a\nRUN x \\\n  y\n", plain},
		{"comments start at the margin", "FROM a\n   # x\nRUN y\n", "FROM a\n# x\nRUN y\n", plain},
		{"no comment becomes a directive", "\n\n#escape=`\nFROM a\n", "\n#escape=`\nFROM a\n", plain},
		{"the last line's end", "FROM a", "FROM a\n", format.Options{FinalNewline: true}},
		{"... in the file's own " +
			"way", "FROM a\r\nENV A=1 \\\r\n" +
			"B=2", "FROM a\r\nENV A=1 \\\r\n\tB=2\r\n", format.Options{FinalNewline: true}},
		{"no empty lines at the " +
			"end", "FROM a\n\nRUN x\n\n \n\n", "FROM a\n\nRUN x\n", format.Options{TrimFinalNewlines: true}},
		{"... in a file of empty lines", "\n\n\n", "\n", format.Options{TrimFinalNewlines: true}},
		{"... but for those of a heredoc that is not " +
			"closed", "FROM a\nRUN <<E\n\n\n", "FROM a\nRUN <<E\n\n\n", format.Options{TrimFinalNewlines: true}},
		{"... in the file's own " +
			"way", "FROM a\r\n\r\n\r\n", "FROM a\r\n", format.Options{TrimFinalNewlines: true, FinalNewline: true}},
		{"what BuildKit rejects is left " +
			"alone", "FROM a\n  evn A=1 \n  COPY a\n", "FROM a\n  evn A=1 \n  COPY a\n", plain},
		{"several lines can be left " +
			"alone", "FROM a\nENV A=1 \\\nB=2\n  RUN " +
			"x\n", "FROM a\nENV A=1 \\\nB=2\nRUN x\n", format.Options{KeepContinuations: true}},
		{"the backtick", "# escape=`\nFROM a\nENV A=c:\\ `\n" +
			"B=2\n", "# escape=`\nFROM a\nENV A=c:\\ `\n    B=2\n", plain},
		{"heredocs in a command", "FROM a\n run cat <<A  >b\n x \nA\n", "FROM a\nRUN cat <<A  >b\n x \nA\n", plain},
	} {
		t.Run(c.why, func(t *testing.T) {
			got := formatted(t, c.text, c.o)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if again := formatted(t, got, c.o); again != got {
				t.Errorf("formatting again changes:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

// Only the lines that are asked for change.
func TestLines(t *testing.T) {
	text := "from a\nrun x\nrun y\n"
	got, err := source.Apply(text, format.Lines(parse(text), format.Options{}, 1, 1))
	if want := "from a\nRUN x\nrun y\n"; err != nil || got != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}

// A formatted file has the same instructions and the same cache keys, and formatting it again changes nothing; whatever
// the options.
func TestFormatKeepsMeaning(t *testing.T) {
	n, changed := 0, 0
	for name, text := range corpus.Dockerfiles(t) {
		if n++; testing.Short() && n%5 != 0 {
			continue
		}
		for _, o := range []format.Options{{Indent: "    ", FinalNewline: true, TrimFinalNewlines: true}, {}} {
			after := formatted(t, text, o)
			if again := formatted(t, after, o); again != after {
				t.Errorf("%s: formatting again changes:\n%s", name, cmp.Diff(after, again))
			}
			if after == text {
				continue
			}
			changed++
			a, b := parse(text), parse(after)
			if lines, same := format.Changed(a, b); !same {
				t.Errorf("%s: instructions %v differ", name, lines)
			}
			plan := func(f *dockerfile.File) *cachemodel.Plan { return cachemodel.NewPlan(cachemodel.Build{File: f}) }
			self := cachemodel.Compare(cachemodel.Pasts(plan(a)), plan(a))
			for i, step := range cachemodel.Compare(cachemodel.Pasts(plan(a)), plan(b)) {
				if i < len(self) && step.Status != self[i].Status {
					t.Errorf("%s: line %d is %s, not %s: %v", name, step.Line, step.Status, self[i].Status, step.Cause)
				}
			}
		}
	}
	t.Logf("%d files, %d changed by formatting", n, changed)
	if changed == 0 {
		t.Error("formatting changes no file")
	}
}

// Whatever is typed: formatting keeps the meaning and is done at once.
func FuzzFormat(f *testing.F) {
	f.Add("from a as b\n  run x \\\n\n  y\nENV A=1 \\\n B=2\nCOPY <<E /x\n z \nE\n# c", false)
	f.Fuzz(func(t *testing.T, text string, keep bool) {
		if strings.Contains(text, "\x00") {
			return
		}
		o := format.Options{KeepTrailing: keep, FinalNewline: !keep, TrimFinalNewlines: keep}
		after := formatted(t, text, o)
		if _, same := format.Changed(parse(text), parse(after)); !same {
			t.Fatalf("%q means something else than %q", after, text)
		}
		if again := formatted(t, after, o); again != after {
			t.Fatalf("%q becomes %q, then %q", text, after, again)
		}
	})
}
