package cachestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
)

// patience is how long one cache, or one image, is waited for.
const patience = 30 * time.Second

// bounded is a transport whose answers end after maxBlob bytes: they then do not have the digest that was asked for.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxBlob), resp.Body}
	}
	return resp, err
}

func options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithTransport(bounded{remote.DefaultTransport}),
	}
}

// repository is one that type=registry wrote to, or that an image was pushed to.
type repository struct {
	name    name.Repository
	options []remote.Option
}

func readRegistry(ctx context.Context, ref string) (*remotecache.Config, error) {
	if ref == "" {
		return nil, errors.New("a cache of type=registry needs ref=IMAGE")
	}
	reference, err := name.ParseReference(ref)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from := repository{reference.Context(), options(ctx)}
	found, err := remote.Get(reference, from.options...)
	if err != nil {
		return nil, absent(err)
	}
	if found.Size > remotecache.MaxConfig {
		return nil, refused(fmt.Errorf("its manifest has %d bytes, more than %d", found.Size, remotecache.MaxConfig))
	}
	return read(ctx, from, found.Manifest)
}

// absent says so where a registry answers that it does not have something.
func absent(err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	return err
}

func (r repository) manifest(_ context.Context, d remotecache.Digest) ([]byte, error) {
	found, err := remote.Get(r.name.Digest(string(d)), r.options...)
	if err != nil {
		return nil, absent(err)
	}
	return found.Manifest, nil
}

func (r repository) blob(_ context.Context, d remotecache.Digest) ([]byte, error) {
	layer, err := remote.Layer(r.name.Digest(string(d)), r.options...)
	if err != nil {
		return nil, absent(err)
	}
	body, err := layer.Compressed() // as it is; it is checked against the digest
	if err != nil {
		return nil, absent(err)
	}
	defer body.Close()
	return io.ReadAll(body)
}

// has takes a layer to be there that a manifest names: a registry refuses a manifest of which it lacks one.
func (r repository) has(d remotecache.Digest) bool { return valid(d) }

// Images asks registries what images are, and remembers the answers. It may be used by several goroutines.
type Images struct {
	mu    sync.Mutex
	known map[[2]string]answer
}

type answer struct {
	image cachemodel.Image
	err   error
}

// Find asks what an image, by its reference, is for a platform such as "linux/amd64".
func (i *Images) Find(ctx context.Context, reference, platform string) (cachemodel.Image, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	key := [2]string{reference, platform}
	a, ok := i.known[key]
	if !ok {
		a.image, a.err = look(ctx, reference, platform)
		if i.known == nil {
			i.known = map[[2]string]answer{}
		}
		if ctx.Err() == nil {
			i.known[key] = a
		}
	}
	return a.image, a.err
}

func look(ctx context.Context, reference, platform string) (cachemodel.Image, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return cachemodel.Image{}, err
	}
	want, err := v1.ParsePlatform(platform)
	if err != nil {
		return cachemodel.Image{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := remote.Get(ref, append(options(ctx), remote.WithPlatform(*want))...)
	if err != nil {
		return cachemodel.Image{}, err
	}
	out := cachemodel.Image{Digest: found.Digest.String(), DigestOnly: true}
	image, err := found.Image() // for the platform
	if err != nil {
		return out, nil
	}
	config, err := image.ConfigFile()
	if err != nil {
		return cachemodel.Image{}, err
	}
	c := config.Config
	out.DigestOnly = false
	out.Env, out.WorkingDir, out.User, out.Shell, out.OnBuild = c.Env, c.WorkingDir, c.User, c.Shell, c.OnBuild
	return out, nil
}
