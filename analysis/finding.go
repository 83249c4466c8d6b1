// Package analysis has the plain data that rules, rewrites and editing features hand to the command line and the
// server. The packages beneath it are pure: text and plain data in, plain data out. None may know a protocol, a
// logger, the network or the file system.
package analysis

import "github.com/layerwise/layerwise/analysis/source"

// Severity is how bad a finding is.
type Severity int

// Severities by gopls' rubric: an error stops the build; a warning is likely a bug; information is probably
// unintended; a hint is an improvement that nothing depends on.
const (
	Error Severity = iota + 1
	Warning
	Information
	Hint
)

// String returns "error", "warning", "information" or "hint".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Information:
		return "information"
	}
	return "hint"
}

// Finding is one mistake or improvement found in a Dockerfile.
type Finding struct {
	Rule     string // the rule's id
	Code     string // what another program calls it, if the rule hands on its findings; else ""
	Severity Severity
	Span     source.Span
	Message  string
	Fixes    []Fix // the likeliest first
}

// Fix is a change to the document that removes its finding.
type Fix struct {
	Title     string // imperative, as an editor's menu shows it
	Edits     []source.Edit
	Preferred bool // safe to apply without asking: part of "fix all"
}
