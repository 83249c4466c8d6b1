package server_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/server/lsptest"
)

// stressText is a sort of text that could be slow, as long as one wants it.
type stressText struct {
	name string
	unit func(i int) string // the i-th of the pieces that the text is made of
	head string             // stands once in front of them
	tail string             // and behind
}

// of returns the text with as many pieces as fit into a size in bytes.
func (s stressText) of(size int) string {
	text, _ := s.pieces(size)
	return text + s.tail
}

// pieces is the text without what stands behind, and where its pieces end.
func (s stressText) pieces(size int) (string, []int) {
	var b strings.Builder
	b.WriteString(s.head)
	ends := []int{b.Len()}
	for i := 0; b.Len() < size-len(s.tail); i++ {
		b.WriteString(s.unit(i))
		ends = append(ends, b.Len())
	}
	return b.String(), ends
}

// within returns the text with as many pieces up to a size as are read to the end.
func (s stressText) within(size int) string {
	text, ends := s.pieces(size)
	most := sort.Search(len(ends)-1, func(n int) bool {
		return dockerfile.Parse(source.New(text[:ends[n+1]]+s.tail), nil).TooLarge()
	})
	return text[:ends[most]] + s.tail
}

func repeated(unit string) func(int) string { return func(int) string { return unit } }

func numbered(format string) func(int) string {
	return func(i int) string { return strings.ReplaceAll(format, "%d", strconv.Itoa(i)) }
}

