package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	controlapi "github.com/moby/buildkit/api/services/control"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// fake is a daemon that remembers builds. The real one is asked in cachemodel/conformance.
type fake struct {
	controlapi.UnimplementedControlServer
	builds []*controlapi.BuildHistoryRecord
	blobs  map[string][]byte
	asked  int
}

func (f *fake) ListenBuildHistory(
	_ *controlapi.BuildHistoryRequest,
	s controlapi.Control_ListenBuildHistoryServer,
) error {
	f.asked++
	for _, b := range f.builds {
		if err := s.Send(&controlapi.BuildHistoryEvent{Type: controlapi.BuildHistoryEventType_COMPLETE,
			Record: b}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Status(*controlapi.StatusRequest, controlapi.Control_StatusServer) error { return nil }

// blobs is the fake's content store.
type blobs struct {
	contentapi.UnimplementedContentServer
	fake *fake
}

func (f blobs) Read(r *contentapi.ReadContentRequest, s contentapi.Content_ReadServer) error {
	return s.Send(&contentapi.ReadContentResponse{Data: f.fake.blobs[r.Digest]})
}

// add remembers a build of a text that ended at a time.
func (f *fake) add(ref, text string, ended time.Time, trace string) {
	var p provenance
	p.RunDetails.Metadata.BuildKit.Source.Infos = append(p.RunDetails.Metadata.BuildKit.Source.Infos, struct {
		Filename string
		Data     []byte
	}{"Dockerfile", []byte(text)})
	data, _ := json.Marshal(p)
	if f.blobs == nil {
		f.blobs = map[string][]byte{}
	}
	f.blobs["p"+ref] = data
	r := &controlapi.BuildHistoryRecord{
		Ref: ref, CreatedAt: timestamppb.New(ended.Add(-time.Second)), CompletedAt: timestamppb.New(ended),
		FrontendAttrs: map[string]string{"build-arg:REF": ref},
		Result: &controlapi.BuildResultInfo{Attestations: []*controlapi.Descriptor{{
			Digest: "p" + ref, Annotations: map[string]string{"in-toto.io/predicate-type": provenanceType}}}},
	}
	if trace != "" {
		f.blobs["t"+ref] = []byte(trace)
		r.Trace = &controlapi.Descriptor{Digest: "t" + ref}
	}
	f.builds = append(f.builds, r)
}

func (f *fake) serve(t *testing.T) *grpc.Server {
	s := grpc.NewServer()
	controlapi.RegisterControlServer(s, f)
	contentapi.RegisterContentServer(s, blobs{fake: f})
	t.Cleanup(s.Stop)
	return s
}

func (f *fake) daemon(t *testing.T, home string) *Daemon {
	socket := filepath.Join(t.TempDir(), "bk.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip("no sockets here: ", err)
	}
	go f.serve(t).Serve(l)
	return New(
		Endpoint{Address: "unix://" + filepath.ToSlash(socket), From: "the test"},
		Places{Getenv: func(string) string { return "" }, Home: home},
	)
}

// A daemon that accepts a question and never answers is late; one that is not there cannot be asked.
func TestSilence(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "bk.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip("no sockets here: ", err)
	}
	defer l.Close()
	for _, test := range []struct {
		address string
		late    bool
	}{
		{"unix://" + filepath.ToSlash(socket), true},
		{"unix://" + filepath.ToSlash(filepath.Join(dir, "none.sock")), false},
	} {
		d := New(
			Endpoint{Address: test.address, From: "the test"},
			Places{Getenv: func(string) string { return "" }, Home: dir},
		)
		d.limit = time.Second
		for range 2 { // the second time it is not tried
			answer, err := d.Ask(t.Context(), Query{Dockerfile: filepath.Join(dir, "Dockerfile"), ContextDir: dir})
			if err == nil || answer.Silent == "" || answer.Unknown != test.late {
				t.Errorf("%s: %v, %+v", test.address, err, answer)
			}
		}
	}
}

// Which build of the history is taken for the Dockerfile's last one.
func TestWhoseBuild(t *testing.T) {
	const now = "FROM a\nRUN b\nRUN c\nRUN d\n"
	dir, home := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "Dockerfile")
	command := func(words ...string) string {
		list, _ := json.Marshal(words)
		return `{"Attributes":[]}{"Attributes":[{"Key":"command","Value":{"Type":"STRINGSLICE","Value":` + string(
			list,
		) + `}}]}`
	}
	buildctl := func(path string) string {
		return command("buildctl", "build", "--local", "context="+path, "--local=dockerfile="+path)
	}
	// buildx: the folder that it noted; without a Dockerfile after "default "
	type past struct{ ref, text, trace, buildx string }
	tests := []struct {
		about   string
		past    []past // the last first
		edited  bool   // the file, since then
		want    string // ref, "" for none
		assumed bool
	}{
		{about: "no build", want: ""},
		{about: "buildx noted that it was this file", past: []past{{"r", "FROM x", "", dir}}, want: "r"},
		{
			about: "or one that was not named in this folder",
			past:  []past{{"r", "FROM x", "", "default " + dir}},
			want:  "r",
		},
		{about: "or another one, of the very same text", past: []past{{"r", now, "", dir + "-other"}}, want: ""},
		{about: "buildctl was given this folder", past: []past{{"r", "FROM x", buildctl(dir), ""}}, want: "r"},
		{about: "or another one", past: []past{{"r", now, buildctl(dir + "-other"), ""}}, want: ""},
		{about: "or one that may be this", past: []past{{"r", now, buildctl("."), ""}}, want: "r", assumed: true},
		{about: "or one that has another name", past: []past{{"r", now, buildctl("./other"), ""}}, want: ""},
		{
			about: "what is known goes before what is newer",
			past:  []past{{"new", now, buildctl("."), ""}, {"old", now, buildctl(dir), ""}},
			want:  "old",
		},
		{
			about: "the last of several",
			past:  []past{{"new", now, buildctl(dir), ""}, {"old", now, buildctl(dir), ""}},
			want:  "new",
		},
		{
			about: "a text that is not edited is another file's if it differs",
			past:  []past{{"r", now + "RUN e\n", command("make"), ""}},
			want:  "",
		},
		{
			about:   "one that is edited may have been like this",
			past:    []past{{"r", now + "RUN e\n", command("make"), ""}},
			edited:  true,
			want:    "r",
			assumed: true,
		},
		{
			about: "the one that is most like it",
			past: []past{
				{"other", now + "RUN e\nRUN f\n", command("make"), ""},
				{"own", now + "RUN e\n", command("make"), ""},
			},
			edited:  true,
			want:    "own",
			assumed: true,
		},
		{
			about:  "but not if it is unlike",
			past:   []past{{"r", "FROM z\nRUN b\n", command("make"), ""}},
			edited: true,
			want:   "",
		},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
			f := &fake{}
			for i, p := range test.past {
				ended := time.Now().Add(time.Duration(10-i) * time.Second)
				if test.edited {
					ended = ended.Add(-time.Minute)
				}
				f.add(p.ref, p.text, ended, p.trace)
				refs := filepath.Join(home, ".docker/buildx/refs/b/n")
				if err := os.MkdirAll(refs, 0o755); err != nil {
					t.Fatal(err)
				}
				os.Remove(filepath.Join(refs, p.ref))
				if p.buildx != "" {
					note := map[string]string{
						"LocalPath":      p.buildx,
						"DockerfilePath": filepath.Join(p.buildx, "Dockerfile"),
					}
					if unnamed, ok := strings.CutPrefix(p.buildx, "default "); ok {
						note = map[string]string{"LocalPath": unnamed, "DockerfilePath": ""}
					}
					state, _ := json.Marshal(note)
					if err := os.WriteFile(filepath.Join(refs, p.ref), state, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			d := f.daemon(t, home)
			answer, err := d.Ask(context.Background(), Query{Dockerfile: file, ContextDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if len(answer.Builds) == 0 {
				if test.want != "" {
					t.Fatal("none was found")
				}
				return
			}
			got := answer.Builds[0].Record
			if ref := got.Settings.Args["REF"]; ref != test.want || (len(got.Notes) > 0) != test.assumed {
				t.Errorf("found %q, notes %q", ref, got.Notes)
			}
		})
	}
}

// A daemon that is not there is asked once, and then left alone for a while.
func TestDead(t *testing.T) {
	d := New(
		Endpoint{Address: "unix://" + filepath.ToSlash(t.TempDir()) + "/none.sock", From: "the test"},
		Places{Getenv: func(string) string { return "" }},
	)
	_, first := d.Ask(context.Background(), Query{})
	if !errors.Is(first, ErrUnreachable) || !strings.Contains(first.Error(), "the test") {
		t.Fatalf("error %v", first)
	}
	if _, again := d.Ask(context.Background(), Query{}); again != first {
		t.Errorf("it was asked again: %v", again)
	}
	d.until = time.Time{}
	d.Ask(context.Background(), Query{})
	if d.pause != 2*firstPause {
		t.Errorf("pause %v", d.pause)
	}
}

// A builder of before 2023 is named as what it is, and is still known by its address.
func TestTooOld(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bk.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip("no sockets here: ", err)
	}
	s := grpc.NewServer()
	controlapi.RegisterControlServer(s, controlapi.UnimplementedControlServer{})
	t.Cleanup(s.Stop)
	go s.Serve(l)
	address := "unix://" + filepath.ToSlash(socket)
	d := New(Endpoint{Address: address}, Places{Getenv: func(string) string { return "" }})
	answer, err := d.Ask(context.Background(), Query{})
	if !errors.Is(err, ErrTooOld) || !strings.Contains(err.Error(), "Docker 23.0") ||
		answer.Builder.Address != address {
		t.Errorf("%+v, %v", answer, err)
	}
}

// A Docker engine hands its BuildKit over. This is a stand-in: no real engine was asked.
func TestEngine(t *testing.T) {
	f := &fake{}
	f.add("r", "FROM a", time.Now(), "")
	conns := make(chan net.Conn, 1)
	go f.serve(t).Serve(channel(conns))
	refused := false
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused || r.URL.Path != "/grpc" || r.Header.Get("Upgrade") != "h2c" {
			http.NotFound(w, r)
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(c, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		conns <- c
	}))
	defer engine.Close()
	address := strings.Replace(engine.URL, "http", "tcp", 1)
	d := New(Endpoint{Address: address, Engine: true}, Places{Getenv: func(string) string { return "" }})
	err := d.ask(context.Background(), func(ctx context.Context, c *conn) error {
		builds, err := c.history(ctx)
		if err == nil && (len(builds) != 1 || builds[0].Ref != "r") {
			t.Errorf("%v", builds)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	refused = true
	d = New(Endpoint{Address: address, Engine: true}, Places{Getenv: func(string) string { return "" }})
	if _, err := d.Ask(context.Background(), Query{}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v", err)
	}
}

// channel is a listener of connections that come from elsewhere.
type channel chan net.Conn

func (c channel) Accept() (net.Conn, error) {
	conn, ok := <-c
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (c channel) Close() error   { close(c); return nil }
func (c channel) Addr() net.Addr { return &net.UnixAddr{} }
