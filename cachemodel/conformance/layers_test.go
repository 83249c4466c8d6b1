package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/workspace"
)

func writeAll(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const layersText = `FROM base AS build
RUN head -c 1000000 /dev/urandom > /big
FROM base
ENV A=1
COPY a.bin /a
WORKDIR /w
RUN head -c 2000000 /dev/urandom \
    > /w/two
COPY --from=build /big /big
ARG V=1
RUN <<END
head -c 3000000 /dev/urandom > three
END
CMD ["sh"]
`

// TestLayers holds `layerwise layers` to what the engine itself says: docker image history, and docker system df.
func TestLayers(t *testing.T) {
	for _, kind := range engineKinds() {
		t.Run(kind.name, func(t *testing.T) {
			e := kind.run(t)
			command, ctx := buildCommand(t, t.TempDir()), context.Background()
			text := layersText
			if e.Client == nil { // the classic builder has no heredocs
				text = strings.Replace(text, "RUN <<END\nhead -c 3000000 /dev/urandom > three\nEND\n",
					"RUN head -c 3000000 /dev/urandom \\\n > three\n\n", 1)
			}
			dir := filepath.Join(t.TempDir(), "p")
			build := func(tag, text string) {
				t.Helper()
				writeAll(t, dir, map[string]string{"Dockerfile": text, "a.bin": strings.Repeat("a", 300_000)})
				cmd := exec.Command(e.Builder[0], append(slices.Clone(e.Builder[1:]), "--network", "host", "-t", tag, ".")...)
				cmd.Dir, cmd.Env = dir, e.Env
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			build("other:1", text+"LABEL other=1\n")
			build("shop:1", strings.Replace(text, "ARG V=1", "ARG V=2", 1))
			run := func(out any, args ...string) {
				t.Helper()
				cmd := exec.Command(command, append(args, "--format", "json")...)
				var stderr strings.Builder
				cmd.Dir, cmd.Env, cmd.Stderr = dir, append(slices.Clone(e.Env), "XDG_CACHE_HOME="+dir+"/cache"), &stderr
				printed, err := cmd.Output()
				if err == nil {
					err = json.Unmarshal(printed, out)
				}
				if err != nil {
					t.Fatalf("%v: %v\n%s", args, err, stderr.String())
				}
			}
			layers := func(args ...string) (out workspace.Layers) {
				t.Helper()
				run(&out, append([]string{"layers"}, args...)...)
				return out
			}
			got := layers("shop:1")
			if e.Client != nil { // whose history tells which image was built
				if last := layers(); last.ID != got.ID {
					t.Errorf("the last image is %s, not %s", last.ID, got.ID)
				}
			}
			var history []struct {
				CreatedBy string
				Size      int64
			}
			get := func(path string, v any) {
				t.Helper()
				if err := e.Call(ctx, http.MethodGet, path, v); err != nil {
					t.Fatal(err)
				}
			}
			get("/images/shop:1/history", &history)
			slices.Reverse(history)
			if len(history) != len(got.Layers) {
				t.Fatalf("%d entries instead of %d", len(got.Layers), len(history))
			}
			sum, byLine, shared := int64(0), map[int]int64{}, map[int][]string{}
			for i, h := range history {
				l := got.Layers[i]
				if l.CreatedBy != h.CreatedBy || l.Bytes != h.Size {
					t.Errorf("%+v instead of %+v", l, h)
				}
				sum += h.Size
				byLine[l.Line] += h.Size
				if l.Bytes > 0 {
					shared[l.Line] = l.SharedWith
				}
			}
			if got.File != "Dockerfile" || got.Bytes != sum {
				t.Errorf("%q %d, not %d", got.File, got.Bytes, sum)
			}
			const folders = 64 << 10 // what these take on the engine's disk
			for line, want := range map[int]int64{4: 0, 5: 300_000, 7: 2_000_000, 9: 1_000_000, 10: 0, 11: 3_000_000, 14: 0} {
				if byLine[line] < want || byLine[line] > want+folders || want == 0 && byLine[line] > 0 {
					t.Errorf("line %d: %d bytes, not %d", line, byLine[line], want)
				}
			}
			for line, with := range map[int]bool{0: true, 5: true, 7: true, 9: true, 11: false} {
				if slices.Contains(shared[line], "other:1") != with {
					t.Errorf("line %d is shared with %v", line, shared[line])
				}
			}
			var usage struct {
				ImageUsage struct{ Items []imageUsage }
				Images     []imageUsage
			}
			get("/system/df?type=image&verbose=1", &usage)
			for _, u := range append(usage.Images, usage.ImageUsage.Items...) {
				if u.ID != got.ID {
					continue
				}
				if own := u.Size - u.SharedSize; e.Client == nil && *got.Own != own || *got.Own > own {
					t.Errorf("own is %d of %d, not %d - %d", *got.Own, got.Bytes, u.Size, u.SharedSize)
				}
			}
			if *got.Own != byLine[11] { // the current engine counts in what it has packed, too
				t.Errorf("own is %d, not %d", *got.Own, byLine[11])
			}
			if err := os.WriteFile(filepath.Join(dir, "a.bin"), []byte("edited"), 0o644); err != nil {
				t.Fatal(err)
			}
			if e.Client == nil {
				return
			}
			var predicted workspace.Report
			run(&predicted, "predict")
			for _, s := range predicted.Steps {
				if s.Line != 9 && byLine[s.Line] > folders && (s.Bytes == nil || *s.Bytes != byLine[s.Line]) {
					t.Errorf("predict says of line %d: %+v", s.Line, s)
				}
			}
			got = layers()
			again := byLine[5] + byLine[6] + byLine[7] + byLine[9] + byLine[11]
			if got.Again == nil || *got.Again != again {
				t.Errorf("again is %d, not %d", *got.Again, again)
			}
			writeAll(t, dir, map[string]string{"Dockerfile": strings.Replace(text, "/w/two", "/w/one", 1)})
			if got = layers(); got.Build == nil || got.Layers[len(got.Layers)-1].Line != 14 {
				t.Errorf("of an edited file the build's text is not found: %+v", got)
			}
		})
	}
}

type imageUsage struct {
	ID               string `json:"Id"`
	Size, SharedSize int64
}
