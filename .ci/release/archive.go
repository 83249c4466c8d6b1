package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	nfpmfiles "github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

// sorted gives files in the order of their names, which is that of every archive.
func sorted(files []file) []file {
	return slices.SortedFunc(slices.Values(files), func(a, b file) int { return cmp.Compare(a.name, b.name) })
}

// archiveName is the name of the archive of one system, and of the folder in it.
func archiveName(version string, s system) (folder, name string) {
	folder = fmt.Sprintf("layerwise_%s_%s", version, s)
	if s.os == "windows" {
		return folder, folder + ".zip"
	}
	return folder, folder + ".tar.gz"
}

// archive writes the archive of one system: a zip for Windows, else a compressed tar.
func (r *release) archive(s system, program file) error {
	top, name := archiveName(r.version, s)
	files := sorted(append(slices.Clone(r.docs), program))
	if s.os == "windows" {
		data, err := r.zip(top, files)
		return r.write(name, data, err)
	}
	plain, err := r.tar(top+"/", files)
	if err != nil {
		return err
	}
	return r.write(name, compressed(plain), nil)
}

func compressed(plain []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	w.Write(plain)                                          // a buffer takes all
	w.Close()
	return out.Bytes()
}

func (r *release) tar(top string, files []file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{
			Name: top + f.name, Mode: int64(f.mode), Size: int64(len(f.data)), ModTime: r.when, Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func (r *release) zip(top string, files []file) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		h := &zip.FileHeader{Name: top + "/" + f.name, Method: zip.Deflate, Modified: r.when}
		h.SetMode(f.mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// packages writes the deb and rpm of one system.
func (r *release) packages(s system, program file) error {
	dir, err := os.MkdirTemp("", "layerwise-package-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, format := range []string{"deb", "rpm"} {
		if err := r.pack(format, s.arch, program, dir); err != nil {
			return err
		}
	}
	return nil
}

// pack writes one package. The files that go into it are laid in dir.
func (r *release) pack(format, arch string, program file, dir string) error {
	places := map[string]string{
		"completions/layerwise.bash": "/usr/share/bash-completion/completions/layerwise",
		"completions/_layerwise":     "/usr/share/zsh/site-functions/_layerwise",
		"completions/layerwise.fish": "/usr/share/fish/vendor_completions.d/layerwise.fish",
		"LICENSE":                    "/usr/share/licenses/layerwise/LICENSE",
	}
	if format == "deb" {
		places["completions/_layerwise"] = "/usr/share/zsh/vendor-completions/_layerwise"
		places["LICENSE"] = "/usr/share/doc/layerwise/copyright"
	}
	var contents nfpmfiles.Contents
	for _, f := range sorted(append(slices.Clone(r.docs), program)) {
		to := places[f.name]
		switch {
		case f.name == program.name:
			to = "/usr/bin/layerwise"
		case strings.HasPrefix(f.name, "man/"):
			to = "/usr/share/" + f.name
		case to == "":
			continue
		}
		source := filepath.Join(dir, filepath.Base(f.name))
		if err := os.WriteFile(source, f.data, f.mode); err != nil {
			return err
		}
		contents = append(contents, &nfpmfiles.Content{
			Source: source, Destination: to,
			FileInfo: &nfpmfiles.ContentFileInfo{Mode: f.mode, MTime: r.when, Owner: "root", Group: "root"},
		})
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "layerwise", Arch: arch, Platform: "linux", Version: r.version, MTime: r.when,
		Maintainer: "The Layerwise authors <layerwise@users.noreply.github.com>", License: "Apache-2.0",
		Homepage:    "https://github.com/layerwise/layerwise",
		Section:     "devel",
		Description: "Says what the next docker build will reuse, and why not the rest",
		Overridables: nfpm.Overridables{
			Contents: contents, Suggests: []string{"git"}, RPM: nfpm.RPM{BuildHost: "layerwise", Compression: "gzip"},
		},
	})
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	var out bytes.Buffer
	err = packager.Package(info, &out)
	return r.write(packager.ConventionalFileName(info), out.Bytes(), err)
}

// write writes one file of the release.
func (r *release) write(name string, data []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	log.Printf("%-52s %8d KB", name, len(data)>>10)
	return os.WriteFile(filepath.Join(r.out, name), data, 0o644)
}

// checksums writes SHA256SUMS over all files of the release.
func (r *release) checksums() error {
	var b strings.Builder
	err := filepath.WalkDir(r.out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.out, path)
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), filepath.ToSlash(name))
		return err
	})
	return r.write("SHA256SUMS", []byte(b.String()), err)
}
