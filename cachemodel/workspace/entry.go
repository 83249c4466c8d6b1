package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// builds are the services and targets that build a Dockerfile, and the one whose settings count.
type builds struct {
	projects []*buildfiles.Project
	choices  []buildfiles.Choice
	entry    *buildfiles.Entry // nil if there is none, or none is wanted
	placed   placed            // where there is no entry
	files    []string          // that say so
	notes    []string
}

func (b *builds) same(other *builds) bool {
	return reflect.DeepEqual(b.entry, other.entry) && b.placed == other.placed &&
		len(b.choices) == len(other.choices) &&
		slices.Equal(b.notes, other.notes)
}

// readBuilds looks for the services and targets that build the Dockerfile. A project that cannot be read now, because
// somebody types in its file, is as it was before.
func (r *Reader) readBuilds(ctx context.Context, c Choices, before builds) (builds, error) {
	var b builds
	if r.path == "" {
		return b, nil
	}
	var problems []error
	b.projects, problems = r.w.projectsOf(ctx, r.path)
	if ctx.Err() != nil {
		return b, ctx.Err()
	}
	if len(problems) > 0 {
		for _, old := range before.projects {
			same := func(p *buildfiles.Project) bool { return p.Kind == old.Kind && p.Dir == old.Dir }
			if !slices.ContainsFunc(b.projects, same) && len(old.Files) > 0 && exists(old.Files[0]) {
				b.projects = append(b.projects, old)
			}
		}
	}
	for _, problem := range problems {
		b.notes = append(b.notes, "not taken into account: "+problem.Error())
	}
	for _, p := range b.projects {
		b.files = append(b.files, p.Files...)
	}
	var err error
	if r.inline == "" {
		b.choices = buildfiles.Choices(b.projects, r.path)
		b.entry, err = r.choose(c, b, errors.Join(problems...))
	} else if b.entry = inlineIn(b.projects, r.path, r.inline); b.entry != nil {
		b.choices = []buildfiles.Choice{{Entry: *b.entry}}
	} else {
		err = notFound(r.inline, b.projects, r.path, errors.Join(problems...))
	}
	if b.entry == nil && c.ContextDir == "" {
		var files []string
		b.placed, files = r.w.placedFor(ctx, r.path)
		b.files = append(b.files, files...)
	}
	return b, err
}

// inlineIn is the entry of an ID whose Dockerfile stands in a build file, nil if there is none.
func inlineIn(projects []*buildfiles.Project, file, id string) *buildfiles.Entry {
	for _, p := range projects {
		for i := range p.Entries {
			if e := &p.Entries[i]; e.ID == id && e.Inline != "" && e.Place() == file {
				return e
			}
		}
	}
	return nil
}

// choose gives the entry that counts: the one that is asked for; the one that was chosen before; the one of the last
// build on record; else the first. A build context that is asked for stands for a build of its own, as docker build
// makes it.
func (r *Reader) choose(c Choices, b builds, broken error) (*buildfiles.Entry, error) {
	chosen := cmp.Or(c.Build, r.w.Store.Choice(r.path, BuildChoice))
	if chosen == NoBuild || c.Engine == cachemodel.Classic && c.Build == "" {
		return nil, nil
	}
	of := func(id string) *buildfiles.Entry {
		for i := range b.choices {
			if e := b.choices[i].Of(id); e != nil {
				return e
			}
		}
		return nil
	}
	e := of(chosen)
	for _, named := range buildfiles.Named(b.projects, chosen) { // a group or a matrix stands for its targets
		if e == nil {
			e = of(named.ID)
		}
	}
	if e != nil || c.Build != "" {
		if e == nil {
			return nil, notFound(c.Build, b.projects, r.path, broken)
		}
		return e, nil
	}
	if len(b.choices) == 0 || c.ContextDir != "" {
		return nil, nil
	}
	if len(b.choices) > 1 {
		if last, _ := r.w.Store.Latest(r.path, c.Match()); last != nil && last.Name != "" {
			if e := of(last.Name); e != nil {
				return e, nil
			}
		}
	}
	return &b.choices[0].Entry, nil
}

