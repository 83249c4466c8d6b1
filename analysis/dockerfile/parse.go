package dockerfile

import (
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
)

// Parse reads a Dockerfile. It never fails and never panics. Where prev, which may be nil, is an earlier version of the
// file, instructions that are unchanged are taken over from it, so that an edit costs little more than the edited line.
// Of a file that is too large only the beginning is read.
func Parse(text *source.Text, prev *File) *File {
	f := &File{Text: text, Escape: '\\'}
	s := &scanner{src: text.String(), line: text.FirstLine() + 1, escape: '\\', stage: -1}
	marked := strings.HasPrefix(s.src, byteOrderMark)
	if marked {
		s.pos = len(byteOrderMark)
	}
	var c *change
	if prev != nil && !prev.TooLarge() {
		c = compare(prev, s.src)
		f.takeHead(c, s)
	}
	var all []found
	for len(f.Instructions) <= MostInstructions && s.pos <= MostBytes {
		start, before := s.pos, len(f.Instructions)
		line, ok := s.next()
		if !ok {
			break
		}
		if marked && start == len(byteOrderMark) {
			start = 0 // it counts where BuildKit's scanner measures the line
		}
		all = f.read(s, start, line, all)
		if c != nil && len(f.Instructions) > before && f.takeTail(c, s) {
			break
		}
	}
	f.Escape = s.escape
	f.Excess = f.excess()
	s.interpretAll(all, f.TooLarge())
	f.finish()
	return f
}

const byteOrderMark = "\xEF\xBB\xBF"

// read reads what begins with the given line: nothing, a directive, a comment or an instruction, which is added to all
// that were found.
func (f *File) read(s *scanner, start int, whole source.Span, all []found) []found {
	line := trimLeft(s.src, whole)
	long := s.tooLong(start)
	if line.Len() > 0 && s.src[line.Start] != '#' {
		s.past = true
		one := s.instructionAt(line, long)
		in := one.in
		if in.Meant == "FROM" {
			s.stage++
		}
		in.Stage = s.stage
		if in.Trigger != nil {
			in.Trigger.Stage = s.stage
		}
		f.Instructions = append(f.Instructions, in)
		return append(all, one)
	}
	if long {
		f.own = append(f.own, Problem{Kind: LineTooLong, Span: line, Message: lineTooLong})
	}
	if line.Len() == 0 {
		s.past = true
		return all
	}
	if d, problem, ok := s.directive(line); ok {
		f.Directives = append(f.Directives, d)
		if problem != nil {
			f.own = append(f.own, *problem)
		}
		return all
	}
	f.Comments = append(f.Comments, Comment{line})
	s.comment(s.src[whole.Start:whole.End])
	return all
}

// finish groups the instructions by stage and collects all problems.
func (f *File) finish() {
	f.Problems = append(f.Problems, f.own...)
	f.named = map[string][]int{}
	var early *Instruction // the first that needs a stage and has none
	for i, in := range f.Instructions {
		if in.Meant == "FROM" {
			stage := newStage(len(f.Stages), in)
			f.Stages = append(f.Stages, stage)
			if stage.Name != "" {
				f.named[stage.Name] = append(f.named[stage.Name], stage.Index)
			}
		}
		if in.Stage >= 0 {
			stage := f.Stages[in.Stage]
			stage.Instructions = f.Instructions[i-len(stage.Instructions) : i+1 : i+1]
			stage.Span.End = in.Span.End
		} else if early == nil && in.Meant != "ARG" {
			early = in
		}
		f.Problems = append(f.Problems, in.Problems...)
	}
	end := source.Span{Start: f.Text.Len(), End: f.Text.Len()}
	// BuildKit counts lines by their ends.
	if last := f.Text.Line(f.Text.EndLine() - 1); last.Start > 0 && last.Len() == 0 {
		at := f.Text.Line(f.Text.EndLine() - 2).End
		end = source.Span{Start: at, End: at}
	}
	switch {
	case len(f.Instructions) == 0:
		f.Problems = append(f.Problems, Problem{Kind: NoStage, Span: end, Message: "file with no instructions"})
	case early != nil && early.Meant != "":
		f.Problems = append(f.Problems, Problem{
			Kind: NoStage, Span: early.Keyword.Span, Message: "no build stage in current " +
				"context: " + early.Meant + " stands above the first FROM",
		})
	case early == nil && len(f.Stages) == 0:
		f.Problems = append(
			f.Problems,
			Problem{Kind: NoStage, Span: end, Message: "dockerfile contains no stages to build"},
		)
	}
	sortProblems(f.Problems)
}

// newStage returns the stage that a FROM begins.
func newStage(index int, from *Instruction) *Stage {
	s := &Stage{Index: index, From: from, Span: from.Span}
	if len(from.Args) > 0 {
		s.Base = from.Args[0]
	}
	if len(from.Args) > 2 && strings.EqualFold(from.Args[1].Text, "as") {
		s.NameWord = from.Args[2]
		s.Name = strings.ToLower(s.NameWord.Text)
	}
	return s
}
