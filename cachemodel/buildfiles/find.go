package buildfiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// maxDirs bounds how many directories of a workspace are looked at.
const maxDirs = 5000

// outputs are directories that hold what builds made, copies of build files too.
var outputs = []string{"target", "dist", "build"}

// Find reads the projects of a workspace: those of the directories from that of the Dockerfile up to root, and of all
// below root as far as that is bounded. The files of a broken project are in what is wrong with it.
func Find(ctx context.Context, root, dockerfile string, o Options) (projects []*Project, problems []error) {
	return In(ctx, Directories(ctx, root, filepath.Dir(dockerfile)), o)
}

// In reads the projects of directories.
func In(ctx context.Context, dirs []string, o Options) (projects []*Project, problems []error) {
	for _, dir := range dirs {
		if ctx.Err() != nil {
			return nil, []error{ctx.Err()}
		}
		at := o
		at.Dir, at.Here = dir, true
		p, err := ReadCompose(ctx, at)
		projects, problems = collect(projects, problems, p, err)
		p, err = readBake(ctx, at)
		projects, problems = collect(projects, problems, p, err)
	}
	return once(projects), problems
}

// once leaves a service out of the project of its own file where another project includes that file: it counts there.
func once(projects []*Project) []*Project {
	for _, p := range projects {
		if p.Kind != Compose {
			continue
		}
		p.Entries = slices.DeleteFunc(p.Entries, func(e Entry) bool {
			return slices.ContainsFunc(projects, func(other *Project) bool {
				includes := slices.Contains(other.Files, p.Files[0]) && !slices.Contains(p.Files, other.Files[0])
				return other != p && other.Kind == Compose && includes &&
					slices.ContainsFunc(other.Entries, func(o Entry) bool { return o.ID == e.ID })
			})
		})
	}
	return projects
}

// Named are the entries that an ID stands for: one service or target, or the targets of a group or of a matrix.
func Named(projects []*Project, id string) (out []Entry) {
	kind, name, _ := strings.Cut(id, ":")
	for _, p := range projects {
		if string(p.Kind) != kind || strings.ContainsAny(name, "*?[") {
			continue
		}
		if entries, err := p.Select(name); err == nil {
			out = append(out, entries...)
		}
	}
	return out
}

// maxAbove is how many folders above a bake file's bake may be run in.
const maxAbove = 4

// readBake reads bake files as from the folder that bake is run in, for their paths are of that. It is their own, or,
// as for "docker buildx bake -f docker/docker-bake.hcl", one above in the same repository: the nearest in which all
// that they build is there, if nothing of it is where they are.
func readBake(ctx context.Context, o Options) (*Project, error) {
	project, err := ReadBake(ctx, o)
	if err != nil || project.found(o) != 0 {
		return project, err
	}
	at := o
	at.Files = withoutEnv(project.Files)
	for _, at.Dir = range repositoryAbove(o.Dir) {
		if above, err := ReadBake(ctx, at); err == nil && above.found(at) == len(above.Entries) && above.names(at.Dir) {
			return above, nil
		}
	}
	return project, nil
}

// repositoryAbove are the folders above one up to the top of its repository, none if it is in no repository near: what
// lies above it may be somebody's home folder.
func repositoryAbove(dir string) (folders []string) {
	for range maxAbove + 1 {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return folders
		}
		dir = filepath.Dir(dir)
		folders = append(folders, dir)
	}
	return nil
}

// found counts the entries that have their Dockerfile.
func (p *Project) found(o Options) (n int) {
	for i := range p.Entries {
		if e := &p.Entries[i]; e.Dockerfile == "" || o.exists(e.Dockerfile) {
			n++
		}
	}
	return n
}

// names reports whether an entry names a folder below a directory, which can be told from one of another directory.
func (p *Project) names(dir string) bool {
	return slices.ContainsFunc(p.Entries, func(e Entry) bool {
		return e.Context != dir && above(dir, e.Context) ||
			filepath.Dir(e.Dockerfile) != dir && above(dir, e.Dockerfile)
	})
}

// above reports whether a path is a directory or below it.
func above(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// withoutEnv leaves out the .env that is read beside bake files.
func withoutEnv(files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool { return filepath.Base(f) == ".env" })
}

