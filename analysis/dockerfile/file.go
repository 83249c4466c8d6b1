// Package dockerfile is the document model: a lossless, error-tolerant reading of one Dockerfile.
//
// BuildKit's own parser gives every instruction its meaning; this package finds the instructions and
// keeps the exact byte span of each keyword, flag, word, heredoc and comment. Parsing never fails: it
// returns the tree and the problems, and one bad line costs one line. The package must not know the
// build context, the cache, diagnostics' wording for editors or any protocol.
package dockerfile

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// File is one parsed Dockerfile. It is immutable once Parse has returned it.
type File struct {
	Text         *source.Text
	Escape       byte // '\\' or '`'
	Directives   []Directive
	Comments     []Comment      // every comment line outside instructions, in order; directives are not comments
	Instructions []*Instruction // every instruction, in order
	Stages       []*Stage
	Problems     []Problem // all problems of the file, in order of position
	Excess       string    // what of it is larger than anybody writes; see TooLarge

	own   []Problem        // those of directives and comment lines
	named map[string][]int // the stages of each name
}

// These bound what is read of a file: many times what the largest has that we know of (254 instructions, 20 KB). With
// them no key takes long.
const (
	MostInstructions = 5_000
	MostBytes        = 256 << 10
	MostOfOne        = 64 << 10 // bytes of one instruction, without its heredocs
	MostNested       = 100      // variables within the default of another
)

// Largest says what a file may have at most.
var Largest = fmt.Sprintf("%d instructions, %d KiB, %d KiB in one instruction, or %d variables within each other",
	MostInstructions, MostBytes>>10, MostOfOne>>10, MostNested)

// TooLarge reports whether the file is larger than anybody writes. It is not read to its end then, nor what BuildKit
// makes of its instructions, so nothing is to be said of it as a whole.
func (f *File) TooLarge() bool { return f.Excess != "" }

// excess says what of the file is too large, or "".
func (f *File) excess() string {
	if n := f.Text.Len(); n > MostBytes {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	if len(f.Instructions) > MostInstructions {
		return fmt.Sprintf("more than %d instructions", MostInstructions)
	}
	for _, in := range f.Instructions {
		if n := in.ArgsSpan.End - in.Span.Start; n > MostOfOne {
			return fmt.Sprintf("an instruction of %d KiB in line %d", n>>10, in.Line)
		}
		if nested(in.spelt.line.text) > MostNested {
			return fmt.Sprintf("more than %d variables within each other in line %d", MostNested, in.Line)
		}
	}
	return ""
}

// nested is how many variables stand within each other in a text, if they are more than MostNested.
func nested(text string) (deepest int) {
	if strings.Count(text, "${") <= MostNested {
		return 0
	}
	depth := 0
	for i := range len(text) {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
			deepest = max(deepest, depth)
		case text[i] == '}' && depth > 0:
			depth--
		}
	}
	return deepest
}

// Directive is a parser directive line such as "# syntax=docker/dockerfile:1".
type Directive struct {
	Span  source.Span // the whole line without terminator
	Name  Word        // its Text is lower case
	Value Word
}

// Comment is one comment line, from its '#' to the end of the line.
type Comment struct{ Span source.Span }

// Word is a piece of text with its place. Text is the bytes of Span unless continuations lie within,
// which Text leaves out. Quotes and escapes are kept in Text.
type Word struct {
	Span source.Span
	Text string
}

// Flag is one "--name=value" of an instruction.
type Flag struct {
	Span     source.Span
	Name     Word // without "--"
	Value    Word // empty, with a span at the flag's end, if HasValue is false
	HasValue bool
}

// Heredoc is one here-document of an instruction.
type Heredoc struct {
	Name     string      // the delimiter without quotes
	Start    source.Span // the whole "<<-EOF" word
	NameSpan source.Span // the delimiter within it, without quotes
	// the lines between, with their terminators; up to the instruction's end if the heredoc is unterminated
	Body       source.Span
	Terminator source.Span // the closing delimiter; empty at the body's end if the heredoc is unterminated
	Expand     bool        // the delimiter is unquoted: variables in a COPY or ADD body are expanded
	Chomp      bool        // "<<-": leading tabs are removed
}

