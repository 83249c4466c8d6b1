package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// asked is an editor that asks the server what a row of the matrix is about.
type asked struct {
	t    *testing.T
	e    *lsptest.Editor
	dir  string
	docs int
	init string // the server's capabilities
}

// open opens a Dockerfile in the build context, the cursor at the "|", if there is one.
func (a *asked) open(text string) (uri string, at map[string]any) {
	a.docs++
	before, after, _ := strings.Cut(text, "|")
	line := strings.Count(before, "\n")
	at = map[string]any{"line": line, "character": len(before) - strings.LastIndexByte(before, '\n') - 1}
	path := filepath.Join(a.dir, fmt.Sprintf("Dockerfile.%d", a.docs))
	write(a.t, path, before+after)
	uri = lsptest.URI(path)
	a.e.OpenFile(uri, "dockerfile", before+after)
	a.e.MustCall("textDocument/documentLink", lsptest.Document(uri), nil) // waits for the build context
	return uri, at
}

// ask sends a request about a text and returns the answer as JSON; "" for an error.
func (a *asked) ask(method, text string, more ...any) string {
	uri, at := a.open(text)
	params := lsptest.Document(uri, append([]any{
		"position", at, "positions", []any{at}, "range", lsptest.Range(0, 0, 99, 0), "ranges", []any{lsptest.Range(0, 0,
			99, 0)},
		"context", map[string]any{"diagnostics": []any{}, "includeDeclaration": true}, "options", layout,
	}, more...)...)
	var answer json.RawMessage
	if err := a.e.Call(method, params, &answer); err != nil {
		return ""
	}
	return string(answer)
}

// has answers said if an answer holds all of the words, else "no".
func (a *asked) has(said, method, text string, words ...string) string {
	answer := a.ask(method, text)
	for _, word := range words {
		if !strings.Contains(answer, word) {
			return "no"
		}
	}
	if answer == "" || answer == "null" || answer == "[]" {
		return "no"
	}
	return said
}

