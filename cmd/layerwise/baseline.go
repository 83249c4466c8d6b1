package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/spf13/cobra"
)

func newBaseline() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "baseline",
		Short: "List, show and forget the builds that are on record",
		Long: `Builds are recorded by layerwise build, or by marking a Dockerfile as built in an editor. They are kept in the user's cache
folder, the newest twelve of each Dockerfile.`,
	})
	cmd.AddCommand(newBaselineList(), newBaselineShow(), newBaselineForget())
	return cmd
}

// builtRecord is a record as the subcommands print it in JSON.
type builtRecord struct {
	ID         string                  `json:"id"`
	When       time.Time               `json:"when"`
	Source     record.Source           `json:"source"` // "build", "history" or "marked"
	Tool       string                  `json:"tool"`
	Name       string                  `json:"name"` // of the compose service or bake target, as in "compose:web"
	Dockerfile string                  `json:"dockerfile"`
	Context    string                  `json:"context"`
	Engine     cachemodel.Engine       `json:"engine"`
	Target     string                  `json:"target"`
	Platform   string                  `json:"platform"`
	Args       map[string]string       `json:"args"`
	Secrets    []string                `json:"secrets"` // names of the arguments of which only a hash is kept
	Tags       []string                `json:"tags"`
	Files      int                     `json:"files"` // entries of the build context
	Costs      map[int]cachemodel.Cost `json:"costs"` // by line
	Notes      []string                `json:"notes"`
	Text       string                  `json:"text,omitempty"` // of the Dockerfile, in show only
}

func asJSON(r *record.Record) builtRecord {
	out := builtRecord{
		ID: r.ID, When: r.When, Source: r.Source, Tool: r.Tool, Name: r.Name, Dockerfile: r.Dockerfile,
		Context: r.ContextDir,
		Engine:  r.Settings.Engine, Target: r.Settings.Target, Platform: r.Settings.Platform, Args: r.Settings.Args,
		Secrets: slices.Sorted(maps.Keys(r.Secrets)), Tags: r.Tags, Costs: r.Costs, Notes: r.Notes,
	}
	if r.Context != nil {
		out.Files = countEntries(r.Context.Root()) - 1
	}
	return out
}

func countEntries(n *buildcontext.Node) int {
	total := 1
	for _, c := range n.Children() {
		total += countEntries(c)
	}
	return total
}

func newBaselineList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list [DOCKERFILE]",
		Short: "List the builds on record, the newest first",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := absolute(args)
			if err != nil {
				return err
			}
			records, problems := record.NewStore(digestCache()).List(file)
			tellProblems(cmd, problems)
			switch format {
			case "json":
				list := []builtRecord{}
				for _, r := range records {
					list = append(list, asJSON(r))
				}
				return printJSON(cmd.OutOrStdout(), list)
			case "text":
				return printRecords(cmd.OutOrStdout(), records)
			}
			return fmt.Errorf("--format is %q: use text or json", format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

func absolute(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	return filepath.Abs(args[0])
}

func tellProblems(cmd *cobra.Command, problems []error) {
	for _, problem := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", printableLines(fmt.Sprint(problem)))
	}
}

func printRecords(w io.Writer, records []*record.Record) error {
	if len(records) == 0 {
		_, err := fmt.Fprintln(w, "no builds are on record: run one as `layerwise build -- docker build ...`")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range records {
		fmt.Fprintf(
			table,
			"%s\t%s\t%s\t%s\n",
			r.ID,
			r.When.Local().Format("2006-01-02 15:04:05"),
			printable(r.Summary()),
			printable(r.Dockerfile),
		)
	}
	return table.Flush()
}

func newBaselineShow() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show [ID | DOCKERFILE]",
		Short: "Show one build on record: that of the id, or the last one of the Dockerfile",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format is %q: use text or json", format)
			}
			r, err := findRecord(cmd, args)
			if err != nil {
				return err
			}
			if format == "json" {
				out := asJSON(r)
				out.Text = r.Text
				return printJSON(cmd.OutOrStdout(), out)
			}
			return printRecord(cmd.OutOrStdout(), r)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

func findRecord(cmd *cobra.Command, args []string) (*record.Record, error) {
	store := record.NewStore(digestCache())
	name := "Dockerfile"
	if len(args) == 1 {
		name = args[0]
		r, err := store.Get(name)
		if err == nil || !errors.Is(err, record.ErrNoRecord) {
			return r, err
		}
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	r, problems := store.Latest(path, record.Match{})
	tellProblems(cmd, problems)
	if r == nil {
		return nil, fmt.Errorf("%s is neither the id of a build on record nor a Dockerfile that has one", name)
	}
	return r, nil
}

func printRecord(w io.Writer, r *record.Record) error {
	p := asJSON(r)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, printable(value))
		}
	}
	row("id", p.ID)
	row("when", r.When.Local().Format("2006-01-02 15:04:05"))
	row("built by", r.Summary())
	row("builder", r.Builder.String())
	row("Dockerfile", p.Dockerfile)
	row("context", p.Context)
	if r.Context != nil {
		row("files", fmt.Sprint(p.Files))
	}
	row("engine", string(p.Engine))
	row("target", p.Target)
	row("platform", p.Platform)
	for _, name := range slices.Sorted(maps.Keys(p.Args)) {
		row("argument", name+"="+p.Args[name])
	}
	for _, name := range p.Secrets {
		row("argument", name+" (a secret: only a hash is kept)")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Contexts)) {
		row("named context", name+"="+r.Contexts[name].Dir)
	}
	row("tags", strings.Join(p.Tags, " "))
	for _, line := range slices.Sorted(maps.Keys(p.Costs)) {
		row(fmt.Sprintf("line %d", line), costText(p.Costs[line]))
	}
	for _, note := range p.Notes {
		row("note", note)
	}
	return table.Flush()
}

// costText says what a step takes, as in "1.2 s, 31 MB".
func costText(c cachemodel.Cost) string {
	var parts []string
	if c.Seconds != nil {
		parts = append(parts, cachemodel.DurationText(*c.Seconds))
	}
	if c.Bytes != nil {
		parts = append(parts, cachemodel.ByteText(*c.Bytes))
	}
	if c.Shared {
		parts = append(parts, "shared by images")
	}
	return strings.Join(parts, ", ")
}

func newBaselineForget() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "forget ID... | DOCKERFILE | --all",
		Short: "Forget builds: those of the ids, those of a Dockerfile, or all",
		RunE: func(cmd *cobra.Command, args []string) error {
			store := record.NewStore(digestCache())
			total := 0
			switch {
			case all && len(args) > 0, !all && len(args) == 0:
				return errors.New("name the builds to forget by their ids, name a Dockerfile, or use --all")
			case all:
				n, err := store.ForgetAll("")
				if err != nil {
					return err
				}
				total = n
			}
			for _, arg := range args {
				err := store.Forget(arg)
				if errors.Is(err, record.ErrNoRecord) {
					path, failed := filepath.Abs(arg)
					if failed != nil {
						return failed
					}
					n, failed := store.ForgetAll(path)
					if failed != nil {
						return failed
					}
					if n == 0 {
						return fmt.Errorf(
							"%s is neither the id of a build on record nor a Dockerfile that has one",
							arg,
						)
					}
					total += n
					continue
				}
				if err != nil {
					return err
				}
				total++
			}
			fmt.Fprintf(cmd.OutOrStdout(), "forgot %d\n", total)
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "forget every build on record")
	return cmd
}
