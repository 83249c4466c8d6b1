package conformance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	controlapi "github.com/moby/buildkit/api/services/control"

	"github.com/layerwise/layerwise/cachemodel/invocation"
)

// What buildx sends without being told, by the daemon's history, is what the model takes it to send.
func TestBuildxSendsByItself(t *testing.T) {
	const proxies = `{"proxies": {
		"default": {"httpProxy": "http://a", "httpsProxy": "http://s", "ftpProxy": "http://f", "noProxy": "x",
			"allProxy": "http://all"},
		"tcp://other:2375": {"httpProxy": "http://other"}
	}}`
	tests := []struct {
		about, config string
		env           []string
		sent          int // build arguments
	}{
		{"nothing", `{}`, nil, 0},
		{"no settings at all", "", nil, 0},
		{"the time", `{}`, []string{"SOURCE_DATE_EPOCH=100"}, 1},
		{"the proxies", proxies, nil, 4},
		{"those of another engine, and the time", proxies, []string{
			"DOCKER_HOST=tcp://other:2375", "SOURCE_DATE_EPOCH=100",
		}, 2},
	}
	real := startReal(t)
	buildx, err := findBuildx(context.Background())
	if err != nil {
		t.Skipf("NOT COMPARED WITH A REAL BUILDKIT: no buildx: %v", err)
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			ctx := context.Background()
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
			if test.config != "" {
				write("config.json", test.config)
			}
			env := append([]string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOCKER_CONFIG=" + dir, "BUILDX_CONFIG=" + dir + "/buildx",
			}, test.env...)
			for _, args := range [][]string{
				{"create", "--name", "real", "--driver", "remote", real.daemon.Address()},
				{"build", "--builder", "real", "--output", "type=cacheonly", dir},
			} {
				cmd := exec.CommandContext(ctx, buildx, args...)
				cmd.Env = env
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("buildx %v: %v\n%s", args, err, out)
				}
			}
			got := lastBuildArgs(ctx, t, real)
			if diff := cmp.Diff(invocation.AmbientOf(env).Args, got); diff != "" || len(got) != test.sent {
				t.Errorf("sent %v (-model +buildx):\n%s", got, diff)
			}
		})
	}
}

// lastBuildArgs are the build arguments of the newest build in the daemon's history.
func lastBuildArgs(ctx context.Context, t *testing.T, real *Real) map[string]string {
	t.Helper()
	list, err := real.daemon.Client.ControlClient().ListenBuildHistory(ctx,
		&controlapi.BuildHistoryRequest{EarlyExit: true})
	if err != nil {
		t.Fatal(err)
	}
	var last *controlapi.BuildHistoryRecord
	for {
		event, err := list.Recv()
		if err != nil {
			break
		}
		if r := event.Record; last == nil || r.CreatedAt.AsTime().After(last.CreatedAt.AsTime()) {
			last = r
		}
	}
	args := map[string]string{}
	for key, value := range last.FrontendAttrs {
		if name, ok := strings.CutPrefix(key, "build-arg:"); ok {
			args[name] = value
		}
	}
	return args
}
