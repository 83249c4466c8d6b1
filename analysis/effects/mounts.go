package effects

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// mounting is what the mounts of a RUN change while it runs.
type mounting struct {
	any     bool     // it has one
	hides   bool     // ... that may hide files
	trees   []string // mounted directories, which may hold links to anywhere
	origins map[string]origin
}

// mount lays the mounts of a RUN over the files that are known. It fails where it is not known what they are.
//
// A mount hides what lies at its target. What is written into it does not stay, and of the target itself and the
// directories above it BuildKit removes those again that were not there, if they are empty (moby/buildkit,
// executor/stubs.go); older versions leave them. So they count as made.
func (s *state) mount(e *Effects, in *dockerfile.Instruction, c *instructions.RunCommand) (m mounting, ok bool) {
	m.origins = s.origins
	s.hidden, s.missed = nil, false
	lasting := true // no more than caches and secrets
	for _, f := range in.Flags {
		if !slices.Contains([]string{"network", "security", "mount"}, f.Name.Text) {
			return m, false
		}
	}
	for _, mount := range in.Mounts() {
		m.any = true
		// What is in a cache mount changes nothing that is in the image, or the build is not repeatable as it is: but
		// for one that begins with what is in a stage.
		_, from := mount.Get("from")
		if mount.Type() == "cache" && s.hidesProject(mount) {
			return m, false
		}
		if mount.Type() == "secret" {
			if _, variable := mount.Get("env"); variable {
				return m, false // it may steer a tool
			}
			e.Facts = append(e.Facts, "the secret that is mounted names no file of the project")
		}
		lasting = lasting && (mount.Type() == "cache" && !from || mount.Type() == "secret")
	}
	if lasting || !in.MountsRead {
		return m, lasting
	}
	s.origins = maps.Clone(s.origins)
	for _, mount := range instructions.GetMounts(c) {
		if mount.Type == instructions.MountTypeCache && mount.From != "" {
			return m, false // it begins with what is in a stage
		}
		if mount.Type != instructions.MountTypeBind && mount.Type != instructions.MountTypeTmpfs {
			continue
		}
		m.hides = true
		target := mount.Target
		if !path.IsAbs(target) {
			e.Reads = append(e.Reads, "cwd")
			if s.cwd == "" {
				return m, false
			}
			target = path.Join(s.cwd, target)
		}
		if target = path.Clean(target); target == "/" || s.windows(target) {
			return m, false
		}
		e.Reads, e.Writes = append(e.Reads, target), append(e.Writes, target)
		s.copied = append(s.copied, target) // settings may lie there, as if they were copied
		e.makes(path.Dir(target), "0755 root")
		s.cover(e, target)
		source := path.Join(".", path.Join("/", mount.Source))
		switch name := path.Base(source); {
		case mount.Type == instructions.MountTypeTmpfs || mount.From != "" || s.context == nil:
			s.hidden = append(s.hidden, target)
			if mount.Type == instructions.MountTypeBind {
				m.trees = append(m.trees, target)
			}
		case s.context.List(source) != nil:
			s.origins[tree(target)] = origin{source, s.steps + 1}
			m.trees = append(m.trees, target)
		case slices.Contains(s.context.List(path.Dir(source)), name):
			s.origins[target] = origin{source, s.steps + 1}
		default: // it is not there, or is a link
			return m, false
		}
	}
	return m, true
}

// cover takes away what a mount hides, and what was made already.
func (s *state) cover(e *Effects, target string) {
	for _, dir := range s.made {
		for d := dir; d != "/"; d = path.Dir(d) {
			delete(e.Makes, d)
		}
	}
	for file := range s.origins {
		if strings.HasPrefix(tree(file), tree(target)) {
			delete(s.origins, file)
		}
	}
}

// hidesProject reports whether a mount lies over the working directory.
func (s *state) hidesProject(mount dockerfile.Mount) bool {
	target, ok := mount.Get("target")
	return ok && s.cwd != "" && strings.HasPrefix(tree(s.cwd), tree(path.Clean(target.Text)))
}

// unmount takes the mounts away again.
func (s *state) unmount(e *Effects, m mounting) {
	s.origins = m.origins
	if m.hides {
		e.Directory = "" // what it needs is not taken from the stage
	}
	if s.missed || len(m.trees) > 0 && (e.Calls == nil || slices.ContainsFunc(e.Calls, func(c Call) bool {
		return slices.ContainsFunc(m.trees, c.Touches)
	})) {
		e.opaque()
	}
	s.hidden, s.missed = nil, false
}

// looked notes that a file of the image was looked for, and perhaps where it is not known what is there.
func (s *state) looked(file string) {
	if slices.ContainsFunc(s.hidden, func(dir string) bool { return Nested(dir, file) }) {
		s.missed = true
	}
}
