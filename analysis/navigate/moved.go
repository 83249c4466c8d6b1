package navigate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Move is a file or folder of a build context that gets another path. Both are relative to the context and
// slash-separated; New is "" if it leaves the context.
type Move struct {
	Old, New string
	Dir      bool
}

// Left is a place that the move of a file concerns and that is left as it is: a 1-based line, and why.
type Left struct {
	Line int
	Why  string
}

// Moved returns what a move changes in a Dockerfile: the sources of COPY, ADD and bind mounts that name what is moved,
// or something in it. What cannot be changed by a few letters is left.
func Moved(file *dockerfile.File, m Move) (edits []source.Edit, left []Left) {
	for _, in := range file.Instructions {
		keep := func(why string) {
			if l := (Left{Line: in.Line, Why: why}); !slices.Contains(left, l) {
				left = append(left, l)
			}
		}
		for _, p := range contextPaths(in) {
			text, why := m.renamed(p)
			if text != p.text {
				edits = append(edits, source.Edit{Span: p.span, NewText: text})
			}
			if why != "" {
				keep(why)
			}
		}
	}
	return edits, left
}

// contextPath is a path of the build context as an instruction has it, without quotes.
type contextPath struct {
	span    source.Span
	text    string
	unsafe  string // characters that would need quotes or escapes in it
	keeps   bool   // the file keeps its name in the image
	rewrite bool   // the text is literally the path
}

// contextPaths are the places of an instruction that name something of the build context. An ONBUILD is about the
// contexts of other builds.
func contextPaths(in *dockerfile.Instruction) (out []contextPath) {
	for _, m := range in.Mounts() {
		if in.Trigger != nil || m.Parsed == nil || m.Parsed.Type != instructions.MountTypeBind || m.Parsed.From != "" {
			continue
		}
		for _, f := range m.Fields {
			if f.HasValue && (f.Key.Text == "source" || f.Key.Text == "src") {
				length := f.Value.Span.End - f.Value.Span.Start
				out = append(out, contextPath{
					span: f.Value.Span, text: f.Value.Text, unsafe: " ,", rewrite: length == len(f.Value.Text),
				})
			}
		}
	}
	if in.Meant != "COPY" && in.Meant != "ADD" {
		return out
	}
	parents := false
	for _, flag := range in.Flags {
		switch flag.Name.Text {
		case "from":
			return out
		case "parents":
			parents = true
		}
	}
	target := ""
	if n := len(in.Args); n > 0 {
		target = strings.Trim(in.Args[n-1].Text, `"`)
	}
	into := parents || len(in.Args) > 2 || strings.HasSuffix(target, "/") || path.Base(target) == "." ||
		path.Base(target) == ".."
	for _, arg := range in.Args[:max(0, len(in.Args)-1)] {
		p := contextPath{span: arg.Span, text: arg.Text, unsafe: " \"'", rewrite: true, keeps: into}
		if in.JSON && len(p.text) > 1 {
			p.span.Start, p.span.End = p.span.Start+1, p.span.End-1
			p.text, p.unsafe = p.text[1:len(p.text)-1], `"`
		}
		p.rewrite = p.span.End-p.span.Start == len(p.text)
		if !dockerfile.IsFetched(p.text) && !strings.HasPrefix(p.text, "<<") {
			out = append(out, p)
		}
	}
	return out
}

// renamed is the text of a path after the move, and why something is left as it is, if anything is.
func (m *Move) renamed(p contextPath) (text, why string) {
	if strings.ContainsAny(p.text, "$\\\"'") || !p.rewrite {
		if strings.Contains(p.text, path.Base(m.Old)) {
			return p.text, "it may be named by a variable or an escape"
		}
		return p.text, ""
	}
	lead, rest := cutLead(p.text)
	clean := path.Clean(rest)
	parts, old := strings.Split(clean, "/"), strings.Split(m.Old, "/")
	if clean == "." {
		parts = nil
	}
	n := min(len(parts), len(old))
	switch {
	case !matches(parts[:n], old[:n]):
		return p.text, ""
	case len(parts) < len(old): // a folder that holds it
		now := strings.Split(m.New, "/")
		if m.New != "" && len(now) > n && matches(parts, now[:n]) {
			return p.text, ""
		}
		if strings.ContainsAny(clean, "*?[") && m.New != "" {
			return p.text, "the pattern " + p.text + " may no longer match it"
		}
		return p.text, fmt.Sprintf("%s will no longer hold it", folderName(clean, p.text))
	case m.New == "":
		return p.text, "it will be outside of the build context"
	case !slices.Equal(parts[:n], old):
		if now := strings.Split(m.New, "/"); len(now) == n && matches(parts[:n], now) {
			return p.text, ""
		}
		return p.text, "the pattern " + p.text + " no longer matches it"
	case strings.ContainsAny(m.New, p.unsafe+"$\\`*?[") || strings.HasPrefix(m.New, "<<") ||
		lead == "" && strings.HasPrefix(m.New, "-"):
		return p.text, "the new name needs quotes or escapes"
	}
	text = lead + strings.Join(append([]string{m.New}, parts[n:]...), "/")
	if strings.HasSuffix(rest, "/") {
		text += "/"
	}
	if p.keeps && !m.Dir && len(parts) == n && path.Base(m.Old) != path.Base(m.New) {
		why = "in the image it will be " + path.Base(m.New) + " too"
	}
	return text, why
}

func folderName(clean, text string) string {
	if clean == "." {
		return "the build context"
	}
	return text
}

// cutLead cuts what a path may begin with without another meaning.
func cutLead(text string) (lead, rest string) {
	for rest = text; ; {
		switch {
		case strings.HasPrefix(rest, "/"):
			rest = rest[1:]
		case strings.HasPrefix(rest, "./"):
			rest = rest[2:]
		default:
			return text[:len(text)-len(rest)], rest
		}
	}
}

// matches reports whether the parts of a pattern match those of a path.
func matches(pattern, parts []string) bool {
	for i, p := range pattern {
		if ok, err := path.Match(p, parts[i]); p != parts[i] && (!ok || err != nil) {
			return false
		}
	}
	return true
}

// MovedIgnored returns what a move changes in an ignore file: the patterns that name, without a wildcard, what is moved
// or something in it.
func MovedIgnored(text string, m Move) (edits []source.Edit) {
	if m.New == "" || strings.ContainsAny(m.New, "*?[\\") || strings.TrimSpace(m.New) != m.New {
		return nil
	}
	start := 0
	for line := range strings.Lines(text) {
		at := start
		start += len(line)
		pattern := strings.TrimPrefix(line, "\ufeff")
		if strings.HasPrefix(pattern, "#") {
			continue
		}
		pattern = strings.TrimLeft(pattern, " \t")
		pattern = strings.TrimLeft(strings.TrimPrefix(pattern, "!"), " \t")
		lead, rest := cutLead(pattern)
		at += len(line) - len(rest)
		rest = strings.TrimRight(rest, " \t\r\n")
		if after, ok := strings.CutPrefix(rest, m.Old); !ok || after != "" && after[0] != '/' {
			continue
		}
		if lead == "" && strings.ContainsAny(m.New[:1], "!#") {
			continue
		}
		edits = append(edits, source.Edit{Span: source.Span{Start: at, End: at + len(m.Old)}, NewText: m.New})
	}
	return edits
}
