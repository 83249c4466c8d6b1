package rules

import (
	"cmp"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
)

// buildKitPage is where BuildKit's pages about its build checks are.
const buildKitPage = "https://docs.docker.com/go/dockerfile/rule/"

// pass is one run of rules over a file, as a rule sees it that is asked about one instruction. Whatever lies beyond
// that instruction it sees by way of rest, which notes that it looked there: what it finds is then not remembered for
// the next version of the file. See each.go.
type pass struct {
	Text    view
	Escape  byte
	newline string // the file's line terminator

	rule *Rule
	// the ONBUILD whose trigger the rule looks at, nil if it looks at an instruction
	outer *dockerfile.Instruction
	runs  map[*dockerfile.Instruction]*shellRun // see readRuns; only by way of shellRun
	jumps map[*dockerfile.Instruction][]jump    // of those RUNs that a rule has asked for
	inner map[*dockerfile.Instruction]inner     // of those that a rule has asked for

	sight sight
	noted *[]noted // what the rule reports about one instruction; nil where it is asked about the file
	all   *rest    // only by way of the method rest, but for what report does
}

// rest is the file and what rules have worked out of it.
type rest struct {
	file     *dockerfile.File
	opts     Options
	named    map[string][]*dockerfile.Instruction // by what they mean
	problems map[dockerfile.ProblemKind][]dockerfile.Problem
	drafts   map[*dockerfile.Instruction][]analysis.Finding // of the rule that has both each and check
	patch    map[*dockerfile.Instruction]bool               // see patchLines; nil until a rule asks
	// whether the file's instructions are written in lower case
	lowerCase bool

	rules []*Rule
	// by other linters' comments for the whole file; nil until a rule asks
	ignored []string
	lint    *linter.Linter   // what the file's "check" directive says
	vars    *scope.Variables // nil until a rule asks for it
	unix    map[int]bool     // by stage: what unixImage says
	bases   []*baseImage     // by stage: what imageOf says; nil until a rule asks
	// by stage: the SHELL that it begins with, if there is one, and its own; nil until a rule asks for them
	shells    [][]*dockerfile.Instruction
	refs      []stageReference
	invalid   map[string]error                 // see invalidName
	guesses   map[*Rule]int                    // see tired
	said      map[string]bool                  // see says
	elsewhere map[string]int                   // see namesElsewhere; nil until a rule asks
	told      map[*dockerfile.Instruction]bool // of which CopyBeforeInstall has said where they belong
	half      []halfQuoted                     // nil until a rule asks for them
	// what may stand above a copy of the build context, see movable
	moves  map[*dockerfile.Instruction]func(run *dockerfile.Instruction) bool
	orders []Order // nil until a rule asks for them
	// whether IgnoredDirective has said why lines that another escape character continues stop the build
	escapeTold bool
	mentions   map[string]int // see mentions
	calls      map[string]int // see timesCalled; nil until a rule asks
	lacks      map[lack]bool  // of which MissingProgram has said so
	findings   []analysis.Finding
}

// rest is the file as a whole, with what rules have worked out of it. A rule that is asked about one instruction has
// looked beyond it then.
func (p *pass) rest() *rest {
	p.sight.beyond = true
	return p.all
}

func (p *pass) file() *dockerfile.File { return p.rest().file }

func (p *pass) opts() *Options { return &p.rest().opts }

// of are the instructions of the file that mean a name.
func (p *pass) of(name string) []*dockerfile.Instruction { return p.rest().named[name] }

func (p *pass) problems(kind dockerfile.ProblemKind) []dockerfile.Problem {
	return p.rest().problems[kind]
}

// says reports whether the file has a text, given in lower case, in any letter case. It is looked for once.
func (p *pass) says(text string) bool {
	w := p.rest()
	found, known := w.said[text]
	if !known {
		if w.said == nil {
			w.said = map[string]bool{}
		}
		found = strings.Contains(strings.ToLower(w.file.Text.String()), text)
		w.said[text] = found
	}
	return found
}

func newPass(file *dockerfile.File, opts Options) *pass {
	p := &pass{
		Escape:  file.Escape,
		newline: newline(file.Text),
		all: &rest{
			file: file, opts: opts, lint: linter.New(fileChecks(file)),
			named: map[string][]*dockerfile.Instruction{}, drafts: map[*dockerfile.Instruction][]analysis.Finding{},
			guesses: map[*Rule]int{}, mentions: map[string]int{}, lacks: map[lack]bool{},
			lowerCase: inLowerCase(file),
		},
	}
	p.Text = view{file.Text, &p.sight}
	for i := 0; i < len(file.Instructions); {
		meant, from := file.Instructions[i].Meant, i
		for i < len(file.Instructions) && file.Instructions[i].Meant == meant {
			i++
		}
		p.all.named[meant] = append(p.all.named[meant], file.Instructions[from:i]...)
	}
	if len(file.Problems) > 0 {
		p.all.problems = map[dockerfile.ProblemKind][]dockerfile.Problem{}
		for _, problem := range file.Problems {
			p.all.problems[problem.Kind] = append(p.all.problems[problem.Kind], p.weighed(problem))
		}
	}
	return p
}

