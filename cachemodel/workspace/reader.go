package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/replay"
)

// Reader keeps what it has read of one Dockerfile's build. It is used by one goroutine at a time.
type Reader struct {
	w    *Workspace
	path string

	loaded   bool
	complete bool // git's and the builder's histories were asked
	choices  Choices
	asked    string // which baseline
	builds   builds
	wrong    error // with the build files

	folder   string // of the build context, as the user names it
	dir      *disk.Dir
	refused  string // a folder that is not read: the person would not have it, or it is the whole file system
	reading  error  // why the build context was not read
	journal  buildcontext.Journal
	named    map[string]*disk.Dir
	atOpen   atOpen
	record   *record.Record // the last build, if it may be compared with
	newest   string         // record in the store, by its id, when the baseline was found
	head     string         // the commit that HEAD was then
	git      []string       // the files that change when HEAD does
	compared Compared
	ci       *CI // how the CI builds, if that was asked for
	history  *histories
	// inline is the entry whose Dockerfile stands in the build file at path, by its ID; "" is a Dockerfile of its own.
	inline  string
	bases   map[string]*baseReader // by the entry's ID
	basesAs string                 // what they are compared with, as a baseline is named
	depth   int                    // of bases below each other
	top     *Reader                // the one that all bases are found for, nil in itself
}

// atOpen is what a Reader has seen first.
type atOpen struct {
	context *buildcontext.Tree
	named   map[string]*buildcontext.Tree // by folder
	entry   *buildfiles.Entry
}

// Load finds the build. What is wrong is in Build.Problems: there is a build nevertheless, of which the rest is known.
// It is nil only if ctx has ended.
func (r *Reader) Load(ctx context.Context, q Question) *Build {
	c := r.choicesOf(q)
	b := &Build{
		Dockerfile: r.path, Inline: r.inline != "", root: r.w.Root(filepath.Dir(r.path)), memory: &cachemodel.Memory{},
	}
	spec, err := r.spec(c, b)
	b.problem(err)
	if spec.Configured {
		c = r.asInCI(ctx, q, b)
		asked, remembered := b.Asked, b.Remembered
		spec, err = r.spec(c, b)
		b.problem(err)
		b.Asked, b.Remembered = asked, remembered
	} else {
		r.ci = nil
	}
	ambient := r.ambient(spec)
	c.Engine = engineOf(ambient, c)
	q.Choices = c
	changed := !r.loaded || !reflect.DeepEqual(c, r.choices)

	rebuilt := r.loadBuilds(ctx, b, q, changed)
	if r.ci != nil {
		b.BuildFiles = slices.Concat(b.BuildFiles, r.ci.Files)
	}
	options := c.Options
	if b.Entry != nil && options.Engine != cachemodel.Classic {
		options = b.Entry.Fill(options)
	}

	again := changed || rebuilt || b.Asked != r.asked || !r.complete && !q.Quick ||
		q.Changed.Baseline && r.moved(ctx, q, spec)
	r.choices, r.asked = c, b.Asked
	var recordNotes []string
	if again {
		r.newest = r.w.Store.Newest(r.path)
		if r.inline == "" {
			r.record, recordNotes = baseline.Stored(r.w.Store, spec, r.path, options.Match())
		}
	}
	b.Context.Dir, b.Context.From, b.Context.Missing = r.contextOf(c, b.Entry, r.record, q.File)
	if !q.Unread {
		r.readContext(ctx, b, q)
	}
	request := baseline.Request{
		Spec: spec, Dockerfile: r.path, ContextDir: b.Context.Dir, Context: b.Context.Tree, CacheDir: r.w.CacheDir,
		BaselineFile: c.BaselineFile, Journal: &r.journal, Target: r.w.target(),
	}
	if again && !q.Uncompared && !r.w.Untrusted {
		recordNotes = append(recordNotes, r.ask(ctx, b, q, &request, options)...)
	}
	if again {
		r.compared.recordNotes = recordNotes
	}
	given := options
	if b.Entry == nil && options.Platform == "" {
		options.Platform = ambient.Platform
	}
	var last map[string]string
	if request.Record = r.record; r.record != nil {
		options, b.Taken = options.From(r.record, r.w.Store)
		last = r.w.Store.Settings(r.record, ambient.Args).Args
	}
	var unsent map[string]string
	options, unsent = withAmbient(ambient, options, given, last)
	b.unknown.Args = unsent
	maps.Copy(b.unknown.Args, c.UnknownArgs)
	b.Settings, b.Images = options.Settings(), options.Images
	if !q.Unread {
		b.Contexts = r.readNamed(ctx, b, q, options.Contexts)
	}
	r.readImages(ctx, b, q)
	r.requestContexts(b, q, &request)
	b.problem(r.reading)
	if again && !q.Uncompared {
		r.compare(ctx, request, b, q, ambient)
	} else {
		if q.CacheFrom == nil {
			b.bases = r.compared.bases
		}
		r.loadBases(ctx, b, q, r.basesAs)
	}
	if ctx.Err() != nil {
		return nil
	}
	r.loaded, r.complete = true, r.complete || !q.Quick && !b.partial
	r.conclude(b, options)
	return b.finish(r.w)
}

