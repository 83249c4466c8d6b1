// Package rules finds mistakes in a Dockerfile and offers the edits that fix them.
//
// Each rule is one declaration in a file of its own: its documentation, its severity, its check and two examples,
// which the tests execute. The package is pure: it must not know a protocol, the file system or the build cache.
package rules

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// Rule is one sort of mistake.
type Rule struct {
	ID       string
	Severity analysis.Severity
	Doc      Doc
	// BuildKit is the address of BuildKit's page about the rule, "" if it is not one of BuildKit's build checks.
	// Such a rule has BuildKit's name, fires where BuildKit's does, and with "# check=error=true" is an error.
	BuildKit string
	// FileOnly says that BuildKit skips the check for a whole file only, not for one instruction.
	FileOnly bool
	// Style says that the fixes change how a file is written, and nothing of what is built.
	Style bool
	// OffByDefault rules run only where a configuration names them: what they find is a matter of taste.
	OffByDefault bool
	// Hadolint are the codes of hadolint's rules that are about the same.
	Hadolint []string
	// BuildFile rules are about Compose, bake and CI files, and have no check here.
	BuildFile bool
	// Experimental rules run only where "# check=experimental=..." asks for them.
	Experimental bool

	// A rule asks about the file by check, or about one instruction by each: about those that mean one of the names
	// and the triggers that do, or about all instructions and no triggers if there are no names. If it has both, what
	// each says is a draft, for check to report.
	check func(p *pass)
	of    []string
	each  func(p *pass, in *dockerfile.Instruction)
}

// Doc is a rule's documentation. Its texts are Markdown but for the examples, which are whole Dockerfiles.
type Doc struct {
	Summary string // one line, without a full stop
	What    string // what the rule finds
	Why     string // why that is bad
	Example string // a Dockerfile with the mistake
	Instead string // the Dockerfile as it should be
	// Context is the build context of the examples, for a rule that has to know it.
	Context *Context
}

// All is the table of all rules, sorted by id.
var All = []*Rule{
	ConsistentInstructionCasing,
	CopyIgnoredFile,
	DuplicateStageName,
	ExposeInvalidFormat,
	ExposeProtoCasing,
	FromAsCasing,
	FromPlatformFlagConstDisallowed,
	InvalidDefaultArgInFrom,
	InvalidDefinitionDescription,
	JSONArgsRecommended,
	LegacyKeyValueFormat,
	MaintainerDeprecated,
	MultipleInstructionsDisallowed,
	NoEmptyContinuation,
	RedundantTargetPlatform,
	ReservedStageName,
	SecretsUsedInArgOrEnv,
	StageNameCasing,
	UndefinedArgInFrom,
	UndefinedVar,
	WorkdirRelativePath,
	AddForFiles,
	AddWithoutChecksum,
	AlmostJSON,
	AptCommand,
	BackgroundInstall,
	BetterOrder,
	CopyBeforeInstall,
	CopyURL,
	CopyWithoutLink,
	DistributionUpgrade,
	EarlyCopy,
	EarlyVariable,
	FileTooLarge,
	IgnoredDirective,
	InnerInstruction,
	InvalidDirective,
	InvalidFlagValue,
	InvalidImage,
	InvalidInstruction,
	InvalidPort,
	InvalidSignal,
	InvalidStageReference,
	InvalidSubstitution,
	KeptPackageCache,
	LabelSchema,
	LargeLastlog,
	LineEndings,
	LineTooLong,
	LinkedShell,
	LookalikeCharacter,
	LostEffect,
	LostPath,
	LostText,
	MisplacedFlag,
	MisreadPath,
	MissingCacheMount,
	MissingHealthcheck,
	MissingOperator,
	MissingPipefail,
	MissingProgram,
	MissingSource,
	MissingYes,
	MisspeltCommand,
	MisspeltName,
	MisspeltVariable,
	NeedlessContextFile,
	NewerSyntax,
	NoShell,
	NoStage,
	OtherFile,
	PatchRemnant,
	PointlessCommand,
	RecommendedPackages,
	RelativeDestination,
	RootUser,
	ShellSyntax,
	ShellCheck,
	SplitPackageUpdate,
	StrayCharacter,
	Sudo,
	SwallowedInstruction,
	Template,
	TrailingComment,
	UnknownFlag,
	UnknownFrontend,
	UnknownImage,
	UnknownInstruction,
	UnknownPlatform,
	UnknownShell,
	UnknownStage,
	UnpinnedPackage,
	UntaggedImage,
	UnterminatedHeredoc,
	UntrustedRegistry,
	UserInstall,
	WgetAndCurl,
	WgetProgress,
	WrongArguments,
}