// Around are the entries of the project that a file is part of, or of the file alone if no command would find it.
func Around(ctx context.Context, path string, o Options) ([]Entry, error) {
	o.Dir = filepath.Dir(path)
	read := readBake
	if isYAML(strings.ToLower(filepath.Base(path))) {
		read = ReadCompose
	}
	p, err := read(ctx, o)
	if err != nil || !slices.Contains(p.Files, path) {
		o.Files = []string{path}
		if p, err = read(ctx, o); err != nil {
			return nil, err
		}
	}
	return p.Entries, nil
}

func collect(projects []*Project, problems []error, p *Project, err error) ([]*Project, []error) {
	switch {
	case err == nil:
		return append(projects, p), problems
	case errors.Is(err, ErrNoFile):
		return projects, problems
	}
	return projects, append(problems, err)
}

// Above lists the directories from dir up to root that may hold a project, the nearest first: those with a file of a
// known name.
func Above(root, dir string) (out []string) {
	var up []string
	for d := dir; ; d = filepath.Dir(d) {
		up = append(up, d)
		if d == root || d == filepath.Dir(d) || root == "" {
			break
		}
		if !above(root, d) {
			up = up[:1] // dir is not below root
			break
		}
	}
	for _, d := range up {
		if entries, err := os.ReadDir(d); err == nil && hasBuildFile(entries) {
			out = append(out, d)
		}
	}
	return out
}

// Directories lists those of Above, and those below root that may hold a project, as far as that is bounded: hidden
// ones, and those with what builds made or package managers installed, are not looked into.
func Directories(ctx context.Context, root, dir string) []string {
	out := Above(root, dir)
	if root == "" {
		return out
	}
	count := 0
	queue := []string{root}
	for len(queue) > 0 && count < maxDirs && ctx.Err() == nil {
		d := queue[0]
		queue = queue[1:]
		count++
		entries, err := os.ReadDir(d)
		if err != nil {
			continue
		}
		if hasBuildFile(entries) && !slices.Contains(out, d) {
			out = append(out, d)
		}
		for _, e := range entries {
			below := filepath.Join(d, e.Name())
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(outputs, e.Name()) &&
				!textfile.Installed(below) {
				queue = append(queue, below)
			}
		}
	}
	return out
}

func hasBuildFile(entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return slices.Contains(bakeNames, e.Name()) || e.Name() == ".env"
	})
}

// Choices are the entries that build a Dockerfile, the likeliest first. Those that come to the same are one: the first
// of them, whose Same names the others.
func Choices(projects []*Project, dockerfile string) []Choice {
	var out []Choice
	services := map[string]bool{}
	alike := map[string][]int{} // places in out by what equal entries have in common
	for _, p := range projects {
		for _, e := range p.Entries {
			if !e.Builds(dockerfile) || e.Inherited {
				continue
			}
			if p.Kind == Bake && isYAML(e.File) && services[e.Label] {
				continue // the service itself
			}
			key := fmt.Sprint(e.Context, e.Settings(), e.Contexts)
			i := slices.IndexFunc(alike[key], func(i int) bool { return equal(&out[i].Entry, &e) })
			if i >= 0 {
				same := &out[alike[key][i]]
				same.Same = append(same.Same, e)
				continue
			}
			alike[key] = append(alike[key], len(out))
			services[e.Label] = services[e.Label] || e.Kind == Compose
			out = append(out, Choice{Entry: e})
		}
	}
	// One that is built unasked goes before one of a profile.
	slices.SortStableFunc(out, func(a, b Choice) int {
		return cmp.Compare(min(len(a.Entry.Profiles), 1), min(len(b.Entry.Profiles), 1))
	})
	return out
}

// Targets are the stages that choices build; "" is the last one.
func Targets(choices []Choice) (names []string) {
	for _, c := range choices {
		names = append(names, c.Target)
	}
	return names
}

// Choice is an entry, with those that have the same settings.
type Choice struct {
	Entry
	Same []Entry
}

// Of gives the entry with this ID, if it is the choice's or one of the same settings.
func (c *Choice) Of(id string) *Entry {
	if c.ID == id {
		return &c.Entry
	}
	for i := range c.Same {
		if c.Same[i].ID == id {
			return &c.Same[i]
		}
	}
	return nil
}

// equal says whether two entries build the same.
func equal(a, b *Entry) bool {
	return len(a.Volatile)+len(b.Volatile) == 0 && a.Context == b.Context &&
		reflect.DeepEqual(a.Settings(), b.Settings()) && reflect.DeepEqual(some(a.Contexts), some(b.Contexts))
}

func some(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
