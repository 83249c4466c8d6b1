package conformance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Coverage counts what generated cases hold.
type Coverage struct {
	Instructions, Flags, Edits map[string]int
}

// NewCoverage makes an empty one.
func NewCoverage() *Coverage {
	return &Coverage{map[string]int{}, map[string]int{}, map[string]int{}}
}

var flagOf = regexp.MustCompile(`--(\w[\w-]*)(?:=(?:type=(\w+))?)?`)

// Add counts the instructions and flags of a case's builds and the edits between them.
func (c *Coverage) Add(sketches []Sketch, edits [][]string) {
	for _, s := range sketches {
		for _, in := range s.Insts {
			f := strings.Fields(in.Text)
			if len(f) == 0 || strings.HasPrefix(f[0], "#") {
				continue
			}
			k := strings.ToUpper(f[0])
			c.Instructions[k]++
			first, _, _ := strings.Cut(in.Text, "\n")
			if strings.Contains(first, "<<") {
				c.Instructions[k+" heredoc"]++
			}
			if strings.Contains(first, "[\"") || strings.Contains(first, "[ \"") {
				c.Instructions[k+" JSON"]++
			}
			if k == "HEALTHCHECK" {
				continue
			}
			for _, m := range flagOf.FindAllStringSubmatch(first, -1) {
				name := k + " --" + m[1]
				if m[2] != "" {
					name += " " + m[2]
				}
				c.Flags[name]++
			}
		}
	}
	for _, names := range edits {
		for _, n := range names {
			c.Edits[n]++
		}
	}
}

// String lists the counts.
func (c *Coverage) String() string {
	list := func(m map[string]int) string {
		var s []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			s = append(s, fmt.Sprintf("%s %d", k, m[k]))
		}
		return strings.Join(s, ", ")
	}
	return "  instructions  " + list(
		c.Instructions,
	) + "\n  flags         " + list(
		c.Flags,
	) + "\n  edits         " + list(
		c.Edits,
	)
}
