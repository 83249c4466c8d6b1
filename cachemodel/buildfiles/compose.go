package buildfiles

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/layerwise/layerwise/cachemodel"
)

// The names that docker compose looks for, in its order of preference (compose-go's cli.DefaultFileNames).
var (
	composeNames         = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}
	composeOverrideNames = []string{
		"compose.override.yml",
		"compose.override.yaml",
		"docker-compose.override.yml",
		"docker-compose.override.yaml",
	}
)

// ReadCompose reads the Compose files of a project as docker compose does, with every profile. The error wraps
// ErrNoFile if there is none.
func ReadCompose(ctx context.Context, o Options) (project *Project, err error) {
	found := &composeProject{Options: o, env: o.env()}
	defer func() { guard(strings.Join(found.files, ", "), &err) }()
	if err := found.find(); err != nil {
		return nil, err
	}
	files, env := found.files, found.env
	loading, err := o.loading(files, found.dir(), env)
	if err != nil {
		return nil, err
	}
	defer loading.close()
	model, err := loader.LoadWithContext(ctx, loading.details, func(l *loader.Options) {
		loading.options(l)
		l.SetProjectName("project", false)
		l.Profiles = []string{"*"}
		l.SkipConsistencyCheck = true // images, networks and volumes are not our matter
		l.SkipResolveEnvironment = true
	})
	if err != nil {
		return nil, loading.located(err)
	}
	project = &Project{
		Kind:  Compose,
		Dir:   found.dir(),
		Files: slices.Compact(slices.Concat(files, loading.references, found.envFiles)),
		Env:   env,
	}
	for _, name := range slices.Sorted(maps.Keys(model.Services)) {
		s := model.Services[name]
		b := s.Build
		if b == nil {
			continue
		}
		b.Context = loading.real(b.Context)
		for k, v := range b.AdditionalContexts {
			b.AdditionalContexts[k] = loading.real(v)
		}
		e := Entry{
			ID: "compose:" + name, Kind: Compose, Name: name, Label: name, Dir: project.Dir, Files: project.Files,
			Inline: b.DockerfileInline, Context: b.Context, Remote: IsRemote(b.Context), Target: b.Target,
			Args: map[string]string{},
			Platforms: composePlatforms(
				&s,
				env,
			), NoCache: b.NoCache, NoCacheFilter: b.NoCacheFilter, Profiles: s.Profiles, Tags: b.Tags,
			Contexts: maps.Clone(map[string]string(b.AdditionalContexts)), Run: composeRun(b),
			CacheFrom: b.CacheFrom, CacheTo: b.CacheTo,
		}
		if s.Image != "" && !slices.Contains(e.Tags, s.Image) {
			e.Tags = append(slices.Clone(e.Tags), s.Image)
		}
		for k, v := range b.Args {
			if v != nil {
				e.Args[k] = *v
			} else if v, ok := env[k]; ok {
				e.Args[k] = v
			}
		}
		e.place(b.Dockerfile)
		project.Entries = append(project.Entries, e)
	}
	return project, nil
}

// composeRun is what every RUN of a service's build is run with.
func composeRun(b *types.BuildConfig) cachemodel.RunSettings {
	run := cachemodel.RunSettings{
		Network: b.Network, ShmSize: int64(b.ShmSize), ExtraHosts: b.ExtraHosts.AsList("="),
		Entitlements: b.Entitlements,
	}
	if len(run.ExtraHosts) == 0 {
		run.ExtraHosts = nil
	}
	slices.Sort(run.ExtraHosts)
	run.Ulimits = composeLimits(b, true)
	return run
}

// composeLimits are the limits of a service's build. Where one value is given, this is both, or both are 0.
func composeLimits(b *types.BuildConfig, single bool) (list []string) {
	for name, limit := range b.Ulimits {
		if limit == nil {
			continue
		}
		soft, hard := limit.Soft, limit.Hard
		if single && limit.Single != 0 {
			soft, hard = limit.Single, limit.Single
		}
		list = append(list, fmt.Sprintf("%s=%d:%d", name, soft, hard))
	}
	return Ulimits(list)
}