// choicesOf are the choices of a question, with a build context that was chosen before.
func (r *Reader) choicesOf(q Question) Choices {
	c := q.Choices
	if q.CacheFrom != nil {
		c.Cache = cachemodel.ReadCache
	}
	chosen := r.w.Store.Choice(r.path, BuildChoice)
	if dir, ok := strings.CutPrefix(chosen, ContextChoice); ok && c.Build == "" && c.ContextDir == "" {
		c.Build, c.ContextDir = NoBuild, dir
	}
	return c
}

// loadBuilds reads the build files where they may have changed, and reports whether what they say has.
func (r *Reader) loadBuilds(ctx context.Context, b *Build, q Question, changed bool) (rebuilt bool) {
	if changed || q.Changed.Builds || q.Changed.Context {
		found, err := r.readBuilds(ctx, q.Choices, r.builds)
		rebuilt = !found.same(&r.builds)
		r.builds, r.wrong = found, err
	}
	b.problem(r.wrong)
	if !r.loaded {
		r.atOpen = atOpen{named: map[string]*buildcontext.Tree{}, entry: r.builds.entry}
	}
	b.Entry, b.Choices, b.BuildFiles = r.builds.entry, r.builds.choices, r.builds.files
	b.Notes = append(b.Notes, r.builds.notes...)
	return rebuilt
}

// ask asks the builder for its last build, and reads the build context where that build says it was.
func (r *Reader) ask(
	ctx context.Context,
	b *Build,
	q Question,
	request *baseline.Request,
	options baseline.Options,
) (notes []string) {
	if q.Builder != nil && !q.Quick && r.inline == "" { // which knows builds by the path of the Dockerfile
		request.History = q.Builder.History(options)
	}
	notes = request.Ask(ctx, r.w.Store, options.Match())
	r.record = request.Record
	// A build in the builder's history may say where its context was.
	dir, from, _ := r.contextOf(q.Choices, b.Entry, r.record, q.File)
	if dir != b.Context.Dir && from.Kind == Recorded {
		b.Context = Context{Dir: dir, From: from}
		r.readContext(ctx, b, q)
		request.ContextDir, request.Context = dir, b.Context.Tree
	}
	return notes
}

// requestContexts adds the named contexts to a request, and what was there when the file was opened.
func (r *Reader) requestContexts(b *Build, q Question, request *baseline.Request) {
	request.Contexts = map[string]record.NamedContext{}
	for name, named := range b.Contexts {
		request.Contexts[name] = record.NamedContext{Dir: named.Dir, Tree: named.Tree}
	}
	if q.Opened != nil {
		request.Opened = &baseline.Contents{
			File:     q.Opened,
			Context:  b.atOpen(r.atOpen.context, r.dir, b.Context.Tree),
			Contexts: map[string]*buildcontext.Tree{},
		}
		for name, named := range b.Contexts {
			request.Opened.Contexts[name] = b.atOpen(r.atOpen.named[named.Dir], r.named[name], named.Tree)
		}
	}
}

