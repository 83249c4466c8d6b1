// Package navigate knows what the names in a Dockerfile stand for: stages, variables and the delimiters of heredocs,
// with every place that names them, as BuildKit resolves them. From that come the answers to go-to-definition,
// find-references, highlighting and renaming. The package must not know any protocol, and reads nothing but the file.
package navigate

import (
	"slices"
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
)

// Kind says what a name stands for.
type Kind string

// The kinds of symbols.
const (
	Stage    Kind = "stage"
	Variable Kind = "variable" // an ARG or ENV, in all scopes in which it is one and the same
	Local    Kind = "local"    // a variable that the commands of one RUN set for themselves
	Outside  Kind = "outside"  // a variable that the file does not set: predefined, of the base image, or of nobody
	Image    Kind = "image"    // what FROM or --from takes and is no stage
	Heredoc  Kind = "heredoc"  // a delimiter
)

// Symbol is something that has a name. It is one symbol if renaming it in one place only would change what the file
// means.
type Symbol struct {
	Kind  Kind
	Name  string        // a stage's in lower case
	Uses  []*Occurrence // all of them, in order of position; definitions too
	Stage int           // of a Stage: its index

	in     *dockerfile.Instruction // of a Heredoc or Local
	scopes []int                   // of a Variable: the stages that define it, -1 for the ARGs above the first FROM
}

// Access says what an occurrence does with what it names.
type Access int

// The accesses.
const (
	Read Access = iota
	Write
)

// Occurrence is one place that names a symbol.
type Occurrence struct {
	Span   source.Span // the name alone
	Access Access
	Symbol *Symbol
	In     *dockerfile.Instruction
	// Definition is what the occurrence means: for a variable's use, the ENV or ARG that gives it its value there; for
	// an ARG that takes its default from above the first FROM, that; for other definitions themselves; nil if the file
	// has none.
	Definition *Occurrence
	// Fixed says that the name does not stand here, as in COPY --from=0, which names the first stage by its number.
	Fixed bool
}

// Index is all that is named in one version of a file. It is immutable.
type Index struct {
	File        *dockerfile.File
	Symbols     []*Symbol     // those of stages first, then in order of their first occurrence
	Occurrences []*Occurrence // in order of position; they do not overlap
	Bases       []int         // the stage that each stage is built on, -1 for an image

	variables *variables
	lineage   *scope.Lineage
	indirect  map[int][]*dockerfile.Instruction // by stage: the FROMs that name it through a variable
}

// New reads the names of a file.
func New(file *dockerfile.File) *Index {
	x := &Index{File: file, indirect: map[int][]*dockerfile.Instruction{}}
	x.variables = newVariables(x)
	x.stages()
	x.variables.resolve()
	x.heredocs()
	for _, o := range x.Occurrences {
		o.Symbol.Uses = append(o.Symbol.Uses, o)
	}
	slices.SortStableFunc(x.Occurrences, func(a, b *Occurrence) int { return a.Span.Start - b.Span.Start })
	// A name in a default value, as in ${A:-$B}, stands within another's use, but not within its name: nothing
	// overlaps, unless the text is broken.
	end := 0
	x.Occurrences = slices.DeleteFunc(x.Occurrences, func(o *Occurrence) bool {
		if o.Span.Start < end {
			o.Symbol.Uses = slices.DeleteFunc(o.Symbol.Uses, func(u *Occurrence) bool { return u == o })
			return true
		}
		end = o.Span.End
		return false
	})
	for _, s := range x.Symbols {
		slices.SortStableFunc(s.Uses, func(a, b *Occurrence) int { return a.Span.Start - b.Span.Start })
	}
	return x
}

// At returns what is named at an offset, or nil. Behind a name counts as on it.
func (x *Index) At(offset int) *Occurrence {
	i := sort.Search(len(x.Occurrences), func(i int) bool { return x.Occurrences[i].Span.End >= offset })
	if i < len(x.Occurrences) && x.Occurrences[i].Span.Contains(offset) {
		if o := x.Occurrences[i]; o.Span.End == offset && i+1 < len(x.Occurrences) &&
			x.Occurrences[i+1].Span.Start == offset {
			return x.Occurrences[i+1]
		}
		return x.Occurrences[i]
	}
	return nil
}

// StageSymbol returns the symbol of a stage. Stages without a name have one too.
func (x *Index) StageSymbol(stage int) *Symbol { return x.Symbols[stage] }

func (x *Index) add(s *Symbol, in *dockerfile.Instruction, span source.Span, access Access) *Occurrence {
	o := &Occurrence{Span: span, Access: access, Symbol: s, In: in}
	x.Occurrences = append(x.Occurrences, o)
	return o
}

// heredocs finds the delimiters.
func (x *Index) heredocs() {
	for _, in := range x.File.Instructions {
		for _, doc := range in.Heredocs {
			if doc.NameSpan.Len() == 0 {
				continue
			}
			s := &Symbol{Kind: Heredoc, Name: doc.Name, in: in}
			x.Symbols = append(x.Symbols, s)
			def := x.add(s, in, doc.NameSpan, Write)
			def.Definition = def
			if doc.Terminator.Len() > 0 {
				x.add(s, in, doc.Terminator, Read).Definition = def
			}
		}
	}
}

// first returns the first n bytes of an argument, which may lie on several lines.
func (x *Index) first(in *dockerfile.Instruction, word dockerfile.Word, n int) dockerfile.Word {
	start := word.Span.Start
	word.Span.End, word.Text = start+n, word.Text[:n]
	if x.File.Text.Slice(word.Span) != word.Text {
		text, place := in.Logical()
		for at := range text {
			if span := place(at, at+n); span.Start == start {
				word.Span = span
				break
			}
		}
	}
	return word
}

// word returns a word's place if its text stands there in one piece.
func (x *Index) word(w dockerfile.Word) (source.Span, bool) {
	return w.Span, w.Text != "" && x.File.Text.Slice(w.Span) == w.Text
}

// inner returns the instruction itself, or what an ONBUILD triggers.
func inner(in *dockerfile.Instruction) *dockerfile.Instruction {
	if in.Trigger != nil {
		return in.Trigger
	}
	return in
}

// isName reports whether s can be the name of a variable.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// lower is how BuildKit compares the names of stages.
func lower(s string) string { return strings.ToLower(s) }
