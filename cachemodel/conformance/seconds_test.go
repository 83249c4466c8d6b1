package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
	"github.com/layerwise/layerwise/cachemodel/imagediff"
)

var (
	secondsFlag = flag.String(
		"seconds",
		"",
		"Dockerfiles for TestSeconds, separated by commas: REPOSITORY:CONTEXT:DOCKERFILE, the latter two within it",
	)
	secondsCommitsFlag = flag.Int("seconds-commits", 5, "commits that TestSeconds builds of each")
)

// TestSeconds measures what orders and cache mounts save. They are chosen by the history up to a commit; the commits
// after it that change the context are built one after the other with real tools and registries, with that commit's
// Dockerfile and with the rewritten one, on two daemons. The images are compared at every commit.
//
// In the place of all base images stands Debian with Node.js, npm, Yarn, pnpm and Go. apk does nothing there, so files
// of which an order moves apk cannot be measured; npm keeps no logs, since these have the time in their names.
func TestSeconds(t *testing.T) {
	if *secondsFlag == "" {
		t.Skip("NO SECONDS WERE MEASURED: give Dockerfiles with -seconds REPOSITORY:CONTEXT:DOCKERFILE,...")
	}
	bin := buildCommand(t, t.TempDir())
	real := startReal(t)
	m := measured{images: real.images}
	m.debian(t, real)
	for n := range m.builders {
		// What it keeps is too much for the memory.
		d, err := daemon.StartIn(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Stop)
		m.builders[n] = &Real{d, real.images}
	}
	for project := range strings.SplitSeq(*secondsFlag, ",") {
		t.Run(project, func(t *testing.T) {
			m, parts := m, strings.Split(project, ":")
			m.t, m.dir, m.context, m.file = t, parts[0], parts[1], parts[2]
			m.run(bin)
		})
	}
}

// measured is a Dockerfile of a repository.
type measured struct {
	t                  *testing.T
	dir, context, file string
	images             *daemon.Layouts
	tools, small       string   // base images
	builders           [3]*Real // for the file as it is, reordered, and once more as it is
}

