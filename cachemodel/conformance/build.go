package conformance

import (
	"hash/fnv"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
)

// Build is one build as its user starts it: a Dockerfile in its context, and the settings.
type Build struct {
	Name       string // the Dockerfile's path in the context
	Dockerfile string
	Files      map[string]File // the rest of the context by slash-separated path; parents are implied
	Extra      map[string]File // likewise, of the named context "extra", if there is one
	Args       map[string]string
	Target     string
	Platform   string
	NoCache    bool
	Run        cachemodel.RunSettings
}

// File is one entry of a context.
type File struct {
	Mode    fs.FileMode // type and permissions
	Data    string
	Link    string // of a symlink
	Touched int    // counts changes of the mtime alone
}

// ModTime is derived from the content: BuildKit sends a file anew only if its size, mode or mtime differ, so whatever
// differs in content must differ in mtime.
func (f File) ModTime() time.Time {
	h := fnv.New32a()
	h.Write([]byte(f.Data + "\x00" + f.Link))
	return time.Unix(1_600_000_000+int64(h.Sum32()%100_000_000)+int64(f.Touched), 0)
}

// Context is everything in the context directory, the Dockerfile and all directories included.
func (b Build) Context() map[string]File {
	all := maps.Clone(b.Files)
	if all == nil {
		all = map[string]File{}
	}
	all[b.Name] = File{Mode: 0o644, Data: b.Dockerfile}
	return withParents(all)
}

// Locals are all directories that a client offers, by the names of local sources.
func (b Build) Locals() map[string]map[string]File {
	locals := map[string]map[string]File{"context": b.Context()}
	locals["dockerfile"] = locals["context"]
	if b.Extra != nil {
		locals["extra"] = withParents(maps.Clone(b.Extra))
	}
	return locals
}

func withParents(all map[string]File) map[string]File {
	for _, p := range slices.Collect(maps.Keys(all)) {
		for d := path.Dir(p); d != "."; d = path.Dir(d) {
			if _, ok := all[d]; !ok {
				all[d] = File{Mode: fs.ModeDir | 0o755}
			}
		}
	}
	return all
}

// Clone copies the build's maps.
func (b Build) Clone() Build {
	b.Files, b.Extra, b.Args = maps.Clone(b.Files), maps.Clone(b.Extra), maps.Clone(b.Args)
	return b
}

// heldWith is the build with its context as a daemon holds it that was sent another one before: directories that both
// have keep their permissions.
func (b Build) heldWith(before Build) Build {
	held := b.Clone()
	keep := func(files, was, is map[string]File) {
		for p, f := range is {
			if old, ok := was[p]; ok && f.Mode.IsDir() && old.Mode.IsDir() {
				files[p] = old
			}
		}
	}
	keep(held.Files, before.Context(), b.Context())
	keep(held.Extra, before.Locals()["extra"], b.Locals()["extra"])
	return held
}

// FrontendOptions are the options that a client passes to the Dockerfile frontend for this build.
func (b Build) FrontendOptions() map[string]string {
	opts := map[string]string{
		"filename": b.Name,
		"cmdline":  "builtin", // no "# syntax" line fetches another frontend
	}
	if b.Target != "" {
		opts["target"] = b.Target
	}
	if b.Platform != "" {
		opts["platform"] = b.Platform
	}
	if b.NoCache {
		opts["no-cache"] = ""
	}
	if b.Extra != nil {
		opts["context:extra"] = "local:extra"
	}
	for k, v := range b.Args {
		opts["build-arg:"+k] = v
	}
	for name, value := range map[string]string{
		"force-network-mode": b.Run.Network,
		"hostname":           b.Run.Hostname,
		"cgroup-parent":      b.Run.CgroupParent,
		"ulimit":             strings.Join(b.Run.Ulimits, ","),
		"add-hosts":          strings.Join(b.Run.ExtraHosts, ","),
	} {
		if value != "" {
			opts[name] = value
		}
	}
	if b.Run.ShmSize != 0 {
		opts["shm-size"] = strconv.FormatInt(b.Run.ShmSize, 10)
	}
	return opts
}
