// Package baseline finds what the next build is compared with: the last build that is on record, the Dockerfile and
// build context of a git revision, of another directory, or as they were when the file was opened.
//
// It reads files and runs git; it must not know cache keys, verdicts, editors or protocols.
package baseline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Kind is a way to find a baseline.
type Kind string

// The kinds. Auto takes the first of the others that there is; Opened is there in an editor only.
const (
	Auto     Kind = "auto"
	Recorded Kind = "recorded"
	Git      Kind = "git"
	Dir      Kind = "dir"
	Opened   Kind = "opened"
	None     Kind = "none"
)

// Spec names a baseline, as --baseline and the setting layerwise.baseline do.
type Spec struct {
	Kind Kind
	Arg  string // the git revision, "" is HEAD; the directory; or the id of a record, "" is the last
	// Cache, unless it is "", says that a fresh builder builds next, which has what it imports of the baseline's cache.
	Cache cachemodel.CacheMode
	// Configured says that the CI's files tell which build this is, what it is compared with, and what it imports.
	Configured bool
}

// ci begins the name of what CI has: the cache of the merge base, exported with the mode behind it.
const ci = "ci"

// configured is the mode that the CI's files tell.
const configured = "auto"

// CI is the name of what the CI's files configure.
const CI = ci + ":" + configured

// MergeBase, as a git revision, is the commit at which the branch left the main branch, unless there is a branch or
// tag of that name.
const MergeBase = "merge-base"

// ParseSpec reads "auto", "recorded", "recorded:ID", "git", "git:REV", "dir:PATH", "opened", or "ci:MODE", which is a
// fresh builder that imports the cache of the merge base, "ci:auto", which is what the CI's files configure; "ci" is
// "ci:min", and "" is "auto".
func ParseSpec(s string) (Spec, error) {
	kind, arg, hasArg := strings.Cut(s, ":")
	switch k := Kind(kind); {
	case s == "":
		return Spec{Kind: Auto}, nil
	case (k == Dir || k == Git || k == Recorded) && arg != "",
		(k == Auto || k == Recorded || k == Git || k == Opened) && !hasArg:
		return Spec{Kind: k, Arg: arg}, nil
	case kind == ci && arg == configured:
		return Spec{Kind: Git, Arg: MergeBase, Configured: true}, nil
	case kind == ci:
		mode, err := cachemodel.ParseCacheMode(cmp.Or(arg, string(cachemodel.MinCache)))
		return Spec{Kind: Git, Arg: MergeBase, Cache: mode}, err
	}
	return Spec{}, fmt.Errorf(
		"%q is not a baseline: use auto, recorded, recorded:ID, git, git:REVISION, git:merge-base, ci:MODE, dir:PATH or, "+
			"in an editor, opened",
		s,
	)
}

// Request says for what a baseline is wanted.
type Request struct {
	Spec       Spec
	Dockerfile string             // absolute path; "" for a text that is in no file
	ContextDir string             // absolute path; "" if there is no build context
	Context    *buildcontext.Tree // the context as it is now; nil if there is none
	// for Dir: the baseline's Dockerfile, if it is not at the same place within the context
	BaselineFile string
	CacheDir     string         // where digests of files are kept; "" keeps none
	Target       gittree.Target // what the branch is to be merged into, for MergeBase
	// the file and its context as the editor opened it; nil on the command line
	Opened   *Contents
	Contexts map[string]record.NamedContext // the named contexts that are folders, as they are now
	History  History                        // of the builder that builds next, for Ask; nil if there is none
	Record   *record.Record                 // the last build of the Dockerfile, see Ask; nil if there is none
	Answer   *Answer                        // of the builder, see Ask; nil if none was asked
	// what is taken for granted of the builds on record, a sentence, see Ask
	Assumed string
	// Journal is what was seen of the build context; nil if nobody looked.
	Journal *buildcontext.Journal
	Look    *gittree.Look // which git is read with; nil opens the repositories anew

	builds []*Contents // known or assumed to have been made, the newest first
}

// Checkout is where the files of a build come from, as the client that sent them says.
type Checkout struct {
	Commit string // of git; "" if the files are known to differ, or nothing is said
	// Context is the build context's folder, Folder that of the Dockerfile, in the repository: slash-separated, "." for
	// the top, "" if it is not said.
	Context, Folder string
}

// Contents are the Dockerfile and the build context of one build.
type Contents struct {
	File    *dockerfile.File
	Context *buildcontext.Tree
	// Contexts are the named contexts; nil if they are taken to be as they are now.
	Contexts map[string]*buildcontext.Tree
	Record   *record.Record // of the build, if it is on record: it has settings of its own then
	// FailedAt, Results and Perhaps are as in cachemodel.Past.
	FailedAt int
	Results  map[int]cachemodel.Result
	Perhaps  string
	Checkout Checkout

	other bool // it is a build of another Dockerfile
}

// OtherDockerfile says that these are of another Dockerfile, whose steps may be the same.
func (c *Contents) OtherDockerfile() *Contents {
	c.other = true
	return c
}

// Other reports whether these are of another Dockerfile.
func (c *Contents) Other() bool { return c.other }

