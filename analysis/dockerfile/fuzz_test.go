package dockerfile_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// wellFormed returns which promise about the places in a file is broken, or "".
func wellFormed(f *dockerfile.File) string {
	text := f.Text.String()
	var broken []string
	bad := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	within := func(what string, s, outer source.Span) {
		if s.Start > s.End || s.Start < outer.Start || s.End > outer.End {
			bad("%s %v is not within %v", what, s, outer)
		}
	}
	word := func(what string, w dockerfile.Word, outer source.Span, escape byte) {
		within(what, w.Span, outer)
		if len(broken) == 0 && !joins(f.Text.Slice(w.Span), w.Text, escape) {
			bad("%s %q is not its place %q", what, w.Text, f.Text.Slice(w.Span))
		}
	}

	// Every byte that is not blank belongs to one directive, comment or instruction.
	owner := make([]byte, len(text))
	own := func(s source.Span) {
		for i := s.Start; i < s.End && i < len(text); i++ {
			owner[i]++
		}
	}
	whole := source.Span{End: len(text)}
	for _, d := range f.Directives {
		within("directive", d.Span, whole)
		within("directive name", d.Name.Span, d.Span)
		word("directive value", d.Value, d.Span, 0)
		own(d.Span)
	}
	for _, c := range f.Comments {
		within("comment", c.Span, whole)
		own(c.Span)
	}
	last := 0
	for i, in := range f.Instructions {
		within("instruction", in.Span, source.Span{Start: last, End: len(text)})
		last = in.Span.End
		own(in.Span)
		if f.Text.LineAt(in.Span.Start)+1 != in.Line || f.Text.LineAt(in.Span.End)+1 != in.EndLine {
			bad(
				"instruction %d is on lines %d to %d, its place on %d to %d",
				i,
				in.Line,
				in.EndLine,
				f.Text.LineAt(in.Span.Start)+1,
				f.Text.LineAt(in.Span.End)+1,
			)
		}
		for _, in := range []*dockerfile.Instruction{in, in.Trigger} {
			if in == nil {
				continue
			}
			at := in.Span.Start
			after := func(what string, s source.Span) {
				within(what, s, source.Span{Start: at, End: in.Span.End})
				at = s.End
			}
			after("keyword", in.Keyword.Span)
			word("keyword", in.Keyword, in.Span, f.Escape)
			for _, fl := range in.Flags {
				after("flag", fl.Span)
				word("flag name", fl.Name, fl.Span, f.Escape)
				word("flag value", fl.Value, fl.Span, f.Escape)
			}
			after("arguments", in.ArgsSpan)
			at = in.ArgsSpan.Start
			for _, w := range in.Args {
				after("argument", w.Span)
				word("argument", w, in.ArgsSpan, f.Escape)
			}
			for _, h := range in.Heredocs {
				within("heredoc", h.Start, in.ArgsSpan)
				within("heredoc name", h.NameSpan, h.Start)
				within("heredoc body", h.Body, in.Span)
				within("heredoc terminator", h.Terminator, in.Span)
				if h.Terminator.Len() > 0 && f.Text.Slice(h.Terminator) != h.Name {
					bad("heredoc %q ends with %q", h.Name, f.Text.Slice(h.Terminator))
				}
			}
			for _, c := range in.Comments {
				within("inner comment", c.Span, in.Span)
			}
			for _, p := range in.Problems {
				within("problem", p.Span, in.Span)
			}
			if len(broken) == 0 {
				for _, m := range in.Mounts() {
					from := in.Flags[m.Flag].Value.Span.Start
					for _, field := range m.Fields {
						within("mount field", field.Span, source.Span{Start: from, End: in.Flags[m.Flag].Span.End})
						within("mount key", field.Key.Span, field.Span)
						within("mount value", field.Value.Span, field.Span)
						from = field.Span.End
					}
					if problem := misdivided(in, &m); problem != "" {
						bad("%s", problem)
					}
				}
				for _, v := range dockerfile.Variables(in) {
					within("variable", v.Span, in.Span)
					word("variable name", v.Name, v.Span, f.Escape)
					word("variable word", v.Word, v.Span, f.Escape)
				}
			}
		}
	}
	for i, n := range owner {
		if n > 1 || n == 0 && !unicode.IsSpace(rune(text[i])) && text[i] < 0x80 {
			bad("byte %d of %q has %d owners", i, text, n)
			break
		}
	}
	for i, p := range f.Problems {
		within("problem", p.Span, whole)
		if i > 0 && p.Span.Start < f.Problems[i-1].Span.Start {
			bad("problems are out of order")
		}
	}
	return strings.Join(broken, "\n")
}

// misdivided returns how the fields of a mount differ from what BuildKit reads, or "". Where something was put right
// they may.
func misdivided(in *dockerfile.Instruction, m *dockerfile.Mount) string {
	if m.Parsed == nil || len(in.Problems) > 0 {
		return ""
	}
	p := m.Parsed
	for name, want := range map[string]string{"from": p.From, "source": p.Source, "target": p.Target, "id": p.CacheID} {
		got, _ := m.Get(name)
		plain := !strings.ContainsAny(got.Text, "'\"\\`") &&
			strings.IndexFunc(got.Text, func(r rune) bool { return r >= 0x80 }) < 0
		if got.Text != want && plain {
			return fmt.Sprintf("the mount's %s is %q, BuildKit's %q", name, got.Text, want)
		}
	}
	return ""
}