// atOpen is a context as it was when the file was opened: then, or as it is given now, if nothing is new in it. Of a
// partial build's no large file is read either.
func (b *Build) atOpen(then *buildcontext.Tree, dir *disk.Dir, now *buildcontext.Tree) *buildcontext.Tree {
	switch {
	case !b.partial:
		return then
	case dir != nil && then == dir.Tree():
		return now
	}
	return buildcontext.Unknown()
}

// conclude adds what was found of the past to the build, and keeps the digests of its context.
func (r *Reader) conclude(b *Build, options baseline.Options) {
	b.Compared, b.Git, b.Complete = r.compared, r.git, r.complete
	b.Costs = sync.OnceValue(r.costs(r.record, options.Match()))
	if !r.w.Untrusted && r.inline == "" {
		b.history = r.historyOf(b)
	}
	b.problem(r.compared.Problem)
	b.Notes = append(b.Notes, r.compared.notes...)
	if b.Taken != "" {
		b.Notes = append(b.Notes, fmt.Sprintf("as in %s: %s", r.record.Label(), b.Taken))
	}
	b.Notes = append(b.Notes, r.compared.recordNotes...)
	fresh := r.compared.Baseline.Cache != "" || r.choices.CacheUnknown != "" // it was sent nothing before
	if b.Settings.Engine != cachemodel.Classic && !fresh {
		b.Context.Tree = r.resent(r.compared.Context, b.Context.Tree)
		for name, named := range b.Contexts {
			named.Tree = r.resent(r.compared.named[name], named.Tree)
			b.Contexts[name] = named
		}
	}
	if r.dir != nil {
		if err := r.dir.Save(); err != nil {
			b.Unsaved = fmt.Errorf("the digests of the build context are not kept: %w", err)
		}
	}
}

// resent is next as a builder has it that was sent last before, if that is known.
func (r *Reader) resent(last, next *buildcontext.Tree) *buildcontext.Tree {
	if last == nil || next == nil {
		return next
	}
	return buildcontext.Resent(last, next, !r.compared.stoodOn)
}

// Resolve finds the build without reading its contexts and without what it is compared with. It must be asked of
// another Reader than Load is.
func (r *Reader) Resolve(ctx context.Context, q Question) *Build {
	q.Unread, q.Uncompared = true, true
	return r.Load(ctx, q)
}

// spec reads which baseline is asked for: by this question, by a choice that is remembered, by the default.
func (r *Reader) spec(c Choices, b *Build) (baseline.Spec, error) {
	remembered := r.w.Store.Choice(r.path, BaselineChoice)
	b.Asked = cmp.Or(c.Baseline, remembered, c.Default, string(baseline.Auto))
	b.Remembered = c.Baseline == "" && remembered != ""
	if r.w.Untrusted {
		b.Asked = string(baseline.Opened)
		b.Notes = append(
			b.Notes,
			"this folder is not trusted, so git is not run and no builder is asked: the marks compare with the file "+
				"as it was opened",
		)
	}
	spec, err := baseline.ParseSpec(b.Asked)
	if err != nil {
		b.Asked, spec = string(baseline.Auto), baseline.Spec{Kind: baseline.Auto}
	}
	if (c.Cache != "" || c.CacheUnknown != "") && spec.Kind == baseline.Auto { // CI builds upon what is merged
		spec = baseline.Spec{Kind: baseline.Git, Arg: baseline.MergeBase}
	}
	spec.Cache = cmp.Or(c.Cache, spec.Cache)
	spec.Configured = spec.Configured || c.CI && !r.w.Untrusted
	if spec.Kind == baseline.Dir && !filepath.IsAbs(spec.Arg) && r.w.Folder != "" {
		if here, err := filepath.Abs(spec.Arg); err != nil || here != filepath.Join(r.w.Folder, spec.Arg) {
			spec.Arg = filepath.Join(r.w.Folder, spec.Arg)
		}
	}
	if spec.Kind == baseline.Auto && r.path == "" {
		spec.Kind = baseline.Opened // a text that is in no file has no history to look for
	}
	return spec, err
}

