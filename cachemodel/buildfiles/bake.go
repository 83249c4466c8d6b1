package buildfiles

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/containerd/platforms"
	"github.com/docker/buildx/bake/hclparser"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// This file does what buildx/bake does, but for what no cache key depends on: that package itself brings BuildKit's
// client and the network with it (1,200 packages). Parsing and evaluating is buildx's own hclparser.

// bakeNames are the files that buildx bake reads where none is named, in this order.
var bakeNames = append(
	slices.Clone(composeNames),
	"docker-bake.json",
	"docker-bake.hcl",
	"docker-bake.override.json",
	"docker-bake.override.hcl",
)

// Variables of the environment that bake looks at.
const (
	bakeFileEnv      = "BUILDX_BAKE_FILE"
	bakeSeparatorEnv = "BUILDX_BAKE_PATH_SEPARATOR"
	bakeRelativeEnv  = "BUILDX_BAKE_FILE_RELATIVE_PATHS"
	bakeNoEnv        = "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP"
	epochEnv         = "SOURCE_DATE_EPOCH"
)

// bakeConfig is bake.Config.
type bakeConfig struct {
	Groups  []*bakeGroup  `hcl:"group,block"  cty:"group"`
	Targets []*bakeTarget `hcl:"target,block" cty:"target"`
}

type bakeGroup struct {
	Name        string   `hcl:"name,label"           cty:"name"`
	Description string   `hcl:"description,optional" cty:"description"`
	Targets     []string `hcl:"targets"              cty:"targets"`
}

// bakeTarget is bake.Target. What enters no cache key is kept as it is written.
type bakeTarget struct {
	Name             string             `hcl:"name,label"                 cty:"name"`
	Description      string             `hcl:"description,optional"       cty:"description"`
	Inherits         []string           `hcl:"inherits,optional"          cty:"inherits"`
	Annotations      []string           `hcl:"annotations,optional"       cty:"annotations"`
	Attest           *opaque            `hcl:"attest,optional"            cty:"attest"`
	Context          *string            `hcl:"context,optional"           cty:"context"`
	Contexts         map[string]string  `hcl:"contexts,optional"          cty:"contexts"`
	Dockerfile       *string            `hcl:"dockerfile,optional"        cty:"dockerfile"`
	DockerfileInline *string            `hcl:"dockerfile-inline,optional" cty:"dockerfile-inline"`
	Args             map[string]*string `hcl:"args,optional"              cty:"args"`
	Labels           map[string]*string `hcl:"labels,optional"            cty:"labels"`
	Tags             []string           `hcl:"tags,optional"              cty:"tags"`
	CacheFrom        *opaque            `hcl:"cache-from,optional"        cty:"cache-from"`
	CacheTo          *opaque            `hcl:"cache-to,optional"          cty:"cache-to"`
	Target           *string            `hcl:"target,optional"            cty:"target"`
	Secrets          *opaque            `hcl:"secret,optional"            cty:"secret"`
	SSH              *opaque            `hcl:"ssh,optional"               cty:"ssh"`
	Platforms        []string           `hcl:"platforms,optional"         cty:"platforms"`
	Outputs          *opaque            `hcl:"output,optional"            cty:"output"`
	Pull             *bool              `hcl:"pull,optional"              cty:"pull"`
	NoCache          *bool              `hcl:"no-cache,optional"          cty:"no-cache"`
	NetworkMode      *string            `hcl:"network,optional"           cty:"network"`
	NoCacheFilter    []string           `hcl:"no-cache-filter,optional"   cty:"no-cache-filter"`
	ShmSize          *string            `hcl:"shm-size,optional"          cty:"shm-size"`
	Ulimits          []string           `hcl:"ulimits,optional"           cty:"ulimits"`
	Resources        *opaque            `hcl:"resources,optional"         cty:"resources"`
	Call             *string            `hcl:"call,optional"              cty:"call"`
	Entitlements     []string           `hcl:"entitlements,optional"      cty:"entitlements"`
	ExtraHosts       map[string]*string `hcl:"extra-hosts,optional"       cty:"extra-hosts"`
	Policy           *opaque            `hcl:"policy,optional"            cty:"policy"`

	file, label string
}

