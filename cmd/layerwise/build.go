package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/cachemodel/invocation"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newBuild() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build -- COMMAND [ARGUMENT...]",
		Short: "Run a build and remember it, to compare the next one with",
		Long: `Build runs a command that builds images, just as it is: its input and output, its signals and its exit code. If it
succeeds, the build is recorded: the Dockerfile, the digests of the build context and the settings. predict and the
editors then compare with that. Of build arguments that look like secrets only a keyed hash is kept.

It knows docker build, docker buildx build, docker compose build, docker buildx bake, podman build, buildah build,
nerdctl build and buildctl build. A command that it does not know, or a build whose context or Dockerfile is not a
local file, runs all the same and is not recorded. Whether recording succeeds never changes the exit code.`,
		Example: "  layerwise build -- docker build -t app .\n  layerwise build -- docker compose build web",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return build(args, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// build runs the command and records its builds. What goes wrong with recording is told on stderr after the command's
// own output.
func build(args []string, stderr io.Writer) error {
	recorder := startRecording(args)
	code, err := runCommand(args, stderr)
	if err != nil {
		return exitError{code: code, err: err}
	}
	if code == 0 {
		recorder.finish()
	}
	for _, message := range recorder.messages {
		fmt.Fprintln(stderr, "layerwise:", message)
	}
	if code != 0 {
		return exitError{code: code}
	}
	return nil
}

// runCommand runs a program with our own input, output and environment, and returns its exit code as a shell gives it.
// The error is about a program that cannot be run.
func runCommand(args []string, stderr io.Writer) (code int, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, stderr
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return 127, err
		}
		return 126, err
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if !fromTerminal(s, stderr) {
					_ = cmd.Process.Signal(s) // it may have ended just now
				}
			case <-ended:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 126, err
}

// fromTerminal reports whether a signal is one that a terminal sends to all programs that run in it: the command has
// got it itself then.
func fromTerminal(s os.Signal, stderr io.Writer) bool {
	if s != os.Interrupt && s != syscall.SIGQUIT && s != syscall.SIGHUP {
		return false
	}
	file, ok := stderr.(*os.File)
	return term.IsTerminal(int(os.Stdin.Fd())) || term.IsTerminal(int(os.Stdout.Fd())) ||
		ok && term.IsTerminal(int(file.Fd()))
}

// askTime bounds how long the daemon that made the build is asked what the steps took.
const askTime = 2 * time.Second

// recorder remembers the builds of a command: it looks at the files before the command runs and once more after.
type recorder struct {
	store    *record.Store
	started  time.Time
	pending  []*pending
	messages []string
}

// pending is a build that is running.
type pending struct {
	build    invocation.Build
	text     string
	context  *disk.Dir
	contexts map[string]*disk.Dir
	before   map[string]*buildcontext.Tree // by the name of the context, "" is the main one
}

func startRecording(args []string) *recorder {
	r := &recorder{store: record.NewStore(digestCache())}
	dir, err := os.Getwd()
	if err != nil {
		r.tell("nothing is recorded: %v", err)
		return r
	}
	builds, err := invocation.Parse(invocation.Command{Args: args, Env: os.Environ(), Dir: dir})
	if err != nil {
		r.tell("nothing is recorded: %v", err)
	}
	r.started = time.Now()
	for _, b := range builds {
		p, err := (*pending)(nil), b.Problem
		if err == nil {
			p, err = begin(b)
		}
		if err != nil {
			r.tell("%s: the build is not recorded: %v", describeBuild(b), err)
			continue
		}
		r.pending = append(r.pending, p)
	}
	return r
}

