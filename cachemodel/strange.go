package cachemodel

import (
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// plannedFlags are the flags of which the planner knows what they put into a key, by instruction. A BuildKit that has
// more of them is followed as docs/following-buildkit.md says; until then nothing is promised of what has such a flag.
var plannedFlags = map[string][]string{
	"ADD":         {"checksum", "chmod", "chown", "exclude", "keep-git-dir", "link", "unpack"},
	"COPY":        {"chmod", "chown", "exclude", "from", "link", "parents"},
	"FROM":        {"platform"},
	"HEALTHCHECK": {"interval", "retries", "start-interval", "start-period", "timeout"},
	"RUN":         {"device", "mount", "network", "security"},
}

// plannedMountKeys are the keys of a --mount, likewise.
var plannedMountKeys = []string{
	"destination", "dst", "env", "from", "gid", "id", "mode", "readonly", "readwrite", "required", "ro", "rw",
	"sharing",
	"size", "source", "src", "target", "type", "uid",
}

// strange reports whether an instruction has a flag, or a mount a key, of which the planner knows nothing though
// BuildKit takes it.
func strange(in *dockerfile.Instruction) bool {
	if len(in.Flags) == 0 || rejection(in) != "" {
		return false
	}
	for _, f := range in.Flags {
		if !slices.Contains(plannedFlags[in.Meant], f.Name.Text) {
			return true
		}
	}
	if in.Meant != "RUN" {
		return false
	}
	for _, m := range in.Mounts() {
		for _, field := range m.Fields {
			if !slices.Contains(plannedMountKeys, field.Key.Text) {
				return true
			}
		}
	}
	return false
}