// stressTexts are realistic texts, ones that others measured, and adverse ones: what people open by mistake and what a
// stranger's folder may hold.
var stressTexts = []stressText{
	{
		name: "realistic",
		head: "",
		unit: func(i int) string { return strings.Split(longDockerfile(i%1000+1), "\n")[i%1000] + "\n" },
	},
	{
		name: "apt, ENV, COPY",
		head: "FROM debian\n",
		unit: numbered("RUN apt-get update && apt-get install -y \\\n  curl%d\nENV A%d=b C%d=$A%d\nCOPY a%d /b%d\n"),
	},
	{name: "stages", unit: numbered("FROM alpine AS s%d\nRUN a\nCOPY --from=s%d /a /b\n")},
	{
		name: "stages on stages",
		head: "FROM alpine AS s0\n",
		unit: func(i int) string { return fmt.Sprintf("FROM s%d AS s%d\nARG A%d=b\nRUN echo $A%d\n", i, i+1, i, i) },
	},
	{name: "stages of one name", unit: repeated("FROM a AS a\nCOPY --from=a /a /b\n")},
	{name: "FROM a, RUN a", unit: repeated("FROM a\nRUN a\n")},
	{name: "ARGs", head: "FROM a\n", unit: numbered("ARG A%d=b$A%d\n")},
	{name: "ARGs above FROM", unit: numbered("ARG A%d=b\n"), tail: "FROM a\n"},
	{name: "ENV pairs in one line", head: "FROM a\nENV", unit: numbered(" A%d=b")},
	{
		name: "ENV chain",
		head: "FROM a\nENV A0=x\n",
		unit: func(i int) string { return fmt.Sprintf("ENV A%d=$A%d$A%d\n", i+1, i, i) },
	},
	{name: "LABELs", head: "FROM a\nLABEL", unit: numbered(" a.b%d=\"c\" \\\n ")},
	{name: "unknown words", head: "FROM a\n", unit: numbered("EVM%d a=b\n")},
	{name: "misspelt words", head: "FROM a\n", unit: repeated("EVN a=b\nRNU x\nCOPPY a b\nWROKDIR x\n")},
	{name: "unknown flags", head: "FROM a\nCOPY", unit: numbered(" --flag%d=x"), tail: " a b\n"},
	{name: "flags", head: "FROM a\nCOPY", unit: numbered(" --exclude=x%d"), tail: " a b\n"},
	{name: "mounts", head: "FROM a\nRUN", unit: numbered(" --mount=type=cache,target=/a%d"), tail: " x\n"},
	{name: "a mount's fields", head: "FROM a\nRUN --mount=", unit: numbered("target=/a%d,"), tail: "type=cache x\n"},
	{name: "commands in one line", head: "FROM a\nRUN true", unit: numbered(" && cmd%d a --b $C%d")},
	{name: "commands over lines", head: "FROM a\nRUN true", unit: numbered(" && \\\n  cmd%d a --b $C%d")},
	{name: "packages", head: "FROM debian\nRUN apt-get install -y", unit: numbered(" \\\n  package-%d")},
	{name: "one word", head: "FROM a\nRUN ", unit: repeated("a")},
	{name: "words", head: "FROM a\nRUN", unit: repeated(" a")},
	{name: "quotes", head: "FROM a\nRUN ", unit: repeated(`"a" 'b' \"c `)},
	{name: "variables in one word", head: "FROM a\nENV A=b\nRUN echo ", unit: repeated("$A${A:-x}")},
	{name: "nested defaults", head: "FROM a\nENV A=", unit: repeated("${B:-")},
	{name: "nested defaults in FROM", head: "FROM ", unit: repeated("${B:-")},
	{name: "variables in FROM", head: "FROM a", unit: numbered("$A%d${B%d:-x}")},
	{name: "nested defaults in RUN", head: "FROM a\nRUN echo ", unit: repeated("${B:-")},
	{name: "nested substitutions", head: "FROM a\nRUN echo ", unit: repeated(`"$(`)},
	{name: "nested if", head: "FROM a\nRUN ", unit: repeated("if a; then ")},
	{name: "nested groups", head: "FROM a\nRUN ", unit: repeated("{ ")},
	{name: "nested subshells", head: "FROM a\nRUN ", unit: repeated("( ")},
	{name: "nested case", head: "FROM a\nRUN ", unit: repeated("case a in b) ")},
	{
		name: "closed nested if",
		head: "FROM a\n",
		unit: repeated("RUN " + strings.Repeat("if a; then ", 100) + "b" + strings.Repeat("; fi", 100) + "\n"),
	},
	{name: "backquotes", head: "FROM a\nRUN echo ", unit: repeated("`a ")},
	{name: "arithmetic", head: "FROM a\nRUN echo $((", unit: repeated("1+(")},
	{name: "pipes", head: "FROM a\nRUN a", unit: repeated(" | b")},
	{name: "redirections", head: "FROM a\nRUN a", unit: repeated(" >b <c 2>&1")},
	{
		name: "PowerShell nesting",
		head: "FROM mcr.microsoft.com/windows/servercore\nSHELL [\"powershell\"]\nRUN ",
		unit: repeated("if ($a) { $("),
	},
	{
		name: "PowerShell strings",
		head: "FROM a\nSHELL [\"pwsh\", \"-Command\"]\nRUN ",
		unit: repeated(`"$($a."b")" ; `),
	},
	{name: "cmd nesting", head: "FROM mcr.microsoft.com/windows/servercore\nRUN ", unit: repeated("if a==b ( ")},
	{
		name: "cmd commands",
		head: "FROM mcr.microsoft.com/windows/servercore\nRUN a",
		unit: repeated(" & set A=%B% && b"),
	},
	{name: "heredocs", head: "FROM a\n", unit: numbered("RUN <<E%d\necho $A && apt-get install -y x\nE%d\n")},
	{name: "heredocs of one line", head: "FROM a\nCOPY", unit: numbered(" <<E%d"), tail: " /x/\n"},
	{name: "an unterminated heredoc", head: "FROM a\nRUN <<EOF\n", unit: numbered("echo line %d && cd /x\n")},
	{name: "unterminated heredocs", head: "FROM a\n", unit: numbered("RUN <<E%d\n")},
	{
		name: "a heredoc of another language",
		head: "FROM a\nRUN <<EOF python3\n",
		unit: numbered("print('%d')\n"),
		tail: "EOF\n",
	},
	{name: "continued comments", head: "FROM a\nRUN a \\\n", unit: repeated("# comment \\\n")},
	{name: "empty continuations", head: "FROM a\nRUN a \\\n", unit: repeated("\n")},
	{name: "continuations", head: "FROM a\nRUN a", unit: repeated(" \\\n b")},
	{name: "comments", unit: repeated("# a comment with FROM and RUN in it\n"), tail: "FROM a\n"},
	{name: "ignored checks", head: "FROM a\n", unit: numbered("# layerwise: ignore=unknown-stage%d\nEVN x\n")},
	{name: "directives", unit: numbered("# a%d=b\n"), tail: "FROM a\n"},
	{name: "check directive", head: "# check=skip=", unit: numbered("Rule%d,"), tail: "\nFROM a\nFROM b as c\n"},
	{name: "regions", head: "FROM a\n", unit: repeated("#region\nRUN a\n#endregion\n")},
	{name: "open regions", head: "FROM a\n", unit: repeated("#region x\n")},
	{name: "CR only", unit: repeated("FROM a\rRUN b\rCOPY c d\r")},
	{name: "CRLF", unit: repeated("FROM a\r\nRUN b \\\r\n c\r\n")},
	{name: "blank lines", unit: repeated("\n"), tail: "FROM a\n"},
	{name: "blanks", head: "FROM a\nRUN a", unit: repeated(" "), tail: "b\n"},
	{name: "one long line without meaning", unit: repeated("x")},
	{name: "JSON arrays", head: "FROM a\nRUN [\"a\"", unit: repeated(`, "b"`), tail: "]\n"},
	{name: "broken JSON", head: "FROM a\n", unit: repeated("CMD [\"a\", 'b']\nENTRYPOINT [a]\n")},
	{name: "deep JSON", head: "FROM a\nRUN ", unit: repeated("[")},
	{name: "EXPOSE with blanks", head: "FROM a\nEXPOSE", unit: repeated(" 80 / tcp ")},
	{name: "EXPOSE", head: "FROM a\nEXPOSE", unit: numbered(" %d/tcp")},
	{name: "VOLUME", head: "FROM a\n", unit: numbered("VOLUME /a%d\n")},
	{name: "COPY sources", head: "FROM a\nCOPY", unit: numbered(" src/a%d"), tail: " /x/\n"},
	{name: "COPY patterns", head: "FROM a\nCOPY", unit: repeated(" **/*?[a-z]*"), tail: " /x/\n"},
	{name: "a long path", head: "FROM a\nCOPY ", unit: repeated("a/../"), tail: " /x/\n"},
	{name: "WORKDIRs", head: "FROM a\n", unit: numbered("WORKDIR a%d\n")},
	{name: "USERs", head: "FROM a\n", unit: numbered("RUN useradd u%d\nUSER u%d\n")},
	{name: "ONBUILD", head: "FROM a\n", unit: repeated("ONBUILD RUN --mount=from=x,target=/a b\n")},
	{name: "HEALTHCHECKs", head: "FROM a\n", unit: repeated("HEALTHCHECK --interval=5sec CMD a\n")},
	{
		name: "one stage of instructions",
		head: "FROM a\n",
		unit: numbered("COPY f%d /g%d\nRUN make x%d\nWORKDIR /w%d\nENV E%d=1\n"),
	},
	{name: "npm", unit: numbered("FROM node AS n%d\nCOPY . .\nRUN npm ci && npm run build%d\n")},
	{name: "secrets", head: "FROM a\n", unit: numbered("ARG TOKEN%d\nENV PASSWORD%d=x\n")},
	{
		name: "go.sum",
		unit: numbered("github.com/a/b%d v1.2.%d/go.mod h1:2EdSBPFgcn1ANYT6EY0VbIJoG3ZkUM1ZzSBvV8GqCM0=\n"),
	},
	{
		name: "Go",
		unit: numbered(
			"func f%d(a int) (b string, err error) {\n\tif a == %d {\n\t\treturn \"x\", nil // comment\n\t}\n}\n",
		),
	},
	{name: "YAML", unit: numbered("service%d:\n  image: a/b:%d\n  environment:\n    - A=$B\n")},
	{name: "Markdown", unit: numbered("## Heading %d\n\nSome text, `code` and \"quotes\" - from [here](there).\n")},
	{
		name: "binary",
		unit: func(i int) string { return string([]byte{byte(i * 7), byte(i * 13), byte(i >> 3), 0, 0xff}) },
	},
	{name: "wide characters", head: "FROM a\nRUN echo ", unit: repeated("é😀界")},
	{name: "bidi", head: "FROM a\n", unit: repeated("RUN echo \u202e\u2066x\u2069\n")},
	{name: "full-width keywords", head: "FROM a\n", unit: repeated("ＲＵＮ x\n")},
	{name: "glued keywords", head: "FROM a\n", unit: repeated("RUN\"x\"\nCMD[\"a\"]\n")},
	{name: "patch", unit: numbered("@@ -%d,7 +%d,7 @@\n-RUN a\n+RUN b\n FROM c\n")},
	{name: "Jinja", head: "FROM a\n", unit: numbered("{% if x%d %}\nRUN a{{ b%d }}\n{% endif %}\n")},
	{
		name: "every rule",
		unit: repeated(
			"from Alpine:latest as Base\nMAINTAINER x\nEVN a b\nADD http://x/y.tar /z\nRUN cd /x && sudo apt-get " +
				"install y\nWORKDIR a\nCMD a\nCMD b\nEXPOSE 99999\nSTOPSIGNAL FOO\n",
		),
	},
}

