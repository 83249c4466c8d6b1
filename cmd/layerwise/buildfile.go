package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/spf13/pflag"
)

// buildFileOptions say which service or target of the project's build files is meant.
type buildFileOptions struct {
	service, bake string
	off           bool
}

func (o *buildFileOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.service, "service", "", "take the settings of this service of a Compose file")
	f.StringVar(&o.bake, "bake", "", "take the settings of this target of docker buildx bake")
	f.BoolVar(&o.off, "no-build-files", false, "do not look for Compose and bake files")
}

// named is the service or target that was asked for by name, as an entry's ID.
func (o buildFileOptions) named() (string, error) {
	switch {
	case o.service != "" && o.bake != "":
		return "", fmt.Errorf("--service and --bake exclude each other")
	case o.service != "":
		return string(buildfiles.Compose) + ":" + o.service, nil
	case o.bake != "":
		return string(buildfiles.Bake) + ":" + o.bake, nil
	}
	return "", nil
}

// entry finds the service or target that builds a Dockerfile: the one that was asked for, which may stand for the
// Dockerfile too (path is then ""), or the only one that there is; of several the one that was built last, by its ID. The
// notes are for people.
func (o buildFileOptions) entry(ctx context.Context, path string, last func() string) (entry *buildfiles.Entry, notes []string, err error) {
	id, err := o.named()
	if err != nil || id == "" && o.off {
		return nil, nil, err
	}
	start := path
	if start == "" {
		if start, err = filepath.Abs("Dockerfile"); err != nil {
			return nil, nil, err
		}
	}
	projects, problems := buildfiles.Find(ctx, projectRoot(filepath.Dir(start)), start, buildfiles.Options{Env: os.Environ()})
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	for _, problem := range problems {
		notes = append(notes, "not taken into account: "+problem.Error())
	}
	if id == "" {
		choices := buildfiles.Choices(projects, path)
		if len(choices) > 1 {
			if id := last(); id != "" {
				for _, c := range choices {
					if e := c.Of(id); e != nil {
						return e, notes, nil
					}
				}
			}
			var flags []string
			for _, c := range choices {
				flags = append(flags, entryFlag(&c.Entry))
			}
			return nil, append(notes, fmt.Sprintf("several builds use this Dockerfile, so none's settings are taken: choose with %s", strings.Join(flags, ", "))), nil
		}
		if len(choices) == 0 {
			return nil, notes, nil
		}
		return &choices[0].Entry, notes, nil
	}
	var other *buildfiles.Entry
	for _, p := range projects {
		for _, e := range p.Entries {
			if e.ID != id {
				continue
			}
			if path == "" && e.Dockerfile != "" || e.Builds(path) {
				return &e, notes, nil
			}
			other = &e
		}
	}
	switch {
	case other == nil && len(problems) > 0:
		return nil, nil, fmt.Errorf("%s was not found, and there is a file that cannot be read: %w", strings.Replace(id, ":", " ", 1), problems[0])
	case other == nil:
		return nil, nil, fmt.Errorf("no Compose or bake file around %s has %s", filepath.Dir(start), strings.Replace(id, ":", " ", 1))
	case other.Dockerfile == "":
		return nil, nil, fmt.Errorf("the Dockerfile of the %s is no file on this machine", other.Title())
	}
	return nil, nil, fmt.Errorf("the %s builds %s", other.Title(), relative(other.Dockerfile))
}

// targets are the stages that the project's build files build of a Dockerfile.
func targets(ctx context.Context, path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	projects, _ := buildfiles.Find(ctx, projectRoot(filepath.Dir(path)), path, buildfiles.Options{Env: os.Environ()})
	return buildfiles.Targets(buildfiles.Choices(projects, path))
}

func entryFlag(e *buildfiles.Entry) string {
	if e.Kind == buildfiles.Bake {
		return "--bake " + e.Name
	}
	return "--service " + e.Name
}

// projectRoot is the folder up to which, and below which, build files are looked for: the repository's, else the working
// directory if dir is in it, else dir.
func projectRoot(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, dir); err == nil && filepath.IsLocal(rel) {
			return wd
		}
	}
	return dir
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