// opaque is a value that is only passed on.
type opaque struct{ value cty.Value }

// FromCtyValue implements hclparser.FromCtyValueConverter.
func (o *opaque) FromCtyValue(in cty.Value, _ cty.Path) error {
	o.value = in
	return nil
}

// ToCtyValue implements hclparser.ToCtyValueConverter.
func (o *opaque) ToCtyValue() cty.Value {
	if o == nil || o.value == cty.NilVal {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return o.value
}

// ReadBake reads the bake files of a project as docker buildx bake does. The error wraps ErrNoFile if there is none.
func ReadBake(ctx context.Context, o Options) (project *Project, err error) {
	var files []string
	defer func() { guard(strings.Join(files, ", "), &err) }()
	if files, err = o.bakeFiles(); err != nil {
		return nil, err
	}
	text := map[string][]byte{}
	for _, file := range files {
		if text[file], err = o.read(file); err != nil {
			return nil, err
		}
	}
	c, err := o.bakeConfig(ctx, files, text, false)
	if err != nil {
		return nil, err
	}
	project = &Project{Kind: Bake, Dir: o.Dir, Files: files, Groups: map[string][]string{}}
	for _, g := range c.Groups {
		project.Groups[g.Name] = append(project.Groups[g.Name], g.Targets...)
	}
	if env := o.abs(".env"); slices.ContainsFunc(files, isYAML) && o.exists(env) {
		project.Files = append(slices.Clone(files), env)
	}
	if project.Entries, err = o.entries(c, project); err != nil {
		return nil, err
	}
	if volatile(text) {
		again, err := o.bakeConfig(ctx, files, text, true)
		if err != nil {
			return nil, err
		}
		other, err := o.entries(again, project)
		if err != nil {
			return nil, err
		}
		markVolatile(project.Entries, other)
	}
	return project, nil
}

func (o Options) bakeFiles() ([]string, error) {
	env := o.env()
	if on, _ := strconv.ParseBool(env[bakeRelativeEnv]); on {
		return nil, fmt.Errorf("%s is set, which Layerwise does not know", bakeRelativeEnv)
	}
	named := o.Files
	if list := env[bakeFileEnv]; list != "" && len(named) == 0 {
		sep := env[bakeSeparatorEnv]
		if sep == "" {
			sep = string(os.PathListSeparator)
		}
		for file := range strings.SplitSeq(list, sep) {
			if file = strings.TrimSpace(file); file != "" {
				named = append(named, file)
			}
		}
	}
	var files []string
	for _, file := range named {
		file, _ = strings.CutPrefix(file, "cwd://")
		if IsRemote(file) || file == "-" {
			return nil, fmt.Errorf("the bake file %s is not local", file)
		}
		if file = o.abs(file); !o.exists(file) {
			return nil, &Error{File: file, Err: os.ErrNotExist}
		}
		files = append(files, file)
	}
	if len(named) > 0 {
		return files, nil
	}
	own := false
	for _, name := range bakeNames {
		if file := o.abs(name); o.exists(file) {
			files = append(files, file)
			own = own || !isYAML(name)
		}
	}
	if !own {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrNoFile)
	}
	return files, nil
}