// Instruction is one instruction, whole: its continuation lines, the comments among them and its heredocs.
type Instruction struct {
	// Span reaches from the first byte that is not white space, nearly always the keyword's, to the last line's end,
	// without terminator.
	Span    source.Span
	Keyword Word // as typed
	// Meant is the canonical, upper-case instruction: the keyword itself where it is one ("run" is RUN), else the
	// instruction that it most likely means ("EVN" is ENV), else "".
	Meant string
	Flags []Flag
	// ArgsSpan covers everything behind the flags, up to the end of the last line that is no heredoc body.
	ArgsSpan source.Span
	// Args are the words of the arguments, split as BuildKit splits this instruction's: the strings of a JSON array,
	// with their quotes, where JSON is true; at white space only for ADD, COPY, EXPOSE, FROM and VOLUME; else with
	// quotes and escapes respected.
	Args     []Word
	JSON     bool // the arguments are a JSON array as BuildKit understands it
	Heredocs []Heredoc
	Comments []Comment // comment lines among the continuation lines
	// Node, Command and From are what BuildKit's parser makes of the instruction, after a misspelt keyword, flag or
	// mount option has been replaced by what it means. Node is nil where BuildKit's parser rejects the line, Command
	// where BuildKit rejects the instruction for any other reason than such a misspelling; FROM is in From. Their
	// locations count lines within the instruction and must not be used. They are shared between versions of the file:
	// whoever calls Expand, which changes a command in place, must get one of their own by Typed(Node).
	Node    *parser.Node
	Command instructions.Command
	From    *instructions.Stage
	// MountsRead says that Command is a RUN whose mounts are read already: no variable stands in its flags.
	MountsRead bool
	// Trigger is the instruction within an ONBUILD, nil elsewhere.
	Trigger *Instruction
	// Problems are this instruction's own problems, its trigger's included; they are in File.Problems too. That it has
	// no stage, which depends on its place, is only there.
	Problems []Problem
	Line     int // 1-based line of Span.Start
	EndLine  int // 1-based line of Span.End
	Stage    int // index into File.Stages, -1 above the first FROM

	spelt *spelling
	base  int // where the instruction's lines start, an ONBUILD's also for its trigger
}

// spelling is how an instruction is written, wherever in the file it stands. Moved instructions share it.
type spelling struct {
	line   logical // with base 0
	header header
	escape byte

	once   sync.Once // reads the mounts when they are asked for first
	mounts []Mount   // with base 0
}

// Is reports whether the instruction is another version's, with the same text and comments above it and so all that is
// read of them, perhaps at another place.
func (in *Instruction) Is(other *Instruction) bool { return in.spelt == other.spelt }

// logicalLine returns the instruction's text with its place in the file.
func (in *Instruction) logicalLine() *logical {
	line := in.spelt.line
	line.base = in.base
	return &line
}

// Stage is one build stage: a FROM and what follows up to the next.
type Stage struct {
	Index        int
	Name         string // lower case, "" if unnamed
	NameWord     Word   // as written behind AS
	Base         Word   // as written behind FROM, variables unexpanded
	From         *Instruction
	Instructions []*Instruction // the FROM first
	Span         source.Span    // from FROM's first byte to the last instruction's end
}

// ProblemKind says what sort of problem a Problem is, so that rules need not read its text.
type ProblemKind string

// The kinds of problems that reading a file can find.
const (
	UnknownInstruction  ProblemKind = "unknown-instruction"  // Suggestions holds what is most likely meant
	UnknownFlag         ProblemKind = "unknown-flag"         // likewise
	InvalidInstruction  ProblemKind = "invalid-instruction"  // BuildKit rejects the instruction's arguments or flag values
	InvalidDirective    ProblemKind = "invalid-directive"    // a parser directive is repeated or has a bad value
	UnterminatedHeredoc ProblemKind = "unterminated-heredoc" // the file ends within a heredoc
	EmptyContinuation   ProblemKind = "empty-continuation"   // an empty line within a continued instruction (a warning)
	NoStage             ProblemKind = "no-stage"             // an instruction other than ARG above the first FROM, or no FROM at all
	LineTooLong         ProblemKind = "line-too-long"        // longer than BuildKit's scanner takes
)

// Problem is something that BuildKit would reject or warn about while reading the file.
type Problem struct {
	Kind        ProblemKind
	Span        source.Span // as narrow as can be told: the word at fault
	Message     string      // lower case, no line numbers
	Suggestions []string    // replacements for the text of Span, the likeliest first; may be empty
	Sure        bool        // the first suggestion is what is meant, however little it resembles what is written
	Warning     bool        // BuildKit builds the file nevertheless
}

// BehindDirectives is the number of the line behind the directives, of which each takes one, from the first on.
func (f *File) BehindDirectives() int { return f.Text.FirstLine() + len(f.Directives) }

// InstructionAt returns the instruction whose lines hold offset, or nil.
func (f *File) InstructionAt(offset int) *Instruction {
	i := sort.Search(len(f.Instructions), func(i int) bool { return f.Instructions[i].Span.End >= offset })
	if i < len(f.Instructions) && f.Instructions[i].Span.Contains(offset) {
		return f.Instructions[i]
	}
	return nil
}
