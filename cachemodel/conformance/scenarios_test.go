package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	provenancetypes "github.com/moby/buildkit/solver/llbsolver/provenance/types"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/layerwise/layerwise/cachemodel"
)

// scenario is one block of testdata/scenarios.txt.
type scenario struct {
	title       string
	first, then []string // options: of buildctl, and of layerwise predict
	// more options: of predict alone, and of buildctl for the second build alone, that come to the same
	told, done []string
	edit       string // a script, run in the project's folder
	unsure     []int
}

func readScenarios(t *testing.T) []scenario {
	t.Helper()
	text, err := os.ReadFile("testdata/scenarios.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []scenario
	for _, block := range strings.Split(string(text), "\n## ")[1:] {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		s := scenario{title: lines[0]}
		for _, line := range lines[1:] {
			key, value, _ := strings.Cut(line, ": ")
			switch key {
			case "first":
				s.first = strings.Fields(value)
			case "then":
				s.then = strings.Fields(value)
			case "told":
				s.told = strings.Fields(value)
			case "done":
				s.done = strings.Fields(value)
			case "edit":
				s.edit = value
			case "unsure":
				for _, n := range strings.Fields(value) {
					line, err := strconv.Atoi(n)
					if err != nil {
						t.Fatal(err)
					}
					s.unsure = append(s.unsure, line)
				}
			default:
				t.Fatalf("%s: what is %q?", s.title, line)
			}
		}
		out = append(out, s)
	}
	return out
}

// project is what each scenario starts from. @ is its number, so that no scenario finds what another one left in the
// cache.
var project = map[string]string{
	"Dockerfile": `# line 1
FROM base AS deps
WORKDIR /app@
COPY package.json ./
RUN cat package.json > deps.out
COPY src/ src/
RUN cat src/* > build.out

FROM base AS web
WORKDIR /web@
COPY conf/*.conf ./
ARG VERSION=1
RUN echo $VERSION > version

FROM deps AS test
COPY --exclude=Dockerfile . all/
RUN ls all > tests.out
FROM web AS main
COPY --from=deps /app@/build.out ./
COPY run.sh ./
CMD ["./run.sh"]

FROM web AS all
COPY . .
FROM web AS named
COPY --from=extra file ./
FROM web AS whole
COPY --from=extra . extra/
FROM main
`,
	".dockerignore": "tmp\n",
	"package.json":  `{"a":1}`,
	"README.md":     "read me",
	"run.sh":        "echo run",
	"src/main.c":    "main",
	"src/util.c":    "util",
	"lib/main.c":    "library",
	"conf/a.conf":   "a",
	"conf/b.conf":   "b",
	"tmp/log":       "log",
}

// TestScenarios does what people do: builds with buildctl, edits, asks `layerwise predict` and builds again. What was
// promised must happen. In the first round the builds are run by `layerwise build` and no daemon is asked; in the
// second they are run without it, so that the daemon's history is all that is known. All of them are played with -args
// -scenarios 0.
func TestScenarios(t *testing.T) {
	t.Parallel()
	real := startReal(t)
	ctx := context.Background()
	tools := t.TempDir()
	env := append(
		os.Environ(),
		"BUILDKIT_HOST="+real.daemon.Address(),
		"XDG_CACHE_HOME="+filepath.Join(tools, "cache"),
		"HOME="+tools,
		"PATH="+tools+":"+os.Getenv("PATH"),
	)
	for _, tool := range []struct{ dir, pkg string }{{"../..", "./cmd/layerwise"}, {".",
		"github.com/moby/buildkit/cmd/buildctl"}} {
		cmd := exec.Command("go", "build", "-o", tools+"/", tool.pkg)
		cmd.Dir = tool.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", tool.pkg, err, out)
		}
	}
	for round, name := range []string{"recorded", "history"} {
		t.Run(name, func(t *testing.T) {
			count := &counts{}
			all := readScenarios(t)
			for i, s := range all {
				if n := *scenariosFlag; n > 0 && i*n/len(all) == (i-1)*n/len(all) && i > 0 {
					continue // a slice of each kind
				}
				t.Run(s.title, func(t *testing.T) {
					t.Parallel() // it waits for the daemon most of the time
					w := &workplace{
						real:     real,
						dir:      t.TempDir(),
						tools:    tools,
						env:      env,
						recorded: name == "recorded",
						relative: i%2 == 1,
					}
					w.play(ctx, t, s, fmt.Sprintf("%d-%d", round, i), count)
				})
			}
			t.Cleanup(func() {
				t.Logf(
					"%d builds: %d steps promised cached, %d rebuilt; %d uncertain, of which %d ran; %d of them "+
						"because files' times alone do not tell",
					count.builds.Load(),
					count.cached.Load(),
					count.rebuilt.Load(),
					count.uncertain.Load(),
					count.uncertainRan.Load(),
					count.unsure.Load(),
				)
			})
		})
	}
}

