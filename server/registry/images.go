package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	known      = time.Hour // so long an answer is good
	mostImages = 200       // answers that are remembered
)

// Images knows what registries have under references to images. It may be used by several goroutines.
type Images struct {
	mu      sync.Mutex
	answers map[string]*Answer // by reference and platform
}

// Answer is what a registry says of one image.
type Answer struct {
	reference, platform string
	asked               time.Time
	done                chan struct{}

	// What follows may be read once Done is closed.
	Image Image
	Err   error
}

// Image is what a registry has under a reference.
type Image struct {
	Digest    string
	Created   time.Time // zero if it does not say
	Size      int64     // bytes, of the compressed layers for Platform
	Platform  string    // that was asked for, or else the image's first
	Platforms []string  // for which there is an image
}

// Done is closed when the registry has answered, or has not in time.
func (a *Answer) Done() <-chan struct{} { return a.done }

// NewImages returns what remembers images as long as the process lives.
func NewImages() *Images { return &Images{answers: map[string]*Answer{}} }

// Find returns what is known, or will be, of an image for a platform such as "linux/amd64". It reports whether it is to
// be asked for: if so, the caller is to call Ask, and no one else is told so.
func (i *Images) Find(reference, platform string) (a *Answer, ask bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	key := reference + " " + platform
	a = i.answers[key]
	if a != nil {
		select {
		case <-a.done:
			if good := map[bool]time.Duration{true: known, false: failed}[a.Err == nil]; time.Since(a.asked) < good {
				return a, false
			}
		default:
			return a, false
		}
	}
	if len(i.answers) >= mostImages {
		clear(i.answers)
	}
	a = &Answer{reference: reference, platform: platform, asked: time.Now(), done: make(chan struct{})}
	i.answers[key] = a
	return a, true
}

// Ask asks the image's registry. It takes ten seconds at most, and ends with the context.
func (i *Images) Ask(ctx context.Context, a *Answer) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer close(a.done)
	a.Image, a.Err = look(ctx, a.reference, a.platform)
	if errors.Is(a.Err, context.DeadlineExceeded) {
		a.Err = fmt.Errorf("it did not answer within %s", patience)
	}
}

// look asks for an image's manifest and configuration.
func look(ctx context.Context, reference, platform string) (Image, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return Image{}, err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	found, err := remote.Get(ref, options...)
	if err != nil {
		return Image{}, err
	}
	out := Image{Digest: found.Digest.String()}
	var image v1.Image
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return Image{}, err
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			return Image{}, err
		}
		var chosen *v1.Descriptor
		for n, m := range manifest.Manifests {
			if m.Platform == nil || m.Platform.OS == "unknown" { // an attestation
				continue
			}
			if s := m.Platform.String(); !slices.Contains(out.Platforms, s) {
				out.Platforms = append(out.Platforms, s)
			}
			if chosen == nil || chosen.Platform.String() != platform && matches(m.Platform, platform) {
				chosen = &manifest.Manifests[n]
			}
		}
		if chosen == nil {
			return out, nil
		}
		out.Platform = chosen.Platform.String()
		image, err = index.Image(chosen.Digest)
		if err != nil {
			return Image{}, err
		}
	} else if image, err = found.Image(); err != nil {
		return Image{}, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return Image{}, err
	}
	for _, layer := range manifest.Layers {
		out.Size += layer.Size
	}
	config, err := image.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	out.Created = config.Created.Time
	if out.Platform == "" && config.OS != "" {
		out.Platform = config.Platform().String()
		out.Platforms = []string{out.Platform}
	}
	return out, nil
}

// matches reports whether an image's platform is the one that is asked for; it may say more of the variant and the
// version.
func matches(p *v1.Platform, asked string) bool {
	want, err := v1.ParsePlatform(asked)
	return err == nil && p.Satisfies(*want)
}
