package reorder

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/source"
)

// entry is an instruction of a stage as it may come to stand: one that is there, or a new one.
type entry struct {
	in    *dockerfile.Instruction // what it costs and depends on; a new one is none of the file's
	eff   effects.Effects
	text  string                  // of a new one, its lines without the last line's end; "" for one that is there
	whole *dockerfile.Instruction // of a RUN that is cut, what it is in the file
	gone  []source.Span           // of a RUN that is cut, what of it does not stay in its place
	left  string                  // ..., and what of it does
	of    int                     // index of the instruction that it is or comes from
	copy  bool                    // it copies manifests
	// of a COPY that is split and goes by the working directory, its destination as a path from the root
	rooted string
	flags  string    // of a RUN, the mounts that it gets, as they are written behind its keyword
	kept   []keeping // those mounts
}

// split is one way to let an installation stand above a COPY of which it reads only some files, or to let the packages
// of the system that a RUN installs first stand above what they do not read.
type split struct {
	run   int // index of the RUN in the stage
	parts int // how many of its commands are split off; 0 for all, so that the RUN stays as it is
	copy  int // index of the COPY, -1 for packages of the system
	files []string
	also  []string        // patterns of files that it reads if they are there, as another working tree may have them
	eff   effects.Effects // of those commands
	what  string          // the installation, for people
}

// splits finds what can be split in a stage.
func splits(
	stage *dockerfile.Stage,
	all []effects.Effects,
	context effects.Context,
	final bool,
) (found []split) {
	if context == nil {
		return nil
	}
	for r, in := range stage.Instructions {
		if in.Meant != "RUN" {
			continue
		}
		if e := all[r]; !e.Opaque && e.Directory != "" {
			if of := splitsOf(stage, all, context, r, 0, e); len(of) > 0 {
				found = append(found, of...)
				continue
			}
		}
		if final && cleans(in) {
			continue
		}
		before := len(found)
		for _, first := range prefixes(&all[r]) {
			if found = append(found, splitsOf(stage, all, context, r, first.parts, first.eff)...); len(found) > before {
				break
			}
		}
		if len(found) == before {
			if first, ok := packages(&all[r]); ok {
				first.run = r
				found = append(found, first)
			}
		}
	}
	return found
}

// splitsOf finds the COPYs of which a RUN, with its first commands or all, needs only some files.
func splitsOf(
	stage *dockerfile.Stage,
	all []effects.Effects,
	context effects.Context,
	r, parts int,
	e effects.Effects,
) (found []split) {
	var had, named []string
	for x := range r {
		copying := stage.Instructions[x]
		for _, word := range copying.Args {
			named = append(named, path.Base(word.Text))
		}
		if !copies(copying) || all[x].Copies == nil || len(copying.Heredocs) > 0 {
			continue
		}
		files, ok := needs(&all[x], &e, context)
		also, clear := perhaps(&all[x], &e, context, files, named)
		if !ok || !clear {
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return slices.Contains(had, f) })
		if len(files) > 0 && (len(missing) > 0 || len(had) > 0) &&
			!slices.ContainsFunc(missing, func(f string) bool { return !plainFile.MatchString(f) }) {
			if whole(&all[x], files) {
				had = append(had, files...)
				continue // it copies nothing else
			}
			found = append(
				found,
				split{r, parts, x, missing, also, e, installation(stage.Instructions[r], &all[r], e.Directory)},
			)
		}
		had = append(had, missing...)
	}
	return found
}

// perhaps gives patterns of the files that an installation reads if they are there, and that a COPY would bring: those
// that are not there now. It fails where one of them is a directory, such as .git, that may be there.
func perhaps(x, run *effects.Effects, context effects.Context, files, named []string) (patterns []string, ok bool) {
	for _, place := range run.Perhaps {
		for _, at := range x.Within(place) {
			dir, name := path.Split(at)
			switch {
			case context.Excluded(strings.TrimSuffix(at, "/")):
			case strings.HasSuffix(at, "/") || slices.Contains(run.Writes, place):
				return nil, false
			case path.Dir(place) != run.Directory && !slices.ContainsFunc(files, func(f string) bool {
				return strings.HasPrefix(f, dir)
			}):
			case slices.ContainsFunc(slices.Concat(files, named), func(f string) bool {
				is, _ := path.Match(name, path.Base(f))
				if strings.ContainsAny(name, "*?") { // it may match others, too
					is = path.Base(f) == name
				}
				here := path.Dir(f) == path.Clean(dir) || !slices.Contains(files, f)
				return here && (is || strings.HasPrefix(path.Base(f), name))
			}):
			case slices.ContainsFunc(patterns, func(p string) bool { is, _ := path.Match(p, at); return is }):
			case strings.ContainsAny(name, "*?["):
				patterns = append(patterns, at)
			case slices.ContainsFunc(context.List(path.Join(".", dir)),
				func(n string) bool { return strings.HasPrefix(n, name) }):
				patterns = append(patterns, at[:len(at)-1]+"["+at[len(at)-1:]+"]")
			default:
				patterns = append(patterns, at+"*")
			}
		}
	}
	return patterns, true
}

