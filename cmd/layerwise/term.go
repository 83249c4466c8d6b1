package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// palette has the escape sequences that a terminal shows as colours; each is empty where colour is unwanted.
type palette struct {
	bold, dim, red, green, yellow, blue, reset string
}

// colour returns the palette for w: plain unless w is a terminal, and plain where NO_COLOR is set (no-color.org) or
// the terminal is a dumb one.
func colour(w io.Writer) palette {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(file.Fd())) {
		return palette{}
	}
	return palette{
		bold:   "\x1b[1m",
		dim:    "\x1b[2m",
		red:    "\x1b[31m",
		green:  "\x1b[32m",
		yellow: "\x1b[33m",
		blue:   "\x1b[34m",
		reset:  "\x1b[0m",
	}
}

// paint returns text in one of p's colours.
func (p palette) paint(colour, text string) string {
	if colour == "" {
		return text
	}
	return colour + text + p.reset
}

// printable replaces control characters other than tabs, so that a Dockerfile's text cannot drive the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return '�'
		}
		return r
	}, text)
}

// printJSON writes value as indented JSON with a final newline.
func printJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
