package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
)

// predictOptions are predict's flags.
type predictOptions struct {
	buildFlags
	baseline, baselineFile, format string
	baselineTarget                 string
	cache                          string
	baselineArgs, cacheFrom        []string
	all                            bool
	gates                          gateFlags
	text                           textOptions
}

func newPredict() *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict [FILE... | DIRECTORY]",
		Short: "Say which instructions the next build will reuse and which it will run, and why",
		Long: `Predict compares a Dockerfile and its build context with a baseline and marks every instruction: cached, rebuilt (with
the first reason), config (runs nothing) or skipped (not part of the target). Nothing is built.

The baseline is what the cache is taken to hold:
  auto       the last build on record, else the git commit at HEAD; where there is none, nothing
  recorded   the last build of this Dockerfile that layerwise build recorded or the BuildKit daemon remembers, with its settings;
             recorded:ID is another one (layerwise baseline list)
  git[:REV]  the Dockerfile and the context as they are in that commit; REV merge-base is where the branch left the main
             branch, A...B the merge base of two others
  ci[:MODE]  the merge base with --cache MODE, which is min if it is not given
  dir:PATH   another build context, with its Dockerfile at the same place in it
  FILE.dockerbuild
             what the builder has that made the builds of such a file, which docker/build-push-action keeps of each
             build in CI and docker buildx history export writes; their files are taken to be those of the commit that
             they name
With --cache the next build is that of a fresh builder, as in CI, which has nothing but what it imports of the cache
that the baseline's build exported; auto is then git:merge-base. With min, the default of every cache-to, and with
inline such a cache has the layers of the image's own stages only: of other stages it knows the keys, but what has to
be built again runs from their beginning. With max it has all; with none every step runs. auto takes the build that CI
makes of the Dockerfile from GitHub's workflows or GitLab's CI file: its settings, its cache-from, and how the build of
the branch that it is to be merged into (GITHUB_BASE_REF and the like, else the main branch) exports what it imports.
With --cache-from the cache itself is read, as it is now: type=local,src=DIRECTORY, type=registry,ref=IMAGE or an IMAGE
alone, also one with an inline cache. Nobody has to assume then what was exported: a step is cached if the cache has it
with its layers. Registries are asked for the cache and for the base images, with Docker's credentials. A cache that is
not there, or that BuildKit does not import, counts for nothing, and it says so. The baseline explains what differs, and
shows whether keys are computed as they were for that cache: where nothing of either build is found nothing is promised.

The settings that are not given here are those of the Compose service or bake target that builds the Dockerfile, unless
--context is given: of several that of the last build, else the first, or the one that is named; without FILE,
--service and --bake name the Dockerfile too, also one within the build file (its lines count from its own first), and
for a group or matrix of bake each target is judged. A named context that another service or target makes is judged
together with what uses it. The build context is that of --context, of the service or target, of the
last build, of a CI file or a devcontainer.json, else the nearest folder, from the Dockerfile's up to the repository's,
that has what the Dockerfile copies.
Build arguments: a recorded build has its own; the settings that are not given here are then those of that build. Any
other baseline has those of --baseline-build-arg. Where none is given, a dir: baseline has none, git the same as the
next build.

--format json prints
  {"file": "Dockerfile", "engine": "buildkit", "target": "", "build": "compose:web", "baseline": {"kind": "git",
   "ref": "HEAD", "assumed": "HEAD was built here", "builder": "", "cache": ""},
   "context": {"dir": ".", "from": "build"}, "builds": 1,
   "steps": [{"line": 5, "endLine": 5, "stage": "build", "instruction": "COPY", "text": "COPY a.txt ./",
              "status": "rebuilt", "certain": true, "detail": "a remark", "assuming": ["..."], "seconds": 1.2,
               "bytes": 4096,
              "cause": {"kind": "context-changed", "line": 5, "paths": ["a.txt"], "detail": "a.txt was modified"}}],
   "summary": {"cached": 4, "rebuilt": 2, "config": 3, "skipped": 0, "unknown": 0, "fails": 0,
               "seconds": 49.0}, "withMaxCache": {"cached": 6, "rebuilt": 0, "config": 3, "skipped": 0,
                                  "unknown": 0, "fails": 0, "seconds": 0},
   "cacheFrom": {"cache": "type=local,src=cache", "records": 12, "matched": true, "reason": "..."},
   "ci": {"build": ".github/workflows/ci.yml, job build", "event": "pull_request", "cache": "min", "reason": "..."}}
with one step for each instruction, in file order; lines count from 1. status is cached, rebuilt, config, skipped,
unknown or fails (the build fails there);
"certain" is false where only a build can tell. "cause" is the first reason; its kind is instruction-changed,
context-changed, env-changed, arg-changed, user-changed, workdir-changed, shell-changed, base-changed, stage-rebuilt,
follows (only the line above), remote-source, no-cache, no-baseline, setting-changed, not-in-cache (pruned, or perhaps
so) or, for fails, invalid, missing-argument or missing-source. "seconds" and "bytes" are there where a recorded build
tells, "shared": true where images that the engine keeps are known to have the layer too. "assuming" is what a mark
rests on that nobody can know here. The baseline's kind is recorded, git, dir or none;
"builder" names the builder that is known to have made it, else "assumed" says what is assumed; "cache" is --cache, or
read with --cache-from, and "withMaxCache" the summary if it were max. "cacheFrom" is there with --cache-from: how many
records the cache has, and whether a step of the build, or of the baseline, is among them; if not, why. "ci" is there
with --cache auto: which build of the CI this is, the event that starts it, the cache that it imports (none, min, max,
inline, or unknown) and why that. "from" says why the context is there: chosen (by a flag), build (the Compose service
or bake target), record (the last build) or guessed. "builds" is how many builds, each with settings of its own, use
the Dockerfile. The exit code is 0
whatever is rebuilt, 1 where --fail-on or --max-seconds says so, and 2 where it could not be told.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			gates, err := o.gates.compile()
			if err != nil {
				return err
			}
			found, err := predict(ctx, args, o)
			if err != nil {
				return err
			}
			if len(found) != 1 {
				if err := printPredictions(cmd.OutOrStdout(), found, o.format); err != nil {
					return err
				}
				return gates.check(found)
			}
			p := found[0]
			if p.report == nil {
				return p.err
			}
			for _, note := range p.notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", printable(note))
			}
			switch o.format {
			case "json":
				err = printJSON(cmd.OutOrStdout(), p.report)
			case "markdown":
				err = printMarkdown(cmd.OutOrStdout(), found)
			default:
				err = printPrediction(cmd.OutOrStdout(), p, o.text)
			}
			if err = errors.Join(err, p.failure()); err != nil {
				return err
			}
			return gates.check(found)
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	o.text.flags(f)
	f.BoolVar(&o.all, "all", false, "judge all builds below the folder, also where it has a Dockerfile")
	f.StringVar(
		&o.baseline,
		"baseline",
		"",
		`what to compare with: auto, recorded[:ID], git[:REV], git:merge-base, ci[:MODE], dir:PATH or
