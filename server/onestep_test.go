package server_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/server/lsptest"
)

// texts are what layerwise/cacheStatus has for a client that writes hints and summaries itself.
type texts struct {
	Version *int
	State   string
	Hints   []struct {
		Line int
		Text string
	}
	Stages []struct {
		Line, EndLine int
		Text          string
	}
	Steps []struct {
		Line          int
		Stage, Status string
	}
}

// counted is the count of a summary, as the steps of the stage that begins at a line give it.
func (s texts) counted(line int) string {
	stage, cached, all, fails := "", 0, 0, false
	for _, step := range s.Steps {
		if step.Line == line {
			stage = step.Stage
		}
	}
	for _, step := range s.Steps {
		if step.Stage == stage && (step.Status == "cached" || step.Status == "rebuilt") {
			if all++; step.Status == "cached" {
				cached++
			}
		}
		fails = fails || step.Stage == stage && step.Status == "fails"
	}
	if cached == all && !fails {
		return fmt.Sprintf("all %d cached", all)
	}
	return fmt.Sprintf("%d of %d cached", cached, all)
}

// While somebody types two lines, every surface says of a version what every other says of it: the marks, the hints,
// the summaries. What a client asks for late holds no verdict where the client writes the verdicts itself.
func TestOneStep(t *testing.T) {
	for _, writes := range []bool{true, false} {
		t.Run(fmt.Sprintf("the client writes the texts itself: %v", writes), func(t *testing.T) {
			dir, _ := repository(t, "Dockerfile", nodeApp, "package.json", "{}", "src/app.js", "1")
			e := lsptest.Open(t, nil, map[string]any{"cacheStatus": true, "writesTexts": writes}, dir)
			uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
			e.OpenFile(uri, "dockerfile", nodeApp)
			awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY cached")

			hints, lenses := map[int]*lsptest.Pending{}, map[int]*lsptest.Pending{}
			const typed = "\nENV A=1\nRUN x"
			before, after, _ := strings.Cut(nodeApp, "\nCOPY package.json")
			version := 1
			statuses := map[int]texts{}
			// await waits for the status of the version, and keeps what comes.
			await := func() {
				e.Await("layerwise/cacheStatus", func(p json.RawMessage) bool {
					var s texts
					if err := json.Unmarshal(p, &s); err != nil || s.Version == nil || s.State != "ready" {
						return false
					}
					statuses[*s.Version] = s
					return *s.Version == version
				})
			}
			for i := range len(typed) {
				version++
				e.Replace(uri, version, before+typed[:i+1]+"\nCOPY package.json"+after)
				hints[version] = e.Send(
					"textDocument/inlayHint",
					lsptest.Document(uri, "range", lsptest.Range(0, 0, 99, 0)),
				)
				lenses[version] = e.Send("textDocument/codeLens", lsptest.Document(uri))
				if i%4 == 3 {
					await()
				}
			}
			await()

			delete(statuses, 1)
			for v, s := range statuses {
				compareTexts(t, s, writes, hints[v], lenses[v])
			}
			if len(statuses) < 4 {
				t.Errorf("only %d versions were compared", len(statuses))
			}
		})
	}
}

var verdictWord = regexp.MustCompile(`cached|rebuil|fails|\d`)

// compareTexts compares a status with the hints and lenses that were asked for of the same version.
func compareTexts(t *testing.T, s texts, writes bool, hints, lenses *lsptest.Pending) {
	t.Helper()
	var hinted []struct {
		Label    string
		Position struct{ Line int }
	}
	var titled []struct {
		Command struct{ Title string }
		Range   struct{ Start struct{ Line int } }
	}
	if err := hints.Wait(&hinted); err != nil {
		t.Fatal(err)
	}
	if err := lenses.Wait(&titled); err != nil {
		t.Fatal(err)
	}
	for _, stage := range s.Stages {
		if want := s.counted(stage.Line); !strings.HasPrefix(stage.Text, want) {
			t.Errorf("version %d: summary %q, its marks say %q", *s.Version, stage.Text, want)
		}
	}
	if !writes {
		for _, lens := range titled {
			if want := s.counted(lens.Range.Start.Line + 1); !strings.HasPrefix(lens.Command.Title, want) {
				t.Errorf("version %d: lens %q, its marks say %q", *s.Version, lens.Command.Title, want)
			}
		}
		return
	}
	var asked, sent []string
	for _, hint := range hinted {
		asked = append(asked, fmt.Sprint(hint.Position.Line+1, " ", hint.Label))
	}
	for _, hint := range s.Hints {
		sent = append(sent, fmt.Sprint(hint.Line, " ", hint.Text))
	}
	if diff := cmp.Diff(asked, sent); diff != "" || len(sent) == 0 {
		t.Errorf("version %d: hints that are asked for and those of the status differ:\n%s", *s.Version, diff)
	}
	for _, lens := range titled {
		if verdictWord.MatchString(lens.Command.Title) {
			t.Errorf("version %d: the lens has a verdict: %q", *s.Version, lens.Command.Title)
		}
	}
	if len(titled) != 1 || len(s.Stages) != 1 {
		t.Errorf("version %d: %d lenses and %d summaries, want one each", *s.Version, len(titled), len(s.Stages))
	}
}
