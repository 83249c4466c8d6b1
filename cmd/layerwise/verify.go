package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/verify"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/spf13/cobra"
)

const verifyHelp = `
--verify builds both files and compares the images: every file's content, mode, owner, links and attributes, and the
configuration. Times, the history and how files are spread over layers are not compared. What differs between two builds
of the file as it is (a compiler that writes the date, say) is not held against the reordering; that is found out by
building it once more without the cache. It builds with buildctl where --buildkit or BUILDKIT_HOST names a daemon, else
with buildx (docker buildx, or buildx by itself) and the builder that --builder names or that is its current one,
wherever that runs. A builder of buildx's docker driver can be used only if its engine keeps images in containerd's
store. If the images differ the exit code is 1 and --write writes nothing; if they cannot be built, or on Ctrl-C, it is
2.`

// verifyFlags say who builds, and with what, when a reordering is verified.
type verifyFlags struct {
	builder string // of buildx; "" for its current one
	secrets []string
	ssh     []string
}

func (b *verifyFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(
		&b.builder,
		"builder",
		"",
		"with --verify: the builder of buildx (default: BUILDX_BUILDER, or its current one)",
	)
	f.StringArrayVar(&b.secrets, "secret", nil, "with --verify: a secret, id=NAME,src=FILE or id=NAME,env=VARIABLE")
	f.StringArrayVar(&b.ssh, "ssh", nil, "with --verify: an SSH agent or keys, default or NAME=SOCKET|KEY")
}

// of gives the builder of the build that is judged.
func (b *verifyFlags) of(flags *buildFlags, build *workspace.Build) (verify.Builder, error) {
	if flags.buildkit != "" && b.builder != "" {
		return verify.Builder{}, errors.New("--buildkit and --builder exclude each other")
	}
	builder, err := build.Builder(flags.buildkit, b.builder)
	builder.Secrets, builder.SSH = b.secrets, b.ssh
	return builder, err
}

// mostDifferences is how many people are shown.
const mostDifferences = 50

// printVerified says what came of verifying: a file reordered or, where it was ignoring, the same file without some of
// the build context.
func printVerified(w io.Writer, v *verify.Result, ignoring bool) {
	or, both, second := "reordered or not", "both files build the same image", "that of the file reordered"
	if ignoring {
		or, both, second = "with these files or without", "the image is the same without these files", "that without"
	}
	if n := len(v.Unstable); n > 0 {
		fmt.Fprintf(
			w,
			"Differ from build to build, %s: %s",
			or,
			printable(strings.Join(v.Unstable[:min(n, mostDifferences)], ", ")),
		)
		if n > mostDifferences {
			fmt.Fprintf(w, " and %d more", n-mostDifferences)
		}
		fmt.Fprintln(w)
	}
	n := len(v.Differences)
	if n == 0 {
		fmt.Fprintf(w, "Verified: %s (%d files compared).\n", both, v.Files)
		return
	}
	fmt.Fprintf(
		w,
		"The images differ (the first is that of the file as it is, the second %s):\n",
		second,
	)
	for _, d := range v.Differences[:min(n, mostDifferences)] {
		fmt.Fprintf(w, "  %s\n", printable(d.String()))
	}
	if n > mostDifferences {
		fmt.Fprintf(w, "  and %d more\n", n-mostDifferences)
	}
}

// jsonVerification is what reorder's JSON says of a verification.
type jsonVerification struct {
	Files       int              `json:"files"`
	Differences []jsonDifference `json:"differences"`
	Unstable    []string         `json:"unstable"`
}

type jsonDifference struct {
	Where  string `json:"where"`
	Detail string `json:"detail"`
}

func verifiedJSON(v *verify.Result) *jsonVerification {
	if v == nil {
		return nil
	}
	out := &jsonVerification{v.Files, []jsonDifference{}, append([]string{}, v.Unstable...)}
	for _, d := range v.Differences {
		out.Differences = append(out.Differences, jsonDifference{d.Where, d.Detail})
	}
	return out
}
