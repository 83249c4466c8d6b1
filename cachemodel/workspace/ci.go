package workspace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// CI is how the CI of a project builds, now and for the commit whose builds it can build upon.
type CI struct {
	Root     string   // of the repository
	Main     string   // the branch that others' work comes together on, for people
	Baseline string   // that commit, see baseline.ParseSpec
	Commit   string   // its name
	Files    []string // that were read, or would be if they were there
	Problems []error  // those that cannot be read

	pull, push []pipeline.Build
	any        []pipeline.Build // whatever starts them
	before     pipeline.Earlier
}

// CIBuild is one build of the CI.
type CIBuild struct {
	pipeline.Build
	At       string // for people: ".github/workflows/ci.yml, job build"
	Root     string // of the repository
	Event    string // "pull_request" or "push"
	Imported pipeline.Imported
}

// ReportedCI is one build of the CI, with the cache that it imports.
type ReportedCI struct {
	Build  string `json:"build"` // ".github/workflows/ci.yml, job build"
	Event  string `json:"event"` // "pull_request" or "push"
	Cache  string `json:"cache"` // "none", "min", "max", "inline" or "unknown"
	Reason string `json:"reason"`
}

// Report is what is reported of a build.
func (b *CIBuild) Report() *ReportedCI {
	return &ReportedCI{b.At, b.Event, cmp.Or(b.Imported.Mode, "unknown"), b.Imported.Reason}
}

// CI reads how the CI of the project that dir lies in builds. The branch to compare with is that of the environment of
// a CI service, else the main branch. It fails where git does not have the history.
func (w *Workspace) CI(ctx context.Context, dir string) (*CI, error) {
	if w.Untrusted {
		return nil, errors.New("this folder is not trusted, so git is not run")
	}
	look, done := w.look()
	defer done()
	repository, err := look.At(ctx, dir)
	if err != nil {
		return nil, err
	}
	base, err := repository.MergeBase(ctx, w.target())
	if err != nil {
		return nil, err
	}
	c := &CI{Root: w.Root(dir), Baseline: string(baseline.Git) + ":" + baseline.MergeBase}
	rev := base.Commit
	if base.IsHead { // a push to the main branch builds upon the commit before
		if rev, err = repository.Resolve(ctx, "HEAD~1"); errors.Is(err, gittree.ErrUnknownRevision) {
			return nil, errors.New("HEAD is the first commit: there is none before it to compare with")
		} else if err != nil {
			return nil, err
		}
		c.Baseline = string(baseline.Git) + ":HEAD~1"
	}
	name := base.Main
	for _, remote := range []string{"origin/", "upstream/"} {
		name = strings.TrimPrefix(name, remote)
	}
	c.Main, c.Commit = name, rev
	then := buildfiles.GitRevision(ctx, repository, rev)
	o := pipeline.Options{Root: c.Root, Event: pipeline.Event{Name: "push", Branch: name}}
	if o.Own, err = w.ownNames(ctx, repository); err != nil {
		return nil, err
	}
	// at reads files of a branch, tag or commit; main those of the main branch
	at := func(main func(path string) ([]byte, error)) func(ref, path string) ([]byte, error) {
		return func(ref, path string) ([]byte, error) {
			if ref == name && main != nil {
				return main(path)
			}
			for _, rev := range []string{strings.TrimSuffix(base.Main, name) + ref, ref} {
				if commit, err := repository.Resolve(ctx, rev); err == nil {
					return buildfiles.GitRevision(ctx, repository, commit).Read(path)
				}
			}
			return nil, fmt.Errorf("%s: %w", ref, gittree.ErrUnknownRevision)
		}
	}
	now := o
	now.Read = onlyOnce(w.buildFileOptions().Read)
	now.At = at(now.Read)
	var more []error
	c.push, c.Problems = pipeline.Find(ctx, now)
	now.Event = pipeline.Event{}
	c.any, _ = pipeline.Find(ctx, now)
	if !base.IsHead {
		now.At = at(nil)
		now.Event = pipeline.Event{Name: "pull_request", Base: name}
		c.pull, more = pipeline.Find(ctx, now)
	}
	for _, problem := range more {
		if !slices.ContainsFunc(c.Problems, func(p error) bool { return p.Error() == problem.Error() }) {
			c.Problems = append(c.Problems, problem)
		}
	}
	o.Read = onlyOnce(then.Read)
	o.At = at(o.Read)
	c.before = pipeline.Earlier{Root: c.Root, Branch: name}
	c.before.Push, _ = pipeline.Find(ctx, o) // what was wrong then is of no interest
	o.Event = pipeline.Event{Name: "pull_request", Base: name}
	c.before.Pull, _ = pipeline.Find(ctx, o)
	c.Files = slices.DeleteFunc(pipeline.Files(c.Root), w.elsewhere)
	for _, builds := range []*[]pipeline.Build{&c.push, &c.pull, &c.any, &c.before.Push, &c.before.Pull} {
		*builds = slices.DeleteFunc(*builds, func(b pipeline.Build) bool { return w.elsewhere(b.File) })
	}
	return c, ctx.Err()
}