func (r *recorder) tell(format string, args ...any) {
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func describeBuild(b invocation.Build) string {
	if b.Name != "" {
		return b.Name
	}
	return b.Dockerfile
}

// begin reads what a build is about to read.
func begin(b invocation.Build) (*pending, error) {
	text, err := readDockerfile(b.Dockerfile)
	if err != nil {
		return nil, err
	}
	p := &pending{build: b, text: text, contexts: map[string]*disk.Dir{}, before: map[string]*buildcontext.Tree{}}
	options := disk.Options{CacheDir: digestCache()}
	if p.context, err = disk.Open(context.Background(), b.ContextDir, b.Dockerfile, options); err != nil {
		return nil, err
	}
	p.before[""] = p.context.Tree()
	for name, dir := range b.Contexts {
		if p.contexts[name], err = disk.Open(context.Background(), dir, "", options); err != nil {
			return nil, err
		}
		p.before[name] = p.contexts[name].Tree()
	}
	plan := cachemodel.NewPlan(p.planned(p.before)) // reads the contents of the files that its steps read
	if b.Settings.Engine == cachemodel.Podman {
		return p, nil
	}
	return p, plan.Err()
}

// planned is the build with these contexts.
func (p *pending) planned(trees map[string]*buildcontext.Tree) cachemodel.Build {
	b := cachemodel.Build{
		File: dockerfile.Parse(
			source.New(p.text),
			nil,
		), Context: trees[""], Settings: p.build.Settings, Contexts: map[string]*buildcontext.Tree{},
		ContextImages: p.build.Images,
	}
	for name := range p.contexts {
		b.Contexts[name] = trees[name]
	}
	return b
}

// finish records the builds, after the command succeeded.
func (r *recorder) finish() {
	for _, p := range r.pending {
		if err := r.put(p); err != nil {
			r.tell("%s: %v", describeBuild(p.build), err)
		}
	}
}

func (r *recorder) put(p *pending) error {
	if now, err := readDockerfile(p.build.Dockerfile); err != nil || now != p.text {
		return errors.New("the build is not recorded: the Dockerfile changed meanwhile")
	}
	settled := map[string]*buildcontext.Tree{}
	var changed []string
	look := func(name string, dir *disk.Dir) error {
		after, err := dir.Rescan(context.Background())
		if err != nil {
			return err
		}
		tree, paths := buildcontext.Settled(p.before[name], after)
		settled[name] = tree
		changed = append(changed, paths...)
		_ = dir.Save() // only a help for the next time
		return nil
	}
	if err := look("", p.context); err != nil {
		return err
	}
	rec := &record.Record{
		When: time.Now(), Source: record.Built, Tool: p.build.Tool, Name: p.build.Name,
		Builder: record.Builder{Name: p.build.Builder}, Tags: p.build.Tags,
		Dockerfile: p.build.Dockerfile, Text: p.text, ContextDir: p.build.ContextDir, Context: settled[""],
		ContextImages: p.build.Images,
		Contexts:      map[string]record.NamedContext{}, Settings: p.build.Settings, Notes: p.build.Notes,
	}
	rec.NoCache, rec.NoCacheFilter = rec.Settings.NoCache, rec.Settings.NoCacheFilter
	rec.Settings.NoCache, rec.Settings.NoCacheFilter = false, nil // what it made is in the cache
	for name, dir := range p.contexts {
		if err := look(name, dir); err != nil {
			return err
		}
		rec.Contexts[name] = record.NamedContext{Dir: dir.Root(), Tree: settled[name]}
	}
	if len(changed) > 0 {
		rec.Notes = append(rec.Notes, changedMeanwhile(changed))
	}
	r.askDaemon(rec, p.build)
	now := p.planned(settled)
	now.Images = rec.Images
	cachemodel.NewPlan(now) // reads what triggers of the base images copy, which are known only now
	earlier, problems := r.store.Latest(rec.Dockerfile, record.Match{Name: rec.Name, Target: rec.Settings.Target})
	for _, problem := range problems { // it is told of once
		r.tell("%v", problem)
	}
	if earlier != nil {
		old := cachemodel.Build{
			File:     dockerfile.Parse(source.New(earlier.Text), nil),
			Settings: earlier.Settings,
			Costs:    earlier.Costs,
		}
		now.Costs = rec.Costs
		rec.Costs = cachemodel.CarryCosts(old, now)
	}
	_, err := r.store.Put(rec)
	return err
}

// askDaemon adds what the daemon that made the build knows of it, if it can be reached: what the steps took and the
// base images' digests. It is of use without.
func (r *recorder) askDaemon(rec *record.Record, b invocation.Build) {
	builder, err := daemon.Of(b.Tool, b.Builder, b.Address)
	if err != nil || builder == nil {
		return
	}
	rec.Builder = builder.Identity()
	if rec.Settings.Engine == cachemodel.Classic {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), askTime)
	defer stop()
	made, err := builder.Made(ctx, daemon.Query{
		Dockerfile: b.Dockerfile, ContextDir: b.ContextDir, Target: b.Settings.Target, Platform: b.Settings.Platform,
		Contexts: b.Contexts, CacheDir: digestCache(),
	}, r.started)
	if err != nil || made == nil {
		return
	}
	rec.Builder = made.Builder
	if made.Text == rec.Text {
		rec.Ref, rec.Costs, rec.Hits, rec.Images = made.Ref, made.Costs, made.Hits, made.Images
	}
}

// changedMeanwhile is the note on files that changed while the build ran: it may have read them before or after.
func changedMeanwhile(paths []string) string {
	const shown = 3
	list := strings.Join(paths[:min(shown, len(paths))], ", ")
	if more := len(paths) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return "Changed while the build ran, so it is not known what was built of: " + list + "."
}
