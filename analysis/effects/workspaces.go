package effects

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

// mostMembers is how many packages a workspace may have: each needs a COPY of its own.
const mostMembers = 40

// noNewMember is what an installation of a workspace rests on.
const noNewMember = "the workspaces are those that are there now: one that is added needs a COPY of its package.json"

// workspaces gives the patterns of the field "workspaces" of a package.json.
func (p *packageJSON) workspaces() (patterns []string, ok bool) {
	list := p.Workspaces
	if form, is := list.(map[string]any); is {
		list = form["packages"]
		if len(form) > 2 || len(form) == 2 && form["nohoist"] == nil {
			return nil, false
		}
	}
	return texts(list)
}

// texts gives a list of texts.
func texts(value any) (list []string, ok bool) {
	all, isList := value.([]any)
	for _, v := range all {
		text, isText := v.(string)
		if !isText {
			return nil, false
		}
		list = append(list, text)
	}
	return list, isList || value == nil
}

// membersOf is members, by the patterns that a package.json has.
func (s *state) membersOf(e *Effects, c Call, l line, p *packageJSON) (dirs []string, ok bool) {
	patterns, ok := p.workspaces()
	if !ok {
		return nil, false
	}
	return s.members(e, c, l, patterns)
}

// members gives the directories of the packages of a workspace, below the working directory, by the patterns that name
// them. It fails where a pattern is not plain, or a package is one whose installation may read more of the project.
func (s *state) members(e *Effects, c Call, l line, patterns []string) (dirs []string, ok bool) {
	deepest := 0
	for _, p := range patterns {
		if strings.ContainsAny(p, "{}()[]\\$") || path.IsAbs(p) || strings.Contains(p, "..") {
			return nil, s.no("a pattern of the workspaces is not a plain one")
		}
		deepest = max(deepest, strings.Count(p, "/")+1)
		if strings.Contains(p, "**") {
			deepest = 6
		}
	}
	budget := 2000
	var walk func(dir string, depth int) bool
	walk = func(dir string, depth int) bool {
		for _, name := range s.names(path.Join(c.cwd, dir)) {
			if budget--; budget < 0 {
				return false
			}
			at := path.Join(dir, name)
			if name == "node_modules" || name == ".git" {
				continue
			}
			if c.exists(s, at+"/package.json") && isMember(patterns, at) {
				dirs = append(dirs, at)
			}
			if depth > 1 && !walk(at, depth-1) {
				return false
			}
		}
		return true
	}
	if deepest > 0 && !walk("", deepest) || len(dirs) > mostMembers {
		return nil, s.no("the project has too many directories for its workspaces to be followed")
	}
	for _, dir := range dirs {
		inner := c
		inner.cwd = path.Join(c.cwd, dir)
		if !s.plainMember(e, inner, l) {
			return nil, false
		}
	}
	switch {
	case len(dirs) > 0:
		e.Facts = append(e.Facts, noNewMember)
	case len(patterns) > 0:
		return nil, s.no("no package of the workspaces is there")
	}
	return dirs, true
}

// isMember reports whether a directory is one of those that patterns name, of which those with "!" take some away.
func isMember(patterns []string, dir string) (is bool) {
	for _, p := range patterns {
		plain, negated := strings.CutPrefix(p, "!")
		parts := slices.CompactFunc(strings.Split(path.Clean(plain), "/"), func(a, b string) bool {
			return a == "**" && b == "**" // each more is as good as one, and costs as much again
		})
		if matchPath(parts, strings.Split(dir, "/")) {
			is = !negated
		}
	}
	return is
}

// matchPath reports whether a pattern matches a path, both in parts. "**" stands for any number of directories.
func matchPath(pattern, parts []string) bool {
	if len(pattern) == 0 {
		return len(parts) == 0
	}
	if pattern[0] == "**" && (matchPath(pattern[1:], parts) || len(parts) > 0 && matchPath(pattern, parts[1:])) {
		return true
	}
	if len(parts) == 0 {
		return false
	}
	is, err := path.Match(pattern[0], parts[0])
	return is && err == nil && matchPath(pattern[1:], parts[1:])
}

// plainMember reports whether the installation of a workspace reads no more of a package of it than its package.json.
func (s *state) plainMember(e *Effects, c Call, l line) bool {
	text, ok := c.file(s, "package.json")
	var p packageJSON
	var fields map[string]json.RawMessage
	at := path.Join(c.cwd, "package.json")
	switch {
	case !ok || json.Unmarshal([]byte(text), &p) != nil || json.Unmarshal([]byte(text), &fields) != nil ||
		!plainFields(text):
		return s.no(at + " cannot be read")
	case p.Name == "" || p.Version == "":
		return s.no(at + " lacks a name or a version")
	case fields["bin"] != nil || fields["directories"] != nil || fields["man"] != nil:
		return s.no(at + " has programs, which are linked only where they are there")
	case p.Workspaces != nil || p.PNPM != nil || p.Patched != nil || p.Plugins != nil || !notInjected(p.Meta) ||
		!plainNPMRC(s, c):
		return s.no(at + ", or the settings there, may name more of the project")
	case !l.has("--ignore-scripts", "--ignore-scripts=true") && !p.plainScripts(s, e, c):
		return false
	case p.namesFiles(true):
		return s.no(at + " names a file or directory of the project")
	}
	return true
}

// notInjected reports whether dependenciesMeta has no package of the workspace copied.
func notInjected(meta map[string]any) bool {
	for _, value := range meta {
		if settings, ok := value.(map[string]any); !ok || settings["injected"] != nil {
			return false
		}
	}
	return true
}

// plainMemberVersion is a version of a package of the workspace, or one that the workspace's settings name.
var plainMemberVersion = regexp.MustCompile(`^workspace:([*^~]|[~^]?[0-9][0-9A-Za-z.+-]*)$|^catalog:[A-Za-z0-9_-]*$`)

// namesFiles reports whether a package.json names a file or directory of the project. In a workspace it may name other
// packages of that.
func (p *packageJSON) namesFiles(workspace bool) bool {
	for _, list := range []map[string]string{p.Dependencies, p.DevDependencies, p.OptionalDependencies,
		p.PeerDependencies} {
		for _, version := range list {
			if namesFiles(version) && !(workspace && plainMemberVersion.MatchString(version)) {
				return true
			}
		}
	}
	return namesFiles(p.Overrides) || namesFiles(p.Resolutions) || namesFiles(p.PNPM)
}

// packagesAbove adds the package.json files of the directories above, which package managers look at. It fails where
// one has workspaces, of which the package at hand may be one.
func (s *state) packagesAbove(e *Effects, c Call) bool {
	if c.cwd == "" {
		return false
	}
	for dir := c.cwd; dir != "/"; {
		dir = path.Dir(dir)
		at := path.Join(dir, "package.json")
		e.Reads = append(e.Reads, at)
		if !s.there(at) {
			continue
		}
		text, ok := s.source(at)
		var p packageJSON
		if !ok || json.Unmarshal(text, &p) != nil || p.Workspaces != nil || !plainFields(string(text)) {
			return s.no("a project above the working directory may have this one as a part")
		}
	}
	return true
}

// ofMembers gives the manifests of the packages of a workspace, and the directories that an installation makes there.
func ofMembers(members []string) (manifests, writes []string) {
	for _, dir := range members {
		manifests, writes = append(manifests, dir+"/package.json"), append(writes, dir+"/node_modules/")
	}
	return manifests, writes
}
