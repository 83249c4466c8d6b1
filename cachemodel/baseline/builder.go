package baseline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Answer is what a builder says of itself.
type Answer struct {
	Builder record.Builder
	Name    string // for people, as in "BuildKit at unix:///run/buildkit/buildkitd.sock"
	// Builds are those that it remembers of the Dockerfile, the newest first, with what is left of them in its cache.
	Builds []*Contents
	// Others are builds of other Dockerfiles, whose steps may be the same.
	Others []*Contents
	// Unseen are results in its cache that none of these builds has made.
	Unseen cachemodel.Unseen
	// Silent says that it could not be asked: the beginning of a sentence, "" if it has answered. Unknown is that
	// nothing is known of it therefore: no answer came in time, or something else than BuildKit builds there.
	Silent  string
	Unknown bool
	// Complete says that its cache holds nothing but what the builds left that it remembers.
	Complete bool
	// Emptied is the reason, a sentence, why nothing at all is in its cache; "" if something is.
	Emptied string
	// Assumed is a sentence of what is taken for granted of the builds; "" if nothing is.
	Assumed string
	// Oldest is when the oldest result in its cache was made; zero if that is not known.
	Oldest time.Time
}

// History asks a builder for its builds of a request's Dockerfile. Where it cannot be asked the error says why, and the
// answer still says which builder it is.
type History func(context.Context, Request) (*Answer, error)

// Ask asks the builder, if there is one, and looks up which builds are on record. It fills in what Find needs:
// r.Record is the last build, by the options that are wanted if there is one. The notes are for people.
func (r *Request) Ask(ctx context.Context, store *record.Store, wanted record.Match) (notes []string) {
	if r.Dockerfile == "" || r.Spec.Kind != Auto && r.Spec.Kind != Recorded {
		return nil
	}
	if r.Spec.Arg != "" { // one of the records, by its id; what is wrong with it Stored has told
		r.Record, _ = Stored(store, r.Spec, r.Dockerfile, wanted)
		return nil
	}
	if r.History != nil {
		var err error
		if r.Answer, err = r.History(ctx, *r); err != nil && ctx.Err() == nil {
			notes = append(notes, err.Error())
		}
	}
	records, problems := store.List(r.Dockerfile)
	for _, problem := range problems {
		notes = append(notes, problem.Error())
	}
	engine := wanted.Engine
	if engine == "" && len(records) > 0 && (r.Answer == nil || len(r.Answer.Builds) == 0) {
		engine = records[0].Settings.Engine
	}
	records = slices.DeleteFunc(records, func(rec *record.Record) bool { // the engines have caches of their own
		return cmp.Or(rec.Settings.Engine, cachemodel.BuildKit) != cmp.Or(engine, cachemodel.BuildKit)
	})
	r.builds, r.Assumed = r.known(records)
	r.Record = newest(r.builds, wanted)
	return notes
}

// newest is the record of the newest build that is as wanted, else of the newest at all.
func newest(builds []*Contents, wanted record.Match) *record.Record {
	var last *record.Record
	for _, b := range builds {
		switch {
		case b.other:
		case wanted.Fits(b.Record):
			return b.Record
		case last == nil:
			last = b.Record
		}
	}
	return last
}

// known are the builds that the builder is known to have made, the newest first. Where nobody knows which builder
// builds next, or who made the records, assumed is a sentence of what is taken for granted.
func (r *Request) known(records []*record.Record) (builds []*Contents, assumed string) {
	var answer Answer
	if r.Answer != nil {
		answer = *r.Answer
	}
	var foreign []*record.Record // made by nobody knows whom, or another one where it is not known who builds next
	builds = append(builds, slices.Concat(answer.Builds, answer.Others)...)
	for _, rec := range records {
		switch {
		case rec.Source == record.Marked: // the user's word
			builds = answer.join(builds, rec)
		case !rec.Builder.Known() || !answer.Builder.Known():
			foreign = append(foreign, rec)
		case answer.Builder.Is(rec.Builder):
			builds = answer.join(builds, rec)
		}
	}
	sortBuilds(builds)
	if len(builds) > 0 || len(foreign) == 0 || answer.Complete {
		return builds, answer.Assumed
	}
	// All by the builder that the newest names, if it names one.
	for _, rec := range foreign {
		if rec.Builder == foreign[0].Builder {
			builds = append(builds, &Contents{File: parse([]byte(rec.Text)), Context: rec.Context, Record: rec})
		}
	}
	sortBuilds(builds)
	return builds, r.Assumption(foreign[0].Label())
}

