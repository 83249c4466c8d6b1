package complete

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reference"
)

// argument offers what may stand behind the keyword.
func (c *cursor) argument(in *reference.Instruction) {
	if len(c.args) == 0 && !slices.Contains(c.flags, "--") {
		if strings.HasPrefix(c.word, "--") && strings.Contains(c.word, "=") {
			c.flagValue(in)
			return
		}
		if c.word == "" || strings.HasPrefix(c.word, "-") {
			defer c.flagNames(in) // behind what the instruction is about
		}
		if strings.HasPrefix(c.word, "-") {
			return
		}
	}
	switch in.Name {
	case "FROM":
		c.from()
	case "COPY", "ADD":
		if !c.heredocBegins(in) {
			c.copy()
		}
	case "RUN":
		if len(c.args) == 0 {
			c.heredocBegins(in)
		}
	case "ARG":
		c.argNames()
	case "ENV":
		c.env()
	case "LABEL":
		c.labels()
	case "VOLUME":
		c.volumes()
	case "CMD", "ENTRYPOINT":
		c.command()
	case "WORKDIR":
		c.workdirs()
	case "USER":
		if len(c.args) == 0 {
			c.users(c.word)
		}
	case "STOPSIGNAL":
		if len(c.args) == 0 {
			c.offer(c.word, "", true, entries(Value, "", reference.Signals))
		}
	case "EXPOSE":
		c.ports()
	case "SHELL":
		c.shells()
	case "HEALTHCHECK":
		if len(c.args) == 0 {
			lower := c.lowerCase()
			items := []Item{
				{Kind: Keyword, Label: cased("CMD", lower), Detail: in.Words["CMD"], Doc: "instruction/HEALTHCHECK"},
			}
			if len(c.flags) == 0 {
				items = append(
					items,
					Item{
						Kind:   Keyword,
						Label:  cased("NONE", lower),
						Detail: in.Words["NONE"],
						Doc:    "instruction/HEALTHCHECK",
					},
				)
			}
			c.offer(c.word, "[", false, items)
		}
	}
}

func (c *cursor) from() {
	switch len(c.args) {
	case 0:
		c.imageOrStage(c.word)
	case 1:
		c.offer(
			c.word,
			"",
			false,
			[]Item{
				{Kind: Keyword, Label: cased("AS", c.lowerCase()), Detail: "Name the stage", Doc: "instruction/FROM"},
			},
		)
	case 2:
		c.stageNames()
	}
}

// stages offers the stages that can be copied from: those above.
func (c *cursor) stages() []Item {
	var items []Item
	for _, stage := range slices.Backward(c.file.Stages) {
		if c.in == nil || stage.From.Span.Start >= c.in.Span.Start || stage.Index == c.in.Stage {
			continue
		}
		name := stage.Name
		if name == "" {
			if c.keyword != "COPY" {
				continue // only COPY --from knows stages by number
			}
			name = fmt.Sprint(stage.Index)
		}
		if !slices.ContainsFunc(items, func(it Item) bool { return it.Label == name }) {
			items = append(
				items,
				Item{
					Kind:   Stage,
					Label:  name,
					Detail: fmt.Sprintf("stage of line %d: FROM %s", stage.From.Line, stage.Base.Text),
				},
			)
		}
	}
	return items
}

// shells offers values of SHELL as long as what stands there is the beginning of one.
func (c *cursor) shells() {
	span, ok := c.span(c.text, "")
	if !ok {
		return
	}
	before := len(c.list.Items)
	shells := entries(Value, "", reference.Shells)
	if c.onWindows() {
		slices.SortStableFunc(shells, func(a, b Item) int { return unixLast(a) - unixLast(b) })
	}
	c.offer(c.text, "", false, shells)
	rest := strings.TrimRight(c.rest(span.End), blank)
	if rest == "" || strings.HasSuffix(rest, "]") {
		for i := range c.list.Items[before:] {
			c.list.Items[before+i].Span.End, c.list.Items[before+i].Whole = span.End+len(rest), true
		}
	}
}

func unixLast(shell Item) int { return strings.Index(shell.Label, "/bin/") }

