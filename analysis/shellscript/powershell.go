package shellscript

import (
	"slices"
	"strings"
)

// powerShell tells the words of PowerShell apart, as far as that goes without knowing which commands there are.
type powerShell struct {
	text   string
	pieces []Piece
	depth  int // of "$(" in strings
}

// maxStrings is how deeply strings with commands in them are read within each other.
const maxStrings = 16

var powerShellKeywords = []string{
	"begin", "break", "catch", "class", "continue", "do", "dynamicparam", "else", "elseif", "end", "enum", "exit",
	"filter", "finally", "for", "foreach",
	"function", "if", "param", "process", "return", "switch", "throw", "trap", "try", "until", "using", "while",
}

// powerShellOperators are those that are words: "-eq", and with "c" or "i" in front.
var powerShellOperators = []string{
	"and", "as", "band", "bnot", "bor", "bxor", "contains", "eq", "f", "ge", "gt", "in", "is", "isnot", "join", "le",
	"like", "lt", "match", "ne", "not", "notcontains",
	"notin", "notlike", "notmatch", "or", "replace", "shl", "shr", "split", "xor",
}

func (p *powerShell) add(from, to int, kind Kind) {
	if from < to {
		p.pieces = append(p.pieces, Piece{From: from, To: to, Kind: kind})
	}
}

// code reads text[i:end]. A word where a statement may start is a command or a keyword; elsewhere it is an argument,
// and behind a value "-eq" and the like are operators.
func (p *powerShell) code(i, end int) {
	start, value := true, false // where a statement may start; behind a value
	called := false             // behind the "&" that calls what follows
	for i < end {
		c := p.text[i]
		switch {
		case c == '\n' || c == ';':
			if c == ';' {
				p.add(i, i+1, Operator)
			}
			start, value = true, false
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '`': // escapes, or continues the line
			i += 2
		case c == '#' || strings.HasPrefix(p.text[i:end], "<#"):
			i = p.comment(i, end)
		case c == '\'' || c == '"':
			i = p.quoted(i, end)
			start, value, called = false, !called, false
		case p.atHereString(i, end):
			i = p.hereString(i, end)
			start, value = false, true
		case p.atSubexpression(i, end):
			p.add(i, i+2, Operator)
			start, value = true, false
			i += 2
		case p.atVariable(i, end):
			i = p.variable(i, end)
			start, value = false, true
		case c == '(' || c == '{':
			p.add(i, i+1, Operator)
			start, value = true, false
			i++
		case c == ')' || c == '}' || c == ']':
			p.add(i, i+1, Operator)
			start, value = c == '}', true
			i++
		case c == '|' || c == '&':
			i, called = p.pipe(i, end)
			start, value = true, false
		case c == '[' && !value:
			i = p.typeName(i, end)
			start, value = false, true
		case value && p.atMember(i, end):
			i = p.member(i, end)
		case p.atOperator(i, end, start, value):
			i = p.operator(i, end)
			start, value = p.text[i-1] == '=' || c == '!' && start, false
		default:
			i, start, value = p.word(i, end, start, value)
		}
	}
}

// comment reads a comment: to the end of the line, or between "<#" and "#>".
func (p *powerShell) comment(i, end int) int {
	to := end
	if p.text[i] == '#' {
		to = min(line(p.text, i), end)
	} else if n := strings.Index(p.text[i:end], "#>"); n >= 0 {
		to = i + n + 2
	}
	p.add(i, to, Comment)
	return to
}

// atHereString reports whether a string of several lines starts.
func (p *powerShell) atHereString(i, end int) bool {
	return p.text[i] == '@' && i+1 < end && (p.text[i+1] == '\'' || p.text[i+1] == '"')
}

// atSubexpression reports whether "$(", "@(" or "@{" stands there.
func (p *powerShell) atSubexpression(i, end int) bool {
	if i+1 >= end {
		return false
	}
	c, next := p.text[i], p.text[i+1]
	return c == '$' && next == '(' || c == '@' && (next == '(' || next == '{')
}

// atVariable reports whether "$" or "@name" stands there.
func (p *powerShell) atVariable(i, end int) bool {
	return p.text[i] == '$' || p.text[i] == '@' && i+1 < end && isLetter(p.text[i+1])
}

// pipe reads "|", "||", "&" or "&&". calls reports whether it is the "&" that calls what follows.
func (p *powerShell) pipe(i, end int) (next int, calls bool) {
	c, to := p.text[i], i+1
	if to < end && p.text[to] == c {
		to++
	}
	p.add(i, to, Operator)
	return to, to == i+1 && c == '&'
}

// typeName reads "[name]".
func (p *powerShell) typeName(i, end int) int {
	to := i + 1
	for to < end && p.text[to] != ']' && p.text[to] != '\n' {
		to++
	}
	to = min(to+1, end)
	p.add(i, to, Type)
	return to
}

// atMember reports whether "::" or ".name" stands there.
func (p *powerShell) atMember(i, end int) bool {
	return strings.HasPrefix(p.text[i:end], "::") || p.text[i] == '.' && i+1 < end && isLetter(p.text[i+1])
}

// member reads "::name" or ".name".
func (p *powerShell) member(i, end int) int {
	to := i + 1
	if p.text[i] == ':' {
		to++
	}
	p.add(i, to, Operator)
	next := min(name(p.text, to), end)
	p.add(to, next, Member)
	return next
}