// ByID returns the rule with the id, of All or of BuildFiles, or nil.
func ByID(id string) *Rule {
	for _, table := range [][]*Rule{All, BuildFiles} {
		i, found := slices.BinarySearchFunc(table, id, func(r *Rule, id string) int { return cmp.Compare(r.ID, id) })
		if found {
			return table[i]
		}
	}
	return nil
}

// Named returns the ids of the rules that a name stands for: an id in any letter case, or a code of hadolint. A code of
// ShellCheck stands for no rule, but for itself.
func Named(name string) (ids []string, code string, err error) {
	if shellCheckCode.MatchString(name) {
		return nil, strings.ToUpper(name), nil
	}
	for _, r := range Every() {
		if r.hasName(name) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil, "", noRule(name)
	}
	return ids, "", nil
}

// noRule is the error of a name that no rule has.
func noRule(name string) error {
	var all []string
	for _, r := range Every() {
		all = append(all, r.ID)
	}
	if meant := suggest(name, all); len(meant) > 0 {
		return fmt.Errorf("there is no rule %s (did you mean %s?)", name, meant[0])
	}
	return fmt.Errorf("there is no rule %s; layerwise rules lists them", name)
}

var shellCheckCode = regexp.MustCompile(`^(?i)SC[0-9]{4}$`)

// Without returns the options with rules, or codes of ShellCheck, that are not run.
func (o Options) Without(names ...string) (Options, error) {
	o.Off, o.OffCodes = slices.Clone(o.Off), slices.Clone(o.OffCodes)
	for _, name := range names {
		ids, code, err := Named(name)
		if err != nil {
			return o, err
		}
		if o.Off = append(o.Off, ids...); code != "" {
			o.OffCodes = append(o.OffCodes, code)
		}
	}
	return o, nil
}

// Only returns the options with none but these rules, also where they are off by default or by a configuration. A code
// of ShellCheck stands for all that ShellCheck finds.
func (o Options) Only(names ...string) (Options, error) {
	var on []string
	for _, name := range names {
		ids, code, err := Named(name)
		if err != nil {
			return o, err
		}
		if on = append(on, ids...); code != "" {
			on = append(on, ShellCheck.ID)
		}
	}
	o.On, o.Off = on, nil
	for _, r := range Every() {
		if !slices.Contains(on, r.ID) {
			o.Off = append(o.Off, r.ID)
		}
	}
	return o, nil
}

// URL is the address of the rule's page, for editors and reports.
func (r *Rule) URL() string {
	folder := "rules/"
	if r.BuildFile {
		folder = "build-rules/"
	}
	return "https://github.com/layerwise/layerwise/blob/main/docs/" + folder + r.ID + ".md"
}

// Options says which rules run, and what they may know besides the file.
type Options struct {
	Off      []string // ids of rules that are not run
	On       []string // ids of rules that are run though they are off by default
	OffCodes []string // codes of ShellCheck that are not reported
	// TrustedRegistries are the registries that UntrustedRegistry takes images of.
	TrustedRegistries []string
	// LabelSchema says what the values of labels are to be, and StrictLabels that there are no others.
	LabelSchema  map[string]string
	StrictLabels bool
	Severity     map[string]analysis.Severity // by the rule's id, of all that it finds, instead of the rule's own
	// Ignore is the ignore file of the build context, nil if there is none or it is not known.
	Ignore Ignore
	// Context is the build context, nil if nothing is known of it.
	Context *Context
	// BuildArgs are the names of build arguments that the builds which are known of set: those of Compose and bake
	// files.
	BuildArgs []string
	// Classic says that the file is built without BuildKit, which has neither cache mounts nor COPY --link.
	Classic bool
	// Memory is kept from one version of a file to the next, so that an edit costs little; nil where there is one version.
	Memory *Memory
	// ShellCheck returns what ShellCheck has found in a script, nothing if it has not been asked yet; nil if it is not
	// used.
	ShellCheck func(ShellScript) []ShellRemark
	// Orders finds better orders of the instructions; nil if they are not asked for.
	Orders Orders
	// Keeps says what a fix does to the build beyond what it is about; nil if that is not asked. See [FixAll].
	Keeps func(Change) string
	// Over reports whether nobody waits for FixAll any more, which then gives up; nil if somebody always does.
	Over func() bool
	// Movable returns what reports whether a RUN may stand above a copy of the build context in its stage, as a search
	// for better orders goes by it; nil if none may, and if the build context is not known.
	Movable func(file *dockerfile.File, copying *dockerfile.Instruction) func(run *dockerfile.Instruction) bool
}