// Build is the build of these contents. It has the settings of next, the build that it is compared with, unless they
// are on record. store is that of the record.
func (c *Contents) Build(next cachemodel.Build, store *record.Store) cachemodel.Build {
	base := next
	base.File, base.Context = c.File, c.Context
	base.ContextBuilds = nil // of what was built then the caller knows
	if c.Contexts != nil {
		base.Contexts = c.Contexts
	}
	if r := c.Record; r != nil {
		base.Settings = store.Settings(r, next.Settings.Args)
		if base.Settings.Engine == "" {
			base.Settings.Engine = cachemodel.BuildKit
		}
		base.Costs, base.Unknown = r.Costs, r.Unknown
		base.ContextImages = r.ContextImages
		base.Contexts = map[string]*buildcontext.Tree{}
		for name, named := range r.Contexts {
			base.Contexts[name] = named.Tree
		}
		base.Images = map[string]cachemodel.Image{}
		// of others both sides know the reference only, which is taken for the same image
		for ref, image := range next.Images {
			if old, ok := r.Images[ref]; ok && image.Digest != "" {
				image = old
			} else if ok { // only of the configuration is something known for sure
				old.Digest = ""
				image = old
			}
			base.Images[ref] = image
		}
	}
	base.Settings.NoCache, base.Settings.NoCacheFilter = false, nil // what it made is in the cache
	return base
}

// Baseline is what was found.
type Baseline struct {
	cachemodel.Baseline
	Label    string    // for people, as in "git HEAD"
	Contents *Contents // of the build that is described; nil for None
	// Builds are all builds, the newest first, that the builder is known or assumed to have made; nil if there are no
	// others.
	Builds []*Contents
	Notes  []string // for people: why Auto passed others over
	// Unseen are results that the builder's cache may hold beside what these builds left.
	Unseen cachemodel.Unseen
	// Here are the images that the builder would take now, by reference, as far as it has them.
	Here map[string]cachemodel.Image
}

// Errors that say why there is no such baseline.
var (
	ErrNoRecord = errors.New(
		"no build of this Dockerfile is on record: run it as `layerwise build -- docker build ...`",
	)
	ErrNotOpen = errors.New("the file is not open in an editor")
)

// Find finds a baseline. With Auto it fails only with ctx's error: in the end there is None.
func Find(ctx context.Context, r Request) (Baseline, error) {
	b, err := find(ctx, r)
	if r.Answer != nil && (r.Spec.Kind == Auto || r.Spec.Kind == Recorded && r.Spec.Arg == "") {
		b.Unseen = r.unseen(&b)
	}
	return b, err
}

func find(ctx context.Context, r Request) (Baseline, error) {
	switch r.Spec.Kind {
	case Git:
		return fromGit(ctx, r)
	case Dir:
		return fromDir(ctx, r)
	case Recorded:
		if r.Record == nil {
			return Baseline{}, ErrNoRecord
		}
		if r.Spec.Arg == "" && r.builds != nil {
			return fromBuilds(r), nil
		}
		b := fromRecord(r.Record)
		b.Assumed = r.Assumption(b.Label)
		return b, nil
	case Opened:
		return fromOpened(r)
	case None:
		return none(), nil
	}
	if r.Record != nil && r.builds != nil {
		return fromBuilds(r), ctx.Err()
	}
	if r.Answer != nil && r.Answer.Complete {
		return nothingBuilt(r), ctx.Err()
	}
	b, err := fromGit(ctx, r)
	if ctx.Err() != nil {
		return b, ctx.Err()
	}
	if err != nil {
		note := fmt.Sprintf("not compared with git: %v", err)
		if b, err = fromOpened(r); err != nil {
			b = nothingBuilt(r)
		}
		b.Notes = []string{note}
	}
	if b.Contents != nil {
		b.Contents = r.Answer.doubt(b.Contents)
	}
	return b, nil
}

func none() Baseline {
	return Baseline{Baseline: cachemodel.Baseline{Kind: string(None)}, Label: "nothing"}
}

// nothingBuilt is the baseline of a builder that is not known to have built the Dockerfile.
func nothingBuilt(r Request) Baseline {
	b := none()
	b.Builds = r.builds // of other Dockerfiles
	if r.Answer == nil || !r.Answer.asked() {
		return b
	}
	b.Builder = r.builderName()
	has := "has built this Dockerfile not once"
	if !r.Answer.Complete {
		has = "remembers no build of this Dockerfile"
	}
	b.Label = fmt.Sprintf("nothing: %s %s", b.Builder, has)
	if len(r.builds) > 0 {
		b.Label = fmt.Sprintf("builds of other Dockerfiles: %s %s", b.Builder, has)
	}
	return b
}

func fromRecord(r *record.Record) Baseline {
	return Baseline{
		Baseline: cachemodel.Baseline{Kind: string(Recorded), Ref: r.ID},
		Label:    r.Label(),
		Contents: &Contents{File: parse([]byte(r.Text)), Context: r.Context, Record: r},
		Notes:    r.Notes,
	}
}