func run(file *dockerfile.File, opts Options, rules []*Rule) []analysis.Finding {
	p := newPass(file, opts)
	w := p.all
	w.rules = rules
	p.runs = p.readRuns()
	p.checkInstructions()
	for _, rule := range rules {
		if p.rule = rule; rule.check != nil && opts.runs(rule) {
			rule.check(p)
		}
	}
	if w.escapeTold {
		w.findings = p.withoutEscape(w.findings)
	}
	return inOrder(withoutExplained(file, w.findings))
}

// inOrder sorts findings by place. A finding is large, so it is moved once.
func inOrder(findings []analysis.Finding) []analysis.Finding {
	at := make([]int, len(findings))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(i, j int) int {
		a, b := &findings[i], &findings[j]
		return cmp.Or(cmp.Compare(a.Span.Start, b.Span.Start), cmp.Compare(a.Span.End, b.Span.End),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(i, j))
	})
	sorted := make([]analysis.Finding, 0, len(findings))
	for _, i := range at {
		sorted = append(sorted, findings[i])
	}
	return sorted
}

// runs reports whether a rule is run.
func (o Options) runs(rule *Rule) bool {
	if slices.Contains(o.Off, rule.ID) {
		return false
	}
	_, configured := o.Severity[rule.ID]
	return !rule.OffByDefault || configured || slices.Contains(o.On, rule.ID)
}

// report adds a finding of the rule that is running, unless a "# check=skip=..." says otherwise: at the head of the
// file or, if in is not nil, above that instruction. Errors cannot be skipped. Rule and, where it is zero, Severity are
// filled in.
func (p *pass) report(in *dockerfile.Instruction, f analysis.Finding) {
	if p.noted != nil {
		*p.noted = append(*p.noted, noted{p.rule, p.outer != nil, in != nil, f})
		return
	}
	w := p.all
	if p.outer != nil {
		// It is a later build that runs into it; and BuildKit looks only then, too.
		if p.rule.BuildKit != "" {
			return
		}
		in = p.outer
		if (f.Severity == analysis.Error || f.Severity == 0 && p.rule.Severity == analysis.Error) &&
			!p.triggered(p.outer) {
			f.Severity = analysis.Warning
		}
	}
	f.Rule = p.rule.ID
	if f.Code != "" && slices.Contains(w.opts.OffCodes, f.Code) {
		return
	}
	if f.Severity == 0 {
		f.Severity = p.rule.Severity
	}
	if p.ignoredByPeer(in) {
		return
	}
	if f.Severity != analysis.Error || p.rule.Experimental {
		lint := w.lint
		if in != nil && in.Node != nil && len(in.Node.PrevComment) > 0 {
			lint = lint.WithMergedConfigFromComments(in.Node.PrevComment)
		}
		_, skipped := lint.SkippedRules[f.Rule]
		_, wanted := lint.ExperimentalRules[f.Rule]
		switch {
		case p.rule.Experimental && !wanted && !lint.ExperimentalAll:
			return
		case !p.rule.Experimental && (skipped || lint.SkipAll): // as Linter.Run does
			return
		}
	}
	if severity, ok := w.opts.Severity[f.Rule]; ok {
		f.Severity = severity
	}
	if p.rule.BuildKit != "" && w.lint.ReturnAsError {
		f.Severity = analysis.Error
	}
	w.findings = append(w.findings, f)
}

// peerComment matches the comments by which hadolint and tally are told to leave a rule out, for the instruction below
// or, with "global", for the file.
var peerComment = regexp.MustCompile(`^(?i)(hadolint|tally)\s+(global\s+)?ignore\s*=\s*([A-Za-z0-9_/, -]+)`)

// ignoredByPeer reports whether a comment of another linter's names the rule that is running, by that linter's name for
// it or ours: above the instruction, or for the whole file.
func (p *pass) ignoredByPeer(in *dockerfile.Instruction) bool {
	w := p.all
	if w.ignored == nil {
		w.ignored = []string{}
		for _, comment := range w.file.Comments {
			text := strings.TrimLeft(w.file.Text.Slice(comment.Span), "# \t")
			if m := peerComment.FindStringSubmatch(text); m != nil && m[2] != "" {
				w.ignored = append(w.ignored, peerNames(m[3])...)
			}
		}
	}
	if slices.ContainsFunc(w.ignored, p.rule.hasName) {
		return true
	}
	if in == nil || in.Node == nil {
		return false
	}
	for _, text := range in.Node.PrevComment {
		if m := peerComment.FindStringSubmatch(text); m != nil && m[2] == "" &&
			slices.ContainsFunc(peerNames(m[3]), p.rule.hasName) {
			return true
		}
	}
	return false
}