// stressRequest is a request as an editor sends it, at a place of the text.
type stressRequest struct {
	method string
	more   func(at place) []any
}

// place is a line of the text, with how long it is, and how many lines there are.
type place struct {
	line, length, lines int
}

func (p place) position() map[string]any {
	return map[string]any{"line": p.line, "character": p.length}
}

func positioned(p place) []any { return []any{"position", p.position()} }

func noParams(place) []any { return nil }

func wholeRange(p place) []any { return []any{"range", lsptest.Range(0, 0, p.lines, 0)} }

var spaces = map[string]any{"tabSize": 4, "insertSpaces": true}

var stressRequests = []stressRequest{
	{"textDocument/hover", positioned},
	{"textDocument/completion", positioned},
	{"textDocument/signatureHelp", positioned},
	{"textDocument/definition", positioned},
	{"textDocument/references", func(p place) []any {
		return append(positioned(p), "context", map[string]any{"includeDeclaration": true})
	}},
	{"textDocument/documentHighlight", positioned},
	{"textDocument/prepareRename", positioned},
	{"textDocument/rename", func(p place) []any { return append(positioned(p), "newName", "renamed") }},
	{"textDocument/linkedEditingRange", positioned},
	{"textDocument/prepareCallHierarchy", positioned},
	{"textDocument/selectionRange", func(p place) []any { return []any{"positions", []any{p.position()}} }},
	{"textDocument/codeAction", func(p place) []any {
		return []any{
			"range",
			lsptest.Range(p.line, p.length, p.line, p.length),
			"context",
			map[string]any{"diagnostics": []any{}},
		}
	}},
	{"textDocument/codeAction fixAll", func(p place) []any {
		return append(
			wholeRange(p),
			"context",
			map[string]any{"diagnostics": []any{}, "only": []string{"source.fixAll"}},
		)
	}},
	{"textDocument/codeAction all", func(p place) []any {
		return append(wholeRange(p), "context", map[string]any{"diagnostics": []any{}, "only": []string{"quickfix"}})
	}},
	{"textDocument/diagnostic", noParams},
	{"textDocument/documentSymbol", noParams},
	{"textDocument/foldingRange", noParams},
	{"textDocument/documentLink", noParams},
	{"textDocument/semanticTokens/full", noParams},
	{"textDocument/semanticTokens/range", wholeRange},
	{"textDocument/codeLens", noParams},
	{"textDocument/inlayHint", wholeRange},
	{"textDocument/formatting", func(place) []any { return []any{"options", spaces} }},
	{"textDocument/rangeFormatting", func(p place) []any { return append(wholeRange(p), "options", spaces) }},
	{"textDocument/onTypeFormatting", func(p place) []any {
		return []any{"position", map[string]any{"line": p.line, "character": p.length}, "ch", "\n", "options", spaces}
	}},
}

