package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
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
	return o.findFile(ctx, w, oneBuild{path: path, name: name}, c, adjust)
}

// oneBuild is one build: of a Dockerfile, or a service or target, whose Dockerfile may be part of the build file.
type oneBuild struct {
	path  string            // absolute, of the file that the Dockerfile's text is in
	name  string            // as the user names it, "" is a short form of the path
	entry *buildfiles.Entry // nil is the one that counts for the Dockerfile
}

// ofEntries are the builds of services and targets.
func ofEntries(entries []buildfiles.Entry) (out []oneBuild) {
	for i := range entries {
		out = append(out, oneBuild{path: entries[i].TextFile(), entry: &entries[i]})
	}
	return out
}

// title names the build among several: "compose service web · app/Dockerfile".
func (o *oneBuild) title() string {
	if o.entry == nil {
		return relative(o.path)
	}
	return o.entry.Title() + " · " + relative(o.path)
}

// findFile finds one build.
func (o *buildFlags) findFile(
	ctx context.Context, w *workspace.Workspace, one oneBuild, c workspace.Choices, adjust adjustment,
) (*judged, error) {
	path, name := one.path, cmp.Or(one.name, relative(one.path))
	reader := w.Reader(path)
	var text string
	if e := one.entry; e != nil {
		c.Build = e.ID
		if path == "" {
			return nil, fmt.Errorf("the Dockerfile of the %s is not a file on this machine", e.Title())
		}
		reader = w.EntryReader(e)
		text = e.Inline
	}
	if text == "" {
		var err error
		if text, err = readDockerfile(name); err != nil {
			return nil, err
		}
	}
	q, note := o.question(c, text)
	j := &judged{path: path, name: name}
	if adjust != nil {
		if err := adjust(j, &q); err != nil {
			return nil, err
		}
	}
	b := reader.Load(ctx, q)
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
