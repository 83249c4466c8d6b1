// Package reorder finds rewrites of a Dockerfile that leave the image as it is and let more of the next builds come
// from the cache: Suggest for the classic builder, Search for BuildKit.
//
// Each rewrite has a grade that says how sure it is that the image stays the same. The package is pure: the files of
// the build context and how often they change come in through Model. It must not know the cache of a machine or a
// protocol.
package reorder

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Engine is the builder that a rewrite is meant for.
type Engine string

// The engines. To the classic builder every instruction is a step with a cache entry of its own; to BuildKit only
// those are that make or change files, and ENV, CMD and the like only fill in the image's configuration.
const (
	BuildKit Engine = "buildkit"
	Classic  Engine = "classic"
)

// Grade says how sure it is that a rewrite leaves the image as it is.
type Grade string

// The grades, the surest first. Only of the first two it may be said that the image stays the same.
const (
	// Proved means that the instructions that change places are independent by the text alone: no command's nature is
	// assumed.
	Proved Grade = "proved"
	// Verified means that both files were built, and the images were the same.
	Verified Grade = "verified"
	// Likely means that it rests on facts about tools, which may be wrong or incomplete.
	Likely Grade = "likely"
)

// Certain reports whether the image is known to stay the same, so that the rewrite may be applied without asking.
func (g Grade) Certain() bool { return g == Proved || g == Verified }

// Rewrite is one change to one stage.
type Rewrite struct {
	Title       string // imperative, as an editor's menu shows it
	Explanation string // what is gained, why it is safe and what it costs; one sentence or more per line
	Grade       Grade
	Facts       []string    // what a Likely one rests on, a sentence each
	Stage       int         // index into File.Stages
	Span        source.Span // of the stage
	Edits       []source.Edit
	// Ignore are lines that the ignore file must get with the edits: a working tree may have what they name, and it
	// would be copied over what an installation makes.
	Ignore []string
	// Before and After are what all builds of the model cost, with the file as it is and with the rewrite, in seconds;
	// 0 where nothing was counted.
	Before, After float64
	// Parts are the improvements that the rewrite is made of and that gain something each alone, if there is more than
	// one. Only one of them can be applied, or else the whole rewrite.
	Parts  []Rewrite
	mounts bool     // it adds cache mounts, and moves nothing
	gains  []string // the sentences of the explanation that say how often steps run
}

// Verify grades a rewrite as verified: both files were built, and the images were the same. The facts that it rested on
// count no more.
func (r *Rewrite) Verify() {
	if r.Grade != Likely {
		return
	}
	r.Grade, r.Facts = Verified, nil
	var lines []string
	for _, line := range strings.Split(r.Explanation, "\n") {
		if line == restsOn {
			line = "The image stays the same: both files were built, and the images compared."
		}
		if !strings.HasPrefix(line, "- ") {
			lines = append(lines, line)
		}
	}
	r.Explanation = strings.Join(lines, "\n")
}

// Gain says in one sentence what is gained most: how often a step would have run, and runs today. It is "" where
// nothing was counted.
func (r *Rewrite) Gain() string {
	if len(r.gains) == 0 {
		return ""
	}
	return r.gains[0]
}

// Suggest returns the rewrites of file that gain something with the engine, at most one per stage, in order. Their
// edits do not overlap, so all can be applied together; after that Suggest returns none. A file with errors gets none.
func Suggest(file *dockerfile.File, engine Engine) []Rewrite {
	if engine != Classic || broken(file) {
		return nil
	}
	alone := make([]change, len(file.Stages)) // joined without being raised
	for i := range alone {
		alone[i] = join(file, i)
	}
	// What is raised from between two ENVs lets them be joined, so first all is raised and then joined.
	changes := make([]change, len(file.Stages))
	parts := make([][]change, len(file.Stages))
	var raised []source.Edit
	for i := range changes {
		changes[i] = raise(file, i)
		parts[i] = []change{changes[i], alone[i]}
		raised = append(raised, changes[i].edits...)
	}
	slices.SortStableFunc(raised, byStart)
	between := apply(file, raised)
	if between == nil || len(between.Stages) != len(file.Stages) {
		return nil
	}
	saved := 0
	var joins []source.Edit
	for i := range changes {
		joined := join(between, i)
		joins = append(joins, joined.edits...)
		changes[i] = changes[i].and(joined)
		changes[i].edits = nil
		saved += joined.saved
	}
	all := compose(file.Text.Len(), raised, joins)
	for _, e := range all {
		i, _ := slices.BinarySearchFunc(
			file.Stages,
			e.Span.Start+1,
			func(s *dockerfile.Stage, at int) int { return s.Span.Start - at },
		)
		changes[i-1].edits = append(changes[i-1].edits, e)
	}
	// What the words mean together is for the parser to say.
	if after := apply(file, all); after == nil || broken(after) ||
		len(after.Instructions) != len(file.Instructions)-saved {
		return nil
	}
	var rewrites []Rewrite
	for i, c := range changes {
		if len(c.edits) > 0 {
			r := c.rewrite(i, file.Stages[i].Span)
			for _, part := range parts[i] {
				if len(parts[i][0].edits) > 0 && len(parts[i][1].edits) > 0 {
					r.Parts = append(r.Parts, part.rewrite(i, file.Stages[i].Span))
				}
			}
			rewrites = append(rewrites, r)
		}
	}
	return rewrites
}

