package reorder

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// A rewrite is offered if it saves this share of what the builds of the file cost, or this many milliseconds a build.
// Only what RUNs cost counts: nobody waits for a COPY.
const (
	leastShare    = 20 // one in
	leastSaving   = 1000
	leastPerBuild = 5000
	leastCounted  = 2000 // what a RUN takes at least for it to count: nobody waits for a mkdir either
)

// Offers is what a search for better orders came to.
type Offers struct {
	// Rewrites are at most one for a stage, in order; their edits do not overlap.
	Rewrites []Rewrite
	// Ignoring are those that keep the image only together with lines in the ignore file: see Rewrite.Ignore.
	Ignoring []Rewrite
	// Partial says that the search was ended early, so that there may be better ones.
	Partial bool
}

// Search looks, for BuildKit, for the rewrite of each stage that saves most on the model's builds. It moves what may be
// moved, and splits COPYs where an installation needs only some of the files. When ctx ends it gives what it has found
// so far. It finds none for a file with errors.
func Search(ctx context.Context, file *dockerfile.File, model Model) Offers {
	if broken(file) || model.Seconds == nil {
		return Offers{}
	}
	model.weigh(file)
	stages, _ := model.stageBuilds(file, nil)
	before := model.total(file)
	model.expected = before
	var offers Offers
	for i := range file.Stages {
		if ctx.Err() != nil {
			offers.Partial = true
			break
		}
		stage := file.Stages[i]
		if len(stage.Instructions) < 3 || len(stage.Instructions) > maxItems || !separate(file, stage) {
			continue
		}
		all := model.effects(file, i)
		model.pairs = newPairs(all)
		rewrite, ok := model.order(ctx, file, i, all, stages)
		if mounted, also := model.mount(ctx, file, i, all, stages); also && ok {
			rewrite.Parts = append(rewrite.Parts, mounted) // to be taken by itself
		} else if also {
			rewrite, ok = mounted, true
		}
		if !ok {
			continue
		}
		// The model looks at the result once more, as at a file of its own.
		after := apply(file, rewrite.Edits)
		if after == nil || broken(after) || len(after.Stages) != len(file.Stages) {
			continue
		}
		cost := model.total(after)
		rewrite.Before, rewrite.After = secondsOf(before), secondsOf(cost)
		for k := range rewrite.Parts {
			part := &rewrite.Parts[k]
			if after := apply(file, part.Edits); after != nil {
				part.Before, part.After = secondsOf(before), secondsOf(model.total(after))
			}
		}
		switch {
		case before-cost < leastSaving && !rewrite.mounts:
		case len(rewrite.Ignore) > 0:
			offers.Ignoring = append(offers.Ignoring, rewrite)
		default:
			offers.Rewrites = append(offers.Rewrites, rewrite)
		}
	}
	offers.Partial = offers.Partial || ctx.Err() != nil
	return offers
}

// secondsOf gives milliseconds as seconds.
func secondsOf(n int64) float64 { return float64(n) / 1000 }

// effects are those of the instructions of stage i. A lock file that a plain install writes anew in another form counts
// as written only if it may leave the stage.
func (m *Model) effects(file *dockerfile.File, i int) []effects.Effects {
	all := effects.Stage(file, file.Stages[i], bases(file, i), m.Context)
	settle := func(e *effects.Effects, step int) {
		for _, lock := range e.Locks {
			if m.target(file, i) || len(derived(file, i)) > 1 || taken(file, []int{i}, lock) ||
				slices.ContainsFunc(all[step+1:], func(o effects.Effects) bool { return o.LooksAt(lock) }) {
				e.Writes = append(e.Writes, lock)
			} else {
				e.Facts = append(e.Facts, "what the installation changes "+
					"in "+path.Base(lock)+" is not looked at by later steps of the stage")
			}
		}
	}
	for k := range all {
		e := &all[k]
		settle(e, k)
		for p := range e.Parts {
			settle(&e.Parts[p].Effects, k)
		}
	}
	return all
}

// bases gives the stages that a stage is built upon, the first one first.
func bases(file *dockerfile.File, i int) (list []*dockerfile.Stage) {
	for b := stageNamed(file, file.Stages[i].Base.Text, i); b >= 0; b = stageNamed(file, file.Stages[b].Base.Text, b) {
		list = append([]*dockerfile.Stage{file.Stages[b]}, list...)
	}
	return list
}

// plan is a stage with its instructions in another order.
type plan struct {
	entries []entry
	items   []item
	order   []int
	cost    int64
	above   builds   // when the stage that it is built upon changes
	changed []builds // when each item changes, also at the builds that are held back from the search
	splits  []split
	pairs   *pairs
}