func isYAML(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// bakeConfig is bake.ParseFiles. At another time it evaluates as if it were run then.
func (o Options) bakeConfig(
	ctx context.Context,
	files []string,
	text map[string][]byte,
	otherTime bool,
) (*bakeConfig, error) {
	c, m := &bakeConfig{}, &meter{}
	var composed []string
	var bodies []*hcl.File
	for _, file := range files {
		if isYAML(file) {
			composed = append(composed, file)
			continue
		}
		if err := checkBake(file, text[file]); err != nil {
			return nil, err
		}
		f, err := parseHCL(file, text[file], m, otherTime)
		if err != nil {
			return nil, hclError(err)
		}
		bodies = append(bodies, f)
	}
	vars := o.env()
	if off, _ := strconv.ParseBool(vars[bakeNoEnv]); off {
		vars = map[string]string{}
	}
	if len(composed) > 0 {
		if err := o.composeTargets(ctx, c, composed, vars); err != nil {
			return nil, err
		}
	}
	if len(bodies) == 0 {
		return dedupe(c), nil
	}
	maps.Copy(vars, o.Vars)
	merged := hclparser.MergeFiles(bodies)
	blocks, _, _ := merged.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "target", LabelNames: []string{"name"}}, {Type: "group", LabelNames: []string{"name"}},
	}})
	if blocks != nil && len(blocks.Blocks) > maxTargets { // each is evaluated with all that are known so far
		return nil, limit(files[len(files)-1], 0, "there are more than %d targets and groups", maxTargets)
	}
	meta, diags := hclparser.Parse(merged, hclparser.Opt{
		LookupVar: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Vars: map[string]string{
			"BAKE_CMD_CONTEXT":    "cwd://",
			"BAKE_LOCAL_PLATFORM": platforms.Format(platforms.DefaultSpec()),
		},
		ValidateLabel: func(name string) error {
			if !targetName.MatchString(name) {
				return fmt.Errorf("only %q are allowed", "[a-zA-Z0-9_-]+")
			}
			return nil
		},
	}, c)
	if m.over {
		err := &Error{File: files[len(files)-1], Err: errTooMuch}
		if found := (*Error)(nil); errors.As(hclError(diags), &found) && found.File != "" {
			err.File, err.Line = found.File, found.Line
		}
		return nil, err
	}
	if diags.HasErrors() {
		return nil, hclError(diags)
	}
	for _, renamed := range meta.Renamed {
		for label, names := range renamed {
			names = unique(names)
			if len(names) != 1 || label != names[0] {
				c.Groups = append(c.Groups, &bakeGroup{Name: label, Targets: names})
			}
		}
	}
	return dedupe(c), nil
}

var targetName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// parseHCL parses a file. The meter measures its evaluation; at another time timestamp() gives a time long ago.
func parseHCL(file string, text []byte, m *meter, otherTime bool) (*hcl.File, error) {
	isJSON := strings.HasSuffix(file, ".json")
	parse := func(isJSON bool) (*hcl.File, hcl.Diagnostics) {
		if isJSON {
			return hclparse.NewParser().ParseJSON(text, file)
		}
		return hclparse.NewParser().ParseHCL(text, file)
	}
	f, diags := parse(isJSON)
	if diags.HasErrors() && !isJSON && !strings.HasSuffix(file, ".hcl") {
		if f2, diags2 := parse(true); !diags2.HasErrors() {
			f, diags = f2, nil
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	if body, ok := f.Body.(*hclsyntax.Body); ok {
		if otherTime {
			earlier(body)
		}
		m.body(body)
		return f, nil
	}
	f.Body = jsonBody{Body: f.Body, prepare: func(e hclsyntax.Node) {
		if otherTime {
			earlier(e)
		}
		m.expression(e)
	}}
	return f, nil
}

// earlier has timestamp() give a time long ago.
func earlier(n hclsyntax.Node) {
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "timestamp" {
			call.Name = "timeadd"
			call.Args = []hclsyntax.Expression{
				&hclsyntax.LiteralValueExpr{
					Val: cty.StringVal(longAgo),
				}, &hclsyntax.LiteralValueExpr{Val: cty.StringVal("0s")},
			}
		}
		return nil
	})
}

const longAgo = "2001-02-03T04:05:06Z"

var volatileCall = regexp.MustCompile(`\b(timestamp|uuidv4|bcrypt)\b`)

func volatile(text map[string][]byte) bool {
	for _, t := range text {
		if volatileCall.Match(t) {
			return true
		}
	}
	return false
}

// markVolatile notes the arguments that come out otherwise when the files are evaluated again.
func markVolatile(entries, again []Entry) {
	for i := range entries {
		e := &entries[i]
		j := slices.IndexFunc(again, func(other Entry) bool { return other.ID == e.ID })
		for _, name := range slices.Sorted(maps.Keys(e.Args)) {
			if j < 0 || again[j].Args[name] != e.Args[name] {
				e.Volatile = append(e.Volatile, name)
			}
		}
	}
}

