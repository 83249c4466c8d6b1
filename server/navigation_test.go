package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/server/lsptest"
)

func at(line, character int) map[string]any {
	return map[string]any{"line": line, "character": character}
}

// A client that shows change annotations is told who else knows the old name; another gets plain edits.
func TestRenameAnnotations(t *testing.T) {
	const text = "FROM a AS base\nFROM base\n"
	for _, support := range []bool{true, false} {
		workspaceEdit := map[string]any{"documentChanges": true}
		if support {
			workspaceEdit["changeAnnotationSupport"] = map[string]any{}
		}
		e := lsptest.Open(t, map[string]any{"workspace": map[string]any{"workspaceEdit": workspaceEdit}}, nil)
		e.OpenFile(untitled, "dockerfile", text)
		var edit struct {
			DocumentChanges []struct {
				Edits []struct{ NewText, AnnotationID string }
			}
			ChangeAnnotations map[string]struct{ Label, Description string }
		}
		e.MustCall("textDocument/rename", lsptest.Document(untitled, "position", at(1, 6), "newName", "core"), &edit)
		if len(edit.DocumentChanges) != 1 || len(edit.DocumentChanges[0].Edits) != 2 ||
			edit.DocumentChanges[0].Edits[0].NewText != "core" {
			t.Fatalf("%+v", edit)
		}
		note := edit.ChangeAnnotations[edit.DocumentChanges[0].Edits[1].AnnotationID]
		if support != strings.Contains(note.Description, "--target") {
			t.Errorf("support %t: %+v", support, edit)
		}
	}
}

// What cannot be renamed is refused in words, before a new name is asked for.
func TestRenameRefused(t *testing.T) {
	e := lsptest.Open(
		t,
		map[string]any{"textDocument": map[string]any{"rename": map[string]any{"prepareSupport": true}}},
		nil,
	)
	e.OpenFile(untitled, "dockerfile", "FROM alpine\nRUN echo $HOSTNAME\n")
	err := e.Call("textDocument/prepareRename", lsptest.Document(untitled, "position", at(1, 11)), nil)
	if code(t, err) != -32803 || !strings.Contains(err.Error(), "Cannot rename: HOSTNAME is not set in this file.") {
		t.Errorf("got %v", err)
	}
	var nothing json.RawMessage
	if e.MustCall("textDocument/prepareRename", lsptest.Document(untitled, "position", at(1, 1)), &nothing); string(
		nothing,
	) != "null" {
		t.Errorf("on a keyword: %s", nothing)
	}
}

// Places are counted in the client's units, in every answer that has some.
func TestEncodingsOfStructure(t *testing.T) {
	// "é" is 2 bytes, 1 and 1 units, "😀" 4 bytes, 2 and 1 units.
	const text = "FROM a\nLABEL x=\"é😀\" y=\"${V}\"\nRUN echo \"é😀\" $V\n"
	want := map[string]struct{ variable, length int }{"utf-8": {19, 8}, "utf-16": {16, 5}, "utf-32": {15, 4}}
	for encoding, w := range want {
		t.Run(encoding, func(t *testing.T) {
			e := lsptest.Open(
				t,
				map[string]any{"general": map[string]any{"positionEncodings": []string{encoding}}},
				nil,
			)
			e.OpenFile(untitled, "dockerfile", text)
			var uses []struct{ Range lspRange }
			e.MustCall(
				"textDocument/documentHighlight",
				lsptest.Document(untitled, "position", at(2, w.variable)),
				&uses,
			)
			if len(uses) != 2 || uses[1].Range.Start.Character != w.variable {
				t.Errorf("highlights %v, want the second at %d", uses, w.variable)
			}
			tokens := tokensOf(t, e, 2)
			if s := slices.IndexFunc(tokens, func(s string) bool { return strings.HasSuffix(s, "string") }); s < 0 ||
				tokens[s] != fmt.Sprintf("9+%d string", w.length) {
				t.Errorf("tokens %v, want a string of %d", tokens, w.length)
			}
		})
	}
}

// tokensOf returns the semantic tokens of a line: where, how long, what.
func tokensOf(t *testing.T, e *lsptest.Editor, of int) []string {
	var answer struct{ Data []int }
	e.MustCall("textDocument/semanticTokens/full", lsptest.Document(untitled), &answer)
	var out []string
	line, character := 0, 0
	for d := answer.Data; len(d) >= 5; d = d[5:] {
		if d[0] > 0 {
			character = 0
		}
		line, character = line+d[0], character+d[1]
		if line == of {
			out = append(out, fmt.Sprintf("%d+%d %s", character, d[2], outline.TokenTypes[d[3]]))
		}
	}
	return out
}

