package rules

import (
	"iter"
	"slices"
	"sync"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Most rules ask about one instruction after the other, and most of these answers hang on nothing but the instruction's
// own text. They are worked out once: what was found in an instruction goes with it from one version of the file to
// the next. What a rule looked at says whether that is right, see sight: where it was more than the instruction, the
// rule is asked again about this instruction, in each version or when that is another than before.

// Memory is what was found in the version of a file that was checked last, and its shell commands as they are parsed,
// so that an edit costs one instruction. The zero value is ready for use, by several goroutines.
type Memory struct {
	mu     sync.Mutex
	seen   map[*parser.Node]*shellRun
	before *checked
}

// examined is what the rules of one instruction found in it. It is immutable.
type examined struct {
	at      int // where the instruction starts
	facts   facts
	answers []answer // but for those that hang on the instruction alone and found nothing
}

// facts are what rules may know of an instruction beside its own text.
type facts struct {
	run, triggered *shellRun // see shellRun; triggered is that of an ONBUILD's trigger
	inStage        bool
	base           baseImage // see baseOf
	lowerCase      bool      // see rest
}

// answer is what a rule found in an instruction, or in its trigger, and how far it looked for that.
type answer struct {
	rule    *Rule
	trigger bool
	noted   []noted
	sight   sight
	guesses int // see tired
}

// noted is what a rule reports of an instruction, or of its trigger.
type noted struct {
	rule    *Rule
	trigger bool
	within  bool // as report's in: whether comments above the instruction count
	finding analysis.Finding
}

// checked is what was found in the instructions of one version of a file. It is immutable.
type checked struct {
	escape       byte
	newline      string
	rules        []*Rule
	instructions []*dockerfile.Instruction
	examined     []*examined
	sameNames    bool // the version before has the same variables
}

// checkInstructions asks the rules of one instruction about all of them.
func (p *pass) checkInstructions() {
	w := p.all
	now := &checked{
		escape: p.Escape, newline: p.newline, instructions: w.file.Instructions,
		examined: make([]*examined, len(w.file.Instructions)),
	}
	rules, all := map[string][]*Rule{}, []*Rule(nil)
	for _, rule := range w.rules {
		if rule.each == nil || !w.opts.runs(rule) {
			continue
		}
		now.rules = append(now.rules, rule)
		for _, name := range rule.of {
			rules[name] = append(rules[name], rule)
		}
		if len(rule.of) == 0 {
			all = append(all, rule)
		}
	}
	w.opts.Memory.known(now)
	for i, in := range now.instructions {
		facts := facts{run: p.runs[in], inStage: in.Stage >= 0, base: p.baseOf(in), lowerCase: w.lowerCase}
		if in.Trigger != nil {
			facts.triggered = p.runs[in.Trigger]
		}
		e := now.examined[i]
		if e == nil || e.facts != facts {
			e = p.examine(in, rules, all)
			e.facts = facts
		} else {
			e = p.again(in, e, now.sameNames)
		}
		now.examined[i] = e
		for _, a := range e.answers {
			p.tell(in, a.noted)
		}
	}
	w.opts.Memory.keep(now)
}

// examine asks the rules of an instruction about it and its trigger.
func (p *pass) examine(in *dockerfile.Instruction, of map[string][]*Rule, all []*Rule) *examined {
	e := &examined{at: in.Span.Start}
	ask := func(rules []*Rule, trigger bool) {
		for _, rule := range rules {
			a := p.ask(rule, in, trigger)
			if len(a.noted) > 0 || a.sight.beyond || a.sight.names || a.guesses > 0 {
				e.answers = append(e.answers, a)
			}
		}
	}
	ask(all, false)
	ask(of[in.Meant], false)
	if in.Trigger != nil {
		ask(of[in.Trigger.Meant], true)
	}
	return e
}

// again is what is found in an instruction now. Of what was found in the version before that stays which hangs on
// nothing that differs.
func (p *pass) again(in *dockerfile.Instruction, before *examined, sameNames bool) *examined {
	now, moved := before, in.Span.Start-before.at
	for i, a := range before.answers {
		guesses := p.all.guesses[a.rule] + a.guesses
		switch {
		case a.sight.beyond || a.sight.names && !sameNames || guesses > maxGuesses:
			a = p.ask(a.rule, in, a.trigger)
		case moved == 0:
			p.all.guesses[a.rule] = guesses
			continue
		default:
			p.all.guesses[a.rule] = guesses
			a.noted = shifted(a.noted, moved)
		}
		if now == before {
			now = &examined{at: in.Span.Start, facts: before.facts, answers: slices.Clone(before.answers)}
		}
		now.answers[i] = a
	}
	return now
}

// tell reports what was found in an instruction, or leaves it to the rule's check.
func (p *pass) tell(in *dockerfile.Instruction, list []noted) {
	for _, n := range list {
		if n.rule.check != nil {
			p.all.drafts[in] = append(p.all.drafts[in], n.finding)
			continue
		}
		p.rule, p.outer = n.rule, nil
		about := in
		if n.trigger {
			p.outer, about = in, in.Trigger
		}
		if !n.within {
			about = nil
		}
		p.report(about, n.finding)
	}
	p.outer = nil
}

// ask asks a rule about an instruction, or about its trigger.
func (p *pass) ask(rule *Rule, in *dockerfile.Instruction, trigger bool) answer {
	a := answer{rule: rule, trigger: trigger}
	p.rule, p.outer = rule, nil
	if trigger {
		p.outer, in = in, in.Trigger
	}
	guesses := p.all.guesses[rule]
	p.sight, p.noted = sight{own: in.Span}, &a.noted
	rule.each(p, in)
	p.noted, p.outer = nil, nil
	a.sight, a.guesses = p.sight, p.all.guesses[rule]-guesses
	return a
}

// shifted is what was found in an instruction that stands so many bytes further down now.
func shifted(list []noted, by int) []noted {
	list = slices.Clone(list)
	for i := range list {
		f := &list[i].finding
		f.Span = f.Span.Shift(by)
		f.Fixes = slices.Clone(f.Fixes)
		for j := range f.Fixes {
			edits := slices.Clone(f.Fixes[j].Edits)
			for k := range edits {
				edits[k].Span = edits[k].Span.Shift(by)
			}
			f.Fixes[j].Edits = edits
		}
	}
	return list
}

// known takes over what was found in the instructions that a version has in common with the one before, at its
// beginning and at its end.
func (m *Memory) known(now *checked) {
	if m == nil {
		return
	}
	m.mu.Lock()
	before := m.before
	m.mu.Unlock()
	if before == nil || before.escape != now.escape || before.newline != now.newline ||
		!slices.Equal(before.rules, now.rules) {
		return
	}
	now.sameNames = slices.EqualFunc(definers(before.instructions), definers(now.instructions),
		(*dockerfile.Instruction).Is)
	old, more := before.instructions, len(now.instructions)-len(before.instructions)
	i := 0
	for i < len(old) && i < len(now.instructions) && old[i].Is(now.instructions[i]) {
		now.examined[i] = before.examined[i]
		i++
	}
	for j := len(old) - 1; j >= i && j+more >= i && old[j].Is(now.instructions[j+more]); j-- {
		now.examined[j+more] = before.examined[j]
	}
}

// definers are the instructions that say which variables there are, where and with which values.
func definers(all []*dockerfile.Instruction) (list []*dockerfile.Instruction) {
	for _, in := range all {
		if in.Meant == "ARG" || in.Meant == "ENV" || in.Meant == "FROM" {
			list = append(list, in)
		}
	}
	return list
}

func (m *Memory) keep(now *checked) {
	if m != nil {
		m.mu.Lock()
		m.before = now
		m.mu.Unlock()
	}
}

// sight is how far a rule that is asked about an instruction has looked.
type sight struct {
	own    source.Span // the instruction's
	names  bool        // at which variables there are, see pass.names
	beyond bool        // at anything else
}

// view is the file's text as a rule sees it. Places in the file beyond the instruction that the rule is asked about,
// and the numbers of lines, which an edit above changes, are noted.
type view struct {
	text  *source.Text
	sight *sight
}

// Slice returns the bytes of a span.
func (v view) Slice(span source.Span) string {
	if span.Start < v.sight.own.Start || span.End > v.sight.own.End {
		v.sight.beyond = true
	}
	return v.text.Slice(span)
}

// whole is the text of the file.
func (v view) whole() *source.Text {
	v.sight.beyond = true
	return v.text
}

func (v view) String() string { return v.whole().String() }

func (v view) Len() int { return v.whole().Len() }

func (v view) Lines() iter.Seq2[int, source.Span] { return v.whole().Lines() }

func (v view) EndLine() int { return v.whole().EndLine() }

func (v view) LineAt(offset int) int { return v.whole().LineAt(offset) }

func (v view) Line(line int) source.Span { return v.whole().Line(line) }

func (v view) LineStart(line int) int { return v.whole().LineStart(line) }
