package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// judged is a Dockerfile with the build that flags, build files, records and the Dockerfile itself say together.
type judged struct {
	path     string // absolute
	name     string // as the user names it
	question workspace.Question
	build    *workspace.Build
	ci       *workspace.CIBuild // whose build it is, if that was asked for
	notes    []string           // for people
}

// adjustment completes what is asked about a Dockerfile.
type adjustment func(*judged, *workspace.Question) error

// find finds the build that an argument and the flags mean. adjust may be nil.
func (o *buildFlags) find(
	ctx context.Context,
	w *workspace.Workspace,
	arg string,
	adjust adjustment,
) (*judged, error) {
	c, err := o.choices()
	if err != nil {
		return nil, err
	}
	path, err := o.dockerfileOf(ctx, w, arg, &c)
	if err != nil {
		return nil, err
	}
	name := arg
	if o.file != "" || !sameFile(arg, path) {
		name = relative(path)
	}
	return o.findFile(ctx, w, path, name, c, adjust)
}

// findFile finds the build of one Dockerfile.
func (o *buildFlags) findFile(
	ctx context.Context,
	w *workspace.Workspace,
	path, name string,
	c workspace.Choices,
	adjust adjustment,
) (*judged, error) {
	text, err := readDockerfile(name)
	if err != nil {
		return nil, err
	}
	q, note := o.question(c, text)
	j := &judged{path: path, name: name}
	if adjust != nil {
		if err := adjust(j, &q); err != nil {
			return nil, err
		}
	}
	b := w.Reader(path).Load(ctx, q)
	if b == nil {
		return nil, interrupted(ctx.Err())
	}
	if len(b.Problems) > 0 {
		return nil, errors.Join(b.Problems...)
	}
	if o.remember {
		if err := o.choose(w.Store, path, q.Choices); err != nil {
			return nil, err
		}
	}
	j.question, j.build, j.notes = q, b, append(j.notes, b.Notes...)
	if note != "" && !q.Uncompared {
		j.notes = append([]string{note}, j.notes...)
	}
	if b.Unsaved != nil {
		j.notes = append(j.notes, b.Unsaved.Error())
	}
	return j, nil
}

// uncompared asks for the build only.
func uncompared(_ *judged, q *workspace.Question) error {
	q.Uncompared = true
	return nil
}

func sameFile(arg, path string) bool {
	a, err := os.Stat(arg)
	b, failed := os.Stat(path)
	return err == nil && failed == nil && os.SameFile(a, b)
}

// relative shortens a path for people.
func relative(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}
