package workspace

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/replay"
)

// Build is the next build of a Dockerfile but for the Dockerfile's own text: immutable.
type Build struct {
	Dockerfile string // absolute path; "" for a text that is in no file
	Settings   cachemodel.Settings
	Context    Context
	Contexts   map[string]Named    // the named contexts that are folders
	Images     map[string]string   // those that are not, see cachemodel.Build.ContextImages
	Bases      map[string]*Base    // those that other services or targets make, as far as they are known
	Inline     bool                // the Dockerfile's text stands in the build file at Dockerfile
	Entry      *buildfiles.Entry   // the service or target whose settings count, nil if there is none
	Choices    []buildfiles.Choice // all that build this Dockerfile
	BuildFiles []string            // all that were read
	Taken      string              // what was taken from the last build: "target app, V=1"
	Compared   Compared            // what it is compared with
	CI         *CIBuild            // the build of the CI that this is, if that was asked for
	Git        []string            // these files change when git's HEAD does
	Asked      string              // the baseline that is asked for, see baseline.ParseSpec
	Remembered bool                // that it was chosen before
	Complete   bool                // nothing was left out for speed
	partial    bool                // large files of the context are not read
	Problems   []error             // why the build is not what was asked for
	Notes      []string            // for people: what is missing or taken for granted, without a full stop
	Unsaved    error               // why the next look at the context will take as long as this one

	// Costs are what the steps of the last build on record took.
	Costs   func() replay.Costs
	history func(context.Context, int, func(done, total int)) *replay.History
	sent    func() (rules.Ignore, *rules.Context)
	moves   *moves
	missing *missing
	memory  *cachemodel.Memory // of the versions that were judged
	unknown cachemodel.UnknownParts
	bases   map[string]cachemodel.Image // what is known of base images
	root    string                      // the highest folder that may be the context
}

// Context is the build context.
type Context struct {
	Dir         string // as the user names it; "" if there is none
	Root        string // Dir with links resolved; "" if it was not read
	From        Origin
	Tree        *buildcontext.Tree // nil if there is none, or it was not read
	IgnoreFiles []string           // may say what is left out of it
	Missing     []Missing          // where Dir is guessed
}

// Named is a named context that is a folder.
type Named struct {
	Dir  string // as the user names it; "" if nobody knows where it was
	Root string // Dir with links resolved; "" if it was not read
	Tree *buildcontext.Tree
}

// Overlay is the unsaved text of a file.
type Overlay struct {
	Path string // relative to the build context, slash-separated
	Text string
}

// Marks are the verdicts on the instructions of one version of a Dockerfile.
type Marks struct {
	Steps   []cachemodel.Step
	Plan    *cachemodel.Plan
	Summary cachemodel.Summary
	// WithMaxCache is what the summary would be if the imported cache were exported with mode=max; nil if it is, or if
	// none is imported.
	WithMaxCache *cachemodel.Summary
	CacheFrom    *ReportedCacheFrom // the imported cache, if it was read
	Problem      error              // why the build as a whole cannot be planned; there are verdicts nevertheless
}

// Judge gives the verdicts on file's instructions, with what is unsaved in an editor.
func (b *Build) Judge(file *dockerfile.File, unsaved []Overlay) *Marks {
	plan := b.memory.Plan(b.Next(file, unsaved))
	held := b.Compared.held
	if held == nil {
		held = cachemodel.Hold(nil)
	}
	var from *ReportedCacheFrom
	if imports := b.Compared.imports; imports != nil {
		var found *cachemodel.Held
		if found, from = imports.of(plan); found != nil {
			held = found
		}
	}
	steps := held.Compare(plan)
	marks := &Marks{CacheFrom: from, Steps: steps, Plan: plan, Summary: cachemodel.Summarize(steps), Problem: plan.Err()}
	if max := b.Compared.withMax; max != nil {
		sum := cachemodel.Summarize(max.Compare(plan))
		marks.WithMaxCache = &sum
	}
	return marks
}

// Next is the build as the cache model takes it.
func (b *Build) Next(file *dockerfile.File, unsaved []Overlay) cachemodel.Build {
	trees := map[string]*buildcontext.Tree{}
	for name, named := range b.Contexts {
		trees[name] = named.Tree
	}
	return cachemodel.Build{
		File: file, Context: b.overlaid(unsaved), Settings: b.Settings, Contexts: trees, ContextImages: b.Images,
		Unknown: b.unknown, ContextBuilds: b.contextBuilds(), Images: b.bases,
	}
}

