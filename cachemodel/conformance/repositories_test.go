package conformance

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

var (
	repositoriesFlag = flag.String("repositories", "", "a directory of git repositories, for TestRepositories")
	commitsFlag      = flag.Int("commits", 15, "commits of each Dockerfile that TestRepositories takes")
)

// The commits of real repositories that changed a Dockerfile, and the ones before them, each with its whole tree as the
// context: the model's promises hold on BuildKit's solver.
func TestRepositories(t *testing.T) {
	if *repositoriesFlag == "" {
		t.Skip("give a directory of git repositories with -repositories")
	}
	ctx := context.Background()
	var repos []string
	for _, pattern := range []string{"*", "*/*"} {
		found, err := filepath.Glob(filepath.Join(*repositoriesFlag, pattern, "HEAD"))
		if err != nil {
			t.Fatal(err)
		}
		repos = append(repos, found...)
	}
	tally, pairs, refused := NewTally(), 0, map[string]int{}
	for _, head := range repos {
		repo := filepath.Dir(head)
		for _, file := range lines(t, repo, "ls-tree", "-r", "--name-only", "HEAD") {
			if base := path.Base(file); !strings.HasPrefix(base, "Dockerfile") && !strings.HasSuffix(base, ".Dockerfile") || strings.HasSuffix(base, ".dockerignore") {
				continue
			}
			for _, commit := range lines(t, repo, "log", "--no-merges", fmt.Sprint("-n", *commitsFlag), "--format=%H", "HEAD", "--", file) {
				wrong, err := runCommits(ctx, t, repo, file, commit, tally)
				pairs++
				if err != nil {
					refused[firstWords(err.Error())]++
				}
				for _, w := range wrong {
					t.Errorf("%s, %s, %s: %s", repo, file, commit, w)
				}
			}
		}
	}
	if pairs == 0 {
		t.Fatal("no Dockerfile in any repository there")
	}
	t.Logf("%d repositories, %d pairs, not buildable %v\n%s", len(repos), pairs, refused, tally)
}

// runCommits tries the whole repository and the Dockerfile's own folder as the context, for the one that has what is copied.
func runCommits(ctx context.Context, t *testing.T, repo, file, commit string, tally *Tally) (wrong []string, err error) {
	for _, dir := range []string{".", path.Dir(file)} {
		var builds []Build
		for _, c := range []string{commit + "^", commit} {
			b, err := checkout(repo, c, dir, file)
			if err != nil {
				return nil, err
			}
			builds = append(builds, b)
		}
		if wrong, err = runInProcess(ctx, t.TempDir(), builds, 1, tally); err == nil || dir == path.Dir(file) {
			break
		}
	}
	return wrong, err
}

// checkout makes a build of a commit.
func checkout(repo, commit, dir, file string) (Build, error) {
	b := Build{Name: strings.TrimPrefix(file, dir+"/"), Files: map[string]File{}}
	args := []string{"-C", repo, "archive", "--format=tar", commit}
	if dir != "." {
		args[4] = commit + ":" + dir
	}
	out, err := exec.Command("git", args...).Output()
	if err != nil {
		return b, errors.New("no such commit")
	}
	for r := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return b, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return b, err
		}
		p := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			b.Files[p] = File{Mode: fs.FileMode(h.Mode).Perm() &^ 0o022, Data: string(data)}
		case tar.TypeSymlink:
			b.Files[p] = File{Mode: fs.ModeSymlink | 0o777, Link: h.Linkname}
		}
	}
	b.Dockerfile = b.Files[b.Name].Data
	delete(b.Files, b.Name)
	if b.Dockerfile == "" {
		return b, errors.New("no Dockerfile there yet")
	}
	return b, nil
}

func lines(t *testing.T, repo string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", repo}, args...)...).Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return strings.Fields(string(out))
}
