package buildfiles

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// jsonBody is a body of a JSON file with the expressions that it would have in HCL's own syntax, which unlike those of
// the JSON reader can be looked through and measured.
type jsonBody struct {
	hcl.Body
	within  string // the type of its block, "" for the whole file
	prepare func(hclsyntax.Node)
}

// Content implements hcl.Body.
func (b jsonBody) Content(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
	content, diags := b.Body.Content(schema)
	return b.content(content), diags
}

// PartialContent implements hcl.Body.
func (b jsonBody) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	content, rest, diags := b.Body.PartialContent(schema)
	if rest != nil {
		rest = jsonBody{rest, b.within, b.prepare}
	}
	return b.content(content), rest, diags
}

// JustAttributes implements hcl.Body.
func (b jsonBody) JustAttributes() (hcl.Attributes, hcl.Diagnostics) {
	attrs, diags := b.Body.JustAttributes()
	return b.attributes(attrs), diags
}

func (b jsonBody) content(c *hcl.BodyContent) *hcl.BodyContent {
	if c == nil {
		return nil
	}
	out := *c
	out.Attributes = b.attributes(c.Attributes)
	out.Blocks = nil
	for _, block := range c.Blocks {
		own := *block
		own.Body = jsonBody{block.Body, block.Type, b.prepare}
		out.Blocks = append(out.Blocks, &own)
	}
	return &out
}

func (b jsonBody) attributes(attrs hcl.Attributes) hcl.Attributes {
	out := hcl.Attributes{}
	for name, attr := range attrs {
		own := *attr
		if b.within != "function" && b.within != "variable" || !asWritten(name) {
			expr := native(attr.Expr)
			b.prepare(expr)
			own.Expr = expr
		}
		out[name] = &own
	}
	return out
}

// native is a JSON value as an expression of HCL's own syntax.
func native(e hcl.Expression) hclsyntax.Expression {
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		out := &hclsyntax.TupleConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, element := range list {
			out.Exprs = append(out.Exprs, native(element))
		}
		return out
	}
	if pairs, diags := hcl.ExprMap(e); !diags.HasErrors() {
		out := &hclsyntax.ObjectConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, pair := range pairs {
			out.Items = append(
				out.Items,
				hclsyntax.ObjectConsItem{KeyExpr: native(pair.Key), ValueExpr: native(pair.Value)},
			)
		}
		return out
	}
	v, diags := e.Value(nil)
	if !diags.HasErrors() && isText(v) {
		start := e.Range().Start
		start.Byte, start.Column = start.Byte+1, start.Column+1
		expr, diags := hclsyntax.ParseTemplate([]byte(v.AsString()), e.Range().Filename, start)
		if diags.HasErrors() {
			return &hclsyntax.ExprSyntaxError{Placeholder: cty.DynamicVal, ParseDiags: diags, SrcRange: e.Range()}
		}
		return expr
	}
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}
}
