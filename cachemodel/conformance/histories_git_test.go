package conformance

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"

	"github.com/layerwise/layerwise/cachemodel"
)

var (
	historiesFlag    = flag.String("histories", "", "git repositories, separated by commas, for TestGitHistories")
	historyPairsFlag = flag.Int("history-pairs", 50, "pairs of commits of each repository of -histories")
)

// Larger contexts are left out.
const (
	maxContextFiles = 5000
	maxContextBytes = 64 << 20
)

// Pairs of commits of real repositories, with what the build context was in each: the model's promises hold on
// BuildKit's solver. One half are two commits in a row of those that touch a Dockerfile, the other half a commit that
// touches the context and the one before it.
func TestGitHistories(t *testing.T) {
	if *historiesFlag == "" {
		t.Skip("NOT COMPARED WITH HISTORIES OF REAL REPOSITORIES: give their directories with -histories DIR,DIR")
	}
	table := &strings.Builder{}
	row := func(name string, tally *Tally, wrong int, leftOut map[string]int) {
		certain, uncertain, left := 0, 0, 0
		steps := 0
		for _, n := range tally.Steps {
			steps += n
		}
		for _, n := range tally.Causes {
			certain += n
		}
		for _, n := range tally.Uncertain {
			uncertain += n
		}
		for _, n := range leftOut {
			left += n
		}
		fmt.Fprintf(
			table,
			"%-32s %5d %12d %7d %8d %10d %7d %6d %9d\n",
			name,
			tally.Builds,
			steps,
			tally.Steps[cachemodel.Cached],
			certain,
			uncertain,
			steps-tally.Steps[cachemodel.Cached]-certain-uncertain,
			wrong,
			left,
		)
	}
	fmt.Fprintf(
		table,
		"%-32s %5s %12s %7s %8s %10s %7s %6s %9s\n",
		"repository",
		"pairs",
		"instructions",
		"cached",
		"rebuilt",
		"uncertain",
		"no step",
		"wrong",
		"left out",
	)
	sum, sumWrong, sumLeft := NewTally(), 0, map[string]int{}
	for _, dir := range strings.Split(*historiesFlag, ",") {
		name := strings.TrimSuffix(filepath.Clean(dir), "/repo")
		name = strings.ReplaceAll(filepath.Base(name), "+", "/")
		tally, wrong, leftOut := compareHistory(t, dir, name)
		row(name, tally, wrong, leftOut)
		t.Logf("%s\n%s\nleft out %v", name, tally, leftOut)
		sum.Merge(tally)
		sumWrong += wrong
		for k, n := range leftOut {
			sumLeft[k] += n
		}
		if tally.Builds == 0 {
			t.Errorf("%s: no pair could be built", name)
		}
	}
	row("total", sum, sumWrong, sumLeft)
	t.Logf("left out %v\n%s\n\n%s", sumLeft, sum, table)
}

// doubts are what may make a step uncertain: the output of a stage, a remote source, the tag of an image.
var doubts = []cachemodel.CauseKind{
	cachemodel.StageRebuilt,
	cachemodel.RemoteSource,
	cachemodel.BaseChanged,
	cachemodel.Follows,
}

// compareHistory draws pairs of commits until as many as were asked for have been built, or there are no more.
func compareHistory(t *testing.T, dir, name string) (tally *Tally, wrong int, leftOut map[string]int) {
	ctx, tally, leftOut := context.Background(), NewTally(), map[string]int{}
	h := openHistory(t, dir)
	for n, p := range h.pairs(rand.New(rand.NewPCG(*seedFlag, 0)), 8**historyPairsFlag) {
		if tally.Builds >= *historyPairsFlag {
			break
		}
		builds, why := h.builds(ctx, p)
		if why != "" {
			leftOut[why]++
			continue
		}
		if builds == nil {
			continue
		}
		seed := *seedFlag + uint64(n)
		ofPair := NewTally()
		said, err := runInProcess(ctx, t.TempDir(), builds, seed, ofPair)
		tally.Merge(ofPair)
		if err != nil {
			leftOut["a source is missing or ignored"]++
			t.Logf("left out: %s %s: %.300v", name, p, err)
			continue
		}
		for kind := range ofPair.Uncertain {
			if seed%3 > 0 && !slices.Contains(doubts, kind) { // the images are known
				said = append(said, fmt.Sprintf("a step is uncertain for another reason than those allowed: %s", kind))
			}
		}
		wrong += len(said)
		for _, w := range said {
			t.Errorf(
				"%s %s, context %q, target %q, seed %d: %s",
				name,
				p,
				builds[0].dirIn(p.file),
				builds[1].Target,
				seed,
				w,
			)
		}
	}
	return tally, wrong, leftOut
}

// dirIn is the context directory of a build whose Dockerfile is at file in the repository.
func (b Build) dirIn(file string) string { return strings.TrimSuffix(file, b.Name) }

// history is the mainline of a repository, newest commit first.
type history struct {
	t       *testing.T
	dir     string
	commits []string
	touched [][]string // paths, by index of the commit

	objects *bufio.Reader // of git cat-file --batch
	ask     io.Writer
	blobs   map[string]string
	size    int
}

