package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/imagediff"
)

func TestVerifyCommand(t *testing.T) {
	all := imageBuilder{context: "ctx", target: "app", platform: "linux/arm64", args: []string{"A=1", "B=two words"},
		contexts: []string{
			"lib=../lib",
			"base=docker-image://alpine",
		}, secrets: []string{"id=token,env=TOKEN"}, ssh: []string{"default"}}
	daemon, remote := all, all
	daemon.address = "tcp://build:1234"
	remote.builder = "farm"
	docker, buildctl := []string{"docker", "buildx"}, []string{"buildctl"}
	tests := []struct {
		prose   string
		program []string
		builder imageBuilder
		noCache bool
		want    string
	}{
		{"buildx's current builder", docker, imageBuilder{context: "."}, false,
			"docker|buildx|build|--progress|plain|--provenance|false|--file|D/Dockerfile|--output|type=oci,dest=O|."},
		{"buildx by itself with everything", []string{"buildx"}, remote, true,
			"buildx|build|--progress|plain|--provenance|false|--builder|farm|--file|D/Dockerfile|--output|type=oci,dest=O|--target|app|--platform|linux/arm64|--build-arg|A=1|--build-arg|B=two words|--build-context|lib=../lib|--build-context|base=docker-image://alpine|--secret|id=token,env=TOKEN|--ssh|default|--no-cache|ctx"},
		{"a daemon", buildctl, imageBuilder{address: "unix:///bk.sock", context: "."}, false,
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

// What differs from build to build is held against the reordering only where it is another property of the file.
func TestVerifySetsAside(t *testing.T) {
	differ := func(where, what string) imagediff.Difference {
		return imagediff.Difference{Where: where, What: what, Detail: what}
	}
	tests := []struct {
		prose              string
		reordered, rebuilt []imagediff.Difference
		want               string
	}{
		{
			"a date in a file",
			[]imagediff.Difference{differ("/built-at", "content")},
			[]imagediff.Difference{differ("/built-at", "content")},
			"Differ from build to build, reordered or not: /built-at\nVerified: both files build the same image (7 " +
				"files compared).\n",
		},
		{
			"the file with the date is lost",
			[]imagediff.Difference{differ("/built-at", "existence")},
			[]imagediff.Difference{differ("/built-at", "content")},
			"Differ from build to build, reordered or not: /built-at\n" +
				"The images differ (the first is that of the file as it is, the second that of the file reordered):\n" +
				"  /built-at: existence\n",
		},
		{"another file", []imagediff.Difference{differ("/a", "content")}, nil,
			"The images differ (the first is that of the file as it is, the second that of the file reordered):\n  " +
				"/a: content\n"},
		{"very many", slices.Repeat([]imagediff.Difference{differ("/a", "mode")}, 52), nil,
			"The images differ (the first is that of the file as it is, the second that of the file " +
				"reordered):\n" + strings.Repeat(
				"  /a: mode\n",
				50,
			) + "  and 2 more\n"},
	}
	for _, test := range tests {
		v := &verification{files: 7, differences: test.reordered}
		v.setAside(test.rebuilt)
		var out bytes.Buffer
		if v.print(&out); out.String() != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.prose, out.String(), test.want)
		}
	}
}
