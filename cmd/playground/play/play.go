// Package play answers what the playground asks: of two versions of a Dockerfile and its build context, what the next
// build reuses and why, which mistakes there are, and which order is better. All is in memory; nothing is read or sent.
//
//	answer := play.Answer(play.Request{Before: before, After: after, Engine: "buildkit"})
//
// It must not know JavaScript.
package play

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/replay"
)

// Version is a Dockerfile and its build context at one time.
type Version struct {
	Dockerfile string            `json:"dockerfile"`
	Files      map[string]string `json:"files"` // contents by slash-separated path; .dockerignore counts
}

// Request is what is asked.
type Request struct {
	Before Version           `json:"before"` // what the builder has built
	After  Version           `json:"after"`  // what is built next
	Engine cachemodel.Engine `json:"engine"`
	// Cache, unless it is "", is how the cache of Before was exported that a fresh builder imports, as in CI.
	Cache  cachemodel.CacheMode `json:"cache"`
	Target string               `json:"target"`
	Args   map[string]string    `json:"args"` // of both builds
	// Orders asks for better orders instead of the rest: a search, too long for each key.
	Orders bool `json:"orders"`
}

// Answer is what is told of a Request.
type Answer struct {
	Steps    []cachemodel.Step  `json:"steps"`
	Summary  cachemodel.Summary `json:"summary"`
	Findings []Finding          `json:"findings"`
	Orders   []Order            `json:"orders"`
	Error    string             `json:"error,omitempty"` // why there can be no build
}

// Edit replaces a part of After.Dockerfile, given in UTF-16 code units as JavaScript counts.
type Edit struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	Text string `json:"text"`
}

// Finding is a mistake, at a place given as in Edit.
type Finding struct {
	From     int    `json:"from"`
	To       int    `json:"to"`
	Rule     string `json:"rule"`
	Page     string `json:"page"` // address of the page about it
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Fixes    []Fix  `json:"fixes"`
}

// Fix is a change that removes a finding.
type Fix struct {
	Title string `json:"title"`
	Edits []Edit `json:"edits"`
}

// Order is a better order of a stage's instructions.
type Order struct {
	Title       string        `json:"title"`
	Explanation string        `json:"explanation"`
	Grade       reorder.Grade `json:"grade"`
	Text        string        `json:"text"` // the whole Dockerfile in that order
}

// AnswerJSON is Answer for a request and an answer in JSON.
func AnswerJSON(request string) string {
	var r Request
	var a Answer
	if err := json.Unmarshal([]byte(request), &r); err != nil {
		a.Error = err.Error()
	} else if _, err := cachemodel.ParseCacheMode(string(r.Cache)); err != nil {
		a.Error = err.Error()
	} else {
		a = Ask(r)
	}
	out, err := json.Marshal(a)
	if err != nil {
		return `{"error":"the answer cannot be written as JSON"}`
	}
	return string(out)
}

// Ask answers a request.
func Ask(r Request) Answer {
	settings := cachemodel.Settings{
		Engine: cmp.Or(r.Engine, cachemodel.BuildKit), Target: r.Target, Args: r.Args,
	}
	after := build(r.After, settings)
	a := Answer{Findings: []Finding{}, Orders: []Order{}}
	if r.Orders {
		for _, o := range orders(after, r.After, settings) {
			if text, err := source.Apply(r.After.Dockerfile, o.Edits); err == nil {
				a.Orders = append(a.Orders, Order{o.Title, o.Explanation, o.Grade, text})
			}
		}
		return a
	}
	plan := cachemodel.NewPlan(after)
	if err := plan.Err(); err != nil {
		a.Error = err.Error()
	}
	if r.Before.Dockerfile == "" {
		a.Steps = cachemodel.Compare(nil, plan)
	} else {
		pasts := cachemodel.Pasts(cachemodel.NewPlan(build(r.Before, settings)))
		pasts[0].Exported = r.Cache
		a.Steps = cachemodel.Compare(pasts, plan)
	}
	a.Summary = cachemodel.Summarize(a.Steps)
	units := newUnits(r.After.Dockerfile)
	for _, f := range rules.Check(after.File, ruleOptions(after, r.After, settings.Engine)) {
		a.Findings = append(a.Findings, finding(f, units))
	}
	return a
}

func build(v Version, settings cachemodel.Settings) cachemodel.Build {
	return cachemodel.Build{
		File: dockerfile.Parse(source.New(v.Dockerfile), nil), Context: tree(v), Settings: settings,
	}
}

// folder is a directory of the build context while it is put together.
type folder struct {
	files   map[string]string
	folders map[string]*folder
}

func (f *folder) at(name string) *folder {
	if f.folders[name] == nil {
		f.folders[name] = newFolder()
	}
	return f.folders[name]
}

func newFolder() *folder { return &folder{map[string]string{}, map[string]*folder{}} }