func hclError(err error) error {
	var diags hcl.Diagnostics
	if !errors.As(err, &diags) {
		return err
	}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			e := &Error{Err: fmt.Errorf("%s; %s", d.Summary, d.Detail)}
			if d.Subject != nil {
				e.File, e.Line = d.Subject.Filename, d.Subject.Start.Line
			}
			return e
		}
	}
	return err
}

// composeTargets is bake.ParseCompose.
func (o Options) composeTargets(ctx context.Context, c *bakeConfig, files []string, vars map[string]string) error {
	lookup := composeProject{Options: o, env: maps.Clone(vars)}
	lookup.EnvFiles, lookup.Project = nil, ""
	if err := lookup.readEnv(); err != nil {
		return err
	}
	env := lookup.env
	maps.Copy(env, o.Vars)
	loading, err := o.loading(files, o.Dir, env)
	if err != nil {
		return err
	}
	defer loading.close()
	options := func(l *loader.Options) {
		loading.options(l)
		l.SetProjectName("bake", false)
		l.SkipNormalization, l.SkipValidation, l.SkipConsistencyCheck = true, true, true
	}
	details := loading.details
	raw, err := loader.LoadModelWithContext(ctx, details, options)
	if err != nil {
		return loading.located(err)
	}
	services, _ := raw["services"].(map[string]any)
	kept := map[string]any{}
	for name, service := range services {
		keep := map[string]any{}
		if fields, ok := service.(map[string]any); ok {
			for _, field := range []string{"image", "build", "environment", "env_file"} {
				if v, ok := fields[field]; ok {
					keep[field] = v
				}
			}
		}
		if err := loading.envFiles(keep["env_file"]); err != nil {
			return err
		}
		kept[name] = keep
	}
	model := map[string]any{"services": kept}
	if secrets, ok := raw["secrets"]; ok {
		model["secrets"] = secrets
	}
	if err := schema.Validate(model); err != nil {
		return loading.located(err)
	}
	project, err := loader.ModelToProject(
		model,
		loader.ToOptions(&details, []func(*loader.Options){options, func(l *loader.Options) {
			l.Profiles = []string{"*"}
		}}),
		details,
	)
	if err != nil {
		return loading.located(err)
	}
	group := &bakeGroup{Name: "default"}
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		s := project.Services[name]
		b := s.Build
		if b == nil {
			continue
		}
		t := &bakeTarget{
			Name:          safeName(name),
			label:         name,
			Platforms:     b.Platforms,
			Tags:          b.Tags,
			NoCacheFilter: b.NoCacheFilter,
			CacheFrom:     cacheList(b.CacheFrom),
			CacheTo:       cacheList(b.CacheTo),
		}
		if len(files) == 1 {
			t.file = files[0]
		}
		if !targetName.MatchString(t.Name) {
			return fmt.Errorf("the service name %q is none of a bake target", name)
		}
		set := func(to **string, value string) {
			if value != "" {
				*to = &value
			}
		}
		set(&t.Context, loading.real(b.Context))
		set(&t.Dockerfile, b.Dockerfile)
		set(&t.DockerfileInline, b.DockerfileInline)
		set(&t.Target, b.Target)
		if b.NoCache {
			t.NoCache = &b.NoCache
		}
		run := composeRun(b)
		set(&t.NetworkMode, run.Network)
		if run.ShmSize > 0 {
			set(&t.ShmSize, strconv.FormatInt(run.ShmSize, 10))
		}
		t.Ulimits = composeLimits(b, false) // buildx does not read one value for both (bake.ParseCompose)
		t.Entitlements = run.Entitlements
		for _, host := range run.ExtraHosts {
			name, address, _ := strings.Cut(host, "=")
			t.host(name, &address)
		}
		for k, v := range b.AdditionalContexts {
			t.context(k, loading.real(v))
		}
		args := b.Args.Resolve(func(name string) (string, bool) {
			if v, ok := s.Environment[name]; ok && v != nil {
				return *v, true
			}
			v, ok := project.Environment[name]
			return v, ok
		})
		for k, v := range args {
			if v != nil {
				t.arg(k, v)
			}
		}
		if len(t.Tags) == 0 && s.Image != "" {
			t.Tags = []string{s.Image}
		}
		if err := t.extension(b.Extensions["x-bake"]); err != nil {
			return err
		}
		group.Targets = append(group.Targets, t.Name)
		c.Targets = append(c.Targets, t)
	}
	c.Groups = append(c.Groups, group)
	return nil
}

