package rules

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Fixed is what [FixAll] made of a file.
type Fixed struct {
	File    *dockerfile.File
	Edits   []source.Edit // from the file as it was to File
	Applied []Applied
	// Left are the fixes that were left out, each with the reason.
	Left []Left
	// Refused says why nothing was changed although there were fixes, "" if that is not so.
	Refused string
}

// Applied is one fix that was applied.
type Applied struct {
	Rule  string `json:"rule"`
	Line  int    `json:"line"` // in the text as it was when the fix was applied
	Title string `json:"title"`
}

// Left is one fix that was not applied, though its finding is still there.
type Left struct {
	Rule  string `json:"rule"`
	Line  int    `json:"line"` // in the text as it is in the end
	Title string `json:"title"`
	Why   string `json:"why"`
}

// Change is what fixes make of a file.
type Change struct {
	Before, After *dockerfile.File
	Kept          [][2]int // the instructions that no edit touches, by their index before and after
	// Style says that the fixes are about how the file is written only: the build must stay the same altogether.
	Style bool
}

// rounds bounds FixAll: fixes can lay bare what could not be seen before, but not for ever.
const rounds = 20

// FixAll applies the preferred fixes of findings, and of those that come up behind these, until none is left. Terminal
// and editor both use it. What it promises:
//   - A fix is applied only if its finding is gone afterwards, no error is new, every instruction that the fix does not
//     touch is still there as it was, and the build is the same but for what the fix is about (Options.Keeps). Others
//     are left out, with the reason.
//   - Applied to its own result it changes nothing.
//   - It changes nothing in a file that is not a Dockerfile by its content, that a program makes, or of which a line remains
//     that nobody can read: a fix is a guess about what the rest means.
func FixAll(file *dockerfile.File, opts Options) Fixed {
	none := Fixed{File: file}
	if none.Refused = whyNotFixed(file); none.Refused != "" {
		if opts.Orders = nil; !fixable(Check(file, opts)) {
			none.Refused = ""
		}
		return none
	}
	f := fix(file, opts)
	if f.over() {
		none.Refused = "it was given up"
		return none
	}
	if line, ok := unreadable(f.file); ok && len(f.applied) > 0 {
		none.Refused = fmt.Sprintf("line %d cannot be read", line)
		return none
	}
	if f.again {
		none.Refused = "the fixes do not come to an end"
		return none
	}
	return Fixed{File: f.file, Edits: f.patch.edits(), Applied: f.applied, Left: f.left}
}

// fix applies fixes until there is none left.
func fix(file *dockerfile.File, opts Options) *fixer {
	orders := opts.Orders
	opts.Orders, opts.Memory = nil, cmp.Or(opts.Memory, &Memory{})
	f := &fixer{file: file, opts: opts, findings: Check(file, opts), patch: newPatch(file.Text.Len())}
	proved := func() []analysis.Finding {
		if orders == nil {
			return nil
		}
		with := opts
		with.Orders = orders
		return run(f.file, with, []*Rule{BetterOrder})
	}
	for range rounds {
		if f.over() || !f.round(f.findings) && !f.round(proved()) {
			break
		}
	}
	return f
}

// WhyNotChanged says why no program should change a file on its own, "" if one may.
func WhyNotChanged(file *dockerfile.File) string {
	if why := whyNotFixed(file); why != "" {
		return why
	}
	if line, ok := unreadable(file); ok {
		return fmt.Sprintf("line %d cannot be read", line)
	}
	return ""
}

// whyNotFixed says why a file is left alone, "" if it is not.
func whyNotFixed(file *dockerfile.File) string {
	if line, ok := file.Template(); ok {
		return fmt.Sprintf("line %d is a template's", file.Text.LineAt(line.Start)+1)
	}
	if opaque(file) != nil {
		return "another program than Docker's reads it: " + file.Dialect().Reference
	}
	if file.TooLarge() {
		return "it is too large"
	}
	if comment, ok := file.Generated(); ok {
		return fmt.Sprintf("line %d says that a program makes this file", file.Text.LineAt(comment.Start)+1)
	}
	if !file.IsDockerfile() {
		return "it does not look like a Dockerfile"
	}
	return ""
}

// unreadable returns the first line that is not an instruction and belongs to none.
func unreadable(file *dockerfile.File) (line int, ok bool) {
	for _, p := range file.Problems {
		switch p.Kind {
		case dockerfile.UnknownInstruction, dockerfile.UnterminatedHeredoc, dockerfile.LineTooLong:
			if !p.Warning {
				return file.Text.LineAt(p.Span.Start) + 1, true
			}
		}
	}
	return 0, false
}

