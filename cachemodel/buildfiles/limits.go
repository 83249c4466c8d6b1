package buildfiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"go.yaml.in/yaml/v3"
)

// A folder may hold a build file that its reader's memory, stack or patience does not survive. The libraries that read
// these files have few limits of their own, and a stack that overflows ends the program. So each text is looked through
// before a library parses it, and what would go on too long is refused with an error that says so. The limits are ten
// times and more what the build files of public repositories need.
const (
	maxFile      = 1 << 20 // bytes of one file
	maxFiles     = 200     // that one project reads
	maxFolders   = 100     // from which a path of an included file may be seen
	maxLoaded    = 8 << 20 // bytes of the files that one includes and extends, each file counted each time
	maxNodes     = 100_000 // of a YAML file, each alias counted with all that it stands for
	maxTokens    = 200_000 // of an HCL file
	maxOperators = 10_000  // of an HCL file
	maxDepth     = 100     // of values, blocks and expressions within each other
	maxDollars   = 20_000  // variables of one file
	maxTargets   = 1_000   // and groups of the bake files
	maxMatrix    = 1_000   // combinations of one target
	maxDefaults  = 50      // ${A:-${B:-...}} within each other
	maxScanned   = 4 << 20 // bytes that replacing variables looks at, as each ${A:-b} looks at all that follows
	maxReplaced  = 4 << 20 // bytes that take the place of variables in all
)

// ErrLimit is wrapped by the error about a file that is refused because reading it would take too long.
var ErrLimit = errors.New("this is more than Layerwise reads")

func limit(file string, line int, format string, args ...any) error {
	return &Error{File: file, Line: line, Err: fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrLimit)}
}

// checkYAML looks through a YAML file: how deep it is, how long with all aliases, and how much its variables cost.
func checkYAML(file string, text []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	left := maxNodes
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return located(err, []string{file})
		}
		c := yamlCheck{file: file, sizes: map[*yaml.Node]int{}, variables: &variableCost{}}
		size, err := c.size(&doc, 0)
		if err == nil {
			err = c.variables.check(file)
		}
		if err != nil {
			return err
		}
		if left -= size; left < 0 {
			return limit(file, 0, "it has more than %d values, its aliases counted with what they stand for", maxNodes)
		}
	}
}

// CheckAliases returns an error that wraps ErrLimit if a YAML value is too deep, or too large with its aliases counted
// as what they stand for, to be walked through.
func CheckAliases(file string, n *yaml.Node) error {
	c := yamlCheck{file: file, sizes: map[*yaml.Node]int{}}
	_, err := c.size(n, 0)
	return err
}

type yamlCheck struct {
	file      string
	sizes     map[*yaml.Node]int // of what has an anchor; 0 while it is looked at
	tags      int
	variables *variableCost // nil: of no interest
}

func (c *yamlCheck) size(n *yaml.Node, depth int) (int, error) {
	if depth > maxDepth {
		return 0, limit(c.file, n.Line, "more than %d levels lie within each other", maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		if size, seen := c.sizes[n.Alias]; seen && size > 0 {
			return size, nil
		}
		return 0, limit(c.file, n.Line, "the alias %s stands for what it is in", n.Value)
	}
	if n.Anchor != "" {
		c.sizes[n] = 0
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		if c.tags++; c.tags > 1000 {
			return 0, limit(c.file, n.Line, "it has more than 1000 tags")
		}
	}
	if n.Kind == yaml.ScalarNode && c.variables != nil {
		if err := c.variables.add(c.file, n.Line, n.Value); err != nil {
			return 0, err
		}
	}
	size := 1
	for _, child := range n.Content {
		s, err := c.size(child, depth+1)
		if err != nil {
			return 0, err
		}
		if size += s; size > maxNodes {
			return 0, limit(
				c.file,
				n.Line,
				"it has more than %d values, its aliases counted with what they stand for",
				maxNodes,
			)
		}
	}
	if n.Anchor != "" {
		c.sizes[n] = size
	}
	return size, nil
}

// variableCost is what replacing the variables of texts costs.
type variableCost struct{ dollars, scanned int }

func (v *variableCost) add(file string, line int, text string) error {
	dollars := strings.Count(text, "$")
	if dollars == 0 {
		return nil
	}
	v.dollars += dollars
	v.scanned += strings.Count(text, "${") * len(text)
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '{' && i > 0 && text[i-1] == '$':
			if depth++; depth > maxDefaults {
				return limit(file, line, "more than %d variables lie within each other", maxDefaults)
			}
		case text[i] == '}' && depth > 0:
			depth--
		}
	}
	return v.check(file)
}

