// Package effects says what each instruction of a stage reads and writes: files of the image, variables, the working
// directory, the user, the shell and the image's configuration. Two instructions of which neither writes what the
// other reads or writes may change places.
//
// What a command of a RUN does is known only for the commands of the table Commands; all others read and write
// everything. Where anything is in doubt the effects are too large, never too small. The package is pure: files of the
// build context come in through Context. It must not know the cache, histories or protocols.
package effects

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Context is the build context without what is ignored.
type Context interface {
	// List gives the names in a directory in order, those of directories with a "/" behind and those of links and
	// special files with an "@". The context itself is ".". It is nil if there is no such directory.
	List(dir string) []string
	// Read gives the content of a regular file.
	Read(file string) (content []byte, ok bool)
	// Excluded reports whether the ignore file keeps a path, and all below it, out of every build: also where it is
	// there, as on a machine on which the project was built without a container.
	Excluded(path string) bool
	// Keeps reports whether a line of the ignore file, one with a "!", keeps a part of a directory in builds.
	Keeps(dir string) bool
}

// Keeps reports whether a line of an ignore file, one with a "!", may keep something that lies in a directory.
func Keeps(line, dir string) bool {
	pattern, negated := strings.CutPrefix(strings.TrimSpace(line), "!")
	if !negated {
		return false
	}
	parts := strings.Split(strings.Trim(path.Clean("/"+pattern), "/"), "/")
	names := strings.Split(dir, "/")
	for i, part := range parts {
		if part == "**" || i == len(names) {
			return true
		}
		if ok, err := path.Match(part, names[i]); err == nil && !ok {
			return false
		}
	}
	return false // the directory itself, or one above
}

// Effects is what one instruction does, at its place in the file. Files are absolute paths of the image; a path that
// ends with "/" is a directory with all that is in it. Other names are "env:NAME" (a variable), "env:*" (all of them),
// "env:?" (all but those that only name a build), "cwd", "user", "shell", and "config:FIELD".
type Effects struct {
	Reads  []string
	Writes []string
	// Makes are the directories that are made if they are not there, with the owner and permissions they then get.
	Makes map[string]string
	// Facts are what the effects rest on, beside the text: one sentence each about a known command.
	Facts []string
	// Opaque says that a command is not known, so that everything is read and written.
	Opaque bool
	// Why says of something opaque which command it is and what is not known of it.
	Why string
	// Copies, for COPY and ADD from the build context, gives each file or directory (with "/" behind) of the context
	// that is copied and where it goes. It is nil where that is not known.
	Copies map[string]string
	// Trees are the directories of the context of which all is copied that is in them, with where it goes: what they
	// hold now is in Copies, and in another working tree they may hold more. "." is the context.
	Trees map[string]string
	// Patterns are the patterns of files of the context that are copied, with the directory that these go to: in
	// another working tree more may match.
	Patterns map[string]string
	// Dest is the directory that a COPY or ADD copies into, "" if it is not known to be one.
	Dest string
	// Cwd is the working directory of the instruction, "" if it is not known.
	Cwd string
	// Script is what the shell of a RUN gets, and Parts are its commands one after the other; both are empty where it
	// may not be divided.
	Script string
	Parts  []Part
	// Calls are all simple commands of a RUN, nil where there may be others.
	Calls []Call
	// Locks are files that a command may write anew in another form, though nothing in them changes.
	Locks []string
	// Perhaps are files and, with "/" behind, directories that a command reads if they are there, as patterns: it does
	// so also in a working tree that has them though the one at hand has not.
	Perhaps []string
	// Named are files that a command names because they are there: to change, remove or read them.
	Named []string
	// Entered are directories that must be there, and of which no more is read than that.
	Entered []string
	// Linked says that a command above may have made links, so that paths may be other than they seem.
	Linked  bool
	cache   *indexes
	manager bool // of packages, or what else takes notice of the variables that steer such
	// Packages says that it installs packages of the system.
	Packages bool
	// Directory is where a known command finds the files that it reads, "" for all other instructions.
	Directory string
}

