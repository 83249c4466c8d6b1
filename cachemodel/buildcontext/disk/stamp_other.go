//go:build !linux && !darwin

package disk

import (
	"io/fs"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

func stampOf(info fs.FileInfo) buildcontext.Stamp {
	return buildcontext.Stamp{ModTime: info.ModTime().UnixNano()}
}

func deviceOf(fs.FileInfo) (major, minor uint32) { return 0, 0 }

func xattrsOf(string) (map[string]string, error) { return nil, nil }
