package buildfiles

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// nested is a text within itself.
func nested(open, inner, end string, times int) string {
	return strings.Repeat(open, times) + inner + strings.Repeat(end, times)
}

// lines makes one line for each number.
func lines(count int, line func(i int) string) string {
	var b strings.Builder
	for i := range count {
		b.WriteString(line(i) + "\n")
	}
	return b.String()
}

// chain makes Compose files of which each includes the next one, in the words of a format.
func chain(count int, format, last string) map[string]string {
	files := map[string]string{"compose.yaml": "include: [0.yaml]\n", fmt.Sprintf("%d.yaml", count): last}
	for i := range count {
		files[fmt.Sprintf("%d.yaml", i)] = fmt.Sprintf(format, i+1)
	}
	return files
}

// TestRefused holds the reader to refuse what would hang or fill the memory, and to say which file it was.
func TestRefused(t *testing.T) {
	const service = "services: {web: {build: {context: ., args: {A: \"${A}\"}}}}\n"
	target := func(value string) string { return "target \"web\" { args = { A = " + value + " } }\n" }
	doubling := "function \"f0\" {\n params = [s]\n result = \"${s}${s}\"\n}\n" + lines(9, func(i int) string {
		return fmt.Sprintf("function \"f%d\" {\n params = [s]\n result = f%d(f%d(s))\n}", i+1, i, i)
	})
	tests := []struct {
		name  string
		files map[string]string
		file  string // that the error names
	}{
		{
			"parentheses in a bake file",
			map[string]string{"docker-bake.hcl": target(nested("(", "1", ")", 100_000))},
			"docker-bake.hcl",
		},
		{
			"parentheses that are not closed",
			map[string]string{"docker-bake.hcl": target(strings.Repeat("(", 100_000))},
			"docker-bake.hcl",
		},
		{
			"lists in a bake file",
			map[string]string{"docker-bake.hcl": target(nested("[", "", "]", 100_000))},
			"docker-bake.hcl",
		},
		{
			"blocks in a bake file",
			map[string]string{"docker-bake.hcl": nested("a {\n", "", "}\n", 50_000)},
			"docker-bake.hcl",
		},
		{
			"templates in a bake file",
			map[string]string{"docker-bake.hcl": target(nested("\"${", "1", "}\"", 50_000))},
			"docker-bake.hcl",
		},
		{
			"conditions in a template",
			map[string]string{
				"docker-bake.hcl": target("\"" + nested("%{ if true }", "x", "%{ endif }", 20_000) + "\""),
			},
			"docker-bake.hcl",
		},
		{
			"not, not, not",
			map[string]string{"docker-bake.hcl": target(strings.Repeat("!", 100_000) + "true")},
			"docker-bake.hcl",
		},
		{
			"if, if, if",
			map[string]string{"docker-bake.hcl": target(nested("true ? 1 : ", "1", "", 50_000))},
			"docker-bake.hcl",
		},
		{
			"a long sum",
			map[string]string{"docker-bake.hcl": target(strings.Repeat("1+", 100_000) + "1")},
			"docker-bake.hcl",
		},
		{
			"an index of an index",
			map[string]string{"docker-bake.hcl": target("A" + strings.Repeat("[0]", 50_000))},
			"docker-bake.hcl",
		},
		{
			"lists in JSON",
			map[string]string{
				"docker-bake.json": `{"target": {"web": {"args": {"A": ` + nested("[", "", "]", 100_000) + `}}}}`,
			},
			"docker-bake.json",
		},
		{
			"parentheses in JSON",
			map[string]string{
				"docker-bake.json": `{"target": {"web": {"args": {"A": "${` + nested("(", "1", ")", 100_000) + `}"}}}}`,
			},
			"docker-bake.json",
		},
		{
			"parentheses as escapes in JSON",
			map[string]string{
				"docker-bake.json": `{"target": {"web": {"args": {"A": "${` + nested(
					`\u0028`,
					"1",
					")",
					100_000,
				) + `}"}}}}`,
			},
			"docker-bake.json",
		},
		{
			"parentheses in a file without an ending",
			map[string]string{".env": "BUILDX_BAKE_FILE=x", "docker-bake.hcl": target(nested("(", "1", ")", 100_000))},
			"docker-bake.hcl",
		},
		{
			"a text that doubles in functions",
			map[string]string{"docker-bake.hcl": doubling + target(`f9("xx")`)},
			"docker-bake.hcl",
		},
		{
			"the same in JSON",
			map[string]string{"docker-bake.json": `{"function": {"f0": {"params": ["s"], "result": "${s}${s}"},` +
				strings.TrimSuffix(lines(9, func(i int) string {
					return fmt.Sprintf(`"f%d": {"params": ["s"], "result": "${f%d(f%d(s))}"},`, i+1, i, i)
				}), ",\n") + `}, "target": {"web": {"args": {"A": "${f9(\"xx\")}"}}}}`},
			"docker-bake.json",
		},
		{
			"a text that doubles in variables",
			map[string]string{
				"docker-bake.hcl": "variable \"A0\" { default = \"xx\" }\n" + lines(40, func(i int) string {
					return fmt.Sprintf("variable \"A%d\" { default = \"${A%d}${A%d}\" }", i+1, i, i)
				}) + target("A40"),
			},
			"docker-bake.hcl",
		},
		{
			"a list that doubles",
			map[string]string{
				"docker-bake.hcl": "variable \"A0\" { default = [\"xx\"] }\n" + lines(40, func(i int) string {
					return fmt.Sprintf("variable \"A%d\" { default = concat(A%d, A%d) }", i+1, i, i)
				}) + target("A40[0]"),
			},
			"docker-bake.hcl",
		},
		{
			"a number that squares",
			map[string]string{"docker-bake.hcl": "variable \"A0\" { default = 10 }\n" + lines(30, func(i int) string {
				return fmt.Sprintf("variable \"A%d\" { default = A%d * A%d }", i+1, i, i)
			}) + target(`"${A30}"`)},
			"docker-bake.hcl",
		},
		{
			"a number with a billion digits",
			map[string]string{"docker-bake.hcl": target(`"${1e999999999}"`)},
			"docker-bake.hcl",
		},
		{
			"a text that is such a number",
			map[string]string{"docker-bake.hcl": target(`"${"1e99999999" + 1}"`)},
			"docker-bake.hcl",
		},
		{
			"loops",
			map[string]string{
				"docker-bake.hcl": target(
					`join("", [for a in range(1000): join("", [for b in range(1000): join("", [for c in range(1000): "x"])])])`,
				),
			},
			"docker-bake.hcl",
		},
		{
			"loops that try",
			map[string]string{
				"docker-bake.hcl": target(
					`try(join("", [for a in range(1000): join("", [for b in range(1000): join("", [for c in range(1000): "x"])])]), "y")`,
				),
			},
			"docker-bake.hcl",
		},
		{
			"all combinations",
			map[string]string{"docker-bake.hcl": target(`length(setproduct(range(1000), range(1000), range(1000)))`)},
			"docker-bake.hcl",
		},
		{"a wide format", map[string]string{"docker-bake.hcl": target(`format("%2000000000d", 1)`)}, "docker-bake.hcl"},
		{
			"a wide indent",
			map[string]string{"docker-bake.hcl": target(`indent(2000000000, "a\nb")`)},
			"docker-bake.hcl",
		},
		{"a hash that takes days", map[string]string{"docker-bake.hcl": target(`bcrypt("a", 31)`)}, "docker-bake.hcl"},
		{
			"a list that nests",
			map[string]string{
				"docker-bake.hcl": "function \"f0\" {\n params = [s]\n result = [s]\n}\n" + lines(
					20,
					func(i int) string {
						return fmt.Sprintf("function \"f%d\" {\n params = [s]\n result = f%d(f%d(s))\n}", i+1, i, i)
					},
				) + target(
					`jsonencode(f20("x"))`,
				),
			},
			"docker-bake.hcl",
		},
		{
			"a deep text that is JSON",
			map[string]string{"docker-bake.hcl": doubling + target(`jsonencode(jsondecode(f4("[")))`)},
			"docker-bake.hcl",
		},
		{
			"a matrix of matrices",
			map[string]string{
				"docker-bake.hcl": "target \"web\" {\n name = \"x${a}${b}${c}${d}\"\n matrix = { a = range(1000), b " +
					"= range(1000), c = range(1000), d = range(1000) }\n}\n",
			},
			"docker-bake.hcl",
		},
		{
			"targets, each read with all before it",
			map[string]string{
				"docker-bake.hcl": lines(1001, func(i int) string { return fmt.Sprintf("target \"t%d\" {}", i) }),
			},
			"docker-bake.hcl",
		},
		{
			"targets that inherit more and more arguments",
			map[string]string{"docker-bake.hcl": "target \"t0\" {}\n" + lines(900, func(i int) string {
				return fmt.Sprintf("target \"t%d\" {\n inherits = [\"t%d\"]\n args = { A%[2]d = \"b\" }\n}", i+1, i)
			})},
			"docker-bake.hcl",
		},
		{
			"services that extend more and more arguments",
			map[string]string{"compose.yaml": "services:\n  s0: {build: .}\n" + lines(3000, func(i int) string {
				return fmt.Sprintf("  s%d: {extends: s%d, build: {args: {A%[2]d: b}}}", i+1, i)
			})},
			"compose.yaml",
		},
		{
			"services that extend a large one",
			map[string]string{"compose.yaml": "services:\n  s0: {build: {args: [" +
				strings.Repeat("A=b, ", 2000) + "]}}\n" + lines(500, func(i int) string {
				return fmt.Sprintf("  s%d: {extends: {service: s0}}", i+1)
			})},
			"compose.yaml",
		},
		{
			"lists in a Compose file",
			map[string]string{"compose.yaml": "x-a: " + nested("[", "", "]", 5000) + "\n" + service},
			"compose.yaml",
		},
		{"a billion laughs", map[string]string{"compose.yaml": "x-a0: &a0 [x, x]\n" + lines(30, func(i int) string {
			return fmt.Sprintf("x-a%d: &a%d [*a%d, *a%d]", i+1, i+1, i, i)
		}) + service}, "compose.yaml"},
		{
			"a billion merges",
			map[string]string{"compose.yaml": "x-a0: &a0 {b0: x, c0: y}\n" + lines(30, func(i int) string {
				return fmt.Sprintf("x-a%d: &a%d {b%d: *a%d, c%d: *a%d}", i+1, i+1, i, i, i, i)
			}) + service},
			"compose.yaml",
		},
		{"an alias within itself", map[string]string{"compose.yaml": "x-a: &a [*a]\n" + service}, "compose.yaml"},
		{
			"defaults within defaults",
			map[string]string{
				"compose.yaml": "services: {web: {build: {context: ., args: {A: \"" + nested(
					"${A:-",
					"x",
					"}",
					3200,
				) + "\"}}}}\n",
			},
			"compose.yaml",
		},
		{
			"defaults that are not closed",
			map[string]string{
				"compose.yaml": "services: {web: {build: {context: ., args: {A: \"" + strings.Repeat(
					"${A:-",
					3200,
				) + "\"}}}}\n",
			},
			"compose.yaml",
		},
		{
			"many defaults",
			map[string]string{
				"compose.yaml": "services: {web: {build: {context: ., args: {A: \"" + strings.Repeat(
					"${A:-x} ",
					20_000,
				) + "\"}}}}\n",
			},
			"compose.yaml",
		},
		{
			"defaults in .env",
			map[string]string{"compose.yaml": service, ".env": "A=" + nested("${A:-", "x", "}", 3200) + "\n"},
			".env",
		},
		{
			"doubling in .env",
			map[string]string{"compose.yaml": service, ".env": "B0=xx\n" + lines(40, func(i int) string {
				return fmt.Sprintf("B%d=$B%d$B%d", i+1, i, i)
			})},
			".env",
		},
		{
			"doubling on one line",
			map[string]string{
				"compose.yaml": service,
				".env": "B0=\"xx\"" + strings.ReplaceAll(lines(40, func(i int) string {
					return fmt.Sprintf("B%d=\"$B%d$B%d\"", i+1, i, i)
				}), "\n", " "),
			},
			".env",
		},
		{
			"a long value many times",
			map[string]string{
				"compose.yaml": "x-a: \"" + strings.Repeat("$L", 9000) + "\"\n" + service,
				".env":         "L=" + strings.Repeat("x", 100_000),
			},
			"compose.yaml",
		},
		{"a file that includes itself through others", map[string]string{
			"compose.yaml": "include: [a.yaml]\n", "a.yaml": "include: [\"${B:-b.yaml}\"]\n", "b.yaml": "x-a: " +
				nested("[", "", "]", 5000) + "\n",
		}, "b.yaml"},
		{
			"files that include each other twice",
			chain(8, "include: [%d.yaml, ./%[1]d.yaml, {path: %[1]d.yaml}]\n", service+"# "+strings.Repeat("x", 5000)),
			"1.yaml",
		},
		{
			"more and more folders that a name may be seen from",
			chain(40, "include: [{path: %d.yaml, project_directory: p%[1]d}]\n", service),
			"7.yaml",
		},
		{
			"services that extend a long file each",
			map[string]string{
				"compose.yaml": "services:\n" + lines(100, func(i int) string {
					return fmt.Sprintf("  s%d: {extends: {file: a.yaml, service: web}}", i)
				}),
				"a.yaml": service + "# " + strings.Repeat("x", 100_000),
			},
			"compose.yaml",
		},
		{
			"an environment file that is included too",
			map[string]string{
				"compose.yaml": "include: [{path: b.yaml, env_file: a.yaml}, a.yaml]\n",
				"b.yaml":       service,
				"a.yaml": "x0: &a0 [x, x]\n" + lines(30, func(i int) string {
					return fmt.Sprintf("x%d: &a%d [*a%d, *a%d]", i+1, i+1, i, i)
				}),
			},
			"a.yaml",
		},
		{
			"targets that inherit one another in circles",
			map[string]string{"docker-bake.hcl": lines(600, func(i int) string {
				return fmt.Sprintf("target \"t%d\" { inherits = [\"t%d\", \"t%d\"] }", i, (i+1)%600, (i+7)%600)
			})},
			"docker-bake.hcl",
		},
		{"a long file", map[string]string{"compose.yaml": service + strings.Repeat("# x\n", 300_000)}, "compose.yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			read := ReadCompose
			if strings.HasPrefix(tt.file, "docker-bake") {
				read = ReadBake
			}
			_, err := read(t.Context(), Options{Dir: dir, Here: true})
			if err == nil {
				t.Fatal("it is read")
			}
			if !strings.Contains(err.Error(), ErrLimit.Error()) ||
				!strings.Contains(err.Error(), filepath.Join(dir, tt.file)) {
				t.Errorf("the error is %.300v", err)
			}
			for name, text := range tt.files {
				_, _ = Sections(filepath.Join(dir, name), []byte(text)) // neither hangs nor crashes
			}
		})
	}
}