// Part is a command of a RUN's script, or several that belong together.
type Part struct {
	Effects
	Start, End int // where it stands in the script
	// Options says that it is a "set" or "cd" that begins the script, and that holds for all that comes after it.
	Options bool
	// Divides says that the script may end here and go on in another RUN, which begins with the same options: no
	// command up to here leaves anything in the shell, and the script ends here, too, if this part fails.
	Divides bool
}

// Stage returns the effects of each instruction of a stage. bases are the stages it builds upon, the first one first.
func Stage(file *dockerfile.File, stage *dockerfile.Stage, bases []*dockerfile.Stage, context Context) []Effects {
	s := newState(file, context)
	for i, base := range bases {
		s.stage(base, i == 0)
	}
	return s.stage(stage, len(bases) == 0)
}

type state struct {
	file     *dockerfile.File
	context  Context
	lex      *shell.Lex
	env      map[string]string // the variables whose values are known
	cwd      string            // "" if it is not known
	cwdFact  string            // what cwd rests upon, if not on the text alone
	official string            // the name of the official image that the stage begins with, "" if it is none
	user     string            // "?" if it is not known
	shell    []string          // nil is the default
	made     []string          // directories that are there, whatever moves
	paths    []string          // directories that were put into PATH
	linked   bool              // a command may have made links that are not known
	links    []link            // those that are
	vague    map[string]bool   // variables that are set to a value that is not known
	copied   []string          // all that COPY and ADD have written
	into     []string          // directories that were copied into
	homes    []string          // of users that the stage has made
	triggers bool              // the stage that this one builds upon has ONBUILD
	corepack bool              // Corepack may stand in for yarn and pnpm
	origins  map[string]origin // of files of the image, what of the context they were copied from
	filled   map[string]bool   // directories of the image into which something was copied
	written  []written         // what was written since, or from elsewhere
	hidden   []string          // directories with a mount whose content is not known
	missed   bool              // such a one was looked into
	why      string            // what is not known of the command at hand
	stamped  []string          // variables that name the build, in the files that this command reads
	steps    int
	kinds    map[string]variableKind

	outside outside // what earlier steps have put outside of the project

	pathUnsure bool // PATH may name any directory
	hooked     bool // something may steer the system's package manager
}

func newState(file *dockerfile.File, context Context) *state {
	return &state{
		file:    file,
		context: context,
		lex:     shell.NewLex(rune(file.Escape)),
		env:     map[string]string{},
		vague:   map[string]bool{},
		origins: map[string]origin{},
		filled:  map[string]bool{},
		kinds:   map[string]variableKind{},
		user:    "?",
	}
}

// stage goes through a stage; onImage says that it does not go on from another one.
func (s *state) stage(stage *dockerfile.Stage, onImage bool) []Effects {
	all := make([]Effects, len(stage.Instructions))
	triggered := s.triggers
	if triggered { // they run first, whatever they do
		s.triggered()
	}
	for i, in := range stage.Instructions {
		if _, ok := in.Command.(*instructions.OnbuildCommand); ok {
			s.triggers = true
		}
		if in.From != nil && onImage && strings.EqualFold(in.From.BaseName, "scratch") {
			s.cwd, s.user, s.official = "/", "", "scratch"
		}
		if in.From != nil && onImage {
			s.startsIn(in.From.BaseName)
		}
		all[i] = s.instruction(in)
		all[i].Linked = s.linked || s.outside.linked
		all[i].compact()
		s.steps++
		switch {
		case in.From != nil && !triggered:
			continue
		case all[i].Copies == nil:
			s.written = append(s.written, written{s.steps, all[i].Writes})
			continue
		}
		for from, to := range all[i].Copies {
			s.origins[to] = origin{from, s.steps}
			for dir := path.Dir(path.Clean(to)); len(dir) > 1 && !s.filled[dir]; dir = path.Dir(dir) {
				s.filled[dir] = true
			}
		}
	}
	return all
}

// triggered forgets what is known of an image whose ONBUILD runs first.
func (s *state) triggered() {
	s.env, s.vague, s.cwd, s.cwdFact, s.user, s.official, s.linked, s.pathUnsure, s.hooked = map[string]string{},
		map[string]bool{}, "", "", "?", "", true, true, true
	s.triggers, s.made = false, nil
}

