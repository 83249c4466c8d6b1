package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/format"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/spf13/cobra"
)

const formatHelp = `Lay Dockerfiles out evenly, without changing what they mean: a formatted file has the same cache keys.

PATH is a file or a folder, which is searched for Dockerfiles as layerwise check does it; "-" reads from standard input.
Without PATH it is the Dockerfile of --service or --bake, else the current folder with --check, --diff or --write,
and Dockerfile otherwise. The other flags about a build are those of layerwise check and change no layout.
Keywords become upper case, continuation lines are indented by one step where blanks mean nothing, blanks at line ends
and repeated empty lines go. Shell commands and heredocs are left as they are, and so is what BuildKit rejects.

Without --write, --diff or --check the formatted text of one file is printed. --check prints the names of the files that
are not formatted; the exit code is 1 then. It is 2 where a file cannot be read, or is not written: --write leaves alone
what is not a Dockerfile by its name and content, templates, files that a program makes, and files with a line that
cannot be read.`

func newFormat() *cobra.Command {
	var write, diff, check, keep bool
	var indent int
	var build buildFlags
	cmd := &cobra.Command{
		Use:   "format [PATH...]",
		Short: "Lay Dockerfiles out evenly without changing a cache key",
		Long:  formatHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if indent < 0 || indent > 16 {
				return fmt.Errorf("--indent %d: a number of blanks up to 16, or 0 for a tab", indent)
			}
			o := format.Options{Indent: strings.Repeat(" ", indent), KeepKeywords: keep, FinalNewline: true}
			out := cmd.OutOrStdout()
			if len(args) == 1 && args[0] == "-" {
				return formatInput(out, cmd.InOrStdin(), o)
			}
			without := "."
			if !write && !diff && !check {
				without = aloneIn(".")
			}
			builds, err := build.choices()
			if err != nil {
				return err
			}
			if args, err = build.pathsOf(cmd.Context(), args, builds, without); err != nil {
				return err
			}
			files, failures := findDockerfiles(args)
			if !write && !diff && !check && len(files) > 1 {
				return fmt.Errorf("%d files: choose one of --write, --diff, --check", len(files))
			}
			unformatted := 0
			for _, path := range files {
				before, after, err := formatFile(path, o)
				if err != nil {
					failures = append(failures, err)
					continue
				}
				switch {
				case !write && !diff && !check:
					_, err = io.WriteString(out, after)
				case after == before:
				case check:
					unformatted++
					_, err = fmt.Fprintln(out, path)
				case write && whyNotWritten(path, before) != "":
					err = fmt.Errorf("%s: not written: %s", path, whyNotWritten(path, before))
				case diff:
					var unified string
					if unified, err = unifiedDiff(path, before, after); err == nil {
						_, err = io.WriteString(out, paintDiff(colour(out), unified))
					}
				default:
					if err = writeAtomically(path, after); err == nil {
						_, err = fmt.Fprintf(out, "%s written\n", path)
					}
				}
				if err != nil {
					failures = append(failures, err)
				}
			}
			switch {
			case len(failures) > 0:
				return errors.Join(failures...)
			case unformatted > 0:
				return exitError{code: 1}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&write, "write", false, "change the files")
	cmd.Flags().BoolVar(&diff, "diff", false, "print the changes as unified diffs")
	cmd.Flags().BoolVar(&check, "check", false, "print the files that are not formatted, with exit code 1")
	cmd.Flags().BoolVar(&keep, "keep-keywords", false, "leave the letter case of instructions alone")
	cmd.Flags().IntVar(&indent, "indent", 4, "blanks in front of a continuation line; 0 is a tab")
	atMostOne(cmd, "write", "diff", "check")
	build.registerShared(cmd.Flags())
	return cmd
}

// aloneIn is the Dockerfile of a directory, the directory itself if it has none.
func aloneIn(dir string) string {
	path, err := dockerfileIn(dir)
	if _, missing := os.Stat(path); err != nil || missing != nil {
		return dir
	}
	return relative(path)
}

// formatInput prints the formatted text of standard input.
func formatInput(out io.Writer, in io.Reader, o format.Options) error {
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	after, err := formatText(string(content), o)
	if err == nil {
		_, err = io.WriteString(out, after)
	}
	return err
}

// whyNotWritten says why a file is not to be changed, "" if it may be.
func whyNotWritten(path, text string) string {
	if dockerfile.IsOtherName(filepath.Base(path)) {
		return "its name is not a Dockerfile's"
	}
	return rules.WhyNotChanged(dockerfile.Parse(source.New(text), nil))
}

// formatFile is a file's text as it is and formatted.
func formatFile(path string, o format.Options) (before, after string, err error) {
	if isBuildFile(path) {
		return "", "", fmt.Errorf("%s: a Dockerfile within a Compose or bake file is not formatted", path)
	}
	if before, err = readDockerfile(path); err == nil {
		after, err = formatText(before, o)
	}
	return before, after, err
}

func formatText(text string, o format.Options) (string, error) {
	return source.Apply(text, format.Edits(dockerfile.Parse(source.New(text), nil), o))
}