// stressed is a document open in a server process, whose operations are timed.
type stressed struct {
	*typist
	process *process
	times   map[string]time.Duration
}

// stressPatience is how long an operation is waited for; what takes longer counts as that. After one that takes
// stressEnough no other is measured.
const (
	stressPatience = 10 * time.Second
	stressEnough   = 2 * time.Second
)

func (s *stressed) came(method, holds string) bool {
	_, ok := s.AwaitFor(stressPatience, method, func(p json.RawMessage) bool {
		return strings.Contains(string(p[:min(len(p), 400)]), holds)
	})
	return ok
}

// stroke types a letter and waits for diagnostics and marks.
func (s *stressed) stroke() bool {
	s.key()
	this := `"version":` + strconv.Itoa(s.version)
	return s.came("textDocument/publishDiagnostics", this) && s.came("layerwise/cacheStatus", this)
}

// best times an operation some times, in processor time where that is less: other programs may have had the machine.
func (s *stressed) best(name string, rounds int, do func() bool) bool {
	for range rounds {
		began, used := time.Now(), s.process.processor()
		if !do() {
			s.times[name] = stressPatience
			return false
		}
		took := min(time.Since(began), s.process.processor()-used)
		if s.times[name] == 0 || took < s.times[name] {
			s.times[name] = took
		}
		if took > time.Second {
			return took < stressEnough // no need to be exact
		}
	}
	return true
}

