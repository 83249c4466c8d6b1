// Package remotecache knows the caches that BuildKit exports (`--cache-to`): the keys of their records, as BuildKit
// computes them, and what of a build is found in one.
//
// The package is pure. What it hashes is the JSON of BuildKit's own messages (solver/pb), as solver/llbsolver/ops
// writes it; the types here have their fields in the same order and with the same names.
package remotecache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Digest is a SHA-256 digest as the registries write it: "sha256:" and hexadecimal digits. "" is one that is not known.
type Digest string

// Sum is the digest of a text.
func Sum(text []byte) Digest {
	sum := sha256.Sum256(text)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

func sumJSON(v any) Digest {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // it has no values that JSON has not
	}
	return Sum(text)
}

// Platform is what an operation is run for.
type Platform struct {
	OS        string
	Arch      string
	Variant   string `json:",omitempty"`
	OSVersion string `json:",omitempty"`
}

// Exec is a RUN (pb.ExecOp, ops.ExecOp.CacheMap).
type Exec struct {
	Meta     Meta        `json:"meta"`
	Mounts   []Mount     `json:"mounts,omitempty"`
	Network  int         `json:"network,omitempty"`
	Security int         `json:"security,omitempty"`
	Secrets  []SecretEnv `json:"secretenv,omitempty"`
}

// The numbers of network and security modes, mount types and inputs that BuildKit writes.
const (
	NetworkHost      = 1
	NetworkNone      = 2
	SecurityInsecure = 1
	SecretMount      = 1
	SSHMount         = 2
	CacheMount       = 3
	TmpfsMount       = 4
	None             = -1 // no input, or no output
)

// Meta is what a command is run with.
type Meta struct {
	Args                      []string `json:"args,omitempty"`
	Env                       []string `json:"env,omitempty"`
	Cwd                       string   `json:"cwd,omitempty"`
	User                      string   `json:"user,omitempty"`
	ExtraHosts                []Host   `json:"extraHosts,omitempty"`
	Hostname                  string   `json:"hostname,omitempty"`
	Ulimit                    []Ulimit `json:"ulimit,omitempty"`
	CgroupParent              string   `json:"cgroupParent,omitempty"`
	RemoveMountStubsRecursive bool     `json:"removeMountStubsRecursive,omitempty"`
}

// Host is an extra host; its address is no part of a key.
type Host struct {
	Host string `json:"Host,omitempty"`
}

// Ulimit is one limit.
type Ulimit struct {
	Name string `json:"Name,omitempty"`
	Soft int64  `json:"Soft,omitempty"`
	Hard int64  `json:"Hard,omitempty"`
}

