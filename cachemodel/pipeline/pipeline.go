// Package pipeline finds the image builds that a project's CI makes: those of GitHub workflows and of GitLab CI files,
// with their settings and the caches that they import and export. What is found is plain data.
//
//	found, problems := pipeline.Find(ctx, pipeline.Options{Root: root, Event: pipeline.Event{Name: "pull_request"}})
//	cache := found[0].Imports(earlier)
//
// It reads files, of limited number and size, and runs nothing. Of a value that only a run of the CI can tell, such as
// a secret, it keeps the expression: "${{secrets.TOKEN}}". It must not know cache keys, verdicts or editors.
package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Limits of what is read.
const (
	maxFiles     = 200
	maxFile      = 1 << 20
	maxBuilds    = 500
	maxSteps     = 1000 // of a job
	maxMatrix    = 256
	maxDepth     = 5        // of workflows and actions that call others
	maxTemplates = 100      // that a job extends
	maxValues    = 8 << 10  // bytes of the values of variables in one text; what is longer is not known
	maxWork      = 16 << 20 // bytes of texts, as often as they are read, and what steps and variables count as
)

// Event is what a run of the CI is for.
type Event struct {
	Name   string // "push" or "pull_request"; "" is any
	Branch string // that is pushed to; "" for a pull request
	Base   string // the branch that a pull request is to be merged into
}

// Options say what to read.
type Options struct {
	Root  string   // absolute: the top of the repository
	Event Event    // builds that this event does not start are left out
	Env   []string // KEY=VALUE; what bake files ask for beside what the CI files set
	// Read reads a file; nil is textfile.ReadUpTo. Another one gives the files of a revision.
	Read func(path string) ([]byte, error)
	// Own are the names of the repository, "owner/name" in small letters, by which its files may call others of it; At
	// reads one at a branch, tag or commit that they name.
	Own []string
	At  func(ref, path string) ([]byte, error)
}

func (o *Options) read(path string) ([]byte, error) {
	if o.Read != nil {
		text, err := o.Read(path)
		if err == nil && len(text) > maxFile {
			return nil, fmt.Errorf("%s: %w", path, textfile.ErrTooLong)
		}
		return text, err
	}
	return textfile.ReadUpTo(path, maxFile)
}

// Build is one image build of a CI job.
type Build struct {
	ID   string // tells the builds of one state of the files apart: ".github/workflows/ci.yml:build:3"
	File string // absolute
	Line int
	Job  string
	Step string // for people: its name, else what it runs
	Tool string // "docker/build-push-action", "docker build", ...
	// Name is the Compose service or bake target that is built, as in "compose:web"; "" if there is none. The settings
	// below are then those that the files have now.
	Name       string
	Dockerfile string           // absolute; "" if it is not known
	Options    baseline.Options // its settings
	// Unknown are the build arguments that only a run of the CI knows, by name, each with its expression.
	Unknown map[string]string
	Varying []string // those of them that have another value at each commit
	Tags    []string
	From    []Cache // that it imports
	To      []Cache // that it exports
	Pushes  bool    // the image is pushed, perhaps
	Hosted  bool    // on a machine of GitHub's, which keeps nothing from one run to the next
	If      string  // a condition that only a run of the CI can tell; "" if there is none
	// Problem says why it is not known which build this is; "" if it is.
	Problem string
	// Keeper says what has a builder that keeps what it built, "" if the builder begins with nothing.
	Keeper string

	kept []kept
	pull bool // a pull request starts it
}

// kept is a directory that a job takes over from an earlier run.
type kept struct {
	dir   string
	apart bool // those of pull requests are other ones than that of the main branch
	// unsure says why it is not known which run has left what is in it, lacking why it has nothing of the main
	// branch's; "" if they do not apply.
	unsure, lacking string
}

// Place says for people where a build is: ".github/workflows/ci.yml, job build".
func (b *Build) Place(root string) string {
	name := b.File
	if rel, err := filepath.Rel(root, b.File); err == nil {
		name = filepath.ToSlash(rel)
	}
	return fmt.Sprintf("%s, job %s", name, b.Job)
}

// Find finds the builds that an event starts. The problems are about files that cannot be read.
func Find(ctx context.Context, o Options) (builds []Build, problems []error) {
	f := &finder{Options: o, ctx: ctx, count: map[string]int{}}
	for _, file := range Files(o.Root) {
		if filepath.Dir(file) == o.Root {
			f.gitlab(file)
		} else {
			f.workflow(file)
		}
	}
	return f.builds, f.problems
}

// Files are the files of a repository in which the CI's builds are looked for: its workflows, and GitLab's file whether
// or not it is there. Those that they call or include are not in it.
func Files(root string) (out []string) {
	dir := filepath.Join(root, ".github", "workflows")
	for _, name := range names(dir) {
		if ext := strings.ToLower(filepath.Ext(name)); ext == ".yml" || ext == ".yaml" {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return append(out, filepath.Join(root, ".gitlab-ci.yml"))
}

// RootOf is the top of the repository that a CI file is for, by its path; ok reports whether it is such a file.
func RootOf(path string) (root string, ok bool) {
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir)
	if name == ".gitlab-ci.yml" {
		return dir, true
	}
	ext := strings.ToLower(filepath.Ext(name))
	above := filepath.Dir(dir)
	if ext != ".yml" && ext != ".yaml" || filepath.Base(dir) != "workflows" || filepath.Base(above) != ".github" {
		return "", false
	}
	return filepath.Dir(above), true
}

// names are those of a directory's files, in order.
func names(dir string) (out []string) {
	entries, _ := os.ReadDir(dir) // most projects have none
	for _, e := range entries {
		if len(out) < maxFiles {
			out = append(out, e.Name())
		}
	}
	return out
}

// finder is what is known while files are read.
type finder struct {
	Options
	ctx      context.Context
	builds   []Build
	problems []error
	count    map[string]int // of builds, by file and job
	work     int            // see maxWork
	at       place
}

// place is where the finder is.
type place struct {
	file, job, step string
	line            int
	condition       string // that is not known
	own             string // the directory in the workspace that this repository is checked out to; "" is the workspace
	kept            []kept // see Build
	hosted          bool
	keeper          string // see Build
	// setUp says that a step has set up Buildx, for builds that are not found yet.
	setUp bool
	sets  bool   // an earlier step may have set variables
	ref   string // of this repository that the workflow is read at; "" as the others are
}

// load reads a YAML file. There is no node where there is no such file, or it cannot be read.
func (f *finder) load(path string) node {
	read := f.read
	if ref := f.at.ref; ref != "" {
		read = func(path string) ([]byte, error) { return f.At(ref, path) }
	}
	text, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return node{}
	}
	var n node
	if err == nil {
		n, err = parse(text)
	}
	if err != nil {
		f.problems = append(f.problems, fmt.Errorf("%s: %w", path, err))
	}
	return n
}

