package buildfiles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
)

// Revision is the state of a project's files at an earlier time, as far as it was kept.
type Revision struct {
	Name string // for people: "HEAD~3"
	// Read gives a file's text; the error wraps fs.ErrNotExist if it was not kept.
	Read func(path string) ([]byte, error)
	// Added says of a file that was not kept then whether it is kept since: it did not exist then.
	Added func(path string) bool
}

// GitRevision is the state of files in a revision of a git repository.
func GitRevision(ctx context.Context, r *gittree.Repository, rev string) Revision {
	read := func(path, rev string) ([]byte, error) {
		text, err := r.ReadFile(ctx, path, rev)
		if errors.Is(err, gittree.ErrNotInRevision) || err != nil && !r.Holds(path) {
			return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
		}
		return text, err
	}
	return Revision{
		Name: rev,
		Read: func(path string) ([]byte, error) { return read(path, rev) },
		Added: func(path string) bool {
			_, err := read(path, "HEAD")
			return err == nil
		},
	}
}

// Definition is how an entry was built at an earlier time.
type Definition struct {
	Entry   Entry // of what is not known what it is now
	Unknown cachemodel.UnknownParts
}

// At is the entry's build as the files of a revision describe it. Whatever they leave to something that was not kept is
// not known: a variable of the environment or of an env file that is in no revision, a file that is not in it.
//
// What is not there now, as a file or in the environment, is taken not to have been there then.
func (e *Entry) At(ctx context.Context, was Revision, o Options) Definition {
	o.Dir, o.Files, o.Here, o.Project = e.Dir, nil, true, ""
	if e.Kind == Bake && len(e.Files) > 0 && filepath.Dir(e.Files[0]) != e.Dir {
		o.Files = withoutEnv(e.Files)
	}
	d := Definition{Entry: *e}
	for _, name := range []string{consts.ComposeFilePath, composeEnvFiles, bakeFileEnv} {
		if value := o.env()[name]; value != "" && (name == bakeFileEnv) == (e.Kind == Bake) {
			d.Unknown = allUnknown(fmt.Sprintf("%s is set in the environment, and what it was then is not known", name))
			return d
		}
	}
	now := o
	unkept := "" // an env file
	for _, path := range e.mayRead() {
		if !now.exists(path) {
			continue
		}
		_, err := was.Read(path)
		switch {
		case err == nil:
		case !missing(err):
			d.Unknown = allUnknown(
				fmt.Sprintf("%s cannot be read as it was in %s: %v", filepath.Base(path), was.Name, err),
			)
			return d
		case was.Added(path):
		case isBuildText(path):
			d.Unknown = allUnknown(
				fmt.Sprintf("%s is not in %s, so what it said then is not known", filepath.Base(path), was.Name),
			)
			return d
		default:
			unkept = path
		}
	}
	o.Read = func(path string) ([]byte, error) {
		text, err := was.Read(path)
		if missing(err) && !isBuildText(path) && !was.Added(path) {
			return now.read(path) // what is most likely
		}
		return text, err
	}
	read := ReadCompose
	if e.Kind == Bake {
		read = ReadBake
	}
	p, err := read(ctx, o)
	if err != nil {
		reason := fmt.Sprintf("the build files of %s cannot be read: %v", was.Name, err)
		if errors.Is(err, ErrNoFile) {
			reason = fmt.Sprintf("%s has no such build file, so how it was built then is not known", was.Name)
		}
		d.Unknown = allUnknown(reason)
		return d
	}
	i := slices.IndexFunc(p.Entries, func(old Entry) bool { return old.ID == e.ID })
	if i < 0 {
		d.Unknown = allUnknown(fmt.Sprintf("%s has no %s, so how it was built then is not known", was.Name, e.Title()))
		return d
	}
	d.Entry = p.Entries[i]
	t := &tracing{o: o, was: was, unkept: unkept, project: p}
	d.Unknown = t.unknown(&d.Entry)
	return d
}

func allUnknown(reason string) cachemodel.UnknownParts {
	return cachemodel.UnknownParts{
		Dockerfile: reason, Target: reason, Platform: reason, AllArgs: reason, Context: reason,
		AllContexts: reason, Run: reason,
	}
}

// mayRead lists the files that the entry's project is read from, or would be if they were there.
func (e *Entry) mayRead() []string {
	names := slices.Concat(composeNames, composeOverrideNames, []string{".env"})
	if e.Kind == Bake {
		names = append(slices.Clone(bakeNames), ".env")
	}
	files := slices.Clone(e.Files)
	for _, name := range names {
		files = append(files, filepath.Join(e.Dir, name))
	}
	return unique(files)
}

// isBuildText says whether a file is one of builds, no env file.
func isBuildText(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return isYAML(path) || ext == ".hcl" || ext == ".json"
}

