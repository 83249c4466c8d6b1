package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/verify"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"
)

const reorderHelp = `Offer an order of the instructions that lets builds reuse more, where the image stays the same.

FILE defaults to Dockerfile, or the only one below the folder. Without --write or --diff it prints what it would do
and why. To the classic builder every instruction is a step; to BuildKit ENV, CMD and the like are not, so that the
answers differ: say with --engine which one builds the file. Where nothing is gained it says so; the exit code is 0 in
either case, and 2 if FILE cannot be read.

For BuildKit it looks for the order that would have cost least over the last commits that git has of the build context
(--history; 0 reads none). Where there is no history, the whole context is taken to change at 90 of 100 builds, folders
at 80, manifests of package managers at 10, other single files at 5. What steps take is what layerwise replay states.
An installation that needs only some files of a COPY is put above it, with a COPY of those files. A RUN of a stage that
is not the target gets a cache mount where the tool makes the same of a full, an empty and an old cache, and nothing
takes it from the stage.
Where a stage that no image is made of gets the whole context, it also names files that no image takes and nothing is
known to read, such as README.md or .github: lines for .dockerignore.

Each change has a grade:
  proved    no instruction that changes places reads or writes what another does
  verified  both files were built, and the images were the same (--verify does that, and remembers it)
  likely    it rests on facts about tools, such as "npm ci reads package.json and its lock file"; they are stated
--write leaves the file alone where a change is only likely, but with --likely. The times of files, the order of
variables in the environment of a RUN and the image's history are not taken for differences.

--format json prints
  {"file": "Dockerfile", "engine": "classic", "written": false,
   "rewrites": [{"stage": 0, "title": "...", "explanation": "...", "grade": "likely", "restsOn": ["..."],
    "before": 94.5, "after": 12.1,
                 "edits": [{"range": {"start": {"line": 2, "column": 1}, "end": {"line": 2, "column": 4}},
                  "newText": "..."}]}],
   "reason": "why nothing is gained, if there are no rewrites",
   "diff": "the change as a unified diff",
   "verified": {"files": 277, "differences": [{"where": "/a", "detail": "mode 644 in the first, 755 in the second"}],
                "unstable": ["/built-at"]},
   "explain": [{"line": 5, "step": "npm ci", "seconds": 40, "reruns": 94, "builds": 100, "below": 4,
    "why": "npm: package.json cannot be read. So it may read anything that is copied."}],
   "context": {"ignore": ["README.md", "docs"], "explanation": "...", "grade": "likely", "only": 31, "builds": 100,
               "before": 94.5, "after": 65.2}}
"context" is there where lines of .dockerignore would save builds; "only" are the builds at which nothing else changed
of what is copied. --verify builds with and without these lines where there is no order to be verified.
"explain" is there with --explain: of each RUN that takes some time, why no order has it run less often.
"before" and "after" are the seconds that all builds of the history cost, with all stages of the file; they are left
out where nothing was counted. "verified" is there with --verify: what differs, the first image being that of the file
as it is, and in "unstable" what differs from build to build without the reordering.
Lines and columns count from 1, columns in characters (Unicode code points).
` + verifyHelp

