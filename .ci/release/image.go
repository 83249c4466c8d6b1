package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// image writes the OCI image for linux, with nothing in it but the program, as an archive of a layout: docker load and
// skopeo copy oci-archive:FILE read it.
func (r *release) image(built map[system]file) error {
	var index v1.ImageIndex = empty.Index
	for _, s := range systems {
		program, ok := built[s]
		if !ok || s.os != "linux" {
			continue
		}
		plain, err := r.tar("", []file{{"layerwise", 0o755, program.data}})
		if err != nil {
			return err
		}
		opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain)), nil }
		layer, err := tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return err
		}
		img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
		if err != nil {
			return err
		}
		config, err := img.ConfigFile()
		if err != nil {
			return err
		}
		config = config.DeepCopy()
		config.OS, config.Architecture, config.Created = s.os, s.arch, v1.Time{Time: r.when}
		config.Config = v1.Config{
			Entrypoint: []string{"/layerwise"}, WorkingDir: "/work",
			Labels: map[string]string{
				"org.opencontainers.image.source":   "https://github.com/layerwise/layerwise",
				"org.opencontainers.image.version":  r.version,
				"org.opencontainers.image.revision": r.commit,
				"org.opencontainers.image.licenses": "Apache-2.0",
			},
		}
		if img, err = mutate.ConfigFile(img, config); err != nil {
			return err
		}
		img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: s.os, Architecture: s.arch}},
		})
	}
	dir, err := os.MkdirTemp("", "layerwise-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := layout.Write(dir, mutate.IndexMediaType(index, types.OCIImageIndex)); err != nil {
		return err
	}
	var files []file
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files = append(files, file{strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)+"/"), 0o644, data})
		return err
	})
	if err != nil {
		return err
	}
	plain, err := r.tar("", sorted(files))
	return r.write(fmt.Sprintf("layerwise_%s_image.tar", r.version), plain, err)
}

// bom is a software bill of materials in CycloneDX's JSON.
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
}

func module(kind string, m *debug.Module) component {
	if m.Replace != nil {
		m = m.Replace
	}
	purl := fmt.Sprintf("pkg:golang/%s@%s", m.Path, m.Version)
	return component{kind, purl, m.Path, m.Version, purl}
}

// materials writes a bill of materials for each program: the modules that the Go toolchain has noted in it.
func (r *release) materials(built map[system]file) error {
	for _, s := range systems {
		program, ok := built[s]
		if !ok {
			continue
		}
		info, err := buildinfo.Read(bytes.NewReader(program.data))
		if err != nil {
			return err
		}
		self := debug.Module{Path: info.Main.Path, Version: "v" + r.version}
		b := bom{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: metadata{
			r.when.Format(time.RFC3339), module("application", &self),
		}}
		for _, dep := range info.Deps {
			b.Components = append(b.Components, module("library", dep))
		}
		std := "pkg:golang/std@" + info.GoVersion
		b.Components = append(b.Components, component{"library", std, "std", info.GoVersion, std})
		text, err := json.MarshalIndent(b, "", "  ")
		if err := r.write(fmt.Sprintf("layerwise_%s_%s.cdx.json", r.version, s), text, err); err != nil {
			return err
		}
	}
	return nil
}

// extensions makes the extension for VS Code of each system, with the program in it.
func (r *release) extensions(built map[system]file) error {
	names := map[system]string{
		{"linux", "amd64"}: "linux-x64", {"linux", "arm64"}: "linux-arm64", {"darwin", "amd64"}: "darwin-x64",
		{"darwin", "arm64"}: "darwin-arm64", {"windows", "amd64"}: "win32-x64", {"windows", "arm64"}: "win32-arm64",
	}
	dir, err := os.MkdirTemp("", "layerwise-vsix-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, s := range systems {
		program, ok := built[s]
		if !ok {
			continue
		}
		server := filepath.Join(dir, program.name)
		if err := os.WriteFile(server, program.data, 0o755); err != nil {
			return err
		}
		if err := r.extension(names[s], server); err != nil {
			return err
		}
	}
	return r.extension("universal", "")
}

func (r *release) extension(target, server string) error {
	name := fmt.Sprintf("layerwise-%s-%s.vsix", r.version, target)
	cmd := exec.Command("npm", "run", "--silent", "package", "--", target, filepath.Join(r.out, name))
	cmd.Dir = filepath.Join(r.root, "editors", "vscode")
	cmd.Env = append(os.Environ(), "LAYERWISE_SERVER="+server, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.when.Unix()))
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, said)
	}
	data, err := os.ReadFile(filepath.Join(r.out, name))
	return r.write(name, data, err)
}
