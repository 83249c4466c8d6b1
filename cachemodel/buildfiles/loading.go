package buildfiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

// composeLoading is what compose-go's loader is given. It reads the files that others include or extend from disk
// itself; so it is given copies of them below a directory of its own, in which there is nothing else.
type composeLoading struct {
	o          Options
	files      []string // absolute
	references []string // that these include or extend, absolute
	details    types.ConfigDetails
	temp       string
	costs      map[string]loadCost // of what is included or extended; nothing while it is looked at
	replacing  replacing
}

// loadCost is how many bytes the loader reads for a file, those of a file as often as it reads it: all that the file
// includes, or what one of its services extends.
type loadCost struct{ included, extended int }

// loading reads and checks the files and all that they include or extend. close must be called in the end.
func (o Options) loading(files []string, dir string, env map[string]string) (*composeLoading, error) {
	l := &composeLoading{o: o, files: files, costs: map[string]loadCost{}}
	texts := map[string][]byte{}
	for _, file := range files {
		text, err := l.yaml(file)
		if err != nil {
			return nil, err
		}
		texts[file] = text
	}
	for _, file := range files {
		if _, err := l.visit(file, texts[file], including([]string{filepath.Dir(file)}, dir), env, 0); err != nil {
			return nil, err
		}
	}
	var err error
	if l.temp, err = os.MkdirTemp("", "layerwise-compose-"); err != nil {
		return nil, err
	}
	for _, file := range l.references {
		if err := l.mirror(file); err != nil {
			l.close()
			return nil, err
		}
	}
	l.details = types.ConfigDetails{WorkingDir: l.copied(dir), Environment: env}
	for _, file := range files {
		l.details.ConfigFiles = append(l.details.ConfigFiles,
			types.ConfigFile{Filename: l.copied(file), Content: texts[file]})
	}
	return l, nil
}

func (l *composeLoading) close() { os.RemoveAll(l.temp) }

func (l *composeLoading) options(to *loader.Options) {
	to.Interpolate.Substitute = l.replacing.substitute
	to.SkipResolveLabels = true
	to.ResourceLoaders = []loader.ResourceLoader{noRemotes{}}
	to.MaxNodeVisits = 2 * maxNodes
}

// real is a path of the project that the loader gives.
func (l *composeLoading) real(path string) string {
	if rel, ok := strings.CutPrefix(path, l.temp); ok {
		return filepath.VolumeName(l.o.Dir) + rel
	}
	return path
}

// copied is where the loader finds a path of the project.
func (l *composeLoading) copied(path string) string {
	return filepath.Join(l.temp, strings.TrimPrefix(path, filepath.VolumeName(path)))
}

func (l *composeLoading) located(err error) error {
	if strings.Contains(err.Error(), l.temp) {
		err = &realError{strings.ReplaceAll(err.Error(), l.temp, ""), err}
	}
	return located(err, l.files)
}

// realError is an error with the paths of the project.
type realError struct {
	text string
	err  error
}

func (e *realError) Error() string { return e.text }
func (e *realError) Unwrap() error { return e.err }

func (l *composeLoading) yaml(file string) ([]byte, error) {
	text, err := l.o.read(file)
	if err != nil {
		return nil, err
	}
	return text, checkYAML(file, text)
}

