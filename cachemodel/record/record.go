// Package record is what is remembered of builds that were made: the Dockerfile's text, the digests of the build
// context, the settings, and how long each step took. A build is recorded by `layerwise build`, read from a BuildKit
// daemon's history, or declared by the user.
//
// A Store keeps records in files. Secrets never get there: of a build argument that looks like one only a keyed hash
// is kept, by which the next build's value is compared. The package must not know how builds are run, daemons or
// editors.
package record

import (
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// Source says where a record comes from.
type Source string

// The sources.
const (
	Built   Source = "build"   // layerwise build
	History Source = "history" // a BuildKit daemon's history
	Marked  Source = "marked"  // the user said that this is what was built
)

// Record is one build that succeeded. It is plain data; the trees in it are immutable.
type Record struct {
	ID      string    // given by Store.Put
	When    time.Time // when the build ended
	Source  Source
	Tool    string  // what built it, for people, as in "docker compose build"
	Name    string  // of the compose service or bake target, as in "compose:web"; "" if there is none
	Builder Builder // that made it: another one has another cache
	Ref     string  // of the build in the builder's history; "" if that is not known
	Tags    []string
	Image   string // the digest of the image that it made, where the builder's history tells; not kept

	Dockerfile string // absolute path
	Text       string // the Dockerfile as it was built
	ContextDir string // absolute path; "" if the context was no local directory
	// Context is the build context as it was sent. Of entries that are only perhaps known the digests fail with
	// buildcontext.ErrUnknown; of a context of which nothing is known all do (buildcontext.Unknown). nil if there was
	// none.
	Context       *buildcontext.Tree
	Contexts      map[string]NamedContext // of --build-context, those that are local directories
	ContextImages map[string]string       // see cachemodel.Build.ContextImages
	// Settings are those of the build. In what Store returns, the secret arguments are missing: see Store.Settings.
	Settings cachemodel.Settings
	Unknown  cachemodel.UnknownParts     // what nobody knows of the build
	Secrets  map[string]string           // keyed hashes of the secret arguments' values, by name; filled by Store.Put
	Images   map[string]cachemodel.Image // the base images' digests that are known; see cachemodel.Build
	Costs    map[int]cachemodel.Cost     // by the first line of the instruction, 1-based
	// Hits says by the first line of an instruction whether the build took all of it from the cache, as far as that is
	// known.
	Hits map[int]bool
	// NoCache says that the build was told to use no cache, NoCacheFilter for which stages. What it made is in the
	// cache all the same, so Settings do not have this.
	NoCache       bool
	NoCacheFilter []string
	// Notes are sentences for people about what is not certain, as that a file changed during the build.
	Notes []string
}

// Builder identifies a builder. The zero value is one of which nothing is known.
type Builder struct {
	Name    string `json:"name,omitempty"`    // as buildx or the user names it
	Address string `json:"address,omitempty"` // where it, or the engine that runs it, listens
	Node    string `json:"node,omitempty"`    // of several that belong together; the container that it runs in
	ID      string `json:"id,omitempty"`      // its own, which it keeps as long as its cache
}

// Known reports whether it is known which builder this is.
func (b Builder) Known() bool { return b.Address != "" || b.ID != "" }

// Is reports whether both are known to be the same builder. Their own ids decide, if both have one: another daemon may
// listen at an address by now, and one daemon may have several addresses.
func (b Builder) Is(other Builder) bool {
	if b.ID != "" && other.ID != "" {
		return b.ID == other.ID
	}
	return b.Address != "" && b.Address == other.Address && b.Node == other.Node
}

// String names the builder for people.
func (b Builder) String() string {
	switch {
	case b.Name != "" && b.Name != "default" && b.Name != b.Address:
		return b.Name
	case b.Address != "":
		return b.Address
	}
	return b.Name
}

// NamedContext is a --build-context that is a local directory.
type NamedContext struct {
	Dir  string // absolute path
	Tree *buildcontext.Tree
}

// Match says which of several records of one Dockerfile is wanted: fields that are "" match anything.
type Match struct {
	Name       string
	Target     string
	Platform   string
	Engine     cachemodel.Engine
	ContextDir string
}

// Fits reports whether a record is of the wanted kind.
func (m Match) Fits(r *Record) bool {
	return (m.Name == "" || m.Name == r.Name) && (m.Target == "" || m.Target == r.Settings.Target) &&
		(m.Platform == "" || m.Platform == r.Settings.Platform) && (m.Engine == "" || m.Engine == r.Settings.Engine) &&
		(m.ContextDir == "" || filepath.Clean(m.ContextDir) == r.ContextDir)
}

// Label names the build for people, in the local time: "the build of Nov 24 14:02".
func (r *Record) Label() string {
	what := "the build"
	if r.Name != "" {
		what += " of " + r.Name
	}
	when := r.When.Local().Format("Jan 2 15:04")
	switch {
	case r.Source == Marked:
		return "what was marked as built on " + when
	case r.Name != "":
		return what + " on " + when
	}
	return what + " of " + when
}

// Summary says for people how the build came about: "docker build, target app".
func (r *Record) Summary() string {
	parts := []string{r.Tool}
	if r.Name != "" {
		parts = append(parts, r.Name)
	}
	if r.Settings.Target != "" {
		parts = append(parts, "target "+r.Settings.Target)
	}
	return strings.Join(parts, ", ")
}

// clone copies a record so far that Put can change it.
func (r *Record) clone() *Record {
	c := *r
	c.Settings.Args = maps.Clone(r.Settings.Args)
	c.Secrets = maps.Clone(r.Secrets)
	return &c
}
