package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/layerwise/layerwise/cachemodel/workspace/shellcheck"
	"github.com/spf13/cobra"
)

const checkHelp = `Check Dockerfiles for mistakes, and fix those that can be fixed safely.

PATH is a file or a folder (default: the current folder), which is searched for Dockerfiles:
  ` + dockerfile.Names + ` (in any letter case).
Files with the suffix of source code, data, a template or a copy (.go, .json, .j2, .bak, ...) are left out, and so are
files whose content is not a Dockerfile's, unless the name is just Dockerfile, Containerfile or *.Dockerfile.
Compose and bake files found there are checked too: their contexts, Dockerfiles, targets and arguments, and what the
text of a Dockerfile within them tells; --fix leaves them alone. GitHub's workflows and GitLab's CI file are checked
for how their builds use caches.
.git is left out, and so are folders that package managers installed into: node_modules, and vendor and venv with their
files. PATH may be -, for a Dockerfile on the standard input. Nothing is built and no network is used. If ShellCheck
(the program shellcheck) is installed, it is run on the commands of RUN; its findings have its codes, such as SC2086. A
better order of the instructions, which layerwise reorder explains, is a finding (better-order) too. The build context,
the target and the arguments of each Dockerfile are those that layerwise predict takes; the flags choose others.
Without PATH, --service and --bake name the Dockerfile.

A .layerwise.yaml in the folder of a Dockerfile or above, up to the root of the Git repository, says how bad findings
are, those in Compose, bake and CI files too:
  rules:
    JSONArgsRecommended: off
    WorkdirRelativePath: error
Without one, a .hadolint.yaml there counts for the rules that are about the same; comments "# hadolint ignore=DL3006"
do too. The names are those that layerwise rules lists, the severities off, hint, information, warning or error. An
ignore file beside the Dockerfile is taken for that of its build context.

--fix applies the fixes that are safe: the finding is gone afterwards, no error is new, what a fix does not touch stays
as it was, the build is the same but for what the fix is about, and a second run changes nothing. What is left out
is said. It leaves alone what is not a Dockerfile by its content, files that a program makes ("DO NOT EDIT"), and files
with a line that cannot be read.

The exit code is 0 if there is no error (warnings may remain), 1 if there is, 2 if a path or a configuration could not
be read.

--format json prints
  {"files": [{"file": "Dockerfile",
              "findings": [{"rule": "unknown-instruction", "aliases": ["DL3000"], "severity": "error",
                            "range": {"start": {"line": 2, "column": 1}, "end": {"line": 2, "column": 4}},
                            "message": "...", "url": "...",
                            "fixes": [{"title": "Change to ENV", "preferred": true,
                                       "edits": [{"range": {...}, "newText": "ENV"}]}]}],
              "fixed": [{"rule": "...", "line": 2, "title": "..."}],
              "leftOut": [{"rule": "...", "line": 2, "title": "...", "why": "..."}],
              "notFixed": ""}],
   "failures": ["missing: no such file or folder"],
   "summary": {"files": 1, "error": 1, "warning": 0, "information": 0, "hint": 0, "fixed": 0}}
Lines and columns count from 1, columns in characters (Unicode code points); a range's end is the first character
behind it.
"aliases" are the codes of hadolint's rules about the same. severity is error, warning, information or hint. A fix that
is preferred is one that --fix applies; "fixed" lists those that it has applied, with the lines of the file as it was
at that time; "findings" are those that remain. "leftOut" are fixes of these that --fix did
not apply, each with the reason. "notFixed" says why a file was left alone although some of its findings
have such fixes.`

