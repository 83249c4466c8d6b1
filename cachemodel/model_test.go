package cachemodel

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden verdicts")

// The verdicts on all cases of testdata, of which most state a fact about a builder's cache.
func TestVerdicts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases := parseCases(t, archive)
		for _, c := range cases {
			t.Run(filepath.Base(file)+"/"+c.prose, func(t *testing.T) {
				got := verdicts(c.compare())
				if *update {
					c.want = got
				} else if diff := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("%s\nverdicts (-want +got):\n%s", c.b.dockerfile(), diff)
				}
			})
		}
		if *update {
			writeWants(t, file, archive, cases)
		}
	}
}

func (c *modelCase) compare() []Step {
	if c.a.none {
		return Compare(nil, c.b.plan())
	}
	return Compare([]*Plan{c.a.plan()}, c.b.plan())
}

// writeWants puts each case's verdicts behind its other files.
func writeWants(t *testing.T, file string, archive *txtar.Archive, cases []*modelCase) {
	var files []txtar.File
	n := -1
	flush := func() {
		if n >= 0 {
			files = append(files, txtar.File{Name: "want", Data: []byte(cases[n].want)})
		}
	}
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "case: ") {
			flush()
			n++
		}
		if f.Name != "want" {
			files = append(files, f)
		}
	}
	flush()
	archive.Files = files
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
