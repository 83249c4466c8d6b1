package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/replay"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const replayHelp = `Replay runs the cache model over the last commits that touch the build context or the Dockerfile: what each build
would have executed on a builder that keeps its cache, because of what, and at which cost. It reads git's objects;
nothing is checked out or built. Renames of the Dockerfile are followed, and the .dockerignore of each commit counts.

Two histories are told: "actual" has at each commit the Dockerfile of that commit, "today" the file as it is now at all
of them, so that its order can be judged. Where layerwise reorder knows a better order, "proposed" is the same with
that one. Commits at which the file as it is now could not have been built are left out of those two, unless too few
would remain.

What an instruction takes is what a recorded build (layerwise build) took for it, else a weight by its kind, in seconds:
  compile 60 · install dependencies 40 · test 30 · install system packages 25 · pull another base image 10
  download 8 · any other RUN 1 · COPY and ADD 0.2 and 0.02 for each MB · WORKDIR 0.1
A RUN that does several of these costs their sum. Where a cache mount keeps what the tool made or fetched before, 25 %
are left of go build, and 75 % of npm ci and yarn install. A step that a build perhaps executes (a stage that it copies
from was rebuilt) counts as executed. What is behind a URL or an image's tag is taken to be the same at all commits.

--format json prints
  {"file": "Dockerfile", "engine": "buildkit", "target": "", "notes": ["..."],
   "weights": [{"work": "compile", "seconds": 60, "of": "..."}],
   "actual": {"seconds": 123.4, "uncached": 567.8,
     "steps": [{"line": 5, "endLine": 5, "stage": "0", "instruction": "COPY", "text": "COPY . .", "runs": true,
                "builds": 100, "rebuilt": 94, "first": 94, "weight": 0.2, "recorded": false, "seconds": 18.8,
                "causes": [{"kind": "context-changed", "line": 5, "count": 94}], "files": [{"path": "a.js",
                 "count": 40}]}],
     "builds": [{"commit": "0123...", "subject": "...", "time": "2025-01-02T03:04:05Z", "seconds": 1.2,
                 "rebuilt": [{"step": 4, "text": "...", "certain": true, "seconds": 0.2,
                              "cause": {"kind": "context-changed", "line": 5, "paths": ["a.js"],
                               "detail": "a.js was modified"}}],
                 "absent": [7], "noBuild": "..."}]},
   "today": {...},
   "proposed": {"rewrites": [{"title": "...", "grade": "proved"}], "text": "...",
                "seconds": 100.1, "uncached": 567.8, "steps": [{...}], "builds": [{...}]}}
"steps" has one for each instruction of the newest commit's file ("actual"), of the file as it is ("today") and of the
proposed file, whose text is "text"; those that do not run are not steps of the build. "builds" is oldest first; "first"
counts the builds in which a step was rebuilt by itself and not because of one above; "weight" is what one execution
takes, "seconds" what all do. "step" is an index into "steps", -1 for an instruction, "text", that the file has no
more; "absent" are the steps, by index, that a commit's file does not have;
"noBuild" says why a build did not take place. "causes", "files", "text", "paths", "absent", "noBuild" and "proposed"
are left out where there are none. The kinds of causes are those of layerwise predict.

