package dockerfile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// agree returns how our reading of a file differs from BuildKit's, or "", and whether BuildKit takes the file.
func agree(text string) (difference string, accepted bool) {
	f := dockerfile.Parse(source.New(text), nil)
	result, err := parser.Parse(strings.NewReader(text))
	if err == nil {
		difference = sameNodes(f, result)
		if difference != "" {
			return difference, true
		}
		_, _, err = instructions.Parse(result.AST, linter.New(&linter.Config{}))
	}
	var first *dockerfile.Problem
	for i := range f.Problems {
		if !f.Problems[i].Warning {
			first = &f.Problems[i]
			break
		}
	}
	switch {
	case err == nil && first == nil:
		return "", true
	case err == nil && (first.Message == "dockerfile contains no stages to build" || isMount(f, first)):
		return "", true // said by the conversion behind the parser
	case err == nil:
		return fmt.Sprintf("BuildKit accepts it, we say %q", first.Message), true
	case first == nil:
		return fmt.Sprintf("BuildKit says %q, we accept it", err), false
	}
	if misread(f) >= 0 {
		return "", false
	}
	return sameLine(f, err), false
}

// isMount reports whether a problem lies in a --mount, which BuildKit reads only when it expands its variables.
func isMount(f *dockerfile.File, p *dockerfile.Problem) bool {
	in := f.InstructionAt(p.Span.Start)
	return in != nil && slices.ContainsFunc(in.Flags, func(fl dockerfile.Flag) bool {
		return strings.HasPrefix(in.Node.Flags[slices.Index(in.Flags, fl)], "--mount=") &&
			fl.Span.Contains(p.Span.Start)
	})
}

// sameLine checks that one of our errors is on the lines of BuildKit's.
func sameLine(f *dockerfile.File, err error) string {
	located, ok := err.(*parser.LocationError)
	for e := err; !ok && e != nil; {
		u, can := e.(interface{ Unwrap() error })
		if !can {
			break
		}
		e = u.Unwrap()
		located, ok = e.(*parser.LocationError)
	}
	if !ok || len(located.Locations) == 0 || len(located.Locations[0]) == 0 {
		return ""
	}
	lines := located.Locations[0]
	from, to := lines[0].Start.Line, lines[len(lines)-1].End.Line
	for _, p := range f.Problems {
		start := f.Text.LineAt(p.Span.Start) + 1
		// BuildKit counts directive lines from 0, and says of a line that is too long only where it began to give up.
		if !p.Warning &&
			(from <= start && start <= to || p.Kind == dockerfile.InvalidDirective ||
				p.Kind == dockerfile.LineTooLong || p.Kind == dockerfile.NoStage) {
			return ""
		}
	}
	return fmt.Sprintf("BuildKit says %q on lines %d to %d, we have %v", err, from, to, f.Problems)
}

