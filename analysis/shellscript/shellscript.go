// Package shellscript reads the shell commands of a Dockerfile: of RUN, CMD, ENTRYPOINT and HEALTHCHECK in shell
// form, and scripts in heredocs. What shells read that are like Bash is parsed; of PowerShell and the command prompt
// of Windows only the words are told apart. It must not run anything.
package shellscript

import (
	"errors"
	"path"
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// Script is what a shell gets to read.
type Script struct {
	Text string
	// Place returns where in the file a part of Text lies.
	Place func(from, to int) source.Span
	// Runtime says that the script runs when a container does, not while the image is built.
	Runtime bool

	interpreter string // the program that a "#!" line names, "" if there is none
	mixed       bool   // a command with heredocs as its input
}

// Language is how a shell reads commands.
type Language int

// The languages.
const (
	Unknown    Language = iota
	Bash                // as Bash does
	PowerShell          // on Windows or elsewhere
	Cmd                 // the command prompt of Windows
)

// LanguageOf returns how a program reads commands, by its name.
func LanguageOf(program string) Language {
	name := strings.ToLower(program[strings.LastIndexAny(program, `/\`)+1:])
	switch strings.TrimSuffix(name, ".exe") {
	case "bash", "sh", "ash", "dash", "ksh", "zsh":
		return Bash
	case "powershell", "pwsh":
		return PowerShell
	case "cmd":
		return Cmd
	}
	return Unknown
}

// Span returns where in the file a node of the parsed script lies.
func (s *Script) Span(n syntax.Node) source.Span {
	return s.Place(int(n.Pos().Offset()), int(n.End().Offset()))
}

// The bounds on a script that is parsed: its length in bytes, and how deeply commands may stand within each other.
// What people write is far below them; what is beyond would take long, or all of the stack.
const (
	maxScript  = 256 << 10
	maxNesting = 64
)

// ErrTooLarge says that a script is too long or too deep to be parsed.
var ErrTooLarge = errors.New("the script is too long, or its commands are nested too deeply")

// Bounded reports whether a script is short enough, and its commands are not nested too deeply, to be parsed. It
// counts what may open a level, generously: brackets, and the words that begin compound commands.
func Bounded(text string) bool {
	if len(text) > maxScript {
		return false
	}
	round, curly, words := 0, 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '(':
			round++
		case c == ')':
			round = max(0, round-1)
		case c == '{':
			curly++
		case c == '}':
			curly = max(0, curly-1)
		case 'a' <= c && c <= 'z' && (i == 0 || !isLetter(text[i-1]) && !isDigit(text[i-1])):
			end := name(text, i)
			switch text[i:end] {
			case "if", "case", "for", "while", "until", "select":
				words++
			case "fi", "esac", "done":
				words = max(0, words-1)
			}
			i = end - 1
		}
		if round+curly+words > maxNesting {
			return false
		}
	}
	return true
}

// ParseStrict returns the commands of a script as Bash reads them. The error is [ErrTooLarge], or says where it is malformed: a
// [syntax.ParseError].
func ParseStrict(text string) (*syntax.File, error) {
	if !Bounded(text) {
		return nil, ErrTooLarge
	}
	return syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
}

// Parse returns the commands of the script. If it is malformed, as while somebody types, it returns an error and as
// much as can be read, perhaps nil.
func (s *Script) Parse() (*syntax.File, error) {
	if !Bounded(s.Text) {
		return nil, ErrTooLarge
	}
	return syntax.NewParser(
		syntax.Variant(syntax.LangBash),
		syntax.KeepComments(true),
		syntax.RecoverErrors(16),
	).Parse(
		strings.NewReader(s.Text),
		"",
	)
}

// Of returns what the shell reads of an instruction, of an ONBUILD's trigger if it is one; nil if no shell reads it,
// or a "#!" line names a program that does not read it as Bash does. That the shell is one that does, Reader tells.
func Of(file *dockerfile.File, in *dockerfile.Instruction) *Script {
	s := of(file, in)
	if s != nil && s.interpreter != "" && LanguageOf(s.interpreter) != Bash {
		return nil
	}
	return s
}

// Read is Of for all languages: it returns how the script is read too, which is as the stage's shell does unless the
// script names a program for itself.
func Read(file *dockerfile.File, in *dockerfile.Instruction, shell Language) (*Script, Language) {
	s := of(file, in)
	switch {
	case s == nil:
		return nil, Unknown
	case s.interpreter != "":
		return s, LanguageOf(s.interpreter)
	case s.mixed && shell != Bash: // only such shells know heredocs
		return s, Unknown
	}
	return s, shell
}

func of(file *dockerfile.File, in *dockerfile.Instruction) *Script {
	if in.Trigger != nil {
		in = in.Trigger
	}
	text, place := in.Logical()
	s := &Script{Text: text, Place: place, Runtime: in.Meant != "RUN"}
	switch in.Meant {
	case "RUN", "CMD", "ENTRYPOINT":
	case "HEALTHCHECK":
		if len(in.Args) < 2 || !strings.EqualFold(in.Args[0].Text, "CMD") {
			return nil
		}
		skip := len(in.Args[0].Text)
		s.Text, s.Place = text[skip:], func(from, to int) source.Span { return place(from+skip, to+skip) }
	default:
		return nil
	}
	if in.JSON || text == "" || strings.HasPrefix(strings.TrimSpace(s.Text), "[") && in.Node == nil {
		return nil
	}
	if len(in.Heredocs) == 0 {
		return s
	}
	bodies := source.Span{Start: in.Heredocs[0].Body.Start, End: in.Span.End}
	alone := len(in.Heredocs) == 1 && file.Text.Slice(in.ArgsSpan) == file.Text.Slice(in.Heredocs[0].Start)
	if alone {
		bodies = in.Heredocs[0].Body
		s.Text = file.Text.Slice(bodies)
		s.Place = func(from, to int) source.Span {
			return source.Span{Start: min(bodies.Start+from, bodies.End), End: min(bodies.Start+to, bodies.End)}
		}
		if line, _, _ := strings.Cut(s.Text, "\n"); strings.HasPrefix(line, "#!") {
			s.interpreter = interpreter(line)
		}
		return s
	}
	s.mixed = true
	s.Text = text + "\n" + file.Text.Slice(bodies)
	s.Place = func(from, to int) source.Span {
		if from <= len(text) {
			return place(from, min(to, len(text)))
		}
		shift := bodies.Start - len(text) - 1
		return source.Span{Start: from + shift, End: to + shift}
	}
	return s
}

// interpreter returns the program that a "#!" line names.
func interpreter(line string) string {
	fields := strings.Fields(line[2:])
	if len(fields) > 1 && path.Base(fields[0]) == "env" {
		fields = fields[1:]
	}
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

// Reader returns a function that reports whether the shell of an instruction reads commands as Bash does, as far as
// the file tells: bases are the stages that the stages are built on, -1 for images.
func Reader(file *dockerfile.File, bases []int) func(in *dockerfile.Instruction) bool {
	languages := Languages(file, bases)
	return func(in *dockerfile.Instruction) bool { return languages(in) == Bash }
}

// Languages returns a function that tells how the shell of an instruction reads commands, as far as the file tells.
func Languages(file *dockerfile.File, bases []int) func(in *dockerfile.Instruction) Language {
	usual := Bash
	if file.Escape != '\\' {
		usual = Cmd // only Windows needs that
	}
	shells := map[int][]*dockerfile.Instruction{} // by stage
	for _, in := range file.Instructions {
		if in.Meant == "SHELL" && in.Stage >= 0 {
			shells[in.Stage] = append(shells[in.Stage], in)
		}
	}
	sets := func(shell *dockerfile.Instruction) Language {
		if c, ok := shell.Command.(*instructions.ShellCommand); ok && len(c.Shell) > 0 {
			return LanguageOf(c.Shell[0])
		}
		return Unknown
	}
	// where a stage begins and ends
	first, last := make([]Language, len(file.Stages)), make([]Language, len(file.Stages))
	for i, stage := range file.Stages {
		if base := bases[i]; base >= 0 {
			first[i] = last[base]
		} else {
			first[i] = languageOfImage(stage.Base.Text, usual)
		}
		last[i] = first[i]
		if list := shells[i]; len(list) > 0 {
			last[i] = sets(list[len(list)-1])
		}
	}
	return func(in *dockerfile.Instruction) Language {
		if in.Stage < 0 {
			return usual
		}
		list := shells[in.Stage]
		above := sort.Search(len(list), func(i int) bool { return list[i].Span.Start >= in.Span.Start })
		if above == 0 {
			return first[in.Stage]
		}
		return sets(list[above-1])
	}
}

// languageOfImage returns how the shell of an image reads commands.
func languageOfImage(image string, usual Language) Language {
	switch image = strings.ToLower(image); {
	case !images.Windows(image):
		return usual
	case strings.Contains(image, "powershell"):
		return Unknown // on Windows it sets SHELL, elsewhere not
	}
	return Cmd
}
