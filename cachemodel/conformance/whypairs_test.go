package conformance

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

var whyPairs = flag.Int("why-pairs", 10, "how many edits are made and explained, 0 for all")

// whyTexts are Dockerfiles of different make-up with the same kinds of lines.
var whyTexts = map[string]string{
	"one stage": `FROM base
WORKDIR /src
COPY deps.txt ./
RUN sort deps.txt > /deps
ARG V=1
ENV MODE=one
COPY src ./src
RUN find . -type f > /out/all
USER app
RUN echo last
CMD ["sh"]
`,
	"two stages": `ARG BASE=base
FROM $BASE AS build
WORKDIR /src
COPY deps.txt ./
RUN sort deps.txt > /deps
ARG V=1
ENV MODE=one
COPY src ./src
RUN find . -type f > /out/all && cat /proc/sys/kernel/random/uuid >> /out/all
FROM base
COPY --from=build /out/all /all
USER app
RUN echo last
CMD ["sh"]
`,
	"a stage upon a stage": `ARG BASE=base
FROM $BASE AS deps
WORKDIR /src
COPY deps.txt ./
RUN sort deps.txt > /deps
FROM deps AS build
ARG V=1
ENV MODE=one
COPY src ./src
RUN find . -type f > /out/all
FROM build
USER app
RUN echo last
CMD ["sh"]
`,
	"mounts": `FROM base
WORKDIR /src
RUN --mount=type=bind,source=deps.txt,target=deps.txt sort deps.txt > /deps
ARG V=1
ENV MODE=one
RUN --mount=type=bind,source=src,target=src find . -type f > /out/all
USER app
RUN echo last
CMD ["sh"]
`,
	"links and heredocs": `FROM base
WORKDIR /src
COPY --link deps.txt /src/
RUN sort /src/deps.txt > /deps
ARG V=1
ENV MODE=one
COPY src/ /src/src/
RUN <<END
find . -type f > /out/all
END
USER app
RUN echo last
CMD ["sh"]
`,
}

// whyKinds are edits that are made to each of these. What ran first must be the first instruction that is like that.
var whyKinds = []struct {
	name     string
	old, new string // in the Dockerfile
	shell    string // in the folder
	args     map[string]string
	like     string // "" if nothing runs
	kind     cachemodel.CauseKind
	names    string // what the cause names: a part of its sentence, or a path
}{
	{"nothing", "", "", "", nil, "", "", ""},
	{"a manifest", "", "", "echo 2 > deps.txt", nil, "deps", cachemodel.ContextChanged, "deps.txt"},
	{"a source file", "", "", "echo 2 > src/x", nil, "src/? ", cachemodel.ContextChanged, "src/x"},
	{"a new file", "", "", "echo 2 > src/new", nil, "src/? ", cachemodel.ContextChanged, "src/new"},
	{"a file is removed", "", "", "rm src/y", nil, "src/? ", cachemodel.ContextChanged, "src/y"},
	{"a file is renamed", "", "", "mv src/z src/zz", nil, "src/? ", cachemodel.ContextChanged, "src/zz"},
	{"a file is executable", "", "", "chmod 755 src/x", nil, "src/? ", cachemodel.ContextChanged, "src/x"},
	{"a file is touched", "", "", "touch src/x", nil, "", "", ""},
	{"a file beside", "", "", "echo 2 > other", nil, "", "", ""},
	{"an ignore file", "", "", "echo src/w > .dockerignore", nil, "src/? ", cachemodel.ContextChanged, "src/w"},
	{"a variable", "MODE=one", "MODE=two", "", nil, "find|<<END", cachemodel.EnvChanged, "MODE"},
	{"an argument", "", "", "", map[string]string{"V": "2"}, "find|<<END", cachemodel.ArgChanged, "V"},
	{"a default that is overridden", "ARG V=1", "ARG V=3", "", nil, "", "", ""},
	{"a new variable", "ENV MODE", "ENV MORE=1\nENV MODE", "", nil, "find|<<END", cachemodel.EnvChanged, "MORE"},
	{"a command", "echo last", "echo more", "", nil, "echo more", cachemodel.InstructionChanged, "edited"},
	{"a command in the middle", "-type f", "-type f -name '*'", "", nil, "find|<<END", cachemodel.InstructionChanged,
		"edited"},
	{"another user", "USER app", "USER 0", "", nil, "echo more", cachemodel.UserChanged, "USER"},
	{"a new command", "RUN echo more", "RUN echo new\nRUN echo more", "", nil, "echo new",
		cachemodel.InstructionChanged, "new"},
	{"a command less", "RUN echo new\n", "", "", nil, "", "", ""},
	{"a comment", "USER 0", "# why\nUSER 0", "", nil, "", "", ""},
	{"the command of the image", `"sh"`, `"sh", "-c"`, "", nil, "", "", ""},
	{"a label", "WORKDIR", "LABEL a=b\nWORKDIR", "", nil, "", "", ""},
	{"another shell", "ENV MODE", "SHELL [\"/bin/sh\", \"-ec\"]\nENV MODE", "", nil, "find|<<END",
		cachemodel.ShellChanged, "SHELL"},
	{"another directory", "WORKDIR /src\n", "WORKDIR /srv\n", "", nil, "WORKDIR", cachemodel.InstructionChanged,
		"edited"},
	{"another base", "base\n", "base3\n", "", nil, "WORKDIR", cachemodel.BaseChanged, "base3"},
}

