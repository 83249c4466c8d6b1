package pipeline

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/invocation"
)

// known are the values that all workflows have.
func (f *finder) known() values {
	v := values{"github.workspace": f.Root, "runner.os": "Linux"}
	if f.Event.Name != "" {
		v["github.event_name"] = f.Event.Name
	}
	if f.Event.Name == "push" {
		v["github.ref"], v["github.ref_name"] = "refs/heads/"+f.Event.Branch, f.Event.Branch
		v["github.ref_type"], v["github.head_ref"], v["github.base_ref"] = "branch", "", ""
	} else if f.Event.Base != "" {
		v["github.base_ref"] = f.Event.Base
	}
	return v
}

// workflow reads a GitHub workflow.
func (f *finder) workflow(path string) {
	root := f.load(path)
	if !root.isMap() || !f.starts(root.get("on")) {
		return
	}
	f.at = place{file: path}
	f.jobs(root, f.known(), 0)
}

// starts reports whether the event starts a workflow with these triggers. One of which paths say whether it runs is
// taken to have run for the last commit that has changed any of them.
func (f *finder) starts(on node) bool {
	if f.Event.Name == "" || slices.Contains(on.texts(), f.Event.Name) {
		return true
	}
	for name, trigger := range on.pairs() {
		if name != f.Event.Name {
			continue
		}
		branch := f.Event.Branch
		if name != "push" {
			branch = f.Event.Base
		}
		only, not := trigger.get("branches"), trigger.get("branches-ignore")
		tags := trigger.get("tags").there() || trigger.get("tags-ignore").there()
		switch {
		case branch == "":
			return true
		case only.there():
			return matches(only.texts(), branch)
		case not.there():
			return !matches(not.texts(), branch)
		}
		return !tags
	}
	return false
}

// matches reports whether filter patterns stand for a branch; the last one that is about it counts.
func matches(patterns []string, branch string) (ok bool) {
	for _, pattern := range patterns {
		positive, negative := strings.CutPrefix(pattern, "!")
		re := regexp.QuoteMeta(positive)
		re = strings.NewReplacer(`\*\*`, ".*", `\*`, "[^/]*", `\?`, ".?", `\+`, "+").Replace(re)
		if compiled, err := regexp.Compile("^" + re + "$"); err == nil && compiled.MatchString(branch) {
			ok = !negative
		}
	}
	return ok
}

// jobs reads the jobs of a workflow.
func (f *finder) jobs(root node, v values, depth int) {
	v = v.with("env.", root.get("env"))
	outer := f.at
	for name, job := range root.get("jobs").pairs() {
		if f.full() {
			break
		}
		f.at = outer
		if depth == 0 {
			f.at.job = name
		} else {
			f.at.job += "/" + name
		}
		for _, combination := range matrix(job.get("strategy", "matrix"), v) {
			at := f.at
			if f.runs(job, combination) {
				f.job(root, job, combination, depth)
			}
			f.at = at
		}
	}
	f.at = outer
}

// runs reports whether a job or step may run, and keeps its condition if only the run can tell.
func (f *finder) runs(n node, v values) bool {
	condition := n.get("if").text()
	if condition == "" {
		return true
	}
	trimmed := strings.TrimSpace(condition)
	if start, end, ok := expression(trimmed); ok && start == 0 && end == len(trimmed) {
		condition = trimmed[len("${{") : end-len("}}")]
	}
	r := v.evaluate(condition)
	if !r.known {
		f.at.condition = strings.Join(strings.Fields(condition), " ")
		return true
	}
	return r.truth()
}

