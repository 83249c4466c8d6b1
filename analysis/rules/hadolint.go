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
		Trusted  []string `yaml:"trustedRegistries"`
		Override struct{ Error, Warning, Info, Style []string }
		Labels   map[string]string `yaml:"label-schema"`
		Strict   bool              `yaml:"strict-labels"`
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
	opts.trust(config.Trusted)
	if err := opts.label(config.Labels, config.Strict); err != nil {
		return opts, nil, err
	}
	slices.Sort(left)
	return opts, slices.Compact(left), nil
}

// trust sets the registries that are trusted, and turns the rule about them on unless it is off.
func (o *Options) trust(registries []string) {
	if o.TrustedRegistries = registries; len(registries) > 0 && !slices.Contains(o.Off, UntrustedRegistry.ID) {
		o.On = append(o.On, UntrustedRegistry.ID)
	}
}

// hadolintLevels are the severities that hadolint gives, without a configuration, to what rules here are about which
// are off or have another one. See its README.
var hadolintLevels = map[string]analysis.Severity{
	AddForFiles.ID: analysis.Error, AptCommand.ID: analysis.Warning, JSONArgsRecommended.ID: analysis.Warning,
	KeptPackageCache.ID: analysis.Information, MaintainerDeprecated.ID: analysis.Error,
	MissingPipefail.ID: analysis.Warning, FromPlatformFlagConstDisallowed.ID: analysis.Warning,
	RecommendedPackages.ID: analysis.Information, RelativeDestination.ID: analysis.Warning,
	PointlessCommand.ID: analysis.Information, DistributionUpgrade.ID: analysis.Warning,
	WgetProgress.ID: analysis.Information, WgetAndCurl.ID: analysis.Warning, LinkedShell.ID: analysis.Warning,
	LabelSchema.ID: analysis.Warning, RootUser.ID: analysis.Warning, Sudo.ID: analysis.Error,
	UnpinnedPackage.ID: analysis.Warning, UntaggedImage.ID: analysis.Warning, WorkdirRelativePath.ID: analysis.Error,
}

// presets are the severities that a configuration can begin with.
var presets = map[string]map[string]analysis.Severity{"hadolint": hadolintLevels}

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
	b.WriteString("preset: hadolint\n")
	if len(opts.TrustedRegistries) > 0 {
		b.WriteString("trustedRegistries:\n")
		for _, registry := range opts.TrustedRegistries {
			fmt.Fprintf(&b, "  - %q\n", registry)
		}
	}
	if len(opts.LabelSchema) > 0 {
		b.WriteString("labelSchema:\n")
		for _, name := range slices.Sorted(maps.Keys(opts.LabelSchema)) {
			fmt.Fprintf(&b, "  %q: %s\n", name, opts.LabelSchema[name])
		}
	}
	if opts.StrictLabels {
		b.WriteString("strictLabels: true\n")
	}
	if len(levels) > 0 {
		b.WriteString("rules:\n")
	}
	for _, id := range slices.Sorted(maps.Keys(levels)) {
		fmt.Fprintf(&b, "  %s: %s\n", id, levels[id])
	}
	for _, code := range slices.Concat(left, opts.OffCodes) {
		fmt.Fprintf(&b, "# no rule here is about %s\n", code)
	}
	return b.String(), nil
}
