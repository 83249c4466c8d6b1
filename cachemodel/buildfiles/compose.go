package buildfiles

import (
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
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

// The names that docker compose looks for, in its order of preference (compose-go's cli.DefaultFileNames).
var (
	composeNames         = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}
	composeOverrideNames = []string{"compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"}
)

// ReadCompose reads the Compose files of a project as docker compose does, with every profile. The error wraps ErrNoFile if
// there is none.
func ReadCompose(ctx context.Context, o Options) (project *Project, err error) {
	var files []string
	defer func() { guard(strings.Join(files, ", "), &err) }()
	env, envFiles, err := o.composeEnv()
	if err != nil {
		return nil, err
	}
	if files, err = o.composeFiles(env); err != nil {
		return nil, err
	}
	references := o.references(files)
	temp := ""
	if o.Read != nil && len(references) > 0 {
		if temp, err = os.MkdirTemp("", "layerwise-compose-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(temp)
		if err := o.mirrored(temp, references); err != nil {
			return nil, err
		}
	}
	details := types.ConfigDetails{WorkingDir: filepath.Join(temp, o.Dir), Environment: env}
	for _, file := range files {
		content, err := o.read(file)
		if err != nil {
			return nil, err
		}
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: filepath.Join(temp, file), Content: content})
	}
	model, err := loader.LoadWithContext(ctx, details, func(l *loader.Options) {
		l.SetProjectName("project", false)
		l.Profiles = []string{"*"}
		l.SkipConsistencyCheck = true // images, networks and volumes are not our matter
		l.SkipResolveEnvironment = true
		l.SkipResolveLabels = true
		l.ResourceLoaders = []loader.ResourceLoader{noRemotes{}}
	})
	if err != nil {
		return nil, located(err, files)
	}
	project = &Project{Kind: Compose, Dir: o.Dir, Files: slices.Compact(slices.Concat(files, references, envFiles))}
	for _, name := range slices.Sorted(maps.Keys(model.Services)) {
		s := model.Services[name]
		b := s.Build
		if b == nil {
			continue
		}
		real := func(path string) string {
			if temp != "" {
				if rel, ok := strings.CutPrefix(path, temp); ok {
					return filepath.VolumeName(o.Dir) + rel
				}
			}
			return path
		}
		b.Context = real(b.Context)
		for k, v := range b.AdditionalContexts {
			b.AdditionalContexts[k] = real(v)
		}
		e := Entry{
			ID: "compose:" + name, Kind: Compose, Name: name, Label: name, Dir: o.Dir, Files: project.Files,
			Inline: b.DockerfileInline, Context: b.Context, Remote: isRemote(b.Context), Target: b.Target, Args: map[string]string{},
			Platforms: b.Platforms, NoCache: b.NoCache, NoCacheFilter: b.NoCacheFilter, Profiles: s.Profiles, Tags: b.Tags,
			Contexts: maps.Clone(map[string]string(b.AdditionalContexts)),
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

// composeEnv is what variables stand for: the environment, and for what that has not .env.
func (o Options) composeEnv() (types.Mapping, []string, error) {
	env := types.Mapping(o.env())
	files := o.EnvFiles
	if files == nil {
		if off, _ := strconv.ParseBool(env[consts.ComposeDisableDefaultEnvFile]); off {
			return env, nil, nil
		}
		if !o.exists(o.abs(".env")) {
			return env, nil, nil
		}
		files = []string{".env"}
	}
	var read []string
	found := map[string]string{}
	for _, file := range files {
		file = o.abs(file)
		text, err := o.read(file)
		if err != nil {
			return nil, nil, err
		}
		read = append(read, file)
		vars, err := dotenv.UnmarshalBytesWithLookup(text, func(k string) (string, bool) {
			v, ok := env[k]
			if !ok {
				v, ok = found[k]
			}
			return v, ok
		})
		if err != nil {
			return nil, nil, &Error{File: file, Err: err}
		}
		maps.Copy(found, vars)
	}
	for k, v := range found {
		if _, set := env[k]; !set {
			env[k] = v
		}
	}
	return env, read, nil
}

// composeFiles finds the files: those that are named, else those of COMPOSE_FILE, else the first default with its override.
func (o Options) composeFiles(env types.Mapping) ([]string, error) {
	var files []string
	named := o.Files
	if list, ok := env[consts.ComposeFilePath]; ok && len(named) == 0 {
		sep := env[consts.ComposePathSeparator]
		if sep == "" {
			sep = string(os.PathListSeparator)
		}
		named = strings.Split(list, sep)
	}
	for _, file := range named {
		file = o.abs(file)
		if !o.exists(file) {
			return nil, &Error{File: file, Err: os.ErrNotExist}
		}
		files = append(files, file)
	}
	if len(files) > 0 {
		return files, nil
	}
	for _, names := range [][]string{composeNames, composeOverrideNames} {
		i := slices.IndexFunc(names, func(name string) bool { return o.exists(o.abs(name)) })
		if i < 0 {
			break
		}
		files = append(files, o.abs(names[i]))
	}
	if files == nil {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrNoFile)
	}
	return files, nil
}

// noRemotes refuses what would have to be fetched.
type noRemotes struct{}

func (noRemotes) Accept(name string) bool { return isRemote(name) }

func (noRemotes) Load(_ context.Context, name string) (string, error) {
	return "", fmt.Errorf("%s is remote, and remote files are not fetched", name)
}

func (noRemotes) Dir(string) string { return "" }

// references lists the files that Compose files include or extend, and theirs, with the .env beside each.
func (o Options) references(files []string) []string {
	var found []string
	var visit func(file string, depth int)
	visit = func(file string, depth int) {
		text, err := o.read(file)
		if err != nil || depth > 16 {
			return
		}
		var doc struct {
			Include  []yaml.Node
			Services map[string]yaml.Node
		}
		if yaml.Unmarshal(text, &doc) != nil {
			return
		}
		add := func(name string) {
			if name == "" || isRemote(name) || strings.Contains(name, "$") {
				return
			}
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(file), name)
			}
			if slices.Contains(found, name) || slices.Contains(files, name) || !o.exists(name) {
				return
			}
			found = append(found, name)
			if env := filepath.Join(filepath.Dir(name), ".env"); !slices.Contains(found, env) && o.exists(env) {
				found = append(found, env)
			}
			visit(name, depth+1)
		}
		for _, n := range doc.Include {
			var long struct {
				Path    yaml.Node
				EnvFile yaml.Node `yaml:"env_file"`
			}
			for _, n := range append([]yaml.Node{n}, func() []yaml.Node { n.Decode(&long); return []yaml.Node{long.Path, long.EnvFile} }()...) {
				var list []string
				if n.Kind == yaml.ScalarNode {
					list = []string{n.Value}
				} else if n.Kind == yaml.SequenceNode {
					n.Decode(&list)
				}
				for _, name := range list {
					add(name)
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(doc.Services)) {
			n := doc.Services[name]
			var s struct{ Extends struct{ File string } }
			if n.Decode(&s) == nil {
				add(s.Extends.File)
			}
		}
	}
	for _, file := range files {
		visit(file, 0)
	}
	return found
}

// mirrored copies files as o.Read gives them below a directory, because the loader reads included files from disk itself.
func (o Options) mirrored(below string, files []string) error {
	for _, file := range files {
		text, err := o.read(file)
		if err != nil {
			return err
		}
		copied := filepath.Join(below, strings.TrimPrefix(file, filepath.VolumeName(file)))
		if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

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
