// Package project reads what lies beside and above a Dockerfile that says how to check it: the configuration of rules and
// the ignore file. The command line and the server share it. It must not know a protocol or the build cache.
package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// Config is a configuration of rules that was looked for.
type Config struct {
	Rules    rules.Options // severities; the zero value if there is no configuration
	Path     string        // of the file, "" if there is none
	Looked   []string      // the paths at which it was looked for, Path last: if one of them changes, look again
	Problems []string      // what is wrong in it, without its path
}

// FindConfig reads the nearest configuration, in the folder or above it, up to the folder of a Git repository.
func FindConfig(folder string) Config {
	var c Config
	for {
		path := filepath.Join(folder, rules.ConfigName)
		c.Looked = append(c.Looked, path)
		text, err := os.ReadFile(path)
		switch above := filepath.Dir(folder); {
		case err == nil:
			c.Path = path
			if c.Rules, err = rules.ParseConfig(text); err != nil {
				c.Problems = strings.Split(err.Error(), "\n")
			}
			return c
		case !errors.Is(err, fs.ErrNotExist):
			c.Path, c.Problems = path, []string{err.Error()}
			return c
		case above == folder || exists(filepath.Join(folder, ".git")):
			return c
		default:
			folder = above
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Context reads the folder of a Dockerfile as its build context: its ignore file, nil if there is none, and what is sent.
func Context(dockerfile string) (*buildcontext.Ignore, *rules.Context, error) {
	folder, base := filepath.Split(dockerfile)
	ignore, context := &buildcontext.Ignore{}, &rules.Context{}
	for _, name := range buildcontext.IgnoreFileNames(base) {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			ignore, err = buildcontext.ParseIgnore(name, text)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Join(folder, name), err)
		}
		break
	}
	context.Sent = Sent(func(dir string) []string {
		entries, _ := os.ReadDir(filepath.Join(folder, filepath.FromSlash(dir))) // what cannot be read is not known
		var names []string
		for _, e := range entries {
			name := e.Name()
			if ignore.Ignores(dir + name) {
				continue
			}
			if e.IsDir() {
				name += "/"
			}
			names = append(names, name)
		}
		return names
	})
	context.Dockerfile = base
	return ignore, context, nil
}

// Sent lists what rules want to know of a build context: list returns the names in a folder, which is "" or ends with a
// slash, those of folders with a slash at the end. Folders of tools are not entered.
func Sent(list func(dir string) []string) []string {
	var sent []string
	for _, name := range list("") {
		sent = append(sent, name)
		if strings.HasSuffix(name, "/") && !strings.HasPrefix(name, ".") && name != "node_modules/" {
			for _, inner := range list(name) {
				sent = append(sent, name+inner)
			}
		}
	}
	slices.Sort(sent)
	return sent
}