--format html prints one page with pictures that needs nothing else.`

// replayOptions are replay's flags.
type replayOptions struct {
	buildFlags
	format, rev string
	commits     int
}

func newReplay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay [FILE]",
		Short: "Say what the builds of the last commits would have rebuilt, and why",
		Long:  replayHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			r, err := replayFile(ctx, strings.Join(args, ""), o, cmd.ErrOrStderr())
			if err != nil {
				if progress := progressOn(cmd.ErrOrStderr()); progress != nil {
					progress(0, 0) // no half of it before the error
				}
				return err
			}
			switch o.format {
			case "json":
				return printJSON(cmd.OutOrStdout(), r)
			case "html":
				return printReplayPage(cmd.OutOrStdout(), r)
			}
			for _, note := range r.Notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", printable(note))
			}
			return printReplay(cmd.OutOrStdout(), r)
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.IntVar(&o.commits, "commits", 100, "how many builds to replay, each of one commit")
	f.StringVar(&o.rev, "rev", "", "the commit at which the history ends (default: HEAD)")
	f.StringVar(&o.format, "format", "text", "text, json or html")
	return cmd
}

// replayReport is the answer of `layerwise replay`.
type replayReport struct {
	File     string            `json:"file"`
	Engine   cachemodel.Engine `json:"engine"`
	Target   string            `json:"target"`
	Notes    []string          `json:"notes"`
	Weights  []replay.Weight   `json:"weights"`
	Actual   *replay.Result    `json:"actual"`
	Today    *replay.Result    `json:"today"`
	Proposed *replayedProposal `json:"proposed,omitempty"`
}

// replayedProposal is the order that layerwise reorder proposes.
type replayedProposal struct {
	Rewrites []proposedRewrite `json:"rewrites"`
	Text     string            `json:"text"` // the Dockerfile
	*replay.Result
}

type proposedRewrite struct {
	Title string `json:"title"`
	Grade string `json:"grade"`
}

func replayFile(ctx context.Context, arg string, o replayOptions, stderr io.Writer) (*replayReport, error) {
	if o.format != "text" && o.format != "json" && o.format != "html" {
		return nil, fmt.Errorf("--format is %q: use text, json or html", o.format)
	}
	if o.commits < 1 {
		return nil, fmt.Errorf("--commits is %d: it must be 1 or more", o.commits)
	}
	found, err := o.find(ctx, here(), arg, uncompared)
	if err != nil {
		return nil, err
	}
	b, now := found.build, found.question.File
	s := b.Settings
	h, err := replay.Load(ctx, replay.Request{
		Dockerfile: found.path, ContextDir: b.Context.Dir, Rev: o.rev, Commits: o.commits,
	}, progressOn(stderr))
	if err != nil {
		return nil, replayError(err)
	}
	if h.Builds() == 0 {
		return nil, errors.New(
			"only one commit has touched the build context or the Dockerfile: there is nothing to replay yet",
		)
	}
	if err := cachemodel.NewPlan(cachemodel.Build{File: now, Settings: s}).Err(); err != nil {
		return nil, err
	}
	costs := b.Costs()
	r := &replayReport{File: found.name, Engine: s.Engine, Target: s.Target, Weights: replay.Weights, Notes: []string{}}
	if r.Actual, err = replay.Actual(ctx, h, s, costs); err != nil {
		return nil, err
	}
	if len(r.Actual.Builds) == 0 {
		return nil, errors.New("none of the commits has this Dockerfile: there is nothing to replay yet")
	}
	h = h.Buildable(now, s)
	if h.Builds() == 0 {
		return nil, errors.New(
			"no commit could be built with the file as it is now: is its build context another folder? (--context)",
		)
	}
	if r.Today, err = replay.Fixed(ctx, h, now, s, costs); err != nil {
		return nil, err
	}
	if r.Proposed, err = proposal(ctx, h, b, now); err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, h.Notes...)
	return r, nil
}

// proposal replays the order that layerwise reorder proposes for this history; it is nil if there is none.
func proposal(
	ctx context.Context,
	h *replay.History,
	b *workspace.Build,
	now *dockerfile.File,
) (*replayedProposal, error) {
	var rewrites []reorder.Rewrite
	if b.Settings.Engine == cachemodel.Classic {
		rewrites = reorder.Suggest(now, reorder.Classic)
	} else {
		// What is there besides git's files counts: .git itself, and what is made before a build.
		rewrites = reorder.Search(ctx, now, b.Model(now, h)).Rewrites
	}
	if len(rewrites) == 0 {
		return nil, ctx.Err()
	}
	p := &replayedProposal{}
	var edits []source.Edit
	for _, rewrite := range rewrites {
		p.Rewrites = append(p.Rewrites, proposedRewrite{rewrite.Title, string(rewrite.Grade)})
		edits = append(edits, rewrite.Edits...)
	}
	var err error
	if p.Text, err = source.Apply(now.Text.String(), edits); err != nil {
		return nil, err
	}
	p.Result, err = replay.Fixed(ctx, h, dockerfile.Parse(source.New(p.Text), now), b.Settings, b.Costs())
	return p, err
}

// replayError says what to do about it.
func replayError(err error) error {
	switch {
	case errors.Is(err, gittree.ErrNotRepository):
		return fmt.Errorf(
			"%w: replay reads the commits of the repository that the Dockerfile and its context are in",
			err,
		)
	case errors.Is(err, gittree.ErrNoGit):
		return fmt.Errorf("%w: replay needs it to read the commits", err)
	}
	return interrupted(err)
}

// interrupted says what Ctrl-C did as people say it.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// progressOn shows on a terminal how far it is.
func progressOn(w io.Writer) func(done, total int) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return func(done, total int) {
		if done == total {
			fmt.Fprint(w, "\r\x1b[K")
		} else {
			fmt.Fprintf(w, "\rreading commit %d of %d", done, total)
		}
	}
}