func (m measured) run(layerwise string) {
	t, ctx, work := m.t, m.t.Context(), filepath.Join(m.t.TempDir(), "work")
	do := func(name string, args ...string) string {
		cmd := exec.CommandContext(ctx, name, args...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	do("git", "clone", "-q", "-s", "--no-checkout", m.dir, work)
	commits := strings.Fields(do("git", "-C", work, "rev-list", "--first-parent", "-n",
		fmt.Sprint(*secondsCommitsFlag+1), "HEAD", "--", m.context))
	slices.Reverse(commits)
	at, dir := filepath.Join(work, filepath.FromSlash(m.file)), filepath.Join(work, filepath.FromSlash(m.context))
	ignore := "" // lines that the ignore file gets
	checkOut := func(commit string) {
		// A large file may be missing from a copy of a repository: what is there is enough.
		do("sh", "-c", `cd "$1" && git update-ref --no-deref HEAD "$2" && git read-tree "$2" && git clean -d -f -x -q
			git checkout-index -a -f -q 2>&1 || true`, "sh", work, commit)
		do("sh", "-c", `[ -z "$1" ] || echo "$1" >>"$2/.dockerignore"`, "sh", ignore, dir)
	}
	checkOut(commits[0])
	before, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	offer := func() string {
		return do(layerwise, "reorder", "--likely", "--write", "--engine", "buildkit", "--context", dir, at)
	}
	said := offer()
	// What is to be ignored is not there in a clone, so it can be ignored in both.
	if lines := toIgnore.FindStringSubmatch(said); lines != nil {
		ignore = "\n" + strings.NewReplacer(", ", "\n", " and ", "\n").Replace(lines[1])
		checkOut(commits[0])
		said = offer()
	}
	after, err := os.ReadFile(at)
	if err != nil || string(after) == string(before) {
		t.Fatalf("nothing is offered: %v\n%s", err, said)
	}
	t.Logf("at %.7s:\n%s", commits[0], said)
	var sum [2]time.Duration
	same := 0
	unstable := map[string]bool{} // properties that differ from build to build of one file
	isUnstable := func(d imagediff.Difference) bool { return unstable[d.Where+d.What] }
	for i, commit := range commits {
		checkOut(commit)
		var took [2]time.Duration
		var images [2][]imagediff.Image
		for n, text := range []string{string(before), string(after)} {
			took[n], images[n] = m.build(ctx, m.builders[n], dir, text)
			if i > 0 {
				sum[n] += took[n]
			}
		}
		differ := slices.DeleteFunc(imagediff.Compare(images[0], images[1]), isUnstable)
		if len(differ) > 0 {
			_, again := m.build(ctx, m.builders[2], dir, string(before))
			for _, u := range imagediff.Compare(images[0], again) {
				unstable[u.Where+u.What] = true
			}
			differ = slices.DeleteFunc(differ, isUnstable)
			t.Logf("%.7s: %d properties differ from build to build", commit, len(unstable))
		}
		if len(differ) == 0 {
			same++
		} else {
			t.Errorf("%.7s: the images differ: %.1000v", commit, differ)
		}
		t.Logf("%.7s: %.1f s, reordered %.1f s", commit, took[0].Seconds(), took[1].Seconds())
	}
	t.Logf("%d commits: %.1f s, reordered %.1f s: %.1f %% less; %d of %d images are the same", len(commits)-1,
		sum[0].Seconds(), sum[1].Seconds(), 100*(1-sum[1].Seconds()/sum[0].Seconds()), same, len(commits))
}

// toIgnore finds what an order wants ignored.
var toIgnore = regexp.MustCompile(`possible once \.dockerignore has (.+?):`)

// build builds a folder with a Dockerfile and then reads the image, which counts no more.
func (m measured) build(ctx context.Context, r *Real, dir, text string) (time.Duration, []imagediff.Image) {
	files, err := fsutil.NewFS(dir)
	if err == nil {
		files, err = fsutil.NewFilterFS(files, &fsutil.FilterOpt{ExcludePatterns: []string{".git"}})
	}
	if err != nil {
		m.t.Fatal(err)
	}
	locals := map[string]fsutil.FS{
		"context":    files,
		"dockerfile": newMemFS(map[string]File{"Dockerfile": {Mode: 0o644, Data: text}}),
	}
	opts := map[string]string{"filename": "Dockerfile", "cmdline": "builtin"}
	for _, stage := range dockerfile.Parse(source.New(text), nil).Stages {
		image := strings.TrimSuffix(stage.Base.Text, ":latest")
		opts["context:"+image] = m.small
		if bases.MatchString(image) {
			opts["context:"+image] = m.tools
		}
	}
	start := time.Now()
	if _, err := r.solve(ctx, opts, locals, client.SolveOpt{}); err != nil {
		m.t.Fatal(err)
	}
	took := time.Since(start)
	images, err := r.read(ctx, m.t.TempDir(), opts, locals)
	if err != nil {
		m.t.Fatal(err)
	}
	return took, images
}

// bases are the base images in whose place Debian with the tools stands; in that of others, busybox does.
var bases = regexp.MustCompile(`\b(node|golang|debian|ubuntu)\b`)

// debian makes the base images. Debian is made once, in the user's cache folder.
func (m *measured) debian(t *testing.T, real *Real) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "layerwise-conformance", "debian")
	if _, err := os.Stat(dir); err != nil {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", makeDebian, "sh", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("making Debian: %v\n%.2000s", err, out)
		}
	}
	if m.tools, err = m.images.Load("debian", dir); err != nil {
		t.Fatal(err)
	}
	m.small, err = m.images.Add(t.Context(), real.daemon, "small", nil, newMemFS(map[string]File{
		"Dockerfile": {Mode: 0o644, Data: "FROM base\nRUN printf '#!/bin/sh\\n' >/bin/apk && chmod 755 /bin/apk\n"},
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// makeDebian makes a folder with Debian and the tools of this machine as an OCI layout.
const makeDebian = `
rm -rf "$1.new"
mkdir -p "$1.new/blobs/sha256"
cd "$1.new"
debootstrap --variant=minbase --include=ca-certificates,git,curl,python3,make,g++,pkg-config \
	bookworm root http://deb.debian.org/debian
cp -a "$(go env GOROOT)" root/usr/local/go
cp -a /usr/bin/node root/usr/bin/
mkdir -p root/usr/lib/node_modules
cp -a /usr/lib/node_modules/npm root/usr/lib/node_modules/
ln -s ../lib/node_modules/npm/bin/npm-cli.js root/usr/bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js root/usr/bin/npx
npm install --global --prefix root/usr yarn@1 pnpm@10
ln -s true root/usr/bin/apk
cp -L /etc/ssl/certs/ca-certificates.crt root/etc/ssl/certs/
rm -rf root/usr/share/doc root/usr/share/man root/usr/share/locale root/var/cache/apt/* root/usr/local/go/test
blob() {
	size=$(stat -c %s "$1") digest=$(sha256sum "$1" | cut -d ' ' -f 1)
	mv "$1" "blobs/sha256/$digest"
}
kind=application/vnd.oci.image
tar -C root -cf layer .
rm -rf root
blob layer
layer="{\"mediaType\":\"$kind.layer.v1.tar\",\"digest\":\"sha256:$digest\",\"size\":$size}"
path=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=$path\",\"GOPATH=/go\",
	\"NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\",\"npm_config_logs_max=0\"]},
	\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$digest\"]}}" >config
blob config
config="{\"mediaType\":\"$kind.config.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size}"
echo "{\"schemaVersion\":2,\"mediaType\":\"$kind.manifest.v1+json\",\"config\":$config,\"layers\":[$layer]}" >manifest
blob manifest
echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"$kind.manifest.v1+json\",\"digest\":\"sha256:$digest\",
	\"size\":$size}]}" >index.json
echo '{"imageLayoutVersion":"1.0.0"}' >oci-layout
mv "$1.new" "$1"
`