// peerNames are the names of a list such as "DL3008,tally/no-x, hadolint/DL3006".
func peerNames(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		names = append(names, name[strings.LastIndexByte(name, '/')+1:])
	}
	return names
}

// hasName reports whether a name is the rule's, in any letter case, or a code of hadolint's for the same.
func (r *Rule) hasName(name string) bool {
	return strings.EqualFold(r.ID, name) ||
		slices.ContainsFunc(r.Hadolint, func(code string) bool { return strings.EqualFold(code, name) })
}

// weighed returns a problem with its weight in this file: one of a trigger that runs in this build stops the build.
func (p *pass) weighed(problem dockerfile.Problem) dockerfile.Problem {
	if problem.Warning && problem.Kind != dockerfile.EmptyContinuation {
		if in := p.file().InstructionAt(problem.Span.Start); in != nil && in.Trigger != nil && p.triggered(in) {
			problem.Warning = false
		}
	}
	return problem
}

// triggered reports whether a stage of this file is built on that of an ONBUILD, so that its trigger runs in this
// build.
func (p *pass) triggered(onbuild *dockerfile.Instruction) bool {
	return slices.Contains(p.variables().Bases, onbuild.Stage)
}

// variables returns the definitions of the file.
func (p *pass) variables() *scope.Variables { return p.rest().variables() }

func (w *rest) variables() *scope.Variables {
	if w.vars == nil {
		w.vars = scope.New(w.file)
	}
	return w.vars
}

// names are the variables for a rule that asks which there are where the instruction stands, and takes no places from
// the answers. It is asked again if the file defines others.
func (p *pass) names() *scope.Variables {
	p.sight.names = true
	return p.all.variables()
}

// every yields all instructions that mean one of the names, then the triggers of ONBUILDs that do.
func (p *pass) every(names ...string) iter.Seq[*dockerfile.Instruction] {
	return func(yield func(*dockerfile.Instruction) bool) {
		for _, name := range names {
			for _, in := range p.of(name) {
				if !yield(in) {
					return
				}
			}
		}
		defer func() { p.outer = nil }()
		for _, in := range p.of("ONBUILD") {
			if in.Trigger != nil && slices.Contains(names, in.Trigger.Meant) {
				p.outer = in
				if !yield(in.Trigger) {
					return
				}
			}
		}
	}
}

// lostStage reports whether a FROM may be missing because it is half typed, as in "FROMalpine": what stands below then
// seems to belong to the stage above.
func (p *pass) lostStage() bool {
	for _, problem := range p.problems(dockerfile.UnknownInstruction) {
		if word := p.Text.Slice(problem.Span); len(word) > len("FROM") &&
			strings.EqualFold(word[:len("FROM")], "FROM") {
			return true
		}
	}
	return false
}

// fileChecks returns what the file's "check" directive says. A bad one, which InvalidDirective reports, says nothing.
func fileChecks(file *dockerfile.File) *linter.Config {
	for _, d := range file.Directives {
		if d.Name.Text == "check" {
			if config, err := linter.ParseLintOptions(d.Value.Text); err == nil {
				return config
			}
			break
		}
	}
	return &linter.Config{}
}

// walk goes through the instructions of all stages, those of a stage behind those of the stage that it is built on.
// step gets what came of the instruction above, and first of start.
func walk[S any](p *pass, start S, step func(above S, in *dockerfile.Instruction) S) {
	ends := make([]S, len(p.file().Stages))
	for i, stage := range p.file().Stages {
		state := start
		if base := p.variables().Bases[i]; base >= 0 && base < i {
			state = ends[base]
		}
		for _, in := range stage.Instructions {
			state = step(state, in)
		}
		ends[i] = state
	}
}

// found reports a mistake with what a format makes of some arguments, as report does.
func (p *pass) found(in *dockerfile.Instruction, at source.Span, fixes []analysis.Fix, format string, args ...any) {
	p.report(in, analysis.Finding{Span: at, Message: fmt.Sprintf(format, args...), Fixes: fixes})
}

// change is the fix that puts text in the place of a span, and makes more edits.
func change(title string, at source.Span, text string, preferred bool, more ...source.Edit) []analysis.Fix {
	edits := append([]source.Edit{{Span: at, NewText: text}}, more...)
	return []analysis.Fix{{Title: title, Edits: edits, Preferred: preferred}}
}

// replace is the fix that puts text in the place of a span.
func replace(at source.Span, text string, preferred bool) []analysis.Fix {
	return change("Change to "+text, at, text, preferred)
}

// insert is the fix that inserts words.
func insert(at int, text string, preferred bool) []analysis.Fix {
	return change("Insert "+strings.TrimSpace(text), source.At(at), text, preferred)
}