// argNames offers, for ARG, those above the first FROM and those that BuildKit sets.
func (c *cursor) argNames() {
	if name, typed, ok := strings.Cut(c.word, "="); ok {
		c.values(name, typed)
		return
	}
	l := likely{kind: Variable}
	c.undefined(&l)
	if c.stage >= 0 {
		for _, name := range c.variables.Globals() {
			l.add(name, c.value(-1, name))
		}
		for i := range reference.PredefinedArgs {
			e := &reference.PredefinedArgs[i]
			if reference.ProxyArg(e) {
				continue
			}
			l.add(e.Name, e.Summary)
			at := slices.IndexFunc(l.items, func(it Item) bool { return it.Label == e.Name })
			l.items[at].Doc = "arg/" + e.Name
		}
	}
	c.offer(c.word, "=", false, l.items)
}

var (
	userAdded  = regexp.MustCompile(`\b(useradd|adduser)\b([^;&|\n]*)`)
	groupAdded = regexp.MustCompile(`\b(groupadd|addgroup)\b([^;&|\n]*)`)
	ownerGiven = regexp.MustCompile(`(?:--chown=|\bchown\s+(?:-\w+\s+)*)(\w[\w.-]*)`)
	plainName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]*$`)
)

// users offers users, and groups behind a colon.
func (c *cursor) users(typed string) {
	var items []Item
	add := func(name, detail string) {
		if plainName.MatchString(name) && !slices.ContainsFunc(items, func(it Item) bool { return it.Label == name }) {
			items = append(items, Item{Kind: User, Label: name, Detail: detail})
		}
	}
	user, group, behind := strings.Cut(typed, ":")
	commands := userAdded
	if behind {
		commands, typed = groupAdded, group
		add(user, "the group of the same name")
	}
	for in := range c.above() {
		switch in.Meant {
		case "USER":
			u, g, _ := strings.Cut(strings.Trim(c.file.Text.Slice(in.ArgsSpan), blank), ":")
			if behind {
				u = g
			}
			add(u, fmt.Sprintf("USER in line %d", in.Line))
		case "RUN":
			for _, m := range commands.FindAllStringSubmatch(c.file.Text.Slice(in.Span), -1) {
				add(added(m[1], m[2]), fmt.Sprintf("added in line %d", in.Line))
			}
		}
	}
	if !behind {
		if image := c.image(c.stage); image != nil {
			for name := range strings.FieldsSeq(image.Users) {
				add(name, "a user of the image")
			}
		}
	}
	for in := range c.above() {
		if m := ownerGiven.FindStringSubmatch(c.file.Text.Slice(in.Span)); m != nil && !behind && m[1] != "root" {
			add(m[1], fmt.Sprintf("line %d gives it files", in.Line))
		}
	}
	switch {
	case c.onWindows():
		add("ContainerAdministrator", "the administrator")
		add("ContainerUser", "who may do less")
	case behind:
		add("root", "the administrator, number 0")
	default:
		add("root", "the administrator, number 0")
		add("nobody", "nobody in particular, in most images")
		items = append(items, Item{Kind: User, Label: "1000", Detail: "by its number"})
	}
	c.offer(typed, ":", false, items)
}

// added returns the user or group that the arguments of a command such as useradd name: the last word, or with
// BusyBox's and Debian's commands the first that is no option.
func added(command, args string) string {
	var names []string
	fields := strings.Fields(strings.ReplaceAll(args, "\\", " "))
	for i := 0; i < len(fields); i++ {
		switch f := fields[i]; {
		case strings.HasPrefix(f, "--") || f == "-D" || f == "-S" || f == "-H" || f == "-m" || f == "-M" || f == "-r" ||
			f == "-l" || f == "-U" || f == "-N":
		case strings.HasPrefix(f, "-"):
			i++ // the option's value
		default:
			names = append(names, f)
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case command == "useradd" || command == "groupadd":
		return names[len(names)-1]
	}
	return names[0]
}

// above yields the instructions above the cursor in its stage and those that it is built on, the nearest first.
func (c *cursor) above() func(yield func(*dockerfile.Instruction) bool) {
	return func(yield func(*dockerfile.Instruction) bool) {
		for stage := c.stage; stage >= 0; stage = c.variables.Bases[stage] {
			for _, in := range slices.Backward(c.file.Stages[stage].Instructions) {
				if in.Span.End < c.offset && in != c.in && !yield(in) {
					return
				}
			}
		}
	}
}