// counts are what the scenarios of a round add up to.
type counts struct{ builds, cached, rebuilt, uncertain, uncertainRan, unsure atomic.Int32 }

// workplace is where a scenario is played.
type workplace struct {
	real     *Real
	dir      string
	tools    string
	env      []string
	recorded bool
	relative bool // the paths on buildctl's command line
}

func (w *workplace) play(ctx context.Context, t *testing.T, s scenario, number string, count *counts) {
	root := filepath.Join(w.dir, "project")
	extra := filepath.Join(w.dir, "extra")
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range project {
		write(filepath.Join(root, name), strings.ReplaceAll(text, "@", number))
	}
	write(filepath.Join(extra, "file"), "extra")
	write(filepath.Join(extra, "ignored"), "ignored")
	write(filepath.Join(extra, ".dockerignore"), "ignored\n")
	other := filepath.Join(w.dir, "other")
	write(filepath.Join(other, "file"), "other")
	time.Sleep(20 * time.Millisecond) // the kernel's clock for files is coarse
	for _, list := range [][]string{s.first, s.then, s.done} {
		for i := range list {
			list[i] = strings.NewReplacer("EXTRA", extra, "OTHER", other).Replace(list[i])
		}
	}

	w.build(t, root, s.first)
	if !w.recorded {
		w.awaitTrace(ctx, t)
	}
	if s.edit != "" {
		w.run(t, root, "sh", "-ec", s.edit)
	}
	var report cachemodel.Report
	args := append(
		[]string{"layerwise", "predict", "--baseline", "recorded", "--format", "json"},
		slices.Concat(s.then, s.told)...)
	if w.recorded {
		args = append(args, "--buildkit", "off")
	}
	out := w.run(t, root, args...)
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.build(t, root, append(buildctlOptions(s.then, s.first), s.done...))
	happened, err := w.lastBuild(ctx)
	if err != nil {
		t.Fatal(err)
	}
	count.builds.Add(1)
	var unsure []int
	for _, step := range report.Steps {
		ran := happened[step.Line].Executed > 0
		switch {
		case step.Status == cachemodel.Cached && ran:
			t.Errorf("line %d, %s: promised cached, but it ran", step.Line, step.Text)
		case step.Status == cachemodel.Rebuilt && step.Certain && !ran && step.Instruction != "FROM":
			t.Errorf("line %d, %s: certainly rebuilt (%s), but it was cached", step.Line, step.Text, step.Cause.Detail)
		case step.Status == cachemodel.Cached:
			count.cached.Add(1)
		case step.Status == cachemodel.Rebuilt && step.Certain:
			count.rebuilt.Add(1)
		case step.Status == cachemodel.Rebuilt:
			count.uncertain.Add(1)
			if ran {
				count.uncertainRan.Add(1)
			}
			if step.Cause.Kind == cachemodel.ContextChanged {
				count.unsure.Add(1)
				unsure = append(unsure, step.Line)
			}
		}
	}
	want := s.unsure
	if w.recorded {
		want = nil
	}
	// buildctl's command line tells the folder only if the path is absolute: else nothing is known of the files.
	if (w.recorded || !w.relative) && !slices.Equal(unsure, want) {
		t.Errorf("the lines that hang on what is not known of files are %v, not %v", unsure, want)
	}
	if t.Failed() {
		for _, step := range report.Steps {
			line := fmt.Sprintf("%3d %-60s %s", step.Line, step.Text, step.Status)
			if step.Cause != nil {
				line += fmt.Sprintf(" certain=%v: %s: %s", step.Certain, step.Cause.Kind, step.Cause.Detail)
			}
			t.Logf("%s; ran: %d of %d", line, happened[step.Line].Executed, happened[step.Line].Vertices)
		}
	}
}

