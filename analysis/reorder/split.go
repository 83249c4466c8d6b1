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
	cut   int                     // of a RUN, where what stays of it begins, as an offset into the file; 0 if all of it does
	of    int                     // index of the instruction that it is or comes from
	copy  bool                    // it copies manifests
}

// split is one way to let an installation stand above a COPY of which it reads only some files.
type split struct {
	run   int // index of the RUN in the stage
	parts int // how many of its commands are split off; 0 for all, so that the RUN stays as it is
	copy  int // index of the COPY
	files []string
	eff   effects.Effects // of those commands
}

// splits finds what can be split in a stage.
func splits(file *dockerfile.File, stage *dockerfile.Stage, all []effects.Effects, context effects.Context, final bool) (found []split) {
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
		if e, parts := prefix(all[r]); parts > 0 && len(in.Comments) == 0 && !(final && cleans(in)) {
			found = append(found, splitsOf(stage, all, context, r, parts, e)...)
		}
	}
	return found
}

// splitsOf finds the COPYs of which a RUN, with its first commands or all, needs only some files.
func splitsOf(stage *dockerfile.Stage, all []effects.Effects, context effects.Context, r, parts int, e effects.Effects) (found []split) {
	var had []string
	for x := range r {
		copying := stage.Instructions[x]
		if !copies(copying) || all[x].Copies == nil || len(copying.Heredocs) > 0 {
			continue
		}
		files, ok := needs(&all[x], &e, context)
		if !ok {
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return slices.Contains(had, f) })
		if len(files) > 0 && (len(missing) > 0 || len(had) > 0) && !slices.ContainsFunc(missing, func(f string) bool { return !plainFile.MatchString(f) }) {
			if whole(&all[x], files) {
				had = append(had, files...)
				continue // it copies nothing else
			}
			found = append(found, split{r, parts, x, missing, e})
		}
		had = append(had, missing...)
	}
	return found
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

// prefix gives the effects of a RUN's commands up to the last installation, if all of them are known.
func prefix(e effects.Effects) (effects.Effects, int) {
	var sum, best effects.Effects
	n := 0
	for i, part := range e.Parts {
		if part.Opaque || i == len(e.Parts)-1 {
			break
		}
		sum.Merge(part)
		if part.Directory != "" {
			best, n = sum, i+1
			best.Directory = part.Directory
			best.Cwd = e.Cwd
			best.Reads = slices.Clone(sum.Reads)
			best.Writes = slices.Clone(sum.Writes)
			best.Facts = slices.Clone(sum.Facts)
		}
	}
	best.Reads = append(best.Reads, "user", "shell")
	return best, n
}

// cleans reports whether a RUN removes what it installed, so that in two layers the image would be larger.
func cleans(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc([]string{"rm ", "prune", "clean", "purge", "autoremove", "uninstall", "apk del", "--production"}, func(w string) bool {
		return strings.Contains(in.Node.Original, w)
	})
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
	for _, r := range run.Reads {
		if !strings.HasPrefix(r, "/") || r == run.Directory {
			continue
		}
		read, ok := x.Sources(context, r)
		if !ok {
			return nil, false
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

// entries gives the stage with the splits carried out, in an order that builds the same image as the original one.
func entries(file *dockerfile.File, stage *dockerfile.Stage, all []effects.Effects, chosen []split) []entry {
	var list []entry
	cut := map[int]split{}
	manifests := map[int][]entry{}
	for _, s := range chosen {
		if s.parts > 0 {
			cut[s.run] = s
		}
		manifests[s.copy] = append(manifests[s.copy], manifestCopies(file, stage.Instructions[s.copy], &all[s.copy], s)...)
	}
	for i, in := range stage.Instructions {
		list = append(list, manifests[i]...)
		e := entry{in: in, eff: all[i], of: i}
		if s, ok := cut[i]; ok {
			first, at, ok := cutRun(file, in, &all[i], s.parts)
			if !ok {
				return nil
			}
			part := entry{in: reparse(file, first), eff: s.eff, text: first, of: i}
			list = append(list, part)
			e.cut = at
			rest := "RUN " + file.Text.Slice(source.Span{Start: at, End: in.Span.End})
			e.whole = in
			if e.in = reparse(file, rest); e.in != nil {
				rested := *e.in
				rested.Span, rested.Line, rested.EndLine = in.Span, in.Line, in.EndLine
				e.in = &rested
			}
			e.eff = effects.Effects{}
			for _, p := range all[i].Parts[s.parts:] {
				e.eff.Merge(p)
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

// cutRun divides a RUN behind its first commands: it gives the text of the first and where the others begin.
func cutRun(file *dockerfile.File, in *dockerfile.Instruction, e *effects.Effects, parts int) (first string, rest int, ok bool) {
	if parts > len(e.Ops) || in.ArgsSpan.Start <= in.Keyword.Span.Start {
		return "", 0, false
	}
	raw := file.Text.Slice(in.ArgsSpan)
	at := 0
	for range e.Ops[parts-1] {
		n := strings.Index(raw[at:], "&&")
		if n < 0 {
			return "", 0, false
		}
		at += n + 2
	}
	n := strings.Index(raw[at:], "&&")
	if n < 0 {
		return "", 0, false
	}
	at += n
	trim := " \t\r\n" + string(file.Escape)
	end := len(strings.TrimRight(raw[:at], trim))
	begin := len(raw) - len(strings.TrimLeft(raw[at+2:], trim))
	if begin >= len(raw) {
		return "", 0, false
	}
	return file.Text.Slice(source.Span{Start: in.Keyword.Span.Start, End: in.ArgsSpan.Start}) + raw[:end], in.ArgsSpan.Start + begin, true
}

// manifestCopies gives the COPYs of the files that a split needs, one for each directory.
func manifestCopies(file *dockerfile.File, in *dockerfile.Instruction, x *effects.Effects, s split) (list []entry) {
	type goal struct{ dir, as string }
	groups := map[goal][]string{}
	var order []goal
	for _, f := range s.files {
		to := target(x, f)
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
			e.eff.Copies[f] = target(x, f)
			e.eff.Writes = append(e.eff.Writes, target(x, f))
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
