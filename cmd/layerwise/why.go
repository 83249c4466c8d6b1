package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
)

func newWhy() *cobra.Command {
	var o struct {
		buildFlags
		format string
		text   textOptions
	}
	cmd := &cobra.Command{
		Use:   "why [latest | BUILD | FILE.dockerbuild...]",
		Short: "Say of a build that was made which steps it took from the cache, and why it ran the others",
		Long: `Why explains a build that has happened: the last one of the Dockerfile here, or of -f FILE, that did not fail, or
the one that is named, by its id on record (layerwise baseline list) or by its reference in the builder's history
(docker buildx history ls). Of files that docker buildx history export wrote, such as docker/build-push-action keeps of
each build in CI, it explains the newest build by the others that they hold. Nothing is built.

The build is compared with those before it, as predict would have done then: each step that ran shows the first input
that differs. Whether a step was taken from the cache is what the BuildKit daemon has noted; layerwise build records it
too, where it can ask the daemon. Where that is not known only the verdict is shown. A step whose verdict was wrong is
marked: it may have been removed from the cache before the build, or the build was not the one that is on record.

--format json prints
  {"file": "Dockerfile",
   "build": {"id": "...", "ref": "...", "when": "2026-01-02T15:04:05Z", "tool": "docker build", "dockerfile": "..."},
   "before": [{...}],
   "steps": [{"line": 5, "endLine": 5, "stage": "build", "instruction": "COPY", "text": "COPY a.txt ./",
              "status": "rebuilt", "certain": true, "detail": "a remark", "assuming": ["..."], "seconds": 1.2,
               "bytes": 4096, "hit": false, "kept": true,
              "cause": {"kind": "context-changed", "line": 5, "paths": ["a.txt"], "detail": "a.txt was modified"}}],
   "hits": 4, "ran": 2, "unknown": 0, "broken": 0, "seconds": 49.0}
with one step for each instruction, as predict has them, "shared": true where images that the engine keeps have the
layer too. "hit" says whether the step was taken from the cache; it is absent where that is not known. "kept" says
whether the verdict was right; it is absent where nothing was promised. "before" are the builds that it is compared
with, the newest first; "seconds" is what the steps took that ran.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && isBundle(args[0]) {
				return nil
			}
			return cobra.MaximumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			if o.format != "text" && o.format != "json" {
				return fmt.Errorf("--format is %q: use text or json", o.format)
			}
			explain := explainBuild
			if len(args) > 0 && isBundle(args[0]) {
				explain = explainBundles
			}
			why, err := explain(ctx, &o.buildFlags, args)
			if err != nil {
				return err
			}
			if o.format == "json" {
				return printJSON(cmd.OutOrStdout(), why)
			}
			return printWhy(cmd.OutOrStdout(), why, o.text)
		},
	}
	o.register(cmd)
	o.text.flags(cmd.Flags())
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
	return cmd
}

// isBundle reports whether an argument is a file of docker buildx history export.
func isBundle(arg string) bool { return filepath.Ext(arg) == ".dockerbuild" }

// explainBundles explains the newest build of files.
func explainBundles(ctx context.Context, _ *buildFlags, files []string) (*workspace.Why, error) {
	var made []*baseline.Contents
	for _, file := range files {
		builds, err := daemon.ReadBundle(ctx, file)
		if err != nil {
			return nil, err
		}
		made = append(made, builds...)
	}
	return workspace.WhyOf(made, here().Store)
}

// explainBuild explains a build, the last one if none is named.
func explainBuild(ctx context.Context, o *buildFlags, args []string) (*workspace.Why, error) {
	w := here()
	path, which := o.file, strings.Join(args, "")
	if which == "" {
		which = workspace.Latest
	} else if r, err := w.Store.Get(which); err == nil && path == "" {
		path = r.Dockerfile
	} else if err != nil && !errors.Is(err, record.ErrNoRecord) {
		return nil, err
	}
	o.file = ""
	j, err := o.find(ctx, w, path, func(_ *judged, q *workspace.Question) error {
		q.Choices.Baseline = string(baseline.Recorded)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return j.build.Why(j.name, which, w.Store)
}

// printWhy shows what became of a build, with a mark at each instruction.
func printWhy(w io.Writer, why *workspace.Why, o textOptions) error {
	var b strings.Builder
	p := colour(w)
	before := "no build before it is known"
	if n := len(why.Before); n > 0 {
		before = fmt.Sprintf("compared with %s", why.Before[0].Label)
		if n > 1 {
			before += fmt.Sprintf(" and %d more", n-1)
		}
	}
	fmt.Fprintln(&b, p.paint(p.bold, printable(strings.Join([]string{why.File, why.Build.Label, before}, " · "))))
	summary := fmt.Sprintf("%d of %s taken from the cache", why.Hits, plural(why.Hits+why.Ran, "step"))
	if why.Hits+why.Ran == 0 {
		summary = "which steps were taken from the cache is not on record: the marks are what predict would have said"
	} else if why.Unknown > 0 {
		summary += fmt.Sprintf(" · of %d it is not known", why.Unknown)
	}
	if why.Seconds != nil {
		summary += " · " + cachemodel.DurationText(*why.Seconds) + " spent on the others"
	}
	if why.Broken > 0 {
		summary += fmt.Sprintf(" · %s not as predict would have said", plural(why.Broken, "step"))
	}
	fmt.Fprintln(&b, summary)
	shown := &prediction{text: source.New(why.Text), report: &workspace.Report{}}
	for _, s := range why.Steps {
		shown.report.Steps = append(shown.report.Steps, asItHappened(s))
	}
	rows := rowsOf(shown, o)
	if o.summary || len(rows) > shortRows {
		for _, line := range causesOf(shown.report) {
			fmt.Fprintf(&b, "  %s\n", printable(line))
		}
	}
	if !o.summary {
		b.WriteByte('\n')
		writeRows(&b, w, p, rows, len(fmt.Sprint(shown.text.EndLine())))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// asItHappened is a step with what became of it in place of the verdict.
func asItHappened(s workspace.WhyStep) cachemodel.Step {
	out := s.Step
	if s.Hit == nil {
		return out
	}
	out.Certain, out.Assuming, out.Detail = true, nil, ""
	switch {
	case *s.Hit:
		out.Status, out.Cause, out.Seconds = cachemodel.Cached, nil, nil
		if s.Kept != nil && !*s.Kept {
			out.Detail = "predict would have said that it runs: " + s.Cause.Detail
		}
	default:
		out.Status = cachemodel.Rebuilt
		if s.Kept != nil && !*s.Kept {
			out.Detail = "predict would have said that it is cached: maybe its result had been removed"
		}
	}
	return out
}