// Fill adds the definition's choices to those that were made explicitly, which go before; what is not known of it is
// then that of the rest.
func (d *Definition) Fill(explicit baseline.Options) (baseline.Options, cachemodel.UnknownParts) {
	o := d.Entry.Fill(explicit)
	for _, name := range d.Entry.Volatile {
		if _, given := explicit.Args[name]; !given {
			o.Args[name] += " (then)"
		}
	}
	u := d.Unknown
	if explicit.Target != "" {
		u.Target = ""
	}
	if explicit.Platform != "" {
		u.Platform = ""
	}
	if explicit.ContextDir != "" {
		u.Context = ""
	}
	args, contexts := map[string]string{}, map[string]string{}
	for name, reason := range u.Args {
		if _, given := explicit.Args[name]; !given {
			args[name] = reason
		}
	}
	for name, reason := range u.Contexts {
		if _, given := explicit.Contexts[name]; !given {
			contexts[ContextName(name)] = reason
		}
	}
	u.Args, u.Contexts = args, contexts
	return o, u
}

// tracing finds out which parts of a build come from what is not known of a revision.
type tracing struct {
	o       Options
	was     Revision
	unkept  string // the env file that is not in the revision; "" if there is none
	project *Project
	env     map[string]string // what the env files of the revision set
}

// parts are those of one service or target that are not known: a key of a build section, or "args.NAME",
// "contexts.NAME", and "*" for all, each with the reason.
type parts map[string]string

func (p parts) add(key, reason string) {
	if reason != "" && p[key] == "" {
		p[key] = reason
	}
}

func (p parts) addAll(other parts) {
	for key, reason := range other {
		p.add(key, reason)
	}
}

func (t *tracing) unknown(e *Entry) cachemodel.UnknownParts {
	found := parts{}
	var yamls, bakes []string
	for _, file := range t.project.Files {
		if isYAML(file) {
			yamls = append(yamls, file)
		} else if isBuildText(file) {
			bakes = append(bakes, file)
		}
	}
	if len(yamls) > 0 {
		found.addAll(t.compose(yamls)(e.Label))
	}
	if len(bakes) > 0 && e.Kind == Bake {
		found.addAll(t.bake(bakes)(e.Label))
	}
	env := t.o.env()
	if env["DOCKER_DEFAULT_PLATFORM"] != "" && len(e.Platforms) <= 1 {
		found.add("platform", t.inEnvironment("DOCKER_DEFAULT_PLATFORM"))
	}
	if env[epochEnv] != "" {
		found.add("args."+epochEnv, t.inEnvironment(epochEnv))
	}
	return found.unknown()
}

// unknown are the parts of a build that these stand for.
func (p parts) unknown() cachemodel.UnknownParts {
	u := allUnknown(p["*"])
	first := func(to *string, keys ...string) {
		for _, key := range keys {
			if *to == "" {
				*to = p[key]
			}
		}
	}
	first(&u.Dockerfile, "dockerfile", "dockerfile-inline", "context") // the Dockerfile lies in the context
	first(&u.Context, "context")
	first(&u.Target, "target")
	first(&u.Platform, "platform", "platforms")
	first(&u.AllArgs, "args")
	first(&u.AllContexts, "contexts")
	first(&u.Run, "network", "shm-size", "ulimits", "extra-hosts", "entitlements", "privileged", "isolation")
	u.Args, u.Contexts = map[string]string{}, map[string]string{}
	for key, reason := range p {
		if name, ok := strings.CutPrefix(key, "args."); ok {
			u.Args[name] = reason
		}
		if name, ok := strings.CutPrefix(key, "contexts."); ok {
			u.Contexts[name] = reason
		}
	}
	return u
}

func (t *tracing) inEnvironment(name string) string {
	return fmt.Sprintf("%s is set in the environment, and its value then is not known", name)
}

// composeVariable says why the value that a Compose file's variable had is not known, "" if it is: if an env file of
// the revision sets it.
func (t *tracing) composeVariable(name string) string {
	if _, set := t.o.env()[name]; set {
		return t.inEnvironment(name)
	}
	if _, set := t.kept()[name]; set {
		return ""
	}
	if t.unkept != "" {
		return fmt.Sprintf(
			"the value of %s comes from %s, which is not in %s",
			name,
			filepath.Base(t.unkept),
			t.was.Name,
		)
	}
	return fmt.Sprintf("the value of %s is in no file of %s", name, t.was.Name)
}

// kept are the variables that env files of the revision set.
func (t *tracing) kept() map[string]string {
	if t.env != nil {
		return t.env
	}
	t.env = map[string]string{}
	for _, file := range t.project.Files {
		if isBuildText(file) {
			continue
		}
		text, err := t.was.Read(file)
		if err != nil {
			continue
		}
		vars, err := readEnvFile(file, text, func(string) (string, bool) { return "", false })
		if err != nil {
			continue
		}
		if !strings.Contains(string(text), "$") { // else the values hang on other variables
			maps.Copy(t.env, vars)
		}
	}
	return t.env
}

// bakeOff says whether bake looks up no variables in the environment.
func (t *tracing) bakeOff() bool {
	off, _ := strconv.ParseBool(t.o.env()[bakeNoEnv])
	return off
}