// order is the best rewrite of stage i, with the mounts that are given.
func (m *Model) order(
	ctx context.Context,
	file *dockerfile.File,
	i int,
	all []effects.Effects,
	stages []builds,
) (Rewrite, bool) {
	stage := file.Stages[i]
	above := m.base(file, i, stages).without(m.heldBack)
	now := m.inPlace(ctx, file, stage, all, stages)

	solve := func(chosen []split) (plan, bool) {
		p := m.plan(ctx, file, stage, all, chosen, stages)
		if p.entries == nil || len(p.items) > maxItems {
			return p, false
		}
		p.order = search(ctx, p.items, above)
		p.cost, _ = costOf(p.items, p.order, above)
		return p, true
	}
	chosen := splits(stage, all, m.Context, m.target(file, i))
	best, ok := solve(chosen)
	if !ok && len(chosen) > 0 {
		best, ok = solve(nil)
	}
	if !ok {
		return Rewrite{}, false
	}
	// A split that saves nothing is left out.
	for k := len(best.splits) - 1; k >= 0 && len(best.splits) <= 8 && ctx.Err() == nil; k-- {
		if p, ok := solve(slices.Delete(slices.Clone(best.splits), k, k+1)); ok && p.cost <= best.cost+worth(now.cost) {
			best = p
		}
	}
	best = settle(ctx, best, above, worth(now.cost))
	if !m.gains(&now, &best) {
		return Rewrite{}, false
	}
	whole, ok := m.rewrite(file, stage, &now, &best)
	if !ok {
		return Rewrite{}, false
	}
	for _, alone := range m.alone(ctx, file, stage, all, &best, stages) {
		if ctx.Err() != nil {
			break
		}
		alone.order = search(ctx, alone.items, above)
		alone.cost, _ = costOf(alone.items, alone.order, above)
		alone = settle(ctx, alone, above, worth(now.cost))
		if part, ok := m.rewrite(file, stage, &now, &alone); ok && m.gains(&now, &alone) &&
			!slices.ContainsFunc(
				append(whole.Parts, whole),
				func(o Rewrite) bool { return slices.Equal(o.Edits, part.Edits) },
			) {
			whole.Parts = append(whole.Parts, part)
		}
	}
	return whole, true
}

// inPlace is a stage in the order that it has, with the mounts that are given.
func (m *Model) inPlace(
	ctx context.Context,
	file *dockerfile.File,
	stage *dockerfile.Stage,
	all []effects.Effects,
	stages []builds,
) plan {
	p := m.plan(ctx, file, stage, all, nil, stages)
	p.order = identity(len(p.items))
	p.cost, _ = costOf(p.items, p.order, p.above.without(m.heldBack))
	return p
}

// gains reports whether a plan saves enough to be offered: also on the builds that were held back, of which the search
// knew nothing.
func (m *Model) gains(now, then *plan) bool {
	saved := m.saved(now, then, nil)
	if saved < leastSaving || saved < m.expected/leastShare && saved < leastPerBuild*int64(m.builds()) {
		return false
	}
	if m.heldBack == nil {
		return true
	}
	saved = m.saved(now, then, m.heldBack)
	return saved >= m.expectedOf(m.heldBack)/leastShare || saved >= leastPerBuild*m.heldBack.count()
}

// saved is what a plan saves of what RUNs cost, at these builds or, if they are nil, at all that there were.
func (m *Model) saved(now, then *plan, at builds) (sum int64) {
	for _, p := range []*plan{now, then} {
		for k, n := range p.executions(m.every().and(at)) {
			if p.entries[k].in.Meant != "RUN" || p.items[k].cost < leastCounted {
				continue
			}
			if p == now {
				sum += n * p.items[k].cost
			} else {
				sum -= n * p.items[k].cost
			}
		}
	}
	return sum
}

// expectedOf is what the file's builds cost at these.
func (m *Model) expectedOf(at builds) int64 {
	return m.expected * at.count() / max(1, int64(m.builds()))
}

// executions is how often each entry runs at these builds.
func (p *plan) executions(at builds) []int64 {
	items := slices.Clone(p.items)
	for k := range items {
		items[k].changed = p.changed[k].and(at)
	}
	_, runs := costOf(items, p.order, p.above.and(at))
	return runs
}

// mostParts is how many improvements a rewrite may have for them to be offered one by one, too.
const mostParts = 8

