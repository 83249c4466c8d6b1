package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/layerwise/layerwise/cachemodel/workspace/shellcheck"
	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"
)

// ciOptions are ci's flags.
type ciOptions struct {
	summary, sarif  string
	all, readCaches bool
	gates           gateFlags
}

// maxCIBuilds bounds a summary.
const maxCIBuilds = 50

func newCI() *cobra.Command {
	var o ciOptions
	cmd := &cobra.Command{
		Use:   "ci",
		Short: "Say in a job of a CI what its builds will rebuild, and what is wrong in the lines that were changed",
		Long: `CI does in one run what a job for a pull request wants to know of the Dockerfiles of a checkout. Nothing is
built.

It reads GitHub's workflows and GitLab's CI file for the builds that they make, with their settings and caches, and
predicts each of them as layerwise predict --cache auto does: a fresh builder builds, which imports what the builds of
the branch to merge into have exported. That branch is what the environment says (GITHUB_BASE_REF,
CI_MERGE_REQUEST_TARGET_BRANCH_NAME and the like), else the main branch; on the main branch itself the commit before
counts. The clone must have the history up to the commit that is compared with.

Which cache a build imports is read in these files; the cache itself is not. --read-caches reads it, where it is in a
folder or a registry, as layerwise predict --cache-from does, so that nothing has to be assumed of who exported it: the
registries that the files name are then asked, with the credentials of your Docker configuration. A cache of type gha
cannot be read.

It checks the Dockerfiles, Compose and bake files below the current folder as layerwise check does, and reports what it
finds in lines that were changed since.

In GitHub Actions the findings are annotations, and the summary goes to GITHUB_STEP_SUMMARY; elsewhere all is printed.
The exit code is 0 whatever is rebuilt, 1 if a build will fail, an error is found in a changed line, or --fail-on or
--max-seconds says so, and 2 where it could not be told.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return o.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.summary, "summary", "", "add the summary, in Markdown, to this file (default: GITHUB_STEP_SUMMARY's)")
	f.StringVar(&o.sarif, "sarif", "", "write the findings to this file, as SARIF")
	f.BoolVar(&o.all, "all", false, "report the findings of all lines")
	f.BoolVar(&o.readCaches, "read-caches", false, "read the caches that the builds import from folders and registries")
	o.gates.flags(f)
	return cmd
}

func (o *ciOptions) run(ctx context.Context, out, log io.Writer) error {
	gates, err := o.gates.compile()
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	w := here()
	defer w.Close()
	w.Fixed = true
	ci, err := w.CI(ctx, dir)
	if err != nil {
		return err
	}
	for _, problem := range ci.Problems {
		fmt.Fprintln(log, "layerwise: not taken into account:", printable(problem.Error()))
	}
	predicted, rest, err := o.predictCI(ctx, w, ci)
	if err != nil {
		return err
	}
	program := shellcheck.Find()
	const commits = 100 // as check
	report := check(ctx, []string{"."}, checking{shellCheck: program, history: commits})
	if !o.all {
		repository, err := gittree.Open(ctx, dir)
		if err != nil {
			return err
		}
		defer repository.Close()
		for i := range report.files {
			onlyChanged(ctx, repository, &report.files[i], ci.Commit)
		}
	}
	if err := o.print(out, report, predicted, rest, noCIBuild(ci.Files)); err != nil {
		return err
	}
	var failed []error
	for _, p := range predicted {
		if p.report == nil {
			report.failures = append(report.failures, fmt.Errorf("%s: %w", p.title, p.err))
		} else if err := p.failure(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.title, err))
		}
	}
	if n := report.count(analysis.Error); n > 0 {
		failed = append(failed, fmt.Errorf("%s in changed lines", plural(n, "error")))
	}
	switch {
	case len(report.failures) > 0:
		return exitError{2, errors.Join(report.failures...)}
	case len(failed) > 0:
		return exitError{1, errors.Join(failed...)}
	}
	return gates.check(predicted)
}

// predictCI predicts the builds of the CI. The rest says of the others why they are not predicted.
func (o *ciOptions) predictCI(
	ctx context.Context, w *workspace.Workspace, ci *workspace.CI,
) (list []*prediction, rest []string, _ error) {
	var caches cacheReader
	leave := func(reason string) {
		if !slices.Contains(rest, reason) { // as those of a matrix
			rest = append(rest, reason)
		}
	}
	for _, b := range ci.Builds() {
		at := fmt.Sprintf("%s (%s)", b.At, b.Tool)
		_, err := os.Stat(b.Dockerfile)
		switch {
		case b.Problem != "":
			leave(fmt.Sprintf("%s: %s", at, b.Problem))
			continue
		case err != nil:
			leave(fmt.Sprintf("%s: there is no %s", at, relative(b.Dockerfile)))
			continue
		case len(list) == maxCIBuilds:
			leave(fmt.Sprintf("%s: there are more than %d builds", at, maxCIBuilds))
			continue
		}
		var read *readCaches
		if o.readCaches {
			read = caches.inCI(ctx, &b)
		}
		flags := buildFlags{buildkit: "off"} // a fresh builder builds
		j, err := flags.findFile(ctx, w, oneBuild{path: b.Dockerfile}, b.Choices(workspace.Choices{}, ci),
			func(j *judged, q *workspace.Question) error {
				j.ci = &b
				if read == nil {
					return nil
				}
				return read.adjust(j, q)
			})
		if ctx.Err() != nil {
			return nil, nil, interrupted(ctx.Err())
		}
		p := &prediction{err: err}
		if err == nil {
			p = judge(j)
		}
		p.title = relative(b.Dockerfile) + " · " + at
		list = append(list, p)
	}
	for _, b := range ci.Unstarted() {
		leave(fmt.Sprintf("%s (%s): neither a pull request nor a push to %s starts it", b.At, b.Tool, ci.Main))
	}
	return list, rest, nil
}

// onlyChanged leaves out what is found in lines that are as they were in a commit.
func onlyChanged(ctx context.Context, repository *gittree.Repository, f *checkedFile, commit string) {
	path, err := filepath.Abs(f.path)
	if err != nil {
		return
	}
	before, err := repository.ReadFile(ctx, path, commit)
	if errors.Is(err, gittree.ErrNotInRevision) {
		return // all of it is new
	}
	if err != nil {
		before = nil // of which more is reported rather than less
	}
	changed := changedLines(string(before), f.text.String())
	f.findings = slices.DeleteFunc(f.findings, func(finding analysis.Finding) bool {
		first, last := f.text.LineAt(finding.Span.Start), f.text.LineAt(max(finding.Span.Start, finding.Span.End-1))
		for line := first; line <= last; line++ {
			if changed(line) {
				return false
			}
		}
		return true
	})
}

// maxCompared bounds the lines that are compared; of longer changes all lines count as changed.
const maxCompared = 2000

// changedLines reports which lines, from 0, of a text are not as they were.
func changedLines(before, now string) func(line int) bool {
	a, b := strings.Split(before, "\n"), strings.Split(now, "\n")
	head, tail := 0, 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	end := len(b) - tail
	a, b = a[head:len(a)-tail], b[head:end]
	same := map[int]bool{}
	if len(a)+len(b) <= maxCompared {
		for _, block := range difflib.NewMatcherWithJunk(a, b, false, nil).GetMatchingBlocks() {
			for i := range block.Size {
				same[head+block.B+i] = true
			}
		}
	}
	return func(line int) bool { return line >= head && line < end && !same[line] }
}

// print writes the findings, the predictions and the summary to where they belong.
// nothing is said where no build is found.
func (o *ciOptions) print(
	out io.Writer, report checkReport, predicted []*prediction, rest []string, nothing string,
) error {
	onGitHub := os.Getenv("GITHUB_ACTIONS") == "true"
	printFindings := printCheckText
	if onGitHub {
		printFindings = printGitHub
	}
	if err := printFindings(out, report); err != nil {
		return err
	}
	for _, p := range predicted {
		if err := printCIPrediction(out, p, onGitHub); err != nil {
			return err
		}
	}
	if len(predicted)+len(rest) == 0 {
		fmt.Fprintln(out, printable(nothing))
	}
	for _, reason := range rest {
		fmt.Fprintf(out, "not predicted: %s\n", printable(reason))
	}
	if o.sarif != "" {
		var b bytes.Buffer
		if err := printSARIF(&b, report); err != nil {
			return err
		}
		if err := os.WriteFile(o.sarif, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	path := o.summary
	if path == "" {
		path = os.Getenv("GITHUB_STEP_SUMMARY")
	}
	if path == "" {
		return nil
	}
	var b bytes.Buffer
	if err := writeCISummary(&b, report, predicted, rest, nothing); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(b.Bytes())
	return errors.Join(err, file.Close())
}

// printCIPrediction shows one prediction, on GitHub with an annotation where the build will fail.
func printCIPrediction(out io.Writer, p *prediction, onGitHub bool) error {
	if p.report == nil {
		_, err := fmt.Fprintf(out, "%s: %s\n", printable(p.title), printable(p.err.Error()))
		return err
	}
	if onGitHub {
		for _, s := range p.report.Steps {
			if s.Status == cachemodel.Fails && s.Cause != nil {
				fmt.Fprintf(out, "::error file=%s,line=%d,endLine=%d,title=the build fails::%s\n",
					githubProperty(p.report.File), s.Line, s.EndLine, githubData(s.Cause.Detail))
			}
		}
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", printable(p.title), predictionSummary(p.report))
	for _, text := range []string{ciText(p.ci, p.report.CacheFrom), cacheFromText(p.report), maxCacheText(p.report)} {
		if err == nil && text != "" {
			_, err = fmt.Fprintf(out, "  %s\n", printable(text))
		}
	}
	for _, line := range causesOf(p.report) {
		if err == nil {
			_, err = fmt.Fprintf(out, "  %s\n", printable(line))
		}
	}
	return err
}

// noCIBuild says where no build is found what was read, and what to do.
func noCIBuild(files []string) string {
	var read []string
	for _, file := range files {
		if _, err := os.Stat(file); err == nil {
			read = append(read, relative(file))
		}
	}
	const shown = 3
	text := "No GitHub workflow and no GitLab CI file is found that runs here."
	if n := len(read); n > 0 {
		text = "No build of a Dockerfile for this branch is found in " + strings.Join(read[:min(n, shown)], ", ")
		if n > shown {
			text += fmt.Sprintf(" and %d more", n-shown)
		}
		text += "."
	}
	return text + " Where something else builds, say what it imports: layerwise predict --all --cache min (or max, " +
		"inline, none), or --cache-from to read the cache itself."
}

// writeCISummary writes the summary of a job.
func writeCISummary(
	b *bytes.Buffer, report checkReport, predicted []*prediction, rest []string, nothing string,
) error {
	fmt.Fprint(b, "## What the builds of this branch run\n\n")
	if len(predicted)+len(rest) == 0 {
		fmt.Fprintf(b, "%s\n", markdownText(nothing))
	}
	if err := printMarkdown(b, predicted); err != nil {
		return err
	}
	if len(rest) > 0 {
		fmt.Fprint(b, "\nNot predicted:\n\n")
		for _, reason := range rest {
			fmt.Fprintf(b, "- %s\n", markdownText(reason))
		}
	}
	found := 0
	for _, f := range report.files {
		for _, finding := range f.findings {
			if found++; found == 1 {
				fmt.Fprint(b, "\n## Findings in changed lines\n\n| place | severity | finding |\n| --- | --- | --- |\n")
			}
			if found > maxMarkdownRows {
				continue
			}
			code, _ := rules.Code(finding)
			fmt.Fprintf(b, "| %s:%d | %s | %s (%s) |\n", markdownText(f.path), f.text.LineAt(finding.Span.Start)+1,
				finding.Severity, markdownText(finding.Message), markdownText(code))
		}
	}
	if found == 0 {
		fmt.Fprint(b, "\nNo findings in changed lines.\n")
	} else if found > maxMarkdownRows {
		fmt.Fprintf(b, "\n%d more findings are not shown.\n", found-maxMarkdownRows)
	}
	return nil
}