func preferred(f analysis.Finding) *analysis.Fix {
	for i := range f.Fixes {
		if f.Fixes[i].Preferred {
			return &f.Fixes[i]
		}
	}
	return nil
}

// Fixable reports whether FixAll would try to fix one of these findings in file.
func Fixable(file *dockerfile.File, findings []analysis.Finding) bool {
	return fixable(findings) && whyNotFixed(file) == ""
}

func fixable(findings []analysis.Finding) bool {
	return slices.ContainsFunc(findings, func(f analysis.Finding) bool { return preferred(f) != nil })
}

// fixer is a run of FixAll.
type fixer struct {
	file     *dockerfile.File
	opts     Options
	findings []analysis.Finding // in file
	patch    *patch
	applied  []Applied
	left     []Left // of the last round
	again    bool   // the last round changed something
}

// over reports whether nobody waits for the result any more.
func (f *fixer) over() bool { return f.opts.Over != nil && f.opts.Over() }

// round applies what it can of the findings' preferred fixes, all at once if that is good, else those that are good by
// themselves. It reports whether it has changed anything.
func (f *fixer) round(findings []analysis.Finding) bool {
	f.again = false
	chosen := apart(findings)
	if len(chosen) == 0 {
		return false
	}
	before := tally(f.findings)
	if len(chosen) > 1 && f.try(chosen, before) == "" {
		return true
	}
	const tries = 30 // each costs a check of the whole file
	var good []analysis.Finding
	f.left = nil
	for i, finding := range chosen {
		why := "too many fixes of this file cannot be applied"
		if i < tries {
			alone := *f
			alone.patch = nil
			why = alone.try([]analysis.Finding{finding}, before)
		}
		if why == "" {
			good = append(good, finding)
			continue
		}
		line := f.file.Text.LineAt(finding.Span.Start) + 1
		f.left = append(f.left, Left{finding.Rule, line, preferred(finding).Title, why})
	}
	if len(good) == 0 {
		return false
	}
	return len(good) > 1 && f.try(good, before) == "" || f.try(good[:1], before) == ""
}

// apart returns the findings with a preferred fix, without those whose fix touches what a fix before it touches.
func apart(findings []analysis.Finding) []analysis.Finding {
	var chosen []analysis.Finding
	var taken []source.Edit // in order
	for _, finding := range findings {
		fix := preferred(finding)
		if fix == nil || slices.ContainsFunc(fix.Edits, func(e source.Edit) bool { return touched(taken, e.Span) }) {
			continue
		}
		chosen = append(chosen, finding)
		for _, e := range fix.Edits {
			at, _ := slices.BinarySearchFunc(
				taken,
				e,
				func(a, b source.Edit) int { return a.Span.Start - b.Span.Start },
			)
			taken = slices.Insert(taken, at, e)
		}
	}
	return chosen
}

// touched reports whether one of the edits, which are in order and apart, is of a part of the span.
func touched(edits []source.Edit, span source.Span) bool {
	at, _ := slices.BinarySearchFunc(
		edits,
		span.Start,
		func(e source.Edit, start int) int { return e.Span.Start - start },
	)
	for _, i := range []int{at - 1, at, at + 1} {
		if 0 <= i && i < len(edits) && edits[i].Span.Overlaps(span) {
			return true
		}
	}
	return false
}

// counts are how many findings there are.
type counts struct {
	errors int
	rules  map[string]int
}

func tally(findings []analysis.Finding) counts {
	c := counts{rules: map[string]int{}}
	for _, f := range findings {
		c.rules[f.Rule]++
		if f.Severity == analysis.Error {
			c.errors++
		}
	}
	return c
}

// try applies the fixes of the findings if the result is good, else it says why it is not.
func (f *fixer) try(findings []analysis.Finding, before counts) (why string) {
	if f.over() {
		return "it was given up"
	}
	var edits []source.Edit
	want := map[string]int{}
	refused := false // the file does not build as it is
	style := true
	for _, finding := range findings {
		edits = append(edits, preferred(finding).Edits...)
		want[finding.Rule]++
		refused = refused || finding.Severity == analysis.Error
		rule := ByID(finding.Rule) // nil for a remark of ShellCheck
		style = style && rule != nil && rule.Style
	}
	text, err := source.Apply(f.file.Text.String(), edits)
	if err != nil || text == f.file.Text.String() {
		return "it changes nothing"
	}
	after := dockerfile.Parse(source.New(text), f.file)
	kept, ok := keeps(f.file, after, edits)
	if !ok {
		return "an instruction that it does not touch would be another one"
	}
	if problems(after) > problems(f.file) || !refused && len(after.Stages) != len(f.file.Stages) {
		return "BuildKit would read the file in another way"
	}
	found := Check(after, f.opts)
	now := tally(found)
	if now.errors > before.errors { // fixing one may lay bare another
		return "there would be another error"
	}
	for rule, n := range want {
		if rule != BetterOrder.ID && now.rules[rule] > before.rules[rule]-n {
			return "its finding would still be there"
		}
	}
	if f.opts.Keeps != nil && want[BetterOrder.ID] == 0 { // an order is about what stands where
		if why := f.opts.Keeps(Change{f.file, after, kept, style}); why != "" {
			return why
		}
	}
	for _, finding := range findings {
		f.applied = append(
			f.applied,
			Applied{finding.Rule, f.file.Text.LineAt(finding.Span.Start) + 1, preferred(finding).Title},
		)
	}
	if f.patch != nil {
		f.patch.apply(edits)
	}
	f.file, f.findings, f.again = after, found, true
	return ""
}

