package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/spf13/cobra"
)

const rulesHelp = `List the rules that layerwise check and the language server look for.

--format markdown prints the whole documentation; --format json prints
  [{"id": "unknown-instruction", "severity": "error", "summary": "...", "what": "...", "why": "...",
    "example": "a Dockerfile or build file with the mistake", "instead": "the file without it", "url": "..."}]
with the texts other than the Dockerfiles in Markdown.`

func newRules() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List the rules",
		Long:  rulesHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := cmd.OutOrStdout()
			switch format {
			case "text":
				return printRules(w)
			case "markdown":
				return printRulesMarkdown(w)
			case "json":
				return printRulesJSON(w)
			}
			return fmt.Errorf("--format %s: choose one of text, markdown, json", format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, markdown or json")
	return cmd
}

func printRules(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rules.Every() {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", r.ID, r.Level(), r.Doc.Summary)
	}
	return tw.Flush()
}

func printRulesMarkdown(w io.Writer) error {
	for _, r := range rules.Every() {
		if _, err := fmt.Fprintln(w, r.Markdown()); err != nil {
			return err
		}
	}
	return nil
}

func printRulesJSON(w io.Writer) error {
	type jsonRule struct {
		ID       string `json:"id"`
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		What     string `json:"what"`
		Why      string `json:"why"`
		Example  string `json:"example"`
		Instead  string `json:"instead"`
		URL      string `json:"url"`
	}
	list := []jsonRule{}
	for _, r := range rules.Every() {
		list = append(
			list,
			jsonRule{
				r.ID,
				r.Severity.String(),
				r.Doc.Summary,
				r.Doc.What,
				r.Doc.Why,
				r.Doc.Example,
				r.Doc.Instead,
				r.URL(),
			},
		)
	}
	return printJSON(w, list)
}

const explainHelp = `Print what a rule finds, why that is bad, an example with the Dockerfile as it should be, and how to turn it off.

RULE is a rule's name, in any letter case, or a code of hadolint (DL3006).`

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain RULE",
		Short: "Explain a rule",
		Long:  explainHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, code, err := rules.Named(args[0])
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if code != "" {
				_, err := fmt.Fprintln(out, rules.ShellCheckPage(code))
				return err
			}
			for _, id := range ids {
				if _, err := fmt.Fprintln(out, rules.ByID(id).Markdown()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
