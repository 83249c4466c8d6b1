package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// skip skips a test that cannot run here, which is a failure where nothing may be skipped.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("LAYERWISE_NO_SKIP") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// must is what a program prints.
func must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// TestRelease makes the release of one system twice, from two clones of the last commit. Both must have the same bytes,
// and what they hold must run where nothing else is: the archive, the deb in a folder of its own, the image.
func TestRelease(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		skip(t, "the release for linux_amd64 is tried, which does not run here")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(root, "editors/vscode/node_modules")
	_, err = os.Stat(modules)
	vsix := err == nil
	var outs []string
	for range 2 {
		clone, out := filepath.Join(t.TempDir(), "clone"), t.TempDir()
		must(t, root, "git", "clone", "--quiet", "--shared", ".", clone)
		if vsix {
			if err := os.Symlink(modules, filepath.Join(clone, "editors/vscode/node_modules")); err != nil {
				t.Fatal(err)
			}
		}
		page := filepath.Join(clone, "docs/playground/index.html") // in place of the page that is made of it
		if err := run(clone, "", out, "linux_amd64", page, vsix); err != nil {
			t.Fatal(err)
		}
		outs = append(outs, out)
	}
	one, two := contents(t, outs[0]), contents(t, outs[1])
	if a, b := slices.Sorted(maps.Keys(one)), slices.Sorted(maps.Keys(two)); !slices.Equal(a, b) {
		t.Fatalf("one run makes %s, the other %s", a, b)
	}
	for name := range one {
		if one[name] != two[name] {
			t.Errorf("%s differs between two runs", name)
		}
	}
	version, err := versionOf(root)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"linux_amd64.tar.gz", ".deb", ".rpm", "_image.tar", ".cdx.json", "-emacs-", "-vim_", "-neovim_",
		"_playground.html"}
	if vsix {
		kinds = append(kinds, "-linux-x64.vsix", "-universal.vsix")
	}
	for _, kind := range kinds {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(one)), func(name string) bool {
			return strings.Contains(name, kind) && strings.Contains(name, version)
		}) {
			t.Errorf("no file for %s", kind)
		}
	}
	must(t, outs[0], "sha256sum", "--check", "--strict", "SHA256SUMS")
	t.Run("extension", func(t *testing.T) {
		if !vsix {
			skip(t, "editors/vscode/node_modules is not there: run npm ci in editors/vscode")
		}
	})
	t.Run("archive", func(t *testing.T) { useArchive(t, outs[0], version) })
	t.Run("deb", func(t *testing.T) { useDeb(t, outs[0]) })
	t.Run("image", func(t *testing.T) { useImage(t, outs[0]) })
	t.Run("emacs", func(t *testing.T) { useEmacs(t, outs[0]) })
}

// contents are the files of a release.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

// only is the one file whose name has an ending.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %s, %v", pattern, found, err)
	}
	return found[0]
}

func useArchive(t *testing.T, out, version string) {
	dir := t.TempDir()
	must(t, dir, "tar", "xzf", only(t, out, "*_linux_amd64.tar.gz"), "--strip-components=1")
	said := must(t, dir, "./layerwise", "version")
	commit := must(t, "", "git", "rev-parse", "--short=12", "HEAD")
	want := "layerwise version " + version + " (commit " + strings.TrimSpace(commit) + ", 2"
	if !strings.HasPrefix(said, want) {
		t.Errorf("it says %q, and not %q...", said, want)
	}
	for _, name := range []string{
		"LICENSE", "README.md", "CHANGELOG.md", "completions/layerwise.bash", "completions/_layerwise",
		"completions/layerwise.fish", "completions/layerwise.ps1", "man/man1/layerwise.1",
		"man/man1/layerwise-predict.1",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, dir, "bash", "-n", "completions/layerwise.bash")
	page, err := os.ReadFile(filepath.Join(dir, "man/man1/layerwise-predict.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{".TH LAYERWISE-PREDICT 1 ", ".SH NAME\nlayerwise-predict \\- ", ".SH FLAGS\n"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the manual page of predict has no %q", part)
		}
	}
}

