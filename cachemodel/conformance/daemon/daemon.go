// Package daemon builds BuildKit's daemon from this module's own requirements and runs it as a throw-away process.
// It needs root, runc and a static busybox; where they are missing it says so and the tests skip.
package daemon

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/moby/buildkit/client"
)

// Missing says what the machine lacks to run a daemon, or "".
func Missing() string {
	if os.Geteuid() != 0 {
		return "buildkitd needs root"
	}
	if _, err := lookPath("runc"); err != nil {
		return "runc is not installed (Debian: apt install runc)"
	}
	if _, err := os.Stat(busybox); err != nil {
		return busybox + " is not there (Debian: apt install busybox-static)"
	}
	return ""
}

const busybox = "/bin/busybox"

// Daemon is a running buildkitd that belongs to this process.
type Daemon struct {
	Client  *client.Client
	Options map[string]string // of the Dockerfile frontend, that builds on this daemon need
	addr    string
	cmd     *exec.Cmd
	args    []string // of the first start
	log     bytes.Buffer
	dir     string
}

// Start builds buildkitd if the user's cache directory has none and starts one on an empty state directory.
func Start(ctx context.Context) (*Daemon, error) { return StartIn(ctx, memory()) }

// StartIn is Start with the state directory in a folder, "" for that of temporary files: what is built may be large.
func StartIn(ctx context.Context, parent string) (*Daemon, error) {
	bin, err := build(ctx)
	if err != nil {
		return nil, err
	}
	for _, snapshotter := range []string{"overlayfs", "native"} {
		var d *Daemon
		if d, err = start(ctx, parent, bin, snapshotter); err == nil {
			return d, nil
		}
	}
	return nil, err
}

func build(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	version, err := exec.CommandContext(
		ctx,
		"go",
		"list",
		"-m",
		"-f",
		"{{.Version}}",
		"github.com/moby/buildkit",
	).Output()
	if err != nil {
		return "", fmt.Errorf("finding BuildKit's version: %w", err)
	}
	bin := filepath.Join(cache, "layerwise-conformance", "buildkitd-"+string(bytes.TrimSpace(version)))
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	cmd := exec.CommandContext(
		ctx,
		"go",
		"build",
		"-trimpath",
		"-ldflags",
		"-s -w",
		"-o",
		bin,
		"github.com/moby/buildkit/cmd/buildkitd",
	)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building buildkitd: %w\n%s", err, out)
	}
	return bin, nil
}

func start(ctx context.Context, parent, bin, snapshotter string) (*Daemon, error) {
	d, err := newDaemon(parent, "layerwise-buildkitd", "bk.sock")
	if err != nil {
		return nil, err
	}
	err = d.launch(
		bin,
		"--root",
		filepath.Join(d.dir, "root"),
		"--addr",
		d.addr,
		"--oci-worker=true",
		"--containerd-worker=false",
		"--oci-worker-binary=runc",
		"--oci-worker-snapshotter="+snapshotter,
		"--oci-worker-net=host",
		"--oci-worker-gc=false",
		"--otel-socket-path",
		filepath.Join(d.dir, "otel.sock"),
		"--allow-insecure-entitlement",
		"network.host",
		"--allow-insecure-entitlement",
		"security.insecure",
	)
	if err != nil {
		return nil, err
	}
	if d.Client, err = client.New(ctx, d.addr); err != nil {
		d.Stop()
		return nil, err
	}
	if err = d.answers(ctx, 200); err == nil {
		return d, nil
	}
	d.Stop()
	return nil, fmt.Errorf("buildkitd with the %s snapshotter does not answer: %w\n%s", snapshotter, err, d.log.Bytes())
}

// memory is a folder in memory, "" if there is none: daemons are four times as fast there, since they sync their
// databases to the disk.
func memory() string {
	const dir = "/dev/shm"
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return ""
	}
	return dir
}

// newDaemon makes the state directory of a daemon that will listen on a socket there.
func newDaemon(parent, name, socket string) (*Daemon, error) {
	dir, err := os.MkdirTemp(parent, name)
	return &Daemon{dir: dir, addr: "unix://" + filepath.Join(dir, socket)}, err
}

// launch starts the daemon's program.
func (d *Daemon) launch(program string, args ...string) error {
	d.cmd = exec.Command(program, args...)
	if d.args == nil {
		d.args = args
	}
	d.cmd.Env = append(os.Environ(), "PATH="+searchPath())
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return d.cmd.Start()
}

// Restart stops the daemon and starts it on the same state, with more options than at first.
func (d *Daemon) Restart(ctx context.Context, more ...string) error {
	d.end()
	again := append(slices.Clone(d.args), more...)
	if err := d.launch(d.cmd.Path, again...); err != nil {
		return err
	}
	return d.answers(ctx, 600)
}

// answers waits until the daemon does, asking it that often, 50 ms apart.
func (d *Daemon) answers(ctx context.Context, times int) (err error) {
	for range times {
		if _, err = d.Client.ListWorkers(ctx); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// TempDir makes a folder that is removed when the daemon stops.
func (d *Daemon) TempDir() (string, error) { return os.MkdirTemp(d.dir, "temp") }

// Address is where the daemon listens.
func (d *Daemon) Address() string { return d.addr }

// Stop ends the daemon and removes its state.
func (d *Daemon) Stop() {
	if d.Client != nil {
		d.Client.Close()
	}
	d.end()
	_ = os.RemoveAll(d.dir)
}

// end ends the daemon's program.
func (d *Daemon) end() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = d.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = d.cmd.Process.Kill()
		<-done
	}
}

// runc lives where only root's shell looks.
func searchPath() string { return os.Getenv("PATH") + ":/usr/sbin:/sbin" }

func lookPath(name string) (string, error) {
	for _, dir := range filepath.SplitList(searchPath()) {
		p := filepath.Join(dir, name)
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: not found", name)
}