func (v *variableCost) check(file string) error {
	if v.dollars > maxDollars || v.scanned > maxScanned {
		return limit(file, 0, "it has too many variables")
	}
	return nil
}

// replacing replaces the variables of the texts of one project, as long as that stays within a limit.
type replacing struct{ bytes int }

func (r *replacing) substitute(text string, mapping template.Mapping) (string, error) {
	out, err := template.Substitute(text, func(name string) (string, bool) {
		value, ok := mapping(name)
		if r.bytes += len(value); r.bytes > maxReplaced {
			return "", ok
		}
		return value, ok
	})
	if err == nil && r.bytes > maxReplaced {
		return "", fmt.Errorf("the values of its variables have more than %d MB in all: %w", maxReplaced>>20, ErrLimit)
	}
	return out, err
}

// checkBake looks through a bake file before it is parsed.
func checkBake(file string, text []byte) error {
	if strings.HasSuffix(strings.ToLower(file), ".json") {
		return checkJSON(file, text)
	}
	if !strings.HasSuffix(strings.ToLower(file), ".hcl") { // it may be either
		if err := checkJSON(file, text); err != nil {
			return err
		}
	}
	return checkHCL(file, text)
}

func checkHCL(file string, text []byte) error {
	tokens, _ := hclsyntax.LexConfig(text, file, hcl.InitialPos)
	return checkTokens(file, tokens)
}

// checkTokens counts what the parser and the evaluation of expressions go down for.
func checkTokens(file string, tokens hclsyntax.Tokens) error {
	if len(tokens) > maxTokens {
		return limit(file, 0, "it has more than %d words and signs", maxTokens)
	}
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenTemplateInterp:
			depth++
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenTemplateSeqEnd:
			depth = max(depth-1, 0)
		case hclsyntax.TokenTemplateControl:
			depth++
			operators++
		case hclsyntax.TokenNumberLit:
			if _, exponent, ok := strings.Cut(strings.ToLower(string(t.Bytes)), "e"); ok && len(exponent) > 4 {
				return limit(file, t.Range.Start.Line, "the number %s is too large", t.Bytes)
			}
		case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenComma,
			hclsyntax.TokenNewline,
			hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenCHeredoc,
			hclsyntax.TokenEqual,
			hclsyntax.TokenComment, hclsyntax.TokenColon, hclsyntax.TokenDot:
		default:
			operators++
		}
		if t.Type == hclsyntax.TokenOBrack {
			operators++ // a[0][0][0] lie within each other
		}
		if depth > maxDepth {
			return limit(file, t.Range.Start.Line, "more than %d levels lie within each other", maxDepth)
		}
		if operators > maxOperators {
			return limit(file, t.Range.Start.Line, "it has more than %d operators", maxOperators)
		}
	}
	return nil
}

// checkJSON looks through a bake file in JSON, whose texts are HCL templates.
func checkJSON(file string, text []byte) error {
	depth, line := 0, 1
	var all hclsyntax.Tokens
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			line++
		case '[', '{':
			if depth++; depth > maxDepth {
				return limit(file, line, "more than %d levels lie within each other", maxDepth)
			}
		case ']', '}':
			depth = max(depth-1, 0)
		case '"':
			end := i + 1
			for end < len(text) && text[end] != '"' && text[end] != '\n' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			var s string
			if end < len(text) && json.Unmarshal(text[i:end+1], &s) == nil && strings.ContainsAny(s, "$%") {
				tokens, _ := hclsyntax.LexTemplate([]byte(s), file, hcl.Pos{Line: line, Column: 1})
				all = append(all, tokens...)
				if err := checkTokens(file, tokens); err != nil { // what is not closed in one text is not in the next
					return err
				}
			}
			i = min(end, len(text)-1)
		}
	}
	if len(all) > maxTokens {
		return limit(file, 0, "it has more than %d words and signs", maxTokens)
	}
	return nil
}

// tooDeep says whether a JSON text is too deep for a parser that goes down for each level.
func tooDeep(text string) bool {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			if depth++; depth > maxDepth {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}
