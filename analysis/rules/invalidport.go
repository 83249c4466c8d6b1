package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// InvalidPort finds EXPOSE of what is no port.
var InvalidPort = &Rule{
	ID:       "invalid-port",
	Severity: analysis.Error,
	Hadolint: []string{"DL3011"},
	Doc: Doc{
		Summary: "EXPOSE has no valid port",
		What: "Finds ports, ranges and protocols that BuildKit does not understand. Where something is likely " +
			"meant, a fix writes it.",
		Why:     "The build stops at such an EXPOSE.",
		Example: "FROM alpine\nEXPOSE 80/tpc\n",
		Instead: "FROM alpine\nEXPOSE 80/tcp\n",
	},
	check: checkInvalidPort,
}

// fillers are words that people write between ports.
var fillers = map[string]bool{"and": true, ",": true, "port": true, "ports": true, "&": true, "+": true}

// listed reports whether an EXPOSE has its ports in brackets, and reports that once.
func (p *pass) listed(in *dockerfile.Instruction, port port) bool {
	m := listPorts.FindStringSubmatch(p.Text.Slice(in.ArgsSpan))
	if m == nil || len(in.Args) < 2 {
		return false
	}
	if port.span == in.Args[0].Span {
		list := strings.FieldsFunc(m[1], func(r rune) bool { return strings.ContainsRune(", ;\"\t", r) })
		p.found(in, in.ArgsSpan, replace(in.ArgsSpan, strings.Join(list, " "), true),
			"EXPOSE takes no array: the brackets belong to the first and the last port")
	}
	return true
}

var apartSlash = regexp.MustCompile(`(?:^|[ \t])([0-9]+)(?:[ \t]+/[ \t]*|[ \t]*/[ \t]+)(tcp|udp|sctp)\b`)

// slashApart reports whether a port belongs to one whose protocol stands apart, and reports that once. m is where
// apartSlash matches the instruction's arguments.
func (p *pass) slashApart(in *dockerfile.Instruction, m []int, port port) bool {
	if m == nil {
		return false
	}
	span := in.ArgsSpan.Part(m[2], m[1])
	if port.span.Start < span.Start || port.span.End > span.End {
		return false
	}
	if port.span.Start == span.Start {
		text := p.Text.Slice(in.ArgsSpan)
		p.found(in, span, replace(span, text[m[2]:m[3]]+"/"+text[m[4]:m[5]], true),
			"a blank divides the port from its protocol")
	}
	return true
}

// otherMistake reports whether something else is wrong with an EXPOSE than the port; if no other rule says what, it is
// reported.
func (p *pass) otherMistake(in *dockerfile.Instruction, apart []int, port port) bool {
	if _, ok := p.innerInstruction(in); ok || p.listed(in, port) || p.slashApart(in, apart, port) {
		return true
	}
	return len(in.Args) > 1 && (in.Args[0].Text == "=" || in.Args[0].Text == ":")
}

