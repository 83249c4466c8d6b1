package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Markdown returns the rule's page.
func (r *Rule) Markdown() string {
	return fmt.Sprintf("# %s\n\n%s. Severity: %s.\n\n## What it does\n\n%s\n\n## Why this is bad\n\n%s\n\n## Example\n\n%s\nUse instead:\n\n%s",
		r.ID, r.Doc.Summary, r.Severity, r.Doc.What, r.Doc.Why, codeBlock(r.Doc.Example), codeBlock(r.Doc.Instead))
}

// Index returns the page that lists all rules, with links to their pages.
func Index() string {
	var b strings.Builder
	b.WriteString("# Rules\n\nWhat `layerwise check` and the language server look for. Rules marked † have a fix.\n\n| Rule | Severity | |\n|---|---|---|\n")
	for _, r := range All {
		mark := ""
		if r.fixes() {
			mark = " †"
		}
		fmt.Fprintf(&b, "| [%s](%s.md)%s | %s | %s |\n", r.ID, r.ID, mark, r.Severity, r.Doc.Summary)
	}
	return b.String()
}

// fixes reports whether the rule has a fix for its own example.
func (r *Rule) fixes() bool {
	for _, finding := range r.Check(dockerfile.Parse(source.New(r.Doc.Example), nil)) {
		if len(finding.Fixes) > 0 {
			return true
		}
	}
	return false
}

// codeBlock shows a Dockerfile; a line too long for a page is cut short.
func codeBlock(text string) string {
	const longest = 120
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if len(line) > longest {
			lines[i] = fmt.Sprintf("%s… (%d characters in all)", line[:40], len(line))
		}
	}
	return "```dockerfile\n" + strings.Join(lines, "\n") + "\n```\n"
}
