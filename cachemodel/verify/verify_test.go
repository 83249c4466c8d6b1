package verify

import (
	"strings"
	"testing"
)

func TestCommand(t *testing.T) {
	all := Builder{Context: "ctx", Target: "app", Platform: "linux/arm64", Args: []string{"A=1", "B=two words"},
		Contexts: []string{
			"lib=../lib",
			"base=docker-image://alpine",
		}, Secrets: []string{"id=token,env=TOKEN"}, SSH: []string{"default"}}
	daemon, remote := all, all
	daemon.Address = "tcp://build:1234"
	remote.Name = "farm"
	docker, buildctl := []string{"docker", "buildx"}, []string{"buildctl"}
	tests := []struct {
		prose   string
		program []string
		builder Builder
		noCache bool
		want    string
	}{
		{"buildx's current builder", docker, Builder{Context: "."}, false,
			"docker|buildx|build|--progress|plain|--provenance|false|--file|D/Dockerfile|--output|type=oci,dest=O|."},
		{"buildx by itself with everything", []string{"buildx"}, remote, true,
			"buildx|build|--progress|plain|--provenance|false|--builder|farm|--file|D/Dockerfile|--output|type=oci,dest=O|--target|app|--platform|linux/arm64|--build-arg|A=1|--build-arg|B=two words|--build-context|lib=../lib|--build-context|base=docker-image://alpine|--secret|id=token,env=TOKEN|--ssh|default|--no-cache|ctx"},
		{"a daemon", buildctl, Builder{Address: "unix:///bk.sock", Context: "."}, false,
			"buildctl|--addr|unix:///bk.sock|build|--progress|plain|--frontend|dockerfile.v0|--local|context=.|--local|dockerfile=D|--opt|filename=Dockerfile|--output|type=oci,dest=O"},
		{"a daemon with everything", buildctl, daemon, true,
			"buildctl|--addr|tcp://build:1234|build|--progress|plain|--frontend|dockerfile.v0|--local|context=ctx|--local|dockerfile=D|--opt|filename=Dockerfile|--output|type=oci,dest=O|--opt|target=app|--opt|platform=linux/arm64|--opt|build-arg:A=1|--opt|build-arg:B=two words|--local|lib=../lib|--opt|context:lib=local:lib|--opt|context:base=docker-image://alpine|--secret|id=token,env=TOKEN|--ssh|default|--no-cache"},
	}
	for _, test := range tests {
		if got := strings.Join(test.builder.command(test.program, "D", "O", test.noCache), "|"); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.prose, got, test.want)
		}
	}
}
