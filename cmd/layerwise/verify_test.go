package main

import (
	"strings"
	"testing"
)

func TestVerifyCommand(t *testing.T) {
	all := imageBuilder{context: "ctx", target: "app", platform: "linux/arm64", args: []string{"A=1", "B=two words"}}
	daemon := all
	daemon.address = "tcp://build:1234"
	tests := []struct {
		prose   string
		builder imageBuilder
		noCache bool
		want    string
	}{
		{"buildx's current builder", imageBuilder{context: "."}, false,
			"docker|buildx|build|--progress|plain|--provenance|false|--file|D/Dockerfile|--output|type=oci,dest=O|."},
		{"buildx with everything", all, true,
			"docker|buildx|build|--progress|plain|--provenance|false|--file|D/Dockerfile|--output|type=oci,dest=O|--target|app|--platform|linux/arm64|--build-arg|A=1|--build-arg|B=two words|--no-cache|ctx"},
		{"a daemon", imageBuilder{address: "unix:///bk.sock", context: "."}, false,
			"buildctl|--addr|unix:///bk.sock|build|--progress|plain|--frontend|dockerfile.v0|--local|context=.|--local|dockerfile=D|--opt|filename=Dockerfile|--output|type=oci,dest=O"},
		{"a daemon with everything", daemon, true,
			"buildctl|--addr|tcp://build:1234|build|--progress|plain|--frontend|dockerfile.v0|--local|context=ctx|--local|dockerfile=D|--opt|filename=Dockerfile|--output|type=oci,dest=O|--opt|target=app|--opt|platform=linux/arm64|--opt|build-arg:A=1|--opt|build-arg:B=two words|--no-cache"},
	}
	for _, test := range tests {
		if got := strings.Join(test.builder.command("D", "O", test.noCache), "|"); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.prose, got, test.want)
		}
	}
}
