package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel/imagediff"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
)

const verifyHelp = `
--verify builds both files and compares the images: every file's content, mode, owner, links and attributes, and the
configuration. Times, the history and how files are spread over layers are not compared. What differs between two builds
of the file as it is (a compiler that writes the date, say) is not held against the reordering; that is found out by
building it once more without the cache. It builds with buildctl where --buildkit or BUILDKIT_HOST names a daemon, else
with buildx (docker buildx, or buildx by itself) and the builder that --builder names or that is its current one, wherever
that runs. A builder of buildx's docker driver can be used only if its engine keeps images in containerd's store. If the
images differ the exit code is 1 and --write writes nothing; if they cannot be built, or on Ctrl-C, it is 2.`

// imageBuilder builds Dockerfiles with BuildKit, by running one of its programs.
type imageBuilder struct {
	address  string // of a daemon; "" for buildx
	builder  string // of buildx; "" for its current one
	context  string
	target   string
	platform string
	args     []string // KEY=VALUE
	contexts []string // NAME=VALUE
	secrets  []string
	ssh      []string
}

func (b *imageBuilder) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(
		&b.builder,
		"builder",
		"",
		"with --verify: the builder of buildx (default: BUILDX_BUILDER, or its current one)",
	)
	f.StringArrayVar(&b.secrets, "secret", nil, "with --verify: a secret, id=NAME,src=FILE or id=NAME,env=VARIABLE")
	f.StringArrayVar(&b.ssh, "ssh", nil, "with --verify: an SSH agent or keys, default or NAME=SOCKET|KEY")
}

// resolve takes the rest from the build that is judged.
func (b *imageBuilder) resolve(flags *buildFlags, of *workspace.Build) error {
	b.address = flags.buildkit
	if b.address != "" && b.builder != "" {
		return errors.New("--buildkit and --builder exclude each other")
	}
	if b.address == "" && b.builder == "" {
		b.address = os.Getenv("BUILDKIT_HOST")
	}
	if filepath.IsAbs(b.address) {
		b.address = "unix://" + b.address // as elsewhere; buildctl knows no plain paths
	}
	b.context, b.target, b.platform = of.Context.Dir, of.Settings.Target, of.Settings.Platform
	for _, key := range slices.Sorted(maps.Keys(of.Settings.Args)) { // buildctl knows no KEY alone
		b.args = append(b.args, key+"="+of.Settings.Args[key])
	}
	for _, name := range slices.Sorted(maps.Keys(of.Contexts)) {
		b.contexts = append(b.contexts, name+"="+of.Contexts[name].Dir)
	}
	for _, name := range slices.Sorted(maps.Keys(of.Images)) {
		image := of.Images[name]
		if image == "" {
			return fmt.Errorf("--verify cannot build this: the named context %s is what another build makes", name)
		}
		b.contexts = append(b.contexts, name+"=docker-image://"+image)
	}
	return nil
}

// name is the builder for people, "" for buildx's current one.
func (b imageBuilder) name() string { return cmp.Or(b.address, b.builder, "buildx's current builder") }

// program is what builds: buildctl, or buildx as docker's plugin or by itself.
func (b imageBuilder) program(ctx context.Context) ([]string, error) {
	if b.address != "" {
		if _, err := exec.LookPath("buildctl"); err != nil {
			return nil, errors.New(
				"--verify builds with buildctl, which is not on the PATH: install it, or say with --builder that " +
					"buildx is to build",
			)
		}
		return []string{"buildctl"}, nil
	}
	for _, program := range [][]string{{"docker", "buildx"}, {"buildx"}, {"docker-buildx"}} {
		if exec.CommandContext(ctx, program[0], append(slices.Clone(program[1:]), "version")...).Run() == nil {
			return program, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New(
		"--verify builds with docker buildx or buildx, and neither is on the PATH: install it, or name a BuildKit " +
			"daemon with --buildkit",
	)
}

// command is how the program builds the Dockerfile in folder dir into the OCI archive dest.
func (b imageBuilder) command(program []string, dir, dest string, noCache bool) []string {
	argv := slices.Clone(program)
	add := func(flag string, values ...string) {
		for _, value := range values {
			if value != "" {
				argv = append(argv, flag, value)
			}
		}
	}
	if b.address != "" {
		add("--addr", b.address)
		argv = append(argv, "build", "--progress", "plain", "--frontend", "dockerfile.v0")
		add("--local", "context="+b.context, "dockerfile="+dir)
		add("--opt", "filename=Dockerfile")
		add("--output", "type=oci,dest="+dest)
		if b.target != "" {
			add("--opt", "target="+b.target)
		}
		if b.platform != "" {
			add("--opt", "platform="+b.platform)
		}
		for _, arg := range b.args {
			add("--opt", "build-arg:"+arg)
		}
		for _, c := range b.contexts {
			name, value, _ := strings.Cut(c, "=")
			if !strings.Contains(value, "://") {
				add("--local", c)
				value = "local:" + name
			}
			add("--opt", "context:"+name+"="+value)
		}
	} else {
		argv = append(argv, "build", "--progress", "plain", "--provenance", "false")
		add("--builder", b.builder)
		add("--file", filepath.Join(dir, "Dockerfile"))
		add("--output", "type=oci,dest="+dest)
		add("--target", b.target)
		add("--platform", b.platform)
		add("--build-arg", b.args...)
		add("--build-context", b.contexts...)
	}
	add("--secret", b.secrets...)
	add("--ssh", b.ssh...)
	if noCache {
		argv = append(argv, "--no-cache")
	}
	if b.address == "" {
		argv = append(argv, b.context)
	}
	return argv
}

// build builds text in place of the Dockerfile at path and reads what came of it. What the program prints is shown only
// if it fails.
func (b imageBuilder) build(
	ctx context.Context,
	program []string,
	path, text string,
	noCache bool,
) ([]imagediff.Image, error) {
	dir, err := os.MkdirTemp("", "layerwise-verify-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
		return nil, err
	}
	ignore, err := os.ReadFile(path + ".dockerignore") // goes with the Dockerfile, not with the context
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "Dockerfile.dockerignore"), ignore, 0o644)
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	dest := filepath.Join(dir, "image.tar")
	argv := b.command(program, dir, dest, noCache)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// so that it ends the build at the builder, too
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf(
			"%s: %w\n%s",
			strings.Join(append(program, "build"), " "),
			err,
			lastLines(string(out), 30),
		)
	}
	return imagediff.ReadOCI(dest)
}

