package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/entitlements"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
)

// Image is a base image that tests build upon: busybox with a user "app", a directory /out that anybody may write to,
// and this configuration.
type Image struct {
	Config dockerspec.DockerOCIImageConfig
	lines  string // the Dockerfile's lines that make it
}

// Images are the base images by name.
var Images = map[string]Image{
	"base":  {config("BASE_ENV=1"), "ENV BASE_ENV=1\n"},
	"base2": {config("BASE_ENV=1"), "ENV BASE_ENV=1\nLABEL other=1\n"}, // the same layers, another manifest
	"base3": {config("BASE_ENV=3"), "ENV BASE_ENV=3\n"},
	"odd": {
		dockerspec.DockerOCIImageConfig{
			ImageConfig: ocispecs.ImageConfig{
				Env:        []string{"V=1", "W=odd"},
				User:       "app",
				WorkingDir: "/out",
			},
			DockerOCIImageConfigExt: dockerspec.DockerOCIImageConfigExt{Shell: []string{"/bin/sh", "-ec"}},
		},
		"ENV V=1 W=odd\nUSER app\nWORKDIR /out\nSHELL [\"/bin/sh\", \"-ec\"]\n",
	},
	"triggers": {
		dockerspec.DockerOCIImageConfig{
			DockerOCIImageConfigExt: dockerspec.DockerOCIImageConfigExt{
				OnBuild: []string{"ENV V=trigger", "COPY a.txt /from-trigger", "RUN echo $V > /out/trigger"},
			},
		},
		"ONBUILD ENV V=trigger\nONBUILD COPY a.txt /from-trigger\nONBUILD RUN echo $V > /out/trigger\n",
	},
}

func config(env ...string) dockerspec.DockerOCIImageConfig {
	return dockerspec.DockerOCIImageConfig{ImageConfig: ocispecs.ImageConfig{Env: env}}
}

const common = `FROM scratch AS s
COPY busybox /bin/busybox
RUN ["/bin/busybox","--install","-s","/bin"]
RUN mkdir -p /out /tmp /etc /src && chmod 777 /out /tmp && echo seven > /src/seven && \
    printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' > /etc/passwd && \
    printf 'root:x:0:\napp:x:1000:\n' > /etc/group
FROM s
`

// Layouts are the base images as OCI layouts, given to builds as named contexts.
type Layouts struct {
	Stores   map[string]content.Store
	Dirs     map[string]string // the layouts' folders
	Contexts map[string]string // options of the Dockerfile frontend
}

// MakeImages builds the base images.
func (d *Daemon) MakeImages(ctx context.Context) (*Layouts, error) {
	imgs := &Layouts{Stores: map[string]content.Store{}, Dirs: map[string]string{}, Contexts: map[string]string{}}
	for name, image := range Images {
		src, err := d.sourceOf(name, image)
		if err != nil {
			return nil, err
		}
		local, err := fsutil.NewFS(src)
		if err != nil {
			return nil, err
		}
		if imgs.Contexts["context:"+name], err = imgs.Add(ctx, d, name, nil, local); err != nil {
			return nil, err
		}
	}
	return imgs, nil
}

// sourceOf makes the folder that a base image is built from.
func (d *Daemon) sourceOf(name string, image Image) (string, error) {
	src := filepath.Join(d.dir, "src-"+name)
	if err := os.MkdirAll(src, 0o755); err != nil {
		return "", err
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(src, "busybox"), data, 0o755); err != nil {
		return "", err
	}
	return src, os.WriteFile(filepath.Join(src, "Dockerfile"), []byte(common+image.lines), 0o644)
}

// Add builds one more image from a context with its Dockerfile, with options of the Dockerfile frontend, and returns
// what names it as a named context.
func (imgs *Layouts) Add(
	ctx context.Context,
	d *Daemon,
	name string,
	options map[string]string,
	files fsutil.FS,
) (string, error) {
	layout := filepath.Join(d.dir, "image-"+name)
	attrs := maps.Clone(imgs.Contexts)
	maps.Copy(attrs, d.Options)
	maps.Copy(attrs, options)
	_, err := d.Client.Solve(ctx, nil, client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: attrs,
		LocalMounts:   map[string]fsutil.FS{"context": files, "dockerfile": files},
		OCIStores:     imgs.Stores,

		AllowedEntitlements: []string{entitlements.EntitlementNetworkHost.String()},

		Exports: []client.ExportEntry{{Type: client.ExporterOCI, OutputDir: layout,
			Attrs: map[string]string{"tar": "false"}}},
	}, nil)
	if err != nil {
		return "", fmt.Errorf("making the image %s: %w", name, err)
	}
	return imgs.Load(name, layout)
}

// Load takes an OCI layout as a base image, and returns what names it as a named context.
func (imgs *Layouts) Load(name, layout string) (string, error) {
	dt, err := os.ReadFile(filepath.Join(layout, "index.json"))
	if err != nil {
		return "", err
	}
	var idx ocispecs.Index
	if err := json.Unmarshal(dt, &idx); err != nil {
		return "", err
	}
	imgs.Dirs[name] = layout
	if imgs.Stores[name], err = contentlocal.NewStore(layout); err != nil {
		return "", err
	}
	return fmt.Sprintf("oci-layout://%s@%s", name, idx.Manifests[0].Digest), nil
}