// matrix gives the values of each combination of a matrix.
func matrix(n node, v values) []values {
	if !n.isMap() {
		if !n.there() {
			v = maps.Clone(v)
			v["matrix"+whole] = ""
		}
		return []values{v}
	}
	type combination = map[string]string
	combinations := []combination{{}}
	axes := map[string]bool{}
	for axis, list := range n.pairs() {
		if axis == "include" || axis == "exclude" || len(list.items()) == 0 {
			continue
		}
		axes[strings.ToLower(axis)] = true
		var next []combination
		for _, have := range combinations {
			for _, item := range list.items() {
				if len(next) >= maxMatrix {
					break
				}
				c := maps.Clone(have)
				flatten(c, strings.ToLower(axis), item, v, maxDepth)
				next = append(next, c)
			}
		}
		combinations = next
	}
	agree := func(c, with combination) bool {
		for name, value := range with {
			if axes[name] && c[name] != value {
				return false
			}
		}
		return true
	}
	flat := func(item node) combination {
		c := combination{}
		for name, value := range item.pairs() {
			flatten(c, strings.ToLower(name), value, v, maxDepth)
		}
		return c
	}
	for _, item := range n.get("exclude").items() {
		without := flat(item)
		combinations = slices.DeleteFunc(combinations, func(c combination) bool { return agree(c, without) })
	}
	if len(axes) == 0 && len(n.get("include").items()) > 0 {
		combinations = nil
	}
	var added []combination
	for _, item := range n.get("include").items() {
		extra, taken := flat(item), false
		for _, c := range combinations {
			if agree(c, extra) {
				maps.Copy(c, extra)
				taken = true
			}
		}
		if !taken && len(combinations)+len(added) < maxMatrix {
			added = append(added, extra)
		}
	}
	var out []values
	for _, c := range append(combinations, added...) {
		one := maps.Clone(v)
		one["matrix"+whole] = ""
		for name, value := range c {
			one["matrix."+name] = value
		}
		out = append(out, one)
	}
	return out
}

// flatten takes a value down by the paths of what is in it.
func flatten(to map[string]string, path string, n node, v values, depth int) {
	if !n.isMap() {
		to[path] = v.expand(n.text())
		return
	}
	for name, value := range n.pairs() {
		if depth > 0 {
			flatten(to, path+"."+strings.ToLower(name), value, v, depth-1)
		}
	}
}

// job reads one job of a workflow.
func (f *finder) job(root, job node, v values, depth int) {
	if uses := v.expand(job.get("uses").text()); uses != "" {
		path, ref, own := f.own(uses)
		if !own {
			f.unseen(uses, "workflow", job.line())
		}
		if !own || depth >= maxDepth {
			return
		}
		f.at.ref = cmp.Or(ref, f.at.ref)
		called := f.load(path)
		if !called.isMap() {
			return
		}
		inputs := f.known()
		inputs["inputs"+whole] = ""
		for name, input := range called.get("on", "workflow_call", "inputs").pairs() {
			inputs["inputs."+strings.ToLower(name)] = input.get("default").text()
		}
		for name, value := range v.with("inputs.", job.get("with")) {
			if strings.HasPrefix(name, "inputs.") {
				inputs[name] = value
			}
		}
		f.at.file = path
		f.jobs(called, inputs, depth+1)
		return
	}
	v = v.with("env.", job.get("env"))
	for _, label := range job.get("runs-on").texts() {
		label = v.expand(label)
		system, _, _ := strings.Cut(label, "-")
		f.at.hosted = f.at.hosted || system == "ubuntu" || system == "windows" || system == "macos"
		if label == "self-hosted" {
			f.at.keeper = "a self-hosted runner"
		}
	}
	dir := f.Root
	for _, n := range []node{root, job} {
		if at := n.get("defaults", "run", "working-directory").text(); at != "" {
			dir = join(f.Root, v.expand(at))
		}
	}
	f.steps(job.get("steps"), v, dir, depth)
	if f.at.setUp {
		f.add(Build{Tool: "docker/setup-buildx-action", Line: job.line(),
			Problem: "the job sets up Buildx, but what it builds is not found: a script or another program may build"})
	}
}

// unseen takes down what another repository has and by its name builds images.
func (f *finder) unseen(uses, what string, line int) {
	name, _, _ := strings.Cut(uses, "@")
	builds := buildsByName.MatchString(name) || what == "workflow" && aboutImages.MatchString(name)
	if builds && !strings.HasPrefix(name, "docker/") && !strings.HasPrefix(name, "./") {
		f.add(Build{Tool: name, Line: line, Problem: fmt.Sprintf("it is the %s of another repository, which is not read", what)})
	}
}

var buildsByName = regexp.MustCompile(`(?i)(docker|buildah|podman|container|image).*(build|publish|push)|` +
	`build.*(docker|container|image|push|bake)|kaniko`)

