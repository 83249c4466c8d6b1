package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/cachestore"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
	digest "github.com/opencontainers/go-digest"
)

var (
	exactFlag = flag.Int("exact", 400, "builds of which the keys are compared with BuildKit's, in the process")
	keysFlag  = flag.Int("keys", 6,
		"builds of which the keys are looked for in a cache that a daemon exports: -keys 300 is the long run")
)

// exactOf plans a build and gives the exact keys of its vertices.
func exactOf(ctx context.Context, b Build, images map[string]cachemodel.Image) ([]remotecache.Vertex, error) {
	model := &Model{Images: images}
	if _, err := model.Predict(ctx, b); err != nil {
		return nil, err
	}
	return model.plans[0].Exact(contentsOf(b)), nil
}

// contentsOf gives the contents of the files of builds.
func contentsOf(builds ...Build) buildcontext.Contents {
	texts := map[buildcontext.ContentID]string{}
	for _, b := range builds {
		for _, files := range b.Locals() {
			for _, f := range files {
				texts[buildcontext.HashContent([]byte(f.Data))] = f.Data
			}
		}
	}
	return func(_ string, n *buildcontext.Node) (io.ReadCloser, error) {
		id, _ := n.Content()
		return io.NopCloser(strings.NewReader(texts[id])), nil
	}
}

// TestExactKeys compares the own keys of operations, and the digests of what is read of the context, with those that
// BuildKit's own operations and content hash give for generated builds.
func TestExactKeys(t *testing.T) {
	t.Parallel()
	all, missing := map[string]int{}, map[string]int{}
	shown := 0
	for n := range *exactFlag {
		seed := *seedFlag + 9_000_000 + uint64(n)
		sketches, _ := NewGenerator(seed, Limits{}).Case()
		b := sketches[0].Build()
		if b.dialect().Foreign {
			continue
		}
		want, have, err := exactKeys(t, b, seed)
		if err != nil {
			continue // what cannot be built has no keys
		}
		for d, kind := range want {
			all[kind]++
			if !have[d] {
				missing[kind]++
				if shown++; shown <= 5 {
					t.Logf("seed %d: %s %s is not among the keys of\n%s", seed, kind, d, b.Dockerfile)
				}
			}
		}
	}
	if *exactFlag >= 100 && len(all) != 4 { // RUN; COPY, ADD and WORKDIR; COPY --link; the context
		t.Errorf("keys of %d kinds were compared, not of 4", len(all))
	}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		t.Logf("%s: %d of %d", kind, all[kind]-missing[kind], all[kind])
		if missing[kind]*100 > all[kind] {
			t.Errorf("more than 1 %% of the keys of %s are not BuildKit's", kind)
		}
	}
}

// TestExactMounts compares the keys of a RUN with two mounts of one source, of which they use different paths.
func TestExactMounts(t *testing.T) {
	for about, from := range map[string]string{
		"the context": "", "a named context": "from=extra,", "a stage": "from=s,",
	} {
		b := Build{
			Dockerfile: "FROM base AS s\nRUN touch /x /y\nFROM base\nRUN --mount=" + from + "target=/m,source=x " +
				"--mount=" + from + "target=/n,source=y echo a > /out\n",
			Files: map[string]File{"x": {Data: "1"}, "y": {Data: "2"}},
			Extra: map[string]File{"x": {Data: "3"}, "y": {Data: "4"}},
		}
		want, have, err := exactKeys(t, b, 1)
		if err != nil {
			t.Fatal(err)
		}
		for d, kind := range want {
			if !have[d] {
				t.Errorf("mounts of %s: %s %s is not among our keys", about, kind, d)
			}
		}
	}
}