func newCheck() *cobra.Command {
	var fix, shellCheck, quiet, migrate bool
	var history int
	var format, least string
	var disable, only []string
	var build buildFlags
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Find mistakes in Dockerfiles and fix them",
		Long:  checkHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if migrate {
				return migrateHadolint(cmd.OutOrStdout(), args)
			}
			print, ok := checkFormats[format]
			if !ok {
				return fmt.Errorf("--format %s: choose one of text, json, sarif, github", format)
			}
			shown, err := rules.ParseSeverity(least)
			if err != nil {
				return fmt.Errorf("--severity: %w", err)
			}
			choose := func(o rules.Options) (rules.Options, error) {
				var err error
				if len(only) > 0 {
					o, err = o.Only(only...)
				}
				if err == nil {
					o, err = o.Without(disable...)
				}
				return o, err
			}
			if _, err := choose(rules.Options{}); err != nil {
				return err
			}
			builds, err := build.choices()
			if err != nil {
				return err
			}
			if args, err = build.pathsOf(cmd.Context(), args, builds, "."); err != nil {
				return err
			}
			ask := ""
			if shellCheck {
				ask = shellcheck.Find()
			}
			stdin := ""
			if slices.Contains(args, standardInput) {
				if fix {
					return errors.New("--fix: what is read from the standard input cannot be changed; name a file")
				}
				content, err := io.ReadAll(cmd.InOrStdin())
				if err != nil {
					return err
				}
				stdin = string(content)
			}
			report := check(cmd.Context(), args, checking{
				stdin: stdin, fix: fix, shellCheck: ask, history: history, choose: choose, builds: builds,
			})
			errorsFound := report.count(analysis.Error)
			report.quiet = quiet
			for i := range report.files {
				f := &report.files[i]
				f.findings = slices.DeleteFunc(f.findings, func(f analysis.Finding) bool { return f.Severity > shown })
			}
			if err := print(cmd.OutOrStdout(), report); err != nil {
				return err
			}
			if len(report.failures) > 0 {
				return exitError{code: 2, err: errors.Join(report.failures...)}
			}
			if errorsFound > 0 {
				return exitError{code: 1}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&fix, "fix", false, "apply the preferred fixes to the files")
	cmd.Flags().BoolVar(
		&shellCheck,
		"shellcheck",
		true,
		"also run shellcheck on the commands of RUN, if it is installed",
	)
	cmd.Flags().IntVar(&history, "history", 100, "how many commits a better order is judged by; 0 looks for none")
	cmd.Flags().StringSliceVar(
		&disable,
		"disable",
		nil,
		"rules that are not run, by their names, codes of hadolint (DL3006) or ShellCheck (SC2086)",
	)
	cmd.Flags().StringSliceVar(&only, "only", nil, "the only rules that are run, also those that are off by default")
	cmd.Flags().StringVar(
		&least,
		"severity",
		"hint",
		"report findings of this severity and worse ones: error, warning, information, hint",
	)
	cmd.Flags().BoolVar(
		&migrate,
		"migrate",
		false,
		"print the .layerwise.yaml that says what the .hadolint.yaml of the folder does",
	)
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print findings and nothing else")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, sarif or github")
	build.registerShared(cmd.Flags())
	return cmd
}

