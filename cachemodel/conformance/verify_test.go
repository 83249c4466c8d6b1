package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// verifier runs `layerwise reorder --verify` with real programs, a real daemon and folders of its own.
type verifier struct {
	t    *testing.T
	dir  string
	bin  string   // the first folder of the PATH
	temp string   // where temporary files go
	env  []string // of everything that runs
}

func newVerifier(t *testing.T) verifier {
	ctx := context.Background()
	real := startReal(t)
	dir := t.TempDir()
	v := verifier{t: t, dir: dir, bin: filepath.Join(dir, "bin"), temp: filepath.Join(dir, "tmp")}
	for _, d := range []string{v.bin, v.temp, filepath.Join(dir, "context"), filepath.Join(dir, "lib")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	buildx, err := findBuildx(ctx)
	if err != nil {
		t.Skipf("NOT COMPARED WITH A REAL BUILDKIT: no buildx: %v", err)
	}
	if err := os.Symlink(buildx, filepath.Join(dir, "buildx")); err != nil {
		t.Fatal(err)
	}
	for _, build := range []struct{ module, name, of string }{
		{filepath.Join("..", ".."), "layerwise", "./cmd/layerwise"},
		{".", "buildctl", "github.com/moby/buildkit/cmd/buildctl"},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, build.name), build.of)
		cmd.Dir = build.module
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", build.name, err, out)
		}
	}
	v.env = append(
		os.Environ(),
		"PATH="+v.bin+":/usr/bin:/bin",
		"TMPDIR="+v.temp,
		"REAL="+dir,
		"HARM="+filepath.Join(dir, "harm"),
		"HOME="+dir,
		"DOCKER_CONFIG="+dir,
		"BUILDX_CONFIG="+filepath.Join(dir, "buildx-config"),
		"XDG_CACHE_HOME="+filepath.Join(dir, "cache"),
		"BUILDX_BUILDER=",
		"BUILDKIT_HOST=",
		"TOKEN=hush",
		"WHO=me",
		"ADDRESS="+real.daemon.Address(),
	)
	for _, args := range [][]string{
		{"create", "--name", "real", "--driver", "remote", real.daemon.Address()},
		{"create", "--name", "down", "--driver", "remote", "unix://" + filepath.Join(dir, "nothing.sock")},
		{"use", "real"},
	} {
		cmd := exec.CommandContext(ctx, buildx, args...)
		cmd.Env = v.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("buildx %v: %v\n%s", args, err, out)
		}
	}
	data, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	v.write("context/busybox", string(data), 0o755)
	v.write("context/a", "a\n", 0o644)
	v.write("context/b", "b\n", 0o644)
	v.write("lib/l", "l\n", 0o644)
	return v
}

// findBuildx returns the program: that on the PATH, or one of the version that layerwise is built with, in the user's
// cache folder.
func findBuildx(ctx context.Context) (string, error) {
	for _, name := range []string{"buildx", "docker-buildx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", "github.com/docker/buildx")
	list.Dir = filepath.Join("..", "..")
	version, err := list.Output()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "layerwise-conformance", "buildx-"+string(bytes.TrimSpace(version)))
	bin := filepath.Join(dir, "buildx")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if testing.Short() {
		return "", errors.New("building it takes minutes, which -short does not")
	}
	install := exec.CommandContext(
		ctx,
		"go",
		"install",
		"github.com/docker/buildx/cmd/buildx@"+string(bytes.TrimSpace(version)),
	)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
}

func (v verifier) write(name, text string, mode os.FileMode) {
	v.t.Helper()
	if err := os.WriteFile(filepath.Join(v.dir, filepath.FromSlash(name)), []byte(text), mode); err != nil {
		v.t.Fatal(err)
	}
}

// command is a verification of the Dockerfile beside the context.
func (v verifier) command(args ...string) *exec.Cmd {
	cmd := exec.Command(
		filepath.Join(v.dir, "layerwise"),
		append([]string{"reorder", "--engine", "classic", "--verify", "--write", "--context", "context"}, args...)...)
	cmd.Dir, cmd.Env = v.dir, v.env
	return cmd
}

// The builders, as they stand on the PATH. In place of a wrong rewrite, the programs do harm to what they build second.
var (
	harmful = `#!/bin/sh
for arg; do case $arg in
	*layerwise-verify*/Dockerfile) file=$arg ;;
	dockerfile=*layerwise-verify*) file=${arg#dockerfile=}/Dockerfile ;;
esac; done
if [ -n "$file" ] && [ -f "$HARM" ]; then
	if [ -f "$HARM.next" ]; then cat "$HARM" >>"$file"; rm "$HARM"; fi
	touch "$HARM.next"
fi
exec "$REAL/NAME" "$@"
`
	docker   = "#!/bin/sh\n[ \"$1\" = buildx ] && shift && exec buildx \"$@\"\n"
	noPlugin = "#!/bin/sh\necho \"docker: unknown command: docker $1\" >&2\nexit 1\n"
)

