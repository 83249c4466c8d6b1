// Command layerwise marks what the next build of a Dockerfile will reuse and what it will run: as a language server
// and on the command line. This package is wiring only: flags, exit codes and what people see in a terminal.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

// subcommands is the table of all subcommands, one file each.
var subcommands = []func() *cobra.Command{
	newPredict,
	newBuild,
	newBaseline,
	newCheck,
	newReorder,
	newFormat,
	newReplay,
	newRules,
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
	logrus.SetOutput(io.Discard) // where libraries of Docker's write their warnings, in the middle of what people read
	root := &cobra.Command{
		Use:           "layerwise",
		Short:         "See in the editor what the next docker build will reuse, and why not",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	for _, sub := range subcommands {
		root.AddCommand(sub())
	}
	err := root.Execute()
	if err == nil {
		return 0
	}
	var exit exitError
	if !errors.As(err, &exit) {
		exit = exitError{code: 2, err: err}
	}
	if exit.err != nil {
		fmt.Fprintln(os.Stderr, "layerwise:", exit.err)
	}
	return exit.code
}
