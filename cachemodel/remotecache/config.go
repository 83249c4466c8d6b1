package remotecache

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// MaxConfig is how large the configuration of a cache may be: BuildKit imports no larger one.
const MaxConfig = 1 << 20

// Config is the configuration of an exported cache (application/vnd.buildkit.cacheconfig.v0). It is immutable.
type Config struct {
	records  []cacheRecord
	byDigest map[Digest][]int
}

type cacheRecord struct {
	digest Digest
	inputs [][]link
	result bool // its layers are in the cache
}

type link struct {
	selector Digest
	record   int
}

// Parse reads a configuration. Only the layers that has knows are there: those of the cache's manifest.
func Parse(text []byte, has func(blob Digest) bool) (*Config, error) {
	if len(text) > MaxConfig {
		return nil, fmt.Errorf("the configuration of the cache is larger than %d bytes, so BuildKit does not import it",
			MaxConfig)
	}
	var raw struct {
		Layers []struct {
			Blob   Digest `json:"blob"`
			Parent int    `json:"parent"`
		} `json:"layers"`
		Records []struct {
			Digest Digest `json:"digest"`
			Layers []struct {
				Layer int `json:"layer"`
			} `json:"layers"`
			Chains []struct {
				Layers []int `json:"layers"`
			} `json:"chains"`
			Inputs [][]struct {
				Selector Digest `json:"selector"`
				Link     int    `json:"link"`
			} `json:"inputs"`
		} `json:"records"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("the configuration of the cache cannot be read: %w", err)
	}
	there := func(layer int) bool { return layer >= 0 && layer < len(raw.Layers) && has(raw.Layers[layer].Blob) }
	chain := func(layer int) bool { // with all of its parents
		for range raw.Layers {
			if layer == None {
				return true
			}
			if !there(layer) {
				return false
			}
			layer = raw.Layers[layer].Parent
		}
		return layer == None
	}
	c := &Config{records: make([]cacheRecord, len(raw.Records)), byDigest: map[Digest][]int{}}
	for i, r := range raw.Records {
		out := cacheRecord{digest: r.Digest}
		for _, l := range r.Layers {
			out.result = out.result || chain(l.Layer)
		}
		for _, l := range r.Chains {
			out.result = out.result || !slices.ContainsFunc(l.Layers, func(at int) bool { return !there(at) })
		}
		for _, links := range r.Inputs {
			if len(links) == 0 {
				return nil, errors.New("a record of the cache has an input without a link")
			}
			var in []link
			for _, l := range links {
				if l.Link < 0 || l.Link >= len(raw.Records) {
					return nil, errors.New("a record of the cache is linked to one that is not there")
				}
				in = append(in, link{l.Selector, l.Link})
			}
			out.inputs = append(out.inputs, in)
		}
		c.records[i] = out
		c.byDigest[r.Digest] = append(c.byDigest[r.Digest], i)
	}
	return c, nil
}

// Len is the number of records.
func (c *Config) Len() int { return len(c.records) }

// Vertex is one operation of a build.
type Vertex struct {
	Digest Digest // its own key; "" if that is not known
	Inputs []Input
}

// Input is what an operation reads.
type Input struct {
	From     int    // which vertex, None for the build context
	Selector Digest // of the paths that are read, "" if all is
	Content  Digest // of what is read, "" if that is not known or does not count
}

// Match is what a cache has of a vertex.
type Match struct {
	Records []int // that it is found as
	Result  bool  // the layers of one are in the cache
}

// Match looks the vertices of a build up, each behind those that it reads. A vertex whose key is not known is not
// found.
func (c *Config) Match(vertices []Vertex) []Match {
	out := make([]Match, len(vertices))
	for i, v := range vertices {
		if v.Digest == "" {
			continue
		}
		for _, id := range c.byDigest[record(v.Digest, 0)] {
			r := &c.records[id]
			if len(r.inputs) != len(v.Inputs) {
				continue
			}
			found := true
			for n, in := range v.Inputs {
				found = found && c.reads(r.inputs[n], in, out)
			}
			if found {
				out[i].Records = append(out[i].Records, id)
				out[i].Result = out[i].Result || r.result
			}
		}
	}
	return out
}

// reads reports whether one of the links leads to what the input is: by its definition, or by its content.
func (c *Config) reads(links []link, in Input, found []Match) bool {
	return slices.ContainsFunc(links, func(l link) bool {
		if in.From != None && l.selector == in.Selector && slices.Contains(found[in.From].Records, l.record) {
			return true
		}
		r := &c.records[l.record]
		return in.Content != "" && l.selector == "" && len(r.inputs) == 0 && r.digest == record(in.Content, None)
	})
}

// Explained counts the records that are keys of these vertices, or of what they read by its content.
func (c *Config) Explained(vertices []Vertex) int {
	known := map[Digest]bool{}
	for _, v := range vertices {
		if v.Digest != "" {
			known[record(v.Digest, 0)] = true
		}
		for _, in := range v.Inputs {
			if in.Content != "" {
				known[record(in.Content, None)] = true
			}
		}
	}
	n := 0
	for _, r := range c.records {
		if known[r.digest] {
			n++
		}
	}
	return n
}
