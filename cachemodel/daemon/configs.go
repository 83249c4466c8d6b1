package daemon

import (
	"context"
	"encoding/json"

	"github.com/containerd/platforms"
	"github.com/layerwise/layerwise/cachemodel"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// configs are the configurations of base images that the daemon still has, by the image's digest.
type configs map[string]cachemodel.Image

// read adds those of the images that a build read. Of one that it read for several platforms nothing is told.
func (k configs) read(ctx context.Context, c *conn, b *build) {
	if b.provenance == nil {
		return
	}
	read := map[string]string{} // for which platform
	for _, o := range b.BuildDefinition.InternalParameters.BuildConfig.Definition {
		s, _ := o.source()
		_, digest, ok := s.image()
		if !ok {
			continue
		}
		platform := string(o.Op.Platform)
		if other, again := read[digest]; again && other != platform {
			k[digest] = cachemodel.Image{Digest: digest, DigestOnly: true}
		}
		read[digest] = platform
		if _, known := k[digest]; known {
			continue
		}
		k[digest] = cachemodel.Image{Digest: digest, DigestOnly: true}
		var p ocispecs.Platform
		if json.Unmarshal(o.Op.Platform, &p) != nil || p.OS == "" {
			continue
		}
		if image, ok := c.config(ctx, digest, platforms.Normalize(p)); ok {
			image.Digest = digest
			k[digest] = image
		}
	}
}

// of is what is known of an image by its digest.
func (k configs) of(digest string) cachemodel.Image {
	if image, ok := k[digest]; ok {
		return image
	}
	return cachemodel.Image{Digest: digest, DigestOnly: true}
}

// config reads an image's configuration; ok is false if the daemon no longer has it.
func (c *conn) config(ctx context.Context, digest string, p ocispecs.Platform) (image cachemodel.Image, ok bool) {
	var manifest struct {
		Manifests []ocispecs.Descriptor // of an index
		Config    ocispecs.Descriptor
	}
	if !c.document(ctx, digest, &manifest) {
		return image, false
	}
	for _, m := range manifest.Manifests {
		if m.Platform != nil && platforms.FormatAll(platforms.Normalize(*m.Platform)) == platforms.FormatAll(p) {
			if !c.document(ctx, m.Digest.String(), &manifest) {
				return image, false
			}
			break
		}
	}
	if manifest.Config.Digest == "" {
		return image, false
	}
	var of struct{ Config config }
	if !c.document(ctx, manifest.Config.Digest.String(), &of) {
		return image, false
	}
	return of.Config.image(), true
}

// config is what an image sets, as its configuration and an engine's API have it.
type config struct {
	Env              []string
	WorkingDir, User string
	Shell, OnBuild   []string
}

func (c *config) image() cachemodel.Image {
	return cachemodel.Image{Env: c.Env, WorkingDir: c.WorkingDir, User: c.User, Shell: c.Shell, OnBuild: c.OnBuild}
}

// document reads JSON from the daemon's content store.
func (c *conn) document(ctx context.Context, digest string, into any) bool {
	data, err := c.blob(ctx, digest)
	return err == nil && json.Unmarshal(data, into) == nil
}
