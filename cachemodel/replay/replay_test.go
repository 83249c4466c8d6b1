package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"golang.org/x/tools/txtar"
)

// repo makes a git repository away from the user's settings and returns its directory and a way to run git in it.
func repo(t testing.TB) (dir string, git func(args ...string)) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("THE GIT PROGRAM IS MISSING: no history is replayed")
	}
	home := t.TempDir()
	for k, v := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": filepath.Join(home,
			"gitconfig"),
		"GIT_AUTHOR_DATE": "2025-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2025-01-02T03:04:05Z",
	} {
		t.Setenv(k, v)
	}
	dir = t.TempDir()
	git = func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("config", "user.email", "a@example.com")
	git("config", "user.name", "A")
	git("config", "gc.auto", "0")
	git("config", "maintenance.auto", "false")
	return dir, git
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestHistories makes a repository of each file in testdata: "1/a" is file a as of commit 1, "2.git" git commands
// before commit 2. "want" is what the replay says: of each commit with its own Dockerfile, and of the last one at all
// commits.
func TestHistories(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(t *testing.T, ar *txtar.Archive) []txtar.File {
		given := slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return f.Name == "want" })
		dir, git := repo(t)
		request := Request{Commits: 100}
		name, contextDir := "Dockerfile", ""
		s := cachemodel.Settings{}
		commit := ""
		save := func() {
			if commit != "" {
				git("add", "-A")
				git("commit", "-q", "--allow-empty", "-m", "commit "+commit)
			}
		}
		for _, f := range given {
			text := string(f.Data)
			switch f.Name {
			case "settings":
				for line := range strings.Lines(text) {
					switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
					case "file":
						name = value
					case "context":
						contextDir = value
					case "commits":
						fmt.Sscan(value, &request.Commits)
					case "target":
						s.Target = value
					case "rev":
						request.Rev = value
					default:
						t.Fatalf("unknown setting %q", key)
					}
				}
				continue
			}
			if n, cut := strings.CutSuffix(f.Name, ".git"); cut && !strings.Contains(n, "/") {
				save()
				commit = n
				for line := range strings.Lines(text) {
					git(strings.Fields(line)...)
				}
				continue
			}
			n, rel, _ := strings.Cut(f.Name, "/")
			if n != commit {
				save()
				commit = n
			}
			write(t, dir, rel, text)
		}
		save()
		request.Dockerfile = filepath.Join(dir, name)
		if contextDir != "" {
			request.ContextDir = filepath.Join(dir, contextDir)
		}
		return append(given, txtar.File{Name: "want", Data: []byte(tell(t, request, s))})
	})
}

