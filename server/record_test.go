package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// recordBuild records a build of the folder's Dockerfile as it is, as another process does.
func recordBuild(
	t *testing.T,
	store *record.Store,
	dir string,
	settings cachemodel.Settings,
	costs map[int]cachemodel.Cost,
) string {
	t.Helper()
	path := filepath.Join(dir, "Dockerfile")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := disk.Scan(context.Background(), dir, path, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	settings.Engine = cachemodel.BuildKit
	// reads the files
	cachemodel.NewPlan(
		cachemodel.Build{File: dockerfile.Parse(source.New(string(text)), nil), Context: tree, Settings: settings},
	)
	id, err := store.Put(&record.Record{
		When: time.Now(), Source: record.Built, Tool: "docker build", Dockerfile: path, Text: string(text),
		ContextDir: dir, Context: tree,
		Settings: settings, Costs: costs,
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func startWith(t *testing.T, options server.Options, capabilities any, folder string) *lsptest.Editor {
	t.Helper()
	e := lsptest.Start(t, options)
	e.Initialize(capabilities, painter, folder)
	return e
}

func command(e *lsptest.Editor, name string, args ...string) error {
	return e.Call("workspace/executeCommand", map[string]any{"command": name, "arguments": args}, nil)
}

// A build that another process records is noticed, with its settings; several sessions see it.
func TestRecordsAreNoticed(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	const text = "FROM scratch AS app\nCOPY a /\nARG V\nRUN echo $V\nFROM app\nRUN test\n"
	write(t, filepath.Join(dir, "Dockerfile"), text)
	write(t, filepath.Join(dir, "a"), "one")
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	var editors []*lsptest.Editor
	for range 2 {
		e := startWith(t, server.Options{CacheDir: cache}, nil, dir)
		e.OpenFile(uri, "dockerfile", text)
		if got := awaitStatus(t, e, "FROM config, COPY cached, ARG config, RUN cached, FROM config, RUN "+
			"cached"); got.Baseline.Kind != "opened" {
			t.Fatalf("the baseline is %s", got.Baseline.Kind)
		}
		editors = append(editors, e)
	}
	write(t, filepath.Join(dir, "a"), "two")
	seconds, bytes := 30.0, int64(31_000_000)
	id := recordBuild(
		t,
		record.NewStore(cache),
		dir,
		cachemodel.Settings{Target: "app", Args: map[string]string{"V": "1"}},
		map[int]cachemodel.Cost{4: {Seconds: &seconds, Bytes: &bytes, Shared: true}},
	)
	for _, e := range editors {
		got := awaitStatus(t, e, "FROM config, COPY cached, ARG config, RUN cached, FROM skipped, RUN skipped")
		if got.Baseline.Kind != "recorded" || got.Baseline.Ref != id ||
			!strings.Contains(strings.Join(got.Notes, " "), ": target app, V=1.") {
			t.Errorf("%+v", got)
		}
	}
	e := editors[0]
	e.Replace(uri, 2, strings.Replace(text, "COPY a /", "COPY a /x", 1))
	awaitStatus(t, e, "FROM config, COPY rebuilt, ARG config, RUN rebuilt, FROM skipped, RUN skipped")
	var lenses []struct {
		Command struct {
			Title, Command string
			Arguments      []string
		}
	}
	e.MustCall("textDocument/codeLens", lsptest.Document(uri), &lenses)
	if l := lenses[0].Command; !strings.HasPrefix(l.Title, "nothing cached · rebuilds from line 2 · 30 s and more · "+
		"vs the build of ") ||
		l.Command != "layerwise.selectBaseline" ||
		len(l.Arguments) != 1 ||
		l.Arguments[0] != uri {
		t.Errorf("the lens is %+v", l)
	}
	var hover struct{ Contents struct{ Value string } }
	e.MustCall(
		"textDocument/hover",
		lsptest.Document(uri, "position", map[string]int{"line": 3, "character": 0}),
		&hover,
	)
	if !strings.Contains(hover.Contents.Value, "rebuilt · 30 s · adds 31 MB, which images share") {
		t.Errorf("the hover is %s", hover.Contents.Value)
	}
	if err := record.NewStore(cache).Forget(id); err != nil {
		t.Fatal(err)
	}
	if got := awaitStatus(t, e, "FROM config, COPY rebuilt, ARG config, RUN rebuilt, FROM config, RUN "+
		"rebuilt"); got.Baseline.Kind != "opened" {
		t.Errorf("after it is forgotten the baseline is %s", got.Baseline.Kind)
	}
}

// What another process remembers for a Dockerfile, as layerwise predict --remember does, is noticed; what it remembers
// for another one changes nothing.
func TestChoicesAreNoticed(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	const text = "FROM scratch AS app\nCOPY a /\nFROM app\nRUN test\n"
	write(t, filepath.Join(dir, "Dockerfile"), text)
	write(t, filepath.Join(dir, "a"), "one")
	write(t, filepath.Join(dir, "compose.yaml"),
		"services:\n  all: {build: .}\n  app: {build: {context: ., target: app}}\n")
	e := startWith(t, server.Options{CacheDir: cache}, nil, dir)
	e.OpenFile(lsptest.URI(filepath.Join(dir, "Dockerfile")), "dockerfile", text)
	const all = "FROM config, COPY cached, FROM config, RUN cached"
	awaitStatus(t, e, all)
	store, path := record.NewStore(cache), filepath.Join(dir, "Dockerfile")
	for _, choice := range []struct{ of, id, want string }{
		{path, "compose:app", "FROM config, COPY cached, FROM skipped, RUN skipped"},
		{filepath.Join(dir, "Other"), "compose:all", ""},
		{path, "", all},
	} {
		if err := store.Choose(choice.of, workspace.BuildChoice, choice.id); err != nil {
			t.Fatal(err)
		}
		if choice.want != "" {
			awaitStatus(t, e, choice.want)
		}
	}
}

// A record that is damaged is passed over, and the person is told.
func TestDamagedRecord(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	const text = "FROM scratch\nCOPY a /\n"
	write(t, filepath.Join(dir, "Dockerfile"), text)
	write(t, filepath.Join(dir, "a"), "one")
	recordBuild(t, record.NewStore(cache), dir, cachemodel.Settings{}, nil)
	files, _ := filepath.Glob(filepath.Join(cache, "records", "*.record"))
	for _, file := range files {
		write(t, file, "nothing like a record")
	}
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e := startWith(t, server.Options{CacheDir: cache}, nil, dir)
	e.OpenFile(uri, "dockerfile", text)
	got := awaitStatus(t, e, "FROM config, COPY cached")
	if notes := strings.Join(got.Notes, " "); len(files) != 1 || got.Baseline.Kind != "opened" ||
		!strings.Contains(notes, "is damaged and is passed over") {
		t.Errorf("%s: %q", got.Baseline.Kind, notes)
	}
}

// The baseline is chosen by a command, which asks if it is not told, and the choice is remembered for the file.
func TestSelectBaseline(t *testing.T) {
	const text = "FROM scratch\nCOPY a /\n"
	dir, git := repository(t, "Dockerfile", text, "a", "one")
	git("branch", "-M", "main")
	cache := t.TempDir()
	write(t, filepath.Join(dir, "a"), "two")
	id := recordBuild(t, record.NewStore(cache), dir, cachemodel.Settings{}, nil)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e := startWith(t, server.Options{CacheDir: cache}, nil, dir)
	e.OpenFile(uri, "dockerfile", text)
	if got := awaitStatus(t, e, "FROM config, COPY cached"); got.Baseline.Kind != "recorded" {
		t.Fatalf("automatically it is %s", got.Baseline.Kind)
	}
	var list struct {
		Current string
		Items   []struct{ Spec, Label, Detail string }
	}
	e.MustCall("layerwise/baselines", lsptest.Document(uri), &list)
	var specs []string
	for _, item := range list.Items {
		specs = append(specs, item.Spec)
	}
	if got := strings.Join(specs, " "); list.Current != "auto" || got != "auto recorded git git:merge-base ci:auto ci:min ci:max opened" {
		t.Errorf("to choose from: %s, now %s", got, list.Current)
	}

	// The person is asked, chooses git, and later cancels.
	answer := any(map[string]string{"title": "Git HEAD"})
	e.Answer("window/showMessageRequest", func(params json.RawMessage) any {
		if !strings.Contains(string(params), `"title":"Git HEAD"`) ||
			!strings.Contains(string(params), "Compare Dockerfile with what?") {
			t.Errorf("asked %s", params)
		}
		return answer
	})
	if err := command(e, "layerwise.selectBaseline", uri); err != nil {
		t.Fatal(err)
	}
	if got := awaitStatus(t, e, "FROM config, COPY rebuilt"); got.Baseline.Kind != "git" {
		t.Errorf("after the choice it is %s", got.Baseline.Kind)
	}
	answer = nil
	if err := command(e, "layerwise.selectBaseline", uri); err != nil {
		t.Fatal(err)
	}

	// Another session knows the choice; there it is taken back.
	other := startWith(t, server.Options{CacheDir: cache}, nil, dir)
	other.OpenFile(uri, "dockerfile", text)
	if got := awaitStatus(t, other, "FROM config, COPY rebuilt"); got.Baseline.Kind != "git" {
		t.Errorf("another session has %s", got.Baseline.Kind)
	}
	for _, c := range []struct{ spec, want, kind string }{
		{"recorded:" + id[:4], "FROM config, COPY cached", "recorded"},
		{"git:HEAD", "FROM config, COPY rebuilt", "git"},
		{"auto", "FROM config, COPY cached", "recorded"},
	} {
		if err := command(other, "layerwise.selectBaseline", uri, c.spec); err != nil {
			t.Fatal(err)
		}
		if got := awaitStatus(t, other, c.want); got.Baseline.Kind != c.kind {
			t.Errorf("%s: %s", c.spec, got.Baseline.Kind)
		}
	}

	for _, bad := range [][]string{{"layerwise.selectBaseline", uri, "nonsense"}, {"layerwise.selectBaseline",
		"file:///nowhere"}, {"layerwise.selectBaseline"}, {"layerwise.nothing"}} {
		if err := command(other, bad[0], bad[1:]...); err == nil {
			t.Errorf("%q gives no error", bad)
		}
	}
}

// What is marked as built, unsaved text and all, is what the next build is compared with; also where another baseline
// was chosen.
func TestMarkAsBuilt(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	const text = "FROM scratch\nCOPY a /\n"
	write(t, filepath.Join(dir, "Dockerfile"), text)
	write(t, filepath.Join(dir, "a"), "one")
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e := startWith(t, server.Options{CacheDir: cache}, nil, dir)
	e.OpenFile(uri, "dockerfile", text)
	awaitStatus(t, e, "FROM config, COPY cached")
	e.Replace(uri, 2, "FROM scratch\nCOPY a /b\n")
	awaitStatus(t, e, "FROM config, COPY rebuilt")
	if err := command(e, "layerwise.selectBaseline", uri, "opened"); err != nil {
		t.Fatal(err)
	}
	if err := command(e, "layerwise.markAsBuilt", uri); err != nil {
		t.Fatal(err)
	}
	got := awaitStatus(t, e, "FROM config, COPY cached")
	if got.Baseline.Kind != "recorded" || !strings.HasPrefix(got.BaselineLabel, "what was marked as built on ") {
		t.Errorf("%+v", got)
	}
	write(t, filepath.Join(dir, "a"), "two")
	awaitStatus(t, e, "FROM config, COPY rebuilt")

	// Where nothing can be stored the person is told.
	blocked := startWith(t, server.Options{CacheDir: filepath.Join(os.DevNull, "x")}, nil, dir)
	blocked.OpenFile(uri, "dockerfile", text)
	awaitStatus(t, blocked, "FROM config, COPY cached")
	if err := command(blocked, "layerwise.markAsBuilt", uri); err == nil ||
		!strings.Contains(err.Error(), "The build is not recorded: ") {
		t.Errorf("the error is %v", err)
	}
}

// builder is a builder whose history holds one build.
type builder struct {
	mu   sync.Mutex
	last *record.Record
	news chan struct{} // holds a token when there is another one
}

func newBuilder() *builder { return &builder{news: make(chan struct{}, 1)} }

func (b *builder) History(baseline.Options) baseline.History {
	return func(context.Context, baseline.Request) (*baseline.Answer, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		answer := &baseline.Answer{Builder: record.Builder{Address: "unix:///b.sock"}, Name: "a builder"}
		if b.last != nil {
			file := dockerfile.Parse(source.New(b.last.Text), nil)
			answer.Builds = []*baseline.Contents{{File: file, Context: b.last.Context, Record: b.last}}
		}
		return answer, nil
	}
}

func (b *builder) Watch(ctx context.Context, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.news:
			changed()
		}
	}
}

// built lets the folder be built as it is.
func (b *builder) built(t *testing.T, dir string, settings cachemodel.Settings) {
	t.Helper()
	tree, err := disk.Scan(t.Context(), dir, filepath.Join(dir, "Dockerfile"), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	settings.Engine = cachemodel.BuildKit
	// reads the files
	cachemodel.NewPlan(
		cachemodel.Build{File: dockerfile.Parse(source.New(string(text)), nil), Context: tree, Settings: settings},
	)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = &record.Record{
		When: time.Now().Add(
			time.Hour,
		), Source: record.History, Tool: "a builder", Dockerfile: filepath.Join(dir, "Dockerfile"), Text: string(text),
		ContextDir: dir, Context: tree, Settings: settings,
	}
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// The builds in a builder's history are found after the first marks, and when it says that there is a new one.
func TestBuilderHistory(t *testing.T) {
	dir := t.TempDir()
	const text = "FROM scratch\nCOPY a /\n"
	write(t, filepath.Join(dir, "Dockerfile"), text)
	write(t, filepath.Join(dir, "a"), "one")
	history := newBuilder()
	history.built(t, dir, cachemodel.Settings{})
	write(t, filepath.Join(dir, "a"), "two")
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e := startWith(
		t,
		server.Options{CacheDir: t.TempDir(), Builder: func(string) (server.Builder, error) { return history, nil }},
		nil,
		dir,
	)
	e.OpenFile(uri, "dockerfile", text)
	if got := awaitStatus(t, e, "FROM config, COPY rebuilt"); got.Baseline.Kind != "recorded" {
		t.Errorf("the baseline is %s", got.Baseline.Kind)
	}
	history.built(t, dir, cachemodel.Settings{})
	awaitStatus(t, e, "FROM config, COPY cached")
	if err := command(e, "layerwise.selectBaseline", uri, "opened"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a"), "three")
	if got := awaitStatus(t, e, "FROM config, COPY rebuilt"); got.Baseline.Kind != "opened" {
		t.Errorf("the baseline is %s", got.Baseline.Kind)
	}
}

// A secret that the settings or a recorded build give is in nothing that the server says, logs or stores.
func TestSecretsStaySecret(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	const secret = "hunter2hunter2"
	const text = "ARG NPM_TOKEN\nFROM reg/$NPM_TOKEN AS app\nARG NPM_TOKEN\nRUN npm ci\nCOPY $NPM_TOKEN /\nCOPY a " +
		"$NPM_TOKEN\nFROM alpine\nARG NPM_TOKEN\nRUN x\n"
	write(t, filepath.Join(dir, "Dockerfile"), text)
	write(t, filepath.Join(dir, "a"), "one")
	recordBuild(t, record.NewStore(cache), dir, cachemodel.Settings{Args: map[string]string{"NPM_TOKEN": secret}}, nil)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	var log bytes.Buffer
	logger := zap.New(
		zapcore.NewCore(
			zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
			zapcore.Lock(zapcore.AddSync(&log)),
			zap.DebugLevel,
		),
	)
	said := ""
	history := newBuilder()
	history.built(
		t,
		dir,
		cachemodel.Settings{Args: map[string]string{"NPM_TOKEN": secret, "URL": "https://x/" + secret}, Target: "app"},
	)
	for _, c := range []struct {
		settings map[string]any
		builder  *builder
	}{
		{}, {settings: map[string]any{"buildArgs": map[string]string{"NPM_TOKEN": secret}}},
		{settings: map[string]any{"buildArgs": map[string]string{"NPM_TOKEN": "another" + secret}, "target": "app"}},
		{builder: history},
	} {
		options := server.Options{CacheDir: cache, Log: logger}
		if c.builder != nil {
			options.Builder = func(string) (server.Builder, error) { return c.builder, nil }
		}
		e := lsptest.Start(t, options)
		e.Initialize(nil, map[string]any{"cacheStatus": true, "layerwise": c.settings}, dir)
		e.OpenFile(uri, "dockerfile", text)
		said += string(e.Await("layerwise/cacheStatus", func(p json.RawMessage) bool {
			return strings.Contains(string(p), `"ready"`) &&
				strings.Contains(string(p), "target app, NPM_TOKEN, URL") == (c.builder != nil)
		}))
		ask := func(method string, params any) {
			var answer json.RawMessage
			e.MustCall(method, params, &answer)
			said += string(answer)
		}
		for line := range strings.Count(text, "\n") {
			ask("textDocument/hover", lsptest.Document(uri, "position", map[string]int{"line": line, "character": 2}))
			ask("textDocument/hover", lsptest.Document(uri, "position", map[string]int{"line": line, "character": 9}))
		}
		ask("textDocument/inlayHint", lsptest.Document(uri, "range", lsptest.Range(0, 0, 99, 0)))
		ask("textDocument/codeLens", lsptest.Document(uri))
		ask("layerwise/baselines", lsptest.Document(uri))
		for _, method := range []string{"textDocument/publishDiagnostics", "window/logMessage", "window/showMessage",
			"layerwise/cacheStatus"} {
			for _, p := range e.Received(method) {
				said += string(p)
			}
		}
		if err := command(e, "layerwise.markAsBuilt", uri); err != nil {
			said += err.Error()
		}
	}
	for name, content := range map[string]string{"said": said, "logged": log.String()} {
		if at := strings.Index(content, secret); at >= 0 {
			t.Errorf("%s: ...%s...", name, content[max(0, at-200):at+20])
		}
	}
	if !strings.Contains(said, "npm ci") || log.Len() == 0 {
		t.Error("nothing was said or logged: this tests nothing")
	}
	err := filepath.WalkDir(cache, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), secret) || strings.Contains(path, secret) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A list that is asked for right behind a decision knows of it, though the decision takes longer than the list.
func TestListsKnowEarlierDecisions(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), "FROM scratch\nCOPY . /\n")
	for i := range 200 {
		write(t, filepath.Join(dir, "file"+strconv.Itoa(i)), "text")
	}
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e := startWith(t, server.Options{CacheDir: t.TempDir()}, nil, dir)
	e.OpenFile(uri, "dockerfile", "FROM scratch\nCOPY . /\n")
	list := func() *lsptest.Pending {
		return e.Send("layerwise/baselines", map[string]any{"textDocument": map[string]any{"uri": uri}})
	}
	decide := func(command string, args ...string) *lsptest.Pending {
		return e.Send("workspace/executeCommand", map[string]any{"command": command, "arguments": args})
	}
	type answer struct {
		Current string
		Items   []struct{ Label string }
	}

	marked, listed := decide("layerwise.markAsBuilt", uri), list()
	chosen, again := decide("layerwise.selectBaseline", uri, "opened"), list()
	var first, second answer
	for _, err := range []error{marked.Wait(nil), listed.Wait(&first), chosen.Wait(nil), again.Wait(&second)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(first.Items) < 2 || !strings.HasPrefix(first.Items[1].Label, "Last on record") {
		t.Errorf("behind Mark as Built: %+v", first)
	}
	if second.Current != "opened" {
		t.Errorf("behind the choice of another baseline the list has %q chosen", second.Current)
	}
}
