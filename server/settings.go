package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// section is the name of the product's settings.
const section = "layerwise"

// settings are a user's choices; settingsTable describes them.
type settings struct {
	Engine               string            `json:"engine"`
	Baseline             string            `json:"baseline"`
	Context              string            `json:"context"`
	Contexts             map[string]string `json:"contexts"`
	Target               string            `json:"target"`
	BuildArgs            map[string]string `json:"buildArgs"`
	Platform             string            `json:"platform"`
	InlayHints           bool              `json:"inlayHints"`
	CodeLens             bool              `json:"codeLens"`
	Registry             string            `json:"registry"`
	FormatKeywords       bool              `json:"formatKeywords"`
	FormatContinuations  bool              `json:"formatContinuations"`
	WorkspaceDiagnostics bool              `json:"workspaceDiagnostics"`
	MarksOnly            bool              `json:"marksOnly"`
	Rules                map[string]string `json:"rules"`
	ShellCheck           bool              `json:"shellCheck"`
	BuildKit             string            `json:"buildkit"`
}

func defaultSettings() settings {
	return settings{
		Baseline:            "auto",
		InlayHints:          true,
		CodeLens:            true,
		Registry:            "off",
		FormatKeywords:      true,
		FormatContinuations: true,
		ShellCheck:          true,
	}
}

// setting is one line of the table that everything about settings comes from: the JSON schema, the page
// docs/protocol.md and how values are read; the test of VS Code's package.json holds that to it as well.
type setting struct {
	name   string // as in settings
	want   string // what a value must be, for people
	about  string
	values []string                // the only values, if it is a choice
	field  func(s *settings) any   // a pointer to it
	valid  func(s *settings) error // nil if every value of the type is
	far    bool                    // it may name a place outside of the folder: what an untrusted one says is not taken
}

var settingsTable = []setting{
	{
		name:   "engine",
		want:   `"buildkit", "classic" or "podman"`,
		values: []string{"", "buildkit", "classic", "podman"},
		about: "the builder whose cache is modelled; of Podman and Buildah nothing is known; `\"\"` is what " +
			"`DOCKER_BUILDKIT` says, else that of the last build on record, else BuildKit",
		field: func(s *settings) any { return &s.Engine },
	},
	{
		name: "baseline",
		far:  true,
		want: `"auto", "recorded", "recorded:ID", "git", "git:REV", "git:merge-base", "ci:MODE", "dir:PATH" or "opened"`,
		about: "what to compare with: `auto`, `recorded` (the last build on record), `recorded:ID`, `git`, " +
			"`git:REV`, `git:merge-base` (where the branch left the main branch), `ci:MODE` (a fresh builder that " +
			"imports the cache of the merge base, exported with `min`, `max` or `inline`, or `none`; `ci:auto`: " +
			"as the project's CI files say), `dir:PATH`, `opened`",
		field: func(s *settings) any { return &s.Baseline },
		valid: func(s *settings) error { _, err := baseline.ParseSpec(s.Baseline); return err },
	},
	{
		name:  "context",
		far:   true,
		want:  "a folder's path",
		about: "the build context's folder, relative to the workspace folder; `\"\"` is the Dockerfile's own folder",
		field: func(s *settings) any { return &s.Context },
	},
	{
		name: "contexts",
		far:  true,
		want: "an object of folders by Dockerfiles",
		about: "the build contexts of single Dockerfiles, by their paths, all relative to the workspace folder; " +
			"they stand above `context`",
		field: func(s *settings) any { return &s.Contexts },
	},
	{name: "target", want: "a stage's name", about: "the stage to build; `\"\"` is the last",
		field: func(s *settings) any { return &s.Target }},
	{name: "buildArgs", want: "an object of strings", about: "`--build-arg`",
		field: func(s *settings) any { return &s.BuildArgs }},
	{name: "platform", want: `a platform such as "linux/amd64"`, about: "`--platform`",
		field: func(s *settings) any { return &s.Platform }},
	{name: "inlayHints", want: "true or false", about: "marks at the line ends",
		field: func(s *settings) any { return &s.InlayHints }},
	{name: "codeLens", want: "true or false", about: "a summary above each stage",
		field: func(s *settings) any { return &s.CodeLens }},
	{
		name:   "registry",
		far:    true,
		want:   `"off" or "on"`,
		values: []string{"off", "on"},
		about: "ask registries for the tags of images while they are typed, and for what is behind an image that " +
			"one hovers over, with the credentials of the Docker configuration",
		field: func(s *settings) any { return &s.Registry },
	},
	{name: "formatKeywords", want: "true or false", about: "formatting puts instructions into upper case",
		field: func(s *settings) any { return &s.FormatKeywords }},
	{name: "formatContinuations", want: "true or false", about: "formatting touches instructions of several lines",
		field: func(s *settings) any { return &s.FormatContinuations }},
	{
		name:  "workspaceDiagnostics",
		want:  "true or false",
		about: "`workspace/diagnostic` also covers Dockerfiles that are not open",
		field: func(s *settings) any { return &s.WorkspaceDiagnostics },
	},
	{
		name: "marksOnly",
		want: "true or false",
		about: "leave findings, completion, formatting, folds, symbols, links, definitions and what words mean to " +
			"another server for Dockerfiles; marks with their causes, fixes and reorderings stay",
		field: func(s *settings) any { return &s.MarksOnly },
	},
	{
		name: "buildkit",
		far:  true,
		want: "unix:///PATH, tcp://HOST:PORT or off",
		about: "the BuildKit daemon whose history tells the last build; `\"\"` is that of `BUILDKIT_HOST`, else " +
			"buildx's current builder; `off` asks none",
		field: func(s *settings) any { return &s.BuildKit },
	},
	{
		name: "rules",
		want: "an object of rules' names with off, hint, info, warning or error",
		about: "how bad the findings of rules are, by their names: `off`, `hint`, `info`, `warning` or `error`; it " +
			"stands above a `.layerwise.yaml`",
		field: func(s *settings) any { return &s.Rules },
	},
	{
		name:  "shellCheck",
		want:  "true or false",
		about: "the findings of ShellCheck in the commands of `RUN`, if the program `shellcheck` is installed",
		field: func(s *settings) any { return &s.ShellCheck },
	},
}

