package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
)

// The Docker engine that tests run on, and the client that goes with it. They are built from Go modules, in three
// minutes or so, and kept in the user's cache directory.
const (
	engineModule = "github.com/moby/moby/v2/cmd/dockerd@v2.0.0-beta.24"
	buildxModule = "github.com/docker/buildx/cmd/buildx@v0.38.2"
)

// EngineMissing says what the machine lacks to run a Docker engine, or "".
func EngineMissing() string {
	if what := Missing(); what != "" {
		return what
	}
	if _, err := lookPath("containerd"); err != nil {
		return "containerd is not installed (Debian: apt install containerd)"
	}
	return ""
}

// ClassicMissing says what the machine lacks to run a Docker engine with the classic builder, or "".
func ClassicMissing() string {
	if what := EngineMissing(); what != "" {
		return what
	}
	for _, program := range []string{"dockerd", "docker"} {
		if _, err := lookPath(program); err != nil {
			return program + " is not installed (Debian: apt install docker.io)"
		}
	}
	return ""
}

// Engine is a running Docker engine that belongs to this process.
type Engine struct {
	*Daemon
	Socket  string
	Builder []string // the command that "docker build" is, without its arguments
	Env     []string // its environment
}

// StartEngine builds the engine if the user's cache directory has none, and starts one on an empty state directory.
func StartEngine(ctx context.Context) (*Engine, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(cache, "layerwise-conformance", "engine-v2.0.0-beta.24")
	if err := buildEngine(ctx, bin); err != nil {
		return nil, err
	}
	e, err := startEngine(ctx, filepath.Join(bin, "dockerd"))
	if err != nil {
		return nil, err
	}
	e.Builder = []string{filepath.Join(bin, "buildx"), "build"}
	e.Client, err = client.New(ctx, "", client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return grpcOf(ctx, e.Socket)
	}))
	if err == nil {
		_, err = e.Client.ListWorkers(ctx)
	}
	if err != nil {
		e.Stop()
		return nil, fmt.Errorf("the engine has no BuildKit: %w", err)
	}
	return e, nil
}

// StartClassic starts the engine that is installed, to build with its classic builder.
func StartClassic(ctx context.Context) (*Engine, error) {
	dockerd, err := lookPath("dockerd")
	if err != nil {
		return nil, err
	}
	e, err := startEngine(ctx, dockerd)
	if err != nil {
		return nil, err
	}
	docker, err := lookPath("docker")
	e.Builder, e.Env = []string{docker, "build"}, append(e.Env, "DOCKER_BUILDKIT=0")
	return e, err
}

// startEngine starts dockerd and waits until it answers.
func startEngine(ctx context.Context, dockerd string) (*Engine, error) {
	d, err := newDaemon(memory(), "layerwise-dockerd", "docker.sock")
	if err != nil {
		return nil, err
	}
	d.Options = map[string]string{"force-network-mode": "host"}
	config := filepath.Join(d.dir, "config")
	e := &Engine{Daemon: d, Socket: strings.TrimPrefix(d.addr, "unix://")}
	e.Env = append(os.Environ(), "DOCKER_HOST="+d.addr, "DOCKER_CONFIG="+config, "DOCKER_CONTEXT=",
		"BUILDX_CONFIG="+filepath.Join(config, "buildx"), "BUILDX_BUILDER=")
	err = d.launch(dockerd, "--bridge=none", "--iptables=false", "--ip6tables=false",
		"--data-root", filepath.Join(d.dir, "root"), "--exec-root", filepath.Join(d.dir, "exec"), "-H", d.addr,
		"--pidfile", filepath.Join(d.dir, "pid"))
	if err != nil {
		return nil, err
	}
	for range 600 {
		if err = e.Call(ctx, http.MethodGet, "/version", nil); err == nil {
			return e, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	e.Stop()
	return nil, fmt.Errorf("dockerd does not answer: %w\n%s", err, e.log.Bytes())
}

// Call asks the engine for something by its API, and decodes its answer into v, which may be nil.
func (e *Engine) Call(ctx context.Context, method, path string, v any) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", e.Socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	}
	if err == nil && v != nil {
		err = json.Unmarshal(body, v)
	}
	return err
}

// TagImages builds the base images into the engine's image store, each by its name.
func (e *Engine) TagImages(ctx context.Context) error {
	for name, image := range Images {
		dir, err := e.sourceOf(name, image)
		if err != nil {
			return err
		}
		args := append(slices.Clone(e.Builder[1:]), "--network", "host", "--tag", name, dir)
		cmd := exec.CommandContext(ctx, e.Builder[0], args...)
		cmd.Env = e.Env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("making the image %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

// buildEngine builds dockerd and buildx as tools of a module of their own: their requirements are not this module's.
func buildEngine(ctx context.Context, bin string) error {
	if _, err := os.Stat(filepath.Join(bin, "buildx")); err == nil {
		return nil
	}
	tools, err := os.MkdirTemp("", "layerwise-engine")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tools)
	const mod = "module engine\n\ngo 1.26\n"
	if err := os.WriteFile(filepath.Join(tools, "go.mod"), []byte(mod), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	path := func(module string) string {
		before, _, _ := bytes.Cut([]byte(module), []byte("@"))
		return string(before)
	}
	for _, args := range [][]string{
		{"get", "-tool", engineModule, buildxModule},
		{"build", "-trimpath", "-ldflags", "-s -w", "-o", bin + "/", path(engineModule), path(buildxModule)},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Env = tools, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	}
	return nil
}

// grpcOf asks an engine for its BuildKit.
func grpcOf(ctx context.Context, socket string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	const request = "POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
	if _, err = io.WriteString(c, request); err == nil {
		r := bufio.NewReader(c)
		var response *http.Response
		if response, err = http.ReadResponse(r, nil); err == nil &&
			response.StatusCode == http.StatusSwitchingProtocols {
			return early{c, r}, nil
		}
	}
	c.Close()
	return nil, fmt.Errorf("the engine has no BuildKit: %w", err)
}

// early is a connection of which something was read ahead.
type early struct {
	net.Conn
	r *bufio.Reader
}

func (e early) Read(p []byte) (int, error) { return e.r.Read(p) }
