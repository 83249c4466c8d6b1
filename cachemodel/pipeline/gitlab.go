package pipeline

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// gitlab reads a GitLab CI file with the files of the repository that it includes.
func (f *finder) gitlab(path string) {
	var files []node
	f.included(path, &files, 0)
	if len(files) == 0 {
		return
	}
	outer := f.at
	for _, file := range files {
		for name, job := range file.pairs() {
			if f.full() || strings.HasPrefix(name, ".") || slices.Contains(gitlabKeywords, name) || !job.isMap() {
				continue
			}
			f.at = place{file: path, job: name, line: job.line()}
			f.gitlabJob(files, job)
		}
	}
	f.at = outer
}

// gitlabKeywords are names at the top that are no jobs.
var gitlabKeywords = []string{
	"default", "include", "stages", "variables", "workflow", "image", "services", "cache", "before_script",
	"after_script", "spec",
}

// included takes a file and those of the repository that it includes.
func (f *finder) included(path string, files *[]node, depth int) {
	if depth > maxDepth || len(*files) >= maxFiles {
		return
	}
	root := f.load(path)
	if !root.isMap() {
		return
	}
	*files = append(*files, root)
	include := root.get("include")
	for _, one := range append(include.items(), include) {
		local := one.get("local").text()
		if one.text() != "" && !buildfiles.IsRemote(one.text()) {
			local = one.text()
		}
		if local != "" && !strings.Contains(local, "*") && !strings.Contains(local, "$") {
			f.included(filepath.Join(f.Root, filepath.FromSlash(local)), files, depth+1)
		}
	}
}

// gitlabJob reads one job.
func (f *finder) gitlabJob(files []node, job node) {
	f.costs(1 << 10)
	chain := inherited(files, job, 0) // the job itself first
	vars := map[string]string{"CI_PROJECT_DIR": f.Root}
	if f.Event.Name == "push" {
		vars["CI_COMMIT_BRANCH"], vars["CI_COMMIT_REF_NAME"] = f.Event.Branch, f.Event.Branch
		vars["CI_DEFAULT_BRANCH"], vars["CI_PIPELINE_SOURCE"] = f.Event.Branch, "push"
	} else if f.Event.Base != "" {
		vars["CI_DEFAULT_BRANCH"] = f.Event.Base
	}
	own := func(n node) {
		for name, value := range n.get("variables").pairs() {
			f.costs(16)
			if text := value.text(); value.there() && !value.isMap() {
				vars[name] = text
			} else if value.isMap() {
				vars[name] = value.get("value").text()
			}
		}
	}
	for _, file := range files {
		own(file)
	}
	for _, n := range slices.Backward(chain) {
		own(n)
	}
	if !f.gitlabRuns(chain, f.gitlabVariables(vars)) {
		return
	}
	var text []string
	for _, section := range []string{"before_script", "script"} {
		lines := node{}
		for _, n := range chain {
			if s := n.get(section); s.there() && !lines.there() {
				lines = s
			}
		}
		for _, file := range files {
			for _, s := range []node{file.get("default", section), file.get(section)} {
				if !lines.there() && section == "before_script" {
					lines = s
				}
			}
		}
		text = append(text, commands(lines, maxDepth)...)
	}
	look := f.gitlabVariables(vars)
	outer := f.at.kept
	defer func() { f.at.kept = outer }()
	f.gitlabCaches(files, chain, look)
	var env []string
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(vars)), gitlabPredefined) {
		env = append(env, name+"="+look(name))
	}
	f.script(strings.Join(text, "\n"), f.Root, look, env)
}

// gitlabCaches takes the directories that a job takes over from earlier runs. GitLab replaces what a key has at each
// run, and separates protected branches, as the main one mostly is, from others unless a setting says otherwise.
func (f *finder) gitlabCaches(files, chain []node, look func(name string) string) {
	caches := node{}
	for _, n := range chain {
		if c := n.get("cache"); c.there() && !caches.there() {
			caches = c
		}
	}
	for _, file := range files {
		for _, c := range []node{file.get("default", "cache"), file.get("cache")} {
			if !caches.there() {
				caches = c
			}
		}
	}
	expand := func(text string) string {
		return variable.ReplaceAllStringFunc(text, func(v string) string { return look(strings.Trim(v, "${}")) })
	}
	for _, cache := range append(caches.items(), caches) {
		key := cache.get("key").text()
		k := kept{unsure: "any pipeline with the same key for GitLab's cache may have saved it last"}
		each := eachBranch.MatchString(key) && !cache.get("fallback_keys").there()
		switch {
		case each && !ofCommit.MatchString(key) && f.Event.Name == "push":
			k = kept{apart: true}
		case each && !ofCommit.MatchString(key):
			k = kept{lacking: "GitLab keeps it for each branch apart, by the key " + key}
		case each || cache.get("policy").text() == "push":
			continue
		}
		for _, path := range cache.get("paths").texts() {
			k.dir = join(f.Root, expand(path))
			f.at.kept = append(slices.Clip(f.at.kept), k)
		}
	}
}

