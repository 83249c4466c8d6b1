// Package buildcontext is the build context as BuildKit sees it: an immutable tree of the files that .dockerignore
// leaves, and the content digest of whatever a COPY, ADD or bind mount selects of it.
//
// The package is pure: file contents come in through the Hasher. It must not know Dockerfile syntax, cache keys or
// where the files live; its subpackages read them from a directory (disk) or a git commit (gittree).
package buildcontext

// Query names what one source of a COPY, ADD or bind mount reads, in the terms of BuildKit's content hash
// (solver/llbsolver/ops/opsutils.Selector).
type Query struct {
	Path        string // absolute within the context, slash-separated and clean: "/" is the whole context
	Wildcard    bool   // Path may hold a pattern
	FollowLinks bool   // symlinks in Path itself are followed
	Include     []string
	Exclude     []string
	Required    []string
}

// ChangeKind says how an entry of the context differs from the baseline's.
type ChangeKind string

// The kinds of changes.
const (
	Added    ChangeKind = "added"
	Removed  ChangeKind = "removed"
	Modified ChangeKind = "modified" // content, size or link target
	Mode     ChangeKind = "mode"     // permissions only
	Type     ChangeKind = "type"     // a file became a directory, a link a file, ...
)

// Change is one entry that differs between two trees.
type Change struct {
	Path string // relative to the context, slash-separated
	Kind ChangeKind
}

// Tree is an immutable snapshot of a build context.
type Tree struct{}

// Digest returns the content digest of what q selects: two trees give the same digest if and only if BuildKit's
// content hash is the same. It is computed once per tree and query. The error says what cannot be read or is not there.
func (t *Tree) Digest(q Query) (string, error) { return "", nil }

// Diff lists what differs between base and next among the entries that any of the queries selects, in order of path.
func Diff(base, next *Tree, queries []Query) []Change { return nil }
