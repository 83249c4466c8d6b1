package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"
)

const reorderHelp = `Offer an order of the instructions that lets builds reuse more, where the image provably stays as it is.

FILE defaults to Dockerfile. Without --write or --diff it prints what it would do and why. To the classic builder every
instruction is a step; to BuildKit ENV, CMD and the like are not, so that the answers differ: say with --engine which
one builds the file. Where nothing is gained it says so; the exit code is 0 in either case, and 2 if FILE cannot be read.

--format json prints
  {"file": "Dockerfile", "engine": "classic", "written": false,
   "rewrites": [{"stage": 0, "title": "...", "explanation": "...", "grade": "proved",
                 "edits": [{"range": {"start": {"line": 2, "column": 1}, "end": {"line": 2, "column": 4}}, "newText": "..."}]}],
   "reason": "why nothing is gained, if there are no rewrites",
   "diff": "the change as a unified diff"}
Lines and columns count from 1, columns in characters (Unicode code points).
` + verifyHelp

func newReorder() *cobra.Command {
	var write, diff, verify bool
	var engine, format string
	var builder imageBuilder
	cmd := &cobra.Command{
		Use:   "reorder [FILE]",
		Short: "Offer an order of the instructions that rebuilds less",
		Long:  reorderHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "Dockerfile"
			if len(args) == 1 {
				path = args[0]
			}
			if e := reorder.Engine(engine); e != reorder.BuildKit && e != reorder.Classic {
				return fmt.Errorf("--engine %s: choose one of buildkit, classic", engine)
			}
			if format != "text" && format != "json" {
				return fmt.Errorf("--format %s: choose one of text, json", format)
			}
			r, err := reorderFile(path, reorder.Engine(engine))
			if err != nil {
				return err
			}
			if verify && len(r.rewrites) > 0 {
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
				defer stop()
				v, err := builder.verify(ctx, path, r.file.Text.String(), r.after, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				v.print(cmd.ErrOrStderr())
				if len(v.differences) > 0 {
					return exitError{code: 1, err: fmt.Errorf("%s: the reordering does not make the same image; nothing is written", path)}
				}
			}
			if write && len(r.rewrites) > 0 {
				if err := writeAtomically(path, r.after); err != nil {
					return err
				}
			}
			return r.print(cmd.OutOrStdout(), format == "json", diff, write)
		},
	}
	cmd.Flags().StringVar(&engine, "engine", "buildkit", "buildkit or classic")
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&write, "write", false, "change the file")
	cmd.Flags().BoolVar(&diff, "diff", false, "print the change as a unified diff")
	cmd.Flags().BoolVar(&verify, "verify", false, "build both files and compare the images")
	builder.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("write", "diff")
	return cmd
}

// reordering is what can be done to one file.
type reordering struct {
	path     string
	engine   reorder.Engine
	file     *dockerfile.File
	rewrites []reorder.Rewrite
	after    string // the file with all rewrites
}

func reorderFile(path string, engine reorder.Engine) (reordering, error) {
	content, err := readDockerfile(path)
	if err != nil {
		return reordering{}, err
	}
	r := reordering{path: path, engine: engine, file: dockerfile.Parse(source.New(content), nil)}
	r.rewrites = reorder.Suggest(r.file, engine)
	var edits []source.Edit
	for _, rewrite := range r.rewrites {
		edits = append(edits, rewrite.Edits...)
	}
	r.after, err = source.Apply(content, edits)
	return r, err
}

func (r reordering) print(w io.Writer, asJSON, diff, written bool) error {
	if asJSON {
		return r.printJSON(w, written)
	}
	if len(r.rewrites) == 0 {
		if diff {
			return nil // no difference
		}
		_, err := fmt.Fprintln(w, reorder.NothingGained(r.file, r.engine))
		return err
	}
	unified, err := r.diff()
	if err != nil {
		return err
	}
	p := colour(w)
	if diff {
		_, err := io.WriteString(w, paintDiff(p, unified))
		return err
	}
	for _, rewrite := range r.rewrites {
		at := positionOf(r.file.Text, rewrite.Span.Start)
		fmt.Fprintf(w, "%s:%d: %s\n", r.path, at.Line, p.paint(p.bold, rewrite.Title))
		for _, line := range strings.Split(rewrite.Explanation, "\n") {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	if written {
		_, err := fmt.Fprintf(w, "%s written\n", r.path)
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s\nNothing is changed yet: --write does it.\n", paintDiff(p, unified))
	return err
}

func (r reordering) printJSON(w io.Writer, written bool) error {
	type jsonRewrite struct {
		Stage       int        `json:"stage"`
		Title       string     `json:"title"`
		Explanation string     `json:"explanation"`
		Grade       string     `json:"grade"`
		Edits       []textEdit `json:"edits"`
	}
	rewrites := []jsonRewrite{}
	for _, rewrite := range r.rewrites {
		rewrites = append(rewrites, jsonRewrite{rewrite.Stage, rewrite.Title, rewrite.Explanation, string(rewrite.Grade), textEdits(r.file.Text, rewrite.Edits)})
	}
	reason := ""
	if len(rewrites) == 0 {
		reason = reorder.NothingGained(r.file, r.engine)
	}
	unified, err := r.diff()
	if err != nil {
		return err
	}
	return printJSON(w, struct {
		File     string        `json:"file"`
		Engine   string        `json:"engine"`
		Written  bool          `json:"written"`
		Rewrites []jsonRewrite `json:"rewrites"`
		Reason   string        `json:"reason"`
		Diff     string        `json:"diff"`
	}{r.path, string(r.engine), written && len(rewrites) > 0, rewrites, reason, unified})
}

func (r reordering) diff() (string, error) {
	return unifiedDiff(r.path, r.file.Text.String(), r.after)
}

// unifiedDiff returns the difference in the form that patch and git apply take; "" if there is none.
func unifiedDiff(path, before, after string) (string, error) {
	path = strings.TrimPrefix(filepath.ToSlash(path), "/")
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: diffLines(before), B: diffLines(after), FromFile: "a/" + path, ToFile: "b/" + path, Context: 3,
	})
}

// diffLines splits text into lines that keep their newlines; a last line without one says so, as patch wants it.
func diffLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	last := len(lines) - 1
	if lines[last] == "" {
		return lines[:last]
	}
	lines[last] += "\n\\ No newline at end of file\n"
	return lines
}

func paintDiff(p palette, unified string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(unified, "\n") {
		text := strings.TrimSuffix(line, "\n")
		colour := ""
		switch {
		case strings.HasPrefix(text, "+"):
			colour = p.green
		case strings.HasPrefix(text, "-"):
			colour = p.red
		case strings.HasPrefix(text, "@@"):
			colour = p.dim
		}
		b.WriteString(p.paint(colour, text))
		b.WriteString(line[len(text):])
	}
	return b.String()
}