var plainFile = regexp.MustCompile(`^[A-Za-z0-9._/@+-]+$`)

// whole reports whether a COPY copies nothing but these files.
func whole(e *effects.Effects, files []string) bool {
	for from := range e.Copies {
		if !slices.Contains(files, from) {
			return false
		}
	}
	return true
}

// prefixes gives the effects of a RUN's commands up to each installation behind which it can be divided, the longest
// first, as long as all of them are known.
func prefixes(e *effects.Effects) (list []split) {
	var sum effects.Effects
	for i, part := range e.Parts {
		if part.Opaque || i == len(e.Parts)-1 {
			break
		}
		sum.Merge(part.Effects)
		if part.Directory == "" || !part.Divides || goesOn(e, i+1) {
			continue
		}
		first := effects.Effects{Directory: part.Directory, Cwd: e.Cwd}
		first.Merge(sum)
		first.Reads = append(first.Reads, "user", "shell")
		list = append([]split{{parts: i + 1, eff: first}}, list...)
	}
	return list
}

// packages divides a RUN behind the packages of the system that it installs first, and what of them it removes there.
func packages(e *effects.Effects) (first split, ok bool) {
	var sum effects.Effects
	for i, part := range e.Parts {
		removes := ok &&
			!slices.ContainsFunc(
				part.Writes,
				func(w string) bool { return !strings.HasPrefix(w, "/var/") && !strings.HasPrefix(w, "/tmp/") },
			) &&
			len(part.Makes) == 0
		if part.Opaque || i == len(e.Parts)-1 || !part.Options && !part.Packages && !removes {
			break
		}
		sum.Merge(part.Effects)
		text := e.Script[part.Start:part.End]
		if part.Packages && installs.MatchString(text) {
			first.what, ok = short(text), true
		}
		if !part.Divides || first.what == "" {
			continue
		}
		first.parts, first.copy = i+1, -1
		first.eff = effects.Effects{Cwd: e.Cwd}
		first.eff.Merge(sum)
		first.eff.Reads = append(first.eff.Reads, "user", "shell")
	}
	return first, first.parts > 0 && !goesOn(e, first.parts) &&
		!scripts.MatchString(e.Script[e.Parts[first.parts].Start:])
}

var (
	installs       = regexp.MustCompile(`\b(install|add)\b`)
	packageManager = regexp.MustCompile(`\b(apt|apt-get|aptitude|apk|dnf|yum|microdnf|tdnf|zypper|pacman)\b`)
	scripts        = regexp.MustCompile(`\.sh\b|\b(ba)?sh\b`) // which may install packages, too
)

// goesOn reports whether a package manager of the system is used on both sides of a cut: its lists would get old in a
// layer of their own.
func goesOn(e *effects.Effects, parts int) bool {
	return slices.ContainsFunc(e.Parts[:parts], func(p effects.Part) bool { return p.Packages }) &&
		packageManager.MatchString(e.Script[e.Parts[parts].Start:])
}

// installation names the command of a RUN that installs into a directory.
func installation(in *dockerfile.Instruction, e *effects.Effects, directory string) string {
	for _, part := range e.Parts {
		if part.Directory == directory {
			return short(e.Script[part.Start:part.End])
		}
	}
	return command(in)
}

// cleans reports whether a RUN removes what it installed, so that in two layers the image would be larger.
func cleans(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(
		[]string{"rm ", "prune", "clean", "purge", "autoremove", "uninstall", "apk del", "--production"},
		func(w string) bool {
			return strings.Contains(in.Node.Original, w)
		},
	)
}

