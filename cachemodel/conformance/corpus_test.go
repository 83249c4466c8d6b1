package conformance

import (
	"context"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
)

// Every Dockerfile of the corpus is planned as BuildKit plans it: where BuildKit converts it, each instruction has a
// verdict, and if nothing changes nothing is rebuilt for certain, nor at all without a source in the network; where
// BuildKit refuses it, the model says so in BuildKit's words; where the file names another frontend, nothing is known.
func TestCorpus(t *testing.T) {
	ctx := context.Background()
	counts := map[string]int{}
	for name, text := range corpus.Dockerfiles(t) {
		b := Build{Name: "Dockerfile", Dockerfile: text}
		def, images, refused := Convert(ctx, b)
		b.Files = contextFor(t, def)
		remote := hasRemote(def)
		model := &Model{Images: images}
		if _, err := model.Predict(ctx, b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		steps, err := model.Predict(ctx, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := b.dialect(); d.Foreign {
			counts["read by another frontend"]++
			for _, s := range steps {
				if s.Status != cachemodel.Unknown || !strings.Contains(s.Detail, d.Reference) {
					t.Errorf("%s:%d: %s is %s, though nobody knows what %s makes of it: %s",
						name, s.Line, s.Text, s.Status, d.Reference, s.Detail)
				}
			}
			continue
		}
		if refused != nil {
			counts["refused by BuildKit"]++
			if said := complaints(b.Dockerfile, steps); !strings.Contains(said, reason(refused)) {
				t.Errorf("%s: BuildKit refuses it: %v\nthe model says: %s", name, refused, said)
			}
			continue
		}
		counts["converted by BuildKit"]++
		lines, err := locate(def)
		if err != nil {
			t.Fatal(err)
		}
		vertices := truth(lines, nil)
		for _, s := range steps {
			counts[string(s.Status)]++
			lt := vertices[s.Line]
			switch {
			case s.Status == cachemodel.Unknown:
				t.Errorf("%s:%d: %s is unknown though BuildKit converts it: %s", name, s.Line, s.Text, s.Detail)
			case s.Status == cachemodel.Rebuilt && (s.Certain || !remote):
				t.Errorf(
					"%s:%d: %s is rebuilt (certain: %v) though nothing has changed: %s",
					name,
					s.Line,
					s.Text,
					s.Certain,
					s.Cause.Detail,
				)
			case (s.Status == cachemodel.Config || s.Status == cachemodel.Skipped) && lt.Vertices > 0:
				t.Errorf(
					"%s:%d: %s is %s though BuildKit has %d vertices for it",
					name,
					s.Line,
					s.Text,
					s.Status,
					lt.Vertices,
				)
			case s.Status == cachemodel.Cached && lt.Vertices == 0 && s.Instruction != "FROM":
				t.Errorf("%s:%d: %s is cached though BuildKit has nothing to run for it", name, s.Line, s.Text)
			}
		}
	}
	t.Log(counts)
}

// contextFor makes a context that has what a definition reads of it.
func contextFor(t *testing.T, def *pb.Definition) map[string]File {
	t.Helper()
	files := map[string]File{}
	local := map[string]bool{}
	add := func(p string) {
		p = path.Join("/", strings.NewReplacer("*", "x", "?", "x", "[", "", "]", "", "\\", "").Replace(p))[1:]
		if p != "" {
			files[p] = File{Mode: 0o644, Data: p}
		}
	}
	for _, dt := range def.GetDef() {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			t.Fatal(err)
		}
		if id := op.GetSource().GetIdentifier(); strings.HasPrefix(id, "local://") {
			local[string(digest.FromBytes(dt))] = true
		}
		from := func(i int64) bool { return i >= 0 && int(i) < len(op.Inputs) && local[op.Inputs[i].Digest] }
		for _, a := range op.GetFile().GetActions() {
			if c := a.GetCopy(); c != nil && from(a.SecondaryInput) {
				add(c.Src)
				for _, p := range c.IncludePatterns {
					add(path.Join(c.Src, p))
				}
			}
		}
		for _, m := range op.GetExec().GetMounts() {
			if from(m.Input) {
				add(m.Selector)
			}
		}
	}
	prune(files)
	return files
}

// prune removes the files that others need as directories.
func prune(files map[string]File) {
	for p := range files {
		for d := path.Dir(p); d != "."; d = path.Dir(d) {
			delete(files, d)
		}
	}
}

// complaints is all that is said against a Dockerfile.
func complaints(text string, steps []cachemodel.Step) string {
	var s strings.Builder
	for _, p := range dockerfile.Parse(source.New(text), nil).Problems {
		s.WriteString(p.Message + "\n")
	}
	for _, st := range steps {
		switch {
		case st.Status == cachemodel.Unknown:
			s.WriteString(st.Detail + "\n")
		case st.Status == cachemodel.Fails:
			s.WriteString(st.Cause.Detail + "\n")
		}
	}
	return s.String()
}

var place = regexp.MustCompile(`^dockerfile parse error on line \d+: `)

// reason is BuildKit's error without its place.
func reason(err error) string { return place.ReplaceAllString(err.Error(), "") }