// eachBranch and ofCommit find the variables of GitLab's that are other ones for each branch, or each commit, or run.
var (
	ofCommit   = regexp.MustCompile(`CI_COMMIT_(SHORT_)?SHA|CI_COMMIT_TIMESTAMP|CI_PIPELINE_I+D|CI_JOB_ID`)
	eachBranch = regexp.MustCompile(`CI_COMMIT_(REF|BRANCH)|CI_MERGE_REQUEST_|` + ofCommit.String())
)

// gitlabRuns reports whether the event may start a job. A branch that is to be merged may have pipelines of both kinds,
// its own and those of the merge request.
func (f *finder) gitlabRuns(chain []node, look func(name string) string) bool {
	rules, only := node{}, node{}
	for _, n := range chain {
		if r := n.get("rules"); r.there() && !rules.there() {
			rules = r
		}
		if o := n.get("only"); o.there() && !only.there() {
			only = o
		}
	}
	if only.get("refs").there() {
		only = only.get("refs")
	}
	if !rules.there() && only.there() && f.Event.Name != "" {
		return slices.ContainsFunc(append(only.texts(), only.get("refs").texts()...), func(ref string) bool {
			return ref == "branches" || ref == "pushes" || strings.HasPrefix(ref, "/") || strings.Contains(ref, "$") ||
				f.Event.Name == "push" && ref == f.Event.Branch || f.Event.Name != "push" && ref == "merge_requests"
		})
	}
	if !rules.there() || f.Event.Name == "" {
		return true
	}
	for _, rule := range rules.items() {
		condition := rule.get("if").text()
		switch known, holds := gitlabCondition(condition, f.Event.Name != "push", look); {
		case known && !holds:
			continue
		case !known && rule.get("when").text() == "never":
			continue
		case !known:
			f.at.condition = condition
		}
		return rule.get("when").text() != "never"
	}
	return false
}

// gitlabCondition evaluates the condition of a rule, "" is one that holds. Of a merge request only that it is one is
// known.
func gitlabCondition(condition string, request bool, look func(name string) string) (known, holds bool) {
	v := values{}
	text := variable.ReplaceAllStringFunc(condition, func(name string) string {
		name = strings.Trim(name, "${}")
		if value := look(name); unknownIn(value) == "" {
			v["env."+strings.ToLower(name)] = value
		}
		return "env." + name
	})
	if request {
		v["env.ci_merge_request_id"], v["env.ci_commit_branch"] = "1", "(another branch)"
		if !strings.Contains(text, "'push'") && !strings.Contains(text, `"push"`) {
			v["env.ci_pipeline_source"] = "merge_request_event"
		}
	}
	if strings.TrimSpace(text) == "" {
		return true, true
	}
	r := v.evaluate(strings.ReplaceAll(text, `"`, "'"))
	return r.known, r.truth()
}

// variable finds what stands for a variable in the value of another one.
var variable = regexp.MustCompile(`\$\{?[A-Za-z_]\w*\}?`)

// gitlabPredefined are variables that GitLab sets.
var gitlabPredefined = []string{
	"CI_COMMIT_SHA", "CI_COMMIT_SHORT_SHA", "CI_COMMIT_TIMESTAMP", "CI_COMMIT_REF_NAME", "CI_COMMIT_TAG",
	"CI_PIPELINE_ID", "CI_PIPELINE_IID", "CI_JOB_ID", "CI_REGISTRY_IMAGE",
}

// gitlabVariables looks variables up. Those that stand for others are put in place of these.
func (f *finder) gitlabVariables(vars map[string]string) func(name string) string {
	var look func(name string, depth int, left *int) string
	look = func(name string, depth int, left *int) string {
		value, ok := vars[name]
		if *left -= 1 + len(value); !ok || depth == 0 || *left < 0 {
			return unknown("env." + name)
		}
		return variable.ReplaceAllStringFunc(value, func(v string) string {
			return look(strings.Trim(v, "${}"), depth-1, left)
		})
	}
	return func(name string) string {
		left := maxValues
		defer func() { f.costs(maxValues - left) }()
		return look(name, maxDepth, &left)
	}
}

// inherited is a job with the templates that it extends, the nearest first.
func inherited(files []node, job node, depth int) []node {
	out := []node{job}
	if depth > maxDepth {
		return out
	}
	for _, name := range slices.Backward(job.get("extends").texts()) {
		for _, file := range files {
			if template := file.get(name); template.there() && len(out) < maxTemplates {
				out = append(out, inherited(files, template, depth+1)...)
				break
			}
		}
	}
	return out[:min(len(out), maxTemplates)]
}

// commands are those of a script, which may be a list of lists.
func commands(n node, depth int) (out []string) {
	if n.text() != "" {
		return []string{n.text()}
	}
	for _, item := range n.items() {
		if depth > 0 {
			out = append(out, commands(item, depth-1)...)
		}
	}
	return out
}
