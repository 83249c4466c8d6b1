package complete

import (
	"fmt"
	slashpath "path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/secret"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// likely collects items, each name once, the likeliest first.
type likely struct {
	kind  Kind
	items []Item
}

func (l *likely) add(name, detail string) {
	if name != "" && !slices.ContainsFunc(l.items, func(it Item) bool { return it.Label == name }) {
		l.items = append(l.items, Item{Kind: l.kind, Label: name, Detail: detail})
	}
}

func (l *likely) words(words, detail string) {
	for word := range strings.FieldsSeq(words) {
		l.add(word, detail)
	}
}

// base returns the name of the image that a stage is built on, in the end; "" in front of the first stage.
func (c *cursor) base(stage int) string {
	if stage < 0 {
		return ""
	}
	name := c.variables.Image(stage)
	if strings.Contains(name, "$") {
		name, _ = c.variables.Expand(-1, c.file.Text.Len(), name)
	}
	return name
}

// image returns what is known of the image that a stage is built on, nil if it is not known.
func (c *cursor) image(stage int) *images.Image { return images.Of(c.base(stage)) }

// about are the words of a well-known image, "" if nothing is known, and what is said of them.
func (c *cursor) about(stage int, words func(*images.Image) string) (list, detail string) {
	image := c.image(stage)
	if image == nil {
		return "", ""
	}
	return words(image), "usual for " + image.Name
}

// portNamed finds ports in what a file says of its servers.
var portNamed = regexp.MustCompile(`(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\*|\[::\]):(\d{2,5})\b|` +
	`(?:--port|--listen|--http-port|-p)[ =",]+(\d{2,5})\b|" ?:(\d{2,5})"`)

// ports offers, for EXPOSE, the ports that the file names: in variables, in commands; then those that the image's
// programs listen on.
func (c *cursor) ports() {
	if port, protocol, ok := strings.Cut(c.word, "/"); ok && port != "" {
		c.offer(protocol, "", false, entries(Value, "", reference.Protocols))
		return
	}
	l := likely{kind: Value}
	var variables []string
	names := c.names()
	slices.SortStableFunc(names, func(a, b Item) int { return len(a.Label) - len(b.Label) }) // PORT itself first
	for _, it := range names {
		if name := strings.ToUpper(it.Label); !strings.HasSuffix(name, "PORT") {
			continue
		}
		value, known := c.variables.Expand(c.stage, c.sees(), "${"+it.Label+"}")
		if known && digits.MatchString(value) {
			l.add(value, it.Label)
		}
		variables = append(variables, it.Label)
	}
	for _, in := range c.file.Instructions {
		switch in.Meant {
		case "ENV", "ARG": // below the cursor
			for _, arg := range in.Args {
				name, value, _ := strings.Cut(arg.Text, "=")
				if value = strings.Trim(value, `"'`); strings.HasSuffix(name, "PORT") && digits.MatchString(value) {
					l.add(value, fmt.Sprintf("%s in line %d", name, in.Line))
				}
			}
		case "CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN":
			for _, m := range portNamed.FindAllStringSubmatch(c.file.Text.Slice(in.Span), -1) {
				l.add(m[1]+m[2]+m[3], fmt.Sprintf("line %d", in.Line))
			}
		case "EXPOSE":
			if in.Stage != c.stage {
				l.words(c.file.Text.Slice(in.ArgsSpan), fmt.Sprintf("line %d", in.Line))
			}
		}
	}
	for _, name := range variables {
		l.add("$"+name, "a variable")
	}
	l.words(c.about(c.stage, func(i *images.Image) string { return i.Ports }))
	l.words("8080 80 3000 8000 443 5000 9090 8081 8888 3001 6379 5432 3306 27017 9000 4000 22", "")
	l.items = slices.DeleteFunc(l.items, func(it Item) bool { return slices.Contains(c.args, it.Label) })
	c.offer(c.word, "/", false, l.items)
}

var digits = regexp.MustCompile(`^\d{1,5}$`)

// workdirs offers directories to work in: those above, those of other stages, those that are usual for the image.
func (c *cursor) workdirs() {
	l := likely{kind: Folder}
	c.workdirsOf(&l, c.stage, "")
	c.filled(&l)
	all, current := c.made(c.stage)
	depth := func(p made) int { return strings.Count(strings.TrimSuffix(p.path, "/"), "/") }
	slices.SortStableFunc(all, func(a, b made) int { return depth(a) - depth(b) })
	for _, p := range all {
		if strings.HasSuffix(p.path, "/") && !strings.HasPrefix(p.detail, "of the image") {
			l.add(strings.TrimSuffix(p.path, "/"), p.detail)
		}
	}
	for stage := range slices.Backward(c.file.Stages) {
		if stage != c.stage && len(l.items) < 20 && stage > c.stage-20 && stage < c.stage+20 {
			c.workdirsOf(&l, stage, "")
		}
	}
	l.words(c.about(c.stage, func(i *images.Image) string { return i.Dirs }))
	l.words("/app /src /usr/src/app /workspace /opt/app /build", "")
	l.items = slices.DeleteFunc(l.items, func(it Item) bool { return it.Label == current && len(l.items) > 1 })
	l.add(current, "the WORKDIR already")
	c.offer(c.text, "", false, l.items)
}

// filled adds the directories that instructions below the cursor, in its stage, copy into.
func (c *cursor) filled(l *likely) {
	for _, in := range c.file.Instructions {
		command, ok := in.Command.(*instructions.CopyCommand)
		if !ok || in.Stage != c.stage || in.Span.Start < c.offset {
			continue
		}
		dir, file := slashpath.Split(command.DestPath)
		if file != "" && !strings.Contains(file, ".") {
			dir = command.DestPath
		}
		if dir = slashpath.Clean(dir); dir[0] == '/' && dir != "/" && !strings.Contains(dir, "$") &&
			!slices.Contains(inPath, dir) {
			l.add(dir, fmt.Sprintf("line %d copies into it", in.Line))
		}
	}
}

// workdirsOf adds the WORKDIRs of a stage and of those that it is built on, with an end, the newest first.
func (c *cursor) workdirsOf(l *likely, stage int, end string) {
	of := *c
	of.stage = stage
	for in := range of.above() {
		if in.Meant != "WORKDIR" {
			continue
		}
		if len(l.items) > most {
			return
		}
		dir, known := c.variables.Expand(stage, in.Span.Start, strings.Trim(c.file.Text.Slice(in.ArgsSpan), blank))
		if known && strings.HasPrefix(dir, "/") && !strings.ContainsAny(dir, blank+"\n$") {
			l.add(strings.TrimSuffix(dir, "/")+end, fmt.Sprintf("WORKDIR of line %d", in.Line))
		}
	}
}

// data finds directories that hold what is to outlive a container.
var data = regexp.MustCompile(`(?i)(data|conf(ig)?|logs?|db|cache|uploads?|storage|media|backups?|certs?|home|lib)$`)

// volumes offers directories that hold data: in the image, and those that the stage makes.
func (c *cursor) volumes() {
	typed, stop := c.word, ""
	if c.json() {
		if typed, _, _ = c.string(); c.closed() {
			return
		}
		stop = `"`
	}
	l := likely{kind: Folder}
	var rest, other likely
	all, cwd := c.made(c.stage)
	for _, p := range all {
		switch path := strings.TrimSuffix(p.path, "/"); {
		case path == p.path || p.inside || slices.Contains(inPath, path):
		case data.MatchString(path):
			l.add(path, p.detail)
		case p.copied || path == cwd:
			other.add(path, p.detail)
		default:
			rest.add(path, p.detail)
		}
	}
	l.words(c.about(c.stage, func(i *images.Image) string { return i.Volumes }))
	if cwd != "/" {
		l.add(cwd+"/data", "in the WORKDIR")
	}
	for _, it := range rest.items {
		l.add(it.Label, it.Detail)
	}
	l.words("/data /config /tmp /var/log /var/lib", "")
	for _, it := range other.items {
		l.add(it.Label, it.Detail)
	}
	c.offer(typed, stop, false, l.items)
}

// labels offers keys, and licences.
func (c *cursor) labels() {
	if strings.Count(c.text, `"`)%2 == 1 || strings.Count(c.text, "'")%2 == 1 {
		return
	}
	if key, value, ok := strings.Cut(c.word, "="); ok {
		if key == "org.opencontainers.image.licenses" {
			c.offer(value, "", false, entries(Value, "", reference.Licences))
		}
		return
	}
	given := c.file.Text.Slice(c.in.Span)
	var items []Item
	for _, e := range reference.LabelKeys {
		if strings.Contains(given, e.Name+"=") {
			continue
		}
		it := Item{Kind: Key, Label: e.Name, Detail: e.Summary}
		if span, ok := c.span(c.word, "="); ok && c.following(span.End) != "=" {
			if it.Text = e.Name + "="; c.world.TabStops {
				it.Text, it.TabStops = e.Name+`="${1}"`, true
			}
		}
		items = append(items, it)
	}
	c.offer(c.word, "=", true, items)
}

// json reports whether what stands there is the beginning of a JSON array.
func (c *cursor) json() bool { return strings.HasPrefix(c.text, "[") }

// closed reports whether the cursor of a JSON array is in none of its strings.
func (c *cursor) closed() bool { return strings.Count(c.text, `"`)%2 == 0 }

// string returns what stands of the string of a JSON array that the cursor is in, the number of strings in front of
// it, and the first of these.
func (c *cursor) string() (typed string, before int, first string) {
	parts := strings.Split(c.text, `"`)
	if len(parts) > 2 {
		first = parts[1]
	}
	return parts[len(parts)-1], (len(parts) - 2) / 2, first
}

// command offers, for CMD and ENTRYPOINT, the programs that were copied or built, then those of the image; behind the
// first word what such a program usually takes.
func (c *cursor) command() {
	if c.json() {
		if c.closed() {
			return
		}
		typed, before, first := c.string()
		l := likely{kind: Value}
		if before == 0 {
			if started := c.started(); c.keyword == "CMD" && started != "" {
				c.parameters(&l, started) // CMD is what the program of ENTRYPOINT takes
			}
			c.programs(&l)
			if typed != "" {
				l.words("echo python3 python node java npm nginx supervisord tail sleep make", "")
				l.words("/bin/bash /bin/sh /usr/bin/ /usr/local/bin/ /usr/sbin/", "")
			}
		} else if before < 3 {
			c.parameters(&l, slashpath.Base(first))
		}
		c.offer(typed, `"`, false, l.items)
		return
	}
	if c.text != "" {
		return // a shell's command
	}
	l := likely{kind: Value}
	c.programs(&l)
	var items []Item
	for _, it := range l.items[:min(len(l.items), 5)] {
		it.Label = `["` + it.Label + `"]`
		items = append(items, it)
	}
	c.offer("", "", false, items)
}

// started is the name of the program that an ENTRYPOINT above starts, "" if none does.
func (c *cursor) started() string {
	for in := range c.above() {
		if entrypoint, ok := in.Command.(*instructions.EntrypointCommand); ok && !entrypoint.PrependShell &&
			len(entrypoint.CmdLine) > 0 {
			return slashpath.Base(entrypoint.CmdLine[0])
		}
	}
	return ""
}

var inPath = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin", "/go/bin"}

// programs adds what a container of the stage may start.
func (c *cursor) programs(l *likely) {
	m := c.read(c.stage)
	all, cwd := m.newest(), strings.TrimSuffix(m.cwd, "/")+"/"
	add := func(p made) {
		dir, name := slashpath.Split(p.path)
		if slices.Contains(inPath, slashpath.Clean(dir)) || slashpath.Ext(name) == ".exe" {
			l.add(name, p.detail)
		}
		l.add(p.path, p.detail)
		if rest, ok := strings.CutPrefix(p.path, cwd); ok && cwd != "/" {
			l.add("./"+rest, p.detail)
		}
	}
	// What another stage built, and what was made so that it can be started; then scripts; then what is named so.
	for _, starts := range []func(made) bool{
		func(p made) bool { return p.program && !strings.HasSuffix(p.path, ".sh") },
		func(p made) bool {
			return strings.HasSuffix(p.path, ".sh") && (p.program || startScript.MatchString(p.path))
		},
		func(p made) bool { return slashpath.Ext(p.path) == ".exe" },
		func(p made) bool { return p.foreign && slashpath.Ext(p.path) == "" && !noStart.MatchString(p.path) },
		func(p made) bool { return p.copied && slices.Contains(inPath, slashpath.Dir(p.path)) },
		func(p made) bool { return p.copied && startScript.MatchString(p.path) && slashpath.Ext(p.path) == "" },
	} {
		for _, p := range all {
			if !strings.HasSuffix(p.path, "/") && starts(p) {
				add(p)
			}
		}
	}
	c.inits(l)
	l.words(c.about(c.stage, func(i *images.Image) string { return i.Programs }))
	for _, p := range all {
		switch slashpath.Ext(p.path) {
		case ".py":
			l.add("python", "for "+p.path)
		case ".js", ".mjs", ".cjs":
			l.add("node", "for "+p.path)
		case ".jar":
			l.add("java", "for "+p.path)
		case ".dll":
			l.add("dotnet", "for "+p.path)
		}
	}
	for _, p := range all {
		if slashpath.Ext(p.path) == ".sh" || !p.copied && slices.Contains(inPath, slashpath.Dir(p.path)) {
			add(p)
		}
	}
	if c.onWindows() {
		l.words("cmd powershell", "a shell")
	} else {
		l.words("sh bash", "a shell")
	}
	for _, others := range []bool{false, true} {
		for _, p := range slices.Backward(m.packages) { // many are named as their program
			if noProgram.MatchString(p.path) == others {
				l.add(p.path, p.detail)
			}
		}
	}
}

// inits adds the programs that start others and were installed for this.
func (c *cursor) inits(l *likely) {
	for _, init := range []string{"/sbin/tini", "/usr/bin/dumb-init"} {
		name := slashpath.Base(init)
		for in := range c.above() {
			if in.Meant == "RUN" && strings.Contains(c.file.Text.Slice(in.Span), name) {
				l.add(name, fmt.Sprintf("installed in line %d", in.Line))
				l.add(init, "")
			}
		}
	}
}

// packageName is one that may be a program's, noProgram one that is none, or hardly what a container starts.
var (
	packageName = regexp.MustCompile(`^[a-z][a-z0-9_-]+$`)
	noProgram   = regexp.MustCompile(`^(lib|ca-cert|tzdata|gnupg|gcc|build-|font|apt-|perl-|(make|curl|wget|tar|git|` +
		`unzip|xz|less|groff|openssl|bzip2|sudo)$)|-(dev|utils|doc|data|libs|common)$`)
	// noStart is a directory of what is no program.
	noStart = regexp.MustCompile(`(?i)/(lib\d*|META-INF|static|public|dist|build|assets|templates|conf(ig)?|` +
		`node_modules|certs|etc|share|data)/?$`)
)

// onWindows reports whether the stage is one for Windows, as far as its image and the escape character say.
func (c *cursor) onWindows() bool { return c.file.Escape == '`' || images.Windows(c.base(c.stage)) }

var startScript = regexp.MustCompile(`(?i)(entry-?point|start|run|init|launch|boot|serve|cmd)[^/]*$`)

// arguments are what programs usually begin with, "*.x" for files that were copied.
var arguments = map[string]string{
	"python": "*.py -m -u", "python3": "*.py -m -u", "node": "*.js *.mjs *.cjs --enable-source-maps",
	"java": "-jar *.jar", "-jar": "*.jar", "dotnet": "*.dll",
	"npm": "start run", "yarn": "start run", "pnpm": "start run", "bun": "run start",
	"nginx": "-g", "uvicorn": "main:app --host --port", "gunicorn": "app:app --bind", "flask": "run --host",
	"sh": "-c *.sh", "bash": "-c *.sh", "/bin/sh": "-c *.sh", "tini": "--", "dumb-init": "--", "bundle": "exec",
	"deno": "run", "cargo": "run", "go": "run", "uv": "run", "poetry": "run", "php": "*.php artisan -S", "caddy": "run",
	"-m": "http.server uvicorn gunicorn flask", "-g": "daemon off;",
}

// parameters adds what a program usually takes.
func (c *cursor) parameters(l *likely, program string) {
	parts := strings.Split(c.text, `"`)
	list := arguments[program]
	if last := parts[max(0, len(parts)-4+1)]; arguments[last] != "" && strings.HasPrefix(last, "-") {
		list = arguments[last]
	}
	all, cwd := c.made(c.stage)
	dir := strings.TrimSuffix(cwd, "/") + "/"
	for word := range strings.FieldsSeq(list) {
		ext, files := strings.CutPrefix(word, "*")
		if !files {
			l.add(word, "")
			continue
		}
		for _, p := range all {
			if slashpath.Ext(p.path) == ext {
				l.add(strings.TrimPrefix(p.path, dir), p.detail)
			}
		}
	}
	if list == arguments["-g"] {
		l.items = []Item{{Kind: Value, Label: list}}
	}
}

// heredocBegins offers the beginning of a heredoc, for a word that begins with "<<". It reports whether the word does.
func (c *cursor) heredocBegins(in *reference.Instruction) bool {
	if !strings.HasPrefix(c.word, "<<") {
		return false
	}
	var items []Item
	for _, begin := range []struct{ word, end, detail string }{
		{"<<EOF", "EOF", "Several lines"},
		{"<<'EOF'", "EOF", "Several lines, in which nothing is expanded"},
		{"<<-EOF", "EOF", "Several lines, without the tabs that they begin with"},
	} {
		it := Item{Kind: Snippet, Label: begin.word, Detail: begin.detail}
		if span, ok := c.span(c.word, ""); c.world.TabStops && ok && strings.Trim(c.rest(span.End), blank) == "" {
			dest := ""
			if in.Name != "RUN" {
				dest = " ${1:/path}"
			}
			it.Text, it.TabStops = begin.word+dest+"\n$0\n"+begin.end, true
		}
		items = append(items, it)
	}
	c.offer(c.word, "", false, items)
	return true
}

// mountIDs offers the ids of a mount type that the file has, then those that are usual.
func (c *cursor) mountIDs(kind, typed string) {
	l := likely{kind: Value}
	for _, in := range c.file.Instructions {
		if in == c.in {
			continue
		}
		for _, m := range in.Mounts() {
			if id, ok := m.Get("id"); ok && m.Type() == kind {
				l.add(id.Text, fmt.Sprintf("line %d", in.Line))
			}
		}
	}
	if kind == "secret" {
		for _, e := range reference.Secrets {
			l.add(e.Name, e.Summary)
		}
	}
	c.offer(typed, ",", true, l.items)
}

// env offers variables to set: arguments that are to be kept, and what is usual for the image. Behind a name it offers
// values.
func (c *cursor) env() {
	if strings.Count(c.text, `"`)%2 == 1 || strings.Count(c.text, "'")%2 == 1 {
		return
	}
	if name, typed, ok := strings.Cut(c.word, "="); ok {
		c.values(name, typed)
		return
	}
	if len(c.args) > 0 && !strings.Contains(c.args[0], "=") { // ENV NAME VALUE
		if len(c.args) == 1 {
			c.values(c.args[0], c.word)
		}
		return
	}
	l := likely{kind: Variable}
	c.undefined(&l)
	for in := range c.above() {
		if in.Meant == "ARG" {
			for _, arg := range in.Args {
				name, _, _ := strings.Cut(arg.Text, "=")
				if secret.Name(name) {
					continue // an image keeps what ENV sets
				}
				l.add(name+"=$"+name, fmt.Sprintf("the ARG of line %d", in.Line))
			}
		}
	}
	l.words(c.about(c.stage, func(i *images.Image) string { return i.Env }))
	l.words(usualVariables, "")
	given := c.file.Text.Slice(c.in.Span)
	l.items = slices.DeleteFunc(l.items, func(it Item) bool {
		name, _, _ := strings.Cut(it.Label, "=")
		return strings.Contains(given, name+"=")
	})
	for i, it := range l.items {
		name, value, _ := strings.Cut(it.Label, "=")
		if l.items[i].Filter = name; c.world.TabStops {
			l.items[i].Text, l.items[i].TabStops = name+"=${1:"+escape(value)+"}", true
		}
	}
	c.offer(c.word, "=", false, l.items)
}

const usualVariables = "PATH=/opt/bin:$PATH PORT=8080 TZ=UTC LANG=C.UTF-8 LC_ALL=C.UTF-8 NODE_ENV=production " +
	"PYTHONUNBUFFERED=1 GOPATH=/go JAVA_HOME=/opt/java"

// values offers what a variable may be set to: the argument of that name, what the file sets it to elsewhere, and what
// is usual, most of all for the image. A secret stands in no file, so it gets none.
func (c *cursor) values(name, typed string) {
	if secret.Name(name) {
		return
	}
	l := likely{kind: Value}
	for in := range c.above() {
		if arg, ok := in.Command.(*instructions.ArgCommand); ok && c.keyword == "ENV" &&
			slices.ContainsFunc(arg.Args, func(a instructions.KeyValuePairOptional) bool { return a.Key == name }) {
			l.add("$"+name, fmt.Sprintf("the ARG of line %d", in.Line))
		}
	}
	for _, in := range c.file.Instructions {
		at := fmt.Sprintf("line %d", in.Line)
		switch command := in.Command.(type) {
		case *instructions.EnvCommand:
			for _, e := range command.Env {
				if in != c.in && e.Key == name {
					l.add(e.Value, at)
				}
			}
		case *instructions.ArgCommand:
			for _, a := range command.Args {
				if in != c.in && a.Key == name {
					l.add(a.ValueString(), at)
				}
			}
		}
	}
	set := func(words, detail string) {
		for word := range strings.FieldsSeq(words) {
			if key, value, _ := strings.Cut(word, "="); key == name {
				l.add(value, detail)
			}
		}
	}
	set(c.about(c.stage, func(i *images.Image) string { return i.Env }))
	set(usualVariables, "")
	for i := range images.Images {
		set(images.Images[i].Env, "usual for "+images.Images[i].Name)
	}
	c.offer(typed, "", false, l.items)
}

// stagePaths offers what a stage, or a well-known image, is known to hold.
func (c *cursor) stagePaths(name, typed, stop string) {
	l := likely{kind: File}
	if stage := c.file.Stage(name, dockerfile.ByCopy, c.stage); stage >= 0 && stage < c.stage {
		of := *c
		of.in, of.offset = nil, c.file.Text.Len()
		all, _ := of.made(stage)
		add := func(leftBehind bool) {
			for _, p := range all {
				if p.leftBehind() == leftBehind {
					l.add(strings.TrimSuffix(p.path, "/"), p.detail)
				}
			}
		}
		add(false)
		c.taken(&l, name)
		add(true)
		if image := c.image(stage); image != nil {
			l.words(image.Takes, "of the image "+image.Name)
		}
		l.add("/", "all of it")
	} else if image := images.Of(name); image != nil && stage < 0 {
		l.words(image.Takes, "of the image "+image.Name)
	}
	c.offer(typed, stop, false, l.items)
}

// archive finds what is fetched to be unpacked or compared, not to be copied.
var archive = regexp.MustCompile(`(?i)\.(tar|tgz|gz|xz|bz2|zst|zip|7z|msi|asc|sig|sha\d+|sha\d+sum)$|sums?(\d+)?\.txt$`)

// leftBehind reports whether hardly anyone copies it from a stage: what only came with a directory of the build
// context, and archives.
func (p made) leftBehind() bool { return p.inside || archive.MatchString(p.path) }

// taken adds what other instructions copy from the same stage, then the directories that is in.
func (c *cursor) taken(l *likely, name string) {
	var dirs likely
	defer func() {
		for _, it := range dirs.items {
			l.add(it.Label, it.Detail)
		}
	}()
	for _, in := range c.file.Instructions {
		command, ok := in.Command.(*instructions.CopyCommand)
		if !ok || in == c.in || !strings.EqualFold(command.From, name) {
			continue
		}
		for _, source := range command.SourcePaths {
			l.add(source, fmt.Sprintf("line %d", in.Line))
			if dir := slashpath.Dir(source); strings.HasPrefix(dir, "/") && dir != "/" {
				dirs.add(dir, fmt.Sprintf("line %d", in.Line))
			}
		}
	}
}

// destinations offers where to copy to: the working directory, where the source comes from, what was copied into
// above, and what is usual for the image.
func (c *cursor) destinations(typed, stop string) {
	l := likely{kind: Folder}
	source := ""
	if len(c.args) > 0 {
		source = strings.Trim(c.args[len(c.args)-1], `[",`)
	}
	if source == "." || source == "./" {
		l.add(source, "the WORKDIR")
	}
	_, from := c.flag("from")
	if from && source != "" && !strings.ContainsAny(source, "*?$") {
		l.add("/"+strings.TrimPrefix(source, "/"), "as the source")
		if dir := slashpath.Dir(source); slices.Contains(inPath, dir) {
			l.add(dir+"/", "as the source")
		}
	}
	c.configs(&l, slashpath.Base(source))
	l.add("./", "the WORKDIR")
	if plain := strings.TrimPrefix(source, "./"); !from && len(c.args) == 1 && plain != "." && plain != "" &&
		!strings.ContainsAny(plain, "*?$") {
		l.add("./"+strings.TrimSuffix(plain, "/"), "as the source")
	}
	c.workdirsOf(&l, c.stage, "/")
	if image := c.image(c.stage); image != nil && len(l.items) < 3 {
		for dir := range strings.FieldsSeq(image.Dirs) {
			l.add(dir, "usual for "+image.Name)
		}
	}
	c.copiedTo(&l, slashpath.Base(source))
	if base := slashpath.Base(source); base != "." && base != "/" && !strings.ContainsAny(base, "*?$") {
		l.add("/"+base, "as the source")
		switch slashpath.Ext(base) {
		case ".conf", ".cfg", ".cnf", ".ini":
			l.add("/etc/"+base, "for configuration")
		case "", ".sh":
			if list := c.world.Context; from || list == nil || len(list(strings.Trim(source, "./"))) == 0 {
				l.add("/usr/local/bin/"+base, "for programs")
			}
		}
		if from || strings.Contains(source, "://") { // files of the context are offered anyway
			l.add(base, "as the source")
		}
	}
	l.words("/usr/local/bin/ /", "")
	if len(typed) > 1 { // what else begins so
		l.words("/usr/bin/ /bin/ /etc/ /opt/ /tmp/ /var/www/html/ /root/ /home/", "")
	}
	c.offer(typed, stop, false, l.items)
}

// copiedTo adds where files were copied to above.
func (c *cursor) copiedTo(l *likely, file string) {
	for in := range c.above() {
		if (in.Meant == "COPY" || in.Meant == "ADD") && len(in.Args) > 1 && !c.jsonOf(in) {
			dest := in.Args[len(in.Args)-1].Text
			detail := fmt.Sprintf("line %d", in.Line)
			if dir, name := slashpath.Split(dest); dir != "/" && name == slashpath.Base(in.Args[len(in.Args)-2].Text) {
				l.add(dir+strings.TrimPrefix(file, "/"), "as in "+detail)
			}
			l.add(dest, detail)
		}
	}
}

// configs adds where the image reads a file of this name or kind, the name before the kind.
func (c *cursor) configs(l *likely, file string) {
	list, detail := c.about(c.stage, func(i *images.Image) string { return i.Configs })
	for _, same := range []func(string) string{slashpath.Base, slashpath.Ext} {
		for path := range strings.FieldsSeq(list) {
			if same(path) == same(file) && same(file) != "" {
				l.add(strings.TrimSuffix(path, "*"+slashpath.Ext(path)), detail)
			}
		}
	}
}

func (c *cursor) jsonOf(in *dockerfile.Instruction) bool {
	return strings.HasPrefix(in.Args[0].Text, "[")
}
