package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/verify"
)

// Builder is what verifies rewrites of the Dockerfile: the BuildKit daemon at an address, else BUILDKIT_HOST's, or a
// builder of buildx by its name. It fails for a build that such a builder cannot make.
func (b *Build) Builder(address, name string) (verify.Builder, error) {
	out := verify.Builder{
		Address: address, Name: name,
		Context: b.Context.Dir, Target: b.Settings.Target, Platform: b.Settings.Platform,
	}
	if address == "" && name == "" {
		out.Address = os.Getenv("BUILDKIT_HOST")
	}
	if filepath.IsAbs(out.Address) {
		out.Address = "unix://" + out.Address // as elsewhere; buildctl knows no plain paths
	}
	for _, key := range slices.Sorted(maps.Keys(b.Settings.Args)) { // buildctl knows no KEY alone
		out.Args = append(out.Args, key+"="+b.Settings.Args[key])
	}
	for _, name := range slices.Sorted(maps.Keys(b.Contexts)) {
		out.Contexts = append(out.Contexts, name+"="+b.Contexts[name].Dir)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Images)) {
		image := b.Images[name]
		if image == "" {
			return out, fmt.Errorf("this cannot be built to verify it: another build makes the named context %s", name)
		}
		out.Contexts = append(out.Contexts, name+"=docker-image://"+image)
	}
	return out, nil
}

// Remember keeps that a builder made the same image of two texts of the Dockerfile.
func (b *Build) Remember(store *record.Store, before, after string, by verify.Builder, r *verify.Result) error {
	return store.SaveVerified(record.Verified{
		Before:    record.TextDigest(before),
		After:     record.TextDigest(after),
		Manifests: b.manifests(),
		Builder:   by.String(),
		Time:      time.Now().UTC(),
		Files:     r.Files,
	})
}

// Recall grades rewrites as verified that were: all of them together, or one by itself. It gives the verification of
// all, nil if there is none.
func (b *Build) Recall(store *record.Store, file *dockerfile.File, rewrites []reorder.Rewrite) *record.Verified {
	if !slices.ContainsFunc(rewrites, func(r reorder.Rewrite) bool { return !r.Grade.Certain() }) {
		return nil
	}
	before, manifests := file.Text.String(), b.manifests()
	look := func(edits []source.Edit) *record.Verified {
		after, err := source.Apply(before, edits)
		if err != nil {
			return nil
		}
		v, err := store.Verified(record.TextDigest(before), record.TextDigest(after), manifests)
		if err != nil {
			return nil // then nothing is remembered
		}
		return v
	}
	var all []source.Edit
	for _, r := range rewrites {
		all = append(all, r.Edits...)
	}
	together := look(all)
	for i := range rewrites {
		if together != nil || len(rewrites) > 1 && look(rewrites[i].Edits) != nil {
			rewrites[i].Verify()
		}
		for k := range rewrites[i].Parts {
			if part := &rewrites[i].Parts[k]; !part.Grade.Certain() && look(part.Edits) != nil {
				part.Verify()
			}
		}
	}
	return together
}

// manifests is a digest of all files of the context that package managers read, and of the ignore file's patterns.
func (b *Build) manifests() string {
	if b.Context.Tree == nil {
		return ""
	}
	tree, h := b.Context.Tree, sha256.New()
	fmt.Fprintf(h, "%q\n", tree.Ignore().Patterns())
	var walk func(dir string)
	walk = func(dir string) {
		node, ok := tree.Lookup(dir)
		if !ok || node.Type() != buildcontext.Dir {
			return
		}
		for _, child := range node.Children() {
			at := path.Join(dir, child.Name())
			switch {
			case child.Type() == buildcontext.Dir:
				walk(at)
			case tools.IsManifest(child.Name()) || strings.HasSuffix(child.Name(), ".txt"):
				digest, _ := tree.Digest(buildcontext.Query{Path: "/" + at, FollowLinks: true})
				fmt.Fprintf(h, "%q %s\n", at, digest)
			}
		}
	}
	walk(".")
	return hex.EncodeToString(h.Sum(nil))
}