// visit finds what a file includes or extends, relative to one of the directories.
func (l *composeLoading) visit(
	file string,
	text []byte,
	dirs []string,
	env map[string]string,
	depth int,
) (loadCost, error) {
	cost, extended := loadCost{len(text), len(text)}, 0
	if depth > 16 {
		return cost, limit(file, 0, "more than 16 files include or extend each other")
	}
	if len(dirs) > maxFolders {
		return cost, limit(file, 0, "its paths may be seen from more than %d folders", maxFolders)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc struct {
			Include        []yaml.Node
			Services, Jobs map[string]yaml.Node
		}
		err := decoder.Decode(&doc)
		if err != nil { // at the end, or the loader says what is wrong, and reads no other file then
			cost.extended += extended
			return cost, nil
		}
		for _, n := range doc.Include {
			included, err := l.include(&n, dirs, env, depth)
			if err != nil {
				return cost, err
			}
			cost.included += included
		}
		for _, services := range []map[string]yaml.Node{doc.Services, doc.Jobs} {
			bases := map[string]string{}
			for _, name := range slices.Sorted(maps.Keys(services)) {
				n := services[name]
				var s struct{ Extends extends }
				if n.Decode(&s) != nil {
					continue
				}
				if s.Extends.File == "" {
					bases[name] = l.replaced(s.Extends.Service, env)
					continue
				}
				c, err := l.add(s.Extends.File, dirs, env, depth)
				if err != nil {
					return cost, err
				}
				cost.included, extended = cost.included+c.extended, max(extended, c.extended)
			}
			if extendedValues(services, bases) > maxNodes {
				return cost, limit(file, 0, "its services have more than %d values with what they extend", maxNodes)
			}
		}
		if cost.included > maxLoaded {
			return cost, limit(file, 0, "it includes and extends more than %d MB, each file counted each time",
				maxLoaded>>20)
		}
	}
}

// extends is what a service extends: one of the same file, or of another one.
type extends struct{ File, Service string }

// UnmarshalYAML implements yaml.Unmarshaler.
func (e *extends) UnmarshalYAML(n *yaml.Node) error {
	if n = resolve(n); n.Kind == yaml.ScalarNode {
		e.Service = n.Value
		return nil
	}
	type fields extends
	return n.Decode((*fields)(e))
}

// extendedValues counts the values of services, each with those that it extends, up to the limit.
func extendedValues(services map[string]yaml.Node, bases map[string]string) (sum int) {
	own := map[string]int{}
	for name, n := range services {
		own[name] = values(&n)
	}
	for name := range services {
		for at, left := name, len(services); own[at] > 0 && left > 0 && sum <= maxNodes; at, left = bases[at], left-1 {
			sum += own[at]
		}
	}
	return sum
}

// values counts a value and those in it, aliases with what they stand for.
func values(n *yaml.Node) int {
	count := 1
	for _, child := range resolve(n).Content {
		count += values(child)
	}
	return count
}

// include follows one entry of a list of includes, and gives how many bytes the loader reads for it.
func (l *composeLoading) include(n *yaml.Node, dirs []string, env map[string]string, depth int) (int, error) {
	var entry struct {
		Path       yaml.Node
		EnvFile    yaml.Node `yaml:"env_file"`
		ProjectDir string    `yaml:"project_directory"`
	}
	if n = resolve(n); n.Kind == yaml.ScalarNode {
		entry.Path = *n
	} else if n.Decode(&entry) != nil {
		return 0, nil
	}
	paths, envFiles := stringsOf(&entry.Path), stringsOf(&entry.EnvFile)
	projects := []string{}
	if entry.ProjectDir != "" {
		for _, dir := range dirs {
			projects = including(projects, abs(dir, l.replaced(entry.ProjectDir, env)))
		}
	} else if len(paths) > 0 {
		for _, dir := range dirs {
			projects = including(projects, filepath.Dir(abs(dir, l.replaced(paths[0], env))))
		}
	}
	own := maps.Clone(env)
	if len(envFiles) == 0 {
		for _, dir := range projects {
			envFiles = append(envFiles, filepath.Join(dir, ".env"))
		}
	}
	for _, name := range envFiles {
		for _, dir := range dirs {
			file := abs(dir, l.replaced(name, env))
			if name == "/dev/null" || !l.o.exists(file) {
				continue
			}
			text, err := l.reference(file)
			if err != nil {
				return 0, err
			}
			vars, err := readEnvFile(file, text, func(name string) (string, bool) { v, ok := own[name]; return v, ok })
			if err != nil {
				return 0, err
			}
			for k, v := range vars {
				if _, set := own[k]; !set {
					own[k] = v
				}
			}
		}
	}
	cost := 0
	for _, name := range paths {
		c, err := l.add(name, including(projects, dirs...), own, depth)
		if err != nil {
			return 0, err
		}
		cost += c.included
	}
	return cost, nil
}

