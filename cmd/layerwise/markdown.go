package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/cachemodel"
)

// maxMarkdownRows bounds a table: GitHub takes a summary of 1 MiB.
const maxMarkdownRows = 100

// printMarkdown shows predictions as a summary of a CI job or a comment has it: what runs, and why.
func printMarkdown(w io.Writer, list []*prediction) error {
	var b strings.Builder
	for i, p := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeMarkdown(&b, p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeMarkdown(b *strings.Builder, p *prediction) {
	if p.report == nil {
		fmt.Fprintf(b, "### %s\n\n%s\n", markdownText(p.title), markdownText(p.err.Error()))
		return
	}
	r := p.report
	title := r.File
	if r.Target != "" {
		title += " · target " + r.Target
	}
	fmt.Fprintf(b, "### %s: %s\n\n", markdownText(title), markdownText(predictionSummary(r)))
	fmt.Fprintf(b, "Compared with %s", markdownText(p.build.Compared.Label))
	if r.Baseline.Assumed != "" {
		fmt.Fprintf(b, ", if %s", markdownText(r.Baseline.Assumed))
	}
	fmt.Fprintln(b, ".")
	if p.ci != nil {
		fmt.Fprintf(b, "%s\n", markdownText(ciText(p.ci, r.CacheFrom)))
	}
	if p.err != nil {
		fmt.Fprintf(b, "\n%s\n", markdownText(p.err.Error()))
	}
	rows := 0
	for _, s := range r.Steps {
		if s.Status != cachemodel.Rebuilt && s.Status != cachemodel.Fails {
			continue
		}
		if rows++; rows == 1 {
			fmt.Fprint(b, "\n| line | runs | why | takes |\n| ---: | --- | --- | ---: |\n")
		}
		if rows > maxMarkdownRows {
			fmt.Fprint(b, "| … | | | |\n")
			break
		}
		cost := costText(cachemodel.Cost{Seconds: s.Seconds, Bytes: s.Bytes, Shared: s.Shared})
		s.Seconds, s.Bytes, s.Shared = nil, nil, false
		fmt.Fprintf(b, "| %d | %s | %s | %s |\n", s.Line, markdownCode(truncate(s.Text, 120)), markdownText(stepNote(s)),
			markdownText(cost))
	}
	for _, text := range []string{cacheFromText(r), maxCacheText(r)} {
		if text != "" {
			fmt.Fprintf(b, "\n%s\n", markdownText(text))
		}
	}
	if assumed := assumedBy(r.Steps); len(assumed) > 0 {
		fmt.Fprintf(b, "\nThe marks assume that %s.\n", markdownText(strings.Join(assumed, "; ")))
	}
}

// markdownText writes text so that nothing in it is markup, a link or the name of a person.
func markdownText(text string) string {
	return markdownEscapes.Replace(printable(text))
}

var markdownEscapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "#", `\#`, "~", `\~`, "!", `\!`,
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;", "://", "&#58;//", "\t", " ",
)

// markdownCode writes text as code within a table.
func markdownCode(text string) string { return strings.ReplaceAll(describe.Code(text), "|", `\|`) }
