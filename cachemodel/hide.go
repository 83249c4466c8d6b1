package cachemodel

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/secret"
)

// ShortestSecret is how many bytes a secret has at least to be looked for within other texts.
const ShortestSecret = 4

// hidden stands in texts for a secret.
const hidden = "•••"

// HideSecrets replaces the values of secrets, which are given by name, wherever they stand in a text.
func HideSecrets(text string, secrets map[string]string) string {
	for _, value := range slices.SortedFunc(maps.Values(secrets), func(a, b string) int {
		return cmp.Compare(len(b),
			len(a))
	}) {
		if len(value) >= ShortestSecret {
			text = strings.ReplaceAll(text, value, hidden)
		}
	}
	return text
}

// Secrets are the build arguments that look like secrets, and those whose values hold such a value.
func Secrets(args map[string]string) map[string]string {
	found := map[string]string{}
	for name, value := range args {
		if secret.Is(name, value) {
			found[name] = value
		}
	}
	all := maps.Clone(found)
	for name, value := range args {
		if HideSecrets(value, found) != value {
			all[name] = value
		}
	}
	return all
}

// secrets adds the secrets of a build, and of those of its named contexts as far as they are planned.
func (b *Build) secrets(all map[string]string, depth int) {
	for name, value := range Secrets(b.Settings.Args) {
		all[name+"="+value] = value
	}
	if depth > 0 {
		for _, made := range b.ContextBuilds {
			made.secrets(all, depth-1)
		}
	}
}

// hideSecrets keeps the values of build arguments that look like secrets out of what the steps say: an image or a path
// may be named by one.
func hideSecrets(steps []Step, bases []*Plan, next *Plan) {
	secrets := map[string]string{}
	for _, p := range append(slices.Clone(bases), next) {
		p.build.secrets(secrets, maxContextBuilds)
	}
	if len(secrets) == 0 {
		return
	}
	for i := range steps {
		s := &steps[i]
		s.Detail = HideSecrets(s.Detail, secrets)
		for j, text := range s.Assuming {
			s.Assuming[j] = HideSecrets(text, secrets)
		}
		if s.Cause == nil {
			continue
		}
		s.Cause.Detail = HideSecrets(s.Cause.Detail, secrets)
		for j, path := range s.Cause.Paths {
			if shown := HideSecrets(path, secrets); shown != path {
				s.Cause.Paths = slices.Clone(s.Cause.Paths)
				s.Cause.Paths[j] = shown
			}
		}
	}
}