func sameNodes(f *dockerfile.File, result *parser.Result) string {
	differ := misread(f)
	if differ < 0 && len(f.Instructions) != len(result.AST.Children) {
		return fmt.Sprintf("%d instructions, BuildKit has %d", len(f.Instructions), len(result.AST.Children))
	}
	if rune(f.Escape) != result.EscapeToken {
		return fmt.Sprintf("escape %q, BuildKit has %q", f.Escape, result.EscapeToken)
	}
	warned := 0
	for i, node := range result.AST.Children {
		if i == differ {
			return ""
		}
		in := f.Instructions[i]
		if in.Line != node.StartLine || in.EndLine != node.EndLine {
			return fmt.Sprintf(
				"instruction %d on lines %d to %d, BuildKit has %d to %d",
				i,
				in.Line,
				in.EndLine,
				node.StartLine,
				node.EndLine,
			)
		}
		if has(in, dockerfile.EmptyContinuation) {
			warned++
		}
		if has(in, dockerfile.UnknownInstruction) {
			continue // ours is what is meant
		}
		if in.Node == nil {
			return fmt.Sprintf("instruction %d was rejected: %v", i, in.Problems)
		}
		if _, err := dockerfile.Typed(node); err != nil {
			if in.Command != nil || in.From != nil {
				if !has(in, dockerfile.UnknownFlag) {
					return fmt.Sprintf("instruction %d has a command, BuildKit says %v", i, err)
				}
			}
			continue
		}
		if slices.ContainsFunc(in.Problems, func(p dockerfile.Problem) bool { return isMount(f, &p) }) {
			continue // likewise
		}
		if in.Node.Dump() != node.Dump() || in.Node.Original != node.Original ||
			!slices.Equal(in.Node.Heredocs, node.Heredocs) ||
			!reflect.DeepEqual(in.Node.Attributes, node.Attributes) ||
			!slices.Equal(in.Node.PrevComment, node.PrevComment) {
			return fmt.Sprintf("instruction %d:\n%+v\nBuildKit has\n%+v", i, in.Node, node)
		}
		var ours any = in.Command
		if in.From != nil {
			ours = in.From
		}
		// The whole file's node at the same place gives the same command, its location apart.
		moved := *node
		if len(moved.PrevComment) == 0 {
			moved.PrevComment = nil
		}
		moved.StartLine, moved.EndLine = in.Node.StartLine, in.Node.EndLine
		value, _ := dockerfile.Typed(&moved)
		if run, ok := value.(*instructions.RunCommand); ok {
			slices.Sort(run.FlagsUsed)
			if in.MountsRead {
				if err := run.Expand(func(word string) (string, error) { return word, nil }); err != nil {
					return fmt.Sprintf("instruction %d has its mounts read, BuildKit says %v", i, err)
				}
			}
		}
		if !reflect.DeepEqual(ours, value) {
			return fmt.Sprintf("instruction %d: %+v, BuildKit has %+v", i, ours, value)
		}
		if len(in.Heredocs) != len(node.Heredocs) {
			return fmt.Sprintf(
				"instruction %d has %d heredocs, BuildKit has %d",
				i,
				len(in.Heredocs),
				len(node.Heredocs),
			)
		}
		for j, doc := range in.Heredocs {
			theirs := node.Heredocs[j]
			if doc.Name != theirs.Name || doc.Expand != theirs.Expand || doc.Chomp != theirs.Chomp ||
				f.Text.Slice(doc.Body) != theirs.Content {
				return fmt.Sprintf("heredoc %+v, BuildKit has %+v", doc, theirs)
			}
		}
	}
	if warned != len(result.Warnings) {
		return fmt.Sprintf(
			"%d instructions with empty continuation lines, BuildKit has %d",
			warned,
			len(result.Warnings),
		)
	}
	return ""
}

// misread returns the index of the first misspelt instruction that has a heredoc with us, but not with BuildKit, or -1:
// from there on the two read different lines.
func misread(f *dockerfile.File) int {
	return slices.IndexFunc(f.Instructions, func(in *dockerfile.Instruction) bool {
		return len(in.Heredocs) > 0 && has(in, dockerfile.UnknownInstruction)
	})
}

func has(in *dockerfile.Instruction, kind dockerfile.ProblemKind) bool {
	return slices.ContainsFunc(in.Problems, func(p dockerfile.Problem) bool { return p.Kind == kind })
}

// TestAgreement reads every Dockerfile at hand as BuildKit's parser does.
func TestAgreement(t *testing.T) {
	for name, files := range map[string][]string{
		"corpus":   corpusFiles(t, "dockerfiles", "*"),
		"reorders": corpusFiles(t, "reorders", "*.[ab]*"),
		"buildkit": buildkit(t, "frontend/dockerfile/parser/testfile*/*/Dockerfile",
			"frontend/dockerfile/parser/testfile-line/Dockerfile"),
	} {
		t.Run(name, func(t *testing.T) {
			if len(files) == 0 {
				t.Skipf("SKIPPED: no Dockerfiles of %s found: agreement with BuildKit is not checked on them", name)
			}
			accepted := 0
			for _, file := range files {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				difference, ok := agree(string(content))
				if difference != "" {
					t.Errorf("%s: %s", file, difference)
				}
				if ok {
					accepted++
				}
			}
			t.Logf("%d files, of which BuildKit accepts %d", len(files), accepted)
		})
	}
}

// corpusFiles are the files of the corpus that match pattern; none if there is no corpus.
func corpusFiles(t testing.TB, folder, pattern string) []string {
	t.Helper()
	dir, _ := corpus.Find(t, folder)
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// buildkit returns the files of the BuildKit module that match the patterns.
func buildkit(t testing.TB, patterns ...string) (files []string) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit").Output()
	if err != nil {
		return nil
	}
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), p))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}
