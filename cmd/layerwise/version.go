package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// What a release says of itself, set at link time; a build from a checkout says what the Go toolchain recorded.
var version, commit, date string

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the commit and date that it is built from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "layerwise version", fullVersion())
			return err
		},
	}
}

// versionString is the version alone, such as 0.1.0.
func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// fullVersion is the version with what is known of its commit, such as "0.1.0 (commit 0123456789ab, 2026-11-28)".
func fullVersion() string {
	commit, date := commit, date
	if info, ok := debug.ReadBuildInfo(); ok && commit == "" {
		recorded := map[string]string{}
		for _, s := range info.Settings {
			recorded[s.Key] = s.Value
		}
		commit, date = recorded["vcs.revision"], recorded["vcs.time"]
		if recorded["vcs.modified"] == "true" {
			commit += " with changes"
		}
	}
	if commit == "" {
		return versionString()
	}
	commit = commit[:min(12, len(commit))] + commit[min(40, len(commit)):]
	date, _, _ = strings.Cut(date, "T")
	return fmt.Sprintf("%s (commit %s, %s)", versionString(), commit, cmp.Or(date, "of unknown date"))
}
