package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
)

// Tally counts verdicts.
type Tally struct {
	Builds    int
	Steps     map[cachemodel.Status]int
	Causes    map[cachemodel.CauseKind]int // of certain steps
	Uncertain map[cachemodel.CauseKind]int
	// Needless are the uncertain steps that come out the same whatever the stages' outputs are.
	Needless map[cachemodel.CauseKind]int
	Twins    int // see Check
	Assumed  int // wrong promises that rest on a stated assumption
}

// NewTally makes an empty one.
func NewTally() *Tally {
	return &Tally{Steps: map[cachemodel.Status]int{}, Causes: map[cachemodel.CauseKind]int{},
		Uncertain: map[cachemodel.CauseKind]int{}, Needless: map[cachemodel.CauseKind]int{}}
}

// Add counts the verdicts on one build; least and most are what it executes at least and at most. It describes the
// steps that are uncertain though they come out the same; with all images known and no remote source there is no excuse
// for it. least is asked for once more where that seems so.
func (t *Tally) Add(steps []cachemodel.Step, least, most Truth, again func() Truth) (needless []string) {
	t.Builds++
	doubted := slices.ContainsFunc(steps, func(s cachemodel.Step) bool {
		return s.Status == cachemodel.Rebuilt && !s.Certain && least[s.Line].Computed
	}) // what COPYs make of other files may be the same
	for _, s := range steps {
		t.Steps[s.Status]++
		switch {
		case s.Status != cachemodel.Rebuilt || s.Cause == nil:
		case s.Certain:
			t.Causes[s.Cause.Kind]++
		default:
			t.Uncertain[s.Cause.Kind]++
			if doubted || least[s.Line] != most[s.Line] {
				continue
			}
			if again != nil {
				least, again = again(), nil
			}
			if least[s.Line].Executed == most[s.Line].Executed {
				t.Needless[s.Cause.Kind]++
				needless = append(
					needless,
					fmt.Sprintf(
						"line %d, %s: predicted %s certain=%v (%s, line %d: %s), but it comes out as %d of %d "+
							"executed whatever the stages' outputs are",
						s.Line,
						s.Text,
						s.Status,
						s.Certain,
						s.Cause.Kind,
						s.Cause.Line,
						s.Cause.Detail,
						most[s.Line].Executed,
						most[s.Line].Vertices,
					),
				)
			}
		}
	}
	return needless
}

// Merge adds the counts of another tally.
func (t *Tally) Merge(o *Tally) {
	t.Builds += o.Builds
	t.Twins += o.Twins
	t.Assumed += o.Assumed
	for k, v := range o.Steps {
		t.Steps[k] += v
	}
	for k, v := range o.Causes {
		t.Causes[k] += v
	}
	for k, v := range o.Uncertain {
		t.Uncertain[k] += v
	}
	for k, v := range o.Needless {
		t.Needless[k] += v
	}
}

// String is a table.
func (t *Tally) String() string {
	sum := func(m map[cachemodel.CauseKind]int) int {
		n := 0
		for _, v := range m {
			n += v
		}
		return n
	}
	return fmt.Sprintf(
		"%d builds predicted\n  steps      %v\n  certain    %d %v\n  uncertain  %d %v\n    of which the same for all "+
			"outputs of stages: %d %v\n  steps that share the key of another one: %d\n  rebuilt by a stated "+
			"assumption, but cached: %d",
		t.Builds,
		t.Steps,
		sum(t.Causes),
		t.Causes,
		sum(t.Uncertain),
		t.Uncertain,
		sum(t.Needless),
		t.Needless,
		t.Twins,
		t.Assumed,
	)
}

// Check holds verdicts against what a build did and describes every wrong promise.
//
// Two steps of one build may have the same key, such as the same COPY in two stages. BuildKit then runs one of them and
// the other takes its result; which one is a matter of timing. So a certain rebuilt step that did not run is no wrong
// promise if another step with its key did run: twins says so.
func Check(steps []cachemodel.Step, did Truth, twins func(line int) bool, tally *Tally) []string {
	var wrong []string
	seen, at := map[int]bool{}, map[int]cachemodel.Step{}
	broken := brokenAssumptions(steps, did)
	for _, s := range steps {
		at[s.Line] = s
	}
	for _, s := range steps {
		lt := did[s.Line]
		seen[s.Line] = true
		say := func(format string, args ...any) {
			cause := ""
			if s.Cause != nil {
				cause = fmt.Sprintf(" (%s, line %d: %s)", s.Cause.Kind, s.Cause.Line, s.Cause.Detail)
			}
			wrong = append(
				wrong,
				fmt.Sprintf(
					"line %d, %s: predicted %s certain=%v%s, but ",
					s.Line,
					s.Text,
					s.Status,
					s.Certain,
					cause,
				)+fmt.Sprintf(
					format,
					args...),
			)
		}
		switch s.Status {
		case cachemodel.Cached:
			switch {
			case lt.Executed > 0 && slices.ContainsFunc(s.Assuming, func(a string) bool { return broken[a] }):
				tally.Assumed++
			case lt.Executed > 0:
				say("it was executed")
			}
		case cachemodel.Rebuilt:
			if s.Cause != nil && !because(s, at[s.Cause.Line]) {
				cause := at[s.Cause.Line]
				say("the step that it names as the cause is %s certain=%v", cause.Status, cause.Certain)
			}
			switch {
			case s.Cause == nil:
				say("it has no cause")
			case s.Certain && lt.Vertices > 0 && lt.Executed == 0 && lt.Unsure: // see LineTruth
			case s.Certain && lt.Vertices > 0 && lt.Executed == 0:
				if twins != nil && twins(s.Line) {
					tally.Twins++
				} else {
					say("it was cached")
				}
			case s.Certain && lt.Vertices == 0 && s.Instruction != "FROM" && s.Instruction != "WORKDIR":
				// (whether a WORKDIR comes to "/", which needs no step, may hang on an unknown image)
				say("nothing was there to run")
			}
		case cachemodel.Config, cachemodel.Skipped:
			if lt.Vertices > 0 {
				say("it made %d vertices, of which %d were executed", lt.Vertices, lt.Executed)
			}
		default:
			say("it can be read")
		}
	}
	for l := range did {
		if !seen[l] {
			wrong = append(wrong, fmt.Sprintf("line %d: BuildKit has a step there and the model has none", l))
		}
	}
	return wrong
}

// brokenAssumptions are those that did not hold: what an image triggers.
func brokenAssumptions(steps []cachemodel.Step, did Truth) map[string]bool {
	broken := map[string]bool{}
	for _, s := range steps {
		if s.Status == cachemodel.Cached && s.Instruction == "FROM" && did[s.Line].Executed > 0 {
			for _, assumption := range s.Assuming {
				broken[assumption] = strings.Contains(assumption, "ONBUILD")
			}
		}
	}
	return broken
}

// because reports whether a step may be rebuilt since above is, if that is its cause: for certain only if above is for
// certain.
func because(s, above cachemodel.Step) bool {
	if s.Cause.Kind != cachemodel.Follows && s.Cause.Kind != cachemodel.StageRebuilt {
		return true
	}
	return above.Status == cachemodel.Fails || above.Status == cachemodel.Rebuilt && (above.Certain || !s.Certain)
}