// compact leaves out what is said twice.
func (e *Effects) compact() {
	for _, list := range []*[]string{&e.Reads, &e.Writes, &e.Named, &e.Locks, &e.Perhaps} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

// origin is what of the context was copied, and at which step.
type origin struct {
	from string
	step int
}

// written is what a step has written that is not known from the context.
type written struct {
	step   int
	writes []string
}

// origin gives what of the context was copied to a place of the image.
func (s *state) origin(file string) (origin, bool) {
	s.looked(file)
	if found, ok := s.origins[file]; ok {
		return found, true
	}
	for dir := path.Dir(file); len(dir) > 1; dir = path.Dir(dir) {
		if found, ok := s.origins[tree(dir)]; ok {
			return origin{path.Join(found.from, strings.TrimPrefix(file, tree(dir))), found.step}, true
		}
	}
	return origin{}, false
}

// source reads a file of the image that was copied from the context, and that nothing may have changed since.
func (s *state) source(file string) ([]byte, bool) {
	found, ok := s.origin(file)
	if !ok || s.context == nil ||
		slices.ContainsFunc(
			s.written,
			func(w written) bool { return w.step > found.step && clash(w.writes, []string{file}) },
		) {
		return nil, false
	}
	content, ok := s.context.Read(found.from)
	s.stamped = append(s.stamped, stampsIn(string(content))...)
	return content, ok
}

// stampsIn gives the variables that name the build, as "env:NAME", that a file of settings or a manifest refers to.
func stampsIn(text string) (list []string) {
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		if Stamp(m[1]) {
			list = append(list, "env:"+m[1], "env:"+strings.ToUpper(m[1])) // MSBuild does not tell them apart
		}
	}
	return list
}

// reference is a reference to a variable: $NAME, ${NAME}, $(NAME), ENV["NAME"] or %NAME%.
var reference = regexp.MustCompile(`(?:\$\{env\.|\$[{(]?|%|ENV\[["'])([A-Za-z_][A-Za-z0-9_]*)`)

// there reports whether a file or directory of the image was copied from the context.
func (s *state) there(file string) bool {
	s.looked(file)
	if _, ok := s.origins[tree(file)]; ok || s.filled[file] {
		return true
	}
	found, ok := s.origin(file)
	if !ok || s.context == nil {
		return false
	}
	return slices.ContainsFunc(
		s.context.List(path.Dir(found.from)),
		func(n string) bool { return strings.TrimRight(n, "/@") == path.Base(found.from) },
	)
}

