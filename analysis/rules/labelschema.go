package rules

import (
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// LabelSchema finds labels that are not as a configuration wants them.
var LabelSchema = &Rule{
	ID:           "label-schema",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint: []string{
		"DL3048", "DL3049", "DL3050", "DL3051", "DL3052", "DL3053", "DL3054", "DL3055", "DL3056", "DL3058",
	},
	Doc: Doc{
		Summary: "A label is missing, or is not what the configuration says",
		What: "Finds labels whose names are not as Docker asks for (lower case letters, digits, dots, dashes and " +
			"underscores), and what does not fit `labelSchema` in `.layerwise.yaml`, a mapping of names to what their " +
			"values are: `text`, `url`, `rfc3339` (a time), `semver`, `hash` (of a Git commit), `spdx` (a license), " +
			"`email`. A label of it that the last stage does not have is missing; with `strictLabels: true` it may " +
			"have no others. Values with variables are not looked at, and of a license only the form.",
		Why:     "Registries and scanners read labels by their names, and take those that they cannot read for missing.",
		Example: "FROM alpine\nLABEL Vendor=example\n",
		Instead: "FROM alpine\nLABEL com.example.vendor=example\n",
	},
	check: checkLabelSchema,
}

var (
	labelName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/-]*[a-z0-9])?$`)
	semver      = regexp.MustCompile(`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	gitHash     = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	licenseText = regexp.MustCompile(`^\(*[A-Za-z0-9.+-]+\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*$`)
)

// labelKinds are what a value may be asked to be: whether it is one.
var labelKinds = map[string]func(value string) bool{
	"text":    func(string) bool { return true },
	"rawtext": func(string) bool { return true },
	"url": func(value string) bool {
		parsed, err := url.Parse(value)
		return err == nil && parsed.Scheme != "" && parsed.Host != ""
	},
	"rfc3339": func(value string) bool {
		_, err := time.Parse(time.RFC3339, value)
		return err == nil
	},
	"semver": semver.MatchString,
	"hash":   gitHash.MatchString,
	"spdx":   licenseText.MatchString,
	"email": func(value string) bool {
		address, err := mail.ParseAddress(value)
		return err == nil && address.Address == value
	},
}

func checkLabelSchema(p *pass) {
	if len(p.file().Stages) == 0 {
		return
	}
	has := map[string]bool{}
	for stage := len(p.file().Stages) - 1; stage >= 0; stage = p.variables().Bases[stage] {
		for _, in := range p.file().Stages[stage].Instructions {
			c, ok := in.Command.(*instructions.LabelCommand)
			if !ok {
				continue
			}
			for i, pair := range c.Labels {
				span := in.ArgsSpan
				if len(c.Labels) == len(in.Args) {
					span = in.Args[i].Span
				}
				key, value := unquoted(pair.Key), unquoted(pair.Value)
				has[key] = true
				p.checkLabel(in, span, key, value)
			}
		}
	}
	from := p.file().Stages[len(p.file().Stages)-1].From
	for _, name := range slices.Sorted(maps.Keys(p.opts().LabelSchema)) {
		if !has[name] && from != nil && len(from.Args) > 0 {
			p.found(from, from.Args[0].Span, nil, "this stage has no label %s", name)
		}
	}
}

// checkLabel looks at one label.
func (p *pass) checkLabel(in *dockerfile.Instruction, span source.Span, key, value string) {
	if strings.ContainsAny(key, "$\\`") {
		return
	}
	kind, known := p.opts().LabelSchema[key]
	message := ""
	switch is := labelKinds[kind]; {
	case !labelName.MatchString(key) && !known:
		message = fmt.Sprintf("%s is not a name for a label: lower case letters, digits, dots and dashes are", key)
	case !known && p.opts().StrictLabels && len(p.opts().LabelSchema) > 0:
		message = fmt.Sprintf("labelSchema does not list the label %s", key)
	case strings.Contains(value, "$"):
	case value == "" && known:
		message = fmt.Sprintf("the label %s is empty", key)
	case known && is != nil && !is(value):
		message = fmt.Sprintf("the label %s is not what labelSchema says (%s): %s", key, kind, value)
	}
	if message != "" {
		p.report(in, analysis.Finding{Span: span, Message: message})
	}
}

// label sets which labels are wanted, and turns the rule about them on unless it is off.
func (o *Options) label(schema map[string]string, strict bool) error {
	for _, name := range slices.Sorted(maps.Keys(schema)) {
		if labelKinds[schema[name]] == nil {
			return fmt.Errorf("labelSchema: %s: choose one of %s", name,
				strings.Join(slices.Sorted(maps.Keys(labelKinds)), ", "))
		}
	}
	o.LabelSchema, o.StrictLabels = schema, strict
	if len(schema) > 0 && !slices.Contains(o.Off, LabelSchema.ID) {
		o.On = append(o.On, LabelSchema.ID)
	}
	return nil
}
