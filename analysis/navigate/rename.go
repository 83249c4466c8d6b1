package navigate

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
)

// Rename is what renaming a symbol changes.
type Rename struct {
	Symbol *Symbol
	Edits  []source.Edit
	// Beyond says what outside of the edits knows the old name too: sentences for people.
	Beyond []string
}

// Renamable returns the occurrence at an offset whose symbol can be renamed, or an error that says why it can't; nil
// where nothing is named.
func (x *Index) Renamable(offset int) (*Occurrence, error) {
	o := x.At(offset)
	if o == nil {
		return nil, nil
	}
	s := o.Symbol
	switch {
	case x.File.TooLarge():
		return nil, errors.New("the file is too large to be read to its end")
	case s.Kind == Outside && Predefined(s.Name), s.Kind == Variable && Predefined(s.Name):
		return nil, fmt.Errorf("%s is set by BuildKit, by that name", s.Name)
	case s.Kind == Outside:
		return nil, fmt.Errorf("%s is not set in this file", s.Name)
	case s.Kind == Variable && wellKnown[s.Name]:
		return nil, fmt.Errorf("programs look for %s by that name", s.Name)
	case s.Kind == Local:
		return nil, fmt.Errorf("%s belongs to the shell commands on line %d, not to the Dockerfile", s.Name, o.In.Line)
	case s.Kind == Image:
		return nil, fmt.Errorf("%s is an image, not a stage of this file", s.Name)
	case s.Kind == Stage && s.Name == "":
		return nil, fmt.Errorf("the stage has no name: write AS and a name behind its FROM")
	case o.Fixed:
		return nil, fmt.Errorf("the stage %s is named by its number here", s.Name)
	case s.Kind == Heredoc && len(s.Uses) < 2:
		return nil, fmt.Errorf("the heredoc is not closed: no line is %s", s.Name)
	case s.Kind == Variable:
		if in := x.variables.unsure[s]; in != nil {
			return nil, fmt.Errorf(
				"the shell commands on line %d may set %s for themselves and read it then: rename that first",
				in.Line,
				s.Name,
			)
		}
	}
	return o, nil
}

// wellKnown are variables that many programs look for.
var wellKnown = map[string]bool{
	"PATH":  true,
	"HOME":  true,
	"USER":  true,
	"SHELL": true,
	"PWD":   true,
	"TERM":  true,
	"LANG":  true,
	"TZ":    true,
	"IFS":   true,
}

// Rename returns the edits that give the symbol at an offset a new name. It returns an error where the file would mean
// something else then, or where the name is not possible.
func (x *Index) Rename(offset int, name string) (*Rename, error) {
	o, err := x.Renamable(offset)
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, fmt.Errorf("there is nothing to rename here")
	}
	s := o.Symbol
	r := &Rename{Symbol: s}
	switch s.Kind {
	case Stage:
		err = x.renameStage(r, name)
	case Variable:
		err = x.renameVariable(r, name)
	case Heredoc:
		err = x.renameHeredoc(r, name)
	}
	if err != nil {
		return nil, err
	}
	for _, use := range s.Uses {
		if !use.Fixed && x.File.Text.Slice(use.Span) != name {
			r.Edits = append(r.Edits, source.Edit{Span: use.Span, NewText: name})
		}
	}
	return r, nil
}

