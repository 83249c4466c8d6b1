package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Markdown returns the rule's page.
func (r *Rule) Markdown() string {
	page := fmt.Sprintf(
		"# %s\n\n%s. Severity: %s.\n\n## What it does\n\n%s\n\n## Why this is bad\n\n%s\n\n## Example\n\n%s\nUse "+
			"instead:\n\n%s",
		r.ID,
		r.Doc.Summary,
		r.Level(),
		r.Doc.What,
		r.Doc.Why,
		r.codeBlock(r.Doc.Example),
		r.codeBlock(r.Doc.Instead),
	)
	skips := r.Severity != analysis.Error && !r.BuildFile
	if skips {
		page += "\n## Leave it out\n\nFor the whole file, among the first lines:\n\n" + codeBlock("# check=skip="+r.ID)
		if !r.FileOnly {
			page += "\nThe same comment right above an instruction, but not at the head of the file, counts for that " +
				"instruction.\n"
		}
	}
	if r.BuildKit != "" {
		page += "\nThis is [BuildKit's build check](" + r.BuildKit + ") of that name.\n"
	}
	if len(r.Hadolint) > 0 {
		page += "\nIn hadolint: " + strings.Join(r.Hadolint, ", ") + ".\n"
	}
	if r.OffByDefault {
		return page + "\n## How to turn it on\n\n" +
			"`" + r.ID + ": " + r.Severity.String() + "` below `rules:` in a " +
			"`" + ConfigName + "`; for one run `layerwise check --only " + r.ID + "`.\n"
	}
	page += "\n## How to turn it off\n\n"
	if skips {
		page += "`# check=skip=" + r.ID + "` among the first lines of the file"
		if !r.FileOnly {
			page += ", or right above the instruction"
		}
		page += "; for a project "
	}
	next := " "
	if r.BuildFile {
		next = "\n"
	}
	return page + "`" + r.ID + ": off` below `rules:` in a " +
		"`" + ConfigName + "`; for one run" + next + "`layerwise check --disable " + r.ID + "`.\n"
}

// Index returns the page that lists all rules, with links to their pages.
func Index() string {
	var b strings.Builder
	b.WriteString(
		"# Rules\n\nWhat `layerwise check` and the language server look for. Rules marked † have a fix for their " +
			"example. Rules in CamelCase are BuildKit's " +
			"[build checks](https://docs.docker.com/reference/build-checks/), all but `InvalidBaseImagePlatform`, " +
			"which needs a registry.\n\n" +
			"`# check=skip=...` leaves rules out: among the first lines for the file, right above an instruction for " +
			"that instruction. " +
			"`layerwise check` reads severities from a " +
			"`" + ConfigName + "`, of which there is a [schema](layerwise.schema.json).\n\n| Rule | Severity | " +
			"|\n|---|---|---|\n",
	)
	for _, r := range All {
		mark := ""
		if r.fixes() {
			mark = " †"
		}
		fmt.Fprintf(&b, "| [%s](%s.md)%s | %s | %s |\n", r.ID, r.ID, mark, r.Level(), r.Doc.Summary)
	}
	b.WriteString("\nIn the build sections of Compose and bake files, and in GitHub's workflows and GitLab's CI file:\n\n" +
		"| Rule | Severity | |\n|---|---|---|\n")
	for _, r := range BuildFiles {
		fmt.Fprintf(&b, "| [%s](../build-rules/%s.md) | %s | %s |\n", r.ID, r.ID, r.Level(), r.Doc.Summary)
	}
	return b.String()
}

// fixes reports whether the rule has a fix for its own example.
func (r *Rule) fixes() bool {
	for _, finding := range run(dockerfile.Parse(source.New(r.Doc.Example), nil), Options{Context: r.Doc.Context,
		On: []string{r.ID}}, []*Rule{r}) {
		if len(finding.Fixes) > 0 {
			return true
		}
	}
	return false
}

func (r *Rule) codeBlock(text string) string {
	if r.BuildFile {
		return "```yaml\n" + strings.TrimSuffix(text, "\n") + "\n```\n"
	}
	return codeBlock(text)
}

// codeBlock shows a Dockerfile; a line too long for a page is cut short, and so are too many lines.
func codeBlock(text string) string {
	const longest, most = 120, 60
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r", "␍"), "\n"), "\n")
	for i, line := range lines {
		if len(line) > longest {
			lines[i] = fmt.Sprintf("%s… (%d characters in all)", line[:40], len(line))
		}
	}
	if len(lines) > most {
		lines = append(lines[:3], fmt.Sprintf("… (%d lines in all)", len(lines)))
	}
	return "```dockerfile\n" + strings.Join(lines, "\n") + "\n```\n"
}
