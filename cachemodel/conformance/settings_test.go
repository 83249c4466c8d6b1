package conformance

import (
	"context"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
)

// What every RUN of a build is run with changes the steps that BuildKit says it changes.
func TestRunSettings(t *testing.T) {
	const text = `FROM base
COPY f /f
WORKDIR /w
RUN a
RUN --network=none b
RUN --mount=type=tmpfs,target=/t c
`
	type settings = cachemodel.RunSettings
	for _, test := range []struct {
		name string
		a, b settings
		args map[string]string // of b
		runs bool              // the first RUN is executed anew
	}{
		{"nothing changes", settings{Network: "host", ShmSize: 1 << 20}, settings{Network: "host", ShmSize: 1 << 20},
			nil, false},
		{"the network mode", settings{}, settings{Network: "host"}, nil, true},
		{"no network", settings{Network: "host"}, settings{Network: "none"}, nil, true},
		{"the default network", settings{}, settings{Network: "sandbox"}, nil, false},
		{"shared memory", settings{}, settings{ShmSize: 1 << 20}, nil, true},
		{"more shared memory", settings{ShmSize: 1 << 20}, settings{ShmSize: 1 << 21}, nil, true},
		{"a limit", settings{Ulimits: []string{"nofile=1024:2048"}}, settings{Ulimits: []string{"nofile=1024:4096"}},
			nil, true},
		{"a limit in other " +
			"words", settings{Ulimits: []string{"nofile=1024"}}, settings{Ulimits: []string{"nofile=1024:1024"}}, nil,
			false},
		{"an extra host", settings{}, settings{ExtraHosts: []string{"db=10.0.0.1"}}, nil, true},
		{"its address", settings{ExtraHosts: []string{"db=10.0.0.1"}}, settings{ExtraHosts: []string{"db=10.0.0.2"}},
			nil, false},
		{"its case", settings{ExtraHosts: []string{"db=10.0.0.1"}}, settings{ExtraHosts: []string{"DB=10.0.0.1"}}, nil,
			false},
		{"the order of hosts", settings{ExtraHosts: []string{"a=10.0.0.1", "b=10.0.0.1"}},
			settings{ExtraHosts: []string{"b=10.0.0.1", "a=10.0.0.1"}}, nil, true},
		{"the host name", settings{}, settings{Hostname: "h"}, nil, true},
		{"the host name by an " +
			"argument", settings{Hostname: "h"}, settings{}, map[string]string{"BUILDKIT_SANDBOX_HOSTNAME": "h"},
			false},
		{"the cgroup parent", settings{}, settings{CgroupParent: "/c"}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			oracle, model := NewInProcess(Outputs(0), 1), &Model{}
			defer oracle.Close()
			build := Build{Name: "Dockerfile", Dockerfile: text, Files: map[string]File{"f": {Mode: 0o644, Data: "f"}}}
			build.Args, build.Run = map[string]string{}, test.a
			for n := range 2 {
				if n == 1 {
					build = build.Clone()
					build.Args, build.Run = test.args, test.b
				}
				did, err := oracle.Build(context.Background(), build)
				if err != nil {
					t.Fatal(err)
				}
				if ran := did[4].Executed > 0; n == 1 && ran != test.runs {
					t.Errorf("BuildKit: line 4 runs: %v, want %v", ran, test.runs)
				}
				steps, err := model.Predict(context.Background(), build)
				if err != nil {
					t.Fatal(err)
				}
				for _, wrong := range Check(steps, did, nil, NewTally()) {
					t.Error(wrong)
				}
			}
		})
	}
}
