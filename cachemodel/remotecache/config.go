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

// rawConfig is a configuration as it is written (cache/remotecache/v1/types).
type rawConfig struct {
	Layers  []rawLayer  `json:"layers"`
	Records []rawRecord `json:"records"`
}

type rawLayer struct {
	Blob   Digest `json:"blob"`
	Parent int    `json:"parent"`
}

type rawRecord struct {
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
}

// Parse reads a configuration. Only the layers that has knows are there: those of the cache's manifest.
func Parse(text []byte, has func(blob Digest) bool) (*Config, error) {
	if len(text) > MaxConfig {
		return nil, fmt.Errorf("the configuration of the cache is larger than %d bytes, so BuildKit does not import it",
			MaxConfig)
	}
	var raw rawConfig
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("the configuration of the cache cannot be read: %w", err)
	}
	return raw.config(has)
}

// ParseInline reads the records that an image has in its configuration. layers are those of the image, each upon the
// one before.
func ParseInline(records []byte, layers []Digest) (*Config, error) {
	var raw rawConfig
	if err := json.Unmarshal(records, &raw.Records); err != nil {
		return nil, fmt.Errorf("the inline cache of the image cannot be read: %w", err)
	}
	for i, layer := range layers {
		raw.Layers = append(raw.Layers, rawLayer{layer, i - 1})
	}
	return raw.config(func(Digest) bool { return true })
}

// Join is what a builder has that imports several caches.
func Join(caches []*Config) *Config {
	all := &Config{byDigest: map[Digest][]int{}}
	for _, c := range caches {
		first := len(all.records)
		for _, r := range c.records {
			joined := cacheRecord{digest: r.digest, result: r.result}
			for _, links := range r.inputs {
				var in []link
				for _, l := range links {
					in = append(in, link{l.selector, first + l.record})
				}
				joined.inputs = append(joined.inputs, in)
			}
			all.byDigest[r.digest] = append(all.byDigest[r.digest], len(all.records))
			all.records = append(all.records, joined)
		}
	}
	return all
}

func (raw *rawConfig) config(has func(blob Digest) bool) (*Config, error) {
	whole, err := wholeChains(len(raw.Layers), func(i int) (Digest, int) {
		return raw.Layers[i].Blob, raw.Layers[i].Parent
	}, has)
	if err != nil {
		return nil, err
	}
	c := &Config{records: make([]cacheRecord, len(raw.Records)), byDigest: map[Digest][]int{}}
	for i, r := range raw.Records {
		out := cacheRecord{digest: r.Digest}
		for _, l := range r.Layers {
			if l.Layer < 0 || l.Layer >= len(whole) {
				return nil, errLayer
			}
			out.result = out.result || whole[l.Layer]
		}
		for _, l := range r.Chains {
			all := true
			for _, at := range l.Layers {
				if at < 0 || at >= len(raw.Layers) {
					return nil, errLayer
				}
				all = all && has(raw.Layers[at].Blob)
			}
			out.result = out.result || all
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
	if err := c.checkLoops(); err != nil {
		return nil, err
	}
	return c, nil
}

// BuildKit imports nothing of a cache in which one of these is.
var (
	errLayer = errors.New("a record of the cache has a layer that is not there")
	errLoop  = errors.New("records or layers of the cache stand on each other in a circle")
)

// wholeChains says of each layer whether it is there with all that it stands on.
func wholeChains(n int, layer func(i int) (blob Digest, parent int), has func(Digest) bool) ([]bool, error) {
	const unknown, open, done = 0, 1, 2
	whole, state := make([]bool, n), make([]int, n)
	for i := range n {
		var path []int
		at := i
		for ; at != None && state[at] == unknown; _, at = layer(at) {
			state[at] = open
			path = append(path, at)
			if _, parent := layer(at); parent < None || parent >= n {
				return nil, errLayer
			}
		}
		if at != None && state[at] == open {
			return nil, errLoop
		}
		all := at == None || whole[at]
		for _, at := range slices.Backward(path) {
			blob, _ := layer(at)
			all = all && has(blob)
			whole[at], state[at] = all, done
		}
	}
	return whole, nil
}

// checkLoops reports whether records are linked in a circle.
func (c *Config) checkLoops() error {
	waits := make([]int, len(c.records)) // for so many links
	readers := make([][]int, len(c.records))
	var free []int
	for i, r := range c.records {
		for _, links := range r.inputs {
			for _, l := range links {
				waits[i]++
				readers[l.record] = append(readers[l.record], i)
			}
		}
		if waits[i] == 0 {
			free = append(free, i)
		}
	}
	done := 0
	for ; len(free) > 0; done++ {
		at := free[len(free)-1]
		free = free[:len(free)-1]
		for _, reader := range readers[at] {
			if waits[reader]--; waits[reader] == 0 {
				free = append(free, reader)
			}
		}
	}
	if done < len(c.records) {
		return errLoop
	}
	return nil
}

// HasResult reports whether the layers of a record are in the cache.
func (c *Config) HasResult(id int) bool { return c.records[id].result }

// Has reports whether an operation is in the cache, whatever it stands on.
func (c *Config) Has(operation Digest) bool { return len(c.byDigest[record(operation, 0)]) > 0 }

// HasContent reports whether an operation of the cache has read what has that digest.
func (c *Config) HasContent(content Digest) bool { return len(c.byDigest[record(content, None)]) > 0 }

// Linked are the records whose layers a merge in the cache lays upon a base.
func (c *Config) Linked() map[int]bool {
	linked := map[int]bool{}
	for _, id := range c.byDigest[record(Merge(), 0)] {
		for n, links := range c.records[id].inputs {
			for _, l := range links {
				linked[l.record] = linked[l.record] || n > 0
			}
		}
	}
	return linked
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
	Reads    bool   // what is read counts by its content, known or not
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
		if found != nil && in.From != None && l.selector == in.Selector &&
			slices.Contains(found[in.From].Records, l.record) {
			return true
		}
		r := &c.records[l.record]
		return in.Content != "" && l.selector == "" && len(r.inputs) == 0 && r.digest == record(in.Content, None)
	})
}

