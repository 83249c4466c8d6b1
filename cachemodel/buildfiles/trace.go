package buildfiles

import (
	"bytes"
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"go.yaml.in/yaml/v3"
)

// compose finds what of the services of Compose files is not known.
func (t *tracing) compose(files []string) func(service string) parts {
	c := composeTrace{t: t, services: map[string]parts{}, extends: map[string][]string{}, all: parts{}}
	for _, file := range files {
		text, err := t.o.read(file)
		if err != nil {
			continue
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc yaml.Node
			if decoder.Decode(&doc) != nil {
				break
			}
			if len(doc.Content) > 0 {
				c.file(doc.Content[0])
			}
		}
	}
	return func(service string) parts {
		out := parts{}
		out.addAll(c.all)
		seen := map[string]bool{}
		var follow func(name string)
		follow = func(name string) {
			if seen[name] {
				return
			}
			seen[name] = true
			out.addAll(c.services[name])
			for _, base := range c.extends[name] {
				follow(base)
			}
		}
		follow(service)
		return out
	}
}

type composeTrace struct {
	t        *tracing
	services map[string]parts
	extends  map[string][]string
	all      parts
}

func (c *composeTrace) file(root *yaml.Node) {
	eachPair(root, func(key string, value *yaml.Node) {
		switch key {
		case "include":
			c.all.add("*", c.within(value))
		case "services":
			eachPair(value, c.service)
		}
	})
}

func (c *composeTrace) service(name string, fields *yaml.Node) {
	found := c.services[name]
	if found == nil {
		found = parts{}
		c.services[name] = found
	}
	eachPair(fields, func(key string, value *yaml.Node) {
		switch key {
		case "platform":
			found.add("platform", c.within(value))
		case "extends":
			found.add("*", c.within(value))
			if value = resolve(value); value.Kind == yaml.ScalarNode {
				c.extends[name] = append(c.extends[name], value.Value)
			}
			eachPair(value, func(key string, value *yaml.Node) {
				if key == "service" {
					c.extends[name] = append(c.extends[name], resolve(value).Value)
				}
			})
		case "build":
			if value = resolve(value); value.Kind == yaml.ScalarNode {
				found.add("context", c.within(value))
			}
			eachPair(
				value,
				func(key string, value *yaml.Node) { c.field(found, strings.ReplaceAll(key, "_", "-"), value) },
			)
		}
	})
}

// field looks at one field of a build section.
func (c *composeTrace) field(found parts, key string, value *yaml.Node) {
	switch key {
	case "args":
		c.named(found, "args", value, true)
	case "additional-contexts", "contexts":
		c.named(found, "contexts", value, false)
	case "x-bake":
		eachPair(value, func(key string, value *yaml.Node) { c.field(found, key, value) })
	default:
		found.add(key, c.within(value))
	}
}

// named looks at a list or map of names with values. An argument without a value has that of the environment.
func (c *composeTrace) named(found parts, key string, value *yaml.Node, fromEnv bool) {
	eachPair(value, func(name string, value *yaml.Node) {
		if value = resolve(value); fromEnv && value.Tag == "!!null" {
			found.add(key+"."+name, c.t.composeVariable(name))
		}
		found.add(key+"."+name, c.within(value))
	})
	if value = resolve(value); value.Kind == yaml.SequenceNode {
		for _, n := range value.Content {
			name, _, given := strings.Cut(resolve(n).Value, "=")
			switch {
			case strings.Contains(name, "$"):
				found.add(key, c.within(n))
			case fromEnv && !given:
				found.add(key+"."+name, c.t.composeVariable(name))
			default:
				found.add(key+"."+name, c.within(n))
			}
		}
	}
}

// within says why a value is not known, "" if it is.
func (c *composeTrace) within(n *yaml.Node) (reason string) {
	if n = resolve(n); n.Kind == yaml.ScalarNode {
		for _, m := range variable.FindAllStringSubmatch(strings.ReplaceAll(n.Value, "$$", ""), -1) {
			reason = cmp.Or(reason, c.t.composeVariable(m[1]))
		}
	}
	for _, child := range n.Content {
		reason = cmp.Or(reason, c.within(child))
	}
	return reason
}

var variable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// eachPair goes through a mapping, and through those that it merges.
func eachPair(n *yaml.Node, visit func(key string, value *yaml.Node)) {
	n = resolve(n)
	if n.Kind == yaml.SequenceNode { // of merged mappings
		return
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		if key != "<<" {
			visit(key, value)
			continue
		}
		eachPair(value, visit)
		if list := resolve(value); list.Kind == yaml.SequenceNode {
			for _, merged := range list.Content {
				eachPair(merged, visit)
			}
		}
	}
}

// bakeTrace is what the bake files of a revision say, as expressions.
type bakeTrace struct {
	t         *tracing
	defaults  map[string]hcl.Expression // of variables; nil if there is none
	functions map[string]hcl.Expression
	targets   map[string][]hcl.Attributes // by label
	reasons   map[string]string           // of variables, functions and targets that were looked at
}

