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
// the next. What a rule looked at says whether that is right, see view and pass.rest: where it was more than the
// instruction, the rule is asked again about this instruction in each version.

// Memory is what was found in the version of a file that was checked last, and its shell commands as they are parsed,
// so that an edit costs one instruction. The zero value is ready for use, by several goroutines.
type Memory struct {
	mu     sync.Mutex
	seen   map[*parser.Node]*shellRun
	before *checked
}

// examined is what the rules of one instruction found in it. It is immutable.
type examined struct {
	at     int // where the instruction starts
	facts  facts
	noted  []noted
	beyond []asked // whose answers hang on more than the instruction
}

// facts are what rules may know of an instruction beside its own text.
type facts struct {
	run, triggered *shellRun // see shellRun; triggered is that of an ONBUILD's trigger
	inStage        bool
}

// noted is what a rule reports of an instruction, or of its trigger.
type noted struct {
	rule    *Rule
	trigger bool
	within  bool // as report's in: whether comments above the instruction count
	finding analysis.Finding
}

// asked is a rule that was asked about an instruction, or about its trigger.
type asked struct {
	rule    *Rule
	trigger bool
}

// checked is what was found in the instructions of one version of a file. It is immutable.
type checked struct {
	escape       byte
	newline      string
	rules        []*Rule
	instructions []*dockerfile.Instruction
	examined     []*examined
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
		facts := facts{run: p.runs[in], inStage: in.Stage >= 0}
		if in.Trigger != nil {
			facts.triggered = p.runs[in.Trigger]
		}
		e := now.examined[i]
		if e == nil || e.facts != facts {
			e = p.examine(in, rules, all)
			e.facts = facts
		} else {
			e = e.moved(in.Span.Start)
			for _, a := range e.beyond {
				p.tell(in, p.ask(a.rule, in, a.trigger))
			}
		}
		now.examined[i] = e
		p.tell(in, e.noted)
	}
	w.opts.Memory.keep(now)
}

// examine asks the rules of an instruction about it and its trigger. What they find by looking beyond it is reported,
// the rest returned.
func (p *pass) examine(in *dockerfile.Instruction, of map[string][]*Rule, all []*Rule) *examined {
	e := &examined{at: in.Span.Start}
	ask := func(rules []*Rule, about *dockerfile.Instruction, trigger bool) {
		for _, rule := range rules {
			p.sight = sight{own: about.Span}
			list := p.ask(rule, in, trigger)
			if !p.sight.beyond {
				e.noted = append(e.noted, list...)
				continue
			}
			e.beyond = append(e.beyond, asked{rule, trigger})
			p.tell(in, list)
		}
	}
	ask(all, in, false)
	ask(of[in.Meant], in, false)
	if in.Trigger != nil {
		ask(of[in.Trigger.Meant], in.Trigger, true)
	}
	return e
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
func (p *pass) ask(rule *Rule, in *dockerfile.Instruction, trigger bool) (list []noted) {
	p.rule, p.outer = rule, nil
	if trigger {
		p.outer, in = in, in.Trigger
	}
	p.noted = &list
	rule.each(p, in)
	p.noted, p.outer = nil, nil
	return list
}

// moved is what was found in an instruction where it stands now.
func (e *examined) moved(at int) *examined {
	if len(e.noted) == 0 || e.at == at {
		return e
	}
	m := &examined{at: at, facts: e.facts, beyond: e.beyond, noted: slices.Clone(e.noted)}
	for i := range m.noted {
		f := &m.noted[i].finding
		f.Span = f.Span.Shift(at - e.at)
		f.Fixes = slices.Clone(f.Fixes)
		for j := range f.Fixes {
			edits := slices.Clone(f.Fixes[j].Edits)
			for k := range edits {
				edits[k].Span = edits[k].Span.Shift(at - e.at)
			}
			f.Fixes[j].Edits = edits
		}
	}
	return m
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
	beyond bool
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