// names gives the names that were copied into a directory of the image.
func (s *state) names(dir string) (names []string) {
	s.looked(dir)
	for to := range s.origins {
		if path.Dir(strings.TrimSuffix(to, "/")) == dir {
			names = append(names, path.Base(to))
		}
	}
	for to, found := range s.origins {
		if strings.HasSuffix(to, "/") && strings.HasPrefix(tree(dir), to) && s.context != nil {
			for _, name := range s.context.List(path.Join(strings.TrimSuffix(found.from, "/"),
				strings.TrimPrefix(tree(dir), to))) {
				names = append(names, strings.TrimRight(name, "/@"))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// mostExpanded is how many bytes the variables of one word may have: ENV A1=$A0$A0, ENV A2=$A1$A1 and so on doubles with
// each line.
const mostExpanded = 4 << 10

// variables are what a word that is expanded sees.
type variables struct {
	env  map[string]string
	size int // of the values that were asked for
}

func (v *variables) Get(name string) (string, bool) {
	value, ok := v.env[name]
	if v.size += len(value); v.size > mostExpanded {
		return "", ok
	}
	return value, ok
}

func (v *variables) Keys() []string { return slices.Collect(maps.Keys(v.env)) }

// expand gives the value of a word, if all of its variables are known and not too long.
func (s *state) expand(word string) (string, bool) {
	if !strings.ContainsAny(word, "$'\"\\`") {
		return word, true
	}
	env := &variables{env: s.env}
	result, err := s.lex.ProcessWordWithMatches(word, env)
	if err != nil || len(result.Unmatched) > 0 || env.size > mostExpanded {
		return "", false
	}
	return result.Result, true
}

// startsIn notes the working directory and the user of a well-known image.
func (s *state) startsIn(ref string) {
	if images.Windows(strings.ToLower(ref)) { // another shell, other directories, names that differ in case only
		s.shell, s.pathUnsure = []string{"cmd"}, true
	}
	if strings.Contains(ref, "onbuild") { // its triggers run first
		s.triggered()
		return
	}
	image := images.Known(ref)
	if image == nil {
		return
	}
	if image.Root {
		s.official = image.Name
	}
	if image.Workdir != "" {
		s.cwd = image.Workdir
		s.cwdFact = "the working directory of the official image " + image.Name + " is " + image.Workdir
	}
}

func (s *state) instruction(in *dockerfile.Instruction) (e Effects) {
	fact := s.cwdFact
	defer func() {
		if fact != "" && slices.Contains(e.Reads, "cwd") {
			e.Facts = append(e.Facts, fact)
		}
	}()
	e.Cwd = s.cwd
	for _, v := range dockerfile.Variables(in) {
		if v.By == dockerfile.Frontend && in.Trigger == nil {
			e.Reads = append(e.Reads, "env:"+v.Name.Text)
		}
	}
	switch c := in.Command.(type) {
	case *instructions.EnvCommand:
		s.envCommand(&e, c)
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			e.Writes = append(e.Writes, "env:"+arg.Key)
			s.set(arg.Key, "", false) // --build-arg may give it any value
			s.pathUnsure = s.pathUnsure || arg.Key == "PATH"
		}
	case *instructions.WorkdirCommand:
		s.workdir(&e, c)
	case *instructions.UserCommand:
		e.Writes = append(e.Writes, "user", "config:user")
		s.user = "?"
		if user, ok := s.expand(c.User); ok {
			s.user = user
		}
	case *instructions.ShellCommand:
		e.Writes = append(e.Writes, "shell")
		s.shell = c.Shell
	case *instructions.CopyCommand:
		s.copy(&e, in, c.SourcesAndDest, c.From, c.Chown, c.Chmod, c.Link, len(c.ExcludePatterns) > 0 || c.Parents,
			false)
	case *instructions.AddCommand:
		s.copy(&e, in, c.SourcesAndDest, "", c.Chown, c.Chmod, c.Link, len(c.ExcludePatterns) > 0, true)
	case *instructions.RunCommand:
		s.run(&e, in, c)
	case *instructions.CmdCommand:
		e.Writes = append(e.Writes, "config:cmd")
		e.shellForm(c.PrependShell)
	case *instructions.EntrypointCommand:
		e.Writes = append(e.Writes, "config:cmd", "config:entrypoint") // it clears a CMD of the base image
		e.shellForm(c.PrependShell)
	case *instructions.HealthCheckCommand:
		e.Reads = append(e.Reads, "shell")
		e.Writes = append(e.Writes, "config:healthcheck")
	case *instructions.LabelCommand, *instructions.ExposeCommand, *instructions.VolumeCommand,
		*instructions.StopSignalCommand,
		*instructions.MaintainerCommand, *instructions.OnbuildCommand:
		e.Writes = append(e.Writes, "config:"+strings.ToLower(in.Meant))
	default: // a FROM, or what cannot be read
		e.opaque()
		e.Writes = append(e.Writes, "env:*", "cwd", "user", "shell")
	}
	return e
}

func (s *state) envCommand(e *Effects, c *instructions.EnvCommand) {
	e.Writes = append(e.Writes, "config:env")
	next := map[string]string{}
	for _, pair := range c.Env {
		key, ok := s.expand(pair.Key)
		if !ok {
			e.Writes = append(e.Writes, "env:*")
			continue
		}
		e.Writes = append(e.Writes, "env:"+key)
		if value, ok := s.expand(pair.Value); ok {
			next[key] = value
		} else {
			next[key] = unknown
		}
		if key == "PATH" {
			s.searches(pair.Value)
		}
	}
	for key, value := range next {
		s.set(key, value, value != unknown)
	}
}

func (s *state) workdir(e *Effects, c *instructions.WorkdirCommand) {
	e.Reads = append(e.Reads, "user")
	dir, ok := s.expand(c.Path)
	if !ok || s.windows(dir) {
		s.cwd, e.Opaque = "", true
		return
	}
	if !path.IsAbs(dir) {
		e.Reads = append(e.Reads, "cwd")
		if s.cwd == "" {
			e.Writes = append(e.Writes, "cwd", "/")
			return
		}
		dir = path.Join(s.cwd, dir)
	} else {
		s.cwdFact = ""
	}
	s.cwd = s.resolve(path.Clean(dir))
	e.Cwd = s.cwd
	e.Writes = append(e.Writes, "cwd")
	e.makes(s.cwd, "0755 "+s.owner())
	s.made = append(s.made, s.cwd)
}

// set notes what is known of a variable.
func (s *state) set(name, value string, known bool) {
	delete(s.env, name)
	delete(s.vague, name)
	if known {
		s.env[name] = value
	} else {
		s.vague[name] = true
	}
}

func (s *state) windows(dir string) bool { return strings.ContainsAny(dir, `\:`) }

func (s *state) owner() string {
	if s.user == "?" {
		return "user"
	}
	if s.user == "" {
		return "root"
	}
	return s.user
}

func (e *Effects) shellForm(is bool) {
	if is {
		e.Reads = append(e.Reads, "shell")
	}
}

func (e *Effects) opaque() {
	if e.Opaque {
		return
	}
	e.Opaque = true
	e.Reads = append(e.Reads, "/", "env:*", "cwd", "user", "shell")
	e.Writes = append(e.Writes, "/")
}

// makes notes that a directory and those above it are made where they are missing.
func (e *Effects) makes(dir, how string) {
	if e.Makes == nil {
		e.Makes = map[string]string{}
	}
	for d := path.Clean(dir); d != "/" && d != "."; d = path.Dir(d) {
		e.Makes[d] = how
	}
}

// unpacked reports whether ADD may unpack a file of the context. BuildKit goes by what is in it (moby/buildkit,
// solver/llbsolver/file/backend.go: unpack; docker/pkg/archive: DetectCompression).
func (s *state) unpacked(in *dockerfile.Instruction, name string) bool {
	for _, f := range in.Flags {
		if f.Name.Text == "unpack" {
			return !strings.EqualFold(f.Value.Text, "false")
		}
	}
	content, ok := s.context.Read(strings.TrimSuffix(name, "@"))
	if !ok {
		return true
	}
	for _, magic := range []string{"\x1f\x8b", "BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd", "\x5d\x00\x00"} {
		if strings.HasPrefix(string(content[:min(len(content), 8)]), magic) {
			return true
		}
	}
	return len(content) >= 512 && (string(content[257:262]) == "ustar" || slices.Contains(content[:512], 0))
}

// copying is what is known of a COPY or ADD while its sources are gone through.
type copying struct {
	dest                    string
	isDir                   bool // dest is a directory
	known                   bool // all that is copied is at hand
	copies, trees, patterns map[string]string
}

func (s *state) copy(
	e *Effects,
	in *dockerfile.Instruction,
	c instructions.SourcesAndDest,
	from, chown, chmod string,
	link, patterns, add bool,
) {
	if chown != "" && strings.Trim(chown, "0123456789:") != "" {
		e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	}
	dest, isDir, ok := s.destination(e, c)
	if !ok {
		return
	}
	for _, doc := range c.SourceContents {
		if isDir {
			e.Writes = append(e.Writes, path.Join(dest, doc.Path))
		} else {
			e.Writes = append(e.Writes, dest)
		}
	}
	fromContext := from == "" && s.context != nil && !patterns
	k := copying{
		dest: dest, isDir: isDir, known: fromContext && !link,
		copies: map[string]string{}, trees: map[string]string{}, patterns: map[string]string{},
	}
	for _, src := range c.SourcePaths {
		src, ok := s.expand(src)
		if ok && fromContext && !remote(src) && s.copySource(e, in, &k, src, add) {
			continue
		}
		k.known = false
		e.Writes = append(e.Writes, tree(dest))
	}
	e.writesCopies(&k, strings.ContainsAny(strings.Join(c.SourcePaths, ""), "*?["))
	if k.known && len(c.SourceContents) == 0 {
		e.Copies, e.Trees, e.Patterns = k.copies, k.trees, k.patterns
	}
	s.copied = append(s.copied, e.Writes...)
	s.copiesSettings(e, c, from, in.Stage)
	s.into = append(s.into, path.Dir(dest))
	owner := ownerOfCopies(chown, chmod)
	if k.isDir {
		e.Dest = dest
		s.into = append(s.into, dest)
		e.makes(dest, owner)
	} else {
		e.makes(path.Dir(dest), owner)
	}
	for _, dir := range s.made { // whoever comes first, it is there
		if !link {
			for d := dir; d != "/"; d = path.Dir(d) {
				delete(e.Makes, d)
			}
		}
	}
}

// destination gives where a COPY or ADD puts its sources, and whether that is a directory for sure. It fails if the
// place is not known.
func (s *state) destination(e *Effects, c instructions.SourcesAndDest) (dest string, isDir, ok bool) {
	dest, ok = s.expand(c.DestPath)
	if !ok || s.windows(dest) {
		e.opaque()
		return "", false, false
	}
	isDir = strings.HasSuffix(dest, "/") || dest == "." || dest == ".." || strings.HasSuffix(dest, "/.") ||
		len(c.SourcePaths)+len(c.SourceContents) > 1
	if !path.IsAbs(dest) {
		e.Reads = append(e.Reads, "cwd")
		if s.cwd == "" {
			e.Reads, e.Writes = append(e.Reads, "/"), append(e.Writes, "/")
			return "", false, false
		}
		dest = path.Join(s.cwd, dest)
	}
	return s.resolve(path.Clean(dest)), isDir, true
}

func ownerOfCopies(chown, chmod string) string {
	owner := strings.TrimSpace(chmod + " " + chown)
	if chmod == "" {
		owner = "0755 " + chown
	}
	if chown == "" {
		owner += "root"
	}
	return owner
}

// copySource notes what a source names in the context. It reports false if that is nothing.
func (s *state) copySource(e *Effects, in *dockerfile.Instruction, k *copying, src string, add bool) bool {
	found := glob(s.context, src)
	if len(found) == 0 { // it will be made before the build, perhaps
		return false
	}
	if strings.ContainsAny(src, "*?[") {
		k.patterns[path.Clean(src)] = k.dest
	}
	for _, name := range found {
		if strings.HasSuffix(name, "/") { // the contents of a directory
			k.isDir = true
			k.trees[path.Clean(name)] = k.dest
			for _, child := range s.context.List(strings.TrimSuffix(name, "/")) {
				to := path.Join(k.dest, strings.TrimSuffix(child, "@"))
				k.copies[path.Join(name, child)+slashOf(child)] = to + slashOf(child)
			}
			continue
		}
		if add && s.unpacked(in, name) {
			k.known, k.isDir, s.linked = false, true, true // it may hold anything, also links
			e.Writes = append(e.Writes, tree(k.dest))
		}
		if strings.HasSuffix(name, "@") {
			k.known = false
		}
		name = strings.TrimSuffix(name, "@")
		k.copies[name] = "" // once it is clear whether dest is a directory
	}
	return true
}

// writesCopies notes the places of all that is copied, now that it is clear whether the destination is a directory.
func (e *Effects) writesCopies(k *copying, wildcards bool) {
	for name, to := range k.copies {
		if to == "" {
			if to = k.dest; k.isDir || wildcards {
				to = path.Join(k.dest, path.Base(name))
			}
			k.copies[name] = to
		}
		e.Writes = append(e.Writes, to)
		if !k.isDir {
			e.Writes = append(e.Writes, tree(k.dest)) // it may be a directory by now
		}
	}
	slices.Sort(e.Writes)
	e.Writes = slices.Compact(e.Writes)
}

func remote(src string) bool {
	return strings.Contains(src, "://") || strings.HasPrefix(src, "git@")
}

func slashOf(name string) string {
	if strings.HasSuffix(name, "/") {
		return "/"
	}
	return ""
}

func tree(dir string) string { return strings.TrimSuffix(dir, "/") + "/" }

// glob gives what a source names in the context, directories with "/" behind.
func glob(context Context, src string) []string {
	matches := []string{""}
	for _, part := range strings.Split(strings.Trim(path.Clean("/"+src), "/"), "/") {
		if part == "" {
			return []string{"./"}
		}
		var next []string
		for _, dir := range matches {
			for _, name := range context.List(path.Join(".", strings.TrimRight(dir, "/"))) {
				if ok, err := path.Match(part, strings.TrimRight(name, "/@")); err == nil && ok {
					next = append(next, dir+name)
				}
			}
		}
		matches = next
	}
	return matches
}

// sample makes a name of a pattern such as [Nn]uget.config or *proj.user.
var sample = strings.NewReplacer("[N", "", "[G", "", "[C", "", "]", "", "*", "x")

// Within gives the paths of the build context from which a COPY or ADD would take what lies at a place of the image,
// where it copies all of a directory, or what a pattern matches: whether there is something now or not.
func (e *Effects) Within(place string) (paths []string) {
	dir, name := path.Split(strings.TrimSuffix(place, "/"))
	for pattern, to := range e.Patterns {
		from, base := path.Split(pattern)
		if ok, _ := path.Match(base, sample.Replace(name)); ok && path.Clean(dir) == path.Clean(to) {
			paths = append(paths, path.Join(from, name)+slashOf(place))
		}
	}
	for from, to := range e.Trees {
		if rest, ok := strings.CutPrefix(place, tree(to)); ok && rest != "" {
			paths = append(paths, path.Join(from, rest)+slashOf(rest))
		}
	}
	return paths
}

// Sources gives what of the build context a COPY or ADD puts at a place of the image or below it, directories with "/"
// behind. It fails where that is not known.
func (e *Effects) Sources(context Context, place string) (sources []string, ok bool) {
	if e.Copies == nil {
		return nil, false
	}
	for from, to := range e.Copies {
		switch {
		case strings.TrimSuffix(to, "/") == strings.TrimSuffix(place, "/"),
			strings.HasSuffix(place, "/") && strings.HasPrefix(to, place):
			sources = append(sources, from)
		case strings.HasSuffix(to, "/") && strings.HasPrefix(place, to):
			at := path.Join(from, strings.TrimPrefix(place, to))
			for _, name := range context.List(path.Dir(at)) {
				if strings.TrimRight(name, "/@") == path.Base(at) {
					sources = append(sources, path.Join(path.Dir(at), name)+slashOf(name))
				}
			}
		case !strings.HasSuffix(to, "/") && strings.HasPrefix(place, to+"/"):
			sources = append(sources, from)
		}
	}
	slices.Sort(sources)
	return sources, true
}

// Independent reports whether two instructions of one stage may change places, with the facts that it rests upon.
func Independent(a, b *Effects) (facts []string, ok bool) {
	x, y := a.of(), b.of()
	if y.reads.meets(&x.writes) || x.reads.meets(&y.writes) || x.writes.meets(&y.writes) || makesClash(a, b) ||
		makesClash(b, a) ||
		a.mayBring(b) ||
		b.mayBring(a) ||
		a.Opaque && len(b.Trees) > 0 || // what is copied may be nothing now, and something in another working tree
		b.Opaque && len(a.Trees) > 0 {
		return nil, false
	}
	for dir, how := range a.Makes {
		if other, both := b.Makes[dir]; both && other != how {
			return nil, false
		}
	}
	if len(a.Facts)+len(b.Facts) > 0 {
		facts = slices.Concat(a.Facts, b.Facts)
	}
	if a.listed(b) || b.listed(a) {
		facts = append(facts, NothingNew)
	}
	if len(facts) == 0 && files(a.Writes) && files(b.Writes) {
		if !sameDirectory(a, b) {
			if a.Linked || b.Linked {
				return nil, false
			}
			facts = append(facts, "no link of the base image leads from one of the copied directories into another")
		}
	}
	return facts, true
}

// NothingNew is the fact that what a directory of the build context holds was looked up.
const NothingNew = "the files of the build context that are copied have the names that they have now"

// mayBring reports whether e copies a directory that holds a file that o names, or may hold it in another working tree:
// what is removed after it was copied, such as .git, need not be there at the moment.
func (e *Effects) mayBring(o *Effects) bool {
	return e.within(&o.of().named)
}

// named notes the files among what has been read and written since as named.
func (e *Effects) named(reads, writes int) {
	for _, name := range slices.Concat(e.Reads[reads:], e.Writes[writes:]) {
		if strings.HasPrefix(name, "/") {
			e.Named = append(e.Named, name)
		}
	}
}

// listed reports whether e, which copies a directory of the build context, stays clear of o only by the names of what
// is in it.
func (e *Effects) listed(o *Effects) bool {
	return e.within(&o.of().reads) || e.within(&o.of().writes)
}

// within reports whether one of these places is in a directory of the image that all of a directory of the context is
// copied into, or what a pattern matches: that may be a directory in another working tree, whatever is in it.
func (e *Effects) within(places *index) bool {
	for _, copied := range []map[string]string{e.Trees, e.Patterns} {
		for _, to := range copied {
			if places.has(tree(to)) {
				return true
			}
		}
	}
	return false
}

// makesClash: a directory that a makes is one that b reads or writes as a whole.
func makesClash(a, b *Effects) bool {
	for dir := range a.Makes {
		whole := func(r string) bool {
			return strings.HasPrefix(r, "/") && (r == dir || r == "/" ||
				strings.HasSuffix(r, "/") && len(r) <= len(dir) && strings.HasPrefix(dir, r))
		}
		if slices.ContainsFunc(b.Reads, whole) || slices.ContainsFunc(b.Writes, whole) {
			return true
		}
	}
	return false
}

func files(list []string) bool {
	return slices.ContainsFunc(list, func(r string) bool { return strings.HasPrefix(r, "/") })
}

// sameDirectory reports whether all that is written are files of one directory. A file that is copied takes the place
// of a link of its name; into a directory it may go through one.
func sameDirectory(a, b *Effects) bool {
	for _, x := range a.Writes {
		for _, y := range b.Writes {
			if strings.HasPrefix(x, "/") && strings.HasPrefix(y, "/") &&
				(strings.HasSuffix(x, "/") || strings.HasSuffix(y, "/") || path.Dir(x) != path.Dir(y)) {
				return false
			}
		}
	}
	return true
}

// stamps are the names of variables that say which build this is, and nothing else.
var stamps = []string{
	"BUILD_DATE", "BUILD_TIME", "BUILD_TIMESTAMP", "BUILDTIME", "BUILD_NUMBER", "BUILD_ID", "BUILD_SHA", "BUILD_REF",
	"BUILD_COMMIT", "BUILD_REVISION", "BUILD_HASH",
	"VCS_REF", "VCS_URL", "VCS_BRANCH", "COMMIT", "COMMIT_SHA", "COMMIT_HASH", "COMMIT_REF", "GIT_COMMIT", "GIT_SHA",
	"GIT_SHA1", "GIT_HASH", "GIT_REF", "GIT_REV", "GIT_REVISION", "GIT_COMMIT_SHA",
	"GIT_COMMIT_HASH", "GIT_DESCRIBE", "GITHUB_SHA", "CI_COMMIT_SHA", "CI_COMMIT_SHORT_SHA", "SOURCE_COMMIT",
	"SOURCE_VERSION", "REVISION", "SHA", "COMMITHASH", "COMMIT_ID", "APP_REVISION", "APP_COMMIT", "GIT_COMMIT_DATE",
	"COMMIT_DATE", "COMMIT_TIMESTAMP",
}

// Stamp reports whether a variable's name is one of those that by custom say which build this is: of what commit, when.
func Stamp(name string) bool { return slices.Contains(stamps, strings.ToUpper(name)) }

// links are directories that are links to others in many images.
var links = []struct{ from, to string }{
	{
		"/bin/",
		"/usr/bin/",
	}, {"/sbin/", "/usr/sbin/"}, {"/lib/", "/usr/lib/"}, {"/lib64/", "/usr/lib64/"}, {"/lib32/", "/usr/lib32/"},
	{
		"/var/run/",
		"/run/",
	}, {"/var/lock/", "/run/lock/"}, {"/usr/sbin/", "/usr/bin/"}, {"/usr/lib64/", "/usr/lib/"}, {"/var/tmp/", "/tmp/"},
}

func canonical(p string) string {
	if len(p) > 1 && !strings.ContainsRune("bslvu", rune(p[1])) {
		return p
	}
	for _, l := range links {
		if strings.HasPrefix(p, l.from) {
			p = l.to + strings.TrimPrefix(p, l.from)
		}
	}
	return p
}
