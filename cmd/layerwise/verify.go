package main

import (
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

	"github.com/layerwise/layerwise/cachemodel/imagediff"
	"github.com/spf13/cobra"
)

const verifyHelp = `
--verify builds both files and compares the images: every file's content, mode, owner, links and attributes, and the
configuration. Times, the history and how files are spread over layers are not compared. What differs between two builds
of the file as it is (a compiler that writes the date, say) is not held against the reordering; that is found out by
building it once more without the cache. It builds with buildctl where --buildkit or BUILDKIT_HOST names a daemon, else
with docker buildx and its current builder, wherever that runs. If the images differ the exit code is 1 and --write
writes nothing.`

// imageBuilder builds Dockerfiles with BuildKit, by running one of its programs.
type imageBuilder struct {
	address  string // of a daemon; "" for the current builder of docker buildx
	context  string
	target   string
	platform string
	args     []string // KEY=VALUE
}

func (b *imageBuilder) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.address, "buildkit", os.Getenv("BUILDKIT_HOST"), "with --verify: the BuildKit daemon's address, such as unix:///run/buildkit/buildkitd.sock or tcp://HOST:PORT")
	f.StringVar(&b.context, "context", "", "the build context (default: the Dockerfile's folder)")
	f.StringVar(&b.target, "target", "", "with --verify: the stage to build (default: the last)")
	f.StringVar(&b.platform, "platform", "", "with --verify: the platform to build for (default: the builder's own)")
	f.StringArrayVar(&b.args, "build-arg", nil, "with --verify: a build argument KEY=VALUE, repeatable")
}

// command is how the Dockerfile in folder dir is built into the OCI archive dest.
func (b imageBuilder) command(dir, dest string, noCache bool) []string {
	var argv []string
	if b.address != "" {
		argv = []string{"buildctl", "--addr", b.address, "build", "--progress", "plain", "--frontend", "dockerfile.v0",
			"--local", "context=" + b.context, "--local", "dockerfile=" + dir, "--opt", "filename=Dockerfile",
			"--output", "type=oci,dest=" + dest}
		opt := func(key, value string) {
			if value != "" {
				argv = append(argv, "--opt", key+"="+value)
			}
		}
		opt("target", b.target)
		opt("platform", b.platform)
		for _, arg := range b.args {
			argv = append(argv, "--opt", "build-arg:"+arg)
		}
		if noCache {
			argv = append(argv, "--no-cache")
		}
		return argv
	}
	argv = []string{"docker", "buildx", "build", "--progress", "plain", "--provenance", "false", "--file", filepath.Join(dir, "Dockerfile"),
		"--output", "type=oci,dest=" + dest}
	if b.target != "" {
		argv = append(argv, "--target", b.target)
	}
	if b.platform != "" {
		argv = append(argv, "--platform", b.platform)
	}
	for _, arg := range b.args {
		argv = append(argv, "--build-arg", arg)
	}
	if noCache {
		argv = append(argv, "--no-cache")
	}
	return append(argv, b.context)
}

// build builds text in place of the Dockerfile at path and reads what came of it. What the program prints is shown only
// if it fails.
func (b imageBuilder) build(ctx context.Context, path, text string, noCache bool) ([]imagediff.Image, error) {
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
	argv := b.command(dir, dest, noCache)
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, fmt.Errorf("--verify builds with %s, which is not on the PATH: install it, or say with --buildkit (or leave BUILDKIT_HOST empty) what to build with", argv[0])
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(argv[:min(3, len(argv))], " "), err, lastLines(string(out), 30))
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
func (b imageBuilder) verify(ctx context.Context, path, before, after string, w io.Writer) (verification, error) {
	if b.context == "" {
		b.context = filepath.Dir(path)
	}
	build := func(what, text string, noCache bool) ([]imagediff.Image, error) {
		fmt.Fprintf(w, "Building %s %s...\n", path, what)
		images, err := b.build(ctx, path, text, noCache)
		if err != nil {
			err = fmt.Errorf("%s %s cannot be built: %w", path, what, err)
		}
		return images, err
	}
	first, err := build("as it is", before, false)
	if err != nil {
		return verification{}, err
	}
	second, err := build("reordered", after, false)
	if err != nil {
		return verification{}, err
	}
	var v verification
	for _, image := range first {
		v.files += len(image.Files)
	}
	v.differences = imagediff.Compare(first, second)
	if len(v.differences) == 0 {
		return v, nil
	}
	again, err := build("as it is once more, to see what differs from build to build", before, true)
	if err != nil {
		return verification{}, err
	}
	unstable := map[string]bool{}
	for _, d := range imagediff.Compare(first, again) {
		unstable[d.Where] = true
	}
	v.unstable = slices.Sorted(maps.Keys(unstable))
	v.differences = slices.DeleteFunc(v.differences, func(d imagediff.Difference) bool { return unstable[d.Where] })
	return v, nil
}

// print says what came of it.
func (v verification) print(w io.Writer) {
	if len(v.unstable) > 0 {
		fmt.Fprintf(w, "Differ from build to build, reordered or not: %s\n", strings.Join(v.unstable, ", "))
	}
	if len(v.differences) == 0 {
		fmt.Fprintf(w, "Verified: both files build the same image (%d files compared).\n", v.files)
		return
	}
	fmt.Fprintf(w, "The images differ:\n")
	for _, d := range v.differences {
		fmt.Fprintf(w, "  %s\n", d)
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