// problems counts what BuildKit would refuse.
func problems(file *dockerfile.File) int {
	n := 0
	for _, p := range file.Problems {
		if !p.Warning {
			n++
		}
	}
	return n
}

// keeps reports whether every instruction that the edits do not touch is still there, in order, unless BuildKit could
// not read it: it may have been a part of another one. kept are those that are there, by their index before and after.
func keeps(before, after *dockerfile.File, edits []source.Edit) (kept [][2]int, ok bool) {
	sorted := slices.Clone(edits)
	slices.SortFunc(sorted, func(a, b source.Edit) int { return a.Span.Start - b.Span.Start })
	next := 0
	find := func(in *dockerfile.Instruction) int {
		text := before.Text.Slice(in.Span)
		for i := next; i < len(after.Instructions); i++ {
			if other := after.Instructions[i]; other.Meant == in.Meant && after.Text.Slice(other.Span) == text {
				return i
			}
		}
		return -1
	}
	partial := false // the instruction above could not be read and is touched: this one may be the rest of it
	for i, in := range before.Instructions {
		bad := in.Node == nil || len(in.Problems) > 0
		if touchedWithin(sorted, in.Span) {
			partial = bad
			continue
		}
		if bad {
			continue
		}
		if at := find(in); at >= 0 {
			kept = append(kept, [2]int{i, at})
			next = at + 1
		} else if !partial {
			return nil, false
		}
		partial = false
	}
	return kept, true
}

// touchedWithin reports whether one of the edits, which are in order, lies within the span or at its ends.
func touchedWithin(edits []source.Edit, span source.Span) bool {
	at, _ := slices.BinarySearchFunc(
		edits,
		span.Start,
		func(e source.Edit, start int) int { return e.Span.End - start },
	)
	return at < len(edits) && edits[at].Span.Start <= span.End
}

// patch is a text as parts of an older one and what was put between them.
type patch struct {
	parts []part
	size  int // of the older text
}

// part is a piece of the older text, or a text that was put there.
type part struct {
	span source.Span
	text string // if span is empty
}

func newPatch(size int) *patch {
	return &patch{parts: []part{{span: source.Between(0, size)}}, size: size}
}

func (p part) len() int { return p.span.Len() + len(p.text) }

// cut returns the part's first n bytes, and the rest.
func (p part) cut(n int) (part, part) {
	if p.text != "" {
		return part{text: p.text[:n]}, part{text: p.text[n:]}
	}
	at := p.span.Start + n
	return part{span: source.Between(p.span.Start, at)}, part{span: source.Between(at, p.span.End)}
}

// apply makes the edits, which are of the text as it is after all before.
func (p *patch) apply(edits []source.Edit) {
	sorted := slices.Clone(edits)
	slices.SortStableFunc(sorted, func(a, b source.Edit) int { return a.Span.Start - b.Span.Start })
	var parts []part
	rest, at := p.parts, 0
	take := func(until int, keep bool) {
		for len(rest) > 0 && at < until {
			head := rest[0]
			if n := until - at; n < head.len() {
				head, rest[0] = head.cut(n)
			} else {
				rest = rest[1:]
			}
			at += head.len()
			if keep {
				parts = append(parts, head)
			}
		}
	}
	for _, e := range sorted {
		take(e.Span.Start, true)
		take(e.Span.End, false)
		if e.NewText != "" {
			parts = append(parts, part{text: e.NewText})
		}
	}
	p.parts = append(parts, rest...)
}

// edits are the changes from the older text to this one.
func (p *patch) edits() []source.Edit {
	var edits []source.Edit
	at, text := 0, ""
	until := func(start int) {
		if start > at || text != "" {
			edits = append(edits, source.Edit{Span: source.Between(at, start), NewText: text})
		}
		text = ""
	}
	for _, part := range p.parts {
		if part.text != "" {
			text += part.text
			continue
		}
		until(part.span.Start)
		at = part.span.End
	}
	until(p.size)
	return edits
}
