package reorder

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// mount is a cache mount that RUNs of a stage may be given.
type mount struct {
	effects.Cache
	runs     []int          // indices of the instructions in the stage
	commands map[int]string // what fills it there
}

// flag is how it is written.
func (m *mount) flag() string {
	flag := "--mount=type=cache,target=" + m.Dir
	if m.Locked {
		flag += ",sharing=locked"
	}
	return flag
}

// mounts gives the cache mounts for stage i. What such a cache holds is then no longer in the stage's layers, so it
// must be a stage whose image nobody gets, nothing may take it from there, and no command may rest on it.
func (m *Model) mounts(file *dockerfile.File, i int, all []effects.Effects) (list []mount) {
	for r, in := range file.Stages[i].Instructions {
		for _, c := range all[r].Calls {
			if c.Cache == nil || !sharesWith(in, all[r].Cwd, c.Cache.Dir) {
				continue
			}
			k := slices.IndexFunc(list, func(o mount) bool { return o.Cache == *c.Cache })
			switch {
			case k < 0:
				list = append(list, mount{*c.Cache, []int{r}, map[int]string{r: c.Name()}})
			case !slices.Contains(list[k].runs, r):
				list[k].runs = append(list[k].runs, r)
				list[k].commands[r] = c.Name()
			}
		}
	}
	if len(list) == 0 || !mountable(file) || !rootImage(file, i) {
		return nil
	}
	above, family := bases(file, i), derived(file, i)
	for _, j := range family {
		if m.target(file, j) || !used(file, j) ||
			slices.ContainsFunc(file.Stages[j].Instructions, func(in *dockerfile.Instruction) bool {
				return slices.Contains([]string{"ONBUILD", "CMD", "ENTRYPOINT"}, in.Meant) // it may well be a target
			}) {
			return nil
		}
	}
	upper := map[*dockerfile.Stage][]effects.Effects{}
	for k, stage := range above {
		upper[stage] = effects.Stage(file, stage, above[:k], m.Context)
	}
	lower := map[int][]effects.Effects{}
	for _, j := range family[1:] {
		lower[j] = effects.Stage(file, file.Stages[j], bases(file, j), m.Context)
	}
	return slices.DeleteFunc(list, func(o mount) bool {
		if taken(file, family, o.Dir) {
			return true
		}
		for _, stage := range above {
			if !o.allowed(stage, upper[stage], len(stage.Instructions)) {
				return true
			}
		}
		for j, eff := range lower {
			if !o.allowed(file.Stages[j], eff, -1) {
				return true
			}
		}
		return !o.allowed(file.Stages[i], all, o.runs[0]) || slices.ContainsFunc(o.runs, func(r int) bool {
			return userAt(above, file.Stages[i], r) != "root"
		})
	})
}

// allowed reports whether the instructions of a stage leave the cache alone. What is not known may rest on it, but for
// what stands above the instruction first: of Go's cache that can only fill it.
func (o *mount) allowed(stage *dockerfile.Stage, all []effects.Effects, first int) bool {
	for k, in := range stage.Instructions {
		switch in.Meant {
		case "ONBUILD":
			return false
		case "COPY", "ADD":
			if first >= 0 &&
				slices.ContainsFunc(all[k].Writes, func(w string) bool { return effects.Overlap(w, o.Dir+"/") }) {
				return false
			}
		case "RUN":
			for _, c := range all[k].Calls {
				if c.Tool == o.Tool && (c.Cache == nil || *c.Cache != o.Cache) {
					return false
				}
			}
			if k < first && o.Tool == "go" {
				continue
			}
			if all[k].Calls == nil ||
				slices.ContainsFunc(
					all[k].Calls,
					func(c effects.Call) bool { return c.Tool == "?" || c.Touches(o.Dir) },
				) {
				return false
			}
		}
	}
	return true
}

// sharesWith reports whether a RUN's own flags leave room for a mount at dir.
func sharesWith(in *dockerfile.Instruction, cwd, dir string) bool {
	run, ok := in.Command.(*instructions.RunCommand)
	if !ok || !in.MountsRead || in.Keyword.Span.Len() != len("RUN") ||
		slices.ContainsFunc(in.Flags, func(f dockerfile.Flag) bool { return f.Name.Text != "mount" }) {
		return false
	}
	return !slices.ContainsFunc(instructions.GetMounts(run), func(m *instructions.Mount) bool {
		switch {
		case m.Target == "" && (m.Type == instructions.MountTypeSSH || m.Type == instructions.MountTypeSecret):
			return false
		case path.IsAbs(m.Target):
			return effects.Nested(m.Target, dir)
		}
		return m.Target == "" || cwd == "" || effects.Nested(path.Join(cwd, m.Target), dir)
	})
}

