package server

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/cachemodel"
)

// What encode writes by hand is what encoding/json reads, field for field.
func TestEncodeIsJSON(t *testing.T) {
	seconds, bytes, version := 1.25, int64(1<<40), int32(7)
	want := cacheStatus{
		URI: "file:///w/Dockerfile", Version: &version, State: "ready", Engine: "classic", Target: "t",
		Baseline: cachemodel.Baseline{Kind: "git", Ref: "HEAD"}, BaselineLabel: "git HEAD", Notes: []string{"a", "b"},
		Summary: cachemodel.Summary{Cached: 1, Rebuilt: 2, Config: 3, Skipped: 4, Unknown: 5, Seconds: &seconds},
		Steps: []cachemodel.Step{
			{
				Line:        1,
				EndLine:     2,
				Stage:       "s",
				Instruction: "RUN",
				Text:        "RUN \"x\" \\ \t \u2028 😀 \x01",
				Status:      cachemodel.Rebuilt,
				Certain:     true,
				Cause: &cachemodel.Cause{
					Kind:   cachemodel.ContextChanged,
					Line:   3,
					Paths:  []string{"a", "b\"c"},
					Detail: "d",
				},
			},
			{Line: 4, EndLine: 4, Status: cachemodel.Cached, Detail: "assumed", Assuming: []string{"x is y", "z"},
				Seconds: &seconds, Bytes: &bytes, Shared: true},
			{Status: cachemodel.Rebuilt, Cause: &cachemodel.Cause{Kind: cachemodel.Follows, Paths: []string{"only"}}},
		},
	}
	everyFieldIsIn(t, want.Steps)
	for _, status := range []cacheStatus{want, {URI: "untitled:x", Notes: []string{}, Steps: []cachemodel.Step{}}} {
		raw, err := status.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got cacheStatus
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if diff := cmp.Diff(status, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		// Every field that encoding/json writes is there, so that a new one is not forgotten.
		std, _ := json.Marshal(status.Steps)
		var a, b any
		_ = json.Unmarshal(std, &a)
		var outer map[string]any
		_ = json.Unmarshal(raw, &outer)
		b = outer["steps"]
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("steps as encoding/json writes them and as we do:\n%s", diff)
		}
	}
}

// everyFieldIsIn fails for a field that no step of the test sets, so that a new one is tested, too.
func everyFieldIsIn(t *testing.T, steps []cachemodel.Step) {
	t.Helper()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[cachemodel.Step]()) {
		if !slices.ContainsFunc(
			steps,
			func(s cachemodel.Step) bool { return !reflect.ValueOf(s).FieldByIndex(field.Index).IsZero() },
		) {
			t.Errorf("no step of the test sets %s", field.Name)
		}
	}
}
