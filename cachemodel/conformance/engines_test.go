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

var enginePairs = flag.Int("engine-pairs", 12, "how many of the pairs of folders are built on each Docker engine, 0 for all")

// TestPairsOnEngines builds the pairs of folders with docker build: on a current Docker engine, and on an old one with
// its classic builder. The base images lie in the engine's store.
func TestPairsOnEngines(t *testing.T) {
	for _, kind := range []struct {
		name    string
		engine  cachemodel.Engine
		missing string
		start   func(context.Context) (*daemon.Engine, error)
	}{
		{"engine", cachemodel.BuildKit, daemon.EngineMissing(), daemon.StartEngine},
		{"classic", cachemodel.Classic, daemon.ClassicMissing(), daemon.StartClassic},
	} {
		t.Run(kind.name, func(t *testing.T) {
			if kind.missing != "" {
				t.Skip("NOT COMPARED WITH A REAL DOCKER ENGINE: " + kind.missing)
			}
			e, err := kind.start(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Stop)
			if err := e.TagImages(context.Background()); err != nil {
				t.Fatal(err)
			}
			w := newPairsWorkplace(t)
			w.builder, w.engine = engineBuilder{e}, kind.engine
			pairs, built := readPairs(t), 0
			for i, p := range pairs {
				if !slice(i, *enginePairs, len(pairs)) {
					continue
				}
				t.Run(p.title, func(t *testing.T) {
					if w.play(t, p, true) != "" {
						built++
					}
				})
			}
			t.Logf("%d pairs built", built)
			if built == 0 {
				t.Error("none could be built")
			}
		})
	}
}

// engineBuilder builds with the program that docker build is.
type engineBuilder struct{ *daemon.Engine }

// Prune removes everything but the base images.
func (e engineBuilder) Prune(ctx context.Context) error {
	if err := e.Call(ctx, http.MethodPost, "/images/prune?filters="+url.QueryEscape(`{"dangling":["true"]}`)); err != nil {
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
		args = append(args, "--progress", "rawjson", "--metadata-file", metadata)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.Builder[0], append(append(args, options...), ".")...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(slices.Clone(e.Env), "BUILDX_METADATA_PROVENANCE=max"), &stderr
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
	var noted struct {
		Provenance provenancetypes.ProvenancePredicateSLSA02 `json:"buildx.build.provenance"`
	}
	if err := json.Unmarshal(text, &noted); err != nil {
		return nil, err
	}
	config := noted.Provenance.BuildConfig
	if config == nil || noted.Provenance.Metadata == nil {
		return nil, errors.New("the build has no provenance")
	}
	located, vertices := noted.Provenance.Metadata.BuildKitMetadata.Source, progress(events)
	executed, lines := map[digest.Digest]bool{}, map[digest.Digest][]int{}
	ops := map[string]*pb.Op{}
	for _, step := range config.Definition {
		ops[step.ID] = step.Op
	}
	merges := map[digest.Digest]bool{}
	for dgst, step := range config.DigestMapping {
		if e := vertices[dgst]; e != nil {
			executed[dgst] = e.executed()
		}
		if op := ops[step]; op != nil && op.GetSource() == nil {
			lines[dgst], merges[dgst] = firstLines(located.Locations[step]), op.GetMerge() != nil
		}
	}
	did := truth(lines, executed)
	did.doubtMerges(merges, lines, executed)
	return did, nil
}

// progress reads what buildx prints with --progress rawjson.
func progress(events []byte) map[digest.Digest]*vertexEvents {
	vertices := map[digest.Digest]*vertexEvents{}
	for line := range bytes.Lines(events) {
		var status client.SolveStatus
		if json.Unmarshal(line, &status) != nil {
			continue // it is not of the progress
		}
		for _, v := range status.Vertexes {
			if vertices[v.Digest] == nil {
				vertices[v.Digest] = &vertexEvents{intervals: map[time.Time]bool{}}
			}
			vertices[v.Digest].add(v)
		}
	}
	return vertices
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
	did := Truth{}
	for _, block := range strings.Split("\n"+output, "\nStep ")[1:] {
		var step, of, triggers int
		if _, err := fmt.Sscanf(block, "%d/%d", &step, &of); err != nil || step > len(parsed.AST.Children) {
			return nil, fmt.Errorf("what step is %q?", block)
		}
		node := parsed.AST.Children[step-1]
		lt := LineTruth{Vertices: 1}
		if strings.EqualFold(node.Value, "FROM") {
			lt.Vertices = 0
			if _, rest, ok := strings.Cut(block, "\n# Executing "); ok {
				fmt.Sscan(rest, &triggers)
				lt.Vertices = triggers
			}
		}
		lt.Executed = lt.Vertices - strings.Count(block, "\n ---> Using cache\n")
		did[node.StartLine] = lt
	}
	return did, nil
}
