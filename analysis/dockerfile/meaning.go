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

// interpretAll fills in what BuildKit makes of the instructions, unless there are too many for that.
func (s *scanner) interpretAll(all []found, tooLarge bool) {
	texts := make([]string, 0, len(all)) // what BuildKit's parser is given for each, its trigger's first
	for _, one := range all {
		if t := one.in.Trigger; t != nil {
			texts = append(texts, s.parsed(t, one.line, one.inner, one.readable && !tooLarge))
		}
		texts = append(texts, s.parsed(one.in, one.line, one.header, one.readable && !tooLarge))
	}
	nodes := parseAll(texts, s.escape)
	next := func() (n parsedNode) {
		n, nodes = nodes[0], nodes[1:]
		return n
	}
	for _, one := range all {
		in, t := one.in, one.in.Trigger
		if t != nil {
			s.interpret(t, one.line, one.inner, nil, next())
		}
		s.interpret(in, one.line, one.header, one.above, next())
		if t != nil {
			for i := range t.Problems {
				// BuildKit leaves most of a trigger unread until an image is built from this one.
				t.Problems[i].Warning = in.Node != nil
			}
			in.Problems = append(in.Problems, t.Problems...)
		}
		sortProblems(in.Problems)
	}
}

// interpret fills in what BuildKit makes of the instruction, and the words, which depend on that. The comments above
// the instruction are part of its meaning.
func (s *scanner) interpret(in *Instruction, l *logical, h header, above []string, read parsedNode) {
	in.Node = read.node
	err := read.err
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
	var value any // what try is, nil once it is another
	for tries := 0; ; tries++ {
		value, err = Typed(&try)
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
	clear := in.mountsClear(value)
	for at := len(place) - 1; at >= 0 && !clear; at-- {
		flag := try.Flags[at]
		if in.Meant != "RUN" || !strings.HasPrefix(flag, "--mount=") {
			continue
		}
		if meant, known := in.rejectMount(&node, place[at], flag, at == len(place)-1); !known {
			without(at)
		} else if meant != flag {
			replace(at, meant)
			value = nil
		}
	}
	if value == nil && ok {
		value, err = Typed(&try)
		clear = in.mountsClear(value)
	}
	if ok && err == nil {
		in.accept(value, clear)
	}
}

// parsed is the instruction's own text as BuildKit's parser is to read it, with the keyword that is meant; "" where it
// cannot.
func (s *scanner) parsed(in *Instruction, l *logical, h header, readable bool) string {
	before, keywordText := s.src[in.Span.Start:in.Keyword.Span.Start], s.src[in.Keyword.Span.Start:in.Keyword.Span.End]
	switch {
	case !readable:
		return ""
	case in.Meant != "" && keyword(l.text[h.word[0]:h.word[1]]) == "":
		return before + in.Meant + " " + s.src[in.Keyword.Span.End:in.Span.End]
	case strings.HasPrefix(in.Keyword.Text, "#"):
		return "" // within ONBUILD this is no comment, but alone it would be
	case before == "" && strings.HasPrefix(keywordText, byteOrderMark):
		return "\n" + s.src[in.Span.Start:in.Span.End] // on the first line it would be dropped
	}
	return s.src[in.Span.Start:in.Span.End]
}

// parsedNode is what BuildKit's parser makes of an instruction's text.
type parsedNode struct {
	node *parser.Node
	err  error
}

// batch is how many instructions BuildKit's parser reads at once: each call of it compiles a regular expression.
const batch = 32

// parseAll has BuildKit read texts that each hold one instruction; of an empty one there is no node. Lines are counted
// within the text.
func parseAll(texts []string, escape byte) []parsedNode {
	nodes := make([]parsedNode, len(texts))
	head := ""
	if escape != '\\' {
		head = "# escape=" + string(escape) + "\n"
	}
	for from := 0; from < len(texts); from += batch {
		group, into := texts[from:min(from+batch, len(texts))], nodes[from:]
		if parseTogether(group, head, into) {
			continue
		}
		for i, text := range group {
			into[i] = parsedNode{}
			if text == "" {
				continue
			}
			if result, err := parser.Parse(strings.NewReader(head + text)); err != nil {
				into[i].err = err
			} else {
				into[i].node = result.AST.Children[0]
			}
		}
	}
	return nodes
}

// parseTogether has BuildKit read texts as one file. It reports false if they are not one instruction each then.
func parseTogether(texts []string, head string, into []parsedNode) bool {
	result, err := parser.Parse(strings.NewReader(head + strings.Join(texts, "\n")))
	if err != nil {
		return false
	}
	first, above, children := 1+strings.Count(head, "\n"), 0, result.AST.Children
	for i, text := range texts {
		lines := 1 + strings.Count(text, "\n")
		if text != "" {
			if len(children) == 0 {
				return false
			}
			node := children[0]
			node.StartLine, node.EndLine = node.StartLine-above, node.EndLine-above
			if node.StartLine != first || node.EndLine != first+lines-1 {
				return false
			}
			into[i].node, children = node, children[1:]
		}
		above += lines
	}
	return len(children) == 0
}

func (in *Instruction) accept(value any, mountsRead bool) {
	switch v := value.(type) {
	case *instructions.Stage:
		in.From = v
	case *instructions.RunCommand:
		slices.Sort(v.FlagsUsed) // BuildKit lists them in random order
		in.Command, in.MountsRead = v, mountsRead
	case instructions.Command:
		in.Command = v
	}
}

// mountsClear has BuildKit read the mounts of a RUN, if no variable stands in them, and reports whether it could.
func (in *Instruction) mountsClear(value any) bool {
	run, ok := value.(*instructions.RunCommand)
	return ok && !in.flagsExpand() && run.Expand(func(word string) (string, error) { return word, nil }) == nil
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
