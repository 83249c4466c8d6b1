package shellscript

import "strings"

// Kind is what a piece of a script is.
type Kind int

// The kinds of pieces.
const (
	Argument Kind = iota // also an option's name
	Command
	Keyword
	Comment
	String
	Variable
	Operator
	Number
	Type   // "[int]"
	Member // of an object, behind a dot
)

// Piece is a piece of a script's text. A string's variables follow it as pieces of their own.
type Piece struct {
	From, To int
	Kind     Kind
	// Env is the name of the environment variable that a Variable stands for, at EnvAt; "" if it is one of the
	// shell's own.
	Env   string
	EnvAt int
	// Set says that the script sets the variable.
	Set bool
}

// Pieces tells the words of a script apart whose language is not parsed: of PowerShell and of the command prompt. Of
// any other language it returns nil.
func Pieces(text string, language Language) []Piece {
	switch language {
	case PowerShell:
		p := &powerShell{text: text}
		p.code(0, len(text))
		return p.pieces
	case Cmd:
		p := &prompt{text: text}
		p.script()
		return p.pieces
	}
	return nil
}

func isLetter(c byte) bool {
	return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// name returns where the name ends that starts at text[i].
func name(text string, i int) int {
	for i < len(text) && (isLetter(text[i]) || isDigit(text[i])) {
		i++
	}
	return i
}

// line returns where the line ends that text[i] is in.
func line(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(text)
}