func newReorder() *cobra.Command {
	var write, likely, diff, verify, explain bool
	var format string
	var history int
	var build buildFlags
	var verifying verifyFlags
	cmd := &cobra.Command{
		Use:   "reorder [FILE]",
		Short: "Offer an order of the instructions that rebuilds less",
		Long:  reorderHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format %s: choose one of text, json", format)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			r, err := reorderFile(ctx, strings.Join(args, ""), build, history, progressOn(cmd.ErrOrStderr()))
			if err != nil {
				return interrupted(err)
			}
			if r.Partial {
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise: the search was ended early: there may be better orders")
			}
			if verify && len(r.Rewrites) > 0 || verify && r.narrow != nil {
				if err := r.verify(ctx, &verifying, &build, cmd.ErrOrStderr()); err != nil {
					return interrupted(err)
				}
				if len(r.verified.Differences) > 0 {
					if format == "json" {
						if err := r.printJSON(cmd.OutOrStdout(), false); err != nil {
							return err
						}
					}
					what := "the reordering"
					if len(r.Rewrites) == 0 {
						what = "without these files it"
					}
					return exitError{
						code: 1,
						err:  fmt.Errorf("%s: %s does not make the same image; nothing is written", r.path, what),
					}
				}
			}
			if write && !likely && !r.certain() {
				return exitError{
					code: 1,
					err: fmt.Errorf(
						"%s: nothing is written, because it is only likely that the image stays the same: add "+
							"--verify, which builds both, or --likely",
						r.path,
					),
				}
			}
			if write && len(r.Rewrites) > 0 {
				if err := writeAtomically(r.path, r.after); err != nil {
					return err
				}
			}
			if diff && format == "text" && len(r.Rewrites) == 0 { // standard output is for patch
				fmt.Fprintln(cmd.ErrOrStderr(), r.noOrder())
			}
			if explain {
				r.explain(ctx, history)
			}
			return r.print(cmd.OutOrStdout(), format == "json", diff, write)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().IntVar(&history, "history", 100, "how many commits the gain is counted over; 0 for none")
	cmd.Flags().BoolVar(&write, "write", false, "change the file")
	cmd.Flags().BoolVar(&explain, "explain", false, "say of each RUN that takes some time why it stays where it is")
	cmd.Flags().BoolVar(&likely, "likely", false, "with --write: also what is only likely to keep the image")
	cmd.Flags().BoolVar(&diff, "diff", false, "print the change as a unified diff")
	cmd.Flags().BoolVar(&verify, "verify", false, "build both files and compare the images")
	build.register(cmd)
	verifying.register(cmd)
	atMostOne(cmd, "write", "diff")
	return cmd
}

// reordering is what can be done to one file.
type reordering struct {
	path   string
	engine reorder.Engine
	build  *workspace.Build
	file   *dockerfile.File
	reorder.Offers
	narrow   *reorder.Narrowing // what the build context need not hold, nil if nothing is known
	after    string             // the file with all rewrites
	verified *verify.Result
	on       string // when and by which builder all rewrites were verified together, "" if they were not
	reasons  []reorder.Reason
}

// store is where verified reorderings are remembered.
func (r *reordering) store() *record.Store { return record.NewStore(digestCache()) }

// verify builds both files, and keeps it if the images are the same.
func (r *reordering) verify(ctx context.Context, flags *verifyFlags, build *buildFlags, w io.Writer) error {
	builder, err := flags.of(build, r.build)
	if err != nil {
		return err
	}
	before := r.file.Text.String()
	if len(r.Rewrites) == 0 { // then the lines of the ignore file are what is verified
		builder.Without = r.narrow.Lines
	}
	r.verified, err = builder.Verify(ctx, r.path, before, r.after, func(what string) { fmt.Fprintf(w, "%s...\n", what) })
	if err != nil {
		return err
	}
	printVerified(w, r.verified, len(r.Rewrites) == 0)
	if len(r.verified.Differences) > 0 {
		return nil
	}
	if len(r.Rewrites) == 0 {
		r.narrow.Grade = reorder.Verified
		gain, _, _ := strings.Cut(r.narrow.Explanation, "\n")
		r.narrow.Explanation = gain + "\nThe image stays the same: it was built with these files and without."
		return nil
	}
	if err := r.build.Remember(r.store(), before, r.after, builder, r.verified); err != nil {
		fmt.Fprintf(w, "layerwise: the verification is not kept: %v\n", err)
	}
	for i := range r.Rewrites {
		r.Rewrites[i].Verify()
	}
	r.on = verifiedOn(time.Now(), builder.String())
	return nil
}

// recall looks up whether the rewrites were verified before.
func (r *reordering) recall() {
	if r.build == nil {
		return
	}
	if v := r.build.Recall(r.store(), r.file, r.Rewrites); v != nil {
		r.on = verifiedOn(v.Time, v.Builder)
	}
}

// verifiedOn says when and by which builder something was verified.
func verifiedOn(at time.Time, builder string) string {
	return fmt.Sprintf("verified %s on %s", ago(time.Since(at)), builder)
}

// ago says how long something is past.
func ago(d time.Duration) string {
	switch {
	case d < time.Hour:
		return "just now"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// explain works out why nothing more is offered.
func (r *reordering) explain(ctx context.Context, commits int) {
	if r.engine == reorder.BuildKit && r.build != nil {
		r.reasons = reorder.Explain(r.file, r.build.Model(r.file, r.build.History(ctx, commits, nil)))
	}
}

// explanation is explain's result in words.
func (r *reordering) explanation(w io.Writer) {
	for _, reason := range r.reasons {
		where := ""
		if reason.Below > 0 {
			where = fmt.Sprintf("stays below line %d: ", reason.Below)
		}
		fmt.Fprintf(
			w,
			"%s:%d: RUN %s (about %.0f s by estimate, run by %d of %d builds): %s%s\n",
			printablePath(r.path),
			reason.Line,
			printable(reason.Step),
			reason.Seconds,
			reason.Reruns,
			reason.Builds,
			where,
			printable(reason.Why),
		)
	}
}

// certain reports whether all rewrites are known to keep the image.
func (r reordering) certain() bool {
	return !slices.ContainsFunc(r.Rewrites, func(w reorder.Rewrite) bool { return !w.Grade.Certain() })
}

// reason says why nothing is offered, and what would be if the ignore file had a few more lines.
func (r reordering) reason() string {
	if len(r.Ignoring) == 0 {
		return reorder.NothingGained(r.file, r.engine)
	}
	return strings.Join(r.missing(), "\n")
}

// missing says which lines of the ignore file orders lack.
func (r reordering) missing() (lines []string) {
	for _, w := range r.Ignoring {
		lines = append(
			lines,
			fmt.Sprintf(
				"%s: possible once .dockerignore has %s: what a working tree has of that would be copied over what the "+
					"build makes. Then run layerwise reorder again.",
				w.Title,
				strings.Join(w.Ignore, ", "),
			),
		)
	}
	return lines
}

// reorderFile finds what can be done to the Dockerfile that an argument and the flags mean.
func reorderFile(
	ctx context.Context,
	arg string,
	o buildFlags,
	commits int,
	progress func(done, total int),
) (reordering, error) {
	j, err := o.find(ctx, here(), arg, uncompared)
	if err != nil {
		return reordering{}, err
	}
	b := j.build
	r := reordering{path: j.name, engine: reorder.Engine(b.Settings.Engine), build: b, file: j.question.File}
	if r.engine == reorder.Classic {
		r.Rewrites = reorder.Suggest(r.file, r.engine)
	} else {
		history := b.History(ctx, commits, progress)
		if err := ctx.Err(); err != nil {
			return r, err
		}
		model := b.Model(r.file, history)
		r.Offers = reorder.Search(ctx, r.file, model)
		if narrow, ok := reorder.Narrow(ctx, r.file, model); ok {
			r.narrow = &narrow
		}
	}
	if err := ctx.Err(); err != nil && len(r.Rewrites) == 0 {
		return r, err
	}
	var edits []source.Edit
	for _, rewrite := range r.Rewrites {
		edits = append(edits, rewrite.Edits...)
	}
	if r.after, err = source.Apply(r.file.Text.String(), edits); err == nil {
		r.recall()
	}
	return r, err
}

// betterOrders finds for check what reorder offers for BuildKit. The history is read only where anything is gained
// without one.
func betterOrders(ctx context.Context, w *workspace.Workspace, path string, how checking) rules.Orders {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var b *workspace.Build
	return func(file *dockerfile.File) (orders []rules.Order) {
		if b == nil {
			b = w.Reader(path).Load(ctx, workspace.Question{File: file, Choices: how.builds, Uncompared: true})
		}
		if b == nil || b.Context.Tree == nil || len(reorder.Search(ctx, file, b.Model(file, nil)).Rewrites) == 0 {
			return nil
		}
		model := b.Model(file, b.History(ctx, how.history, nil))
		for _, r := range reorder.Search(ctx, file, model).Rewrites {
			const least = 1 // seconds that a build saves in the mean: below, nobody would notice
			if saved := r.Before - r.After; r.Before > 0 && model.Builds > 0 && saved < float64(least*model.Builds) {
				continue
			}
			orders = append(orders, rules.Order{
				Stage: r.Stage, Title: graded(r), Message: r.Title + ": " + r.Gain(), Edits: r.Edits,
				Proved: r.Grade.Certain(),
			})
		}
		return orders
	}
}

func graded(r reorder.Rewrite) string {
	if r.Grade == reorder.Proved {
		return r.Title
	}
	return r.Title + " (" + string(r.Grade) + ")"
}

// noOrder says of which Dockerfile there is no other order, and why.
func (r reordering) noOrder() string { return printablePath(r.path) + ": " + printable(r.reason()) }

func (r reordering) print(w io.Writer, asJSON, diff, written bool) error {
	if asJSON {
		return r.printJSON(w, written)
	}
	if len(r.Rewrites) == 0 {
		if diff {
			return nil // no difference
		}
		_, err := fmt.Fprintln(w, r.noOrder())
		r.printNarrow(w)
		r.explanation(w)
		return err
	}
	unified, err := r.diff()
	if err != nil {
		return err
	}
	p := colour(w)
	if diff {
		_, err := io.WriteString(w, paintDiff(p, unified))
		return err
	}
	for _, rewrite := range r.Rewrites {
		at := positionOf(r.file.Text, rewrite.Span.Start)
		grade := strings.TrimPrefix(graded(rewrite), rewrite.Title)
		if rewrite.Grade == reorder.Verified && r.on != "" {
			grade = " (" + r.on + ")"
		}
		fmt.Fprintf(w, "%s:%d: %s%s\n", printablePath(r.path), at.Line, p.paint(p.bold, printable(rewrite.Title)), grade)
		for _, line := range strings.Split(rewrite.Explanation, "\n") {
			fmt.Fprintf(w, "  %s\n", printable(line))
		}
	}
	r.explanation(w)
	if len(r.Rewrites) > 0 {
		for _, line := range r.missing() {
			fmt.Fprintln(w, line)
		}
	}
	r.printNarrow(w)
	if written {
		_, err := fmt.Fprintf(w, "%s written\n", printablePath(r.path))
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s\nNothing is changed yet: --write does it.\n", paintDiff(p, unified))
	return err
}

// jsonReordering is reorder's JSON.
type jsonReordering struct {
	File     string            `json:"file"`
	Engine   string            `json:"engine"`
	Written  bool              `json:"written"`
	Rewrites []jsonRewrite     `json:"rewrites"`
	Reason   string            `json:"reason"`
	Diff     string            `json:"diff"`
	Verified *jsonVerification `json:"verified,omitempty"`
	Explain  []jsonReason      `json:"explain,omitempty"`
	Context  *jsonNarrowing    `json:"context,omitempty"`
}

// jsonNarrowing is what the build context need not hold.
type jsonNarrowing struct {
	Ignore      []string `json:"ignore"`
	Explanation string   `json:"explanation"`
	Grade       string   `json:"grade"`
	Only        int      `json:"only"`
	Builds      int      `json:"builds"`
	Before      float64  `json:"before"`
	After       float64  `json:"after"`
}

func narrowingJSON(n *reorder.Narrowing) *jsonNarrowing {
	if n == nil {
		return nil
	}
	return &jsonNarrowing{n.Lines, n.Explanation, string(n.Grade), n.Only, n.Builds, n.Before, n.After}
}

// printNarrow says what the build context need not hold.
func (r reordering) printNarrow(w io.Writer) {
	if r.narrow == nil {
		return
	}
	fmt.Fprintf(w, "Add to .dockerignore: %s (%s)\n", printable(strings.Join(r.narrow.Lines, ", ")), r.narrow.Grade)
	for _, line := range strings.Split(r.narrow.Explanation, "\n") {
		fmt.Fprintf(w, "  %s\n", printable(line))
	}
}

// jsonReason says why a RUN stays where it is.
type jsonReason struct {
	Line    int     `json:"line"`
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
	Reruns  int     `json:"reruns"`
	Builds  int     `json:"builds"`
	Below   int     `json:"below,omitempty"` // the line of the copy that it stays below
	Why     string  `json:"why"`
}

type jsonRewrite struct {
	Stage       int        `json:"stage"`
	Title       string     `json:"title"`
	Explanation string     `json:"explanation"`
	Grade       string     `json:"grade"`
	RestsOn     []string   `json:"restsOn,omitempty"` // what a likely one rests on
	Before      float64    `json:"before,omitzero"`
	After       float64    `json:"after,omitzero"`
	Edits       []textEdit `json:"edits"`
}

func (r reordering) printJSON(w io.Writer, written bool) error {
	rewrites := []jsonRewrite{}
	for _, rewrite := range r.Rewrites {
		rewrites = append(
			rewrites,
			jsonRewrite{
				rewrite.Stage,
				rewrite.Title,
				rewrite.Explanation,
				string(rewrite.Grade),
				rewrite.Facts,
				rewrite.Before,
				rewrite.After,
				textEdits(r.file.Text, rewrite.Edits),
			},
		)
	}
	reason := ""
	if len(rewrites) == 0 {
		reason = r.reason()
	}
	unified, err := r.diff()
	if err != nil {
		return err
	}
	return printJSON(
		w,
		jsonReordering{
			r.path,
			string(r.engine),
			written && len(rewrites) > 0,
			rewrites,
			reason,
			unified,
			verifiedJSON(r.verified),
			r.jsonReasons(),
			narrowingJSON(r.narrow),
		},
	)
}

func (r reordering) jsonReasons() (list []jsonReason) {
	for _, reason := range r.reasons {
		list = append(
			list,
			jsonReason{
				reason.Line,
				reason.Step,
				reason.Seconds,
				reason.Reruns,
				reason.Builds,
				reason.Below,
				reason.Why,
			},
		)
	}
	return list
}

func (r reordering) diff() (string, error) {
	return unifiedDiff(r.path, r.file.Text.String(), r.after)
}

// unifiedDiff returns the difference in the form that patch and git apply take; "" if there is none.
func unifiedDiff(path, before, after string) (string, error) {
	path = strings.TrimPrefix(filepath.ToSlash(path), "/")
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: diffLines(before), B: diffLines(after), FromFile: "a/" + path, ToFile: "b/" + path, Context: 3,
	})
}

// diffLines splits text into lines that keep their newlines; a last line without one says so, as patch wants it.
func diffLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	last := len(lines) - 1
	if lines[last] == "" {
		return lines[:last]
	}
	lines[last] += "\n\\ No newline at end of file\n"
	return lines
}

func paintDiff(p palette, unified string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(unified, "\n") {
		text := strings.TrimRight(line, "\r\n")
		end := line[len(text):]
		colour := ""
		switch {
		case strings.HasPrefix(text, "+"):
			colour = p.green
		case strings.HasPrefix(text, "-"):
			colour = p.red
		case strings.HasPrefix(text, "@@"):
			colour = p.dim
		}
		if p != (palette{}) { // a terminal, not a patch
			text = printable(text)
		}
		b.WriteString(p.paint(colour, text))
		b.WriteString(end)
	}
	return b.String()
}
