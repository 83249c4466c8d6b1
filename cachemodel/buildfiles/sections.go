package buildfiles

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/layerwise/layerwise/analysis/source"
	"go.yaml.in/yaml/v3"
)

// Section is the part of a text that describes a build: a service with a build section, or a target.
type Section struct {
	Kind     Kind
	Name     string      // as Entry.Label
	Span     source.Span // all of it
	NameSpan source.Span
	Values   []Value
}

// Value is one value of a section.
type Value struct {
	Key     string // "context", "dockerfile", "target", "args.NAME", ...
	KeySpan source.Span
	Span    source.Span // the value without its quotes; that of the key where it has none
	Text    string      // the value, if it is literally so in the text
	Literal bool
}

// Value finds a value by its key.
func (s *Section) Value(key string) (Value, bool) {
	i := slices.IndexFunc(s.Values, func(v Value) bool { return v.Key == key })
	if i < 0 {
		return Value{}, false
	}
	return s.Values[i], true
}

// Sections finds the build sections of a text, which kind it is being told by the file's name. What is broken further
// down costs what follows.
func Sections(name string, text []byte) (sections []Section, err error) {
	defer guard(name, &err)
	if isYAML(name) {
		return yamlSections(name, text)
	}
	return hclSections(name, text)
}

// IsCompose and IsBake say by a file's name what it is.
func IsCompose(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	first, _, _ := strings.Cut(stem, ".")
	return isYAML(base) &&
		(first == "compose" || first == "docker-compose" || strings.HasPrefix(first, "docker-compose-") ||
			strings.HasPrefix(first, "compose-"))
}

// IsBake says by a file's name whether it is one of bake's own.
func IsBake(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	ext := filepath.Ext(base)
	return (ext == ".hcl" || ext == ".json") &&
		(strings.HasPrefix(base, "docker-bake") || strings.HasPrefix(base, "bake.") || strings.HasSuffix(base, ".bake"+
			ext))
}

// ReadByItself reports whether docker compose or buildx bake reads a file of this name where none is named: its paths
// are then relative to its own directory.
func ReadByItself(name string) bool {
	base := filepath.Base(name)
	return slices.Contains(bakeNames, base) || slices.Contains(composeOverrideNames, base)
}

// keys of a build section that are shown by their place.
var sectionKeys = map[string]string{ // in Compose files -> as a Value's key
	"context": "context", "dockerfile": "dockerfile", "dockerfile_inline": "dockerfile-inline", "target": "target",
}

func yamlSections(name string, text []byte) ([]Section, error) {
	if err := checkYAML(name, text); err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, located(err, []string{name})
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	y := yamlText{text: text}
	for i := range text {
		if i == 0 || text[i-1] == '\n' {
			y.lines = append(y.lines, i)
		}
	}
	var out []Section
	y.each(doc.Content[0], func(key, services *yaml.Node) {
		if key.Value != "services" {
			return
		}
		y.each(services, func(key, service *yaml.Node) {
			y.each(service, func(field, build *yaml.Node) {
				if field.Value != "build" {
					return
				}
				s := Section{Kind: Compose, Name: key.Value, NameSpan: y.span(key)}
				s.Span = source.Span{Start: y.span(field).Start, End: y.end(build)}
				s.Span.End = max(s.Span.End, y.span(field).End)
				if build = resolve(build); build.Kind == yaml.ScalarNode {
					s.Values = append(s.Values, y.value("context", field, build))
				}
				y.each(build, func(key, value *yaml.Node) {
					if name, ok := sectionKeys[key.Value]; ok {
						s.Values = append(s.Values, y.value(name, key, value))
					}
					if key.Value != "args" {
						return
					}
					if args := resolve(value); args.Kind == yaml.SequenceNode {
						for _, arg := range args.Content {
							if arg = resolve(arg); arg.Kind == yaml.ScalarNode {
								name, _, _ := strings.Cut(arg.Value, "=")
								span := y.span(arg)
								if span.End = min(span.End, span.Start+len(name)); string(
									text[span.Start:span.End],
								) == name {
									s.Values = append(s.Values, Value{Key: "args." + name, KeySpan: span, Span: span})
								}
							}
						}
					}
					y.each(value, func(key, value *yaml.Node) {
						if key.Value != "<<" {
							s.Values = append(s.Values, y.value("args."+key.Value, key, value))
						}
					})
				})
				out = append(out, s)
			})
		})
	})
	return out, nil
}