// nodes are what a folder holds, those that the ignore file leaves out apart.
func (f *folder) nodes(below string, ignore *buildcontext.Ignore) []*buildcontext.Node {
	var list []*buildcontext.Node
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		if _, both := f.folders[name]; both || ignore.Ignores(below+name) {
			continue
		}
		text := f.files[name]
		meta := buildcontext.Meta{Type: buildcontext.File, Mode: 0o644, Size: int64(len(text))}
		list = append(list, buildcontext.NewNode(name, meta, nil))
	}
	for _, name := range slices.Sorted(maps.Keys(f.folders)) {
		children := f.folders[name].nodes(below+name+"/", ignore)
		if len(children) == 0 {
			continue // nobody can make an empty folder in the playground
		}
		meta := buildcontext.Meta{Type: buildcontext.Dir, Mode: 0o755}
		list = append(list, buildcontext.NewNode(name, meta, children))
	}
	slices.SortFunc(list, func(a, b *buildcontext.Node) int { return strings.Compare(a.Name(), b.Name()) })
	return list
}

// contents hashes files by their text.
type contents map[string]string

// Hash implements buildcontext.Hasher.
func (c contents) Hash(_ context.Context, path string, _ *buildcontext.Node) (buildcontext.ContentID, error) {
	return buildcontext.HashContent([]byte(c[path])), nil
}

func tree(v Version) *buildcontext.Tree {
	root, texts := newFolder(), contents{}
	for path, text := range v.Files {
		path = strings.Trim(path, "/")
		parts := strings.Split(path, "/")
		if slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." }) {
			continue
		}
		f := root
		for _, dir := range parts[:len(parts)-1] {
			f = f.at(dir)
		}
		f.files[parts[len(parts)-1]] = text
		texts[path] = text
	}
	ignore, err := buildcontext.ParseIgnore(".dockerignore", []byte(texts[".dockerignore"]))
	if err != nil {
		ignore = &buildcontext.Ignore{}
	}
	meta := buildcontext.Meta{Type: buildcontext.Dir, Mode: 0o755}
	return buildcontext.NewTree(buildcontext.NewNode("", meta, root.nodes("", ignore)), ignore, texts, err)
}

func ruleOptions(b cachemodel.Build, v Version, engine cachemodel.Engine) rules.Options {
	var sent []string
	for _, n := range b.Context.Root().Children() {
		name := n.Name()
		if n.Type() == buildcontext.Dir {
			name += "/"
			for _, inner := range n.Children() {
				sent = append(sent, name+inner.Name())
			}
		}
		sent = append(sent, name)
	}
	return rules.Options{
		Ignore: b.Context.Ignore(), Context: &rules.Context{Sent: sent}, Classic: engine == cachemodel.Classic,
		Movable: project{b.Context, v.Files}.movable,
	}
}

// movable is what rules ask about the place of a RUN.
func (p project) movable(file *dockerfile.File, in *dockerfile.Instruction) func(*dockerfile.Instruction) bool {
	return reorder.Model{Context: p}.Movable(file, in)
}

func finding(f analysis.Finding, units units) Finding {
	code, page := rules.Code(f)
	out := Finding{
		From: units.at(f.Span.Start), To: units.at(f.Span.End), Rule: code, Page: page, Severity: f.Severity.String(),
		Message: f.Message, Fixes: []Fix{},
	}
	for _, fix := range f.Fixes {
		edits := []Edit{}
		for _, e := range fix.Edits {
			edits = append(edits, Edit{units.at(e.Span.Start), units.at(e.Span.End), e.NewText})
		}
		out.Fixes = append(out.Fixes, Fix{fix.Title, edits})
	}
	return out
}

// project lets the search for orders read the build context.
type project struct {
	tree  *buildcontext.Tree
	files map[string]string
}

// List implements effects.Context.
func (p project) List(dir string) []string {
	node, ok := p.tree.Lookup(dir)
	if !ok || node.Type() != buildcontext.Dir {
		return nil
	}
	names := []string{}
	for _, child := range node.Children() {
		name := child.Name()
		if child.Type() == buildcontext.Dir {
			name += "/"
		}
		names = append(names, name)
	}
	return names
}

// Read implements effects.Context.
func (p project) Read(file string) ([]byte, bool) {
	node, ok := p.tree.Lookup(file)
	if !ok || node.Type() != buildcontext.File {
		return nil, false
	}
	return []byte(p.files[strings.Trim(file, "/")]), true
}

// Excluded implements effects.Context.
func (p project) Excluded(path string) bool {
	ignore := p.tree.Ignore()
	return !p.Keeps(path) && ignore.Ignores(path) && ignore.Ignores(path+"/anything")
}

// Keeps implements effects.Context.
func (p project) Keeps(dir string) bool {
	return slices.ContainsFunc(p.tree.Ignore().Patterns(), func(line string) bool { return effects.Keeps(line, dir) })
}

func orders(b cachemodel.Build, v Version, settings cachemodel.Settings) []reorder.Rewrite {
	if settings.Engine == cachemodel.Classic {
		return reorder.Suggest(b.File, reorder.Classic)
	}
	model := reorder.Model{
		Context: project{b.Context, v.Files}, Seconds: replay.Costs{}.Seconds, Targets: []string{settings.Target},
	}
	return reorder.Search(context.Background(), b.File, model).Rewrites
}

// units tells UTF-16 offsets from byte offsets.
type units []int

func newUnits(text string) units {
	u := make(units, len(text)+1)
	n := 0
	for i, r := range text {
		for j := range len(string(r)) {
			if i+j <= len(text) {
				u[i+j] = n
			}
		}
		if n++; r > 0xffff {
			n++
		}
	}
	u[len(text)] = n
	return u
}

func (u units) at(offset int) int { return u[min(max(offset, 0), len(u)-1)] }