// measure times every operation on a text, and says how much memory the server took at most, in MiB. Each request is
// asked after a key, which throws away what was remembered of the text before.
func measure(b testing.TB, binary, text string) (times map[string]time.Duration, memory float64) {
	dir := b.TempDir()
	file := filepath.Join(dir, "Dockerfile")
	write(b, file, text)
	p := start(b, binary)
	s := &stressed{&typist{Editor: p.editor, uri: lsptest.URI(file), version: 1}, p, map[string]time.Duration{}}
	defer func() {
		memory = p.resident(b, "VmHWM")
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}()
	lines := strings.Split(text, "\n")
	at := place{line: len(lines) / 2, lines: len(lines)}
	for at.line < len(lines)-1 && len(lines[at.line]) < 5 {
		at.line++
	}
	if len(lines[at.line]) < 5 {
		at.line = 0
	}
	s.line, at.length = at.line, min(len(lines[at.line]), 4)

	if !s.best("open", 1, func() bool {
		s.OpenFile(s.uri, "dockerfile", text)
		return s.came("textDocument/publishDiagnostics", "") && s.came("layerwise/cacheStatus", `"state":"ready"`)
	}) || !s.best("key", 5, s.stroke) {
		return s.times, 0
	}
	for _, request := range stressRequests {
		method, _, _ := strings.Cut(request.method, " ")
		name := strings.TrimPrefix(request.method, "textDocument/")
		for i := 0; i == 0 || i == 1 && s.times[name] > 20*time.Millisecond; i++ {
			if !s.best(name, 1, func() bool {
				return s.Send(method, lsptest.Document(s.uri, request.more(at)...)).WaitFor(stressPatience)
			}) || !s.stroke() {
				return s.times, 0
			}
		}
	}
	return s.times, 0
}

var (
	stressBefore = flag.String("stress-before", "", "BenchmarkStress: an earlier program, to compare with")
	stressPage   = flag.String("stress-page", "", "BenchmarkStress: a Markdown file whose table is written anew")
	stressSize   = flag.Int("stress-size", 20_000, "BenchmarkStress: how long a text is; the large ones ten times")
)

// stressRow is what one program takes for a text of both sizes.
type stressRow struct {
	small, large map[string]time.Duration // by operation
	memory       float64                  // at most, with the large one, in MiB
}

