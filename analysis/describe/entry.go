// Package describe says what the words of a Dockerfile mean: those of the language, from package reference, and those
// of one file at the place where they stand.
//
// It is pure: what it knows of the build context comes in through World. Its texts are Markdown. It must not know any
// protocol.
package describe

import (
	"strings"

	"github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/rules"
)

// Key describes what an item of completion names in its Doc, such as "flag/COPY/from"; "" if there is no such thing.
func Key(key string) string {
	kind, rest, _ := strings.Cut(key, "/")
	parts := strings.SplitN(rest, "/", 3)
	switch kind {
	case "instruction":
		if in := reference.InstructionOf(rest); in != nil {
			return Entry(in.Name, &in.Entry)
		}
	case "flag":
		if in := reference.InstructionOf(parts[0]); in != nil && len(parts) > 1 {
			if f := in.Flag(parts[1]); f != nil {
				return flag(in, f, strings.Join(parts[2:], ""))
			}
		}
	case "mount":
		if m := reference.MountOf(parts[0]); m != nil {
			if len(parts) == 1 {
				return Entry("RUN --mount=type="+m.Name, &m.Entry)
			}
			return mountKey(m, parts[1], strings.Join(parts[2:], ""))
		}
	case "directive":
		if d := reference.Find(reference.Directives, parts[0]); d != nil {
			return value(Entry("# "+d.Name, d), d, strings.TrimPrefix(strings.TrimPrefix(rest, parts[0]), "/"))
		}
	case "arg":
		if a := reference.Find(reference.PredefinedArgs, rest); a != nil {
			return Entry(a.Name, a)
		}
	case "check":
		return check(rest)
	}
	return ""
}

func check(id string) string {
	r := rules.ByID(id)
	if r == nil {
		return ""
	}
	text := "**" + r.ID + "** — " + r.Doc.Summary + "\n\n" + r.Doc.What + " " + r.Doc.Why
	url := r.URL()
	if r.BuildKit != "" {
		url = r.BuildKit
	}
	return text + "\n\n[Documentation](" + url + ")"
}

// flag describes a flag of an instruction and, if it is a known one, its value.
func flag(in *reference.Instruction, f *reference.Entry, given string) string {
	return value(Entry(in.Name+" --"+f.Name, f), f, given)
}

// mountKey describes a mount's key and, if it is a known one, its value.
func mountKey(m *reference.Mount, name, given string) string {
	if strings.EqualFold(name, "type") {
		return value(Entry("RUN --mount=type", &reference.MountType), &reference.MountType, given)
	}
	key := m.Key(name)
	if key == nil {
		return ""
	}
	described := *key
	if described.Anchor == "" {
		described.Anchor = m.Anchor
	}
	return value(Entry("RUN --mount=type="+m.Name+","+key.Name, &described), key, given)
}

// value puts what a known value of an entry means in front of the entry's own text.
func value(text string, e *reference.Entry, given string) string {
	if v := reference.Find(e.Values, given); v != nil && v.Summary != "" && given != "" {
		return "**" + Code(v.Name) + "** — " + v.Summary + "\n\n" + text
	}
	return text
}

// Entry describes a word of the language under a title.
func Entry(title string, e *reference.Entry) string {
	var b strings.Builder
	b.WriteString("**" + title + "** — " + e.Summary)
	if len(e.Syntax) > 0 {
		b.WriteString("\n\n```dockerfile\n" + strings.Join(e.Syntax, "\n") + "\n```")
	}
	if e.Text != "" {
		b.WriteString("\n\n" + e.Text)
	}
	if e.Example != "" {
		b.WriteString("\n\nFor example:\n\n```dockerfile\n" + e.Example + "\n```")
	}
	var notes []string
	if e.Since != "" {
		notes = append(notes, "Since version "+e.Since+" of the Dockerfile frontend.")
	}
	if u := e.URL(); u != "" {
		notes = append(notes, "[Dockerfile reference]("+u+")")
	}
	if len(notes) > 0 {
		b.WriteString("\n\n" + strings.Join(notes, " "))
	}
	return b.String()
}
