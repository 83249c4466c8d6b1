package shellcheck

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
)

// What the program finds lies at its exact place in the file, its fixes too.
func TestCheck(t *testing.T) {
	program := Find()
	if program == "" {
		t.Skip("MISSING: the program shellcheck; nothing was checked")
	}
	for _, c := range []struct{ what, text, found, fixed string }{
		{"one line", "FROM a\nRUN touch $X\n", `SC2086 "$X"`, "FROM a\nRUN touch \"$X\"\n"},
		{"behind continuations and " +
			"comments", "FROM a\nRUN echo a && \\\n  # b\n\\\n\ttouch \"ü\" " +
			"$X\n", `SC2086 "$X"`, "FROM a\nRUN echo a && \\\n  # b\n\\\n\ttouch \"ü\" \"$X\"\n"},
		{"with carriage " +
			"returns", "FROM a\r\nRUN echo a && \\\r\n  touch " +
			"$X\r\n", `SC2086 "$X"`, "FROM a\r\nRUN echo a && \\\r\n  touch \"$X\"\r\n"},
		{"a heredoc", "FROM a\nRUN <<EOF\ntouch a\n\ttouch $X\n" +
			"EOF\n", `SC2086 "$X"`, "FROM a\nRUN <<EOF\ntouch a\n\ttouch \"$X\"\nEOF\n"},
		{"what bash has and sh lacks", "FROM a\nRUN [[ $X == b ]]\n", `SC3010 "[[ $X == b ]]"`, ""},
		{"SHELL says bash", "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\nRUN [[ $X == b ]]\n", "", ""},
		{"a stage upon one with " +
			"bash", "FROM a AS b\nSHELL [\"/bin/bash\", \"-c\"]\nFROM b\nRUN [[ $X == b ]]\n", "", ""},
		{"not for other shells, exec forms and " +
			"Windows", "FROM a\nRUN [\"touch\", \"$X\"]\nSHELL [\"python3\"]\nRUN touch $X\nFROM " +
			"mcr.microsoft.com/windows/nanoserver\nRUN touch $X\n", "", ""},
		{"skipped", "FROM a\n# check=skip=shellcheck\nRUN touch $X\n", "", ""},
	} {
		file := dockerfile.Parse(source.New(c.text), nil)
		remarks, err := Check(t.Context(), program, rules.ShellScripts(file))
		if err != nil {
			t.Fatal(err)
		}
		found, fixed := "", ""
		for _, f := range rules.Check(file,
			rules.Options{ShellCheck: func(s rules.ShellScript) []rules.ShellRemark { return remarks[s] }}) {
			if f.Rule != rules.ShellCheck.ID {
				continue
			}
			found = fmt.Sprintf("%s %q", f.Code, file.Text.Slice(f.Span))
			if len(f.Fixes) > 0 {
				fixed, _ = source.Apply(c.text, f.Fixes[0].Edits)
			}
		}
		if found != c.found || c.fixed != "" && fixed != c.fixed {
			t.Errorf("%s: %s, fixed %q", c.what, found, fixed)
		}
	}
}

// A program that is none, or hangs, is an error and no more.
func TestProgramThatFails(t *testing.T) {
	script := []rules.ShellScript{{Shell: "sh", Text: "true\n"}}
	if _, err := Check(t.Context(), filepath.Join(t.TempDir(), "none"), script); err == nil {
		t.Error("no error for a program that is not there")
	}
	broken := filepath.Join(t.TempDir(), "shellcheck")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho "+
		"'{\"comments\":[{\"file\":\"9\",\"line\":-1},{\"file\":\"0\",\"line\":99,\"column\":99,\"endLine\":-3}]}'; "+
		"exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := Check(t.Context(), broken, script)
	if err != nil {
		t.Error(err)
	}
	want := []rules.ShellRemark{{From: 5, To: 5, Code: "SC0000", Severity: 2}}
	if diff := cmp.Diff(want, slices.Collect(func(yield func(rules.ShellRemark) bool) {
		for _, r := range found[script[0]] {
			yield(r)
		}
	})); diff != "" {
		t.Errorf("places outside of the script (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, broken, script); err == nil {
		t.Error("no error after it was given up")
	}
}

// What no shell can read is not given to the program, which is slow at it: here it is not even there.
func TestUnreadable(t *testing.T) {
	var scripts []rules.ShellScript
	for _, text := range []string{
		"echo 'a", "if a; then", strings.Repeat("(", 30), strings.Repeat("if a; then ", 3000), strings.Repeat(`"$(`, 10_000),
		strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100),
	} {
		scripts = append(scripts, rules.ShellScript{Shell: "sh", Text: text})
	}
	remarks, err := Check(t.Context(), "/does/not/exist", scripts)
	if err != nil || len(remarks) != len(scripts) {
		t.Errorf("answers for %d of %d scripts, and %v", len(remarks), len(scripts), err)
	}
}

// Once the time is up no call is begun, and it is said how many scripts were not checked.
func TestNoTimeLeft(t *testing.T) {
	scripts := []rules.ShellScript{{Shell: "sh", Text: "touch $X"}, {Shell: "sh", Text: "touch $Y"}}
	remarks, err := check(t.Context(), "/does/not/exist", scripts, time.Now().Add(-time.Second))
	if want := "only 0 of 2 commands were checked: there was no time for more"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if len(remarks) != 0 {
		t.Errorf("%v", remarks)
	}
}
