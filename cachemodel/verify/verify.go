// Package verify builds a Dockerfile as it is and as a rewrite would make it, with a builder that the user has, and
// compares the images.
//
// It runs buildctl or buildx, and only when it is asked to. It must not know rewrites, flags or protocols.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel/imagediff"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Builder builds Dockerfiles with BuildKit, by running one of its programs.
type Builder struct {
	Address  string // of a daemon; "" for buildx
	Name     string // of a builder of buildx; "" for its current one
	Context  string
	Target   string
	Platform string
	Args     []string // KEY=VALUE
	Contexts []string // NAME=VALUE
	Secrets  []string
	SSH      []string
	Without  []string // lines that the ignore file gets where what comes after is built
}

// String is the builder for people.
func (b Builder) String() string { return cmp.Or(b.Address, b.Name, "buildx's current builder") }

// Available reports whether a program is there that the builder can be reached by. Whether it answers is not asked.
func (b Builder) Available() bool {
	programs := []string{"docker", "buildx", "docker-buildx"}
	if b.Address != "" {
		programs = []string{"buildctl"}
	}
	return slices.ContainsFunc(programs, func(program string) bool {
		_, err := exec.LookPath(program)
		return err == nil
	})
}

// program is what builds: buildctl, or buildx as docker's plugin or by itself.
func (b Builder) program(ctx context.Context) ([]string, error) {
	if b.Address != "" {
		if _, err := exec.LookPath("buildctl"); err != nil {
			return nil, errors.New(
				"verifying builds with buildctl, which is not on the PATH: install it, or name a builder of buildx",
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
		"verifying builds with docker buildx or buildx, and neither is on the PATH: install it, or name a BuildKit " +
			"daemon",
	)
}

// command is how the program builds the Dockerfile in folder dir into the OCI archive dest.
func (b Builder) command(program []string, dir, dest string, noCache bool) []string {
	argv := slices.Clone(program)
	add := func(flag string, values ...string) {
		for _, value := range values {
			if value != "" {
				argv = append(argv, flag, value)
			}
		}
	}
	if b.Address != "" {
		add("--addr", b.Address)
		argv = append(argv, "build", "--progress", "plain", "--frontend", "dockerfile.v0")
		add("--local", "context="+b.Context, "dockerfile="+dir)
		add("--opt", "filename=Dockerfile")
		add("--output", "type=oci,dest="+dest)
		if b.Target != "" {
			add("--opt", "target="+b.Target)
		}
		if b.Platform != "" {
			add("--opt", "platform="+b.Platform)
		}
		for _, arg := range b.Args {
			add("--opt", "build-arg:"+arg)
		}
		for _, c := range b.Contexts {
			name, value, _ := strings.Cut(c, "=")
			if !strings.Contains(value, "://") {
				add("--local", c)
				value = "local:" + name
			}
			add("--opt", "context:"+name+"="+value)
		}
	} else {
		argv = append(argv, "build", "--progress", "plain", "--provenance", "false")
		add("--builder", b.Name)
		add("--file", filepath.Join(dir, "Dockerfile"))
		add("--output", "type=oci,dest="+dest)
		add("--target", b.Target)
		add("--platform", b.Platform)
		add("--build-arg", b.Args...)
		add("--build-context", b.Contexts...)
	}
	add("--secret", b.Secrets...)
	add("--ssh", b.SSH...)
	if noCache {
		argv = append(argv, "--no-cache")
	}
	if b.Address == "" {
		argv = append(argv, b.Context)
	}
	return argv
}

// build builds text in place of the Dockerfile at path and reads what came of it. What the program prints is shown only
// if it fails.
func (b Builder) build(
	ctx context.Context,
	program []string,
	path, text string,
	without []string,
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
	if err := b.writeIgnore(path, dir, without); err != nil {
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

// writeIgnore writes the ignore file that goes with the Dockerfile, not with the context, with lines that are added.
func (b Builder) writeIgnore(path, dir string, without []string) error {
	ignore, err := textfile.Read(path + ".dockerignore")
	if errors.Is(err, os.ErrNotExist) && len(without) > 0 {
		ignore, err = textfile.Read(filepath.Join(b.Context, ".dockerignore"))
	}
	switch {
	case errors.Is(err, os.ErrNotExist) && len(without) == 0:
		return nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	if len(without) > 0 {
		ignore = append(ignore, "\n"+strings.Join(without, "\n")+"\n"...)
	}
	return os.WriteFile(filepath.Join(dir, "Dockerfile.dockerignore"), ignore, 0o644)
}

// Result is what came of building a file and its reordering.
type Result struct {
	Files       int                    // in the images
	Differences []imagediff.Difference // that the reordering makes
	Unstable    []string               // what differs from build to build without it
}

// Verify builds the Dockerfile at path as it is and as after says and compares the images. tell is told what is being
// built. The error is ctx's if it ends.
func (b Builder) Verify(
	ctx context.Context,
	path, before, after string,
	tell func(what string),
) (*Result, error) {
	program, err := b.program(ctx)
	if err != nil {
		return nil, err
	}
	build := func(what, text string, without []string, noCache bool) ([]imagediff.Image, error) {
		tell(fmt.Sprintf("Building %s %s", path, what))
		images, err := b.build(ctx, program, path, text, without, noCache)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%s %s cannot be built: %w", path, what, err)
		}
		return images, err
	}
	first, err := build("as it is", before, nil, false)
	if err != nil {
		return nil, err
	}
	what := "reordered"
	if len(b.Without) > 0 {
		what = "without " + strings.Join(b.Without, ", ")
	}
	second, err := build(what, after, b.Without, false)
	if err != nil {
		return nil, err
	}
	v := &Result{}
	for _, image := range first {
		v.Files += len(image.Files)
	}
	v.Differences = imagediff.Compare(first, second)
	if len(v.Differences) == 0 {
		return v, nil
	}
	again, err := build("as it is once more, to see what differs from build to build", before, nil, true)
	if err != nil {
		return nil, err
	}
	v.SetAside(imagediff.Compare(first, again))
	return v, nil
}

// SetAside takes what differs between two builds of one file out of the differences: the same property of the same file
// only, so that a file whose content changes from build to build must still be there, and its owner's.
func (v *Result) SetAside(between []imagediff.Difference) {
	type property struct{ where, what string }
	unstable := map[property]bool{}
	names := map[string]bool{}
	for _, d := range between {
		unstable[property{d.Where, d.What}] = true
		names[d.Where] = true
	}
	v.Unstable = slices.Sorted(maps.Keys(names))
	v.Differences = slices.DeleteFunc(
		v.Differences,
		func(d imagediff.Difference) bool { return unstable[property{d.Where, d.What}] },
	)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
