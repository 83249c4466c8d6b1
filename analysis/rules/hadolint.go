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

// HadolintNames are the names of hadolint's configuration, which counts where there is none of ours.
var HadolintNames = []string{".hadolint.yaml", ".hadolint.yml"}

// ParseHadolint reads a configuration of hadolint: which of its rules are ignored, and which have another severity, for
// those that are about the same as ours. left are the codes that no rule of ours is about.
func ParseHadolint(text []byte) (opts Options, left []string, err error) {
	var config struct {
		Ignored  []string
		Override struct{ Error, Warning, Info, Style []string }
	}
	opts.Severity = map[string]analysis.Severity{}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return opts, nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	each := func(names []string, f func(id string)) {
		for _, name := range names {
			ids, code, err := Named(name)
			if err != nil && code == "" {
				left = append(left, name)
			}
			for _, id := range ids {
				f(id)
			}
		}
	}
	for severity, names := range map[analysis.Severity][]string{
		analysis.Error: config.Override.Error, analysis.Warning: config.Override.Warning,
		analysis.Information: config.Override.Info, analysis.Hint: config.Override.Style,
	} {
		each(names, func(id string) { opts.Severity[id] = severity })
	}
	each(config.Ignored, func(id string) {
		delete(opts.Severity, id)
		opts.Off = append(opts.Off, id)
	})
	for _, name := range config.Ignored {
		if shellCheckCode.MatchString(name) {
			opts.OffCodes = append(opts.OffCodes, strings.ToUpper(name))
		}
	}
	slices.Sort(left)
	return opts, slices.Compact(left), nil
}

// MigrateHadolint is the text of our configuration that says what hadolint's does.
func MigrateHadolint(text []byte) (config string, err error) {
	opts, left, err := ParseHadolint(text)
	if err != nil {
		return "", err
	}
	levels := map[string]string{}
	for id, severity := range opts.Severity {
		levels[id] = severity.String()
	}
	for _, id := range opts.Off {
		levels[id] = "off"
	}
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, id := range slices.Sorted(maps.Keys(levels)) {
		fmt.Fprintf(&b, "  %s: %s\n", id, levels[id])
	}
	for _, code := range slices.Concat(left, opts.OffCodes) {
		fmt.Fprintf(&b, "# no rule here is about %s\n", code)
	}
	return b.String(), nil
}