// composePlatforms are those that a service is built for (applyPlatforms of docker/compose's cmd/compose/options.go).
func composePlatforms(s *types.ServiceConfig, env types.Mapping) []string {
	if own := cmp.Or(s.Platform, env["DOCKER_DEFAULT_PLATFORM"]); own != "" && len(s.Build.Platforms) == 0 {
		return []string{own}
	}
	return s.Build.Platforms
}

// composeProject is a project that is looked for, as docker compose does (toProjectOptions of its
// cmd/compose/compose.go and compose-go's cli/options.go).
type composeProject struct {
	Options
	files    []string      // absolute
	env      types.Mapping // what variables stand for
	envFiles []string      // that were read, absolute
}

// dir is the project's directory: the one that is given, else that of the first file, else where the command runs.
func (p *composeProject) dir() string {
	switch {
	case p.Project != "":
		return p.abs(p.Project)
	case len(p.files) > 0:
		return filepath.Dir(p.files[0])
	}
	return p.Dir
}

func (p *composeProject) find() error {
	if list := p.env[composeEnvFiles]; p.EnvFiles == nil && list != "" {
		p.EnvFiles = strings.Split(list, ",")
	}
	if err := p.setFiles(p.Files); err != nil {
		return err
	}
	// Where the command runs there may be a .env that names the files, and beside those another one.
	if err := p.readEnv(); err != nil {
		return err
	}
	if list, ok := p.env[consts.ComposeFilePath]; ok && len(p.files) == 0 {
		if err := p.setFiles(strings.Split(list, cmp.Or(p.env[consts.ComposePathSeparator],
			string(os.PathListSeparator)))); err != nil {
			return err
		}
	}
	if len(p.files) == 0 && !p.findDefault() {
		return fmt.Errorf("%s: %w", p.Dir, ErrNoFile)
	}
	return p.readEnv()
}

func (p *composeProject) setFiles(names []string) error {
	for _, file := range names {
		if file = p.abs(file); !p.exists(file) {
			return &Error{File: file, Err: os.ErrNotExist}
		}
		p.files = append(p.files, file)
	}
	return nil
}

// findDefault takes the first of the default files, and its override, of the nearest directory that has one.
func (p *composeProject) findDefault() bool {
	for dir := p.dir(); ; dir = filepath.Dir(dir) {
		for _, names := range [][]string{composeNames, composeOverrideNames} {
			i := slices.IndexFunc(names, func(name string) bool { return p.exists(filepath.Join(dir, name)) })
			if i < 0 {
				break
			}
			p.files = append(p.files, filepath.Join(dir, names[i]))
		}
		if len(p.files) > 0 {
			return true
		}
		if p.Here || dir == filepath.Dir(dir) {
			return false
		}
	}
}

// readEnv adds the variables of the env files that are not set.
func (p *composeProject) readEnv() error {
	files := p.EnvFiles
	if files == nil {
		off, _ := strconv.ParseBool(p.env[consts.ComposeDisableDefaultEnvFile])
		file := filepath.Join(p.dir(), ".env")
		if off || !p.exists(file) {
			return nil
		}
		files = []string{file}
	}
	found := map[string]string{}
	for _, file := range files {
		file = p.abs(file)
		text, err := p.read(file)
		if err != nil {
			return err
		}
		if !slices.Contains(p.envFiles, file) {
			p.envFiles = append(p.envFiles, file)
		}
		vars, err := readEnvFile(file, text, func(k string) (string, bool) {
			v, ok := p.env[k]
			if !ok {
				v, ok = found[k]
			}
			return v, ok
		})
		if err != nil {
			return err
		}
		maps.Copy(found, vars)
	}
	for k, v := range found {
		if _, set := p.env[k]; !set {
			p.env[k] = v
		}
	}
	return nil
}

// composeEnvFiles is the variable that names the env files (docker/compose cmd/compose/compose.go).
const composeEnvFiles = "COMPOSE_ENV_FILES"

var yamlLine = regexp.MustCompile(`(?:^|\W)line (\d+)`)

// located finds the place that an error of the YAML parser tells of.
func located(err error, files []string) error {
	e := &Error{Err: err}
	for _, file := range files {
		if strings.Contains(err.Error(), file) || len(files) == 1 {
			e.File = file
		}
	}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && e.File != "" {
		e.Line, _ = strconv.Atoi(m[1])
	}
	if len(files) > 1 && e.File == "" {
		e.File = files[0]
	}
	return e
}