const verified = `# escape=\
FROM scratch AS s
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN --mount=type=secret,id=token,required test "$(cat /run/secrets/token)" = hush
ARG WHO
RUN mkdir /d && echo $WHO >/d/content && touch /d/mode /d/owner /d/gone /d/x && ln -s x /d/link && ln /d/x /d/hard && date +%N >/d/date
COPY --from=lib l /d/
FROM s AS app
COPY . /context/
CMD ["sh"]
`

const harm = `
USER 0
RUN echo other >/d/content; chmod 600 /d/mode; chown 5:6 /d/owner; rm /d/gone; ln -sf y /d/link; cp /d/x /d/y; mv /d/y /d/hard; date +%N >/d/date; touch /d/more
ENV MORE=1
USER 7
`

// What is said of it by every way to build: the properties one by one, but not what differs from build to build.
const seen = `The images differ (the first is that of the file as it is, the second that of the file reordered):
  /d/content: the content differs
  /d/gone: file only in the first
  /d/hard: hard links /d/x in the first, none in the second
  /d/link: link to x in the first, y in the second
  /d/mode: mode 644 in the first, 600 in the second
  /d/more: file only in the second
  /d/owner: owner 0:0 in the first, 5:6 in the second
  /d/x: hard links /d/hard in the first, none in the second
  config.config.Env.MORE: nothing in the first, "1" in the second
  config.config.User: nothing in the first, "7" in the second
layerwise: Dockerfile: the reordering does not make the same image; nothing is written
`

// TestVerify verifies with each program that builds, by a builder of buildx's remote driver.
func TestVerify(t *testing.T) {
	v := newVerifier(t)
	v.write("Dockerfile.dockerignore", "b\n", 0o644) // the Dockerfile is outside of the context
	all := []string{"--build-arg", "WHO", "--secret", "id=token,env=TOKEN", "--build-context", "lib=lib"}
	tests := []struct {
		prose    string
		programs map[string]string
		args     []string
		code     int
		harm     string
		want     string // part of what it says
	}{
		{"docker buildx, its current builder", map[string]string{"docker": docker, "buildx": harmful}, all, 0, "",
			"Building Dockerfile as it is...\nBuilding Dockerfile reordered...\nVerified: both files build the same " +
				"image ("},
		{
			"docker buildx, an image that differs",
			map[string]string{"docker": docker, "buildx": harmful},
			all,
			1,
			harm,
			seen,
		},
		{
			"buildx by itself, as docker has no plugin",
			map[string]string{"docker": noPlugin, "buildx": harmful},
			append(all, "--builder", "real"),
			1,
			harm,
			seen,
		},
		{"buildctl", map[string]string{"buildctl": harmful}, append(all, "--buildkit", "ADDRESS"), 1, harm, seen},
		{
			"buildctl, the same image",
			map[string]string{"buildctl": harmful},
			append(all, "--buildkit", "ADDRESS", "--platform", "linux/arm64"),
			0,
			"",
			"Verified: ",
		},
		{
			"no such builder",
			map[string]string{"docker": docker, "buildx": harmful},
			append(all, "--builder", "none"),
			2,
			"",
			"Dockerfile as it is cannot be built: docker buildx build: exit status 1\nERROR: no builder \"none\" " +
				"found\n",
		},
		{
			"a daemon that is down",
			map[string]string{"buildctl": harmful},
			append(all, "--buildkit", "unix:///nowhere.sock"),
			2,
			"",
			"nowhere.sock: connect: no such file or directory",
		},
		{
			"a build that fails",
			map[string]string{"buildx": harmful, "docker": noPlugin},
			append(all, "--target", "none"),
			2,
			"",
			"Dockerfile as it is cannot be built: buildx build: exit status 1",
		},
		{
			"no program",
			map[string]string{"docker": noPlugin, "buildx": noPlugin, "docker-buildx": noPlugin},
			all,
			2,
			"",
			"docker buildx or buildx, and neither is on the PATH",
		},
	}
	for _, test := range tests {
		t.Run(test.prose, func(t *testing.T) {
			v.t = t
			v.write("Dockerfile", verified, 0o644)
			for name, text := range test.programs {
				v.write("bin/"+name, strings.ReplaceAll(text, "NAME", name), 0o755)
				defer os.Remove(filepath.Join(v.bin, name))
			}
			_ = os.Remove(filepath.Join(v.dir, "harm.next"))
			if test.harm != "" {
				v.write("harm", test.harm, 0o644)
			}
			cmd := v.command()
			for _, arg := range test.args {
				cmd.Args = append(cmd.Args, strings.Replace(arg, "ADDRESS", value(v.env, "ADDRESS"), 1))
			}
			out, _ := cmd.CombinedOutput()
			got := string(out)
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(got, test.want) {
				t.Errorf("exit code %d, want %d, and in what it says\n%s\nthis: %s", code, test.code, got, test.want)
			}
			text, err := os.ReadFile(filepath.Join(v.dir, "Dockerfile"))
			if err != nil {
				t.Fatal(err)
			}
			if written := string(text) != verified; written != (test.code == 0) {
				t.Errorf("written: %v", written)
			}
			v.clean()
		})
	}
	t.Run("interrupted", v.interrupt)
	t.Run("lines of the ignore file", v.ignoring)
}

