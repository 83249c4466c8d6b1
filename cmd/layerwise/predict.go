package main

import (
	"cmp"
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
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/cachemodel/invocation"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/spf13/cobra"
)

// predictOptions are predict's flags.
type predictOptions struct {
	context, buildkit, baseline, baselineFile, target, platform, engine, format string
	args, baselineArgs, contexts                                                []string
	noCache                                                                     bool
	buildFiles                                                                  buildFileOptions
	given                                                                       func(flag string) bool
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
The settings that are not given here are those of the Compose service or bake target that builds the Dockerfile, if there is
exactly one or it is named, unless --context is given; without FILE, --service and --bake name the Dockerfile too.
Build arguments: a recorded build has its own; the settings that are not given here are then those of that build. Any other
baseline has those of --baseline-build-arg. Where none is given, a dir: baseline has none, git the same as the next build.

--format json prints
  {"file": "Dockerfile", "engine": "buildkit", "target": "", "build": "compose:web", "baseline": {"kind": "git", "ref": "HEAD"},
   "steps": [{"line": 5, "endLine": 5, "stage": "build", "instruction": "COPY", "text": "COPY a.txt ./",
              "status": "rebuilt", "certain": true, "detail": "an assumption or remark", "seconds": 1.2, "bytes": 4096,
              "cause": {"kind": "context-changed", "line": 5, "paths": ["a.txt"], "detail": "a.txt was modified"}}],
   "summary": {"cached": 4, "rebuilt": 2, "config": 3, "skipped": 0, "unknown": 0, "seconds": 49.0}}
with one step for each instruction, in file order; lines count from 1. status is cached, rebuilt, config, skipped or unknown;
"certain" is false where only a build can tell. "cause" is the first reason; its kind is instruction-changed, context-changed,
env-changed, arg-changed, user-changed, workdir-changed, shell-changed, base-changed, stage-rebuilt, follows (only the line above),
remote-source, no-cache or no-baseline. "seconds" and "bytes" are there where a recorded build tells, "shared": true where images
that the engine keeps are known to have the layer too. The baseline's kind is recorded, git, dir or none. The exit code is 0
whatever is rebuilt, and 2 where it could not be told.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			o.given = cmd.Flags().Changed
			p, err := predict(ctx, file, o)
			if err != nil {
				return err
			}
			for _, note := range p.notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", note)
			}
			if o.format == "json" {
				return printJSON(cmd.OutOrStdout(), p.report)
			}
			return printPrediction(cmd.OutOrStdout(), p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.context, "context", "", "the build context (default: the Dockerfile's folder)")
	f.StringVar(&o.baseline, "baseline", "auto", "what to compare with: auto, recorded[:ID], git[:REV], git:merge-base or dir:PATH")
	f.StringVar(&o.baselineFile, "baseline-file", "", "with dir:PATH, the baseline's Dockerfile")
	f.StringVar(&o.target, "target", "", "the stage to build (default: the last)")
	f.StringArrayVar(&o.args, "build-arg", nil, "a build argument, KEY=VALUE, or KEY for the environment's value")
	f.StringArrayVar(&o.baselineArgs, "baseline-build-arg", nil, "a build argument of the baseline")
	f.StringArrayVar(&o.contexts, "build-context", nil, "a named context, NAME=DIRECTORY or NAME=docker-image://IMAGE")
	f.StringVar(&o.platform, "platform", "", "the platform to build for")
	f.StringVar(&o.engine, "engine", string(cachemodel.BuildKit), "whose cache: buildkit or classic")
	f.StringVar(&o.buildkit, "buildkit", "", `the BuildKit daemon whose history is read, unix:///PATH or tcp://HOST:PORT; "off" reads none
(default: BUILDKIT_HOST, else buildx's current builder)`)
	o.buildFiles.flags(f)
	f.BoolVar(&o.noCache, "no-cache", false, "the next build is to use no cache")
	f.StringVar(&o.format, "format", "text", "text or json")
	return cmd
}