// commitPair is one build and the next.
type commitPair struct {
	file         string
	older, newer int // indices of commits
	ofTheContext bool
	from, to     string
	pick         uint64 // of a target
}

func (p commitPair) String() string {
	of := "Dockerfile"
	if p.ofTheContext {
		of = "context"
	}
	return fmt.Sprintf("%s %s..%s (%s)", p.file, p.from, p.to, of)
}

var dockerfileName = regexp.MustCompile(`(?i)(^|/)(dockerfile(\.[\w.-]+)?|[\w.-]+\.dockerfile)$`)

func isDockerfile(p string) bool {
	return dockerfileName.MatchString(p) && !strings.Contains(path.Base(p), ".dockerignore") &&
		!strings.HasSuffix(p, ".template") &&
		!strings.HasSuffix(p, ".tmpl")
}

func openHistory(t *testing.T, dir string) *history {
	t.Helper()
	h := &history{t: t, dir: dir, blobs: map[string]string{}}
	for line := range strings.Lines(h.git("-c", "core.quotePath=false", "log", "--first-parent", "-m", "--no-renames",
		"--name-only", "--format=%x00%H")) {
		line = strings.TrimSuffix(line, "\n")
		if c, ok := strings.CutPrefix(line, "\x00"); ok {
			h.commits, h.touched = append(h.commits, c), append(h.touched, nil)
		} else if line != "" {
			h.touched[len(h.touched)-1] = append(h.touched[len(h.touched)-1], line)
		}
	}
	cmd := exec.Command("git", "-C", dir, "cat-file", "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	h.ask, h.objects = in, bufio.NewReader(out)
	return h
}

func (h *history) git(args ...string) string {
	h.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", h.dir}, args...)...).Output()
	if err != nil {
		h.t.Fatalf("%s: git %v: %v", h.dir, args, err)
	}
	return string(out)
}

// pairs draws up to n pairs, one half of each sort as far as there are enough.
func (h *history) pairs(r *rand.Rand, n int) []commitPair {
	touching := map[string][]int{}
	for i, paths := range h.touched {
		for _, p := range paths {
			if isDockerfile(p) {
				touching[p] = append(touching[p], i)
			}
		}
	}
	files := slices.Sorted(maps.Keys(touching))
	var ofFile, ofContext []commitPair
	pair := func(file string, older, newer int, ofTheContext bool) commitPair {
		return commitPair{file, older, newer, ofTheContext, h.commits[older][:7], h.commits[newer][:7], r.Uint64()}
	}
	for _, f := range files {
		for k := range len(touching[f]) - 1 {
			ofFile = append(ofFile, pair(f, touching[f][k+1], touching[f][k], false))
		}
	}
	r.Shuffle(len(ofFile), func(i, j int) { ofFile[i], ofFile[j] = ofFile[j], ofFile[i] })
	for range n {
		f := files[r.IntN(len(files))]
		first := touching[f][len(touching[f])-1]
		if first == 0 {
			continue
		}
		i := r.IntN(first) // born at first, so it has a commit before it
		ofContext = append(ofContext, pair(f, i+1, i, true))
	}
	var all []commitPair
	for len(all) < n && len(ofFile)+len(ofContext) > 0 {
		for _, from := range []*[]commitPair{&ofFile, &ofContext} {
			if len(*from) > 0 {
				all, *from = append(all, (*from)[0]), (*from)[1:]
			}
		}
	}
	return all
}

// builds makes the two builds, or says why not; there are none if one commit has no such Dockerfile or the newer one
// does not touch the context.
func (h *history) builds(ctx context.Context, p commitPair) (builds []Build, why string) {
	older, newer := h.list(h.commits[p.older]), h.list(h.commits[p.newer])
	if _, ok := older[p.file]; !ok {
		return nil, ""
	}
	if _, ok := newer[p.file]; !ok {
		return nil, ""
	}
	dir, why := h.contextDir(ctx, p.file, newer)
	if why != "" {
		return nil, why
	}
	if p.ofTheContext &&
		!slices.ContainsFunc(
			h.touched[p.newer],
			func(t string) bool { return strings.HasPrefix(t, dir) && t != p.file },
		) {
		return nil, ""
	}
	for _, entries := range []map[string]blob{older, newer} {
		b, why := h.build(p.file, dir, entries, true)
		if why != "" {
			return nil, why
		}
		builds = append(builds, b)
	}
	target := targets(builds, p.pick)
	for i := range builds {
		builds[i].Target = target
		def, _, err := Convert(ctx, builds[i])
		if err != nil {
			return nil, "refused by BuildKit"
		}
		if missing(def, builds[i].Context()) > 0 {
			return nil, "a source is missing or ignored"
		}
	}
	return builds, ""
}

var stageName = regexp.MustCompile(`(?im)^FROM\s.*\sAS\s+(\S+)\s*$`)

// targets picks a stage that both builds have, or none half of the time.
func targets(builds []Build, pick uint64) string {
	var names []string
	for _, m := range stageName.FindAllStringSubmatch(builds[0].Dockerfile, -1) {
		for _, n := range stageName.FindAllStringSubmatch(builds[1].Dockerfile, -1) {
			if m[1] == n[1] {
				names = append(names, m[1])
			}
		}
	}
	if len(names) == 0 || pick%2 == 0 {
		return ""
	}
	return names[pick/2%uint64(len(names))]
}

// contextDir is the Dockerfile's folder, or the root if the Dockerfile copies what only the root has; "" or ending in a
// slash.
func (h *history) contextDir(ctx context.Context, file string, entries map[string]blob) (dir, why string) {
	least := -1
	folder := strings.TrimPrefix(path.Dir(file)+"/", "./")
	for _, d := range slices.Compact([]string{folder, ""}) {
		b, unreadable := h.build(file, d, entries, false)
		if unreadable != "" {
			return "", unreadable
		}
		def, _, err := Convert(ctx, b)
		if err != nil {
			return "", "refused by BuildKit"
		}
		if n := missing(def, b.Context()); least < 0 || n < least {
			dir, least = d, n
		}
	}
	return dir, ""
}

// missing counts the sources of COPY, ADD and bind mounts that are not in a context.
func missing(def *pb.Definition, files map[string]File) (n int) {
	local := map[string]bool{}
	all := make([]pb.Op, len(def.GetDef()))
	for i, dt := range def.GetDef() {
		if err := all[i].UnmarshalVT(dt); err != nil {
			panic(err)
		}
		if strings.HasPrefix(all[i].GetSource().GetIdentifier(), "local://") {
			local[string(digest.FromBytes(dt))] = true
		}
	}
	has := func(pattern string) bool {
		pattern = path.Join("/", pattern)[1:]
		if _, ok := files[pattern]; ok || pattern == "" {
			return true
		}
		for p := range files {
			if ok, _ := path.Match(pattern, p); ok {
				return true
			}
		}
		return false
	}
	for i := range all {
		op := &all[i]
		from := func(i int64) bool { return i >= 0 && int(i) < len(op.Inputs) && local[op.Inputs[i].Digest] }
		for _, a := range op.GetFile().GetActions() {
			if c := a.GetCopy(); c != nil && from(a.SecondaryInput) && !has(c.Src) {
				n++
			}
		}
		for _, m := range op.GetExec().GetMounts() {
			if from(m.Input) && !has(m.Selector) {
				n++
			}
		}
	}
	return n
}

// blob is one entry of a commit.
type blob struct {
	mode, id string
	size     int
}

func (h *history) list(commit string) map[string]blob {
	h.t.Helper()
	entries := map[string]blob{}
	for line := range strings.SplitSeq(h.git("ls-tree", "-r", "-l", "-z", commit), "\x00") {
		info, p, _ := strings.Cut(line, "\t")
		if f := strings.Fields(info); len(f) == 4 {
			size, _ := strconv.Atoi(f[3]) // "-" of a submodule
			entries[p] = blob{f[0], f[2], size}
		}
	}
	return entries
}

// build makes the build of a file with the entries below dir as the context, as a checkout with umask 022 has them;
// without contents it has those of the Dockerfile and the ignore files alone.
func (h *history) build(file, dir string, entries map[string]blob, contents bool) (b Build, why string) {
	b = Build{Name: strings.TrimPrefix(file, dir), Files: map[string]File{}}
	total := 0
	for p, e := range entries {
		rel, ok := strings.CutPrefix(p, dir)
		if !ok {
			continue
		}
		total += e.size
		if len(b.Files) >= maxContextFiles || total > maxContextBytes {
			return b, "the context is too large"
		}
		f := File{Mode: 0o644}
		switch e.mode {
		case "160000":
			b.Files[rel] = File{Mode: fs.ModeDir | 0o755}
			continue
		case "120000":
			f.Mode = fs.ModeSymlink | 0o777
		case "100755":
			f.Mode = 0o755
		}
		if contents || p == file || strings.HasSuffix(rel, ".dockerignore") {
			data, ok := h.read(e.id)
			if !ok {
				return b, "an object is missing"
			}
			if e.mode == "120000" {
				f.Link = data
			} else {
				f.Data = data
			}
		}
		b.Files[rel] = f
	}
	b.Dockerfile = b.Files[b.Name].Data
	return b, ""
}

// read gives the contents of an object.
func (h *history) read(id string) (data string, ok bool) {
	h.t.Helper()
	if data, ok := h.blobs[id]; ok {
		return data, true
	}
	if _, err := fmt.Fprintln(h.ask, id); err != nil {
		h.t.Fatal(err)
	}
	head, err := h.objects.ReadString('\n')
	if err != nil {
		h.t.Fatal(err)
	}
	f := strings.Fields(head)
	if len(f) != 3 {
		return "", false
	}
	size, err := strconv.Atoi(f[2])
	if err != nil {
		h.t.Fatal(err)
	}
	text := make([]byte, size+1) // a newline follows
	if _, err := io.ReadFull(h.objects, text); err != nil {
		h.t.Fatal(err)
	}
	if h.size += size; h.size > 4*maxContextBytes {
		clear(h.blobs)
		h.size = size
	}
	h.blobs[id] = string(text[:size])
	return h.blobs[id], true
}
