package dockerfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// rejectFlag reports the flag i that BuildKit objects to. It returns the flag's right name, or name and value, where it
// is clear what that is, and whether the value stands apart from it, as the first argument.
func (in *Instruction) rejectFlag(i int, err error) (meant string, apart bool) {
	flag := &in.Flags[i]
	name := flag.Name.Text
	message := reason(err)
	switch {
	case strings.HasPrefix(message, "unknown flag: "):
		meant = in.rejectFlagName(flag, message)
		if !flag.HasValue && i == len(in.Flags)-1 && in.valueApart(meant) {
			in.joinValue(&in.Problems[len(in.Problems)-1], flag, meant)
			return "", true
		}
		return meant, false
	case strings.HasPrefix(message, "duplicate flag"):
		in.problem(InvalidInstruction, flag.Span, message)
	case strings.HasPrefix(message, "missing a value on flag"):
		if slices.ContainsFunc(
			in.Problems,
			func(p Problem) bool { return p.Kind == UnknownFlag && p.Span == flag.Name.Span },
		) {
			return "", false // one is enough
		}
		p := in.problem(InvalidInstruction, flag.Span, message)
		if i == len(in.Flags)-1 && !flag.HasValue && in.valueApart(name) {
			p.Message += ": a space stands in the place of ="
			in.joinValue(p, flag, name)
			return "", true
		}
	default:
		p := in.problem(InvalidInstruction, flag.Value.Span, message)
		p.Suggestions = spell.Suggest(flag.Value.Text, flagValues[name])
		switch meant := meantDuration(flag.Value.Text); {
		case flag.Value.Text == "":
			p.Span = flag.Span
		case strings.HasPrefix(message, "time: ") && meant != "":
			p.Suggestions, p.Sure = []string{meant}, true
		case strings.HasPrefix(message, "strconv."):
			p.Message = fmt.Sprintf("--%s takes a whole number, not %s", name, flag.Value.Text)
		case len(p.Suggestions) == 0 && len(flagValues[name]) > 0:
			p.Message += " (one of " + strings.Join(flagValues[name], ", ") + ")"
		}
	}
	return "", false
}

// rejectFlagName reports a flag that the instruction does not have, and returns what is meant if that is clear.
func (in *Instruction) rejectFlagName(flag *Flag, message string) string {
	name := flag.Name.Text
	known := flagNames[in.Meant]
	p := in.problem(UnknownFlag, flag.Name.Span, message)
	if name == "" {
		p.Span = flag.Span
		for _, k := range known {
			p.Suggestions = append(p.Suggestions, "--"+k+"="+flag.Value.Text)
		}
		return ""
	}
	for _, k := range known {
		if strings.EqualFold(k, name) { // flags have no capitals
			p.Suggestions, p.Sure = []string{k}, true
			return k
		}
		// "--from-build" is "--from=build".
		if rest, ok := strings.CutPrefix(name, k); ok && !flag.HasValue && len(rest) > 1 &&
			strings.IndexByte("-:;,", rest[0]) >= 0 {
			p.Suggestions = []string{k + "=" + rest[1:]}
			return p.Suggestions[0]
		}
	}
	p.Suggestions = spell.Suggest(name, known)
	if meant := spell.Meant(name, known); meant != "" {
		return meant
	}
	switch other := otherNames[in.Meant][strings.ToLower(name)]; {
	case other == "":
	case strings.HasPrefix(other, "mount="):
		p.Span = flag.Span
		if value := flag.Value.Text; value != "" && !strings.Contains(value, "=") && strings.HasPrefix(value, "/") {
			other += ",target=" + value
		} else if value != "" {
			other += "," + value
		}
		p.Suggestions = []string{"--" + other}
	case !slices.Contains(p.Suggestions, other):
		p.Suggestions = append([]string{other}, p.Suggestions...)
	}
	return ""
}

// valueShapes are what values of flags look like, for flags that are followed by a blank and then, perhaps, by their
// value.
var valueShapes = map[string]*regexp.Regexp{
	"from":           regexp.MustCompile(`^=?[A-Za-z0-9$][A-Za-z0-9_.:@/${}-]*$`),
	"chown":          regexp.MustCompile(`^=?[A-Za-z0-9_${][A-Za-z0-9_.${}-]*(:[A-Za-z0-9_.${}-]*)?$`),
	"chmod":          regexp.MustCompile(`^=?(0?[0-7]{3,4}|[ugoa]*[-+=][rwxXst]+)$`),
	"checksum":       regexp.MustCompile(`^=?sha(256|384|512):`),
	"platform":       regexp.MustCompile(`^=?(\$|[a-z0-9]+/)`),
	"mount":          regexp.MustCompile(`^=?[a-z]+=`),
	"network":        regexp.MustCompile(`^=?(default|none|host)$`),
	"security":       regexp.MustCompile(`^=?(insecure|sandbox)$`),
	"interval":       regexp.MustCompile(`^=?[0-9.]+[a-z]*$`),
	"timeout":        regexp.MustCompile(`^=?[0-9.]+[a-z]*$`),
	"start-period":   regexp.MustCompile(`^=?[0-9.]+[a-z]*$`),
	"start-interval": regexp.MustCompile(`^=?[0-9.]+[a-z]*$`),
	"retries":        regexp.MustCompile(`^=?[0-9]+$`),
}

// valueApart reports whether the first argument rather is the value of the flag of the name, which stands right before
// it without a value.
func (in *Instruction) valueApart(name string) bool {
	shape := valueShapes[name]
	if shape == nil || len(in.Args) == 0 || in.JSON {
		return false
	}
	least := map[string]int{"ADD": 3, "COPY": 3,
		"FROM": 2}[in.Meant] // with the value there have to be more arguments than needed
	return len(in.Args) >= least && shape.MatchString(in.Args[0].Text)
}

// joinValue suggests the flag with its value, the first argument, behind "=".
func (in *Instruction) joinValue(p *Problem, flag *Flag, name string) {
	value := in.Args[0]
	p.Span = source.Span{Start: flag.Span.Start, End: value.Span.End}
	p.Suggestions, p.Sure = []string{"--" + name + "=" + strings.TrimPrefix(value.Text, "=")}, true
}

// units are other names of the units of time.
var units = map[string]string{
	"": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m",
	"minutes": "m",
	"hr":      "h", "hrs": "h", "hour": "h", "hours": "h", "msec": "ms", "msecs": "ms", "millis": "ms",
	"milliseconds": "ms",
}

var durationPart = regexp.MustCompile(`([0-9.]+)([a-z]*)`)

// meantDuration returns the duration that is meant by one that BuildKit does not read, such as "5sec", or "".
func meantDuration(text string) string {
	lower := strings.ToLower(strings.TrimRight(text, ",;"))
	meant := durationPart.ReplaceAllStringFunc(lower, func(part string) string {
		m := durationPart.FindStringSubmatch(part)
		if unit, ok := units[m[2]]; ok {
			return m[1] + unit
		}
		return part
	})
	if _, err := time.ParseDuration(meant); err != nil || meant == text {
		return ""
	}
	return meant
}
