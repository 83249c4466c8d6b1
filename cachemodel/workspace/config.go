package workspace

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/textfile"
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
		text, err := textfile.Read(path) // of which reading never waits
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
		case c.ofHadolint(folder):
			return c
		case above == folder || exists(filepath.Join(folder, ".git")):
			return c
		default:
			folder = above
		}
	}
}

// ofHadolint reads the configuration of hadolint in a folder, and reports whether there is one.
func (c *Config) ofHadolint(folder string) bool {
	for _, name := range rules.HadolintNames {
		path := filepath.Join(folder, name)
		c.Looked = append(c.Looked, path)
		text, err := textfile.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if c.Path = path; err == nil {
			c.Rules, _, err = rules.ParseHadolint(text)
		}
		if err != nil {
			c.Problems = []string{err.Error()}
		}
		return true
	}
	return false
}
