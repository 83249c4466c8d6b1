package dockerfile

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/spell"
)

// blank is the white space that BuildKit splits keywords and plain arguments at (reWhitespace in its parser).
const blank = "\t\v\f\r "

// header is how an instruction's logical text is divided: byte ranges of that text.
type header struct {
	word    [2]int // what BuildKit takes for the keyword
	keyword [2]int // the same, but where the arguments follow without a space (`CMD["x"]`) the instruction's name only
	meant   string // as in Instruction
	flags   [][2]int
	args    [2]int // without white space around
}

// readHeader divides text[from:]; see splitCommand in BuildKit's parser.
func readHeader(text string, from int, escape byte) header {
	end := len(strings.TrimRightFunc(text, unicode.IsSpace))
	end = max(end, from)
	start := end - len(strings.TrimLeftFunc(text[from:end], unicode.IsSpace))
	stop := end
	if n := strings.IndexAny(text[start:end], blank); n >= 0 {
		stop = start + n
	}
	h := header{word: [2]int{start, stop}, keyword: [2]int{start, stop}}
	rest := end - len(strings.TrimLeft(text[stop:end], blank))
	h.meant = keyword(text[start:stop])
	if h.meant == "" {
		if h.meant = glued(text[start:stop]); h.meant != "" {
			rest = start + len(h.meant)
			h.keyword[1] = rest
		} else if h.meant = plainKeyword(text[start:stop]); h.meant == "" && !strings.Contains(text[start:stop],
			"<<") { // which would be a heredoc and a keyword at once
			h.meant = spell.Meant(text[start:stop], keywords)
		}
	}
	args := rest
	if rest < end {
		h.flags, args = readFlags(text[:end], rest, escape)
	}
	args = end - len(strings.TrimLeftFunc(text[args:end], unicode.IsSpace))
	h.args = [2]int{args, end}
	return h
}

// readFlags returns the ranges of the flags from pos on and where the arguments begin. Like extractBuilderFlags in
// BuildKit's parser it looks at bytes, not at characters.
func readFlags(text string, pos int, escape byte) (flags [][2]int, args int) {
	for {
		for pos < len(text) && unicode.IsSpace(rune(text[pos])) {
			pos++
		}
		if !strings.HasPrefix(text[pos:], "--") {
			return flags, pos
		}
		start := pos
		var quote byte
		bare := true // without quotes and escapes
		for ; pos < len(text); pos++ {
			c := text[pos]
			switch {
			case quote == 0 && unicode.IsSpace(rune(c)):
			case quote == 0 && (c == '\'' || c == '"'):
				quote, bare = c, false
				continue
			case quote != 0 && c == quote:
				quote = 0
				continue
			case c == escape:
				pos++
				bare = false
				continue
			default:
				continue
			}
			break
		}
		pos = min(pos, len(text))
		word := text[start:pos]
		if !bare {
			word, _ = unquote(text, start, pos, escape)
		}
		if word == "--" {
			return flags, pos
		}
		flags = append(flags, [2]int{start, pos})
	}
}

// plainWords returns the words of text[from:to] between white space, as BuildKit splits the arguments of COPY, ADD,
// FROM, EXPOSE and VOLUME: quotes mean nothing there.
func plainWords(text string, from, to int) (words [][2]int) {
	for from < to {
		start := to - len(strings.TrimLeft(text[from:to], blank))
		if start == to {
			return words
		}
		end := to
		if n := strings.IndexAny(text[start:to], blank); n >= 0 {
			end = start + n
		}
		words = append(words, [2]int{start, end})
		from = end
	}
	return words
}

// quotedWords returns the words of text[from:to] with quotes and escapes respected: parseWords in BuildKit's parser.
func quotedWords(text string, from, to int, escape byte) (words [][2]int) {
	start := -1
	var quote rune
	for pos := from; pos < to; {
		c, width := utf8.DecodeRuneInString(text[pos:to])
		switch {
		case start < 0:
			if unicode.IsSpace(c) {
				break
			}
			start = pos
			continue // look at it again, within the word
		case quote == 0 && unicode.IsSpace(c):
			words = append(words, [2]int{start, pos})
			start = -1
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == rune(escape) && quote != '\'':
			_, next := utf8.DecodeRuneInString(text[min(pos+width, to):to])
			width += next
		}
		pos += width
	}
	if start >= 0 {
		words = append(words, [2]int{start, to})
	}
	return words
}

// jsonWords returns the string literals of the JSON array text[from:to], with their quotes.
func jsonWords(text string, from, to int) (words [][2]int) {
	for pos := from; pos < to; pos++ {
		if text[pos] != '"' {
			continue
		}
		start := pos
		for pos++; pos < to && text[pos] != '"'; pos++ {
			if text[pos] == '\\' {
				pos++
			}
		}
		words = append(words, [2]int{start, min(pos+1, to)})
	}
	return words
}

// isJSON reports whether BuildKit reads arguments as an exec form: an array of strings. An array of other things it
// rejects.
func isJSON(args string) bool {
	if !strings.HasPrefix(args, "[") {
		return false
	}
	var list []any
	if json.Unmarshal([]byte(args), &list) != nil {
		return false
	}
	for _, v := range list {
		if _, ok := v.(string); !ok {
			return false
		}
	}
	return true
}