// ignoring: what the build context need not hold is verified by building without it, whatever has the ignore file.
func (v verifier) ignoring(t *testing.T) {
	v.t = t
	dir := filepath.Join(v.dir, "project")
	v.write("bin/buildx", strings.ReplaceAll(harmful, "NAME", "buildx"), 0o755)
	v.write("bin/buildctl", strings.ReplaceAll(harmful, "NAME", "buildctl"), 0o755)
	v.write("bin/docker", docker, 0o755)
	_ = os.Remove(filepath.Join(v.dir, "harm"))
	for _, d := range []string{"tools", "docs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	v.write("project/tools/busybox", string(busybox), 0o755)
	v.write("project/docs/a.md", "a\n", 0o644)
	v.write("project/Dockerfile", "FROM scratch AS build\nCOPY tools /bin/\nRUN [\"/bin/busybox\", \"--install\", "+
		"\"-s\", \"/bin\"]\nWORKDIR /src\nCOPY . .\nRUN go build -o /out .\nFROM scratch\nCOPY --from=build /out /app\n",
		0o644)
	git(t, dir, "init", "-q", "-b", "main", ".")
	for i := range 12 {
		v.write("project/README.md", fmt.Sprint(i), 0o644)
		v.write("project/main.go", fmt.Sprint(i/6), 0o644)
		git(t, dir, "add", ".")
		git(t, dir, "commit", "-q", "-m", fmt.Sprint(i))
	}
	const sources, all = "#!/bin/sh\ncat *.go >/out\n", "#!/bin/sh\ncat [!.]* >/out 2>/dev/null; true\n"
	for _, test := range []struct {
		prose, goProgram, ignore, ofDockerfile, builder, want string
		code                                                  int
	}{
		{"git sees what is left out", sources, "", "", "--builder=real", "No other order is known", 0},
		{"the context's", sources, ".git\n", "", "--builder=real", "the image is the same without these files", 0},
		{"the Dockerfile's own, by buildctl", sources, "", ".git\n", "--buildkit=ADDRESS",
			"the image is the same without these files", 0},
		{"the program reads them", all, ".git\n", "", "--buildkit=ADDRESS",
			"layerwise: Dockerfile: without these files it does not make the same image; nothing is written\n", 1},
	} {
		v.write("project/tools/go", test.goProgram, 0o755)
		for name, text := range map[string]string{".dockerignore": test.ignore,
			"Dockerfile.dockerignore": test.ofDockerfile} {
			_ = os.Remove(filepath.Join(dir, name))
			if text != "" {
				v.write("project/"+name, text, 0o644)
			}
		}
		cmd := exec.Command(filepath.Join(v.dir, "layerwise"), "reorder", "--verify",
			strings.Replace(test.builder, "ADDRESS", value(v.env, "ADDRESS"), 1))
		cmd.Dir, cmd.Env = dir, v.env
		out, _ := cmd.CombinedOutput()
		got := string(out)
		if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(got, test.want) {
			t.Errorf("%s: exit code %d, want %d, and in what it says\n%s\nthis: %s", test.prose, code, test.code, got,
				test.want)
		}
		same := strings.Contains(test.want, "the same without")
		if verified := strings.Contains(got, "README.md, docs (verified)"); verified != same {
			t.Errorf("%s: verified: %v\n%s", test.prose, verified, got)
		}
		v.clean()
	}
}

// clean reports temporary files that were left.
func (v verifier) clean() {
	v.t.Helper()
	left, err := os.ReadDir(v.temp)
	if err != nil || len(left) > 0 {
		v.t.Errorf("left behind: %v %v", left, err)
	}
}

func value(env []string, key string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}

// interrupt: the build ends at the builder, too.
func (v verifier) interrupt(t *testing.T) {
	v.t = t
	v.write("bin/buildx", strings.ReplaceAll(harmful, "NAME", "buildx"), 0o755)
	v.write("bin/docker", docker, 0o755)
	const slow = "FROM scratch AS s\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"sleep\", \"4321\"]\nFROM s\n" +
		"COPY a /a\nCMD [\"/a\"]\n"
	v.write("Dockerfile", slow, 0o644)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := v.command()
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return len(sleeping()) > 0 })
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if want := "Building Dockerfile as it is...\nlayerwise: interrupted\n"; cmd.ProcessState.ExitCode() != 2 ||
			out.String() != want {
			t.Errorf("%v: exit code %d and %q, want 2 and %q", s, cmd.ProcessState.ExitCode(), out.String(), want)
		}
		waitFor(t, func() bool { return len(sleeping()) == 0 })
		v.clean()
	}
}

// sleeping are the processes of the slow step.
func sleeping() (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && string(data) == "/bin/busybox\x00sleep\x004321\x00" {
			pids = append(pids, file)
		}
	}
	return pids
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 300 {
		if done() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("it did not happen in half a minute")
}
