package workspace

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// Base is the build of another service or target that makes a named context.
type Base struct {
	Build *Build
	File  *dockerfile.File
	was   *cachemodel.Build // what it is compared with; nil if that is not known
	name  string            // as the build file writes it: "target:base"
}

// baseReader finds the build of one base.
type baseReader struct {
	reader *Reader
	opened *dockerfile.File // as it was first read
	places Places
}

// mostBases is how deep builds may stand on each other's results.
const mostBases = 8

// mostBasesInAll is how many builds are found for one that stands on them: each may stand on several.
const mostBasesInAll = 12

// projectOf is the project of an entry.
func (b *builds) projectOf(e *buildfiles.Entry) *buildfiles.Project {
	for _, p := range b.projects {
		same := func(o buildfiles.Entry) bool { return o.ID == e.ID && o.Dir == e.Dir && slices.Equal(o.Files, e.Files) }
		if p.Kind == e.Kind && slices.ContainsFunc(p.Entries, same) {
			return p
		}
	}
	return nil
}

// loadBases brings the builds of the entry's named contexts up to date, compared with what spec says; "" compares them
// with nothing. What cannot be found is left out: only a build can tell then what the named context holds.
func (r *Reader) loadBases(ctx context.Context, b *Build, q Question, spec string) {
	b.Bases = nil
	e := b.Entry
	if e == nil || r.depth == mostBases || b.Settings.Engine == cachemodel.Classic {
		return
	}
	p := r.builds.projectOf(e)
	if p == nil {
		return
	}
	made := p.Bases(e)
	ids := map[string]bool{}
	for _, entry := range made {
		ids[entry.ID] = true
	}
	maps.DeleteFunc(r.bases, func(id string, _ *baseReader) bool { return !ids[id] }) // the build file had others
	for _, name := range slices.Sorted(maps.Keys(made)) {
		entry := made[name]
		if b.Images[name] != "" || b.Contexts[name].Dir != "" { // it is given by a flag
			continue
		}
		if entry.TextFile() == "" || !r.w.Near(entry) {
			continue
		}
		file := r.w.dockerfileOf(entry)
		if file == nil {
			continue
		}
		if r.bases == nil {
			r.bases = map[string]*baseReader{}
		}
		of := r.bases[entry.ID]
		if of == nil {
			top := cmp.Or(r.top, r)
			if top.basesBelow() == mostBasesInAll {
				return
			}
			of = &baseReader{reader: r.w.EntryReader(entry), opened: file}
			of.reader.depth, of.reader.top = r.depth+1, top
			r.bases[entry.ID] = of
		}
		sub := Question{
			Choices: Choices{Build: entry.ID, Baseline: spec, BaselineFile: q.Choices.BaselineFile},
			File:    file, Uncompared: q.Uncompared || spec == "", Unread: q.Unread, Reading: q.Reading, Stopped: q.Stopped,
			Changed: Changed{Context: true, Baseline: q.Changed.Baseline, Builds: true},
		}
		sub.Choices.Engine = q.Choices.Engine
		if q.Opened != nil {
			sub.Opened = of.opened
		}
		if q.Watch != nil {
			sub.Watch = func(places Places) bool {
				of.places = places
				return r.watch(q)
			}
		}
		built := of.reader.Load(ctx, sub)
		if built == nil {
			continue
		}
		other := func(err error) bool { return err != built.Compared.Problem }
		if slices.ContainsFunc(built.Problems, other) {
			continue
		}
		if b.Bases == nil {
			b.Bases = map[string]*Base{}
		}
		b.Bases[name] = &Base{Build: built, File: file, was: built.Compared.was, name: contextOf(e, name)}
		b.BuildFiles = append(slices.Clip(b.BuildFiles), entry.TextFile())
	}
}

// basesBelow is how many bases are found for r.
func (r *Reader) basesBelow() int {
	n := len(r.bases)
	for _, base := range r.bases {
		n += base.reader.basesBelow()
	}
	return n
}

// contextOf is a named context of an entry, as it is written.
func contextOf(e *buildfiles.Entry, name string) string {
	for key, value := range e.Contexts {
		if buildfiles.ContextName(key) == name {
			return value
		}
	}
	return ""
}

// dockerfileOf reads the Dockerfile of an entry, nil if it cannot be read.
func (w *Workspace) dockerfileOf(e *buildfiles.Entry) *dockerfile.File {
	if e.Inline != "" || e.Dockerfile == "" {
		return parse(e.Inline)
	}
	text, err := w.buildFileOptions().Read(e.Dockerfile)
	if err != nil {
		return nil
	}
	return parse(string(text))
}

// basesSpec is the baseline that the bases are compared with where the build itself is compared with found; "" if it is
// not known which of their builds was used.
func basesSpec(found baseline.Baseline, asked baseline.Spec) string {
	switch kind := baseline.Kind(found.Kind); kind {
	case baseline.Git:
		return string(kind) + ":" + found.Ref
	case baseline.Opened:
		return string(kind)
	case baseline.Dir:
		return string(kind) + ":" + asked.Arg
	}
	return ""
}

// contextBuilds are the builds of the named contexts as they are next.
func (b *Build) contextBuilds() map[string]*cachemodel.Build {
	var out map[string]*cachemodel.Build
	for name, base := range b.Bases {
		if out == nil {
			out = map[string]*cachemodel.Build{}
		}
		next := base.Build.Next(base.File, nil)
		out[name] = &next
	}
	return out
}

// basesThen gives an earlier build those that made its named contexts then, as far as they still make some of the
// build's.
func (b *Build) basesThen(then *buildfiles.Definition, earlier *cachemodel.Build) {
	if len(b.Bases) == 0 {
		return
	}
	e := b.Entry
	if then != nil {
		e = &then.Entry
	}
	for key, made := range e.Contexts {
		for _, base := range b.Bases {
			if base.was == nil || base.name != made {
				continue
			}
			if earlier.ContextBuilds == nil {
				earlier.ContextBuilds = map[string]*cachemodel.Build{}
			}
			earlier.ContextBuilds[buildfiles.ContextName(key)] = base.was
		}
	}
}

// EntryReader finds the build of a service or target, also where its Dockerfile is part of the build file.
func (w *Workspace) EntryReader(e *buildfiles.Entry) *Reader {
	r := w.Reader(e.TextFile())
	if e.Inline != "" {
		r.inline = e.ID
	}
	return r
}
