package reorder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// image is what a stage builds, as far as a Dockerfile tells: the configuration, and every instruction that works on
// files together with all that it depends on. Two stages with equal images build the same.
type image struct {
	Base       string
	Env        map[string]string
	Args       map[string]string
	Labels     map[string]string
	Exposed    []string // sorted
	Cmd        string
	Entrypoint string
	Health     string
	Signal     string
	Shell      string
	User       string
	Workdir    string
	Author     string
	Triggers   []string
	Volumes    []string
	Work       []string // RUN, COPY, ADD, WORKDIR, VOLUME in order, each with its environment
}

// build interprets a stage without running anything.
func build(file *dockerfile.File, stage *dockerfile.Stage) image {
	lex := shell.NewLex(rune(file.Escape))
	im := image{
		Base:   stage.Base.Text,
		Env:    map[string]string{},
		Args:   map[string]string{},
		Labels: map[string]string{},
		Shell:  "default",
		Cmd:    "inherited",
	}
	expand := func(word string, env shell.EnvGetter) string {
		got, _, err := lex.ProcessWord(word, env)
		if err != nil {
			return "error in " + word
		}
		return got
	}
	getter := func() shell.EnvGetter {
		var list []string
		all := maps.Clone(im.Args)
		maps.Copy(all, im.Env)
		for _, k := range slices.Sorted(maps.Keys(all)) {
			list = append(list, k+"="+all[k])
		}
		return shell.EnvsFromSlice(list)
	}
	state := func() string {
		return fmt.Sprintf(" with %v %v as %s in %s by %s", im.Env, im.Args, im.User, im.Workdir, im.Shell)
	}
	commandLine := func(c instructions.ShellDependantCmdLine) string {
		if c.PrependShell {
			return im.Shell + " " + strings.Join(c.CmdLine, " ")
		}
		return fmt.Sprintf("%q", c.CmdLine)
	}
	for _, in := range stage.Instructions {
		env := getter()
		raw := strings.Join(strings.Fields(file.Text.Slice(in.Span)), " ")
		switch c := in.Command.(type) {
		case *instructions.EnvCommand:
			for _, p := range c.Env { // all are expanded with the environment above the instruction
				im.Env[expand(p.Key, env)] = expand(p.Value, env)
			}
		case *instructions.ArgCommand:
			for _, a := range c.Args {
				if a.Value != nil {
					im.Args[a.Key] = expand(*a.Value, env)
				} else {
					im.Args[a.Key] = "given"
				}
			}
		case *instructions.LabelCommand:
			for _, p := range c.Labels {
				im.Labels[expand(p.Key, env)] = expand(p.Value, env)
			}
		case *instructions.ExposeCommand:
			for _, port := range c.Ports {
				im.Exposed = append(im.Exposed, expand(port, env))
			}
		case *instructions.CmdCommand:
			im.Cmd = commandLine(c.ShellDependantCmdLine)
		case *instructions.EntrypointCommand:
			im.Entrypoint = commandLine(c.ShellDependantCmdLine)
			if im.Cmd == "inherited" {
				im.Cmd = "cleared"
			}
		case *instructions.HealthCheckCommand:
			im.Health = fmt.Sprintf("%v by %s", *c.Health, im.Shell)
		case *instructions.StopSignalCommand:
			im.Signal = expand(c.Signal, env)
		case *instructions.ShellCommand:
			im.Shell = fmt.Sprint(c.Shell)
		case *instructions.UserCommand:
			im.User = expand(c.User, env)
		case *instructions.WorkdirCommand:
			im.Workdir += "/" + expand(c.Path, env)
			im.Work = append(im.Work, raw+state())
		case *instructions.VolumeCommand:
			im.Volumes = append(im.Volumes, c.Volumes...)
			im.Work = append(im.Work, raw+state())
		case *instructions.OnbuildCommand:
			im.Triggers = append(im.Triggers, c.Expression)
		case *instructions.MaintainerCommand:
			im.Author = c.Maintainer
		default:
			if in.From == nil {
				im.Work = append(im.Work, raw+state())
			}
		}
	}
	slices.Sort(im.Exposed)
	im.Exposed = slices.Compact(im.Exposed)
	return im
}