// prediction is what predict prints.
type prediction struct {
	report   *cachemodel.Report
	baseline string   // for people
	notes    []string // for people
	text     *source.Text
}

func predict(ctx context.Context, file string, o predictOptions) (*prediction, error) {
	spec, err := baseline.ParseSpec(o.baseline)
	if err != nil {
		return nil, err
	}
	engine := cachemodel.Engine(o.engine)
	if engine != cachemodel.BuildKit && engine != cachemodel.Classic {
		return nil, fmt.Errorf("--engine is %q: use buildkit or classic", o.engine)
	}
	if o.format != "text" && o.format != "json" {
		return nil, fmt.Errorf("--format is %q: use text or json", o.format)
	}
	if err := checkPlatforms(o.platform); err != nil {
		return nil, err
	}
	var amiss []string
	explicit, err := o.options()
	if err != nil {
		return nil, err
	}
	options := explicit
	store := record.NewStore(digestCache())
	entry, path, notes, err := o.entry(ctx, file, func(path string) string {
		last, problems := baseline.Stored(store, spec, path, explicit.Match())
		amiss = append(amiss, problems...) // what is damaged is told of once
		if last != nil {
			return last.Name
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	if file == "" {
		file = relative(path)
	}
	if entry != nil {
		options = entry.Fill(explicit)
	}
	content, err := readDockerfile(file)
	if err != nil {
		return nil, err
	}
	next := cachemodel.Build{File: dockerfile.Parse(source.New(content), nil), Contexts: map[string]*buildcontext.Tree{}}
	request := baseline.Request{Spec: spec, Dockerfile: path, BaselineFile: o.baselineFile, CacheDir: digestCache()}
	notes = append(notes, amiss...)
	request.Record, amiss = baseline.Stored(store, spec, path, options.Match())
	notes = append(notes, amiss...)
	request.ContextDir = options.ContextDir
	if request.ContextDir == "" && request.Record != nil {
		request.ContextDir = request.Record.ContextDir
	}
	if request.ContextDir == "" {
		request.ContextDir = filepath.Dir(path)
	}
	scan := disk.Options{CacheDir: digestCache()}
	dir, err := disk.Open(ctx, request.ContextDir, path, scan)
	if err != nil {
		return nil, err
	}
	next.Context, request.Context = dir.Tree(), dir.Tree()
	builder, err := daemon.Configured(o.buildkit)
	if err != nil {
		notes = append(notes, err.Error())
	} else if builder != nil {
		request.History = builder.History(options)
	}
	request.Record, amiss = baseline.Last(ctx, request, request.Record)
	notes = append(notes, amiss...)
	if request.Record != nil {
		var taken string
		if options, taken = options.From(request.Record, store); taken != "" {
			notes = append(notes, "as in "+request.Record.Label()+": "+taken)
		}
	}
	next.Settings, next.ContextImages = options.Settings(), options.Images
	request.Contexts = map[string]record.NamedContext{}
	for name, named := range options.Contexts {
		if named == "" { // nobody knows where it was
			next.Contexts[name] = buildcontext.Unknown()
		} else if next.Contexts[name], err = disk.Scan(ctx, named, "", scan); err != nil {
			return nil, err
		}
		request.Contexts[name] = record.NamedContext{Dir: named, Tree: next.Contexts[name]}
	}
	found, err := baseline.Find(ctx, request)
	if err != nil {
		if len(amiss) > 0 { // why the builder's history does not help
			err = fmt.Errorf("%w (%s)", err, strings.Join(amiss, "; "))
		}
		return nil, fmt.Errorf("baseline %s: %w", o.baseline, err)
	}
	notes = append(notes, found.Notes...)
	for _, problem := range next.Context.Problems() {
		notes = append(notes, problem.Error())
	}

	var bases []*cachemodel.Plan
	if found.Contents != nil {
		base := found.Contents.Build(next, store)
		if entry != nil && found.Contents.Record == nil {
			rev := ""
			if found.Kind == string(baseline.Git) {
				rev = found.Ref
			}
			base.Settings, base.ContextImages = entry.Before(ctx, rev, buildfiles.Options{Env: os.Environ()}, explicit)
			base.Settings.Engine = next.Settings.Engine
		}
		if len(o.baselineArgs) > 0 || spec.Kind == baseline.Dir && entry == nil {
			if base.Settings.Args, err = buildArgs("--baseline-build-arg", o.baselineArgs); err != nil {
				return nil, err
			}
		}
		bases = append(bases, cachemodel.NewPlan(base))
		if next.Settings.Engine == cachemodel.BuildKit && base.Context != nil {
			next.Context = buildcontext.Resent(base.Context, next.Context)
		}
	}
	plan := cachemodel.NewPlan(next)
	if err := plan.Err(); err != nil {
		return nil, err
	}
	steps := cachemodel.Compare(bases, plan)
	if err := dir.Save(); err != nil {
		notes = append(notes, fmt.Sprintf("the digests of the build context are not kept: %v", err))
	}
	build := ""
	if entry != nil {
		build = entry.ID
	}
	report := &cachemodel.Report{
		Build: build,
		File:  file, Engine: next.Settings.Engine, Target: next.Settings.Target, Baseline: found.Baseline,
		Steps: steps, Summary: cachemodel.Summarize(steps),
	}
	label := found.Label
	if spec.Kind == baseline.Dir {
		label = "dir " + label
	}
	if entry != nil {
		label += " · settings of the " + entry.Title()
	}
	return &prediction{report, label, notes, next.File.Text}, nil
}

// entry finds the service or target whose settings count, if any, and the Dockerfile's absolute path. last gives the name
// of a Dockerfile's last build.
func (o predictOptions) entry(ctx context.Context, file string, last func(path string) string) (*buildfiles.Entry, string, []string, error) {
	named, err := o.buildFiles.named()
	if err != nil {
		return nil, "", nil, err
	}
	path := ""
	if file != "" || named == "" {
		if path, err = filepath.Abs(cmp.Or(file, "Dockerfile")); err != nil {
			return nil, "", nil, err
		}
	}
	if named == "" && (o.context != "" || o.engine == string(cachemodel.Classic)) {
		return nil, path, nil, nil
	}
	entry, notes, err := o.buildFiles.entry(ctx, path, func() string { return last(path) })
	if entry != nil && path == "" {
		path = entry.Dockerfile
	}
	return entry, path, notes, err
}

// options are the choices that the flags make.
func (o predictOptions) options() (baseline.Options, error) {
	out := baseline.Options{Target: o.target, Platform: o.platform, NoCache: o.noCache}
	var err error
	if o.given("engine") {
		out.Engine = cachemodel.Engine(o.engine)
	}
	if o.given("build-arg") {
		if out.Args, err = buildArgs("--build-arg", o.args); err != nil {
			return out, err
		}
	}
	if o.context != "" {
		if out.ContextDir, err = filepath.Abs(o.context); err != nil {
			return out, err
		}
	}
	if len(o.contexts) == 0 {
		return out, nil
	}
	cwd, err := os.Getwd()
	if err != nil {
		return out, err
	}
	named := invocation.Build{Contexts: map[string]string{}, Images: map[string]string{}}
	for _, kv := range o.contexts {
		name, where, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return out, fmt.Errorf("--build-context is %q: use NAME=DIRECTORY", kv)
		}
		named.NamedContext(cwd, name, where)
	}
	out.Contexts, out.Images = named.Contexts, named.Images
	return out, nil
}

func checkPlatforms(list string) error {
	for _, platform := range strings.Split(list, ",") {
		if _, err := platforms.Parse(platform); list != "" && err != nil {
			return fmt.Errorf("--platform is %q: use OS/ARCHITECTURE, as in linux/arm64", list)
		}
	}
	return nil
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