// Targets of which each inherits two that inherit the same are worked out once each, and limits do not double.
func TestInheritance(t *testing.T) {
	dir := t.TempDir()
	const count = 60
	text := lines(count, func(i int) string {
		both := fmt.Sprintf("inherits = [\"t%d\", \"u%d\"]", i+1, i+1)
		return fmt.Sprintf("target \"t%d\" {\n %s\n}\ntarget \"u%d\" {\n %s\n}", i, both, i, both)
	}) + "target \"t60\" {\n ulimits = [\"a=1\", \"b=1\"]\n}\ntarget \"u60\" {\n ulimits = [\"a=2\"]\n}\n" +
		"target \"x\" {\n inherits = [\"y\"]\n args = { A = \"x\", B = \"x\" }\n}\n" +
		"target \"y\" {\n inherits = [\"x\"]\n args = { B = \"y\" }\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-bake.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	project, err := ReadBake(t.Context(), Options{Dir: dir, Here: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"t0": "[a=2 b=1] map[]", "u7": "[a=2 b=1] map[]", "u60": "[a=2] map[]",
		"x": "[] map[A:x B:x]", "y": "[] map[A:x B:y]"}
	for _, e := range project.Entries {
		if got := fmt.Sprint(e.Run.Ulimits, e.Args); want[e.Name] != "" && got != want[e.Name] {
			t.Errorf("%s: %s, want %s", e.Name, got, want[e.Name])
		}
	}
}

