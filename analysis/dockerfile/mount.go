package dockerfile

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// The words of RUN --mount that BuildKit knows: parseMount in its instructions package.
var (
	mountTypes    = []string{"bind", "cache", "tmpfs", "secret", "ssh"}
	mountSharings = []string{"shared", "private", "locked"}
	mountKeys     = []string{
		"type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "id", "sharing", "required",
		"size", "mode", "uid", "gid", "env",
	}
)

var quoted = regexp.MustCompile(`'([^']+)'|"([^"]+)"|: (\S+)$`)

// checkMount returns what BuildKit will say of a --mount once it has expanded the variables in it, which are none here: nothing if
// there are any. It also returns the part at fault, if that can be told, and what may stand there.
func checkMount(node *parser.Node, flag string, escape byte) (message, part string, known []string) {
	if strings.Contains(flag, "$") {
		return "", "", nil
	}
	one := *node
	one.Flags = []string{flag}
	value, err := Typed(&one)
	run, ok := value.(*instructions.RunCommand)
	if err != nil || !ok {
		return "", "", nil
	}
	lex := shell.NewLex(rune(escape))
	err = run.Expand(func(word string) (string, error) {
		word, _, err := lex.ProcessWord(word, noEnv{})
		return word, err
	})
	if err == nil {
		return "", "", nil
	}
	message = reason(err)
	if m := quoted.FindStringSubmatch(message); m != nil {
		part = m[1] + m[2] + m[3]
	}
	switch {
	case strings.HasPrefix(message, "unsupported mount type"):
		known = mountTypes
	case strings.HasPrefix(message, "unsupported sharing value"):
		known = mountSharings
	case strings.HasPrefix(message, "unexpected key") && strings.Contains(message, "' in '"):
		known = mountKeys
	}
	return message, part, known
}

// rejectMount checks the RUN's flag i, a --mount, whose text without quotes is given. It returns the flag as it is meant, and whether it is
// clear what that is.
func (in *Instruction) rejectMount(node *parser.Node, i int, flag string) (meant string, ok bool) {
	message, part, known := checkMount(node, flag, in.spelt.escape)
	if message == "" {
		return flag, true
	}
	p := in.problem(InvalidInstruction, in.Flags[i].Value.Span, message)
	value := in.Flags[i].Value.Text
	if n := strings.Index(value, part); n >= 0 && part != "" {
		at := in.spelt.header.flags[i][1] - len(value) + n
		p.Span = in.logicalLine().span(at, at+len(part))
		p.Suggestions = spell.Suggest(part, known)
	}
	if word := spell.Meant(part, known); word != "" {
		return strings.Replace(flag, part, word, 1), true
	}
	return flag, false
}