// exactKeys gives BuildKit's own keys of a build's operations and of what these read, with what each is of, and ours.
// The error is BuildKit's, which cannot build it.
func exactKeys(t *testing.T, b Build, seed uint64) (
	want map[digest.Digest]string, have map[digest.Digest]bool, err error,
) {
	ctx := t.Context()
	def, images, err := Convert(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	oracle := NewInProcess(Different, seed)
	defer oracle.Close()
	if _, err := oracle.Solve(ctx, b, def); err != nil {
		return nil, nil, err
	}
	vertices, err := exactOf(ctx, b, images)
	if err != nil {
		t.Fatal(err)
	}
	have = map[digest.Digest]bool{}
	for _, v := range vertices {
		have[digest.Digest(v.Digest)] = true
		for _, in := range v.Inputs {
			have[digest.Digest(in.Content)] = true
		}
	}
	return maps.Clone(oracle.seen), have, nil
}

// TestExactRecords looks for the keys of generated builds in the cache that a daemon exports with mode=max.
func TestExactRecords(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	real := startReal(t)
	images, err := real.known()
	if err != nil {
		t.Fatal(err)
	}
	records, found, contents, operations, matched := 0, 0, 0, 0, 0
	for n := range *keysFlag {
		seed := *seedFlag + 9_500_000 + uint64(n)
		sketches, _ := NewGenerator(seed, Limits{Real: true}).Case()
		b := sketches[0].Build()
		dir, err := real.daemon.TempDir()
		if err != nil {
			t.Fatal(err)
		}
		_, with := exportTo("local max", dir, "", "")
		fresh, err := real.Fresh(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fresh.BuildWith(ctx, b, with)
		fresh.Close()
		if err != nil {
			continue // a build that fails exports nothing
		}
		c, err := cachestore.Read(ctx, cachestore.Source{Type: "local", Attr: map[string]string{"src": dir}})
		if errors.Is(err, cachestore.ErrNone) {
			continue // nothing was exported
		}
		if err != nil {
			t.Fatal(err)
		}
		vertices, err := exactOf(ctx, b, images)
		if err != nil {
			t.Fatal(err)
		}
		explained, read := c.Explained(vertices)
		records, found, contents = records+c.Len(), found+explained, contents+read
		if explained+read < c.Len() {
			t.Errorf("seed %d: %d of %d records are operations that this build has not:\n%s", seed,
				c.Len()-explained-read, c.Len(), b.Dockerfile)
		}
		for i, m := range c.Match(vertices) {
			if len(vertices[i].Inputs) > 0 {
				operations++
				if len(m.Records) > 0 {
					matched++
				} else {
					t.Logf("seed %d: operation %d of this build is not found: %+v\n%s", seed, i, vertices[i], b.Dockerfile)
				}
			}
		}
	}
	t.Logf("%d of %d records are explained, %d of the others are the contents of files that a stage made; "+
		"of %d operations %d are matched with their inputs", found, records, contents, operations, matched)
	if operations == 0 || found*100 < records*80 {
		t.Errorf("only %d of %d records of the daemon's caches are among the keys of the builds", found, records)
	}
	if matched*100 < operations*95 {
		t.Errorf("only %d of %d operations are found in the cache of their own build", matched, operations)
	}
}

// known is what there is to know of the base images.
func (r *Real) known() (map[string]cachemodel.Image, error) {
	out := map[string]cachemodel.Image{}
	for option, at := range r.images.Contexts {
		name := strings.TrimPrefix(option, "context:")
		_, manifest, _ := strings.Cut(at, "@")
		var m struct {
			Config struct{ Digest digest.Digest }
		}
		if err := readBlob(r.images.Dirs[name], manifest, &m); err != nil {
			return nil, err
		}
		var c struct {
			Config struct {
				Env, Shell, OnBuild []string
				WorkingDir, User    string
			}
		}
		if err := readBlob(r.images.Dirs[name], m.Config.Digest.String(), &c); err != nil {
			return nil, err
		}
		out["docker.io/library/"+name+":latest"] = cachemodel.Image{Digest: manifest, Env: c.Config.Env,
			Shell: c.Config.Shell, OnBuild: c.Config.OnBuild, WorkingDir: c.Config.WorkingDir, User: c.Config.User}
	}
	return out, nil
}

func readBlob(dir, dgst string, into any) error {
	text, err := os.ReadFile(filepath.Join(dir, "blobs", filepath.FromSlash(strings.ReplaceAll(dgst, ":", "/"))))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
