package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/platforms"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/cachemodel/invocation"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// buildFlags say which build is meant. All subcommands that are about one take the same.
type buildFlags struct {
	file, context, target, platform, engine string
	service, bake, buildkit                 string
	args, contexts                          []string
	noCache, noBuildFiles, remember         bool
	given                                   func(flag string) bool
}

func (o *buildFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	o.registerShared(f)
	f.StringVarP(
		&o.file,
		"file",
		"f",
		"",
		"the Dockerfile, as docker build has it: what is named without a flag is then the build context",
	)
	f.StringVar(
		&o.buildkit,
		"buildkit",
		"",
		`the BuildKit daemon whose history is read, unix:///PATH or tcp://HOST:PORT; "off" reads none
(default: BUILDKIT_HOST, else buildx's current builder)`,
	)
	f.BoolVar(&o.noCache, "no-cache", false, "the next build is to use no cache")
	f.BoolVar(
		&o.remember,
		"remember",
		false,
		`remember --service, --bake, --no-build-files and --baseline for this Dockerfile, here and in the
editor; with none of them, forget what was remembered`,
	)
}

// registerShared declares the flags that also mean something where several Dockerfiles are looked at.
func (o *buildFlags) registerShared(f *pflag.FlagSet) {
	f.StringVar(
		&o.context,
		"context",
		"",
		`the build context (default: that of the service or target, of the last build,
of a CI file or a devcontainer.json, else the nearest folder that has what the Dockerfile copies)`,
	)
	f.StringVar(&o.target, "target", "", "the stage to build (default: the last)")
	f.StringArrayVar(&o.args, "build-arg", nil, "a build argument, KEY=VALUE, or KEY for the environment's value")
	f.StringArrayVar(&o.contexts, "build-context", nil, "a named context, NAME=DIRECTORY or NAME=docker-image://IMAGE")
	f.StringVar(&o.platform, "platform", "", "the platform to build for")
	f.StringVar(&o.engine, "engine", "",
		"whose cache: buildkit, classic, or podman, whose is not modelled (default: by DOCKER_BUILDKIT, else buildkit)")
	f.StringVar(&o.service, "service", "", "take the settings of this service of a Compose file")
	f.StringVar(&o.bake, "bake", "", "take the settings of this target of docker buildx bake")
	f.BoolVar(&o.noBuildFiles, "no-build-files", false, "do not look for Compose and bake files")
	o.given = f.Changed
}

// choose remembers for a Dockerfile which build was asked for and, unless it is "", which baseline; where neither was,
// it forgets what was remembered.
func (o *buildFlags) choose(store *record.Store, dockerfile string, c workspace.Choices) error {
	if c.Build == "" && c.Baseline == "" {
		return errors.Join(
			store.Choose(dockerfile, workspace.BuildChoice, ""),
			store.Choose(dockerfile, workspace.BaselineChoice, ""),
		)
	}
	var build, compared error
	if c.Build != "" {
		build = store.Choose(dockerfile, workspace.BuildChoice, c.Build)
	}
	switch c.Baseline {
	case "":
	case string(baseline.Auto):
		compared = store.Choose(dockerfile, workspace.BaselineChoice, "")
	default:
		compared = store.Choose(dockerfile, workspace.BaselineChoice, c.Baseline)
	}
	return errors.Join(build, compared)
}

// choices are those that the flags make.
func (o *buildFlags) choices() (workspace.Choices, error) {
	c := workspace.Choices{}
	c.Target, c.Platform, c.NoCache = o.target, o.platform, o.noCache
	switch engine := cachemodel.Engine(o.engine); engine {
	case "", cachemodel.BuildKit, cachemodel.Classic, cachemodel.Podman:
		c.Engine = engine
	default:
		return c, fmt.Errorf("--engine is %q: use buildkit, classic or podman", o.engine)
	}
	if err := checkPlatforms(o.platform); err != nil {
		return c, err
	}
	var err error
	if c.Build, err = o.named(); err != nil {
		return c, err
	}
	if o.given("build-arg") {
		if c.Args, err = buildArgs("--build-arg", o.args); err != nil {
			return c, err
		}
	}
	if o.context != "" {
		if c.ContextDir, err = filepath.Abs(o.context); err != nil {
			return c, err
		}
	}
	return c, o.namedContexts(&c.Options)
}

