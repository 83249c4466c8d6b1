package shellscript

import (
	"slices"
	"strings"
)

// prompt tells the words of the command prompt of Windows apart.
type prompt struct {
	text   string
	pieces []Piece
	left   int // how many words of a condition are left until a command may start
}

var promptKeywords = []string{"call", "do", "else", "exit", "for", "goto", "if", "endlocal", "setlocal"}

// promptConditions are the words of a condition behind IF, and of FOR.
var promptConditions = []string{
	"cmdextversion",
	"defined",
	"equ",
	"errorlevel",
	"exist",
	"geq",
	"gtr",
	"in",
	"leq",
	"lss",
	"neq",
	"not",
}

func (p *prompt) add(from, to int, kind Kind) {
	if from < to {
		p.pieces = append(p.pieces, Piece{From: from, To: to, Kind: kind})
	}
}

func (p *prompt) script() {
	text := p.text
	start, setting, condition := true, false, false // where a command may start; behind SET; behind IF or FOR
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n' || c == '&' || c == '|' || c == '(':
			i = p.separator(i)
			start, setting = !condition || c != '(', false
			condition = condition && c == '(' // the list of a FOR
		case c == ')' || c == '@' && start:
			p.add(i, i+1, Operator)
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == ',' || c == ';':
			i++
		case c == '"':
			i = p.quoted(i)
			start, condition = p.operand(false, condition)
		case c == '>' || c == '<' || isDigit(c) && i+1 < len(text) && text[i+1] == '>':
			i = p.redirection(i)
		case c == '=':
			i = p.equals(i)
		default:
			i, start, setting, condition = p.word(i, start, setting, condition)
		}
	}
}

// separator reads what stands between commands: a line's end, "&", "&&", "|", "||" or "(".
func (p *prompt) separator(i int) int {
	c, to := p.text[i], i+1
	if c == '\n' {
		return to
	}
	if to < len(p.text) && p.text[to] == c && c != '(' {
		to++
	}
	p.add(i, to, Operator)
	return to
}

// quoted reads a string in quotes, which ends with its line at the latest.
func (p *prompt) quoted(i int) int {
	to := i + 1
	for to < len(p.text) && p.text[to] != '"' && p.text[to] != '\n' {
		to++
	}
	to = min(to+1, len(p.text))
	p.add(i, to, String)
	p.variables(i, to)
	return to
}

// redirection reads "<", ">", ">>", "2>" or "2>&1".
func (p *prompt) redirection(i int) int {
	to := i + 1
	for to < len(p.text) && strings.IndexByte("<>&", p.text[to]) >= 0 {
		to++
	}
	if p.text[to-1] == '&' && to < len(p.text) && isDigit(p.text[to]) {
		to++
	}
	p.add(i, to, Operator)
	return to
}

// equals reads "=", or "==", behind which the last word of a condition stands.
func (p *prompt) equals(i int) int {
	to := i + 1
	if to < len(p.text) && p.text[to] == '=' {
		to++
		p.left = 1
	}
	p.add(i, to, Operator)
	return to
}

// word reads a bare word.
func (p *prompt) word(i int, start, setting, condition bool) (next int, starts, sets, conditions bool) {
	to := i
	for to < len(p.text) && strings.IndexByte(" \t\r\n&|()<>\",;=", p.text[to]) < 0 {
		if p.text[to] == '^' {
			to++
		}
		to++
	}
	to = max(min(to, len(p.text)), i+1)
	lower := strings.ToLower(p.text[i:to])
	switch {
	case start && (lower == "rem" || strings.HasPrefix(lower, "::")):
		to = line(p.text, i)
		p.add(i, to, Comment)
		return to, true, false, false
	case start && slices.Contains(promptKeywords, lower), condition && lower == "do":
		p.add(i, to, Keyword)
		more := lower == "if" || lower == "for"
		return to, !more && lower != "exit" && lower != "goto", false, more
	case condition && slices.Contains(promptConditions, lower):
		if p.add(i, to, Keyword); lower != "not" && lower != "in" {
			p.left = 1
		}
		return to, false, false, true
	case start:
		p.add(i, to, Command)
		p.variables(i, to)
		return to, false, lower == "set", false
	case setting && lower[0] != '/':
		p.pieces = append(p.pieces, Piece{From: i, To: to, Kind: Variable, Env: p.text[i:to], EnvAt: i, Set: true})
		return to, false, false, false
	case isDigit(lower[0]) && strings.Trim(lower, "0123456789") == "":
		p.add(i, to, Number)
	default:
		p.add(i, to, Argument)
		p.variables(i, to)
	}
	start, condition = p.operand(false, condition)
	return to, start, setting && lower[0] == '/', condition
}

// operand notes a word that is no command: behind the last of a condition one may start.
func (p *prompt) operand(start, condition bool) (starts, conditions bool) {
	if !condition || p.left == 0 {
		return start, condition
	}
	p.left--
	return p.left == 0, p.left > 0
}

// variables finds "%NAME%", "%NAME:a=b%", "!NAME!", "%%i" and "%1" in text[i:end].
func (p *prompt) variables(i, end int) {
	for ; i < end; i++ {
		c := p.text[i]
		if c == '^' {
			i++
			continue
		}
		if c != '%' && c != '!' {
			continue
		}
		rest := p.text[i+1 : end]
		if c == '%' && rest != "" && (isDigit(rest[0]) || rest[0] == '*') {
			p.add(i, i+2, Variable)
			i++
			continue
		}
		if strings.HasPrefix(rest, "%") && c == '%' {
			to := i + 2
			if to < end && p.text[to] == '~' {
				to++
			}
			to = min(name(p.text, to), end)
			p.add(i, to, Variable)
			i = to - 1
			continue
		}
		n := strings.IndexByte(rest, c)
		if n < 0 && c == '%' && rest != "" && isLetter(rest[0]) && name(rest, 0) == 1 { // of a FOR
			p.add(i, i+2, Variable)
			i++
		}
		if n <= 0 {
			continue
		}
		named, _, _ := strings.Cut(rest[:n], ":")
		if strings.ContainsAny(named, " \t=<>&|") {
			continue
		}
		p.pieces = append(p.pieces, Piece{From: i, To: i + n + 2, Kind: Variable, Env: named, EnvAt: i + 1})
		i += n + 1
	}
}
