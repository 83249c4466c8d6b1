package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
)

func newLayers() *cobra.Command {
	var o struct {
		buildFlags
		format string
	}
	cmd := &cobra.Command{
		Use:   "layers [FILE | DIRECTORY | IMAGE]",
		Short: "Say how many bytes each instruction added to the image",
		Long: `Layers maps an image's history, as docker image history shows it, to the Dockerfile's lines: how many bytes each
instruction added, which other images have that layer too, and how much the next build writes again. Nothing is built
and nothing is removed.

The image is the last one that was built of the Dockerfile here, or of FILE, as far as the Docker engine has it; or
IMAGE, whose Dockerfile is the one here, or that of -f, if that made it: each instruction must have left the entry that
the history has. Where no engine has the image, the sizes are what the BuildKit daemon's cache holds of the last build.
What an instruction removes of a layer below takes no bytes off: they are still in that layer.

--format json prints
  {"file": "Dockerfile",
   "build": {"id": "...", "ref": "...", "when": "2026-01-02T15:04:05Z", "tool": "docker build", "dockerfile": "..."},
   "image": "shop:latest", "id": "sha256:...", "bytes": 184000000, "own": 12000000, "again": 4096,
   "layers": [{"line": 5, "endLine": 5, "stage": "build", "instruction": "COPY", "text": "COPY a.txt ./",
               "createdBy": "COPY a.txt ./ # buildkit", "bytes": 4096, "sharedWith": ["other:latest"],
               "status": "rebuilt"}]}
with one layer for each entry of the history, the oldest first. "line" is absent for those of the base image, and "file"
where no Dockerfile is known that made the image. "build" is there where the Dockerfile has changed since: the lines are
those of the text that was built, and there is no "status". "own" are the bytes that no other image of the engine has,
"again" those of instructions that the next build runs again.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			if o.format != "text" && o.format != "json" {
				return fmt.Errorf("--format is %q: use text or json", o.format)
			}
			layers, notes, err := findLayers(ctx, &o.buildFlags, strings.Join(args, ""))
			if err != nil {
				return err
			}
			for _, note := range notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "layerwise:", printable(note))
			}
			if o.format == "json" {
				return printJSON(cmd.OutOrStdout(), layers)
			}
			return printLayers(cmd.OutOrStdout(), layers)
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
	return cmd
}

// findLayers finds the image that is meant, and the Dockerfile that made it.
func findLayers(ctx context.Context, o *buildFlags, arg string) (*workspace.Layers, []string, error) {
	named := ""
	if _, err := os.Stat(arg); arg != "" && err != nil {
		named, arg = arg, ""
	}
	engine, err := daemon.EngineOf(o.buildkit, daemon.UserPlaces())
	if err != nil {
		return nil, nil, err
	}
	if named != "" && engine == nil {
		return nil, nil, fmt.Errorf("%s is not a file, and there is no Docker engine to ask for an image", named)
	}
	w := here()
	j, err := o.find(ctx, w, arg, nil)
	if err != nil && (named == "" || o.file != "") {
		return nil, nil, err
	}
	names := []string{named}
	if named == "" {
		names = j.build.ImageNames()
	}
	var image *cachemodel.StoredImage
	var notes []string
	if engine != nil && len(names) > 0 {
		if image, err = engine.Image(ctx, names); err != nil {
			if named != "" {
				return nil, nil, err
			}
			notes = append(notes, err.Error())
		}
	}
	if j == nil {
		return workspace.LayersOf(image), notes, nil
	}
	layers, err := j.build.Layers(j.name, j.question.File, image, w.Store)
	if err != nil {
		err = errors.Join(append(problems(notes), err)...)
	}
	return layers, append(notes, j.notes...), err
}

func problems(notes []string) (errs []error) {
	for _, note := range notes {
		errs = append(errs, errors.New(note))
	}
	return errs
}

// printLayers shows what each instruction added; those that added nothing are left out.
func printLayers(w io.Writer, l *workspace.Layers) error {
	var b strings.Builder
	p := colour(w)
	head := []string{l.Named(), cachemodel.ByteText(l.Bytes)}
	if l.Own != nil {
		head = append(head, cachemodel.ByteText(*l.Own)+" in no other image")
	}
	if l.File != "" {
		head = append([]string{l.File}, head...)
	}
	if l.Again != nil {
		head = append(head, cachemodel.ByteText(*l.Again)+" again in the next build")
	}
	fmt.Fprintln(&b, p.paint(p.bold, printable(strings.Join(head, " · "))))
	switch {
	case l.File == "":
		fmt.Fprintln(&b, "which Dockerfile made it is not known")
	case l.Build != nil:
		fmt.Fprintf(&b, "as the Dockerfile was in %s\n", printable(l.Build.Label))
	}
	b.WriteByte('\n')
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range l.Sizes() {
		if s.Bytes == 0 {
			continue
		}
		line, text, note := "", s.Text, sharedText(s.SharedWith)
		switch {
		case s.Line > 0:
			line = fmt.Sprint(s.Line)
		case l.File != "":
			text = "the base image"
		default:
			text = s.CreatedBy
		}
		if s.Status == cachemodel.Rebuilt {
			note = strings.TrimSuffix("written again, "+note, ", ")
		}
		fmt.Fprintf(table, "%s\t%7s\t%s\t%s\n", line, cachemodel.ByteText(s.Bytes), printable(truncate(text, 70)), note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sharedText names images that have a layer too.
func sharedText(images []string) string {
	switch n := len(images); {
	case n == 0:
		return ""
	case n > 2:
		return printable(fmt.Sprintf("also in %s and %d more", images[0], n-1))
	}
	return printable("also in " + strings.Join(images, " and "))
}
