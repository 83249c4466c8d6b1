package server_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/server/lsptest"
	"golang.org/x/tools/txtar"
)

// Each archive in testdata holds a build context, under before/ the baseline's, perhaps settings.json, and under want/
// what an editor shows: the text with the hints at its lines, and the answers to the other requests.
func TestGolden(t *testing.T) { golden.Archives(t, "testdata/*.txtar", answers) }

func answers(t *testing.T, archive *txtar.Archive) []txtar.File {
	dir := t.TempDir()
	settings := map[string]any{}
	wanted := map[string]bool{}
	var given []txtar.File
	var text string
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want/") {
			wanted[f.Name] = true
			continue
		}
		given = append(given, f)
		content := unescape.Replace(string(f.Data))
		switch {
		case f.Name == "settings.json":
			if err := json.Unmarshal(f.Data, &settings); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(f.Name, "before/"):
			write(t, filepath.Join(dir, f.Name), content)
		default:
			write(t, filepath.Join(dir, "now", f.Name), content)
			if f.Name == "Dockerfile" {
				text = content
			}
		}
	}
	settings["baseline"] = "dir:" + filepath.Join(dir, "before")

	capabilities := map[string]any{
		"general": map[string]any{"positionEncodings": []string{"utf-16"}},
		"textDocument": map[string]any{
			"codeAction": map[string]any{"disabledSupport": true},
			"hover":      map[string]any{"contentFormat": []string{"markdown"}},
		},
		"workspace": map[string]any{"workspaceEdit": map[string]any{"documentChanges": true}},
	}
	e := lsptest.Open(t, capabilities, map[string]any{"layerwise": settings}, filepath.Join(dir, "now"))
	uri := lsptest.URI(filepath.Join(dir, "now", "Dockerfile"))
	e.OpenFile(uri, "dockerfile", text)
	v := view{t: t, e: e, uri: uri, text: source.New(text)}
	v.hints() // they wait until the build context is known, which some actions need

	v.diagnostics() // waits for the context to be read; actions do not
	got := given
	for _, part := range []struct {
		name   string
		render func() string
	}{
		{"want/actions", v.actions}, {"want/diagnostics", v.diagnostics}, {"want/hints", v.hints}, {"want/hover",
			v.hover}, {"want/lenses", v.lenses},
	} {
		if wanted[part.name] || golden.Updating() && len(wanted) == 0 {
			got = append(got, txtar.File{Name: part.name, Data: []byte(strings.ReplaceAll(part.render(), dir, "DIR"))})
		}
	}
	if len(got) == len(given) {
		t.Fatal("the archive wants nothing")
	}
	return got
}

// unescape lets archives hold what a text file does not show.
var unescape = strings.NewReplacer("{CR}", "\r", "{BOM}", "\ufeff")

// view renders what the editor shows.
type view struct {
	t    *testing.T
	e    *lsptest.Editor
	uri  string
	text *source.Text
}

type position struct{ Line, Character int }

type lspRange struct{ Start, End position }

func (r lspRange) String() string {
	return fmt.Sprintf("%d:%d-%d:%d", r.Start.Line+1, r.Start.Character+1, r.End.Line+1, r.End.Character+1)
}

func (v view) ask(method string, params map[string]any, answer any) {
	v.t.Helper()
	v.e.MustCall(method, params, answer)
}

func (v view) whole() map[string]any { return lsptest.Range(0, 0, v.text.EndLine(), 0) }

func (v view) hints() string {
	var hints []struct {
		Position position
		Label    string
	}
	v.ask("textDocument/inlayHint", lsptest.Document(v.uri, "range", v.whole()), &hints)
	at := map[int]string{}
	for _, h := range hints {
		at[h.Position.Line] += fmt.Sprintf("   [%d: %s]", h.Position.Character+1, h.Label)
	}
	var out strings.Builder
	for line := range v.text.EndLine() {
		if span := v.text.Line(line); span.Len() > 0 || line+1 < v.text.EndLine() {
			fmt.Fprintln(&out, v.text.Slice(span)+at[line])
		}
	}
	return out.String()
}

func (v view) lenses() string {
	var lenses []struct {
		Range   lspRange
		Command struct{ Title, Tooltip, Command string }
	}
	v.ask("textDocument/codeLens", lsptest.Document(v.uri), &lenses)
	var out strings.Builder
	for _, l := range lenses {
		fmt.Fprintf(&out, "%s %s [%s]\n", l.Range, l.Command.Title, l.Command.Command)
		if l.Command.Tooltip != "" {
			fmt.Fprintf(&out, "  %s\n", l.Command.Tooltip)
		}
	}
	return out.String()
}

func (v view) hover() string {
	var out strings.Builder
	last := ""
	for line := range v.text.EndLine() {
		var hover *struct {
			Range    lspRange
			Contents struct{ Kind, Value string }
		}
		v.ask(
			"textDocument/hover",
			lsptest.Document(v.uri, "position", map[string]any{"line": line, "character": 0}),
			&hover,
		)
		if hover == nil || hover.Range.String() == last {
			continue
		}
		last = hover.Range.String()
		verdict, _, _ := strings.Cut(
			hover.Contents.Value,
			"\n\n---\n\n",
		) // what the word means is tested with package describe
		fmt.Fprintf(&out, "=== %s %s\n%s\n", last, hover.Contents.Kind, verdict)
	}
	return out.String()
}

func (v view) diagnostics() string {
	var report struct {
		Kind  string
		Items []struct {
			Range           lspRange
			Severity        int
			Code, Source    string
			CodeDescription struct{ Href string }
			Message         string
		}
	}
	v.ask("textDocument/diagnostic", lsptest.Document(v.uri), &report)
	var out strings.Builder
	for _, d := range report.Items {
		fmt.Fprintf(
			&out,
			"%s severity %d %s/%s: %s\n  %s\n",
			d.Range,
			d.Severity,
			d.Source,
			d.Code,
			d.Message,
			d.CodeDescription.Href,
		)
	}
	return out.String()
}

func (v view) actions() string {
	var actions []struct {
		Title, Kind string
		IsPreferred bool
		Diagnostics []any
		Edit        struct {
			DocumentChanges []struct {
				TextDocument struct{ Version int }
				Edits        []struct {
					Range   lspRange
					NewText string
				}
			}
		}
	}
	v.ask(
		"textDocument/codeAction",
		lsptest.Document(v.uri, "range", v.whole(), "context", map[string]any{"diagnostics": []any{}}),
		&actions,
	)
	var out strings.Builder
	for _, a := range actions {
		fmt.Fprintf(&out, "%s: %s (preferred %t, %d diagnostics)\n", a.Kind, a.Title, a.IsPreferred, len(a.Diagnostics))
		for _, change := range a.Edit.DocumentChanges {
			for _, edit := range change.Edits {
				fmt.Fprintf(&out, "  %s %q\n", edit.Range, edit.NewText)
			}
		}
	}
	return out.String()
}
