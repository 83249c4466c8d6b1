package reorder

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/tools"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Model is what is known besides the text: the build context, how often things change, and what steps cost.
type Model struct {
	Context effects.Context // nil if it is not known: then nothing is split
	// Builds is how many builds Changes knows of.
	Builds int
	// Changes gives the builds, as a set of bits, at which the files change that a COPY of these sources reads. If it
	// is nil, a prior stands in for a history: see prior.
	Changes func(sources, exclude []string) []uint64
	// Seconds is what an instruction takes.
	Seconds func(*dockerfile.Instruction) float64
	// Targets are the names of stages that are built for their own images, besides the last one.
	Targets []string
	given   []mount // the cache mounts that the stage at hand gets

	expected int64 // what all builds of the file cost, in milliseconds
	costs    map[*parser.Node]int64
	changed  map[string]builds // by the sources of a COPY
	pairs    *pairs            // of the stage at hand
	heldBack builds            // those that the search does not see
	// by source of a COPY that changes less often than leastChange: builds that are made up for it, from and to
	seldom map[string][2]int
	// Deadlines come by way of the context that Search is given.
}

// target reports whether stage j is built for its own image.
func (m *Model) target(file *dockerfile.File, j int) bool {
	return j == len(file.Stages)-1 ||
		file.Stages[j].Name != "" &&
			slices.ContainsFunc(m.Targets, func(t string) bool { return strings.EqualFold(t, file.Stages[j].Name) })
}

// priorBuilds is how many builds the prior stands for.
const priorBuilds = 100

// prior says, without a history, at which of 100 builds the sources of a COPY change: at 80 if there is a directory or
// a pattern among them, at 10 if there are only manifests of package managers, at 5 if there are only other single
// files.
func prior(context effects.Context, sources []string) []uint64 {
	set := make([]uint64, 2)
	add := func(from, to int) {
		for i := from; i < to; i++ {
			set[i/64] |= 1 << (i % 64)
		}
	}
	for _, src := range sources {
		base := path.Base(path.Clean("/" + src))
		name := bracketed.ReplaceAllString(strings.TrimSuffix(base, "*"), "$1")
		switch {
		case tools.IsManifest(name),
			strings.HasPrefix(name, "requirements") && strings.HasSuffix(name, ".txt"),
			strings.HasPrefix(name, "package") && strings.HasSuffix(name, ".json"),
			strings.HasPrefix(name, "constraints") && strings.HasSuffix(name, ".txt"),
			slices.Contains(
				[]string{"setup.py", "setup.cfg", "gradlew", "mvnw", "gradle", ".mvn", "patches", "config", ".cargo"},
				name,
			),
			strings.HasSuffix(name, ".props"):
			at := 74 + 2*ecosystem(name) // so that those of two package managers are kept apart
			add(at, at+10)
		case strings.Contains(base, ".") && base != "." && !strings.HasSuffix(src, "/") && !strings.ContainsAny(base,
			"*?[") && (context == nil || context.List(path.Clean(src)) == nil):
			add(84, 89)
		default:
			add(0, 80)
			if base == "/" || base == "." {
				add(0, 90)
			}
		}
	}
	return set
}

// bracketed is a letter of a pattern in brackets.
var bracketed = regexp.MustCompile(`\[[A-Za-z]?([A-Za-z])\]`)

// ecosystem tells the manifests of Node.js, of Python and of others apart.
func ecosystem(manifest string) int {
	for i, starts := range []string{"package npm yarn pnpm bun .npmrc " +
		".yarnrc", "requirements constraints Pipfile pyproject poetry uv pdm setup environment"} {
		if slices.ContainsFunc(
			strings.Fields(starts),
			func(start string) bool { return strings.HasPrefix(manifest, start) },
		) {
			return i
		}
	}
	return 2
}

// changes gives the builds at which an instruction changes by itself. stages are the sets of the stages above.
func (m *Model) changes(in *dockerfile.Instruction, file *dockerfile.File, stages []builds) (set builds, lazy bool) {
	sources := func(list, exclude []string) builds {
		if slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, "$") }) {
			return nil
		}
		if m.Changes == nil {
			return prior(m.Context, list)
		}
		key := strings.Join(list, "\x00") + "\x00\x00" + strings.Join(exclude, "\x00")
		set, known := m.changed[key]
		if !known {
			set = m.withSeldom(list, m.Changes(list, exclude))
			m.changed[key] = set
		}
		return set
	}
	from := func(name string) builds {
		if i := stageNamed(file, name, in.Stage); i >= 0 {
			return stages[i]
		}
		return nil
	}
	switch c := in.Command.(type) {
	case *instructions.CopyCommand:
		if made, ok := effects.Derived(file, in); ok && m.Changes != nil {
			return sources(made, nil), false
		}
		if c.From != "" {
			return from(c.From), false
		}
		return sources(c.SourcePaths, c.ExcludePatterns), false
	case *instructions.AddCommand:
		local := slices.DeleteFunc(slices.Clone(c.SourcePaths), func(s string) bool {
			return strings.Contains(s,
				"://") || strings.HasPrefix(s, "git@")
		})
		if len(local) == 0 {
			return nil, false
		}
		return sources(local, c.ExcludePatterns), false
	case *instructions.RunCommand:
		if !in.MountsRead {
			return nil, false
		}
		for _, mount := range instructions.GetMounts(c) {
			switch {
			case mount.From != "":
				set = set.or(from(mount.From))
			case mount.Type != instructions.MountTypeBind:
			default:
				source := mount.Source
				if source == "" {
					source = "."
				}
				set = set.or(sources([]string{source}, nil))
			}
		}
		return set, false
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			if effects.Stamp(arg.Key) {
				return m.every(), true
			}
		}
		return nil, true
	case *instructions.EnvCommand:
		for _, v := range dockerfile.Variables(in) {
			if effects.Stamp(v.Name.Text) {
				return m.every(), true
			}
		}
		return nil, true
	}
	return nil, false
}