// moved reports whether there may be something else to compare with than was found. Git's files change more often than
// HEAD does: with every git status, for one.
func (r *Reader) moved(ctx context.Context, q Question, spec baseline.Spec) bool {
	head, err := "", error(nil)
	if !r.w.Untrusted && r.path != "" {
		head, err = gittree.Head(ctx, filepath.Dir(r.path))
	}
	moved := err != nil || head != r.head || r.asked != string(baseline.Auto) && r.asked != string(baseline.Git)
	r.head = head
	if moved || spec.Kind != baseline.Auto {
		return true
	}
	return r.newest != r.w.Store.Newest(r.path) || q.Builder != nil
}

// readContext brings the tree of the build context up to date.
func (r *Reader) readContext(ctx context.Context, b *Build, q Question) {
	folder := b.Context.Dir
	if folder == "" || filepath.Dir(folder) == folder {
		r.folder, r.dir, r.atOpen.context, r.refused, r.reading = "", nil, nil, folder, nil
		if folder != "" {
			r.reading = errors.New(
				"the build context would be the whole file system, so it is not read: choose another",
			)
		}
		return
	}
	if b.Context.From.Kind == BuildFile && !r.w.near(r.path, folder) {
		r.folder, r.dir, r.atOpen.context, r.refused, r.reading = "", nil, nil, folder, far(folder)
		return
	}
	if r.refused != folder || q.Changed.Context {
		r.refused, r.reading = "", r.updateContext(ctx, folder, q)
	}
	if r.dir == nil {
		return
	}
	b.Context.Tree, b.Context.Root, b.Context.IgnoreFiles = r.dir.Tree(), r.dir.Root(), r.dir.IgnoreFiles()
	if r.atOpen.context == nil {
		r.atOpen.context = b.Context.Tree
	}
	b.Context.Tree = b.partly(b.Context.Tree, q)
}

// Near reports whether the Dockerfile of a service or target is of the same project as the build file, or lies next to
// it: if not, it is not looked at unless somebody asks for it.
func (w *Workspace) Near(e *buildfiles.Entry) bool { return w.near(e.Place(), e.TextFile()) }

// near reports whether a file or folder that a Compose or bake file names is of the project that a file belongs to, or
// lies next to it. No file of a stranger's folder has the rest of the disk read.
func (w *Workspace) near(file, folder string) bool {
	root := w.Root(filepath.Dir(file))
	parent := filepath.Dir(root)
	if filepath.Dir(parent) == parent || exists(filepath.Join(root, ".git")) && pipeline.Within(folder, parent) {
		return pipeline.Within(root, folder)
	}
	return pipeline.Within(parent, folder)
}

func far(folder string) error {
	return fmt.Errorf("the build context %s is far from this project, so it is not read: choose it yourself", folder)
}

// partly is a tree whose very large files are not read yet, where a build may be partial.
func (b *Build) partly(tree *buildcontext.Tree, q Question) *buildcontext.Tree {
	if !q.Partial || tree.Unread() <= maxUnread {
		return tree
	}
	if !b.partial {
		b.partial = true
		b.Notes = append(b.Notes, "very large files of the build context are still being read")
	}
	return tree.Quick(maxUnread)
}

// maxUnread is how many bytes of a build context are read before a Partial build is there.
const maxUnread = 64 << 20

var errStopped = errors.New(
	"the build context was not read to its end, as you wished: save the Dockerfile to have it read",
)