// schemaType is the setting's type in a JSON schema.
func (t *setting) schemaType() string {
	switch t.field(&settings{}).(type) {
	case *bool:
		return "boolean"
	case *map[string]string:
		return "object"
	}
	return "string"
}

// schema is the JSON schema of the object of section layerwise.
func schema() map[string]any {
	properties := map[string]any{}
	defaults := defaultSettings()
	for _, t := range settingsTable {
		property := map[string]any{
			"type": t.schemaType(), "description": strings.ReplaceAll(t.about, "`", ""),
			"default": reflect.ValueOf(t.field(&defaults)).Elem().Interface(),
		}
		if t.values != nil {
			property["enum"] = t.values
		}
		if t.schemaType() == "object" {
			property["additionalProperties"] = map[string]any{"type": "string"}
			property["default"] = map[string]any{}
		}
		properties[t.name] = property
	}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Layerwise",
		"description": "The settings of the language server, section " + section + ".",
		"type":        "object", "properties": properties,
	}
}

// parseSettings reads the object of section layerwise. A value that makes no sense is left at its default and named in
// the problems, so that one slip does not cost the rest.
func parseSettings(raw []byte) (settings, []string) {
	out := defaultSettings()
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return out, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return out, []string{"the settings of layerwise are not an object; the defaults are used"}
	}
	var problems []string
	for _, t := range settingsTable {
		value, ok := fields[t.name]
		if !ok || string(value) == "null" {
			continue
		}
		next, fresh := out, settings{} // a fresh value, so that a bad one leaves nothing behind
		if json.Unmarshal(value, t.field(&fresh)) == nil {
			reflect.ValueOf(t.field(&next)).Elem().Set(reflect.ValueOf(t.field(&fresh)).Elem())
			if text, ok := t.field(&next).(*string); (t.values == nil || ok && slices.Contains(t.values, *text)) &&
				(t.valid == nil || t.valid(&next) == nil) {
				out = next
				continue
			}
		}
		problems = append(
			problems,
			fmt.Sprintf(
				"the setting layerwise.%s must be %s, not %s; its default is used",
				t.name,
				t.want,
				clip(string(value), 60),
			),
		)
	}
	_, bad := rules.Options{}.With(out.Rules)
	for _, err := range bad {
		problems = append(problems, fmt.Sprintf("the setting layerwise.rules: %v", err))
	}
	// The others would be looked at at each key.
	maps.DeleteFunc(out.Rules, func(id, _ string) bool { return rules.ByID(id) == nil })
	return out, problems
}

// settingsWithin reads {"layerwise": {...}}, as initialisation options and workspace/didChangeConfiguration carry it;
// nil if that is not there.
func settingsWithin(raw []byte) (*settings, []string) {
	var outer map[string]json.RawMessage
	if json.Unmarshal(raw, &outer) != nil || outer[section] == nil {
		return nil, nil
	}
	own, problems := parseSettings(outer[section])
	return &own, problems
}