FILE.dockerbuild (default: what was chosen in an editor, else auto)`,
	)
	f.StringVar(&o.baselineFile, "baseline-file", "", "with dir:PATH, the baseline's Dockerfile")
	f.StringArrayVar(&o.baselineArgs, "baseline-build-arg", nil, "a build argument of the baseline")
	f.StringVar(&o.baselineTarget, "baseline-target", "",
		`the stage up to which the baseline was built, "" is the last (default: that of the next build)`)
	f.StringVar(&o.cache, "cache", "", `the next build is a fresh builder's, as in CI, that imports what the baseline's build
exported: none, min, max or inline; auto: as the project's CI files say (default: the builder has what it built)`)
	f.StringArrayVar(&o.cacheFrom, "cache-from", nil, `the next build is a fresh builder's that imports this cache, which is
read: type=local,src=DIRECTORY, type=registry,ref=IMAGE or IMAGE`)
	f.StringVar(&o.format, "format", "text", "text, json or markdown")
	o.gates.flags(f)
	return cmd
}

// prediction is what predict prints of one build.
type prediction struct {
	*judged
	report *workspace.Report
	text   *source.Text
	title  string // of several: "compose service web · app/Dockerfile"
	err    error  // why there is none, or why all of its steps are unknown
}

// failure is the error of a build that will fail.
func (p *prediction) failure() error {
	if p.err != nil {
		return p.err
	}
	for _, s := range p.report.Steps {
		if s.Status == cachemodel.Fails && s.Cause != nil {
			return fmt.Errorf("the build fails at line %d: %s", s.Line, printable(s.Cause.Detail))
		}
	}
	return nil
}

