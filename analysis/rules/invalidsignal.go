package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// InvalidSignal finds STOPSIGNALs that do not exist.
var InvalidSignal = &Rule{
	ID:       "invalid-signal",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A signal does not exist",
		What:    "Finds `STOPSIGNAL` with a name or number that is not a signal on Linux.",
		Why:     "The build stops: invalid signal.",
		Example: "FROM alpine\nSTOPSIGNAL SIGTREM\n",
		Instead: "FROM alpine\nSTOPSIGNAL SIGTERM\n",
	},
	of:   []string{"STOPSIGNAL"},
	each: checkInvalidSignal,
}

// signals are the names that BuildKit knows on Linux (moby/sys/signal), without "SIG" and those of real-time signals.
var signals = []string{
	"TERM", "INT", "QUIT", "KILL", "HUP", "USR1", "USR2", "WINCH", "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE",
	"ILL", "IO", "IOT", "PIPE", "POLL", "PROF", "PWR", "SEGV", "STKFLT", "STOP", "SYS", "TRAP", "TSTP", "TTIN", "TTOU",
	"URG", "VTALRM", "XCPU", "XFSZ", "RTMIN", "RTMAX",
}

func checkInvalidSignal(p *pass, in *dockerfile.Instruction) {
	if in.Stage < 0 || in.Command == nil || len(in.Args) == 0 || trailingComment(in) >= 0 {
		return
	}
	word := in.Args[0]
	if len(in.Args) > 1 { // BuildKit reads all of it as one name
		rest := source.Between(word.Span.End, in.ArgsSpan.End)
		finding := analysis.Finding{
			Span:    source.Between(in.Args[1].Span.Start, rest.End),
			Message: fmt.Sprintf("invalid signal: %s", p.Text.Slice(in.ArgsSpan)),
			Fixes:   change("Remove what stands behind the signal", rest, "", false),
		}
		if joined := word.Text + in.Args[1].Text; len(in.Args) == 2 && isSignal(joined) && !isSignal(word.Text) {
			finding.Span = in.ArgsSpan
			finding.Fixes = replace(in.ArgsSpan, joined, true)
		}
		p.report(nil, finding)
		return
	}
	signal, literal := word.Text, true
	if strings.ContainsAny(signal, "$\"'\\`") {
		known := false
		if signal, known = p.expand(in, signal); !known {
			return
		}
		literal = false
	}
	if isSignal(signal) {
		return
	}
	name := strings.TrimPrefix(strings.ToUpper(signal), "SIG")
	finding := analysis.Finding{Span: word.Span, Message: fmt.Sprintf("invalid signal: %s", signal)}
	if literal {
		full := make([]string, len(signals))
		for i, s := range signals {
			if full[i] = s; len(signal)-len(name) == len("SIG") || len(name) > 5 {
				full[i] = "SIG" + s
			}
		}
		if len(spell.Suggest(signal, full)) == 0 { // IGINT
			full = prefixed("SIG", signals)
		}
		finding = misspeltWord(finding, signal, full)
	} else if meant := spell.Meant(signal, prefixed("SIG", signals)); meant != "" &&
		strings.Count(word.Text, signal) == 1 && p.Text.Slice(word.Span) == word.Text {
		fixed := strings.Replace(word.Text, signal, meant, 1)
		finding.Fixes = replace(word.Span, fixed, true)
	} else if bare := strings.Trim(word.Text, `[]"' `); isSignal(bare) && bare != word.Text { // ["SIGTERM"]
		finding.Fixes = replace(word.Span, bare, true)
	}
	p.report(nil, finding)
}

// prefixed are words with a prefix.
func prefixed(prefix string, words []string) (list []string) {
	for _, word := range words {
		list = append(list, prefix+word)
	}
	return list
}

// isSignal reports whether BuildKit takes a name or number for a signal.
func isSignal(signal string) bool {
	name := strings.TrimPrefix(strings.ToUpper(signal), "SIG")
	number, err := strconv.Atoi(signal)
	return err == nil && number != 0 || slices.Contains(signals, name) || realTime(name)
}

// realTime reports whether name is RTMIN+1 to RTMIN+15 or RTMAX-1 to RTMAX-14.
func realTime(name string) bool {
	for prefix, most := range map[string]int{"RTMIN+": 15, "RTMAX-": 14} {
		if digits, ok := strings.CutPrefix(name, prefix); ok {
			n, err := strconv.Atoi(digits)
			return err == nil && 0 < n && n <= most && digits == strconv.Itoa(n)
		}
	}
	return false
}
