// Package buildfiles reads the files in which a project says how its images are built: Compose files and those of
// docker buildx bake. They are read with the libraries that Docker uses, and what they say is given as plain data: one
// entry for each service or target, and for a text that is being edited the places of its sections.
//
// It reads files, of local directories only, and runs and fetches nothing: what names something remote is an error or
// stays a name. It must not know how a Dockerfile is planned, editors or protocols.
package buildfiles

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
)

// Kind is a kind of build files.
type Kind string

// The kinds.
const (
	Compose Kind = "compose"
	Bake    Kind = "bake"
)

// Options say what to read.
type Options struct {
	Dir      string            // absolute: where the command would be run
	Files    []string          // as -f gives them, relative to Dir; none are those that the command finds
	Project  string            // --project-directory of compose, relative to Dir; "" if it is not given
	Here     bool              // a Compose file is looked for in Dir alone, not in the directories above it as well
	Env      []string          // KEY=VALUE, of the process that would build
	EnvFiles []string          // --env-file of compose; nil are those of COMPOSE_ENV_FILES, else .env
	Vars     map[string]string // --var of bake
	Set      []string          // --set of bake
	// Read reads a file; nil is textfile.Read. An editor gives unsaved texts, a baseline those of a revision.
	Read func(path string) ([]byte, error)
}

func (o Options) read(path string) ([]byte, error) {
	read := o.Read
	if read == nil {
		read = textfile.Read
	}
	text, err := read(path)
	if err == nil && len(text) > maxFile {
		return nil, limit(path, 0, "it is longer than %d KB", maxFile>>10)
	}
	return text, err
}

// exists says whether there is a file. One that is no regular file, too long or without an end is there as well, and
// reading it says so.
func (o Options) exists(path string) bool {
	_, err := o.read(path)
	if errors.Is(err, textfile.ErrNotRegular) {
		info, err := os.Stat(path)
		return err == nil && !info.IsDir()
	}
	return err == nil || errors.Is(err, textfile.ErrTooLong) || errors.Is(err, ErrLimit) ||
		errors.Is(err, os.ErrDeadlineExceeded)
}

func (o Options) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(o.Dir, path)
}

func (o Options) env() map[string]string {
	env := map[string]string{}
	for _, kv := range o.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			env[k] = v
		}
	}
	return env
}

// Project is what the files of one directory say together.
type Project struct {
	Kind    Kind
	Dir     string
	Files   []string            // all that were read, absolute
	Entries []Entry             // in the order of names
	Groups  map[string][]string // of bake: what each consists of
	Env     map[string]string   // of compose: what variables stand for
}

// Entry is one build: a service of a Compose file or a target of a bake file.
type Entry struct {
	ID    string // "compose:web", "bake:app"
	Kind  Kind
	Name  string
	Dir   string   // the project's directory
	Label string   // the name in the file: that of a target with a matrix differs
	File  string   // where it is; "" if that is not known
	Files []string // all that were read for it

	Dockerfile string // absolute; "" if it is inline or remote
	Inline     string // the text, if it is in the build file
	Context    string // an absolute directory, or a URL
	Remote     bool   // Context is a URL
	Target     string
	Args       map[string]string
	Volatile   []string // arguments that have another value each time, as of timestamp()
	// an absolute directory, or as it is written: docker-image://, target:, service:, a URL
	Contexts      map[string]string
	Platforms     []string
	NoCache       bool
	NoCacheFilter []string
	Run           cachemodel.RunSettings
	Profiles      []string // without one of these a service is not built unless it is named
	Tags          []string
	// CacheFrom and CacheTo are the caches that the build imports and exports, as a command line has them.
	CacheFrom, CacheTo []string
	Inherited          bool // only there for other targets: in no group, and inherited or with a name that begins with _
}

