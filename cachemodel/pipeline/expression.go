package pipeline

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
)

// values are what the names in expressions stand for, by their paths in small letters: "matrix.app", "env.tag".
type values map[string]string

// variablePrefix begins the name of a variable of the environment, which is as it is written.
const variablePrefix = "$"

// whole, behind the name of a context, says that all of it is known: any other name in it stands for nothing.
const whole = ".*"

// with adds the values of a map of the file, below a prefix.
func (v values) with(prefix string, n node) values {
	out := maps.Clone(v)
	for name, value := range n.pairs() {
		if !value.isMap() && value.items() == nil {
			out[strings.ToLower(prefix+name)] = v.expand(value.text())
			if prefix == "env." {
				out[variablePrefix+name] = out[strings.ToLower(prefix+name)]
			}
		}
	}
	return out
}

// expression finds the first expression of a text, which is within one line: "${{ ... }}".
func expression(text string) (start, end int, ok bool) {
	for at := 0; ; {
		i := strings.Index(text[at:], "${{")
		if i < 0 {
			return 0, 0, false
		}
		start = at + i
		line, _, _ := strings.Cut(text[start:], "\n")
		if j := strings.Index(line, "}}"); j >= 0 {
			return start, start + j + len("}}"), true
		}
		at = start + len(line)
	}
}

// replaced is a text with something else in the place of each expression.
func replaced(text string, by func(expression string) string) string {
	var b strings.Builder
	for {
		start, end, ok := expression(text)
		if !ok {
			return b.String() + text
		}
		b.WriteString(text[:start] + by(text[start:end]))
		text = text[end:]
	}
}

// expand puts values in place of expressions. Those that are not known stay, without spaces.
func (v values) expand(text string) string {
	left := maxValues
	return replaced(text, func(e string) string {
		inner := e[3 : len(e)-2]
		if r := v.evaluate(inner); r.known && len(r.text) <= left {
			left -= len(r.text)
			return r.text
		}
		return unknown(inner)
	})
}

// unknown is how a value is written that only a run of the CI knows.
func unknown(e string) string { return "${{" + strings.Join(strings.Fields(e), "") + "}}" }

// unknownIn is the first expression of a text whose value is not known, "" if there is none.
func unknownIn(text string) string {
	start, end, _ := expression(text)
	return text[start:end]
}

// changing are names whose value is another one at each run.
var changing = regexp.MustCompile(
	`(?i)github\.(sha|run_id|run_number|run_attempt|event\.)|CI_(COMMIT_(SHA|SHORT_SHA|TIMESTAMP)|PIPELINE_I?ID|JOB_ID)\b`,
)

// varies reports whether an unknown value is certainly another one at the next commit.
func varies(e string) bool { return changing.MatchString(e) }

// result is what an expression comes to.
type result struct {
	text  string
	known bool
}

func (r result) truth() bool { return r.text != "" && r.text != "false" && r.text != "0" }

func truth(b bool) result {
	if b {
		return result{"true", true}
	}
	return result{"false", true}
}

// evaluate gives the value of an expression as GitHub's runner does, as far as its names are known.
func (v values) evaluate(e string) result {
	if len(e) > 2000 {
		return result{}
	}
	p := &parser{values: v, tokens: tokens.FindAllString(e, -1)}
	if strings.Join(strings.Fields(strings.Join(p.tokens, "")), "") != strings.Join(strings.Fields(e), "") {
		return result{} // it has what is not known here
	}
	r := p.or(0)
	if p.at < len(p.tokens) {
		return result{}
	}
	return r
}

var tokens = regexp.MustCompile(`'(?:[^']|'')*'|&&|\|\||==|!=|!|[(),]|[A-Za-z_][\w.\-]*|\d+(?:\.\d+)?`)

// parser reads an expression.
type parser struct {
	values values
	tokens []string
	at     int
}

func (p *parser) next(token string) bool {
	if p.at < len(p.tokens) && p.tokens[p.at] == token {
		p.at++
		return true
	}
	return false
}

func (p *parser) or(depth int) result {
	left := p.and(depth)
	for p.next("||") {
		right := p.and(depth)
		switch {
		case left.known && left.truth():
		case left.known, right.known && right.truth() && right.text == "true":
			left = right
		default:
			left = result{}
		}
	}
	return left
}

func (p *parser) and(depth int) result {
	left := p.equal(depth)
	for p.next("&&") {
		right := p.equal(depth)
		switch {
		case left.known && !left.truth():
		case left.known, right.known && !right.truth():
			left = right
		default:
			left = result{}
		}
	}
	return left
}

func (p *parser) equal(depth int) result {
	left := p.one(depth)
	for {
		same := p.next("==")
		if !same && !p.next("!=") {
			return left
		}
		right := p.one(depth)
		if !left.known || !right.known {
			left = result{}
		} else {
			left = truth(strings.EqualFold(left.text, right.text) == same)
		}
	}
}

func (p *parser) one(depth int) result {
	if p.at >= len(p.tokens) || depth > 50 {
		p.at = len(p.tokens) + 1
		return result{}
	}
	token := p.tokens[p.at]
	p.at++
	switch {
	case token == "!":
		r := p.one(depth + 1)
		if !r.known {
			return r
		}
		return truth(!r.truth())
	case token == "(":
		r := p.or(depth + 1)
		if !p.next(")") {
			p.at = len(p.tokens) + 1
		}
		return r
	case token[0] == '\'':
		return result{strings.ReplaceAll(token[1:len(token)-1], "''", "'"), true}
	case token == "true" || token == "false" || token[0] >= '0' && token[0] <= '9':
		return result{token, true}
	case p.next("("):
		return p.call(strings.ToLower(token), depth+1)
	}
	name := strings.ToLower(token)
	text, ok := p.values[name]
	if context, _, _ := strings.Cut(name, "."); !ok {
		_, ok = p.values[context+whole]
	}
	if !ok || unknownIn(text) != "" {
		return result{}
	}
	return result{text, true}
}

// call reads the arguments of a function and gives its value.
func (p *parser) call(name string, depth int) result {
	var args []result
	known := true
	for !p.next(")") {
		if p.at >= len(p.tokens) {
			p.at++
			return result{}
		}
		arg := p.or(depth)
		args, known = append(args, arg), known && arg.known
		p.next(",")
	}
	switch {
	case name == "always" || name == "success":
		return result{"true", true}
	case name == "failure" || name == "cancelled":
		return result{"false", true}
	case name == "format" && known && len(args) > 0:
		text := args[0].text
		for i, arg := range args[1:] {
			place := "{" + strconv.Itoa(i) + "}"
			if strings.Count(text, place)*len(arg.text) > maxValues {
				return result{}
			}
			text = strings.ReplaceAll(text, place, arg.text)
		}
		return result{text, true}
	case !known || len(args) != 2:
		return result{}
	}
	a, b := strings.ToLower(args[0].text), strings.ToLower(args[1].text)
	switch name {
	case "contains":
		return truth(strings.Contains(a, b))
	case "startswith":
		return truth(strings.HasPrefix(a, b))
	case "endswith":
		return truth(strings.HasSuffix(a, b))
	}
	return result{}
}