// including is a list with those of others that are not in it yet.
func including(list []string, others ...string) []string {
	list = slices.Clone(list)
	for _, other := range others {
		if !slices.Contains(list, other) {
			list = append(list, other)
		}
	}
	return list
}

// add takes in a file that is named, as seen from each of the directories.
func (l *composeLoading) add(name string, dirs []string, env map[string]string, depth int) (sum loadCost, err error) {
	if name = l.replaced(name, env); name == "" || IsRemote(name) {
		return sum, nil
	}
	for _, dir := range dirs {
		file := abs(dir, name)
		cost, seen := l.costs[file]
		if !seen {
			if slices.Contains(l.files, file) || !l.o.exists(file) {
				continue
			}
			if cost, err = l.take(file, dirs, env, depth); err != nil {
				return sum, err
			}
		}
		sum.included, sum.extended = sum.included+cost.included, sum.extended+cost.extended
	}
	return sum, nil
}

// take reads and checks a file that is included or extended, and all that it names.
func (l *composeLoading) take(file string, dirs []string, env map[string]string, depth int) (loadCost, error) {
	l.costs[file] = loadCost{}
	if _, err := l.reference(file); err != nil {
		return loadCost{}, err
	}
	text, err := l.yaml(file)
	if err != nil {
		return loadCost{}, err
	}
	cost, err := l.visit(file, text, including([]string{filepath.Dir(file)}, dirs...), env, depth+1)
	l.costs[file] = cost
	return cost, err
}

// reference reads a file that another one names.
func (l *composeLoading) reference(file string) ([]byte, error) {
	text, err := l.o.read(file)
	if err == nil && !slices.Contains(l.references, file) {
		if l.references = append(l.references, file); len(l.references) > maxFiles {
			return nil, limit(file, 0, "the project has more than %d files", maxFiles)
		}
	}
	return text, err
}

// replaced is a text with the values of its variables; as it is written where that fails.
func (l *composeLoading) replaced(text string, env map[string]string) string {
	out, err := l.replacing.substitute(text, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		return text
	}
	return out
}

func abs(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}

// stringsOf are the texts of a value that is one or a list of them.
func stringsOf(n *yaml.Node) (list []string) {
	switch n = resolve(n); n.Kind {
	case yaml.ScalarNode:
		return []string{n.Value}
	case yaml.SequenceNode:
		_ = n.Decode(&list)
	}
	return list
}

// mirror copies a file, as o.Read gives it, to where the loader reads it.
func (l *composeLoading) mirror(file string) error {
	text, err := l.o.read(file)
	if err != nil {
		return err
	}
	copied := l.copied(file)
	return errors.Join(os.MkdirAll(filepath.Dir(copied), 0o700), os.WriteFile(copied, text, 0o600))
}

// envFiles checks and copies the env files of a service, which bake reads for the values of arguments.
func (l *composeLoading) envFiles(list any) error {
	entries, ok := list.([]any)
	if !ok {
		entries = []any{list}
	}
	for _, entry := range entries {
		name, _ := entry.(string)
		if fields, ok := entry.(map[string]any); ok {
			name, _ = fields["path"].(string)
		}
		file := l.real(name)
		if name == "" || !l.o.exists(file) {
			continue
		}
		text, err := l.reference(file)
		if err != nil {
			return err
		}
		lookup := func(name string) (string, bool) { v, ok := l.details.Environment[name]; return v, ok }
		if _, err := readEnvFile(file, text, lookup); err != nil {
			return err
		}
		if err := l.mirror(file); err != nil {
			return err
		}
	}
	return nil
}

// noRemotes refuses what would have to be fetched.
type noRemotes struct{}

func (noRemotes) Accept(name string) bool { return IsRemote(name) }

func (noRemotes) Load(_ context.Context, name string) (string, error) {
	return "", fmt.Errorf("%s is remote, and remote files are not fetched", name)
}

func (noRemotes) Dir(string) string { return "" }