// named is the service or target that is asked for, as an entry's ID.
func (o *buildFlags) named() (string, error) {
	switch {
	case o.service != "" && o.bake != "":
		return "", errors.New("--service and --bake exclude each other")
	case o.service != "":
		return string(buildfiles.Compose) + ":" + o.service, nil
	case o.bake != "":
		return string(buildfiles.Bake) + ":" + o.bake, nil
	case o.noBuildFiles:
		return workspace.NoBuild, nil
	}
	return "", nil
}

func (o *buildFlags) namedContexts(out *baseline.Options) error {
	if len(o.contexts) == 0 {
		return nil
	}
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	named := invocation.Build{Contexts: map[string]string{}, Images: map[string]string{}}
	for _, kv := range o.contexts {
		name, where, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return fmt.Errorf("--build-context is %q: use NAME=DIRECTORY", kv)
		}
		named.NamedContext(cwd, name, where)
	}
	out.Contexts, out.Images = named.Contexts, named.Images
	return nil
}

// question is what a workspace.Reader is asked of a Dockerfile with this text. The note says why no builder is asked.
func (o *buildFlags) question(c workspace.Choices, text string) (q workspace.Question, note string) {
	q = workspace.Question{Choices: c, File: dockerfile.Parse(source.New(text), nil)}
	builder, err := daemon.Configured(o.buildkit)
	if err != nil {
		return q, err.Error()
	}
	if builder != nil {
		q.Builder = builder
	}
	return q, ""
}

// here is the workspace of the current directory.
func here() *workspace.Workspace {
	folder, _ := os.Getwd() // without one, paths that are absolute are found nevertheless
	return &workspace.Workspace{
		Store: record.NewStore(digestCache()), CacheDir: digestCache(), Env: os.Environ(), Folder: folder,
	}
}

// dockerfileOf is the absolute path of the Dockerfile that arguments and flags name: FILE; DIRECTORY, with the
// Dockerfile in it; -f FILE DIRECTORY as docker build has it, which sets the context too; else that of the service or
// target.
func (o *buildFlags) dockerfileOf(
	ctx context.Context,
	w *workspace.Workspace,
	arg string,
	c *workspace.Choices,
) (string, error) {
	info, err := os.Stat(arg)
	isDir := err == nil && info.IsDir()
	switch {
	case o.file != "" && arg != "":
		if !isDir {
			return "", fmt.Errorf("%s: no such directory: with -f, name the build context", arg)
		}
		if c.ContextDir, err = filepath.Abs(arg); err != nil {
			return "", err
		}
		return filepath.Abs(o.file)
	case o.file != "":
		return filepath.Abs(o.file)
	case arg != "" && !isDir:
		return filepath.Abs(arg)
	case c.Build != "" && c.Build != workspace.NoBuild:
		dir, err := filepath.Abs(arg)
		if err != nil {
			return "", err
		}
		e, err := w.Entry(ctx, dir, c.Build)
		if err != nil {
			return "", err
		}
		return e.Dockerfile, nil
	}
	return dockerfileIn(arg)
}

// pathsOf are the paths that arguments name; without any, the Dockerfile of the service or target that is asked for,
// else the path that is given last.
func (o *buildFlags) pathsOf(
	ctx context.Context, args []string, c workspace.Choices, without string,
) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	if c.Build == "" || c.Build == workspace.NoBuild {
		return []string{without}, nil
	}
	path, err := o.dockerfileOf(ctx, here(), "", &c)
	return []string{relative(path)}, err
}

// dockerfileIn is the Dockerfile of a directory, "" is the current one.
func dockerfileIn(dir string) (string, error) {
	for _, name := range []string{"Dockerfile", "dockerfile", "Containerfile"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Abs(filepath.Join(dir, name))
		}
	}
	return filepath.Abs(filepath.Join(dir, "Dockerfile"))
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
