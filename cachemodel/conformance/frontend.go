package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// Convert runs BuildKit's own Dockerfile frontend on a build and returns the definition that it would have solved.
// Where the file names an older frontend, the definition is that frontend's, as far as it is known to differ. Images
// are resolved by a stub, so nothing is fetched; the made-up ones that the build uses are returned too.
func Convert(ctx context.Context, b Build) (*pb.Definition, map[string]cachemodel.Image, error) {
	c := &stubGateway{opts: b.FrontendOptions(), locals: b.Locals(), images: map[string]cachemodel.Image{}}
	if _, err := builder.Build(ctx, c); err != nil {
		return nil, nil, err
	}
	if b.dialect().Before(1, 5) {
		if err := withStubs(c.def); err != nil {
			return nil, nil, err
		}
	}
	return c.def, c.images, nil
}

// dialect is the frontend that the file names. Convert stands in for it: nothing is fetched.
func (b Build) dialect() dockerfile.Dialect {
	return dockerfile.Parse(source.New(b.Dockerfile), nil).Dialect()
}

// frontend names the frontend that reads the file; "" is the newest, which the tags stand for that move.
func (b Build) frontend() string {
	if d := b.dialect(); d.Pinned || d.Minor >= 0 || d.Labs || d.Foreign {
		return d.Reference
	}
	return ""
}

// withStubs makes of a definition what a frontend before 1.5 makes: the files that mounts leave are not removed
// (moby/buildkit 6b265b1ba). Vertices are known by their digests, so that all that stands on a changed one changes too.
func withStubs(def *pb.Definition) error {
	renamed := map[string]string{}
	for i, dt := range def.GetDef() {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return err
		}
		for _, in := range op.Inputs {
			if now, ok := renamed[in.Digest]; ok {
				in.Digest = now
			}
		}
		if exec := op.GetExec(); exec != nil {
			exec.Meta.RemoveMountStubsRecursive = false
		}
		changed, err := op.Marshal()
		if err != nil {
			return err
		}
		was, now := digest.FromBytes(dt).String(), digest.FromBytes(changed).String()
		if was == now {
			continue
		}
		def.Def[i], renamed[was] = changed, now
		if meta, ok := def.Metadata[was]; ok {
			def.Metadata[now] = meta
			delete(def.Metadata, was)
		}
		if at, ok := def.Source.GetLocations()[was]; ok {
			def.Source.Locations[now] = at
			delete(def.Source.Locations, was)
		}
	}
	return nil
}

// stubGateway is the frontend's side of a daemon that has the context and every image, and solves nothing.
type stubGateway struct {
	opts   map[string]string
	locals map[string]map[string]File
	def    *pb.Definition

	mu     sync.Mutex
	images map[string]cachemodel.Image
}

var _ gateway.Client = (*stubGateway)(nil)

func (c *stubGateway) BuildOpts() gateway.BuildOpts {
	return gateway.BuildOpts{
		Opts:      c.opts,
		SessionID: "session",
		LLBCaps:   pb.Caps.CapSet(pb.Caps.All()),
		Caps:      gwpb.Caps.CapSet(gwpb.Caps.All()),
		Workers:   []gateway.WorkerInfo{{Platforms: []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}}}},
	}
}

// Solve answers the frontend's reading of the Dockerfile and .dockerignore, and keeps any other definition.
func (c *stubGateway) Solve(ctx context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	res := gateway.NewResult()
	name, ok := localRead(req.Definition)
	if !ok {
		c.def = req.Definition
	}
	res.SetRef(stubRef{c.locals[name]})
	return res, nil
}

// localRead tells the loading of single files from a local directory apart from a build, and from which.
func localRead(def *pb.Definition) (name string, ok bool) {
	if def == nil || len(def.Def) != 2 {
		return "", false
	}
	var op pb.Op
	if err := op.UnmarshalVT(def.Def[0]); err != nil {
		return "", false
	}
	return strings.CutPrefix(op.GetSource().GetIdentifier(), "local://")
}

func (c *stubGateway) ResolveSourceMetadata(
	ctx context.Context,
	op *pb.SourceOp,
	opt sourceresolver.Opt,
) (*sourceresolver.MetaResponse, error) {
	ref, ok := strings.CutPrefix(op.Identifier, "docker-image://")
	if !ok {
		return nil, errors.New("not an image: " + op.Identifier)
	}
	cfg, dgst := c.resolve(ref, opt)
	return &sourceresolver.MetaResponse{
		Op:    &pb.SourceOp{Identifier: "docker-image://" + pin(ref, dgst), Attrs: op.Attrs},
		Image: &sourceresolver.ResolveImageResponse{Digest: dgst, Config: cfg},
	}, nil
}

func pin(ref string, dgst digest.Digest) string {
	name, _, _ := strings.Cut(ref, "@")
	return name + "@" + dgst.String()
}

func (c *stubGateway) ResolveImageConfig(
	ctx context.Context,
	ref string,
	opt sourceresolver.Opt,
) (string, digest.Digest, []byte, error) {
	cfg, dgst := c.resolve(ref, opt)
	return ref, dgst, cfg, nil
}

// resolve makes up an image for any reference, the same one each time.
func (c *stubGateway) resolve(ref string, opt sourceresolver.Opt) ([]byte, digest.Digest) {
	p := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		p = *opt.ImageOpt.Platform
	}
	img := dockerspec.DockerOCIImage{
		Image: ocispecs.Image{
			Platform: p,
			RootFS:   ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString("layer " + ref)}},
		},
	}
	name, _, _ := strings.Cut(strings.ReplaceAll(path.Base(ref), "@", ":"), ":")
	img.Config = daemon.Images[name].Config
	img.Config.Env = append(
		[]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		img.Config.Env...)
	dt, err := json.Marshal(img)
	if err != nil {
		panic(err)
	}
	dgst := digest.FromString(ref) // of an index: the same for all platforms
	if _, pinned, ok := strings.Cut(ref, "@"); ok {
		dgst = digest.Digest(pinned)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.images[ref] = cachemodel.Image{Digest: dgst.String(), Env: img.Config.Env, WorkingDir: img.Config.WorkingDir,
		User: img.Config.User, Shell: img.Config.Shell, OnBuild: img.Config.OnBuild}
	return dt, dgst
}

func (c *stubGateway) Inputs(context.Context) (map[string]llb.State, error) { return nil, nil }

func (c *stubGateway) NewContainer(context.Context, gateway.NewContainerRequest) (gateway.Container, error) {
	return nil, errors.New("no containers")
}

func (c *stubGateway) Warn(context.Context, digest.Digest, string, gateway.WarnOpts) error {
	return nil
}

// stubRef reads the context.
type stubRef struct{ files map[string]File }

func (r stubRef) ToState() (llb.State, error)    { return llb.Scratch(), nil }
func (r stubRef) Evaluate(context.Context) error { return nil }

func (r stubRef) ReadFile(ctx context.Context, req gateway.ReadRequest) ([]byte, error) {
	f, ok := r.files[req.Filename]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: req.Filename, Err: fs.ErrNotExist}
	}
	return []byte(f.Data), nil
}

func (r stubRef) StatFile(ctx context.Context, req gateway.StatRequest) (*fstypes.Stat, error) {
	f, ok := r.files[req.Path]
	if !ok {
		return nil, &fs.PathError{Op: "stat", Path: req.Path, Err: fs.ErrNotExist}
	}
	return f.stat(req.Path), nil
}

func (r stubRef) ReadDir(context.Context, gateway.ReadDirRequest) ([]*fstypes.Stat, error) {
	return nil, errors.New("no directories")
}
