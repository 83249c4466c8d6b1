package buildfiles

import (
	"fmt"
	"math"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// The evaluation of a bake file has no limits of its own: a function of two lines, called through nine others, makes 3
// GB of one letter. So the expressions are rewritten before they are evaluated: wherever a value goes on into something
// that may be larger (a text, a call, a loop) it is measured, and when all of it is too much every measured expression
// is an error.
const (
	maxEvaluated = 64 << 20 // bytes of all values, and some for each evaluation
	perValue     = 500      // bytes that count for the evaluation itself
	perElement   = 250      // bytes that count for an element of a list, which needs more time than a byte
	maxProduct   = 1 << 20  // of the sizes of what a function multiplies with each other
	maxExponent  = 10_000   // of numbers, which have so many digits as text
)

// meter measures the evaluation of the bake files of one project.
type meter struct {
	used int
	over bool
}

var errTooMuch = fmt.Errorf("evaluating it takes too long or gives too much: %w", ErrLimit)

func (m *meter) charge(v cty.Value) bool {
	if m.over {
		return false
	}
	size, ok := sizeOf(v, 0)
	if m.used += size + perValue; !ok || m.used > maxEvaluated {
		m.over = true
	}
	return !m.over
}

// sizeOf is about how much a value holds; not ok if it is too deep or, as text, too long.
func sizeOf(v cty.Value, depth int) (size int, ok bool) {
	switch {
	case depth > maxDepth:
		return 0, false
	case v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.IsMarked():
		return 1, true
	case v.Type() == cty.String:
		return len(v.AsString()), true
	case v.Type() == cty.Number:
		exponent := v.AsBigFloat().MantExp(nil)
		return 8, exponent < maxExponent && exponent > -maxExponent
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			key, element := it.Element()
			k, _ := sizeOf(key, depth+1)
			s, ok := sizeOf(element, depth+1)
			if size += k + s + perElement; !ok || size > maxEvaluated {
				return size, false
			}
		}
	}
	return size + 1, true
}

// metered is an expression whose values are measured. What goes through the parts of an expression sees its inner one.
type metered struct {
	*hclsyntax.ParenthesesExpr
	meter *meter
	check func(cty.Value) bool // what else must hold of the value; nil if nothing must
}

// Value implements hcl.Expression.
func (e metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if e.meter.over {
		return cty.DynamicVal, e.tooMuch()
	}
	v, diags := e.Expression.Value(ctx)
	if !diags.HasErrors() && e.check != nil && !e.check(v) {
		e.meter.over = true
	}
	if !e.meter.charge(v) {
		return cty.DynamicVal, e.tooMuch()
	}
	return v, diags
}

func (e metered) tooMuch() hcl.Diagnostics {
	return hcl.Diagnostics{
		{Severity: hcl.DiagError, Summary: "Limit", Detail: errTooMuch.Error(), Subject: e.Range().Ptr()},
	}
}

func (m *meter) wrap(e hclsyntax.Expression, check func(cty.Value) bool) hclsyntax.Expression {
	switch e.(type) {
	case nil:
		return nil
	case *hclsyntax.LiteralValueExpr:
		if check == nil {
			return e
		}
	}
	return metered{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, m, check}
}

// body has all expressions of a body measured, but for the attributes that are read as they are written.
func (m *meter) body(b *hclsyntax.Body) {
	for _, attr := range b.Attributes {
		m.expression(attr.Expr)
	}
	for _, block := range b.Blocks {
		if block.Type == "function" || block.Type == "variable" {
			for name, attr := range block.Body.Attributes {
				if !asWritten(name) {
					m.expression(attr.Expr)
				}
			}
			for _, inner := range block.Body.Blocks {
				m.body(inner.Body)
			}
			continue
		}
		m.body(block.Body)
	}
}

// asWritten says whether an attribute of a function or a variable is not evaluated.
func asWritten(name string) bool {
	return name == "type" || name == "params" || name == "variadic_params"
}

// expression has the parts of an expression measured.
func (m *meter) expression(e hclsyntax.Node) {
	_ = hclsyntax.Walk(e, (*measuring)(m))
}

// measuring rewrites each expression when the walk leaves it, so that what is put in is not walked through.
type measuring meter