// labels returns what is completed at the cursor.
func (a *asked) labels(text string) []string {
	var labels []string
	var answer any
	if err := json.Unmarshal([]byte(cmpOr(a.ask("textDocument/completion", text), "null")), &answer); err != nil {
		a.t.Fatal(err)
	}
	if items := pick(answer, "items"); items != nil {
		answer = items
	}
	each(answer, func(item any) any { labels = append(labels, fmt.Sprint(pick(item, "label"))); return nil })
	return labels
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// completes answers said if all of these are offered at the cursor.
func (a *asked) completes(said, text string, wanted ...string) string {
	labels := a.labels(text)
	for _, w := range wanted {
		if !slices.ContainsFunc(labels, func(l string) bool { return strings.Contains(l, w) }) {
			return "no"
		}
	}
	return said
}

const sample = "FROM alpine AS base\nARG V=1\nENV E=$V\n# a\n# b\nRUN echo $E && \\\n  true\nFROM base\nCOPY " +
	"--from=base /a /b\nRUN <<EOF\nls $E\nEOF\n"

// row is a line of the matrix. A peer's cell is "no" where it has nothing.
type row struct {
	feature, npm, dls, tally, hadolint string
	ours                               func(a *asked) string
}

var matrix = []row{
	{"`textDocumentSync`", "incremental", "full", "full, text on save", "no", func(a *asked) string {
		if strings.Contains(a.init, `"change":2`) {
			return "incremental, in UTF-8, UTF-16 or UTF-32"
		}
		return "no"
	}},
	{"`textDocument/publishDiagnostics`", "yes", "yes, by running `docker buildx`", "yes", "no", func(a *asked) string {
		quiet := lsptest.Open(a.t, nil, nil, a.dir)
		quiet.OpenFile("untitled:x", "dockerfile", "FROM a\nEVN b=c\n")
		quiet.Await(
			"textDocument/publishDiagnostics",
			func(p json.RawMessage) bool { return strings.Contains(string(p), "unknown") },
		)
		return "yes, without Docker"
	}},
	{"`textDocument/diagnostic`", "no", "no", "yes", "no", func(a *asked) string {
		return a.has("yes", "textDocument/diagnostic", "FROM a\nEVN b=c\n", "unknown instruction")
	}},
	{"`workspace/diagnostic`", "no", "no", "no", "no", func(a *asked) string {
		var answer json.RawMessage
		if a.e.Call("workspace/diagnostic", map[string]any{"previousResultIds": []any{}}, &answer) != nil ||
			!strings.Contains(string(answer), "unknown instruction") {
			return "no"
		}
		return "yes, if the setting `workspaceDiagnostics` asks for it"
	}},
	{
		"Diagnostics while the file is broken",
		"all lines",
		"the first error only",
		"nothing",
		"no",
		func(a *asked) string {
			return a.has(
				"all lines, and lint for the rest",
				"textDocument/diagnostic",
				"FROM a\nEVN b=c\nCPY x y\nFROM b as c\nRUN <<E\n",
				"EVN",
				"CPY",
				"FromAsCasing",
				"unterminated",
			)
		},
	},
	{"Completion: instructions, as snippets", "yes", "no", "no", "no", func(a *asked) string {
		return a.completes("yes, also behind misspelt beginnings", "FROM a\n|", "RUN", "HEALTHCHECK", "COPY")
	}},
	{"Completion: flags", "COPY, ADD, FROM, HEALTHCHECK, in part", "no", "no", "no", func(a *asked) string {
		if a.completes("yes", "FROM a\nRUN --|", "mount", "network") == "no" {
			return "no"
		}
		return a.completes(
			"all flags of all instructions",
			"FROM a\nCOPY --|",
			"from",
			"chown",
			"link",
			"parents",
			"exclude",
		)
	}},
	{"Completion: `RUN --mount` types, keys, values", "no", "no", "no", "no", func(a *asked) string {
		if a.completes("yes", "FROM a\nRUN --mount=type=|", "cache", "secret") == "no" {
			return "no"
		}
		return a.completes("yes", "FROM a\nRUN --mount=type=cache,|", "target", "sharing")
	}},
	{"Completion: stages", "in `--from` only", "no", "no", "no", func(a *asked) string {
		if a.completes("yes", "FROM a AS build\nFROM b\nCOPY --from=|", "build") == "no" {
			return "no"
		}
		return a.completes("in `FROM` and `--from`", "FROM a AS build\nFROM |", "build")
	}},
	{"Completion: images and tags", "tags, from Docker Hub", "no", "no", "no", func(a *asked) string {
		if a.completes("yes", "FROM node:|", "20") == "no" {
			return "images: well-known ones and those of the file and the workspace"
		}
		return "images, well-known ones and those of the file and the workspace; their tags"
	}},
	{"Completion: variables", "yes", "no", "no", "no", func(a *asked) string {
		return a.completes("those in scope, with their values", "FROM a\nARG VERY=1\nRUN echo $|", "VERY")
	}},
	{"Completion: files of the build context", "no", "no", "no", "no", func(a *asked) string {
		return a.completes("yes, `.dockerignore` heeded", "FROM a\nCOPY |", "go.mod")
	}},
	{"Completion: parser directives", "`escape`, `syntax`", "no", "no", "no", func(a *asked) string {
		return a.completes("`escape`, `syntax`, `check` and its rules", "# |", "escape", "syntax", "check")
	}},
	{"Hover: instructions", "yes", "no", "no", "no", func(a *asked) string {
		return a.has("yes", "textDocument/hover", "FROM a\nWORK|DIR /x\n", "docs.docker.com")
	}},
	{"Hover: flags", "four of them", "no", "no", "no", func(a *asked) string {
		return a.has("all, and mount options", "textDocument/hover", "FROM a\nCOPY --li|nk a b\n", "link")
	}},
	{"Hover: a variable's value", "yes", "no", "no", "no", func(a *asked) string {
		return a.has(
			"yes, with where it comes from",
			"textDocument/hover",
			"FROM a\nARG VERY=wow\nRUN echo $VE|RY\n",
			"wow",
		)
	}},
	{"Hover: the image", "no", "vulnerabilities, from Docker Scout", "no", "no", func(a *asked) string {
		return a.has(
			"what the stage is made of; digest, date, size and platforms from any registry, with the setting "+
				"`registry`",
			"textDocument/hover",
			"FROM al|pine:3 AS x\n",
			"alpine",
		)
	}},
	{"Hover: what a COPY takes", "no", "no", "no", "no", func(a *asked) string {
		return a.has(
			"files, size, the largest, what is ignored",
			"textDocument/hover",
			"FROM a\nCOPY go.m|od /x\n",
			"1 file",
		)
	}},
	{"`textDocument/signatureHelp`", "yes", "no", "no", "no", func(a *asked) string {
		return a.has("yes", "textDocument/signatureHelp", "FROM a\nEXPOSE |", "EXPOSE")
	}},
	{"`textDocument/definition`", "stages, variables, heredocs", "no", "no", "no", func(a *asked) string {
		return a.has(
			"stages (also in mounts), variables across stages, the shell's variables, heredocs",
			"textDocument/definition",
			"FROM a AS base\nFROM b\nRUN --mount=type=bind,from=ba|se,target=/x ls\n",
			`"line":0,"character":10`,
		)
	}},
	{"`textDocument/references`", "no", "no", "no", "no", func(a *asked) string {
		return a.has(
			"yes",
			"textDocument/references",
			"FROM a AS ba|se\nFROM base\nCOPY --from=base a b\n",
			`"line":1`,
			`"line":2`,
		)
	}},
	{"`textDocument/documentHighlight`", "yes", "no", "no", "no", func(a *asked) string {
		return a.has(
			"yes, reads and writes apart",
			"textDocument/documentHighlight",
			"FROM a\nARG V|=1\nRUN echo $V\n",
			`"kind":3`,
			`"kind":2`,
		)
	}},
	{"`textDocument/prepareRename`, `rename`", "stages, variables, heredocs", "no", "no", "no", func(a *asked) string {
		if a.ask("textDocument/rename", "FROM a AS b|\nFROM c\n", "newName", "c") != "" {
			return "no" // it would change what FROM c means
		}
		if !strings.Contains(a.ask("textDocument/rename", "FROM a AS b|\nFROM b\n", "newName", "d"), `"newText":"d"`) {
			return "no"
		}
		return "stages, variables, heredocs; refused where the file would mean something else"
	}},
	{"`textDocument/linkedEditingRange`", "no", "no", "no", "no", func(a *asked) string {
		return a.has(
			"heredoc delimiters, stages",
			"textDocument/linkedEditingRange",
			"FROM a\nRUN <<EO|F\nEOF\n",
			`"line":2`,
		)
	}},
	{"Call hierarchy", "no", "no", "no", "no", func(a *asked) string {
		var items, calls []any
		if err := json.Unmarshal([]byte(a.ask("textDocument/prepareCallHierarchy", "FROM a AS ba|se\nFROM base AS "+
			"top\n")), &items); err != nil ||
			len(items) == 0 {
			return "no"
		}
		if err := a.e.Call("callHierarchy/incomingCalls", map[string]any{"item": items[0]}, &calls); err != nil ||
			len(calls) != 1 {
			return "no"
		}
		return "which stage uses which"
	}},
	{"`textDocument/documentSymbol`", "a list", "no", "no", "no", func(a *asked) string {
		return a.has("a tree of stages", "textDocument/documentSymbol", sample, `"children"`, `"base"`)
	}},
	{"`workspace/symbol`", "no", "no", "no", "no", func(a *asked) string {
		a.open("FROM a AS somewhere\n")
		var symbols json.RawMessage
		if err := a.e.Call("workspace/symbol", map[string]any{"query": "smwhr"}, &symbols); err != nil ||
			!strings.Contains(string(symbols), "somewhere") {
			return "no"
		}
		return "the stages of all Dockerfiles"
	}},
	{"`textDocument/foldingRange`", "instructions, comments", "no", "no", "no", func(a *asked) string {
		return a.has(
			"stages, instructions, heredocs, comments, `#region`",
			"textDocument/foldingRange",
			sample+"#region\n\n#endregion\n",
			`"startLine":0,"endLine":6`,
			`"startLine":3`,
			`"startLine":9,"endLine":11`,
			`"region"`,
		)
	}},
	{"`textDocument/selectionRange`", "no", "no", "no", "no", func(a *asked) string {
		return a.has(
			"yes, also within shell commands",
			"textDocument/selectionRange",
			"FROM a\nRUN a && b \"c| d\"\n",
			`"parent"`,
		)
	}},
	{
		"`textDocument/semanticTokens`",
		"full",
		"no",
		"full, range; the shell in RUN, PowerShell too",
		"no",
		func(a *asked) string {
			for _, method := range []string{"full", "range"} {
				if !strings.Contains(a.ask("textDocument/semanticTokens/"+method, sample), `"data":[0,`) {
					return "no"
				}
			}
			uri, _ := a.open("FROM a\n")
			var tokens struct{ ResultID string }
			a.e.MustCall("textDocument/semanticTokens/full", lsptest.Document(uri), &tokens)
			a.e.Replace(uri, 2, "FROM a\nRUN b\n")
			var delta json.RawMessage
			a.e.MustCall(
				"textDocument/semanticTokens/full/delta",
				lsptest.Document(uri, "previousResultId", tokens.ResultID),
				&delta,
			)
			if !strings.Contains(string(delta), `"edits"`) {
				return "no"
			}
			if !strings.Contains(
				a.ask("textDocument/semanticTokens/full", "FROM a\nSHELL [\"pwsh\", \"-c\"]\nRUN $x\n"),
				",1,0,3,0,0,0,4,2,8,0]",
			) {
				return "no"
			}
			return "full, range, delta; the shell in RUN and in heredocs, PowerShell and `cmd` too"
		},
	},
	{"`textDocument/documentLink`", "images: Hub, GHCR, MCR, Quay", "no", "no", "no", func(a *asked) string {
		return a.has(
			"images: also ECR Public and GCR; URLs; files of the build context",
			"textDocument/documentLink",
			"FROM public.ecr.aws/x/y\nADD https://a.b/c go.mod /x\n",
			"gallery.ecr.aws",
			"https://a.b/c",
			"go.mod",
		)
	}},
	{
		"`textDocument/formatting`, `rangeFormatting`",
		"indents continuation lines",
		"no",
		"style fixes; also `rangesFormatting`",
		"no",
		func(a *asked) string {
			for _, method := range []string{"formatting", "rangeFormatting", "rangesFormatting"} {
				if a.has("yes", "textDocument/"+method, "from a\n", `"FROM"`) == "no" {
					return "no"
				}
			}
			return "yes, and `rangesFormatting`; no cache key changes"
		},
	},
	{"`textDocument/onTypeFormatting`", "yes", "no", "no", "no", func(a *asked) string {
		return a.has2("yes", a.ask("textDocument/onTypeFormatting", "FROM a\nENV A=1 \\|\nB=2\n", "ch", "\\"))
	}},
	{"`textDocument/inlayHint`", "no", "when an image was pushed", "no", "no", func(a *asked) string {
		return a.has(
			"whether each instruction is cached, and why not",
			"textDocument/inlayHint",
			"FROM alpine\nRUN x\n",
			"label",
		)
	}},
	{"`textDocument/codeLens`", "no", "Bake files only", "no", "no", func(a *asked) string {
		return a.has("what each stage reuses", "textDocument/codeLens", "FROM alpine\nRUN x\n", "cached")
	}},
	{
		"`textDocument/codeAction`",
		"13 fixes",
		"about 25 fixes, some of which lose text",
		"a fix for each rule; fix all; suppress",
		"no",
		func(a *asked) string {
			return a.has(
				"a fix for each rule that can have one; fix all; suppress; reorder",
				"textDocument/codeAction",
				"FROM a\nEVN b=c\nrun x as y\n",
				"quickfix",
				"source.fixAll.layerwise",
				"Skip",
			)
		},
	},
	{"`workspace/executeCommand`", "13 edits", "telemetry", "2 commands", "no", func(a *asked) string {
		if !strings.Contains(a.init, "executeCommandProvider") {
			return "no"
		}
		return "choosing what to compare with and what is built; edits need no command"
	}},
	{
		"Suppressing a finding",
		"a comment",
		"`# check=skip`",
		"comments of three kinds",
		"a comment",
		func(a *asked) string {
			if strings.Contains(
				a.ask("textDocument/diagnostic", "# check=skip=FromAsCasing\nFROM a as b\n"),
				"FromAsCasing",
			) {
				return "no"
			}
			return "`# check=skip`, for the file or one instruction; `.layerwise.yaml`"
		},
	},
	{"Settings", "severities, formatter", "telemetry, Scout", "a file, folders", "a file", func(a *asked) string {
		if !strings.Contains(a.ask("textDocument/formatting", "from a\n"), "FROM") {
			return "no"
		}
		return "per folder, with a schema; rules by `.layerwise.yaml`; formatter"
	}},
	{"`$/cancelRequest`", "by its library", "no", "yes", "no", func(a *asked) string {
		p := a.e.Send("test/wait", nil)
		a.e.Notify("$/cancelRequest", map[string]any{"id": p.ID})
		if err := p.Wait(nil); err == nil || !strings.Contains(err.Error(), "-32800") {
			return "no"
		}
		return "yes, at once"
	}},
	{
		"The build context and `.dockerignore`",
		"no",
		"through buildx; the workspace folder",
		"one rule, when a context is known",
		"no",
		func(a *asked) string {
			return a.has(
				"known at all times, unsaved texts too",
				"textDocument/diagnostic",
				"FROM a\nCOPY ignored.txt /\n",
				"CopyIgnoredFile",
			)
		},
	},
	{"What the next build reuses", "no", "no", "no", "no", func(a *asked) string {
		return a.has(
			"yes: hints, lenses, hovers, `layerwise/cacheStatus`",
			"textDocument/inlayHint",
			"FROM alpine\nRUN y\n",
			"label",
		)
	}},
}

// has2 answers said unless an answer is empty.
func (a *asked) has2(said, answer string) string {
	if answer == "" || answer == "null" || answer == "[]" {
		return "no"
	}
	return said
}

// The matrix in docs/peers.md says of this server what it answers (written with -update), and no other has what it
// lacks.
func TestMatrix(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module x\n")
	write(t, filepath.Join(dir, "ignored.txt"), "x\n")
	write(t, filepath.Join(dir, ".dockerignore"), "ignored.txt\n")
	write(t, filepath.Join(dir, "sub", "Dockerfile"), "FROM node:20\nEVN a=b\n")
	a := &asked{t: t, dir: dir, e: lsptest.Start(t, server.Options{Version: "test"})}
	a.init = string(a.e.Initialize(map[string]any{
		"textDocument": map[string]any{
			"documentSymbol": map[string]any{"hierarchicalDocumentSymbolSupport": true},
			"hover":          map[string]any{"contentFormat": []string{"markdown"}},
			"completion":     map[string]any{"completionItem": map[string]any{"snippetSupport": true}},
			"diagnostic":     map[string]any{},
		},
	}, map[string]any{"layerwise": map[string]any{"workspaceDiagnostics": true}}, dir))

	var table strings.Builder
	table.WriteString("| | Layerwise | npm | docker-language-server | tally | hadolint |\n|---|---|---|---|---|---|\n")
	for _, r := range matrix {
		ours := r.ours(a)
		fmt.Fprintf(&table, "| %s | **%s** | %s | %s | %s | %s |\n", r.feature, ours, r.npm, r.dls, r.tally, r.hadolint)
		if ours == "no" && (r.npm != "no" || r.dls != "no" || r.tally != "no" || r.hadolint != "no") {
			t.Errorf("%s: another server has it, this one does not", r.feature)
		}
	}
	path := filepath.Join("..", "docs", "peers.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const from, to = "<!-- matrix: written by TestMatrix -->\n", "<!-- end of the matrix -->\n"
	head, rest, ok := strings.Cut(string(page), from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the matrix", path)
	}
	golden.File(t, path, head+from+table.String()+to+tail)
}