// NothingGained says why Suggest, and for BuildKit Search, find nothing for file.
func NothingGained(file *dockerfile.File, engine Engine) string {
	switch {
	case tooLarge(file):
		return fmt.Sprintf("No order is searched for in a file of more than %d instructions or %d KiB.",
			maxInstructions, dockerfile.MostBytes>>10)
	case broken(file):
		return "The file has errors: fix them first (layerwise check lists them)."
	case engine == Classic:
		return "Nothing to gain from raising or joining what only configures the image: none of it stands below a " +
			"COPY or ADD that it could be raised over, and no two ENVs or LABELs can be joined."
	}
	return "No other order is known that keeps the image and rebuilds noticeably less. layerwise reorder --explain " +
		"says why, step by step."
}

func onlySet(words []string) string {
	if len(words) == 1 {
		return words[0] + " only sets"
	}
	return enumerate(words) + " only set"
}

func enumerate(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// maxInstructions is in how many instructions an order is searched for: four times what the largest file has that we
// know of. What each depends on takes long to find.
const maxInstructions = 1000

// tooLarge reports whether no order is searched for. Besides, what is not read to its end may need what stands above.
func tooLarge(file *dockerfile.File) bool {
	return file.TooLarge() || len(file.Instructions) > maxInstructions
}

// broken reports whether nothing is to be moved in a file.
func broken(file *dockerfile.File) bool {
	return tooLarge(file) || slices.ContainsFunc(file.Problems, func(p dockerfile.Problem) bool { return !p.Warning })
}

// change is what is done to one stage.
type change struct {
	edits   []source.Edit
	titles  []string
	reasons []string
	saved   int // instructions that are gone
}

func (c change) and(o change) change {
	edits := slices.Concat(c.edits, o.edits)
	slices.SortStableFunc(edits, byStart)
	return change{edits, slices.Concat(c.titles, o.titles), slices.Concat(c.reasons, o.reasons), c.saved + o.saved}
}

func (c change) rewrite(stage int, span source.Span) Rewrite {
	title := strings.Join(c.titles, ", ")
	slices.SortStableFunc(c.edits, byStart)
	reasons := append(c.reasons, "The first build after this change runs everything below it once more.")
	return Rewrite{
		Title:       strings.ToUpper(title[:1]) + title[1:] + " (classic builder)",
		Explanation: strings.Join(reasons, "\n"),
		Grade:       Proved,
		Stage:       stage,
		Span:        span,
		Edits:       c.edits,
	}
}

func apply(file *dockerfile.File, edits []source.Edit) *dockerfile.File {
	text, err := source.Apply(file.Text.String(), edits)
	if err != nil {
		return nil
	}
	return dockerfile.Parse(source.New(text), file)
}

func byStart(a, b source.Edit) int { return a.Span.Start - b.Span.Start }

// piece is a part of a changed text: what is inserted, or a span that is kept of the text before.
type piece struct {
	inserted string
	kept     source.Span
}

func (p piece) len() int { return len(p.inserted) + p.kept.Len() }

// compose gives the edits to a text of so many bytes that do what the earlier ones do and then the later ones, which
// are for the text that the earlier ones make. Both are in order.
func compose(length int, earlier, later []source.Edit) (edits []source.Edit) {
	pieces := edited(edited([]piece{{kept: source.Span{End: length}}}, earlier), later)
	inserted, at := "", 0
	for _, p := range append(pieces, piece{kept: source.Span{Start: length, End: length}}) {
		if p.inserted != "" {
			inserted += p.inserted
			continue
		}
		if inserted != "" || p.kept.Start > at {
			edits = append(edits, source.Edit{Span: source.Span{Start: at, End: p.kept.Start}, NewText: inserted})
		}
		inserted, at = "", p.kept.End
	}
	return edits
}

// edited applies edits to the text that the pieces are.
func edited(pieces []piece, edits []source.Edit) (result []piece) {
	take := func(n int) (taken []piece) {
		for n > 0 {
			p := pieces[0]
			pieces = pieces[1:]
			if rest := p; p.len() > n {
				if p.inserted != "" {
					p.inserted, rest.inserted = p.inserted[:n], p.inserted[n:]
				} else {
					p.kept.End, rest.kept.Start = p.kept.Start+n, p.kept.Start+n
				}
				pieces = append([]piece{rest}, pieces...)
			}
			taken = append(taken, p)
			n -= p.len()
		}
		return taken
	}
	at := 0
	for _, e := range edits {
		result = append(result, take(e.Span.Start-at)...)
		take(e.Span.Len())
		if e.NewText != "" {
			result = append(result, piece{inserted: e.NewText})
		}
		at = e.Span.End
	}
	return append(result, pieces...)
}