// verification is what came of building a file and its reordering.
type verification struct {
	files       int                    // in the images
	differences []imagediff.Difference // that the reordering makes
	unstable    []string               // what differs from build to build without it
}

// verify builds the Dockerfile at path as it is and as after says and compares the images. Progress goes to w.
func (b imageBuilder) verify(ctx context.Context, path, before, after string, w io.Writer) (*verification, error) {
	program, err := b.program(ctx)
	if err != nil {
		return nil, err
	}
	build := func(what, text string, noCache bool) ([]imagediff.Image, error) {
		fmt.Fprintf(w, "Building %s %s...\n", path, what)
		images, err := b.build(ctx, program, path, text, noCache)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%s %s cannot be built: %w", path, what, err)
		}
		return images, err
	}
	first, err := build("as it is", before, false)
	if err != nil {
		return nil, err
	}
	second, err := build("reordered", after, false)
	if err != nil {
		return nil, err
	}
	v := &verification{}
	for _, image := range first {
		v.files += len(image.Files)
	}
	v.differences = imagediff.Compare(first, second)
	if len(v.differences) == 0 {
		return v, nil
	}
	again, err := build("as it is once more, to see what differs from build to build", before, true)
	if err != nil {
		return nil, err
	}
	v.setAside(imagediff.Compare(first, again))
	return v, nil
}

// setAside takes what differs between two builds of one file out of the differences: the same property of the same file
// only, so that a file whose content changes from build to build must still be there, and its owner's.
func (v *verification) setAside(between []imagediff.Difference) {
	type property struct{ where, what string }
	unstable := map[property]bool{}
	names := map[string]bool{}
	for _, d := range between {
		unstable[property{d.Where, d.What}] = true
		names[d.Where] = true
	}
	v.unstable = slices.Sorted(maps.Keys(names))
	v.differences = slices.DeleteFunc(
		v.differences,
		func(d imagediff.Difference) bool { return unstable[property{d.Where, d.What}] },
	)
}

// mostDifferences is how many people are shown.
const mostDifferences = 50

// print says what came of it.
func (v *verification) print(w io.Writer) {
	if n := len(v.unstable); n > 0 {
		fmt.Fprintf(
			w,
			"Differ from build to build, reordered or not: %s",
			printable(strings.Join(v.unstable[:min(n, mostDifferences)], ", ")),
		)
		if n > mostDifferences {
			fmt.Fprintf(w, " and %d more", n-mostDifferences)
		}
		fmt.Fprintln(w)
	}
	n := len(v.differences)
	if n == 0 {
		fmt.Fprintf(w, "Verified: both files build the same image (%d files compared).\n", v.files)
		return
	}
	fmt.Fprintf(
		w,
		"The images differ (the first is that of the file as it is, the second that of the file reordered):\n",
	)
	for _, d := range v.differences[:min(n, mostDifferences)] {
		fmt.Fprintf(w, "  %s\n", printable(d.String()))
	}
	if n > mostDifferences {
		fmt.Fprintf(w, "  and %d more\n", n-mostDifferences)
	}
}

// jsonVerification is what reorder's JSON says of a verification.
type jsonVerification struct {
	Files       int              `json:"files"`
	Differences []jsonDifference `json:"differences"`
	Unstable    []string         `json:"unstable"`
}

type jsonDifference struct {
	Where  string `json:"where"`
	Detail string `json:"detail"`
}

func (v *verification) json() *jsonVerification {
	if v == nil {
		return nil
	}
	out := &jsonVerification{v.files, []jsonDifference{}, append([]string{}, v.unstable...)}
	for _, d := range v.differences {
		out.Differences = append(out.Differences, jsonDifference{d.Where, d.Detail})
	}
	return out
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
