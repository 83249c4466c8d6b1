package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// plugins writes the packages for Vim and Neovim, which are folders for 'packpath', and the one for Emacs, which
// package-install-file takes.
func (r *release) plugins() error {
	for _, editor := range []string{"vim", "neovim"} {
		files, err := r.folder("editors/" + editor)
		if err != nil {
			return err
		}
		plain, err := r.tar("layerwise/", files)
		name := fmt.Sprintf("layerwise-%s_%s.tar.gz", editor, r.version)
		if err := r.write(name, compressed(plain), err); err != nil {
			return err
		}
	}
	source, err := os.ReadFile(filepath.Join(r.root, "editors/emacs/layerwise.el"))
	if err != nil {
		return err
	}
	if !bytes.Contains(source, []byte("\n;; Version: "+r.version+"\n")) {
		return fmt.Errorf("editors/emacs/layerwise.el says another version than %s", r.version)
	}
	about := fmt.Sprintf("(define-package \"layerwise\" %q \"The Docker build cache, while you edit\"\n"+
		"  '((emacs \"27.1\")))\n", r.version)
	plain, err := r.tar("layerwise-"+r.version+"/", []file{
		{"layerwise-pkg.el", 0o644, []byte(about)}, {"layerwise.el", 0o644, source},
	})
	return r.write(fmt.Sprintf("layerwise-emacs-%s.tar", r.version), plain, err)
}

// folder reads the files below a folder of the repository that are meant for users.
func (r *release) folder(name string) ([]file, error) {
	var files []file
	top := os.DirFS(filepath.Join(r.root, name))
	err := fs.WalkDir(top, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, "test/") || strings.HasPrefix(path, ".") ||
			path == "doc/tags" {
			return err
		}
		data, err := fs.ReadFile(top, path)
		files = append(files, file{path, 0o644, data})
		return err
	})
	if err != nil {
		return nil, err
	}
	licence, err := r.read("LICENSE")
	return append(files, licence...), err
}
