// Command layerwise marks what the next build of a Dockerfile will reuse and what it will run: as a language server
// and on the command line. This package is wiring only: flags, exit codes and what people see in a terminal.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

// subcommands is the table of all subcommands, one file each.
var subcommands = []func() *cobra.Command{
	newPredict,
	newWhy,
	newLayers,
	newBuild,
	newBaseline,
	newCheck,
	newCI,
	newReorder,
	newFormat,
	newReplay,
	newRules,
	newExplain,
	newServe,
	newVersion,
}

// exitError ends the program with a code of its own: 1 for findings, 2 where the command could not run.
type exitError struct {
	code int
	err  error // printed unless nil
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func main() { os.Exit(run()) }

func run() int {
	stderr := muteLibraries()
	root := newRoot()
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var exit exitError
	if !errors.As(err, &exit) {
		exit = exitError{code: 2, err: err}
	}
	if exit.err != nil {
		fmt.Fprintln(stderr, "layerwise:", printableLines(exit.err.Error()))
	}
	return exit.code
}

// muteLibraries returns standard error, and takes it away from all that write there unasked, in the middle of what
// people read: Docker's libraries their warnings, text/scanner (in BuildKit's parser) what it thinks of a file's bytes.
func muteLibraries() *os.File {
	stderr := os.Stderr
	logrus.SetOutput(io.Discard)
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = null
	}
	return stderr
}

func newRoot() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "layerwise",
		Short: "See in the editor what the next docker build will reuse, and why not",
		Long: `See what the next docker build will reuse, and why not the rest: in the editor, through the language server that
layerwise serve is, and here.`,
		Example: `  layerwise predict                        # what the next build of the Dockerfile here reuses, compared with git HEAD
  layerwise check --fix                    # mistakes in the Dockerfiles below this folder, fixed
  layerwise reorder --diff                 # an order that rebuilds less
  layerwise build -- docker build .        # your build, as it is; predict then compares with it`,
		Version:       fullVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.SetFlagErrorFunc(misused)
	for _, sub := range subcommands {
		root.AddCommand(sub())
	}
	root.AddCommand(newMCP()) // not in the table, since it runs the others
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Run, cmd.RunE = nil, help
		}
		for _, cmd := range append(cmd.Commands(), cmd) {
			if check := cmd.Args; check != nil {
				cmd.Args = func(cmd *cobra.Command, args []string) error { return misused(cmd, check(cmd, args)) }
			}
		}
	}
	return root
}

// group makes a command one that only has subcommands.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2
	cmd.DisableFlagsInUseLine = true
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
	return cmd
}

// otherWords are what other programs call what a subcommand does.
var otherWords = map[string]string{
	"lint": "check", "analyze": "check", "fix": "check --fix", "fmt": "format", "status": "predict",
	"plan":     "predict",
	"optimize": "reorder", "history": "replay", "lsp": "serve", "server": "serve",
}

// help is the subcommand of that name.
func help(cmd *cobra.Command, args []string) error {
	about, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return unknownCommand(about, args[len(args)-1])
	}
	return about.Help()
}

func unknownCommand(of *cobra.Command, name string) error {
	err := fmt.Errorf("unknown command %q", name)
	if meant := otherWords[name]; meant != "" {
		return misused(of, fmt.Errorf("%w: did you mean %s?", err, meant))
	}
	if meant := of.SuggestionsFor(name); len(meant) > 0 {
		err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(meant, " or "))
	}
	return misused(of, err)
}

// misused says with an error in how a command was called where to read on.
func misused(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nRun %q for how it is used", err, cmd.CommandPath()+" --help")
}

// atMostOne refuses more than one of some flags.
func atMostOne(cmd *cobra.Command, names ...string) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		given := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !cmd.Flags().Changed(name) })
		if len(given) > 1 {
			return misused(cmd, fmt.Errorf("--%s exclude each other", strings.Join(given, " and --")))
		}
		return nil
	}
}