// needs gives the files that an installation reads of what a COPY brings. It fails if they share anything else.
func needs(x, run *effects.Effects, context effects.Context) (files []string, ok bool) {
	for _, w := range run.Writes {
		if strings.HasPrefix(w, "/") {
			if shared, ok := x.Sources(context, w); !ok || len(shared) > 0 {
				return nil, false
			}
		}
	}
	var entered []string
	for _, r := range run.Reads {
		if !strings.HasPrefix(r, "/") || r == run.Directory {
			continue
		}
		read, ok := x.Sources(context, r)
		if !ok {
			return nil, false
		}
		if len(read) > 0 && slices.Contains(run.Entered, r) {
			entered = append(entered, r+"/")
			continue
		}
		for _, f := range read {
			if strings.HasSuffix(f, "@") || strings.HasSuffix(f, "/") && !strings.HasSuffix(r, "/") {
				return nil, false
			}
			if to := target(x, f); to == "" || strings.TrimSuffix(to, "/") != strings.TrimSuffix(r, "/") {
				return nil, false // a part of a directory that it may list
			}
			files = append(files, f)
		}
	}
	for _, dir := range entered { // it must be there
		if !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(target(x, f), dir) }) {
			return nil, false
		}
	}
	slices.Sort(files)
	return slices.Compact(files), true
}

// target gives where a file of the context is copied to.
func target(x *effects.Effects, file string) string {
	if to, ok := x.Copies[file]; ok {
		return to
	}
	for from, to := range x.Copies {
		if strings.HasSuffix(from, "/") && strings.HasPrefix(file, from) {
			return to + strings.TrimPrefix(file, from)
		}
	}
	return ""
}

// within gives where something of the context would be copied to that need not be there.
func within(x *effects.Effects, file string) string {
	for from, to := range x.Trees {
		if rest, ok := strings.CutPrefix(path.Clean("/"+file), strings.TrimSuffix(path.Clean("/"+from), "/")+"/"); ok {
			return path.Join(to, rest)
		}
	}
	return ""
}

// entries gives the stage with the splits carried out, in an order that builds the same image as the original one.
func entries(file *dockerfile.File, stage *dockerfile.Stage, all []effects.Effects, chosen []split) []entry {
	var list []entry
	cut := map[int]split{}
	manifests := map[int][]entry{}
	for _, s := range chosen {
		if s.parts > 0 {
			cut[s.run] = s
		}
		if s.copy < 0 {
			continue
		}
		manifests[s.copy] = append(
			manifests[s.copy],
			manifestCopies(file, stage.Instructions[s.copy], &all[s.copy], s)...)
	}
	for i, in := range stage.Instructions {
		list = append(list, manifests[i]...)
		e := entry{in: in, eff: all[i], of: i}
		if manifests[i] != nil {
			e.rooted = rooted(in, &all[i])
		}
		if s, ok := cut[i]; ok {
			first, gone, ok := cutRun(file, in, &all[i], s.parts)
			if !ok {
				return nil
			}
			part := entry{in: reparse(file, first), eff: s.eff, text: first, of: i}
			list = append(list, part)
			e.whole, e.gone = in, gone
			rest, from := "", in.Span.Start
			for _, span := range gone {
				rest += file.Text.Slice(source.Span{Start: from, End: span.Start})
				from = span.End
			}
			rest += file.Text.Slice(source.Span{Start: from, End: in.Span.End})
			e.left = rest
			if e.in = reparse(file, rest); e.in != nil {
				rested := *e.in
				rested.Span, rested.Line, rested.EndLine = in.Span, in.Line, in.EndLine
				e.in = &rested
			}
			e.eff = effects.Effects{}
			for k, p := range all[i].Parts {
				if p.Options || k >= s.parts {
					e.eff.Merge(p.Effects)
				}
			}
			e.eff.Reads = append(e.eff.Reads, "user", "shell", "cwd")
		}
		list = append(list, e)
	}
	for _, e := range list {
		if e.in == nil || e.in.Command == nil && e.in.From == nil && e.text != "" {
			return nil
		}
	}
	return list
}