// TestKernelLog names a file that seems to be a regular one and has no end wherever the loader of Compose reads one.
func TestKernelLog(t *testing.T) {
	const log = "/proc/kmsg"
	if f, err := textfile.Open(log); err != nil {
		t.Skip(err) // only root may, and not in every container
	} else {
		f.Close()
	}
	for _, text := range []string{
		"include: [/proc/kmsg]\n",
		"\"inc\\u006cude\": [../../../../../../../../../../proc/kmsg]\n",
		"include: [{path: compose.yaml, env_file: /proc/kmsg}]\n",
		"services: {web: {build: ., extends: {file: /proc/kmsg, service: x}}}\n",
		"jobs: {web: {build: ., extends: {file: /proc/kmsg, service: x}}}\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() { _, err := ReadCompose(t.Context(), Options{Dir: dir}); read <- err }()
		select {
		case err := <-read:
			if err == nil || !strings.Contains(err.Error(), log) {
				t.Errorf("%s: %v", text, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: it is waited for", text)
		}
	}
}

// TestNotRegular puts a link to a device wherever a file is read.
func TestNotRegular(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("there is no /dev/zero")
	}
	const service = "services: {web: {build: .}}\n"
	const bake = "target \"web\" {}\n"
	tests := []struct {
		device string // the link's name
		files  map[string]string
		read   string // "compose" or "bake"
		env    []string
	}{
		{"compose.yaml", nil, "compose", nil},
		{"compose.override.yaml", map[string]string{"compose.yaml": service}, "compose", nil},
		{".env", map[string]string{"compose.yaml": service}, "compose", nil},
		{"other.env", map[string]string{"compose.yaml": service}, "compose", []string{"COMPOSE_ENV_FILES=other.env"}},
		{"zero", map[string]string{"compose.yaml": "include: [zero]\n" + service}, "compose", nil},
		{
			"zero",
			map[string]string{"compose.yaml": "include: [{path: a.yaml, env_file: zero}]\n", "a.yaml": service},
			"compose",
			nil,
		},
		{"zero", map[string]string{"compose.yaml": "include: [\"${Z:-zero}\"]\n" + service}, "compose", nil},
		{
			"zero",
			map[string]string{"compose.yaml": "services: {web: {extends: {file: zero, service: x}}}\n"},
			"compose",
			nil,
		},
		{
			"zero",
			map[string]string{"compose.yaml": "services: {web: {extends: {file: \"./${Z-zero}\", service: x}}}\n"},
			"compose",
			nil,
		},
		{"zero", map[string]string{"compose.yaml": service}, "compose", []string{"COMPOSE_FILE=compose.yaml:zero"}},
		{"zero", map[string]string{"compose.yaml": service, ".env": "COMPOSE_FILE=zero\n"}, "compose", nil},
		{"docker-bake.hcl", nil, "bake", nil},
		{"docker-bake.json", nil, "bake", nil},
		{"docker-bake.override.hcl", map[string]string{"docker-bake.hcl": bake}, "bake", nil},
		{"compose.yaml", map[string]string{"docker-bake.hcl": bake}, "bake", nil},
		{".env", map[string]string{"docker-bake.hcl": bake, "compose.yaml": service}, "bake", nil},
		{
			"zero",
			map[string]string{"docker-bake.hcl": bake, "compose.yaml": "services: {web: {build: ., env_file: zero}}\n"},
			"bake",
			nil,
		},
		{
			"zero",
			map[string]string{"docker-bake.hcl": bake, "compose.yaml": "include: [zero]\n" + service},
			"bake",
			nil,
		},
		{"zero", map[string]string{"docker-bake.hcl": bake}, "bake", []string{"BUILDX_BAKE_FILE=zero"}},
	}
	for _, tt := range tests {
		t.Run(tt.read+" "+tt.device, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Symlink("/dev/zero", filepath.Join(dir, tt.device)); err != nil {
				t.Skip(err)
			}
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			read := ReadCompose
			if tt.read == "bake" {
				read = ReadBake
			}
			_, err := read(t.Context(), Options{Dir: dir, Here: true, Env: tt.env})
			if !errors.Is(err, textfile.ErrNotRegular) ||
				!strings.Contains(err.Error(), filepath.Join(dir, tt.device)) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestEnvFile compares the reading of env files with that of compose-go.
func TestEnvFile(t *testing.T) {
	for _, text := range envTexts {
		sameEnv(t, text)
	}
}

var envTexts = []string{
	"A=1\nB=$A\nC=\"${B:-x} y\"\n" +
		"D='$A'\n", "export A=1\nexport  B : 2\n", "A\nB=2\n", "  # c\n\n A = \"a\nb\" # x\nC=1", "A=\"x\"B=\"$A\"\n",
	"A='it\\'s'\n" +
		"B=2\n", "A=\"x\\\"y\"\n" +
		"B=2", "A=x # c\nB=#\n", "A=\nB=$A-\n", "A", "=x\n", "A=\"x\nB=2\n", "A!=1\n", "A:1\nB\r\nC=3\r\n",
	"export\nA=1\n", "A=\"a\"=b\n",
	"EMPTY\n\nA=${EMPTY:+x}${HOME}\n", "A=\u00a01\nB=\u0085\n", "ä=1\n", "A=$$B\\$C\n", "A B=1\n",
}

func sameEnv(t *testing.T, text string) {
	t.Helper()
	outer := map[string]string{"HOME": "/home", "EMPTY": ""}
	lookup := func(name string) (string, bool) { v, ok := outer[name]; return v, ok }
	got, err := readEnvFile("x", []byte(text), lookup)
	if errors.Is(err, ErrLimit) {
		return
	}
	want, wantErr := dotenv.UnmarshalWithLookup(text, lookup)
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != "x: "+wantErr.Error() {
		t.Errorf("%q: the error is %v, not %v", text, err, wantErr)
	}
	if err == nil && !maps.Equal(got, want) {
		t.Errorf("%q: got %q, want %q", text, got, want)
	}
}

// An env file is read as compose-go reads it, or refused.
func FuzzEnvFile(f *testing.F) {
	for _, text := range envTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 2000 {
			sameEnv(t, text)
		}
	})
}
