package disk

import (
	"io/fs"
	"syscall"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

func stampOf(info fs.FileInfo) buildcontext.Stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return buildcontext.Stamp{ModTime: info.ModTime().UnixNano()}
	}
	return buildcontext.Stamp{
		ModTime:    st.Mtim.Nano(),
		ChangeTime: st.Ctim.Nano(),
		Inode:      st.Ino,
		Device:     uint64(st.Dev),
	}
}
