package cachemodel

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// StoredImage is an image that a Docker engine keeps.
type StoredImage struct {
	ID      string // its digest
	Tags    []string
	History []HistoryEntry // the oldest first
}

// HistoryEntry is what docker image history shows in one line.
type HistoryEntry struct {
	CreatedBy string
	Bytes     int64
	// SharedWith are the other images of the engine that have the same layers up to here, by a name for people; nil if
	// that is not known.
	SharedWith []string
}

// imageCommands are the commands that make a stage's image upon its base image, in order.
func imageCommands(target *stagePlan) (out []command) {
	for st := target; st != nil && !st.replaced; st = st.base {
		out = slices.Concat(st.commands, out)
	}
	return out
}

// ImageLines are the first lines of the instructions that make the image upon its base image.
func (p *Plan) ImageLines() (lines []int) {
	for _, c := range p.target {
		lines = append(lines, c.line)
	}
	return slices.Compact(lines)
}

// HistoryLines finds the instructions that made an image's history, by their first lines; 0 is one of the base image,
// and a trigger of it counts for the FROM. ok is false where this Dockerfile did not make the image: it must end with
// an entry for each instruction, of the same kind, and a RUN with the same command.
func (p *Plan) HistoryLines(history []HistoryEntry) (lines []int, ok bool) {
	lines = make([]int, len(history))
	made := slices.Clone(p.target)
	if p.build.Settings.Engine != Classic { // BuildKit keeps no entry of a trigger
		made = slices.DeleteFunc(made, func(c command) bool { return c.in.Meant == "ONBUILD" })
	}
	below := len(history) - len(made)
	if below < 0 || len(made) == 0 {
		return lines, false
	}
	for i, c := range made {
		if !c.mayHaveMade(history[below+i].CreatedBy) {
			return lines, false
		}
		lines[below+i] = c.line
	}
	return lines, true
}

// mayHaveMade reports whether a command may have left an entry of an image's history: BuildKit writes
// "COPY a.txt / # buildkit", the classic builder "/bin/sh -c #(nop) COPY file:0a1b in / " and of a RUN only its command.
func (c command) mayHaveMade(createdBy string) bool {
	if _, nop, ok := strings.Cut(createdBy, "#(nop)"); ok {
		createdBy = nop
	}
	words := strings.Fields(strings.TrimSuffix(createdBy, "# buildkit"))
	switch cmd := c.in.Command.(type) {
	case nil:
		return false
	case *instructions.RunCommand:
		run := strings.Fields(strings.Join(cmd.CmdLine, " "))
		at := len(words) - len(run)
		return len(cmd.Files) > 0 || at >= 0 && slices.Equal(words[at:], run)
	}
	return len(words) > 0 && words[0] == c.in.Meant
}
