package buildfiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/cachemodel"
	"golang.org/x/tools/txtar"
)

// What the real tools printed is recorded in the cases. With the tools at hand, `go test -args -buildx PROGRAM -compose
// PROGRAM` asks them again, and with -record records that. Both are built with `go build -o PROGRAM
// github.com/docker/buildx/cmd/buildx` and `github.com/docker/compose/v5/cmd` in a module that requires them.
var (
	buildxProgram  = flag.String("buildx", "", "a docker buildx to compare with")
	composeProgram = flag.String("compose", "", "a docker compose to compare with")
	record         = flag.Bool("record", false, "record what the real tools print")
)

// real is a case: prose, files, and the sections
//
//	-- env --      KEY=VALUE lines
//	-- printed --  what the tool prints, $DIR being the directory
//	-- rejected -- what the tool said instead, where it fails
type real struct {
	file    string
	archive *txtar.Archive
	dir     string
	env     []string
}

func readCases(t *testing.T, pattern string) []*real {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases %s: %v", pattern, err)
	}
	var cases []*real
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := &real{file: file, archive: a, dir: filepath.Join(t.TempDir(), "project")}
		if len(bytes.TrimSpace(a.Comment)) == 0 {
			t.Errorf("%s does not say what it is about", file)
		}
		c.env = strings.Fields(c.section("env"))
		for _, f := range a.Files {
			if slices.Contains([]string{"env", "printed", "rejected", "volatile"}, f.Name) {
				continue
			}
			name := filepath.Join(c.dir, filepath.FromSlash(f.Name))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cases = append(cases, c)
	}
	return cases
}