func sortBuilds(builds []*Contents) {
	slices.SortStableFunc(builds, func(a, b *Contents) int { return b.Record.When.Compare(a.Record.When) })
}

// Assumption is the sentence that something was built on the builder that builds next.
func (r *Request) Assumption(what string) string {
	where := "here"
	if r.Answer != nil && r.Answer.Builder.Known() {
		where = "on " + r.Answer.Name
	}
	return what + " was built " + where
}

// join adds a build that is on record to those that the builder remembers. Where it is one of these, the record knows
// more of the files and the settings, and the builder more of what the steps took and what is left of them.
func (a *Answer) join(builds []*Contents, rec *record.Record) []*Contents {
	c := &Contents{File: parse([]byte(rec.Text)), Context: rec.Context, Record: rec}
	i := slices.IndexFunc(builds, func(b *Contents) bool { return !b.other && sameBuild(b.Record, rec) })
	if i >= 0 {
		joined := *rec
		old := builds[i]
		joined.Image = old.Record.Image
		if len(old.Record.Costs) > 0 {
			joined.Costs = old.Record.Costs
		}
		if len(old.Record.Hits) > 0 {
			joined.Hits = old.Record.Hits
		}
		if len(old.Record.Images) > 0 {
			joined.Images = maps.Clone(old.Record.Images)
		}
		for ref, image := range rec.Images { // the builder no longer has all configurations
			if joined.Images[ref].DigestOnly && joined.Images[ref].Digest == image.Digest {
				joined.Images[ref] = image
			}
		}
		c.Record, c.FailedAt, c.Results, c.Perhaps = &joined, old.FailedAt, old.Results, old.Perhaps
		builds[i] = c
		return builds
	}
	switch {
	case a.Emptied != "":
		c.Gone(a.Emptied)
	case !a.Oldest.IsZero() && rec.When.Before(a.Oldest):
		c.Gone(fmt.Sprintf("%s has removed what was built before %s.", a.Name, a.Oldest.Local().Format("Jan 2 15:04")))
	case a.Unknown:
		c.Perhaps = a.Silent + ", so it is not known what is in its cache."
	case a.Name != "" && a.asked():
		c.Perhaps = fmt.Sprintf("%s no longer remembers the build, so it may have removed the result.", a.Name)
	}
	return append(builds, c)
}

// asked reports whether the builder has answered.
func (a *Answer) asked() bool {
	return a.Complete || a.Unseen.Reason != "" || a.Emptied != "" || !a.Oldest.IsZero() || len(a.Builds)+len(a.Others) > 0
}

// doubt says of a build that is only assumed to have been made what the builder says of that.
func (a *Answer) doubt(c *Contents) *Contents {
	doubtful := *c
	switch {
	case a == nil:
		return c
	case a.Unknown:
		doubtful.Perhaps = a.Silent + ", so it is not known what is in its cache."
	case a.asked():
		doubtful.Perhaps = a.Name + " remembers no build of this Dockerfile, so perhaps none was made."
	default:
		return c
	}
	return &doubtful
}

// unseen are the results that the cache may hold beside what the builds of a baseline left. A build that a builder
// does not remember may have been made all the same.
func (r *Request) unseen(b *Baseline) cachemodel.Unseen {
	a := r.Answer
	if a.Unknown || a.Silent != "" && (b.Kind == string(Recorded) || b.Kind == string(None)) {
		return cachemodel.Unseen{Anything: true, Reason: a.Silent + ", so it is not known what is in its cache."}
	}
	return a.Unseen
}

// The time of a record is taken after its build has ended and its context was read once more.
const (
	recordedLater   = 15 * time.Second
	recordedEarlier = 2 * time.Second
)

// sameBuild reports whether a build of a builder's history is the recorded one.
func sameBuild(history, rec *record.Record) bool {
	if history.Ref != "" && rec.Ref != "" {
		return history.Ref == rec.Ref
	}
	later := rec.When.Sub(history.When)
	return history.Text == rec.Text && history.Settings.Target == rec.Settings.Target &&
		-recordedEarlier < later && later < recordedLater
}

// Gone says that nothing of the build is in the cache, with the reason, a sentence.
func (c *Contents) Gone(reason string) {
	c.Perhaps, c.Results = "", map[int]cachemodel.Result{}
	for _, in := range c.File.Instructions {
		c.Results[in.Line] = cachemodel.Result{Presence: cachemodel.Gone, Reason: reason}
	}
}

// MaxPasts is how many builds of a Dockerfile the next one is compared with: asking for them and comparing with them
// takes longer with each.
const MaxPasts = 24

