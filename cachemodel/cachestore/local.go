package cachestore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/remotecache"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// local is a folder that type=local wrote: an OCI image layout.
type local struct{ dir string }

// readLocal reads the cache that a folder has under a digest or a tag, as BuildKit's client finds it
// (client/solve.go, parseCacheOptions).
func readLocal(ctx context.Context, attr map[string]string) (*remotecache.Config, error) {
	dir := attr["src"]
	if dir == "" {
		return nil, errors.New("a cache of type=local needs src=DIRECTORY")
	}
	from := local{dir}
	digest := remotecache.Digest(attr["digest"])
	if digest == "" {
		text, err := textfile.Read(filepath.Join(dir, "index.json"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", ErrNone, err)
		}
		if err != nil {
			return nil, err
		}
		var index struct {
			Manifests []struct {
				descriptor
				Annotations map[string]string `json:"annotations"`
			} `json:"manifests"`
		}
		if err := json.Unmarshal(text, &index); err != nil {
			return nil, fmt.Errorf("%w: index.json cannot be read: %w", ErrNone, err)
		}
		tag := cmp.Or(attr["tag"], "latest")
		for _, m := range index.Manifests {
			if m.Annotations["org.opencontainers.image.ref.name"] == tag {
				digest = m.Digest
			}
		}
		if digest == "" {
			return nil, fmt.Errorf("%w: index.json has no tag %q", ErrNone, tag)
		}
	}
	text, err := from.blob(ctx, digest)
	if err != nil {
		return nil, err
	}
	if len(text) > remotecache.MaxConfig {
		return nil, refused(fmt.Errorf("its manifest has %d bytes, more than %d", len(text), remotecache.MaxConfig))
	}
	return read(ctx, from, text)
}

func (l local) path(d remotecache.Digest) (string, error) {
	if !valid(d) {
		return "", fmt.Errorf("%q is not a digest", d)
	}
	return filepath.Join(l.dir, "blobs", "sha256", strings.TrimPrefix(string(d), "sha256:")), nil
}

func (l local) manifest(ctx context.Context, d remotecache.Digest) ([]byte, error) {
	return l.blob(ctx, d)
}

func (l local) blob(_ context.Context, d remotecache.Digest) ([]byte, error) {
	path, err := l.path(d)
	if err != nil {
		return nil, refused(err)
	}
	text, err := textfile.ReadUpTo(path, maxBlob)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	if err != nil {
		return nil, err
	}
	if remotecache.Sum(text) != d {
		return nil, refused(fmt.Errorf("%s has other contents than its name says", path))
	}
	return text, nil
}

func (l local) has(d remotecache.Digest) bool {
	path, err := l.path(d)
	if err != nil {
		return false
	}
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}
