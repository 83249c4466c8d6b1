package reorder

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// history is when sources of COPYs changed: at builds from and to, of so many.
type history struct {
	builds  int
	changes map[string][2]int
}

func (h history) model(context files) Model {
	m := context.model()
	m.Builds = h.builds
	m.Changes = func(sources, _ []string) []uint64 {
		set := make([]uint64, h.builds/64+1)
		for src, span := range h.changes {
			if slices.ContainsFunc(sources, func(s string) bool { return s == "." || strings.Trim(s, "./") == src }) {
				for i := span[0]; i <= span[1]; i++ {
					set[i/64] |= 1 << (i % 64)
				}
			}
		}
		return set
	}
	return m
}

const npmProject = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"x\"]\n"

// What is worth offering, by histories of 90 builds.
func TestWorth(t *testing.T) {
	manifests := files{
		"package.json":      "{}",
		"package-lock.json": `{"lockfileVersion":3}`,
		"src/a":             "",
		"bin/b":             "",
		"big":               "",
	}
	for _, test := range []struct {
		prose, text string
		changes     map[string][2]int
		want        string // the title, "" for nothing
	}{
		{"sources change at each " +
			"build", npmProject, map[string][2]int{"src": {1, 90}}, "Copy package-lock.json and package.json before " +
			"npm ci"},
		{"only the manifests do", npmProject, map[string][2]int{"package.json": {1, 90}}, ""},
		{"sources did, but not at the newest third, which the search does not " +
			"see", npmProject, map[string][2]int{"src": {1, 60}}, ""},
		{"sources do at the newest third only, which says nothing of the " +
			"order", npmProject, map[string][2]int{"src": {61, 90}}, ""},
		{"what would gain is a " +
			"COPY", "FROM node:22\nCOPY src /a\nCOPY big /b\nRUN make\n", map[string][2]int{"src": {1, 90}}, ""},
		{"a folder that never changed does not go above what costs " +
			"more", "FROM debian:12\nCOPY src /src\nRUN apt-get install -y x\nCOPY bin /bin2\nRUN " +
			"./build.sh\n", map[string][2]int{"src": {1, 90}}, "Move COPY src /src below COPY bin /bin2"},
		{"nor does it where nothing else is " +
			"gained", "FROM debian:12\nRUN apt-get install -y x\nCOPY bin /bin2\nCOPY src /src\nRUN " +
			"./build.sh\n", map[string][2]int{"src": {1, 90}}, ""},
	} {
		offers := Search(context.Background(), parse(test.text), history{90, test.changes}.model(manifests)).Rewrites
		got := ""
		if len(offers) > 0 {
			got = offers[0].Title
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.prose, got, test.want)
		}
	}
}

// No count exceeds the commits, whatever changes with each of them.
func TestCountsAreOfTheCommits(t *testing.T) {
	text := "FROM node:22\nARG GIT_SHA\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build\n"
	for _, n := range []int{11, 63, 64, 65, 100} {
		model := history{
			n,
			map[string][2]int{"src": {1, n}},
		}.model(
			files{"package.json": "{}", "package-lock.json": `{"lockfileVersion":3}`, "src/a": ""},
		)
		offers := Search(context.Background(), parse(text), model).Rewrites
		if len(offers) == 0 {
			t.Fatalf("%d builds: nothing is offered", n)
		}
		for _, count := range regexp.MustCompile(`\d+ of the last (\d+) commits .*?, today (\d+)`).FindAllStringSubmatch(offers[0].Explanation, -1) {
			if of, _ := strconv.Atoi(count[1]); of != n {
				t.Errorf("%d commits are %s", n, count[0])
			}
			if today, _ := strconv.Atoi(count[2]); today > n {
				t.Errorf("%d commits: %s", n, count[0])
			}
		}
	}
}

// An order and a cache mount are two things: neither rewrite has both.
func TestOrderAndMountApart(t *testing.T) {
	text := "FROM golang:1.24 AS b\nWORKDIR /src\nCOPY . .\nRUN go mod download\nRUN CGO_ENABLED=0 go build -o /app " +
		".\nFROM scratch\nCOPY --from=b /app /app\n"
	offers := Search(
		context.Background(),
		parse(text),
		files{"go.mod": "module x\n\ngo 1.24", "go.sum": "", "main.go": ""}.model(),
	).Rewrites
	if len(offers) != 1 || len(offers[0].Parts) == 0 {
		t.Fatalf("%+v", offers)
	}
	mounted := func(r Rewrite) bool {
		return slices.ContainsFunc(
			apply(parse(text), r.Edits).Instructions,
			func(in *dockerfile.Instruction) bool { return len(in.Flags) > 0 && in.Meant == "RUN" },
		)
	}
	if last := offers[0].Parts[len(offers[0].Parts)-1]; mounted(offers[0]) || !mounted(last) ||
		strings.Contains(last.Title, "opy") {
		t.Errorf("%s; %s", offers[0].Title, last.Title)
	}
}

// ending is a context that ends when it has been asked so often.
type ending struct {
	context.Context
	left *int
}

func (e ending) Err() error {
	if *e.left--; *e.left < 0 {
		return context.Canceled
	}
	return nil
}

// A search that is ended early gives what it has found so far: an order that keeps the image, and costs no more.
func TestEndedEarly(t *testing.T) {
	text := packagesInTurn(18)
	offered := 0
	for left := 0; left < 400; left += 9 {
		rest := left
		offers := Search(ending{t.Context(), &rest}, parse(text), Model{Seconds: seconds})
		if !offers.Partial && rest < 0 {
			t.Error("it is not said that the search was ended early")
		}
		for _, r := range offers.Rewrites {
			offered++
			if r.After > r.Before {
				t.Errorf("%s costs %f s in place of %f", r.Title, r.After, r.Before)
			}
			before, after := parse(text), apply(parse(text), r.Edits)
			for _, in := range after.Instructions {
				if !slices.ContainsFunc(before.Instructions, func(o *dockerfile.Instruction) bool {
					return o.Node.Original == in.Node.Original
				}) {
					t.Errorf("%s: %s is new", r.Title, in.Node.Original)
				}
			}
			if len(after.Instructions) != len(before.Instructions) {
				t.Errorf("%s: %d instructions of %d", r.Title, len(after.Instructions), len(before.Instructions))
			}
		}
	}
	if offered == 0 {
		t.Error("nothing was found in any of the searches")
	}
}
