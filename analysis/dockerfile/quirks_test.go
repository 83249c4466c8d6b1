package dockerfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/source"
	"golang.org/x/tools/txtar"
)

// visible are the stand-ins in the cases for bytes that do not survive in a text file.
var visible = strings.NewReplacer("\r", "␍", "\uFEFF", "«BOM»", "\u00A0", "«NBSP»", "\x00", "␀")
var invisible = strings.NewReplacer("␍", "\r", "«BOM»", "\uFEFF", "«NBSP»", "\u00A0", "␀", "\x00", "«END»\n", "")

// TestQuirks reads the Dockerfile of each case in testdata/quirks and compares what was found with the case's "want".
// The cases' comments say what they are about. "«END»" cuts off the newline that txtar puts behind a file.
func TestQuirks(t *testing.T) {
	golden.Archives(t, "testdata/quirks/*.txtar", func(t *testing.T, a *txtar.Archive) []txtar.File {
		text := invisible.Replace(string(a.Files[0].Data))
		f := dockerfile.Parse(source.New(text), nil)
		if broken := wellFormed(f); broken != "" {
			t.Error(broken)
		}
		if difference, _ := agree(text); difference != "" {
			t.Error(difference)
		}
		return []txtar.File{a.Files[0], {Name: "want", Data: []byte(visible.Replace(dump(f)))}}
	})
}

// dump writes down a file: places as the text that stands there, quoted where it is no plain word.
func dump(f *dockerfile.File) string {
	var b strings.Builder
	at := func(s source.Span) string { return fmt.Sprintf("%d+%d %q", s.Start, s.Len(), f.Text.Slice(s)) }
	if f.Escape != '\\' {
		fmt.Fprintf(&b, "escape %c\n", f.Escape)
	}
	for _, d := range f.Directives {
		fmt.Fprintf(&b, "directive %s = %s\n", d.Name.Text, at(d.Value.Span))
	}
	for _, c := range f.Comments {
		fmt.Fprintf(&b, "comment %s\n", at(c.Span))
	}
	for _, in := range f.Instructions {
		fmt.Fprintf(&b, "\nlines %d-%d stage %d", in.Line, in.EndLine, in.Stage)
		instruction(&b, f, in, "")
	}
	for i, s := range f.Stages {
		if i == 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(
			&b,
			"stage %d %q from %q, %d instructions, %d+%d\n",
			s.Index,
			s.Name,
			s.Base.Text,
			len(s.Instructions),
			s.Span.Start,
			s.Span.Len(),
		)
	}
	for i, p := range f.Problems {
		if i == 0 {
			fmt.Fprintln(&b)
		}
		severity := "error"
		if p.Warning {
			severity = "warning"
		}
		fmt.Fprintf(&b, "%s %s at %s: %s", severity, p.Kind, at(p.Span), p.Message)
		if len(p.Suggestions) > 0 {
			fmt.Fprintf(&b, " -> %q", p.Suggestions)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

func instruction(b *strings.Builder, f *dockerfile.File, in *dockerfile.Instruction, indent string) {
	at := func(s source.Span) string { return fmt.Sprintf("%d+%d %q", s.Start, s.Len(), f.Text.Slice(s)) }
	fmt.Fprintf(b, " %s", in.Keyword.Text)
	if in.Meant != in.Keyword.Text {
		fmt.Fprintf(b, " (%s)", in.Meant)
	}
	fmt.Fprintf(b, "\n%s  span %s\n", indent, at(in.Span))
	for _, fl := range in.Flags {
		fmt.Fprintf(b, "%s  flag %s", indent, fl.Name.Text)
		if fl.HasValue {
			fmt.Fprintf(b, " = %s", at(fl.Value.Span))
		}
		fmt.Fprintln(b)
	}
	for _, w := range in.Args {
		fmt.Fprintf(b, "%s  arg %s\n", indent, at(w.Span))
	}
	if in.JSON {
		fmt.Fprintf(b, "%s  json\n", indent)
	}
	for _, h := range in.Heredocs {
		fmt.Fprintf(
			b,
			"%s  heredoc %q %s body %s end %s expand %v chomp %v\n",
			indent,
			h.Name,
			at(h.Start),
			at(h.Body),
			at(h.Terminator),
			h.Expand,
			h.Chomp,
		)
	}
	for _, c := range in.Comments {
		fmt.Fprintf(b, "%s  comment %s\n", indent, at(c.Span))
	}
	for _, v := range dockerfile.Variables(in) {
		by := [...]string{"frontend", "shell", "nobody"}[v.By]
		if v.Global {
			by += ", global"
		}
		fmt.Fprintf(b, "%s  variable %s by %s: %s", indent, v.Name.Text, by, at(v.Span))
		if v.Modifier != "" {
			fmt.Fprintf(b, " %s %s", v.Modifier, at(v.Word.Span))
		}
		fmt.Fprintln(b)
	}
	if in.Node != nil {
		fmt.Fprintf(b, "%s  node %s\n", indent, strings.ReplaceAll(in.Node.Dump(), "\n", " "))
		if len(in.Node.PrevComment) > 0 {
			fmt.Fprintf(b, "%s  described by %q\n", indent, in.Node.PrevComment)
		}
	}
	switch {
	case in.From != nil:
		fmt.Fprintf(b, "%s  %T %q as %q on %q\n", indent, in.From, in.From.BaseName, in.From.Name, in.From.Platform)
	case in.Command != nil:
		fmt.Fprintf(b, "%s  %T\n", indent, in.Command)
	}
	if in.Trigger != nil {
		fmt.Fprintf(b, "%s  trigger", indent)
		instruction(b, f, in.Trigger, indent+"  ")
	}
}