// Of one edit between two builds `layerwise why` names that edit as the cause of the first step that ran, and says of
// each step what a real BuildKit did.
func TestWhyPairs(t *testing.T) {
	r := startReal(t)
	home := t.TempDir()
	right, made, of := 0, 0, len(whyTexts)*len(whyKinds)
	for at, kind := range slices.Sorted(maps.Keys(whyTexts)) {
		text := whyTexts[kind]
		p := newSequence(t, r.images, false, r.daemon)
		p.home = home
		if err := r.daemon.Client.Prune(t.Context(), nil, client.PruneAll); err != nil { // what others made of it
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(p.dir, "src"), 0o755); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"deps.txt": "d", "src/w": "w", "src/x": "x", "src/y": "y", "src/z": "z"}
		step := func() (Truth, *workspace.Why) {
			t.Helper()
			p.become(t, state{text, files})
			files = nil
			p.settle(t)
			ran, failed := p.build(t)
			if failed {
				t.Fatalf("%s: the build failed\n%s", kind, text)
			}
			p.remember(t)
			return ran, p.why(t)
		}
		step()
		for i, edit := range whyKinds {
			text = strings.Replace(text, edit.old, edit.new, 1)
			if edit.shell != "" {
				sh := exec.Command("sh", "-ec", edit.shell)
				if sh.Dir = p.dir; sh.Run() != nil {
					t.Fatal(edit.shell)
				}
			}
			maps.Copy(p.args, edit.args)
			if !slice(at*len(whyKinds)+i, *whyPairs, of) {
				if i+1 < len(whyKinds) && slice(at*len(whyKinds)+i+1, *whyPairs, of) {
					step()
				}
				continue
			}
			made++
			ran, why := step()
			ok := why.Broken == 0 && why.Unknown == 0
			for _, s := range why.Steps {
				lt, seen := ran[s.Line]
				known := seen && s.Instruction != "FROM" && s.Detail != cachemodel.LinkedAnew && s.Hit != nil
				if known && *s.Hit != (lt.Executed == 0) {
					t.Errorf("%s, %s: line %d: %+v, and it ran %d times", kind, edit.name, s.Line, s, lt.Executed)
				}
			}
			first := firstRun(why)
			switch {
			case edit.like == "" || first == nil:
				ok = ok && edit.like == "" && first == nil
			default:
				ok = ok && regexp.MustCompile(edit.like).MatchString(first.Text) && first.Cause != nil &&
					first.Cause.Kind == edit.kind && (strings.Contains(first.Cause.Detail, edit.names) ||
					slices.Contains(first.Cause.Paths, edit.names))
			}
			if ok {
				right++
				continue
			}
			t.Errorf("%s, %s: %d broken, %d unknown, first %+v", kind, edit.name, why.Broken, why.Unknown, first)
			if first != nil {
				t.Logf("%+v", first.Cause)
			}
		}
	}
	t.Logf("of %d edits it is right about %d", made, right)
}