// The differences to the last tokens, carried out, give the tokens; without the last ones, all come.
func TestSemanticTokensDelta(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	e.OpenFile(untitled, "dockerfile", "FROM a\nRUN b c\n")
	type answer struct {
		ResultID string
		Data     []int
		Edits    []struct {
			Start, DeleteCount int
			Data               []int
		}
	}
	var last answer
	e.MustCall("textDocument/semanticTokens/full", lsptest.Document(untitled), &last)
	for i, text := range []string{"FROM a\nARG x\nRUN b " +
		"c\n", "FROM a\nARG x\nRUN b c\n", "", "# c\nFROM a AS b\nRUN b c\nRUN d\n"} {
		e.Replace(untitled, i+2, text)
		var delta, full answer
		e.MustCall(
			"textDocument/semanticTokens/full/delta",
			lsptest.Document(untitled, "previousResultId", last.ResultID),
			&delta,
		)
		got := slices.Clone(last.Data)
		for _, edit := range delta.Edits {
			got = slices.Replace(got, edit.Start, edit.Start+edit.DeleteCount, edit.Data...)
		}
		e.MustCall("textDocument/semanticTokens/full", lsptest.Document(untitled), &full)
		if !slices.Equal(got, full.Data) {
			t.Errorf("%q: the differences give %v, want %v", text, got, full.Data)
		}
		last = full
	}
	var all answer
	e.MustCall(
		"textDocument/semanticTokens/full/delta",
		lsptest.Document(untitled, "previousResultId", "long gone"),
		&all,
	)
	if !slices.Equal(all.Data, last.Data) || all.Edits != nil {
		t.Errorf("got %+v, want all", all)
	}
}

// A client that takes no trees gets a list, each instruction with its stage.
func TestFlatSymbols(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	e.OpenFile(untitled, "dockerfile", "FROM a AS base\nRUN x\n")
	var list []struct {
		Name, ContainerName string
		Location            struct{ Range lspRange }
	}
	e.MustCall("textDocument/documentSymbol", lsptest.Document(untitled), &list)
	if len(list) != 2 || list[0].Name != "base" || list[1].Name != "RUN x" || list[1].ContainerName != "base" ||
		list[1].Location.Range.String() != "2:1-2:6" {
		t.Errorf("got %+v", list)
	}
}

// Formatting heeds what the editor says and the settings.
func TestFormattingOptions(t *testing.T) {
	const text = "from a  \nenv A=1 \\\nB=2"
	for _, c := range []struct {
		settings, options map[string]any
		want              string
	}{
		{nil, map[string]any{"tabSize": 2, "insertSpaces": true}, `0 "FROM", 6 "", 0 "ENV", 0 "  "`},
		{nil, map[string]any{"tabSize": 2, "insertSpaces": false, "trimTrailingWhitespace": false,
			"insertFinalNewline": true}, `0 "FROM", 0 "ENV", 0 "\t", 3 "\n"`},
		{map[string]any{"formatKeywords": false, "formatContinuations": false}, map[string]any{"tabSize": 2,
			"insertSpaces": true}, `6 ""`},
	} {
		e := lsptest.Open(t, nil, map[string]any{"layerwise": c.settings})
		e.OpenFile(untitled, "dockerfile", text)
		var edits []struct {
			Range   lspRange
			NewText string
		}
		e.MustCall("textDocument/formatting", lsptest.Document(untitled, "options", c.options), &edits)
		var got []string
		for _, edit := range edits {
			got = append(got, fmt.Sprintf("%d %q", edit.Range.Start.Character, edit.NewText))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%v %v: %s, want %s", c.settings, c.options, strings.Join(got, ", "), c.want)
		}
	}
	e := lsptest.Open(t, nil, nil)
	e.OpenFile(untitled, "dockerfile", "FROM a\nRUN b \\\n\n")
	var edits []struct{ NewText string }
	e.MustCall(
		"textDocument/onTypeFormatting",
		lsptest.Document(untitled, "position", at(2, 0), "ch", "\n", "options", layout),
		&edits,
	)
	if len(edits) != 1 || edits[0].NewText != "    " {
		t.Errorf("behind a continued line: %v", edits)
	}
}

// A source that COPY or ADD takes leads to its file in the build context, and to nothing outside of it.
func TestDefinitionOfSource(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	const text = "FROM scratch AS a\nCOPY app.js d link gone /\nCOPY --from=a app.js /\nADD [\"app.js\", \"/\"]\n"
	for name, content := range map[string]string{
		"Dockerfile": text, "app.js": "1", "d/x": "2", filepath.Join("..", filepath.Base(outside), "secret"): "3",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	e := lsptest.Open(t, nil, nil, dir)
	document := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e.OpenFile(document, "dockerfile", text)
	e.MustCall("textDocument/documentLink", lsptest.Document(document), nil) // waits for the build context
	for _, test := range []struct {
		line, character int
		file            string
	}{
		{1, 6, "app.js"}, {1, 12, ""}, {1, 15, ""}, {1, 20, ""}, {1, 24, ""}, {2, 15, ""}, {3, 7, "app.js"},
	} {
		var got struct{ URI string }
		place := lsptest.Document(document, "position", at(test.line, test.character))
		e.MustCall("textDocument/definition", place, &got)
		want := ""
		if test.file != "" {
			want = lsptest.URI(filepath.Join(dir, test.file))
		}
		if got.URI != want {
			t.Errorf("%d:%d: got %q, want %q", test.line, test.character, got.URI, want)
		}
	}
}
