package conformance

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// Predict asks the model about next, for a cache that holds the builds of bases. It goes the product's way: contexts
// lie in directories below dir, which Predict makes and removes.
func Predict(ctx context.Context, dir string, bases []Build, next Build) ([]cachemodel.Step, error) {
	var plans []*cachemodel.Plan
	for _, b := range append(slices.Clone(bases), next) {
		p, err := Plan(ctx, dir, b)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	last := len(plans) - 1
	return cachemodel.Compare(plans[:last], plans[last]), nil
}

// Plan is the model's plan of a build whose context is written to a directory of its own below dir.
func Plan(ctx context.Context, dir string, b Build) (*cachemodel.Plan, error) {
	root, err := os.MkdirTemp(dir, "context")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	if err := b.Write(root); err != nil {
		return nil, err
	}
	tree, err := disk.Scan(ctx, root, filepath.Join(root, filepath.FromSlash(b.Name)), disk.Options{})
	if err != nil {
		return nil, err
	}
	return cachemodel.NewPlan(cachemodel.Build{
		File:     dockerfile.Parse(source.New(b.Dockerfile), nil),
		Context:  tree,
		Settings: cachemodel.Settings{Target: b.Target, Args: b.Args, Platform: b.Platform, NoCache: b.NoCache},
	}), nil
}

// Write makes the context's files below root.
func (b Build) Write(root string) error {
	all := b.Context()
	for _, p := range slices.Sorted(maps.Keys(all)) {
		f, at := all[p], filepath.Join(root, filepath.FromSlash(p))
		var err error
		switch {
		case f.Mode.IsDir():
			err = os.Mkdir(at, 0o755)
		case f.Mode&fs.ModeSymlink != 0:
			err = os.Symlink(f.Link, at)
		default:
			err = os.WriteFile(at, []byte(f.Data), 0o644)
		}
		if err != nil {
			return err
		}
		if f.Mode&fs.ModeSymlink == 0 {
			if err := os.Chmod(at, f.Mode.Perm()); err != nil {
				return err
			}
			if err := os.Chtimes(at, f.ModTime(), f.ModTime()); err != nil {
				return err
			}
		}
	}
	return nil
}