func tell(t *testing.T, request Request, s cachemodel.Settings) string {
	h, err := Load(t.Context(), request, nil)
	if err != nil {
		return fmt.Sprintf("error: %v\n", strings.ReplaceAll(err.Error(), filepath.Dir(request.Dockerfile), "DIR"))
	}
	actual, err := Actual(t.Context(), h, s, Costs{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	show(&b, "actual", actual)
	var now *dockerfile.File
	for _, c := range h.Commits {
		if c.File != nil {
			now = c.File
		}
	}
	h = h.Buildable(now, s)
	fixed, err := Fixed(t.Context(), h, now, s, Costs{})
	if err != nil {
		t.Fatal(err)
	}
	show(&b, "today", fixed)
	for _, note := range h.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	return b.String()
}

func show(b *strings.Builder, title string, r *Result) {
	fmt.Fprintf(b, "%s: %.1f s of %.1f s\n", title, r.Seconds, r.Uncached)
	for _, build := range r.Builds {
		fmt.Fprintf(b, "  %s:", build.Subject)
		if build.NoBuild != "" {
			fmt.Fprintf(b, " not built: %s", build.NoBuild)
		}
		for _, e := range build.Rebuilt {
			line := "gone"
			if e.Step >= 0 {
				line = fmt.Sprint(r.Steps[e.Step].Line)
			}
			fmt.Fprintf(b, " %s(%s)", line, e.Cause.Detail)
		}
		b.WriteString("\n")
	}
	for _, s := range r.Steps {
		if !s.Runs {
			continue
		}
		fmt.Fprintf(
			b,
			"  %d %s: %d/%d, %d by itself, %.1f s each",
			s.Line,
			s.Text,
			s.Rebuilt,
			s.Builds,
			s.First,
			s.Weight,
		)
		for _, c := range s.Causes {
			fmt.Fprintf(b, ", %s %d %d×", c.Kind, c.Line, c.Count)
		}
		for _, f := range s.Files {
			fmt.Fprintf(b, ", %s %d×", f.Path, f.Count)
		}
		b.WriteString("\n")
	}
}

// Errors say what is wrong, and can be told apart.
func TestLoadErrors(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, "Dockerfile", "FROM scratch\n")
	if _, err := Load(t.Context(), Request{Dockerfile: filepath.Join(outside, "Dockerfile"), Commits: 1},
		nil); !errors.Is(
		err,
		gittree.ErrNotRepository,
	) {
		t.Errorf("outside of a repository: %v", err)
	}
	dir, git := repo(t)
	write(t, dir, "Dockerfile", "FROM scratch\n")
	write(t, dir, "app/Dockerfile", "FROM scratch\n")
	load := func(name string, ctx context.Context, commits int) error {
		_, err := Load(ctx, Request{Dockerfile: filepath.Join(dir, name), Commits: commits}, nil)
		return err
	}
	if err := load("Dockerfile", t.Context(), 1); !errors.Is(err, gittree.ErrUnborn) {
		t.Errorf("no commit: %v", err)
	}
	git("add", "Dockerfile")
	git("commit", "-qm", "x")
	if err := load("app/Dockerfile", t.Context(), 1); !errors.Is(err, gittree.ErrNoCommits) {
		t.Errorf("nothing committed there: %v", err)
	}
	if err := load("Dockerfile", t.Context(), 0); err == nil {
		t.Error("no commits asked for: no error")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := load("Dockerfile", cancelled, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	h, err := Load(t.Context(), Request{Dockerfile: filepath.Join(dir, "Dockerfile"), Commits: 5}, nil)
	if err != nil || h.Builds() != 0 {
		t.Fatalf("one commit: %v, %v", h, err)
	}
	for name, run := range map[string]func() error{
		"Actual": func() error { _, err := Actual(cancelled, h, cachemodel.Settings{}, Costs{}); return err },
		"Fixed": func() error {
			_, err := Fixed(cancelled, h, h.Commits[0].File, cachemodel.Settings{}, Costs{})
			return err
		},
	} {
		if err := run(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled: %v", name, err)
		}
	}
}

// A load that is cancelled in the middle ends with the context's error.
func TestCancelWhileReading(t *testing.T) {
	dir, git := repo(t)
	for i := range 5 {
		write(t, dir, "Dockerfile", "FROM scratch\nCOPY . .\n")
		write(t, dir, "a", fmt.Sprint(i))
		git("add", "-A")
		git("commit", "-qm", "x")
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Load(ctx, Request{Dockerfile: filepath.Join(dir, "Dockerfile"), Commits: 5}, func(done, _ int) {
		if done == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The costs of commands, by what they do.
func TestWeights(t *testing.T) {
	for command, want := range map[string]float64{
		"RUN apt-get update && apt-get install -y curl": 25,
		"RUN npm ci":                  40,
		"RUN npm ci && npm run build": 100,
		"RUN yarn":                    40,
		"RUN yarn --frozen-lockfile --network-concurrency 1":             40,
		"RUN go -C web build .":                                          60,
		"RUN npm --prefix web ci":                                        40,
		"RUN yarn --cwd web":                                             40,
		"RUN yarn version":                                               1,
		"RUN cargo build --bin check":                                    60,
		"RUN yarn build-docker":                                          60,
		"RUN --mount=type=cache,target=/x pip install -r req.txt":        40,
		"RUN python -m pip install .":                                    40,
		"RUN [\"go\", \"build\", \"./...\"]":                             60,
		"RUN CGO_ENABLED=0 go build -o /app && go test ./...":            90,
		"RUN ./mvnw -q -DskipTests package":                              60,
		"RUN mvn dependency:go-offline":                                  40,
		"RUN bundle exec rails assets:precompile":                        60,
		"RUN bundle install":                                             40,
		"RUN <<EOF\nset -e\ncurl -fsSL x | sh\nmake\nEOF":                68,
		"RUN sh -c 'go mod download'":                                    40,
		"RUN mkdir -p /data":                                             1,
		"RUN if [ -n \"$X\" ]; then apk add x; fi":                       25,
		"RUN --mount=type=cache,target=/root/.cache/go-build go build .": 15,
		"RUN --mount=type=cache,target=/root/.cache/go-build go mod download && go build .":                55,
		"RUN --mount=type=cache,target=/go/pkg/mod/cache go build .":                                       60,
		"RUN --mount=type=cache,dst=/root/.npm --mount=type=bind npm ci && npm run build":                  90,
		"RUN --mount=type=cache,target=/usr/local/share/.cache/yarn,sharing=locked yarn --frozen-lockfile": 30,
		"RUN --mount=type=bind,target=/root/.npm npm ci":                                                   40,
		"RUN --mount=type=cache,target=/root/.npm yarn --frozen-lockfile":                                  40,
		"RUN xx-go build .":                                              60,
		"RUN xx-cargo build --release":                                   60,
		"RUN timeout 100 npm ci":                                         40,
		"RUN timeout -k 5 100 npm ci":                                    40,
		"RUN timeout --signal=KILL 10m npm ci":                           40,
		"RUN nice -n 5 make":                                             60,
		"RUN su node -c \"npm ci\"":                                      40,
		"RUN runuser -u node -- npm ci":                                  40,
		"RUN fakeroot make":                                              60,
		"RUN npm install --location=global pnpm":                         8,
		"RUN pip install -U pip setuptools wheel":                        8,
		"RUN pip install poetry flask":                                   40,
		"RUN uv tool install ruff":                                       8,
		"RUN mkdocs build":                                               60,
		"RUN python3 -m build":                                           60,
		"RUN ./build.sh":                                                 60,
		"RUN bash scripts/build.sh":                                      60,
		"RUN just build":                                                 60,
		"RUN npm install -g pnpm":                                        8,
		"RUN pip install poetry==1.8":                                    8,
		"RUN corepack enable":                                            1,
		"RUN cargo chef prepare":                                         1,
		"RUN cargo chef cook --release --recipe-path recipe.json":        60,
		"RUN --mount=TYPE=cache,TARGET=/root/.cache/go-build go build .": 15,
		"RUN ((((":                     1,
		"WORKDIR /app":                 0.1,
		"COPY a b":                     0.2,
		"ADD https://example.com/a /a": 8,
		"ENV A=b":                      0,
	} {
		in := dockerfile.Parse(source.New("FROM x\n"+command+"\n"), nil).Instructions[1]
		if got := (Costs{}).Seconds(in); got != want {
			t.Errorf("%s: %v s, want %v (%v)", command, got, want, WorkOf(in))
		}
	}
}

// What a record knows counts for instructions of the same text, in any version of the file.
func TestRecordedCosts(t *testing.T) {
	parse := func(text string) *dockerfile.File { return dockerfile.Parse(source.New(text), nil) }
	seconds := 7.5
	c := RecordedCosts(parse("FROM x\nRUN  npm ci\n"), map[int]cachemodel.Cost{2: {Seconds: &seconds}})
	other := parse("FROM x\n\nRUN npm ci\nRUN npm test\n")
	if got := c.Seconds(other.Instructions[1]); got != seconds {
		t.Errorf("recorded: %v", got)
	}
	if got := c.Seconds(other.Instructions[2]); got != 30 {
		t.Errorf("not recorded: %v", got)
	}
	mounted := parse("FROM x\nRUN --mount=type=cache,target=/root/.npm npm ci\n")
	if got := c.Seconds(mounted.Instructions[1]); got != 5.625 {
		t.Errorf("recorded without the mount: %v", got)
	}
}

// No command makes the weights panic.
func FuzzWorkOf(f *testing.F) {
	for _, seed := range []string{"RUN npm ci", "RUN [\"a\"]", "RUN <<E\nx\n" +
		"E", "RUN sudo", "RUN env A=b", "RUN bash -c \"", "RUN $(", "RUN yarn run", "RUN python -m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, in := range dockerfile.Parse(source.New("FROM x\n"+text), nil).Instructions {
			if (Costs{}).Seconds(in) < 0 {
				t.Error("a negative cost")
			}
		}
	})
}

// A build argument that names the commit has another value at each build, also where it has a default.
func TestStamps(t *testing.T) {
	dir, git := repo(t)
	for i := range 4 {
		write(t, dir, "Dockerfile", "FROM scratch\nARG OTHER\nRUN make deps\nARG COMMIT_SHA=none\nRUN make\n")
		write(t, dir, "other", fmt.Sprint(i))
		git("add", ".")
		git("commit", "-q", "-m", fmt.Sprint(i))
	}
	h, err := Load(t.Context(), Request{Dockerfile: filepath.Join(dir, "Dockerfile"), Commits: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args map[string]string
		want int
	}{{nil, 3}, {map[string]string{"COMMIT_SHA": "x"}, 0}} {
		r, err := Actual(t.Context(), h, cachemodel.Settings{Args: test.args}, Costs{})
		if err != nil {
			t.Fatal(err)
		}
		if first, last := r.Steps[2].Rebuilt, r.Steps[4].Rebuilt; first != 0 || last != test.want {
			t.Errorf("with %v: rebuilt %d and %d times, want 0 and %d", test.args, first, last, test.want)
		}
	}
}
