package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// findDockerfiles returns the Dockerfiles among paths, in order: a path to a file as it is, whatever its name, and
// for a folder those anywhere below it, leaving out .git and what package managers installed, and not following links
// to folders. For each path that cannot be read it returns an error instead; the others are found nevertheless.
func findDockerfiles(paths []string) (files []string, failures []error) {
	return findFiles(paths, func(string) bool { return false })
}

// findFiles is findDockerfiles that finds regular files of other names as well.
func findFiles(paths []string, other func(path string) bool) (files []string, failures []error) {
	for _, path := range paths {
		if path == standardInput {
			files = append(files, path)
			continue
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: no such file or folder", path)
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		before := len(files)
		root := path + string(filepath.Separator) // follows a link
		err = filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				failures = append(failures, err)
				if entry != nil && entry.IsDir() {
					return fs.SkipDir
				}
			case entry.IsDir():
				if at != root && (entry.Name() == ".git" || textfile.Installed(at)) {
					return fs.SkipDir
				}
			case other(at) && entry.Type().IsRegular():
				files = append(files, at)
			case dockerfile.IsName(entry.Name()):
				info, err := os.Stat(at)
				switch {
				case err != nil: // a link that leads nowhere
					failures = append(failures, err)
				case info.Mode().IsRegular() && (dockerfile.IsPlainName(entry.Name()) || hasDockerfile(at)):
					files = append(files, at)
				}
			}
			return nil
		})
		if err != nil {
			failures = append(failures, err)
		}
		if len(files) == before {
			failures = append(
				failures,
				fmt.Errorf("%s: no Dockerfile in this folder (looked for %s)", path, dockerfile.Names),
			)
		}
	}
	return files, failures
}

// hasDockerfile reports whether a file's content may be a Dockerfile. What cannot be read is one, so that it is told.
func hasDockerfile(path string) bool {
	content, err := readDockerfile(path)
	return err != nil || dockerfile.Parse(source.New(content), nil).MayBeDockerfile()
}

// readDockerfile reads a Dockerfile, saying what is wrong in words that fit the path.
func readDockerfile(path string) (string, error) {
	content, err := textfile.Read(path)
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		return "", fmt.Errorf("%s is a directory, not a Dockerfile", path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: no such file", path)
	case errors.Is(err, textfile.ErrNotRegular), errors.Is(err, textfile.ErrTooLong):
		return "", fmt.Errorf("%s: %w", path, errors.Unwrap(err))
	}
	return string(content), err
}

// writeAtomically replaces the content of the file at path, keeping its mode. Links are followed. Readers see either
// the old or the new content, and a failure leaves the old.
func writeAtomically(path, content string) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails where the rename has succeeded
	_, err = temp.WriteString(content)
	err = errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), target)
}
