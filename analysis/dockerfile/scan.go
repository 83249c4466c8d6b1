package dockerfile

import (
	"bytes"
	"regexp"
	"sort"
	"strings"
	"unicode"

	"github.com/layerwise/layerwise/analysis/source"
)

// maxLine is the longest line, in bytes before its "\n", that BuildKit's scanner takes (bufio.MaxScanTokenSize-1).
const maxLine = 64*1024 - 1

// logical is an instruction's text as BuildKit sees it: continuation lines joined, comment and empty lines left out.
type logical struct {
	text   string
	base   int     // where the instruction starts in the file
	pieces []piece // at least one
}

// piece says that the logical text from at on lies src bytes behind the instruction's start.
type piece struct{ at, src int }

// offset returns where byte i of the logical text lies in the file.
func (l *logical) offset(i int) int {
	n := sort.Search(len(l.pieces), func(n int) bool { return l.pieces[n].at > i }) - 1
	return l.base + l.pieces[n].src + i - l.pieces[n].at
}

// span returns the place of text[from:to], reaching over the continuations within.
func (l *logical) span(from, to int) source.Span {
	if from == to {
		at := l.offset(from)
		return source.Span{Start: at, End: at}
	}
	return source.Span{Start: l.offset(from), End: l.offset(to-1) + 1}
}

func (l *logical) word(from, to int) Word { return Word{l.span(from, to), l.text[from:to]} }

// scanner walks over the lines of a file as BuildKit's parser.Parse does.
type scanner struct {
	src        string
	pos        int // start of the next line
	line       int // its 1-based number
	escape     byte
	directives map[string]bool // those seen
	past       bool            // the directives are over
	stage      int             // of the last instruction, -1 above the first FROM
	above      []string        // comment texts since the last instruction, as BuildKit collects them
	last       map[string]int  // see mayEnd; nil unless a heredoc did not end
}

// next takes the next line: its span without terminator. It reports false at the end of the file.
func (s *scanner) next() (source.Span, bool) {
	if s.pos >= len(s.src) {
		return source.Span{}, false
	}
	start, end := s.pos, len(s.src)
	if n := strings.IndexByte(s.src[start:], '\n'); n >= 0 {
		end = start + n + 1
	}
	s.pos = end
	s.line++
	for end > start && (s.src[end-1] == '\n' || s.src[end-1] == '\r') {
		end--
	}
	return source.Span{Start: start, End: end}, true
}

// tooLong reports whether BuildKit's scanner gives up at the line that starts at start.
func (s *scanner) tooLong(start int) bool {
	n := strings.IndexByte(s.src[start:min(len(s.src), start+maxLine+1)], '\n')
	return n < 0 && len(s.src)-start > maxLine
}

// trimLeft returns the span without leading white space.
func trimLeft(src string, span source.Span) source.Span {
	text := src[span.Start:span.End]
	span.Start = span.End - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	return span
}

// continued reports whether a line goes on in the next, and returns the length of what stands before the escape
// character. BuildKit takes an escape character for a continuation unless another one stands before it.
func (s *scanner) continued(line string) (int, bool) {
	n := len(line)
	for n > 0 && (line[n-1] == ' ' || line[n-1] == '\t') {
		n--
	}
	if n == 0 || line[n-1] != s.escape || n > 1 && line[n-2] == s.escape {
		return len(line), false
	}
	return n - 1, true
}

var directiveLine = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$`)

// directive reads a line that starts with '#' as a parser directive, if it is one: see DirectiveParser.ParseLine.
func (s *scanner) directive(span source.Span) (d Directive, problem *Problem, ok bool) {
	if s.past {
		return Directive{}, nil, false
	}
	body := trimLeft(s.src, source.Span{Start: span.Start + 1, End: span.End})
	m := directiveLine.FindSubmatchIndex([]byte(s.src[body.Start:body.End]))
	var name string
	if m != nil {
		name = strings.ToLower(s.src[body.Start+m[2] : body.Start+m[3]])
	}
	if name != "syntax" && name != "escape" && name != "check" {
		s.past = true
		return Directive{}, nil, false
	}
	d = Directive{
		Span: span,
		Name: Word{source.Span{Start: body.Start + m[2], End: body.Start + m[3]}, name},
		Value: Word{
			source.Span{Start: body.Start + m[4], End: body.Start + m[5]},
			strings.Clone(s.src[body.Start+m[4] : body.Start+m[5]]),
		},
	}
	switch {
	case s.directives[name]:
		problem = &Problem{
			Kind:    InvalidDirective,
			Span:    d.Name.Span,
			Message: "only one " + name + " parser directive can be used",
		}
	case name == "escape" && d.Value.Text != `\` && d.Value.Text != "`":
		problem = &Problem{
			Kind: InvalidDirective, Span: d.Value.Span, Suggestions: []string{"`", `\`},
			Message: "invalid escape token '" + d.Value.Text + "' does not match ` or \\",
		}
	case name == "escape":
		s.escape = d.Value.Text[0]
	}
	if s.directives == nil {
		s.directives = map[string]bool{}
	}
	s.directives[name] = true
	return d, problem, true
}

// comment notes a comment line for the instruction below; line has its leading white space yet, as in BuildKit, which
// cuts one byte, not the '#'.
func (s *scanner) comment(line string) {
	if text := strings.TrimSpace(line[1:]); text == "" {
		s.above = nil
	} else {
		s.above = append(s.above, strings.Clone(text))
	}
}

// extent is what the scanner finds of an instruction before its words are looked at.
type extent struct {
	logical  logical
	start    int // the first byte that is not white space
	end      int // the last line's end
	line     int // 1-based, of start
	comments []Comment
	empty    []source.Span // runs of empty lines, each with as many line terminators as lines
	long     []source.Span // lines that are too long
}

// instruction collects the lines of an instruction, whose first line is given without leading white space.
func (s *scanner) instruction(first source.Span, long bool) extent {
	x := extent{start: first.Start, end: first.End, line: s.line - 1}
	if long {
		x.long = append(x.long, first)
	}
	n, more := s.continued(s.src[first.Start:first.End])
	x.logical.base, x.logical.pieces = first.Start, []piece{{}}
	if !more {
		x.logical.text = strings.Clone(s.src[first.Start : first.Start+n])
		return x
	}
	var text bytes.Buffer
	text.WriteString(s.src[first.Start : first.Start+n])
	for more {
		start := s.pos
		span, ok := s.next()
		if !ok {
			break
		}
		x.end = span.End
		if s.tooLong(start) {
			x.long = append(x.long, span)
		}
		trimmed := trimLeft(s.src, span)
		switch {
		case trimmed.Len() > 0 && s.src[trimmed.Start] == '#':
			x.comments = append(x.comments, Comment{trimmed})
			continue
		case trimmed.Len() == 0:
			if last := len(x.empty) - 1; last >= 0 && x.empty[last].End == start {
				x.empty[last].End = s.pos
			} else {
				x.empty = append(x.empty, source.Span{Start: start, End: s.pos})
			}
			continue
		}
		n, more = s.continued(s.src[span.Start:span.End])
		x.logical.pieces = append(x.logical.pieces, piece{text.Len(), span.Start - first.Start})
		text.WriteString(s.src[span.Start : span.Start+n])
	}
	x.logical.text = text.String()
	if last := len(x.empty) - 1; last >= 0 && x.empty[last].End > x.end {
		// At the end of the file the instruction has no terminator to give: the one in front goes instead.
		run := &x.empty[last]
		run.Start = x.start + len(strings.TrimRight(s.src[x.start:run.Start], "\r\n"))
		run.End = x.end
	}
	return x
}
