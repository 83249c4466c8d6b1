package daemon

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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
	for _, program := range []string{"containerd", "docker"} {
		if _, err := lookPath(program); err != nil {
			return program + " is not installed (Debian: apt install docker.io containerd)"
		}
	}
	return ""
}

// Engine is a running Docker engine that belongs to this process.
type Engine struct {
	*Daemon
	Socket string
	Buildx string // the program
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
	dir, err := os.MkdirTemp("", "layerwise-dockerd")
	if err != nil {
		return nil, err
	}
	e := &Engine{Socket: filepath.Join(dir, "docker.sock"), Buildx: filepath.Join(bin, "buildx")}
	e.Daemon = &Daemon{dir: dir, addr: "unix://" + e.Socket, Options: map[string]string{"force-network-mode": "host"}}
	e.cmd = exec.Command(filepath.Join(bin, "dockerd"), "--bridge=none", "--iptables=false", "--ip6tables=false",
		"--data-root", filepath.Join(dir, "root"), "--exec-root", filepath.Join(dir, "exec"), "-H", e.addr,
		"--pidfile", filepath.Join(dir, "pid"))
	e.cmd.Env = append(os.Environ(), "PATH="+searchPath())
	e.cmd.Stdout, e.cmd.Stderr = &e.log, &e.log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	e.Client, err = client.New(ctx, "", client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return grpcOf(ctx, e.Socket)
	}))
	for range 600 {
		if err == nil {
			if _, err = e.Client.ListWorkers(ctx); err == nil {
				return e, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
		err = nil
	}
	e.Stop()
	return nil, fmt.Errorf("dockerd does not answer\n%s", e.log.Bytes())
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