// safeName is bake.sanitizeTargetName.
func safeName(service string) string { return strings.ReplaceAll(service, ".", "_") }

func (t *bakeTarget) arg(name string, value *string) {
	if t.Args == nil {
		t.Args = map[string]*string{}
	}
	t.Args[name] = value
}

func (t *bakeTarget) host(name string, address *string) {
	if t.ExtraHosts == nil {
		t.ExtraHosts = map[string]*string{}
	}
	t.ExtraHosts[name] = address
}

// run is what every RUN of a target is run with.
func (t *bakeTarget) run() cachemodel.RunSettings {
	run := cachemodel.RunSettings{
		Network: deref(t.NetworkMode, ""), ShmSize: Bytes(deref(t.ShmSize, "")), Ulimits: Ulimits(t.Ulimits),
		Entitlements: unique(t.Entitlements),
	}
	for _, name := range slices.Sorted(maps.Keys(t.ExtraHosts)) {
		if address := t.ExtraHosts[name]; address != nil {
			run.ExtraHosts = append(run.ExtraHosts, name+"="+*address)
		}
	}
	return run
}

// context adds a named context of a Compose file: a service is a target in bake.
func (t *bakeTarget) context(name, value string) {
	if t.Contexts == nil {
		t.Contexts = map[string]string{}
	}
	for _, prefix := range []string{"service:", "target:"} {
		if service, ok := strings.CutPrefix(value, prefix); ok {
			value = "target:" + safeName(service)
			break
		}
	}
	t.Contexts[name] = value
}

// extension reads x-bake as far as it enters cache keys (bake.composeExtTarget).
func (t *bakeTarget) extension(x any) error {
	fields, _ := x.(map[string]any)
	list := func(name string) []string {
		switch v := fields[name].(type) {
		case string:
			return strings.Fields(v)
		case []any:
			var out []string
			for _, s := range v {
				out = append(out, fmt.Sprint(s))
			}
			return out
		}
		return nil
	}
	t.Platforms = unique(slices.Concat(t.Platforms, list("platforms")))
	t.Tags = unique(slices.Concat(t.Tags, list("tags")))
	if caches := list("cache-from"); caches != nil {
		t.CacheFrom = cacheList(unique(slices.Concat(t.CacheFrom.caches(), caches)))
	}
	if caches := list("cache-to"); caches != nil {
		t.CacheTo = cacheList(unique(slices.Concat(t.CacheTo.caches(), caches)))
	}
	t.NoCacheFilter = unique(slices.Concat(t.NoCacheFilter, list("no-cache-filter")))
	if v, ok := fields["no-cache"].(bool); ok {
		t.NoCache = &v
	}
	if contexts, ok := fields["contexts"].(map[string]any); ok {
		for name, v := range contexts {
			if _, have := t.Contexts[name]; !have {
				t.context(name, fmt.Sprint(v))
			}
		}
	}
	return nil
}

