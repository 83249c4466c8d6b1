package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// TestBounds reads files of a few kilobytes that ask for more than any machine has. Each was seen to run out of memory,
// to panic, or not to end.
func TestBounds(t *testing.T) {
	lines := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	step := "on: push\njobs:\n  a:\n    steps:\n    - uses: actions/checkout@v4\n    - run: |\n"
	doubling := lines(60, func(i int) string { return fmt.Sprintf("        A%d=$A%d${A%d}xxxxxxxx\n", i+1, i, i) })
	build := "        docker build --build-arg X="
	nested := "${A//x/${A//x/$A}}"
	format := strings.Repeat("format('{0}{0}{0}{0}{0}{0}{0}{0}', ", 40) + "'xxxxxxxx'" + strings.Repeat(")", 40)
	many := lines(20000, func(i int) string { return fmt.Sprintf("  A%d: x\n", i) })
	for name, text := range map[string]string{
		"variables of a script that double": step + doubling + build + "$A60 .\n",
		"a replacement in a replacement":    step + "        A=" + strings.Repeat("x", 4000) + "\n" + build + nested + " .\n",
		"a pattern that is no text":         step + "        A=x\n" + build + "${A#$'\\xff'} .\n",
		"a process in place of a file":      step + "        docker build -f <(cat Dockerfile) .\n",
		"format in format":                  step + build + "${{ " + format + " }} .\n",
		"env of env of env": "on: push\nenv:\n  a: " + strings.Repeat("x", 5000) + "\njobs:\n  a:\n" +
			"    env:\n      b: " +
			strings.Repeat("${{ env.a }}", 5000) + "\n    steps:\n    - env:\n        c: " +
			strings.Repeat("${{ env.b }}", 5000) + "\n      run: docker build --build-arg c .\n",
		"a matrix of many steps": "on: push\njobs:\n  a:\n    strategy:\n      matrix:\n        x: [" +
			lines(256, func(i int) string { return fmt.Sprintf("%d,", i) }) + "]\n    steps:\n" +
			lines(1000, func(int) string { return "    - run: echo " + strings.Repeat("a b c; ", 100) + "\n" }),
		"GitLab's variables that hold others": "variables:\n" + lines(8, func(i int) string {
			return fmt.Sprintf("  A%d: %s\n", i+1, strings.Repeat(fmt.Sprintf("$A%d", i), 500))
		}) + "a:\n  script: docker build --build-arg X=$A8 .\n",
		"templates that extend others": lines(40, func(i int) string {
			return fmt.Sprintf(".t%d:\n  extends: [%s]\n", i, strings.Repeat(fmt.Sprintf(".t%d, ", i+1), 60))
		}) + ".t40: {}\na:\n  extends: .t0\n  script: docker build .\n",
		"aliases of aliases": "x0: &x0 [docker build .]\n" + lines(8, func(i int) string {
			return fmt.Sprintf("x%d: &x%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*x%d, ", i), 60))
		}) + "on: push\na:\n  script: *x8\n",
		"many jobs and many variables": "variables:\n" + many +
			lines(20000, func(i int) string { return fmt.Sprintf("a%d: {script: docker}\n", i) }),
	} {
		t.Run(name, func(t *testing.T) {
			if len(text) > maxFile {
				t.Fatalf("%d bytes are not read at all", len(text))
			}
			root := t.TempDir()
			read := func(path string) ([]byte, error) {
				if filepath.Base(path) == "a.yml" || filepath.Base(path) == ".gitlab-ci.yml" {
					return []byte(text), nil
				}
				return nil, os.ErrNotExist
			}
			o := Options{Root: root, Event: Event{Name: "push", Branch: "main"}, Read: read}
			f := &finder{Options: o, ctx: t.Context(), count: map[string]int{}}
			f.workflow(filepath.Join(root, "a.yml"))
			f.gitlab(filepath.Join(root, ".gitlab-ci.yml"))
			size := 0
			for i := range f.builds {
				for name, value := range f.builds[i].Options.Args {
					size += len(name) + len(value)
				}
			}
			if size > 1<<20 {
				t.Errorf("%d builds with arguments of %d bytes", len(f.builds), size)
			}
			for _, err := range f.problems {
				if !errors.Is(err, buildfiles.ErrLimit) {
					t.Error(err)
				}
			}
		})
	}
}