// alone gives, for each split and each move of the best plan, the plan in which nothing else may change its place.
func (m *Model) alone(
	ctx context.Context,
	file *dockerfile.File,
	stage *dockerfile.Stage,
	all []effects.Effects,
	best *plan,
	stages []builds,
) (plans []plan) {
	moved := movedOf(*best)
	if len(best.splits) == 0 && len(moved) < 2 || len(best.splits)+len(moved) > mostParts {
		return nil
	}
	add := func(chosen []split, of int) {
		p := m.plan(ctx, file, stage, all, chosen, stages)
		for b := range p.entries {
			for a := range b {
				free := p.entries[a].of == of || p.entries[b].of == of || p.entries[a].copy || p.entries[b].copy
				if !free && !slices.Contains(p.items[b].before, a) {
					p.items[b].before = append(p.items[b].before, a)
				}
			}
		}
		plans = append(plans, p)
	}
	runs := map[int][]split{}
	for _, s := range best.splits {
		runs[s.run] = append(runs[s.run], s)
	}
	for _, run := range slices.Sorted(maps.Keys(runs)) {
		add(runs[run], run)
	}
	for _, k := range moved {
		e := best.entries[k]
		if e.text == "" &&
			!slices.ContainsFunc(best.splits, func(s split) bool { return s.copy == e.of || s.run == e.of }) {
			add(nil, e.of)
		}
	}
	return plans
}

// worth is what a single change must save at least.
func worth(cost int64) int64 { return max(leastSaving/2, cost/500) }

