package cachemodel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"golang.org/x/tools/txtar"
)

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
				steps := c.compare()
				check(t, c.prose, steps, c.b.plan())
				got := verdicts(steps)
				if golden.Updating() {
					c.want = got
				} else if diff := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("%s\nverdicts (-want +got):\n%s", c.b.dockerfile(), diff)
				}
			})
		}
		if golden.Updating() {
			writeWants(t, file, archive, cases)
		}
	}
}

func (c *modelCase) compare() []Step {
	if c.a.none {
		return Compare(nil, c.b.plan())
	}
	var pasts []Past
	for _, b := range append([]*testBuild{c.a}, c.later...) {
		past := b.past
		past.Plan = b.plan()
		pasts = append(pasts, past)
	}
	return Compare(pasts, c.b.plan())
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

// The cases come across every verdict, cause, instruction and flag.
func TestCasesCoverAll(t *testing.T) {
	missing := map[string]bool{}
	for _, s := range []Status{Cached, Rebuilt, Config, Skipped, Unknown, Fails} {
		missing[string(s)] = true
	}
	for _, k := range []CauseKind{
		InstructionChanged, ContextChanged, EnvChanged, ArgChanged, UserChanged, WorkdirChanged, ShellChanged,
		BaseChanged, StageRebuilt, Follows, RemoteSource, NoCache, NoBaseline, NotInCache, SettingChanged, Invalid,
		MissingArgument, MissingSource,
	} {
		missing[string(k)], missing["uncertain "+string(k)] = true, uncertain[k]
	}
	for _, engine := range []string{"", "classic "} {
		for _, in := range dockerfile.Keywords() {
			missing[engine+in] = true
		}
	}
	for _, in := range []string{"ADD", "COPY", "FROM", "RUN"} {
		for _, flag := range dockerfile.FlagNames(in) {
			missing[in+" --"+flag] = true
		}
	}
	for _, mount := range []string{"bind", "cache", "tmpfs", "secret", "ssh"} {
		missing["mount "+mount] = true
	}
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parseCases(t, archive) {
			for _, s := range c.compare() {
				delete(missing, string(s.Status))
				if s.Cause != nil {
					delete(missing, string(s.Cause.Kind))
					if !s.Certain {
						delete(missing, "uncertain "+string(s.Cause.Kind))
					}
				}
			}
			engine := ""
			if c.b.settings.Engine == Classic {
				engine = "classic "
			}
			for _, in := range c.b.plan().build.File.Instructions {
				delete(missing, engine+in.Meant)
				for _, f := range in.Flags {
					delete(missing, in.Meant+" --"+f.Name.Text)
				}
				if run, ok := in.Command.(*instructions.RunCommand); ok {
					if cmd, err := dockerfile.Typed(in.Node); err == nil {
						run = cmd.(*instructions.RunCommand)
					}
					if err := run.Expand(func(word string) (string, error) { return word, nil }); err == nil {
						for _, m := range instructions.GetMounts(run) {
							delete(missing, "mount "+string(m.Type))
						}
					}
				}
			}
		}
	}
	for what, wanted := range missing {
		if wanted {
			t.Errorf("no case has %s", what)
		}
	}
}

// uncertain are the causes of which a verdict may not be certain.
var uncertain = map[CauseKind]bool{StageRebuilt: true, RemoteSource: true, BaseChanged: true, Follows: true}
