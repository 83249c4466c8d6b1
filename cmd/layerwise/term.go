package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis/describe"
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

// printable replaces what cannot be seen other than tabs, and ends of lines, so that a name in a stranger's folder
// neither drives the terminal nor looks like a line of its own, which a CI may take for a command.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if describe.Hidden(r) && r != '\t' {
			return '�'
		}
		return r
	}, text)
}

// printableLines is printable for a text of several lines, none of which is a command of GitHub's.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			lines[i] = "�" + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// printablePath is printable for a path at the beginning of a line, which is no command of GitHub's.
func printablePath(path string) string {
	if strings.HasPrefix(path, "::") {
		path = "." + string(filepath.Separator) + path
	}
	return printable(path)
}

// printJSON writes value as indented JSON with a final newline.
func printJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
