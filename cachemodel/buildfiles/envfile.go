package buildfiles

import (
	"maps"
	"regexp"
	"strings"
	"unicode"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// readEnvFile reads an env file. compose-go's reader is given one assignment at a time: so what the values refer to is
// counted, as 40 lines B=$A$A would have a terabyte.
func readEnvFile(file string, text []byte, lookup func(string) (string, bool)) (map[string]string, error) {
	var cost variableCost
	if err := cost.add(file, 0, string(text)); err != nil {
		return nil, err
	}
	own := map[string]string{}
	used := 0
	find := func(name string) (string, bool) {
		value, ok := lookup(name)
		if !ok {
			value, ok = own[name]
		}
		if used += len(value); used > maxReplaced {
			return "", ok
		}
		return value, ok
	}
	rest, line := string(text), 1
	for rest != "" {
		statement := rest[:envStatement(rest)]
		rest = rest[len(statement):]
		found, err := dotenv.UnmarshalWithLookup(statement, find)
		if err != nil { // again, for the right line
			_, err = dotenv.UnmarshalWithLookup(strings.Repeat("\n", line-1)+statement, find)
			return nil, &Error{File: file, Err: err}
		}
		if used > maxReplaced {
			return nil, limit(file, line, "the values of its variables have more than %d MB in all", maxReplaced>>20)
		}
		maps.Copy(own, found)
		line += strings.Count(statement, "\n")
	}
	return own, nil
}

var exportWord = regexp.MustCompile(`^export\s+`)

// envStatement is the length of the first assignment of a text, with what stands before it, as compose-go's dotenv
// reads it.
func envStatement(text string) int {
	at := 0
	for {
		skipped := strings.IndexFunc(text[at:], func(r rune) bool { return !unicode.IsSpace(r) })
		if skipped < 0 {
			return len(text)
		}
		if at += skipped; text[at] != '#' {
			break
		}
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			return len(text)
		}
		at += end
	}
	if word := exportWord.FindString(text[at:]); word != "" {
		at += len("export")
		at += len(text[at:]) - len(strings.TrimLeftFunc(text[at:], envSpace))
	}
	stop := strings.IndexAny(text[at:], "=:\n")
	if stop < 0 {
		return len(text)
	}
	at += stop + 1
	if text[at-1] == '\n' { // a name alone has the environment's value
		return at
	}
	trimmed := strings.TrimLeftFunc(text[at:], envSpace)
	at = len(text) - len(trimmed)
	if trimmed == "" || trimmed[0] != '"' && trimmed[0] != '\'' {
		if end := strings.IndexByte(trimmed, '\n'); end >= 0 {
			return at + end + 1
		}
		return len(text)
	}
	escaped := false
	for i := 1; i < len(trimmed); i++ {
		switch {
		case escaped:
			escaped = false
		case trimmed[i] == '\\':
			escaped = true
		case trimmed[i] == trimmed[0]:
			return at + i + 1
		}
	}
	return len(text)
}

// envSpace are blanks within a line.
func envSpace(r rune) bool {
	switch r {
	case '\t', '\v', '\f', '\r', ' ', 0x85, 0xA0:
		return true
	}
	return false
}