// measureBoth measures a text of both sizes. Where the large one is too large to be read, the largest that is read
// counts as well.
func measureBoth(b *testing.B, binary string, text stressText) (r stressRow) {
	r.small, _ = measure(b, binary, text.of(*stressSize))
	whole := text.of(10 * *stressSize)
	r.large, r.memory = measure(b, binary, whole)
	if most := text.within(len(whole)); len(most) < len(whole) {
		large, memory := measure(b, binary, most)
		for operation, took := range large {
			r.large[operation] = max(r.large[operation], took)
		}
		r.memory = max(r.memory, memory)
	}
	return r
}

// ratio is how much longer an operation takes on the large text; what is quick on the small one counts as half a
// millisecond.
func (r stressRow) ratio(operation string) float64 {
	return float64(r.large[operation]) / float64(max(r.small[operation], 500*time.Microsecond))
}

// slowest is the operation that takes longest on the large text.
func (r stressRow) slowest() string {
	return slices.MaxFunc(slices.Sorted(maps.Keys(r.large)), func(a, b string) int {
		return cmp.Compare(r.large[a], r.large[b])
	})
}

// cells are those of a Markdown table: the slowest operation, what it takes, how that grows, and the memory.
func (r stressRow) cells() string {
	name := r.slowest()
	took := func(d time.Duration) string {
		if d >= stressPatience {
			return "no answer"
		}
		return fmt.Sprintf("%.0f", ms(d))
	}
	ratio := "" // of what did not end nothing is known
	if r.large[name] < stressPatience {
		ratio = fmt.Sprintf("%.0f", r.ratio(name))
	}
	return fmt.Sprintf(" %s | %s | %s | %s | %.0f |", name, took(r.small[name]), took(r.large[name]), ratio, r.memory)
}

// BenchmarkStress times every request on every sort of text, at a size and ten times that, and prints those that take
// longer than they should or grow faster than the text:
//
//	go test ./server -run '^$' -bench Stress -benchtime 1x
//	LAYERWISE_STRESS=stages,CR go test ./server -run '^$' -bench Stress -benchtime 1x
//
// The second takes only texts whose names hold one of these. docs/stress.md says how its table is made.
func BenchmarkStress(b *testing.B) {
	only := strings.FieldsFunc(os.Getenv("LAYERWISE_STRESS"), func(r rune) bool { return r == ',' })
	binary := build(b)
	for b.Loop() {
		table := tabwriter.NewWriter(os.Stderr, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "\ntext\toperation\tms, small\tms, large\tratio\tMiB")
		over, worst, most := 0, time.Duration(0), 0.0
		var page strings.Builder
		for _, text := range stressTexts {
			if len(only) > 0 &&
				!slices.ContainsFunc(only, func(part string) bool { return strings.Contains(text.name, part) }) {
				continue
			}
			fmt.Fprintf(&page, "| %s |", text.name)
			if *stressBefore != "" {
				page.WriteString(measureBoth(b, *stressBefore, text).cells())
			}
			row := measureBoth(b, binary, text)
			page.WriteString(row.cells() + "\n")
			most = max(most, row.memory)
			for _, name := range slices.Sorted(maps.Keys(row.large)) {
				after, ratio := row.large[name], row.ratio(name)
				worst = max(worst, after)
				if after > 100*time.Millisecond || ratio > 20 && after > 20*time.Millisecond {
					over++
					fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f\t%.0f\t%.0f\n", text.name, name, ms(row.small[name]),
						ms(after), ratio, row.memory)
				}
			}
			table.Flush()
			if *stressPage != "" { // text by text: it takes an hour
				writeStress(b, *stressPage, page.String())
			}
		}
		b.ReportMetric(float64(over), "over")
		b.ReportMetric(ms(worst), "ms-worst")
		b.ReportMetric(most, "MiB-peak")
	}
}

// writeStress puts rows in the place of those of a page's table, which is its end.
func writeStress(b *testing.B, page, rows string) {
	old, err := os.ReadFile(page)
	if err != nil {
		b.Fatal(err)
	}
	head, _, ok := strings.Cut(string(old), stressRule)
	if !ok {
		b.Fatalf("%s has no table", page)
	}
	write(b, page, head+stressRule+rows)
}

// stressRule stands between the head of the table and its rows.
const stressRule = "|---|---|---|---|---|---|---|---|---|---|---|\n"

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