// elsewhere reports whether a CI file is for another service than the one whose job this is.
func (w *Workspace) elsewhere(file string) bool {
	gitlab := filepath.Base(file) == ".gitlab-ci.yml"
	return w.getenv("GITLAB_CI") == "true" && !gitlab || w.getenv("GITHUB_ACTIONS") == "true" && gitlab
}

// ownNames are the names by which workflows may call the repository's own files.
func (w *Workspace) ownNames(ctx context.Context, r *gittree.Repository) ([]string, error) {
	addresses, err := r.Remotes(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, address := range append(addresses, w.getenv("GITHUB_REPOSITORY")) {
		parts := strings.FieldsFunc(strings.TrimSuffix(address, ".git"), func(r rune) bool { return r == '/' || r == ':' })
		if n := len(parts); n >= 2 {
			out = append(out, strings.ToLower(parts[n-2]+"/"+parts[n-1]))
		}
	}
	return out, nil
}

// onlyOnce reads each file once: each is asked for by every event.
func onlyOnce(read func(path string) ([]byte, error)) func(path string) ([]byte, error) {
	type content struct {
		text []byte
		err  error
	}
	known := map[string]content{}
	return func(path string) ([]byte, error) {
		c, ok := known[path]
		if !ok {
			c.text, c.err = read(path)
			known[path] = c
		}
		return c.text, c.err
	}
}

// Builds are the builds that the CI makes for the branch as it is: those for a pull request, and of a Dockerfile that
// these do not build those for a push to the main branch.
func (c *CI) Builds() (out []CIBuild) {
	for _, b := range c.pull {
		out = append(out, CIBuild{b, b.Place(c.Root), c.Root, "pull_request", b.Imports(c.before)})
	}
	for _, b := range c.push {
		pulled := func(p pipeline.Build) bool { return p.Dockerfile == b.Dockerfile }
		if b.Dockerfile == "" || !slices.ContainsFunc(c.pull, pulled) {
			out = append(out, CIBuild{b, b.Place(c.Root), c.Root, "push", b.Imports(c.before)})
		}
	}
	return out
}

// Unstarted are the builds that neither a pull request nor a push to the main branch starts, as those of a release, of
// Dockerfiles that none of Builds is of.
func (c *CI) Unstarted() (out []CIBuild) {
	started := c.Builds()
	for _, b := range c.any {
		if b.Dockerfile != "" && !slices.ContainsFunc(started, func(s CIBuild) bool {
			return s.Dockerfile == b.Dockerfile || s.File == b.File && s.Job == b.Job && s.Line == b.Line
		}) {
			out = append(out, CIBuild{Build: b, At: b.Place(c.Root)})
		}
	}
	return out
}

// Of are the builds of a Dockerfile, of those that fit what is chosen.
func (c *CI) Of(dockerfile string, choices Choices) []CIBuild {
	return slices.DeleteFunc(c.Builds(), func(b CIBuild) bool {
		return b.Dockerfile != dockerfile || b.Problem != "" || choices.Target != "" && b.Options.Target != choices.Target ||
			choices.Build != "" && choices.Build != NoBuild && b.Name != choices.Build
	})
}

// asInCI gives the choices of the build that the CI makes of the Dockerfile. Where there is none, or git does not have
// the history, that is a problem, and nothing is known of the cache.
func (r *Reader) asInCI(ctx context.Context, q Question, b *Build) Choices {
	c := q.Choices
	c.CI = false
	if spec, err := baseline.ParseSpec(c.Baseline); err == nil && (spec.Configured || spec.Kind == baseline.Auto) {
		c.Baseline = ""
	}
	if r.ci == nil || q.Changed.Baseline || q.Changed.Builds {
		var err error
		if r.ci, err = r.w.CI(ctx, filepath.Dir(r.path)); err != nil {
			r.ci = nil
			b.problem(fmt.Errorf("what CI builds: %w", err))
			c.Baseline = cmp.Or(c.Baseline, string(baseline.Git)+":"+baseline.MergeBase)
			c.CacheUnknown = "it is not known what CI imports"
			return c
		}
	}
	for _, problem := range r.ci.Problems {
		b.Notes = append(b.Notes, "not taken into account: "+problem.Error())
	}
	builds := r.ci.Of(r.path, c)
	if len(builds) == 0 {
		b.problem(fmt.Errorf("no GitHub workflow and no GitLab CI file is found that builds %s: "+
			"say what CI imports with none, min, max or inline", relative(r.path)))
		c.Baseline = cmp.Or(c.Baseline, r.ci.Baseline)
		c.CacheUnknown = "it is not known what CI imports"
		return c
	}
	if len(builds) > 1 {
		b.Notes = append(b.Notes, fmt.Sprintf("CI builds %s %d times: this is the build of %s", relative(r.path),
			len(builds), builds[0].At))
	}
	b.CI = &builds[0]
	return b.CI.Choices(c, r.ci)
}

// Choices are the choices of a build that the CI makes, where c does not say otherwise.
func (b *CIBuild) Choices(c Choices, ci *CI) Choices {
	c.Baseline = cmp.Or(c.Baseline, ci.Baseline)
	c.Cache, c.CacheUnknown = cachemodel.CacheMode(b.Imported.Mode), ""
	if b.Imported.Mode == "" {
		c.CacheUnknown = "it is not known which cache CI imports"
	}
	o := b.Options
	c.Build = cmp.Or(c.Build, NoBuild)
	c.ContextDir, c.Target = cmp.Or(c.ContextDir, o.ContextDir), cmp.Or(c.Target, o.Target)
	c.Platform = cmp.Or(c.Platform, o.Platform)
	c.NoCache, c.NoCacheFilter = c.NoCache || o.NoCache, append(slices.Clip(c.NoCacheFilter), o.NoCacheFilter...)
	c.Run = o.Run
	if c.Contexts == nil && c.Images == nil {
		c.Contexts, c.Images = o.Contexts, o.Images
	}
	earlier := o.Args
	if b.Imported.From != nil {
		earlier = b.Imported.From.Options.Args
	}
	args, before := map[string]string{}, map[string]string{}
	c.UnknownArgs = map[string]string{}
	for name, value := range o.Args {
		args[name] = readable(value)
		if e := inBraces.FindString(value); e != "" {
			c.UnknownArgs[name] = fmt.Sprintf("the value of the build argument %s, %s, is not known", name, e)
		}
	}
	for name, value := range earlier {
		before[name] = readable(value)
		if value == o.Args[name] && slices.Contains(b.Varying, name) {
			before[name] += ".before" // it certainly is another value
			delete(c.UnknownArgs, name)
		} else if e := inBraces.FindString(value); e != "" {
			c.UnknownArgs[name] = fmt.Sprintf("the value that the build argument %s had, %s, is not known", name, e)
		}
	}
	maps.Copy(args, c.Args) // these are known
	for name := range c.Args {
		delete(c.UnknownArgs, name)
	}
	c.Args = args
	if c.BaselineArgs == nil {
		c.BaselineArgs = before
	}
	return c
}

var noName = regexp.MustCompile(`[^\w.\-]+`)

var inBraces = regexp.MustCompile(`\$\{\{.*?\}\}`)

// readable puts the names of expressions in place of these, so that the value may be part of an image's name.
func readable(value string) string {
	return inBraces.ReplaceAllStringFunc(value, func(e string) string { return noName.ReplaceAllString(e, "") })
}

// target is what the branch is to be merged into, as the environment of a CI service tells it. If it tells no branch,
// it is the project's default branch, where it tells that.
func (w *Workspace) target() gittree.Target {
	target := gittree.TargetOf(w.getenv)
	target.Branch = cmp.Or(target.Branch, w.getenv("CI_DEFAULT_BRANCH"))
	var event struct {
		Repository struct {
			DefaultBranch string `json:"default_branch"`
		} `json:"repository"`
		PullRequest struct {
			Base struct{ SHA string } `json:"base"`
		} `json:"pull_request"`
	}
	path := w.getenv("GITHUB_EVENT_PATH")
	if path == "" {
		return target
	}
	if text, err := textfile.Read(path); err != nil || json.Unmarshal(text, &event) != nil {
		return target // the branch is then found by its name
	}
	return gittree.Target{
		Branch: cmp.Or(target.Branch, event.Repository.DefaultBranch),
		Commit: cmp.Or(target.Commit, event.PullRequest.Base.SHA),
	}
}

// getenv is a variable of the environment, "" if it is not set.
func (w *Workspace) getenv(name string) string {
	for _, kv := range slices.Backward(w.Env) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}