// Enter implements hclsyntax.Walker.
func (*measuring) Enter(hclsyntax.Node) hcl.Diagnostics { return nil }

// Exit implements hclsyntax.Walker.
func (w *measuring) Exit(n hclsyntax.Node) hcl.Diagnostics {
	m := (*meter)(w)
	wrap := func(list ...*hclsyntax.Expression) {
		for _, e := range list {
			if *e != nil {
				*e = m.wrap(*e, nil)
			}
		}
	}
	switch e := n.(type) {
	case *hclsyntax.TemplateExpr:
		for i := range e.Parts {
			wrap(&e.Parts[i])
		}
	case *hclsyntax.TemplateJoinExpr:
		wrap(&e.Tuple)
	case *hclsyntax.TemplateWrapExpr:
		wrap(&e.Wrapped)
	case *hclsyntax.ForExpr:
		wrap(&e.CollExpr)
		// also a literal: it is evaluated again and again
		e.ValExpr = m.wrap(e.ValExpr, func(cty.Value) bool { return true })
		if e.KeyExpr != nil {
			wrap(&e.KeyExpr)
		}
		if e.CondExpr != nil {
			wrap(&e.CondExpr)
		}
	case *hclsyntax.SplatExpr:
		wrap(&e.Source)
	case *hclsyntax.IndexExpr:
		wrap(&e.Collection)
	case *hclsyntax.BinaryOpExpr:
		wrap(&e.LHS, &e.RHS)
	case *hclsyntax.ConditionalExpr:
		wrap(&e.Condition)
	case *hclsyntax.FunctionCallExpr:
		m.call(e)
	}
	return nil
}

// What functions multiply with each other: their arguments' sizes, or those squared.
var (
	multiplies = map[string]int{
		"setproduct": 1, "replace": 1, "regex_replace": 1, "regex": 1, "regexall": 1, "join": 1, "formatlist": 1,
		"indent":   1,
		"distinct": 2, "rsadecrypt": 2, "parseint": 2, "setunion": 2, "setintersection": 2, "setsubtract": 2,
		"setsymmetricdifference": 2, "sort": 1, "zipmap": 1, "uuidv5": 1, "semvercmp": 1,
	}
	wideVerb = regexp.MustCompile(`%[^%a-zA-Z]*\d{4}`)
)

// call has the arguments of a call measured, and together those that are multiplied.
func (m *meter) call(e *hclsyntax.FunctionCallExpr) {
	power, product := multiplies[e.Name], 1.0
	for i := range e.Args {
		if e.Name == "convert" && i == 1 {
			continue // a type, as it is written
		}
		var check func(cty.Value) bool
		switch {
		case power > 0:
			check = func(v cty.Value) bool {
				if i == 0 {
					product = 1
				}
				product *= max(1, math.Pow(factor(v), float64(power)))
				m.used += int(min(product, maxProduct))
				return product <= maxProduct
			}
		case e.Name == "bcrypt":
			check = func(v cty.Value) bool {
				m.used += maxEvaluated / 64
				return i == 0 || factor(v) <= 12
			}
		case e.Name == "jsondecode":
			check = func(v cty.Value) bool { return !isText(v) || !tooDeep(v.AsString()) }
		}
		if i == 0 && (e.Name == "format" || e.Name == "formatlist") {
			other := check
			check = func(v cty.Value) bool {
				return (!isText(v) || !wideVerb.MatchString(v.AsString())) && (other == nil || other(v))
			}
		}
		e.Args[i] = m.wrap(e.Args[i], check)
	}
}

func isText(v cty.Value) bool {
	return v != cty.NilVal && !v.IsMarked() && v.IsKnown() && !v.IsNull() && v.Type() == cty.String
}

// factor is by how much an argument multiplies: a number, or a size.
func factor(v cty.Value) float64 {
	if v == cty.NilVal || v.IsMarked() || !v.IsKnown() || v.IsNull() {
		return 1
	}
	if v.Type() == cty.Number {
		f, _ := v.AsBigFloat().Float64()
		return math.Abs(f)
	}
	size, ok := sizeOf(v, 0)
	if !ok {
		return math.Inf(1)
	}
	return float64(size)
}