func fromOpened(r Request) (Baseline, error) {
	if r.Opened == nil {
		return Baseline{}, ErrNotOpen
	}
	const label = "the file as it was opened"
	return Baseline{
		Baseline: cachemodel.Baseline{
			Kind:    string(Opened),
			Assumed: r.Assumption(label),
		}, Label: label, Contents: r.Opened,
	}, nil
}

func fromGit(ctx context.Context, r Request) (Baseline, error) {
	if r.Dockerfile == "" {
		return Baseline{}, errors.New("the text is in no file")
	}
	rev := r.Spec.Arg
	if rev == "" {
		rev = "HEAD"
	}
	label := "git " + rev
	var notes []string
	look := r.Look
	if look == nil {
		look = &gittree.Look{}
		defer look.Close()
	}
	repository, err := look.At(ctx, filepath.Dir(r.Dockerfile))
	if err != nil {
		return Baseline{}, err
	}
	text, err := repository.ReadFile(ctx, r.Dockerfile, rev)
	if rev == MergeBase && errors.Is(err, gittree.ErrUnknownRevision) {
		base, failed := repository.MergeBase(ctx, r.Target)
		if failed != nil {
			return Baseline{}, failed
		}
		rev, label = base.Revision, "the merge base with "+base.Main
		if base.IsHead {
			notes = append(
				notes,
				fmt.Sprintf("HEAD has no commit that %s lacks: it is compared with HEAD itself", base.Main),
			)
		}
		text, err = repository.ReadFile(ctx, r.Dockerfile, rev)
	}
	if err != nil {
		return Baseline{}, err
	}
	b := Baseline{
		Baseline: cachemodel.Baseline{Kind: string(Git), Ref: rev, Assumed: r.Assumption(rev)},
		Label:    label,
		Contents: &Contents{File: parse(text)},
		Notes:    notes,
	}
	if r.ContextDir != "" {
		if b.Contents.Context, err = loadGit(ctx, look, r.ContextDir, rev, r.Dockerfile, r.Context); err != nil {
			return Baseline{}, err
		}
	}
	b.Contents.Contexts = map[string]*buildcontext.Tree{}
	for name, named := range r.Contexts {
		tree, err := loadGit(ctx, look, named.Dir, rev, "", named.Tree)
		if ctx.Err() != nil {
			return Baseline{}, ctx.Err()
		}
		if err != nil { // not under version control, or not yet
			tree = buildcontext.Unknown()
		}
		b.Contents.Contexts[name] = tree
	}
	return b, nil
}

// loadGit reads a context as it was in a revision of the repository that it lies in.
func loadGit(
	ctx context.Context, look *gittree.Look, dir, rev, dockerfile string, now *buildcontext.Tree,
) (*buildcontext.Tree, error) {
	repository, err := look.At(ctx, dir)
	if err != nil {
		return nil, err
	}
	return repository.Load(ctx, dir, rev, dockerfile, now)
}

func fromDir(ctx context.Context, r Request) (Baseline, error) {
	dir, err := filepath.Abs(r.Spec.Arg)
	if err != nil {
		return Baseline{}, err
	}
	file := r.BaselineFile
	if file == "" {
		rel, err := filepath.Rel(r.ContextDir, r.Dockerfile)
		if err != nil || r.ContextDir == "" || !filepath.IsLocal(rel) {
			return Baseline{}, fmt.Errorf(
				"the Dockerfile lies outside of its build context: name the baseline's with --baseline-file",
			)
		}
		file = filepath.Join(dir, rel)
	}
	text, err := textfile.Read(file)
	if err != nil {
		return Baseline{}, fmt.Errorf("the baseline's Dockerfile: %w", err)
	}
	tree, err := disk.Scan(ctx, dir, file, disk.Options{CacheDir: r.CacheDir})
	if err != nil {
		return Baseline{}, err
	}
	b := Baseline{
		Baseline: cachemodel.Baseline{Kind: string(Dir), Ref: r.Spec.Arg, Assumed: r.Assumption(r.Spec.Arg)},
		Label:    r.Spec.Arg,
		Contents: &Contents{File: parse(text), Context: tree, Contexts: map[string]*buildcontext.Tree{}},
	}
	for _, name := range slices.Sorted(maps.Keys(r.Contexts)) {
		named := r.Contexts[name]
		tree := named.Tree
		rel, err := filepath.Rel(r.ContextDir, named.Dir)
		at := filepath.Join(dir, rel)
		if err == nil && at != named.Dir {
			tree, err = disk.Scan(ctx, at, "", disk.Options{CacheDir: r.CacheDir})
		}
		switch {
		case ctx.Err() != nil:
			return Baseline{}, ctx.Err()
		case err != nil && filepath.IsLocal(rel):
			tree = buildcontext.Unknown()
		case err != nil || at == named.Dir && !filepath.IsLocal(rel):
			tree = named.Tree
			b.Notes = append(
				b.Notes,
				fmt.Sprintf(
					"the named context %s lies outside of the build context and is taken to have been the same",
					name,
				),
			)
		}
		b.Contents.Contexts[name] = tree
	}
	return b, nil
}

func parse(text []byte) *dockerfile.File {
	return dockerfile.Parse(source.New(string(text)), nil)
}