func (r *Reader) updateContext(ctx context.Context, folder string, q Question) error {
	reading := ctx
	if q.Reading != nil {
		reading = q.Reading
	}
	var err error
	began, whole := time.Now(), true
	switch {
	case r.dir == nil || r.folder != folder:
		r.folder, r.atOpen.context, r.journal = folder, nil, buildcontext.Journal{}
		r.dir, err = r.w.directory(reading, folder, r.path, q.Progress)
		// Watch first and look again then, so that nothing happens unseen in between.
		if err == nil && r.watch(q) {
			_, err = r.dir.Rescan(reading)
		}
	case q.Changed.Context:
		_, err = r.dir.Rescan(reading)
		r.watch(q)
	case len(q.Changed.Paths) > 0:
		whole = false
		if _, changed := r.dir.Update(q.Changed.Paths); changed && r.watch(q) {
			_, err = r.dir.Rescan(reading) // new folders, perhaps with files in them by now
		}
	default:
		whole = false
	}
	if err == nil {
		r.journal.Add(began, time.Now(), whole, r.dir.Tree())
		return nil
	}
	r.dir = nil
	if q.Stopped != nil && q.Stopped() {
		r.refused, err = folder, errStopped
	}
	return err
}

// readNamed reads the folders of named contexts. They are looked at anew whenever something else is.
func (r *Reader) readNamed(ctx context.Context, b *Build, q Question, folders map[string]string) map[string]Named {
	r.named = map[string]*disk.Dir{}
	out := map[string]Named{}
	for name, folder := range folders {
		named := Named{Dir: folder, Tree: buildcontext.Unknown()}
		byFile := b.Entry != nil && b.Entry.Contexts[name] != ""
		if byFile && r.choices.Contexts[name] == "" && folder != "" && !r.w.near(r.path, folder) {
			b.problem(fmt.Errorf("the named context %s: %w", name, far(folder)))
		} else if folder != "" { // else nobody knows where it was when it was built
			dir, err := disk.Open(ctx, folder, "", disk.Options{CacheDir: r.w.CacheDir})
			if err == nil {
				r.named[name] = dir
				named.Tree, named.Root = dir.Tree(), dir.Root()
			} else if ctx.Err() == nil {
				b.problem(fmt.Errorf("the named context %s: %w", name, err))
			}
		}
		out[name] = named
	}
	if r.dir != nil && len(r.named) > 0 && r.watch(q) { // something may have happened unseen
		for name, dir := range r.named {
			if tree, err := dir.Rescan(ctx); err == nil {
				named := out[name]
				named.Tree = tree
				out[name] = named
			}
		}
	}
	for name, named := range out {
		if r.atOpen.named[named.Dir] == nil {
			r.atOpen.named[named.Dir] = named.Tree
		}
		named.Tree = b.partly(named.Tree, q)
		out[name] = named
	}
	return out
}

// watch tells where the files of the build are, as far as that is known by now.
func (r *Reader) watch(q Question) (added bool) {
	if q.Watch == nil {
		return false
	}
	places := Places{BuildFiles: r.builds.files, Git: r.git}
	if r.ci != nil {
		places.BuildFiles = slices.Concat(r.builds.files, r.ci.Files)
	}
	if r.dir != nil {
		places.Contexts = append(places.Contexts, ContextDir{r.dir.Root(), r.dir.Tree()})
	}
	for _, base := range r.bases {
		places.Contexts = append(places.Contexts, base.places.Contexts...)
		places.Git = append(slices.Clip(places.Git), base.places.Git...)
	}
	for _, dir := range r.named {
		places.Contexts = append(places.Contexts, ContextDir{dir.Root(), dir.Tree()})
	}
	return q.Watch(places)
}

// historyOf gives the history of a build's context.
func (r *Reader) historyOf(b *Build) func(context.Context, int, func(done, total int)) *replay.History {
	key, compared := historyKey{contextDir: b.Context.Dir, head: b.Compared.head}, &b.Compared
	return func(ctx context.Context, commits int, progress func(done, total int)) *replay.History {
		at := key
		at.commits = commits
		return r.history.of(ctx, r.path, at, compared, progress)
	}
}

// costs are those of the last build, or of the last one on record where that is not compared with.
func (r *Reader) costs(last *record.Record, match record.Match) func() replay.Costs {
	return func() replay.Costs {
		if last == nil && r.inline == "" {
			last, _ = r.w.Store.Latest(r.path, match)
		}
		if last == nil {
			return replay.Costs{}
		}
		return replay.RecordedCosts(parse(last.Text), last.Costs)
	}
}
