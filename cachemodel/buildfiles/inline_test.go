package buildfiles

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInline looks for words of a Dockerfile within a build file at their places in it.
func TestInline(t *testing.T) {
	const not = "\x00"
	tests := []struct{ about, name, text, words string }{
		{
			"a block",
			"compose.yaml",
			"services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM base\n        RUN a \\\n        " +
				"  second\n\n        COPY last /\n",
			"base second last",
		},
		{
			"a block without its last line break",
			"compose.yaml",
			"services:\n  web:\n    build:\n      dockerfile_inline: |-\n        FROM base\n        RUN last",
			"base last",
		},
		{
			"dollars that are escaped",
			"compose.yaml",
			"services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM base\n        RUN $$A $$B last\n",
			"base last",
		},
		{
			"a variable's line has no place",
			"compose.yaml",
			"services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM base\n        RUN ${A:-word}\n  " +
				"      RUN last\n",
			"base last",
		},
		{"one line", "compose.yaml", "services:\n  web:\n    build: {dockerfile_inline: \"FROM base\"}\n", "base"},
		{
			"Windows line ends",
			"compose.yaml",
			"services:\r\n  web:\r\n    build:\r\n      dockerfile_inline: |\r\n        FROM base\r\n        RUN " +
				"last\r\n",
			"base last",
		},
		{
			"letters of several bytes",
			"compose.yaml",
			"services:\n  # wéb\n  web:\n    build:\n      dockerfile_inline: |\n        # é\n        FROM base\n",
			"base",
		},
		{
			"a folded text",
			"compose.yaml",
			"services:\n  web:\n    build:\n      dockerfile_inline: >\n        FROM base\n\n        RUN last\n",
			not,
		},
		{
			"a heredoc",
			"docker-bake.hcl",
			"target \"web\" {\n  dockerfile-inline = <<EOT\nFROM base\n  RUN last\nEOT\n}\n",
			"base last",
		},
		{
			"a heredoc that is indented",
			"docker-bake.hcl",
			"target \"web\" {\n  dockerfile-inline = <<-EOT\n    FROM base\n    RUN a \\\n      last\n  EOT\n}\n",
			"base last",
		},
		{"a text of HCL", "docker-bake.hcl", "target \"web\" {\n  dockerfile-inline = \"FROM base\"\n}\n", "base"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, tt.name), []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			read := ReadCompose
			if strings.HasSuffix(tt.name, ".hcl") {
				read = ReadBake
			}
			p, err := read(t.Context(), Options{Dir: dir, Here: true})
			if err != nil {
				t.Fatal(err)
			}
			sections, err := Sections(tt.name, []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			section, entry := &sections[len(sections)-1], &p.Entries[len(p.Entries)-1]
			in, ok := section.Inline([]byte(tt.text), entry.Inline)
			if tt.words == not {
				if ok {
					t.Errorf("it has a place: %+v", in)
				}
				return
			}
			if !ok {
				t.Fatalf("it has no place: %q", entry.Inline)
			}
			for _, word := range strings.Fields(tt.words) {
				at, ok := in.Offset(strings.Index(in.Text, word))
				if want := strings.Index(tt.text, word); !ok || at != want {
					t.Errorf("%s is at %d (%t), not at %d", word, at, ok, want)
				}
			}
			if at := strings.Index(in.Text, "word"); at >= 0 {
				if _, ok := in.Offset(at); ok {
					t.Error("a variable's value has a place")
				}
			}
		})
	}
}

// TestBases finds the builds that a build is fed by.
func TestBases(t *testing.T) {
	for name, text := range map[string]string{
		"compose.yaml": "services:\n  base: {build: a}\n  web:\n    build: {context: ., additional_contexts: {b: " +
			"\"service:base\", c: ./dir, d: \"service:none\"}}\n",
		"docker-bake.hcl": "target \"base\" {}\ntarget \"web\" {\n  contexts = { b = \"target:base\", c = \"./dir\", " +
			"\"alpine:latest\" = \"target:base\" }\n}\n",
	} {
		read, want := ReadCompose, "b"
		if strings.HasSuffix(name, ".hcl") {
			read, want = ReadBake, "alpine b"
		}
		p, err := read(t.Context(), Options{Dir: "/p", Here: true, Read: reader(map[string]string{"/p/" + name: text})})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name, base := range p.Bases(&p.Entries[1]) {
			if base.Name != "base" {
				t.Errorf("%s is %s", name, base.Name)
			}
			got = append(got, name)
		}
		if len(got) == 2 && got[0] > got[1] {
			got[0], got[1] = got[1], got[0]
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: the bases are %v, not %s", name, got, want)
		}
	}
}
