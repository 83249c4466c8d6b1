package dockerfile

import (
	"slices"
	"sort"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// maxFlagProblems is how many flags of one instruction are reported, so that no line takes long to read.
const maxFlagProblems = 16

// interpret fills in what BuildKit makes of the instruction, and the words, which depend on that. The comments above
// the instruction are part of its meaning. An instruction that is not readable has a problem already that BuildKit
// stops at.
func (s *scanner) interpret(in *Instruction, l *logical, h header, above []string, readable bool) {
	var err error
	if readable {
		in.Node, err = s.parse(in, h, l)
	}
	if in.Node != nil {
		in.Node.PrevComment = above
		in.JSON = in.Node.Attributes["json"]
	}
	in.Args = s.args(in, l, h)
	if err != nil {
		if in.Trigger == nil || len(in.Trigger.Problems) == 0 { // else the trigger's problem is this one
			in.reject(err)
		}
		return
	}
	if in.Node == nil || in.Meant == "" {
		return
	}

	// Flags are tried until BuildKit has no more objection to them. A misspelt one is taken for what it means.
	node := *in.Node
	node.Flags = slices.Clone(node.Flags)
	in.Node = &node
	try, ok := node, true
	// a flag's value stands among the arguments, which are wrong for no other reason
	parted := false
	place := make([]int, len(node.Flags)) // of each of try.Flags, its index in in.Flags
	for i := range place {
		place[i] = i
	}
	if len(place) != len(in.Flags) {
		place = nil // cannot be; then no flag is blamed
	}
	without := func(at int) {
		ok = false
		try.Flags = slices.Delete(slices.Clone(try.Flags), at, at+1)
		place = slices.Delete(place, at, at+1)
	}
	replace := func(at int, flag string) {
		node.Flags[place[at]] = flag
		try.Flags = slices.Clone(try.Flags)
		try.Flags[at] = flag
	}
	for tries := 0; ; tries++ {
		_, err := Typed(&try)
		if err == nil {
			break
		}
		if tries == maxFlagProblems {
			return
		}
		at := culprit(&try, err)
		if at < 0 || place == nil {
			if !parted {
				in.reject(err)
			}
			return
		}
		meant, apart := in.rejectFlag(place[at], err)
		parted = parted || apart
		if meant == "" {
			without(at)
		} else if _, value, has := strings.Cut(try.Flags[at], "="); has {
			replace(at, "--"+meant+"="+value)
		} else {
			replace(at, "--"+meant)
		}
	}
	for at := len(place) - 1; at >= 0; at-- {
		flag := try.Flags[at]
		if in.Meant != "RUN" || !strings.HasPrefix(flag, "--mount=") {
			continue
		}
		if meant, clear := in.rejectMount(&node, place[at], flag, at == len(place)-1); !clear {
			without(at)
		} else if meant != flag {
			replace(at, meant)
		}
	}
	if value, err := Typed(&try); ok && err == nil {
		in.accept(value)
	}
}

// parse has BuildKit read the instruction's own text, with the keyword that is meant.
func (s *scanner) parse(in *Instruction, h header, l *logical) (*parser.Node, error) {
	var text strings.Builder
	switch {
	case s.escape != '\\':
		text.WriteString("# escape=" + string(s.escape) + "\n")
	case strings.HasPrefix(in.Keyword.Text, byteOrderMark):
		text.WriteString("\n") // on the first line it would be dropped
	}
	text.WriteString(s.src[in.Span.Start:in.Keyword.Span.Start])
	switch {
	case in.Meant != "" && keyword(l.text[h.word[0]:h.word[1]]) == "":
		text.WriteString(in.Meant + " ")
	case strings.HasPrefix(in.Keyword.Text, "#"):
		return nil, nil // within ONBUILD this is no comment, but alone it would be
	default:
		text.WriteString(s.src[in.Keyword.Span.Start:in.Keyword.Span.End])
	}
	text.WriteString(s.src[in.Keyword.Span.End:in.Span.End])
	result, err := parser.Parse(strings.NewReader(text.String()))
	if err != nil {
		return nil, err
	}
	return result.AST.Children[0], nil
}

func (in *Instruction) accept(value any) {
	switch v := value.(type) {
	case *instructions.Stage:
		in.From = v
	case *instructions.RunCommand:
		slices.Sort(v.FlagsUsed) // BuildKit lists them in random order
		in.Command = v
		in.MountsRead = !in.flagsExpand() && v.Expand(func(word string) (string, error) { return word, nil }) == nil
	case instructions.Command:
		in.Command = v
	}
}

// flagsExpand reports whether expanding variables may change the flags' values.
func (in *Instruction) flagsExpand() bool {
	return slices.ContainsFunc(in.Flags, func(f Flag) bool { return strings.ContainsAny(f.Value.Text, "$'\"\\`") })
}

// culprit returns the index of the flag that BuildKit objects to, or -1: the first with which, and those before it, the
// objection is the same; of two, as with a repeated flag, that is the second.
func culprit(node *parser.Node, err error) int {
	return sort.Search(len(node.Flags), func(n int) bool {
		first := *node
		first.Flags = node.Flags[:n]
		_, other := Typed(&first)
		return other != nil && reason(other) == reason(err)
	}) - 1
}

// args splits the arguments as BuildKit does for this instruction.
func (s *scanner) args(in *Instruction, l *logical, h header) []Word {
	from, to := h.args[0], h.args[1]
	var ranges [][2]int
	switch in.Meant {
	case "HEALTHCHECK":
		if !in.JSON {
			ranges = quotedWords(l.text, from, to, s.escape)
			break
		}
		array := from + strings.IndexByte(l.text[from:to], '[')
		ranges = append(plainWords(l.text, from, array), jsonWords(l.text, array, to)...)
	case "ADD", "COPY", "EXPOSE", "FROM", "VOLUME":
		if !in.JSON {
			ranges = plainWords(l.text, from, to)
			break
		}
		fallthrough
	default:
		if in.JSON {
			ranges = jsonWords(l.text, from, to)
		} else {
			ranges = quotedWords(l.text, from, to, s.escape)
		}
	}
	words := make([]Word, len(ranges))
	for i, r := range ranges {
		words[i] = l.word(r[0], r[1])
	}
	return words
}
