// Package cachestore reads caches that BuildKit exported (--cache-to), from a folder or a registry, and asks registries
// what base images are.
//
//	found, err := cachestore.Read(ctx, cachestore.Source{Type: "local", Attr: map[string]string{"src": dir}})
//
// A cache is read as BuildKit's importer does (cache/remotecache/import.go). Registries are asked with the credentials
// of the Docker configuration, and only by who calls Read or Images.Find; what they answer is bounded. The package must
// not know what a cache is compared with.
package cachestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/layerwise/layerwise/cachemodel/remotecache"
)

// Source is where a cache is, as --cache-from names it.
type Source struct {
	Type string            // "local", "registry" or "inline"
	Attr map[string]string // "src", "ref", ...
}

// Errors that say that a build goes on without the cache: BuildKit warns and imports nothing.
var (
	ErrNone    = errors.New("there is no such cache")
	ErrRefused = errors.New("BuildKit does not import it")
)

// Bounds on what is read, in bytes and in numbers.
const (
	maxBlob      = 8 << 20 // BuildKit reads any size of an image's configuration
	maxManifests = 100     // of an image with an inline cache
)

// The media types that are told apart.
const (
	cacheConfig = "application/vnd.buildkit.cacheconfig.v0"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	dockerList  = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// store is what keeps a cache.
type store interface {
	// manifest and blob give what has a digest.
	manifest(ctx context.Context, d remotecache.Digest) ([]byte, error)
	blob(ctx context.Context, d remotecache.Digest) ([]byte, error)
	// has reports whether a layer of the manifest is there.
	has(d remotecache.Digest) bool
}

// Read reads a cache. The error wraps ErrNone or ErrRefused where a build goes on without it; any other says that it is
// not known what is there.
func Read(ctx context.Context, s Source) (*remotecache.Config, error) {
	switch s.Type {
	case "local":
		return readLocal(ctx, s.Attr)
	case "registry", "inline":
		return readRegistry(ctx, s.Attr["ref"])
	}
	return nil, fmt.Errorf("a cache of type %q cannot be read: use local, registry or inline", s.Type)
}

type descriptor struct {
	MediaType string             `json:"mediaType"`
	Digest    remotecache.Digest `json:"digest"`
	Size      int64              `json:"size"`
}

type manifest struct {
	MediaType string       `json:"mediaType"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
	Manifests []descriptor `json:"manifests"`
}

func parseManifest(text []byte) (m manifest, index bool, err error) {
	if err := json.Unmarshal(text, &m); err != nil {
		return m, false, refused(fmt.Errorf("its manifest cannot be read: %w", err))
	}
	return m, m.MediaType == ociIndex || m.MediaType == dockerList || m.MediaType == "" && len(m.Manifests) > 0, nil
}

// read reads the cache that a manifest or index leads to.
func read(ctx context.Context, from store, text []byte) (*remotecache.Config, error) {
	m, index, err := parseManifest(text)
	if err != nil {
		return nil, err
	}
	config, layers := m.Config, m.Layers
	if index {
		config, layers = descriptor{}, nil
		for _, d := range m.Manifests {
			if d.MediaType == cacheConfig {
				config = d
			} else {
				layers = append(layers, d)
			}
		}
	}
	if config.MediaType != cacheConfig || config.Digest == "" {
		r := inlineReader{from: from, seen: map[remotecache.Digest]bool{}}
		err := r.read(ctx, text)
		if err == nil && len(r.found) == 0 {
			err = fmt.Errorf("%w: it is an image without an inline cache", ErrNone)
		}
		return remotecache.Join(r.found), err
	}
	if config.Size > remotecache.MaxConfig {
		const text = "its configuration has %d bytes, more than %d"
		return nil, refused(fmt.Errorf(text, config.Size, remotecache.MaxConfig))
	}
	there := map[remotecache.Digest]bool{}
	for _, d := range layers {
		there[d.Digest] = from.has(d.Digest)
	}
	records, err := from.blob(ctx, config.Digest)
	if err != nil {
		return nil, err
	}
	c, err := remotecache.Parse(records, func(blob remotecache.Digest) bool { return there[blob] })
	if err != nil {
		return nil, refused(err)
	}
	return c, nil
}

func refused(err error) error { return fmt.Errorf("%w: %w", ErrRefused, err) }

// inlineReader reads the caches that images have in their configuration.
type inlineReader struct {
	from  store
	seen  map[remotecache.Digest]bool
	found []*remotecache.Config
}

func (r *inlineReader) read(ctx context.Context, text []byte) error {
	m, index, err := parseManifest(text)
	if err != nil {
		return err
	}
	if !index {
		return r.image(ctx, m)
	}
	for _, d := range m.Manifests {
		if r.seen[d.Digest] {
			continue
		}
		if r.seen[d.Digest] = true; len(r.seen) > maxManifests {
			return refused(fmt.Errorf("it has more than %d manifests", maxManifests))
		}
		child, err := r.from.manifest(ctx, d.Digest)
		if err == nil {
			err = r.read(ctx, child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// image reads the cache of one image, if it has one.
func (r *inlineReader) image(ctx context.Context, m manifest) error {
	if m.Config.Digest == "" || len(m.Layers) == 0 {
		return nil
	}
	text, err := r.from.blob(ctx, m.Config.Digest)
	if err != nil {
		return err
	}
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
		Cache []byte `json:"moby.buildkit.cache.v0"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return refused(fmt.Errorf("the configuration of the image cannot be read: %w", err))
	}
	if config.Cache == nil || len(config.RootFS.DiffIDs) != len(m.Layers) {
		return nil
	}
	layers := make([]remotecache.Digest, len(m.Layers))
	for i, layer := range m.Layers {
		layers[i] = layer.Digest
	}
	c, err := remotecache.ParseInline(config.Cache, layers)
	if err != nil {
		return refused(err)
	}
	r.found = append(r.found, c)
	return nil
}

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// valid reports whether a digest is one, so that it may be part of a path.
func valid(d remotecache.Digest) bool { return digestPattern.MatchString(string(d)) }
