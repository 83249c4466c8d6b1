package gittree

import (
	"context"
	"path/filepath"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// WatchPaths is Repository.WatchPaths of the repository that a directory lies in.
func WatchPaths(ctx context.Context, dir string) ([]string, error) {
	return with(ctx, dir, func(r *Repository) ([]string, error) { return r.WatchPaths(), nil })
}

// ReadFile is Repository.ReadFile of the repository that a file lies in.
func ReadFile(ctx context.Context, file, rev string) ([]byte, error) {
	return with(ctx, filepath.Dir(file), func(r *Repository) ([]byte, error) { return r.ReadFile(ctx, file, rev) })
}

// loadHistory is Repository.History of the repository that the context lies in.
func loadHistory(ctx context.Context, req HistoryRequest, progress func(done, total int)) (*History, error) {
	return with(ctx, req.ContextDir, func(r *Repository) (*History, error) { return r.History(ctx, req, progress) })
}

// Load is Repository.Load of the repository that a context lies in.
func Load(
	ctx context.Context,
	contextDir, rev, dockerfile string,
	worktree *buildcontext.Tree,
) (*buildcontext.Tree, error) {
	return with(ctx, contextDir, func(r *Repository) (*buildcontext.Tree, error) {
		return r.Load(ctx, contextDir, rev, dockerfile, worktree)
	})
}
