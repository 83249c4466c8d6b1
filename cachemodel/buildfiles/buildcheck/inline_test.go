package buildcheck

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// TestInline holds what is found in Dockerfiles within build files to a table: the rule, the text that it is about, and
// the lines that the first fix changes, as they are then.
func TestInline(t *testing.T) {
	compose := func(dockerfile string) string {
		return "services:\n  web:\n    build:\n      dockerfile_inline: " + dockerfile
	}
	block := func(lines ...string) string {
		return compose("|\n        " + strings.Join(lines, "\n        ") + "\n")
	}
	tests := []struct{ about, name, text, want string }{
		{"nothing is wrong", "compose.yaml", block("FROM a:1", "USER x", "RUN make"), ""},
		{
			"a misspelt instruction of a block", "compose.yaml", block("FROM a:1", "RUNN make", "USER x"),
			`unknown-instruction "RUNN" -> "        RUN make"`,
		},
		{
			"a misspelt instruction of a heredoc", "docker-bake.hcl",
			"target \"web\" {\n  dockerfile-inline = <<-EOT\n    FROM a:1\n    RUNN make\n    USER x\n  EOT\n}\n",
			`unknown-instruction "RUNN" -> "    RUN make"`,
		},
		{
			"in one line", "compose.yaml", compose("\"FORM a:1\"\n"),
			`unknown-instruction "FORM" -> "      dockerfile_inline: \"FROM a:1\""`,
		},
		{
			"behind a dollar that is written twice", "compose.yaml", block("FROM a:1", "RUN echo $$HOME", "ENVV A=b"),
			`unknown-instruction "ENVV" -> "        ENV A=b"`,
		},
		{
			"where a variable stands", "compose.yaml", block("FROM a:1", "${W:-RUNN} make"),
			`unknown-instruction "|": Line 2 of the Dockerfile`,
		},
		{
			"in a folded text", "compose.yaml", compose(">\n        FROM a:1\n\n        RUNN make\n"),
			`unknown-instruction ">": Line 2 of the Dockerfile`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			dir, sections, entries := project(t, tt.name, tt.text)
			o, err := rules.Options{}.Only("unknown-instruction")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range Inline([]byte(tt.text), sections, entries, o) {
				about, _, _ := strings.Cut(tt.text[f.Span.Start:f.Span.End], "\n")
				line := fmt.Sprintf("%s %q", f.Rule, about)
				if rest, ok := strings.CutPrefix(f.Message, "Line "); ok {
					number, _, _ := strings.Cut(rest, ":")
					line += ": Line " + number
				}
				if len(f.Fixes) > 0 {
					fixed, err := source.Apply(tt.text, f.Fixes[0].Edits)
					if err != nil {
						t.Fatal(err)
					}
					line += fmt.Sprintf(" -> %q", changed(tt.text, fixed))
				}
				got = append(got, line)
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("%s: got\n%s\ninstead of\n%s", filepath.Join(dir, tt.name), strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

// changed are the lines that differ.
func changed(before, after string) string {
	was := strings.Split(before, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(after, "\n"), func(line string) bool {
		return slices.Contains(was, line)
	}), "\n")
}

// FuzzInline: a fix of a Dockerfile within a build file makes of it what the fix makes of the Dockerfile.
func FuzzInline(f *testing.F) {
	f.Add("FROM a\nRUNN make\n")
	f.Add("FORM a\nCOPY . .\nRUN cd /x && make\nCMD a b\n")
	f.Add("FROM a AS b\nRUN $X\n  WORKDIR x\n")
	f.Fuzz(func(t *testing.T, content string) {
		lines := strings.Split(content, "\n")
		if strings.ContainsAny(content, "\r\x00\t$%{}") || len(content) > 500 {
			return
		}
		text := "services:\n  web:\n    build:\n      dockerfile_inline: |\n        " + strings.Join(lines, "\n        ")
		read := func(text string) (*buildfiles.Project, error) {
			return buildfiles.ReadCompose(t.Context(), buildfiles.Options{
				Dir: "/p", Files: []string{"compose.yaml"}, Here: true,
				Read: func(path string) ([]byte, error) {
					if filepath.Base(path) != "compose.yaml" {
						return nil, fs.ErrNotExist
					}
					return []byte(text), nil
				},
			})
		}
		p, err := read(text)
		if err != nil || len(p.Entries) != 1 {
			return
		}
		sections, err := buildfiles.Sections("compose.yaml", []byte(text))
		if err != nil {
			return
		}
		inline := p.Entries[0].Inline
		wanted := map[string]bool{}
		for _, found := range rules.Check(dockerfile.Parse(source.New(inline), nil), rules.Options{}) {
			for _, fix := range found.Fixes {
				if fixed, err := source.Apply(inline, fix.Edits); err == nil {
					wanted[fix.Title+"\x00"+strings.TrimRight(fixed, "\n")] = true
				}
			}
		}
		for _, found := range Inline([]byte(text), sections, p.Entries, rules.Options{}) {
			for _, fix := range found.Fixes {
				fixed, err := source.Apply(text, fix.Edits)
				if err != nil {
					t.Fatalf("%s: %v", fix.Title, err)
				}
				after, err := read(fixed)
				if err != nil {
					t.Fatalf("%s: %v\n%s", fix.Title, err, fixed)
				}
				if !wanted[fix.Title+"\x00"+strings.TrimRight(after.Entries[0].Inline, "\n")] {
					t.Fatalf("%s: it gives\n%s\nof\n%s", fix.Title, fixed, text)
				}
			}
		}
	})
}