// migrateHadolint prints our configuration for that of hadolint in a folder.
func migrateHadolint(w io.Writer, folders []string) error {
	folder := append(folders, ".")[0]
	for _, name := range rules.HadolintNames {
		text, err := textfile.Read(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		config, err := rules.MigrateHadolint(text)
		if err == nil {
			_, err = io.WriteString(w, config)
		}
		return err
	}
	return fmt.Errorf("%s: there is no %s", folder, strings.Join(rules.HadolintNames, " or "))
}

var checkFormats = map[string]func(io.Writer, checkReport) error{
	"text":   printCheckText,
	"json":   printCheckJSON,
	"sarif":  printSARIF,
	"github": printGitHub,
}

// checkReport is the outcome of a check of many files.
type checkReport struct {
	files    []checkedFile
	failures []error // files and folders that could not be read or written
	quiet    bool    // only findings are printed
}

// checkedFile is one Dockerfile as it is after the fixes, and what is left to say about it.
type checkedFile struct {
	path     string
	text     *source.Text
	findings []analysis.Finding
	fixed    []rules.Applied
	left     []rules.Left // fixes that are not safe here
	kept     string       // why nothing was fixed although there were fixes, "" if that is not so
}

func (r checkReport) count(severity analysis.Severity) int {
	n := 0
	for _, f := range r.files {
		for _, finding := range f.findings {
			if finding.Severity == severity {
				n++
			}
		}
	}
	return n
}

// standardInput is the path that stands for the standard input.
const standardInput = "-"

// checking says how files are checked.
type checking struct {
	stdin      string // the text where a path is "-"
	fix        bool   // apply preferred fixes
	shellCheck string // the program of that name, "" for none
	history    int    // how many commits a better order is judged by
	// choose applies what flags say of the rules; nil changes nothing.
	choose func(rules.Options) (rules.Options, error)
	builds workspace.Choices // which build each Dockerfile is checked as
}

// check checks the files and folders.
func check(ctx context.Context, in []string, how checking) checkReport {
	read := func(path string) (string, error) {
		if path == standardInput {
			return how.stdin, nil
		}
		return readDockerfile(path)
	}
	var report checkReport
	found, failures := findFiles(in, isBuildFile)
	report.failures = failures
	options := newCheckOptions(how)
	buildFiles := buildFileCheck{options}
	var paths []string
	var files []*dockerfile.File // at the paths
	for _, path := range found {
		if path == standardInput || !isBuildFile(path) {
			content, err := read(path)
			if err != nil {
				report.failures = append(report.failures, err)
				continue
			}
			paths, files = append(paths, path), append(files, dockerfile.Parse(source.New(content), nil))
			continue
		}
		checked, err := buildFiles.file(ctx, path)
		if err != nil {
			report.failures = append(report.failures, err)
			continue
		}
		report.files = append(report.files, checked)
	}
	shell := shellRemarks{program: how.shellCheck, remarks: map[rules.ShellScript][]rules.ShellRemark{}}
	shell.ask(ctx, files...) // about all at once: starting it takes longer than its work
	for i, file := range files {
		path, content := paths[i], file.Text.String()
		checked := checkedFile{path: path}
		opts, err := options.of(ctx, path, file)
		if err != nil {
			report.failures = append(report.failures, err)
			break
		}
		opts.ShellCheck = func(s rules.ShellScript) []rules.ShellRemark { return shell.remarks[s] }
		if how.history > 0 && path != standardInput {
			opts.Orders = betterOrders(ctx, options.workspace, path, how)
		}
		if how.fix {
			fixed := checked.fix(ctx, file, opts, &shell)
			if text := fixed.Text.String(); text != content {
				if err := writeAtomically(path, text); err != nil {
					report.failures = append(report.failures, fmt.Errorf("fixes not written: %w", err))
					fixed, checked.fixed = file, nil
				}
			}
			file = fixed
		}
		checked.text, checked.findings = file.Text, rules.Check(file, opts)
		report.files = append(report.files, checked)
	}
	if shell.failure != nil {
		report.failures = append(report.failures, fmt.Errorf("ShellCheck: %w", shell.failure))
	}
	report.failures = append(report.failures, options.failures...)
	return report
}

// fix applies the fixes that are safe, and returns what becomes of the file. ShellCheck is asked about scripts that a
// fix has changed, until it has nothing more to fix.
func (c *checkedFile) fix(
	ctx context.Context,
	file *dockerfile.File,
	opts rules.Options,
	shell *shellRemarks,
) *dockerfile.File {
	if dockerfile.IsOtherName(filepath.Base(c.path)) {
		c.kept = "its name is not a Dockerfile's"
		return file
	}
	const times = 5
	for range times {
		result := rules.FixAll(file, opts)
		c.left = result.Left
		if len(result.Applied) == 0 {
			c.kept = result.Refused
			break
		}
		file, c.fixed = result.File, append(c.fixed, result.Applied...)
		if !shell.ask(ctx, file) {
			break
		}
	}
	return file
}

// shellRemarks is what ShellCheck says of scripts.
type shellRemarks struct {
	program string // "" for none
	remarks map[rules.ShellScript][]rules.ShellRemark
	failure error
}

// ask asks about the scripts of files that it was not asked about yet, and reports whether there were any.
func (s *shellRemarks) ask(ctx context.Context, files ...*dockerfile.File) bool {
	if s.program == "" || s.failure != nil {
		return false
	}
	var scripts []rules.ShellScript
	for _, file := range files {
		for _, script := range rules.ShellScripts(file) {
			if _, ok := s.remarks[script]; !ok {
				s.remarks[script] = nil
				scripts = append(scripts, script)
			}
		}
	}
	if len(scripts) == 0 {
		return false
	}
	remarks, err := shellcheck.Check(ctx, s.program, scripts)
	s.failure = err
	maps.Copy(s.remarks, remarks)
	return true
}

// position is a place in a text for people and reports: from 1, columns in characters.
type position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

type textRange struct {
	Start position `json:"start"`
	End   position `json:"end"`
}

func positionOf(text *source.Text, offset int) position {
	line := text.LineAt(offset)
	start := text.LineStart(line)
	return position{line + 1, utf8.RuneCountInString(text.Slice(source.Span{Start: start, End: offset})) + 1}
}

func rangeOf(text *source.Text, span source.Span) textRange {
	return textRange{positionOf(text, span.Start), positionOf(text, span.End)}
}

// textEdit is a source.Edit in JSON.
type textEdit struct {
	Range   textRange `json:"range"`
	NewText string    `json:"newText"`
}

func textEdits(text *source.Text, edits []source.Edit) []textEdit {
	list := make([]textEdit, len(edits))
	for i, e := range edits {
		list[i] = textEdit{rangeOf(text, e.Span), e.NewText}
	}
	return list
}

// jsonCheck is check's JSON.
type jsonCheck struct {
	Files    []jsonFile  `json:"files"`
	Failures []string    `json:"failures"`
	Summary  jsonSummary `json:"summary"`
}

type jsonFile struct {
	File     string          `json:"file"`
	Findings []jsonFinding   `json:"findings"`
	Fixed    []rules.Applied `json:"fixed"`
	LeftOut  []rules.Left    `json:"leftOut,omitempty"`
	NotFixed string          `json:"notFixed,omitempty"`
}

type jsonFinding struct {
	Rule     string    `json:"rule"`
	Aliases  []string  `json:"aliases,omitempty"`
	Severity string    `json:"severity"`
	Range    textRange `json:"range"`
	Message  string    `json:"message"`
	URL      string    `json:"url"`
	Fixes    []jsonFix `json:"fixes"`
}

type jsonFix struct {
	Title     string     `json:"title"`
	Preferred bool       `json:"preferred"`
	Edits     []textEdit `json:"edits"`
}

type jsonSummary struct {
	Files       int `json:"files"`
	Error       int `json:"error"`
	Warning     int `json:"warning"`
	Information int `json:"information"`
	Hint        int `json:"hint"`
	Fixed       int `json:"fixed"`
}

func printCheckJSON(w io.Writer, report checkReport) error {
	files := []jsonFile{}
	fixed := 0
	for _, f := range report.files {
		out := jsonFile{
			File:     f.path,
			Findings: []jsonFinding{},
			Fixed:    append([]rules.Applied{}, f.fixed...),
			LeftOut:  f.left,
			NotFixed: f.kept,
		}
		for _, finding := range f.findings {
			fixes := []jsonFix{}
			for _, fix := range finding.Fixes {
				fixes = append(fixes, jsonFix{fix.Title, fix.Preferred, textEdits(f.text, fix.Edits)})
			}
			code, page := rules.Code(finding)
			out.Findings = append(
				out.Findings,
				jsonFinding{
					code,
					rules.Aliases(finding),
					finding.Severity.String(),
					rangeOf(f.text, finding.Span),
					finding.Message,
					page,
					fixes,
				},
			)
		}
		fixed += len(f.fixed)
		files = append(files, out)
	}
	failures := []string{}
	for _, err := range report.failures {
		failures = append(failures, err.Error())
	}
	return printJSON(w, jsonCheck{files, failures, jsonSummary{
		len(
			files,
		), report.count(analysis.Error), report.count(analysis.Warning), report.count(analysis.Information),
		report.count(analysis.Hint), fixed,
	}})
}

var (
	githubLines = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubParts = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// githubData and githubProperty escape what stands in the commands of a workflow; no text may drive the log's terminal.
func githubData(text string) string     { return printable(githubLines.Replace(text)) }
func githubProperty(text string) string { return printable(githubParts.Replace(text)) }

// printGitHub writes workflow commands, which GitHub Actions shows as annotations.
func printGitHub(w io.Writer, report checkReport) error {
	for _, f := range report.files {
		for _, finding := range f.findings {
			command := "notice"
			if finding.Severity <= analysis.Warning {
				command = finding.Severity.String()
			}
			r := rangeOf(f.text, finding.Span)
			place := fmt.Sprintf("line=%d,endLine=%d", r.Start.Line, r.End.Line)
			if r.Start.Line == r.End.Line { // columns are for ranges within one line
				place += fmt.Sprintf(",col=%d,endColumn=%d", r.Start.Column, max(r.Start.Column, r.End.Column-1))
			}
			code, _ := rules.Code(finding)
			_, err := fmt.Fprintf(
				w,
				"::%s file=%s,%s,title=%s::%s\n",
				command,
				githubProperty(f.path),
				place,
				code,
				githubData(finding.Message),
			)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
