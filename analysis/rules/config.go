package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"go.yaml.in/yaml/v3"
)

// ConfigName is the name of the file in which a project chooses the severities of rules.
const ConfigName = ".layerwise.yaml"

// levels are the severities that a configuration can give a rule; that of "off" means nothing.
var levels = map[string]analysis.Severity{
	"off": 0, "hint": analysis.Hint, "info": analysis.Information, "information": analysis.Information,
	"warning": analysis.Warning, "error": analysis.Error,
}

// ParseSeverity returns the severity of a name.
func ParseSeverity(name string) (analysis.Severity, error) {
	if severity := levels[name]; severity != 0 {
		return severity, nil
	}
	return 0, fmt.Errorf("%s: choose one of error, warning, information, hint", name)
}

// ParseConfig reads the text of a configuration:
//
//	preset: hadolint
//	trustedRegistries: [docker.io]
//	labelSchema:
//	  org.opencontainers.image.version: semver
//	strictLabels: true
//	rules:
//	  JSONArgsRecommended: off
//	  WorkdirRelativePath: error
//
// What is wrong is told, each with its line; the rest counts.
func ParseConfig(text []byte) (Options, error) {
	opts := Options{Severity: map[string]analysis.Severity{}}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return opts, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(document.Content) == 0 {
		return opts, nil
	}
	var wrong mistakes
	problem := func(at *yaml.Node, format string, args ...any) {
		wrong.add(fmt.Errorf("line %d: %s", at.Line, fmt.Sprintf(format, args...)))
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		problem(top, "not a mapping; write rules: and below it names of rules with their severities")
		return opts, errors.Join(wrong.all()...)
	}
	for i := 0; i+1 < len(top.Content); i += 2 { // first, as rules change what it says
		if key, value := top.Content[i], top.Content[i+1]; key.Value == "preset" {
			if opts.Severity = maps.Clone(presets[value.Value]); opts.Severity == nil {
				opts.Severity = map[string]analysis.Severity{}
				problem(value, "unknown preset %s: only hadolint is known", value.Value)
			}
		}
	}
	var trusted []string
	var labels map[string]string
	strict := false
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		switch {
		case key.Value == "preset":
		case key.Value == "trustedRegistries":
			if value.Decode(&trusted) != nil {
				problem(value, "trustedRegistries is not a list of names")
			}
		case key.Value == "labelSchema":
			if value.Decode(&labels) != nil {
				problem(value, "labelSchema is not a mapping of labels to what their values are")
			}
		case key.Value == "strictLabels":
			if value.Decode(&strict) != nil {
				problem(value, "strictLabels is true or false")
			}
		case key.Value != "rules":
			problem(key, "unknown key %s: preset, rules, trustedRegistries, labelSchema and strictLabels are known",
				key.Value)
		case value.Kind == yaml.MappingNode:
			for j := 0; j+1 < len(value.Content); j += 2 {
				if name := value.Content[j]; !wrong.skips(name.Value) {
					readLevel(&opts, name, value.Content[j+1], problem)
				}
			}
		case value.Tag != "!!null":
			problem(value, "rules is not a mapping; write names of rules with their severities below it")
		}
	}
	opts.trust(trusted)
	if err := opts.label(labels, strict); err != nil {
		wrong.add(err)
	}
	return opts, errors.Join(wrong.all()...)
}

// mistakes are what is wrong with a configuration: of very many the first.
type mistakes struct {
	told []error
	more int
}

const mostMistakes = 20

func (m *mistakes) add(err error) {
	if len(m.told) < mostMistakes {
		m.told = append(m.told, err)
	} else {
		m.more++
	}
}

// skips reports whether no rule has a name, and counts that, where no more is told: what was meant is found slowly.
func (m *mistakes) skips(rule string) bool {
	skips := len(m.told) == mostMistakes && ByID(rule) == nil
	if skips {
		m.more++
	}
	return skips
}

func (m *mistakes) all() []error {
	if m.more > 0 {
		return append(m.told, fmt.Errorf("%d more mistakes", m.more))
	}
	return m.told
}

func readLevel(opts *Options, name, level *yaml.Node, problem func(*yaml.Node, string, ...any)) {
	at, text := level, level.Value
	if level.Kind != yaml.ScalarNode {
		text = ""
	}
	if ByID(name.Value) == nil {
		at = name
	}
	if err := opts.set(name.Value, text); err != nil {
		problem(at, "%v", err)
	}
}

// set gives the rule of a name the severity of a name.
func (o *Options) set(rule, level string) error {
	if ByID(rule) == nil {
		return noRule(rule)
	}
	severity, ok := levels[level]
	if !ok {
		return fmt.Errorf("%s: choose one of off, hint, information, warning, error", rule)
	}
	o.Off = slices.DeleteFunc(o.Off, func(id string) bool { return id == rule })
	delete(o.Severity, rule)
	if level == "off" {
		o.Off = append(o.Off, rule)
	} else {
		o.Severity[rule] = severity
	}
	return nil
}

// With returns the options with severities by rules' ids instead of those that they have. What is wrong is told, in
// order of the ids; the rest counts.
func (o Options) With(severities map[string]string) (Options, []error) {
	var wrong mistakes
	o.Off, o.Severity = slices.Clone(o.Off), maps.Clone(o.Severity)
	if o.Severity == nil {
		o.Severity = map[string]analysis.Severity{}
	}
	for _, rule := range slices.Sorted(maps.Keys(severities)) {
		if wrong.skips(rule) {
			continue
		}
		if err := o.set(rule, severities[rule]); err != nil {
			wrong.add(err)
		}
	}
	return o, wrong.all()
}

// Level is the severity that a rule has without a configuration.
func (r *Rule) Level() string {
	if r.OffByDefault {
		return "off"
	}
	return r.Severity.String()
}

// ConfigSchema is the JSON schema of a configuration, as plain data to be marshalled.
func ConfigSchema() map[string]any {
	ruleSchemas := map[string]any{}
	for _, r := range Every() {
		ruleSchemas[r.ID] = map[string]any{
			"description": r.Doc.Summary + ". Default: " + r.Level() + ".\n" + r.URL(),
			"enum":        slices.Sorted(maps.Keys(levels)),
		}
	}
	return map[string]any{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "Layerwise's configuration (" + ConfigName + ")",
		"type":                 "object",
		"additionalProperties": false,
		"properties": map[string]any{
			"preset": map[string]any{
				"description": "hadolint turns on the rules that hadolint has, with its severities; rules change them.",
				"enum":        slices.Sorted(maps.Keys(presets)),
			},
			"trustedRegistries": map[string]any{
				"description": "The registries that images may be of, for untrusted-registry.",
				"type":        "array",
				"items":       map[string]any{"type": "string"},
			},
			"labelSchema": map[string]any{
				"description":          "What the values of labels are, for label-schema.",
				"type":                 "object",
				"additionalProperties": map[string]any{"enum": slices.Sorted(maps.Keys(labelKinds))},
			},
			"strictLabels": map[string]any{
				"description": "Whether there may be no labels that labelSchema does not list.",
				"type":        "boolean",
			},
			"rules": map[string]any{
				"description":          "The severity of each rule's findings.",
				"type":                 []string{"object", "null"},
				"additionalProperties": false,
				"properties":           ruleSchemas,
			},
		},
	}
}
