package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/containerd/platforms"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/spf13/cobra"
)

// predictOptions are predict's flags.
type predictOptions struct {
	context, baseline, baselineFile, target, platform, engine, format string
	args, baselineArgs, contexts                                      []string
	noCache                                                           bool
}

func newPredict() *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict [FILE]",
		Short: "Say which instructions the next build will reuse and which it will run, and why",
		Long: `Predict compares a Dockerfile and its build context with a baseline and marks every instruction: cached, rebuilt (with
the first reason), config (runs nothing) or skipped (not part of the target). Nothing is built.

The baseline is what the cache is taken to hold:
  auto       the git commit at HEAD; where there is none, nothing
  git[:REV]  the Dockerfile and the context as they are in that commit
  dir:PATH   another build context, with its Dockerfile at the same place in it
Build arguments: the baseline has those of --baseline-build-arg. Where none is given, a dir: baseline has none, any other
the same as the next build.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := "Dockerfile"
			if len(args) == 1 {
				file = args[0]
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			report, notes, text, err := predict(ctx, file, o)
			if err != nil {
				return err
			}
			for _, note := range notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", note)
			}
			if o.format == "json" {
				return printJSON(cmd.OutOrStdout(), report)
			}
			return printPrediction(cmd.OutOrStdout(), report, text)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.context, "context", "", "the build context (default: the Dockerfile's folder)")
	f.StringVar(&o.baseline, "baseline", "auto", "what to compare with: auto, git[:REV] or dir:PATH")
	f.StringVar(&o.baselineFile, "baseline-file", "", "with dir:PATH, the baseline's Dockerfile")
	f.StringVar(&o.target, "target", "", "the stage to build (default: the last)")
	f.StringArrayVar(&o.args, "build-arg", nil, "a build argument, KEY=VALUE, or KEY for the environment's value")
	f.StringArrayVar(&o.baselineArgs, "baseline-build-arg", nil, "a build argument of the baseline")
	f.StringArrayVar(&o.contexts, "build-context", nil, "a named context, NAME=DIRECTORY")
	f.StringVar(&o.platform, "platform", "", "the platform to build for")
	f.StringVar(&o.engine, "engine", string(cachemodel.BuildKit), "whose cache: buildkit or classic")
	f.BoolVar(&o.noCache, "no-cache", false, "the next build is to use no cache")
	f.StringVar(&o.format, "format", "text", "text or json")
	return cmd
}

// predict makes the report, with notes for people and the Dockerfile's text.
func predict(ctx context.Context, file string, o predictOptions) (*cachemodel.Report, []string, *source.Text, error) {
	spec, err := baseline.ParseSpec(o.baseline)
	if err != nil {
		return nil, nil, nil, err
	}
	engine := cachemodel.Engine(o.engine)
	if engine != cachemodel.BuildKit && engine != cachemodel.Classic {
		return nil, nil, nil, fmt.Errorf("--engine is %q: use buildkit or classic", o.engine)
	}
	if o.format != "text" && o.format != "json" {
		return nil, nil, nil, fmt.Errorf("--format is %q: use text or json", o.format)
	}
	for _, platform := range strings.Split(o.platform, ",") {
		if _, err := platforms.Parse(platform); o.platform != "" && err != nil {
			return nil, nil, nil, fmt.Errorf("--platform is %q: use OS/ARCHITECTURE, as in linux/arm64", o.platform)
		}
	}
	content, err := readDockerfile(file)
	if err != nil {
		return nil, nil, nil, err
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, nil, nil, err
	}
	contextDir := o.context
	if contextDir == "" {
		contextDir = filepath.Dir(path)
	}
	if contextDir, err = filepath.Abs(contextDir); err != nil {
		return nil, nil, nil, err
	}
	next := cachemodel.Build{File: dockerfile.Parse(source.New(content), nil), Contexts: map[string]*buildcontext.Tree{}}
	next.Settings = cachemodel.Settings{Engine: engine, Target: o.target, Platform: o.platform, NoCache: o.noCache}
	if next.Settings.Args, err = buildArgs("--build-arg", o.args); err != nil {
		return nil, nil, nil, err
	}
	scan := disk.Options{CacheDir: digestCache()}
	dir, err := disk.Open(ctx, contextDir, path, scan)
	if err != nil {
		return nil, nil, nil, err
	}
	next.Context = dir.Tree()
	for _, kv := range o.contexts {
		name, dir, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return nil, nil, nil, fmt.Errorf("--build-context is %q: use NAME=DIRECTORY", kv)
		}
		if next.Contexts[name], err = disk.Scan(ctx, dir, path, scan); err != nil {
			return nil, nil, nil, err
		}
	}
	found, err := baseline.Find(ctx, baseline.Request{
		Spec: spec, Dockerfile: path, ContextDir: contextDir, Context: next.Context,
		BaselineFile: o.baselineFile, CacheDir: scan.CacheDir,
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("baseline %s: %w", o.baseline, err)
	}
	notes := found.Notes
	for _, problem := range next.Context.Problems() {
		notes = append(notes, problem.Error())
	}

	var bases []*cachemodel.Plan
	if found.Contents != nil {
		base := next
		base.File, base.Context = found.Contents.File, found.Contents.Context
		base.Settings.NoCache = false
		if len(o.baselineArgs) > 0 || spec.Kind == baseline.Dir {
			if base.Settings.Args, err = buildArgs("--baseline-build-arg", o.baselineArgs); err != nil {
				return nil, nil, nil, err
			}
		}
		bases = append(bases, cachemodel.NewPlan(base))
		if engine == cachemodel.BuildKit && base.Context != nil {
			next.Context = buildcontext.Resent(base.Context, next.Context)
		}
	}
	plan := cachemodel.NewPlan(next)
	if err := plan.Err(); err != nil {
		return nil, nil, nil, err
	}
	steps := cachemodel.Compare(bases, plan)
	if err := dir.Save(); err != nil {
		notes = append(notes, fmt.Sprintf("the digests of the build context are not kept: %v", err))
	}
	return &cachemodel.Report{
		File: file, Engine: engine, Target: o.target, Baseline: found.Baseline,
		Steps: steps, Summary: cachemodel.Summarize(steps),
	}, notes, next.File.Text, nil
}

// buildArgs reads KEY=VALUE flags; KEY alone takes the environment's value, if it has one, as docker build does.
func buildArgs(flag string, list []string) (map[string]string, error) {
	args := map[string]string{}
	for _, kv := range list {
		key, val, ok := strings.Cut(kv, "=")
		if key == "" {
			return nil, fmt.Errorf("%s is %q: use KEY=VALUE", flag, kv)
		}
		if !ok {
			if val, ok = os.LookupEnv(key); !ok {
				continue
			}
		}
		args[key] = val
	}
	return args, nil
}
