package pipeline

import (
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/invocation"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// script takes the builds of a shell script that runs in a directory of the workspace. Whatever is in a condition or a
// loop is taken to run once.
//
// env looks a variable up; environment are those that programs are given.
func (f *finder) script(text, dir string, env func(name string) string, environment []string) {
	f.costs(len(text))
	s := &script{finder: f, dir: dir, env: env, environment: environment, set: map[string]string{}}
	text = replaced(text, func(e string) string {
		s.expressions = append(s.expressions, e)
		return "LWX" + strconv.Itoa(len(s.expressions)-1) + "Z"
	})
	file, err := shellscript.ParseStrict(text)
	if err != nil {
		return // what is no shell script builds nothing that is known
	}
	s.assignments(file)
	s.walk(file)
}

// script is a shell script while it is read.
type script struct {
	*finder
	dir         string
	env         func(name string) string
	environment []string
	set         map[string]string // variables that the script sets, with their values
	expressions []string          // that stand in the script as words
}

var placeholder = regexp.MustCompile(`LWX(\d+)Z`)

// restored puts the expressions back.
func (s *script) restored(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		i, err := strconv.Atoi(p[3 : len(p)-1])
		if err != nil || i >= len(s.expressions) {
			return p
		}
		return s.expressions[i]
	})
}

// assignments takes down what variables the script sets. Of one that is set twice the value is not known.
func (s *script) assignments(file *syntax.File) {
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Assign:
			if n.Name == nil {
				break
			}
			_, twice := s.set[n.Name.Value]
			value := unknown("env." + n.Name.Value)
			if !twice && n.Value != nil && !n.Append && n.Array == nil {
				value = s.word(n.Value)
			} else if !twice && n.Value == nil && n.Naked {
				break // export NAME
			}
			s.set[n.Name.Value] = value
		case *syntax.WordIter:
			s.set[n.Name.Value] = unknown("env." + n.Name.Value)
		}
		return true
	})
}

// walk goes through the commands of a script in order.
func (s *script) walk(file *syntax.File) {
	var open []syntax.Node
	dirs := map[syntax.Node]string{}
	syntax.Walk(file, func(n syntax.Node) bool {
		if n == nil {
			last := open[len(open)-1]
			open = open[:len(open)-1]
			if dir, ok := dirs[last]; ok {
				s.dir = dir
			}
			return true
		}
		open = append(open, n)
		switch n := n.(type) {
		case *syntax.Subshell, *syntax.CmdSubst:
			dirs[n] = s.dir
		case *syntax.CallExpr:
			s.call(n)
		}
		return true
	})
}

// call takes the builds of one command.
func (s *script) call(n *syntax.CallExpr) {
	if len(n.Args) == 0 {
		return
	}
	var args []string
	for _, w := range n.Args {
		text := s.word(w)
		if _, bare := bareVariable(w); bare {
			args = append(args, strings.Fields(text)...)
		} else {
			args = append(args, text)
		}
	}
	args = wrapped(args)
	switch {
	case len(args) == 2 && (args[0] == "cd" || args[0] == "pushd"):
		s.dir = join(s.dir, args[1])
		return
	case len(args) == 0 || !slices.Contains(programs, filepath.Base(args[0])):
		return
	}
	s.builds(args)
}

// wrapped are the words of the command that others run.
func wrapped(args []string) []string {
	for len(args) > 0 && (slices.Contains([]string{"sudo", "time", "exec", "command", "nohup", "timeout"}, args[0]) ||
		strings.HasPrefix(args[0], "-") || duration.MatchString(args[0])) {
		args = args[1:]
	}
	return args
}

// duration is how long timeout lets a command run.
var duration = regexp.MustCompile(`^\d+(\.\d+)?[smhd]?$`)

// programs are those that build.
var programs = []string{
	"docker", "docker-compose", "buildx", "docker-buildx", "podman", "buildah", "nerdctl", "buildctl",
}

