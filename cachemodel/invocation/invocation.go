// Package invocation reads the command line of a tool that builds images, as that tool would: which Dockerfile, which
// build context, which settings. It covers docker, buildx, podman, buildah, nerdctl and buildctl.
//
// It looks at files only to find the default Dockerfile, as the tools do, and runs nothing. It must not know records,
// baselines or editors.
package invocation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/spf13/pflag"
)

// Command is a command as it is about to be run.
type Command struct {
	Args []string // the program first
	Env  []string // NAME=VALUE
	Dir  string   // the working directory, absolute
	// Read reads a Compose or bake file; nil reads it from disk. Another one gives the files of a revision.
	Read func(path string) ([]byte, error)
}

// Build is one image build that a command makes.
type Build struct {
	Tool       string            // for people, as in "docker buildx build"
	Name       string            // of the compose service or bake target, as in "compose:web"; "" if there is none
	Dockerfile string            // absolute path
	ContextDir string            // absolute path
	Contexts   map[string]string // named contexts that are local directories, by name
	// Images are the named contexts that are images, and those of which only a build can tell what they hold: see
	// cachemodel.Build.ContextImages.
	Images   map[string]string
	Settings cachemodel.Settings
	Tags     []string
	// CacheFrom and CacheTo are the caches that the build imports and exports, as --cache-from and --cache-to have
	// them.
	CacheFrom, CacheTo []string
	Builder            string   // the builder or daemon that was asked for, "" for the tool's own choice
	Address            string   // of the BuildKit daemon, where the command or its environment gives one
	Notes              []string // for people: what of the command is not modelled
	Problem            error    // why too little is known of this one of several builds; nil if enough is
}

// ErrNoBuild is wrapped by the error about a command that builds nothing, or none of the tools'.
var ErrNoBuild = errors.New("this is no build")

// shown is an address for people, without the user, password and query, in any of which a secret may stand.
func shown(address string) string {
	address = credentials.ReplaceAllString(address, "$1•••@")
	if path, _, ok := strings.Cut(address, "?"); ok {
		return path + "?•••"
	}
	return address
}

var credentials = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*://)[^/@]*@`)

// tools is the table of programs, one file each.
var tools = map[string]func(*command) ([]Build, error){
	"docker":         docker,
	"buildx":         buildx,
	"docker-buildx":  buildx,
	"docker-compose": compose,
	"podman":         podman,
	"buildah":        buildah,
	"nerdctl":        nerdctl,
	"buildctl":       buildctl,
}

// Names lists the programs that Parse knows, for messages.
const Names = "docker, buildx, docker-compose, podman, buildah, nerdctl and buildctl"

// Parse returns the builds that a command makes.
func Parse(c Command) ([]Build, error) {
	if len(c.Args) == 0 {
		return nil, fmt.Errorf("%w: there is no command", ErrNoBuild)
	}
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(c.Args[0])), ".exe")
	tool := tools[name]
	if tool == nil {
		return nil, fmt.Errorf("%w: of %s nothing is known (%s are)", ErrNoBuild, filepath.Base(c.Args[0]), Names)
	}
	own := command{dir: c.Dir, env: map[string]string{}, name: name, read: c.Read}
	for _, kv := range c.Env {
		if k, v, ok := strings.Cut(kv, "="); ok {
			own.env[k] = v // the last one counts, as for the program
		}
	}
	own.args = c.Args[1:]
	return tool(&own)
}

// command is a command line while it is read.
type command struct {
	name string // what has been read of it, for people: "docker buildx"
	args []string
	dir  string
	env  map[string]string
	read func(path string) ([]byte, error)
}

// flags are the flags of a command, by name: those that take a value and those that need none. A letter stands behind a
// slash.
type flags struct{ values, bools string }

// parsed are the flags that a command line gives, and what is no flag.
type parsed struct {
	set  *pflag.FlagSet
	rest []string
}

// parse reads flags as the tools do, all of which use pflag. With global it stops at the first word that is no flag.
func (c *command) parse(global bool, known ...flags) (parsed, error) {
	set := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	set.SetInterspersed(!global)
	set.Usage = func() {}
	define := func(names string, add func(name, letter string)) {
		for _, name := range strings.Fields(names) {
			name, letter, _ := strings.Cut(name, "/")
			if set.ShorthandLookup(letter) != nil {
				letter = "" // the first that has it keeps it
			}
			if set.Lookup(name) == nil {
				add(name, letter)
			}
		}
	}
	for _, f := range known {
		define(f.values, func(name, letter string) { set.StringArrayP(name, letter, nil, "") })
		define(f.bools, func(name, letter string) { set.BoolP(name, letter, false, "") })
	}
	if err := set.Parse(c.args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return parsed{}, fmt.Errorf("%w: it asks for help", ErrNoBuild)
		}
		return parsed{}, fmt.Errorf("%s: %v", c.name, err)
	}
	if help, err := set.GetBool("help"); err == nil && help {
		return parsed{}, fmt.Errorf("%w: it asks for help", ErrNoBuild)
	}
	return parsed{set, set.Args()}, nil
}

