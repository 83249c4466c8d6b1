package rules

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/source"
	"golang.org/x/tools/txtar"
)

func checkText(text string) []analysis.Finding { return checkIn(nil, text) }

// checkIn is checkText with what is known of the build context.
func checkIn(context *Context, text string) []analysis.Finding {
	return Check(dockerfile.Parse(source.New(text), nil), testOptions(context))
}

func testOptions(context *Context) Options {
	return Options{
		Ignore:     ignoreTmp{},
		Context:    context,
		ShellCheck: unquotedFiles,
		Orders:     sourcesLast,
		Movable:    plainProject.movable,
	}
}

// unquotedFiles is the ShellCheck of all tests.
func unquotedFiles(s ShellScript) []ShellRemark {
	at := strings.Index(s.Text, " $FILES")
	if at < 0 {
		return nil
	}
	from, to := at+1, at+len(" $FILES")
	return []ShellRemark{
		{
			From:     from,
			To:       to,
			Code:     "SC2086",
			Severity: analysis.Information,
			Message:  "Double quote to prevent globbing and word splitting.",
			Edits: []source.Edit{
				{Span: source.Span{Start: from, End: from}, NewText: `"`},
				{Span: source.Span{Start: to, End: to}, NewText: `"`},
			},
		},
	}
}

// sourcesLast is the search for an order of all tests.
func sourcesLast(file *dockerfile.File) []Order {
	const sources, mounted = "COPY src ./src\n", "RUN CGO_ENABLED=0 go build -o /shop\n"
	text := file.Text.String()
	if at := strings.Index(text, mounted); at >= 0 {
		at += len("RUN")
		return []Order{
			{Title: "Add a cache mount for Go's build cache", Message: "go build would find what it compiled before",
				Edits: []source.Edit{
					{
						Span:    source.Span{Start: at, End: at},
						NewText: " --mount=type=cache,target=/root/.cache/go-build",
					},
				}},
		}
	}
	at := strings.Index(text, sources)
	if at < 0 || !strings.Contains(text[at:], "npm ci") {
		return nil
	}
	return []Order{
		{Title: "Move COPY src ./src below RUN npm ci", Message: "10 of 100 builds would re-run RUN npm ci; today 90",
			Edits: []source.Edit{
				{Span: source.Span{Start: at, End: at + len(sources)}},
				{Span: source.Span{Start: len(text), End: len(text)}, NewText: sources},
			}},
	}
}

// ignoreTmp is the ignore file of all tests.
type ignoreTmp struct{}

func (ignoreTmp) Patterns() []string       { return []string{"tmp"} }
func (ignoreTmp) Ignores(path string) bool { return path == "tmp" || strings.HasPrefix(path, "tmp/") }

// allFixed applies preferred fixes until none is left, also in files that FixAll leaves alone.
func allFixed(text string) string {
	return fix(dockerfile.Parse(source.New(text), nil), testOptions(nil)).file.Text.String()
}