func (c *real) section(name string) string {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// ask runs the tool and checks, or records, that it says what is recorded.
func (c *real) ask(t *testing.T, program string, commands ...[]string) {
	t.Helper()
	section, said := "printed", ""
	for _, args := range commands {
		cmd := exec.Command(program, args...)
		cmd.Dir = c.dir
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, c.env...)
		var out, msg bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &msg
		if err := cmd.Run(); err != nil {
			_, last, _ := strings.Cut(strings.TrimSpace("\n"+msg.String()), "ERROR: ")
			section, said = "rejected", last
			if last == "" {
				said = msg.String()
			}
			break
		}
		said = out.String()
	}
	said = strings.TrimSpace(strings.ReplaceAll(said, c.dir, "$DIR")) + "\n"
	if !*record {
		if d := cmp.Diff(c.section(section), said); d != "" {
			t.Errorf("the real tool says something else than is recorded under %s (-recorded +said):\n%s", section, d)
		}
		return
	}
	c.archive.Files = slices.DeleteFunc(
		c.archive.Files,
		func(f txtar.File) bool { return f.Name == "printed" || f.Name == "rejected" },
	)
	c.archive.Files = append(c.archive.Files, txtar.File{Name: section, Data: []byte(said)})
	if err := os.WriteFile(c.file, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcome is what of an entry a real tool prints too.
type outcome struct {
	Dockerfile, Inline, Context, Target string
	Args, Contexts                      map[string]string
	Platforms, NoCacheFilter, Profiles  []string
	NoCache                             bool
}

func outcomes(entries []Entry) map[string]outcome {
	out := map[string]outcome{}
	for _, e := range entries {
		out[e.Name] = outcome{
			Dockerfile: e.Dockerfile, Inline: e.Inline, Context: e.Context, Target: e.Target, Args: some(e.Args),
			Contexts: some(e.Contexts),
			Platforms: nonEmpty(
				e.Platforms,
			), NoCacheFilter: nonEmpty(unique(e.NoCacheFilter)), Profiles: nonEmpty(e.Profiles), NoCache: e.NoCache,
		}
	}
	return out
}

func nonEmpty(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

// TestBake compares with what docker buildx bake --print says.
func TestBake(t *testing.T) {
	for _, c := range readCases(t, "testdata/bake/*.txtar") {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			if *buildxProgram != "" {
				list := exec.Command(*buildxProgram, "bake", "--list", "type=targets,format=json")
				list.Dir, list.Env = c.dir, append(
					[]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()},
					c.env...)
				text, _ := list.Output()
				var targets []struct {
					Name  string
					Group bool
				}
				json.Unmarshal(text, &targets)
				args := []string{"bake", "--print"}
				for _, hidden := range regexp.MustCompile(`target "(_\w+)"`).FindAllStringSubmatch(string(txtar.Format(c.archive)), -1) {
					args = append(args, hidden[1]) // not listed
				}
				for _, target := range targets {
					args = append(args, target.Name)
				}
				c.ask(t, *buildxProgram, args)
			}
			got, err := ReadBake(t.Context(), Options{Dir: c.dir, Env: c.env})
			if c.section("rejected") != "" {
				if err == nil {
					t.Errorf("read without an error, but buildx says: %s", c.section("rejected"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var printed struct {
				Target map[string]struct {
					Context, Dockerfile, Target string
					Inline                      string `json:"dockerfile-inline"`
					Args, Contexts              map[string]string
					Platforms                   []string
					NoCache                     bool     `json:"no-cache"`
					NoCacheFilter               []string `json:"no-cache-filter"`
					Network                     string
					ShmSize                     string `json:"shm-size"`
					Ulimits                     []string
					ExtraHosts                  map[string]string `json:"extra-hosts"`
				}
			}
			if err := json.Unmarshal([]byte(c.section("printed")), &printed); err != nil {
				t.Fatalf("the recorded text: %v", err)
			}
			place := func(name string) string {
				if _, ok := ContextImage("", name); ok {
					return name
				}
				name = strings.TrimPrefix(strings.ReplaceAll(name, "$DIR", c.dir), "cwd://")
				if !filepath.IsAbs(name) {
					return filepath.Join(c.dir, name)
				}
				return filepath.Clean(name)
			}
			unescape := strings.NewReplacer("$${", "${", "%%{", "%{").Replace
			want, runs := map[string]outcome{}, map[string]cachemodel.RunSettings{}
			for name, p := range printed.Target {
				run := cachemodel.RunSettings{
					Network: p.Network, ShmSize: Bytes(p.ShmSize), Ulimits: Ulimits(p.Ulimits),
				}
				for _, host := range slices.Sorted(maps.Keys(p.ExtraHosts)) {
					run.ExtraHosts = append(run.ExtraHosts, host+"="+p.ExtraHosts[host])
				}
				runs[name] = run
				o := outcome{
					Context:       place(p.Context),
					Inline:        unescape(p.Inline),
					Target:        p.Target,
					Platforms:     p.Platforms,
					NoCache:       p.NoCache,
					NoCacheFilter: p.NoCacheFilter,
					Args:          some(p.Args),
				}
				switch {
				case p.Inline != "":
				case filepath.IsAbs(p.Dockerfile):
					o.Dockerfile = p.Dockerfile
				case strings.HasPrefix(p.Dockerfile, "cwd://"):
					o.Dockerfile = filepath.Join(c.dir, strings.TrimPrefix(p.Dockerfile, "cwd://"))
				case !IsRemote(p.Context):
					o.Dockerfile = filepath.Join(o.Context, p.Dockerfile)
				}
				for k, v := range o.Args {
					o.Args[k] = unescape(v)
				}
				for k, v := range p.Contexts {
					if o.Contexts == nil {
						o.Contexts = map[string]string{}
					}
					o.Contexts[k] = place(v)
				}
				want[name] = o
			}
			have := outcomes(got.Entries)
			for i, e := range got.Entries {
				for _, name := range e.Volatile { // is another value at each time
					delete(want[e.Name].Args, name)
					delete(have[e.Name].Args, name)
				}
				if e.File == "" || e.Label == "" {
					t.Errorf("it is not known where entry %d, %s, is", i, e.Name)
				}
				e.Run.Entitlements = nil // in no key
				if d := cmp.Diff(runs[e.Name], e.Run); d != "" {
					t.Errorf("%s: how its RUN are run: -buildx +ours:\n%s", e.Name, d)
				}
			}
			if d := cmp.Diff(want, have); d != "" {
				t.Errorf("-buildx +ours:\n%s", d)
			}
			var volatile []string
			for _, e := range got.Entries {
				for _, name := range e.Volatile {
					volatile = append(volatile, e.Name+"."+name)
				}
			}
			if d := cmp.Diff(strings.Fields(c.section("volatile")), nonEmpty(volatile)); d != "" &&
				(c.section("volatile") != "" || len(volatile) > 0) {
				t.Errorf("arguments with another value each time: -want +got\n%s", d)
			}
		})
	}
}

// TestCompose compares with what docker compose config says.
func TestCompose(t *testing.T) {
	for _, c := range readCases(t, "testdata/compose/*.txtar") {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			if *composeProgram != "" {
				c.ask(t, *composeProgram, []string{"--profile", "*", "config", "--format", "json"})
			}
			got, err := ReadCompose(t.Context(), Options{Dir: c.dir, Env: c.env})
			if c.section("rejected") != "" {
				if err == nil {
					t.Errorf("read without an error, but docker compose says: %s", c.section("rejected"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var printed struct {
				Services map[string]struct {
					Profiles []string
					Build    *struct {
						Context, Dockerfile, Target string
						Inline                      string `json:"dockerfile_inline"`
						Args                        map[string]*string
						Contexts                    map[string]string `json:"additional_contexts"`
						Platforms                   []string
						NoCache                     bool     `json:"no_cache"`
						NoCacheFilter               []string `json:"no_cache_filter"`
					}
				}
			}
			if err := json.Unmarshal([]byte(strings.ReplaceAll(c.section("printed"), "$DIR", c.dir)),
				&printed); err != nil {
				t.Fatalf("the recorded text: %v", err)
			}
			want := map[string]outcome{}
			for name, s := range printed.Services {
				b := s.Build
				if b == nil {
					continue
				}
				o := outcome{
					Context:       b.Context,
					Inline:        b.Inline,
					Target:        b.Target,
					Platforms:     b.Platforms,
					NoCache:       b.NoCache,
					NoCacheFilter: b.NoCacheFilter,
					Contexts:      b.Contexts,
					Profiles:      s.Profiles,
				}
				if b.Inline == "" && !IsRemote(b.Context) {
					if o.Dockerfile = b.Dockerfile; !filepath.IsAbs(o.Dockerfile) {
						o.Dockerfile = filepath.Join(b.Context, b.Dockerfile)
					}
				}
				for k, v := range b.Args {
					if v != nil {
						if o.Args == nil {
							o.Args = map[string]string{}
						}
						o.Args[k] = strings.ReplaceAll(*v, "$$", "$")
					}
				}
				o.Inline = strings.ReplaceAll(o.Inline, "$$", "$")
				want[name] = o
			}
			if d := cmp.Diff(want, outcomes(got.Entries)); d != "" {
				t.Errorf("-compose +ours:\n%s", d)
			}
			// The same through a reader of texts, as an editor and a baseline read.
			again, err := ReadCompose(t.Context(), Options{Dir: c.dir, Env: c.env, Read: os.ReadFile})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(got, again); d != "" {
				t.Errorf("through a reader: %s", d)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	p := &Project{
		Kind:    Bake,
		Groups:  map[string][]string{"default": {"a", "more"}, "more": {"b-1", "b-2"}},
		Entries: []Entry{{Name: "a"}, {Name: "b-1"}, {Name: "b-2"}, {Name: "c"}},
	}
	for _, tt := range []struct{ names, want string }{
		{"", "a b-1 b-2"}, {"more", "b-1 b-2"}, {"b-*", "b-1 b-2"}, {"c a a", "c a"}, {"none", "?"},
	} {
		entries, err := p.Select(strings.Fields(tt.names)...)
		got := []string{}
		for _, e := range entries {
			got = append(got, e.Name)
		}
		if err != nil {
			got = []string{"?"}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("Select(%s) = %v, want %s", tt.names, got, tt.want)
		}
	}
}

func TestNoFiles(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	if _, err := ReadCompose(t.Context(), o); !errors.Is(err, ErrNoFile) {
		t.Error(err)
	}
	if _, err := ReadBake(t.Context(), o); !errors.Is(err, ErrNoFile) {
		t.Error(err)
	}
	o.Files = []string{"none.yaml"}
	if _, err := ReadCompose(t.Context(), o); !missing(err) {
		t.Error(err)
	}
	if _, err := ReadBake(t.Context(), o); !missing(err) {
		t.Error(err)
	}
}

// FuzzRead holds the readers to never panic on half-typed text.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/bake/*.txtar", "testdata/compose/*.txtar"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			a, err := txtar.ParseFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for _, file := range a.Files {
				if ext := filepath.Ext(file.Name); slices.Contains([]string{".hcl", ".json", ".yaml", ".yml"}, ext) {
					f.Add(ext, file.Data)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, ext string, text []byte) {
		names := map[string]string{
			".hcl":  "docker-bake.hcl",
			".json": "docker-bake.json",
			".yaml": "compose.yaml",
			".yml":  "compose.yaml",
		}
		name, ok := names[ext]
		if !ok || len(text) > 4096 {
			return
		}
		o := Options{Dir: "/p", Files: []string{name}, Read: func(path string) ([]byte, error) {
			if path == "/p/"+name {
				return text, nil
			}
			return nil, os.ErrNotExist
		}}
		ReadBake(t.Context(), o)
		if ext == ".yaml" || ext == ".yml" {
			ReadCompose(t.Context(), o)
		}
		sections, _ := Sections(name, text)
		for _, s := range sections {
			for _, v := range append(slices.Clone(s.Values), Value{Span: s.Span}, Value{Span: s.NameSpan}) {
				if v.Span.Start < 0 || v.Span.End < v.Span.Start || v.Span.End > len(text) {
					t.Fatalf("span %v lies outside of the text of %d bytes", v.Span, len(text))
				}
			}
		}
	})
}
