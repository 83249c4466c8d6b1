package daemon

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	sourcetext "github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	controlapi "github.com/moby/buildkit/api/services/control"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/proto"
)

// maxBundle bounds what a bundle is unpacked to.
const maxBundle = 256 << 20

// recordType is the type of a build in a bundle (buildx/util/desktop/bundle).
const recordType = "application/vnd.buildkit.historyrecord.v0"

// ReadBundle reads the builds of a file that docker buildx history export wrote, FILE.dockerbuild: builds of another
// machine mostly, such as those that docker/build-push-action keeps. Of their files nothing is known.
func ReadBundle(ctx context.Context, file string) ([]*baseline.Contents, error) {
	blobs, err := unpackBundle(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c := &conn{
		blob: func(_ context.Context, digest string) ([]byte, error) {
			if data, ok := blobs[digest]; ok {
				return data, nil
			}
			return nil, fmt.Errorf("%w: %s", ErrNotFound, digest)
		},
	}
	c.status = func(ctx context.Context, r *controlapi.BuildHistoryRecord) (
		func() (*controlapi.StatusResponse, error), error,
	) {
		log, err := c.blob(ctx, r.GetLogs().GetDigest())
		return func() (*controlapi.StatusResponse, error) { return nextStatus(&log) }, err
	}
	var builds []*build
	var queries []Query
	for _, digest := range bundled(ctx, c, blobs["index.json"]) {
		var r struct {
			controlapi.BuildHistoryRecord
			LocalState struct{ LocalPath, DockerfilePath string }
		}
		if !c.document(ctx, digest, &r) || r.CreatedAt == nil || r.CompletedAt == nil {
			continue
		}
		if b, name := c.read(ctx, &r.BuildHistoryRecord, ""); b != nil {
			builds = append(builds, b)
			queries = append(queries, Query{
				Dockerfile: cmp.Or(r.LocalState.DockerfilePath, name), ContextDir: r.LocalState.LocalPath,
			})
		}
	}
	if len(builds) == 0 {
		return nil, fmt.Errorf("%s holds no build of a Dockerfile", file)
	}
	all, known := c.runs(ctx, builds), configs{}
	var out []*baseline.Contents
	for i, b := range builds {
		known.read(ctx, c, b)
		b.configs = known
		r := b.record(queries[i], file)
		r.Costs, r.Hits = b.spent(all, nil), b.taken(all.in[b])
		r.Context = buildcontext.Unknown()
		out = append(out, &baseline.Contents{
			File: dockerfile.Parse(sourcetext.New(b.text), nil), Context: r.Context, Record: r, FailedAt: b.failedAt,
			Checkout: b.checkout(),
		})
	}
	return out, nil
}

// unpackBundle reads the files of a packed OCI layout: the blobs by digest, and index.json.
func unpackBundle(file string) (map[string][]byte, error) {
	f, err := textfile.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.New("no file of docker buildx history export")
	}
	blobs := map[string][]byte{}
	for archive := tar.NewReader(io.LimitReader(unzipped, maxBundle)); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return blobs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot be unpacked: %w", err)
		}
		sum, isBlob := strings.CutPrefix(path.Clean(h.Name), "blobs/sha256/")
		if h.Typeflag != tar.TypeReg || h.Size > maxBlob || !isBlob && h.Name != "index.json" {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("cannot be unpacked: %w", err)
		}
		if !isBlob {
			blobs[h.Name] = data
		} else if got := sha256.Sum256(data); hex.EncodeToString(got[:]) == sum {
			blobs["sha256:"+sum] = data
		}
	}
}

// bundled are the digests of the builds in a bundle.
func bundled(ctx context.Context, c *conn, index []byte) (records []string) {
	var top ocispecs.Index
	if json.Unmarshal(index, &top) != nil {
		return nil
	}
	list := top.Manifests
	for i := 0; i < len(list) && i < maxLook; i++ {
		var m struct {
			Manifests []ocispecs.Descriptor
			Config    ocispecs.Descriptor
		}
		if !c.document(ctx, list[i].Digest.String(), &m) {
			continue
		}
		if list = append(list, m.Manifests...); m.Config.MediaType == recordType {
			records = append(records, m.Config.Digest.String())
		}
	}
	return records
}

// nextStatus takes the next part off a build's log (BuildKit, solver/llbsolver/history).
func nextStatus(log *[]byte) (*controlapi.StatusResponse, error) {
	if len(*log) == 0 {
		return nil, io.EOF
	}
	if len(*log) < 4 {
		return nil, io.ErrUnexpectedEOF
	}
	size, rest := uint64(binary.LittleEndian.Uint32(*log)), (*log)[4:]
	if size > uint64(len(rest)) {
		return nil, io.ErrUnexpectedEOF
	}
	part := new(controlapi.StatusResponse)
	err := proto.Unmarshal(rest[:size], part)
	*log = rest[size:]
	return part, err
}