func identity(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// separate reports whether each instruction of a stage has lines of its own.
func separate(file *dockerfile.File, stage *dockerfile.Stage) bool {
	last := -1
	for _, in := range stage.Instructions {
		lines := block(file, in)
		if lines.first <= last {
			return false
		}
		last = lines.last
	}
	return true
}

// plan works out what depends on what. When ctx ends, what was not reached stays where it is.
func (m *Model) plan(
	ctx context.Context,
	file *dockerfile.File,
	stage *dockerfile.Stage,
	all []effects.Effects,
	chosen []split,
	stages []builds,
) plan {
	p := plan{
		entries: entries(file, stage, all, chosen),
		splits:  chosen,
		above:   m.base(file, stage.Index, stages),
		pairs:   m.pairs,
	}
	list := make([]*dockerfile.Instruction, len(p.entries))
	for k, e := range p.entries {
		in := *e.in
		in.Stage = stage.Index
		list[k] = &in
	}
	p.items = m.items(list, file, stages)
	for k := range p.items {
		p.changed = append(p.changed, p.items[k].changed)
		p.items[k].changed = p.items[k].changed.without(m.heldBack)
	}
	m.give(file, &p)
	for b := range p.entries {
		late := ctx.Err() != nil
		for a := range b {
			if a == 0 || late || !p.free(a, b) || p.dearer(a, b) {
				p.items[b].before = append(p.items[b].before, a)
			}
		}
	}
	return p
}

// dearer reports whether a, a RUN, costs more than b, a copy from the build context below it: an edit of what b copies
// must not make a run again, however seldom there was one.
func (p *plan) dearer(a, b int) bool {
	x, y := &p.entries[a], &p.entries[b]
	from, _ := y.in.Command.(*instructions.CopyCommand)
	return x.in.Meant == "RUN" && copies(y.in) && (from == nil || from.From == "") && p.items[a].cost > p.items[b].cost
}

// free reports whether two entries may change places.
func (p *plan) free(a, b int) bool {
	x, y := &p.entries[a], &p.entries[b]
	if s, ok := p.split(x, y); ok {
		_, ok := s.facts(p, x, y)
		return ok
	}
	if x.copy && slices.ContainsFunc(p.splits, func(s split) bool { return s.copy == x.of && s.run == y.of }) {
		return false // also where it copies nothing yet
	}
	if x.of == y.of && (x.copy || y.copy || x.whole != nil || y.whole != nil) {
		return false // they are made of one instruction
	}
	if p.enters(y, x.of) {
		return !x.copy && !x.eff.Linked && (x.rooted != "" || !slices.Contains(x.eff.Reads, "cwd"))
	}
	return p.relation(x, y).free
}

// enters reports whether y is a WORKDIR in a directory that a COPY above brings, and that the manifests of that COPY
// bring, too: it is there, whether the rest of the COPY stands above the WORKDIR or below.
func (p *plan) enters(y *entry, of int) bool {
	if y.in.Meant != "WORKDIR" || y.eff.Cwd == "" {
		return false
	}
	return slices.ContainsFunc(p.entries, func(e entry) bool {
		return e.copy && e.of == of && slices.ContainsFunc(e.eff.Writes, func(w string) bool {
			return strings.HasPrefix(w, y.eff.Cwd+"/")
		})
	}) && !slices.ContainsFunc(p.entries, func(e entry) bool { // else it is a matter of who makes it first
		return !e.copy && e.of == of && e.eff.Dest == y.eff.Cwd && !slices.Contains(e.eff.Reads, "cwd")
	})
}

// passed reports whether a WORKDIR that stands below an entry in the file stands above it now.
func (p *plan) passed(k int) bool {
	return slices.ContainsFunc(p.order[:slices.Index(p.order, k)], func(o int) bool {
		return o > k && p.entries[o].in.Meant == "WORKDIR"
	})
}

// relation says whether two entries may change places, if no split lets them.
func (p *plan) relation(x, y *entry) relation {
	find := func() ([]string, bool) { return p.independent(x, y) }
	if x.text != "" || y.text != "" || x.whole != nil || y.whole != nil ||
		slices.ContainsFunc(p.splits, func(s split) bool { return s.copy == x.of }) {
		facts, ok := find()
		return relation{facts, ok}
	}
	return p.pairs.of(x, y, find)
}

// independent is what effects says, where the directories of a COPY are there already if the manifests of it stand
// above.
func (p *plan) independent(x, y *entry) ([]string, bool) {
	eff := x.eff
	if len(eff.Makes) > 0 && !x.copy && slices.ContainsFunc(p.splits, func(s split) bool { return s.copy == x.of }) {
		eff.Makes = p.unmade(x)
	}
	return effects.Independent(&eff, &y.eff)
}

// unmade are the directories that a COPY makes and that no COPY of manifests of it has made before.
func (p *plan) unmade(x *entry) map[string]string {
	left := map[string]string{}
	for dir, how := range x.eff.Makes {
		if !slices.ContainsFunc(
			p.entries,
			func(e entry) bool { return e.copy && e.of == x.of && e.eff.Makes[dir] == how },
		) {
			left[dir] = how
		}
	}
	return left
}

// split gives the split that lets y, an installation, stand above x, a COPY.
func (p *plan) split(x, y *entry) (split, bool) {
	for _, s := range p.splits {
		if s.copy == x.of && !x.copy && s.run == y.of && y.whole == nil && !y.copy {
			return s, true
		}
	}
	return split{}, false
}

// facts: the files that the installation reads stand there already, and the directories that both need.
func (s *split) facts(p *plan, x, y *entry) ([]string, bool) {
	eff := x.eff.WithWrites(
		slices.DeleteFunc(slices.Clone(x.eff.Writes), func(w string) bool { return strings.HasPrefix(w, "/") }),
	)
	eff.Makes = p.unmade(x)
	facts, ok := effects.Independent(&eff, &y.eff)
	if !slices.Contains(facts, effects.NothingNew) {
		facts = append(facts, effects.NothingNew)
	}
	return facts, ok
}

// settle puts back what was moved for less than it is worth.
func settle(ctx context.Context, p plan, above builds, worth int64) plan {
	budget := allSteps / (len(p.order) + 1) // of orders that are tried
	for range len(p.order) {
		changed := false
		for _, k := range movedOf(p) {
			if budget < 0 || ctx.Err() != nil {
				return p
			}
			rest := slices.DeleteFunc(slices.Clone(p.order), func(o int) bool { return o == k })
			low, high := 0, len(rest)
			for at, o := range rest {
				if slices.Contains(p.items[k].before, o) {
					low = at + 1
				}
				if slices.Contains(p.items[o].before, k) {
					high = min(high, at)
				}
			}
			place, fewest := -1, inversions(p.order)
			for at := low; at <= high; at++ {
				order := slices.Insert(slices.Clone(rest), at, k)
				budget--
				if n := inversions(order); n < fewest {
					if cost, _ := costOf(p.items, order, above); cost <= p.cost+worth/int64(len(p.order)) {
						place, fewest = at, n
					}
				}
			}
			if place >= 0 {
				p.order = slices.Insert(rest, place, k)
				p.cost, _ = costOf(p.items, p.order, above)
				changed = true
				break
			}
		}
		if !changed {
			break
		}
	}
	return p
}

func inversions(order []int) (n int) {
	var done mask
	for _, k := range order {
		n += k - done.below(k)
		done.add(k)
	}
	return n
}

// movedOf gives the entries that do not keep their place: all but the heaviest sequence that is in order, by lines of
// text. What is cut keeps its place.
func movedOf(p plan) []int {
	n := len(p.order)
	weight, prev := make([]int, n), make([]int, n)
	end := -1
	for i, k := range p.order {
		own := 2
		if e := p.entries[k]; e.text != "" {
			own = 0
		} else {
			own += e.in.EndLine - e.in.Line
			if e.whole != nil || k == 0 {
				own = 10000
			}
		}
		weight[i], prev[i] = own, -1
		for j := range i {
			if p.order[j] < k && weight[j]+own > weight[i] {
				weight[i], prev[i] = weight[j]+own, j
			}
		}
		if end < 0 || weight[i] > weight[end] {
			end = i
		}
	}
	keeps := map[int]bool{}
	for ; end >= 0; end = prev[end] {
		keeps[p.order[end]] = true
	}
	var moved []int
	for _, k := range p.order {
		if p.entries[k].text != "" || !keeps[k] {
			moved = append(moved, k)
		}
	}
	return moved
}

// mostIgnored is how many lines the ignore file may have to get for an order.
const mostIgnored = 3

func itThem(list []string) string {
	if len(list) == 1 {
		return "it"
	}
	return "them"
}

// ignore gives what must be kept out of the build context: what a step makes that now stands above a COPY that would
// bring it, too, from a working tree that has it.
func (p *plan) ignore(context effects.Context) (lines []string) {
	for i, k := range p.order {
		for _, o := range p.order[:i] {
			x, y := &p.entries[k], &p.entries[o]
			if o < k || len(x.eff.Trees) == 0 || p.enters(y, x.of) {
				continue
			}
			for _, place := range slices.Concat(y.eff.Writes, y.eff.Named, slices.Collect(maps.Keys(y.eff.Makes))) {
				for _, at := range x.eff.Within(place) {
					if at = strings.TrimSuffix(at, "/"); !context.Excluded(at) && !slices.Contains(lines, at) {
						lines = append(lines, at)
					}
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// copies reports whether a COPY names what is at a path of the build context, or below it.
func (p *plan) copies(at string) bool {
	return slices.ContainsFunc(p.entries, func(e entry) bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(e.eff.Copies)), func(from string) bool {
			return from == at || strings.HasPrefix(from, at+"/")
		})
	})
}

// broadened puts one line in place of several for directories of one name, if these are more than the ignore file may
// get, and the context has no other directory of that name.
func (m *Model) broadened(lines []string) []string {
	if len(lines) <= mostIgnored {
		return lines
	}
	times := map[string]int{}
	for _, at := range lines {
		times[path.Base(at)]++
	}
	var broad []string
	for _, at := range lines {
		if name := path.Base(at); times[name] > 1 && !m.hasElsewhere(name, lines) {
			at = "**/" + name
		}
		broad = append(broad, at)
	}
	slices.Sort(broad)
	return slices.Compact(broad)
}

// hasElsewhere reports whether the context may have a file or directory of this name in another place than these.
func (m *Model) hasElsewhere(name string, places []string) bool {
	budget := mostRead
	var look func(dir string) bool
	look = func(dir string) bool {
		return slices.ContainsFunc(m.Context.List(dir), func(child string) bool {
			at := path.Join(dir, strings.TrimRight(child, "/@"))
			budget--
			return budget < 0 || !slices.Contains(places, at) &&
				(path.Base(at) == name || strings.HasSuffix(child, "/") && look(at))
		})
	}
	return look(".")
}

// restsOn introduces the facts of a Likely rewrite.
const restsOn = "It is likely, not certain, that the image stays the same: nobody has built both yet. That rests on:"

// rewrite puts a plan into words and edits.
func (m *Model) rewrite(file *dockerfile.File, stage *dockerfile.Stage, now, best *plan) (Rewrite, bool) {
	moved := movedOf(*best)
	edits, ok := best.edits(file, moved)
	if !ok {
		return Rewrite{}, false
	}
	facts := best.facts()
	grade := Proved
	nowRuns, bestRuns := now.executions(m.every()), best.executions(m.every())
	kept, keptWhy, keptGains, keptFacts := m.mountWords(best, bestRuns)
	facts = append(facts, keptFacts...)
	if len(facts) > 0 || len(best.splits) > 0 {
		grade = Likely
	}
	ignore := best.ignore(m.Context)
	if slices.ContainsFunc(ignore, func(at string) bool { return m.Context.Keeps(at) || best.copies(at) }) {
		return Rewrite{}, false
	}
	if ignore = m.broadened(ignore); len(ignore) > mostIgnored {
		return Rewrite{}, false
	}
	r := Rewrite{
		Grade:  grade,
		Facts:  facts,
		Ignore: ignore,
		Stage:  stage.Index,
		Span:   stage.Span,
		Edits:  edits,
	}
	var titles, reasons []string
	type title struct {
		at    int
		files []string
	}
	installs := map[int]*title{} // by RUN: what it needs
	for _, s := range best.splits {
		if s.copy < 0 {
			first := slices.IndexFunc(best.entries, func(e entry) bool { return e.of == s.run })
			titles = append(titles, "run "+s.what+" "+where(best, first))
			reasons = append(
				reasons,
				fmt.Sprintf(
					"%s (line %d) goes %s by itself.",
					s.what,
					stage.Instructions[s.run].Line,
					where(best, first),
				),
			)
			continue
		}
		if len(s.files) == 0 {
			if installs[s.run] == nil {
				titles = append(titles, "move "+brief(stage.Instructions[s.copy])+" below "+s.what)
			}
			reasons = append(
				reasons,
				fmt.Sprintf(
					"What %s (line %d) needs of line %d stands there already, so that the rest is copied below it.",
					s.what,
					stage.Instructions[s.run].Line,
					stage.Instructions[s.copy].Line,
				),
			)
			continue
		}
		t := installs[s.run]
		if t == nil {
			t = &title{at: len(titles)}
			titles = append(titles, "")
			installs[s.run] = t
		}
		t.files = append(t.files, s.files...)
		titles[t.at] = fmt.Sprintf("copy %s before %s", few(t.files), s.what)
		reasons = append(
			reasons,
			fmt.Sprintf(
				"Only %s (of line %d) %s needed by %s (line %d), so that the rest is copied below it.",
				enumerate(
					s.files,
				),
				stage.Instructions[s.copy].Line,
				isAre(s.files),
				s.what,
				stage.Instructions[s.run].Line,
			),
		)
	}
	var others []int
	for _, k := range moved {
		e := best.entries[k]
		if e.text != "" || slices.ContainsFunc(best.splits, func(s split) bool { return s.copy == e.of }) {
			continue
		}
		others = append(others, k)
		reasons = append(reasons, fmt.Sprintf("%s (line %d) goes %s.", brief(e.in), e.in.Line, where(best, k)))
	}
	if len(others) > 0 {
		titles = append(titles, movesTitle(now, best, nowRuns, bestRuns, others))
	}
	if len(titles)+len(kept) == 0 {
		return Rewrite{}, false
	}
	for k, e := range best.entries {
		if edit := best.rootedEdit(k); edit.NewText != "" {
			reasons = append(reasons, fmt.Sprintf("%s (line %d) comes to stand below a WORKDIR, so it names %s itself.",
				brief(e.in), e.in.Line, edit.NewText))
		}
	}
	titles, reasons = append(titles, kept...), append(reasons, keptWhy...)
	r.Title = strings.ToUpper(titles[0][:1]) + strings.Join(titles, ", ")[1:]
	r.gains = append(m.gain(now, best, nowRuns, bestRuns), keptGains...)
	reasons = append(reasons, r.gains...)
	if len(ignore) > 0 {
		reasons = append(
			reasons,
			fmt.Sprintf(
				"The ignore file gets %s: where a working tree has %s, it would be copied over what is installed.",
				enumerate(ignore),
				itThem(ignore),
			),
		)
	}
	if grade == Likely {
		reasons = append(reasons, restsOn)
		for _, f := range facts {
			reasons = append(reasons, "- "+f)
		}
	} else {
		reasons = append(reasons, "The image stays the same: nothing that changes places reads or writes the same "+
			"files or settings.")
	}
	reasons = append(reasons, "The first build after this change runs everything below it once more.")
	r.Explanation = strings.Join(reasons, "\n")
	return r, true
}

// movesTitle says in short what moves: of several instructions, what is gained by it.
func movesTitle(now, best *plan, nowRuns, bestRuns []int64, moved []int) string {
	// The RUN that gains most by what now comes below it.
	top, most, passed := -1, int64(0), []int(nil)
	gaining := 0
	for at, k := range best.order {
		e := best.entries[k]
		if e.in.Meant != "RUN" || e.text != "" || e.whole != nil {
			continue
		}
		var below []int
		for _, o := range best.order[at+1:] {
			if o < k && best.entries[o].text == "" {
				below = append(below, o)
			}
		}
		was := slices.IndexFunc(now.entries, func(o entry) bool { return o.of == e.of })
		gain := (nowRuns[was] - bestRuns[k]) * best.items[k].cost
		if len(below) == 0 || gain <= 0 {
			continue
		}
		gaining++
		if gain > most {
			top, most, passed = k, gain, below
		}
	}
	if len(moved) == 1 && (top != moved[0] || len(passed) == 1) {
		return "move " + brief(best.entries[moved[0]].in) + " " + where(best, moved[0])
	}
	if top < 0 {
		return fmt.Sprintf(
			"move %s %s and %s",
			brief(best.entries[moved[0]].in),
			where(best, moved[0]),
			count(len(moved)-1, "other instruction"),
		)
	}
	title := brief(best.entries[top].in)
	need := "it does not need"
	if gaining > 1 {
		title, need = title+" and "+count(gaining-1, "other command"), "they do not need"
	}
	if len(passed) == 1 {
		return "run " + strings.TrimPrefix(title, "RUN ") + " above " + brief(best.entries[passed[0]].in)
	}
	kind := "instruction"
	if !slices.ContainsFunc(passed, func(o int) bool { return best.entries[o].in.Meant != "COPY" }) {
		kind = "COPY"
	}
	return "run " + strings.TrimPrefix(title, "RUN ") + " above " + count(len(passed), kind) + " that " + need
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// few names the first of many.
func few(words []string) string {
	if len(words) > 4 {
		words = append(slices.Clone(words[:3]), fmt.Sprint(len(words)-3, " other files"))
	}
	return enumerate(words)
}

func isAre(list []string) string {
	if len(list) == 1 {
		return "is"
	}
	return "are"
}

// brief names an instruction.
func brief(in *dockerfile.Instruction) string {
	if in.Meant == "RUN" {
		return "RUN " + command(in)
	}
	text := in.Meant
	for _, f := range in.Flags {
		if f.Name.Text == "from" {
			text += " --from=" + f.Value.Text
		}
	}
	for _, a := range in.Args {
		text += " " + a.Text
	}
	return short(text)
}

func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 40 {
		return strings.TrimSpace(string(r[:38])) + " …"
	}
	return text
}

// command is the start of what a RUN runs, without the options of its shell and the directory.
func command(in *dockerfile.Instruction) string {
	text := ""
	for _, doc := range in.Node.Heredocs {
		for line := range strings.Lines(doc.Content) {
			line, _, _ = strings.Cut(" "+line, " #")
			text += line + " ; "
		}
	}
	if text == "" {
		for _, a := range in.Args {
			text += " " + a.Text
		}
	}
	var words []string
	for _, w := range strings.Fields(text) {
		end := strings.HasSuffix(w, ";") || slices.Contains([]string{"&&", "||", "|"}, w)
		if w = strings.TrimSuffix(w, ";"); w != "" && !slices.Contains([]string{"&&", "||", "|"}, w) {
			words = append(words, w)
		}
		switch {
		case end && len(words) > 0 && (words[0] == "set" || words[0] == "cd"):
			words = nil
		case end && len(words) > 0 || len(words) == 4:
			return short(strings.Join(words, " "))
		}
	}
	return short(strings.Join(words, " "))
}

// where says next to what an entry stands now.
func where(p *plan, k int) string {
	at := slices.Index(p.order, k)
	later := at+1 < len(p.order) && slices.ContainsFunc(p.order[:at], func(o int) bool { return o > k })
	if later {
		for i := at - 1; i > 0; i-- {
			if o := p.order[i]; o > k && p.entries[o].text == "" {
				return "below " + brief(p.entries[o].in)
			}
		}
	}
	for _, o := range p.order[at+1:] {
		if o < k && p.entries[o].text == "" {
			return "above " + brief(p.entries[o].in)
		}
	}
	for i := at - 1; i > 0; i-- {
		if o := p.order[i]; p.entries[o].text == "" {
			return "below " + brief(p.entries[o].in)
		}
	}
	return "to the top"
}

// gain says how often the steps that gain most would have run.
func (m *Model) gain(now, best *plan, nowRuns, bestRuns []int64) (lines []string) {
	type saving struct {
		in          *dockerfile.Instruction
		was, is, of int64
	}
	var list []saving
	for k, e := range best.entries {
		if e.copy || best.items[k].cost == 0 {
			continue
		}
		for j, o := range now.entries {
			if o.of == e.of && bestRuns[k] < nowRuns[j] && e.in.Meant == "RUN" {
				list = append(list, saving{e.in, nowRuns[j], bestRuns[k], best.items[k].cost})
			}
		}
	}
	perBuild := inSeconds(m.saved(now, best, nil) / max(1, int64(m.builds())))
	slices.SortStableFunc(list, func(a, b saving) int { return int((b.was-b.is)*b.of - (a.was-a.is)*a.of) })
	for i, s := range list[:min(3, len(list))] {
		per := ""
		if i == 0 {
			per = fmt.Sprintf(": about %s s less per build, by estimate", perBuild)
		}
		if (s.was-s.is)*s.of*20 < (list[0].was-list[0].is)*list[0].of {
			break // next to nothing
		}
		if m.Changes != nil {
			lines = append(
				lines,
				fmt.Sprintf(
					"%d of the last %d commits would have re-run %s, today %d%s.",
					s.is,
					m.builds(),
					brief(s.in),
					s.was,
					per,
				),
			)
		} else {
			lines = append(lines, fmt.Sprintf("About %d of 100 builds would re-run %s, today %d%s. No history is at "+
				"hand: the whole context is taken to change at 90 of 100 builds, folders at 80, manifests at "+
				"10.", s.is, brief(s.in), s.was, per))
		}
	}
	if m.heldBack != nil && len(lines) > 0 {
		held := m.heldBack.count()
		lines = append(
			lines,
			fmt.Sprintf(
				"The order was chosen by the older commits. At the newest %d, which did not choose it, it saves "+
					"about %s s per build.",
				held,
				inSeconds(m.saved(now, best, m.heldBack)/held),
			),
		)
	}
	return lines
}

// facts gives what the order rests on: of all pairs that have changed places.
func (p *plan) facts() (facts []string) {
	add := func(list []string) {
		for _, f := range list {
			if !slices.Contains(facts, f) {
				facts = append(facts, f)
			}
		}
	}
	for i, k := range p.order {
		for _, o := range p.order[:i] {
			if o < k {
				continue
			}
			x, y := &p.entries[k], &p.entries[o]
			if s, ok := p.split(x, y); ok {
				more, _ := s.facts(p, x, y)
				add(more)
				add(s.eff.Facts)
				continue
			}
			add(p.relation(x, y).facts)
		}
	}
	return facts
}

// edits gives the changes to the text.
func (p *plan) edits(file *dockerfile.File, moved []int) ([]source.Edit, bool) {
	var edits []source.Edit
	var gone []*dockerfile.Instruction
	for i := 0; i < len(p.order); i++ {
		if !slices.Contains(moved, p.order[i]) {
			continue
		}
		if i == 0 {
			return nil, false
		}
		anchor := p.entries[p.order[i-1]].in
		end := file.Text.Line(file.Text.LineAt(anchor.Span.End)).End
		newline := file.Text.Slice(source.Span{Start: end, End: file.Text.LineStart(file.Text.LineAt(end) + 1)})
		if newline == "" {
			newline = lineEnd(file)
		}
		var text strings.Builder
		for ; i < len(p.order) && slices.Contains(moved, p.order[i]); i++ {
			e := p.entries[p.order[i]]
			text.WriteString(newline)
			if e.text != "" {
				text.WriteString(withFlags(e.text, e.flags))
				continue
			}
			lines := block(file, e.in)
			keyword, dest := e.in.Keyword.Span.End, p.rootedEdit(p.order[i])
			text.WriteString(
				file.Text.Slice(
					source.Span{Start: file.Text.LineStart(lines.first), End: keyword},
				) + e.flags + file.Text.Slice(
					source.Span{Start: keyword, End: dest.Span.Start},
				) + dest.NewText + file.Text.Slice(
					source.Span{Start: dest.Span.End, End: file.Text.Line(lines.last).End},
				),
			)
			gone = append(gone, e.in)
		}
		edits = append(edits, source.Edit{Span: source.Span{Start: end, End: end}, NewText: text.String()})
	}
	for k, e := range p.entries {
		for _, span := range e.gone {
			edits = append(edits, source.Edit{Span: span})
		}
		if edit := p.rootedEdit(k); !slices.Contains(moved, k) && edit.NewText != "" {
			edits = append(edits, edit)
		}
	}
	edits = append(edits, p.flagEdits(moved)...)
	slices.SortFunc(gone, func(a, b *dockerfile.Instruction) int { return a.Span.Start - b.Span.Start })
	edits = append(edits, removeEdits(file, gone)...)
	slices.SortStableFunc(edits, byStart)
	return merge(edits), true
}

// rootedEdit is the edit by which a copy below a WORKDIR that it has passed goes where it went before; an empty one if
// there is none.
func (p *plan) rootedEdit(k int) source.Edit {
	e := &p.entries[k]
	if len(e.in.Args) == 0 || e.rooted == "" || !p.passed(k) {
		return source.Edit{Span: source.Span{Start: e.in.Keyword.Span.End, End: e.in.Keyword.Span.End}}
	}
	return source.Edit{Span: e.in.Args[len(e.in.Args)-1].Span, NewText: e.rooted}
}

// merge joins edits that touch.
func merge(edits []source.Edit) (all []source.Edit) {
	for _, e := range edits {
		if n := len(all); n > 0 && all[n-1].Span.End == e.Span.Start {
			all[n-1].Span.End = e.Span.End
			all[n-1].NewText += e.NewText
			continue
		}
		all = append(all, e)
	}
	return all
}

// lineEnd is how the file ends its lines.
func lineEnd(file *dockerfile.File) string {
	if strings.Contains(file.Text.String(), "\r\n") {
		return "\r\n"
	}
	return "\n"
}