// joins reports whether leaving continuations out of raw gives text.
func joins(raw, text string, escape byte) bool {
	if raw == text {
		return true
	}
	if !strings.Contains(raw, "\n") {
		return false
	}
	// Continuations, comment lines and empty lines only leave out bytes.
	i := 0
	for j := 0; j < len(raw) && i < len(text); j++ {
		if raw[j] == text[i] {
			i++
		}
	}
	return i == len(text) && strings.IndexByte(raw, escape) >= 0
}

func seeds(f *testing.F) {
	f.Add(quirks)
	files, err := filepath.Glob("testdata/*.Dockerfile")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, buildkit(f, "frontend/dockerfile/parser/testfile*/*/Dockerfile")...) {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	for _, s := range []string{
		"\xEF\xBB\xBFFROM " +
			"a", "\xEF\xBB\xBF\xEF\xBB\xBFFROM " +
			"a\r\n", "RUN a\r\\\r\r\nb", "FROM \xff\x00\n", "# escape=`\nRUN a `\n\n# c\n b ``\nc",
		"\\\n\\\n", "ONBUILD #x", "ONBUILD \\\n#x\nRUN <<A\n" +
			"b", "RUN <<A <<A\n" +
			"A", "COPY --a\xC3\x85b --\"f'\\\"r om\"=x a b", "RUN -- <<", "ONBUILD ONBUILD RUN <<A\nA",
		"RUN\u00a0a", "COPY <<\"A B\" /c\nA " +
			"B\n", "\u00a0#escape=`\n", "RUN ${a:-<<E}\n" +
			"E", "RUN [1]", "RUN [\"a\\\"\",\t\"\\u00e9\"]", "ENV a", "ENV =b", "LABEL a=b c",
	} {
		f.Add(s)
	}
}

// FuzzParse checks for arbitrary bytes that nothing panics, that all places hold together, and that BuildKit agrees.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		if broken := wellFormed(dockerfile.Parse(source.New(text), nil)); broken != "" {
			t.Fatalf("%q\n%s", text, broken)
		}
		if difference, _ := agree(text); difference != "" {
			t.Fatalf("%q\n%s", text, difference)
		}
	})
}

// TestAssembled puts files together from fragments that meet in places where nobody writes them, which a fuzzer of
// bytes seldom does.
func TestAssembled(t *testing.T) {
	fragments := []string{
		"FROM a", "FROM a AS b", "RUN ", "RUN", "run x", "COPY ", "ADD ", "ONBUILD ", "ENV ", "ARG ", "LABEL ",
		"HEALTHCHECK ", "CMD ", "SHELL ", "EXPOSE ", "VOLUME ",
		"USER ", "WORKDIR ", "STOPSIGNAL ", "MAINTAINER ", "ENTRYPOINT ", "EVN ", "CMT ", "NONE", "CMD x", "a", "a b",
		"a=b ", "=", "=b", "\"", "'", "\\", "`", "\\\n", "`\n", " \\ \n", "\n", "\n", "\n", "\n\n",
		"\r\n", "\r", "\t", " ", "\v", "\f", "\u00a0", "\u0085", "à", "#", "# c\n", "#escape=`\n", "# syntax=x\n",
		"#check=y\n", "# escape = \\\n",
		"<<", "<<A ", "<<-A ", "<<\"A\" ", "<<'A' ", "3<<A ", "<< A", "<<A\\ B", "A\n", "\tA\n", "A B\n", "--",
		"--from=x ", "--link ", "--link=x ", "--chown=1 ",
		"--mount=type=bind ", "--mount=", "type=cache,", "from=b,", "SRC=/x,", "target=/y ", "\"dst=/a,b\",",
		"--nteval=1s ", "--interval=1s ", "--interval=x ", "--\"a\"=b ", "-x ", "[", "]", "[\"a\"]", "[\"a\", \"b\"]",
		"[1]", ", ", "$A", "${A:-b}", "${", "}", "\\$", "AS", "/",
		"\xEF\xBB\xBF", "--platform=$P ", "--from-b ", "--=x ", "--network=host ", "--network=nne ",
	}
	rng := rand.New(rand.NewPCG(3, 4))
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for range rounds {
		var b strings.Builder
		if rng.IntN(2) == 0 {
			b.WriteString("FROM a\n")
		}
		for range 1 + rng.IntN(12) {
			b.WriteString(fragments[rng.IntN(len(fragments))])
		}
		text := b.String()
		if broken := wellFormed(dockerfile.Parse(source.New(text), nil)); broken != "" {
			t.Errorf("%q\n%s", text, broken)
		}
		if difference, _ := agree(text); difference != "" {
			t.Errorf("%q\n%s", text, difference)
		}
	}
}