func unique(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// dedupe is bake.dedupeConfig: targets of one name are merged.
func dedupe(c *bakeConfig) *bakeConfig {
	out := &bakeConfig{}
	for _, g := range c.Groups {
		out.Groups = append(out.Groups, &bakeGroup{Name: g.Name, Targets: unique(g.Targets)})
	}
	byName := map[string]*bakeTarget{}
	for _, t := range c.Targets {
		if first, ok := byName[t.Name]; ok {
			first.Merge(t)
			continue
		}
		byName[t.Name] = t
		out.Targets = append(out.Targets, t)
	}
	return out
}

// SetBlockSource implements hclparser.WithBlockSource.
func (t *bakeTarget) SetBlockSource(block *hcl.Block) {
	t.file, t.label = block.DefRange.Filename, block.Labels[0]
}

// Merge lets what t2 says go before. hclparser calls it.
func (t *bakeTarget) Merge(t2 *bakeTarget) {
	take := func(to **string, from *string) {
		if from != nil {
			*to = from
		}
	}
	take(&t.Context, t2.Context)
	take(&t.Dockerfile, t2.Dockerfile)
	take(&t.DockerfileInline, t2.DockerfileInline)
	take(&t.Target, t2.Target)
	take(&t.NetworkMode, t2.NetworkMode)
	take(&t.ShmSize, t2.ShmSize)
	t.Ulimits = Ulimits(slices.Concat(t.Ulimits, t2.Ulimits))
	t.Entitlements = unique(slices.Concat(t.Entitlements, t2.Entitlements))
	for name, address := range t2.ExtraHosts {
		if address != nil {
			t.host(name, address)
		}
	}
	for k, v := range t2.Args {
		if v != nil {
			t.arg(k, v)
		}
	}
	for k, v := range t2.Contexts {
		if t.Contexts == nil {
			t.Contexts = map[string]string{}
		}
		t.Contexts[k] = v
	}
	if t2.Tags != nil {
		t.Tags = t2.Tags
	}
	if t2.Platforms != nil {
		t.Platforms = t2.Platforms
	}
	if t2.NoCache != nil {
		t.NoCache = t2.NoCache
	}
	t.mergeCaches(t2)
	t.NoCacheFilter = unique(slices.Concat(t.NoCacheFilter, t2.NoCacheFilter))
	t.Inherits = unique(slices.Concat(t.Inherits, t2.Inherits))
	if t.file == "" || t2.file != "" && isYAML(t.file) {
		t.file, t.label = t2.file, t2.label
	}
}

// GetEvalContexts implements hclparser.WithEvalContexts.
func (*bakeGroup) GetEvalContexts(
	ectx *hcl.EvalContext,
	block *hcl.Block,
	_ func(hcl.Expression) hcl.Diagnostics,
) ([]*hcl.EvalContext, error) {
	content, _, diags := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "matrix"}}})
	if diags.HasErrors() {
		return nil, diags
	}
	if _, ok := content.Attributes["matrix"]; ok {
		return nil, errors.New("matrix is not supported for groups")
	}
	return []*hcl.EvalContext{ectx}, nil
}

// GetName implements hclparser.WithGetName.
func (*bakeGroup) GetName(
	_ *hcl.EvalContext,
	block *hcl.Block,
	_ func(hcl.Expression) hcl.Diagnostics,
) (string, error) {
	content, _, diags := block.Body.PartialContent(
		&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "name"}, {Name: "matrix"}}},
	)
	if diags.HasErrors() {
		return "", diags
	}
	for _, name := range []string{"name", "matrix"} {
		if _, ok := content.Attributes[name]; ok {
			return "", fmt.Errorf("%s is not supported for groups", name)
		}
	}
	return block.Labels[0], nil
}

// GetEvalContexts implements hclparser.WithEvalContexts: one for each combination of the matrix.
func (*bakeTarget) GetEvalContexts(
	ectx *hcl.EvalContext,
	block *hcl.Block,
	loadDeps func(hcl.Expression) hcl.Diagnostics,
) ([]*hcl.EvalContext, error) {
	content, _, diags := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "matrix"}}})
	if diags.HasErrors() {
		return nil, diags
	}
	attr, ok := content.Attributes["matrix"]
	if !ok {
		return []*hcl.EvalContext{ectx}, nil
	}
	if diags := loadDeps(attr.Expr); diags.HasErrors() {
		return nil, diags
	}
	value, diags := attr.Expr.Value(ectx)
	if diags.HasErrors() {
		return nil, diags
	}
	if value.IsNull() || !value.IsKnown() || !value.Type().IsMapType() && !value.Type().IsObjectType() {
		return nil, errors.New("matrix must be a map")
	}
	matrix := value.AsValueMap()
	contexts := []*hcl.EvalContext{ectx}
	for _, name := range slices.Sorted(maps.Keys(matrix)) {
		if v := matrix[name]; v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
			return nil, errors.New("matrix values must be a list")
		}
		var next []*hcl.EvalContext
		for _, v := range matrix[name].AsValueSlice() {
			for _, e := range contexts {
				child := ectx.NewChild()
				child.Variables = map[string]cty.Value{}
				if e != ectx {
					maps.Copy(child.Variables, e.Variables)
				}
				child.Variables[name] = v
				if next = append(next, child); len(next) > maxMatrix {
					return nil, fmt.Errorf("the matrix has more than %d combinations: %w", maxMatrix, ErrLimit)
				}
			}
		}
		contexts = next
	}
	return contexts, nil
}