var stageName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-_.]*$`) // validStageName in BuildKit's instructions package

func (x *Index) renameStage(r *Rename, name string) error {
	s := r.Symbol
	switch {
	case !stageName.MatchString(name):
		return fmt.Errorf("%q cannot name a stage: a letter comes first, then letters, digits, '-', '_' and '.'", name)
	case lower(name) == "scratch" || lower(name) == "context":
		return fmt.Errorf("the name %s is reserved", name)
	}
	if indirect := x.indirect[s.Stage]; len(indirect) > 0 && lower(name) != s.Name {
		return fmt.Errorf(
			"line %d names the stage through a variable (%s), which would not follow",
			indirect[0].Line,
			x.File.Stages[indirect[0].Stage].Base.Text,
		)
	}
	for i, stage := range x.File.Stages {
		if i != s.Stage && stage.Name == lower(name) {
			return fmt.Errorf("the stage on line %d is named %s already", stage.From.Line, name)
		}
		if pattern := x.pattern(stage); pattern != nil && i > s.Stage && lower(name) != s.Name &&
			pattern.MatchString(lower(name)) {
			return fmt.Errorf("%s on line %d may mean %s, too", stage.Base.Text, stage.From.Line, name)
		}
		if i != s.Stage && x.Bases[i] < 0 && lower(stage.Base.Text) == lower(name) {
			return fmt.Errorf(
				"line %d is built on an image %s: it would be this stage then",
				stage.From.Line,
				stage.Base.Text,
			)
		}
	}
	for _, ref := range x.File.StageReferences() {
		if ref.Use != dockerfile.ByFrom && lower(ref.Word.Text) == lower(name) && lower(name) != s.Name {
			return fmt.Errorf(
				"line %d takes files from an image %s: it would be this stage then",
				ref.In.Line,
				ref.Word.Text,
			)
		}
	}
	for _, use := range s.Uses {
		if inner(use.In).Meant == "FROM" && use.Access == Read && name != lower(name) {
			return fmt.Errorf(
				"the FROM on line %d finds a stage by a lower-case name only: take %s",
				use.In.Line,
				lower(name),
			)
		}
	}
	if lower(name) != s.Name {
		r.Beyond = append(
			r.Beyond,
			fmt.Sprintf(
				"Where %s is built by name (docker build --target, compose and bake files), change it too.",
				s.Name,
			),
		)
	}
	return nil
}

func (x *Index) renameVariable(r *Rename, name string) error {
	s := r.Symbol
	switch {
	case !isName(name):
		return fmt.Errorf("%q cannot name a variable: letters, digits and '_', no digit first", name)
	case Predefined(name):
		return fmt.Errorf("%s is set by BuildKit", name)
	case wellKnown[name]:
		return fmt.Errorf("programs look for %s by that name", name)
	case name == s.Name:
		return nil
	}
	// All scopes in which both names could be seen.
	related := func(a, b int) bool {
		if a < 0 || b < 0 {
			return a == b
		}
		return a == b || x.lineage.BuiltOn(a, b) || x.lineage.BuiltOn(b, a)
	}
	near := func(scope int) bool {
		return slices.ContainsFunc(s.scopes, func(own int) bool { return related(own, scope) })
	}
	if err := x.nameTaken(name, near); err != nil {
		return err
	}
	x.unreadUses(r, near)
	env, arg := false, false
	for _, use := range s.Uses {
		if use.Access == Write {
			is := inner(use.In).Meant == "ENV"
			env, arg = env || is, arg || !is
		}
	}
	if arg {
		r.Beyond = append(r.Beyond, fmt.Sprintf(
			"Where %s is given to a build (docker build --build-arg, compose and bake files), change it too.", s.Name))
	}
	if env {
		r.Beyond = append(
			r.Beyond,
			fmt.Sprintf("Programs that read %s from their environment look for the old name.", s.Name),
		)
	}
	return nil
}

// nameTaken returns an error if another variable has the name in a scope that is near.
func (x *Index) nameTaken(name string, near func(scope int) bool) error {
	for _, other := range x.Symbols {
		if other.Name != name || other.Kind == Stage || other.Kind == Heredoc || other.Kind == Image {
			continue
		}
		for _, use := range other.Uses {
			scope := scopeOf(use.In)
			if inner(use.In).Meant == "FROM" {
				scope = -1
			}
			if near(scope) {
				return fmt.Errorf("the name %s is taken: see line %d", name, use.In.Line)
			}
		}
	}
	return nil
}

// unreadUses adds to r.Beyond where a variable's name may stand in scopes that are near, but is not read.
func (x *Index) unreadUses(r *Rename, near func(scope int) bool) {
	name, open := r.Symbol.Name, false
	for _, in := range x.File.Instructions {
		if !near(in.Stage) && in.Meant != "FROM" {
			continue
		}
		if line := x.quoted(in, name); line > 0 {
			r.Beyond = append(r.Beyond, fmt.Sprintf(
				"Line %d names $%s in quotes or in a list of strings, where it is left as it is: a program may "+
					"expand it.",
				line,
				name,
			))
		}
		script, language := shellscript.Read(x.File, in, x.variables.shells(in))
		if script != nil && language == shellscript.Unknown {
			open = open || strings.Contains(script.Text, name)
		}
	}
	if open {
		r.Beyond = append(r.Beyond, "Commands for another shell than sh, Bash, PowerShell or cmd are not read.")
	}
}

// quoted returns the line of a "$name" in an instruction that is no occurrence, 0 if there is none.
func (x *Index) quoted(in *dockerfile.Instruction, name string) int {
	text := x.File.Text.Slice(in.Span)
	for _, start := range []string{"$", "${"} {
		for at := 0; ; {
			n := strings.Index(text[at:], start+name)
			if n < 0 {
				break
			}
			at += n + len(start)
			if end := at + len(name); end < len(text) && isName("_"+text[end:end+1]) {
				continue
			}
			if o := x.At(in.Span.Start + at); o == nil || o.Symbol.Name != name {
				return x.File.Text.LineAt(in.Span.Start+at) + 1
			}
		}
	}
	return 0
}

var heredocName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$`)

func (x *Index) renameHeredoc(r *Rename, name string) error {
	if !heredocName.MatchString(name) {
		return fmt.Errorf("%q cannot end a heredoc: letters, digits, '_', '.' and '-'", name)
	}
	in := inner(r.Symbol.in)
	for _, doc := range in.Heredocs {
		if doc.NameSpan != r.Symbol.Uses[0].Span {
			continue
		}
		for line := range strings.Lines(x.File.Text.Slice(doc.Body)) {
			line = strings.TrimRight(line, "\r\n")
			if doc.Chomp {
				line = strings.TrimLeft(line, "\t")
			}
			if line == name {
				return fmt.Errorf("a line of the heredoc is %s: it would end there", name)
			}
		}
		if in.Meant != "RUN" {
			r.Beyond = append(r.Beyond, "If the heredoc is copied into a directory, its name is the file's.")
		}
	}
	return nil
}