// bake finds what of the targets of bake files is not known.
func (t *tracing) bake(files []string) func(label string) parts {
	b := bakeTrace{
		t: t, defaults: map[string]hcl.Expression{}, functions: map[string]hcl.Expression{},
		targets: map[string][]hcl.Attributes{}, reasons: map[string]string{},
	}
	for _, file := range files {
		text, err := t.o.read(file)
		if err != nil {
			continue
		}
		if f, err := parseHCL(file, text, &meter{}, false); err == nil {
			b.file(f.Body)
		}
	}
	return func(label string) parts { return b.target(label, map[string]bool{}) }
}

func (b *bakeTrace) file(body hcl.Body) {
	content, rest, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "variable", LabelNames: []string{"name"}}, {Type: "function", LabelNames: []string{"name"}},
		{Type: "target", LabelNames: []string{"name"}},
	}})
	if content == nil {
		return
	}
	for _, block := range content.Blocks {
		attrs, _ := block.Body.JustAttributes()
		switch name := block.Labels[0]; block.Type {
		case "variable":
			b.defaults[name] = nil
			if attr := attrs["default"]; attr != nil {
				b.defaults[name] = attr.Expr
			}
		case "function":
			if attr := attrs["result"]; attr != nil {
				b.functions[name] = attr.Expr
			}
		case "target":
			b.targets[name] = append(b.targets[name], attrs)
		}
	}
	attrs, _ := rest.JustAttributes()
	for name, attr := range attrs {
		if _, ok := b.defaults[name]; !ok {
			b.defaults["="+name] = attr.Expr // nothing overrides it
		}
	}
}

func (b *bakeTrace) target(label string, seen map[string]bool) parts {
	found := parts{}
	if seen[label] {
		return found
	}
	seen[label] = true
	for _, attrs := range b.targets[label] {
		for _, key := range slices.Sorted(maps.Keys(attrs)) {
			expr := attrs[key].Expr
			switch key {
			case "inherits":
				found.add("*", b.within(expr))
				for _, base := range b.bases(expr) {
					found.addAll(b.target(base, seen))
				}
			case "matrix", "name":
				found.add("*", b.within(expr))
			case "args", "contexts":
				pairs, diags := hcl.ExprMap(expr)
				if diags.HasErrors() {
					found.add(key, b.within(expr))
				}
				for _, pair := range pairs {
					name := hcl.ExprAsKeyword(pair.Key)
					if text, ok := literal(pair.Key); name == "" && ok {
						name = text
					}
					if name == "" {
						found.add(key, cmp.Or(b.within(pair.Key), b.within(pair.Value)))
						continue
					}
					found.add(key+"."+name, b.within(pair.Value))
				}
			default:
				found.add(key, b.within(expr))
			}
		}
	}
	return found
}

// bases are the labels of the targets that a list of inherited ones names: all of them if it is worked out.
func (b *bakeTrace) bases(expr hcl.Expression) (labels []string) {
	list, diags := hcl.ExprList(expr)
	for _, e := range list {
		name, ok := literal(e)
		if !ok {
			return slices.Sorted(maps.Keys(b.targets))
		}
		for _, entry := range b.t.project.Entries {
			if entry.Name == name {
				name = entry.Label
				break
			}
		}
		labels = append(labels, name)
	}
	if diags.HasErrors() {
		return slices.Sorted(maps.Keys(b.targets))
	}
	return labels
}

// within says why the value of an expression is not known, "" if it is.
func (b *bakeTrace) within(expr hcl.Expression) (reason string) {
	if node, ok := expr.(hclsyntax.Node); ok {
		_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
			if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && b.functions[call.Name] != nil {
				reason = cmp.Or(
					reason,
					b.once("function "+call.Name, func() string { return b.within(b.functions[call.Name]) }),
				)
			}
			return nil
		})
	}
	for _, v := range expr.Variables() {
		name := v.RootName()
		if name == "target" && len(v) > 1 {
			if attr, ok := v[1].(hcl.TraverseAttr); ok {
				reason = cmp.Or(reason, b.once("target "+attr.Name, func() string {
					found := b.target(attr.Name, map[string]bool{})
					for _, key := range slices.Sorted(maps.Keys(found)) {
						return found[key]
					}
					return ""
				}))
			}
			continue
		}
		reason = cmp.Or(reason, b.once(name, func() string { return b.variable(name) }))
	}
	return reason
}

// once works a reason out, and takes what refers to itself for known.
func (b *bakeTrace) once(name string, reason func() string) string {
	if known, ok := b.reasons[name]; ok {
		return known
	}
	b.reasons[name] = ""
	b.reasons[name] = reason()
	return b.reasons[name]
}

// variable says why the value of a variable is not known, "" if it is: if the file sets it and the environment does
// not.
func (b *bakeTrace) variable(name string) string {
	if expr := b.defaults["="+name]; expr != nil {
		return b.within(expr)
	}
	expr, ok := b.defaults[name]
	if !ok {
		return "" // of a matrix or a loop
	}
	if _, given := b.t.o.Vars[name]; given {
		return ""
	}
	env := b.t.o.env()
	for _, key := range []string{name, name + "_JSON"} {
		if _, set := env[key]; set && !b.t.bakeOff() {
			return b.t.inEnvironment(key)
		}
	}
	if expr == nil {
		return "the value of " + name + " is in no file of " + b.t.was.Name
	}
	return b.within(expr)
}