// builds takes the builds of a command line of one of these programs.
func (s *script) builds(args []string) {
	dir, reason := s.inRepository(s.dir, ".")
	env := slices.Clone(s.environment)
	for name, value := range s.set {
		env = append(env, name+"="+value)
	}
	for i, arg := range args { // of one that is given by its name alone the value may come from anywhere
		name, inOne := strings.CutPrefix(arg, "--build-arg=")
		if !inOne && (i == 0 || args[i-1] != "--build-arg") || name == "" || strings.Contains(name, "=") {
			continue
		}
		if !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") }) {
			env = append(env, name+"="+s.env(name))
		}
	}
	found, err := invocation.Parse(invocation.Command{Args: args, Env: env, Dir: dir, Read: s.Read})
	tool := strings.Join(args[:min(2, len(args))], " ")
	switch {
	case errors.Is(err, invocation.ErrNoBuild):
		return
	case reason != "":
		s.add(Build{Tool: tool, Problem: reason})
		return
	case err != nil:
		s.add(Build{Tool: tool, Problem: s.readable(args, err)})
		return
	}
	for _, one := range found {
		b := Build{
			Tool: one.Tool, Name: one.Name, Dockerfile: one.Dockerfile, Tags: one.Tags, Pushes: true,
			From: Caches(one.CacheFrom), To: Caches(one.CacheTo),
			Options: baseline.Options{
				ContextDir: one.ContextDir, Contexts: one.Contexts, Images: one.Images, Target: one.Settings.Target,
				Args: one.Settings.Args, Platform: one.Settings.Platform, Engine: one.Settings.Engine,
				NoCache: one.Settings.NoCache, NoCacheFilter: one.Settings.NoCacheFilter, Run: one.Settings.RunSettings,
			},
		}
		if one.Problem != nil {
			b.Problem = one.Problem.Error()
		}
		if one.Name != "" {
			var volatile []string
			for name, value := range b.Options.Args {
				if strings.HasSuffix(value, " (then)") { // see invocation
					volatile = append(volatile, name)
				}
			}
			s.ofBuildFile(&b, volatile)
		}
		s.add(b)
	}
}

// readable says why a command line is not understood: because of what is not known of it, if there is any.
func (s *script) readable(args []string, err error) string {
	for _, arg := range args {
		if e := unknownIn(arg); e != "" {
			return e + " is not known"
		}
	}
	return err.Error()
}

// bareVariable reports whether a word is one variable without quotes, which the shell divides at spaces.
func bareVariable(w *syntax.Word) (*syntax.ParamExp, bool) {
	if len(w.Parts) != 1 {
		return nil, false
	}
	p, ok := w.Parts[0].(*syntax.ParamExp)
	return p, ok
}

// word is the text of a word. What only a run can tell stands in it as an expression.
func (s *script) word(w *syntax.Word) string {
	if !plain(w) || s.full() {
		return unknown(printed(w))
	}
	left := maxValues
	text, err := expand.Literal(&expand.Config{
		Env: expand.FuncEnviron(func(name string) string {
			value, ok := s.set[name]
			if !ok {
				value = s.env(name)
			}
			if left -= len(value); left < 0 {
				return unknown("env." + name)
			}
			s.costs(len(value))
			return value
		}),
		CmdSubst: func(to io.Writer, c *syntax.CmdSubst) error {
			_, err := io.WriteString(to, unknown(printed(c)))
			return err
		},
	}, w)
	if err != nil {
		return unknown(printed(w))
	}
	return s.restored(text)
}

func printed(n syntax.Node) string {
	var b strings.Builder
	_ = syntax.NewPrinter().Print(&b, n) // to a builder, and of what was parsed
	return b.String()
}

// plain reports whether a word is text, commands and variables, of which patterns as they are written take parts away.
// Package expand knows more, but at a pattern that is not UTF-8 it panics, as one out of a variable may be, and one
// replacement inside another grows without bound.
func plain(w *syntax.Word) bool {
	ok := true
	literal := func(w *syntax.Word) bool { return w == nil || len(w.Parts) == 0 || w.Lit() != "" && len(w.Lit()) <= 50 }
	syntax.Walk(w, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			return false
		case *syntax.ArithmExp, *syntax.ProcSubst, *syntax.ExtGlob:
			ok = false
		case *syntax.ParamExp:
			switch {
			case n.Index != nil || n.Slice != nil && n.Repl != nil:
				ok = false
			case n.Repl != nil:
				ok = literal(n.Repl.Orig) && literal(n.Repl.With)
			case n.Exp != nil && n.Exp.Op >= syntax.RemSmallSuffix:
				ok = literal(n.Exp.Word)
			}
		}
		return ok
	})
	return ok
}