// overlaid is the build context with what is unsaved in an editor. Of one that was not read nothing is known, and so
// nothing is promised.
func (b *Build) overlaid(unsaved []Overlay) *buildcontext.Tree {
	if b.Context.Tree == nil {
		return buildcontext.Unknown()
	}
	tree := b.Context.Tree
	for _, o := range unsaved {
		tree = tree.WithContent(o.Path, []byte(o.Text))
	}
	return tree
}

// Report is what is known of a build, as `layerwise predict --format json` gives it.
type Report struct {
	cachemodel.Report
	Context ReportedContext `json:"context"`
	Builds  int             `json:"builds,omitempty"` // how many services and targets build this Dockerfile in different ways
	// WithMaxCache is as in Marks.
	WithMaxCache *cachemodel.Summary `json:"withMaxCache,omitempty"`
	// CacheFrom is what was read of the imported cache, if that was asked for.
	CacheFrom *ReportedCacheFrom `json:"cacheFrom,omitempty"`
	CI        *ReportedCI        `json:"ci,omitempty"` // the build of the CI that this is, where it was looked for
}

// ReportedContext says where the build context is, and why there.
type ReportedContext struct {
	Dir  string     `json:"dir"`
	From OriginKind `json:"from"`
}

// Report sums the marks up; file is the Dockerfile as the user names it.
func (b *Build) Report(file string, m *Marks) *Report {
	r := &Report{Report: cachemodel.Report{
		File: file, Engine: b.Settings.Engine, Target: b.Settings.Target, Baseline: b.Compared.Baseline, Steps: m.Steps,
		Summary: m.Summary,
	}, Context: ReportedContext{b.Context.Dir, b.Context.From.Kind}, Builds: len(b.Choices),
		WithMaxCache: m.WithMaxCache, CacheFrom: m.CacheFrom}
	if b.Entry != nil {
		r.Build = b.Entry.ID
	}
	if b.CI != nil {
		r.CI = b.CI.Report()
	}
	return r
}

func (b *Build) problem(err error) {
	if err != nil {
		b.Problems = append(b.Problems, err)
	}
}

// finish says what follows from all parts together.
func (b *Build) finish(w *Workspace) *Build {
	b.sent = sentOf(w, b)
	b.moves, b.missing = new(moves), new(missing)
	if b.Context.Dir == "" {
		b.Notes = append(b.Notes, "the document is not saved in a folder yet, so there is no build context")
	}
	if tree := b.Context.Tree; tree != nil && len(tree.Problems()) > 0 {
		problems := tree.Problems()
		b.Notes = append(
			b.Notes,
			fmt.Sprintf(
				"%s in the build context cannot be read: %v",
				count(len(problems), "entry", "entries"),
				problems[0],
			),
		)
	}
	var lost []string
	for _, m := range b.Context.Missing {
		if m.In != "" && !slices.Contains(lost, m.Source) {
			lost = append(lost, m.Source)
			b.Notes = append(
				b.Notes,
				fmt.Sprintf("%s is not in the context %s (guessed). It exists in %s: try that as the context",
					m.Source, relative(b.Context.Dir), relative(m.In)),
			)
		}
	}
	return b
}

// EntryText names the service or target whose settings count: "compose service web, 1 of 3 that build this Dockerfile";
// "" if there is none.
func (b *Build) EntryText() string {
	switch n := len(b.Choices); {
	case b.Entry == nil:
		return ""
	case n > 1:
		return fmt.Sprintf("%s, 1 of %d that build this Dockerfile", b.Entry.Title(), n)
	}
	return b.Entry.Title()
}

// ContextText says for people where the build context is, and why there: "context services/api (compose service web)".
func (b *Build) ContextText() string {
	switch {
	case b.Context.Dir == "":
		return "no build context"
	case b.Context.From.Kind == Chosen:
		return "context " + relative(b.Context.Dir)
	}
	return fmt.Sprintf("context %s (%s)", relative(b.Context.Dir), b.Context.From)
}

// relative shortens a path for people, where it is below the current directory.
func relative(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func parse(text string) *dockerfile.File { return dockerfile.Parse(source.New(text), nil) }