func checkInvalidPort(p *pass) {
	var last *dockerfile.Instruction
	var apart []int // where apartSlash matches its arguments
	p.eachPort(func(in *dockerfile.Instruction, port port) {
		if in != last {
			last, apart = in, apartSlash.FindStringSubmatchIndex(p.Text.Slice(in.ArgsSpan))
		}
		if p.otherMistake(in, apart, port) {
			return
		}
		if port.problem == nil {
			if rest, ok := strings.CutPrefix(port.raw, ":"); ok && port.literal {
				p.report(
					in,
					analysis.Finding{
						Severity: analysis.Warning,
						Span:     port.span,
						Message:  port.raw + " names no host port: EXPOSE takes the port only",
						Fixes:    replace(port.span, rest, true),
					},
				)
			}
			return
		}
		if at, ok := p.swallows(in); ok && port.span.End > at {
			return // SwallowedInstruction says what is wrong
		}
		finding := analysis.Finding{Span: port.span, Message: port.problem.Error()}
		raw, part := port.raw, port.problem.part
		if at := p.brokenAt(port.span); at >= 0 {
			p.reportGlued(nil, source.Between(port.span.Start, at), raw)
			return
		}
		if !port.literal {
			if word := p.Text.Slice(port.span); !strings.Contains(word, "$") { // quotes or escapes
				if meant := meantPort(strings.ReplaceAll(word, `\`, ":")); meant != "" {
					finding.Fixes = replace(port.span, meant, true)
				}
			} else if meant := p.asVariables(in, word); meant != "" {
				finding.Fixes = replace(port.span, meant, true)
			}
			if raw != part {
				finding.Message += " (in " + raw + ")"
			}
			p.report(nil, finding)
			return
		}
		if at := strings.LastIndex(raw, part); at >= 0 && part != "" {
			finding.Span = port.span.Part(at, at+len(part))
		}
		p.report(nil, p.fixPort(in, port, finding))
	})
}

// fixPort is the finding of a port that stands as it is written, with what was meant by it.
func (p *pass) fixPort(in *dockerfile.Instruction, port port, finding analysis.Finding) analysis.Finding {
	raw, part := port.raw, port.problem.part
	protocols := []string{"tcp", "udp", "sctp"}
	i := slices.IndexFunc(in.Args, func(word dockerfile.Word) bool { return word.Span == port.span })
	if i > 0 && slices.Contains(protocols, strings.ToLower(raw)) &&
		strings.Trim(in.Args[i-1].Text, "0123456789") == "" {
		gap := source.Between(in.Args[i-1].Span.End, port.span.Start)
		finding.Fixes = change("Write it behind a slash", gap, "/", true)
	} else if meant := p.portVariable(in, raw); meant != "" {
		finding.Span, finding.Fixes = port.span, replace(port.span, meant, true)
	} else if m := webAddress.FindStringSubmatch(raw); m != nil {
		finding.Span, finding.Message = port.span, "EXPOSE takes a port, not an address"
		finding.Fixes = replace(port.span, m[1], true)
	} else if meant := protocolFirst(in, i, protocols); meant != "" {
		finding.Fixes = replace(in.ArgsSpan, meant, true)
	} else if i >= 0 && i < len(in.Args)-1 && (strings.HasPrefix(raw, "-") || fillers[strings.ToLower(raw)]) {
		rest := source.Between(port.span.Start, in.Args[i+1].Span.Start)
		finding.Fixes = change("Remove "+raw, rest, "", false)
	} else if port.proto != "" && part == port.proto && spell.Meant(part, protocols) != "" {
		finding = misspeltWord(finding, part, protocols)
	} else if meant := meantPort(raw); meant != "" {
		finding.Span = port.span
		finding.Message += fmt.Sprintf(" (did you mean %s?)", meant)
		finding.Fixes = replace(port.span, meant, !strings.HasPrefix(raw, "http") && !strings.ContainsAny(raw, "lI"))
	} else if port.proto != "" && part == port.proto {
		finding = misspelt(finding, part, "", protocols, true)
	}
	return finding
}

// portVariable returns the variable that is meant by its name, or by it as another tool writes it, "" if none is.
func (p *pass) portVariable(in *dockerfile.Instruction, raw string) string {
	if p.defines(in, raw) {
		return "$" + raw
	}
	return p.asVariables(in, raw)
}

var (
	webAddress = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+:([0-9]+)/?$`)
	twoPorts   = regexp.MustCompile(`^([0-9]+(?:[|/&+;][0-9]+)+)$`)
	namedPort  = regexp.MustCompile(`^[a-z_]*port[a-z0-9_]*[=:]([0-9]+)$`)
	glueProto  = regexp.MustCompile(`^([0-9]+(?:-[0-9]+)?)[:=.,_-]?(tcp|udp|sctp)$`)
	listPorts  = regexp.MustCompile(`^[\[({][ \t]*"?([0-9]+(?:"?[ \t]*[,;][ \t]*"?[0-9]+)*)"?[ \t]*[\])}]$`)
	protoPort  = regexp.MustCompile(`^(tcp|udp|sctp)(?:://|[/:=])([0-9-]+)$`)
	dotRange   = regexp.MustCompile(`^([0-9]+)(\.\.+|:|~|\x{2013}|\x{2014})([0-9]+)$`)
	protoList  = regexp.MustCompile(`^([0-9-]+)/((?:tcp|udp|sctp)(?:[,/+&|](?:tcp|udp|sctp))+)$`)
	hostPort   = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]+){3}|localhost|\*):([0-9]+)$`)
	webPort    = regexp.MustCompile(`^([0-9]+)/(?:https?|wss?|grpc)$`)
	portDigit  = strings.NewReplacer("O", "0", "o", "0", "l", "1", "I", "1")
)

// meantPort returns the ports that are meant by what is no port, or "".
func meantPort(raw string) string {
	valid := func(list string) string {
		for _, one := range strings.Fields(list) {
			if parsePort(one, source.Span{}, false).problem != nil {
				return ""
			}
		}
		return list
	}
	lower := strings.ToLower(raw)
	for _, list := range []string{"http 80", "https 443", "ssh 22", "postgres 5432", "mysql 3306", "redis 6379"} {
		if name, number, _ := strings.Cut(list, " "); lower == name {
			return number
		}
	}
	if m := hostPort.FindStringSubmatch(lower); m != nil {
		return valid(m[1])
	}
	if m := webPort.FindStringSubmatch(lower); m != nil {
		return valid(m[1] + "/tcp")
	}
	if twoPorts.MatchString(lower) {
		return valid(strings.Join(strings.FieldsFunc(lower, func(r rune) bool { return r < '0' || r > '9' }), " "))
	}
	if m := namedPort.FindStringSubmatch(lower); m != nil {
		return valid(m[1])
	}
	if bare := strings.TrimRight(lower, "-"); bare != lower && bare != "" && strings.Trim(bare, "0123456789") == "" {
		return valid(bare)
	}
	if m := glueProto.FindStringSubmatch(lower); m != nil {
		return valid(m[1] + "/" + m[2])
	}
	if m := protoPort.FindStringSubmatch(lower); m != nil {
		return valid(m[2] + "/" + m[1])
	}
	if m := dotRange.FindStringSubmatch(lower); m != nil && m[2] != ":" {
		return valid(m[1] + "-" + m[3])
	}
	if m := protoList.FindStringSubmatch(lower); m != nil {
		var ports []string
		for _, proto := range strings.FieldsFunc(m[2], func(r rune) bool { return r < 'a' || r > 'z' }) {
			ports = append(ports, m[1]+"/"+proto)
		}
		return valid(strings.Join(ports, " "))
	}
	if digits := strings.TrimRight(raw, ".:/"); digits != raw && digits != "" {
		return valid(digits)
	}
	if strings.ContainsAny(raw, ",;[]\"'") { // 80,443
		list := strings.Join(
			strings.FieldsFunc(raw, func(r rune) bool { return strings.ContainsRune(",;[]\"'", r) }),
			" ",
		)
		if list != "" {
			return valid(list)
		}
	}
	if first, last, ok := strings.Cut(raw, "-"); ok {
		a, first1 := portNumber(first)
		b, last1 := portNumber(last)
		if first1 && last1 && a > b {
			return last + "-" + first
		}
	}
	if digits := portDigit.Replace(raw); digits != raw {
		return valid(digits)
	}
	return ""
}

// protocolFirst is the port that is meant by a protocol and a number, or "".
func protocolFirst(in *dockerfile.Instruction, i int, protocols []string) string {
	if i != 0 || len(in.Args) != 2 || !slices.Contains(protocols, strings.ToLower(in.Args[0].Text)) ||
		strings.Trim(in.Args[1].Text, "0123456789") != "" {
		return ""
	}
	return in.Args[1].Text + "/" + strings.ToLower(in.Args[0].Text)
}
