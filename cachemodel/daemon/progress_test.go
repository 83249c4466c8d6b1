package daemon

import (
	"io"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What a daemon shows of a vertex says whether it ran.
func TestProgress(t *testing.T) {
	at := func(second int64) *timestamppb.Timestamp { return timestamppb.New(time.Unix(second, 0)) }
	inputs := []string{"base"}
	event := func(inputs []string, cached bool, from, to int64) *controlapi.Vertex {
		return &controlapi.Vertex{Digest: "v", Inputs: inputs, Cached: cached, Started: at(from), Completed: at(to)}
	}
	for _, test := range []struct {
		about   string
		events  []*controlapi.Vertex
		ran     bool
		seconds float64
	}{
		{"it ran", []*controlapi.Vertex{event(inputs, false, 1, 3)}, true, 2},
		{"it ran twice", []*controlapi.Vertex{event(inputs, false, 1, 3), event(inputs, false, 4, 5)}, true, 3},
		{"it was loaded", []*controlapi.Vertex{event(inputs, true, 1, 1)}, false, 0},
		{"its key was asked for, and it was loaded",
			[]*controlapi.Vertex{event(nil, false, 1, 3), event(nil, true, 4, 4)}, false, 0},
		{"it was loaded, and its layers were unpacked",
			[]*controlapi.Vertex{event(inputs, true, 1, 1), event(nil, false, 2, 3)}, false, 0},
		{"its key was known, its layers were gone",
			[]*controlapi.Vertex{event(inputs, true, 1, 1), event(inputs, false, 2, 7)}, true, 5},
	} {
		parts := []*controlapi.StatusResponse{{Vertexes: test.events[:1]}, {Vertexes: test.events[1:]}}
		p, err := progressOf(func() (*controlapi.StatusResponse, error) {
			if len(parts) == 0 {
				return nil, io.EOF
			}
			part := parts[0]
			parts = parts[1:]
			return part, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := p.ran["v"]; (r != nil) != test.ran || r != nil && r.seconds != test.seconds {
			t.Errorf("%s: %+v", test.about, r)
		}
		if (p.cached["v"] != nil) == test.ran {
			t.Errorf("%s: cached is %+v", test.about, p.cached["v"])
		}
	}
}
