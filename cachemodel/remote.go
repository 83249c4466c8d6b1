package cachemodel

import (
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

func isURL(src string) bool {
	return strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://")
}

// gitRef is a source of ADD that is a git repository (dfgitutil.GitRef).
type gitRef struct {
	remote   string
	name     string // what is checked out: a branch, a tag or a commit
	commit   string // its full name, "" where only the remote can tell
	subdir   string
	keep     bool       // the repository itself is part of what is copied
	settings url.Values // of the query, as far as they change what is checked out
}

var (
	protocol = regexp.MustCompile(`^([a-zA-Z0-9]+)://`)
	// scpStyle is "user@host:path" (sshutil.gitSSHRegex).
	scpStyle = regexp.MustCompile(`^([a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:.*?)(?:\?(.*?))?(?:#(.*))?$`)
	commit   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// parseGit reads a source as dfgitutil.ParseGitRef does, and reports whether it is a git repository.
func parseGit(src string) (gitRef, bool) {
	var ref gitRef
	if !strings.Contains(src, ":") {
		return ref, false
	}
	var fragment string
	if proto := protocol.FindStringSubmatch(src); proto != nil {
		u, err := url.Parse(src)
		if err != nil {
			return ref, false
		}
		switch strings.ToLower(proto[1]) {
		case "http", "https":
			if !strings.HasSuffix(u.Path, ".git") {
				return ref, false
			}
		case "git", "ssh":
		default:
			return ref, false
		}
		ref.settings, fragment = u.Query(), u.Fragment
		u.RawQuery, u.Fragment = "", ""
		ref.remote = u.String()
	} else {
		scp := scpStyle.FindStringSubmatch(src)
		if scp == nil {
			return ref, false
		}
		ref.remote, fragment = scp[1], scp[3]
		ref.settings, _ = url.ParseQuery(scp[2])
	}
	var subdir string
	ref.name, subdir, _ = strings.Cut(fragment, ":")
	ref.subdir = path.Join("/", subdir)
	for _, key := range []string{"ref", "tag", "branch", "checksum", "commit"} { // the most exact wins
		if ref.settings.Has(key) {
			ref.name = ref.settings.Get(key)
		}
	}
	if ref.settings.Has("subdir") {
		ref.subdir = path.Join("/", ref.settings.Get("subdir"))
	}
	if ref.settings.Has("keep-git-dir") {
		keep, err := strconv.ParseBool(ref.settings.Get("keep-git-dir"))
		ref.keep = keep || err != nil
	}
	if commit.MatchString(ref.name) {
		ref.commit = ref.name
	}
	for _, key := range []string{"ref", "tag", "branch", "checksum", "commit", "subdir", "keep-git-dir",
		"fetch-by-commit"} {
		ref.settings.Del(key)
	}
	return ref, true
}

// git is the vertex of a git repository. Its content is known only by a commit's full name.
func (p *planner) git(ref gitRef, t transfer) (v *vertex, digest string) {
	if commit.MatchString(t.checksum) {
		ref.commit = t.checksum
	}
	ref.keep = ref.keep || t.keepGit != nil && *t.keepGit
	what := ref.commit + "\x00" + ref.subdir + "\x00" + ref.settings.Encode()
	if ref.keep { // then what the repository says of itself is part of the content
		what += "\x00" + ref.remote + "\x00" + ref.name
	}
	if ref.commit != "" {
		digest = "git:" + what
	}
	key := (&keyWriter{}).str("git", ref.remote, ref.name, what).done()
	return p.vertex(vertex{kind: remoteVertex, key: key}), digest
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