// enter goes on to a subcommand.
func (c *command) enter(p parsed) (word string) {
	if len(p.rest) == 0 {
		c.args = nil
		return ""
	}
	c.name += " " + p.rest[0]
	c.args = p.rest[1:]
	return p.rest[0]
}

func (c *command) noBuild() error {
	return fmt.Errorf("%w: `%s` builds nothing that is known", ErrNoBuild, c.name)
}

// all are the values of a flag, nil if it is not given.
func (p parsed) all(name string) []string {
	if !p.set.Changed(name) {
		return nil
	}
	list, _ := p.set.GetStringArray(name)
	return list
}

// last is the value of a flag of which the last one counts.
func (p parsed) last(name string) string {
	list := p.all(name)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func (p parsed) is(name string) bool {
	v, err := p.set.GetBool(name)
	return err == nil && v
}

func (p parsed) given(name string) bool { return p.set.Changed(name) }

// list is a flag's values, each of which may hold several with commas between.
func (p parsed) list(name string) (out []string) {
	for _, value := range p.all(name) {
		out = append(out, strings.Split(value, ",")...)
	}
	return out
}

// runSettings are the flags about what every RUN is run with, as far as the command has them.
func (p parsed) runSettings() cachemodel.RunSettings {
	given := func(name string) []string {
		if p.set.Lookup(name) == nil {
			return nil
		}
		return p.all(name)
	}
	last := func(name string) string {
		if list := given(name); len(list) > 0 {
			return list[len(list)-1]
		}
		return ""
	}
	return cachemodel.RunSettings{
		Network: last(
			"network",
		), ShmSize: buildfiles.Bytes(last("shm-size")), Ulimits: buildfiles.Ulimits(given("ulimit")),
		ExtraHosts: given("add-host"), CgroupParent: last("cgroup-parent"), Entitlements: given("allow"),
	}
}

// abs makes a path absolute in the working directory of the command.
func (c *command) abs(path string) string { return abs(c.dir, path) }

func abs(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}

// buildArgs reads --build-arg: a name alone takes the environment's value, if it has one.
func (c *command) buildArgs(list []string) (map[string]string, error) {
	args := map[string]string{}
	for _, kv := range list {
		k, v, ok := strings.Cut(kv, "=")
		if k == "" {
			return nil, fmt.Errorf("a --build-arg has no name")
		}
		if !ok {
			if v, ok = c.env[k]; !ok {
				continue
			}
		}
		args[k] = v
	}
	return args, nil
}

// sourceDateEpoch hands the variable of that name on as a build argument, as nerdctl and buildctl do.
func (c *command) sourceDateEpoch(args map[string]string) {
	if _, given := args[EpochArg]; !given && c.env[EpochArg] != "" {
		args[EpochArg] = c.env[EpochArg]
	}
}

// namedContexts reads --build-context and returns the local directories among them.
func (c *command) namedContexts(b *Build, list []string) error {
	for _, kv := range list {
		name, where, ok := strings.Cut(kv, "=")
		if kv == "" {
			continue
		}
		if !ok {
			return fmt.Errorf("a --build-context is not NAME=PLACE")
		}
		c.namedContext(b, name, where)
	}
	return nil
}

func (c *command) namedContext(b *Build, name, where string) { b.NamedContext(c.dir, name, where) }

// NamedContext takes down one --build-context of a command that runs in dir, an absolute path, by the name that
// BuildKit compares (dockerui.Client.NamedContext).
func (b *Build) NamedContext(dir, name, where string) {
	name = buildfiles.ContextName(name)
	image, ok := buildfiles.ContextImage(name, where)
	if ok && (image != "" || !buildfiles.IsRemote(where) || !isDir(abs(dir, where))) {
		b.image(name, image)
	} else {
		if b.Contexts == nil {
			b.Contexts = map[string]string{}
		}
		b.Contexts[name] = abs(dir, where)
	}
}

func (b *Build) image(name, ref string) {
	if b.Images == nil {
		b.Images = map[string]string{}
	}
	b.Images[name] = ref
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// local checks that a context is a local directory and returns its path.
func (c *command) local(context string) (string, error) {
	dir := c.abs(context)
	switch {
	case context == "-":
		return "", fmt.Errorf("its context comes from the standard input")
	case isDir(dir): // a directory goes before a URL
		return dir, nil
	case buildfiles.IsRemote(context):
		return "", fmt.Errorf("its context is remote (%s)", shown(context))
	}
	return "", fmt.Errorf("its context %s is not a directory", context)
}

// withLowerCase finds the file itself, or where a Dockerfile is not there a dockerfile (buildx
// build.handleLowercaseDockerfile).
func withLowerCase(path string) string {
	if filepath.Base(path) != "Dockerfile" || exists(path) {
		return path
	}
	if lower := filepath.Join(filepath.Dir(path), "dockerfile"); exists(lower) {
		return lower
	}
	return path
}

// one returns the only word that is no flag: the context.
func (p parsed) one(c *command) (string, error) {
	if len(p.rest) != 1 {
		return "", fmt.Errorf("%s takes one context, not %d", c.name, len(p.rest))
	}
	return p.rest[0], nil
}
