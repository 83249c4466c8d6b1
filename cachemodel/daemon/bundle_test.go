package daemon

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/proto"
)

// bundle packs an OCI layout of files that refer to each other by digest.
type bundle struct{ files map[string][]byte }

func (b *bundle) put(data []byte) string {
	sum := sha256.Sum256(data)
	id := hex.EncodeToString(sum[:])
	b.files["blobs/sha256/"+id] = data
	return "sha256:" + id
}

func (b *bundle) pack(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for name, data := range b.files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// newBundle holds one build as buildx writes it; what it exports of real builds is read in cachemodel/conformance.
func newBundle(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{files: map[string][]byte{}}
	f := &fake{}
	f.add("ref", "FROM scratch\nCOPY a /\n", time.Unix(1000, 0), "")
	r := f.builds[0]
	r.Result.Attestations[0].Digest = b.put(f.blobs["pref"])
	part, err := proto.Marshal(&controlapi.StatusResponse{})
	if err != nil {
		t.Fatal(err)
	}
	r.Logs = &controlapi.Descriptor{Digest: b.put(append(binary.LittleEndian.AppendUint32(nil, uint32(len(part))), part...))}
	record, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	manifest := `{"config":{"mediaType":"` + recordType + `","digest":"` + b.put(record) + `"}}`
	b.files["index.json"] = []byte(`{"manifests":[{"digest":"` + b.put([]byte(manifest)) + `"}]}`)
	return b
}

func TestReadBundle(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.dockerbuild")
	read := func(data []byte) (string, error) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		builds, err := ReadBundle(context.Background(), file)
		if err != nil {
			return "", err
		}
		return builds[0].Record.Text, nil
	}
	good := newBundle(t).pack(t)
	if text, err := read(good); text != "FROM scratch\nCOPY a /\n" {
		t.Errorf("%q %v", text, err)
	}
	for prose, c := range map[string]struct {
		data []byte
		want string
	}{
		"no archive":           {[]byte("FROM scratch"), "no file of docker buildx history export"},
		"cut off":              {good[:len(good)/2], "cannot be unpacked"},
		"an archive of others": {(&bundle{map[string][]byte{"a": nil}}).pack(t), "holds no build of a Dockerfile"},
		"an index of itself": {(&bundle{map[string][]byte{
			"index.json": []byte(`{"manifests":[{"digest":"index.json"}]}`)}}).pack(t), "holds no build of a Dockerfile"},
	} {
		if text, err := read(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q %v", prose, text, err)
		}
	}
	for name := range newBundle(t).files { // that are damaged, each by itself, say nothing, or all that there is
		damaged := newBundle(t)
		damaged.files[name] = append(damaged.files[name], " 0"...)
		if text, err := read(damaged.pack(t)); err == nil && text != "FROM scratch\nCOPY a /\n" {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// A log that ends early, or says that more follows than does, ends there.
func TestNextStatus(t *testing.T) {
	for _, log := range [][]byte{{1}, {9, 0, 0, 0, 1}, {255, 255, 255, 255}, {2, 0, 0, 0, 255, 255}} {
		if part, err := nextStatus(&log); err == nil {
			t.Errorf("%v: %v", log, part)
		}
	}
}