// Select gives the entries of names: services, targets, groups or patterns of them; none are all of the default group
// or of the services without a profile.
func (p *Project) Select(names ...string) ([]Entry, error) {
	if len(names) == 0 {
		if p.Kind == Bake {
			names = []string{"default"}
		} else {
			var out []Entry
			for _, e := range p.Entries {
				if len(e.Profiles) == 0 {
					out = append(out, e)
				}
			}
			return out, nil
		}
	}
	var out []Entry
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		if members, ok := p.Groups[name]; ok {
			for _, member := range members {
				if err := add(member); err != nil {
					return err
				}
			}
			return nil
		}
		found := false
		for _, e := range p.Entries {
			ok := e.Name == name
			if p.Kind == Bake && strings.ContainsAny(name, "*?[") {
				ok, _ = filepath.Match(name, e.Name)
			}
			if ok && !slices.ContainsFunc(out, func(have Entry) bool { return have.Name == e.Name }) {
				out = append(out, e)
			}
			found = found || ok
		}
		if !found {
			return fmt.Errorf("%s has no %s %q", strings.Join(p.Files, ", "), p.noun(), name)
		}
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *Project) noun() string {
	if p.Kind == Bake {
		return "target"
	}
	return "service with a build section"
}

// Title names an entry to people: "compose service web".
func (e *Entry) Title() string {
	if e.Kind == Bake {
		return "bake target " + e.Name
	}
	return "compose service " + e.Name
}

// Place is the build file that the entry stands in.
func (e *Entry) Place() string {
	if e.File == "" && len(e.Files) > 0 {
		return e.Files[0]
	}
	return e.File
}

// TextFile is the file that the text of the Dockerfile is in; "" if that is no file on this machine.
func (e *Entry) TextFile() string {
	if e.Inline != "" {
		return e.Place()
	}
	return e.Dockerfile
}

// Builds says whether an entry builds this Dockerfile.
func (e *Entry) Builds(dockerfile string) bool {
	return e.Dockerfile != "" && samePath(e.Dockerfile, dockerfile)
}

func samePath(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	resolve := func(p string) string {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
			return filepath.Join(dir, filepath.Base(p))
		}
		return p
	}
	return filepath.Base(a) == filepath.Base(b) && resolve(a) == resolve(b)
}

// place fills in where the Dockerfile is.
func (e *Entry) place(dockerfile string) {
	switch {
	case e.Inline != "":
	case filepath.IsAbs(dockerfile):
		e.Dockerfile = filepath.Clean(dockerfile)
	case !e.Remote && !IsRemote(dockerfile):
		e.Dockerfile = filepath.Join(e.Context, cmp.Or(dockerfile, "Dockerfile"))
	}
}

// IsRemote reports whether a context, or a build file, is an address and not a path (buildx util/urlutil.IsRemoteURL,
// and what it knows as kinds of images).
func IsRemote(context string) bool {
	if strings.Contains(context, "://") {
		return !strings.HasPrefix(context, "cwd://")
	}
	_, isGit, _ := dfgitutil.ParseGitRef(context)
	return isGit
}

// otherContexts are the kinds of named contexts that are neither directories nor addresses, in all tools that build.
var otherContexts = regexp.MustCompile(`^(docker-image|docker|container-image|target|service|oci-layout|input):`)

// ContextImage returns the image that a named context stands for, "" if only a build can tell what it gives. It is not
// ok for a directory.
func ContextImage(name, where string) (image string, ok bool) {
	if image, ok := strings.CutPrefix(where, "docker-image://"); ok {
		return image, true
	}
	if _, digest, ok := strings.Cut(where, "@sha256:"); ok && strings.HasPrefix(where, "oci-layout:") {
		return name + "@sha256:" + digest, true // wherever the layout is
	}
	return "", otherContexts.MatchString(where) || IsRemote(where)
}

// Error is what is wrong with a file.
type Error struct {
	File string
	Line int // from 1; 0 if it is not known
	Err  error
}

func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Err.Error()
	case e.Line > 0:
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.File, e.Err)
}

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoFile is what is wrapped where a directory has no such files.
var ErrNoFile = errors.New("there is no build file")

// guard turns a panic of a library, which half-typed text may cause, into an error.
func guard(file string, err *error) {
	if r := recover(); r != nil {
		*err = &Error{File: file, Err: fmt.Errorf("cannot be read: %v", r)}
	}
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