// Anything stands in MayMatch's answers for any record.
const Anything = -1

// MayMatch finds as which records the vertices may be found, if what is not known of them may be anything: keys,
// contents, and all of those of which guessed says that a key may be another one. An answer may be Anything.
func (c *Config) MayMatch(vertices []Vertex, guessed func(i int) bool) [][]int {
	out := make([][]int, len(vertices))
	for i, v := range vertices {
		if v.Digest == "" || guessed(i) {
			if !slices.ContainsFunc(v.Inputs, func(in Input) bool { return !c.mayRead(in, out) }) {
				out[i] = []int{Anything}
			}
			continue
		}
		for _, id := range c.byDigest[record(v.Digest, 0)] {
			r := &c.records[id]
			found := len(r.inputs) == len(v.Inputs)
			for n := 0; found && n < len(v.Inputs); n++ {
				in := v.Inputs[n]
				found = c.reads(r.inputs[n], in, nil) || in.Reads && in.Content == "" && c.readsContent(r.inputs[n]) ||
					in.From != None && slices.ContainsFunc(r.inputs[n], func(l link) bool {
						return l.selector == in.Selector &&
							(slices.Contains(out[in.From], l.record) || slices.Contains(out[in.From], Anything))
					})
			}
			if found {
				out[i] = append(out[i], id)
			}
		}
	}
	return out
}

// mayRead reports whether some record may read what the input is.
func (c *Config) mayRead(in Input, found [][]int) bool {
	return in.From != None && len(found[in.From]) > 0 || in.Reads && (in.Content == "" || c.HasContent(in.Content))
}

// readsContent reports whether one of the links leads to what was read by its content.
func (c *Config) readsContent(links []link) bool {
	return slices.ContainsFunc(links, func(l link) bool {
		return l.selector == "" && len(c.records[l.record].inputs) == 0
	})
}

// Explained counts the records that are keys of these vertices, or of what they read by its content. read are those of
// the others that have no inputs: images, and contents that an operation has read.
func (c *Config) Explained(vertices []Vertex) (explained, read int) {
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
	for _, r := range c.records {
		switch {
		case known[r.digest]:
			explained++
		case len(r.inputs) == 0:
			read++
		}
	}
	return explained, read
}