// rooted gives the destination of a COPY that goes by the working directory as a path from the root, "" if it does not,
// or if that cannot be written.
func rooted(in *dockerfile.Instruction, e *effects.Effects) string {
	dest := in.Args[len(in.Args)-1].Text
	switch {
	case len(e.Facts) > 0 || !plainFile.MatchString(dest) || strings.Contains(dest, "..") ||
		strings.Contains(dest, "/."):
		return ""
	case path.IsAbs(dest) || e.Cwd == "":
		return ""
	case dest == "." || strings.HasSuffix(dest, "/"):
		return strings.TrimSuffix(path.Join(e.Cwd, dest), "/") + "/"
	}
	return path.Join(e.Cwd, dest)
}

// reparse reads one instruction as it would stand in the file.
func reparse(file *dockerfile.File, text string) *dockerfile.Instruction {
	head := ""
	if file.Escape != '\\' {
		head = "# escape=" + string(file.Escape) + "\n"
	}
	f := dockerfile.Parse(source.New(head+"FROM scratch\n"+text+"\n"), nil)
	if len(f.Instructions) != 2 || broken(f) {
		return nil
	}
	return f.Instructions[1]
}

// cutRun divides a RUN behind its first commands: it gives the text of the RUN of the first, and what of the file does
// not stay where it is. The script's options stand in both; a comment goes with what stands below it.
func cutRun(
	file *dockerfile.File,
	in *dockerfile.Instruction,
	e *effects.Effects,
	parts int,
) (first string, gone []source.Span, ok bool) {
	if in.ArgsSpan.Start <= in.Keyword.Span.Start || parts >= len(e.Parts) {
		return "", nil, false
	}
	text, doc := in.ArgsSpan, len(in.Heredocs) == 1
	if doc {
		text = in.Heredocs[0].Body
	}
	at, ok := align(file, text, e.Script, doc)
	if !ok {
		return "", nil, false
	}
	if slices.ContainsFunc(
		e.Parts,
		func(p effects.Part) bool { return p.End <= p.Start || at[p.Start] < 0 || at[p.End-1] < 0 },
	) {
		return "", nil, false
	}
	start := func(part int) int { return at[e.Parts[part].Start] }
	end := func(part int) int { return at[e.Parts[part].End-1] + 1 }
	slice := func(from, to int) string { return file.Text.Slice(source.Span{Start: from, End: to}) }
	from := text.Start // of what goes
	options := slices.IndexFunc(e.Parts, func(p effects.Part) bool { return !p.Options })
	if options < 0 || options >= parts {
		return "", nil, false
	}
	if doc { // it is cut between lines
		below := func(offset int) int { return file.Text.LineStart(file.Text.LineAt(offset) + 1) }
		if options > 0 {
			if from = below(end(options - 1)); strings.TrimSpace(slice(text.Start, start(0))) != "" ||
				!newLine.MatchString(slice(end(options-1), start(options))) {
				return "", nil, false
			}
		}
		to := below(end(parts - 1))
		if !newLine.MatchString(slice(end(parts-1), start(parts))) {
			return "", nil, false
		}
		return slice(
				in.Keyword.Span.Start,
				to,
			) + slice(
				in.Heredocs[0].Terminator.Start,
				in.Span.End,
			), []source.Span{
				{Start: from, End: to},
			}, true
	}
	if options > 0 {
		above := end(options - 1)
		from = start(options)
		if between := slice(above, from); strings.Contains(between, "#") {
			operator, ok := operatorIn(between)
			if !ok {
				return "", nil, false
			}
			if strings.Contains(between[:operator.Start], "#") {
				gone = append(gone, source.Span{Start: above + 1, End: above + operator.Start})
			}
			from = above + operator.End
		}
	}
	to := start(parts)
	if between := slice(end(parts-1), to); strings.Contains(between, "#") {
		operator, ok := operatorIn(between)
		switch {
		case !ok:
			return "", nil, false
		case strings.Contains(between[:operator.Start], "#"):
			blanks := len(between) - len(strings.TrimLeft(between, " \t"))
			gone = append(gone, source.Span{Start: from, End: end(parts-1) + blanks})
			from = end(parts-1) + operator.Start
		}
		to = end(parts-1) + operator.End
	}
	gone = append(gone, source.Span{Start: from, End: to})
	for i, span := range gone {
		if span.End < span.Start || i > 0 && span.Start < gone[i-1].End {
			return "", nil, false
		}
	}
	return slice(in.Keyword.Span.Start, end(parts-1)), gone, true
}