// aboutImages finds the names of workflows that build images though they do not say so: "docker.yml".
var aboutImages = regexp.MustCompile(`(?i)(^|[/_-])(docker|container|image)s?\.ya?ml$`)

// own finds what a job or step uses if it is in this repository: "./path", or "owner/name/path@ref" by its name.
func (f *finder) own(uses string) (path, ref string, ok bool) {
	path, ok = strings.CutPrefix(uses, "./")
	if !ok {
		name, at, _ := strings.Cut(uses, "@")
		parts := strings.SplitN(name, "/", 3)
		if len(parts) < 2 || at == "" || f.At == nil ||
			!slices.Contains(f.Own, strings.ToLower(parts[0]+"/"+parts[1])) {
			return "", "", false
		}
		path, ref = strings.Join(parts[2:], "/"), at
	}
	path = filepath.Join(f.Root, filepath.FromSlash(path))
	return path, ref, unknownIn(uses) == "" && Within(f.Root, path)
}

func join(dir, path string) string {
	if filepath.IsAbs(path) || unknownIn(path) != "" {
		return path
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}

// steps reads the steps of a job or of an action.
func (f *finder) steps(steps node, v values, dir string, depth int) {
	for i, step := range steps.items() {
		if i >= maxSteps || f.full() {
			return
		}
		f.costs(256 + 2*len(v))
		outer := f.at
		if !f.runs(step, v) {
			f.at = outer
			continue
		}
		if f.at.line == 0 { // else it is a step of an action
			f.at.line = step.line()
		}
		f.at.step = v.expand(step.get("name").text())
		f.step(step, v.with("env.", step.get("env")), dir, depth)
		f.at.condition, f.at.line, f.at.step = outer.condition, outer.line, outer.step
	}
}

func (f *finder) step(step node, v values, dir string, depth int) {
	uses := v.expand(step.get("uses").text())
	action, _, _ := strings.Cut(uses, "@")
	input := func(name string) string { return v.expand(step.get("with", name).text()) }
	switch {
	case action == "actions/checkout":
		if step.get("with", "repository").text() == "" || input("repository") == "${{github.repository}}" {
			f.at.own = input("path")
		}
	case action == "actions/cache", action == "actions/cache/restore":
		stays := input("key")
		replaced(stays, func(e string) string {
			if varies(e) {
				stays = ""
			}
			return ""
		})
		for _, path := range lines(input("path")) {
			f.at.kept = append(slices.Clip(f.at.kept), kept{
				dir: join(f.Root, path), apart: true, unsure: savedOnce(stays),
			})
		}
	case strings.HasSuffix(action, "/buildkit-cache-dance"):
		f.at.hosted = false // it keeps cache mounts
	case action == "docker/setup-buildx-action":
		f.at.setUp = true
		switch driver := input("driver"); driver {
		case "", "docker-container":
			f.at.keeper = ""
		case "docker":
		default:
			f.at.keeper = "driver " + driver
		}
	case strings.HasSuffix(action, "/setup-docker-builder"), action == "depot/setup-action":
		f.at.keeper = action
	case action == "useblacksmith/build-push-action", action == "depot/build-push-action":
		f.at.keeper = action
		f.buildPush(input)
	case action == "docker/build-push-action":
		f.buildPush(input)
	case action == "docker/bake-action":
		f.bakeAction(input, v)
	case uses != "":
		if at, ref, own := f.own(uses); own && depth < maxDepth {
			outer := f.at.ref
			f.at.ref = ref // "./" is in the workspace, whatever the workflow is read at
			f.action(at, step, v, dir, depth)
			f.at.ref = outer
		} else if !own {
			f.unseen(uses, "action", step.line())
		}
	case step.get("run").text() != "":
		if shell := step.get("shell").text(); shell == "" || strings.HasPrefix(shell, "bash") || shell == "sh" {
			if at := step.get("working-directory").text(); at != "" {
				dir = join(f.Root, v.expand(at))
			}
			text := v.expand(step.get("run").text())
			f.script(text, dir, variables(v), f.environment(v))
			if strings.Contains(text, "imagetools") { // which joins images that other jobs build
				f.at.setUp = false
			}
			f.at.sets = f.at.sets || strings.Contains(text, "GITHUB_ENV")
		}
	}
}

// variables are the variables of a step's shell.
func variables(v values) func(name string) string {
	return func(name string) string {
		if value, ok := v[variablePrefix+name]; ok {
			return value
		}
		if rest, ok := strings.CutPrefix(name, "GITHUB_"); ok {
			key := "github." + strings.ToLower(rest)
			if value, ok := v[key]; ok {
				return value
			}
			return unknown(key)
		}
		return unknown("env." + name)
	}
}

// action reads a composite action of this repository.
func (f *finder) action(at string, step node, v values, dir string, depth int) {
	action := f.load(filepath.Join(at, "action.yml"))
	if !action.isMap() {
		action = f.load(filepath.Join(at, "action.yaml"))
	}
	inner := maps.Clone(v)
	inner["inputs"+whole] = ""
	for name, input := range action.get("inputs").pairs() {
		inner["inputs."+strings.ToLower(name)] = v.expand(input.get("default").text())
	}
	for name, value := range v.with("inputs.", step.get("with")) {
		if strings.HasPrefix(name, "inputs.") {
			inner[name] = value
		}
	}
	f.steps(action.get("runs", "steps"), inner, dir, depth+1)
}

// lines are the entries of an input that is a list of lines.
func lines(text string) (out []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// commas are the entries of an input that is a list of lines and commas.
func commas(text string) (out []string) {
	for _, line := range lines(text) {
		r := csv.NewReader(strings.NewReader(line))
		r.LazyQuotes = true
		fields, err := r.Read()
		if err != nil {
			fields = []string{line}
		}
		for _, field := range fields {
			if field = strings.TrimSpace(field); field != "" {
				out = append(out, field)
			}
		}
	}
	return out
}

// buildPush reads a step that uses docker/build-push-action.
func (f *finder) buildPush(input func(string) string) {
	b := Build{
		Tool: "docker/build-push-action", Tags: commas(input("tags")),
		From: Caches(lines(input("cache-from"))), To: Caches(lines(input("cache-to"))),
	}
	b.Pushes = input("push") != "" && input("push") != "false" || strings.Contains(input("outputs"), "push=true") ||
		strings.Contains(input("outputs"), "type=registry")
	o := &b.Options
	o.Engine, o.Target = cachemodel.BuildKit, input("target")
	o.Platform = strings.Join(commas(input("platforms")), ",")
	o.NoCache, o.NoCacheFilter = input("no-cache") == "true", commas(input("no-cache-filters"))
	o.Run = cachemodel.RunSettings{
		Network: input("network"), ShmSize: buildfiles.Bytes(input("shm-size")),
		Ulimits: buildfiles.Ulimits(commas(input("ulimit"))), ExtraHosts: commas(input("add-hosts")),
		Entitlements: commas(input("allow")), CgroupParent: input("cgroup-parent"),
	}
	o.Args = map[string]string{}
	for _, line := range lines(input("build-args")) {
		if name, value, ok := strings.Cut(line, "="); ok {
			o.Args[name] = value
		} else if unknownIn(line) != "" {
			b.Problem = fmt.Sprintf("the build arguments %s are not known", line)
		}
	}
	problem := b.Problem
	context := input("context")
	sub, isGit := inDefaultContext(context)
	if context == "" || isGit { // the action hands BuildKit the commit, not the workspace
		own := f.at.own
		f.at.own = ""
		dir := filepath.Join(f.Root, filepath.FromSlash(sub))
		f.place(&b, dir, ".", ".", input("file"))
		f.at.own = own
	} else {
		f.place(&b, f.Root, context, context, input("file"))
	}
	if b.Problem == "" {
		b.Problem = problem
	}
	for _, kv := range lines(input("build-contexts")) {
		if name, where, ok := strings.Cut(kv, "="); ok {
			f.named(&b, name, where)
		}
	}
	f.add(b)
}

// inDefaultContext is the path within the commit that is built, if a text is one: "{{defaultContext}}:path".
func inDefaultContext(text string) (path string, ok bool) {
	for _, prefix := range []string{"{{defaultContext}}", unknown("defaultContext")} {
		if path, ok = strings.CutPrefix(text, prefix); ok {
			return strings.TrimPrefix(path, ":"), true
		}
	}
	return "", false
}

// named takes a named context.
func (f *finder) named(b *Build, name, where string) {
	if unknownIn(where) != "" && !strings.HasPrefix(where, "docker-image://") {
		b.Problem = fmt.Sprintf("the named context %s is not known", name)
		return
	}
	named := invocation.Build{Contexts: b.Options.Contexts, Images: b.Options.Images}
	named.NamedContext(filepath.Join(f.Root, f.at.own), name, where)
	b.Options.Contexts, b.Options.Images = named.Contexts, named.Images
}

// bakeAction reads a step that uses docker/bake-action.
func (f *finder) bakeAction(input func(string) string, v values) {
	o := buildfiles.Options{Dir: f.Root, Env: f.environment(v), Read: f.Read}
	if dir := input("workdir"); dir != "" {
		o.Dir = join(f.Root, dir)
	}
	source := input("source")
	if sub, isGit := inDefaultContext(source); isGit {
		source = sub
	}
	switch {
	case buildfiles.IsRemote(source):
		f.add(Build{Tool: "docker/bake-action", Problem: fmt.Sprintf("its source %s is remote", source)})
		return
	case source != "":
		o.Dir = join(f.Root, source)
	}
	for _, file := range commas(input("files")) {
		if unknownIn(file) == "" { // else one that an action before has made, with tags and labels
			o.Files = append(o.Files, strings.TrimPrefix(file, "cwd://"))
		}
	}
	problem := ""
	for _, set := range lines(input("set")) {
		o.Set = append(o.Set, set)
		path, _, _ := strings.Cut(set, "=")
		if e := unknownIn(path); e != "" {
			problem = "what it sets for targets of a bake file, " + e + ", is not known"
		}
	}
	dir, reason := f.inRepository(o.Dir, ".")
	if reason != "" {
		f.add(Build{Tool: "docker/bake-action", Problem: reason})
		return
	}
	o.Dir = dir
	project, err := buildfiles.ReadBake(f.ctx, o)
	if err != nil {
		f.add(Build{Tool: "docker/bake-action", Problem: err.Error()})
		return
	}
	targets := commas(input("targets"))
	if len(targets) == 0 {
		targets = commas(input("target"))
	}
	entries, err := project.Select(targets...)
	if err != nil {
		f.add(Build{Tool: "docker/bake-action", Problem: err.Error()})
		return
	}
	for i := range entries {
		e := &entries[i]
		f.entry(e, "docker/bake-action", e.CacheFrom, e.CacheTo, problem, input("push") == "true")
	}
}

// entry takes the build of a Compose service or a bake target.
func (f *finder) entry(e *buildfiles.Entry, tool string, from, to []string, problem string, pushes bool) {
	b := Build{
		Tool: tool, Name: e.ID, Dockerfile: e.Dockerfile, Tags: e.Tags, From: Caches(from), To: Caches(to),
		Problem: problem, Pushes: pushes,
	}
	b.Options = e.Fill(b.Options)
	f.ofBuildFile(&b, e.Volatile)
	if e.Dockerfile == "" && problem == "" {
		b.Problem = "its Dockerfile is not a file of this repository"
	}
	f.add(b)
}

// ofBuildFile completes a build that a Compose or bake file describes: volatile arguments have another value each time.
func (f *finder) ofBuildFile(b *Build, volatile []string) {
	for _, name := range volatile {
		b.Options.Args[name] = unknown("github.run_id") // as this has
	}
	if f.at.sets && b.Problem == "" {
		b.Problem = "its variables may be those that the job sets in GITHUB_ENV, which are not known"
	}
}

// environment is what bake files, Compose files and --build-arg look variables up in, with those of which only a run
// of the CI knows the value.
func (f *finder) environment(v values) []string {
	env := slices.Clone(f.Env)
	for _, name := range []string{"SHA", "REF", "REF_NAME", "RUN_ID", "RUN_NUMBER", "RUN_ATTEMPT"} {
		env = append(env, "GITHUB_"+name+"="+variables(v)("GITHUB_"+name))
	}
	var own []string
	for name, value := range v {
		if name, ok := strings.CutPrefix(name, variablePrefix); ok {
			own = append(own, name+"="+value)
		}
	}
	slices.Sort(own)
	return append(env, own...)
}
