package pipeline

import (
	"iter"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"go.yaml.in/yaml/v3"
)

// node is a value of a YAML file; the zero value is one that is not there. Whatever it is asked for that it has not is
// not there either: these files are half typed at times.
type node struct{ n *yaml.Node }

// parse reads a YAML file.
func parse(text []byte) (node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return node{}, err
	}
	if len(doc.Content) == 0 {
		return node{}, nil
	}
	if err := buildfiles.CheckAliases("", &doc); err != nil {
		return node{}, err
	}
	return resolved(doc.Content[0]), nil
}

// resolved follows an alias.
func resolved(n *yaml.Node) node {
	for range maxDepth {
		if n == nil || n.Kind != yaml.AliasNode {
			return node{n}
		}
		n = n.Alias
	}
	return node{}
}

func (n node) there() bool { return n.n != nil }
func (n node) isMap() bool { return n.n != nil && n.n.Kind == yaml.MappingNode }

func (n node) line() int {
	if n.n == nil {
		return 0
	}
	return n.n.Line
}

// text is the text of a scalar.
func (n node) text() string {
	if n.n == nil || n.n.Kind != yaml.ScalarNode || n.n.Tag == "!!null" {
		return ""
	}
	return n.n.Value
}

// get is the value of a key; "a", "b" is that of b within that of a.
func (n node) get(path ...string) node {
	for _, key := range path {
		n = n.of(key, maxDepth)
	}
	return n
}

// of is the value of one key. What "<<" brings in goes behind the rest.
func (n node) of(key string, depth int) node {
	if !n.isMap() || depth == 0 {
		return node{}
	}
	merged := node{}
	for i := 0; i+1 < len(n.n.Content); i += 2 {
		switch n.n.Content[i].Value {
		case key:
			return resolved(n.n.Content[i+1])
		case "<<":
			from := resolved(n.n.Content[i+1])
			for _, one := range append(from.items(), from) {
				if v := one.of(key, depth-1); v.there() && !merged.there() {
					merged = v
				}
			}
		}
	}
	return merged
}

// items are those of a list.
func (n node) items() (out []node) {
	if n.n == nil || n.n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range n.n.Content {
		out = append(out, resolved(item))
	}
	return out
}

// texts are the scalars of a list, or the one that stands in its place.
func (n node) texts() (out []string) {
	if s := n.text(); s != "" {
		return []string{s}
	}
	for _, item := range n.items() {
		if s := item.text(); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// pairs are the keys and values of a map, in order.
func (n node) pairs() iter.Seq2[string, node] {
	return func(yield func(string, node) bool) {
		if !n.isMap() {
			return
		}
		for i := 0; i+1 < len(n.n.Content); i += 2 {
			if !yield(n.n.Content[i].Value, resolved(n.n.Content[i+1])) {
				return
			}
		}
	}
}
