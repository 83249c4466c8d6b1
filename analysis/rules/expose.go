package rules

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// port is one word of an EXPOSE as BuildKit takes it apart: convert_expose.go in its dockerfile2llb.
type port struct {
	raw             string // after variables have been replaced
	ip, host, inner string
	proto           string
	span            source.Span
	literal         bool // raw is what stands at span
	problem         *portProblem
}

type portProblem struct {
	error
	part string // of raw, what is at fault
}

// eachPort calls f for every port of every EXPOSE, but for those with variables whose value is not known.
func (p *pass) eachPort(f func(in *dockerfile.Instruction, p port)) {
	for in := range p.every("EXPOSE") {
		if _, ok := in.Command.(*instructions.ExposeCommand); !ok || in.Stage < 0 {
			continue
		}
		comment := trailingComment(in)
		for i, word := range in.Args {
			if i == comment {
				break
			}
			words, literal := []string{word.Text}, true
			if strings.ContainsAny(word.Text, "$\"'\\`") {
				text, known := p.expand(in, word.Text)
				if name, _, pair := strings.Cut(word.Text, "="); !known && pair && !strings.ContainsAny(name, "$`") {
					text = name + "=" // no port, whatever the value is
				} else if !known {
					continue
				}
				words, literal = strings.Fields(text), false
			}
			for _, raw := range words {
				f(in, parsePort(raw, word.Span, literal && p.Text.Slice(word.Span) == raw))
			}
		}
	}
}

// expand expands a word whose variables are known, or are set by neither the file nor the image.
func (p *pass) expand(in *dockerfile.Instruction, word string) (text string, known bool) {
	if in.Stage < 0 {
		return "", false
	}
	if text, known = p.variables().Expand(in.Stage, in.Span.Start, word); known {
		return text, true
	}
	env := &unsetEnv{p: p, in: in, word: word}
	env.image, _ = p.variables().Expand(-1, in.Span.Start, p.variables().Image(in.Stage))
	text, _, err := shell.NewLex(rune(p.Escape)).ProcessWord(word, env)
	return text, err == nil && !env.unknown
}

// unsetEnv is what an instruction sees of variables, as far as the file and the image set them.
type unsetEnv struct {
	p       *pass
	in      *dockerfile.Instruction
	word    string
	image   string
	size    int  // of the values that were asked for
	unknown bool // a value is not known, or they are too long
}

func (e *unsetEnv) Get(name string) (string, bool) {
	if e.unknown {
		return "", false
	}
	v := e.p.variables()
	if d, ok := v.Lookup(e.in.Stage, e.in.Span.Start, name); ok {
		if d.In.Meant == "ARG" && !d.Known && len(v.Global[name]) == 0 && !predefined(name) &&
			(strings.Contains(e.word, "${"+name+":-") || strings.Contains(e.word, "${"+name+"-")) {
			return "", false // unless the build is given one, instead of the default
		}
		value, known := v.Expand(e.in.Stage, e.in.Span.Start, "${"+name+"}")
		e.size += len(value)
		e.unknown = !known || e.size > mostExpanded
		return value, true
	}
	sets, known := images.Sets(e.image, name)
	e.unknown = e.unknown || sets || !known || name == "PATH" || predefined(name)
	return "", false
}

func (e *unsetEnv) Keys() []string { return nil }

func parsePort(raw string, span source.Span, literal bool) port {
	p := port{raw: raw, span: span, literal: literal}
	inner := raw
	if i := strings.LastIndex(raw, ":"); i >= 0 {
		p.host, inner = raw[:i], raw[i+1:]
		if i := strings.LastIndex(p.host, ":"); i >= 0 {
			p.ip, p.host = p.host[:i], p.host[i+1:]
		}
	}
	p.inner, p.proto, _ = strings.Cut(inner, "/")
	switch strings.ToLower(p.proto) {
	case "", "tcp", "udp", "sctp":
	default:
		p.problem = &portProblem{errors.New("invalid proto: " + p.proto), p.proto}
	}
	if p.inner == "" {
		p.problem = &portProblem{errors.New("no port specified"), raw}
	}
	if p.problem != nil {
		return p
	}
	if ip := strings.TrimSuffix(strings.TrimPrefix(p.ip, "["), "]"); ip != "" {
		if _, err := netip.ParseAddr(ip); err != nil {
			p.problem = &portProblem{errors.New("invalid IP address: " + p.ip), p.ip}
			return p
		}
	}
	start, end, ok := portRange(p.inner)
	if !ok {
		p.problem = &portProblem{errors.New("invalid containerPort: " + p.inner), p.inner}
		return p
	}
	if p.host != "" {
		hostStart, hostEnd, ok := portRange(p.host)
		switch {
		case !ok:
			p.problem = &portProblem{errors.New("invalid hostPort: " + p.host), p.host}
		case end-start != hostEnd-hostStart && start != end:
			p.problem = &portProblem{
				errors.New("invalid ranges specified for container and host Ports: " + p.inner + " and " + p.host),
				raw,
			}
		}
	}
	return p
}

func portRange(text string) (start, end int, ok bool) {
	first, last, several := strings.Cut(text, "-")
	start, ok = portNumber(first)
	if !ok || !several || first == last {
		return start, start, ok
	}
	end, ok = portNumber(last)
	return start, end, ok && end >= start
}

func portNumber(text string) (int, bool) {
	n, err := strconv.ParseInt(text, 10, 0)
	return int(n), err == nil && n >= 0 && n <= 65535
}