// full reports whether no more builds are taken, or the search has ended.
func (f *finder) full() bool {
	return len(f.builds) >= maxBuilds || f.work > maxWork || f.ctx.Err() != nil
}

// costs counts what is about to be read. A few lines can ask for any amount of it: jobs for each value of a matrix,
// variables that hold one another.
func (f *finder) costs(n int) {
	if f.work <= maxWork && f.work+n > maxWork {
		f.problems = append(f.problems, fmt.Errorf("%s: the jobs behind job %s are not read: %w",
			f.at.file, f.at.job, buildfiles.ErrLimit))
	}
	f.work += n
}

// add takes a build.
func (f *finder) add(b Build) {
	if f.full() {
		return
	}
	b.File, b.Job, b.Step, b.If, b.kept = f.at.file, f.at.job, f.at.step, f.at.condition, f.at.kept
	b.Line = cmp.Or(f.at.line, b.Line)
	b.Hosted, b.Keeper, b.pull = f.at.hosted, f.at.keeper, f.Event.Name == "pull_request"
	f.at.setUp = false
	f.keepInside(&b)
	key := b.File + ":" + b.Job
	f.count[key]++
	b.ID = fmt.Sprintf("%s:%d", key, f.count[key])
	b.Unknown = map[string]string{}
	for name, v := range b.Options.Args {
		if e := unknownIn(v); e != "" {
			b.Unknown[name] = e
			if varies(e) {
				b.Varying = append(b.Varying, name)
			}
		}
	}
	slices.Sort(b.Varying)
	for _, part := range [][2]string{
		{"Dockerfile", b.Dockerfile}, {"context", b.Options.ContextDir}, {"target", b.Options.Target},
	} {
		if e := unknownIn(part[1]); e != "" && b.Problem == "" {
			b.Problem = fmt.Sprintf("the %s %s is not known", part[0], e)
		}
	}
	if unknownIn(b.Options.Platform) != "" { // both builds have the same
		b.Options.Platform = ""
	}
	f.builds = append(f.builds, b)
}

// keepInside takes out of a build what is not in this repository: no file of a stranger's folder has other folders
// read.
func (f *finder) keepInside(b *Build) {
	outside := func(path string) bool {
		if path == "" || unknownIn(path) != "" || Within(f.Root, path) {
			return false
		}
		b.Problem = cmp.Or(b.Problem, f.notHere(path))
		return true
	}
	if outside(b.Dockerfile) {
		b.Dockerfile = ""
	}
	if outside(b.Options.ContextDir) {
		b.Options.ContextDir = ""
	}
	b.Options.Contexts = maps.Clone(b.Options.Contexts)
	maps.DeleteFunc(b.Options.Contexts, func(_, dir string) bool { return outside(dir) })
}

// notHere says that a path is outside of the repository, the shorter way.
func (f *finder) notHere(path string) string {
	if rel, err := filepath.Rel(filepath.Join(f.Root, f.at.own), path); err == nil && len(rel) < len(path) {
		path = rel
	}
	return path + " is not in this repository"
}

// Within reports whether a folder is another one or below it, links followed where the folder is there.
func Within(root, dir string) bool {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		if realDir, err := filepath.EvalSymlinks(dir); err == nil {
			root, dir = real, realDir
		}
	}
	inside, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(inside)
}

// inRepository makes a path of the job's workspace one of this repository. The reason says why it is none.
func (f *finder) inRepository(dir, path string) (abs, reason string) {
	if e := unknownIn(path); e != "" {
		return "", fmt.Sprintf("the path %s is not known", e)
	}
	if e := unknownIn(dir); e != "" {
		return "", fmt.Sprintf("the directory %s is not known", e)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	rel, err := filepath.Rel(filepath.Join(f.Root, f.at.own), path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", f.notHere(path)
	}
	return filepath.Join(f.Root, rel), ""
}

// place finds the Dockerfile and the context of a build, as the path of the job's workspace that are given: file is
// relative to at.
func (f *finder) place(b *Build, dir, context, at, file string) {
	switch {
	case buildfiles.IsRemote(context):
		b.Problem = fmt.Sprintf("its context %s is remote", context)
		return
	case file == "-" || context == "-":
		b.Problem = "it reads the standard input"
		return
	}
	var reason, other string
	b.Options.ContextDir, reason = f.inRepository(dir, context)
	if file == "" {
		file = filepath.Join(at, "Dockerfile")
	}
	b.Dockerfile, other = f.inRepository(dir, file)
	if b.Problem = reason; reason == "" {
		b.Problem = other
	}
}