// SecretEnv is a secret in a variable.
type SecretEnv struct {
	ID       string `json:"ID,omitempty"`
	Name     string `json:"name,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// Mount is one mount; what it selects of its source is not in the operation's own key.
type Mount struct {
	Input    int64     `json:"input,omitempty"`
	Dest     string    `json:"dest,omitempty"`
	Output   int64     `json:"output,omitempty"`
	Readonly bool      `json:"readonly,omitempty"`
	Type     int       `json:"mountType,omitempty"`
	Tmpfs    *Tmpfs    `json:"TmpfsOpt,omitempty"`
	Cache    *CacheDir `json:"cacheOpt,omitempty"`
	Secret   *Secret   `json:"secretOpt,omitempty"`
	SSH      *Secret   `json:"SSHOpt,omitempty"`
}

// Tmpfs is a mount in memory.
type Tmpfs struct {
	Size int64 `json:"size,omitempty"`
}

// CacheDir is a cache mount.
type CacheDir struct {
	ID string `json:"ID,omitempty"`
}

// Secret is a secret in a file, or an SSH agent's socket.
type Secret struct {
	ID       string `json:"ID,omitempty"`
	UID      uint32 `json:"uid,omitempty"`
	GID      uint32 `json:"gid,omitempty"`
	Mode     uint32 `json:"mode,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// Digest is the operation's own key.
func (e Exec) Digest(p Platform) Digest {
	if len(e.Mounts) == 1 && e.Mounts[0].Dest == "/" { // the root alone is left out
		e.Mounts = nil
	}
	return sumJSON(struct {
		Type string
		Exec Exec
		Platform
	}{"buildkit.exec.v0", e, p})
}

// Copy is one source of a COPY or ADD (pb.FileActionCopy). Of its source only the last part counts.
type Copy struct {
	Src                string   `json:"src,omitempty"`
	Dest               string   `json:"dest,omitempty"`
	Owner              *Owner   `json:"owner,omitempty"`
	Mode               int32    `json:"mode,omitempty"`
	FollowSymlink      bool     `json:"followSymlink,omitempty"`
	DirCopyContents    bool     `json:"dirCopyContents,omitempty"`
	Unpack             bool     `json:"attemptUnpackDockerCompatibility,omitempty"`
	CreateDestPath     bool     `json:"createDestPath,omitempty"`
	AllowWildcard      bool     `json:"allowWildcard,omitempty"`
	AllowEmptyWildcard bool     `json:"allowEmptyWildcard,omitempty"`
	Timestamp          int64    `json:"timestamp,omitempty"`
	Include            []string `json:"include_patterns,omitempty"`
	Exclude            []string `json:"exclude_patterns,omitempty"`
	ModeStr            string   `json:"modeStr,omitempty"`
	Required           []string `json:"required_paths,omitempty"`
}

// Mkdir makes a directory (pb.FileActionMkDir).
type Mkdir struct {
	Path        string `json:"path,omitempty"`
	Mode        int32  `json:"mode,omitempty"`
	MakeParents bool   `json:"makeParents,omitempty"`
	Owner       *Owner `json:"owner,omitempty"`
	Timestamp   int64  `json:"timestamp,omitempty"`
}

// Mkfile makes a file (pb.FileActionMkFile).
type Mkfile struct {
	Path      string `json:"path,omitempty"`
	Mode      int32  `json:"mode,omitempty"`
	Data      []byte `json:"data,omitempty"`
	Timestamp int64  `json:"timestamp,omitempty"`
}

// Owner is who a file is given to (pb.ChownOpt).
type Owner struct {
	User  *ID `json:"user,omitempty"`
	Group *ID `json:"group,omitempty"`
}

// ID is a user or a group, by its name in the input or by its number.
type ID struct {
	User struct {
		Name   *Named `json:"byName,omitempty"`
		Number uint32 `json:"byId,omitempty"`
	}
}

// Named is a name with the input whose /etc/passwd or /etc/group has it.
type Named struct {
	Name  string `json:"name,omitempty"`
	Input int64  `json:"input,omitempty"`
}

// Action is one action of a file operation, with its input, the input that it copies from, and its output; these count
// from the operation's inputs on through its actions.
type Action struct {
	Do                       any // a Copy, a Mkdir or a Mkfile
	Input, Secondary, Output int
}

// File is the own key of a file operation with that number of inputs (ops.fileOp.CacheMap).
func File(actions []Action) Digest {
	texts := make([][]byte, len(actions))
	indexes := make([][]int, len(actions))
	usual := len(actions) > 0
	for i, a := range actions {
		var err error
		if texts[i], err = json.Marshal(a.Do); err != nil {
			return ""
		}
		indexes[i] = []int{a.Input, a.Secondary, a.Output}
		before := 0
		if i > 0 {
			before = len(actions) + i - 1
		}
		last := None
		if i == len(actions)-1 {
			last = 0
		}
		usual = usual && a.Input == before && (a.Secondary == None || a.Secondary == 1) && a.Output == last
	}
	if usual {
		indexes = nil
	}
	return sumJSON(struct {
		Type    string
		Actions [][]byte
		Indexes [][]int `json:"indexes,omitempty"`
	}{"buildkit.file.v0", texts, indexes})
}

// Merge is the own key of what joins a COPY --link to what it stands on.
func Merge() Digest {
	type in struct {
		Input int64 `json:"input,omitempty"`
	}
	type merge struct {
		Inputs []in `json:"inputs,omitempty"`
	}
	return sumJSON(struct {
		Type  string
		Merge merge
	}{"buildkit.merge.v0", merge{[]in{{0}, {1}}}})
}

// Image is the own key of a base image, by the digest of its manifest or index (source/containerimage).
func Image(manifest Digest, p Platform) Digest {
	key := sumJSON(struct {
		Digest Digest
		Platform
	}{manifest, p})
	return Sum([]byte("buildkit.source.v0:" + string(key)))
}

// Selector is the digest of the paths that an operation reads of an input.
func Selector(paths []string) Digest { return Sum([]byte(strings.Join(paths, "\x00"))) }

// Content is the key of what is read of an input, from the digests of what each path selects.
func Content(digests []Digest) Digest {
	texts := make([]string, len(digests))
	for i, d := range digests {
		texts[i] = string(d)
	}
	return Sum([]byte(strings.Join(texts, "\x00")))
}

// record is the digest of the record of an operation's output; content has the output -1 (solver.rootKey).
func record(d Digest, output int) Digest { return Sum(fmt.Appendf(nil, "%s@%d", d, output)) }
