package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/baseline"
	controlapi "github.com/moby/buildkit/api/services/control"
)

// provenance is what BuildKit says of how a build was made, as far as it is of use here
// (solver/llbsolver/provenance/types.ProvenancePredicateSLSA1).
type provenance struct {
	BuildDefinition struct {
		ExternalParameters struct {
			ConfigSource struct{ URI, Path string }
			Request      request
		}
		InternalParameters struct {
			BuildConfig struct {
				Definition    []operation       `json:"llbDefinition"`
				DigestMapping map[string]string `json:"digestMapping"` // of a vertex to a step
			}
			TargetPlatform string
		}
	}
	RunDetails struct {
		Metadata struct {
			BuildKit struct {
				Source struct {
					Locations map[string]struct{ Locations []location }
					Infos     []struct {
						Filename string
						Data     []byte
					}
				}
				Layers map[string][][]layer // of a step's output: what images that hold it hold
				VCS    map[string]string    // what buildx says of the repository that the context lies in
			} `json:"buildkit_metadata"`
		}
	}
}

type request struct {
	Frontend string
	Args     map[string]string
	Root     *struct{ Request *request } // what the client asked for, if it drives the frontend itself
}

type operation struct {
	ID     string
	Inputs []string // "step1:0"
	Op     struct {
		Op       json.RawMessage
		Platform json.RawMessage
	}
}

type location struct {
	SourceIndex int
	Ranges      []struct{ Start struct{ Line int } }
}

type layer struct {
	Digest string
	Size   int64 // bytes, compressed
}

const provenanceType = "https://slsa.dev/provenance/v1"