// atOperator reports whether an operator of signs stands there.
func (p *powerShell) atOperator(i, end int, start, value bool) bool {
	c := p.text[i]
	if c == ',' || c == '<' || c == '>' || c == '!' && start {
		return true
	}
	return value && (strings.IndexByte("=+*/%!?:[", c) >= 0 ||
		c == '-' && i+1 < end && strings.IndexByte("=-", p.text[i+1]) >= 0)
}

// operator reads an operator of signs.
func (p *powerShell) operator(i, end int) int {
	c, to := p.text[i], i+1
	for to < end && (p.text[to] == '=' || p.text[to] == c && c != '[' ||
		c == '>' && strings.IndexByte("&1", p.text[to]) >= 0) {
		to++
	}
	p.add(i, to, Operator)
	return to
}

// word reads a bare word.
func (p *powerShell) word(i, end int, start, value bool) (next int, starts, valued bool) {
	to := i
	for to < end && strings.IndexByte(" \t\r\n;|&(){},\"'<>", p.text[to]) < 0 && !(p.text[to] == '$' && to > i) &&
		!(p.text[to] == '=' && start) {
		if p.text[to] == '`' {
			to++
		}
		to++
	}
	to = max(min(to, end), i+1)
	lower := strings.ToLower(p.text[i:to])
	number := isDigit(lower[0]) && strings.Trim(lower, "0123456789abcdefxklmgtp.") == ""
	switch {
	case start && p.assigned(to, end): // in a table, "@{ name = value }"
		p.add(i, to, Member)
		return to, false, true
	case start && slices.Contains(powerShellKeywords, lower):
		p.add(i, to, Keyword)
		return to, true, false
	case number:
		p.add(i, to, Number)
		return to, false, true
	case start && lower != "." && lower[0] != '-':
		p.add(i, to, Command)
		return to, false, false
	case start && lower == ".": // runs the script that follows
		p.add(i, to, Operator)
		return to, true, false
	case value && lower == "in":
		p.add(i, to, Keyword)
		return to, true, false
	case lower == "-" && value, lower[0] == '-' && powerShellOperator(lower[1:]) && (value || start):
		p.add(i, to, Operator)
		return to, true, false
	}
	p.add(i, to, Argument)
	return to, false, false
}

func powerShellOperator(word string) bool {
	return slices.Contains(powerShellOperators, word) ||
		word != "" && (word[0] == 'c' || word[0] == 'i') && slices.Contains(powerShellOperators, word[1:])
}

// variable reads "$name", "$env:NAME", "${any thing}" or "@name".
func (p *powerShell) variable(i, end int) int {
	from, to := i+1, i+1
	braced := to < end && p.text[to] == '{'
	if braced {
		from++
		if to = strings.IndexByte(p.text[i:end], '}'); to < 0 {
			to = end
		} else {
			to += i
		}
	} else {
		to = min(name(p.text, to), end)
		if to < end && p.text[to] == ':' && to > from && to+1 < end && isLetter(p.text[to+1]) {
			to = min(name(p.text, to+1), end)
		}
		if to == from && to < end && strings.IndexByte("?$^", p.text[to]) >= 0 {
			to++
		}
	}
	v := Piece{From: i, To: to, Kind: Variable}
	if braced {
		v.To = min(to+1, end)
	}
	if inner := p.text[from:to]; len(inner) > 4 && strings.EqualFold(inner[:4], "env:") {
		v.Env, v.EnvAt = inner[4:], from+4
		v.Set = p.assigned(v.To, end)
	}
	p.pieces = append(p.pieces, v)
	return v.To
}

// assigned reports whether an assignment follows.
func (p *powerShell) assigned(i, end int) bool {
	rest := strings.TrimLeft(p.text[i:end], " \t")
	return strings.HasPrefix(rest, "=") || len(rest) > 1 && rest[1] == '=' && strings.IndexByte("+-*/%", rest[0]) >= 0
}

// quoted reads a string in single or double quotes.
func (p *powerShell) quoted(i, end int) int {
	quote := p.text[i]
	to := i + 1
	for to < end {
		switch c := p.text[to]; {
		case c == '`' && quote == '"':
			to++
		case c == quote && to+1 < end && p.text[to+1] == quote:
			to++
		case c == quote:
			p.literal(i, to+1, quote == '"')
			return to + 1
		}
		to++
	}
	p.literal(i, end, quote == '"')
	return end
}

// hereString reads a string of several lines, which ends where a line begins with its quote and "@".
func (p *powerShell) hereString(i, end int) int {
	to := end
	if n := strings.Index(p.text[i:end], "\n"+p.text[i+1:i+2]+"@"); n >= 0 {
		to = i + n + 3
	}
	p.literal(i, to, p.text[i+1] == '"')
	return to
}

// literal adds a string, and what is replaced in it.
func (p *powerShell) literal(i, end int, expands bool) {
	p.add(i, end, String)
	for expands && i < end {
		switch c := p.text[i]; {
		case c == '`':
			i += 2
		case c == '$' && i+1 < end && p.text[i+1] == '(' && p.depth < maxStrings:
			to := closing(p.text, i+1, end)
			p.add(i, i+2, Operator)
			p.depth++
			p.code(i+2, to)
			p.depth--
			p.add(to, min(to+1, end), Operator)
			i = to + 1
		case c == '$' && i+1 < end && (isLetter(p.text[i+1]) || p.text[i+1] == '{'):
			i = p.variable(i, end)
		default:
			i++
		}
	}
}

// closing returns where the parenthesis closes that opens at text[i], or end.
func closing(text string, i, end int) int {
	for depth := 0; i < end; i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return end
}
