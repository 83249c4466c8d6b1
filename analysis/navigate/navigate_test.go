package navigate_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"golang.org/x/tools/txtar"
)

func index(text string) *navigate.Index {
	return navigate.New(dockerfile.Parse(source.New(text), nil))
}

// Each archive in testdata holds a Dockerfile and its names: for each symbol its kind and name, and where it is named;
// "=" writes it, "!" stands elsewhere. "->" leads to another definition than the symbol's only one.
func TestNames(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(_ *testing.T, a *txtar.Archive) []txtar.File {
		return []txtar.File{a.Files[0], {Name: "names", Data: []byte(dump(index(string(a.Files[0].Data))))}}
	})
}

func dump(x *navigate.Index) string {
	var out strings.Builder
	place := func(span source.Span) string {
		line := x.File.Text.LineAt(span.Start)
		return fmt.Sprintf("%d:%d", line+1, span.Start-x.File.Text.LineStart(line)+1)
	}
	for _, s := range x.Symbols {
		if len(s.Uses) == 0 {
			continue
		}
		writes := 0
		for _, use := range s.Uses {
			if use.Access == navigate.Write {
				writes++
			}
		}
		fmt.Fprintf(&out, "%s %s:", s.Kind, s.Name)
		for _, use := range s.Uses {
			fmt.Fprintf(&out, " %s", place(use.Span))
			if use.Fixed {
				out.WriteString("!")
			}
			if use.Access == navigate.Write {
				out.WriteString("=")
			}
			if d := use.Definition; d != nil && d.Span != use.Span && writes > 1 {
				fmt.Fprintf(&out, "->%s", place(d.Span))
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// What renaming refuses, and says, for the name at the mark.
func TestRename(t *testing.T) {
	for _, c := range []struct{ why, text, name, want, beyond string }{
		{"a stage and all that names it, in any " +
			"case", "FROM a AS bu|ild\nFROM build AS c\nCOPY --from=BUILD --chown=1 /a /b\nRUN " +
			"--mount=type=bind,from=build,target=/x ls\nCOPY --from=0 a b\n", "made",
			"FROM a AS made\nFROM made AS c\nCOPY --from=made --chown=1 /a /b\nRUN " +
				"--mount=type=bind,from=made,target=/x ls\nCOPY --from=0 a b\n", "--target"},
		{"an index stays", "FROM a AS b\nFROM c\nCOPY --from=|0 a " +
			"b\n", "x", "error: the stage b is named by its number here", ""},
		{"another stage has the " +
			"name", "FROM a AS b|\nFROM c AS d\n", "D", "error: the stage on line 2 is named D already", ""},
		{"an image has the " +
			"name", "FROM a AS b|\nFROM d\nCOPY --from=b / " +
			"/\n", "d", "error: line 2 is built on an image d: it would be this stage then", ""},
		{"an image that is copied from has the " +
			"name", "FROM a AS b|\nCOPY --from=nginx / " +
			"/\n", "nginx", "error: line 2 takes files from an image nginx: it would be this stage then", ""},
		{"reserved", "FROM a AS b|\n", "scratch", "error: the name scratch is reserved", ""},
		{"not a name", "FROM a AS b|\n", "1x",
			`error: "1x" cannot name a stage: a letter comes first, then letters, digits, '-', '_' and '.'`, ""},
		{"FROM knows lower-case names " +
			"only", "FROM a AS b|\nFROM " +
			"b\n", "New", "error: the FROM on line 2 finds a stage by a lower-case name only: take new", ""},
		{"named through a " +
			"variable", "ARG B=base\nFROM a AS ba|se\nFROM " +
			"$B\n", "x", "error: line 3 names the stage through a variable ($B), which would not follow", ""},
		{"a name's case", "FROM a AS B|\nCOPY --from=B a b\n", "b", "FROM a AS b\nCOPY --from=b a b\n", ""},
		{"an argument across " +
			"scopes", "ARG V|=1\nFROM a:$V\nARG V\nRUN echo $V \"${V}\" " +
			"'$V'\n", "W", "ARG W=1\nFROM a:$W\nARG W\nRUN echo $W \"${W}\" '$V'\n", "Line 4 names $V in quotes"},
		{"an environment that is " +
			"inherited", "FROM a AS b\nENV V=1\nFROM b\nRUN echo " +
			"$V|\n", "W", "FROM a AS b\nENV W=1\nFROM b\nRUN echo $W\n", "environment"},
		{"a variable of another stage " +
			"stays", "FROM a AS b\nARG V|=1\nRUN echo $V\nFROM c\nARG V=2\nRUN echo " +
			"$V\n", "W", "FROM a AS b\nARG W=1\nRUN echo $W\nFROM c\nARG V=2\nRUN echo $V\n", ""},
		{"taken by a variable", "FROM a\nARG V|=1\nENV W=2\n", "W", "error: the name W is taken: see line 3", ""},
		{"taken by the " +
			"shell", "FROM a\nARG V|=1\nRUN W=1; echo $V $W\n", "W", "error: the name W is taken: see line 3", ""},
		{"taken below, where it is " +
			"inherited", "FROM a AS b\nENV V|=1\nFROM b\nRUN echo " +
			"$W\n", "W", "error: the name W is taken: see line 4", ""},
		{"taken elsewhere does not " +
			"matter", "FROM a AS b\nENV V|=1\nFROM c\nENV W=1\n", "W", "FROM a AS b\nENV W=1\nFROM c\nENV W=1\n", ""},
		{"the shell's own " +
			"variable", "FROM a\nRUN V=1; echo " +
			"$V|\n", "W", "error: V belongs to the shell commands on line 2, not to the Dockerfile", ""},
		{"perhaps the shell's " +
			"own", "FROM a\nARG V|=1\nRUN if true; then V=2; fi; echo " +
			"$V\n", "W", "error: the shell commands on line 3 may set V for themselves and read it then: rename " +
			"that first", ""},
		{"set for one command " +
			"only", "FROM a\nARG V|=1\nRUN V=2 env; echo $V\n", "W", "FROM a\nARG W=1\nRUN V=2 env; echo $W\n", ""},
		{"from outside", "FROM a\nRUN echo $HOST|NAME\n", "W", "error: HOSTNAME is not set in this file", ""},
		{"the platform", "FROM a\nARG TARGET|ARCH\n", "W", "error: TARGETARCH is set by BuildKit, by that name", ""},
		{"to a proxy", "FROM a\nARG V|\n", "HTTP_PROXY", "error: HTTP_PROXY is set by BuildKit", ""},
		{"the path", "FROM a\nENV PA|TH=/x\n", "W", "error: programs look for PATH by that name", ""},
		{"not a variable's " +
			"name", "FROM a\nARG " +
			"V|\n", "a-b", `error: "a-b" cannot name a variable: letters, digits and '_', no digit first`, ""},
		{"an ARG is not there when the container " +
			"runs", "FROM a\nARG V|=1\nCMD echo $V\n", "W", "FROM a\nARG W=1\nCMD echo $V\n", ""},
		{"a heredoc", "FROM a\nRUN <<EO|F\necho\nEOF\n", "END", "FROM a\nRUN <<END\necho\nEND\n", ""},
		{"a heredoc with tabs and " +
			"quotes", "FROM a\nRUN <<-\"EOF\"\n\techo\n\tEO|F\n", "END", "FROM a\nRUN <<-\"END\"\n\techo\n\tEND\n", ""},
		{"a heredoc that would end " +
			"early", "FROM a\nRUN <<EOF|\nEND\n" +
			"EOF\n", "END", "error: a line of the heredoc is END: it would end there", ""},
		{"an unclosed " +
			"heredoc", "FROM a\nRUN <<EOF|\nx\n", "END", "error: the heredoc is not closed: no line is EOF", ""},
		{"in arithmetic and the rest of a " +
			"heredoc", "FROM a\nENV N|=1\nRUN <<EOF\necho $((N+1)) ${N:-2}\n" +
			"EOF\n", "M", "FROM a\nENV M=1\nRUN <<EOF\necho $((M+1)) ${M:-2}\nEOF\n", ""},
		{"in a file that is " +
			"written", "FROM a\nENV N|=1\nCOPY <<EOF /x\n'$N'\nEOF\nCOPY <<\"EOF\" /y\n$N\n" +
			"EOF\n", "M", "FROM a\nENV M=1\nCOPY <<EOF /x\n'$M'\nEOF\nCOPY <<\"EOF\" /y\n$N\n" +
			"EOF\n", "Line 7 names $N"},
		{"in a list of strings only for a " +
			"shell", "FROM a\nENV N|=1\nCMD [\"sh\", \"-c\", \"echo $N\"]\nENTRYPOINT [\"echo\", " +
			"\"$N\"]\n", "M", "FROM a\nENV M=1\nCMD [\"sh\", \"-c\", \"echo $M\"]\nENTRYPOINT [\"echo\", " +
			"\"$N\"]\n", "Line 4 names $N"},
		{"in PowerShell, in any " +
			"case", "FROM a\nSHELL [\"pwsh\", \"-c\"]\nENV N|=1\nRUN echo $env:N \"${Env:n}\" " +
			"$N\n", "M", "FROM a\nSHELL [\"pwsh\", \"-c\"]\nENV M=1\nRUN echo $env:M \"${Env:M}\" $N\n", ""},
		{"at the command " +
			"prompt", "FROM a\nSHELL [\"cmd\", \"/S\", \"/C\"]\nENV N|=1\nRUN echo " +
			"%N%\n", "M", "FROM a\nSHELL [\"cmd\", \"/S\", \"/C\"]\nENV M=1\nRUN echo %M%\n", ""},
		{"set at the command " +
			"prompt", "FROM a\nSHELL [\"cmd\"]\nENV N|=1\nRUN set N=2 & echo " +
			"%N%\n", "M", "error: the shell commands on line 4 may set N for themselves and read it then: rename " +
			"that first", ""},
		{"in a shell that is not " +
			"read", "FROM a\nSHELL [\"fish\", \"-c\"]\nENV N|=1\nRUN set N " +
			"2\n", "M", "FROM a\nSHELL [\"fish\", \"-c\"]\nENV M=1\nRUN set N 2\n", "Commands for another shell"},
		{"nothing", "FROM a\n|\n", "x", "error: there is nothing to rename here", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			at := strings.Index(c.text, "|")
			text := c.text[:at] + c.text[at+1:]
			r, err := index(text).Rename(at, c.name)
			got, beyond := "", ""
			if err != nil {
				got = "error: " + err.Error()
			} else {
				got, err = source.Apply(text, r.Edits)
				beyond = strings.Join(r.Beyond, " ")
			}
			if got != c.want {
				t.Errorf("got:\n%s %v\nwant:\n%s", got, err, c.want)
			}
			if !strings.Contains(beyond, c.beyond) {
				t.Errorf("beyond the file: %q, want %q in it", beyond, c.beyond)
			}
		})
	}
}

// Whatever is renamed: the names of the file stand for the same things as before, renaming back gives the same text, a
// stage's name changes no cache key, and a variable's changes none above its first definition. Nothing is renamed by
// half.
func TestRenameKeepsMeaning(t *testing.T) {
	renamed, refused := 0, map[string]int{}
	n := 0
	for name, text := range corpus.Dockerfiles(t) {
		if n++; testing.Short() && n%5 != 0 {
			continue
		}
		x := index(text)
		before := shape(x)
		var steps []cachemodel.Step
		for _, s := range x.Symbols {
			if len(s.Uses) == 0 || s.Kind == navigate.Image || s.Kind == navigate.Outside || s.Kind == navigate.Local {
				continue
			}
			at := s.Uses[0].Span.Start
			r, err := x.Rename(at, "q_renamed")
			if err != nil {
				refused[strings.Join(strings.Fields(err.Error())[1:], " ")]++
				continue
			}
			after, err := source.Apply(text, r.Edits)
			if err != nil {
				t.Errorf("%s: renaming %s: %v", name, s.Name, err)
				continue
			}
			renamed++
			y := index(after)
			if diff := cmp.Diff(before, shape(y)); diff != "" {
				t.Errorf("%s: renaming %s %s makes names mean other things:\n%s", name, s.Kind, s.Name, diff)
				continue
			}
			if one := spelling(x, s); one != "" {
				back, err := y.Rename(at, one)
				if err != nil && strings.Contains(err.Error(), "is taken") {
					refused["and taken again"]++ // by a use in which it has no value, which is left alone
				} else if err != nil {
					t.Errorf("%s: renaming %s back: %v", name, s.Name, err)
				} else if got, _ := source.Apply(after, back.Edits); got != text {
					t.Errorf("%s: renaming %s back does not give the same text", name, s.Name)
				}
			}
			if s.Kind == navigate.Heredoc {
				continue
			}
			if steps == nil {
				steps = compare(x, x)
			}
			first := 0 // nothing may change above this line
			if s.Kind == navigate.Variable {
				for _, use := range s.Uses {
					if use.Access == navigate.Write && use.In.Stage >= 0 && (first == 0 || use.In.Line < first) {
						first = use.In.Line
					}
				}
			}
			for i, step := range compare(x, y) {
				if step.Status != steps[i].Status && (first == 0 || step.Line < first) {
					t.Errorf(
						"%s: renaming %s %s: line %d was %s, is %s: %+v",
						name,
						s.Kind,
						s.Name,
						step.Line,
						steps[i].Status,
						step.Status,
						step.Cause,
					)
				}
			}
		}
	}
	t.Logf("%d renamed; refused: %v", renamed, refused)
	if renamed < 20 {
		t.Errorf("only %d renamed", renamed)
	}
}

func compare(a, b *navigate.Index) []cachemodel.Step {
	plan := func(x *navigate.Index) *cachemodel.Plan { return cachemodel.NewPlan(cachemodel.Build{File: x.File}) }
	return cachemodel.Compare(cachemodel.Pasts(plan(a)), plan(b))
}

// spelling returns how a symbol is written everywhere, "" if not everywhere alike.
func spelling(x *navigate.Index, s *navigate.Symbol) string {
	one := x.File.Text.Slice(s.Uses[0].Span)
	for _, use := range s.Uses {
		if !use.Fixed && x.File.Text.Slice(use.Span) != one {
			return ""
		}
	}
	return one
}

// shape says which occurrences name the same thing, and which define it.
func shape(x *navigate.Index) []string {
	order := map[*navigate.Occurrence]int{}
	for i, o := range x.Occurrences {
		order[o] = i
	}
	out := make([]string, len(x.Occurrences))
	for i, o := range x.Occurrences {
		defined := "-"
		if n, ok := order[o.Definition]; ok {
			defined = strconv.Itoa(n)
		}
		out[i] = fmt.Sprintf("%s with %d, defined by %s", o.Symbol.Kind, order[o.Symbol.Uses[0]], defined)
	}
	return out
}

// Nothing that can be typed makes the index panic, overlap or lose its order.
func FuzzNames(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		x := index(text)
		end := 0
		for _, o := range x.Occurrences {
			if o.Span.Start < end || o.Span.End <= o.Span.Start || o.Span.End > len(text) {
				t.Fatalf("occurrence of %s at %v overlaps or lies outside", o.Symbol.Name, o.Span)
			}
			end = o.Span.End
			if r, err := x.Rename(o.Span.Start, "fresh_name"); err == nil {
				if _, err := source.Apply(text, r.Edits); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