// check runs the program in a root folder that holds only what a package or an image brought, as a user without rights.
func check(t *testing.T, root, program string) {
	t.Helper()
	folder := filepath.Join(root, "work")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	broken := []byte("FROM alpine:3.22\nEVN A=1\n")
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), broken, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir := root; dir != "/"; dir = filepath.Dir(dir) { // the test's own folders are closed to others
		if err := os.Chmod(dir, 0o755); err != nil && dir == root {
			t.Fatal(err)
		}
		if filepath.Dir(dir) == os.TempDir() {
			break
		}
	}
	cmd := exec.Command(program, "check", "--format", "github")
	cmd.Dir, cmd.Env = "/work", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!strings.Contains(string(said), "::error file=Dockerfile,line=2") {
		t.Errorf("%v, and it says:\n%s", err, said)
	}
}

func useDeb(t *testing.T, out string) {
	if _, err := exec.LookPath("dpkg"); err != nil || os.Getuid() != 0 {
		skip(t, "needs dpkg, and to be root")
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg/info"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg/updates"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "", "dpkg", "--root="+root, "--log=/dev/null", "-i", only(t, out, "*_amd64.deb"))
	check(t, root, "/usr/bin/layerwise")
	must(t, "", "dpkg", "--root="+root, "--log=/dev/null", "-P", "layerwise")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/layerwise")); err == nil {
		t.Error("the program is still there after the package was removed")
	}
}

func useImage(t *testing.T, out string) {
	dir, root := t.TempDir(), t.TempDir()
	must(t, dir, "tar", "xf", only(t, out, "*_image.tar"))
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	files := mutate.Extract(image)
	defer files.Close()
	r := tar.NewReader(files)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, h.Name), data, os.FileMode(h.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		skip(t, "needs to be root")
	}
	check(t, root, config.Config.Entrypoint[0])
}

func useEmacs(t *testing.T, out string) {
	if _, err := exec.LookPath("emacs"); err != nil {
		skip(t, "needs emacs")
	}
	home := t.TempDir()
	said := must(t, home, "env", "HOME="+home, "emacs", "--batch", "-l", "package", "--eval",
		`(progn (package-initialize) (package-install-file "`+only(t, out, "layerwise-emacs-*.tar")+`")
		(require 'layerwise) (princ (if (commandp 'layerwise-reorder) "\nready" "\nno command")))`)
	if !strings.HasSuffix(said, "\nready") {
		t.Error(said)
	}
}

// TestTag holds that a tag which is not the version stops the release before anything is built.
func TestTag(t *testing.T) {
	err := run("../..", "v99.0.0", t.TempDir(), "", "", false)
	if err == nil || !strings.Contains(err.Error(), "v99.0.0") {
		t.Error(err)
	}
}

// TestManual holds the escapes of a manual page: lines that begin with a dot, and backslashes.
func TestManual(t *testing.T) {
	page := (&release{version: "1"}).manual("x", "Say a \\ thing.\n\n.layerwise.yaml\n'quoted\nFlags:\n  -a\n")
	for _, part := range []string{
		"x \\- Say a \\e thing\n", "\\&.layerwise.yaml\n\\&'quoted\n",
		".SH FLAGS\n.nf\n  -a\n.fi\n",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("no %q in:\n%s", part, page)
		}
	}
}

// TestCompressed holds that a compressed archive says nothing of when and where it was made.
func TestCompressed(t *testing.T) {
	out := compressed([]byte("a"))
	r, err := gzip.NewReader(bytes.NewReader(out))
	if err != nil || !r.ModTime.IsZero() || r.Name != "" {
		t.Errorf("%v, %v, %q", err, r.ModTime, r.Name)
	}
}