// Entry finds the service or target with this ID, of a group or matrix the first target, in the build files of the
// project that dir is in. Its Dockerfile is a file.
func (w *Workspace) Entry(ctx context.Context, dir, id string) (*buildfiles.Entry, error) {
	entries, err := w.Named(ctx, dir, id)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Dockerfile != "" {
			return &entries[i], nil
		}
	}
	e := &entries[0]
	if e.Inline != "" {
		return nil, fmt.Errorf("the Dockerfile of the %s is part of %s: predict reads it there", e.Title(),
			relative(e.Place()))
	}
	return nil, fmt.Errorf("the Dockerfile of the %s is not a file on this machine", e.Title())
}

// Named are the builds that an ID stands for in the nearest project that has it: a service or target, or the targets of
// a group or matrix. There is at least one.
func (w *Workspace) Named(ctx context.Context, dir, id string) ([]buildfiles.Entry, error) {
	projects, problems := w.projectsOf(ctx, filepath.Join(dir, "Dockerfile"))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, p := range projects {
		if entries := buildfiles.Named([]*buildfiles.Project{p}, id); len(entries) > 0 {
			return entries, nil
		}
	}
	return nil, notFound(id, projects, "", errors.Join(problems...))
}

// Entries are the services and targets of a folder's project that build a Dockerfile at or below the folder, also one
// in a build file, in order; of those that a command does not build by itself, none.
func (w *Workspace) Entries(ctx context.Context, dir string) (out []buildfiles.Entry) {
	found, _ := w.projectsOf(ctx, filepath.Join(dir, "Dockerfile"))
	for _, p := range found {
		for i := range p.Entries {
			e := p.Entries[i]
			file := e.TextFile()
			rel, err := filepath.Rel(dir, file)
			if ext := filepath.Ext(e.File); e.Kind == buildfiles.Bake && (ext == ".yaml" || ext == ".yml") {
				continue // a service, as bake reads it
			}
			if file == "" || e.Inherited || err != nil || !filepath.IsLocal(rel) || !exists(file) {
				continue
			}
			if !slices.ContainsFunc(
				out,
				func(o buildfiles.Entry) bool { return o.ID == e.ID && o.Dockerfile == e.Dockerfile },
			) {
				out = append(out, e)
			}
		}
	}
	return out
}

// notFound says what there is instead of a service or target.
func notFound(id string, projects []*buildfiles.Project, dockerfile string, broken error) error {
	kind, name, _ := strings.Cut(id, ":")
	var names []string
	for _, p := range projects {
		if string(p.Kind) == kind {
			names = slices.AppendSeq(names, maps.Keys(p.Groups))
		}
		for i := range p.Entries {
			e := &p.Entries[i]
			if e.ID == id && dockerfile != "" {
				if e.Dockerfile == "" {
					return fmt.Errorf("the Dockerfile of the %s is not a file on this machine", e.Title())
				}
				return fmt.Errorf("the %s builds %s", e.Title(), relative(e.Dockerfile))
			}
			if string(e.Kind) == kind && !e.Inherited && !slices.Contains(names, e.Name) {
				names = append(names, e.Name)
			}
		}
	}
	what := "Compose file has a service"
	if kind == string(buildfiles.Bake) {
		what = "bake file has a target"
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch err := fmt.Errorf("no %s %q", what, name); {
	case broken != nil:
		return fmt.Errorf("%w, and there is a file that cannot be read: %w", err, broken)
	case len(names) > 0:
		return fmt.Errorf("%w: there are %s", err, strings.Join(names, ", "))
	default:
		return fmt.Errorf("%w: there is none with a build section", err)
	}
}