// provenances reads what is said of a build, by platform; "" where it was built for one only.
func (c *conn) provenances(ctx context.Context, r *controlapi.BuildHistoryRecord) (map[string]*provenance, error) {
	results := maps.Clone(r.Results)
	if results == nil {
		results = map[string]*controlapi.BuildResultInfo{}
	}
	if r.Result != nil {
		results[""] = r.Result
	}
	out := map[string]*provenance{}
	for platform, result := range results {
		for _, a := range result.Attestations {
			if a.Annotations["in-toto.io/predicate-type"] != provenanceType {
				continue
			}
			data, err := c.blob(ctx, a.Digest)
			if err != nil {
				return nil, err
			}
			p := new(provenance)
			if err := json.Unmarshal(data, p); err != nil {
				return nil, fmt.Errorf("the provenance of %s: %w", r.Ref, err)
			}
			out[platform] = p
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the build has no provenance")
	}
	return out, nil
}

// dockerfile is the file that was built.
func (p *provenance) dockerfile() (name, text string, ok bool) {
	infos := p.RunDetails.Metadata.BuildKit.Source.Infos
	if len(infos) == 0 {
		return "", "", false
	}
	return infos[0].Filename, string(infos[0].Data), true
}

// checkout is where the files come from, as buildx says it (build/git.go).
func (b *build) checkout() (c baseline.Checkout) {
	if b.provenance == nil {
		return c
	}
	vcs := b.provenance.RunDetails.Metadata.BuildKit.VCS
	if commit := vcs["revision"]; !strings.HasSuffix(commit, "-dirty") {
		c.Commit = commit
	}
	c.Context = strings.ReplaceAll(vcs["localdir:context"], `\`, "/")
	c.Folder = strings.ReplaceAll(vcs["localdir:dockerfile"], `\`, "/")
	return c
}

// source is what a source operation reads.
type source struct {
	Identifier string
	Attrs      map[string]string
}

func (o *operation) source() (source, bool) {
	var op struct{ Source *source }
	if json.Unmarshal(o.Op.Op, &op) != nil || op.Source == nil {
		return source{}, false
	}
	return *op.Source, true
}

// isSource reports whether an operation only reads something.
func (o *operation) isSource() bool {
	_, is := o.source()
	return is
}

// isMerge reports whether an operation only puts results on top of each other, which is done when somebody needs it.
func (o *operation) isMerge() bool {
	var op struct{ Merge *struct{} }
	return json.Unmarshal(o.Op.Op, &op) == nil && op.Merge != nil
}

// command is what an operation runs, as BuildKit describes it; "" if it runs nothing.
func (o *operation) command() string {
	var op struct {
		Exec *struct{ Meta struct{ Args []string } }
	}
	if json.Unmarshal(o.Op.Op, &op) != nil || op.Exec == nil {
		return ""
	}
	return strings.Join(op.Exec.Meta.Args, " ")
}

// operation is the one of a step; nil if there is none.
func (p *provenance) operation(step string) *operation {
	for i := range p.BuildDefinition.InternalParameters.BuildConfig.Definition {
		if o := &p.BuildDefinition.InternalParameters.BuildConfig.Definition[i]; o.ID == step {
			return o
		}
	}
	return nil
}

// sources are what the build read; none are known of one that failed.
func (p *provenance) sources() (list []source) {
	if p == nil {
		return nil
	}
	for i := range p.BuildDefinition.InternalParameters.BuildConfig.Definition {
		if s, ok := p.BuildDefinition.InternalParameters.BuildConfig.Definition[i].source(); ok {
			list = append(list, s)
		}
	}
	return list
}

// image is an image that was read, by its reference without the digest, and the digest.
func (s source) image() (ref, digest string, ok bool) {
	for _, scheme := range []string{"docker-image://", "oci-layout://"} {
		if rest, is := strings.CutPrefix(s.Identifier, scheme); is {
			ref, digest, ok = strings.Cut(rest, "@")
			return ref, digest, ok
		}
	}
	return "", "", false
}

// line is the 1-based line of the Dockerfile on which a step's instruction begins.
func (p *provenance) line(step string) (int, bool) {
	first := 0
	for _, l := range p.RunDetails.Metadata.BuildKit.Source.Locations[step].Locations {
		for _, r := range l.Ranges {
			if l.SourceIndex == 0 && (first == 0 || r.Start.Line < first) {
				first = r.Start.Line
			}
		}
	}
	return first, first > 0
}

// keys identifies each step by its operation and its inputs, as far as they are comparable between builds: the
// contents of a build context are not part of it, nor is which client's session something came from.
func (p *provenance) keys() map[string]string {
	keys := map[string]string{}
	// inputs come before those who read them
	for _, o := range p.BuildDefinition.InternalParameters.BuildConfig.Definition {
		h := sha256.New()
		fmt.Fprintf(h, "%s\n%s\n", comparable(o.Op.Op), o.Op.Platform)
		for _, in := range o.Inputs {
			id, output, _ := strings.Cut(in, ":")
			fmt.Fprintf(h, "%s:%s\n", keys[id], output)
		}
		keys[o.ID] = hex.EncodeToString(h.Sum(nil))
	}
	return keys
}

func comparable(op []byte) []byte {
	if !bytes.Contains(op, []byte(".session")) {
		return op
	}
	var v map[string]map[string]any
	if json.Unmarshal(op, &v) != nil {
		return op
	}
	if attrs, ok := v["source"]["attrs"].(map[string]any); ok {
		maps.DeleteFunc(attrs, func(k string, _ any) bool { return strings.HasSuffix(k, ".session") })
	}
	out, _ := json.Marshal(v) // sorts the keys
	return out
}

// excludes are the patterns of the ignore file as they were when a local folder was sent under a name; ok is false if
// it was not sent.
func (p *provenance) excludes(local string) (patterns []string, ok bool) {
	for _, s := range p.sources() {
		if s.Identifier != "local://"+local {
			continue
		}
		if text := s.Attrs["local.excludepatterns"]; text != "" && json.Unmarshal([]byte(text), &patterns) != nil {
			return nil, false
		}
		return patterns, true
	}
	return nil, false
}

// added are the layers that a step adds to those of the step below it.
func (p *provenance) added(o operation) []layer {
	layers := p.RunDetails.Metadata.BuildKit.Layers
	own := longest(layers[o.ID+":0"])
	if len(own) == 0 {
		return nil
	}
	below := 0
	if len(o.Inputs) > 0 {
		chain := longest(layers[o.Inputs[0]])
		below = len(chain)
		if below > len(own) || !slices.Equal(chain, own[:below]) {
			return nil
		}
	}
	if below == 0 && len(own) != 1 {
		return nil
	}
	return own[below:]
}

func longest(chains [][]layer) []layer {
	var out []layer
	for _, c := range chains {
		if len(c) > len(out) {
			out = c
		}
	}
	return out
}
