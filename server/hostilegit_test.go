package server_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server/lsptest"
)

// Opening a Dockerfile, with its history and a compose file, runs no program that the repository names. Git itself
// would.
func TestOpeningRunsNothingOfTheRepository(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: the marker is a shell script")
	}
	compose := "services:\n  web:\n    build: .\n"
	dir, git := repository(t, "Dockerfile", nodeApp, "package.json", "{}", "src/app.js", "1", "compose.yaml", compose,
		".gitattributes", "*.js filter=a=b\n")
	for i := range 12 {
		write(t, filepath.Join(dir, "src/app.js"), fmt.Sprint(i))
		git("commit", "-q", "-a", "-m", "more")
	}
	sign := exec.Command(
		"sh",
		"-c",
		`git cat-file commit HEAD |
		sed '0,/^$/s/^$/gpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n/' |
		git hash-object -t commit -w --stdin | xargs git update-ref HEAD`,
	)
	sign.Dir = dir
	if out, err := sign.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	marker, program := filepath.Join(t.TempDir(), "ran"), filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$0 $*\" >>'"+marker+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	for section, names := range map[string][]string{
		"core": {"fsmonitor", "sshCommand", "pager", "editor"}, "gpg": {"program"}, "diff": {"external"},
		`filter "a=b"`: {"clean", "smudge", "process"},
	} {
		fmt.Fprintf(&config, "[%s]\n", section)
		for _, name := range names {
			fmt.Fprintf(&config, "\t%s = %q\n", name, program)
		}
	}
	config.WriteString("[log]\n\tshowSignature = true\n")
	write(t, filepath.Join(dir, "src/app.js"), "99")
	file, err := os.OpenFile(filepath.Join(dir, ".git/config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(config.String()); err != nil {
		t.Fatal(err)
	}
	file.Close()
	log := countGit(t)

	e := lsptest.Open(t, nil, painter, dir)
	e.OpenFile(lsptest.URI(filepath.Join(dir, "compose.yaml")), "yaml", compose)
	e.OpenFile(lsptest.URI(filepath.Join(dir, "Dockerfile")), "dockerfile", nodeApp)
	// What src/app.js held at HEAD only the filter could tell.
	got := awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY rebuilt")
	if got.Baseline.Kind != "git" {
		t.Errorf("%+v", got)
	}
	text, _ := os.ReadFile(log)
	t.Logf("%d git processes", bytes.Count(text, []byte("\n")))
	if text, err := os.ReadFile(marker); err == nil {
		t.Errorf("a program was run:\n%s", text)
	}
	status := exec.Command("git", "status")
	status.Dir = dir
	_ = status.Run()
	if _, err := os.Stat(marker); err != nil {
		t.Error("git status ran nothing: the repository is not hostile enough for this test to mean something")
	}
}

// countGit puts a program before git that writes a line for each time that git is run, and gives the file.
func countGit(t *testing.T) (log string) {
	t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	log = filepath.Join(bin, "log")
	script := "#!/bin/sh\necho \"$*\" >>'" + log + "'\nexec '" + real + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return log
}
