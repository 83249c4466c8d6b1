package server

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/cachemodel"
)

// label is the mark at an instruction's end: short, since it shares the line with the code. "" is no mark: what makes
// no layer or is not part of the build has none, so that the marks that matter stand out.
func label(step *cachemodel.Step) string {
	switch step.Status {
	case cachemodel.Cached:
		return step.Sign() + " cached"
	case cachemodel.Rebuilt:
		return step.Sign() + " " + verdict(step) + because(step) + took(step)
	case cachemodel.Fails:
		return step.Sign() + " fails" + because(step)
	case cachemodel.Unknown:
		return step.Sign() + " cannot tell"
	}
	return ""
}

// verdict names a step's status for people.
func verdict(step *cachemodel.Step) string {
	switch {
	case step.Status == cachemodel.Rebuilt && !step.Certain:
		return "maybe rebuilt"
	case step.Status == cachemodel.Config:
		return "configuration only: no layer, nothing to run"
	case step.Status == cachemodel.Skipped:
		return "not part of this target"
	case step.Status == cachemodel.Fails:
		return "the build fails here"
	case step.Status == cachemodel.Unknown:
		return "cannot be read far enough to tell"
	}
	return string(step.Status)
}

func because(step *cachemodel.Step) string {
	if step.Cause == nil {
		return ""
	}
	return ": " + titleText(clipRunes(step.Cause.Detail, 60))
}

func took(step *cachemodel.Step) string {
	if step.Seconds == nil {
		return ""
	}
	return " · " + cachemodel.DurationText(*step.Seconds)
}

// adds says how large a step's layer is.
func adds(step *cachemodel.Step) string {
	if step.Bytes == nil {
		return ""
	}
	if step.Shared {
		return " · adds " + cachemodel.ByteText(*step.Bytes) + ", which images share"
	}
	return " · adds " + cachemodel.ByteText(*step.Bytes)
}

// mark is a step's verdict and its cause in one line, "" for what has no mark.
func mark(step *cachemodel.Step, markdown bool) string {
	text := label(step)
	if step.Cause != nil {
		text, _, _ = strings.Cut(text, ":")
		text += ": " + titleText(step.Cause.Detail)
	}
	if markdown {
		return describe.Escape(text)
	}
	return describe.Visible(text)
}

// explain tells the whole story of a step: the verdict, the chain of causes up to the first one, what is assumed, and
// what it is compared with.
func explain(snap *snapshot, step *cachemodel.Step, markdown bool) string {
	bold, code, text := func(s string) string { return s }, describe.Visible, describe.Visible
	if markdown {
		bold = func(s string) string { return "**" + s + "**" }
		code, text = describe.Code, describe.Escape
	}
	var b strings.Builder
	b.WriteString(bold(strings.TrimLeft(step.Sign()+" "+verdict(step), " ")))
	b.WriteString(took(step) + adds(step))
	b.WriteString("\n\n")
	if chain := snap.chain(step); len(chain) > 0 {
		for _, link := range chain {
			fmt.Fprintf(&b, "- line %d %s: %s\n", link.Line, code(clipRunes(link.Text, 60)), text(link.Cause.Detail))
			if paths := link.Cause.Paths; len(paths) > 1 {
				fmt.Fprintf(&b, "  - %s\n", enumerate(paths, 8, code))
			}
		}
		b.WriteString("\n")
	}
	if step.Detail != "" {
		b.WriteString(text(sentence(step.Detail)) + "\n\n")
	}
	b.WriteString("Compared with " + snap.build.Compared.Label + ".")
	for _, note := range snap.notes() {
		b.WriteString("\n\n" + text(note))
	}
	return b.String()
}

// notes are for people: what is amiss or assumed, a sentence each.
func (snap *snapshot) notes() []string {
	if problem := snap.marks().problem; problem != "" {
		return append([]string{problem}, snap.build.notes...)
	}
	return snap.build.notes
}

// chain follows a step's cause upwards: the step itself, the one it follows from, and so on to the first reason.
func (snap *snapshot) chain(step *cachemodel.Step) []*cachemodel.Step {
	var chain []*cachemodel.Step
	for step != nil && step.Cause != nil {
		chain = append(chain, step)
		above := snap.marks().at(step.Cause.Line)
		if above == nil || above.Line >= step.Line {
			break // causes come from above; anything else ends the chain here
		}
		step = above
	}
	return chain
}

// at returns the step whose lines hold the 1-based line, nil if there is none.
func (m *marks) at(line int) *cachemodel.Step {
	if step := m.byLine[line]; step != nil {
		return step
	}
	for i := range m.steps {
		if m.steps[i].Line <= line && line <= m.steps[i].EndLine {
			return &m.steps[i]
		}
	}
	return nil
}

// sentence makes a sentence of an error's text.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return upper(s) + "."
}

// upper is s, which is not empty, with a capital first letter.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func enumerate(words []string, most int, format func(string) string) string {
	var out []string
	for i, w := range words {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(words)-most))
			break
		}
		out = append(out, format(w))
	}
	return strings.Join(out, ", ")
}

func clipRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
