package describe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible is s in one line with nothing in it that a reader cannot see or that turns the text around: control
// characters and those for the direction of writing become their code points, what is not UTF-8 U+FFFD. Names in a stranger's folder may hold
// anything.
func Visible(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, Hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case r == '\r':
		case Hidden(r):
			const digits = "0123456789abcdef"
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(digits[r>>shift&0xf])
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Hidden reports whether a reader cannot see a character as such: it controls a terminal, ends a line, or turns the
// text around.
func Hidden(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u061c', r == '\ufeff', r == '\u2028', r == '\u2029':
		return true
	}
	return '\u200b' <= r && r <= '\u200f' && r != '\u200d' || '\u202a' <= r && r <= '\u202e' ||
		'\u2060' <= r && r <= '\u206f'
}

var markdownEscapes = strings.NewReplacer(
	`\`,
	`\\`,
	"`",
	"\\`",
	"*",
	`\*`,
	"_",
	`\_`,
	"[",
	`\[`,
	"]",
	`\]`,
	"<",
	`\<`,
	">",
	`\>`,
	"&",
	`\&`,
	"~",
	`\~`,
	"@",
	`\@`,
	"|",
	`\|`,
	"://",
	`\://`,
	"www.",
	`www\.`,
)

// Escape is s as text in Markdown in which nothing is markup: no link, picture, HTML or emphasis.
func Escape(s string) string { return markdownEscapes.Replace(Visible(s)) }

// Code is s as code in Markdown, whatever backticks it holds.
func Code(s string) string {
	s = Visible(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 || strings.HasPrefix(s, " ") || s == "" {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}