var oldSyntax = regexp.MustCompile(`^(docker\.io/)?docker/dockerfile(-upstream)?:1([.-](0|1)([.-].*)?|-experimental)$`)

// mountable reports whether the file's frontend is one that knows cache mounts.
func mountable(file *dockerfile.File) bool {
	for _, d := range file.Directives {
		if d.Name.Text == "syntax" &&
			(!strings.HasPrefix(strings.TrimPrefix(d.Value.Text, "docker.io/"), "docker/dockerfile:1") ||
				oldSyntax.MatchString(d.Value.Text)) {
			return false
		}
	}
	return true
}

// rootImages are images whose user is root, of which it is known where that keeps things.
var rootImages = strings.Fields("golang node alpine debian ubuntu buildpack-deps rust python php ruby")

// rootImage reports whether stage i is built, in the end, on one of them.
func rootImage(file *dockerfile.File, i int) bool {
	stage := file.Stages[i]
	if above := bases(file, i); len(above) > 0 {
		stage = above[0]
	}
	ref := stage.Base.Text
	if at := strings.LastIndex(ref, "library/"); at >= 0 {
		ref = ref[at:] // of a mirror
	}
	image := images.Known(ref)
	return image != nil && slices.Contains(rootImages, image.Name)
}

// userAt is the user of an instruction, "root" also where the image's own is.
func userAt(above []*dockerfile.Stage, stage *dockerfile.Stage, k int) string {
	user := "root"
	for _, s := range append(slices.Clone(above), stage) {
		for n, in := range s.Instructions {
			if in.Meant == "USER" && len(in.Args) > 0 && (s != stage || n < k) {
				user = in.Args[0].Text
			}
		}
	}
	if slices.Contains([]string{"0", "0:0", "root:root", "root:0", "0:root"}, user) {
		return "root"
	}
	return user
}

// derived gives stage i and those that are built upon it.
func derived(file *dockerfile.File, i int) []int {
	list := []int{i}
	for j := i + 1; j < len(file.Stages); j++ {
		if slices.Contains(list, stageNamed(file, file.Stages[j].Base.Text, j)) {
			list = append(list, j)
		}
	}
	return list
}

// origin is what an instruction takes from another stage or image.
type origin struct {
	stage  *dockerfile.Stage
	from   string
	places []string
}

// origins gives all that is taken from stages and images but to be built upon.
func origins(file *dockerfile.File) (list []origin) {
	for _, stage := range file.Stages {
		for _, in := range stage.Instructions {
			if in.Trigger != nil {
				in = in.Trigger
			}
			switch c := in.Command.(type) {
			case *instructions.CopyCommand:
				if c.From != "" {
					list = append(list, origin{stage, c.From, c.SourcePaths})
				}
			case *instructions.RunCommand:
				for _, mount := range in.Mounts() {
					from, ok := mount.Get("from")
					if !ok {
						continue
					}
					o := origin{stage, from.Text, []string{"/"}}
					if source, ok := mount.Get("source"); ok {
						o.places = []string{source.Text}
					}
					list = append(list, o)
				}
			}
		}
	}
	return list
}

// used reports whether anything is taken from a stage, or built upon it.
func used(file *dockerfile.File, j int) bool {
	return len(derived(file, j)) > 1 ||
		slices.ContainsFunc(origins(file), func(o origin) bool { return stageNamed(file, o.from, o.stage.Index) == j })
}

// taken reports whether a directory of one of these stages is copied or mounted somewhere, or something that may be or
// hold it.
func taken(file *dockerfile.File, stages []int, dir string) bool {
	return slices.ContainsFunc(origins(file), func(o origin) bool {
		if !strings.Contains(o.from, "$") && !slices.Contains(stages, stageNamed(file, o.from, o.stage.Index)) {
			return false
		}
		return slices.ContainsFunc(o.places, func(p string) bool {
			if n := strings.IndexAny(p, `*?[\$"'`); n >= 0 {
				p = path.Dir("/" + p[:n] + "x")
			}
			return effects.Nested(p, dir)
		})
	})
}

