package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	provenancetypes "github.com/moby/buildkit/solver/llbsolver/provenance/types"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
)

var enginePairs = flag.Int("engine-pairs", 12,
	"how many of the pairs of folders are built on each Docker engine, 0 for all")

// engineDiffers are the pairs that are not held to Docker engines, by title.
var engineDiffers = map[string]string{
	"RUN: network host": "all is built with the host's network here",
	"an argument and a variable of the image of one name": "the variable hides the argument, and is not known",
	"ONBUILD: twice inherited":                            "the second takes what the first one's triggers made",
	"RUN: a list that is no exec form":                    "Docker 20.10 reads the list and nothing behind it",
	"socket":                                              "the client leaves sockets out without a trace",
}

// TestPairsOnEngines builds the pairs of folders with docker build: on a current Docker engine, and on an old one with
// its classic builder. The base images lie in the engine's store.
func TestPairsOnEngines(t *testing.T) {
	for _, kind := range engineKinds() {
		t.Run(kind.name, func(t *testing.T) {
			e := kind.run(t)
			w := newPairsWorkplace(t)
			w.builder, w.engine, w.refuses = engineBuilder{e}, kind.engine, true
			pairs, built := readPairs(t), 0
			for i, p := range pairs {
				if !slice(i, *enginePairs, len(pairs)) || engineDiffers[p.title] != "" {
					continue
				}
				t.Run(p.title, func(t *testing.T) {
					if w.play(t, p, true) != "" {
						built++
					}
				})
			}
			t.Logf("%d pairs built", built)
			if built < *enginePairs/2 {
				t.Error("most could not be built")
			}
		})
	}
}

// engineKind is a kind of Docker engine.
type engineKind struct {
	name    string
	engine  cachemodel.Engine
	missing string
	start   func(context.Context) (*daemon.Engine, error)
}

func engineKinds() []engineKind {
	return []engineKind{
		{"engine", cachemodel.BuildKit, daemon.EngineMissing(), daemon.StartEngine},
		{"classic", cachemodel.Classic, daemon.ClassicMissing(), daemon.StartClassic},
	}
}

// run starts one with the base images in its store, or skips the test.
func (k engineKind) run(t *testing.T) *daemon.Engine {
	t.Helper()
	if k.missing != "" {
		t.Skip("NOT COMPARED WITH A REAL DOCKER ENGINE: " + k.missing)
	}
	e, err := k.start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	if err := e.TagImages(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e
}

// engineBuilder builds with the program that docker build is.
type engineBuilder struct{ *daemon.Engine }

// Prune removes everything but the base images.
func (e engineBuilder) Prune(ctx context.Context) error {
	dangling := url.QueryEscape(`{"dangling":["true"]}`)
	if err := e.Call(ctx, http.MethodPost, "/images/prune?filters="+dangling, nil); err != nil {
		return err
	}
	if e.Client == nil {
		return nil
	}
	for range 500 { // the engine lets go of a build's results a little after the build has ended
		if err := e.Client.Prune(ctx, nil, client.PruneAll); err != nil {
			return err
		}
		left, err := e.Client.DiskUsage(ctx)
		if err != nil || len(left) == 0 {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the engine does not let go of its cache")
}

func (e engineBuilder) buildDir(ctx context.Context, dir, name string, options []string) (Truth, error) {
	metadata := filepath.Join(dir, "..", "metadata.json")
	args := append(slices.Clone(e.Builder[1:]), "--network", "host", "--file", name)
	if e.Client != nil {
		args = append(args, "--progress", "rawjson", "--metadata-file", metadata, "--secret", "id=token,env=TOKEN")
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.Builder[0], append(append(args, options...), ".")...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	cmd.Env = append(slices.Clone(e.Env), "BUILDX_METADATA_PROVENANCE=max", "TOKEN=t")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	if e.Client == nil {
		return classicTruth(filepath.Join(dir, name), string(out))
	}
	return buildxTruth(metadata, stderr.Bytes())
}

// buildxTruth tells from the progress of a build and its provenance what was executed.
func buildxTruth(metadata string, events []byte) (Truth, error) {
	text, err := os.ReadFile(metadata)
	if err != nil {
		return nil, err
	}
	var noted map[string]json.RawMessage
	if err := json.Unmarshal(text, &noted); err != nil {
		return nil, err
	}
	shown, did := progress{}, Truth{}
	for status := range rawProgress(events) {
		shown.add(status)
	}
	executed := shown.executed()
	for key, text := range noted {
		if key, _, _ = strings.Cut(key, "/"); key != "buildx.build.provenance" { // of each platform
			continue
		}
		var provenance provenancetypes.ProvenancePredicateSLSA02
		if err := json.Unmarshal(text, &provenance); err != nil {
			return nil, err
		}
		located, ops := provenance.Metadata.BuildKitMetadata.Source, map[string]*pb.Op{}
		for _, step := range provenance.BuildConfig.Definition {
			ops[step.ID] = step.Op
		}
		lines, merges := map[digest.Digest][]int{}, map[digest.Digest]bool{}
		for dgst, step := range provenance.BuildConfig.DigestMapping {
			if op := ops[step]; op != nil && op.GetSource() == nil {
				lines[dgst], merges[dgst] = firstLines(located.Locations[step]), op.GetMerge() != nil
			}
		}
		platform := truth(lines, executed)
		platform.doubtMerges(merges, lines, executed)
		for line, lt := range platform {
			lt.Vertices, lt.Executed = lt.Vertices+did[line].Vertices, lt.Executed+did[line].Executed
			did[line] = lt
		}
	}
	if len(did) == 0 {
		return nil, fmt.Errorf("the build has no provenance: %s", text)
	}
	return did, nil
}

// classicTruth tells from what docker build prints which steps the classic builder executed. Triggers of a base image
// count for their FROM.
func classicTruth(dockerfile, output string) (Truth, error) {
	file, err := os.Open(dockerfile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		return nil, err
	}
	did, stages := Truth{}, 0
	for _, block := range strings.Split("\n"+output, "\nStep ")[1:] {
		var step, of, triggers int
		if _, err := fmt.Sscanf(block, "%d/%d", &step, &of); err != nil || step > len(parsed.AST.Children) {
			return nil, fmt.Errorf("what step is %q?", block)
		}
		node := parsed.AST.Children[step-1]
		lt := LineTruth{Vertices: 1}
		if strings.EqualFold(node.Value, "FROM") {
			stages++
			lt.Vertices = 0
			if _, rest, ok := strings.Cut(block, "\n# Executing "); ok {
				fmt.Sscan(rest, &triggers)
				lt.Vertices = triggers
			}
		}
		if stages == 0 {
			continue // an ARG for all stages
		}
		lt.Executed = lt.Vertices - strings.Count(block, "\n ---> Using cache")
		did[node.StartLine] = lt
	}
	return did, nil
}