type yamlText struct {
	text  []byte
	lines []int
	last  struct{ line, column, offset int } // the place that was asked for last: the next one is seldom before it
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for range 8 {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// each goes through a mapping, and through those that it merges.
func (y *yamlText) each(n *yaml.Node, visit func(key, value *yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		visit(n.Content[i], n.Content[i+1])
	}
}

// offset is the byte of a node's place, whose column counts characters.
func (y *yamlText) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(y.lines) {
		return len(y.text)
	}
	at, column := y.lines[n.Line-1], 1
	if n.Line == 1 {
		at += len(y.text) - len(bytes.TrimPrefix(y.text, []byte("\ufeff")))
	}
	if y.last.line == n.Line && y.last.column <= n.Column {
		at, column = y.last.offset, y.last.column
	}
	for ; column < n.Column && at < len(y.text) && y.text[at] != '\n'; column++ {
		_, size := utf8.DecodeRune(y.text[at:])
		at += size
	}
	y.last.line, y.last.column, y.last.offset = n.Line, column, at
	return at
}

// lineEnd is where the line of a node ends.
func (y *yamlText) lineEnd(n *yaml.Node) int {
	if n.Line < 1 || n.Line >= len(y.lines) {
		return len(y.text)
	}
	return y.lines[n.Line] - 1
}

// span is that of a scalar, without its quotes.
func (y *yamlText) span(n *yaml.Node) source.Span {
	start := y.offset(n)
	line := max(y.lineEnd(n), start)
	for line > start && (y.text[line-1] == '\r' || y.text[line-1] == ' ') {
		line--
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return source.Span{Start: start, End: line}
	}
	within := min(line, start+2*len(n.Value)+200)
	if at := bytes.Index(y.text[start:within], []byte(n.Value)); at >= 0 { // behind a quote, an anchor or a tag
		return source.Span{Start: start + at, End: start + at + len(n.Value)}
	}
	return source.Span{Start: start, End: line}
}

// end is where a node's text ends.
func (y *yamlText) end(n *yaml.Node) int {
	end := y.span(n).End
	for _, child := range n.Content {
		end = max(end, y.end(child))
	}
	return end
}

func (y *yamlText) value(name string, key, value *yaml.Node) Value {
	value = resolve(value)
	v := Value{Key: name, KeySpan: y.span(key), Span: y.span(value)}
	if value.Kind == yaml.ScalarNode && value.Value == "" {
		v.Span = v.KeySpan
	}
	if value.Kind == yaml.ScalarNode && string(y.text[v.Span.Start:v.Span.End]) == value.Value &&
		!strings.Contains(value.Value, "$") {
		v.Text, v.Literal = value.Value, true
	}
	return v
}

func hclSections(name string, text []byte) ([]Section, error) {
	var f *hcl.File
	var diags hcl.Diagnostics
	if err := checkBake(name, text); err != nil {
		return nil, err
	}
	if strings.HasSuffix(strings.ToLower(name), ".json") {
		f, diags = hclparse.NewParser().ParseJSON(text, name)
	} else {
		f, diags = hclparse.NewParser().ParseHCL(text, name)
	}
	if f == nil || f.Body == nil {
		return nil, hclError(diags)
	}
	content, _, _ := f.Body.PartialContent(
		&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "target", LabelNames: []string{"name"}}}},
	)
	if content == nil {
		return nil, hclError(diags)
	}
	h := hclText{text}
	var out []Section
	for _, block := range content.Blocks {
		if len(block.Labels) != 1 {
			continue
		}
		s := Section{
			Kind:     Bake,
			Name:     block.Labels[0],
			NameSpan: h.unquoted(block.LabelRanges[0]),
			Span:     h.span(block.DefRange),
		}
		if body, ok := block.Body.(*hclsyntax.Body); ok {
			s.Span.End = max(s.Span.End, h.span(body.Range()).End)
		}
		fields, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{
			{
				Name: "context",
			}, {Name: "dockerfile"}, {Name: "dockerfile-inline"}, {Name: "target"}, {Name: "args"}, {Name: "inherits"},
		}})
		if fields == nil {
			continue
		}
		for _, key := range []string{"context", "dockerfile", "dockerfile-inline", "target", "args", "inherits"} {
			attr := fields.Attributes[key]
			if attr == nil {
				continue
			}
			s.Span.End = max(s.Span.End, h.span(attr.Range).End)
			if key != "args" {
				s.Values = append(s.Values, h.value(key, h.unquoted(attr.NameRange), attr.Expr))
				continue
			}
			pairs, _ := hcl.ExprMap(attr.Expr)
			for _, pair := range pairs {
				arg := hcl.ExprAsKeyword(pair.Key)
				if text, ok := literal(pair.Key); arg == "" && ok {
					arg = text
				}
				if arg != "" {
					s.Values = append(s.Values, h.value("args."+arg, h.unquoted(pair.Key.Range()), pair.Value))
				}
			}
		}
		out = append(out, s)
	}
	if diags.HasErrors() {
		return out, hclError(diags)
	}
	return out, nil
}

type hclText struct{ text []byte }

func (h hclText) span(r hcl.Range) source.Span {
	start := min(max(r.Start.Byte, 0), len(h.text))
	return source.Span{Start: start, End: min(max(r.End.Byte, start), len(h.text))}
}

func (h hclText) unquoted(r hcl.Range) source.Span {
	s := h.span(r)
	if s.End-s.Start >= 2 && h.text[s.Start] == '"' && h.text[s.End-1] == '"' {
		s.Start, s.End = s.Start+1, s.End-1
	}
	return s
}

func (h hclText) value(key string, keySpan source.Span, expr hcl.Expression) Value {
	v := Value{Key: key, KeySpan: keySpan, Span: h.unquoted(expr.Range())}
	if text, ok := literal(expr); ok && text == string(h.text[v.Span.Start:v.Span.End]) {
		v.Text, v.Literal = text, true
	}
	return v
}

// literal is the text that an expression is, if it is one.
func literal(expr hcl.Expression) (string, bool) {
	if key, ok := expr.(*hclsyntax.ObjectConsKeyExpr); ok {
		expr = key.Wrapped
	}
	switch e := expr.(type) {
	case *hclsyntax.TemplateExpr:
		if len(e.Parts) > 0 && !e.IsStringLiteral() {
			return "", false
		}
	case hclsyntax.Node: // anything else may be evaluated for ever
		return "", false
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() || !isText(v) {
		return "", false
	}
	return v.AsString(), true
}