// predict judges the build that arguments and flags mean; without any of them all that are found below the folder,
// unless it has a Dockerfile.
func predict(ctx context.Context, args []string, o predictOptions) ([]*prediction, error) {
	if !slices.Contains([]string{"text", "json", "markdown"}, o.format) {
		return nil, fmt.Errorf("--format is %q: use text, json or markdown", o.format)
	}
	elsewhere, err := o.elsewhere(ctx)
	if err != nil {
		return nil, err
	}
	var baselineArgs map[string]string
	if len(o.baselineArgs) > 0 {
		var err error
		if baselineArgs, err = buildArgs("--baseline-build-arg", o.baselineArgs); err != nil {
			return nil, err
		}
	}
	c, err := o.choices()
	if err != nil {
		return nil, err
	}
	w := here()
	defer w.Close()
	cached, err := cacheOf(ctx, o)
	if err != nil {
		return nil, err
	}
	adjust := func(j *judged, q *workspace.Question) error {
		q.Choices.Baseline, q.Choices.BaselineFile, q.Choices.BaselineArgs = o.baseline, o.baselineFile, baselineArgs
		if elsewhere != nil {
			q.Choices.Baseline, q.Builder = string(baseline.Recorded), elsewhere
		}
		if o.given("baseline-target") {
			q.Choices.BaselineTarget = &o.baselineTarget
		}
		return cached(j, q)
	}
	several, err := o.several(ctx, w, args, c)
	if err != nil {
		return nil, err
	}
	if len(several) == 0 {
		j, err := o.find(ctx, w, strings.Join(args, ""), adjust)
		if err != nil {
			return nil, err
		}
		return []*prediction{judge(j)}, nil
	}
	w.Fixed = true
	var out []*prediction
	for _, one := range several {
		j, err := o.findFile(ctx, w, one, c, adjust)
		if ctx.Err() != nil {
			return nil, interrupted(ctx.Err())
		}
		p := &prediction{err: err}
		if err == nil {
			p = judge(j)
		} else if len(several) == 1 {
			return nil, err
		}
		p.title = one.title()
		out = append(out, p)
	}
	return out, nil
}

// elsewhere are the builds of another machine that --baseline names, nil if it names something else.
func (o *predictOptions) elsewhere(ctx context.Context) (*baseline.Elsewhere, error) {
	if !isBundle(o.baseline) {
		_, err := baseline.ParseSpec(o.baseline)
		return nil, err
	}
	if o.remember {
		return nil, errors.New("--remember does not remember a file of docker buildx history export")
	}
	builds, err := daemon.ReadBundle(ctx, o.baseline)
	return &baseline.Elsewhere{Builds: builds, Name: "the builder of " + filepath.Base(o.baseline)}, err
}

func judge(j *judged) *prediction {
	marks := j.build.Judge(j.question.File, nil)
	p := &prediction{judged: j, report: j.build.Report(j.name, marks), text: j.question.File.Text, err: marks.Problem}
	p.report.Context.Dir = relative(j.build.Context.Dir)
	if j.build.CI != nil {
		j.ci = j.build.CI
	} else if j.ci != nil {
		p.report.CI = j.ci.Report()
	}
	return p
}

// several are the builds that are judged, where these are not one that is named: several files, those of a group or
// matrix of bake, one whose Dockerfile is part of a build file, or all that a folder has.
func (o *predictOptions) several(
	ctx context.Context,
	w *workspace.Workspace,
	args []string,
	c workspace.Choices,
) ([]oneBuild, error) {
	if len(args) > 1 {
		var out []oneBuild
		for _, arg := range args {
			path, err := filepath.Abs(arg)
			if err != nil {
				return nil, err
			}
			if _, err := readDockerfile(arg); err != nil {
				return nil, err
			}
			out = append(out, oneBuild{path: path})
		}
		return out, nil
	}
	dir, err := filepath.Abs(strings.Join(args, ""))
	if err != nil {
		return nil, err
	}
	path, err := dockerfileIn(dir)
	if info, statErr := os.Stat(dir); err != nil || statErr != nil || !info.IsDir() || o.file != "" {
		return nil, err
	}
	if c.Build != "" && c.Build != workspace.NoBuild {
		entries, err := w.Named(ctx, dir, c.Build)
		if err != nil || len(entries) == 1 && entries[0].Inline == "" {
			return nil, err
		}
		return ofEntries(entries), nil
	}
	if _, err := os.Stat(path); err == nil && !o.all {
		return nil, nil
	}
	return buildsBelow(ctx, w, dir, c)
}

// printPredictions shows several builds, a line each, as a JSON array or as Markdown.
func printPredictions(w io.Writer, list []*prediction, format string) error {
	var failures []error
	reports := []*workspace.Report{}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range list {
		summary := ""
		if p.report != nil {
			reports = append(reports, p.report)
			summary = workspace.SumUp(p.report.Steps)
			if summary == "" {
				summary = "makes no layers"
			}
			summary += " · vs " + p.build.Compared.Label + " · " + p.build.ContextText()
		}
		if err := p.failure(); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", p.title, err))
			if p.err != nil {
				summary = err.Error()
			}
		}
		if format == "text" {
			fmt.Fprintf(table, "%s\t%s\n", printable(p.title), printable(summary))
		}
	}
	switch format {
	case "json":
		return errors.Join(printJSON(w, reports), errors.Join(failures...))
	case "markdown":
		return errors.Join(printMarkdown(w, list), errors.Join(failures...))
	}
	return errors.Join(table.Flush(), errors.Join(failures...))
}
