package cachemodel

import (
	"fmt"
	"net/url"
	"path"
	"regexp"

	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
)

var commit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// git is the vertex of a git repository. Its content is known only by a commit's full name. The error is BuildKit's
// own, of an address that it takes for a repository's and then rejects.
func (p *planner) git(src string, t transfer) (v *vertex, digest string, err error) {
	ref, _, err := dfgitutil.ParseGitRef(src)
	if err != nil {
		return nil, "", err
	}
	known := ""
	for _, name := range []string{ref.Ref, ref.Checksum, t.checksum} { // the most exact wins
		if commit.MatchString(name) {
			known = name
		}
	}
	submodules := ref.Submodules == nil || *ref.Submodules
	what := fmt.Sprint(known, "\x00", path.Join("/", ref.SubDir), "\x00", submodules, "\x00", ref.MTime)
	if t.keepGit != nil && *t.keepGit || ref.KeepGitDir != nil && *ref.KeepGitDir {
		what += "\x00" + ref.Remote + "\x00" + ref.Ref // what the repository says of itself is part of the content
	}
	if known != "" {
		digest = "git:" + what
	}
	key := (&keyWriter{}).str("git", ref.Remote, ref.Ref, what).done()
	return p.vertex(vertex{kind: remoteVertex, key: key}), digest, nil
}

// http is the vertex of a URL, with the name of its file (dockerfile2llb.dispatchCopy). Its content is known only by a
// checksum.
func (p *planner) http(src, checksum string) (v *vertex, name, digest string) {
	name = "__unnamed__"
	if u, err := url.Parse(src); err == nil {
		if base := path.Base(u.Path); base != "." && base != "/" {
			name = base
		}
	}
	if checksum != "" {
		digest = "http:" + checksum
	}
	key := (&keyWriter{}).str("http", src, name, checksum).done()
	return p.vertex(vertex{kind: remoteVertex, key: key}), name, digest
}