// build runs buildctl, for the first round within layerwise build.
func (w *workplace) build(t *testing.T, root string, options []string) {
	where := root
	if w.relative {
		where = "."
	}
	args := []string{
		"buildctl",
		"build",
		"--frontend",
		"dockerfile.v0",
		"--local",
		"context=" + where,
		"--local",
		"dockerfile=" + where,
		"--progress",
		"plain",
		"--ref-file",
		filepath.Join(w.dir, "ref"),
	}
	for _, name := range []string{"base", "base2"} {
		args = append(
			args,
			"--opt",
			"context:"+name+"="+w.real.images.Contexts["context:"+name],
			"--oci-layout",
			name+"="+w.real.images.Dirs[name],
		)
	}
	args = append(args, options...)
	if w.recorded {
		args = append([]string{"layerwise", "build", "--"}, args...)
	}
	w.run(t, root, args...)
}

// buildctlOptions says the options of predict in buildctl's way; what they leave out is as in the first build, as
// predict takes it.
func buildctlOptions(predict, first []string) []string {
	var out []string
	given := strings.Join(predict, " ")
	for i := 0; i < len(first); i += 2 {
		key, _, _ := strings.Cut(first[i+1], "=")
		switch {
		case strings.HasPrefix(key, "build-arg:") && strings.Contains(given, "--build-arg"):
		case key == "target" && strings.Contains(given, "--target"):
		default:
			out = append(out, first[i], first[i+1])
		}
	}
	for i := 0; i < len(predict); i++ {
		value := ""
		if i+1 < len(predict) {
			value = predict[i+1]
		}
		switch predict[i] {
		case "--no-cache":
			out = append(out, "--no-cache")
		case "--target":
			out = append(out, "--opt", "target="+value)
		case "--platform":
			out = append(out, "--opt", "platform="+value)
		case "--build-arg":
			out = append(out, "--opt", "build-arg:"+value)
		}
	}
	return out
}

func (w *workplace) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	name := args[0]
	if name != "sh" {
		name = filepath.Join(w.tools, name)
	}
	cmd := exec.Command(name, args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, w.env, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// awaitTrace waits until the daemon has written down the trace of the last build, which tells buildctl's command line:
// a few seconds after the build has ended. Until then nobody knows of which folder the build was.
func (w *workplace) awaitTrace(ctx context.Context, t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		last, err := w.lastRecord(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if last.Trace != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the daemon has written down no trace of the build")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// lastRecord is what the daemon's history has of the last build.
func (w *workplace) lastRecord(ctx context.Context) (*controlapi.BuildHistoryRecord, error) {
	ref, err := os.ReadFile(filepath.Join(w.dir, "ref"))
	if err != nil {
		return nil, err
	}
	events, err := w.real.daemon.Client.ControlClient().ListenBuildHistory(ctx,
		&controlapi.BuildHistoryRequest{EarlyExit: true, Ref: strings.TrimSpace(string(ref))})
	if err != nil {
		return nil, err
	}
	var last *controlapi.BuildHistoryRecord
	for {
		e, err := events.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if e.Record != nil && e.Record.Ref == strings.TrimSpace(string(ref)) {
			last = e.Record
		}
	}
	if last == nil || last.Result == nil {
		return nil, fmt.Errorf("the daemon has no record of %s", ref)
	}
	return last, nil
}

// lastBuild reads from the daemon what the last build did.
func (w *workplace) lastBuild(ctx context.Context) (Truth, error) {
	c := w.real.daemon.Client
	last, err := w.lastRecord(ctx)
	if err != nil {
		return nil, err
	}
	var p provenancetypes.ProvenancePredicateSLSA1
	attestation := last.Result.Attestations[0]
	data, err := content.ReadBlob(
		ctx,
		proxy.NewContentStore(c.ContentClient()),
		ocispecs.Descriptor{Digest: digest.Digest(attestation.Digest), Size: attestation.Size},
	)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	stream, err := c.ControlClient().Status(ctx, &controlapi.StatusRequest{Ref: last.Ref})
	if err != nil {
		return nil, err
	}
	events := progress{}
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		events.add(client.NewSolveStatus(part))
	}
	lines := map[digest.Digest][]int{}
	sources := map[string]bool{}
	for _, step := range p.BuildDefinition.InternalParameters.BuildConfig.Definition {
		sources[step.ID] = step.Op.GetSource() != nil
	}
	for dgst, step := range p.BuildDefinition.InternalParameters.BuildConfig.DigestMapping {
		locations := p.RunDetails.Metadata.BuildKitMetadata.Source.Locations[step]
		if sources[step] || locations == nil {
			continue
		}
		for _, l := range locations.Locations {
			lines[dgst] = append(lines[dgst], int(l.Ranges[0].Start.Line))
		}
	}
	return truth(lines, events.executed()), nil
}