// fromBuilds is the baseline of builds that were made.
func fromBuilds(r Request) Baseline {
	b := fromRecord(r.Record)
	b.Builds = r.builds[:min(len(r.builds), MaxPasts)]
	for _, c := range r.builds {
		if c.Record == r.Record {
			b.Contents = c
		}
	}
	if !slices.Contains(b.Builds, b.Contents) {
		b.Builds = append(b.Builds, b.Contents)
	}
	if b.Contents.FailedAt > 0 {
		b.Label += fmt.Sprintf(", which failed at line %d", b.Contents.FailedAt)
	}
	if b.Assumed = r.Assumed; b.Assumed == "" {
		b.Builder = r.builderName()
	}
	if a := r.Answer; b.Assumed == "" && a != nil && a.Silent != "" && !a.Unknown {
		b.Assumed = a.Name + " still has what it built"
	}
	return b
}

func (r *Request) builderName() string {
	if r.Answer == nil {
		return ""
	}
	return cmp.Or(r.Answer.Name, r.Answer.Builder.String())
}

// Pasts are the builds that were made, the oldest first, for comparing next with them. Those that are not on record
// have next's settings unless adjust, which may be nil, gives them those of their time.
func (b *Baseline) Pasts(
	next cachemodel.Build, store *record.Store, adjust func(*Contents, *cachemodel.Build),
) []cachemodel.Past {
	builds := b.Builds
	if builds == nil && b.Contents != nil {
		builds = []*Contents{b.Contents}
	}
	pasts := make([]cachemodel.Past, 0, len(builds))
	moved := movedImages(builds, b.Here)
	for _, c := range slices.Backward(builds) {
		build := c.Build(next, store)
		if adjust != nil {
			adjust(c, &build)
		}
		var other []string // than in the newest
		for _, ref := range slices.Sorted(maps.Keys(moved)) {
			if moved[ref].otherIn(c.Record) {
				other = append(other, ref)
			}
		}
		pasts = append(pasts, cachemodel.Past{
			Plan: cachemodel.NewPlan(build), FailedAt: c.FailedAt, Results: c.Results, Perhaps: c.Perhaps,
			Moved: other,
		})
	}
	return pasts
}

// Configs are the configurations of the images that the builds read for a platform and with named contexts that are
// images, by reference, as the newest build of each tells, or the builder of those that it has now. Which images they
// are is left out: the next build may find others.
func (b *Baseline) Configs(platform string, contexts map[string]string) map[string]cachemodel.Image {
	builds := b.Builds
	if builds == nil && b.Contents != nil {
		builds = []*Contents{b.Contents}
	}
	seen, known := map[string]bool{}, map[string]cachemodel.Image{}
	for ref, image := range b.Here {
		image.Digest = ""
		known[ref] = image
	}
	for _, c := range builds {
		if c.Record == nil {
			continue
		}
		for ref, image := range c.Record.Images {
			if here := b.Here[ref].Digest; here != "" && here != image.Digest {
				continue
			}
			if !seen[ref] { // of one image the same is known of all builds
				delete(known, ref)
			}
			same := c.Record.Settings.Platform == platform && c.Record.ContextImages[ref] == contexts[ref]
			if !seen[ref] && !image.DigestOnly && same {
				image.Digest = ""
				known[ref] = image
			}
			seen[ref] = true
		}
	}
	return known
}

// movedImage is a reference to an image that did not stand for the same image in all builds that are known.
type movedImage struct {
	ref, digest string    // digest is what it stood for in the newest
	since       time.Time // the first build since it last moved of which that is known
}

// movedImages are such references, by themselves. builds are the newest first; here is what the next one will find.
func movedImages(builds []*Contents, here map[string]cachemodel.Image) map[string]movedImage {
	last, moved := map[string]movedImage{}, map[string]movedImage{}
	for ref, image := range here {
		if image.Digest != "" {
			last[ref] = movedImage{ref, image.Digest, time.Now()}
		}
	}
	for _, c := range builds {
		if c.Record == nil {
			continue
		}
		for ref, image := range c.Record.Images {
			m, known := last[ref]
			_, gone := moved[ref]
			switch {
			case image.Digest == "" || gone:
			case !known || m.digest == image.Digest:
				last[ref] = movedImage{ref, image.Digest, c.Record.When}
			default:
				moved[ref] = m
			}
		}
	}
	return moved
}

// otherIn reports whether the reference stood, or may have stood, for another image in a build than in the newest.
func (m movedImage) otherIn(r *record.Record) bool {
	if r == nil {
		return false
	}
	digest := r.Images[m.ref].Digest
	return digest != m.digest && (digest != "" || r.When.Before(m.since))
}