func applied(t *testing.T, text string, edits []source.Edit) string {
	t.Helper()
	after, err := source.Apply(text, edits)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

func count(findings []analysis.Finding, rule string) int {
	n := 0
	for _, f := range findings {
		if f.Rule == rule {
			n++
		}
	}
	return n
}

func TestTableIsSortedAndUnique(t *testing.T) {
	for i := 1; i < len(All); i++ {
		if All[i-1].ID >= All[i].ID {
			t.Errorf("%s must come after %s, and once", All[i-1].ID, All[i].ID)
		}
	}
	for _, r := range All {
		if ByID(r.ID) != r {
			t.Errorf("ByID does not find %s", r.ID)
		}
	}
	if ByID("no-such-rule") != nil {
		t.Error("ByID finds a rule that does not exist")
	}
}

func TestExamples(t *testing.T) {
	for _, r := range All {
		t.Run(r.ID, func(t *testing.T) {
			d := r.Doc
			for _, part := range []string{d.Summary, d.What, d.Why, d.Example, d.Instead} {
				if part == "" {
					t.Fatal("documentation is incomplete")
				}
			}
			if strings.HasSuffix(d.Summary, ".") || strings.Contains(d.Summary, "\n") {
				t.Errorf("the summary %q must be one line without a full stop", d.Summary)
			}
			opts := testOptions(d.Context)
			opts.On = []string{r.ID}
			check := func(text string) []analysis.Finding {
				return Check(dockerfile.Parse(source.New(text), nil),
					opts)
			}
			before := check(d.Example)
			if count(before, r.ID) == 0 {
				t.Errorf("the example has no such finding, but %v", before)
			}
			for _, f := range before {
				if f.Rule != r.ID {
					t.Errorf("the example has a finding of another rule: %v", f)
				}
				checkFixes(t, d.Example, f, opts)
			}
			if got := check(d.Instead); len(got) > 0 {
				t.Errorf("the better Dockerfile has findings: %v", got)
			}
			if fixed := fix(dockerfile.Parse(source.New(d.Example), nil),
				opts).file.Text.String(); fixed != d.Example {
				if diff := cmp.Diff(d.Instead, fixed); diff != "" {
					t.Errorf(
						"the fixes do not lead from the example to the better Dockerfile (-better +fixed):\n%s",
						diff,
					)
				}
			}
			if off := Check(dockerfile.Parse(source.New(d.Example), nil), Options{Off: []string{r.ID},
				Ignore: ignoreTmp{}}); len(
				off,
			) > 0 {
				t.Errorf("findings though the rule is off: %v", off)
			}
		})
	}
}

// checkFixes applies each fix of a finding: the finding must be gone, and what the fix did not touch must be there.
func checkFixes(t *testing.T, text string, f analysis.Finding, opts Options) {
	t.Helper()
	check := func(text string) []analysis.Finding { return Check(dockerfile.Parse(source.New(text), nil), opts) }
	before := count(check(text), f.Rule)
	for _, fix := range f.Fixes {
		after := applied(t, text, fix.Edits)
		if got := count(check(after), f.Rule); got >= before {
			t.Errorf("%q leaves %d findings of %s, before %d:\n%s", fix.Title, got, f.Rule, before, after)
		}
		if title := fix.Title; title == "" || title != strings.ToUpper(title[:1])+title[1:] ||
			strings.HasSuffix(title, ".") {
			t.Errorf("title %q", title)
		}
	}
}

// Each archive in testdata is one case: its comment says what it shows; Dockerfile is the input, findings the golden
// list of what is found with the fixes ("*" marks the preferred), fixed the file after the preferred fixes.
func TestCases(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(t *testing.T, a *txtar.Archive) []txtar.File {
		input, crlf := string(a.Files[0].Data), strings.Contains(t.Name(), "crlf")
		if crlf {
			input = strings.ReplaceAll(input, "\n", "\r\n")
		}
		findings := checkText(input)
		for _, f := range findings {
			checkFixes(t, input, f, testOptions(nil))
		}
		fixed := allFixed(input)
		if again := allFixed(fixed); again != fixed {
			t.Errorf("fixing twice changes the file again:\n%s", again)
		}
		if crlf {
			if strings.Count(fixed, "\n") != strings.Count(fixed, "\r\n") {
				t.Errorf("a fix lost a carriage return: %q", fixed)
			}
			fixed = strings.ReplaceAll(fixed, "\r\n", "\n")
		}
		return []txtar.File{
			a.Files[0],
			{Name: "findings", Data: []byte(describe(input, findings))},
			{Name: "fixed", Data: []byte(fixed)},
		}
	})
}

func describe(text string, findings []analysis.Finding) string {
	var b strings.Builder
	lines := source.New(text)
	for _, f := range findings {
		line := lines.LineAt(f.Span.Start)
		fmt.Fprintf(&b, "%d: %s %s %q: %s\n", line+1, f.Severity, f.Rule, lines.Slice(f.Span), f.Message)
		for _, fix := range f.Fixes {
			mark := " "
			if fix.Preferred {
				mark = "*"
			}
			fmt.Fprintf(&b, "  %s %s\n", mark, fix.Title)
		}
	}
	return b.String()
}

func TestDocsAreFresh(t *testing.T) {
	dir := filepath.Join("..", "..", "docs", "rules")
	schema, err := json.MarshalIndent(ConfigSchema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{"README.md": Index(), "layerwise.schema.json": string(schema) + "\n"}
	for _, r := range All {
		pages[r.ID+".md"] = r.Markdown()
	}
	for name, page := range pages {
		golden.File(t, filepath.Join(dir, name), page)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := pages[e.Name()]; !ok {
			t.Errorf("docs/rules/%s belongs to no rule", e.Name())
		}
	}
}

// Whatever the text is, findings and edits lie within it, are in order and can be applied, and fixing comes to an end.
func FuzzCheck(f *testing.F) {
	for _, r := range All {
		if len(r.Doc.Example) < 1000 {
			f.Add(r.Doc.Example)
		}
	}
	f.Add("# escape=`\r\nFROM a\r\nRUN b &&\r\n  c `\r\n\r\n  d\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		findings := checkText(text)
		if !slices.IsSortedFunc(findings, func(a, b analysis.Finding) int { return a.Span.Start - b.Span.Start }) {
			t.Error("findings are not in order")
		}
		for _, finding := range findings {
			if s := finding.Span; s.Start < 0 || s.Start > s.End || s.End > len(text) {
				t.Errorf("%s: span %v of %d bytes", finding.Rule, s, len(text))
			}
			if finding.Severity < analysis.Error || finding.Severity > analysis.Hint || ByID(finding.Rule) == nil ||
				finding.Message == "" {
				t.Errorf("incomplete finding %+v", finding)
			}
			for _, fix := range finding.Fixes {
				if applied(t, text, fix.Edits) == text {
					t.Errorf("%s: %q changes nothing", finding.Rule, fix.Title)
				}
			}
		}
		if fixed := allFixed(text); allFixed(fixed) != fixed {
			t.Errorf("fixing does not come to an end: %q", fixed)
		}
	})
}
