package daemon

import "testing"

// Whether all that a failed step stands on was built, by how the vertices ended.
func TestFinished(t *testing.T) {
	const cancelled = "process did not complete successfully: context canceled: context canceled"
	inputs := map[string][]string{ // base <- run <- copy <- last, base <- beside
		"base": nil, "context": nil, "run": {"base"}, "copy": {"run", "context"}, "last": {"copy"}, "beside": {"base"},
	}
	for _, test := range []struct {
		about       string
		ran, cached []string
		errors      map[string]string
		want        bool
	}{
		{"a step failed, after all below it", []string{"run"}, nil, map[string]string{"copy": "not found"}, true},
		{"after what was cached", nil, []string{"run"}, map[string]string{"copy": "not found"}, true},
		{"before the step below began", nil, nil, map[string]string{"copy": "not found"}, false},
		{"while the step below ran", []string{"run"}, nil, map[string]string{"copy": "x", "run": cancelled}, false},
		{"... which is called cached", nil, []string{"run"}, map[string]string{"copy": "x", "run": cancelled}, false},
		{
			"while another branch ran", []string{"run"}, nil,
			map[string]string{"copy": "not found", "beside": cancelled}, true,
		},
		{"the build was cancelled while a step ran", []string{"run"}, nil, map[string]string{"copy": cancelled}, true},
		{"while two ran", nil, nil, map[string]string{"run": cancelled, "copy": cancelled}, false},
	} {
		p := &progress{ran: map[string]*run{}, cached: map[string]*run{}, inputs: inputs, errors: test.errors}
		for _, digest := range test.ran {
			p.ran[digest] = &run{}
		}
		for _, digest := range test.cached {
			p.cached[digest] = &run{}
		}
		if got := p.finished(); got != test.want {
			t.Errorf("%s: %v", test.about, got)
		}
	}
}
