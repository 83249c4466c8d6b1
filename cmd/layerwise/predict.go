package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
)

// predictOptions are predict's flags.
type predictOptions struct {
	buildFlags
	baseline, baselineFile, format string
	baselineArgs                   []string
}

func newPredict() *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict [FILE]",
		Short: "Say which instructions the next build will reuse and which it will run, and why",
		Long: `Predict compares a Dockerfile and its build context with a baseline and marks every instruction: cached, rebuilt (with
the first reason), config (runs nothing) or skipped (not part of the target). Nothing is built.

The baseline is what the cache is taken to hold:
  auto       the last build on record, else the git commit at HEAD; where there is none, nothing
  recorded   the last build of this Dockerfile that layerwise build recorded or the BuildKit daemon remembers, with its settings;
             recorded:ID is another one (layerwise baseline list)
  git[:REV]  the Dockerfile and the context as they are in that commit; REV merge-base is where the branch left the main
             branch (what will CI rebuild for this branch?), A...B the merge base of two others
  dir:PATH   another build context, with its Dockerfile at the same place in it
The settings that are not given here are those of the Compose service or bake target that builds the Dockerfile, unless
--context is given: of several that of the last build, else the first, or the one that is named; without FILE, --service and
--bake name the Dockerfile too. The build context is that of --context, of the service or target, of the last build, else the
nearest folder, from the Dockerfile's up to the repository's, that has what the Dockerfile copies.
Build arguments: a recorded build has its own; the settings that are not given here are then those of that build. Any other
baseline has those of --baseline-build-arg. Where none is given, a dir: baseline has none, git the same as the next build.

--format json prints
  {"file": "Dockerfile", "engine": "buildkit", "target": "", "build": "compose:web", "baseline": {"kind": "git", "ref": "HEAD", "assumed": "HEAD was built on this builder", "builder": ""},
   "context": {"dir": ".", "from": "build"}, "builds": 1,
   "steps": [{"line": 5, "endLine": 5, "stage": "build", "instruction": "COPY", "text": "COPY a.txt ./",
              "status": "rebuilt", "certain": true, "detail": "a remark", "assuming": ["..."], "seconds": 1.2, "bytes": 4096,
              "cause": {"kind": "context-changed", "line": 5, "paths": ["a.txt"], "detail": "a.txt was modified"}}],
   "summary": {"cached": 4, "rebuilt": 2, "config": 3, "skipped": 0, "unknown": 0, "fails": 0,
               "seconds": 49.0}}
with one step for each instruction, in file order; lines count from 1. status is cached, rebuilt, config, skipped or unknown;
"certain" is false where only a build can tell. "cause" is the first reason; its kind is instruction-changed, context-changed,
env-changed, arg-changed, user-changed, workdir-changed, shell-changed, base-changed, stage-rebuilt, follows (only the line above),
remote-source, no-cache or no-baseline. "seconds" and "bytes" are there where a recorded build tells, "shared": true where images
that the engine keeps are known to have the layer too. "assuming" is what a mark rests on that nobody can know here. The baseline's kind is recorded, git, dir or none;
"builder" names the builder that is known to have made it, else "assumed" says what is assumed. "from" says why the context is there: chosen (by a flag),
build (the Compose service or bake target), record (the last build) or guessed. "builds" is how many builds, each with settings of
its own, use the Dockerfile. The exit code is 0
whatever is rebuilt, and 2 where it could not be told.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			p, err := predict(ctx, strings.Join(args, ""), o)
			if err != nil {
				return err
			}
			for _, note := range p.notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", printable(note))
			}
			if o.format == "json" {
				return printJSON(cmd.OutOrStdout(), p.report)
			}
			return printPrediction(cmd.OutOrStdout(), p)
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.baseline, "baseline", "", `what to compare with: auto, recorded[:ID], git[:REV], git:merge-base or dir:PATH
(default: what was chosen in an editor, else auto)`)
	f.StringVar(&o.baselineFile, "baseline-file", "", "with dir:PATH, the baseline's Dockerfile")
	f.StringArrayVar(&o.baselineArgs, "baseline-build-arg", nil, "a build argument of the baseline")
	f.StringVar(&o.format, "format", "text", "text or json")
	return cmd
}

// prediction is what predict prints.
type prediction struct {
	*judged
	report *workspace.Report
	text   *source.Text
}

func predict(ctx context.Context, arg string, o predictOptions) (*prediction, error) {
	if o.format != "text" && o.format != "json" {
		return nil, fmt.Errorf("--format is %q: use text or json", o.format)
	}
	if _, err := baseline.ParseSpec(o.baseline); err != nil {
		return nil, err
	}
	var args map[string]string
	if len(o.baselineArgs) > 0 {
		var err error
		if args, err = buildArgs("--baseline-build-arg", o.baselineArgs); err != nil {
			return nil, err
		}
	}
	j, err := o.find(ctx, here(), arg, func(q *workspace.Question) {
		q.Choices.Baseline, q.Choices.BaselineFile, q.Choices.BaselineArgs = o.baseline, o.baselineFile, args
	})
	if err != nil {
		return nil, err
	}
	marks := j.build.Judge(j.question.File, nil)
	if marks.Problem != nil {
		return nil, marks.Problem
	}
	p := &prediction{judged: j, report: j.build.Report(j.name, marks), text: j.question.File.Text}
	p.report.Context.Dir = relative(j.build.Context.Dir)
	return p, nil
}
