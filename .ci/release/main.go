// Command release makes all that a release of Layerwise consists of, with no service:
//
//	cd .ci/release && go run . -vsix -out ../../.cache/release
//
// For each system an archive with the program, its licence, shell completions and manual pages, and a software bill of
// materials; deb and rpm packages; an OCI image; a package for each of Vim, Neovim and Emacs; SHA256SUMS; and with
// -vsix the extensions for VS Code, which need npm; with -playground the page that docs/playground makes. Two runs from
// the same commit give the same bytes: each file has the time of the commit, and the Go toolchain is that of go.mod.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// system is what a program is built for.
type system struct{ os, arch string }

var systems = []system{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

func (s system) String() string { return s.os + "_" + s.arch }

// release is what is made, and of what.
type release struct {
	version string // that of editors/vscode/package.json
	commit  string
	when    time.Time // of the commit: the time of every file
	root    string    // of the repository
	out     string
	docs    []file // licence, completions, manual pages: the same for all systems
}

// file is a file of an archive or a package.
type file struct {
	name string // slash-separated
	mode os.FileMode
	data []byte
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	root := flag.String("root", "../..", "the repository")
	tag := flag.String("tag", "", "the tag that is released: v, and the version in editors/vscode/package.json")
	out := flag.String("out", "", "the folder to write to; it is made, and must be empty")
	only := flag.String("only", "", "build only for these systems, as in linux_amd64,darwin_arm64")
	vsix := flag.Bool("vsix", false, "make the extensions for VS Code too (needs npm)")
	playground := flag.String("playground", "", "the page that docs/playground makes, to be part of the release")
	flag.Parse()
	if *out == "" {
		log.Fatal("say with -out where to write")
	}
	if err := run(*root, *tag, *out, *only, *playground, *vsix); err != nil {
		log.Fatal(err)
	}
}

func run(root, tag, out, only, playground string, vsix bool) error {
	r, err := newRelease(root, tag, out)
	if err != nil {
		return err
	}
	built := map[system]file{}
	for _, s := range systems {
		if only != "" && !strings.Contains(","+only+",", ","+s.String()+",") {
			continue
		}
		program, err := r.build(s)
		if err != nil {
			return err
		}
		built[s] = program
	}
	if err := r.notes(); err != nil {
		return err
	}
	if r.docs, err = r.documents(); err != nil {
		return err
	}
	for _, s := range systems {
		program, ok := built[s]
		if !ok {
			continue
		}
		if err := r.archive(s, program); err != nil {
			return err
		}
		if s.os == "linux" {
			if err := r.packages(s, program); err != nil {
				return err
			}
		}
	}
	if err := r.plugins(); err != nil {
		return err
	}
	if err := r.image(built); err != nil {
		return err
	}
	if err := r.materials(built); err != nil {
		return err
	}
	if vsix {
		if err := r.extensions(built); err != nil {
			return err
		}
	}
	if playground != "" {
		page, err := os.ReadFile(playground)
		if err := r.write("layerwise_"+r.version+"_playground.html", page, err); err != nil {
			return err
		}
	}
	return r.checksums()
}

func newRelease(root, tag, out string) (*release, error) {
	r := &release{}
	var err error
	if r.root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	if r.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if entries, _ := os.ReadDir(r.out); len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty", r.out)
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return nil, err
	}
	if r.version, err = versionOf(r.root); err != nil {
		return nil, err
	}
	if tag != "" && tag != "v"+r.version {
		return nil, fmt.Errorf("the tag is %s, but the version in editors/vscode/package.json is %s", tag, r.version)
	}
	said, err := output(r.root, "git", "log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, err
	}
	commit, seconds, _ := strings.Cut(said, " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, err
	}
	r.commit, r.when = commit, time.Unix(n, 0).UTC()
	changes, err := output(r.root, "git", "status", "--porcelain", "--untracked-files=no")
	if changes != "" {
		r.commit += " with changes"
	}
	return r, err
}

// versionOf is the version that the repository at root is at. The extension for VS Code says it, since it must.
func versionOf(root string) (string, error) {
	data, err := os.ReadFile(filepath.Join(root, "editors", "vscode", "package.json"))
	if err != nil {
		return "", err
	}
	var extension struct{ Version string }
	err = json.Unmarshal(data, &extension)
	return extension.Version, err
}

// build builds the program for one system, in a folder of its own below the output's.
func (r *release) build(s system) (file, error) {
	name := "layerwise"
	if s.os == "windows" {
		name += ".exe"
	}
	dir, err := os.MkdirTemp("", "layerwise-release-")
	if err != nil {
		return file{}, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, name)
	stamp := fmt.Sprintf("-s -w -buildid= -X 'main.version=%s' -X 'main.commit=%s' -X 'main.date=%s'",
		r.version, r.commit, r.when.Format(time.DateOnly))
	// Without the tag, gRPC brings pages that trace requests, and with them all methods that a template could call.
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "grpcnotrace", "-ldflags", stamp,
		"-o", program, "./cmd/layerwise")
	cmd.Dir, cmd.Stderr = r.root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+s.os, "GOARCH="+s.arch, "GOFLAGS=")
	log.Printf("building for %s", s)
	if err := cmd.Run(); err != nil {
		return file{}, fmt.Errorf("building for %s: %w", s, err)
	}
	data, err := os.ReadFile(program)
	return file{name, 0o755, data}, err
}

// output is what a program prints, without the last line's end.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