// untrusted reads {"trusted": false}, as a client's initialisation options carry it for a folder that the person does
// not trust.
func untrusted(raw []byte) bool {
	var outer struct {
		Trusted *bool `json:"trusted"`
	}
	return json.Unmarshal(raw, &outer) == nil && outer.Trusted != nil && !*outer.Trusted
}

// scopedSettings are the settings of the session and of each workspace folder that has its own.
type scopedSettings struct {
	global  settings
	folders map[uri.URI]settings
}

// settingsOfLocked returns the settings that hold for a document, and the path of its workspace folder ("" if it has
// none): the innermost folder counts.
func (s *session) settingsOfLocked(u uri.URI) (own settings, root string) {
	own, longest := s.settings.global, 0
	for _, folder := range s.folders {
		prefix := strings.TrimSuffix(string(folder.URI), "/") + "/"
		if !strings.HasPrefix(string(u), prefix) || len(prefix) <= longest {
			continue
		}
		longest, own, root = len(prefix), s.settings.global, ""
		if folder.URI.IsFile() {
			root = filepath.FromSlash(folder.URI.FsPath())
		}
		if scoped, ok := s.settings.folders[folder.URI]; ok {
			own = scoped
		}
	}
	if s.untrusted {
		own.ShellCheck, own.Registry, own.BuildKit = false, "off", "off"
	}
	return own, root
}

// rulesIn is the configuration of rules for what is in a folder. What is wrong with it is said elsewhere.
func (own *settings) rulesIn(folder string) rules.Options {
	options, _ := workspace.FindConfig(folder).Rules.With(own.Rules)
	return options
}

func didChangeConfiguration(s *session, p *protocol.DidChangeConfigurationParams) {
	if s.can.configuration {
		s.background("reading settings", s.pullSettings)
		return
	}
	if own, problems := settingsWithin(p.Settings); own != nil {
		s.complain(problems)
		s.applySettings(scopedSettings{global: *own})
	}
}

func didChangeWorkspaceFolders(s *session, p *protocol.DidChangeWorkspaceFoldersParams) {
	s.mu.Lock()
	removed := map[uri.URI]bool{}
	for _, f := range p.Event.Removed {
		removed[f.URI] = true
	}
	var folders []protocol.WorkspaceFolder
	for _, f := range s.folders {
		if !removed[f.URI] {
			folders = append(folders, f)
		}
	}
	s.folders = append(folders, p.Event.Added...)
	current := s.settings
	s.mu.Unlock()
	if s.can.configuration {
		s.background("reading settings", s.pullSettings)
		return
	}
	s.applySettings(current)
}

// pullSettings asks the client for the settings of the session and of each workspace folder.
func (s *session) pullSettings(ctx context.Context) {
	defer s.settle()
	s.mu.Lock()
	folders := s.folders
	s.mu.Unlock()
	name := section
	params := &protocol.ConfigurationParams{Items: []protocol.ConfigurationItem{{Section: &name}}}
	for i := range folders {
		params.Items = append(params.Items, protocol.ConfigurationItem{Section: &name, ScopeURI: &folders[i].URI})
	}
	answers, err := s.client.Configuration(ctx, params)
	if err != nil || len(answers) != len(params.Items) {
		if ctx.Err() == nil {
			s.tell(
				protocol.MessageTypeWarning,
				fmt.Sprintf(
					"the client did not answer workspace/configuration for %d items: %v",
					len(params.Items),
					err,
				),
			)
		}
		return
	}
	next := scopedSettings{folders: map[uri.URI]settings{}}
	for i, answer := range answers {
		if i == 0 && string(bytes.TrimSpace(answer)) == "null" {
			s.mu.Lock()
			next.global = s.settings.global // a client without such a section may have sent initialisation options
			s.mu.Unlock()
			continue
		}
		if i > 0 && string(bytes.TrimSpace(answer)) == "null" {
			continue
		}
		own, problems := parseSettings(answer)
		s.complain(problems)
		if i == 0 {
			next.global = own
		} else {
			next.folders[folders[i-1].URI] = own
		}
	}
	s.applySettings(next)
}

// applySettings puts settings in force and has the documents whose settings changed judged anew.
func (s *session) applySettings(next scopedSettings) {
	s.mu.Lock()
	s.settings = next
	for _, d := range s.documents {
		d.wake(d.reload)
		d.wake(d.scripts)
	}
	s.wakeBuildFilesLocked(true)
	s.mu.Unlock()
}

// settle says that the settings are known: documents that were opened before wait for that, lest they are first judged
// by other settings than the user's.
func (s *session) settle() { s.settling.Do(func() { close(s.settled) }) }

func (s *session) complain(problems []string) {
	for _, problem := range problems {
		s.show(protocol.MessageTypeWarning, problem)
	}
}