// newLine finds what stands between two commands of which neither goes on in the line of the other: comments at most.
var newLine = regexp.MustCompile(`^[ \t]*;?[ \t]*(#[^\n]*)?\r?\n([ \t]*(#[^\n]*)?\r?\n)*[ \t]*$`)

// operatorIn finds the operator, with the blanks behind it, between two commands, where comments may stand, too.
func operatorIn(between string) (source.Span, bool) {
	at := 0
	for line := range strings.Lines(between) {
		if n := strings.IndexAny(line, ";&"); n >= 0 && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			at += n
			return source.Span{
				Start: at,
				End:   len(between) - len(strings.TrimLeft(strings.TrimLeft(between[at:], ";&"), " \t")),
			}, true
		}
		at += len(line)
	}
	return source.Span{}, false
}

// align gives for each byte of a script where it stands in the file, -1 for white space: continuation lines and
// comments among them are no part of a script that is no heredoc.
func align(file *dockerfile.File, text source.Span, script string, heredoc bool) (at []int, ok bool) {
	raw := file.Text.Slice(text)
	at = make([]int, len(script))
	j := 0
	blank := func(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }
	for i := range len(script) {
		if at[i] = -1; blank(script[i]) {
			continue
		}
		for j < len(raw) {
			switch rest := strings.TrimLeft(raw[j:], " \t\r"); {
			case blank(raw[j]):
				j++
				continue
			case heredoc:
			case raw[j] == byte(file.Escape) && strings.HasPrefix(strings.TrimLeft(raw[j+1:], " \t\r"), "\n"):
				j++
				continue
			case raw[j] == '#' && strings.TrimSpace(raw[strings.LastIndexByte(raw[:j], '\n')+1:j]) == "" &&
				strings.Contains(raw[:j], "\n"):
				n := strings.IndexByte(rest, '\n')
				if n < 0 {
					return nil, false
				}
				j += n
				continue
			}
			break
		}
		if j == len(raw) || raw[j] != script[i] {
			return nil, false
		}
		at[i] = text.Start + j
		j++
	}
	return at, true
}

// manifestCopies gives the COPYs of the files that a split needs, one for each directory.
func manifestCopies(file *dockerfile.File, in *dockerfile.Instruction, x *effects.Effects, s split) (list []entry) {
	type goal struct{ dir, as string }
	groups := map[goal][]string{}
	var order []goal
	for _, f := range slices.Concat(s.files, s.also) {
		to := target(x, f)
		if slices.Contains(s.also, f) {
			to = within(x, f)
		}
		g := goal{dir: path.Dir(strings.TrimSuffix(to, "/"))}
		if strings.HasSuffix(f, "/") {
			g = goal{strings.TrimSuffix(to, "/"), f}
		}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], f)
	}
	keyword := "COPY"
	if strings.ToLower(in.Keyword.Text) == in.Keyword.Text {
		keyword = "copy"
	}
	for _, flag := range in.Flags {
		if flag.Name.Text == "chown" || flag.Name.Text == "chmod" {
			keyword += " " + file.Text.Slice(flag.Span)
		}
	}
	for _, g := range order {
		dest := g.dir + "/"
		if x.Cwd != "" && slices.Contains(x.Reads, "cwd") {
			if rel, ok := strings.CutPrefix(dest, strings.TrimSuffix(x.Cwd, "/")+"/"); ok {
				dest = "./" + rel
			}
		}
		text := keyword + " " + strings.Join(groups[g], " ") + " " + dest
		e := entry{in: reparse(file, text), text: text, of: s.copy, copy: true}
		e.eff = effects.Effects{Reads: slices.Clone(x.Reads), Cwd: x.Cwd, Copies: map[string]string{}}
		for _, f := range groups[g] {
			if !slices.Contains(s.also, f) {
				e.eff.Copies[f] = target(x, f)
				e.eff.Writes = append(e.eff.Writes, target(x, f))
			}
		}
		for dir, how := range x.Makes {
			if strings.HasPrefix(dest, dir+"/") || strings.HasPrefix(g.dir+"/", dir+"/") {
				if e.eff.Makes == nil {
					e.eff.Makes = map[string]string{}
				}
				e.eff.Makes[dir] = how
			}
		}
		list = append(list, e)
	}
	return list
}
