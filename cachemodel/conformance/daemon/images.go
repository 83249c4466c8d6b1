package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
)

// Images are base images for the builds of tests, kept as OCI layouts and given to builds as named contexts.
type Images struct {
	Stores   map[string]content.Store
	Contexts map[string]string // options of the Dockerfile frontend
}

// images are the made-up bases: their Dockerfiles, by name. "base" is busybox with a user "app" and a directory /out
// that anybody may write to; "base2" is another image with the same layers, "base3" has another environment.
var images = map[string]string{
	"base":  common,
	"base2": common + "LABEL other=1\n",
	"base3": common + "ENV BASE_ENV=3\n",
}

const common = `FROM scratch AS s
COPY busybox /bin/busybox
RUN ["/bin/busybox","--install","-s","/bin"]
RUN mkdir -p /out /tmp /etc /src && chmod 777 /out /tmp && echo seven > /src/seven && \
    printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' > /etc/passwd && \
    printf 'root:x:0:\napp:x:1000:\n' > /etc/group
FROM s
ENV BASE_ENV=1
`

// MakeImages builds the base images.
func (d *Daemon) MakeImages(ctx context.Context) (*Images, error) {
	imgs := &Images{Stores: map[string]content.Store{}, Contexts: map[string]string{}}
	for name, dockerfile := range images {
		src := filepath.Join(d.dir, "src-"+name)
		if err := os.MkdirAll(src, 0o755); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(busybox)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(src, "busybox"), data, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(src, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
			return nil, err
		}
		local, err := fsutil.NewFS(src)
		if err != nil {
			return nil, err
		}
		layout := filepath.Join(d.dir, "image-"+name)
		_, err = d.Client.Solve(ctx, nil, client.SolveOpt{
			Frontend:    "dockerfile.v0",
			LocalMounts: map[string]fsutil.FS{"context": local, "dockerfile": local},
			Exports: []client.ExportEntry{{Type: client.ExporterOCI, OutputDir: layout,
				Attrs: map[string]string{"tar": "false"}}},
		}, nil)
		if err != nil {
			return nil, fmt.Errorf("making the image %s: %w", name, err)
		}
		dt, err := os.ReadFile(filepath.Join(layout, "index.json"))
		if err != nil {
			return nil, err
		}
		var idx ocispecs.Index
		if err := json.Unmarshal(dt, &idx); err != nil {
			return nil, err
		}
		if imgs.Stores[name], err = contentlocal.NewStore(layout); err != nil {
			return nil, err
		}
		imgs.Contexts["context:"+name] = fmt.Sprintf("oci-layout://%s@%s", name, idx.Manifests[0].Digest)
	}
	return imgs, nil
}
