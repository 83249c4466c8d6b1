package workspace

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// CacheFrom is what a fresh builder imports, as it was read.
type CacheFrom struct {
	Cache *remotecache.Config
	Label string // for people: "type=local,src=cache"
	// Image asks a registry what an image is, for a platform such as "linux/amd64".
	Image func(ctx context.Context, reference, platform string) (cachemodel.Image, error)
}

// ReportedCacheFrom is what a cache that was read has of a build.
type ReportedCacheFrom struct {
	Cache   string `json:"cache"`   // "type=local,src=cache"
	Records int    `json:"records"` // that it has
	Matched bool   `json:"matched"` // it has steps of the builds that are compared
	Reason  string `json:"reason,omitempty"`
}

// imports is a cache that was read, with what is needed to look a build up in it.
type imports struct {
	*CacheFrom
	held     *cachemodel.Held // the builds that are taken to have made it
	contents buildcontext.Contents
}

// of is what a fresh builder has that imports the cache. The report says why it is not known where it is not.
func (i *imports) of(plan *cachemodel.Plan) (*cachemodel.Held, *ReportedCacheFrom) {
	report := &ReportedCacheFrom{Cache: i.Label, Records: i.Cache.Len(), Matched: true}
	held, err := i.held.Importing(cachemodel.Import{Cache: i.Cache, Contents: i.contents}, plan)
	if err != nil {
		report.Matched, report.Reason = false, err.Error()
	}
	return held, report
}

// imageOf asks what an image is, for a platform such as "linux/amd64".
type imageOf func(ctx context.Context, reference, platform string) (cachemodel.Image, error)

// all asks what the base images of a build are. Triggers of an image may name others, so it asks again.
func (ask imageOf) all(ctx context.Context, b cachemodel.Build) (
	found map[string]cachemodel.Image, notes []string,
) {
	if b.File == nil {
		return nil, nil
	}
	asked := map[cachemodel.BaseImage]bool{}
	found = maps.Clone(b.Images)
	if found == nil {
		found = map[string]cachemodel.Image{}
	}
	const rounds = 3
	for range rounds {
		b.Images = found
		more := false
		for _, base := range cachemodel.NewPlan(b).BaseImages() {
			if asked[base] {
				continue
			}
			asked[base], more = true, true
			image, err := ask(ctx, base.Reference, base.Platform)
			if err != nil {
				notes = append(notes, fmt.Sprintf("what %s is, is not known: %v", base.Reference, err))
				continue
			}
			if other, ok := found[base.Reference]; ok && !reflect.DeepEqual(other, image) {
				if image.Digest != other.Digest {
					image.Digest = "" // it moves just now
				}
				image = cachemodel.Image{Digest: image.Digest, DigestOnly: true} // it differs by platform
			}
			found[base.Reference] = image
		}
		if !more {
			break
		}
	}
	return found, notes
}

// readImages asks what the base images of the next build are.
func (r *Reader) readImages(ctx context.Context, b *Build, q Question) {
	if q.CacheFrom == nil {
		return
	}
	var notes []string
	b.bases, notes = imageOf(q.CacheFrom.Image).all(ctx, b.Next(q.File, nil))
	b.Notes = append(b.Notes, notes...)
}

// importing prepares to look builds up in a cache that was read. The files of earlier builds are read now, as long as
// their repository is open, if they are not as those on the disk.
func (r *Reader) importing(
	ctx context.Context, spec baseline.Spec, q Question, b *Build, pasts []cachemodel.Past, look *gittree.Look,
) *imports {
	if q.CacheFrom == nil {
		return nil
	}
	dirs := []ContextDir{{b.Context.Root, b.Context.Tree}}
	for _, name := range slices.Sorted(maps.Keys(b.Contexts)) {
		dirs = append(dirs, ContextDir{b.Contexts[name].Root, b.Contexts[name].Tree})
	}
	if spec.Kind == baseline.Dir {
		dirs = append(dirs, ContextDir{spec.Arg, r.compared.Context})
	}
	onDisk := contentsOf(dirs)
	then := func(path string, n *buildcontext.Node) (io.ReadCloser, error) {
		if file, err := onDisk(path, n); err == nil {
			return file, nil
		}
		repository, err := look.At(ctx, filepath.Dir(r.path))
		if err != nil {
			return nil, err
		}
		id, _ := n.Content()
		return repository.Blob(ctx, id)
	}
	cachemodel.NewPlan(b.Next(q.File, nil)).Exact(onDisk) // which is kept for the next time
	if was := r.compared.Context; was != nil && b.Context.Tree != nil {
		was.TakeExact(b.Context.Tree)
	}
	for name, was := range r.compared.named {
		if is := b.Contexts[name].Tree; was != nil && is != nil {
			was.TakeExact(is)
		}
	}
	for _, past := range pasts {
		past.Plan.Exact(then)
	}
	return &imports{CacheFrom: q.CacheFrom, held: cachemodel.Hold(slices.Clone(pasts)), contents: onDisk}
}

// contentsOf opens the files of folders that have the contents of the entries that are asked for.
func contentsOf(dirs []ContextDir) buildcontext.Contents {
	return func(path string, n *buildcontext.Node) (io.ReadCloser, error) {
		for _, dir := range dirs {
			if dir.Tree == nil || dir.Root == "" {
				continue
			}
			now, ok := dir.Tree.Lookup(path)
			if !ok {
				continue
			}
			id, known := n.Content()
			if has, ok := now.Content(); now != n && (!known || !ok || has != id) {
				continue
			}
			return textfile.Open(filepath.Join(dir.Root, filepath.FromSlash(path)))
		}
		return nil, os.ErrNotExist
	}
}
