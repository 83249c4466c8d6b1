package rules

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// The inputs of dockerfile-utils' tests are its authors' and are not kept here. docs/agreement.md says how they are
// recorded.
var recorded = flag.String(
	"recorded",
	"",
	"a file of what dockerfile-utils' validator says, a line {text, diagnostics: [{name, severity, line, message}]} "+
		"for each input: "+
		"go test ./analysis/rules -run TestDockerfileUtils -v -args -recorded FILE",
)

// TestDockerfileUtils prints, for each code of dockerfile-utils, how often it is given and how often there is a finding
// of ours in the same instruction, with the inputs that lack one; and the inputs in which only one of both finds an
// error.
func TestDockerfileUtils(t *testing.T) {
	if *recorded == "" {
		t.Skip("SKIPPED: needs -args -recorded FILE, what dockerfile-utils says of the inputs of its tests")
	}
	file, err := os.Open(*recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	type tally struct {
		given, agree int
		rules        map[string]int
		missed       []string
	}
	codes := map[string]*tally{}
	var onlyOurs []string
	inputs := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var in struct {
			Text        string
			Diagnostics []struct {
				Name           string
				Severity, Line int
				Message        string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			t.Fatal(err)
		}
		inputs++
		parsed := dockerfile.Parse(source.New(in.Text), nil)
		ours := map[int][]string{} // rules by the line in which the instruction begins
		errors := ""
		at := func(line int) int {
			if i := parsed.InstructionAt(parsed.Text.Line(min(line, parsed.Text.EndLine()-1)).Start); i != nil {
				return i.Line
			}
			return line + 1
		}
		for _, f := range checkText(in.Text) {
			line := at(parsed.Text.LineAt(f.Span.Start))
			ours[line] = append(ours[line], f.Rule)
			if f.Severity == analysis.Error {
				errors = f.Message
			}
		}
		for _, d := range in.Diagnostics {
			c := codes[d.Name]
			if c == nil {
				c = &tally{rules: map[string]int{}}
				codes[d.Name] = c
			}
			c.given++
			if here := ours[at(d.Line)]; len(here) > 0 {
				c.agree++
				for _, rule := range slices.Compact(slices.Sorted(slices.Values(here))) {
					c.rules[rule]++
				}
			} else {
				c.missed = append(c.missed, fmt.Sprintf("%q line %d: %s", in.Text, d.Line+1, d.Message))
			}
		}
		if errors != "" && len(in.Diagnostics) == 0 {
			onlyOurs = append(onlyOurs, fmt.Sprintf("%q: %s", in.Text, errors))
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(codes)) {
		c := codes[name]
		fmt.Fprintf(&b, "%-40s %5d given, %5d with a finding of ours %v\n", name, c.given, c.agree, c.rules)
		for _, m := range c.missed[:min(len(c.missed), 6)] {
			fmt.Fprintf(&b, "    missed: %.200s\n", m)
		}
	}
	fmt.Fprintf(&b, "%d inputs in which only ours has an error\n", len(onlyOurs))
	for _, m := range onlyOurs[:min(len(onlyOurs), 40)] {
		fmt.Fprintf(&b, "    %.200s\n", m)
	}
	t.Logf("%d inputs\n%s", inputs, b.String())
}