// GetName implements hclparser.WithGetName.
func (*bakeTarget) GetName(
	ectx *hcl.EvalContext,
	block *hcl.Block,
	loadDeps func(hcl.Expression) hcl.Diagnostics,
) (string, error) {
	content, _, diags := block.Body.PartialContent(
		&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "name"}, {Name: "matrix"}}},
	)
	if diags.HasErrors() {
		return "", diags
	}
	attr, ok := content.Attributes["name"]
	if !ok {
		return block.Labels[0], nil
	}
	if _, ok := content.Attributes["matrix"]; !ok {
		return "", errors.New("name requires matrix")
	}
	if diags := loadDeps(attr.Expr); diags.HasErrors() {
		return "", diags
	}
	value, diags := attr.Expr.Value(ectx)
	if diags.HasErrors() {
		return "", diags
	}
	value, err := convert.Convert(value, cty.String)
	if err != nil {
		return "", err
	}
	if value.IsNull() || !value.IsKnown() {
		return "", errors.New("the name is not known")
	}
	return value.AsString(), nil
}

// entries resolves every target (bake.Config.ResolveTarget, toBuildOpt).
func (o Options) entries(c *bakeConfig, project *Project) ([]Entry, error) {
	inherited, grouped := map[string]bool{}, map[string]bool{}
	for _, t := range c.Targets {
		for _, name := range t.Inherits {
			inherited[name] = true
		}
	}
	for _, g := range c.Groups {
		for _, name := range g.Targets {
			grouped[name] = true
		}
	}
	var out []Entry
	inherit := newInheritance(c, o)
	for _, target := range c.Targets {
		t, _, err := inherit.resolve(target.Name, map[string]*bakeTarget{})
		if err != nil {
			return nil, err
		}
		e := Entry{
			ID: "bake:" + target.Name, Kind: Bake, Name: target.Name, Label: target.label, File: target.file,
			Dir: o.Dir, Files: project.Files,
			Args: map[string]string{}, NoCacheFilter: t.NoCacheFilter, Tags: t.Tags, NoCache: t.NoCache != nil &&
				*t.NoCache,
			Run:       t.run(),
			CacheFrom: t.CacheFrom.caches(), CacheTo: t.CacheTo.caches(),
			Inherited: (inherited[target.Name] || strings.HasPrefix(target.Name, "_")) && !grouped[target.Name],
		}
		for _, p := range unique(t.Platforms) {
			if p != "" {
				e.Platforms = append(e.Platforms, p)
			}
		}
		e.Context, e.Remote = o.local(deref(t.Context, "."))
		e.Inline, e.Target = deref(t.DockerfileInline, ""), deref(t.Target, "")
		dockerfile := deref(t.Dockerfile, "")
		if inDir, ok := strings.CutPrefix(dockerfile, "cwd://"); ok {
			dockerfile = o.abs(inDir)
		}
		e.place(dockerfile)
		for k, v := range t.Args {
			if v != nil {
				e.Args[k] = *v
			}
		}
		if epoch := o.env()[epochEnv]; epoch != "" {
			if _, ok := e.Args[epochEnv]; !ok {
				e.Args[epochEnv] = epoch
			}
		}
		for k, v := range t.Contexts {
			if v == "" {
				continue
			}
			if e.Contexts == nil {
				e.Contexts = map[string]string{}
			}
			e.Contexts[k] = v
			if _, ok := ContextImage(k, v); !ok {
				e.Contexts[k], _ = o.local(v)
			}
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func deref(s *string, otherwise string) string {
	if s == nil {
		return otherwise
	}
	return *s
}

// local makes a context absolute, unless it is remote.
func (o Options) local(context string) (string, bool) {
	if IsRemote(context) {
		return context, true
	}
	context, _ = strings.CutPrefix(context, "cwd://")
	return o.abs(path.Clean(context)), false
}

// inheritance is what targets inherit: each is worked out once, unless it inherits itself.
type inheritance struct {
	options Options
	targets map[string]*bakeTarget // as they are written
	known   map[string]*bakeTarget // with what they inherit
	values  int                    // that were inherited, each as often as it was
}

func newInheritance(c *bakeConfig, o Options) *inheritance {
	in := &inheritance{options: o, targets: map[string]*bakeTarget{}, known: map[string]*bakeTarget{}}
	for _, t := range c.Targets {
		in.targets[t.Name] = t
	}
	return in
}

// resolve is bake.Config.target. circular says that the result may be another one for another target that inherits it.
func (in *inheritance) resolve(name string, visited map[string]*bakeTarget) (t *bakeTarget, circular bool, err error) {
	if t, ok := in.known[name]; ok {
		return t, false, nil
	}
	if t, ok := visited[name]; ok {
		return t, true, nil
	}
	visited[name] = nil // what inherits itself inherits nothing from there
	written := in.targets[name]
	if written == nil {
		return nil, false, fmt.Errorf("failed to find target %s", name)
	}
	out := &bakeTarget{}
	for _, parent := range written.Inherits {
		t, again, err := in.resolve(parent, visited)
		if err != nil {
			return nil, false, err
		}
		if circular = circular || again; t != nil {
			out.Merge(t)
			in.values += len(t.Args) + len(t.Contexts) + len(t.NoCacheFilter) + len(t.Ulimits) + len(t.Entitlements) +
				len(t.ExtraHosts) + len(t.CacheFrom.caches())
		}
		if in.values++; in.values > maxNodes {
			return nil, false, &Error{File: written.file, Err: errTooMuch}
		}
	}
	out.Merge(written)
	out.Inherits = nil // there is nothing more to inherit
	if err := out.override(name, in.options); err != nil {
		return nil, false, err
	}
	if visited[name] = out; !circular {
		in.known[name] = out
	}
	return out, circular, nil
}

// matchesName reports whether the pattern of a --set stands for a target.
func matchesName(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && (ok || pattern == name)
}

// override carries out --set, as far as it enters cache keys or says where the cache is (bake.Config.newOverrides,
// Target.AddOverrides).
func (t *bakeTarget) override(name string, o Options) error {
	var platforms, filter []string
	var setPlatforms, setFilter, setUlimits bool
	for _, set := range o.Set {
		key, value, hasValue := strings.Cut(set, "=")
		key, appends := strings.CutSuffix(key, "+")
		keys := strings.SplitN(key, ".", 3)
		if len(keys) < 2 {
			return fmt.Errorf("--set %s: use TARGET.KEY=VALUE", set)
		}
		if !matchesName(keys[0], name) {
			continue
		}
		sub := ""
		if len(keys) == 3 {
			sub = keys[2]
		}
		switch keys[1] {
		case "context":
			t.Context = &value
		case "dockerfile":
			t.Dockerfile = &value
		case "target":
			t.Target = &value
		case "network":
			t.NetworkMode = &value
		case "shm-size":
			t.ShmSize = &value
		case "ulimits":
			if !appends && !setUlimits {
				t.Ulimits, setUlimits = nil, true
			}
			t.Ulimits = append(slices.Clone(t.Ulimits), value)
		case "extra-hosts":
			t.host(sub, &value)
		case "no-cache":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("--set %s: no-cache is true or false", set)
			}
			t.NoCache = &on
		case "arg", "args":
			if !hasValue {
				if value, hasValue = o.env()[sub]; !hasValue {
					continue
				}
			}
			t.arg(sub, &value)
		case "contexts":
			if t.Contexts == nil {
				t.Contexts = map[string]string{}
			}
			t.Contexts[sub] = value
		case "platform", "platforms":
			if platforms = append(platforms, value); !appends {
				setPlatforms = true
			}
		case "no-cache-filter":
			if filter = append(filter, value); !appends {
				setFilter = true
			}
		}
	}
	t.overrideCaches(name, o.Set)
	if setPlatforms {
		t.Platforms = nil
	}
	if setFilter {
		t.NoCacheFilter = nil
	}
	t.Platforms = slices.Concat(t.Platforms, platforms)
	t.NoCacheFilter = slices.Concat(t.NoCacheFilter, filter)
	return nil
}
