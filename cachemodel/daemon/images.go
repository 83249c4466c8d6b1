package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/cachemodel"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// EngineOf gives the Docker engine that has the user's images: the one whose builder is asked with this setting, else
// the one that the Docker client uses; nil if there is none.
func EngineOf(setting string, p Places) (*Daemon, error) {
	e, err := Find(setting, p)
	if err != nil || e == nil {
		return nil, err
	}
	if !e.Engine && e.Container == "" {
		h := p.engine()
		if !p.inUse(h) {
			return nil, nil
		}
		if e, err = h.endpoint("the Docker engine"); err != nil {
			return nil, err
		}
	}
	e.Engine, e.Container, e.Other = true, "", nil
	return New(*e, p), nil
}

const (
	maxImages    = 1000             // that are looked at for layers that they share
	forAllImages = 30 * time.Second // of the user's patience
)

// stored is an image as an engine's API describes it.
type stored struct {
	ID                        string `json:"Id"`
	RepoTags                  []string
	RootFS                    struct{ Layers []string }
	Descriptor                struct{ Digest string } // of engines that keep images as containerd does
	Os, Architecture, Variant string
	Config                    config
}

// BaseImage is the image that a Docker engine would take for a build upon a reference, if it has it: it asks no
// registry then. The digest is left out where engines keep images otherwise than builds tell.
func (d *Daemon) BaseImage(ctx context.Context, ref, platform string) (cachemodel.Image, error) {
	if _, err := reference.ParseNormalizedNamed(ref); err != nil || !d.endpoint.Engine {
		return cachemodel.Image{}, fmt.Errorf("%w: %s", ErrNotFound, ref)
	}
	if err := d.paused(); err != nil {
		return cachemodel.Image{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	engine := d.client()
	defer engine.CloseIdleConnections()
	var image stored
	if err := get(ctx, engine, "/images/"+ref+"/json", &image); err != nil {
		return cachemodel.Image{}, err
	}
	p := platforms.Normalize(ocispecs.Platform{OS: image.Os, Architecture: image.Architecture, Variant: image.Variant})
	if wanted, err := platforms.Parse(platform); err != nil || platforms.FormatAll(p) != platforms.FormatAll(wanted) {
		return cachemodel.Image{}, fmt.Errorf("%w: %s for %s", ErrNotFound, ref, platform)
	}
	out := image.Config.image()
	out.Digest = image.Descriptor.Digest
	return out, nil
}

// Image finds the first of some images, by name or digest, that a Docker engine has. The error wraps ErrNotFound where
// it has none of them.
func (d *Daemon) Image(ctx context.Context, names []string) (*cachemodel.StoredImage, error) {
	ctx, cancel := context.WithTimeout(ctx, forAllImages)
	defer cancel()
	engine := d.client()
	defer engine.CloseIdleConnections()
	for _, name := range names {
		if _, err := reference.ParseAnyReference(name); err != nil {
			return nil, fmt.Errorf("%q is not the name of an image", name)
		}
		var image stored
		err := get(ctx, engine, "/images/"+name+"/json", &image)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		var history []struct {
			CreatedBy string
			Size      int64
		}
		if err == nil {
			err = get(ctx, engine, "/images/"+name+"/history", &history)
		}
		var shared map[string][]string
		if err == nil {
			shared, err = otherImages(ctx, engine, image.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrUnreachable, d, err)
		}
		out := &cachemodel.StoredImage{ID: image.ID, Tags: image.RepoTags}
		for _, h := range slices.Backward(history) {
			out.History = append(out.History, cachemodel.HistoryEntry{CreatedBy: h.CreatedBy, Bytes: h.Size})
		}
		share(out.History, image.RootFS.Layers, shared)
		return out, nil
	}
	return nil, fmt.Errorf("%w: %s has no image %s", ErrNotFound, d, strings.Join(names, " or "))
}

// otherImages are the images of an engine that have a chain of layers, by that chain, without one image.
func otherImages(ctx context.Context, engine *http.Client, but string) (map[string][]string, error) {
	var all []stored
	if err := get(ctx, engine, "/images/json", &all); err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, image := range all[:min(maxImages, len(all))] {
		if image.ID == but {
			continue
		}
		err := get(ctx, engine, "/images/"+image.ID+"/json", &image)
		if errors.Is(err, ErrNotFound) { // it was removed meanwhile, or holds nothing for this platform
			continue
		}
		if err != nil {
			return nil, err
		}
		for n := range image.RootFS.Layers {
			key := chainKey(image.RootFS.Layers[:n+1])
			out[key] = append(out[key], nameOf(image))
		}
	}
	return out, nil
}

func chainKey(layers []string) string { return strings.Join(layers, " ") }

// nameOf is an image's first name, else its digest as docker shortens it.
func nameOf(image stored) string {
	for _, tag := range image.RepoTags {
		if tag != "<none>:<none>" {
			return tag
		}
	}
	id := strings.TrimPrefix(image.ID, "sha256:")
	return id[:min(12, len(id))]
}

// share says of each entry of a history which other images have its layer. The API does not tell which entries have
// one: where the numbers do not agree nothing is said.
func share(history []cachemodel.HistoryEntry, layers []string, others map[string][]string) {
	var with []int
	for i, h := range history {
		if h.Bytes > 0 || !noLayer[word(h.CreatedBy)] {
			with = append(with, i)
		}
	}
	if len(with) != len(layers) { // the folder of a WORKDIR may have been there
		with = slices.DeleteFunc(with, func(i int) bool {
			return history[i].Bytes == 0 && word(history[i].CreatedBy) == "WORKDIR"
		})
	}
	if len(with) != len(layers) {
		return
	}
	for n, i := range with {
		history[i].SharedWith = append([]string{}, others[chainKey(layers[:n+1])]...)
	}
}

// word is the first of what an entry was created by: "RUN", "ENV".
func word(createdBy string) string {
	if _, nop, ok := strings.Cut(createdBy, "#(nop)"); ok {
		createdBy = nop
	}
	first, _, _ := strings.Cut(strings.TrimSpace(createdBy), " ")
	return first
}

// noLayer are the instructions that make no layer.
var noLayer = map[string]bool{
	"ARG": true, "CMD": true, "ENTRYPOINT": true, "ENV": true, "EXPOSE": true, "HEALTHCHECK": true, "LABEL": true,
	"MAINTAINER": true, "ONBUILD": true, "SHELL": true, "STOPSIGNAL": true, "USER": true, "VOLUME": true,
}
