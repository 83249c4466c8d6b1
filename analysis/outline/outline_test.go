package outline_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/analysis/source"
	"golang.org/x/tools/txtar"
)

func parse(text string) (*dockerfile.File, *navigate.Index) {
	file := dockerfile.Parse(source.New(text), nil)
	return file, navigate.New(file)
}

// Each archive in testdata holds a Dockerfile and what is found in it.
func TestOutline(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(_ *testing.T, a *txtar.Archive) []txtar.File {
		file, names := parse(string(a.Files[0].Data))
		return []txtar.File{
			a.Files[0],
			{Name: "symbols", Data: []byte(symbols(file, outline.Symbols(file), ""))},
			{Name: "folds", Data: []byte(folds(outline.Folds(file)))},
			{Name: "links", Data: []byte(links(file, outline.Links(file, names)))},
			{Name: "tokens", Data: []byte(tokens(file, outline.Tokens(file, names)))},
		}
	})
}

func symbols(file *dockerfile.File, list []outline.Symbol, indent string) string {
	var out strings.Builder
	for _, s := range list {
		fmt.Fprintf(
			&out,
			"%s%d: %s [%s] (%s)\n%s",
			indent,
			file.Text.LineAt(s.Span.Start)+1,
			s.Name,
			s.Detail,
			file.Text.Slice(s.Select),
			symbols(file, s.Children, indent+"  "),
		)
	}
	return out.String()
}

func folds(list []outline.Fold) string {
	var out strings.Builder
	for _, f := range list {
		fmt.Fprintf(&out, "%d-%d %s\n", f.Start+1, f.End+1, []string{"code", "comment", "region"}[f.Kind])
	}
	return out.String()
}

func links(file *dockerfile.File, list []outline.Link) string {
	var out strings.Builder
	for _, l := range list {
		fmt.Fprintf(&out, "%s -> %s%s\n", file.Text.Slice(l.Span), l.URL, l.Path)
	}
	return out.String()
}

// tokens writes the first letter of each token's type under its text, in upper case with a modifier.
func tokens(file *dockerfile.File, list []outline.Token) string {
	var out strings.Builder
	for line := range file.Text.EndLine() {
		span := file.Text.Line(line)
		shown := []byte(strings.Repeat(" ", span.Len()))
		for _, t := range list {
			if t.Span.Start < span.Start || t.Span.End > span.End {
				continue
			}
			c := map[string]byte{"parameter": 'a', "comment": '#', "operator": '=',
				"number": '1'}[outline.TokenTypes[t.Type-1]]
			if c == 0 {
				c = outline.TokenTypes[t.Type-1][0]
			}
			if outline.TokenTypes[t.Type-1] == "property" {
				c = 'y'
			}
			if t.Modifiers != 0 {
				c -= 'a' - 'A'
			}
			for i := t.Span.Start; i < t.Span.End; i++ {
				shown[i-span.Start] = c
			}
		}
		if strings.TrimSpace(file.Text.Slice(span)) != "" {
			fmt.Fprintf(
				&out,
				"%s\n%s\n",
				strings.ReplaceAll(file.Text.Slice(span), "\t", " "),
				strings.TrimRight(string(shown), " "),
			)
		}
	}
	return out.String()
}

// What is selected around the mark, step by step.
func TestSelection(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"FROM al|pine:3 AS x\nRUN " +
			"y\n", "alpine|alpine:3|alpine:3 AS x|FROM alpine:3 AS x|FROM alpine:3 AS x\nRUN y|FROM alpine:3 AS x\n" +
			"RUN y\n"},
		{"FROM a\nRUN cd x && \\\n  make \"a |b\" " +
			"c\n", "b|a b|\"a b\"|make \"a b\" c|cd x && \\\n  make \"a b\" c|RUN cd x && \\\n  make \"a b\" c|FROM " +
			"a\nRUN cd x && \\\n  make \"a b\" c|FROM a\nRUN cd x && \\\n  make \"a b\" c\n"},
		{"FROM a\nCOPY --from=bu|ild /x " +
			"/y\n", "build|--from=build|COPY --from=build /x /y|FROM a\nCOPY --from=build /x /y|FROM a\nCOPY " +
			"--from=build /x /y\n"},
		{"FROM a\nRUN <<E\nls |-l\n" +
			"E\n", "-l|ls -l|ls -l\n|ls -l\nE|RUN <<E\nls -l\nE|FROM a\nRUN <<E\nls -l\nE|FROM a\nRUN <<E\nls -l\nE\n"},
		{"# a\n# b| c\nFROM x\n", "b|# b c|# a\n# b c|# a\n# b c\nFROM x\n"},
	} {
		at := strings.Index(c.text, "|")
		file, _ := parse(c.text[:at] + c.text[at+1:])
		var got []string
		for _, s := range outline.Selection(file, at) {
			got = append(got, file.Text.Slice(s))
		}
		if diff := cmp.Diff(strings.Split(c.want, "|"), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}

// check holds what an editor relies on.
func check(t *testing.T, text string) {
	t.Helper()
	file, names := parse(text)
	end := 0
	for _, token := range outline.Tokens(file, names) {
		if token.Span.Start < end || token.Span.Len() <= 0 ||
			file.Text.LineAt(token.Span.Start) != file.Text.LineAt(token.Span.End-1) ||
			token.Type == outline.NoToken {
			t.Fatalf("token %+v after %d in %q", token, end, text)
		}
		end = token.Span.End
	}
	last := -1
	for _, f := range outline.Folds(file) {
		if f.Start <= last || f.End <= f.Start || f.End >= file.Text.EndLine() {
			t.Fatalf("fold %+v after %d in %q", f, last, text)
		}
		last = f.Start
	}
	var nested func(list []outline.Symbol, within source.Span)
	nested = func(list []outline.Symbol, within source.Span) {
		for _, s := range list {
			if strings.TrimSpace(s.Name) == "" || s.Select.Start < s.Span.Start || s.Select.End > s.Span.End ||
				s.Span.Start < within.Start ||
				s.Span.End > within.End {
				t.Fatalf("symbol %+v within %v in %q", s, within, text)
			}
			nested(s.Children, s.Span)
		}
	}
	nested(outline.Symbols(file), source.Span{End: len(text)})
	for _, l := range outline.Links(file, names) {
		if l.Span.Len() <= 0 || l.Span.End > len(text) || (l.URL == "") == (l.Path == "") {
			t.Fatalf("link %+v in %q", l, text)
		}
	}
	for at := 0; at <= len(text); at += 1 + len(text)/50 {
		spans := outline.Selection(file, at)
		for i, s := range spans {
			if !s.Contains(at) || i > 0 && (spans[i-1].Start < s.Start || spans[i-1].End > s.End || spans[i-1] == s) {
				t.Fatalf("selection %v at %d in %q", spans, at, text)
			}
		}
		if len(text) > 0 && !slices.Contains(spans, source.Span{End: len(text)}) {
			t.Fatalf("selection %v at %d of %d bytes does not end with the file", spans, at, len(text))
		}
	}
}

func TestCorpus(t *testing.T) {
	n := 0
	for _, text := range corpus.Dockerfiles(t) {
		if n++; testing.Short() && n%10 != 0 {
			continue
		}
		check(t, text)
		check(t, strings.ReplaceAll(text, "\n", "\r\n"))
		check(t, text[:len(text)*2/3])
	}
}

func FuzzOutline(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	f.Fuzz(check)
}