// Code is what a finding is called, and the address of the page about it.
func Code(f analysis.Finding) (code, page string) {
	if f.Code != "" {
		return f.Code, shellCheckPages + f.Code
	}
	if rule := ByID(f.Rule); rule != nil {
		page = rule.URL()
	}
	return f.Rule, page
}

// Aliases are what hadolint calls the rules that are about the same as a finding's.
func Aliases(f analysis.Finding) []string {
	if rule := ByID(f.Rule); rule != nil && f.Code == "" {
		return rule.Hadolint
	}
	return nil
}

// Ignore is an ignore file: what a path, relative to the build context, is left out by.
type Ignore interface {
	Patterns() []string // as BuildKit reads them
	Ignores(path string) bool
}

// Context is what rules know of a build context: of what is sent of it, that is, not left out by the ignore file.
type Context struct {
	// Sent are the paths of files and, with a slash at the end, folders: all that lie in the context's own folder, and
	// in the folders there.
	Sent       []string
	Dockerfile string // relative to the context, "" if it lies elsewhere
	// Absent are the sources that the file names and that are in no candidate for the context, by their paths in it.
	Absent map[string]Absent
}

// Absent says of a source that is not in the build context where it was looked for, and what may be meant.
type Absent struct {
	Context string   // as people know it: "context services/api (guessed)"
	In      string   // another folder that has it, as people know it; "" if none is known
	Similar []string // paths in the context, the likeliest first
}

// Check returns the findings of all rules in file, in order of position. Of a file that Docker does not read as it is,
// only that is said, and of one that a program makes only what stops the build.
func Check(file *dockerfile.File, opts Options) []analysis.Finding {
	switch rule := opaque(file); {
	case rule != nil:
		return run(file, opts, []*Rule{rule})
	case onlyCR(file):
		return run(file, opts, []*Rule{LineEndings})
	case otherKind(file) != "":
		return run(file, opts, []*Rule{OtherFile})
	case file.TooLarge():
		return run(file, opts, []*Rule{FileTooLarge, LineTooLong})
	}
	findings := run(file, opts, All)
	if _, ok := file.Generated(); ok {
		findings = slices.DeleteFunc(findings, func(f analysis.Finding) bool { return f.Severity != analysis.Error })
	}
	return findings
}

// fromProblems returns a check that reports the file's problems of one kind as they are, with a fix for each
// suggestion.
func fromProblems(kind dockerfile.ProblemKind) func(*pass) {
	return func(p *pass) {
		for _, problem := range p.problems(kind) {
			p.report(nil, p.fromProblem(problem))
		}
	}
}

func (p *pass) fromProblem(problem dockerfile.Problem) analysis.Finding {
	finding := analysis.Finding{Span: problem.Span, Message: problem.Message, Fixes: p.changeTo(problem)}
	finding.Severity = severityOf(problem)
	if n := len(problem.Suggestions); n > 0 {
		likely := make([]string, min(n, 3))
		if finding.Fixes[0].Preferred {
			likely = likely[:1]
		}
		for i := range likely {
			likely[i] = shown(problem, problem.Suggestions[i])
		}
		finding.Message += fmt.Sprintf(" (did you mean %s?)", strings.Join(likely, " or "))
	}
	return finding
}

// severityOf returns a problem's severity, zero for the rule's own.
func severityOf(p dockerfile.Problem) analysis.Severity {
	if p.Warning {
		return analysis.Warning
	}
	return 0
}

// changeTo returns a fix for each of the problem's suggestions. The first is preferred if there is no doubt about it.
func (p *pass) changeTo(problem dockerfile.Problem) []analysis.Fix {
	var fixes []analysis.Fix
	meant := spell.Meant(p.Text.Slice(problem.Span), problem.Suggestions)
	for i, word := range problem.Suggestions {
		fixes = append(fixes, analysis.Fix{
			Title:     "Change to " + shown(problem, word),
			Edits:     []source.Edit{{Span: problem.Span, NewText: word}},
			Preferred: i == 0 && (problem.Sure || meant == word),
		})
	}
	return fixes
}

// shown is a suggestion as people write it: a flag's with its dashes, which are not part of the problem's span.
func shown(p dockerfile.Problem, suggestion string) string {
	if p.Kind == dockerfile.UnknownFlag && !strings.HasPrefix(suggestion, "--") {
		return "--" + suggestion
	}
	return suggestion
}
