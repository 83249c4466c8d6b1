package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	one := oneBuild{path: path, name: arg}
	if o.file != "" || !sameFile(arg, path) {
		one.name = relative(path)
	}
	_, err = os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && o.file == "" && filepath.Base(path) != filepath.Base(arg) {
		if one, err = onlyBuild(ctx, w, filepath.Dir(path), c); err != nil {
			return nil, err
		}
	}
	return o.findFile(ctx, w, one, c, adjust)
}

// maxNamed is how many Dockerfiles a message names.
const maxNamed = 20

// onlyBuild is the build below a folder that has no Dockerfile, if there is one Dockerfile there.
func onlyBuild(ctx context.Context, w *workspace.Workspace, dir string, c workspace.Choices) (oneBuild, error) {
	all, err := buildsBelow(ctx, w, dir, c)
	if err != nil {
		return oneBuild{}, err
	}
	var names []string
	for i := range all {
		if b := &all[i]; b.entry != nil && b.entry.Inline == "" { // which of its services counts is asked later
			b.entry = nil
		}
		if name := all[i].title(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 1 {
		return all[0], nil
	}
	if rest := len(names) - maxNamed; rest > 0 {
		names = append(names[:maxNamed], fmt.Sprintf("and %d more", rest))
	}
	return oneBuild{}, fmt.Errorf("%s: there is no Dockerfile in this folder: name one of\n  %s",
		relative(dir), strings.Join(names, "\n  "))
}

// buildsBelow are all builds that a folder has: the services and targets of its build files, and the other Dockerfiles.
func buildsBelow(ctx context.Context, w *workspace.Workspace, dir string, c workspace.Choices) ([]oneBuild, error) {
	var out []oneBuild
	if c.Build == "" {
		out = ofEntries(w.Entries(ctx, dir))
	}
	var known []os.FileInfo // each looked at once: a folder may hold thousands
	for _, b := range out {
		if info, err := os.Stat(b.path); err == nil {
			known = append(known, info)
		}
	}
	files, _ := findDockerfiles([]string{dir})
	for _, file := range files {
		info, err := os.Stat(file)
		if err == nil && slices.ContainsFunc(known, func(k os.FileInfo) bool { return os.SameFile(k, info) }) {
			continue
		}
		if err == nil {
			known = append(known, info)
		}
		out = append(out, oneBuild{path: file})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf(
			"%s: there is no Dockerfile here or below, and no Compose or bake file that builds one",
			relative(dir),
		)
	}
	return out, nil
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