// builds is how many there are.
func (m *Model) builds() int {
	if m.Changes == nil {
		return priorBuilds
	}
	return m.Builds
}

// leastChange is how often a source of a COPY is taken to change at least, in percent of the builds: that it did not in
// a history does not mean that it never will.
const leastChange = 2

// minHeldBack is how many builds there must be for a third of them to be held back.
const minHeldBack = 30

// weigh settles, for a history, which builds are held back, and makes builds up for sources that seldom changed in it.
func (m *Model) weigh(file *dockerfile.File) {
	m.seldom, m.heldBack, m.costs, m.changed = map[string][2]int{}, nil, map[*parser.Node]int64{}, map[string]builds{}
	if m.Changes == nil {
		return
	}
	if m.Builds >= minHeldBack { // the newest are
		m.heldBack = make(builds, m.Builds/64+1)
		for i := m.Builds + 1 - m.Builds/3; i <= m.Builds; i++ {
			if i/64 < len(m.heldBack) {
				m.heldBack[i/64] |= 1 << (i % 64)
			}
		}
	}
	next, least := m.Builds+1, max(1, (m.Builds*leastChange+99)/100)
	for _, in := range file.Instructions {
		c, ok := in.Command.(*instructions.CopyCommand)
		if !ok || c.From != "" {
			continue
		}
		for _, src := range c.SourcePaths {
			clean := path.Clean("/" + src)
			if _, has := m.seldom[clean]; has || strings.Contains(src, "$") {
				continue
			}
			if missing := least - int(builds(m.Changes([]string{src}, nil)).count()); missing > 0 {
				m.seldom[clean] = [2]int{next, next + missing}
				next += missing
			}
		}
	}
}

// withSeldom adds to the builds at which sources change those that are made up for them, or for what lies in them.
func (m *Model) withSeldom(sources []string, set builds) builds {
	for seldom, span := range m.seldom {
		if !slices.ContainsFunc(sources, func(src string) bool {
			clean := path.Clean("/" + src)
			return seldom == clean || strings.HasPrefix(seldom, strings.TrimSuffix(clean, "/")+"/")
		}) {
			continue
		}
		more := make(builds, span[1]/64+1)
		for i := span[0]; i < span[1]; i++ {
			more[i/64] |= 1 << (i % 64)
		}
		set = set.or(more)
	}
	return set
}

// every is all builds that there were: a build argument that names the commit or the time has another value at each. Of
// a history build 0 is the one that the cache begins with.
func (m *Model) every() builds {
	from := 0
	if m.Changes != nil {
		from = 1
	}
	set := make(builds, (m.builds()+from)/64+1)
	for i := from; i < m.builds()+from; i++ {
		set[i/64] |= 1 << (i % 64)
	}
	return set
}

// cost is what one execution takes, in milliseconds; 0 for what is no step.
func (m *Model) cost(in *dockerfile.Instruction) int64 {
	switch in.Meant {
	case "RUN", "COPY", "ADD", "WORKDIR":
		cost, known := m.costs[in.Node]
		if !known {
			cost = int64(m.Seconds(in) * 1000)
			m.costs[in.Node] = cost
		}
		return cost
	}
	return 0
}

// stageNamed gives the index of the stage above that a name or number means, or -1.
func stageNamed(file *dockerfile.File, name string, above int) int {
	if i, err := strconv.Atoi(name); err == nil && 0 <= i && i < above {
		return i
	}
	return file.Stage(strings.ToLower(name), dockerfile.ByFrom, above)
}

// items gives what the search needs to know of a list of instructions, without their order.
func (m *Model) items(list []*dockerfile.Instruction, file *dockerfile.File, stages []builds) []item {
	items := make([]item, len(list))
	for i, in := range list {
		it := &items[i]
		it.cost = m.cost(in)
		it.changed, it.lazy = m.changes(in, file, stages)
		it.run = in.Meant == "RUN"
		if c, ok := in.Command.(*instructions.CopyCommand); ok {
			it.link = c.Link
		}
	}
	return items
}

// total is what all of the file's steps cost, in milliseconds: at the builds that there were.
func (m *Model) total(file *dockerfile.File) int64 {
	_, total := m.stageBuilds(file, m.every())
	return total
}

// stageBuilds gives, for each stage, the builds at which it is rebuilt, and what all of the file's steps cost, in
// milliseconds; at says at which builds, nil stands for all.
func (m *Model) stageBuilds(file *dockerfile.File, at builds) (stages []builds, total int64) {
	for i, stage := range file.Stages {
		above := m.base(file, i, stages)
		items := m.items(stage.Instructions, file, stages)
		order := make([]int, len(items))
		set := above
		pending := builds(nil)
		for k := range items {
			order[k], items[k].changed = k, items[k].changed.and(at)
			switch {
			case items[k].lazy:
				pending = pending.or(items[k].changed)
			case items[k].run:
				set = set.or(pending).or(items[k].changed)
			default:
				set = set.or(items[k].changed)
			}
		}
		cost, _ := costOf(items, order, above)
		total += cost
		stages = append(stages, set)
	}
	return stages, total
}

// base gives the builds at which the stage that stage i is built upon is rebuilt.
func (m *Model) base(file *dockerfile.File, i int, stages []builds) builds {
	if b := stageNamed(file, file.Stages[i].Base.Text, i); b >= 0 {
		return stages[b]
	}
	return nil
}