// withFlags puts flags behind the keyword of a RUN's text.
func withFlags(text, flags string) string { return text[:len("RUN")] + flags + text[len("RUN"):] }

// give marks the entries of a plan that get mounts, and counts them as costing less: those of each RUN that gain by it.
func (m *Model) give(file *dockerfile.File, p *plan) {
	for k := range p.entries {
		e := &p.entries[k]
		for _, o := range m.given {
			if e.copy || !slices.Contains(o.runs, e.of) {
				continue
			}
			text := cmp.Or(e.text, e.left, file.Text.Slice(e.in.Span))
			with := reparse(file, withFlags(text, e.flags+" "+o.flag()))
			if with == nil {
				continue
			}
			if cost := m.cost(with); cost < p.items[k].cost {
				p.items[k].cost = cost
				e.flags += " " + o.flag()
				e.kept = append(e.kept, keeping{o, o.commands[e.of], cost})
			}
		}
	}
}

// keeping is a mount that an entry gets.
type keeping struct {
	mount
	command string
	cost    int64
}

// flagEdits are the edits for mounts of RUNs that keep their places.
func (p *plan) flagEdits(moved []int) (edits []source.Edit) {
	for k, e := range p.entries {
		if e.flags == "" || e.text != "" || slices.Contains(moved, k) {
			continue
		}
		in := e.in
		if e.whole != nil {
			in = e.whole
		}
		at := in.Keyword.Span.End
		edits = append(edits, source.Edit{Span: source.Span{Start: at, End: at}, NewText: e.flags})
	}
	return edits
}

// mountWords are the titles and the reasons for the mounts of a plan, and the facts that they rest on.
func (m *Model) mountWords(best *plan, runs []int64) (titles, reasons, gains, facts []string) {
	add := func(list *[]string, line string) {
		if !slices.Contains(*list, line) {
			*list = append(*list, line)
		}
	}
	for k, e := range best.entries {
		for _, kept := range e.kept {
			often := fmt.Sprintf("%d of the last %d commits", runs[k], m.builds())
			if m.Changes == nil {
				often = fmt.Sprintf("about %d of 100 builds", runs[k])
			}
			line := e.in.Line
			if e.text != "" {
				line = best.lineOf(e.of)
			}
			add(&titles, "add a cache mount for "+kept.Cache.Name)
			add(
				&reasons,
				fmt.Sprintf(
					"A cache mount at %s keeps what %s, from build to build: on a builder that lasts longer than one "+
						"build. The image of the stage itself then has less in it, which counts only where a build "+
						"has that stage as its target.",
					kept.Dir,
					kept.Holds,
				),
			)
			gains = append(
				gains,
				fmt.Sprintf(
					"%s (line %d) would find what it %s: by estimate about %s instead of %s seconds at each of %s.",
					kept.command,
					line,
					kept.Found,
					inSeconds(kept.cost),
					inSeconds(m.cost(e.in)),
					often,
				),
			)
			add(&facts, kept.Fact)
		}
	}
	return titles, reasons, gains, facts
}

// lineOf gives the line of an instruction of the stage that is split.
func (p *plan) lineOf(of int) int {
	for _, e := range p.entries {
		if e.of == of && e.text == "" {
			return e.in.Line
		}
	}
	return 0
}

func inSeconds(millis int64) string { return fmt.Sprintf("%.0f", float64(millis)/1000) }

// mount gives stage i cache mounts, in the order that it has: each can be taken by itself. An order is another matter.
func (m *Model) mount(
	ctx context.Context,
	file *dockerfile.File,
	i int,
	all []effects.Effects,
	stages []builds,
) (Rewrite, bool) {
	stage := file.Stages[i]
	given := m.mounts(file, i, all)
	if len(given) == 0 {
		return Rewrite{}, false
	}
	now := m.inPlace(ctx, file, stage, all, stages)
	with := func(given ...mount) (Rewrite, bool) {
		only := *m
		only.given = given
		p := only.inPlace(ctx, file, stage, all, stages)
		rewrite, ok := only.rewrite(file, stage, &now, &p)
		rewrite.mounts = true
		return rewrite, ok && m.gains(&now, &p)
	}
	whole, ok := with(given...)
	if !ok || len(given) == 1 {
		return whole, ok
	}
	for _, one := range given {
		if part, ok := with(one); ok {
			whole.Parts = append(whole.Parts, part)
		}
	}
	return whole, true
}
