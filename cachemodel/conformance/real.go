package conformance

import (
	"context"
	"maps"
	"time"

	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/tonistiigi/fsutil"
)

// Real is a real buildkitd with base images.
type Real struct {
	daemon *daemon.Daemon
	images *daemon.Layouts
}

// NewReal starts a daemon.
func NewReal(ctx context.Context) (*Real, error) {
	d, err := daemon.Start(ctx)
	if err != nil {
		return nil, err
	}
	images, err := d.MakeImages(ctx)
	if err != nil {
		d.Stop()
		return nil, err
	}
	return &Real{d, images}, nil
}

// Close stops the daemon.
func (r *Real) Close() { r.daemon.Stop() }

// Prune empties the build cache. The daemon lets go of a build's results a little after the build has ended, and leaves
// what is in use, so it is asked until nothing is left. Once in a thousand builds it never lets go of some result: then
// a new daemon takes its place.
func (r *Real) Prune(ctx context.Context) error {
	for range 500 {
		if err := r.daemon.Client.Prune(ctx, nil, client.PruneAll); err != nil {
			return err
		}
		left, err := r.daemon.Client.DiskUsage(ctx)
		if err != nil || len(left) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	fresh, err := NewReal(ctx)
	if err != nil {
		return err
	}
	r.Close()
	*r = *fresh
	return nil
}

// Fresh gives a daemon with the same base images and nothing in its cache.
func (r *Real) Fresh(ctx context.Context) (*Real, error) {
	d, err := daemon.Start(ctx)
	if err != nil {
		return nil, err
	}
	return &Real{d, r.images}, nil
}

// Build runs a build for real and says what it executed.
func (r *Real) Build(ctx context.Context, b Build) (Truth, error) {
	return r.BuildWith(ctx, b, client.SolveOpt{})
}

// BuildWith is Build with the caches of with.
func (r *Real) BuildWith(ctx context.Context, b Build, with client.SolveOpt) (Truth, error) {
	opts := b.FrontendOptions()
	maps.Copy(opts, r.images.Contexts)
	locals := map[string]fsutil.FS{}
	for name, files := range b.Locals() {
		locals[name] = newMemFS(files)
	}
	return r.solve(ctx, opts, locals, with)
}

// solve builds with options of the Dockerfile frontend and these folders.
func (r *Real) solve(ctx context.Context, opts map[string]string, locals map[string]fsutil.FS, with client.SolveOpt) (
	Truth, error,
) {
	var def *pb.Definition
	frontend := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		return builder.Build(ctx, recorder{c, &def})
	}
	status, seen := watch()
	_, err := r.daemon.Client.Build(ctx, client.SolveOpt{
		FrontendAttrs: opts,
		CacheExports:  with.CacheExports,
		CacheImports:  with.CacheImports,
		Exports:       with.Exports,
		LocalMounts:   locals,
		OCIStores:     r.images.Stores,
		Session:       []session.Attachable{secretsprovider.FromMap(map[string][]byte{"token": []byte("t")})},
		AllowedEntitlements: []string{
			entitlements.EntitlementNetworkHost.String(), entitlements.EntitlementSecurityInsecure.String(),
		},
	}, "", frontend, status)
	executed := seen().executed()
	if err != nil {
		return nil, err
	}
	lines, err := locate(def)
	if err != nil {
		return nil, err
	}
	did := truth(lines, executed)
	merges, err := mergesOf(def)
	did.doubtMerges(merges, lines, executed)
	return did, err
}

// recorder keeps the definition that the frontend has solved.
type recorder struct {
	gateway.Client
	def **pb.Definition
}

func (r recorder) Solve(ctx context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	if _, ok := localRead(req.Definition); !ok {
		*r.def = req.Definition
	}
	return r.Client.Solve(ctx, req)
}
